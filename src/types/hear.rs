//! Who hears whom: the one description of a call's sound that the core gives and the media engine obeys.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::LegId;

/// Name of a prompt or of a piece of music: its path below the prompt folder without ending, for example `greeting/12345`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptName(pub Arc<str>);

impl PromptName {
    /// Wraps a name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl fmt::Debug for PromptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One playing of a prompt. The same run named again goes on; a new run starts from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// One thing that a leg hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Another leg of the same call, `gain_db` decibels louder (-60 to 12; 0 as it is).
    Leg {
        /// Whose voice.
        leg: LegId,
        /// Change of loudness in dB.
        gain_db: i8,
    },
    /// A prompt, once, then silence; its end is reported with the run.
    Prompt {
        /// What is played.
        name: PromptName,
        /// Which playing of it.
        run: RunId,
    },
    /// Music or a repeated announcement, without end.
    Music {
        /// What is played.
        name: PromptName,
    },
    /// Ringing tone of the Chinese network: 450 Hz, 1 s on, 4 s off (GF 002-9002.1).
    Ringback,
}

/// What one leg hears. No source means comfort silence: packets go on, so that the far end's timers are content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hear {
    /// The listener.
    pub leg: LegId,
    /// All that it hears, mixed.
    pub from: Vec<Source>,
}
