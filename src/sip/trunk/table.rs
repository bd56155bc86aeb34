//! All trunks of the plan: the face that the endpoint sees.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::outgoing::{Identity, Outgoing};
use super::{
    Busy, CallResult, CalledError, Capacity, Health, Output, Purpose, Random, Registration, Shown, Status, Trunk,
    group, health, read, registration, shown, source,
};
use crate::dialplan;
use crate::sip::auth::Client;
use crate::sip::flow::{ConnId, Flow, Hop, Transport};
use crate::sip::message::{Message, Scheme, Uri};
use crate::types::{Calling, LineNumber, Mono, NetworkId, Now, PhoneNumber, TlsMedia, TrunkId};

/// How often a trunk's name is looked up again. Carriers move addresses by DNS within minutes.
const RESOLVE_EVERY: Duration = Duration::from_secs(300);
/// How soon after a look-up that found nothing.
const RESOLVE_AGAIN: Duration = Duration::from_secs(15);
/// First probes are spread over this time.
const FIRST_PROBES: Duration = Duration::from_millis(500);

/// The trunks of the plan in its order, and behind them those that have left it with calls in progress.
#[derive(Clone, Debug, Default)]
pub struct Trunks {
    trunks: Vec<Trunk>,
    /// Call-ID and tag of our OPTIONS.
    identity: Option<Identity>,
}

impl Trunks {
    /// Takes the trunks of a plan. `network` gives the id of a network by its name, `passwords` those of registrations
    /// by trunk name. Nothing is sent before the first tick, which is due at once.
    pub fn new(
        plan: &[dialplan::Trunk],
        network: &dyn Fn(&str) -> Option<NetworkId>,
        passwords: &BTreeMap<String, String>,
    ) -> Trunks {
        let mut trunks = Trunks::default();
        trunks.set_plan(plan, network, passwords);
        trunks
    }

    /// Takes the trunks of a new plan, which continues the one before. A trunk that stays keeps its calls; one that is
    /// unchanged keeps its health and registration too. The registration of one that is gone runs out at the carrier.
    pub fn set_plan(
        &mut self,
        plan: &[dialplan::Trunk],
        network: &dyn Fn(&str) -> Option<NetworkId>,
        passwords: &BTreeMap<String, String>,
    ) {
        let mut old: BTreeMap<TrunkId, Trunk> = self.trunks.drain(..).map(|t| (t.plan.id, t)).collect();
        for (index, planned) in plan.iter().enumerate() {
            let (network, password) = (network(&planned.network), passwords.get(&planned.name));
            let before = old.remove(&planned.id);
            self.trunks.push(match before {
                Some(t) if t.plan == *planned && t.network == network && t.password.as_ref() == password => t,
                Some(t) => {
                    let mut capacity = t.capacity;
                    capacity.set_limits(planned.max_calls, planned.max_calls_per_s);
                    let reported_up = t.reported_up;
                    Trunk { capacity, reported_up, ..Trunk::new(planned, network, password, index) }
                }
                None => Trunk::new(planned, network, password, index),
            });
        }
        let left = old.into_values().filter(|t| t.capacity.calls() > 0);
        self.trunks.extend(left.map(|t| Trunk { has_left: true, registration: None, reported_up: false, ..t }));
    }

    /// Which trunk a flow belongs to, if any. `identities` are the names of its verified certificate.
    pub fn recognise(&self, flow: &Flow, identities: &[String]) -> Option<TrunkId> {
        source::recognise(&self.trunks, flow, identities)
    }

    /// Whether a flow may speak for this trunk inside a dialog: any of its addresses may.
    pub fn is_source(&self, trunk: TrunkId, flow: &Flow, identities: &[String]) -> bool {
        self.get(trunk).is_some_and(|t| source::is_source(t, flow, identities))
    }

    /// The number dialled by an INVITE of this trunk, from where its profile says, whole.
    ///
    /// # Errors
    /// [`CalledError`] when it is not there or is no number.
    pub fn called(&self, trunk: TrunkId, request: &Message) -> Result<LineNumber, CalledError> {
        self.get(trunk).map_or(Err(CalledError::Missing("trunk")), |t| read::called(t, request))
    }

    /// Who calls with an INVITE of this trunk.
    pub fn calling(&self, trunk: TrunkId, request: &Message) -> Calling {
        self.get(trunk).map_or_else(Calling::default, |t| read::calling(t, request))
    }

