//! The whole exchange in a seeded world: SIP machines and center together, from datagram to datagram, in virtual time.
//!
//! Peers are user agents of their own; the network delays, doubles, loses and reorders; trunks die and come back. After every
//! input the books are checked, and in the end nothing may be left. A failing seed leaves a log that `yihao replay` plays.

mod streams;
mod whims;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use yihao::center::PresenceCommand;
use yihao::exchange::{Exchange, Input, Output};
use yihao::media::engine as media;
use yihao::node::input_log::{Digest, Entry, Header, InputLog, Limits, play, segment_path};
use yihao::sip::endpoint::{self, Refused};
use yihao::sip::flow::{ConnId, Flow, Transport};
use yihao::sip::transaction::Transmit;
use yihao::types::{Cause, Fate, LegId, Mono, Now, RunId, SeatId};

use super::dice::Dice;
use super::sip::books::{Books, Door};
use super::sip::engine::{Engine, Later, early_media};
use super::sip::forger::{Forger, stranger};
use super::sip::net::Weather;
use super::sip::peer::{Peer, Phase, Talk};
use super::sip::script::Act;
use super::sip::seam::Seam;
use super::sip::site::{self, START, TRUNKS};
use super::sip::wires::{To, Wires};
use whims::presence;

/// What happens at some time.
enum Event {
    ToExchange(Flow, Bytes),
    ToPeer(usize, SocketAddr, Bytes),
    Act(usize, u32, Act),
    Wake(usize),
    Media(media::Event),
    Played(LegId, RunId),
    /// A far end has been silent so many times thirty seconds.
    Silent(SocketAddr, u32),
    Input(Input),
    Dials,
    Whim,
    Registers(usize),
    ComesBack(usize),
    /// A piece of a stream arrives.
    Piece(ConnId, To, Bytes),
    /// An end of a broken connection learns that it broke.
    ExchangeMisses(ConnId),
    PeerMisses(ConnId),
    Reconnects(usize),
    /// A caller's connection broke, and it listened nowhere.
    MustBeOver(usize, String),
}

/// What kind of a day it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    weather: Weather,
    /// Parties vanish, do not acknowledge, trunks die.
    storm: bool,
}

/// Whom a caller has spoken with, and what it heard last, as the engine has it.
#[derive(Clone, Debug, Default)]
struct Heard {
    seat: Option<SeatId>,
    /// All seats that it was joined to: one may be lost, and another has the call.
    seats: BTreeSet<SeatId>,
    /// The phone's call that it was last joined to.
    party: Option<(usize, u32)>,
    last_prompt: Option<String>,
    /// It was joined to somebody outside.
    outside: bool,
}

struct World {
    seed: u64,
    day: Day,
    header: Header,
    exchange: Exchange,
    engine: Engine,
    books: Books,
    seam: Seam,
    peers: Vec<Peer>,
    dice: Dice,
    at: Mono,
    /// Ticks in a row that have not let time pass.
    idle_ticks: u32,
    due: BTreeMap<(Mono, u64), Event>,
    scheduled: u64,
    woken: Vec<Option<Mono>>,
    wires: Wires,
    /// Connections that broke, and talks that were held over them then.
    broken: u64,
    outlived: u64,
    /// By which connection a call came, by its Call-ID.
    came_by: BTreeMap<String, ConnId>,
    /// Callers who could be answered nowhere.
    unreachable: u64,
    forger: Forger,
    /// The next input is a lie from here: it may change nothing.
    lie_from: Option<SocketAddr>,
    /// INVITEs that were refused since the disk was full.
    refused_by_disk: u64,
    heard: BTreeMap<(usize, u32), Heard>,
    by_audio: BTreeMap<SocketAddr, (usize, u32)>,
    /// Talks without a citizen who calls, or with somebody outside: one of both will hang up.
    ending: BTreeSet<(SocketAddr, SocketAddr)>,
    to_dial: u64,
    inputs: Vec<(Now, Input)>,
    out: Vec<Output>,
    quiet_from: Option<Mono>,
    missed: BTreeSet<Bytes>,
    /// Of all outputs; kept in small worlds only, since it takes as long as everything else.
    digest: Option<Digest>,
}

