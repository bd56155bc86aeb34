//! `yihao calls`: the list of calls, or one call step by step, from the records.

#![expect(clippy::print_stdout, reason = "a command speaks on standard output")]

mod render;

use std::path::PathBuf;

use anyhow::Context;

use crate::config::{self, Config, Overrides};

use crate::store::calls::{FATES, Filter, Timeline, parse_call_id};
use crate::store::{self, Store};

pub use render::{list, timeline};

/// Printed.
pub const OK: u8 = 0;
/// There is no such call.
pub const NO_SUCH_CALL: u8 = 1;
/// The records cannot be read, or the command is wrong.
pub const FAILED: u8 = 2;

/// Where the records are.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The configuration of the exchange; without one the embedded defaults count.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of ledger, records and recordings.
    #[arg(long, value_name = "FOLDER", env = "YIHAO_VAR")]
    pub var: Option<PathBuf>,
}

impl Place {
    /// The configuration.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn config(&self) -> anyhow::Result<Config> {
        let overrides = Overrides { var: self.var.clone(), ..Overrides::default() };
        let (config, report) = config::load(self.config.as_deref(), &overrides);
        config.with_context(|| format!("the configuration has mistakes:\n{report}"))
    }

    /// The records that a configuration names, to be read.
    ///
    /// # Errors
    /// When there are none, or they cannot be opened.
    pub async fn records(config: &Config) -> Result<Store, store::OpenError> {
        let password = config::secrets::database_password(&config.secrets);
        Store::open_read_only(&config.records(password.as_ref())).await
    }
}

/// Shows the calls of the last days, or one call step by step.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao calls
  yihao calls --line 12315 --fate abandoned_in_queue --limit 100
  yihao calls c30117452718080001
  yihao calls --json | jq '.[].fate'

Exit codes: 0 printed, 1 no such call, 2 the records cannot be read.")]
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
    /// Print JSON: a list of calls, or one call with its steps. Times are milliseconds since 1970, UTC.
    #[arg(long)]
    pub json: bool,
    /// Where the records are.
    #[command(flatten)]
    pub place: Place,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    match print(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("yihao calls: {error:#}");
            FAILED
        }
    }
}

fn print(args: &Args) -> anyhow::Result<u8> {
    let config = args.place.config()?;
    let zone = jiff::tz::TimeZone::system();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let records = runtime.block_on(Place::records(&config))?;
    let Some(text) = &args.call else {
        let filter = Filter {
            line: args.line.clone(),
            number: args.number.clone(),
            fate: args.fate.clone(),
            seat: args.seat,
            agent: args.agent,
            ..Filter::default()
        };
        let calls = runtime.block_on(records.calls(&filter, args.limit))?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&calls)?);
        } else {
            print!("{}", list(&calls, &zone));
        }
        return Ok(OK);
    };
    let found: Option<Timeline> = match parse_call_id(text) {
        Some(call) => runtime.block_on(records.call(call))?,
        None => None,
    };
    let Some(found) = found else {
        eprintln!("yihao calls: there is no record of {text:?}; `yihao calls` lists those that there are");
        return Ok(NO_SUCH_CALL);
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print!("{}", timeline(&found, &config.folders.recordings, &zone));
    }
    Ok(OK)
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

    fn calls(words: &[&str], var: &std::path::Path) -> u8 {
        let words = ["calls", "--var", var.to_str().unwrap()].into_iter().chain(words.iter().copied());
        run(&Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{e}")).args)
    }

    #[test]
    fn exit_codes_tell_scripts_what_happened() {
        Cli::command().debug_assert();
        let var = tempfile::tempdir().unwrap();
        assert_eq!(calls(&[], var.path()), FAILED, "there are no records");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            Store::open(&store::Place::Sqlite(var.path().join("yihao.sqlite"))).await.unwrap().close().await
        });
        assert_eq!(calls(&[], var.path()), OK, "no call yet");
        assert_eq!(calls(&["--json", "--line", "12315"], var.path()), OK);
        assert_eq!(calls(&["c77"], var.path()), NO_SUCH_CALL);
        assert_eq!(calls(&["--config", "/nowhere.toml"], var.path()), FAILED);
        assert!(Cli::try_parse_from(["calls", "--fate", "happy"]).is_err());
    }
}
