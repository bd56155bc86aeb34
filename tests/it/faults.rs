//! Bad input and bad surroundings: each ends the start with one message that says what to do, or refuses a call with a
//! reason, and never leaves a half-started server behind.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The longest that anything here may take.
const LIMIT_S: &str = "30";

pub(super) fn yihao(arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args([LIMIT_S, env!("CARGO_BIN_EXE_yihao")]).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// A start that must fail: its exit code is 2 and its message has these words.
fn refuses(arguments: &[&str], words: &[&str]) {
    let mut all = vec!["serve", "--no-demo"];
    all.extend(arguments);
    let output = yihao(&all).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{arguments:?} should say {word:?}: {text}");
    }
    assert!(output.stdout.is_empty(), "nothing is announced that does not run");
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(super) fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn port_in_use_is_named() {
    let (taken, folder) = (UdpSocket::bind("127.0.0.1:0").unwrap(), folder());
    let address = taken.local_addr().unwrap().to_string();
    let var = path(folder.path(), "var");
    refuses(&["--var", &var, "--listen", &address, "--http", "127.0.0.1:0"], &[&address, "in use", "another port"]);
}

#[test]
fn unreachable_folder_is_named() {
    refuses(&["--var", "/proc/none", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], &["/proc/none", "--var"]);
}

#[test]
fn wrong_plan_shows_the_place() {
    let folder = folder();
    let (plan, var) = (path(folder.path(), "plan.toml"), path(folder.path(), "var"));
    std::fs::write(&plan, "deployment = \"x\"\n[[line]]\nnumber = \"12345\"\nqueue = \"nowhere\"\n").unwrap();
    refuses(&["--plan", &plan, "--prompts", "dialplans/prompts", "--var", &var], &["plan.toml:", "hint:", "nowhere"]);
}

#[test]
fn missing_plan_and_missing_prompts_are_named() {
    let folder = folder();
    let (none, var) = (path(folder.path(), "none.toml"), path(folder.path(), "var"));
    refuses(&["--plan", &none, "--var", &var], &["none.toml", "--plan"]);
    let prompts = path(folder.path(), "prompts");
    refuses(&["--prompts", &prompts, "--var", &var], &["prompt", &prompts, "--prompts"]);
}

#[test]
fn broken_certificate_is_named() {
    let folder = folder();
    let tls = folder.path().join("var/tls");
    std::fs::create_dir_all(&tls).unwrap();
    for file in ["certificate.pem", "key.pem"] {
        std::fs::write(tls.join(file), "junk").unwrap();
    }
    let var = path(folder.path(), "var");
    refuses(&["--var", &var, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], &["certificate.pem", "PEM"]);
}

#[test]
fn passwords_cross_no_network_in_clear() {
    let folder = folder();
    let var = path(folder.path(), "var");
    refuses(
        &["--var", &var, "--listen", "127.0.0.1:0", "--http", "0.0.0.0:0"],
        &["0.0.0.0", "tls = true", "behind_proxy"],
    );
}

#[test]
fn address_of_another_machine_is_refused() {
    let folder = folder();
    let var = path(folder.path(), "var");
    // TEST-NET-3 (RFC 5737) is no machine's.
    refuses(&["--var", &var, "--listen", "203.0.113.7", "--http", "127.0.0.1:0"], &["203.0.113.7"]);
}

#[test]
fn unknown_trunk_of_a_test_call_lists_those_of_the_plan() {
    let output = yihao(&["call", "12345", "--trunk", "nope"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("\"nope\"") && text.contains("telecom"), "{text}");
}

/// A process of a test; ended by its id and awaited whatever the test comes to.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGKILL);
        let _gone = self.0.wait();
    }
}

/// A running server.
pub(super) struct Served {
    _server: Ended,
    address: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) folder: tempfile::TempDir,
}

impl Served {
    /// Starts on free ports with these lines of configuration; HTTP listens on one too, unless they say where.
    pub(super) fn start(configuration: &str, rtp: &str) -> Self {
        let folder = folder();
        let mut server = Ended(server(folder.path(), configuration, rtp).spawn().unwrap());
        let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
        let mut find = |mark: &str| {
            let line = lines.by_ref().map(Result::unwrap).find(|l| l.contains(mark)).unwrap();
            let after = line.split(mark).nth(1).unwrap();
            after.split([' ', ',', '/']).next().unwrap().parse::<SocketAddr>().unwrap()
        };
        let address = find("UDP ");
        let http = find("//");
        Self { _server: server, address, http, folder }
    }