impl World {
    fn new(seed: u64, calls: u64, day: Day) -> World {
        let mut dice = Dice::new(seed);
        let by = |tcp: bool| if tcp { Transport::Tcp } else { Transport::Udp };
        let second_by = by(dice.percent(50));
        let header = site::header(&mut dice, second_by);
        let mut exchange = header.build_with(site::secrets()).expect("the world's plan is sound");
        exchange.listen();
        let mut peers = Vec::new();
        for (trunk, by) in TRUNKS.into_iter().zip([Transport::Udp, second_by]) {
            let dice = Dice::new(dice.below(u64::MAX));
            let peer = Peer::new(((trunk, 5060).into(), by), site::exchange_at(0), None, day.storm, dice);
            peers.push(peer.taking_calls(false));
        }
        for (index, seat) in site::SEATS.into_iter().enumerate() {
            // Every other seat has two telephones.
            for phone in 0..=u8::from(index % 2 == 1) {
                let at = ([10, 2, phone, u8::try_from(index).expect("few seats") + 1], 5060).into();
                let (by, dice) = (by(dice.percent(35)), Dice::new(dice.below(u64::MAX)));
                peers.push(Peer::new((at, by), site::exchange_at(1), Some(seat), day.storm, dice));
            }
        }
        let forger = Forger::new(Dice::new(dice.below(u64::MAX)));
        let woken = vec![None; peers.len()];
        let mut world = World {
            seed,
            day,
            header,
            exchange,
            engine: Engine::default(),
            books: Books::default(),
            seam: Seam::default(),
            peers,
            dice,
            at: START.mono,
            idle_ticks: 0,
            due: BTreeMap::new(),
            scheduled: 0,
            woken,
            wires: Wires::default(),
            broken: 0,
            outlived: 0,
            came_by: BTreeMap::new(),
            unreachable: 0,
            forger,
            lie_from: None,
            refused_by_disk: 0,
            heard: BTreeMap::new(),
            by_audio: BTreeMap::new(),
            ending: BTreeSet::new(),
            to_dial: calls,
            inputs: Vec::new(),
            out: Vec::new(),
            quiet_from: None,
            missed: BTreeSet::new(),
            digest: (calls < CALLS).then(Digest::default),
        };
        world.feed(Input::Sip(endpoint::Input::Begin));
        world.open_doors();
        world
    }

