//! A deployment for one test: configuration, dial plan, secrets and prompts in a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use super::address::Street;
use super::tone;

/// Realm of the digest.
const REALM: &str = "yihao";

/// Where the carrier's calls for 12345 come from (last number of the address).
pub(crate) const TELECOM: u8 = 10;
/// Where the trunk of 12315 sends from.
pub(crate) const LINE_12315: u8 = 15;
/// Where nobody is known.
pub(crate) const STRANGER: u8 = 66;
/// The first seat's phone; others follow.
pub(crate) const PHONE: u8 = 21;

/// A `[[network]]` of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Name.
    pub(crate) name: &'static str,
    /// Listener of UDP and TCP; TLS is on the next port.
    pub(crate) listen: SocketAddr,
    /// Address that stands in messages instead.
    pub(crate) advertised: Option<IpAddr>,
    /// First and last port of RTP.
    pub(crate) rtp: (u16, u16),
}

/// A `[[seat]]` of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Its number.
    pub(crate) number: u32,
    /// A fixed contact; otherwise it registers with [`password`].
    pub(crate) contact: Option<String>,
}

/// A deployment. Change the fields, then start a server on it.
#[derive(Debug)]
pub(crate) struct Site {
    /// Its addresses.
    pub(crate) street: Street,
    /// Its folder.
    pub(crate) folder: tempfile::TempDir,
    /// Networks; the first carries trunks.
    pub(crate) networks: Vec<Network>,
    /// Most calls at a time on the first trunk.
    pub(crate) max_calls: u32,
    /// Trunks by name and the addresses they send from.
    pub(crate) trunks: Vec<(&'static str, Vec<IpAddr>)>,
    /// Seats.
    pub(crate) seats: Vec<Seat>,
    /// How long a seat rings.
    pub(crate) ring_ms: u32,
    /// Lines of `[timers]`.
    pub(crate) timers: String,
    /// Free space below which the disk counts as full.
    pub(crate) min_free_mb: u32,
    /// What a full disk does.
    pub(crate) disk_full: &'static str,
    /// Lines of `[media]`.
    pub(crate) media: &'static str,
    /// Whether inputs are logged for a replay.
    pub(crate) input_log: bool,
    /// Lines of `[tls]`, with their heading.
    pub(crate) tls: String,
    /// More lines for the first trunk, instead of its sources.
    pub(crate) first_trunk: Option<String>,
    /// Whether seats may call out: over the trunks in their order, at the first address of each.
    pub(crate) calls_out: bool,
    /// More lines at the plan's end.
    pub(crate) more_plan: String,
    /// More secrets.
    pub(crate) secrets: String,
    /// Digest algorithms that phones are offered.
    pub(crate) digest: &'static [&'static str],
    /// Prompts of the repository instead of short tones.
    pub(crate) real_prompts: bool,
    /// Length of a short prompt, seconds.
    pub(crate) prompt_s: f64,
    /// Lines of `[limits]`.
    pub(crate) limits: &'static str,
    /// Address of a PostgreSQL database instead of a SQLite file.
    pub(crate) database: Option<String>,
    /// Variables of the exchange's environment.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Site {
    /// One network, both trunks, no seat.
    pub(crate) fn new() -> Self {
        let street = Street::take();
        let network = Network {
            name: "main",
            listen: SocketAddr::new(street.at(1), 5060),
            advertised: None,
            rtp: (20_000, 20_399),
        };
        let trunks = vec![("telecom", vec![street.at(TELECOM)]), ("line-12315", vec![street.at(LINE_12315)])];
        Self {
            folder: tempfile::Builder::new().prefix("yihao-e2e-").tempdir().unwrap(),
            networks: vec![network],
            trunks,
            max_calls: 1000,
            seats: Vec::new(),
            ring_ms: 15_000,
            timers: String::new(),
            min_free_mb: 10,
            disk_full: "continue",
            media: "",
            input_log: false,
            tls: String::new(),
            first_trunk: None,
            calls_out: false,
            more_plan: String::new(),
            secrets: String::new(),
            digest: &["SHA-256", "MD5"],
            real_prompts: false,
            prompt_s: 0.3,
            limits: "",
            database: None,
            environment: Vec::new(),
            street,
        }
    }

    /// The same with a seat whose phone registers.
    pub(crate) fn with_seat(mut self, number: u32) -> Self {
        self.seats.push(Seat { number, contact: None });
        self
    }

    /// The same with a seat whose phone has a fixed address.
    pub(crate) fn with_fixed_seat(mut self, number: u32, host: u8) -> Self {
        let contact = format!("sip:{number}@{}:5060", self.street.at(host));
        self.seats.push(Seat { number, contact: Some(contact) });
        self
    }

