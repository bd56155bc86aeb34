//! INVITE server transaction: RFC 3261 17.2.1 with the Accepted state of RFC 6026 7.1.
//!
//! Knows status codes and times; messages and addresses are kept by the layer above. The 100 is the user's to send,
//! at once: nothing here waits 200 ms for it.

use crate::types::Mono;

use super::timers::{Fired, Pace, Repeat, earlier};

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerInvite {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The user has the INVITE and has given no final response.
    Proceeding,
    /// Refused; the refusal is repeated until the ACK comes.
    Completed { g: Option<Repeat>, h: Mono },
    /// The ACK has come; repeated ones are absorbed.
    Confirmed { i: Mono },
    /// A 2xx is out; the dialog repeats it, repeated INVITEs are absorbed.
    Accepted { l: Mono },
    /// Over.
    Terminated,
}

/// What is to be done with a request that belongs to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRequest {
    /// The last response goes out again, if there is one.
    Resend,
    /// It goes to the user: an ACK to a 2xx.
    Pass,
    /// Nothing.
    Absorb,
}

/// Whether a response of the user may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRespond {
    /// It goes out.
    Send,
    /// A final response has gone out before; this one is dropped.
    TooLate,
}

impl ServerInvite {
    /// An INVITE has come.
    pub(crate) fn start() -> ServerInvite {
        ServerInvite { state: State::Proceeding }
    }

    /// The same INVITE has come again.
    pub(crate) fn on_repeat(&self) -> OnRequest {
        match self.state {
            State::Proceeding | State::Completed { .. } => OnRequest::Resend,
            State::Accepted { .. } | State::Confirmed { .. } | State::Terminated => OnRequest::Absorb,
        }
    }

    /// An ACK with the transaction's key has come.
    pub(crate) fn on_ack(&mut self, now: Mono, pace: Pace) -> OnRequest {
        match self.state {
            State::Completed { .. } => {
                let wait = pace.i();
                self.state = if wait.is_zero() { State::Terminated } else { State::Confirmed { i: now + wait } };
                OnRequest::Absorb
            }
            State::Accepted { .. } => OnRequest::Pass,
            State::Proceeding | State::Confirmed { .. } | State::Terminated => OnRequest::Absorb,
        }
    }

    /// The user responds.
    pub(crate) fn on_respond(&mut self, now: Mono, pace: Pace, status: u16) -> OnRespond {
        match (self.state, status) {
            (State::Proceeding, ..200) => OnRespond::Send,
            (State::Proceeding, 200..300) => {
                self.state = State::Accepted { l: now + pace.l() };
                OnRespond::Send
            }
            (State::Proceeding, _) => {
                self.state = State::Completed { g: pace.g(now), h: now + pace.h() };
                OnRespond::Send
            }
            (State::Accepted { .. }, 200..300) => OnRespond::Send,
            (_, _) => OnRespond::TooLate,
        }
    }

    /// Time has passed.
    pub(crate) fn on_timer(&mut self, now: Mono) -> Fired {
        match &mut self.state {
            State::Completed { h, .. } if *h <= now => self.end(Fired::TimedOut),
            State::Completed { g, .. } => {
                if Repeat::fire(g, now) {
                    Fired::Resend
                } else {
                    Fired::Nothing
                }
            }
            State::Confirmed { i } if *i <= now => self.end(Fired::Ended),
            State::Accepted { l } if *l <= now => self.end(Fired::Ended),
            State::Proceeding | State::Confirmed { .. } | State::Accepted { .. } | State::Terminated => Fired::Nothing,
        }
    }

    /// The next moment at which `on_timer` has something to do.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Completed { g, h } => Some(earlier(h, g)),
            State::Confirmed { i } => Some(i),
            State::Accepted { l } => Some(l),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether the user waits to learn that the caller has got the answer: none is out, or a 2xx is.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Proceeding | State::Accepted { .. })
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
