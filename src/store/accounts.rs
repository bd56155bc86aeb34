//! Accounts of people and their sessions. Knows no password, only its hash; no token, only its digest; and no right.

mod sessions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::db::values;
use super::{QueryError, Store};
pub use sessions::SessionRecord;

/// What a person does in the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers callers.
    Agent,
    /// Answers what agents pass on, for a department.
    Expert,
    /// Leads agents.
    Supervisor,
    /// Keeps the machine running; sees no citizen's data.
    Operator,
    /// Looks at what was done, changes nothing.
    Auditor,
    /// Gives accounts and rights.
    Administrator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Agent, Self::Expert, Self::Supervisor, Self::Operator, Self::Auditor, Self::Administrator];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Expert => "expert",
            Self::Supervisor => "supervisor",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }
}

/// Levels of a skill, 9 the best.
pub const LEVELS: std::ops::RangeInclusive<u8> = 1..=9;

/// The account of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Account {
    /// Never used again, also when the account is gone.
    #[schema(example = "0a3f52c19b7e4d68")]
    pub id: String,
    /// Name to sign in with; unique whatever its case.
    #[schema(example = "wangfang")]
    pub login: String,
    /// Name of the person.
    #[schema(example = "王芳")]
    pub name: String,
    /// What the person does, at least one.
    pub roles: BTreeSet<Role>,
    /// Agent number (工号) that callers are told; unique.
    #[schema(example = 1027)]
    pub number: Option<u32>,
    /// The seat that the person usually takes.
    #[schema(example = 8001)]
    pub seat: Option<u32>,
    /// Skills with their levels, 1 to 9.
    #[schema(example = json!({"general": 5}))]
    pub skills: BTreeMap<String, u8>,
    /// Queues that the person serves, first ones first; empty: those of the skills.
    pub queues: Vec<String>,
    /// The password was given by somebody else and opens nothing but its own change.
    pub must_change: bool,
    /// When the confidentiality agreement was signed, milliseconds since 1970; without it no citizen's data.
    pub confidential_at: Option<i64>,
    /// Whether nobody may sign in with it.
    pub disabled: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub changed_at: i64,
}

/// What no two accounts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// The name to sign in with.
    Login,
    /// The agent number.
    Number,
}

/// Why an account cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has it.
    #[error("another account has this {0:?}")]
    Taken(Unique),
    /// The database does not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
}

#[derive(FromRow)]
struct Row {
    id: String,
    login: String,
    name: String,
    roles: String,
    number: Option<i64>,
    seat: Option<i64>,
    skills: String,
    queues: String,
    password: Option<String>,
    must_change: i64,
    confidential_at: Option<i64>,
    disabled: i64,
    created_at: i64,
    changed_at: i64,
}

impl Row {
    /// What cannot be read counts as nothing: an account with fewer rights, never with more.
    fn split(self) -> (Account, Option<String>) {
        let account = Account {
            id: self.id,
            login: self.login,
            name: self.name,
            roles: serde_json::from_str(&self.roles).unwrap_or_default(),
            number: self.number.and_then(|n| u32::try_from(n).ok()),
            seat: self.seat.and_then(|s| u32::try_from(s).ok()),
            skills: serde_json::from_str(&self.skills).unwrap_or_default(),
            queues: serde_json::from_str(&self.queues).unwrap_or_default(),
            must_change: self.must_change != 0,
            confidential_at: self.confidential_at,
            disabled: self.disabled != 0,
            created_at: self.created_at,
            changed_at: self.changed_at,
        };
        (account, self.password)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, login, name, roles, number, seat, skills, queues, password, must_change, confidential_at, disabled, ",
            "created_at, changed_at FROM accounts ",
            $rest
        )
    };
}

