//! Makes files of recordings that other programs play: WAV with PCM or A-law, and Ogg-Opus with the feature `opus`.

use std::io::{self, Write};

use super::play::Playback;
use super::read::Recording;
use crate::media::codec::g711;

#[cfg(feature = "opus")]
pub use super::opus::{OpusError, ogg_opus};

/// Two channels, always: the caller left, everybody else right.
const CHANNELS: u16 = 2;
/// Format tags of RIFF (RFC 2361).
const TAG_PCM: u16 = 1;
const TAG_ALAW: u16 = 6;
/// Bytes of the header behind the eight that `RIFF` and its length take.
const RIFF_REST: u32 = 4 + 8 + 18 + 8 + 4 + 8;

/// Why no file was made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The destination refused bytes.
    #[error("the file cannot be written: {0}")]
    Write(#[from] io::Error),
    /// A WAV file holds 4 GiB at most; Opus holds any length.
    #[error("the recording is too long for a WAV file")]
    TooLong,
}

/// WAV with 16-bit PCM: at 8 kHz, or at 16 kHz when any part of the call was wide-band.
///
/// # Errors
/// [`ExportError`] when the bytes cannot be written or are too many.
pub fn wav_pcm16(recording: &Recording<'_>, out: &mut impl Write) -> Result<(), ExportError> {
    let playback = Playback::new(recording, recording.is_wide());
    header(out, TAG_PCM, 2, playback.sample_rate(), playback.samples())?;
    let mut bytes = Vec::new();
    for frame in playback {
        bytes.clear();
        bytes.extend(frame.iter().flat_map(|sample| sample.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// WAV with A-law at 8 kHz: half the size. What was recorded as A-law comes out byte by byte as it came in.
///
/// # Errors
/// [`ExportError`] when the bytes cannot be written or are too many.
pub fn wav_alaw(recording: &Recording<'_>, out: &mut impl Write) -> Result<(), ExportError> {
    let playback = Playback::new(recording, false);
    let samples = playback.samples();
    header(out, TAG_ALAW, 1, playback.sample_rate(), samples)?;
    let mut bytes = Vec::new();
    for frame in playback {
        bytes.resize(frame.len(), 0);
        g711::encode_alaw(&frame, &mut bytes);
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The header for `samples` of each channel. Other formats than PCM need the fact chunk, and PCM does no harm with it.
fn header(out: &mut impl Write, tag: u16, bytes: u16, rate: u32, samples: u64) -> Result<(), ExportError> {
    let block = CHANNELS * bytes;
    let frames = u32::try_from(samples).map_err(|_| ExportError::TooLong)?;
    let size = frames.checked_mul(u32::from(block)).ok_or(ExportError::TooLong)?;
    let whole = size.checked_add(RIFF_REST + 8).ok_or(ExportError::TooLong)?;
    let mut head = Vec::with_capacity(64);
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&(whole - 8).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt ");
    head.extend_from_slice(&18u32.to_le_bytes());
    head.extend_from_slice(&tag.to_le_bytes());
    head.extend_from_slice(&CHANNELS.to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&(rate * u32::from(block)).to_le_bytes());
    head.extend_from_slice(&block.to_le_bytes());
    head.extend_from_slice(&(8 * bytes).to_le_bytes());
    head.extend_from_slice(&0u16.to_le_bytes());
    head.extend_from_slice(b"fact");
    head.extend_from_slice(&4u32.to_le_bytes());
    head.extend_from_slice(&frames.to_le_bytes());
    head.extend_from_slice(b"data");
    head.extend_from_slice(&size.to_le_bytes());
    out.write_all(&head)?;
    Ok(())
}
