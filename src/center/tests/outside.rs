//! Calls that go on outside: to the line's own seats behind their trunk, to another site, to an old desk beside our seats.

use super::dial_out::{number, trunk};
use super::*;
use crate::dialplan::{
    Destination, OutsideService, Overflow, OverflowTo, OverflowWhen, RouteOut, ToldEnd, ToldService,
};
use crate::types::{DestinationId, Hops, OverflowWhy, Target};

/// The sub-center of 12366 has two ways, the old desk of 12315 one.
const SUB_CENTER: DestinationId = DestinationId(0);
const OLD_DESK: DestinationId = DestinationId(1);

fn city() -> Plan {
    let route = |trunk: &str, to: Option<&str>| RouteOut { trunk: trunk.into(), number: to.map(number) };
    let sub_center = vec![route("trunk-0", None), route("trunk-1", Some("08162212366"))];
    Plan {
        trunks: vec![trunk(0), trunk(1)],
        destinations: vec![
            Destination { name: "sub-center".into(), routes: sub_center, ring_ms: 20_000 },
            Destination { name: "old-desk".into(), routes: vec![route("trunk-1", Some("2250857"))], ring_ms: 25_000 },
        ],
        ..plan()
    }
}

fn outside() -> OutsideService {
    OutsideService {
        notices: vec![PromptName::new("notice/sub-center")],
        destination: SUB_CENTER,
        answer: AnswerWhen::AtOnce,
        fallback: None,
        priority: 0,
    }
}

/// The city with 12366 as said.
fn stage(service: Service) -> Stage {
    let mut plan = city();
    let mut line = line("12366", 0, AnswerWhen::AtOnce);
    line.phases[0].service = service;
    plan.lines.insert(line.number.clone(), line);
    Stage::with(Config::default(), plan)
}

/// 12315 with its old desk beside the seats, of which 8001 is ready.
fn stage_with_desk() -> Stage {
    let mut plan = city();
    for line in plan.lines.values_mut() {
        if let Service::Queue(service) = &mut line.phases[0].service {
            service.desk = Some(OLD_DESK);
        }
    }
    let mut stage = Stage::with(Config::default(), plan);
    stage.reachable(8001, true);
    stage.presence(8001, PresenceCommand::SignIn);
    stage
}

impl Stage {
    /// Trunk, number and leg of the last dial outside.
    fn out(&self) -> (u16, String, LegId) {
        let (leg, dial) = self.last_dial();
        let Target::Trunk { trunk, number } = dial.target else { panic!("a seat was dialled") };
        (trunk.0, number.as_str().to_owned(), leg)
    }

    fn dialled_outside(&self) -> usize {
        self.rows().iter().filter(|row| matches!(row.event, CallEvent::Dialled { .. })).count()
    }

    /// A caller who has heard the notice, and the leg that is rung outside.
    fn reaching(&mut self) -> (LegId, LegId) {
        let caller = self.arrive("12366");
        self.leg(caller, LegEvent::Answered);
        self.prompt_ends(caller);
        (caller, self.out().2)
    }

    fn place(&mut self, leg: LegId) -> WhereIs {
        let call = self.call_of(leg);
        self.view().calls.iter().find(|seen| seen.call == call).expect("the call lives").place
    }
}

#[test]
fn a_call_goes_on_outside_and_both_talk() {
    let mut stage = stage(Service::Outside(outside()));
    let caller = stage.arrive_with("12366", Some("13800138000"));
    stage.leg(caller, LegEvent::Answered);
    assert!(stage.hears_prompt(caller, "notice/sub-center"));
    stage.prompt_ends(caller);
    let (leg, dial) = stage.last_dial();
    assert_eq!(dial.target, Target::Trunk { trunk: TrunkId(0), number: number("12366") });
    assert_eq!((dial.calling.number, dial.line.as_str()), (Some(number("13800138000")), "12366"));
    assert_eq!(dial.beside, Some(caller));
    assert_eq!((stage.hears(caller), stage.place(caller)), (vec![Source::Ringback], WhereIs::Reaching));
    stage.leg(leg, LegEvent::Ringing);
    stage.leg(leg, LegEvent::Answered);
    assert_eq!((stage.hears(caller), stage.hears(leg)), (voice(leg), voice(caller)));
    assert!(stage.last.iter().any(|e| matches!(e, Effect::Record { caller: of, .. } if *of == caller)));
    let seen = stage.view().calls[0].clone();
    assert_eq!((seen.place, seen.outside.as_deref()), (WhereIs::Outside, Some("sub-center")));
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.told(caller).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AnsweredOutside));
    let answered = CallEvent::AnsweredOutside { leg, destination: "sub-center".into() };
    assert!(stage.rows().iter().any(|row| row.event == answered));
}

