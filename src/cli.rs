//! The commands of `yihao`. Each prints for people, or JSON where asked; exit codes are for scripts.

#[macro_use]
mod say;

pub mod audit;
pub mod calendar;
pub mod call;
pub mod calls;
pub mod check;
pub mod client;
pub mod plan;
pub mod queues;
pub mod recording;
pub mod replay;
pub mod seats;
pub mod serve;
pub mod simulate;
pub mod user;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::{self, Config, Overrides};

/// Yihao 一号: the contact centre of a city's 12345 hotline.
#[derive(Debug, Parser)]
#[command(name = "yihao", version, about, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Check(check::Args),
    Call(call::Args),
    Calls(calls::Args),
    Recording(recording::Args),
    Replay(replay::Args),
    User(user::Args),
    Seats(seats::Args),
    Queues(queues::Args),
    Audit(audit::Args),
    Plan(plan::Args),
    Calendar(calendar::Args),
    Simulate(simulate::Args),
}

/// Parses the arguments of the process and runs the command.
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => Ok(check::run(&args)),
        Command::Call(args) => call::run(&args),
        Command::Calls(args) => Ok(calls::run(&args)),
        Command::Recording(args) => Ok(recording::run(&args)),
        Command::Replay(args) => replay::run(&args),
        Command::User(args) => Ok(user::run(&args)),
        Command::Seats(args) => Ok(seats::run(&args)),
        Command::Queues(args) => Ok(queues::run(&args)),
        Command::Audit(args) => Ok(audit::run(&args)),
        Command::Plan(args) => Ok(plan::run(&args)),
        Command::Calendar(args) => calendar::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain!("yihao: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The configuration that a command works with, or all its mistakes.
fn configuration(file: Option<&Path>, overrides: &Overrides) -> anyhow::Result<Config> {
    let (config, report) = config::load(file, overrides);
    config.with_context(|| format!("the configuration has mistakes:\n{report}"))
}
