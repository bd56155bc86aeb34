//! Keys heard as tones in the audio (Q.24), for far ends that agreed to no events.

use super::tone::{COLUMNS, GRID, RATE_HZ, ROWS};
use crate::types::Digit;

/// Samples of one block: 12.75 ms, the shortest in which the four tones of a group stand apart.
const BLOCK: usize = 102;
/// Least energy of the two tones together in a block: about -34 dBm0 each.
const LEAST_ENERGY: f32 = 2.0e7;
/// The column may be so much louder than the row: 4 dB is the norm, 8 what old phones do.
const TWIST: f32 = 6.3;
/// The row may be so much louder than the column: 4 dB is the norm.
const REVERSE_TWIST: f32 = 4.0;
/// Each tone stands so much above the others of its group: 8 dB.
const GROUP_RATIO: f32 = 6.3;
/// Share of the block's energy that the filters must find: speech spreads wider. A tone that is 1.5 % off, which must
/// still be heard, loses up to 28 % in the highest filter and 5 % in the lower ones.
const SHARE: f32 = 0.72;
/// Two blocks of one press are equally loud, within 2 dB; syllables swell and fade.
const STEADY: f32 = 1.6;
/// A block in which the filters find this much is worth two others: nothing but a key sounds so pure.
const PURE: f32 = 0.94;
/// What the blocks in a row must be worth together: two pure ones, for which 40 ms of tone are enough, or four.
const WORTH: u8 = 4;
/// Blocks without it that end a key.
const MISSES: u8 = 2;

/// Goertzel filters at the eight frequencies. 8 kHz.
#[derive(Clone, Debug)]
pub struct Detector {
    coefficients: [f32; 8],
    /// State of the filters: the last two values of each.
    one: [f32; 8],
    two: [f32; 8],
    energy: f32,
    filled: usize,
    heard: Option<char>,
    /// Energy of the block in which it was heard last.
    heard_energy: f32,
    worth: u8,
    misses: u8,
    /// The key that is held down: reported already.
    pressed: Option<char>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Nothing heard yet.
    pub fn new() -> Self {
        let mut coefficients = [0.0; 8];
        for (coefficient, hz) in coefficients.iter_mut().zip(ROWS.iter().chain(&COLUMNS)) {
            *coefficient = 2.0 * (std::f32::consts::TAU * hz / RATE_HZ).cos();
        }
        Self {
            coefficients,
            one: [0.0; 8],
            two: [0.0; 8],
            energy: 0.0,
            filled: 0,
            heard: None,
            heard_energy: 0.0,
            worth: 0,
            misses: 0,
            pressed: None,
        }
    }

    /// Listens to samples at 8 kHz, any number up to 50 ms; gives a key once, when it has sounded long enough.
    pub fn feed(&mut self, pcm: &[i16]) -> Option<Digit> {
        let mut rest = pcm;
        let mut found = None;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            self.filter(now);
            self.filled += now.len();
            if self.filled == BLOCK {
                let key = self.judge();
                found = found.or(self.follow(key));
                self.clear();
            }
            rest = later;
        }
        found.map(Digit)
    }

    fn filter(&mut self, samples: &[i16]) {
        let (mut one, mut two, mut energy) = (self.one, self.two, self.energy);
        for sample in samples {
            let sample = f32::from(*sample);
            energy += sample * sample;
            for i in 0..8 {
                let zero = sample + self.coefficients[i] * one[i] - two[i];
                two[i] = one[i];
                one[i] = zero;
            }
        }
        (self.one, self.two, self.energy) = (one, two, energy);
    }

    fn clear(&mut self) {
        self.one = [0.0; 8];
        self.two = [0.0; 8];
        self.energy = 0.0;
        self.filled = 0;
    }

    /// The key of a full block, and what that is worth.
    fn judge(&self) -> Option<(char, u8)> {
        let mut power = [0.0f32; 8];
        for (i, power) in power.iter_mut().enumerate() {
            *power = self.one[i] * self.one[i] + self.two[i] * self.two[i]
                - self.coefficients[i] * self.one[i] * self.two[i];
        }
        let (row, row_power) = strongest(&power[..4])?;
        let (column, column_power) = strongest(&power[4..])?;
        if column_power > row_power * TWIST || row_power > column_power * REVERSE_TWIST {
            return None;
        }
        // A pure tone of energy E in a block of N samples has a Goertzel power of E * N / 2.
        let tones = (row_power + column_power) * 2.0 / BLOCK as f32;
        let worth = if tones >= self.energy * PURE { 2 } else { 1 };
        (tones >= LEAST_ENERGY && tones >= self.energy * SHARE).then_some((GRID[row][column], worth))
    }

    /// Follows a key from block to block.
    fn follow(&mut self, judged: Option<(char, u8)>) -> Option<char> {
        let key = judged.map(|(key, _)| key);
        if self.pressed.is_some() {
            if key == self.pressed {
                self.misses = 0;
                return None;
            }
            self.misses += 1;
            if self.misses < MISSES {
                return None;
            }
            self.pressed = None;
        }
        let before = std::mem::replace(&mut self.heard_energy, self.energy);
        let steady = before <= self.energy * STEADY && self.energy <= before * STEADY;
        let worth = judged.map_or(0, |(_, worth)| worth);
        let goes_on = key.is_some() && key == self.heard && steady;
        self.worth = if goes_on { self.worth + worth } else { worth };
        self.heard = key;
        if self.worth < WORTH {
            return None;
        }
        self.pressed = key;
        self.misses = 0;
        self.worth = 0;
        key
    }
}

/// The strongest tone of a group, when it stands out.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (best, power) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let stands_out = group.iter().enumerate().all(|(i, other)| i == best || *other * GROUP_RATIO < power);
    stands_out.then_some((best, power))
}
