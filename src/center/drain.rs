//! The end of a day: no new calls, time for those in progress, a sentence to everybody shortly before the end, the end.

use std::time::Duration;

use super::live::{Live, Place, Sentence};
use super::timers::Timer;
use super::{Center, Door, Out};
use crate::types::{CallId, Cause, Fate, RunId, WishKind};

/// How often the end of a drain looks whether the last emergency call is over.
const EMERGENCY_LOOK: Duration = Duration::from_secs(1);

impl Center {
    /// No new calls from now on. Of two times the earlier one counts.
    pub(super) fn drain(&mut self, within: Option<Duration>, out: &Out<'_>) {
        let within = within.unwrap_or(Duration::from_millis(self.config.drain_ms.into()));
        let wanted = out.now.mono + within;
        match self.door {
            Door::Open => {}
            Door::Draining { until } if wanted < until => {}
            Door::Draining { .. } | Door::Closed => return,
        }
        let notice = Duration::from_millis(self.config.drain_notice_ms.into());
        self.door = Door::Draining { until: wanted };
        self.timers.set(Timer::DrainNotice, (wanted - notice).max(out.now.mono));
        self.timers.set(Timer::DrainEnd, wanted);
    }

    /// New calls are taken again.
    pub(super) fn resume(&mut self, out: &mut Out<'_>) {
        self.door = Door::Open;
        self.timers.clear(Timer::DrainNotice);
        self.timers.clear(Timer::DrainEnd);
        for (id, live) in &mut self.calls {
            if live.notice.take().is_some() {
                out.hear(*id, live.sound());
            }
        }
    }

    /// Whether nobody is left to wait for: no call lives, or the time of the drain is over.
    pub fn is_drained(&self) -> bool {
        self.calls.is_empty() || self.door == Door::Closed
    }

    /// Everybody who talks, waits or listens hears that the call will end; then things go on as before.
    pub(super) fn tell_of_end(&mut self, out: &mut Out<'_>) {
        for (id, live) in &mut self.calls {
            if hears_notice(&live.place) && !live.emergency {
                live.notice = Some(self.ids.run());
                out.hear(*id, live.sound());
            }
        }
    }

    /// A prompt has ended: the notice, or one that was cut for it and begins anew afterwards. `false` when there is no notice.
    pub(super) fn notice_over(&mut self, id: CallId, run: RunId, out: &mut Out<'_>) -> bool {
        let Some(live) = self.calls.get_mut(&id) else { return false };
        let Some(notice) = live.notice else { return false };
        if notice == run {
            live.notice = None;
            out.hear(id, live.sound());
        }
        true
    }

    /// The time is over: whoever is still there is hung up, and the record says why. Who talks with an emergency service, or
    /// waits for its answer, is not: the end waits for them.
    pub(super) fn drain_over(&mut self, out: &mut Out<'_>) {
        self.timers.clear(Timer::DrainNotice);
        let ends = |(id, live): (&CallId, &Live)| (!live.emergency).then(|| (*id, fate_now(&live.place)));
        let left: Vec<(CallId, Fate)> = self.calls.iter().filter_map(ends).collect();
        for (id, fate) in left {
            self.end(id, fate, Cause::Restart, out);
        }
        if self.calls.values().any(|live| live.emergency && !live.is_over()) {
            self.timers.set(Timer::DrainEnd, out.now.mono + EMERGENCY_LOOK);
        } else {
            self.door = Door::Closed;
        }
    }
}

/// Whose call may last until the end. A sentence that ends its call anyway is not cut for the notice.
fn hears_notice(place: &Place) -> bool {
    match place {
        Place::Greeting(_)
        | Place::Waiting
        | Place::Announcing(_)
        | Place::Offered(_)
        | Place::Joining(_)
        | Place::Talking(_)
        | Place::CallerLeft(_)
        | Place::Message
        | Place::Reaching(_)
        | Place::Outside(_)
        | Place::Summoning(_)
        | Place::Calling(_)
        | Place::Called(_) => true,
        Place::Overflowing { .. } | Place::Wishing { .. } | Place::Telling(_) | Place::Ending { .. } => false,
    }
}

/// What becomes of a call that is cut here: what it had come to is not undone.
fn fate_now(place: &Place) -> Fate {
    match place {
        Place::Overflowing { .. } => Fate::Overflowed,
        Place::Message | Place::Wishing { kind: WishKind::Callback, .. } => Fate::LeftWish,
        Place::Telling(Sentence { fate, .. }) => *fate,
        Place::Greeting(_)
        | Place::Waiting
        | Place::Announcing(_)
        | Place::Offered(_)
        | Place::Joining(_)
        | Place::Talking(_)
        | Place::CallerLeft(_)
        | Place::Wishing { kind: WishKind::Message, .. }
        | Place::Reaching(_)
        | Place::Outside(_)
        | Place::Summoning(_)
        | Place::Calling(_)
        | Place::Called(_)
        | Place::Ending { .. } => Fate::CutByDrain,
    }
}
