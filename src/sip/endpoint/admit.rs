//! Who may ask for what: requests outside of dialogs are looked at here before any state of ours is made.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use crate::sip::auth::{Request as Claim, Verdict};
use crate::sip::dialog::DialogId;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Message, Method, ResponseBuilder};
use crate::sip::transaction::{self, ServerId};
use crate::types::{LegId, Mono, Now, Origin, SeatId, TrunkId};

use super::{Endpoint, Output, Refused, cause};

/// How often one unknown address gets an answer: strangers of good faith learn that they are refused, floods get silence.
const ANSWER_EVERY: Duration = Duration::from_secs(1);
/// Unknown addresses that are remembered; beyond, all get silence until a second has passed.
const MOST_STRANGERS: usize = 1_024;
/// INVITEs of strangers that are told from their retransmissions, and for how long (timer B, RFC 3261 17.1.1.2).
const MOST_COUNTED: usize = 4_096;
const COUNTED_FOR: Duration = Duration::from_secs(32);
/// REGISTERs of unknown addresses that are looked at in a second, so that a flood of them cannot starve calls. A centre of
/// 1,000 seats is back within four seconds after a power cut.
const STRANGE_REGISTERS_PER_S: u32 = 500;

/// How strangers were treated of late.
#[derive(Debug, Default)]
pub(super) struct Manners {
    answered: BTreeMap<IpAddr, Mono>,
    /// INVITEs of strangers that were counted, so that a retransmission is not counted again.
    counted: BTreeMap<u64, Mono>,
    registers_since: Mono,
    registers: u32,
}

impl Manners {
    /// Whether a stranger gets an answer now.
    fn answers(&mut self, now: Now, stranger: IpAddr) -> bool {
        if self.answered.len() >= MOST_STRANGERS {
            self.answered.retain(|_, at| now.mono.since(*at) < ANSWER_EVERY);
        }
        let recent = self.answered.get(&stranger).is_some_and(|at| now.mono.since(*at) < ANSWER_EVERY);
        if recent || self.answered.len() >= MOST_STRANGERS {
            return false;
        }
        self.answered.insert(stranger, now.mono);
        true
    }

    /// Whether an INVITE is seen for the first time. Under a flood of more than can be remembered each one counts.
    fn is_first(&mut self, now: Now, invite: &Message, stranger: IpAddr) -> bool {
        let mut hasher = DefaultHasher::new();
        (stranger, invite.call_id(), invite.branch(), invite.cseq_number()).hash(&mut hasher);
        if self.counted.len() >= MOST_COUNTED {
            self.counted.retain(|_, at| now.mono.since(*at) < COUNTED_FOR);
        }
        let key = hasher.finish();
        if self.counted.len() >= MOST_COUNTED && !self.counted.contains_key(&key) {
            return true;
        }
        self.counted.insert(key, now.mono).is_none()
    }

    /// Whether a REGISTER of a stranger is looked at.
    fn looks_at_register(&mut self, now: Now) -> bool {
        if now.mono.since(self.registers_since) >= Duration::from_secs(1) {
            self.registers_since = now.mono;
            self.registers = 0;
        }
        self.registers += 1;
        self.registers <= STRANGE_REGISTERS_PER_S
    }
}

/// New calls in the running second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Mono,
    calls: u32,
}

impl Rate {
    /// Whether one more call fits into this second.
    pub(super) fn admits(&mut self, now: Now, most: u32) -> bool {
        if now.mono.since(self.since) >= Duration::from_secs(1) {
            self.since = now.mono;
            self.calls = 0;
        }
        self.calls = self.calls.saturating_add(1);
        self.calls <= most
    }
}

impl Endpoint {
    /// Whether a message is dropped before any state is made: what strangers send gets one answer a second, then silence
    /// (sip.md 10).
    pub(super) fn is_ignored(&mut self, now: Now, flow: &Flow, message: &Message) -> bool {
        if *message.method() == Method::Cancel && !message.is_response() && self.is_strange_cancel(flow, message) {
            return true;
        }
        if message.is_response() || self.is_known(flow) || self.concerns_a_leg(message) {
            return false;
        }
        let heard = match message.method() {
            Method::Ack => true,
            Method::Register => {
                let looked_at = self.manners.looks_at_register(now);
                if !looked_at && flow.transport.is_reliable() {
                    // Over a stream nobody sends it again: in silence the phone would wait for half a minute (timer F).
                    self.on_overload(flow, message);
                } else if !looked_at {
                    self.count_register(Refused::Overload);
                }
                looked_at
            }
            Method::Invite if message.authorization().is_empty() && message.to_tag().is_none() => {
                return self.is_strange_invite_ignored(now, flow, message);
            }
            Method::Invite
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => !message.authorization().is_empty() || self.manners.answers(now, flow.remote.ip()),
        };
        !heard
    }

