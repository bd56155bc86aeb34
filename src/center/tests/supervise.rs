//! Supervisors in the talks of their agents.

use super::transfer::{Three, three, voices};
use super::*;
use crate::types::SuperviseHow;

/// 8002 is the supervisor's seat.
fn supervised() -> Three {
    let mut three = three();
    three.stage.reachable(8002, true);
    three.stage.presence(8002, PresenceCommand::SignIn);
    three
}

impl Three {
    fn supervises(&mut self, seat: u32, how: SuperviseHow) -> Reply {
        let call = self.stage.call_of(self.caller);
        self.stage.feed(Input::Supervise { seat: SeatId(seat), call, how, reply: Some(ReplyId(5)) });
        let replies = self.stage.last.iter().find_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        replies.expect("a command gets its reply")
    }

    /// The supervisor is in the talk, in this way.
    fn with_supervisor(&mut self, how: SuperviseHow) -> LegId {
        assert_eq!(self.supervises(8002, how), Reply::Done);
        let leg = self.last_leg();
        self.stage.leg(leg, LegEvent::Answered);
        leg
    }

    fn supervised_rows(&self) -> Vec<Option<SuperviseHow>> {
        let rows = self.stage.rows().into_iter().filter_map(|row| match row.event {
            CallEvent::Supervised { seat: SeatId(8002), how, .. } => Some(how),
            _ => None,
        });
        rows.collect()
    }
}

#[test]
fn a_listener_hears_all_and_changes_nothing_of_what_the_others_hear() {
    let mut three = supervised();
    let before = three.stage.all.len();
    let leg = three.with_supervisor(SuperviseHow::Listen);
    let (caller, agent) = (three.caller, three.agent);
    assert_eq!(three.stage.hears(leg), voices([caller, agent]));
    assert!(three.talk_of_two());
    let told = three.stage.all[before..].iter().filter_map(|effect| match effect {
        Effect::Hear { set, .. } => Some(set.clone()),
        _ => None,
    });
    for hear in told.flatten().filter(|hear| hear.leg != leg) {
        assert_eq!(hear.from, if hear.leg == caller { voice(agent) } else { voice(caller) });
    }
    assert_eq!(three.supervised_rows(), [Some(SuperviseHow::Listen)]);
}

#[test]
fn a_whisper_is_for_the_agent_and_who_barges_in_is_heard_by_all() {
    let mut three = supervised();
    let leg = three.with_supervisor(SuperviseHow::Whisper);
    let (caller, agent) = (three.caller, three.agent);
    assert_eq!((three.stage.hears(caller), three.stage.hears(agent)), (voice(agent), voices([caller, leg])));
    assert_eq!(three.supervises(8002, SuperviseHow::Barge), Reply::Done);
    assert_eq!((three.stage.hears(caller), three.stage.hears(agent)), (voices([agent, leg]), voices([caller, leg])));
    assert_eq!(three.supervises(8002, SuperviseHow::Listen), Reply::Done);
    assert!(three.talk_of_two());
    three.stage.ended(leg, Cause::HungUp);
    assert!(three.talk_of_two());
    assert_eq!(three.stage.seat(8002).work, Doing::Idle, "nothing to write up");
    let said = [SuperviseHow::Whisper, SuperviseHow::Barge, SuperviseHow::Listen].map(Some);
    assert_eq!(three.supervised_rows(), [said.as_slice(), &[None]].concat());
}

#[test]
fn who_intercepts_has_the_call_and_the_agent_writes_it_up() {
    for first in [SuperviseHow::Listen, SuperviseHow::Intercept] {
        let mut three = supervised();
        let leg = three.with_supervisor(first);
        if first == SuperviseHow::Listen {
            assert_eq!(three.supervises(8002, SuperviseHow::Intercept), Reply::Done);
        }
        assert_eq!(three.stage.told(three.agent).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        three.stage.ended(three.agent, Cause::HungUp);
        assert_eq!((three.stage.hears(three.caller), three.stage.hears(leg)), (voice(leg), voice(three.caller)));
        let call = three.stage.call_of(three.caller);
        assert_eq!(three.stage.seat(8002).work, Doing::Talking { call });
        three.stage.ended(leg, Cause::HungUp);
        three.stage.ended(three.caller, Cause::HungUp);
        assert_eq!(three.stage.fate(three.caller), Some(Fate::Answered { seat: SeatId(8001) }));
    }
}

#[test]
fn a_supervisor_leaves_with_the_talk() {
    let mut three = supervised();
    let leg = three.with_supervisor(SuperviseHow::Barge);
    let police = three.rings_110();
    three.stage.leg(police, LegEvent::Answered);
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!(three.stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    assert_eq!(three.stage.hears(three.caller), voice(police));

    let mut ended = supervised();
    let leg = ended.with_supervisor(SuperviseHow::Listen);
    ended.stage.ended(ended.caller, Cause::HungUp);
    assert_eq!(ended.stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
}

#[test]
fn who_may_not_come_in_is_told_why_and_a_phone_that_is_not_picked_up_stops_ringing() {
    let mut three = supervised();
    assert_eq!(three.supervises(8003, SuperviseHow::Listen), Reply::Refused(Refusal::NotSignedIn));
    assert_eq!(three.supervises(8001, SuperviseHow::Listen), Reply::Refused(Refusal::SeatBusy), "it is the agent");
    assert_eq!(three.supervises(8002, SuperviseHow::Listen), Reply::Done);
    let leg = three.last_leg();
    three.stage.reachable(8003, true);
    three.stage.presence(8003, PresenceCommand::SignIn);
    assert_eq!(three.supervises(8003, SuperviseHow::Listen), Reply::Refused(Refusal::Supervised));
    three.stage.pass(60);
    assert_eq!(three.stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    three.stage.ended(leg, Cause::Cancelled);
    assert_eq!(three.supervised_rows(), []);
    three.rings_110();
    assert_eq!(three.supervises(8002, SuperviseHow::Intercept), Reply::Refused(Refusal::TransferRuns));
}

#[test]
fn an_agent_asks_for_help_and_whoever_watches_sees_it() {
    let mut three = supervised();
    let call = three.stage.call_of(three.caller);
    three.stage.feed(Input::Help { seat: SeatId(8001), reply: None });
    let news = three.stage.last.iter().find_map(|effect| match effect {
        Effect::Seat(news) => Some(news.change.clone()),
        _ => None,
    });
    assert_eq!(news, Some(SeatChange::HelpWanted { call }));
}
