//! Recordings: what the file of a call holds, how it is written so that a crash costs nothing, and how it is read.
//!
//! The file is a [`crate::journal`] of chunks. Two channels: the caller left, everybody else right. Each piece of audio
//! carries its place on the call's clock, counted in ticks of 1/8,000 s since the recording began, and is stored as it
//! came, without decoding. Gaps are silence. Bytes only: knows no file, no path, no clock and no thread.

mod chunk;
pub mod export;
#[cfg(feature = "opus")]
mod opus;
mod place;
mod play;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use chunk::{Channel, Encoding, Role};
pub use place::Placer;
pub use play::Playback;
pub use read::{Audio, ReadError, Recording, Segment};
pub use write::{Start, Writer};

/// Ticks a second of the call's clock.
pub const TICKS_HZ: u64 = 8_000;
