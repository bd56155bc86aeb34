//! Streams over real loopback sockets. Each wait has a limit; none has a length.

#![expect(clippy::disallowed_methods, reason = "a test owns the tasks that it spawns, and awaits them")]

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::sip::flow::Hop;
use crate::sip::transport::certificate::{Files, self_signed};

const NETWORK: NetworkId = NetworkId(2);
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_cut_and_answered_on_their_connection() {
    let mut w = World::new(Settings::default());
    let address = w.tcp();
    let mut peer = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    assert_eq!((flow.network, flow.transport, flow.remote), (NETWORK, Transport::Tcp, peer.local_addr().unwrap()));
    let both = [request("one", 10), request("two", 0)].concat();
    for piece in both.chunks(37) {
        peer.write_all(piece).await.unwrap();
    }
    assert_eq!(w.message().await, request("one", 10));
    assert_eq!(w.message().await, request("two", 0));
    w.send(flow.back(), b"SIP/2.0 200 OK\r\n\r\n");
    assert_eq!(read(&mut peer, 18).await, b"SIP/2.0 200 OK\r\n\r\n");
    drop(peer);
    assert_eq!(w.next().await, Event::Closed { connection: flow.connection.unwrap() });
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_all_messages_to_a_peer_until_it_ends() {
    let mut w = World::new(Settings::default());
    w.tcp();
    let carrier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hop = Hop::to(NETWORK, Transport::Tcp, carrier.local_addr().unwrap());
    w.send(hop.clone(), b"first ");
    w.send(hop.clone(), b"second");
    let (mut peer, _) = carrier.accept().await.unwrap();
    assert_eq!(read(&mut peer, 12).await, b"first second");
    let flow = w.opened().await;
    assert_eq!(flow.remote, hop.remote);
    peer.write_all(&request("back", 0)).await.unwrap();
    assert_eq!(w.message().await, request("back", 0));
    drop(peer);
    assert!(matches!(w.next().await, Event::Closed { .. }));
    // The connection that is named is gone: another one to the same address takes its place.
    w.send(flow.back(), b"again");
    let (mut peer, _) = carrier.accept().await.unwrap();
    assert_eq!(read(&mut peer, 5).await, b"again");
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_reported() {
    let mut w = World::new(Settings::default());
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    w.send(Hop::to(NETWORK, Transport::Tcp, gone), b"x");
    assert_eq!(w.next().await, Event::Unsent { by: By::Nobody });
    w.send(Hop::to(NETWORK, Transport::Tls, gone), b"x");
    assert_eq!(w.next().await, Event::Unsent { by: By::Nobody }, "nobody could be checked there");
    w.send(Hop::to(NETWORK, Transport::Ws, gone), b"x");
    assert_eq!(w.next().await, Event::Unsent { by: By::Nobody });
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_is_closed_and_nobody_else_notices() {
    let settings = Settings { queue_messages: 64, queue_bytes: 256 * 1_024, ..Settings::default() };
    let mut w = World::new(settings);
    let address = w.tcp();
    let stuck = TcpStream::connect(address).await.unwrap();
    let stuck_flow = w.opened().await;
    let mut healthy = TcpStream::connect(address).await.unwrap();
    let healthy_flow = w.opened().await;
    let big = vec![b'x'; 32 * 1_024];
    let mut closed = false;
    let mut unsent = 0;
    let mut rounds = 0;
    // The kernel takes some megabytes before the peer's refusal to read is felt.
    while !closed {
        w.send(stuck_flow.back(), &big);
        w.send(healthy_flow.back(), b"alive");
        assert_eq!(read(&mut healthy, 5).await, b"alive");
        rounds += 1;
        assert!(rounds < 10_000, "the stuck peer is never closed");
        while let Some(event) = w.inbox.try_recv() {
            match event {
                Event::Closed { connection } => closed |= Some(connection) == stuck_flow.connection,
                Event::Unsent { .. } => unsent += 1,
                Event::Opened { .. } | Event::Message { .. } => panic!("{event:?}"),
            }
        }
    }
    assert!(unsent > 0);
    assert_eq!(w.streams.counters().slow.load(Ordering::Relaxed), 1);
    w.send(healthy_flow.back(), b"still");
    assert_eq!(read(&mut healthy, 5).await, b"still");
    drop(stuck);
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_asks_faster_than_it_reads_waits_and_gets_every_answer() {
    const REQUESTS: usize = 20_000;
    let answer = [b'x'; 1_024];
    let mut w = World::new(Settings::default());
    let address = w.tcp();
    let (mut answers, mut requests) = TcpStream::connect(address).await.unwrap().into_split();
    w.opened().await;
    let one = request("fast", 0);
    let writer = tokio::spawn(async move {
        for _ in 0..REQUESTS {
            requests.write_all(&one).await.unwrap();
        }
        requests
    });
    // Twenty megabytes are more than the kernel takes: the flow of requests comes to a stop.
    let mut asked = 0;
    while let Ok(event) = timeout(Duration::from_millis(300), w.next()).await {
        let Event::Message { flow, .. } = event else { panic!("{event:?}") };
        asked += 1;
        w.send(flow.back(), &answer);
    }
    assert!(asked < REQUESTS, "nothing slowed it down");
    let reader = tokio::spawn(async move {
        let mut all = vec![0; REQUESTS * 1_024];
        answers.read_exact(&mut all).await.unwrap();
    });
    while asked < REQUESTS {
        let event = w.next().await;
        let Event::Message { flow, .. } = event else { panic!("{event:?}") };
        asked += 1;
        w.send(flow.back(), &answer);
    }
    timeout(LIMIT, reader).await.unwrap().unwrap();
    timeout(LIMIT, writer).await.unwrap().unwrap();
    assert_eq!(w.streams.counters().slow.load(Ordering::Relaxed), 0);
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_takes_too_long_closes_the_peer() {
    let settings = Settings { write_wait: Duration::from_millis(100), queue_bytes: 1 << 30, ..Settings::default() };
    let mut w = World::new(settings);
    let address = w.tcp();
    let stuck = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    w.send(flow.back(), &vec![b'x'; 32 << 20]);
    assert_eq!(w.next().await, Event::Unsent { by: By::Nobody });
    assert_eq!(w.next().await, Event::Closed { connection: flow.connection.unwrap() });
    drop(stuck);
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_its_share_of_connections() {
    let mut w = World::new(Settings { max_per_address: 2, ..Settings::default() });
    let address = w.tcp();
    let first = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    let _second = TcpStream::connect(address).await.unwrap();
    w.opened().await;
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_closed(&mut third).await;
    assert_eq!(w.streams.counters().refused.load(Ordering::Relaxed), 1);
    drop(first);
    assert_eq!(w.next().await, Event::Closed { connection: flow.connection.unwrap() });
    // The hub hears of the end a moment after us: whoever is still refused tries again.
    loop {
        let mut fourth = TcpStream::connect(address).await.unwrap();
        tokio::select! {
            event = w.next() => {
                assert!(matches!(event, Event::Opened { .. }));
                break;
            }
            () = assert_closed(&mut fourth) => {}
        }
    }
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_capped_in_all() {
    let mut w = World::new(Settings { max_connections: 1, ..Settings::default() });
    let address = w.tcp();
    let _first = TcpStream::connect(address).await.unwrap();
    w.opened().await;
    assert_closed(&mut TcpStream::connect(address).await.unwrap()).await;
    w.send(Hop::to(NETWORK, Transport::Tcp, address), b"x");
    assert_eq!(w.next().await, Event::Unsent { by: By::Nobody });
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_alive_is_answered() {
    let mut w = World::new(Settings::default());
    let address = w.tcp();
    let mut peer = TcpStream::connect(address).await.unwrap();
    w.opened().await;
    for _ in 0..3 {
        peer.write_all(b"\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut peer, 2).await, b"\r\n");
    }
    peer.write_all(&request("after", 0)).await.unwrap();
    assert_eq!(w.message().await, request("after", 0), "keep-alives are no messages");
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_dawdle_or_speak_no_sip_are_closed() {
    let wait = Duration::from_millis(50);
    let mut w = World::new(Settings { first_wait: wait, rest_wait: wait, ..Settings::default() });
    let address = w.tcp();
    let whole = request("x", 100);
    for (bytes, events) in [(&b""[..], 0), (&whole[..whole.len() - 1], 0), (&[&whole[..], b"INV"].concat()[..], 1)] {
        let mut peer = TcpStream::connect(address).await.unwrap();
        let flow = w.opened().await;
        peer.write_all(bytes).await.unwrap();
        for _ in 0..events {
            w.message().await;
        }
        assert_eq!(w.next().await, Event::Closed { connection: flow.connection.unwrap() });
        assert_closed(&mut peer).await;
    }
    let mut peer = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(w.next().await, Event::Closed { connection: flow.connection.unwrap() });
    assert_eq!(w.streams.counters().broken.load(Ordering::Relaxed), 1);
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_can_be_answered_and_the_stream_goes_on() {
    let mut w = World::new(Settings::default());
    let address = w.tcp();
    let mut peer = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    let bad = String::from_utf8(request("bad", 0)).unwrap().replace("CSeq: 1 OPTIONS", "CSeq: x");
    peer.write_all(&[bad.as_bytes(), &request("good", 0)].concat()).await.unwrap();
    assert_eq!(w.message().await, bad.as_bytes());
    assert_eq!(w.message().await, request("good", 0));
    // Without Content-Length the stream ends, yet the answer is still written.
    let endless = String::from_utf8(request("end", 0)).unwrap().replace("Content-Length: 0\r\n", "");
    peer.write_all(endless.as_bytes()).await.unwrap();
    assert_eq!(w.message().await, endless.as_bytes());
    w.send(flow.back(), b"SIP/2.0 400 Bad\r\n\r\n");
    assert_eq!(read(&mut peer, 19).await, b"SIP/2.0 400 Bad\r\n\r\n");
    assert_closed(&mut peer).await;
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_serves_new_connections_and_old_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, address, mut w) = tls_world(folder.path(), None);
    let mut old = tls_connect(address, None).await;
    let flow = w.opened().await;
    assert_eq!(flow.transport, Transport::Tls);
    let first = server_certificate(&old);
    for name in ["certificate.pem", "key.pem"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    self_signed(folder.path(), &["new.example".to_owned()]).unwrap();
    certificate.reload().unwrap();
    let new = tls_connect(address, None).await;
    w.opened().await;
    assert_ne!(server_certificate(&new), first);
    old.write_all(&request("still", 0)).await.unwrap();
    assert_eq!(w.message().await, request("still", 0));
    w.send(flow.back(), b"here");
    let mut got = [0; 4];
    timeout(LIMIT, old.read_exact(&mut got)).await.unwrap().unwrap();
    assert_eq!(&got, b"here");
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_known_by_its_certificate_when_the_right_one_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new();
    fs::write(folder.path().join("ca.pem"), ca.certificate.pem()).unwrap();
    let (_certificate, address, mut w) = tls_world(folder.path(), Some("ca.pem"));
    let mut proved = tls_connect(address, Some(ca.sign("sbc.carrier.example"))).await;
    proved.write_all(&request("x", 0)).await.unwrap();
    assert_eq!(w.opened_with().await.1, ["sbc.carrier.example"]);
    w.message().await;
    let mut phone = tls_connect(address, None).await;
    phone.write_all(&request("x", 0)).await.unwrap();
    assert_eq!(w.opened_with().await.1, Vec::<String>::new(), "a phone needs no certificate");
    w.message().await;
    let mut forged = tls_connect(address, Some(Ca::new().sign("sbc.carrier.example"))).await;
    // Under TLS 1.3 the refusal arrives after the client thinks that the handshake is done.
    let refused = timeout(LIMIT, forged.read(&mut [0; 1])).await.unwrap();
    assert!(refused.is_err() || refused.is_ok_and(|n| n == 0));
    assert_eq!(w.streams.counters().handshakes_failed.load(Ordering::Relaxed), 1);
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_has_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { handshake_wait: Duration::from_millis(50), ..Settings::default() };
    let (_certificate, address, w) = tls_world_with(folder.path(), None, settings);
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_closed(&mut silent).await;
    assert_eq!(w.streams.counters().handshakes_failed.load(Ordering::Relaxed), 1);
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_that_we_connect_to_must_bear_the_right_name() {
    let folder = tempfile::tempdir().unwrap();
    let carrier = folder.path().join("carrier");
    self_signed(&carrier, &["sbc.carrier.example".to_owned()]).unwrap();
    let (_far, far_address, mut far) = tls_world(&carrier, None);
    let own = folder.path().join("own");
    let (certificate, key) = self_signed(&own, &["yihao.example".to_owned()]).unwrap();
    let trusted_ca = Some(carrier.join("certificate.pem"));
    let files = Files { certificate, key, client_ca: None, trusted_ca, trusts_loopback: false };
    let mut w = World::new(Settings::default());
    w.tls(Arc::new(Certificate::load(files).unwrap()));
    let hop = |name: &str| Hop { server_name: Some(name.into()), ..Hop::to(NETWORK, Transport::Tls, far_address) };
    w.send(hop("other.example"), &request("x", 0));
    assert_eq!(w.next().await, Event::Unsent { by: By::Nobody });
    w.send(hop("sbc.carrier.example"), &request("x", 0));
    let (_, names) = w.opened_with().await;
    assert_eq!(names, ["sbc.carrier.example"]);
    far.opened().await;
    assert_eq!(far.message().await, request("x", 0));
    w.streams.shutdown().await;
    far.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shutdown_writes_what_waits_and_closes_all() {
    let mut w = World::new(Settings::default());
    let address = w.tcp();
    let mut peer = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    for _ in 0..100 {
        w.send(flow.back(), &[b'x'; 1_000]);
    }
    timeout(LIMIT, w.streams.shutdown()).await.unwrap();
    let mut all = Vec::new();
    timeout(LIMIT, peer.read_to_end(&mut all)).await.unwrap().unwrap();
    assert_eq!(all.len(), 100_000);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_closed_on_command_after_its_last_message() {
    let mut w = World::new(Settings::default());
    let address = w.tcp();
    let mut peer = TcpStream::connect(address).await.unwrap();
    let flow = w.opened().await;
    w.send(flow.back(), b"bye");
    w.streams.close(flow.connection.unwrap());
    assert_eq!(read(&mut peer, 3).await, b"bye");
    assert_closed(&mut peer).await;
    assert_eq!(w.next().await, Event::Closed { connection: flow.connection.unwrap() });
    w.streams.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_said_at_once() {
    let w = World::new(Settings::default());
    let address = w.tcp();
    let listen = Listen { network: NETWORK, transport: Transport::Tcp, address, certificate: None };
    assert!(matches!(w.streams.listen(listen), Err(BindError::InUse { .. })));
    w.streams.shutdown().await;
}

fn request(call_id: &str, body: usize) -> Vec<u8> {
    format!(
        "OPTIONS sip:12345@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: {body}\r\n\r\n{}",
        "x".repeat(body)
    )
    .into_bytes()
}

async fn read(peer: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    timeout(LIMIT, peer.read_exact(&mut bytes)).await.expect("in time").unwrap();
    bytes
}

/// The end of the stream, or its reset.
async fn assert_closed(peer: &mut TcpStream) {
    let end = timeout(LIMIT, peer.read(&mut [0; 16])).await.expect("in time");
    assert!(end.is_err() || end.is_ok_and(|n| n == 0));
}

struct World {
    streams: Streams,
    inbox: Inbox,
    woken: Arc<Notify>,
}

impl World {
    fn new(settings: Settings) -> World {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let (streams, inbox) = Streams::start(&Handle::current(), settings, Arc::new(move || wake.notify_one()));
        World { streams, inbox, woken }
    }

    fn tcp(&self) -> SocketAddr {
        let address = "127.0.0.1:0".parse().unwrap();
        let listen = Listen { network: NETWORK, transport: Transport::Tcp, address, certificate: None };
        self.streams.listen(listen).unwrap()
    }

    fn tls(&self, certificate: Arc<Certificate>) -> SocketAddr {
        let address = "127.0.0.1:0".parse().unwrap();
        let listen = Listen { network: NETWORK, transport: Transport::Tls, address, certificate: Some(certificate) };
        self.streams.listen(listen).unwrap()
    }

    fn send(&self, hop: Hop, bytes: &[u8]) {
        self.streams.send(Transmit { hop, bytes: Bytes::copy_from_slice(bytes), by: By::Nobody }).unwrap();
    }

    async fn next(&mut self) -> Event {
        let next = async {
            loop {
                match self.inbox.try_recv() {
                    Some(event) => return event,
                    None => self.woken.notified().await,
                }
            }
        };
        timeout(LIMIT, next).await.expect("an event in time")
    }

    async fn opened(&mut self) -> Flow {
        self.opened_with().await.0
    }

    async fn opened_with(&mut self) -> (Flow, Vec<String>) {
        let event = self.next().await;
        let Event::Opened { flow, identities } = event else { panic!("{event:?}") };
        (flow, identities)
    }

    async fn message(&mut self) -> Vec<u8> {
        let event = self.next().await;
        let Event::Message { bytes, .. } = event else { panic!("{event:?}") };
        bytes.to_vec()
    }
}

fn tls_world(folder: &Path, client_ca: Option<&str>) -> (Arc<Certificate>, SocketAddr, World) {
    tls_world_with(folder, client_ca, Settings::default())
}

fn tls_world_with(folder: &Path, ca: Option<&str>, settings: Settings) -> (Arc<Certificate>, SocketAddr, World) {
    let (certificate, key) = self_signed(folder, &["yihao.example".to_owned()]).unwrap();
    let client_ca = ca.map(|name| folder.join(name));
    let files = Files { certificate, key, client_ca, trusted_ca: None, trusts_loopback: true };
    let certificate = Arc::new(Certificate::load(files).unwrap());
    let w = World::new(settings);
    let address = w.tls(Arc::clone(&certificate));
    (certificate, address, w)
}

/// A client that takes any server, with a certificate of its own or without.
async fn tls_connect(address: SocketAddr, own: Option<(String, String)>) -> TlsStream<TcpStream> {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = self_signed(folder.path(), &["client".to_owned()]).unwrap();
    let files = Files { certificate, key, client_ca: None, trusted_ca: None, trusts_loopback: true };
    let mut config = (*Certificate::load(files).unwrap().client(address.ip())).clone();
    config.client_auth_cert_resolver = match own {
        None => Arc::new(NoCertificate),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
            Arc::new(rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, key)))
        }
    };
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("yihao.example").unwrap();
    timeout(LIMIT, TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.unwrap().unwrap()
}

fn server_certificate(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Somebody who vouches for peers.
struct Ca {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Ca {
    fn new() -> Ca {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "carriers");
        let certificate = params.self_signed(&key).unwrap();
        Ca { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Certificate and key in PEM form.
    fn sign(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}
