//! Persons at seats: signing in, choosing, writing up.

use super::*;

fn agent(id: u32, skills: &[(&str, u8)]) -> Agent {
    let skills = skills.iter().map(|(name, level)| ((*name).to_owned(), Level::new(*level).unwrap()));
    Agent { id: AgentId(id), skills: skills.collect(), queues: Vec::new() }
}

fn reply(stage: &Stage) -> Reply {
    let mut replies = stage.last.iter().filter_map(|effect| match effect {
        Effect::Reply { reply, .. } => Some(reply.clone()),
        _ => None,
    });
    replies.next_back().expect("a command gets its reply")
}

fn sign_in(stage: &mut Stage, seat: u32, agent: Agent, take_over: bool) -> Reply {
    stage.feed(Input::SignIn { seat: SeatId(seat), agent, take_over, reply: Some(ReplyId(1)) });
    reply(stage)
}

fn wrap_up(stage: &mut Stage, seat: u32, command: WrapUpCommand) -> Reply {
    stage.feed(Input::WrapUp { seat: SeatId(seat), command, reply: Some(ReplyId(1)) });
    reply(stage)
}

fn talk(stage: &mut Stage, seat: u32, command: TalkCommand) -> Reply {
    stage.feed(Input::Talk { seat: SeatId(seat), call: None, command, reply: Some(ReplyId(1)) });
    reply(stage)
}

fn code(word: &str) -> WrapUpCommand {
    WrapUpCommand::Result { code: Word::new(word) }
}

fn desk() -> Plan {
    let mut plan = plan();
    plan.desk.reasons = vec![Word::new("meeting")];
    plan.desk.results = vec![Word::new("solved"), Word::new("order")];
    plan.queues[0].result = true;
    plan
}

/// Seat 8001 talks with a caller: caller's leg, seat's leg.
fn talking(stage: &mut Stage) -> (LegId, LegId) {
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    (caller, leg)
}

#[test]
fn a_person_brings_skills_to_the_seat_and_takes_them_along() {
    let mut stage = Stage::new();
    stage.reachable(8001, true);
    assert_eq!(sign_in(&mut stage, 8001, agent(1001, &[("12333", 7)]), false), Reply::Done);
    stage.presence(8001, PresenceCommand::Ready);
    stage.queued("12345");
    assert!(stage.dials().is_empty(), "the seat lends its skill to nobody who has others");
    stage.queued("12333");
    let (seat, leg) = stage.dialled();
    assert_eq!((seat, stage.seat(8001).agent), (8001, Some(AgentId(1001))));
    let offered = stage.rows().into_iter().find_map(|row| match row.event {
        CallEvent::Offered { agent, decision, .. } => Some((agent, decision.unwrap().level.get())),
        _ => None,
    });
    assert_eq!(offered, Some((Some(AgentId(1001)), 7)));
    stage.ended(leg, Cause::Busy);
    stage.presence(8001, PresenceCommand::SignOut);
    stage.presence(8001, PresenceCommand::SignIn);
    assert_eq!(stage.seat(8001).agent, None);
    stage.presence(8001, PresenceCommand::Ready);
    assert_eq!(stage.dials().len(), 2, "the seat's own skill counts again");
}

#[test]
fn one_person_has_one_seat_and_one_seat_one_person() {
    let mut stage = Stage::with_ready(&[8001]);
    assert_eq!(
        sign_in(&mut stage, 8001, agent(1001, &[]), false),
        Reply::Refused(Refusal::SeatTaken { by: None }),
        "nobody in particular is somebody too"
    );
    assert_eq!(sign_in(&mut stage, 8001, agent(1001, &[]), true), Reply::Done);
    assert_eq!(
        sign_in(&mut stage, 8001, agent(1002, &[]), false),
        Reply::Refused(Refusal::SeatTaken { by: Some(AgentId(1001)) })
    );
    let elsewhere = Refusal::AgentElsewhere { seat: SeatId(8001) };
    assert_eq!(sign_in(&mut stage, 8002, agent(1001, &[]), false), Reply::Refused(elsewhere));
    assert_eq!(sign_in(&mut stage, 8002, agent(1001, &[]), true), Reply::Done);
    assert_eq!(stage.seat(8001).presence, Presence::SignedOut);
    assert_eq!(stage.seat(8002).agent, Some(AgentId(1001)));
    assert_eq!(sign_in(&mut stage, 8002, agent(1001, &[("general", 3)]), false), Reply::Done, "again is no harm");
    assert_eq!(sign_in(&mut stage, 9999, agent(1003, &[]), true), Reply::Refused(Refusal::NoSuchSeat));
}

