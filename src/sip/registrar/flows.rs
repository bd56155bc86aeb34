//! The flows over which a seat's phone has registered: now and before.
//!
//! Dialogs outlive registrations: a phone that has moved or signed off may still hang up from where it was.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::sip::flow::{Flow, Hop};

/// Flows remembered a seat: its contacts and as many that were before.
const CAPACITY: usize = 16;

/// The latest flows of one seat, each once, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows(VecDeque<Flow>);

impl Flows {
    /// Remembers a flow as the latest.
    pub(super) fn learn(&mut self, flow: &Flow) {
        self.0.retain(|known| !is_same(known, flow));
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(*flow);
    }

    /// The addresses of the peers, some of them more than once.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.0.iter().map(|flow| flow.remote.ip())
    }

    /// Whether a flow is remembered.
    pub(super) fn knows(&self, flow: &Flow) -> bool {
        self.0.iter().any(|known| is_same(known, flow))
    }
}

/// Whether two flows lead to the same peer. Our own address is left out: a host with several has one way back.
pub(super) fn is_same(a: &Flow, b: &Flow) -> bool {
    (a.network, a.transport, a.remote, a.connection) == (b.network, b.transport, b.remote, b.connection)
}

/// Whether a flow comes from the host that a hop leads to; its port is its own business (gateways send from others).
pub(super) fn is_host(hop: &Hop, flow: &Flow) -> bool {
    hop.network == flow.network && hop.remote.ip().to_canonical() == flow.remote.ip().to_canonical()
}
