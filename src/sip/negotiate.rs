//! Offer and answer for one audio stream (RFC 3264): what we can do and what the far end wrote give the stream's
//! parameters and our own description. Pure functions; the caller has the port, the keys and the version counter.
//!
//! Each leg negotiates with us alone. Knows no media engine and no dialog.

use std::net::{IpAddr, SocketAddr};

use super::sdp::{Attribute, Connection, Crypto, Flow, Media, Origin, Sdp, SdpError};
use crate::types::{Codec, Direction, SrtpKey, StreamParams};

/// What we can and want to do on one leg.
#[derive(Clone, Debug)]
pub struct LocalMedia {
    /// Address that the far end can reach; goes into `c=`.
    pub address: IpAddr,
    /// Our RTP port.
    pub port: u16,
    /// Session id of `o=`, the same for the whole dialog.
    pub session: u64,
    /// Version of `o=`; one more for each description that differs from the last (RFC 3264 8).
    pub version: u64,
    /// Codecs in order of preference, at least one.
    pub codecs: Vec<Codec>,
    /// Whether an offer of ours names comfort noise: beside a leg that has it, so that it can be passed on. Offered to us,
    /// it is always taken with G.711; whoever hears that leg and has none hears noise of ours.
    pub comfort_noise: bool,
    /// Whether audio is encrypted.
    pub protection: Protection,
    /// What we want: `SendRecv`, or less to hold the far end.
    pub direction: Direction,
    /// Goes into the result: whether the far end may stand behind NAT.
    pub may_latch: bool,
}

/// Whether audio is encrypted. Keys are fresh and random, one a suite, in order of preference, the same for the whole dialog;
/// the leg's signalling must be under TLS (RFC 4568 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Plain RTP.
    Plain,
    /// SRTP.
    Srtp(Vec<SrtpKey>),
    /// SRTP where the far end can, else plain RTP (RFC 8643).
    Either(Vec<SrtpKey>),
}

impl Protection {
    fn keys(&self) -> &[SrtpKey] {
        match self {
            Protection::Plain => &[],
            Protection::Srtp(keys) | Protection::Either(keys) => keys,
        }
    }

    /// What a media line of the far end and we agree on; `None`: nothing. Outside, its tag (RFC 4568 5.1.2) with both keys.
    fn agree(&self, media: &Media) -> Option<Option<Agreement>> {
        let is_secure = match media.protocol.as_str() {
            "RTP/AVP" | "RTP/AVPF" => false,
            "RTP/SAVP" | "RTP/SAVPF" => true,
            _ => return None,
        };
        match (self, is_secure) {
            (Protection::Plain, false) => Some(None),
            (Protection::Plain, true) | (Protection::Srtp(_), false) => None,
            (Protection::Srtp(keys) | Protection::Either(keys), true) => common_key(media, keys).map(Some),
            // Keys beside the plain profile are an invitation that may be declined.
            (Protection::Either(keys), false) => Some(common_key(media, keys)),
        }
    }
}

/// Why no stream came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiateError {
    /// The far end's description cannot be read: 400.
    #[error("{0}")]
    Malformed(#[from] SdpError),
    /// No audio line that both can do: 488.
    #[error("no common media")]
    NoCommonMedia,
}

/// Payload type of telephone-event in our offers; the value that most equipment uses.
const EVENT_TYPE: u8 = 101;

/// Payload type of comfort noise at 8,000 Hz (RFC 3389 4).
const NOISE_TYPE: u8 = 13;

/// Audio of a packet unless the far end asks otherwise (RFC 3551 4.2).
const PTIME_MS: u8 = 20;

/// The first offer of a dialog: one audio line with all codecs.
pub fn offer(local: &LocalMedia) -> String {
    let formats: Vec<Format> =
        local.codecs.iter().map(|codec| Format { codec: *codec, number: static_type(*codec) }).collect();
    let extras = Extras { noise: local.comfort_noise, event_type: Some(EVENT_TYPE) };
    describe(local, vec![our_line(local, &formats, extras, PTIME_MS)])
}

