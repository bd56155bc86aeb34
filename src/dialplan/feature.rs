//! What a seat's phone can dial for itself: the codes; and the sentences that the exchange speaks of itself.

use super::FeatureCode;
use crate::types::{LineNumber, PromptName};

/// Spoken when a code was refused (nobody is signed in, the phone is not registered).
pub const REFUSED: &str = "feature/refused";
/// Spoken to a seat whose party is engaged or has declined.
pub const BUSY: &str = "dial/busy";
/// Spoken to a seat whose party does not answer.
pub const NO_ANSWER: &str = "dial/no-answer";
/// Spoken to a seat whose party cannot be reached.
pub const UNREACHED: &str = "dial/unreached";
/// Spoken to a seat that has dialled one of our own lines.
pub const OWN_LINE: &str = "dial/own-line";
/// Spoken to everybody who is in a call shortly before a drain ends it.
pub const ENDING: &str = "notice/ending";
/// Spoken to a caller whom nobody outside answers, where no queue takes the call.
pub const UNANSWERED: &str = "notice/unanswered";
/// All of these.
pub const SENTENCES: [&str; 7] = [REFUSED, BUSY, NO_ANSWER, UNREACHED, OWN_LINE, ENDING, UNANSWERED];

impl FeatureCode {
    /// All codes, for checks and for the help of a phone.
    pub const ALL: [FeatureCode; 4] = [Self::SignIn, Self::Ready, Self::NotReady, Self::SignOut];

    /// What is dialled.
    pub fn code(self) -> &'static str {
        match self {
            Self::SignIn => "*40",
            Self::Ready => "*41",
            Self::NotReady => "*42",
            Self::SignOut => "*43",
        }
    }

    /// The code of a number, compared whole.
    pub fn of(number: &LineNumber) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.code() == number.as_str())
    }

    /// Spoken to the seat when the code was done.
    pub fn prompt(self) -> PromptName {
        PromptName::new(match self {
            Self::SignIn => "feature/signed-in",
            Self::Ready => "feature/ready",
            Self::NotReady => "feature/not-ready",
            Self::SignOut => "feature/signed-out",
        })
    }
}
