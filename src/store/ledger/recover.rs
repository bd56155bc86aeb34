//! Opening the ledger after whatever happened: find the last segment, close the books, begin a new one.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::disk::Disk;
use super::segment::{self, Begun};
use super::{Config, Ledger, MIN_SEGMENT_BYTES, Pending, Step};
use crate::journal::{Chunks, End};
use crate::types::{CallEvent, CallId, Fate, IdBase, Row, Wall};

/// How often and how long apart the lock is asked for: about a second in all.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the ledger in {} is in use by another yihao; stop that one or choose another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk has no room for a segment.
    #[error(
        "no space for the ledger in {}: it takes {} MiB ahead, free some or choose another disk",
        folder.display(),
        bytes >> 20
    )]
    NoSpace {
        /// The folder.
        folder: PathBuf,
        /// What is needed.
        bytes: u64,
    },
    /// A file of the folder is no segment, or one of a later version.
    #[error("{} cannot be read as a ledger: {detail}; move it away or use the version that wrote it", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The setting makes no sense.
    #[error("a ledger segment needs at least {MIN_SEGMENT_BYTES} bytes")]
    SegmentTooSmall,
    /// The file system reports an error.
    #[error("cannot open the ledger in {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What it reports.
        source: io::Error,
    },
}

/// What was found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows that were written now to close the books of calls that were cut off, one `Ended` each.
    pub closed: Vec<Row>,
    /// Rows that the last segment held.
    pub rows: u64,
    /// Whether the last segment ended in the middle of a row: the power went, or the disk is damaged.
    pub damaged: bool,
}

/// What the last segment tells.
#[derive(Default)]
struct Last {
    number: u64,
    last_seq: u64,
    open: BTreeSet<CallId>,
    rows: u64,
    damaged: bool,
}

/// Opens a ledger; see [`Ledger::open`].
pub(super) fn open(config: Config, ids: IdBase, now: Wall) -> Result<(Ledger, Recovered), OpenError> {
    if config.segment_bytes < MIN_SEGMENT_BYTES {
        return Err(OpenError::SegmentTooSmall);
    }
    let folder = config.folder.clone();
    let io_error = |source| OpenError::Io { folder: folder.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io_error)?;
    let lock = lock(&folder)?;
    let last = last_segment(&folder)?;
    let file = segment::preallocate(&folder, last.number + 1, config.segment_bytes).map_err(|e| {
        if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            OpenError::NoSpace { folder: folder.clone(), bytes: config.segment_bytes }
        } else {
            io_error(e)
        }
    })?;
    let file = Arc::new(file);
    let short_of_space = Arc::new(AtomicBool::new(false));
    let disk =
        Disk::start(&config, last.number + 2, Arc::clone(&file), Arc::clone(&short_of_space)).map_err(io_error)?;
    let mut ledger = Ledger {
        config,
        ids,
        current: file,
        offset: 0,
        broken: false,
        // Epoch first: numbers grow over restarts even where a power cut took rows that the database has already seen.
        next_seq: (last.last_seq + 1).max(u64::from(ids.epoch_s) << 24),
        open: last.open,
        pending: Pending::default(),
        lost: 0,
        disk,
        short_of_space,
        _lock: lock,
    };
    let recovered = ledger.begin(now, last.rows, last.damaged).map_err(io_error)?;
    Ok((ledger, recovered))
}

impl Ledger {
    /// Writes the head of the first segment of this run and the ends of calls that an earlier one left open. The head
    /// names those calls, so that being killed right here loses none of them.
    fn begin(&mut self, now: Wall, rows: u64, damaged: bool) -> io::Result<Recovered> {
        let mut bytes = Vec::new();
        segment::encode_head(&self.head(self.next_seq), &mut bytes);
        self.current.write_all_at(&bytes, 0)?;
        self.offset = bytes.len() as u64;
        let event = CallEvent::Ended { fate: Fate::CutByRestart };
        let closed: Vec<Row> =
            self.open.iter().map(|call| Row { at: now, call: *call, event: event.clone() }).collect();
        self.append(&closed);
        self.current.sync_data()?;
        Ok(Recovered { closed, rows, damaged })
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let io_error = |source| OpenError::Io { folder: folder.to_owned(), source };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(io_error)?;
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            // The one before may still be dying, or a child it forked has not reached its exec.
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => std::thread::sleep(LOCK_WAIT),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(e)) => return Err(io_error(e)),
        }
    }
    Ok(file)
}

/// Sweeps space that was taken ahead and never used, and reads the last segment that holds anything.
fn last_segment(folder: &Path) -> Result<Last, OpenError> {
    let io_error = |source| OpenError::Io { folder: folder.to_owned(), source };
    for number in segment::numbers(folder).map_err(io_error)?.into_iter().rev() {
        let path = segment::path(folder, number);
        let bytes = fs::read(&path).map_err(io_error)?;
        match segment::begun(&bytes) {
            Ok(Begun::No) => fs::remove_file(&path).map_err(io_error)?,
            Ok(Begun::Yes { head, first_row }) => {
                let (last, good) = scan(number, *head, &bytes, first_row);
                trim(&path, good as u64).map_err(io_error)?;
                return Ok(last);
            }
            Err(e) => return Err(OpenError::Foreign { file: path, detail: e.to_string() }),
        }
    }
    Ok(Last::default())
}

/// Replays one segment's rows; says also up to where it is good.
fn scan(number: u64, head: segment::Head, bytes: &[u8], first_row: usize) -> (Last, usize) {
    let mut last =
        Last { number, last_seq: head.first_seq.saturating_sub(1), open: head.open, rows: 0, damaged: false };
    let mut chunks = Chunks::new(bytes, first_row);
    for payload in chunks.by_ref() {
        // A row that a later version wrote is passed over here, as it is by the store.
        let Ok(entry) = segment::decode_entry(payload) else { continue };
        last.rows += 1;
        last.last_seq = entry.seq;
        Step::of(&entry.row).apply(&mut last.open);
    }
    last.damaged = chunks.end() != Some(End::Clean);
    (last, chunks.offset())
}

/// Cuts a finished segment to what it holds: gives unused space back and leaves no half row behind.
fn trim(path: &Path, good: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.len() > good {
        file.set_len(good)?;
        file.sync_all()?;
    }
    Ok(())
}