#[test]
fn a_take_over_never_cuts_a_talk() {
    let mut stage = Stage::with_ready(&[8001]);
    let (caller, leg) = talking(&mut stage);
    assert_eq!(sign_in(&mut stage, 8001, agent(1001, &[]), true), Reply::Refused(Refusal::InTalk));
    assert_eq!(stage.hears(caller), voice(leg));
    assert_eq!(stage.seat(8001).next, Some(Presence::SignedOut));
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.seat(8001).presence, Presence::SignedOut);
    assert_eq!(sign_in(&mut stage, 8001, agent(1001, &[]), false), Reply::Done);
}

#[test]
fn a_desk_phone_signs_in_whom_the_plan_has_at_its_seat() {
    let mut plan = plan();
    let planned =
        crate::dialplan::PlannedAgent {
            agent: agent(1001, &[("12333", 9)]), name: "张三".into(), seat: SeatId(8001)
        };
    plan.agents.insert(AgentId(1001), planned);
    let mut stage = Stage::with(Config::default(), plan);
    stage.reachable(8001, true);
    stage.presence(8001, PresenceCommand::SignIn);
    assert_eq!(stage.seat(8001).agent, Some(AgentId(1001)));
    stage.presence(8001, PresenceCommand::Ready);
    stage.queued("12333");
    assert_eq!(stage.dialled().0, 8001);
}

#[test]
fn reasons_are_words_of_the_plan() {
    let mut stage = Stage::with(Config::default(), desk());
    stage.reachable(8001, true);
    stage.presence(8001, PresenceCommand::SignIn);
    let reason = |word: &str| PresenceCommand::NotReady { reason: Some(Word::new(word)) };
    assert_eq!(stage.presence(8001, reason("nap")), Reply::Refused(Refusal::NoSuchWord));
    assert_eq!(stage.presence(8001, reason("meeting")), Reply::Done);
    assert_eq!(stage.seat(8001).presence, Presence::NotReady(WhyNotReady::Reason(Word::new("meeting"))));
}

#[test]
fn the_team_lead_sees_at_once_that_a_seat_did_not_answer() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Ringing);
    stage.pass(15);
    let change = SeatChange::Presence(Presence::NotReady(WhyNotReady::NoAnswer));
    assert!(stage.all.contains(&Effect::Seat(SeatNews { seat: SeatId(8001), agent: None, change })));
}

#[test]
fn a_break_that_lasts_too_long_is_told_and_seen() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.presence(8001, PresenceCommand::Break);
    stage.pass(899);
    assert!(!stage.seat(8001).break_over);
    stage.pass(1);
    assert!(stage.seat(8001).break_over);
    let news = SeatNews { seat: SeatId(8001), agent: None, change: SeatChange::BreakOver };
    assert_eq!(stage.all.iter().filter(|effect| **effect == Effect::Seat(news.clone())).count(), 1);
    stage.queued("12345");
    assert!(stage.dials().is_empty(), "a break is no readiness, however long");
}

#[test]
fn what_an_agent_chooses_in_the_talk_counts_after_the_notes() {
    let mut stage = Stage::with_ready(&[8001]);
    let (caller, leg) = talking(&mut stage);
    stage.presence(8001, PresenceCommand::Training);
    assert_eq!(stage.hears(caller), voice(leg));
    assert_eq!((stage.seat(8001).presence, stage.seat(8001).next), (Presence::Ready, Some(Presence::Training)));
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { .. }));
    stage.pass(30);
    assert_eq!(stage.seat(8001).presence, Presence::Training);
}

