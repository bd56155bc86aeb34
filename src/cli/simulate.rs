//! `yihao simulate`: what would happen to a call, and what changes between two plans.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Zoned;
use jiff::civil::{Date, DateTime};
use serde::Serialize;

use super::calls::render;
use crate::config::{self, Config, Overrides};
use crate::dialplan::Plan;
use crate::dialplan::settings::{self, Setting};
use crate::media::engine::prompt::Prompts;
use crate::simulate::{self, Answer, Change, End, Period, Question, ScriptedSeat, What, World};
use crate::sip::trunk::number;
use crate::types::{Fate, PhoneNumber, PromptName, TrunkId};

/// Somebody answers; or nothing changes.
pub const OK: u8 = 0;
/// The call ends without a person; or something changes.
pub const OTHER: u8 = 1;
/// Nobody ends the call: the caller waits in vain, or cannot come.
pub const UNSERVED: u8 = 3;

/// Plays one call through a plan on a virtual clock and prints each step with its reason; or compares two plans.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao simulate --called 12336 --from 13900000000 --at 2021-07-15T03:00
  yihao simulate --called 12315 --at 2021-12-01T10:00 --trunk-down telecom --patience 60 --json
  yihao simulate --plan-diff old.toml new.toml --from 2021-10-01 --to 2022-09-30

Seats: all of the plan are ready and answer after 3 s, unless --seats names a file: [[seat]] number = 8001, state = \"ready\",
\"silent\" or \"not-ready\", answers_s = 3; who is not in it is not there. Somebody outside answers after 3 s; a talk has 60 s.
Exit codes of a call: 0 somebody answers, 1 it ends without a person, 2 mistakes, 3 it never ends, or cannot come.
Exit codes of a comparison: 0 nothing changes, 1 something does, 2 mistakes.")]
pub struct Args {
    /// The number that is dialled.
    #[arg(long, required_unless_present = "plan_diff", conflicts_with = "plan_diff")]
    pub called: Option<String>,
    /// Who calls; of a comparison, its first day.
    #[arg(long, value_name = "NUMBER or DATE")]
    pub from: Option<String>,
    /// When, on the clocks of the plan's zone: 2021-07-15T03:00; now, where it is not given.
    #[arg(long, value_name = "MOMENT")]
    pub at: Option<DateTime>,
    /// The trunk that it comes over; the first of the plan, where none is named.
    #[arg(long, value_name = "TRUNK")]
    pub via: Option<String>,
    /// A trunk that does not answer; may be given several times.
    #[arg(long, value_name = "TRUNK")]
    pub trunk_down: Vec<String>,
    /// Who is at work.
    #[arg(long, value_name = "FILE")]
    pub seats: Option<PathBuf>,
    /// After how many seconds the caller gives up; never, where it is not given.
    #[arg(long, value_name = "SECONDS")]
    pub patience: Option<u64>,
    /// How far is looked ahead, in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    pub ahead: u64,
    /// Compares two plans over all lines and quarters of an hour from --from to --to, and what else is written in them.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], requires_all = ["from", "to"])]
    pub plan_diff: Vec<PathBuf>,
    /// The last day of a comparison.
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
    /// The configuration; without one the embedded defaults count.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// The dial plan.
    #[arg(long, value_name = "FILE", env = "YIHAO_PLAN")]
    pub plan: Option<PathBuf>,
    /// Folder of prompts.
    #[arg(long, value_name = "FOLDER", env = "YIHAO_PROMPTS")]
    pub prompts: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// A question that cannot be asked: mistakes in files, an unknown trunk.
pub fn run(args: &Args) -> Result<u8> {
    match args.plan_diff.as_slice() {
        [before, after] => compare(args, before, after),
        _ => play(args),
    }
}

fn play(args: &Args) -> Result<u8> {
    let (config, plan) = read(args, args.plan.as_deref())?;
    let plan = Arc::new(plan);
    let question = question(args, &plan)?;
    let length = |name: &PromptName| length(&config, name);
    let world = World {
        prompt: &length,
        outside_answers: Duration::from_secs(3),
        talk: Duration::from_secs(60),
        horizon: Duration::from_secs(args.ahead * 60),
    };
    let answer = simulate::ask(&plan, &question, &world);
    if args.json {
        print_json(&answer);
    } else {
        say!("{}", told(&question, &answer, args.ahead));
    }
    Ok(code(&answer.end))
}

/// How long a prompt lasts, by its file.
fn length(config: &Config, name: &PromptName) -> Duration {
    let loaded = Prompts::load(&config.folders.prompts, [name.clone()]).ok();
    loaded.and_then(|prompts| prompts.duration(name)).unwrap_or(simulate::PROMPT)
}

fn question(args: &Args, plan: &Plan) -> Result<Question> {
    let at = args.at.unwrap_or_else(|| Zoned::now().datetime());
    let at = plan.clocks.moment(at).with_context(|| format!("{at} is beyond all dates"))?;
    let seats = match &args.seats {
        None => ScriptedSeat::all_of(plan),
        Some(path) => seats(path, plan)?,
    };
    let via = match &args.via {
        Some(name) => trunk(plan, name)?,
        None => plan.trunks.first().context("the plan has no trunk over which a call could come")?.id,
    };
    // As the trunk reads them: 081612345 is 12345 where the area code is 816.
    let area_code = plan.trunk(via).map_or("", |trunk| trunk.area_code.as_str());
    let called = args.called.as_deref().unwrap_or_default();
    let called =
        number::called(called, area_code).with_context(|| format!("{called:?} is no number that can be dialled"))?;
    let from = match args.from.as_deref() {
        Some(text) => {
            Some(number::calling(text, area_code).with_context(|| format!("{text:?} is no caller's number"))?)
        }
        None => None,
    };
    let down = args.trunk_down.iter().map(|name| trunk(plan, name)).collect::<Result<_>>()?;
    Ok(Question { called, from, at, via, down, seats, patience: args.patience.map(Duration::from_secs) })
}

fn trunk(plan: &Plan, name: &str) -> Result<TrunkId> {
    plan.trunk_named(name).with_context(|| {
        let known: Vec<&str> = plan.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
        format!("the plan has no trunk {name:?}; it has: {}", known.join(", "))
    })
}

fn seats(path: &Path, plan: &Plan) -> Result<Vec<ScriptedSeat>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (seats, report) = simulate::read_seats(&path.display().to_string(), &text, plan);
    seats.with_context(|| format!("the seats have mistakes:\n{report}"))
}

