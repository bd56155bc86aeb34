//! The flows over which a seat's phone has registered: now and before.
//!
//! Dialogs outlive registrations: a phone that has moved or signed off may still hang up from where it was.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::sip::flow::{Flow, Hop};

/// Flows remembered a seat: its contacts and as many that were before.
const CAPACITY: usize = 16;

/// The latest flows of one seat with the devices that came over them, each once, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows(VecDeque<(Flow, Device)>);

/// By what a device is known again when it registers from elsewhere: its instance (RFC 5626 4.1), or the Call-ID under which
/// it registers until it is switched off (RFC 3261 10.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) instance: Option<String>,
    pub(super) call_id: String,
}

impl Device {
    pub(super) fn is(&self, other: &Device) -> bool {
        match (&self.instance, &other.instance) {
            (Some(one), Some(other)) => one == other,
            (Some(_) | None, Some(_) | None) => self.call_id == other.call_id,
        }
    }
}

impl Flows {
    /// Remembers a flow as the latest.
    pub(super) fn learn(&mut self, flow: &Flow, device: Device) {
        self.0.retain(|(known, _)| !is_same(known, flow));
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back((*flow, device));
    }

    /// The addresses of the peers, some of them more than once.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.0.iter().map(|(flow, _)| flow.remote.ip())
    }

    /// Whether a flow is remembered.
    pub(super) fn knows(&self, flow: &Flow) -> bool {
        self.device(flow).is_some()
    }

    /// The device that came over a flow last.
    pub(super) fn device(&self, flow: &Flow) -> Option<&Device> {
        self.0.iter().find(|(known, _)| is_same(known, flow)).map(|(_, device)| device)
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
