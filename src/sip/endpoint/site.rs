//! Our own addresses as peers of each network see them: for Via, Contact and SDP.

use std::net::{IpAddr, SocketAddr};

use crate::sip::dialog::Stamp;
use crate::sip::flow::{Flow, Hop, Transport};
use crate::sip::message::{HeaderName, NameAddr, ResponseBuilder, Uri};
use crate::sip::transaction::Branch;
use crate::types::NetworkId;

use super::io::Network;

/// One listener with what stands in its name.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) network: NetworkId,
    pub(super) transport: Transport,
    /// Where it listens.
    pub(super) local: SocketAddr,
    /// Address for Via and Contact.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) contact: NameAddr,
    /// Address for SDP.
    pub(super) media: IpAddr,
}

/// All listeners.
#[derive(Clone, Debug)]
pub(super) struct Sites(Vec<Site>);

impl Sites {
    pub(super) fn new(networks: &[Network]) -> Self {
        let mut sites = Vec::new();
        for (index, network) in networks.iter().enumerate() {
            let id = NetworkId(u8::try_from(index).expect("the configuration allows at most 256 networks"));
            for (transport, local) in &network.listeners {
                sites.push(Site::new(id, network, *transport, *local));
            }
        }
        Self(sites)
    }

    /// The listener of a network that speaks `transport` and the address family of `remote`.
    fn find(&self, network: NetworkId, transport: Transport, remote: IpAddr) -> Option<&Site> {
        let v6 = remote.to_canonical().is_ipv6();
        self.0
            .iter()
            .filter(|s| s.network == network && s.transport == transport)
            .min_by_key(|s| s.local.is_ipv6() != v6)
    }

    /// The listener from which a message to `hop` leaves.
    pub(super) fn towards(&self, hop: &Hop) -> Option<&Site> {
        self.find(hop.network, hop.transport, hop.remote.ip())
    }

    /// The listener that `flow` came to, or one like it.
    pub(super) fn at(&self, flow: &Flow) -> Option<&Site> {
        self.find(flow.network, flow.transport, flow.remote.ip())
    }

    /// Puts our Contact into a response that goes back on `flow`.
    pub(super) fn contact(&self, flow: &Flow, response: &mut ResponseBuilder) {
        if let Some(site) = self.at(flow) {
            response.header(HeaderName::Contact, &site.contact);
        }
    }

    /// Whether a Via's sent-by names one of our listeners: the request has been here before.
    pub(super) fn is_ours(&self, host: &str, port: Option<u16>) -> bool {
        self.0.iter().any(|s| s.host == host && s.port == port.unwrap_or_else(|| s.transport.default_port()))
    }
}

impl Site {
    /// What a request that leaves from here says about its sender.
    pub(super) fn stamp(&self, branch: Branch) -> Stamp<'_> {
        Stamp { transport: self.transport, host: &self.host, port: Some(self.port), branch, contact: &self.contact }
    }

    /// Our Contact with another user: the one under which we register, so that calls to it name it.
    pub(super) fn contact_of(&self, user: &str) -> NameAddr {
        contact(user, &self.host, self.port, self.transport)
    }

    fn new(id: NetworkId, network: &Network, transport: Transport, local: SocketAddr) -> Self {
        let named = if local.is_ipv6() { network.advertised_v6 } else { network.advertised_v4 };
        let ip = named.unwrap_or_else(|| local.ip());
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let contact = contact("yihao", &host, local.port(), transport);
        Self { network: id, transport, local, host, port: local.port(), contact, media: ip }
    }
}

fn contact(user: &str, host: &str, port: u16, transport: Transport) -> NameAddr {
    let uri = Uri::sip(Some(user), host, Some(port)).expect("a user and our own address make a SIP URI");
    NameAddr::new(match transport {
        Transport::Udp => uri,
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
            uri.with_param("transport", Some(transport.as_param()))
        }
    })
}
