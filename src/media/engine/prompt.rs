//! Prompts and music: read from WAV files once, encoded once for each codec, played from shared memory.
//!
//! A file is `8k/<name>.wav` below the prompt folder, one channel of PCM16 at 8,000 or 16,000 Hz; where `16k/<name>.wav`
//! stands beside it, that one is what G.722 listeners hear. Files can be replaced by others of the same name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::leg::FRAME;
use crate::media::codec::{Encoder, Rate, g711};
use crate::types::{Codec, PromptName};

/// Longest prompt: an hour. Each second takes 24 kB of memory.
const MAX_SECONDS: usize = 3_600;

/// Peak of the ringing tone: -10 dBm0 (GF 002-9002.1), where the largest A-law sine is +3.14 dBm0.
const RINGBACK_PEAK: f64 = 7_080.0;

/// Rate of a file for wide-band listeners.
const WIDE_HZ: u32 = 16_000;

/// Why a prompt cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file cannot be read.
    #[error("prompt {name:?} cannot be read from {}: {source}; put the file there or take the name out of the plan", path.display())]
    Unreadable {
        /// Its name in the plan.
        name: PromptName,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no sound that can be used.
    #[error("prompt {}: {why}; it must be WAV, one channel, PCM16, 8000 or 16000 Hz", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: WavError,
    },
    /// The name leads out of the folder.
    #[error("prompt {0:?}: a name is a relative path without dots")]
    BadName(PromptName),
}

/// What is wrong with a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// No RIFF/WAVE header or no format and data in it.
    #[error("it is no WAV file or is cut short")]
    NoWav,
    /// Another coding than PCM16.
    #[error("its samples are not PCM16")]
    NotPcm16,
    /// More than one channel.
    #[error("it has {0} channels")]
    Channels(u16),
    /// Another sampling rate.
    #[error("its rate is {0} Hz")]
    Rate(u32),
    /// No audio at all.
    #[error("it is empty")]
    Empty,
    /// Longer than an hour.
    #[error("it is longer than an hour")]
    TooLong,
}

/// One sound, encoded in 20 ms frames; the last one is filled up with silence.
pub(super) struct Prompt {
    /// Whether it was made for wide-band listeners.
    wide: bool,
    alaw: Box<[[u8; FRAME]]>,
    ulaw: Box<[[u8; FRAME]]>,
    g722: Box<[[u8; FRAME]]>,
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({} frames)", self.frames())
    }
}

impl Prompt {
    fn encode(narrow: &Wav, wide: &Wav) -> Self {
        Self {
            wide: wide.rate == WIDE_HZ,
            alaw: encoded(Codec::Pcma, narrow),
            ulaw: encoded(Codec::Pcmu, narrow),
            g722: encoded(Codec::G722, wide),
        }
    }

    /// How many frames it has; at least one.
    pub(super) fn frames(&self) -> usize {
        self.alaw.len()
    }

    /// The rate above which nothing more is to be heard of it.
    pub(super) fn rate(&self) -> Rate {
        if self.wide { Rate::Wide } else { Rate::Narrow }
    }

    /// A frame of it, `None` behind its end.
    pub(super) fn frame(&self, codec: Codec, index: usize) -> Option<&[u8; FRAME]> {
        match codec {
            Codec::Pcma => &self.alaw,
            Codec::Pcmu => &self.ulaw,
            Codec::G722 => &self.g722,
        }
        .get(index)
    }
}

/// All sounds that the plan names.
#[derive(Debug, Default)]
pub struct Prompts {
    sounds: BTreeMap<PromptName, Arc<Prompt>>,
}

impl Prompts {
    /// No sound at all, for tests.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads and encodes the named prompts.
    ///
    /// # Errors
    /// [`PromptError`] for the first one that is missing or unusable.
    pub fn load(folder: &Path, names: impl IntoIterator<Item = PromptName>) -> Result<Prompts, PromptError> {
        let mut sounds = BTreeMap::new();
        for name in names {
            if sounds.contains_key(&name) {
                continue;
            }
            let sound = load_one(folder, &name)?;
            sounds.insert(name, Arc::new(sound));
        }
        Ok(Prompts { sounds })
    }

