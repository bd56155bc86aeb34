//! The exchange itself: the binary that is shipped, started, asked, killed and started again.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::Process;
use super::site::Site;
use super::wav::Wav;
use super::{http, s, until};

/// A running exchange. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Server {
    /// What it runs on.
    pub(crate) site: Site,
    process: Process,
    token: String,
}

impl Server {
    /// Starts on a site and waits until calls are taken.
    pub(crate) fn start(site: Site) -> Self {
        site.write();
        let process = launch(&site);
        let mut server = Self { site, process, token: String::new() };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&mut self) {
        until("the exchange to be ready", s(30), || {
            assert!(self.process.ended().is_none(), "the exchange has ended:\n{}", self.process.last_words());
            let (status, _) = http::request(self.site.http(), "GET", "/readyz", "").ok()?;
            (status == 200).then_some(())
        });
        let token = std::fs::read_to_string(self.site.file("var/token")).expect("the token of the local session");
        self.token = token.trim().to_owned();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The token of the local session.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to end (SIGTERM); how it ended, if it did in time.
    pub(crate) fn stop(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.signal(Signal::SIGTERM);
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.process.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Has certificates and plan read again (SIGHUP).
    pub(crate) fn reload(&self) {
        self.process.signal(Signal::SIGHUP);
    }

    /// Puts a plan in the place of the one before and asks for it to be read (SIGHUP); waits until the log says these words.
    pub(crate) fn new_plan(&self, plan: &str, says: &str) {
        std::fs::write(self.site.file("plan.toml"), plan).unwrap();
        self.reload();
        until(&format!("the log to say {says:?}; it says:\n{}", self.process.last_words()), s(15), || {
            self.process.last_words().contains(says).then_some(())
        });
    }

    /// Starts again on the same folder.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.site);
        self.wait_until_ready();
    }

    /// A GET of the API.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = http::request(self.site.http(), "GET", path, &self.token).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The sum of a metric over its labels; 0 when it was never counted.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = http::request(self.site.http(), "GET", "/metrics", "").unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn choose(&self, seat: u32, choice: &str) -> u16 {
        http::choose(self.site.http(), &self.token, seat, choice).unwrap().0
    }

    /// Signs a seat in and makes it ready, as soon as its phone can be reached.
    pub(crate) fn make_ready(&self, seat: u32) {
        assert_eq!(self.choose(seat, "sign_in"), 204);
        until(&format!("seat {seat} to become ready"), s(10), || (self.choose(seat, "ready") == 204).then_some(()));
    }

    /// What a seat is doing now.
    pub(crate) fn doing(&self, seat: u32) -> String {
        let seats = self.get("/api/v1/seats");
        let all = seats["seats"].as_array().unwrap();
        let found = all.iter().find(|s| s["seat"] == seat).expect("the seat is in the plan");
        found["doing"].as_str().unwrap().to_owned()
    }

    /// Waits until so many calls live and are in a place that satisfies the test.
    pub(crate) fn wait_live(&self, what: &str, mut is: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
        until(what, s(15), || {
            let live = self.get("/api/v1/calls")["calls"].as_array()?.clone();
            is(&live).then_some(live)
        })
    }

    /// `yihao calls --json`: all records, newest first.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let text = self.yihao(&["calls", "--json", "--limit", "500"]);
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    }

    /// Waits until the records hold so many calls and all have a fate; newest first.
    pub(crate) fn wait_fates(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} records with a fate; there is {:?}", self.fates()), s(15), || {
            let calls = self.calls();
            let done = calls.iter().filter(|c| c["fate"].is_string()).count();
            assert!(calls.len() <= count, "more records than calls: {calls:?}");
            (done == count).then_some(calls)
        })
    }

    /// The fates of all calls, sorted.
    pub(crate) fn fates(&self) -> Vec<String> {
        let mut fates: Vec<String> =
            self.calls().iter().map(|c| c["fate"].as_str().unwrap_or("alive").to_owned()).collect();
        fates.sort();
        fates
    }

    /// One call with its steps, from `yihao calls ID --json`.
    pub(crate) fn timeline(&self, call: &Value) -> Value {
        serde_json::from_str(&self.yihao(&["calls", call["id"].as_str().unwrap(), "--json"])).unwrap()
    }

    /// Waits for steps of this kind in a call; how many there are in the end.
    pub(crate) fn steps(&self, call: &Value, kind: &str) -> Vec<Value> {
        let timeline = self.timeline(call);
        timeline["steps"].as_array().unwrap().iter().filter(|step| step["kind"] == kind).cloned().collect()
    }

    /// `yihao recording export`.
    pub(crate) fn export(&self, call: &Value) -> Wav {
        let id = call["id"].as_str().unwrap();
        let file = self.site.file(&format!("{id}.wav"));
        self.yihao(&["recording", "export", id, "--to", file.to_str().unwrap(), "--force"]);
        Wav::read(&file)
    }

    /// Runs a command of the binary on this site; fails the test when it fails.
    pub(crate) fn yihao(&self, words: &[&str]) -> String {
        let output = Command::new(binary())
            .args(words)
            .arg("--config")
            .arg(self.site.file("yihao.toml"))
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "yihao {words:?}: {}{said}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

impl Drop for Server {
    /// A failing test shows what the exchange said last.
    fn drop(&mut self) {
        // It ends before its addresses are free for another test.
        let failed = std::thread::panicking();
        if !failed {
            self.stop(s(2));
        }
        self.process.kill();
        if failed {
            eprintln!("--- the exchange's last words\n{}", self.process.last_words());
            if std::env::var_os("YIHAO_KEEP").is_some() {
                self.site.folder.disable_cleanup(true);
                eprintln!("--- kept {}", self.site.folder.path().display());
            }
        }
    }
}

fn launch(site: &Site) -> Process {
    let mut command = Command::new(binary());
    command.args(["serve", "--no-demo", "--config"]).arg(site.file("yihao.toml"));
    command.env_remove("YIHAO_LISTEN").env_remove("YIHAO_PLAN").env_remove("YIHAO_VAR");
    command.envs(site.environment.iter().map(|(name, value)| (name, value)));
    Process::start("yihao serve", command, &site.file("yihao.log"))
}

/// The binary under test; `YIHAO_BINARY` names another one, a release build for example.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("YIHAO_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_yihao")), PathBuf::from)
}
