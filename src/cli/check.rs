//! `yihao check`: reads configuration, plan and secrets as a start would, and says all that is wrong.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::{self, Overrides, secrets};
use crate::dialplan::Plan;
use crate::dialplan::report::Report;

/// Everything is right; there may be warnings.
pub const OK: u8 = 0;
/// There are warnings, and `--strict` was given.
pub const WARNINGS: u8 = 1;
/// There are mistakes: a start would be refused.
pub const MISTAKES: u8 = 2;

/// Checks a dial plan and a configuration: file, line, column and a hint for each mistake.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao check
  yihao check --plan dialplans/mianyang.toml --json
  yihao check --config /etc/yihao/yihao.toml --strict

Exit codes: 0 all right (perhaps with warnings), 1 warnings with --strict, 2 mistakes.")]
pub struct Args {
    /// The configuration; without one the embedded defaults are checked.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// What stands over the configuration.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Let warnings fail (exit code 1).
    #[arg(long)]
    pub strict: bool,
}

/// What was checked.
#[derive(Debug, Serialize)]
struct Outcome {
    ok: bool,
    plan: Option<PlanSummary>,
    #[serde(flatten)]
    report: Report,
}

/// The plan in figures, so that the reader sees that the right file was read.
#[derive(Debug, Serialize)]
struct PlanSummary {
    deployment: String,
    lines: usize,
    trunks: usize,
    queues: usize,
    seats: usize,
    /// What the merge document has lost, as the plan lists it.
    missing: u32,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    let outcome = check(args);
    if args.json {
        let text = serde_json::to_string_pretty(&outcome).expect("texts and numbers can always be written as JSON");
        say!("{text}");
    } else {
        say!("{}{}", outcome.report, outcome.in_one_line());
    }
    match (outcome.ok, outcome.report.warnings.is_empty()) {
        (false, _) => MISTAKES,
        (true, false) if args.strict => WARNINGS,
        (true, _) => OK,
    }
}

fn check(args: &Args) -> Outcome {
    let (config, mut report) = config::load_as_far_as_good(args.config.as_deref(), &args.overrides);
    let (plan, plan_report) = match report.is_ok() {
        true => config::load_plan(&config),
        // Its networks are not known; its other mistakes are wanted in the same run.
        false => config::read_plan(&config),
    };
    report.merge(plan_report);
    if let Some(plan) = &plan
        && config.secrets.exists()
    {
        let (found, secrets_report) = secrets::load(&config.secrets, &config.realm, plan);
        report.merge(secrets_report);
        if let Some(found) = found {
            report.merge(secrets::check_algorithms(&config.secrets, &found, &config.digest));
        }
    }
    Outcome { ok: report.is_ok(), plan: plan.as_ref().map(PlanSummary::of), report }
}

impl PlanSummary {
    fn of(plan: &Plan) -> Self {
        Self {
            deployment: plan.deployment.clone(),
            lines: plan.lines.len(),
            trunks: plan.trunks.len(),
            queues: plan.queues.len(),
            seats: plan.seats.len(),
            missing: plan.missing.iter().map(|missing| missing.count).sum(),
        }
    }
}

impl Outcome {
    fn in_one_line(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let found =
            format!("{}, {}", count(self.report.errors.len(), "mistake"), count(self.report.warnings.len(), "warning"));
        match &self.plan {
            Some(plan) => format!(
                "{}: {}, {}, {}, {}{}; {found}",
                plan.deployment,
                count(plan.lines, "line"),
                count(plan.trunks, "trunk"),
                count(plan.queues, "queue"),
                count(plan.seats, "seat"),
                match plan.missing {
                    0 => String::new(),
                    n => format!("; {n} missing in the source"),
                }
            ),
            None => format!("not usable: {found}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(config: Option<PathBuf>) -> Args {
        args_of("mianyang", config)
    }

    fn args_of(city: &str, config: Option<PathBuf>) -> Args {
        let plan = format!("{}/dialplans/{city}.toml", env!("CARGO_MANIFEST_DIR"));
        // The secrets of whoever runs the tests are none of theirs.
        let var = Some("/nonexistent".into());
        let overrides = Overrides { plan: Some(plan.into()), var, ..Overrides::default() };
        Args { config, overrides, json: false, strict: false }
    }

    #[test]
    fn warnings_pass_unless_they_are_to_fail() {
        assert_eq!(run(&args_of("nanchang", None)), OK);
        assert_eq!(run(&Args { strict: true, ..args_of("nanchang", None) }), WARNINGS);
        assert_eq!(run(&Args { strict: true, ..args(None) }), OK);
    }

    #[test]
    fn one_line_counts_what_the_plan_has_and_what_its_source_has_lost() {
        let line = |city| check(&args_of(city, None)).in_one_line();
        assert_eq!(
            line("mianyang"),
            "mianyang: 18 lines, 3 trunks, 5 queues, 12 seats; 13 missing in the source; 0 mistakes, 0 warnings"
        );
        assert_eq!(line("wuzhong"), "wuzhong: 24 lines, 13 trunks, 6 queues, 16 seats; 0 mistakes, 0 warnings");
    }

    #[test]
    fn mistakes_of_both_files_are_found_in_one_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("yihao.toml");
        std::fs::write(&file, "plan = \"plan.toml\"\n[htp]\n[folders]\nprompts = \".\"\n").expect("written");
        std::fs::write(folder.path().join("plan.toml"), "deploymnt = \"x\"\n").expect("written");
        let args = Args { overrides: Overrides::default(), ..args(Some(file)) };
        let outcome = check(&args);
        let of = |name: &str| outcome.report.errors.iter().filter(|e| e.file.ends_with(name)).count();
        assert_eq!(of("yihao.toml"), 1, "{}", outcome.report);
        assert!(of("plan.toml") > 1, "{}", outcome.report);
        assert_eq!(run(&args), MISTAKES);
    }

    #[test]
    fn a_telephone_that_cannot_answer_the_first_challenge_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets.toml");
        let entry = secrets::seat_entry(crate::types::SeatId(8001), "yihao", "word");
        let md5_only: String =
            entry.lines().filter(|line| !line.starts_with("sha256")).map(|l| format!("{l}\n")).collect();
        std::fs::write(&file, format!("realm = \"yihao\"\n{md5_only}")).expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("set");
        let mut args = args(None);
        args.overrides.secrets = Some(file);
        let outcome = check(&args);
        assert!(outcome.ok && outcome.report.to_string().contains("offered first: 8001"), "{}", outcome.report);
    }

    #[test]
    fn json_has_place_message_and_hint() {
        let outcome = check(&args_of("nanchang", None));
        let json = serde_json::to_value(&outcome).expect("json");
        assert_eq!(json["ok"], true);
        assert_eq!((&json["plan"]["lines"], &json["plan"]["missing"]), (&13.into(), &23.into()));
        let warning = &json["warnings"][0];
        assert!(warning["line"].is_u64() && warning["column"] == 1 && warning["message"].is_string(), "{warning}");
    }
}
