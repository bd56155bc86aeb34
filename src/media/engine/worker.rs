//! One media worker: a thread with a poll set of its own, the legs whose sockets are in it, and a clock of 20 ms.
//!
//! The loop reads top to bottom: wait, read what came, obey orders, do what is due, report. Polling is level-triggered
//! epoll without a layer in between: one read for each packet suffices, and nothing is left behind in a queue.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant, SystemTime};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::unistd::Pid;
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use super::disk::DiskQueue;
use super::leg::Leg;
use super::plan::Call;
use super::prompt::Prompts;
use super::slots::Slots;
use super::sockets::Pair;
use super::watch::Pulse;
use super::{Command, EngineConfig, Event};
use crate::types::{CallId, LegId, Mono, NetworkId, Now, Wall};

/// Events read at one wait.
pub(super) const BATCH: usize = 64;

/// Orders obeyed between two waits, so that a burst of calls does not hold the packets of others.
const ORDERS_A_TURN: usize = 64;

/// Phases over which the ticks of calls are spread: one each millisecond.
pub(super) const PHASES: usize = 20;

/// Time from phase to phase.
const PHASE: Duration = Duration::from_millis(1);

/// A worker that was held up longer than this drops what it owes instead of sending it in a burst: 100 ms.
const MAX_BEHIND: u64 = 5 * PHASES as u64;

/// Rounds in which all legs and calls are looked after; a full circle takes half a second.
const ROUNDS: usize = 20;

/// Time from round to round.
const ROUND: Duration = Duration::from_millis(25);

/// Mark of the wake-up descriptor in the poll set; sockets have smaller ones.
const BELL: u64 = u64::MAX;

/// Longest datagram that is looked at.
pub(super) const DATAGRAM: usize = 2_048;

/// Monotonic time since the start of the engine, and wall time.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Nanoseconds that stand still until a test moves them.
    #[cfg(test)]
    pub(super) held: Option<Arc<std::sync::atomic::AtomicU64>>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock")]
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
            #[cfg(test)]
            held: None,
        }
    }

    pub(super) fn mono(&self) -> Mono {
        #[cfg(test)]
        if let Some(held) = &self.held {
            return Mono(held.load(std::sync::atomic::Ordering::Relaxed));
        }
        // Never zero, which elsewhere means "not yet".
        Mono(1_000_000_000 + u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX / 2))
    }

    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock")]
    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Now { mono: self.mono(), wall: Wall(i64::try_from(wall).unwrap_or(i64::MAX)) }
    }
}

/// What a worker is told.
pub(super) enum Order {
    Command(Command),
    /// A leg is on its way from another worker; orders for it are kept until it is here.
    Expect(LegId),
    Adopt(Box<Leg>, CallId),
    Prompts(Arc<Prompts>),
    Stop,
}

/// What all workers of an engine have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) config: EngineConfig,
    pub(super) clock: Clock,
    pub(super) peers: Vec<(SyncSender<Order>, Arc<EventFd>)>,
    /// Each worker's.
    pub(super) pulses: Vec<Arc<Pulse>>,
    pub(super) events: SyncSender<Event>,
    pub(super) disk: DiskQueue,
}

/// Ticks of calls, spread over the 20 ms.
pub(super) struct Wheel {
    phases: [Vec<usize>; PHASES],
    calls: usize,
    /// The next phase that is due, counted from `begin`.
    next: u64,
    begin: Mono,
}

impl Wheel {
    fn new(begin: Mono) -> Self {
        Self { phases: std::array::from_fn(|_| Vec::new()), calls: 0, next: 0, begin }
    }

    /// Puts a call on the phase with the fewest calls.
    pub(super) fn add(&mut self, call: usize, now: Mono) -> usize {
        if self.calls == 0 {
            self.next = self.phase_at(now) + 1;
        }
        let phase = (0..PHASES).min_by_key(|phase| self.phases[*phase].len()).expect("there are phases");
        self.phases[phase].push(call);
        self.calls += 1;
        phase
    }

    pub(super) fn remove(&mut self, call: usize, phase: usize) {
        let calls = &mut self.phases[phase];
        let before = calls.len();
        calls.retain(|other| *other != call);
        self.calls -= before - calls.len();
    }

    fn phase_at(&self, now: Mono) -> u64 {
        now.0.saturating_sub(self.begin.0) / u64::try_from(PHASE.as_nanos()).expect("a millisecond")
    }

    fn due_at(&self, phase: u64) -> Mono {
        self.begin + PHASE * u32::try_from(phase & 0xffff_ffff).expect("masked")
    }

    /// The next phase on which a call waits.
    fn deadline(&self) -> Option<Mono> {
        if self.calls == 0 {
            return None;
        }
        let wait = (0..PHASES as u64).find(|k| !self.phases[phase_index(self.next + k)].is_empty())?;
        Some(self.due_at(self.next + wait))
    }
}