#[test]
fn notes_end_with_a_result_that_stands_in_the_record() {
    let mut stage = Stage::with(Config::default(), desk());
    stage.reachable(8001, true);
    stage.presence(8001, PresenceCommand::SignIn);
    stage.presence(8001, PresenceCommand::Ready);
    assert_eq!(wrap_up(&mut stage, 8001, code("solved")), Reply::Refused(Refusal::NoCall));
    let (caller, leg) = talking(&mut stage);
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(wrap_up(&mut stage, 8001, WrapUpCommand::Done), Reply::Refused(Refusal::ResultMissing));
    assert_eq!(stage.presence(8001, PresenceCommand::Ready), Reply::Refused(Refusal::ResultMissing));
    stage.pass(60);
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { result_missing: true, .. }));
    assert_eq!(wrap_up(&mut stage, 8001, code("dream")), Reply::Refused(Refusal::NoSuchWord));
    assert_eq!(wrap_up(&mut stage, 8001, code("order")), Reply::Done);
    let result = CallEvent::Result { seat: SeatId(8001), agent: None, code: Word::new("order") };
    let call = stage.call_of(caller);
    assert!(stage.rows().iter().any(|row| row.call == call && row.event == result));
    assert_eq!(wrap_up(&mut stage, 8001, WrapUpCommand::Done), Reply::Done);
    assert_eq!(stage.seat(8001).work, Doing::Idle);
}

#[test]
fn notes_without_a_result_hold_the_seat_no_longer_than_they_may() {
    let mut stage = Stage::with(Config::default(), desk());
    stage.reachable(8001, true);
    stage.presence(8001, PresenceCommand::SignIn);
    stage.presence(8001, PresenceCommand::Ready);
    let (caller, leg) = talking(&mut stage);
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    stage.pass(119);
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { .. }));
    stage.pass(1);
    assert_eq!(stage.seat(8001).work, Doing::Idle);
}

#[test]
fn more_time_for_notes_is_bounded() {
    let mut stage = Stage::with_ready(&[8001]);
    assert_eq!(wrap_up(&mut stage, 8001, WrapUpCommand::Extend), Reply::Refused(Refusal::NotInWrapUp));
    let (caller, leg) = talking(&mut stage);
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    for _ in 0..3 {
        assert_eq!(wrap_up(&mut stage, 8001, WrapUpCommand::Extend), Reply::Done);
    }
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { left_ms: 120_000, .. }));
    assert_eq!(wrap_up(&mut stage, 8001, WrapUpCommand::Extend), Reply::Refused(Refusal::NoMoreTime));
}

#[test]
fn an_agent_holds_takes_back_and_hangs_up_from_the_desk() {
    let mut stage = Stage::with_ready(&[8001]);
    assert_eq!(talk(&mut stage, 8001, TalkCommand::HangUp), Reply::Refused(Refusal::NoCall));
    let (caller, leg) = talking(&mut stage);
    talk(&mut stage, 8001, TalkCommand::Hold);
    assert_eq!((stage.hears(caller), stage.hears(leg)), (music(), music()));
    talk(&mut stage, 8001, TalkCommand::Retrieve);
    assert_eq!(stage.hears(caller), voice(leg));
    assert_eq!(talk(&mut stage, 8001, TalkCommand::HangUp), Reply::Done);
    for leg in [caller, leg] {
        assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        stage.ended(leg, Cause::HungUp);
    }
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { .. }));
}

#[test]
fn a_command_for_a_call_that_is_over_does_not_hit_the_next() {
    let mut stage = Stage::with_ready(&[8001]);
    let (caller, leg) = talking(&mut stage);
    let call = stage.seat(8001).work;
    let Doing::Talking { call } = call else { panic!("{call:?}") };
    let hang_up = |stage: &mut Stage, call| {
        let command = TalkCommand::HangUp;
        stage.feed(Input::Talk { seat: SeatId(8001), call: Some(call), command, reply: Some(ReplyId(1)) });
        reply(stage)
    };
    assert_eq!(hang_up(&mut stage, CallId(call.0 + 1)), Reply::Refused(Refusal::NoCall));
    assert_eq!(stage.fate(caller), None);
    assert_eq!(hang_up(&mut stage, call), Reply::Done);
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
}

#[test]
fn a_call_that_rings_is_declined_from_the_desk() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.queued("12345");
    let (_, leg) = stage.dialled();
    assert_eq!(talk(&mut stage, 8001, TalkCommand::HangUp), Reply::Done);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Declined)));
    assert_eq!(stage.seat(8001).presence, Presence::NotReady(WhyNotReady::Declined));
    stage.ended(leg, Cause::Cancelled);
    assert_eq!(stage.dials().len(), 1);
}
