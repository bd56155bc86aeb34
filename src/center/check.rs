//! Whether the books balance. Called by tests and simulations after every input.

use super::live::{Guest, GuestAt, Live, Outing, Party, Place, Saying, Sentence, Talk};
use super::timers::Timer;
use super::way_out::Attempt;
use super::{Center, Door};
use crate::call::{Leg, Phase, Role};
use crate::seat::Work;
use crate::types::{CallId, LegId, Source, TransferHow};

impl Center {
    /// Compares calls, seats, queues, legs and timers with each other.
    ///
    /// # Panics
    /// When they disagree, with what is wrong.
    pub fn check(&self) {
        self.acd.check();
        for (id, live) in &self.calls {
            self.check_place(*id, live);
            self.check_legs(*id, live);
            self.check_timers_of(*id, live);
            check_sound(*id, live);
        }
        self.check_seats();
        self.check_timers();
        let legs: usize = self.calls.values().map(|live| live.call.legs().count()).sum();
        assert_eq!(legs, self.call_of.len(), "legs of calls and the index of legs differ");
        assert!(self.seat_of.keys().all(|leg| self.call_of.contains_key(leg)), "a seat's leg belongs to no call");
        assert!(self.memory.len() <= self.config.max_remembered, "more ended legs are remembered than allowed");
    }

    fn check_place(&self, id: CallId, live: &Live) {
        let queued = self.acd.queue_of(id);
        match &live.place {
            Place::Waiting | Place::Announcing(_) => {
                let way = live.way.as_ref().expect("a waiting call has a way");
                assert_eq!(queued, Some(way.queue), "{id} waits and is not in its queue");
                assert!(!way.too_long, "{id} waits though its time is over");
            }
            Place::Greeting(_)
            | Place::Wishing { .. }
            | Place::Message
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Overflowing { .. }
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Telling(_)
            | Place::Ending { .. } => assert_eq!(queued, None, "{id} is in a queue and in {:?}", live.place),
        }
        for offer in live.place.offers() {
            let lease = self.seats.get(&offer.seat).and_then(|seat| seat.lease());
            assert!(lease.is_some_and(|lease| lease.offer == offer.id && lease.leg == offer.leg), "{id}: a lost lease");
        }
        let owners = live.place.offers().iter().map(|offer| Party { seat: offer.seat, leg: offer.leg });
        for party in owners.chain(live.place.party()) {
            let seat = self.seats.get(&party.seat).unwrap_or_else(|| panic!("{id} is with a seat that is not there"));
            let agrees = match seat.work() {
                Work::Offered(lease) | Work::Ringing(lease) => {
                    live.place.offers().iter().any(|offer| offer.id == lease.offer)
                }
                Work::Talking { .. } => {
                    matches!(live.place, Place::Joining(_) | Place::Talking(_) | Place::CallerLeft(_))
                }
                Work::Idle | Work::OwnCall { .. } | Work::Leaving { .. } | Work::Resting { .. } | Work::WrapUp(_) => {
                    false
                }
            };
            assert!(agrees, "{id} in {:?} and {} in {:?} disagree", live.place, party.seat, seat.work());
            assert_eq!(seat.busy_with(), Some((id, party.leg)), "{id} and {} disagree on their leg", party.seat);
            assert_eq!(self.seat_of.get(&party.leg), Some(&party.seat), "the index of seats' legs is wrong");
        }
    }

