//! RFC 4475 3.3: application layer semantics. What the message layer can see is refused here; the rest is taken and
//! shown to the layers above, which refuse it.

use super::{Refused, Taken, Torture, named};
use yihao::sip::message::{HeaderName, Scheme};

pub(super) const MESSAGES: &[Torture] = &[
    // 3.3.1
    Torture {
        name: "insuf",
        verdict: Refused(400),
        text: r#"
INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
Content-Type: application/sdp
l: {length}

v=0
"#,
    },
    // 3.3.2
    Torture {
        name: "unkscm",
        verdict: Refused(416),
        text: r#"
OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
Content-Length: 0

"#,
    },
    // 3.3.3
    Torture {
        name: "novelsc",
        verdict: Refused(416),
        text: r#"
OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: novelsc.asdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
Content-Length: 0

"#,
    },
    // 3.3.4
    Torture {
        name: "unksm2",
        verdict: Taken,
        text: r#"
REGISTER sip:example.com SIP/2.0
To: isbn:2983792873
From: <http://www.example.com>;tag=3234233
Max-Forwards: 70
Call-ID: unksm2.daksdj@hyphenated-host.example.com
CSeq: 234902 REGISTER
Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw
Contact: <name:John_Smith>
l: 0

"#,
    },
    // 3.3.5
    Torture {
        name: "bext01",
        verdict: Taken,
        text: r#"
OPTIONS sip:user@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.net;tag=242etr
Max-Forwards: 6
Call-ID: bext01.0ha0isndaksdj
Require: nothingSupportsThis, nothingSupportsThisEither
Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis
CSeq: 8 OPTIONS
Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw
Content-Length: 0

"#,
    },
    // 3.3.6
    Torture {
        name: "invut",
        verdict: Taken,
        text: r#"
INVITE sip:user@example.com SIP/2.0
Contact: <sip:caller@host5.example.net>
To: sip:j.user@example.com
From: sip:caller@example.net;tag=8392034
Max-Forwards: 70
Call-ID: invut.0ha0isndaksdjadsfij34n23d
CSeq: 235448 INVITE
Via: SIP/2.0/UDP somehost.example.com;branch=z9hG4bKkdjuw
Content-Type: application/unknownformat
Content-Length: {length}

<audio>
 <pcmu port="443"/>
</audio>
"#,
    },
    // 3.3.7
    Torture {
        name: "regaut01",
        verdict: Taken,
        text: r#"
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=87321hj23128
Max-Forwards: 8
Call-ID: regaut01.0ha0isndaksdj
CSeq: 9338 REGISTER
Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length:0

"#,
    },
    // 3.3.8
    Torture {
        name: "multi01",
        verdict: Refused(400),
        text: r#"
INVITE sip:user@company.com SIP/2.0
Contact: <sip:caller@host25.example.net>
Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98asdh@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98asdh@192.0.2.2
From: sip:caller@example.com;tag=3413415
To: sip:user@example.com
To: sip:other@example.net
From: sip:caller@example.net;tag=2923420123
Content-Type: application/sdp
l: {length}
Contact: <sip:caller@host36.example.net>
Max-Forwards: 5

v=0
"#,
    },
    // 3.3.9
    Torture {
        name: "mcl01",
        verdict: Refused(400),
        text: r#"
OPTIONS sip:user@example.com SIP/2.0
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423
To: sip:user@example.com
From: sip:other@example.net;tag=3923942
Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf
CSeq: 15932 OPTIONS
Content-Length: 13
Max-Forwards: 60
Content-Length: 5
Content-Type: text/plain

There's no way to know how many octets are supposed to be here.
"#,
    },
    // 3.3.10: a response that is not for us; no transaction matches its top Via
    Torture {
        name: "bcast",
        verdict: Taken,
        text: r#"
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: {length}
Content-Type: application/sdp
Contact: <sip:user@host28.example.com>

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.198
s=-
c=IN IP4 192.0.2.198
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
"#,
    },
    // 3.3.11
    Torture {
        name: "zeromf",
        verdict: Taken,
        text: r#"
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=3ghsd41
Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas
CSeq: 39234321 OPTIONS
Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw2349i
Max-Forwards: 0
Content-Length: 0

"#,
    },
    // 3.3.12
    Torture {
        name: "cparam01",
        verdict: Taken,
        text: r#"
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe
To: sip:watson@example.com
Call-ID: cparam01.70710@saturn.example.com
CSeq: 2 REGISTER
Contact: sip:+19725552222@gw1.example.net;unknownparam
l: 0

"#,
    },
    // 3.3.13
    Torture {
        name: "cparam02",
        verdict: Taken,
        text: r#"
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=838293
To: sip:watson@example.com
Call-ID: cparam02.70710@saturn.example.com
CSeq: 3 REGISTER
Contact: <sip:+19725552222@gw1.example.net;unknownparam>
l: 0

"#,
    },
    // 3.3.14
    Torture {
        name: "regescrt",
        verdict: Taken,
        text: r#"
REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=8
Max-Forwards: 70
Call-ID: regescrt.k345asrl3fdbv@192.0.2.1
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>
L:0

"#,
    },
    // 3.3.15
    Torture {
        name: "sdp01",
        verdict: Taken,
        text: r#"
INVITE sip:user@example.com SIP/2.0
To: sip:j_user@example.com
Contact: <sip:caller@host15.example.net>
From: sip:caller@example.net;tag=234
Max-Forwards: 5
Call-ID: sdp01.ndaksdj9342dasdd
Accept: text/nobodyKnowsThis
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw
Content-Length: {length}
Content-Type: application/sdp

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.5
s=-
c=IN IP4 192.0.2.5
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
"#,
    },
];

#[test]
fn the_layers_above_see_what_they_must_refuse() {
    let foreign = named("unksm2").message();
    assert_eq!((foreign.to().uri.scheme(), foreign.from().uri.scheme()), (Scheme::Other, Scheme::Other));
    assert_eq!(foreign.contact().unwrap().unwrap().uri.as_str(), "name:John_Smith");
    let required = named("bext01").message();
    let words: Vec<_> = required.tokens(HeaderName::Require).collect();
    assert_eq!(words, ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert!(named("invut").message().content_type().unwrap().is("application", "unknownformat"));
    assert_eq!(named("regaut01").message().authorization()[0].scheme, "NoOneKnowsThisScheme");
    assert_eq!(named("bcast").message().vias().unwrap().len(), 2);
    assert_eq!(named("zeromf").message().max_forwards(), Some(0));
    assert!(named("sdp01").message().has_token(HeaderName::Accept, "text/nobodyKnowsThis"));
}

#[test]
fn parameters_belong_to_the_header_or_to_the_uri() {
    let bare = named("cparam01").message().contact().unwrap().unwrap();
    assert!(bare.params.has("unknownparam") && !bare.uri.has_param("unknownparam"));
    let bracketed = named("cparam02").message().contact().unwrap().unwrap();
    assert!(!bracketed.params.has("unknownparam") && bracketed.uri.has_param("unknownparam"));
    let escaped = named("regescrt").message().contact().unwrap().unwrap();
    assert_eq!(escaped.uri.header_text("Route").as_deref(), Some("<sip:sip.example.com>"));
}
