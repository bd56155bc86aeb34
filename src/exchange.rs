//! The exchange: SIP endpoint and center joined into one deterministic machine, from datagram to datagram.
//!
//! The node's loop feeds it and carries out what it wants; the simulation and `yihao replay` do the same. It translates
//! and orders, it decides nothing: SIP lives in `sip::endpoint`, policy in `center`, sound in the media engine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::center::{self, Center, Effect};
use crate::dialplan::Plan;
use crate::media::dtmf::OneMethod;
use crate::media::engine as media;
use crate::sip::endpoint::{self, Endpoint, Named};
use crate::sip::flow::ConnId;
use crate::sip::message::Uri;
use crate::sip::transaction::Transmit;
use crate::types::{LegCommand, LegEvent, LegId, Mono, NetworkId, Now, ReplyId, Row};

/// Everything that comes from outside. A log of these, with the seed and the plan, replays a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// Concerns SIP.
    Sip(endpoint::Input),
    /// Comes from the media engine.
    Media(media::Event),
    /// A command of an agent or operator.
    Command(center::Input),
    /// A deadline passed.
    Tick,
}

/// What the shell must do, in this order; but rows of the ledger are written before anything is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Append to the ledger.
    Ledger(Row),
    /// Send a message.
    Send(Transmit),
    /// Close a connection.
    Close(ConnId),
    /// Look a name up; `endpoint::Input::Resolved` answers.
    Resolve {
        /// For whom.
        whom: Named,
        /// What.
        uri: Uri,
        /// From which network it is reached.
        network: NetworkId,
    },
    /// Tell the media engine.
    Media(media::Command),
    /// Tell whoever watches seats.
    Seat(center::SeatNews),
    /// Answer a command.
    Reply {
        /// Whom.
        to: ReplyId,
        /// What.
        reply: center::Reply,
    },
}

/// Endpoint and center of one node.
pub struct Exchange {
    endpoint: Endpoint,
    center: Center,
    /// Events of legs on their way to the center.
    events: VecDeque<center::Input>,
    /// The way in which each leg sends its keys, so that no key is taken twice.
    keys: BTreeMap<LegId, OneMethod>,
    said: Vec<endpoint::Output>,
    effects: Vec<Effect>,
    /// Filled where somebody listens, see [`Exchange::listen`].
    overheard: Option<Vec<Overheard>>,
}

/// What passes between legs and center, as a listener at the seam hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overheard {
    /// A leg said something; it stands in line for the center.
    Said(LegId, LegEvent),
    /// The center takes it up.
    Taken(LegId, LegEvent),
    /// The center tells a leg something.
    Told(LegId, LegCommand),
}

/// What of calls an exchange holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// In the endpoint.
    pub endpoint: endpoint::Left,
    /// Live calls of the center.
    pub calls: usize,
    /// Legs whose way of sending keys is remembered.
    pub keys: usize,
}

impl Left {
    /// Whether there is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Left::default()
    }
}

impl Exchange {
    /// Joins an endpoint and a center that were made for the same plan.
    pub fn new(endpoint: Endpoint, center: Center) -> Self {
        Self {
            endpoint,
            center,
            events: VecDeque::new(),
            keys: BTreeMap::new(),
            said: Vec::new(),
            effects: Vec::new(),
            overheard: None,
        }
    }

