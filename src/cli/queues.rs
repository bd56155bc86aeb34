//! `yihao queues`: who waits where.

use serde_json::Value;

use super::client::{Exchange, Outcome, cell, finish, shown, table};

/// Shows the queues: who waits and who could answer.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao queues
  yihao queues --json | jq '.queues[].longest_ms'

Exit codes: 0 printed, 1 refused, 2 the exchange cannot be reached.")]
pub struct Args {
    /// Where the exchange is.
    #[command(flatten)]
    pub exchange: Exchange,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    finish("queues", ask(args))
}

fn ask(args: &Args) -> anyhow::Result<Outcome> {
    shown(args.exchange.ask("GET", "/api/v1/queues", None)?, args.exchange.json, queues)
}

fn queues(answer: &Value) -> String {
    let all = answer["queues"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |q: &Value| {
        let waiting = q["waiting"].as_array().map_or(0, Vec::len).to_string();
        let longest = q["longest_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
        vec![cell(&q["queue"]), waiting, format!("{longest:.1} s"), cell(&q["free_seats"]), cell(&q["signed_in"])]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["QUEUE", "WAITING", "LONGEST", "FREE SEATS", "SIGNED IN"], &rows)
}
