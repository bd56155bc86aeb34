//! Requests of the far end: server transactions with what they have answered.
//!
//! Joins the two server machines with messages and addresses. Knows no dialog and no call.

use std::collections::btree_map::{BTreeMap, Entry};

use bytes::Bytes;

use crate::sip::flow::{Flow, Hop};
use crate::sip::message::{Message, Method};
use crate::types::Mono;

use super::key::{self, Key};
use super::server_invite::{OnRequest, OnRespond, ServerInvite};
use super::server_other::ServerOther;
use super::table::Table;
use super::timers::{Fired, Pace, Timers};
use super::{By, Event, ServerId, TooLate, Transmit, route};

/// All server transactions.
pub(super) struct Servers {
    table: Table<Server>,
    timers: Timers,
    key: Key,
    /// First transaction of each INVITE outside of dialogs, by the hash of what stays the same on every way.
    merge: BTreeMap<u64, ServerId>,
}

struct Server {
    machine: Machine,
    hop: Hop,
    /// The last response, for repeated requests.
    last: Option<Bytes>,
    merge: Option<u64>,
}

enum Machine {
    Invite(ServerInvite),
    Other(ServerOther),
}

/// Whether there is room for a new transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// For any request.
    Plenty,
    /// For what belongs to calls in progress.
    InDialog,
    /// For none.
    None,
}

