//! The configuration of a node: file, then environment, then flags. Data for the others; no module imports it.
//!
//! Everything has a default, so that a node starts without any file: on loopback, in `./var`, with the plan of Mianyang.
//! Mistakes are reported as in the plan, all of them at their places.

mod calendar;
mod networks;
mod outside;
mod overrides;
mod plan;
mod read;
pub mod secrets;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::sip::auth::Algorithm;
use crate::store;
use crate::types::TlsMedia;

pub use calendar::read_calendar;
pub use outside::prompt_is_there;
pub use overrides::{Listen, Overrides};
pub use plan::{calendar_files, check_plan, load_plan, plan_text, read_plan};
pub use read::{load, load_as_far_as_good};

/// All settings of a node, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Realm of the digest by which telephones register (RFC 7616 3.3); the stored HA1 hold only for this realm.
    pub realm: String,
    /// Digest algorithms that phones are offered, most wanted first (RFC 8760 2.4). Default SHA-256, then MD5. Phones that
    /// give up at a challenge they do not know (Debian 12's baresip among them) need MD5 alone.
    pub digest: Vec<Algorithm>,
    /// The dial plan.
    pub plan: PathBuf,
    /// Whether a second person must approve a version of the plan before it counts. Default no.
    pub second_person: bool,
    /// Passwords of telephones (as HA1) and trunks, a file of its own that only the owner reads.
    pub secrets: PathBuf,
    /// Address of a PostgreSQL server for the records, without its password; `None`: SQLite in `var`.
    pub database: Option<String>,
    /// The HTTP interface.
    pub http: Http,
    /// Where files are written and prompts are read.
    pub folders: Folders,
    /// Recording of calls.
    pub recording: Recording,
    /// How long records and recordings are kept.
    pub retention: store::Retention,
    /// The ledger of calls.
    pub ledger: Ledger,
    /// The media engine.
    pub media: Media,
    /// Certificates of the TLS listeners.
    pub tls: Tls,
    /// SIP timers and expiries.
    pub timers: Timers,
    /// Caps against overload.
    pub limits: Limits,
    /// The end of a run.
    pub drain: Drain,
    /// The log of inputs for `yihao replay`.
    pub input_log: InputLog,
    /// A collector of captures that gets a copy of each SIP message. Default none: the copies hold numbers in clear.
    pub hep: Option<Hep>,
    /// Networks in order; the index is the `NetworkId`. Never empty, at most 16.
    pub networks: Vec<Network>,
}

/// The HTTP interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where it listens. Beyond loopback only with one of the next two.
    pub listen: SocketAddr,
    /// Whether it speaks TLS, with the certificate of `[tls]`. Default no.
    pub tls: bool,
    /// Whether our own proxy stands before it, speaks TLS for it and says where requests come from. Default no.
    pub behind_proxy: bool,
    /// Most requests a second from one address. Default 100.
    pub requests_per_s: u32,
}

/// Folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// All that the node writes, unless another folder is named. Default `var`.
    pub var: PathBuf,
    /// Recordings. Default `recordings` in `var`; often a disk of its own.
    pub recordings: PathBuf,
    /// Prompts, with `8k` and `16k` below. Default `prompts` beside the plan.
    pub prompts: PathBuf,
    /// Years and days of the working calendar. Default `calendar` beside the plan.
    pub calendar: PathBuf,
}

/// The ledger of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Days for which segments are kept that the database has taken. Default 7.
    pub keep_days: u32,
    /// Most space that it takes, in MiB. Above three quarters of it copied segments go before their time; at the bound it
    /// counts as a full disk. Default 4,096.
    pub max_mb: u32,
}

impl Folders {
    /// The append-only ledger of calls.
    pub fn ledger(&self) -> PathBuf {
        self.var.join("ledger")
    }

    /// The plan that counts, so that a start needs no database to begin with it.
    pub fn published_plan(&self) -> PathBuf {
        self.var.join("plan.json")
    }

    /// The SQLite database of records, where no server is named.
    pub fn database(&self) -> PathBuf {
        self.var.join("yihao.sqlite")
    }

    /// The token of the local session, for commands on this machine; each start writes a new one.
    pub fn token(&self) -> PathBuf {
        self.var.join("token")
    }

    /// Certificates that the node makes for itself.
    pub fn certificates(&self) -> PathBuf {
        self.var.join("tls")
    }

