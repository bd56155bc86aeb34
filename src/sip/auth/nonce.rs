//! Nonces that need no memory, and the memory of which counts were used (RFC 7616 3.3, 5.5).
//!
//! A nonce is time, random bytes and their HMAC under a key of this process. Only nonces that authenticated somebody
//! are remembered, so a flood of unauthenticated requests costs no memory.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::hmac;

use super::digest::{Hex, from_hex};
use crate::types::Mono;

/// Bytes of the HMAC that go into a nonce: 128 bits cannot be guessed within its life.
const TAG_BYTES: usize = 16;

/// Time (milliseconds, big-endian) and random bytes: unique, and ordered by time.
pub(super) type NonceId = [u8; 16];

/// The key under which nonces are made and texts are compared.
pub(super) struct Key(hmac::Key);

impl Key {
    /// Takes 32 random bytes.
    pub(super) fn new(bytes: &[u8; 32]) -> Key {
        Key(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A new nonce.
    pub(super) fn nonce(&self, now: Mono, random: [u8; 8]) -> String {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(now.0 / 1_000_000).to_be_bytes());
        id[8..].copy_from_slice(&random);
        format!("{}{}", Hex::of(&id).as_str(), Hex::of(&self.tag(id)).as_str())
    }

    /// The id of a nonce that this key made; `None` for any other text.
    pub(super) fn open(&self, nonce: &str) -> Option<NonceId> {
        let bytes: [u8; 16 + TAG_BYTES] = from_hex(nonce)?;
        let id: NonceId = bytes[..16].try_into().expect("16 of 32 bytes");
        self.same(&self.tag(id), &bytes[16..]).then_some(id)
    }

    /// Compares without telling by its time where two texts differ: the sums of both under the key are compared by
    /// `ring` in constant time.
    pub(super) fn same(&self, ours: &[u8], theirs: &[u8]) -> bool {
        let sum = hmac::sign(&self.0, ours);
        hmac::verify(&self.0, theirs, sum.as_ref()).is_ok()
    }

    fn tag(&self, id: NonceId) -> [u8; TAG_BYTES] {
        let mut text = *b"nonce:................";
        text[6..].copy_from_slice(&id);
        let sum = hmac::sign(&self.0, &text);
        sum.as_ref()[..TAG_BYTES].try_into().expect("an HMAC-SHA-256 has 32 bytes")
    }
}

/// When a nonce was made.
pub(super) fn made_at(id: &NonceId) -> Mono {
    let ms = u64::from_be_bytes(id[..8].try_into().expect("8 of 16 bytes"));
    Mono(ms.saturating_mul(1_000_000))
}

/// Which counts of one nonce were used: the highest, and of the 32 below it which ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Used {
    /// Used without a count (no `qop`): not to be used again.
    Once,
    /// Counted.
    Counts { highest: u32, below: u32 },
}

/// Memory of the counts that were used, bounded.
pub(super) struct Windows {
    used: BTreeMap<NonceId, Used>,
    capacity: usize,
    /// Nonces up to this one were forgotten for want of room: no longer good.
    forgotten: Option<NonceId>,
}

impl Windows {
    /// Remembers at most `capacity` nonces; beyond, the oldest is forgotten and counts as stale.
    pub(super) fn new(capacity: usize) -> Windows {
        Windows { used: BTreeMap::new(), capacity: capacity.max(1), forgotten: None }
    }

    /// Takes a count (`None` for a request without `qop`); false when it was used before or is too old to tell.
    pub(super) fn take(&mut self, id: NonceId, nc: Option<u32>) -> bool {
        if let Some(used) = self.used.get_mut(&id) {
            return used.take(nc);
        }
        if self.forgotten.is_some_and(|limit| id <= limit) {
            return false;
        }
        let first = match nc {
            None => Used::Once,
            Some(0) => return false,
            Some(highest) => Used::Counts { highest, below: 0 },
        };
        self.used.insert(id, first);
        if self.used.len() > self.capacity {
            self.forgotten = self.used.pop_first().map(|(oldest, _)| oldest).max(self.forgotten);
        }
        true
    }

    /// Drops what is older than `life`: such nonces are refused by their time.
    pub(super) fn forget_older_than(&mut self, now: Mono, life: Duration) {
        while let Some(entry) = self.used.first_entry() {
            if now.since(made_at(entry.key())) <= life {
                break;
            }
            entry.remove();
        }
    }

    /// How many nonces are remembered.
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }
}

impl Used {
    fn take(&mut self, nc: Option<u32>) -> bool {
        let Used::Counts { highest, below } = self else { return false };
        let Some(nc) = nc.filter(|nc| *nc > 0) else { return false };
        if nc > *highest {
            let step = nc - *highest;
            // The old highest becomes a bit of the window; what falls out at the far end is too old to tell.
            *below = below.checked_shl(step).unwrap_or(0) | 1u32.checked_shl(step - 1).unwrap_or(0);
            *highest = nc;
            return true;
        }
        let age = *highest - nc;
        if age == 0 || age > 32 {
            return false;
        }
        let bit = 1 << (age - 1);
        let is_new = *below & bit == 0;
        *below |= bit;
        is_new
    }
}
