//! Reads a recording, whole or cut anywhere, up to the last chunk that is whole.

use std::time::Duration;

use super::TICKS_HZ;
use super::chunk::{Channel, Chunk, Encoding, KIND, Role, Strange};
use crate::journal::{self, Chunks, HeaderError};
use crate::types::{CallId, LegId, Wall};

/// Longest recording that is believed: a week. A position beyond it is damage.
const MAX_TICKS: u64 = 7 * 24 * 3_600 * TICKS_HZ;

/// Why a file cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no recording, or of another version, or was created and never written.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It was cut before it said of which call it is.
    #[error("the recording was cut before its first chunk")]
    Empty,
    /// It is encrypted.
    #[error("the recording is encrypted")]
    Protected,
}

/// A piece of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio<'a> {
    /// Whose.
    pub leg: LegId,
    /// On which channel.
    pub channel: Channel,
    /// How it is stored.
    pub encoding: Encoding,
    /// Where it begins, in ticks.
    pub position: u64,
    /// The stored bytes.
    pub bytes: &'a [u8],
}

impl Audio<'_> {
    /// Ticks that it lasts.
    pub fn ticks(&self) -> u64 {
        (self.bytes.len() / self.encoding.bytes_a_tick()) as u64
    }

    /// The tick behind it.
    pub fn end(&self) -> u64 {
        self.position + self.ticks()
    }
}

/// From when to when a party was part of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which leg.
    pub leg: LegId,
    /// On which channel.
    pub channel: Channel,
    /// What the party is.
    pub role: Role,
    /// When it joined, in ticks.
    pub from: u64,
    /// When it left, in ticks; the end of the recording when that was not said.
    pub to: u64,
}

/// A recording that was read.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    call: CallId,
    started: Wall,
    audio: Vec<Audio<'a>>,
    segments: Vec<Segment>,
    end: Option<u64>,
    read_bytes: usize,
    damaged: bool,
}

impl<'a> Recording<'a> {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`ReadError`] when nothing of it can be played.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ReadError> {
        KIND.check(bytes)?;
        let mut chunks = Chunks::new(bytes, journal::HEADER_BYTES);
        let first = chunks.next().ok_or(ReadError::Empty)?;
        let mut recording = match Chunk::read(first) {
            Ok(Chunk::Header { call, started }) => Recording {
                call,
                started,
                audio: Vec::new(),
                segments: Vec::new(),
                end: None,
                read_bytes: 0,
                damaged: false,
            },
            Err(Strange::Protected) => return Err(ReadError::Protected),
            Ok(Chunk::Audio { .. } | Chunk::Joined { .. } | Chunk::Left { .. } | Chunk::End { .. })
            | Err(Strange::Unknown) => return Err(ReadError::Empty),
        };
        for payload in chunks.by_ref() {
            if let Ok(chunk) = Chunk::read(payload) {
                recording.take(chunk);
            }
        }
        recording.read_bytes = chunks.offset();
        recording.damaged = chunks.end() == Some(journal::End::Corrupt);
        let length = recording.ticks();
        for segment in &mut recording.segments {
            segment.to = segment.to.min(length);
        }
        Ok(recording)
    }

    fn take(&mut self, chunk: Chunk<'a>) {
        match chunk {
            Chunk::Audio { leg, channel, encoding, position, bytes } => {
                if position <= MAX_TICKS && !bytes.is_empty() {
                    self.audio.push(Audio { leg, channel, encoding, position, bytes });
                }
            }
            Chunk::Joined { leg, channel, role, position } => {
                self.segments.push(Segment { leg, channel, role, from: position, to: u64::MAX });
            }
            Chunk::Left { leg, position } => {
                let open = self.segments.iter_mut().rev().find(|segment| segment.leg == leg && segment.to == u64::MAX);
                if let Some(segment) = open {
                    segment.to = position;
                }
            }
            Chunk::End { position } => self.end = Some(position.min(MAX_TICKS)),
            Chunk::Header { .. } => {}
        }
    }

    /// Which call was recorded.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// When its clock was at 0.
    pub fn started(&self) -> Wall {
        self.started
    }

    /// The audio, in the order in which it was written.
    pub fn audio(&self) -> &[Audio<'a>] {
        &self.audio
    }

    /// Who took part, in the order of joining.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Length in ticks: to the end that was written, or to the end of the last audio when the file was cut.
    pub fn ticks(&self) -> u64 {
        let audio = self.audio.iter().map(Audio::end).max().unwrap_or(0);
        self.end.map_or(audio, |end| end.max(audio))
    }

    /// Length.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.ticks() * 1_000_000 / TICKS_HZ)
    }

    /// Whether the end was written; `false` for a file that a crash cut, or that is still being written.
    pub fn is_complete(&self) -> bool {
        self.end.is_some()
    }

    /// Bytes that could be read; what follows is cut or damaged.
    pub fn read_bytes(&self) -> usize {
        self.read_bytes
    }

    /// Whether reading stopped at bytes that were changed, not only cut.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Whether any of it is wide-band: 16 kHz then is the natural rate.
    pub fn is_wide(&self) -> bool {
        self.audio.iter().any(|audio| audio.encoding == Encoding::G722)
    }
}