    fn check_legs(&self, id: CallId, live: &Live) {
        assert!(!live.call.is_empty(), "{id} lives without a leg");
        let mut owners: Vec<LegId> = live.place.offers().iter().map(|offer| offer.leg).collect();
        owners.extend(live.place.party().map(|party| party.leg));
        owners.extend(live.place.outing().into_iter().flat_map(|outing| [Some(outing.from.leg), outing.to]).flatten());
        owners.extend(live.place.reaching().and_then(|attempt| attempt.leg));
        owners.extend(live.place.supervisor().map(|there| there.party.leg));
        owners.extend(live.place.guest().and_then(Guest::leg));
        owners.extend(live.place.through().map(|through| through.leg));
        owners.extend(live.way.as_ref().and_then(|way| way.desk.as_ref()).and_then(|desk| desk.leg));
        let ending = matches!(live.place, Place::Ending { .. });
        for (leg, state) in live.call.legs() {
            assert_eq!(self.call_of.get(&leg), Some(&id), "{leg} is in {id} and the index says otherwise");
            let parting = state.phase == Phase::Parting;
            assert_eq!(parting, self.timers.at(Timer::Leg(leg)).is_some(), "{leg}: parting and its deadline differ");
            assert!(!ending || parting, "{id} ends and {leg} was not hung up");
            if state.role != Role::Caller && !matches!(live.place, Place::Telling(_)) {
                assert!(
                    parting || owners.contains(&leg),
                    "{leg} of a seat is nobody's offer, nobody's talk and nobody outside"
                );
            }
        }
        let callers = live.call.legs().filter(|(_, leg)| leg.role == Role::Caller).count();
        let has_caller = live.is_callers() && !matches!(live.place, Place::CallerLeft(_));
        assert!(ending || callers == usize::from(has_caller), "{id} has {callers} callers");
        let rung = live.place.guest().is_some_and(|guest| matches!(guest.at, GuestAt::Rung(_)));
        assert_eq!(self.timers.at(Timer::Guest(id)).is_some(), rung, "{id}: a third and its deadline differ");
        let awaited = live.place.supervisor().is_some_and(|there| !there.here);
        assert_eq!(
            self.timers.at(Timer::Supervisor(id)).is_some(),
            awaited,
            "{id}: a supervisor and its deadline differ"
        );
        assert!(live.place.guest().is_none_or(|guest| guest.leg().is_some()), "{id} rings for nobody");
        assert!(live.place.reaching().is_none_or(|attempt| attempt.leg.is_some()), "{id} reaches for nobody");
    }

    fn check_timers_of(&self, id: CallId, live: &Live) {
        let leased = self.timers.at(Timer::Place(id)).is_some();
        assert_eq!(leased, live.place.is_leased(), "{id} in {:?}: lease and deadline differ", live.place);
        let rung = live.way.as_ref().and_then(|way| way.desk.as_ref()).is_some_and(|desk| desk.leg.is_some());
        assert_eq!(self.timers.at(Timer::Desk(id)).is_some(), rung, "{id}: the old desk and its deadline differ");
        let waits = matches!(live.place, Place::Waiting | Place::Announcing(_) | Place::Offered(_));
        assert!(!rung || waits, "{id}: the old desk rings for a caller who is in {:?}", live.place);
        if matches!(live.place, Place::Waiting | Place::Announcing(_)) {
            let limit = live.way.as_ref().and_then(|way| way.planned().max_wait_ms);
            assert_eq!(self.timers.at(Timer::MaxWait(id)).is_some(), limit.is_some(), "{id} waits without its limit");
        }
    }

    fn check_seats(&self) {
        for (id, seat) in &self.seats {
            if let Some((call, leg)) = seat.busy_with() {
                assert_eq!(self.call_of.get(&leg), Some(&call), "{id} is busy with a leg that is gone");
                assert_eq!(self.seat_of.get(&leg), Some(id), "{id} is busy with another seat's leg");
                let live = &self.calls[&call];
                let state = live.call.leg(leg).expect("the index of legs is right");
                let leaving = matches!(seat.work(), Work::Leaving { .. });
                let own = matches!(seat.work(), Work::OwnCall { .. });
                assert!(leaving == (state.phase == Phase::Parting), "{id} leaves and its leg does not, or so");
                let has = live.place.party().is_some_and(|party| party.seat == *id);
                let rung = live.place.offers().iter().any(|offer| offer.seat == *id);
                assert!(leaving || own || has || rung, "{id} is stuck");
            }
            assert_eq!(self.timers.at(Timer::Seat(*id)), seat.deadline(), "{id}: state and deadline differ");
            let listed = self.acd.standing(*id).map(|standing| standing.is_free());
            assert_eq!(listed, Some(seat.available_since().is_some()), "{id}: free, or is it");
            let agents = self.seats.values().filter(|other| other.agent_id() == seat.agent_id());
            assert!(seat.agent_id().is_none() || agents.count() == 1, "the person at {id} has two seats");
            assert!(self.plan.seats.contains_key(id) || seat.busy_with().is_some(), "{id} has left the plan");
        }
    }

