//! The face of the layer: both sides, and how many transactions may live.
//!
//! Decides nothing that an RFC does not decide.

use bytes::Bytes;

use crate::sip::flow::{ConnId, Flow, Hop};
use crate::sip::message::{Message, Reason};
use crate::types::Mono;

use super::client::Clients;
use super::server::{Room, Servers};
use super::{By, ClientId, Event, Outgoing, Overload, ServerId, Settings, TooLate, Transmit};

/// All transactions of the endpoint.
pub struct Transactions {
    settings: Settings,
    clients: Clients,
    servers: Servers,
}

impl Transactions {
    /// None yet.
    pub fn new(settings: Settings) -> Transactions {
        Transactions { settings, clients: Clients::new(settings.timers), servers: Servers::new(settings.timers) }
    }

    /// Takes a message that has come in. Repeated messages and late responses end here.
    pub fn receive(&mut self, now: Mono, flow: &Flow, mut message: Message, out: &mut Vec<Transmit>) -> Option<Event> {
        if message.is_response() {
            return self.clients.receive(now, flow, message, out);
        }
        message.set_source(flow.remote);
        let room = self.room();
        self.servers.receive(now, flow, message, room, out)
    }

    /// Sends a request and keeps on sending it until it is answered.
    ///
    /// # Errors
    /// [`Overload`] when `most` and `reserve` together are used up.
    pub fn request(
        &mut self,
        now: Mono,
        request: Outgoing,
        hop: Hop,
        out: &mut Vec<Transmit>,
    ) -> Result<ClientId, Overload> {
        if self.room() == Room::None {
            return Err(Overload);
        }
        Ok(self.clients.request(now, request, hop, out))
    }

    /// Sends a response: provisional, final, or (repeated by the dialog until its ACK has come) a 2xx to an INVITE.
    ///
    /// # Errors
    /// [`TooLate`] when another final response has been given or the transaction is gone; nothing is sent.
    pub fn respond(
        &mut self,
        now: Mono,
        id: ServerId,
        response: Bytes,
        out: &mut Vec<Transmit>,
    ) -> Result<(), TooLate> {
        self.servers.respond(now, id, response, out)
    }

    /// Wants an INVITE cancelled: the CANCEL goes out now or with the first provisional response. The end comes as
    /// [`Event::Response`] (487, or a 2xx that crossed the CANCEL and now wants ACK and BYE) or [`Event::Timeout`].
    /// Says `false`, and does nothing, when a final response has come before or it is no INVITE.
    pub fn cancel(&mut self, now: Mono, id: ClientId, reason: Option<Reason>, out: &mut Vec<Transmit>) -> bool {
        self.clients.cancel(now, id, reason, out)
    }

    /// Gives an INVITE of ours that has had a provisional response, and has no other limit, a time for its final one; then
    /// comes [`Event::Timeout`].
    pub fn answer_by(&mut self, id: ClientId, at: Mono) {
        self.clients.answer_by(id, at);
    }

    /// The connection that a request of ours took, where it was to take a certain one.
    pub fn connection_of(&self, id: ClientId) -> Option<ConnId> {
        self.clients.connection_of(id)
    }

    /// A connection is gone. If the request came by it, what was answered last goes at once by a new one to the source of the
    /// request and the port of its Via (RFC 3261 18.2.2), and so does what is answered next; [`Event::Undeliverable`] follows
    /// where nobody listens there. The same when it was that new one. `name` is what a certificate must bear where it is not the
    /// host of the Via.
    pub fn connection_lost(&mut self, id: ServerId, gone: &Flow, name: Option<&str>, out: &mut Vec<Transmit>) {
        self.servers.connection_lost(id, gone, name, out);
    }

    /// The shell could not send a message. A final refusal is sent by another connection.
    pub fn transport_failed(&mut self, by: By, out: &mut Vec<Transmit>) -> Option<Event> {
        match by {
            By::Client(id) => self.clients.transport_failed(id),
            By::Server(id) => self.servers.transport_failed(id, out),
            By::Nobody => None,
        }
    }

    /// Runs the timers that are due, until one has an event; to be called until there is none.
    pub fn tick(&mut self, now: Mono, out: &mut Vec<Transmit>) -> Option<Event> {
        self.clients.tick(now, out).or_else(|| self.servers.tick(now, out))
    }

    /// Our To tag in the last response to a request, when one was sent that has a tag.
    pub fn answered_tag(&self, id: ServerId) -> Option<String> {
        self.servers.answered_tag(id)
    }

    /// When `tick` has something to do next.
    pub fn deadline(&mut self) -> Option<Mono> {
        [self.clients.deadline(), self.servers.deadline()].into_iter().flatten().min()
    }

    /// How many transactions of our own requests live.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How many transactions of the far ends' requests live.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    fn room(&self) -> Room {
        let Settings { most, reserve, .. } = self.settings;
        let used = self.clients.len() + self.servers.len();
        if used < most {
            Room::Plenty
        } else if used < most.saturating_add(reserve) {
            Room::InDialog
        } else {
            Room::None
        }
    }
}
