//! Telephone numbers, compared whole.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// There is no digit at all.
    #[error("a number needs at least one digit")]
    Empty,
    /// A character that no number has.
    #[error("{0:?} is not part of a number")]
    BadCharacter(char),
    /// More than 20 digits (E.164 allows 15; carriers add prefixes).
    #[error("a number has at most 20 digits")]
    TooLong,
}

fn digits(text: &str) -> Result<String, NumberError> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' | '*' | '#' => out.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return Err(NumberError::BadCharacter(c)),
        }
    }
    match out.len() {
        0 => Err(NumberError::Empty),
        1..=20 => Ok(out),
        _ => Err(NumberError::TooLong),
    }
}

/// A number that citizens dial here: 12345, 12315, 2250857. Whole, without area code. Also feature codes such as `*41`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LineNumber(String);

impl LineNumber {
    /// Reads a number; visual separators are dropped.
    ///
    /// # Errors
    /// [`NumberError`] when the text is empty, too long or has other characters.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        digits(text).map(Self)
    }
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LineNumber {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        Self::parse(&text)
    }
}

impl From<LineNumber> for String {
    fn from(n: LineNumber) -> String {
        n.0
    }
}

impl fmt::Debug for LineNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LineNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A citizen's or a foreign number in its normal form: national digits with leading 0 for land lines ("08162250857"),
/// 11 digits for mobiles ("13800138000"), "+" and digits for abroad, short codes as they are. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Takes a text that is already in normal form; `sip/trunk` normalises what a carrier sent.
    ///
    /// # Errors
    /// [`NumberError`] when the text is empty, too long or has other characters than digits, `*`, `#` and a leading `+`.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        match text.strip_prefix('+') {
            Some(rest) => digits(rest).map(|d| Self(format!("+{d}"))),
            None => digits(text).map(Self),
        }
    }
    /// The digits, for wires and records, never for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(number)")
    }
}
