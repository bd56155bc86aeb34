//! `yihao audit`: who looked at what and changed what, and whether the chain of entries holds.

use serde_json::Value;

use super::client::{Answer, Exchange, FAILED, Outcome, REFUSED, cell, escaped, finish, shown, table};

/// Shows the audit, or checks it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao audit list --action record_seen
  yihao audit verify

Note the last hash that verify prints and keep it elsewhere: a chain that was made anew does not lead to it.
Exit codes of list: 0 printed, 1 refused, 2 the exchange cannot be reached. Of verify: 0 it holds, 1 it is broken, 2 it could
not be checked.")]
pub struct Args {
    /// What is done.
    #[command(subcommand)]
    pub command: Command,
    /// Where the exchange is.
    #[command(flatten)]
    pub exchange: Exchange,
}

/// What is done with the audit.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Shows entries, newest first.
    List(List),
    /// Goes through the whole chain and names the first broken entry.
    Verify,
}

/// Which entries.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Only this action.
    #[arg(long, value_name = "WORD")]
    pub action: Option<String>,
    /// Only about this call, account or seat.
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// Most entries.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u32,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    match &args.command {
        Command::List(wanted) => finish("audit", list(wanted, &args.exchange)),
        Command::Verify => match finish("audit", verify(&args.exchange)) {
            // Only a broken chain is 1.
            REFUSED => FAILED,
            BROKEN => REFUSED,
            code => code,
        },
    }
}

/// A broken chain, until it becomes the exit code.
const BROKEN: u8 = 100;

fn list(args: &List, exchange: &Exchange) -> anyhow::Result<Outcome> {
    let mut path = format!("/api/v1/audit?limit={}", args.limit);
    for (name, value) in [("action", &args.action), ("object", &args.object)] {
        if let Some(value) = value {
            path = format!("{path}&{name}={}", escaped(value));
        }
    }
    shown(exchange.ask("GET", &path, None)?, exchange.json, entries)
}

fn entries(answer: &Value) -> String {
    let all = answer["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |e: &Value| {
        let at = e["at"].as_i64().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let at = at.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T").to_string());
        let mut row = vec![cell(&e["seq"]), at.unwrap_or_default()];
        row.extend(["login", "address", "action", "object"].iter().map(|key| cell(&e[key])));
        row
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["ENTRY", "WHEN", "WHO", "FROM", "WHAT", "TO WHAT"], &rows)
}

fn verify(exchange: &Exchange) -> anyhow::Result<Outcome> {
    let answer = exchange.ask("GET", "/api/v1/audit/verify", None)?;
    let broken = matches!(&answer, Answer::Done(verdict) if !verdict["broken"].is_null());
    let outcome = shown(answer, exchange.json, |verdict: &Value| {
        let (entries, last) = (cell(&verdict["entries"]), cell(&verdict["last_hash"]));
        let broken = &verdict["broken"];
        if broken.is_null() {
            return format!("{entries} entries hold together; the last hash is {last}\n");
        }
        let (seq, why) = (cell(&broken["seq"]), cell(&broken["why"]));
        format!("entry {seq} is {why}; the {entries} before it hold together\n")
    });
    Ok(if broken { Outcome::Done(BROKEN) } else { outcome? })
}
