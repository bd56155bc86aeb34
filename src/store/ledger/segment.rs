//! One segment file: a journal whose first chunk is its head and whose other chunks are rows, as JSON.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};

use crate::journal::{
    FRAME_BYTES, Found, HEADER_BYTES, HeaderError, Kind, MAX_PAYLOAD_BYTES, append_chunk_with, chunk_at,
};
use crate::types::{CallEvent, CallId, Row, Wall};

/// The first bytes of a segment.
pub(super) const KIND: Kind = Kind { magic: *b"YHLG", version: 1 };
/// Ending of segment files; the name is the number in eight digits.
const ENDING: &str = "ledger";
/// Most open calls that a head names; a node has too few ports to hold more.
const MAX_OPEN: usize = 40_000;

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the node that writes it.
    pub node: u8,
    /// Start of the process that writes it, seconds since 1970.
    pub epoch_s: u32,
    /// Number of its first row. Numbers grow, also over restarts, with gaps.
    pub first_seq: u64,
    /// Name of the deployment.
    pub deployment: String,
    /// Calls that have arrived in earlier segments and not ended.
    pub open: BTreeSet<CallId>,
}

/// One row as it stands in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: unique on the node and growing.
    pub seq: u64,
    /// The row.
    pub row: Row,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    at: Wall,
    call: CallId,
    what: &'a CallEvent,
}

#[derive(Deserialize)]
struct OwnedLine {
    seq: u64,
    at: Wall,
    call: CallId,
    what: CallEvent,
}

/// Writes a row behind what stands in `out`.
pub(super) fn encode_entry(seq: u64, row: &Row, out: &mut Vec<u8>) {
    let line = Line { seq, at: row.at, call: row.call, what: &row.event };
    serde_json::to_writer(out, &line).expect("a row has no map with odd keys and a Vec takes every byte");
}

/// Reads a row.
///
/// # Errors
/// When the payload is no row, or one of a later version.
pub(crate) fn decode_entry(payload: &[u8]) -> Result<Entry, serde_json::Error> {
    let line: OwnedLine = serde_json::from_slice(payload)?;
    Ok(Entry { seq: line.seq, row: Row { at: line.at, call: line.call, event: line.what } })
}

/// Writes the header of the file and the head.
pub(super) fn encode_head(head: &Head, out: &mut Vec<u8>) {
    out.extend_from_slice(&KIND.header());
    let mut head = head.clone();
    while head.open.len() > MAX_OPEN {
        head.open.pop_first();
    }
    append_chunk_with(out, |out| {
        serde_json::to_writer(out, &head).expect("a head has no map and a Vec takes every byte");
    });
}

/// Whether a file is a segment that holds rows.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Space that was taken ahead, or a head that was cut: no row can be in it.
    No,
    /// A segment.
    Yes {
        /// What it says of itself.
        head: Box<Head>,
        /// Offset of the first row.
        first_row: usize,
    },
}

/// Looks at the first bytes of a segment.
///
/// # Errors
/// When it is no ledger segment, or one of a version that this program does not read.
pub(crate) fn begun(bytes: &[u8]) -> Result<Begun, HeaderError> {
    match KIND.check(bytes) {
        Ok(()) => {}
        Err(HeaderError::TooShort) => return Ok(Begun::No),
        Err(error @ (HeaderError::WrongMagic | HeaderError::WrongVersion { .. })) => return Err(error),
    }
    Ok(match chunk_at(bytes, HEADER_BYTES) {
        Found::Chunk { payload, next } => match serde_json::from_slice(payload) {
            Ok(head) => Begun::Yes { head: Box::new(head), first_row: next },
            Err(_) => Begun::No,
        },
        Found::End(_) => Begun::No,
    })
}

/// Bytes that surely hold the header and the head of any segment.
const HEAD_WINDOW_BYTES: usize = HEADER_BYTES + FRAME_BYTES + MAX_PAYLOAD_BYTES;

/// Reads the head of a segment file.
///
/// # Errors
/// What the file system reports; a foreign file is `InvalidData`.
pub(crate) fn read_head(file: &File) -> io::Result<Begun> {
    // Heads are a few hundred bytes unless thousands of calls are open; read far only when the near end does not do.
    for window in [8 * 1024, HEAD_WINDOW_BYTES] {
        let bytes = read_window(file, 0, window)?;
        if KIND.check(&bytes) == Err(HeaderError::TooShort) {
            return Ok(Begun::No);
        }
        match begun(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))? {
            Begun::No => {}
            yes @ Begun::Yes { .. } => return Ok(yes),
        }
    }
    Ok(Begun::No)
}

/// Reads up to `most` bytes from an offset on; fewer at the end of the file.
///
/// # Errors
/// What the file system reports.
pub(crate) fn read_window(file: &File, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut got = 0;
    while got < most {
        match file.read_at(&mut bytes[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// Path of a segment.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.{ENDING}"))
}

/// The numbers of all segment files of a folder, ascending; also of those that hold no row yet.
///
/// # Errors
/// What the file system reports.
pub(crate) fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == ENDING)
            && let Some(number) = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok())
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a segment file and takes its space, so that later writes into it cannot fail for lack of it.
///
/// # Errors
/// What the file system reports; the file is removed again.
pub(super) fn preallocate(folder: &Path, number: u64, bytes: u64) -> io::Result<File> {
    let path = path(folder, number);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    let taken = take_space(&file, bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(folder));
    match taken {
        Ok(()) => Ok(file),
        Err(error) => {
            // What cannot be removed holds no header and is swept at the next start.
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn take_space(file: &File, bytes: u64) -> io::Result<()> {
    let len = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        Ok(()) => Ok(()),
        // A file system without fallocate: write the space.
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => io::copy(&mut io::repeat(0).take(bytes), &mut &*file).map(|_| ()),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the names in a folder last over a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes the segments before number `before` that were last written earlier than `cutoff`, and older ones first until no
/// more than `most` segments are left; says how many it removed.
///
/// # Errors
/// What the file system reports.
pub(crate) fn prune(folder: &Path, before: u64, cutoff: Wall, most: usize) -> io::Result<usize> {
    let all = numbers(folder)?;
    let mut removed = 0;
    for number in all.iter().copied().take_while(|n| *n < before) {
        let path = path(folder, number);
        let written = fs::metadata(&path)?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let young = i64::try_from(written.as_millis()).unwrap_or(i64::MAX) >= cutoff.0;
        if young && all.len() - removed <= most {
            break;
        }
        fs::remove_file(&path)?;
        removed += 1;
    }
    Ok(removed)
}
