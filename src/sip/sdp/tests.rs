//! Descriptions read and printed, and those that are refused.

use super::*;

const OFFER: &str = "v=0\r\no=- 20518 0 IN IP4 203.0.113.1\r\ns=\r\nb=AS:64\r\nz=?\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n\
    a=sendonly\r\nm=audio 54609 RTP/AVP 8 96 97\r\na=rtpmap:96 telephone-event/8000\r\na=rtpmap:97 opus/48000/2\r\n\
    a=ptime:30\r\na=rtcp:53020 IN IP4 126.16.64.4\r\nm=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::9\r\na=recvonly\r\n";

#[test]
fn lines_become_data() {
    let sdp = Sdp::parse(OFFER.as_bytes()).unwrap();
    let [audio, video] = &sdp.media[..] else { panic!("two media lines") };
    assert_eq!(sdp.origin.session, "20518");
    assert_eq!((audio.kind.as_str(), audio.port, audio.protocol.as_str()), ("audio", 54609, "RTP/AVP"));
    assert_eq!(audio.formats, ["8", "96", "97"]);
    assert_eq!(audio.rtpmap("97"), Some(RtpMap { encoding: "opus", clock: 48_000, channels: 2 }));
    assert_eq!(audio.rtpmap("9"), None);
    assert_eq!(audio.ptime_ms(), Some(30));
    assert_eq!(sdp.flow(audio).as_str(), "sendonly");
    assert_eq!(sdp.flow(video).as_str(), "recvonly");
    let remote = sdp.remote(audio).unwrap();
    assert_eq!(remote.to_string(), "203.0.113.1:54609");
    assert_eq!(audio.rtcp(remote).to_string(), "126.16.64.4:53020");
    assert_eq!(sdp.remote(video).unwrap().to_string(), "[2001:db8::9]:0");
}

#[test]
fn printed_descriptions_read_the_same() {
    let sdp = Sdp::parse(OFFER.as_bytes()).unwrap();
    let mut again = Sdp::parse(sdp.to_string().as_bytes()).unwrap();
    assert_eq!(again.name, "-");
    again.name.clear();
    assert_eq!(again, sdp);
}

#[test]
fn bare_line_feeds_and_missing_lines_are_tolerated() {
    let sdp = Sdp::parse(b"v=0\nm=audio 4000/2 RTP/AVP 0\nnonsense\na=rtcp-mux").unwrap();
    assert_eq!(sdp.media[0].port, 4000);
    assert_eq!(sdp.remote(&sdp.media[0]), None);
    let rtp = "192.0.2.1:4000".parse().unwrap();
    assert_eq!(sdp.media[0].rtcp(rtp), rtp);
}

#[test]
fn malformed_and_boundless_descriptions_are_refused() {
    let many_media = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(MAX_MEDIA + 1));
    let many_attributes = format!("v=0\r\n{}", "a=x\r\n".repeat(MAX_ATTRIBUTES + 1));
    let long = format!("v=0\r\ns={}\r\n", "x".repeat(MAX_BYTES));
    for (text, error) in [
        ("", SdpError::NotSdp),
        ("v=1\r\n", SdpError::NotSdp),
        ("v=0\r\nm=audio\r\n", SdpError::Malformed('m')),
        ("v=0\r\nm=audio 70000 RTP/AVP 0\r\n", SdpError::Malformed('m')),
        ("v=0\r\nc=IN IP4\r\n", SdpError::Malformed('c')),
        ("v=0\r\no=-\r\n", SdpError::Malformed('o')),
        (&many_media, SdpError::TooLarge),
        (&many_attributes, SdpError::TooLarge),
        (&long, SdpError::TooLarge),
    ] {
        assert_eq!(Sdp::parse(text.as_bytes()), Err(error));
    }
}
