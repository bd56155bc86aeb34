//! End to end: the binary that is shipped, called by software that nobody here wrote (SIPp, pjsua2, baresip).
//!
//! Every test has its own exchange, addresses and folder, so all run side by side. `YIHAO_KEEP=1` keeps the folder of a
//! failing test, `YIHAO_BINARY` names another build.

#![expect(clippy::disallowed_methods, reason = "these tests live in real time")]

mod answered;
mod api;
mod books;
mod broken;
mod crash;
mod cut_off;
mod early;
mod in_call;
mod lines;
mod networks;
mod placed;
mod replay;
pub(crate) mod rig;
mod rig_check;
mod seats;
mod secure;
mod service;
mod smoke;
mod talk;
mod transfer;
mod wire;
