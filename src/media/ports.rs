//! The books of the media ports: which bound pair is free, rests, or is in use.
//!
//! Pure: the engine binds the sockets ahead of time and fills the pool once; the SIP endpoint owns the pool, so that an
//! SDP can be written without asking a worker. Knows no socket, no clock and no randomness: time and random bits come in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::types::{MediaPort, Mono, NetworkId, Now};

/// Rest after use that is aimed at: late packets of the old call must not reach the next one.
pub const REST: Duration = Duration::from_secs(30);

/// Rest after use that is never undercut; below it a take fails and the call gets 503.
pub const LEAST_REST: Duration = Duration::from_secs(1);

/// A call takes one pair for who calls and one for who answers.
const PAIRS_PER_CALL: usize = 2;

/// How many ports are in which state, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PoolCounts {
    /// Pairs that have rested long enough.
    pub free: usize,
    /// Pairs whose rest is not over.
    pub resting: usize,
    /// Pairs that a leg holds.
    pub in_use: usize,
    /// Takes since the start that had to cut a rest short: the range is too small for the traffic.
    pub pressed: u64,
    /// Takes since the start that found nothing.
    pub exhausted: u64,
}

/// Which shelf a port lies on: ports are only interchangeable within one.
type Shelf = (NetworkId, bool, u8);

/// A pair that is out.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// The worker that it counts for.
    worker: u8,
    /// Whether it was taken beside another leg.
    joins: bool,
}

/// All bound pairs of the node. Ordered inside each shelf by the time they were given back, oldest first.
#[derive(Clone, Debug, Default)]
pub struct PortPool {
    shelves: BTreeMap<Shelf, VecDeque<(Mono, MediaPort)>>,
    in_use: BTreeMap<u8, usize>,
    /// Pairs that are out, by what never changes of them.
    held: BTreeMap<(NetworkId, bool, u16), Held>,
    /// Pairs that are out for first legs of calls, and for legs that joined one.
    first: usize,
    joined: usize,
    pressed: u64,
    exhausted: u64,
}

impl PortPool {
    /// Takes over the pairs that the engine bound ahead; all are free at once.
    pub fn new(ports: impl IntoIterator<Item = MediaPort>) -> Self {
        let mut pool = Self::default();
        for port in ports {
            pool.in_use.entry(port.worker).or_default();
            pool.shelf(port).push_back((Mono(0), port));
        }
        pool
    }

    /// Takes a pair out: on the worker `beside` when it is given and has one (legs of a call share a worker), otherwise on
    /// the least loaded worker. `random` picks among the longer rested half. `None` means that the call gets 503.
    ///
    /// When the worker `beside` has none left, a pair of another worker is taken; the engine moves such a leg by itself.
    /// A new call takes none that the calls before it will want for their second leg: who has been let in can be answered.
    pub fn take(
        &mut self,
        now: Now,
        network: NetworkId,
        v6: bool,
        beside: Option<u8>,
        random: u64,
    ) -> Option<MediaPort> {
        let joins = beside.is_some();
        let promised = self.first.saturating_sub(self.joined);
        if !joins && self.scarcest(now.mono) < promised + PAIRS_PER_CALL {
            self.exhausted += 1;
            return None;
        }
        let mut others: Vec<(usize, u8)> = self.in_use.iter().map(|(worker, load)| (*load, *worker)).collect();
        others.retain(|(_, worker)| Some(*worker) != beside);
        others.sort_unstable();
        // A short rest beside the call is better than a long one elsewhere: a move costs more than a stray packet.
        let beside = beside.into_iter().flat_map(|worker| [(worker, REST), (worker, LEAST_REST)]);
        let others =
            [REST, LEAST_REST].into_iter().flat_map(|rest| others.iter().map(move |(_, worker)| (*worker, rest)));
        for (worker, rest) in beside.chain(others) {
            if let Some(port) = self.take_rested((network, v6, worker), now.mono, rest, random) {
                *self.in_use.entry(worker).or_default() += 1;
                self.held.insert((network, v6, port.port), Held { worker, joins });
                *(if joins { &mut self.joined } else { &mut self.first }) += 1;
                self.pressed += u64::from(rest == LEAST_REST);
                return Some(port);
            }
        }
        self.exhausted += 1;
        None
    }

    /// Puts a pair back to rest. `port.worker` names the worker that holds it now: the engine may have moved its leg.
    /// A pair that is not out stays where it is, so that no port is ever dealt out twice.
    pub fn give_back(&mut self, now: Now, port: MediaPort) {
        let Some(Held { worker, joins }) = self.held.remove(&(port.network, port.v6, port.port)) else {
            tracing::error!(port = port.port, "a media port is given back that is not out");
            return;
        };
        *(if joins { &mut self.joined } else { &mut self.first }) -= 1;
        if let Some(load) = self.in_use.get_mut(&worker) {
            *load -= 1;
        }
        self.shelf(port).push_back((now.mono, port));
    }