    pub(super) fn call(&self) -> Command {
        let (address, var) = (self.address.to_string(), path(self.folder.path(), "call"));
        let arguments =
            ["call", "12345", "--server", &address, "--seconds", "3", "--patience", "3", "--json", "--var", &var];
        yihao(&arguments)
    }

    /// A test call that is held against the plan.
    pub(super) fn test_call(&self, words: &[&str]) -> Output {
        let (address, http, file) =
            (self.address.to_string(), self.http.to_string(), path(self.folder.path(), "yihao.toml"));
        let mut all = vec!["call", "--server", &address, "--http", &http, "--config", &file];
        all.extend(words);
        yihao(&all).output().unwrap()
    }

    /// A metric, once it is there.
    fn metric(&self, name: &str) -> Option<f64> {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect_timeout(&self.http, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let is_it = |l: &&str| l.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let line = text.lines().find(is_it)?;
        line.rsplit(' ').next().unwrap().parse().ok()
    }
}

/// The command that starts a server in a folder, on free ports, with these lines of configuration. No `timeout` in between: its
/// process id is the server's own.
fn server(folder: &Path, configuration: &str, rtp: &str) -> Command {
    let root = env!("CARGO_MANIFEST_DIR");
    let http = if configuration.contains("[http]") { "" } else { "[http]\nlisten = \"127.0.0.1:0\"\n" };
    let text = format!(
        "plan = \"{root}/dialplans/mianyang.toml\"\n{configuration}\n{http}\
         [folders]\nvar = \"{}\"\n[[network]]\nname = \"main\"\nudp = [\"127.0.0.1:0\"]\nrtp = \"{rtp}\"\n",
        folder.join("var").display()
    );
    let file = path(folder, "yihao.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_yihao"));
    command
        .args(["serve", "--no-demo", "--config", &file])
        .current_dir(root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn status(output: &Output) -> Option<u64> {
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    outcome["status"].as_u64()
}

/// Waits, at most ten seconds, until a metric has a value.
fn await_metric(served: &Served, name: &str, value: f64) {
    let reached = (0..200).any(|_| {
        std::thread::park_timeout(Duration::from_millis(50));
        served.metric(name).is_some_and(|now| (now - value).abs() < f64::EPSILON)
    });
    assert!(reached, "{name} never became {value}");
}

#[test]
fn a_server_whose_first_screen_nobody_reads_serves_all_the_same() {
    let folder = folder();
    let mut server = Ended(server(folder.path(), "", "17300-17399").spawn().unwrap());
    drop(server.0.stdout.take());
    // It writes the screen as soon as it runs; ten times as long is enough to see that it stays.
    let token = folder.path().join("var/token");
    let runs = (0..200).any(|_| {
        std::thread::park_timeout(Duration::from_millis(50));
        token.exists()
    });
    assert!(runs, "the server never ran");
    let stays = (0..20).all(|_| {
        std::thread::park_timeout(Duration::from_millis(50));
        server.0.try_wait().unwrap().is_none()
    });
    assert!(stays, "the server ended with the reader of its screen");
}

#[test]
fn full_disk_refuses_new_calls_where_the_setting_says_so() {
    let served = Served::start("[recording]\ndisk_full = \"refuse\"\nmin_free_mb = 1000000", "17000-17099");
    await_metric(&served, "yihao_recording_disk_full", 1.0);
    let output = served.call().output().unwrap();
    assert_eq!((output.status.code(), status(&output)), (Some(1), Some(503)));
    await_metric(&served, "yihao_invites_refused_total", 1.0);
}

#[test]
fn full_disk_goes_on_serving_by_default() {
    let served = Served::start("[recording]\nmin_free_mb = 1000000", "17100-17199");
    await_metric(&served, "yihao_recording_disk_full", 1.0);
    let output = served.call().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn exhausted_port_range_refuses_with_503_and_recovers() {
    // Two pairs: one call with whoever answers it.
    let served = Served::start("", "17200-17203");
    let first = served.call().stdout(Stdio::piped()).spawn().unwrap();
    await_metric(&served, "yihao_calls", 1.0);
    let second = served.call().output().unwrap();
    assert_eq!((second.status.code(), status(&second)), (Some(1), Some(503)));
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    await_metric(&served, "yihao_calls", 0.0);
    // A port rests a second after use under pressure; then it serves again.
    let recovered = (0..20).any(|_| {
        std::thread::park_timeout(Duration::from_millis(200));
        served.call().output().unwrap().status.code() == Some(0)
    });
    assert!(recovered, "the freed port is dealt out again");
}
