//! A supervisor in the talk of an agent: listens, whispers to the agent, speaks with all, or takes the talk over. Whoever listens adds
//! nothing to what the others hear.

use std::time::Duration;

use super::live::{Live, Party, Place, Supervisor, Talk};
use super::timers::Timer;
use super::{Center, Effect, Out, Refusal, SeatChange, SeatNews};
use crate::call::{Role, Voice};
use crate::seat::Work;
use crate::types::{CallEvent, CallId, Calling, Cause, LegId, SeatId, SuperviseHow};

impl Center {
    /// Brings the supervisor of this seat into a talk, whose phone is rung first, or changes how they are in it.
    pub(super) fn supervise(
        &mut self,
        seat: SeatId,
        call: CallId,
        how: SuperviseHow,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let Some(Live { place: Place::Talking(talk), .. }) = self.calls.get(&call) else { return Err(Refusal::NoCall) };
        if how == SuperviseHow::Intercept && talk.guest.is_some() {
            return Err(Refusal::TransferRuns);
        }
        match &talk.supervisor {
            Some(there) if there.party.seat != seat => Err(Refusal::Supervised),
            Some(there) => {
                let here = there.here;
                self.supervise_as(call, how, here, out);
                Ok(())
            }
            None => self.ring_supervisor(seat, call, how, out),
        }
    }

    fn ring_supervisor(
        &mut self,
        seat: SeatId,
        call: CallId,
        how: SuperviseHow,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let here = self.seats.get(&seat).ok_or(Refusal::NoSuchSeat)?;
        if !here.is_signed_in() {
            return Err(Refusal::NotSignedIn);
        }
        if !here.reachable() {
            return Err(Refusal::PhoneUnreachable);
        }
        let live = self.calls.get(&call).ok_or(Refusal::NoCall)?;
        let (line, beside) = (self.name_of_line(&live.called), live.place.party().map(|party| party.leg));
        // Nobody's number: it is the agent's talk that is called.
        let calling = Calling { raw: seat.0.to_string(), ..Calling::default() };
        let rung = self.ring_seat(call, seat, (calling, line, beside), None, out);
        let leg = rung.ok_or(Refusal::SeatBusy)?;
        let longest = Duration::from_millis(self.plan.outgoing.ring_ms.into());
        self.timers.set(Timer::Supervisor(call), out.now.mono + longest);
        if let Some(live) = self.calls.get_mut(&call)
            && let Place::Talking(talk) = &mut live.place
        {
            talk.supervisor = Some(Supervisor { party: Party { seat, leg }, how, here: false });
            live.call.set_voice(leg, Voice::Nobody);
        }
        Ok(())
    }

    /// Changes how a supervisor is in the talk; one who is there is heard accordingly at once.
    fn supervise_as(&mut self, id: CallId, how: SuperviseHow, here: bool, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Place::Talking(talk) = &mut live.place else { return };
        let agent = talk.party.leg;
        let Some(there) = &mut talk.supervisor else { return };
        there.how = how;
        let Party { seat, leg } = there.party;
        if !here {
            return;
        }
        let person = self.seats.get(&seat).and_then(|seat| seat.agent_id());
        out.row(id, CallEvent::Supervised { seat, leg, agent: person, how: Some(how) });
        let voice = match how {
            SuperviseHow::Listen => Voice::Nobody,
            SuperviseHow::Whisper => Voice::Only(agent),
            SuperviseHow::Barge | SuperviseHow::Intercept => Voice::Everybody,
        };
        live.call.set_voice(leg, voice);
        if how == SuperviseHow::Intercept {
            return self.intercept(id, Party { seat, leg }, out);
        }
        out.hear(id, live.sound());
    }

    /// The supervisor has the call from now on; the agent writes it up.
    fn intercept(&mut self, id: CallId, by: Party, out: &mut Out<'_>) {
        if let Some(Live { place: Place::Talking(talk), .. }) = self.calls.get_mut(&id) {
            talk.supervisor = None;
        }
        self.dismiss_agent(id, out);
        self.hand_to_seat(id, by, out);
    }

    /// The supervisor's phone has answered. `false` when the leg is no supervisor's.
    pub(super) fn supervisor_up(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) -> bool {
        let Some(live) = self.calls.get_mut(&id) else { return false };
        let Place::Talking(Talk { supervisor: Some(there), .. }) = &mut live.place else { return false };
        if there.party.leg != leg {
            return false;
        }
        there.here = true;
        let how = there.how;
        live.call.up(leg);
        self.timers.clear(Timer::Supervisor(id));
        self.supervise_as(id, how, true, out);
        true
    }

    /// The supervisor's leg is gone by itself. `false` when the leg is no supervisor's.
    pub(super) fn supervisor_gone(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) -> bool {
        let talk = self.calls.get(&id).map(|live| &live.place);
        let Some(Place::Talking(Talk { supervisor: Some(there), .. })) = talk else { return false };
        if there.party.leg != leg {
            return false;
        }
        self.unsupervise(id, out);
        true
    }

    /// The supervisor is in the talk no more: has left, or the talk is over.
    pub(super) fn unsupervise(&mut self, id: CallId, out: &mut Out<'_>) {
        self.timers.clear(Timer::Supervisor(id));
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Place::Talking(talk) = &mut live.place else { return };
        let Some(Supervisor { party: Party { seat, leg }, here, .. }) = talk.supervisor.take() else { return };
        if here {
            let agent = self.seats.get(&seat).and_then(|seat| seat.agent_id());
            out.row(id, CallEvent::Supervised { seat, leg, agent, how: None });
        }
        self.let_rung_go(id, leg, Cause::HungUp, out);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.sound());
        }
    }

    /// A seat of ours has the call from now on.
    pub(super) fn hand_to_seat(&mut self, id: CallId, party: Party, out: &mut Out<'_>) {
        let Party { seat, leg } = party;
        if let Some(here) = self.seats.get_mut(&seat) {
            here.adopt(id, leg, out.now.wall.in_china().date());
        }
        if let Some(live) = self.calls.get_mut(&id) {
            live.call.recast(leg, Role::Seat);
        }
        self.settle(seat, out);
        self.talk(id, party, out);
    }

    /// An agent who talks asks for a supervisor: whoever watches the seats sees it.
    pub(super) fn ask_for_help(&self, seat: SeatId, out: &mut Out<'_>) -> Result<(), Refusal> {
        let here = self.seats.get(&seat).ok_or(Refusal::NoSuchSeat)?;
        let Work::Talking { call, .. } = here.work() else { return Err(Refusal::NoCall) };
        let news = SeatNews { seat, agent: here.agent_id(), change: SeatChange::HelpWanted { call } };
        out.effects.push(Effect::Seat(news));
        Ok(())
    }
}
