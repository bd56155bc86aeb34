//! Where a SIP URI leads (RFC 3263): NAPTR, SRV by priority and weight, addresses. Caching is the resolver's.
//!
//! Gives addresses in the order to try; failing over from one to the next is the endpoint's business.

mod order;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::time::timeout;

use crate::sip::flow::{Hop, Transport};
use crate::sip::message::{Scheme, Uri};
use crate::types::NetworkId;

/// Addresses given at most; a call does not live long enough to try more.
const MAX_HOPS: usize = 16;
/// Records of one kind that are followed.
const MAX_RECORDS: usize = 16;

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name servers; empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Longest look-up as a whole. Default 5 s.
    pub wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { servers: Vec::new(), wait: Duration::from_secs(5) }
    }
}

/// Why a URI leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// Neither `sip` nor `sips`, or a transport that is not carried.
    #[error("{0} is not an address that SIP can be sent to")]
    NotSip(String),
    /// The name has no address.
    #[error("{0} has no address in DNS; is the name right?")]
    NoAddress(String),
    /// No name server answers.
    #[error("{host} cannot be looked up: {why}; see /etc/resolv.conf")]
    Failed {
        /// The name.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// No answer in time.
    #[error("{0} cannot be looked up: no name server answers in time")]
    TimedOut(String),
}

/// A source of random numbers for weights.
pub type Random<'a> = &'a mut (dyn FnMut() -> u32 + Send);

/// Looks names up, with a cache.
#[derive(Clone)]
pub struct Resolver {
    dns: TokioResolver,
    wait: Duration,
}

/// One step on the way to addresses: a host, and what is known of port and transport.
struct Target {
    host: String,
    port: u16,
    transport: Transport,
}

impl Resolver {
    /// A resolver; must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`DnsError::Failed`] when the system's configuration cannot be read.
    pub fn new(settings: &Settings) -> Result<Resolver, DnsError> {
        let failed = |e: NetError| DnsError::Failed { host: "the DNS configuration".to_owned(), why: e.to_string() };
        let mut builder = if settings.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(failed)?
        } else {
            let config = ResolverConfig::from_parts(None, Vec::new(), settings.servers.iter().map(server).collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = settings.wait / 3;
        options.attempts = 2;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let dns = builder.build().map_err(failed)?;
        Ok(Resolver { dns, wait: settings.wait })
    }

    /// The addresses of a URI in the order to try, at least one.
    ///
    /// # Errors
    /// [`DnsError`] says why there is none.
    pub async fn resolve(&self, uri: &Uri, network: NetworkId, random: Random<'_>) -> Result<Vec<Hop>, DnsError> {
        let named = match uri.param("transport") {
            None => None,
            Some(text) => Some(Transport::parse(text).ok_or_else(|| DnsError::NotSip(uri.as_str().to_owned()))?),
        };
        let is_secure = match uri.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Tel | Scheme::Other => return Err(DnsError::NotSip(uri.as_str().to_owned())),
        };
        // `sips` with transport=tcp means TLS over TCP (RFC 3261 26.2.2).
        let named = if is_secure { Some(Transport::Tls) } else { named };
        match named {
            Some(Transport::Ws | Transport::Wss) => return Err(DnsError::NotSip(uri.as_str().to_owned())),
            Some(Transport::Udp | Transport::Tcp | Transport::Tls) | None => {}
        }
        let hops = timeout(self.wait, self.hops(uri, named, network, random)).await;
        let hops = hops.map_err(|_| DnsError::TimedOut(uri.host().to_owned()))??;
        if hops.is_empty() { Err(DnsError::NoAddress(uri.host().to_owned())) } else { Ok(hops) }
    }

    async fn hops(
        &self,
        uri: &Uri,
        named: Option<Transport>,
        network: NetworkId,
        random: Random<'_>,
    ) -> Result<Vec<Hop>, DnsError> {
        let usual = named.unwrap_or(Transport::Udp);
        let port = uri.port().unwrap_or_else(|| usual.default_port());
        if let Some(ip) = uri.ip() {
            return Ok(vec![hop(uri, network, usual, SocketAddr::new(ip.to_canonical(), port))]);
        }
        let mut targets = Vec::new();
        if uri.port().is_none() {
            // RFC 3263 4.1, 4.2: a port says that nobody wants SRV.
            targets = self.services(uri.host(), named, random).await?;
        }
        if targets.is_empty() {
            targets.push(Target { host: uri.host().to_owned(), port, transport: usual });
        }
        let mut hops = Vec::new();
        let mut last_error = None;
        for target in targets {
            match self.addresses(&target.host).await {
                Ok(ips) => hops.extend(
                    ips.into_iter().map(|ip| hop(uri, network, target.transport, SocketAddr::new(ip, target.port))),
                ),
                Err(error) => last_error = Some(error),
            }
            if hops.len() >= MAX_HOPS {
                break;
            }
        }
        hops.truncate(MAX_HOPS);
        // One target that fails does not hide the others.
        last_error.filter(|_| hops.is_empty()).map_or(Ok(hops), Err)
    }

