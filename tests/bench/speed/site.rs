//! An exchange of its own for a measurement: addresses, configuration, plan, prompts, and the shipped binary on them.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::address::Street;
use crate::http;
use crate::load::now_ns;

/// The first seat; others follow.
const FIRST_SEAT: u32 = 8000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Seats that are ready.
    pub(crate) seats: u32,
    /// Whether calls are recorded.
    pub(crate) recording: bool,
}

/// A running exchange.
#[derive(Debug)]
pub(crate) struct Site {
    street: Street,
    folder: tempfile::TempDir,
    child: Child,
    token: String,
}

impl Site {
    /// Starts the binary and makes all seats ready.
    pub(crate) fn start(setting: Setting) -> Result<Self> {
        let site = Self::launch(setting, "")?;
        site.make_ready(setting.seats)?;
        Ok(site)
    }

    /// The same with phones that register by these secrets; nobody is ready.
    pub(crate) fn start_with_phones(setting: Setting, secrets: &str) -> Result<Self> {
        Self::launch(setting, secrets)
    }

    fn launch(setting: Setting, secrets: &str) -> Result<Self> {
        let street = Street::take();
        let folder = tempfile::tempdir_in(scratch())?;
        let path = folder.path();
        fs::write(path.join("yihao.toml"), config(&street, setting))?;
        fs::write(path.join("plan.toml"), plan(&street, setting, secrets.is_empty()))?;
        fs::write(path.join("secrets.toml"), format!("realm = \"yihao\"\n{secrets}"))?;
        fs::set_permissions(path.join("secrets.toml"), fs::Permissions::from_mode(0o600))?;
        prompts(&path.join("prompts"))?;
        let log = fs::File::create(path.join("yihao.log"))?;
        let child = Command::new(binary())
            .args(["serve", "--no-demo", "--config"])
            .arg(path.join("yihao.toml"))
            .env_remove("YIHAO_LISTEN")
            .env_remove("YIHAO_PLAN")
            .env_remove("YIHAO_VAR")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the binary does not start")?;
        let mut site = Self { street, folder, child, token: String::new() };
        site.wait()?;
        Ok(site)
    }

    fn wait(&mut self) -> Result<()> {
        let until = now_ns() + 60_000_000_000;
        while now_ns() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("the exchange has ended ({status}):\n{}", self.log());
            }
            if matches!(http::request(self.http(), "GET", "/readyz", ""), Ok((200, _))) {
                self.token = fs::read_to_string(self.folder.path().join("var/token"))?.trim().to_owned();
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the exchange does not become ready:\n{}", self.log())
    }

    fn make_ready(&self, seats: u32) -> Result<()> {
        for seat in FIRST_SEAT..FIRST_SEAT + seats {
            for choice in ["sign_in", "ready"] {
                let (status, body) = http::choose(self.http(), &self.token, seat, choice)?;
                ensure!(status == 204, "seat {seat} {choice}: {status} {body}");
            }
        }
        Ok(())
    }

    /// Process id of the exchange.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its SIP address (TLS is one port higher).
    pub(crate) fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.street.at(1), 5060)
    }

    /// Where the carrier's calls come from.
    pub(crate) fn carrier(&self) -> IpAddr {
        self.street.at(10)
    }

    /// Where all seats' phones are.
    pub(crate) fn phones(&self) -> IpAddr {
        self.street.at(21)
    }

    /// The seats' numbers.
    pub(crate) fn seat(index: u32) -> u32 {
        FIRST_SEAT + index
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn http(&self) -> SocketAddr {
        SocketAddr::new(self.street.at(1), 8080)
    }

    /// A GET of the API.
    pub(crate) fn get(&self, path: &str) -> Result<String> {
        Ok(http::request(self.http(), "GET", path, &self.token)?.1)
    }

    /// A metric, summed over its labels; 0 when it was never counted.
    pub(crate) fn metric(&self, name: &str) -> Result<u64> {
        let text = self.get("/metrics")?;
        let lines = text.lines().filter(|line| line.starts_with(name));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("yihao.log")).unwrap_or_default();
        let from = log.len().saturating_sub(4_000);
        log.get(from..).unwrap_or(&log).to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have ended; its folder goes either way.
        let _ended = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Where the exchange writes: memory where there is such a folder, since tens of thousands of recordings of a few
/// milliseconds measure how the disk makes and deletes files. `YIHAO_BENCH_DIR` names a disk.
fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    std::env::var_os("YIHAO_BENCH_DIR").map_or_else(
        || if memory.is_dir() { memory.to_owned() } else { PathBuf::from(env!("CARGO_TARGET_TMPDIR")) },
        PathBuf::from,
    )
}

