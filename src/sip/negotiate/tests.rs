//! Offers and answers, hold, security and what has nothing in common.

use super::*;
use crate::types::CryptoSuite;

fn local() -> LocalMedia {
    LocalMedia {
        address: "10.0.0.1".parse().unwrap(),
        port: 20_000,
        session: 77,
        version: 3,
        codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
        comfort_noise: false,
        protection: Protection::Plain,
        direction: Direction::SendRecv,
        may_latch: true,
    }
}

fn key(suite: CryptoSuite, byte: u8) -> SrtpKey {
    SrtpKey { suite, key_salt: [byte; 30] }
}

fn secure() -> LocalMedia {
    let keys = vec![key(CryptoSuite::Aes128Sha1_80, 1), key(CryptoSuite::Aes128Sha1_32, 2)];
    LocalMedia { protection: Protection::Srtp(keys), ..local() }
}

/// An offer with this media part, made by 192.0.2.7.
fn offered(media: &str) -> String {
    format!("v=0\r\no=a 1 1 IN IP4 192.0.2.7\r\ns=x\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{media}")
}

fn answered(media: &str) -> (Sdp, StreamParams) {
    let (text, params) = answer(offered(media).as_bytes(), &local()).unwrap();
    (Sdp::parse(text.as_bytes()).unwrap(), params)
}

fn direction_of(media: &str) -> (Direction, &'static str) {
    let (sdp, params) = answered(media);
    (params.direction, sdp.flow(&sdp.media[0]).as_str())
}

#[test]
fn our_offer_lists_all_codecs_and_events() {
    assert_eq!(
        offer(&local()),
        "v=0\r\no=- 77 3 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8 0 9 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn our_order_decides_and_one_codec_is_answered() {
    let (sdp, params) =
        answered("m=audio 4000 RTP/AVP 18 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n");
    assert_eq!((params.codec, params.payload_type, params.event_type), (Codec::Pcma, 8, Some(96)));
    assert_eq!(params.remote, "192.0.2.7:4000".parse().unwrap());
    assert_eq!(params.remote_rtcp, "192.0.2.7:4001".parse().unwrap());
    assert_eq!((params.ptime_ms, params.may_latch), (30, true));
    assert_eq!(sdp.media[0].formats, ["8", "96"]);
    assert_eq!(sdp.media[0].port, 20_000);
}

#[test]
fn dynamic_types_are_read_by_rtpmap() {
    let (_, params) = answered("m=audio 4000 RTP/AVP 98\r\na=rtpmap:98 pcma/8000/1\r\n");
    assert_eq!((params.codec, params.payload_type), (Codec::Pcma, 98));
    let wide = offered("m=audio 4000 RTP/AVP 98\r\na=rtpmap:98 PCMA/16000\r\n");
    assert_eq!(answer(wide.as_bytes(), &local()), Err(NegotiateError::NoCommonMedia));
    let renamed = offered("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 L16/8000\r\n");
    assert_eq!(answer(renamed.as_bytes(), &local()), Err(NegotiateError::NoCommonMedia));
}

#[test]
fn events_need_the_clock_of_the_codec() {
    let media = "m=audio 4000 RTP/AVP 8 101 102\r\na=rtpmap:101 telephone-event/48000\r\n";
    assert_eq!(answered(media).1.event_type, None);
    let both = format!("{media}a=rtpmap:102 telephone-event/8000\r\n");
    assert_eq!(answered(&both).1.event_type, Some(102));
}

#[test]
fn comfort_noise_is_taken_when_offered_with_g711_and_kept() {
    let media = "m=audio 4000 RTP/AVP 8 9 13 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let (sdp, params) = answered(media);
    assert!(params.comfort_noise);
    assert_eq!(sdp.media[0].formats, ["8", "13", "101"]);
    assert_eq!(sdp.media[0].rtpmap("13").map(|map| map.encoding), Some("CN"));
    let (sent, _) = answer(offered(media).as_bytes(), &local()).unwrap();
    let again = Sdp::parse(offer_again(&local(), sent.as_bytes()).as_bytes()).unwrap();
    assert_eq!(again.media[0].formats, ["8", "0", "9", "13", "101"]);
    assert!(!answered("m=audio 4000 RTP/AVP 8\r\n").1.comfort_noise);
    assert!(!answered("m=audio 4000 RTP/AVP 9 13\r\n").1.comfort_noise, "G.722 has no noise of 8 kHz");
    assert!(!answered("m=audio 4000 RTP/AVP 8 13\r\na=rtpmap:13 L16/8000\r\n").1.comfort_noise);
}

#[test]
fn comfort_noise_is_offered_only_where_it_can_be_passed_on() {
    assert!(!offer(&local()).contains("CN/8000"));
    let beside = LocalMedia { comfort_noise: true, ..local() };
    let ours = Sdp::parse(offer(&beside).as_bytes()).unwrap();
    assert_eq!(ours.media[0].formats, ["8", "0", "9", "13", "101"]);
    let (taken, _) = answer(offer(&beside).as_bytes(), &local()).unwrap();
    assert!(accept(taken.as_bytes(), &beside).unwrap().comfort_noise);
}

#[test]
fn the_first_usable_audio_line_is_taken_and_the_rest_refused() {
    let (sdp, params) = answered(
        "m=video 4002 RTP/AVP 31\r\nm=audio 4004 RTP/AVP 18\r\nm=audio 4006 RTP/AVP 8\r\nm=audio 4008 RTP/AVP 8\r\n\
         m=image 4010 udptl t38\r\na=x\r\n",
    );
    assert_eq!(params.remote.port(), 4006);
    let ports: Vec<u16> = sdp.media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [0, 0, 20_000, 0, 0]);
    assert_eq!((sdp.media[4].kind.as_str(), sdp.media[4].formats.as_slice()), ("image", &["t38".to_owned()][..]));
}

