//! The disk thread: takes what recorders give over a bounded queue, appends it to files and syncs them.
//!
//! The packet path only ever tries to put a block into the queue. Bytes are in the page cache as soon as they are taken
//! off the queue, so a killed process loses what its recorders still held; a second thread syncs once a second, so a power
//! cut loses no more. A full queue or a full disk ends that recording and is reported once; the call goes on.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{EngineConfig, Event, StartError};
use crate::types::CallId;

/// Blocks that wait for the disk at most. A block is half a second of one call, 8 kB: 32 MB, or 20 s of 100 calls.
const QUEUE: usize = 4_096;

/// Time from sync to sync.
const SYNC: Duration = Duration::from_secs(1);

/// Up to this many files are synced one by one; more of them by one sync of the file system, which needs none open.
const SINGLE_SYNCS: usize = 4;

/// Recordings name citizens: nobody but the exchange reads them.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

enum Job {
    Open { id: u64, call: CallId, path: PathBuf, broken: Arc<AtomicBool> },
    Append { id: u64, bytes: Vec<u8> },
    Close { id: u64 },
    Stop,
}

/// Where recorders put their blocks.
#[derive(Clone)]
pub(super) struct DiskQueue {
    jobs: SyncSender<Job>,
    folder: PathBuf,
    next: Arc<AtomicU64>,
    events: SyncSender<Event>,
    waker: Arc<dyn Fn() + Send + Sync>,
}

impl DiskQueue {
    /// Begins a file; it is made by the disk thread.
    pub(super) fn open(&self, call: CallId, file: &str) -> Tape {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let broken = Arc::new(AtomicBool::new(false));
        let tape = Tape { id, call, queue: self.clone(), broken: broken.clone() };
        // A name from outside must not lead out of the folder.
        let path = self.folder.join(file);
        if Path::new(file).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            tape.fail(format!("{file:?} is no file name below the recording folder"));
        } else if self.jobs.try_send(Job::Open { id, call, path, broken }).is_err() {
            tape.fail("the queue to the disk is full".to_owned());
        }
        tape
    }
}

/// The recorder's end of one file.
pub(super) struct Tape {
    id: u64,
    call: CallId,
    queue: DiskQueue,
    broken: Arc<AtomicBool>,
}

impl Tape {
    /// Hands over a block, never waits. `false`: the recording is broken and its failure was reported.
    pub(super) fn append(&mut self, bytes: Vec<u8>) -> bool {
        if self.broken.load(Ordering::Relaxed) {
            return false;
        }
        if self.queue.jobs.try_send(Job::Append { id: self.id, bytes }).is_err() {
            self.fail("the queue to the disk is full".to_owned());
            return false;
        }
        true
    }

    /// Ends the file.
    pub(super) fn close(self) {
        // With a full queue the file stays open until the engine ends; its content is complete.
        let _ = self.queue.jobs.try_send(Job::Close { id: self.id });
    }

    fn fail(&self, why: String) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            report(&self.queue.events, &*self.queue.waker, self.call, why);
        }
    }
}

fn report(events: &SyncSender<Event>, waker: &(dyn Fn() + Send + Sync), call: CallId, why: String) {
    metrics::counter!("yihao_recording_failures_total").increment(1);
    tracing::error!(%call, why, "a recording broke, the call goes on");
    // A control loop that is 16,384 events behind has other worries; log and metric have said it.
    if events.try_send(Event::RecordingFailed { call, why }).is_ok() {
        waker();
    }
}

/// The two threads.
pub(super) struct Disk {
    queue: DiskQueue,
    threads: Vec<JoinHandle<()>>,
}

