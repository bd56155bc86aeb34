//! One binding: a contact, how long it holds, and the way to it.

use std::net::SocketAddr;
use std::time::Duration;

use super::SeatContact;
use super::flows::Device;
use super::wish::{Contact, Route};
use crate::sip::flow::{ConnId, Flow, Hop, Transport};
use crate::sip::message::{NameAddr, Scheme, Uri};
use crate::types::{Mono, NetworkId};

/// Counts bindings, so that a due entry of an older one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BindingId(pub(super) u64);

#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) id: BindingId,
    /// As it was registered, without `expires`.
    pub(super) contact: NameAddr,
    pub(super) q: u16,
    pub(super) expires_at: Mono,
    pub(super) refreshed_at: Mono,
    /// When the way through the router must be kept open; only for datagrams to phones behind NAT.
    pub(super) ping_at: Option<Mono>,
    call_id: String,
    cseq: u32,
    path: Vec<Uri>,
    pub(super) flow: Flow,
    pub(super) hop: Hop,
    /// Whether the phone can be reached over its flow alone, since its contact names no address that we can reach.
    is_flow_only: bool,
    /// `+sip.instance`: the device.
    pub(super) instance: Option<String>,
    /// RFC 5626: which of the device's flows; `None` without outbound.
    pub(super) reg_id: Option<u32>,
}

impl Binding {
    pub(super) fn new(
        id: BindingId,
        now: Mono,
        flow: &Flow,
        (call_id, cseq): (&str, u32),
        contact: Contact,
        route: &Route,
    ) -> Binding {
        let (hop, is_flow_only) = way(flow, &contact, route);
        Binding {
            id,
            q: contact.address.q_thousandths(),
            expires_at: now + Duration::from_secs(u64::from(contact.expires_s)),
            refreshed_at: now,
            ping_at: None,
            call_id: call_id.to_owned(),
            cseq,
            path: route.path.clone(),
            flow: *flow,
            hop,
            is_flow_only,
            instance: contact.instance,
            reg_id: contact.reg_id,
            contact: contact.address,
        }
    }

    /// The same with pings, where they are needed.
    pub(super) fn with_pings(mut self, now: Mono, every: Duration) -> Binding {
        let is_behind_nat = self.is_flow_only && self.path.is_empty() && self.flow.transport == Transport::Udp;
        self.ping_at = is_behind_nat.then(|| now + every);
        self
    }

    /// When it wants attention next.
    pub(super) fn wakes_at(&self) -> Mono {
        self.ping_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    /// Whether a request with this Call-ID and CSeq may change it (RFC 3261 10.3 step 7).
    pub(super) fn is_older_than(&self, (call_id, cseq): (&str, u32)) -> bool {
        self.call_id != call_id || self.cseq < cseq
    }

    /// Takes the loss of a connection; true when the phone cannot be reached any more.
    pub(super) fn lose(&mut self, connection: ConnId) -> bool {
        if self.flow.connection != Some(connection) {
            return false;
        }
        self.hop.connection = None;
        self.is_flow_only || self.reg_id.is_some()
    }

    /// As a contact of the 200 with the seconds that are left, at least 1.
    pub(super) fn granted(&self, now: Mono) -> NameAddr {
        let left = self.expires_at.since(now).as_millis().div_ceil(1_000).max(1);
        let mut contact = self.contact.clone();
        contact.params.set("expires", Some(&left.to_string()));
        contact
    }

    /// The device whose contact it is.
    pub(super) fn device(&self) -> Device {
        Device { instance: self.instance.clone(), call_id: self.call_id.clone() }
    }

    pub(super) fn as_contact(&self) -> SeatContact {
        SeatContact { uri: self.contact.uri.clone(), hop: self.hop.clone(), path: self.path.clone(), q: self.q }
    }
}

/// The way to a contact; the flag says that there is no other than the flow.
fn way(flow: &Flow, contact: &Contact, route: &Route) -> (Hop, bool) {
    let by_flow = (flow.back(), true);
    if let Some(proxy) = route.path.first() {
        // The proxy that put itself into Path: its address where it wrote one, else the way that it came.
        let hop = numeric_hop(proxy, flow.network, flow.transport);
        return hop.filter(|hop| hop.remote != flow.remote).map_or(by_flow, |hop| (hop, false));
    }
    if contact.reg_id.is_some() || flow.transport.is_secure() {
        // An outbound flow is its own way; a certificate of a phone could not be checked on a new connection.
        return by_flow;
    }
    let Some(hop) = numeric_hop(&contact.address.uri, flow.network, flow.transport) else { return by_flow };
    if hop.remote.ip() != flow.remote.ip().to_canonical() || hop.remote.port() == 0 {
        // The phone names an address that is not where it is seen from: NAT (RFC 3581, sip.md).
        return by_flow;
    }
    let connection = flow.connection.filter(|_| hop.transport == flow.transport);
    (Hop { connection, ..hop }, false)
}

/// The hop of a URI whose host is an address; `transport` counts where the URI names none.
pub(super) fn numeric_hop(uri: &Uri, network: NetworkId, transport: Transport) -> Option<Hop> {
    let named = uri.param("transport").and_then(Transport::parse);
    let transport = match (uri.scheme(), named) {
        (Scheme::Sips, Some(Transport::Ws | Transport::Wss)) => Transport::Wss,
        (Scheme::Sips, _) => Transport::Tls,
        (Scheme::Sip, named) => named.unwrap_or(transport),
        (Scheme::Tel | Scheme::Other, _) => return None,
    };
    let port = uri.port().unwrap_or_else(|| transport.default_port());
    Some(Hop::to(network, transport, SocketAddr::new(uri.ip()?.to_canonical(), port)))
}
