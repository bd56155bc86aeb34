//! The inner parts of SIP by themselves: reading, the transaction core, a UAS over UDP, a B2BUA without anything else.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use mio::{Events, Interest, Poll, Token};
use nix::time::{ClockId, clock_gettime};
use yihao::dialplan::Plan;
use yihao::dialplan::file::{self, Outside};
use yihao::media::ports::PortPool;
use yihao::sip::endpoint::{self, Endpoint, Input, Output};
use yihao::sip::flow::{Flow, Transport};
use yihao::sip::message::{HeaderName, Message, NameAddr, ResponseBuilder, Uri};
use yihao::sip::transaction::{Event, Settings, Transactions};
use yihao::sip::transport::udp::Udp;
use yihao::types::{
    CallId, Cause, Dial, IdBase, LegCommand, LegEvent, LegId, LegIds, MediaPort, Mono, NetworkId, Now, SeatId, Target,
    Wall,
};

use crate::address::Street;
use crate::load::wire::{Caller, Place, Seen, answer};
use crate::load::{Load, Pace, Then, now_ns};
use crate::sample;

/// Units a second of `work`, which does one unit: the best of some rounds, since what disturbs only ever adds.
fn rate(mut work: impl FnMut()) -> f64 {
    const UNITS: u32 = 20_000;
    let mut best = f64::MAX;
    for _ in 0..15 {
        let begin = thread_time();
        for _ in 0..UNITS {
            work();
        }
        best = best.min((thread_time() - begin).as_secs_f64());
    }
    f64::from(UNITS) / best
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every kernel has it");
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

/// Messages lexed and indexed in a second.
pub(crate) fn lexed() -> f64 {
    let bytes = sample::invite();
    rate(|| {
        black_box(Message::parse(black_box(bytes.clone()))).expect("is a message");
    })
}

/// The same with a typed look at five headers and a response.
pub(crate) fn typed() -> f64 {
    let bytes = sample::invite();
    let ours = NameAddr::new(Uri::parse("sip:12345@10.20.30.40:5060").expect("is a URI"));
    rate(|| {
        let message = Message::parse(black_box(bytes.clone())).expect("is a message");
        let contact = message.contact().expect("is an address");
        black_box((message.top_via(), message.from(), message.to(), message.cseq(), contact));
        black_box(
            ResponseBuilder::to_request(&message, 180, "", Some("9a7d11")).header(HeaderName::Contact, &ours).build(),
        );
    })
}

/// Server transactions in a second: an INVITE comes, is answered, lingers for 32 s of virtual time among 64,000 others.
pub(crate) fn transactions() -> f64 {
    const BATCH: u32 = 2_000;
    const STEP: Duration = Duration::from_micros(500);
    let mut layer = Transactions::new(Settings { most: 1_000_000, ..Settings::default() });
    let (flow, mut now, mut out, mut best) = (plain_flow(), Mono::default(), Vec::new(), f64::MAX);
    for round in 0..60 {
        let batch: Vec<(Message, Bytes)> = (round * BATCH..(round + 1) * BATCH).map(small_invite).collect();
        let begin = thread_time();
        for (message, response) in batch {
            let Some(Event::Request { id, .. }) = layer.receive(now, &flow, message, &mut out) else { continue };
            layer.respond(now, id, response, &mut out).expect("the first answer");
            now = now + STEP;
            while layer.tick(now, &mut out).is_some() {}
            out.clear();
        }
        if round >= 40 {
            best = best.min((thread_time() - begin).as_secs_f64());
        }
    }
    f64::from(BATCH) / best
}

fn plain_flow() -> Flow {
    let at = |host| SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 5060));
    Flow { network: NetworkId(0), transport: Transport::Udp, local: at(1), remote: at(9), connection: None }
}

