//! Reads the plan from disk and checks it against what the disk and the configuration hold.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Config, outside};
use crate::dialplan::Plan;
use crate::dialplan::file::{self, Outside};
use crate::dialplan::report::Report;

/// Reads the plan of a configuration. There is a plan exactly when the report has no error.
pub fn load_plan(config: &Config) -> (Option<Plan>, Report) {
    let networks: BTreeSet<String> = config.networks.iter().map(|network| network.name.clone()).collect();
    read_plan(&config.plan, &config.folders.prompts, Some(&networks))
}

/// Reads a plan with prompts from a folder; networks are checked when they are known.
pub fn read_plan(path: &Path, prompts: &Path, networks: Option<&BTreeSet<String>>) -> (Option<Plan>, Report) {
    let name = path.display().to_string();
    let text = match outside::read(path) {
        Ok(text) => text,
        Err(why) => {
            let hint = "name the dial plan with --plan FILE, or as `plan` in the configuration";
            return (None, Report::of_file(&name, format!("the dial plan {why}"), hint));
        }
    };
    if !prompts.is_dir() {
        let message = format!("there is no prompt folder {}", prompts.display());
        let hint = "name it with --prompts FOLDER, or as folders.prompts in the configuration; make.sh in dialplans/prompts makes one";
        let mut report = Report::of_file(&name, message, hint);
        report.merge(file::read(&name, &text, &Outside { prompts: &|_| true, networks }).1);
        return (None, report);
    }
    let is_there = |prompt: &str| outside::prompt_is_there(prompts, prompt);
    file::read(&name, &text, &Outside { prompts: &is_there, networks })
}
