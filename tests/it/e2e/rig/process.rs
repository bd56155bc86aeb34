//! A program of the test: it ends with its owner, and what it wrote is there when the test fails.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::until;

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    /// Where standard output (unless taken) and standard error go.
    pub(crate) log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self::spawn(name, command, log)
    }

    /// Starts a program whose standard input and output the caller has piped himself.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Self {
        let child = command.spawn().unwrap_or_else(|why| panic!("{name} does not start: {why}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The child itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}; its last words:\n{}", self.name, self.last_words());
        until(&what, limit, || self.child.try_wait().unwrap())
    }

    /// `kill -9`, and the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // It may have ended by itself.
        let _gone = signal::kill(pid, signal);
    }

    /// The end of its output.
    pub(crate) fn last_words(&self) -> String {
        tail(&self.log, 40)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a file.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
