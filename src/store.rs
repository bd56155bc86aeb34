//! What lasts: the ledger, the database that follows it, and the questions that can be asked of it.
//!
//! SQLite in a file of the node, or PostgreSQL by setting, behind one face (`db`). Knows no SIP, no center and no HTTP: the
//! control thread writes the ledger, a task of its own follows with the database, however slow that is.

pub mod accounts;
pub mod audit;
pub mod callers;
pub mod calls;
pub mod counters;
pub(crate) mod db;
mod jobs;
mod keeper;
pub mod ledger;
mod migrations;
pub mod plan_versions;
mod retention;
mod tail;
#[cfg(test)]
pub(crate) mod testing;
pub mod wishes;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::time::timeout;

pub(crate) use db::Db;
pub use keeper::Keeper;
pub use retention::Retention;
pub use tail::{Keep, MARKED_WITHIN_MS, TailError, Tailer};

/// How long a statement waits for another process that holds a SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits for a server before it goes on without.
const SERVER_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// SQLite: a file of this node.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres {
        /// `postgres://user@host:port/database`, with `sslmode` and the like behind `?`.
        url: String,
        /// Password of the user, when the server asks for one. `Debug` hides it.
        password: Option<String>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(path) => path.display().fmt(f),
            Place::Postgres { url, .. } => f.write_str(url),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// Why a text is no address of a PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins with another scheme.
    #[error("only postgres:// is known")]
    Scheme,
    /// It cannot be read.
    #[error("not an address of a server: {0}")]
    Malformed(String),
    /// It names a password, which belongs into the secrets.
    #[error("the address holds a password")]
    Password,
}

/// Looks at the address of a PostgreSQL server as a configuration names it.
///
/// # Errors
/// [`UrlError`]: nothing is connected.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
        return Err(UrlError::Scheme);
    };
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || rest.contains("password=") {
        return Err(UrlError::Password);
    }
    PgConnectOptions::from_str(url).map(|_| ()).map_err(|e| UrlError::Malformed(e.to_string()))
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
    /// It cannot be used as a database.
    #[error("cannot open the database {place}: {source}")]
    Open {
        /// Where.
        place: String,
        /// What the database reports.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to this version.
    #[error("cannot bring the database {place} to this version: {source}")]
    Migrate {
        /// Where.
        place: String,
        /// What went wrong.
        source: MigrateError,
    },
}

impl OpenError {
    fn of(place: &Place, error: MigrateError) -> Self {
        let place = place.to_string();
        if let MigrateError::Execute(source) = error {
            return Self::Open { place, source };
        }
        Self::Migrate { place, source: error }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
}

impl Store {
    /// Opens the database and brings its tables up to date. A SQLite file is made (mode 0600) when it is missing.
    ///
    /// A server that cannot be reached is no error: calls do not need it, the ledger keeps what it misses, and the tailer
    /// goes on asking.
    ///
    /// # Errors
    /// [`OpenError`], one clear sentence each.
    pub async fn open(place: &Place) -> Result<Self, OpenError> {
        Self::open_with(place, BUSY_TIMEOUT).await
    }

    /// As [`Store::open`], with another patience for foreign locks on a SQLite file.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) async fn open_with(place: &Place, busy_timeout: Duration) -> Result<Self, OpenError> {
        match place {
            Place::Sqlite(path) => {
                make_file(path)?;
                let options = sqlite_options(path, busy_timeout)
                    .journal_mode(SqliteJournalMode::Wal)
                    // NORMAL never damages a WAL database; what a power cut takes from it is still in the ledger, and the
                    // position goes back with it.
                    .synchronous(SqliteSynchronous::Normal);
                Ok(Self { db: Db::sqlite(options, true).await.map_err(|e| OpenError::of(place, e))? })
            }
            Place::Postgres { url, password } => {
                let store = Self { db: Db::postgres(server_options(url, password.as_deref())?) };
                match timeout(SERVER_TIMEOUT, store.db.prepare()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) if !is_away(&error) => return Err(OpenError::of(place, error)),
                    Ok(Err(_)) | Err(_) => {
                        tracing::warn!(database = %place, "the database cannot be reached; the ledger keeps all until it can");
                    }
                }
                Ok(store)
            }
        }
    }

    /// Opens the database for questions only, while an exchange may be writing to it.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Missing`] when there is no file.
    pub async fn open_read_only(place: &Place) -> Result<Self, OpenError> {
        match place {
            Place::Sqlite(path) if !path.exists() => Err(OpenError::Missing { path: path.clone() }),
            Place::Sqlite(path) => {
                let options = sqlite_options(path, BUSY_TIMEOUT);
                Ok(Self { db: Db::sqlite(options, false).await.map_err(|e| OpenError::of(place, e))? })
            }
            Place::Postgres { url, password } => {
                Ok(Self { db: Db::postgres(server_options(url, password.as_deref())?) })
            }
        }
    }

    /// Whether the database answers.
    pub async fn is_alive(&self) -> bool {
        self.db.row::<(i64,)>("SELECT CAST(1 AS BIGINT)", &[]).await.is_ok()
    }

    /// Ends all connections; waits for those in use.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// SQLite gives its WAL files the mode of the database file.
fn make_file(path: &Path) -> Result<(), OpenError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    file.map(|_| ()).map_err(|source| OpenError::Create { path: path.to_owned(), source })
}

fn sqlite_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(busy_timeout)
}

fn server_options(url: &str, password: Option<&str>) -> Result<PgConnectOptions, OpenError> {
    let options =
        PgConnectOptions::from_str(url).map_err(|source| OpenError::Open { place: url.to_owned(), source })?;
    Ok(match password {
        Some(password) => options.password(password),
        None => options,
    })
}

/// Whether a server is merely away: it does not answer, starts, stops, or has no connection left. All else (a wrong
/// password, no such database) is a mistake that somebody must mend.
fn is_away(error: &MigrateError) -> bool {
    /// Connection failures and "cannot connect now", "too many connections", "lock not available" (PostgreSQL, appendix A).
    const AWAY: &[&str] = &["08", "57P0", "53300", "55P03", "40"];
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    match error.as_database_error().and_then(|e| e.code()) {
        Some(code) => AWAY.iter().any(|away| code.starts_with(away)),
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut),
    }
}
