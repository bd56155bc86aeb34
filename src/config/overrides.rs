//! What environment and flags put over the file. Kept small: what is set once belongs into the file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of the command line and, behind it, of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Overrides {
    /// Address on which SIP listens, with or without a port: 192.0.2.10, 192.0.2.10:5060.
    ///
    /// UDP and TCP take the port (5060), TLS the next one. Port 0 takes any free ones.
    #[arg(long, value_name = "ADDRESS", env = "YIHAO_LISTEN")]
    pub listen: Option<Listen>,
    /// Where HTTP listens; beyond loopback with tls or behind_proxy of the configuration only.
    #[arg(long, value_name = "ADDRESS:PORT", env = "YIHAO_HTTP")]
    pub http: Option<SocketAddr>,
    /// The dial plan.
    #[arg(long, value_name = "FILE", env = "YIHAO_PLAN")]
    pub plan: Option<PathBuf>,
    /// The secrets of telephones and trunks.
    #[arg(long, value_name = "FILE", env = "YIHAO_SECRETS")]
    pub secrets: Option<PathBuf>,
    /// Folder for all that is written: ledger, records, recordings.
    #[arg(long, value_name = "FOLDER", env = "YIHAO_VAR")]
    pub var: Option<PathBuf>,
    /// Folder of prompts, with 8k and 16k below.
    #[arg(long, value_name = "FOLDER", env = "YIHAO_PROMPTS")]
    pub prompts: Option<PathBuf>,
}

/// An address with the port of SIP over UDP and TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub ip: IpAddr,
    /// UDP and TCP; TLS takes the next one. 0: any free ports.
    pub port: u16,
}

/// Port of SIP (RFC 3261 18.2.1).
const SIP_PORT: u16 = 5060;

impl Default for Listen {
    fn default() -> Self {
        Self { ip: Ipv4Addr::LOCALHOST.into(), port: SIP_PORT }
    }
}

/// A text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: write 192.0.2.10, 192.0.2.10:5060, 2001:db8::1 or [2001:db8::1]:5060")]
pub struct ListenError(String);

impl FromStr for Listen {
    type Err = ListenError;
    fn from_str(text: &str) -> Result<Self, ListenError> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self { ip, port: SIP_PORT });
        }
        let both: SocketAddr = text.parse().map_err(|_| ListenError(text.to_owned()))?;
        Ok(Self { ip: both.ip(), port: both.port() })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
}
