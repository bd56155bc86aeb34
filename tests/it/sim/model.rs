//! The reference model: a slow and simple account of what must happen, kept from inputs and ledger rows alone. It scans
//! lists where the center keeps indexes, and panics on the first difference.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use yihao::center::{Config, Effect, Input, PresenceCommand, Reply};
use yihao::dialplan::{Line, Plan, Service};
use yihao::types::{
    CallEvent, CallId, Cause, Fate, LegCommand, LegEvent, LegId, Mono, Now, OfferId, Origin, Row, SeatId, Source,
};

use super::ear::Ear;

mod calls;
mod legs;
mod seats;

pub(crate) use calls::At;
use calls::Told;
use legs::Leg;
use seats::{After, Seat};

/// What the world knows of a queue.
#[derive(Debug)]
struct Queue {
    skill: String,
    max_wait: Option<Duration>,
    max_waiting: usize,
    wrap_up: Duration,
}

#[derive(Debug)]
pub(crate) struct Model {
    config: Config,
    queues: BTreeMap<String, Queue>,
    skills: BTreeMap<SeatId, Vec<String>>,
    /// Priority of each line that is served.
    lines: BTreeMap<String, u8>,
    not_served: Vec<String>,
    draining: bool,
    seats: BTreeMap<SeatId, Seat>,
    pub(crate) calls: BTreeMap<CallId, Told>,
    legs: BTreeMap<LegId, Leg>,
    /// The last word of a leg that was fed and has no row yet.
    last_word: Option<(LegId, Cause)>,
    /// The leg that arrives with this input: its number decides what must happen.
    arriving: Option<(LegId, Origin, String)>,
    now: Mono,
    ticking: bool,
    pub(crate) fates: BTreeMap<String, u64>,
}

impl Model {
    pub(crate) fn new(plan: &Plan, config: Config) -> Self {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let queues = plan.queues.iter().map(|queue| {
            let known = Queue {
                skill: queue.skill.clone(),
                max_wait: queue.max_wait_ms.map(ms),
                max_waiting: queue.max_waiting as usize,
                wrap_up: ms(queue.wrap_up_ms),
            };
            (queue.name.clone(), known)
        });
        let served = |line: &Line| match &line.phases[0].service {
            Service::Queue(service) => Some((line.number.as_str().to_owned(), service.priority)),
            Service::NotServed => None,
        };
        let not_served = plan
            .lines
            .values()
            .filter(|line| matches!(line.phases[0].service, Service::NotServed))
            .map(|line| line.number.as_str().to_owned());
        Self {
            config,
            queues: queues.collect(),
            skills: plan.seats.iter().map(|(id, seat)| (*id, seat.skills.clone())).collect(),
            lines: plan.lines.values().filter_map(served).collect(),
            not_served: not_served.collect(),
            draining: false,
            seats: plan.seats.keys().map(|id| (*id, Seat::default())).collect(),
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            last_word: None,
            arriving: None,
            now: Mono::default(),
            ticking: false,
            fates: BTreeMap::new(),
        }
    }

    /// What an input means, before the center has seen it.
    pub(crate) fn before(&mut self, now: Now, input: &Input, ear: &Ear) {
        self.now = now.mono;
        self.ticking = matches!(input, Input::Tick);
        match input {
            Input::Leg { leg, event } => self.leg_speaks(*leg, event),
            Input::PromptEnded { leg, run } => {
                if ear.plays(*leg, *run)
                    && let Some(told) = self.call_of(*leg)
                {
                    told.prompt_over = true;
                }
            }
            Input::Reachable { seat, reachable } => {
                if let Some(seat) = self.seats.get_mut(seat) {
                    seat.reachable = *reachable;
                }
            }
            Input::Drain => self.draining = true,
            Input::Tick => {
                for seat in self.seats.values_mut() {
                    seat.time_passes(now.mono);
                }
            }
            Input::SignIn { .. }
            | Input::WrapUp { .. }
            | Input::Talk { .. }
            | Input::DialOut { .. }
            | Input::Surge { .. }
            | Input::CallerLists { .. }
            | Input::Audit
            | Input::Presence { .. }
            | Input::Look { .. }
            | Input::Plan { .. }
            | Input::Measured { .. }
            | Input::RecordingFailed { .. }
            | Input::TrunkHealth { .. } => {}
        }
    }

