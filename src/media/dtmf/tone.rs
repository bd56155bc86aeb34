//! Keys sent as tones in the audio, for far ends that agreed to no events (Q.23).

use std::collections::VecDeque;

use super::{DtmfError, MAX_WAITING, event};
use crate::types::Digit;

/// Frequencies of the rows in Hz.
pub(super) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Frequencies of the columns in Hz.
pub(super) const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// Keys by row and column.
pub(super) const GRID: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Samples a second.
pub(super) const RATE_HZ: f32 = 8_000.0;
/// Length of a tone: 100 ms.
const TONE_SAMPLES: u32 = 800;
/// Pause after it: 60 ms.
const PAUSE_SAMPLES: u32 = 480;
/// Samples over which a tone swells and fades: 2 ms, so that it does not click.
const RAMP_SAMPLES: u32 = 16;
/// Amplitude of the row's tone: about -8 dBm0. The column's is 2 dB louder, which lines take away again.
const ROW_AMPLITUDE: f32 = 6_500.0;
const COLUMN_AMPLITUDE: f32 = 8_200.0;

/// The two frequencies of a key.
pub(super) fn frequencies(digit: Digit) -> Option<(f32, f32)> {
    let key = digit.0.to_ascii_uppercase();
    (0..16).find(|i| GRID[i / 4][i % 4] == key).map(|i| (ROWS[i / 4], COLUMNS[i % 4]))
}

#[derive(Clone, Copy, Debug)]
struct Tone {
    row: f32,
    column: f32,
    sample: u32,
}

/// Tones of ours on their way to the far end, at 8 kHz.
#[derive(Clone, Debug, Default)]
pub struct ToneSender {
    waiting: VecDeque<Digit>,
    tone: Option<Tone>,
}

impl ToneSender {
    /// Nothing to send.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a key; it sounds after those that wait.
    ///
    /// # Errors
    /// [`DtmfError`] when there is no such key or [`MAX_WAITING`] wait already.
    pub fn press(&mut self, digit: Digit) -> Result<(), DtmfError> {
        event(digit).ok_or(DtmfError::NoSuchKey)?;
        if self.waiting.len() >= MAX_WAITING {
            return Err(DtmfError::Full);
        }
        self.waiting.push_back(digit);
        Ok(())
    }

    /// Whether tones are being sent: `fill` writes the audio then.
    pub fn is_active(&self) -> bool {
        self.tone.is_some() || !self.waiting.is_empty()
    }

    /// Writes the next samples, silence in the pauses. `false`, and nothing is written, when there is nothing to send.
    pub fn fill(&mut self, out: &mut [i16]) -> bool {
        if !self.is_active() {
            return false;
        }
        for sample in out.iter_mut() {
            *sample = self.next_sample();
        }
        true
    }

    fn next_sample(&mut self) -> i16 {
        if self.tone.is_none() {
            let Some((row, column)) = self.waiting.pop_front().and_then(frequencies) else { return 0 };
            self.tone = Some(Tone { row, column, sample: 0 });
        }
        let Some(tone) = self.tone.as_mut() else { return 0 };
        let at = tone.sample;
        tone.sample += 1;
        let (row, column) = (tone.row, tone.column);
        if tone.sample >= TONE_SAMPLES + PAUSE_SAMPLES {
            self.tone = None;
        }
        if at >= TONE_SAMPLES {
            return 0;
        }
        let ramp = (at.min(TONE_SAMPLES - 1 - at) as f32 / RAMP_SAMPLES as f32).min(1.0);
        let phase = std::f32::consts::TAU * at as f32 / RATE_HZ;
        let sum = ROW_AMPLITUDE * (phase * row).sin() + COLUMN_AMPLITUDE * (phase * column).sin();
        // Both amplitudes together stay below 32,767.
        (sum * ramp) as i16
    }
}
