//! What a waiting caller hears and may leave behind, and what an operator switches on.

use super::*;
use crate::dialplan::{Announce, Mark, Surge, WishOffer};
use crate::types::{CallerMark, WishKind};

fn stage(wish: Option<WishKind>) -> Stage {
    let mut plan = plan();
    plan.queues[0].announce = Some(Announce { first_ms: 10_000, every_ms: 30_000 });
    plan.queues[0].wish = wish.map(|kind| WishOffer {
        kind,
        key: Digit('1'),
        prompt: PromptName::new("wish/offer"),
        done: PromptName::new("wish/done"),
        longest_ms: 60_000,
    });
    Stage::with(Config::default(), plan)
}

fn waiting(stage: &mut Stage, number: Option<&str>) -> LegId {
    let leg = stage.arrive_with("12345", number);
    stage.leg(leg, LegEvent::Answered);
    stage.prompt_ends(leg);
    leg
}

fn ready(stage: &mut Stage, seat: u32) {
    stage.reachable(seat, true);
    stage.presence(seat, PresenceCommand::SignIn);
    stage.presence(seat, PresenceCommand::Ready);
}

fn hears_prompt(stage: &Stage, leg: LegId) -> Option<String> {
    match stage.hears(leg).as_slice() {
        [Source::Prompt { name, .. }] => Some(name.0.to_string()),
        _ => None,
    }
}

fn press(stage: &mut Stage, leg: LegId, key: char) {
    stage.leg(leg, LegEvent::Digit { digit: Digit(key), by: DigitBy::Event });
}

fn rows_of(stage: &Stage, leg: LegId) -> Vec<CallEvent> {
    let call = stage.call_of(leg);
    stage.rows().into_iter().filter(|row| row.call == call).map(|row| row.event).collect()
}

#[test]
fn position_and_wait_are_said_after_ten_seconds_and_then_every_thirty() {
    let mut stage = stage(None);
    waiting(&mut stage, None);
    let second = waiting(&mut stage, None);
    stage.pass(9);
    assert_eq!(stage.hears(second), music());
    stage.pass(1);
    assert_eq!(hears_prompt(&stage, second).as_deref(), Some("position/2"));
    stage.prompt_ends(second);
    assert_eq!(stage.hears(second), music(), "nobody serves: no wait is promised");
    stage.pass(29);
    assert_eq!(stage.hears(second), music());
    stage.pass(1);
    assert_eq!(hears_prompt(&stage, second).as_deref(), Some("position/2"));
    assert!(rows_of(&stage, second).contains(&CallEvent::Announced { position: 2, minutes: None }));
}

#[test]
fn the_expected_wait_follows_the_position() {
    let mut stage = stage(None);
    ready(&mut stage, 8001);
    let first = waiting(&mut stage, None);
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    stage.pass(100);
    stage.ended(first, Cause::HungUp);
    stage.ended(leg, Cause::HungUp);
    let caller = waiting(&mut stage, None);
    stage.pass(10);
    assert_eq!(hears_prompt(&stage, caller).as_deref(), Some("position/1"));
    stage.prompt_ends(caller);
    assert_eq!(hears_prompt(&stage, caller).as_deref(), Some("wait/3"), "130 s of handling, one seat");
    stage.prompt_ends(caller);
    assert_eq!(stage.hears(caller), music());
}

#[test]
fn an_announcement_is_cut_the_moment_a_seat_is_free() {
    let mut stage = stage(None);
    let caller = waiting(&mut stage, None);
    stage.pass(10);
    assert!(hears_prompt(&stage, caller).is_some());
    ready(&mut stage, 8001);
    assert_eq!((stage.dialled().0, stage.hears(caller)), (8001, music()));
    stage.pass(12);
    assert_eq!(stage.hears(caller), music(), "nothing is said while a seat rings");
}

#[test]
fn an_announcement_whose_end_is_not_reported_gives_the_music_back() {
    let mut stage = stage(None);
    let caller = waiting(&mut stage, None);
    stage.pass(10);
    for _ in 0..5 {
        stage.pass(29);
    }
    let call = stage.call_of(caller);
    assert_eq!(stage.view().queues[0].waiting, [call]);
    let announced = rows_of(&stage, caller).into_iter().filter(|row| matches!(row, CallEvent::Announced { .. }));
    assert!(announced.count() >= 2);
}

#[test]
fn a_key_leaves_the_queue_for_a_callback() {
    let mut stage = stage(Some(WishKind::Callback));
    let caller = waiting(&mut stage, Some("13800138000"));
    stage.pass(10);
    stage.prompt_ends(caller);
    assert_eq!(hears_prompt(&stage, caller).as_deref(), Some("wish/offer"));
    press(&mut stage, caller, '2');
    assert_eq!(hears_prompt(&stage, caller).as_deref(), Some("wish/offer"), "another key is no wish");
    press(&mut stage, caller, '1');
    assert_eq!(hears_prompt(&stage, caller).as_deref(), Some("wish/done"));
    assert!(rows_of(&stage, caller).contains(&CallEvent::Wish { kind: WishKind::Callback, file: None }));
    ready(&mut stage, 8001);
    assert!(stage.dials().is_empty(), "it waits no longer");
    stage.prompt_ends(caller);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::LeftWish));
}

