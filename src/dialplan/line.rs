//! A number that citizens dial, with its dated phases, and what else belongs to the table of lines: branches, utilities,
//! what the merge document has lost. Data of the plan; knows no file and no clock.

use super::{Attributes, Hours, Mode, Service};
use crate::types::{DestinationId, LineNumber, QueueId, SeatId, Wall};

/// One number that citizens dial, with its dated phases.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The number, whole.
    pub number: LineNumber,
    /// Name for displays and records: "市场监管投诉举报热线".
    pub name: String,
    /// Responsible unit as the merge document names it; empty where the source lost it.
    pub unit: String,
    /// When the line is served.
    pub hours: Hours,
    /// What happens to calls at other times; `None` where there are none.
    pub closed: Option<Service>,
    /// In order of their start; the last that has started counts.
    pub phases: Vec<Phase>,
}

/// What a line does from a date on.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// First moment of the phase (00:00 of its date in the plan's zone, or a set minute; resolved when the file was read).
    pub from: Wall,
    /// The official mode, by whose name the phase is shown.
    pub mode: Mode,
    /// What the mode means here: its own attributes, or those that the phase sets instead.
    pub attributes: Attributes,
    /// What happens to a call.
    pub service: Service,
    /// Where the line's own seats are, to which a seat of 12345 transfers what it does not resolve.
    pub own_seats: Option<DestinationId>,
    /// The queue of the department's expert seats.
    pub experts: Option<QueueId>,
    /// Whose telephone the number has become; reached by seats, never from a trunk.
    pub office: Option<SeatId>,
    /// Why a cancelled number serves again; without it none does.
    pub reactivated: Option<Reactivated>,
}

/// An administrator's word that a cancelled number serves again ("已取消的热线号码不再恢复" is the rule).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reactivated {
    /// Who decided it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A county's part of 12345 (区县分中心): a child organisation with its own seats and trunk. Not a sub-center line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its unified name: "吴忠市12345政务服务便民热线利通区分中心".
    pub name: String,
    /// Name of the trunk on which the county's calls come in; they wait for the branch's own seats.
    pub trunk: String,
    /// The queue of its seats; statistics of the branch are those of this queue.
    pub queue: QueueId,
    /// Lines whose calls it takes.
    pub lines: Vec<LineNumber>,
}

/// What the copy of a merge document has lost and the operator has to supply. Never guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What: "整体并入热线".
    pub what: String,
    /// How many of them.
    pub count: u32,
}

impl Phase {
    /// A phase with the attributes of its mode and nothing beside.
    pub fn new(from: Wall, mode: Mode, service: Service) -> Self {
        let attributes = mode.attributes();
        Self { from, mode, attributes, service, own_seats: None, experts: None, office: None, reactivated: None }
    }
}

impl Line {
    /// The phase that counts at a moment: the last that has started; `None` before the first.
    pub fn phase_at(&self, wall: Wall) -> Option<&Phase> {
        self.phases.iter().rev().find(|phase| phase.from <= wall)
    }
}