#[test]
fn what_a_carrier_lets_us_hear_takes_the_place_of_our_ringing_tone() {
    let mut stage = stage(Service::Outside(outside()));
    let (caller, leg) = stage.reaching();
    stage.leg(leg, LegEvent::EarlyMedia(true));
    assert_eq!((stage.hears(caller), stage.hears(leg)), (voice(leg), vec![]), "and nobody is heard there");
    stage.leg(leg, LegEvent::Ringing);
    assert_eq!(stage.hears(caller), voice(leg), "a 180 that comes later changes nothing");
    stage.leg(leg, LegEvent::EarlyMedia(false));
    assert_eq!(stage.hears(caller), vec![Source::Ringback], "nobody hears silence");
    stage.leg(leg, LegEvent::EarlyMedia(true));
    assert!(!stage.all.iter().any(|effect| matches!(effect, Effect::Record { .. })));
    stage.leg(leg, LegEvent::Answered);
    assert_eq!((stage.hears(caller), stage.hears(leg)), (voice(leg), voice(caller)));
    assert!(stage.last.iter().any(|effect| matches!(effect, Effect::Record { .. })), "from the answer on");
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AnsweredOutside));
}

#[test]
fn a_way_that_fails_after_it_was_heard_gives_way_to_our_ringing_tone_and_the_next() {
    let mut stage = stage(Service::Outside(OutsideService { answer: AnswerWhen::BySeat, ..outside() }));
    let caller = stage.arrive("12366");
    stage.prompt_ends(caller);
    let first = stage.out().2;
    stage.leg(first, LegEvent::EarlyMedia(true));
    assert_eq!((stage.told(caller), stage.hears(caller)), (vec![LegCommand::EarlyMedia], voice(first)));
    stage.ended(first, Cause::Overload);
    let second = stage.out().2;
    assert!(second != first && stage.hears(caller) == [Source::Ringback]);
    stage.leg(second, LegEvent::EarlyMedia(true));
    assert_eq!(stage.hears(caller), voice(second));
    // It has rung long enough: the last way, so the caller is told.
    stage.pass(20);
    assert!(stage.hears_prompt(caller, crate::dialplan::feature::UNANSWERED));
    stage.leg(second, LegEvent::EarlyMedia(false));
    assert!(stage.hears_prompt(caller, crate::dialplan::feature::UNANSWERED));
    stage.ended(second, Cause::Cancelled);
    stage.prompt_ends(caller);
    stage.ended(caller, Cause::NoAnswer);
}

#[test]
fn a_caller_who_never_gets_our_answer_has_not_been_answered_outside() {
    let answered =
        |stage: &Stage| stage.rows().iter().any(|row| matches!(row.event, CallEvent::AnsweredOutside { .. }));
    let cases = [
        (true, Cause::HungUp, Fate::AnsweredOutside),
        (false, Cause::Cancelled, Fate::AbandonedInRing),
        (false, Cause::PeerLost, Fate::Failed { cause: Cause::PeerLost }),
    ];
    for (confirmed, cause, fate) in cases {
        for who in ["the caller", "the other"] {
            let mut stage = stage(Service::Outside(OutsideService { answer: AnswerWhen::BySeat, ..outside() }));
            let caller = stage.arrive("12366");
            stage.prompt_ends(caller);
            let leg = stage.out().2;
            stage.leg(leg, LegEvent::Answered);
            assert_eq!((stage.hears(caller), answered(&stage)), (voice(leg), false));
            if confirmed {
                stage.leg(caller, LegEvent::Answered);
            }
            assert_eq!(answered(&stage), confirmed);
            let (first, fate) = match (who, confirmed) {
                ("the other", false) => (leg, Fate::UnansweredOutside { cause: Cause::HungUp }),
                ("the other", true) => (leg, fate),
                _ => (caller, fate),
            };
            stage.ended(first, if first == leg { Cause::HungUp } else { cause });
            stage.ended(if first == leg { caller } else { leg }, Cause::HungUp);
            assert_eq!(stage.fate(caller), Some(fate), "{who} leaves, {confirmed}");
        }
    }
}

