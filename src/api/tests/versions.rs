//! Versions of the plan over the API: drafted, looked at, approved by another, published now or later, rolled back.

use std::sync::Mutex;

use tokio::time::timeout;

use super::*;
use crate::api::{clock, versions as served};

/// The node's part, in memory: a plan that says "mistake" has one.
#[derive(Default)]
pub(super) struct Files {
    counting: Mutex<Option<Counting>>,
    second_person: bool,
    /// The plan that the core goes by, as the control thread would change it.
    core: Option<watch::Sender<Arc<Plan>>>,
}

impl Plans for Files {
    fn counting(&self) -> Counting {
        let kept = self.counting.lock().unwrap().clone();
        kept.unwrap_or(Counting { id: None, name: "file.toml".to_owned(), text: "a = 0".to_owned() })
    }

    fn numbered(&self, id: i64) {
        let counting = Counting { id: Some(id), ..self.counting() };
        *self.counting.lock().unwrap() = Some(counting);
    }

    fn check(&self, name: &str, text: &str) -> Result<Vec<String>, String> {
        if text.contains("mistake") { Err(format!("{name}:1:1: a mistake")) } else { Ok(vec!["a warning".to_owned()]) }
    }

    fn compare(&self, before: &str, after: &str, _: Wall, days: u32) -> Result<Value, String> {
        Ok(json!([{ "before": before, "after": after, "days": days }]))
    }

    fn apply(&self, id: i64, name: &str, text: &str) -> Result<(), String> {
        *self.counting.lock().unwrap() = Some(Counting { id: Some(id), name: name.to_owned(), text: text.to_owned() });
        if let Some(core) = &self.core {
            core.send_modify(|_| {});
        }
        Ok(())
    }

    fn with_lines(&self, name: &str, csv: &[u8]) -> Result<Counting, String> {
        let text = String::from_utf8_lossy(csv).into_owned();
        if text.contains("mistake") {
            Err(format!("{name} (row 2, column A 号码)"))
        } else {
            Ok(Counting { text, ..self.counting() })
        }
    }

    fn asks_second_person(&self) -> bool {
        self.second_person
    }
}

/// The API with versions, a keeper of them, and whether a second person is asked.
async fn story_of(second_person: bool, tell: impl AsyncFnOnce(Client, Shared)) {
    story(serve_core, async |client, shared| {
        let (core, plan) = watch::channel(shared.plan.borrow().clone());
        let files = Files { second_person, core: Some(core), ..Files::default() };
        let shared = Shared { plans: Arc::new(files), plan, ..shared };
        let listener = bind(&config()).unwrap();
        let client = Client { address: listener.local_addr().unwrap(), ..client };
        let (stop, stopped) = watch::channel(false);
        let told = async {
            tell(client, shared.clone()).await;
            stop.send(true).unwrap();
        };
        let (served, (), ()) =
            tokio::join!(serve(listener, shared.clone(), stopped.clone()), served::keep(shared.clone(), stopped), told);
        served.unwrap();
    })
    .await;
}

async fn draft(who: &Client, text: &str) -> i64 {
    let answer = who.post("/api/v1/plan/versions", json!({"name": "x.toml", "text": text, "why": "测试"})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["version"]["id"].as_i64().unwrap()
}

/// Waits, bounded, until a version counts.
async fn counts(shared: &Shared, id: i64) {
    let counting = async {
        while shared.plans.counting().id != Some(id)
            || shared.store.plan_version(id).await.unwrap().is_none_or(|(version, _)| version.published_at.is_none())
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), counting).await.expect("the version counts");
}