const PAGE: &str = select!("WHERE login_key > $1 ORDER BY login_key LIMIT $2");
const BY_ID: &str = select!("WHERE id = $1");
const BY_LOGIN: &str = select!("WHERE login_key = $1");
const BY_NUMBER: &str = select!("WHERE number = $1");
const INSERT: &str = "
    INSERT INTO accounts (id, login, login_key, name, roles, number, seat, skills, queues, password, must_change,
                          confidential_at, disabled, created_at, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const UPDATE: &str = "
    UPDATE accounts SET name = $2, roles = $3, number = $4, seat = $5, skills = $6, queues = $7, must_change = $8,
                        confidential_at = $9, disabled = $10, changed_at = $11
    WHERE id = $1";
const SET_PASSWORD: &str = "UPDATE accounts SET password = $2, must_change = $3, changed_at = $4 WHERE id = $1";
const COUNT: &str = "SELECT COUNT(*) FROM accounts";

/// Logins are told apart without their case.
fn key(login: &str) -> String {
    login.to_lowercase()
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("lists and maps of texts and numbers can be written as JSON")
}

impl Store {
    /// Accounts in the order of their logins, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn accounts(&self, after: &str, limit: u32) -> Result<Vec<Account>, QueryError> {
        let rows: Vec<Row> = self.db.rows(PAGE, values![&key(after), limit]).await?;
        Ok(rows.into_iter().map(|row| row.split().0).collect())
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn count_accounts(&self) -> Result<i64, QueryError> {
        let count: Option<(i64,)> = self.db.row(COUNT, values![]).await?;
        Ok(count.map_or(0, |(count,)| count))
    }

    /// One account.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn account(&self, id: &str) -> Result<Option<Account>, QueryError> {
        let row: Option<Row> = self.db.row(BY_ID, values![id]).await?;
        Ok(row.map(|row| row.split().0))
    }

    /// The account of a login, with the hash of its password.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn account_of(&self, login: &str) -> Result<Option<(Account, Option<String>)>, QueryError> {
        let row: Option<Row> = self.db.row(BY_LOGIN, values![&key(login)]).await?;
        Ok(row.map(Row::split))
    }

    /// The account of an agent number.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn account_of_agent(&self, number: u32) -> Result<Option<Account>, QueryError> {
        let row: Option<Row> = self.db.row(BY_NUMBER, values![number]).await?;
        Ok(row.map(|row| row.split().0))
    }

    /// Writes a new account.
    ///
    /// # Errors
    /// [`AccountError`]: login or number belong to another one, or the database does not answer.
    pub async fn insert_account(&self, account: &Account, password: Option<&str>) -> Result<(), AccountError> {
        let written = self
            .db
            .execute(
                INSERT,
                values![
                    &account.id,
                    &account.login,
                    &key(&account.login),
                    &account.name,
                    &json(&account.roles),
                    account.number,
                    account.seat,
                    &json(&account.skills),
                    &json(&account.queues),
                    password,
                    account.must_change,
                    account.confidential_at,
                    account.disabled,
                    account.created_at,
                    account.changed_at,
                ],
            )
            .await;
        match written {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explained(error, account).await),
        }
    }

    /// Writes what has changed of an account; login, password and creation stay. False when there is no such account.
    ///
    /// # Errors
    /// [`AccountError`]: the number belongs to another one, or the database does not answer.
    pub async fn update_account(&self, account: &Account) -> Result<bool, AccountError> {
        let written = self
            .db
            .execute(
                UPDATE,
                values![
                    &account.id,
                    &account.name,
                    &json(&account.roles),
                    account.number,
                    account.seat,
                    &json(&account.skills),
                    &json(&account.queues),
                    account.must_change,
                    account.confidential_at,
                    account.disabled,
                    account.changed_at,
                ],
            )
            .await;
        match written {
            Ok(rows) => Ok(rows > 0),
            Err(error) => Err(self.explained(error, account).await),
        }
    }

    /// Gives an account another password, and says whether its holder must choose one.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn set_password(&self, id: &str, hash: &str, must_change: bool, at: i64) -> Result<(), QueryError> {
        self.db.execute(SET_PASSWORD, values![id, hash, must_change, at]).await?;
        Ok(())
    }

    /// Whose login or number it is, when that is why the database refused.
    async fn explained(&self, error: sqlx::Error, account: &Account) -> AccountError {
        let is_taken = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
        if !is_taken {
            return QueryError::from(error).into();
        }
        let holder = match account.number {
            Some(number) => self.account_of_agent(number).await,
            None => Ok(None),
        };
        match holder {
            Ok(Some(holder)) if holder.id != account.id => AccountError::Taken(Unique::Number),
            Ok(_) | Err(_) => AccountError::Taken(Unique::Login),
        }
    }
}
