//! A request to call somebody else: REFER (RFC 3515), with Replaces inside its target (RFC 3891) and without the subscription
//! where the sender does not want one (RFC 4488).
//!
//! Reads and checks; acting on it is the call's affair.

use crate::sip::message::{HeaderError, HeaderName, Message, Method, NameAddr, Replaces, Scheme, Uri};

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Refer {
    /// Whom to call, without method and headers.
    pub target: Uri,
    /// The dialog that the new call takes the place of: an attended transfer.
    pub replaces: Option<Replaces>,
    /// Who asks.
    pub referred_by: Option<NameAddr>,
    /// Whether the sender wants NOTIFYs about the outcome.
    pub wants_notify: bool,
}

/// Why a REFER is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferRefusal {
    /// There is none or more than one Refer-To (RFC 3515 2.4.2): 400.
    #[error("a REFER needs exactly one Refer-To")]
    NotOneTarget,
    /// Refer-To, Referred-By or the Replaces inside cannot be read: 400.
    #[error("the target cannot be read")]
    Malformed,
    /// The target is no sip, sips or tel URI: 416.
    #[error("the scheme of the target is not served")]
    BadScheme,
    /// The target asks for another request than INVITE: 403. Nobody makes us send a BYE.
    #[error("only an INVITE can be asked for")]
    BadMethod,
}

impl From<HeaderError> for ReferRefusal {
    fn from(_: HeaderError) -> Self {
        ReferRefusal::Malformed
    }
}

impl ReferRefusal {
    /// The status that says so.
    pub fn status(&self) -> u16 {
        match self {
            ReferRefusal::NotOneTarget | ReferRefusal::Malformed => 400,
            ReferRefusal::BadScheme => 416,
            ReferRefusal::BadMethod => 403,
        }
    }
}

impl Refer {
    /// Reads a REFER.
    ///
    /// # Errors
    /// [`ReferRefusal`], with its status.
    pub fn parse(request: &Message) -> Result<Refer, ReferRefusal> {
        if request.headers(HeaderName::ReferTo).count() != 1 {
            return Err(ReferRefusal::NotOneTarget);
        }
        let to = request.refer_to()?.ok_or(ReferRefusal::NotOneTarget)?.uri;
        match to.scheme() {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
            Scheme::Other => return Err(ReferRefusal::BadScheme),
        }
        if to.param("method").is_some_and(|method| method != Method::Invite.as_str()) {
            return Err(ReferRefusal::BadMethod);
        }
        Ok(Refer {
            target: to.without_headers().without_param("method"),
            replaces: replaces_in(&to)?,
            referred_by: request.referred_by()?,
            wants_notify: wants_notify(request),
        })
    }
}

/// The Replaces header that the target carries in escaped form: `?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2`.
fn replaces_in(target: &Uri) -> Result<Option<Replaces>, HeaderError> {
    target.header_text("Replaces").map(|text| Replaces::parse(text.as_bytes())).transpose()
}

/// `Refer-Sub: false` (RFC 4488 4). The option tag in Require says the same.
fn wants_notify(request: &Message) -> bool {
    let refer_sub = request.text_named("Refer-Sub");
    let declined = refer_sub.is_some_and(|value| {
        let value = value.split(';').next().unwrap_or("").trim();
        value.eq_ignore_ascii_case("false")
    });
    !declined && !request.has_token(HeaderName::Require, "norefersub")
}
