//! What the model knows of a call, and the rows that move it.

use std::time::Duration;

use yihao::types::{AgentId, CallId, Cause, Choice, Decision, Fate, LegId, Mono, OfferId, Origin, PhoneNumber, SeatId};

use super::legs::Leg;
use super::outings::{Dialled, Outing};
use super::outside::{Line, Reach};
use super::seats::{After, Doing};
use super::{Model, fate_of};

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    New,
    Greeting,
    /// Has left one queue for the next and is in neither.
    Moving,
    Waiting,
    Offered,
    Joining,
    Talking,
    Overflow,
    /// Hears that a message may be spoken.
    Wishing,
    /// Hears that the wish for a callback is noted.
    Wished,
    /// Speaks a message.
    Message,
    /// Somebody outside is rung for the caller.
    Reaching,
    /// Caller and somebody outside talk.
    Outside,
    /// The caller hears that the number is served no more, or that nobody outside answers.
    LastWords,
    Feature,
    /// A seat has ordered the call and is rung itself.
    Summoning,
    /// Its party is rung.
    Calling,
    /// Both talk.
    Called,
    /// The seat hears why its call has come to nothing.
    Telling,
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
    /// Priority of the line.
    pub(crate) priority: u8,
    /// The mark whose row is due.
    pub(crate) mark: Option<String>,
    pub(crate) arrived_at: Mono,
    pub(super) caller: Option<PhoneNumber>,
    /// When it was last told where it stands, or began to wait.
    pub(super) told_at: Mono,
    /// The seat that knows the caller.
    pub(crate) prefer: Option<SeatId>,
    pub(crate) first_leg: LegId,
    pub(crate) at: At,
    pub(crate) since: Mono,
    pub(super) now: Mono,
    pub(crate) queue: Option<String>,
    /// Since when it waits in this queue, and at all.
    pub(crate) queued_at: Mono,
    pub(crate) waits_since: Option<Mono>,
    /// Whether it has joined its queue before.
    pub(super) queued_once: bool,
    /// Queues that it has left.
    pub(crate) left: Vec<String>,
    /// Places outside to which rules have sent it.
    pub(super) tried: Vec<String>,
    /// Prompts that it has still to hear before anything else.
    pub(super) prompts: usize,
    /// Who is reached outside, and the old desk that rings beside the seats.
    pub(super) reach: Option<Reach>,
    pub(super) desk: Option<Reach>,
    /// Whom it has reached outside, and whether the row of that is due.
    pub(super) through: Option<(LegId, bool)>,
    /// With which it ends when the caller has heard why.
    pub(super) last_words: Option<Fate>,
    pub(crate) offers: Vec<Open>,
    pub(crate) party: Option<(SeatId, LegId)>,
    pub(crate) refusal: Option<Cause>,
    pub(crate) prompt_over: bool,
    pub(crate) fate: Option<Fate>,
    pub(crate) over: bool,
    recording: bool,
    recorded: bool,
    /// What a seat has placed.
    pub(super) outing: Option<Outing>,
    /// With which it ends when a sentence has been heard.
    pub(super) sentence: Option<Fate>,
    /// Everybody in it hears that it will end, and that sentence is over now.
    pub(super) notice: bool,
    pub(super) notice_over: bool,
}

impl Told {
    pub(super) fn new(first_leg: LegId, at: At, now: Mono) -> Self {
        Self {
            priority: 0,
            mark: None,
            arrived_at: now,
            caller: None,
            told_at: now,
            prefer: None,
            first_leg,
            at,
            since: now,
            now,
            queue: None,
            queued_at: now,
            waits_since: None,
            queued_once: false,
            left: Vec::new(),
            tried: Vec::new(),
            prompts: 0,
            reach: None,
            desk: None,
            through: None,
            last_words: None,
            offers: Vec::new(),
            party: None,
            refusal: None,
            prompt_over: false,
            fate: None,
            over: false,
            recording: false,
            recorded: false,
            outing: None,
            sentence: None,
            notice: false,
            notice_over: false,
        }
    }

