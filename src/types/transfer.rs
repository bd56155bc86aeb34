//! Bringing somebody into a talk: whom, in which way, and what came of it.

use serde::{Deserialize, Serialize};

use super::{Cause, PhoneNumber};

/// Whom an agent brings into a talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferTo {
    /// A place outside, by its name in the plan: a sub-center, a utility, the upper platform.
    Destination(String),
    /// A number as an agent dials it: an emergency number, a seat, a number of the network.
    Number(PhoneNumber),
    /// Whoever of this queue is free: an expert of a line.
    Queue(String),
}

/// How a third comes into a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferHow {
    /// Caller and agent talk on while the third is rung; then all three talk. The way of the emergency services: the caller is
    /// never put on hold.
    Conference,
    /// The caller hears music; agent and third talk between themselves first.
    Consult,
    /// The agent leaves: at once when ordered at the desk, when the third answers if a telephone has asked for it (REFER).
    Blind,
}

impl TransferHow {
    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            TransferHow::Conference => "conference",
            TransferHow::Consult => "consult",
            TransferHow::Blind => "blind",
        }
    }
}

/// What came of a transfer. Closed: records and figures count these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferEnd {
    /// The agent left, the caller and the third talk on.
    Completed,
    /// The agent left while the third was rung: the caller hears the ringing tone, and waits at the front of the queue when
    /// nobody answers.
    HandedOver,
    /// Nobody answered, on any way.
    Failed {
        /// What the last way came to.
        cause: Cause,
    },
    /// The agent let the third go.
    TakenBack,
    /// The third hung up, caller and agent talk on.
    GuestLeft,
    /// The call ended with the third in it, or rung.
    CallEnded,
}

impl TransferEnd {
    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            TransferEnd::Completed => "completed",
            TransferEnd::HandedOver => "handed_over",
            TransferEnd::Failed { .. } => "failed",
            TransferEnd::TakenBack => "taken_back",
            TransferEnd::GuestLeft => "guest_left",
            TransferEnd::CallEnded => "call_ended",
        }
    }
}
