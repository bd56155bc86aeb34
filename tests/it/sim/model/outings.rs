//! What the model knows of calls that seats place, and of the end of a day.

#![expect(clippy::wildcard_enum_match_arm, reason = "of the places of a call few are those of one that a seat places")]

use std::time::Duration;

use yihao::center::TalkCommand;
use yihao::types::{CallId, Cause, Fate, LegId, Origin, SeatId, Source};

use super::Ear;
use super::calls::{At, Told};
use super::legs::Leg;
use super::seats::{After, Doing, WrapUp};
use super::{Model, fate_of};

/// How long anybody rings, and how a talk with a citizen is written up: the plan's defaults.
const RING: Duration = Duration::from_secs(60);
const NOTES: Duration = Duration::from_secs(30);

/// A call that a seat places.
#[derive(Clone, Debug)]
pub(super) struct Outing {
    pub(super) seat: SeatId,
    /// The other seat; `None`: a number of the network.
    other: Option<SeatId>,
    /// Trunks that were not tried.
    ways: usize,
    /// The leg that is called now.
    to: Option<LegId>,
    /// A row must say that the party is dialled.
    due: bool,
    /// An emergency service: no drain ends it.
    pub(super) urgent: bool,
}

/// What a seat's phone has dialled.
#[derive(Debug)]
pub(super) enum Dialled {
    /// A feature code, or it is no seat's phone.
    Nothing,
    Refused(Cause),
    /// It hears why not.
    Told,
    Placed(Outing),
}

enum Why {
    Closed,
    NotSignedIn,
    OwnLine,
    Nobody,
}

impl Model {
    fn may_call(&self, id: SeatId, number: &str) -> Result<Outing, Why> {
        let urgent = number == "110";
        let seat = self.seats.get(&id).ok_or(Why::Nobody)?;
        if self.draining && !urgent {
            return Err(Why::Closed);
        }
        if !seat.is_signed_in() && !urgent {
            return Err(Why::NotSignedIn);
        }
        let other = number.parse().ok().map(SeatId).filter(|seat| self.seats.contains_key(seat));
        let ways = if urgent { 2 } else { 1 };
        match other {
            Some(other) if other == id => Err(Why::Nobody),
            None if self.lines.contains_key(number) => Err(Why::OwnLine),
            None if number.contains('*') => Err(Why::Nobody),
            other => Ok(Outing { seat: id, other, ways, to: None, due: false, urgent }),
        }
    }

    pub(super) fn dialled(&self, origin: Origin, number: &str) -> Dialled {
        let Origin::Seat(seat) = origin else { return Dialled::Nothing };
        if matches!(number, "*40" | "*41" | "*42" | "*43") {
            return Dialled::Nothing;
        }
        match self.may_call(seat, number) {
            Ok(_) if self.seats[&seat].busy.is_some() => Dialled::Refused(Cause::Busy),
            Ok(outing) => Dialled::Placed(outing),
            Err(Why::Closed) => Dialled::Refused(Cause::Restart),
            Err(Why::Nobody) => Dialled::Refused(Cause::NoSuchNumber),
            Err(Why::OwnLine | Why::NotSignedIn) => Dialled::Told,
        }
    }

    /// Whether the desk's order is carried out.
    pub(super) fn orders(&mut self, id: SeatId, number: &str) -> bool {
        let free = self.seats.get(&id).is_some_and(|seat| seat.reachable && seat.busy.is_none());
        self.ordered = self.may_call(id, number).ok().filter(|_| free);
        self.ordered.is_some()
    }

