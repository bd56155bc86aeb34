//! Causes and SIP statuses, both ways, and what every answer of ours says about us.

use crate::sip::negotiate::NegotiateError;
use crate::types::Cause;

/// Methods that we take.
pub(super) const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, REGISTER";
/// Extensions that we support.
pub(super) const SUPPORTED: &[u8] = b"100rel, timer, replaces, norefersub, path, outbound";
/// Extensions that a caller may require of us; anything else is 420.
pub(super) const UNDERSTOOD: &[&str] = &["100rel", "timer", "replaces", "norefersub"];

/// The status of a refusal.
pub(super) fn status_of(cause: Cause) -> u16 {
    match cause {
        Cause::Busy => 486,
        Cause::Declined => 603,
        Cause::NoAnswer | Cause::Unregistered | Cause::Closed => 480,
        Cause::NoSuchNumber | Cause::ModeNotServed => 404,
        Cause::Gone => 410,
        Cause::Loop => 482,
        Cause::NoCommonMedia => 488,
        Cause::Overload | Cause::Restart | Cause::Unreachable => 503,
        Cause::Cancelled => 487,
        Cause::HungUp | Cause::Failed | Cause::PeerLost => 500,
    }
}

/// What a final status says about an attempt of ours; `rang` tells a person who did not answer from a dead line.
pub(super) fn of_status(status: u16, rang: bool) -> Cause {
    match status {
        486 | 600 => Cause::Busy,
        403 | 603 | 607 => Cause::Declined,
        408 | 480 if rang => Cause::NoAnswer,
        404 | 410 | 484 | 485 | 604 => Cause::NoSuchNumber,
        415 | 488 | 606 => Cause::NoCommonMedia,
        482 => Cause::Loop,
        487 => Cause::Cancelled,
        408 | 480 | 430 | 502 | 504 => Cause::Unreachable,
        500 | 503 => Cause::Overload,
        _ => Cause::Failed,
    }
}

/// Q.850 cause for the Reason header of a BYE or CANCEL (RFC 3326).
pub(super) fn q850(cause: Cause) -> u16 {
    match cause {
        Cause::HungUp | Cause::Cancelled => 16,
        Cause::Busy => 17,
        Cause::NoAnswer => 19,
        Cause::Declined => 21,
        Cause::NoSuchNumber | Cause::ModeNotServed => 1,
        // "Number changed": what RFC 3398 8.2.6.1 pairs with 410.
        Cause::Gone => 22,
        // "Exchange routing error" (RFC 3398 8.2.6.1).
        Cause::Loop => 25,
        Cause::Unregistered => 20,
        Cause::Unreachable => 27,
        Cause::NoCommonMedia => 88,
        Cause::Overload => 42,
        Cause::PeerLost | Cause::Closed => 31,
        Cause::Failed | Cause::Restart => 41,
    }
}

pub(super) fn status_of_negotiation(error: &NegotiateError) -> u16 {
    match error {
        NegotiateError::Malformed(_) => 400,
        NegotiateError::NoCommonMedia => 488,
    }
}
