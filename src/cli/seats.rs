//! `yihao seats`: who works, and the choice of presence for a seat.

use serde_json::{Value, json};

use super::client::{Exchange, Outcome, cell, finish, shown, table};

/// Shows the seats, or chooses the presence of one.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao seats
  yihao seats 8001 sign-in --agent 1027
  yihao seats 8001 not-ready --reason lunch

Exit codes: 0 done, 1 refused, 2 the exchange cannot be reached.")]
pub struct Args {
    /// A seat.
    #[arg(value_name = "SEAT", requires = "choice")]
    pub seat: Option<u32>,
    /// What it shall be.
    #[arg(value_enum)]
    pub choice: Option<Choice>,
    /// Why it is not ready: a word of the plan.
    #[arg(long, value_name = "WORD")]
    pub reason: Option<String>,
    /// With sign-in: the number of the person; otherwise whom the plan has there.
    #[arg(long, value_name = "NUMBER")]
    pub agent: Option<u32>,
    /// With sign-in: sign out whoever else is there.
    #[arg(long)]
    pub take_over: bool,
    /// Where the exchange is.
    #[command(flatten)]
    pub exchange: Exchange,
}

/// A presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// Signed in, not ready yet.
    SignIn,
    /// Takes calls.
    Ready,
    /// Takes no calls.
    NotReady,
    /// Has a break.
    Break,
    /// Is in training.
    Training,
    /// Signed out.
    SignOut,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    finish("seats", ask(args))
}

fn ask(args: &Args) -> anyhow::Result<Outcome> {
    let Exchange { json, .. } = args.exchange;
    let (Some(seat), Some(choice)) = (args.seat, args.choice) else {
        return shown(args.exchange.ask("GET", "/api/v1/seats", None)?, json, seats);
    };
    let body = body(choice, args);
    let answer = args.exchange.ask("POST", &format!("/api/v1/seats/{seat}/presence"), Some(&body))?;
    shown(answer, json, |_: &Value| format!("seat {seat}: done\n"))
}

fn body(choice: Choice, args: &Args) -> Value {
    match choice {
        Choice::SignIn => json!({"choice": "sign_in", "take_over": args.take_over, "agent": args.agent}),
        Choice::Ready => json!({"choice": "ready"}),
        Choice::NotReady => json!({"choice": "not_ready", "reason": args.reason}),
        Choice::Break => json!({"choice": "break"}),
        Choice::Training => json!({"choice": "training"}),
        Choice::SignOut => json!({"choice": "sign_out"}),
    }
}

fn seats(answer: &Value) -> String {
    let all = answer["seats"].as_array().map(Vec::as_slice).unwrap_or_default();
    let keys = ["seat", "name", "agent", "presence", "reachable", "doing", "call"];
    let rows: Vec<Vec<String>> = all.iter().map(|s| keys.iter().map(|key| cell(&s[key])).collect()).collect();
    table(&["SEAT", "NAME", "AGENT", "PRESENCE", "PHONE", "DOING", "CALL"], &rows)
}
