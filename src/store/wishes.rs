//! What callers who left a queue want done later: to be called back, a recorded message to be heard.

use serde::Serialize;

use super::db::values;
use super::{QueryError, Store};
use crate::types::{CallId, Wall};

/// A wish of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Wish {
    /// The call in which it was left.
    pub call_id: String,
    /// Number of the ledger row; with the call it names the wish.
    pub seq: i64,
    /// When, milliseconds since 1970, UTC.
    pub at: i64,
    /// `callback` or `message`.
    pub kind: String,
    /// The line that was dialled.
    pub line: String,
    /// The caller's number.
    pub number: Option<String>,
    /// The recorded message, below the recording folder.
    pub file: Option<String>,
    /// When somebody did it; nothing while it is open.
    pub done_at: Option<i64>,
    /// Who.
    pub done_by: Option<String>,
}

impl Store {
    /// Wishes that nobody has done yet, oldest first.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn open_wishes(&self, limit: u32) -> Result<Vec<Wish>, QueryError> {
        const OPEN: &str = "
            SELECT call_id, seq, at, kind, line, number, file, done_at, done_by FROM wishes
            WHERE done_at IS NULL ORDER BY at, call_id, seq LIMIT $1";
        Ok(self.db.rows(OPEN, values![limit]).await?)
    }

    /// Notes that a wish was done. `false`: there is no such wish, or somebody else has done it.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn wish_done(&self, call: CallId, seq: i64, by: &str, now: Wall) -> Result<bool, QueryError> {
        const DONE: &str =
            "UPDATE wishes SET done_at = $3, done_by = $4 WHERE call_id = $1 AND seq = $2 AND done_at IS NULL";
        Ok(self.db.execute(DONE, values![&call.to_string(), seq, now.0, by]).await? > 0)
    }
}
