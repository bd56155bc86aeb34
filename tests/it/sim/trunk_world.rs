//! Calls over trunks in a seeded world: the endpoint dials, three carriers of one group answer, refuse, keep silent, challenge,
//! fork, cross CANCELs. After every input the wire is read; in the end each call fits what the carriers did with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use yihao::dialplan::PlanText;
use yihao::dialplan::file::Outside;
use yihao::exchange::{self, Overheard};
use yihao::media::engine as media;
use yihao::media::ports::PortPool;
use yihao::sip::endpoint::{Config, Endpoint, Input, Network, Output, Secrets, Seeds};
use yihao::sip::flow::{Flow, Transport};
use yihao::types::{
    CallId, Calling, Cause, Dial, LegCommand, LegEvent, LegId, LineNumber, MediaPort, Mono, NetworkId, Now,
    PhoneNumber, Target, TlsMedia, TrunkId,
};

use super::dice::Dice;
use super::sip::books::Books;
use super::sip::engine::{Engine, Later, early_media};
use super::sip::net::Weather;
use super::sip::peer::{Peer, Talk};
use super::sip::script::{Act, Reaction};
use super::sip::seam::Seam;
use super::sip::site::{BASE, REALM, START, exchange_at};

const PLAN: &str = r#"
deployment = "trunks"
zone = "Asia/Shanghai"
[skills]
general = "general"
[[queue]]
name = "general"
skill = "general"
[[seat]]
number = 8001
name = "one"
skills = ["general"]
[[line]]
number = "12345"
name = "hotline"
[[line.phase]]
from = 2021-04-15
mode = "hotline"
queue = "general"
[[trunk]]
name = "first"
network = "carrier"
sources = ["10.1.0.1/32"]
address = "sip:10.1.0.1:5060"
options_s = 30
area_code = "816"
group = { name = "out", order = 0 }
register = { user = "0816" }
caller = { policy = "own", number = "12345" }
[[trunk]]
name = "second"
network = "carrier"
sources = ["10.1.0.2/32"]
address = "sip:10.1.0.2:5060"
options_s = 30
area_code = "816"
group = { name = "out", order = 1, weight = 70 }
caller = { policy = "own", number = "12345" }
[[trunk]]
name = "third"
network = "carrier"
sources = ["10.1.0.3/32"]
address = "sip:10.1.0.3:5060"
area_code = "816"
group = { name = "out", order = 1, weight = 30 }
caller = { policy = "own", number = "12345" }
"#;
const CARRIERS: u8 = 3;
const CALLS: u32 = 60;
/// Time enough to give up three carriers that say nothing, 4 s each.
const THREE_IN_VAIN: Duration = Duration::from_secs(20);

enum Event {
    ToExchange(Flow, Bytes),
    ToPeer(usize, SocketAddr, Bytes),
    Act(usize, u32, Act),
    Wake(usize),
    Free(MediaPort),
    Early(LegId, MediaPort, bool),
    Silent(SocketAddr, u32),
    Dials,
    HangsUp(u32),
}

/// A call of ours, and what the endpoint said of it.
#[derive(Clone, Debug, Default)]
struct Ours {
    dialled_at: Mono,
    let_go: Option<Mono>,
    answered: bool,
    /// Whether it was heard before its answer, each time that this changed.
    heard: Vec<bool>,
    ended: Option<(Cause, Option<u16>)>,
}

struct World {
    seed: u64,
    weather: Weather,
    endpoint: Endpoint,
    engine: Engine,
    books: Books,
    seam: Seam,
    peers: Vec<Peer>,
    dice: Dice,
    at: Mono,
    due: BTreeMap<(Mono, u64), Event>,
    scheduled: u64,
    woken: Vec<Option<Mono>>,
    calls: BTreeMap<u32, Ours>,
    out: Vec<Output>,
}

