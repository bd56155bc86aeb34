//! Reads the plan from disk and checks it against what the disk and the configuration hold.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Config, outside};
use crate::dialplan::calendar::CalendarFile;
use crate::dialplan::file::Outside;
use crate::dialplan::report::Report;
use crate::dialplan::{Plan, PlanText};

/// Reads the plan of a configuration. There is a plan exactly when the report has no error.
pub fn load_plan(config: &Config) -> (Option<Plan>, Report) {
    match plan_text(config) {
        Ok(text) => check_plan(config, &text),
        Err(report) => (None, report),
    }
}

/// Reads a plan's texts against a configuration: its networks, prompts and certificates. There is a plan exactly when the
/// report has no error.
pub fn check_plan(config: &Config, text: &PlanText) -> (Option<Plan>, Report) {
    let networks: BTreeSet<String> = config.networks.iter().map(|network| network.name.clone()).collect();
    let (plan, mut report) = read_text(text, config, Some(&networks));
    if let Some(plan) = &plan {
        report.merge(check_tls(plan, &text.name, config));
    }
    (plan.filter(|_| report.is_ok()), report)
}

/// A trunk that TLS proves needs a listener for TLS on its network and somebody who vouches for its certificate.
fn check_tls(plan: &Plan, name: &str, config: &Config) -> Report {
    let mut report = Report::default();
    for trunk in plan.trunks.iter().filter(|trunk| trunk.tls_identity.is_some()) {
        let network = config.networks.iter().find(|network| network.name == trunk.network);
        if network.is_none_or(|network| network.tls.is_empty()) {
            let message = format!(
                "the trunk {:?} is recognised by TLS, and its network {:?} has no TLS listener",
                trunk.name, trunk.network
            );
            report.merge(Report::of_file(
                name,
                message,
                "add tls = [\"192.0.2.10:5061\"] to the [[network]] of the configuration",
            ));
        }
        if config.tls.client_ca.is_none() {
            let message =
                format!("the trunk {:?} is recognised by TLS, and nothing vouches for its certificate", trunk.name);
            report.merge(Report::of_file(
                name,
                message,
                "name the carrier's authority: client_ca in [tls] of the configuration",
            ));
        }
    }
    report
}

/// The texts of a configuration's plan and calendar.
///
/// # Errors
/// What cannot be read, and why.
pub fn plan_text(config: &Config) -> Result<PlanText, Report> {
    text_of(&config.plan, &config.folders.calendar)
}

/// The files of a configuration's calendar.
///
/// # Errors
/// What cannot be read, and why.
pub fn calendar_files(config: &Config) -> Result<Vec<CalendarFile>, Report> {
    super::calendar::files(&config.folders.calendar)
}

fn text_of(path: &Path, calendar: &Path) -> Result<PlanText, Report> {
    let name = path.display().to_string();
    let hint = "name the dial plan with --plan FILE, or as `plan` in the configuration";
    let text = outside::read(path).map_err(|why| Report::of_file(&name, format!("the dial plan {why}"), hint))?;
    Ok(PlanText { name, text, calendar: super::calendar::files(calendar)? })
}

/// Reads the plan of a configuration whose networks are not known.
pub fn read_plan(config: &Config) -> (Option<Plan>, Report) {
    match plan_text(config) {
        Ok(text) => read_text(&text, config, None),
        Err(report) => (None, report),
    }
}

fn read_text(text: &PlanText, config: &Config, networks: Option<&BTreeSet<String>>) -> (Option<Plan>, Report) {
    let prompts = &config.folders.prompts;
    if !prompts.is_dir() {
        let message = format!("there is no prompt folder {}", prompts.display());
        let hint = "name it with --prompts FOLDER, or as folders.prompts in the configuration; make.sh in dialplans/prompts makes one";
        let mut report = Report::of_file(&text.name, message, hint);
        report.merge(text.read(&Outside { prompts: &|_| true, networks }).1);
        return (None, report);
    }
    let is_there = |prompt: &str| outside::prompt_is_there(prompts, prompt);
    text.read(&Outside { prompts: &is_there, networks })
}
