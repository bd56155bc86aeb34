//! The task that keeps the records: measures finished recordings, and once a day deletes what is past its time.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::db::values;
use super::retention::{Retention, RetentionError};
use super::tail::wall_now;
use super::{QueryError, Store};
use crate::types::Wall;

/// How often the task looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// From the end of a call until its recording is measured: what the recorder still holds is on the disk by then.
const SETTLED_MS: i64 = 10_000;
/// Recordings that are measured in one go.
const AT_ONCE: i64 = 200;
/// The job of deleting what is past its time, and how long after its end it is due again.
const RETENTION: &str = "retention";
const RETENTION_EVERY_MS: i64 = 86_400_000;
/// When it fails it is due again sooner.
const RETENTION_AGAIN_MS: i64 = 3_600_000;

const TO_MEASURE: &str = "
    SELECT file FROM recordings WHERE size_bytes IS NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2";

const MEASURED: &str = "
    UPDATE recordings
    SET size_bytes = $2, state = COALESCE(state, $3), failed = COALESCE(failed, $4) WHERE file = $1";

/// The task.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    recordings: PathBuf,
    keep: Retention,
    /// Name of this node and run, by which it holds leases.
    holder: String,
}

impl Keeper {
    /// A keeper for the recordings in a folder. `holder` is a name that no other running node has.
    pub fn new(store: Store, recordings: PathBuf, keep: Retention, holder: String) -> Self {
        Self { store, recordings, keep, holder }
    }

    /// Works until `stop` becomes true or its sender is gone.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = self.look() => {}
                // A step that is broken off is undone by the database.
                _changed = stop.changed() => break,
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
    }

    /// Does what there is to do. A database that is away is the tailer's to complain of.
    async fn look(&self) {
        if let Err(error) = self.measure(wall_now()).await {
            tracing::debug!(%error, "recordings cannot be measured now");
        }
        if let Err(error) = self.retain(wall_now).await {
            tracing::debug!(%error, "whether something is past its time cannot be asked now");
        }
    }

    /// Notes size and state of recordings whose calls have ended.
    pub(super) async fn measure(&self, now: Wall) -> Result<(), QueryError> {
        let files: Vec<(String,)> = self.store.db.rows(TO_MEASURE, values![now.0 - SETTLED_MS, AT_ONCE]).await?;
        for (file,) in files {
            let path = self.recordings.join(&file);
            let found = tokio::task::spawn_blocking(move || size(&path)).await;
            let (bytes, state, failed) = match found.unwrap_or_else(|e| Err(io::Error::other(e))) {
                Ok(bytes) => (bytes, "saved", None),
                Err(error) => (0, "failed", Some(error.to_string())),
            };
            self.store.db.execute(MEASURED, values![&file, bytes, state, &failed]).await?;
        }
        Ok(())
    }

    /// Deletes what is past its time, when that is due and no other node does it.
    pub(super) async fn retain(&self, now: impl Fn() -> Wall) -> Result<(), QueryError> {
        let Some(lease) = self.store.take_job(RETENTION, &self.holder, now()).await? else { return Ok(()) };
        let done = self.store.delete_old(self.keep, &self.recordings, &lease, &now).await;
        let (again_ms, result) = match done {
            Ok(deleted) => {
                let said = format!(
                    "deleted {} records and {} recordings; {} stay because a file cannot be removed",
                    deleted.calls, deleted.recordings, deleted.stuck
                );
                tracing::info!(
                    calls = deleted.calls,
                    recordings = deleted.recordings,
                    stuck = deleted.stuck,
                    "retention"
                );
                metrics::counter!("yihao_retention_calls_total").increment(deleted.calls);
                metrics::counter!("yihao_retention_recordings_total").increment(deleted.recordings);
                (RETENTION_EVERY_MS, said)
            }
            Err(RetentionError::Lost) => return Ok(()),
            Err(error @ RetentionError::Database(_)) => {
                tracing::warn!(%error, "deleting what is past its time was broken off; it goes on within the hour");
                (RETENTION_AGAIN_MS, error.to_string())
            }
        };
        self.store.job_done(lease, Wall(now().0 + again_ms), now(), &result).await
    }
}

fn size(path: &Path) -> io::Result<i64> {
    let found = std::fs::metadata(path)?;
    Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
}
