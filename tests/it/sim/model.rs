//! The reference model: a slow and simple account of what must happen, kept from inputs and ledger rows alone. It scans
//! lists where the center keeps indexes, and panics on the first difference.

use std::collections::BTreeMap;
use std::time::Duration;

use yihao::center::{Config, Effect, Input, PresenceCommand, Reply, SeatChange, TalkCommand, WrapUpCommand};
use yihao::dialplan::Plan;
use yihao::types::{
    Agent, AgentId, CallEvent, CallId, CallerMark, Cause, Fate, LegCommand, LegEvent, LegId, Level, Mono, Now, OfferId,
    Origin, PhoneNumber, Row, SeatId, Source, Wall,
};

use super::ear::Ear;

mod calls;
mod legs;
mod outings;
mod outside;
mod queues;
mod seats;

pub(crate) use calls::At;
use calls::Told;
use legs::Leg;
use outings::Outing;
use outside::{Line, Reach};
use queues::Queue;
use seats::{After, Seat};

#[derive(Debug)]
pub(crate) struct Model {
    config: Config,
    queues: BTreeMap<String, Queue>,
    skills: BTreeMap<SeatId, Vec<(String, Level)>>,
    /// What each line does with its callers.
    lines: BTreeMap<String, Line>,
    /// Places outside by name.
    places: BTreeMap<String, Reach>,
    /// The caller lists.
    marks: Vec<CallerMark>,
    /// Who talked with which caller last, where the queue asks for it.
    familiar: BTreeMap<PhoneNumber, (SeatId, Option<AgentId>)>,
    draining: bool,
    /// When the drain ends all calls, and whether everybody was told.
    drain_end: Option<Mono>,
    noticed: bool,
    /// An order that was granted and has no row yet.
    ordered: Option<Outing>,
    /// The call in which a phone has dialled somebody.
    places_now: Option<CallId>,
    seats: BTreeMap<SeatId, Seat>,
    pub(crate) calls: BTreeMap<CallId, Told>,
    legs: BTreeMap<LegId, Leg>,
    /// The last word of a leg that was fed and has no row yet.
    last_word: Option<(LegId, Cause)>,
    /// The leg that arrives with this input: its number decides what must happen.
    arriving: Option<(LegId, Origin, String, Option<PhoneNumber>)>,
    /// Seats that must be rung together with the one of the last row.
    ring_too: Vec<SeatId>,
    /// A result that an agent has given and that has no row yet.
    result: Option<CallId>,
    now: Mono,
    wall: Wall,
    ticking: bool,
    pub(crate) fates: BTreeMap<String, u64>,
    /// How often the rarer things happened: a world in which they never do proves nothing.
    pub(crate) seen: BTreeMap<String, u64>,
}