#[tokio::test]
async fn the_plan_file_of_the_start_is_version_one() {
    story_of(false, async |client, shared| {
        counts(&shared, 1).await;
        let operator = client.of(&[Role::Operator]).await;
        let listed = operator.get("/api/v1/plan/versions").await.json();
        assert_eq!((&listed["counts"], &listed["versions"][0]["made_by"]), (&json!(1), &json!("exchange")));
        let shown = operator.get("/api/v1/plan/versions/1").await.json();
        assert_eq!(shown["text"], "a = 0");
        assert_eq!(operator.get("/api/v1/plan/versions/9").await.code(), "no_such_version");
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_checked_shows_what_it_changes_and_counts_when_published() {
    story_of(false, async |client, shared| {
        counts(&shared, 1).await;
        let operator = client.of(&[Role::Operator]).await;
        let post = async |path: &str, body: Value| operator.post(&format!("/api/v1/plan/versions{path}"), body).await;
        let refused = post("", json!({"name": "x.toml", "text": "mistake", "why": "x"})).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "plan_refused"));
        assert!(refused.body.contains("x.toml:1:1: a mistake"), "{}", refused.body);
        assert_eq!(post("", json!({"name": "x.toml", "text": "a = 1", "why": " "})).await.code(), "bad_request");
        let long = json!({"name": "x.toml", "text": "a".repeat(400_001), "why": "x"});
        assert_eq!(post("", long).await.code(), "body_too_long");

        let id = draft(&operator, "a = 1").await;
        assert_eq!(shared.plans.counting().text, "a = 0", "nothing has changed yet");
        let changes = operator.get(&format!("/api/v1/plan/versions/{id}/changes?days=7")).await.json();
        assert_eq!(changes["changes"], json!([{ "before": "a = 0", "after": "a = 1", "days": 7 }]));
        assert_eq!(post(&format!("/{id}/publish"), json!({})).await.status, 204);
        assert_eq!(shared.plans.counting().text, "a = 1");
        assert_eq!(post(&format!("/{id}/publish"), json!({})).await.code(), "version_published");
        let noted = client.noted().await;
        for action in ["plan_drafted", "plan_published"] {
            assert!(noted.contains(&(action.to_owned(), id.to_string())), "{action}: {noted:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_command_brings_back_what_has_counted() {
    story_of(false, async |client, shared| {
        counts(&shared, 1).await;
        let operator = client.of(&[Role::Operator]).await;
        let back = async |id: i64| {
            operator.post(&format!("/api/v1/plan/versions/{id}/rollback"), json!({"why": "转接错误"})).await
        };
        let id = draft(&operator, "a = 1").await;
        assert_eq!(back(id).await.code(), "never_published");
        operator.post(&format!("/api/v1/plan/versions/{id}/publish"), json!({})).await;
        let answer = back(1).await;
        assert_eq!((answer.status, &answer.json()["id"]), (201, &json!(id + 1)), "{}", answer.body);
        assert_eq!(
            shared.plans.counting(),
            Counting { id: Some(id + 1), name: "file.toml".into(), text: "a = 0".into() }
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_person_approves_where_one_is_asked_and_nobody_their_own() {
    story_of(true, async |client, shared| {
        counts(&shared, 1).await;
        let (wang, li) = (client.of(&[Role::Operator]).await, client.of(&[Role::Operator]).await);
        let id = draft(&wang, "a = 1").await;
        let path = |what: &str| format!("/api/v1/plan/versions/{id}/{what}");
        assert_eq!(wang.post(&path("publish"), json!({})).await.code(), "not_approved");
        assert_eq!(wang.post(&path("approve"), json!({})).await.code(), "own_proposal");
        for _ in 0..2 {
            assert_eq!(li.post(&path("approve"), json!({})).await.status, 204);
        }
        assert_eq!(wang.post(&path("publish"), json!({})).await.status, 204);
        assert_eq!(shared.plans.counting().id, Some(id));
    })
    .await;
}

#[tokio::test]
async fn a_version_counts_from_its_set_moment_on_also_when_that_passed_while_nobody_looked() {
    story_of(false, async |client, shared| {
        counts(&shared, 1).await;
        let operator = client.of(&[Role::Operator]).await;
        let (soon, never) = (draft(&operator, "a = 1").await, draft(&operator, "a = 2").await);
        let publish = async |id: i64, at: i64| {
            operator.post(&format!("/api/v1/plan/versions/{id}/publish"), json!({ "at": at })).await.status
        };
        let now = clock::wall_ms();
        assert_eq!(publish(never, now + 3_600_000).await, 204);
        assert_eq!(shared.plans.counting().id, Some(1), "not yet");
        let answer =
            operator.send(&operator.request("DELETE", &format!("/api/v1/plan/versions/{never}/publish"), "")).await;
        assert_eq!(answer.status, 204, "taken back");
        // As a restart finds it: due, and nobody has done it.
        shared.store.schedule_plan(soon, Some(Wall(now - 60_000)), "wang").await.unwrap();
        shared.versions.notify_one();
        counts(&shared, soon).await;
        assert_eq!(shared.plans.counting().text, "a = 1");
    })
    .await;
}

#[tokio::test]
async fn the_table_of_lines_goes_out_as_sheets_and_comes_back_as_a_draft() {
    story_of(false, async |client, shared| {
        let operator = client.of(&[Role::Operator]).await;
        counts(&shared, 1).await;
        let csv = operator.get("/api/v1/plan/lines.csv").await;
        assert!(csv.status == 200 && csv.body.contains("号码,名称"), "{}", csv.body);
        let book = operator.send(&operator.request("GET", "/api/v1/plan/lines.xlsx", "")).await;
        assert_eq!(book.status, 200);
        let put = async |why: &str, body: &str| {
            operator.send(&operator.request("POST", &format!("/api/v1/plan/lines.csv?why={why}"), body)).await
        };
        let drafted = put("test", "号码,名称").await;
        assert_eq!(
            (drafted.status, drafted.json()["version"]["why"].as_str()),
            (201, Some("test")),
            "{}",
            drafted.body
        );
        assert_eq!(shared.plans.counting().id, Some(1), "nothing counts but what did");
        let refused = put("test", "a mistake").await;
        assert_eq!(refused.code(), "plan_refused");
        assert!(refused.body.contains("column A 号码"), "{}", refused.body);
        assert_eq!(put("", "号码").await.code(), "bad_request");
    })
    .await;
}

#[tokio::test]
async fn the_ledger_of_merging_tells_states_days_and_calls_to_cancelled_numbers() {
    story_of(false, async |client, shared| {
        let read = |text: &str| {
            crate::dialplan::file::read(
                "x",
                text,
                &crate::dialplan::file::Outside { prompts: &|_| true, networks: None },
            )
            .0
        };
        let late =
            include_str!("../../../dialplans/mianyang.toml").replacen("from = 2021-10-31", "from = 2199-10-31", 1);
        let plan = Arc::new(read(&late).expect("a plan"));
        let (_keep, plan) = watch::channel(plan);
        let shared = Shared { plan, ..shared };
        let row = |seq: u64, line: &str| {
            crate::store::testing::row(
                seq,
                1_000,
                CallEvent::Arrived {
                    leg: LegId(seq),
                    origin: Origin::Trunk(TrunkId(0)),
                    from: "telecom".to_owned(),
                    called: LineNumber::parse(line).unwrap(),
                    calling: Calling::default(),
                    call_id: String::new(),
                    mode: Some(crate::types::CANCELLED_MODE.to_owned()),
                },
            )
        };
        record(&shared, [row(901, "12336"), row(902, "12336"), row(903, "08162250857")]).await;
        let listener = bind(&config()).unwrap();
        let client = Client { address: listener.local_addr().unwrap(), ..client };
        let (stop, stopped) = watch::channel(false);
        let told = async {
            let operator = client.of(&[Role::Operator]).await;
            let answer = operator.get("/api/v1/plan/tasks").await.json();
            let tasks = answer["tasks"].as_array().unwrap();
            assert_eq!(tasks.len(), 17, "all but 12345");
            let of = |line: &str| tasks.iter().find(|task| task["line"] == line).unwrap();
            let (dead, late) = (of("12336"), of("12366"));
            assert_eq!((&dead["state"], &dead["calls_to_cancelled"]), (&json!("cancelled"), &json!(2)));
            assert_eq!((&dead["deadline"], &dead["mode"]), (&json!("2021-05-31"), &json!("整体并入")));
            assert_eq!(of("2250857")["calls_to_cancelled"], 1, "however the carrier writes it");
            assert_eq!((&late["state"], &late["overdue"]), (&json!("planned"), &json!(["merge"])));
            let overdue = operator.get("/api/v1/plan/tasks?overdue=true").await.json();
            assert_eq!(overdue["tasks"].as_array().unwrap().len(), 1);
            stop.send(true).unwrap();
        };
        let (served, ()) = tokio::join!(serve(listener, shared.clone(), stopped), told);
        served.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_version_that_another_node_overtakes_is_told_so_and_stays_a_draft() {
    story_of(false, async |client, shared| {
        counts(&shared, 1).await;
        let operator = client.of(&[Role::Operator]).await;
        let (ours, theirs) = (draft(&operator, "a = 1").await, draft(&operator, "a = 2").await);
        // Another node with the same database is about to let its version count.
        assert!(shared.store.take_over(theirs, Wall(clock::wall_ms())).await.unwrap());
        let publish = async |id: i64| operator.post(&format!("/api/v1/plan/versions/{id}/publish"), json!({})).await;
        let refused = publish(ours).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "published_meanwhile"));
        assert_eq!(shared.plans.counting().id, Some(1), "nothing has changed here");
        assert_eq!(shared.store.next_plan().await.unwrap(), None, "and nothing is due");
        shared.store.plan_published(theirs, Wall(clock::wall_ms())).await.unwrap();
        assert_eq!(publish(ours).await.status, 204, "after the other one it may");
        counts(&shared, ours).await;
    })
    .await;
}

/// Copies rows into the records, as another node's tailer would.
async fn record(shared: &Shared, rows: [Row; 3]) {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = Ledger::open(ledger::Config::new(dir.path(), "mianyang"), IDS, Wall(0)).unwrap();
    ledger.append(&rows);
    Tailer::new(shared.store.clone(), dir.path().to_owned(), 2, Keep::default()).catch_up().await.unwrap();
}
