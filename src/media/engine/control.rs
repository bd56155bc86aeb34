//! Obeys orders: opens, changes, moves and closes legs, says who hears whom, starts and ends recordings.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngCore;

use crate::media::codec::{Decoder, Encoder, Rate};
use crate::media::dtmf::{Detector, EventReceiver, EventSender, OneMethod, ToneSender};
use crate::media::latch::Latch;
use crate::media::mixer::Matrix;
use crate::media::recording::{Channel, Placer, Role, Start, Writer};
use crate::media::rtcp::Session;
use crate::media::rtp::{Seed, Sender};
use crate::media::srtp::Srtp;
use crate::types::{CallId, Digit, Direction, LegId, MediaPort, Mono, Now, Origin, StreamParams};

use super::leg::{EARLY_PAUSE, Early, Hearing, Leg, Packing, SETTLING, Stream, Track, Voice};
use super::plan::{Call, Recorder};
use super::worker::{Holder, Order, Worker};
use super::{Command, Event};

/// Packets that are read at once when the kernel begins to filter a socket.
const LAST_READS: usize = 64;

/// The name in RTCP (RFC 3550 6.5.1). It says nothing of the inside of the exchange.
const CNAME: &str = "yihao";

impl Worker {
    /// Carries out one order.
    pub(super) fn order(&mut self, order: Order) {
        let now = self.shared.clock.now();
        match order {
            Order::Command(command) => self.command(command, now),
            Order::Expect(leg) => self.expected.entry(leg).or_default().push_back(Vec::new()),
            Order::Adopt(leg, call) => self.adopt(leg, call, now),
            Order::Prompts(prompts) => self.prompts = prompts,
            Order::Stop => {}
        }
    }

    /// Carries out one command, or keeps it for a leg that is on its way here.
    pub(super) fn command(&mut self, command: Command, now: Now) {
        let waiting = subject(&command).and_then(|leg| self.expected.get_mut(&leg)?.back_mut());
        match waiting {
            Some(waiting) => waiting.push(command),
            None => self.carry_out(command, now),
        }
    }

    fn carry_out(&mut self, command: Command, now: Now) {
        match command {
            Command::Open { leg, call, port, party } => self.open((leg, party), call, port, now),
            Command::Stream { leg, params, early } => self.stream(leg, *params, early, now),
            Command::Hear { call, set } => {
                let slot = self.call_slot(call);
                if let Some(call) = self.calls.get_mut(slot) {
                    call.hear = set;
                }
                self.rewire(slot, now.mono);
            }
            Command::Record { call, caller, file } => self.record(call, caller, file, now),
            Command::EndRecording { call } => {
                if let Some(slot) = self.call_slots.get(&call).copied() {
                    self.end_recording(slot, now.mono);
                }
            }
            Command::SendDigit { leg, digit } => {
                if let Some(slot) = self.leg_slots.get(&leg).copied() {
                    self.press(slot, digit, now.mono);
                }
            }
            Command::Move { leg, to_worker, call } => self.relocate(leg, usize::from(to_worker), call, now),
            Command::Close { leg } => self.close(leg, now),
        }
    }

    fn call_slot(&mut self, call: CallId) -> usize {
        if let Some(slot) = self.call_slots.get(&call) {
            return *slot;
        }
        let slot = self.calls.insert(Box::new(Call::new(call)));
        self.call_slots.insert(call, slot);
        slot
    }

    fn open(&mut self, (leg, party): (LegId, Origin), call: CallId, port: MediaPort, now: Now) {
        let Some(pair) = self.resting.remove(&(port.network, port.v6, port.port)) else {
            tracing::error!(%leg, port = port.port, "a leg was given a media port that is not free");
            return;
        };
        pair.drain();
        let seed = Seed { ssrc: self.random(), sequence: self.random() as u16, timestamp: self.random() };
        let random = self.random();
        let call_slot = self.call_slot(call);
        let leg = Leg {
            id: leg,
            party,
            call: call_slot,
            pair,
            stream: None,
            routes: Vec::new(),
            hearing: Hearing::Frames { feeds: Vec::new(), matrix: Box::new(Matrix::silent(1)), rate: Rate::Narrow },
            track: None,
            inlet: None,
            hush: None,
            sender: Sender::new(seed),
            session: Session::new(seed.ssrc, CNAME, random, now.mono),
            packing: Packing::new(),
            events_in: EventReceiver::new(),
            events_out: EventSender::new(),
            tones_out: ToneSender::new(),
            one_method: OneMethod::new(),
            early: Early::Over,
            silent_since: now.mono,
            late: 0,
            buffer_delay: Duration::ZERO,
        };
        self.settle_in(Box::new(leg), call_slot, now.mono);
    }

