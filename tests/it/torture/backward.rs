//! RFC 4475 3.4: backward compatibility.

use super::{Taken, Torture, named};

pub(super) const MESSAGES: &[Torture] = &[
    // 3.4.1
    Torture {
        name: "inv2543",
        verdict: Taken,
        text: r#"
INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.5
s=-
c=IN IP4 192.0.2.5
t=0 0
m=audio 49217 RTP/AVP 0
"#,
    },
];

#[test]
fn a_peer_without_tags_branch_and_length_is_read() {
    let message = named("inv2543").message();
    assert_eq!((message.from_tag(), message.branch(), message.max_forwards()), (None, None, None));
    assert_eq!(message.sent_by(), "iftgw.example.com");
    assert!(message.body().ends_with(b"RTP/AVP 0\r\n"));
}
