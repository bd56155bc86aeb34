//! G.711: A-law and mu-law by tables that the compiler makes from the laws themselves.

/// A-law byte of silence.
pub const ALAW_SILENCE: u8 = 0xd5;
/// Mu-law byte of silence.
pub const ULAW_SILENCE: u8 = 0xff;

/// Inversion of every other bit on the line (G.711 table 1a, note 2).
const ALAW_FLIP: u8 = 0x55;
/// Added to the 14-bit magnitude, so that the segments of the mu-law begin at powers of two (G.711 table 2a).
const ULAW_BIAS: i32 = 33;
/// Loudest biased magnitude of the mu-law.
const ULAW_MOST: i32 = 0x1fff;

/// PCM of each A-law byte, on 16 bits.
pub static ALAW_TO_LINEAR: [i16; 256] = alaw_decoding();
/// PCM of each mu-law byte, on 16 bits.
pub static ULAW_TO_LINEAR: [i16; 256] = ulaw_decoding();
/// Mu-law byte of each A-law byte.
pub static ALAW_TO_ULAW: [u8; 256] = alaw_to_ulaw();
/// A-law byte of each mu-law byte.
pub static ULAW_TO_ALAW: [u8; 256] = ulaw_to_alaw();
/// A-law bytes by the upper 12 bits of a sample, which are all that the law looks at.
static LINEAR_TO_ALAW: [u8; 4_096] = alaw_encoding();
/// Mu-law bytes by the upper 14 bits of a sample, which are all that the law looks at.
static LINEAR_TO_ULAW: [u8; 16_384] = ulaw_encoding();

/// A sample of a byte.
pub fn alaw_to_linear(byte: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(byte)]
}

/// A sample of a byte.
pub fn ulaw_to_linear(byte: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(byte)]
}

/// The byte of a sample.
pub fn linear_to_alaw(sample: i16) -> u8 {
    LINEAR_TO_ALAW[usize::from(sample as u16 >> 4)]
}

/// The byte of a sample.
pub fn linear_to_ulaw(sample: i16) -> u8 {
    LINEAR_TO_ULAW[usize::from(sample as u16 >> 2)]
}

/// Decodes as much as both slices hold; returns the samples written.
pub fn decode_alaw(bytes: &[u8], out: &mut [i16]) -> usize {
    decode_with(&ALAW_TO_LINEAR, bytes, out)
}

/// Decodes as much as both slices hold; returns the samples written.
pub fn decode_ulaw(bytes: &[u8], out: &mut [i16]) -> usize {
    decode_with(&ULAW_TO_LINEAR, bytes, out)
}

pub(super) fn decode_with(table: &[i16; 256], bytes: &[u8], out: &mut [i16]) -> usize {
    for (sample, byte) in out.iter_mut().zip(bytes) {
        *sample = table[usize::from(*byte)];
    }
    bytes.len().min(out.len())
}

/// Encodes as much as both slices hold; returns the bytes written.
pub fn encode_alaw(pcm: &[i16], out: &mut [u8]) -> usize {
    for (byte, sample) in out.iter_mut().zip(pcm) {
        *byte = linear_to_alaw(*sample);
    }
    pcm.len().min(out.len())
}

/// Encodes as much as both slices hold; returns the bytes written.
pub fn encode_ulaw(pcm: &[i16], out: &mut [u8]) -> usize {
    for (byte, sample) in out.iter_mut().zip(pcm) {
        *byte = linear_to_ulaw(*sample);
    }
    pcm.len().min(out.len())
}

/// Turns one law into the other in place, by [`ALAW_TO_ULAW`] or [`ULAW_TO_ALAW`].
pub fn convert(table: &[u8; 256], bytes: &mut [u8]) {
    for byte in bytes {
        *byte = table[usize::from(*byte)];
    }
}

/// G.711 table 1: 8 segments of 16 steps, the first two of the same step; 12 bits of magnitude.
const fn alaw_decode(byte: u8) -> i16 {
    let code = byte ^ ALAW_FLIP;
    let segment = (code >> 4 & 7) as u32;
    let step = (code & 15) as i32;
    // The middle of the step, on 16 bits.
    let magnitude = if segment == 0 { step * 16 + 8 } else { (step * 16 + 8 + 256) << (segment - 1) };
    if code & 0x80 != 0 { magnitude as i16 } else { -magnitude as i16 }
}

const fn alaw_encode(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    // One's complement, as the law has no value of zero and both signs are mirror images.
    let magnitude = if sample >= 0 { sample >> 4 } else { !sample >> 4 } as u32;
    let segment = if magnitude < 32 { magnitude >> 4 } else { 28 - magnitude.leading_zeros() };
    let step = if segment < 2 { magnitude & 15 } else { magnitude >> (segment - 1) & 15 };
    (sign | (segment << 4) as u8 | step as u8) ^ ALAW_FLIP
}

/// G.711 table 2: 8 segments of 16 steps, each step twice the one before; 13 bits of magnitude.
const fn ulaw_decode(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4 & 7) as u32;
    let step = (code & 15) as i32;
    let magnitude = (((step * 2 + ULAW_BIAS) << segment) - ULAW_BIAS) * 4;
    if code & 0x80 == 0 { magnitude as i16 } else { -magnitude as i16 }
}

const fn ulaw_encode(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0 } else { 0x80 };
    let magnitude = if sample >= 0 { sample >> 2 } else { !sample >> 2 } as i32 + ULAW_BIAS;
    let magnitude = if magnitude > ULAW_MOST { ULAW_MOST } else { magnitude };
    let segment = 26 - magnitude.leading_zeros();
    let step = magnitude >> (segment + 1) & 15;
    !(sign | (segment << 4) as u8 | step as u8)
}

const fn alaw_decoding() -> [i16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = alaw_decode(i as u8);
        i += 1;
    }
    table
}

const fn ulaw_decoding() -> [i16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = ulaw_decode(i as u8);
        i += 1;
    }
    table
}

const fn alaw_to_ulaw() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = ulaw_encode(alaw_decode(i as u8));
        i += 1;
    }
    table
}

const fn ulaw_to_alaw() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = alaw_encode(ulaw_decode(i as u8));
        i += 1;
    }
    table
}

const fn alaw_encoding() -> [u8; 4_096] {
    let mut table = [0; 4_096];
    let mut i = 0;
    while i < table.len() {
        table[i] = alaw_encode(((i as u16) << 4) as i16);
        i += 1;
    }
    table
}

const fn ulaw_encoding() -> [u8; 16_384] {
    let mut table = [0; 16_384];
    let mut i = 0;
    while i < table.len() {
        table[i] = ulaw_encode(((i as u16) << 2) as i16);
        i += 1;
    }
    table
}