#[test]
fn an_old_desk_is_not_heard_before_it_answers() {
    let mut stage = stage_with_desk();
    let caller = stage.queued("12315");
    let desk = stage.out().2;
    stage.leg(desk, LegEvent::EarlyMedia(true));
    assert_eq!(stage.hears(caller), music());
}

#[test]
fn a_call_that_hotlines_have_passed_on_too_often_goes_no_further() {
    for (passed_on, left, goes) in [(4, 70, true), (5, 70, false), (0, 11, true), (0, 10, false)] {
        let fallback = Some(QueueId(0));
        for service in [outside(), OutsideService { fallback, ..outside() }] {
            let queued = service.fallback.is_some();
            let mut stage = stage(Service::Outside(service));
            let caller = stage.arrive_passed_on("12366", Hops { passed_on, left });
            stage.leg(caller, LegEvent::Answered);
            stage.prompt_ends(caller);
            assert_eq!(stage.dialled_outside(), usize::from(goes), "{passed_on} {left}");
            if goes {
                let onward = Hops { passed_on: passed_on + 1, left: left - 1 };
                assert_eq!(stage.last_dial().1.calling.hops, onward);
            } else if queued {
                assert_eq!(stage.place(caller), WhereIs::Waiting);
            } else {
                stage.prompt_ends(caller);
                stage.ended(caller, Cause::HungUp);
                assert_eq!(stage.fate(caller), Some(Fate::UnansweredOutside { cause: Cause::Loop }));
            }
        }
    }
}

#[test]
fn before_the_answer_outside_the_caller_is_not_answered_where_the_phase_says_so() {
    let mut stage = stage(Service::Outside(OutsideService { answer: AnswerWhen::BySeat, ..outside() }));
    let caller = stage.arrive("12366");
    stage.prompt_ends(caller);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia]);
    let (_, _, leg) = stage.out();
    stage.leg(leg, LegEvent::Answered);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Answer]);
    stage.leg(caller, LegEvent::Answered);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AnsweredOutside));
}

#[test]
fn the_next_way_is_tried_whatever_the_first_came_to() {
    for cause in [Cause::Busy, Cause::Declined, Cause::Unreachable, Cause::Overload, Cause::NoSuchNumber] {
        let mut stage = stage(Service::Outside(outside()));
        let (caller, first) = stage.reaching();
        stage.ended(first, cause);
        let (trunk, to, second) = stage.out();
        assert_eq!((trunk, to.as_str()), (1, "08162212366"), "after {cause:?}");
        assert_eq!(stage.hears(caller), [Source::Ringback]);
        stage.leg(second, LegEvent::Answered);
        assert_eq!(stage.hears(caller), voice(second));
    }
}

