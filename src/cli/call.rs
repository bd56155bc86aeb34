//! `yihao call`: places a test call through a trunk of the plan and shows its ladder and what became of it.

mod draft;
mod proof;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Serialize;

use super::client::Exchange;
use crate::config::{self, Config, Overrides};
use crate::dialplan::Plan;
use crate::node::phone::{News, Phone, PhoneConfig};
use crate::types::Wall;
use draft::Scratch;
use proof::{Expectation, Proof};

/// The call was answered.
pub const OK: u8 = 0;
/// The call was not answered.
pub const UNANSWERED: u8 = 1;
/// The call could not be placed.
pub const FAILED: u8 = 2;

/// RTP ports of the test phone: below those of the exchange.
const RTP: (u16, u16) = (17_000, 17_999);
/// Longest wait for the other side to hang up after we have.
const FAREWELL: Duration = Duration::from_secs(5);

/// Places a test call through a trunk of the plan, or as a chosen caller; shows the ladder and the result.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao call 12315
  yihao call 12345 --trunk telecom --from 13800138000 --seconds 10
  yihao call 12345 --play question.wav --record answer --json
  yihao call --via telecom --to 12315 --at-phase NOW
  yihao call --via telecom --to 12315 --at-phase DRAFT --draft 7

The caller uses an address of the trunk that belongs to this machine; the exchange recognises the trunk by it. With --at-phase
NOW the call is held against the plan that counts: which prompts were heard, where it waited or went, who was rung; in the records it
is marked as a test and counts in no rate. With DRAFT it goes
through a scratch exchange on loopback that goes by the draft; no carrier and no seat's phone is reached.
Exit codes: 0 answered, 1 not answered, 2 could not be placed; with --at-phase 0 all is as the plan says, 1 it is not.")]
pub struct Args {
    /// The number to dial.
    #[arg(value_name = "NUMBER", required_unless_present = "to")]
    pub number: Option<String>,
    /// The number to dial, named.
    #[arg(long, value_name = "NUMBER", conflicts_with = "number")]
    pub to: Option<String>,
    /// Hold the call against the plan: what was heard and who was rung.
    #[arg(long, value_enum, ignore_case = true, value_name = "WHICH")]
    pub at_phase: Option<AtPhase>,
    /// The version of the plan that DRAFT means.
    #[arg(long, value_name = "VERSION", required_if_eq("at_phase", "draft"))]
    pub draft: Option<i64>,
    /// Trunk of the plan through which the call comes; without it, one whose address belongs to this machine.
    #[arg(long, alias = "via", value_name = "NAME")]
    pub trunk: Option<String>,
    /// The caller's number.
    #[arg(long, value_name = "NUMBER", default_value = "08161234567")]
    pub from: String,
    /// Where the exchange listens over UDP; without it, as the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub server: Option<SocketAddr>,
    /// WAV file (8 or 16 kHz, mono, 16 bits) that the caller speaks after the answer.
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    /// Folder for a recording of what the caller hears (left) and says (right).
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Hang up so long after the answer, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub seconds: u64,
    /// Give up so long without an answer, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
    /// The configuration of the exchange; without one the embedded defaults count.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// What stands over the configuration.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Against which plan a call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AtPhase {
    /// The plan that counts.
    Now,
    /// A version that does not count yet, or no more.
    Draft,
}

/// What came of the call.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
    sip_call_id: Option<String>,
    answered: bool,
    rang: bool,
    cause: Option<String>,
    status: Option<u16>,
    ladder: Vec<Step>,
}

/// One message of the ladder.
#[derive(Debug, Serialize)]
struct Step {
    sent: bool,
    message: String,
}

/// Runs the command; gives its exit code.
///
/// # Errors
/// When configuration, plan, trunk or sockets cannot be had.
pub fn run(args: &Args) -> Result<u8> {
    let config = super::configuration(args.config.as_deref(), &args.overrides)?;
    let (plan, report) = config::load_plan(&config);
    let Some(plan) = plan else { bail!("the dial plan has mistakes:\n{report}") };
    let number = args.number.as_deref().or(args.to.as_deref()).unwrap_or_default();
    let held = Held::of(args, &config, number)?;
    let (exchange, local) = match &held.draft {
        Some(draft) => (draft.at, draft.at.ip()),
        None => {
            let exchange = listens(args, &config)?;
            (exchange, source(&plan, args.trunk.as_deref(), exchange)?)
        }
    };
    let scratch = config.folders.var.join("call");
    let phone = Phone::start(PhoneConfig {
        local,
        exchange,
        number: args.from.clone(),
        account: None,
        voice: args.play.clone(),
        recordings: args.record.clone().unwrap_or_else(|| scratch.clone()),
        rtp: RTP,
        answers_after: None,
    })?;
    phone.dial(number);
    let mut outcome = follow(&phone, args);
    drop(phone);
    let heard = newest(args.record.as_deref().unwrap_or(&scratch));
    outcome.proof = held.proof(&config, heard.as_deref(), outcome.sip_call_id.as_deref().unwrap_or_default())?;
    if args.record.is_none() {
        // Nobody asked for the recording.
        let _absent = std::fs::remove_dir_all(&scratch);
    }
    print(&outcome, args)?;
    let good = outcome.proof.as_ref().map_or(outcome.answered, |proof| proof.holds);
    Ok(if good { OK } else { UNANSWERED })
}

