//! What we ask of an answered leg: hold, session refresh, probe, a key by INFO. One request at a time, in order.

use crate::media::dtmf::{self, InfoDigit};
use crate::sip::dialog::accepted::SentAck;
use crate::sip::dialog::glare;
use crate::sip::dialog::session_timer::{SessionTimer, Wish as SessionWish};
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Message, Method};
use crate::sip::transaction::ClientId;
use crate::types::{Cause, Digit, Direction, LegId, Now};

use super::leg::{Leg, OurMethod, Ours, Purpose, Role, State, Up, Wish};
use super::offer_answer::description;
use super::{Endpoint, Output, cause};

/// How long a key sent by INFO is said to be, milliseconds.
const KEY_MS: u16 = 160;

impl Endpoint {
    /// Adds a wish; it goes out as soon as nothing else is in the way.
    pub(super) fn wish(&mut self, now: Now, leg: LegId, wish: Wish) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        if up.wishes.len() >= Up::MOST_WISHES {
            tracing::warn!(%leg, "the far end answers no requests, a wish is dropped");
            return;
        }
        up.wishes.push_back(wish);
        self.next_wish(now, leg);
    }

    /// Sends a key: as media where events were agreed, by INFO where not.
    pub(super) fn send_digit(&mut self, now: Now, leg: LegId, digit: Digit, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get(&leg) else { return };
        if up.audio.agreed().is_some_and(|p| p.event_type.is_some()) {
            out.push(Output::SendDigit { leg, digit });
        } else {
            self.wish(now, leg, Wish::Digit(digit));
        }
    }

    /// The far end is silent: ask whether it is alive.
    pub(super) fn on_silent(&mut self, now: Now, leg: LegId) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get(&leg) else { return };
        let asked = up.ours.map(|ours| ours.wish).into_iter().chain(up.wishes.iter().copied());
        if asked.into_iter().any(|wish| wish == Wish::Probe) {
            return;
        }
        self.wish(now, leg, Wish::Probe);
    }

    /// Sends the next wish if nothing is in the way.
    pub(super) fn next_wish(&mut self, now: Now, leg: LegId) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let blocked = up.ours.is_some() || up.wait.is_some() || matches!(up.role, Role::Callee(Some(_)));
        let Some(wish) = up.wishes.front().copied().filter(|_| !blocked) else { return };
        let method = match wish {
            Wish::Refresh if up.peer.update => OurMethod::Update,
            Wish::Hold(_) | Wish::Refresh => OurMethod::Invite,
            Wish::Probe | Wish::Digit(_) => OurMethod::Other,
        };
        let allowed = match method {
            OurMethod::Invite => up.offers.may_invite() && up.theirs.is_none(),
            OurMethod::Update => up.offers.may_update(false),
            OurMethod::Other => true,
        };
        if !allowed {
            return;
        }
        up.wishes.pop_front();
        if let Wish::Hold(on) = wish {
            up.audio.want(if on { Direction::SendOnly } else { Direction::SendRecv });
        }
        self.ask(now, leg, wish, method);
    }

    fn ask(&mut self, now: Now, leg: LegId, wish: Wish, method: OurMethod) {
        let branch = self.random.branch();
        let session = self.session_wish();
        let Some(Leg { state: State::Up(up), party, .. }) = self.legs.get(&leg) else { return };
        let Some(hop) = self.way_of(Some(*party), &up.dialog, &up.flow) else {
            return self.await_way(now, leg, wish);
        };
        let Some(site) = self.sites.towards(&hop) else { return };
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let wire = match (method, wish) {
            (OurMethod::Invite, _) => Method::Invite,
            (OurMethod::Update, _) => Method::Update,
            (OurMethod::Other, Wish::Digit(_)) => Method::Info,
            (OurMethod::Other, Wish::Hold(_) | Wish::Refresh | Wish::Probe) => Method::Options,
        };
        let mut draft = up.dialog.request(wire, &site.stamp(branch));
        let cseq = draft.cseq();
        draft.raw("User-Agent", self.config.product.as_bytes());
        if matches!(method, OurMethod::Invite | OurMethod::Update) {
            draft
                .raw("Allow", cause::ALLOW)
                .raw("Supported", cause::SUPPORTED)
                .header(HeaderName::SessionExpires, &up.timer.refresh_header(up.min_se_s))
                .header(HeaderName::MinSe, &session.min_s().max(up.min_se_s));
        }
        match (method, wish) {
            (OurMethod::Invite, _) => {
                up.offers.we_invite(true);
                let offer = if wish == Wish::Refresh { up.audio.offer_same() } else { up.audio.offer() };
                draft.body("application/sdp", offer.as_bytes());
            }
            (OurMethod::Update, _) => up.offers.we_update(false),
            (OurMethod::Other, Wish::Digit(digit)) => {
                draft.body(
                    "application/dtmf-relay",
                    dtmf::print_info(InfoDigit { digit, duration_ms: KEY_MS }).as_bytes(),
                );
            }
            (OurMethod::Other, Wish::Hold(_) | Wish::Refresh | Wish::Probe) => {}
        }
        match self.transactions.request(now.mono, draft.finish(), hop, &mut self.transmits) {
            Ok(client) => {
                up.ours = Some(Ours { client, wish, cseq, method, is_cut_off: false });
                self.clients.insert(client, Purpose::InDialog(leg));
            }
            // Overload: a refresh is tried again, a probe comes with the next silence.
            Err(_) => {
                self.settle(leg, method, true);
                if wish == Wish::Refresh {
                    self.refresh_later(now, leg);
                }
            }
        }
        self.arm(leg);
    }

    /// A request of ours inside a dialog was answered.
    pub(super) fn on_our_response(
        &mut self,
        now: Now,
        (id, leg): (ClientId, LegId),
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let status = message.status().unwrap_or(0);
        if status < 200 {
            return;
        }
        let is_cut_off = self.legs.get(&leg).and_then(Leg::flow).is_some_and(|flow| !self.is_open(flow));
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        if is_cut_off {
            // What was asked over a connection that is gone is answered by the one that the far end has now.
            up.flow = *flow;
        }
        let Some(ours) = up.ours.filter(|ours| ours.client == id) else {
            // The 2xx to a re-INVITE again: its ACK was lost.
            self.repeat_ack(leg, message);
            return;
        };
        up.ours = None;
        up.away = None;
        match status {
            200..300 => self.our_request_done(now, leg, ours, message, out),
            408 | 481 => return self.bye(now, leg, Cause::PeerLost, out),
            491 => self.ask_later(now, leg, ours),
            _ => {
                self.settle(leg, ours.method, true);
                if !self.ask_otherwise(leg, ours, status, message) && ours.wish == Wish::Refresh {
                    self.refresh_later(now, leg);
                }
            }
        }
        self.next_wish(now, leg);
        self.arm(leg);
    }

    fn our_request_done(&mut self, now: Now, leg: LegId, ours: Ours, message: &Message, out: &mut Vec<Output>) {
        let wish = self.session_wish();
        let Some(Leg { state: State::Up(up), party, .. }) = self.legs.get_mut(&leg) else { return };
        let party = Some(*party);
        if matches!(ours.method, OurMethod::Invite | OurMethod::Update) {
            // An unreadable Contact keeps the old target.
            let _kept = up.dialog.refresh_target(message);
            up.timer = SessionTimer::as_caller(now.mono, message, &wish);
        }
        let mut fine = true;
        if ours.method == OurMethod::Invite {
            fine = description(message).is_some_and(|sdp| up.audio.accept(sdp).is_ok());
            let (dialog, flow) = (up.dialog.clone(), up.flow);
            let hop = self.hop_of(party, &dialog, &flow);
            let ack: SentAck = self.acknowledge(&dialog, &hop, ours.cseq);
            if let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) {
                up.ack = Some(ack);
                up.accepted = Some(ours.client);
            }
        }
        self.settle(leg, ours.method, false);
        if fine {
            self.publish_stream(leg, out);
        } else {
            self.bye(now, leg, Cause::NoCommonMedia, out);
        }
    }

    /// No answer at all: the far end is dead (RFC 3261 12.2.1.2). A request that could not be sent (503), or whose connection
    /// broke, waits for a way.
    pub(super) fn our_request_lost(&mut self, now: Now, leg: LegId, status: u16, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let Some(ours) = up.ours.take() else { return };
        self.settle(leg, ours.method, true);
        if status == 503 || ours.is_cut_off {
            return self.await_way(now, leg, ours.wish);
        }
        tracing::info!(%leg, status, "the far end does not answer in its dialog");
        self.bye(now, leg, Cause::PeerLost, out);
    }

    /// Closes the books of offer and answer for a request of ours.
    fn settle(&mut self, leg: LegId, method: OurMethod, refused: bool) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        match method {
            OurMethod::Invite => {
                up.offers.invite_ended(refused);
                up.offers.answered();
                if refused {
                    up.audio.withdraw();
                }
            }
            OurMethod::Update => up.offers.update_ended(false),
            OurMethod::Other => {}
        }
    }

    /// 491: both ends asked at once; ours goes out again after the RFC's random wait.
    fn ask_later(&mut self, now: Now, leg: LegId, ours: Ours) {
        self.settle(leg, ours.method, true);
        let random = self.random.small();
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let owns_call_id = matches!(up.role, Role::Caller);
        up.wishes.push_front(ours.wish);
        up.wait = Some(now.mono + glare::retry_wait(owns_call_id, random));
    }

    /// A refusal that says what would be taken: an interval that is long enough (RFC 4028 7.4), or a re-INVITE instead of
    /// UPDATE. The wish is put first again.
    fn ask_otherwise(&mut self, leg: LegId, ours: Ours, status: u16, message: &Message) -> bool {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return false };
        match (status, ours.method) {
            (422, OurMethod::Invite | OurMethod::Update) => {
                let wish = SessionWish { interval_s: 0, min_s: up.min_se_s };
                let Some(longer) = wish.after_422(message.min_se()) else { return false };
                up.min_se_s = longer.min_s;
            }
            (405 | 501, OurMethod::Update) => up.peer.update = false,
            _ => return false,
        }
        up.wishes.push_front(ours.wish);
        true
    }

    /// The refresh was refused, the session still lives: asked again before it ends.
    fn refresh_later(&mut self, now: Now, leg: LegId) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        up.timer.refresh_again_at(now.mono + up.timer.interval() / 8);
    }
}
