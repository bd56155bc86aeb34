//! The ear: which tone stands out, are there gaps, is it the prompt.

use std::f64::consts::TAU;

use super::wav::Wav;

/// By how much the expected tone stands above every other, in dB.
const MARGIN_DB: f64 = 20.0;
/// Longest gap in milliseconds.
const GAP_MS: usize = 40;
/// A frame is part of a gap when it is quieter than the typical frame by this factor (12 dB).
const QUIET: f64 = 4.0;

/// One channel of something that was heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound<'a> {
    rate: u32,
    samples: &'a [i16],
}

impl<'a> Sound<'a> {
    /// A channel, without its first and last milliseconds: calls begin and end in the middle of packets.
    pub(crate) fn of(wav: &'a Wav, channel: usize, trim_ms: usize) -> Self {
        let samples = &wav.channels[channel];
        let trim = trim_ms * wav.rate as usize / 1000;
        let end = samples.len().saturating_sub(trim);
        Self { rate: wav.rate, samples: &samples[trim.min(end)..end] }
    }

    /// Only this tone, by 20 dB, in every half second.
    pub(crate) fn is_tone(self, hertz: f64) -> Result<(), String> {
        let window = self.rate as usize / 2;
        if self.samples.len() < window {
            return Err(format!("only {} ms of sound", self.samples.len() * 1000 / self.rate as usize));
        }
        for (n, part) in self.samples.chunks_exact(window).enumerate() {
            let tone = level_db(part, self.rate, hertz);
            let (other, level) = strongest_other(part, self.rate, hertz);
            if tone < -40.0 || tone - level < MARGIN_DB {
                let at = n * 500;
                return Err(format!("at {at} ms {hertz} Hz has {tone:.1} dB, and {other} Hz has {level:.1} dB"));
            }
        }
        Ok(())
    }

    /// Only this tone, by 20 dB, over the whole.
    pub(crate) fn is_tone_on_the_whole(self, hertz: f64) -> Result<(), String> {
        let tone = level_db(self.samples, self.rate, hertz);
        let (other, level) = strongest_other(self.samples, self.rate, hertz);
        if tone < -40.0 || tone - level < MARGIN_DB {
            return Err(format!("{hertz} Hz has {tone:.1} dB, and {other} Hz has {level:.1} dB"));
        }
        Ok(())
    }