#[test]
fn a_way_that_stays_silent_is_left_when_its_time_is_over() {
    let mut stage = stage(Service::Outside(outside()));
    let (caller, first) = stage.reaching();
    stage.leg(first, LegEvent::Ringing);
    stage.pass(19);
    assert_eq!(stage.out().2, first);
    stage.pass(1);
    assert_eq!(stage.told(first).last(), Some(&LegCommand::Hangup(Cause::NoAnswer)));
    let (_, _, second) = stage.out();
    assert_ne!(first, second);
    // The first answers in the moment in which it is given up: it is let go, and the second has the call.
    stage.leg(first, LegEvent::Answered);
    assert_eq!(stage.told(first).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.leg(second, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(second));
}

#[test]
fn whom_nobody_outside_answers_is_told_so_and_then_refused() {
    let mut stage = stage(Service::Outside(OutsideService { answer: AnswerWhen::BySeat, ..outside() }));
    let caller = stage.arrive("12366");
    stage.prompt_ends(caller);
    for cause in [Cause::Unreachable, Cause::Busy] {
        let leg = stage.out().2;
        stage.ended(leg, cause);
    }
    assert_eq!(stage.dialled_outside(), 2);
    assert!(stage.hears_prompt(caller, "notice/unanswered"));
    stage.prompt_ends(caller);
    assert_eq!(stage.told(caller).last(), Some(&LegCommand::Refuse(Cause::Busy)));
    stage.ended(caller, Cause::Busy);
    assert_eq!(stage.fate(caller), Some(Fate::UnansweredOutside { cause: Cause::Busy }));
}

#[test]
fn whom_nobody_outside_answers_waits_at_the_place_of_the_arrival() {
    let mut stage = stage(Service::Outside(OutsideService { fallback: Some(QueueId(0)), ..outside() }));
    let (early, first) = stage.reaching();
    let late = stage.queued("12345");
    stage.ended(first, Cause::Busy);
    stage.ended(stage.out().2, Cause::Busy);
    let order = stage.view().queues[0].waiting.clone();
    assert_eq!(order, [stage.call_of(early), stage.call_of(late)], "by arrival, not by joining");
    assert_eq!(stage.hears(early), music());
    stage.ended(early, Cause::HungUp);
    assert_eq!(stage.fate(early), Some(Fate::AbandonedInQueue));
}

#[test]
fn without_any_trunk_the_caller_waits_or_is_told_at_once() {
    for (fallback, place) in [(Some(QueueId(0)), WhereIs::Waiting), (None, WhereIs::Overflowing)] {
        let mut plan = city();
        plan.trunks.clear();
        let mut line = line("12366", 0, AnswerWhen::AtOnce);
        line.phases[0].service = Service::Outside(OutsideService { fallback, notices: Vec::new(), ..outside() });
        plan.lines.insert(line.number.clone(), line);
        let mut stage = Stage::with(Config::default(), plan);
        let caller = stage.arrive("12366");
        assert_eq!((stage.place(caller), stage.dialled_outside()), (place, 0));
    }
}

#[test]
fn a_caller_may_leave_at_any_moment_and_the_leg_outside_is_let_go() {
    let mut stage = stage(Service::Outside(outside()));
    let caller = stage.arrive("12366");
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInGreeting));
    let (caller, leg) = stage.reaching();
    stage.ended(caller, Cause::HungUp);
    assert!(matches!(stage.told(leg).last(), Some(LegCommand::Hangup(_))));
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInRing));
    // It answers all the same, and must not stay open.
    stage.leg(leg, LegEvent::Answered);
    assert_eq!(stage.told(leg).len(), 3);
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.center.calls(), 0);
}

#[test]
fn hold_in_a_talk_with_somebody_outside_is_music_for_both() {
    let mut stage = stage(Service::Outside(outside()));
    let (caller, leg) = stage.reaching();
    stage.leg(leg, LegEvent::Answered);
    stage.leg(leg, LegEvent::Held(true));
    assert_eq!((stage.hears(caller), stage.hears(leg)), (music(), music()));
    stage.leg(leg, LegEvent::Held(false));
    assert_eq!(stage.hears(caller), voice(leg));
}

#[test]
fn a_drain_tells_both_and_cuts_a_talk_with_somebody_outside() {
    let mut stage = stage(Service::Outside(outside()));
    let (caller, leg) = stage.reaching();
    stage.leg(leg, LegEvent::Answered);
    stage.feed(Input::Drain { within: Some(Duration::from_secs(30)), reply: None });
    stage.pass(20);
    assert!(stage.hears_prompt(caller, "notice/ending") && stage.hears_prompt(leg, "notice/ending"));
    stage.prompt_ends(caller);
    assert_eq!(stage.hears(caller), voice(leg));
    stage.pass(10);
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::CutByDrain));
}

