//! How a supervisor is in the talk of an agent.

use serde::{Deserialize, Serialize};

/// How a supervisor is in the talk of an agent. In each the supervisor hears everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuperviseHow {
    /// Heard by nobody.
    Listen,
    /// Heard by the agent only.
    Whisper,
    /// Heard by all.
    Barge,
    /// Takes the talk over: the agent leaves.
    Intercept,
}

impl SuperviseHow {
    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            SuperviseHow::Listen => "listen",
            SuperviseHow::Whisper => "whisper",
            SuperviseHow::Barge => "barge",
            SuperviseHow::Intercept => "intercept",
        }
    }
}
