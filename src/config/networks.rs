//! `[[network]]`: listeners, the address that others see, ports of RTP.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::read::{Reading, socket};
use super::{Config, Listen, Network, RtpRange};
use crate::dialplan::table::Table;
use crate::types::TlsMedia;

/// Most networks of a node.
const MAX_NETWORKS: usize = 16;
/// First port that Linux gives out by itself (`ip_local_port_range`).
const EPHEMERAL: u16 = 32_768;

/// Listeners by address and kind (`true`: a stream), with their place.
type Taken = BTreeMap<(SocketAddr, bool), Range<usize>>;

impl<'r, 'a> Reading<'r, 'a> {
    pub(super) fn read_networks(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let tables = root.tables("network");
        if tables.is_empty() {
            return;
        }
        let mut networks: Vec<Network> = Vec::new();
        let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
        let mut taken: Taken = BTreeMap::new();
        for table in tables {
            let network = self.read_network(&table, &networks, &mut names, &mut taken);
            if networks.len() == MAX_NETWORKS {
                let here = table.here();
                self.reader.error(here.span, &here.key, format!("there are more than {MAX_NETWORKS} networks"), None);
            }
            table.finish();
            networks.push(network);
        }
        config.networks = networks;
    }

    fn read_network(
        &self,
        table: &Table<'r, 'a>,
        others: &[Network],
        names: &mut BTreeMap<String, Range<usize>>,
        taken: &mut Taken,
    ) -> Network {
        let name = table.need_text("name", "trunks of the plan refer to it: name = \"carrier\"");
        if let Some(at) = &name
            && let Some(first) = names.insert(at.value.clone(), at.span.clone())
        {
            let hint = format!("the first is in line {}", self.reader.line_of(&first));
            self.reader.error(
                at.span.clone(),
                &at.key,
                format!("there are two networks named {:?}", at.value),
                Some(hint),
            );
        }
        let mut network = Network::on(name.as_ref().map_or("", |at| at.value.as_str()), Listen::default());
        network.udp = self.read_listeners(table, "udp", false, taken);
        network.tcp = self.read_listeners(table, "tcp", true, taken);
        network.tls = self.read_listeners(table, "tls", true, taken);
        if ["udp", "tcp", "tls"].iter().all(|key| table.count(key) == 0) {
            let here = table.here();
            let hint = Some("give it udp = [\"192.0.2.10:5060\"], tcp or tls".to_owned());
            self.reader.error(here.span, &here.key, "the network listens nowhere", hint);
        }
        self.read_advertised(table, &mut network);
        let protection = table.parsed("media_over_tls", "\"srtp\", \"rtp\" or \"either\"", TlsMedia::parse);
        network.media_over_tls = protection.map(|at| at.value).unwrap_or_default();
        self.read_rtp(table, &mut network, others);
        let dscp =
            |key, default: u8| table.number(key, 0..=63).and_then(|at| u8::try_from(at.value).ok()).unwrap_or(default);
        network.dscp_media = dscp("dscp_media", network.dscp_media);
        network.dscp_signalling = dscp("dscp_signalling", network.dscp_signalling);
        network
    }

    fn read_listeners(
        &self,
        table: &Table<'r, 'a>,
        key: &'static str,
        stream: bool,
        taken: &mut Taken,
    ) -> Vec<SocketAddr> {
        let mut listeners = Vec::new();
        for at in table.parsed_list(key, "address and port: \"192.0.2.10:5060\", \"[2001:db8::1]:5060\"", socket) {
            let first = taken.insert((at.value, stream), at.span.clone()).filter(|_| at.value.port() != 0);
            if let Some(first) = first {
                let hint = format!("it is in line {} already", self.reader.line_of(&first));
                self.reader.error(at.span, &at.key, format!("{} is listened on twice", at.value), Some(hint));
                continue;
            }
            listeners.push(at.value);
        }
        listeners
    }

    fn read_advertised(&self, table: &Table<'r, 'a>, network: &mut Network) {
        let hint = "at most one address of each family: [\"203.0.113.5\"]";
        for at in table.parsed_list("advertised", hint, |text| {
            text.parse::<IpAddr>().map_err(|_| format!("{text:?} is no address"))
        }) {
            let twice = match at.value {
                IpAddr::V4(ip) => network.advertised_v4.replace(ip).is_some(),
                IpAddr::V6(ip) => network.advertised_v6.replace(ip).is_some(),
            };
            if twice {
                self.reader.error(at.span, &at.key, "a second address of the same family", Some(hint.to_owned()));
            }
        }
        for v6 in [false, true] {
            if network.advertised(v6).is_some_and(|ip| ip.is_unspecified()) {
                let here = table.here();
                let message = "the network listens on every address and does not say which one others reach";
                let hint = Some("add advertised = [\"203.0.113.5\"], or listen on one address".to_owned());
                self.reader.error(here.span, &here.key, message, hint);
            }
        }
    }

    fn read_rtp(&self, table: &Table<'r, 'a>, network: &mut Network, others: &[Network]) {
        let at = table.parsed("rtp", "first (even) and last (odd) port: \"20000-29999\"", rtp_range);
        let place = at.as_ref().map_or_else(|| table.here(), |at| at.with(()));
        if let Some(at) = at {
            network.rtp = at.value;
        }
        let range = network.rtp;
        if range.last >= EPHEMERAL {
            let message = format!("the range reaches into the ports that the system gives out ({EPHEMERAL} and up)");
            let hint = Some("stay below, or move net.ipv4.ip_local_port_range".to_owned());
            self.reader.warning(place.span.clone(), &place.key, message, hint);
        }
        let inside = |listener: &SocketAddr| range.holds(listener.port());
        if let Some(listener) = network.listeners().find(inside) {
            let message = format!("the listener {listener} lies inside the range of RTP ports");
            self.reader.error(place.span.clone(), &place.key, message, Some("choose another range".into()));
        }
        let shared = |other: &&Network| {
            let overlap = range.first <= other.rtp.last && other.rtp.first <= range.last;
            overlap && [false, true].into_iter().any(|v6| share_media_address(network, other, v6))
        };
        if let Some(other) = others.iter().find(shared) {
            let message = format!("the RTP ports overlap those of the network {:?} on the same address", other.name);
            self.reader.error(place.span, &place.key, message, Some("give each network a range of its own".into()));
        }
    }
}

/// Whether two networks bind their media to one address of a family; an unspecified address is all of them.
fn share_media_address(a: &Network, b: &Network, v6: bool) -> bool {
    let (Some(a), Some(b)) = (a.media_address(v6), b.media_address(v6)) else { return false };
    a == b || a.is_unspecified() || b.is_unspecified()
}

fn rtp_range(text: &str) -> Result<RtpRange, String> {
    let bad = |why: &str| format!("{text:?} is no range of RTP ports: {why}");
    let (first, last) = text.split_once('-').ok_or_else(|| bad("two numbers with - between them are"))?;
    let port = |part: &str| part.trim().parse::<u16>().ok().filter(|port| *port >= 1_024);
    let (Some(first), Some(last)) = (port(first), port(last)) else { return Err(bad("ports are 1024 to 65535")) };
    if first % 2 != 0 || last % 2 != 1 {
        return Err(bad("the first is even, the last odd"));
    }
    if last < first {
        return Err(bad("the last is below the first"));
    }
    Ok(RtpRange { first, last })
}
