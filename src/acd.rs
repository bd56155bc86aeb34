//! Who gets which call: queues of waiting calls, pools of free seats, and the choice between them.
//!
//! Speaks ids only. Does not know what a call or a seat is doing; the center tells it who waits and who is free. Every
//! question is answered from an index: thousands may wait and hundreds be free without a scan.

mod pool;
mod queue;
mod routing;

pub use queue::{QueueFull, Rules, Ticket, Widening};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::types::{CallId, Choice, Level, Mono, QueueId, SeatId};
use pool::{Pool, PoolId};
use queue::{Queue, Rank, Step, Waiter};
use routing::Free;

/// Where the numbers of ordinary tickets begin: those before are for calls at the front.
const BEHIND_THE_FRONT: u64 = 1 << 32;

/// How many of the candidates a match names.
const NAMED: usize = 5;

/// A skill, by the order in which its name was first met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Skill(usize);

/// Whether a seat has somebody, and whether calls may go there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody is signed in.
    #[default]
    Out,
    /// Signed in, takes no calls.
    Away,
    /// Takes calls and has one, or finishes it.
    Busy,
    /// Free for a call, with what orders it among the free.
    Free {
        /// Since when.
        since: Mono,
        /// Calls answered today.
        calls_today: u32,
    },
}

impl Standing {
    /// Whether a call may be offered now.
    pub fn is_free(self) -> bool {
        matches!(self, Standing::Free { .. })
    }

    fn is_signed_in(self) -> bool {
        self != Standing::Out
    }

    fn is_serving(self) -> bool {
        matches!(self, Standing::Busy | Standing::Free { .. })
    }

    fn free(self, seat: SeatId) -> Option<Free> {
        match self {
            Standing::Free { since, calls_today } => Some(Free { seat, since, calls_today }),
            Standing::Out | Standing::Away | Standing::Busy => None,
        }
    }
}

/// A seat of the plan.
#[derive(Debug, Default)]
struct Known {
    skills: BTreeMap<Skill, Level>,
    /// The queues that its agent serves, first things first; empty: all.
    order: Vec<QueueId>,
    standing: Standing,
    /// Where it is listed.
    pools: Vec<(PoolId, Level)>,
}

/// A waiting call and the seats that shall get it: one, or several of which the first to answer wins. All have left their
/// lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The most urgent call that can be served.
    pub call: CallId,
    /// Where it waited.
    pub queue: QueueId,
    /// Who shall be rung, at least one.
    pub seats: Vec<SeatId>,
    /// How the queue chooses.
    pub choice: Choice,
    /// The queue whose seats were looked at; `None`: seats with a further skill.
    pub pool: Option<QueueId>,
    /// Level of the first seat.
    pub level: Level,
    /// Step of widening.
    pub step: usize,
    /// Priority of the call now.
    pub priority: u8,
    /// Free seats that could have been chosen.
    pub candidates: usize,
    /// The first of them.
    pub first: Vec<SeatId>,
}

/// Queues and seats.
#[derive(Debug, Default)]
pub struct Acd {
    skill_names: BTreeMap<String, Skill>,
    queues: BTreeMap<QueueId, Queue>,
    seats: BTreeMap<SeatId, Known>,
    pools: BTreeMap<PoolId, Pool>,
    free: usize,
    /// Where a waiting call waits: the index from call to queue.
    waiting: BTreeMap<CallId, QueueId>,
    /// When a waiting call's priority or step changes next.
    changes: BTreeSet<(Mono, CallId)>,
    change_of: BTreeMap<CallId, Mono>,
    next_arrival: u64,
    next_front: u64,
}

impl Acd {
    /// Sets the queues of a new plan; who waits in one of them keeps waiting, also in one that the plan has dropped.
    pub fn set_queues(&mut self, now: Mono, queues: &[(QueueId, Rules)]) {
        for (id, rules) in queues {
            let skill = self.skill(&rules.skill);
            let steps = self.steps(rules);
            let mut queue = Queue::new(skill, steps, rules);
            let before = self.queues.remove(id);
            for (call, waiter) in before.iter().flat_map(Queue::waiters) {
                self.schedule(call, None);
                let (rank, step, next) = queue.judge(now, waiter.ticket, waiter.joined);
                queue.insert(call, Waiter { rank, step, ..waiter });
                self.schedule(call, next);
            }
            self.queues.insert(*id, queue);
        }
        self.list_anew();
    }

