//! Calls that seats place: to citizens, to emergency services, to each other.

use super::*;
use crate::dialplan::{CalledFrom, CallerPolicy, Trunk};
use crate::types::{Dial, Target, TlsMedia};

const CITIZEN: &str = "13900001111";

pub(super) fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

pub(super) fn trunk(id: u16) -> Trunk {
    Trunk {
        id: TrunkId(id),
        name: format!("trunk-{id}"),
        network: "main".into(),
        sources: Vec::new(),
        tls_identity: None,
        address: Some(format!("sip:10.0.0.{id}")),
        register: None,
        called_from: CalledFrom::RequestUri,
        area_code: "816".into(),
        reaches: crate::dialplan::Reaches::Network,
        media_over_tls: TlsMedia::Srtp,
        max_calls: None,
        max_calls_per_s: None,
        options_s: None,
        caller_policy: CallerPolicy::Own(LineNumber::parse("12345").unwrap()),
        group: None,
    }
}

/// Two trunks; both seats are signed in, the second is not ready.
fn stage() -> Stage {
    let mut plan = plan();
    plan.trunks = vec![trunk(0), trunk(1)];
    plan.outgoing.emergency_trunk = Some("trunk-1".into());
    plan.emergency.insert(LineNumber::parse("110").unwrap(), "police".into());
    let mut stage = Stage::with(Config::default(), plan);
    for seat in [8001, 8002] {
        stage.reachable(seat, true);
        stage.presence(seat, PresenceCommand::SignIn);
    }
    stage.presence(8001, PresenceCommand::Ready);
    stage
}

impl Stage {
    fn order(&mut self, seat: u32, to: &str, line: Option<&str>) -> Reply {
        let line = line.map(|line| LineNumber::parse(line).unwrap());
        let (number, linked) = (number(to), Some(CallId(7)));
        self.feed(Input::DialOut { seat: SeatId(seat), number, line, linked, reply: Some(ReplyId(3)) });
        let reply = self.last.iter().find_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        reply.expect("an order gets its reply")
    }

    /// The last order to dial that a leg got.
    pub(super) fn last_dial(&self) -> (LegId, Dial) {
        let dials = self.all.iter().rev().find_map(|effect| match effect {
            Effect::Leg { leg, command: LegCommand::Dial(dial), .. } => Some((*leg, (**dial).clone())),
            _ => None,
        });
        dials.expect("somebody is dialled")
    }

    /// The seat's phone and its party's leg, both up.
    fn talks_with(&mut self, to: &str) -> (LegId, LegId) {
        self.order(8001, to, None);
        let own = self.dialled().1;
        self.leg(own, LegEvent::Answered);
        let (party, _) = self.last_dial();
        self.leg(party, LegEvent::Ringing);
        self.leg(party, LegEvent::Answered);
        (own, party)
    }

    fn desk(&mut self, seat: u32, command: TalkCommand) -> bool {
        self.feed(Input::Talk { seat: SeatId(seat), call: None, command, reply: Some(ReplyId(1)) });
        self.last.contains(&Effect::Reply { to: ReplyId(1), reply: Reply::Done })
    }

    pub(super) fn hears_prompt(&self, leg: LegId, name: &str) -> bool {
        matches!(self.hears(leg).as_slice(), [Source::Prompt { name: now, .. }] if &*now.0 == name)
    }
}

#[test]
fn a_seat_hears_what_the_carrier_says_before_the_citizen_answers() {
    for by_phone in [false, true] {
        let mut stage = stage();
        let own = if by_phone {
            stage.arrive_from(Origin::Seat(SeatId(8001)), CITIZEN)
        } else {
            stage.order(8001, CITIZEN, None);
            let own = stage.dialled().1;
            stage.leg(own, LegEvent::Answered);
            own
        };
        let (party, _) = stage.last_dial();
        assert_eq!(stage.hears(own), [Source::Ringback]);
        stage.leg(party, LegEvent::EarlyMedia(true));
        assert_eq!((stage.hears(own), stage.hears(party)), (voice(party), vec![]));
        stage.leg(party, LegEvent::Answered);
        assert_eq!((stage.hears(own), stage.hears(party)), (voice(party), voice(own)));
    }
}