    /// The row of a call that a seat places: it begins, or has begun with the INVITE of the seat's phone.
    pub(super) fn placed(&mut self, id: CallId, leg: LegId, seat: SeatId) {
        let now = self.now;
        if let Some(outing) = self.ordered.take() {
            assert_eq!(outing.seat, seat);
            self.note("a call is ordered");
            if self.seats[&seat].owes_result() {
                self.note("a call is placed out of a wrap-up that owes its result");
            }
            let mut told = Told::new(leg, At::Summoning, now);
            told.outing = Some(outing);
            assert!(self.calls.insert(id, told).is_none(), "{id} begins twice");
            let mut own = Leg::new(id, Some(seat), true);
            own.dialled = true;
            self.legs.insert(leg, own);
            self.seats.get_mut(&seat).expect("a seat of the plan").takes(now, leg, id, Doing::Own);
        } else {
            assert_eq!(self.places_now.take(), Some(id), "a call is placed that nobody has asked for");
            self.note("a phone dials");
            self.seats.get_mut(&seat).expect("a seat of the plan").takes(now, leg, id, Doing::Own);
            self.next(id, Cause::Unreachable);
        }
    }

    /// The party must be dialled now, or the seat hears why not.
    fn next(&mut self, id: CallId, before: Cause) {
        let free = |other| self.seats.get(&other).is_some_and(super::seats::Seat::may_be_called);
        let outing = self.calls[&id].outing.clone().expect("a seat has placed it");
        match outing.other {
            Some(other) if !free(other) => self.tells(id, Fate::NotReached { cause: Cause::Busy }),
            None if outing.ways == 0 => self.tells(id, Fate::NotReached { cause: before }),
            Some(_) | None => {
                let ways = outing.ways.saturating_sub(1);
                self.told(id).outing = Some(Outing { due: true, ways, ..outing });
            }
        }
    }

    fn tells(&mut self, id: CallId, fate: Fate) {
        self.note(format!("a seat hears {fate:?}"));
        let told = self.told(id);
        told.goes(&[At::New, At::Summoning, At::Calling], At::Telling);
        told.sentence = Some(fate);
    }

    pub(super) fn dials(&mut self, id: CallId, leg: LegId) {
        let now = self.now;
        let told = self.told(id);
        let outing = told.outing.as_mut().expect("a seat has placed it");
        assert!(std::mem::take(&mut outing.due), "{id} dials out of turn");
        outing.to = Some(leg);
        let (other, again) = (outing.other, told.at == At::Calling);
        told.goes(&[At::New, At::Summoning, At::Calling], At::Calling);
        self.legs.insert(leg, Leg::new(id, other, false));
        if let Some(other) = other {
            self.note("a seat calls a seat");
            self.seats.get_mut(&other).expect("a seat of the plan").takes(now, leg, id, Doing::Own);
        }
        if again {
            self.note("another trunk is tried");
        }
    }

    pub(super) fn outing_answers(&mut self, id: CallId, leg: LegId) {
        let told = self.told(id);
        let to = told.outing.as_ref().and_then(|outing| outing.to);
        match told.at {
            At::Summoning if told.first_leg == leg => self.next(id, Cause::Unreachable),
            At::Calling if to == Some(leg) => told.goes(&[At::Calling], At::Called),
            _ => assert_eq!(told.first_leg, leg, "a leg answers that nobody calls"),
        }
    }

    pub(super) fn talks_out(&mut self, id: CallId, seat: SeatId, leg: LegId) -> bool {
        let told = self.told(id);
        let Some(outing) = &told.outing else { return false };
        assert_eq!((told.at, outing.seat, told.first_leg), (At::Called, seat, leg), "{id} talks out of turn");
        true
    }

    /// The call ends now with this fate; a talk with a citizen is written up.
    fn ends_outing(&mut self, id: CallId, fate: Fate) {
        let told = self.told(id);
        let citizen = told.outing.as_ref().is_some_and(|outing| outing.other.is_none());
        let notes =
            (told.at == At::Called && citizen).then_some((told.outing.as_ref().map(|o| o.seat), told.first_leg));
        told.fate = Some(fate);
        told.ends();
        if let Some((Some(seat), leg)) = notes {
            let rule = WrapUp { time: NOTES, more: NOTES, most: NOTES * 4, result: false };
            self.seats.get_mut(&seat).expect("a seat of the plan").leaves(leg, After::WrapUp(rule));
        }
    }