    /// Applies one input and appends what must be done.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Sip(input) => self.endpoint.handle(now, input, &mut self.said),
            Input::Media(event) => self.on_media(now, event),
            Input::Command(input) => self.events.push_back(input),
            Input::Tick => {
                self.endpoint.handle(now, endpoint::Input::Tick, &mut self.said);
                self.events.push_back(center::Input::Tick);
            }
        }
        self.absorb(out);
        while let Some(event) = self.events.pop_front() {
            self.step(now, event, out);
        }
    }

    /// When `Input::Tick` is due next.
    pub fn deadline(&mut self) -> Option<Mono> {
        [self.endpoint.deadline(), self.center.deadline()].into_iter().flatten().min()
    }

    /// The SIP side, for figures.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The center, for figures and checks.
    pub fn center(&self) -> &Center {
        &self.center
    }

    /// A new plan counts for new calls; calls in progress keep theirs, and trunks of the same name their ids.
    pub fn set_plan(&mut self, now: Now, mut plan: Plan, secrets: endpoint::Secrets, out: &mut Vec<Output>) {
        plan.continues(self.endpoint.plan());
        let plan = Arc::new(plan);
        self.endpoint.set_plan(Arc::clone(&plan), secrets, &mut self.said);
        self.absorb(out);
        self.handle(now, Input::Command(center::Input::Plan { plan: Some(plan) }), out);
    }

    /// Takes our registrations at carriers back.
    pub fn unregister(&mut self, now: Now, out: &mut Vec<Output>) {
        self.endpoint.unregister(now, &mut self.said);
        self.absorb(out);
    }

    /// Ends every leg: the node is about to go.
    pub fn end_all(&mut self, now: Now, out: &mut Vec<Output>) {
        self.endpoint.end_all(now, &mut self.said);
        self.absorb(out);
        while let Some(event) = self.events.pop_front() {
            self.step(now, event, out);
        }
    }

    /// Whether no leg lives and no request of ours waits for an answer.
    pub fn is_quiet(&self) -> bool {
        self.endpoint.is_quiet()
    }

    /// What of calls is still there, for worlds that want to see nothing left.
    pub fn left(&self) -> Left {
        Left { endpoint: self.endpoint.left(), calls: self.center.calls(), keys: self.keys.len() }
    }

    /// Gives what legs and center have said to each other since the last time, and goes on listening; the first time it gives
    /// nothing. For worlds that check the seam: a node does not listen.
    pub fn listen(&mut self) -> Vec<Overheard> {
        self.overheard.replace(Vec::new()).unwrap_or_default()
    }

    fn overhear(&mut self, what: impl FnOnce() -> Overheard) {
        if let Some(overheard) = &mut self.overheard {
            overheard.push(what());
        }
    }

    fn on_media(&mut self, now: Now, event: media::Event) {
        match event {
            media::Event::PromptEnded { leg, run } => self.events.push_back(center::Input::PromptEnded { leg, run }),
            media::Event::Digit { leg, digit, by } => {
                self.on_leg(leg, LegEvent::Digit { digit, by });
            }
            media::Event::EarlyMedia { leg, port, heard } => {
                self.endpoint.handle(now, endpoint::Input::EarlyMedia { leg, port, heard }, &mut self.said);
            }
            media::Event::Silent { leg } => self.endpoint.handle(now, endpoint::Input::Silent { leg }, &mut self.said),
            media::Event::Closed { leg, port, report } => {
                self.endpoint.handle(now, endpoint::Input::PortFree { port }, &mut self.said);
                self.events.push_back(center::Input::Measured { leg, report });
            }
            media::Event::RecordingFailed { call, why } => {
                self.events.push_back(center::Input::RecordingFailed { call, why });
            }
        }
    }

    fn on_leg(&mut self, leg: LegId, event: LegEvent) {
        match &event {
            // A key on its way from the engine may come after the leg's last word.
            LegEvent::Digit { .. } if !self.endpoint.has_leg(leg) => return,
            LegEvent::Digit { by, .. } if !self.keys.entry(leg).or_default().accept(*by) => return,
            LegEvent::Ended { .. } => drop(self.keys.remove(&leg)),
            LegEvent::Digit { .. }
            | LegEvent::Arrived(_)
            | LegEvent::Ringing
            | LegEvent::Answered
            | LegEvent::NoEarlyMedia
            | LegEvent::EarlyMedia(_)
            | LegEvent::Held(_)
            | LegEvent::Refer { .. } => {}
        }
        self.overhear(|| Overheard::Said(leg, event.clone()));
        self.events.push_back(center::Input::Leg { leg, event });
    }

    /// One event through the center, its effects carried on in order.
    fn step(&mut self, now: Now, event: center::Input, out: &mut Vec<Output>) {
        if let center::Input::Leg { leg, event } = &event {
            self.overhear(|| Overheard::Taken(*leg, event.clone()));
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.center.handle(now, event, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Ledger(row) => out.push(Output::Ledger(row)),
                Effect::Leg { call, leg, command } => {
                    self.overhear(|| Overheard::Told(leg, command.clone()));
                    self.endpoint.command(now, call, leg, command, &mut self.said);
                    self.absorb(out);
                }
                Effect::Hear { call, set } => out.push(Output::Media(media::Command::Hear { call, set })),
                Effect::Record { call, caller, file } => {
                    out.push(Output::Media(media::Command::Record { call, caller, file }));
                }
                Effect::EndRecording { call } => out.push(Output::Media(media::Command::EndRecording { call })),
                Effect::Seat(news) => out.push(Output::Seat(news)),
                Effect::Reply { to, reply } => out.push(Output::Reply { to, reply }),
            }
        }
        self.effects = effects;
    }

    /// Sorts what the endpoint said: to the network and the engine at once, events of legs in line for the center.
    fn absorb(&mut self, out: &mut Vec<Output>) {
        let mut said = std::mem::take(&mut self.said);
        for output in said.drain(..) {
            match output {
                endpoint::Output::Send(transmit) => out.push(Output::Send(transmit)),
                endpoint::Output::Close { connection } => out.push(Output::Close(connection)),
                endpoint::Output::Resolve { whom, uri, network } => out.push(Output::Resolve { whom, uri, network }),
                endpoint::Output::Leg { leg, event } => self.on_leg(leg, event),
                endpoint::Output::Open { leg, call, port, party } => {
                    out.push(Output::Media(media::Command::Open { leg, call, port, party }));
                }
                endpoint::Output::Stream { leg, params, early } => {
                    out.push(Output::Media(media::Command::Stream { leg, params, early }));
                }
                endpoint::Output::SendDigit { leg, digit } => {
                    out.push(Output::Media(media::Command::SendDigit { leg, digit }));
                }
                endpoint::Output::CloseMedia { leg } => out.push(Output::Media(media::Command::Close { leg })),
                endpoint::Output::Reachable { seat, reachable } => {
                    self.events.push_back(center::Input::Reachable { seat, reachable });
                }
                endpoint::Output::TrunkHealth { trunk, up } => {
                    self.events.push_back(center::Input::TrunkHealth { trunk, up });
                }
            }
        }
        self.said = said;
    }
}