    /// Tells the pool that a leg was moved with its port, so that the load of the workers is known.
    pub fn moved(&mut self, port: MediaPort, to_worker: u8) {
        let Some(held) = self.held.get_mut(&(port.network, port.v6, port.port)) else { return };
        let from = std::mem::replace(&mut held.worker, to_worker);
        if let Some(load) = self.in_use.get_mut(&from) {
            *load -= 1;
        }
        *self.in_use.entry(to_worker).or_default() += 1;
    }

    /// The figures of all networks together.
    pub fn counts(&self, now: Now) -> PoolCounts {
        let free = self.shelves.values().map(|shelf| rested(shelf, now.mono, REST)).sum();
        let lying: usize = self.shelves.values().map(VecDeque::len).sum();
        PoolCounts {
            free,
            resting: lying - free,
            in_use: self.in_use.values().sum(),
            pressed: self.pressed,
            exhausted: self.exhausted,
        }
    }

    fn shelf(&mut self, port: MediaPort) -> &mut VecDeque<(Mono, MediaPort)> {
        self.shelves.entry((port.network, port.v6, port.worker)).or_default()
    }

    /// How many pairs could be taken now on the network that has the fewest: nobody knows yet where a second leg will go.
    fn scarcest(&self, now: Mono) -> usize {
        let (mut least, mut of, mut ready) = (usize::MAX, None, 0);
        for ((network, v6, _), shelf) in &self.shelves {
            if of.replace((*network, *v6)).is_some_and(|before| before != (*network, *v6)) {
                least = least.min(std::mem::take(&mut ready));
            }
            ready += rested(shelf, now, LEAST_REST);
        }
        least.min(ready)
    }

    fn take_rested(&mut self, shelf: Shelf, now: Mono, rest: Duration, random: u64) -> Option<MediaPort> {
        let shelf = self.shelves.get_mut(&shelf)?;
        let ready = rested(shelf, now, rest);
        if ready == 0 {
            return None;
        }
        // Under pressure the longest rested one is owed its turn; otherwise an outsider must not guess the next port.
        let choices = if rest == REST { ready.div_ceil(2) as u64 } else { 1 };
        let index = usize::try_from(random % choices).expect("an index into the shelf");
        // The front takes its place: all up to `ready` have rested for long, and their order among themselves is drawn by
        // lot anyway. Moving the others up would cost microseconds in a shelf of thousands.
        shelf.swap_remove_front(index).map(|(_, port)| port)
    }
}

