//! The next rows of the ledger after a place in it.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::journal::{Chunks, End, FRAME_BYTES, MAX_PAYLOAD_BYTES};
use crate::store::ledger::{Begun, Entry, decode_entry, numbers, read_head, read_window, segment_path};

/// Most rows of one transaction.
const BATCH_ROWS: usize = 2_000;
/// Segments that the ledger keeps ahead, empty.
const SPARES: usize = 2;
/// Bytes read at a time; a longer row is read in a second attempt.
const WINDOW_BYTES: usize = 512 * 1024;

/// A place in the ledger: everything before it has been copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Offset in it.
    pub(super) at_byte: u64,
    /// Run that wrote the segment: another run's segment of the same number is another ledger.
    pub(super) epoch_s: u32,
}

/// Rows to be copied in one transaction, from one segment.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) deployment: String,
    /// The place behind them.
    pub(super) next: Position,
    /// Whether there were more rows than a transaction takes.
    pub(super) more: bool,
    /// Segments with rows behind this one.
    pub(super) segments_ahead: usize,
}

/// A segment that holds rows.
struct Segment {
    file: File,
    start: Position,
    deployment: String,
}

impl Segment {
    fn at_its_start(self) -> (Self, Position) {
        let start = self.start;
        (self, start)
    }
}

/// Reads what follows `from`, or the oldest rows that are kept; nothing when there is nothing new.
pub(super) fn batch(folder: &Path, from: Option<Position>) -> io::Result<Option<Batch>> {
    let numbers = numbers(folder)?;
    let Some((segment, at)) = place(folder, &numbers, from)? else { return Ok(None) };
    // Looked for before reading: when a later segment has begun, this one is complete.
    let behind = || numbers.iter().copied().filter(|n| *n > at.segment);
    let later = first_begun(folder, behind())?;
    let (entries, end, at_byte) = rows(&segment.file, at.at_byte)?;
    let mut next = Position { at_byte, ..at };
    if let (Some(end), Some(later)) = (end, &later) {
        if end != End::Clean {
            tracing::error!(
                segment = at.segment,
                at_byte,
                "the ledger is damaged here; rows behind this place are lost"
            );
            metrics::counter!("yihao_ledger_damaged_total").increment(1);
        }
        next = later.start;
    }
    let more = end.is_none() || later.is_some();
    // Two segments are taken ahead and hold no rows.
    let segments_ahead = behind().count().saturating_sub(SPARES);
    // A new place is worth saving even without rows: the old segment may be removed afterwards.
    Ok((from != Some(next)).then_some(Batch { entries, deployment: segment.deployment, next, more, segments_ahead }))
}

/// The segment and offset to go on from.
fn place(folder: &Path, numbers: &[u64], from: Option<Position>) -> io::Result<Option<(Segment, Position)>> {
    let all = || numbers.iter().copied();
    let Some(from) = from else {
        return Ok(first_begun(folder, all())?.map(Segment::at_its_start));
    };
    match begun_segment(folder, from.segment)? {
        Some(segment) if segment.start.epoch_s == from.epoch_s => return Ok(Some((segment, from))),
        Some(_) => {}
        // Removed by hand: go on behind it.
        None => {
            if let Some(segment) = first_begun(folder, all().filter(|n| *n > from.segment))? {
                return Ok(Some(segment.at_its_start()));
            }
        }
    }
    // The folder holds another ledger than the one that was copied: all of it is new.
    Ok(first_begun(folder, all())?.map(|segment| {
        tracing::warn!("the ledger is not the one copied so far; copying it from its beginning");
        segment.at_its_start()
    }))
}

fn first_begun(folder: &Path, numbers: impl Iterator<Item = u64>) -> io::Result<Option<Segment>> {
    for number in numbers {
        if let Some(segment) = begun_segment(folder, number)? {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

fn begun_segment(folder: &Path, number: u64) -> io::Result<Option<Segment>> {
    let file = match File::open(segment_path(folder, number)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    Ok(match read_head(&file)? {
        Begun::No => None,
        Begun::Yes { head, first_row } => {
            let start = Position { segment: number, at_byte: first_row as u64, epoch_s: head.epoch_s };
            Some(Segment { file, start, deployment: head.deployment })
        }
    })
}

/// Rows from an offset on; why they end there, unless the batch was full; the offset behind them.
fn rows(file: &File, from: u64) -> io::Result<(Vec<Entry>, Option<End>, u64)> {
    for window in [WINDOW_BYTES, FRAME_BYTES + MAX_PAYLOAD_BYTES] {
        let bytes = read_window(file, from, window)?;
        let mut chunks = Chunks::new(&bytes, 0);
        let entries: Vec<Entry> = chunks.by_ref().take(BATCH_ROWS).filter_map(decoded).collect();
        // A row that ends with the window, or whose length is only begun there, looks like the end of the segment too.
        let unread = bytes.len() - chunks.offset();
        let cut_by_window = bytes.len() == window && (chunks.end() == Some(End::Cut) || unread < FRAME_BYTES);
        if cut_by_window && chunks.offset() == 0 {
            continue;
        }
        let end = if cut_by_window { None } else { chunks.end() };
        return Ok((entries, end, from + chunks.offset() as u64));
    }
    // A chunk that says it is longer than any: damage.
    Ok((Vec::new(), Some(End::Corrupt), from))
}

fn decoded(payload: &[u8]) -> Option<Entry> {
    decode_entry(payload)
        .inspect_err(|error| {
            tracing::warn!(%error, "a ledger row of another version is passed over");
            metrics::counter!("yihao_store_rows_unknown_total").increment(1);
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::journal::append_chunk;

    /// A file of rows of another version, whose first ends so many bytes before the window does; then zeros, as in a segment.
    fn rows_that_end_before_the_window(by: usize, behind: usize) -> File {
        let mut bytes = Vec::new();
        append_chunk(&mut bytes, &vec![b'x'; WINDOW_BYTES - FRAME_BYTES - by]);
        // The first byte of this length is 0.
        append_chunk(&mut bytes, &vec![b'y'; behind]);
        bytes.resize(4 * WINDOW_BYTES, 0);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    #[test]
    fn a_window_that_ends_with_a_row_is_not_the_end_of_the_segment() {
        for by in 0..=FRAME_BYTES + 1 {
            let file = rows_that_end_before_the_window(by, 512);
            let (_, end, next) = rows(&file, 0).unwrap();
            assert_eq!((end, next), (None, (WINDOW_BYTES - by) as u64), "{by} bytes before");
            let (_, end, last) = rows(&file, next).unwrap();
            assert_eq!((end, last), (Some(End::Clean), next + (FRAME_BYTES + 512) as u64), "{by} bytes before");
        }
    }
}
