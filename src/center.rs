//! The center: owns all live calls, seats and queues of one node. The only place where `call`, `acd` and `seat` meet.
//!
//! A machine without clock, socket or randomness: [`Center::handle`] takes one [`Input`] and appends what must be done.
//! One file per step of a call's life: `arrive`, `offer`, `answer`, `outside`, `hold`, `end`; `tick` and
//! `presence` are what happens beside it. Knows no SIP, no media engine and no store.

mod announce;
mod answer;
mod arrive;
mod audit;
mod check;
mod clock_step;
mod dial_out;
mod drain;
mod end;
mod familiar;
mod hold;
mod io;
mod live;
mod look;
mod marks;
mod memory;
mod offer;
mod outside;
mod overflow;
mod presence;
mod refer;
mod renew;
mod supervise;
mod tick;
mod timers;
mod transfer;
mod way_out;

pub use io::{
    Effect, Input, PresenceCommand, Refusal, Reply, SeatChange, SeatNews, TalkCommand, TransferCommand, WrapUpCommand,
};
pub use look::{CallView, Doing, GuestView, QueueView, SeatView, TrunkView, View, WhereIs};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::acd::Acd;
use crate::dialplan::Plan;
use crate::seat::Seat;
use crate::types::{
    CallEvent, CallId, Hear, IdBase, LegCommand, LegEvent, LegId, LegIds, Mono, Now, OfferId, QueueId, ReplyId, Row,
    RunId, SeatId, TrunkId,
};
use clock_step::Steps;
use familiar::Familiar;
use live::Live;
use marks::Marks;
use memory::Memory;
use timers::Timers;

/// Bounds and backstops. Times of the service itself (ring, wrap-up, longest waiting) stand in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Most live calls; a new one beyond is refused "overload" (default 10,000).
    pub max_calls: usize,
    /// Whether talks are recorded (default yes).
    pub records: bool,
    /// Longest playing of a prompt in milliseconds. A prompt whose end is not reported by then counts as ended, so that
    /// no caller is stuck behind it (default 120,000).
    pub prompt_max_ms: u32,
    /// Longest time from a seat's answer to the confirmed answer of the caller's leg, milliseconds. A backstop: the
    /// endpoint gives up after 32 s without ACK (RFC 3261 13.3.1.4) and reports it (default 40,000).
    pub join_max_ms: u32,
    /// Longest time from our hang-up to the last word of a leg, milliseconds. A backstop behind 32 s of BYE
    /// retransmission (Timer F of RFC 3261 17.1.2.2); then the books are closed without it (default 40,000).
    pub clear_max_ms: u32,
    /// How long a seat whose phone was busy or failed gets no offer, milliseconds (default 10,000). Too short: one broken
    /// phone delays every caller; too long: a seat idles after a slip.
    pub rest_ms: u32,
    /// How long figures of an ended leg are awaited, milliseconds (default 60,000).
    pub measured_within_ms: u32,
    /// Most ended legs that are remembered for that (default 20,000).
    pub max_remembered: usize,
    /// How long calls may go on after a drain has begun that names no time, milliseconds (default 30,000).
    pub drain_ms: u32,
    /// How long before the end of a drain everybody is told of it, milliseconds (default 10,000).
    pub drain_notice_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_calls: 10_000,
            records: true,
            prompt_max_ms: 120_000,
            join_max_ms: 40_000,
            clear_max_ms: 40_000,
            rest_ms: 10_000,
            measured_within_ms: 60_000,
            max_remembered: 20_000,
            drain_ms: 30_000,
            drain_notice_ms: 10_000,
        }
    }
}

/// Whether new calls are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// They are.
    Open,
    /// They are not; those in progress may finish until then.
    Draining {
        /// Then they are ended.
        until: Mono,
    },
    /// They are not, and those in progress have been ended.
    Closed,
}