impl Servers {
    pub(super) fn new(timers: Timers) -> Servers {
        Servers { table: Table::new(), timers, key: Key::default(), merge: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn deadline(&mut self) -> Option<Mono> {
        self.table.deadline()
    }

    /// Takes a request.
    pub(super) fn receive(
        &mut self,
        now: Mono,
        flow: &Flow,
        message: Message,
        room: Room,
        out: &mut Vec<Transmit>,
    ) -> Option<Event> {
        if *message.method() == Method::Ack {
            return self.on_ack(now, flow, message);
        }
        self.key.of_request(&message, message.method().as_str());
        match self.table.find(&self.key) {
            Some(raw) => {
                self.on_repeat(ServerId(raw), out);
                None
            }
            None => Some(self.on_new(flow, message, room)),
        }
    }

    fn on_ack(&mut self, now: Mono, flow: &Flow, message: Message) -> Option<Event> {
        self.key.of_request(&message, Method::Invite.as_str());
        let found = self.table.find(&self.key).filter(|&raw| self.acknowledges(raw, &message));
        let passed = match found {
            Some(raw) => {
                let server = self.table.get_mut(raw).expect("it has just been found");
                let pace = server.pace(self.timers);
                let done = match &mut server.machine {
                    Machine::Invite(machine) => machine.on_ack(now, pace),
                    Machine::Other(_) => OnRequest::Absorb,
                };
                self.settle(raw);
                done == OnRequest::Pass
            }
            None => true,
        };
        passed.then(|| Event::Ack { flow: *flow, message })
    }

    /// An RFC 2543 peer repeats the Via of the INVITE in every ACK: the To tag must be the one of our response too
    /// (RFC 3261 17.2.3).
    fn acknowledges(&self, raw: u64, ack: &Message) -> bool {
        if !key::is_old(ack) {
            return true;
        }
        self.last_response(ServerId(raw)).is_none_or(|response| response.to_tag() == ack.to_tag())
    }

    fn last_response(&self, id: ServerId) -> Option<Message> {
        self.table.get(id.0)?.last.clone().and_then(|bytes| Message::parse(bytes).ok())
    }

    /// The To tag in the last response to a request.
    pub(super) fn answered_tag(&self, id: ServerId) -> Option<String> {
        self.last_response(id)?.to_tag().map(str::to_owned)
    }

    fn on_repeat(&mut self, id: ServerId, out: &mut Vec<Transmit>) {
        let server = self.table.get(id.0).expect("it has just been found");
        let resends = match &server.machine {
            Machine::Invite(machine) => machine.on_repeat() == OnRequest::Resend,
            Machine::Other(machine) => machine.resends(),
        };
        if resends {
            server.send_last(id, out);
        }
    }

    fn on_new(&mut self, flow: &Flow, message: Message, room: Room) -> Event {
        let invite = if *message.method() == Method::Cancel { self.invite_of(flow, &message) } else { None };
        let has_room = match room {
            Room::Plenty => true,
            Room::InDialog => invite.is_some() || message.to_tag().is_some(),
            Room::None => false,
        };
        if !has_room {
            return Event::Overload { flow: *flow, message };
        }
        let (id, merged) = self.insert(flow, &message);
        if *message.method() == Method::Cancel {
            Event::Cancel { id, invite, flow: *flow, message }
        } else {
            Event::Request { id, flow: *flow, message, merged }
        }
    }

    /// The INVITE that a CANCEL means: one whose responses go to the same host. A stranger who has read the branch on the wire
    /// means none.
    fn invite_of(&mut self, flow: &Flow, cancel: &Message) -> Option<ServerId> {
        self.key.of_request(cancel, Method::Invite.as_str());
        let found = self.table.find(&self.key).map(ServerId);
        self.key.of_request(cancel, Method::Cancel.as_str());
        let host = route::response_hop(flow, cancel).remote.ip();
        found.filter(|id| self.table.get(id.0).is_some_and(|invite| invite.hop.remote.ip() == host))
    }

    /// Makes a transaction under the key that has been written; says whether the same INVITE is being served already.
    fn insert(&mut self, flow: &Flow, message: &Message) -> (ServerId, bool) {
        let is_invite = *message.method() == Method::Invite;
        let machine =
            if is_invite { Machine::Invite(ServerInvite::start()) } else { Machine::Other(ServerOther::start()) };
        let hop = route::response_hop(flow, message);
        let id = ServerId(self.table.insert(&self.key, Server { machine, hop, last: None, merge: None }));
        if !is_invite || message.to_tag().is_some() {
            return (id, false);
        }
        (id, self.is_merged(id, message))
    }

    /// Whether the same INVITE is being served already; if not, notes that this one is.
    fn is_merged(&mut self, id: ServerId, message: &Message) -> bool {
        self.key.of_merge(message);
        let merge = self.key.hash();
        match self.merge.entry(merge) {
            Entry::Occupied(first) if self.table.get(first.get().0).is_some_and(Server::is_live) => return true,
            Entry::Occupied(mut first) => {
                first.insert(id);
            }
            Entry::Vacant(place) => {
                place.insert(id);
            }
        }
        self.table.get_mut(id.0).expect("it has just been made").merge = Some(merge);
        false
    }

    /// Sends a response of the user.
    pub(super) fn respond(
        &mut self,
        now: Mono,
        id: ServerId,
        bytes: Bytes,
        out: &mut Vec<Transmit>,
    ) -> Result<(), TooLate> {
        let status = status_of(&bytes).expect("a response begins with its status line");
        let server = self.table.get_mut(id.0).ok_or(TooLate)?;
        let pace = server.pace(self.timers);
        let done = match &mut server.machine {
            Machine::Invite(machine) => machine.on_respond(now, pace, status),
            Machine::Other(machine) => machine.on_respond(now, pace, status),
        };
        match done {
            OnRespond::TooLate => return Err(TooLate),
            OnRespond::Send => server.last = Some(bytes),
        }
        server.send_last(id, out);
        self.settle(id.0);
        Ok(())
    }

    /// Runs the timers that are due, until one has an event.
    pub(super) fn tick(&mut self, now: Mono, out: &mut Vec<Transmit>) -> Option<Event> {
        while let Some(raw) = self.table.pop_due(now) {
            let id = ServerId(raw);
            let server = self.table.get_mut(raw).expect("a timer does not outlive its transaction");
            let fired = match &mut server.machine {
                Machine::Invite(machine) => machine.on_timer(now),
                Machine::Other(machine) => machine.on_timer(now),
            };
            if fired == Fired::Resend {
                server.send_last(id, out);
            }
            self.settle(raw);
            if fired == Fired::TimedOut {
                return Some(Event::Unacknowledged { id });
            }
        }
        None
    }

    /// A response could not be sent. A final one of ours goes by a new connection once, then it has done its work (its
    /// transaction ends, RFC 3261 17.2.4). The user learns that nothing gets through when there is no connection left to be
    /// reported as gone.
    pub(super) fn transport_failed(&mut self, id: ServerId, out: &mut Vec<Transmit>) -> Option<Event> {
        let server = self.table.get_mut(id.0)?;
        match (server.is_live(), server.hop.connection) {
            (true, Some(_)) => {}
            (true, None) => return Some(Event::Undeliverable { id }),
            (false, Some(_)) => {
                server.hop.connection = None;
                server.send_last(id, out);
            }
            (false, None) => self.remove(id.0),
        }
        None
    }

    /// A connection is gone. Where a request came by it, or is answered over it since the first one is gone, what was answered last
    /// goes by a new one, and so does what follows.
    pub(super) fn connection_lost(&mut self, id: ServerId, gone: &Flow, name: Option<&str>, out: &mut Vec<Transmit>) {
        let takes_it = |hop: &Hop| match hop.connection {
            Some(connection) => gone.connection == Some(connection),
            None => (hop.network, hop.transport, hop.remote) == (gone.network, gone.transport, gone.remote),
        };
        let Some(server) = self.table.get_mut(id.0).filter(|server| takes_it(&server.hop)) else { return };
        server.hop.connection = None;
        if let Some(name) = name {
            server.hop.server_name = Some(name.into());
        }
        server.send_last(id, out);
    }

    /// Takes out what is over and schedules the rest.
    fn settle(&mut self, raw: u64) {
        let Some(server) = self.table.get(raw) else { return };
        if server.is_terminated() {
            self.remove(raw);
        } else {
            let deadline = server.deadline();
            self.table.schedule(raw, deadline);
        }
    }

    fn remove(&mut self, raw: u64) {
        let merge = self.table.remove(raw).and_then(|server| server.merge);
        if let Some(merge) = merge
            && let Entry::Occupied(first) = self.merge.entry(merge)
            && *first.get() == ServerId(raw)
        {
            first.remove();
        }
    }
}

impl Server {
    fn pace(&self, timers: Timers) -> Pace {
        timers.pace(self.hop.transport.is_reliable())
    }

    fn send_last(&self, id: ServerId, out: &mut Vec<Transmit>) {
        if let Some(bytes) = self.last.clone() {
            out.push(Transmit { hop: self.hop.clone(), bytes, by: By::Server(id) });
        }
    }

    fn is_live(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_live(),
            Machine::Other(machine) => machine.is_open(),
        }
    }

    fn deadline(&self) -> Option<Mono> {
        match &self.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        }
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_terminated(),
            Machine::Other(machine) => machine.is_terminated(),
        }
    }
}

/// The status in `SIP/2.0 200 OK`.
fn status_of(response: &[u8]) -> Option<u16> {
    let digits = response.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
