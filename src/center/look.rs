//! What is going on: a picture of all seats, queues, calls and trunks, for the API and for people.

use std::time::Duration;

use serde::Serialize;

use super::live::{GuestAt, Live, Place};
use super::{Center, Door, Effect, Out, Reply};
use crate::seat::{Presence, Seat, Work};
use crate::types::{
    AgentId, CallId, Calling, Fate, LineNumber, Mono, Now, Origin, PhoneNumber, ReplyId, SeatId, TransferHow, Wall,
    Word,
};

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The moment.
    pub at: Wall,
    /// Whether new calls are refused because the exchange shuts down.
    pub draining: bool,
    /// Names of the surges that are on.
    pub surges: Vec<String>,
    /// In order of their numbers.
    pub seats: Vec<SeatView>,
    /// In the order of the plan.
    pub queues: Vec<QueueView>,
    /// In order of arrival.
    pub calls: Vec<CallView>,
    /// In the order of the plan.
    pub trunks: Vec<TrunkView>,
}

/// One seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeatView {
    /// Its number.
    pub seat: SeatId,
    /// Its name in the plan; empty when the plan has dropped it in mid-call.
    pub name: String,
    /// The person who is signed in; `None`: nobody, or nobody in particular.
    pub agent: Option<AgentId>,
    /// What the agent chose.
    pub presence: Presence,
    /// For how long, milliseconds.
    pub presence_ms: u64,
    /// What the agent chose for the time after the call.
    pub next: Option<Presence>,
    /// Whether the break lasts longer than it may.
    pub break_over: bool,
    /// Calls of queues that it answered today.
    pub calls_today: u32,
    /// Whether its phone has a contact.
    pub reachable: bool,
    /// What it does.
    pub work: Doing,
}

/// What a seat does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Doing {
    /// Nothing.
    Idle,
    /// A call is offered; the phone does not ring yet.
    Offered {
        /// Which call.
        call: CallId,
    },
    /// Its phone rings.
    Ringing {
        /// Which call.
        call: CallId,
    },
    /// It talks.
    Talking {
        /// Which call.
        call: CallId,
    },
    /// Its phone began a call itself.
    OwnCall {
        /// Which call.
        call: CallId,
    },
    /// We hung up and wait for its leg to end.
    Leaving {
        /// Which call.
        call: CallId,
    },
    /// It gets no offer for a moment, because its phone failed.
    Resting {
        /// Milliseconds to go.
        left_ms: u64,
    },
    /// It wraps up.
    WrapUp {
        /// Of which call.
        call: CallId,
        /// Milliseconds to go.
        left_ms: u64,
        /// Whether the queue asks for a result that has not been given.
        result_missing: bool,
    },
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueView {
    /// Its name.
    pub queue: String,
    /// Who waits, next first. Calls that are being offered are not in it.
    pub waiting: Vec<CallId>,
    /// How long the longest of them has waited, milliseconds; 0 when nobody waits.
    pub longest_ms: u64,
    /// Seats with its skill that are free now.
    pub free_seats: usize,
    /// Seats that serve it and at which somebody is signed in.
    pub signed_in: usize,
    /// Of these, seats that take calls: free or in a call.
    pub serving: usize,
    /// How long a caller who comes now is expected to wait, milliseconds; `None` when nothing is known yet or nobody serves.
    pub expected_ms: Option<u64>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallView {
    /// Its id.
    pub call: CallId,
    /// Where from.
    pub origin: Origin,
    /// The same by name: the trunk, or the number of the seat.
    pub source: String,
    /// The number dialled; of a call that a seat placed to a citizen, the line in whose name it goes out.
    pub called: LineNumber,
    /// Whom a seat calls.
    pub to: Option<PhoneNumber>,
    /// Who calls.
    pub calling: Calling,
    /// When it arrived.
    pub arrived: Wall,
    /// Name of its queue, if it has one.
    pub queue: Option<String>,
    /// Where it is.
    pub place: WhereIs,
    /// For how long it has been there, milliseconds.
    pub in_place_ms: u64,
    /// For how long it has waited for a seat, milliseconds, until now or until the answer; `None` before the queue.
    pub waited_ms: Option<u64>,
    /// The seat that is rung or talks.
    pub seat: Option<SeatId>,
    /// The person there, if one signed in.
    pub agent: Option<AgentId>,
    /// The place outside that is rung for the caller, or has answered.
    pub outside: Option<String>,
    /// The third in the talk.
    pub guest: Option<GuestView>,
    /// The mark of the caller lists that counts for it.
    pub mark: Option<Word>,
    /// Its priority with what waiting has added; 0 outside of queues.
    pub priority: u8,
    /// The earlier call that it belongs to.
    pub linked: Option<CallId>,
    /// Whether a far end holds.
    pub held: bool,
}

/// A third whom an agent has brought into a talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestView {
    /// Whom: the name of a place outside or of a queue, or a number.
    pub name: String,
    /// In which way.
    pub how: TransferHow,
    /// Whether it has answered.
    pub here: bool,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhereIs {
    /// Hears the greeting.
    Greeting,
    /// Waits.
    Waiting,
    /// A seat is rung.
    Offered,
    /// A seat answered; the caller's leg is being answered.
    Joining,
    /// Caller and seat talk.
    Talking,
    /// Somebody outside is rung for the caller.
    Reaching,
    /// Caller and somebody outside talk.
    Outside,
    /// Hears that nobody can come, or that the number is served no more.
    Overflowing,
    /// Left the queue: hears that the wish is noted, or leaves a message.
    Wishing,
    /// A seat calls somebody who has not answered yet.
    Calling,
    /// A seat talks with whom it called.
    Called,
    /// A seat's phone hears what its feature code did.
    Feature,
    /// Over; legs are being hung up.
    Ending,
}

/// One trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkView {
    /// Its id, as calls name it.
    pub id: crate::types::TrunkId,
    /// Its name.
    pub trunk: String,
    /// Whether it answers; `None` until it is known.
    pub up: Option<bool>,
}

