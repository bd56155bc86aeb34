//! Who sits where, what agents choose, and whether phones and trunks can be reached.

use super::timers::Timer;
use super::{Center, Effect, Out, PresenceCommand, Refusal, SeatChange, SeatNews, WrapUpCommand};
use crate::acd::Standing;
use crate::seat::{Presence, PresenceError, Then, WhyNotReady};
use crate::types::{Agent, CallEvent, Cause, QueueId, SeatId, TrunkId, Word};

impl From<PresenceError> for Refusal {
    fn from(error: PresenceError) -> Self {
        match error {
            PresenceError::NotSignedIn => Refusal::NotSignedIn,
            PresenceError::PhoneUnreachable => Refusal::PhoneUnreachable,
            PresenceError::ResultMissing => Refusal::ResultMissing,
            PresenceError::NotInWrapUp => Refusal::NotInWrapUp,
            PresenceError::NoMoreTime => Refusal::NoMoreTime,
        }
    }
}

impl Center {
    /// A person signs in. Where somebody else has the seat, or this person another seat, a take-over signs them out: at
    /// once, or after the call that goes on.
    pub(super) fn sign_in(
        &mut self,
        seat: SeatId,
        agent: Agent,
        take_over: bool,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let here = self.seats.get(&seat).filter(|_| self.plan.seats.contains_key(&seat)).ok_or(Refusal::NoSuchSeat)?;
        let taken = here.is_signed_in() && here.agent_id() != Some(agent.id);
        let by = here.agent_id();
        let elsewhere = self.seat_of_agent(agent.id).filter(|other| *other != seat);
        match elsewhere {
            _ if take_over => {}
            _ if taken => return Err(Refusal::SeatTaken { by }),
            Some(seat) => return Err(Refusal::AgentElsewhere { seat }),
            None => {}
        }
        let mut in_talk = false;
        for other in elsewhere.into_iter().chain(taken.then_some(seat)) {
            self.command_presence(other, &PresenceCommand::SignOut, out)?;
            in_talk |= self.seats.get(&other).is_some_and(|other| other.is_signed_in());
        }
        if in_talk {
            return Err(Refusal::InTalk);
        }
        self.sit_down(seat, Some(agent), out);
        Ok(())
    }

    pub(super) fn seat_of_agent(&self, agent: crate::types::AgentId) -> Option<SeatId> {
        self.seats.iter().find(|(_, seat)| seat.agent_id() == Some(agent)).map(|(id, _)| *id)
    }

