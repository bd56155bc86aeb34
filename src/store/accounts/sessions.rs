//! Sessions: the digest of a token, whose it is and when it ends.

use sqlx::FromRow;

use super::super::db::values;
use super::{Account, QueryError, Store};

/// A session as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the token, in hexadecimal.
    pub digest: String,
    /// Whose.
    pub account: String,
    /// Of the token file: it lasts until the next start.
    pub is_local: bool,
    /// Where it was begun.
    pub address: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Last use, to the minute.
    pub used_at: i64,
    /// When it ends even in use.
    pub ends_at: i64,
}

#[derive(FromRow)]
struct Row {
    digest: String,
    account_id: String,
    is_local: i64,
    address: String,
    created_at: i64,
    used_at: i64,
    ends_at: i64,
}

const INSERT: &str = "
    INSERT INTO sessions (digest, account_id, is_local, address, created_at, used_at, ends_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const ONE: &str =
    "SELECT digest, account_id, is_local, address, created_at, used_at, ends_at FROM sessions WHERE digest = $1";
const TOUCH: &str = "UPDATE sessions SET used_at = $2 WHERE digest = $1";
const END: &str = "DELETE FROM sessions WHERE digest = $1";
const END_ALL: &str = "DELETE FROM sessions WHERE account_id = $1 AND digest <> $2";
const END_LOCAL: &str = "DELETE FROM sessions WHERE is_local = 1";
const END_OLD: &str = "DELETE FROM sessions WHERE ends_at <= $1 OR (is_local = 0 AND used_at <= $2)";
const END_MANY: &str = "
    DELETE FROM sessions WHERE account_id = $1 AND digest NOT IN (
        SELECT digest FROM sessions WHERE account_id = $1 ORDER BY created_at DESC, digest LIMIT $2)";

impl Store {
    /// Begins a session; of one account at most `most` live, the oldest end. A local one ends those before it.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn begin_session(&self, session: &SessionRecord, most: u32) -> Result<(), QueryError> {
        let mut tx = self.db.begin().await?;
        if session.is_local {
            tx.execute(END_LOCAL, values![]).await?;
        }
        let values = values![
            &session.digest,
            &session.account,
            session.is_local,
            &session.address,
            session.created_at,
            session.used_at,
            session.ends_at,
        ];
        tx.execute(INSERT, values).await?;
        tx.execute(END_MANY, values![&session.account, most]).await?;
        Ok(tx.commit().await?)
    }

    /// The session of a token's digest, with its account.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn session(&self, digest: &str) -> Result<Option<(Account, SessionRecord)>, QueryError> {
        let row: Option<Row> = self.db.row(ONE, values![digest]).await?;
        let Some(row) = row else { return Ok(None) };
        let record = SessionRecord {
            digest: row.digest,
            account: row.account_id,
            is_local: row.is_local != 0,
            address: row.address,
            created_at: row.created_at,
            used_at: row.used_at,
            ends_at: row.ends_at,
        };
        Ok(self.account(&record.account).await?.map(|account| (account, record)))
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn touch_session(&self, digest: &str, at: i64) -> Result<(), QueryError> {
        self.db.execute(TOUCH, values![digest, at]).await?;
        Ok(())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn end_session(&self, digest: &str) -> Result<(), QueryError> {
        self.db.execute(END, values![digest]).await?;
        Ok(())
    }

    /// Ends all sessions of an account but one; an empty digest means none is spared.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn end_sessions(&self, account: &str, but: &str) -> Result<(), QueryError> {
        self.db.execute(END_ALL, values![account, but]).await?;
        Ok(())
    }

    /// Deletes sessions that are over: past their end, or not used since `unused_since`.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn delete_old_sessions(&self, now: i64, unused_since: i64) -> Result<(), QueryError> {
        self.db.execute(END_OLD, values![now, unused_since]).await?;
        Ok(())
    }
}
