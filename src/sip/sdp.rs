//! Session descriptions as data (RFC 8866): every media line is kept, unknown lines are tolerated, sizes are bounded.
//!
//! Knows the grammar, not what an offer means: that is `sip/negotiate.rs`.

mod crypto;

pub use crypto::Crypto;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Longest description; real ones have 300 to 2,000 bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Most media lines. Each refused one costs a line in the answer.
const MAX_MEDIA: usize = 16;

/// Most attributes of all media together.
const MAX_ATTRIBUTES: usize = 256;

/// Why bytes are no session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It does not begin with `v=0`.
    #[error("no session description")]
    NotSdp,
    /// A line that matters is malformed; its letter.
    #[error("malformed {0}= line")]
    Malformed(char),
    /// Longer than 16 KiB, more than 16 media lines or 256 attributes.
    #[error("session description too large")]
    TooLarge,
}

/// A session description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sdp {
    /// `o=`; empty when absent.
    pub origin: Origin,
    /// `s=`; `-` when it says nothing.
    pub name: String,
    /// `c=` that holds for media without their own.
    pub connection: Option<Connection>,
    /// `a=` before the first media line.
    pub attributes: Vec<Attribute>,
    /// `m=` and what belongs to each, in order.
    pub media: Vec<Media>,
}

/// `o=`: who made the description, and which version of it this is (RFC 8866 5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// User name, `-` for none.
    pub user: String,
    /// Digits of any length.
    pub session: String,
    /// Digits of any length; grows by one with each change (RFC 3264 8).
    pub version: String,
    /// Where it was made.
    pub connection: Option<Connection>,
}

/// A network address as in `c=` and `o=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// An address.
    Ip(IpAddr),
    /// A host name, which we do not look up.
    Name(String),
}

/// `a=name` or `a=name:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Name; has case.
    pub name: String,
    /// What follows the colon.
    pub value: Option<String>,
}

/// One media line and the lines that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image`, ...
    pub kind: String,
    /// Port; 0 means refused.
    pub port: u16,
    /// `RTP/AVP`, `RTP/SAVP`, ...
    pub protocol: String,
    /// Payload types of RTP, other words elsewhere; in order of preference.
    pub formats: Vec<String>,
    /// Its own `c=`.
    pub connection: Option<Connection>,
    /// `a=` lines in order.
    pub attributes: Vec<Attribute>,
}

/// Which way the writer of a description wants media to flow (RFC 8866 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The writer sends.
    pub sends: bool,
    /// The writer receives.
    pub receives: bool,
}

/// `a=rtpmap` (RFC 8866 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// Name of the codec; has no case.
    pub encoding: &'a str,
    /// RTP clock in Hz.
    pub clock: u32,
    /// Channels; 1 when not written.
    pub channels: u8,
}

impl Sdp {
    /// Reads a description. Bytes that are no UTF-8 become U+FFFD; lines may end in LF or CR
    /// alone.
    ///
    /// # Errors
    /// [`SdpError`] when it is none, too large, or a `c=` or `m=` line is malformed.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        if body.len() > MAX_BYTES {
            return Err(SdpError::TooLarge);
        }
        let text = String::from_utf8_lossy(body);
        let mut lines = text.split(['\r', '\n']).map(str::trim_end).filter(|line| !line.is_empty());
        if lines.next() != Some("v=0") {
            return Err(SdpError::NotSdp);
        }
        let mut sdp = Self::default();
        let mut attributes = 0;
        for (letter, value) in lines.filter_map(|line| line.split_once('=')) {
            match letter {
                "o" => sdp.origin = Origin::parse(value).ok_or(SdpError::Malformed('o'))?,
                "s" if sdp.media.is_empty() => sdp.name = value.to_owned(),
                "c" => sdp.add_connection(Connection::parse(value).ok_or(SdpError::Malformed('c'))?),
                "m" if sdp.media.len() == MAX_MEDIA => return Err(SdpError::TooLarge),
                "m" => sdp.media.push(Media::parse(value).ok_or(SdpError::Malformed('m'))?),
                "a" if attributes == MAX_ATTRIBUTES => return Err(SdpError::TooLarge),
                "a" => {
                    attributes += 1;
                    let list = sdp.media.last_mut().map_or(&mut sdp.attributes, |media| &mut media.attributes);
                    list.push(Attribute::parse(value));
                }
                _ => {}
            }
        }
        Ok(sdp)
    }

    /// The first `c=` of its place holds; a second one (layered multicast) is nothing for a telephone.
    fn add_connection(&mut self, connection: Connection) {
        let place = self.media.last_mut().map_or(&mut self.connection, |media| &mut media.connection);
        place.get_or_insert(connection);
    }

    /// Where a media line wants RTP: its own `c=`, else that of the session. `None` for a host name.
    pub fn remote(&self, media: &Media) -> Option<SocketAddr> {
        match media.connection.as_ref().or(self.connection.as_ref())? {
            Connection::Ip(ip) => Some(SocketAddr::new(*ip, media.port)),
            Connection::Name(_) => None,
        }
    }

    /// Flow of a media line: its own attribute, else that of the session, else both ways (RFC 8866 6.7).
    pub fn flow(&self, media: &Media) -> Flow {
        let flow = |attributes: &[Attribute]| attributes.iter().find_map(|attribute| Flow::parse(&attribute.name));
        flow(&media.attributes).or_else(|| flow(&self.attributes)).unwrap_or(Flow { sends: true, receives: true })
    }
}

