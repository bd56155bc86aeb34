//! `yihao calls`: the list of calls, or one call step by step, as the interface gives them: each look is in the audit.

pub(super) mod render;

use serde_json::json;

use super::client::{Answer, Exchange, Outcome, escaped, finish, shown};
use crate::store::calls::{CallRecord, FATES, Timeline};

pub use render::{list, timeline};

/// Shows the calls of the last days, or one call step by step.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao calls
  yihao calls --line 12315 --fate abandoned_in_queue --limit 100
  yihao calls c30117452718080001
  yihao calls --json | jq '.[].fate'

Exit codes: 0 printed, 1 refused (no such call), 2 the exchange cannot be reached.")]
pub struct Args {
    /// One call, as the list shows it.
    #[arg(value_name = "CALL")]
    pub call: Option<String>,
    /// Most calls to list, newest first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// Only calls to this line.
    #[arg(long, value_name = "NUMBER")]
    pub line: Option<String>,
    /// Only calls from this number, whole.
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<String>,
    /// Only calls that this agent answered.
    #[arg(long, value_name = "AGENT")]
    pub agent: Option<u32>,
    /// Only calls with this fate.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(FATES))]
    pub fate: Option<String>,
    /// Only calls that this seat answered.
    #[arg(long, value_name = "SEAT")]
    pub seat: Option<u32>,
    /// Where the exchange is. With --json: a list of calls, or one call with its steps; times are milliseconds since 1970, UTC.
    #[command(flatten)]
    pub exchange: Exchange,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    let outcome = match &args.call {
        Some(call) => one(call, args),
        None => all(args),
    };
    finish("calls", outcome)
}

fn all(args: &Args) -> anyhow::Result<Outcome> {
    let question = json!({"line": args.line, "number": args.number, "fate": args.fate, "seat": args.seat,
        "agent": args.agent, "limit": args.limit});
    let answer = match args.exchange.ask("POST", "/api/v1/records/search", Some(&question))? {
        Answer::Done(mut page) => Answer::Done(page["records"].take()),
        refused @ Answer::Refused { .. } => refused,
    };
    shown(answer, args.exchange.json, |calls: &Vec<CallRecord>| list(calls, &jiff::tz::TimeZone::system()))
}

fn one(call: &str, args: &Args) -> anyhow::Result<Outcome> {
    let answer = args.exchange.ask("GET", &format!("/api/v1/records/{}", escaped(call)), None)?;
    let recordings = args.exchange.config()?.folders.recordings;
    let words = |found: &Timeline| timeline(found, &recordings, &jiff::tz::TimeZone::system());
    shown(answer, args.exchange.json, words)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn an_exchange_that_does_not_run_is_told_from_a_wrong_word() {
        Cli::command().debug_assert();
        let var = tempfile::tempdir().unwrap();
        let words = ["calls", "--var", var.path().to_str().unwrap()];
        assert_eq!(run(&Cli::try_parse_from(words).unwrap().args), super::super::client::FAILED);
        assert!(Cli::try_parse_from(["calls", "--fate", "happy"]).is_err());
    }
}
