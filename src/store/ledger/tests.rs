//! The ledger under kills, cuts, full disks and second owners.

use std::collections::BTreeMap;
use std::fs::OpenOptions;

use super::*;
use crate::journal::FRAME_BYTES;
use crate::types::{Calling, Cause, Fate, LegId, LineNumber, Origin, SeatId, TrunkId};

fn config(folder: &Path) -> Config {
    Config { segment_bytes: 4096, backlog_bytes: 64 * 1024, ..Config::new(folder, "mianyang") }
}

/// A folder in memory where there is one: hundreds of syncs on a real disk take long.
fn scratch_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn ids(epoch_s: u32) -> IdBase {
    IdBase { node: 1, epoch_s }
}

fn open(folder: &Path, epoch_s: u32) -> (Ledger, Recovered) {
    Ledger::open(config(folder), ids(epoch_s), Wall(i64::from(epoch_s) * 1000)).unwrap()
}

fn arrived(call: u64) -> Row {
    let event = CallEvent::Arrived {
        leg: LegId(call * 2),
        origin: Origin::Trunk(TrunkId(0)),
        from: "telecom-1".into(),
        called: LineNumber::parse("12315").unwrap(),
        calling: Calling::default(),
        call_id: format!("{call}@carrier"),
        mode: None,
    };
    Row { at: Wall(1000 + call as i64), call: CallId(call), event }
}

fn ended(call: u64) -> Row {
    let event = CallEvent::Ended { fate: Fate::Answered { seat: SeatId(8001) } };
    Row { at: Wall(2000 + call as i64), call: CallId(call), event }
}

fn other(call: u64) -> Row {
    let event = CallEvent::LegEnded { leg: LegId(call), cause: Cause::HungUp, status: Some(200) };
    Row { at: Wall(1500), call: CallId(call), event }
}

fn rows(folder: &Path) -> Vec<Row> {
    read(folder).unwrap().into_iter().map(|e| e.row).collect()
}

/// Ends the ledger as `kill -9` does: nothing is synced, trimmed or tidied.
fn kill(ledger: Ledger) {
    drop(ledger);
}

/// The last segment that holds rows.
fn last_begun(folder: &Path) -> PathBuf {
    let mut found = numbers(folder).unwrap().into_iter().map(|n| segment_path(folder, n));
    found.rfind(|p| matches!(begun(&std::fs::read(p).unwrap()), Ok(Begun::Yes { .. }))).unwrap()
}

fn books_balance(folder: &Path) {
    let mut calls: BTreeMap<CallId, (u32, u32)> = BTreeMap::new();
    for row in rows(folder) {
        let entry = calls.entry(row.call).or_default();
        match Step::of(&row) {
            Step::Opens(_) => entry.0 += 1,
            Step::Closes(_) => entry.1 += 1,
            Step::Neither => {}
        }
    }
    for (call, counts) in calls {
        assert_eq!(counts, (1, 1), "{call} has one arrival and one end");
    }
}

#[test]
fn a_killed_exchange_loses_no_row_and_closes_its_books_at_the_next_start() {
    let dir = scratch_folder();
    let (mut ledger, recovered) = open(dir.path(), 100);
    assert_eq!(recovered, Recovered::default());
    ledger.append(&[arrived(1), arrived(2)]);
    ledger.append(&[other(1), ended(1)]);
    kill(ledger);

    let (ledger, recovered) = open(dir.path(), 200);
    let cut = Row { at: Wall(200_000), call: CallId(2), event: CallEvent::Ended { fate: Fate::CutByRestart } };
    assert_eq!(recovered, Recovered { closed: vec![cut.clone()], rows: 4, damaged: false });
    assert_eq!(rows(dir.path()), [arrived(1), arrived(2), other(1), ended(1), cut]);
    ledger.close();

    let (_, recovered) = open(dir.path(), 300);
    assert_eq!(recovered.closed, [], "a book is closed once");
}

#[test]
fn row_numbers_grow_over_restarts_even_when_the_clock_went_back() {
    let dir = scratch_folder();
    for epoch_s in [500, 400, 600] {
        let (mut ledger, _) = open(dir.path(), epoch_s);
        ledger.append(&[arrived(u64::from(epoch_s)), ended(u64::from(epoch_s))]);
        kill(ledger);
    }
    let seqs: Vec<u64> = read(dir.path()).unwrap().into_iter().map(|e| e.seq).collect();
    assert_eq!(seqs.len(), 6);
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
}

