//! A third in the talk: one-key calls of emergency services, experts, other seats, the telephone's own keys.

use super::dial_out::{number, trunk};
use super::*;
use crate::dialplan::{Destination, RouteOut};
use crate::types::{Target, TransferEnd, TransferHow, TransferTo};

/// 8001 talks with a caller of 12345; 8003 is the expert of 12333, 8002 another seat. 110 is reached over trunk 1, then 0.
pub(super) struct Three {
    pub(super) stage: Stage,
    pub(super) caller: LegId,
    pub(super) agent: LegId,
}

pub(super) fn three() -> Three {
    with_plan(|_| ())
}

pub(super) fn with_plan(change: impl FnOnce(&mut Plan)) -> Three {
    let mut plan = plan();
    plan.trunks = vec![trunk(0), trunk(1)];
    plan.outgoing.emergency_trunk = Some("trunk-1".into());
    plan.emergency.insert(LineNumber::parse("110").unwrap(), "police".into());
    let routes = vec![RouteOut { trunk: "trunk-0".into(), number: Some(number("12366")) }];
    plan.destinations = vec![Destination { name: "tax".into(), routes, ring_ms: 20_000 }];
    change(&mut plan);
    let mut stage = Stage::with(Config::default(), plan);
    stage.reachable(8001, true);
    stage.presence(8001, PresenceCommand::SignIn);
    stage.presence(8001, PresenceCommand::Ready);
    let caller = stage.arrive_with("12345", Some("13800138000"));
    stage.leg(caller, LegEvent::Answered);
    stage.prompt_ends(caller);
    let (_, agent) = stage.dialled();
    stage.leg(agent, LegEvent::Answered);
    Three { stage, caller, agent }
}

fn emergency() -> TransferTo {
    TransferTo::Number(number("110"))
}

fn experts() -> TransferTo {
    TransferTo::Queue("expert".into())
}

impl Three {
    fn does(&mut self, command: TransferCommand) -> Reply {
        self.stage.feed(Input::Transfer { seat: SeatId(8001), call: None, command, reply: Some(ReplyId(4)) });
        let replies = self.stage.last.iter().find_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        replies.expect("a command gets its reply")
    }

    fn brings(&mut self, to: TransferTo, how: TransferHow) -> Reply {
        self.does(TransferCommand::Begin { to, how, reason: None })
    }

    /// Brings 110 in; its leg, which is rung.
    pub(super) fn rings_110(&mut self) -> LegId {
        assert_eq!(self.brings(emergency(), TransferHow::Conference), Reply::Done);
        self.last_leg()
    }

    pub(super) fn last_leg(&self) -> LegId {
        self.stage.last_dial().0
    }

    /// Signs the expert in.
    fn with_expert(mut self) -> Self {
        self.stage.reachable(8003, true);
        self.stage.presence(8003, PresenceCommand::SignIn);
        self.stage.presence(8003, PresenceCommand::Ready);
        self
    }

    pub(super) fn ends_of_transfers(&self) -> Vec<TransferEnd> {
        let ends = self.stage.rows().into_iter().filter_map(|row| match row.event {
            CallEvent::TransferEnded { end } => Some(end),
            _ => None,
        });
        ends.collect()
    }

    pub(super) fn place(&mut self) -> Option<WhereIs> {
        let call = self.stage.call_of(self.caller);
        self.stage.view().calls.iter().find(|seen| seen.call == call).map(|seen| seen.place)
    }

    /// Caller and agent have each other and nobody else.
    pub(super) fn talk_of_two(&self) -> bool {
        self.stage.hears(self.caller) == voice(self.agent) && self.stage.hears(self.agent) == voice(self.caller)
    }
}

pub(super) fn voices(legs: [LegId; 2]) -> Vec<Source> {
    legs.map(|leg| Source::Leg { leg, gain_db: 0 }).to_vec()
}

