//! A dialled leg: one INVITE to each contact of a seat at once, or to one trunk after the other (RFC 3261 13.2).

use crate::sip::auth;
use crate::sip::dialog::Stamp;
use crate::sip::dialog::forks::Forks;
use crate::sip::dialog::glare::Offers;
use crate::sip::dialog::session_timer::Wish as SessionWish;
use crate::sip::flow::{Flow, Hop};
use crate::sip::message::{CSeq, HeaderName, Message, Method, NameAddr, Privacy, RequestBuilder, Uri};
use crate::sip::transaction::Outgoing;
use crate::sip::trunk::Shown;
use crate::types::{CallId, Calling, Cause, Dial, LegEvent, LegId, MediaPort, Now, Origin, SeatId, Target, TrunkId};

use super::audio::Audio;
use super::leg::{Branch, Dialling, Leg, Purpose, State};
use super::pick_up::ask_to_answer;
use super::{Endpoint, Output, cause};

/// RFC 3261 8.1.1.6.
const MAX_FORWARDS: u8 = 70;
/// Header that tells a seat's phone which line the citizen dialled.
const LINE_HEADER: &str = "X-Yihao-Line";

/// Whom one INVITE goes to.
struct Callee {
    uri: Uri,
    hop: Hop,
    route: Vec<Uri>,
    trunk: Option<TrunkId>,
}

