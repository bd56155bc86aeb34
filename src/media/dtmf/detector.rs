//! Keys heard as tones in the audio (Q.23, Q.24), for far ends that agreed to no events.
//!
//! Two stages. Eight filters look at each block of 8 ms for what might be a key; only when four blocks in a row do, the
//! last 32 ms are taken apart: the two tones are fitted with their true frequencies and subtracted, and next to nothing
//! may be left. Speech passes the first stage now and then; it hardly ever passes the second, because a voice has
//! harmonics, glides and swells (the tests are minutes of it).

#[cfg(test)]
mod tests;

use super::tone::{COLUMNS, GRID, RATE_HZ, ROWS};
use crate::types::Digit;

/// Samples of one block: 8 ms.
const BLOCK: usize = 64;
/// Blocks that are judged together: the most that lie whole in each tone of 40 ms (Q.24), wherever it begins.
const BLOCKS: usize = 4;
/// Samples that are judged together.
const SPAN: usize = BLOCK * BLOCKS;
/// Least energy of a span: about -34 dBm0 for each of the two tones.
const LEAST_ENERGY: f32 = 5.0e7;
/// Share of a span's energy that the filters must find. A tone that is 1.5 % off loses up to 12 % in the highest
/// filter.
const SHARE: f32 = 0.65;
/// The same for one block of a key that is held down.
const HELD_SHARE: f32 = 0.5;
/// The blocks of a span are equally loud, within 2.5 dB: syllables swell and fade.
const STEADY: f32 = 1.8;
/// Share of a span's energy that may be left without the two tones: 13 dB down. Q.24 asks for 15 dB of noise.
const RESIDUE: f32 = 0.05;
/// Up to this share, 17 dB down, what is left may be anything: an overdriven key has harmonics too.
const CLEAN: f32 = 0.02;
/// Beyond it, it must be noise: no line of its spectrum holds more than this share of it. What is left of a voice is its
/// other harmonics; of white noise a line holds a twentieth.
const LINE: f32 = 0.15;
/// The column may be so much louder than the row: 4 dB is the norm (Q.24), 6 with a margin.
const TWIST: f32 = 4.0;
/// The row may be so much louder than the column: 8 dB is the norm, 10 with a margin.
const REVERSE_TWIST: f32 = 10.0;
/// A tone may be so far off its frequency: 1.5 % must be heard, 3.5 % must not (Q.24). Hardly more than the norm: the
/// frequencies were chosen so that no harmonics of one note lie nearer to two of them.
const OFF: f32 = 0.017_6;
/// Steps in which the true frequency is sought on each side: a quarter of a percent each, to beyond [`OFF`].
const STEPS: i16 = 9;
const STEP: f32 = 0.002_5;
/// Blocks without it that end a key: the norm is that a break of 10 ms does not and one of 40 ms does.
const MISSES: u8 = 3;

/// What the filters found in one block.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// By filter: rows, then columns.
    power: [f32; 8],
    energy: f32,
}

/// Goertzel filters at the eight frequencies, and the audio of the last 32 ms. 8 kHz.
#[derive(Clone, Debug)]
pub struct Detector {
    coefficients: [f32; 8],
    /// The last blocks' audio, oldest first; the last block is being filled.
    audio: [f32; SPAN],
    filled: usize,
    /// The last blocks, oldest first.
    blocks: [Block; BLOCKS],
    /// The key that is held down: reported already.
    pressed: Option<char>,
    misses: u8,
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
            *coefficient = 2.0 * turn(*hz).cos();
        }
        Self {
            coefficients,
            audio: [0.0; SPAN],
            filled: 0,
            blocks: [Block::default(); BLOCKS],
            pressed: None,
            misses: 0,
        }
    }

    /// Listens to samples at 8 kHz, any number up to 50 ms; gives a key once, when it has sounded long enough.
    pub fn feed(&mut self, pcm: &[i16]) -> Option<Digit> {
        let mut rest = pcm;
        let mut found = None;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            let from = SPAN - BLOCK + self.filled;
            for (sample, new) in self.audio[from..].iter_mut().zip(now) {
                *sample = f32::from(*new);
            }
            self.filled += now.len();
            if self.filled == BLOCK {
                found = found.or(self.follow());
                self.audio.copy_within(BLOCK.., 0);
                self.filled = 0;
            }
            rest = later;
        }
        found.map(Digit)
    }

    /// Judges a full block and follows a key from block to block.
    fn follow(&mut self) -> Option<char> {
        let block = self.filter();
        self.blocks.rotate_left(1);
        self.blocks[BLOCKS - 1] = block;
        if let Some(pressed) = self.pressed {
            if likely(&block, HELD_SHARE) == Some(pressed) {
                self.misses = 0;
                return None;
            }
            self.misses += 1;
            if self.misses < MISSES {
                return None;
            }
            self.pressed = None;
        }
        let key = self.suspect().filter(|key| is_key(&self.audio, *key))?;
        self.pressed = Some(key);
        self.misses = 0;
        Some(key)
    }

    fn filter(&self) -> Block {
        let (mut one, mut two, mut energy) = ([0.0_f32; 8], [0.0_f32; 8], 0.0);
        for sample in &self.audio[SPAN - BLOCK..] {
            energy += sample * sample;
            for i in 0..8 {
                let zero = sample + self.coefficients[i] * one[i] - two[i];
                two[i] = one[i];
                one[i] = zero;
            }
        }
        let mut power = [0.0; 8];
        for (i, power) in power.iter_mut().enumerate() {
            *power = one[i] * one[i] + two[i] * two[i] - self.coefficients[i] * one[i] * two[i];
        }
        Block { power, energy }
    }

    /// The key that the last blocks together might be.
    fn suspect(&self) -> Option<char> {
        let mut sum = Block::default();
        for block in &self.blocks {
            sum.energy += block.energy;
            for (sum, power) in sum.power.iter_mut().zip(&block.power) {
                *sum += power;
            }
        }
        let mean = sum.energy / BLOCKS as f32;
        let steady = self.blocks.iter().all(|b| b.energy <= mean * STEADY && mean <= b.energy * STEADY);
        if sum.energy < LEAST_ENERGY || !steady {
            return None;
        }
        likely(&sum, SHARE)
    }
}

