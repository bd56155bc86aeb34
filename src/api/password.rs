//! Passwords: argon2id hashes, the check that takes as long for a name nobody has, and what a new password must be.
//!
//! A hash costs 19 MiB and tens of milliseconds on purpose, so it runs beside the runtime's workers and few at a time.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::error::ApiError;

/// Memory, passes and lanes: the first choice of the OWASP Password Storage Cheat Sheet for argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Shortest password in characters (NIST SP 800-63B 5.1.1.2 asks for 8; a hotline's console is worth more).
pub(super) const SHORTEST: usize = 10;
/// Longest password in bytes; far beyond it somebody wants to keep us busy.
pub(super) const LONGEST: usize = 256;
/// Hashes at a time; more would take the cores from calls.
const HASHES: usize = 2;
/// Hashes that may wait for a place; beyond them 503.
const WAITING: usize = 32;

static PLACES: Semaphore = Semaphore::const_new(HASHES);
static QUEUE: Semaphore = Semaphore::const_new(HASHES + WAITING);

/// The hash that is checked for a name nobody has.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody", [0; 16]));

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weak {
    /// Fewer characters than [`SHORTEST`].
    Short,
    /// More bytes than [`LONGEST`].
    Long,
    /// The name of the account stands in it, or it is one character again and again.
    Guessable,
    /// As before.
    Same,
}

/// Looks whether a new password may be taken.
pub(super) fn strength(password: &str, login: &str) -> Result<(), Weak> {
    if password.len() > LONGEST {
        return Err(Weak::Long);
    }
    if password.chars().count() < SHORTEST {
        return Err(Weak::Short);
    }
    let mut kinds: Vec<char> = password.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 5 || password.to_lowercase().contains(&login.to_lowercase()) {
        return Err(Weak::Guessable);
    }
    Ok(())
}

/// Makes a hash in PHC form.
pub(super) async fn hash(password: &str) -> Result<String, ApiError> {
    let (password, salt) = (password.to_owned(), rand::random());
    beside(move || hash_now(&password, salt)).await
}

/// Whether the password belongs to the hash; without a hash the same work is done and the answer is no.
pub(super) async fn verify(password: &str, hash: Option<&str>) -> Result<bool, ApiError> {
    if password.len() > LONGEST {
        return Ok(false);
    }
    let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
    beside(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches = PasswordHash::new(&hash).is_ok_and(|h| argon().verify_password(password.as_bytes(), &h).is_ok());
        matches && known
    })
    .await
}

/// Readable random characters, for a password that is shown once: 20 of 31 letters and digits, 99 bits.
pub(super) fn one_time(random: [u8; 20]) -> String {
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    let mut text: Vec<char> = letters.collect();
    for at in [15, 10, 5] {
        text.insert(at, '-');
    }
    text.into_iter().collect()
}

fn argon() -> Argon2<'static> {
    let params = Params::new(COST.0, COST.1, COST.2, None).expect("the costs are within the bounds of argon2");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Also used at the start, before there is anybody to wait.
pub(super) fn hash_now(password: &str, salt: [u8; 16]) -> String {
    let hash = argon().hash_password_with_salt(password.as_bytes(), &salt);
    let hash: PasswordHash = hash.expect("a salt of 16 bytes and a password of any length can be hashed");
    hash.to_string()
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let _waiting = QUEUE.try_acquire().map_err(|_| ApiError::Busy)?;
    let _place = PLACES.acquire().await.map_err(|_| ApiError::Busy)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_nobody_has_one() {
        let stored = hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse", Some(&stored)).await.unwrap());
        assert!(!verify("correct horsf", Some(&stored)).await.unwrap());
        assert!(!verify("nobody", None).await.unwrap(), "the hash of nobody opens nothing");
        assert!(!verify("correct horse", Some("no hash")).await.unwrap());
        assert_ne!(stored, hash("correct horse").await.unwrap(), "each hash has its salt");
    }

    #[test]
    fn weak_passwords_are_named() {
        assert_eq!(strength("short", "wang"), Err(Weak::Short));
        assert_eq!(strength(&"long and odd".repeat(30), "wang"), Err(Weak::Long));
        assert_eq!(strength("aaaaaaaaaaaaaa", "wang"), Err(Weak::Guessable));
        assert_eq!(strength("my-Wang-password", "wang"), Err(Weak::Guessable));
        assert_eq!(strength("政务服务便民热线一二三", "wang"), Ok(()));
    }

    #[test]
    fn a_one_time_password_can_be_read_aloud_and_taken() {
        let password = one_time([0xa7; 20]);
        assert_eq!(password.len(), 23);
        let password = one_time(std::array::from_fn(|at| at as u8 * 13));
        assert_eq!(password.matches('-').count(), 3);
        assert_eq!(strength(&password, "admin"), Ok(()));
    }
}
