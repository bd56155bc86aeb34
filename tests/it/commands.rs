//! The commands that ask the running exchange, as a person at its machine types them; here over HTTPS with the certificate
//! that the exchange made itself.

use std::process::Output;

use super::faults::{Served, path, yihao};

fn ask(served: &Served, words: &[&str]) -> Output {
    let (http, file) = (served.http.to_string(), path(served.folder.path(), "yihao.toml"));
    let mut all = vec![words[0], "--http", &http, "--config", &file];
    all.extend(&words[1..]);
    yihao(&all).output().unwrap()
}

fn says(served: &Served, words: &[&str], expected: &str) {
    let output = ask(served, words);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{words:?}: {err}");
    assert!(out.contains(expected), "{words:?} says {out:?}, not {expected:?}");
}

#[test]
fn commands_speak_https_with_the_exchange() {
    let served = Served::start("[http]\nlisten = \"127.0.0.1:0\"\ntls = true", "17400-17499");
    says(&served, &["queues"], "LONGEST");
    says(&served, &["seats"], "8001");
    says(&served, &["user", "list"], "admin");
    says(&served, &["calls"], "No calls are recorded that match.");
    let output = served.call().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = (0..100).find_map(|_| {
        let calls = ask(&served, &["calls", "--json", "--line", "12345"]);
        let calls: serde_json::Value = serde_json::from_slice(&calls.stdout).unwrap();
        let fate = calls[0]["fate"].as_str().is_some();
        std::thread::park_timeout(std::time::Duration::from_millis(if fate { 0 } else { 50 }));
        fate.then(|| calls[0]["id"].as_str().unwrap().to_owned())
    });
    let id = listed.expect("the call is in the records with its fate");
    says(&served, &["calls", &id], &format!("Call {id}"));
    says(&served, &["audit", "verify"], "");
    let output = ask(&served, &["calls", "c1"]);
    assert_eq!(output.status.code(), Some(1), "a call that never was is refused");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no_such_call"));
}

#[test]
fn a_plan_is_drafted_compared_published_and_brought_back_by_commands() {
    let served = Served::start("", "17500-17599");
    let numbered = (0..100).any(|_| {
        let listed = ask(&served, &["plan", "list", "--json"]);
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        let counts = listed["counts"] == 1;
        std::thread::park_timeout(std::time::Duration::from_millis(if counts { 0 } else { 50 }));
        counts
    });
    assert!(numbered, "the plan file of the start is version 1");
    let good = include_str!("../../dialplans/mianyang.toml");
    let hours = "\nnumber = \"12315\"\nhours = \"mon 09:00-09:15\"\nclosed_queue = \"expert-12348\"\n";
    let write = |name: &str, text: &str| {
        let file = path(served.folder.path(), name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let new = write("new.toml", &good.replacen("\nnumber = \"12315\"\n", hours, 1));
    let broken = write("broken.toml", "deployment = 7\n");
    let output = ask(&served, &["plan", "draft", &broken, "--why", "测试"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.toml:1:14"), "{output:?}");
    says(&served, &["plan", "draft", &new, "--why", "夜间转接"], "version 2 is drafted");
    says(&served, &["plan", "diff", "2"], "queue=expert-12348");
    says(&served, &["plan", "diff", "2"], "hours = \"mon 09:00-09:15\"");
    says(&served, &["plan", "publish", "2"], "version 2 counts now");
    says(&served, &["plan", "show", "2"], "夜间转接");
    let output = ask(&served, &["plan", "rollback", "1", "--why", "转接错误"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    says(&served, &["plan", "list", "--json"], "\"counts\": 3");
    says(&served, &["audit", "list", "--action", "plan_rolled_back"], "plan_rolled_back");
    let proved = served.test_call(&["--to", "12315", "--via", "telecom", "--at-phase", "NOW", "--seconds", "12"]);
    let said = String::from_utf8_lossy(&proved.stdout);
    assert!(said.contains("heard      greeting/12315") && said.contains("all is as the plan says"), "{proved:?}");
    assert!(said.contains("waited in  general") && said.contains("rang       no seat"), "{said}");
    assert_eq!(proved.status.code(), Some(0));
    let listed = ask(&served, &["calls", "--json", "--line", "12315"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed[0]["test_by"], "local", "the records say that it was a test: {listed}");
    let dead = served.test_call(&["--to", "12336", "--via", "telecom", "--at-phase", "NOW"]);
    let said = String::from_utf8_lossy(&dead.stdout);
    assert!(
        said.contains("heard      notice/cancelled") && said.contains("not answered: no such number (410)"),
        "{dead:?}"
    );
    assert_eq!(dead.status.code(), Some(0), "a farewell is proved that nobody answers");
    let draft = ["--to", "12319", "--via", "line-12315", "--at-phase", "DRAFT", "--draft", "2", "--seconds", "12"];
    let proved = served.test_call(&draft);
    let said = String::from_utf8_lossy(&proved.stdout);
    assert!(said.contains("version 2 of the plan says") && said.contains("all is as the plan says"), "{proved:?}");
    assert!(said.contains("heard      greeting/12319"), "{said}");
    let at = "2026-11-23T10:00";
    let output = yihao(&["simulate", "--called", "12345", "--from", "13900000000", "--at", at]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("ends: answered"), "{output:?}");
}
