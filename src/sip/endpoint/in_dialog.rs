//! Requests of the far end inside a dialog (RFC 3261 12.2.2, 14.2, 15.1.2; RFC 3262, 3311, 6086).

use crate::media::dtmf;
use crate::sip::dialog::DialogId;
use crate::sip::dialog::accepted::AwaitAck;
use crate::sip::dialog::glare::{Glare, Side};
use crate::sip::dialog::session_timer::SessionTimer;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Message, Method};
use crate::sip::transaction::{self, ServerId};
use crate::types::{Cause, DigitBy, LegEvent, LegId, Now};

use super::leg::{Leg, OfferState, Role, State, Theirs};
use super::offer_answer::description;
use super::{Endpoint, Output, cause};

impl Endpoint {
    pub(super) fn on_request_in_dialog(
        &mut self,
        now: Now,
        id: ServerId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(leg) = self.dialogs.get(&DialogId::of_request(message)).copied() else {
            return self.reply(now, id, flow, message, 481);
        };
        // A forged request that has guessed the tags but comes from elsewhere learns nothing (sip.md 9).
        if !self.fits(leg, flow) {
            return self.reply(now, id, flow, message, 481);
        }
        if let Some(dialog) = self.dialog_mut(leg, message)
            && dialog.admit(message).is_err()
        {
            return self.reply(now, id, flow, message, 500);
        }
        if let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) {
            up.flow = *flow;
            up.away = None;
        }
        match message.method() {
            Method::Bye => self.on_bye(now, id, leg, flow, message, out),
            Method::Invite => self.on_reinvite(now, id, leg, flow, message, out),
            Method::Update => self.on_update(now, id, leg, flow, message, out),
            Method::Prack => self.on_prack(now, id, leg, flow, message, out),
            Method::Info => self.on_info(now, id, leg, flow, message, out),
            Method::Options => self.reply_with(now, id, flow, message, 200, |r| {
                r.raw("Accept", b"application/sdp").raw("Allow", cause::ALLOW).raw("Supported", cause::SUPPORTED);
            }),
            Method::Refer => self.on_refer(now, id, leg, flow, message, out),
            Method::Notify | Method::Subscribe | Method::Publish => self.reply(now, id, flow, message, 489),
            Method::Message | Method::Register | Method::Ack | Method::Cancel => {
                self.reply_allow(now, id, flow, message, 405)
            }
            Method::Other(_) => self.reply_allow(now, id, flow, message, 501),
        }
    }

    fn reply_allow(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message, status: u16) {
        self.reply_with(now, id, flow, message, status, |r| {
            r.raw("Allow", cause::ALLOW);
        });
    }

    fn dialog_mut(&mut self, leg: LegId, message: &Message) -> Option<&mut crate::sip::dialog::Dialog> {
        let tag = message.from_tag().unwrap_or("");
        match &mut self.legs.get_mut(&leg)?.state {
            State::Arriving(arriving) => Some(&mut arriving.dialog),
            State::Up(up) => Some(&mut up.dialog),
            State::Dialling(dialling) => dialling.branches.iter_mut().find_map(|b| {
                let same_call = b.forks.invite().call_id() == message.call_id();
                if same_call { b.forks.dialog_mut(tag) } else { None }
            }),
        }
    }

    /// The ACK to a 2xx of ours; it may carry the answer to our offer.
    pub(super) fn on_ack(&mut self, now: Now, flow: &Flow, message: &Message, out: &mut Vec<Output>) {
        let Some(leg) = self.dialogs.get(&DialogId::of_request(message)).copied() else { return };
        if !self.fits(leg, flow) {
            tracing::debug!(%leg, "an ACK came by another way than the leg's");
        }
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let waiting = match &mut up.role {
            Role::Callee(first) if first.as_ref().is_some_and(|t| t.await_ack.is_ended_by(message.cseq_number())) => {
                first.take().map(|t| (t, true))
            }
            Role::Callee(_) | Role::Caller => match &up.theirs {
                Some(theirs) if theirs.await_ack.is_ended_by(message.cseq_number()) => {
                    up.theirs.take().map(|t| (t, false))
                }
                Some(_) | None => None,
            },
        };
        let Some((theirs, is_first)) = waiting else { return };
        let mut fine = true;
        if theirs.answer_due {
            fine = description(message).is_some_and(|sdp| up.audio.accept(sdp).is_ok());
            up.offers.answered();
        }
        let ending = up.ending;
        if let Some(why) = ending {
            return self.bye(now, leg, why, out);
        }
        if !fine {
            return self.bye(now, leg, Cause::NoCommonMedia, out);
        }
        self.publish_stream(leg, out);
        if is_first {
            out.push(Output::Leg { leg, event: LegEvent::Answered });
        }
        self.next_wish(now, leg);
        self.arm(leg);
    }

    fn reply_glare(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message, glare: Glare) {
        let retry_after = glare.retry_after_s(self.random.small());
        self.reply_with(now, id, flow, message, glare.status(), |r| {
            if let Some(seconds) = retry_after {
                r.header(HeaderName::RetryAfter, &seconds);
            }
        });
    }

    /// A re-INVITE: hold, another codec, another address, or a refresh.
    fn on_reinvite(
        &mut self,
        now: Now,
        id: ServerId,
        leg: LegId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let wish = self.session_wish();
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else {
            // A second INVITE while the first one is open (RFC 3261 14.2).
            return self.reply_glare(now, id, flow, message, Glare::Unanswered);
        };
        let offer = description(message);
        if let Err(glare) = up.offers.they_invite(offer.is_some()) {
            return self.reply_glare(now, id, flow, message, glare);
        }
        let agreed = match SessionTimer::as_callee(now.mono, message, &wish) {
            Ok(agreed) => agreed,
            Err(short) => {
                up.offers.invite_ended(true);
                return self.reply_with(now, id, flow, message, 422, |r| {
                    r.header(HeaderName::MinSe, &short.min_s);
                });
            }
        };
        let described = match offer {
            Some(offer) => up.audio.answer(offer).map(|_| ()),
            None => {
                up.audio.offer();
                Ok(())
            }
        };
        if let Err(error) = described {
            up.offers.invite_ended(true);
            return self.reply(now, id, flow, message, cause::status_of_negotiation(&error));
        }
        // An unreadable Contact keeps the old target; the request itself is sound.
        let _kept = up.dialog.refresh_target(message);
        up.timer = agreed.timer;
        let tag = up.dialog.id().local_tag.clone();
        let mut response = transaction::response(message, flow, 200, Some(&tag));
        self.sites.contact(flow, &mut response);
        response
            .record_route(message)
            .raw("Server", self.config.product.as_bytes())
            .raw("Allow", cause::ALLOW)
            .raw("Supported", cause::SUPPORTED)
            .body("application/sdp", up.audio.sent().as_bytes());
        agreed.write(&mut response);
        let bytes = response.build();
        up.offers.invite_ended(false);
        if offer.is_some() {
            up.offers.answered();
        } else {
            up.offers.offered(Side::Us);
        }
        let await_ack = AwaitAck::start(now.mono, &self.timers, message.cseq_number(), bytes.clone());
        up.theirs = Some(Theirs { server: id, await_ack, answer_due: offer.is_none() });
        let _late = self.transactions.respond(now.mono, id, bytes, &mut self.transmits);
        self.publish_stream(leg, out);
        self.arm(leg);
    }

    /// UPDATE: a refresh, or an offer in an early or confirmed dialog.
    fn on_update(&mut self, now: Now, id: ServerId, leg: LegId, flow: &Flow, message: &Message, out: &mut Vec<Output>) {
        let wish = self.session_wish();
        let agreed = match SessionTimer::as_callee(now.mono, message, &wish) {
            Ok(agreed) => agreed,
            Err(short) => {
                return self.reply_with(now, id, flow, message, 422, |r| {
                    r.header(HeaderName::MinSe, &short.min_s);
                });
            }
        };
        let offer = description(message);
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let (offers, audio) = match &mut entry.state {
            State::Up(up) => (&mut up.offers, &mut up.audio),
            State::Arriving(arriving) => (&mut arriving.offers, &mut arriving.audio),
            State::Dialling(dialling) => {
                let Some(branch) =
                    dialling.branches.iter_mut().find(|b| b.forks.invite().call_id() == message.call_id())
                else {
                    return self.reply(now, id, flow, message, 481);
                };
                (&mut branch.offers, &mut branch.audio)
            }
        };
        if let Err(glare) = offers.they_update(offer.is_some()) {
            return self.reply_glare(now, id, flow, message, glare);
        }
        let answered = offer.map(|offer| audio.answer(offer).map(str::to_owned));
        offers.update_ended(offer.is_some());
        let body = match answered {
            Some(Err(error)) => return self.reply(now, id, flow, message, cause::status_of_negotiation(&error)),
            Some(Ok(text)) => Some(text),
            None => None,
        };
        if let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) {
            up.timer = agreed.timer;
        }
        if let Some(dialog) = self.dialog_mut(leg, message) {
            // An unreadable Contact keeps the old target; the request itself is sound.
            let _kept = dialog.refresh_target(message);
        }
        let mut response = transaction::response(message, flow, 200, None);
        self.sites.contact(flow, &mut response);
        response.raw("Allow", cause::ALLOW).raw("Supported", cause::SUPPORTED);
        agreed.write(&mut response);
        if let Some(body) = body {
            response.body("application/sdp", body.as_bytes());
        }
        let _late = self.transactions.respond(now.mono, id, response.build(), &mut self.transmits);
        self.publish_stream(leg, out);
        self.arm(leg);
    }

    /// PRACK of a reliable provisional response of ours; it may carry the answer to our offer (RFC 3262 5).
    fn on_prack(&mut self, now: Now, id: ServerId, leg: LegId, flow: &Flow, message: &Message, out: &mut Vec<Output>) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let State::Arriving(arriving) = &mut entry.state else {
            // The answer has overtaken it: nothing waits for it any more.
            return self.reply(now, id, flow, message, 200);
        };
        let Some(Ok(next)) = message.rack().map(|rack| arriving.reliable.on_prack(now.mono, &rack)) else {
            return self.reply(now, id, flow, message, 481);
        };
        if let Some(sdp) = description(message)
            && arriving.offer == OfferState::Sent
        {
            if arriving.audio.accept(sdp).is_err() {
                self.reply(now, id, flow, message, 488);
                return self.refuse_with(now, leg, Cause::NoCommonMedia, 488, out);
            }
            arriving.offer = OfferState::Done;
            arriving.offers.answered();
        }
        let (server, answer) = (arriving.server, arriving.answer_wanted && arriving.reliable.may_answer());
        self.reply(now, id, flow, message, 200);
        if let Some(bytes) = next {
            let _late = self.transactions.respond(now.mono, server, bytes, &mut self.transmits);
        }
        self.publish_stream(leg, out);
        if answer {
            self.answer(now, leg, out);
        }
        self.arm(leg);
    }

    /// INFO: a key, where the media carry none.
    fn on_info(&mut self, now: Now, id: ServerId, leg: LegId, flow: &Flow, message: &Message, out: &mut Vec<Output>) {
        let kind = message.content_type();
        let subtype = kind.as_ref().map(|k| format!("{}/{}", k.kind, k.subtype).to_ascii_lowercase());
        let digit = match subtype.as_deref() {
            Some(kind @ ("application/dtmf-relay" | "application/dtmf")) => {
                dtmf::parse_info(kind, message.body()).map(|info| info.digit)
            }
            None if message.body().is_empty() => return self.reply(now, id, flow, message, 200),
            Some(_) | None => {
                return self.reply_with(now, id, flow, message, 415, |r| {
                    r.raw("Accept", b"application/dtmf-relay, application/dtmf");
                });
            }
        };
        let Ok(digit) = digit else { return self.reply(now, id, flow, message, 400) };
        self.reply(now, id, flow, message, 200);
        out.push(Output::Leg { leg, event: LegEvent::Digit { digit, by: DigitBy::Info } });
    }
}
