//! One leg as its worker keeps it: sockets, both directions of its stream, and what it hears.
//!
//! Knows how to send a packet and how to make its own next frame; who hears whom is decided in `plan`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::media::codec::noise::ComfortNoise;
use crate::media::codec::{Decoder, Encoder, Rate, Transcoder};
use crate::media::dtmf::{Detector, EventReceiver, EventSender, OneMethod, ToneSender};
use crate::media::latch::Latch;
use crate::media::mixer::Matrix;
use crate::media::recording::{Channel, Placer};
use crate::media::rtcp::Session;
use crate::media::rtp::{FRAME_TICKS, HEADER_BYTES, Sender};
use crate::media::srtp::Srtp;
use crate::types::{Codec, Direction, LegId, Mono, Origin, PromptName, RunId, StreamParams};

use super::inlet::Inlet;
use super::prompt::Prompt;
use super::sockets::Pair;

/// Bytes of a frame in each of our codecs, and its samples at 8 kHz.
pub(super) const FRAME: usize = FRAME_TICKS as usize;

/// Longest packet of ours: 60 ms of audio and what is left of a frame.
const PACKET_AUDIO: usize = 60 * 8 + FRAME;

/// After an offer or an answer another source may show itself (media.md 7); afterwards the kernel filters for us.
pub(super) const SETTLING: Duration = Duration::from_millis(5_500);

/// How long a far end that was heard before its answer may pause. A ringing tone pauses for 4 s (GF 002-9002.1), and a carrier that
/// suppresses silence sends nothing meanwhile.
pub(super) const EARLY_PAUSE: Duration = Duration::from_secs(6);

/// Whether a far end is heard before its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// It has answered, or nobody asked.
    Over,
    /// Not yet, or no more.
    Awaited,
    /// It is.
    Heard {
        /// Its last packet.
        last: Mono,
    },
}

/// One thing that is heard in tick mode.
#[derive(Debug)]
pub(super) enum Feed {
    /// Another leg, by its slot; `None` while it is unknown or has no stream.
    Leg { id: LegId, slot: Option<usize>, gain_db: i8 },
    /// A prompt, once.
    Prompt { run: RunId, playing: Playing, told: bool },
    /// Music without end.
    Music { name: PromptName, playing: Playing },
    /// Ringing tone without end.
    Ringback { playing: Playing },
}

/// A sound that is being played.
#[derive(Debug)]
pub(super) struct Playing {
    /// `None` when there is no such sound.
    pub(super) sound: Option<Arc<Prompt>>,
    /// Frames played.
    pub(super) played: usize,
    /// For a wide-band mix, which the frames of G.722 are decoded for.
    pub(super) decoder: Option<Box<Decoder>>,
}

impl Playing {
    /// A sound from its beginning.
    pub(super) fn new(sound: Option<Arc<Prompt>>) -> Self {
        Self { sound, played: 0, decoder: None }
    }

    /// Whether all of it was played.
    pub(super) fn is_over(&self) -> bool {
        self.sound.as_ref().is_none_or(|sound| self.played >= sound.frames())
    }
}

/// How a leg gets what it hears.
#[derive(Debug)]
pub(super) enum Hearing {
    /// Packets of one other leg are passed on as they come.
    Relay { from: LegId },
    /// A frame every 20 ms from these feeds; none is comfort silence. The matrix has a row for each feed, the listener
    /// last; what is mixed is mixed at `rate`.
    Frames { feeds: Vec<Feed>, matrix: Box<Matrix>, rate: Rate },
}

/// Both codec states towards a listener.
pub(super) struct Voice {
    pub(super) encoder: Encoder,
    /// From the codec of the leg that is relayed, when it differs from ours.
    pub(super) transcoder: Option<(Codec, Transcoder)>,
}

/// Frames that are being put together to packets of the far end's ptime.
pub(super) struct Packing {
    audio: [u8; PACKET_AUDIO],
    filled: usize,
}

impl Packing {
    pub(super) fn new() -> Self {
        Self { audio: [0; PACKET_AUDIO], filled: 0 }
    }

    /// Adds a frame. Whole packets are then taken with [`Packing::packet`].
    pub(super) fn frame(&mut self, frame: &[u8; FRAME]) {
        let end = self.filled + FRAME;
        // A packet is at most 60 ms and is taken as soon as it is whole, so a frame always fits.
        if let Some(room) = self.audio.get_mut(self.filled..end) {
            room.copy_from_slice(frame);
            self.filled = end;
        }
    }

    /// Takes a packet's audio of `bytes` into `out`.
    pub(super) fn packet(&mut self, bytes: usize, out: &mut [u8]) -> bool {
        if self.filled < bytes {
            return false;
        }
        out[..bytes].copy_from_slice(&self.audio[..bytes]);
        self.audio.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        true
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }
}

/// What is needed once the stream is known.
pub(super) struct Stream {
    pub(super) params: StreamParams,
    pub(super) latch: Latch,
    pub(super) srtp: Option<Srtp>,
    pub(super) voice: Voice,
    /// Listens for tones where no telephone-event was agreed.
    pub(super) tones: Option<Box<(Decoder, Detector)>>,
    /// When the kernel may be told to let only the far end's address through; `None` once it is.
    pub(super) settle_at: Option<Mono>,
}

