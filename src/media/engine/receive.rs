//! A packet comes in: judged, counted, recorded, and passed on at once to those who hear nothing else.
//!
//! This is the path that costs; no lock, no allocation (secure legs excepted) and no clock but the one read here.

use std::io;
use std::net::SocketAddr;

use crate::media::latch::Verdict;
use crate::media::recording::Encoding;
use crate::media::rtp::{COMFORT_NOISE_TYPE, HEADER_BYTES, Header, Kind, Stamp, is_rtcp};
use crate::types::{Codec, Digit, DigitBy, Mono, Now};

use super::Event;
use super::leg::{Early, Feed, Hearing, Leg, Stream};
use super::worker::{DATAGRAM, Holder, Worker};

/// Keys that wait for a slow control loop at most; further ones are dropped.
const MAX_OUTBOX: usize = 10_000;

/// Longest audio in a packet that is converted; longer ones are no voice of a phone.
const MAX_AUDIO: usize = 960;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    Audio,
    Event,
    Noise,
}

impl Worker {
    /// A socket has a packet. `mark` is that of the pair and whether it is the RTCP socket.
    pub(super) fn readable(&mut self, mark: u64) {
        let (index, rtcp) = (usize::try_from(mark >> 1).expect("an index"), mark & 1 == 1);
        match self.holders.get(index) {
            Some(Holder::Leg(slot)) if rtcp => self.receive_rtcp(*slot),
            Some(Holder::Leg(slot)) => {
                self.receive(*slot);
            }
            Some(Holder::Rest(key)) => {
                if let Some(pair) = self.resting.get(key) {
                    pair.ignore(rtcp);
                }
            }
            // Reported before the pair left in the same turn.
            Some(Holder::Nobody) | None => {}
        }
    }