    /// Gives a leg its place on this worker.
    fn settle_in(&mut self, mut leg: Box<Leg>, call_slot: usize, now: Mono) {
        leg.call = call_slot;
        let id = leg.id;
        let slot = self.legs.insert(leg);
        self.leg_slots.insert(id, slot);
        if let Some(leg) = self.legs.get(slot) {
            self.holders[leg.pair.mark] = Holder::Leg(slot);
        }
        if let Some(call) = self.calls.get_mut(call_slot) {
            call.legs.push(slot);
        }
        self.put_on_tape(slot, now);
        self.rewire(call_slot, now);
    }

    fn stream(&mut self, leg: LegId, params: StreamParams, early: bool, now: Now) {
        let Some(slot) = self.leg_slots.get(&leg).copied() else { return };
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let result = match leg.stream.take() {
            None => first_stream(params, now.mono),
            Some(stream) => changed_stream(stream, params, now.mono),
        };
        // The far end has just spoken, if only in SIP; after a hold it is given its time again.
        leg.silent_since = now.mono;
        leg.early = if early { Early::Awaited } else { Early::Over };
        match result {
            Ok(stream) => {
                if stream.settle_at.is_some_and(|at| at > now.mono) {
                    leg.pair.open_up();
                }
                leg.stream = Some(stream);
            }
            // Without its keys a secure leg must neither send nor hear.
            Err(error) => tracing::error!(leg = %leg.id, %error, "the keys of a secure leg cannot be used"),
        }
        let call = leg.call;
        self.settle(slot, now.mono, false);
        self.rewire(call, now.mono);
    }

    /// Lets the kernel filter what comes from elsewhere, once no other source may show itself.
    pub(super) fn settle(&mut self, slot: usize, now: Mono, read_on: bool) {
        let due = |leg: &Leg| leg.stream.as_ref().and_then(|s| s.settle_at).is_some_and(|at| at <= now);
        if !self.legs.get(slot).is_some_and(due) {
            return;
        }
        // What is queued was let in without a filter and is judged like the packets before it.
        for _ in 0..LAST_READS {
            if !read_on || !self.receive(slot) {
                break;
            }
        }
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let Some(stream) = &mut leg.stream else { return };
        let to = stream.latch.send_to();
        if to.ip().is_unspecified() || to.port() == 0 {
            return;
        }
        match leg.pair.filter(to) {
            Ok(()) => stream.settle_at = None,
            Err(error) => tracing::debug!(leg = %leg.id, %error, "no way to the far end's address"),
        }
    }

    fn record(&mut self, call: CallId, caller: LegId, file: String, now: Now) {
        let slot = self.call_slot(call);
        let Some(call) = self.calls.get_mut(slot) else { return };
        let same = call.recorder.as_ref().is_some_and(|r| r.file == file) || call.broken.as_ref() == Some(&file);
        if same {
            return;
        }
        self.end_recording(slot, now.mono);
        let Some(call) = self.calls.get_mut(slot) else { return };
        let tape = self.shared.disk.open(call.id, &file);
        let writer = Writer::new(Start { call: call.id, started: now.wall });
        call.recorder = Some(Recorder { file, caller, began: now.mono, writer, tape, taken_at: now.mono });
        for leg in call.legs.clone() {
            self.put_on_tape(leg, now.mono);
        }
    }

    /// Says where a leg's audio goes in the recording of its call.
    fn put_on_tape(&mut self, slot: usize, now: Mono) {
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let recorder = self.calls.get_mut(leg.call).and_then(|call| call.recorder.as_mut());
        leg.track = recorder.map(|recorder| {
            let (channel, role) = match leg.party {
                _ if recorder.caller == leg.id => (Channel::Caller, Role::Caller),
                Origin::Seat(_) => (Channel::Others, Role::Seat),
                Origin::Trunk(_) => (Channel::Others, Role::Trunk),
            };
            let position = recorder.position(now);
            recorder.writer.joined(leg.id, channel, role, position);
            Track { channel, placer: Placer::new() }
        });
    }

    /// Closes the file of a call's recording.
    fn end_recording(&mut self, slot: usize, now: Mono) {
        let Some(call) = self.calls.get_mut(slot) else { return };
        call.broken = None;
        let Some(mut recorder) = call.recorder.take() else { return };
        let mut bytes = Vec::new();
        let position = recorder.position(now);
        recorder.writer.end(position, &mut bytes);
        recorder.tape.append(bytes);
        recorder.tape.close();
        for leg in &call.legs {
            if let Some(leg) = self.legs.get_mut(*leg) {
                leg.track = None;
            }
        }
    }

