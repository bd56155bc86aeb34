//! The API over a real loopback socket, with a real database and a real center behind it.

mod accounts;
mod desk;
mod matrix;
mod stream;
mod supervisors;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::core::{CORE_CAPACITY, CoreRequest, Counters, Refused};
use super::*;
use crate::center::{self, Center, Effect, Input};
use crate::dialplan::{AnswerWhen, Desk, Hours, Line, Mark, Mode, Phase, Queue, QueueService, Seat, Service, Surge};
use crate::store::accounts::{Account, Role, SessionRecord};
use crate::store::ledger::{self, Ledger};
use crate::store::{Keep, Place, Tailer};
use crate::types::{
    CallEvent, CallId, Calling, Fate, IdBase, LegId, Level, LineNumber, Mono, Now, Origin, PhoneNumber, PromptName,
    QueueId, Row, SeatId, TrunkId, Wall, Word,
};

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
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.body)).to_owned()
    }
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A served API and one who asks it.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    store: Store,
    ring: Arc<Ring>,
    /// Header lines of each request, each with its end.
    headers: String,
}

impl Client {
    /// The same API, asked by somebody else.
    fn with(&self, headers: &str) -> Self {
        Self { headers: headers.to_owned(), ..self.clone() }
    }

    fn bearing(&self, token: &str) -> Self {
        self.with(&format!("Authorization: Bearer {token}\r\n"))
    }

    /// The same API, asked by somebody with these roles at seat 8001, who has signed the agreement.
    async fn of(&self, roles: &[Role]) -> Self {
        self.bearing(&self.person(roles, |_| {}).await)
    }

    /// A new account with an open session; gives its token.
    async fn person(&self, roles: &[Role], change: impl FnOnce(&mut Account)) -> String {
        let id = session::hex(&rand::random::<[u8; 8]>());
        let mut account = Account {
            login: format!("person-{id}"),
            name: "王芳".to_owned(),
            roles: roles.iter().copied().collect::<BTreeSet<_>>(),
            number: None,
            seat: Some(8001),
            skills: BTreeMap::new(),
            queues: Vec::new(),
            must_change: false,
            confidential_at: Some(1),
            disabled: false,
            created_at: 1,
            changed_at: 1,
            id,
        };
        change(&mut account);
        self.store.insert_account(&account, None).await.unwrap();
        let token = session::hex(&rand::random::<[u8; 32]>());
        let now = clock::wall_ms();
        let record = SessionRecord {
            digest: session::digest(&token),
            account: account.id,
            is_local: false,
            address: "127.0.0.1".to_owned(),
            created_at: now,
            used_at: now,
            ends_at: now + session::LONGEST_MS,
        };
        self.store.begin_session(&record, 16).await.unwrap();
        token
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&self.request("GET", path, "")).await
    }
    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(&self.request("POST", path, &body.to_string())).await
    }
    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(&self.request("PUT", path, &body.to_string())).await
    }
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{}\
             Content-Length: {}\r\n\r\n{body}",
            self.headers,
            body.len()
        )
    }
    async fn send(&self, request: &str) -> Answer {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        // A server that refuses a long body may close before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }
    /// What the audit has noted, oldest first: action and object.
    async fn noted(&self) -> Vec<(String, String)> {
        let entries = self.store.audit(&crate::store::audit::Filter::default(), 1_000).await.unwrap();
        entries.into_iter().rev().map(|e| (e.action, e.object)).collect()
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
        auto_answer: false,
    };
    let seats = [8001, 8002].into_iter().map(|id| (SeatId(id), seat(id))).collect();
    let mark = |name, approval| Mark { name: Word::new(name), approval, queue: None, priority: Some(9), prompt: None };
    let surge = Surge { name: "flood".into(), prompt: None, queue: Some(QueueId(0)), lines: Vec::new() };
    let service = QueueService {
        notices: Vec::new(),
        queue: QueueId(0),
        greeting: PromptName::new("greeting/12345"),
        answer: AnswerWhen::AtOnce,
        priority: 0,
        desk: None,
    };
    let line = Line {
        number: LineNumber::parse("12345").unwrap(),
        name: "政务服务便民热线".into(),
        unit: String::new(),
        hours: Hours::Always,
        closed: None,
        phases: vec![Phase::new(Wall(0), Mode::Hotline, Service::Queue(service))],
    };
    Plan {
        deployment: "mianyang".into(),
        desk: Desk { results: vec![Word::new("solved")], ..Desk::default() },
        lines: [(line.number.clone(), line)].into(),
        queues: vec![queue],
        seats,
        marks: vec![mark("nuisance", true), mark("priority", false)],
        surges: vec![surge],
        ..Plan::default()
    }
}

