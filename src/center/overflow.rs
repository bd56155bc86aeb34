//! A call leaves its queue without a seat: for another queue or another site by the plan's rules, or for a message and
//! the end.

use std::time::Duration;

use super::live::{Live, Place, Way};
use super::timers::Timer;
use super::{Center, Out};
use crate::dialplan::{Overflow, OverflowTo, OverflowWhen};
use crate::types::{CallEvent, CallId, OverflowWhy, QueueId};

impl Center {
    /// The call begins to wait in the queue of its way, or goes where the rules of that queue send it.
    pub(super) fn enqueue(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return };
        way.joined = out.now.mono;
        self.timers.clear(Timer::Place(id));
        if let Some(rule) = self.rule_that_holds(id, out) {
            return self.move_on(id, rule, out);
        }
        let Some(Live { way: Some(way), .. }) = self.calls.get(&id) else { return };
        let (queue, row) = (way.queue, self.queued_row(way));
        if self.acd.join(out.now.mono, queue, id, way.ticket, way.prefer).is_err() {
            return self.overflow(id, OverflowWhy::Full, out);
        }
        self.begin_waiting(id, row, out);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.go(out.now.mono, Place::Waiting));
        }
        self.ring_desk(id, out);
    }

    /// Its deadlines in the queue begin.
    pub(super) fn begin_waiting(&mut self, id: CallId, row: CallEvent, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return };
        way.waiting_since.get_or_insert(out.now.mono);
        way.queued = true;
        let ms = |ms: u32| out.now.mono + Duration::from_millis(ms.into());
        if let Some(most) = way.planned().max_wait_ms {
            self.timers.set(Timer::MaxWait(id), ms(most));
        }
        self.expect_overflow(id);
        out.row(id, row);
        self.expect_announcement(id, out);
    }

    /// When the next rule holds that asks for a time of waiting here.
    pub(super) fn expect_overflow(&mut self, id: CallId) {
        let Some(Live { way: Some(way), .. }) = self.calls.get(&id) else { return };
        if let Some(first) = way.overflows().filter_map(waited).min() {
            self.timers.set(Timer::Overflow(id), way.joined + Duration::from_millis(first.into()));
        }
    }

    /// The row of a call that joins its queue now, or comes back to it.
    pub(super) fn queued_row(&self, way: &Way) -> CallEvent {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (ahead, serving) = (small(self.acd.length(way.queue)), small(self.acd.serving(way.queue)));
        CallEvent::Queued { queue: way.planned().name.clone(), ahead, serving }
    }

    /// A waiting call goes on if a rule of its queue says so now.
    pub(super) fn overflow_by_rule(&mut self, id: CallId, out: &mut Out<'_>) {
        if self.acd.queue_of(id).is_some()
            && let Some(rule) = self.rule_that_holds(id, out)
        {
            self.move_on(id, rule, out);
        }
    }

    /// The first rule of its queue that holds for a call. Length and expected wait count only when it comes.
    fn rule_that_holds(&self, id: CallId, out: &Out<'_>) -> Option<Overflow> {
        let way = self.calls.get(&id)?.way.as_ref()?;
        let comes = self.acd.queue_of(id).is_none();
        let here = out.now.mono.since(way.joined);
        let holds = |when: OverflowWhen| match when {
            OverflowWhen::Waited(most) => !comes && here >= Duration::from_millis(most.into()),
            OverflowWhen::Waiting(most) => comes && self.acd.length(way.queue) >= most as usize,
            OverflowWhen::Expected(most) => {
                let expected = self.expected(way.queue, self.acd.length(way.queue));
                comes && expected.is_some_and(|time| time >= Duration::from_millis(most.into()))
            }
            OverflowWhen::NoSeats => self.acd.signed_in(way.queue) == 0,
        };
        let served = |rule: &Overflow| match rule.to {
            OverflowTo::Queue(to) => self.queue_ids.contains_key(&way.name_of(to)),
            OverflowTo::Destination(_) | OverflowTo::Message => true,
        };
        way.overflows().find(|rule| holds(rule.when) && served(rule))
    }

    fn move_on(&mut self, id: CallId, rule: Overflow, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return };
        let planned = match rule.to {
            OverflowTo::Queue(planned) => planned,
            OverflowTo::Destination(to) => return self.overflow_outside(id, to, rule.when.why(), out),
            OverflowTo::Message => return self.overflow(id, rule.when.why(), out),
        };
        let to = way.name_of(planned);
        let Some(queue) = self.queue_ids.get(&to).copied() else { return };
        let from = way.planned().name.clone();
        way.move_on(planned, queue);
        self.acd.leave(id);
        self.forget_waiting(id);
        out.row(id, CallEvent::Overflowed { from, to: Some(to), why: rule.when.why() });
        self.enqueue(id, out);
    }

    /// Nobody can come: the caller is told so, then the call ends.
    pub(super) fn overflow(&mut self, id: CallId, why: OverflowWhy, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        if let Some(way) = &live.way {
            out.row(id, CallEvent::Overflowed { from: way.planned().name.clone(), to: None, why });
        }
        self.acd.leave(id);
        self.forget_waiting(id);
        self.let_desk_go(id, out);
        let Some(live) = self.calls.get_mut(&id) else { return };
        out.hear(id, live.go(out.now.mono, Place::Overflowing { run }));
        self.lease_prompt(id, out);
    }

    /// A seat has signed out: queues that have nobody left send their callers on.
    pub(super) fn leave_empty_queues(&mut self, out: &mut Out<'_>) {
        if !std::mem::take(&mut self.somebody_left) {
            return;
        }
        let queues = self.queue_ids.values().copied();
        let empty: Vec<QueueId> = queues.filter(|queue| self.acd.signed_in(*queue) == 0).collect();
        for queue in empty {
            let waiting: Vec<CallId> = self.acd.waiting_in(queue).collect();
            for call in waiting {
                self.overflow_by_rule(call, out);
            }
        }
    }

    /// How long a caller with so many before them is expected to wait: recent handling times, shared by the seats that
    /// serve the queue. `None` when nothing is known yet, or nobody serves.
    pub(super) fn expected(&self, queue: QueueId, ahead: usize) -> Option<Duration> {
        if ahead == 0 && self.acd.free_for(queue) > 0 {
            return Some(Duration::ZERO);
        }
        let serving = u32::try_from(self.acd.serving(queue)).ok().filter(|serving| *serving > 0)?;
        let handling = self.handling.get(&queue)?;
        Some(*handling * u32::try_from(ahead + 1).unwrap_or(u32::MAX).min(100_000) / serving)
    }

    /// A talk with its wrap-up has taken so long: the mean follows recent ones.
    pub(super) fn note_handling(&mut self, queue: QueueId, time: Duration) {
        const RECENT: u32 = 10;
        let mean = self.handling.entry(queue).or_insert(time);
        *mean = (*mean * (RECENT - 1) + time) / RECENT;
    }
}

fn waited(rule: Overflow) -> Option<u32> {
    match rule.when {
        OverflowWhen::Waited(most) => Some(most),
        OverflowWhen::Waiting(_) | OverflowWhen::Expected(_) | OverflowWhen::NoSeats => None,
    }
}
