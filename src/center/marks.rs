//! Caller lists: which mark of the plan counts for a number now.

use std::collections::BTreeMap;

use super::Center;
use crate::dialplan::{Mark, Plan};
use crate::types::{CallerMark, PhoneNumber, Wall, Word};

/// Most entries that are held; what a list has beyond is left out, and said so in the log.
const MOST: usize = 200_000;

/// All entries, by number.
#[derive(Debug, Default)]
pub(super) struct Marks {
    by_number: BTreeMap<PhoneNumber, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    mark: Word,
    approved: bool,
    until: Option<Wall>,
}

impl Marks {
    /// The mark that counts for a number: of those that hold the first in the plan.
    pub(super) fn of<'p>(&self, number: &PhoneNumber, plan: &'p Plan, now: Wall) -> Option<&'p Mark> {
        let entries = self.by_number.get(number)?;
        let holds = |mark: &Mark, entry: &Entry| {
            entry.mark == mark.name && (entry.approved || !mark.approval) && entry.until.is_none_or(|until| now < until)
        };
        plan.marks.iter().find(|mark| entries.iter().any(|entry| holds(mark, entry)))
    }
}

impl Center {
    /// The whole of the lists, in place of those before. They count for calls that arrive from now on.
    pub(super) fn on_caller_lists(&mut self, marks: Vec<CallerMark>) {
        if marks.len() > MOST {
            tracing::error!(entries = marks.len(), most = MOST, "the caller lists are too long: the rest is left out");
        }
        let mut by_number: BTreeMap<PhoneNumber, Vec<Entry>> = BTreeMap::new();
        for CallerMark { number, mark, approved, until } in marks.into_iter().take(MOST) {
            by_number.entry(number).or_default().push(Entry { mark, approved, until });
        }
        self.marks = Marks { by_number };
    }
}
