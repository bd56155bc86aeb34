//! Names of the prompts that tell a waiting caller where they stand and how long it may take.

use crate::types::PromptName;

/// Positions that have a prompt of their own; beyond them one prompt says "more".
const POSITIONS: u32 = 50;
/// Minutes that are said, the least that is not below the estimate; beyond them one prompt says "more".
const MINUTES: [u32; 8] = [1, 2, 3, 5, 10, 15, 20, 30];

/// "You are number three."
pub fn position(position: u32) -> PromptName {
    match position {
        1..=POSITIONS => PromptName::new(&format!("position/{position}")),
        _ => PromptName::new("position/more"),
    }
}

/// The minutes that are said for an estimate, and their prompt.
pub fn wait(seconds: u64) -> (u32, PromptName) {
    let said = MINUTES.into_iter().find(|minutes| u64::from(*minutes) * 60 >= seconds);
    match said {
        Some(minutes) => (minutes, PromptName::new(&format!("wait/{minutes}"))),
        None => (MINUTES[MINUTES.len() - 1], PromptName::new("wait/more")),
    }
}

/// Every prompt that an announcement may say.
pub fn prompts() -> impl Iterator<Item = PromptName> {
    let positions = (1..=POSITIONS + 1).map(position);
    let waits = MINUTES.into_iter().map(|minutes| wait(u64::from(minutes) * 60).1);
    positions.chain(waits).chain([wait(u64::MAX).1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rounded_up_to_what_can_be_said() {
        assert_eq!(wait(0).0, 1);
        assert_eq!(wait(61), (2, PromptName::new("wait/2")));
        assert_eq!(wait(240), (5, PromptName::new("wait/5")));
        assert_eq!(wait(1_801), (30, PromptName::new("wait/more")));
        assert_eq!((position(50), position(51)), (PromptName::new("position/50"), PromptName::new("position/more")));
        assert_eq!(prompts().count(), 60);
    }
}
