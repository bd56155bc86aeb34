//! Our own requests: client transactions with what they send, and CANCEL.
//!
//! Joins the two client machines with messages and addresses. Knows no dialog and no call.

use bytes::Bytes;

use crate::sip::flow::{ConnId, Flow, Hop};
use crate::sip::message::{Message, Method, Reason};
use crate::types::Mono;

use super::client_invite::{self, ClientInvite};
use super::client_other::{self, ClientOther};
use super::key::Key;
use super::table::Table;
use super::timers::{Fired, Pace, Timers};
use super::{Branch, By, ClientId, Event, Outgoing, Transmit, hop_by_hop};

/// All client transactions.
pub(super) struct Clients {
    table: Table<Client>,
    timers: Timers,
    key: Key,
}

struct Client {
    machine: Machine,
    hop: Hop,
    request: Bytes,
}

enum Machine {
    Invite(Box<Invite>),
    Other(ClientOther),
    /// A CANCEL: nobody waits for its outcome, the INVITE tells.
    Cancel(ClientOther),
}

/// What an INVITE has beside its machine.
struct Invite {
    machine: ClientInvite,
    branch: Branch,
    /// The ACK to its refusal, once there is one.
    ack: Option<Bytes>,
    cancel: Cancel,
}

enum Cancel {
    Unwanted,
    /// Goes out with the first provisional response (RFC 3261 9.1).
    Wanted(Option<Reason>),
    Sent,
}

