//! The loop: sockets in, endpoint and center, ledger, effects, sockets out. One thread, no hop on the way of a call.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use bytes::Bytes;
use mio::{Events, Interest, Poll, Token};
use tokio::sync::{mpsc, oneshot, watch};

use crate::api;
use crate::api::core::CoreRequest;
use crate::center::{self, Refusal, Reply};
use crate::dialplan::Plan;
use crate::exchange::{Exchange, Input, Output};
use crate::media::engine::{self, Engine};
use crate::sip::endpoint;
use crate::sip::flow::Flow;
use crate::sip::transport::hep::Seen;
use crate::sip::transport::stream::{self, Inbox, Streams};
use crate::sip::transport::udp::Udp;
use crate::store::ledger::Ledger;
use crate::types::{Now, ReplyId, TrunkId};

use super::captures::Captures;
use super::clock::Clock;
use super::input_log::{Entry, InputLog};
use super::{Renewal, Signal, Watcher, metrics};

/// The waker's token; sockets have their index plus one.
pub(super) const WAKE: Token = Token(0);
/// Longest sleep, so that figures and the ledger's background errors are looked at.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// What streams bring is taken in such portions: a peer that floods its connection must not keep the others waiting, nor its
/// own answers, or its backlog grows without end.
const STREAM_BATCH: usize = 256;

/// How often the monitor looks at the books of calls, seats and queues. The loop may sleep as long once more, so that what
/// does not balance is put right within two seconds.
const AUDIT_EVERY: Duration = Duration::from_secs(1);
/// How long BYEs and sign-offs may take at the very end.
const FAREWELL: Duration = Duration::from_secs(2);

/// All that the control thread owns.
pub(super) struct Control {
    pub(super) poll: Poll,
    pub(super) clock: Clock,
    pub(super) udp: Vec<Socket>,
    pub(super) streams: Streams,
    pub(super) inbox: Inbox,
    pub(super) engine: Engine,
    pub(super) exchange: Exchange,
    /// The log of inputs, where it is asked for.
    pub(super) inputs: Option<InputLog>,
    /// The collector of captures, where there is one.
    pub(super) captures: Option<Captures>,
    /// Kept, because looking a metric up costs more than counting it.
    pub(super) turn_time: ::metrics::Histogram,
    pub(super) ledger: Ledger,
    pub(super) requests: mpsc::Receiver<CoreRequest>,
    pub(super) resolved: Receiver<endpoint::Input>,
    pub(super) resolver: super::start::Resolve,
    pub(super) signals: Receiver<Signal>,
    pub(super) watchers_in: Receiver<Watcher>,
    pub(super) watchers: Vec<Watcher>,
    /// What the stream of events is made of.
    pub(super) stream: api::events::Feed,
    pub(super) trunk_names: BTreeMap<TrunkId, String>,
    /// The plan that the interface shows.
    pub(super) plan_now: watch::Sender<Arc<Plan>>,
    pub(super) disk: super::start::DiskWatch,
    pub(super) replies: BTreeMap<ReplyId, oneshot::Sender<Reply>>,
    pub(super) next_reply: u64,
    pub(super) out: Vec<Output>,
    pub(super) media_events: Vec<engine::Event>,
    pub(super) admitted: u64,
    /// What `/readyz` says.
    pub(super) ready: Arc<AtomicBool>,
    pub(super) ending: Option<Ending>,
    /// When the monitor looks next.
    pub(super) audit_due: Now,
}

/// A datagram socket and what the loop remembers of it.
pub(super) struct Socket {
    pub(super) udp: Udp,
    /// More datagrams may wait than were read in the last turn.
    pub(super) has_more: bool,
    /// The poll tells when it is writable again.
    pub(super) awaits_room: bool,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// Calls may finish in the time that the center gives them.
    Draining,
    /// Farewells may be answered until then.
    Leaving(Now),
}

