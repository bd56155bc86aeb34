//! Gathers what is recorded into chunks that are ready to be appended to the file.

use super::chunk::{Channel, Chunk, Encoding, KIND, MAX_AUDIO_TICKS, Role};
use crate::journal;
use crate::types::{CallId, LegId, Wall};

/// Legs whose audio is gathered at the same time; with more of them runs are cut short, nothing is lost.
const MAX_RUNS: usize = 8;

/// What a recording begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which call.
    pub call: CallId,
    /// When its clock was at 0.
    pub started: Wall,
}

/// Contiguous audio of one leg that is not yet a chunk.
#[derive(Debug)]
struct Run {
    leg: LegId,
    channel: Channel,
    encoding: Encoding,
    position: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn ticks(&self) -> u64 {
        (self.bytes.len() / self.encoding.bytes_a_tick()) as u64
    }

    fn goes_on(&self, leg: LegId, channel: Channel, encoding: Encoding, position: u64) -> bool {
        self.leg == leg
            && self.channel == channel
            && self.encoding == encoding
            && self.position + self.ticks() == position
    }
}

/// Writer of one recording. What it was given is in the next [`Writer::take`], whole; the caller appends that to the
/// file, at least once a second.
#[derive(Debug)]
pub struct Writer {
    /// Framed chunks that are ready.
    ready: Vec<u8>,
    runs: Vec<Run>,
    ended: bool,
}

impl Writer {
    /// A recording whose header is ready to be taken.
    pub fn new(start: Start) -> Self {
        let mut writer = Self { ready: KIND.header().to_vec(), runs: Vec::new(), ended: false };
        writer.chunk(&Chunk::Header { call: start.call, started: start.started });
        writer
    }

    /// A party is heard from now on.
    pub fn joined(&mut self, leg: LegId, channel: Channel, role: Role, position: u64) {
        self.chunk(&Chunk::Joined { leg, channel, role, position });
    }

    /// A party is gone.
    pub fn left(&mut self, leg: LegId, position: u64) {
        self.chunk(&Chunk::Left { leg, position });
    }

    /// Audio of a leg, encoded, that began at `position` ticks of the call's clock.
    pub fn audio(&mut self, leg: LegId, channel: Channel, encoding: Encoding, position: u64, bytes: &[u8]) {
        for (i, piece) in bytes.chunks(MAX_AUDIO_TICKS).enumerate() {
            let position = position + (i * MAX_AUDIO_TICKS / encoding.bytes_a_tick()) as u64;
            self.piece(leg, channel, encoding, position, piece);
        }
    }

    fn piece(&mut self, leg: LegId, channel: Channel, encoding: Encoding, position: u64, bytes: &[u8]) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.leg == leg) {
            let room = run.bytes.is_empty() || run.bytes.len() + bytes.len() <= MAX_AUDIO_TICKS;
            let goes_on = run.goes_on(leg, channel, encoding, position) && room;
            if !goes_on {
                flush(&mut self.ready, run);
                (run.channel, run.encoding, run.position) = (channel, encoding, position);
            }
            run.bytes.extend_from_slice(bytes);
            return;
        }
        if self.runs.len() >= MAX_RUNS {
            flush(&mut self.ready, &mut self.runs[0]);
            self.runs.remove(0);
        }
        self.runs.push(Run { leg, channel, encoding, position, bytes: bytes.to_vec() });
    }

    /// Bytes of audio and chunks that wait to be taken.
    pub fn pending_bytes(&self) -> usize {
        self.ready.len() + self.runs.iter().map(|run| run.bytes.len()).sum::<usize>()
    }

    /// Appends to `out` all that was recorded since the last time, ready for the end of the file.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        for run in &mut self.runs {
            flush(&mut self.ready, run);
        }
        out.append(&mut self.ready);
    }

    /// The recording is over at `position`: the last chunks. Nothing may be recorded afterwards.
    pub fn end(&mut self, position: u64, out: &mut Vec<u8>) {
        self.take(out);
        if !self.ended {
            self.ended = true;
            self.chunk(&Chunk::End { position });
            out.append(&mut self.ready);
        }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) {
        journal::append_chunk_with(&mut self.ready, |out| chunk.write(out));
    }
}

/// Makes a run a chunk and keeps its buffer for what follows.
fn flush(ready: &mut Vec<u8>, run: &mut Run) {
    if run.bytes.is_empty() {
        return;
    }
    let chunk = Chunk::Audio {
        leg: run.leg,
        channel: run.channel,
        encoding: run.encoding,
        position: run.position,
        bytes: &run.bytes,
    };
    journal::append_chunk_with(ready, |out| chunk.write(out));
    run.position += run.ticks();
    run.bytes.clear();
}
