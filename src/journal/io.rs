//! Journals over `Read` and `Write`. No buffering of its own beyond one chunk: hand in a `BufReader` or `BufWriter`.

use std::io::{self, Read, Write};

use super::{
    End, FRAME_BYTES, Frame, HEADER_BYTES, HeaderError, Kind, append_chunk, checksum, length_bytes, split_frame,
};

/// Writes a journal: the header at once, then a chunk with each call, each in one `write_all`.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a journal.
    ///
    /// # Errors
    /// What `inner` reports.
    pub fn new(mut inner: W, kind: Kind) -> io::Result<Self> {
        inner.write_all(&kind.header())?;
        Ok(Self { inner, buffer: Vec::new() })
    }

    /// Appends one chunk.
    ///
    /// # Errors
    /// What the inner writer reports; the journal may then end in half a chunk, which readers take for its end.
    ///
    /// # Panics
    /// When the payload is empty or longer than [`super::MAX_PAYLOAD_BYTES`].
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        append_chunk(&mut self.buffer, payload);
        self.inner.write_all(&self.buffer)
    }

    /// The writer inside, for flushing and syncing.
    pub fn inner_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

/// Why a journal cannot be opened for reading.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not the journal that was expected.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It cannot be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a journal chunk by chunk and stops for good at the first that is not whole.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    payload: Vec<u8>,
    position: u64,
    end: Option<End>,
}

impl<R: Read> Reader<R> {
    /// Checks the header.
    ///
    /// # Errors
    /// [`ReadError`] when the header is not this kind's or cannot be read.
    pub fn new(mut inner: R, kind: Kind) -> Result<Self, ReadError> {
        let mut header = [0; HEADER_BYTES];
        let got = fill(&mut inner, &mut header)?;
        kind.check(&header[..got])?;
        Ok(Self { inner, payload: Vec::new(), position: HEADER_BYTES as u64, end: None })
    }

    /// The next payload; `None` at the end, which [`Reader::end`] explains.
    ///
    /// # Errors
    /// What the inner reader reports; damage is no error but the end.
    pub fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        if self.end.is_some() {
            return Ok(None);
        }
        match self.read_chunk()? {
            None => Ok(Some(&self.payload)),
            Some(end) => {
                self.end = Some(end);
                Ok(None)
            }
        }
    }

    fn read_chunk(&mut self) -> io::Result<Option<End>> {
        let mut frame = [0; FRAME_BYTES];
        let got = fill(&mut self.inner, &mut frame)?;
        if got < FRAME_BYTES {
            return Ok(Some(if frame == [0; FRAME_BYTES] { End::Clean } else { End::Cut }));
        }
        let (len, crc) = match split_frame(frame) {
            Frame::Unused => return Ok(Some(End::Clean)),
            Frame::Impossible => return Ok(Some(End::Corrupt)),
            Frame::Chunk { len, crc } => (len, crc),
        };
        self.payload.resize(len, 0);
        if fill(&mut self.inner, &mut self.payload)? < len {
            return Ok(Some(End::Cut));
        }
        if checksum(length_bytes(frame), &self.payload) != crc {
            return Ok(Some(End::Corrupt));
        }
        self.position += (FRAME_BYTES + len) as u64;
        Ok(None)
    }

    /// Offset behind the last whole chunk that was given out.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Why it stopped; `None` while it has not.
    pub fn end(&self) -> Option<End> {
        self.end
    }
}

/// Reads until `into` is full or the input ends; says how much came.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < into.len() {
        match from.read(&mut into[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