fn small_invite(n: u32) -> (Message, Bytes) {
    let mixed = n.wrapping_mul(0x9e37_79b9);
    let request = Message::parse(Bytes::from(format!(
        "INVITE sip:12345@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{mixed:08x}{n};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:13800138000@192.0.2.9>;tag=a{n}\r\nTo: <sip:12345@192.0.2.1>\r\n\
         Call-ID: {n}@192.0.2.9\r\nCSeq: 1 INVITE\r\nContact: <sip:192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
    )))
    .expect("a well-formed message");
    let response = ResponseBuilder::to_request(&request, 200, "", Some("us")).build();
    (request, response)
}

/// An endpoint with one trunk and one seat with a fixed contact, and the smallest core: it answers or connects.
struct Machine {
    endpoint: Endpoint,
    call: u64,
    dialled: LegIds,
    /// Ports of legs that the engine would hold.
    open: std::collections::BTreeMap<LegId, MediaPort>,
    out: Vec<Output>,
    connects: bool,
    /// The other leg of each.
    pairs: std::collections::BTreeMap<LegId, LegId>,
}

impl Machine {
    fn new(server: SocketAddr, carrier: IpAddr, phones: IpAddr, connects: bool) -> Result<Self> {
        let network = endpoint::Network {
            name: "main".to_owned(),
            listeners: vec![(Transport::Udp, server)],
            advertised_v4: Some(server.ip()),
            advertised_v6: None,
            media_over_tls: yihao::types::TlsMedia::Srtp,
        };
        let config = endpoint::Config {
            networks: vec![network],
            max_transactions: 1_000_000,
            max_legs: 100_000,
            max_calls_per_s: 1_000_000,
            ..endpoint::Config::default()
        };
        let ids = IdBase { node: 0, epoch_s: 1 };
        let port = |index: u16| MediaPort { network: NetworkId(0), worker: 0, port: 2 * index, v6: false };
        let plan = Arc::new(plan(carrier, phones)?);
        // Ports rest a second: so many are given back in one by a fast machine.
        let ports = PortPool::new((0..32_000).map(port));
        let seeds = endpoint::Seeds { wire: [7; 32], keys: [8; 32] };
        let mut endpoint =
            Endpoint::new(config, plan, endpoint::Secrets::default(), ports, ids.legs_of_endpoint(), seeds);
        let mut out = Vec::new();
        endpoint.handle(Now::default(), Input::Begin, &mut out);
        out.clear();
        Ok(Self {
            endpoint,
            call: 0,
            dialled: ids.legs_of_center(),
            open: std::collections::BTreeMap::new(),
            out,
            connects,
            pairs: std::collections::BTreeMap::new(),
        })
    }

    /// Feeds one input and does what a core would; what must be sent goes to `send`.
    fn feed(&mut self, now: Now, input: Input, send: &mut Vec<(SocketAddr, Bytes)>) {
        self.endpoint.handle(now, input, &mut self.out);
        while !self.out.is_empty() {
            for output in std::mem::take(&mut self.out) {
                self.obey(now, output, send);
            }
        }
    }

    fn obey(&mut self, now: Now, output: Output, send: &mut Vec<(SocketAddr, Bytes)>) {
        match output {
            Output::Send(transmit) => send.push((transmit.hop.remote, transmit.bytes)),
            Output::Leg { leg, event } => self.on_leg(now, leg, event),
            Output::Open { leg, port, .. } => {
                self.open.insert(leg, port);
            }
            Output::CloseMedia { leg } => {
                if let Some(port) = self.open.remove(&leg) {
                    self.endpoint.handle(now, Input::PortFree { port }, &mut self.out);
                }
            }
            Output::Close { .. }
            | Output::Resolve { .. }
            | Output::Stream { .. }
            | Output::SendDigit { .. }
            | Output::Reachable { .. }
            | Output::TrunkHealth { .. } => {}
        }
    }