/// What the node does with requests, without its loop.
async fn serve_core(requests: mpsc::Receiver<CoreRequest>) {
    serve_center(idle_center(), requests).await;
}

const NOW: Now = Now { mono: Mono(1_000_000_000), wall: Wall(1_000) };

/// A center in which the telephone of 8001 is registered.
fn idle_center() -> Center {
    let mut center = Center::new(Arc::new(plan()), center::Config::default(), IDS);
    center.handle(NOW, Input::Reachable { seat: SeatId(8001), reachable: true }, &mut Vec::new());
    center
}

async fn serve_center(mut center: Center, mut requests: mpsc::Receiver<CoreRequest>) {
    let mut out = Vec::new();
    while let Some(request) = requests.recv().await {
        out.clear();
        let slot = match request {
            CoreRequest::Ask { input, reply } => {
                center.handle(NOW, input(crate::types::ReplyId(1)), &mut out);
                reply
            }
            CoreRequest::Tell(input) => {
                center.handle(NOW, input, &mut out);
                continue;
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
            mode: Some("双号并行".into()),
        },
    };
    let row = |call, at, event| Row { at: Wall(at), call: CallId(call), event };
    vec![
        arrived(1, "12345"),
        arrived(2, "12315"),
        arrived(3, "12345"),
        row(1, 2_000, CallEvent::Talking { seat: SeatId(8001), leg: LegId(9), agent: None }),
        row(1, 2_500, CallEvent::Recording { file: "2026-11-23/c1".to_owned() }),
        row(1, 3_000, CallEvent::Ended { fate: Fate::Answered { seat: SeatId(8001) } }),
        row(2, 1_500, CallEvent::Ended { fate: Fate::Refused { cause: crate::types::Cause::ModeNotServed } }),
    ]
}

fn config() -> Config {
    Config { listen: "127.0.0.1:0".parse().unwrap(), requests_per_s: 10_000, ..Config::default() }
}

/// Runs a story against a served API; `core` answers the core's requests. The client holds the local session.
async fn story(core: impl AsyncFnOnce(mpsc::Receiver<CoreRequest>), tell: impl AsyncFnOnce(Client, Shared)) {
    story_with(config(), core, tell).await;
}

async fn story_with(
    config: Config,
    core: impl AsyncFnOnce(mpsc::Receiver<CoreRequest>),
    tell: impl AsyncFnOnce(Client, Shared),
) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("ledger");
    let (mut ledger, _) = Ledger::open(ledger::Config::new(&folder, "mianyang"), IDS, Wall(0)).unwrap();
    ledger.append(&rows());
    let store = Store::open(&Place::Sqlite(dir.path().join("yihao.db"))).await.unwrap();
    Tailer::new(store.clone(), folder, 1, Keep::default()).catch_up().await.unwrap();
    let token_file = dir.path().join("token");
    prepare(&store, &token_file).await.unwrap();
    let token = std::fs::read_to_string(&token_file).unwrap();
    let (handle, requests) = CoreHandle::new(Arc::new(|| {}));
    let ring = Arc::new(Ring::new("run"));
    let listener = bind(&config).unwrap();
    // A plan that names another deployment, as if somebody had put it there. The second time it has mistakes.
    let (plans, planned) = watch::channel(Arc::new(plan()));
    let reload: Reload = Arc::new(move || {
        if plans.borrow().deployment == "ziyang" {
            return Err("plan.toml:3:1: no such queue".to_owned());
        }
        plans.send_replace(Arc::new(Plan { deployment: "ziyang".into(), ..plan() }));
        Ok(())
    });
    let shared = Shared::new(Parts {
        config,
        core: handle,
        store: store.clone(),
        plan: planned,
        settings: Settings { deployment: "mianyang".to_owned(), ..Settings::default() },
        metrics: Arc::new(|| "yihao_calls 3\n".to_owned()),
        render: Arc::new(|file| if file == "lost" { Err("gone".to_owned()) } else { Ok(b"RIFF0123456789".to_vec()) }),
        events: Arc::clone(&ring),
        reload,
        plans: Arc::new(versions::Files::default()),
    });
    let headers = format!("Authorization: Bearer {}\r\n", token.trim());
    let client = Client { address: listener.local_addr().unwrap(), store, ring, headers };
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
async fn nothing_is_said_without_a_session() {
    story(serve_core, async |client, _| {
        let wrong = [
            String::new(),
            "Authorization: Bearer 0707\r\n".to_owned(),
            format!("Authorization: Bearer {}\r\n", "08".repeat(32)),
            client.headers.replace("Bearer", "Basic"),
            format!("Cookie: {}={}\r\n", session::COOKIE, "08".repeat(32)),
        ];
        for headers in wrong {
            let stranger = client.with(&headers);
            for path in ["/seats", "/queues", "/calls", "/records/c1", "/counters", "/me", "/audit"] {
                let answer = stranger.get(&format!("/api/v1{path}")).await;
                assert_eq!((answer.status, answer.code()), (401, "not_authenticated".into()), "{path}");
                assert_eq!(answer.header("www-authenticate"), Some("bearer"));
            }
        }
        assert_eq!(client.get("/api/v1/seats").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn an_agent_signs_in_becomes_ready_and_leaves() {
    story(serve_core, async |client, _| {
        let agent = client.of(&[Role::Agent]).await;
        let choose = async |choice: Value| agent.post("/api/v1/seats/8001/presence", choice).await;
        let seat = async || agent.get("/api/v1/seats").await.json()["seats"][0].clone();
        assert_eq!(seat().await["presence"], "signed_out");
        let answer = choose(json!({"choice": "sign_in"})).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        assert_eq!(choose(json!({"choice": "ready"})).await.status, 204);
        assert_eq!((seat().await["presence"].clone(), seat().await["doing"].clone()), (json!("ready"), json!("idle")));
        assert_eq!(client.get("/api/v1/queues").await.json()["queues"][0]["free_seats"], 1);
        assert_eq!(choose(json!({"choice": "sign_out"})).await.status, 204);
        assert_eq!(seat().await["presence"], "signed_out");
        assert!(client.noted().await.is_empty(), "what one chooses for oneself is no affair of the audit");
    })
    .await;
}

#[tokio::test]
async fn agents_see_and_choose_for_their_own_seat_and_leaders_for_all() {
    story(serve_core, async |client, _| {
        let (agent, leader) = (client.of(&[Role::Agent]).await, client.of(&[Role::Supervisor]).await);
        let count = async |who: &Client| who.get("/api/v1/seats").await.json()["seats"].as_array().unwrap().len();
        assert_eq!((count(&agent).await, count(&leader).await), (1, 2));
        let other = async |who: &Client| who.post("/api/v1/seats/8002/presence", json!({"choice": "sign_in"})).await;
        let answer = other(&agent).await;
        assert_eq!((answer.status, answer.code()), (403, "not_allowed".into()));
        assert_eq!(other(&leader).await.status, 204);
        assert_eq!(client.noted().await, [("presence_chosen_for_another".to_owned(), "8002".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn refusals_have_a_status_a_code_and_a_sentence_in_the_askers_language() {
    story(serve_core, async |client, _| {
        let ready = json!({"choice": "ready"});
        for seat in ["9999", "nobody", "-1", "80010000000000"] {
            let answer = client.post(&format!("/api/v1/seats/{seat}/presence"), ready.clone()).await;
            assert_eq!((answer.status, answer.code()), (404, "no_such_seat".into()), "{seat}");
        }
        assert_eq!(client.post("/api/v1/seats/8002/presence", json!({"choice": "sign_in"})).await.status, 204);
        let answer = client.post("/api/v1/seats/8002/presence", ready.clone()).await;
        assert_eq!((answer.status, answer.code()), (409, "phone_unreachable".into()));
        assert_eq!(answer.json()["error"]["message"], "the seat's phone is not registered");
        let chinese = client.with(&format!("{}Accept-Language: zh-CN,zh;q=0.9\r\n", client.headers));
        let answer = chinese.post("/api/v1/seats/8002/presence", ready.clone()).await;
        assert_eq!(answer.json()["error"]["message"], "该坐席的话机未注册");
        for body in [json!({"choice": "dance"}), json!({}), json!({"choice": 1})] {
            assert_eq!(client.post("/api/v1/seats/8001/presence", body).await.status, 400);
        }
        let answer = client.get("/api/v1/seats/8001/presence").await;
        assert_eq!((answer.status, answer.code()), (405, "wrong_method".into()));
        assert_eq!(client.get("/api/v1/nowhere").await.code(), "no_such_path");
        for path in ["/records/c99", "/records/x", "/calls/c99", "/calls/x"] {
            assert_eq!(client.get(&format!("/api/v1{path}")).await.code(), "no_such_call", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn records_are_searched_paged_and_told_step_by_step_and_each_look_is_noted() {
    story(serve_core, async |client, _| {
        let search = async |question: Value| client.post("/api/v1/records/search", question).await;
        let ids = |page: &Value| -> Vec<String> {
            page["records"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect()
        };
        let all = search(json!({})).await.json();
        assert_eq!((ids(&all), &all["next"]), (vec!["c3".to_owned(), "c2".into(), "c1".into()], &Value::Null));
        let refused = search(json!({"fate": "refused", "line": "12315"})).await.json();
        assert_eq!(
            (ids(&refused), &refused["records"][0]["cause"]),
            (vec!["c2".to_owned()], &json!("mode_not_served"))
        );
        let first = search(json!({"limit": 2})).await.json();
        let second = search(json!({"limit": 2, "before": first["next"]})).await.json();
        assert_eq!((ids(&second), &second["next"]), (vec!["c1".to_owned()], &Value::Null));
        for question in
            [json!({"fate": "happy"}), json!({"limit": "many"}), json!({"before": "x"}), json!({"colour": 1})]
        {
            assert_eq!(search(question.clone()).await.status, 400, "{question}");
        }
        let one = client.get("/api/v1/records/c1").await.json();
        assert_eq!((&one["call"]["fate"], &one["call"]["seat"]), (&json!("answered"), &json!(8001)));
        let kinds: Vec<_> = one["steps"].as_array().unwrap().iter().map(|s| s["kind"].clone()).collect();
        assert_eq!(kinds, ["arrived", "talking", "recording", "ended"]);
        let noted = client.noted().await;
        assert_eq!(noted.iter().filter(|(action, _)| action == "records_searched").count(), 4);
        assert_eq!(noted.last().unwrap(), &("record_seen".to_owned(), "c1".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn agents_find_the_records_of_their_own_seat_only() {
    story(serve_core, async |client, _| {
        let agent = client.of(&[Role::Agent]).await;
        let found = agent.post("/api/v1/records/search", json!({})).await.json();
        assert_eq!((found["records"].as_array().unwrap().len(), &found["records"][0]["id"]), (1, &json!("c1")));
        assert_eq!(agent.post("/api/v1/records/search", json!({"seat": 8002})).await.status, 403);
        assert_eq!(agent.get("/api/v1/records/c1").await.status, 200);
        assert_eq!(agent.get("/api/v1/records/c2").await.code(), "no_such_call", "nor is it told that there is one");
        let homeless = client.bearing(&client.person(&[Role::Agent], |a| a.seat = None).await);
        assert_eq!(homeless.post("/api/v1/records/search", json!({})).await.code(), "no_seat");
    })
    .await;
}

#[tokio::test]
async fn nobody_looks_at_citizens_data_without_the_agreement() {
    story(serve_core, async |client, _| {
        let token = client.person(&[Role::Supervisor], |a| a.confidential_at = None).await;
        let leader = client.bearing(&token);
        for path in ["/records/c1", "/calls", "/calls/c3", "/records/c1/recording"] {
            assert_eq!(leader.get(&format!("/api/v1{path}")).await.code(), "confidentiality_missing", "{path}");
        }
        assert_eq!(leader.get("/api/v1/seats").await.status, 200);
        assert_eq!(leader.post("/api/v1/me/confidentiality", json!({})).await.status, 204);
        assert_eq!(leader.get("/api/v1/records/c1").await.status, 200);
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
async fn health_metrics_and_the_document_need_no_session_and_readiness_follows_the_node() {
    story(serve_core, async |client, shared| {
        let client = client.with("");
        assert_eq!(client.get("/healthz").await.status, 200);
        assert_eq!(client.get("/readyz").await.status, 503);
        shared.ready().store(true, Ordering::Relaxed);
        let ready = client.get("/readyz").await;
        assert_eq!((ready.status, ready.json()), (200, json!({"ready": true, "records": true})));
        let metrics = client.get("/metrics").await;
        assert_eq!(metrics.body, "yihao_calls 3\n");
        assert!(metrics.head.contains("text/plain; version=0.0.4"));
        assert!(client.get("/api/v1/openapi.json").await.json()["paths"]["/api/v1/seats"].is_object());
        let page = client.get("/api/docs/").await;
        assert!(page.status == 200 && page.body.contains("swagger"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn long_bodies_and_long_addresses_are_refused() {
    story(serve_core, async |client, _| {
        let most = Config::default().max_body_bytes;
        let long = client.request("POST", "/api/v1/records/search", &" ".repeat(most + 1));
        let answer = client.send(&long).await;
        assert_eq!((answer.status, answer.code()), (413, "body_too_long".into()));
        let answer = client.get(&format!("/api/v1/audit?action={}", "1".repeat(3000))).await;
        assert_eq!((answer.status, answer.code()), (414, "address_too_long".into()));
    })
    .await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_slow_down() {
    // Two requests of one second are enough, however slow the machine.
    story_with(Config { requests_per_s: 1, ..config() }, serve_core, async |client, _| {
        let mut refused = client.get("/healthz").await;
        for _ in 0..100 {
            if refused.status != 200 {
                break;
            }
            refused = client.get("/healthz").await;
        }
        assert_eq!((refused.status, refused.code()), (429, "rate_limited".into()));
        assert_eq!(refused.header("retry-after"), Some("1"));
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
            assert_eq!(client.get("/api/v1/records/c1").await.status, 200);
        },
    )
    .await;
}

#[tokio::test]
async fn a_recording_is_heard_whole_or_in_part_and_each_playback_is_noted() {
    story(serve_core, async |client, _| {
        assert_eq!(client.get("/api/v1/records/c2/recording").await.code(), "no_such_recording");
        let whole = client.get("/api/v1/records/c1/recording").await;
        assert_eq!((whole.status, whole.body.as_str()), (200, "RIFF0123456789"));
        assert_eq!((whole.header("accept-ranges"), whole.header("cache-control")), (Some("bytes"), Some("no-store")));
        let part = client.with(&format!("{}Range: bytes=4-6\r\n", client.headers));
        let part = part.get("/api/v1/records/c1/recording").await;
        assert_eq!((part.status, part.body.as_str()), (206, "012"));
        assert_eq!(part.header("content-range"), Some("bytes 4-6/14"));
        assert_eq!(client.noted().await.iter().filter(|(action, _)| action == "recording_heard").count(), 2);
        let agent = client.of(&[Role::Agent]).await;
        assert_eq!(agent.get("/api/v1/records/c1/recording").await.code(), "not_allowed");
    })
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
    assert_eq!(handle.look().await.unwrap_err(), ApiError::Busy);
}

#[test]
fn passwords_cross_no_network_in_clear_and_a_taken_port_is_named() {
    for address in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
        let error = bind(&Config { listen: address.parse().unwrap(), ..Config::default() }).unwrap_err();
        assert!(matches!(error, BindError::InClear(_)), "{address}: {error}");
    }
    let behind = Config { listen: "0.0.0.0:0".parse().unwrap(), behind_proxy: true, ..Config::default() };
    assert!(bind(&behind).is_ok());
    let taken = bind(&config()).unwrap();
    let listen = taken.local_addr().unwrap();
    let error = bind(&Config { listen, ..Config::default() }).unwrap_err();
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}
