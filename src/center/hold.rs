//! What happens inside a call: holds, keys, and what the agent's desk does with it. Holds and keys are noted in the ledger, a
//! bounded number a call.

use super::live::{Live, Place, Talk};
use super::{Center, Out, Refusal, TalkCommand};
use crate::seat::Work;
use crate::types::{CallEvent, CallId, Cause, Digit, Fate, LegCommand, LegId, SeatId};

/// Most rows about keys and holds in one call. A person presses some dozens; a broken phone must not fill the ledger.
const MOST_NOTES: u16 = 500;

impl Center {
    /// A far end holds us or has us back. Everybody in the call hears music meanwhile.
    pub(super) fn on_held(&mut self, leg: LegId, held: bool, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg) else { return };
        let Some(live) = self.calls.get_mut(id) else { return };
        if !live.call.hold(leg, held) {
            return;
        }
        if live.notes < MOST_NOTES && !live.is_over() {
            live.notes += 1;
            out.row(*id, CallEvent::Held { leg, held });
        }
        out.hear(*id, live.sound());
    }

    /// A key was pressed. Which one is not kept: it may be an identity or a card number.
    pub(super) fn on_digit(&mut self, leg: LegId, digit: Digit, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        let Some(live) = self.calls.get_mut(&id) else { return };
        if live.notes < MOST_NOTES && !live.is_over() {
            live.notes += 1;
            out.row(id, CallEvent::Digit { leg, digit: None });
        }
        self.key_for_transfer(id, leg, digit, out);
        self.key_for_wish(id, leg, digit, out);
    }

    /// The agent holds the call, takes it back, or hangs up, not by the phone but from the desk.
    pub(super) fn talk_command(
        &mut self,
        seat: SeatId,
        call: Option<CallId>,
        command: TalkCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let here = self.seats.get(&seat).ok_or(Refusal::NoSuchSeat)?;
        if call.is_some_and(|call| here.busy_with().is_none_or(|(has, _)| has != call)) {
            return Err(Refusal::NoCall);
        }
        let work = here.work();
        match (work, command) {
            (Work::Talking { leg, .. }, TalkCommand::Hold) => self.on_held(leg, true, out),
            (Work::Talking { leg, .. }, TalkCommand::Retrieve) => self.on_held(leg, false, out),
            (Work::Talking { call, .. }, TalkCommand::HangUp) => return self.hang_up_talk(call, seat, out),
            (Work::Offered(lease) | Work::Ringing(lease), TalkCommand::HangUp) => {
                if let Some((call, offer)) = self.offer_of(lease.leg) {
                    let then = self.judge_phone(offer, (Cause::Declined, None), out);
                    self.take_back_one(call, offer, Cause::Declined, then, out);
                }
            }
            (Work::OwnCall { call, leg }, _) if self.calls.get(&call).is_some_and(Live::is_callers) => {
                return self.guest_command((call, leg), command, out);
            }
            (Work::OwnCall { call, leg }, _) => return self.outing_command((call, seat, leg), command, out),
            (Work::Ringing(lease), TalkCommand::Answer) => out.leg(lease.call, lease.leg, LegCommand::PickUp),
            (
                Work::Idle
                | Work::Offered(_)
                | Work::Ringing(_)
                | Work::Talking { .. }
                | Work::Leaving { .. }
                | Work::Resting { .. }
                | Work::WrapUp(_),
                TalkCommand::Hold | TalkCommand::Retrieve | TalkCommand::HangUp | TalkCommand::Answer,
            ) => return Err(Refusal::NoCall),
        }
        Ok(())
    }

    fn hang_up_talk(&mut self, call: CallId, seat: SeatId, out: &mut Out<'_>) -> Result<(), Refusal> {
        match self.calls.get(&call).map(|live| &live.place) {
            // The others are not hung up with the agent.
            Some(Place::Talking(Talk { guest: Some(_), .. })) => self.leave_talk(call, out),
            Some(Place::Talking(_) | Place::CallerLeft(_)) => {
                self.note_talk(call, out);
                self.end(call, Fate::Answered { seat }, Cause::HungUp, out);
            }
            Some(_) | None => return Err(Refusal::NoCall),
        }
        Ok(())
    }
}
