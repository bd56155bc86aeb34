//! One leg of a call: its role and how far it has come.

use crate::types::{Cause, LegCommand, LegId};

/// What a leg is in its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The citizen.
    Caller,
    /// A working position of ours that answers or places the call.
    Seat,
    /// Whom a seat calls, a citizen or another seat; or who is rung outside for a caller.
    Called,
}

/// How far a leg has come. An incoming leg goes Arrived, Answering, Up, or Arrived, Early (or Deaf), Joining, Up; a dialled one Dialled, Ringing (or Heard), Up; each
/// may be Parting at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Incoming, nothing said yet.
    Arrived,
    /// Incoming, hears us before the answer.
    Early,
    /// Incoming, rings: it cannot hear us before the answer.
    Deaf,
    /// Incoming, our answer is on its way and not confirmed.
    Answering,
    /// The same for a leg that heard us before or rang: the answer may still wait for the PRACK of what was heard (RFC 3262 3).
    Joining,
    /// Dialled.
    Dialled,
    /// Dialled, the far end rings.
    Ringing,
    /// Dialled, not answered, and heard: an announcement or the ringing tone of its own network.
    Heard,
    /// Answered and confirmed.
    Up,
    /// We ended it and wait for its last word.
    Parting,
}

impl Phase {
    /// Whether audio can flow to the far end.
    pub fn is_audible(self) -> bool {
        match self {
            Phase::Early | Phase::Answering | Phase::Joining | Phase::Up => true,
            Phase::Arrived | Phase::Deaf | Phase::Dialled | Phase::Ringing | Phase::Heard | Phase::Parting => false,
        }
    }

    /// The command that ends a leg in this phase.
    pub(super) fn parting(self, cause: Cause) -> Option<LegCommand> {
        match self {
            Phase::Arrived | Phase::Early | Phase::Deaf => Some(LegCommand::Refuse(cause)),
            Phase::Answering | Phase::Joining | Phase::Dialled | Phase::Ringing | Phase::Heard | Phase::Up => {
                Some(LegCommand::Hangup(cause))
            }
            Phase::Parting => None,
        }
    }
}

/// Who hears a leg that is in a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Voice {
    /// Everybody.
    #[default]
    Everybody,
    /// This leg only: a supervisor whispers.
    Only(LegId),
    /// Nobody: a supervisor listens.
    Nobody,
}

/// One leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// What it is in the call.
    pub role: Role,
    /// How far it has come.
    pub phase: Phase,
    /// Whether its far end holds us.
    pub held: bool,
    /// Whether we keep it out of the talk of the others: the caller while an agent asks an expert.
    pub aside: bool,
    /// Who hears it.
    pub voice: Voice,
}

impl Leg {
    /// Whether it speaks with the others now, and hears them.
    pub fn is_with_others(&self) -> bool {
        self.phase.is_audible() && !self.held && !self.aside
    }

    /// Whether this listener hears it now.
    pub fn speaks_to(&self, listener: LegId) -> bool {
        let meant = match self.voice {
            Voice::Everybody => true,
            Voice::Only(leg) => leg == listener,
            Voice::Nobody => false,
        };
        self.is_with_others() && meant
    }

    pub(super) fn new(role: Role, phase: Phase) -> Self {
        Self { role, phase, held: false, aside: false, voice: Voice::Everybody }
    }
}