impl Disk {
    /// Checks that the folder can be written to and starts the threads.
    pub(super) fn start(config: &EngineConfig, events: SyncSender<Event>) -> Result<Self, StartError> {
        let refused = |source| StartError::Recordings { path: config.recordings.clone(), source };
        make_folder(&config.recordings).map_err(refused)?;
        probe(&config.recordings).map_err(refused)?;
        let folder = File::open(&config.recordings).map_err(refused)?;
        let (jobs, queue) = sync_channel(QUEUE);
        let (to_sync, syncs) = sync_channel(1);
        let threads =
            [std::thread::Builder::new().name("rec-sync".into()).spawn(move || sync_files(&folder, &syncs)), {
                let (events, waker) = (events.clone(), config.waker.clone());
                let writer = Writer { files: BTreeMap::new(), dirty: Dirty::default(), to_sync, events, waker };
                std::thread::Builder::new().name("rec-write".into()).spawn(move || writer.run(&queue))
            }]
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(StartError::Thread)?;
        let queue = DiskQueue {
            jobs,
            folder: config.recordings.clone(),
            next: Arc::new(AtomicU64::new(1)),
            events,
            waker: config.waker.clone(),
        };
        Ok(Self { queue, threads })
    }

    pub(super) fn queue(&self) -> DiskQueue {
        self.queue.clone()
    }

    /// Writes and syncs what is queued, then ends the threads.
    pub(super) fn stop(self) {
        // Waits for room: the worker threads are gone, so the queue only shrinks.
        let _ = self.queue.jobs.send(Job::Stop);
        for thread in self.threads.into_iter().rev() {
            if thread.join().is_err() {
                tracing::error!("a recording thread had panicked");
            }
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// A start on a folder that cannot be written to must fail at the start, not at the first call.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".probe-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&path)?;
    let written = file.write_all(b"yihao").and_then(|()| file.sync_data());
    std::fs::remove_file(&path)?;
    match written {
        // A full disk stops recordings with an alarm; it does not stop the exchange from starting.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            metrics::counter!("yihao_recording_failures_total").increment(1);
            tracing::error!(%error, "the disk of the recordings is full: calls are not recorded");
            Ok(())
        }
        result => result,
    }
}

struct Open {
    call: CallId,
    file: Arc<File>,
    broken: Arc<AtomicBool>,
}

/// What was written since the last sync.
#[derive(Default)]
enum Dirty {
    /// Nothing.
    #[default]
    Clean,
    /// These files, at most [`SINGLE_SYNCS`].
    Few(Vec<Arc<File>>),
    /// More: files that end are closed at once, or a busy second would hold thousands of them open until its sync.
    Many,
}

impl Dirty {
    fn add(&mut self, file: &Arc<File>) {
        match self {
            Self::Clean => *self = Self::Few(vec![file.clone()]),
            Self::Few(files) if files.iter().any(|known| Arc::ptr_eq(known, file)) => {}
            Self::Few(files) if files.len() < SINGLE_SYNCS => files.push(file.clone()),
            Self::Few(_) => *self = Self::Many,
            Self::Many => {}
        }
    }

    fn sync(&self, folder: &File) -> io::Result<()> {
        match self {
            Self::Clean => Ok(()),
            Self::Few(files) => files.iter().try_for_each(|file| file.sync_data()),
            Self::Many => nix::unistd::syncfs(folder.as_fd()).map_err(io::Error::from),
        }
    }
}

struct Writer {
    files: BTreeMap<u64, Open>,
    dirty: Dirty,
    to_sync: SyncSender<Dirty>,
    events: SyncSender<Event>,
    waker: Arc<dyn Fn() + Send + Sync>,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        let clock = super::worker::Clock::start();
        let mut synced = clock.mono();
        loop {
            match jobs.recv_timeout(SYNC) {
                Ok(Job::Open { id, call, path, broken }) => self.open(id, call, &path, broken),
                Ok(Job::Append { id, bytes }) => self.append(id, &bytes),
                Ok(Job::Close { id }) => {
                    self.files.remove(&id);
                }
                Ok(Job::Stop) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            }
            let now = clock.mono();
            if now.since(synced) >= SYNC && !matches!(self.dirty, Dirty::Clean) {
                synced = now;
                let dirty = std::mem::take(&mut self.dirty);
                // A sync that is still running takes these along next time.
                if let Err(error) = self.to_sync.try_send(dirty) {
                    self.dirty = match error {
                        std::sync::mpsc::TrySendError::Full(dirty)
                        | std::sync::mpsc::TrySendError::Disconnected(dirty) => dirty,
                    };
                }
            }
        }
        let _ = self.to_sync.send(std::mem::take(&mut self.dirty));
    }

