//! The messages of RFC 4475, by section, and what we make of each; then every bound, round trips and a second opinion.

mod agreement;
mod application;
mod backward;
mod invalid;
mod round_trip;
mod transaction;
mod valid;

use bytes::Bytes;
use yihao::sip::message::{Message, ParseError};

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Taken; the layers above decide.
    Taken,
    /// Answered with this status.
    Refused(u16),
    /// Dropped without a word.
    Dropped,
}
use Verdict::{Dropped, Refused, Taken};

/// One message: its name in the RFC, its text with `\n` for line ends, and the verdict. `<hex>` escapes stand for bytes
/// that are no text, `{length}` for the length of the body.
struct Torture {
    name: &'static str,
    text: &'static str,
    verdict: Verdict,
}

impl Torture {
    fn bytes(&self) -> Bytes {
        let text = self.text.strip_prefix('\n').unwrap_or(self.text).replace('\n', "\r\n");
        let (head, body) = text.split_once("\r\n\r\n").expect("has a blank line");
        let body = unhex(body);
        let mut bytes = unhex(&head.replace("{length}", &body.len().to_string()));
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&body);
        Bytes::from(bytes)
    }

    fn message(&self) -> Message {
        Message::parse(self.bytes()).expect("is taken")
    }

    fn check(&self) {
        let verdict = match Message::parse(self.bytes()) {
            Ok(_) => Taken,
            Err(error) => match &error {
                ParseError::Malformed { status, request: Some(_), .. } => {
                    let answer = error.answer("ours").expect("has an answer");
                    assert!(answer.starts_with(format!("SIP/2.0 {status} ").as_bytes()), "{}", self.name);
                    Refused(*status)
                }
                ParseError::Malformed { request: None, .. } | ParseError::Empty | ParseError::Unusable(_) => Dropped,
            },
        };
        assert_eq!(verdict, self.verdict, "{}", self.name);
    }
}

/// Replaces `<<hex>>` by the bytes.
fn unhex(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        let (hex, after) = after.split_once(">>").expect("closes");
        out.extend_from_slice(before.as_bytes());
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("is hex");
        out.extend(digits.chunks(2).map(byte));
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Every message of the RFC.
fn all() -> impl Iterator<Item = &'static Torture> {
    [valid::MESSAGES, invalid::MESSAGES, transaction::MESSAGES, application::MESSAGES, backward::MESSAGES]
        .into_iter()
        .flatten()
}

fn named(name: &str) -> &'static Torture {
    all().find(|torture| torture.name == name).expect("is in the list")
}

#[test]
fn all_49_messages_meet_their_verdict() {
    assert_eq!(all().count(), 49);
    all().for_each(Torture::check);
}

#[test]
fn no_message_is_taken_truncated_within_its_head() {
    for torture in all() {
        let whole = torture.bytes();
        let head = whole.windows(4).position(|end| end == b"\r\n\r\n").expect("has a head") + 3;
        for len in 0..=head {
            assert!(Message::parse(whole.slice(..len)).is_err(), "{} cut at {len}", torture.name);
        }
    }
}
