//! What callers who left a queue want done later: to be called back, a recorded message to be heard.

use serde::Serialize;

use super::db::values;
use super::{QueryError, Store};
use crate::types::{CallId, Wall};

/// How long a wish belongs to whoever has taken it. One that was taken and left must not lie for ever, milliseconds.
const TAKEN_FOR_MS: i64 = 30 * 60 * 1_000;

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
    /// When somebody took it.
    pub taken_at: Option<i64>,
    /// Who sees to it.
    pub taken_by: Option<String>,
    /// When somebody did it; nothing while it is open.
    pub done_at: Option<i64>,
    /// Who.
    pub done_by: Option<String>,
}

macro_rules! wishes {
    ($rest:literal) => {
        concat!(
            "SELECT call_id, seq, at, kind, line, number, file, taken_at, taken_by, done_at, done_by FROM wishes ",
            $rest
        )
    };
}

impl Store {
    /// Wishes that nobody has done yet, oldest first.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn open_wishes(&self, limit: u32) -> Result<Vec<Wish>, QueryError> {
        const OPEN: &str = wishes!("WHERE done_at IS NULL ORDER BY at, call_id, seq LIMIT $1");
        Ok(self.db.rows(OPEN, values![limit]).await?)
    }

    /// One wish, done or not.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn wish(&self, call: CallId, seq: i64) -> Result<Option<Wish>, QueryError> {
        const ONE: &str = wishes!("WHERE call_id = $1 AND seq = $2");
        Ok(self.db.row(ONE, values![&call.to_string(), seq]).await?)
    }

    /// Notes who sees to a wish. `false`: there is no such wish, it is done, or somebody else has taken it within the last half
    /// hour and `take_over` is not set.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn take_wish(
        &self,
        wish: (CallId, i64),
        by: &str,
        take_over: bool,
        now: Wall,
    ) -> Result<bool, QueryError> {
        const TAKE: &str = "
            UPDATE wishes SET taken_at = $3, taken_by = $4
            WHERE call_id = $1 AND seq = $2 AND done_at IS NULL
              AND (taken_by IS NULL OR taken_by = $4 OR taken_at <= $6 OR $5 = 1)";
        let free_since = now.0 - TAKEN_FOR_MS;
        Ok(self.db.execute(TAKE, values![&wish.0.to_string(), wish.1, now.0, by, take_over, free_since]).await? > 0)
    }

    /// Notes that a wish was done by whoever has taken it. `false`: there is no such wish, it is done already, or not theirs.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn wish_done(&self, wish: (CallId, i64), by: &str, now: Wall) -> Result<bool, QueryError> {
        const DONE: &str = "
            UPDATE wishes SET done_at = $3, done_by = $4
            WHERE call_id = $1 AND seq = $2 AND taken_by = $4 AND done_at IS NULL";
        Ok(self.db.execute(DONE, values![&wish.0.to_string(), wish.1, now.0, by]).await? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::on_both;

    on_both! {
        async fn a_wish_is_taken_by_one_person_who_does_it(bed: Bed) {
            const INSERT: &str = "INSERT INTO wishes (call_id, seq, at, kind, line) VALUES ($1, $2, $3, $4, $5)";
            let store = bed.store().await;
            store.db.execute(INSERT, values!["c7", 1i64, 5i64, "callback", "12345"]).await.unwrap();
            let wish = (CallId(7), 1);
            assert!(!store.wish_done(wish, "wang", Wall(8)).await.unwrap(), "nobody has taken it");
            assert!(store.take_wish(wish, "wang", false, Wall(10)).await.unwrap());
            assert!(store.take_wish(wish, "wang", false, Wall(11)).await.unwrap(), "twice does no harm");
            assert!(!store.take_wish(wish, "li", false, Wall(12)).await.unwrap());
            assert!(store.take_wish(wish, "li", true, Wall(13)).await.unwrap());
            assert!(!store.wish_done(wish, "wang", Wall(14)).await.unwrap());
            let (late, too_early) = (Wall(13 + TAKEN_FOR_MS), Wall(12 + TAKEN_FOR_MS));
            assert!(!store.take_wish(wish, "wang", false, too_early).await.unwrap(), "it is still li's");
            assert!(store.take_wish(wish, "wang", false, late).await.unwrap(), "what was left is free again");
            assert!(store.take_wish(wish, "li", true, late).await.unwrap());
            assert_eq!(store.open_wishes(9).await.unwrap()[0].taken_by.as_deref(), Some("li"));
            assert!(store.wish_done(wish, "li", Wall(15)).await.unwrap());
            assert!(!store.take_wish(wish, "wang", true, Wall(16)).await.unwrap(), "what is done is done");
            assert!(store.open_wishes(9).await.unwrap().is_empty());
            let done = store.wish(wish.0, wish.1).await.unwrap().unwrap();
            assert_eq!((done.done_at, done.done_by.as_deref()), (Some(15), Some("li")));
        }
    }
}
