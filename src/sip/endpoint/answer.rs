//! An incoming leg until its final answer: 180, 183 with media, 200, or a refusal (RFC 3261 13.3, RFC 3262).

use crate::sip::dialog::accepted::AwaitAck;
use crate::sip::dialog::session_timer::SessionTimer;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Message, ResponseBuilder};
use crate::sip::negotiate::NegotiateError;
use crate::sip::transaction::{self, ServerId};
use crate::types::{Cause, LegEvent, LegId, Now};

use super::leg::{Arriving, Leg, OfferState, Role, State, Theirs, Up};
use super::offer_answer::{describe, offered};
use super::{Endpoint, Output, cause};

impl Endpoint {
    /// 180 Ringing.
    pub(super) fn ring(&mut self, now: Now, leg: LegId) {
        if let Some(Leg { state: State::Arriving(arriving), .. }) = self.legs.get(&leg) {
            let reliable = arriving.peer.requires_reliable;
            self.provisional(now, leg, 180, false, reliable);
        }
    }

    /// 183 with our description: the caller hears us before the answer, or rings where that cannot be.
    pub(super) fn early_media(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Arriving(arriving), .. }) = self.legs.get_mut(&leg) else { return };
        if let Err(error) = describe(arriving) {
            return self.no_common_media(now, leg, &error, out);
        }
        // An unreliable response cannot carry an offer (RFC 3261 13.2.1): without 100rel the media wait for the answer.
        let reliable = arriving.peer.reliable;
        if reliable || arriving.offer == OfferState::Done {
            self.provisional(now, leg, 183, true, reliable);
        } else {
            self.provisional(now, leg, 180, false, false);
            out.push(Output::Leg { leg, event: LegEvent::NoEarlyMedia });
        }
        self.publish_stream(leg, out);
    }

    /// 200 with our description, at once or as soon as a reliable 183 is acknowledged.
    pub(super) fn answer(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Arriving(arriving), .. }) = self.legs.get_mut(&leg) else { return };
        if !arriving.reliable.may_answer() {
            arriving.answer_wanted = true;
            return;
        }
        if let Err(error) = describe(arriving) {
            return self.no_common_media(now, leg, &error, out);
        }
        self.accept(now, leg);
        self.publish_stream(leg, out);
    }

    /// A final refusal.
    pub(super) fn refuse(&mut self, now: Now, leg: LegId, why: Cause, out: &mut Vec<Output>) {
        self.refuse_with(now, leg, why, cause::status_of(why), out);
    }

    pub(super) fn refuse_with(&mut self, now: Now, leg: LegId, why: Cause, status: u16, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Arriving(arriving), .. }) = self.legs.get(&leg) else { return };
        let mut response = respond_to(arriving, status, &self.config.product);
        if status == 503 {
            response.header(HeaderName::RetryAfter, &self.config.retry_after_s);
        }
        let server = arriving.server;
        // A transaction that has ended already has been answered with 487.
        let _late = self.transactions.respond(now.mono, server, response.build(), &mut self.transmits);
        self.end(now, leg, why, None, out);
    }

    /// The caller gives up. All answers to it and to its INVITE bear one tag of ours (RFC 3261 9.2).
    pub(super) fn on_cancel(
        &mut self,
        now: Now,
        id: ServerId,
        invite: Option<ServerId>,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(invite) = invite else { return self.reply(now, id, flow, message, 481) };
        let leg = self.arriving.get(&invite).copied();
        let ours = match leg.and_then(|leg| self.dialog_of(leg)) {
            Some(dialog) => Some(dialog.id().local_tag.to_string()),
            None => self.transactions.answered_tag(invite),
        };
        let tag = ours.unwrap_or_else(|| self.random.token());
        self.reply_as(now, id, flow, message, 200, &tag, |_| {});
        if let Some(leg) = leg {
            self.refuse_with(now, leg, Cause::Cancelled, 487, out);
        }
    }

    /// No codec in common, or an unreadable description.
    fn no_common_media(&mut self, now: Now, leg: LegId, error: &NegotiateError, out: &mut Vec<Output>) {
        self.refuse_with(now, leg, Cause::NoCommonMedia, cause::status_of_negotiation(error), out);
    }

    fn provisional(&mut self, now: Now, leg: LegId, status: u16, with_media: bool, reliable: bool) {
        let Some(Leg { state: State::Arriving(arriving), .. }) = self.legs.get_mut(&leg) else { return };
        let mut response = respond_to(arriving, status, &self.config.product);
        self.sites.contact(&arriving.flow, &mut response);
        response.record_route(&arriving.invite).raw("Allow", cause::ALLOW);
        if with_media {
            response.body("application/sdp", arriving.audio.sent().as_bytes());
            offered(arriving);
        }
        let due = if reliable {
            response.header(HeaderName::Require, "100rel").header(HeaderName::RSeq, &arriving.reliable.next_rseq());
            // Eight waiting responses mean a caller that never acknowledges: the time-out of the first ends the leg.
            arriving.reliable.send(now.mono, with_media, response.build()).unwrap_or(None)
        } else {
            Some(response.build())
        };
        if let Some(bytes) = due {
            let _late = self.transactions.respond(now.mono, arriving.server, bytes, &mut self.transmits);
        }
        self.arm(leg);
    }

    /// Sends the 2xx and makes the leg an answered one.
    fn accept(&mut self, now: Now, leg: LegId) {
        let wish = self.session_wish();
        let Some(Leg { state: State::Arriving(mut arriving), id, call, party, dialogs }) = self.legs.remove(&leg)
        else {
            unreachable!("only an arriving leg is answered");
        };
        let agreed = SessionTimer::as_callee(now.mono, &arriving.invite, &wish)
            .expect("an interval that is too short was refused when the INVITE came");
        let mut response = respond_to(&arriving, 200, &self.config.product);
        self.sites.contact(&arriving.flow, &mut response);
        response
            .record_route(&arriving.invite)
            .raw("Allow", cause::ALLOW)
            .raw("Supported", cause::SUPPORTED)
            .body("application/sdp", arriving.audio.sent().as_bytes());
        agreed.write(&mut response);
        let bytes = response.build();
        offered(&mut arriving);
        arriving.reliable.close();
        arriving.dialog.confirm();
        arriving.offers.invite_ended(false);
        let await_ack = AwaitAck::start(now.mono, &self.timers, arriving.invite.cseq_number(), bytes.clone());
        let theirs = Theirs { server: arriving.server, await_ack, answer_due: arriving.offer == OfferState::Sent };
        let Arriving { server, flow, dialog, audio, peer, offers, .. } = *arriving;
        let up = Up::new(dialog, flow, audio, peer, agreed.timer, offers, Role::Callee(Some(theirs)));
        self.arriving.remove(&server);
        self.legs.insert(leg, Leg { id, call, party, dialogs, state: State::Up(Box::new(up)) });
        let _late = self.transactions.respond(now.mono, server, bytes, &mut self.transmits);
        self.arm(leg);
    }
}

/// Begins a response to an incoming leg's INVITE, with our tag of its dialog.
fn respond_to(arriving: &Arriving, status: u16, product: &str) -> ResponseBuilder {
    let tag = &arriving.dialog.id().local_tag;
    let mut response = transaction::response(&arriving.invite, &arriving.flow, status, Some(tag));
    response.raw("Server", product.as_bytes());
    response
}
