//! The carriers' trunks: who is recognised as which, whether it answers, how much it may bring, what we show there.
//!
//! Pure: random bytes and the time are handed in, addresses are looked up by the shell. Knows no call and no queue; it is
//! asked by the endpoint for each call and told how the call went.

mod capacity;
mod group;
mod health;
pub mod number;
mod outgoing;
mod read;
mod registration;
mod shown;
mod source;
mod table;

#[cfg(test)]
mod tests;

use crate::dialplan;
use crate::sip::flow::Hop;
use crate::sip::message::Uri;
use crate::types::{Mono, NetworkId, TrunkId};

pub use capacity::Busy;
pub use outgoing::Outgoing;
pub use read::CalledError;
pub use shown::Shown;
pub use table::Trunks;

use capacity::Capacity;
use health::Health;
use registration::Registration;

/// Source of random bytes, seeded by the owner of the trunks.
pub type Random<'a> = &'a mut dyn FnMut() -> [u8; 8];

/// Why a request of the trunks themselves was sent; given back with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// OPTIONS: does it answer?
    Probe {
        /// CSeq of the request.
        cseq: u32,
    },
    /// Our registration at the carrier.
    Register {
        /// CSeq of the request.
        cseq: u32,
    },
}

/// What the trunks want done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a request in a client transaction; report its final response or that there was none, with the purpose.
    Send {
        /// For which trunk.
        trunk: TrunkId,
        /// To be given back.
        purpose: Purpose,
        /// Where to.
        hop: Hop,
        /// What.
        request: Box<Outgoing>,
    },
    /// Look up where a trunk's address leads (RFC 3263); [`Trunks::resolved`] takes the answer.
    Resolve {
        /// For which trunk.
        trunk: TrunkId,
        /// Its address in the plan.
        uri: Uri,
        /// From which network it is reached.
        network: NetworkId,
    },
    /// A trunk became usable or unusable for calls that we place.
    Health {
        /// Which.
        trunk: TrunkId,
        /// Whether it answers (and, where we register, has taken our registration).
        up: bool,
    },
}

/// How a call that we placed on a trunk ended its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The carrier spoke: any response but those below.
    Answered,
    /// 5xx that speaks of the carrier (500, 502, 503, 504), no response in time, or no connection.
    Failed,
}

/// A trunk's state, for status displays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Name in the plan.
    pub name: String,
    /// Whether calls are placed on it.
    pub up: bool,
    /// Whether our registration holds; `None` where we do not register.
    pub registered: Option<bool>,
    /// Calls in progress.
    pub calls: u32,
    /// What went wrong last with the registration, in words; empty when nothing did.
    pub trouble: String,
}

/// One trunk of the plan with its live state.
#[derive(Clone, Debug)]
struct Trunk {
    plan: dialplan::Trunk,
    /// `None`: the configuration has no such network, so the trunk is neither recognised nor used.
    network: Option<NetworkId>,
    address: Option<Uri>,
    /// Where it is reached, in the order to try; the one that answered last stands first.
    hops: Vec<Hop>,
    /// When its name is looked up again; `None` for numeric addresses.
    resolve_at: Option<Mono>,
    health: Health,
    registration: Option<Registration>,
    capacity: Capacity,
    password: Option<String>,
    /// What was reported last.
    reported_up: bool,
    /// It has left the plan and stays until its last call is over: it speaks for its calls, and is neither recognised nor used.
    has_left: bool,
}

impl Trunk {
    /// Whether calls may be placed on it.
    fn is_usable(&self) -> bool {
        let is_registered = self.registration.as_ref().is_none_or(Registration::is_registered);
        !self.has_left && !self.hops.is_empty() && self.health.is_up() && is_registered
    }

    /// Whether its health may move on: a probe needs an address.
    fn may_probe(&self) -> bool {
        !self.hops.is_empty() || !self.health.probes()
    }

    fn deadline(&self) -> Option<Mono> {
        if self.has_left {
            return None;
        }
        if self.is_usable() != self.reported_up {
            return Some(Mono::default());
        }
        let probe = self.health.deadline().filter(|_| self.may_probe());
        let registration = self.registration.as_ref().and_then(|r| r.deadline(!self.hops.is_empty()));
        [probe, registration, self.resolve_at].into_iter().flatten().min()
    }
}
