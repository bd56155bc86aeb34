//! The API over a real loopback socket, with a real database and a real center behind it.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::core::{CORE_CAPACITY, CoreRequest, Counters, Refused};
use super::*;
use crate::center::{self, Center, Effect, Input};
use crate::dialplan::{Plan, Queue, Seat};
use crate::store::ledger::{self, Ledger};
use crate::store::{Keep, Place, Tailer};
use crate::types::{
    CallEvent, CallId, Calling, Fate, IdBase, LegId, Level, LineNumber, Mono, Now, Origin, PhoneNumber, PromptName,
    ReplyId, Row, SeatId, TrunkId, Wall,
};

const SECRET: [u8; 32] = [7; 32];
const IDS: IdBase = IdBase { node: 1, epoch_s: 100 };

/// An answer as it came over the wire.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// A served API: sends requests as a client would.
struct Client {
    address: SocketAddr,
    authorization: String,
}

impl Client {
    async fn get(&self, path: &str) -> Answer {
        self.send(&self.request("GET", path, "")).await
    }
    async fn post(&self, path: &str) -> Answer {
        self.send(&self.request("POST", path, "")).await
    }
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.authorization,
            body.len()
        )
    }
    async fn send(&self, request: &str) -> Answer {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        // A server that refuses a long body may close before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }
}

fn plan() -> Plan {
    let queue = Queue {
        name: "general".into(),
        skill: "general".into(),
        music: PromptName::new("music"),
        overflow_prompt: PromptName::new("busy"),
        max_waiting: 10,
        ..Queue::default()
    };
    let seat = |id| Seat {
        id: SeatId(id),
        name: format!("Seat {id}"),
        skills: vec![("general".into(), Level::ORDINARY)],
        contact: None,
    };
    let seats = [8001, 8002].into_iter().map(|id| (SeatId(id), seat(id))).collect();
    Plan { deployment: "mianyang".into(), queues: vec![queue], seats, ..Plan::default() }
}

/// What the node does with requests, without its loop.
async fn serve_core(mut requests: mpsc::Receiver<CoreRequest>) {
    let mut center = Center::new(Arc::new(plan()), center::Config::default(), IDS);
    let now = Now { mono: Mono(1_000_000_000), wall: Wall(1_000) };
    let mut out = Vec::new();
    center.handle(now, Input::Reachable { seat: SeatId(8001), reachable: true }, &mut out);
    while let Some(request) = requests.recv().await {
        out.clear();
        let slot = match request {
            CoreRequest::Presence { seat, command, reply } => {
                center.handle(now, Input::Presence { seat, command, reply: Some(ReplyId(1)) }, &mut out);
                reply
            }
            CoreRequest::Look { reply } => {
                center.handle(now, Input::Look { reply: ReplyId(1) }, &mut out);
                reply
            }
            CoreRequest::Counters { reply } => {
                let refused = |trunk: Option<&str>, reason: &str, count| Refused {
                    trunk: trunk.map(str::to_owned),
                    reason: reason.to_owned(),
                    count,
                };
                let refused = vec![refused(None, "unknown_source", 5), refused(Some("telecom-1"), "overload", 2)];
                let _ = reply.send(Counters { received: 107, admitted: 100, refused });
                continue;
            }
        };
        let reply = out.drain(..).find_map(|e| if let Effect::Reply { reply, .. } = e { Some(reply) } else { None });
        let _ = slot.send(reply.unwrap());
    }
}

/// Three calls: answered, refused, and one still alive.
fn rows() -> Vec<Row> {
    let arrived = |call: u64, line: &str| Row {
        at: Wall(1_000 + call as i64),
        call: CallId(call),
        event: CallEvent::Arrived {
            leg: LegId(call * 2),
            origin: Origin::Trunk(TrunkId(0)),
            from: "telecom-1".into(),
            called: LineNumber::parse(line).unwrap(),
            calling: Calling { number: Some(PhoneNumber::parse("13800138000").unwrap()), ..Calling::default() },
            call_id: "x".into(),
        },
    };
    let row = |call, at, event| Row { at: Wall(at), call: CallId(call), event };
    vec![
        arrived(1, "12345"),
        arrived(2, "12315"),
        arrived(3, "12345"),
        row(1, 2_000, CallEvent::Talking { seat: SeatId(8001), leg: LegId(9), agent: None }),
        row(1, 3_000, CallEvent::Ended { fate: Fate::Answered { seat: SeatId(8001) } }),
        row(2, 1_500, CallEvent::Ended { fate: Fate::Refused { cause: crate::types::Cause::ModeNotServed } }),
    ]
}

fn config() -> Config {
    Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() }
}

