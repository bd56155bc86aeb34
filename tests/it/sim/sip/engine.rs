//! The media engine of the world: obeys orders as the real one does, plays prompts in virtual time, and looks whether
//! ports, streams and sound are in order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use yihao::media::engine::{Command, Event};
use yihao::types::{CallId, Direction, Hear, LegId, MediaPort, RunId, Source, StreamParams, StreamReport};

use super::books::Promise;
use crate::sim::dice::Dice;

struct Leg {
    call: CallId,
    port: MediaPort,
    stream: Option<StreamParams>,
    /// The far end has not answered; whether it is heard all the same.
    early: Option<bool>,
}

#[derive(Default)]
struct Call {
    legs: BTreeSet<LegId>,
    worker: u8,
    hear: Vec<Hear>,
    started: BTreeSet<RunId>,
    ended: BTreeSet<RunId>,
    recording: bool,
}

/// What the engine has to say later.
pub(crate) enum Later {
    /// A prompt begins for a leg.
    Plays(LegId, RunId),
    /// A leg was closed.
    Closed(Event),
    /// A far end that has not answered may be heard.
    Early(LegId, MediaPort),
}

#[derive(Default)]
pub(crate) struct Engine {
    legs: BTreeMap<LegId, Leg>,
    calls: BTreeMap<CallId, Call>,
    ports: BTreeMap<MediaPort, LegId>,
    pub(crate) later: Vec<Later>,
    /// Legs that went to another worker.
    pub(crate) moved: u64,
    /// Far ends that were heard before their answer.
    pub(crate) heard_early: u64,
    pub(crate) faults: Vec<String>,
}

/// When a far end that has not answered is heard, and when no more. Some describe audio that never comes.
pub(crate) fn early_media(dice: &mut Dice) -> Vec<(u64, bool)> {
    let begins = dice.between(20, 400);
    match dice.below(100) {
        0..=24 => vec![],
        25..=59 => vec![(begins, true)],
        _ => {
            let ends = begins + dice.between(6_000, 9_000);
            vec![(begins, true), (ends, false), (ends + dice.between(10, 9_000), true)]
        }
    }
}

impl Engine {
    pub(crate) fn obey(&mut self, command: &Command) {
        match command {
            Command::Open { leg, call, port, .. } => self.open(*leg, *call, *port),
            Command::Stream { leg: id, params, early } => match self.legs.get_mut(id) {
                Some(leg) => {
                    leg.stream = Some((**params).clone());
                    leg.early = early.then_some(false);
                    let (call, port) = (leg.call, leg.port);
                    self.start_prompts(call);
                    if *early {
                        self.later.push(Later::Early(*id, port));
                    }
                }
                None => self.faults.push(format!("a stream for {id}, which is not open")),
            },
            Command::Hear { call, set } => {
                // As the real one: a call without a leg here is not known.
                if let Some(state) = self.calls.get_mut(call) {
                    state.hear.clone_from(set);
                    self.start_prompts(*call);
                }
            }
            Command::Record { call, .. } => {
                if let Some(state) = self.calls.get_mut(call) {
                    state.recording = true;
                }
            }
            Command::EndRecording { call } => {
                if let Some(state) = self.calls.get_mut(call) {
                    state.recording = false;
                }
            }
            Command::SendDigit { leg, .. } => {
                if !self.legs.contains_key(leg) {
                    self.faults.push(format!("a key for {leg}, which is not open"));
                }
            }
            Command::Move { .. } => self.faults.push("nobody asks for moves".to_owned()),
            Command::Close { leg } => self.close(*leg),
        }
    }

    fn open(&mut self, leg: LegId, call: CallId, mut port: MediaPort) {
        if let Some(other) = self.ports.insert(MediaPort { worker: 0, ..port }, leg) {
            self.faults.push(format!("{leg} gets the port of {other}"));
        }
        let state = self.calls.entry(call).or_insert_with(|| Call { worker: port.worker, ..Call::default() });
        if state.worker != port.worker {
            // Legs of a call share a worker: this one goes over with its port.
            port.worker = state.worker;
            self.moved += 1;
        }
        state.legs.insert(leg);
        if self.legs.insert(leg, Leg { call, port, stream: None, early: None }).is_some() {
            self.faults.push(format!("{leg} is opened twice"));
        }
    }

    fn close(&mut self, leg: LegId) {
        let Some(gone) = self.legs.remove(&leg) else {
            return self.faults.push(format!("{leg} is closed and was not open"));
        };
        self.ports.remove(&MediaPort { worker: 0, ..gone.port });
        if let Some(call) = self.calls.get_mut(&gone.call) {
            call.legs.remove(&leg);
            if call.legs.is_empty() {
                self.calls.remove(&gone.call);
            }
        }
        self.later.push(Later::Closed(Event::Closed { leg, port: gone.port, report: StreamReport::default() }));
    }

