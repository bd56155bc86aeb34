//! The way from a request to the live core: a bounded channel and a reply slot, never a shared lock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::error::ApiError;
use crate::center::{PresenceCommand, Reply, View};
use crate::types::SeatId;

/// Requests that may wait for the loop's next turn; beyond them the API says 503.
pub const CORE_CAPACITY: usize = 64;
/// How long a request waits for the core, which answers within microseconds unless something is badly wrong.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A request to the core. The node allots the reply id, feeds the input, and sends the reply into the slot.
#[derive(Debug)]
pub enum CoreRequest {
    /// An agent chooses a presence: `Input::Presence`.
    Presence {
        /// Which seat.
        seat: SeatId,
        /// What.
        command: PresenceCommand,
        /// Where the reply goes.
        reply: oneshot::Sender<Reply>,
    },
    /// A picture of everything: `Input::Look`.
    Look {
        /// Where the reply goes.
        reply: oneshot::Sender<Reply>,
    },
    /// The counters of the SIP front end. Answered by the node itself, no input of the center.
    Counters {
        /// Where the reply goes.
        reply: oneshot::Sender<Counters>,
    },
}

/// How many INVITEs came and what became of them before admission: received = admitted + the sum of the refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// New INVITEs received, retransmissions not counted.
    pub received: u64,
    /// Those that got a row in the ledger.
    pub admitted: u64,
    /// The others.
    pub refused: Vec<Refused>,
}

/// INVITEs refused before admission for one reason on one trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Name of the trunk; nothing for an unknown source.
    pub trunk: Option<String>,
    /// Stable word: `unknown_source`, `overload`, ...
    pub reason: String,
    /// How many since the start of the process.
    pub count: u64,
}

/// The API's end of the channel. Cheap to clone.
#[derive(Clone)]
pub struct CoreHandle {
    sender: mpsc::Sender<CoreRequest>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for CoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CoreHandle")
    }
}

impl CoreHandle {
    /// Makes the channel. `wake` is called after each request, to get the loop out of its poll (an eventfd).
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> (Self, mpsc::Receiver<CoreRequest>) {
        let (sender, receiver) = mpsc::channel(CORE_CAPACITY);
        (Self { sender, wake }, receiver)
    }

    /// Carries an agent's choice to the core.
    pub(super) async fn presence(&self, seat: SeatId, command: PresenceCommand) -> Result<(), ApiError> {
        match self.ask(|reply| CoreRequest::Presence { seat, command, reply }).await? {
            Reply::Done => Ok(()),
            Reply::Refused(refusal) => Err(ApiError::Refused(refusal)),
            Reply::Seen(_) => Err(ApiError::CoreSilent),
        }
    }

    /// A picture of all seats, queues and calls.
    pub(super) async fn look(&self) -> Result<Box<View>, ApiError> {
        match self.ask(|reply| CoreRequest::Look { reply }).await? {
            Reply::Seen(view) => Ok(view),
            Reply::Refused(refusal) => Err(ApiError::Refused(refusal)),
            Reply::Done => Err(ApiError::CoreSilent),
        }
    }

    /// The counters of the front end.
    pub(super) async fn counters(&self) -> Result<Counters, ApiError> {
        self.ask(|reply| CoreRequest::Counters { reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> CoreRequest) -> Result<T, ApiError> {
        let (slot, answer) = oneshot::channel();
        match self.sender.try_send(request(slot)) {
            Ok(()) => (self.wake)(),
            Err(TrySendError::Full(_)) => return Err(ApiError::Busy),
            Err(TrySendError::Closed(_)) => return Err(ApiError::CoreSilent),
        }
        match timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(ApiError::CoreSilent),
        }
    }
}
