//! Codecs: from payload bytes to PCM and back, and what fills the gaps.
//!
//! All of ours carry one byte a tick of 1/8,000 s, so a payload keeps its length through any conversion. Knows no
//! packet and no call.

pub mod conceal;
pub mod g711;
pub mod g722;
pub mod noise;
pub mod resample;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use crate::types::Codec;

/// Samples of a 20 ms frame at 8 kHz.
pub const FRAME_8K: usize = 160;
/// Samples of a 20 ms frame at 16 kHz.
pub const FRAME_16K: usize = 320;
/// Bytes of a 20 ms frame in each of our codecs.
pub const FRAME_BYTES: usize = 160;
/// Payload bytes that are converted at once; longer ones go in pieces.
const PIECE: usize = 160;

/// How finely audio is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// 8 kHz: the telephone network.
    Narrow,
    /// 16 kHz: wide-band phones.
    Wide,
}

impl Rate {
    /// The rate of a codec's audio.
    pub fn of(codec: Codec) -> Rate {
        match codec {
            Codec::Pcma | Codec::Pcmu => Rate::Narrow,
            Codec::G722 => Rate::Wide,
        }
    }

    /// Samples of a 20 ms frame.
    pub fn frame(self) -> usize {
        match self {
            Rate::Narrow => FRAME_8K,
            Rate::Wide => FRAME_16K,
        }
    }
}

/// 20 ms of silence in a codec.
pub fn silence(codec: Codec) -> &'static [u8; FRAME_BYTES] {
    static G722: OnceLock<[u8; FRAME_BYTES]> = OnceLock::new();
    match codec {
        Codec::Pcma => &[g711::ALAW_SILENCE; FRAME_BYTES],
        Codec::Pcmu => &[g711::ULAW_SILENCE; FRAME_BYTES],
        Codec::G722 => G722.get_or_init(|| {
            let mut frame = [0; FRAME_BYTES];
            let mut encoder = g722::Encoder::new();
            // The first frames still show how the predictor settles.
            for _ in 0..10 {
                encoder.encode(&[0; FRAME_16K], &mut frame);
            }
            frame
        }),
    }
}

/// Decoder of one incoming stream.
#[derive(Debug)]
pub struct Decoder {
    inner: Decoding,
}

#[derive(Debug)]
enum Decoding {
    Alaw(resample::Up),
    Ulaw(resample::Up),
    G722(Box<g722::Decoder>, resample::Down),
}

impl Decoder {
    /// A decoder that has heard nothing.
    pub fn new(codec: Codec) -> Self {
        let inner = match codec {
            Codec::Pcma => Decoding::Alaw(resample::Up::new()),
            Codec::Pcmu => Decoding::Ulaw(resample::Up::new()),
            Codec::G722 => Decoding::G722(Box::default(), resample::Down::new()),
        };
        Self { inner }
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        match self.inner {
            Decoding::Alaw(_) => Codec::Pcma,
            Decoding::Ulaw(_) => Codec::Pcmu,
            Decoding::G722(..) => Codec::G722,
        }
    }

    /// Decodes at the codec's own rate ([`Rate::of`]); returns the samples written. `out` bounds what is decoded.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.inner {
            Decoding::Alaw(_) => g711::decode_alaw(payload, out),
            Decoding::Ulaw(_) => g711::decode_ulaw(payload, out),
            Decoding::G722(decoder, _) => decoder.decode(payload, out),
        }
    }

    /// Decodes to 8 kHz: one sample a byte.
    pub fn decode_8k(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.inner {
            Decoding::Alaw(_) => g711::decode_alaw(payload, out),
            Decoding::Ulaw(_) => g711::decode_ulaw(payload, out),
            Decoding::G722(decoder, down) => pieces(payload, out, 1, |bytes, out| {
                let mut wide = [0; 2 * PIECE];
                let count = decoder.decode(bytes, &mut wide);
                down.convert(&wide[..count], out);
            }),
        }
    }

    /// Decodes to 16 kHz: two samples a byte.
    pub fn decode_16k(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let (up, table) = match &mut self.inner {
            Decoding::Alaw(up) => (up, &g711::ALAW_TO_LINEAR),
            Decoding::Ulaw(up) => (up, &g711::ULAW_TO_LINEAR),
            Decoding::G722(decoder, _) => return decoder.decode(payload, out),
        };
        pieces(payload, out, 2, |bytes, out| {
            let mut narrow = [0; PIECE];
            g711::decode_with(table, bytes, &mut narrow);
            up.convert(&narrow[..bytes.len()], out);
        })
    }
}