fn phase_index(count: u64) -> usize {
    usize::try_from(count % PHASES as u64).expect("below twenty")
}

/// The name of a pair of ports on its worker: network, family, RTP port.
pub(super) type PortKey = (NetworkId, bool, u16);

/// Who has the sockets that are polled under a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The pair went to another worker; the mark is free.
    Nobody,
    /// The pair rests.
    Rest(PortKey),
    /// The leg in this slot.
    Leg(usize),
}

/// One worker with all that it owns.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) shared: Shared,
    pub(super) poll: Epoll,
    bell: Arc<EventFd>,
    orders: Receiver<Order>,
    /// Whether orders may be waiting.
    called: bool,
    pub(super) prompts: Arc<Prompts>,
    /// Pairs that no leg has.
    pub(super) resting: BTreeMap<PortKey, Pair>,
    /// Who is polled under which mark. Pairs are put into the poll set once, when they come to this worker, and not with
    /// each leg: that would be four system calls a leg.
    pub(super) holders: Vec<Holder>,
    free_marks: Vec<usize>,
    pub(super) legs: Slots<Leg>,
    pub(super) leg_slots: BTreeMap<LegId, usize>,
    pub(super) calls: Slots<Call>,
    pub(super) call_slots: BTreeMap<CallId, usize>,
    /// Orders for legs that are on their way here; one list each time that a leg was sent.
    pub(super) expected: BTreeMap<LegId, VecDeque<Vec<Command>>>,
    /// Legs that found the other worker's channel full.
    pub(super) leaving: VecDeque<(usize, Box<Leg>, CallId)>,
    pub(super) wheel: Wheel,
    round: usize,
    round_at: Mono,
    /// Events that found the channel full; keys are dropped when it is long, ends never.
    pub(super) outbox: VecDeque<Event>,
    pub(super) rng: SmallRng,
    pub(super) packet: Box<[u8; DATAGRAM]>,
    pub(super) copy: Box<[u8; DATAGRAM]>,
}

