//! The system's clock is set anew while calls live.

use super::*;

const HOUR_MS: i64 = 3_600_000;

impl Stage {
    /// Somebody sets the clock.
    fn step_clock(&mut self, ms: i64) {
        self.now.wall.0 += ms;
    }

    /// When the rows of a call were written, from its first one on.
    fn times(&self, call: CallId) -> Vec<i64> {
        let rows = self.rows();
        let first = rows.iter().find(|row| row.call == call).expect("the call has rows").at.0;
        rows.iter().filter(|row| row.call == call).map(|row| row.at.0 - first).collect()
    }
}

#[test]
fn a_call_that_lives_through_a_step_of_the_clock_keeps_its_time_and_later_ones_have_the_new() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    stage.pass(10);
    stage.step_clock(HOUR_MS);
    stage.pass(5);
    stage.feed(Input::Audit);
    stage.step_clock(-3 * HOUR_MS);
    stage.pass(5);
    stage.ended(leg, Cause::HungUp);
    let times = stage.times(stage.call_of(caller));
    assert_eq!(times.last(), Some(&20_000), "{times:?}");
    assert!(times.is_sorted(), "{times:?}");

    let later = stage.arrive("12333");
    let row = stage.rows().into_iter().find(|row| row.call == stage.call_of(later)).expect("it has arrived");
    assert_eq!(row.at, stage.now.wall);
    stage.pass(3);
    stage.ended(later, Cause::HungUp);
    assert_eq!(stage.times(stage.call_of(later)).last(), Some(&3_000));
}

#[test]
fn a_step_of_the_clock_fires_no_timer() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let before = stage.center.deadline();
    stage.step_clock(HOUR_MS);
    stage.feed(Input::Tick);
    assert_eq!(stage.center.deadline(), before);
    assert_eq!(stage.fate(caller), None);
    assert_eq!(stage.dials().len(), 1, "the offer stands");
}
