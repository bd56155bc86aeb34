//! What supervisors and operators do over the API: caller lists, legal holds, surges, counters and rates.

use super::*;
use crate::types::CallerMark;

/// A core that answers like the real one and keeps the lists that it was told.
async fn listed(lists: &Mutex<Vec<Vec<CallerMark>>>, mut requests: mpsc::Receiver<CoreRequest>) {
    let (sender, receiver) = mpsc::channel(CORE_CAPACITY);
    let passing = async {
        while let Some(request) = requests.recv().await {
            if let CoreRequest::Tell(Input::CallerLists { marks }) = &request {
                lists.lock().unwrap().push(marks.clone());
            }
            sender.send(request).await.unwrap();
        }
    };
    tokio::join!(passing, serve_core(receiver));
}

/// Waits until the core has been told as many lists.
async fn told(lists: &Mutex<Vec<Vec<CallerMark>>>, many: usize) -> Vec<CallerMark> {
    loop {
        if let Some(marks) = lists.lock().unwrap().get(many - 1) {
            return marks.clone();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_nuisance_is_proposed_approved_by_somebody_else_and_counts_until_it_is_taken_away() {
    let lists = Mutex::default();
    story(
        async |requests| listed(&lists, requests).await,
        async |client, shared| {
            let (stop, stopped) = watch::channel(false);
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(keep_lists(shared, stopped));
            assert!(told(&lists, 1).await.is_empty(), "the core is told at the start");
            let (agent, leader) = (client.of(&[Role::Agent]).await, client.of(&[Role::Supervisor]).await);
            let until = clock::wall_ms() + 1_000_000;
            let said = json!({"number": "139-0000-1234", "mark": "nuisance", "reason": "每日数十次", "until": until});
            let proposed = agent.post("/api/v1/callers", said.clone()).await;
            assert_eq!(proposed.status, 201, "{}", proposed.body);
            let (proposed, id) = (proposed.json(), proposed.json()["id"].as_str().unwrap().to_owned());
            assert_eq!((&proposed["number"], &proposed["approved_at"]), (&json!("13900001234"), &Value::Null));
            assert_eq!(agent.post("/api/v1/callers", said).await.code(), "already_listed");
            let path = format!("/api/v1/callers/{id}");
            assert_eq!(agent.post(&format!("{path}/approve"), json!({})).await.code(), "not_allowed");
            for _ in 0..2 {
                assert_eq!(leader.post(&format!("{path}/approve"), json!({})).await.status, 204);
            }
            let marks = told(&lists, 2).await;
            let number = PhoneNumber::parse("13900001234").unwrap();
            let expected = CallerMark { number, mark: Word::new("nuisance"), approved: true, until: Some(Wall(until)) };
            assert_eq!(marks, [expected]);
            assert_eq!(agent.send(&agent.request("DELETE", &path, "")).await.code(), "not_allowed", "it holds now");
            assert_eq!(leader.send(&leader.request("DELETE", &path, "")).await.status, 204);
            assert_eq!(leader.send(&leader.request("DELETE", &path, "")).await.code(), "no_such_entry");
            assert!(told(&lists, 3).await.is_empty());
            let noted: Vec<_> = client.noted().await;
            assert_eq!(
                noted,
                ["caller_proposed", "caller_proposed", "caller_approved", "caller_removed"]
                    .map(|action| action.to_owned())
                    .into_iter()
                    .zip([noted[0].1.clone(), noted[1].1.clone(), id.clone(), id])
                    .collect::<Vec<_>>()
            );
            stop.send(true).unwrap();
            tasks.join_next().await.unwrap().unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn nobody_approves_what_they_proposed_and_only_supervisors_list_at_once() {
    story(serve_core, async |client, _| {
        let (agent, leader) = (client.of(&[Role::Agent]).await, client.of(&[Role::Supervisor]).await);
        let say = async |who: &Client, mark: &str, number: &str, until: Option<i64>| {
            who.post("/api/v1/callers", json!({"number": number, "mark": mark, "reason": "x", "until": until})).await
        };
        let soon = Some(clock::wall_ms() + 1_000_000);
        let own = say(&leader, "nuisance", "1001", soon).await.json();
        let path = format!("/api/v1/callers/{}/approve", own["id"].as_str().unwrap());
        assert_eq!(leader.post(&path, json!({})).await.code(), "own_proposal");
        assert!(say(&agent, "priority", "1002", None).await.json()["approved_at"].is_null());
        assert!(say(&leader, "priority", "1003", None).await.json()["approved_at"].is_i64());
        let found = async |who: &Client, question: Value| -> Vec<Value> {
            let page = who.post("/api/v1/callers/search", question).await.json();
            page["entries"].as_array().unwrap().iter().map(|e| e["number"].clone()).collect()
        };
        assert_eq!(found(&agent, json!({})).await, ["1002"], "agents find their own");
        assert_eq!(found(&leader, json!({"approved": false})).await.len(), 2);
        assert_eq!(found(&leader, json!({"number": "1003"})).await, ["1003"]);
        let first = leader.post("/api/v1/callers/search", json!({"limit": 2})).await.json();
        assert_eq!(found(&leader, json!({"limit": 2, "before": first["next"]})).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_said_of_a_number_must_make_sense() {
    story(serve_core, async |client, _| {
        let now = clock::wall_ms();
        for (body, code) in [
            (json!({"number": "1", "mark": "king", "reason": "x"}), "no_such_word"),
            (json!({"number": "1", "mark": "priority", "reason": ""}), "bad_request"),
            (json!({"number": "王", "mark": "priority", "reason": "x"}), "bad_request"),
            (json!({"number": "1", "mark": "nuisance", "reason": "x"}), "bad_request"),
            (json!({"number": "1", "mark": "nuisance", "reason": "x", "until": now - 1}), "bad_request"),
            (
                json!({"number": "1", "mark": "nuisance", "reason": "x", "until": now + 32_000_000_000_i64}),
                "bad_request",
            ),
        ] {
            assert_eq!(client.post("/api/v1/callers", body.clone()).await.code(), code, "{body}");
        }
        for before in ["x", "1", "-", "1-"] {
            let answer = client.post("/api/v1/callers/search", json!({"before": before})).await;
            assert_eq!(answer.code(), "bad_request", "{before}");
        }
        assert!(client.noted().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_record_under_legal_hold_says_who_and_why_until_it_is_lifted() {
    story(serve_core, async |client, _| {
        let leader = client.of(&[Role::Supervisor]).await;
        let hold = async |call: &str, body: Value| leader.put(&format!("/api/v1/records/{call}/hold"), body).await;
        let reason = json!({"reason": "公安协查函 2026-114"});
        assert_eq!(hold("c1", reason.clone()).await.status, 204);
        assert_eq!(hold("c1", reason.clone()).await.status, 204, "again does no harm");
        let call = leader.get("/api/v1/records/c1").await.json()["call"].clone();
        assert_eq!(call["hold_why"], reason["reason"]);
        assert!(call["hold_at"].is_i64() && call["hold_by"].as_str().unwrap().starts_with("person-"));
        assert_eq!(hold("c99", reason).await.code(), "no_such_call");
        assert_eq!(hold("c1", json!({"reason": " "})).await.code(), "bad_request");
        for _ in 0..2 {
            let lifted = leader.send(&leader.request("DELETE", "/api/v1/records/c1/hold", "")).await;
            assert_eq!(lifted.status, 204);
        }
        assert!(leader.get("/api/v1/records/c1").await.json()["call"]["hold_at"].is_null());
        let noted: Vec<_> = client.noted().await.into_iter().filter(|(_, object)| object == "c1").collect();
        let actions: Vec<&str> = noted.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, ["record_held", "record_held", "record_seen", "hold_lifted", "hold_lifted", "record_seen"]);
    })
    .await;
}

#[tokio::test]
async fn a_surge_is_switched_on_and_off_and_asked_twice_stays() {
    story(serve_core, async |client, _| {
        let operator = client.of(&[Role::Operator]).await;
        let switch =
            async |name: &str, on: bool| operator.put(&format!("/api/v1/surges/{name}"), json!({"on": on})).await;
        let list = async || operator.get("/api/v1/surges").await.json()["surges"].clone();
        let flood = |on| json!([{"surge": "flood", "on": on, "prompt": null, "queue": "general", "lines": []}]);
        assert_eq!(list().await, flood(false));
        for on in [true, true, false, false] {
            assert_eq!(switch("flood", on).await.status, 204);
            assert_eq!(list().await, flood(on));
        }
        let answer = switch("plague", true).await;
        assert_eq!((answer.status, answer.code()), (404, "no_such_surge".into()));
        assert_eq!(client.noted().await.len(), 2, "only what changed something is noted");
    })
    .await;
}

#[tokio::test]
async fn counters_of_a_day_are_told_apart_and_rates_follow_from_the_same_calls() {
    story(serve_core, async |client, _| {
        let day = async |query: &str| client.get(&format!("/api/v1/counters?{query}")).await.json()["day"].clone();
        let lines = day("day=1970-01-01&by=line").await;
        assert_eq!(lines["rows"][0]["name"], "12315");
        assert_eq!(lines["rows"][0]["counts"], json!({"arrived": 1, "refused": 1}));
        assert_eq!(lines["rows"][0]["connect_rate"], Value::Null, "a refused call was not offered");
        let counts =
            json!({"answered": 1, "arrived": 2, "offered": 1, "talk_ms": 1000, "waited_ms": 999, "within_15s": 1});
        assert_eq!(lines["rows"][1]["counts"], counts);
        assert_eq!(lines["rows"][1]["connect_rate"], 100.0);
        let hours = day("day=1970-01-01").await;
        assert_eq!((&hours["by"], &hours["rows"][0]["name"]), (&json!("hour"), &json!("08")), "the clock of China");
        assert_eq!(hours["rows"][0]["counts"]["arrived"], 3);
        assert!(day("by=agent").await["rows"].as_array().unwrap().is_empty(), "nobody worked today");
        for query in ["day=yesterday", "day=2026-02-30", "by=moon", "month=1"] {
            assert_eq!(client.get(&format!("/api/v1/counters?{query}")).await.code(), "bad_request", "{query}");
        }
        let rates = async |query: &str| client.get(&format!("/api/v1/rates?{query}")).await.json();
        let all = rates("since=0&until=86400000").await;
        assert_eq!(
            (&all["offered"], &all["connect_rate"], &all["within_15s_rate"]),
            (&json!(1), &json!(100.0), &json!(100.0))
        );
        assert_eq!(all["worst_24_hours"]["offered"], 1);
        let none = rates("since=0&until=86400000&line=12315").await;
        assert_eq!((&none["offered"], &none["connect_rate"]), (&json!(0), &Value::Null));
        assert_eq!(rates("").await["offered"], 0, "the last 24 hours");
        for query in ["since=5&until=5", "since=0", "since=0&until=9000000000", "line=%00"] {
            assert_eq!(rates(query).await["error"]["code"], "bad_request", "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_operator_drains_and_takes_it_back() {
    story(serve_core, async |client, _| {
        let operator = client.of(&[Role::Operator]).await;
        let draining = async || operator.get("/api/v1/queues").await.json()["draining"].clone();
        assert_eq!(operator.post("/api/v1/drain", json!({"seconds": 14_401})).await.code(), "bad_request");
        for _ in 0..2 {
            assert_eq!(operator.post("/api/v1/drain", json!({"seconds": 30})).await.status, 204);
            assert_eq!(draining().await, true);
        }
        for _ in 0..2 {
            assert_eq!(operator.send(&operator.request("DELETE", "/api/v1/drain", "")).await.status, 204);
            assert_eq!(draining().await, false);
        }
        let noted: Vec<_> = client.noted().await.into_iter().map(|(action, _)| action).collect();
        assert_eq!(noted, ["drained", "drained", "resumed", "resumed"]);
    })
    .await;
}

#[tokio::test]
async fn a_reload_counts_when_it_is_answered_and_tells_what_is_wrong() {
    story(serve_core, async |client, shared| {
        let operator = client.of(&[Role::Operator]).await;
        assert_eq!(operator.post("/api/v1/reload", json!({})).await.status, 204);
        assert_eq!(shared.plan.borrow().deployment, "ziyang");
        let refused = operator.post("/api/v1/reload", json!({})).await;
        assert_eq!((refused.status, refused.code()), (422, "reload_refused".into()));
        assert_eq!(refused.json()["error"]["message"], "plan.toml:3:1: no such queue");
    })
    .await;
}

#[tokio::test]
async fn lines_show_who_calls_them_and_trunks_how_many_they_carry() {
    story(serve_core, async |client, _| {
        let line = client.get("/api/v1/lines").await.json()["lines"][0].clone();
        assert_eq!((&line["line"], &line["queue"]), (&json!("12345"), &json!("general")));
        assert_eq!((&line["calls"], &line["waiting"]), (&json!(0), &json!(0)));
    })
    .await;
}