/// The binary; `YIHAO_BINARY` names another build.
fn binary() -> PathBuf {
    std::env::var_os("YIHAO_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_yihao")), PathBuf::from)
}

fn config(street: &Street, setting: Setting) -> String {
    let ip = street.at(1);
    format!(
        "plan = \"plan.toml\"\nsecrets = \"secrets.toml\"\n[folders]\nvar = \"var\"\nprompts = \"prompts\"\n\
         [http]\nlisten = \"{ip}:8080\"\nrequests_per_s = 100000\n[recording]\non = {}\nmin_free_mb = 10\n\
         [limits]\ncalls = 20000\ncalls_per_s = 4000\nconnections_per_address = 4000\n\
         [[network]]\nname = \"main\"\nudp = [\"{ip}:5060\"]\ntcp = [\"{ip}:5060\"]\ntls = [\"{ip}:5061\"]\n\
         rtp = \"14000-29999\"\n",
        setting.recording
    )
}

fn plan(street: &Street, setting: Setting, fixed: bool) -> String {
    let (carrier, phones) = (street.at(10), street.at(21));
    let mut text = format!(
        "deployment = \"bench\"\nzone = \"Asia/Shanghai\"\n[skills]\ngeneral = \"综合\"\n\
         [[trunk]]\nname = \"carrier\"\nnetwork = \"main\"\nsources = [\"{carrier}\"]\narea_code = \"816\"\n\
         [[queue]]\nname = \"general\"\nskill = \"general\"\nwrap_up_ms = 0\nmax_waiting = 10000\nannounce_first_s = 0\n\
         [[line]]\nnumber = \"12345\"\nname = \"热线\"\n[[line.phase]]\nfrom = 2021-04-15\nmode = \"hotline\"\nqueue = \"general\"\n"
    );
    for index in 0..setting.seats {
        let seat = Site::seat(index);
        let _ = write!(text, "[[seat]]\nnumber = {seat}\nname = \"坐席\"\nskills = [\"general\"]\n");
        if fixed {
            let _ = writeln!(text, "contact = \"sip:{seat}@{phones}:5060\"");
        }
    }
    text
}

/// Every shipped prompt by its name, 20 ms of silence each, so that the greeting is the shortest that there is.
fn prompts(folder: &Path) -> Result<()> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts");
    for (rates, samples) in [("8k", 160_u32), ("16k", 320)] {
        for name in wav_files(&shipped.join(rates))? {
            let file = folder.join(name.strip_prefix(&shipped)?);
            fs::create_dir_all(file.parent().context("a file in a folder")?)?;
            fs::write(file, silence(samples * 50, samples))?;
        }
    }
    Ok(())
}

fn wav_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(wav_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            found.push(path);
        }
    }
    Ok(found)
}

/// A WAV file of silence: one channel, PCM16.
fn silence(rate: u32, samples: u32) -> Vec<u8> {
    let mut out = b"RIFF".to_vec();
    out.extend((36 + 2 * samples).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    out.extend([1_u16, 1].iter().flat_map(|word| word.to_le_bytes()));
    out.extend([rate, 2 * rate].iter().flat_map(|word| word.to_le_bytes()));
    out.extend([2_u16, 16].iter().flat_map(|word| word.to_le_bytes()));
    out.extend(b"data");
    out.extend((2 * samples).to_le_bytes());
    out.resize(out.len() + 2 * samples as usize, 0);
    out
}
