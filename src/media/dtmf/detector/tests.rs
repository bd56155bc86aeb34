//! Keys in every shape that Q.24 asks for, and minutes of what is no key.

use std::f32::consts::{PI, TAU};
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Why it is no key, its tones in Hz and dBm0, its length in ms.
type Case = (&'static str, &'static [(f32, f32)], usize);

/// Peak of a sine of 0 dBm0.
const ZERO_DBM0: f32 = 22_800.0;

#[test]
fn each_key_is_heard_once_within_the_bounds_of_q24() {
    each_key_in_each_shape(None);
}

#[test]
fn each_key_is_heard_once_in_noise_15_db_below_it() {
    each_key_in_each_shape(Some(-15.0));
}

#[test]
fn what_is_outside_the_bounds_is_not_heard() {
    const ROW: f32 = 770.0;
    const COLUMN: f32 = 1_336.0;
    let cases: [Case; 11] = [
        ("20 ms", &[(ROW, -10.0), (COLUMN, -10.0)], 20),
        ("15 dB of twist", &[(ROW, -20.0), (COLUMN, -5.0)], 100),
        ("15 dB of reverse twist", &[(ROW, -5.0), (COLUMN, -20.0)], 100),
        ("3.5 % off", &[(ROW * 1.035, -10.0), (COLUMN * 1.035, -10.0)], 100),
        ("row 3.5 % off", &[(ROW * 0.965, -10.0), (COLUMN, -10.0)], 100),
        ("column 3.5 % off", &[(ROW, -10.0), (COLUMN * 1.035, -10.0)], 100),
        ("one tone", &[(ROW, -10.0)], 100),
        ("too soft", &[(ROW, -45.0), (COLUMN, -45.0)], 100),
        ("three tones", &[(ROW, -10.0), (852.0, -10.0), (COLUMN, -10.0)], 100),
        ("a second harmonic, as in a voice", &[(ROW, -10.0), (COLUMN, -10.0), (2.0 * ROW, -18.0)], 100),
        ("ringing tone", &[(450.0, -10.0)], 400),
    ];
    for (why, tones, ms) in cases {
        for shift in (0..64).step_by(7) {
            assert_eq!(heard(&key(tones, shift, ms, 0.0)), "", "{why}, shift {shift}");
        }
    }
}

#[test]
fn soft_and_loud_keys_are_heard() {
    for db in [-30.0, -25.0, -3.0] {
        assert_eq!(heard(&key(&[(852.0, db), (1_477.0, db)], 11, 45, 0.0)), "9", "{db} dBm0");
    }
}

#[test]
fn break_of_10_ms_is_one_press_and_of_40_ms_two() {
    for (pause, keys) in [(10, "6"), (40, "66")] {
        for shift in (0..64).step_by(5) {
            let mut pcm = key(&[(770.0, -10.0), (1_477.0, -10.0)], shift, 70, 0.0);
            pcm.truncate(shift + (70 + pause) * 8);
            pcm.extend(key(&[(770.0, -10.0), (1_477.0, -10.0)], 0, 70, 0.0));
            assert_eq!(heard(&pcm), keys, "{pause} ms, shift {shift}");
        }
    }
}

/// The repository's own Mandarin prompts, as they are and as higher and lower, faster and slower voices.
#[test]
fn prompts_and_music_hold_no_key() {
    let mut files = Vec::new();
    wavs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/8k"), &mut files);
    assert!(files.len() > 20, "the prompts are there");
    for (name, pcm) in files {
        for speed in [0.75, 0.87, 1.0, 1.13, 1.3] {
            for shift in [0, 21, 42] {
                assert_eq!(
                    heard(&played(&pcm[shift..], speed)),
                    "",
                    "{name} at {speed} times its speed, shift {shift}"
                );
            }
        }
    }
}

/// Syllables without a pause: gliding pitch, three formants, a little noise. Far purer than speech.
#[test]
fn half_an_hour_of_vowels_holds_no_key() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut detector = Detector::new();
    let (mut phase, mut found) = (0.0f32, String::new());
    for _ in 0..30 * 300 {
        let mut hz = rng.random_range(90.0..280.0f32);
        let glide = rng.random_range(0.9997..1.0003f32);
        let formants =
            [rng.random_range(300.0..900.0f32), rng.random_range(900.0..2_300.0), rng.random_range(2_300.0..3_300.0)];
        let loud: Vec<f32> = (1..14)
            .map(|n| formants.iter().map(|f| 1.0 / (1.0 + ((hz * n as f32 - f) / 90.0).powi(2))).sum())
            .collect();
        let syllable: Vec<i16> = (0..1_600)
            .map(|_| {
                hz *= glide;
                phase = (phase + hz / RATE_HZ).fract();
                // Chebyshev's recurrence gives the harmonics of one sine and cosine.
                let (sine, cosine) = (TAU * phase).sin_cos();
                let (mut before, mut now, mut voice) = (0.0, sine, rng.random_range(-0.05..0.05f32));
                for loud in &loud {
                    voice += loud * now;
                    (before, now) = (now, 2.0 * cosine * now - before);
                }
                (voice * 6_000.0) as i16
            })
            .collect();
        found.extend(syllable.chunks(160).filter_map(|frame| detector.feed(frame)).map(|digit| digit.0));
    }
    assert_eq!(found, "");
}

