//! A new INVITE: who sends it, what was dialled, is there room; then a leg stands and the core is told.

use crate::sip::dialog::Dialog;
use crate::sip::dialog::glare::Offers;
use crate::sip::dialog::reliable::ReliableSender;
use crate::sip::dialog::replaces;
use crate::sip::dialog::session_timer::SessionTimer;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Message, Scheme};
use crate::sip::negotiate::Protection;
use crate::sip::transaction::ServerId;
use crate::sip::trunk::Busy;
use crate::types::{
    Arrival, Calling, LegEvent, LegId, LineNumber, MediaPort, NetworkId, Now, Origin, TlsMedia, TrunkId,
};

use super::audio::{self, Audio};
use super::leg::{Arriving, Leg, OfferState, Peer, State};
use super::{Endpoint, Output, Refused};

/// What an INVITE has to say before a leg is made.
struct Asked {
    origin: Origin,
    called: LineNumber,
    calling: Calling,
}

impl Endpoint {
    pub(super) fn on_invite(
        &mut self,
        now: Now,
        id: ServerId,
        flow: Flow,
        message: Message,
        trunk: Option<TrunkId>,
        out: &mut Vec<Output>,
    ) {
        if let Some(status) = self.unfit(now, &message) {
            let min_se = self.session_wish().min_s();
            self.count_refused(trunk, Refused::BadRequest);
            return self.reply_with(now, id, &flow, &message, status, |r| {
                if status == 422 {
                    r.header(HeaderName::MinSe, &min_se);
                }
                if status == 415 {
                    r.raw("Accept", b"application/sdp");
                }
            });
        }
        let asked = match trunk {
            Some(trunk) => self.ask_trunk(now, id, &flow, &message, trunk),
            None => self.ask_seat(now, id, &flow, &message),
        };
        let Some(asked) = asked else { return };
        if let Some(why) = self.crowded(now) {
            return self.no_room(now, id, &flow, &message, asked.origin, why);
        }
        let Some(port) = self.take_port(now, flow.network, &flow, None) else {
            return self.no_room(now, id, &flow, &message, asked.origin, Refused::NoPort);
        };
        self.reply_trying(now, id, &flow, &message);
        self.found_leg(now, id, flow, message, asked, port, out);
    }

    /// What keeps us from taking any new call now.
    fn crowded(&mut self, now: Now) -> Option<Refused> {
        if !self.accepting {
            return Some(Refused::DiskFull);
        }
        let is_full = self.legs.len() >= self.config.max_legs;
        (is_full || !self.rate.admits(now, self.config.max_calls_per_s)).then_some(Refused::Overload)
    }

    /// What makes an INVITE unanswerable whoever sends it: the status that says so.
    fn unfit(&self, now: Now, message: &Message) -> Option<u16> {
        let scheme = message.request_uri().map(|uri| uri.scheme());
        if matches!(scheme, None | Some(Scheme::Other)) {
            return Some(416);
        }
        if !message.body().is_empty() && !message.content_type().is_some_and(|c| c.is("application", "sdp")) {
            return Some(415);
        }
        if SessionTimer::as_callee(now.mono, message, &self.session_wish()).is_err() {
            return Some(422);
        }
        match message.replaces() {
            Err(_) => Some(400),
            Ok(None) => None,
            Ok(Some(wanted)) => {
                let dialog = self.dialogs.get(&replaces::target(&wanted)).and_then(|leg| self.dialog_of(*leg));
                // Taking over a call comes with transfers; until then a match is declined and a miss is told.
                Some(replaces::judge(&wanted, dialog, false).err().map_or(603, replaces::ReplacesRefusal::status))
            }
        }
    }

    pub(super) fn dialog_of(&self, leg: LegId) -> Option<&Dialog> {
        match &self.legs.get(&leg)?.state {
            State::Arriving(arriving) => Some(&arriving.dialog),
            State::Up(up) => Some(&up.dialog),
            State::Dialling(dialling) => dialling.branches.iter().find_map(|b| b.forks.dialogs().next()),
        }
    }

    /// An INVITE from a carrier: the number by the trunk's profile, room by its agreed capacity.
    fn ask_trunk(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message, trunk: TrunkId) -> Option<Asked> {
        let origin = Origin::Trunk(trunk);
        let Ok(called) = self.trunks.called(trunk, message) else {
            self.count_refused(Some(trunk), Refused::NoNumber);
            self.reply(now, id, flow, message, 484);
            return None;
        };
        if let Err(busy) = self.trunks.admit(now, trunk) {
            let why = match busy {
                Busy::Calls => Refused::TrunkFull,
                Busy::Rate => Refused::TrunkRate,
            };
            self.no_room(now, id, flow, message, origin, why);
            return None;
        }
        Some(Asked { origin, called, calling: self.trunks.calling(trunk, message) })
    }

