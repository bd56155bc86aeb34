//! The caller lists: what people say of numbers, who approved it, and until when it holds. Knows neither the plan's marks nor
//! rights.

use serde::Serialize;

use super::db::values;
use super::{QueryError, Store};
use crate::types::{CallerMark, PhoneNumber, Wall, Word};

/// Most entries that may hold or wait for approval at a time. The whole lists go to the control thread with each change: this
/// many cost it a few milliseconds.
pub const MOST: u32 = 20_000;

/// One entry of the lists. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct CallerEntry {
    /// Its id.
    #[schema(example = "9f0c1d7a52be4e61")]
    pub id: String,
    /// Whose number, in normal form.
    #[schema(example = "13900001234")]
    pub number: String,
    /// Which mark of the plan.
    #[schema(example = "nuisance")]
    pub mark: String,
    /// Why.
    #[schema(example = "每日拨打数十次")]
    pub reason: String,
    /// When it was proposed.
    pub proposed_at: i64,
    /// Login of whoever did.
    #[schema(example = "wangfang")]
    pub proposed_by: String,
    /// When it was approved; nothing while it does nothing.
    pub approved_at: Option<i64>,
    /// Login of whoever did.
    pub approved_by: Option<String>,
    /// When it ends; nothing: when somebody takes it away.
    pub until_at: Option<i64>,
}

/// Which entries stand in a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this number, whole, in normal form.
    pub number: Option<String>,
    /// Only this mark.
    pub mark: Option<String>,
    /// Only those that this login proposed.
    pub proposed_by: Option<String>,
    /// Only those that are approved, or only those that are not.
    pub approved: Option<bool>,
    /// Only those older than the last of the page before: its `proposed_at` and `id`.
    pub before: Option<(i64, String)>,
}

/// Why an entry was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// The number has this mark already, or it is proposed.
    Known,
    /// There are [`MOST`] entries.
    Full,
}

macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT id, number, mark, reason, proposed_at, proposed_by, approved_at, approved_by, until_at FROM caller_marks ",
            $rest
        )
    };
}

const LIST: &str = entries!(
    "WHERE (until_at IS NULL OR until_at > $1)
     AND (CAST($2 AS TEXT) IS NULL OR number = $2) AND (CAST($3 AS TEXT) IS NULL OR mark = $3)
     AND (CAST($4 AS TEXT) IS NULL OR proposed_by = $4)
     AND (CAST($5 AS BIGINT) IS NULL OR $5 = CASE WHEN approved_at IS NULL THEN 0 ELSE 1 END)
     AND (proposed_at < $6 OR (proposed_at = $6 AND id < $7))
     ORDER BY proposed_at DESC, id DESC LIMIT $8"
);
const ONE: &str = entries!("WHERE id = $1 AND (until_at IS NULL OR until_at > $2)");
const HOLDING: &str = "
    SELECT number, mark, until_at FROM caller_marks
    WHERE approved_at IS NOT NULL AND (until_at IS NULL OR until_at > $1) ORDER BY number, mark LIMIT $2";

impl Store {
    /// Puts an entry on the lists, unless the number has this mark. One that is over makes room.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn list_caller(&self, entry: &CallerEntry, now: Wall) -> Result<Result<(), Unlisted>, QueryError> {
        const OVER: &str = "DELETE FROM caller_marks WHERE until_at <= $1";
        const COUNT: &str = "SELECT COUNT(*) FROM caller_marks";
        const INSERT: &str = "
            INSERT INTO caller_marks
                (id, number, mark, reason, proposed_at, proposed_by, approved_at, approved_by, until_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (number, mark) DO NOTHING";
        let mut tx = self.db.begin().await?;
        tx.execute(OVER, values![now.0]).await?;
        let count: Vec<(i64,)> = tx.rows(COUNT, &[]).await?;
        if count.first().is_some_and(|(count,)| *count >= i64::from(MOST)) {
            tx.commit().await?;
            return Ok(Err(Unlisted::Full));
        }
        let values = values![
            &entry.id,
            &entry.number,
            &entry.mark,
            &entry.reason,
            entry.proposed_at,
            &entry.proposed_by,
            entry.approved_at,
            &entry.approved_by,
            entry.until_at,
        ];
        let written = tx.execute(INSERT, values).await?;
        tx.commit().await?;
        Ok(if written > 0 { Ok(()) } else { Err(Unlisted::Known) })
    }

