//! The versions of the dial plan: who made each, when and why, who approved it, when it shall count and since when it has.
//!
//! Knows no plan: a version is a text. What counts now is the version with the latest `published_at`.

use serde::Serialize;

use super::db::values;
use super::{QueryError, Store};
use crate::types::Wall;

/// How long a version may be about to count, milliseconds; a node that fell silent in between holds nobody up for longer.
pub const TAKEN_OVER_WITHIN_MS: i64 = 30_000;

/// A version without its text. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct PlanVersion {
    /// Its number, from 1.
    #[schema(example = 7)]
    pub id: i64,
    /// Name of the file it came from.
    #[schema(example = "mianyang.toml")]
    pub name: String,
    /// Why it was made.
    #[schema(example = "12336 销号")]
    pub why: String,
    /// When it was made.
    pub made_at: i64,
    /// Login of whoever made it.
    #[schema(example = "wangfang")]
    pub made_by: String,
    /// The version that counted when it was made.
    pub base: Option<i64>,
    /// When somebody else approved it.
    pub approved_at: Option<i64>,
    /// Login of whoever did.
    pub approved_by: Option<String>,
    /// When it shall count, or was to count.
    pub publish_at: Option<i64>,
    /// Login of whoever said so.
    pub publish_by: Option<String>,
    /// Since when it counts, or has counted.
    pub published_at: Option<i64>,
}

/// A version to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewVersion<'a> {
    /// Name of the file it came from.
    pub name: &'a str,
    /// The whole plan.
    pub text: &'a str,
    /// Why.
    pub why: &'a str,
    /// Login of whoever makes it.
    pub by: &'a str,
}

macro_rules! versions {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, why, made_at, made_by, base, approved_at, approved_by, publish_at, publish_by, published_at
             FROM plan_versions ",
            $rest
        )
    };
}

impl Store {
    /// Keeps a draft; gives its number.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer, or two drafts come at the same moment.
    pub async fn draft_plan(&self, new: NewVersion<'_>, now: Wall) -> Result<i64, QueryError> {
        const LAST: &str = "SELECT COALESCE(MAX(id), 0) FROM plan_versions";
        const INSERT: &str = "
            INSERT INTO plan_versions (id, name, text, why, made_at, made_by, base) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let base = self.current_plan().await?.map(|version| version.id);
        let mut tx = self.db.begin().await?;
        let last: Vec<(i64,)> = tx.rows(LAST, values![]).await?;
        let id = last.first().map_or(0, |(last,)| *last) + 1;
        tx.execute(INSERT, values![id, new.name, new.text, new.why, now.0, new.by, base]).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Versions, newest first.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn plan_versions(&self, limit: u32) -> Result<Vec<PlanVersion>, QueryError> {
        const LIST: &str = versions!("ORDER BY id DESC LIMIT $1");
        Ok(self.db.rows(LIST, values![limit]).await?)
    }

    /// One version with its text.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn plan_version(&self, id: i64) -> Result<Option<(PlanVersion, String)>, QueryError> {
        const ONE: &str = versions!("WHERE id = $1");
        const TEXT: &str = "SELECT text FROM plan_versions WHERE id = $1";
        let Some(version) = self.db.row(ONE, values![id]).await? else { return Ok(None) };
        let text: Option<(String,)> = self.db.row(TEXT, values![id]).await?;
        Ok(text.map(|(text,)| (version, text)))
    }