    pub(crate) fn goes(&mut self, from: &[At], to: At) {
        assert!(from.contains(&self.at), "from {:?} to {to:?}", self.at);
        self.at = to;
        self.since = self.now;
        self.prompt_over = false;
    }

    pub(crate) fn overflows(&mut self) {
        self.goes(&[At::Greeting, At::Moving, At::Waiting], At::Overflow);
    }

    pub(crate) fn ends(&mut self) {
        self.at = At::Ending;
    }

    pub(crate) fn records(&mut self) {
        assert!(!self.recorded, "recorded twice");
        assert!(
            matches!(self.at, At::Joining | At::Talking | At::Message | At::Outside | At::Called),
            "recorded in {:?}",
            self.at
        );
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
        let (expected, from, called, caller) = self.arriving.take().expect("a row of an arrival that was not fed");
        assert_eq!((expected, from), (leg, origin));
        let dialled = self.dialled(origin, &called);
        let refusal = match &dialled {
            Dialled::Nothing => self.expected_refusal(origin, &called),
            Dialled::Refused(cause) => Some(*cause),
            Dialled::Told | Dialled::Placed(_) => None,
        };
        let line = self.lines.get(&called).filter(|_| matches!(origin, Origin::Trunk(_)) && refusal.is_none()).cloned();
        let (of, queue, prompts) = match &line {
            Some(Line::Queue { priority, queue, prompts, .. }) => (*priority, Some(queue.clone()), *prompts),
            Some(Line::Outside { priority, fallback, prompts, .. }) => (*priority, fallback.clone(), *prompts),
            Some(Line::Told { .. } | Line::NotServed) | None => (0, None, 0),
        };
        let takes_marks = matches!(line, Some(Line::Queue { .. } | Line::Outside { .. }));
        let (mark, priority, queue) = match self.mark_of(caller.as_ref()).filter(|_| takes_marks) {
            Some("nuisance") => (Some("nuisance"), 0, queue.map(|_| "night".to_owned())),
            Some(mark) => (Some(mark), 8, queue),
            None => (None, of, queue),
        };
        let (reach, desk, last_words) = match line {
            Some(Line::Queue { desk, .. }) => (None, desk, None),
            Some(Line::Outside { reach, .. }) => (Some(reach), None, None),
            Some(Line::Told { refusal: cause, .. }) => (None, None, Some(Fate::Refused { cause })),
            Some(Line::NotServed) | None => (None, None, None),
        };
        let feature = matches!((origin, &dialled), (Origin::Seat(_), Dialled::Nothing)) && refusal.is_none();
        let mut told = Told {
            priority,
            mark: mark.map(str::to_owned),
            prefer: caller.as_ref().and_then(|caller| self.who_knows(caller)),
            caller,
            queue,
            refusal,
            // The priority's mark brings a prompt with it.
            prompts: prompts + usize::from(mark == Some("priority")),
            reach,
            desk,
            last_words,
            ..Told::new(leg, if feature { At::Feature } else { At::New }, self.now)
        };
        match dialled {
            Dialled::Nothing | Dialled::Refused(_) => {}
            Dialled::Told => {
                told.at = At::Telling;
                told.sentence = Some(Fate::Refused { cause: Cause::NoSuchNumber });
            }
            Dialled::Placed(outing) => told.outing = Some(outing),
        }
        let seat = match origin {
            Origin::Seat(seat) if refusal.is_none() => Some(seat),
            Origin::Seat(_) | Origin::Trunk(_) => None,
        };
        self.places_now = told.outing.is_some().then_some(id);
        assert!(self.calls.insert(id, told).is_none(), "{id} begins twice");
        self.legs.insert(leg, Leg::new(id, seat, true));
        if let Some(seat) = seat.filter(|_| feature) {
            self.feature(seat, (leg, id), &called);
        }
    }