    fn open_doors(&mut self) {
        for index in TRUNKS.len()..self.peers.len() {
            self.after(1, Event::Registers(index));
        }
        for seat in site::SEATS {
            for (ms, command) in [(2_000, PresenceCommand::SignIn), (2_500, PresenceCommand::Ready)] {
                self.after(ms, Event::Input(presence(seat, command)));
            }
        }
        self.after(3_000, Event::Dials);
        self.after(4_000, Event::Whim);
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

    /// Does the next thing; `false` when nothing more is to come.
    fn step(&mut self) -> bool {
        let next = self.due.keys().next().map(|(at, _)| *at);
        let tick = self.exchange.deadline();
        match (tick, next) {
            (None, None) => return false,
            (Some(tick), next) if next.is_none_or(|next| tick <= next) => {
                self.idle_ticks = if tick <= self.at { self.idle_ticks + 1 } else { 0 };
                assert!(self.idle_ticks < MOST_IDLE_TICKS, "a deadline is served again and again and stays: {tick:?}");
                self.at = self.at.max(tick);
                self.feed(Input::Tick);
            }
            _ => {
                let ((at, _), event) = self.due.pop_first().expect("there is a next");
                self.at = at;
                self.happen(event);
            }
        }
        self.is_open()
    }

    /// The day goes on until everybody has gone home and the last echo is gone: registrations and probes never end.
    fn is_open(&mut self) -> bool {
        let busy = self.to_dial > 0
            || self.exchange.center().calls() > 0
            || self.peers.iter().any(|p| p.talks.values().any(Talk::is_open));
        if busy {
            self.quiet_from = None;
            return true;
        }
        let since = *self.quiet_from.get_or_insert(self.at);
        self.at.since(since) < Duration::from_secs(75)
    }

    fn who_is_busy(&self) -> String {
        let talks = self.peers.iter().flat_map(|p| p.talks.values().filter(|t| t.is_open()).map(move |t| (p.at, t)));
        let open: Vec<_> = talks.map(|(at, t)| (at, &t.call_id, t.phase, t.seen)).collect();
        format!("{} to dial, {:?}, {open:?}", self.to_dial, self.exchange.left())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToExchange(flow, bytes) => {
                self.message(flow, bytes);
            }
            Event::ToPeer(index, from, bytes) => {
                // An INVITE that began while a phone was away is not taken up in its last moments.
                if self.peers[index].gone && bytes.starts_with(b"INVITE ") {
                    self.missed.insert(bytes.clone());
                }
                if self.missed.contains(&bytes) {
                    return;
                }
                self.peers[index].receive(self.at, from, bytes);
                self.listen_to(index);
            }
            Event::Act(index, number, act) => {
                let talking = self.engine_joins(index, number);
                if act == Act::Vanish {
                    let at = self.peers[index].audio_at(number);
                    self.after(30_000, Event::Silent(at, 1));
                }
                self.peers[index].act(self.at, number, act, talking);
                self.listen_to(index);
            }
            Event::Wake(index) => {
                self.woken[index] = None;
                self.peers[index].tick(self.at);
                self.listen_to(index);
            }
            Event::Media(event) => {
                self.engine.tells(&event);
                self.feed(Input::Media(event));
            }
            Event::Played(leg, run) => {
                if self.engine.played(leg, run) {
                    self.feed(Input::Media(media::Event::PromptEnded { leg, run }));
                    self.engine.listen(Some((leg, run)));
                    self.judge();
                }
            }
            Event::Silent(remote, times) => {
                if let Some(leg) = self.engine.leg_of(remote) {
                    // A probe goes unanswered for 32 s, then the leg is over. Before the answer there is no dialog to probe in.
                    let caller = self.by_audio.get(&remote).map(|(index, number)| &self.peers[*index].talks[number]);
                    let answered = caller.is_none_or(|talk| talk.seen.status.is_some());
                    assert!(times < 3 || !answered, "nobody notices that the far end of {leg} is dead");
                    self.feed(Input::Media(media::Event::Silent { leg }));
                    self.after(30_000, Event::Silent(remote, times + 1));
                }
            }
            Event::Input(input) => self.feed(input),
            Event::Dials => self.dials(),
            Event::Whim => self.whim(),
            Event::Registers(index) => self.registers(index),
            Event::ComesBack(index) => {
                self.peers[index].gone = false;
                if self.peers[index].seat.is_some() {
                    self.peers[index].register(self.at, 120);
                }
                self.listen_to(index);
            }
            Event::Piece(connection, to, bytes) => self.piece(connection, to, &bytes),
            Event::ExchangeMisses(connection) => self.exchange_misses(connection),
            Event::PeerMisses(connection) => self.peer_misses(connection),
            Event::Reconnects(index) => self.reconnects(index),
            Event::MustBeOver(index, call_id) => self.must_be_over(index, &call_id),
        }
    }

    fn message(&mut self, flow: Flow, bytes: Bytes) {
        let wants_proof = flow.remote.ip().to_string().starts_with("10.2.") && flow.remote != stranger();
        if let Some(call_id) = self.books.arrived(&bytes, wants_proof)
            && let Some(connection) = flow.connection
        {
            self.came_by.insert(call_id, connection);
        }
        self.feed(Input::Sip(endpoint::Input::Message { flow, bytes }));
    }

    fn engine_joins(&self, index: usize, number: u32) -> bool {
        let mine = self.peers[index].audio_at(number);
        self.engine.pairs().iter().any(|(a, _)| *a == mine)
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.inputs.push((now, input.clone()));
        let mut out = std::mem::take(&mut self.out);
        let before = self.lie_from.is_some().then(|| self.exchange.left());
        self.exchange.handle(now, input, &mut out);
        self.exchange.center().check();
        self.books.turn(&out);
        let heard = self.exchange.listen();
        if let Some(from) = self.lie_from.take() {
            self.look_at_lie(from, &out, before != Some(self.exchange.left()) || !heard.is_empty());
        }
        self.seam.turn(heard);
        self.look_at_disk();
        if let Some(digest) = &mut self.digest {
            digest.take(&out);
        }
        for output in out.drain(..) {
            match output {
                Output::Send(transmit) => self.carry(transmit),
                Output::Media(command) => self.engine.obey(&command),
                Output::Ledger(_)
                | Output::Close(_)
                | Output::Resolve { .. }
                | Output::Seat(_)
                | Output::Reply { .. } => {}
            }
        }
        self.out = out;
        for promise in std::mem::take(&mut self.books.promises) {
            self.engine.keep(&promise);
        }
        self.engine.listen(None);
        self.seam.compare_early(&self.engine.early());
        self.follow_engine();
        self.judge();
    }