    pub(super) fn outing_leg_ended(
        &mut self,
        id: CallId,
        leg: LegId,
        gone: &Leg,
        (cause, status): (Cause, Option<u16>),
    ) {
        let told = self.told(id);
        let (at, to) = (told.at, told.outing.as_ref().and_then(|outing| outing.to));
        let seat = told.outing.as_ref().map(|outing| outing.seat);
        if gone.is_first && at != At::Ending {
            let fate = match at {
                At::Called => Fate::Reached { seat: seat.expect("a seat has placed it") },
                At::Telling => told.sentence.expect("a sentence"),
                _ => Fate::NotReached { cause: own_doing(cause) },
            };
            self.ends_outing(id, fate);
        } else if to == Some(leg) && gone.hung_up_at.is_none() && at == At::Called {
            self.ends_outing(id, Fate::Reached { seat: seat.expect("a seat has placed it") });
        } else if to == Some(leg) && gone.hung_up_at.is_none() && at == At::Calling {
            // 480 and 430 speak of the callee, whom no other trunk reaches better.
            let of_the_callee = matches!(status, Some(480 | 430));
            let carriers = matches!(cause, Cause::Unreachable | Cause::Overload | Cause::Failed) && !of_the_callee;
            if of_the_callee && cause == Cause::Unreachable {
                self.note("480 is not tried over another trunk");
            }
            match gone.seat {
                None if carriers => self.next(id, cause),
                Some(_) | None => self.tells(id, Fate::NotReached { cause }),
            }
        }
        if let Some(seat) = gone.seat.and_then(|seat| self.seats.get_mut(&seat)) {
            seat.leaves(leg, After::Free);
        }
    }

    /// A leg of a call that a seat has placed is hung up by us: only for a reason.
    pub(super) fn outing_hung_up(&mut self, id: CallId, leg: LegId) {
        let (now, prompt) = (self.now, Duration::from_millis(self.config.prompt_max_ms.into()));
        let cut = self.is_cut();
        let told = self.told(id);
        let urgent = told.outing.as_ref().is_some_and(|outing| outing.urgent);
        let (rung_out, to) = (now.since(told.since) >= RING, told.outing.as_ref().and_then(|outing| outing.to));
        match told.at {
            At::Telling if told.first_leg == leg => {
                let heard = told.prompt_over || now.since(told.since) >= prompt || cut;
                assert!(heard, "{id} ends before its sentence was heard");
                let fate = told.sentence.expect("a sentence");
                self.ends_outing(id, fate);
            }
            At::Ending | At::Telling => {}
            At::New => {
                let fate = Fate::Refused { cause: told.refusal.expect("refused without a reason") };
                self.ends_outing(id, fate);
            }
            _ if cut && !urgent => self.ends_outing(id, Fate::CutByDrain),
            At::Summoning if rung_out => self.ends_outing(id, Fate::NotReached { cause: Cause::Cancelled }),
            At::Calling if rung_out && to == Some(leg) => self.tells(id, Fate::NotReached { cause: Cause::NoAnswer }),
            at => panic!("{id}: {leg} is hung up in {at:?}"),
        }
        let seat = self.legs.get(&leg).and_then(|leg| leg.seat);
        if let Some(seat) = seat.and_then(|seat| self.seats.get_mut(&seat)) {
            seat.leaves(leg, After::Free);
        }
    }

    /// What a desk does with a call of its seat's own.
    pub(super) fn own_desk(&mut self, id: SeatId, (leg, call): (LegId, CallId), command: TalkCommand) -> bool {
        let told = &self.calls[&call];
        let at = told.at;
        let places = told.outing.as_ref().is_some_and(|outing| outing.seat == id);
        let (sentence, seat) = (told.sentence, told.outing.as_ref().map(|outing| outing.seat));
        match (command, at) {
            (TalkCommand::Answer, _) => self.legs[&leg].rang && !self.legs[&leg].answered,
            (TalkCommand::Hold | TalkCommand::Retrieve, At::Called) => {
                self.legs.get_mut(&leg).expect("its leg").held = command == TalkCommand::Hold;
                true
            }
            (TalkCommand::HangUp, At::Called) => {
                self.ends_outing(call, Fate::Reached { seat: seat.expect("a seat has placed it") });
                true
            }
            (TalkCommand::HangUp, At::Calling) if !places => {
                self.tells(call, Fate::NotReached { cause: Cause::Declined });
                true
            }
            (TalkCommand::HangUp, At::Calling | At::Summoning) => {
                self.ends_outing(call, Fate::NotReached { cause: Cause::Cancelled });
                true
            }
            (TalkCommand::HangUp, At::Telling) => {
                self.ends_outing(call, sentence.expect("a sentence"));
                true
            }
            (TalkCommand::Hold | TalkCommand::Retrieve | TalkCommand::HangUp, _) => false,
        }
    }