#[test]
fn caller_and_agent_hear_each_other_until_the_emergency_service_answers_then_all_three_do() {
    let mut three = three();
    let police = three.rings_110();
    let (_, dial) = three.stage.last_dial();
    assert_eq!(dial.target, Target::Trunk { trunk: TrunkId(1), number: number("110") });
    assert_eq!(dial.calling.number, Some(number("13800138000")), "the police see who calls");
    assert_eq!(dial.line.as_str(), "12345");
    assert!(three.talk_of_two());
    three.stage.leg(police, LegEvent::Ringing);
    assert!(three.talk_of_two());
    three.stage.leg(police, LegEvent::Answered);
    let (caller, agent) = (three.caller, three.agent);
    assert_eq!(three.stage.hears(caller), voices([agent, police]));
    assert_eq!(three.stage.hears(agent), voices([caller, police]));
    assert_eq!(three.stage.hears(police), voices([caller, agent]));
}

#[test]
fn the_agent_leaves_and_the_caller_goes_on_with_the_emergency_service() {
    for by_phone in [false, true] {
        let mut three = three();
        let police = three.rings_110();
        three.stage.leg(police, LegEvent::Answered);
        if by_phone {
            three.stage.ended(three.agent, Cause::HungUp);
        } else {
            assert_eq!(three.does(TransferCommand::Leave), Reply::Done);
            assert_eq!(three.stage.told(three.agent).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
            three.stage.ended(three.agent, Cause::HungUp);
        }
        assert_eq!(three.stage.hears(three.caller), voice(police));
        assert_eq!(three.stage.hears(police), voice(three.caller));
        assert_eq!(three.ends_of_transfers(), [TransferEnd::Completed]);
        assert_eq!(three.place(), Some(WhereIs::Outside));
        three.stage.ended(police, Cause::HungUp);
        three.stage.ended(three.caller, Cause::HungUp);
        assert_eq!(three.stage.fate(three.caller), Some(Fate::Answered { seat: SeatId(8001) }));
    }
}

#[test]
fn the_next_way_is_rung_when_one_is_refused_busy_or_silent_and_the_agent_is_told_when_none_is_left() {
    for cause in [Cause::Busy, Cause::Unreachable, Cause::Declined] {
        let mut three = three();
        let first = three.rings_110();
        three.stage.ended(first, cause);
        let (second, dial) = three.stage.last_dial();
        assert_eq!(dial.target, Target::Trunk { trunk: TrunkId(0), number: number("110") });
        assert!(three.talk_of_two());
        // Ten seconds of an emergency service, then the next way, if there were one.
        three.stage.pass(10);
        assert_eq!(three.stage.told(second).last(), Some(&LegCommand::Hangup(Cause::NoAnswer)));
        assert!(three.talk_of_two());
        assert_eq!(three.ends_of_transfers(), [TransferEnd::Failed { cause: Cause::NoAnswer }]);
        assert_eq!(three.brings(emergency(), TransferHow::Conference), Reply::Done, "and may try again");
    }
}

#[test]
fn an_agent_who_vanishes_while_it_rings_leaves_a_caller_who_hears_that_and_waits_in_front_when_nobody_answers() {
    let mut three = three();
    let waiting = three.stage.queued("12345");
    let police = three.rings_110();
    three.stage.ended(three.agent, Cause::PeerLost);
    assert_eq!(three.stage.hears(three.caller), [Source::Ringback]);
    assert_eq!(three.place(), Some(WhereIs::Reaching));
    three.stage.ended(police, Cause::Busy);
    let second = three.last_leg();
    three.stage.pass(10);
    assert_eq!(three.stage.told(second).last(), Some(&LegCommand::Hangup(Cause::NoAnswer)));
    assert_eq!((three.place(), three.stage.hears(three.caller)), (Some(WhereIs::Waiting), music()));
    let queue = three.stage.view().queues[0].waiting.clone();
    assert_eq!(queue, [three.stage.call_of(three.caller), three.stage.call_of(waiting)], "in front of who waited");
    assert_eq!(three.ends_of_transfers(), [TransferEnd::HandedOver]);
}

#[test]
fn who_has_left_before_the_answer_still_gives_the_caller_the_emergency_service() {
    let mut three = three();
    let police = three.rings_110();
    assert_eq!(three.does(TransferCommand::Leave), Reply::Done);
    three.stage.ended(three.agent, Cause::HungUp);
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.stage.hears(three.caller), voice(police));
}

