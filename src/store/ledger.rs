//! The ledger: the node's own append-only record of every call, from before 100 Trying to its fate.
//!
//! Preallocated segment files, so that a full disk does not stop it, and one `pwrite` a loop turn, so that `kill -9`
//! loses nothing; a thread of its own syncs twice a second, so that a power cut loses at most a second. The control
//! thread never waits for the disk: when no space can be had, rows wait in bounded memory and an alarm is raised.
//! `store::tail` copies it into the database. Knows no SIP and no center.

mod disk;
mod recover;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::journal::{Chunks, MAX_PAYLOAD_BYTES, append_chunk_with};
use crate::types::{CallEvent, CallId, IdBase, Row, Wall};

use disk::Disk;
pub use recover::{OpenError, Recovered};
pub(crate) use segment::{Begun, begun, decode_entry, numbers, path as segment_path, prune, read_head, read_window};
pub use segment::{Entry, Head};

/// Where the ledger lies and how it takes space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the segments; made with mode 0700 when it is missing.
    pub folder: PathBuf,
    /// Name of the deployment, kept in each segment for the records.
    pub deployment: String,
    /// Size of a segment in bytes. Two are kept ahead, so a full disk leaves room for at least two of them: at 16 MiB
    /// about 14,000 calls, an hour and a half of a city's busiest. Default 16 MiB.
    pub segment_bytes: u64,
    /// Most segments in the folder, at least [`MIN_SEGMENTS`]. The store gives up copied ones before the bound is met; at the
    /// bound no more are made, which is the same as a full disk: an alarm, rows wait in memory, then they are lost and counted.
    /// Default 256: 4 GiB, three and a half million calls that the database has not taken.
    pub most_segments: usize,
    /// Most bytes of rows that wait in memory when neither segment nor disk has room. Default 16 MiB.
    pub backlog_bytes: usize,
}

/// Size of a segment unless a test wants another.
pub const SEGMENT_BYTES: u64 = 16 << 20;

impl Config {
    /// The defaults for a folder and a deployment.
    pub fn new(folder: impl Into<PathBuf>, deployment: &str) -> Self {
        const MIB: usize = 1 << 20;
        Self {
            folder: folder.into(),
            deployment: deployment.to_owned(),
            segment_bytes: SEGMENT_BYTES,
            most_segments: 256,
            backlog_bytes: 16 * MIB,
        }
    }
}

/// The open ledger. Owned by the control thread.
#[derive(Debug)]
pub struct Ledger {
    config: Config,
    ids: IdBase,
    current: Arc<File>,
    offset: u64,
    /// Whether the current segment refused a write: it takes no more.
    broken: bool,
    next_seq: u64,
    /// Calls whose arrival is written and whose end is not: each segment begins with them, so that recovery reads one
    /// segment only. Follows what is written, not what waits: a call whose end waits is open until the disk has it.
    open: BTreeSet<CallId>,
    pending: Pending,
    lost: u64,
    disk: Disk,
    short_of_space: Arc<AtomicBool>,
    /// Held for the life of the process: a second exchange on the same folder is refused.
    _lock: File,
}

/// Encoded rows that are not written yet: empty between turns, unless there is no space.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Each chunk in `bytes`: offset behind it, and what it does to the open calls.
    chunks: Vec<(usize, Step)>,
}

/// What a row does to the set of open calls.
#[derive(Clone, Copy, Debug)]
enum Step {
    Opens(CallId),
    Closes(CallId),
    Neither,
}

impl Step {
    fn of(row: &Row) -> Self {
        if matches!(row.event, CallEvent::Arrived { .. } | CallEvent::Placed { .. }) {
            Self::Opens(row.call)
        } else if matches!(row.event, CallEvent::Ended { .. }) {
            Self::Closes(row.call)
        } else {
            Self::Neither
        }
    }

    fn apply(self, open: &mut BTreeSet<CallId>) {
        match self {
            Self::Opens(call) => _ = open.insert(call),
            Self::Closes(call) => _ = open.remove(&call),
            Self::Neither => {}
        }
    }
}

impl Ledger {
    /// Opens or makes the ledger, closes the books of calls that an earlier run left without an end, begins a new
    /// segment. Blocks on the disk; call it once, before the first socket is open.
    ///
    /// # Errors
    /// [`OpenError`] when the folder cannot be used: in use, no space for two segments, written by a newer version.
    pub fn open(config: Config, ids: IdBase, now: Wall) -> Result<(Self, Recovered), OpenError> {
        recover::open(config, ids, now)
    }

    /// Appends the rows of one loop turn with one write into preallocated space. Call it before the turn's datagrams go
    /// out. Never waits for a sync and never fails: without space the rows wait in memory (see [`Ledger::is_safe`]).
    pub fn append(&mut self, rows: &[Row]) {
        for row in rows {
            self.encode(row);
        }
        if !self.pending.bytes.is_empty() {
            self.flush();
        }
    }

    /// Whether rows reach the disk and space for the next segment is there. `false` is an alarm: by the operator's
    /// setting new calls may then be refused.
    pub fn is_safe(&self) -> bool {
        self.pending.bytes.is_empty() && !self.short_of_space.load(Ordering::Relaxed)
    }