impl Stream {
    /// Whether the far end takes audio from us.
    pub(super) fn sends(&self) -> bool {
        let to = self.latch.send_to();
        matches!(self.params.direction, Direction::SendRecv | Direction::SendOnly)
            && !to.ip().is_unspecified()
            && to.port() != 0
    }

    /// Whether audio of the far end is taken.
    pub(super) fn receives(&self) -> bool {
        matches!(self.params.direction, Direction::SendRecv | Direction::RecvOnly)
    }

    /// Whether the far end holds us, so that it may be silent for long.
    pub(super) fn held(&self) -> bool {
        !self.receives()
    }

    /// Bytes, and at the same time RTP ticks, of a packet that we send: eight a millisecond in each of our codecs.
    pub(super) fn packet_ticks(&self) -> u32 {
        u32::from(self.params.ptime_ms.clamp(10, 60)) * 8
    }
}

/// Where a leg's audio goes in the recording of its call.
pub(super) struct Track {
    pub(super) channel: Channel,
    pub(super) placer: Placer,
}

/// A leg.
pub(super) struct Leg {
    pub(super) id: LegId,
    /// Who is at its far end.
    pub(super) party: Origin,
    /// Slot of its call.
    pub(super) call: usize,
    pub(super) pair: Pair,
    pub(super) stream: Option<Stream>,
    /// Listeners that get its packets as they come.
    pub(super) routes: Vec<usize>,
    pub(super) hearing: Hearing,
    pub(super) track: Option<Track>,
    /// Its audio in time, while somebody hears it in tick mode.
    pub(super) inlet: Option<Box<Inlet>>,
    /// While the leg that it hears by relay is silent and it could not be told so: the noise that it hears instead.
    pub(super) hush: Option<ComfortNoise>,
    pub(super) sender: Sender,
    pub(super) session: Session,
    pub(super) packing: Packing,
    pub(super) events_in: EventReceiver,
    pub(super) events_out: EventSender,
    pub(super) tones_out: ToneSender,
    pub(super) one_method: OneMethod,
    pub(super) early: Early,
    /// Last RTP or RTCP of the far end; later, when its silence was last reported.
    pub(super) silent_since: Mono,
    /// Packets too late to be heard, of buffers that are gone.
    pub(super) late: u64,
    /// Longest delay that a buffer gave.
    pub(super) buffer_delay: Duration,
}

impl Leg {
    /// Whether it is sending a key of its own, so that audio is held back.
    pub(super) fn is_keying(&self) -> bool {
        self.events_out.is_active() || self.tones_out.is_active()
    }

    /// Whether the worker has to come by every 20 ms.
    pub(super) fn needs_tick(&self) -> bool {
        let Some(stream) = &self.stream else { return false };
        match &self.hearing {
            Hearing::Relay { .. } => self.is_keying() || self.hush.is_some(),
            Hearing::Frames { feeds, .. } => stream.sends() || !feeds.is_empty(),
        }
    }

    /// Sends one RTP packet, protected if the leg is secure.
    pub(super) fn transmit(&mut self, packet: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        let to = match stream.settle_at {
            None => None,
            Some(_) => Some(stream.latch.send_to()),
        };
        let result = match &mut stream.srtp {
            None => send(&self.pair, to, packet),
            Some(srtp) => match srtp.protect_rtp(packet) {
                Ok(secured) => send(&self.pair, to, &secured),
                Err(error) => {
                    tracing::debug!(leg = %self.id, %error, "a packet cannot be protected");
                    return;
                }
            },
        };
        match result {
            Ok(_) => self.sender.sent(packet.len() - HEADER_BYTES),
            Err(error) => tracing::trace!(leg = %self.id, %error, "a packet is not sent"),
        }
    }

    /// Sends one RTCP packet.
    pub(super) fn transmit_rtcp(&mut self, packet: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        let (rtp, to) = (stream.latch.send_to(), stream.latch.rtcp_to());
        if to.ip().is_unspecified() || to.port() == 0 {
            return;
        }
        let secured;
        let bytes = match &mut stream.srtp {
            None => packet,
            Some(srtp) => match srtp.protect_rtcp(packet) {
                Ok(bytes) => {
                    secured = bytes;
                    &secured[..]
                }
                Err(_) => return,
            },
        };
        // The same address for both means that the far end multiplexes (RFC 5761).
        let result = if to != rtp {
            self.pair.rtcp.send_to(bytes, to)
        } else if stream.settle_at.is_none() {
            self.pair.rtp.send(bytes)
        } else {
            self.pair.rtp.send_to(bytes, to)
        };
        if let Err(error) = result {
            tracing::trace!(leg = %self.id, %error, "a report is not sent");
        }
    }
}

fn send(pair: &Pair, to: Option<SocketAddr>, packet: &[u8]) -> io::Result<usize> {
    match to {
        Some(to) => pair.rtp.send_to(packet, to),
        None => match pair.rtp.send(packet) {
            // The error of an earlier packet (ICMP port unreachable) is reported here and hides this one.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => pair.rtp.send(packet),
            result => result,
        },
    }
}