    fn open(&mut self, id: u64, call: CallId, path: &Path, broken: Arc<AtomicBool>) {
        let made = path.parent().map_or(Ok(()), make_folder).and_then(|()| {
            // Never over an older recording.
            OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)
        });
        match made {
            Ok(file) => {
                self.files.insert(id, Open { call, file: Arc::new(file), broken });
            }
            Err(error) => {
                broken.store(true, Ordering::Relaxed);
                report(&self.events, &*self.waker, call, format!("{}: {error}", path.display()));
            }
        }
    }

    fn append(&mut self, id: u64, bytes: &[u8]) {
        let Some(open) = self.files.get(&id) else { return };
        match (&*open.file).write_all(bytes) {
            Ok(()) => {
                self.dirty.add(&open.file);
            }
            Err(error) => {
                open.broken.store(true, Ordering::Relaxed);
                report(&self.events, &*self.waker, open.call, error.to_string());
                // What was written before stays and plays up to there.
                self.files.remove(&id);
            }
        }
    }
}

fn sync_files(folder: &File, queue: &Receiver<Dirty>) {
    while let Ok(dirty) = queue.recv() {
        let result = dirty.sync(folder);
        if let Err(error) = result {
            metrics::counter!("yihao_recording_sync_failures_total").increment(1);
            tracing::error!(%error, "recordings are not safe on the disk");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_ends_that_recording_with_one_event_and_no_other() {
        let (events_in, events) = sync_channel(10);
        let (to_sync, _files) = sync_channel(1);
        let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
        let mut writer = Writer { files: BTreeMap::new(), dirty: Dirty::default(), to_sync, events: events_in, waker };
        let folder = tempfile::tempdir().expect("a folder");
        let broken = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        writer.files.insert(1, Open { call: CallId(1), file: Arc::new(full), broken: broken[0].clone() });
        writer.open(2, CallId(2), &folder.path().join("day/good"), broken[1].clone());
        for _ in 0..3 {
            writer.append(1, b"block");
            writer.append(2, b"block");
        }
        let events: Vec<Event> = events.try_iter().collect();
        assert!(matches!(&events[..], [Event::RecordingFailed { call: CallId(1), .. }]), "{events:?}");
        assert!(broken[0].load(Ordering::Relaxed) && !broken[1].load(Ordering::Relaxed));
        assert_eq!(std::fs::read(folder.path().join("day/good")).expect("a file"), b"block".repeat(3));
    }

    #[test]
    fn busy_second_keeps_no_ended_file_open_until_its_sync() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut dirty = Dirty::default();
        let mut ended = Vec::new();
        for index in 0..10 * SINGLE_SYNCS {
            let file = Arc::new(File::create(folder.path().join(index.to_string())).expect("a file"));
            dirty.add(&file);
            dirty.add(&file);
            ended.push(Arc::downgrade(&file));
        }
        assert_eq!(ended.iter().filter(|file| file.strong_count() > 0).count(), 0);
        dirty.sync(&File::open(folder.path()).expect("a folder")).expect("it can be synced");
    }

    #[test]
    fn files_are_for_the_exchange_alone_and_never_written_over() {
        use std::os::unix::fs::PermissionsExt;
        let (events_in, events) = sync_channel(10);
        let (to_sync, _files) = sync_channel(1);
        let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
        let mut writer = Writer { files: BTreeMap::new(), dirty: Dirty::default(), to_sync, events: events_in, waker };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one");
        let broken = Arc::new(AtomicBool::new(false));
        writer.open(1, CallId(1), &path, broken.clone());
        writer.open(2, CallId(2), &path, broken.clone());
        assert_eq!(std::fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o600);
        assert!(matches!(events.try_recv(), Ok(Event::RecordingFailed { call: CallId(2), .. })));
        assert!(broken.load(Ordering::Relaxed));
    }
}