    fn steps(&mut self, rules: &Rules) -> Vec<Step> {
        let mut least = rules.level.unwrap_or(Level::LOWEST);
        let mut steps = vec![Step { after: Duration::ZERO, least, skills: Vec::new(), queues: Vec::new() }];
        for widening in &rules.widen {
            least = widening.level.map_or(least, |level| level.min(least));
            let skills = widening.skills.iter().map(|name| self.skill(name)).collect();
            steps.push(Step { after: widening.after, least, skills, queues: widening.queues.clone() });
        }
        steps
    }

    /// Adds a seat or changes its skills and its order of queues. A new seat has nobody.
    pub fn set_seat<'s>(
        &mut self,
        seat: SeatId,
        skills: impl IntoIterator<Item = (&'s str, Level)>,
        order: Vec<QueueId>,
    ) {
        let skills = skills.into_iter().map(|(name, level)| (self.skill(name), level)).collect();
        let standing = self.seats.get(&seat).map_or(Standing::Out, |known| known.standing);
        self.set_standing(seat, Standing::Out);
        let pools = self.pools_for(&skills, &order);
        self.seats.insert(seat, Known { skills, order, standing: Standing::Out, pools });
        self.set_standing(seat, standing);
    }

    /// Takes a seat away.
    pub fn remove_seat(&mut self, seat: SeatId) {
        self.set_standing(seat, Standing::Out);
        self.seats.remove(&seat);
    }

    /// Whether somebody is there and free. Unknown seats are ignored.
    pub fn set_standing(&mut self, seat: SeatId, standing: Standing) {
        let Some(known) = self.seats.get_mut(&seat) else { return };
        let before = std::mem::replace(&mut known.standing, standing);
        if before == standing {
            return;
        }
        let (was, is) = (before.free(seat), standing.free(seat));
        for (id, level) in &known.pools {
            let pool = self.pools.get_mut(id).expect("a listed pool exists");
            pool.take(before);
            pool.add(standing);
            if let Some(free) = was {
                pool.take_free(*level, free);
            }
            if let Some(free) = is {
                pool.add_free(*level, free);
            }
        }
        self.free -= usize::from(was.is_some());
        self.free += usize::from(is.is_some());
    }

    /// The claim of a call that has just arrived. It keeps it for its whole life.
    pub fn ticket(&mut self, now: Mono, priority: u8) -> Ticket {
        self.next_arrival += 1;
        Ticket::new(priority, BEHIND_THE_FRONT + self.next_arrival, now)
    }

    /// A claim before all others, of highest priority: of a caller whom we have lost once. First come, first served among these.
    pub fn front_ticket(&mut self, now: Mono) -> Ticket {
        self.next_front += 1;
        Ticket::new(u8::MAX, self.next_front, now)
    }

    /// The free seat that would serve a call of this queue now, other than these; for an agent who asks for one.
    pub fn free_seat(&self, queue: QueueId, not: &[SeatId]) -> Option<SeatId> {
        let least = self.least_of(queue);
        let pool = self.pools.get(&PoolId::Queue(queue))?;
        pool.in_order(least).find(|seat| !not.contains(seat))
    }

    /// A call begins to wait.
    ///
    /// # Errors
    /// [`QueueFull`] when as many calls wait as may, or the queue is unknown.
    pub fn join(
        &mut self,
        now: Mono,
        queue: QueueId,
        call: CallId,
        ticket: Ticket,
        prefer: Option<SeatId>,
    ) -> Result<(), QueueFull> {
        if !self.has_room(queue) {
            return Err(QueueFull);
        }
        self.rejoin(now, queue, call, ticket, now, prefer);
        Ok(())
    }

    /// Whether one more may wait.
    pub fn has_room(&self, queue: QueueId) -> bool {
        self.queues.get(&queue).is_some_and(Queue::has_room)
    }

    /// A call that had left the queue for an offer waits again, at its own place and whatever the limit.
    ///
    /// # Panics
    /// When the call waits already: it would be offered twice.
    pub fn rejoin(
        &mut self,
        now: Mono,
        queue: QueueId,
        call: CallId,
        ticket: Ticket,
        joined: Mono,
        prefer: Option<SeatId>,
    ) {
        let Some(waits) = self.queues.get_mut(&queue) else { return };
        let before = self.waiting.insert(call, queue);
        assert_eq!(before, None, "a call waits in two places");
        let (rank, step, next) = waits.judge(now, ticket, joined);
        waits.insert(call, Waiter { ticket, joined, prefer, rank, step });
        self.schedule(call, next);
    }

