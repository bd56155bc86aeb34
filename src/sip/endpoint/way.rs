//! The way to the far end of a dialog: where it spoke last, where its phone has registered since, where its Contact points;
//! and what happens while there is none.

use std::time::Duration;

use crate::sip::dialog::Dialog;
use crate::sip::flow::{Flow, Hop};
use crate::types::{LegId, Now, Origin, SeatId};

use super::Endpoint;
use super::leg::{Leg, State, Up, Wish, numeric_hop};

/// How often a request is tried again while no way leads to the far end.
const TRY_AGAIN: Duration = Duration::from_secs(4);

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
    }
}
