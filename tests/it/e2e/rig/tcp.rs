//! TCP peers that behave badly, and one whose connections break.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use super::site::{Site, TELECOM};
use super::{s, until};

/// Where a carrier listens, as its Via says.
const LISTENS: u16 = 5_070;

/// A carrier that writes its messages by hand. It connects from a port of the system's choice and listens at another one.
#[derive(Debug)]
pub(crate) struct Carrier {
    exchange: SocketAddr,
    host: IpAddr,
    listener: Option<TcpListener>,
    stream: TcpStream,
    /// What has come and nobody has looked at.
    heard: String,
    dialled: String,
    their_tag: String,
}

impl Carrier {
    /// Connected to the exchange; whether it listens too.
    pub(crate) fn new(site: &Site, listens: bool) -> Self {
        let host = site.street.at(TELECOM);
        let listener = listens.then(|| TcpListener::bind((host, LISTENS)).expect("the port is free"));
        Self {
            exchange: site.sip(),
            host,
            listener,
            stream: connect(site.sip(), host),
            heard: String::new(),
            dialled: String::new(),
            their_tag: String::new(),
        }
    }

    /// Calls a number.
    pub(crate) fn invite(&mut self, number: &str) {
        number.clone_into(&mut self.dialled);
        let ip = self.host;
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\na=sendrecv\r\n"
        );
        self.say("INVITE", 1, &sdp);
    }

    /// ACK of the answer.
    pub(crate) fn acknowledge(&mut self) {
        self.say("ACK", 1, "");
    }

    /// Hangs up.
    pub(crate) fn bye(&mut self) {
        self.say("BYE", 2, "");
    }

    /// Its connection breaks.
    pub(crate) fn cut(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).expect("it was open");
    }

    /// The exchange connects to where it listens.
    pub(crate) fn accept(&mut self) {
        let listener = self.listener.as_ref().expect("it listens");
        listener.set_nonblocking(true).unwrap();
        self.stream = until("the exchange to connect", s(5), || Some(listener.accept().ok()?.0));
        self.stream.set_nonblocking(false).unwrap();
        self.heard.clear();
    }

    /// Waits for a message that begins so.
    pub(crate) fn hear(&mut self, begin: &str) {
        self.stream.set_read_timeout(Some(s(10))).unwrap();
        let mut buffer = [0; 4_096];
        let from = loop {
            if let Some(from) = self.heard.find(begin) {
                break from;
            }
            match self.stream.read(&mut buffer) {
                Ok(n @ 1..) => self.heard.push_str(&String::from_utf8_lossy(&buffer[..n])),
                end => panic!("waited for {begin:?}, {end:?}; it has heard {}", self.heard),
            }
        };
        let message = self.heard.split_off(from + begin.len());
        if let Some(tag) = message.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag=")) {
            tag.1.trim().clone_into(&mut self.their_tag);
        }
        self.heard = message;
    }

    fn say(&mut self, method: &str, cseq: u32, body: &str) {
        let Self { exchange, host, dialled, their_tag, .. } = &self;
        let tag = if their_tag.is_empty() { String::new() } else { format!(";tag={their_tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:{dialled}@{exchange} SIP/2.0\r\nVia: SIP/2.0/TCP {host}:{LISTENS};branch=z9hG4bK-{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:13900000000@{host}>;tag=carrier\r\nTo: <sip:{dialled}@{exchange}>{tag}\r\n\
             Call-ID: cut-off@{host}\r\nCSeq: {cseq} {method}\r\nContact: <sip:carrier@{host}:{LISTENS};transport=tcp>\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(text.as_bytes()).expect("it is connected");
    }
}

fn connect(to: SocketAddr, from: IpAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).expect("the exchange listens");
    socket.into()
}

/// A connection from the trunk's address whose answers nobody reads.
pub(crate) fn deaf_peer(site: &Site) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(&SocketAddr::new(site.street.at(TELECOM), 0).into()).unwrap();
    socket.connect(&site.sip().into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

/// Fifty requests that ask for an answer each.
pub(crate) fn options(site: &Site) -> String {
    let (to, from) = (site.sip(), site.street.at(TELECOM));
    let one = |n: u32| {
        format!(
            "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/TCP {from}:5070;branch=z9hG4bK{n};rport\r\nFrom: <sip:c@{from}>;tag={n}\r\n\
             To: <sip:{to}>\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    (0..50).map(one).collect()
}