    /// How audio travels where this trunk's signalling runs over TLS.
    pub fn media_over_tls(&self, trunk: TrunkId) -> TlsMedia {
        self.get(trunk).map(|t| t.plan.media_over_tls).unwrap_or_default()
    }

    /// Takes room for a call, incoming or outgoing; each is given back once with [`Trunks::release`].
    ///
    /// # Errors
    /// [`Busy`]: the answer is 503, or the next trunk.
    pub fn admit(&mut self, now: Now, trunk: TrunkId) -> Result<(), Busy> {
        self.get_mut(trunk).filter(|t| !t.has_left).map_or(Err(Busy::Calls), |t| t.capacity.admit(now.mono))
    }

    /// A call that was admitted is over.
    pub fn release(&mut self, trunk: TrunkId) {
        if let Some(t) = self.get_mut(trunk) {
            t.capacity.release();
        }
        self.trunks.retain(|t| !t.has_left || t.capacity.calls() > 0);
    }

    /// The next trunk for a call that named `first`: it, or another of its group by order and weight. `random` decides
    /// among those of one order. `None`: each that has room was tried.
    pub fn choose(&self, now: Now, first: TrunkId, tried: &BTreeSet<TrunkId>, random: u32) -> Option<TrunkId> {
        group::choose(&self.trunks, now.mono, first, tried, random)
    }

    /// Where a trunk is reached, in the order to try (RFC 3263 4.3); empty until its name is resolved.
    pub fn hops(&self, trunk: TrunkId) -> &[Hop] {
        self.get(trunk).map_or(&[], |t| &t.hops)
    }

    /// The name that a certificate at one of a trunk's addresses must bear: the one that the trunk is known by, or the one by
    /// which we call there. `None`: neither is known.
    pub fn name_at(&self, trunk: TrunkId, address: IpAddr) -> Option<&str> {
        let t = self.get(trunk)?;
        let is_there = |hop: &&Hop| hop.remote.ip().to_canonical() == address.to_canonical();
        let called = || t.hops.iter().find(is_there).and_then(|hop| hop.server_name.as_deref());
        t.plan.tls_identity.as_deref().or_else(called)
    }

    /// What a look-up found; nothing found keeps the addresses that were known.
    pub fn resolved(&mut self, now: Now, trunk: TrunkId, hops: Vec<Hop>, out: &mut Vec<Output>) {
        if let Some(t) = self.get_mut(trunk).filter(|t| t.resolve_at.is_some()) {
            t.resolve_at = Some(now.mono + if hops.is_empty() { RESOLVE_AGAIN } else { RESOLVE_EVERY });
            if !hops.is_empty() {
                t.take_hops(hops);
            }
        }
        self.report(trunk, out);
    }

    /// How a call that we placed went, as far as it speaks of the carrier.
    pub fn call_result(&mut self, now: Now, trunk: TrunkId, result: CallResult, out: &mut Vec<Output>) {
        if let Some(t) = self.get_mut(trunk) {
            let step = t.health.called(now.mono, result == CallResult::Answered);
            if step == health::Step::Rotate {
                t.rotate();
            }
        }
        self.report(trunk, out);
    }

    /// What an outgoing call shows as its caller. `host` is the name or address that stands for us there.
    pub fn shown(&self, trunk: TrunkId, calling: &Calling, line: &LineNumber, host: &str) -> Option<Shown> {
        self.get(trunk).map(|t| shown::shown(&t.plan.caller_policy, calling, line, host))
    }

    /// The Request-URI of a call to a number over this trunk.
    pub fn request_uri(&self, trunk: TrunkId, number: &PhoneNumber) -> Option<Uri> {
        let address = self.get(trunk)?.address.as_ref()?;
        let uri = Uri::sip(Some(number.as_str()), address.host(), address.port()).ok()?;
        Some(match address.param("transport") {
            Some(transport) => uri.with_param("transport", Some(transport)),
            None => uri,
        })
    }

    /// A fresh client for an INVITE that this trunk's carrier challenges; `None` where we have no account.
    pub fn client(&self, trunk: TrunkId) -> Option<Client> {
        let t = self.get(trunk)?;
        t.registration.as_ref().map(|r| r.invite_client(t.password.as_deref()))
    }