/// Runs a story against a served API; `core` answers the core's requests.
async fn story(core: impl AsyncFnOnce(mpsc::Receiver<CoreRequest>), tell: impl AsyncFnOnce(Client, Shared)) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("ledger");
    let (mut ledger, _) = Ledger::open(ledger::Config::new(&folder, "mianyang"), IDS, Wall(0)).unwrap();
    ledger.append(&rows());
    let store = Store::open(&Place::Sqlite(dir.path().join("yihao.db"))).await.unwrap();
    Tailer::new(store.clone(), folder, 1, Keep::default()).catch_up().await.unwrap();
    let (handle, requests) = CoreHandle::new(Arc::new(|| {}));
    let metrics: Metrics = Arc::new(|| "yihao_calls 3\n".to_owned());
    let shared = Shared::new(config(), handle, store, Token::new(SECRET), metrics);
    let listener = bind(&config()).unwrap();
    let authorization = format!("Authorization: Bearer {}\r\n", Token::new(SECRET).text());
    let client = Client { address: listener.local_addr().unwrap(), authorization };
    let (stop, stopped) = watch::channel(false);
    let told = async {
        tell(client, shared.clone()).await;
        stop.send(true).unwrap();
    };
    tokio::select! {
        (served, ()) = async { tokio::join!(serve(listener, shared.clone(), stopped), told) } => served.unwrap(),
        () = async { core(requests).await; std::future::pending().await } => {}
    }
}

