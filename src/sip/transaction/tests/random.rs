//! Lossy.
