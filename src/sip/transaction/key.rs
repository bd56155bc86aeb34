//! What makes two messages belong to one transaction (RFC 3261 17.1.3, 17.2.3).
//!
//! Writes keys as bytes into a buffer that is used again; knows no table.

use std::hash::{DefaultHasher, Hasher};

use crate::sip::message::{HeaderName, Message};

use super::branch;

/// Longest key that is kept as it is; one of us has 40 bytes, one of an RFC 2543 peer 300. A longer one is kept as two
/// hashes, so that nobody fills the table with branches of 60 kB.
const LONGEST_BYTES: usize = 512;

/// A key and its hash.
#[derive(Default)]
pub(super) struct Key {
    bytes: Vec<u8>,
    hash: u64,
}

impl Key {
    /// The key itself.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SipHash of the key: all 64 bits count, so nobody can make many keys of one hash.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Key of a request at the server, as if its method were `method`: an ACK and a CANCEL look for an INVITE.
    ///
    /// Branch, sent-by and method where the branch is unique. For RFC 2543 peers: Request-URI, From tag, Call-ID, CSeq
    /// number, top Via and method. The To tag is compared by the server transaction, since an ACK bears the one of the
    /// response.
    pub(super) fn of_request(&mut self, message: &Message, method: &str) {
        self.bytes.clear();
        let branch = message.branch().unwrap_or("");
        self.part(method.as_bytes());
        if branch::is_unique(branch) {
            self.part(branch.as_bytes());
            self.bytes.extend(message.sent_by().bytes().map(|b| b.to_ascii_lowercase()));
        } else {
            self.part(message.request_uri_text().as_bytes());
            self.part(message.from_tag().unwrap_or("").as_bytes());
            self.part(message.call_id().as_bytes());
            self.part(&message.cseq_number().to_be_bytes());
            self.bytes.extend_from_slice(message.headers(HeaderName::Via).next().unwrap_or(b""));
        }
        self.finish();
    }

    /// Key of a request of ours, and of the responses to it: branch and method of the CSeq.
    pub(super) fn of_client(&mut self, branch: &str, method: &str) {
        self.bytes.clear();
        self.part(method.as_bytes());
        self.bytes.extend_from_slice(branch.as_bytes());
        self.finish();
    }

    /// What is the same in a request that came two ways (RFC 3261 8.2.2.2).
    pub(super) fn of_merge(&mut self, message: &Message) {
        self.bytes.clear();
        self.part(message.call_id().as_bytes());
        self.part(message.from_tag().unwrap_or("").as_bytes());
        self.bytes.extend_from_slice(&message.cseq_number().to_be_bytes());
        self.finish();
    }

    fn part(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(0);
    }

    fn finish(&mut self) {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.bytes);
        self.hash = hasher.finish();
        if self.bytes.len() > LONGEST_BYTES {
            hasher.write(b"again");
            self.bytes.clear();
            self.bytes.extend(self.hash.to_be_bytes().into_iter().chain(hasher.finish().to_be_bytes()));
        }
    }

    #[cfg(test)]
    pub(super) fn forged(bytes: &[u8], hash: u64) -> Key {
        Key { bytes: bytes.to_vec(), hash }
    }
}

/// Whether the request comes from an RFC 2543 element.
pub(super) fn is_old(message: &Message) -> bool {
    !branch::is_unique(message.branch().unwrap_or(""))
}