    /// Begins to send a key: as an event where that was agreed, as a tone otherwise.
    pub(super) fn press(&mut self, slot: usize, digit: Digit, now: Mono) {
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let events = leg.stream.as_ref().is_some_and(|s| s.params.event_type.is_some());
        let result = if events { leg.events_out.press(digit) } else { leg.tones_out.press(digit) };
        if let Err(error) = result {
            tracing::debug!(leg = %leg.id, %error, "a key is not sent");
        }
        let call = leg.call;
        self.settle_ticking(call, now);
    }

    fn relocate(&mut self, leg: LegId, to_worker: usize, call: CallId, now: Now) {
        let Some(slot) = self.leg_slots.get(&leg).copied() else {
            tracing::debug!(%leg, "a leg that is gone cannot be moved");
            return;
        };
        if to_worker == self.index || to_worker >= self.shared.peers.len() {
            let call_slot = self.call_slot(call);
            if self.legs.get(slot).is_some_and(|leg| leg.call == call_slot) {
                return;
            }
            if let Some(mut leg) = self.take_out(slot, now) {
                leg.routes.clear();
                self.settle_in(leg, call_slot, now.mono);
            }
            return;
        }
        if let Some(mut leg) = self.take_out(slot, now) {
            self.unwatch(&leg.pair);
            leg.pair.port.worker = u8::try_from(to_worker).expect("fewer than 256 workers");
            self.leaving.push_back((to_worker, leg, call));
        }
    }

    fn adopt(&mut self, mut leg: Box<Leg>, call: CallId, now: Now) {
        let id = leg.id;
        leg.routes.clear();
        self.watch(&mut leg.pair, Holder::Nobody);
        let call_slot = self.call_slot(call);
        self.settle_in(leg, call_slot, now.mono);
        let waiting = self.expected.get_mut(&id).and_then(VecDeque::pop_front);
        if self.expected.get(&id).is_some_and(VecDeque::is_empty) {
            self.expected.remove(&id);
        }
        for command in waiting.unwrap_or_default() {
            self.carry_out(command, now);
        }
    }

    /// Takes a leg out of its call.
    fn take_out(&mut self, slot: usize, now: Now) -> Option<Box<Leg>> {
        let mut leg = self.legs.remove(slot)?;
        self.leg_slots.remove(&leg.id);
        self.holders[leg.pair.mark] = Holder::Nobody;
        leg.track = None;
        let call_slot = leg.call;
        let mut empty = false;
        if let Some(call) = self.calls.get_mut(call_slot) {
            call.legs.retain(|other| *other != slot);
            empty = call.legs.is_empty();
            if let Some(recorder) = &mut call.recorder {
                let position = recorder.position(now.mono);
                recorder.writer.left(leg.id, position);
            }
        }
        if empty {
            self.end_call(call_slot, now.mono);
        } else {
            self.rewire(call_slot, now.mono);
        }
        Some(leg)
    }

    fn end_call(&mut self, slot: usize, now: Mono) {
        self.end_recording(slot, now);
        if let Some(call) = self.calls.remove(slot) {
            self.call_slots.remove(&call.id);
            if let Some(phase) = call.phase {
                self.wheel.remove(slot, phase);
            }
        }
    }

    fn close(&mut self, leg: LegId, now: Now) {
        let Some(slot) = self.leg_slots.get(&leg).copied() else { return };
        let Some(mut leg) = self.take_out(slot, now) else { return };
        let (mut codec, mut delay) = (crate::types::Codec::Pcma, leg.buffer_delay);
        if let Some(stream) = &leg.stream {
            codec = stream.params.codec;
            let bye = leg.session.bye(&leg.sender, now);
            leg.transmit_rtcp(&bye);
        }
        if let Some(inlet) = &leg.inlet {
            leg.late += inlet.late();
            delay = delay.max(inlet.delay());
        }
        let report = leg.session.figures(codec, leg.late, delay, leg.sender.packets());
        let port = leg.pair.port;
        self.holders[leg.pair.mark] = Holder::Rest(leg.pair.key());
        self.resting.insert(leg.pair.key(), leg.pair);
        self.outbox.push_back(Event::Closed { leg: leg.id, port, report });
    }

    /// Ends everything: the worker stops.
    pub(super) fn finish(&mut self) {
        let now = self.shared.clock.now();
        while let Some(leg) = self.leg_slots.keys().next().copied() {
            self.close(leg, now);
        }
        self.report();
    }

