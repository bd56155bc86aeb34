//! The way to the far end of a dialog: where it spoke last, where its phone has registered since, where its Contact points;
//! and what happens while there is none.

use std::time::Duration;

use crate::sip::dialog::Dialog;
use crate::sip::flow::{ConnId, Flow, Hop};
use crate::sip::transaction::{By, ClientId};
use crate::types::{LegId, Now, Origin, SeatId};

use super::leg::{Leg, State, Up, Wish, numeric_hop};
use super::{Endpoint, Output};

/// How often a request is tried again while no way leads to the far end.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(4);

impl Endpoint {
    /// Where requests of a dialog go now; the way by which it was heard last when no better one is known.
    pub(super) fn hop_of(&self, party: Option<Origin>, dialog: &Dialog, flow: &Flow) -> Hop {
        self.way_of(party, dialog, flow).unwrap_or_else(|| flow.back())
    }

    /// Where requests of a dialog go now. `None`: the far end's connection is gone, and it has not shown another way.
    pub(super) fn way_of(&self, party: Option<Origin>, dialog: &Dialog, flow: &Flow) -> Option<Hop> {
        let is_open = flow.connection.is_none_or(|connection| self.identities.contains_key(&connection));
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
            if self.transactions.connection_of(id) == Some(connection)
                && let Some(event) = self.transactions.transport_failed(By::Client(id))
            {
                self.on_event(now, event, out);
            }
        }
    }

    /// Whether a flow is another connection of the host that a leg's far end speaks from over a connection. It may speak in its
    /// dialog before its phone has registered again: both tags are right, and the handshake has shown that it is the same host.
    /// The old connection may seem to stand for hours when a router has forgotten it.
    pub(super) fn is_same_host(leg: &Leg, flow: &Flow) -> bool {
        let Some(before) = leg.flow() else { return false };
        before.connection.is_some()
            && flow.connection.is_some()
            && (flow.network, flow.transport, flow.remote.ip())
                == (before.network, before.transport, before.remote.ip())
    }
}
