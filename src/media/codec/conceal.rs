//! Concealment of lost frames: the last pitch period goes on, softer and softer (in the manner of G.711 appendix I).

/// Samples of history: 30 ms at 16 kHz, 60 ms at 8 kHz.
const HISTORY: usize = 480;
/// Shortest pitch period: 2.5 ms at 16 kHz, 5 ms at 8 kHz.
const LEAST_PERIOD: usize = 40;
/// Longest pitch period: 15 ms at 16 kHz and at 8 kHz twice that.
const MOST_PERIOD: usize = 240;
/// Samples that are compared to find the period.
const COMPARED: usize = 160;
/// Loudness of each concealed frame as a share of 256; after these there is silence: 100 ms of 20 ms frames.
const FADE: [i32; 6] = [256, 205, 154, 102, 51, 0];
/// Samples over which a good frame takes over from a concealed one.
const BLEND: usize = 40;

/// Concealment of one decoded stream.
#[derive(Clone, Debug)]
pub struct Concealer {
    history: [i16; HISTORY],
    /// Frames concealed in a row.
    run: usize,
    period: usize,
    /// Where in the period the next concealed sample lies.
    phase: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Concealer {
    /// Begins after silence.
    pub fn new() -> Self {
        Self { history: [0; HISTORY], run: 0, period: LEAST_PERIOD, phase: 0 }
    }

    /// Notes a good frame. After concealment its first samples are blended with what would have gone on.
    pub fn good(&mut self, pcm: &mut [i16]) {
        if self.run > 0 {
            let loud = FADE[self.run.min(FADE.len() - 1)];
            let count = pcm.len().min(BLEND);
            for (i, sample) in pcm[..count].iter_mut().enumerate() {
                let old = (i32::from(self.go_on()) * loud) >> 8;
                let share = (i + 1) as i32;
                // A weighted mean of two samples is a sample.
                *sample = ((old * (BLEND as i32 - share) + i32::from(*sample) * share) / BLEND as i32) as i16;
            }
            self.run = 0;
        }
        self.remember(pcm);
    }

    /// Writes a frame in place of a lost one. From the sixth on it is silence.
    pub fn fill(&mut self, out: &mut [i16]) {
        if self.run == 0 {
            self.period = period(&self.history);
            self.phase = 0;
        }
        let from = FADE[self.run.min(FADE.len() - 1)];
        self.run += 1;
        let to = FADE[self.run.min(FADE.len() - 1)];
        let length = out.len().max(1) as i32;
        for (i, sample) in out.iter_mut().enumerate() {
            let loud = from + (to - from) * i as i32 / length;
            // A share of a sample is a sample.
            *sample = ((i32::from(self.go_on()) * loud) >> 8) as i16;
        }
    }

    fn go_on(&mut self) -> i16 {
        let sample = self.history[HISTORY - self.period + self.phase];
        self.phase = (self.phase + 1) % self.period;
        sample
    }

    fn remember(&mut self, pcm: &[i16]) {
        let count = pcm.len().min(HISTORY);
        self.history.copy_within(count.., 0);
        self.history[HISTORY - count..].copy_from_slice(&pcm[pcm.len() - count..]);
    }
}

/// The period at which the end of the history is most like what came before it.
fn period(history: &[i16; HISTORY]) -> usize {
    let end = &history[HISTORY - COMPARED..];
    let mut best = (LEAST_PERIOD, 0.0f32);
    for period in LEAST_PERIOD..=MOST_PERIOD {
        let before = &history[HISTORY - COMPARED - period..HISTORY - period];
        let (mut product, mut energy) = (0i64, 1i64);
        for (a, b) in end.iter().zip(before) {
            product += i64::from(*a) * i64::from(*b);
            energy += i64::from(*b) * i64::from(*b);
        }
        let likeness = if product > 0 { product as f32 * (product as f32 / energy as f32) } else { 0.0 };
        if likeness > best.1 {
            best = (period, likeness);
        }
    }
    best.0
}
