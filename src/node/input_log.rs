//! The log of the loop's inputs: what came from outside, with all that is needed to run the exchange again exactly.
//!
//! Off by default, since it holds numbers: files have mode 0600 and old runs are removed. Passwords, their hashes, proofs and
//! keys are masked (`mask`). A run is a chain of files, each a journal that begins with the same header; a run that has reached its
//! bound is logged no further, because its end is worth nothing without its beginning. Knows no socket and decides nothing.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::center::{self, Center};
use crate::dialplan::file::Outside;
use crate::dialplan::{Plan, PlanText};
use crate::exchange::{Exchange, Input, Output};
use crate::journal::{Kind, MAX_PAYLOAD_BYTES, Writer};
use crate::media::ports::PortPool;
use crate::sip::auth::Credentials;
use crate::sip::endpoint::{self, Endpoint};
use crate::types::{IdBase, MediaPort, NetworkId, Now, SeatId};

mod mask;

pub use mask::Mask;

/// What such a file begins with.
pub const KIND: Kind = Kind { magic: *b"YHIN", version: 2 };
/// Ending of the files.
pub const ENDING: &str = "inputs";

/// The first chunk of each file: what the exchange was made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// Number of the file in its run, from 1.
    pub segment: u32,
    /// The plan file.
    pub plan: PlanText,
    /// How the endpoint behaves.
    pub endpoint: endpoint::Config,
    /// Bounds of the center.
    pub center: center::Config,
    /// For which algorithms each seat has an HA1; the log's proofs are those of stand-ins.
    pub seats: Vec<SeatProof>,
    /// Names of trunks that have a password. The password itself is not kept: what it proves is left out of the digest.
    pub trunks: Vec<String>,
    /// Media ports in the order in which the pool got them: network, worker, port, whether IPv6.
    pub ports: Vec<(u8, u8, u16, bool)>,
    /// Where live ids began.
    pub ids: IdBase,
    /// Seed of all random values but the keys of streams, which are left out of the digest.
    pub seed: [u8; 32],
}

/// Which proofs of a seat's phone are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatProof {
    seat: SeatId,
    md5: bool,
    sha256: bool,
}

impl SeatProof {
    /// Of the stored hashes of a seat.
    pub fn new(seat: SeatId, credentials: &Credentials) -> Self {
        Self { seat, md5: credentials.ha1_md5.is_some(), sha256: credentials.ha1_sha256.is_some() }
    }

    fn stand_in(self, realm: &str) -> Credentials {
        Credentials::stand_in(&self.seat.0.to_string(), realm, self.md5, self.sha256)
    }
}

/// One thing that happened to the exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record<'a> {
    /// When.
    pub at: Now,
    /// Digest of all outputs before it.
    pub before: u32,
    /// What.
    pub entry: Entry<'a>,
}

/// What can happen to the exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Entry<'a> {
    /// An input.
    Input(Cow<'a, Input>),
    /// A new plan with the accounts that go with it.
    Plan {
        /// The plan.
        plan: PlanText,
        /// Seats with an account.
        seats: Vec<SeatProof>,
        /// Trunks with a password.
        trunks: Vec<String>,
    },
    /// Registrations at carriers were taken back.
    Unregister,
    /// All legs were ended.
    EndAll,
}

/// Why a log cannot be played again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// The plan in it has mistakes for this version of the program.
    #[error("the plan in the log is not understood: {0}")]
    Plan(String),
}

impl Header {
    /// An exchange as it was when the log began, but for its secrets: stand-ins prove the same.
    ///
    /// # Errors
    /// [`RebuildError`] when the plan cannot be understood.
    pub fn build(&self) -> Result<Exchange, RebuildError> {
        self.build_with(self.stand_ins())
    }