/// All live calls, seats and queues of one node.
#[derive(Debug)]
pub struct Center {
    config: Config,
    plan: Arc<Plan>,
    ids: Ids,
    door: Door,
    calls: BTreeMap<CallId, Live>,
    /// Call of every leg that has not ended.
    call_of: BTreeMap<LegId, CallId>,
    /// Seat of every such leg that belongs to one.
    seat_of: BTreeMap<LegId, SeatId>,
    seats: BTreeMap<SeatId, Seat>,
    acd: Acd,
    /// Queues by name. Their ids here are our own: an index of one plan means another queue in the next.
    queue_ids: BTreeMap<String, QueueId>,
    trunks: BTreeMap<TrunkId, bool>,
    /// Mean time of a talk with its wrap-up, by queue.
    handling: BTreeMap<QueueId, Duration>,
    familiar: Familiar,
    marks: Marks,
    /// Calls that came back from an offer with this input: a rule may send them on.
    returned: Vec<CallId>,
    /// A seat has signed out since queues were last asked whether anybody is left.
    somebody_left: bool,
    /// The day of the counters.
    day: jiff::civil::Date,
    /// What the monitor has put right since the start.
    healed: u64,
    /// Names of the surges that are on.
    surges: BTreeSet<String>,
    timers: Timers,
    memory: Memory,
    steps: Steps,
}

impl Center {
    /// An idle center: the seats of the plan signed out, their phones unreachable unless they have a fixed contact.
    pub fn new(plan: Arc<Plan>, config: Config, ids: IdBase) -> Self {
        let memory = Memory::new(config.max_remembered, Duration::from_millis(config.measured_within_ms.into()));
        let mut center = Self {
            config,
            plan: Arc::clone(&plan),
            ids: Ids::new(ids),
            door: Door::Open,
            calls: BTreeMap::new(),
            call_of: BTreeMap::new(),
            seat_of: BTreeMap::new(),
            seats: BTreeMap::new(),
            acd: Acd::default(),
            queue_ids: BTreeMap::new(),
            trunks: BTreeMap::new(),
            handling: BTreeMap::new(),
            familiar: Familiar::default(),
            marks: Marks::default(),
            returned: Vec::new(),
            somebody_left: false,
            day: jiff::civil::Date::ZERO,
            healed: 0,
            surges: BTreeSet::new(),
            timers: Timers::default(),
            memory,
            steps: Steps::default(),
        };
        // Nobody watches yet.
        center.adopt(plan, &mut Out { now: Now::default(), effects: &mut Vec::new() });
        center
    }