/// How many pairs at the front of a shelf have rested for `rest`. Unused ones (freed at zero) always have.
fn rested(shelf: &VecDeque<(Mono, MediaPort)>, now: Mono, rest: Duration) -> usize {
    shelf.partition_point(|(freed, _)| freed.0 == 0 || *freed + rest <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const NET: NetworkId = NetworkId(0);

    fn port(worker: u8, port: u16) -> MediaPort {
        MediaPort { network: NET, worker, port, v6: false }
    }

    fn at(s: u64) -> Now {
        Now { mono: Mono(s * 1_000_000_000), ..Now::default() }
    }

    fn pool(count: u16) -> PortPool {
        PortPool::new((0..count).map(|i| port(0, 20_000 + 2 * i)))
    }

    #[test]
    fn port_rests_thirty_seconds_when_others_are_free() {
        let mut pool = pool(4);
        let first = pool.take(at(100), NET, false, None, 0).expect("four are free");
        pool.give_back(at(100), first);
        for random in 0..3 {
            let next = pool.take(at(129), NET, false, None, random).expect("three are fresh");
            assert_ne!(next, first);
            pool.give_back(at(129), next);
        }
        assert_eq!(pool.counts(at(129)).pressed, 0);
        assert_eq!(pool.take(at(130), NET, false, None, 7), Some(first));
    }

    #[test]
    fn rest_shrinks_to_one_second_under_pressure_and_is_counted() {
        let mut pool = pool(1);
        let only = pool.take(at(10), NET, false, Some(0), 0).expect("one is free");
        assert_eq!(pool.take(at(10), NET, false, Some(0), 0), None);
        pool.give_back(at(20), only);
        assert_eq!(pool.take(at(20), NET, false, Some(0), 0), None);
        assert_eq!(pool.take(at(21), NET, false, Some(0), 0), Some(only));
        let counts = pool.counts(at(21));
        assert_eq!((counts.pressed, counts.exhausted, counts.in_use), (1, 2, 1));
    }

    #[test]
    fn least_recently_freed_goes_first_under_pressure() {
        let mut pool = pool(2);
        let a = pool.take(at(10), NET, false, Some(0), 0).expect("free");
        let b = pool.take(at(10), NET, false, Some(0), 0).expect("free");
        pool.give_back(at(11), b);
        pool.give_back(at(12), a);
        assert_eq!(pool.take(at(20), NET, false, Some(0), 99), Some(b));
    }

    #[test]
    fn choice_is_random_among_the_longer_rested_half() {
        let seen: BTreeSet<u16> =
            (0..100).map(|random| pool(10).take(at(1), NET, false, None, random).expect("ten are free").port).collect();
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn leg_goes_beside_its_call_and_a_new_call_to_the_least_loaded_worker() {
        let mut pool =
            PortPool::new((0..4).map(|i| port(0, 20_000 + 2 * i)).chain((0..4).map(|i| port(1, 21_000 + 2 * i))));
        let worker = |p: Option<MediaPort>| p.expect("enough ports").worker;
        assert_eq!(worker(pool.take(at(1), NET, false, None, 0)), 0);
        assert_eq!(worker(pool.take(at(1), NET, false, Some(0), 0)), 0);
        assert_eq!(worker(pool.take(at(1), NET, false, None, 0)), 1);
        assert_eq!(worker(pool.take(at(1), NET, false, Some(0), 0)), 0);
        assert_eq!(worker(pool.take(at(1), NET, false, Some(0), 0)), 0);
        assert_eq!(worker(pool.take(at(1), NET, false, Some(0), 0)), 1, "worker 0 has none left");
    }

    #[test]
    fn who_was_let_in_finds_a_pair_for_the_second_leg() {
        let mut pool = pool(10);
        let callers: Vec<_> = std::iter::from_fn(|| pool.take(at(1), NET, false, None, 0)).collect();
        assert_eq!(callers.len(), 5, "half of the pairs are for who answers");
        let seats: Vec<_> = std::iter::from_fn(|| pool.take(at(1), NET, false, Some(0), 0)).collect();
        assert_eq!(seats.len(), 5);
        for pair in callers.into_iter().chain(seats) {
            pool.give_back(at(2), pair);
        }
        assert!(pool.take(at(3), NET, false, None, 0).is_some());
    }

    #[test]
    fn the_network_with_the_fewest_pairs_limits_new_calls() {
        let seats = (0..3).map(|i| MediaPort { network: NetworkId(1), ..port(0, 21_000 + 2 * i) });
        let mut pool = PortPool::new((0..100).map(|i| port(0, 20_000 + 2 * i)).chain(seats));
        assert!(pool.take(at(1), NET, false, None, 0).is_some());
        assert!(pool.take(at(1), NET, false, None, 0).is_some());
        assert_eq!(pool.take(at(1), NET, false, None, 0), None, "its seat would get none");
    }

    #[test]
    fn networks_and_families_are_kept_apart() {
        let mut pool = pool(2);
        assert_eq!(pool.take(at(1), NetworkId(1), false, None, 0), None);
        assert_eq!(pool.take(at(1), NET, true, None, 0), None);
        assert!(pool.take(at(1), NET, false, None, 0).is_some());
    }

    #[test]
    fn pair_that_comes_back_from_another_worker_or_twice_leaves_the_books_in_order() {
        let mut pool = PortPool::new([port(0, 20_000), port(1, 21_000)]);
        let one = pool.take(at(1), NET, false, Some(0), 0).expect("free");
        let two = pool.take(at(1), NET, false, Some(0), 0).expect("of the other worker");
        pool.give_back(at(2), MediaPort { worker: 0, ..two });
        pool.give_back(at(2), one);
        pool.give_back(at(3), one);
        let counts = pool.counts(at(40));
        assert_eq!((counts.in_use, counts.free, counts.resting), (0, 2, 0));
    }

    #[test]
    fn moved_leg_gives_its_port_back_to_the_worker_it_ended_on() {
        let mut pool = PortPool::new([port(0, 20_000), port(1, 21_000)]);
        let taken = pool.take(at(1), NET, false, Some(0), 0).expect("free");
        pool.moved(taken, 1);
        pool.give_back(at(2), MediaPort { worker: 1, ..taken });
        assert_eq!(pool.counts(at(2)).in_use, 0);
        let ports: BTreeSet<u16> =
            (0..2).filter_map(|_| pool.take(at(40), NET, false, Some(1), 0)).map(|p| p.port).collect();
        assert_eq!(ports, BTreeSet::from([20_000, 21_000]));
    }
}
