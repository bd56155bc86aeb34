//! INVITE client transaction: RFC 3261 17.1.1 with the Accepted state of RFC 6026 7.2.
//!
//! Knows status codes and times; messages and addresses are kept by the layer above.

use crate::types::Mono;

use super::timers::{Fired, Pace, Repeat, earlier};

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientInvite {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The INVITE is out, nothing has come back.
    Calling { a: Option<Repeat>, b: Mono },
    /// A provisional response has come. `limit` is set once a CANCEL is out (RFC 3261 9.1).
    Proceeding { limit: Option<Mono> },
    /// Refused, the ACK is out.
    Completed { d: Mono },
    /// A 2xx has come; others may follow from other branches.
    Accepted { m: Mono },
    /// Over.
    Terminated,
}

/// What is to be done with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnResponse {
    /// It goes to the user.
    Pass,
    /// It goes to the user and an ACK goes out.
    PassAndAck,
    /// A repeated refusal: the ACK goes out again, the user hears nothing.
    AckAgain,
    /// Nothing.
    Absorb,
}

impl ClientInvite {
    /// The request has just been sent.
    pub(crate) fn start(now: Mono, pace: Pace) -> ClientInvite {
        ClientInvite { state: State::Calling { a: pace.a(now), b: now + pace.b() } }
    }

    /// A response with this status has come.
    pub(crate) fn on_response(&mut self, now: Mono, pace: Pace, status: u16) -> OnResponse {
        match (self.state, status) {
            (State::Calling { .. }, 100..200) => {
                self.state = State::Proceeding { limit: None };
                OnResponse::Pass
            }
            (State::Proceeding { .. }, 100..200) => OnResponse::Pass,
            (State::Calling { .. } | State::Proceeding { .. }, 200..300) => {
                self.state = State::Accepted { m: now + pace.m() };
                OnResponse::Pass
            }
            (State::Accepted { .. }, 200..300) => OnResponse::Pass,
            (State::Calling { .. } | State::Proceeding { .. }, 300..) => {
                let wait = pace.d();
                self.state = if wait.is_zero() { State::Terminated } else { State::Completed { d: now + wait } };
                OnResponse::PassAndAck
            }
            (State::Completed { .. }, 300..) => OnResponse::AckAgain,
            (_, _) => OnResponse::Absorb,
        }
    }

    /// The user has sent a CANCEL: from now on the far end has 64 * T1 for its final response.
    pub(crate) fn on_cancel_sent(&mut self, now: Mono, pace: Pace) {
        if let State::Proceeding { limit } = &mut self.state {
            limit.get_or_insert(now + pace.after_cancel());
        }
    }

    /// A final response is awaited until then, where a provisional one has come.
    pub(crate) fn answer_by(&mut self, at: Mono) {
        if let State::Proceeding { limit } = &mut self.state {
            *limit = Some(limit.map_or(at, |limit| limit.min(at)));
        }
    }

    /// Time has passed.
    pub(crate) fn on_timer(&mut self, now: Mono) -> Fired {
        match &mut self.state {
            State::Calling { b, .. } if *b <= now => self.end(Fired::TimedOut),
            State::Calling { a, .. } => {
                if Repeat::fire(a, now) {
                    Fired::Resend
                } else {
                    Fired::Nothing
                }
            }
            State::Proceeding { limit: Some(limit) } if *limit <= now => self.end(Fired::TimedOut),
            State::Completed { d } if *d <= now => self.end(Fired::Ended),
            State::Accepted { m } if *m <= now => self.end(Fired::Ended),
            State::Proceeding { .. } | State::Completed { .. } | State::Accepted { .. } | State::Terminated => {
                Fired::Nothing
            }
        }
    }

    /// The next moment at which `on_timer` has something to do.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Calling { a, b } => Some(earlier(b, a)),
            State::Proceeding { limit } => limit,
            State::Completed { d } => Some(d),
            State::Accepted { m } => Some(m),
            State::Terminated => None,
        }
    }

    /// Whether a CANCEL may go out now: only after a provisional response (RFC 3261 9.1).
    pub(crate) fn may_cancel(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Whether the outcome is still open: no final response has come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    /// Whether a 2xx has come.
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
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
