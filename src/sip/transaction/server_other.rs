//! Server transaction of every request but INVITE and ACK: RFC 3261 17.2.2.
//!
//! Knows status codes and times; messages and addresses are kept by the layer above.

use crate::types::Mono;

use super::server_invite::OnRespond;
use super::timers::{Fired, Pace};

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerOther {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The user has the request and has said nothing.
    Trying,
    /// The user has given a provisional response.
    Proceeding,
    /// The final response is out; repeated requests get it again.
    Completed { j: Mono },
    /// Over.
    Terminated,
}

impl ServerOther {
    /// A request has come.
    pub(crate) fn start() -> ServerOther {
        ServerOther { state: State::Trying }
    }

    /// Whether the last response goes out again when the same request has come again.
    pub(crate) fn resends(&self) -> bool {
        match self.state {
            State::Proceeding | State::Completed { .. } => true,
            State::Trying | State::Terminated => false,
        }
    }

    /// The user responds.
    pub(crate) fn on_respond(&mut self, now: Mono, pace: Pace, status: u16) -> OnRespond {
        match (self.state, status) {
            (State::Trying | State::Proceeding, ..200) => {
                self.state = State::Proceeding;
                OnRespond::Send
            }
            (State::Trying | State::Proceeding, _) => {
                let wait = pace.j();
                self.state = if wait.is_zero() { State::Terminated } else { State::Completed { j: now + wait } };
                OnRespond::Send
            }
            (State::Completed { .. } | State::Terminated, _) => OnRespond::TooLate,
        }
    }

    /// Time has passed.
    pub(crate) fn on_timer(&mut self, now: Mono) -> Fired {
        match self.state {
            State::Completed { j } if j <= now => {
                self.state = State::Terminated;
                Fired::Ended
            }
            State::Trying | State::Proceeding | State::Completed { .. } | State::Terminated => Fired::Nothing,
        }
    }

    /// The next moment at which `on_timer` has something to do.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Completed { j } => Some(j),
            State::Trying | State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether the user still owes a final response.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }

    /// Whether it is over.
    pub(crate) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}
