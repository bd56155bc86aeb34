//! People at seats: who they are, what they can do, and the words that they choose from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::AgentId;

/// How well somebody has a skill: 1 (a beginner) to 9 (the best).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Level(u8);

impl Level {
    /// The lowest: whoever has the skill at all.
    pub const LOWEST: Level = Level(1);
    /// What counts where no level is named.
    pub const ORDINARY: Level = Level(5);
    /// The highest.
    pub const BEST: Level = Level(9);

    /// A level from 1 to 9.
    pub fn new(level: u8) -> Option<Self> {
        (1..=9).contains(&level).then_some(Self(level))
    }

    /// From 1 to 9.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::ORDINARY
    }
}

impl TryFrom<u8> for Level {
    type Error = NoLevel;
    fn try_from(level: u8) -> Result<Self, NoLevel> {
        Self::new(level).ok_or(NoLevel(level))
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        level.0
    }
}

/// A number that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no level: 1 to 9 are")]
pub struct NoLevel(pub u8);

/// A person who answers calls, as brought by a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The number of this person (工号).
    pub id: AgentId,
    /// What this person can do, in the plan's words, and how well.
    pub skills: BTreeMap<String, Level>,
    /// The queues that this person serves, first things first. Empty: all for which the skills suffice, none before another.
    #[serde(default)]
    pub queues: Vec<String>,
}

/// A word from a list of the plan: why somebody takes no calls, what a call led to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(pub Arc<str>);

impl Word {
    /// Wraps a word.
    pub fn new(word: &str) -> Self {
        Self(Arc::from(word))
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
