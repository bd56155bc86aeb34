//! A call as its worker keeps it, and the wiring: from "who hears what" to routes, feeds and buffers.
//!
//! Everything here is rebuilt whenever the set or a stream changes; what is being played goes on where it was.

use std::time::Duration;

use crate::media::codec::{Rate, Transcoder};
use crate::media::mixer::{Gain, MAX_PARTICIPANTS, Matrix};
use crate::media::recording::Writer;
use crate::types::{CallId, Hear, LegId, Mono, Source};

use super::disk::Tape;
use super::inlet::Inlet;
use super::leg::{Feed, Hearing, Leg, Playing};
use super::prompt::{Prompts, ringback};
use super::slots::Slots;
use super::worker::Worker;

/// Things that one leg can hear at once; the listener itself takes the last row of the matrix.
const MAX_FEEDS: usize = MAX_PARTICIPANTS - 1;

/// A recording that is being made.
pub(super) struct Recorder {
    pub(super) file: String,
    pub(super) caller: LegId,
    pub(super) began: Mono,
    pub(super) writer: Writer,
    pub(super) tape: Tape,
    pub(super) taken_at: Mono,
}

impl Recorder {
    /// The position of a moment on the clock of the recording, in RTP ticks.
    pub(super) fn position(&self, now: Mono) -> u64 {
        u64::try_from(self.since(now).as_micros()).unwrap_or(0) * 8 / 1_000
    }

    pub(super) fn since(&self, now: Mono) -> Duration {
        now.since(self.began)
    }
}

/// A call.
pub(super) struct Call {
    pub(super) id: CallId,
    /// Slots of its legs on this worker.
    pub(super) legs: Vec<usize>,
    pub(super) hear: Vec<Hear>,
    pub(super) recorder: Option<Recorder>,
    /// The file of a recording that broke: the same order again does not try anew.
    pub(super) broken: Option<String>,
    /// Where in the 20 ms it ticks, while it does.
    pub(super) phase: Option<usize>,
}

impl Call {
    pub(super) fn new(id: CallId) -> Self {
        Self { id, legs: Vec::new(), hear: Vec::new(), recorder: None, broken: None, phase: None }
    }
}

impl Worker {
    /// Wires a call anew.
    pub(super) fn rewire(&mut self, call_slot: usize, now: Mono) {
        let Some(call) = self.calls.get(call_slot) else { return };
        for slot in &call.legs {
            if let Some(leg) = self.legs.get_mut(*slot) {
                leg.routes.clear();
            }
        }
        // Who is heard at which rate.
        let mut heard = Vec::new();
        for slot in &call.legs {
            let Some(mut leg) = self.legs.take(*slot) else { continue };
            let from = call.hear.iter().find(|hear| hear.leg == leg.id).map_or(&[][..], |hear| &hear.from);
            let find =
                |id: LegId| call.legs.iter().copied().find(|s| self.legs.get(*s).is_some_and(|leg| leg.id == id));
            match relayed(&leg, from, &self.legs, find) {
                Some(source) => relay(&mut leg, *slot, source, &mut self.legs),
                None => {
                    frames(&mut leg, from, find, &self.prompts);
                    mixing(&mut leg, &self.legs, &mut heard);
                }
            }
            self.legs.put_back(*slot, leg);
        }
        for slot in &call.legs {
            if let Some(leg) = self.legs.get_mut(*slot) {
                let at = |rate| heard.contains(&(*slot, rate));
                buffering(leg, at(Rate::Narrow), at(Rate::Wide));
            }
        }
        self.settle_ticking(call_slot, now);
    }

    /// Whether a call has a leg that needs a frame every 20 ms.
    pub(super) fn needs_tick(&self, call_slot: usize) -> bool {
        self.calls
            .get(call_slot)
            .is_some_and(|call| call.legs.iter().any(|slot| self.legs.get(*slot).is_some_and(Leg::needs_tick)))
    }

    /// Puts a call on the wheel when it needs it; the wheel itself takes it off.
    pub(super) fn settle_ticking(&mut self, call_slot: usize, now: Mono) {
        let needs = self.needs_tick(call_slot);
        if let Some(call) = self.calls.get_mut(call_slot)
            && needs
            && call.phase.is_none()
        {
            call.phase = Some(self.wheel.add(call_slot, now));
        }
    }
}

/// The one leg whose packets can be passed on as they are, if that is all that is heard.
fn relayed(leg: &Leg, from: &[Source], legs: &Slots<Leg>, find: impl Fn(LegId) -> Option<usize>) -> Option<usize> {
    let [Source::Leg { leg: source, gain_db: 0 }] = from else { return None };
    let slot = find(*source)?;
    let (ours, theirs) = (leg.stream.as_ref()?, legs.get(slot)?.stream.as_ref()?);
    // Another length of packets has to be cut anew, which is the work of a tick.
    (ours.params.ptime_ms == theirs.params.ptime_ms).then_some(slot)
}

