//! The versions of the tables. A migration that has been released is never edited: it expands first, contracts later.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Number, name and SQL, ascending. Named here one by one, so that a new file cannot be forgotten by a stale build.
const SQLITE: &[(i64, &str, &str)] = &[(1, "calls", include_str!("migrations/sqlite/0001_calls.sql"))];

/// The migrations of SQLite.
pub(super) fn sqlite() -> Migrator {
    let migration = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(SQLITE.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps_and_each_file_is_listed() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations/sqlite");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), SQLITE.len());
        for (at, (version, ..)) in SQLITE.iter().enumerate() {
            assert_eq!(*version, at as i64 + 1);
        }
    }
}
