//! Via: the way back (RFC 3261 20.42, 18.2; RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::params::Raw;
use super::uri::{host_end, parse_ip};
use super::{HeaderError, HeaderValue, Params, scan};

const MALFORMED: HeaderError = HeaderError::new("Malformed Via");

/// Transport named in a Via.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Plain stream.
    Tcp,
    /// Stream under TLS.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket under TLS.
    Wss,
    /// Something else, for example SCTP.
    Other(Box<str>),
}

impl Transport {
    /// The name on the wire, in capitals.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Other(name) => name,
        }
    }

    /// Reads a name, whatever its case; for Via and for the `transport` parameter of a URI.
    pub fn parse(name: &str) -> Self {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(name))
            .unwrap_or_else(|| Self::Other(name.into()))
    }

    /// Whether messages arrive in a stream: no retransmission (RFC 3261 17).
    pub fn is_reliable(&self) -> bool {
        *self != Self::Udp
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// How the request was sent.
    pub transport: Transport,
    /// Host of sent-by: a name or an address, IPv6 in brackets.
    pub host: String,
    /// Port of sent-by, where it is written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

impl Via {
    /// A Via of ours, asking for `rport` (RFC 3581). `host` is a name or an address, IPv6 with or without brackets.
    pub fn new(transport: Transport, host: &str, port: Option<u16>, branch: &str) -> Self {
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let mut params = Params::default();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Self { transport, host, port, params }
    }

    /// Reads one value; a list is split before.
    ///
    /// # Errors
    /// [`HeaderError`] when protocol, host, port or a parameter is malformed.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let parts = Parts::scan(value)?;
        let (host, port) = parts.host_port()?;
        Ok(Self {
            transport: Transport::parse(str(parts.transport)?),
            host: str(host)?.to_owned(),
            port,
            params: Params::parse(parts.params)?,
        })
    }

    /// The branch, with or without the cookie `z9hG4bK`.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Address from which the next hop saw the request come.
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received").and_then(parse_ip)
    }

    /// `None`: not asked for; `Some(None)`: asked for; `Some(Some(port))`: the port that the next hop saw.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.parse().ok())
    }

    /// Notes where the request came from: `rport` where it was asked for, `received` then and where sent-by is not
    /// that address (RFC 3261 18.2.1, RFC 3581 4).
    pub fn set_received(&mut self, source: SocketAddr) {
        let asked = self.params.has("rport");
        if asked {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        if asked || parse_ip(&self.host) != Some(source.ip()) {
            self.params.set("received", Some(&source.ip().to_string()));
        }
    }

    /// Host and port as they stand in the Via.
    pub fn sent_by(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

impl HeaderValue for Via {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

fn str(bytes: &[u8]) -> Result<&str, HeaderError> {
    str::from_utf8(bytes).map_err(|_| MALFORMED)
}

/// The parts of a Via as slices.
pub(crate) struct Parts<'a> {
    pub(crate) transport: &'a [u8],
    /// Host and port as written, trimmed.
    pub(crate) sent_by: &'a [u8],
    pub(crate) params: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) fn scan(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (name, rest) = scan::split_once(value, b'/').ok_or(MALFORMED)?;
        let (version, rest) = scan::split_once(rest, b'/').ok_or(MALFORMED)?;
        if !scan::trim(name).eq_ignore_ascii_case(b"SIP") || scan::trim(version) != b"2.0" {
            return Err(MALFORMED);
        }
        let (transport, rest) = scan::first_word(rest);
        if transport.is_empty() || !transport.iter().all(|&b| scan::is_token(b)) {
            return Err(MALFORMED);
        }
        let end = scan::find(rest, b';').unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(end);
        Ok(Self { transport, sent_by: scan::trim(sent_by), params })
    }

    pub(crate) fn host_port(&self) -> Result<(&'a [u8], Option<u16>), HeaderError> {
        let end = host_end(self.sent_by).ok_or(MALFORMED)?;
        let (host, rest) = self.sent_by.split_at(end);
        let rest = scan::trim(rest);
        if rest.is_empty() {
            return Ok((host, None));
        }
        let port = rest.strip_prefix(b":").and_then(|port| scan::number(scan::trim(port)));
        match port.and_then(|port| u16::try_from(port).ok()) {
            Some(port) => Ok((host, Some(port))),
            None => Err(MALFORMED),
        }
    }

    /// Checks everything that [`Via::parse`] checks and gives the branch, without allocation.
    pub(crate) fn check(&self) -> Result<&'a [u8], HeaderError> {
        self.host_port()?;
        let mut branch: &[u8] = &[];
        for param in Raw::new(self.params) {
            let (name, value) = param?;
            if name.eq_ignore_ascii_case(b"branch") && branch.is_empty() {
                branch = value.unwrap_or_default();
                str(branch)?;
            }
        }
        Ok(branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_folds_inside_are_read() {
        let via = Via::parse(b"SIP  / 2.0\r\n /UDP\r\n    192.0.2.2 : 5070 ;branch=390skdjuw").unwrap();
        assert_eq!(via.transport, Transport::Udp);
        assert_eq!((via.host.as_str(), via.port), ("192.0.2.2", Some(5070)));
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.0.2.2:5070;branch=390skdjuw");
    }

    #[test]
    fn the_source_is_noted_as_rfc_3581_asks() {
        let mut via = Via::parse(b"SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff").unwrap();
        via.set_received("192.0.2.1:9988".parse().unwrap());
        assert_eq!(via.rport(), Some(Some(9988)));
        assert_eq!(via.received(), "192.0.2.1".parse().ok());
        let mut same = Via::parse(b"SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKa").unwrap();
        same.set_received("10.1.1.1:5060".parse().unwrap());
        assert_eq!(same.to_string(), "SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKa");
    }

    #[test]
    fn ipv6_is_written_in_brackets() {
        let via = Via::new(Transport::Tls, "2001:db8::1", Some(5061), "z9hG4bKx");
        assert_eq!(via.to_string(), "SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKx;rport");
        assert_eq!(Via::parse(via.to_string().as_bytes()).unwrap(), via);
        assert_eq!(via.sent_by(), "[2001:db8::1]:5061");
    }

    #[test]
    fn malformed_values_are_refused() {
        for bad in [
            &b"SIP/2.0/UDP 192.0.2.15;;,;,,"[..],
            b"SIP/7.0/UDP a",
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDP a:99999",
            b"SIP/2.0/UDP a b",
            b"SIP/2.0/UDP [::1",
            b"",
        ] {
            assert!(Via::parse(bad).is_err(), "{bad:?}");
        }
    }
}