    fn feature(&mut self, id: SeatId, (leg, call): (LegId, CallId), code: &str) {
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
            seat.takes(now, leg, call, Doing::Own);
        }
    }

    /// Of the two marks of the city the nuisance comes first and needs an approval.
    fn mark_of(&self, caller: Option<&PhoneNumber>) -> Option<&'static str> {
        let has = |name: &str, approval: bool| {
            self.marks.iter().any(|entry| {
                let counts = entry.approved || !approval;
                let lasts = entry.until.is_none_or(|until| self.wall < until);
                Some(&entry.number) == caller && &*entry.mark.0 == name && counts && lasts
            })
        };
        [("nuisance", true), ("priority", false)].into_iter().find(|(name, of)| has(name, *of)).map(|(name, _)| name)
    }

    /// Where whoever talked with this caller last sits now.
    fn who_knows(&self, caller: &PhoneNumber) -> Option<SeatId> {
        match self.familiar.get(caller)? {
            (_, Some(person)) => {
                let sits = |seat: &super::seats::Seat| seat.agent.as_ref().is_some_and(|agent| agent.id == *person);
                self.seats.iter().find(|(_, seat)| sits(seat)).map(|(id, _)| *id)
            }
            (seat, None) => Some(*seat),
        }
    }

    pub(super) fn knows(&mut self, id: CallId, seat: SeatId, person: Option<AgentId>) {
        let told = &self.calls[&id];
        let asks = self.queues[told.queue.as_ref().expect("its queue")].choice() == Choice::LastAgent;
        if let Some(caller) = told.caller.as_ref().filter(|_| asks) {
            self.familiar.insert(caller.clone(), (seat, person));
        }
    }

    pub(super) fn queued(&mut self, id: CallId, queue: &str, (ahead, serving): (u32, u32)) {
        let (now, waiting) = (self.now, self.waiting_in(queue));
        let prompt = Duration::from_millis(self.config.prompt_max_ms.into());
        let comes_back = self.calls[&id].queued_once;
        assert!(comes_back || waiting < self.queues[queue].max_waiting, "{id} joins a full queue");
        assert_eq!(ahead as usize, waiting, "what the row says of the queue");
        // Of several deadlines in one tick the model lets those of seats pass first.
        assert!(self.ticking || serving as usize == self.serving(queue), "what the row says of the seats");
        let told = self.told(id);
        assert_eq!(told.queue.as_deref(), Some(queue), "another queue than its own");
        if told.at == At::Greeting {
            assert!(told.prompt_over || now.since(told.since) >= prompt, "{id} did not hear the whole greeting");
        }
        told.waits_since.get_or_insert(now);
        assert_eq!(told.prompts, 0, "{id} waits before it has heard everything");
        told.goes(&[At::Greeting, At::Moving], At::Waiting);
        if !std::mem::replace(&mut told.queued_once, true) {
            (told.queued_at, told.told_at) = (now, now);
        }
        self.desk_rings(id);
    }

    /// An offer is right when it is exactly the one that the lists ask for.
    pub(super) fn offered(&mut self, id: CallId, open: Open, why: &Decision) {
        if let Some(next) = self.ring_too.first().copied() {
            assert_eq!(next, open.seat, "another seat is rung too");
            self.ring_too.remove(0);
            assert_eq!(self.told(id).at, At::Offered, "another call is offered in between");
        } else {
            let due = self.due().expect("an offer that nothing asks for");
            assert_eq!((due.call, due.seats[0]), (id, open.seat), "the wrong call or the wrong seat");
            self.decided(&due, why);
            self.note(format!("a match by {}", why.choice.as_str()));
            if due.seats.len() > 1 {
                self.note("several seats ring");
            }
            if why.step > 0 {
                self.note("an offer after widening");
            }
            if usize::from(why.priority) > usize::from(self.calls[&id].priority) {
                self.note("an offer after ageing");
            }
            self.ring_too = due.seats[1..].to_vec();
            self.note_turn(&due);
            let told = self.told(id);
            told.goes(&[At::Waiting], At::Offered);
            assert!(told.offers.is_empty() && told.party.is_none(), "{id} has two owners");
        }
        self.legs.insert(open.leg, Leg::new(id, Some(open.seat), false));
        let now = self.now;
        self.seats.get_mut(&open.seat).expect("a seat of the plan").takes(now, open.leg, id, Doing::Rung);
        self.told(id).offers.push(open);
    }

    pub(super) fn leg_answers(&mut self, id: LegId) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.hung_up_at.is_some() {
            leg.late = true;
            return;
        }
        let early = leg.early;
        let (call, is_first) = (leg.call, leg.is_first);
        leg.answered = true;
        leg.confirmed = true;
        if self.calls[&call].outing.is_some() {
            return self.outing_answers(call, id);
        }
        if self.outside_answers(call, id) {
            return;
        }
        let told = self.calls.get_mut(&call).expect("a leg has its call");
        told.now = now;
        if is_first {
            if told.at == At::Joining {
                told.goes(&[At::Joining], At::Talking);
            }
            if told.at == At::Outside && early {
                told.through = told.through.map(|(leg, _)| (leg, true));
            }
            return;
        }
        let index = told.offers.iter().position(|open| open.leg == id);
        let open = told.offers.remove(index.expect("a seat's leg that is not offered answers"));
        told.party = Some((open.seat, id));
        let caller = told.first_leg;
        let leg = &self.legs[&caller];
        let up = leg.answered && !leg.may_be_unanswered();
        let again = leg.answered && !up;
        let told = self.calls.get_mut(&call).expect("a leg has its call");
        told.goes(&[At::Offered], if up { At::Talking } else { At::Joining });
        if again {
            self.note("a second seat answers before the answer has reached the caller");
        }
        self.seats.get_mut(&open.seat).expect("a seat of the plan").talks();
    }

    pub(super) fn leg_ended(&mut self, id: CallId, leg: LegId, (cause, status): (Cause, Option<u16>)) {
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
        if self.calls[&id].outing.is_some() || self.calls[&id].sentence.is_some() {
            self.outing_leg_ended(id, leg, &gone, (cause, status));
            if let Some(seat) = gone.seat.and_then(|seat| self.seats.get_mut(&seat)) {
                seat.leg_is_gone(leg, now);
            }
            return;
        }
        if self.outside_ended(id, leg, &gone, cause) {
            return;
        }
        let wrap_up = self.calls[&id].queue.as_ref().map(|queue| self.queues[queue].wrap_up);
        let rest = After::Rest(Duration::from_millis(self.config.rest_ms.into()));
        let told = self.calls.get_mut(&id).expect("a leg has its call");
        told.now = now;
        let ends = told.party.is_some_and(|(_, party)| party == leg);
        let mut after = None;
        if gone.is_first && told.at != At::Ending {
            let seat = told.party.map(|(seat, _)| seat);
            told.fate = Some(match (told.at, told.last_words) {
                (At::LastWords, Some(fate)) => fate,
                (At::Outside, _) if gone.may_be_unanswered() => fate_of(At::Reaching, seat, cause),
                (at, _) => fate_of(at, seat, cause),
            });
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
            Fate::Reached { .. } => "reached".to_owned(),
            Fate::AnsweredOutside => "answered outside".to_owned(),
            Fate::AbandonedInGreeting
            | Fate::AbandonedInQueue
            | Fate::AbandonedInRing
            | Fate::Overflowed
            | Fate::Refused { .. }
            | Fate::Failed { .. }
            | Fate::LeftWish
            | Fate::Served
            | Fate::NotReached { .. }
            | Fate::UnansweredOutside { .. }
            | Fate::CutByRestart
            | Fate::CutByDrain => format!("{fate:?}"),
        };
        *self.fates.entry(name).or_default() += 1;
    }
}
