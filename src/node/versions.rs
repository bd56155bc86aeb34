//! The plan that counts: kept beside the ledger, so that a start needs no database to begin with it.
//!
//! A version that was published counts until another one does. The plan file of the configuration counts once when it has
//! changed since the exchange last looked, at a start or a reload; it becomes a version then. Where a second person must
//! approve, a changed file alone changes nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::renew::{OwnSeat, Reloader};
use crate::api::{Counting, Plans};
use crate::config::{self, Config, secrets};
use crate::dialplan::file::Outside;
use crate::dialplan::report::Report;
use crate::dialplan::{Plan, PlanText, sheet};
use crate::simulate::{self, Period};
use crate::types::Wall;

/// What is kept of the plan that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its version; `None`: a file that has no number yet.
    pub(super) version: Option<i64>,
    /// Name of its file.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
    /// The plan file of the configuration when it was last looked at: path and SHA-256.
    pub(super) file: (PathBuf, String),
}

/// What a node begins with.
#[derive(Debug)]
pub struct Starting {
    /// The texts of the plan.
    pub text: PlanText,
    /// The plan.
    pub plan: Plan,
    /// What works and is probably not meant.
    pub warnings: Report,
    pub(super) kept: Kept,
    /// A seat of this process alone, already in the plan.
    pub(super) own_seat: Option<OwnSeat>,
}

impl Kept {
    fn of_file(config: &Config, file: &PlanText) -> Self {
        Self { version: None, name: file.name.clone(), text: file.text.clone(), file: mark(config, file) }
    }

    /// The plan to go on with after a look at the file: its own, or that of the file that has changed.
    pub(super) fn after_look(&self, config: &Config, file: &PlanText) -> Self {
        let seen = mark(config, file);
        if seen == self.file || file.text == self.text {
            return Self { file: seen, ..self.clone() };
        }
        if config.second_person && self.version.is_some() {
            tracing::warn!(
                file = file.name,
                "the plan file has changed and counts only when it is published and approved: `yihao plan draft`"
            );
            return self.clone();
        }
        Self::of_file(config, file)
    }

    /// Its texts, with the calendar as it lies on disk now.
    pub(super) fn with_calendar_of(&self, file: &PlanText) -> PlanText {
        PlanText { name: self.name.clone(), text: self.text.clone(), calendar: file.calendar.clone() }
    }

    fn load(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it in place of what was kept before; after a crash one of the two is there, whole.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let fresh = path.with_extension("new");
        let _absent = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }
}