    fn check_timers(&self) {
        for timer in self.timers.all() {
            let lives = match timer {
                Timer::Place(call)
                | Timer::MaxWait(call)
                | Timer::Overflow(call)
                | Timer::Say(call)
                | Timer::Desk(call)
                | Timer::Guest(call)
                | Timer::Supervisor(call) => self.calls.contains_key(&call),
                Timer::Leg(leg) => self.call_of.contains_key(&leg),
                Timer::Seat(seat) => self.seats.contains_key(&seat),
                Timer::DrainNotice | Timer::DrainEnd => matches!(self.door, Door::Draining { .. }),
            };
            assert!(lives, "{timer:?} has outlived what it is for");
        }
    }
}

/// A leg that is open hears something, and what it hears belongs to the place where the call is.
fn check_sound(id: CallId, live: &Live) {
    let (told, place) = (live.call.told(), &live.place);
    if matches!(place, Place::Ending { .. }) {
        return;
    }
    for (leg, state) in live.call.legs().filter(|(_, leg)| leg.phase.is_audible()) {
        let hears = told.iter().find(|hear| hear.leg == leg).map(|hear| hear.from.as_slice()).unwrap_or_default();
        if let Some(notice) = live.notice {
            let told = matches!(hears, [Source::Prompt { run, .. }] if *run == notice);
            assert!(told, "{id}: {leg} hears {hears:?} and not that the call will end");
            continue;
        }
        assert_eq!(hears.is_empty(), *place == Place::Message, "{id}: {leg} hears {hears:?} in {place:?}");
        for source in hears {
            let fits = match (source, place) {
                // Who consults hears how the third is rung.
                (Source::Ringback, Place::Talking(talk)) => consults(talk, leg).is_some(),
                (Source::Leg { leg: other, .. }, Place::Talking(talk)) if consults(talk, leg) == Some(*other) => {
                    live.call.leg(*other).is_some_and(|leg| leg.phase == Phase::Heard)
                }
                (
                    Source::Prompt { run, .. },
                    Place::Greeting(Saying { run: now, .. })
                    | Place::Announcing(Saying { run: now, .. })
                    | Place::Wishing { run: now, .. }
                    | Place::Overflowing { run: now }
                    | Place::Telling(Sentence { run: now, .. }),
                ) => run == now,
                (
                    Source::Leg { leg: other, .. },
                    Place::Joining(_) | Place::Talking(_) | Place::CallerLeft(_) | Place::Outside(_) | Place::Called(_),
                ) => state.is_with_others() && live.call.leg(*other).is_some_and(Leg::is_with_others),
                (Source::Music { .. }, Place::Waiting | Place::Offered(_))
                | (Source::Ringback, Place::Reaching(_) | Place::Calling(_)) => true,
                (Source::Leg { leg: other, .. }, Place::Reaching(Attempt { leg: rung, .. }))
                | (Source::Leg { leg: other, .. }, Place::Calling(Outing { to: rung, .. })) => {
                    *rung == Some(*other) && live.call.leg(*other).is_some_and(|leg| leg.phase == Phase::Heard)
                }
                (
                    Source::Music { .. },
                    Place::Joining(_) | Place::Talking(_) | Place::CallerLeft(_) | Place::Outside(_) | Place::Called(_),
                ) => live.call.legs().any(|(_, leg)| leg.held || leg.aside),
                (
                    Source::Prompt { .. } | Source::Leg { .. } | Source::Music { .. } | Source::Ringback,
                    Place::Greeting(_)
                    | Place::Waiting
                    | Place::Announcing(_)
                    | Place::Wishing { .. }
                    | Place::Message
                    | Place::Offered(_)
                    | Place::Joining(_)
                    | Place::Talking(_)
                    | Place::CallerLeft(_)
                    | Place::Reaching(_)
                    | Place::Outside(_)
                    | Place::Overflowing { .. }
                    | Place::Summoning(_)
                    | Place::Calling(_)
                    | Place::Called(_)
                    | Place::Telling(_)
                    | Place::Ending { .. },
                ) => false,
            };
            assert!(fits, "{id}: {leg} hears {source:?} in {place:?}");
        }
    }
}

/// The leg that is rung for this agent, who hears that alone.
fn consults(talk: &Talk, agent: LegId) -> Option<LegId> {
    let guest = talk.guest.as_ref().filter(|guest| guest.how == TransferHow::Consult && talk.party.leg == agent)?;
    if let GuestAt::Rung(attempt) = &guest.at { attempt.leg } else { None }
}