    /// Logs of inputs and captures; they hold numbers, so only the owner may read them.
    pub fn captures(&self) -> PathBuf {
        self.var.join("captures")
    }
}

/// Recording of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Whether calls are recorded. Default yes.
    pub on: bool,
    /// What happens to new calls when the disk is full.
    pub disk_full: DiskFull,
    /// Free space below which the disk counts as full, in MiB. Default 500.
    pub min_free_mb: u32,
}

/// What a full disk does. Calls in progress always go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskFull {
    /// New calls are served and not recorded, with an alarm.
    #[default]
    Continue,
    /// New calls are refused (503).
    Refuse,
}

/// The media engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Worker threads; `None`: one less than there are cores, at least one.
    pub workers: Option<u8>,
    /// Whether each worker stays on one core. Default no.
    pub pin: bool,
    /// A far end that sends neither RTP nor RTCP for so long is probed; its leg ends when the probe fails. Default 30 s.
    pub silence_s: u32,
    /// The same while the far end holds the call. Default 300 s.
    pub silence_on_hold_s: u32,
}

/// Certificates of the TLS listeners. Nothing named: a self-signed one is made at the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate with its chain and its key, both PEM.
    pub identity: Option<TlsIdentity>,
    /// Certificates (PEM) that vouch for trunks recognised by TLS.
    pub client_ca: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// SIP timers and expiries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round trip estimate T1 (RFC 3261 17.1.1.1). Default 500 ms.
    pub t1_ms: u32,
    /// Longest interval between retransmissions, T2. Default 4,000 ms.
    pub t2_ms: u32,
    /// Longest time that a message stays in the network, T4. Default 5,000 ms.
    pub t4_ms: u32,
    /// Session interval that we ask for (RFC 4028). Default 1,800 s.
    pub session_expires_s: u32,
    /// Shortest session interval that we accept; RFC 4028 allows no less than 90 s, the default.
    pub min_se_s: u32,
    /// Shortest registration that a telephone may ask for (423 below it). Default 60 s.
    pub register_min_s: u32,
    /// Longest registration that is granted. Default 3,600 s.
    pub register_max_s: u32,
}

/// How calls in progress are brought to their end when the exchange shall stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long they may go on, seconds. Default 30.
    pub seconds: u32,
    /// How long before the end everybody hears that it comes, seconds; the sentence takes five. Default 10.
    pub notice_s: u32,
}

/// Caps against overload. What is above them gets 503 with Retry-After, or is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time over all trunks. Default 4,000.
    pub calls: u32,
    /// New calls a second over all trunks. Default 200.
    pub calls_per_s: u32,
    /// TCP and TLS connections. Default 4,000.
    pub connections: u32,
    /// TCP and TLS connections of one address. Default 200.
    pub connections_per_address: u32,
}

/// The log of inputs: holds numbers of citizens, so it is off unless asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputLog {
    /// Whether inputs are written. Default no.
    pub on: bool,
    /// Size of all its files together, in MiB; the oldest go first. Default 200.
    pub max_mb: u32,
    /// Days after which a file is deleted. Default 3.
    pub keep_days: u32,
}

/// A collector of captures that speaks HEP version 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hep {
    /// Where it listens on UDP.
    pub collector: SocketAddr,
    /// The number by which it tells its sources apart. Default 1.
    pub agent: u32,
}

/// A set of listeners with an advertised address and a range of RTP ports: the carrier's network, the seats' network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Name by which trunks of the plan refer to it.
    pub name: String,
    /// Where SIP over UDP is heard.
    pub udp: Vec<SocketAddr>,
    /// Where SIP over TCP is heard.
    pub tcp: Vec<SocketAddr>,
    /// Where SIP over TLS is heard.
    pub tls: Vec<SocketAddr>,
    /// Address written into Via, Contact and SDP instead of the listener's, when a NAT stands before it.
    pub advertised_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub advertised_v6: Option<Ipv6Addr>,
    /// How audio travels to seats' telephones here that register over TLS. Default SRTP.
    pub media_over_tls: TlsMedia,
    /// Ports of RTP and RTCP.
    pub rtp: RtpRange,
    /// DSCP of media; default 46 (EF, RFC 3246).
    pub dscp_media: u8,
    /// DSCP of signalling; default 24 (CS3, RFC 4594).
    pub dscp_signalling: u8,
}