/// An offer inside a dialog: keeps the media lines and the payload types of the description that we sent last (RFC 3264
/// 8.3.2). What cannot be read of it is as if it had not been sent.
pub fn offer_again(local: &LocalMedia, last_sent: &[u8]) -> String {
    let Ok(last) = Sdp::parse(last_sent) else { return offer(local) };
    let Some(ours) = last.media.iter().position(|media| media.kind == "audio" && media.port != 0) else {
        return offer(local);
    };
    let line = &last.media[ours];
    let known = formats(line);
    let number = |codec| known.iter().find(|format| format.codec == codec).map_or(static_type(codec), |f| f.number);
    let formats: Vec<Format> = local.codecs.iter().map(|&codec| Format { codec, number: number(codec) }).collect();
    let event_type = event_type(line).or_else(|| free_type(&formats));
    let extras = Extras { noise: local.comfort_noise || comfort_noise(line), event_type };
    let lines = last.media.iter().enumerate().map(|(i, media)| match i == ours {
        // The profile stays what both have agreed on.
        true => Media { protocol: media.protocol.clone(), ..our_line(local, &formats, extras, PTIME_MS) },
        false => refused(media),
    });
    describe(local, lines.collect())
}

/// Answers an offer: the first audio line that we can do is taken, all others are refused with port 0.
///
/// # Errors
/// [`NegotiateError`]: the offer cannot be read, or has nothing for us.
pub fn answer(offer: &[u8], local: &LocalMedia) -> Result<(String, StreamParams), NegotiateError> {
    let offer = Sdp::parse(offer)?;
    let usable = |media: &Media| Agreed::on(&offer, media, local, &local.codecs);
    let (taken, agreed) = offer
        .media
        .iter()
        .enumerate()
        .find_map(|(i, media)| Some((i, usable(media)?)))
        .ok_or(NegotiateError::NoCommonMedia)?;
    let lines = offer.media.iter().enumerate().map(|(i, media)| match i == taken {
        true => agreed.line(local, media),
        false => refused(media),
    });
    Ok((describe(local, lines.collect()), agreed.params))
}

/// Reads the answer to an offer of ours.
///
/// # Errors
/// [`NegotiateError`]: the answer cannot be read, or refuses our audio line.
pub fn accept(answer: &[u8], local: &LocalMedia) -> Result<StreamParams, NegotiateError> {
    let answer = Sdp::parse(answer)?;
    // The answerer's order counts: it will send its first codec (RFC 3264 7).
    let agreed = answer.media.iter().find_map(|media| {
        let order: Vec<Codec> = formats(media).iter().map(|format| format.codec).collect();
        let order: Vec<Codec> = order.into_iter().filter(|codec| local.codecs.contains(codec)).collect();
        Agreed::on(&answer, media, local, &order)
    });
    agreed.map(|agreed| agreed.params).ok_or(NegotiateError::NoCommonMedia)
}

/// A codec and its payload type in one media line.
#[derive(Clone, Copy)]
struct Format {
    codec: Codec,
    number: u8,
}

/// What one media line of the far end and we can do together.
struct Agreed {
    params: StreamParams,
    /// Tag of the chosen key, which the answer repeats (RFC 4568 5.1.2).
    crypto_tag: u32,
}

