//! SRTP by SDES (RFC 3711, RFC 4568): protection of one leg's packets, and its keys as text.
//!
//! The cryptography is `rtc-srtp` on ring. What is ours: the rollover counter outlives a re-INVITE, and a flood of
//! forged sources cannot make the state grow. Knows no socket and no SDP.
//!
//! Each packet costs one allocation: the library hands its result out as a buffer of its own and has no call that works in
//! place. It is a small part of what a packet costs here (docs/benchmarks.md, `srtp_*`), so the library stays.

mod key;
#[cfg(test)]
mod tests;

use bytes::BytesMut;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

pub use key::{KeyTextError, parse_inline, parse_suite, print_inline, suite_name};

use super::rtp::{Extender, HEADER_BYTES, Header, Stamp};
use crate::types::{CryptoSuite, SrtpKey};

/// How far back a packet may come and still be told from a replay: 2.5 s of 20 ms packets.
const REPLAY_WINDOW: usize = 128;
/// Sources of one far end that are remembered; more begin anew.
const MAX_SOURCES: usize = 8;
/// Forged sources that are tried before the trial state is thrown away.
const MAX_TRIALS: u32 = 32;
/// Step in packets when a new context is brought to a rollover count: below half a cycle, so that it follows.
const WIND_STEP: u64 = 0x7000;
/// Index beyond which no context is wound: 65,536 rollovers, two and a half years of speech.
const MAX_WOUND_INDEX: u64 = 1 << 32;
/// Bytes of the master key at the head of `key_salt`; the salt follows (RFC 4568 6.1).
const MASTER_KEY_BYTES: usize = 16;
/// Bytes of the tag of SRTCP, in both suites (RFC 4568 6.2).
const RTCP_TAG_BYTES: usize = 10;

/// Why a packet or key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// The key does not fit its suite or no cryptography is there.
    #[error("the key cannot be used")]
    Key,
    /// The packet did not authenticate, is a replay, or is too short.
    #[error("the packet does not authenticate")]
    Refused,
    /// The packet to be sent is no RTP or RTCP packet, or the key is used up.
    #[error("the packet cannot be protected")]
    Unprotectable,
}

/// Both directions of one secure leg. Moves with the leg from worker to worker.
pub struct Srtp {
    outgoing: Outgoing,
    incoming: Incoming,
}

struct Outgoing {
    key: SrtpKey,
    context: Context,
    /// Our one source and where its packet index is.
    index: Option<(u32, Extender)>,
}

struct Incoming {
    key: SrtpKey,
    context: Context,
    /// Sources that authenticated.
    sources: Vec<Source>,
    /// The same for RTCP, which may speak before RTP does.
    rtcp_sources: Vec<u32>,
    /// Context in which packets of unknown sources are tried first: the library remembers a source before it checks
    /// the packet.
    trial: Context,
    trials: u32,
}

/// A source of the far end and where its packet index is.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    index: Extender,
    /// Whether a packet authenticated under this key.
    proven: bool,
}

impl std::fmt::Debug for Srtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Srtp({:?}, {:?})", self.outgoing.key, self.incoming.key)
    }
}

impl Srtp {
    /// Contexts for both directions.
    ///
    /// # Errors
    /// [`SrtpError::Key`] when a key does not fit its suite.
    pub fn new(ours: &SrtpKey, theirs: &SrtpKey) -> Result<Self, SrtpError> {
        Ok(Self { outgoing: Outgoing::new(ours)?, incoming: Incoming::new(theirs)? })
    }

