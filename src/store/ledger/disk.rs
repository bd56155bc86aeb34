//! The ledger's disk thread: everything that may wait for a disk, away from the control thread.
//!
//! Syncs the current segment twice a second and keeps preallocated segments ready.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Config, MIN_SEGMENTS, segment};

/// Time between two syncs: well below the second that a power cut may cost.
const SYNC_EVERY: Duration = Duration::from_millis(500);
/// Segments that wait in the channel; the thread holds one more in hand.
const SPARES: usize = 1;
/// Messages to the thread that may wait: rolls, of which there are a few an hour.
const INBOX: usize = 16;

/// The control thread's end.
#[derive(Debug)]
pub(super) struct Disk {
    spares: Receiver<Arc<File>>,
    inbox: Option<SyncSender<Arc<File>>>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread; the first spare segment gets number `next`.
    pub(super) fn start(
        config: &Config,
        next: u64,
        current: Arc<File>,
        short_of_space: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (spare_out, spares) = sync_channel(SPARES);
        let (inbox, messages) = sync_channel(INBOX);
        let mut worker = Worker {
            folder: config.folder.clone(),
            segment_bytes: config.segment_bytes,
            most_segments: config.most_segments.max(MIN_SEGMENTS),
            next,
            current,
            ready: None,
            spare_out,
            short_of_space,
            sync_failed: false,
        };
        worker.keep_spares();
        let thread = std::thread::Builder::new().name("yihao-ledger".into()).spawn(move || worker.run(&messages))?;
        Ok(Self { spares, inbox: Some(inbox), thread: Some(thread) })
    }

    /// A preallocated segment, if one is ready.
    pub(super) fn take_spare(&mut self) -> Option<Arc<File>> {
        self.spares.try_recv().ok()
    }

    /// Tells the thread which segment is written now. A full inbox means a stuck disk: the old segment's last sync is
    /// then left to the kernel, which writes back on its own.
    pub(super) fn rolled(&mut self, current: Arc<File>) {
        if let Some(inbox) = &self.inbox
            && let Err(TrySendError::Full(_)) = inbox.try_send(current)
        {
            tracing::warn!("the ledger's disk thread does not keep up");
        }
    }

    /// Ends the thread after a last sync.
    pub(super) fn stop(&mut self) {
        self.inbox = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's disk thread had panicked");
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    folder: PathBuf,
    segment_bytes: u64,
    most_segments: usize,
    next: u64,
    current: Arc<File>,
    /// A spare that found the channel full.
    ready: Option<Arc<File>>,
    spare_out: SyncSender<Arc<File>>,
    short_of_space: Arc<AtomicBool>,
    sync_failed: bool,
}

impl Worker {
    fn run(&mut self, messages: &Receiver<Arc<File>>) {
        loop {
            match messages.recv_timeout(SYNC_EVERY) {
                Ok(next) => {
                    self.sync();
                    self.current = next;
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync();
                    return;
                }
            }
            self.keep_spares();
        }
    }

    fn sync(&mut self) {
        match self.current.sync_data() {
            Ok(()) => self.sync_failed = false,
            Err(error) if !self.sync_failed => {
                self.sync_failed = true;
                tracing::error!(%error, "cannot sync the ledger: a power cut would lose rows");
                metrics::counter!("yihao_ledger_write_errors_total").increment(1);
            }
            Err(_) => {}
        }
    }

    /// Makes segments until the channel is full and one more is in hand.
    fn keep_spares(&mut self) {
        loop {
            let spare = match self.ready.take() {
                Some(spare) => spare,
                None => match self.one_more() {
                    Ok(file) => {
                        self.next += 1;
                        Arc::new(file)
                    }
                    Err(error) => return self.alarm(&error),
                },
            };
            match self.spare_out.try_send(spare) {
                Ok(()) => {}
                Err(TrySendError::Full(spare)) => {
                    self.ready = Some(spare);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        if self.short_of_space.swap(false, Ordering::Relaxed) {
            tracing::info!("the ledger has space again");
        }
        metrics::gauge!("yihao_ledger_short_of_space").set(0.0);
    }

    fn one_more(&self) -> io::Result<File> {
        if segment::numbers(&self.folder)?.len() >= self.most_segments {
            let bound =
                format!("the ledger holds the {} segments that it may, all ahead of the database", self.most_segments);
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, bound));
        }
        segment::preallocate(&self.folder, self.next, self.segment_bytes)
    }

    fn alarm(&self, error: &io::Error) {
        if !self.short_of_space.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, folder = %self.folder.display(), "no space for the next ledger segment; free some");
        }
        metrics::gauge!("yihao_ledger_short_of_space").set(1.0);
    }
}
