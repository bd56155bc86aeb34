//! Two layers and a network that loses, doubles and reorders: whatever it does, each request has one end.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::sip::message::ResponseBuilder;
use crate::sip::transaction::By;

/// Marsaglia's xorshift64: good enough to shake a network.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
    fn ms(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }
}

/// What is going to happen.
enum Plan {
    Request(u64, Method),
    Cancel(ClientId),
    ToServer(Bytes),
    ToClient(Bytes),
    Respond(ServerId, Message, u16),
    RepeatOk(ServerId, Bytes, Mono),
}

struct Network {
    random: Random,
    loss: u64,
    now: Mono,
    count: u64,
    plans: BTreeMap<(Mono, u64), Plan>,
    client: Transactions,
    server: Transactions,
    out: Vec<Transmit>,
    /// What our requests came to: first final status, or 0 for a timeout.
    outcomes: BTreeMap<ClientId, u16>,
    started: BTreeMap<ClientId, u64>,
    over: BTreeSet<ClientId>,
    /// What the server answered, by the number of the request.
    answers: BTreeMap<u64, u16>,
    told: BTreeSet<(u64, Method)>,
    invites: BTreeMap<ServerId, (u64, Message)>,
    acknowledged: BTreeSet<u64>,
}

fn number(message: &Message) -> u64 {
    message.call_id().parse().expect("the Call-ID is the number")
}

