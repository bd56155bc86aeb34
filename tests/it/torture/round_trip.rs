//! What we print, we read back the same.

use proptest::prelude::*;
use yihao::sip::message::{
    AuthHeader, CSeq, HeaderName, HeaderValue, Message, Method, NameAddr, Params, Reason, Replaces, RequestBuilder,
    Transport, Uri, Via,
};

const TOKEN: &str = "[A-Za-z0-9.!%*_+`'~-]{1,20}";
const HOST: &str = "([a-z][a-z0-9-]{0,8}(\\.[a-z]{2,4})?|10\\.[1-9]\\.[1-9]\\.[1-9]|\\[2001:db8::[1-9a-f]\\])";

fn written(value: &impl HeaderValue) -> Vec<u8> {
    let mut out = Vec::new();
    value.write(&mut out);
    out
}

fn uris() -> impl Strategy<Value = Uri> {
    let params = proptest::collection::vec(("[a-z]{1,6}", proptest::option::of("[ -~]{1,8}")), 0..3);
    (proptest::option::of("\\PC{1,12}"), HOST, proptest::option::of(1..=u16::MAX), params).prop_map(
        |(user, host, port, params)| {
            let uri = Uri::sip(user.as_deref(), &host, port).expect("is well-formed");
            params.into_iter().fold(uri, |uri, (name, value)| uri.with_param(&name, value.as_deref()))
        },
    )
}

fn params() -> impl Strategy<Value = Params> {
    proptest::collection::vec((TOKEN, proptest::option::of("\\PC{0,12}")), 0..4).prop_map(|list| {
        let mut params = Params::default();
        list.iter().for_each(|(name, value)| params.set(name, value.as_deref()));
        params
    })
}

fn addresses() -> impl Strategy<Value = NameAddr> {
    ("\\PC{0,12}", uris(), params(), TOKEN).prop_map(|(display, uri, params, tag)| {
        NameAddr { params, ..NameAddr::new(uri).with_display(&display) }.with_tag(&tag)
    })
}

proptest! {
    #[test]
    fn uris_come_back(uri in uris()) {
        prop_assert_eq!(&Uri::parse(uri.as_str()).unwrap(), &uri);
        prop_assert!(uri.equivalent(&uri));
    }

    #[test]
    fn users_come_back_unescaped(user in "\\PC{1,12}") {
        let uri = Uri::sip(Some(&user), "h", None).unwrap();
        prop_assert_eq!(uri.user_text(), user.as_str());
    }

    #[test]
    fn parameter_texts_come_back(value in "[^\\p{Cc}]{0,12}") {
        let mut params = Params::default();
        params.set("x", Some(&value));
        let again = Params::parse(params.to_string().as_bytes()).unwrap();
        // A value that is a quoted string already is taken as one.
        if !value.starts_with('"') {
            prop_assert_eq!(again.text("x").unwrap(), value.as_str());
        }
        prop_assert_eq!(again, params);
    }

    #[test]
    fn addresses_come_back(addr in addresses()) {
        prop_assert_eq!(NameAddr::parse(&written(&addr)).unwrap(), addr);
    }

    #[test]
    fn vias_come_back(host in HOST, port in proptest::option::of(1..=u16::MAX), branch in TOKEN, tls in any::<bool>()) {
        let via = Via::new(if tls { Transport::Tls } else { Transport::Udp }, &host, port, &branch);
        prop_assert_eq!(Via::parse(&written(&via)).unwrap(), via);
    }

    #[test]
    fn small_headers_come_back(number in 0..1u32 << 31, a in TOKEN, b in TOKEN, text in "[^\\p{Cc}]{0,12}") {
        let cseq = CSeq { number, method: Method::parse(&a).unwrap() };
        prop_assert_eq!(CSeq::parse(&written(&cseq)).unwrap(), cseq);
        let reason = Reason { protocol: a.clone(), cause: Some(16), text: Some(text.clone()) };
        prop_assert_eq!(Reason::parse(&written(&reason)).unwrap(), reason);
        let replaces = Replaces { call_id: a.clone(), to_tag: b.clone(), from_tag: a.clone(), early_only: true };
        prop_assert_eq!(Replaces::parse(&written(&replaces)).unwrap(), replaces);
        let auth = AuthHeader::new("Digest").quoted("realm", &text).token("qop", &a);
        let again = AuthHeader::parse(&written(&auth)).unwrap();
        prop_assert_eq!((again.get("realm"), again.get("qop")), (Some(text.as_str()), Some(a.as_str())));
    }

    #[test]
    fn requests_come_back(
        uri in uris(), from in addresses(), to in addresses(), raw in "[^\\r\\n]{0,20}", call_id in TOKEN,
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let bytes = RequestBuilder::new(&Method::Info, &uri)
            .header(HeaderName::Via, &Via::new(Transport::Tcp, "h", None, "z9hG4bK1"))
            .header(HeaderName::From, &from)
            .header(HeaderName::To, &to)
            .header(HeaderName::CallId, &call_id)
            .header(HeaderName::CSeq, &CSeq { number: 5, method: Method::Info })
            .raw("X-Raw", raw.as_bytes())
            .body("application/octet-stream", &body)
            .build();
        let message = Message::parse_framed(bytes).unwrap();
        prop_assert_eq!(message.request_uri(), Some(uri));
        prop_assert_eq!((message.from(), message.to()), (from, to));
        prop_assert_eq!(message.call_id(), &call_id);
        prop_assert_eq!(message.header_named("x-raw").unwrap(), raw.trim_matches([' ', '\t']).as_bytes());
        prop_assert_eq!(message.body(), &body[..]);
    }
}