impl Center {
    pub(super) fn on_look(&mut self, reply: ReplyId, out: &mut Out<'_>) {
        let view = Reply::Seen(Box::new(self.view(out.now)));
        out.effects.push(Effect::Reply { to: reply, reply: view });
    }

    fn view(&self, now: Now) -> View {
        View {
            at: now.wall,
            draining: self.door != Door::Open,
            surges: self.surges.iter().cloned().collect(),
            seats: self.seats.iter().map(|(id, seat)| self.seat_view(*id, seat, now)).collect(),
            queues: self.queue_views(now.mono),
            calls: self.calls.iter().map(|(id, live)| self.call_view(*id, live, now.mono)).collect(),
            trunks: self.trunk_views(),
        }
    }

    fn seat_view(&self, id: SeatId, seat: &Seat, now: Now) -> SeatView {
        SeatView {
            seat: id,
            name: self.plan.seats.get(&id).map(|planned| planned.name.clone()).unwrap_or_default(),
            agent: seat.agent_id(),
            presence: seat.presence().clone(),
            presence_ms: ms(now.mono.since(seat.presence_since())),
            next: seat.next().cloned(),
            break_over: seat.is_break_over(),
            calls_today: seat.calls_on(now.wall.in_china().date()),
            reachable: seat.reachable(),
            work: doing(seat.work(), now.mono),
        }
    }

    fn queue_views(&self, now: Mono) -> Vec<QueueView> {
        let view = |queue: &crate::dialplan::Queue| {
            let id = self.queue_ids.get(&queue.name).copied();
            let waiting: Vec<CallId> = id.into_iter().flat_map(|id| self.acd.waiting_in(id)).collect();
            let waits = waiting.iter().filter_map(|call| waited(self.calls.get(call)?, now));
            let longest_ms = waits.max().unwrap_or_default();
            let free_seats = id.map_or(0, |id| self.acd.free_for(id));
            QueueView {
                queue: queue.name.clone(),
                expected_ms: id.and_then(|id| self.expected(id, waiting.len())).map(ms),
                waiting,
                longest_ms,
                free_seats,
                signed_in: id.map_or(0, |id| self.acd.signed_in(id)),
                serving: id.map_or(0, |id| self.acd.serving(id)),
            }
        };
        self.plan.queues.iter().map(view).collect()
    }

