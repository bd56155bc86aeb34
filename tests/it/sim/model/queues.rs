//! What the model knows of queues, and who must get which call by their rules. It looks at every call and every seat.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use yihao::dialplan::{Announce, OverflowTo, OverflowWhen, Plan, WishOffer};
use yihao::types::{CallId, Choice, Decision, Level, Mono, OverflowWhy, SeatId, WishKind};

use super::Model;
use super::calls::{At, Told};
use super::seats::{Seat, WrapUp};

/// A queue, with other queues by name.
#[derive(Debug)]
pub(crate) struct Queue {
    skill: String,
    level: Level,
    choice: Choice,
    ring_most: usize,
    age: Option<Duration>,
    announce: Option<Announce>,
    wish: Option<WishOffer>,
    widen: Vec<Step>,
    overflow: Vec<(OverflowWhen, To)>,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) max_waiting: usize,
    pub(crate) wrap_up: WrapUp,
    /// Whom its seats' order gave a call last.
    last: Option<SeatId>,
}

#[derive(Debug)]
struct Step {
    after: Duration,
    level: Option<Level>,
    skills: Vec<String>,
    queues: Vec<String>,
}

/// Seats that may serve a call: those of a queue, or those with a skill.
#[derive(Debug)]
enum Pool<'a> {
    Queue(&'a str, Level),
    Skill(&'a str),
}

/// Who must get a call.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) call: CallId,
    pub(crate) seats: Vec<SeatId>,
    pool: String,
    candidates: usize,
    first: Vec<SeatId>,
    step: usize,
    priority: u8,
}

/// Where a rule of overflow leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Queue(String),
    Outside(String),
    Message,
}

impl To {
    fn name(&self) -> Option<&str> {
        match self {
            To::Queue(name) | To::Outside(name) => Some(name),
            To::Message => None,
        }
    }
}

pub(crate) fn queues(plan: &Plan) -> BTreeMap<String, Queue> {
    let ms = |ms: u32| Duration::from_millis(ms.into());
    let name = |id: &yihao::types::QueueId| plan.queue(*id).expect("a queue of the plan").name.clone();
    let outside = |id| plan.destination(id).expect("a place of the plan").name.clone();
    let queue = |queue: &yihao::dialplan::Queue| Queue {
        skill: queue.skill.clone(),
        level: queue.level,
        choice: queue.choice,
        ring_most: queue.ring_most as usize,
        age: queue.age_ms.map(ms),
        announce: queue.announce,
        wish: queue.wish.clone(),
        widen: queue
            .widen
            .iter()
            .map(|step| Step {
                after: ms(step.after_ms),
                level: step.level,
                skills: step.skills.clone(),
                queues: step.queues.iter().map(name).collect(),
            })
            .collect(),
        overflow: queue
            .overflow
            .iter()
            .map(|rule| match rule.to {
                OverflowTo::Queue(to) => (rule.when, To::Queue(name(&to))),
                OverflowTo::Destination(to) => (rule.when, To::Outside(outside(to))),
                OverflowTo::Message => (rule.when, To::Message),
            })
            .collect(),
        max_wait: queue.max_wait_ms.map(ms),
        max_waiting: queue.max_waiting as usize,
        wrap_up: WrapUp {
            time: ms(queue.wrap_up_ms),
            more: ms(queue.wrap_up_more_ms),
            most: ms(queue.wrap_up_most_ms),
            result: queue.result,
        },
        last: None,
    };
    plan.queues.iter().map(|planned| (planned.name.clone(), queue(planned))).collect()
}

impl Queue {
    pub(crate) fn choice(&self) -> Choice {
        self.choice
    }
}

impl Model {
    /// A new plan makes the orders of its seats anew.
    pub(super) fn orders_begin_anew(&mut self) {
        for queue in self.queues.values_mut() {
            queue.last = None;
        }
    }

    pub(super) fn priority(&self, told: &Told) -> u8 {
        let queue = &self.queues[told.queue.as_ref().expect("its queue")];
        let steps = queue.age.map_or(0, |age| self.now.since(told.arrived_at).as_nanos() / age.as_nanos());
        let risen = u128::from(told.priority) + steps;
        u8::try_from(risen.min(9)).expect("at most nine")
    }

    pub(super) fn step(&self, told: &Told) -> usize {
        let queue = &self.queues[told.queue.as_ref().expect("its queue")];
        let here = self.now.since(told.queued_at);
        queue.widen.iter().filter(|step| step.after <= here).count()
    }

    /// Level and list of queues of whoever sits there.
    fn has(&self, id: SeatId, skill: &str) -> Option<Level> {
        match &self.seats[&id].agent {
            Some(agent) => agent.skills.get(skill).copied(),
            None => self.skills[&id].iter().find(|(name, _)| name == skill).map(|(_, level)| *level),
        }
    }