impl World {
    fn new(seed: u64, weather: Weather) -> World {
        let mut dice = Dice::new(seed);
        let plan = PlanText::new("trunks.toml", PLAN);
        let plan = plan.read(&Outside { prompts: &|_| true, networks: None }).0.expect("the world's plan is sound");
        let config = Config {
            networks: vec![Network {
                name: "carrier".to_owned(),
                listeners: vec![(Transport::Udp, exchange_at(0))],
                advertised_v4: None,
                advertised_v6: None,
                media_over_tls: TlsMedia::Srtp,
            }],
            realm: REALM.to_owned(),
            session_expires_s: dice.pick(&[90, 1_800]),
            ..Config::default()
        };
        let port = |n: u16| MediaPort { network: NetworkId(0), worker: 0, port: 20_000 + 2 * n, v6: false };
        let secrets = Secrets { trunks: [("first".to_owned(), "ours".to_owned())].into(), ..Secrets::default() };
        let wire = std::array::from_fn(|_| u8::try_from(dice.below(256)).expect("a byte"));
        let ports = PortPool::new((0..200).map(port));
        let seeds = Seeds { wire, keys: [0; 32] };
        let endpoint = Endpoint::new(config, Arc::new(plan), secrets, ports, BASE.legs_of_endpoint(), seeds);
        let peers = (1..=CARRIERS).map(|n| {
            let dice = Dice::new(dice.below(u64::MAX));
            let at = (([10, 1, 0, n], 5060).into(), Transport::Udp);
            Peer::new(at, exchange_at(0), None, weather == Weather::ROUGH, dice).taking_calls(n == 1)
        });
        let peers: Vec<Peer> = peers.collect();
        let mut world = World {
            seed,
            weather,
            endpoint,
            engine: Engine::default(),
            books: Books::default(),
            seam: Seam::default(),
            woken: vec![None; peers.len()],
            peers,
            dice,
            at: START.mono,
            due: BTreeMap::new(),
            scheduled: 0,
            calls: BTreeMap::new(),
            out: Vec::new(),
        };
        world.feed(Input::Begin);
        world.after(2_000, Event::Dials);
        world
    }

    fn now(&self) -> Now {
        START.after(self.at.since(START.mono))
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.at(self.at + Duration::from_millis(ms), event);
    }

    fn at(&mut self, at: Mono, event: Event) {
        self.scheduled += 1;
        self.due.insert((at, self.scheduled), event);
    }

    fn run(mut self) -> World {
        let mut quiet_from = None;
        for step in 0.. {
            assert!(step < 200_000, "seed {}: the world never ends", self.seed);
            let talks = self.peers.iter().any(|peer| peer.talks.values().any(Talk::is_open));
            let is_busy = self.calls.len() < CALLS as usize || self.endpoint.legs() > 0 || talks;
            let since = *quiet_from.get_or_insert(self.at);
            if is_busy {
                quiet_from = None;
            } else if self.at.since(since) > Duration::from_secs(75) {
                break;
            }
            self.step();
        }
        self.nothing_is_left();
        for (number, ours) in &self.calls {
            self.look_at(*number, ours);
        }
        self
    }

