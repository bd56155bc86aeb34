//! What the endpoint is configured with, what it is fed and what it wants done. Plain data.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sip::auth::Algorithm;
use crate::sip::flow::{ConnId, Flow, Hop, Transport};
use crate::sip::message::Uri;
use crate::sip::transaction::{By, Transmit};
use crate::types::{
    CallId, Digit, LegEvent, LegId, MediaPort, NetworkId, Origin, SeatId, StreamParams, TlsMedia, TrunkId,
};

/// How the endpoint behaves. Times and limits have the defaults that `Default` gives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Networks by id: at least one.
    pub networks: Vec<Network>,
    /// Digest realm for seats' phones; the stored HA1 are made for it.
    pub realm: String,
    /// Digest algorithms that phones are offered, most wanted first. Default SHA-256, then MD5.
    pub digest: Vec<Algorithm>,
    /// Value of Server and User-Agent.
    pub product: String,
    /// T1, the estimate of a round trip (RFC 3261 17.1.1.1). Default 500 ms.
    pub t1: Duration,
    /// T2, the longest pause between retransmissions. Default 4 s.
    pub t2: Duration,
    /// T4, the longest life of a message in the network. Default 5 s.
    pub t4: Duration,
    /// Session-Expires that we ask for (RFC 4028). Default 1,800 s.
    pub session_expires_s: u32,
    /// Min-SE that we insist on. Default 90 s.
    pub min_se_s: u32,
    /// Most transactions at a time; beyond, new requests get 503. Default 100,000.
    pub max_transactions: usize,
    /// Most legs at a time; beyond, new INVITEs get 503. Default 10,000.
    pub max_legs: usize,
    /// How long a dialled leg may be without any response before the next branch or the end. Default 4 s for trunks.
    pub no_response: Duration,
    /// Most new calls in a second over all trunks; beyond, 503. Default 200.
    pub max_calls_per_s: u32,
    /// Shortest registration that is granted, seconds. Default 60.
    pub min_registration_s: u32,
    /// Longest registration that is granted, seconds. Default 3,600.
    pub max_registration_s: u32,
    /// Retry-After of our 503, seconds. Default 5.
    pub retry_after_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            realm: "yihao".to_owned(),
            digest: vec![Algorithm::Sha256, Algorithm::Md5],
            product: concat!("Yihao/", env!("CARGO_PKG_VERSION")).to_owned(),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            session_expires_s: 1_800,
            min_se_s: 90,
            max_transactions: 100_000,
            max_legs: 10_000,
            no_response: Duration::from_secs(4),
            max_calls_per_s: 200,
            min_registration_s: 60,
            max_registration_s: 3_600,
            retry_after_s: 5,
        }
    }
}

impl Config {
    /// How audio travels to phones of a network whose signalling runs over TLS.
    pub fn media_over_tls(&self, network: NetworkId) -> TlsMedia {
        self.networks.get(usize::from(network.0)).map(|n| n.media_over_tls).unwrap_or_default()
    }

    /// The network of a name.
    pub fn network(&self, name: &str) -> Option<NetworkId> {
        let index = self.networks.iter().position(|n| n.name == name)?;
        u8::try_from(index).ok().map(NetworkId)
    }
}

/// One network that the exchange stands in, with the addresses that peers there see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Network {
    /// Name in the configuration: `carrier`, `seats`.
    pub name: String,
    /// Addresses we listen on, by transport.
    pub listeners: Vec<(Transport, SocketAddr)>,
    /// Address that stands in Via, Contact and SDP for IPv4, when it is not that of the listener (port forwarding).
    pub advertised_v4: Option<IpAddr>,
    /// The same for IPv6.
    pub advertised_v6: Option<IpAddr>,
    /// How audio travels to seats' phones here whose signalling runs over TLS; trunks say it for themselves.
    pub media_over_tls: TlsMedia,
}

/// Passwords and hashes, apart from the plan.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// HA1 of each seat's phone.
    pub seats: BTreeMap<SeatId, crate::sip::auth::Credentials>,
    /// Password of our registration by trunk name.
    pub trunks: BTreeMap<String, String>,
}

/// Random bytes of a start, of which the endpoint makes all that nobody may foresee. `Debug` hides them.
#[derive(Clone)]
pub struct Seeds {
    /// Of tags, branches, Call-IDs, nonces and waits. A log of inputs holds it.
    pub wire: [u8; 32],
    /// Of the keys of streams (SDES); apart, so that no log needs to hold it.
    pub keys: [u8; 32],
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seeds(hidden)")
    }
}

