//! What people and the weather do to the exchange of their own accord: calls, registrations, moves, absences, lies.

use std::net::SocketAddr;
use std::time::Duration;

use yihao::center::{self, PresenceCommand};
use yihao::exchange::{Input, Output};
use yihao::sip::endpoint;
use yihao::sip::flow::{Flow, Transport};
use yihao::types::{PhoneNumber, ReplyId, SeatId};

use super::{Event, Heard, World};
use crate::sim::sip::books::Door;
use crate::sim::sip::forger::{Forger, Knows, stranger};
use crate::sim::sip::peer::{Phase, Talk};
use crate::sim::sip::script::{Act, Script};
use crate::sim::sip::site;

/// Longer than a day lasts: calls end by themselves.
const HOUR: Duration = Duration::from_secs(3_600);

impl World {
    pub(super) fn dials(&mut self) {
        let number = match self.dice.below(20) {
            0 => "99999",
            1 => "12336",
            2..=7 => "12315",
            8..=10 => "12333",
            _ => "12345",
        };
        let index = usize::from(self.dice.percent(40));
        if !self.peers[index].gone {
            let script = Script::caller(&mut self.dice, self.day.storm);
            let talk = self.peers[index].call(self.at, number, script);
            self.by_audio.insert(self.peers[index].audio_at(talk), (index, talk));
            self.heard.insert((index, talk), Heard::default());
            self.listen_to(index);
            self.to_dial -= 1;
            self.change_doors();
        }
        if self.to_dial > 0 {
            let next = if self.dice.percent(20) { 0 } else { self.dice.between(200, 14_000) };
            self.after(next, Event::Dials);
        }
    }

    /// A phone registers, and again in good time.
    pub(super) fn registers(&mut self, index: usize) {
        if self.quiet_from.is_some() {
            return;
        }
        let seconds = u32::try_from(self.dice.between(60, 400)).expect("fits");
        if !self.peers[index].gone {
            self.peers[index].register(self.at, seconds);
            self.listen_to(index);
        }
        self.after(u64::from(seconds) * 500, Event::Registers(index));
    }

    /// Somebody does something of their own accord.
    pub(super) fn whim(&mut self) {
        if self.to_dial == 0 {
            return;
        }
        let seat = self.dice.pick(&site::SEATS);
        match self.dice.below(100) {
            0..=3 => self.feed(presence(seat, PresenceCommand::SignOut)),
            4..=9 => self.feed(presence(seat, PresenceCommand::NotReady { reason: None })),
            10..=19 => self.feature_code(seat),
            20..=23 if self.day.storm => self.vanish(),
            24..=29 => self.lie(),
            30..=31 => self.impersonate(),
            32..=35 => self.moves(seat),
            39..=44 if self.day.storm => self.break_something(),
            45..=52 => self.places(seat),
            36..=38 => self.feed(Input::Command(center::Input::Look { reply: ReplyId(1) })),
            _ => {
                self.feed(presence(seat, PresenceCommand::SignIn));
                self.feed(presence(seat, PresenceCommand::Ready));
            }
        }
        let next = self.dice.between(100, 6_000);
        self.after(next, Event::Whim);
    }

    /// A seat calls a citizen, an emergency service or another seat, ordered from its desk or dialled by its phone.
    fn places(&mut self, seat: u32) {
        let number = self.dice.pick(&["13900001111", "13900001111", "110", "8002", "8005"]);
        if self.dice.percent(40) {
            return self.dials_by_phone(seat, number);
        }
        let number = PhoneNumber::parse(number).expect("a number");
        let (seat, reply) = (SeatId(seat), Some(ReplyId(1)));
        self.feed(Input::Command(center::Input::DialOut { seat, number, line: None, linked: None, reply }));
    }

    fn feature_code(&mut self, seat: u32) {
        let code = self.dice.pick(&["*40", "*41", "*41", "*42", "*43", "12345"]);
        self.dials_by_phone(seat, code);
    }

    fn dials_by_phone(&mut self, seat: u32, code: &str) {
        let index = self.peers.iter().position(|p| p.seat == Some(seat)).expect("every seat has a phone");
        if !self.peers[index].gone && self.peers[index].registered_until > self.at {
            let script = Script { odd_codec: false, vanish_ms: None, ..Script::caller(&mut self.dice, false) };
            self.peers[index].call(self.at, code, script);
            self.listen_to(index);
        }
    }

    /// A phone goes to another address in the middle of everything.
    fn moves(&mut self, seat: u32) {
        let index = self.peers.iter().position(|p| p.seat == Some(seat)).expect("every seat has a phone");
        if !self.peers[index].gone {
            self.peers[index].moves(self.at, 300);
            self.listen_to(index);
        }
    }

