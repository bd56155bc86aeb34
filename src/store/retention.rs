//! Deletes records and recordings past their time, in small steps, and never what is under legal hold.
//!
//! A step locks its calls by a write to them, removes their files and deletes their rows in one transaction: a hold that is
//! asked for meanwhile comes either before the step, which then leaves the call alone, or finds no call any more. When the
//! process dies between files and rows, the next run deletes the rows.

use std::io;
use std::path::{Component, Path, PathBuf};

use sqlx::AssertSqlSafe;

use super::db::{Tx, Value, values};
use super::jobs::Lease;
use super::{QueryError, Store};
use crate::types::{CallId, Wall};

/// Calls of one step: the database is not held for long.
const STEP: usize = 50;
const DAY_MS: i64 = 86_400_000;

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days for which records are kept. Default 1,100: three years and a margin.
    pub records_days: u32,
    /// Days for which recordings are kept, never longer than records. Default 1,100.
    pub recordings_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { records_days: 1_100, recordings_days: 1_100 }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    /// Records of calls.
    pub(super) calls: u64,
    /// Files of recordings.
    pub(super) recordings: u64,
    /// Calls that were left because a file of theirs could not be removed.
    pub(super) stuck: u64,
}

/// Why a run ended early. What it had done stays done.
#[derive(Debug, thiserror::Error)]
pub(super) enum RetentionError {
    /// The database refuses.
    #[error("the database refuses: {0}")]
    Database(#[from] sqlx::Error),
    /// Another node runs the job now.
    #[error("the lease has gone to another node")]
    Lost,
}

/// What a step deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Recordings only.
    Recordings,
    /// The whole record.
    Calls,
}

/// The next calls in order of arrival, locked: writing what stands there locks a row in PostgreSQL, and in SQLite nobody
/// else writes anyway. The condition is looked at again under the lock.
macro_rules! lock_next {
    ($more:literal) => {
        concat!(
            "UPDATE calls SET hold_at = hold_at WHERE hold_at IS NULL AND id IN (
                 SELECT id FROM calls
                 WHERE arrived_at < $1 AND hold_at IS NULL AND (arrived_at > $2 OR (arrived_at = $2 AND id > $3)) ",
            $more,
            " ORDER BY arrived_at, id LIMIT $4)
             RETURNING id, arrived_at"
        )
    };
}

impl What {
    fn lock_next(self) -> &'static str {
        match self {
            What::Recordings => lock_next!("AND recording IS NOT NULL"),
            What::Calls => lock_next!(""),
        }
    }

    /// What is done to the calls of a list.
    fn statements(self) -> &'static [&'static str] {
        match self {
            What::Recordings => {
                &["DELETE FROM recordings WHERE call_id IN", "UPDATE calls SET recording = NULL WHERE id IN"]
            }
            What::Calls => &[
                "DELETE FROM recordings WHERE call_id IN",
                "DELETE FROM segments WHERE call_id IN",
                "DELETE FROM waits WHERE call_id IN",
                "DELETE FROM offers WHERE call_id IN",
                "DELETE FROM wishes WHERE call_id IN",
                "DELETE FROM call_events WHERE call_id IN",
                "DELETE FROM calls WHERE id IN",
            ],
        }
    }
}

/// The last call that a step looked at: the next one goes on behind it.
type Place = (i64, String);

impl Store {
    /// Puts a call under legal hold: it is not deleted until the hold is lifted. `false`: there is no such call (any more).
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn hold(&self, call: CallId, by: &str, why: &str, now: Wall) -> Result<bool, QueryError> {
        const HOLD: &str = "UPDATE calls SET hold_at = $2, hold_by = $3, hold_why = $4 WHERE id = $1";
        Ok(self.db.execute(HOLD, values![&call.to_string(), now.0, by, why]).await? > 0)
    }