    /// An INVITE from a seat's phone, proved by digest; strangers are refused.
    fn ask_seat(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message) -> Option<Asked> {
        if self.registrar.seat_of_flow(flow).is_none() && message.authorization().is_empty() {
            self.count_refused(None, Refused::UnknownSource);
            self.reply(now, id, flow, message, 403);
            return None;
        }
        let seat = self.authenticate(now, id, flow, message)?;
        let called = message.request_uri().and_then(|uri| LineNumber::parse(&uri.user_text()).ok());
        let Some(called) = called else {
            self.count_refused(None, Refused::NoNumber);
            self.reply(now, id, flow, message, 484);
            return None;
        };
        let display = message.from().display_text().into_owned();
        let calling = Calling { number: None, raw: seat.0.to_string(), display, ..Calling::default() };
        Some(Asked { origin: Origin::Seat(seat), called, calling })
    }

    fn no_room(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message, origin: Origin, why: Refused) {
        let trunk = match origin {
            Origin::Trunk(trunk) => Some(trunk),
            Origin::Seat(_) => None,
        };
        if let (Some(trunk), Refused::Overload | Refused::NoPort | Refused::DiskFull) = (trunk, why) {
            self.trunks.release(trunk);
        }
        self.count_refused(trunk, why);
        let retry_after = self.config.retry_after_s;
        self.reply_with(now, id, flow, message, 503, |r| {
            r.header(HeaderName::RetryAfter, &retry_after);
        });
    }

    /// 100 Trying. It leaves with the turn, after the ledger has the call.
    fn reply_trying(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message) {
        let mut response = crate::sip::transaction::response(message, flow, 100, None);
        let _late = self.transactions.respond(now.mono, id, response.build(), &mut self.transmits);
    }

    #[expect(clippy::too_many_arguments, reason = "all that a leg is made of comes together here and nowhere else")]
    fn found_leg(
        &mut self,
        now: Now,
        server: ServerId,
        flow: Flow,
        invite: Message,
        asked: Asked,
        port: MediaPort,
        out: &mut Vec<Output>,
    ) {
        let tag = self.random.token();
        let Ok(dialog) = Dialog::callee(&invite, &tag) else {
            self.ports.give_back(now, port);
            let trunk = match asked.origin {
                Origin::Trunk(trunk) => Some(trunk),
                Origin::Seat(_) => None,
            };
            trunk.into_iter().for_each(|trunk| self.trunks.release(trunk));
            self.count_refused(trunk, Refused::BadRequest);
            return self.reply(now, server, &flow, &invite, 400);
        };
        let leg = self.ids.take();
        let with_offer = !invite.body().is_empty();
        let mut offers = Offers::default();
        offers.they_invite(with_offer).expect("nothing can be pending in a new dialog");
        let arrival = Arrival {
            origin: asked.origin,
            called: asked.called,
            calling: asked.calling,
            call_id: invite.call_id().to_owned(),
            source: flow.remote.ip(),
        };
        let arriving = Arriving {
            server,
            audio: self.new_audio(port, &flow, asked.origin),
            reliable: ReliableSender::new(self.timers, invite.cseq_number(), self.random.small()),
            peer: Peer::of(&invite),
            offer: if with_offer { OfferState::Theirs } else { OfferState::Ours },
            answer_wanted: false,
            offers,
            dialog,
            flow,
            invite,
        };
        let key = arriving.dialog.id().clone();
        self.dialogs.insert(key.clone(), leg);
        self.arriving.insert(server, leg);
        let state = State::Arriving(Box::new(arriving));
        self.legs.insert(leg, Leg { id: leg, call: None, party: asked.origin, dialogs: vec![key], state });
        out.push(Output::Leg { leg, event: LegEvent::Arrived(arrival) });
    }

    /// A free port of a network, on the worker of another leg's where one is named.
    pub(super) fn take_port(
        &mut self,
        now: Now,
        network: NetworkId,
        flow: &Flow,
        beside: Option<u8>,
    ) -> Option<MediaPort> {
        let v6 = flow.remote.ip().to_canonical().is_ipv6();
        self.ports.take(now, network, v6, beside, self.random.bits())
    }

    /// Our side of a new stream. Secure signalling may carry keys; phones may stand behind NAT, trunks never latch.
    pub(super) fn new_audio(&mut self, port: MediaPort, flow: &Flow, party: Origin) -> Audio {
        let site = self.sites.at(flow);
        let address = site.map_or_else(|| flow.local.ip(), |s| s.media);
        let over_tls = match party {
            Origin::Trunk(trunk) => self.trunks.media_over_tls(trunk),
            Origin::Seat(_) => self.config.media_over_tls(flow.network),
        };
        let protection = match over_tls {
            TlsMedia::Srtp if flow.transport.is_secure() => Protection::Srtp(audio::keys(self.keys.bytes())),
            TlsMedia::Either if flow.transport.is_secure() => Protection::Either(audio::keys(self.keys.bytes())),
            TlsMedia::Srtp | TlsMedia::Rtp | TlsMedia::Either => Protection::Plain,
        };
        let may_latch = matches!(party, Origin::Seat(_));
        // An NTP-like number is recommended for o= (RFC 4566 5.2); 31 random bits are as unique and fit every parser.
        Audio::new(port, address, u64::from(self.random.small()), may_latch, protection)
    }
}
