//! The SIP endpoint: messages on one side, legs on the other. Pure: no socket, no clock; randomness comes from a seed.
//!
//! It knows who may call (trunks, seats' phones), negotiates each leg's audio with us alone, and keeps dialogs alive. It
//! knows neither queues nor calls beyond their ids: what a leg should do is told by the core.

mod admit;
mod answer;
mod arrive;
mod audio;
mod carrier;
mod cause;
mod dial;
mod early;
mod farewell;
mod hangup;
mod in_dialog;
mod io;
mod leg;
mod modify;
mod offer_answer;
mod pick_up;
mod random;
mod refer;
mod register;
mod responses;
mod site;
#[cfg(test)]
mod tests;
mod tick;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dialplan::Plan;
use crate::media::ports::PortPool;
use crate::sip::auth::{self, Guard};
use crate::sip::dialog::{Dialog, session_timer};
use crate::sip::flow::{ConnId, Flow};
use crate::sip::message::{Message, Method, ParseError};
use crate::sip::registrar::Registrar;
use crate::sip::transaction::{self, By, ClientId, Event, ServerId, Timers, Transactions, Transmit};
use crate::sip::trunk::Trunks;
use crate::types::{CallId, Cause, LegCommand, LegEvent, LegId, LegIds, Mono, Now, Origin, TrunkId};

pub use io::{Config, Input, Left, Named, Network, Output, Refused, Secrets, Seeds};

use leg::{DialogKey, Ghost, Leg, Purpose};
use random::Random;
use site::Sites;

/// All SIP state of one node.
pub struct Endpoint {
    config: Config,
    plan: Arc<Plan>,
    secrets: Secrets,
    sites: Sites,
    random: Random,
    /// Keys of streams come from here, so that a replay without them draws the same of all else.
    keys: Random,
    transactions: Transactions,
    registrar: Registrar,
    trunks: Trunks,
    guard: Guard,
    ports: PortPool,
    ids: LegIds,
    legs: BTreeMap<LegId, Leg>,
    /// Dialogs of legs: early ones of forks too.
    dialogs: BTreeMap<DialogKey, LegId>,
    /// Open incoming INVITEs.
    arriving: BTreeMap<ServerId, LegId>,
    clients: BTreeMap<ClientId, Purpose>,
    /// INVITEs of ours that have outlived their place in a leg.
    ghosts: BTreeMap<ClientId, Ghost>,
    /// Re-INVITEs of ours whose leg has ended before their answer or before all of its repetitions.
    parted: BTreeMap<ClientId, (Dialog, Origin)>,
    /// What we still have to say in dialogs that are over.
    farewells: farewell::Farewells,
    timers: Timers,
    /// One entry a leg that waits for something.
    due: BTreeSet<(Mono, LegId)>,
    due_of: BTreeMap<LegId, Mono>,
    /// Those that are open.
    connections: BTreeMap<ConnId, Connection>,
    refused: BTreeMap<(Option<TrunkId>, Refused), u64>,
    refused_registers: BTreeMap<Refused, u64>,
    manners: admit::Manners,
    /// Whether new calls are taken.
    accepting: bool,
    /// New calls of the running second, over all trunks.
    rate: admit::Rate,
    /// What the transactions want sent in this turn; moved to the outputs at its end.
    transmits: Vec<Transmit>,
}

/// A connection that is open.
struct Connection {
    flow: Flow,
    /// Names in its verified certificate.
    identities: Vec<String>,
}

impl Endpoint {
    /// An endpoint without legs. `ports` are bound already; `seeds` make all its random values.
    pub fn new(config: Config, plan: Arc<Plan>, secrets: Secrets, ports: PortPool, ids: LegIds, seeds: Seeds) -> Self {
        let mut random = Random::new(seeds.wire);
        let timers = Timers { t1: config.t1, t2: config.t2, t4: config.t4 };
        let trunks = Trunks::new(&plan.trunks, &|name| config.network(name), &secrets.trunks);
        let settings =
            transaction::Settings { timers, most: config.max_transactions, reserve: config.max_transactions / 4 };
        Self {
            timers,
            sites: Sites::new(&config.networks),
            transactions: Transactions::new(settings),
            registrar: Registrar::new(register::settings(&config)),
            trunks,
            guard: Guard::new(
                auth::Settings { algorithms: config.digest.clone(), ..auth::Settings::new(&config.realm) },
                &random.bytes(),
            ),
            ports,
            ids,
            legs: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            arriving: BTreeMap::new(),
            clients: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            parted: BTreeMap::new(),
            farewells: farewell::Farewells::default(),
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
            connections: BTreeMap::new(),
            refused: BTreeMap::new(),
            refused_registers: BTreeMap::new(),
            manners: admit::Manners::default(),
            accepting: true,
            rate: admit::Rate::default(),
            transmits: Vec::new(),
            random,
            keys: Random::new(seeds.keys),
            config,
            plan,
            secrets,
        }
    }

