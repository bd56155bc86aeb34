//! Privacy: what the caller wants hidden (RFC 3323 4.2, RFC 3325 9.3).

use super::{HeaderValue, scan};

/// Value of Privacy. Nothing set means that the header is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Hide the asserted identity.
    pub id: bool,
    /// Hide headers that show the way.
    pub header: bool,
    /// Hide what the user wrote about itself.
    pub user: bool,
    /// Hide the session description.
    pub session: bool,
    /// Fail rather than show.
    pub critical: bool,
    /// The user asks for no privacy at all.
    pub none: bool,
}

impl Privacy {
    /// Reads the value; unknown words are skipped. Words are split by `;`, by old equipment also by `,`.
    pub fn parse(value: &[u8]) -> Self {
        let mut privacy = Self::default();
        for word in value.split(|b| matches!(b, b';' | b',')) {
            if let Some((_, flag)) = privacy.words().into_iter().find(|(w, _)| scan::trim(word).eq_ignore_ascii_case(w))
            {
                *flag = true;
            }
        }
        privacy
    }

    /// Whether the caller's number may not be shown.
    pub fn hides_caller(&self) -> bool {
        !self.none && (self.id || self.user || self.header)
    }

    fn words(&mut self) -> [(&'static [u8], &mut bool); 6] {
        [
            (b"id", &mut self.id),
            (b"header", &mut self.header),
            (b"user", &mut self.user),
            (b"session", &mut self.session),
            (b"critical", &mut self.critical),
            (b"none", &mut self.none),
        ]
    }
}

impl HeaderValue for Privacy {
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        for (word, _) in { *self }.words().into_iter().filter(|(_, set)| **set) {
            if out.len() > start {
                out.push(b';');
            }
            out.extend_from_slice(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        let privacy = Privacy::parse(b"user; ID;critical;magic");
        assert!(privacy.id && privacy.user && privacy.critical && !privacy.header);
        assert!(privacy.hides_caller());
        assert!(!Privacy::parse(b"none").hides_caller());
        let mut out = Vec::new();
        privacy.write(&mut out);
        assert_eq!(out, b"id;user;critical");
    }
}
