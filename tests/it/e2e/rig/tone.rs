//! Tones by which each side is known, as WAV for telephones and as raw A-law for SIPp.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use super::wav::Wav;

/// The caller's tone in Hz. No tone here is a multiple of another, or an image of one at 8 kHz.
pub(crate) const CALLER: f64 = 440.0;
/// The first seat's tone.
pub(crate) const SEAT: f64 = 1020.0;
/// The second seat's tone.
pub(crate) const OTHER_SEAT: f64 = 1370.0;
/// The waiting music of short prompts.
pub(crate) const MUSIC: f64 = 1750.0;

/// Amplitude of all tones: -10 dBFS.
const AMPLITUDE: f64 = 10_000.0;

/// Samples of a tone of whole hertz.
pub(crate) fn samples(hertz: f64, rate: u32, seconds: f64) -> Vec<i16> {
    let count = (seconds * f64::from(rate)).round() as usize;
    (0..count).map(|n| (AMPLITUDE * (TAU * hertz * n as f64 / f64::from(rate)).sin()) as i16).collect()
}

/// Writes a tone that can be looped without a seam: whole seconds, whole hertz.
pub(crate) fn write(path: &Path, hertz: f64, rate: u32, seconds: f64) {
    Wav::mono(rate, samples(hertz, rate, seconds)).write(path);
}

/// Writes a tone of two seconds as raw A-law.
pub(crate) fn write_alaw(path: &Path, hertz: f64) {
    fs::write(path, samples(hertz, 8000, 2.0).into_iter().map(alaw).collect::<Vec<u8>>()).unwrap();
}

/// A-law (ITU-T G.711), written apart from the product's own table.
fn alaw(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    let size = (i32::from(sample).abs().min(32_635) >> 3) as u16;
    let code = if size < 32 {
        size >> 1
    } else {
        let exponent = 15 - size.leading_zeros() as u16 - 4;
        (exponent << 4) | ((size >> exponent) & 0x0f)
    };
    (code as u8 | sign) ^ 0x55
}
