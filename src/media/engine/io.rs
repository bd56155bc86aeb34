//! What the media engine is told and what it reports. Plain data over bounded channels.

use serde::{Deserialize, Serialize};

use crate::types::{CallId, Digit, DigitBy, Hear, LegId, MediaPort, Origin, RunId, StreamParams, StreamReport};

/// An order to the engine. Orders of one call are carried out in the order given, on the worker of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A leg takes a bound port; before `params` are known it neither sends nor hears.
    Open {
        /// Which leg.
        leg: LegId,
        /// Its call, as soon as known; legs of one call share a worker.
        call: CallId,
        /// Its port.
        port: MediaPort,
        /// Who is at its far end, for the index of recordings.
        party: Origin,
    },
    /// What was negotiated, first or anew (re-INVITE, other codec or address). Our SSRC, sequence and timestamps go on.
    Stream {
        /// Which leg.
        leg: LegId,
        /// The whole new state.
        params: Box<StreamParams>,
        /// The far end has not answered: whether it is heard all the same is reported ([`Event::EarlyMedia`]).
        early: bool,
    },
    /// The full set of who hears what in a call. Idempotent.
    Hear {
        /// Which call.
        call: CallId,
        /// One entry a leg; others hear comfort silence.
        set: Vec<Hear>,
    },
    /// Record the call: `caller` left, everybody else right, in one file until `EndRecording`. Idempotent. The index names
    /// `caller` so and the others by who they were opened for.
    Record {
        /// Which call.
        call: CallId,
        /// Left channel.
        caller: LegId,
        /// File name below the recording folder.
        file: String,
    },
    /// Close the recording of the call.
    EndRecording {
        /// Which call.
        call: CallId,
    },
    /// Send a key to the far end as RFC 4733 events (or as tones where none was agreed).
    SendDigit {
        /// Which leg.
        leg: LegId,
        /// Which key.
        digit: Digit,
    },
    /// Let the leg go on on another worker: socket, SSRC, sequence, timestamp and SRTP contexts go with it.
    Move {
        /// Which leg.
        leg: LegId,
        /// The other worker.
        to_worker: u8,
        /// The call it belongs to there.
        call: CallId,
    },
    /// The leg is gone: report its figures, free its port.
    Close {
        /// Which leg.
        leg: LegId,
    },
}

/// What the engine reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A prompt was played to its end.
    PromptEnded {
        /// The listener.
        leg: LegId,
        /// Which playing.
        run: RunId,
    },
    /// A key was pressed: each press once.
    Digit {
        /// By whom.
        leg: LegId,
        /// Which key.
        digit: Digit,
        /// How it came.
        by: DigitBy,
    },
    /// A far end that has not answered is heard, from its first packet on; or for six seconds no more.
    EarlyMedia {
        /// Which leg.
        leg: LegId,
        /// Its port: the leg may have another one by now.
        port: MediaPort,
        /// Whether.
        heard: bool,
    },
    /// Neither RTP nor RTCP for 30 s (300 s on hold): the endpoint probes the far end. Reported again after as long, for as
    /// long as the silence lasts: who answers one probe may be dead before the next.
    Silent {
        /// Which leg.
        leg: LegId,
    },
    /// A leg's port is free and rests; its figures.
    Closed {
        /// Which leg.
        leg: LegId,
        /// The port, to be given back to the pool.
        port: MediaPort,
        /// What was measured.
        report: StreamReport,
    },
    /// A recording broke; the call goes on.
    RecordingFailed {
        /// Which call.
        call: CallId,
        /// In words, for the operator.
        why: String,
    },
}