fn text(n: u64, method: &Method, branch: &Branch, to_tag: &str) -> Bytes {
    let branch = branch.as_str();
    Bytes::from(format!(
        "{method} sip:12345@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@192.0.2.9>;tag=them\r\nTo: <sip:12345@192.0.2.1>{to_tag}\r\n\
         Call-ID: {n}\r\nCSeq: 1 {method}\r\nContact: <sip:a@192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn branch_of(n: u64, kind: u8) -> Branch {
    let mut random = [kind; 12];
    random[..8].copy_from_slice(&n.to_be_bytes());
    Branch::from_random(random)
}

impl Network {
    fn new(seed: u64, loss: u64, transactions: u64) -> Network {
        let mut network = Network {
            random: Random(seed | 1),
            loss,
            now: Mono::default(),
            count: 0,
            plans: BTreeMap::new(),
            client: Transactions::new(Settings::default()),
            server: Transactions::new(Settings::default()),
            out: Vec::new(),
            outcomes: BTreeMap::new(),
            started: BTreeMap::new(),
            over: BTreeSet::new(),
            answers: BTreeMap::new(),
            told: BTreeSet::new(),
            invites: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        };
        for n in 0..transactions {
            let method = if network.random.percent(60) { Method::Invite } else { Method::Bye };
            let wait = network.random.ms(60_000);
            network.plan(wait, Plan::Request(n, method));
        }
        network
    }

    fn plan(&mut self, wait: Duration, plan: Plan) {
        self.count += 1;
        self.plans.insert((self.now + wait, self.count), plan);
    }

    /// Runs until nothing is left to do.
    fn run(&mut self) {
        loop {
            let planned = self.plans.first_key_value().map(|(&(at, _), _)| at);
            let due = [planned, self.client.deadline(), self.server.deadline()].into_iter().flatten().min();
            let Some(at) = due else { return };
            assert!(at >= self.now, "a deadline lies in the past");
            self.now = at;
            while let Some(event) = self.client.tick(at, &mut self.out) {
                self.on_client(event);
            }
            self.carry(Plan::ToServer);
            while let Some(event) = self.server.tick(at, &mut self.out) {
                self.on_server(event);
            }
            self.carry(Plan::ToClient);
            if planned == Some(at) {
                let (_, plan) = self.plans.pop_first().expect("it is due");
                self.act(plan);
            }
        }
    }

    fn act(&mut self, plan: Plan) {
        let from = flow(Transport::Udp);
        match plan {
            Plan::Request(n, method) => self.request(n, method),
            Plan::Cancel(id) => {
                self.client.cancel(self.now, id, None, &mut self.out);
                self.carry(Plan::ToServer);
            }
            Plan::ToServer(bytes) => {
                let message = Message::parse(bytes).expect("our own message");
                let event = self.server.receive(self.now, &from, message, &mut self.out);
                event.into_iter().for_each(|event| self.on_server(event));
                self.carry(Plan::ToClient);
            }
            Plan::ToClient(bytes) => {
                let message = Message::parse(bytes).expect("our own message");
                let event = self.client.receive(self.now, &from, message, &mut self.out);
                event.into_iter().for_each(|event| self.on_client(event));
                self.carry(Plan::ToServer);
            }
            Plan::Respond(id, request, status) => self.respond(id, &request, status),
            Plan::RepeatOk(id, ok, until) => self.repeat_ok(id, ok, until),
        }
    }

    /// Hands what has been sent to the network.
    fn carry(&mut self, plan: fn(Bytes) -> Plan) {
        for transmit in std::mem::take(&mut self.out) {
            let copies = 1 + u64::from(self.random.percent(15));
            for _ in 0..copies {
                if !self.random.percent(self.loss) {
                    let delay = Duration::from_millis(1) + self.random.ms(1500);
                    self.plan(delay, plan(transmit.bytes.clone()));
                }
            }
        }
    }

    fn request(&mut self, n: u64, method: Method) {
        let branch = branch_of(n, 0);
        let bytes = text(n, &method, &branch, "");
        let hop = Hop::to(NetworkId(0), Transport::Udp, flow(Transport::Udp).remote);
        let outgoing = Outgoing::new(method.clone(), branch, bytes);
        let id = self.client.request(self.now, outgoing, hop, &mut self.out).expect("there is room");
        self.started.insert(id, n);
        if method == Method::Invite && self.random.percent(30) {
            let wait = self.random.ms(12_000);
            self.plan(wait, Plan::Cancel(id));
        }
        self.carry(Plan::ToServer);
    }

    fn on_client(&mut self, event: Event) {
        match event {
            Event::Response { id, message, .. } => self.on_response(id, &message),
            Event::Timeout { id } => {
                assert_eq!(self.outcomes.insert(id, 0), None, "{id:?} ends twice");
            }
            Event::Over { id } => {
                assert!((200..300).contains(&self.outcomes[&id]));
                assert!(self.over.insert(id));
            }
            Event::Stray { .. } => {}
            Event::Request { .. }
            | Event::Cancel { .. }
            | Event::Ack { .. }
            | Event::Failed { .. }
            | Event::Unacknowledged { .. }
            | Event::Undeliverable { .. }
            | Event::Overload { .. } => panic!("{} at the client", name(&event)),
        }
    }

    fn on_response(&mut self, id: ClientId, message: &Message) {
        let (n, status) = (self.started[&id], message.status().expect("a response"));
        assert_eq!(number(message), n);
        assert!(!self.over.contains(&id));
        let before = self.outcomes.get(&id).copied();
        if status < 200 {
            assert_eq!(before, None, "a provisional response after the end");
            return;
        }
        assert_eq!(self.answers.get(&n), Some(&status), "an answer that nobody gave");
        let is_invite = *message.method() == Method::Invite;
        if is_invite && status < 300 {
            assert!(before.is_none() || before == Some(status));
            let ack = text(n, &Method::Ack, &branch_of(n, 1), ";tag=us");
            self.out.push(Transmit { hop: flow(Transport::Udp).back(), bytes: ack, by: By::Nobody });
        } else {
            assert_eq!(before, None, "a final response is told once");
        }
        self.outcomes.insert(id, status);
    }

    fn on_server(&mut self, event: Event) {
        match event {
            Event::Request { id, message, merged, .. } => {
                assert!(!merged);
                self.serve(id, message);
            }
            Event::Cancel { id, invite, message, .. } => {
                let status = if invite.is_some() { 200 } else { 481 };
                self.answer(id, &message, status);
                let open = invite.filter(|_| !self.answers.contains_key(&number(&message)));
                if let Some((id, (n, request))) = open.and_then(|id| Some((id, self.invites.get(&id)?.clone()))) {
                    self.answers.insert(n, 487);
                    self.answer(id, &request, 487);
                }
            }
            Event::Ack { message, .. } => {
                self.acknowledged.insert(number(&message));
            }
            Event::Unacknowledged { .. } => {}
            Event::Response { .. }
            | Event::Over { .. }
            | Event::Timeout { .. }
            | Event::Failed { .. }
            | Event::Undeliverable { .. }
            | Event::Overload { .. }
            | Event::Stray { .. } => panic!("{} at the server", name(&event)),
        }
    }

    fn serve(&mut self, id: ServerId, message: Message) {
        let (n, method) = (number(&message), message.method().clone());
        assert!(self.told.insert((n, method.clone())), "{n} {method} is told twice");
        let status = [200, 486, 503][usize::try_from(self.random.below(3)).unwrap()];
        if method == Method::Invite {
            self.invites.insert(id, (n, message.clone()));
            self.answer(id, &message, 100);
            let (ringing, answered) = (self.random.ms(3000), self.random.ms(15_000));
            self.plan(ringing, Plan::Respond(id, message.clone(), 180));
            self.plan(ringing + answered, Plan::Respond(id, message, status));
        } else {
            let thinking = self.random.ms(2000);
            self.plan(thinking, Plan::Respond(id, message, status));
        }
    }

    fn respond(&mut self, id: ServerId, request: &Message, status: u16) {
        let n = number(request);
        if self.answers.contains_key(&n) {
            return;
        }
        if status >= 200 {
            self.answers.insert(n, status);
        }
        let bytes = self.answer(id, request, status);
        if status == 200 && *request.method() == Method::Invite {
            let until = self.now + Duration::from_secs(30);
            self.plan(Duration::from_secs(2), Plan::RepeatOk(id, bytes, until));
        }
        self.carry(Plan::ToClient);
    }

    fn answer(&mut self, id: ServerId, request: &Message, status: u16) -> Bytes {
        let bytes = ResponseBuilder::to_request(request, status, "", Some("us")).build();
        self.server.respond(self.now, id, bytes.clone(), &mut self.out).expect("it is the first answer");
        bytes
    }

    fn repeat_ok(&mut self, id: ServerId, ok: Bytes, until: Mono) {
        let n = self.invites[&id].0;
        if self.acknowledged.contains(&n) || self.now >= until {
            return;
        }
        self.server.respond(self.now, id, ok.clone(), &mut self.out).expect("timer L runs for 32 s");
        self.carry(Plan::ToClient);
        self.plan(Duration::from_secs(2), Plan::RepeatOk(id, ok, until));
    }

    /// All requests have ended, and nothing is left of them.
    fn check(&mut self, transactions: usize) {
        assert_eq!(self.started.len(), transactions);
        assert_eq!(self.outcomes.len(), transactions, "each request has one outcome");
        let accepted = |id: &&ClientId| self.outcomes[*id] == 200 && self.invite_was_told(**id);
        assert_eq!(self.over.len(), self.outcomes.keys().filter(accepted).count());
        for layer in [&mut self.client, &mut self.server] {
            assert_eq!((layer.clients(), layer.servers(), layer.deadline()), (0, 0, None));
        }
    }

    fn invite_was_told(&self, id: ClientId) -> bool {
        self.told.contains(&(self.started[&id], Method::Invite))
    }
}

const TRANSACTIONS: u64 = 400;

#[test]
fn whatever_the_network_does_each_request_has_exactly_one_end_and_leaves_nothing_behind() {
    let mut seen = BTreeSet::new();
    for seed in 1..=12 {
        for loss in [0, 20, 60] {
            let mut network = Network::new(0x9e37_79b9_7f4a_7c15 ^ (seed << 8), loss, TRANSACTIONS);
            network.run();
            network.check(TRANSACTIONS as usize);
            seen.extend(network.outcomes.values().copied());
        }
    }
    assert_eq!(seen, BTreeSet::from([0, 200, 486, 487, 503]), "the network has tried everything");
}

#[test]
fn without_loss_nothing_times_out() {
    let mut network = Network::new(7, 0, TRANSACTIONS);
    network.run();
    assert!(network.outcomes.values().all(|&status| status != 0));
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let stories = [1, 2].map(|_| {
        let mut network = Network::new(99, 40, TRANSACTIONS);
        network.run();
        (network.outcomes, network.count, network.now)
    });
    assert_eq!(stories[0], stories[1]);
}
