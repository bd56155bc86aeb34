//! The 20 ms tick of a call: frames for the legs that hear prompts, music, tones, silence or several voices.

use crate::media::codec::{g711, silence};
use crate::media::jitter::Pulled;
use crate::media::mixer::MAX_PARTICIPANTS;
use crate::media::rtp::{FRAME_TICKS, HEADER_BYTES};
use crate::types::{Codec, Mono};

use super::Event;
use super::leg::{FRAME, Feed, Hearing, Leg};
use super::prompt::ringback;
use super::slots::Slots;
use super::worker::Worker;

/// Longest packet of ours: 60 ms.
const PACKET: usize = HEADER_BYTES + 60 * 8;

impl Worker {
    /// One tick of one call.
    pub(super) fn tick_call(&mut self, call_slot: usize, now: Mono) {
        let Worker { calls, legs, outbox, .. } = self;
        let Some(call) = calls.get(call_slot) else { return };
        for slot in &call.legs {
            if let Some(leg) = legs.get_mut(*slot) {
                pull(leg, now);
            }
        }
        for slot in &call.legs {
            let Some(mut leg) = legs.take(*slot) else { continue };
            tick_leg(&mut leg, legs, now, &mut |event| outbox.push_back(event));
            legs.put_back(*slot, leg);
        }
    }
}

/// Takes the frame of this tick out of a leg's jitter buffer.
fn pull(leg: &mut Leg, now: Mono) {
    let (Some(buffer), Some(stream)) = (&mut leg.buffer, &mut leg.stream) else { return };
    let mut bytes = [0_u8; FRAME];
    leg.frame = match buffer.pull(&mut bytes, now) {
        Pulled::Frame => {
            let mut samples = [0_i16; FRAME];
            stream.decoder.decode_8k(&bytes, &mut samples);
            Some(samples)
        }
        Pulled::Missing => leg.frame.map(faded),
        Pulled::Silence => None,
    };
}

/// Hides a lost frame behind the last one, quieter each time.
fn faded(frame: [i16; FRAME]) -> [i16; FRAME] {
    frame.map(|sample| sample / 2)
}

fn tick_leg(leg: &mut Leg, others: &Slots<Leg>, now: Mono, report: &mut dyn FnMut(Event)) {
    let Some(codec) = leg.stream.as_ref().map(|stream| stream.params.codec) else { return };
    let keys = send_keys(leg, now);
    let frame = match &mut leg.hearing {
        Hearing::Relay { .. } => return,
        Hearing::Frames { feeds, matrix } => {
            let sound = match &mut feeds[..] {
                [] => Sound::Coded(*silence(codec)),
                [feed @ (Feed::Prompt { .. } | Feed::Music { .. } | Feed::Ringback { .. })] => {
                    Sound::Coded(coded(feed, codec))
                }
                feeds => {
                    let mut inputs = [None; MAX_PARTICIPANTS];
                    for (input, feed) in inputs.iter_mut().zip(feeds.iter_mut()) {
                        *input = samples(feed, others);
                    }
                    let mut mixed = [0_i16; FRAME];
                    matrix.mix_for(feeds.len(), &inputs[..feeds.len()], &mut mixed);
                    Sound::Samples(mixed)
                }
            };
            for feed in feeds.iter_mut() {
                if let Feed::Prompt { run, sound, played, told, .. } = feed
                    && !*told
                    && sound.as_ref().is_none_or(|sound| *played >= sound.frames())
                {
                    *told = true;
                    report(Event::PromptEnded { leg: leg.id, run: *run });
                }
            }
            sound
        }
    };
    match keys {
        Keys::None => send_frame(leg, frame, now),
        // Half a packet of old audio must not follow the event.
        Keys::Event => leg.packing.clear(),
        Keys::Tone => {}
    }
}

/// What is heard in one tick.
enum Sound {
    /// Already in the listener's codec.
    Coded([u8; FRAME]),
    Samples([i16; FRAME]),
}

fn send_frame(leg: &mut Leg, sound: Sound, now: Mono) {
    let Some(stream) = &mut leg.stream else { return };
    if !stream.sends() {
        return;
    }
    let frame = match sound {
        Sound::Coded(frame) => frame,
        Sound::Samples(samples) => {
            let mut frame = [0_u8; FRAME];
            stream.voice.encoder.encode_8k(&samples, &mut frame);
            frame
        }
    };
    let (ticks, payload_type) = (stream.packet_ticks(), stream.params.payload_type);
    let bytes = usize::try_from(ticks).expect("at most 480");
    leg.packing.frame(&frame);
    let mut audio = [0_u8; PACKET - HEADER_BYTES];
    while leg.packing.packet(bytes, &mut audio) {
        let stamp = leg.sender.tick(ticks, payload_type, now);
        let mut packet = [0_u8; PACKET];
        let length = stamp.write(&audio[..bytes], &mut packet);
        leg.transmit(&packet[..length]);
    }
}

/// What stands in the way of audio.
enum Keys {
    None,
    Event,
    Tone,
}

/// Sends what is due of a key that is being pressed; audio waits meanwhile.
fn send_keys(leg: &mut Leg, now: Mono) -> Keys {
    if !leg.is_keying() {
        return Keys::None;
    }
    let Some(stream) = &leg.stream else { return Keys::None };
    let sends = stream.sends();
    match stream.params.event_type {
        Some(event_type) => {
            let clock = leg.sender.clock(now);
            if let Some(event) = leg.events_out.tick(clock)
                && sends
            {
                let stamp = leg.sender.event(&event, event_type);
                let mut packet = [0_u8; HEADER_BYTES + 4];
                let length = stamp.write(&event.payload, &mut packet);
                leg.transmit(&packet[..length]);
            }
            Keys::Event
        }
        None => {
            let mut samples = [0_i16; FRAME];
            leg.tones_out.fill(&mut samples);
            // The tone replaces the audio; a frame of it goes the way of any other.
            send_frame(leg, Sound::Samples(samples), now);
            Keys::Tone
        }
    }
}

/// The next frame of a feed in the listener's codec; silence after its end.
fn coded(feed: &mut Feed, codec: Codec) -> [u8; FRAME] {
    match feed {
        Feed::Leg { .. } => *silence(codec),
        Feed::Prompt { sound, played, .. } => {
            let frame = sound.as_ref().and_then(|sound| sound.frame(codec, *played)).copied();
            *played = played.saturating_add(1);
            frame.unwrap_or(*silence(codec))
        }
        Feed::Music { sound, played, .. } => {
            let Some(sound) = sound.as_ref().filter(|sound| sound.frames() > 0) else { return *silence(codec) };
            let frame = sound.frame(codec, *played % sound.frames()).copied();
            *played += 1;
            frame.unwrap_or(*silence(codec))
        }
        Feed::Ringback { played } => {
            let frame = ringback().frame(codec, *played % ringback().frames()).copied();
            *played += 1;
            frame.unwrap_or(*silence(codec))
        }
    }
}

/// The next frame of a feed for the mixer; `None` is silence.
fn samples(feed: &mut Feed, others: &Slots<Leg>) -> Option<[i16; FRAME]> {
    match feed {
        Feed::Leg { slot, .. } => slot.and_then(|slot| others.get(slot)).and_then(|leg| leg.frame),
        Feed::Prompt { .. } | Feed::Music { .. } | Feed::Ringback { .. } => {
            let mut out = [0_i16; FRAME];
            g711::decode_alaw(&coded(feed, Codec::Pcma), &mut out);
            Some(out)
        }
    }
}

const _: () = assert!(FRAME_TICKS as usize == FRAME);