    /// Applies one input and appends what must be done to `effects`, in order.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        let first = effects.len();
        self.steps.follow(now, self.calls.keys().copied());
        let out = &mut Out { now, effects };
        self.turn_the_day(out);
        match input {
            Input::Leg { leg, event } => self.on_leg(leg, event, out),
            Input::PromptEnded { leg, run } => self.on_prompt_ended(leg, run, out),
            Input::Measured { leg, report } => self.on_measured(leg, report, out),
            Input::RecordingFailed { call, why } => self.on_recording_failed(call, why, out),
            Input::Reachable { seat, reachable } => self.on_reachable(seat, reachable, out),
            Input::TrunkHealth { trunk, up } => self.on_trunk_health(trunk, up),
            Input::Presence { seat, command, reply } => {
                let done = self.command_presence(seat, &command, out);
                out.reply(reply, done);
            }
            Input::SignIn { seat, agent, take_over, reply } => {
                let done = self.sign_in(seat, agent, take_over, out);
                out.reply(reply, done);
            }
            Input::WrapUp { seat, command, reply } => {
                let done = self.wrap_up_command(seat, command, out);
                out.reply(reply, done);
            }
            Input::Talk { seat, call, command, reply } => {
                let done = self.talk_command(seat, call, command, out);
                out.reply(reply, done);
            }
            Input::Transfer { seat, call, command, reply } => {
                let done = self.transfer_command(seat, call, command, out);
                out.reply(reply, done);
            }
            Input::Supervise { seat, call, how, reply } => {
                let done = self.supervise(seat, call, how, out);
                out.reply(reply, done);
            }
            Input::Help { seat, reply } => {
                let done = self.ask_for_help(seat, out);
                out.reply(reply, done);
            }
            Input::Surge { name, on, reply } => {
                let done = self.switch_surge(name, on);
                out.reply(reply, done);
            }
            Input::DialOut { seat, number, line, linked, reply } => {
                let placed = self.dial_out(seat, number, line, linked, out);
                let reply_with = |to| Effect::Reply { to, reply: placed.map_or_else(Reply::Refused, Reply::Dialled) };
                out.effects.extend(reply.map(reply_with));
            }
            Input::CallerLists { marks } => self.on_caller_lists(marks),
            Input::Audit => self.audit(out),
            Input::Look { reply } => self.on_look(reply, out),
            Input::Plan { plan } => self.on_plan(plan, out),
            Input::Drain { within, reply } => {
                self.drain(within, out);
                out.reply(reply, Ok(()));
            }
            Input::Resume { reply } => {
                self.resume(out);
                out.reply(reply, Ok(()));
            }
            Input::Tick => self.on_tick(out),
        }
        self.match_waiting(out);
        self.steps.stamp(&mut effects[first..]);
    }

    fn on_leg(&mut self, leg: LegId, event: LegEvent, out: &mut Out<'_>) {
        match event {
            LegEvent::Arrived(arrival) => self.on_arrived(leg, arrival, out),
            LegEvent::Ringing => self.on_ringing(leg, out),
            LegEvent::Answered => self.on_answered(leg, out),
            LegEvent::NoEarlyMedia => self.on_no_early_media(leg, out),
            LegEvent::EarlyMedia(heard) => self.on_early_media(leg, heard, out),
            LegEvent::Held(held) => self.on_held(leg, held, out),
            LegEvent::Digit { digit, .. } => self.on_digit(leg, digit, out),
            LegEvent::Refer { to } => self.on_refer(leg, to, out),
            LegEvent::Ended { cause, status } => self.on_ended(leg, cause, status, out),
        }
    }

    /// When [`Input::Tick`] is due next. Ticks that come early or late do no harm.
    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next().into_iter().chain(self.acd.deadline()).min()
    }

    /// A surge counts for calls that arrive from now on.
    fn switch_surge(&mut self, name: String, on: bool) -> Result<(), Refusal> {
        if !on {
            return if self.surges.remove(&name) { Ok(()) } else { Err(Refusal::NoSuchSurge) };
        }
        if !self.plan.surges.iter().any(|surge| surge.name == name) {
            return Err(Refusal::NoSuchSurge);
        }
        self.surges.insert(name);
        Ok(())
    }

    /// A new day: the counters of seats that wait begin anew.
    fn turn_the_day(&mut self, out: &mut Out<'_>) {
        let day = out.now.wall.in_china().date();
        if std::mem::replace(&mut self.day, day) != day {
            let seats: Vec<SeatId> = self.seats.keys().copied().collect();
            for seat in seats {
                self.settle(seat, out);
            }
        }
    }

    /// How many calls live.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }
}

/// Where effects of one input go, with its time.
struct Out<'a> {
    now: Now,
    effects: &'a mut Vec<Effect>,
}

impl Out<'_> {
    fn row(&mut self, call: CallId, event: CallEvent) {
        self.effects.push(Effect::Ledger(Row { at: self.now.wall, call, event }));
    }

    fn leg(&mut self, call: CallId, leg: LegId, command: LegCommand) {
        self.effects.push(Effect::Leg { call, leg, command });
    }

    fn reply(&mut self, to: Option<ReplyId>, done: Result<(), Refusal>) {
        let reply = match done {
            Ok(()) => Reply::Done,
            Err(refusal) => Reply::Refused(refusal),
        };
        self.effects.extend(to.map(|to| Effect::Reply { to, reply }));
    }

    fn hear(&mut self, call: CallId, set: Option<Vec<Hear>>) {
        self.effects.extend(set.map(|set| Effect::Hear { call, set }));
    }
}

/// Counters of live ids.
#[derive(Debug)]
struct Ids {
    call: u64,
    offer: u64,
    run: u64,
    legs: LegIds,
}

impl Ids {
    fn new(base: IdBase) -> Self {
        Self { call: base.first(), offer: base.first(), run: base.first(), legs: base.legs_of_center() }
    }

    fn call(&mut self) -> CallId {
        self.call += 1;
        CallId(self.call)
    }

    fn offer(&mut self) -> OfferId {
        self.offer += 1;
        OfferId(self.offer)
    }

    fn run(&mut self) -> RunId {
        self.run += 1;
        RunId(self.run)
    }
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a story looks for one kind of effect")]
mod tests;