impl Control {
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        self.feed(Input::Sip(endpoint::Input::Begin));
        self.watch_disk(self.clock.now());
        self.perform();
        loop {
            let sleep = self.sleep();
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the control loop cannot wait for its sockets");
            }
            self.turn(&events);
            if self.is_over() {
                return self.close();
            }
        }
    }

    /// Everything that has come, once; then all effects.
    fn turn(&mut self, events: &Events) {
        let begin = self.clock.now().mono;
        for index in 0..self.udp.len() {
            if events.iter().any(|e| e.token() == Token(index + 1)) || self.udp[index].has_more {
                self.receive(index);
            }
        }
        for _ in 0..STREAM_BATCH {
            let Some(event) = self.inbox.try_recv() else { break };
            if let (Some(captures), stream::Event::Message { flow, bytes }) = (&mut self.captures, &event) {
                copy_incoming(captures, self.clock.now(), flow, bytes);
            }
            self.feed(Input::Sip(from_stream(event)));
        }
        self.engine.events(&mut self.media_events);
        for event in std::mem::take(&mut self.media_events) {
            self.feed(Input::Media(event));
        }
        while let Ok(request) = self.requests.try_recv() {
            self.on_request(request);
        }
        while let Ok(input) = self.resolved.try_recv() {
            self.feed(Input::Sip(input));
        }
        while let Ok(signal) = self.signals.try_recv() {
            self.on_signal(signal);
        }
        self.watchers.extend(self.watchers_in.try_iter());
        let now = self.clock.now();
        if self.audit_due.mono <= now.mono {
            self.audit_due = now.after(AUDIT_EVERY);
            self.feed(Input::Command(center::Input::Audit));
        }
        if self.exchange.deadline().is_some_and(|at| at <= now.mono) {
            self.feed(Input::Tick);
        }
        self.perform();
        if let Some(log) = &mut self.inputs {
            log.flush();
        }
        if self.disk.is_due(now) {
            self.watch_disk(now);
            self.ledger.retry();
            self.engine.look();
            metrics::record(&self.exchange, &self.trunk_names, self.admitted, now);
            if let Some(captures) = &self.captures {
                ::metrics::counter!("yihao_capture_lost_total").absolute(captures.lost());
            }
        }
        self.turn_time.record(self.clock.now().mono.since(begin));
    }

    fn watch_disk(&mut self, now: Now) {
        if self.disk.look(now) {
            self.feed(Input::Sip(endpoint::Input::Accepting(!self.disk.refuses_calls())));
        }
    }

    fn receive(&mut self, index: usize) {
        let (clock, exchange, inputs, out) = (self.clock, &mut self.exchange, &mut self.inputs, &mut self.out);
        let captures = &mut self.captures;
        let read = self.udp[index].udp.receive(|flow, bytes| {
            if let Some(captures) = captures {
                copy_incoming(captures, clock.now(), &flow, bytes);
            }
            let bytes = Bytes::copy_from_slice(bytes);
            apply(exchange, inputs, clock.now(), Input::Sip(endpoint::Input::Message { flow, bytes }), out);
        });
        self.udp[index].has_more = read.unwrap_or_else(|error| {
            tracing::warn!(%error, "a datagram socket cannot be read");
            false
        });
    }

    pub(super) fn feed(&mut self, input: Input) {
        apply(&mut self.exchange, &mut self.inputs, self.clock.now(), input, &mut self.out);
    }

    fn on_request(&mut self, request: CoreRequest) {
        let (input, slot) = match request {
            CoreRequest::Ask { input, reply } => (input(self.reply_id()), reply),
            CoreRequest::Tell(input) => return self.feed(Input::Command(input)),
            CoreRequest::Counters { reply } => {
                // An asker that has gone away needs no answer.
                let _gone = reply.send(metrics::counters(&self.exchange, &self.trunk_names, self.admitted));
                return;
            }
        };
        let resumes = matches!(input, center::Input::Resume { .. });
        if resumes && self.ending.is_some() {
            let _gone = slot.send(Reply::Refused(Refusal::NotAccepting));
            return;
        }
        if resumes || matches!(input, center::Input::Drain { .. }) {
            self.ready.store(resumes, Ordering::Release);
        }
        self.replies.insert(ReplyId(self.next_reply), slot);
        self.feed(Input::Command(input));
    }

    fn reply_id(&mut self) -> ReplyId {
        self.next_reply += 1;
        ReplyId(self.next_reply)
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Drain => {
                self.ready.store(false, Ordering::Release);
                tracing::info!(calls = self.exchange.center().calls(), "draining: no new calls");
                self.feed(Input::Command(center::Input::Drain { within: None, reply: None }));
                self.ending.get_or_insert(Ending::Draining);
            }
            Signal::Stop => {
                self.ready.store(false, Ordering::Release);
                self.feed(Input::Command(center::Input::Drain { within: None, reply: None }));
                self.leave();
            }
            Signal::Renew(renewal) => self.renew(*renewal),
        }
    }

    /// Another plan counts for new calls; those in progress keep theirs.
    fn renew(&mut self, renewal: Renewal) {
        let now = self.clock.now();
        let before = self.out.len();
        if let Some(log) = &mut self.inputs {
            log.renew(now, renewal.text, &renewal.secrets);
        }
        self.engine.replace_prompts(&renewal.prompts);
        self.exchange.set_plan(now, renewal.plan, renewal.secrets, &mut self.out);
        if let Some(log) = &mut self.inputs {
            log.outcome(&self.out[before..]);
        }
        let plan = self.exchange.endpoint().plan();
        self.plan_now.send_replace(Arc::new(plan.clone()));
        self.trunk_names.extend(plan.trunks.iter().map(|trunk| (trunk.id, trunk.name.clone())));
        tracing::info!(lines = plan.lines.len(), seats = plan.seats.len(), "plan and secrets were read again");
    }

    /// The last seconds: whoever is left hears of it, carriers learn that we are gone.
    fn leave(&mut self) {
        let now = self.clock.now();
        for entry in [Entry::EndAll, Entry::Unregister] {
            let before = self.out.len();
            if let Some(log) = &mut self.inputs {
                log.record(now, entry.clone());
            }
            match entry {
                Entry::EndAll => self.exchange.end_all(now, &mut self.out),
                Entry::Unregister => self.exchange.unregister(now, &mut self.out),
                Entry::Input(_) | Entry::Plan { .. } => {}
            }
            if let Some(log) = &mut self.inputs {
                log.outcome(&self.out[before..]);
            }
        }
        self.ending = Some(Ending::Leaving(now.after(FAREWELL)));
    }

    fn is_over(&mut self) -> bool {
        let now = self.clock.now();
        match self.ending {
            None => false,
            Some(Ending::Draining) => {
                if self.exchange.center().is_drained() {
                    self.leave();
                    self.perform();
                }
                false
            }
            Some(Ending::Leaving(until)) => until.mono <= now.mono || self.exchange.is_quiet(),
        }
    }

    /// How long nothing can happen by itself.
    fn sleep(&mut self) -> Duration {
        if self.udp.iter().any(|s| s.has_more) || !self.inbox.is_empty() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let due = self.exchange.deadline().map_or(LONGEST_SLEEP, |at| at.since(now.mono));
        let limit = if self.ending.is_some() { Duration::from_millis(50) } else { LONGEST_SLEEP };
        // A millisecond more than asked for is lost to rounding in the poll; a timer may be late, never early.
        due.min(limit)
    }

    fn close(mut self) {
        self.engine.shutdown();
        let mut last = Vec::new();
        self.engine.events(&mut last);
        for event in last {
            self.feed(Input::Media(event));
        }
        self.perform();
        if let Some(log) = &mut self.inputs {
            log.flush();
        }
        self.ledger.close();
        tracing::info!("the exchange has ended");
    }

    /// Waits for writability where a socket is blocked.
    pub(super) fn watch_sockets(&mut self) -> io::Result<()> {
        for (index, socket) in self.udp.iter_mut().enumerate() {
            let blocked = socket.udp.is_blocked();
            if blocked != socket.awaits_room {
                let interest = if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
                self.poll.registry().reregister(&mut socket.udp, Token(index + 1), interest)?;
                socket.awaits_room = blocked;
            }
        }
        Ok(())
    }
}

/// One input through the exchange, noted in the log where there is one.
fn apply(exchange: &mut Exchange, inputs: &mut Option<InputLog>, at: Now, input: Input, out: &mut Vec<Output>) {
    let Some(log) = inputs else { return exchange.handle(at, input, out) };
    log.record(at, Entry::Input(Cow::Borrowed(&input)));
    let before = out.len();
    exchange.handle(at, input, out);
    log.outcome(&out[before..]);
}

fn copy_incoming(captures: &mut Captures, now: Now, flow: &Flow, message: &[u8]) {
    captures.copy(&Seen { at: now.wall, transport: flow.transport, from: flow.remote, to: flow.local, message });
}

fn from_stream(event: stream::Event) -> endpoint::Input {
    match event {
        stream::Event::Opened { flow, identities } => endpoint::Input::Opened { flow, identities },
        stream::Event::Message { flow, bytes } => endpoint::Input::Message { flow, bytes },
        stream::Event::Closed { connection } => endpoint::Input::Closed { connection },
        stream::Event::Unsent { by } => endpoint::Input::Unsent { by },
    }
}