impl Model {
    pub(crate) fn new(plan: &Plan, config: Config) -> Self {
        Self {
            config,
            queues: queues::queues(plan),
            marks: Vec::new(),
            familiar: BTreeMap::new(),
            ring_too: Vec::new(),
            result: None,
            skills: plan.seats.iter().map(|(id, seat)| (*id, seat.skills.clone())).collect(),
            lines: outside::lines(plan),
            places: outside::places(plan),
            draining: false,
            drain_end: None,
            noticed: false,
            ordered: None,
            places_now: None,
            seats: plan.seats.keys().map(|id| (*id, Seat::default())).collect(),
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            last_word: None,
            arriving: None,
            now: Mono::default(),
            wall: Wall::default(),
            ticking: false,
            fates: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    /// What an input means, before the center has seen it.
    pub(crate) fn before(&mut self, now: Now, input: &Input, ear: &Ear) {
        (self.now, self.wall) = (now.mono, now.wall);
        self.ticking = matches!(input, Input::Tick);
        match input {
            Input::Leg { leg, event } => self.leg_speaks(*leg, event),
            Input::PromptEnded { leg, run } => {
                if ear.plays(*leg, *run)
                    && let Some(told) = self.call_of(*leg)
                {
                    let over = if told.notice { &mut told.notice_over } else { &mut told.prompt_over };
                    *over = true;
                }
            }
            Input::Reachable { seat, reachable } => {
                if let Some(seat) = self.seats.get_mut(seat) {
                    seat.reachable = *reachable;
                }
            }
            Input::Drain { within, .. } => self.drains(*within),
            Input::Resume { .. } => self.resumes(),
            Input::Tick => {
                for seat in self.seats.values_mut() {
                    seat.time_passes(now.mono);
                }
            }
            Input::CallerLists { marks } => self.marks.clone_from(marks),
            Input::Plan { .. } => self.orders_begin_anew(),
            Input::SignIn { .. }
            | Input::WrapUp { .. }
            | Input::Talk { .. }
            | Input::DialOut { .. }
            | Input::Transfer { .. }
            | Input::Supervise { .. }
            | Input::Help { .. }
            | Input::Surge { .. }
            | Input::Audit
            | Input::Presence { .. }
            | Input::Look { .. }
            | Input::Measured { .. }
            | Input::RecordingFailed { .. }
            | Input::TrunkHealth { .. } => {}
        }
    }

    fn leg_speaks(&mut self, leg: LegId, event: &LegEvent) {
        match event {
            LegEvent::Arrived(arrival) => {
                self.arriving =
                    Some((leg, arrival.origin, arrival.called.as_str().to_owned(), arrival.calling.number.clone()));
            }
            LegEvent::Ended { cause, .. } => {
                if self.legs.contains_key(&leg) {
                    self.last_word = Some((leg, *cause));
                }
            }
            LegEvent::Answered => self.leg_answers(leg),
            LegEvent::Held(held) => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.held = *held;
                }
            }
            LegEvent::Digit { .. } => {
                let first = self.legs.get(&leg).filter(|leg| leg.is_first).map(|leg| leg.call);
                first.into_iter().for_each(|call| self.key(call));
            }
            LegEvent::Ringing => {
                if let Some(leg) = self.legs.get_mut(&leg).filter(|leg| leg.dialled && leg.hung_up_at.is_none()) {
                    leg.rang = true;
                }
            }
            LegEvent::EarlyMedia(heard) => self.is_heard_early(leg, *heard),
            LegEvent::NoEarlyMedia | LegEvent::Refer { .. } => {}
        }
    }

    /// Compares what the center did with what must happen.
    pub(crate) fn after(&mut self, input: &Input, effects: &[Effect], ear: &Ear) {
        if self.arriving.is_some() {
            let first = effects.first();
            assert!(
                matches!(first, Some(Effect::Ledger(Row { event: CallEvent::Arrived { .. }, .. }))),
                "the first effect of an arrival is {first:?}"
            );
        }
        if let Some(granted) = self.wish(input) {
            let replied = effects.iter().find_map(reply);
            assert_eq!(replied, Some(granted), "{input:?}");
            self.note(if granted { "a wish is granted" } else { "a wish is refused" });
        }
        for effect in effects {
            match effect {
                Effect::Ledger(row) => self.row(row),
                Effect::Leg { call, leg, command } => self.command(*call, *leg, command),
                Effect::Record { call, .. } => self.told(*call).records(),
                Effect::EndRecording { call } => self.told(*call).recording_ends(),
                Effect::Seat(news) => {
                    if let (SeatChange::Presence(_), Some(seat)) = (&news.change, self.seats.get_mut(&news.seat)) {
                        seat.untold = false;
                    }
                }
                Effect::Hear { call, .. } => {
                    let told = self.told(*call);
                    if told.at == At::Waiting {
                        // Another prompt of the announcement, or the music again.
                        told.prompt_over = false;
                    }
                }
                Effect::Reply { .. } => {}
            }
        }
        assert_eq!(self.arriving, None, "an arrival without its row");
        assert_eq!(self.last_word, None, "a last word without its row");
        if let Some((id, told)) = self.calls.last_key_value() {
            assert_eq!(told.mark, None, "{id} has a mark without its row");
        }
        assert_eq!(self.ring_too, [], "seats that must be rung are not");
        assert_eq!(self.result, None, "a result without its row");
        assert!(self.seats.values().all(|seat| !seat.untold), "a change of presence that nobody is told of");
        self.outings_are_consistent();
        self.outside_is_consistent();
        self.hears_notice(ear);
        self.nobody_waits_in_vain();
        self.nobody_is_rung_who_takes_no_calls();
        self.everybody_hears_what_they_should(ear);
    }

