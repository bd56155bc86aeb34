//! The HTTP interface as a stranger's program finds it in its own document: schemathesis makes requests that nobody here
//! thought of, and none may be a failure of ours.

use std::process::Command;

use super::rig::server::Server;
use super::rig::site::Site;
use super::rig::skip::{Tool, have, schemathesis};

/// How long it may look for something, seconds.
const BUDGET_S: &str = "30";

#[test]
fn no_request_of_the_document_is_a_server_error() {
    if !have(&[Tool::Schemathesis]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let base = format!("http://{}", server.site.http());
    let output = Command::new(schemathesis())
        .args(["run", &format!("{base}/api/v1/openapi.json"), "--url", &base])
        .args(["--checks", "not_a_server_error,response_schema_conformance", "--phases", "examples,coverage,fuzzing"])
        .args(["--max-time", BUDGET_S, "--workers", "1", "--request-timeout", "15", "--no-color"])
        // It would end the session that all the others need.
        .args(["--exclude-path", "/api/v1/sign-out"])
        // After it `/readyz` says 503, as it should.
        .args(["--exclude-path", "/api/v1/drain"])
        .args(["--header", &format!("Authorization: Bearer {}", server.token())])
        .current_dir(server.site.folder.path())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let verdict = server.get("/api/v1/audit/verify");
    assert!(verdict["broken"].is_null() && verdict["entries"].as_i64() > Some(10), "{verdict}\n{said}");
}
