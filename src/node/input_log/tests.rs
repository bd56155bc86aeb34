//! Logs written, cut, bounded, removed, and played again.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::journal::Reader;
use crate::types::Now;

const PLAN: &str = "deployment = \"t\"\nzone = \"Asia/Shanghai\"\n[skills]\ngeneral = \"g\"\n[[queue]]\nname = \"general\"\nskill = \"general\"\n";

fn header() -> Header {
    Header {
        segment: 0,
        plan: PlanText::new("t.toml", PLAN),
        endpoint: endpoint::Config::default(),
        center: center::Config::default(),
        seats: vec![SeatProof::new(SeatId(8001), &Credentials::from_password("8001", "yihao", "secret"))],
        trunks: vec!["telecom".to_owned()],
        ports: vec![(0, 0, 20_000, false)],
        ids: IdBase { node: 0, epoch_s: 1 },
        seed: [7; 32],
    }
}

fn log(folder: &Path, run: &str, limits: Limits) -> InputLog {
    let mask = Mask::new("yihao", &BTreeMap::new(), &[9; 32]);
    InputLog::create(folder, run, header(), mask, limits).expect("the folder can be written")
}

fn tick() -> Entry<'static> {
    Entry::Input(Cow::Owned(Input::Tick))
}

fn chunks(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(File::open(path).expect("is there"), KIND).expect("is such a log");
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk().expect("can be read") {
        chunks.push(chunk.to_vec());
    }
    chunks
}

#[test]
fn a_log_gives_back_what_was_noted_and_nobody_else_may_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = log(folder.path(), "100", Limits::default());
    log.record(Now::default(), tick());
    log.outcome(&[Output::Media(crate::media::engine::Command::Close { leg: crate::types::LegId(2) })]);
    log.record(Now::default(), Entry::EndAll);
    log.flush();
    let path = segment_path(folder.path(), "100", 1);
    assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    let chunks = chunks(&path);
    let first: Header = serde_json::from_slice(&chunks[0]).expect("a header");
    assert_eq!((first.segment, first.seats), (1, header().seats));
    let records: Vec<Record<'_>> = chunks[1..].iter().map(|c| serde_json::from_slice(c).expect("a record")).collect();
    assert!(matches!(&records[0].entry, Entry::Input(input) if matches!(**input, Input::Tick)));
    assert!(matches!(records[1].entry, Entry::EndAll));
    assert_ne!(records[0].before, records[1].before, "the outcome of the first is in the digest before the second");
}

#[test]
fn a_log_goes_on_in_further_files_up_to_its_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { segment_bytes: 2_000, segments: 2, runs: 3, days: 3 };
    let mut log = log(folder.path(), "100", limits);
    for _ in 0..200 {
        log.record(Now::default(), tick());
    }
    log.flush();
    let second = segment_path(folder.path(), "100", 2);
    let again: Header = serde_json::from_slice(&chunks(&second)[0]).expect("a header");
    assert_eq!(again.segment, 2);
    assert!(!segment_path(folder.path(), "100", 3).exists());
}

#[test]
fn logs_of_old_runs_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { runs: 2, ..Limits::default() };
    for run in ["100", "200", "300"] {
        drop(log(folder.path(), run, limits));
    }
    let there = |run| segment_path(folder.path(), run, 1).exists();
    assert_eq!((there("100"), there("200"), there("300")), (false, true, true));
    assert_eq!(parts_of(&segment_path(folder.path(), "a-b", 12)), Some(("a-b".to_owned(), 12)));
}

#[test]
fn proofs_and_keys_of_ours_do_not_count_for_the_digest() {
    let send = |proof: &str| {
        let bytes = format!(
            "REGISTER sip:h SIP/2.0\r\nAuthorization: {proof}\r\nCSeq: 2 REGISTER\r\n\r\na=crypto:1 X {proof}\r\n"
        );
        let remote = ([192, 0, 2, 1], 5060).into();
        let hop = crate::sip::flow::Hop::to(NetworkId(0), crate::sip::flow::Transport::Udp, remote);
        Output::Send(crate::sip::transaction::Transmit {
            hop,
            bytes: bytes.into(),
            by: crate::sip::transaction::By::Nobody,
        })
    };
    let value = |outputs: &[Output]| {
        let mut digest = Digest::default();
        digest.take(outputs);
        digest.value()
    };
    assert_eq!(value(&[send("one")]), value(&[send("two")]));
    assert_ne!(value(&[send("one")]), value(&[]));
}