    /// A wish of an agent, granted or not as the rules say; nothing when the input is none.
    fn wish(&mut self, input: &Input) -> Option<bool> {
        match input {
            Input::Presence { seat, command, .. } => Some(self.chooses(*seat, command)),
            Input::SignIn { seat, agent, take_over, .. } => Some(self.signs_in(*seat, agent, *take_over)),
            Input::WrapUp { seat, command, .. } => Some(self.writes(*seat, command)),
            Input::Talk { seat, command, .. } => Some(self.desk(*seat, *command)),
            Input::DialOut { seat, number, .. } => Some(self.orders(*seat, number.as_str())),
            Input::Surge { .. } => Some(false),
            Input::Leg { .. }
            | Input::PromptEnded { .. }
            | Input::Measured { .. }
            | Input::RecordingFailed { .. }
            | Input::Reachable { .. }
            | Input::TrunkHealth { .. }
            | Input::Transfer { .. }
            | Input::Supervise { .. }
            | Input::Help { .. }
            | Input::CallerLists { .. }
            | Input::Audit
            | Input::Look { .. }
            | Input::Plan { .. }
            | Input::Drain { .. }
            | Input::Resume { .. }
            | Input::Tick => None,
        }
    }

    fn chooses(&mut self, id: SeatId, command: &PresenceCommand) -> bool {
        let now = self.now;
        self.seats.get_mut(&id).is_some_and(|seat| seat.wishes(command, now))
    }

    /// One person has one seat, one seat one person; a take-over waits for the end of a call.
    fn signs_in(&mut self, id: SeatId, agent: &Agent, take_over: bool) -> bool {
        let now = self.now;
        let Some(seat) = self.seats.get(&id) else { return false };
        let is = |seat: &Seat| seat.agent.as_ref().is_some_and(|other| other.id == agent.id);
        let taken = seat.is_signed_in() && !is(seat);
        let elsewhere = self.seats.iter().find(|(other, seat)| **other != id && is(seat)).map(|(other, _)| *other);
        if !take_over && (taken || elsewhere.is_some()) {
            return false;
        }
        let mut in_call = false;
        for other in elsewhere.into_iter().chain(taken.then_some(id)) {
            let other = self.seats.get_mut(&other).expect("found above");
            other.wishes(&PresenceCommand::SignOut, now);
            in_call |= other.is_signed_in();
        }
        if !in_call {
            self.seats.get_mut(&id).expect("found above").signs_in(now, Some(agent.clone()));
        }
        !in_call
    }

    fn writes(&mut self, id: SeatId, command: &WrapUpCommand) -> bool {
        let now = self.now;
        let done = self.seats.get_mut(&id).and_then(|seat| seat.writes(command, now));
        self.result = done.flatten();
        done.is_some()
    }

    /// Hold, retrieve and hang-up from the desk.
    fn desk(&mut self, id: SeatId, command: TalkCommand) -> bool {
        let Some(seat) = self.seats.get_mut(&id) else { return false };
        if let Some(own) = seat.own() {
            return self.own_desk(id, own, command);
        }
        let Some((leg, call)) = seat.talk() else {
            let rung = seat.busy.filter(|_| seat.is_rung());
            let rings = |(leg, call, _)| {
                let told: &Told = &self.calls[&call];
                told.offers.iter().any(|open| open.leg == leg && open.rang)
            };
            return match command {
                TalkCommand::HangUp => rung.is_some(),
                TalkCommand::Answer => rung.is_some_and(rings),
                TalkCommand::Hold | TalkCommand::Retrieve => false,
            };
        };
        let told = self.calls.get_mut(&call).expect("a talk has its call");
        match command {
            TalkCommand::Hold | TalkCommand::Retrieve => {
                self.legs.get_mut(&leg).expect("a talk has its leg").held = command == TalkCommand::Hold;
            }
            TalkCommand::Answer => return false,
            TalkCommand::HangUp if told.at != At::Talking => return false,
            TalkCommand::HangUp => {
                let rule = self.queues[told.queue.as_ref().expect("its queue")].wrap_up;
                told.party = None;
                told.fate = Some(Fate::Answered { seat: id });
                told.ends();
                seat.leaves(leg, After::WrapUp(rule));
            }
        }
        true
    }