    fn sit_down(&mut self, id: SeatId, agent: Option<Agent>, out: &mut Out<'_>) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.sign_in(out.now.mono, agent);
        }
        self.list_skills(id);
        self.settle(id, out);
    }

    /// What a seat can do: the person's skills and queues, or those that the plan lends to the seat.
    pub(super) fn list_skills(&mut self, id: SeatId) {
        self.somebody_left = true;
        let (Some(seat), Some(planned)) = (self.seats.get(&id), self.plan.seats.get(&id)) else { return };
        match seat.agent() {
            Some(agent) => {
                let order: Vec<QueueId> =
                    agent.queues.iter().filter_map(|name| self.queue_ids.get(name).copied()).collect();
                let skills = agent.skills.iter().map(|(name, level)| (name.as_str(), *level));
                self.acd.set_seat(id, skills, order);
            }
            None => {
                let skills = planned.skills.iter().map(|(name, level)| (name.as_str(), *level));
                self.acd.set_seat(id, skills, Vec::new());
            }
        }
    }

    /// Does what the agent wants. An offer that is open on a seat which takes no more calls is taken back at once.
    pub(super) fn command_presence(
        &mut self,
        id: SeatId,
        command: &PresenceCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let seat = self.seats.get_mut(&id).ok_or(Refusal::NoSuchSeat)?;
        let presence = match command {
            PresenceCommand::SignIn => return self.sign_in_by_phone(id, out),
            PresenceCommand::Ready => Presence::Ready,
            PresenceCommand::NotReady { reason: None } => Presence::NotReady(WhyNotReady::Chosen),
            PresenceCommand::NotReady { reason: Some(word) } => {
                known(word, &self.plan.desk.reasons)?;
                Presence::NotReady(WhyNotReady::Reason(word.clone()))
            }
            PresenceCommand::Break => Presence::Break,
            PresenceCommand::Training => Presence::Training,
            PresenceCommand::SignOut => Presence::SignedOut,
        };
        let ready = presence == Presence::Ready;
        let done = seat.choose(out.now.mono, presence);
        if !ready && done.is_ok() {
            self.take_back(id, Cause::Cancelled, out);
        }
        self.settle(id, out);
        done.map_err(Refusal::from)
    }

    /// Whoever the plan has at this seat, or nobody in particular.
    fn sign_in_by_phone(&mut self, id: SeatId, out: &mut Out<'_>) -> Result<(), Refusal> {
        let seat = self.seats.get(&id).ok_or(Refusal::NoSuchSeat)?;
        if seat.is_signed_in() && seat.next() != Some(&Presence::SignedOut) {
            return Ok(());
        }
        let planned = self.plan.agents.values().find(|planned| planned.seat == id).map(|planned| planned.agent.clone());
        match planned {
            _ if seat.is_signed_in() => {
                let same = seat.agent().cloned();
                self.sit_down(id, same, out);
                Ok(())
            }
            Some(agent) => self.sign_in(id, agent, false, out),
            None => {
                self.sit_down(id, None, out);
                Ok(())
            }
        }
    }

    /// The notes of the last call: more time, a result, the end.
    pub(super) fn wrap_up_command(
        &mut self,
        id: SeatId,
        command: WrapUpCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let seat = self.seats.get_mut(&id).ok_or(Refusal::NoSuchSeat)?;
        match command {
            WrapUpCommand::Extend => seat.extend()?,
            WrapUpCommand::Done => seat.finish(out.now.mono)?,
            WrapUpCommand::Result { code } => {
                known(&code, &self.plan.desk.results)?;
                let call = seat.note_result().ok_or(Refusal::NoCall)?;
                out.row(call, CallEvent::Result { seat: id, agent: seat.agent_id(), code });
            }
        }
        self.settle(id, out);
        Ok(())
    }

    pub(super) fn on_reachable(&mut self, id: SeatId, reachable: bool, out: &mut Out<'_>) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.set_reachable(reachable);
        if !reachable {
            self.take_back(id, Cause::Unregistered, out);
        }
        self.settle(id, out);
    }

    pub(super) fn on_trunk_health(&mut self, trunk: TrunkId, up: bool) {
        if self.plan.trunk(trunk).is_some() {
            self.trunks.insert(trunk, up);
        }
    }

    fn take_back(&mut self, id: SeatId, cause: Cause, out: &mut Out<'_>) {
        let Some(lease) = self.seats.get(&id).and_then(|seat| seat.lease()) else { return };
        if let Some((call, offer)) = self.offer_of(lease.leg) {
            self.take_back_one(call, offer, cause, Then::Idle, out);
        }
    }

    /// Brings the lists into line with a seat that has changed, and tells whoever watches seats.
    pub(super) fn settle(&mut self, id: SeatId, out: &mut Out<'_>) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        if seat.take_news() {
            let (agent, presence) = (seat.agent_id(), seat.presence().clone());
            let left = presence == Presence::SignedOut;
            let change = SeatChange::Presence(presence);
            out.effects.push(Effect::Seat(SeatNews { seat: id, agent, change }));
            if left {
                self.list_skills(id);
            }
        }
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
        let standing = standing(seat, out.now.wall.in_china().date());
        self.acd.set_standing(id, standing);
    }
}

/// What the lists must say of a seat on this day.
pub(super) fn standing(seat: &crate::seat::Seat, day: jiff::civil::Date) -> Standing {
    match seat.available_since() {
        Some(since) => Standing::Free { since, calls_today: seat.calls_on(day) },
        None if seat.is_serving() => Standing::Busy,
        None if seat.is_signed_in() => Standing::Away,
        None => Standing::Out,
    }
}

fn known(word: &Word, words: &[Word]) -> Result<(), Refusal> {
    if words.contains(word) { Ok(()) } else { Err(Refusal::NoSuchWord) }
}