    fn order(&self, id: SeatId) -> &[String] {
        self.seats[&id].agent.as_ref().map(|agent| agent.queues.as_slice()).unwrap_or_default()
    }

    /// Level at which a seat belongs to a queue.
    fn serves(&self, id: SeatId, queue: &str) -> Option<Level> {
        let order = self.order(id);
        let listed = order.is_empty() || order.iter().any(|name| name == queue);
        self.has(id, &self.queues[queue].skill).filter(|_| listed)
    }

    fn pools<'a>(&'a self, queue: &'a str, step: usize) -> Vec<Pool<'a>> {
        let rules = &self.queues[queue];
        let done = &rules.widen[..step];
        let lowest = done.iter().filter_map(|step| step.level).chain([rules.level]).min().expect("its own");
        let mut pools = vec![Pool::Queue(queue, lowest)];
        for step in done {
            pools.extend(step.skills.iter().map(|skill| Pool::Skill(skill)));
            pools.extend(step.queues.iter().map(|other| Pool::Queue(other, self.queues[other].level)));
        }
        pools
    }

    fn level_in(&self, id: SeatId, pool: &Pool<'_>) -> Option<Level> {
        match pool {
            Pool::Queue(queue, least) => self.serves(id, queue).filter(|level| level >= least),
            Pool::Skill(skill) => self.has(id, skill),
        }
    }

    /// The free seats of a pool in the order of its choice.
    fn free_in(&self, pool: &Pool<'_>) -> Vec<(Level, SeatId)> {
        let choice = match pool {
            Pool::Queue(queue, _) => self.queues[*queue].choice,
            Pool::Skill(_) => Choice::LongestIdle,
        };
        let key = |id: SeatId, seat: &Seat| match choice {
            Choice::LongestIdle | Choice::LastAgent | Choice::RingAll => (0, seat.free_since, id),
            Choice::FewestCalls => (seat.calls, seat.free_since, id),
            Choice::RoundRobin => (id.0, Mono::default(), id),
        };
        let free = self.seats.iter().filter(|(_, seat)| seat.is_available());
        let mut free: Vec<_> =
            free.filter_map(|(id, seat)| Some((Reverse(self.level_in(*id, pool)?), key(*id, seat)))).collect();
        free.sort();
        free.into_iter().map(|(Reverse(level), (.., id))| (level, id)).collect()
    }

    /// Calls that nobody has, in the order in which they must be served.
    pub(super) fn waiting(&self) -> Vec<(Reverse<u8>, CallId)> {
        let waits = self.calls.iter().filter(|(_, told)| told.at == At::Waiting);
        let mut waiting: Vec<_> = waits.map(|(id, told)| (Reverse(self.priority(told)), *id)).collect();
        waiting.sort();
        waiting
    }

    /// Who must get this call now.
    fn due_for(&self, id: CallId) -> Option<Due> {
        let told = &self.calls[&id];
        let (name, step) = (told.queue.as_ref().expect("its queue"), self.step(told));
        let queue = &self.queues[name];
        let pools = self.pools(name, step);
        let (pool, free) = pools.iter().map(|pool| (pool, self.free_in(pool))).find(|(_, free)| !free.is_empty())?;
        let best = free[0].0;
        let level: Vec<SeatId> = free.iter().filter(|(level, _)| *level == best).map(|(_, id)| *id).collect();
        let pool_name = match pool {
            Pool::Queue(name, _) => (*name).to_owned(),
            Pool::Skill(_) => String::new(),
        };
        let in_turn = self.queues.get(&pool_name).filter(|queue| queue.choice == Choice::RoundRobin);
        let last = in_turn.and_then(|queue| queue.last);
        let next = last.and_then(|last| level.iter().find(|id| **id > last)).unwrap_or(&level[0]);
        let known = told.prefer.filter(|seat| {
            let seat_free = self.seats[seat].is_available();
            queue.choice == Choice::LastAgent
                && seat_free
                && pools.iter().any(|pool| self.level_in(*seat, pool).is_some())
        });
        let (seats, pool) = match known {
            Some(seat) => {
                let by = pools.iter().find(|pool| self.level_in(seat, pool).is_some()).expect("asked above");
                let by = match by {
                    Pool::Queue(name, _) => (*name).to_owned(),
                    Pool::Skill(_) => String::new(),
                };
                (vec![seat], by)
            }
            None if queue.choice == Choice::RingAll => {
                (free.iter().take(queue.ring_most).map(|(_, id)| *id).collect(), pool_name)
            }
            None => (vec![*next], pool_name),
        };
        let first = free.iter().take(5).map(|(_, id)| *id).collect();
        Some(Due { call: id, seats, pool, candidates: free.len(), first, step, priority: self.priority(told) })
    }

