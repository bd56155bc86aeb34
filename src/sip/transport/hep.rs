//! Copies of every SIP message to a collector of captures: HEP version 3 over UDP.
//!
//! The copies hold numbers of citizens in clear, so there are none unless the configuration names a collector. A collector
//! that is slow or gone costs nothing but its copies: the socket never waits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::sip::flow::Transport;
use crate::types::Wall;

/// Largest copy; what is longer is not copied (a datagram takes no more).
const MOST_BYTES: usize = 65_000;

/// A chunk's type (vendor 0, the standard ones).
#[derive(Clone, Copy)]
#[repr(u16)]
enum Chunk {
    Family = 1,
    Protocol = 2,
    FromV4 = 3,
    ToV4 = 4,
    FromV6 = 5,
    ToV6 = 6,
    FromPort = 7,
    ToPort = 8,
    Seconds = 9,
    Micros = 10,
    Kind = 11,
    Agent = 12,
    Payload = 15,
}

/// Protocol type of SIP.
const SIP: u8 = 1;
/// IP protocol numbers (IANA).
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Address families as captures name them.
const V4: u8 = 2;
const V6: u8 = 10;

/// One message on its way.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When, to the millisecond.
    pub at: Wall,
    /// What carried it; over TLS the copy is the clear text.
    pub transport: Transport,
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom to.
    pub to: SocketAddr,
    /// All of it.
    pub message: &'a [u8],
}

/// The way to a collector.
#[derive(Debug)]
pub struct Hep {
    socket: UdpSocket,
    agent: u32,
    /// The copy being written; kept, so that a message costs no allocation.
    packet: Vec<u8>,
    lost: u64,
}

impl Hep {
    /// Prepares copies to a collector; `agent` is the number by which it tells its sources apart.
    ///
    /// # Errors
    /// When no socket can be had or the address cannot be reached from here.
    pub fn new(collector: SocketAddr, agent: u32) -> io::Result<Self> {
        let any: IpAddr = if collector.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(collector)?;
        Ok(Self { socket, agent, packet: Vec::new(), lost: 0 })
    }

    /// Sends a copy. One that does not go at once is lost and counted.
    pub fn copy(&mut self, seen: &Seen<'_>) {
        if seen.message.len() > MOST_BYTES {
            self.lost += 1;
            return;
        }
        write(&mut self.packet, self.agent, seen);
        if self.socket.send(&self.packet).is_err() {
            self.lost += 1;
        }
    }

    /// Copies that were lost so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

fn write(packet: &mut Vec<u8>, agent: u32, seen: &Seen<'_>) {
    packet.clear();
    packet.extend_from_slice(b"HEP3\0\0");
    let protocol = match seen.transport {
        Transport::Udp => UDP,
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => TCP,
    };
    let (from, to) = (seen.from.ip().to_canonical(), seen.to.ip().to_canonical());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            chunk(packet, Chunk::Family, &[V4]);
            chunk(packet, Chunk::FromV4, &from.octets());
            chunk(packet, Chunk::ToV4, &to.octets());
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => {
            chunk(packet, Chunk::Family, &[V6]);
            chunk(packet, Chunk::FromV6, &mapped(from).octets());
            chunk(packet, Chunk::ToV6, &mapped(to).octets());
        }
    }
    chunk(packet, Chunk::Protocol, &[protocol]);
    chunk(packet, Chunk::FromPort, &seen.from.port().to_be_bytes());
    chunk(packet, Chunk::ToPort, &seen.to.port().to_be_bytes());
    let (seconds, rest_ms) = (seen.at.0.div_euclid(1_000), seen.at.0.rem_euclid(1_000));
    chunk(packet, Chunk::Seconds, &u32::try_from(seconds).unwrap_or(0).to_be_bytes());
    chunk(packet, Chunk::Micros, &(u32::try_from(rest_ms).unwrap_or(0) * 1_000).to_be_bytes());
    chunk(packet, Chunk::Kind, &[SIP]);
    chunk(packet, Chunk::Agent, &agent.to_be_bytes());
    chunk(packet, Chunk::Payload, seen.message);
    let length = u16::try_from(packet.len()).expect("a message within bounds and some chunks fit a datagram");
    packet[4..6].copy_from_slice(&length.to_be_bytes());
}

