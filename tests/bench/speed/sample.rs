//! The message that is read for measurements.

use bytes::Bytes;

/// An INVITE of 1,193 bytes with 19 headers and a session description.
pub(crate) fn invite() -> Bytes {
    let body = "v=0\r\no=- 1700000001 1700000001 IN IP4 10.12.34.57\r\ns=-\r\nc=IN IP4 10.12.34.57\r\nt=0 0\r\n\
        m=audio 30442 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    let head = "INVITE sip:12345@10.20.30.40:5060;user=phone SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.12.34.56:5060;branch=z9hG4bK7f2c91d06e83a54b;rport\r\n\
        Via: SIP/2.0/UDP 10.12.34.11:5060;branch=z9hG4bK1186cc2a9be07d35;received=10.12.34.11\r\n\
        Max-Forwards: 68\r\n\
        From: \"13800138000\" <sip:13800138000@10.12.34.56;user=phone>;tag=3b1f6a0c\r\n\
        To: <sip:12345@10.20.30.40;user=phone>\r\n\
        Call-ID: 8f31c2d4a90b7e66f1aa0c53e2d4b8a1@10.12.34.56\r\n\
        CSeq: 1 INVITE\r\n\
        Contact: <sip:13800138000@10.12.34.56:5060;transport=udp>\r\n\
        Record-Route: <sip:10.12.34.56;lr;ftag=3b1f6a0c>\r\n\
        Allow: INVITE,ACK,CANCEL,BYE,OPTIONS,PRACK,UPDATE,INFO,NOTIFY,REFER\r\n\
        Supported: 100rel,timer,replaces\r\n\
        Session-Expires: 1800;refresher=uac\r\n\
        Min-SE: 90\r\n\
        P-Asserted-Identity: <tel:+8613800138000>\r\n\
        P-Charging-Vector: icid-value=3b1f6a0c7e55;icid-generated-at=10.12.34.56;orig-ioi=city.example.com\r\n\
        P-Early-Media: supported\r\n\
        User-Agent: SoftSwitch 9.2.1\r\n\
        Content-Type: application/sdp\r\n";
    Bytes::from(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
}
