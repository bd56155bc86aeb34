//! The mixer: who hears whom, how loud, as one matrix on linear sums.
//!
//! Listening, whispering, barging in and the three-party call are four matrices of it. Knows no call, no leg and no
//! codec: participants are indexes, frames are PCM of one rate.

#[cfg(test)]
mod tests;

/// Most participants of one mixer: a caller, two agents, a service and four who listen.
pub const MAX_PARTICIPANTS: usize = 8;
/// Fixed point of a gain: 4,096 is "as it is".
const ONE: i32 = 1 << SHIFT;
const SHIFT: u32 = 12;
/// Loudest gain in dB.
const MAX_DB: i8 = 12;
/// Softest gain in dB; below it there is silence.
const MIN_DB: i8 = -60;

/// How loud one participant is heard by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gain(i32);

impl Gain {
    /// Not heard.
    pub const OFF: Gain = Gain(0);
    /// Heard as it is.
    pub const UNITY: Gain = Gain(ONE);

    /// A change of loudness in dB, kept within -60 to 12.
    pub fn db(db: i8) -> Gain {
        if db == 0 {
            return Gain::UNITY;
        }
        let db = f64::from(db.clamp(MIN_DB, MAX_DB));
        // At most 4 times ONE: far inside i32.
        Gain((10f64.powf(db / 20.0) * f64::from(ONE)).round() as i32)
    }
}

/// Who hears whom: `[from][to]`. Nobody hears himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    participants: usize,
    gains: [[Gain; MAX_PARTICIPANTS]; MAX_PARTICIPANTS],
}

impl Matrix {
    /// Nobody hears anybody.
    ///
    /// # Panics
    /// With more than [`MAX_PARTICIPANTS`].
    pub fn silent(participants: usize) -> Matrix {
        assert!(participants <= MAX_PARTICIPANTS, "a mixer has at most {MAX_PARTICIPANTS} participants");
        Matrix { participants, gains: [[Gain::OFF; MAX_PARTICIPANTS]; MAX_PARTICIPANTS] }
    }

    /// Everybody hears everybody else.
    ///
    /// # Panics
    /// With more than [`MAX_PARTICIPANTS`].
    pub fn conference(participants: usize) -> Matrix {
        let mut matrix = Matrix::silent(participants);
        for from in 0..participants {
            for to in 0..participants {
                matrix.set(from, to, Gain::UNITY);
            }
        }
        matrix
    }

    /// Customer 0, agent 1, supervisor 2: the supervisor hears both, nobody hears him.
    pub fn listen() -> Matrix {
        let mut matrix = Matrix::conference(3);
        matrix.set(2, 0, Gain::OFF);
        matrix.set(2, 1, Gain::OFF);
        matrix
    }

    /// Customer 0, agent 1, supervisor 2: the supervisor speaks to the agent alone.
    pub fn whisper() -> Matrix {
        let mut matrix = Matrix::conference(3);
        matrix.set(2, 0, Gain::OFF);
        matrix
    }

    /// Customer 0, agent 1, supervisor 2: all three talk.
    pub fn barge() -> Matrix {
        Matrix::conference(3)
    }

    /// Sets how `to` hears `from`. Nobody hears himself: the diagonal stays off.
    ///
    /// # Panics
    /// When an index is not a participant.
    pub fn set(&mut self, from: usize, to: usize, gain: Gain) {
        assert!(from < self.participants && to < self.participants, "both are participants");
        if from != to {
            self.gains[from][to] = gain;
        }
    }

    /// How `to` hears `from`.
    pub fn gain(&self, from: usize, to: usize) -> Gain {
        self.gains[from][to]
    }

    /// Number of participants.
    pub fn participants(&self) -> usize {
        self.participants
    }

    /// What `to` hears, into `out`: the sum of the others by their gains, saturating. `None` and frames that are too
    /// short count as silence from there on. With a single speaker at unity his samples come out unchanged, so who
    /// merely listens never touches another's path.
    pub fn mix_for<F: AsRef<[i16]>>(&self, to: usize, inputs: &[Option<F>], out: &mut [i16]) {
        let mut sums = [0i32; MAX_FRAME];
        let mut done = 0;
        while done < out.len() {
            let count = (out.len() - done).min(MAX_FRAME);
            let sums = &mut sums[..count];
            sums.fill(0);
            for (from, input) in inputs.iter().enumerate().take(self.participants) {
                let gain = self.gains[from][to];
                if let Some(samples) = input.as_ref().and_then(|frame| frame.as_ref().get(done..)) {
                    add(sums, samples, gain);
                }
            }
            for (sample, sum) in out[done..done + count].iter_mut().zip(&*sums) {
                *sample = saturate(*sum);
            }
            done += count;
        }
    }

    /// One tick: what each participant hears. `outputs[i]` belongs to participant `i`.
    pub fn tick<F: AsRef<[i16]>, O: AsMut<[i16]>>(&self, inputs: &[Option<F>], outputs: &mut [O]) {
        for (to, output) in outputs.iter_mut().enumerate().take(self.participants) {
            self.mix_for(to, inputs, output.as_mut());
        }
    }
}

/// Samples that are summed at once: 20 ms at 16 kHz.
const MAX_FRAME: usize = 320;

fn add(sums: &mut [i32], samples: &[i16], gain: Gain) {
    match gain {
        Gain::OFF => {}
        Gain::UNITY => {
            for (sum, sample) in sums.iter_mut().zip(samples) {
                *sum += i32::from(*sample);
            }
        }
        Gain(factor) => {
            for (sum, sample) in sums.iter_mut().zip(samples) {
                *sum += (i32::from(*sample) * factor) >> SHIFT;
            }
        }
    }
}

/// A sum as a sample: too loud is as loud as can be, never the other sign.
pub fn saturate(sum: i32) -> i16 {
    // The clamp makes the cast exact.
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}