    /// Reads one packet of a leg; `false` when there was none.
    pub(super) fn receive(&mut self, slot: usize) -> bool {
        let now = self.shared.clock.mono();
        let Some(leg) = self.legs.get_mut(slot) else { return false };
        let filtered = leg.stream.as_ref().is_some_and(|stream| stream.settle_at.is_none());
        let read = if filtered {
            leg.pair.rtp.recv(&mut self.packet[..]).map(|length| (length, None))
        } else {
            leg.pair.rtp.recv_from(&mut self.packet[..]).map(|(length, from)| (length, Some(from)))
        };
        match read {
            Ok((length, from)) => {
                self.packet_in(slot, length, from, now);
                true
            }
            // An ICMP error of a packet that we sent; reading it has cleared it.
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn packet_in(&mut self, slot: usize, length: usize, from: Option<SocketAddr>, now: Mono) {
        if is_rtcp(&self.packet[..length]) {
            self.rtcp_in(slot, length, from);
            return;
        }
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let Some(stream) = &mut leg.stream else { return };
        let Some(length) = unprotect(stream, &mut self.packet[..], length) else { return };
        let Ok(header) = Header::parse(&self.packet[..length]) else { return };
        let carries = carries(stream, &header);
        if let Some(from) = from {
            match stream.latch.packet(from, &header, carries.is_some(), now) {
                Verdict::Accept => {}
                Verdict::Latched => tracing::debug!(leg = %leg.id, "the far end sends from another address"),
                Verdict::Refuse => return,
            }
        }
        leg.silent_since = now;
        let Some(carries) = carries else { return };
        leg.session.received(&header, now);
        if !stream.receives() {
            return;
        }
        match leg.early {
            Early::Over => {}
            Early::Heard { .. } => leg.early = Early::Heard { last: now },
            Early::Awaited => {
                leg.early = Early::Heard { last: now };
                self.outbox.push_back(Event::EarlyMedia { leg: leg.id, port: leg.pair.port, heard: true });
            }
        }
        match carries {
            Carries::Audio => {
                self.audio_in(slot, &header, now);
                self.pass_on(slot, &header, Kind::Audio, now);
            }
            Carries::Event => {
                let digit = leg.events_in.packet(&header, header.payload(&self.packet[..]));
                self.pass_on(slot, &header, Kind::Event, now);
                if let Some(digit) = digit {
                    self.digit_in(slot, digit, DigitBy::Event, now);
                }
            }
            Carries::Noise => {
                if let Some(inlet) = &mut leg.inlet {
                    inlet.comfort_noise(&header, header.payload(&self.packet[..]));
                }
                self.pass_on(slot, &header, Kind::Noise, now);
                self.hush(slot, &header, now);
            }
        }
    }

    /// Audio for those who do not take packets: recording, jitter buffer, tone detector.
    fn audio_in(&mut self, slot: usize, header: &Header, now: Mono) {
        let Worker { legs, calls, packet, .. } = self;
        let Some(leg) = legs.get_mut(slot) else { return };
        let Some(stream) = &mut leg.stream else { return };
        let payload = header.payload(&packet[..]);
        if let Some(track) = &mut leg.track
            && let Some(recorder) = calls.get_mut(leg.call).and_then(|call| call.recorder.as_mut())
        {
            let position = track.placer.place(header, recorder.since(now));
            let encoding = Encoding::of(stream.params.codec);
            recorder.writer.audio(leg.id, track.channel, encoding, position, payload);
        }
        if let Some(inlet) = &mut leg.inlet {
            inlet.audio(header, payload, now);
        }
        if let Some(tones) = &mut stream.tones
            && payload.len() <= MAX_AUDIO
        {
            let (decoder, detector) = &mut **tones;
            let mut samples = [0_i16; MAX_AUDIO];
            let count = decoder.decode_8k(payload, &mut samples);
            if let Some(digit) = detector.feed(&samples[..count]) {
                self.digit_in(slot, digit, DigitBy::Inband, now);
            }
        }
    }

    /// Passes a packet on to all who hear only this leg.
    fn pass_on(&mut self, slot: usize, header: &Header, kind: Kind, now: Mono) {
        let Worker { legs, packet, copy, .. } = self;
        let Some(speaker) = legs.get(slot) else { return };
        let Some(codec) = speaker.stream.as_ref().map(|stream| stream.params.codec) else { return };
        let (source, routes) = (speaker.id.0, speaker.routes.len());
        for index in 0..routes {
            let Some(listener) = legs.get(slot).map(|speaker| speaker.routes[index]) else { return };
            let Some(leg) = legs.get_mut(listener) else { continue };
            let Some((stamp, to)) = stamp(leg, source, header, kind, now) else { continue };
            let plain = kind != Kind::Audio || codec == to;
            if plain && routes == 1 {
                let length = stamp.rewrite(&mut packet[..], header);
                leg.transmit(&packet[..length]);
                return;
            }
            let payload = header.payload(&packet[..]);
            let length = if plain {
                stamp.write(payload, &mut copy[..])
            } else {
                converted(leg, &stamp, payload, &mut copy[..])
            };
            leg.transmit(&copy[..length]);
        }
    }

    /// A leg has fallen silent and said so: those who hear only it and do not know comfort noise get it as audio, frame by
    /// frame, until it speaks again. A line without any sound seems dead.
    fn hush(&mut self, slot: usize, header: &Header, now: Mono) {
        let Some(speaker) = self.legs.get(slot) else { return };
        let (call, routes) = (speaker.call, speaker.routes.len());
        for index in 0..routes {
            let Some(listener) = self.legs.get(slot).map(|speaker| speaker.routes[index]) else { return };
            if let Some(leg) = self.legs.get_mut(listener)
                && leg.stream.as_ref().is_some_and(|stream| !stream.params.comfort_noise)
            {
                leg.hush.get_or_insert_default().packet(header.payload(&self.packet[..]));
            }
        }
        self.settle_ticking(call, now);
    }

    /// A key of the far end: told once, and given to those who cannot hear it as it came.
    fn digit_in(&mut self, slot: usize, digit: Digit, by: DigitBy, now: Mono) {
        let Some(leg) = self.legs.get_mut(slot) else { return };
        if !leg.one_method.accept(by) {
            return;
        }
        let (id, call) = (leg.id, leg.call);
        if self.outbox.len() < MAX_OUTBOX {
            self.outbox.push_back(Event::Digit { leg: id, digit, by });
        }
        if by != DigitBy::Event {
            // Tones are in the audio that the others hear.
            return;
        }
        let others = self.calls.get(call).map_or(0, |call| call.legs.len());
        for index in 0..others {
            let Some(other) = self.calls.get(call).map(|call| call.legs[index]) else { return };
            if self.legs.get(other).is_some_and(|listener| lacks_key(listener, id)) {
                self.press(other, digit, now);
            }
        }
    }

    fn receive_rtcp(&mut self, slot: usize) {
        let Some(leg) = self.legs.get_mut(slot) else { return };
        match leg.pair.rtcp.recv_from(&mut self.packet[..]) {
            Ok((length, from)) => self.rtcp_in(slot, length, Some(from)),
            Err(error) => tracing::trace!(leg = %leg.id, %error, "no report"),
        }
    }

    /// A report of the far end. `from` is `None` when the kernel has checked the source.
    fn rtcp_in(&mut self, slot: usize, length: usize, from: Option<SocketAddr>) {
        let now: Now = self.shared.clock.now();
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let Some(stream) = &mut leg.stream else { return };
        let secured;
        let bytes = match &mut stream.srtp {
            None => &self.packet[..length],
            Some(srtp) => match srtp.unprotect_rtcp(&self.packet[..length]) {
                Ok(bytes) => {
                    secured = bytes;
                    &secured[..]
                }
                Err(_) => return,
            },
        };
        if from.is_some_and(|from| !stream.latch.rtcp_packet(from)) {
            return;
        }
        if leg.session.incoming(bytes, now).is_ok() {
            leg.silent_since = now.mono;
        }
    }
}

/// Takes the protection off a packet in place; `None` when it is not authentic.
fn unprotect(stream: &mut Stream, packet: &mut [u8], length: usize) -> Option<usize> {
    let Some(srtp) = &mut stream.srtp else { return Some(length) };
    let plain = srtp.unprotect_rtp(&packet[..length]).ok()?;
    packet[..plain.len()].copy_from_slice(&plain);
    Some(plain.len())
}

fn carries(stream: &Stream, header: &Header) -> Option<Carries> {
    if header.payload_type == stream.params.payload_type {
        Some(Carries::Audio)
    } else if Some(header.payload_type) == stream.params.event_type {
        Some(Carries::Event)
    } else if header.payload_type == COMFORT_NOISE_TYPE {
        Some(Carries::Noise)
    } else {
        None
    }
}

/// The header that a packet goes on with, and the codec of the listener; `None` when it does not get it.
fn stamp(leg: &mut Leg, source: u64, header: &Header, kind: Kind, now: Mono) -> Option<(Stamp, Codec)> {
    let keying = leg.is_keying();
    let stream = leg.stream.as_ref()?;
    let payload_type = match kind {
        Kind::Audio => Some(stream.params.payload_type),
        Kind::Event => stream.params.event_type,
        Kind::Noise => stream.params.comfort_noise.then_some(COMFORT_NOISE_TYPE),
    };
    let Some(payload_type) = payload_type.filter(|_| stream.sends() && !keying) else {
        leg.sender.skip(source, header);
        return None;
    };
    let codec = stream.params.codec;
    if kind == Kind::Audio && leg.hush.take().is_some() {
        leg.packing.clear();
    }
    let stamp = leg.sender.relay(source, header, kind, payload_type, now)?;
    Some((stamp, codec))
}

/// Writes a packet whose audio is turned into the listener's codec.
fn converted(leg: &mut Leg, stamp: &Stamp, payload: &[u8], out: &mut [u8]) -> usize {
    let payload = &payload[..payload.len().min(MAX_AUDIO)];
    let length = stamp.write(payload, out);
    if let Some((_, transcoder)) = leg.stream.as_mut().and_then(|stream| stream.voice.transcoder.as_mut()) {
        transcoder.convert(&mut out[HEADER_BYTES..length]);
    }
    length
}

/// Whether a leg hears `speaker` but not the events it sends.
fn lacks_key(listener: &Leg, speaker: crate::types::LegId) -> bool {
    match &listener.hearing {
        Hearing::Relay { from } => {
            *from == speaker && listener.stream.as_ref().is_some_and(|s| s.params.event_type.is_none())
        }
        Hearing::Frames { feeds, .. } => {
            feeds.iter().any(|feed| matches!(feed, Feed::Leg { id, .. } if *id == speaker))
        }
    }
}

const _: () = assert!(MAX_AUDIO + HEADER_BYTES <= DATAGRAM);
