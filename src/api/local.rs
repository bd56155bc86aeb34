//! The first accounts: the administrator of the first start, and `local`, whose session is the token file of each start.
//!
//! Whoever may read the file is whoever runs the exchange, and may read the database beside it anyway; so the session has all
//! roles, and the audit names it. It is a session like others: it can be ended, and the next start makes another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{clock, password, session};
use crate::store::accounts::{Account, AccountError, Role, SessionRecord};
use crate::store::{QueryError, Store};

/// Id and login of the account of the token file. Nobody can sign in with it: it has no password.
pub(super) const LOCAL: &str = "local";
/// Login of the first administrator.
const FIRST: &str = "admin";

/// Why the first accounts cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// An account cannot be written.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The database does not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The token file cannot be written.
    #[error("the token cannot be written: {0}")]
    File(#[from] io::Error),
}

/// A login and the password that is shown this once.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstPassword {
    /// Login.
    pub login: String,
    /// Password; it must be changed at the first sign-in.
    pub password: String,
}

/// Begins the local session: its token goes into a file that only its owner can read. Makes the first administrator when there
/// is none, and gives its password.
///
/// # Errors
/// [`LocalError`].
pub async fn prepare(store: &Store, token_file: &Path) -> Result<Option<FirstPassword>, LocalError> {
    let first = if store.account_of(FIRST).await?.is_none() && store.count_accounts().await? == 0 {
        Some(first_administrator(store).await?)
    } else {
        None
    };
    if store.account(LOCAL).await?.is_none() {
        let mut account = account(LOCAL, LOCAL, Role::ALL.into());
        account.confidential_at = Some(account.created_at);
        store.insert_account(&account, None).await?;
    }
    let token = session::hex(&rand::random::<[u8; 32]>());
    let now = clock::wall_ms();
    let record = SessionRecord {
        digest: session::digest(&token),
        account: LOCAL.to_owned(),
        is_local: true,
        address: "local".to_owned(),
        created_at: now,
        used_at: now,
        ends_at: i64::MAX,
    };
    store.begin_session(&record, session::PER_ACCOUNT).await?;
    save(&token, token_file)?;
    Ok(first)
}

async fn first_administrator(store: &Store) -> Result<FirstPassword, LocalError> {
    let password = password::one_time(rand::random());
    let hash = password::hash_now(&password, rand::random());
    let mut account = account(&session::hex(&rand::random::<[u8; 8]>()), FIRST, BTreeSet::from([Role::Administrator]));
    account.must_change = true;
    store.insert_account(&account, Some(&hash)).await?;
    Ok(FirstPassword { login: FIRST.to_owned(), password })
}

fn account(id: &str, login: &str, roles: BTreeSet<Role>) -> Account {
    let now = clock::wall_ms();
    Account {
        id: id.to_owned(),
        login: login.to_owned(),
        name: login.to_owned(),
        roles,
        number: None,
        seat: None,
        skills: BTreeMap::new(),
        queues: Vec::new(),
        must_change: false,
        confidential_at: None,
        disabled: false,
        created_at: now,
        changed_at: now,
    }
}

/// Writes a file that only its owner can read, in place of an older one.
fn save(token: &str, path: &Path) -> io::Result<()> {
    // A new file each time: a mode is only given at creation.
    let fresh = path.with_extension("new");
    let _absent = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(token.as_bytes())?;
    file.write_all(b"\n")?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_first_password_is_given_once_and_each_start_has_its_token() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&crate::store::Place::Sqlite(dir.path().join("yihao.sqlite"))).await.unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let first = prepare(&store, &file).await.unwrap().unwrap();
        let (admin, hash) = store.account_of(&first.login).await.unwrap().unwrap();
        assert!(admin.must_change && password::verify(&first.password, hash.as_deref()).await.unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let token = fs::read_to_string(&file).unwrap();
        let (who, _) = store.session(&session::digest(token.trim())).await.unwrap().unwrap();
        assert_eq!(who.id, LOCAL);
        assert!(prepare(&store, &file).await.unwrap().is_none());
        assert_eq!(store.session(&session::digest(token.trim())).await.unwrap(), None, "the token of the last start");
        let (_, hash) = store.account_of(LOCAL).await.unwrap().unwrap();
        assert_eq!(hash, None);
    }
}
