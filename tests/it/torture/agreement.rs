//! The fuzz checks over the messages of the RFC and over random damage to them; `rsip` is the second opinion in them.

use crate::corpora::{framing, lexer, sdp};
use proptest::prelude::*;
use yihao::sip::message::Message;

use super::all;

/// Marks of the grammar do more damage than random bytes.
const MARKS: &[u8] = b";,<>\"\\@:?= \r\n\0%[]/";

/// A message of the RFC with a few bytes overwritten, put in or taken out.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let count = all().count();
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6);
    (0..count, edits).prop_map(|(which, edits)| {
        let mut bytes = all().nth(which).expect("is in the list").bytes().to_vec();
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len());
            let mark = MARKS[usize::from(byte) % MARKS.len()];
            match edit {
                0 => bytes[at] = byte,
                1 => bytes[at] = mark,
                2 => bytes.insert(at, mark),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

#[test]
fn the_messages_of_the_rfc_pass_every_check() {
    for torture in all() {
        let bytes = torture.bytes();
        lexer::run(&bytes);
        framing::run(&bytes);
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            sdp::run(&bytes[at + 4..]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_messages_pass_every_check(bytes in damaged()) {
        lexer::run(&bytes);
        framing::run(&bytes);
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            sdp::run(&bytes[at + 4..]);
        }
    }

    #[test]
    fn random_bytes_pass_every_check(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        lexer::run(&bytes);
        framing::run(&bytes);
        sdp::run(&bytes);
    }
}

#[test]
fn the_second_opinion_is_heard_on_many_messages() {
    let messages = || all().filter_map(|torture| Message::parse(torture.bytes()).ok());
    let requests = messages().filter(Message::is_request).count();
    let heard = messages().filter(|message| lexer::second_opinion(message).is_some()).count();
    assert!(heard * 3 > requests, "rsip reads {heard} of {requests} requests: it says nothing of the others");
}
