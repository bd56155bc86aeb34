//! Where the seats' phones are: the bindings of RFC 3261 10 with Path (RFC 3327) and outbound flows (RFC 5626).
//!
//! Holds no socket and no password: a REGISTER comes here after its digest was checked. Knows nothing of presence: a
//! registered phone makes nobody ready.

mod binding;
mod flows;
mod wish;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::dialplan::Plan;
use crate::sip::flow::{ConnId, Flow, Hop, Transport};
use crate::sip::message::{Message, NameAddr, Uri};
use crate::types::{Mono, NetworkId, Now, SeatId};

use binding::{Binding, BindingId};
use flows::{Device, Flows};
use wish::Wish;

/// How registrations are granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Granted when the phone names no duration, seconds. Default 3,600 (RFC 3261 10.2.1.1).
    pub default_expires_s: u32,
    /// Shortest duration, seconds; shorter ones get 423. Default 60; lower values cost a digest a phone and minute.
    pub min_expires_s: u32,
    /// Longest duration, seconds; longer wishes are cut to it. Default 7,200.
    pub max_expires_s: u32,
    /// Contacts a seat may have; a further one takes the place of the one that was refreshed longest ago. Default 8.
    pub max_contacts: usize,
    /// How often a phone behind NAT is pinged over UDP, so that its router keeps the way open. Default 25 s: routers
    /// forget after 30 s in the worst case seen (RFC 5626 4.4.2).
    pub ping_every: Duration,
    /// The network in which fixed contacts stand.
    pub fixed_network: NetworkId,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            default_expires_s: 3_600,
            min_expires_s: 60,
            max_expires_s: 7_200,
            max_contacts: 8,
            ping_every: Duration::from_secs(25),
            fixed_network: NetworkId(0),
        }
    }
}

/// A REGISTER that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// All contacts of the seat with the seconds they have left (`expires`), for the 200.
    pub contacts: Vec<NameAddr>,
    /// To be repeated in the 200 (RFC 3327 5.3).
    pub path: Vec<NameAddr>,
    /// Whether the contact is an outbound flow: the 200 bears `Require: outbound` (RFC 5626 6).
    pub outbound: bool,
}

/// Why a REGISTER was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Malformed or against the rules: 400 with the reason.
    #[error("{0}")]
    BadRequest(&'static str),
    /// A duration under the minimum: 423 with Min-Expires.
    #[error("the registration is too brief")]
    TooBrief {
        /// Seconds for Min-Expires.
        min_expires_s: u32,
    },
    /// An outbound wish came through a proxy that does not support it: 439 (RFC 5626 6).
    #[error("the first hop lacks outbound support")]
    FirstHopLacksOutbound,
}

impl Refused {
    /// Status and reason phrase.
    pub fn status(self) -> (u16, &'static str) {
        match self {
            Refused::BadRequest(why) => (400, why),
            Refused::TooBrief { .. } => (423, "Interval Too Brief"),
            Refused::FirstHopLacksOutbound => (439, "First Hop Lacks Outbound Support"),
        }
    }
}

/// One way to reach a seat.
#[derive(Clone, Debug, PartialEq)]
pub struct SeatContact {
    /// Request-URI.
    pub uri: Uri,
    /// Where the request goes.
    pub hop: Hop,
    /// Route set (RFC 3327), empty mostly.
    pub path: Vec<Uri>,
    /// Preference in thousandths, higher first.
    pub q: u16,
}

/// What follows from a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A seat got its first contact or lost its last.
    Reachable {
        /// Which seat.
        seat: SeatId,
        /// Whether it has at least one contact now.
        reachable: bool,
    },
    /// Send `CRLF CRLF` as a datagram: it keeps the way through the phone's router open, the phone ignores it.
    Ping {
        /// Where to.
        hop: Hop,
    },
}

/// A contact of the plan, for a phone that does not register.
#[derive(Clone, Debug)]
struct Fixed {
    uri: Uri,
    /// `None` until its name is resolved.
    hop: Option<Hop>,
}

