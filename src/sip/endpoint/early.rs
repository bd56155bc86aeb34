//! What comes of a far end before its answer: a carrier's announcement, its ringing tone (RFC 3960).
//!
//! Whether to listen is the core's to decide; here a description in a provisional response opens the leg's stream, and what the
//! engine reports of it becomes an event of the leg.

use bytes::Bytes;

use crate::types::{Direction, LegEvent, LegId, MediaPort};

use super::leg::{Branch, Described, Leg, State};
use super::{Endpoint, Output};

impl Endpoint {
    /// A provisional response describes the far end's audio. Of several forks the one that described it last is heard: behind
    /// a proxy that tries one after the other, those before it have failed.
    pub(super) fn on_early_description(
        &mut self,
        leg: LegId,
        index: usize,
        tag: &str,
        (sdp, reliable): (&[u8], bool),
        out: &mut Vec<Output>,
    ) {
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return };
        let branch = &mut dialling.branches[index];
        if !takes(branch, tag, sdp, reliable) || branch.audio.accept(sdp).is_err() {
            return;
        }
        if reliable {
            branch.offers.answered();
        }
        if branch.trunk.is_some() && dialling.withdrawn.is_none() {
            self.open_early(leg, index, out);
        }
    }

    /// Gives the engine the stream of a carrier that has not answered. Nobody's voice goes there: only the comfort silence that
    /// teaches routers on the way where we are.
    fn open_early(&mut self, leg: LegId, index: usize, out: &mut Vec<Output>) {
        self.report_heard(leg, false, out);
        let Some(Leg { state: State::Dialling(dialling), call: Some(call), party, .. }) = self.legs.get_mut(&leg)
        else {
            return;
        };
        let audio = &mut dialling.branches[index].audio;
        let Some(params) = audio.agreed().filter(|params| comes(params.direction)).cloned() else { return };
        if !std::mem::replace(&mut audio.opened, true) {
            out.push(Output::Open { leg, call: *call, port: audio.port, party: *party });
        }
        out.push(Output::Stream { leg, params: Box::new(params), early: true });
    }

    /// The engine hears the far end before its answer, or no more. A report may come late: of a carrier that has refused since.
    pub(super) fn on_early_media(&mut self, leg: LegId, port: MediaPort, heard: bool, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get(&leg) else { return };
        let is_open = |branch: &Branch| branch.audio.opened && branch.audio.port.is_same_pair(port);
        if dialling.withdrawn.is_none() && dialling.branches.iter().any(is_open) {
            self.report_heard(leg, heard, out);
        }
    }

    /// Reports a change of whether a dialled leg is heard before its answer.
    pub(super) fn report_heard(&mut self, leg: LegId, heard: bool, out: &mut Vec<Output>) {
        if let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg)
            && std::mem::replace(&mut dialling.heard, heard) != heard
        {
            out.push(Output::Leg { leg, event: LegEvent::EarlyMedia(heard) });
        }
    }
}

/// Notes what a dialog describes. The first description counts (RFC 3261 13.2.1), but one that came reliably is the answer.
fn takes(branch: &mut Branch, tag: &str, sdp: &[u8], reliable: bool) -> bool {
    let described = &mut branch.early.entry(tag.into()).or_default().described;
    if described.as_ref().is_some_and(|before| before.is_answer || !reliable) {
        return false;
    }
    *described = Some(Described { sdp: Bytes::copy_from_slice(sdp), is_answer: reliable });
    true
}

/// Whether audio comes to us this way.
fn comes(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}
