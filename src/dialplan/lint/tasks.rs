//! Lines whose phases come later than the day that the merge document asks for.

use super::{Part, Problem};
use crate::dialplan::task::{DueDuty, Duty};
use crate::dialplan::{NumberFate, Plan};

pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for line in plan.lines.values() {
        // Where the number is given up and no phase cancels it, that is told where the phases are read.
        let is_told = line.phases.last().is_some_and(|last| last.attributes.number_fate == NumberFate::Cancel);
        let late = |duty: &DueDuty| match duty.done {
            Some(done) => done >= duty.too_late,
            None => duty.what == Duty::Merge || !is_told,
        };
        for duty in plan.duties(line).filter(late) {
            let what = match duty.what {
                Duty::Merge => "merged",
                Duty::Cancel => "cancelled",
            };
            let when = match duty.done {
                Some(done) => format!("and is from {} on", plan.clocks.at(done).strftime("%Y-%m-%d %H:%M")),
                None => "and no phase does it".to_owned(),
            };
            let message = format!("{} shall be {what} by {}, {when}", line.number, duty.by);
            found.push(Problem::warning(
                Part::Line(line.number.clone()),
                message,
                "let the phase begin in time, or write the new day into the task",
            ));
        }
    }
    found
}
