//! Stories of the layer in virtual time.

mod bounds;
mod client;
mod random;
mod routing;
mod server;

use std::time::Duration;

use bytes::Bytes;

use super::{Branch, By, ClientId, Event, Outgoing, ServerId, Settings, Transactions, Transmit};
use crate::sip::flow::{ConnId, Flow, Hop, Transport};
use crate::sip::message::{Message, Method, Reason};
use crate::types::{Mono, NetworkId};

/// A layer, a clock and what has gone out so far.
struct World {
    now: Mono,
    flow: Flow,
    layer: Transactions,
    out: Vec<Transmit>,
}

fn flow(transport: Transport) -> Flow {
    Flow {
        network: NetworkId(0),
        transport,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5070".parse().unwrap(),
        connection: transport.is_reliable().then_some(ConnId(1)),
    }
}

impl World {
    fn over(transport: Transport) -> World {
        World::with(transport, Settings::default())
    }

    fn with(transport: Transport, settings: Settings) -> World {
        World {
            now: Mono::default() + Duration::from_secs(1000),
            flow: flow(transport),
            layer: Transactions::new(settings),
            out: Vec::new(),
        }
    }

    fn receive(&mut self, text: &str) -> Option<Event> {
        let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).expect("a well-formed message");
        self.layer.receive(self.now, &self.flow, message, &mut self.out)
    }

    /// Sends `text`, whose branch ends in `n`.
    fn request(&mut self, method: Method, n: u8) -> ClientId {
        let branch = branch(n);
        let bytes = Bytes::from(request_text(method.as_str(), n));
        let outgoing = Outgoing::new(method, branch, bytes);
        let hop = Hop::to(NetworkId(0), self.flow.transport, self.flow.remote);
        self.layer.request(self.now, outgoing, hop, &mut self.out).expect("there is room")
    }

    fn respond(&mut self, id: ServerId, status: u16) -> bool {
        let bytes = Bytes::from(response_text("INVITE", 1, status, "us"));
        self.layer.respond(self.now, id, bytes, &mut self.out).is_ok()
    }

    fn cancel(&mut self, id: ClientId) -> bool {
        let reason = Reason { protocol: "SIP".into(), cause: Some(200), text: None };
        self.layer.cancel(self.now, id, Some(reason), &mut self.out)
    }

    /// A message could not be sent.
    fn fail(&mut self, by: By) -> Option<Event> {
        self.layer.transport_failed(by, &mut self.out)
    }

    /// What has gone out since the last look.
    fn sent(&mut self) -> Vec<String> {
        self.out.drain(..).map(|t| first_line(&t.bytes)).collect()
    }

    /// Lets time pass from deadline to deadline; gives what happened with the milliseconds since the start of the passing.
    fn pass(&mut self, span: Duration) -> Vec<(u64, String)> {
        let (start, end) = (self.now, self.now + span);
        let mut story = Vec::new();
        while let Some(next) = self.layer.deadline().filter(|&at| at <= end) {
            assert!(next >= self.now, "a deadline lies in the past");
            self.now = next;
            let ms = u64::try_from(self.now.since(start).as_millis()).unwrap();
            while let Some(event) = self.layer.tick(self.now, &mut self.out) {
                story.push((ms, name(&event).to_owned()));
            }
            story.extend(self.sent().into_iter().map(|line| (ms, line)));
        }
        self.now = end;
        story
    }

    fn is_empty(&mut self) -> bool {
        self.layer.clients() + self.layer.servers() == 0 && self.layer.deadline().is_none()
    }
}

/// The moments of a story at which something like `what` happened.
fn times(story: &[(u64, String)], what: &str) -> Vec<u64> {
    story.iter().filter(|(_, line)| line.starts_with(what)).map(|(ms, _)| *ms).collect()
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Request { .. } => "Request",
        Event::Cancel { .. } => "Cancel",
        Event::Ack { .. } => "Ack",
        Event::Response { .. } => "Response",
        Event::Over { .. } => "Over",
        Event::Timeout { .. } => "Timeout",
        Event::Failed { .. } => "Failed",
        Event::Unacknowledged { .. } => "Unacknowledged",
        Event::Undeliverable { .. } => "Undeliverable",
        Event::Overload { .. } => "Overload",
        Event::Stray { .. } => "Stray",
    }
}

fn status(event: Option<Event>) -> Option<u16> {
    let event = event?;
    let Event::Response { message, .. } = &event else { panic!("{event:?} is no response") };
    message.status()
}

fn server_id(event: Option<Event>) -> ServerId {
    let event = event.expect("an event");
    let (Event::Request { id, .. } | Event::Cancel { id, .. }) = &event else { panic!("{event:?} is no request") };
    *id
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or("").to_owned()
}

fn branch(n: u8) -> Branch {
    Branch::from_random([n; 12])
}

/// A request of the caller; INVITE, ACK and CANCEL of one `n` belong together.
fn request_text(method: &str, n: u8) -> String {
    let branch = branch(n);
    let branch = branch.as_str();
    format!(
        "{method} sip:12345@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5070;branch={branch};rport\r\n\
         Route: <sip:proxy.example;lr>\r\n\
         Max-Forwards: 70\r\n\
         From: \"caller\" <sip:13800138000@192.0.2.9>;tag=them\r\n\
         To: <sip:12345@192.0.2.1>\r\n\
         Call-ID: call-{n}@192.0.2.9\r\n\
         CSeq: 7 {method}\r\n\
         Contact: <sip:13800138000@192.0.2.9:5070>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn response_text(method: &str, n: u8, status: u16, to_tag: &str) -> String {
    let branch = branch(n);
    let branch = branch.as_str();
    format!(
        "SIP/2.0 {status} Words\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5070;branch={branch};rport=5070;received=192.0.2.9\r\n\
         From: \"caller\" <sip:13800138000@192.0.2.9>;tag=them\r\n\
         To: <sip:12345@192.0.2.1>;tag={to_tag}\r\n\
         Call-ID: call-{n}@192.0.2.9\r\n\
         CSeq: 7 {method}\r\n\
         Contact: <sip:12345@192.0.2.1>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}
