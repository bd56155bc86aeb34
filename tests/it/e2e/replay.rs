//! The log of inputs of a real run: it replays exactly, and holds nothing with which one could prove oneself or listen in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::rig::phone::Phone;
use super::rig::s;
use super::rig::server::{Server, binary};
use super::rig::site::{PHONE, Site, TELECOM, password};
use super::rig::skip::{Tool, have};
use super::talk::finish_talk;

const CARRIERS_PASSWORD: &str = "carriers-secret";

#[test]
fn a_log_of_a_run_holds_no_secret_and_replays_exactly() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site { input_log: true, ..Site::new().with_seat(8001).with_seat(8002).with_seat(8003) };
    site.secrets = format!("[[trunk]]\nname = \"telecom\"\npassword = {CARRIERS_PASSWORD:?}");
    let mut server = Server::start(site);
    let site = &server.site;
    let plain = Phone::seat(site, 8001, PHONE, json!({}));
    let tls = json!({ "domain": site.sip_tls().to_string(), "transport": "tls", "srtp": true, "answer": 200 });
    let mut secure = Phone::seat(site, 8002, PHONE + 1, tls);
    let stranger = json!({
        "user": "8003", "domain": site.sip().to_string(), "register": true, "password": "wrong",
        "bind": site.street.at(PHONE + 2).to_string(),
    });
    let wrong = Phone::start(site, stranger, json!({}));
    wrong.wait("registration", |told| told["code"] == 401);
    server.make_ready(8002);
    let mut caller = Phone::caller(site, TELECOM, json!({}));
    caller.call(&format!("sip:12345@{}", site.sip()));
    assert_eq!(finish_talk(&server, &mut caller, &mut secure).call["fate"], "answered");
    let secrets = secrets(&server.site, &[plain.messages(), secure.messages(), wrong.messages()].concat());
    server.stop(s(10)).expect("it stops in time");

    let first = log(&server.site);
    let noted = String::from_utf8_lossy(&fs::read(&first).unwrap()).into_owned();
    let found: Vec<&String> = secrets.iter().filter(|secret| noted.contains(*secret)).collect();
    assert!(found.is_empty(), "the log holds {found:?}");
    assert!(noted.contains("Digest username") && noted.contains("a=crypto:1 AES"), "it holds what stands in for them");

    replays(&first);
}

#[test]
fn a_log_with_a_new_plan_in_it_replays_exactly() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let site = Site { input_log: true, ..Site::new().with_seat(8001) };
    let mut server = Server::start(site);
    let seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut caller = Phone::caller(&server.site, TELECOM, json!({}));
    let mut talk = |server: &Server, line: &str, count: usize, meanwhile: &mut dyn FnMut(&Server)| {
        caller.call(&format!("sip:{line}@{}", server.site.sip()));
        caller.wait_state("confirmed");
        seat.wait_state("confirmed");
        meanwhile(server);
        caller.hang_up();
        seat.wait_state("disconnected");
        assert_eq!(server.wait_fates(count)[0]["fate"], "answered");
    };
    // In the middle of a talk: trunks in another order, and a line more.
    server.site.trunks.reverse();
    let line = "[[line]]\nnumber = \"12333\"\nname = \"12333\"\n\
                [[line.phase]]\nfrom = 2021-10-15\nmode = \"dual\"\nqueue = \"general\"\n";
    let plan = server.site.plan() + line;
    talk(&server, "12345", 1, &mut |server| server.new_plan(&plan, "plan and secrets were read again"));
    talk(&server, "12333", 2, &mut |_| {});
    server.stop(s(10)).expect("it stops in time");
    replays(&log(&server.site));
}

/// The command runs the log again and finds that the exchange did the same.
fn replays(log: &Path) {
    let output = Command::new(binary()).args(["replay", "--json", "--last", "1"]).arg(log).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let outcome = summary["outcome"].as_str().unwrap();
    assert!(outcome.contains("did the same") && summary["inputs"].as_u64().unwrap() > 20, "{summary}");
}

/// What nobody may learn: passwords, their hashes, proofs that phones sent, keys of streams in either direction.
fn secrets(site: &Site, said: &str) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = [8001, 8002, 8003].into_iter().map(password).collect();
    all.insert(CARRIERS_PASSWORD.to_owned());
    let stored = fs::read_to_string(site.file("secrets.toml")).unwrap();
    let hashes = stored.lines().filter(|line| line.starts_with("md5") || line.starts_with("sha256"));
    all.extend(hashes.map(|line| line.split('"').nth(1).unwrap().to_owned()));
    let mut take = |mark: &str, least: usize| {
        let before = all.len();
        let texts = said.split(mark).skip(1).filter_map(|rest| rest.split(['"', '|', ' ', '\r', '\n']).next());
        all.extend(texts.map(str::to_owned));
        assert!(all.len() - before >= least, "{mark}: {said}");
    };
    take("response=\"", 3);
    // Our offer has a key for each suite, the phone's answer one.
    take("inline:", 3);
    all
}

/// The only file of the only run.
fn log(site: &Site) -> PathBuf {
    let files: Vec<PathBuf> = fs::read_dir(site.file("var/captures")).unwrap().map(|f| f.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("one file: {files:?}") };
    file.clone()
}