    /// Nobody is refused for a full disk that is not full.
    fn look_at_disk(&mut self) {
        let refused = self.exchange.endpoint().refused().iter();
        let by_disk = refused.filter(|((_, why), _)| *why == Refused::DiskFull).map(|(_, n)| n).sum();
        let before = std::mem::replace(&mut self.refused_by_disk, by_disk);
        if before != by_disk && self.books.door != Door::DiskFull {
            self.books.faults.push("refused for a full disk, and it is not full".to_owned());
        }
    }

    fn carry(&mut self, transmit: Transmit) {
        let from = site::exchange_at(transmit.hop.network.0);
        if transmit.hop.remote == stranger() {
            return self.forger.receive(&transmit.bytes);
        }
        if transmit.hop.transport == Transport::Tcp {
            return self.carry_by_wire(&transmit);
        }
        let remote = transmit.hop.remote;
        let stands_at = |p: &Peer| p.at == remote || p.moving_to == Some(remote) || p.left.contains(&remote);
        let Some(index) = self.peers.iter().position(stands_at) else {
            return self.books.faults.push(format!("sent to nobody: {}", transmit.hop.remote));
        };
        for delay in self.day.weather.carry(&mut self.dice) {
            self.at(self.at + delay, Event::ToPeer(index, from, transmit.bytes.clone()));
        }
    }

    /// A phone that has moved says some of what it says in dialogs from where it stood before.
    fn speaks_from(&mut self, index: usize, bytes: &Bytes) -> SocketAddr {
        let peer = &self.peers[index];
        if bytes.starts_with(b"REGISTER ") {
            return peer.moving_to.unwrap_or(peer.at);
        }
        let is_in_dialog = [&b"BYE "[..], b"INFO ", b"UPDATE ", b"PRACK "].iter().any(|word| bytes.starts_with(word));
        match peer.left.last() {
            Some(left) if is_in_dialog && self.dice.percent(40) => *left,
            Some(_) | None => peer.at,
        }
    }

