//! The versions of the tables. A migration that has been released is never edited: it expands first, contracts later.
//!
//! Each has a file for either database, which differ only where they must. 0001-0009 belong to calls, 0010-0019 to accounts, 0020-0029 to
//! plans.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One version: the same name in both folders.
struct Version {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// `version!(1, "calls", "0001_calls.sql")`.
macro_rules! version {
    ($number:literal, $name:literal, $file:literal) => {
        Version {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("migrations/sqlite/", $file)),
            postgres: include_str!(concat!("migrations/postgres/", $file)),
        }
    };
}

/// Ascending. Named here one by one, so that a new file cannot be forgotten by a stale build.
const VERSIONS: &[Version] = &[
    version!(1, "calls", "0001_calls.sql"),
    version!(2, "records", "0002_records.sql"),
    version!(3, "callers", "0003_callers.sql"),
    version!(4, "called", "0004_called.sql"),
    version!(5, "modes", "0005_modes.sql"),
    version!(6, "tests", "0006_tests.sql"),
    version!(10, "accounts", "0010_accounts.sql"),
    version!(11, "audit", "0011_audit.sql"),
    version!(20, "plan_versions", "0020_plan_versions.sql"),
    version!(21, "plan_follows", "0021_plan_follows.sql"),
];

/// The migrations of SQLite.
pub(super) fn sqlite() -> Migrator {
    migrator(|version| version.sqlite)
}

/// The migrations of PostgreSQL.
pub(super) fn postgres() -> Migrator {
    migrator(|version| version.postgres)
}

fn migrator(sql: impl Fn(&Version) -> &'static str) -> Migrator {
    let migration = |version: &Version| {
        Migration::new(version.number, version.name.into(), MigrationType::Simple, sql(version).into_sql_str(), false)
    };
    Migrator::with_migrations(VERSIONS.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn both_databases_have_every_version_in_a_file_of_the_same_name() {
        let listed: BTreeSet<String> = VERSIONS.iter().map(|v| format!("{:04}_{}.sql", v.number, v.name)).collect();
        assert_eq!(listed.len(), VERSIONS.len());
        assert!(VERSIONS.is_sorted_by_key(|v| v.number));
        for database in ["sqlite", "postgres"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations").join(database);
            let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
            assert_eq!(files.collect::<BTreeSet<_>>(), listed, "{database}");
        }
    }

    #[test]
    fn both_databases_make_the_same_tables_columns_and_indexes() {
        for version in VERSIONS {
            assert_eq!(shape(version.sqlite), shape(version.postgres), "{}", version.name);
        }
    }

    /// The statements without comments and spaces, and with PostgreSQL's own words put into SQLite's.
    fn shape(sql: &str) -> Vec<String> {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join(" ");
        let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ");
        // Guards of the tables are written in each database's own language.
        let is_guard = |s: &String| s.contains("TRIGGER") || s.contains("FUNCTION") || s.starts_with("END");
        lines.split(';').map(words).filter(|s| !s.is_empty() && !is_guard(s)).collect()
    }
}