    fn step(&mut self) {
        let next = self.due.keys().next().map(|(at, _)| *at);
        match (self.endpoint.deadline(), next) {
            (Some(tick), next) if next.is_none_or(|next| tick <= next) => {
                self.at = self.at.max(tick);
                self.feed(Input::Tick);
            }
            _ => {
                let ((at, _), event) = self.due.pop_first().expect("probes and calls are still to come");
                self.at = at;
                self.happen(event);
            }
        }
        let faults = self.engine.faults.iter().chain(&self.books.faults).chain(&self.seam.faults);
        if let Some(fault) = faults.chain(self.peers.iter().flat_map(|peer| &peer.faults)).next() {
            panic!("seed {}: {fault}", self.seed);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToExchange(flow, bytes) => self.feed(Input::Message { flow, bytes }),
            Event::ToPeer(index, from, bytes) => {
                self.peers[index].receive(self.at, from, bytes);
                self.listen_to(index);
            }
            Event::Act(index, number, act) => {
                if act == Act::Vanish {
                    let audio = self.peers[index].audio_at(number);
                    self.after(30_000, Event::Silent(audio, 1));
                }
                self.peers[index].act(self.at, number, act, true);
                self.listen_to(index);
            }
            Event::Wake(index) => {
                self.woken[index] = None;
                self.peers[index].tick(self.at);
                self.listen_to(index);
            }
            Event::Free(port) => self.feed(Input::PortFree { port }),
            Event::Early(leg, port, heard) => {
                self.engine.tells(&media::Event::EarlyMedia { leg, port, heard });
                self.feed(Input::EarlyMedia { leg, port, heard });
            }
            Event::Silent(remote, times) => {
                if let Some(leg) = self.engine.leg_of(remote) {
                    assert!(times < 3, "seed {}: nobody notices that the far end of {leg} is dead", self.seed);
                    self.feed(Input::Silent { leg });
                    self.after(30_000, Event::Silent(remote, times + 1));
                }
            }
            Event::Dials => self.dials(),
            Event::HangsUp(number) => self.hangs_up(number),
        }
    }

    fn dials(&mut self) {
        let number = u32::try_from(self.calls.len()).expect("few calls");
        self.calls.insert(number, Ours { dialled_at: self.at, ..Ours::default() });
        let dial = Dial {
            target: Target::Trunk { trunk: TrunkId(0), number: dialled(number) },
            beside: None,
            calling: Calling::default(),
            line: LineNumber::parse("12345").expect("a line"),
            line_name: String::new(),
            auto_answer: false,
        };
        self.tell(number, LegCommand::Dial(Box::new(dial)));
        let patience =
            if self.dice.percent(20) { self.dice.between(1, 6_000) } else { self.dice.between(6_000, 50_000) };
        self.after(patience, Event::HangsUp(number));
        if self.calls.len() < CALLS as usize {
            let next = if self.dice.percent(30) { 1 } else { self.dice.between(100, 20_000) };
            self.after(next, Event::Dials);
        }
    }

    /// Whoever called has waited or talked long enough.
    fn hangs_up(&mut self, number: u32) {
        let ours = self.calls.get_mut(&number).expect("it was dialled");
        if ours.ended.is_none() {
            ours.let_go = Some(self.at);
            let why = if ours.answered { Cause::HungUp } else { Cause::Cancelled };
            self.tell(number, LegCommand::Hangup(why));
        }
    }

    fn tell(&mut self, number: u32, command: LegCommand) {
        let (leg, call) = (leg_of(number), CallId(u64::from(number) + 1));
        self.seam.turn(vec![Overheard::Told(leg, command.clone())]);
        let mut out = std::mem::take(&mut self.out);
        self.endpoint.command(self.now(), call, leg, command, &mut out);
        self.carry_out(out);
    }

