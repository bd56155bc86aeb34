//! What carries messages: datagrams on the control thread, streams on a tokio runtime beside it.
//!
//! Cuts streams into messages and knows addresses and connections; knows nothing of calls, seats or trunks. WebSocket is
//! read in headers only so far.

pub mod certificate;
pub mod hep;
pub mod socket;
pub mod stream;
pub mod udp;
mod x509;