#[test]
fn a_caller_who_leaves_ends_the_ringing_and_leaves_the_others_to_talk_when_it_was_answered() {
    let mut rung = three();
    let police = rung.rings_110();
    rung.stage.ended(rung.caller, Cause::HungUp);
    assert_eq!(rung.stage.told(police).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    assert_eq!(rung.stage.fate(rung.caller), Some(Fate::Answered { seat: SeatId(8001) }));
    assert_eq!(rung.ends_of_transfers(), [TransferEnd::CallEnded]);

    let mut talk = three();
    let police = talk.rings_110();
    talk.stage.leg(police, LegEvent::Answered);
    talk.stage.ended(talk.caller, Cause::HungUp);
    assert_eq!((talk.stage.hears(talk.agent), talk.stage.hears(police)), (voice(police), voice(talk.agent)));
    assert_eq!(talk.stage.fate(talk.caller), None, "the books stay open while they talk");
    talk.stage.ended(police, Cause::HungUp);
    talk.stage.ended(talk.agent, Cause::HungUp);
    assert_eq!(talk.stage.fate(talk.caller), Some(Fate::Answered { seat: SeatId(8001) }));
}

#[test]
fn after_the_caller_has_left_whoever_of_the_two_ends_it_ends_it() {
    for command in [TransferCommand::Leave, TransferCommand::TakeBack] {
        let mut three = three();
        let police = three.rings_110();
        three.stage.leg(police, LegEvent::Answered);
        three.stage.ended(three.caller, Cause::HungUp);
        assert_eq!(three.does(command), Reply::Done);
        assert_eq!(three.stage.told(police).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        assert_eq!(three.stage.told(three.agent).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        assert_eq!(three.ends_of_transfers(), [TransferEnd::CallEnded]);
    }
}

#[test]
fn a_drain_ends_a_caller_whom_the_emergency_service_did_not_answer() {
    let mut three = three();
    let police = three.rings_110();
    three.stage.ended(three.agent, Cause::PeerLost);
    three.stage.ended(police, Cause::Busy);
    let second = three.last_leg();
    three.stage.ended(second, Cause::Busy);
    assert_eq!(three.place(), Some(WhereIs::Waiting));
    three.stage.feed(Input::Drain { within: Some(Duration::from_secs(30)), reply: None });
    three.stage.pass(31);
    assert_eq!(three.stage.told(three.caller).last(), Some(&LegCommand::Hangup(Cause::Restart)));
}

#[test]
fn a_third_who_leaves_or_is_let_go_leaves_the_talk_of_two() {
    let mut three = three();
    let police = three.rings_110();
    three.stage.leg(police, LegEvent::Answered);
    three.stage.ended(police, Cause::HungUp);
    assert!(three.talk_of_two());
    let police = three.rings_110();
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.does(TransferCommand::TakeBack), Reply::Done);
    assert_eq!(three.stage.told(police).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    assert!(three.talk_of_two());
    assert_eq!(three.ends_of_transfers(), [TransferEnd::GuestLeft, TransferEnd::TakenBack]);
    assert_eq!(three.does(TransferCommand::TakeBack), Reply::Refused(Refusal::NoTransfer));
}

#[test]
fn an_expert_is_asked_while_the_caller_hears_music_then_all_three_talk_then_the_expert_has_the_call() {
    let mut three = three().with_expert();
    assert_eq!(three.brings(experts(), TransferHow::Consult), Reply::Done);
    let (caller, agent, expert) = (three.caller, three.agent, three.last_leg());
    assert_eq!((three.stage.hears(caller), three.stage.hears(agent)), (music(), vec![Source::Ringback]));
    assert_eq!(three.does(TransferCommand::Join), Reply::Refused(Refusal::NoTransfer), "nobody is there yet");
    three.stage.leg(expert, LegEvent::Answered);
    assert_eq!(three.stage.hears(caller), music());
    assert_eq!((three.stage.hears(agent), three.stage.hears(expert)), (voice(expert), voice(agent)));
    assert_eq!(three.does(TransferCommand::Join), Reply::Done);
    assert_eq!(three.stage.hears(caller), voices([agent, expert]));
    assert_eq!(three.does(TransferCommand::Leave), Reply::Done);
    three.stage.ended(agent, Cause::HungUp);
    assert_eq!((three.stage.hears(caller), three.stage.hears(expert)), (voice(expert), voice(caller)));
    let call = three.stage.call_of(caller);
    assert_eq!(three.stage.seat(8003).work, Doing::Talking { call }, "it is the expert's call now");
    three.stage.ended(expert, Cause::HungUp);
    three.stage.ended(caller, Cause::HungUp);
    assert_eq!(three.stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }), "who answered first");
}

#[test]
fn a_consultation_that_comes_to_nothing_gives_the_caller_back() {
    let mut three = three().with_expert();
    assert_eq!(three.brings(experts(), TransferHow::Consult), Reply::Done);
    let expert = three.last_leg();
    three.stage.ended(expert, Cause::Declined);
    assert!(three.talk_of_two());
    assert_eq!(three.stage.seat(8003).work, Doing::Idle);
    assert_eq!(three.ends_of_transfers(), [TransferEnd::Failed { cause: Cause::Declined }]);
}

#[test]
fn without_a_free_expert_the_agent_learns_so_and_may_leave_the_caller_in_their_queue() {
    let mut three = three();
    assert_eq!(three.brings(experts(), TransferHow::Consult), Reply::Refused(Refusal::NobodyFree));
    assert!(three.talk_of_two());
    assert_eq!(three.brings(experts(), TransferHow::Blind), Reply::Done);
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!((three.place(), three.stage.hears(three.caller)), (Some(WhereIs::Waiting), music()));
    let three = three.with_expert();
    assert_eq!(three.stage.dialled().0, 8003, "the expert gets the caller when there is one");
}

#[test]
fn a_blind_transfer_to_a_seat_that_is_not_answered_brings_the_caller_to_the_front() {
    let mut three = three();
    three.stage.reachable(8002, true);
    three.stage.presence(8002, PresenceCommand::SignIn);
    let to = TransferTo::Number(number("8002"));
    assert_eq!(three.brings(to, TransferHow::Blind), Reply::Done);
    let other = three.last_leg();
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!(three.stage.hears(three.caller), [Source::Ringback]);
    three.stage.ended(other, Cause::NoAnswer);
    assert_eq!(three.place(), Some(WhereIs::Waiting));
    assert_eq!(three.stage.seat(8002).work, Doing::Idle);
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut three = three();
    let to = |text: &str| TransferTo::Number(number(text));
    let cases = [
        (to("8002"), Refusal::NotReached),
        (to("12333"), Refusal::OwnLine),
        (TransferTo::Destination("moon".into()), Refusal::NoSuchDestination),
        (TransferTo::Queue("moon".into()), Refusal::NoSuchQueue),
    ];
    for (to, why) in cases {
        for how in [TransferHow::Conference, TransferHow::Consult, TransferHow::Blind] {
            assert_eq!(three.brings(to.clone(), how), Reply::Refused(why), "{to:?}");
            assert!(three.talk_of_two(), "{to:?}");
        }
    }
    three.rings_110();
    assert_eq!(three.brings(emergency(), TransferHow::Conference), Reply::Refused(Refusal::TransferRuns));
}

#[test]
fn a_reason_is_asked_for_where_the_plan_has_some() {
    let mut three = with_plan(|plan| plan.desk.transfer_reasons = vec![Word::new("危及生命")]);
    let begin = |reason: Option<&str>| TransferCommand::Begin {
        to: emergency(),
        how: TransferHow::Conference,
        reason: reason.map(Word::new),
    };
    assert_eq!(three.does(begin(None)), Reply::Refused(Refusal::ReasonMissing));
    assert_eq!(three.does(begin(Some("不知道"))), Reply::Refused(Refusal::NoSuchWord));
    assert_eq!(three.does(begin(Some("危及生命"))), Reply::Done);
    let begun = three.stage.rows().into_iter().find_map(|row| match row.event {
        CallEvent::TransferBegun { to, reason, .. } => Some((to, reason)),
        _ => None,
    });
    assert_eq!(begun, Some(("110".to_owned(), Some(Word::new("危及生命")))));
}

#[test]
fn a_telephone_keys_what_a_desk_presses() {
    let mut three = with_plan(|plan| plan.desk.transfer_reasons = vec![Word::new("危及生命")]);
    let key = |three: &mut Three, leg: LegId, keys: &str| {
        for digit in keys.chars() {
            three.stage.leg(leg, LegEvent::Digit { digit: Digit(digit), by: DigitBy::Event });
        }
    };
    let (caller, agent) = (three.caller, three.agent);
    key(&mut three, caller, "*110#");
    assert!(three.ends_of_transfers().is_empty() && three.talk_of_two(), "a caller keys nothing");
    key(&mut three, agent, "*110#");
    let police = three.last_leg();
    key(&mut three, agent, "**");
    assert_eq!(three.stage.told(police).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    key(&mut three, agent, "7*110#");
    let police = three.last_leg();
    three.stage.leg(police, LegEvent::Answered);
    key(&mut three, agent, "*9#");
    assert_eq!(three.stage.hears(caller), voice(police));
}

#[test]
fn a_drain_never_refuses_nor_cuts_an_emergency_service() {
    let mut three = three();
    let other = three.stage.queued("12345");
    three.stage.feed(Input::Drain { within: Some(Duration::from_secs(30)), reply: None });
    let police = three.rings_110();
    three.stage.leg(police, LegEvent::Answered);
    three.stage.pass(60);
    assert_eq!(three.stage.fate(other), None, "its leg has not ended");
    assert_eq!(three.stage.told(other).last(), Some(&LegCommand::Hangup(Cause::Restart)));
    assert_eq!(three.stage.hears(three.caller), voices([three.agent, police]));
    three.stage.ended(other, Cause::HungUp);
    assert!(!three.stage.center.is_drained());
    three.stage.ended(three.caller, Cause::HungUp);
    three.stage.ended(police, Cause::HungUp);
    three.stage.ended(three.agent, Cause::HungUp);
    three.stage.pass(2);
    assert!(three.stage.center.is_drained());
}

#[test]
fn a_talk_whose_agent_is_lost_goes_to_the_front_of_the_queue() {
    let mut three = three();
    let waiting = three.stage.queued("12345");
    three.stage.ended(three.agent, Cause::PeerLost);
    let queue = three.stage.view().queues[0].waiting.clone();
    assert_eq!(queue, [three.stage.call_of(three.caller), three.stage.call_of(waiting)]);
    assert_eq!(three.stage.hears(three.caller), music());
}

#[test]
fn in_a_talk_of_three_who_holds_hears_music_and_the_others_go_on() {
    let mut three = three();
    let police = three.rings_110();
    three.stage.leg(police, LegEvent::Answered);
    three.stage.leg(three.agent, LegEvent::Held(true));
    assert_eq!(three.stage.hears(three.agent), music());
    assert_eq!((three.stage.hears(three.caller), three.stage.hears(police)), (voice(police), voice(three.caller)));
}
