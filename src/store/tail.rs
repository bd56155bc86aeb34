//! Copies the ledger into the database: nothing twice, nothing lost, however slow, locked or dead the database is.
//!
//! The place up to which the ledger has been copied moves in the transaction that holds the rows. A failure rolls both
//! back; the next attempt reads the place from the database again. The control thread never hears of any of it.

mod apply;
mod book;
mod marked;
#[cfg(test)]
mod outage;
mod read;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::migrate::MigrateError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::db::Tx;
use super::{Store, ledger};
use crate::types::Wall;
pub use marked::MARKED_WITHIN_MS;
use read::{Batch, Position};

/// How often the ledger is looked at when it had nothing new.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// First and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How long the end of the process may wait for the last rows; what is left is copied at the next start.
const LAST_ROWS: Duration = Duration::from_secs(5);
/// How often old segments are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// How long copied segments of the ledger are kept: a lost database is built again from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Days. Default 7.
    pub days: u32,
    /// Most segments, copied and not; above it copied ones go before their time. Default 192, three quarters of what the
    /// ledger makes at most.
    pub segments: usize,
}

impl Keep {
    /// The segments to keep of a ledger that makes so many at most.
    pub fn of(days: u32, most_segments: usize) -> Self {
        Self { days, segments: most_segments * 3 / 4 }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self::of(7, 256)
    }
}

/// Why rows could not be copied. All of it is retried.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The ledger cannot be read.
    #[error("cannot read the ledger: {0}")]
    Ledger(#[from] io::Error),
    /// The database refuses.
    #[error("the database refuses: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables of a server are not of this version yet.
    #[error("the tables cannot be brought to this version: {0}")]
    Migrate(#[from] MigrateError),
}

/// The task that copies one node's ledger.
#[derive(Debug)]
pub struct Tailer {
    store: Store,
    folder: PathBuf,
    node: u8,
    keep: Keep,
    /// Known place; nothing after a failure, so that it is read from the database.
    at: Option<Option<Position>>,
    pruned: Option<Instant>,
}

impl Tailer {
    /// A tailer for the ledger of a node. Segments that are copied are removed when they are past their time.
    pub fn new(store: Store, folder: PathBuf, node: u8, keep: Keep) -> Self {
        Self { store, folder, node, keep, at: None, pruned: None }
    }

    /// Copies until `stop` becomes true (or its sender is gone), then the last rows.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut trouble: Option<Trouble> = None;
        while !*stop.borrow() {
            let wait = match self.step().await {
                Ok(copied) => {
                    Trouble::over(&mut trouble);
                    self.prune().await;
                    if copied { Duration::ZERO } else { LOOK_EVERY }
                }
                Err(error) => Trouble::more(&mut trouble, &error),
            };
            tokio::select! {
                () = sleep(wait) => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        match timeout(LAST_ROWS, self.catch_up()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last ledger rows go into the database at the next start"),
            Err(_) => tracing::warn!("the database is slow; the last ledger rows follow at the next start"),
        }
    }

    /// Copies all that the ledger holds now.
    ///
    /// # Errors
    /// [`TailError`] at the first failure.
    pub async fn catch_up(&mut self) -> Result<(), TailError> {
        while self.step().await? {}
        Ok(())
    }

    /// Copies one batch; `false` when there was nothing to copy.
    async fn step(&mut self) -> Result<bool, TailError> {
        let db = &self.store.db;
        // Taken out: any failure below leaves nothing, and the next step asks the database.
        let from = match self.at.take() {
            Some(known) => known,
            None => {
                db.prepare().await?;
                apply::position(db, self.node).await?
            }
        };
        let folder = self.folder.clone();
        let batch =
            tokio::task::spawn_blocking(move || read::batch(&folder, from)).await.map_err(io::Error::other)??;
        let Some(batch) = batch else {
            self.at = Some(from);
            metrics::gauge!("yihao_store_behind_seconds").set(0.0);
            return Ok(false);
        };
        copy(db.begin().await?, &batch, self.node).await?;
        metrics::counter!("yihao_store_rows_total").increment(batch.entries.len() as u64);
        behind(&batch);
        self.at = Some(Some(batch.next));
        Ok(true)
    }

    async fn prune(&mut self) {
        let Some(Some(position)) = self.at else { return };
        if self.pruned.is_some_and(|at| at.elapsed() < PRUNE_EVERY) {
            return;
        }
        self.pruned = Some(Instant::now());
        let (folder, keep) = (self.folder.clone(), self.keep);
        let cutoff = Wall(wall_now().0 - i64::from(keep.days) * 86_400_000);
        let prune = move || ledger::prune(&folder, position.segment, cutoff, keep.segments);
        let done = tokio::task::spawn_blocking(prune).await;
        match done {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "removed ledger segments past their retention"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot remove old ledger segments"),
            Err(error) => tracing::warn!(%error, "removing old ledger segments was broken off"),
        }
    }
}

/// How far the database is behind the ledger, as the last batch shows it.
fn behind(batch: &Batch) {
    let age_ms = batch.entries.last().filter(|_| batch.more).map_or(0, |last| wall_now().0 - last.row.at.0);
    metrics::gauge!("yihao_store_behind_seconds").set(age_ms.max(0) as f64 / 1000.0);
    metrics::gauge!("yihao_store_behind_segments").set(batch.segments_ahead as f64);
}

/// Rows and position in one transaction: both or neither.
async fn copy(mut tx: Tx, batch: &Batch, node: u8) -> Result<(), sqlx::Error> {
    apply::batch(&mut tx, node, batch).await?;
    tx.commit().await
}

#[expect(clippy::disallowed_methods, reason = "this is a shell: age of files against the wall clock")]
pub(super) fn wall_now() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A spell in which the database does not take rows.
struct Trouble {
    since: Instant,
    wait: Duration,
}

impl Trouble {
    /// Notes a failure; says how long to wait.
    fn more(trouble: &mut Option<Self>, error: &TailError) -> Duration {
        let this = trouble.get_or_insert_with(|| {
            tracing::warn!(%error, "the database does not take records; calls go on, the ledger keeps them");
            Self { since: Instant::now(), wait: RETRY.0 / 2 }
        });
        this.wait = (this.wait * 2).min(RETRY.1);
        metrics::gauge!("yihao_store_up").set(0.0);
        metrics::gauge!("yihao_store_behind_seconds").set(this.since.elapsed().as_secs_f64());
        this.wait
    }

    fn over(trouble: &mut Option<Self>) {
        if let Some(this) = trouble.take() {
            tracing::info!(seconds = this.since.elapsed().as_secs(), "the database takes records again");
        }
        metrics::gauge!("yihao_store_up").set(1.0);
    }
}