    /// A file of the test's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// SIP address of the exchange in the first network.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.networks[0].listen
    }

    /// The same over TLS.
    pub(crate) fn sip_tls(&self) -> SocketAddr {
        SocketAddr::new(self.sip().ip(), self.sip().port() + 1)
    }

    /// Address of the HTTP API.
    pub(crate) fn http(&self) -> SocketAddr {
        SocketAddr::new(self.street.at(1), 8080)
    }

    /// A tone as a WAV file that telephones loop.
    pub(crate) fn tone(&self, hertz: f64) -> PathBuf {
        let path = self.file(&format!("tone-{hertz}.wav"));
        tone::write(&path, hertz, 8000, 2.0);
        path
    }

    /// Writes configuration, plan, secrets and prompts.
    pub(crate) fn write(&self) {
        fs::write(self.file("yihao.toml"), self.config()).unwrap();
        fs::write(self.file("plan.toml"), self.plan()).unwrap();
        let secrets = self.file("secrets.toml");
        fs::write(&secrets, self.secrets()).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        if !self.real_prompts {
            short_prompts(&self.file("prompts"), self.prompt_s);
        }
    }

    fn config(&self) -> String {
        let prompts = if self.real_prompts { repository_prompts() } else { self.file("prompts") };
        let database = self.database.as_ref().map(|url| format!("database = {url:?}\n")).unwrap_or_default();
        let mut text = format!(
            "{database}realm = {REALM:?}\ndigest = {:?}\nplan = \"plan.toml\"\nsecrets = \"secrets.toml\"\n\
             [folders]\nvar = \"var\"\nprompts = {:?}\n\
             [http]\nlisten = \"{}\"\nrequests_per_s = 100000\n[recording]\nmin_free_mb = {}\ndisk_full = {:?}\n[timers]\n{}\n\
             [media]\n{}\n[limits]\n{}\n[input_log]\non = {}\n{}\n",
            self.digest,
            prompts,
            self.http(),
            self.min_free_mb,
            self.disk_full,
            self.timers,
            self.media,
            self.limits,
            self.input_log,
            self.tls
        );
        for network in &self.networks {
            let tls = SocketAddr::new(network.listen.ip(), network.listen.port() + 1);
            let listen = network.listen;
            let _ = writeln!(text, "[[network]]\nname = {:?}", network.name);
            let _ = writeln!(text, "udp = [\"{listen}\"]\ntcp = [\"{listen}\"]\ntls = [\"{tls}\"]");
            let _ = writeln!(text, "rtp = \"{}-{}\"", network.rtp.0, network.rtp.1);
            if let Some(advertised) = network.advertised {
                let _ = writeln!(text, "advertised = [\"{advertised}\"]");
            }
        }
        text
    }

    /// The dial plan.
    pub(crate) fn plan(&self) -> String {
        let mut text = String::from("deployment = \"test\"\nzone = \"Asia/Shanghai\"\n[skills]\ngeneral = \"综合\"\n");
        for (n, (name, ips)) in self.trunks.iter().enumerate() {
            let sources: Vec<String> = ips.iter().map(|ip| format!("\"{ip}\"")).collect();
            let sources = format!("sources = [{}]", sources.join(", "));
            let known_by = self.first_trunk.as_ref().filter(|_| n == 0).unwrap_or(&sources);
            let network = self.networks[0].name;
            let max_calls = if n == 0 { self.max_calls } else { 1000 };
            let _ = writeln!(
                text,
                "[[trunk]]\nname = {name:?}\nnetwork = {network:?}\n{known_by}\narea_code = \"816\"\nmax_calls = {max_calls}\n\
                 caller = {{ policy = \"own\", number = \"12345\" }}"
            );
            if let Some(address) = ips.first().filter(|_| self.calls_out) {
                let _ = writeln!(text, "address = \"sip:{address}:5060\"\ngroup = {{ name = \"out\", order = {n} }}");
            }
        }
        let _ = writeln!(text, "[[queue]]\nname = \"general\"\nskill = \"general\"\nring_ms = {}", self.ring_ms);
        let _ = writeln!(text, "wrap_up_ms = 0");
        for (number, mode) in [
            ("12345", "mode = \"hotline\"\nqueue = \"general\""),
            ("12315", "mode = \"dual\"\nqueue = \"general\""),
            ("12369", "mode = \"dual\"\nqueue = \"general\"\nanswer = \"by-seat\""),
            ("12366", "mode = \"planned\""),
        ] {
            let _ = writeln!(text, "[[line]]\nnumber = {number:?}\nname = \"{number} 热线\"");
            let _ = writeln!(text, "[[line.phase]]\nfrom = 2021-10-15\n{mode}");
        }
        // A plan needs a seat; this one has no phone.
        let nobody = [Seat { number: 8999, contact: None }];
        let seats = if self.seats.is_empty() { &nobody[..] } else { &self.seats };
        for seat in seats {
            let _ = writeln!(text, "[[seat]]\nnumber = {}\nname = \"坐席\"\nskills = [\"general\"]", seat.number);
            if let Some(contact) = &seat.contact {
                let _ = writeln!(text, "contact = {contact:?}");
            }
        }
        text + &self.more_plan
    }

    fn secrets(&self) -> String {
        let mut text = format!("realm = {REALM:?}\n{}\n", self.secrets);
        for seat in self.seats.iter().filter(|seat| seat.contact.is_none()) {
            let secret = format!("{}:{REALM}:{}", seat.number, password(seat.number));
            let sha256 = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
            let _ = writeln!(text, "[[seat]]\nnumber = {}", seat.number);
            let _ = writeln!(
                text,
                "md5 = \"{}\"\nsha256 = \"{}\"",
                hex(&Md5::digest(secret.as_bytes())),
                hex(sha256.as_ref())
            );
        }
        text
    }
}

/// The password of a seat's phone.
pub(crate) fn password(seat: u32) -> String {
    format!("geheim-{seat}")
}

/// The prompts that are shipped.
pub(crate) fn repository_prompts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts")
}

/// Every shipped prompt by its name, as a short tone; the music as one of its own.
fn short_prompts(folder: &Path, length_s: f64) {
    let shipped = repository_prompts();
    for (rates, rate) in [("8k", 8000), ("16k", 16_000)] {
        for name in wav_files(&shipped.join(rates)) {
            let name = name.strip_prefix(&shipped).unwrap();
            let (hertz, seconds) =
                if name.to_string_lossy().contains("music") { (tone::MUSIC, 1.0) } else { (620.0, length_s) };
            tone::write(&folder.join(name), hertz, rate, seconds);
        }
    }
}

fn wav_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(wav_files(&path));
        } else if path.extension().is_some_and(|e| e == "wav") {
            found.push(path);
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