/// Everything from outside that concerns SIP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// The first input: fixed contacts and trunks of the plan are taken up.
    Begin,
    /// A datagram or a framed stream message.
    Message {
        /// Where it came from.
        flow: Flow,
        /// All of it.
        #[serde(with = "wire")]
        bytes: Bytes,
    },
    /// A stream peer connected, or we reached one.
    Opened {
        /// The connection.
        flow: Flow,
        /// Names in the peer's verified certificate; empty when it showed none.
        identities: Vec<String>,
    },
    /// A connection is gone.
    Closed {
        /// Which.
        connection: ConnId,
    },
    /// A message could not be sent (no connection, refused).
    Unsent {
        /// Who sent it.
        by: By,
    },
    /// A name was looked up (RFC 3263): the addresses to try, in order; empty when there is none.
    Resolved {
        /// For whom.
        whom: Named,
        /// Where to send.
        hops: Vec<Hop>,
    },
    /// The engine hears a leg's far end before its answer, or no more.
    EarlyMedia {
        /// Which leg.
        leg: LegId,
        /// By which port.
        port: MediaPort,
        /// Whether.
        heard: bool,
    },
    /// A leg's far end sent neither RTP nor RTCP for long: probe it.
    Silent {
        /// Which leg.
        leg: LegId,
    },
    /// The engine has let go of a port.
    PortFree {
        /// Which.
        port: MediaPort,
    },
    /// Whether new calls are taken at all (a full disk refuses them, by setting). Calls in progress go on.
    Accepting(bool),
    /// A deadline passed.
    Tick,
}

/// Whose host name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Named {
    /// A trunk's carrier.
    Trunk(TrunkId),
    /// The fixed contact of a seat.
    Seat(SeatId),
}

/// What must be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message.
    Send(Transmit),
    /// Close a connection.
    Close {
        /// Which.
        connection: ConnId,
    },
    /// Look a name of the plan up (RFC 3263); `Input::Resolved` answers.
    Resolve {
        /// For whom.
        whom: Named,
        /// What.
        uri: Uri,
        /// From which network it is reached.
        network: NetworkId,
    },
    /// A leg reports to the core.
    Leg {
        /// Which.
        leg: LegId,
        /// What.
        event: LegEvent,
    },
    /// A leg's port and stream go to the media engine.
    Open {
        /// Which leg.
        leg: LegId,
        /// Its call.
        call: CallId,
        /// Its port.
        port: MediaPort,
        /// Who is at its far end.
        party: Origin,
    },
    /// A leg's stream was negotiated, first or anew.
    Stream {
        /// Which leg.
        leg: LegId,
        /// The whole state.
        params: Box<StreamParams>,
        /// The far end has not answered; `Input::EarlyMedia` tells whether it is heard all the same.
        early: bool,
    },
    /// A key must be sent as media.
    SendDigit {
        /// Which leg.
        leg: LegId,
        /// Which key.
        digit: Digit,
    },
    /// The leg's port is no longer needed.
    CloseMedia {
        /// Which leg.
        leg: LegId,
    },
    /// A seat's phone became reachable or not.
    Reachable {
        /// Which seat.
        seat: SeatId,
        /// Whether.
        reachable: bool,
    },
    /// A trunk came up or went down.
    TrunkHealth {
        /// Which.
        trunk: TrunkId,
        /// Whether it answers.
        up: bool,
    },
}

/// What of calls an endpoint holds, by kind; for figures and for worlds that want to see nothing left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Legs.
    pub legs: usize,
    /// Dialogs of legs.
    pub dialogs: usize,
    /// Incoming INVITEs without final answer.
    pub arriving: usize,
    /// Requests of ours that wait for their end, without those that concern a carrier as such.
    pub requests: usize,
    /// INVITEs of ours that outlive their leg.
    pub ghosts: usize,
    /// BYEs that wait for a way to their far end.
    pub farewells: usize,
    /// Legs that wait for a moment.
    pub timers: usize,
    /// Calls that trunks are held to carry.
    pub trunk_calls: usize,
}

impl Left {
    /// Whether there is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Left::default()
    }
}

/// Why an INVITE was refused before a call existed. Counted by trunk; rows of the ledger plus these equal what carriers sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// Neither trunk nor seat.
    UnknownSource,
    /// A seat's phone with a wrong password (the first challenge is not counted).
    NotAuthorised,
    /// Malformed or unsupported.
    BadRequest,
    /// The trunk's calls are all in use.
    TrunkFull,
    /// The trunk brings more calls a second than agreed.
    TrunkRate,
    /// Too many transactions or legs.
    Overload,
    /// No free media port.
    NoPort,
    /// The disk is full, and the setting says that calls which cannot be recorded are refused.
    DiskFull,
    /// The INVITE names no number.
    NoNumber,
    /// A merged or looped request (482, 483).
    Loop,
}

impl Refused {
    /// The word by which it is counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::UnknownSource => "unknown_source",
            Refused::NotAuthorised => "not_authorised",
            Refused::BadRequest => "bad_request",
            Refused::TrunkFull => "trunk_full",
            Refused::TrunkRate => "trunk_rate",
            Refused::Overload => "overload",
            Refused::NoPort => "no_port",
            Refused::DiskFull => "disk_full",
            Refused::NoNumber => "no_number",
            Refused::Loop => "loop",
        }
    }
}

/// Bytes of a message in a log: as text where they are UTF-8, which nearly all are, else as numbers.
mod wire {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Wire {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(text),
            Err(_) => Wire::Bytes(bytes.to_vec()).serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        Ok(match Wire::deserialize(from)? {
            Wire::Text(text) => Bytes::from(text),
            Wire::Bytes(bytes) => Bytes::from(bytes),
        })
    }
}
