//! Client transaction of every request but INVITE and ACK: RFC 3261 17.1.2.
//!
//! Knows status codes and times; messages and addresses are kept by the layer above.

use crate::types::Mono;

use super::timers::{Fired, Pace, Repeat, earlier};

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientOther {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The request is out, nothing has come back.
    Trying { e: Option<Repeat>, f: Mono },
    /// A provisional response has come; the request is still repeated, more slowly.
    Proceeding { e: Option<Repeat>, f: Mono },
    /// The final response has come; repeated ones are absorbed.
    Completed { k: Mono },
    /// Over.
    Terminated,
}

/// What is to be done with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnResponse {
    /// It goes to the user.
    Pass,
    /// Nothing.
    Absorb,
}

impl ClientOther {
    /// The request has just been sent.
    pub(crate) fn start(now: Mono, pace: Pace) -> ClientOther {
        ClientOther { state: State::Trying { e: pace.e(now), f: now + pace.f() } }
    }

    /// A response with this status has come.
    pub(crate) fn on_response(&mut self, now: Mono, pace: Pace, status: u16) -> OnResponse {
        match (self.state, status) {
            (State::Trying { e, f }, 100..200) => {
                self.state = State::Proceeding { e: e.map(|e| e.then_every(pace.e_after_provisional())), f };
                OnResponse::Pass
            }
            (State::Proceeding { .. }, 100..200) => OnResponse::Pass,
            (State::Trying { .. } | State::Proceeding { .. }, 200..) => {
                let wait = pace.k();
                self.state = if wait.is_zero() { State::Terminated } else { State::Completed { k: now + wait } };
                OnResponse::Pass
            }
            (_, _) => OnResponse::Absorb,
        }
    }

    /// Time has passed.
    pub(crate) fn on_timer(&mut self, now: Mono) -> Fired {
        match &mut self.state {
            State::Trying { f, .. } | State::Proceeding { f, .. } if *f <= now => self.end(Fired::TimedOut),
            State::Trying { e, .. } | State::Proceeding { e, .. } => {
                if Repeat::fire(e, now) {
                    Fired::Resend
                } else {
                    Fired::Nothing
                }
            }
            State::Completed { k } if *k <= now => self.end(Fired::Ended),
            State::Completed { .. } | State::Terminated => Fired::Nothing,
        }
    }

    /// The next moment at which `on_timer` has something to do.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Trying { e, f } | State::Proceeding { e, f } => Some(earlier(f, e)),
            State::Completed { k } => Some(k),
            State::Terminated => None,
        }
    }

    /// Whether the outcome is still open: no final response has come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    /// Whether it is over.
    pub(crate) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn end(&mut self, fired: Fired) -> Fired {
        self.state = State::Terminated;
        fired
    }
}
