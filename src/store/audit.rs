//! The audit: who looked at what and changed what, in a chain of hashes. Entries are added, never changed.
//!
//! Each hash is SHA-256 over the hash before and the entry's canonical text, so that an entry that was changed, removed or put
//! in breaks the chain from there on. Whoever can write to the database can make a whole new chain: keep a later hash elsewhere
//! (`yihao audit verify` prints the last one) to find that too.

#[cfg(test)]
mod tests;

use serde::Serialize;
use sqlx::FromRow;

use super::db::values;
use super::{Db, QueryError, Store};

/// The hash before the first entry.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Entries that are read at a time while the chain is checked.
const PORTION: u32 = 1_000;

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Id of the account; empty when nobody was signed in.
    pub account: String,
    /// Its login, or the one that was tried.
    pub login: String,
    /// Where the request came from.
    pub address: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// Particulars as JSON; no citizen's name or number.
    pub detail: String,
}

/// An entry of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow, utoipa::ToSchema)]
pub struct Entry {
    /// Its place in the chain, from 1.
    #[schema(example = 42)]
    pub seq: i64,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Id of the account; empty when nobody was signed in.
    pub account: String,
    /// Its login, or the one that was tried.
    #[schema(example = "wangfang")]
    pub login: String,
    /// Where the request came from.
    #[schema(example = "192.0.2.17")]
    pub address: String,
    /// What was done.
    #[schema(example = "record_seen")]
    pub action: String,
    /// To what: a call, an account, a seat.
    #[schema(example = "c30117452718080001")]
    pub object: String,
    /// Particulars as JSON; no citizen's name or number.
    pub detail: String,
    /// Hash of the entry before.
    pub previous: String,
    /// Hash of this entry, SHA-256 in hexadecimal.
    pub hash: String,
}

impl Entry {
    fn of(new: NewEntry, seq: i64, previous: String) -> Self {
        let NewEntry { at, account, login, address, action, object, detail } = new;
        let mut entry =
            Self { seq, at, account, login, address, action, object, detail, previous, hash: String::new() };
        entry.hash = entry.computed();
        entry
    }

    /// The canonical text: a JSON list, so that no two entries have the same.
    fn canonical(&self) -> String {
        let Self { seq, at, account, login, address, action, object, detail, .. } = self;
        let fields = (seq, at, account, login, address, action, object, detail);
        serde_json::to_string(&fields).expect("texts and numbers can be written as JSON")
    }

    fn computed(&self) -> String {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(self.previous.as_bytes());
        hash.update(self.canonical().as_bytes());
        hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What the check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Verdict {
    /// Entries that hold together, from the first on.
    pub entries: i64,
    /// Hash of the last of them.
    pub last_hash: String,
    /// The first that does not; nothing when all hold.
    pub broken: Option<Broken>,
}

/// The first broken entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Broken {
    /// Its place in the chain.
    pub seq: i64,
    /// What does not fit.
    pub why: Break,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// The entry of this place is missing.
    Missing,
    /// It does not follow the entry before.
    Unlinked,
    /// Its content is not what was hashed.
    Changed,
}

/// Which entries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this account.
    pub account: Option<String>,
    /// Only with this action.
    pub action: Option<String>,
    /// Only about this.
    pub object: Option<String>,
    /// Only before this place in the chain.
    pub before: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT seq, at, account, login, address, action, object, detail, previous, hash FROM audit ", $rest)
    };
}

/// One after the other: two entries must not follow the same one.
const LOCK: &str = "LOCK TABLE audit IN EXCLUSIVE MODE";
const LAST: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "
    INSERT INTO audit (seq, at, account, login, address, action, object, detail, previous, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const LIST: &str = select!(
    "WHERE (CAST($1 AS TEXT) IS NULL OR account = $1)
       AND (CAST($2 AS TEXT) IS NULL OR action = $2)
       AND (CAST($3 AS TEXT) IS NULL OR object = $3)
       AND seq < $4
     ORDER BY seq DESC LIMIT $5"
);
const ONWARD: &str = select!("WHERE seq > $1 ORDER BY seq LIMIT $2");

impl Store {
    /// Adds an entry to the end of the chain.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn append_audit(&self, new: NewEntry) -> Result<Entry, QueryError> {
        let mut tx = self.db.begin().await?;
        match &self.db {
            // Its writers already wait for each other.
            Db::Sqlite { .. } => {}
            Db::Pg { .. } => {
                tx.execute(LOCK, values![]).await?;
            }
        }
        let last: Vec<(i64, String)> = tx.rows(LAST, values![]).await?;
        let (seq, previous) = last.into_iter().next().unwrap_or_else(|| (0, BEGINNING.to_owned()));
        let entry = Entry::of(new, seq + 1, previous);
        let values = values![
            entry.seq,
            entry.at,
            &entry.account,
            &entry.login,
            &entry.address,
            &entry.action,
            &entry.object,
            &entry.detail,
            &entry.previous,
            &entry.hash,
        ];
        tx.execute(INSERT, values).await?;
        tx.commit().await?;
        Ok(entry)
    }

    /// Entries that match, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn audit(&self, filter: &Filter, limit: u32) -> Result<Vec<Entry>, QueryError> {
        let before = filter.before.unwrap_or(i64::MAX);
        let values = values![&filter.account, &filter.action, &filter.object, before, limit];
        Ok(self.db.rows(LIST, values).await?)
    }

    /// Goes through the whole chain.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn verify_audit(&self) -> Result<Verdict, QueryError> {
        let mut verdict = Verdict { entries: 0, last_hash: BEGINNING.to_owned(), broken: None };
        loop {
            let portion: Vec<Entry> = self.db.rows(ONWARD, values![verdict.entries, PORTION]).await?;
            let is_last = portion.len() < PORTION as usize;
            for entry in portion {
                if let Some(broken) = fault(&entry, &verdict) {
                    verdict.broken = Some(broken);
                    return Ok(verdict);
                }
                (verdict.entries, verdict.last_hash) = (entry.seq, entry.hash);
            }
            if is_last {
                return Ok(verdict);
            }
        }
    }
}

fn fault(entry: &Entry, so_far: &Verdict) -> Option<Broken> {
    let due = so_far.entries + 1;
    if entry.seq != due {
        return Some(Broken { seq: due, why: Break::Missing });
    }
    if entry.previous != so_far.last_hash {
        return Some(Broken { seq: entry.seq, why: Break::Unlinked });
    }
    (entry.hash != entry.computed()).then_some(Broken { seq: entry.seq, why: Break::Changed })
}