    fn row(&mut self, row: &Row) {
        let id = row.call;
        match &row.event {
            CallEvent::Arrived { leg, origin, .. } => self.arrived(id, *leg, *origin),
            CallEvent::Greeted { .. } => {
                let (now, prompt) = (self.now, Duration::from_millis(self.config.prompt_max_ms.into()));
                let told = self.told(id);
                let over = told.prompt_over || now.since(told.since) >= prompt;
                assert!(told.at == At::New || over, "{id} hears the next prompt before the end of the first");
                let to = if told.last_words.is_some() { At::LastWords } else { At::Greeting };
                told.goes(&[At::New, At::Greeting], to);
                told.prompts = told.prompts.saturating_sub(1);
            }
            CallEvent::Announced { position, .. } => self.announced(id, *position),
            CallEvent::Wish { kind, file } => self.wishes(id, *kind, file.is_some()),
            CallEvent::AnsweredByExchange
            | CallEvent::Digit { .. }
            | CallEvent::Held { .. }
            | CallEvent::Recording { .. }
            | CallEvent::RecordingFailed { .. } => {
                assert!(!self.told(id).over, "{id} has a row after its end: {:?}", row.event);
            }
            CallEvent::Widened { step } => {
                let told = &self.calls[&id];
                assert_eq!(told.at, At::Waiting, "{id} widens out of turn");
                assert_eq!(usize::from(*step), self.step(told), "{id} has come to another step");
                self.note(format!("widened to step {step}"));
            }
            CallEvent::Overflowed { from, to, why } => self.overflows(id, from, to.as_deref(), *why),
            CallEvent::Result { .. } => {
                assert_eq!(self.result.take(), Some(id), "a result of another call");
                self.note("a result");
            }
            CallEvent::Marked { mark } => {
                let expected = self.told(id).mark.take();
                assert_eq!(expected.as_deref(), Some(&*mark.0), "another mark");
                self.note("a mark");
            }
            CallEvent::Placed { leg, seat, .. } => self.placed(id, *leg, *seat),
            CallEvent::Dialled { leg, destination: Some(place), .. } => {
                self.leaves_greeting(id);
                self.dials_outside(id, *leg, place);
            }
            CallEvent::Dialled { leg, destination: None, .. } => self.dials(id, *leg),
            CallEvent::AnsweredOutside { leg, .. } => self.answered_outside(id, *leg),
            CallEvent::Healed { .. }
            | CallEvent::TransferBegun { .. }
            | CallEvent::TransferAnswered { .. }
            | CallEvent::TransferJoined
            | CallEvent::TransferEnded { .. }
            | CallEvent::Supervised { .. } => {
                panic!("{id} has a row that nothing asks for: {:?}", row.event)
            }
            CallEvent::Quality { .. } => assert!(self.calls.contains_key(&id), "figures of no call"),
            CallEvent::Queued { queue, ahead, serving } => self.queued(id, queue, (*ahead, *serving)),
            CallEvent::Offered { offer, seat, leg, agent, decision } => {
                let why = decision.as_ref().expect("an offer has its reason");
                self.offered(id, calls::Open { id: *offer, seat: *seat, leg: *leg, rang: false }, why);
                assert_eq!(*agent, self.seats[seat].agent.as_ref().map(|agent| agent.id), "another person");
            }
            CallEvent::Ringing { offer } => {
                let open = self.told(id).offers.iter_mut().find(|open| open.id == *offer);
                open.expect("rings without an offer").rang = true;
            }
            CallEvent::OfferEnded { offer, cause } => self.offer_ended(id, *offer, *cause),
            CallEvent::Talking { seat, leg, agent } => {
                let person = self.seats[seat].agent.as_ref().map(|agent| agent.id);
                assert_eq!(*agent, person, "another person talks");
                if self.talks_out(id, *seat, *leg) {
                    return;
                }
                self.knows(id, *seat, person);
                let told = self.told(id);
                assert_eq!(told.at, At::Talking, "{id} talks out of turn");
                assert_eq!(told.party, Some((*seat, *leg)), "{id} talks with somebody else");
            }
            CallEvent::LegEnded { leg, cause, status } => self.leg_ended(id, *leg, (*cause, *status)),
            CallEvent::Ended { fate } => self.ended(id, *fate),
        }
    }