#[test]
fn hold_is_seen_from_us() {
    let line = "m=audio 4000 RTP/AVP 8\r\n";
    assert_eq!(direction_of(line), (Direction::SendRecv, "sendrecv"));
    assert_eq!(direction_of(&format!("{line}a=sendonly\r\n")), (Direction::RecvOnly, "recvonly"));
    assert_eq!(direction_of(&format!("{line}a=recvonly\r\n")), (Direction::SendOnly, "sendonly"));
    assert_eq!(direction_of(&format!("{line}a=inactive\r\n")), (Direction::Inactive, "inactive"));
    assert_eq!(direction_of(&format!("a=inactive\r\n{line}")), (Direction::Inactive, "inactive"));
    assert_eq!(direction_of(&format!("{line}c=IN IP4 0.0.0.0\r\n")), (Direction::RecvOnly, "recvonly"));
    assert_eq!(direction_of(&format!("{line}c=IN IP4 0.0.0.0\r\na=sendonly\r\n")), (Direction::RecvOnly, "recvonly"));
}

#[test]
fn what_we_want_limits_the_flow() {
    let holding = LocalMedia { direction: Direction::SendOnly, ..local() };
    let params = accept(offered("m=audio 4000 RTP/AVP 8\r\na=recvonly\r\n").as_bytes(), &holding).unwrap();
    assert_eq!(params.direction, Direction::SendOnly);
    let (_, both) = answer(offered("m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n").as_bytes(), &holding).unwrap();
    assert_eq!(both.direction, Direction::Inactive);
}

#[test]
fn an_answer_is_read_in_its_own_order() {
    let params =
        accept(offered("m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n").as_bytes(), &local());
    let params = params.unwrap();
    assert_eq!((params.codec, params.event_type), (Codec::Pcmu, Some(101)));
    for refused in ["m=audio 0 RTP/AVP 8\r\n", "m=audio 4000 RTP/AVP 18\r\n", ""] {
        assert_eq!(accept(offered(refused).as_bytes(), &local()), Err(NegotiateError::NoCommonMedia), "{refused}");
    }
    assert_eq!(accept(b"x", &local()), Err(NegotiateError::Malformed(SdpError::NotSdp)));
}

#[test]
fn secure_legs_speak_srtp_only_and_plain_ones_never() {
    let plain = offered("m=audio 4000 RTP/AVP 8\r\n");
    assert_eq!(answer(plain.as_bytes(), &secure()), Err(NegotiateError::NoCommonMedia));
    assert_eq!(answer(offer(&secure()).as_bytes(), &local()), Err(NegotiateError::NoCommonMedia));
    let without_key = offered("m=audio 4000 RTP/SAVP 8\r\n");
    assert_eq!(answer(without_key.as_bytes(), &secure()), Err(NegotiateError::NoCommonMedia));
}

