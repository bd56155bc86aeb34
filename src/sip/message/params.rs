//! Parameters behind a header value: `;name=value;flag`. URIs have their own, stricter ones.

use std::borrow::Cow;
use std::fmt;

use super::{HeaderError, HeaderValue, scan, text};

const MALFORMED: HeaderError = HeaderError::new("Malformed Header Parameter");

/// The parameters of a header value, in the order in which they came. Empty for most headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Params {
    /// `;name=value` repeated, without blanks: one allocation however many there are.
    text: String,
}

impl Params {
    /// Reads parameters, the first `;` included; blanks and folds around the marks are dropped.
    ///
    /// # Errors
    /// [`HeaderError`] when a parameter has no name or a quoted value does not close.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut text = String::new();
        for param in Raw::new(bytes) {
            let (name, value) = param?;
            if text.is_empty() {
                text.reserve_exact(bytes.len());
            }
            text.push(';');
            text.push_str(&String::from_utf8_lossy(name));
            if let Some(value) = value {
                text.push('=');
                text.push_str(&String::from_utf8_lossy(value));
            }
        }
        Ok(Self { text })
    }

    /// The value as written, quotes included; empty for a flag; `None` when absent. Names have no case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or_default())
    }

    /// The value without quotes and escapes.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(text::unquote)
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values as written, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let str = |bytes| str::from_utf8(bytes).expect("cut from text at ASCII marks");
        Raw::new(self.text.as_bytes()).flatten().map(move |(name, value)| (str(name), value.map(str)))
    }

    /// Sets a parameter (`None`: a flag) and puts it last; a value that is no token is quoted.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.remove(name);
        self.text.push(';');
        self.text.extend(name.chars().filter(|c| c.is_ascii() && scan::is_token(*c as u8)));
        let Some(value) = value else { return };
        self.text.push('=');
        let plain = !value.is_empty() && value.bytes().all(scan::is_value);
        let quoted = value.starts_with('"') && scan::quoted_end(value.as_bytes(), 0) == Some(value.len());
        if plain || quoted {
            self.text.push_str(value);
        } else {
            let mut out = Vec::with_capacity(value.len() + 2);
            text::quote(&mut out, value);
            self.text.push_str(&String::from_utf8_lossy(&out));
        }
    }

    /// Takes a parameter away, if it is there.
    pub fn remove(&mut self, name: &str) {
        if !self.has(name) {
            return;
        }
        let mut rest = String::with_capacity(self.text.len());
        for (n, value) in self.iter().filter(|(n, _)| !n.eq_ignore_ascii_case(name)) {
            rest.push(';');
            rest.push_str(n);
            if let Some(value) = value {
                rest.push('=');
                rest.push_str(value);
            }
        }
        self.text = rest;
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl HeaderValue for Params {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.as_bytes());
    }
}

/// Parameters as slices, without allocation.
pub(crate) struct Raw<'a> {
    rest: &'a [u8],
}

impl<'a> Raw<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: scan::trim_start(bytes) }
    }

    fn step(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), HeaderError> {
        let rest = scan::trim_start(self.rest.strip_prefix(b";").ok_or(MALFORMED)?);
        let end = rest.iter().position(|&b| !scan::is_token(b)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if name.is_empty() {
            return Err(MALFORMED);
        }
        let rest = scan::trim_start(rest);
        let Some(rest) = rest.strip_prefix(b"=") else {
            self.rest = rest;
            return Ok((name, None));
        };
        let rest = scan::trim_start(rest);
        let end = match rest.first() {
            Some(b'"') => scan::quoted_end(rest, 0).ok_or(MALFORMED)?,
            _ => rest.iter().position(|&b| !scan::is_value(b)).unwrap_or(rest.len()),
        };
        let (value, rest) = rest.split_at(end);
        self.rest = scan::trim_start(rest);
        Ok((name, Some(value)))
    }
}

impl<'a> Iterator for Raw<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_folds_vanish_and_order_stays() {
        let params = Params::parse(b" ; newparam =\r\n newvalue ;\r\n  secondparam ; q = 0.33; x=\"a;b\"").unwrap();
        assert_eq!(params.to_string(), ";newparam=newvalue;secondparam;q=0.33;x=\"a;b\"");
        assert_eq!(params.get("SECONDPARAM"), Some(""));
        assert_eq!(params.text("x").as_deref(), Some("a;b"));
        assert_eq!(params.get("tag"), None);
    }

    #[test]
    fn empty_parameters_are_refused() {
        for bad in [&b";;"[..], b";", b"x", b";=1", b";a=\"b", b";a,b"] {
            assert!(Params::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn set_replaces_and_cannot_inject() {
        let mut params = Params::parse(b";tag=1;lr").unwrap();
        params.set("TAG", Some("2"));
        params.set("x", Some("a;tag=3>\r\nEvil: 1"));
        assert_eq!(params.to_string(), ";lr;TAG=2;x=\"a;tag=3>  Evil: 1\"");
        params.remove("lr");
        assert_eq!(params.iter().count(), 2);
    }
}
