//! Plays a recording: stereo frames of 20 ms in order, from the first tick to the last.

use std::collections::BTreeMap;

use super::chunk::{Channel, Encoding};
use super::read::{Audio, Recording};
use crate::media::codec::conceal::Concealer;
use crate::media::codec::{Decoder, resample};
use crate::media::mixer::saturate;
use crate::types::{Codec, LegId};

/// Ticks of one frame: 20 ms.
const FRAME_TICKS: u64 = 160;
/// A gap of at most so much between two pieces of a leg is lost packets, and hidden; a longer one is silence: 100 ms.
const MOST_HIDDEN_TICKS: u64 = 800;

/// Audio that was decoded and is being played, with what hides the gap before it.
#[derive(Debug)]
struct Decoded {
    /// Place in the file: the later piece of a leg covers the earlier one.
    order: usize,
    position: u64,
    ticks: u64,
    pcm: Vec<i16>,
}

/// One leg on one channel.
#[derive(Debug)]
struct Track<'a> {
    channel: Channel,
    /// Pieces by position, then by their place in the file, with that place.
    pieces: Vec<(usize, Audio<'a>)>,
    next: usize,
    playing: Vec<Decoded>,
    decoder: Option<(Encoding, Pcm)>,
    concealer: Concealer,
    /// Where the audio that was decoded last ends.
    ended: Option<u64>,
}

/// A decoder to the rate of the playback.
#[derive(Debug)]
enum Pcm {
    Codec(Box<Decoder>),
    Linear(Box<resample::Up>),
}

/// Iterator of frames. Legs that share a channel are mixed; within a leg, of two pieces for the same moment the one that
/// was written later is heard.
#[derive(Debug)]
pub struct Playback<'a> {
    tracks: Vec<Track<'a>>,
    wide: bool,
    at: u64,
    end: u64,
}

impl<'a> Playback<'a> {
    /// Plays at 16 kHz (`wide`) or 8 kHz.
    pub fn new(recording: &Recording<'a>, wide: bool) -> Self {
        let mut tracks: BTreeMap<(Channel, LegId), Vec<(usize, Audio<'a>)>> = BTreeMap::new();
        for (order, audio) in recording.audio().iter().enumerate() {
            tracks.entry((audio.channel, audio.leg)).or_default().push((order, *audio));
        }
        let tracks = tracks
            .into_iter()
            .map(|((channel, _), mut pieces)| {
                pieces.sort_by_key(|(order, audio)| (audio.position, *order));
                Track {
                    channel,
                    pieces,
                    next: 0,
                    playing: Vec::new(),
                    decoder: None,
                    concealer: Concealer::new(),
                    ended: None,
                }
            })
            .collect();
        Self { tracks, wide, at: 0, end: recording.ticks() }
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        if self.wide { 16_000 } else { 8_000 }
    }

    /// Samples of each channel in all frames together.
    pub fn samples(&self) -> u64 {
        self.end * self.width()
    }

    /// Samples a tick.
    fn width(&self) -> u64 {
        if self.wide { 2 } else { 1 }
    }
}

impl Iterator for Playback<'_> {
    /// Samples left, right, left, right. The last frame may be shorter.
    type Item = Vec<i16>;

    fn next(&mut self) -> Option<Vec<i16>> {
        let to = (self.at + FRAME_TICKS).min(self.end);
        if self.at >= to {
            return None;
        }
        let width = self.width() as usize;
        let count = (to - self.at) as usize * width;
        let mut sums = vec![0i32; 2 * count];
        let mut voice = vec![0i16; count];
        for track in &mut self.tracks {
            if track.voice(self.at, to, self.wide, &mut voice) {
                for (i, sample) in voice.iter().enumerate() {
                    sums[2 * i + track.channel.index()] += i32::from(*sample);
                }
            }
        }
        self.at = to;
        Some(sums.into_iter().map(saturate).collect())
    }
}

impl Track<'_> {
    /// Writes what the leg says between two ticks; `false` when it says nothing.
    fn voice(&mut self, from: u64, to: u64, wide: bool, out: &mut [i16]) -> bool {
        self.playing.retain(|piece| piece.position + piece.ticks > from);
        // What hides a gap begins before the piece that follows it.
        while let Some((order, audio)) = self.pieces.get(self.next).copied()
            && audio.position < to + MOST_HIDDEN_TICKS
        {
            self.next += 1;
            if audio.end() > from {
                let piece = self.decode(order, &audio, wide);
                self.playing.push(piece);
            }
        }
        if self.playing.iter().all(|piece| piece.position >= to) {
            return false;
        }
        self.playing.sort_by_key(|piece| piece.order);
        out.fill(0);
        let width = if wide { 2 } else { 1 };
        for piece in &self.playing {
            let begin = piece.position.max(from);
            let end = (piece.position + piece.ticks).min(to);
            if begin >= end {
                continue;
            }
            // Both lie within the frame and the piece, as it is neither over nor ahead.
            let target = (begin - from) as usize * width..(end - from) as usize * width;
            let source = (begin - piece.position) as usize * width;
            let samples = &piece.pcm[source..source + target.len()];
            out[target].copy_from_slice(samples);
        }
        true
    }

    fn decode(&mut self, order: usize, audio: &Audio<'_>, wide: bool) -> Decoded {
        let width = if wide { 2 } else { 1 };
        let hidden = self.ended.and_then(|ended| audio.position.checked_sub(ended)).unwrap_or(0);
        let hidden = if hidden > MOST_HIDDEN_TICKS { 0 } else { hidden };
        let ticks = audio.ticks();
        let mut whole = vec![0; (hidden + ticks) as usize * width];
        let (gap, pcm) = whole.split_at_mut(hidden as usize * width);
        gap.chunks_mut(FRAME_TICKS as usize * width).for_each(|frame| self.concealer.fill(frame));
        let fits = self.decoder.as_ref().is_some_and(|(encoding, _)| *encoding == audio.encoding);
        if !fits {
            self.decoder = Some((audio.encoding, decoder(audio.encoding)));
        }
        let (_, decoder) = self.decoder.as_mut().expect("a decoder was just made for the encoding");
        match (decoder, wide) {
            (Pcm::Codec(decoder), true) => decoder.decode_16k(audio.bytes, pcm),
            (Pcm::Codec(decoder), false) => decoder.decode_8k(audio.bytes, pcm),
            (Pcm::Linear(_), false) => linear(audio.bytes, pcm),
            (Pcm::Linear(up), true) => {
                let mut narrow = vec![0; ticks as usize];
                linear(audio.bytes, &mut narrow);
                up.convert(&narrow, pcm);
                pcm.len()
            }
        };
        self.concealer.good(pcm);
        self.ended = Some(self.ended.map_or(audio.end(), |ended| ended.max(audio.end())));
        Decoded { order, position: audio.position - hidden, ticks: hidden + ticks, pcm: whole }
    }
}

fn decoder(encoding: Encoding) -> Pcm {
    match encoding {
        Encoding::Alaw => Pcm::Codec(Box::new(Decoder::new(Codec::Pcma))),
        Encoding::Ulaw => Pcm::Codec(Box::new(Decoder::new(Codec::Pcmu))),
        Encoding::G722 => Pcm::Codec(Box::new(Decoder::new(Codec::G722))),
        Encoding::Pcm16 => Pcm::Linear(Box::default()),
    }
}

fn linear(bytes: &[u8], out: &mut [i16]) -> usize {
    for (sample, two) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *sample = i16::from_le_bytes([two[0], two[1]]);
    }
    bytes.len() / 2
}