#[test]
fn either_takes_keys_where_there_are_any_and_does_without_where_there_are_none() {
    let protection = Protection::Either(secure().protection.keys().to_vec());
    let either = LocalMedia { protection, ..local() };
    let of = |text: &str| Sdp::parse(text.as_bytes()).unwrap();
    // Plain: the answer bears no key.
    let plain = offered("m=audio 4000 RTP/AVP 8\r\n");
    let (text, params) = answer(plain.as_bytes(), &either).unwrap();
    assert_eq!((params.srtp, of(&text).media[0].cryptos().count()), (None, 0));
    // SRTP, by the profile or by keys beside the plain one (RFC 8643).
    for protocol in ["RTP/SAVP", "RTP/AVP"] {
        let keyed = offer(&secure()).replace("RTP/SAVP", protocol);
        let (text, params) = answer(keyed.as_bytes(), &either).unwrap();
        assert!(params.srtp.is_some(), "{protocol}");
        assert_eq!((of(&text).media[0].protocol.as_str(), of(&text).media[0].cryptos().count()), (protocol, 1));
        let again = of(&offer_again(&either, text.as_bytes()));
        assert_eq!(again.media[0].protocol, protocol, "a later offer keeps the profile");
    }
    let without_key = offered("m=audio 4000 RTP/SAVP 8\r\n");
    assert_eq!(answer(without_key.as_bytes(), &either), Err(NegotiateError::NoCommonMedia));
    // Our own offer bears keys beside the plain profile; both answers are taken.
    let ours = of(&offer(&either));
    assert_eq!((ours.media[0].protocol.as_str(), ours.media[0].cryptos().count()), ("RTP/AVP", 2));
    assert_eq!(accept(plain.as_bytes(), &either).unwrap().srtp, None);
    let (keyed, _) = answer(offer(&either).as_bytes(), &either).unwrap();
    assert!(accept(keyed.as_bytes(), &either).unwrap().srtp.is_some());
}

#[test]
fn keys_cross_and_the_tag_is_repeated() {
    let theirs = LocalMedia { protection: Protection::Srtp(vec![key(CryptoSuite::Aes128Sha1_32, 9)]), ..local() };
    let offer = offer(&theirs).replace("crypto:1", "crypto:7");
    let (text, params) = answer(offer.as_bytes(), &secure()).unwrap();
    let suite = CryptoSuite::Aes128Sha1_32;
    assert_eq!(params.srtp, Some((key(suite, 2), key(suite, 9))));
    let sdp = Sdp::parse(text.as_bytes()).unwrap();
    assert_eq!(sdp.media[0].protocol, "RTP/SAVP");
    assert_eq!(sdp.media[0].cryptos().collect::<Vec<_>>(), [Crypto { tag: 7, key: key(suite, 2) }]);
    assert_eq!(accept(text.as_bytes(), &theirs).unwrap().srtp, Some((key(suite, 9), key(suite, 2))));
}

#[test]
fn rtcp_mux_is_taken_when_offered() {
    let (sdp, params) = answered("m=audio 4000 RTP/AVP 8\r\na=rtcp-mux\r\n");
    assert_eq!(params.remote_rtcp, params.remote);
    assert!(sdp.media[0].has("rtcp-mux"));
    assert!(!answered("m=audio 4000 RTP/AVP 8\r\n").0.media[0].has("rtcp-mux"));
}

#[test]
fn a_new_offer_keeps_lines_and_payload_types() {
    let media = "m=video 4002 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 98 96\r\na=rtpmap:98 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n";
    let (sent, _) = answer(offered(media).as_bytes(), &local()).unwrap();
    let hold = LocalMedia { version: 4, direction: Direction::SendOnly, ..local() };
    let again = Sdp::parse(offer_again(&hold, sent.as_bytes()).as_bytes()).unwrap();
    assert_eq!((again.origin.session.as_str(), again.origin.version.as_str()), ("77", "4"));
    assert_eq!((again.media[0].kind.as_str(), again.media[0].port), ("video", 0));
    assert_eq!(again.media[1].formats, ["98", "0", "9", "96"]);
    assert_eq!(again.flow(&again.media[1]).as_str(), "sendonly");
    assert_eq!(offer_again(&local(), b""), offer(&local()));
}

#[test]
fn another_address_family_cannot_be_reached() {
    let v6 = "v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 8\r\n";
    assert_eq!(answer(v6.as_bytes(), &local()), Err(NegotiateError::NoCommonMedia));
    let ours = LocalMedia { address: "2001:db8::2".parse().unwrap(), ..local() };
    let (text, params) = answer(v6.as_bytes(), &ours).unwrap();
    assert!(text.contains("c=IN IP6 2001:db8::2\r\n"));
    assert_eq!(params.remote, "[2001:db8::1]:4000".parse().unwrap());
    let name = offered("m=audio 4000 RTP/AVP 8\r\nc=IN IP4 media.example.com\r\n");
    assert_eq!(answer(name.as_bytes(), &local()), Err(NegotiateError::NoCommonMedia));
}
