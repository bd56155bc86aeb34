//! The start-up token: whoever can read the file may use the API. Accounts replace it later.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;

use super::Shared;
use super::error::ApiError;

/// Characters of a token: 32 bytes in hexadecimal.
const CHARACTERS: usize = 64;

/// A secret of 32 random bytes. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; CHARACTERS]);

impl Token {
    /// Makes a token of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; CHARACTERS];
        for (pair, byte) in text.chunks_exact_mut(2).zip(random) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(text)
    }

    /// Writes the token to a file that only its owner can read, in place of an older one.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        // A new file each time: a mode is only given at creation.
        let fresh = path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(self.text().as_bytes())?;
        file.write_all(b"\n")?;
        fs::rename(&fresh, path)
    }

    /// The text that a client sends after `Bearer`.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }

    /// Whether `offered` is the token, in a time that does not depend on where it differs.
    pub fn is(&self, offered: &[u8]) -> bool {
        let Ok(offered) = <&[u8; CHARACTERS]>::try_from(offered) else { return false };
        let mut difference = 0;
        for (a, b) in self.0.iter().zip(offered) {
            difference = black_box(difference | (a ^ b));
        }
        difference == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Lets a request pass that shows the token.
pub(super) async fn require_token(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let offered = request.headers().get(AUTHORIZATION).and_then(|v| v.as_bytes().split_at_checked(7));
    match offered {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") && shared.token.is(token) => {
            Ok(next.run(request).await)
        }
        Some(_) | None => Err(ApiError::NoToken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = Token::new([0xa5; 32]);
        assert_eq!(token.text(), "a5".repeat(32));
        assert!(token.is("a5".repeat(32).as_bytes()));
        for at in 0..CHARACTERS {
            let mut other = token.0;
            other[at] ^= 1;
            assert!(!token.is(&other));
        }
        assert!(!token.is(b""));
        assert!(!token.is(&token.0[..63]));
        assert_eq!(format!("{token:?}"), "Token(hidden)");
    }

    #[test]
    fn the_file_is_private_even_when_an_open_one_was_there() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        Token::new([1; 32]).save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", "01".repeat(32)));
    }
}