    /// Adds one sound from a WAV file anywhere.
    ///
    /// # Errors
    /// [`PromptError`] when the file cannot be read or is no usable WAV.
    pub fn add(&mut self, name: &PromptName, path: &Path) -> Result<(), PromptError> {
        let wav = read(path, name)?;
        self.sounds.insert(name.clone(), Arc::new(Prompt::encode(&wav, &wav)));
        Ok(())
    }

    /// How long a prompt lasts, in whole frames of 20 ms.
    pub fn duration(&self, name: &PromptName) -> Option<Duration> {
        let frames = self.sounds.get(name)?.frames();
        Some(Duration::from_millis(20) * u32::try_from(frames).unwrap_or(u32::MAX))
    }

    /// A prompt as a narrow-band listener hears it, at 8 kHz.
    pub fn pcm(&self, name: &PromptName) -> Option<Vec<i16>> {
        let sound = self.sounds.get(name)?;
        Some(sound.alaw.iter().flatten().map(|byte| g711::alaw_to_linear(*byte)).collect())
    }

    /// The sound of this name; an unknown one is an error of ours, since the plan's names were loaded.
    pub(super) fn sound(&self, name: &PromptName) -> Option<Arc<Prompt>> {
        let sound = self.sounds.get(name).cloned();
        if sound.is_none() {
            tracing::error!(?name, "a prompt that was never loaded is played as silence");
        }
        sound
    }
}

fn load_one(folder: &Path, name: &PromptName) -> Result<Prompt, PromptError> {
    let relative = Path::new(&*name.0);
    if name.0.is_empty() || relative.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(PromptError::BadName(name.clone()));
    }
    let file = format!("{}.wav", name.0);
    let path = folder.join("8k").join(&file);
    let narrow = read(&path, name)?;
    let wide_path = folder.join("16k").join(&file);
    // The wide one has to be as long, or the end of the prompt would come at the wrong time.
    let wide = if wide_path.exists() { Some(read(&wide_path, name)?) } else { None };
    Ok(Prompt::encode(&narrow, wide.as_ref().unwrap_or(&narrow)))
}

fn read(path: &Path, name: &PromptName) -> Result<Wav, PromptError> {
    let unreadable = |source| PromptError::Unreadable { name: name.clone(), path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    parse(&bytes).map_err(|why| PromptError::Unusable { path: path.to_owned(), why })
}

struct Wav {
    rate: u32,
    samples: Vec<i16>,
}

/// Reads a RIFF/WAVE file (Microsoft RIFF specification 1991; the data chunk may be cut short).
fn parse(bytes: &[u8]) -> Result<Wav, WavError> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(WavError::NoWav);
    }
    let (mut format, mut rest) = (None, &bytes[12..]);
    while rest.len() >= 8 {
        let (head, body) = rest.split_at(8);
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(body.len());
        let chunk = &body[..length];
        match &head[..4] {
            b"fmt " => format = Some(rate(chunk)?),
            b"data" => return samples(format.ok_or(WavError::NoWav)?, chunk),
            _ => {}
        }
        // Chunks are padded to even lengths.
        rest = &body[length.next_multiple_of(2).min(body.len())..];
    }
    Err(WavError::NoWav)
}

fn rate(format: &[u8]) -> Result<u32, WavError> {
    let word = |at: usize| format.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or(WavError::NoWav);
    let (tag, channels, bits) = (word(0)?, word(2)?, word(14)?);
    let rate = u32::from(word(4)?) | u32::from(word(6)?) << 16;
    // 0xfffe: the extensible format, whose subformat begins with the tag proper.
    let tag = if tag == 0xfffe { word(24)? } else { tag };
    match (tag, bits, channels, rate) {
        (1, 16, 1, 8_000 | 16_000) => Ok(rate),
        (1, 16, 1, _) => Err(WavError::Rate(rate)),
        (1, 16, _, _) => Err(WavError::Channels(channels)),
        _ => Err(WavError::NotPcm16),
    }
}

fn samples(rate: u32, data: &[u8]) -> Result<Wav, WavError> {
    let samples: Vec<i16> = data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    match samples.len() {
        0 => Err(WavError::Empty),
        n if n > MAX_SECONDS * usize::try_from(rate).unwrap_or(8_000) => Err(WavError::TooLong),
        _ => Ok(Wav { rate, samples }),
    }
}