#[test]
fn the_seats_own_phone_is_rung_first_and_then_the_citizen() {
    let mut stage = stage();
    let Reply::Dialled(call) = stage.order(8001, CITIZEN, Some("12315")) else { panic!("the order is refused") };
    let (own, dial) = stage.last_dial();
    assert_eq!((dial.target, dial.calling.number), (Target::Seat(SeatId(8001)), Some(number(CITIZEN))));
    let line = || Some(LineNumber::parse("12315").unwrap());
    let placed = CallEvent::Placed {
        leg: own,
        seat: SeatId(8001),
        agent: None,
        number: number(CITIZEN),
        line: line(),
        linked: Some(CallId(7)),
    };
    assert_eq!(stage.rows().first().map(|row| (row.call, row.event.clone())), Some((call, placed)));
    stage.leg(own, LegEvent::Answered);
    assert_eq!(stage.hears(own), [Source::Ringback]);
    let (citizen, dial) = stage.last_dial();
    assert_eq!(dial.target, Target::Trunk { trunk: TrunkId(0), number: number(CITIZEN) });
    assert_eq!((dial.calling.number, dial.beside), (Some(number("12315")), Some(own)));
    stage.leg(citizen, LegEvent::Ringing);
    stage.leg(citizen, LegEvent::Answered);
    assert_eq!((stage.hears(own), stage.hears(citizen)), (voice(citizen), voice(own)));
    assert!(stage.last.iter().any(|e| matches!(e, Effect::Record { caller, .. } if *caller == citizen)));
    let view = stage.view();
    let seen = &view.calls[0];
    assert_eq!((seen.place, seen.seat, seen.linked), (WhereIs::Called, Some(SeatId(8001)), Some(CallId(7))));
    assert_eq!((seen.to.clone(), seen.called.as_str()), (Some(number(CITIZEN)), "12315"));
    stage.ended(citizen, Cause::HungUp);
    assert_eq!(stage.told(own).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    stage.ended(own, Cause::HungUp);
    assert_eq!(stage.fate(own), Some(Fate::Reached { seat: SeatId(8001) }));
    let seat = stage.seat(8001);
    assert!(matches!(seat.work, Doing::WrapUp { left_ms: 30_000, .. }), "{:?}", seat.work);
    assert_eq!((seat.calls_today, stage.center.calls()), (0, 0));
}

#[test]
fn an_order_that_cannot_be_carried_out_is_refused_at_once() {
    let mut stage = stage();
    let cases = [
        (8001, "12315", None, Refusal::OwnLine),
        (8001, "081612345", None, Refusal::OwnLine),
        (8001, "081612333", None, Refusal::OwnLine),
        (8001, CITIZEN, Some("99999"), Refusal::NoSuchLine),
        (8001, "*41", None, Refusal::NoSuchNumber),
        (8001, "8001", None, Refusal::NoSuchNumber),
        (8003, CITIZEN, None, Refusal::NotSignedIn),
        (9999, CITIZEN, None, Refusal::NoSuchSeat),
    ];
    for (seat, to, line, refusal) in cases {
        assert_eq!(stage.order(seat, to, line), Reply::Refused(refusal), "{seat} to {to}");
    }
    stage.reachable(8001, false);
    assert_eq!(stage.order(8001, CITIZEN, None), Reply::Refused(Refusal::PhoneUnreachable));
    stage.reachable(8001, true);
    stage.order(8001, CITIZEN, None);
    assert_eq!(stage.order(8001, CITIZEN, None), Reply::Refused(Refusal::SeatBusy));
    stage.feed(Input::Drain { within: None, reply: None });
    assert_eq!(stage.order(8002, CITIZEN, None), Reply::Refused(Refusal::NotAccepting));
    assert_eq!(stage.center.calls(), 1);
}

#[test]
fn the_seat_hears_why_nobody_is_reached() {
    let cases = [
        (Cause::Busy, "dial/busy"),
        (Cause::Declined, "dial/busy"),
        (Cause::NoAnswer, "dial/no-answer"),
        (Cause::NoSuchNumber, "dial/unreached"),
        (Cause::Unreachable, "dial/unreached"),
    ];
    for (cause, prompt) in cases {
        let mut stage = stage();
        stage.order(8001, CITIZEN, None);
        let own = stage.dialled().1;
        stage.leg(own, LegEvent::Answered);
        let (citizen, _) = stage.last_dial();
        stage.ended(citizen, cause);
        assert!(stage.hears_prompt(own, prompt), "{cause:?}: {:?}", stage.hears(own));
        stage.prompt_ends(own);
        assert_eq!(stage.told(own).last(), Some(&LegCommand::Hangup(cause)));
        stage.ended(own, cause);
        assert_eq!(stage.fate(own), Some(Fate::NotReached { cause }));
        assert_eq!(stage.seat(8001).work, Doing::Idle, "nothing to write up");
    }
}

#[test]
fn a_citizen_who_does_not_answer_is_given_up_after_the_time_of_the_plan() {
    let mut stage = stage();
    stage.order(8001, CITIZEN, None);
    let own = stage.dialled().1;
    stage.leg(own, LegEvent::Answered);
    let (citizen, _) = stage.last_dial();
    stage.leg(citizen, LegEvent::Ringing);
    stage.pass(60);
    assert_eq!(stage.told(citizen).last(), Some(&LegCommand::Hangup(Cause::NoAnswer)));
    assert!(stage.hears_prompt(own, "dial/no-answer"));
    stage.ended(citizen, Cause::Cancelled);
    stage.ended(own, Cause::HungUp);
    assert_eq!(stage.fate(own), Some(Fate::NotReached { cause: Cause::NoAnswer }));
}

#[test]
fn an_agent_who_does_not_pick_up_or_gives_up_has_reached_nobody() {
    let mut stage = stage();
    stage.order(8001, CITIZEN, None);
    let own = stage.dialled().1;
    stage.pass(60);
    assert_eq!(stage.told(own).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.ended(own, Cause::Cancelled);
    assert_eq!(stage.fate(own), Some(Fate::NotReached { cause: Cause::Cancelled }));

    stage.order(8001, CITIZEN, None);
    let own = stage.dialled().1;
    stage.leg(own, LegEvent::Answered);
    let (citizen, _) = stage.last_dial();
    assert!(stage.desk(8001, TalkCommand::HangUp));
    assert_eq!(stage.told(citizen).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.ended(own, Cause::HungUp);
    stage.ended(citizen, Cause::Cancelled);
    assert_eq!(stage.fate(own), Some(Fate::NotReached { cause: Cause::Cancelled }));
    assert_eq!((stage.seat(8001).work, stage.center.calls()), (Doing::Idle, 0));
}

#[test]
fn the_desk_holds_retrieves_and_ends_a_call_that_it_has_placed() {
    let mut stage = stage();
    let (own, citizen) = stage.talks_with(CITIZEN);
    assert!(stage.desk(8001, TalkCommand::Hold));
    assert_eq!((stage.hears(own), stage.hears(citizen)), (music(), music()));
    assert!(stage.desk(8001, TalkCommand::Retrieve));
    assert_eq!(stage.hears(citizen), voice(own));
    assert!(!stage.desk(8001, TalkCommand::Answer), "it does not ring");
    assert!(stage.desk(8001, TalkCommand::HangUp));
    assert_eq!(stage.told(citizen).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    stage.ended(own, Cause::HungUp);
    stage.ended(citizen, Cause::HungUp);
    assert_eq!(stage.fate(own), Some(Fate::Reached { seat: SeatId(8001) }));
}

#[test]
fn a_desk_phone_that_dials_is_answered_when_its_party_answers() {
    let mut stage = stage();
    let own = stage.arrive_from(Origin::Seat(SeatId(8001)), CITIZEN);
    assert_eq!(stage.told(own), [LegCommand::EarlyMedia]);
    assert_eq!(stage.hears(own), [Source::Ringback]);
    let events: Vec<CallEvent> = stage.rows().into_iter().map(|row| row.event).collect();
    assert!(matches!(events[..], [CallEvent::Arrived { .. }, CallEvent::Placed { .. }, CallEvent::Dialled { .. }]));
    let (citizen, _) = stage.last_dial();
    stage.leg(citizen, LegEvent::Answered);
    assert_eq!(stage.told(own).last(), Some(&LegCommand::Answer));
    assert_eq!((stage.hears(own), stage.hears(citizen)), (voice(citizen), voice(own)));
    stage.leg(own, LegEvent::Answered);
    stage.ended(own, Cause::HungUp);
    stage.ended(citizen, Cause::HungUp);
    assert_eq!(stage.fate(own), Some(Fate::Reached { seat: SeatId(8001) }));
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { .. }));
}

#[test]
fn a_desk_phone_without_early_media_rings_and_is_refused_with_the_reason() {
    let mut stage = stage();
    let own = stage.arrive_from(Origin::Seat(SeatId(8001)), CITIZEN);
    stage.leg(own, LegEvent::NoEarlyMedia);
    let (citizen, _) = stage.last_dial();
    stage.ended(citizen, Cause::Busy);
    assert_eq!(stage.told(own), [LegCommand::EarlyMedia, LegCommand::Refuse(Cause::Busy)]);
    stage.ended(own, Cause::Busy);
    assert_eq!(stage.fate(own), Some(Fate::NotReached { cause: Cause::Busy }));
}

#[test]
fn a_line_of_our_own_is_not_called_and_the_phone_hears_why() {
    let mut stage = stage();
    let own = stage.arrive_from(Origin::Seat(SeatId(8001)), "12345");
    assert!(stage.hears_prompt(own, "dial/own-line"));
    stage.prompt_ends(own);
    assert_eq!(stage.told(own), [LegCommand::EarlyMedia, LegCommand::Refuse(Cause::NoSuchNumber)]);
    stage.ended(own, Cause::NoSuchNumber);
    assert_eq!(stage.fate(own), Some(Fate::Refused { cause: Cause::NoSuchNumber }));
    let stranger = stage.arrive_from(Origin::Seat(SeatId(8003)), CITIZEN);
    assert!(stage.hears_prompt(stranger, "feature/refused"), "nobody is signed in there");
}

#[test]
fn a_seat_that_is_idle_is_called_ready_or_not_and_a_busy_one_is_busy() {
    let mut stage = stage();
    let (own, other) = stage.talks_with("8002");
    assert_eq!((stage.hears(own), stage.hears(other)), (voice(other), voice(own)));
    let doing = |work: Doing| matches!(work, Doing::OwnCall { .. });
    assert!(doing(stage.seat(8001).work) && doing(stage.seat(8002).work));
    stage.queued("12345");
    assert!(stage.dials().len() == 2, "no call of a queue for a seat that talks");
    stage.ended(other, Cause::HungUp);
    stage.ended(own, Cause::HungUp);
    assert_eq!(stage.fate(own), Some(Fate::Reached { seat: SeatId(8001) }));
    assert_eq!(stage.seat(8002).work, Doing::Idle, "nothing to write up");
    // The caller who waited has the first seat now.
    stage.presence(8002, PresenceCommand::Ready);
    stage.order(8002, "8001", None);
    let own = stage.dialled().1;
    stage.leg(own, LegEvent::Answered);
    assert!(stage.hears_prompt(own, "dial/busy"));
}

#[test]
fn a_called_seat_declines_from_its_desk_and_the_caller_hears_that_it_is_busy() {
    let mut stage = stage();
    stage.order(8001, "8002", None);
    let own = stage.dialled().1;
    stage.leg(own, LegEvent::Answered);
    let (other, _) = stage.last_dial();
    assert!(!stage.desk(8002, TalkCommand::Answer), "it does not ring yet");
    stage.leg(other, LegEvent::Ringing);
    assert!(stage.desk(8002, TalkCommand::Answer));
    assert_eq!(stage.told(other).last(), Some(&LegCommand::PickUp));
    assert!(stage.desk(8002, TalkCommand::HangUp));
    assert!(stage.hears_prompt(own, "dial/busy"));
    stage.ended(other, Cause::Cancelled);
    assert_eq!(stage.seat(8002).work, Doing::Idle);
}

#[test]
fn an_emergency_call_goes_out_whatever_is_closed_and_over_any_trunk_that_is_left() {
    let mut stage = stage();
    stage.feed(Input::Drain { within: None, reply: None });
    let own = stage.arrive_from(Origin::Seat(SeatId(8003)), "110");
    let mut tried = Vec::new();
    for cause in [Cause::Unreachable, Cause::Overload] {
        let (leg, dial) = stage.last_dial();
        tried.push(dial.target);
        stage.ended(leg, cause);
    }
    let over = |trunk| Target::Trunk { trunk: TrunkId(trunk), number: number("110") };
    assert_eq!(tried, [over(1), over(0)], "the emergency trunk first");
    assert!(stage.hears_prompt(own, "dial/unreached"));
}

#[test]
fn a_phone_that_answers_after_its_order_was_given_up_is_hung_up() {
    let mut stage = stage();
    stage.order(8001, CITIZEN, None);
    let own = stage.dialled().1;
    assert!(stage.desk(8001, TalkCommand::HangUp));
    stage.leg(own, LegEvent::Answered);
    assert_eq!(stage.told(own).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.ended(own, Cause::HungUp);
    assert_eq!(stage.fate(own), Some(Fate::NotReached { cause: Cause::Cancelled }));
    assert_eq!(stage.dials().len(), 1, "the citizen is not called");
}

#[test]
fn what_speaks_of_the_callee_is_not_tried_over_another_trunk() {
    for (status, tries) in [(Some(480), 1), (Some(430), 1), (Some(408), 2), (None, 2)] {
        let mut stage = stage();
        stage.order(8001, "110", None);
        stage.leg(stage.dialled().1, LegEvent::Answered);
        let (first, _) = stage.last_dial();
        stage.leg(first, LegEvent::Ended { cause: Cause::Unreachable, status });
        let dialled = stage.rows().into_iter().filter(|row| matches!(row.event, CallEvent::Dialled { .. })).count();
        assert_eq!(dialled, tries, "after {status:?}");
    }
}

#[test]
fn a_call_out_of_a_wrap_up_that_owes_its_result_leaves_it_owed() {
    let mut stage = stage();
    let mut plan = (*stage.center.plan).clone();
    plan.queues[0].result = true;
    stage.feed(Input::Plan { plan: Some(Arc::new(plan)) });
    let caller = stage.queued("12345");
    let (_, seat) = stage.dialled();
    stage.leg(seat, LegEvent::Answered);
    stage.ended(caller, Cause::HungUp);
    stage.ended(seat, Cause::HungUp);
    let talk = stage.call_of(caller);
    let (own, party) = stage.talks_with(CITIZEN);
    stage.ended(party, Cause::HungUp);
    stage.ended(own, Cause::HungUp);
    let Doing::WrapUp { call, result_missing, .. } = stage.seat(8001).work else { panic!("the wrap-up is gone") };
    assert_eq!((call, result_missing), (talk, true));
}
