//! SQLite and PostgreSQL behind one face: the same `$1` SQL, values in, rows out. The one place that tells them apart.
//!
//! What keeps SQL portable: ids and JSON are TEXT, times BIGINT milliseconds, truth BIGINT 0 or 1; no arrays, no enums, no
//! clock of the database. Knows no table.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Postgres, SqlSafeStr, Sqlite};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::migrations;

/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that one statement may take, the way to the server and back included.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections for questions to SQLite.
const READERS: u32 = 4;
/// Connections to PostgreSQL: questions, the tail of the ledger, a job.
const CONNECTIONS: u32 = 6;
/// Rows of one statement, largest first: few shapes, so that each is prepared once a connection.
const SHAPES: [usize; 3] = [32, 8, 1];

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    /// One writer, because SQLite has one; readers beside it do not wait for it (WAL).
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections for questions.
        readers: SqlitePool,
    },
    /// A server.
    Pg {
        /// Its connections.
        pool: PgPool,
        /// Set once the tables are of this version: the server may be away when the exchange starts.
        ready: Arc<OnceCell<()>>,
    },
}

/// What stands for `$1`, `$2` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// BIGINT or NULL.
    Int(Option<i64>),
    /// TEXT or NULL.
    Text(Option<&'a str>),
}

impl From<i64> for Value<'_> {
    fn from(n: i64) -> Self {
        Value::Int(Some(n))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(n: Option<i64>) -> Self {
        Value::Int(n)
    }
}

impl From<u32> for Value<'_> {
    fn from(n: u32) -> Self {
        Value::Int(Some(n.into()))
    }
}

impl From<Option<u32>> for Value<'_> {
    fn from(n: Option<u32>) -> Self {
        Value::Int(n.map(i64::from))
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Value::Int(Some(yes.into()))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Some(text))
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Value::Text(text.as_deref())
    }
}

/// `values![a, b]`: the values of a statement, each by its type.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::db::Value::from($value)),*] };
}
pub(crate) use values;

/// A row that both databases can give: a tuple of columns, or a struct that derives `sqlx::FromRow`.
pub(crate) trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Record for T {}

/// Puts the values behind a query of either database.
macro_rules! bound {
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match value {
            Value::Int(n) => query.bind(*n),
            Value::Text(text) => query.bind(text.map(clean)),
        })
    };
}

