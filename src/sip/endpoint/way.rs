//! The way to the far end of a dialog: where it spoke last, where its phone has registered since, where its Contact points;
//! and what happens while there is none.

use std::time::Duration;

use crate::sip::dialog::Dialog;
use crate::sip::flow::{ConnId, Flow, Hop};
use crate::sip::transaction::{By, ClientId, ServerId};
use crate::types::{Cause, LegId, Now, Origin, SeatId};

use super::leg::{Leg, Purpose, State, Up, Wish, numeric_hop};
use super::{Endpoint, Output};

/// How often a request is tried again while no way leads to the far end.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(4);
/// How long the answer to a re-INVITE is awaited whose connection broke: it is repeated every 4 s at the least (T2, RFC 3261
/// 13.3.1.4) by who can reach us.
const LATE_ANSWER: Duration = Duration::from_secs(8);

impl Endpoint {
    /// Where requests of a dialog go now; the way by which it was heard last when no better one is known.
    pub(super) fn hop_of(&self, party: Option<Origin>, dialog: &Dialog, flow: &Flow) -> Hop {
        self.way_of(party, dialog, flow).unwrap_or_else(|| flow.back())
    }

    /// Whether a flow needs no connection, or still has it.
    pub(super) fn is_open(&self, flow: &Flow) -> bool {
        flow.connection.is_none_or(|connection| self.connections.contains_key(&connection))
    }

    /// Where requests of a dialog go now. `None`: the far end's connection is gone, and it has not shown another way.
    pub(super) fn way_of(&self, party: Option<Origin>, dialog: &Dialog, flow: &Flow) -> Option<Hop> {
        let is_open = self.is_open(flow);
        let seat = match party {
            Some(Origin::Seat(seat)) => Some(seat),
            Some(Origin::Trunk(_)) | None => None,
        };
        if let Some(hop) = seat.and_then(|seat| self.registrar.way(seat, flow, is_open)) {
            return Some(hop);
        }
        if is_open && (flow.connection.is_some() || self.registrar.seat_of_flow(flow).is_some()) {
            return Some(flow.back());
        }
        let direct = numeric_hop(dialog.next_hop(), flow).filter(|hop| self.sites.towards(hop).is_some());
        if is_open {
            // What a phone calls its address is good where it is seen from there.
            let is_reachable =
                |hop: &Hop| seat.is_none() || hop.remote.ip().to_canonical() == flow.remote.ip().to_canonical();
            return Some(direct.filter(is_reachable).unwrap_or_else(|| flow.back()));
        }
        match party {
            // Without a name there is nobody to be checked on a new connection; and what is not where it is seen from stands
            // behind NAT.
            Some(Origin::Seat(_)) | None => direct
                .filter(|hop| !hop.transport.is_secure())
                .filter(|hop| hop.remote.ip().to_canonical() == flow.remote.ip().to_canonical()),
            Some(Origin::Trunk(trunk)) => {
                direct.filter(|hop| !hop.transport.is_secure()).or_else(|| self.trunks.hops(trunk).first().cloned())
            }
        }
    }

    /// No way leads to the far end now: what we want of it waits, and the leg with it, for a bounded time. A phone whose
    /// connection broke is back within seconds.
    pub(super) fn await_way(&mut self, now: Now, leg: LegId, wish: Wish) {
        let patience = self.timers.patience();
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        if up.away.is_none() {
            tracing::info!(%leg, "no way leads to the far end");
        }
        up.away.get_or_insert(now.mono + patience);
        up.wait = Some(now.mono + TRY_AGAIN);
        if up.wishes.len() < Up::MOST_WISHES {
            up.wishes.push_front(wish);
        }
        self.arm(leg);
    }