    /// Takes the keys of a re-INVITE. A direction whose key is the same goes on untouched; with another key its
    /// rollover counter goes on (RFC 3711 3.3.1: it must not be reset).
    ///
    /// # Errors
    /// [`SrtpError::Key`] when a key does not fit its suite; nothing has changed then.
    pub fn rekey(&mut self, ours: &SrtpKey, theirs: &SrtpKey) -> Result<(), SrtpError> {
        let outgoing = if self.outgoing.key == *ours { None } else { Some(self.outgoing.rekeyed(ours)?) };
        let incoming = if self.incoming.key == *theirs { None } else { Some(self.incoming.rekeyed(theirs)?) };
        if let Some(outgoing) = outgoing {
            self.outgoing = outgoing;
        }
        if let Some(incoming) = incoming {
            self.incoming = incoming;
        }
        Ok(())
    }

    /// Encrypts and signs an RTP packet.
    ///
    /// # Errors
    /// [`SrtpError::Unprotectable`] when it is no RTP packet or the key is used up.
    pub fn protect_rtp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        let header = Header::parse(packet).map_err(|_| SrtpError::Unprotectable)?;
        let sealed = self.outgoing.context.encrypt_rtp(packet).map_err(|_| SrtpError::Unprotectable)?;
        let (ssrc, extender) = self.outgoing.index.get_or_insert((header.ssrc, Extender::default()));
        if *ssrc != header.ssrc {
            (*ssrc, *extender) = (header.ssrc, Extender::default());
        }
        extender.extend(header.sequence);
        Ok(sealed)
    }

    /// Checks and decrypts an RTP packet.
    ///
    /// # Errors
    /// [`SrtpError::Refused`] when it does not authenticate or is a replay.
    pub fn unprotect_rtp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.incoming.rtp(packet)
    }

    /// Encrypts and signs a compound RTCP packet.
    ///
    /// # Errors
    /// [`SrtpError::Unprotectable`] when it is no RTCP packet.
    pub fn protect_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.outgoing.context.encrypt_rtcp(packet).map_err(|_| SrtpError::Unprotectable)
    }

    /// Checks and decrypts an RTCP packet.
    ///
    /// # Errors
    /// [`SrtpError::Refused`] when it does not authenticate or is a replay.
    pub fn unprotect_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.incoming.rtcp(packet)
    }
}

impl Outgoing {
    fn new(key: &SrtpKey) -> Result<Self, SrtpError> {
        Ok(Self { key: key.clone(), context: sealing(key)?, index: None })
    }

    fn rekeyed(&self, key: &SrtpKey) -> Result<Self, SrtpError> {
        let mut next = Self::new(key)?;
        if let Some((ssrc, index)) = self.index {
            for packet in winding(ssrc, &index) {
                next.context.encrypt_rtp(&packet).map_err(|_| SrtpError::Key)?;
            }
            next.index = self.index;
        }
        Ok(next)
    }
}

impl Incoming {
    fn new(key: &SrtpKey) -> Result<Self, SrtpError> {
        Ok(Self {
            key: key.clone(),
            context: opening(key)?,
            sources: Vec::new(),
            rtcp_sources: Vec::new(),
            trial: opening(key)?,
            trials: 0,
        })
    }

    /// The same sources under a new key, each with its rollover count. A far end that begins to count anew instead is
    /// recognised by its first packet.
    fn rekeyed(&self, key: &SrtpKey) -> Result<Self, SrtpError> {
        let mut next = Self::new(key)?;
        let mut mirror = sealing(key)?;
        for source in &self.sources {
            for packet in winding(source.ssrc, &source.index) {
                let sealed = mirror.encrypt_rtp(&packet).map_err(|_| SrtpError::Key)?;
                next.context.decrypt_rtp(&sealed).map_err(|_| SrtpError::Key)?;
            }
            next.sources.push(Source { proven: false, ..*source });
        }
        Ok(next)
    }

