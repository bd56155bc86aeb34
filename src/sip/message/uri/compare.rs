//! When two URIs name the same resource (RFC 3261 19.1.4, RFC 3966 4).

use super::{Scheme, Uri, escaped};

/// Parameters that must stand in both URIs or in none.
const TELLING: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl Uri {
    /// Whether both name the same resource.
    pub fn equivalent(&self, other: &Uri) -> bool {
        if self.scheme() != other.scheme() {
            return false;
        }
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => {
                same_text(self.user(), other.user())
                    && same_text(self.password(), other.password())
                    && same_host(self, other)
                    && self.port() == other.port()
                    && same_params(self, other)
                    && same_headers(self, other)
            }
            Scheme::Tel => same_number(self, other) && all_params_in(self, other) && all_params_in(other, self),
            Scheme::Other => self.as_str() == other.as_str(),
        }
    }
}

/// Compares with case; an escape equals its character unless that one is reserved.
fn same_text(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || Plain(a.as_bytes()).eq(Plain(b.as_bytes())),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn same_text_no_case(a: &str, b: &str) -> bool {
    let lower = |(byte, reserved): (u8, bool)| (byte.to_ascii_lowercase(), reserved);
    a.eq_ignore_ascii_case(b) || Plain(a.as_bytes()).map(lower).eq(Plain(b.as_bytes()).map(lower))
}

/// Bytes without escapes; the flag tells an escaped reserved byte from a plain one.
struct Plain<'a>(&'a [u8]);

impl Iterator for Plain<'_> {
    type Item = (u8, bool);

    fn next(&mut self) -> Option<(u8, bool)> {
        let (&first, rest) = self.0.split_first()?;
        match escaped(self.0) {
            Some(byte) => {
                self.0 = &self.0[3..];
                Some((byte, b";/?:@&=+$,".contains(&byte)))
            }
            None => {
                self.0 = rest;
                Some((first, false))
            }
        }
    }
}

fn same_host(a: &Uri, b: &Uri) -> bool {
    match (a.ip(), b.ip()) {
        (Some(a), Some(b)) => a == b,
        _ => a.host().eq_ignore_ascii_case(b.host()),
    }
}

fn same_params(a: &Uri, b: &Uri) -> bool {
    let common_agree =
        a.params().all(|(name, value)| b.param(name).is_none_or(|other| same_text_no_case(value, other)));
    common_agree && TELLING.iter().all(|name| a.has_param(name) == b.has_param(name))
}

fn same_headers(a: &Uri, b: &Uri) -> bool {
    let all_in = |a: &Uri, b: &Uri| {
        a.headers().all(|(name, value)| {
            b.headers().any(|(n, v)| n.eq_ignore_ascii_case(name) && same_text(Some(v), Some(value)))
        })
    };
    all_in(a, b) && all_in(b, a)
}

fn same_number(a: &Uri, b: &Uri) -> bool {
    let digits = |uri: &Uri| -> String {
        uri.user().unwrap_or_default().chars().filter(|c| !"-.()".contains(*c)).collect::<String>().to_lowercase()
    };
    digits(a) == digits(b)
}

fn all_params_in(a: &Uri, b: &Uri) -> bool {
    a.params().all(|(name, value)| b.param(name).is_some_and(|other| same_text_no_case(value, other)))
}
