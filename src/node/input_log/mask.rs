//! Takes the secrets out of a message before it is noted, so that a replay still does the same.
//!
//! Proofs of phones are exchanged for those of stand-ins, keys of streams for pseudonyms: equal ones stay equal, different
//! ones stay different, and whether a text is a key at all stays true or false. Everything else stays byte for byte. Works
//! line by line, so that a message which is none is masked too. Knows no file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use ring::hmac;

use super::{Entry, SeatProof};
use crate::exchange::Input;
use crate::sip::auth::{Credentials, Request, blank, keepable};
use crate::sip::endpoint;
use crate::sip::message::Message;
use crate::types::SeatId;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a log must not hold, and what stands in for it.
pub struct Mask {
    realm: String,
    /// Each seat's account, and its stand-in.
    accounts: BTreeMap<SeatId, (Credentials, Credentials)>,
    /// Makes pseudonyms; nobody has it after the run.
    key: hmac::Key,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask(hidden)")
    }
}

impl Mask {
    /// Of the accounts of a realm; `key` is 32 random bytes of this run.
    pub fn new(realm: &str, accounts: &BTreeMap<SeatId, Credentials>, key: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let mut mask = Self { realm: realm.to_owned(), accounts: BTreeMap::new(), key };
        mask.renew(accounts);
        mask
    }

    /// The same of other accounts, from now on.
    pub fn renew(&mut self, accounts: &BTreeMap<SeatId, Credentials>) {
        let realm = &self.realm;
        let with_stand_in =
            |(&seat, real): (&SeatId, &Credentials)| (seat, (real.clone(), SeatProof::new(seat, real).stand_in(realm)));
        self.accounts = accounts.iter().map(with_stand_in).collect();
    }

    /// The entry as it may be noted.
    pub fn entry<'a>(&self, entry: Entry<'a>) -> Entry<'a> {
        if let Entry::Input(input) = &entry
            && let Input::Sip(endpoint::Input::Message { flow, bytes }) = input.as_ref()
            && let Some(bytes) = self.message(bytes)
        {
            return Entry::Input(Cow::Owned(Input::Sip(endpoint::Input::Message { flow: *flow, bytes })));
        }
        entry
    }

    /// The message as it may be noted; `None` when there is nothing secret in it.
    pub fn message(&self, bytes: &[u8]) -> Option<Bytes> {
        let mut kept = bytes.to_vec();
        let mut credentials = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = line_end(bytes, at);
            let line = &mut kept[at..end];
            match secret_of(line) {
                Some(Secret::Proof { value }) => credentials.push((at + value, end)),
                Some(Secret::Whole { value }) => blank(&mut line[value..]),
                Some(Secret::Key) => self.exchange_keys(line),
                None => {}
            }
            at = end;
        }
        // Last, since a proof may protect the body.
        let message = match credentials.is_empty() {
            true => None,
            false => Message::parse(Bytes::copy_from_slice(bytes)).ok(),
        };
        for (from, to) in credentials {
            let value = self.proof(&bytes[from..to], message.as_ref(), &kept);
            kept[from..to].copy_from_slice(&value);
        }
        (kept != bytes).then(|| kept.into())
    }

    /// `kept` is the message as far as it is masked; its body stands where the other's does.
    fn proof(&self, value: &[u8], message: Option<&Message>, kept: &[u8]) -> Vec<u8> {
        let request = message.map(|message| Request {
            method: message.method().as_str(),
            uri: message.request_uri_text(),
            body: message.body(),
            credentials: &[],
        });
        let body_at = message.map_or(0, |message| message.bytes().len() - message.body().len());
        keepable(&self.realm, value, request.as_ref(), &kept[body_at..], |user| {
            self.accounts.get(&SeatId(user.parse().ok()?)).map(|(real, stand_in)| (real, stand_in))
        })
    }

    /// Puts pseudonyms for all keys of an SDES line (RFC 4568 9.1).
    fn exchange_keys(&self, line: &mut [u8]) {
        const METHOD: &[u8] = b"inline:";
        let mut at = 0;
        while let Some(found) = line[at..].windows(METHOD.len()).position(|w| w.eq_ignore_ascii_case(METHOD)) {
            let from = at + found + METHOD.len();
            let is_end = |b: &u8| matches!(b, b'|' | b';') || b.is_ascii_whitespace();
            at = line[from..].iter().position(is_end).map_or(line.len(), |length| from + length);
            self.pseudonym(&mut line[from..at]);
        }
    }

    /// Exchanges each sign of base64 by one that depends on the whole text and the run's key.
    fn pseudonym(&self, text: &mut [u8]) {
        let whole = hmac::sign(&self.key, text);
        for (block, part) in (0u32..).zip(text.chunks_mut(32)) {
            let mut salted = block.to_be_bytes().to_vec();
            salted.extend_from_slice(whole.as_ref());
            let stream = hmac::sign(&self.key, &salted);
            for (sign, byte) in part.iter_mut().zip(stream.as_ref()).filter(|(sign, _)| BASE64.contains(sign)) {
                *sign = BASE64[usize::from(byte & 63)];
            }
        }
    }
}

