//! The resolver against a name server of our own on loopback.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR};
use hickory_resolver::proto::rr::{Name, Record};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::*;

const NETWORK: NetworkId = NetworkId(1);

#[tokio::test]
async fn an_address_needs_no_name_server() {
    let resolver = Resolver::new(&Settings { servers: vec![unused()], ..Settings::default() }).unwrap();
    let hops = |uri: &'static str| {
        let resolver = resolver.clone();
        async move { resolver.resolve(&Uri::parse(uri).unwrap(), NETWORK, &mut || 0).await }
    };
    assert_eq!(brief(&hops("sip:12345@192.0.2.7").await.unwrap()), ["udp 192.0.2.7:5060"]);
    assert_eq!(brief(&hops("sip:192.0.2.7:5070;transport=tcp").await.unwrap()), ["tcp 192.0.2.7:5070"]);
    assert_eq!(brief(&hops("sips:[2001:db8::7]").await.unwrap()), ["tls [2001:db8::7]:5061 2001:db8::7"]);
    assert!(matches!(hops("tel:+8612345").await, Err(DnsError::NotSip(_))));
    assert!(matches!(hops("sip:h;transport=sctp").await, Err(DnsError::NotSip(_))));
    assert!(matches!(hops("sip:h;transport=ws").await, Err(DnsError::NotSip(_))));
}

#[tokio::test]
async fn naptr_leads_to_srv_and_srv_to_addresses() {
    let zone = Zone::default()
        .naptr("carrier.example", (20, 0), "SIP+D2U", "_sip._udp.carrier.example")
        .naptr("carrier.example", (10, 0), "SIPS+D2T", "_sips._tcp.carrier.example")
        .naptr("carrier.example", (5, 0), "SIP+D2S", "_sip._sctp.carrier.example")
        .srv("_sips._tcp.carrier.example", (20, 1, 5071), "b.carrier.example")
        .srv("_sips._tcp.carrier.example", (10, 1, 5061), "a.carrier.example")
        .srv("_sip._udp.carrier.example", (10, 1, 5060), "a.carrier.example")
        .address("a.carrier.example", "2001:db8::1")
        .address("a.carrier.example", "192.0.2.1")
        .address("b.carrier.example", "192.0.2.2");
    let server = Server::start(zone).await;
    let expected = [
        "tls 192.0.2.1:5061 carrier.example",
        "tls [2001:db8::1]:5061 carrier.example",
        "tls 192.0.2.2:5071 carrier.example",
    ];
    assert_eq!(server.resolve("sip:12345@carrier.example").await.unwrap(), expected);
    assert_eq!(server.resolve("sip:carrier.example;transport=udp").await.unwrap()[0], "udp 192.0.2.1:5060");
}

#[tokio::test]
async fn without_naptr_srv_is_asked_and_without_srv_the_name_itself() {
    let zone = Zone::default()
        .srv("_sip._tcp.one.example", (1, 1, 5080), "a.example")
        .address("a.example", "192.0.2.1")
        .address("two.example", "192.0.2.2")
        .srv("_sip._udp.three.example", (1, 1, 5080), ".")
        .address("three.example", "192.0.2.3");
    let server = Server::start(zone).await;
    assert_eq!(server.resolve("sip:one.example").await.unwrap(), ["tcp 192.0.2.1:5080"]);
    assert_eq!(server.resolve("sip:two.example").await.unwrap(), ["udp 192.0.2.2:5060"]);
    assert_eq!(server.resolve("sips:two.example").await.unwrap(), ["tls 192.0.2.2:5061 two.example"]);
    assert_eq!(server.resolve("sip:two.example:5090").await.unwrap(), ["udp 192.0.2.2:5090"], "a port: no SRV");
    assert_eq!(server.resolve("sip:three.example").await.unwrap(), ["udp 192.0.2.3:5060"]);
}