impl Clients {
    pub(super) fn new(timers: Timers) -> Clients {
        Clients { table: Table::new(), timers, key: Key::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn deadline(&mut self) -> Option<Mono> {
        self.table.deadline()
    }

    /// Sends a request.
    pub(super) fn request(&mut self, now: Mono, request: Outgoing, hop: Hop, out: &mut Vec<Transmit>) -> ClientId {
        let Outgoing { method, branch, bytes } = request;
        assert!(method != Method::Ack, "an ACK to a 2xx has no transaction");
        let pace = self.timers.pace(hop.transport.is_reliable());
        self.key.of_client(branch.as_str(), method.as_str());
        let machine = if method == Method::Invite {
            let machine = ClientInvite::start(now, pace);
            Machine::Invite(Box::new(Invite { machine, branch, ack: None, cancel: Cancel::Unwanted }))
        } else {
            Machine::Other(ClientOther::start(now, pace))
        };
        self.begin(Client { machine, hop, request: bytes }, out)
    }

    /// Puts a new one under the key that has been written, and sends its request.
    fn begin(&mut self, client: Client, out: &mut Vec<Transmit>) -> ClientId {
        debug_assert!(self.table.find(&self.key).is_none(), "a branch is used once");
        let transmit = |by| Transmit { hop: client.hop.clone(), bytes: client.request.clone(), by };
        let (deadline, unnamed) = (client.deadline(), transmit(By::Nobody));
        let id = self.table.insert(&self.key, client);
        self.table.schedule(id, deadline);
        out.push(Transmit { by: By::Client(ClientId(id)), ..unnamed });
        ClientId(id)
    }

    /// Takes a response.
    pub(super) fn receive(
        &mut self,
        now: Mono,
        flow: &Flow,
        message: Message,
        out: &mut Vec<Transmit>,
    ) -> Option<Event> {
        let status = message.status()?;
        self.key.of_client(message.branch().unwrap_or(""), message.method().as_str());
        let Some(raw) = self.table.find(&self.key) else {
            return stray(flow, message, status);
        };
        let id = ClientId(raw);
        let client = self.table.get_mut(raw).expect("it has just been found");
        let pace = self.timers.pace(client.hop.transport.is_reliable());
        let passed = client.on_response(now, pace, id, &message, out);
        if status < 200 {
            self.send_wanted_cancel(now, id, out);
        }
        self.settle(raw);
        passed.then(|| Event::Response { id, flow: *flow, message })
    }

    /// Wants an INVITE cancelled. `false` when it is no INVITE or has its final response.
    pub(super) fn cancel(&mut self, now: Mono, id: ClientId, reason: Option<Reason>, out: &mut Vec<Transmit>) -> bool {
        let Some(invite) = self.table.get_mut(id.0).and_then(Client::invite) else { return false };
        if !invite.machine.is_open() {
            return false;
        }
        if matches!(invite.cancel, Cancel::Unwanted) {
            invite.cancel = Cancel::Wanted(reason);
            self.send_wanted_cancel(now, id, out);
        }
        true
    }

    fn send_wanted_cancel(&mut self, now: Mono, id: ClientId, out: &mut Vec<Transmit>) {
        let Some(client) = self.table.get_mut(id.0) else { return };
        let pace = self.timers.pace(client.hop.transport.is_reliable());
        let (hop, request) = (&client.hop, &client.request);
        let Machine::Invite(invite) = &mut client.machine else { return };
        let Cancel::Wanted(reason) = &invite.cancel else { return };
        if !invite.machine.may_cancel() {
            return;
        }
        let bytes = hop_by_hop::cancel(request, reason.as_ref());
        invite.cancel = Cancel::Sent;
        invite.machine.on_cancel_sent(now, pace);
        self.key.of_client(invite.branch.as_str(), Method::Cancel.as_str());
        let hop = hop.clone();
        self.settle(id.0);
        if let Some(request) = bytes {
            let machine = Machine::Cancel(ClientOther::start(now, pace));
            self.begin(Client { machine, hop, request }, out);
        }
    }

    /// Runs the timers that are due, until one has an event.
    pub(super) fn tick(&mut self, now: Mono, out: &mut Vec<Transmit>) -> Option<Event> {
        while let Some(raw) = self.table.pop_due(now) {
            let client = self.table.get_mut(raw).expect("a timer does not outlive its transaction");
            let event = client.on_timer(now, ClientId(raw), out);
            self.settle(raw);
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// The connection that its request took, where it was to take a certain one.
    pub(super) fn connection_of(&self, id: ClientId) -> Option<ConnId> {
        self.table.get(id.0)?.hop.connection
    }

    /// A message of this transaction could not be sent. Matters only while nothing has been heard: a provisional
    /// response to an INVITE shows that it arrived, and what follows a final response is settled by the far end's timers.
    pub(super) fn transport_failed(&mut self, id: ClientId) -> Option<Event> {
        let fails = match &self.table.get(id.0)?.machine {
            Machine::Invite(invite) => invite.machine.is_open() && !invite.machine.may_cancel(),
            Machine::Other(machine) | Machine::Cancel(machine) => machine.is_open(),
        };
        let client = if fails { self.table.remove(id.0) } else { None };
        client.filter(Client::is_awaited).map(|_| Event::Failed { id })
    }

    /// Gives an INVITE that has been heard of a time for its final response.
    pub(super) fn answer_by(&mut self, id: ClientId, at: Mono) {
        if let Some(invite) = self.table.get_mut(id.0).and_then(Client::invite) {
            invite.machine.answer_by(at);
            self.settle(id.0);
        }
    }

    /// Takes out what is over and schedules the rest.
    fn settle(&mut self, raw: u64) {
        let Some(client) = self.table.get(raw) else { return };
        if client.is_terminated() {
            self.table.remove(raw);
        } else {
            let deadline = client.deadline();
            self.table.schedule(raw, deadline);
        }
    }
}

/// A 2xx to an INVITE needs an ACK even now (RFC 3261 13.2.2.4); any other response without transaction is dropped.
fn stray(flow: &Flow, message: Message, status: u16) -> Option<Event> {
    let matters = (200..300).contains(&status) && *message.method() == Method::Invite;
    matters.then(|| Event::Stray { flow: *flow, message })
}

impl Client {
    fn invite(&mut self) -> Option<&mut Invite> {
        match &mut self.machine {
            Machine::Invite(invite) => Some(invite),
            Machine::Other(_) | Machine::Cancel(_) => None,
        }
    }

    /// Says whether the response goes to the user.
    fn on_response(&mut self, now: Mono, pace: Pace, id: ClientId, message: &Message, out: &mut Vec<Transmit>) -> bool {
        let Some(status) = message.status() else { return false };
        let invite = match &mut self.machine {
            Machine::Invite(invite) => invite,
            Machine::Other(machine) => {
                return machine.on_response(now, pace, status) == client_other::OnResponse::Pass;
            }
            Machine::Cancel(machine) => {
                machine.on_response(now, pace, status);
                return false;
            }
        };
        match invite.machine.on_response(now, pace, status) {
            client_invite::OnResponse::Pass => true,
            client_invite::OnResponse::Absorb => false,
            client_invite::OnResponse::PassAndAck => {
                invite.ack = hop_by_hop::ack(&self.request, message);
                self.send_ack(id, out);
                true
            }
            client_invite::OnResponse::AckAgain => {
                self.send_ack(id, out);
                false
            }
        }
    }

    fn send_ack(&mut self, id: ClientId, out: &mut Vec<Transmit>) {
        let hop = self.hop.clone();
        if let Some(bytes) = self.invite().and_then(|invite| invite.ack.clone()) {
            out.push(Transmit { hop, bytes, by: By::Client(id) });
        }
    }

    fn on_timer(&mut self, now: Mono, id: ClientId, out: &mut Vec<Transmit>) -> Option<Event> {
        let (fired, was_accepted) = match &mut self.machine {
            Machine::Invite(invite) => {
                let was_accepted = invite.machine.is_accepted();
                (invite.machine.on_timer(now), was_accepted)
            }
            Machine::Other(machine) | Machine::Cancel(machine) => (machine.on_timer(now), false),
        };
        match fired {
            Fired::Nothing => None,
            Fired::Resend => {
                out.push(Transmit { hop: self.hop.clone(), bytes: self.request.clone(), by: By::Client(id) });
                None
            }
            Fired::TimedOut => self.is_awaited().then_some(Event::Timeout { id }),
            Fired::Ended => was_accepted.then_some(Event::Over { id }),
        }
    }

    /// Whether the user waits for the outcome.
    fn is_awaited(&self) -> bool {
        match self.machine {
            Machine::Invite(_) | Machine::Other(_) => true,
            Machine::Cancel(_) => false,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        match &self.machine {
            Machine::Invite(invite) => invite.machine.deadline(),
            Machine::Other(machine) | Machine::Cancel(machine) => machine.deadline(),
        }
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(invite) => invite.machine.is_terminated(),
            Machine::Other(machine) | Machine::Cancel(machine) => machine.is_terminated(),
        }
    }
}
