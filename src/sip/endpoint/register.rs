//! Seats' phones register: digest first, then the registrar (RFC 3261 10.3).

use std::sync::Arc;

use bytes::Bytes;

use crate::sip::flow::{ConnId, Flow, Hop};
use crate::sip::message::{HeaderName, Message};
use crate::sip::registrar::{self, Refused};
use crate::sip::transaction::{By, ServerId, Transmit};
use crate::types::{Now, SeatId};

use super::io::{Config, Named};
use super::{Endpoint, Output};

/// Keep-alive of RFC 5626 3.5.1.
const PING: Bytes = Bytes::from_static(b"\r\n\r\n");

pub(super) fn settings(config: &Config) -> registrar::Settings {
    registrar::Settings {
        min_expires_s: config.min_registration_s,
        default_expires_s: config.max_registration_s.min(3_600),
        max_expires_s: config.max_registration_s,
        ..registrar::Settings::default()
    }
}

impl Endpoint {
    pub(super) fn on_register(
        &mut self,
        now: Now,
        id: ServerId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(seat) = self.authenticate(now, id, flow, message) else { return };
        // A phone registers its own seat, nobody else's.
        if message.to().uri.user() != Some(seat.0.to_string().as_str()) {
            return self.reply(now, id, flow, message, 403);
        }
        let mut wants = Vec::new();
        let registered = self.registrar.register(now, seat, flow, message, &mut wants);
        self.obey_registrar(wants, out);
        match registered {
            Ok(registered) => {
                self.reply_with(now, id, flow, message, 200, |r| {
                    for contact in &registered.contacts {
                        r.header(HeaderName::Contact, contact);
                    }
                    for path in &registered.path {
                        r.header(HeaderName::Path, path);
                    }
                    if registered.outbound {
                        r.raw("Require", b"outbound");
                    }
                });
                self.retry_legs_of(now, seat);
            }
            Err(refused) => {
                let (status, _) = refused.status();
                self.reply_with(now, id, flow, message, status, |r| {
                    if let Refused::TooBrief { min_expires_s } = refused {
                        r.header(HeaderName::MinExpires, &min_expires_s);
                    }
                });
            }
        }
    }

    /// Takes the seats of the plan over; fixed contacts that are names are looked up.
    pub(super) fn read_seats(&mut self, out: &mut Vec<Output>) {
        let mut wants = Vec::new();
        let plan = Arc::clone(&self.plan);
        self.registrar.set_plan(&plan, &mut wants);
        self.obey_registrar(wants, out);
        let network = registrar::Settings::default().fixed_network;
        for (seat, uri) in self.registrar.unresolved() {
            out.push(Output::Resolve { whom: Named::Seat(seat), uri, network });
        }
    }

    pub(super) fn on_seat_resolved(&mut self, seat: SeatId, hops: &[Hop], out: &mut Vec<Output>) {
        let mut wants = Vec::new();
        self.registrar.resolved(seat, hops.first().cloned(), &mut wants);
        self.obey_registrar(wants, out);
    }

    pub(super) fn on_closed(&mut self, now: Now, connection: ConnId, out: &mut Vec<Output>) {
        let gone = self.connections.remove(&connection);
        self.trunks.connection_closed(now, connection);
        let mut wants = Vec::new();
        self.registrar.connection_closed(connection, &mut wants);
        self.obey_registrar(wants, out);
        self.fail_requests_on(now, connection, out);
        if let Some(gone) = gone {
            self.answer_anew(&gone.flow);
        }
    }

    pub(super) fn obey_registrar(&mut self, wants: Vec<registrar::Output>, out: &mut Vec<Output>) {
        for want in wants {
            match want {
                registrar::Output::Reachable { seat, reachable } => out.push(Output::Reachable { seat, reachable }),
                registrar::Output::Ping { hop } => self.transmits.push(Transmit { hop, bytes: PING, by: By::Nobody }),
            }
        }
    }
}
