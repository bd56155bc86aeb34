//! What agents choose and whether phones and trunks can be reached.

use super::timers::Timer;
use super::{Center, Out, PresenceCommand, Refusal};
use crate::seat::{PresenceError, Then, WhyNotReady};
use crate::types::{Cause, ReplyId, SeatId, TrunkId};

impl Center {
    pub(super) fn on_presence(
        &mut self,
        seat: SeatId,
        command: PresenceCommand,
        reply: Option<ReplyId>,
        out: &mut Out<'_>,
    ) {
        let done = self.command_presence(seat, command, out);
        out.reply(reply, done);
    }

    /// Does what the agent wants. An offer that is open on a seat which takes no more calls is taken back at once.
    pub(super) fn command_presence(
        &mut self,
        id: SeatId,
        command: PresenceCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let seat = self.seats.get_mut(&id).ok_or(Refusal::NoSuchSeat)?;
        let takes_back = matches!(command, PresenceCommand::NotReady { .. } | PresenceCommand::SignOut);
        let done = match command {
            PresenceCommand::SignIn => {
                seat.sign_in();
                Ok(())
            }
            PresenceCommand::Ready => seat.ready(out.now.mono),
            PresenceCommand::NotReady { reason: None } => seat.not_ready(WhyNotReady::Chosen),
            PresenceCommand::NotReady { .. } | PresenceCommand::Break | PresenceCommand::Training => {
                return Err(Refusal::NotServed);
            }
            PresenceCommand::SignOut => {
                seat.sign_out(out.now.mono);
                Ok(())
            }
        };
        if takes_back {
            self.take_back(id, Cause::Cancelled, out);
        }
        self.settle(id);
        done.map_err(|error| match error {
            PresenceError::NotSignedIn => Refusal::NotSignedIn,
            PresenceError::PhoneUnreachable => Refusal::PhoneUnreachable,
        })
    }

    pub(super) fn on_reachable(&mut self, id: SeatId, reachable: bool, out: &mut Out<'_>) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.set_reachable(reachable);
        if !reachable {
            self.take_back(id, Cause::Unregistered, out);
        }
        self.settle(id);
    }

    pub(super) fn on_trunk_health(&mut self, trunk: TrunkId, up: bool) {
        if self.plan.trunk(trunk).is_some() {
            self.trunks.insert(trunk, up);
        }
    }

    fn take_back(&mut self, id: SeatId, cause: Cause, out: &mut Out<'_>) {
        let Some(lease) = self.seats.get(&id).and_then(|seat| seat.lease()) else { return };
        if let Some((call, offer)) = self.offer_of(lease.leg) {
            self.withdraw(call, offer, cause, Then::Idle, out);
        }
    }

    /// Brings the lists into line with a seat that has changed: free or not, its timer, and whether it still exists.
    pub(super) fn settle(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get(&id) else { return };
        if !self.plan.seats.contains_key(&id) && seat.busy_with().is_none() {
            self.seats.remove(&id);
            self.acd.remove_seat(id);
            self.timers.clear(Timer::Seat(id));
            return;
        }
        match seat.deadline() {
            Some(at) => self.timers.set(Timer::Seat(id), at),
            None => self.timers.clear(Timer::Seat(id)),
        }
        match seat.available_since() {
            Some(since) => self.acd.set_free(id, since),
            None => self.acd.set_busy(id),
        }
    }
}