#[tokio::test]
async fn nothing_about_calls_or_seats_is_said_without_the_token() {
    story(serve_core, async |client, _| {
        let wrong = [
            String::new(),
            "Authorization: Bearer 0707\r\n".into(),
            format!("Authorization: Bearer {}\r\n", "08".repeat(32)),
            format!("Authorization: Basic {}\r\n", "07".repeat(32)),
        ];
        for authorization in wrong {
            let stranger = Client { authorization, ..client };
            for path in ["/seats", "/queues", "/calls", "/calls/c1", "/counters", "/nothing"] {
                let answer = stranger.get(&format!("/api/v1{path}")).await;
                assert_eq!((answer.status, answer.code()), (401, "no_token".into()), "{path}");
                assert!(answer.head.contains("www-authenticate: bearer"));
            }
            assert_eq!(stranger.post("/api/v1/seats/8001/ready").await.status, 401);
        }
        assert_eq!(client.get("/api/v1/seats").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn an_agent_signs_in_becomes_ready_and_leaves() {
    story(serve_core, async |client, _| {
        let seat = async || client.get("/api/v1/seats").await.json()["seats"][0].clone();
        let expected = json!({"seat": 8001, "name": "Seat 8001", "presence": "signed_out", "reachable": true,
            "doing": "idle", "call": null, "left_ms": null});
        assert_eq!(seat().await, expected);
        assert_eq!(client.post("/api/v1/seats/8001/sign-in").await.status, 204);
        assert_eq!(seat().await["presence"], json!({"not_ready": "chosen"}));
        assert_eq!(client.post("/api/v1/seats/8001/ready").await.status, 204);
        assert_eq!(seat().await["presence"], "ready");
        assert_eq!(client.get("/api/v1/queues").await.json()["queues"][0]["free_seats"], 1);
        assert_eq!(client.post("/api/v1/seats/8001/not-ready").await.status, 204);
        assert_eq!(client.post("/api/v1/seats/8001/sign-out").await.status, 204);
        assert_eq!(seat().await["presence"], "signed_out");
    })
    .await;
}

#[tokio::test]
async fn refusals_have_a_status_a_code_and_a_sentence() {
    story(serve_core, async |client, _| {
        for seat in ["9999", "nobody", "-1", "80010000000000"] {
            let answer = client.post(&format!("/api/v1/seats/{seat}/ready")).await;
            assert_eq!((answer.status, answer.code()), (404, "no_such_seat".into()), "{seat}");
        }
        assert_eq!(client.post("/api/v1/seats/8002/sign-in").await.status, 204);
        let answer = client.post("/api/v1/seats/8002/ready").await;
        assert_eq!((answer.status, answer.code()), (409, "phone_unreachable".into()));
        assert_eq!(answer.json()["error"]["message"], "the seat's phone is not registered");
        assert_eq!(client.post("/api/v1/seats/8001/dance").await.code(), "no_such_path");
        let answer = client.get("/api/v1/seats/8001/ready").await;
        assert_eq!((answer.status, answer.code()), (405, "wrong_method".into()));
        for path in ["/calls/c99", "/calls/x", "/calls/13800138000x"] {
            assert_eq!(client.get(&format!("/api/v1{path}")).await.code(), "no_such_call");
        }
        for query in ["fate=happy", "limit=many", "before=x", "colour=red"] {
            let answer = client.get(&format!("/api/v1/calls?{query}")).await;
            assert_eq!((answer.status, answer.code()), (400, "bad_query".into()), "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn calls_are_listed_filtered_paged_and_told_step_by_step() {
    story(serve_core, async |client, _| {
        let all = client.get("/api/v1/calls").await.json();
        let ids: Vec<_> = all["records"].as_array().unwrap().iter().map(|c| c["id"].clone()).collect();
        assert_eq!(ids, ["c3", "c2", "c1"]);
        assert_eq!((&all["live"], &all["next"]), (&json!([]), &Value::Null));
        let refused = client.get("/api/v1/calls?fate=refused&line=12315").await.json();
        assert_eq!(refused["records"][0]["cause"], "mode_not_served");
        assert_eq!(refused["records"].as_array().unwrap().len(), 1);
        let first = client.get("/api/v1/calls?limit=2").await.json();
        let next = first["next"].as_str().unwrap();
        let second = client.get(&format!("/api/v1/calls?limit=2&before={next}")).await.json();
        assert_eq!((&second["records"][0]["id"], &second["next"]), (&json!("c1"), &Value::Null));
        let one = client.get("/api/v1/calls/c1").await.json();
        assert_eq!((&one["call"]["fate"], &one["call"]["seat"]), (&json!("answered"), &json!(8001)));
        let kinds: Vec<_> = one["steps"].as_array().unwrap().iter().map(|s| s["kind"].clone()).collect();
        assert_eq!(kinds, ["arrived", "talking", "ended"]);
    })
    .await;
}

#[tokio::test]
async fn counters_of_refusals_and_admissions_add_up() {
    story(serve_core, async |client, _| {
        let counters = client.get("/api/v1/counters").await.json();
        let sum: u64 = counters["refused"].as_array().unwrap().iter().map(|r| r["count"].as_u64().unwrap()).sum();
        assert_eq!(counters["received"].as_u64().unwrap(), counters["admitted"].as_u64().unwrap() + sum);
        assert_eq!(counters["refused_total"], 7);
        assert_eq!(counters["refused"][0], json!({"trunk": null, "reason": "unknown_source", "count": 5}));
    })
    .await;
}

#[tokio::test]
async fn health_and_metrics_need_no_token_and_readiness_follows_the_node() {
    story(serve_core, async |client, shared| {
        let client = Client { authorization: String::new(), ..client };
        assert_eq!(client.get("/healthz").await.status, 200);
        assert_eq!(client.get("/readyz").await.status, 503);
        shared.ready().store(true, Ordering::Relaxed);
        let ready = client.get("/readyz").await;
        assert_eq!((ready.status, ready.json()), (200, json!({"ready": true, "records": true})));
        let metrics = client.get("/metrics").await;
        assert_eq!(metrics.body, "yihao_calls 3\n");
        assert!(metrics.head.contains("text/plain; version=0.0.4"));
    })
    .await;
}

#[tokio::test]
async fn long_bodies_and_long_addresses_are_refused() {
    story(serve_core, async |client, _| {
        let most = Config::default().max_body_bytes;
        let fits = client.request("POST", "/api/v1/seats/8001/sign-in", &"x".repeat(most));
        assert_eq!(client.send(&fits).await.status, 204);
        let long = client.request("POST", "/api/v1/seats/8001/sign-in", &"x".repeat(most + 1));
        let answer = client.send(&long).await;
        assert_eq!((answer.status, answer.code()), (413, "body_too_long".into()));
        let answer = client.get(&format!("/api/v1/calls?line={}", "1".repeat(3000))).await;
        assert_eq!((answer.status, answer.code()), (414, "address_too_long".into()));
    })
    .await;
}

#[tokio::test]
async fn a_core_that_is_gone_is_said_at_once_and_records_can_still_be_read() {
    story(
        async |requests| drop(requests),
        async |client, _| {
            for path in ["/api/v1/seats", "/api/v1/counters"] {
                let answer = client.get(path).await;
                assert_eq!((answer.status, answer.code()), (503, "exchange_silent".into()));
            }
            assert_eq!(client.get("/api/v1/calls/c1").await.status, 200);
        },
    )
    .await;
}

#[tokio::test]
async fn a_core_that_does_not_take_requests_makes_the_api_refuse_not_wait() {
    let (handle, _held) = CoreHandle::new(Arc::new(|| {}));
    let looks: Vec<_> = (0..CORE_CAPACITY).map(|_| handle.look()).collect();
    let mut pending: Vec<_> = looks.into_iter().map(Box::pin).collect();
    for look in &mut pending {
        // Polled once: the request is in the channel.
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(look.as_mut().poll(cx).is_pending())).await);
    }
    assert!(matches!(handle.look().await, Err(ApiError::Busy)));
}

#[test]
fn only_loopback_is_bound_and_a_taken_port_is_named() {
    for address in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
        let error = bind(&Config { listen: address.parse().unwrap(), ..Config::default() }).unwrap_err();
        assert!(matches!(error, BindError::NotLoopback(_)), "{address}: {error}");
    }
    let taken = bind(&config()).unwrap();
    let listen = taken.local_addr().unwrap();
    let error = bind(&Config { listen, ..Config::default() }).unwrap_err();
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}