/// A line that holds something secret, and from where on.
enum Secret {
    /// Credentials of a digest, perhaps ours.
    Proof { value: usize },
    /// Something that nobody here reads.
    Whole { value: usize },
    /// Keys of a stream.
    Key,
}

fn secret_of(line: &[u8]) -> Option<Secret> {
    let begins = |with: &str| line.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    if begins("a=crypto:") {
        return Some(Secret::Key);
    }
    // Keys by MIKEY, and those of RFC 4566 5.12.
    if let Some(with) = ["a=key-mgmt:", "k="].into_iter().find(|with| begins(with)) {
        return Some(Secret::Whole { value: with.len() });
    }
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = (line[..colon].trim_ascii(), colon + 1);
    let is = |names: [&str; 2]| names.iter().any(|n| name.eq_ignore_ascii_case(n.as_bytes()));
    if is(["Authorization", "Proxy-Authorization"]) {
        return Some(Secret::Proof { value });
    }
    is(["Authentication-Info", "Proxy-Authentication-Info"]).then_some(Secret::Whole { value })
}

/// The index behind the line that starts at `at`, with the folded ones that belong to it.
fn line_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let Some(feed) = bytes[at..].iter().position(|b| *b == b'\n') else { return bytes.len() };
        at += feed + 1;
        if !matches!(bytes.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        let account = Credentials::from_password("8001", "yihao", "geheim");
        Mask::new("yihao", &[(SeatId(8001), account)].into(), &[9; 32])
    }

    fn masked(text: &str) -> String {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        String::from_utf8(mask().message(&bytes).expect("there is a secret").to_vec()).expect("still text")
    }

    const KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    #[test]
    fn keys_are_pseudonyms_of_the_same_kind() {
        let line = format!("v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20\r\na=ptime:20\r\n");
        let kept = masked(&line);
        assert!(!kept.contains(&KEY[..8]) && kept.len() == line.len(), "{kept}");
        let before = line.replace(KEY, "");
        let pseudonym = &kept[before.find("|2^20").expect("a lifetime")..][..40];
        assert!(pseudonym.bytes().all(|b| BASE64.contains(&b)), "{pseudonym}");
        assert_eq!(kept.replace(pseudonym, ""), before, "the rest stays");
        assert_eq!(masked(&line), kept, "equal keys stay equal");
        assert_ne!(masked(&line.replace("PS1", "PS2")), kept, "others stay others");
    }

    #[test]
    fn what_is_no_key_stays_none_and_every_key_of_a_line_goes() {
        let odd = masked(&format!("a=crypto:1 X inline:ab!c=\r\na=CRYPTO:2 X inline:{KEY};inline:{KEY}|1:4\r\n"));
        assert!(!odd.contains("ab!c=") && !odd.contains(KEY), "{odd}");
        assert_eq!(odd.find('!'), Some("a=crypto:1 X inline:ab".len()));
        assert!(odd.contains("=\r\n") && odd.ends_with("|1:4\r\n"), "{odd}");
    }

    #[test]
    fn a_message_that_is_none_is_masked_too() {
        let text = "NO SIP\nproxy-authorization : Digest realm=\"yihao\",\n response=\"abc123\"\nk=clear:geheim\n\
                    Authentication-Info: rspauth=\"def\"\na=key-mgmt:mikey AQAF\nVia: x\n";
        let kept = masked(text);
        for secret in ["abc123", "geheim", "def", "AQAF"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(kept.contains("NO SIP\n") && kept.ends_with("Via: x\n") && kept.len() == text.len(), "{kept}");
    }

    #[test]
    fn what_holds_no_secret_is_not_copied() {
        let text = Bytes::from_static(b"OPTIONS sip:h SIP/2.0\r\nk: 100rel\r\n\r\na=sendrecv\r\n");
        assert!(mask().message(&text).is_none());
    }
}