impl Origin {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.splitn(4, ' ');
        let (user, session, version) = (words.next()?, words.next()?, words.next()?);
        let connection = words.next().and_then(Connection::parse);
        Some(Self { user: user.to_owned(), session: session.to_owned(), version: version.to_owned(), connection })
    }
}

impl Connection {
    /// Reads `IN IP4 192.0.2.1` and `IN IP6 2001:db8::1`; a multicast suffix is dropped.
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let ("IN", "IP4" | "IP6", Some(address)) = (words.next()?, words.next()?, words.next()) else { return None };
        let address = address.split('/').next().filter(|address| !address.is_empty())?;
        Some(address.parse().map_or_else(|_| Self::Name(address.to_owned()), Self::Ip))
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip @ IpAddr::V4(_)) => write!(f, "IN IP4 {ip}"),
            Self::Ip(ip @ IpAddr::V6(_)) => write!(f, "IN IP6 {ip}"),
            Self::Name(name) => write!(f, "IN IP4 {name}"),
        }
    }
}

impl Flow {
    fn parse(name: &str) -> Option<Self> {
        let (sends, receives) = match name {
            "sendrecv" => (true, true),
            "sendonly" => (true, false),
            "recvonly" => (false, true),
            "inactive" => (false, false),
            _ => return None,
        };
        Some(Self { sends, receives })
    }

    /// Name of the attribute.
    pub fn as_str(self) -> &'static str {
        match (self.sends, self.receives) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        }
    }
}

impl Attribute {
    /// A flag or a named value.
    pub fn new(name: &str, value: Option<String>) -> Self {
        Self { name: name.to_owned(), value }
    }

    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((name, value)) => Self::new(name, Some(value.to_owned())),
            None => Self::new(text, None),
        }
    }
}

impl Media {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let kind = words.next()?.to_owned();
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?.to_owned();
        let formats = words.map(str::to_owned).collect();
        Some(Self { kind, port, protocol, formats, connection: None, attributes: Vec::new() })
    }

    /// Values of all attributes with this name, in order; empty for a flag.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.attributes.iter().filter(move |attribute| attribute.name == name);
        named.map(|attribute| attribute.value.as_deref().unwrap_or_default())
    }

    /// Whether there is an attribute with this name.
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// `a=rtpmap` of a payload type.
    pub fn rtpmap(&self, format: &str) -> Option<RtpMap<'_>> {
        let of_format = |value: &'_ str| -> Option<usize> {
            let (number, rest) = value.split_once(' ')?;
            (number.trim() == format).then_some(value.len() - rest.len())
        };
        let value = self.values("rtpmap").find_map(|value| of_format(value).map(|at| value[at..].trim()))?;
        let mut parts = value.split('/');
        let (encoding, clock) = (parts.next()?, parts.next()?.parse().ok()?);
        let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
        Some(RtpMap { encoding, clock, channels })
    }

    /// Milliseconds of audio that the writer wants in a packet.
    pub fn ptime_ms(&self) -> Option<u8> {
        self.values("ptime").next()?.trim().parse().ok()
    }

    /// Where the writer wants RTCP: `a=rtcp` (RFC 3605), the RTP port under rtcp-mux, else the next port.
    pub fn rtcp(&self, rtp: SocketAddr) -> SocketAddr {
        if self.has("rtcp-mux") {
            return rtp;
        }
        let written = self.values("rtcp").next().and_then(|value| {
            let (port, address) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            let ip = match Connection::parse(address) {
                Some(Connection::Ip(ip)) => ip,
                Some(Connection::Name(_)) | None => rtp.ip(),
            };
            Some(SocketAddr::new(ip, port.parse().ok()?))
        });
        written.unwrap_or(SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)))
    }

    /// All readable keys (RFC 4568), in order of preference.
    pub fn cryptos(&self) -> impl Iterator<Item = Crypto> {
        self.values("crypto").filter_map(Crypto::parse)
    }
}

impl fmt::Display for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |text: &'_ str| if text.is_empty() { "-".to_owned() } else { one_line(text) };
        let Origin { user, session, version, connection } = &self.origin;
        write!(f, "v=0\r\no={} {} {} ", or_dash(user), or_zero(session), or_zero(version))?;
        match connection.as_ref().or(self.connection.as_ref()) {
            Some(connection) => write!(f, "{}", one_line(&connection.to_string()))?,
            None => f.write_str("IN IP4 0.0.0.0")?,
        }
        write!(f, "\r\ns={}\r\n", or_dash(&self.name))?;
        write_connection(f, self.connection.as_ref())?;
        f.write_str("t=0 0\r\n")?;
        write_attributes(f, &self.attributes)?;
        for media in &self.media {
            let Media { kind, port, protocol, formats, .. } = media;
            let line = format!("{kind} {port} {protocol} {}", formats.join(" "));
            write!(f, "m={}\r\n", one_line(line.trim_end()))?;
            write_connection(f, media.connection.as_ref())?;
            write_attributes(f, &media.attributes)?;
        }
        Ok(())
    }
}

fn or_zero(digits: &str) -> &str {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { "0" } else { digits }
}

/// Text that cannot start a new line.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn write_connection(f: &mut fmt::Formatter<'_>, connection: Option<&Connection>) -> fmt::Result {
    match connection {
        Some(connection) => write!(f, "c={}\r\n", one_line(&connection.to_string())),
        None => Ok(()),
    }
}

fn write_attributes(f: &mut fmt::Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    for Attribute { name, value } in attributes {
        match value {
            Some(value) => write!(f, "a={}:{}\r\n", one_line(name), one_line(value))?,
            None => write!(f, "a={}\r\n", one_line(name))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
