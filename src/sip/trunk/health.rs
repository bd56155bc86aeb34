//! Whether a trunk answers: OPTIONS where the plan asks for them, and what calls tell.
//!
//! Two failures in a row take a trunk down, two answers in a row bring it back, so that one lost message does neither.

use std::time::Duration;

use crate::types::Mono;

/// A probe without answer fails after this time; the transaction may go on longer (RFC 3261 timer F is 32 s).
const PROBE_WAIT: Duration = Duration::from_secs(4);
/// Second look after a first failure, and first look at a trunk that is down.
const SOON: Duration = Duration::from_secs(2);
/// Failures in a row that take a probed trunk down.
const DOWN_AFTER: u32 = 2;
/// Answers in a row that bring it back.
const UP_AFTER: u32 = 2;
/// Failed calls in a row that take a trunk down which is not probed.
const DOWN_AFTER_CALLS: u32 = 3;
/// How long such a trunk rests before calls try it again; doubled each time.
const REST: Duration = Duration::from_secs(30);
/// Longest rest.
const LONGEST_REST: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Until the next probe is sent (or, without probes, until calls may try again).
    Until(Mono),
    /// For the answer of this probe.
    Answer { cseq: u32, until: Mono },
    /// For nothing.
    Never,
}

/// The machine.
#[derive(Clone, Debug)]
pub(super) struct Health {
    /// Time between probes; `None`: calls alone tell.
    every: Option<Duration>,
    up: bool,
    /// Failures in a row.
    failures: u32,
    /// Answers in a row since it went down.
    answers: u32,
    wait: Wait,
    cseq: u32,
}

/// What a step of the machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send a probe with this CSeq.
    Probe(u32),
    /// The address in use does not answer: the next one is to be tried.
    Rotate,
    /// Nothing.
    Rest,
}