    fn leg_speaks(&mut self, leg: LegId, event: &LegEvent) {
        match event {
            LegEvent::Arrived(arrival) => {
                self.arriving = Some((leg, arrival.origin, arrival.called.as_str().to_owned()));
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
            LegEvent::Ringing | LegEvent::NoEarlyMedia | LegEvent::Digit { .. } => {}
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
        if let Input::Presence { seat, command, .. } = input {
            self.wish(*seat, command, effects);
        }
        for effect in effects {
            match effect {
                Effect::Ledger(row) => self.row(row),
                Effect::Leg { call, leg, command } => self.command(*call, *leg, command),
                Effect::Hear { call, set } => {
                    let overflow = set
                        .iter()
                        .flat_map(|hear| &hear.from)
                        .any(|source| matches!(source, Source::Prompt { name, .. } if name.0.starts_with("overflow/")));
                    if overflow {
                        self.overflows(*call);
                    }
                }
                Effect::Record { call, .. } => self.told(*call).records(),
                Effect::EndRecording { call } => self.told(*call).recording_ends(),
                Effect::Reply { .. } | Effect::Seat(_) => {}
            }
        }
        assert_eq!(self.arriving, None, "an arrival without its row");
        assert_eq!(self.last_word, None, "a last word without its row");
        self.nobody_waits_for_a_free_seat();
        self.nobody_is_rung_who_takes_no_calls();
        self.everybody_hears_what_they_should(ear);
    }

    /// A wish of an agent, granted or not as the rules say.
    fn wish(&mut self, id: SeatId, command: &PresenceCommand, effects: &[Effect]) {
        let now = self.now;
        let granted = self.seats.get_mut(&id).is_some_and(|seat| seat.wishes(command, now));
        let replied = effects.iter().find_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(*reply == Reply::Done),
            Effect::Ledger(_)
            | Effect::Leg { .. }
            | Effect::Hear { .. }
            | Effect::Record { .. }
            | Effect::EndRecording { .. }
            | Effect::Seat(_) => None,
        });
        assert_eq!(replied, Some(granted), "{command:?} of {id}");
    }

    fn row(&mut self, row: &Row) {
        let id = row.call;
        match &row.event {
            CallEvent::Arrived { leg, origin, .. } => self.arrived(id, *leg, *origin),
            CallEvent::Greeted { .. } => self.told(id).goes(&[At::New], At::Greeting),
            CallEvent::AnsweredByExchange
            | CallEvent::Digit { .. }
            | CallEvent::Held { .. }
            | CallEvent::Recording { .. }
            | CallEvent::RecordingFailed { .. } => {
                assert!(!self.told(id).over, "{id} has a row after its end: {:?}", row.event);
            }
            CallEvent::Marked { .. }
            | CallEvent::Widened { .. }
            | CallEvent::Announced { .. }
            | CallEvent::Overflowed { .. }
            | CallEvent::Wish { .. }
            | CallEvent::Dialled { .. }
            | CallEvent::Result { .. }
            | CallEvent::Healed { .. } => panic!("{id} has a row that nothing asks for: {:?}", row.event),
            CallEvent::Quality { .. } => assert!(self.calls.contains_key(&id), "figures of no call"),
            CallEvent::Queued { queue, .. } => self.queued(id, queue),
            CallEvent::Offered { offer, seat, leg, .. } => self.offered(id, *offer, *seat, *leg),
            CallEvent::Ringing { offer } => {
                let open = self.told(id).offer.as_mut().expect("rings without an offer");
                assert_eq!(open.id, *offer, "an old offer rings");
                open.rang = true;
            }
            CallEvent::OfferEnded { offer, cause } => self.offer_ended(id, *offer, *cause),
            CallEvent::Talking { seat, leg, .. } => {
                let told = self.told(id);
                assert_eq!(told.at, At::Talking, "{id} talks out of turn");
                assert_eq!(told.party, Some((*seat, *leg)), "{id} talks with somebody else");
            }
            CallEvent::LegEnded { leg, cause, .. } => self.leg_ended(id, *leg, *cause),
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
            Origin::Trunk(_) if self.lines.contains_key(called) => None,
            Origin::Trunk(_) if self.not_served.iter().any(|line| line == called) => Some(Cause::ModeNotServed),
            Origin::Seat(_) if code => None,
            Origin::Trunk(_) | Origin::Seat(_) => Some(Cause::NoSuchNumber),
        }
    }

