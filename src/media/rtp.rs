//! RTP packets (RFC 3550 5): reading, rewriting in place, and the outgoing timeline of a leg.
//!
//! Bytes and numbers only. Knows no socket, no clock, no codec and no call.

mod sender;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use rtc_rtp::Packet;
use rtc_shared::marshal::{Marshal, Unmarshal};

pub use sender::{EventPacket, Kind, Seed, Sender};

/// Length of the fixed header in bytes (RFC 3550 5.1).
pub const HEADER_BYTES: usize = 12;
/// RTP ticks a second: all our codecs have an RTP clock of 8,000 Hz, also G.722 (RFC 3551 4.5.2).
pub const CLOCK_HZ: u32 = 8_000;
/// Ticks of one 20 ms frame. For A-law, mu-law and G.722 also its bytes: each carries one byte a tick.
pub const FRAME_TICKS: u32 = 160;
/// Payload type of comfort noise (RFC 3389).
pub const COMFORT_NOISE_TYPE: u8 = 13;

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than the header announces.
    #[error("the packet is shorter than its header says")]
    Short,
    /// The version is not 2: STUN, DTLS, T.38 or noise.
    #[error("the version is not 2")]
    Version,
    /// The padding count is zero or longer than the payload.
    #[error("the padding does not fit the packet")]
    Padding,
    /// It is an RTCP packet (RFC 5761 4).
    #[error("this is an RTCP packet")]
    Rtcp,
    /// Longer than a datagram can be.
    #[error("the packet is too long")]
    Long,
}

/// Header of a valid packet, read without copying. Remembers where the payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker bit: the first packet of a talk spurt or of an event.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in ticks.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// First byte of the payload.
    start: u16,
    /// One past its last byte; padding lies behind it.
    end: u16,
}

/// Whether a datagram on a port shared with RTP is RTCP (RFC 5761 4: types 192 to 223 in the second byte).
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.len() >= 2 && packet[0] >> 6 == 2 && (192..=223).contains(&packet[1])
}

impl Header {
    /// Reads and checks a packet.
    ///
    /// # Errors
    /// [`RtpError`] when the bytes are no RTP packet.
    pub fn parse(packet: &[u8]) -> Result<Header, RtpError> {
        if packet.len() < HEADER_BYTES {
            return Err(RtpError::Short);
        }
        let length = u16::try_from(packet.len()).map_err(|_| RtpError::Long)?;
        if packet[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        if is_rtcp(packet) {
            return Err(RtpError::Rtcp);
        }
        let start = payload_start(packet)?;
        let padding = padding(packet, usize::from(start))?;
        Ok(Header {
            payload_type: packet[1] & 0x7f,
            marker: packet[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
            ssrc: u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]),
            start,
            end: length - u16::from(padding),
        })
    }

    /// The payload of the packet that this header was read from.
    ///
    /// # Panics
    /// When `packet` is shorter than the one that was parsed.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        &packet[usize::from(self.start)..usize::from(self.end)]
    }

    /// The payload for changing it in place.
    ///
    /// # Panics
    /// When `packet` is shorter than the one that was parsed.
    pub fn payload_mut<'a>(&self, packet: &'a mut [u8]) -> &'a mut [u8] {
        &mut packet[usize::from(self.start)..usize::from(self.end)]
    }

    /// Bytes of payload. For our codecs also the ticks that the packet lasts.
    pub fn payload_len(&self) -> usize {
        usize::from(self.end - self.start)
    }
}

/// Where the payload begins: behind the contributing sources and the header extension (RFC 3550 5.3.1).
fn payload_start(packet: &[u8]) -> Result<u16, RtpError> {
    let mut start = HEADER_BYTES + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 != 0 {
        let words = packet.get(start + 2..start + 4).ok_or(RtpError::Short)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    if start > packet.len() {
        return Err(RtpError::Short);
    }
    u16::try_from(start).map_err(|_| RtpError::Long)
}

/// Bytes of padding at the end, its count byte included.
fn padding(packet: &[u8], start: usize) -> Result<u8, RtpError> {
    if packet[0] & 0x20 == 0 {
        return Ok(0);
    }
    let count = packet[packet.len() - 1];
    if count == 0 || usize::from(count) > packet.len() - start { Err(RtpError::Padding) } else { Ok(count) }
}

/// The changing part of the header of a packet that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in ticks.
    pub timestamp: u32,
    /// Our source.
    pub ssrc: u32,
}

impl Stamp {
    fn header(&self, out: &mut [u8]) {
        out[0] = 0x80;
        out[1] = (self.payload_type & 0x7f) | (u8::from(self.marker) << 7);
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// Writes a packet of our own making and returns its length.
    ///
    /// # Panics
    /// When `out` is shorter than [`HEADER_BYTES`] and the payload together.
    pub fn write(&self, payload: &[u8], out: &mut [u8]) -> usize {
        let length = HEADER_BYTES + payload.len();
        self.header(out);
        out[HEADER_BYTES..length].copy_from_slice(payload);
        length
    }

    /// Gives a received packet our header in place and returns its new length. Contributing sources, header
    /// extensions and padding were agreed with the other leg, not with this one, and are dropped.
    ///
    /// # Panics
    /// When `header` was not read from `packet`.
    pub fn rewrite(&self, packet: &mut [u8], header: &Header) -> usize {
        if usize::from(header.start) != HEADER_BYTES {
            packet.copy_within(usize::from(header.start)..usize::from(header.end), HEADER_BYTES);
        }
        self.header(packet);
        HEADER_BYTES + header.payload_len()
    }
}

/// Reads a whole packet into the type that the WebRTC side speaks.
///
/// # Errors
/// [`RtpError`] when the bytes are no RTP packet.
pub fn to_packet(bytes: &[u8]) -> Result<Packet, RtpError> {
    Header::parse(bytes)?;
    Packet::unmarshal(&mut Bytes::copy_from_slice(bytes)).map_err(|_| RtpError::Short)
}

/// Prints a packet of the WebRTC side.
///
/// # Errors
/// [`RtpError::Long`] when it cannot be encoded.
pub fn from_packet(packet: &Packet) -> Result<Vec<u8>, RtpError> {
    packet.marshal().map(|bytes| bytes.to_vec()).map_err(|_| RtpError::Long)
}

/// Extends 16-bit sequence numbers to 64 bits, so that order and distance survive the wrap (RFC 3550 A.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extender {
    highest: Option<u64>,
}

impl Extender {
    /// The extended number: the one nearest to the highest seen. The first one lies in the second cycle, so that a
    /// packet from before it does not fall below zero.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            let first = 0x1_0000 + u64::from(sequence);
            self.highest = Some(first);
            return first;
        };
        let step = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        let extended = highest.saturating_add_signed(step);
        self.highest = Some(highest.max(extended));
        extended
    }

    /// The highest number seen.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}
