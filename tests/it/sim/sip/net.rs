//! The network: every datagram takes its time, so that messages cross; in rough weather some are lost or come twice.

use std::time::Duration;

use crate::sim::dice::Dice;

/// How it treats datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Lost, of a hundred.
    pub(crate) loss: u64,
    /// Doubled, of a hundred.
    pub(crate) twice: u64,
    /// Longest delay in milliseconds; two datagrams may overtake each other.
    pub(crate) delay_ms: u64,
}

impl Weather {
    pub(crate) const CALM: Weather = Weather { loss: 0, twice: 0, delay_ms: 30 };
    pub(crate) const SLOW: Weather = Weather { loss: 0, twice: 3, delay_ms: 700 };
    pub(crate) const ROUGH: Weather = Weather { loss: 8, twice: 5, delay_ms: 120 };

    /// When the copies of a datagram arrive.
    pub(crate) fn carry(self, dice: &mut Dice) -> Vec<Duration> {
        let copies = match dice.below(100) {
            n if n < self.loss => 0,
            n if n < self.loss + self.twice => 2,
            _ => 1,
        };
        (0..copies).map(|_| Duration::from_millis(dice.between(1, self.delay_ms))).collect()
    }
}
