//! Reaching somebody over trunks, one way after the other: whom a seat calls, and where a caller's call goes on outside.

use std::time::Duration;

use super::{Center, Out};
use crate::call::Role;
use crate::dialplan::{Destination, Plan};
use crate::types::{
    CallEvent, CallId, Calling, Dial, LegCommand, LegId, LineNumber, PhoneNumber, PromptName, Target, TrunkId,
};

/// One way that was not tried yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WayOut {
    pub(super) trunk: TrunkId,
    pub(super) number: PhoneNumber,
}

/// Reaching a place outside for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Name of the place.
    pub(super) destination: String,
    /// The next one first.
    pub(super) ways: Vec<WayOut>,
    /// How long each is rung.
    pub(super) ring: Duration,
    /// The leg that is rung now.
    pub(super) leg: Option<LegId>,
    /// Heard by both while somebody holds.
    pub(super) music: PromptName,
}

impl Attempt {
    /// All ways to a place, for a caller of a line. A trunk that is not in the plan is none.
    pub(super) fn new(plan: &Plan, destination: &Destination, line: &LineNumber) -> Self {
        let line = plan.line(line).map_or(line, |planned| &planned.number);
        let ways = destination.routes.iter().filter_map(|route| {
            let number = route.number.clone().or_else(|| PhoneNumber::parse(line.as_str()).ok())?;
            Some(WayOut { trunk: plan.trunk_named(&route.trunk)?, number })
        });
        Self {
            destination: destination.name.clone(),
            ways: ways.collect(),
            ring: Duration::from_millis(destination.ring_ms.into()),
            leg: None,
            music: super::live::music_on_hold(plan),
        }
    }
}

impl Center {
    /// Dials the next way in the name of whoever calls; `None` when there is none left. The leg `beside` is in the same call.
    pub(super) fn dial_way(
        &mut self,
        id: CallId,
        ways: &mut Vec<WayOut>,
        destination: Option<&str>,
        (calling, beside): (Calling, Option<LegId>),
        out: &mut Out<'_>,
    ) -> Option<LegId> {
        let line = self.calls.get(&id)?.called.clone();
        if ways.is_empty() {
            return None;
        }
        let WayOut { trunk, number } = ways.remove(0);
        let name = self.plan.trunk(trunk).map(|planned| planned.name.clone());
        let target = Target::Trunk { trunk, number: number.clone() };
        let dial = Dial { target, beside, calling, line_name: self.name_of_line(&line), line, auto_answer: false };
        Some(self.dial_party(id, dial, (number, name, destination.map(str::to_owned)), out))
    }

    /// A leg that was dialled is heard before its answer, or no more.
    pub(super) fn on_early_media(&mut self, leg: LegId, heard: bool, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        if let Some(live) = self.calls.get_mut(&id) {
            live.call.heard(leg, heard);
            out.hear(id, live.sound());
        }
    }

    /// Makes the leg of a party that is no seat's offer, and dials it.
    pub(super) fn dial_party(
        &mut self,
        id: CallId,
        dial: Dial,
        (number, trunk, destination): (PhoneNumber, Option<String>, Option<String>),
        out: &mut Out<'_>,
    ) -> LegId {
        let leg = self.ids.legs.take();
        self.call_of.insert(leg, id);
        if let Some(live) = self.calls.get_mut(&id) {
            live.call.dial(leg, Role::Called);
        }
        out.row(id, CallEvent::Dialled { leg, number, trunk, destination });
        out.leg(id, leg, LegCommand::Dial(Box::new(dial)));
        leg
    }
}
