//! SIPp: carriers and telephones by scenario, and exact counts.
//!
//! Scenarios stand in `sipp/`; `{{NAME}}` in them is replaced before the start, because SIPp takes keywords in messages only.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{Process, tail};
use super::site::Site;

/// What SIPp is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Scenario of `sipp/` without its ending.
    pub(crate) scenario: &'static str,
    /// Own address.
    pub(crate) local: SocketAddr,
    /// The far end; `None` for a scenario that waits for calls.
    pub(crate) remote: Option<SocketAddr>,
    /// The number dialled.
    pub(crate) service: &'static str,
    /// Calls until it ends.
    pub(crate) calls: u32,
    /// New calls a second.
    pub(crate) rate: u32,
    /// Length of the scenario's pause.
    pub(crate) pause_ms: u32,
    /// `u1` UDP, `t1` TCP with one connection.
    pub(crate) transport: &'static str,
    /// Whether requests are sent again when nobody answers.
    pub(crate) retransmit: bool,
    /// First port of audio.
    pub(crate) rtp_port: u16,
    /// Replacements in the scenario.
    pub(crate) replace: Vec<(&'static str, Vec<u8>)>,
}

impl Job {
    /// Calls to a number.
    pub(crate) fn call(site: &Site, scenario: &'static str, host: u8, service: &'static str) -> Self {
        Self {
            scenario,
            local: SocketAddr::new(site.street.at(host), 5060),
            remote: Some(site.sip()),
            service,
            calls: 1,
            rate: 10,
            pause_ms: 1000,
            transport: "u1",
            retransmit: true,
            rtp_port: 6000,
            replace: Vec::new(),
        }
    }

    /// A telephone that waits for calls.
    pub(crate) fn phone(site: &Site, scenario: &'static str, host: u8) -> Self {
        let mut job = Self::call(site, scenario, host, "seat");
        job.remote = None;
        job
    }
}

/// A running SIPp.
#[derive(Debug)]
pub(crate) struct Sipp {
    process: Process,
    name: String,
    folder: PathBuf,
}

/// What SIPp counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls that it began or got.
    pub(crate) created: u64,
    /// Calls that followed the scenario to its end.
    pub(crate) good: u64,
    /// Calls that did not.
    pub(crate) failed: u64,
}

impl Sipp {
    /// Starts it.
    pub(crate) fn start(site: &Site, job: &Job) -> Self {
        let host = match job.local.ip() {
            IpAddr::V4(ip) => ip.octets()[3].to_string(),
            IpAddr::V6(_) => format!("6-{}", job.local.port()),
        };
        let mut name = format!("sipp-{}-{host}", job.scenario);
        while site.file(&format!("{name}.xml")).exists() {
            name.push('+');
        }
        let folder = site.folder.path().to_owned();
        fs::write(site.file(&format!("{name}.xml")), scenario(site, job)).unwrap();
        let mut command = Command::new("sipp");
        command.current_dir(&folder);
        if let Some(remote) = job.remote {
            command.arg(remote.to_string()).args(["-s", job.service]);
        }
        let ip = job.local.ip().to_string();
        // Nobody commands it, but it wants a port for that, and IPv4.
        let control = site.street.at(99).to_string();
        command.args(["-sf", &format!("{name}.xml"), "-i", &ip, "-mi", &ip, "-p", &job.local.port().to_string()]);
        command.args(["-m", &job.calls.to_string(), "-r", &job.rate.to_string(), "-l", "1000", "-t", job.transport]);
        command.args(["-d", &job.pause_ms.to_string(), "-nostdin"]);
        command.args(["-trace_err", "-error_file", &format!("{name}.err"), "-trace_msg"]);
        command.args([
            "-message_file",
            &format!("{name}.msg"),
            "-trace_stat",
            "-stf",
            &format!("{name}.csv"),
            "-fd",
            "1",
        ]);
        command.args(["-bind_local", "-ci", &control, "-timeout", "120", "-timeout_error"]);
        command.args(["-mp", &job.rtp_port.to_string()]);
        if job.scenario == "caller_timed" {
            command.args(["-trace_rtt", "-rtt_freq", "1"]);
        }
        if job.scenario != "refreshed" {
            // OPTIONS, INFO and UPDATE are answered by themselves.
            command.arg("-aa");
        }
        if !job.retransmit {
            command.arg("-nr");
        }
        let process = Process::start(&name, command, &folder.join(format!("{name}.out")));
        Self { process, name, folder }
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// Waits for its end; what it counted.
    pub(crate) fn finish(&mut self, limit: Duration) -> Counts {
        self.process.wait(limit);
        counts(&self.file("csv"))
    }

    /// Waits for its end; every one of so many calls went by the scenario.
    pub(crate) fn expect_good(&mut self, calls: u64, limit: Duration) {
        let counts = self.finish(limit);
        assert_eq!(counts, Counts { created: calls, good: calls, failed: 0 }, "{}", self.complaint());
    }

    /// INVITE to 200 of each call of the scenario `caller_timed`, milliseconds, sorted.
    pub(crate) fn set_ups_ms(&self) -> Vec<f64> {
        let of_this = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&format!("{}_", self.name)) && name.ends_with("_rtt.csv")
        };
        let files = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let text: String = files.filter(of_this).map(|path| fs::read_to_string(path).unwrap()).collect();
        let mut times: Vec<f64> = text.lines().filter_map(|line| line.split(';').nth(1)?.parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// What went wrong, for messages of failing tests.
    pub(crate) fn complaint(&self) -> String {
        let part = |ending, lines| tail(&self.file(ending), lines);
        format!("{}:\n{}\n{}\n{}", self.name, part("out", 5), part("err", 30), part("msg", 120))
    }

    /// All messages so far, with their raw bytes.
    pub(crate) fn messages(&self) -> Vec<u8> {
        fs::read(self.file("msg")).unwrap_or_default()
    }

    /// The same as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.messages()).into_owned()
    }
}

fn scenario(site: &Site, job: &Job) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/e2e/sipp/{}.xml", job.scenario));
    let mut text = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let folder = site.folder.path().to_str().unwrap().as_bytes().to_vec();
    for (name, value) in job.replace.iter().chain([&("FOLDER", folder)]) {
        text = replaced(&text, format!("{{{{{name}}}}}").as_bytes(), value);
    }
    let rest = String::from_utf8_lossy(&text);
    assert!(!rest.contains("{{"), "{}: something is not replaced", job.scenario);
    text
}

fn replaced(text: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        if text[at..].starts_with(name) {
            out.extend_from_slice(value);
            at += name.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// The last line of SIPp's statistics.
fn counts(path: &Path) -> Counts {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
    let values: Vec<&str> = lines.next_back().unwrap_or_default().split(';').collect();
    let value = |name: &str| {
        let at = names.iter().position(|n| *n == name);
        at.and_then(|at| values.get(at)?.parse().ok()).unwrap_or(0)
    };
    Counts { created: value("TotalCallCreated"), good: value("SuccessfulCall(C)"), failed: value("FailedCall(C)") }
}