#[tokio::test]
async fn one_dead_target_does_not_hide_the_others() {
    let zone = Zone::default()
        .srv("_sip._udp.carrier.example", (1, 1, 5060), "gone.example")
        .srv("_sip._udp.carrier.example", (2, 1, 5060), "there.example")
        .address("there.example", "192.0.2.2");
    let server = Server::start(zone).await;
    assert_eq!(server.resolve("sip:carrier.example").await.unwrap(), ["udp 192.0.2.2:5060"]);
}

#[tokio::test]
async fn a_name_without_address_says_so() {
    let server = Server::start(Zone::default()).await;
    let error = server.resolve("sip:nowhere.example").await.unwrap_err();
    assert_eq!(error, DnsError::NoAddress("nowhere.example".to_owned()));
    assert_eq!(error.to_string(), "nowhere.example has no address in DNS; is the name right?");
}

#[tokio::test]
async fn a_silent_name_server_costs_its_time_and_no_more() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let wait = Duration::from_millis(300);
    let resolver = Resolver::new(&Settings { servers: vec![silent.local_addr().unwrap()], wait }).unwrap();
    let began = tokio::time::Instant::now();
    let result = resolver.resolve(&Uri::parse("sip:carrier.example").unwrap(), NETWORK, &mut || 0).await;
    assert!(matches!(result, Err(DnsError::TimedOut(_) | DnsError::Failed { .. })), "{result:?}");
    assert!(began.elapsed() < wait * 4);
}

fn unused() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

fn brief(hops: &[Hop]) -> Vec<String> {
    let one = |hop: &Hop| {
        assert_eq!((hop.network, hop.connection), (NETWORK, None));
        let name = hop.server_name.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
        format!("{} {}{name}", hop.transport.as_param(), hop.remote)
    };
    hops.iter().map(one).collect()
}

/// Records by name.
#[derive(Clone, Default)]
struct Zone(BTreeMap<Name, Vec<RData>>);

impl Zone {
    fn add(mut self, name: &str, data: RData) -> Zone {
        self.0.entry(fqdn(name)).or_default().push(data);
        self
    }

    fn address(self, name: &str, ip: &str) -> Zone {
        let data = match ip.parse().unwrap() {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.add(name, data)
    }

    fn srv(self, name: &str, (priority, weight, port): (u16, u16, u16), target: &str) -> Zone {
        self.add(name, RData::SRV(SRV::new(priority, weight, port, fqdn(target))))
    }

    fn naptr(self, name: &str, (order, preference): (u16, u16), services: &str, replacement: &str) -> Zone {
        let boxed = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
        let data = NAPTR::new(order, preference, boxed("s"), boxed(services), boxed(""), fqdn(replacement));
        self.add(name, RData::NAPTR(data))
    }

    fn answer(&self, query: &Message) -> Message {
        let mut answer = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_available = true;
        let asked = &query.queries[0];
        answer.add_query(asked.clone());
        match self.0.get(asked.name()) {
            None => answer.metadata.response_code = ResponseCode::NXDomain,
            Some(all) => {
                let fitting = all.iter().filter(|data| data.record_type() == asked.query_type());
                answer.add_answers(fitting.map(|data| Record::from_rdata(asked.name().clone(), 60, data.clone())));
            }
        }
        answer
    }
}

fn fqdn(name: &str) -> Name {
    Name::from_ascii(absolute(name)).unwrap()
}

/// A name server for one zone.
struct Server {
    resolver: Resolver,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(zone: Zone) -> Server {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let resolver = Resolver::new(&Settings { servers: vec![socket.local_addr().unwrap()], ..Settings::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 1_500];
            while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..n]).unwrap();
                socket.send_to(&zone.answer(&query).to_vec().unwrap(), from).await.unwrap();
            }
        });
        Server { resolver: resolver.unwrap(), _tasks: tasks }
    }

    async fn resolve(&self, uri: &str) -> Result<Vec<String>, DnsError> {
        let hops = self.resolver.resolve(&Uri::parse(uri).unwrap(), NETWORK, &mut || 0).await?;
        Ok(brief(&hops))
    }
}
