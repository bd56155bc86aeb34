//! The disk fills up under load and is freed: calls go on all the while, an alarm says so, recordings begin again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::books::balance;
use super::{Much, callers, site, with_sipp_seats};
use crate::e2e::rig::site::TELECOM;
use crate::e2e::rig::skip::{Tool, have};
use crate::e2e::rig::{s, until};

/// Two ledger segments that are laid out ahead, the one that is written, the database, recordings.
const DISK_MB: u32 = 120;
const SEATS: u32 = 20;
const MUCH: Much = Much { calls: 400, per_s: 20, talk_ms: 600 };

#[test]
fn a_disk_that_fills_up_under_load_and_is_freed_costs_no_call() {
    if !have(&[Tool::Sipp, Tool::Mounts]) {
        return;
    }
    let site = site(SEATS);
    let disk = Disk::mount(&site.file("var"));
    let (server, _seats) = with_sipp_seats(site);
    let mut sipp = callers(&server.site, "caller", (TELECOM, "12345"), MUCH);
    let ended = || server.metric("yihao_calls_ended_total");
    until("calls that are recorded", s(20), || (ended() >= 40.0).then_some(()));
    assert!(server.metric("yihao_recording_failures_total") < 1.0, "there is room");
    disk.fill();
    until("the alarm of a full disk", s(10), || (server.metric("yihao_recording_disk_full") > 0.5).then_some(()));
    let while_full = ended();
    until("calls that go on without room", s(20), || (ended() >= while_full + 100.0).then_some(()));
    let failures = server.metric("yihao_recording_failures_total");
    assert!(failures > 50.0, "without room nothing is recorded, and that is counted: {failures}");
    assert!(server.metric("yihao_ledger_rows_lost_total") < 1.0, "the ledger has its own room");
    disk.free();
    until("the end of the alarm", s(10), || (server.metric("yihao_recording_disk_full") < 0.5).then_some(()));
    let (after, failed) = (ended(), server.metric("yihao_recording_failures_total"));
    sipp.expect_good(MUCH.calls.into(), s(60));
    let (more, more_failed) = (ended() - after, server.metric("yihao_recording_failures_total") - failed);
    assert!(more > 60.0 && more_failed < more / 4.0, "{more_failed} of {more} calls after the end were not recorded");
    let books = balance(&server);
    let calls = u64::from(MUCH.calls);
    assert_eq!((books.calls(), books.answered()), (calls, calls));
    eprintln!("{calls} calls, {} recorded to their end; {failures} failures while the disk was full", books.recorded);
    assert!(books.recorded > 100 && books.recorded < calls as usize, "{books:?}");
}

/// A small file system of its own, gone with its owner.
struct Disk {
    place: PathBuf,
}

impl Disk {
    fn mount(place: &Path) -> Self {
        fs::create_dir(place).unwrap();
        let size = format!("size={DISK_MB}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "yihao-test"]).arg(place).status().unwrap();
        assert!(done.success(), "a file system of {DISK_MB} MB cannot be mounted");
        Self { place: place.to_owned() }
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut file = File::create(self.place.join("ballast")).unwrap();
        while file.write_all(&[0; 1 << 16]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.place.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the exchange may still have files open there.
        let _gone = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
