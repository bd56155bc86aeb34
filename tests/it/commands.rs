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
