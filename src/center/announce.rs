//! What a waiting caller is told, and the wish that may be left instead of waiting on. An announcement is cut the moment a
//! seat is free: it costs nobody's time.

use std::time::Duration;

use super::live::{Live, Place, Saying};
use super::timers::Timer;
use super::{Center, Out};
use crate::dialplan::{WishOffer, announce};
use crate::types::{CallEvent, CallId, Cause, Digit, Fate, LegId, WishKind};

/// The farthest position that is counted: beyond it "more" is said.
const FARTHEST: usize = 50;

impl Center {
    /// When the first announcement is due after joining a queue.
    pub(super) fn expect_announcement(&mut self, id: CallId, out: &Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get(&id) else { return };
        if let Some(announce) = way.planned().announce {
            self.timers.set(Timer::Say(id), out.now.mono + Duration::from_millis(announce.first_ms.into()));
        }
    }

    /// Tells a waiting caller the position and the expected wait; the next time follows.
    pub(super) fn announce(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), place, call, .. }) = self.calls.get(&id) else { return };
        let Some(announce) = way.planned().announce else { return };
        self.timers.set(Timer::Say(id), out.now.mono + Duration::from_millis(announce.every_ms.into()));
        if *place != Place::Waiting || !call.is_heard() {
            return;
        }
        let place = self.acd.position(id, FARTHEST);
        let expected =
            self.expected(way.queue, place.unwrap_or(FARTHEST + 1) - 1).map(|time| announce::wait(time.as_secs()));
        let position = u32::try_from(place.unwrap_or(FARTHEST + 1)).unwrap_or(u32::MAX);
        let mut rest = vec![announce::position(position)];
        rest.extend(expected.as_ref().map(|(_, prompt)| prompt.clone()));
        rest.extend(self.wish_for(id).map(|wish| wish.prompt.clone()));
        rest.reverse();
        out.row(id, CallEvent::Announced { position, minutes: expected.map(|(minutes, _)| minutes) });
        self.say(id, rest, out);
    }

    /// Says the last of these prompts, or gives the music back.
    pub(super) fn say(&mut self, id: CallId, mut rest: Vec<crate::types::PromptName>, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        let since = live.since;
        match rest.pop() {
            Some(name) => {
                out.hear(id, live.go(since, Place::Announcing(Saying { run, name, rest })));
                self.lease_prompt(id, out);
            }
            None => {
                self.timers.clear(Timer::Place(id));
                out.hear(id, live.go(since, Place::Waiting));
            }
        }
    }

    /// What this caller may wish for: nobody is called back whose number is not known.
    fn wish_for(&self, id: CallId) -> Option<&WishOffer> {
        let live = self.calls.get(&id)?;
        let wish = live.way.as_ref()?.planned().wish.as_ref()?;
        (wish.kind == WishKind::Message || live.calling.number.is_some()).then_some(wish)
    }

    /// A key was pressed: in the queue it may be the wish, in a message its end.
    pub(super) fn key_for_wish(&mut self, id: CallId, leg: LegId, digit: Digit, out: &mut Out<'_>) {
        let Some(live) = self.calls.get(&id) else { return };
        let by_caller = live.call.caller() == Some(leg);
        match live.place {
            Place::Waiting | Place::Announcing(_) if by_caller => {
                if self.wish_for(id).is_some_and(|wish| wish.key == digit) {
                    self.leave_wish(id, leg, out);
                }
            }
            Place::Message if by_caller && digit == Digit('#') => self.end(id, Fate::LeftWish, Cause::HungUp, out),
            Place::Greeting(_)
            | Place::Waiting
            | Place::Announcing(_)
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Overflowing { .. }
            | Place::Wishing { .. }
            | Place::Message
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Telling(_)
            | Place::Ending { .. } => {}
        }
    }

    /// The caller leaves the queue: a callback is noted at once, a message follows its prompt.
    fn leave_wish(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(kind) = live.way.as_ref().and_then(|way| way.planned().wish.as_ref()).map(|wish| wish.kind) else {
            return;
        };
        match kind {
            WishKind::Callback => out.row(id, CallEvent::Wish { kind, file: None }),
            WishKind::Message => {
                // Before the answer carriers let nobody be heard.
                if let Some(command) = live.call.answer(leg) {
                    out.row(id, CallEvent::AnsweredByExchange);
                    out.leg(id, leg, command);
                }
            }
        }
        self.acd.leave(id);
        self.forget_waiting(id);
        self.let_desk_go(id, out);
        let Some(live) = self.calls.get_mut(&id) else { return };
        out.hear(id, live.go(out.now.mono, Place::Wishing { run, kind }));
        self.lease_prompt(id, out);
    }

    /// The prompt of a wish is over: a callback is all said, a message begins.
    pub(super) fn wish_said(&mut self, id: CallId, kind: WishKind, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let longest = live.way.as_ref().and_then(|way| way.planned().wish.as_ref()).map_or(0, |wish| wish.longest_ms);
        match (kind, live.call.caller()) {
            (WishKind::Callback, _) | (WishKind::Message, None) => self.end(id, Fate::LeftWish, Cause::HungUp, out),
            (WishKind::Message, Some(caller)) => {
                let file = super::answer::file_name(id, live.arrived_wall);
                out.hear(id, live.go(out.now.mono, Place::Message));
                out.row(id, CallEvent::Wish { kind, file: Some(file) });
                self.begin_recording(id, caller, out);
                self.timers.set(Timer::Place(id), out.now.mono + Duration::from_millis(longest.into()));
            }
        }
    }
}