    /// The same with given secrets.
    ///
    /// # Errors
    /// [`RebuildError`] when the plan cannot be understood.
    pub fn build_with(&self, secrets: endpoint::Secrets) -> Result<Exchange, RebuildError> {
        let plan = Arc::new(plan_of(&self.plan)?);
        let ports = self.ports.iter().map(|&(network, worker, port, v6)| MediaPort {
            network: NetworkId(network),
            worker,
            port,
            v6,
        });
        let endpoint = Endpoint::new(
            self.endpoint.clone(),
            Arc::clone(&plan),
            secrets,
            PortPool::new(ports),
            self.ids.legs_of_endpoint(),
            endpoint::Seeds { wire: self.seed, keys: [0; 32] },
        );
        Ok(Exchange::new(endpoint, Center::new(plan, self.center.clone(), self.ids)))
    }

    /// What stands in for the seats' accounts and the trunks' passwords.
    pub fn stand_ins(&self) -> endpoint::Secrets {
        stand_ins(&self.endpoint.realm, &self.seats, &self.trunks)
    }
}

fn stand_ins(realm: &str, seats: &[SeatProof], trunks: &[String]) -> endpoint::Secrets {
    let seats = seats.iter().map(|proof| (proof.seat, proof.stand_in(realm)));
    let trunks = trunks.iter().map(|name| (name.clone(), "not kept".to_owned()));
    endpoint::Secrets { seats: seats.collect(), trunks: trunks.collect() }
}

/// The plan of a log. Prompts and networks are not looked for: the running node had them.
fn plan_of(text: &PlanText) -> Result<Plan, RebuildError> {
    let (plan, report) = text.read(&Outside { prompts: &|_| true, networks: None });
    let first = report.errors.first().map(|finding| finding.message.clone()).unwrap_or_default();
    plan.ok_or(RebuildError::Plan(first))
}

/// Plays one entry to an exchange.
///
/// # Errors
/// [`RebuildError`] when the entry is a plan that cannot be understood.
pub fn play(
    exchange: &mut Exchange,
    header: &Header,
    at: Now,
    entry: Entry<'_>,
    out: &mut Vec<Output>,
) -> Result<(), RebuildError> {
    match entry {
        Entry::Input(input) => exchange.handle(at, input.into_owned(), out),
        Entry::Plan { plan, seats, trunks } => {
            exchange.set_plan(at, plan_of(&plan)?, stand_ins(&header.endpoint.realm, &seats, &trunks), out);
        }
        Entry::Unregister => exchange.unregister(at, out),
        Entry::EndAll => exchange.end_all(at, out),
    }
    Ok(())
}

/// Digest of outputs, so that a replay knows where it leaves the way of the original.
#[derive(Clone, Debug, Default)]
pub struct Digest(crc32fast::Hasher);

impl Digest {
    /// Takes more outputs in. Proofs and keys of our own are left out: the log does not hold what they are made of.
    pub fn take(&mut self, outputs: &[Output]) {
        for output in outputs {
            let Output::Send(transmit) = output else {
                // Writing to a hash cannot fail.
                let _always = write!(self, "{output:?}");
                continue;
            };
            let _always = write!(self, "{:?}", transmit.hop);
            let is_secret = |line: &&[u8]| {
                [&b"Authorization:"[..], b"Proxy-Authorization:", b"a=crypto:"]
                    .iter()
                    .any(|with| line.starts_with(with))
            };
            for line in transmit.bytes.split(|byte| *byte == b'\n').filter(|line| !is_secret(line)) {
                self.0.update(line);
            }
        }
    }

    /// The value so far.
    pub fn value(&self) -> u32 {
        self.0.clone().finalize()
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size at which a new file is begun, bytes. Default 256 MiB.
    pub segment_bytes: u64,
    /// Files of one run; then its log ends. Default 16.
    pub segments: u32,
    /// Runs whose logs are kept, this one included. Default 3.
    pub runs: usize,
    /// Days for which they are kept. Default 3.
    pub days: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 256 << 20, segments: 16, runs: 3, days: 3 }
    }
}

/// Writes the log of one run.
pub struct InputLog {
    folder: PathBuf,
    run: String,
    header: Header,
    mask: Mask,
    limits: Limits,
    digest: Digest,
    file: Option<Writer<BufWriter<File>>>,
    written: u64,
    buffer: Vec<u8>,
}