impl Health {
    /// A trunk counts as up until it fails. Its first probe is due at `first_probe`.
    pub(super) fn new(options_s: Option<u32>, first_probe: Mono) -> Health {
        let every = options_s.map(|s| Duration::from_secs(u64::from(s.max(1))));
        let wait = if every.is_some() { Wait::Until(first_probe) } else { Wait::Never };
        Health { every, up: true, failures: 0, answers: 0, wait, cseq: 0 }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// Whether probes are sent at all.
    pub(super) fn probes(&self) -> bool {
        self.every.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match self.wait {
            Wait::Until(at) | Wait::Answer { until: at, .. } => Some(at),
            Wait::Never => None,
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Mono) -> Step {
        match self.wait {
            Wait::Until(at) if at <= now && self.every.is_some() => {
                self.cseq += 1;
                self.wait = Wait::Answer { cseq: self.cseq, until: now + PROBE_WAIT };
                Step::Probe(self.cseq)
            }
            Wait::Until(at) if at <= now => {
                // Without probes the next call is the probe: one more failure and it rests again, longer.
                self.up = true;
                self.wait = Wait::Never;
                Step::Rest
            }
            Wait::Answer { until, .. } if until <= now => self.failed(now),
            Wait::Until(_) | Wait::Answer { .. } | Wait::Never => Step::Rest,
        }
    }

    /// The outcome of a probe. That of an older one is ignored.
    pub(super) fn probed(&mut self, now: Mono, cseq: u32, answered: bool) -> Step {
        match self.wait {
            Wait::Answer { cseq: open, .. } if open == cseq => {}
            Wait::Until(_) | Wait::Answer { .. } | Wait::Never => return Step::Rest,
        }
        if answered { self.answered(now) } else { self.failed(now) }
    }

    /// The outcome of a call.
    pub(super) fn called(&mut self, now: Mono, answered: bool) -> Step {
        match (answered, self.every) {
            (true, None) => {
                *self = Health { up: true, failures: 0, answers: 0, wait: Wait::Never, ..self.clone() };
                Step::Rest
            }
            (true, Some(_)) => {
                if self.up {
                    self.failures = 0;
                }
                Step::Rest
            }
            (false, None) => self.failed_unprobed(now),
            (false, Some(_)) => {
                self.count_failure();
                // A look of our own, now: one call's failure may be about the number that was called.
                if matches!(self.wait, Wait::Until(_)) {
                    self.wait = Wait::Until(now);
                }
                Step::Rest
            }
        }
    }

    fn answered(&mut self, now: Mono) -> Step {
        self.failures = 0;
        self.answers = self.answers.saturating_add(1);
        self.up |= self.answers >= UP_AFTER;
        let every = self.every.unwrap_or(LONGEST_REST);
        self.wait = Wait::Until(now + if self.up { every } else { SOON.min(every) });
        Step::Rest
    }

    fn failed(&mut self, now: Mono) -> Step {
        self.count_failure();
        let every = self.every.unwrap_or(LONGEST_REST);
        // 2, 2, 4, 8 ... seconds up to the usual distance, so that a carrier that comes back is soon noticed.
        let doublings = self.failures.saturating_sub(DOWN_AFTER).min(16);
        self.wait = Wait::Until(now + (SOON * 2_u32.pow(doublings)).min(every));
        Step::Rotate
    }

    fn count_failure(&mut self) {
        self.answers = 0;
        self.failures = self.failures.saturating_add(1);
        self.up &= self.failures < DOWN_AFTER;
    }

    fn failed_unprobed(&mut self, now: Mono) -> Step {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= DOWN_AFTER_CALLS {
            let doublings = (self.failures - DOWN_AFTER_CALLS).min(8);
            self.up = false;
            self.wait = Wait::Until(now + (REST * 2_u32.pow(doublings)).min(LONGEST_REST));
        }
        Step::Rotate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Mono = |s| Mono(s * 1_000_000_000);

    /// Lets the machine run until `end`; gives when probes were sent. `answers` says whether the far end lives at a time.
    fn run(health: &mut Health, end: Mono, answers: impl Fn(Mono) -> bool) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(at) = health.deadline().filter(|at| *at <= end) {
            if let Step::Probe(cseq) = health.tick(at) {
                sent.push(at.0 / 1_000_000_000);
                if answers(at) {
                    health.probed(at, cseq, true);
                }
            }
        }
        sent
    }

    #[test]
    fn a_living_trunk_is_probed_at_its_distance() {
        let mut h = Health::new(Some(30), S(1));
        assert_eq!(run(&mut h, S(100), |_| true), [1, 31, 61, 91]);
        assert!(h.is_up());
    }

    #[test]
    fn one_lost_probe_does_not_take_it_down_and_two_do() {
        let mut h = Health::new(Some(30), S(0));
        run(&mut h, S(20), |_| false);
        assert!(!h.is_up());
        let mut h = Health::new(Some(30), S(0));
        run(&mut h, S(5), |_| false);
        assert!(h.is_up());
        run(&mut h, S(40), |_| true);
        run(&mut h, S(72), |at| at > S(66));
        assert!(h.is_up(), "a failure, an answer, a failure are not two failures in a row");
    }

    #[test]
    fn a_dead_trunk_is_probed_less_and_less_and_noticed_when_it_is_back() {
        let mut h = Health::new(Some(30), S(0));
        let sent = run(&mut h, S(200), |_| false);
        assert_eq!(sent, [0, 6, 12, 20, 32, 52, 86, 120, 154, 188]);
        assert!(!h.is_up());
        let sent = run(&mut h, S(230), |_| true);
        assert!(h.is_up());
        assert_eq!(sent, [222, 224], "the second look comes soon");
    }

    #[test]
    fn a_refused_probe_counts_at_once() {
        let mut h = Health::new(Some(30), S(0));
        assert_eq!(h.tick(S(0)), Step::Probe(1));
        assert_eq!(h.probed(S(0), 1, false), Step::Rotate);
        assert_eq!(h.tick(S(2)), Step::Probe(2));
        assert_eq!(h.probed(S(2), 1, true), Step::Rest, "the answer to the older probe says nothing");
        h.probed(S(2), 2, false);
        assert!(!h.is_up());
    }

    #[test]
    fn failed_calls_hasten_the_probe() {
        let mut h = Health::new(Some(300), S(1_000));
        h.called(S(5), false);
        assert_eq!(h.deadline(), Some(S(5)));
        assert!(h.is_up());
        h.called(S(6), false);
        assert!(!h.is_up());
    }

    #[test]
    fn without_probes_a_failing_trunk_rests_and_is_tried_again() {
        let mut h = Health::new(None, S(0));
        assert_eq!(h.deadline(), None);
        for _ in 0..3 {
            h.called(S(1), false);
        }
        assert!(!h.is_up());
        assert_eq!(h.deadline(), Some(S(31)));
        h.tick(S(31));
        assert!(h.is_up());
        h.called(S(32), false);
        assert!(!h.is_up(), "one more failure is enough now");
        assert_eq!(h.deadline(), Some(S(92)));
        h.tick(S(92));
        h.called(S(93), true);
        h.called(S(94), false);
        assert!(h.is_up(), "an answer forgives");
    }
}