    /// Rows that were given up because memory for waiting rows was full too.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Tries again to write what waits in memory; call it about once a second while [`Ledger::is_safe`] says no.
    pub fn retry(&mut self) {
        if !self.pending.bytes.is_empty() {
            self.flush();
        }
    }

    /// Syncs, gives unused space back and ends the disk thread. Blocks on the disk.
    pub fn close(mut self) {
        self.retry();
        if !self.pending.bytes.is_empty() {
            tracing::error!(bytes = self.pending.bytes.len(), "the ledger is closed with rows that found no space");
        }
        self.disk.stop();
        if let Err(error) = self.current.set_len(self.offset).and_then(|()| self.current.sync_all()) {
            tracing::warn!(%error, "cannot trim the last ledger segment");
        }
    }

    fn encode(&mut self, row: &Row) {
        // A row is a kilobyte; one that would fill half a segment is a fault, and must not stop those behind it.
        let longest = (self.config.segment_bytes / 2).min(MAX_PAYLOAD_BYTES as u64) as usize;
        let at = self.pending.bytes.len();
        append_chunk_with(&mut self.pending.bytes, |out| {
            let from = out.len();
            segment::encode_entry(self.next_seq, row, out);
            if out.len() - from > longest {
                out.truncate(from);
            }
        });
        let end = self.pending.bytes.len();
        if end == at || end > self.config.backlog_bytes {
            self.pending.bytes.truncate(at);
            self.lose_one();
        } else {
            self.pending.chunks.push((end, Step::of(row)));
            self.next_seq += 1;
        }
    }

    fn lose_one(&mut self) {
        if self.lost == 0 {
            tracing::error!("the ledger has no space left, on disk or in memory: rows are lost until there is some");
        }
        self.lost += 1;
        metrics::counter!("yihao_ledger_rows_lost_total").increment(1);
    }

    /// Writes all that fits; goes to the next segment as often as needed and possible.
    fn flush(&mut self) {
        loop {
            let room = if self.broken { 0 } else { self.config.segment_bytes.saturating_sub(self.offset) };
            let fitting = self.pending.chunks.partition_point(|(end, _)| *end as u64 <= room);
            if fitting > 0 && !self.write_out(fitting) {
                self.broken = true;
            }
            if self.pending.bytes.is_empty() || !self.roll() {
                return;
            }
        }
    }

    /// Writes the first `count` chunks, at least one; `false` when the disk refuses.
    fn write_out(&mut self, count: usize) -> bool {
        let (bytes, _) = self.pending.chunks[count - 1];
        if let Err(error) = self.current.write_all_at(&self.pending.bytes[..bytes], self.offset) {
            tracing::error!(%error, "cannot write to the ledger; trying the next segment");
            metrics::counter!("yihao_ledger_write_errors_total").increment(1);
            return false;
        }
        self.offset += bytes as u64;
        self.pending.bytes.drain(..bytes);
        for (_, step) in self.pending.chunks.drain(..count) {
            step.apply(&mut self.open);
        }
        self.pending.chunks.iter_mut().for_each(|(end, _)| *end -= bytes);
        true
    }

    /// Goes to a preallocated segment; `false` when none is ready.
    fn roll(&mut self) -> bool {
        let Some(next) = self.disk.take_spare() else { return false };
        let mut bytes = Vec::new();
        // The seq of the first waiting row; the rows that wait have been counted already.
        let first_seq = self.next_seq - self.pending.chunks.len() as u64;
        segment::encode_head(&self.head(first_seq), &mut bytes);
        if let Err(error) = next.write_all_at(&bytes, 0) {
            tracing::error!(%error, "cannot begin a ledger segment");
            return false;
        }
        self.offset = bytes.len() as u64;
        self.broken = false;
        self.current = next;
        self.disk.rolled(Arc::clone(&self.current));
        metrics::counter!("yihao_ledger_segments_total").increment(1);
        true
    }

    fn head(&self, first_seq: u64) -> Head {
        Head {
            node: self.ids.node,
            epoch_s: self.ids.epoch_s,
            first_seq,
            deployment: self.config.deployment.clone(),
            open: self.open.clone(),
        }
    }
}

/// Reads all rows that a ledger folder holds, oldest first. For tools and tests; the store tails instead.
///
/// # Errors
/// What the file system reports. Damage is no error: each segment is read to its last whole row.
pub fn read(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for number in numbers(folder)? {
        let bytes = std::fs::read(segment_path(folder, number))?;
        let Ok(Begun::Yes { first_row, .. }) = begun(&bytes) else { continue };
        let mut chunks = Chunks::new(&bytes, first_row);
        entries.extend(chunks.by_ref().filter_map(|payload| decode_entry(payload).ok()));
    }
    Ok(entries)
}

/// Fewest segments that a ledger works with: one that is written, two ahead, one that is copied.
pub const MIN_SEGMENTS: usize = 4;
/// Smallest segment that can hold a head and a few rows.
const MIN_SEGMENT_BYTES: u64 = 4096;
