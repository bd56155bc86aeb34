//! The table of lines to a sheet and back. Workbooks are opened here, in the operator's own process, never by the exchange.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;

use super::super::client::{Answer, Exchange, OK, Outcome, shown};
use super::VERSIONS;
use crate::config::{self, Config, Overrides};
use crate::dialplan::PlanText;
use crate::dialplan::report::Report;
use crate::dialplan::sheet::{self, Form, Imported};

/// Writes the lines of a plan into a sheet.
pub(super) fn export(exchange: &Exchange, to: &Path, plan: Option<&Path>) -> Result<Outcome> {
    let form = form(to)?;
    let (name, text) = match plan {
        Some(file) => (file.display().to_string(), read(file)?),
        None => counting(exchange)?,
    };
    let bytes = sheet::export(&name, &text, form).map_err(|report| anyhow!("{report}"))?;
    put(to, &bytes).with_context(|| format!("{} cannot be written", to.display()))?;
    say!("the lines of {name} stand in {}", to.display());
    Ok(Outcome::Done(OK))
}

/// Puts the lines of a sheet into a plan file, or makes a draft of the plan that counts with them.
pub(super) fn import(exchange: &Exchange, from: &Path, into: Option<&Path>, why: Option<&str>) -> Result<Outcome> {
    let (name, form) = (from.display().to_string(), form(from)?);
    let length = std::fs::metadata(from).with_context(|| format!("{name} cannot be read"))?.len();
    let read_sheet = || {
        sheet::fits(&name, usize::try_from(length).unwrap_or(usize::MAX))?;
        match form {
            Form::Csv => sheet::read_csv(&name, &bytes(from)?),
            Form::Xlsx => sheet::read_xlsx(&name, &bytes(from)?),
        }
    };
    let Exchange { var, http, .. } = exchange.clone();
    let overrides = Overrides { plan: into.map(Path::to_owned), var, http, ..Overrides::default() };
    let config = super::super::configuration(exchange.config.as_deref(), &overrides)?;
    let (plan_name, text) = match into {
        Some(file) => (file.display().to_string(), read(file)?),
        None => counting(exchange)?,
    };
    let judge = |text: &str| judged(&config, &plan_name, text);
    let imported = match read_sheet().and_then(|grid| sheet::import(&grid, &text, &judge)) {
        Ok(imported) => imported,
        Err(report) => return Ok(Outcome::Refused(format!("nothing is changed:\n{report}"))),
    };
    match (into, why) {
        (Some(file), _) => {
            put(file, imported.text.as_bytes()).with_context(|| format!("{} cannot be written", file.display()))?;
            say!("{}{}: {}", imported.warnings, file.display(), in_words(&imported));
            Ok(Outcome::Done(OK))
        }
        (None, None) => bail!("say why the sheet becomes a version, --why TEXT, or which file it changes, --into FILE"),
        (None, Some(why)) => {
            say!("{}", in_words(&imported));
            let body = json!({ "name": plan_name, "text": imported.text, "why": why });
            shown(exchange.ask("POST", VERSIONS, Some(&body))?, exchange.json, super::drafted)
        }
    }
}

fn in_words(imported: &Imported) -> String {
    let Imported { added, changed, removed, same, .. } = imported;
    format!("{added} lines are new, {changed} changed, {removed} gone, {same} as they were")
}

fn form(file: &Path) -> Result<Form> {
    Form::of_name(&file.to_string_lossy()).with_context(|| format!("{} is neither .csv nor .xlsx", file.display()))
}

fn bytes(file: &Path) -> Result<Vec<u8>, Report> {
    let why = |error| format!("the file cannot be read: {error}");
    std::fs::read(file)
        .map_err(|error| Report::of_file(&file.display().to_string(), why(error), "name a file that is there"))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// The plan that counts, with the name of its file.
fn counting(exchange: &Exchange) -> Result<(String, String)> {
    let done = |answer: Answer| match answer {
        Answer::Done(value) => Ok(value),
        Answer::Refused { code, message } => Err(anyhow!("{message} ({code})")),
    };
    let listed = done(exchange.ask("GET", &format!("{VERSIONS}?limit=1"), None)?)?;
    let id = listed["counts"].as_i64().context("the plan that counts has no version yet: try again")?;
    let shown = done(exchange.ask("GET", &format!("{VERSIONS}/{id}"), None)?)?;
    let text = |at: &serde_json::Value| at.as_str().unwrap_or_default().to_owned();
    Ok((text(&shown["version"]["name"]), text(&shown["text"])))
}

/// What a start with this text would say.
fn judged(config: &Config, name: &str, text: &str) -> Report {
    match config::calendar_files(config) {
        Ok(calendar) => config::check_plan(config, &PlanText { calendar, ..PlanText::new(name, text) }).1,
        Err(report) => report,
    }
}

/// Writes a file in place of what was there; after a crash one of the two is there, whole.
fn put(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    let mut new = File::create(&fresh)?;
    if let Ok(before) = file.metadata() {
        new.set_permissions(before.permissions())?;
    }
    new.write_all(bytes)?;
    new.sync_all()?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = include_str!("../../../dialplans/mianyang.toml");

    /// A folder with a plan, and how commands find it.
    fn site() -> (tempfile::TempDir, Exchange) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("plan.toml"), PLAN).expect("written");
        let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/prompts");
        std::fs::write(at("yihao.toml"), format!("[folders]\nprompts = {prompts:?}\n")).expect("written");
        let exchange = Exchange { config: Some(at("yihao.toml")), var: Some(at("var")), http: None, json: false };
        (folder, exchange)
    }

    #[test]
    fn a_plan_file_goes_through_a_sheet_and_only_the_changed_line_changes() {
        let (folder, exchange) = site();
        let (plan, csv) = (folder.path().join("plan.toml"), folder.path().join("lines.csv"));
        for name in ["lines.csv", "lines.xlsx"] {
            let to = folder.path().join(name);
            assert_eq!(export(&exchange, &to, Some(&plan)).expect("written"), Outcome::Done(OK));
            assert_eq!(import(&exchange, &to, Some(&plan), None).expect("read"), Outcome::Done(OK));
            assert!(read(&plan).expect("there") == PLAN, "{name}");
        }
        let text = read(&csv).expect("there");
        std::fs::write(&csv, text.replace("市场监管投诉举报热线", "市场监管热线")).expect("written");
        assert_eq!(import(&exchange, &csv, Some(&plan), None).expect("read"), Outcome::Done(OK));
        assert_eq!(read(&plan).expect("there"), PLAN.replacen("\"市场监管投诉举报热线\"", "\"市场监管热线\"", 1));
    }

    #[test]
    fn a_sheet_with_mistakes_and_a_long_file_change_nothing() {
        let (folder, exchange) = site();
        let (plan, csv) = (folder.path().join("plan.toml"), folder.path().join("lines.csv"));
        export(&exchange, &csv, Some(&plan)).expect("written");
        let text = read(&csv).expect("there").replacen("双号并行", "双号", 1);
        for (bytes, wanted) in [(text.into_bytes(), "column M 归并方式"), (vec![b'a'; 10 << 20], "10485760 bytes")]
        {
            std::fs::write(&csv, bytes).expect("written");
            let Outcome::Refused(said) = import(&exchange, &csv, Some(&plan), None).expect("told") else {
                panic!("it is refused")
            };
            assert!(said.contains(wanted), "{said}");
            assert!(read(&plan).expect("there") == PLAN);
        }
        assert!(import(&exchange, &folder.path().join("lines.ods"), Some(&plan), None).is_err());
    }
}
