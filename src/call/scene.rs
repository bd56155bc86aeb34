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
    /// Everybody hears everybody else, but who holds or is kept aside: they must not overhear the others, nor be overheard.
    Together {
        /// Heard by who holds or is kept aside: nobody hears silence.
        on_hold: Source,
        /// Heard by who has nobody to talk with.
        alone: Source,
    },
}

impl Scene {
    /// One entry for each leg that can hear.
    pub(super) fn set(&self, legs: &BTreeMap<LegId, Leg>) -> Vec<Hear> {
        let audible: Vec<LegId> = legs.iter().filter(|(_, leg)| leg.phase.is_audible()).map(|(id, _)| *id).collect();
        audible
            .iter()
            .map(|listener| {
                let from = match self {
                    Scene::Apart(source) => vec![source.clone()],
                    Scene::Silent => Vec::new(),
                    Scene::Together { on_hold, .. } if !legs[listener].is_with_others() => vec![on_hold.clone()],
                    Scene::Together { alone, .. } => {
                        let others = audible.iter().filter(|id| *id != listener && legs[id].speaks_to(*listener));
                        let voices: Vec<Source> = others.map(|id| Source::Leg { leg: *id, gain_db: 0 }).collect();
                        if voices.is_empty() { vec![alone.clone()] } else { voices }
                    }
                };
                Hear { leg: *listener, from }
            })
            .collect()
    }
}
