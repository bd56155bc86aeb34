//! Whether a sound is heard in a recording: by the course of its loudness, which codecs and volumes leave as it is.
//!
//! Knows samples at 8 kHz and nothing of files, calls or prompts.

/// Samples of one step: 10 ms at 8 kHz.
const STEP: usize = 80;
/// How alike two courses must be, as a correlation: the same sound through A-law and back has 0.99 and more, two greetings of
/// one voice reach 0.7.
const ALIKE: f64 = 0.9;
/// Shortest sound that has a course of its own: a quarter of a second.
const SHORTEST: usize = 25;

/// Where a sound is heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Milliseconds from the beginning of the recording.
    pub at_ms: u64,
    /// How alike it is, from 0.9 to 1.
    pub likeness: f64,
}

/// The place, not before `from_ms`, where a sound is heard most clearly; `None` where it is not heard whole. Samples at 8 kHz.
pub fn find(sound: &[i16], recording: &[i16], from_ms: u64) -> Option<Heard> {
    let (sound, recording) = (course(trimmed(sound)), course(recording));
    if sound.len() < SHORTEST {
        return None;
    }
    let from = usize::try_from(from_ms / 10).unwrap_or(usize::MAX).min(recording.len());
    let places = recording[from..].windows(sound.len()).enumerate();
    let best = places.map(|(at, part)| (at, likeness(&sound, part))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let at_ms = u64::try_from(from + best.0).unwrap_or(u64::MAX).saturating_mul(10);
    (best.1 >= ALIKE).then_some(Heard { at_ms, likeness: best.1 })
}

/// A sound without the silence at its ends, which any silence is like.
fn trimmed(sound: &[i16]) -> &[i16] {
    let loud = |sample: &i16| sample.unsigned_abs() > 200;
    let first = sound.iter().position(loud).unwrap_or(sound.len());
    let last = sound.iter().rposition(loud).map_or(first, |last| last + 1);
    &sound[first..last]
}

/// Loudness of each step, as the ear has it: the logarithm of its mean power.
fn course(samples: &[i16]) -> Vec<f64> {
    let power = |step: &[i16]| step.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / STEP as f64;
    samples.chunks_exact(STEP).map(|step| (power(step) + 100.0).ln()).collect()
}

/// Pearson's correlation of two courses of one length; 0 where one of them is flat.
fn likeness(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / count, b.iter().sum::<f64>() / count);
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        both += x * y;
        of_a += x * x;
        of_b += y * y;
    }
    let scale = (of_a * of_b).sqrt();
    if scale > f64::EPSILON { both / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prompt of the repository, without its header of 44 bytes.
    fn prompt(name: &str) -> Vec<i16> {
        let path = format!("{}/dialplans/prompts/8k/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).expect("the prompt is there");
        bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    /// What a telephone hears: a pause, each prompt quieter and coarser, pauses between.
    fn heard(names: &[&str]) -> Vec<i16> {
        let mut samples = vec![0; 4_321];
        for name in names {
            samples.extend(prompt(name).iter().map(|sample| sample / 2 / 16 * 16));
            samples.extend([3; 2_000]);
        }
        samples
    }

    #[test]
    fn a_prompt_is_found_where_it_begins_also_quieter_and_coarser() {
        let greeting = prompt("greeting/12315");
        let found = find(&greeting, &heard(&["overflow", "greeting/12315"]), 0).expect("it is heard");
        let expected = 1_000 * (4_321 + prompt("overflow").len() as u64 + 2_000) / 8_000;
        let silence = greeting.iter().position(|s| s.unsigned_abs() > 200).unwrap_or(0) as u64 / 8;
        assert!(found.at_ms.abs_diff(expected + silence) <= 20, "{found:?}, not {expected} + {silence}");
    }

    #[test]
    fn another_greeting_of_the_same_voice_is_not_taken_for_it() {
        let names = ["greeting/12315", "greeting/12345", "greeting/12318", "greeting/12333", "overflow"];
        for sound in names {
            let others: Vec<&str> = names.into_iter().filter(|name| *name != sound).collect();
            assert_eq!(find(&prompt(sound), &heard(&others), 0), None, "{sound}");
            assert!(find(&prompt(sound), &heard(&names), 0).is_some(), "{sound}");
        }
    }

    #[test]
    fn a_prompt_that_was_cut_or_came_before_is_not_heard() {
        let greeting = prompt("greeting/12345");
        let cut = &heard(&["greeting/12345"])[..greeting.len() / 2];
        assert_eq!(find(&greeting, cut, 0), None);
        let all = heard(&["greeting/12345"]);
        assert_eq!(find(&greeting, &all, 5_000), None, "it began before");
        assert_eq!(find(&[0; 80_000], &all, 0), None, "silence is no sound");
    }
}