    /// The offer that must be made next.
    pub(super) fn due(&self) -> Option<Due> {
        let waiting = self.waiting();
        let due = waiting.iter().find_map(|(_, call)| self.due_for(*call))?;
        let [seat] = due.seats[..] else { return Some(due) };
        let order = self.order(seat);
        if order.is_empty() {
            return Some(due);
        }
        let may = |call: &CallId| {
            let told = &self.calls[call];
            let name = told.queue.as_ref().expect("its queue");
            let pools = self.pools(name, self.step(told));
            let by = pools.iter().find(|pool| self.level_in(seat, pool).is_some())?;
            let place = order.iter().position(|own| own == name).unwrap_or(order.len());
            let by = match by {
                Pool::Queue(name, _) => (*name).to_owned(),
                Pool::Skill(_) => String::new(),
            };
            Some((place, by))
        };
        let mut own: Vec<_> = waiting.iter().filter_map(|(rank, call)| Some((may(call)?, *rank, *call))).collect();
        own.sort_by_key(|((place, _), rank, call)| (*place, *rank, *call));
        let ((_, by), _, first) = own.into_iter().next()?;
        if first == due.call {
            return Some(due);
        }
        let mut other = self.due_for(first)?;
        let name = self.calls[&first].queue.as_ref().expect("its queue");
        if self.queues[name].choice != Choice::RingAll && other.seats != [seat] {
            (other.seats, other.pool) = (vec![seat], by);
        }
        Some(other)
    }

    pub(super) fn note_turn(&mut self, due: &Due) {
        if let Some(queue) = self.queues.get_mut(&due.pool) {
            queue.last = due.seats.last().copied();
        }
    }

    /// The row must say why the offer was made.
    pub(super) fn decided(&self, due: &Due, why: &Decision) {
        let told = &self.calls[&due.call];
        let queue = &self.queues[told.queue.as_ref().expect("its queue")];
        assert_eq!((why.choice, &why.pool), (queue.choice, &due.pool));
        assert_eq!((usize::from(why.step), why.priority), (due.step, due.priority), "step and priority");
        assert_eq!((why.candidates as usize, &why.first), (due.candidates, &due.first), "candidates");
        let waited = self.now.since(told.waits_since.expect("it waits")).as_millis();
        assert_eq!(u128::from(why.waited_ms), waited, "how long it waited");
    }

    /// Position and wait are said in time, and to whoever waits; the position is the true one.
    pub(super) fn announced(&mut self, id: CallId, position: u32) {
        let told = &self.calls[&id];
        assert_eq!(told.at, At::Waiting, "{id} is told where it stands and does not wait");
        let announce = self.queues[told.queue.as_ref().expect("its queue")].announce.expect("this queue says nothing");
        let first = told.told_at == told.queued_at;
        let pause = Duration::from_millis(if first { announce.first_ms } else { announce.every_ms }.into());
        assert!(self.now.since(told.told_at) >= pause, "{id} is told again too soon");
        let order = self.waiting();
        let same = order.iter().filter(|(_, other)| self.calls[other].queue == told.queue);
        let place = same.clone().position(|(_, other)| *other == id).expect("it waits") + 1;
        assert_eq!(position as usize, place, "{id} is told another position than its own");
        let now = self.now;
        self.told(id).told_at = now;
        self.note("an announcement");
    }

    /// A wish by the queue's key: a callback at once, a message when its prompt is over.
    pub(super) fn wishes(&mut self, id: CallId, kind: WishKind, file: bool) {
        let told = &self.calls[&id];
        let wish = self.queues[told.queue.as_ref().expect("its queue")].wish.as_ref().expect("this queue takes none");
        assert_eq!((wish.kind, kind == WishKind::Message), (kind, file));
        assert!(kind == WishKind::Message || told.caller.is_some(), "nobody can be called back");
        let told = self.told(id);
        match kind {
            WishKind::Callback => told.goes(&[At::Waiting], At::Wished),
            WishKind::Message => told.goes(&[At::Wishing], At::Message),
        }
        self.note(format!("a wish for a {kind:?}"));
    }

    /// The key of a message's wish: the row follows when the prompt is over.
    pub(super) fn key(&mut self, id: CallId) {
        let told = &self.calls[&id];
        let wish = told.queue.as_ref().and_then(|queue| self.queues[queue].wish.as_ref());
        if told.at == At::Waiting && wish.is_some_and(|wish| wish.kind == WishKind::Message) {
            self.told(id).goes(&[At::Waiting], At::Wishing);
        }
    }