#[derive(Clone, Debug, Default)]
struct Seat {
    bindings: Vec<Binding>,
    fixed: Option<Fixed>,
    flows: Flows,
    /// Addresses of contacts and flows, as they stand in the index.
    addresses: BTreeSet<IpAddr>,
    /// What was reported last.
    reachable: bool,
}

impl Seat {
    fn is_reachable(&self) -> bool {
        !self.bindings.is_empty() || self.fixed.as_ref().is_some_and(|f| f.hop.is_some())
    }
}

/// The locations of all seats.
#[derive(Clone, Debug)]
pub struct Registrar {
    settings: Settings,
    seats: BTreeMap<SeatId, Seat>,
    /// Seats by the addresses that they registered from: every message asks for them, and there are hundreds of seats.
    by_address: BTreeSet<(IpAddr, SeatId)>,
    /// When each binding wants attention: its ping or its end.
    due: BTreeSet<(Mono, SeatId, BindingId)>,
    last_id: u64,
}

impl Registrar {
    /// A registrar that knows no phone yet; [`Registrar::set_plan`] brings the fixed contacts.
    pub fn new(settings: Settings) -> Registrar {
        Registrar { settings, seats: BTreeMap::new(), by_address: BTreeSet::new(), due: BTreeSet::new(), last_id: 0 }
    }

    /// Takes the seats of a plan: fixed contacts are replaced, seats that are gone lose their bindings. A fixed contact
    /// that names a host waits for [`Registrar::resolved`].
    pub fn set_plan(&mut self, plan: &Plan, out: &mut Vec<Output>) {
        let gone: Vec<SeatId> = self.seats.keys().filter(|id| !plan.seats.contains_key(id)).copied().collect();
        for id in gone {
            let seat = self.seats.entry(id).or_default();
            seat.fixed = None;
            let bindings = std::mem::take(&mut seat.bindings);
            self.forget_dues(id, &bindings);
            self.report(id, out);
            for address in self.seats.remove(&id).into_iter().flat_map(|seat| seat.addresses) {
                self.by_address.remove(&(address, id));
            }
        }
        for (id, planned) in &plan.seats {
            let uri = planned.contact.as_deref().and_then(|text| Uri::parse(text).ok());
            let seat = self.seats.entry(*id).or_default();
            let resolved = seat.fixed.take().filter(|old| Some(&old.uri) == uri.as_ref()).and_then(|old| old.hop);
            seat.fixed = uri.map(|uri| {
                let hop = resolved.or_else(|| binding::numeric_hop(&uri, self.settings.fixed_network, Transport::Udp));
                Fixed { uri, hop }
            });
            self.report(*id, out);
        }
    }

    /// Fixed contacts whose host name is not resolved yet, for the shell that looks names up.
    pub fn unresolved(&self) -> Vec<(SeatId, Uri)> {
        let open = |(id, seat): (&SeatId, &Seat)| {
            seat.fixed.as_ref().filter(|f| f.hop.is_none()).map(|f| (*id, f.uri.clone()))
        };
        self.seats.iter().filter_map(open).collect()
    }

    /// The address of a seat's fixed contact; `None`: its name has none.
    pub fn resolved(&mut self, seat: SeatId, hop: Option<Hop>, out: &mut Vec<Output>) {
        if let Some(fixed) = self.seats.get_mut(&seat).and_then(|s| s.fixed.as_mut()) {
            fixed.hop = hop;
        }
        self.report(seat, out);
    }

    /// Does what an authenticated REGISTER for this seat asks (RFC 3261 10.3, from step 6).
    ///
    /// # Errors
    /// [`Refused`] gives the status of the answer; then nothing has changed.
    pub fn register(
        &mut self,
        now: Now,
        seat: SeatId,
        flow: &Flow,
        request: &Message,
        out: &mut Vec<Output>,
    ) -> Result<Registered, Refused> {
        let wish = Wish::read(request, &self.settings)?;
        let entry = self.seats.entry(seat).or_default();
        let order = (request.call_id(), request.cseq_number());
        if entry.bindings.iter().any(|b| wish.touches(b) && !b.is_older_than(order)) {
            return Err(Refused::BadRequest("CSeq Out Of Order"));
        }
        let instance = wish.contacts.iter().find_map(|contact| contact.instance.clone());
        entry.flows.learn(flow, Device { instance, call_id: request.call_id().to_owned() });
        let outbound = wish.is_outbound();
        let path = wish.path.clone();
        for (id, removed) in self.apply(now, seat, flow, order, wish) {
            self.due.remove(&(removed, seat, id));
        }
        self.index(seat);
        self.report(seat, out);
        Ok(Registered { contacts: self.granted(seat, now), path, outbound })
    }