#[test]
fn a_rule_of_overflow_sends_a_caller_to_another_site_and_back_to_the_same_place() {
    let mut plan = city();
    plan.queues[0].overflow =
        vec![Overflow { when: OverflowWhen::Waited(30_000), to: OverflowTo::Destination(SUB_CENTER) }];
    plan.queues[0].max_wait_ms = Some(60_000);
    let mut stage = Stage::with(Config::default(), plan);
    let first = stage.queued("12345");
    stage.pass(1);
    let second = stage.queued("12345");
    stage.pass(29);
    let leg = stage.out().2;
    let moved =
        CallEvent::Overflowed { from: "general".into(), to: Some("sub-center".into()), why: OverflowWhy::Waited };
    assert!(stage.rows().iter().any(|row| row.event == moved));
    assert_eq!(stage.view().queues[0].waiting, [stage.call_of(second)]);
    stage.ended(leg, Cause::Busy);
    stage.ended(stage.out().2, Cause::Busy);
    assert_eq!(stage.view().queues[0].waiting, [stage.call_of(first), stage.call_of(second)]);
    let queued = stage.rows().into_iter().filter(|row| matches!(row.event, CallEvent::Queued { .. }));
    assert_eq!(queued.count(), 3, "coming back is a row");
    // Never twice to the same place; its time in the queue ran on.
    stage.pass(29);
    assert_eq!(stage.place(first), WhereIs::Waiting);
    stage.pass(1);
    assert_eq!(stage.place(first), WhereIs::Overflowing);
}

#[test]
fn who_is_outside_when_the_waiting_is_over_is_told_on_coming_back() {
    let mut plan = city();
    plan.queues[0].overflow =
        vec![Overflow { when: OverflowWhen::Waited(30_000), to: OverflowTo::Destination(SUB_CENTER) }];
    plan.queues[0].max_wait_ms = Some(35_000);
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.queued("12345");
    stage.pass(36);
    assert_eq!(stage.place(caller), WhereIs::Reaching, "whoever is rung may still answer");
    stage.ended(stage.out().2, Cause::Busy);
    stage.ended(stage.out().2, Cause::Busy);
    assert_eq!(stage.place(caller), WhereIs::Overflowing);
}

#[test]
fn notices_are_heard_whole_before_the_greeting() {
    let mut plan = city();
    for line in plan.lines.values_mut() {
        if let Service::Queue(service) = &mut line.phases[0].service {
            service.notices = vec![PromptName::new("notice/first"), PromptName::new("notice/second")];
        }
    }
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.arrive("12345");
    for prompt in ["notice/first", "notice/second", "greeting/12345"] {
        assert!(stage.hears_prompt(caller, prompt), "{prompt}");
        stage.prompt_ends(caller);
    }
    assert_eq!(stage.hears(caller), music());
}

fn told(notice: Option<&str>, end: ToldEnd) -> Stage {
    stage(Service::Told(ToldService { notice: notice.map(PromptName::new), end }))
}

#[test]
fn a_cancelled_number_says_so_before_the_answer_and_refuses() {
    let mut stage = told(Some("notice/cancelled"), ToldEnd::Gone);
    let caller = stage.arrive("12366");
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia]);
    assert!(stage.hears_prompt(caller, "notice/cancelled"));
    stage.prompt_ends(caller);
    assert_eq!(stage.told(caller).last(), Some(&LegCommand::Refuse(Cause::Gone)));
    stage.ended(caller, Cause::Gone);
    assert_eq!(stage.fate(caller), Some(Fate::Refused { cause: Cause::Gone }));
    // Whoever has heard enough is counted all the same.
    let caller = stage.arrive("12366");
    stage.ended(caller, Cause::Cancelled);
    assert_eq!(stage.fate(caller), Some(Fate::Refused { cause: Cause::Gone }));
}