    /// The final response to a request of [`Output::Send`].
    pub fn responded(
        &mut self,
        now: Now,
        (trunk, purpose): (TrunkId, Purpose),
        (flow, response): (&Flow, &Message),
        random: Random<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(t) = self.get_mut(trunk) else { return };
        match purpose {
            Purpose::Probe { cseq } => {
                // Any answer proves life; these say that calls would fail (RFC 3261 21.4.9, 21.5.3 to 21.5.5).
                let answered = !matches!(response.status(), Some(408 | 502 | 503 | 504));
                if t.health.probed(now.mono, cseq, answered) == health::Step::Rotate {
                    t.rotate();
                }
            }
            Purpose::Register { cseq } => {
                if let Some(registration) = &mut t.registration {
                    let step = registration.responded(now.mono, cseq, flow, response, random);
                    t.follow(trunk, step, out);
                }
            }
        }
        self.report(trunk, out);
    }

    /// A request of [`Output::Send`] got no final response, or could not be sent.
    pub fn unanswered(
        &mut self,
        now: Now,
        (trunk, purpose): (TrunkId, Purpose),
        random: Random<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(t) = self.get_mut(trunk) else { return };
        match purpose {
            Purpose::Probe { cseq } => {
                if t.health.probed(now.mono, cseq, false) == health::Step::Rotate {
                    t.rotate();
                }
            }
            Purpose::Register { cseq } => {
                if let Some(registration) = &mut t.registration {
                    let step = registration.unanswered(now.mono, cseq, random);
                    t.follow(trunk, step, out);
                }
            }
        }
        self.report(trunk, out);
    }

    /// A connection is gone: a registration that was made over it is made anew.
    pub fn connection_closed(&mut self, now: Now, connection: ConnId) {
        for registration in self.trunks.iter_mut().filter_map(|t| t.registration.as_mut()) {
            registration.connection_closed(now.mono, connection);
        }
    }

    /// Does what is due: look-ups, probes, registrations.
    pub fn tick(&mut self, now: Now, random: Random<'_>, out: &mut Vec<Output>) {
        let identity = self.identity.get_or_insert_with(|| Identity::new(random)).clone();
        for t in &mut self.trunks {
            let id = t.plan.id;
            if t.deadline().is_some_and(|at| at <= now.mono) {
                t.tick(now.mono, id, &identity, random, out);
                t.report(id, out);
            }
        }
    }

    /// When [`Trunks::tick`] is due next.
    pub fn deadline(&self) -> Option<Mono> {
        self.trunks.iter().filter_map(Trunk::deadline).min()
    }

    /// Signs off at all carriers, for the shutdown. Answers to challenges follow from [`Trunks::responded`].
    pub fn unregister_all(&mut self, random: Random<'_>, out: &mut Vec<Output>) {
        for t in &mut self.trunks {
            let id = t.plan.id;
            if let Some(registration) = &mut t.registration {
                let step = registration.sign_off(random);
                t.follow(id, step, out);
                t.report(id, out);
            }
        }
    }

    /// Whether calls may be placed on a trunk.
    pub fn is_up(&self, trunk: TrunkId) -> bool {
        self.get(trunk).is_some_and(Trunk::is_usable)
    }

    /// Name of a trunk in the plan; empty for an id that is not there.
    pub fn name(&self, trunk: TrunkId) -> &str {
        self.get(trunk).map_or("", |t| &t.plan.name)
    }

    /// The network of a trunk.
    pub fn network(&self, trunk: TrunkId) -> Option<NetworkId> {
        self.get(trunk)?.network
    }

    /// All trunks with their state.
    pub fn status(&self) -> Vec<Status> {
        let one = |t: &Trunk| Status {
            name: t.plan.name.clone(),
            up: t.is_usable(),
            registered: t.registration.as_ref().map(Registration::is_registered),
            calls: t.capacity.calls(),
            trouble: t.registration.as_ref().map_or("", Registration::trouble).to_owned(),
        };
        self.trunks.iter().map(one).collect()
    }

    fn get(&self, trunk: TrunkId) -> Option<&Trunk> {
        self.trunks.iter().find(|t| t.plan.id == trunk)
    }

    fn get_mut(&mut self, trunk: TrunkId) -> Option<&mut Trunk> {
        self.trunks.iter_mut().find(|t| t.plan.id == trunk)
    }

    fn report(&mut self, id: TrunkId, out: &mut Vec<Output>) {
        if let Some(t) = self.get_mut(id) {
            t.report(id, out);
        }
    }
}