    fn told(&mut self, id: CallId) -> &mut Told {
        let told = self.calls.get_mut(&id).unwrap_or_else(|| panic!("{id} has no first row"));
        told.now = self.now;
        told
    }

    fn call_of(&mut self, leg: LegId) -> Option<&mut Told> {
        let call = self.legs.get(&leg)?.call;
        self.calls.get_mut(&call)
    }

    /// Nobody is left when the world is over.
    pub(crate) fn nothing_is_left(&self) {
        for (id, told) in &self.calls {
            assert!(told.over, "{id} never ended: {told:?}");
        }
        assert!(self.legs.is_empty(), "legs are left: {:?}", self.legs);
        for (id, seat) in &self.seats {
            assert_eq!(seat.busy, None, "{id} is stuck");
        }
    }

    fn expected_refusal(&self, origin: Origin, called: &str) -> Option<Cause> {
        let code = matches!(called, "*40" | "*41" | "*42" | "*43");
        match origin {
            Origin::Trunk(_) | Origin::Seat(_) if self.draining => Some(Cause::Restart),
            Origin::Trunk(_) => match self.lines.get(called) {
                Some(Line::Queue { .. } | Line::Outside { .. } | Line::Told { heard: true, .. }) => None,
                Some(Line::Told { refusal, heard: false }) => Some(*refusal),
                Some(Line::NotServed) => Some(Cause::ModeNotServed),
                None => Some(Cause::NoSuchNumber),
            },
            Origin::Seat(_) if code => None,
            Origin::Seat(_) => Some(Cause::NoSuchNumber),
        }
    }

    fn offer_ended(&mut self, id: CallId, offer: OfferId, cause: Cause) {
        let (now, cut) = (self.now, self.is_cut());
        let told = self.told(id);
        let no_more = cut || told.at == At::Ending || told.party.is_some() || told.through.is_some();
        let index = told.offers.iter().position(|open| open.id == offer).expect("an offer ends that is not open");
        let open = told.offers.remove(index);
        if told.at == At::Offered && told.offers.is_empty() {
            told.goes(&[At::Offered], At::Waiting);
        }
        let by_itself = !self.legs.contains_key(&open.leg);
        let rest = After::Rest(Duration::from_millis(self.config.rest_ms.into()));
        let seat = self.seats.get_mut(&open.seat).expect("a seat of the plan");
        let after = match cause {
            Cause::Cancelled => {
                assert!(no_more || !seat.takes_calls(), "an offer of {id} is taken back without a reason");
                After::Free
            }
            Cause::Unregistered if !by_itself => After::Free,
            Cause::Declined => {
                seat.not_ready(now);
                After::Free
            }
            Cause::NoAnswer if open.rang => {
                seat.not_ready(now);
                After::Free
            }
            Cause::NoAnswer
            | Cause::Unregistered
            | Cause::HungUp
            | Cause::Busy
            | Cause::Unreachable
            | Cause::NoSuchNumber
            | Cause::Gone
            | Cause::Closed
            | Cause::Loop
            | Cause::ModeNotServed
            | Cause::NoCommonMedia
            | Cause::Overload
            | Cause::Failed
            | Cause::PeerLost
            | Cause::Restart => {
                seat.strike(now);
                rest
            }
        };
        seat.leaves(open.leg, after);
        if by_itself {
            seat.leg_is_gone(open.leg, self.now);
        }
    }
}

