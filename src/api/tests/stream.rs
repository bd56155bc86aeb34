//! The stream of events over a real WebSocket: numbers, gaps, rights, and the end of a session.

use super::super::events::{CallStep, Happened};
use super::*;
use crate::center::{SeatChange, SeatNews};
use crate::types::AgentId;

/// A WebSocket client of the few frames that are needed (RFC 6455 5.2).
struct Socket(tokio::net::TcpStream);

impl Socket {
    async fn open(client: &Client, query: &str) -> Result<Self, Answer> {
        let mut stream = tokio::net::TcpStream::connect(client.address).await.unwrap();
        let request = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
            client.headers
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 101 { Ok(Self(stream)) } else { Err(Answer { status, head, body: String::new() }) }
    }

    /// The next message; nothing when the server has closed. Pings are passed over.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let first = self.0.read_u8().await.ok()?;
            let length = match self.0.read_u8().await.ok()? {
                126 => u64::from(self.0.read_u16().await.ok()?),
                127 => self.0.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut body = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut body).await.ok()?;
            match first & 15 {
                1 => return Some(serde_json::from_slice(&body).unwrap()),
                8 => return None,
                _ => {}
            }
        }
    }
}

impl Socket {
    /// The next piece of news about a seat; pictures of seats and queues are passed over.
    async fn news(&mut self) -> Value {
        loop {
            let happened = self.next().await.unwrap()["happened"].clone();
            if happened["kind"] == "seat_news" {
                return happened;
            }
        }
    }
}

fn step(call: u32, seats: &[u32]) -> Happened {
    Happened::Call(CallStep {
        call: format!("c{call}"),
        step: "ringing".to_owned(),
        line: None,
        queue: None,
        seat: seats.last().copied(),
        fate: None,
        seats: seats.to_vec(),
    })
}

#[tokio::test]
async fn events_are_numbered_and_a_client_goes_on_where_it_was() {
    story(serve_core, async |client, _| {
        client.ring.add(1, step(1, &[8001]));
        let mut socket = Socket::open(&client, "").await.ok().unwrap();
        assert_eq!(socket.next().await.unwrap(), json!({"type": "hello", "run": "run", "seq": 1}));
        client.ring.add(2, step(2, &[8002]));
        let event = socket.next().await.unwrap();
        assert_eq!((&event["seq"], &event["happened"]["call"]), (&json!(2), &json!("c2")));
        assert!(event["happened"].get("seats").is_none());
        drop(socket);
        client.ring.add(3, step(3, &[8001]));
        let mut socket = Socket::open(&client, "?run=run&after=1").await.ok().unwrap();
        assert_eq!(socket.next().await.unwrap()["seq"], 3);
        assert_eq!(socket.next().await.unwrap()["seq"], 2);
        assert_eq!(socket.next().await.unwrap()["seq"], 3);
    })
    .await;
}

#[tokio::test]
async fn a_client_too_far_behind_or_of_another_run_is_told_of_the_gap() {
    story(serve_core, async |client, _| {
        for n in 0..10_005 {
            client.ring.add(1, step(n, &[8001]));
        }
        let mut socket = Socket::open(&client, "?run=run&after=2").await.ok().unwrap();
        socket.next().await.unwrap();
        assert_eq!(socket.next().await.unwrap(), json!({"type": "gap", "from": 3, "to": 5}));
        assert_eq!(socket.next().await.unwrap()["seq"], 6);
        let mut socket = Socket::open(&client, "?run=before&after=2").await.ok().unwrap();
        socket.next().await.unwrap();
        assert_eq!(socket.next().await.unwrap(), json!({"type": "gap", "from": 0, "to": 10_005}));
    })
    .await;
}

#[tokio::test]
async fn agents_hear_of_their_own_calls_only() {
    story(serve_core, async |client, _| {
        let agent = client.of(&[Role::Agent]).await;
        let mut socket = Socket::open(&agent, "").await.ok().unwrap();
        socket.next().await.unwrap();
        client.ring.add(1, step(1, &[8002]));
        client.ring.add(1, step(2, &[]));
        client.ring.add(1, step(3, &[8002, 8001]));
        assert_eq!(socket.next().await.unwrap()["happened"]["call"], "c3");
    })
    .await;
}

#[tokio::test]
async fn what_becomes_of_a_seat_is_told_at_once_to_its_person_and_to_leaders() {
    story(serve_core, async |client, shared| {
        let (agent, leader) = (client.of(&[Role::Agent]).await, client.of(&[Role::Supervisor]).await);
        let mut sockets = Vec::new();
        for who in [&agent, &leader] {
            let mut socket = Socket::open(who, "").await.ok().unwrap();
            socket.next().await.unwrap();
            sockets.push(socket);
        }
        let (feed, following) = events::feed();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(events::follow(following, shared.core.clone(), Arc::clone(&client.ring), stopped));
        let rang: SeatChange = serde_json::from_value(json!({"presence": {"not_ready": "no_answer"}})).unwrap();
        for (seat, change) in [(8002, SeatChange::BreakOver), (8001, rang)] {
            feed.seat(Wall(1), SeatNews { seat: SeatId(seat), agent: Some(AgentId(1027)), change });
        }
        let rang =
            json!({"kind": "seat_news", "seat": 8001, "agent": 1027, "change": {"presence": {"not_ready": "no_answer"}}});
        let over = json!({"kind": "seat_news", "seat": 8002, "agent": 1027, "change": "break_over"});
        assert_eq!(sockets[0].news().await, rang);
        assert_eq!(sockets[1].news().await, over);
        assert_eq!(sockets[1].news().await, rang);
        stop.send(true).unwrap();
        tasks.join_next().await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_browser_of_another_site_opens_no_stream() {
    story(serve_core, async |client, _| {
        let token = client.person(&[Role::Supervisor], |_| {}).await;
        let cookie = format!("Cookie: {}={token}\r\n", session::COOKIE);
        let evil = client.with(&format!("{cookie}Origin: https://evil.example\r\n"));
        assert_eq!(Socket::open(&evil, "").await.err().unwrap().status, 403);
        assert!(Socket::open(&client.with(&format!("{cookie}Origin: http://x\r\n")), "").await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_exchange_ends_the_stream() {
    story(serve_core, async |client, _| {
        let mut socket = Socket::open(&client, "").await.ok().unwrap();
        socket.next().await.unwrap();
        client.ring.close();
        assert_eq!(socket.next().await, None);
    })
    .await;
}
