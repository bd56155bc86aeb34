//! What lasts: the ledger, the database that follows it, and the questions that can be asked of it.
//!
//! SQLite now; `Db` is the one place where another database comes in, behind the same `$1` SQL. Knows no SIP, no center
//! and no HTTP: the control thread writes the ledger, a task of its own follows with the database, however slow that is.

pub mod calls;
pub mod ledger;
mod migrations;
mod tail;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

pub use tail::{TailError, Tailer};

/// How long a statement waits for another process that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections for questions.
const READERS: u32 = 4;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

/// Which database it is.
#[derive(Clone, Debug)]
enum Db {
    Sqlite(Sqlite),
}

/// One writer, because SQLite has one; readers beside it do not wait for it (WAL).
#[derive(Clone, Debug)]
struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Only asked to read, and there is nothing.
    #[error("there are no records in {} yet; has yihao run there?", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("cannot create the database {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the file system reports.
        source: io::Error,
    },
    /// The file cannot be used as a database.
    #[error("cannot open the database {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database reports.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to this version.
    #[error("cannot bring the database {} to this version: {source}", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
}

impl Store {
    /// Opens the database, makes it (mode 0600) when it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// [`OpenError`], one clear sentence each.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, BUSY_TIMEOUT).await
    }

    /// As [`Store::open`], with another patience for foreign locks.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) async fn open_with(path: &Path, busy_timeout: Duration) -> Result<Self, OpenError> {
        // SQLite gives its WAL files the mode of the database file.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| OpenError::Create { path: path.to_owned(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL never damages a WAL database; what a power cut takes from it is still in the ledger, and the
            // position goes back with it.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(busy_timeout);
        let open_error = |source| OpenError::Open { path: path.to_owned(), source };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(open_error)?;
        let migrated = migrations::sqlite().run(&writer).await;
        migrated.map_err(|source| OpenError::Migrate { path: path.to_owned(), source })?;
        let readers = Self::readers(options).await.map_err(open_error)?;
        Ok(Self { db: Db::Sqlite(Sqlite { writer, readers }) })
    }

    /// Opens the database for questions only, while an exchange may be writing to it.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Missing`] when there is no file.
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT);
        let readers =
            Self::readers(options).await.map_err(|source| OpenError::Open { path: path.to_owned(), source })?;
        Ok(Self { db: Db::Sqlite(Sqlite { writer: readers.clone(), readers }) })
    }

    async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
        SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.read_only(true))
            .await
    }

    /// Whether the database answers.
    pub async fn is_alive(&self) -> bool {
        let Db::Sqlite(db) = &self.db;
        sqlx::query("SELECT 1").execute(&db.readers).await.is_ok()
    }

    /// Ends all connections; waits for those in use.
    pub async fn close(&self) {
        let Db::Sqlite(db) = &self.db;
        db.readers.close().await;
        db.writer.close().await;
    }
}
