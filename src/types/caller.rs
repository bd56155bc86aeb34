//! Caller lists: what is known of a number before it is answered.

use serde::{Deserialize, Serialize};

use super::{PhoneNumber, Wall, Word};

/// One entry of the caller lists. A mark changes queue, priority and prompt of a call; it never refuses a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerMark {
    /// Whose number.
    pub number: PhoneNumber,
    /// Which mark of the plan: `nuisance`, `priority`, a language.
    pub mark: Word,
    /// Whether somebody with the right to has approved it. Marks of the plan that need approval do nothing without.
    pub approved: bool,
    /// It does nothing from this moment on; `None`: it stays until it is taken away.
    pub until: Option<Wall>,
}
