//! Keys in the body of a SIP INFO: `application/dtmf-relay` and `application/dtmf`.
//!
//! Neither has an RFC; the forms are those of the phones and gateways in the field.

use super::event;
use crate::types::Digit;

/// Longest body that is read.
const MAX_BODY_BYTES: usize = 256;
/// Duration when the body names none: 160 ms.
const DEFAULT_MS: u16 = 160;
/// Longest duration that is believed.
const MAX_MS: u16 = 5_000;

/// A key in an INFO body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoDigit {
    /// Which.
    pub digit: Digit,
    /// How long it was pressed, in ms.
    pub duration_ms: u16,
}

/// Why a body has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// The content type is neither of the two: answer 415.
    #[error("the content type carries no keys")]
    ContentType,
    /// The body cannot be read: answer 400.
    #[error("the body names no key")]
    Body,
}

/// Reads a body.
///
/// # Errors
/// [`InfoError`] when the content type or the body carries no key.
pub fn parse_info(content_type: &str, body: &[u8]) -> Result<InfoDigit, InfoError> {
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    let relay = media_type.eq_ignore_ascii_case("application/dtmf-relay");
    if !relay && !media_type.eq_ignore_ascii_case("application/dtmf") {
        return Err(InfoError::ContentType);
    }
    let text = body.get(..body.len().min(MAX_BODY_BYTES)).and_then(|b| std::str::from_utf8(b).ok());
    let text = text.ok_or(InfoError::Body)?;
    if text.contains('=') { parse_lines(text) } else { bare(text.trim(), DEFAULT_MS) }
}

/// `Signal=5`, `Duration=160`, in any order and case.
fn parse_lines(text: &str) -> Result<InfoDigit, InfoError> {
    let mut signal = None;
    let mut duration_ms = DEFAULT_MS;
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("signal") {
            signal = Some(value);
        } else if name.eq_ignore_ascii_case("duration") {
            duration_ms = value.parse::<u16>().map_or(DEFAULT_MS, |ms| ms.clamp(1, MAX_MS));
        }
    }
    bare(signal.ok_or(InfoError::Body)?, duration_ms)
}

/// A key as itself, or by its event number: 10 for `*`, 11 for `#`.
fn bare(text: &str, duration_ms: u16) -> Result<InfoDigit, InfoError> {
    let mut characters = text.chars();
    let digit = match (characters.next(), characters.next()) {
        (Some(one), None) => Digit(one.to_ascii_uppercase()),
        (Some(_), Some(_)) => text.parse().ok().and_then(super::key).ok_or(InfoError::Body)?,
        (None, _) => return Err(InfoError::Body),
    };
    event(digit).ok_or(InfoError::Body)?;
    Ok(InfoDigit { digit, duration_ms })
}

/// Prints a body of type `application/dtmf-relay`.
pub fn print_info(info: InfoDigit) -> String {
    format!("Signal={}\r\nDuration={}\r\n", info.digit.0, info.duration_ms)
}
