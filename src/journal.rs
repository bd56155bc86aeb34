//! Append-only files of framed chunks: what was written before a crash can be read after it, to the last whole chunk.
//!
//! A journal is a header (4 bytes of magic, version as u32 LE) and then chunks: length of the payload (u32 LE), CRC-32 of
//! length and payload (u32 LE), payload. There is no footer and nothing needs a clean close. Zeros after the last chunk
//! are space that was preallocated and not used. Used for the ledger, recordings and the log of inputs.
//!
//! Knows no clock, no path and no meaning of a payload. Slices first; `Reader` and `Writer` are thin.

mod io;
#[cfg(test)]
mod tests;

pub use io::{ReadError, Reader, Writer};

/// Bytes before the first chunk.
pub const HEADER_BYTES: usize = 8;
/// Bytes before each payload.
pub const FRAME_BYTES: usize = 8;
/// Longest payload in bytes. A length beyond it is damage, so that a flipped bit never asks for gigabytes.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// What a journal holds: its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Four ASCII letters.
    pub magic: [u8; 4],
    /// Version of the payloads, 1 upwards.
    pub version: u32,
}

/// Why a file is not the journal that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It ends inside the header, or the rest of the header is still zero: created and never (wholly) written.
    #[error("the file ends before its header does")]
    TooShort,
    /// It is another kind of file.
    #[error("the file does not begin with the expected mark")]
    WrongMagic,
    /// It was written by another version.
    #[error("the file has version {found}, this program reads version {expected}")]
    WrongVersion {
        /// In the file.
        found: u32,
        /// In this program.
        expected: u32,
    },
}

impl Kind {
    /// The header's bytes.
    pub const fn header(self) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = self.magic;
        let [e, f, g, h] = self.version.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Checks the first bytes of a file; its first chunk stands at [`HEADER_BYTES`].
    ///
    /// # Errors
    /// [`HeaderError`] when the bytes are not this kind's header.
    pub fn check(self, bytes: &[u8]) -> Result<(), HeaderError> {
        let Some((head, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Err(HeaderError::TooShort) };
        let expected = self.header();
        let written = head.iter().zip(expected).take_while(|(a, b)| *a == b).count();
        if written < HEADER_BYTES && head[written..] == [0; HEADER_BYTES][written..] {
            // Nothing or a part of the header in preallocated space: whoever began it was cut off.
            return Err(HeaderError::TooShort);
        }
        let [a, b, c, d, e, f, g, h] = *head;
        if [a, b, c, d] != self.magic {
            return Err(HeaderError::WrongMagic);
        }
        match u32::from_le_bytes([e, f, g, h]) {
            found if found == self.version => Ok(()),
            found => Err(HeaderError::WrongVersion { found, expected: self.version }),
        }
    }
}

/// The eight bytes that stand before `payload`, for callers that write both with one vectored write.
///
/// # Panics
/// When the payload is empty (its frame could not be told from unused space) or longer than [`MAX_PAYLOAD_BYTES`].
pub fn frame(payload: &[u8]) -> [u8; FRAME_BYTES] {
    assert!(!payload.is_empty() && payload.len() <= MAX_PAYLOAD_BYTES, "a payload has 1 to {MAX_PAYLOAD_BYTES} bytes");
    // The assertion above keeps the length within 21 bits.
    let [a, b, c, d] = (payload.len() as u32).to_le_bytes();
    let [e, f, g, h] = checksum([a, b, c, d], payload).to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

/// Appends one whole chunk to `out`.
///
/// # Panics
/// As [`frame`].
pub fn append_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend_from_slice(&frame(payload));
    out.extend_from_slice(payload);
}

/// Appends one chunk whose payload `fill` writes behind what stands in `out`, without a second buffer. A `fill` that
/// writes nothing leaves `out` as it was.
///
/// # Panics
/// When more than [`MAX_PAYLOAD_BYTES`] were written.
pub fn append_chunk_with(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; FRAME_BYTES]);
    fill(out);
    if out.len() == at + FRAME_BYTES {
        out.truncate(at);
        return;
    }
    let frame = frame(&out[at + FRAME_BYTES..]);
    out[at..at + FRAME_BYTES].copy_from_slice(&frame);
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the end of the bytes, or before unused preallocated space.
    Clean,
    /// Inside a chunk: the writer was cut off, or is about to write the rest.
    Cut,
    /// At bytes that are no chunk, or whose checksum is wrong.
    Corrupt,
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A whole chunk with a right checksum.
    Chunk {
        /// What it holds, at least one byte.
        payload: &'a [u8],
        /// Offset behind it.
        next: usize,
    },
    /// No chunk: all that can be read ends here.
    End(End),
}

/// Reads the chunk at `offset` of `bytes`. An offset behind the end is the clean end.
pub fn chunk_at(bytes: &[u8], offset: usize) -> Found<'_> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let Some((frame, body)) = rest.split_first_chunk::<FRAME_BYTES>() else {
        return Found::End(if rest.iter().all(|b| *b == 0) { End::Clean } else { End::Cut });
    };
    match split_frame(*frame) {
        Frame::Unused => Found::End(End::Clean),
        Frame::Impossible => Found::End(End::Corrupt),
        Frame::Chunk { len, crc } => match body.get(..len) {
            None => Found::End(End::Cut),
            Some(payload) if checksum(length_bytes(*frame), payload) == crc => {
                Found::Chunk { payload, next: offset + FRAME_BYTES + len }
            }
            Some(_) => Found::End(End::Corrupt),
        },
    }
}

/// The chunks of a slice from an offset on; stops for good at the first that is not whole.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    bytes: &'a [u8],
    offset: usize,
    end: Option<End>,
}

impl<'a> Chunks<'a> {
    /// Begins at `offset`: [`HEADER_BYTES`] for a whole file whose header was checked, 0 for bare chunks.
    pub fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset, end: None }
    }

    /// Offset behind the last whole chunk that was given out: where a cut file is good up to.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Why it stopped; `None` while it has not.
    pub fn end(&self) -> Option<End> {
        self.end
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.end.is_some() {
            return None;
        }
        match chunk_at(self.bytes, self.offset) {
            Found::Chunk { payload, next } => {
                self.offset = next;
                Some(payload)
            }
            Found::End(end) => {
                self.end = Some(end);
                None
            }
        }
    }
}

/// A frame, taken apart.
enum Frame {
    Unused,
    Impossible,
    Chunk { len: usize, crc: u32 },
}

fn split_frame(frame: [u8; FRAME_BYTES]) -> Frame {
    let [a, b, c, d, e, f, g, h] = frame;
    let crc = u32::from_le_bytes([e, f, g, h]);
    match u32::from_le_bytes([a, b, c, d]) as usize {
        0 if crc == 0 => Frame::Unused,
        len @ 1..=MAX_PAYLOAD_BYTES => Frame::Chunk { len, crc },
        _ => Frame::Impossible,
    }
}

fn length_bytes(frame: [u8; FRAME_BYTES]) -> [u8; 4] {
    let [a, b, c, d, ..] = frame;
    [a, b, c, d]
}

/// CRC-32 over the length too: a damaged length that happens to point inside the file is found at once.
fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}