    fn on_leg(&mut self, now: Now, leg: LegId, event: LegEvent) {
        match event {
            LegEvent::Arrived(_) if !self.connects => self.command(now, leg, LegCommand::Answer),
            LegEvent::Arrived(arrival) => {
                self.call += 1;
                let other = self.dialled.take();
                self.pairs.insert(leg, other);
                self.pairs.insert(other, leg);
                let line_name = format!("{} 热线", arrival.called);
                let dial = Dial {
                    target: Target::Seat(SeatId(8000)),
                    beside: Some(leg),
                    calling: arrival.calling,
                    line: arrival.called,
                    line_name,
                    auto_answer: false,
                };
                self.command(now, other, LegCommand::Dial(Box::new(dial)));
            }
            LegEvent::Answered => {
                if let Some(other) = self.pairs.get(&leg).copied().filter(|other| *other < leg) {
                    self.command(now, other, LegCommand::Answer);
                }
            }
            LegEvent::Ended { .. } => {
                if let Some(other) = self.pairs.remove(&leg) {
                    self.pairs.remove(&other);
                    self.command(now, other, LegCommand::Hangup(Cause::HungUp));
                }
            }
            LegEvent::Ringing
            | LegEvent::NoEarlyMedia
            | LegEvent::EarlyMedia(_)
            | LegEvent::Held(_)
            | LegEvent::Digit { .. }
            | LegEvent::Refer { .. } => {}
        }
    }

    fn command(&mut self, now: Now, leg: LegId, command: LegCommand) {
        self.endpoint.command(now, CallId(self.call), leg, command, &mut self.out);
    }
}

fn plan(carrier: IpAddr, phones: IpAddr) -> Result<Plan> {
    let text = format!(
        "deployment = \"bench\"\nzone = \"Asia/Shanghai\"\n[skills]\ngeneral = \"综合\"\n\
         [[trunk]]\nname = \"carrier\"\nnetwork = \"main\"\nsources = [\"{carrier}\"]\narea_code = \"816\"\n\
         [[queue]]\nname = \"general\"\nskill = \"general\"\n\
         [[line]]\nnumber = \"12345\"\nname = \"热线\"\n[[line.phase]]\nfrom = 2021-04-15\nmode = \"hotline\"\nqueue = \"general\"\n\
         [[seat]]\nnumber = 8000\nname = \"坐席\"\nskills = [\"general\"]\ncontact = \"sip:8000@{phones}:5060\"\n"
    );
    let (plan, report) = file::read("plan", &text, &Outside { prompts: &|_| true, networks: None });
    plan.with_context(|| format!("{report}"))
}

/// Calls answered by a UAS over UDP for each second of its processor time: INVITE, ACK, BYE, 100 at a time.
pub(crate) fn uas(seconds: u64) -> Result<f64> {
    let street = Street::take();
    let server = SocketAddr::new(street.at(1), 5060);
    let (carrier, phones) = (street.at(10), street.at(21));
    let machine = Machine::new(server, carrier, phones, false)?;
    let udp = Udp::bind(NetworkId(0), server, 24)?;
    let (stop, used) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let thread = std::thread::Builder::new().name("uas".into()).spawn({
        let (stop, used) = (stop.clone(), used.clone());
        move || answer_all(machine, udp, &stop, &used)
    })?;
    let mut load = Load::new(server, carrier, phones, "12345")?;
    let mut run = |seconds| load.run(Pace::AtATime(100), Then::Alone, Duration::from_secs(seconds), usize::MAX);
    run(1)?;
    let before = used.load(Ordering::Relaxed);
    let tally = run(seconds)?;
    let after = used.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    thread.join().ok().context("the UAS has panicked")??;
    ensure!(tally.bridged == tally.started && tally.started > 0, "the UAS lost calls: {tally:?}");
    Ok(tally.bridged as f64 / (after - before) as f64 * 1e9)
}

fn answer_all(mut machine: Machine, mut udp: Udp, stop: &AtomicBool, used: &AtomicU64) -> Result<()> {
    let mut poll = Poll::new()?;
    poll.registry().register(&mut udp, Token(0), Interest::READABLE)?;
    let (mut events, mut send, mut refused) = (Events::with_capacity(8), Vec::new(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(20)))?;
        let now = Now { mono: Mono(now_ns()), wall: Wall(0) };
        while udp.receive(|flow, bytes| {
            let bytes = Bytes::copy_from_slice(bytes);
            machine.feed(now, Input::Message { flow, bytes }, &mut send);
        })? {}
        if machine.endpoint.deadline().is_some_and(|at| at <= now.mono) {
            machine.feed(now, Input::Tick, &mut send);
        }
        for (to, bytes) in send.drain(..) {
            udp.send(to, bytes, yihao::sip::transaction::By::Nobody);
        }
        udp.flush(&mut refused);
        used.store(u64::try_from(thread_time().as_nanos())?, Ordering::Relaxed);
    }
    Ok(())
}