fn read(args: &Args, plan: Option<&Path>) -> Result<(Config, Plan)> {
    let overrides = Overrides { plan: plan.map(Path::to_owned), prompts: args.prompts.clone(), ..Overrides::default() };
    let config = super::configuration(args.config.as_deref(), &overrides)?;
    let (plan, report) = config::read_plan(&config);
    let Some(plan) = plan else { bail!("the dial plan has mistakes:\n{report}") };
    Ok((config, plan))
}

fn code(end: &End) -> u8 {
    match end {
        End::Fate { fate: Fate::Answered { .. } | Fate::AnsweredOutside } => OK,
        End::Fate { .. } => OTHER,
        End::Unserved | End::NoWayIn => UNSERVED,
    }
}

fn told(question: &Question, answer: &Answer, ahead: u64) -> String {
    let from = question.from.as_ref().map_or("nobody in particular", PhoneNumber::as_str);
    let mut lines = vec![format!("{} called by {from}: {}", question.called, answer.decision.treatment.in_words())];
    lines.extend(answer.decision.because.iter().map(|why| format!("  because {why}")));
    for step in &answer.steps {
        let seconds = step.after_ms as f64 / 1_000.0;
        lines.push(format!("  {seconds:>+9.3} s  {}", step_in_words(&step.what)).trim_end().to_owned());
    }
    lines.push(match answer.end {
        End::Fate { fate } => format!("ends: {}", fate.as_str().replace('_', " ")),
        End::Unserved => format!("never ends: after {ahead} minutes nobody has answered and the caller still waits"),
        End::NoWayIn => "cannot come: its trunk is down".to_owned(),
    });
    lines.join("\n")
}

