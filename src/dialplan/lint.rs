//! Looks at a whole plan for calls that would end nowhere or where they must not: a function from a plan to problems.
//!
//! Knows no file: each problem names the part of the plan that it is about, and who has read the plan knows its place. What is
//! wrong in one value alone (a missing prompt, a number that stands twice, a phase out of order) is found where it is read.

mod loops;
mod numbers;
mod seats;
mod tasks;
mod trunks;

use super::Plan;
use crate::types::{LineNumber, QueueId, SeatId};

/// A part of a plan that stands at one place of its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A line.
    Line(LineNumber),
    /// Another way to write a line.
    Alias(LineNumber),
    /// One phase of a line, by its index.
    Phase(LineNumber, usize),
    /// A queue.
    Queue(QueueId),
    /// A seat.
    Seat(SeatId),
    /// A trunk by its name.
    Trunk(String),
    /// A branch by its index.
    Branch(usize),
}

/// What is wrong with a part of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which part.
    pub part: Part,
    /// Whether the plan must not be served with it; otherwise it works and is probably not meant.
    pub severe: bool,
    /// In a sentence without full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    fn error(part: Part, message: String, hint: &str) -> Self {
        Self { part, severe: true, message, hint: hint.to_owned() }
    }

    fn warning(part: Part, message: String, hint: &str) -> Self {
        Self { part, severe: false, message, hint: hint.to_owned() }
    }
}

/// Everything that is wrong with a plan, over all its lines and the whole time that its phases span.
pub fn problems(plan: &Plan) -> Vec<Problem> {
    let mut found = numbers::problems(plan);
    found.extend(trunks::problems(plan));
    found.extend(loops::problems(plan));
    found.extend(seats::problems(plan));
    found.extend(tasks::problems(plan));
    found
}