/// Ports of RTP: even, each with the odd one behind it for RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpRange {
    /// First port, even.
    pub first: u16,
    /// Last port, odd.
    pub last: u16,
}

impl RtpRange {
    /// Below the ports that Linux gives out by itself (32,768 and up); 5,000 pairs.
    pub const DEFAULT: Self = Self { first: 20_000, last: 29_999 };

    /// Whether a port lies inside.
    pub fn holds(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// How many pairs the range has.
    pub fn pairs(self) -> usize {
        (usize::from(self.last) + 1).saturating_sub(usize::from(self.first)) / 2
    }
}

impl fmt::Display for RtpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Network {
    /// The one network of a node without a file: UDP and TCP on `port`, TLS on the next one. Port 0: any free ports.
    pub fn on(name: &str, listen: Listen) -> Self {
        let at = |port| vec![SocketAddr::new(listen.ip, port)];
        let tls_port = if listen.port == 0 { 0 } else { listen.port.saturating_add(1) };
        Self {
            name: name.to_owned(),
            udp: at(listen.port),
            tcp: at(listen.port),
            tls: at(tls_port),
            advertised_v4: None,
            advertised_v6: None,
            media_over_tls: TlsMedia::Srtp,
            rtp: RtpRange::DEFAULT,
            dscp_media: 46,
            dscp_signalling: 24,
        }
    }

    /// All listeners.
    pub fn listeners(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.udp.iter().chain(&self.tcp).chain(&self.tls).copied()
    }

    /// Address on which RTP of a family is bound: that of the first listener of the family.
    pub fn media_address(&self, v6: bool) -> Option<IpAddr> {
        self.listeners().map(|listener| listener.ip()).find(|ip| ip.is_ipv6() == v6)
    }

    /// Address of a family as the other side sees it.
    pub fn advertised(&self, v6: bool) -> Option<IpAddr> {
        let named = if v6 { self.advertised_v6.map(IpAddr::V6) } else { self.advertised_v4.map(IpAddr::V4) };
        named.or_else(|| self.media_address(v6))
    }
}

impl Config {
    /// Where the records are. `password` is the server's, from the secrets.
    pub fn records(&self, password: Option<&secrets::Password>) -> store::Place {
        match &self.database {
            Some(url) => store::Place::Postgres { url: url.clone(), password: password.map(|p| p.reveal().to_owned()) },
            None => store::Place::Sqlite(self.folders.database()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let plan = PathBuf::from("dialplans/mianyang.toml");
        let var = PathBuf::from("var");
        Self {
            realm: "yihao".to_owned(),
            digest: vec![Algorithm::Sha256, Algorithm::Md5],
            secrets: var.join("secrets.toml"),
            database: None,
            http: Http {
                listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080),
                tls: false,
                behind_proxy: false,
                requests_per_s: 100,
            },
            folders: Folders {
                recordings: var.join("recordings"),
                var,
                prompts: beside(&plan, PROMPTS),
                calendar: beside(&plan, CALENDAR),
            },
            plan,
            second_person: false,
            recording: Recording { on: true, disk_full: DiskFull::Continue, min_free_mb: 500 },
            media: Media { workers: None, pin: false, silence_s: 30, silence_on_hold_s: 300 },
            retention: store::Retention::default(),
            ledger: Ledger { keep_days: 7, max_mb: 4_096 },
            tls: Tls::default(),
            timers: Timers {
                t1_ms: 500,
                t2_ms: 4_000,
                t4_ms: 5_000,
                session_expires_s: 1_800,
                min_se_s: 90,
                register_min_s: 60,
                register_max_s: 3_600,
            },
            limits: Limits { calls: 4_000, calls_per_s: 200, connections: 4_000, connections_per_address: 200 },
            drain: Drain { seconds: 30, notice_s: 10 },
            input_log: InputLog { on: false, max_mb: 200, keep_days: 3 },
            hep: None,
            networks: vec![Network::on("main", Listen::default())],
        }
    }
}

/// Folders beside the plan, unless others are named.
const PROMPTS: &str = "prompts";
const CALENDAR: &str = "calendar";

fn beside(plan: &Path, folder: &str) -> PathBuf {
    plan.parent().unwrap_or(Path::new("")).join(folder)
}

#[cfg(test)]
mod tests;
