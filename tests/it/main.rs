//! One test binary, so that the library is linked once: seeded worlds, the torture messages, the real binary end to end.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]
#![allow(clippy::wildcard_enum_match_arm, reason = "the peers of a test have one answer to whatever else comes")]

mod commands;
mod corpora;
mod e2e;
mod faults;
mod load;
mod sim;
mod simulate;
mod torture;
