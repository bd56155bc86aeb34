//! G.722 at 64 kbit/s: 16 kHz audio, one byte for two samples. The arithmetic is `audio-codec`'s.

use std::fmt;

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};

/// Decoder of one stream; its prediction runs from packet to packet.
pub struct Decoder(G722Decoder);

impl Decoder {
    /// A decoder that has heard nothing.
    pub fn new() -> Self {
        Self(G722Decoder::new())
    }

    /// Decodes as much as both slices hold; returns the samples written, two a byte.
    pub fn decode(&mut self, bytes: &[u8], out: &mut [i16]) -> usize {
        let count = bytes.len().min(out.len() / 2);
        self.0.decode_into(&bytes[..count], out).expect("two samples a byte fit: the count was cut to it")
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

/// Encoder of one stream.
pub struct Encoder(G722Encoder);

impl Encoder {
    /// An encoder that has sent nothing.
    pub fn new() -> Self {
        Self(G722Encoder::new())
    }

    /// Encodes as much as both slices hold; returns the bytes written, one for two samples of 16 kHz.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let count = (pcm.len() / 2).min(out.len());
        self.0.encode_into(&pcm[..2 * count], out).expect("a byte for two samples fits: the count was cut to it")
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}