fn encoded(codec: Codec, wav: &Wav) -> Box<[[u8; FRAME]]> {
    let mut encoder = Encoder::new(codec);
    let step = if wav.rate == WIDE_HZ { 2 * FRAME } else { FRAME };
    let mut samples = [0_i16; 2 * FRAME];
    wav.samples
        .chunks(step)
        .map(|chunk| {
            samples[..step].fill(0);
            samples[..chunk.len()].copy_from_slice(chunk);
            let mut frame = [0_u8; FRAME];
            if wav.rate == WIDE_HZ {
                encoder.encode_16k(&samples[..step], &mut frame);
            } else {
                encoder.encode_8k(&samples[..step], &mut frame);
            }
            frame
        })
        .collect()
}

/// The ringing tone of the Chinese network: 450 Hz, one second on, four off (GF 002-9002.1).
pub(super) fn ringback() -> Arc<Prompt> {
    static TONE: LazyLock<Arc<Prompt>> = LazyLock::new(|| {
        let on = (0..8_000).map(|n| {
            let angle = f64::from(n) * 450.0 / 8_000.0 * std::f64::consts::TAU;
            (angle.sin() * RINGBACK_PEAK) as i16
        });
        let wav = Wav { rate: 8_000, samples: on.chain(std::iter::repeat_n(0, 32_000)).collect() };
        Arc::new(Prompt::encode(&wav, &wav))
    });
    TONE.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Decoder;

    fn wav(rate: u32, channels: u16, bits: u16, samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut out = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0".to_vec();
        out.extend(channels.to_le_bytes());
        out.extend(rate.to_le_bytes());
        out.extend((rate * 2).to_le_bytes());
        out.extend(2_u16.to_le_bytes());
        out.extend(bits.to_le_bytes());
        out.extend(b"data");
        out.extend(u32::try_from(data.len()).expect("small").to_le_bytes());
        out.extend(data);
        out
    }

    fn load(name: &str, bytes: &[u8]) -> Result<Prompts, PromptError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("8k/greeting")).expect("a folder");
        std::fs::write(folder.path().join("8k/greeting/a.wav"), bytes).expect("a file");
        Prompts::load(folder.path(), [PromptName::new(name)])
    }

    #[test]
    fn prompt_of_either_rate_lasts_what_its_samples_say_in_each_codec() {
        for rate in [8_000_u32, 16_000] {
            let samples = vec![500_i16; rate as usize / 2 + 1];
            let prompts = load("greeting/a", &wav(rate, 1, 16, &samples)).expect("usable");
            let name = PromptName::new("greeting/a");
            assert_eq!(prompts.duration(&name), Some(Duration::from_millis(520)));
            let sound = prompts.sound(&name).expect("loaded");
            for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
                assert!(sound.frame(codec, 25).is_some());
                assert!(sound.frame(codec, 26).is_none());
            }
        }
    }

    #[test]
    fn missing_prompt_names_the_file_and_says_what_to_do() {
        let error = load("greeting/b", &[]).expect_err("there is no such file").to_string();
        assert!(error.contains("8k/greeting/b.wav") && error.contains("put the file there"), "{error}");
    }

    #[test]
    fn unusable_files_are_told_apart() {
        let why = |bytes: &[u8]| match load("greeting/a", bytes) {
            Err(PromptError::Unusable { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(b"RIFF"), WavError::NoWav);
        assert_eq!(why(&wav(8_000, 2, 16, &[1])), WavError::Channels(2));
        assert_eq!(why(&wav(44_100, 1, 16, &[1])), WavError::Rate(44_100));
        assert_eq!(why(&wav(8_000, 1, 8, &[1])), WavError::NotPcm16);
        assert_eq!(why(&wav(8_000, 1, 16, &[])), WavError::Empty);
    }

    #[test]
    fn name_cannot_leave_the_folder() {
        for name in ["../a", "/etc/passwd", ""] {
            assert!(matches!(load(name, &[]), Err(PromptError::BadName(_))), "{name}");
        }
    }

    #[test]
    fn ringback_sounds_one_second_of_five() {
        assert_eq!(ringback().frames(), 250);
        let loud = |index: usize| {
            let mut samples = [0_i16; FRAME];
            Decoder::new(Codec::Pcma)
                .decode_8k(ringback().frame(Codec::Pcma, index).expect("250 frames"), &mut samples);
            samples.iter().any(|s| s.unsigned_abs() > 5_000)
        };
        assert!((0..50).all(loud));
        assert!(!(50..250).any(loud));
    }
}
