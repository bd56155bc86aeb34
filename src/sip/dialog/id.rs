//! The name of a dialog: Call-ID, our tag, their tag (RFC 3261 12).
//!
//! Only compares; knows no dialog.

use std::fmt;

use crate::sip::message::Message;

/// Call-ID and both tags, seen from our side. A missing tag (RFC 2543) is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Box<str>,
    /// Our tag.
    pub local_tag: Box<str>,
    /// The far end's tag.
    pub remote_tag: Box<str>,
}

impl DialogId {
    /// Joins the three.
    pub fn new(call_id: &str, local_tag: &str, remote_tag: &str) -> DialogId {
        DialogId { call_id: call_id.into(), local_tag: local_tag.into(), remote_tag: remote_tag.into() }
    }

    /// The dialog that a request from the far end belongs to: To is ours.
    pub fn of_request(request: &Message) -> DialogId {
        Self::new(request.call_id(), request.to_tag().unwrap_or(""), request.from_tag().unwrap_or(""))
    }

    /// The dialog that a response to our request belongs to: From is ours.
    pub fn of_response(response: &Message) -> DialogId {
        Self::new(response.call_id(), response.from_tag().unwrap_or(""), response.to_tag().unwrap_or(""))
    }
}

impl fmt::Debug for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.call_id, self.local_tag, self.remote_tag)
    }
}