#[test]
fn a_cancelled_number_refuses_at_once_who_cannot_hear_it_or_where_nothing_is_said() {
    let mut stage = told(Some("notice/cancelled"), ToldEnd::Gone);
    let caller = stage.arrive("12366");
    stage.leg(caller, LegEvent::NoEarlyMedia);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Refuse(Cause::Gone)]);
    for (end, cause) in
        [(ToldEnd::Gone, Cause::Gone), (ToldEnd::NotFound, Cause::NoSuchNumber), (ToldEnd::Closed, Cause::Closed)]
    {
        let mut stage = told(None, end);
        let caller = stage.arrive("12366");
        assert_eq!(stage.told(caller), [LegCommand::Refuse(cause)]);
    }
}

#[test]
fn the_old_desk_rings_from_the_first_moment_of_waiting_and_may_answer_first() {
    let mut stage = stage_with_desk();
    let caller = stage.arrive("12315");
    assert_eq!(stage.dialled_outside(), 0, "not before the greeting is heard");
    stage.prompt_ends(caller);
    let (trunk, to, desk) = stage.out();
    assert_eq!((trunk, to.as_str()), (1, "2250857"));
    assert_eq!(stage.hears(caller), music(), "the caller waits as always");
    stage.presence(8001, PresenceCommand::Ready);
    let (_, seat) = stage.dialled();
    stage.leg(seat, LegEvent::Ringing);
    stage.leg(desk, LegEvent::Answered);
    assert_eq!(stage.told(seat).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    assert_eq!(stage.hears(caller), voice(desk));
    // The seat's answer crosses: one winner.
    stage.leg(seat, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(desk));
    assert_eq!(stage.told(seat).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.ended(seat, Cause::HungUp);
    assert_eq!((stage.seat(8001).work, stage.seat(8001).presence), (Doing::Idle, Presence::Ready));
    stage.leg(caller, LegEvent::Answered);
    stage.ended(desk, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AnsweredOutside));
}

#[test]
fn a_seat_that_answers_first_silences_the_old_desk() {
    let mut stage = stage_with_desk();
    let caller = stage.queued("12345");
    let (_, _, desk) = stage.out();
    stage.leg(desk, LegEvent::Ringing);
    stage.presence(8001, PresenceCommand::Ready);
    let (_, seat) = stage.dialled();
    stage.leg(seat, LegEvent::Answered);
    assert_eq!(stage.told(desk).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.leg(desk, LegEvent::Answered);
    assert_eq!(stage.told(desk).len(), 3, "a late answer is let go");
    assert_eq!(stage.hears(caller), voice(seat));
    stage.ended(desk, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
}

#[test]
fn a_desk_that_refuses_or_stays_silent_does_not_harm_the_waiting() {
    for silent in [false, true] {
        let mut stage = stage_with_desk();
        let caller = stage.queued("12345");
        let (_, _, desk) = stage.out();
        if silent {
            stage.pass(25);
            assert_eq!(stage.told(desk).last(), Some(&LegCommand::Hangup(Cause::NoAnswer)));
        }
        stage.ended(desk, Cause::Busy);
        assert_eq!((stage.place(caller), stage.dialled_outside()), (WhereIs::Waiting, 1));
        assert_eq!(stage.hears(caller), music());
        stage.presence(8001, PresenceCommand::Ready);
        stage.leg(stage.dialled().1, LegEvent::Answered);
        assert_eq!(stage.place(caller), WhereIs::Talking);
    }
}

#[test]
fn the_old_desk_is_let_go_when_the_waiting_ends_otherwise() {
    let mut plan = city();
    plan.queues[0].max_wait_ms = Some(10_000);
    let desk = |service: &mut Service| {
        if let Service::Queue(service) = service {
            service.desk = Some(OLD_DESK);
        }
    };
    plan.lines.values_mut().for_each(|line| desk(&mut line.phases[0].service));
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.queued("12345");
    let (_, _, first) = stage.out();
    stage.pass(10);
    assert_eq!(stage.place(caller), WhereIs::Overflowing);
    assert_eq!(stage.told(first).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    let caller = stage.queued("12345");
    let (_, _, second) = stage.out();
    stage.ended(caller, Cause::HungUp);
    assert!(matches!(stage.told(second).last(), Some(LegCommand::Hangup(_))));
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInQueue));
}