    /// The version that counts.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn current_plan(&self) -> Result<Option<PlanVersion>, QueryError> {
        const CURRENT: &str = versions!("WHERE published_at IS NOT NULL ORDER BY published_at DESC, id DESC LIMIT 1");
        Ok(self.db.row(CURRENT, values![]).await?)
    }

    /// The version that shall count next.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn next_plan(&self) -> Result<Option<PlanVersion>, QueryError> {
        const NEXT: &str =
            versions!("WHERE published_at IS NULL AND publish_at IS NOT NULL ORDER BY publish_at, id LIMIT 1");
        Ok(self.db.row(NEXT, values![]).await?)
    }

    /// Notes that a second person agrees. `false`: it is approved already, or was published.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn approve_plan(&self, id: i64, by: &str, now: Wall) -> Result<bool, QueryError> {
        const APPROVE: &str = "
            UPDATE plan_versions SET approved_at = $2, approved_by = $3
            WHERE id = $1 AND approved_at IS NULL AND published_at IS NULL";
        Ok(self.db.execute(APPROVE, values![id, now.0, by]).await? > 0)
    }

    /// Notes when a version shall count; `None` takes that back. `false`: it was published already.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn schedule_plan(&self, id: i64, at: Option<Wall>, by: &str) -> Result<bool, QueryError> {
        const SCHEDULE: &str =
            "UPDATE plan_versions SET publish_at = $2, publish_by = $3 WHERE id = $1 AND published_at IS NULL";
        Ok(self.db.execute(SCHEDULE, values![id, at.map(|at| at.0), by]).await? > 0)
    }

    /// Notes that a version is about to take over from the one that counts. `false`: another version does so at this moment.
    /// A note that came to nothing holds for [`TAKEN_OVER_WITHIN_MS`].
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn take_over(&self, id: i64, now: Wall) -> Result<bool, QueryError> {
        const LET_GO: &str = "
            UPDATE plan_versions SET follows = NULL WHERE follows = $1 AND published_at IS NULL AND follows_at < $2";
        const TAKE: &str = "
            UPDATE plan_versions SET follows = $2, follows_at = $3
            WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM plan_versions WHERE follows = $2 AND id <> $1)";
        let Some(before) = self.current_plan().await?.filter(|current| current.id != id) else { return Ok(true) };
        self.db.execute(LET_GO, values![before.id, now.0 - TAKEN_OVER_WITHIN_MS]).await?;
        match self.db.execute(TAKE, values![id, before.id, now.0]).await {
            Ok(taken) => Ok(taken == 1),
            // Both saw the place free; the index lets one of them have it.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes back that a version is about to take over.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn let_go(&self, id: i64) -> Result<(), QueryError> {
        const LET_GO: &str = "UPDATE plan_versions SET follows = NULL WHERE id = $1 AND published_at IS NULL";
        self.db.execute(LET_GO, values![id]).await?;
        Ok(())
    }

    /// Notes that a version counts from now on. `false`: it did already.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn plan_published(&self, id: i64, now: Wall) -> Result<bool, QueryError> {
        const PUBLISHED: &str = "UPDATE plan_versions SET published_at = $2 WHERE id = $1 AND published_at IS NULL";
        Ok(self.db.execute(PUBLISHED, values![id, now.0]).await? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::on_both;

    on_both! {
        async fn of_two_versions_that_take_over_at_one_moment_one_does(bed: Bed) {
            let store = bed.store().await;
            let draft = async |text: &str| store.draft_plan(new(text, "wang"), Wall(0)).await.unwrap();
            let [first, a, b, c] = [draft("1").await, draft("a").await, draft("b").await, draft("c").await];
            assert!(store.take_over(first, Wall(1)).await.unwrap(), "nothing counts before it");
            store.plan_published(first, Wall(1)).await.unwrap();
            // Both have seen that the first counts.
            let (one, two) = tokio::join!(store.take_over(a, Wall(2)), store.take_over(b, Wall(2)));
            assert_eq!([one.unwrap(), two.unwrap()].iter().filter(|won| **won).count(), 1);
            let won = if store.take_over(a, Wall(3)).await.unwrap() { a } else { b };
            assert!(store.take_over(won, Wall(4)).await.unwrap(), "again");
            assert!(!store.take_over(c, Wall(5)).await.unwrap());
            store.let_go(won).await.unwrap();
            assert!(store.take_over(c, Wall(6)).await.unwrap(), "it was let go");
            assert!(!store.take_over(a, Wall(6 + TAKEN_OVER_WITHIN_MS)).await.unwrap());
            assert!(store.take_over(a, Wall(7 + TAKEN_OVER_WITHIN_MS)).await.unwrap(), "its node has fallen silent");
            store.plan_published(a, Wall(8 + TAKEN_OVER_WITHIN_MS)).await.unwrap();
            assert!(store.take_over(b, Wall(9 + TAKEN_OVER_WITHIN_MS)).await.unwrap(), "one after the other they may");
        }
    }

    fn new<'a>(text: &'a str, by: &'a str) -> NewVersion<'a> {
        NewVersion { name: "x.toml", text, why: "测试", by }
    }

    on_both! {
        async fn versions_are_drafted_approved_set_for_a_time_and_published(bed: Bed) {
            let store = bed.store().await;
            assert_eq!(store.current_plan().await.unwrap(), None);
            let one = store.draft_plan(new("a = 1\n", "wang"), Wall(10)).await.unwrap();
            assert!(store.plan_published(one, Wall(11)).await.unwrap());
            assert!(!store.plan_published(one, Wall(12)).await.unwrap(), "once");
            let two = store.draft_plan(new("a = \"二\"\n", "wang"), Wall(20)).await.unwrap();
            let three = store.draft_plan(new("a = 3\n", "li"), Wall(21)).await.unwrap();
            assert_eq!((one, two, three), (1, 2, 3));
            let (version, text) = store.plan_version(two).await.unwrap().unwrap();
            assert_eq!((text.as_str(), version.base, version.why.as_str()), ("a = \"二\"\n", Some(one), "测试"));

            assert!(store.approve_plan(two, "li", Wall(22)).await.unwrap());
            assert!(!store.approve_plan(two, "zhao", Wall(23)).await.unwrap(), "once");
            assert!(store.schedule_plan(two, Some(Wall(99)), "wang").await.unwrap());
            assert!(store.schedule_plan(three, Some(Wall(50)), "li").await.unwrap());
            assert_eq!(store.next_plan().await.unwrap().map(|v| v.id), Some(three), "the earlier");
            assert!(store.schedule_plan(three, None, "li").await.unwrap(), "taken back");
            assert_eq!(store.next_plan().await.unwrap().map(|v| v.id), Some(two));
            assert!(store.plan_published(two, Wall(99)).await.unwrap());
            assert_eq!(store.next_plan().await.unwrap(), None);
            assert!(!store.schedule_plan(two, Some(Wall(120)), "wang").await.unwrap(), "it was published");
            assert!(!store.approve_plan(one, "li", Wall(120)).await.unwrap());
            assert_eq!(store.current_plan().await.unwrap().map(|v| v.id), Some(two));
            let listed: Vec<i64> = store.plan_versions(2).await.unwrap().iter().map(|v| v.id).collect();
            assert_eq!(listed, [3, 2]);
            assert_eq!(store.plan_version(9).await.unwrap(), None);
        }
    }
}
