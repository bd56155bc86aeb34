//! Digest authentication, both sides (RFC 7616, RFC 8760, RFC 3261 22).
//!
//! The server side challenges with nonces that it does not store and remembers only which counts of a nonce were used;
//! the client side answers challenges of carriers. Knows no transaction and no seat: it is asked with the fields of
//! a request and the account that goes with a user name. Random bytes and the time are handed in.

mod client;
mod digest;
mod nonce;
mod server;
mod stand_in;
#[cfg(test)]
mod tests;

pub use client::{Client, ClientError, Secret, Side};
pub use digest::{Algorithm, Credentials, CredentialsError};
pub use server::{Guard, Request, Settings, Verdict};
pub use stand_in::{blank, keepable};