/// A singer who never breathes: pulses of steady or gliding pitch through three sharp resonators. Nothing that people say
/// comes so near to keys.
#[test]
fn half_an_hour_of_singing_holds_no_key() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut detector = Detector::new();
    let (mut phase, mut found) = (0.0f32, String::new());
    let mut state = [[0.0f32; 2]; 3];
    for _ in 0..30 * 300 {
        let mut hz = rng.random_range(80.0..320.0f32);
        let glide = if rng.random_bool(0.4) { 1.0 } else { rng.random_range(0.9998..1.0002f32) };
        let formants = [
            (rng.random_range(250.0..950.0f32), rng.random_range(40.0..100.0f32)),
            (rng.random_range(800.0..2_400.0), rng.random_range(50.0..130.0)),
            (rng.random_range(2_200.0..3_400.0), rng.random_range(80.0..200.0)),
        ]
        .map(|(hz, width)| ((-PI * width / RATE_HZ).exp(), (TAU * hz / RATE_HZ).cos()));
        let mut throat = 0.0;
        let voice: Vec<f32> = (0..1_600)
            .map(|_| {
                hz *= glide;
                phase += hz / RATE_HZ;
                let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
                phase = phase.fract();
                throat = 0.9 * throat + pulse;
                let mut sound = throat + rng.random_range(-0.002..0.002f32);
                for ((radius, cosine), state) in formants.iter().zip(&mut state) {
                    sound =
                        3.0 * (1.0 - radius) * sound + 2.0 * radius * cosine * state[0] - radius * radius * state[1];
                    *state = [sound, state[0]];
                }
                sound
            })
            .collect();
        let peak = voice.iter().fold(1e-9f32, |most, sample| most.max(sample.abs()));
        let pcm: Vec<i16> = voice.iter().map(|sample| (sample / peak * 12_000.0) as i16).collect();
        found.extend(pcm.chunks(160).filter_map(|frame| detector.feed(frame)).map(|digit| digit.0));
    }
    assert_eq!(found, "");
}

#[test]
fn noise_holds_no_key() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut detector = Detector::new();
    for _ in 0..15_000 {
        let mut noise = [0i16; 160];
        rng.fill(&mut noise[..]);
        assert_eq!(detector.feed(&noise), None);
    }
}

/// All keys, both tones up to 1.5 % off, twist from -8 to 4 dB, 40 to 100 ms, at many levels and phases. `noise_db`: how far
/// the noise lies below the tones.
fn each_key_in_each_shape(noise_db: Option<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    for (row, column) in (0..16).map(|i| (i / 4, i % 4)) {
        for (row_off, column_off) in (0..9).map(|i| (0.985 + 0.015 * (i / 3) as f32, 0.985 + 0.015 * (i % 3) as f32)) {
            for twist in [-8.0, -4.0, 0.0, 4.0] {
                for ms in [40, 50, 70, 100] {
                    let level = rng.random_range(-22.0..-7.0f32);
                    let tones = [(ROWS[row] * row_off, level), (COLUMNS[column] * column_off, level + twist)];
                    let power: f32 = tones.iter().map(|(_, db)| amplitude(*db).powi(2) / 2.0).sum();
                    let noise = noise_db.map_or(0.0, |db| (power * 10f32.powf(db / 10.0)).sqrt());
                    let pcm = key(&tones, rng.random_range(0..200), ms, noise);
                    let shape =
                        format!("{row_off} {column_off} of their frequencies, {twist} dB, {ms} ms at {level} dBm0");
                    assert_eq!(heard(&pcm), GRID[row][column].to_string(), "{shape}");
                }
            }
        }
    }
}

fn amplitude(dbm0: f32) -> f32 {
    ZERO_DBM0 * 10f32.powf(dbm0 / 20.0)
}

/// Tones in Hz and dBm0, after `shift` samples, for `ms`, then 100 ms without; noise of an effective value all along.
fn key(tones: &[(f32, f32)], shift: usize, ms: usize, noise: f32) -> Vec<i16> {
    let mut rng = ChaCha8Rng::seed_from_u64(shift as u64);
    let tone = shift..shift + ms * 8;
    (0..tone.end + 800)
        .map(|i| {
            // Twelve uniform numbers are as good as a normal one.
            let mut sum: f32 =
                if noise > 0.0 { (0..12).map(|_| rng.random_range(-0.5..0.5f32)).sum::<f32>() } else { 0.0 };
            sum *= noise;
            if tone.contains(&i) {
                let at = (i - shift) as f32 / RATE_HZ;
                sum += tones.iter().map(|(hz, db)| amplitude(*db) * (TAU * hz * at + hz).sin()).sum::<f32>();
            }
            sum.clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

fn heard(pcm: &[i16]) -> String {
    let mut detector = Detector::new();
    pcm.chunks(160).filter_map(|frame| detector.feed(frame)).map(|digit| digit.0).collect()
}

/// The same sound faster and higher, or slower and lower.
fn played(pcm: &[i16], speed: f32) -> Vec<i16> {
    let count = (pcm.len() as f32 / speed) as usize;
    (0..count.saturating_sub(2))
        .filter_map(|i| {
            let at = i as f32 * speed;
            let (before, after) = (*pcm.get(at as usize)?, *pcm.get(at as usize + 1)?);
            Some((f32::from(before) + (f32::from(after) - f32::from(before)) * at.fract()) as i16)
        })
        .collect()
}

/// The samples of all WAV files below a folder.
fn wavs(folder: &Path, out: &mut Vec<(String, Vec<i16>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            wavs(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "wav") {
            let bytes = std::fs::read(&path).unwrap();
            let data = bytes.windows(4).position(|mark| mark == b"data").unwrap() + 8;
            let pcm = bytes[data..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
            out.push((path.display().to_string(), pcm));
        }
    }
}
