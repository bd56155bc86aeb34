//! Phases that change while calls are up, the mode that stays in the record, and calls that a branch takes.

use super::*;
use crate::dialplan::Branch;

fn number(text: &str) -> LineNumber {
    LineNumber::parse(text).unwrap()
}

/// The plan with 12345 in its transition from a minute on: another queue, another greeting.
fn changing() -> Plan {
    let mut plan = plan();
    plan.queues.iter_mut().for_each(|queue| queue.max_waiting = 100);
    let from = Wall(T0.wall.0 + 60_000);
    let after = line("12333", 1, AnswerWhen::AtOnce).phases.remove(0).service;
    let line = plan.lines.get_mut(&number("12345")).unwrap();
    line.phases.push(Phase::new(from, Mode::Transition, after));
    plan
}

fn mode_of(stage: &Stage, leg: LegId) -> Option<String> {
    let call = stage.call_of(leg);
    stage.rows().into_iter().find_map(|row| match row.event {
        CallEvent::Arrived { mode, .. } if row.call == call => mode,
        _ => None,
    })
}

fn queues_of(stage: &Stage, leg: LegId) -> Vec<String> {
    let call = stage.call_of(leg);
    let queued = stage.rows().into_iter().filter_map(|row| match row.event {
        CallEvent::Queued { queue, .. } if row.call == call => Some(queue),
        _ => None,
    });
    queued.collect()
}

#[test]
fn fifty_calls_up_at_midnight_keep_the_phase_in_which_they_came() {
    let mut stage = Stage::with(Config::default(), changing());
    let before: Vec<LegId> = (0..50).map(|_| stage.queued("12345")).collect();
    stage.pass(59);
    let last = stage.queued("12345");
    stage.pass(1);
    let first = stage.queued("12345");
    stage.pass(60);
    for leg in before.iter().chain([&last]) {
        assert!(stage.fate(*leg).is_none(), "nobody is dropped");
        assert_eq!(queues_of(&stage, *leg), ["general"]);
        assert_eq!(mode_of(&stage, *leg).as_deref(), Some("双号并行"));
    }
    assert_eq!(queues_of(&stage, first), ["expert"], "the next call meets the new phase");
    assert_eq!(mode_of(&stage, first).as_deref(), Some("过渡期"));
    let missing = stage.arrive("99999");
    assert_eq!(mode_of(&stage, missing), None, "no line, no mode");
}

#[test]
fn a_call_on_the_trunk_of_a_branch_waits_for_the_seats_of_the_branch() {
    let mut plan = plan();
    plan.trunks.push(dial_out::trunk(0));
    let (trunk, queue) = (plan.trunks[0].name.clone(), QueueId(1));
    plan.branches.push(Branch { name: "county".into(), trunk, queue, lines: vec![number("12345")] });
    let mut stage = Stage::with(Config::default(), plan);
    let county = stage.queued("12345");
    let city = stage.arrive("12315");
    stage.prompt_ends(city);
    assert_eq!((queues_of(&stage, county), queues_of(&stage, city)), (vec!["expert".into()], vec!["general".into()]));
}
