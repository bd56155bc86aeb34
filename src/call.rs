//! One call as legs with roles: who may be told what, and who hears whom.
//!
//! Knows no seat, no queue and no protocol. A call need not have a caller's leg: a seat that dials a feature code, a call
//! between seats, a callback whose citizen is not yet on the line.

mod leg;
mod scene;

pub use leg::{Leg, Phase, Role, Voice};
pub use scene::Scene;

use std::collections::BTreeMap;

use crate::types::{Cause, Hear, LegCommand, LegId};

/// The legs of one conversation.
#[derive(Debug)]
pub struct Call {
    legs: BTreeMap<LegId, Leg>,
    /// The set that was given out last.
    told: Vec<Hear>,
}

impl Call {
    /// A call that begins with an incoming leg.
    pub fn incoming(leg: LegId, role: Role) -> Self {
        Self { legs: BTreeMap::from([(leg, Leg::new(role, Phase::Arrived))]), told: Vec::new() }
    }

    /// A call that begins with a leg that we dial.
    pub fn outgoing(leg: LegId, role: Role) -> Self {
        Self { legs: BTreeMap::from([(leg, Leg::new(role, Phase::Dialled))]), told: Vec::new() }
    }

    /// Adds a leg that is dialled now.
    ///
    /// # Panics
    /// When the id is in use.
    pub fn dial(&mut self, leg: LegId, role: Role) {
        let before = self.legs.insert(leg, Leg::new(role, Phase::Dialled));
        assert!(before.is_none(), "{leg} is dialled twice");
    }

    /// One leg.
    pub fn leg(&self, leg: LegId) -> Option<&Leg> {
        self.legs.get(&leg)
    }

    /// All legs that have not ended.
    pub fn legs(&self) -> impl Iterator<Item = (LegId, &Leg)> {
        self.legs.iter().map(|(id, leg)| (*id, leg))
    }

    /// The citizen's leg.
    pub fn caller(&self) -> Option<LegId> {
        self.legs.iter().find(|(_, leg)| leg.role == Role::Caller).map(|(id, _)| *id)
    }

    /// Whether the last leg is gone.
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Lets an incoming leg hear us before the answer.
    pub fn early(&mut self, id: LegId) -> Option<LegCommand> {
        let leg = self.legs.get_mut(&id).filter(|leg| leg.phase == Phase::Arrived)?;
        leg.phase = Phase::Early;
        Some(LegCommand::EarlyMedia)
    }

    /// An incoming leg turns out not to hear us before the answer. `false` when it was not about to.
    pub fn deaf(&mut self, id: LegId) -> bool {
        match self.legs.get_mut(&id) {
            Some(leg) if leg.phase == Phase::Early => {
                leg.phase = Phase::Deaf;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether anybody in the call can hear us.
    pub fn is_heard(&self) -> bool {
        self.legs.values().any(|leg| leg.phase.is_audible())
    }

    /// Whether a leg waits for the confirmation of an answer before which it heard us or rang.
    pub fn is_joining(&self, id: LegId) -> bool {
        self.legs.get(&id).is_some_and(|leg| leg.phase == Phase::Joining)
    }

    /// Answers an incoming leg; nothing when it is answered already.
    pub fn answer(&mut self, id: LegId) -> Option<LegCommand> {
        let leg = self.legs.get_mut(&id)?;
        leg.phase = match leg.phase {
            Phase::Arrived => Phase::Answering,
            Phase::Early | Phase::Deaf => Phase::Joining,
            Phase::Answering
            | Phase::Joining
            | Phase::Dialled
            | Phase::Ringing
            | Phase::Heard
            | Phase::Up
            | Phase::Parting => return None,
        };
        Some(LegCommand::Answer)
    }

    /// A dialled leg rings.
    pub fn rings(&mut self, id: LegId) {
        if let Some(leg) = self.legs.get_mut(&id)
            && leg.phase == Phase::Dialled
        {
            leg.phase = Phase::Ringing;
        }
    }

    /// A dialled leg is heard before its answer, or no more.
    pub fn heard(&mut self, id: LegId, heard: bool) {
        if let Some(leg) = self.legs.get_mut(&id) {
            let (from, to) = match heard {
                true => (&[Phase::Dialled, Phase::Ringing][..], Phase::Heard),
                false => (&[Phase::Heard][..], Phase::Ringing),
            };
            if from.contains(&leg.phase) {
                leg.phase = to;
            }
        }
    }

    /// A leg is answered for good. `false` when it was not about to be.
    pub fn up(&mut self, id: LegId) -> bool {
        match self.legs.get_mut(&id) {
            Some(Leg { phase: Phase::Arrived | Phase::Early | Phase::Deaf | Phase::Up | Phase::Parting, .. })
            | None => false,
            Some(leg) => {
                leg.phase = Phase::Up;
                true
            }
        }
    }

    /// Notes that a far end holds us or has us back; `false` when nothing changed.
    pub fn hold(&mut self, id: LegId, held: bool) -> bool {
        match self.legs.get_mut(&id) {
            Some(leg) if leg.held != held => {
                leg.held = held;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes a leg out of the talk of the others, or lets it back.
    pub fn set_aside(&mut self, id: LegId, aside: bool) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.aside = aside;
        }
    }

    /// Says who hears a leg.
    pub fn set_voice(&mut self, id: LegId, voice: Voice) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.voice = voice;
        }
    }

    /// A leg has another role from now on: a seat that was brought into a talk has the call.
    pub fn recast(&mut self, id: LegId, role: Role) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.role = role;
        }
    }

