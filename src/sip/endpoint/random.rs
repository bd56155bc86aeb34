//! Tags, branches, Call-IDs and waits from one seeded generator: the same seed gives the same bytes, so a log replays.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::sip::transaction::Branch;

/// The endpoint's source of unpredictable values (ChaCha with 12 rounds, seeded by the shell).
#[derive(Clone, Debug)]
pub(super) struct Random(ChaCha12Rng);

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// 80 random bits as hexadecimal text: a tag (RFC 3261 19.3 asks for 32) or the unique part of a Call-ID.
    pub(super) fn token(&mut self) -> String {
        let mut bytes = [0; 10];
        self.0.fill_bytes(&mut bytes);
        hex(&bytes)
    }

    /// A new branch (RFC 3261 8.1.1.7).
    pub(super) fn branch(&mut self) -> Branch {
        Branch::from_random(self.bytes())
    }

    /// 31 random bits.
    pub(super) fn small(&mut self) -> u32 {
        self.0.next_u32() >> 1
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Random bytes for keys.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}
