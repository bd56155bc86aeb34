//! A telephone on pjsua2 (`pjsua/phone.py`): it is told what to do and tells what has happened.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::process::{Process, tail};
use super::site::{Site, password};
use super::{s, skip};

/// A telephone. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Phone {
    name: String,
    process: Process,
    orders: ChildStdin,
    events: Receiver<Value>,
    log: PathBuf,
}

/// Waits of a telephone's events.
const PATIENCE: Duration = s(20);

impl Phone {
    /// A seat's phone: registers with the seat's password, answers by itself when told `"answer": 200`. `more` stands over
    /// what is usual.
    pub(crate) fn seat(site: &Site, number: u32, host: u8, more: Value) -> Self {
        let phone = Self::start(
            site,
            json!({
                "user": number.to_string(), "domain": site.sip().to_string(), "register": true,
                "password": password(number), "bind": site.street.at(host).to_string(),
            }),
            more,
        );
        phone.wait("registration", |e| e["code"] == 200);
        phone
    }

    /// A caller on a trunk: nobody registers, calls go to the exchange.
    pub(crate) fn caller(site: &Site, host: u8, more: Value) -> Self {
        Self::start(
            site,
            json!({ "user": "13900000000", "domain": site.sip().to_string(), "bind": site.street.at(host).to_string() }),
            more,
        )
    }

    /// Any telephone: `more` stands over `usual`.
    pub(crate) fn start(site: &Site, usual: Value, more: Value) -> Self {
        let mut want = usual;
        for (key, value) in more.as_object().unwrap() {
            want[key] = value.clone();
        }
        let name =
            format!("{}-{}", want["user"].as_str().unwrap(), want["bind"].as_str().unwrap().replace([':', '.'], "-"));
        let log = site.file(&format!("phone-{name}.log"));
        want["log"] = json!(log);
        let mut command = Command::new(skip::pjsua_python());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/e2e/pjsua/phone.py");
        let mistakes = site.file(&format!("phone-{name}.err"));
        command.arg(script).arg(want.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(std::fs::File::create(&mistakes).unwrap());
        let mut process = Process::spawn(&name, command, &mistakes);
        let orders = process.child().stdin.take().unwrap();
        let said = BufReader::new(process.child().stdout.take().unwrap());
        let (tell, events) = channel();
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str::<Value>(&line)
                    && tell.send(event).is_err()
                {
                    break;
                }
            }
        });
        let phone = Self { name, process, orders, events, log };
        phone.wait("ready", |_| true);
        phone
    }

    /// Waits for an event, skipping others; its moment is in `at` (seconds).
    pub(crate) fn wait(&self, event: &str, is: impl FnMut(&Value) -> bool) -> Value {
        self.wait_for(event, PATIENCE, is)
    }

    /// The same with a limit.
    pub(crate) fn wait_for(&self, event: &str, limit: Duration, mut is: impl FnMut(&Value) -> bool) -> Value {
        let end = Instant::now() + limit;
        let mut seen = Vec::new();
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(found) if found["event"] == event && is(&found) => return found,
                Ok(other) if other["event"] == "failed" => panic!("{}: {other}", self.name),
                Ok(other) => seen.push(other),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => panic!(
                    "phone {}: waited in vain for {event:?}; it told {seen:?}\n{}\n{}",
                    self.name,
                    self.process.last_words(),
                    tail(&self.log, 60)
                ),
            }
        }
    }

    /// Events that are there now, without waiting.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.events.try_iter().collect()
    }

    /// Waits until a call is in this state.
    pub(crate) fn wait_state(&self, state: &str) -> Value {
        self.wait("state", |e| e["state"] == state)
    }

    /// Tells it what to do.
    pub(crate) fn order(&mut self, order: Value) {
        writeln!(self.orders, "{order}")
            .unwrap_or_else(|why| panic!("{}: {why}; {}", self.name, self.process.last_words()));
    }

    /// Calls a number at the exchange.
    pub(crate) fn call(&mut self, uri: &str) {
        self.order(json!({ "do": "call", "uri": uri }));
    }

    /// Hangs up, and waits until the call is over.
    pub(crate) fn hang_up(&mut self) -> Value {
        self.order(json!({ "do": "hangup" }));
        self.wait_state("disconnected")
    }

    /// Records what it hears from now on.
    pub(crate) fn record(&mut self, file: &Path) -> Value {
        self.order(json!({ "do": "record", "file": file }));
        self.wait("recording", |_| true)
    }

    /// `kill -9`: no unregistration, no BYE.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops in the middle of everything (SIGSTOP): sends nothing and answers nothing, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// Everything that it sent and received so far.
    pub(crate) fn messages(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}