    /// Ends a leg in the way its phase asks for; nothing when that has been done.
    pub fn part(&mut self, id: LegId, cause: Cause) -> Option<LegCommand> {
        let leg = self.legs.get_mut(&id)?;
        let command = leg.phase.parting(cause)?;
        leg.phase = Phase::Parting;
        Some(command)
    }

    /// A leg has ended.
    pub fn gone(&mut self, id: LegId) -> Option<Leg> {
        self.legs.remove(&id)
    }

    /// The full set of who hears what in this scene, when it differs from the one given out last.
    pub fn hear(&mut self, scene: &Scene) -> Option<Vec<Hear>> {
        let set = scene.set(&self.legs);
        if set == self.told {
            return None;
        }
        self.told.clone_from(&set);
        Some(set)
    }

    /// What was given out last.
    pub fn told(&self) -> &[Hear] {
        &self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PromptName, RunId, Source};

    const CALLER: LegId = LegId(2);
    const SEAT: LegId = LegId(3);

    fn music() -> Source {
        Source::Music { name: PromptName::new("music/waiting") }
    }

    fn voice(leg: LegId) -> Source {
        Source::Leg { leg, gain_db: 0 }
    }

    fn talk() -> (Call, Scene) {
        let mut call = Call::incoming(CALLER, Role::Caller);
        assert_eq!(call.answer(CALLER), Some(LegCommand::Answer));
        call.dial(SEAT, Role::Seat);
        assert!(call.up(CALLER) && call.up(SEAT));
        (call, Scene::Together { on_hold: music(), alone: music() })
    }

    #[test]
    fn caller_and_seat_hear_each_other() {
        let (mut call, scene) = talk();
        let set = call.hear(&scene).expect("the first set is news");
        assert_eq!(set, [Hear { leg: CALLER, from: vec![voice(SEAT)] }, Hear { leg: SEAT, from: vec![voice(CALLER)] }]);
        assert_eq!(call.hear(&scene), None, "the same set is no news");
    }

    #[test]
    fn hold_by_either_gives_music_until_both_are_back() {
        let (mut call, scene) = talk();
        assert!(call.hold(SEAT, true) && call.hold(CALLER, true));
        assert!(!call.hold(SEAT, true), "held twice is held once");
        let held = call.hear(&scene).expect("news");
        assert!(held.iter().all(|hear| hear.from == [music()]));
        call.hold(SEAT, false);
        assert_eq!(call.hear(&scene), None, "the caller still holds");
        call.hold(CALLER, false);
        assert_eq!(call.hear(&scene).expect("news")[0].from, [voice(SEAT)]);
    }

    #[test]
    fn a_ringing_leg_hears_nothing_and_is_heard_by_nobody() {
        let mut call = Call::incoming(CALLER, Role::Caller);
        call.early(CALLER);
        call.dial(SEAT, Role::Seat);
        let prompt = Source::Prompt { name: PromptName::new("greeting/12345"), run: RunId(1) };
        let set = call.hear(&Scene::Apart(prompt.clone())).expect("news");
        assert_eq!(set, [Hear { leg: CALLER, from: vec![prompt] }]);
    }

    #[test]
    fn a_leg_that_is_heard_before_its_answer_rings_again_when_it_is_heard_no_more() {
        let mut call = Call::incoming(CALLER, Role::Caller);
        call.dial(SEAT, Role::Called);
        let mut phase_when = |heard| {
            call.heard(SEAT, heard);
            call.leg(SEAT).expect("its leg").phase
        };
        assert_eq!(phase_when(false), Phase::Dialled);
        assert_eq!(phase_when(true), Phase::Heard);
        assert_eq!(phase_when(false), Phase::Ringing);
        assert_eq!(phase_when(true), Phase::Heard);
        call.rings(SEAT);
        assert_eq!(call.leg(SEAT).expect("its leg").phase, Phase::Heard, "a 180 that follows changes nothing");
        assert!(call.up(SEAT));
        call.heard(SEAT, true);
        assert_eq!(call.leg(SEAT).expect("its leg").phase, Phase::Up, "a report that comes late changes nothing");
    }

    #[test]
    fn who_is_left_alone_in_a_talk_hears_music() {
        let (mut call, scene) = talk();
        call.gone(SEAT);
        assert_eq!(call.hear(&scene).expect("news"), [Hear { leg: CALLER, from: vec![music()] }]);
    }

    #[test]
    fn a_leg_is_parted_once_and_in_the_way_of_its_phase() {
        let mut call = Call::incoming(CALLER, Role::Caller);
        call.dial(SEAT, Role::Seat);
        assert_eq!(call.part(CALLER, Cause::Busy), Some(LegCommand::Refuse(Cause::Busy)));
        assert_eq!(call.part(CALLER, Cause::Busy), None);
        assert_eq!(call.part(SEAT, Cause::Cancelled), Some(LegCommand::Hangup(Cause::Cancelled)));
        assert!(!call.up(SEAT), "an answer that crosses our hang-up does not count");

        let (mut call, _) = talk();
        assert_eq!(call.part(CALLER, Cause::HungUp), Some(LegCommand::Hangup(Cause::HungUp)));
    }

    #[test]
    fn an_early_leg_is_refused_and_an_answered_one_hung_up() {
        let mut call = Call::incoming(CALLER, Role::Caller);
        assert_eq!(call.early(CALLER), Some(LegCommand::EarlyMedia));
        assert_eq!(call.early(CALLER), None);
        assert_eq!(call.answer(CALLER), Some(LegCommand::Answer));
        assert_eq!(call.answer(CALLER), None);
        assert_eq!(call.part(CALLER, Cause::HungUp), Some(LegCommand::Hangup(Cause::HungUp)));
    }
}