#[test]
fn nobody_is_called_back_whose_number_is_not_known() {
    let mut stage = stage(Some(WishKind::Callback));
    let caller = waiting(&mut stage, None);
    press(&mut stage, caller, '1');
    assert_eq!(stage.hears(caller), music());
}

#[test]
fn a_message_is_answered_recorded_and_ends_with_its_key_or_its_time() {
    for by_key in [true, false] {
        let mut stage = stage(Some(WishKind::Message));
        let caller = stage.arrive("12315");
        stage.prompt_ends(caller);
        press(&mut stage, caller, '1');
        assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Answer]);
        stage.leg(caller, LegEvent::Answered);
        stage.prompt_ends(caller);
        assert_eq!(stage.hears(caller), [], "the caller speaks");
        let call = stage.call_of(caller);
        let file = format!("2026-11-18/{call}");
        assert!(stage.all.contains(&Effect::Record { call, caller, file: file.clone() }));
        assert!(rows_of(&stage, caller).contains(&CallEvent::Wish { kind: WishKind::Message, file: Some(file) }));
        if by_key {
            press(&mut stage, caller, '#');
        } else {
            stage.pass(60);
        }
        assert!(stage.all.contains(&Effect::EndRecording { call }));
        assert_eq!(stage.told(caller).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        stage.ended(caller, Cause::HungUp);
        assert_eq!(stage.fate(caller), Some(Fate::LeftWish));
    }
}

#[test]
fn a_surge_speaks_and_leads_elsewhere_as_soon_as_it_is_on() {
    let mut plan = plan();
    plan.surges = vec![Surge {
        name: "flood".into(),
        prompt: Some(PromptName::new("surge/flood")),
        queue: Some(QueueId(1)),
        lines: vec![LineNumber::parse("12345").unwrap()],
    }];
    let mut stage = Stage::with(Config::default(), plan);
    let switch = |stage: &mut Stage, name: &str, on: bool| {
        stage.feed(Input::Surge { name: name.into(), on, reply: Some(ReplyId(1)) });
        match stage.last.pop() {
            Some(Effect::Reply { reply, .. }) => reply,
            other => panic!("a command gets its reply, not {other:?}"),
        }
    };
    assert_eq!(switch(&mut stage, "storm", true), Reply::Refused(Refusal::NoSuchSurge));
    assert_eq!(switch(&mut stage, "flood", true), Reply::Done);
    assert_eq!(stage.view().surges, ["flood"]);
    let caller = stage.arrive("12345");
    stage.leg(caller, LegEvent::Answered);
    stage.prompt_ends(caller);
    assert_eq!(hears_prompt(&stage, caller).as_deref(), Some("surge/flood"), "after the greeting of the line");
    stage.prompt_ends(caller);
    let call = stage.call_of(caller);
    assert_eq!(stage.view().queues[1].waiting, [call]);
    let other = stage.arrive("12315");
    stage.prompt_ends(other);
    assert_eq!(stage.view().queues[0].waiting.len(), 1, "another line is as ever");
    assert_eq!(switch(&mut stage, "flood", false), Reply::Done);
    stage.queued("12345");
    assert_eq!(stage.view().queues[0].waiting.len(), 2);
}

#[test]
fn a_mark_changes_queue_priority_and_prompt_and_never_refuses() {
    let mut plan = plan();
    let mark = |name: &str| Mark { name: Word::new(name), approval: false, queue: None, priority: None, prompt: None };
    plan.marks = vec![
        Mark {
            approval: true,
            queue: Some(QueueId(1)),
            prompt: Some(PromptName::new("mark/nuisance")),
            ..mark("nuisance")
        },
        Mark { priority: Some(8), ..mark("priority") },
    ];
    let mut stage = Stage::with(Config::default(), plan);
    let entry = |number: &str, mark: &str, approved: bool, until: Option<Wall>| CallerMark {
        number: PhoneNumber::parse(number).unwrap(),
        mark: Word::new(mark),
        approved,
        until,
    };
    let soon = Wall(T0.wall.0 + 60_000);
    let marks = vec![
        entry("13800000001", "nuisance", true, Some(soon)),
        entry("13800000002", "nuisance", false, None),
        entry("13800000003", "priority", false, None),
        entry("13800000003", "unknown", true, None),
    ];
    stage.feed(Input::CallerLists { marks });

    let nuisance = waiting(&mut stage, Some("13800000001"));
    assert_eq!(hears_prompt(&stage, nuisance).as_deref(), Some("mark/nuisance"));
    stage.prompt_ends(nuisance);
    assert!(rows_of(&stage, nuisance).contains(&CallEvent::Marked { mark: Word::new("nuisance") }));
    let unapproved = waiting(&mut stage, Some("13800000002"));
    let privileged = waiting(&mut stage, Some("13800000003"));
    let calls = [privileged, unapproved].map(|leg| stage.call_of(leg));
    let view = stage.view();
    assert_eq!(view.queues[1].waiting, [stage.call_of(nuisance)]);
    assert_eq!(view.queues[0].waiting, calls, "priority first, and nobody is a nuisance before it is approved");

    stage.pass(60);
    let expired = waiting(&mut stage, Some("13800000001"));
    assert_eq!(stage.view().queues[0].waiting.len(), 3);
    assert!(!rows_of(&stage, expired).iter().any(|row| matches!(row, CallEvent::Marked { .. })));
}