fn chunk(packet: &mut Vec<u8>, kind: Chunk, bytes: &[u8]) {
    let length = u16::try_from(bytes.len() + 6).expect("a chunk is shorter than a datagram");
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(&(kind as u16).to_be_bytes());
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(bytes);
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// The chunks of a packet by type, read by the lengths that stand in it.
    fn read(packet: &[u8]) -> BTreeMap<u16, Vec<u8>> {
        assert_eq!(&packet[..4], b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len());
        let (mut rest, mut chunks) = (&packet[6..], BTreeMap::new());
        while !rest.is_empty() {
            assert_eq!(&rest[..2], [0, 0], "no vendor");
            let kind = u16::from_be_bytes([rest[2], rest[3]]);
            let length = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
            assert_eq!(chunks.insert(kind, rest[6..length].to_vec()), None, "each once");
            rest = &rest[length..];
        }
        chunks
    }

    fn seen<'a>(transport: Transport, from: &str, to: &str) -> Seen<'a> {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Seen { at: Wall(1_700_000_000_123), transport, from, to, message: b"OPTIONS sip:x SIP/2.0\r\n\r\n" }
    }

    #[test]
    fn a_copy_says_who_whom_when_how_and_what() {
        let mut packet = Vec::new();
        write(&mut packet, 7, &seen(Transport::Udp, "192.0.2.1:5060", "198.51.100.2:5070"));
        let chunks = read(&packet);
        let expected: [(u16, &[u8]); 11] = [
            (1, &[2]),
            (2, &[17]),
            (3, &[192, 0, 2, 1]),
            (4, &[198, 51, 100, 2]),
            (7, &5_060_u16.to_be_bytes()),
            (8, &5_070_u16.to_be_bytes()),
            (9, &1_700_000_000_u32.to_be_bytes()),
            (10, &123_000_u32.to_be_bytes()),
            (11, &[1]),
            (12, &7_u32.to_be_bytes()),
            (15, b"OPTIONS sip:x SIP/2.0\r\n\r\n"),
        ];
        assert_eq!(chunks, expected.into_iter().map(|(kind, bytes)| (kind, bytes.to_vec())).collect());
    }

    #[test]
    fn addresses_of_version_six_have_their_own_chunks() {
        let mut packet = Vec::new();
        write(&mut packet, 7, &seen(Transport::Tls, "[2001:db8::1]:5061", "192.0.2.1:40000"));
        let chunks = read(&packet);
        assert_eq!((&chunks[&1], &chunks[&2]), (&vec![10], &vec![6]));
        assert_eq!(chunks[&5], "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(chunks[&6], "::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets());
        assert!(!chunks.contains_key(&3) && !chunks.contains_key(&4));
    }

    #[test]
    fn copies_reach_the_collector_and_what_is_too_long_is_counted() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        collector.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut hep = Hep::new(collector.local_addr().unwrap(), 1).unwrap();
        let long = vec![b'x'; MOST_BYTES + 1];
        hep.copy(&Seen { message: &long, ..seen(Transport::Tcp, "127.0.0.1:1", "127.0.0.1:2") });
        assert_eq!(hep.lost(), 1);
        hep.copy(&seen(Transport::Udp, "127.0.0.1:1", "127.0.0.1:2"));
        let mut bytes = [0; 1_024];
        let length = collector.recv(&mut bytes).unwrap();
        assert_eq!(read(&bytes[..length])[&15], b"OPTIONS sip:x SIP/2.0\r\n\r\n");
    }
}