fn step_in_words(what: &What) -> String {
    match what {
        What::Row { row } => render::event(row),
        What::Caller { status: 200 } => "answered        200 to the caller".to_owned(),
        What::Caller { status } => format!("told            {status} to the caller"),
        What::Refused { cause } => format!("refused         {}", cause.as_str().replace('_', " ")),
        What::Prompt { name, ms } => format!("hears           {name} ({:.1} s)", *ms as f64 / 1_000.0),
        What::Music { name } => format!("hears           {name}, without end"),
        What::RingingTone => "hears           ringing tone".to_owned(),
        What::Voice => "hears           somebody".to_owned(),
        What::Seat { seat } => format!("dials           seat {}", seat.0),
        What::Outside { trunk, number, up } => {
            let answers = if *up { "" } else { ", which is down" };
            format!("dials           {} over {trunk}{answers}", number.as_str())
        }
        What::HangsUp { served: true } => "hangs up        the talk is over".to_owned(),
        What::HangsUp { served: false } => "hangs up        patience is over".to_owned(),
    }
}

fn compare(args: &Args, before: &Path, after: &Path) -> Result<u8> {
    let from = args.from.as_deref().unwrap_or_default();
    let from: Date = from.parse().with_context(|| format!("{from:?} is no day: --from 2021-10-01"))?;
    let to = args.to.context("the last day is missing: --to 2022-09-30")?;
    if to < from || (to - from).get_days() > 3_660 {
        bail!("from {from} to {to} is no period: at most ten years");
    }
    let (_, old) = read(args, Some(before))?;
    let (_, new) = read(args, Some(after))?;
    let text =
        |file: &Path| std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()));
    let compared = Comparison {
        changes: simulate::diff(&old, &new, Period { from, to }),
        settings: settings::differences(&text(before)?, &text(after)?),
    };
    if args.json {
        print_json(&compared);
    } else {
        say!("{}{}", changes_in_words(&compared.changes, &new), settings_in_words(&compared.settings));
    }
    Ok(if compared.changes.is_empty() && compared.settings.is_empty() { OK } else { OTHER })
}

/// What differs between two plans.
#[derive(Serialize)]
struct Comparison {
    /// For whom, and when.
    changes: Vec<Change>,
    /// In queues, trunks, seats and so on, as it is written.
    settings: Vec<Setting>,
}

fn settings_in_words(settings: &[Setting]) -> String {
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let line = |setting: &Setting| {
        let of = if setting.part.is_empty() { "the plan" } else { setting.part.as_str() };
        format!("\n{of}: {} was {}, is {}", setting.key, said(&setting.before), said(&setting.after))
    };
    settings.iter().map(line).collect()
}

/// Most ranges of a change that are listed for people; JSON has all.
const MOST_RANGES: usize = 8;

fn changes_in_words(changes: &[Change], plan: &Plan) -> String {
    if changes.is_empty() {
        return "Nothing changes for any caller.".to_owned();
    }
    let mode = |mode: &Option<String>| mode.as_ref().map(|mode| format!(" [{mode}]")).unwrap_or_default();
    let local = |wall| plan.clocks.at(wall).strftime("%Y-%m-%d %H:%M").to_string();
    let mut lines = Vec::new();
    for change in changes {
        lines.push(format!("{} {}", change.line, change.name));
        lines.push(format!("  before  {}{}", change.before.in_words(), mode(&change.before_mode)));
        lines.push(format!("  after   {}{}", change.after.in_words(), mode(&change.after_mode)));
        for range in change.ranges.iter().take(MOST_RANGES) {
            lines.push(format!("  from {} to {}", local(range.from), local(range.to)));
        }
        if change.ranges.len() > MOST_RANGES {
            lines.push(format!("  and {} more times", change.ranges.len() - MOST_RANGES));
        }
    }
    lines.join("\n")
}

fn print_json(value: &impl Serialize) {
    say!("{}", serde_json::to_string_pretty(value).expect("texts and numbers can always be written as JSON"));
}
