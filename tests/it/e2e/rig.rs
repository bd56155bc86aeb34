//! The rig of the end-to-end tests: the real binary on an address block of its own, telephones and carriers around it, and
//! an ear for what they hear. It knows nothing of the exchange's inside: configuration, HTTP, command line and wire only.

pub(crate) mod address;
pub(crate) mod baresip;
pub(crate) mod cable;
pub(crate) mod certificate;
pub(crate) mod http;
pub(crate) mod listen;
pub(crate) mod phone;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod server;
pub(crate) mod sipp;
pub(crate) mod site;
pub(crate) mod skip;
pub(crate) mod tcp;
pub(crate) mod tone;
pub(crate) mod wav;

use std::time::{Duration, Instant};

/// Waits until `look` finds what the test needs; fails the test after `limit`, saying what it waited for.
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Shorthand for seconds.
pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