    fn trunk_views(&self) -> Vec<TrunkView> {
        let view = |trunk: &crate::dialplan::Trunk| TrunkView {
            id: trunk.id,
            trunk: trunk.name.clone(),
            up: self.trunks.get(&trunk.id).copied(),
        };
        self.plan.trunks.iter().map(view).collect()
    }
}

fn doing(work: Work, now: Mono) -> Doing {
    match work {
        Work::Idle => Doing::Idle,
        Work::Offered(lease) => Doing::Offered { call: lease.call },
        Work::Ringing(lease) => Doing::Ringing { call: lease.call },
        Work::Talking { call, .. } => Doing::Talking { call },
        Work::OwnCall { call, .. } => Doing::OwnCall { call },
        Work::Leaving { call, .. } => Doing::Leaving { call },
        Work::Resting { until } => Doing::Resting { left_ms: ms(until.since(now)) },
        Work::WrapUp(notes) => {
            let left_ms = ms(notes.until.since(now));
            Doing::WrapUp { call: notes.call, left_ms, result_missing: notes.result_missing }
        }
    }
}

impl Center {
    fn call_view(&self, id: CallId, live: &Live, now: Mono) -> CallView {
        let offered = live.place.offers().first().map(|offer| offer.seat);
        let from = live.place.outing().map(|outing| outing.from.seat);
        let seat = live.place.party().map(|party| party.seat).or(offered).or(from);
        CallView {
            call: id,
            origin: live.origin,
            source: match live.origin {
                Origin::Trunk(trunk) => self.plan.trunk_name(trunk).to_owned(),
                Origin::Seat(seat) => seat.0.to_string(),
            },
            called: live.called.clone(),
            to: live.to.clone(),
            calling: live.calling.clone(),
            arrived: live.arrived_wall,
            queue: live.way.as_ref().map(|way| way.planned().name.clone()),
            place: match &live.place {
                Place::Greeting(_) => WhereIs::Greeting,
                Place::Waiting | Place::Announcing(_) => WhereIs::Waiting,
                Place::Wishing { .. } | Place::Message => WhereIs::Wishing,
                Place::Offered(_) => WhereIs::Offered,
                Place::Joining(_) => WhereIs::Joining,
                Place::Talking(_) | Place::CallerLeft(_) => WhereIs::Talking,
                Place::Reaching(_) => WhereIs::Reaching,
                Place::Outside(_) => WhereIs::Outside,
                Place::Overflowing { .. } => WhereIs::Overflowing,
                Place::Summoning(_) | Place::Calling(_) => WhereIs::Calling,
                Place::Called(_) => WhereIs::Called,
                Place::Telling(sentence) if sentence.fate == Fate::Served => WhereIs::Feature,
                Place::Telling(_) if live.is_callers() => WhereIs::Overflowing,
                Place::Telling(_) => WhereIs::Calling,
                Place::Ending { .. } => WhereIs::Ending,
            },
            in_place_ms: ms(now.since(live.since)),
            waited_ms: waited(live, now),
            seat,
            agent: seat.and_then(|seat| self.seats.get(&seat)).and_then(|seat| seat.agent_id()),
            outside: outside(live),
            guest: live.place.guest().map(|guest| GuestView {
                name: guest.name.clone(),
                how: guest.how,
                here: matches!(guest.at, GuestAt::Here(_)),
            }),
            mark: live.way.as_ref().and_then(|way| way.mark.clone()),
            priority: self.acd.priority(id).unwrap_or_default(),
            linked: live.linked,
            held: live.call.legs().any(|(_, leg)| leg.held),
        }
    }
}

/// The name of the place outside that a call goes on to.
fn outside(live: &Live) -> Option<String> {
    let reaching = live.place.reaching().map(|attempt| attempt.destination.clone());
    reaching.or_else(|| live.place.through().map(|through| through.destination.clone()))
}

/// How long a call has waited; the clock stops when it talks.
fn waited(live: &Live, now: Mono) -> Option<u64> {
    let since = live.way.as_ref()?.waiting_since?;
    let until = if matches!(live.place, Place::Talking(_) | Place::CallerLeft(_) | Place::Outside(_)) {
        live.since
    } else {
        now
    };
    Some(ms(until.since(since)))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