    /// These tones at once and nothing else by 20 dB, in two thirds of all twentieths of a second: a telephone whose buffer
    /// follows a stream that begins anew drops a frame now and then, and there a tone is none for a moment.
    pub(crate) fn is_chord(self, hertz: &[f64]) -> Result<(), String> {
        let parts = self.samples.chunks_exact(self.rate as usize / 20);
        let (all, mut clean, mut last) = (parts.len(), 0, String::new());
        for part in parts {
            let level = |hertz: f64| level_db(part, self.rate, hertz);
            let softest = hertz.iter().map(|hertz| level(*hertz)).fold(f64::INFINITY, f64::min);
            let others = (20..=360).map(|n| f64::from(n) * 10.0);
            let others = others.filter(|other| hertz.iter().all(|tone| (tone - other).abs() > 90.0));
            let (other, loudest) =
                others.map(|other| (other, level(other))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            if softest > -20.0 && softest - loudest > MARGIN_DB {
                clean += 1;
            } else {
                last = format!("{softest:.1} dB, and {other} Hz has {loudest:.1} dB");
            }
        }
        let enough = all >= 10 && clean * 3 >= all * 2;
        if enough {
            Ok(())
        } else {
            Err(format!("{hertz:?} Hz are heard in {clean} of {all} parts; in the last other one {last}"))
        }
    }

    /// Which of these tones there are in each half second, one after the other; the same twice is told once, silence not.
    pub(crate) fn order_of(self, hertz: &[f64]) -> Vec<Vec<f64>> {
        let mut order: Vec<Vec<f64>> = Vec::new();
        for part in self.samples.chunks_exact(self.rate as usize / 2) {
            let there = |hertz: &f64| level_db(part, self.rate, *hertz) > -30.0;
            let found: Vec<f64> = hertz.iter().copied().filter(there).collect();
            if !found.is_empty() && order.last() != Some(&found) {
                order.push(found);
            }
        }
        order
    }

    /// No gap over 40 ms.
    pub(crate) fn has_no_gap(self) -> Result<(), String> {
        let longest = self.longest_gap_ms();
        if longest > GAP_MS { Err(format!("a gap of {longest} ms")) } else { Ok(()) }
    }

    /// The longest gap in milliseconds, in steps of 5.
    pub(crate) fn longest_gap_ms(self) -> usize {
        let frame = self.rate as usize / 200;
        let levels: Vec<f64> = self.samples.chunks_exact(frame).map(rms).collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(typical) = sorted.get(sorted.len() / 2) else { return usize::MAX };
        if *typical < 50.0 {
            return usize::MAX;
        }
        let (mut run, mut longest) = (0, 0);
        for level in levels {
            run = if level < typical / QUIET { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest * 5
    }

    /// How well it holds `prompt`, from 0 to 1: the prompt's quarter seconds are looked for one after the other, each near
    /// the place where the one before leads to expect it, and the typical of their correlations counts. A telephone that
    /// slips by some milliseconds does no harm.
    pub(crate) fn likeness(self, prompt: &Wav) -> f64 {
        assert_eq!(prompt.rate, self.rate, "both at one rate");
        let step = self.rate as usize / 4;
        let near = self.rate as usize / 20;
        let mut found = Vec::new();
        let mut expected: Option<usize> = None;
        // What is soft (pauses, the ends) looks like everything.
        let parts = prompt.channels[0].chunks_exact(step);
        for (n, part) in parts.enumerate().filter(|(_, part)| rms(part) > 300.0) {
            let range = match expected {
                None => 0..self.samples.len(),
                Some(begin) => {
                    let at = begin + n * step;
                    at.saturating_sub(near)..at + near
                }
            };
            let (at, likeness) = self.best(part, range);
            // The first that is found without doubt tells where the prompt began.
            if likeness > 0.8 {
                expected = Some(at.saturating_sub(n * step));
            }
            found.push(likeness);
        }
        found.sort_by(f64::total_cmp);
        found.get(found.len() / 2).copied().unwrap_or(0.0)
    }

    /// Where `part` is most alike in a range of beginnings, and how much.
    fn best(self, part: &[i16], range: std::ops::Range<usize>) -> (usize, f64) {
        let own = energy(part);
        let mut best = (0, 0.0_f64);
        for at in range.start..range.end.min((self.samples.len() + 1).saturating_sub(part.len())) {
            let heard = &self.samples[at..at + part.len()];
            let sum: f64 = heard.iter().zip(part).step_by(4).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            if sum > 0.0 {
                let likeness = 4.0 * sum / (own * energy(heard)).sqrt();
                if likeness > best.1 {
                    best = (at, likeness);
                }
            }
        }
        best
    }
}

/// Level of one frequency over the whole, dB below full scale: Goertzel's algorithm behind a Hann window.
pub(crate) fn level_db(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let count = samples.len() as f64;
    let turn = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * n as f64 / count).cos();
        let next = f64::from(*sample) * window + turn * last - before;
        (before, last) = (last, next);
    }
    let power = (last * last + before * before - turn * last * before).max(1e-9);
    20.0 * (4.0 * power.sqrt() / count / 32_768.0).log10()
}

/// The strongest frequency of 200 to 3600 Hz that is not the one expected.
fn strongest_other(samples: &[i16], rate: u32, expected: f64) -> (f64, f64) {
    (20..=360)
        .map(|n| f64::from(n) * 10.0)
        .filter(|hertz| (hertz - expected).abs() > 50.0)
        .map(|hertz| (hertz, level_db(samples, rate, hertz)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there are other frequencies")
}

fn square(sample: i16) -> f64 {
    f64::from(sample) * f64::from(sample)
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|s| square(*s)).sum()
}

fn rms(samples: &[i16]) -> f64 {
    (energy(samples) / samples.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::tone;
    use super::*;

    fn heard(hertz: f64) -> Wav {
        Wav::mono(8000, tone::samples(hertz, 8000, 2.0))
    }

    fn judge(wav: &Wav, hertz: f64) -> Result<(), String> {
        Sound::of(wav, 0, 0).is_tone(hertz)
    }

    #[test]
    fn a_tone_is_itself_and_no_other() {
        for hertz in [tone::CALLER, tone::SEAT, tone::OTHER_SEAT, tone::MUSIC] {
            assert_eq!(judge(&heard(hertz), hertz), Ok(()));
        }
        assert!(judge(&heard(tone::CALLER), tone::SEAT).is_err());
        let silence = Wav::mono(8000, vec![0; 16_000]);
        assert!(judge(&silence, tone::SEAT).is_err());
        assert!(Sound::of(&silence, 0, 0).has_no_gap().is_err());
    }

    #[test]
    fn a_second_tone_of_a_tenth_is_noticed() {
        let mut both = heard(tone::CALLER);
        for (sample, other) in both.channels[0].iter_mut().zip(tone::samples(tone::SEAT, 8000, 2.0)) {
            *sample += other / 8;
        }
        assert!(judge(&both, tone::CALLER).unwrap_err().contains("1020"), "18 dB below is too loud");
        let mut soft = heard(tone::CALLER);
        for (sample, other) in soft.channels[0].iter_mut().zip(tone::samples(tone::SEAT, 8000, 2.0)) {
            *sample += other / 20;
        }
        assert_eq!(judge(&soft, tone::CALLER), Ok(()), "26 dB below is allowed");
    }

    #[test]
    fn a_chord_is_its_tones_and_nothing_else() {
        let mut both = heard(tone::CALLER);
        for (sample, other) in both.channels[0].iter_mut().zip(tone::samples(tone::SEAT, 8000, 2.0)) {
            *sample += other;
        }
        let chord = |hertz: &[f64]| Sound::of(&both, 0, 0).is_chord(hertz);
        assert_eq!(chord(&[tone::CALLER, tone::SEAT]), Ok(()));
        assert!(chord(&[tone::CALLER]).is_err() && chord(&[tone::CALLER, tone::OTHER_SEAT]).is_err());
        assert!(chord(&[tone::CALLER, tone::SEAT, tone::OTHER_SEAT]).is_err());
        let mut one_then_both = heard(tone::CALLER);
        one_then_both.channels[0].extend(&both.channels[0]);
        let order = Sound::of(&one_then_both, 0, 0).order_of(&[tone::CALLER, tone::SEAT, tone::MUSIC]);
        assert_eq!(order, [vec![tone::CALLER], vec![tone::CALLER, tone::SEAT]]);
    }

    #[test]
    fn gaps_are_measured() {
        for (ms, longest) in [(0, 0), (40, 40), (60, 60)] {
            let mut wav = heard(tone::SEAT);
            wav.channels[0][8000..8000 + ms * 8].fill(0);
            assert_eq!(Sound::of(&wav, 0, 0).longest_gap_ms(), longest);
            assert_eq!(Sound::of(&wav, 0, 0).has_no_gap().is_ok(), ms <= 40);
        }
    }

    #[test]
    fn a_prompt_is_found_and_another_is_not() {
        let noise = |seed: u32| {
            let mut state = seed;
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 18) as i16 - 8192
            };
            (0..16_000).map(next).collect::<Vec<i16>>()
        };
        let prompt = Wav::mono(8000, noise(1));
        let mut with = vec![0; 900];
        with.extend(noise(1));
        let with = Wav::mono(8000, with);
        assert!(Sound::of(&with, 0, 0).likeness(&prompt) > 0.9);
        assert!(Sound::of(&with, 0, 0).likeness(&Wav::mono(8000, noise(2))) < 0.2);
    }
}
