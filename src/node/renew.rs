//! Plan, secrets and prompts read again while calls are in progress. They are read and checked outside of the control thread,
//! which takes over what is whole: one with mistakes never gets there.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::secrets::Secrets;
use crate::config::{self, Config, secrets};
use crate::dialplan::report::Report;
use crate::dialplan::{Plan, PlanText, Seat};
use crate::media::engine::prompt::{PromptError, Prompts};
use crate::sip::auth::Credentials;
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

/// A seat of this process alone, which is in no plan file: it outlives every plan that is read.
#[derive(Clone, Debug)]
pub(super) struct OwnSeat {
    /// The seat.
    pub(super) seat: Seat,
    /// What its phone proves itself with.
    pub(super) credentials: Credentials,
}

impl OwnSeat {
    /// Adds it to a plan that was read, unless that has a seat of its number.
    pub(super) fn join(&self, plan: &mut Plan, secrets: &mut Secrets) {
        if let Entry::Vacant(place) = plan.seats.entry(self.seat.id) {
            place.insert(self.seat.clone());
            secrets.seats.insert(self.seat.id, self.credentials.clone());
        }
    }
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
    pub(super) own_seat: Option<OwnSeat>,
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
        self.go_on_with(self.read(now.with_calendar_of(&file), &mut prompts)?)?;
        *kept = now;
        certificate?;
        Ok(())
    }

    /// Reads what a plan's text and the configuration name.
    ///
    /// # Errors
    /// [`RenewError`]: then nothing has changed.
    pub(super) fn read(&self, text: PlanText, known: &mut BTreeSet<PromptName>) -> Result<Renewal, RenewError> {
        Renewal::read(&self.config, text, known, self.own_seat.as_ref())
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
    fn read(
        config: &Config,
        text: PlanText,
        known: &mut BTreeSet<PromptName>,
        own_seat: Option<&OwnSeat>,
    ) -> Result<Renewal, RenewError> {
        let (plan, report) = config::check_plan(config, &text);
        let Some(mut plan) = plan else { return Err(RenewError::Mistakes(report)) };
        let (secrets, report) = secrets::load(&config.secrets, &config.realm, &plan);
        let Some(mut secrets) = secrets else { return Err(RenewError::Mistakes(report)) };
        if let Some(own) = own_seat {
            own.join(&mut plan, &mut secrets);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::node::Starting;
    use crate::node::demo::Demo;

    #[test]
    fn the_seat_of_the_demonstration_outlives_a_plan_that_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let var = Some(folder.path().to_owned());
        let prompts = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/prompts").into());
        let config = config::load(None, &Overrides { prompts, var, ..Overrides::default() }).0.expect("good");
        let mut starting = Starting::read(&config).expect("a plan");
        secrets::create(&config.secrets, &config.realm, &starting.plan, |_| "four words".to_owned()).expect("written");
        let mut secrets = secrets::load(&config.secrets, &config.realm, &starting.plan).0.expect("good");
        assert!(Demo::prepare(&mut starting, &mut secrets, &config).is_some());
        let own = starting.own_seat.clone().expect("the demonstration has one");
        let id = own.seat.id;

        let read = |own: Option<&OwnSeat>| {
            let text = config::plan_text(&config).expect("it is there");
            Renewal::read(&config, text, &mut BTreeSet::new(), own).expect("good")
        };
        assert!(!read(None).plan.seats.contains_key(&id), "it is in no file");
        let renewal = read(Some(&own));
        assert_eq!(renewal.plan.seats.get(&id), Some(&own.seat));
        assert_eq!(renewal.secrets.seats.get(&id), Some(&own.credentials));

        // A seat of a plan is not pushed out.
        let real = starting.plan.seats.keys().copied().find(|seat| *seat != id).expect("seats");
        let taken = OwnSeat { seat: Seat { id: real, ..own.seat.clone() }, ..own.clone() };
        let renewal = read(Some(&taken));
        assert_ne!(renewal.plan.seats.get(&real), Some(&taken.seat));
        assert_ne!(renewal.secrets.seats.get(&real), Some(&taken.credentials));
    }
}