    /// Lifts a legal hold. `false`: there is no such call.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn lift_hold(&self, call: CallId) -> Result<bool, QueryError> {
        const LIFT: &str = "UPDATE calls SET hold_at = NULL, hold_by = NULL, hold_why = NULL WHERE id = $1";
        Ok(self.db.execute(LIFT, values![&call.to_string()]).await? > 0)
    }

    /// Deletes what is past its time at `now`, step by step, while the lease holds.
    pub(super) async fn delete_old(
        &self,
        keep: Retention,
        recordings: &Path,
        lease: &Lease,
        now: impl Fn() -> Wall,
    ) -> Result<Deleted, RetentionError> {
        let mut deleted = Deleted::default();
        for (what, days) in
            [(What::Recordings, keep.recordings_days.min(keep.records_days)), (What::Calls, keep.records_days)]
        {
            let cutoff = now().0 - i64::from(days) * DAY_MS;
            let mut place = (i64::MIN, String::new());
            while let Some(next) =
                self.delete_some(what, (cutoff, place), recordings, (lease, now()), &mut deleted).await?
            {
                place = next;
            }
        }
        Ok(deleted)
    }

    /// One step; gives the place behind it, nothing when there was nothing more.
    async fn delete_some(
        &self,
        what: What,
        (cutoff, after): (i64, Place),
        recordings: &Path,
        (lease, now): (&Lease, Wall),
        deleted: &mut Deleted,
    ) -> Result<Option<Place>, RetentionError> {
        let mut tx = self.db.begin().await?;
        lease.renew(&mut tx, now).await?.map_err(|_| RetentionError::Lost)?;
        let values = values![cutoff, after.0, &after.1, STEP as i64];
        let calls: Vec<(String, i64)> = tx.rows(what.lock_next(), values).await?;
        let Some(last) = calls.iter().map(|(id, at)| (*at, id.clone())).max() else {
            tx.commit().await?;
            return Ok(None);
        };
        let ids: Vec<&str> = calls.iter().map(|(id, _)| id.as_str()).collect();
        let (removed, stuck) = remove_files(&mut tx, &ids, recordings).await?;
        let gone: Vec<&str> = ids.into_iter().filter(|id| !stuck.iter().any(|s| s == id)).collect();
        if !gone.is_empty() {
            for statement in what.statements() {
                for_all(&mut tx, statement, &gone).await?;
            }
        }
        tx.commit().await?;
        deleted.recordings += removed;
        deleted.stuck += stuck.len() as u64;
        if what == What::Calls {
            deleted.calls += gone.len() as u64;
        }
        Ok(Some(last))
    }
}

/// Removes the recordings of calls; says how many files went and which calls must stay because one would not go.
async fn remove_files(tx: &mut Tx, calls: &[&str], recordings: &Path) -> Result<(u64, Vec<String>), sqlx::Error> {
    let marks = marks(calls.len());
    let sql = format!("SELECT call_id, file FROM recordings WHERE call_id IN {marks}");
    let values: Vec<Value<'_>> = calls.iter().map(|id| Value::from(*id)).collect();
    let files: Vec<(String, String)> = tx.rows(AssertSqlSafe(sql), &values).await?;
    let folder = recordings.to_owned();
    let removing = tokio::task::spawn_blocking(move || {
        let mut removed = 0;
        let mut stuck = Vec::new();
        for (call, file) in files {
            match below(&folder, &file).and_then(|path| remove(&path, &folder)) {
                Ok(()) => removed += 1,
                Err(error) => {
                    tracing::warn!(%call, %file, %error, "a recording past its time cannot be removed; its record stays");
                    stuck.push(call);
                }
            }
        }
        (removed, stuck)
    });
    removing.await.map_err(|e| sqlx::Error::Io(io::Error::other(e)))
}

/// The path of a file that must lie below a folder, whatever the database says.
fn below(folder: &Path, file: &str) -> io::Result<PathBuf> {
    let inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(folder.join(file)) } else { Err(io::Error::from(io::ErrorKind::InvalidInput)) }
}

/// Removes a file, and its folder with the last one. A file that is gone already is as good.
fn remove(path: &Path, recordings: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent().filter(|folder| *folder != recordings) {
        // Refused while there are others in it.
        let _not_empty = std::fs::remove_dir(folder);
    }
    Ok(())
}

async fn for_all(tx: &mut Tx, statement: &str, calls: &[&str]) -> Result<(), sqlx::Error> {
    let values: Vec<Value<'_>> = calls.iter().map(|id| Value::from(*id)).collect();
    tx.execute(AssertSqlSafe(format!("{statement} {}", marks(calls.len()))), &values).await.map(|_| ())
}

fn marks(count: usize) -> String {
    let marks: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    format!("({})", marks.join(", "))
}

#[cfg(test)]
mod tests;
