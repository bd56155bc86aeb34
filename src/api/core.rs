//! The way from a request to the live core: a bounded channel and a reply slot, never a shared lock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::error::ApiError;
use crate::center::{Input, Reply, View};
use crate::types::{CallId, ReplyId};

/// Requests that may wait for the loop's next turn; beyond them the API says 503.
pub const CORE_CAPACITY: usize = 64;
/// How long a request waits for the core, which answers within microseconds unless something is badly wrong.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A request to the core. The node allots the reply's id, feeds the input, and sends the reply into the slot.
pub enum CoreRequest {
    /// Anything that the center answers.
    Ask {
        /// Makes the input, once the node has allotted the reply's id.
        input: Box<dyn FnOnce(ReplyId) -> Input + Send>,
        /// Where the reply goes.
        reply: oneshot::Sender<Reply>,
    },
    /// Something that the center is told and does not answer.
    Tell(Input),
    /// The counters of the SIP front end. Answered by the node itself, no input of the center.
    Counters {
        /// Where the reply goes.
        reply: oneshot::Sender<Counters>,
    },
}

/// How many INVITEs came and what became of them before admission: received = admitted + the sum of the refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counters {
    /// New INVITEs received, retransmissions not counted.
    pub received: u64,
    /// Those that got a row in the ledger.
    pub admitted: u64,
    /// The others.
    pub refused: Vec<Refused>,
}

/// INVITEs refused before admission for one reason on one trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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

impl fmt::Debug for CoreRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask { .. } => "Ask",
            Self::Tell(_) => "Tell",
            Self::Counters { .. } => "Counters",
        })
    }
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

    /// Carries a command to the core.
    pub(super) async fn command(&self, input: impl FnOnce(ReplyId) -> Input + Send + 'static) -> Result<(), ApiError> {
        match self.ask(|reply| CoreRequest::Ask { input: Box::new(input), reply }).await? {
            Reply::Done => Ok(()),
            Reply::Refused(refusal) => Err(ApiError::Refused(refusal)),
            Reply::Seen(_) | Reply::Dialled(_) => Err(ApiError::CoreSilent),
        }
    }

    /// Has the core place a call; gives its id.
    pub(super) async fn dial(&self, input: impl FnOnce(ReplyId) -> Input + Send + 'static) -> Result<CallId, ApiError> {
        match self.ask(|reply| CoreRequest::Ask { input: Box::new(input), reply }).await? {
            Reply::Dialled(call) => Ok(call),
            Reply::Refused(refusal) => Err(ApiError::Refused(refusal)),
            Reply::Done | Reply::Seen(_) => Err(ApiError::CoreSilent),
        }
    }

    /// Tells the core something; it does not say when it has heard.
    pub(super) fn tell(&self, input: Input) -> Result<(), ApiError> {
        self.send(CoreRequest::Tell(input))
    }

    /// A picture of all seats, queues and calls.
    pub(super) async fn look(&self) -> Result<Box<View>, ApiError> {
        let input = |reply| Input::Look { reply };
        match self.ask(|reply| CoreRequest::Ask { input: Box::new(input), reply }).await? {
            Reply::Seen(view) => Ok(view),
            Reply::Refused(refusal) => Err(ApiError::Refused(refusal)),
            Reply::Done | Reply::Dialled(_) => Err(ApiError::CoreSilent),
        }
    }

    /// The counters of the front end.
    pub(super) async fn counters(&self) -> Result<Counters, ApiError> {
        self.ask(|reply| CoreRequest::Counters { reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> CoreRequest) -> Result<T, ApiError> {
        let (slot, answer) = oneshot::channel();
        self.send(request(slot))?;
        match timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(ApiError::CoreSilent),
        }
    }

    fn send(&self, request: CoreRequest) -> Result<(), ApiError> {
        match self.sender.try_send(request) {
            Ok(()) => (self.wake)(),
            Err(TrySendError::Full(_)) => return Err(ApiError::Busy),
            Err(TrySendError::Closed(_)) => return Err(ApiError::CoreSilent),
        }
        Ok(())
    }
}
