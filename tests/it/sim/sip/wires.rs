//! Connections: bytes arrive in order, cut anywhere, until the line breaks and takes along what is on its way. Stands where the
//! exchange has its transport: it cuts messages out of the stream, answers pings, and says what could not be sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use yihao::sip::flow::{ConnId, Flow, Hop, Transport};
use yihao::sip::message::{Frame, StreamFramer};
use yihao::sip::transaction::By;
use yihao::types::{Mono, NetworkId};

use crate::sim::dice::Dice;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Exchange,
    Peer,
}

/// One connection.
pub(crate) struct Wire {
    pub(crate) peer: usize,
    /// As the exchange sees it.
    pub(crate) flow: Flow,
    /// Bytes travel.
    pub(crate) is_whole: bool,
    /// The exchange has not noticed that it broke.
    pub(crate) exchange_has: bool,
    /// The peer has not noticed that it broke.
    pub(crate) peer_has: bool,
    /// What the exchange wrote into a broken line and is told to be unsent.
    pub(crate) unsent: Vec<By>,
    made_at: Mono,
    framers: [StreamFramer; 2],
    /// When the last piece on its way arrives.
    free_at: [Mono; 2],
}

#[derive(Default)]
pub(crate) struct Wires {
    wires: BTreeMap<ConnId, Wire>,
    pub(crate) pings: u64,
}

/// A piece of a stream on its way.
pub(crate) type Piece = (Mono, Bytes);

impl Wires {
    /// A new connection between a peer, seen at `remote`, and the exchange; bytes travel from `at` on.
    pub(crate) fn open(
        &mut self,
        at: Mono,
        peer: usize,
        (network, local): (NetworkId, SocketAddr),
        remote: SocketAddr,
    ) -> Flow {
        let connection = ConnId(self.wires.len() as u64 + 1);
        let flow = Flow { network, transport: Transport::Tcp, local, remote, connection: Some(connection) };
        let wire = Wire {
            peer,
            flow,
            is_whole: true,
            exchange_has: true,
            peer_has: true,
            unsent: Vec::new(),
            made_at: at,
            framers: Default::default(),
            free_at: [at; 2],
        };
        self.wires.insert(connection, wire);
        flow
    }

    pub(crate) fn get(&mut self, connection: ConnId) -> &mut Wire {
        self.wires.get_mut(&connection).expect("wires are never forgotten")
    }

    /// The latest connection that a peer thinks it has: one that it made itself, or else one that was made to where it listens.
    pub(crate) fn of_peer(&self, peer: usize, listens_at: SocketAddr) -> Option<ConnId> {
        let has = self.wires.iter().filter(|(_, wire)| wire.peer == peer && wire.peer_has);
        has.max_by_key(|(id, wire)| (wire.flow.remote != listens_at, **id)).map(|(id, _)| *id)
    }

    /// The connection that the exchange's transport takes for a hop: the one that is named, or one to that address.
    pub(crate) fn towards(&self, hop: &Hop) -> Option<ConnId> {
        let has = |id: &ConnId| self.wires.get(id).is_some_and(|wire| wire.exchange_has);
        let to_there = |(id, wire): (&ConnId, &Wire)| {
            (wire.exchange_has && wire.flow.remote == hop.remote && wire.flow.network == hop.network).then_some(*id)
        };
        hop.connection.filter(has).or_else(|| self.wires.iter().rev().find_map(to_there))
    }

    /// Connections that stand and are whole.
    pub(crate) fn whole(&self, now: Mono) -> Vec<ConnId> {
        self.wires.iter().filter(|(_, wire)| wire.is_whole && wire.made_at < now).map(|(id, _)| *id).collect()
    }

    /// Connections of a peer that are whole, whoever made them.
    pub(crate) fn of_host(&self, peer: usize) -> Vec<ConnId> {
        self.wires.iter().filter(|(_, wire)| wire.peer == peer && wire.is_whole).map(|(id, _)| *id).collect()
    }

    /// Cuts what is written into pieces that arrive one after the other.
    pub(crate) fn write(
        &mut self,
        now: Mono,
        (connection, to): (ConnId, To),
        bytes: &Bytes,
        (dice, slowest): (&mut Dice, u64),
    ) -> Vec<Piece> {
        let free_at = &mut self.wires.get_mut(&connection).expect("it is there").free_at[to as usize];
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let left = bytes.len() - from;
            let length = if dice.percent(60) { left } else { 1 + dice.below(left as u64) as usize };
            let at = (now + Duration::from_millis(dice.between(1, slowest))).max(*free_at);
            *free_at = at;
            pieces.push((at, bytes.slice(from..from + length)));
            from += length;
        }
        pieces
    }

    /// A piece has arrived: the messages that are whole now, and how many pings were among them.
    pub(crate) fn read(&mut self, connection: ConnId, to: To, bytes: &[u8]) -> Result<(Vec<Bytes>, usize), String> {
        let wire = self.get(connection);
        let (mut messages, mut pings) = (Vec::new(), 0);
        let framer = &mut wire.framers[to as usize];
        framer.push(bytes);
        for frame in framer.by_ref() {
            match frame {
                Ok(Frame::Message(message)) => messages.push(message.bytes().clone()),
                Ok(Frame::Ping) => pings += 1,
                Ok(Frame::Pong) => {}
                Ok(Frame::Malformed(error)) => return Err(format!("a stream holds {error:?}")),
                Err(error) => return Err(format!("a stream cannot be cut: {error:?}")),
            }
        }
        self.pings += pings as u64;
        Ok((messages, pings))
    }
}