    fn feed(&mut self, input: Input) {
        let mut out = std::mem::take(&mut self.out);
        self.endpoint.handle(self.now(), input, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, mut out: Vec<Output>) {
        for output in out.drain(..) {
            match output {
                Output::Send(transmit) => {
                    self.books.turn(&[exchange::Output::Send(transmit.clone())]);
                    let index = self.peers.iter().position(|peer| peer.at == transmit.hop.remote).expect("a carrier");
                    for delay in self.weather.carry(&mut self.dice) {
                        self.at(self.at + delay, Event::ToPeer(index, exchange_at(0), transmit.bytes.clone()));
                    }
                }
                Output::Leg { leg, event } => self.hear(leg, event),
                Output::Open { leg, call, port, party } => {
                    self.engine.obey(&media::Command::Open { leg, call, port, party });
                }
                Output::Stream { leg, params, early } => {
                    self.engine.obey(&media::Command::Stream { leg, params, early });
                }
                Output::CloseMedia { leg } => self.engine.obey(&media::Command::Close { leg }),
                Output::SendDigit { .. }
                | Output::Close { .. }
                | Output::Resolve { .. }
                | Output::Reachable { .. }
                | Output::TrunkHealth { .. } => {}
            }
        }
        self.out = out;
        self.seam.compare_early(&self.engine.early());
        for later in std::mem::take(&mut self.engine.later) {
            match later {
                Later::Closed(media::Event::Closed { port, .. }) => {
                    let ms = self.dice.between(1, 60);
                    self.after(ms, Event::Free(port));
                }
                Later::Early(leg, port) => {
                    for (ms, heard) in early_media(&mut self.dice) {
                        self.after(ms, Event::Early(leg, port, heard));
                    }
                }
                Later::Closed(_) | Later::Plays(..) => {}
            }
        }
    }

    fn hear(&mut self, leg: LegId, event: LegEvent) {
        self.seam.turn(vec![Overheard::Said(leg, event.clone()), Overheard::Taken(leg, event.clone())]);
        let ours = self.calls.get_mut(&number_of(leg)).expect("a leg of ours");
        match event {
            LegEvent::Answered => ours.answered = true,
            LegEvent::EarlyMedia(heard) => ours.heard.push(heard),
            LegEvent::Ended { cause, status } => ours.ended = Some((cause, status)),
            LegEvent::Arrived(_)
            | LegEvent::Ringing
            | LegEvent::NoEarlyMedia
            | LegEvent::Held(_)
            | LegEvent::Digit { .. }
            | LegEvent::Refer { .. } => {}
        }
    }

    fn listen_to(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        let (out, then) = (std::mem::take(&mut peer.out), std::mem::take(&mut peer.then));
        let (remote, deadline) = (peer.at, peer.deadline());
        for transmit in out {
            let (network, local) = (NetworkId(0), exchange_at(0));
            let flow = Flow { network, transport: Transport::Udp, local, remote, connection: None };
            for delay in self.weather.carry(&mut self.dice) {
                self.at(self.at + delay, Event::ToExchange(flow, transmit.bytes.clone()));
            }
        }
        for (ms, number, act) in then {
            self.after(ms, Event::Act(index, number, act));
        }
        if let Some(deadline) = deadline
            && self.woken[index].is_none_or(|woken| deadline < woken)
        {
            self.woken[index] = Some(deadline);
            self.at(deadline.max(self.at), Event::Wake(index));
        }
    }

    fn nothing_is_left(&mut self) {
        let seed = self.seed;
        assert!(self.endpoint.left().is_nothing(), "seed {seed}: left: {:?}", self.endpoint.left());
        assert_eq!(self.endpoint.ports(self.now()).in_use, 0, "seed {seed}: ports");
        assert!(self.engine.is_empty(), "seed {seed}: legs are left in the engine");
        assert_eq!(self.seam.open(), [], "seed {seed}: legs without a last word");
        for talk in self.peers.iter().flat_map(|peer| peer.talks.values()) {
            let left_alone = talk.seen.bye_refused && talk.branches[0].byes == 0 && !talk.is_gone();
            assert!(!left_alone, "seed {seed}: the dialog of {} was gone and nobody had said so", talk.call_id);
        }
    }

    /// What carriers did with a call, and what became of it.
    fn look_at(&self, number: u32, ours: &Ours) {
        let wanted = dialled(number);
        let of_peer = |peer: &Peer| peer.talks.values().find(|talk| talk.number == wanted.as_str()).map(Tried::of);
        let tried: Vec<Tried> = self.peers.iter().filter_map(of_peer).collect();
        let calls: BTreeSet<_> = self.peers.iter().flat_map(|p| p.talks.values()).map(|talk| &talk.call_id).collect();
        let all = self.peers.iter().map(|peer| peer.talks.len()).sum::<usize>();
        assert_eq!(calls.len(), all, "seed {}: a carrier is asked twice in one call", self.seed);
        let (cause, status) = ours.ended.expect("it ended");
        let up = tried.iter().filter(|tried| tried.was_up).count();
        let about_the_callee = tried.iter().find(|tried| tried.refused.is_some_and(|status| !fails_over(status)));
        let fits = if ours.answered {
            up >= 1 && about_the_callee.is_none()
        } else if let Some(at) = ours.let_go {
            // It may have ended by itself in the same moment. Carriers that say nothing at all are left for the next one.
            let in_vain = tried.iter().all(|tried| tried.silent) && at.since(ours.dialled_at) > THREE_IN_VAIN;
            !in_vain || tried.len() == usize::from(CARRIERS) || self.weather == Weather::ROUGH
        } else if let Some(refused) = about_the_callee {
            status == refused.refused && up == 0
        } else if cause == Cause::NoCommonMedia {
            tried.iter().any(|tried| tried.odd)
        } else {
            // Nobody is left who was not asked; a lost INVITE was never seen.
            tried.len() == usize::from(CARRIERS) || self.weather == Weather::ROUGH
        };
        assert!(fits, "seed {}: {ours:?}, and the carriers did {tried:?}", self.seed);
    }
}

/// What a carrier did.
#[derive(Clone, Copy, Debug)]
struct Tried {
    refused: Option<u16>,
    was_up: bool,
    silent: bool,
    odd: bool,
}

impl Tried {
    fn of(talk: &Talk) -> Tried {
        let refused = match talk.script.reaction {
            Reaction::Decline(status) if talk.seen.status == Some(status) => Some(status),
            Reaction::Decline(_) | Reaction::Answer | Reaction::Ring | Reaction::Silent | Reaction::AnswerOnCancel => {
                None
            }
        };
        Tried {
            refused,
            was_up: talk.branches.iter().any(|branch| branch.up),
            silent: talk.script.reaction == Reaction::Silent,
            odd: talk.script.odd_codec,
        }
    }
}

fn fails_over(status: u16) -> bool {
    matches!(status, 500 | 502..=504)
}

fn dialled(number: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("138{number:08}")).expect("a number")
}

