//! URIs of every shape, and their comparison.

use super::*;

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

#[test]
fn parts_are_found() {
    let u = uri("sips:alice:pw@[2001:db8::1]:5061;transport=tcp;lr?subject=a%20b&priority=urgent");
    assert_eq!(u.scheme(), Scheme::Sips);
    assert_eq!((u.user(), u.password(), u.host(), u.port()), (Some("alice"), Some("pw"), "2001:db8::1", Some(5061)));
    assert_eq!(u.ip(), "2001:db8::1".parse().ok());
    assert_eq!(u.params().collect::<Vec<_>>(), [("transport", "tcp"), ("lr", "")]);
    assert!(u.is_loose());
    assert_eq!(u.header_text("Subject").as_deref(), Some("a b"));
}

#[test]
fn the_user_may_hold_reserved_marks() {
    let u = uri(
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
    );
    assert_eq!(u.host(), "example.com");
    assert_eq!(u.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri("sip:%2341*@h").user_text(), "#41*");
    assert_eq!(uri("sip:*41#@h").user(), Some("*41#"));
    assert_eq!(uri("sip:@10.0.0.1").user(), None);
}

#[test]
fn tel_numbers_and_foreign_schemes_are_kept() {
    let tel = uri("tel:+86-816-2250857;phone-context=example.com");
    assert_eq!((tel.scheme(), tel.user(), tel.host()), (Scheme::Tel, Some("+86-816-2250857"), ""));
    assert_eq!(tel.param("phone-context"), Some("example.com"));
    assert_eq!(uri("nobodyKnowsThisScheme:totallyopaquecontent").scheme(), Scheme::Other);
    assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme(), Scheme::Other);
}

#[test]
fn malformed_uris_are_refused() {
    for bad in [
        "",
        "sip:",
        "sip",
        ":a",
        "1sip:a",
        "sip:a b@c",
        "sip:a@",
        "sip:a@b:",
        "sip:a@b:65536",
        "sip:a@b;;x",
        "sip:a@b;",
        "sip:a@b;=1",
        "sip:a@[::1",
        "sip:a@[zz]",
        "<sip:a@b>",
        "sip:a@b\r\nEvil: 1",
        "tel:",
        "tel:abcxyz",
        "sip:a@b/c",
    ] {
        assert!(Uri::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn changed_uris_stay_well_formed() {
    let u = uri("sip:a@b;lr;x=1?h=v");
    assert_eq!(u.with_param("x", Some("2;y")).as_str(), "sip:a@b;lr;x=2%3By?h=v");
    assert_eq!(u.without_param("LR").as_str(), "sip:a@b;x=1?h=v");
    assert_eq!(u.without_headers().as_str(), "sip:a@b;lr;x=1");
    assert_eq!(uri("sip:b").with_param("lr", None).as_str(), "sip:b;lr");
    let refer = uri("sip:b").with_header("Replaces", "a@b;to-tag=1;from-tag=2");
    assert_eq!(refer.as_str(), "sip:b?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2");
    assert_eq!(refer.header_text("replaces").as_deref(), Some("a@b;to-tag=1;from-tag=2"));
}

#[test]
fn ours_are_escaped() {
    assert_eq!(
        Uri::sip(Some("a@b;c"), "2001:db8::1", Some(5060)).unwrap().as_str(),
        "sip:a%40b%3Bc@[2001:db8::1]:5060"
    );
    assert!(Uri::sip(None, "h;lr", None).is_err());
    assert!(Uri::sip(None, "a b", None).is_err());
}

/// The examples of RFC 3261 19.1.4.
#[test]
fn equivalence_follows_the_rfc() {
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+86-816-2250857", "tel:+868162250857"),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"),
    ] {
        assert!(uri(a).equivalent(&uri(b)), "{a} {b}");
        assert!(uri(b).equivalent(&uri(a)), "{b} {a}");
    }
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a%3Bb@h", "sip:a;b@h"),
        ("sip:a@h", "sips:a@h"),
        ("sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"),
    ] {
        assert!(!uri(a).equivalent(&uri(b)), "{a} {b}");
    }
}