    /// Entries that are not over, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn caller_entries(&self, of: &Filter, now: Wall, limit: u32) -> Result<Vec<CallerEntry>, QueryError> {
        let (at, id) = of.before.as_ref().map_or((i64::MAX, ""), |(at, id)| (*at, id.as_str()));
        let approved = of.approved.map(i64::from);
        let values = values![now.0, &of.number, &of.mark, &of.proposed_by, approved, at, id, limit];
        Ok(self.db.rows(LIST, values).await?)
    }

    /// One entry; nothing when it is gone or over.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn caller_entry(&self, id: &str, now: Wall) -> Result<Option<CallerEntry>, QueryError> {
        Ok(self.db.row(ONE, values![id, now.0]).await?)
    }

    /// Approves an entry. `false`: there is none, or it is approved already.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn approve_caller(&self, id: &str, by: &str, now: Wall) -> Result<bool, QueryError> {
        const APPROVE: &str =
            "UPDATE caller_marks SET approved_at = $2, approved_by = $3 WHERE id = $1 AND approved_at IS NULL";
        Ok(self.db.execute(APPROVE, values![id, now.0, by]).await? > 0)
    }

    /// Takes an entry away. `false`: there is none.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn delist_caller(&self, id: &str) -> Result<bool, QueryError> {
        const DELETE: &str = "DELETE FROM caller_marks WHERE id = $1";
        Ok(self.db.execute(DELETE, values![id]).await? > 0)
    }

    /// All that holds now, as the core takes it: approved and not over, at most [`MOST`].
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn caller_marks(&self, now: Wall) -> Result<Vec<CallerMark>, QueryError> {
        let rows: Vec<(String, String, Option<i64>)> = self.db.rows(HOLDING, values![now.0, MOST]).await?;
        let mark = |(number, mark, until): (String, String, Option<i64>)| {
            let number = PhoneNumber::parse(&number).ok()?;
            Some(CallerMark { number, mark: Word::new(&mark), approved: true, until: until.map(Wall) })
        };
        Ok(rows.into_iter().filter_map(mark).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::on_both;

    fn entry(id: &str, number: &str, mark: &str) -> CallerEntry {
        CallerEntry {
            id: id.to_owned(),
            number: number.to_owned(),
            mark: mark.to_owned(),
            reason: "every day".to_owned(),
            proposed_at: 10,
            proposed_by: "wangfang".to_owned(),
            until_at: Some(1_000),
            ..CallerEntry::default()
        }
    }

    on_both! {
        async fn an_entry_holds_from_its_approval_to_its_end(bed: Bed) {
            let store = bed.store().await;
            assert_eq!(store.list_caller(&entry("a", "13800138000", "nuisance"), Wall(10)).await.unwrap(), Ok(()));
            let again = entry("b", "13800138000", "nuisance");
            assert_eq!(store.list_caller(&again, Wall(11)).await.unwrap(), Err(Unlisted::Known));
            assert!(store.caller_marks(Wall(12)).await.unwrap().is_empty(), "nobody has approved it");
            assert!(store.approve_caller("a", "leader", Wall(20)).await.unwrap());
            assert!(!store.approve_caller("a", "other", Wall(21)).await.unwrap(), "once is enough");
            let holding = store.caller_marks(Wall(999)).await.unwrap();
            let expected = CallerMark {
                number: PhoneNumber::parse("13800138000").unwrap(),
                mark: Word::new("nuisance"),
                approved: true,
                until: Some(Wall(1_000)),
            };
            assert_eq!(holding, [expected]);
            assert!(store.caller_marks(Wall(1_000)).await.unwrap().is_empty());
            assert_eq!(store.caller_entry("a", Wall(1_000)).await.unwrap(), None);
            assert_eq!(store.list_caller(&again, Wall(1_000)).await.unwrap(), Ok(()), "what is over makes room");
            assert!(store.delist_caller("b").await.unwrap());
            assert!(!store.delist_caller("b").await.unwrap());
        }

        async fn entries_are_searched_and_paged_newest_first(bed: Bed) {
            let store = bed.store().await;
            for (id, number, mark) in [("a", "1001", "nuisance"), ("b", "1002", "nuisance"), ("c", "1001", "dialect")] {
                store.list_caller(&entry(id, number, mark), Wall(10)).await.unwrap().unwrap();
            }
            store.approve_caller("b", "leader", Wall(20)).await.unwrap();
            let ids = async |filter: Filter, limit| -> Vec<String> {
                let found = store.caller_entries(&filter, Wall(30), limit).await.unwrap();
                found.into_iter().map(|e| e.id).collect()
            };
            assert_eq!(ids(Filter::default(), 2).await, ["c", "b"]);
            assert_eq!(ids(Filter { before: Some((10, "b".to_owned())), ..Filter::default() }, 2).await, ["a"]);
            assert_eq!(ids(Filter { number: Some("1001".to_owned()), ..Filter::default() }, 9).await, ["c", "a"]);
            assert_eq!(ids(Filter { mark: Some("nuisance".to_owned()), ..Filter::default() }, 9).await, ["b", "a"]);
            assert_eq!(ids(Filter { approved: Some(true), ..Filter::default() }, 9).await, ["b"]);
            assert_eq!(ids(Filter { approved: Some(false), ..Filter::default() }, 9).await, ["c", "a"]);
            assert!(ids(Filter { proposed_by: Some("nobody".to_owned()), ..Filter::default() }, 9).await.is_empty());
        }
    }
}
