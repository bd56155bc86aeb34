//! A dialog: what two user agents remember of each other (RFC 3261 12), and the small machines that live beside it.
//!
//! Pure data and rules. Knows no transaction, transport or call; requests are written here and sent by others.

pub mod accepted;
pub mod forks;
pub mod glare;
pub mod refer;
pub mod reliable;
pub mod replaces;
pub mod session_timer;

mod draft;
mod id;

#[cfg(test)]
mod tests;

use crate::sip::message::{HeaderError, Message, Method, NameAddr, Uri};

pub use draft::{Draft, Stamp};
pub use id::DialogId;

/// How far a dialog has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Made by a provisional response.
    Early,
    /// Made or confirmed by a 2xx.
    Confirmed,
}

/// Who sent the INVITE that made the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We did.
    Caller,
    /// The far end did.
    Callee,
}

/// One dialog, seen from our side.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    role: Role,
    phase: Phase,
    local: NameAddr,
    remote: NameAddr,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    remote_target: Uri,
    route_set: Vec<NameAddr>,
}

/// Why a message makes no dialog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialogError {
    /// The request names no address for further requests (RFC 3261 8.1.1.8): 400.
    #[error("no contact")]
    NoContact,
    /// A provisional response without To tag makes no dialog.
    #[error("no tag")]
    NoTag,
    /// Contact or Record-Route cannot be read: 400.
    #[error(transparent)]
    Malformed(#[from] HeaderError),
}

/// A request is older than one that came before it (RFC 3261 12.2.2): 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is out of order")]
pub struct Stale;

/// CSeq of the first request when a callee begins to send; RFC 3261 8.1.1.5 leaves the choice.
const FIRST_CSEQ: u32 = 1;

impl Dialog {
    /// The dialog that an INVITE from the far end makes once we answer it with this tag (RFC 3261 12.1.1).
    ///
    /// # Errors
    /// [`DialogError`] when the request has no readable Contact or an unreadable Record-Route.
    pub fn callee(request: &Message, local_tag: &str) -> Result<Dialog, DialogError> {
        let contact = request.contact()?.ok_or(DialogError::NoContact)?;
        let local = request.to().with_tag(local_tag);
        Ok(Dialog {
            id: DialogId::new(request.call_id(), local_tag, request.from_tag().unwrap_or("")),
            role: Role::Callee,
            phase: Phase::Early,
            local,
            remote: request.from(),
            local_cseq: FIRST_CSEQ - 1,
            remote_cseq: Some(request.cseq_number()),
            remote_target: contact.uri.without_headers(),
            route_set: request.record_routes()?,
        })
    }

    /// The dialog that a response to our INVITE makes (RFC 3261 12.1.2). A response without Contact keeps the address that
    /// was called, so that it can still be acknowledged and ended.
    ///
    /// # Errors
    /// [`DialogError`] when the response is provisional and has no tag, or has an unreadable Contact or Record-Route.
    pub fn caller(request: &Message, response: &Message) -> Result<Dialog, DialogError> {
        let is_success = response.status().is_some_and(|s| (200..300).contains(&s));
        if response.to_tag().is_none() && !is_success {
            return Err(DialogError::NoTag);
        }
        let called = request.request_uri().ok_or(DialogError::NoContact)?;
        let mut dialog = Dialog {
            id: DialogId::of_response(response),
            role: Role::Caller,
            phase: Phase::Early,
            local: request.from(),
            remote: response.to(),
            local_cseq: request.cseq_number(),
            remote_cseq: None,
            remote_target: called,
            route_set: routes_of(response)?,
        };
        dialog.refresh_target(response)?;
        if is_success {
            dialog.phase = Phase::Confirmed;
        }
        Ok(dialog)
    }

    /// Call-ID and both tags.
    pub fn id(&self) -> &DialogId {
        &self.id
    }
    /// Early or confirmed.
    pub fn phase(&self) -> Phase {
        self.phase
    }
    /// Who called.
    pub fn role(&self) -> Role {
        self.role
    }
    /// Our From (or To, seen from the far end), with our tag.
    pub fn local(&self) -> &NameAddr {
        &self.local
    }
    /// The far end, with its tag.
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }
    /// Where the far end wants requests: its Contact.
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }
    /// The proxies that want to see all requests, in the order in which ours pass them.
    pub fn route_set(&self) -> &[NameAddr] {
        &self.route_set
    }

    /// Where the next request is sent to: the first route, or the far end itself. A shell with a connection to a phone behind
    /// NAT uses that instead.
    pub fn next_hop(&self) -> &Uri {
        self.route_set.first().map_or(&self.remote_target, |route| &route.uri)
    }

    /// We have answered with 2xx.
    pub fn confirm(&mut self) {
        self.phase = Phase::Confirmed;
    }

    /// The far end has answered with 2xx: its Record-Route and Contact count, whatever the provisional response said
    /// (RFC 3261 13.2.2.4).
    ///
    /// # Errors
    /// [`DialogError`] when they cannot be read; the dialog is confirmed with what was known.
    pub fn confirm_by(&mut self, response: &Message) -> Result<(), DialogError> {
        if self.phase == Phase::Confirmed {
            return Ok(());
        }
        self.phase = Phase::Confirmed;
        self.route_set = routes_of(response)?;
        self.refresh_target(response)
    }

    /// Takes a request inside the dialog when it is newer than all before it. ACK and CANCEL bear the number of their INVITE
    /// and pass. The same number again is refused too: repeated requests never leave the transaction layer.
    ///
    /// # Errors
    /// [`Stale`], to be answered with 500.
    pub fn admit(&mut self, request: &Message) -> Result<(), Stale> {
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return Ok(());
        }
        let number = request.cseq_number();
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Err(Stale);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// Takes the Contact of a target refresh (INVITE, UPDATE) that we accept, or of the 2xx to one of ours
    /// (RFC 3261 12.2.1.2, 12.2.2). Without Contact nothing changes.
    ///
    /// # Errors
    /// [`DialogError::Malformed`] when it cannot be read; the old target stays.
    pub fn refresh_target(&mut self, message: &Message) -> Result<(), DialogError> {
        if let Some(contact) = message.contact()? {
            self.remote_target = contact.uri.without_headers();
        }
        Ok(())
    }

    /// Begins a request inside the dialog with the next CSeq number.
    pub fn request(&mut self, method: Method, stamp: &Stamp<'_>) -> Draft {
        self.local_cseq += 1;
        Draft::new(self, method, self.local_cseq, stamp)
    }

    /// Begins the ACK to a 2xx. It has the number of its INVITE and a branch of its own, and goes out without a transaction.
    pub fn ack(&self, invite_cseq: u32, stamp: &Stamp<'_>) -> Draft {
        Draft::new(self, Method::Ack, invite_cseq, stamp)
    }

    /// Request-URI and Route headers of the next request (RFC 3261 12.2.1.1). Behind a strict router of old, its address is
    /// the Request-URI and the far end the last Route.
    fn path(&self) -> (Uri, Vec<NameAddr>) {
        match self.route_set.split_first() {
            Some((first, rest)) if !first.uri.is_loose() => {
                let last = NameAddr::new(self.remote_target.clone());
                (first.uri.without_headers(), rest.iter().cloned().chain([last]).collect())
            }
            Some(_) | None => (self.remote_target.clone(), self.route_set.clone()),
        }
    }
}

/// The route set that a response gives its caller: Record-Route backwards.
fn routes_of(response: &Message) -> Result<Vec<NameAddr>, HeaderError> {
    let mut routes = response.record_routes()?;
    routes.reverse();
    Ok(routes)
}