    /// Takes what a peer sends and wants, and wakes it in time.
    fn listen_to(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        let (out, then) = (std::mem::take(&mut peer.out), std::mem::take(&mut peer.then));
        let (gone, deadline, by) = (peer.gone, peer.deadline(), peer.transport);
        for transmit in out.into_iter().filter(|_| !gone) {
            if by == Transport::Tcp {
                self.write_to_exchange(index, &transmit.bytes);
                continue;
            }
            let local = transmit.hop.remote;
            let remote = self.speaks_from(index, &transmit.bytes);
            let flow =
                Flow { network: site::network_of(local), transport: Transport::Udp, local, remote, connection: None };
            for delay in self.day.weather.carry(&mut self.dice) {
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
        self.judge();
    }

    fn follow_engine(&mut self) {
        for later in std::mem::take(&mut self.engine.later) {
            match later {
                Later::Plays(leg, run) => {
                    let ms = self.dice.between(1_500, 6_000);
                    self.after(ms, Event::Played(leg, run));
                    let prompt = self.engine.remote(leg).and_then(|at| Some((at, self.engine.prompt_of(at)?)));
                    if let Some((at, prompt)) = prompt
                        && let Some(who) = self.by_audio.get(&at)
                    {
                        self.heard.entry(*who).or_default().last_prompt = Some(prompt);
                    }
                }
                Later::Closed(event) => {
                    let ms = self.dice.between(1, 60);
                    self.after(ms, Event::Media(event));
                }
                Later::Early(leg, port) => {
                    let when = early_media(&mut self.dice);
                    for (ms, heard) in when {
                        self.after(ms, Event::Media(media::Event::EarlyMedia { leg, port, heard }));
                    }
                }
            }
        }
        for (caller, other) in self.engine.pairs() {
            self.will_end(caller, other);
            let Some(who) = self.by_audio.get(&caller).copied() else { continue };
            let Some(index) = self.peers.iter().position(|p| p.at.ip() == other.ip()) else { continue };
            let heard = self.heard.entry(who).or_default();
            let is_first = heard.seat.is_none();
            heard.seat = self.peers[index].seat.map(SeatId);
            heard.seats.extend(heard.seat);
            heard.outside |= heard.seat.is_none();
            heard.party = Some((index, u32::from((other.port() - 20_000) / 2)));
            if is_first && heard.seat.is_some() {
                let ms = self.peers[who.0].talks[&who.1].script.talk_ms;
                self.after(ms, Event::Act(who.0, who.1, Act::Bye));
            }
        }
    }

    /// A talk that no caller's script ends: of a seat with whom it has called, of a caller with somebody outside.
    fn will_end(&mut self, one: SocketAddr, other: SocketAddr) {
        let index = |at: SocketAddr| self.peers.iter().position(|p| p.at.ip() == at.ip());
        let (Some(first), Some(second)) = (index(one), index(other)) else { return };
        let is_callers = [(one, second), (other, first)]
            .into_iter()
            .any(|(caller, peer)| self.by_audio.contains_key(&caller) && self.peers[peer].seat.is_some());
        if is_callers || one > other || !self.ending.insert((one, other)) {
            return;
        }
        let number = u32::from((one.port() - 20_000) / 2);
        if let Some(talk) = self.peers[first].talks.get(&number) {
            let ms = talk.script.talk_ms;
            self.after(ms, Event::Act(first, number, Act::Bye));
        }
    }

    /// Whether anybody has something to complain of.
    fn judge(&mut self) {
        let faults = self.engine.faults.iter().chain(&self.books.faults).chain(&self.seam.faults);
        let faults = faults.chain(&self.forger.faults);
        if let Some(fault) = faults.chain(self.peers.iter().flat_map(|p| &p.faults)).next() {
            panic!("{fault}");
        }
    }
}

impl World {
    /// Runs to the end of the day and looks at what remains.
    fn run(mut self) -> World {
        let mut steps = 0u64;
        while self.step() {
            steps += 1;
            assert!(steps < 200_000, "the world never ends: {}", self.who_is_busy());
        }
        self.nothing_is_left();
        self.every_invite_has_one_fate();
        self.books.look_at_doors();
        self.fates_are_as_the_parties_saw();
        self
    }

    fn nothing_is_left(&mut self) {
        let left = self.exchange.left();
        assert!(left.is_nothing(), "left in the exchange: {left:?}");
        let ports = self.exchange.endpoint().ports(self.now());
        assert_eq!((ports.in_use, ports.free + ports.resting), (0, self.header.ports.len()), "ports: {ports:?}");
        assert!(self.engine.is_empty(), "legs are left in the engine");
        assert_eq!(self.seam.open(), [], "legs without a last word");
        for peer in &self.peers {
            for talk in peer.talks.values() {
                assert!(!talk.seen.unacknowledged, "a 2xx of {} was never acknowledged", talk.call_id);
                let left_alone = talk.seen.bye_refused && talk.branches[0].byes == 0 && talk.phase != Phase::Vanished;
                assert!(!left_alone, "the dialog of {} was gone and nobody had said so", talk.call_id);
            }
        }
    }

    fn every_invite_has_one_fate(&self) {
        let open: Vec<_> = self.books.pages.iter().filter(|(_, page)| page.fate.is_none()).collect();
        assert!(open.is_empty(), "calls without a fate: {open:?}");
        let refused: u64 = self.exchange.endpoint().refused().values().sum();
        let rows = self.books.pages.values().filter(|page| !page.ordered).count() as u64;
        assert_eq!(self.books.invites.len() as u64, rows + refused, "INVITEs received = rows + refused");
    }

    /// The reference model: what must have become of a call, by what its caller did and heard.
    fn fates_are_as_the_parties_saw(&self) {
        for ((index, number), heard) in &self.heard {
            let talk = &self.peers[*index].talks[number];
            let seen = talk.seen;
            let Some(fate) = self.books.fate(&talk.call_id) else {
                // Refused before it was a call: full, too fast, no disk; or the INVITE never came through.
                let fits = matches!(seen.status, Some(503) | None);
                assert!(fits, "{} is not in the ledger, and its caller saw {seen:?}", talk.call_id);
                continue;
            };
            let fits = match fate {
                // Who was refused, after giving up too, was answered by nobody.
                Fate::Answered { .. } | Fate::AnsweredOutside if seen.status.is_some_and(|status| status >= 300) => {
                    false
                }
                Fate::Answered { seat } if heard.seats.contains(&seat) => self.somebody_hung_up(talk, heard),
                // Who offered nothing and is gone without an ACK has no stream that could be joined.
                Fate::AnsweredOutside if heard.outside => self.somebody_hung_up(talk, heard),
                Fate::Answered { .. } | Fate::AnsweredOutside => {
                    heard.seat.is_none() && !talk.script.offers && is_lost(talk)
                }
                // Who is answered by the seat's answer hears the seat before the ACK is through, and may leave in between.
                Fate::CutByDrain => self.books.door == Door::Draining,
                // Its agent was lost, and then it was.
                Fate::Failed { cause: Cause::PeerLost } if self.party_of(heard).is_some_and(is_lost) => is_lost(talk),
                _ if (heard.seat.is_some() || heard.outside) && talk.number != "12315" => false,
                Fate::Refused { cause: Cause::NoSuchNumber } => ["99999", "12336"].contains(&talk.number.as_str()),
                Fate::Refused { cause: Cause::Restart } => seen.status == Some(503),
                Fate::AbandonedInGreeting | Fate::AbandonedInQueue | Fate::AbandonedInRing => {
                    seen.cancelled || seen.we_left
                }
                // Without an offer there is no early media in which it could be heard.
                Fate::Overflowed => heard.last_prompt.as_deref() == Some("overflow") || !talk.script.offers,
                Fate::Failed { cause: Cause::NoCommonMedia } => talk.script.odd_codec,
                Fate::Failed { cause: Cause::PeerLost } => is_lost(talk),
                Fate::Refused { .. }
                | Fate::Failed { .. }
                | Fate::LeftWish
                | Fate::Served
                | Fate::Reached { .. }
                | Fate::NotReached { .. }
                | Fate::CutByRestart => false,
                // Somebody outside left before our answer had reached the caller.
                Fate::UnansweredOutside { .. } => heard.outside && seen.status.is_some_and(|status| status >= 300),
            };
            assert!(fits, "{} to {}: {fate:?}, but {seen:?}, {:?}, {heard:?}", talk.call_id, talk.number, talk.phase);
        }
    }

    /// The phone's call that the caller was last joined to.
    fn party_of(&self, heard: &Heard) -> Option<&Talk> {
        heard.party.and_then(|(index, number)| self.peers[index].talks.get(&number))
    }

    /// A talk ends because one of both wanted it, or is gone.
    fn somebody_hung_up(&self, caller: &Talk, heard: &Heard) -> bool {
        let party = self.party_of(heard);
        // Of two branches that answer, the later one may have won on the way.
        let branch_left = party.is_some_and(|talk| talk.seen.branch_left && talk.branches[0].byes > 0);
        branch_left || [Some(caller), party].into_iter().flatten().any(|talk| talk.seen.we_left || is_lost(talk))
    }

    fn digest(&self) -> u32 {
        self.digest.as_ref().expect("it is a small world").value()
    }

    /// Writes what was fed to a file for `yihao replay`.
    fn save(&self) -> std::io::Result<PathBuf> {
        let folder = std::env::temp_dir().join("yihao-sim");
        let run = format!("seed-{}", self.seed);
        let limits = Limits { runs: 1_000, ..Limits::default() };
        let mut log = InputLog::create(&folder, &run, self.header.clone(), site::mask(), limits)?;
        for (at, input) in &self.inputs {
            log.record(*at, Entry::Input(Cow::Borrowed(input)));
        }
        log.flush();
        Ok(segment_path(&folder, &run, 1))
    }
}

impl Drop for World {
    /// A world that fails says how to see it again.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!("seed {} on a day of {:?} failed after {} inputs; the last:", self.seed, self.day, self.inputs.len());
        for (at, input) in self.inputs.iter().skip(self.inputs.len().saturating_sub(25)) {
            let text = serde_json::to_string(input).unwrap_or_default();
            eprintln!("{:>9} < {}", at.mono.since(START.mono).as_millis(), text.chars().take(300).collect::<String>());
        }
        match self.save() {
            Ok(path) => eprintln!("yihao replay --show-numbers {}", path.display()),
            Err(error) => eprintln!("the log cannot be written: {error}"),
        }
    }
}

/// Whether a party cannot be blamed for what the exchange thinks of it.
fn is_lost(talk: &Talk) -> bool {
    talk.phase == Phase::Vanished || talk.script.never_acks || talk.seen.cut_off
}

const CALM: Day = Day { weather: Weather::CALM, storm: false };
const SLOW: Day = Day { weather: Weather::SLOW, storm: false };
const STORM: Day = Day { weather: Weather::CALM, storm: true };
const ROUGH: Day = Day { weather: Weather::ROUGH, storm: true };

/// Ticks that may come in one moment: a few legs and transactions have the same deadline.
const MOST_IDLE_TICKS: u32 = 100;

/// Calls of one world.
const CALLS: u64 = 100;

fn run_days(day: Day, seeds: std::ops::Range<u64>) {
    let worlds = seeds.end - seeds.start;
    let (mut calls, mut inputs, mut moved, mut shut) = (0, 0, 0, BTreeMap::new());
    let mut heard_early = 0;
    let (mut broken, mut outlived, mut unreachable, mut pings) = (0, 0, 0, 0);
    let mut fates: BTreeMap<String, u64> = BTreeMap::new();
    for seed in seeds {
        let world = World::new(seed, CALLS, day).run();
        calls += world.books.pages.len() as u64;
        inputs += world.inputs.len();
        moved += world.engine.moved;
        heard_early += world.engine.heard_early;
        (broken, outlived, pings) = (broken + world.broken, outlived + world.outlived, pings + world.wires.pings);
        unreachable += world.unreachable;
        for invited in world.books.invites.values() {
            *shut.entry(format!("{:?}", invited.door)).or_insert(0_u64) += 1;
        }
        for page in world.books.pages.values() {
            let fate = page.fate.expect("looked at before");
            let name = match fate {
                Fate::Answered { .. } => "Answered".to_owned(),
                Fate::Reached { .. } => "Reached".to_owned(),
                _ => format!("{fate:?}"),
            };
            *fates.entry(name).or_default() += 1;
        }
    }
    eprintln!("{day:?}: {calls} calls, {inputs} inputs, {moved} moves, {shut:?}, {fates:#?}");
    eprintln!(
        "{broken} connections broke amid {outlived} talks, {unreachable} callers listened nowhere, {pings} pings"
    );
    assert!(calls >= worlds * CALLS * 8 / 10, "hardly any call is admitted");
    assert_eq!(unreachable > 0, day.storm, "on stormy days callers are gone before their answer");
    assert_eq!(outlived > 0, day.storm, "on stormy days connections break in mid-call, on others never");
    assert!(pings > 0, "nobody pings");
    assert!(heard_early > worlds, "hardly any carrier is heard before its answer");
    assert!(moved > 0, "no leg ever moves to another worker");
    assert!(shut.values().filter(|n| **n > worlds / 2).count() == 3, "hardly anybody comes to a shut door: {shut:?}");
    for (name, least) in [("AnsweredOutside", worlds / 2), ("Reached", worlds / 2)] {
        assert!(fates.get(name).is_some_and(|n| *n >= least), "hardly any call is {name}: {fates:?}");
    }
    assert!(fates.get("Answered").is_some_and(|n| *n > calls / 4), "hardly any call is answered");
}

#[test]
fn a_log_of_a_day_holds_no_proof_and_replays_exactly() {
    for (seed, day) in [(1, CALM), (3_001, ROUGH)] {
        let world = World::new(seed, 40, day).run();
        let mask = site::mask();
        let mut exchanged = 0;
        let mut exchange = world.header.build().expect("the world's plan is sound");
        let (mut digest, mut out) = (Digest::default(), Vec::new());
        for (at, input) in &world.inputs {
            let entry = mask.entry(Entry::Input(Cow::Borrowed(input)));
            exchanged += u32::from(matches!(entry, Entry::Input(Cow::Owned(_))));
            let line = serde_json::to_string(&entry).expect("inputs are plain data");
            let entry = serde_json::from_str(&line).expect("a line that we wrote");
            play(&mut exchange, &world.header, *at, entry, &mut out).expect("no plan is in it");
            digest.take(&out);
            out.clear();
        }
        assert!(exchanged > 10, "phones prove themselves all day");
        assert_eq!(digest.value(), world.digest(), "seed {seed}: a replay does something else than the world");
    }
}

#[test]
fn calm_days_end_as_the_model_says() {
    run_days(CALM, 1..61);
}

#[test]
fn messages_that_overtake_each_other_do_no_harm() {
    run_days(SLOW, 1_001..1_051);
}

#[test]
fn parties_that_vanish_leave_nothing_behind() {
    run_days(STORM, 2_001..2_051);
}

#[test]
fn lost_and_doubled_datagrams_do_no_harm() {
    run_days(ROUGH, 3_001..3_041);
}