    /// A phone has registered: what waited for a way to it is tried.
    pub(super) fn retry_legs_of(&mut self, now: Now, seat: SeatId) {
        let is_away = |leg: &Leg| {
            leg.party == Origin::Seat(seat)
                && matches!(&leg.state, State::Up(up) if up.away.is_some() && up.ours.is_none())
        };
        let legs: Vec<LegId> = self.legs.values().filter(|leg| is_away(leg)).map(|leg| leg.id).collect();
        for leg in legs {
            if let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) {
                up.wait = None;
            }
            self.next_wish(now, leg);
            self.arm(leg);
        }
        self.retry_goodbyes(now, Some(seat));
    }

    /// A connection is gone. What we asked over it and was not answered will not be: it was swallowed, or its answer was.
    pub(super) fn fail_requests_on(&mut self, now: Now, connection: ConnId, out: &mut Vec<Output>) {
        let ours = |leg: &Leg| match &leg.state {
            State::Up(up) => up.ours.map(|ours| ours.client),
            State::Arriving(_) | State::Dialling(_) => None,
        };
        let asked: Vec<ClientId> = self.legs.values().filter_map(ours).chain(self.farewells.sent()).collect();
        for id in asked {
            if self.transactions.connection_of(id) != Some(connection) {
                continue;
            }
            match self.transactions.transport_failed(By::Client(id), &mut self.transmits) {
                Some(event) => self.on_event(now, event, out),
                None => self.await_late_answer(now, id),
            }
        }
    }

    /// A re-INVITE of ours was heard of before its connection broke. Its answer may come by another one, where the far end
    /// repeats it; then it is asked again.
    fn await_late_answer(&mut self, now: Now, id: ClientId) {
        let Some(Purpose::InDialog(leg)) = self.clients.get(&id) else { return };
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(leg) else { return };
        if let Some(ours) = up.ours.as_mut().filter(|ours| ours.client == id) {
            ours.is_cut_off = true;
            self.transactions.answer_by(id, now.mono + LATE_ANSWER);
        }
    }

    /// A connection is gone. Who called over it and waits for our answer gets it by a new one to where it listens (RFC 3261
    /// 18.2.2): what was said last goes there at once, which shows whether anybody is there.
    pub(super) fn answer_anew(&mut self, gone: &Flow) {
        let waiting: Vec<(LegId, ServerId)> =
            self.legs.values().filter_map(|leg| Some((leg.id, leg.unanswered()?))).collect();
        for (leg, server) in waiting {
            let Some((party, flow)) = self.legs.get(&leg).and_then(|leg| Some((leg.party, leg.flow()?))) else {
                continue;
            };
            let name = match party {
                Origin::Trunk(trunk) => self.trunks.name_at(trunk, flow.remote.ip()),
                Origin::Seat(_) => None,
            };
            self.transactions.connection_lost(server, gone, name, &mut self.transmits);
        }
    }

    /// No way leads to who called: the leg ends at once, so that nobody is kept for a caller who cannot be answered. A
    /// datagram that the system refuses says little; timers decide.
    pub(super) fn on_undeliverable(&mut self, now: Now, id: ServerId, out: &mut Vec<Output>) {
        let Some(leg) = self.legs.values().find(|leg| leg.unanswered() == Some(id)) else { return };
        if leg.flow().is_none_or(|flow| !flow.transport.is_reliable()) {
            return;
        }
        let leg_id = leg.id;
        tracing::info!(leg = %leg_id, "the caller's connection broke, and it listens nowhere");
        match leg.state {
            State::Arriving(_) => self.refuse(now, leg_id, Cause::PeerLost, out),
            State::Up(_) => self.bye(now, leg_id, Cause::PeerLost, out),
            State::Dialling(_) => {}
        }
    }

    /// Whether a flow is another connection of the host that a seat's phone speaks from over a connection, and nobody else's. It
    /// may speak in its dialog before the phone has registered again (decision 0024): both tags are right, and the handshake
    /// has shown that it is the same host. The old connection may seem to stand for hours when a router has forgotten it.
    pub(super) fn is_phone_reconnected(&self, leg: &Leg, seat: SeatId, flow: &Flow) -> bool {
        let Some(before) = leg.flow() else { return false };
        before.connection.is_some()
            && flow.connection.is_some()
            && (flow.network, flow.transport, flow.remote.ip())
                == (before.network, before.transport, before.remote.ip())
            && self.registrar.seat_of_flow(flow).is_none_or(|other| other == seat)
    }
}
