//! Peers that speak over connections, which break in mid-call and are made anew.

use bytes::Bytes;
use yihao::exchange::Input;
use yihao::sip::endpoint;
use yihao::sip::flow::{ConnId, Transport};
use yihao::sip::transaction::{By, Transmit};

use super::{Event, World};
use crate::sim::sip::peer::Phase;
use crate::sim::sip::site;
use crate::sim::sip::wires::To;

const PING: Bytes = Bytes::from_static(b"\r\n\r\n");
const PONG: Bytes = Bytes::from_static(b"\r\n");

impl World {
    /// A peer writes; without a connection it makes one first.
    pub(super) fn write_to_exchange(&mut self, index: usize, bytes: &Bytes) {
        let connection = self.wires.of_peer(index, self.peers[index].at).unwrap_or_else(|| self.connects(index));
        self.write((connection, To::Exchange), bytes);
        if self.dice.percent(5) {
            self.write((connection, To::Exchange), &PING);
        }
    }

    fn write(&mut self, (connection, to): (ConnId, To), bytes: &Bytes) {
        let pace = (&mut self.dice, self.day.weather.delay_ms);
        for (at, bytes) in self.wires.write(self.at, (connection, to), bytes, pace) {
            self.at(at, Event::Piece(connection, to, bytes));
        }
    }

    fn connects(&mut self, index: usize) -> ConnId {
        let peer = &self.peers[index];
        // A port of the system's choice, another one each time.
        let remote = (peer.at.ip(), 40_000 + u16::try_from(self.scheduled % 20_000).expect("fits")).into();
        let flow = self.wires.open(self.at, index, (site::network_of(peer.exchange), peer.exchange), remote);
        self.feed(Input::Sip(endpoint::Input::Opened { flow, identities: Vec::new() }));
        flow.connection.expect("it has one")
    }

    /// What the exchange sends over a stream.
    pub(super) fn carry_by_wire(&mut self, transmit: &Transmit) {
        let connection = self.wires.towards(&transmit.hop).or_else(|| self.reach(transmit));
        let Some(connection) = connection else {
            let ms = self.dice.between(1, 50);
            if transmit.by != By::Nobody {
                self.after(ms, Event::Input(Input::Sip(endpoint::Input::Unsent { by: transmit.by })));
            }
            return;
        };
        if self.wires.get(connection).is_whole {
            return self.write((connection, To::Peer), &transmit.bytes);
        }
        // Some of it is still in our hands when the break is noticed; the system has taken the rest.
        if transmit.by != By::Nobody && self.dice.percent(50) {
            self.wires.get(connection).unsent.push(transmit.by);
        }
    }

    /// The exchange makes a connection, where somebody listens.
    fn reach(&mut self, transmit: &Transmit) -> Option<ConnId> {
        let remote = transmit.hop.remote;
        let listens = |p: &crate::sim::sip::peer::Peer| p.at == remote && p.transport == Transport::Tcp && !p.gone;
        let index = self.peers.iter().position(listens)?;
        let local = self.peers[index].exchange;
        let at = self.at + std::time::Duration::from_millis(self.dice.between(1, 60));
        let flow = self.wires.open(at, index, (site::network_of(local), local), remote);
        self.at(at, Event::Input(Input::Sip(endpoint::Input::Opened { flow, identities: Vec::new() })));
        flow.connection
    }

    /// A piece arrives.
    pub(super) fn piece(&mut self, connection: ConnId, to: To, bytes: &Bytes) {
        if !self.wires.get(connection).is_whole {
            return;
        }
        let (messages, pings) = match self.wires.read(connection, to, bytes) {
            Ok(read) => read,
            Err(fault) => return self.books.faults.push(fault),
        };
        let wire = self.wires.get(connection);
        let (index, flow) = (wire.peer, wire.flow);
        for bytes in messages {
            match to {
                To::Exchange => self.message(flow, bytes),
                To::Peer => self.happen(Event::ToPeer(index, flow.local, bytes)),
            }
        }
        for _ in 0..pings {
            self.write((connection, To::Peer), &PONG);
        }
    }

    /// A line breaks, with everything on its way. Both ends learn it soon.
    pub(super) fn breaks(&mut self, connection: ConnId) {
        let wire = self.wires.get(connection);
        if !std::mem::replace(&mut wire.is_whole, false) {
            return;
        }
        self.broken += 1;
        let (soon, later) = (self.dice.between(0, 400), self.dice.between(0, 400));
        self.after(soon, Event::ExchangeMisses(connection));
        self.after(later, Event::PeerMisses(connection));
    }

    pub(super) fn exchange_misses(&mut self, connection: ConnId) {
        let wire = self.wires.get(connection);
        wire.exchange_has = false;
        let index = wire.peer;
        for by in std::mem::take(&mut wire.unsent) {
            self.feed(Input::Sip(endpoint::Input::Unsent { by }));
        }
        self.feed(Input::Sip(endpoint::Input::Closed { connection }));
        if !self.peers[index].gone {
            return;
        }
        let unanswered = self.peers[index].talks.values().filter(|talk| talk.seen.status.is_none());
        let came_so = |call_id: &&String| self.came_by.get(*call_id) == Some(&connection);
        let lost: Vec<String> = unanswered.map(|talk| &talk.call_id).filter(came_so).cloned().collect();
        for call_id in lost {
            self.after(1_000, Event::MustBeOver(index, call_id));
        }
    }

    /// Nobody is kept for a caller who can be answered nowhere.
    pub(super) fn must_be_over(&mut self, index: usize, call_id: &str) {
        if !self.peers[index].gone {
            return;
        }
        self.unreachable += 1;
        if self.books.is_alive(call_id) {
            self.books.faults.push(format!("{call_id} can be answered nowhere, and the exchange keeps it"));
        }
    }

    pub(super) fn peer_misses(&mut self, connection: ConnId) {
        let wire = self.wires.get(connection);
        wire.peer_has = false;
        let index = wire.peer;
        let peer = &mut self.peers[index];
        self.outlived += peer.talks.values().filter(|talk| talk.phase == Phase::Up).count() as u64;
        if peer.gone {
            return;
        }
        peer.lose_connection(self.at);
        self.listen_to(index);
        let ms = self.dice.between(50, 12_000);
        self.after(ms, Event::Reconnects(index));
    }

    /// A phone is back: it registers over a new connection.
    pub(super) fn reconnects(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if !peer.gone && peer.seat.is_some() {
            peer.register(self.at, 300);
            self.listen_to(index);
        }
    }
}