impl Trunk {
    fn new(plan: &dialplan::Trunk, network: Option<NetworkId>, password: Option<&String>, index: usize) -> Trunk {
        let address = plan.address.as_deref().and_then(|a| Uri::parse(a).ok()).filter(|_| network.is_some());
        let numeric = address.as_ref().zip(network).and_then(|(uri, network)| numeric_hop(uri, network));
        let register = plan.register.as_ref().zip(address.as_ref());
        // Trunks are probed one after the other, not all in the first millisecond.
        let first_probe = Mono::default() + FIRST_PROBES * u32::try_from(index % 16).unwrap_or(0) / 16;
        let options_s = plan.options_s.filter(|_| address.is_some());
        Trunk {
            network,
            resolve_at: (address.is_some() && numeric.is_none()).then(Mono::default),
            hops: numeric.into_iter().collect(),
            health: Health::new(options_s, first_probe),
            registration: register.and_then(|(r, uri)| Registration::new(r, uri, password.map(String::as_str))),
            capacity: Capacity::new(plan.max_calls, plan.max_calls_per_s),
            password: password.cloned(),
            address,
            reported_up: false,
            has_left: false,
            plan: plan.clone(),
        }
    }

    fn tick(&mut self, now: Mono, id: TrunkId, identity: &Identity, random: Random<'_>, out: &mut Vec<Output>) {
        if self.resolve_at.is_some_and(|at| at <= now)
            && let Some((uri, network)) = self.address.clone().zip(self.network)
        {
            // Until the answer comes, at the latest then again.
            self.resolve_at = Some(now + RESOLVE_AGAIN);
            out.push(Output::Resolve { trunk: id, uri, network });
        }
        if self.may_probe() {
            match self.health.tick(now) {
                health::Step::Probe(cseq) => self.probe(id, identity, cseq, out),
                health::Step::Rotate => self.rotate(),
                health::Step::Rest => {}
            }
        }
        if let Some(registration) = &mut self.registration {
            let step = registration.tick(now, !self.hops.is_empty(), random);
            self.follow(id, step, out);
        }
    }

    fn probe(&self, id: TrunkId, identity: &Identity, cseq: u32, out: &mut Vec<Output>) {
        if let Some((uri, hop)) = self.address.as_ref().zip(self.hops.first()) {
            let request = Box::new(Outgoing::options(uri, identity, cseq));
            out.push(Output::Send { trunk: id, purpose: Purpose::Probe { cseq }, hop: hop.clone(), request });
        }
    }

    fn follow(&mut self, id: TrunkId, step: registration::Step, out: &mut Vec<Output>) {
        match step {
            registration::Step::Send(cseq, request) => {
                if let Some(hop) = self.hops.first().cloned() {
                    out.push(Output::Send { trunk: id, purpose: Purpose::Register { cseq }, hop, request });
                }
            }
            registration::Step::Rotate => self.rotate(),
            registration::Step::Rest => {}
        }
    }

    /// Puts the address that failed last in line.
    fn rotate(&mut self) {
        if !self.hops.is_empty() {
            self.hops.rotate_left(1);
        }
    }

    /// Takes new addresses; the one in use stays first while it is among them.
    fn take_hops(&mut self, hops: Vec<Hop>) {
        let in_use = self.hops.first().and_then(|first| hops.iter().position(|hop| hop == first));
        self.hops = hops;
        self.hops.rotate_left(in_use.unwrap_or(0));
    }

    fn report(&mut self, id: TrunkId, out: &mut Vec<Output>) {
        let up = self.is_usable();
        if up != self.reported_up {
            self.reported_up = up;
            tracing::info!(trunk = self.plan.name, up, "trunk");
            out.push(Output::Health { trunk: id, up });
        }
    }
}

/// The hop of an address that needs no look-up.
fn numeric_hop(uri: &Uri, network: NetworkId) -> Option<Hop> {
    let named = uri.param("transport").and_then(Transport::parse);
    let transport = match uri.scheme() {
        Scheme::Sips => Transport::Tls,
        Scheme::Sip => named.unwrap_or(Transport::Udp),
        Scheme::Tel | Scheme::Other => return None,
    };
    let remote = (uri.ip()?, uri.port().unwrap_or_else(|| transport.default_port()));
    let mut hop = Hop::to(network, transport, remote.into());
    if transport.is_secure() {
        hop.server_name = Some(uri.host().into());
    }
    Some(hop)
}
