//! What the model knows of a call, and the rows that move it.

use std::cmp::Reverse;
use std::time::Duration;

use yihao::types::{CallId, Cause, Fate, LegId, Mono, OfferId, Origin, SeatId};

use super::legs::Leg;
use super::seats::After;
use super::{Model, fate_of};

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    New,
    Greeting,
    Waiting,
    Offered,
    Joining,
    Talking,
    Overflow,
    Feature,
    Ending,
}

#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: OfferId,
    pub(crate) seat: SeatId,
    pub(crate) leg: LegId,
    pub(crate) rang: bool,
}

#[derive(Debug)]
pub(crate) struct Told {
    /// Priority, then arrival.
    pub(crate) order: (Reverse<u8>, u64),
    pub(crate) first_leg: LegId,
    pub(crate) at: At,
    pub(crate) since: Mono,
    pub(super) now: Mono,
    pub(crate) queue: Option<String>,
    pub(crate) queued_at: Mono,
    pub(crate) offer: Option<Open>,
    pub(crate) party: Option<(SeatId, LegId)>,
    pub(crate) refusal: Option<Cause>,
    pub(crate) prompt_over: bool,
    pub(crate) fate: Option<Fate>,
    pub(crate) over: bool,
    recording: bool,
    recorded: bool,
}

impl Told {
    pub(crate) fn goes(&mut self, from: &[At], to: At) {
        assert!(from.contains(&self.at), "from {:?} to {to:?}", self.at);
        self.at = to;
        self.since = self.now;
        self.prompt_over = false;
    }

    pub(crate) fn ends(&mut self) {
        self.at = At::Ending;
    }

    pub(crate) fn records(&mut self) {
        assert!(!self.recorded, "recorded twice");
        assert!(matches!(self.at, At::Joining | At::Talking), "recorded in {:?}", self.at);
        (self.recording, self.recorded) = (true, true);
    }

    pub(crate) fn recording_ends(&mut self) {
        assert!(self.recording, "the end of no recording");
        assert_eq!(self.at, At::Ending, "a recording ends before its call");
        self.recording = false;
    }
}

impl Model {
    pub(super) fn arrived(&mut self, id: CallId, leg: LegId, origin: Origin) {
        let (expected, from, called) = self.arriving.take().expect("a row of an arrival that was not fed");
        assert_eq!((expected, from), (leg, origin));
        let refusal = self.expected_refusal(origin, &called);
        let feature = matches!(origin, Origin::Seat(_)) && refusal.is_none();
        let told = Told {
            order: (Reverse(self.lines.get(&called).copied().unwrap_or_default()), id.0),
            first_leg: leg,
            at: if feature { At::Feature } else { At::New },
            since: self.now,
            now: self.now,
            queue: None,
            queued_at: self.now,
            offer: None,
            party: None,
            refusal,
            prompt_over: false,
            fate: None,
            over: false,
            recording: false,
            recorded: false,
        };
        assert!(self.calls.insert(id, told).is_none(), "{id} begins twice");
        let seat = match origin {
            Origin::Seat(seat) if feature => Some(seat),
            Origin::Seat(_) | Origin::Trunk(_) => None,
        };
        self.legs.insert(leg, Leg::new(id, seat, true));
        if let Some(seat) = seat {
            self.feature(seat, leg, &called);
        }
    }

    fn feature(&mut self, id: SeatId, leg: LegId, code: &str) {
        use yihao::center::PresenceCommand::{NotReady, Ready, SignIn, SignOut};
        let now = self.now;
        let seat = self.seats.get_mut(&id).expect("a seat of the plan");
        let commands: &[_] = match code {
            "*40" => &[SignIn],
            "*41" => &[SignIn, Ready],
            "*42" => &[NotReady { reason: None }],
            _ => &[SignOut],
        };
        for command in commands {
            seat.wishes(command, now);
        }
        if seat.busy.is_none() {
            seat.takes(leg);
        }
    }

    pub(super) fn queued(&mut self, id: CallId, queue: &str) {
        let (now, waiting) = (self.now, self.waiting_in(queue));
        let prompt = Duration::from_millis(self.config.prompt_max_ms.into());
        assert!(waiting < self.queues[queue].max_waiting, "{id} joins a full queue");
        let told = self.told(id);
        assert!(told.prompt_over || now.since(told.since) >= prompt, "{id} did not hear the whole greeting");
        told.goes(&[At::Greeting], At::Waiting);
        told.queue = Some(queue.to_owned());
        told.queued_at = now;
    }

    fn waiting_in(&self, queue: &str) -> usize {
        self.calls.values().filter(|told| told.at == At::Waiting && told.queue.as_deref() == Some(queue)).count()
    }

    pub(super) fn overflows(&mut self, id: CallId) {
        let now = self.now;
        let queue = self.told(id).queue.clone();
        match queue {
            Some(queue) => {
                let most = self.queues[&queue].max_wait.expect("an overflow needs a limit");
                let told = self.told(id);
                assert!(now.since(told.queued_at) >= most, "{id} overflows before its time");
                told.goes(&[At::Waiting], At::Overflow);
            }
            None => {
                let full = self.queues.keys().any(|name| self.waiting_in(name) >= self.queues[name].max_waiting);
                assert!(full, "{id} overflows and no queue is full");
                let told = self.told(id);
                told.goes(&[At::Greeting], At::Overflow);
            }
        }
    }

