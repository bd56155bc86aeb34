//! What makes two messages belong to one transaction (RFC 3261 17.1.3, 17.2.3).
//!
//! Writes keys as bytes into a buffer that is used again; knows no table.

use crate::sip::message::{HeaderName, Message};

use super::branch;

/// Key of a request at the server, as if its method were `method`: an ACK and a CANCEL look for an INVITE.
///
/// Branch, sent-by and method where the branch is unique. For RFC 2543 peers: Request-URI, From tag, Call-ID, CSeq number,
/// top Via and method. The To tag is compared by the server transaction, since an ACK bears the one of the response.
pub(super) fn of_request(message: &Message, method: &str, key: &mut Vec<u8>) {
    key.clear();
    let branch = message.branch().unwrap_or("");
    part(key, method.as_bytes());
    if branch::is_unique(branch) {
        part(key, branch.as_bytes());
        key.extend(message.sent_by().bytes().map(|b| b.to_ascii_lowercase()));
        return;
    }
    part(key, message.request_uri_text().as_bytes());
    part(key, message.from_tag().unwrap_or("").as_bytes());
    part(key, message.call_id().as_bytes());
    part(key, &message.cseq_number().to_be_bytes());
    key.extend_from_slice(message.headers(HeaderName::Via).next().unwrap_or(b""));
}

/// Key of a request of ours, and of the responses to it: branch and method of the CSeq.
pub(super) fn of_client(branch: &str, method: &str, key: &mut Vec<u8>) {
    key.clear();
    part(key, method.as_bytes());
    key.extend_from_slice(branch.as_bytes());
}

/// What is the same in a request that came two ways (RFC 3261 8.2.2.2).
pub(super) fn of_merge(message: &Message, key: &mut Vec<u8>) {
    key.clear();
    part(key, message.call_id().as_bytes());
    part(key, message.from_tag().unwrap_or("").as_bytes());
    key.extend_from_slice(&message.cseq_number().to_be_bytes());
}

/// Whether the request comes from an RFC 2543 element.
pub(super) fn is_old(message: &Message) -> bool {
    !branch::is_unique(message.branch().unwrap_or(""))
}

fn part(key: &mut Vec<u8>, bytes: &[u8]) {
    key.extend_from_slice(bytes);
    key.push(0);
}