impl Agreed {
    /// `codecs`: the ones allowed, best first.
    fn on(sdp: &Sdp, media: &Media, local: &LocalMedia, codecs: &[Codec]) -> Option<Self> {
        if media.kind != "audio" || media.port == 0 {
            return None;
        }
        let encrypted = local.protection.agree(media)?;
        let remote = sdp.remote(media)?;
        if remote.is_ipv4() != local.address.is_ipv4() && !remote.ip().is_unspecified() {
            return None;
        }
        let known = formats(media);
        let format = codecs.iter().find_map(|codec| known.iter().find(|format| format.codec == *codec))?;
        let (crypto_tag, srtp) = encrypted.map_or((0, None), |(tag, ours, theirs)| (tag, Some((ours, theirs))));
        let params = StreamParams {
            remote,
            remote_rtcp: media.rtcp(remote),
            codec: format.codec,
            payload_type: format.number,
            event_type: event_type(media),
            // G.722 has the clock of 8,000 Hz in name only; the noise is that of narrow-band codecs.
            comfort_noise: comfort_noise(media) && format.codec != Codec::G722,
            direction: direction(sdp.flow(media), remote, local.direction),
            ptime_ms: ptime_ms(media),
            srtp,
            may_latch: local.may_latch,
        };
        Some(Self { params, crypto_tag })
    }

    /// Our media line of the answer.
    fn line(&self, local: &LocalMedia, offered: &Media) -> Media {
        let StreamParams { codec, payload_type, event_type, comfort_noise, direction, ptime_ms, ref srtp, .. } =
            self.params;
        let local = LocalMedia { direction, protection: Protection::Plain, ..local.clone() };
        let mut line = our_line(
            &local,
            &[Format { codec, number: payload_type }],
            Extras { noise: comfort_noise, event_type },
            ptime_ms,
        );
        line.protocol.clone_from(&offered.protocol);
        if let Some((ours, _)) = srtp {
            let crypto = Crypto { tag: self.crypto_tag, key: ours.clone() };
            line.attributes.push(Attribute::new("crypto", Some(crypto.to_string())));
        }
        if offered.has("rtcp-mux") {
            line.attributes.push(Attribute::new("rtcp-mux", None));
        }
        line
    }
}

/// Tag of the far end's key, our key, theirs.
type Agreement = (u32, SrtpKey, SrtpKey);

/// The first key of the far end whose suite we have a key for.
fn common_key(media: &Media, keys: &[SrtpKey]) -> Option<Agreement> {
    media.cryptos().find_map(|crypto| {
        let ours = keys.iter().find(|key| key.suite == crypto.key.suite)?;
        Some((crypto.tag, ours.clone(), crypto.key))
    })
}

/// The codecs of a media line that we know, in its order. An rtpmap decides, else the static type (RFC 3551 6).
fn formats(media: &Media) -> Vec<Format> {
    let known = media.formats.iter().filter_map(|text| {
        let number: u8 = text.parse().ok().filter(|number| *number < 128)?;
        let codec = match media.rtpmap(text) {
            Some(map) if map.clock == 8000 && map.channels == 1 => {
                CODECS.into_iter().find(|codec| encoding(*codec).eq_ignore_ascii_case(map.encoding))?
            }
            Some(_) => return None,
            None => CODECS.into_iter().find(|codec| static_type(*codec) == number)?,
        };
        Some(Format { codec, number })
    });
    known.collect()
}

const CODECS: [Codec; 3] = [Codec::Pcma, Codec::Pcmu, Codec::G722];

/// Name in `a=rtpmap`.
fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcma => "PCMA",
        Codec::Pcmu => "PCMU",
        Codec::G722 => "G722",
    }
}

/// Static payload type (RFC 3551 6).
fn static_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcma => 8,
        Codec::Pcmu => 0,
        Codec::G722 => 9,
    }
}

/// telephone-event at 8,000 Hz: the clock must be that of the codec (RFC 4733 2.1), others are offered beside Opus.
fn event_type(media: &Media) -> Option<u8> {
    let is_event = |format: &&String| {
        media
            .rtpmap(format)
            .is_some_and(|map| map.encoding.eq_ignore_ascii_case("telephone-event") && map.clock == 8000)
    };
    media.formats.iter().find(is_event)?.parse().ok().filter(|number| *number < 128)
}

/// Comfort noise under its static type; a dynamic one is for other clocks (RFC 3389 4).
fn comfort_noise(media: &Media) -> bool {
    media.formats.iter().any(|format| {
        format.parse() == Ok(NOISE_TYPE)
            && media.rtpmap(format).is_none_or(|map| map.encoding.eq_ignore_ascii_case("CN") && map.clock == 8000)
    })
}