impl InputLog {
    /// Begins the log of a run (named by its start in seconds) and removes those of runs that are too old.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn create(folder: &Path, run: &str, header: Header, mask: Mask, limits: Limits) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        remove_old(folder, run, limits)?;
        let mut log = Self {
            folder: folder.to_owned(),
            run: run.to_owned(),
            header: Header { segment: 0, ..header },
            mask,
            limits,
            digest: Digest::default(),
            file: None,
            written: 0,
            buffer: Vec::new(),
        };
        log.next_segment()?;
        Ok(log)
    }

    /// Notes a new plan with its accounts, whose secrets are masked from now on.
    pub fn renew(&mut self, at: Now, plan: PlanText, secrets: &endpoint::Secrets) {
        self.mask.renew(&secrets.seats);
        let seats = secrets.seats.iter().map(|(seat, real)| SeatProof::new(*seat, real)).collect();
        self.record(at, Entry::Plan { plan, seats, trunks: secrets.trunks.keys().cloned().collect() });
    }

    /// Notes what is about to be handed to the exchange: before that, so that an input which stops the program is in the log.
    pub fn record(&mut self, at: Now, entry: Entry<'_>) {
        if self.file.is_none() {
            return;
        }
        let entry = self.mask.entry(entry);
        if let Err(error) = self.write(&Record { at, before: self.digest.value(), entry }) {
            tracing::error!(%error, "the log of inputs cannot be written and ends here");
            self.file = None;
        }
    }

    /// Takes in what came of it.
    pub fn outcome(&mut self, outputs: &[Output]) {
        if self.file.is_some() {
            self.digest.take(outputs);
        }
    }

    /// Hands what was noted to the system; called once a turn of the loop.
    pub fn flush(&mut self) {
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.inner_mut().flush()) {
            tracing::error!(%error, "the log of inputs cannot be written and ends here");
            self.file = None;
        }
    }

    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        if self.written >= self.limits.segment_bytes {
            self.next_segment()?;
        }
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, record)?;
        if self.buffer.len() > MAX_PAYLOAD_BYTES {
            return Err(io::Error::other("an input is too large"));
        }
        self.written += self.buffer.len() as u64;
        self.file.as_mut().map_or(Ok(()), |file| file.append(&self.buffer))
    }

    fn next_segment(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.inner_mut().flush()?;
        }
        self.file = None;
        self.header.segment += 1;
        if self.header.segment > self.limits.segments {
            tracing::warn!("the log of inputs has reached its bound and ends here");
            return Ok(());
        }
        let path = segment_path(&self.folder, &self.run, self.header.segment);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut writer = Writer::new(BufWriter::with_capacity(1 << 16, file), KIND)?;
        let header = serde_json::to_vec(&self.header)?;
        if header.len() > MAX_PAYLOAD_BYTES {
            return Err(io::Error::other("the plan is too large for a log of inputs"));
        }
        writer.append(&header)?;
        (self.written, self.file) = (header.len() as u64, Some(writer));
        Ok(())
    }
}

/// The file with this number of a run.
pub fn segment_path(folder: &Path, run: &str, segment: u32) -> PathBuf {
    folder.join(format!("{run}-{segment:04}.{ENDING}"))
}

/// Run and number in the name of such a file.
pub fn parts_of(path: &Path) -> Option<(String, u32)> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?.strip_suffix('.')?;
    let (run, segment) = name.rsplit_once('-')?;
    Some((run.to_owned(), segment.parse().ok()?))
}

fn remove_old(folder: &Path, run: &str, limits: Limits) -> io::Result<()> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        files.extend(parts_of(&path).map(|(run, _)| (run, path)));
    }
    let mut runs: Vec<&str> = files.iter().map(|(run, _)| run.as_str()).filter(|other| *other != run).collect();
    runs.sort_unstable();
    runs.dedup();
    // A run is named by its start in seconds; a name of another kind has no age.
    let oldest = run.parse::<u64>().ok().map(|start| start.saturating_sub(u64::from(limits.days) * 86_400).to_string());
    let aged = runs.iter().take_while(|other| oldest.as_deref().is_some_and(|oldest| **other < oldest)).count();
    let gone = runs.len().saturating_sub(limits.runs.saturating_sub(1)).max(aged);
    for (_, path) in files.iter().filter(|(run, _)| runs[..gone].contains(&run.as_str())) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
