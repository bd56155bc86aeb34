//! The transaction layer: retransmission, matching, and one outcome for each request (RFC 3261 17, RFC 6026).
//!
//! Pure: messages, addresses and the time come in, messages to send and events go out. Knows no dialog, no call and no
//! socket. The user (the endpoint) sees each request once, each response in order, and for each of its own requests
//! exactly one end.

mod branch;
mod client;
mod client_invite;
mod client_other;
mod hop_by_hop;
mod key;
mod layer;
mod route;
mod server;
mod server_invite;
mod server_other;
mod table;
mod timers;

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sip::flow::{Flow, Hop};
use crate::sip::message::{Message, Method};

pub use branch::Branch;
pub use layer::Transactions;
pub use route::{response, response_hop, stateless};
pub(crate) use timers::Repeat;
pub use timers::Timers;

/// How the layer is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The base times; carriers rarely want others.
    pub timers: Timers,
    /// How many transactions may live before requests outside of dialogs are refused, default 100,000. Each takes
    /// about 2 kB and lives for 32 s over UDP, so the default lets 3,000 new ones in a second.
    pub most: usize,
    /// How many more may live for what belongs to calls in progress, default 25,000.
    pub reserve: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { timers: Timers::default(), most: 100_000, reserve: 25_000 }
    }
}

/// A transaction that was begun by a request of ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(u64);

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client{:x}", self.0)
    }
}

/// A transaction that was begun by a request of the far end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerId(u64);

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server{:x}", self.0)
    }
}

/// A message to send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub hop: Hop,
    /// The whole message.
    pub bytes: Bytes,
    /// Who wants to know when it could not be sent.
    pub by: By,
}

/// Who sends a message; given back by the shell when the transport failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// A client transaction.
    Client(ClientId),
    /// A server transaction.
    Server(ServerId),
    /// No transaction: an ACK to a 2xx, a stateless answer.
    Nobody,
}

/// A request that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its method; not ACK, which has no transaction.
    pub method: Method,
    /// The branch in its only Via.
    pub branch: Branch,
    /// The whole message.
    pub bytes: Bytes,
}

impl Outgoing {
    /// Joins the three.
    pub fn new(method: Method, branch: Branch, bytes: Bytes) -> Outgoing {
        Outgoing { method, branch, bytes }
    }
}

/// What the layer tells its user.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new request, anything but ACK and CANCEL. Its message knows its source, so that responses built from it say
    /// `received` and `rport`. It wants one final answer by [`Transactions::respond`].
    Request {
        /// Its transaction.
        id: ServerId,
        /// Where it came from.
        flow: Flow,
        /// The request.
        message: Message,
        /// Whether the same request is already being served after it came another way; wants 482 (RFC 3261 8.2.2.2).
        merged: bool,
    },
    /// A CANCEL. The user answers it, 200 or, where there is nothing to cancel, 481; and refuses the INVITE with 487 if
    /// it has given no final answer yet.
    Cancel {
        /// Transaction of the CANCEL itself.
        id: ServerId,
        /// Transaction of the INVITE, if there is one.
        invite: Option<ServerId>,
        /// Where it came from.
        flow: Flow,
        /// The CANCEL.
        message: Message,
    },
    /// The ACK to a 2xx. Repeated ones come again.
    Ack {
        /// Where it came from.
        flow: Flow,
        /// The ACK.
        message: Message,
    },
    /// A response: any number of provisional ones, then one that is final. A final response is the last word of a
    /// transaction, but for a 2xx to an INVITE, after which more 2xx (repeated, or from other branches) may come until
    /// [`Event::Over`].
    Response {
        /// Which request it answers.
        id: ClientId,
        /// Where it came from.
        flow: Flow,
        /// The response.
        message: Message,
    },
    /// No more 2xx can come for this INVITE (timer M).
    Over {
        /// Which.
        id: ClientId,
    },
    /// No final response came: timers B and F, or 64 * T1 after a CANCEL. Counts as 408 (RFC 3261 8.1.3.1).
    Timeout {
        /// Which request.
        id: ClientId,
    },
    /// The request could not be sent. Counts as 503 (RFC 3261 8.1.3.1); another address may be tried with a new branch.
    Failed {
        /// Which request.
        id: ClientId,
    },
    /// A refused INVITE was never acknowledged (timer H).
    Unacknowledged {
        /// Which.
        id: ServerId,
    },
    /// A provisional response or a 2xx could not be sent, and the request's connection, if it came by one, was reported as
    /// gone before ([`Transactions::connection_lost`]). The transaction lives on: a datagram may have more luck.
    Undeliverable {
        /// Which transaction.
        id: ServerId,
    },
    /// A request for which there is no room. No state was made: it wants [`stateless`] 503, or silence.
    Overload {
        /// Where it came from.
        flow: Flow,
        /// The request.
        message: Message,
    },
    /// A 2xx to an INVITE whose transaction is gone.
    Stray {
        /// Where it came from.
        flow: Flow,
        /// The response.
        message: Message,
    },
}

/// There is no room for another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions")]
pub struct Overload;

/// The transaction has had its final response, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request has been answered already")]
pub struct TooLate;
