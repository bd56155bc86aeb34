//! A test call held against the plan that counts: which prompts the caller heard, and who was rung.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::client::{Answer, Exchange};
use crate::config::{self, Config};
use crate::dialplan::file::Outside;
use crate::dialplan::{Plan, PlanText};
use crate::media::engine::prompt::Prompts;
use crate::media::fingerprint;
use crate::media::recording::{Playback, Recording};
use crate::simulate::{Decision, Question, Treatment};
use crate::sip::trunk::number;
use crate::types::{LineNumber, PhoneNumber, PromptName, TrunkId, Wall};

/// How long the records may take to have the call.
const RECORDED_WITHIN: u32 = 50;
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The plan that counts and what it says to the call.
pub(super) struct Expectation {
    /// Its version.
    version: i64,
    decision: Decision,
    line: LineNumber,
    caller: PhoneNumber,
    at: Wall,
}

/// What was heard and who was rung, beside what was to be expected.
#[derive(Debug, Serialize)]
pub(super) struct Proof {
    /// The version of the plan.
    version: i64,
    /// What the plan says.
    expected: Decision,
    /// The prompts that the plan says, in its order.
    prompts: Vec<Prompt>,
    /// The call in the records.
    call: Option<String>,
    /// The queue in which it waited.
    queue: Option<String>,
    /// Seats that were rung, in order.
    rung: Vec<u64>,
    /// Whether all is as the plan says.
    pub(super) holds: bool,
}

/// A prompt that was to be heard.
#[derive(Debug, Serialize)]
struct Prompt {
    name: String,
    /// When it was heard, milliseconds after the answer; nothing: it was not.
    at_ms: Option<u64>,
    /// How alike it was, in percent.
    likeness: Option<u8>,
}

impl Expectation {
    /// Asks the exchange for the plan that counts, and the plan what it says to the call.
    pub(super) fn of_now(
        exchange: &Exchange,
        config: &Config,
        call: (&str, &str, Option<&str>),
        at: Wall,
    ) -> Result<Self> {
        let versions = done(exchange.ask("GET", "/api/v1/plan/versions?limit=1", None)?)?;
        let version = versions["counts"].as_i64().context("the plan that counts has no version yet: try again")?;
        let shown = done(exchange.ask("GET", &format!("/api/v1/plan/versions/{version}"), None)?)?;
        let plan = read(config, shown["text"].as_str().unwrap_or_default())?;
        Self::of_plan(&plan, version, call, at)
    }

    /// Asks a plan what it says to the call: number, caller, and the trunk over which it comes.
    pub(super) fn of_plan(plan: &Plan, version: i64, call: (&str, &str, Option<&str>), at: Wall) -> Result<Self> {
        let (called, caller, trunk) = call;
        let via = match trunk {
            Some(name) => plan.trunk_named(name).with_context(|| format!("the plan has no trunk {name:?}"))?,
            None => plan.trunks.first().map_or(TrunkId(0), |trunk| trunk.id),
        };
        let area_code = plan.trunk(via).map_or("", |trunk| trunk.area_code.as_str());
        let line = number::called(called, area_code).with_context(|| format!("{called:?} is no number"))?;
        let caller = number::calling(caller, area_code).with_context(|| format!("{caller:?} is no caller's number"))?;
        let question = Question {
            called: line.clone(),
            from: Some(caller.clone()),
            at,
            via,
            down: std::collections::BTreeSet::new(),
            seats: Vec::new(),
            patience: None,
        };
        let line = plan.line(&line).map_or(line, |found| found.number.clone());
        Ok(Self { version, decision: Decision::of(plan, &question), line, caller, at })
    }

