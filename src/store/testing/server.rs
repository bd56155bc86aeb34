//! A PostgreSQL server of the tests' own: Debian's package, a private folder, a socket in it instead of a port.
//!
//! The server refuses to run as root, so root starts it as `nobody`. A shell that reads from this process ends it and
//! removes its folder when this process is gone, however that comes about.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// User and group `nobody` of Debian.
const NOBODY: u32 = 65_534;
/// For tests: nothing is synced, little memory is taken, no network is heard.
const OPTIONS: &str = "-c fsync=off -c shared_buffers=16MB -c listen_addresses='' -c max_connections=200 \
                       -c autovacuum=off -c unix_socket_directories=";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    programs: PathBuf,
    /// Where all of it lies: `data`, `log` and the socket.
    pub(crate) folder: PathBuf,
    databases: AtomicU32,
    /// Ends the server when its standard input ends.
    _watch: Child,
}

/// The server that all tests of this process share; nothing, said aloud, when PostgreSQL is not installed.
pub(crate) fn shared(test: &str) -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(Server::start).as_ref();
    if server.is_none() {
        skip(test);
    }
    server
}

/// Says aloud that a test cannot run; in CI it fails.
pub(crate) fn skip(test: &str) {
    assert!(std::env::var_os("YIHAO_CI").is_none(), "{test}: PostgreSQL is missing, and in CI nothing may be skipped");
    eprintln!("SKIPPED {test}: PostgreSQL is missing (apt-get install postgresql)");
    if let Some(path) = std::env::var_os("YIHAO_SKIPS")
        && let Ok(mut file) = fs::OpenOptions::new().append(true).create(true).open(path)
    {
        let _not_counted = writeln!(file, "{test}: postgresql");
    }
}

impl Server {
    /// Makes a folder and starts a server in it; nothing when PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("yihao-pg-").tempdir().unwrap().keep();
        if root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = folder.join("data");
        let initdb = ["-U", "yihao", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        run(as_nobody(&programs.join("initdb")).args(initdb).arg(&data));
        let watch = format!(
            "read -r _; {}/pg_ctl -D {} -m immediate stop; rm -rf {}",
            programs.display(),
            data.display(),
            folder.display()
        );
        let watch = as_nobody(Path::new("/bin/sh"))
            .args(["-c", &watch])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { programs, folder, databases: AtomicU32::new(0), _watch: watch };
        server.go();
        Some(server)
    }

    /// Starts the server again after [`Server::kill`]; returns when it answers.
    pub(crate) fn go(&self) {
        self.go_with("");
    }

    /// The same with more options of the server.
    pub(crate) fn go_with(&self, more: &str) {
        let options = format!("{OPTIONS}{} {more}", self.folder.display());
        let log = self.folder.join("log");
        run(self.control().args(["-w", "-o", &options, "-l"]).arg(log).arg("start"));
    }

    /// Ends the server as a crash would: nothing is written any more, connections break.
    pub(crate) fn kill(&self) {
        run(self.control().args(["-w", "-m", "immediate", "stop"]));
    }

    /// Makes a new empty database; its address.
    pub(crate) async fn new_database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://yihao@localhost/{database}?host={}", self.folder.display())
    }

    fn control(&self) -> Command {
        let mut command = as_nobody(&self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.folder.join("data"));
        command
    }
}

/// The folder of the newest version that Debian has installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|bin| bin.join("initdb").is_file() && bin.join("pg_ctl").is_file()).max()
}

fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(if root() { Path::new("setpriv") } else { program });
    if root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    }
    command.current_dir("/").env("LC_ALL", "C");
    command
}

/// Runs a program to its end. Its output goes nowhere: what it leaves running would hold a pipe open.
fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
