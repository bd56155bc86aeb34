//! The running node: everything that is started, the loop that feeds the core, and the orderly end. No policy.

mod captures;
mod clock;
pub mod demo;
mod effects;
pub mod input_log;
mod metrics;
mod offices;
pub mod phone;
mod renew;
mod run;
pub mod spans;
mod start;
mod versions;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use crate::api::FirstPassword;
use crate::sip::flow::Transport;
use crate::types::Row;

use renew::Reloader;
pub use renew::{RenewError, Renewal};
pub use start::start;
pub use versions::Starting;

/// What the control thread is told from outside of its inputs.
#[derive(Debug)]
pub enum Signal {
    /// No new calls; those in progress may finish.
    Drain,
    /// Another plan counts for new calls.
    Renew(Box<Renewal>),
    /// The end: calls that are left are cut.
    Stop,
}

/// A node that has been started.
pub struct Running {
    /// Where SIP is heard, by transport, as bound.
    pub listeners: Vec<(Transport, SocketAddr)>,
    /// Where the HTTP interface is.
    pub http: SocketAddr,
    /// File with the token of this start's local session.
    pub token_file: PathBuf,
    /// The first administrator's password, at the first start.
    pub first_password: Option<FirstPassword>,
    signals: SyncSender<Signal>,
    wake: Arc<dyn Fn() + Send + Sync>,
    reloader: Arc<Reloader>,
    control: JoinHandle<()>,
    watchers: Watchers,
}

/// Called with each batch of rows after it was written to the ledger; must not block. Used by the demonstration.
pub type Watcher = Box<dyn FnMut(&[Row]) + Send>;

type Watchers = SyncSender<Watcher>;

impl Running {
    /// Tells the control thread something; false when it has ended.
    pub fn signal(&self, signal: Signal) -> bool {
        let sent = self.signals.send(signal).is_ok();
        (self.wake)();
        sent
    }

    /// Has plan, secrets, prompts and certificates read again: new calls go by the new plan, those in progress keep theirs.
    ///
    /// # Errors
    /// [`RenewError`]: what has mistakes stays as it is.
    pub fn reload(&self) -> Result<(), RenewError> {
        self.reloader.reload()
    }

    /// Lets somebody watch the ledger from now on.
    pub fn watch(&self, watcher: Watcher) {
        // The control thread takes watchers each turn; when it is gone there is nothing to watch.
        let _gone = self.watchers.send(watcher);
        (self.wake)();
    }

    /// Whether the node has ended.
    pub fn is_over(&self) -> bool {
        self.control.is_finished()
    }

    /// Waits for the end.
    pub fn join(self) {
        if self.control.join().is_err() {
            tracing::error!("the control thread had panicked");
        }
    }
}