/// Which file was looked at, and what stood in it.
fn mark(config: &Config, file: &PlanText) -> (PathBuf, String) {
    let digest = ring::digest::digest(&ring::digest::SHA256, file.text.as_bytes());
    (config.plan.clone(), digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Starting {
    /// Reads what a node begins with: the version that counted last, or the plan file when it has changed since. A changed file
    /// with mistakes does not keep an exchange from starting that has a version to start with.
    ///
    /// # Errors
    /// All mistakes of the plan, where there is no version.
    pub fn read(config: &Config) -> Result<Self, Report> {
        let path = config.folders.published_plan();
        let kept = Kept::load(&path).unwrap_or_else(|error| {
            tracing::error!(%error, path = %path.display(), "the published plan cannot be read; the plan file counts");
            None
        });
        let (file, before) = match (config::plan_text(config), kept) {
            (Ok(file), Some(kept)) => (file, kept),
            (Ok(file), None) => return Self::of(config, Kept::of_file(config, &file), &file),
            (Err(report), None) => return Err(report),
            (Err(report), Some(kept)) => {
                tracing::error!("the published plan counts, the plan file cannot be read:\n{report}");
                let text = PlanText { calendar: config::calendar_files(config)?, ..PlanText::new("", "") };
                return Self::of(config, kept, &text);
            }
        };
        let now = before.after_look(config, &file);
        if now.version == before.version {
            return Self::of(config, now, &file);
        }
        match Self::of(config, now, &file) {
            Err(report) => {
                tracing::error!("the published plan counts, the changed plan file has mistakes:\n{report}");
                Self::of(config, before, &file)
            }
            good @ Ok(_) => good,
        }
    }

    fn of(config: &Config, kept: Kept, file: &PlanText) -> Result<Self, Report> {
        let text = kept.with_calendar_of(file);
        let (plan, report) = config::check_plan(config, &text);
        match plan {
            Some(plan) => Ok(Self { text, plan, warnings: report, kept, own_seat: None }),
            None => Err(report),
        }
    }
}

/// The versions as the node serves them.
pub(super) struct Desk(pub(super) Arc<Reloader>);

impl Desk {
    fn config(&self) -> &Config {
        &self.0.config
    }

    /// A plan's text with the calendar as it lies on disk now.
    fn text(&self, name: &str, text: &str) -> Result<PlanText, String> {
        let calendar = config::calendar_files(self.config()).map_err(|report| report.to_string())?;
        Ok(PlanText { calendar, ..PlanText::new(name, text) })
    }
}

impl Plans for Desk {
    fn counting(&self) -> Counting {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Counting { id: kept.version, name: kept.name.clone(), text: kept.text.clone() }
    }

    fn numbered(&self, id: i64) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.version = Some(id);
        if let Err(error) = kept.save(&self.config().folders.published_plan()) {
            tracing::error!(%error, "the published plan cannot be kept; the next start reads the plan file");
        }
    }

    fn check(&self, name: &str, text: &str) -> Result<Vec<String>, String> {
        let (plan, report) = config::check_plan(self.config(), &self.text(name, text)?);
        let Some(plan) = plan else { return Err(report.to_string()) };
        let config = self.config();
        let (found, of_secrets) = secrets::load(&config.secrets, &config.realm, &plan);
        if found.is_none() {
            return Err(of_secrets.to_string());
        }
        Ok(report.warnings.iter().map(ToString::to_string).collect())
    }

    fn compare(&self, before: &str, after: &str, from: Wall, days: u32) -> Result<Value, String> {
        let read = |text: &str| {
            let (plan, report) = self.text("version", text)?.read(&Outside { prompts: &|_| true, networks: None });
            plan.ok_or_else(|| report.to_string())
        };
        let first = from.in_china().date();
        let last = first.saturating_add(jiff::ToSpan::days(i64::from(days) - 1));
        let changes = simulate::diff(&read(before)?, &read(after)?, Period { from: first, to: last });
        serde_json::to_value(changes).map_err(|error| error.to_string())
    }

    fn apply(&self, id: i64, name: &str, text: &str) -> Result<(), String> {
        self.0.publish(id, self.text(name, text)?).map_err(|error| error.to_string())
    }

    fn with_lines(&self, name: &str, csv: &[u8]) -> Result<Counting, String> {
        let counting = self.counting();
        let with_calendar = self.text(&counting.name, "")?;
        let judge = |text: &str| {
            let text = PlanText { text: text.to_owned(), ..with_calendar.clone() };
            config::check_plan(self.config(), &text).1
        };
        let imported = sheet::read_csv(name, csv).and_then(|grid| sheet::import(&grid, &counting.text, &judge));
        let text = imported.map_err(|report| report.to_string())?.text;
        Ok(Counting { text, ..counting })
    }

    fn asks_second_person(&self) -> bool {
        self.config().second_person
    }
}

impl Reloader {
    /// Goes on with a version of the plan. It is kept first: a start after a crash begins with it.
    fn publish(&self, id: i64, text: PlanText) -> Result<(), super::RenewError> {
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Kept { version: Some(id), name: text.name.clone(), text: text.text.clone(), ..kept.clone() };
        let renewal = self.read(text, &mut prompts)?;
        now.save(&self.config.folders.published_plan()).map_err(super::RenewError::Kept)?;
        self.go_on_with(renewal)?;
        *kept = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    const GOOD: &str = include_str!("../../dialplans/mianyang.toml");

    /// A folder with a plan file, as a node has it.
    struct Site {
        _folder: tempfile::TempDir,
        config: Config,
    }

    impl Site {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let plan = folder.path().join("plan.toml");
            fs::write(&plan, GOOD).expect("written");
            let prompts = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/prompts").into());
            let var = Some(folder.path().to_owned());
            let overrides = Overrides { plan: Some(plan), prompts, var, ..Overrides::default() };
            let config = config::load(None, &overrides).0.expect("good");
            Self { _folder: folder, config }
        }

        fn write(&self, text: &str) {
            fs::write(&self.config.plan, text).expect("written");
        }

        /// A start: the version that it begins with, and the plan's deployment.
        fn starts(&self) -> Result<(Option<i64>, String), String> {
            let starting = Starting::read(&self.config).map_err(|report| report.to_string())?;
            Ok((starting.kept.version, starting.plan.deployment))
        }

        /// As if a version had been published.
        fn publish(&self, version: i64, deployment: &str) {
            let file = config::plan_text(&self.config).expect("it is there");
            let text = named(deployment);
            let kept = Kept { version: Some(version), text, ..Kept::of_file(&self.config, &file) };
            kept.save(&self.config.folders.published_plan()).expect("kept");
        }
    }

    fn named(deployment: &str) -> String {
        GOOD.replacen("deployment = \"mianyang\"", &format!("deployment = \"{deployment}\""), 1)
    }

    #[test]
    fn without_a_version_the_file_counts() {
        let site = Site::new();
        assert_eq!(site.starts(), Ok((None, "mianyang".to_owned())));
        site.write("deployment = 1\n");
        assert!(site.starts().is_err());
    }

    #[test]
    fn a_published_version_counts_until_the_file_changes() {
        let site = Site::new();
        site.publish(4, "published");
        assert_eq!(site.starts(), Ok((Some(4), "published".to_owned())), "the file is as it was");
        site.write(&named("edited"));
        assert_eq!(site.starts(), Ok((None, "edited".to_owned())));
    }

    #[test]
    fn a_changed_file_with_mistakes_or_none_keeps_no_exchange_from_starting() {
        let site = Site::new();
        site.publish(4, "published");
        site.write("deployment = 1\n");
        assert_eq!(site.starts(), Ok((Some(4), "published".to_owned())));
        fs::remove_file(&site.config.plan).expect("removed");
        assert_eq!(site.starts(), Ok((Some(4), "published".to_owned())));
        site.write(GOOD);
        assert_eq!(site.starts(), Ok((Some(4), "published".to_owned())), "it is back as it was");
    }

    #[test]
    fn where_a_second_person_is_asked_a_changed_file_alone_changes_nothing() {
        let mut site = Site::new();
        site.config.second_person = true;
        assert_eq!(site.starts(), Ok((None, "mianyang".to_owned())), "the first must come from somewhere");
        site.publish(1, "mianyang");
        site.write(&named("edited"));
        assert_eq!(site.starts(), Ok((Some(1), "mianyang".to_owned())));
    }

    #[test]
    fn a_file_that_says_what_counts_already_is_no_new_version() {
        let site = Site::new();
        site.publish(4, "published");
        site.write(&named("published"));
        assert_eq!(site.starts(), Ok((Some(4), "published".to_owned())));
    }

    #[test]
    fn what_is_kept_and_cannot_be_read_gives_way_to_the_file() {
        let site = Site::new();
        fs::write(site.config.folders.published_plan(), "{").expect("written");
        assert_eq!(site.starts(), Ok((None, "mianyang".to_owned())));
    }
}