/// Calls set up and ended by the SIP machines alone in a second: two legs, two descriptions, virtual time, no sockets.
pub(crate) fn b2bua(batches: usize) -> Result<f64> {
    const BATCH: u64 = 200;
    /// 500 calls a second in virtual time keep 16,000 lingering.
    const STEP: Duration = Duration::from_millis(400);
    let at = |host| SocketAddr::from((Ipv4Addr::new(127, 0, 9, host), 5060));
    let place = |sip: SocketAddr| Place { sip, media: SocketAddr::new(sip.ip(), 40_000) };
    let (server, carrier, phone) = (at(1), place(at(10)), place(at(21)));
    let mut machine = Machine::new(server, carrier.sip.ip(), phone.sip.ip(), true)?;
    let mut now = Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000) };
    let flow = |remote| Flow { remote, local: server, ..plain_flow() };
    let mut times = Vec::new();
    for batch in 0..85 + batches as u64 {
        let mut spent = Duration::ZERO;
        let mut step = |from: SocketAddr, messages: Vec<String>| {
            let inputs: Vec<Bytes> = messages.into_iter().map(Bytes::from).collect();
            let mut send = Vec::with_capacity(4 * inputs.len());
            let begin = thread_time();
            for bytes in inputs {
                machine.feed(now, Input::Message { flow: flow(from), bytes }, &mut send);
            }
            machine.feed(now, Input::Tick, &mut send);
            spent += thread_time() - begin;
            now = now.after(STEP / 5);
            send
        };
        let callers: Vec<Caller<'_>> = (batch * BATCH..(batch + 1) * BATCH)
            .map(|n| Caller { n, place: carrier, server, called: "12345" })
            .collect();
        let sent = step(carrier.sip, callers.iter().map(Caller::invite).collect());
        let invites = to(&sent, phone.sip, "INVITE");
        ensure!(invites.len() == callers.len(), "{} of {BATCH} calls reached the seat", invites.len());
        let say = |requests: &[&Bytes], status| {
            requests.iter().filter_map(|bytes| answer(bytes, status, 0, phone)).collect::<Vec<String>>()
        };
        step(phone.sip, say(&invites, "180 Ringing"));
        let sent = step(phone.sip, say(&invites, "200 OK"));
        let answers = to(&sent, carrier.sip, "SIP/2.0 200");
        ensure!(answers.len() == callers.len(), "{} of {BATCH} calls were answered", answers.len());
        let seen: Vec<Seen<'_>> = answers.iter().filter_map(|bytes| Seen::at(bytes)).collect();
        let both = callers.iter().zip(&seen).flat_map(|(caller, seen)| {
            [("ACK", 1), ("BYE", 2)].map(|(method, cseq)| caller.in_dialog(method, cseq, seen.target(), seen.to))
        });
        let sent = step(carrier.sip, both.collect());
        let byes = to(&sent, phone.sip, "BYE");
        ensure!(byes.len() == callers.len(), "{} of {BATCH} calls were ended", byes.len());
        step(phone.sip, say(&byes, "200 OK"));
        if batch >= 85 {
            times.push(spent);
        }
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).context("no batch was measured")?;
    Ok(BATCH as f64 / median.as_secs_f64())
}

fn to<'a>(sent: &'a [(SocketAddr, Bytes)], whom: SocketAddr, begins: &str) -> Vec<&'a Bytes> {
    sent.iter()
        .filter(|(to, bytes)| *to == whom && bytes.starts_with(begins.as_bytes()))
        .map(|(_, bytes)| bytes)
        .collect()
}
