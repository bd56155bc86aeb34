//! Which trunk a message comes from: by address, by certificate, by the registration that we hold.

use super::Trunk;
use super::group::ids;
use crate::sip::flow::Flow;
use crate::types::TrunkId;

/// The trunk that a flow belongs to. Where several match, the one with the narrowest address range, then the first of
/// the plan.
pub(super) fn recognise(trunks: &[Trunk], flow: &Flow, identities: &[String]) -> Option<TrunkId> {
    ids(trunks)
        .filter(|(_, trunk)| !trunk.has_left)
        .filter_map(|(id, trunk)| closeness(trunk, flow, identities).map(|c| (c, id)))
        .min_by_key(|(closeness, id)| (std::cmp::Reverse(*closeness), *id))
        .map(|(_, id)| id)
}

/// Whether a flow may speak for a trunk.
pub(super) fn is_source(trunk: &Trunk, flow: &Flow, identities: &[String]) -> bool {
    closeness(trunk, flow, identities).is_some()
}

/// How closely a flow fits a trunk; `None`: not at all. A trunk with addresses and a certificate name needs both.
fn closeness(trunk: &Trunk, flow: &Flow, identities: &[String]) -> Option<u16> {
    if trunk.network != Some(flow.network) {
        return None;
    }
    let address = flow.remote.ip().to_canonical();
    let range = trunk.plan.sources.iter().filter(|c| c.contains(address)).map(|c| u16::from(c.prefix)).max();
    let by_address = match &trunk.plan.tls_identity {
        None => range,
        Some(name) => {
            let is_proved = flow.transport.is_secure() && identities.iter().any(|i| i.eq_ignore_ascii_case(name));
            let fits = trunk.plan.sources.is_empty() || range.is_some();
            // A certificate says more than any address.
            (is_proved && fits).then(|| 256 + range.unwrap_or(0))
        }
    };
    by_address.or_else(|| is_registered_peer(trunk, flow).then_some(128))
}

/// Whether a flow comes from the registrar that holds our registration. A certificate name, where the plan has one, is
/// not replaced by it.
fn is_registered_peer(trunk: &Trunk, flow: &Flow) -> bool {
    let Some(registration) = trunk.registration.as_ref().filter(|r| r.is_registered()) else { return false };
    if trunk.plan.tls_identity.is_some() {
        return false;
    }
    let address = flow.remote.ip().to_canonical();
    let is_connection = flow.connection.is_some() && registration.connection() == flow.connection;
    is_connection || trunk.hops.iter().any(|hop| hop.remote.ip().to_canonical() == address)
}