    /// An offer is right when it is exactly the one that the lists ask for.
    pub(super) fn offered(&mut self, id: CallId, offer: OfferId, seat: SeatId, leg: LegId) {
        let waiting = self.waiting();
        let due = waiting.iter().find_map(|(_, call, skill)| Some((*call, self.longest_idle(skill)?)));
        assert_eq!(due, Some((id, seat)), "the wrong call or the wrong seat");
        let told = self.told(id);
        told.goes(&[At::Waiting], At::Offered);
        assert!(told.offer.is_none() && told.party.is_none(), "{id} has two owners");
        told.offer = Some(Open { id: offer, seat, leg, rang: false });
        self.legs.insert(leg, Leg::new(id, Some(seat), false));
        self.seats.get_mut(&seat).expect("a seat of the plan").takes(leg);
    }

    pub(super) fn leg_answers(&mut self, id: LegId) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.hung_up_at.is_some() {
            leg.late = true;
            return;
        }
        let (call, is_first) = (leg.call, leg.is_first);
        leg.answered = true;
        let told = self.calls.get_mut(&call).expect("a leg has its call");
        told.now = now;
        if is_first {
            if told.at == At::Joining {
                told.goes(&[At::Joining], At::Talking);
            }
            return;
        }
        let open = told.offer.take().expect("a seat's leg that is not offered answers");
        assert_eq!(open.leg, id, "another leg than the offered one is up");
        told.party = Some((open.seat, id));
        let caller = told.first_leg;
        let up = self.legs.get(&caller).is_some_and(|leg| leg.answered);
        let told = self.calls.get_mut(&call).expect("a leg has its call");
        told.goes(&[At::Offered], if up { At::Talking } else { At::Joining });
        self.seats.get_mut(&open.seat).expect("a seat of the plan").talks();
    }

    pub(super) fn leg_ended(&mut self, id: CallId, leg: LegId, cause: Cause) {
        let now = self.now;
        let gone = self.legs.remove(&leg).unwrap_or_else(|| panic!("{leg} ends twice"));
        assert_eq!(gone.call, id, "{leg} ends in another call");
        match self.last_word.take() {
            Some(word) => assert_eq!(word, (leg, cause), "another last word than was said"),
            None => {
                let longest = Duration::from_millis(self.config.clear_max_ms.into());
                let since = gone.hung_up_at.expect("a leg is given up that nobody hung up");
                assert!(self.ticking && now.since(since) >= longest, "{leg} is given up too early");
            }
        }
        let wrap_up = self.calls[&id].queue.as_ref().map(|queue| self.queues[queue].wrap_up);
        let rest = After::Rest(Duration::from_millis(self.config.rest_ms.into()));
        let told = self.calls.get_mut(&id).expect("a leg has its call");
        told.now = now;
        let ends = told.party.is_some_and(|(_, party)| party == leg);
        let mut after = None;
        if gone.is_first && told.at != At::Ending {
            told.fate = Some(fate_of(told.at, told.party.map(|(seat, _)| seat), cause));
            let talked = told.at == At::Talking;
            after = told.party.take().map(|(seat, party)| {
                (seat, party, if talked { After::WrapUp(wrap_up.unwrap_or_default()) } else { After::Free })
            });
            told.ends();
        } else if ends && told.at == At::Joining {
            after = told.party.take().map(|(seat, party)| (seat, party, rest));
            told.goes(&[At::Joining], At::Waiting);
        } else if ends && told.at == At::Talking {
            after = told.party.take().map(|(seat, party)| (seat, party, After::WrapUp(wrap_up.unwrap_or_default())));
            told.fate = after.map(|(seat, ..)| Fate::Answered { seat });
            told.ends();
        }
        if let Some((seat, party, after)) = after {
            self.seats.get_mut(&seat).expect("a seat of the plan").leaves(party, after);
        }
        if let Some(seat) = gone.seat.and_then(|seat| self.seats.get_mut(&seat)) {
            if gone.is_first {
                seat.leaves(leg, After::Free);
            }
            seat.leg_is_gone(leg, now);
        }
    }

    pub(super) fn ended(&mut self, id: CallId, fate: Fate) {
        // A withdrawn telephone may say its last word later; the caller has said it.
        let open = self.legs.values().filter(|leg| leg.call == id);
        assert!(open.into_iter().all(|leg| !leg.is_first && leg.hung_up_at.is_some()), "{id} ends before its caller");
        let told = self.told(id);
        assert!(!told.over, "{id} has two fates");
        assert_eq!(told.fate, Some(fate), "the wrong fate for {id}");
        assert!(!told.recording, "{id} ends and its recording does not");
        told.over = true;
        let name = match fate {
            Fate::Answered { .. } => "answered".to_owned(),
            Fate::AbandonedInGreeting
            | Fate::AbandonedInQueue
            | Fate::AbandonedInRing
            | Fate::Overflowed
            | Fate::Refused { .. }
            | Fate::Failed { .. }
            | Fate::LeftWish
            | Fate::Served
            | Fate::Reached { .. }
            | Fate::NotReached { .. }
            | Fate::CutByRestart => format!("{fate:?}"),
        };
        *self.fates.entry(name).or_default() += 1;
    }
}