#[test]
fn a_ledger_cut_at_any_byte_of_its_last_rows_recovers_to_the_last_whole_row() {
    let dir = scratch_folder();
    let (mut ledger, _) = open(dir.path(), 100);
    ledger.append(&[arrived(1), arrived(2)]);
    let from = ledger.offset;
    ledger.append(&[ended(1), other(2), ended(2)]);
    let to = ledger.offset;
    kill(ledger);
    let path = last_begun(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let written = [arrived(1), arrived(2), ended(1), other(2), ended(2)];
    let mut ends = vec![from];
    for row in &written[2..] {
        let mut chunk = Vec::new();
        segment::encode_entry(u64::from(100u32) << 24, row, &mut chunk);
        ends.push(ends[ends.len() - 1] + (FRAME_BYTES + chunk.len()) as u64);
    }
    assert_eq!(*ends.last().unwrap(), to);

    for cut in from..=to {
        let scratch = scratch_folder();
        let mut bytes = whole[..cut as usize].to_vec();
        // Half the time the space behind the cut is there and zero, as after a power cut in preallocated space.
        bytes.resize(if cut % 2 == 0 { whole.len() } else { bytes.len() }, 0);
        std::fs::write(segment_path(scratch.path(), 1), bytes).unwrap();
        let (ledger, recovered) = open(scratch.path(), 200);
        kill(ledger);
        let survived = 1 + ends.iter().filter(|e| **e <= cut).count();
        assert_eq!(recovered.rows, survived as u64, "cut at {cut}");
        assert_eq!(recovered.damaged, !ends.contains(&cut), "cut at {cut}");
        assert_eq!(rows(scratch.path())[..survived], written[..survived], "cut at {cut}");
        books_balance(scratch.path());
    }
}

#[test]
fn rows_go_on_in_the_next_segment_and_recovery_still_knows_every_open_call() {
    let dir = scratch_folder();
    let (mut ledger, _) = open(dir.path(), 100);
    // Call 1 stays open over all segments; the others come and go.
    ledger.append(&[arrived(1)]);
    let mut expected = vec![arrived(1)];
    for call in 2..120 {
        let turn = [arrived(call), other(call), ended(call)];
        ledger.append(&turn);
        expected.extend(turn);
        settle(&mut ledger);
    }
    kill(ledger);
    assert!(numbers(dir.path()).unwrap().len() > 5, "many segments were needed");
    assert_eq!(rows(dir.path()), expected);
    let (_, recovered) = open(dir.path(), 200);
    assert_eq!(recovered.closed.iter().map(|r| r.call).collect::<Vec<_>>(), [CallId(1)]);
    books_balance(dir.path());
}

/// Gives the disk thread time to lay out the next segment, which in production has an hour.
fn settle(ledger: &mut Ledger) {
    while !ledger.pending.bytes.is_empty() {
        std::thread::yield_now();
        ledger.retry();
    }
}

#[test]
fn a_kill_in_the_middle_of_a_roll_loses_no_call() {
    // The rows up to the roll are in segment 1; every prefix of what is then written to segment 2 is a moment to die.
    let dir = scratch_folder();
    let (mut ledger, _) = open(dir.path(), 100);
    let mut call = 1;
    ledger.append(&[arrived(1)]);
    let first = ledger.current.clone();
    while Arc::ptr_eq(&first, &ledger.current) {
        call += 1;
        // The end of one call and the arrival of the next in one turn: the roll falls between any two of them.
        ledger.append(&[ended(call - 1), arrived(call)]);
    }
    let to = ledger.offset as usize;
    kill(ledger);
    let (one, two) =
        (std::fs::read(segment_path(dir.path(), 1)).unwrap(), std::fs::read(segment_path(dir.path(), 2)).unwrap());
    for cut in 0..=to {
        let scratch = scratch_folder();
        std::fs::write(segment_path(scratch.path(), 1), &one).unwrap();
        let mut bytes = two[..cut].to_vec();
        bytes.resize(4096, 0);
        std::fs::write(segment_path(scratch.path(), 2), bytes).unwrap();
        let (ledger, _) = open(scratch.path(), 200);
        kill(ledger);
        books_balance(scratch.path());
    }
}

#[test]
fn without_space_rows_wait_in_memory_in_order_and_are_written_when_there_is_some() {
    let dir = scratch_folder();
    let (mut ledger, _) = open(dir.path(), 100);
    ledger.disk.stop();
    // The folder can take no new segment from now on: exactly the spares that stand ready are left.
    let mut call = 0;
    while ledger.is_safe() {
        call += 1;
        ledger.append(&[arrived(call), ended(call)]);
    }
    for _ in 0..10 {
        call += 1;
        ledger.append(&[arrived(call), ended(call)]);
    }
    assert!(!ledger.is_safe());
    assert_eq!(ledger.lost(), 0);
    let next = numbers(dir.path()).unwrap().last().unwrap() + 1;
    let short = Arc::clone(&ledger.short_of_space);
    ledger.disk = Disk::start(&ledger.config, next, Arc::clone(&ledger.current), short).unwrap();
    settle(&mut ledger);
    assert!(ledger.is_safe());
    let expected: Vec<Row> = (1..=call).flat_map(|c| [arrived(c), ended(c)]).collect();
    assert_eq!(rows(dir.path()), expected);
}

#[test]
fn rows_beyond_the_backlog_are_counted_and_the_earlier_ones_survive() {
    let dir = scratch_folder();
    let (mut ledger, _) = open(dir.path(), 100);
    ledger.disk.stop();
    for call in 0..2_000 {
        ledger.append(&[arrived(call)]);
    }
    assert!(ledger.lost() > 0);
    assert!(ledger.pending.bytes.len() <= ledger.config.backlog_bytes);
    let waiting = ledger.pending.chunks.len() as u64;
    assert_eq!(rows(dir.path()).len() as u64 + waiting + ledger.lost(), 2_000);
}

#[test]
fn a_row_that_no_segment_could_hold_does_not_stop_the_others() {
    let dir = scratch_folder();
    let (mut ledger, _) = open(dir.path(), 100);
    let monster = Row { at: Wall(0), call: CallId(1), event: CallEvent::RecordingFailed { why: "x".repeat(10_000) } };
    ledger.append(&[arrived(1), monster, ended(1)]);
    assert_eq!((ledger.lost(), ledger.is_safe()), (1, true));
    assert_eq!(rows(dir.path()), [arrived(1), ended(1)]);
}

#[test]
fn a_second_exchange_on_the_same_folder_is_refused() {
    let dir = scratch_folder();
    let (ledger, _) = open(dir.path(), 100);
    let error = Ledger::open(config(dir.path()), ids(101), Wall(0)).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    ledger.close();
    open(dir.path(), 102);
}

#[test]
fn a_foreign_file_and_a_later_version_are_refused_by_name() {
    let dir = scratch_folder();
    std::fs::write(segment_path(dir.path(), 7), b"YHLG\x09\0\0\0and more").unwrap();
    let error = Ledger::open(config(dir.path()), ids(101), Wall(0)).unwrap_err();
    assert!(error.to_string().contains("00000007.ledger"), "{error}");
    assert!(error.to_string().contains("version 9"), "{error}");
    assert!(segment_path(dir.path(), 7).exists(), "nothing foreign is deleted");
}

#[test]
fn segments_are_private_and_take_their_space_ahead() {
    use std::os::unix::fs::MetadataExt;
    let dir = scratch_folder();
    let config = Config { segment_bytes: 1 << 20, ..config(dir.path()) };
    let (ledger, _) = Ledger::open(config, ids(1), Wall(0)).unwrap();
    for number in numbers(dir.path()).unwrap() {
        let meta = std::fs::metadata(segment_path(dir.path(), number)).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o600);
        assert!(meta.blocks() * 512 >= 1 << 20, "the blocks are taken, not only the length");
    }
    assert!(numbers(dir.path()).unwrap().len() >= 3, "the current one and two ahead");
    ledger.close();
    let kept: u64 = numbers(dir.path())
        .unwrap()
        .iter()
        .map(|n| std::fs::metadata(segment_path(dir.path(), *n)).unwrap().len())
        .min()
        .unwrap();
    assert!(kept < 4096, "a clean end gives unused space of the current segment back");
}

