//! RFC 4475 3.2: transaction layer semantics.

use super::{Taken, Torture, named};

pub(super) const MESSAGES: &[Torture] = &[
    // 3.2.1: the cookie alone is no branch; the transaction layer matches such a peer as RFC 2543
    Torture {
        name: "badbranch",
        verdict: Taken,
        text: r#"
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK
Accept: application/sdp
Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n
CSeq: 8 OPTIONS
l: 0

"#,
    },
];

#[test]
fn the_bare_cookie_is_seen() {
    assert_eq!(named("badbranch").message().branch(), Some("z9hG4bK"));
}
