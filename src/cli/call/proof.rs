//! A test call held against the plan that counts: which prompts the caller heard, and who was rung.

use std::path::Path;
use std::sync::Arc;
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
use crate::simulate::{self, Decision, Question, ScriptedSeat, SeatState, Treatment, What, World};
use crate::sip::trunk::number;
use crate::types::{LineNumber, PhoneNumber, PromptName, SeatId, TrunkId, Wall};

/// How long the records may take to have the call.
const RECORDED_WITHIN: u32 = 50;
/// Within this time in a queue a free seat is rung.
const RUNG_WITHIN_MS: i64 = 1_000;
/// Most seats at work of which each is asked whether it may be rung.
const MOST_SEATS: usize = 500;
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The plan that counts and what it says to the call.
pub(super) struct Expectation {
    /// Its version.
    version: i64,
    decision: Decision,
    /// Seats of which each would be rung if it alone were at work, as they are at work now.
    may_ring: Vec<u32>,
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
    /// The place outside to which it went on.
    destination: Option<String>,
    /// Seats that were rung, in order.
    rung: Vec<u64>,
    /// Seats that are at work and may be rung by the plan.
    may_ring: Vec<u32>,
    /// Whether all is as the plan says.
    pub(super) holds: bool,
}

/// A prompt that was to be heard.
#[derive(Debug, Serialize)]
struct Prompt {
    name: String,
    /// When it was heard, milliseconds after the first that was; nothing: it was not heard.
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
        Self::of_plan(exchange, plan, version, call, at)
    }

    /// Asks a plan what it says to the call: number, caller, and the trunk over which it comes.
    pub(super) fn of_plan(
        exchange: &Exchange,
        plan: Plan,
        version: i64,
        call: (&str, &str, Option<&str>),
        at: Wall,
    ) -> Result<Self> {
        let plan = Arc::new(plan);
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
        let may_ring = may_ring(exchange, &plan, &question)?;
        Ok(Self { version, decision: Decision::of(&plan, &question), may_ring, line, caller, at })
    }

    /// Holds what the caller recorded, and what the exchange noted, against it.
    pub(super) fn prove(
        self,
        exchange: &Exchange,
        config: &Config,
        recorded: Option<&Path>,
        sip_call_id: &str,
    ) -> Result<Proof> {
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
        let timeline = self.recorded(exchange, sip_call_id)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let offers = timeline["offers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rung: Vec<u64> = offers.iter().filter_map(|offer| offer["seat"].as_u64()).collect();
        let destination = text(&timeline["call"]["destination"]);
        let queue = text(&timeline["waits"][0]["queue"]).or_else(|| text(&timeline["call"]["queue"]));
        let waits_right = match &self.decision.treatment {
            // A rule of overflow may have sent the call on at once.
            Treatment::Queue { queue: planned, .. } => {
                let steps = timeline["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
                queue.as_ref() == Some(planned) || steps.iter().any(|step| step["body"]["from"] == **planned)
            }
            // Nobody may have answered there; whoever gave up before the prompts were over has been nowhere.
            Treatment::Outside { destination: planned, fallback, .. } => {
                (queue.is_none() || queue == *fallback) && destination.as_ref().is_none_or(|gone| gone == planned)
            }
            Treatment::Told { .. } | Treatment::NotServed | Treatment::NoSuchNumber => queue.is_none(),
        };
        let rings_right = self.rings_right(&timeline["call"], &rung);
        let holds = waits_right && rings_right && prompts.iter().all(|prompt| prompt.at_ms.is_some());
        Ok(Proof {
            version: self.version,
            expected: self.decision,
            prompts,
            call: text(&timeline["call"]["id"]),
            queue,
            destination,
            rung,
            may_ring: self.may_ring,
            holds,
        })
    }

    /// Whether only seats were rung that may be, and one of them where the call waited long enough for it.
    fn rings_right(&self, call: &Value, rung: &[u64]) -> bool {
        let known = rung.iter().all(|seat| self.may_ring.iter().any(|may| u64::from(*may) == *seat));
        let waited_ms = match (call["queued_at"].as_i64(), call["ended_at"].as_i64()) {
            (Some(since), Some(until)) => until - since,
            (Some(_) | None, Some(_) | None) => 0,
        };
        known && (!rung.is_empty() || self.may_ring.is_empty() || waited_ms < RUNG_WITHIN_MS)
    }

    /// The call in the records, as soon as they have its end and it is marked as a test there.
    fn recorded(&self, exchange: &Exchange, sip_call_id: &str) -> Result<Value> {
        let body =
            json!({ "number": self.caller.as_str(), "line": self.line.as_str(), "since": self.at.0, "limit": 50 });
        for _ in 0..RECORDED_WITHIN {
            let found = done(exchange.ask("POST", "/api/v1/records/search", Some(&body))?)?;
            let records = found["records"].as_array().map(Vec::as_slice).unwrap_or_default();
            let ours = records.iter().find(|call| call["sip_call_id"] == sip_call_id && call["fate"].is_string());
            if let Some(id) = ours.and_then(|call| call["id"].as_str()) {
                // Its legs end a moment after it.
                let marked = exchange.ask("POST", &format!("/api/v1/records/{id}/test"), Some(&json!({})))?;
                if let Answer::Done(_) = marked {
                    return done(exchange.ask("GET", &format!("/api/v1/records/{id}"), None)?);
                }
            }
            std::thread::park_timeout(ASK_EVERY);
        }
        bail!("the records do not have the call, or it could not be marked as a test there")
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
        lines.extend(self.destination.iter().map(|place| format!("  went on to {place}")));
        let rung: Vec<String> = self.rung.iter().map(ToString::to_string).collect();
        let may: Vec<String> = self.may_ring.iter().map(ToString::to_string).collect();
        let of = |seats: &[String]| if seats.is_empty() { "no seat".to_owned() } else { seats.join(", ") };
        lines.push(format!("  rang       {}, of {} that may", of(&rung), of(&may)));
        lines.push(format!("  call       {}", self.call.as_deref().unwrap_or("-")));
        lines.push(if self.holds { "all is as the plan says" } else { "this is NOT what the plan says" }.to_owned());
        lines.join("\n")
    }
}

/// Seats that take calls now and of which each would be rung if it alone did: asked of the center itself, on a virtual clock. A
/// person whom the plan does not know has skills that only the accounts know, and may be rung for anything.
fn may_ring(exchange: &Exchange, plan: &Arc<Plan>, question: &Question) -> Result<Vec<u32>> {
    let world = World {
        prompt: &|_| Duration::from_secs(1),
        outside_answers: Duration::from_secs(3),
        talk: Duration::from_secs(1),
        horizon: Duration::from_secs(120),
    };
    let seats = done(exchange.ask("GET", "/api/v1/seats", None)?)?;
    let seats = seats["seats"].as_array().map(Vec::as_slice).unwrap_or_default();
    let at_work = seats.iter().filter(|seat| seat["presence"] == "ready" && seat["doing"] == "idle");
    let mut may = Vec::new();
    for seat in at_work.take(MOST_SEATS) {
        let Some(number) = seat["seat"].as_u64().and_then(|number| u32::try_from(number).ok()) else { continue };
        let stranger =
            seat["agent"].as_u64().is_some_and(|agent| plan.agents.keys().all(|known| u64::from(known.0) != agent));
        let alone = ScriptedSeat { seat: SeatId(number), state: SeatState::Ready(Duration::from_secs(1)) };
        let played = simulate::ask(plan, &Question { seats: vec![alone], ..question.clone() }, &world);
        if stranger || played.steps.iter().any(|step| matches!(step.what, What::Seat { .. })) {
            may.push(number);
        }
    }
    Ok(may)
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