#[test]
fn pruning_removes_old_segments_and_never_the_one_at_the_position() {
    let dir = scratch_folder();
    for epoch_s in 1..=4 {
        let (mut ledger, _) = open(dir.path(), epoch_s);
        ledger.append(&[arrived(u64::from(epoch_s)), ended(u64::from(epoch_s))]);
        ledger.close();
    }
    let old = OpenOptions::new().write(true).open(segment_path(dir.path(), 1)).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    let cutoff = Wall(1_000);
    assert_eq!(prune(dir.path(), 1, cutoff, 100).unwrap(), 0, "not tailed yet");
    assert_eq!(prune(dir.path(), 4, cutoff, 100).unwrap(), 1);
    assert!(!segment_path(dir.path(), 1).exists());
    assert!(segment_path(dir.path(), 2).exists(), "too young");
    assert_eq!(prune(dir.path(), 4, cutoff, 2).unwrap(), 2, "young ones go too where there are too many");
    assert_eq!(prune(dir.path(), 4, cutoff, 0).unwrap(), 0, "but never what is not copied");
    assert_eq!(rows(dir.path()), [arrived(4), ended(4)]);
}

#[test]
fn at_its_bound_the_ledger_raises_the_alarm_and_goes_on_as_soon_as_the_store_has_copied() {
    let dir = scratch_folder();
    let config = Config { most_segments: MIN_SEGMENTS, ..config(dir.path()) };
    let (mut ledger, _) = Ledger::open(config, ids(100), Wall(0)).unwrap();
    let mut call = 0;
    while ledger.pending.bytes.is_empty() {
        call += 1;
        ledger.append(&[arrived(call), ended(call)]);
        // Space that may still be taken is waited for, as the control thread's next turns would.
        for _ in 0..1_000 {
            if ledger.pending.bytes.is_empty() {
                break;
            }
            std::thread::yield_now();
            ledger.retry();
        }
    }
    assert!(!ledger.is_safe());
    assert_eq!(ledger.lost(), 0, "rows wait in memory");
    assert!(numbers(dir.path()).unwrap().len() <= MIN_SEGMENTS);
    let copied = rows(dir.path());
    assert_eq!(prune(dir.path(), 4, Wall(i64::MAX), 0).unwrap(), 3);
    settle(&mut ledger);
    let later = rows(dir.path());
    assert!(later.ends_with(&[arrived(call), ended(call)]));
    let all: BTreeSet<CallId> = copied.iter().chain(&later).map(|row| row.call).collect();
    assert_eq!(all.len() as u64, call, "none is missing");
}