impl Db {
    /// A SQLite file. Its connections are made with `options`; `migrate` brings the tables to this version first.
    pub(super) async fn sqlite(
        options: SqliteConnectOptions,
        migrate: bool,
    ) -> Result<Self, sqlx::migrate::MigrateError> {
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE_TIMEOUT);
        if !migrate {
            let readers = pool(READERS).connect_with(options.read_only(true)).await?;
            return Ok(Db::Sqlite { writer: readers.clone(), readers });
        }
        let writer = pool(1).connect_with(options.clone()).await?;
        migrations::sqlite().run(&writer).await?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Db::Sqlite { writer, readers })
    }

    /// A PostgreSQL server. Nothing is asked of it yet: see [`Db::prepare`].
    pub(super) fn postgres(options: PgConnectOptions) -> Self {
        let options = options.application_name("yihao").options([
            // What a client that lost its power holds is given free again by the server.
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        Db::Pg { pool, ready: Arc::default() }
    }

    /// Brings the tables of a server to this version, once; at other times it does nothing.
    pub(super) async fn prepare(&self) -> Result<(), sqlx::migrate::MigrateError> {
        match self {
            Db::Sqlite { .. } => Ok(()),
            Db::Pg { pool, ready } => {
                let migrate = || async { migrations::postgres().run(pool).await };
                ready.get_or_try_init(migrate).await.copied()
            }
        }
    }

    /// All rows of a question.
    pub(crate) async fn rows<T: Record>(
        &self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, sqlx::Error> {
        in_time(async {
            match self {
                Db::Sqlite { readers, .. } => bound!(sqlx::query_as(sql), values).fetch_all(readers).await,
                Db::Pg { pool, .. } => bound!(sqlx::query_as(sql), values).fetch_all(pool).await,
            }
        })
        .await
    }

    /// The first row of a question, if there is one.
    pub(crate) async fn row<T: Record>(
        &self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Option<T>, sqlx::Error> {
        in_time(async {
            match self {
                Db::Sqlite { readers, .. } => bound!(sqlx::query_as(sql), values).fetch_optional(readers).await,
                Db::Pg { pool, .. } => bound!(sqlx::query_as(sql), values).fetch_optional(pool).await,
            }
        })
        .await
    }

    /// Executes one statement that writes; says how many rows it touched.
    pub(crate) async fn execute(&self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> Result<u64, sqlx::Error> {
        in_time(async {
            match self {
                Db::Sqlite { writer, .. } => {
                    Ok(bound!(sqlx::query(sql), values).execute(writer).await?.rows_affected())
                }
                Db::Pg { pool, .. } => Ok(bound!(sqlx::query(sql), values).execute(pool).await?.rows_affected()),
            }
        })
        .await
    }

    /// Begins a transaction that writes. In SQLite nobody else writes until it ends.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let (connection, begin) = match self {
            Db::Sqlite { writer, .. } => (Connection::Sqlite(writer.acquire().await?), "BEGIN IMMEDIATE"),
            Db::Pg { pool, .. } => (Connection::Pg(pool.acquire().await?), "BEGIN"),
        };
        // Made before it begins: a wait that is broken off leaves no connection behind that has begun.
        let mut tx = Tx { connection, committed: false };
        tx.say(begin).await?;
        Ok(tx)
    }

    /// Ends all connections; waits for those in use.
    pub(super) async fn close(&self) {
        match self {
            Db::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Db::Pg { pool, .. } => pool.close().await,
        }
    }
}

/// A transaction. Dropped without [`Tx::commit`] it is undone, and its connection is closed: SQLite ends a transaction
/// by itself on some errors (a full disk; <https://www.sqlite.org/lang_transaction.html>, 2.4), so the connection's state is
/// not known any more.
#[derive(Debug)]
pub(crate) struct Tx {
    connection: Connection,
    committed: bool,
}

#[derive(Debug)]
enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Pg(PoolConnection<Postgres>),
}

impl Tx {
    /// Executes a statement; says how many rows it touched.
    pub(crate) async fn execute(&mut self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> Result<u64, sqlx::Error> {
        in_time(async {
            match &mut self.connection {
                Connection::Sqlite(c) => Ok(bound!(sqlx::query(sql), values).execute(&mut **c).await?.rows_affected()),
                Connection::Pg(c) => Ok(bound!(sqlx::query(sql), values).execute(&mut **c).await?.rows_affected()),
            }
        })
        .await
    }

    /// All rows of a question, or of a statement with RETURNING.
    pub(crate) async fn rows<T: Record>(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, sqlx::Error> {
        in_time(async {
            match &mut self.connection {
                Connection::Sqlite(c) => bound!(sqlx::query_as(sql), values).fetch_all(&mut **c).await,
                Connection::Pg(c) => bound!(sqlx::query_as(sql), values).fetch_all(&mut **c).await,
            }
        })
        .await
    }

    /// Inserts many rows of `width` values each: `head VALUES (...), (...) tail`, a few statements for all. Says how many
    /// rows they touched.
    pub(crate) async fn insert(
        &mut self,
        head: &'static str,
        tail: &'static str,
        width: usize,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error> {
        let mut touched = 0;
        for (sql, some) in self.inserts(head, tail, width, values) {
            touched += self.execute(AssertSqlSafe(sql), some).await?;
        }
        Ok(touched)
    }

    /// As [`Tx::insert`] with a RETURNING in its tail: what that gives for the rows that were inserted.
    pub(crate) async fn insert_returning<T: Record>(
        &mut self,
        head: &'static str,
        tail: &'static str,
        width: usize,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, sqlx::Error> {
        let mut rows = Vec::new();
        for (sql, some) in self.inserts(head, tail, width, values) {
            rows.extend(self.rows(AssertSqlSafe(sql), some).await?);
        }
        Ok(rows)
    }

    /// Statements that insert all rows, with the values of each.
    fn inserts<'v, 'a>(
        &self,
        head: &str,
        tail: &str,
        width: usize,
        values: &'v [Value<'a>],
    ) -> Vec<(String, &'v [Value<'a>])> {
        assert!(width > 0 && values.len().is_multiple_of(width), "each row has {width} values");
        let mut rest = values;
        let mut statements = Vec::new();
        for rows in SHAPES {
            while rest.len() >= rows * width {
                let (some, others) = rest.split_at(rows * width);
                let marks = match self.connection {
                    // SQLite looks a name up in a list of all names, for each value: many rows would take the square of their number.
                    Connection::Sqlite(_) => marks(rows, width, |_| "?".to_owned()),
                    Connection::Pg(_) => marks(rows, width, |n| format!("${n}")),
                };
                statements.push((format!("{head} VALUES {marks} {tail}"), some));
                rest = others;
            }
        }
        statements
    }

    /// Makes all of it last.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.say("COMMIT").await?;
        self.committed = true;
        Ok(())
    }

    /// A statement without values, not prepared.
    pub(crate) async fn say(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        in_time(async {
            match &mut self.connection {
                Connection::Sqlite(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(|_| ()),
                Connection::Pg(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(|_| ()),
            }
        })
        .await
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.committed {
            match &mut self.connection {
                Connection::Sqlite(c) => c.close_on_drop(),
                Connection::Pg(c) => c.close_on_drop(),
            }
        }
    }
}

/// `(?, ?), (?, ?)`: places of values by rows; `mark` names the nth, from 1.
fn marks(rows: usize, width: usize, mark: impl Fn(usize) -> String) -> String {
    let row = |at: usize| {
        let marks: Vec<String> = (1..=width).map(|n| mark(at * width + n)).collect();
        format!("({})", marks.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// PostgreSQL refuses a text with a NUL; a peer that puts one into a name must not stop the records of all.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Bounds the wait for a statement: a server behind a dead network says nothing for ever.
async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(STATEMENT_TIMEOUT, work).await.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::on_both;

    on_both! {
        async fn many_rows_go_in_whatever_their_number_and_a_nul_stops_none_of_them(bed: Bed) {
            let store = bed.store().await;
            for (round, count) in [1usize, 7, 8, 31, 32, 75].into_iter().enumerate() {
                let names: Vec<String> = (0..count).map(|n| format!("{round}\0{n}")).collect();
                let rows: Vec<Value<'_>> = names.iter().flat_map(|name| [name.into(), 5i64.into()]).collect();
                let mut tx = store.db.begin().await.unwrap();
                let tail = "ON CONFLICT (name) DO NOTHING RETURNING name";
                let new: Vec<(String,)> = tx.insert_returning("INSERT INTO jobs (name, due_at)", tail, 2, &rows).await.unwrap();
                assert_eq!(new.len(), count);
                let again: Vec<(String,)> =
                    tx.insert_returning("INSERT INTO jobs (name, due_at)", tail, 2, &rows).await.unwrap();
                assert_eq!(again, []);
                tx.commit().await.unwrap();
            }
            let clean: (i64,) =
                store.db.row("SELECT COUNT(*) FROM jobs WHERE name LIKE $1", values!["5\u{fffd}%"]).await.unwrap().unwrap();
            assert_eq!(clean, (75,));
        }

        async fn a_transaction_that_is_not_committed_leaves_nothing(bed: Bed) {
            let store = bed.store().await;
            let mut tx = store.db.begin().await.unwrap();
            tx.execute("INSERT INTO jobs (name, due_at) VALUES ($1, $2)", values!["a", 1i64]).await.unwrap();
            drop(tx);
            let mut tx = store.db.begin().await.unwrap();
            assert_eq!(tx.rows::<(i64,)>("SELECT COUNT(*) FROM jobs", &[]).await.unwrap(), [(0,)]);
            tx.commit().await.unwrap();
        }
    }
}