    /// All ways to reach a seat, best first: higher `q`, then the more recently refreshed, fixed contacts last. Of
    /// several flows of one device only the latest (RFC 5626 5.3).
    pub fn contacts(&self, seat: SeatId, now: Now) -> Vec<SeatContact> {
        let Some(seat) = self.seats.get(&seat) else { return Vec::new() };
        let mut live: Vec<&Binding> = seat.bindings.iter().filter(|b| b.expires_at > now.mono).collect();
        live.sort_by_key(|b| std::cmp::Reverse((b.q, b.refreshed_at, b.id)));
        let mut devices = BTreeSet::new();
        live.retain(|b| b.instance.as_ref().is_none_or(|i| devices.insert(i.clone())));
        let registered = live.into_iter().map(Binding::as_contact);
        let fixed = seat.fixed.iter().filter_map(|f| {
            let hop = f.hop.clone()?;
            Some(SeatContact { uri: f.uri.clone(), hop, path: Vec::new(), q: 1_000 })
        });
        registered.chain(fixed).collect()
    }

    /// Whether at least one contact is known.
    pub fn is_reachable(&self, seat: SeatId) -> bool {
        self.seats.get(&seat).is_some_and(Seat::is_reachable)
    }

    /// The seat whose phone is registered over this flow, when it is exactly one (an adapter may serve several).
    pub fn seat_of_flow(&self, flow: &Flow) -> Option<SeatId> {
        let only = |mut seats: Box<dyn Iterator<Item = SeatId> + '_>| seats.next().filter(|_| seats.next().is_none());
        let address = flow.remote.ip();
        let near = || {
            let of_address = self.by_address.range((address, SeatId(0))..=(address, SeatId(u32::MAX)));
            of_address.filter_map(|(_, id)| Some((id, self.seats.get(id)?)))
        };
        let current = near().filter(|(_, s)| s.bindings.iter().any(|b| flows::is_same(&b.flow, flow)));
        let previous = near().filter(|(_, s)| s.flows.knows(flow));
        only(Box::new(current.map(|(id, _)| *id))).or_else(|| only(Box::new(previous.map(|(id, _)| *id))))
    }

    /// Whether a request on this flow may come from this seat's phone: its current or a previous registered flow, the
    /// address of one of its contacts, or the host of its fixed contact.
    pub fn knows(&self, seat: SeatId, flow: &Flow) -> bool {
        let Some(seat) = self.seats.get(&seat) else { return false };
        let is_contact = |b: &Binding| b.hop.transport == flow.transport && b.hop.remote == flow.remote;
        let is_fixed = |f: &Fixed| f.hop.as_ref().is_some_and(|hop| flows::is_host(hop, flow));
        seat.flows.knows(flow) || seat.bindings.iter().any(is_contact) || seat.fixed.as_ref().is_some_and(is_fixed)
    }

    /// The way to the phone that spoke on a flow, as it is registered now: the same flow while a contact stands on it, else
    /// where the same device has registered since. When the flow is no longer open and no device is known again, the seat's
    /// only contact will be it, if it is on the same host: another phone of the seat must not hear of its calls. `None`: the phone is not registered any more.
    pub fn way(&self, seat: SeatId, flow: &Flow, is_open: bool) -> Option<Hop> {
        let seat = self.seats.get(&seat)?;
        if is_open && seat.bindings.iter().any(|b| flows::is_same(&b.flow, flow)) {
            return Some(flow.back());
        }
        let device = seat.flows.device(flow)?;
        let same = seat.bindings.iter().rev().find(|b| b.device().is(device));
        let is_same_host = |other: &Flow| other.remote.ip().to_canonical() == flow.remote.ip().to_canonical();
        let only = || match seat.bindings.as_slice() {
            [only] if !is_open && is_same_host(&only.flow) => Some(only),
            [..] => None,
        };
        same.or_else(only).map(|binding| binding.hop.clone())
    }

