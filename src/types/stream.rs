//! One audio stream as negotiated: what the media engine needs to know of an offer and its answer.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::NetworkId;

/// An audio codec that SIP legs speak. The RTP clock is 8,000 Hz for each of them (RFC 3551 4.5.2 for G.722).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 A-law, static payload type 8: the telephone network of China.
    Pcma,
    /// G.711 mu-law, static payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s, static payload type 9, 16 kHz audio.
    G722,
}

impl Codec {
    /// Its word in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Codec::Pcma => "pcma",
            Codec::Pcmu => "pcmu",
            Codec::G722 => "g722",
        }
    }
}

/// Which way audio flows, seen from us (RFC 3264 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send, the far end does not: we hold it.
    SendOnly,
    /// We only receive: the far end holds us.
    RecvOnly,
    /// Neither; whoever offered it holds.
    Inactive,
}

/// SDES crypto suite (RFC 4568 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CryptoSuite {
    /// AES_CM_128_HMAC_SHA1_80
    Aes128Sha1_80,
    /// AES_CM_128_HMAC_SHA1_32
    Aes128Sha1_32,
}

/// Master key (16 bytes) and salt (14 bytes) of one direction. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrtpKey {
    /// How packets are protected.
    pub suite: CryptoSuite,
    /// Key, then salt, 30 bytes (RFC 4568 6.1).
    pub key_salt: [u8; 30],
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(hidden)", self.suite)
    }
}

/// A bound pair of RTP and RTCP ports (RTCP is the next odd port) that waits on a media worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MediaPort {
    /// The network whose RTP range it belongs to.
    pub network: NetworkId,
    /// Index of the worker that polls it.
    pub worker: u8,
    /// The even RTP port.
    pub port: u16,
    /// Whether the socket speaks IPv6.
    pub v6: bool,
}

impl MediaPort {
    /// Whether it is the same pair, whichever worker has it now.
    pub fn is_same_pair(self, other: MediaPort) -> bool {
        (self.network, self.port, self.v6) == (other.network, other.port, other.v6)
    }
}

/// What both sides agreed on for one leg's audio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamParams {
    /// Where the far end wants RTP.
    pub remote: SocketAddr,
    /// Where the far end wants RTCP (`a=rtcp` of RFC 3605, or the next port; the same as `remote` under rtcp-mux).
    pub remote_rtcp: SocketAddr,
    /// Codec both ways.
    pub codec: Codec,
    /// Payload type that we send and expect for it.
    pub payload_type: u8,
    /// Payload type of telephone-event (RFC 4733) at 8,000 Hz, when agreed.
    pub event_type: Option<u8>,
    /// Whether the far end knows comfort noise of RFC 3389, static payload type 13, both ways.
    pub comfort_noise: bool,
    /// Which way audio flows.
    pub direction: Direction,
    /// Milliseconds of audio in a packet that we send: 20, unless the far end's ptime is 10, 30, 40 or 60.
    pub ptime_ms: u8,
    /// Our key (first) and theirs, when SDES was agreed.
    pub srtp: Option<(SrtpKey, SrtpKey)>,
    /// Whether the far end may stand behind NAT, so that another source may be latched (media.md 7).
    pub may_latch: bool,
}

/// How audio travels to a peer whose signalling runs over TLS. Elsewhere it is plain RTP: keys never travel in the open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMedia {
    /// SRTP with keys in the SDP (RFC 4568) or no call.
    #[default]
    Srtp,
    /// Plain RTP, for carriers that encrypt the signalling alone.
    Rtp,
    /// SRTP where the peer can, else plain RTP; keys are offered beside the plain profile (RFC 8643).
    Either,
}

impl TlsMedia {
    /// Reads the word of the plan and the configuration.
    ///
    /// # Errors
    /// What is wrong with another word.
    pub fn parse(word: &str) -> Result<TlsMedia, String> {
        match word {
            "srtp" => Ok(TlsMedia::Srtp),
            "rtp" => Ok(TlsMedia::Rtp),
            "either" => Ok(TlsMedia::Either),
            _ => Err(format!("{word:?} is no way for audio to travel")),
        }
    }
}