    /// The leg whom the seat talks with.
    pub(super) fn called_leg(told: &Told) -> Option<LegId> {
        told.outing.as_ref().and_then(|outing| outing.to)
    }

    pub(super) fn outings_are_consistent(&self) {
        assert!(self.ordered.is_none(), "an order without its row");
        assert_eq!(self.places_now, None, "a phone dials without its row");
        let due = |told: &Told| told.outing.as_ref().is_some_and(|outing| outing.due);
        if let Some((id, _)) = self.calls.iter().find(|(_, told)| due(told)) {
            panic!("the party of {id} is not dialled");
        }
    }
}

/// A drain: new calls are refused, everybody is told before the end, then all is cut.
impl Model {
    pub(super) fn drains(&mut self, within: Option<Duration>) {
        let end = self.now + within.unwrap_or(Duration::from_millis(self.config.drain_ms.into()));
        let closed = self.draining && self.drain_end.is_none();
        if !closed && self.drain_end.is_none_or(|before| end < before) {
            self.drain_end = Some(end);
        }
        self.draining = true;
    }

    /// This tick ends all calls.
    pub(super) fn is_cut(&self) -> bool {
        self.ticking && self.drain_end.is_some_and(|end| end <= self.now)
    }

    /// What becomes of a caller's call that is cut.
    pub(super) fn cut_fate(at: At) -> Fate {
        match at {
            At::Overflow | At::Message | At::Wished | At::Feature => fate_of(at, None, Cause::HungUp),
            _ => Fate::CutByDrain,
        }
    }

    /// Looks who hears the notice; nobody does before its time, and afterwards nobody has missed it.
    pub(super) fn hears_notice(&mut self, ear: &Ear) {
        let before_end = Duration::from_millis(self.config.drain_notice_ms.into());
        let due = self.drain_end.is_some_and(|end| end <= self.now + before_end);
        let just_now = self.ticking && due && !self.noticed;
        self.noticed |= just_now;
        let mut told_of_end = 0;
        for (id, told) in self.calls.iter_mut().filter(|(_, told)| told.at != At::Ending) {
            let heard = ear.hears(told.first_leg);
            let hears = heard.iter().any(|s| matches!(s, Source::Prompt { name, .. } if &*name.0 == "notice/ending"));
            let over = std::mem::take(&mut told.notice_over);
            assert!(!hears || !over, "{id} goes on to hear of its end");
            assert!(!hears || due, "{id} is told of an end that is not near");
            let lasts =
                matches!(told.at, At::Waiting | At::Offered | At::Talking | At::Reaching | At::Outside | At::Called);
            let urgent = told.outing.as_ref().is_some_and(|outing| outing.urgent);
            assert!(!just_now || !lasts || urgent || hears, "{id} is cut in {:?} without a word", told.at);
            assert!(!urgent || !hears, "{id} is an emergency call and told of an end");
            told_of_end += u32::from(hears && !told.notice);
            told.notice = hears;
        }
        for _ in 0..told_of_end {
            self.note("a notice of the end");
        }
        if self.is_cut() {
            self.drain_end = None;
        }
    }

    pub(super) fn resumes(&mut self) {
        (self.draining, self.drain_end, self.noticed) = (false, None, false);
    }
}

/// A phone that is not picked up, or put down, is the agent's own doing.
fn own_doing(cause: Cause) -> Cause {
    let own = [Cause::HungUp, Cause::Cancelled, Cause::Busy, Cause::Declined, Cause::NoAnswer];
    if own.contains(&cause) { Cause::Cancelled } else { cause }
}
