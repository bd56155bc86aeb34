//! Who may ask what: every path of the document against every role. A path that is missing here fails the test.

use super::*;
use Role::{Administrator, Agent, Auditor, Expert, Operator, Supervisor};

/// Anybody, also without a session.
const OPEN: &[Role] = &[];

/// Method, path with its parameters filled in, and the roles that may ask. Empty: anybody.
const MATRIX: &[(&str, &str, &str, &[Role])] = &[
    ("GET", "/healthz", "/healthz", OPEN),
    ("GET", "/readyz", "/readyz", OPEN),
    ("GET", "/metrics", "/metrics", OPEN),
    ("POST", "/api/v1/sign-in", "/api/v1/sign-in", OPEN),
    ("POST", "/api/v1/sign-out", "/api/v1/sign-out", &Role::ALL),
    ("GET", "/api/v1/me", "/api/v1/me", &Role::ALL),
    ("PUT", "/api/v1/me/password", "/api/v1/me/password", &Role::ALL),
    ("POST", "/api/v1/me/confidentiality", "/api/v1/me/confidentiality", &Role::ALL),
    ("GET", "/api/v1/seats", "/api/v1/seats", &[Agent, Expert, Supervisor, Operator, Administrator]),
    (
        "POST",
        "/api/v1/seats/{seat}/presence",
        "/api/v1/seats/8001/presence",
        &[Agent, Expert, Supervisor, Administrator],
    ),
    ("POST", "/api/v1/seats/{seat}/wrap-up", "/api/v1/seats/8001/wrap-up", &[Agent, Expert, Supervisor]),
    ("GET", "/api/v1/queues", "/api/v1/queues", &[Agent, Expert, Supervisor, Operator, Administrator]),
    ("GET", "/api/v1/calls", "/api/v1/calls", &[Agent, Expert, Supervisor]),
    ("GET", "/api/v1/calls/{call}", "/api/v1/calls/c1", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls", "/api/v1/calls", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/answer", "/api/v1/calls/c1/answer", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/hang-up", "/api/v1/calls/c1/hang-up", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/hold", "/api/v1/calls/c1/hold", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/retrieve", "/api/v1/calls/c1/retrieve", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/supervise", "/api/v1/calls/c1/supervise", &[Supervisor]),
    ("POST", "/api/v1/calls/{call}/help", "/api/v1/calls/c1/help", &[Agent, Expert, Supervisor]),
    ("GET", "/api/v1/transfer-targets", "/api/v1/transfer-targets", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/transfer", "/api/v1/calls/c1/transfer", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/transfer/join", "/api/v1/calls/c1/transfer/join", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/calls/{call}/transfer/leave", "/api/v1/calls/c1/transfer/leave", &[Agent, Expert, Supervisor]),
    (
        "POST",
        "/api/v1/calls/{call}/transfer/take-back",
        "/api/v1/calls/c1/transfer/take-back",
        &[Agent, Expert, Supervisor],
    ),
    ("POST", "/api/v1/records/search", "/api/v1/records/search", &[Agent, Expert, Supervisor, Auditor]),
    ("GET", "/api/v1/records/{call}", "/api/v1/records/c1", &[Agent, Expert, Supervisor, Auditor]),
    ("GET", "/api/v1/records/{call}/recording", "/api/v1/records/c1/recording", &[Supervisor, Auditor]),
    ("PUT", "/api/v1/records/{call}/hold", "/api/v1/records/c1/hold", &[Supervisor]),
    ("DELETE", "/api/v1/records/{call}/hold", "/api/v1/records/c1/hold", &[Supervisor]),
    ("POST", "/api/v1/callers", "/api/v1/callers", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/callers/search", "/api/v1/callers/search", &[Agent, Expert, Supervisor, Auditor]),
    ("POST", "/api/v1/callers/{id}/approve", "/api/v1/callers/x/approve", &[Supervisor]),
    ("DELETE", "/api/v1/callers/{id}", "/api/v1/callers/x", &[Agent, Expert, Supervisor]),
    ("GET", "/api/v1/wishes", "/api/v1/wishes", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/wishes/{call}/{seq}/take", "/api/v1/wishes/c1/1/take", &[Agent, Expert, Supervisor]),
    ("POST", "/api/v1/wishes/{call}/{seq}/done", "/api/v1/wishes/c1/1/done", &[Agent, Expert, Supervisor]),
    ("GET", "/api/v1/wishes/{call}/{seq}/message", "/api/v1/wishes/c1/1/message", &[Agent, Expert, Supervisor]),
    ("GET", "/api/v1/surges", "/api/v1/surges", &[Supervisor, Operator, Administrator]),
    ("PUT", "/api/v1/surges/{surge}", "/api/v1/surges/flood", &[Supervisor, Operator]),
    ("POST", "/api/v1/drain", "/api/v1/drain", &[Operator, Administrator]),
    ("DELETE", "/api/v1/drain", "/api/v1/drain", &[Operator, Administrator]),
    ("POST", "/api/v1/reload", "/api/v1/reload", &[Operator, Administrator]),
    ("GET", "/api/v1/lines", "/api/v1/lines", &[Supervisor, Operator, Administrator]),
    ("GET", "/api/v1/plan/versions", "/api/v1/plan/versions", &[Supervisor, Operator, Administrator]),
    ("POST", "/api/v1/plan/versions", "/api/v1/plan/versions", &[Operator, Administrator]),
    ("POST", "/api/v1/records/{call}/test", "/api/v1/records/c1/test", &[Operator, Administrator]),
    ("GET", "/api/v1/plan/tasks", "/api/v1/plan/tasks", &[Supervisor, Operator, Administrator]),
    ("GET", "/api/v1/plan/lines.csv", "/api/v1/plan/lines.csv", &[Supervisor, Operator, Administrator]),
    ("POST", "/api/v1/plan/lines.csv", "/api/v1/plan/lines.csv", &[Operator, Administrator]),
    ("GET", "/api/v1/plan/lines.xlsx", "/api/v1/plan/lines.xlsx", &[Supervisor, Operator, Administrator]),
    ("GET", "/api/v1/plan/versions/{id}", "/api/v1/plan/versions/999", &[Supervisor, Operator, Administrator]),
    (
        "GET",
        "/api/v1/plan/versions/{id}/changes",
        "/api/v1/plan/versions/999/changes",
        &[Supervisor, Operator, Administrator],
    ),
    ("POST", "/api/v1/plan/versions/{id}/approve", "/api/v1/plan/versions/999/approve", &[Operator, Administrator]),
    ("POST", "/api/v1/plan/versions/{id}/publish", "/api/v1/plan/versions/999/publish", &[Operator, Administrator]),
    ("DELETE", "/api/v1/plan/versions/{id}/publish", "/api/v1/plan/versions/999/publish", &[Operator, Administrator]),
    ("POST", "/api/v1/plan/versions/{id}/rollback", "/api/v1/plan/versions/999/rollback", &[Operator, Administrator]),
    ("GET", "/api/v1/trunks", "/api/v1/trunks", &[Supervisor, Operator, Administrator]),
    ("GET", "/api/v1/settings", "/api/v1/settings", &[Supervisor, Operator, Administrator]),
    ("GET", "/api/v1/counters", "/api/v1/counters", &[Supervisor, Operator, Administrator, Auditor]),
    ("GET", "/api/v1/rates", "/api/v1/rates", &[Supervisor, Operator, Administrator, Auditor]),
    ("GET", "/api/v1/accounts", "/api/v1/accounts", &[Administrator]),
    ("POST", "/api/v1/accounts", "/api/v1/accounts", &[Administrator]),
    ("GET", "/api/v1/accounts/{id}", "/api/v1/accounts/x", &[Administrator]),
    ("PUT", "/api/v1/accounts/{id}", "/api/v1/accounts/x", &[Administrator]),
    ("POST", "/api/v1/accounts/{id}/password", "/api/v1/accounts/x/password", &[Administrator]),
    ("DELETE", "/api/v1/accounts/{id}/sessions", "/api/v1/accounts/x/sessions", &[Administrator]),
    ("GET", "/api/v1/audit", "/api/v1/audit", &[Auditor]),
    ("GET", "/api/v1/audit/verify", "/api/v1/audit/verify", &[Auditor]),
    ("GET", "/api/v1/events", "/api/v1/events", &[Agent, Expert, Supervisor, Operator, Administrator]),
];

#[test]
fn every_path_of_the_document_stands_in_the_matrix() {
    let (_, document) = described();
    let document = serde_json::to_value(&document).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|k| *k != "parameters") {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let listed: BTreeSet<_> = MATRIX.iter().map(|(m, path, ..)| ((*m).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, listed);
    assert_eq!(listed.len(), MATRIX.len(), "none stands twice");
}

#[tokio::test]
async fn each_role_may_ask_what_the_matrix_says_and_nothing_else() {
    for role in Role::ALL {
        story(serve_core, async |client, _| {
            for (method, _, path, roles) in MATRIX {
                // Each request with a session of its own: one of them signs out.
                let who = client.of(&[role]).await;
                let answer = who.send(&who.request(method, path, "{}")).await;
                let refused = answer.status == 403 && answer.code() == "not_allowed";
                let may = roles.is_empty() || roles.contains(&role);
                assert_eq!(!refused, may, "{role:?} {method} {path}: {} {}", answer.status, answer.body);
                assert!(answer.status < 500 || *path == "/readyz", "{method} {path}: {}", answer.body);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn without_a_session_only_open_paths_answer() {
    story(serve_core, async |client, _| {
        let stranger = client.with("");
        for (method, _, path, roles) in MATRIX {
            let answer = stranger.send(&stranger.request(method, path, "{}")).await;
            let is_open = answer.status != 401;
            assert_eq!(is_open, roles.is_empty(), "{method} {path}: {} {}", answer.status, answer.body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_that_was_given_opens_nothing_but_its_change() {
    story(serve_core, async |client, _| {
        for (method, _, path, roles) in MATRIX {
            let own = path.contains("/me") || path.contains("/sign-");
            if roles.is_empty() || (own && !path.contains("confidentiality")) {
                continue;
            }
            let who = client.bearing(&client.person(&Role::ALL, |a| a.must_change = true).await);
            let answer = who.send(&who.request(method, path, "{}")).await;
            assert_eq!((answer.status, answer.code()), (403, "password_must_change".into()), "{method} {path}");
        }
    })
    .await;
}
