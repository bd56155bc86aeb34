//! The payloads of a recording's chunks as bytes. Numbers are little-endian; the first byte is the kind.
//!
//! | kind | fields |
//! |---|---|
//! | 1 header | protection u8 (0: none; the seam for encryption at rest), call u64, started i64 (wall ms) |
//! | 2 audio | leg u64, channel u8, encoding u8, position u64, bytes |
//! | 3 joined | leg u64, channel u8, role u8, position u64 |
//! | 4 left | leg u64, position u64 |
//! | 5 end | position u64 |
//!
//! A kind that is not known is passed over, so that a later version may add some.

use crate::journal;
use crate::types::{CallId, Codec, LegId, Wall};

/// Mark and version of the file.
pub(super) const KIND: journal::Kind = journal::Kind { magic: *b"YHRC", version: 1 };
/// Nothing is encrypted.
const UNPROTECTED: u8 = 0;
/// Longest audio of one chunk: 1 s.
pub(super) const MAX_AUDIO_TICKS: usize = 8_000;

/// One of the two channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Left.
    Caller,
    /// Right.
    Others,
}

impl Channel {
    /// 0 for left, 1 for right.
    pub fn index(self) -> usize {
        match self {
            Channel::Caller => 0,
            Channel::Others => 1,
        }
    }
}

/// How audio is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// G.711 A-law, a byte a tick.
    Alaw,
    /// G.711 mu-law, a byte a tick.
    Ulaw,
    /// G.722 at 64 kbit/s, a byte a tick.
    G722,
    /// PCM of 16 bits at 8 kHz, little-endian, two bytes a tick.
    Pcm16,
}

impl Encoding {
    /// The encoding in which a codec's payload is stored as it is.
    pub fn of(codec: Codec) -> Encoding {
        match codec {
            Codec::Pcma => Encoding::Alaw,
            Codec::Pcmu => Encoding::Ulaw,
            Codec::G722 => Encoding::G722,
        }
    }

    /// Bytes of one tick.
    pub fn bytes_a_tick(self) -> usize {
        match self {
            Encoding::Alaw | Encoding::Ulaw | Encoding::G722 => 1,
            Encoding::Pcm16 => 2,
        }
    }

    fn code(self) -> u8 {
        match self {
            Encoding::Alaw => 8,
            Encoding::Ulaw => 0,
            Encoding::G722 => 9,
            Encoding::Pcm16 => 10,
        }
    }

    fn from_code(code: u8) -> Option<Encoding> {
        [Encoding::Alaw, Encoding::Ulaw, Encoding::G722, Encoding::Pcm16].into_iter().find(|known| known.code() == code)
    }
}

/// What a party is in the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one who called.
    Caller,
    /// A seat.
    Seat,
    /// A party over a trunk.
    Trunk,
    /// Prompts and music that the exchange played.
    Exchange,
}

impl Role {
    fn code(self) -> u8 {
        match self {
            Role::Caller => 0,
            Role::Seat => 1,
            Role::Trunk => 2,
            Role::Exchange => 3,
        }
    }

    fn from_code(code: u8) -> Option<Role> {
        [Role::Caller, Role::Seat, Role::Trunk, Role::Exchange].into_iter().find(|known| known.code() == code)
    }
}

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk<'a> {
    Header { call: CallId, started: Wall },
    Audio { leg: LegId, channel: Channel, encoding: Encoding, position: u64, bytes: &'a [u8] },
    Joined { leg: LegId, channel: Channel, role: Role, position: u64 },
    Left { leg: LegId, position: u64 },
    End { position: u64 },
}

/// Why a chunk was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strange {
    /// Of a kind or with a code that a later version may have added.
    Unknown,
    /// Encrypted.
    Protected,
}

impl<'a> Chunk<'a> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Chunk::Header { call, started } => {
                out.extend_from_slice(&[1, UNPROTECTED]);
                out.extend_from_slice(&call.0.to_le_bytes());
                out.extend_from_slice(&started.0.to_le_bytes());
            }
            Chunk::Audio { leg, channel, encoding, position, bytes } => {
                out.push(2);
                out.extend_from_slice(&leg.0.to_le_bytes());
                out.extend_from_slice(&[channel.index() as u8, encoding.code()]);
                out.extend_from_slice(&position.to_le_bytes());
                out.extend_from_slice(bytes);
            }
            Chunk::Joined { leg, channel, role, position } => {
                out.push(3);
                out.extend_from_slice(&leg.0.to_le_bytes());
                out.extend_from_slice(&[channel.index() as u8, role.code()]);
                out.extend_from_slice(&position.to_le_bytes());
            }
            Chunk::Left { leg, position } => {
                out.push(4);
                out.extend_from_slice(&leg.0.to_le_bytes());
                out.extend_from_slice(&position.to_le_bytes());
            }
            Chunk::End { position } => {
                out.push(5);
                out.extend_from_slice(&position.to_le_bytes());
            }
        }
    }

    pub(super) fn read(payload: &'a [u8]) -> Result<Chunk<'a>, Strange> {
        let mut bytes = Bytes(payload);
        let chunk = match bytes.u8()? {
            1 => {
                if bytes.u8()? != UNPROTECTED {
                    return Err(Strange::Protected);
                }
                Chunk::Header { call: CallId(bytes.u64()?), started: Wall(bytes.u64()? as i64) }
            }
            2 => Chunk::Audio {
                leg: LegId(bytes.u64()?),
                channel: bytes.channel()?,
                encoding: Encoding::from_code(bytes.u8()?).ok_or(Strange::Unknown)?,
                position: bytes.u64()?,
                bytes: bytes.0,
            },
            3 => Chunk::Joined {
                leg: LegId(bytes.u64()?),
                channel: bytes.channel()?,
                role: Role::from_code(bytes.u8()?).ok_or(Strange::Unknown)?,
                position: bytes.u64()?,
            },
            4 => Chunk::Left { leg: LegId(bytes.u64()?), position: bytes.u64()? },
            5 => Chunk::End { position: bytes.u64()? },
            _ => return Err(Strange::Unknown),
        };
        Ok(chunk)
    }
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn u8(&mut self) -> Result<u8, Strange> {
        let (first, rest) = self.0.split_first().ok_or(Strange::Unknown)?;
        self.0 = rest;
        Ok(*first)
    }

    fn u64(&mut self) -> Result<u64, Strange> {
        let (first, rest) = self.0.split_first_chunk::<8>().ok_or(Strange::Unknown)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*first))
    }

    fn channel(&mut self) -> Result<Channel, Strange> {
        match self.u8()? {
            0 => Ok(Channel::Caller),
            1 => Ok(Channel::Others),
            _ => Err(Strange::Unknown),
        }
    }
}