    /// Somebody lies about a dialog of others: from afar, from the address of another party, or as the party itself.
    fn lie(&mut self) {
        let index = usize::try_from(self.dice.below(self.peers.len() as u64)).expect("few peers");
        let others = self
            .peers
            .iter()
            .position(|p| p.seat != self.peers[index].seat || p.seat.is_none() && p.at != self.peers[index].at);
        let knows = self.dice.pick(&[Knows::CallId, Knows::PeersTag, Knows::ExchangesTag, Knows::Both]);
        let from = match self.dice.below(3) {
            0 if knows != Knows::Both => self.peers[index].at,
            1 => self.peers[others.expect("there are several")].at,
            _ => stranger(),
        };
        let talks: Vec<&Talk> = self.peers[index].talks.values().filter(|talk| talk.is_open()).collect();
        if talks.is_empty() {
            return;
        }
        let talk = talks[usize::try_from(self.dice.below(talks.len() as u64)).expect("few talks")];
        let is_open = talk.phase == Phase::Trying && talk.client.is_some() && from != self.peers[index].at;
        let bytes = match talk.branches.first() {
            Some(_) if is_open => Forger::cancel(&talk.invite),
            Some(branch) => self.forger.lie(from, branch.dialog.id(), knows),
            None if from != self.peers[index].at => Forger::cancel(&talk.invite),
            None => return,
        };
        let local = self.peers.iter().find(|p| p.at == from).map_or(site::exchange_at(1), |p| p.exchange);
        let network = site::network_of(local);
        self.lie_from = Some(from);
        self.message(Flow { network, transport: Transport::Udp, local, remote: from, connection: None }, bytes);
    }

    /// Somebody registers or calls in the name of a seat without knowing its password.
    fn impersonate(&mut self) {
        for call in [false, false, true] {
            let bytes = self.forger.impersonate(call);
            let (local, remote) = (site::exchange_at(1), stranger());
            let network = site::network_of(local);
            self.lie_from = Some(remote);
            self.message(Flow { network, transport: Transport::Udp, local, remote, connection: None }, bytes);
        }
    }

    /// A lie is refused to whoever told it, and nothing else happens.
    pub(super) fn look_at_lie(&mut self, from: SocketAddr, out: &[Output], has_changed: bool) {
        let is_refusal = |output: &Output| match output {
            Output::Send(transmit) => transmit.hop.remote == from && transmit.bytes.starts_with(b"SIP/2.0 4"),
            Output::Ledger(_)
            | Output::Media(_)
            | Output::Close(_)
            | Output::Resolve { .. }
            | Output::Seat(_)
            | Output::Reply { .. } => false,
        };
        if has_changed || !out.iter().all(is_refusal) {
            self.books.faults.push(format!("a lie from {from} is believed: {out:?}"));
        }
    }

    /// The disk is full for a while; in the end some exchanges are drained.
    fn change_doors(&mut self) {
        match (self.header.seed[0] % 4, self.to_dial) {
            (0, 40) => {
                self.books.door = Door::DiskFull;
                self.feed(Input::Sip(endpoint::Input::Accepting(false)));
            }
            (0, 35) => {
                self.feed(Input::Sip(endpoint::Input::Accepting(true)));
                self.books.door = Door::Open;
            }
            (1, 6) => {
                self.books.door = Door::Draining;
                self.feed(Input::Command(center::Input::Drain { within: Some(HOUR), reply: None }));
            }
            _ => {}
        }
    }

    fn break_something(&mut self) {
        let whole = self.wires.whole(self.at);
        if !whole.is_empty() {
            let connection = self.dice.pick(&whole);
            self.breaks(connection);
        }
    }

    /// A phone or a whole trunk is gone for a while, with all its calls.
    fn vanish(&mut self) {
        let index = usize::try_from(self.dice.below(self.peers.len() as u64)).expect("few peers");
        if self.peers[index].gone {
            return;
        }
        self.peers[index].gone = true;
        let numbers: Vec<u32> = self.peers[index].talks.keys().copied().collect();
        for number in numbers {
            if self.peers[index].talks[&number].phase != Phase::Over {
                self.happen(Event::Act(index, number, Act::Vanish));
            }
        }
        for connection in self.wires.of_host(index) {
            self.breaks(connection);
        }
        let away = self.dice.between(500, 90_000);
        self.after(away, Event::ComesBack(index));
    }
}

pub(super) fn presence(seat: u32, command: PresenceCommand) -> Input {
    Input::Command(center::Input::Presence { seat: SeatId(seat), command, reply: Some(ReplyId(1)) })
}
