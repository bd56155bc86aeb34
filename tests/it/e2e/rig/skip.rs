//! Tools that may be missing: a test without its tool is skipped aloud, and in CI it fails.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that nobody here wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// SIPp: signalling and counts.
    Sipp,
    /// pjsua2 with Python: what is heard.
    Pjsua,
    /// baresip: a second opinion on both.
    Baresip,
    /// schemathesis: requests made of the interface's own document.
    Schemathesis,
    /// IPv6 on the loopback interface.
    Ipv6,
    /// libfaketime: the system's clock stepped for one process.
    Faketime,
    /// Small file systems of one's own: root may mount them.
    Mounts,
    /// Holding up one thread of another process (ptrace).
    Tracing,
}

impl Tool {
    fn is_there(self) -> bool {
        match self {
            Self::Sipp => runs(Command::new("sipp").arg("-v")),
            Self::Pjsua => runs(Command::new(pjsua_python()).args(["-c", "import pjsua2"])),
            Self::Baresip => runs(Command::new("baresip").arg("-h")),
            Self::Schemathesis => runs(Command::new(schemathesis()).arg("--version")),
            Self::Ipv6 => std::net::UdpSocket::bind("[::1]:0").is_ok(),
            Self::Faketime => faketime().is_some(),
            // Both are root's.
            Self::Mounts | Self::Tracing => std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0),
        }
    }
}

/// Whether all tools are there. Otherwise the test says so and returns.
pub(crate) fn have(tools: &[Tool]) -> bool {
    let Some(missing) = tools.iter().find(|tool| !tool.is_there()) else { return true };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(std::env::var_os("YIHAO_CI").is_none(), "{test}: {missing:?} is missing, and in CI nothing may be skipped");
    eprintln!("SKIPPED {test}: {missing:?} is missing");
    if let Some(path) = std::env::var_os("YIHAO_SKIPS") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{test}: {missing:?} is missing").unwrap();
    }
    false
}

/// Starts and ends; whatever it says.
fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| {
        // SIPp leaves with 99 after printing its version, baresip with 254 after its help.
        matches!(status.code(), Some(0 | 99 | 254))
    })
}

/// The library that steps clocks, of Debian's package `libfaketime`; the folder bears the machine's name.
pub(crate) fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.is_file())
}

/// Python with pjsua2, as `tests/setup.sh` makes it.
pub(crate) fn pjsua_python() -> PathBuf {
    tools().join("pjsua2/bin/python")
}

/// schemathesis, as `tests/setup.sh` makes it.
pub(crate) fn schemathesis() -> PathBuf {
    tools().join("schemathesis/bin/schemathesis")
}

/// Where `tests/setup.sh` puts tools of Python.
fn tools() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    target.join("tools")
}
