//! Yihao 一号: the open contact centre that a city's 12345 hotline can run on.
//!
//! A pure core (no clock, socket, lock or randomness) below, shells above it, one loop between them.
//! `docs/architecture.md` shows the layers and walks one call through the files.

pub mod acd;
pub mod api;
pub mod call;
pub mod center;
pub mod cli;
pub mod config;
pub mod dialplan;
pub mod exchange;
pub mod journal;
pub mod media;
pub mod node;
pub mod observability;
pub mod seat;
pub mod simulate;
pub mod sip;
pub mod store;
pub mod types;