    /// Whether a call may be hung up by us for its wish.
    pub(super) fn wish_is_over(&self, told: &Told) -> bool {
        let wish = told.queue.as_ref().and_then(|queue| self.queues[queue].wish.as_ref()).expect("a wish was left");
        let prompt = Duration::from_millis(self.config.prompt_max_ms.into());
        let since = self.now.since(told.since);
        match told.at {
            At::Wished => told.prompt_over || since >= prompt,
            At::Message => since >= Duration::from_millis(wish.longest_ms.into()),
            At::New
            | At::Reaching
            | At::Outside
            | At::LastWords
            | At::Greeting
            | At::Wishing
            | At::Moving
            | At::Waiting
            | At::Offered
            | At::Joining
            | At::Talking
            | At::Overflow
            | At::Feature
            | At::Summoning
            | At::Calling
            | At::Called
            | At::Telling
            | At::Ending => false,
        }
    }

    pub(super) fn waiting_in(&self, queue: &str) -> usize {
        self.calls.values().filter(|told| told.at == At::Waiting && told.queue.as_deref() == Some(queue)).count()
    }

    pub(super) fn serving(&self, queue: &str) -> usize {
        let serving = self.seats.iter().filter(|(_, seat)| seat.takes_calls());
        serving.filter(|(id, _)| self.serves(**id, queue).is_some()).count()
    }

    fn is_empty(&self, queue: &str) -> bool {
        let signed_in = self.seats.iter().filter(|(_, seat)| seat.is_signed_in());
        signed_in.filter(|(id, _)| self.serves(**id, queue).is_some()).count() == 0
    }

    /// Where a rule sends a call now, if one does. `comes` says that it does not wait in the queue yet.
    fn overflow_due(&self, told: &Told, comes: bool) -> Option<(&To, OverflowWhy)> {
        let name = told.queue.as_deref().expect("its queue");
        let holds = |when: OverflowWhen| match when {
            OverflowWhen::Waited(most) => {
                !comes && self.now.since(told.queued_at) >= Duration::from_millis(most.into())
            }
            OverflowWhen::Waiting(most) => comes && self.waiting_in(name) >= most as usize,
            OverflowWhen::Expected(_) => false,
            OverflowWhen::NoSeats => self.is_empty(name),
        };
        let open = self.queues[name].overflow.iter().filter(|(_, to)| match to {
            To::Queue(to) => to != name && !told.left.contains(to),
            To::Outside(to) => !told.tried.contains(to),
            To::Message => true,
        });
        open.filter(|(when, _)| holds(*when)).map(|(when, to)| (to, when.why())).next()
    }

    /// A call leaves its queue: exactly as a rule says, or because its time is over or the queue is full.
    pub(super) fn overflows(&mut self, id: CallId, from: &str, to: Option<&str>, why: OverflowWhy) {
        let told = &self.calls[&id];
        let comes = told.at == At::Greeting || told.at == At::Moving;
        assert!(comes || told.at == At::Waiting, "{id} overflows in {:?}", told.at);
        let queue = &self.queues[from];
        let rule = self.overflow_due(told, comes).map(|(to, why)| (to.clone(), why));
        let by_rule = rule.as_ref().is_some_and(|(rule, of)| rule.name() == to && *of == why);
        match to {
            _ if by_rule => {}
            Some(_) => panic!("{id} moves on to {to:?}, {why:?}, and the rule is {rule:?}"),
            None if why == OverflowWhy::Full => {
                assert!(comes && self.waiting_in(from) >= queue.max_waiting, "{id} overflows and no queue is full");
            }
            None => {
                let most = queue.max_wait.expect("an overflow needs a limit");
                assert!(self.now.since(told.queued_at) >= most, "{id} overflows before its time");
            }
        }
        self.note(format!("overflow, {why:?}, to {}", to.unwrap_or("the message")));
        let told = self.told(id);
        assert_eq!(told.queue.as_deref(), Some(from));
        match to {
            Some(to) if by_rule && matches!(rule, Some((To::Outside(_), _))) => {
                told.tried.push(to.to_owned());
                let reach = self.places[to].clone();
                self.told(id).goes_out(reach);
            }
            Some(to) => {
                told.left.push(from.to_owned());
                told.queue = Some(to.to_owned());
                told.queued_once = false;
                told.at = At::Moving;
            }
            None => told.overflows(),
        }
    }

    /// Nobody waits who could be served or should have gone on.
    pub(super) fn nobody_waits_in_vain(&self) {
        if let Some(due) = self.due() {
            panic!("{} waits though {:?} may serve it", due.call, due.seats);
        }
        for (id, told) in self.calls.iter().filter(|(_, told)| told.at == At::Waiting) {
            let rule = self.overflow_due(told, false);
            let later = matches!(rule, Some((_, OverflowWhy::Waited))) && !self.ticking;
            assert!(rule.is_none() || later, "{id} waits though {rule:?} holds");
            if self.ticking {
                let most = self.queues[told.queue.as_ref().expect("its queue")].max_wait;
                let waited = self.now.since(told.queued_at);
                assert!(most.is_none_or(|most| waited < most), "{id} waits beyond its limit");
            }
        }
    }
}
