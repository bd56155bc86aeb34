//! Scenes: the few ways in which the legs of a call hear each other. A scene and the legs give the full set.

use std::collections::BTreeMap;

use super::Leg;
use crate::types::{Hear, LegId, Source};

/// How the legs of a call hear each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Each by itself, all hear this.
    Apart(Source),
    /// Nobody hears anything but comfort silence: somebody speaks a message.
    Silent,
    /// Everybody hears everybody else. While any far end holds, all hear `on_hold`: the held party must not hear silence,
    /// and the holding party must not overhear the other.
    Together {
        /// Heard on hold and when nobody else is there.
        on_hold: Source,
    },
}

impl Scene {
    /// One entry for each leg that can hear.
    pub(super) fn set(&self, legs: &BTreeMap<LegId, Leg>) -> Vec<Hear> {
        let audible: Vec<LegId> = legs.iter().filter(|(_, leg)| leg.phase.is_audible()).map(|(id, _)| *id).collect();
        let held = audible.iter().any(|id| legs[id].held);
        audible
            .iter()
            .map(|listener| {
                let from = match self {
                    Scene::Apart(source) => vec![source.clone()],
                    Scene::Silent => Vec::new(),
                    Scene::Together { on_hold } if held || audible.len() < 2 => vec![on_hold.clone()],
                    Scene::Together { .. } => {
                        let others = audible.iter().filter(|other| *other != listener);
                        others.map(|other| Source::Leg { leg: *other, gain_db: 0 }).collect()
                    }
                };
                Hear { leg: *listener, from }
            })
            .collect()
    }
}
