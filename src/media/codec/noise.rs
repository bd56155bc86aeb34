//! Comfort noise: what a silent line sounds like, so that it does not sound dead (RFC 3389, G.711 appendix II).

/// Loudness when the far end names none: -65 dBov, a quiet line.
const DEFAULT_DBOV: u8 = 65;
/// Softest level that a packet can name.
const MAX_DBOV: u8 = 127;
/// Amplitude of white noise at 0 dBov: uniform noise has a power of a third of its peak's square.
const FULL_SCALE: f32 = 56_755.0;

/// A generator of white noise. Its sequence is fixed: two runs sound the same.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u32,
    amplitude: i32,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self::new(DEFAULT_DBOV)
    }
}

impl ComfortNoise {
    /// Noise `dbov` decibels below overload, 0 to 127.
    pub fn new(dbov: u8) -> Self {
        let mut noise = Self { state: 0x9e37_79b9, amplitude: 0 };
        noise.level(dbov);
        noise
    }

    /// Takes the level of a comfort noise packet: its first byte (RFC 3389 3.1). Spectrum bytes are not used.
    pub fn packet(&mut self, payload: &[u8]) {
        self.level(payload.first().map_or(DEFAULT_DBOV, |level| level & MAX_DBOV));
    }

    /// Sets the loudness.
    pub fn level(&mut self, dbov: u8) {
        let peak = FULL_SCALE * 10f32.powf(-f32::from(dbov.min(MAX_DBOV)) / 20.0);
        self.amplitude = peak.min(f32::from(i16::MAX)) as i32;
    }

    /// Writes noise.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            // Marsaglia's xorshift: its upper bits are white enough for the ear.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            let white = (self.state as i32) >> 16;
            // Both factors are below 2^15 in magnitude.
            *sample = ((white * self.amplitude) >> 15) as i16;
        }
    }
}
