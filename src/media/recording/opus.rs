//! Recordings as Ogg-Opus (RFC 7845): stereo, about a tenth of the size of A-law. Behind the cargo feature `opus`.

use std::io::{self, Write};

use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder};

use super::play::Playback;
use super::read::Recording;

/// Bits a second for both channels: clear speech.
const BITRATE: i32 = 24_000;
/// Samples a second of the granule position, whatever is encoded (RFC 7845 4).
const GRANULE_HZ: u64 = 48_000;
/// Granules of one 20 ms frame.
const FRAME_GRANULES: u64 = 960;
/// Longest packet of one frame (RFC 6716 3.2.1).
const MAX_PACKET_BYTES: usize = 1_275;
/// Frames of one page: a second, so that players can seek.
const PAGE_FRAMES: u64 = 50;

/// Why no file was made.
#[derive(Debug, thiserror::Error)]
pub enum OpusError {
    /// The destination refused bytes.
    #[error("the file cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The encoder refused its settings or a frame.
    #[error("the Opus encoder failed: {0}")]
    Encode(#[from] opus::Error),
}

/// Ogg-Opus, left the caller, right everybody else.
///
/// # Errors
/// [`OpusError`] when the bytes cannot be written or the encoder fails.
pub fn ogg_opus(recording: &Recording<'_>, out: &mut impl Write) -> Result<(), OpusError> {
    let playback = Playback::new(recording, recording.is_wide());
    let rate = playback.sample_rate();
    let frame_samples = rate as usize / 50 * 2;
    let mut encoder = Encoder::new(rate, Channels::Stereo, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
    let granules = GRANULE_HZ / u64::from(rate);
    let skip = u64::try_from(encoder.get_lookahead()?).unwrap_or(0) * granules;
    let end = skip + playback.samples() * granules;
    // The call is the natural serial number of its stream; a file has only one.
    let serial = recording.call().0 as u32;
    let mut pages = PacketWriter::new(out);
    pages.write_packet(head(rate, skip), serial, PacketWriteEndInfo::EndPage, 0)?;
    pages.write_packet(tags(), serial, PacketWriteEndInfo::EndPage, 0)?;
    let frames = end.div_ceil(FRAME_GRANULES).max(1);
    let mut playback = playback;
    for frame in 1..=frames {
        let mut pcm = playback.next().unwrap_or_default();
        pcm.resize(frame_samples, 0);
        let packet = encoder.encode_vec(&pcm, MAX_PACKET_BYTES)?;
        // The last granule position tells where the padding of the last frame begins (RFC 7845 4.4).
        let granule = (frame * FRAME_GRANULES).min(end);
        let info = match frame {
            last if last == frames => PacketWriteEndInfo::EndStream,
            page if page % PAGE_FRAMES == 0 => PacketWriteEndInfo::EndPage,
            _ => PacketWriteEndInfo::NormalPacket,
        };
        pages.write_packet(packet, serial, info, granule)?;
    }
    Ok(())
}

/// The identification header (RFC 7845 5.1).
fn head(rate: u32, skip: u64) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    head.extend_from_slice(&[1, 2]);
    head.extend_from_slice(&u16::try_from(skip).unwrap_or(u16::MAX).to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

/// The comment header (RFC 7845 5.2), without comments: the file says nothing of who talks.
fn tags() -> Vec<u8> {
    let vendor = b"yihao";
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&0u32.to_le_bytes());
    tags
}
