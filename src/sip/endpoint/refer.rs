//! A seat's phone asks us to bring its far end to somebody else (REFER, RFC 3515), and is told what comes of it.
//!
//! Knows the request and its answers only: whether it may be, and who is rung, is the core's affair.

use crate::sip::dialog::refer::Refer;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Message, Method, reason_phrase};
use crate::sip::transaction::{self, ServerId};
use crate::types::{LegEvent, LegId, Now, Origin, PhoneNumber, Referral};

use super::leg::{Asked, Leg, Purpose, State};
use super::{Endpoint, Output, cause};

/// How long we say that an outcome may take, seconds: longer than all ways together are rung (RFC 3515 2.4.4 leaves it to us).
const EXPIRES_S: u32 = 600;

impl Endpoint {
    /// REFER inside a dialog. A carrier must not make us dial: only the phone of a seat may ask, in a talk of its own.
    pub(super) fn on_refer(
        &mut self,
        now: Now,
        id: ServerId,
        leg: LegId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let refer = match Refer::parse(message) {
            Ok(refer) => refer,
            Err(refusal) => return self.reply(now, id, flow, message, refusal.status()),
        };
        let Some(Leg { state: State::Up(up), party: Origin::Seat(_), .. }) = self.legs.get_mut(&leg) else {
            return self.reply(now, id, flow, message, 603);
        };
        if up.asked.is_some() {
            return self.reply(now, id, flow, message, 491);
        }
        if refer.replaces.is_some() {
            // Joining two calls of a phone is not served.
            return self.reply(now, id, flow, message, 603);
        }
        let Ok(to) = PhoneNumber::parse(&refer.target.user_text()) else {
            return self.reply(now, id, flow, message, 404);
        };
        up.asked = Some(Asked { cseq: message.cseq_number(), is_told: refer.wants_notify, rings: false });
        // An unreadable Contact keeps the old target; the request itself is sound.
        let _kept = up.dialog.refresh_target(message);
        let mut response = transaction::response(message, flow, 202, None);
        self.sites.contact(flow, &mut response);
        response.raw("Allow", cause::ALLOW).raw("Supported", cause::SUPPORTED);
        if !refer.wants_notify {
            response.raw("Refer-Sub", b"false");
        }
        let _late = self.transactions.respond(now.mono, id, response.build(), &mut self.transmits);
        self.notify(now, leg, 100, false);
        out.push(Output::Leg { leg, event: LegEvent::Refer { to } });
    }

    /// What has become of it.
    pub(super) fn referred(&mut self, now: Now, leg: LegId, referral: Referral) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let Some(asked) = &mut up.asked else { return };
        let (status, is_last) = match referral {
            Referral::Ringing if std::mem::replace(&mut asked.rings, true) => return,
            Referral::Ringing => (180, false),
            Referral::Answered => (200, true),
            Referral::Failed(why) => (cause::status_of(why), true),
        };
        self.notify(now, leg, status, is_last);
        if let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg)
            && is_last
        {
            up.asked = None;
        }
    }

    /// A NOTIFY of the subscription that the REFER made (RFC 3515 2.4.4, RFC 6665 4.1.2). It waits for no other request of ours,
    /// so that the last one is out before our BYE; what is answered to it changes nothing.
    fn notify(&mut self, now: Now, leg: LegId, status: u16, is_last: bool) {
        let branch = self.random.branch();
        let Some(Leg { state: State::Up(up), party, .. }) = self.legs.get(&leg) else { return };
        let Some(asked) = up.asked.filter(|asked| asked.is_told) else { return };
        let Some(hop) = self.way_of(Some(*party), &up.dialog, &up.flow) else { return };
        let Some(site) = self.sites.towards(&hop) else { return };
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let mut draft = up.dialog.request(Method::Notify, &site.stamp(branch));
        let state =
            if is_last { "terminated;reason=noresource".to_owned() } else { format!("active;expires={EXPIRES_S}") };
        draft
            .header(HeaderName::Event, format!("refer;id={}", asked.cseq).as_str())
            .header(HeaderName::SubscriptionState, state.as_str())
            .raw("User-Agent", self.config.product.as_bytes())
            .body("message/sipfrag;version=2.0", format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).as_bytes());
        if let Ok(id) = self.transactions.request(now.mono, draft.finish(), hop, &mut self.transmits) {
            self.clients.insert(id, Purpose::Courtesy);
        }
    }
}