/// Converts a payload in pieces, `wide` samples a byte, as far as `out` reaches.
fn pieces(payload: &[u8], out: &mut [i16], wide: usize, mut convert: impl FnMut(&[u8], &mut [i16])) -> usize {
    let bytes = payload.len().min(out.len() / wide);
    for (bytes, out) in payload[..bytes].chunks(PIECE).zip(out.chunks_mut(PIECE * wide)) {
        convert(bytes, &mut out[..bytes.len() * wide]);
    }
    bytes * wide
}

/// Encoder of one outgoing stream.
#[derive(Debug)]
pub struct Encoder {
    inner: Encoding,
}

#[derive(Debug)]
enum Encoding {
    Alaw(resample::Down),
    Ulaw(resample::Down),
    G722(Box<g722::Encoder>, resample::Up),
}

impl Encoder {
    /// An encoder that has sent nothing.
    pub fn new(codec: Codec) -> Self {
        let inner = match codec {
            Codec::Pcma => Encoding::Alaw(resample::Down::new()),
            Codec::Pcmu => Encoding::Ulaw(resample::Down::new()),
            Codec::G722 => Encoding::G722(Box::default(), resample::Up::new()),
        };
        Self { inner }
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        match self.inner {
            Encoding::Alaw(_) => Codec::Pcma,
            Encoding::Ulaw(_) => Codec::Pcmu,
            Encoding::G722(..) => Codec::G722,
        }
    }

    /// Encodes samples of the codec's own rate ([`Rate::of`]); returns the bytes written.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match &mut self.inner {
            Encoding::Alaw(_) => g711::encode_alaw(pcm, out),
            Encoding::Ulaw(_) => g711::encode_ulaw(pcm, out),
            Encoding::G722(encoder, _) => encoder.encode(pcm, out),
        }
    }

    /// Encodes samples of 8 kHz: one byte a sample.
    pub fn encode_8k(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match &mut self.inner {
            Encoding::Alaw(_) => g711::encode_alaw(pcm, out),
            Encoding::Ulaw(_) => g711::encode_ulaw(pcm, out),
            Encoding::G722(encoder, up) => {
                let mut wide = [0; 2 * PIECE];
                let mut written = 0;
                for (pcm, out) in pcm.chunks(PIECE).zip(out.chunks_mut(PIECE)) {
                    up.convert(pcm, &mut wide[..2 * pcm.len()]);
                    written += encoder.encode(&wide[..2 * pcm.len()], out);
                }
                written
            }
        }
    }

    /// Encodes samples of 16 kHz: one byte for two samples.
    pub fn encode_16k(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let (down, alaw) = match &mut self.inner {
            Encoding::Alaw(down) => (down, true),
            Encoding::Ulaw(down) => (down, false),
            Encoding::G722(encoder, _) => return encoder.encode(pcm, out),
        };
        let mut narrow = [0; PIECE];
        let mut written = 0;
        for (pcm, out) in pcm.chunks(2 * PIECE).zip(out.chunks_mut(PIECE)) {
            let count = pcm.len() / 2;
            down.convert(pcm, &mut narrow[..count]);
            let narrow = &narrow[..count];
            written += if alaw { g711::encode_alaw(narrow, out) } else { g711::encode_ulaw(narrow, out) };
        }
        written
    }
}

/// From the codec of one leg to that of another, packet by packet: length and timestamps stay.
#[derive(Debug)]
pub struct Transcoder {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Same,
    Table(&'static [u8; 256]),
    Pcm { decoder: Decoder, encoder: Encoder },
}

impl Transcoder {
    /// A conversion that has heard nothing.
    pub fn new(from: Codec, to: Codec) -> Self {
        let way = match (from, to) {
            (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) | (Codec::G722, Codec::G722) => Way::Same,
            (Codec::Pcma, Codec::Pcmu) => Way::Table(&g711::ALAW_TO_ULAW),
            (Codec::Pcmu, Codec::Pcma) => Way::Table(&g711::ULAW_TO_ALAW),
            (Codec::G722, Codec::Pcma | Codec::Pcmu) | (Codec::Pcma | Codec::Pcmu, Codec::G722) => {
                Way::Pcm { decoder: Decoder::new(from), encoder: Encoder::new(to) }
            }
        };
        Self { way }
    }

    /// Converts a payload in place.
    pub fn convert(&mut self, payload: &mut [u8]) {
        match &mut self.way {
            Way::Same => {}
            Way::Table(table) => g711::convert(table, payload),
            Way::Pcm { decoder, encoder } => {
                let mut pcm = [0; PIECE];
                for piece in payload.chunks_mut(PIECE) {
                    let count = decoder.decode_8k(piece, &mut pcm);
                    encoder.encode_8k(&pcm[..count], piece);
                }
            }
        }
    }
}