fn leg_of(number: u32) -> LegId {
    LegId(2 * u64::from(number) + 1)
}

fn number_of(leg: LegId) -> u32 {
    u32::try_from(leg.0 / 2).expect("few calls")
}

fn run(weather: Weather, seeds: std::ops::Range<u64>) {
    let (mut answered, mut ended, mut moved_on, mut proved) = (0, BTreeMap::new(), 0, 0);
    let (mut heard, mut in_vain) = (0, 0);
    for seed in seeds {
        let world = World::new(seed, weather).run();
        answered += world.calls.values().filter(|ours| ours.answered).count();
        heard += world.calls.values().filter(|ours| ours.heard.contains(&true)).count();
        in_vain += world.calls.values().filter(|ours| ours.heard.contains(&true) && !ours.answered).count();
        for (cause, _) in world.calls.values().filter_map(|ours| ours.ended) {
            *ended.entry(format!("{cause:?}")).or_insert(0) += 1;
        }
        moved_on += world.peers[1..].iter().map(|peer| peer.talks.len()).sum::<usize>();
        proved += world.peers[0].proved;
    }
    eprintln!("{weather:?}: {answered} answered, {moved_on} moved on, {proved} proved, {ended:?}");
    eprintln!("{heard} heard before the answer, of {in_vain} no answer followed");
    assert!(answered > 100 && moved_on > 100 && proved > 10, "hardly anything happens");
    assert!(heard > 100 && in_vain > 20, "hardly anybody is heard before the answer");
}

#[test]
fn calls_find_a_carrier_that_serves_them() {
    run(Weather::CALM, 1..31);
}

#[test]
fn answers_that_cross_the_end_of_a_call_do_no_harm() {
    run(Weather::SLOW, 1_001..1_031);
}

#[test]
fn lost_and_doubled_datagrams_lose_no_dialled_call() {
    run(Weather::ROUGH, 2_001..2_031);
}