/// A file system of one megabyte, when this test may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = scratch_folder();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|s| s.success()) {
            return Some(Self(dir));
        }
        eprintln!("SKIPPED: a full disk cannot be tried here, mounting a tmpfs needs root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_the_preallocated_space_takes_rows_and_the_alarm_is_raised() {
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let folder = disk.0.path().join("ledger");
    let config = Config { segment_bytes: 64 * 1024, ..config(&folder) };
    let (mut ledger, _) = Ledger::open(config, ids(100), Wall(0)).unwrap();
    // Something else fills the disk to the last byte.
    let filler = File::create(disk.0.path().join("filler")).unwrap();
    let error = io::copy(&mut io::Read::take(io::repeat(7), 2 << 20), &mut &filler).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);

    let mut call = 0;
    while ledger.pending.bytes.is_empty() {
        call += 1;
        ledger.append(&[arrived(call), ended(call)]);
    }
    assert!(!ledger.is_safe());
    assert!(call > 300, "at least two segments of 64 KiB had been taken ahead, {call} calls fitted");
    assert_eq!(ledger.lost(), 0);
    for _ in 0..10 {
        call += 1;
        ledger.append(&[arrived(call), ended(call)]);
    }
    drop(filler);
    std::fs::remove_file(disk.0.path().join("filler")).unwrap();
    settle(&mut ledger);
    assert_eq!(rows(&folder).len() as u64, call * 2);
}

#[test]
fn a_disk_without_room_for_a_segment_is_one_clear_message_at_the_start() {
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let config = Config { segment_bytes: 16 << 20, ..config(disk.0.path()) };
    let error = Ledger::open(config, ids(100), Wall(0)).unwrap_err();
    assert!(matches!(error, OpenError::NoSpace { .. }), "{error}");
    assert!(error.to_string().contains("16 MiB"), "{error}");
}
