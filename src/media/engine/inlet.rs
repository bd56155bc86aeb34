//! What a leg says, for those who hear it in tick mode: its packets put in time, decoded, gaps hidden, at each rate that
//! somebody wants.
//!
//! Knows one incoming stream; who hears it is decided in `plan`.

use std::time::Duration;

use crate::media::codec::conceal::Concealer;
use crate::media::codec::noise::ComfortNoise;
use crate::media::codec::resample::{Down, Up};
use crate::media::codec::{Decoder, FRAME_8K, FRAME_16K, FRAME_BYTES, Rate};
use crate::media::jitter::{Buffer, Pulled};
use crate::media::rtp::Header;
use crate::types::{Codec, Mono};

/// From a codec's own rate to the other one. Runs from frame to frame, so it is kept as long as the codec.
#[derive(Debug)]
enum Resampler {
    Up(Up),
    Down(Down),
}

/// One leg's voice on its way to the mixers.
#[derive(Debug)]
pub(super) struct Inlet {
    buffer: Buffer,
    decoder: Decoder,
    concealer: Concealer,
    noise: ComfortNoise,
    resampler: Resampler,
    /// Whether anybody hears it at the rate that is not its codec's own.
    wants_other: bool,
    sounds: bool,
    narrow: [i16; FRAME_8K],
    wide: [i16; FRAME_16K],
}

impl Inlet {
    /// Nothing heard yet.
    pub(super) fn new(codec: Codec) -> Self {
        let resampler = match Rate::of(codec) {
            Rate::Narrow => Resampler::Up(Up::new()),
            Rate::Wide => Resampler::Down(Down::new()),
        };
        Self {
            buffer: Buffer::new(),
            decoder: Decoder::new(codec),
            concealer: Concealer::new(),
            noise: ComfortNoise::default(),
            resampler,
            wants_other: false,
            sounds: false,
            narrow: [0; FRAME_8K],
            wide: [0; FRAME_16K],
        }
    }

    /// The far end speaks another codec from now on.
    pub(super) fn speak(&mut self, codec: Codec) {
        if self.decoder.codec() != codec {
            let mut buffer = self.buffer.clone();
            buffer.reset();
            *self = Self { buffer, wants_other: self.wants_other, ..Self::new(codec) };
        }
    }

    /// Says at which rates it is heard.
    pub(super) fn heard_at(&mut self, narrow: bool, wide: bool) {
        self.wants_other = match self.resampler {
            Resampler::Up(_) => wide,
            Resampler::Down(_) => narrow,
        };
    }

    /// Takes an audio packet.
    pub(super) fn audio(&mut self, header: &Header, payload: &[u8], now: Mono) {
        self.buffer.push(header, payload, now);
    }

    /// Takes a comfort noise packet (RFC 3389): until audio comes again there is noise of its level.
    pub(super) fn comfort_noise(&mut self, header: &Header, payload: &[u8]) {
        self.noise.packet(payload);
        self.buffer.comfort_noise(header);
    }

    /// Makes the frame of this tick.
    pub(super) fn pull(&mut self, now: Mono) {
        let mut bytes = [0_u8; FRAME_BYTES];
        let pulled = self.buffer.pull(&mut bytes, now);
        self.sounds = pulled != Pulled::Silence;
        let own = match self.resampler {
            Resampler::Up(_) => &mut self.narrow[..],
            Resampler::Down(_) => &mut self.wide[..],
        };
        match pulled {
            Pulled::Frame => {
                self.decoder.decode(&bytes, own);
                self.concealer.good(own);
            }
            Pulled::Missing => self.concealer.fill(own),
            Pulled::Comfort => self.noise.fill(own),
            Pulled::Silence => return,
        }
        if self.wants_other {
            match &mut self.resampler {
                Resampler::Up(up) => up.convert(&self.narrow, &mut self.wide),
                Resampler::Down(down) => down.convert(&self.wide, &mut self.narrow),
            }
        }
    }

    /// The frame of this tick; `None` is silence. At a rate that [`Inlet::heard_at`] was not told it is an old one.
    pub(super) fn frame(&self, rate: Rate) -> Option<&[i16]> {
        self.sounds.then_some(match rate {
            Rate::Narrow => &self.narrow,
            Rate::Wide => &self.wide,
        })
    }

    /// Packets that came too late to be heard.
    pub(super) fn late(&self) -> u64 {
        self.buffer.late()
    }

    /// How long a packet waits at present.
    pub(super) fn delay(&self) -> Duration {
        self.buffer.delay()
    }
}
