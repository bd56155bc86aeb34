//! The rig: an endpoint with two networks, a core that is the story itself, and an engine that gives ports back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::dialplan::{CalledFrom, CallerPolicy, Cidr, Plan, Seat, Trunk, TrunkGroup};
use crate::media::ports::PortPool;
use crate::sip::auth::{self, Credentials};
use crate::sip::endpoint::{Config, Endpoint, Input, Network, Output, Refused, Secrets, Seeds};
use crate::sip::flow::{Flow, Hop, Transport};
use crate::sip::message::{HeaderValue, Message};
use crate::sip::transaction::{By, Transmit};
use crate::types::{
    CallId, Calling, Cause, Dial, IdBase, LegCommand, LegEvent, LegId, LineNumber, MediaPort, Mono, NetworkId, Now,
    PhoneNumber, SeatId, StreamParams, Target, TlsMedia, TrunkId, Wall,
};

use super::party::Party;

pub(super) const FIRST: TrunkId = TrunkId(0);
pub(super) const SECOND: TrunkId = TrunkId(1);
pub(super) const SEAT: SeatId = SeatId(8001);
pub(super) const FIXED_SEAT: SeatId = SeatId(8003);
/// Where the carriers, phones and strangers are.
pub(super) const CARRIER: &str = "10.1.0.1:5060";
pub(super) const OTHER_CARRIER: &str = "10.1.0.2:5060";
pub(super) const PHONE: &str = "10.2.0.1:5060";
pub(super) const OTHER_PHONE: &str = "10.2.0.2:5060";
pub(super) const FIXED_PHONE: &str = "10.3.0.3:5060";
pub(super) const STRANGER: &str = "10.9.0.9:5060";
/// 64 * T1 with the default T1.
pub(super) const PATIENCE: Duration = Duration::from_secs(32);
const CALL: CallId = CallId(7);

/// What a rig is made of; stories change it before they begin.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) plan: Plan,
    pub(super) secrets: Secrets,
    /// Pairs of ports in each network, on each of two workers.
    pub(super) ports: u16,
}

/// The endpoint and its surroundings.
pub(super) struct Rig {
    pub(super) endpoint: Endpoint,
    pub(super) now: Now,
    /// What was sent and not yet looked at.
    sent: VecDeque<(SocketAddr, Message)>,
    /// Who sent last, and by which way.
    by: By,
    hop: Option<Hop>,
    /// What legs reported and nobody has looked at.
    events: VecDeque<(LegId, LegEvent)>,
    /// Anything else, in order.
    pub(super) others: Vec<Output>,
    /// Ports that the engine holds.
    opened: BTreeMap<LegId, MediaPort>,
    streams: BTreeMap<LegId, StreamParams>,
    /// Legs whose stream was published before their answer.
    early: BTreeSet<LegId>,
    born: BTreeSet<LegId>,
    ended: BTreeSet<LegId>,
    dialled: u64,
    /// Whether phones that are dialled are asked to answer by themselves.
    pub(super) auto_answer: bool,
}

impl Setup {
    pub(super) fn new() -> Setup {
        let network = |name: &str, local: &str| Network {
            name: name.to_owned(),
            listeners: vec![(Transport::Udp, local.parse().unwrap()), (Transport::Tcp, local.parse().unwrap())],
            advertised_v4: None,
            advertised_v6: None,
            media_over_tls: TlsMedia::Srtp,
        };
        let networks = vec![network("carrier", "10.0.0.1:5060"), network("seats", "10.0.0.2:5060")];
        let seat = |id: u32, contact: Option<&str>| Seat {
            id: SeatId(id),
            name: id.to_string(),
            skills: Vec::new(),
            contact: contact.map(str::to_owned),
            auto_answer: false,
        };
        let seats = [seat(8001, None), seat(8002, None), seat(8003, Some("sip:8003@10.3.0.3:5060"))];
        let line = |text: &str| LineNumber::parse(text).unwrap();
        let trunks = vec![
            trunk(FIRST, "first", [10, 1, 0, 1], CallerPolicy::Own(line("12345"))),
            trunk(SECOND, "second", [10, 1, 0, 2], CallerPolicy::Callers { diversion: line("12345") }),
        ];
        let plan = Plan { trunks, seats: seats.into_iter().map(|s| (s.id, s)).collect(), ..Plan::default() };
        let credentials = |id: u32| Credentials::from_password(&id.to_string(), "yihao", &format!("secret-{id}"));
        let secrets = Secrets {
            seats: [8001, 8002, 8003].into_iter().map(|id| (SeatId(id), credentials(id))).collect(),
            trunks: BTreeMap::from([("first".to_owned(), "carrier-secret".to_owned())]),
        };
        Setup { config: Config { networks, ..Config::default() }, plan, secrets, ports: 8 }
    }