/// Fate of a caller who is gone.
fn fate_of(at: At, seat: Option<SeatId>, cause: Cause) -> Fate {
    let left = matches!(cause, Cause::HungUp | Cause::Cancelled);
    match (at, seat) {
        (At::Talking, Some(seat)) => Fate::Answered { seat },
        (At::Overflow, _) => Fate::Overflowed,
        (At::Outside, _) => Fate::AnsweredOutside,
        (At::Message | At::Wished, _) => Fate::LeftWish,
        (At::Greeting, _) if left => Fate::AbandonedInGreeting,
        (At::Waiting | At::Wishing, _) if left => Fate::AbandonedInQueue,
        (At::Offered | At::Joining | At::Reaching, _) if left => Fate::AbandonedInRing,
        (At::Feature, _) if left => Fate::Served,
        (At::Greeting | At::Waiting | At::Wishing | At::Offered | At::Joining | At::Reaching | At::Feature, _) => {
            Fate::Failed { cause }
        }
        (
            At::New
            | At::Moving
            | At::Talking
            | At::LastWords
            | At::Summoning
            | At::Calling
            | At::Called
            | At::Telling
            | At::Ending,
            _,
        ) => panic!("a caller is gone {at:?}"),
    }
}

impl Model {
    fn command(&mut self, call: CallId, id: LegId, command: &LegCommand) {
        if let LegCommand::Dial(dial) = command {
            let known = self.legs.get(&id).expect("an offer has its row before its dial");
            assert_eq!(known.call, call);
            let beside = dial.beside.is_some_and(|leg| self.legs.contains_key(&leg));
            assert!(beside || known.is_first, "dialled beside nobody");
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else {
            // Only a leg that was given up can still answer, and it is hung up for that.
            assert!(matches!(command, LegCommand::Hangup(_)), "{command:?} for {id}, which is gone");
            return;
        };
        assert_eq!(leg.call, call, "{command:?} for {id} names another call");
        let parted = leg.hung_up_at.is_some();
        leg.command(id, command, self.now);
        let hung_up = leg.hung_up_at == Some(self.now);
        let told = &self.calls[&call];
        if hung_up && (told.outing.is_some() || told.sentence.is_some()) {
            return self.outing_hung_up(call, id);
        }
        let leg = &self.legs[&id];
        if hung_up && !leg.is_first && leg.seat.is_none() {
            // One that answers after all is hung up once more.
            if !parted {
                self.outside_hung_up(call, id);
            }
            return;
        }
        if let Some(seat) = leg.seat.filter(|_| hung_up && leg.is_first) {
            self.seats.get_mut(&seat).expect("a seat of the plan").leaves(id, After::Free);
        }
        if leg.is_first && leg.hung_up_at == Some(self.now) {
            self.we_hang_up(call, command);
        }
    }

    /// The caller's leg is ended by us: only for a reason.
    fn we_hang_up(&mut self, id: CallId, command: &LegCommand) {
        let (now, config) = (self.now, self.config.clone());
        let wish_over = matches!(self.calls[&id].at, At::Wished | At::Message) && self.wish_is_over(&self.calls[&id]);
        let cut = self.is_cut();
        let last_words = self.last_words(&self.calls[&id], command);
        let told = self.told(id);
        let since = now.since(told.since);
        let prompt = Duration::from_millis(config.prompt_max_ms.into());
        let fate = match told.at {
            At::Ending => return,
            At::LastWords => last_words.expect("refused before it has heard why"),
            At::New => Fate::Refused { cause: told.refusal.expect("refused without a reason") },
            at if cut => Self::cut_fate(at),
            At::Overflow if told.prompt_over || since >= prompt => Fate::Overflowed,
            At::Feature if told.prompt_over || since >= prompt => Fate::Served,
            At::Wished | At::Message if wish_over => Fate::LeftWish,
            At::Joining if since >= Duration::from_millis(config.join_max_ms.into()) => {
                Fate::Failed { cause: Cause::PeerLost }
            }
            At::Greeting
            | At::Moving
            | At::Waiting
            | At::Offered
            | At::Joining
            | At::Talking
            | At::Reaching
            | At::Outside
            | At::Overflow
            | At::Wishing
            | At::Wished
            | At::Message
            | At::Feature
            | At::Summoning
            | At::Calling
            | At::Called
            | At::Telling => {
                panic!("{id} is told {command:?} in {:?}", told.at)
            }
        };
        let told = self.told(id);
        told.fate = Some(fate);
        let party = told.party.take();
        let talked = told.at == At::Talking;
        let queue = told.queue.clone();
        told.ends();
        if let Some((seat, leg)) = party {
            let rule = queue.filter(|_| talked).map(|queue| After::WrapUp(self.queues[&queue].wrap_up));
            self.seats.get_mut(&seat).expect("a seat of the plan").leaves(leg, rule.unwrap_or(After::Free));
        }
    }

    fn everybody_hears_what_they_should(&self, ear: &Ear) {
        for (id, told) in self.calls.iter().filter(|(_, told)| !told.over) {
            let heard = ear.hears(told.first_leg);
            let all = |fits: fn(&Source) -> bool| !heard.is_empty() && heard.iter().all(fits);
            let fine = match told.at {
                At::New | At::Ending => true,
                _ if told.notice => all(|source| matches!(source, Source::Prompt { .. })),
                At::Summoning => heard.is_empty(),
                At::Calling | At::Reaching => match told.rung().filter(|leg| self.legs[leg].heard) {
                    Some(leg) => heard == [Source::Leg { leg, gain_db: 0 }],
                    None => all(|source| matches!(source, Source::Ringback)),
                },
                At::Outside => {
                    let (to, _) = told.through.expect("somebody outside");
                    let held = [to, told.first_leg].iter().any(|leg| self.legs.get(leg).is_some_and(|leg| leg.held));
                    if held {
                        all(|source| matches!(source, Source::Music { .. }))
                    } else {
                        ear.joins(to, told.first_leg) && heard.len() == 1
                    }
                }
                At::Called => {
                    let to = Self::called_leg(told).expect("somebody is called");
                    let held = [to, told.first_leg].iter().any(|leg| self.legs.get(leg).is_some_and(|leg| leg.held));
                    if held {
                        all(|source| matches!(source, Source::Music { .. }))
                    } else {
                        ear.joins(to, told.first_leg) && heard.len() == 1
                    }
                }
                At::Moving => false,
                At::Message => heard.is_empty(),
                At::Greeting | At::Overflow | At::Wishing | At::Wished | At::Feature | At::Telling | At::LastWords => {
                    !told.prompt_over && all(|source| matches!(source, Source::Prompt { .. }))
                }
                // An announcement is cut for an offer.
                At::Offered => all(|source| matches!(source, Source::Music { .. })),
                At::Waiting => {
                    let says = all(|source| matches!(source, Source::Prompt { .. }));
                    all(|source| matches!(source, Source::Music { .. })) || (says && !told.prompt_over)
                }
                At::Joining | At::Talking => {
                    let (_, seat) = told.party.expect("somebody talks");
                    let held = [seat, told.first_leg].iter().any(|leg| self.legs.get(leg).is_some_and(|leg| leg.held));
                    if held {
                        all(|source| matches!(source, Source::Music { .. }))
                    } else {
                        ear.joins(seat, told.first_leg) && heard.len() == 1
                    }
                }
            };
            assert!(fine, "{id} in {:?} hears {heard:?}", told.at);
        }
    }

    fn nobody_is_rung_who_takes_no_calls(&self) {
        for (id, told) in self.calls.iter().filter(|(_, told)| told.at == At::Offered) {
            assert!(!told.offers.is_empty(), "{id} is offered to nobody");
            for open in &told.offers {
                assert!(self.seats[&open.seat].takes_calls(), "{id} rings at {}, which takes no calls", open.seat);
            }
        }
    }
}

fn reply(effect: &Effect) -> Option<bool> {
    match effect {
        Effect::Reply { reply, .. } => Some(matches!(reply, Reply::Done | Reply::Dialled(_))),
        Effect::Ledger(_)
        | Effect::Leg { .. }
        | Effect::Hear { .. }
        | Effect::Record { .. }
        | Effect::EndRecording { .. }
        | Effect::Seat(_) => None,
    }
}
