//! Calls that were placed to prove the plan are taken out of the counters: their rows are counted once more, and taken back.

use super::book::Book;
use crate::store::counters::{Deltas, Scope};
use crate::store::db::values;
use crate::store::ledger::Entry;
use crate::store::{QueryError, Store};
use crate::types::{CallEvent, CallId, Row, Wall};

/// How old a call may be that is marked, milliseconds: whoever placed it is still there, and no rate of yesterday changes.
pub const MARKED_WITHIN_MS: i64 = 10 * 60 * 1_000;

const MARK: &str = "
    UPDATE calls SET test_at = $2, test_by = $3, offered = 0
    WHERE id = $1 AND origin = 'trunk' AND test_at IS NULL AND ended_at IS NOT NULL AND arrived_at >= $4
      AND NOT EXISTS (SELECT 1 FROM segments WHERE call_id = $1 AND ended_at IS NULL)";

const EVENTS: &str = "SELECT seq, at, body FROM call_events WHERE call_id = $1 ORDER BY seq";

impl Store {
    /// Marks a call as a test and takes it out of all counters but `test`. `false`: it is marked already, is not over, is not
    /// known, did not come over a trunk, or is older than [`MARKED_WITHIN_MS`].
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn mark_test(&self, call: CallId, by: &str, now: Wall) -> Result<bool, QueryError> {
        let id = call.to_string();
        let mut tx = self.db.begin().await?;
        if tx.execute(MARK, values![&id, now.0, by, now.0 - MARKED_WITHIN_MS]).await? == 0 {
            return Ok(false);
        }
        let rows: Vec<(i64, i64, String)> = tx.rows(EVENTS, values![&id]).await?;
        let mut counted = Deltas::default();
        let mut book = Book::unknown(call, "", rows.first().map_or(now.0, |(_, at, _)| *at));
        for (seq, at, body) in rows {
            // A row that this version cannot read was counted by none.
            let Ok(event) = serde_json::from_str::<CallEvent>(&body) else { continue };
            let seq = u64::try_from(seq).unwrap_or_default();
            book.enter(&Entry { seq, row: Row { at: Wall(at), call, event } }, &mut counted);
        }
        let mut deltas = counted.taken_back();
        let (at, line, trunk) = (book.call.arrived_at, &book.call.line, &book.call.source);
        for (scope, name) in [(Scope::All, ""), (Scope::Line, line), (Scope::Trunk, trunk)] {
            deltas.add(at, scope, name, "test", 1);
        }
        deltas.save(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}
