//! Voice: packets, 20 ms frames and what is done with them.
//!
//! The modules beside `engine` are pure (no socket, clock, lock or randomness); `engine` is the shell that owns the
//! worker threads and the sockets. Nothing here knows a call's policy: the core says who hears whom.

pub mod codec;
pub mod dtmf;
pub mod engine;
pub mod fingerprint;
pub mod jitter;
pub mod latch;
pub mod mixer;
pub mod ports;
pub mod quality;
pub mod recording;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
