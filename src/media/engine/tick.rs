//! The 20 ms tick of a call: frames for the legs that hear prompts, music, tones, silence or several voices.

use crate::media::codec::{Decoder, FRAME_16K, Rate, g711, silence};
use crate::media::mixer::{MAX_PARTICIPANTS, Matrix};
use crate::media::rtp::{FRAME_TICKS, HEADER_BYTES};
use crate::types::{Codec, Mono};

use super::Event;
use super::leg::{FRAME, Feed, Hearing, Leg, Playing};
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
            if let Some(inlet) = legs.get_mut(*slot).and_then(|leg| leg.inlet.as_mut()) {
                inlet.pull(now);
            }
        }
        for slot in &call.legs {
            let Some(mut leg) = legs.take(*slot) else { continue };
            tick_leg(&mut leg, legs, now, &mut |event| outbox.push_back(event));
            legs.put_back(*slot, leg);
        }
    }
}

fn tick_leg(leg: &mut Leg, others: &Slots<Leg>, now: Mono, report: &mut dyn FnMut(Event)) {
    let Some(codec) = leg.stream.as_ref().map(|stream| stream.params.codec) else { return };
    let keys = send_keys(leg, now);
    let sound = match &mut leg.hearing {
        Hearing::Relay { .. } => {
            let Some(hush) = leg.hush.as_mut() else { return };
            let mut samples = [0_i16; FRAME];
            hush.fill(&mut samples);
            Sound::Narrow(samples)
        }
        Hearing::Frames { feeds, matrix, rate } => {
            let sound = match &mut feeds[..] {
                [] => Sound::Coded(*silence(codec)),
                [Feed::Prompt { playing, .. }] => Sound::Coded(once(playing, codec)),
                [Feed::Music { playing, .. } | Feed::Ringback { playing }] => Sound::Coded(endless(playing, codec)),
                feeds => mixed(feeds, matrix, *rate, others),
            };
            for feed in feeds.iter_mut() {
                if let Feed::Prompt { run, playing, told } = feed
                    && !*told
                    && playing.is_over()
                {
                    *told = true;
                    report(Event::PromptEnded { leg: leg.id, run: *run });
                }
            }
            sound
        }
    };
    match keys {
        Keys::None => send_frame(leg, sound, now),
        // Half a packet of old audio must not follow the event.
        Keys::Event => leg.packing.clear(),
        Keys::Tone => {}
    }
}

/// What is heard in one tick.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for a moment; a box would be an allocation a frame"
)]
enum Sound {
    /// Already in the listener's codec.
    Coded([u8; FRAME]),
    Narrow([i16; FRAME]),
    Wide([i16; FRAME_16K]),
}

/// All feeds of a listener as one sound.
fn mixed(feeds: &mut [Feed], matrix: &Matrix, rate: Rate, others: &Slots<Leg>) -> Sound {
    let mut inputs = [const { None }; MAX_PARTICIPANTS];
    for (input, feed) in inputs.iter_mut().zip(feeds.iter_mut()) {
        *input = samples(feed, rate, others);
    }
    let (to, inputs) = (feeds.len(), &inputs[..feeds.len()]);
    match rate {
        Rate::Narrow => {
            let mut out = [0_i16; FRAME];
            matrix.mix_for(to, inputs, &mut out);
            Sound::Narrow(out)
        }
        Rate::Wide => {
            let mut out = [0_i16; FRAME_16K];
            matrix.mix_for(to, inputs, &mut out);
            Sound::Wide(out)
        }
    }
}

fn send_frame(leg: &mut Leg, sound: Sound, now: Mono) {
    let Some(stream) = &mut leg.stream else { return };
    if !stream.sends() {
        return;
    }
    let frame = match sound {
        Sound::Coded(frame) => frame,
        Sound::Narrow(samples) => {
            let mut frame = [0_u8; FRAME];
            stream.voice.encoder.encode_8k(&samples, &mut frame);
            frame
        }
        Sound::Wide(samples) => {
            let mut frame = [0_u8; FRAME];
            stream.voice.encoder.encode_16k(&samples, &mut frame);
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
            send_frame(leg, Sound::Narrow(samples), now);
            Keys::Tone
        }
    }
}

/// The next frame of a sound that ends; silence behind its end.
fn once(playing: &mut Playing, codec: Codec) -> [u8; FRAME] {
    let frame = playing.sound.as_ref().and_then(|sound| sound.frame(codec, playing.played)).copied();
    playing.played = playing.played.saturating_add(1);
    frame.unwrap_or(*silence(codec))
}

/// The next frame of a sound that begins again.
fn endless(playing: &mut Playing, codec: Codec) -> [u8; FRAME] {
    let Some(sound) = &playing.sound else { return *silence(codec) };
    // A sound has at least one frame.
    let frame = sound.frame(codec, playing.played % sound.frames()).copied();
    playing.played = playing.played.wrapping_add(1);
    frame.unwrap_or(*silence(codec))
}

/// A frame for the mixer.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for a moment; a box would be an allocation a frame"
)]
enum Input<'a> {
    Leg(&'a [i16]),
    Sound { samples: [i16; FRAME_16K], count: usize },
}

impl AsRef<[i16]> for Input<'_> {
    fn as_ref(&self) -> &[i16] {
        match self {
            Input::Leg(samples) => samples,
            Input::Sound { samples, count } => &samples[..*count],
        }
    }
}

/// The next frame of a feed for the mixer; `None` is silence.
fn samples<'a>(feed: &mut Feed, rate: Rate, others: &'a Slots<Leg>) -> Option<Input<'a>> {
    // Sounds are kept in the codecs only; these are the cheapest to decode for each rate.
    let codec = match rate {
        Rate::Narrow => Codec::Pcma,
        Rate::Wide => Codec::G722,
    };
    let (bytes, playing) = match feed {
        Feed::Leg { slot, .. } => {
            let inlet = slot.and_then(|slot| others.get(slot)).and_then(|leg| leg.inlet.as_ref());
            return inlet.and_then(|inlet| inlet.frame(rate)).map(Input::Leg);
        }
        Feed::Prompt { playing, .. } => (once(playing, codec), playing),
        Feed::Music { playing, .. } | Feed::Ringback { playing } => (endless(playing, codec), playing),
    };
    let mut samples = [0_i16; FRAME_16K];
    let count = match rate {
        Rate::Narrow => g711::decode_alaw(&bytes, &mut samples),
        Rate::Wide => playing.decoder.get_or_insert_with(|| Box::new(Decoder::new(codec))).decode(&bytes, &mut samples),
    };
    Some(Input::Sound { samples, count })
}

const _: () = assert!(FRAME_TICKS as usize == FRAME);
