//! Offers and answers of a leg's first exchange, and what of them the media engine is told.

use crate::sip::dialog::glare::Side;
use crate::sip::message::Message;
use crate::sip::negotiate::NegotiateError;
use crate::types::{LegEvent, LegId};

use super::audio::Audio;
use super::leg::{Arriving, Leg, OfferState, State};
use super::{Endpoint, Output};

/// Writes our description for a provisional or final 2xx response: the answer to their offer, or an offer of ours.
pub(super) fn describe(arriving: &mut Arriving) -> Result<(), NegotiateError> {
    match arriving.offer {
        OfferState::Theirs => {
            arriving.audio.answer(arriving.invite.body())?;
            arriving.offer = OfferState::Done;
            arriving.offers.answered();
        }
        OfferState::Ours => {
            if !arriving.audio.waits() {
                arriving.audio.offer();
            }
        }
        OfferState::Sent | OfferState::Done => {}
    }
    Ok(())
}

/// An offer of ours has gone out in a response.
pub(super) fn offered(arriving: &mut Arriving) {
    if arriving.offer == OfferState::Ours {
        arriving.offer = OfferState::Sent;
        arriving.offers.offered(Side::Us);
    }
}

/// The session description that a message carries, if any.
pub(super) fn description(message: &Message) -> Option<&[u8]> {
    let is_sdp = message.content_type().is_some_and(|c| c.is("application", "sdp"));
    (is_sdp && !message.body().is_empty()).then(|| message.body())
}

impl Endpoint {
    /// Tells the media engine what is agreed for a leg: its port once, its stream each time. Reports a change of hold.
    pub(super) fn publish_stream(&mut self, leg: LegId, out: &mut Vec<Output>) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let Some(call) = entry.call else { return };
        let party = entry.party;
        let audio = match &mut entry.state {
            State::Arriving(arriving) => &mut arriving.audio,
            State::Up(up) => &mut up.audio,
            State::Dialling(_) => return,
        };
        // The port is open from our first description on, agreed or not: what the call hears waits there for the answer that
        // comes with the ACK or PRACK (RFC 3261 13.2.1).
        if audio.agreed().is_none() && audio.sent().is_empty() {
            return;
        }
        if !audio.opened {
            audio.opened = true;
            out.push(Output::Open { leg, call, port: audio.port, party });
        }
        publish(leg, audio, out);
        self.report_hold(leg, out);
    }

    fn report_hold(&mut self, leg: LegId, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let held = up.audio.held_by_peer();
        if held != up.held {
            up.held = held;
            out.push(Output::Leg { leg, event: LegEvent::Held(held) });
        }
    }
}

fn publish(leg: LegId, audio: &Audio, out: &mut Vec<Output>) {
    if let Some(params) = audio.agreed() {
        out.push(Output::Stream { leg, params: Box::new(params.clone()), early: false });
    }
}