    /// What an event of this engine tells of a far end that has not answered is so from now on. Late ones tell nothing new.
    pub(crate) fn tells(&mut self, event: &Event) {
        if let Event::EarlyMedia { leg, port, heard } = event
            && let Some(Leg { early: Some(now), port: has, .. }) = self.legs.get_mut(leg)
            && has.is_same_pair(*port)
        {
            *now = *heard;
            self.heard_early += u64::from(*heard);
        }
    }

    /// Far ends that are heard and have not answered.
    pub(crate) fn early(&self) -> BTreeSet<LegId> {
        self.legs.iter().filter(|(_, leg)| leg.early == Some(true)).map(|(id, _)| *id).collect()
    }

    fn start_prompts(&mut self, call: CallId) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        for hear in &state.hear {
            let streams = self.legs.get(&hear.leg).is_some_and(|leg| leg.stream.is_some());
            for source in hear.from.iter().filter(|_| streams) {
                if let Source::Prompt { run, .. } = source
                    && state.started.insert(*run)
                {
                    self.later.push(Later::Plays(hear.leg, *run));
                }
            }
        }
    }

    /// A prompt has been played; says whether it is still worth a word.
    pub(crate) fn played(&mut self, leg: LegId, run: RunId) -> bool {
        let Some(call) = self.legs.get(&leg).map(|leg| leg.call) else { return false };
        let Some(state) = self.calls.get_mut(&call) else { return false };
        let plays = state.hear.iter().any(|hear| {
            hear.leg == leg && hear.from.iter().any(|s| matches!(s, Source::Prompt { run: now, .. } if *now == run))
        });
        if plays {
            state.ended.insert(run);
        }
        plays
    }

    /// Nobody who can hear hears nothing. Called after each turn; an ended prompt of a turn before is silence.
    pub(crate) fn listen(&mut self, ended: Option<(LegId, RunId)>) {
        for (id, call) in &self.calls {
            for leg in &call.legs {
                let Some(stream) = self.legs[leg].stream.as_ref() else { continue };
                let hears = call.hear.iter().find(|hear| hear.leg == *leg).map_or(&[][..], |hear| &hear.from);
                if self.legs[leg].early.is_some() {
                    if !hears.is_empty() {
                        self.faults.push(format!("{leg} of {id} hears {hears:?} before it has answered"));
                    }
                    continue;
                }
                if matches!(stream.direction, Direction::RecvOnly | Direction::Inactive) {
                    continue;
                }
                if hears.is_empty() {
                    self.faults.push(format!("{leg} of {id} hears nothing"));
                }
                for source in hears {
                    if let Source::Leg { leg: other, .. } = source
                        && self.legs.get(other).is_some_and(|other| other.early == Some(false))
                    {
                        self.faults.push(format!("{leg} of {id} hears {other}, which says nothing"));
                    }
                    if let Source::Prompt { name, run } = source
                        && ended == Some((*leg, *run))
                        && name.0.starts_with("greeting/")
                    {
                        self.faults.push(format!("{leg} of {id} still hears a greeting that has ended"));
                    }
                }
            }
        }
    }

    /// What was promised to a far end is what its stream does. Before there is one the far end has still to answer.
    pub(crate) fn keep(&mut self, promise: &Promise) {
        let Some((id, leg)) = self.legs.iter().find(|(_, leg)| leg.port.port == promise.port) else { return };
        let Some(stream) = &leg.stream else { return };
        let does = match stream.direction {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        };
        if does != promise.direction {
            self.faults.push(format!("{id} was told {} and the engine does {does}", promise.direction));
        }
    }

    /// Far ends of legs that are in one call, each with each.
    pub(crate) fn pairs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        let mut pairs = Vec::new();
        for call in self.calls.values().filter(|call| call.legs.len() > 1) {
            let up = call.legs.iter().filter(|leg| self.legs[leg].early.is_none());
            let remotes: Vec<SocketAddr> = up.filter_map(|leg| self.remote(*leg)).collect();
            let with = |a: &SocketAddr| remotes.iter().filter(|b| *b != a).map(|b| (*a, *b)).collect::<Vec<_>>();
            pairs.extend(remotes.iter().flat_map(with));
        }
        pairs
    }

    pub(crate) fn remote(&self, leg: LegId) -> Option<SocketAddr> {
        self.legs.get(&leg)?.stream.as_ref().map(|stream| stream.remote)
    }

    /// The leg whose far end has this address for audio.
    pub(crate) fn leg_of(&self, remote: SocketAddr) -> Option<LegId> {
        self.legs.iter().find(|(_, leg)| leg.stream.as_ref().is_some_and(|s| s.remote == remote)).map(|(id, _)| *id)
    }

    /// What the leg with this far end hears: the names of prompts.
    pub(crate) fn prompt_of(&self, remote: SocketAddr) -> Option<String> {
        let leg = self.leg_of(remote)?;
        let call = self.calls.get(&self.legs[&leg].call)?;
        let hear = call.hear.iter().find(|hear| hear.leg == leg)?;
        hear.from.iter().find_map(|s| match s {
            Source::Prompt { name, .. } => Some(name.0.to_string()),
            Source::Leg { .. } | Source::Music { .. } | Source::Ringback => None,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.calls.is_empty()
    }
}
