//! For tests of the store: each story runs on SQLite and on PostgreSQL.

pub(crate) mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Place, Store};

/// A folder of its own and an empty database.
#[derive(Debug)]
pub(crate) struct Bed {
    dir: tempfile::TempDir,
    place: Place,
}

impl Bed {
    /// With a SQLite file in the folder.
    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let place = Place::Sqlite(dir.path().join("yihao.sqlite"));
        Self { dir, place }
    }

    /// With a database on the server that this process of tests has started; nothing, said aloud, when there is no PostgreSQL.
    pub(crate) async fn postgres(test: &str) -> Option<Self> {
        let server = server::shared(test)?;
        let place = server.new_database().await;
        Some(Self { place, ..Self::sqlite() })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where ledgers go.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// Where the database is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The database, opened with little patience.
    pub(crate) async fn store(&self) -> Store {
        Store::open_with(&self.place, Duration::from_millis(50)).await.unwrap()
    }
}

/// `on_both! { async fn story(bed: Bed) { ... } }`: a test for either database, `story::sqlite` and `story::postgres`.
macro_rules! on_both {
    ($(async fn $name:ident($bed:ident: Bed) $body:block)*) => { $(
        mod $name {
            use super::*;

            async fn story($bed: $crate::store::testing::Bed) $body

            #[tokio::test]
            async fn sqlite() {
                story($crate::store::testing::Bed::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(bed) = $crate::store::testing::Bed::postgres(stringify!($name)).await {
                    story(bed).await;
                }
            }
        }
    )* };
}
pub(crate) use on_both;