/// The key whose tones are the loudest, when they are the better part of the sound.
fn likely(block: &Block, share: f32) -> Option<char> {
    let (row, row_power) = strongest(&block.power[..4])?;
    let (column, column_power) = strongest(&block.power[4..])?;
    // A pure tone of energy E in a block of N samples has a Goertzel power of E * N / 2.
    let tones = (row_power + column_power) * 2.0 / BLOCK as f32;
    (tones >= block.energy * share).then_some(GRID[row][column])
}

fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether a span is nothing but the two tones of a key, within the bounds of Q.24.
fn is_key(audio: &[f32; SPAN], key: char) -> bool {
    let Some((row_hz, column_hz)) = super::tone::frequencies(Digit(key)) else { return false };
    let energy = |audio: &[f32]| audio.iter().map(|sample| sample * sample).sum::<f32>();
    let mut rest = *audio;
    // Each tone is sought once more without the other, whose skirt lies over it.
    let first = fit(&rest, row_hz);
    first.subtract(&mut rest);
    let column = fit(&rest, column_hz);
    rest = *audio;
    column.subtract(&mut rest);
    let row = fit(&rest, row_hz);
    row.subtract(&mut rest);
    let (row_power, column_power) = (row.power(), column.power());
    let (left, all) = (energy(&rest), energy(audio));
    row.off.abs() <= OFF
        && column.off.abs() <= OFF
        && column_power <= row_power * TWIST
        && row_power <= column_power * REVERSE_TWIST
        && left <= all * RESIDUE
        && (left <= all * CLEAN || strongest_line(&rest) <= left * LINE)
}

/// Energy of the strongest line of a span's spectrum.
fn strongest_line(audio: &[f32; SPAN]) -> f32 {
    let line = |k| goertzel(audio, std::f32::consts::TAU * k as f32 / SPAN as f32);
    (1..SPAN / 2).map(line).fold(0.0, f32::max) * 2.0 / SPAN as f32
}

/// Power of one frequency in a span: its energy times half the number of samples.
fn goertzel(audio: &[f32; SPAN], turn: f32) -> f32 {
    let coefficient = 2.0 * turn.cos();
    let (mut one, mut two) = (0.0_f32, 0.0_f32);
    for sample in audio {
        (one, two) = (sample + coefficient * one - two, one);
    }
    one * one + two * two - coefficient * one * two
}

/// A tone as it is in a span: `cosine * cos + sine * sin` of its turns.
struct Tone {
    /// Share by which it is off its nominal frequency.
    off: f32,
    turn: f32,
    cosine: f32,
    sine: f32,
}

impl Tone {
    /// Of its amplitude, squared.
    fn power(&self) -> f32 {
        self.cosine * self.cosine + self.sine * self.sine
    }

    fn subtract(&self, audio: &mut [f32; SPAN]) {
        for (i, sample) in audio.iter_mut().enumerate() {
            let (sine, cosine) = (self.turn * i as f32).sin_cos();
            *sample -= self.cosine * cosine + self.sine * sine;
        }
    }
}

/// The loudest tone near a nominal frequency.
fn fit(audio: &[f32; SPAN], hz: f32) -> Tone {
    let at = |step: i16| {
        let off = f32::from(step) * STEP;
        let turn = turn(hz * (1.0 + off));
        (off, turn, goertzel(audio, turn))
    };
    let (off, turn, _) =
        (-STEPS..=STEPS).map(at).max_by(|a, b| a.2.total_cmp(&b.2)).expect("the range of steps is not empty");
    let (mut cosine, mut sine) = (0.0, 0.0);
    for (i, sample) in audio.iter().enumerate() {
        let (s, c) = (turn * i as f32).sin_cos();
        cosine += sample * c;
        sine += sample * s;
    }
    let scale = 2.0 / SPAN as f32;
    Tone { off, turn, cosine: cosine * scale, sine: sine * scale }
}

/// Angle from sample to sample.
fn turn(hz: f32) -> f32 {
    std::f32::consts::TAU * hz / RATE_HZ
}