    /// Whether a request names a dialog of a leg.
    fn concerns_a_leg(&self, message: &Message) -> bool {
        message.to_tag().is_some() && self.dialogs.contains_key(&DialogId::of_request(message))
    }

    /// Whether a CANCEL of a leg's call comes from elsewhere than the leg: whoever has read the branch on the wire ends no call.
    /// It gets silence, since an answer would make the transaction in which the caller's own CANCEL counts as a repetition.
    fn is_strange_cancel(&self, flow: &Flow, message: &Message) -> bool {
        let first = DialogId::new(message.call_id(), "", "");
        let mut legs = self
            .dialogs
            .range(&first..)
            .take_while(|(key, _)| key.call_id == first.call_id)
            .map(|(_, leg)| *leg)
            .peekable();
        legs.peek().is_some() && !legs.any(|leg| self.fits(leg, flow))
    }

    /// An INVITE without credentials, which is refused and counted once: here in silence, or where it is answered. What was
    /// met with silence once stays unanswered when it comes again, or it would be counted twice.
    fn is_strange_invite_ignored(&mut self, now: Now, flow: &Flow, message: &Message) -> bool {
        let stranger = flow.remote.ip();
        if !self.manners.is_first(now, message, stranger) {
            return true;
        }
        let heard = self.manners.answers(now, stranger);
        if !heard {
            self.count_refused(None, Refused::UnknownSource);
        }
        !heard
    }

    pub(super) fn on_request(
        &mut self,
        now: Now,
        id: ServerId,
        flow: Flow,
        message: Message,
        merged: bool,
        out: &mut Vec<Output>,
    ) {
        if message.to_tag().is_some() {
            return self.on_request_in_dialog(now, id, &flow, &message, out);
        }
        let trunk = self.trunk_of(&flow);
        if let Some((status, why)) = self.objection(&message, merged) {
            if *message.method() == Method::Invite {
                self.count_refused(trunk, why);
            }
            return self.reply_with(now, id, &flow, &message, status, |r| {
                r.raw("Accept", b"application/sdp").raw("Allow", cause::ALLOW);
                if status == 420 {
                    r.raw("Unsupported", unsupported(&message).as_bytes());
                }
            });
        }
        match message.method() {
            Method::Invite => self.on_invite(now, id, flow, message, trunk, out),
            Method::Register => self.on_register(now, id, &flow, &message, out),
            Method::Options => self.on_options(now, id, &flow, &message, trunk),
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Refer | Method::Notify => {
                self.reply_known(now, id, &flow, &message, 481);
            }
            Method::Subscribe | Method::Publish => self.reply_known(now, id, &flow, &message, 489),
            Method::Message | Method::Ack | Method::Cancel => self.reply_known(now, id, &flow, &message, 405),
            Method::Other(_) => self.reply_known(now, id, &flow, &message, 501),
        }
    }

    /// What speaks against a request whoever sends it (RFC 3261 8.2.2, 16.3).
    fn objection(&self, message: &Message, merged: bool) -> Option<(u16, Refused)> {
        if merged {
            return Some((482, Refused::Loop));
        }
        if message.max_forwards() == Some(0) && *message.method() != Method::Options {
            return Some((483, Refused::Loop));
        }
        if message.vias().is_ok_and(|vias| vias.iter().any(|v| self.sites.is_ours(&v.host, v.port))) {
            return Some((482, Refused::Loop));
        }
        if !unsupported(message).is_empty() {
            return Some((420, Refused::BadRequest));
        }
        None
    }

    fn on_options(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message, trunk: Option<TrunkId>) {
        if trunk.is_none() && !self.is_known(flow) {
            return self.reply(now, id, flow, message, 403);
        }
        self.reply_with(now, id, flow, message, 200, |r| {
            r.raw("Accept", b"application/sdp").raw("Allow", cause::ALLOW).raw("Supported", cause::SUPPORTED);
        });
    }

    /// The trunk that this flow belongs to. The flow of a registered phone is the phone's, even where it stands on an
    /// address of a trunk (a gateway with phones behind it, everything on one machine).
    pub(super) fn trunk_of(&self, flow: &Flow) -> Option<TrunkId> {
        let trunk = self.trunks.recognise(flow, self.identities_of(flow))?;
        self.registrar.seat_of_flow(flow).is_none().then_some(trunk)
    }

    pub(super) fn identities_of(&self, flow: &Flow) -> &[String] {
        flow.connection.and_then(|c| self.connections.get(&c)).map_or(&[], |c| c.identities.as_slice())
    }

    /// Whether a flow is a trunk's or that of a seat's registered phone.
    pub(super) fn is_known(&self, flow: &Flow) -> bool {
        self.trunks.recognise(flow, self.identities_of(flow)).is_some() || self.registrar.seat_of_flow(flow).is_some()
    }