    /// Applies what came from outside.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Message { flow, bytes } => self.on_message(now, &flow, bytes, out),
            Input::Opened { flow, identities } => {
                if let Some(connection) = flow.connection {
                    self.connections.insert(connection, Connection { flow, identities });
                }
            }
            Input::Closed { connection } => self.on_closed(now, connection, out),
            Input::Unsent { by } => {
                if let Some(event) = self.transactions.transport_failed(by, &mut self.transmits) {
                    self.on_event(now, event, out);
                }
            }
            Input::Resolved { whom, hops } => self.on_resolved(now, whom, hops, out),
            Input::EarlyMedia { leg, port, heard } => self.on_early_media(leg, port, heard, out),
            Input::Silent { leg } => self.on_silent(now, leg),
            Input::Begin => self.read_seats(out),
            Input::Accepting(on) => self.accepting = on,
            Input::PortFree { port } => self.ports.give_back(now, port),
            Input::Tick => self.on_tick(now, out),
        }
        self.flush(out);
    }

    /// Applies what the core tells a leg. A leg that has just ended ignores it: its `Ended` is on the way.
    pub fn command(&mut self, now: Now, call: CallId, leg: LegId, command: LegCommand, out: &mut Vec<Output>) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.call = Some(call);
        }
        match command {
            LegCommand::Ring => self.ring(now, leg),
            LegCommand::EarlyMedia => self.early_media(now, leg, out),
            LegCommand::Answer => self.answer(now, leg, out),
            LegCommand::Refuse(cause) => self.refuse(now, leg, cause, out),
            LegCommand::Dial(dial) => self.dial(now, call, leg, *dial, out),
            LegCommand::Hangup(cause) => self.hangup(now, leg, cause, out),
            LegCommand::Hold(on) => self.wish(now, leg, leg::Wish::Hold(on)),
            LegCommand::SendDigit(digit) => self.send_digit(now, leg, digit, out),
            LegCommand::PickUp => self.pick_up(now, leg),
            LegCommand::Referred(referral) => self.referred(now, leg, referral),
        }
        self.flush(out);
    }

    /// When `Input::Tick` is due next.
    pub fn deadline(&mut self) -> Option<Mono> {
        let legs = self.due.first().map(|(at, _)| *at);
        let others = [self.transactions.deadline(), self.registrar.deadline(), self.trunks.deadline()];
        others.into_iter().chain([legs, self.farewells.deadline()]).flatten().min()
    }

    /// INVITEs that were refused before a call existed, by trunk (`None`: not from a trunk) and reason.
    pub fn refused(&self) -> &BTreeMap<(Option<TrunkId>, Refused), u64> {
        &self.refused
    }

    /// REGISTERs that were refused: too many of strangers in a second, no room, or a wrong password.
    pub fn refused_registers(&self) -> &BTreeMap<Refused, u64> {
        &self.refused_registers
    }

    /// Legs that are alive.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Whether a leg has not had its last word.
    pub fn has_leg(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    /// Ends every leg, each as its state asks for.
    pub fn end_all(&mut self, now: Now, out: &mut Vec<Output>) {
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        for leg in legs {
            self.hangup(now, leg, Cause::Restart, out);
        }
        self.flush(out);
    }

    /// Whether no leg lives and no request of ours waits for an answer.
    pub fn is_quiet(&self) -> bool {
        self.legs.is_empty() && self.transactions.clients() == 0
    }

    /// What of calls is still there; nothing of it when all legs have ended and the transactions have run out.
    pub fn left(&self) -> Left {
        let is_carrier = |purpose: &&Purpose| matches!(purpose, Purpose::Carrier(..));
        Left {
            legs: self.legs.len(),
            dialogs: self.dialogs.len(),
            arriving: self.arriving.len(),
            requests: self.clients.len() - self.clients.values().filter(is_carrier).count(),
            ghosts: self.ghosts.len() + self.parted.len(),
            farewells: self.farewells.waiting(),
            timers: self.due.len() + self.due_of.len(),
            trunk_calls: self.trunks.status().iter().map(|t| t.calls as usize).sum(),
        }
    }

    /// Media ports by use.
    pub fn ports(&self, now: Now) -> crate::media::ports::PoolCounts {
        self.ports.counts(now)
    }

    /// The plan that counts for new calls.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A new plan, which continues the one before, counts for new calls; legs in progress go on. Fixed contacts that are plain addresses become reachable.
    pub fn set_plan(&mut self, plan: Arc<Plan>, secrets: Secrets, out: &mut Vec<Output>) {
        self.trunks.set_plan(&plan.trunks, &|name| self.config.network(name), &secrets.trunks);
        self.plan = plan;
        self.secrets = secrets;
        self.read_seats(out);
    }

    fn session_wish(&self) -> session_timer::Wish {
        session_timer::Wish { interval_s: self.config.session_expires_s, min_s: self.config.min_se_s }
    }

    fn on_message(&mut self, now: Now, flow: &Flow, bytes: bytes::Bytes, out: &mut Vec<Output>) {
        let read = if flow.transport.is_reliable() { Message::parse_framed(bytes) } else { Message::parse(bytes) };
        match read {
            Ok(message) => {
                if self.is_ignored(now, flow, &message) {
                    return;
                }
                if let Some(event) = self.transactions.receive(now.mono, flow, message, &mut self.transmits) {
                    self.on_event(now, event, out);
                }
            }
            Err(error) => self.on_malformed(flow, &error),
        }
    }

    fn on_event(&mut self, now: Now, event: Event, out: &mut Vec<Output>) {
        match event {
            Event::Request { id, flow, message, merged } => self.on_request(now, id, flow, message, merged, out),
            Event::Cancel { id, invite, flow, message } => self.on_cancel(now, id, invite, &flow, &message, out),
            Event::Ack { flow, message } => self.on_ack(now, &flow, &message, out),
            Event::Response { id, flow, message } => self.on_response(now, id, &flow, &message, out),
            Event::Over { id } => self.on_over(id),
            Event::Timeout { id } => self.on_no_response(now, id, 408, out),
            Event::Failed { id } => self.on_no_response(now, id, 503, out),
            Event::Undeliverable { id } => self.on_undeliverable(now, id, out),
            Event::Unacknowledged { .. } => {}
            Event::Overload { flow, message } => self.on_overload(&flow, &message),
            Event::Stray { message, .. } => self.on_stray(&message),
        }
    }

    fn on_malformed(&mut self, flow: &Flow, error: &ParseError) {
        // Bytes that cannot be read are answered to those we know only: a scanner gets silence.
        if !self.is_known(flow) {
            return tracing::debug!("unreadable message of an unknown source dropped");
        }
        if let ParseError::Malformed { request: Some(request), .. } = error
            && *request.method() == Method::Invite
        {
            self.count_refused(self.trunk_of(flow), Refused::BadRequest);
        }
        if let Some(bytes) = error.answer(&self.random.token()) {
            self.transmits.push(Transmit { hop: flow.back(), bytes, by: By::Nobody });
        }
    }

    /// Moves what the transactions want sent to the outputs.
    fn flush(&mut self, out: &mut Vec<Output>) {
        out.extend(self.transmits.drain(..).map(Output::Send));
    }

    /// Sets or clears the moment at which a leg wants `tick`.
    fn arm(&mut self, leg: LegId) {
        let at = self.legs.get(&leg).and_then(Leg::deadline);
        if let Some(old) = self.due_of.remove(&leg) {
            self.due.remove(&(old, leg));
        }
        if let Some(at) = at {
            self.due.insert((at, leg));
            self.due_of.insert(leg, at);
        }
    }

    /// The leg's last word: forgets it and gives its port back or lets the engine close it.
    fn end(&mut self, now: Now, leg: LegId, cause: Cause, status: Option<u16>, out: &mut Vec<Output>) {
        let Some(gone) = self.legs.remove(&leg) else { return };
        if let Some(at) = self.due_of.remove(&leg) {
            self.due.remove(&(at, leg));
        }
        for dialog in &gone.dialogs {
            self.dialogs.remove(dialog);
        }
        self.forget(now, gone, out);
        out.push(Output::Leg { leg, event: LegEvent::Ended { cause, status } });
    }
}