    pub(super) fn build(self) -> Rig {
        let pairs = (0..2).flat_map(|network| (0..2).map(move |worker| (network, worker)));
        let ports = pairs.flat_map(|(network, worker)| {
            (0..self.ports).map(move |i| MediaPort {
                network: NetworkId(network),
                worker,
                port: 20_000 + 1_000 * u16::from(worker) + 2 * i,
                v6: false,
            })
        });
        let ids = IdBase { node: 0, epoch_s: 1 }.legs_of_endpoint();
        let seeds = Seeds { wire: [7; 32], keys: [8; 32] };
        let endpoint = Endpoint::new(self.config, Arc::new(self.plan), self.secrets, PortPool::new(ports), ids, seeds);
        let mut rig = Rig {
            endpoint,
            now: Now { mono: Mono(100_000_000_000), wall: Wall(1_795_000_000_000) },
            sent: VecDeque::new(),
            by: By::Nobody,
            hop: None,
            events: VecDeque::new(),
            others: Vec::new(),
            opened: BTreeMap::new(),
            streams: BTreeMap::new(),
            early: BTreeSet::new(),
            born: BTreeSet::new(),
            ended: BTreeSet::new(),
            dialled: 0,
            auto_answer: false,
        };
        rig.input(Input::Begin);
        rig.input(Input::Tick);
        rig
    }
}

fn trunk(id: TrunkId, name: &str, address: [u8; 4], caller_policy: CallerPolicy) -> Trunk {
    let address = std::net::Ipv4Addr::from(address);
    Trunk {
        id,
        name: name.to_owned(),
        network: "carrier".to_owned(),
        sources: vec![Cidr { address: address.into(), prefix: 32 }],
        tls_identity: None,
        address: Some(format!("sip:{address}:5060;transport=udp")),
        register: None,
        called_from: CalledFrom::RequestUri,
        area_code: "816".to_owned(),
        max_calls: None,
        max_calls_per_s: None,
        options_s: None,
        reaches: crate::dialplan::Reaches::Network,
        media_over_tls: TlsMedia::Srtp,
        caller_policy,
        group: Some(TrunkGroup { name: "main".to_owned(), order: id.0, weight: 1 }),
    }
}

/// The flow of an address: phones stand in the second network, everybody else in the first.
pub(super) fn flow(at: SocketAddr) -> Flow {
    let is_phone = at.ip().to_string().starts_with("10.2.");
    let (network, local) = if is_phone { (1, "10.0.0.2:5060") } else { (0, "10.0.0.1:5060") };
    Flow {
        network: NetworkId(network),
        transport: Transport::Udp,
        local: local.parse().unwrap(),
        remote: at,
        connection: None,
    }
}

impl Rig {
    pub(super) fn new() -> Rig {
        Setup::new().build()
    }

