//! What an outgoing call shows as its caller, by the trunk's policy.

use crate::dialplan::CallerPolicy;
use crate::sip::message::{NameAddr, Uri};
use crate::types::{Calling, LineNumber};

/// The identities of an outgoing INVITE. The tag of From is the dialog's business.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// From.
    pub from: NameAddr,
    /// P-Asserted-Identity (RFC 3325).
    pub asserted: Option<NameAddr>,
    /// Diversion (RFC 5806): the line that the citizen dialled before we passed the call on, with its counter.
    pub diversion: Option<NameAddr>,
    /// Whether `Privacy: id` goes along: the carrier knows the number and shows it to nobody.
    pub privacy: bool,
}

/// Applies a policy. `host` is the name or address that stands for us towards this trunk.
pub(super) fn shown(policy: &CallerPolicy, calling: &Calling, line: &LineNumber, host: &str) -> Shown {
    let mut shown = by_policy(policy, calling, line, host);
    // Whatever the policy shows: the next hotline must see that the call has come a way.
    if calling.hops.passed_on > 0 {
        let diversion = shown.diversion.get_or_insert_with(|| diverted(line, host));
        diversion.params.set("counter", Some(&calling.hops.passed_on.to_string()));
    }
    shown
}

fn by_policy(policy: &CallerPolicy, calling: &Calling, line: &LineNumber, host: &str) -> Shown {
    match policy {
        CallerPolicy::Own(own) => ours(own, host),
        CallerPolicy::Mapped { by_line, own } => ours(by_line.get(line).unwrap_or(own), host),
        // A call of ours is diverted by nobody.
        CallerPolicy::Callers { .. } if calling.number.as_ref().is_some_and(|n| n.as_str() == line.as_str()) => {
            ours(line, host)
        }
        CallerPolicy::Callers { diversion } => {
            let Some(number) = &calling.number else {
                // A withheld number cannot be asserted: the carrier sees us in Diversion and an anonymous From.
                return Shown { asserted: None, diversion: Some(diverted(diversion, host)), ..anonymous() };
            };
            let caller = address(number.as_str(), host);
            let from = if calling.private { anonymous().from } else { caller.clone() };
            Shown { from, asserted: Some(caller), diversion: Some(diverted(diversion, host)), privacy: calling.private }
        }
    }
}

fn ours(own: &LineNumber, host: &str) -> Shown {
    let own = address(own.as_str(), host);
    Shown { from: own.clone(), asserted: Some(own), diversion: None, privacy: false }
}

/// RFC 3323 4.1.1.3.
fn anonymous() -> Shown {
    let uri = Uri::parse("sip:anonymous@anonymous.invalid").expect("a constant of RFC 3323");
    let from = NameAddr::new(uri).with_display("Anonymous");
    Shown { from, asserted: None, diversion: None, privacy: true }
}

fn diverted(line: &LineNumber, host: &str) -> NameAddr {
    let mut diversion = address(line.as_str(), host);
    // RFC 5806 8: the call is passed on whatever the line's state is.
    diversion.params.set("reason", Some("unconditional"));
    diversion
}

fn address(number: &str, host: &str) -> NameAddr {
    let uri = Uri::sip(Some(number), host, None).expect("digits and the host of a listener make a URI");
    NameAddr::new(uri)
}