impl Endpoint {
    pub(super) fn dial(&mut self, now: Now, call: CallId, leg: LegId, dial: Dial, out: &mut Vec<Output>) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let party = match &dial.target {
            Target::Seat(seat) => Origin::Seat(*seat),
            Target::Trunk { trunk, .. } => Origin::Trunk(*trunk),
        };
        let dialling = Dialling {
            dial,
            branches: Vec::new(),
            tried: Vec::new(),
            ringing: false,
            heard: false,
            failure: None,
            withdrawn: None,
        };
        let state = State::Dialling(Box::new(dialling));
        self.legs.insert(leg, Leg { id: leg, call: Some(call), party, dialogs: Vec::new(), state });
        match party {
            Origin::Seat(seat) => self.dial_seat(now, leg, seat, out),
            Origin::Trunk(_) => self.dial_next_trunk(now, leg, out),
        }
    }

    fn dial_seat(&mut self, now: Now, leg: LegId, seat: SeatId, out: &mut Vec<Output>) {
        let contacts = self.registrar.contacts(seat, now);
        if contacts.is_empty() {
            return self.end(now, leg, Cause::Unregistered, None, out);
        }
        for contact in contacts {
            let callee = Callee { uri: contact.uri, hop: contact.hop, route: contact.path, trunk: None };
            self.invite(now, leg, callee);
        }
        self.end_if_nothing_left(now, leg, out);
    }

    /// The next trunk of the group that is healthy, has room and was not tried; without one the leg ends.
    pub(super) fn dial_next_trunk(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        loop {
            let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get(&leg) else { return };
            let Target::Trunk { trunk: first, number } = &dialling.dial.target else { return };
            let tried = dialling.tried.iter().copied().collect();
            let Some(trunk) = self.trunks.choose(now, *first, &tried, self.random.small()) else { break };
            let callee = self.trunks.request_uri(trunk, number).zip(self.trunks.hops(trunk).first().cloned());
            let admitted = self.trunks.admit(now, trunk).is_ok();
            let entry = self.legs.get_mut(&leg).expect("it was there a line ago");
            entry.party = Origin::Trunk(trunk);
            if let State::Dialling(dialling) = &mut entry.state {
                dialling.tried.push(trunk);
            }
            match callee {
                Some((uri, hop)) if admitted => {
                    if self.invite(now, leg, Callee { uri, hop, route: Vec::new(), trunk: Some(trunk) }) {
                        break;
                    }
                }
                Some(_) if !admitted => self.note_failure(leg, Cause::Overload, None),
                Some(_) | None => {
                    if admitted {
                        self.trunks.release(trunk);
                    }
                    self.note_failure(leg, Cause::Unreachable, None);
                }
            }
        }
        self.end_if_nothing_left(now, leg, out);
    }

    /// Sends one INVITE, if it can be sent; what keeps it from that is noted as the branch's failure.
    fn invite(&mut self, now: Now, leg: LegId, callee: Callee) -> bool {
        let Some(Leg { state: State::Dialling(dialling), party, .. }) = self.legs.get(&leg) else { return false };
        let (party, dial) = (*party, dialling.dial.clone());
        let Some(site) = self.sites.towards(&callee.hop) else {
            return self.fail_unsent(leg, callee.trunk, Cause::Unreachable);
        };
        let flow = Flow {
            network: callee.hop.network,
            transport: callee.hop.transport,
            local: site.local,
            remote: callee.hop.remote,
            connection: callee.hop.connection,
        };
        let worker = dial.beside.and_then(|beside| self.worker_of(beside));
        let Some(port) = self.take_port(now, flow.network, &flow, worker) else {
            return self.fail_unsent(leg, callee.trunk, Cause::Overload);
        };
        self.send_invite(now, leg, callee, &dial, &flow, (party, port))
    }

    fn send_invite(
        &mut self,
        now: Now,
        leg: LegId,
        callee: Callee,
        dial: &Dial,
        flow: &Flow,
        (party, port): (Origin, MediaPort),
    ) -> bool {
        let mut audio = self.new_audio(port, flow, party);
        if dial.beside.is_some_and(|beside| self.has_noise(beside)) {
            audio.offer_noise();
        }
        let session = self.session_wish();
        let outgoing = self.write_invite(&callee, dial, flow, &mut audio, session);
        let invite = Message::parse(outgoing.bytes.clone()).expect("our own INVITE is well-formed");
        let hop = callee.hop.clone();
        let Ok(client) = self.transactions.request(now.mono, outgoing, hop.clone(), &mut self.transmits) else {
            self.ports.give_back(now, port);
            return self.fail_unsent(leg, callee.trunk, Cause::Overload);
        };
        self.clients.insert(client, Purpose::Invite(leg));
        let mut offers = Offers::default();
        offers.we_invite(true);
        let branch = Branch {
            client,
            forks: Forks::new(invite),
            hop,
            audio,
            trunk: callee.trunk,
            session,
            early: std::collections::BTreeMap::new(),
            give_up: Some(now.mono + self.config.no_response),
            auth: callee.trunk.and_then(|trunk| self.trunks.client(trunk)),
            offers,
        };
        if let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) {
            dialling.branches.push(branch);
        }
        self.arm(leg);
        true
    }

    fn write_invite(
        &mut self,
        callee: &Callee,
        dial: &Dial,
        flow: &Flow,
        audio: &mut Audio,
        session: SessionWish,
    ) -> Outgoing {
        let branch = self.random.branch();
        let call_id = self.random.token();
        let tag = self.random.token();
        let site = self.sites.at(flow).expect("checked before the port was taken");
        let shown = match callee.trunk {
            Some(trunk) => self.trunks.shown(trunk, &dial.calling, &dial.line, &site.host),
            None => None,
        };
        let shown = shown.unwrap_or_else(|| Shown {
            from: shown_to_seat(&dial.calling, dial, &site.host),
            asserted: None,
            diversion: None,
            privacy: false,
        });
        let hops_left = if callee.trunk.is_some() { dial.calling.hops.left } else { MAX_FORWARDS };
        let mut request = RequestBuilder::new(&Method::Invite, &callee.uri);
        request
            .header(HeaderName::Via, &site.stamp(branch.clone()).via())
            .header(HeaderName::MaxForwards, &u32::from(hops_left));
        for route in &callee.route {
            request.header(HeaderName::Route, route);
        }
        request
            .header(HeaderName::From, &shown.from.clone().with_tag(&tag))
            .header(HeaderName::To, &NameAddr::new(callee.uri.without_headers()))
            .raw("Call-ID", call_id.as_bytes())
            .header(HeaderName::CSeq, &CSeq { number: 1, method: Method::Invite })
            .header(HeaderName::Contact, &site.contact);
        if let Some(asserted) = &shown.asserted {
            request.header(HeaderName::PAssertedIdentity, asserted);
        }
        if let Some(diversion) = &shown.diversion {
            request.header(HeaderName::Diversion, diversion);
        }
        if shown.privacy {
            request.header(HeaderName::Privacy, &Privacy { id: true, ..Privacy::default() });
        }
        if callee.trunk.is_none() {
            request.raw(LINE_HEADER, dial.line.as_str().as_bytes());
        }
        if dial.auto_answer {
            ask_to_answer(&mut request, &site.host);
        }
        request
            .raw("Allow", cause::ALLOW)
            .raw("Supported", cause::SUPPORTED)
            .header(HeaderName::SessionExpires, &session.session_expires())
            .header(HeaderName::MinSe, &session.min_s())
            .raw("User-Agent", self.config.product.as_bytes())
            .body("application/sdp", audio.offer().as_bytes());
        Outgoing::new(Method::Invite, branch, request.build())
    }

    /// The media worker on which a leg's port waits.
    fn worker_of(&self, leg: LegId) -> Option<u8> {
        match &self.legs.get(&leg)?.state {
            State::Arriving(arriving) => Some(arriving.audio.port.worker),
            State::Up(up) => Some(up.audio.port.worker),
            State::Dialling(dialling) => dialling.branches.first().map(|b| b.audio.port.worker),
        }
    }

    /// Whether a leg's far end sends comfort noise.
    fn has_noise(&self, leg: LegId) -> bool {
        let agreed = match self.legs.get(&leg).map(|leg| &leg.state) {
            Some(State::Arriving(arriving)) => arriving.audio.agreed(),
            Some(State::Up(up)) => up.audio.agreed(),
            Some(State::Dialling(_)) | None => None,
        };
        agreed.is_some_and(|params| params.comfort_noise)
    }

    /// Gives the trunk's room back and notes why nothing was sent; says so to the caller of `invite`.
    fn fail_unsent(&mut self, leg: LegId, trunk: Option<TrunkId>, why: Cause) -> bool {
        if let Some(trunk) = trunk {
            self.trunks.release(trunk);
        }
        self.note_failure(leg, why, None);
        false
    }

    /// Remembers why a branch failed: of several reasons the one that says most about the person wins.
    pub(super) fn note_failure(&mut self, leg: LegId, why: Cause, status: Option<u16>) {
        if let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg)
            && dialling.failure.is_none_or(|old| rank((why, status)) > rank(old))
        {
            dialling.failure = Some((why, status));
        }
    }

    /// Ends a dialled leg that has no branch left.
    pub(super) fn end_if_nothing_left(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get(&leg) else { return };
        if dialling.branches.is_empty() {
            let (why, status) = dialling.failure.unwrap_or((Cause::Unreachable, None));
            let why = dialling.withdrawn.unwrap_or(why);
            self.end(now, leg, why, status, out);
        }
    }

    /// Reports the first ringing of a leg.
    pub(super) fn report_ringing(&mut self, leg: LegId, out: &mut Vec<Output>) {
        if let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg)
            && !std::mem::replace(&mut dialling.ringing, true)
        {
            out.push(Output::Leg { leg, event: LegEvent::Ringing });
        }
    }

    /// Sends a branch's INVITE once more in the same call: with credentials (RFC 3261 22.2) or a longer session interval
    /// (RFC 4028 7.4).
    pub(super) fn invite_again(
        &mut self,
        now: Now,
        leg: LegId,
        index: usize,
        session: SessionWish,
        auth: Option<auth::Client>,
    ) -> bool {
        let (branch_id, cnonce) = (self.random.branch(), self.random.bytes());
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return false };
        let branch = &mut dialling.branches[index];
        let old = branch.forks.invite();
        let Some(site) = self.sites.towards(&branch.hop) else {
            return false;
        };
        branch.auth = auth;
        branch.session = session;
        let mut request = rewrite(old, &site.stamp(branch_id.clone()), session);
        if let Some(client) = &mut branch.auth {
            for (name, value) in client.authorize("INVITE", old.request_uri_text(), old.body(), cnonce) {
                let answers_proxy = name == "Proxy-Authorization";
                request.header(
                    if answers_proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization },
                    &value,
                );
            }
        }
        request.body("application/sdp", old.body());
        let outgoing = Outgoing::new(Method::Invite, branch_id, request.build());
        let invite = Message::parse(outgoing.bytes.clone()).expect("our own INVITE is well-formed");
        let Ok(client) = self.transactions.request(now.mono, outgoing, branch.hop.clone(), &mut self.transmits) else {
            return false;
        };
        self.clients.remove(&branch.client);
        self.clients.insert(client, Purpose::Invite(leg));
        branch.client = client;
        branch.forks = Forks::new(invite);
        branch.early.clear();
        branch.give_up = Some(now.mono + self.config.no_response);
        self.arm(leg);
        true
    }
}

