//! SIP (RFC 3261 and its companions): a pure core of messages, transactions, dialogs and the endpoint; transports above.

pub mod auth;
pub mod dialog;
pub mod dns;
pub mod endpoint;
pub mod flow;
pub mod message;
pub mod negotiate;
pub mod registrar;
pub mod sdp;
pub mod transaction;
pub mod transport;
pub mod trunk;