impl Worker {
    pub(super) fn new(
        index: usize,
        shared: Shared,
        pairs: Vec<Pair>,
        orders: Receiver<Order>,
    ) -> Result<Self, io::Error> {
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let bell = shared.peers[index].1.clone();
        poll.add(&*bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        let now = shared.clock.mono();
        let mut worker = Self {
            index,
            poll,
            bell,
            orders,
            called: false,
            prompts: shared.config.prompts.clone(),
            resting: BTreeMap::new(),
            holders: Vec::new(),
            free_marks: Vec::new(),
            legs: Slots::new(),
            leg_slots: BTreeMap::new(),
            calls: Slots::new(),
            call_slots: BTreeMap::new(),
            expected: BTreeMap::new(),
            leaving: VecDeque::new(),
            wheel: Wheel::new(now),
            round: 0,
            round_at: now,
            outbox: VecDeque::new(),
            rng: SmallRng::from_os_rng(),
            packet: Box::new([0; DATAGRAM]),
            copy: Box::new([0; DATAGRAM]),
            shared,
        };
        for mut pair in pairs {
            let key = pair.key();
            worker.watch(&mut pair, Holder::Rest(key));
            worker.resting.insert(key, pair);
        }
        Ok(worker)
    }

    /// Runs until it is told to stop; pinned to `core` when one is named.
    pub(super) fn run(mut self, core: Option<usize>) {
        if let Some(core) = core {
            pin(core);
        }
        let mut ready = [EpollEvent::empty(); BATCH];
        let mut timeout = EpollTimeout::ZERO;
        loop {
            match self.turn(&mut ready, timeout) {
                Obeyed::All => timeout = self.timeout(),
                Obeyed::Some => timeout = EpollTimeout::ZERO,
                Obeyed::Stop => break,
            }
        }
        self.finish();
    }

    /// One turn of the loop: wait, read what came, obey orders, do what is due, report.
    pub(super) fn turn(&mut self, ready: &mut [EpollEvent], timeout: EpollTimeout) -> Obeyed {
        self.shared.pulses[self.index].beat();
        let count = match self.poll.wait(ready, timeout) {
            Ok(count) => count,
            Err(nix::Error::EINTR) => 0,
            Err(error) => {
                tracing::error!(worker = self.index, %error, "the poll set of a media worker is broken");
                return Obeyed::Stop;
            }
        };
        for event in &ready[..count] {
            if event.data() == BELL {
                // Level-triggered: reading resets the bell; an empty counter is no harm.
                let _ = self.bell.read();
                self.called = true;
            } else {
                self.readable(event.data());
            }
        }
        let mut obeyed = Obeyed::All;
        if self.called {
            obeyed = self.obey();
            self.called = obeyed == Obeyed::Some;
        }
        if obeyed != Obeyed::Stop {
            self.due();
            self.report();
        }
        obeyed
    }

    /// Carries out the waiting orders.
    fn obey(&mut self) -> Obeyed {
        for _ in 0..ORDERS_A_TURN {
            match self.orders.try_recv() {
                Ok(Order::Stop) => return Obeyed::Stop,
                Ok(order) => self.order(order),
                Err(_) => return Obeyed::All,
            }
        }
        Obeyed::Some
    }

    /// Does all that time asks for: frames first, then the slow work.
    pub(super) fn due(&mut self) {
        let now = self.shared.clock.mono();
        self.due_at(now);
    }

    /// The same at a given time.
    pub(super) fn due_at(&mut self, now: Mono) {
        if self.wheel.calls > 0 {
            let last = self.wheel.phase_at(now);
            if last > self.wheel.next + MAX_BEHIND {
                metrics::counter!("yihao_media_frames_skipped_total").increment(1);
                self.wheel.next = last;
            }
            while self.wheel.next <= last && self.wheel.calls > 0 {
                let phase = phase_index(self.wheel.next);
                self.wheel.next += 1;
                let calls = std::mem::take(&mut self.wheel.phases[phase]);
                for call in &calls {
                    self.tick_call(*call, now);
                }
                // A tick can end a prompt but never adds a call to a phase.
                self.wheel.phases[phase] = calls;
                self.settle_wheel(phase);
            }
        }
        while self.round_at <= now {
            self.look_after(self.round, ROUNDS, now);
            self.round = (self.round + 1) % ROUNDS;
            self.round_at = if now.since(self.round_at) > ROUND * 4 { now + ROUND } else { self.round_at + ROUND };
        }
    }

    /// Takes the calls off the phase that need no tick any more.
    fn settle_wheel(&mut self, phase: usize) {
        let mut index = 0;
        while let Some(call) = self.wheel.phases[phase].get(index).copied() {
            if self.needs_tick(call) {
                index += 1;
            } else {
                self.wheel.phases[phase].remove(index);
                self.wheel.calls -= 1;
                if let Some(call) = self.calls.get_mut(call) {
                    call.phase = None;
                }
            }
        }
    }

    /// Time until something is due.
    fn timeout(&self) -> EpollTimeout {
        if self.legs.end() == 0 {
            return EpollTimeout::NONE;
        }
        let mut deadline = self.round_at;
        if let Some(tick) = self.wheel.deadline() {
            deadline = deadline.min(tick);
        }
        let wait = deadline.since(self.shared.clock.mono());
        EpollTimeout::try_from(wait.as_micros().div_ceil(1_000).min(60_000) as u64).unwrap_or(EpollTimeout::ZERO)
    }

    /// Hands the events over and wakes the control loop.
    pub(super) fn report(&mut self) {
        self.send_leaving();
        let mut sent = false;
        while let Some(event) = self.outbox.pop_front() {
            match self.shared.events.try_send(event) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(event)) => {
                    self.outbox.push_front(event);
                    break;
                }
                // The engine's handle is gone; nobody wants to know.
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
        if sent {
            (self.shared.config.waker)();
        }
    }

    fn send_leaving(&mut self) {
        while let Some((to, leg, call)) = self.leaving.pop_front() {
            match self.shared.peers[to].0.try_send(Order::Adopt(leg, call)) {
                Ok(()) => super::ring(&self.shared.peers[to].1),
                Err(TrySendError::Full(Order::Adopt(leg, call))) => {
                    self.leaving.push_front((to, leg, call));
                    return;
                }
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
    }

    /// Polls the sockets of a pair that is new here.
    pub(super) fn watch(&mut self, pair: &mut Pair, holder: Holder) {
        pair.mark = self.free_marks.pop().unwrap_or(self.holders.len());
        if pair.mark == self.holders.len() {
            self.holders.push(holder);
        } else {
            self.holders[pair.mark] = holder;
        }
        for (socket, rtcp) in [(&pair.rtp, 0), (&pair.rtcp, 1)] {
            let mark = (pair.mark as u64) << 1 | rtcp;
            if let Err(error) = self.poll.add(socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, mark)) {
                tracing::error!(port = pair.port.port, %error, "a media socket cannot be polled");
            }
        }
    }

    /// Ends polling a pair that goes to another worker.
    pub(super) fn unwatch(&mut self, pair: &Pair) {
        for socket in [&pair.rtp, &pair.rtcp] {
            if let Err(error) = self.poll.delete(socket.as_fd()) {
                tracing::debug!(port = pair.port.port, %error, "a media socket was not polled");
            }
        }
        self.holders[pair.mark] = Holder::Nobody;
        self.free_marks.push(pair.mark);
    }

    pub(super) fn random(&mut self) -> u32 {
        self.rng.next_u32()
    }
}

/// How far the waiting orders were carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obeyed {
    All,
    Some,
    Stop,
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    if let Err(error) = cores.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cores)) {
        tracing::debug!(core, %error, "a media worker is not pinned");
    }
}