    /// A connection is gone, and with it the contacts that could be reached only over it (RFC 5626 6).
    pub fn connection_closed(&mut self, connection: ConnId, out: &mut Vec<Output>) {
        let ids: Vec<SeatId> = self.seats.keys().copied().collect();
        for id in ids {
            let seat = self.seats.get_mut(&id).expect("the ids were just read");
            let lost = |b: &mut Binding| b.lose(connection);
            let dropped: Vec<Binding> = seat.bindings.extract_if(.., lost).collect();
            if !dropped.is_empty() {
                self.forget_dues(id, &dropped);
                self.report(id, out);
            }
        }
    }

    /// Does what is due: pings, and the end of bindings that were not refreshed.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(&(at, seat, id)) = self.due.first() {
            if at > now.mono {
                return;
            }
            self.due.pop_first();
            let Some(entry) = self.seats.get_mut(&seat) else { continue };
            entry.bindings.retain(|b| b.id != id || b.expires_at > now.mono);
            if let Some(binding) = entry.bindings.iter_mut().find(|b| b.id == id) {
                binding.ping_at = binding.ping_at.map(|_| now.mono + self.settings.ping_every);
                out.push(Output::Ping { hop: binding.hop.clone() });
                self.due.insert((binding.wakes_at(), seat, id));
            }
            self.report(seat, out);
        }
    }

    /// When [`Registrar::tick`] is due next.
    pub fn deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _, _)| *at)
    }

    /// Changes the bindings; gives the ids of those that are gone, with their dues.
    fn apply(&mut self, now: Now, seat: SeatId, flow: &Flow, order: (&str, u32), wish: Wish) -> Vec<(BindingId, Mono)> {
        let entry = self.seats.entry(seat).or_default();
        let mut gone: Vec<Binding> = entry.bindings.extract_if(.., |b| wish.touches(b)).collect();
        for contact in wish.contacts.into_iter().filter(|c| c.expires_s > 0) {
            self.last_id += 1;
            let binding = Binding::new(BindingId(self.last_id), now.mono, flow, order, contact, &wish.route);
            let binding = binding.with_pings(now.mono, self.settings.ping_every);
            self.due.insert((binding.wakes_at(), seat, binding.id));
            entry.bindings.push(binding);
        }
        while entry.bindings.len() > self.settings.max_contacts {
            // Oldest first, since each refresh appends.
            gone.push(entry.bindings.remove(0));
        }
        gone.iter().map(|b| (b.id, b.wakes_at())).collect()
    }

    /// Brings the addresses of a seat in the index up to date.
    fn index(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let bound = seat.bindings.iter().map(|b| b.flow.remote.ip());
        let addresses: BTreeSet<IpAddr> = seat.flows.addresses().chain(bound).collect();
        for gone in seat.addresses.difference(&addresses) {
            self.by_address.remove(&(*gone, id));
        }
        self.by_address.extend(addresses.iter().map(|address| (*address, id)));
        seat.addresses = addresses;
    }

    fn granted(&self, seat: SeatId, now: Now) -> Vec<NameAddr> {
        self.seats.get(&seat).map_or(Vec::new(), |s| s.bindings.iter().map(|b| b.granted(now.mono)).collect())
    }

    fn forget_dues(&mut self, seat: SeatId, bindings: &[Binding]) {
        for binding in bindings {
            self.due.remove(&(binding.wakes_at(), seat, binding.id));
        }
    }

    fn report(&mut self, id: SeatId, out: &mut Vec<Output>) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let reachable = seat.is_reachable();
        if reachable != seat.reachable {
            seat.reachable = reachable;
            tracing::info!(seat = %id, reachable, "seat's phone");
            out.push(Output::Reachable { seat: id, reachable });
        }
    }
}