/// The INVITE of before with a new branch, the next CSeq, and another interval; without body and credentials.
fn rewrite(old: &Message, stamp: &Stamp<'_>, session: SessionWish) -> RequestBuilder {
    let uri = old.request_uri().expect("our own INVITE has a Request-URI");
    let mut request = RequestBuilder::new(&Method::Invite, &uri);
    request
        .header(HeaderName::Via, &stamp.via())
        .header(HeaderName::CSeq, &CSeq { number: old.cseq_number() + 1, method: Method::Invite })
        .header(HeaderName::SessionExpires, &session.session_expires())
        .header(HeaderName::MinSe, &session.min_s());
    for (name, known, value) in old.fields() {
        let is_new = matches!(
            known,
            HeaderName::Via
                | HeaderName::CSeq
                | HeaderName::SessionExpires
                | HeaderName::MinSe
                | HeaderName::Authorization
                | HeaderName::ProxyAuthorization
                | HeaderName::ContentLength
                | HeaderName::ContentType
        );
        if !is_new {
            request.raw(&String::from_utf8_lossy(name), value);
        }
    }
    request
}

/// What a seat's phone shows: the citizen's number as caller, the line's name as text.
fn shown_to_seat(calling: &Calling, dial: &Dial, host: &str) -> NameAddr {
    let user = match (&calling.number, calling.private) {
        (Some(number), false) => number.as_str(),
        (Some(_), true) | (None, _) => "anonymous",
    };
    let uri = Uri::sip(Some(user), host, None).expect("a number and our own address make a SIP URI");
    NameAddr::new(uri).with_display(&dial.line_name)
}

/// What is said of the callee counts before what is said of the way there.
fn rank(failure: (Cause, Option<u16>)) -> (bool, u8) {
    (!failure.0.is_of_the_way(failure.1), weight(failure.0))
}

/// How much a failure says: a person's own answer most, our want of room least.
fn weight(cause: Cause) -> u8 {
    match cause {
        Cause::Declined => 9,
        Cause::Busy => 8,
        Cause::NoAnswer => 7,
        Cause::NoSuchNumber => 6,
        Cause::NoCommonMedia => 5,
        Cause::Cancelled => 4,
        Cause::Failed | Cause::PeerLost | Cause::HungUp => 3,
        Cause::Gone | Cause::Closed | Cause::Loop | Cause::ModeNotServed | Cause::Restart => 3,
        Cause::Unreachable | Cause::Unregistered => 2,
        Cause::Overload => 1,
    }
}