/// A dynamic payload type for telephone-event that no codec has.
fn free_type(formats: &[Format]) -> Option<u8> {
    [EVENT_TYPE, 96, 97, 98].into_iter().find(|number| formats.iter().all(|format| format.number != *number))
}

/// Packet length that we send: the far end's wish where we can do it.
fn ptime_ms(media: &Media) -> u8 {
    match media.ptime_ms() {
        Some(ms @ (10 | 30 | 40 | 60)) => ms,
        Some(_) | None => PTIME_MS,
    }
}

/// Flow seen from us: what we want of what the far end allows (RFC 3264 6.1). `c=0.0.0.0` is the old form of hold: the
/// far end takes nothing (RFC 3264 8.4).
fn direction(theirs: Flow, remote: SocketAddr, wanted: Direction) -> Direction {
    let (we_send, we_receive) = match wanted {
        Direction::SendRecv => (true, true),
        Direction::SendOnly => (true, false),
        Direction::RecvOnly => (false, true),
        Direction::Inactive => (false, false),
    };
    let send = we_send && theirs.receives && !remote.ip().is_unspecified();
    let receive = we_receive && theirs.sends;
    match (send, receive) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

fn flow(direction: Direction) -> Flow {
    match direction {
        Direction::SendRecv => Flow { sends: true, receives: true },
        Direction::SendOnly => Flow { sends: true, receives: false },
        Direction::RecvOnly => Flow { sends: false, receives: true },
        Direction::Inactive => Flow { sends: false, receives: false },
    }
}

/// What a media line names beside the codecs.
#[derive(Clone, Copy)]
struct Extras {
    noise: bool,
    event_type: Option<u8>,
}

fn our_line(local: &LocalMedia, formats: &[Format], extras: Extras, ptime_ms: u8) -> Media {
    let mut attributes = Vec::with_capacity(10);
    let mut add = |name: &str, value: Option<String>| attributes.push(Attribute::new(name, value));
    for Format { codec, number } in formats {
        add("rtpmap", Some(format!("{number} {}/8000", encoding(*codec))));
    }
    if extras.noise {
        add("rtpmap", Some(format!("{NOISE_TYPE} CN/8000")));
    }
    if let Some(number) = extras.event_type {
        add("rtpmap", Some(format!("{number} telephone-event/8000")));
        add("fmtp", Some(format!("{number} 0-15")));
    }
    add("ptime", Some(ptime_ms.to_string()));
    add(flow(local.direction).as_str(), None);
    for (tag, key) in (1..).zip(local.protection.keys()) {
        add("crypto", Some(Crypto { tag, key: key.clone() }.to_string()));
    }
    Media {
        kind: "audio".to_owned(),
        port: local.port,
        protocol: match local.protection {
            Protection::Plain | Protection::Either(_) => "RTP/AVP".to_owned(),
            Protection::Srtp(_) => "RTP/SAVP".to_owned(),
        },
        formats: formats
            .iter()
            .map(|format| format.number)
            .chain(extras.noise.then_some(NOISE_TYPE))
            .chain(extras.event_type)
            .map(|number| number.to_string())
            .collect(),
        connection: None,
        attributes,
    }
}

/// A refused line repeats kind, protocol and formats (RFC 3264 6).
fn refused(media: &Media) -> Media {
    Media { port: 0, connection: None, attributes: Vec::new(), ..media.clone() }
}

fn describe(local: &LocalMedia, media: Vec<Media>) -> String {
    let connection = Some(Connection::Ip(local.address));
    let origin = Origin {
        user: "-".to_owned(),
        session: local.session.to_string(),
        version: local.version.to_string(),
        connection: connection.clone(),
    };
    Sdp { origin, name: "-".to_owned(), connection, attributes: Vec::new(), media }.to_string()
}

#[cfg(test)]
mod tests;
