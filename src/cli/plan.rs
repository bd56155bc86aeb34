//! `yihao plan`: versions of the dial plan. Drafts, what they change, and which of them counts from when on.

mod lines;
mod sheet;

use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::client::{Answer, Exchange, OK, Outcome, cell, finish, shown, table};
use crate::types::Wall;

/// Keeps, shows, compares, approves and publishes versions of the dial plan.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao plan draft dialplans/mianyang.toml --why \"12336 销号\"
  yihao plan diff 7
  yihao plan approve 7
  yihao plan publish 7 --at 2026-12-01T00:00
  yihao plan publish dialplans/mianyang.toml --why \"12336 销号\"
  yihao plan rollback 6 --why \"转接错误\"
  yihao plan tasks --overdue
  yihao plan export --to lines.xlsx
  yihao plan import lines.xlsx --into dialplans/mianyang.toml
  yihao plan import lines.csv --why \"12336 销号\"

Moments are those of China. Exit codes: 0 done, 1 refused, 2 the exchange cannot be reached.")]
pub struct Args {
    /// What is done.
    #[command(subcommand)]
    pub command: Command,
    /// Where the exchange is.
    #[command(flatten)]
    pub exchange: Exchange,
}

/// What is done with versions.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Checks a plan and keeps it; nothing changes yet.
    Draft {
        /// The plan.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// All versions, newest first.
    List {
        /// Most versions.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// One version.
    Show {
        /// Its number.
        id: i64,
        /// Print the plan itself.
        #[arg(long)]
        text: bool,
    },
    /// What changes for whom from another version to this one, and which lines of the file.
    Diff {
        /// Its number.
        id: i64,
        /// The version before; the one that counts, where none is named.
        #[arg(long, value_name = "ID")]
        against: Option<i64>,
        /// Over how many days from now on.
        #[arg(long, value_name = "N", default_value_t = 31)]
        days: u32,
    },
    /// Agrees to a draft of somebody else.
    Approve {
        /// Its number.
        id: i64,
    },
    /// Lets a version count, at once or from a moment on; a file is drafted first.
    Publish {
        /// Number of the version, or the plan's file.
        #[arg(value_name = "ID or FILE")]
        what: String,
        /// From when on: 2026-12-01T00:00.
        #[arg(long, value_name = "MOMENT")]
        at: Option<DateTime>,
        /// Why, with a file.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Takes back that a version shall count from a moment on.
    Withdraw {
        /// Its number.
        id: i64,
    },
    /// Lets a version that has counted before count again, at once.
    Rollback {
        /// Its number.
        id: i64,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// The ledger of merging: what is asked of each line by which day, and how far it is.
    Tasks {
        /// Only what should be done by now and is not.
        #[arg(long)]
        overdue: bool,
    },
    /// Writes the table of lines as a sheet: those of the plan that counts, or of a plan file.
    Export {
        /// Where to: a name that ends in .csv or .xlsx.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The plan file.
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
    },
    /// Reads a table of lines into a plan file, or makes a draft of the plan that counts with it.
    Import {
        /// The sheet: .csv or .xlsx.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The plan file whose lines become those of the sheet; comments and all else stay.
        #[arg(long, value_name = "PLAN", conflicts_with = "why")]
        into: Option<PathBuf>,
        /// Why the sheet becomes a draft.
        #[arg(long, value_name = "TEXT", required_unless_present = "into")]
        why: Option<String>,
    },
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    finish("plan", ask(&args.command, &args.exchange))
}

const VERSIONS: &str = "/api/v1/plan/versions";

fn ask(command: &Command, exchange: &Exchange) -> anyhow::Result<Outcome> {
    let post = |path: String, body: &Value| exchange.ask("POST", &path, Some(body));
    match command {
        Command::Draft { file, why } => shown(draft(exchange, file, why)?, exchange.json, drafted),
        Command::List { limit } => {
            shown(exchange.ask("GET", &format!("{VERSIONS}?limit={limit}"), None)?, exchange.json, listed)
        }
        Command::Show { id, text } => {
            let words = |answer: &Value| match text {
                true => answer["text"].as_str().unwrap_or_default().to_owned(),
                false => one(&answer["version"]),
            };
            shown(exchange.ask("GET", &format!("{VERSIONS}/{id}"), None)?, exchange.json, words)
        }
        Command::Diff { id, against, days } => diff(exchange, *id, *against, *days),
        Command::Approve { id } => done(exchange, post(format!("{VERSIONS}/{id}/approve"), &json!({}))?, "approved"),
        Command::Publish { what, at, why } => publish(exchange, what, *at, why.as_deref()),
        Command::Withdraw { id } => {
            let answer = exchange.ask("DELETE", &format!("{VERSIONS}/{id}/publish"), None)?;
            done(exchange, answer, "withdrawn: it is a draft again")
        }
        Command::Rollback { id, why } => {
            let answer = post(format!("{VERSIONS}/{id}/rollback"), &json!({ "why": why }))?;
            shown(answer, exchange.json, |version: &Value| format!("version {} counts now", cell(&version["id"])))
        }
        Command::Tasks { overdue } => {
            shown(exchange.ask("GET", &format!("/api/v1/plan/tasks?overdue={overdue}"), None)?, exchange.json, tasks)
        }
        Command::Export { to, plan } => sheet::export(exchange, to, plan.as_deref()),
        Command::Import { file, into, why } => sheet::import(exchange, file, into.as_deref(), why.as_deref()),
    }
}

fn draft(exchange: &Exchange, file: &PathBuf, why: &str) -> anyhow::Result<Answer> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    exchange.ask("POST", VERSIONS, Some(&json!({ "name": name, "text": text, "why": why })))
}

fn publish(exchange: &Exchange, what: &str, at: Option<DateTime>, why: Option<&str>) -> anyhow::Result<Outcome> {
    let id = match (what.parse::<i64>(), why) {
        (Ok(id), _) => id,
        (Err(_), None) => bail!("say why the file becomes a version: --why \"12336 销号\""),
        (Err(_), Some(why)) => match draft(exchange, &PathBuf::from(what), why)? {
            Answer::Done(answer) => answer["version"]["id"].as_i64().context("the exchange names no version")?,
            refused @ Answer::Refused { .. } => return shown(refused, exchange.json, drafted),
        },
    };
    let at = at.map(|at| Wall::from_china(at).0);
    let answer = exchange.ask("POST", &format!("{VERSIONS}/{id}/publish"), Some(&json!({ "at": at })))?;
    let said = match at {
        Some(at) => format!("version {id} counts from {} on", moment(&json!(at))),
        None => format!("version {id} counts now; calls in progress keep their plan"),
    };
    done(exchange, answer, &said)
}

/// An answer without content, in words.
fn done(exchange: &Exchange, answer: Answer, said: &str) -> anyhow::Result<Outcome> {
    match answer {
        Answer::Done(Value::Null) if exchange.json => Ok(Outcome::Done(OK)),
        answer @ (Answer::Done(_) | Answer::Refused { .. }) => {
            shown(answer, exchange.json, |_: &Value| said.to_owned())
        }
    }
}

fn diff(exchange: &Exchange, id: i64, against: Option<i64>, days: u32) -> anyhow::Result<Outcome> {
    let other = against.map(|other| format!("&against={other}")).unwrap_or_default();
    let answer = exchange.ask("GET", &format!("{VERSIONS}/{id}/changes?days={days}{other}"), None)?;
    let text = |id: i64| -> anyhow::Result<Option<String>> {
        match exchange.ask("GET", &format!("{VERSIONS}/{id}"), None)? {
            Answer::Done(shown) => Ok(shown["text"].as_str().map(str::to_owned)),
            Answer::Refused { .. } => Ok(None),
        }
    };
    let before = match against {
        Some(other) => Some(other),
        None => match exchange.ask("GET", &format!("{VERSIONS}?limit=1"), None)? {
            Answer::Done(listed) => listed["counts"].as_i64(),
            Answer::Refused { .. } => None,
        },
    };
    let before = before.map(text).transpose()?.flatten();
    let written = before.zip(text(id)?).map(|(before, after)| lines::diff(&before, &after)).unwrap_or_default();
    shown(answer, exchange.json, |answer: &Value| format!("{}\n{written}", changes(&answer["changes"], days)))
}

fn drafted(answer: &Value) -> String {
    let warnings = answer["warnings"].as_array().map_or(0, Vec::len);
    let mut said = format!("version {} is drafted; ", cell(&answer["version"]["id"]));
    said.push_str(match warnings {
        0 => "the plan is clean\n",
        _ => "the plan has warnings, `yihao check` shows them\n",
    });
    said + &changes(&answer["changes"], 31)
}

/// What changes for whom, a line a change.
fn changes(all: &Value, days: u32) -> String {
    let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return format!("nothing changes for any caller in the next {days} days\n");
    }
    let mut text = String::new();
    for change in all {
        let treated = |which: &str| {
            let mode = change[format!("{which}_mode")].as_str().map(|mode| format!(" [{mode}]")).unwrap_or_default();
            let mut treatment = change[which].as_object().cloned().unwrap_or_default();
            let kind = treatment.remove("treatment").as_ref().map(cell).unwrap_or_default().replace('_', " ");
            let rest: Vec<String> = treatment.iter().map(|(key, value)| format!("{key}={}", cell(value))).collect();
            format!("{kind}{mode} {}", rest.join(" "))
        };
        let ranges = change["ranges"].as_array().map(Vec::as_slice).unwrap_or_default();
        let first = ranges.first().map(|range| moment(&range["from"])).unwrap_or_default();
        let last = ranges.last().map(|range| moment(&range["to"])).unwrap_or_default();
        text.push_str(&format!("{} {}\n", cell(&change["line"]), cell(&change["name"])));
        text.push_str(&format!("  before  {}\n  after   {}\n", treated("before").trim(), treated("after").trim()));
        text.push_str(&format!("  from {first} to {last}, {} ranges\n", ranges.len()));
    }
    text
}

fn listed(answer: &Value) -> String {
    let all = answer["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |version: &Value| {
        let mut row = vec![cell(&version["id"]), state(version, &answer["counts"])];
        row.extend(["made_by", "approved_by"].map(|key| cell(&version[key])));
        row.extend(["made_at", "publish_at", "published_at"].map(|key| moment(&version[key])));
        row.extend(["name", "why"].map(|key| cell(&version[key])));
        row
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["VERSION", "STATE", "BY", "APPROVED", "MADE", "DUE", "PUBLISHED", "FILE", "WHY"], &rows)
}

fn tasks(answer: &Value) -> String {
    let all = answer["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |task: &Value| {
        let keys = ["line", "name", "unit", "mode", "state", "deadline", "cancel_by", "overdue", "calls_to_cancelled"];
        keys.map(|key| cell(&task[key])).to_vec()
    };
    let heads = ["LINE", "NAME", "UNIT", "MODE", "STATE", "DEADLINE", "CANCEL BY", "OVERDUE", "CALLS SINCE"];
    table(&heads, &all.iter().map(row).collect::<Vec<_>>())
}

fn one(version: &Value) -> String {
    let mut rows = Vec::new();
    for (name, key) in
        [("version", "id"), ("file", "name"), ("why", "why"), ("made by", "made_by"), ("follows", "base")]
    {
        rows.push(format!("{name:<12}{}", cell(&version[key])));
    }
    for (name, at, by) in [
        ("made", "made_at", "made_by"),
        ("approved", "approved_at", "approved_by"),
        ("due", "publish_at", "publish_by"),
        ("published", "published_at", "publish_by"),
    ] {
        if version[at].is_i64() {
            rows.push(format!("{name:<12}{} by {}", moment(&version[at]), cell(&version[by])));
        }
    }
    rows.join("\n")
}

fn state(version: &Value, counts: &Value) -> String {
    let word = match (version["published_at"].is_i64(), version["publish_at"].is_i64()) {
        (true, _) if &version["id"] == counts => "counts",
        (true, _) => "past",
        (false, true) => "due",
        (false, false) => "draft",
    };
    word.to_owned()
}

/// A moment on the clocks of China; nothing as `-`.
fn moment(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".to_owned(), |at| Wall(at).in_china().strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_counts_and_what_is_due() {
        let version = |id: i64, due: Option<i64>, published: Option<i64>| {
            json!({"id": id, "name": "x.toml", "why": "测试", "made_at": 0, "made_by": "wang", "approved_by": null,
                   "publish_at": due, "published_at": published})
        };
        let all = [version(3, Some(86_400_000), None), version(2, Some(0), Some(0)), version(1, None, Some(0))];
        let text = listed(&json!({ "counts": 2, "versions": all }));
        let rows: Vec<&str> = text.lines().collect();
        assert!(
            rows[1].starts_with("3        due     wang  -         1970-01-01 08:00  1970-01-02 08:00  -"),
            "{text}"
        );
        assert!(rows[2].contains("counts") && rows[3].contains("past"), "{text}");
    }

    #[test]
    fn the_ledger_of_merging_is_a_table() {
        let task = json!({"line": "12336", "name": "自然资源", "unit": "市自然资源和规划局", "mode": "整体并入",
            "state": "integrating", "deadline": "2021-05-31", "cancel_by": "2021-08-01", "overdue": ["cancel"],
            "merged_at": 0, "cancelled_at": null, "calls_to_cancelled": 3});
        let text = tasks(&json!({ "tasks": [task] }));
        let wanted = "12336  自然资源  市自然资源和规划局  整体并入  integrating  2021-05-31  2021-08-01  cancel   3";
        assert_eq!(text.lines().nth(1), Some(wanted), "{text}");
    }

    #[test]
    fn a_change_is_told_with_both_sides_and_its_time() {
        let range = json!({"from": 0, "to": 900_000});
        let change = json!({"line": "12336", "name": "自然资源", "before": {"treatment": "queue", "queue": "general"},
                            "before_mode": "整体并入", "after": {"treatment": "told", "status": 410},
                            "after_mode": null, "ranges": [range]});
        let text = changes(&json!([change]), 31);
        let expected = "12336 自然资源\n  before  queue [整体并入] queue=general\n  after   told status=410\n  \
                        from 1970-01-01 08:00 to 1970-01-01 08:15, 1 ranges\n";
        assert_eq!(text, expected);
        assert_eq!(changes(&json!([]), 7), "nothing changes for any caller in the next 7 days\n");
    }
}