    /// Feeds an input and sorts what comes of it.
    pub(super) fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.endpoint.handle(self.now, input, &mut out);
        self.sort(out);
    }

    /// A message from a party.
    pub(super) fn say(&mut self, from: &str, text: impl Into<Bytes>) {
        self.input(Input::Message { flow: flow(from.parse().unwrap()), bytes: text.into() });
    }

    /// What the core tells a leg.
    pub(super) fn tell(&mut self, leg: LegId, command: LegCommand) {
        let mut out = Vec::new();
        self.endpoint.command(self.now, CALL, leg, command, &mut out);
        self.sort(out);
    }

    /// A new plan, in the middle of everything.
    pub(super) fn set_plan(&mut self, mut plan: Plan) {
        plan.continues(self.endpoint.plan());
        let mut out = Vec::new();
        let secrets = self.endpoint.secrets.clone();
        self.endpoint.set_plan(Arc::new(plan), secrets, &mut out);
        self.sort(out);
        self.input(Input::Tick);
    }

    /// Ends every leg.
    pub(super) fn end_all(&mut self) {
        let mut out = Vec::new();
        self.endpoint.end_all(self.now, &mut out);
        self.sort(out);
    }

    /// Takes our registrations back.
    pub(super) fn unregister(&mut self) {
        let mut out = Vec::new();
        self.endpoint.unregister(self.now, &mut out);
        self.sort(out);
    }

    /// Dials, beside a leg or alone.
    pub(super) fn dial(&mut self, target: Target, beside: Option<LegId>) -> LegId {
        self.dialled += 1;
        let leg = LegId(2 * self.dialled + 1);
        self.born.insert(leg);
        let calling = Calling {
            number: Some(PhoneNumber::parse("13981112233").unwrap()),
            raw: "13981112233".to_owned(),
            ..Calling::default()
        };
        let line = LineNumber::parse("12315").unwrap();
        let (line_name, auto_answer) = ("12315 市场监管".to_owned(), self.auto_answer);
        let dial = Dial { target, beside, calling, line, line_name, auto_answer };
        self.tell(leg, LegCommand::Dial(Box::new(dial)));
        leg
    }

    pub(super) fn dial_trunk(&mut self) -> LegId {
        let number = PhoneNumber::parse("13900001111").unwrap();
        self.dial(Target::Trunk { trunk: FIRST, number }, None)
    }

    /// Lets time pass from deadline to deadline.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now.after(time);
        let mut turns = 0;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.input(Input::Tick);
            turns += 1;
            assert!(turns < 10_000, "the deadline at {at:?} is never met");
        }
        self.now = until;
    }

    pub(super) fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    fn sort(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send(Transmit { hop, bytes, by }) => {
                    self.by = by;
                    self.hop = Some(hop.clone());
                    if let Ok(message) = Message::parse(bytes) {
                        self.sent.push_back((hop.remote, message));
                    }
                }
                Output::Leg { leg, event } => {
                    assert!(!self.ended.contains(&leg), "{leg} spoke after its end: {event:?}");
                    match &event {
                        LegEvent::Arrived(_) => assert!(self.born.insert(leg)),
                        LegEvent::Ended { .. } => assert!(self.ended.insert(leg)),
                        LegEvent::Ringing
                        | LegEvent::Answered
                        | LegEvent::NoEarlyMedia
                        | LegEvent::EarlyMedia(_)
                        | LegEvent::Held(_)
                        | LegEvent::Refer { .. }
                        | LegEvent::Digit { .. } => {}
                    }
                    self.events.push_back((leg, event));
                }
                Output::Open { leg, port, call, .. } => {
                    assert_eq!(call, CALL);
                    assert!(self.opened.insert(leg, port).is_none(), "{leg} was opened twice");
                }
                Output::Stream { leg, params, early } => {
                    assert!(self.opened.contains_key(&leg), "a stream before its port, or after it");
                    self.streams.insert(leg, *params);
                    if early {
                        self.early.insert(leg);
                    } else {
                        self.early.remove(&leg);
                    }
                }
                Output::CloseMedia { leg } => {
                    let port = self.opened.remove(&leg).expect("only an open port is closed");
                    self.early.remove(&leg);
                    self.input(Input::PortFree { port });
                }
                Output::Close { .. }
                | Output::Resolve { .. }
                | Output::SendDigit { .. }
                | Output::Reachable { .. }
                | Output::TrunkHealth { .. } => self.others.push(output),
            }
        }
    }

    /// The next message to a party; it is a request with this method or a response with this status.
    #[track_caller]
    pub(super) fn hears(&mut self, at: &str, what: &str) -> Message {
        let at: SocketAddr = at.parse().unwrap();
        let index = self.sent.iter().position(|(to, _)| *to == at);
        let Some((_, message)) = index.and_then(|i| self.sent.remove(i)) else {
            panic!("nothing was sent to {at}, {what} is missing; {}", self.waiting());
        };
        assert_eq!(word(&message), what, "sent to {at}: {:?}", message.bytes());
        message
    }

    /// Whether the next message to a party is this.
    pub(super) fn next_is(&self, at: &str, what: &str) -> bool {
        let at: SocketAddr = at.parse().unwrap();
        self.sent.iter().find(|(to, _)| *to == at).is_some_and(|(_, message)| word(message) == what)
    }

    /// Who sent the last message.
    pub(super) fn last_by(&self) -> By {
        self.by
    }

    /// The way of the last message.
    pub(super) fn last_hop(&self) -> &Hop {
        self.hop.as_ref().expect("something was sent")
    }

    /// Nothing was sent that nobody has looked at.
    #[track_caller]
    pub(super) fn silence(&self) {
        assert!(self.sent.is_empty(), "{}", self.waiting());
    }

    fn waiting(&self) -> String {
        let words: Vec<_> = self.sent.iter().map(|(to, message)| format!("{} to {to}", word(message))).collect();
        format!("waiting: {words:?}")
    }

    /// How often a message with this word is waiting to be looked at; all of them are taken away.
    pub(super) fn drain(&mut self, what: &str) -> usize {
        let before = self.sent.len();
        self.sent.retain(|(_, message)| word(message) != what);
        before - self.sent.len()
    }

    /// Takes away all that was sent.
    pub(super) fn drain_all(&mut self) {
        self.sent.clear();
    }

    /// The next report of any leg.
    #[track_caller]
    pub(super) fn event(&mut self) -> (LegId, LegEvent) {
        self.events.pop_front().expect("a leg reports")
    }

    /// The next report is this one.
    #[track_caller]
    pub(super) fn reports(&mut self, leg: LegId, event: LegEvent) {
        assert_eq!(self.event(), (leg, event));
    }

    /// The next report is the leg's end.
    #[track_caller]
    pub(super) fn ends(&mut self, leg: LegId, cause: Cause) {
        self.ends_with(leg, cause, None);
    }

    #[track_caller]
    pub(super) fn ends_with(&mut self, leg: LegId, cause: Cause, status: Option<u16>) {
        self.reports(leg, LegEvent::Ended { cause, status });
    }

    #[track_caller]
    pub(super) fn no_event(&self) {
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    /// The stream that was published last.
    #[track_caller]
    pub(super) fn stream(&self, leg: LegId) -> &StreamParams {
        self.streams.get(&leg).expect("a stream was published")
    }

    pub(super) fn has_stream(&self, leg: LegId) -> bool {
        self.streams.contains_key(&leg)
    }

    /// Whether the engine listens for what comes before the answer.
    pub(super) fn is_early(&self, leg: LegId) -> bool {
        self.early.contains(&leg)
    }

    pub(super) fn port(&self, leg: LegId) -> MediaPort {
        self.opened[&leg]
    }

    /// INVITEs that were refused for a reason, over all sources.
    pub(super) fn refused(&self, trunk: Option<TrunkId>, why: Refused) -> u64 {
        self.endpoint.refused().get(&(trunk, why)).copied().unwrap_or(0)
    }

    /// A call from the first carrier, answered and acknowledged.
    #[track_caller]
    pub(super) fn talk(&mut self, extra: &str) -> (Party, LegId) {
        let mut caller = Party::caller(CARRIER, "talk");
        let invite = caller.invite(extra, &super::party::sdp("10.1.0.1:30000", "sendrecv"));
        self.say(CARRIER, invite);
        let (leg, _) = self.event();
        self.tell(leg, LegCommand::Answer);
        self.hears(CARRIER, "100");
        let ok = self.hears(CARRIER, "200");
        caller.learns(&ok);
        let ack = caller.ack("");
        self.say(CARRIER, ack);
        self.reports(leg, LegEvent::Answered);
        (caller, leg)
    }

    /// A call to a registered seat at `PHONE`, answered.
    #[track_caller]
    pub(super) fn talk_to_seat(&mut self, answer: &[(&str, &str)]) -> (Party, LegId) {
        self.register(8001, PHONE);
        let leg = self.dial(Target::Seat(SEAT), None);
        let invite = self.hears(PHONE, "INVITE");
        let callee = Party::callee(PHONE, &invite);
        let ok = callee.response(&invite, 200, answer, &super::party::sdp("10.2.0.1:40000", "sendrecv"));
        self.say(PHONE, ok);
        self.hears(PHONE, "ACK");
        self.reports(leg, LegEvent::Answered);
        (callee, leg)
    }

    /// Registers a phone of a seat from an address: challenge, proof, 200.
    #[track_caller]
    pub(super) fn register(&mut self, seat: u32, at: &str) {
        let mut party = Party::caller(at, &format!("registers-{seat}-{}", at.replace(':', "-")));
        (party.called, party.caller) = (seat.to_string(), seat.to_string());
        let first = party.request("REGISTER", "Expires: 3600\r\n", "");
        self.say(at, first);
        let challenge = self.hears(at, "401");
        let proof = proof(seat, &format!("secret-{seat}"), ("REGISTER", seat), &challenge);
        let second = party.request("REGISTER", &format!("Expires: 3600\r\n{proof}"), "");
        self.say(at, second);
        self.hears(at, "200");
    }

    /// Hangs up for the party and looks at both ends.
    #[track_caller]
    pub(super) fn party_hangs_up(&mut self, party: &mut Party, leg: LegId) {
        let at = party.at.to_string();
        let bye = party.request("BYE", "", "");
        self.say(&at, bye);
        self.hears(&at, "200");
        self.ends(leg, Cause::HungUp);
    }

    /// Ends the story: nothing waits to be looked at, and after 64 * T1 nothing is left of any call.
    #[track_caller]
    pub(super) fn finish(mut self) {
        self.silence();
        self.no_event();
        assert_eq!(self.born, self.ended, "each leg ends, once");
        // A BYE that nobody answers takes timer F; the server's side of a refusal timer H.
        self.pass(PATIENCE + Duration::from_secs(6));
        assert!(self.endpoint.left().is_nothing(), "{:?}", self.endpoint.left());
        assert_eq!(self.endpoint.ports(self.now).in_use, 0, "a port is not given back");
        assert_eq!((self.endpoint.transactions.clients(), self.endpoint.transactions.servers()), (0, 0));
        assert!(self.opened.is_empty());
        self.no_event();
    }
}

/// The Authorization line that answers a challenge for `sip:NUMBER@10.0.0.1`.
pub(super) fn proof(user: u32, password: &str, (method, called): (&str, u32), challenge: &Message) -> String {
    let mut client = auth::Client::new(&user.to_string(), auth::Secret::Password(password.to_owned()));
    client.challenged(auth::Side::Server, &challenge.www_authenticate()).unwrap();
    let uri = format!("sip:{called}@10.0.0.1");
    let headers = client.authorize(method, &uri, b"", [1; 8]);
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.extend_from_slice(format!("{name}: ").as_bytes());
        value.write(&mut lines);
        lines.extend_from_slice(b"\r\n");
    }
    String::from_utf8(lines).unwrap()
}

fn word(message: &Message) -> String {
    message.status().map_or_else(|| message.method().to_string(), |status| status.to_string())
}