    /// SRV targets in order: over NAPTR where no transport is named, else directly.
    async fn services(
        &self,
        host: &str,
        named: Option<Transport>,
        random: Random<'_>,
    ) -> Result<Vec<Target>, DnsError> {
        if named.is_none() {
            for (name, transport) in self.naptr(host).await? {
                let targets = self.srv(&name, transport, random).await?;
                if !targets.is_empty() {
                    return Ok(targets);
                }
            }
        }
        let wanted = match named {
            Some(transport) => vec![transport],
            None => vec![Transport::Udp, Transport::Tcp],
        };
        for transport in wanted {
            let targets = self.srv(&service(host, transport), transport, random).await?;
            if !targets.is_empty() {
                return Ok(targets);
            }
        }
        Ok(Vec::new())
    }

    /// Names of SRV records by transport, by order and preference (RFC 3263 4.1).
    async fn naptr(&self, host: &str) -> Result<Vec<(String, Transport)>, DnsError> {
        let mut found = Vec::new();
        for data in self.records(&absolute(host), RecordType::NAPTR).await? {
            let RData::NAPTR(naptr) = data else { continue };
            if let Some(transport) = order::naptr_transport(&naptr.flags, &naptr.services) {
                found.push(((naptr.order, naptr.preference), naptr.replacement.to_ascii(), transport));
            }
        }
        found.sort_by_key(|(rank, _, _)| *rank);
        Ok(found.into_iter().map(|(_, name, transport)| (name, transport)).collect())
    }

    async fn srv(&self, name: &str, transport: Transport, random: Random<'_>) -> Result<Vec<Target>, DnsError> {
        let mut records: Vec<SRV> = Vec::new();
        for data in self.records(&absolute(name), RecordType::SRV).await? {
            if let RData::SRV(srv) = data {
                records.push(srv);
            }
        }
        // The target "." says that the service is not there (RFC 2782): as good as no record.
        records.retain(|srv| !srv.target.is_root());
        let ordered = order::by_weight(records, |srv| (srv.priority, srv.weight), random);
        Ok(ordered.into_iter().map(|srv| Target { host: srv.target.to_ascii(), port: srv.port, transport }).collect())
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, DnsError> {
        match self.dns.lookup(name, kind).await {
            Ok(lookup) => Ok(lookup.answers().iter().map(|r| r.data.clone()).take(MAX_RECORDS).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(DnsError::Failed { host: name.to_owned(), why: error.to_string() }),
        }
    }

    /// Addresses of a host, IPv4 first.
    async fn addresses(&self, host: &str) -> Result<Vec<std::net::IpAddr>, DnsError> {
        // Not made absolute: names of the hosts file and of the search list count too.
        match self.dns.lookup_ip(host).await {
            Ok(found) => {
                let mut ips: Vec<_> = found.iter().take(MAX_RECORDS).collect();
                ips.sort_by_key(|ip| ip.is_ipv6());
                Ok(ips)
            }
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(DnsError::Failed { host: host.to_owned(), why: error.to_string() }),
        }
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

fn hop(uri: &Uri, network: NetworkId, transport: Transport, remote: SocketAddr) -> Hop {
    // A certificate must bear the name that was asked for, not the one that DNS told (RFC 5922 7.1).
    let server_name = transport.is_secure().then(|| uri.host().into());
    Hop { server_name, ..Hop::to(network, transport, remote) }
}

/// RFC 3263 4.2.
fn service(host: &str, transport: Transport) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp | Transport::Ws => "_sip._tcp",
        Transport::Tls | Transport::Wss => "_sips._tcp",
    };
    format!("{prefix}.{host}")
}

fn absolute(name: &str) -> String {
    if name.ends_with('.') { name.to_owned() } else { format!("{name}.") }
}
