//! Speed of the transaction layer in virtual time, without I/O and without parsing (floor 300,000 transactions a second,
//! goal 1,000,000).
//!
//! Time moves so that 2,000 transactions begin in a second, which keeps 64,000 lingering under timer J.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use yihao::sip::flow::{Flow, Hop, Transport};
use yihao::sip::message::{Message, Method, ResponseBuilder};
use yihao::sip::transaction::{Branch, Event, Outgoing, Settings, Transactions, Transmit};
use yihao::types::{Mono, NetworkId};

fn main() {
    divan::main();
}

const BATCH: u32 = 2_000;
const STEP: Duration = Duration::from_micros(500);

fn flow() -> Flow {
    Flow {
        network: NetworkId(0),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: "192.0.2.9:5060".parse().expect("an address"),
        connection: None,
    }
}

fn branch(n: u32) -> Branch {
    let mut random = [7; 12];
    random[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    random[4..8].copy_from_slice(&n.to_be_bytes());
    Branch::from_random(random)
}

fn request(method: &str, n: u32) -> Bytes {
    let branch = branch(n);
    let branch = branch.as_str();
    Bytes::from(format!(
        "{method} sip:12345@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:13800138000@192.0.2.9>;tag=a{n}\r\nTo: <sip:12345@192.0.2.1>\r\n\
         Call-ID: {n}@192.0.2.9\r\nCSeq: 1 {method}\r\nContact: <sip:192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn parse(bytes: Bytes) -> Message {
    Message::parse(bytes).expect("a well-formed message")
}

/// A layer under way, its clock, and the number of the next transaction.
struct Running {
    layer: Transactions,
    now: Mono,
    next: u32,
    out: Vec<Transmit>,
}

impl Running {
    fn new() -> Running {
        let settings = Settings { most: 1_000_000, ..Settings::default() };
        Running { layer: Transactions::new(settings), now: Mono::default(), next: 0, out: Vec::new() }
    }

    fn numbers(&mut self) -> Range<u32> {
        let first = self.next;
        self.next += BATCH;
        first..self.next
    }

    fn step(&mut self) {
        self.now = self.now + STEP;
        while self.layer.tick(self.now, &mut self.out).is_some() {}
        self.out.clear();
    }
}

/// Warms up for more than 32 s, then measures batch by batch; making the batches does not count.
fn measure<T>(bencher: Bencher<'_, '_>, make: impl Fn(u32) -> T, run: impl Fn(&mut Running, Vec<T>)) {
    let running = RefCell::new(Running::new());
    let batch = || running.borrow_mut().numbers().map(&make).collect::<Vec<T>>();
    for _ in 0..40 {
        let warm_up = batch();
        run(&mut running.borrow_mut(), warm_up);
    }
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(batch)
        .bench_local_values(|batch| run(&mut running.borrow_mut(), batch));
}

fn incoming(method: &str, n: u32) -> (Message, Bytes) {
    let request = parse(request(method, n));
    let response = ResponseBuilder::to_request(&request, 200, "", Some("us")).build();
    (request, response)
}

fn serve(running: &mut Running, batch: Vec<(Message, Bytes)>) {
    let flow = flow();
    for (message, response) in batch {
        let event = running.layer.receive(running.now, &flow, message, &mut running.out);
        let Some(Event::Request { id, .. }) = event else { panic!("a new request") };
        running.layer.respond(running.now, id, response, &mut running.out).expect("the first answer");
        running.step();
    }
}

/// An OPTIONS comes, is answered with 200, lingers for 32 s.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn server_other(bencher: Bencher<'_, '_>) {
    measure(bencher, |n| incoming("OPTIONS", n), serve);
}

/// An INVITE comes, is answered with 200, lingers for 32 s.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn server_invite(bencher: Bencher<'_, '_>) {
    measure(bencher, |n| incoming("INVITE", n), serve);
}

fn outgoing(n: u32) -> (Outgoing, Message) {
    let (request, response) = incoming("OPTIONS", n);
    (Outgoing::new(Method::Options, branch(n), request.bytes().clone()), parse(response))
}

/// An OPTIONS of ours is answered with 200, lingers for 5 s.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn client_other(bencher: Bencher<'_, '_>) {
    measure(bencher, outgoing, |running, batch| {
        let flow = flow();
        for (outgoing, answer) in batch {
            let hop = Hop::to(flow.network, flow.transport, flow.remote);
            running.layer.request(running.now, outgoing, hop, &mut running.out).expect("there is room");
            let event = running.layer.receive(running.now, &flow, answer, &mut running.out);
            assert!(matches!(event, Some(Event::Response { .. })));
            running.step();
        }
    });
}
