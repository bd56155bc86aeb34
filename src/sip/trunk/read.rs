//! What an INVITE of a trunk says about who calls and what was dialled.

use super::Trunk;
use super::number;
use crate::dialplan::CalledFrom;
use crate::sip::message::{Message, NameAddr, Scheme, Uri};
use crate::types::{Calling, Hops, LineNumber, NumberError};

/// Longest text kept of what a carrier sent.
const MAX_RAW_CHARS: usize = 128;

/// Why the called number cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalledError {
    /// The place that the trunk's profile names is empty.
    #[error("the request has no {0}")]
    Missing(&'static str),
    /// What stands there is no number.
    #[error("the called number cannot be read: {0}")]
    NoNumber(#[from] NumberError),
}

/// The number dialled, taken from where the trunk's profile says.
pub(super) fn called(trunk: &Trunk, request: &Message) -> Result<LineNumber, CalledError> {
    let uri = match trunk.plan.called_from {
        CalledFrom::RequestUri => request.request_uri().ok_or(CalledError::Missing("Request-URI"))?,
        CalledFrom::To => request.to().uri,
        CalledFrom::PCalledPartyId => request.p_called_party_id().ok_or(CalledError::Missing("P-Called-Party-ID"))?.uri,
    };
    if uri.user().is_none() {
        return Err(CalledError::NoNumber(NumberError::Empty));
    }
    Ok(number::called(&uri.user_text(), &trunk.plan.area_code)?)
}

/// Who calls. The identity that the carrier asserts counts before what the caller wrote: a recognised trunk is inside
/// our trust domain (RFC 3325 5). The number is kept under privacy too; it is for the record, not for display.
pub(super) fn calling(trunk: &Trunk, request: &Message) -> Calling {
    let from = request.from();
    let asserted = request.p_asserted_identity();
    let remote = request.remote_party_id();
    // A SIP and a tel URI may stand side by side (RFC 3325 9.1): the first that holds a number.
    let candidates = || asserted.iter().chain(remote.as_ref()).chain(std::iter::once(&from));
    let area = &trunk.plan.area_code;
    let found = candidates().find_map(|c| number::calling(&c.uri.user_text(), area).map(|n| (c, n)));
    let source = found.as_ref().map_or_else(|| asserted.first().unwrap_or(&from), |(c, _)| *c);
    let display = candidates().map(|c| c.display_text()).find(|d| !d.is_empty()).unwrap_or_default();
    Calling {
        raw: raw(&source.uri).chars().take(MAX_RAW_CHARS).collect(),
        number: found.map(|(_, number)| number),
        display: display.chars().take(MAX_RAW_CHARS).collect(),
        private: is_private(request, &from, remote.as_ref()),
        hops: hops(request),
    }
}

/// How often the call was passed on before it came here. What stands twice, in both headers, counts once.
fn hops(request: &Message) -> Hops {
    let counter = |diversion: &NameAddr| diversion.params.get("counter").and_then(|n| n.parse().ok()).unwrap_or(1);
    let diverted = request.diversion().iter().map(counter).fold(0, u8::saturating_add);
    // The first entry is the number that was dialled first.
    let moved = u8::try_from(request.history_info().len().saturating_sub(1)).unwrap_or(u8::MAX);
    let left = request.max_forwards().unwrap_or(Hops::default().left);
    Hops { passed_on: diverted.max(moved), left }
}

/// The number as it came: the user part, or the whole URI where there is none.
fn raw(uri: &Uri) -> String {
    match (uri.scheme(), uri.user()) {
        (Scheme::Sip | Scheme::Sips | Scheme::Tel, Some(_)) => uri.user_text().into_owned(),
        (Scheme::Sip | Scheme::Sips | Scheme::Tel | Scheme::Other, _) => uri.as_str().to_owned(),
    }
}

/// RFC 3323 Privacy, an anonymous From, or the privacy of the older Remote-Party-ID.
fn is_private(request: &Message, from: &NameAddr, remote: Option<&NameAddr>) -> bool {
    let is_anonymous = number::is_withheld(&from.uri.user_text()) || from.uri.host() == "anonymous.invalid";
    let is_remote_private =
        remote.and_then(|r| r.params.get("privacy")).is_some_and(|p| !p.eq_ignore_ascii_case("off"));
    request.privacy().hides_caller() || is_anonymous || is_remote_private
}
