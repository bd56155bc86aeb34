//! WAV files: PCM of 16 bits, one or two channels.

use std::fs;
use std::path::Path;

/// Sound, channel by channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wav {
    /// Samples a second.
    pub(crate) rate: u32,
    /// Samples of each channel, all equally many.
    pub(crate) channels: Vec<Vec<i16>>,
}

impl Wav {
    /// One channel.
    pub(crate) fn mono(rate: u32, samples: Vec<i16>) -> Self {
        Self { rate, channels: vec![samples] }
    }

    /// Reads a file; one that a killed program left open is read as far as it goes.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(bytes.len() > 12 && &bytes[..4] == b"RIFF" && &bytes[8..12] == b"WAVE", "{}: no WAV", path.display());
        let (mut at, mut format) = (12, None);
        while let Some(head) = bytes.get(at..at + 8) {
            let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let end = (at + 8).saturating_add(size).min(bytes.len());
            let body = &bytes[at + 8..end];
            match &head[..4] {
                b"fmt " => format = Some(Format::read(body)),
                b"data" => return format.expect("the format comes before the sound").samples(body),
                _ => {}
            }
            at = end + (size & 1);
        }
        panic!("{}: no sound in it", path.display());
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &Path) {
        let channels = self.channels.len();
        let length = self.channels.first().map_or(0, Vec::len);
        let data = (length * channels * 2) as u32;
        let mut out = Vec::with_capacity(44 + data as usize);
        out.extend_from_slice(b"RIFF");
        out.extend_from_slice(&(36 + data).to_le_bytes());
        out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
        out.extend_from_slice(&(channels as u16).to_le_bytes());
        out.extend_from_slice(&self.rate.to_le_bytes());
        out.extend_from_slice(&(self.rate * channels as u32 * 2).to_le_bytes());
        out.extend_from_slice(&(channels as u16 * 2).to_le_bytes());
        out.extend_from_slice(&16u16.to_le_bytes());
        out.extend_from_slice(b"data");
        out.extend_from_slice(&data.to_le_bytes());
        for n in 0..length {
            for channel in &self.channels {
                out.extend_from_slice(&channel[n].to_le_bytes());
            }
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(path, out).unwrap();
    }

    /// Length in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.channels.first().map_or(0, Vec::len) as f64 / f64::from(self.rate)
    }

    /// The same with left and right exchanged.
    pub(crate) fn swapped(&self) -> Self {
        let mut channels = self.channels.clone();
        channels.reverse();
        Self { rate: self.rate, channels }
    }
}

struct Format {
    channels: usize,
    rate: u32,
}

impl Format {
    fn read(body: &[u8]) -> Self {
        let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
        assert_eq!((word(0), word(14)), (1, 16), "PCM of 16 bits");
        let rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
        Self { channels: word(2).into(), rate }
    }

    fn samples(&self, body: &[u8]) -> Wav {
        let mut channels = vec![Vec::new(); self.channels];
        for frame in body.chunks_exact(2 * self.channels) {
            for (channel, pair) in channels.iter_mut().zip(frame.chunks_exact(2)) {
                channel.push(i16::from_le_bytes([pair[0], pair[1]]));
            }
        }
        Wav { rate: self.rate, channels }
    }
}