    fn offer_ended(&mut self, id: CallId, offer: OfferId, cause: Cause) {
        let told = self.told(id);
        let caller_left = told.at == At::Ending;
        let open = told.offer.take().expect("an offer ends that is not open");
        assert_eq!(open.id, offer, "another offer ends than the open one");
        if told.at == At::Offered {
            told.goes(&[At::Offered], At::Waiting);
        }
        let by_itself = !self.legs.contains_key(&open.leg);
        let rest = After::Rest(Duration::from_millis(self.config.rest_ms.into()));
        let seat = self.seats.get_mut(&open.seat).expect("a seat of the plan");
        let after = match cause {
            Cause::Cancelled => {
                assert!(caller_left || !seat.takes_calls(), "an offer of {id} is taken back without a reason");
                After::Free
            }
            Cause::Unregistered if !by_itself => After::Free,
            Cause::Declined => {
                seat.not_ready();
                After::Free
            }
            Cause::NoAnswer if open.rang => {
                seat.not_ready();
                After::Free
            }
            Cause::NoAnswer
            | Cause::Unregistered
            | Cause::HungUp
            | Cause::Busy
            | Cause::Unreachable
            | Cause::NoSuchNumber
            | Cause::ModeNotServed
            | Cause::NoCommonMedia
            | Cause::Overload
            | Cause::Failed
            | Cause::PeerLost
            | Cause::Restart => {
                seat.strike();
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
        (At::Greeting, _) if left => Fate::AbandonedInGreeting,
        (At::Waiting, _) if left => Fate::AbandonedInQueue,
        (At::Offered | At::Joining, _) if left => Fate::AbandonedInRing,
        (At::Feature, _) if left => Fate::Served,
        (At::Greeting | At::Waiting | At::Offered | At::Joining | At::Feature, _) => Fate::Failed { cause },
        (At::New | At::Talking | At::Ending, _) => panic!("a caller is gone {at:?}"),
    }
}

impl Model {
    fn command(&mut self, call: CallId, id: LegId, command: &LegCommand) {
        if let LegCommand::Dial(dial) = command {
            let known = self.legs.get(&id).expect("an offer has its row before its dial");
            assert_eq!(known.call, call);
            assert!(dial.beside.is_some_and(|leg| self.legs.contains_key(&leg)), "dialled beside nobody");
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else {
            // Only a leg that was given up can still answer, and it is hung up for that.
            assert!(matches!(command, LegCommand::Hangup(_)), "{command:?} for {id}, which is gone");
            return;
        };
        assert_eq!(leg.call, call, "{command:?} for {id} names another call");
        leg.command(id, command, self.now);
        if leg.is_first && leg.hung_up_at == Some(self.now) {
            self.we_hang_up(call, command);
        }
    }

    /// The caller's leg is ended by us: only for a reason.
    fn we_hang_up(&mut self, id: CallId, command: &LegCommand) {
        let (now, config) = (self.now, self.config.clone());
        let told = self.told(id);
        let since = now.since(told.since);
        let prompt = Duration::from_millis(config.prompt_max_ms.into());
        let fate = match told.at {
            At::Ending => return,
            At::New => Fate::Refused { cause: told.refusal.expect("refused without a reason") },
            At::Overflow if told.prompt_over || since >= prompt => Fate::Overflowed,
            At::Feature if told.prompt_over || since >= prompt => Fate::Served,
            At::Joining if since >= Duration::from_millis(config.join_max_ms.into()) => {
                Fate::Failed { cause: Cause::PeerLost }
            }
            At::Greeting | At::Waiting | At::Offered | At::Joining | At::Talking | At::Overflow | At::Feature => {
                panic!("{id} is told {command:?} in {:?}", told.at)
            }
        };
        told.fate = Some(fate);
        let party = told.party.take();
        told.ends();
        if let Some((seat, leg)) = party {
            self.seats.get_mut(&seat).expect("a seat of the plan").leaves(leg, After::Free);
        }
    }

    fn everybody_hears_what_they_should(&self, ear: &Ear) {
        for (id, told) in self.calls.iter().filter(|(_, told)| !told.over) {
            let heard = ear.hears(told.first_leg);
            let all = |fits: fn(&Source) -> bool| !heard.is_empty() && heard.iter().all(fits);
            let fine = match told.at {
                At::New | At::Ending => true,
                At::Greeting | At::Overflow | At::Feature => {
                    !told.prompt_over && all(|source| matches!(source, Source::Prompt { .. }))
                }
                At::Waiting | At::Offered => all(|source| matches!(source, Source::Music { .. })),
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

    /// Calls that nobody has, in the order in which they must be served, with the skill that they need.
    fn waiting(&self) -> Vec<((Reverse<u8>, u64), CallId, String)> {
        let waits = self.calls.iter().filter(|(_, told)| told.at == At::Waiting);
        let mut waiting: Vec<_> = waits
            .map(|(id, told)| (told.order, *id, self.queues[told.queue.as_ref().expect("its queue")].skill.clone()))
            .collect();
        waiting.sort();
        waiting
    }

    /// The seat that must get the next call of a skill.
    fn longest_idle(&self, skill: &str) -> Option<SeatId> {
        let skilled = |id: &SeatId| self.skills[id].iter().any(|has| has == skill);
        let free = self.seats.iter().filter(|(id, seat)| seat.is_available() && skilled(id));
        free.map(|(id, seat)| (seat.free_since, *id)).min().map(|(_, id)| id)
    }

    fn nobody_is_rung_who_takes_no_calls(&self) {
        for (id, told) in self.calls.iter().filter(|(_, told)| told.at == At::Offered) {
            let seat = told.offer.as_ref().expect("an offer is open").seat;
            assert!(self.seats[&seat].takes_calls(), "{id} rings at {seat}, which takes no calls");
        }
    }

    fn nobody_waits_for_a_free_seat(&self) {
        for (_, id, skill) in self.waiting() {
            let seat = self.longest_idle(&skill);
            assert_eq!(seat, None, "{id} waits though a seat is free");
            if self.ticking {
                let told = &self.calls[&id];
                let most = self.queues[told.queue.as_ref().expect("its queue")].max_wait;
                let waited = self.now.since(told.queued_at);
                assert!(most.is_none_or(|most| waited < most), "{id} waits beyond its limit");
            }
        }
    }
}