    /// Slow work for every `of`th leg and call, beginning with `part`: reports, silence, filters, recordings.
    pub(super) fn look_after(&mut self, part: usize, of: usize, mono: Mono) {
        let now = Now { mono, ..self.shared.clock.now() };
        for slot in (part..self.legs.end()).step_by(of) {
            self.settle(slot, mono, true);
            self.look_after_leg(slot, now);
        }
        for slot in (part..self.calls.end()).step_by(of) {
            self.save_recording(slot, mono);
        }
    }

    fn look_after_leg(&mut self, slot: usize, now: Now) {
        let random = self.rng.next_u32();
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let Some(stream) = &leg.stream else { return };
        let config = &self.shared.config;
        let limit = if stream.held() { config.silence_on_hold } else { config.silence };
        if now.mono.since(leg.silent_since) >= limit {
            leg.silent_since = now.mono;
            self.outbox.push_back(Event::Silent { leg: leg.id });
        }
        if matches!(leg.early, Early::Heard { last } if now.mono.since(last) >= EARLY_PAUSE) {
            leg.early = Early::Awaited;
            self.outbox.push_back(Event::EarlyMedia { leg: leg.id, port: leg.pair.port, heard: false });
        }
        if leg.session.deadline() <= now.mono {
            let report = leg.session.report(&leg.sender, random, now);
            leg.transmit_rtcp(&report);
        }
    }

    /// Hands what was recorded to the disk thread.
    fn save_recording(&mut self, slot: usize, now: Mono) {
        let Some(call) = self.calls.get_mut(slot) else { return };
        let Some(recorder) = &mut call.recorder else { return };
        let mut bytes = Vec::with_capacity(recorder.writer.pending_bytes() + 64);
        recorder.writer.take(&mut bytes);
        recorder.taken_at = now;
        if bytes.is_empty() || recorder.tape.append(bytes) {
            return;
        }
        // The disk thread has reported why, or its queue is full and the tape has.
        call.broken = call.recorder.take().map(|recorder| recorder.file);
        for leg in &call.legs {
            if let Some(leg) = self.legs.get_mut(*leg) {
                leg.track = None;
            }
        }
    }
}

/// The leg that a command is for, when it is for one.
fn subject(command: &Command) -> Option<LegId> {
    match command {
        Command::Open { leg, .. }
        | Command::Stream { leg, .. }
        | Command::SendDigit { leg, .. }
        | Command::Move { leg, .. }
        | Command::Close { leg } => Some(*leg),
        Command::Hear { .. } | Command::Record { .. } | Command::EndRecording { .. } => None,
    }
}

fn first_stream(params: StreamParams, now: Mono) -> Result<Stream, crate::media::srtp::SrtpError> {
    let srtp = match &params.srtp {
        Some((ours, theirs)) => Some(Srtp::new(ours, theirs)?),
        None => None,
    };
    let mut stream = Stream {
        latch: Latch::new(params.remote, params.remote_rtcp, params.may_latch, now),
        srtp,
        voice: Voice { encoder: Encoder::new(params.codec), transcoder: None },
        tones: None,
        settle_at: Some(settle_at(&params, now)),
        params,
    };
    listen_for_tones(&mut stream);
    Ok(stream)
}

fn changed_stream(
    mut stream: Stream,
    params: StreamParams,
    now: Mono,
) -> Result<Stream, crate::media::srtp::SrtpError> {
    stream.srtp = match (stream.srtp.take(), &params.srtp) {
        (Some(mut srtp), Some((ours, theirs))) => {
            srtp.rekey(ours, theirs)?;
            Some(srtp)
        }
        (None, Some((ours, theirs))) => Some(Srtp::new(ours, theirs)?),
        (_, None) => None,
    };
    if params.codec != stream.params.codec {
        stream.voice = Voice { encoder: Encoder::new(params.codec), transcoder: None };
        stream.tones = None;
    }
    let before = stream.latch.send_to();
    stream.latch.renegotiated(params.remote, params.remote_rtcp, params.may_latch, now);
    // A filter that still fits stays, unless another source may show itself again.
    if params.may_latch || stream.latch.send_to() != before || stream.settle_at.is_some() {
        stream.settle_at = Some(settle_at(&params, now));
    }
    stream.params = params;
    listen_for_tones(&mut stream);
    Ok(stream)
}

fn settle_at(params: &StreamParams, now: Mono) -> Mono {
    if params.may_latch { now + SETTLING } else { now }
}

/// Tones in the audio count only where no telephone-event was agreed (media.md 10).
fn listen_for_tones(stream: &mut Stream) {
    let wanted = stream.params.event_type.is_none() && stream.params.direction != Direction::Inactive;
    if !wanted {
        stream.tones = None;
    } else if stream.tones.is_none() {
        stream.tones = Some(Box::new((Decoder::new(stream.params.codec), Detector::new())));
    }
}
