//! Each effect to its shell: the ledger first, then engine, sockets and askers, in order.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::exchange::{Input, Output};
use crate::media::engine as media;
use crate::sip::endpoint;
use crate::sip::flow::Transport;
use crate::sip::transaction::{By, Transmit};
use crate::sip::transport::hep::Seen;
use crate::types::{CallEvent, Row};

use super::metrics;
use super::run::Control;

impl Control {
    /// Carries out what the core wants, until it wants nothing more.
    pub(super) fn perform(&mut self) {
        let mut refused = Vec::new();
        while !self.out.is_empty() || !refused.is_empty() {
            for by in refused.drain(..) {
                self.feed(Input::Sip(endpoint::Input::Unsent { by }));
            }
            let mut out = std::mem::take(&mut self.out);
            let rows = out.extract_if(.., |output| matches!(output, Output::Ledger(_)));
            let rows = rows.filter_map(|output| if let Output::Ledger(row) = output { Some(row) } else { None });
            self.write_ledger(rows.collect());
            for output in out {
                self.obey(output, &mut refused);
            }
            self.engine.wake();
            for socket in &mut self.udp {
                socket.udp.flush(&mut refused);
            }
        }
        if let Err(error) = self.watch_sockets() {
            tracing::error!(%error, "a socket cannot be watched");
        }
    }

    /// One write for all rows of the turn, before anything of the turn is sent.
    fn write_ledger(&mut self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        self.admitted += rows.iter().filter(|r| matches!(r.event, CallEvent::Arrived { .. })).count() as u64;
        self.ledger.append(&rows);
        metrics::ended(&rows);
        for watcher in &mut self.watchers {
            watcher(&rows);
        }
        self.stream.rows(Arc::new(rows));
    }

    fn obey(&mut self, output: Output, refused: &mut Vec<By>) {
        match output {
            // All were taken out before.
            Output::Ledger(_) => {}
            Output::Send(transmit) => self.transmit(transmit, refused),
            Output::Close(connection) => self.streams.close(connection),
            Output::Resolve { whom, uri, network } => self.resolver.ask(whom, uri, network),
            // The call goes on, without a recording.
            Output::Media(media::Command::Record { call, .. }) if self.disk.is_full() => {
                ::metrics::counter!("yihao_recording_failures_total").increment(1);
                let why = "the disk has too little room".to_owned();
                self.feed(Input::Media(media::Event::RecordingFailed { call, why }));
            }
            Output::Media(command) => self.engine.queue(command),
            Output::Seat(news) => {
                tracing::info!(seat = %news.seat, change = ?news.change, "a seat has changed");
                self.stream.seat(self.clock.now().wall, news);
            }
            Output::Reply { to, reply } => {
                if let Some(slot) = self.replies.remove(&to) {
                    // An asker that has gone away needs no answer.
                    let _gone = slot.send(reply);
                }
            }
        }
    }

    fn transmit(&mut self, transmit: Transmit, refused: &mut Vec<By>) {
        self.copy_outgoing(&transmit);
        match transmit.hop.transport {
            Transport::Udp => {
                let v6 = transmit.hop.remote.is_ipv6();
                let network = transmit.hop.network;
                let mut sockets = self.udp.iter_mut().map(|s| &mut s.udp);
                let socket = sockets.find(|u| u.network() == network && u.local().is_ipv6() == v6);
                let sent = socket.is_some_and(|u| u.send(transmit.hop.remote, transmit.bytes, transmit.by));
                if !sent {
                    refused.push(transmit.by);
                }
            }
            Transport::Tcp | Transport::Tls => {
                if let Err(back) = self.streams.send(transmit) {
                    refused.push(back.by);
                }
            }
            // Browsers come later; nothing can have come from there.
            Transport::Ws | Transport::Wss => refused.push(transmit.by),
        }
    }

    /// A stream's own port is not known here: its copies name the network's datagram socket as their source.
    fn copy_outgoing(&mut self, transmit: &Transmit) {
        let Some(captures) = &mut self.captures else { return };
        let (hop, to) = (&transmit.hop, transmit.hop.remote);
        let local = |s: &&super::run::Socket| s.udp.network() == hop.network && s.udp.local().is_ipv6() == to.is_ipv6();
        let nowhere = || {
            SocketAddr::new(if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }, 0)
        };
        let from = self.udp.iter().find(local).map_or_else(nowhere, |s| s.udp.local());
        captures.copy(&Seen {
            at: self.clock.now().wall,
            transport: hop.transport,
            from,
            to,
            message: &transmit.bytes,
        });
    }
}