    /// A call waits no longer; `false` when it did not wait.
    pub fn leave(&mut self, call: CallId) -> bool {
        let Some(queue) = self.waiting.remove(&call) else { return false };
        self.schedule(call, None);
        self.queues.get_mut(&queue).is_some_and(|queue| queue.remove(call).is_some())
    }

    /// When [`Acd::advance`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        self.changes.first().map(|(at, _)| *at)
    }

    /// Lets waiting calls rise and widen whose time has come. Gives those that came to another step, with the step.
    pub fn advance(&mut self, now: Mono) -> Vec<(CallId, usize)> {
        let mut widened = Vec::new();
        while let Some((_, call)) = self.changes.first().copied().filter(|(at, _)| *at <= now) {
            self.schedule(call, None);
            let Some(queue) = self.waiting.get(&call).and_then(|id| self.queues.get_mut(id)) else { continue };
            let Some(waiter) = queue.remove(call) else { continue };
            let (rank, step, next) = queue.judge(now, waiter.ticket, waiter.joined);
            queue.insert(call, Waiter { rank, step, ..waiter });
            if step != waiter.step {
                widened.push((call, step));
            }
            self.schedule(call, next);
        }
        widened
    }

    fn schedule(&mut self, call: CallId, at: Option<Mono>) {
        if let Some(before) = self.change_of.remove(&call) {
            self.changes.remove(&(before, call));
        }
        if let Some(at) = at {
            self.change_of.insert(call, at);
            self.changes.insert((at, call));
        }
    }

    /// Takes the next call that can be offered and the seats it shall go to. The most urgent call that can be served
    /// names its seat; a seat whose agent serves queues in an order takes the call that stands first in it instead.
    pub fn next_match(&mut self) -> Option<Match> {
        if self.waiting.is_empty() || self.free == 0 {
            return None;
        }
        let (_, call, queue, step) = self
            .heads()
            .filter(|(_, _, queue, step)| self.pools_open(*queue, *step).any(|(id, least)| self.has_free(id, least)))
            .min()?;
        let mut found = self.choose(call, queue, step)?;
        if let [seat] = found.seats[..]
            && let Some((call, queue, step)) = self.own_first(seat, found.call)
        {
            let mut other = self.choose(call, queue, step)?;
            if other.choice != Choice::RingAll && other.seats != [seat] {
                let (level, pool) = self.seat_for(seat, queue, step)?;
                (other.seats, other.level, other.pool) = (vec![seat], level, pool_queue(pool));
            }
            found = other;
        }
        self.leave(found.call);
        for seat in &found.seats {
            if let Some(pool) = found.pool.and_then(|queue| self.pools.get_mut(&PoolId::Queue(queue))) {
                pool.note(*seat);
            }
            self.set_standing(*seat, Standing::Busy);
        }
        Some(found)
    }

    fn heads(&self) -> impl Iterator<Item = (Rank, CallId, QueueId, usize)> + '_ {
        let queues = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        queues.flat_map(|(id, queue)| queue.heads().map(|(rank, call, step)| (rank, call, *id, step)))
    }

    /// The pools from which a call of this queue and step may be served, each with its lowest level: the queue's own first.
    fn pools_open(&self, queue: QueueId, step: usize) -> impl Iterator<Item = (PoolId, Level)> + '_ {
        let steps = self.queues.get(&queue).map_or(&[][..], |queue| &queue.steps[..=step]);
        let own = steps.last().map(|last| (PoolId::Queue(queue), last.least));
        let further = steps.iter().flat_map(|step| {
            let skills = step.skills.iter().map(|skill| (PoolId::Skill(*skill), Level::LOWEST));
            let queues = step.queues.iter().map(|other| (PoolId::Queue(*other), self.least_of(*other)));
            skills.chain(queues)
        });
        own.into_iter().chain(further)
    }

    fn least_of(&self, queue: QueueId) -> Level {
        let first = self.queues.get(&queue).and_then(|queue| queue.steps.first());
        first.map_or(Level::LOWEST, |step| step.least)
    }

    fn has_free(&self, id: PoolId, least: Level) -> bool {
        self.pools.get(&id).is_some_and(|pool| pool.has_free(least))
    }

    /// The seats for one call.
    fn choose(&self, call: CallId, id: QueueId, step: usize) -> Option<Match> {
        let queue = self.queues.get(&id)?;
        let waiter = queue.get(call)?;
        let known = waiter.prefer.filter(|_| queue.choice == Choice::LastAgent);
        let known = known.and_then(|seat| Some((seat, self.seat_for(seat, id, step)?)));
        let mut open = self.pools_open(id, step).filter(|(pool, least)| self.has_free(*pool, *least));
        let (pool_id, least) = open.next()?;
        let pool = self.pools.get(&pool_id)?;
        let (level, seats, pool_id) = match (queue.choice, known) {
            (_, Some((seat, (level, of)))) => (level, vec![seat], of),
            (Choice::RingAll, None) => {
                (pool.next(least)?.0, pool.in_order(least).take(queue.ring_most).collect(), pool_id)
            }
            (Choice::LongestIdle | Choice::FewestCalls | Choice::RoundRobin | Choice::LastAgent, None) => {
                let (level, seat) = pool.next(least)?;
                (level, vec![seat], pool_id)
            }
        };
        Some(Match {
            call,
            queue: id,
            seats,
            choice: queue.choice,
            pool: pool_queue(pool_id),
            level,
            step,
            priority: waiter.rank.priority.0,
            candidates: pool.count(least),
            first: pool.in_order(least).take(NAMED).collect(),
        })
    }

    /// Level and pool by which this free seat may serve a call of this queue and step.
    fn seat_for(&self, seat: SeatId, queue: QueueId, step: usize) -> Option<(Level, PoolId)> {
        let free = self.seats.get(&seat)?.standing.free(seat)?;
        let mut open = self.pools_open(queue, step);
        open.find_map(|(id, least)| Some((self.pools.get(&id)?.level_of(least, free)?, id)))
    }

    /// The call that stands first in the agent's own order of queues, if it is another one.
    fn own_first(&self, seat: SeatId, chosen: CallId) -> Option<(CallId, QueueId, usize)> {
        let order = &self.seats.get(&seat)?.order;
        if order.is_empty() {
            return None;
        }
        let place = |queue: QueueId| order.iter().position(|own| *own == queue).unwrap_or(order.len());
        let served = self.heads().filter(|(_, _, queue, step)| self.seat_for(seat, *queue, *step).is_some());
        let (_, _, call, queue, step) =
            served.map(|(rank, call, queue, step)| (place(queue), rank, call, queue, step)).min()?;
        (call != chosen).then_some((call, queue, step))
    }

    /// Where a call waits.
    pub fn queue_of(&self, call: CallId) -> Option<QueueId> {
        self.waiting.get(&call).copied()
    }

    /// The calls of a queue, next first.
    pub fn waiting_in(&self, queue: QueueId) -> impl Iterator<Item = CallId> + '_ {
        self.queues.get(&queue).into_iter().flat_map(Queue::calls)
    }

    /// How many calls wait in a queue.
    pub fn length(&self, queue: QueueId) -> usize {
        self.queues.get(&queue).map_or(0, Queue::len)
    }

    /// The place of a waiting call in its queue, from 1; `None` when it does not wait or stands behind so many.
    pub fn position(&self, call: CallId, most: usize) -> Option<usize> {
        let queue = self.queue_of(call)?;
        self.waiting_in(queue).take(most).position(|other| other == call).map(|ahead| ahead + 1)
    }

    /// The priority of a waiting call with what waiting has added.
    pub fn priority(&self, call: CallId) -> Option<u8> {
        let queue = self.queues.get(self.waiting.get(&call)?)?;
        queue.get(call).map(|waiter| waiter.rank.priority.0)
    }

    /// How many calls wait, over all queues.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many seats that serve the queue are free.
    pub fn free_for(&self, queue: QueueId) -> usize {
        self.pools.get(&PoolId::Queue(queue)).map_or(0, |pool| pool.count(self.least_of(queue)))
    }

    /// How many seats that serve the queue have somebody signed in.
    pub fn signed_in(&self, queue: QueueId) -> usize {
        self.pools.get(&PoolId::Queue(queue)).map_or(0, Pool::signed_in)
    }

    /// How many seats that serve the queue take calls, free or busy.
    pub fn serving(&self, queue: QueueId) -> usize {
        self.pools.get(&PoolId::Queue(queue)).map_or(0, Pool::serving)
    }

    /// What is known of a seat's standing.
    pub fn standing(&self, seat: SeatId) -> Option<Standing> {
        self.seats.get(&seat).map(|known| known.standing)
    }

    fn pools_for(&self, skills: &BTreeMap<Skill, Level>, order: &[QueueId]) -> Vec<(PoolId, Level)> {
        let serves = |id: &QueueId| order.is_empty() || order.contains(id);
        let queues = self.queues.iter().filter(|(id, _)| serves(id));
        let queues = queues.filter_map(|(id, queue)| Some((PoolId::Queue(*id), *skills.get(&queue.skill)?)));
        let by_skill = skills.iter().map(|(skill, level)| (PoolId::Skill(*skill), *level));
        let listed = by_skill.filter(|(id, _)| self.pools.contains_key(id));
        queues.chain(listed).collect()
    }

    /// Makes all pools again: the queues have changed.
    fn list_anew(&mut self) {
        self.pools.clear();
        self.free = 0;
        for (id, queue) in &self.queues {
            self.pools.insert(PoolId::Queue(*id), Pool::new(queue.choice));
            for skill in queue.steps.iter().flat_map(|step| &step.skills) {
                self.pools.insert(PoolId::Skill(*skill), Pool::default());
            }
        }
        let seats: Vec<SeatId> = self.seats.keys().copied().collect();
        for seat in seats {
            let Some(known) = self.seats.get_mut(&seat) else { continue };
            let standing = std::mem::take(&mut known.standing);
            let (skills, order) = (std::mem::take(&mut known.skills), std::mem::take(&mut known.order));
            let pools = self.pools_for(&skills, &order);
            self.seats.insert(seat, Known { skills, order, standing: Standing::Out, pools });
            self.set_standing(seat, standing);
        }
    }

    fn skill(&mut self, name: &str) -> Skill {
        if let Some(skill) = self.skill_names.get(name) {
            return *skill;
        }
        let skill = Skill(self.skill_names.len());
        self.skill_names.insert(name.to_owned(), skill);
        skill
    }

    /// Compares the indexes with each other.
    ///
    /// # Panics
    /// When they disagree, or when a call could be served and is not.
    pub fn check(&self) {
        let listed: usize = self.queues.values().map(|queue| queue.calls().count()).sum();
        assert_eq!(listed, self.waiting.len(), "a waiting call is in exactly one queue");
        for (call, id) in &self.waiting {
            let queue = self.queues.get(id).expect("a queue that is waited in exists");
            assert!(queue.get(*call).is_some(), "{call} is not in the queue that the index names");
            let heads = queue.heads().filter(|(.., step)| *step == queue.get(*call).map_or(0, |waiter| waiter.step));
            assert!(heads.count() == 1, "{call} is missing in its step");
        }
        assert!(self.change_of.keys().all(|call| self.waiting.contains_key(call)), "a change of who does not wait");
        assert_eq!(self.change_of.len(), self.changes.len(), "the index of changes is wrong");
        let free = self.seats.iter().filter(|(id, known)| known.standing.free(**id).is_some()).count();
        assert_eq!(free, self.free, "the number of free seats is wrong");
        for (seat, known) in &self.seats {
            for (id, level) in &known.pools {
                let listed = known.standing.free(*seat).map(|free| self.pools[id].level_of(*level, free));
                assert!(listed.is_none_or(|at| at == Some(*level)), "free {seat} is missing in one of its pools");
            }
        }
        for (id, pool) in &self.pools {
            let members = self.seats.iter().filter(|(_, known)| known.pools.iter().any(|(of, _)| of == id));
            let members: Vec<(SeatId, Standing)> = members.map(|(seat, known)| (*seat, known.standing)).collect();
            let free = members.iter().filter(|(seat, standing)| standing.free(*seat).is_some()).count();
            assert_eq!(pool.count(Level::LOWEST), free, "a pool lists others than its free members");
            let serving = members.iter().filter(|(_, standing)| standing.is_serving()).count();
            assert_eq!(pool.serving(), serving, "a pool counts other seats as serving");
        }
        for (_, call, queue, step) in self.heads() {
            let open = self.pools_open(queue, step).any(|(id, least)| self.has_free(id, least));
            assert!(!open, "{call} waits while a seat that may serve it is free");
        }
    }
}

fn pool_queue(id: PoolId) -> Option<QueueId> {
    match id {
        PoolId::Queue(queue) => Some(queue),
        PoolId::Skill(_) => None,
    }
}

#[cfg(test)]
mod tests;