    fn rtp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        let header = Header::parse(packet).map_err(|_| SrtpError::Refused)?;
        if let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == header.ssrc) {
            match self.context.decrypt_rtp(packet) {
                Ok(opened) => {
                    source.index.extend(header.sequence);
                    source.proven = true;
                    return Ok(opened);
                }
                Err(_) if source.proven => return Err(SrtpError::Refused),
                Err(_) => {}
            }
        }
        self.try_first()?;
        self.trial.decrypt_rtp(packet).map_err(|_| SrtpError::Refused)?;
        self.meet(&header)?;
        self.context.decrypt_rtp(packet).map_err(|_| SrtpError::Refused)
    }

    /// Takes in a source whose first packet authenticated.
    fn meet(&mut self, header: &Header) -> Result<(), SrtpError> {
        let counts_anew = self.sources.iter().any(|source| source.ssrc == header.ssrc);
        if counts_anew || self.sources.len() >= MAX_SOURCES {
            self.context = opening(&self.key)?;
            self.sources.clear();
        }
        let mut index = Extender::default();
        index.extend(header.sequence);
        self.sources.push(Source { ssrc: header.ssrc, index, proven: true });
        Ok(())
    }

    fn rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        let ssrc = packet.get(4..8).ok_or(SrtpError::Refused)?;
        let ssrc = u32::from_be_bytes([ssrc[0], ssrc[1], ssrc[2], ssrc[3]]);
        // The library hands out a packet whose E bit is clear without checking its tag. We agree to no unencrypted
        // SRTCP (RFC 4568 6.3.2), so such a packet is forged.
        let trailer = packet.len().checked_sub(RTCP_TAG_BYTES + 4).ok_or(SrtpError::Refused)?;
        if packet[trailer] & 0x80 == 0 {
            return Err(SrtpError::Refused);
        }
        if !self.rtcp_sources.contains(&ssrc) {
            self.try_first()?;
            self.trial.decrypt_rtcp(packet).map_err(|_| SrtpError::Refused)?;
            if self.rtcp_sources.len() >= MAX_SOURCES {
                return Err(SrtpError::Refused);
            }
            self.rtcp_sources.push(ssrc);
        }
        self.context.decrypt_rtcp(packet).map_err(|_| SrtpError::Refused)
    }

    /// Makes room for one more trial.
    fn try_first(&mut self) -> Result<(), SrtpError> {
        self.trials += 1;
        if self.trials > MAX_TRIALS {
            self.trial = opening(&self.key)?;
            self.trials = 1;
        }
        Ok(())
    }
}

fn profile(suite: CryptoSuite) -> ProtectionProfile {
    match suite {
        CryptoSuite::Aes128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        CryptoSuite::Aes128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
    }
}

fn sealing(key: &SrtpKey) -> Result<Context, SrtpError> {
    context(key, false)
}

fn opening(key: &SrtpKey) -> Result<Context, SrtpError> {
    context(key, true)
}

fn context(key: &SrtpKey, guard: bool) -> Result<Context, SrtpError> {
    let provider = rtc_srtp::crypto::default_provider().map_err(|_| SrtpError::Key)?;
    let (master, salt) = key.key_salt.split_at(MASTER_KEY_BYTES);
    let rtp = guard.then(|| srtp_replay_protection(REPLAY_WINDOW));
    let rtcp = guard.then(|| srtcp_replay_protection(REPLAY_WINDOW));
    Context::new(master, salt, profile(key.suite), rtp, rtcp, provider.crypto()).map_err(|_| SrtpError::Key)
}

/// Empty packets that bring a new context to the index of `index`; they are never sent. The library has no other way
/// to set a rollover count.
fn winding(ssrc: u32, index: &Extender) -> impl Iterator<Item = Vec<u8>> {
    // The extender's first cycle is 1, the rollover count's is 0.
    let index = index.highest().unwrap_or(0).saturating_sub(0x1_0000);
    let steps = if index > MAX_WOUND_INDEX { 0 } else { index / WIND_STEP + 1 };
    let first = index % WIND_STEP;
    (0..steps).map(move |step| {
        let sequence = (first + step * WIND_STEP) as u16;
        let stamp = Stamp { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc };
        let mut packet = vec![0; HEADER_BYTES];
        stamp.write(&[], &mut packet);
        packet
    })
}