fn relay(leg: &mut Leg, slot: usize, source: usize, legs: &mut Slots<Leg>) {
    let Some(speaker) = legs.get_mut(source) else { return };
    speaker.routes.push(slot);
    if let (Some(ours), Some(theirs)) = (&mut leg.stream, &speaker.stream) {
        let (from, to) = (theirs.params.codec, ours.params.codec);
        if from == to {
            ours.voice.transcoder = None;
        } else if ours.voice.transcoder.as_ref().is_none_or(|(codec, _)| *codec != from) {
            // Codecs differ in nothing but the bytes of a frame, so a packet is converted as it passes; waiting for a
            // tick and a jitter buffer would only add delay.
            ours.voice.transcoder = Some((from, Transcoder::new(from, to)));
        }
    }
    if !matches!(leg.hearing, Hearing::Relay { from } if from == speaker.id) {
        leg.packing.clear();
        leg.hush = None;
    }
    leg.hearing = Hearing::Relay { from: speaker.id };
}

fn frames(leg: &mut Leg, from: &[Source], find: impl Fn(LegId) -> Option<usize>, prompts: &Prompts) {
    leg.hush = None;
    let mut old = match &mut leg.hearing {
        Hearing::Frames { feeds, .. } => std::mem::take(feeds),
        Hearing::Relay { .. } => Vec::new(),
    };
    let mut feeds = Vec::with_capacity(from.len());
    for source in from.iter().take(MAX_FEEDS) {
        let feed = match source {
            Source::Leg { leg, gain_db } => Feed::Leg { id: *leg, slot: find(*leg), gain_db: *gain_db },
            Source::Prompt { name, run } => goes_on(&mut old, source).unwrap_or_else(|| Feed::Prompt {
                run: *run,
                playing: Playing::new(prompts.sound(name)),
                told: false,
            }),
            Source::Music { name } => goes_on(&mut old, source)
                .unwrap_or_else(|| Feed::Music { name: name.clone(), playing: Playing::new(prompts.sound(name)) }),
            Source::Ringback => {
                goes_on(&mut old, source).unwrap_or_else(|| Feed::Ringback { playing: Playing::new(Some(ringback())) })
            }
        };
        feeds.push(feed);
    }
    let mut matrix = Box::new(Matrix::silent(feeds.len() + 1));
    for (index, feed) in feeds.iter().enumerate() {
        let gain = match feed {
            Feed::Leg { gain_db, .. } => Gain::db(*gain_db),
            Feed::Prompt { .. } | Feed::Music { .. } | Feed::Ringback { .. } => Gain::UNITY,
        };
        matrix.set(index, feeds.len(), gain);
    }
    leg.hearing = Hearing::Frames { feeds, matrix, rate: Rate::Narrow };
}

/// Chooses the rate at which a listener's feeds are mixed: wide-band when that can be heard, that is when the listener and
/// at least one of the feeds are. Notes who is heard at which rate.
fn mixing(leg: &mut Leg, legs: &Slots<Leg>, heard: &mut Vec<(usize, Rate)>) {
    let Some(own) = leg.stream.as_ref().map(|stream| Rate::of(stream.params.codec)) else { return };
    let Hearing::Frames { feeds, rate, .. } = &mut leg.hearing else { return };
    let is_wide = |feed: &Feed| match feed {
        Feed::Leg { slot, .. } => {
            let stream = slot.and_then(|slot| legs.get(slot)).and_then(|leg| leg.stream.as_ref());
            stream.is_some_and(|stream| Rate::of(stream.params.codec) == Rate::Wide)
        }
        Feed::Prompt { playing, .. } | Feed::Music { playing, .. } | Feed::Ringback { playing } => {
            playing.sound.as_ref().is_some_and(|sound| sound.rate() == Rate::Wide)
        }
    };
    *rate = if feeds.iter().any(is_wide) { own } else { Rate::Narrow };
    for feed in feeds {
        if let Feed::Leg { slot: Some(slot), .. } = feed
            && !heard.contains(&(*slot, *rate))
        {
            heard.push((*slot, *rate));
        }
    }
}

/// The sound of this source where it is now.
fn goes_on(old: &mut Vec<Feed>, wanted: &Source) -> Option<Feed> {
    let same = |feed: &Feed| match (feed, wanted) {
        (Feed::Prompt { run, .. }, Source::Prompt { run: wanted, .. }) => run == wanted,
        (Feed::Music { name, .. }, Source::Music { name: wanted }) => name == wanted,
        (Feed::Ringback { .. }, Source::Ringback) => true,
        _ => false,
    };
    old.iter().position(same).map(|index| old.swap_remove(index))
}

/// Gives a leg an inlet while somebody hears it in tick mode, at one rate or both.
fn buffering(leg: &mut Leg, narrow: bool, wide: bool) {
    if let Some(inlet) = leg.inlet.take_if(|_| !narrow && !wide) {
        leg.late += inlet.late();
        leg.buffer_delay = leg.buffer_delay.max(inlet.delay());
    }
    let Some(codec) = leg.stream.as_ref().map(|stream| stream.params.codec) else { return };
    if narrow || wide {
        let inlet = leg.inlet.get_or_insert_with(|| Box::new(Inlet::new(codec)));
        inlet.speak(codec);
        inlet.heard_at(narrow, wide);
    }
}