    /// Proves that a request comes from a seat's phone, by digest. Replies itself where it does not.
    pub(super) fn authenticate(&mut self, now: Now, id: ServerId, flow: &Flow, message: &Message) -> Option<SeatId> {
        let credentials = message.authorization();
        let claim = Claim {
            method: message.method().as_str(),
            uri: message.request_uri_text(),
            body: message.body(),
            credentials: &credentials,
        };
        let seats = &self.secrets.seats;
        let verdict = self.guard.check(now, &claim, |user| seats.get(&SeatId(user.parse().ok()?)));
        let stale = match verdict {
            Verdict::Accepted { user } => match user.parse().map(SeatId) {
                Ok(seat) if self.plan.seats.contains_key(&seat) => return Some(seat),
                Ok(_) | Err(_) => {
                    self.reply(now, id, flow, message, 403);
                    return None;
                }
            },
            Verdict::Malformed(_) => {
                self.reply(now, id, flow, message, 400);
                return None;
            }
            Verdict::Missing => false,
            Verdict::Stale => true,
            Verdict::Refused => {
                if *message.method() == Method::Invite {
                    self.count_refused(None, Refused::NotAuthorised);
                } else {
                    self.count_register(Refused::NotAuthorised);
                }
                false
            }
        };
        let challenges = self.guard.challenge(now, self.random.bytes(), stale);
        self.reply_with(now, id, flow, message, 401, |r| {
            for challenge in &challenges {
                r.header(HeaderName::WwwAuthenticate, challenge);
            }
        });
        None
    }

    pub(super) fn count_refused(&mut self, trunk: Option<TrunkId>, why: Refused) {
        *self.refused.entry((trunk, why)).or_default() += 1;
    }

    /// Registrations are no calls: they have books of their own.
    fn count_register(&mut self, why: Refused) {
        *self.refused_registers.entry(why).or_default() += 1;
    }

    pub(super) fn on_overload(&mut self, flow: &Flow, message: &Message) {
        if *message.method() == Method::Invite {
            self.count_refused(self.trunk_of(flow), Refused::Overload);
        } else if *message.method() == Method::Register {
            self.count_register(Refused::Overload);
        }
        let tag = self.random.token();
        let mut response = transaction::response(message, flow, 503, Some(&tag));
        response.header(HeaderName::RetryAfter, &self.config.retry_after_s);
        self.transmits.push(transaction::stateless(flow, message, response.build()));
    }

    /// A final answer that says no more than its status.
    pub(super) fn reply(&mut self, now: Now, id: ServerId, flow: &Flow, request: &Message, status: u16) {
        self.reply_with(now, id, flow, request, status, |_| {});
    }

    pub(super) fn reply_with(
        &mut self,
        now: Now,
        id: ServerId,
        flow: &Flow,
        request: &Message,
        status: u16,
        more: impl FnOnce(&mut ResponseBuilder),
    ) {
        let tag = self.random.token();
        self.reply_as(now, id, flow, request, status, &tag, more);
    }

    /// The same with a To tag of ours that was used before.
    #[expect(clippy::too_many_arguments, reason = "an answer is all of these")]
    pub(super) fn reply_as(
        &mut self,
        now: Now,
        id: ServerId,
        flow: &Flow,
        request: &Message,
        status: u16,
        tag: &str,
        more: impl FnOnce(&mut ResponseBuilder),
    ) {
        let mut response = transaction::response(request, flow, status, Some(tag));
        response.raw("Server", self.config.product.as_bytes());
        more(&mut response);
        // Too late means that the transaction was answered otherwise (487 after CANCEL): nothing is lost.
        let _late = self.transactions.respond(now.mono, id, response.build(), &mut self.transmits);
    }

    /// An answer for those we know; strangers learn no more than that they are refused.
    fn reply_known(&mut self, now: Now, id: ServerId, flow: &Flow, request: &Message, status: u16) {
        let status = if self.is_known(flow) { status } else { 403 };
        self.reply_with(now, id, flow, request, status, |r| {
            r.raw("Allow", cause::ALLOW);
        });
    }

    /// Whether a flow may speak for a leg in its dialog: any of its party's, the one on which the dialog stands (a phone need
    /// not be registered to call by digest), or the next connection of its host.
    pub(super) fn fits(&self, leg: LegId, flow: &Flow) -> bool {
        let Some(leg) = self.legs.get(&leg) else { return false };
        if leg.flow() == Some(flow) {
            return true;
        }
        match leg.party {
            Origin::Trunk(trunk) => self.trunks.is_source(trunk, flow, self.identities_of(flow)),
            Origin::Seat(seat) => self.registrar.knows(seat, flow) || self.is_phone_reconnected(leg, seat, flow),
        }
    }
}

/// Extensions that the request requires and we do not know, as a comma list.
fn unsupported(message: &Message) -> String {
    let unknown: Vec<&str> = message
        .tokens(HeaderName::Require)
        .filter(|t| !cause::UNDERSTOOD.iter().any(|u| u.eq_ignore_ascii_case(t)))
        .collect();
    unknown.join(", ")
}
