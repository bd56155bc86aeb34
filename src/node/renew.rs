//! Plan, secrets and prompts read again while calls are in progress. They are read and checked outside of the control thread,
//! which takes over what is whole: one with mistakes never gets there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{self, Config, secrets};
use crate::dialplan::report::Report;
use crate::dialplan::{Plan, PlanText};
use crate::media::engine::prompt::{PromptError, Prompts};
use crate::sip::endpoint;
use crate::sip::transport::certificate::{Certificate, CertificateError};
use crate::types::PromptName;

use super::Signal;
use super::start::{self, Wake};
use super::versions::Kept;

/// What a node goes on with.
pub struct Renewal {
    pub(super) plan: Plan,
    pub(super) text: PlanText,
    pub(super) secrets: endpoint::Secrets,
    pub(super) prompts: Arc<Prompts>,
}

/// Why everything stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// Mistakes of plan or secrets, all of them.
    #[error("the old plan and secrets stay:\n{0}")]
    Mistakes(Report),
    /// A prompt cannot be played.
    #[error("the old plan and secrets stay: {0}")]
    Prompt(#[from] PromptError),
    /// The certificates are of no use; the rest was taken over.
    #[error("the old certificates stay, all else was read again: {0}")]
    Certificate(#[from] CertificateError),
    /// The version cannot be kept for the next start.
    #[error("the old plan and secrets stay; the new plan cannot be kept: {0}")]
    Kept(std::io::Error),
    /// The exchange has ended, or is about to.
    #[error("the exchange is ending")]
    Ending,
}

/// Has everything read again, whoever asks for it. Cheap to share.
pub(super) struct Reloader {
    pub(super) config: Config,
    /// Prompts of plans so far.
    pub(super) prompts: Mutex<BTreeSet<PromptName>>,
    /// The plan that counts.
    pub(super) kept: Mutex<Kept>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) signals: SyncSender<Signal>,
    pub(super) wake: Wake,
}

impl Reloader {
    /// Reads plan, secrets and prompts again for the control thread to go on with, and certificates for new connections. Blocks
    /// on files, so no thread that serves others calls it.
    ///
    /// # Errors
    /// [`RenewError`]: the old plan, secrets and prompts stay.
    pub(super) fn reload(&self) -> Result<(), RenewError> {
        // One at a time: the last to read is the last to be taken over.
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        let certificate = self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.reload());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let file = config::plan_text(&self.config).map_err(RenewError::Mistakes)?;
        let now = kept.after_look(&self.config, &file);
        self.go_on_with(Renewal::read(&self.config, now.with_calendar_of(&file), &mut prompts)?)?;
        *kept = now;
        certificate?;
        Ok(())
    }

    pub(super) fn go_on_with(&self, renewal: Renewal) -> Result<(), RenewError> {
        self.signals.send(Signal::Renew(Box::new(renewal))).map_err(|_| RenewError::Ending)?;
        (self.wake)();
        Ok(())
    }
}

impl Renewal {
    /// Reads a plan and everything that the configuration names. `known` are the prompts of plans so far: calls in progress keep
    /// theirs, as long as the files are there.
    ///
    /// # Errors
    /// [`RenewError`]: then nothing has changed.
    pub(super) fn read(
        config: &Config,
        text: PlanText,
        known: &mut BTreeSet<PromptName>,
    ) -> Result<Renewal, RenewError> {
        let (plan, report) = config::check_plan(config, &text);
        let Some(plan) = plan else { return Err(RenewError::Mistakes(report)) };
        let (secrets, report) = secrets::load(&config.secrets, &config.realm, &plan);
        let Some(secrets) = secrets else { return Err(RenewError::Mistakes(report)) };
        let folder = &config.folders.prompts;
        let mut names = plan.prompts();
        names.extend(known.iter().filter(|name| config::prompt_is_there(folder, &name.0)).cloned());
        let prompts = Arc::new(Prompts::load(folder, names.iter().cloned())?);
        *known = names;
        Ok(Renewal { plan, text, secrets: start::secrets_of(&secrets), prompts })
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither passwords nor whole plans in a log.
        f.debug_struct("Renewal").field("deployment", &self.plan.deployment).finish_non_exhaustive()
    }
}