/// Where the exchange listens over UDP.
fn listens(args: &Args, config: &Config) -> Result<SocketAddr> {
    let planned = config.networks.iter().flat_map(|network| &network.udp).next().copied();
    args.server.or(planned).context("no network listens on UDP; give --server")
}

/// What a call is held against.
struct Held {
    /// The exchange that goes by the draft.
    draft: Option<Scratch>,
    /// Who knows of the call.
    asked: Exchange,
    expected: Option<Expectation>,
}

impl Held {
    fn of(args: &Args, config: &Config, number: &str) -> Result<Self> {
        let Overrides { var, http, .. } = args.overrides.clone();
        let asked = Exchange { config: args.config.clone(), var, http, json: false };
        let call = (number, args.from.as_str(), args.trunk.as_deref());
        let now = || Wall(Timestamp::now().as_millisecond());
        match (args.at_phase, args.draft) {
            (None, _) => Ok(Self { draft: None, asked, expected: None }),
            (Some(AtPhase::Now), _) => {
                let expected = Some(Expectation::of_now(&asked, config, call, now())?);
                Ok(Self { draft: None, asked, expected })
            }
            (Some(AtPhase::Draft), None) => bail!("say which version: --draft 7"),
            (Some(AtPhase::Draft), Some(version)) => {
                let draft = Scratch::start(&asked, config, version, args.trunk.as_deref())?;
                let expected = Some(Expectation::of_plan(&draft.asked, draft.plan.clone(), version, call, now())?);
                Ok(Self { asked: draft.asked.clone(), draft: Some(draft), expected })
            }
        }
    }

    fn proof(self, config: &Config, heard: Option<&Path>, sip_call_id: &str) -> Result<Option<Proof>> {
        self.expected.map(|expected| expected.prove(&self.asked, config, heard, sip_call_id)).transpose()
    }
}

/// The file of a folder that was written last; nothing where no call was answered.
fn newest(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let written = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    files.map(|entry| entry.path()).filter(|path| path.is_file()).max_by_key(written)
}

/// An address of the trunk that this machine has and that is not the exchange's own.
fn source(plan: &Plan, name: Option<&str>, exchange: SocketAddr) -> Result<IpAddr> {
    let mut trunks = plan.trunks.iter().filter(|t| name.is_none_or(|n| n == t.name)).peekable();
    if trunks.peek().is_none() {
        let known: Vec<&str> = plan.trunks.iter().map(|t| t.name.as_str()).collect();
        bail!("the plan has no trunk {:?}; it has: {}", name.unwrap_or_default(), known.join(", "));
    }
    let mut here: Vec<IpAddr> = trunks
        .flat_map(|t| &t.sources)
        .map(|s| s.address)
        .filter(|a| a.is_ipv4() == exchange.is_ipv4() && std::net::UdpSocket::bind((*a, 0)).is_ok())
        .collect();
    here.sort_by_key(|a| *a == exchange.ip());
    here.first().copied().context("no address of this trunk belongs to this machine; run the call where the trunk ends")
}

fn follow(phone: &Phone, args: &Args) -> Outcome {
    let mut outcome = Outcome::default();
    let mut patience = Duration::from_secs(args.patience);
    loop {
        match phone.next(patience) {
            Some(News::Ladder(sent, message)) => {
                if !args.json {
                    say!("  {} {message}", if sent { "->" } else { "<-" });
                }
                outcome.ladder.push(Step { sent, message });
            }
            Some(News::Ringing) => outcome.rang = true,
            Some(News::Answered) => {
                outcome.answered = true;
                patience = Duration::from_secs(args.seconds);
            }
            Some(News::Ended(cause, status)) => {
                outcome.cause = Some(cause.as_str().to_owned());
                outcome.status = status;
                return outcome;
            }
            Some(News::Dialled(call_id)) => {
                outcome.sip_call_id.get_or_insert(call_id);
            }
            Some(News::Registered) => {}
            None if patience == FAREWELL => return outcome,
            None => {
                phone.hang_up();
                patience = FAREWELL;
            }
        }
    }
}

fn print(outcome: &Outcome, args: &Args) -> Result<()> {
    if args.json {
        say!("{}", serde_json::to_string_pretty(outcome)?);
        return Ok(());
    }
    if let Some(proof) = &outcome.proof {
        say!("{}", proof.in_words());
    }
    let cause = outcome.cause.as_deref().unwrap_or("no end was heard").replace('_', " ");
    match (outcome.answered, outcome.status) {
        (true, _) => say!("answered; ended: {cause}"),
        (false, Some(status)) => say!("not answered: {cause} ({status})"),
        (false, None) => say!("not answered: {cause}"),
    }
    if let Some(folder) = &args.record {
        say!("recorded in {}", folder.display());
    }
    Ok(())
}
