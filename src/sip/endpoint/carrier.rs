//! Our own business with carriers: registration and health of trunks. `sip/trunk` decides, this file sends.

use crate::sip::flow::{Flow, Hop};
use crate::sip::message::{Message, Method};
use crate::sip::transaction;
use crate::sip::trunk::{self, Outgoing, Purpose as Errand};
use crate::types::{Now, TrunkId};

use super::io::Named;
use super::leg::Purpose;
use super::{Endpoint, Output};

impl Endpoint {
    pub(super) fn on_resolved(&mut self, now: Now, whom: Named, hops: Vec<Hop>, out: &mut Vec<Output>) {
        match whom {
            Named::Trunk(trunk) => {
                let mut wants = Vec::new();
                self.trunks.resolved(now, trunk, hops, &mut wants);
                self.obey_trunks(now, wants, out);
            }
            Named::Seat(seat) => self.on_seat_resolved(seat, &hops, out),
        }
    }

    pub(super) fn tick_trunks(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut wants = Vec::new();
        let random = &mut self.random;
        self.trunks.tick(now, &mut || random.bytes(), &mut wants);
        self.obey_trunks(now, wants, out);
    }

    pub(super) fn on_carrier_response(
        &mut self,
        now: Now,
        trunk: TrunkId,
        errand: Errand,
        (flow, message): (&Flow, &Message),
        out: &mut Vec<Output>,
    ) {
        if message.status().is_none_or(|s| s < 200) {
            return;
        }
        let mut wants = Vec::new();
        let random = &mut self.random;
        self.trunks.responded(now, (trunk, errand), (flow, message), &mut || random.bytes(), &mut wants);
        self.obey_trunks(now, wants, out);
    }

    pub(super) fn on_carrier_silence(&mut self, now: Now, trunk: TrunkId, errand: Errand, out: &mut Vec<Output>) {
        let mut wants = Vec::new();
        let random = &mut self.random;
        self.trunks.unanswered(now, (trunk, errand), &mut || random.bytes(), &mut wants);
        self.obey_trunks(now, wants, out);
    }

    /// Takes our registrations back: the node shuts down.
    pub fn unregister(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut wants = Vec::new();
        let random = &mut self.random;
        self.trunks.unregister_all(&mut || random.bytes(), &mut wants);
        self.obey_trunks(now, wants, out);
        self.flush(out);
    }

    pub(super) fn obey_trunks(&mut self, now: Now, wants: Vec<trunk::Output>, out: &mut Vec<Output>) {
        for want in wants {
            match want {
                trunk::Output::Send { trunk, purpose, hop, request } => {
                    self.run_errand(now, trunk, purpose, hop, &request)
                }
                trunk::Output::Resolve { trunk, uri, network } => {
                    out.push(Output::Resolve { whom: Named::Trunk(trunk), uri, network });
                }
                trunk::Output::Health { trunk, up } => out.push(Output::TrunkHealth { trunk, up }),
            }
        }
    }

    fn run_errand(&mut self, now: Now, trunk: TrunkId, errand: Errand, hop: Hop, request: &Outgoing) {
        let branch = self.random.branch();
        let Some(site) = self.sites.towards(&hop) else {
            return tracing::warn!(%trunk, "no listener speaks the transport of this trunk");
        };
        let contact = request.contact_user.as_ref().map(|user| site.contact_of(user));
        let bytes = request.build(&site.stamp(branch.clone()).via(), Some(contact.as_ref().unwrap_or(&site.contact)));
        let method = match errand {
            Errand::Probe { .. } => Method::Options,
            Errand::Register { .. } => Method::Register,
        };
        let outgoing = transaction::Outgoing::new(method, branch, bytes);
        // Overload: the next errand is due by its own timer.
        if let Ok(id) = self.transactions.request(now.mono, outgoing, hop, &mut self.transmits) {
            self.clients.insert(id, Purpose::Carrier(trunk, errand));
        }
    }
}
