//! What lasts: the ledger, the database that follows it, and the questions that can be asked of it.
//!
//! SQLite now; [`Db`] is the one place where another database comes in. Knows no SIP, no center and no HTTP: the control
//! thread writes the ledger, a task of its own follows with the database, however slow that is.

pub mod ledger;