    /// Holds what the caller recorded, and what the exchange noted, against it.
    pub(super) fn prove(self, exchange: &Exchange, config: &Config, recorded: Option<&Path>) -> Result<Proof> {
        let heard = recorded.map(heard).transpose()?.unwrap_or_default();
        let names: &[String] = match &self.decision.treatment {
            Treatment::Queue { prompts, .. } | Treatment::Outside { prompts, .. } => prompts,
            Treatment::Told { prompt, .. } => prompt.as_slice(),
            Treatment::NotServed | Treatment::NoSuchNumber => &[],
        };
        let mut from_ms = 0;
        let mut prompts = Vec::new();
        for name in names {
            let prompt = PromptName::new(name);
            let loaded = Prompts::load(&config.folders.prompts, [prompt.clone()])?;
            let found = loaded.pcm(&prompt).and_then(|sound| fingerprint::find(&sound, &heard, from_ms));
            from_ms = found.map_or(from_ms, |found| found.at_ms);
            let likeness = found.map(|found| (found.likeness * 100.0).round() as u8);
            prompts.push(Prompt { name: name.clone(), at_ms: found.map(|found| found.at_ms), likeness });
        }
        let timeline = self.recorded(exchange)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let rung = timeline["offers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let queue = text(&timeline["waits"][0]["queue"]).or_else(|| text(&timeline["call"]["queue"]));
        let waits_right = match &self.decision.treatment {
            // A rule of overflow may have sent the call on at once.
            Treatment::Queue { queue: planned, .. } => {
                let steps = timeline["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
                queue.as_ref() == Some(planned) || steps.iter().any(|step| step["body"]["from"] == **planned)
            }
            Treatment::Outside { .. } | Treatment::Told { .. } | Treatment::NotServed | Treatment::NoSuchNumber => {
                queue.is_none()
            }
        };
        let holds = waits_right && prompts.iter().all(|prompt| prompt.at_ms.is_some());
        Ok(Proof {
            version: self.version,
            expected: self.decision,
            prompts,
            call: text(&timeline["call"]["id"]),
            queue,
            rung: rung.iter().filter_map(|offer| offer["seat"].as_u64()).collect(),
            holds,
        })
    }

    /// The call in the records, as soon as they have its end.
    fn recorded(&self, exchange: &Exchange) -> Result<Value> {
        let body =
            json!({ "number": self.caller.as_str(), "line": self.line.as_str(), "since": self.at.0, "limit": 1 });
        for _ in 0..RECORDED_WITHIN {
            let found = done(exchange.ask("POST", "/api/v1/records/search", Some(&body))?)?;
            let call = &found["records"][0];
            if let (Some(id), true) = (call["id"].as_str(), call["fate"].is_string()) {
                return done(exchange.ask("GET", &format!("/api/v1/records/{id}"), None)?);
            }
            std::thread::park_timeout(ASK_EVERY);
        }
        bail!("the records do not have the call")
    }
}

impl Proof {
    /// For people.
    pub(super) fn in_words(&self) -> String {
        let says = self.expected.treatment.in_words();
        let mut lines = vec![format!("version {} of the plan says: {says}", self.version)];
        lines.extend(self.prompts.iter().map(|prompt| match (prompt.at_ms, prompt.likeness) {
            (Some(at), Some(likeness)) => {
                format!("  heard      {} at {:.1} s ({likeness} %)", prompt.name, at as f64 / 1_000.0)
            }
            (Some(_) | None, Some(_) | None) => format!("  NOT heard  {}", prompt.name),
        }));
        lines.push(format!("  waited in  {}", self.queue.as_deref().unwrap_or("no queue")));
        let rung: Vec<String> = self.rung.iter().map(ToString::to_string).collect();
        lines.push(format!("  rang       {}", if rung.is_empty() { "no seat".to_owned() } else { rung.join(", ") }));
        lines.push(format!("  call       {}", self.call.as_deref().unwrap_or("-")));
        lines.push(if self.holds { "all is as the plan says" } else { "this is NOT what the plan says" }.to_owned());
        lines.join("\n")
    }
}

fn done(answer: Answer) -> Result<Value> {
    match answer {
        Answer::Done(value) => Ok(value),
        Answer::Refused { code, message } => bail!("{message} ({code})"),
    }
}

fn read(config: &Config, text: &str) -> Result<Plan> {
    let calendar = match config::calendar_files(config) {
        Ok(files) => files,
        Err(report) => bail!("{report}"),
    };
    let text = PlanText { calendar, ..PlanText::new("the plan that counts", text) };
    let (plan, report) = text.read(&Outside { prompts: &|_| true, networks: None });
    plan.with_context(|| format!("the plan that counts is not understood:\n{report}"))
}

/// What the caller heard, at 8 kHz.
fn heard(file: &Path) -> Result<Vec<i16>> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let recording = Recording::read(&bytes).with_context(|| format!("cannot play {}", file.display()))?;
    // The phone's one leg is the exchange: what comes from there stands left.
    Ok(Playback::new(&recording, false).flat_map(|frame| frame.into_iter().step_by(2)).collect())
}
