//! The media engine of a world as far as the center sees it: what every leg hears, and when prompts end.

use std::collections::BTreeMap;

use yihao::types::{CallId, Hear, LegId, RunId, Source};

/// What all legs hear now.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    hears: BTreeMap<LegId, Vec<Source>>,
    call_of: BTreeMap<LegId, CallId>,
}

impl Ear {
    /// A new full set for a call. Gives the prompts that begin with it.
    pub(crate) fn set(&mut self, call: CallId, set: &[Hear]) -> Vec<(LegId, RunId)> {
        let mut begun = Vec::new();
        let before: BTreeMap<LegId, Vec<Source>> = self
            .call_of
            .iter()
            .filter(|(_, of)| **of == call)
            .map(|(leg, _)| (*leg, self.hears[leg].clone()))
            .collect();
        for leg in before.keys() {
            self.forget(*leg);
        }
        for hear in set {
            let heard = before.get(&hear.leg).map(Vec::as_slice).unwrap_or_default();
            for source in &hear.from {
                if let Source::Prompt { run, .. } = source
                    && !heard.contains(source)
                {
                    begun.push((hear.leg, *run));
                }
            }
            self.call_of.insert(hear.leg, call);
            self.hears.insert(hear.leg, hear.from.clone());
        }
        begun
    }

    /// The leg is gone.
    pub(crate) fn forget(&mut self, leg: LegId) {
        self.hears.remove(&leg);
        self.call_of.remove(&leg);
    }

    pub(crate) fn hears(&self, leg: LegId) -> &[Source] {
        self.hears.get(&leg).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn plays(&self, leg: LegId, run: RunId) -> bool {
        self.hears(leg).iter().any(|source| matches!(source, Source::Prompt { run: now, .. } if *now == run))
    }

    /// Whether two legs hear each other.
    pub(crate) fn joins(&self, a: LegId, b: LegId) -> bool {
        let hears = |leg, other| {
            self.hears(leg).iter().any(|source| matches!(source, Source::Leg { leg, .. } if *leg == other))
        };
        hears(a, b) && hears(b, a)
    }

    pub(crate) fn listeners(&self) -> usize {
        self.hears.len()
    }
}
