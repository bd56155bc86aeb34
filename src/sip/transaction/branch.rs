//! The branch of a Via: the name of a transaction (RFC 3261 8.1.1.7).
//!
//! Makes it of random bytes that are handed in; knows no source of randomness.

use std::fmt::{self, Write};

/// What begins every branch that is unique (RFC 3261 8.1.1.7); a branch without it comes from an RFC 2543 element.
pub(super) const COOKIE: &str = "z9hG4bK";

/// The branch of one request of ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Branch(Box<str>);

impl Branch {
    /// The cookie and 24 hexadecimal digits. 96 random bits cannot be guessed by one who forges responses.
    pub fn from_random(random: [u8; 12]) -> Branch {
        let mut text = String::with_capacity(COOKIE.len() + 2 * random.len());
        text.push_str(COOKIE);
        for byte in random {
            write!(text, "{byte:02x}").expect("a String takes everything");
        }
        Branch(text.into())
    }

    /// As it stands in a Via.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a branch is unique by RFC 3261.
pub(super) fn is_unique(branch: &str) -> bool {
    branch.as_bytes().get(..COOKIE.len()).is_some_and(|head| head.eq_ignore_ascii_case(COOKIE.as_bytes()))
        && branch.len() > COOKIE.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_the_cookie_and_the_bytes_in_hexadecimal() {
        let branch = Branch::from_random([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xab, 0xff]);
        assert_eq!(branch.as_str(), "z9hG4bK00010203040506070809abff");
        assert!(is_unique(branch.as_str()));
    }

    #[test]
    fn a_bare_cookie_and_old_branches_are_not_unique() {
        assert!(!is_unique("z9hG4bK"));
        assert!(!is_unique("1"));
        assert!(!is_unique(""));
    }
}
