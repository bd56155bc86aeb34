//! Vectors of the RFCs, and both sides against each other.

use std::time::Duration;

use super::digest::{Algorithm, Qop, Sum, hash};
use super::*;
use crate::sip::message::AuthHeader;
use crate::types::Now;

const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const REALM: &str = "12345.example";
const URI: &str = "sip:12345.example";

fn rfc7616_sum(algorithm: Algorithm) -> String {
    let ha1 = hash(algorithm, &[b"Mufasa", b"http-auth@example.org", b"Circle of Life"]);
    let sum = Sum {
        algorithm,
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        nc: "00000001",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        qop: Qop::Auth,
    };
    sum.response(&ha1).as_str().to_owned()
}

#[test]
fn rfc_7616_3_9_1_vectors_hold() {
    assert_eq!(rfc7616_sum(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(rfc7616_sum(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

/// RFC 7616 3.9.2 as corrected by its erratum 4897: the printed sums are of another truncation than SHA-512/256.
#[test]
fn rfc_7616_3_9_2_vector_holds_with_its_erratum() {
    let algorithm = Algorithm::Sha512_256;
    let (user, realm) = ("J\u{e4}s\u{f8}n Doe", "api@example.org");
    let hashed = hash(algorithm, &[user.as_bytes(), realm.as_bytes()]);
    assert_eq!(hashed.as_str(), "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
    let challenge = AuthHeader::new("Digest")
        .quoted("realm", realm)
        .quoted("qop", "auth")
        .token("algorithm", "SHA-512-256")
        .quoted("nonce", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK")
        .quoted("opaque", "HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS")
        .token("userhash", "true");
    let mut client = Client::new(user, Secret::Password("Secret, or not?".to_owned()));
    client.challenged(Side::Server, &[challenge]).unwrap();
    let answer = client.authorize("GET", "/doe.json", b"", [0; 8]);
    assert_eq!(answer[0].1.get("username"), Some(hashed.as_str()));
    assert_eq!(answer[0].1.get("userhash"), Some("true"));
    let ha1 = hash(algorithm, &[user.as_bytes(), realm.as_bytes(), b"Secret, or not?"]);
    let sum = Sum {
        algorithm,
        method: "GET",
        uri: "/doe.json",
        body: b"",
        nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        nc: "00000001",
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        qop: Qop::Auth,
    };
    assert_eq!(sum.response(&ha1).as_str(), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

#[test]
fn rfc_2617_3_5_vector_holds() {
    let ha1 = hash(Algorithm::Md5, &[b"Mufasa", b"testrealm@host.com", b"Circle Of Life"]);
    let sum = Sum {
        algorithm: Algorithm::Md5,
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        nc: "00000001",
        cnonce: "0a4f113b",
        qop: Qop::Auth,
    };
    assert_eq!(sum.response(&ha1).as_str(), "6629fae49393a05397450978507c4ef1");
}

/// RFC 2069 2.4 as corrected by its erratum 749: no qop.
#[test]
fn a_response_without_qop_is_the_old_sum() {
    let ha1 = hash(Algorithm::Md5, &[b"Mufasa", b"testrealm@host.com", b"CircleOfLife"]);
    let sum = Sum {
        algorithm: Algorithm::Md5,
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        nc: "",
        cnonce: "",
        qop: Qop::None,
    };
    assert_eq!(sum.response(&ha1).as_str(), "1949323746fe6a43ef61f9606e7febea");
}

#[test]
fn a_phone_registers_with_each_algorithm_and_qop() {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        for qop in [Some("auth"), Some("auth-int"), None] {
            let mut world = World::new();
            let offer = world.offer(algorithm, qop);
            let mut phone = Client::new("8001", Secret::Password("secret".to_owned()));
            phone.challenged(Side::Server, &[offer]).unwrap();
            let answer = phone.authorize("REGISTER", URI, b"body", [1; 8]);
            assert_eq!(world.check(&answer), accepted(), "{algorithm} {qop:?}");
        }
    }
}

#[test]
fn the_strongest_algorithm_stands_first_and_is_chosen() {
    let world = World::new();
    let challenges = world.guard.challenge(world.now, [0; 8], false);
    let names: Vec<_> = challenges.iter().map(|c| c.get("algorithm")).collect();
    assert_eq!(names, [Some("SHA-256"), Some("MD5")]);
    let mut phone = world.phone("secret");
    phone.challenged(Side::Server, &challenges).unwrap();
    let answer = phone.authorize("REGISTER", URI, b"", [1; 8]);
    assert_eq!((answer.len(), answer[0].0), (1, "Authorization"));
    assert_eq!(answer[0].1.get("algorithm"), Some("SHA-256"));
}

#[test]
fn one_nonce_serves_many_requests_while_its_count_rises() {
    let mut world = World::new();
    let mut phone = world.challenged_phone("secret");
    for _ in 0..40 {
        let answer = phone.authorize("REGISTER", URI, b"body", [1; 8]);
        assert_eq!(world.check(&answer), accepted());
    }
    assert_eq!(world.guard.remembered(), 1);
}

#[test]
fn a_count_that_was_used_is_refused_as_stale() {
    let mut world = World::new();
    let mut phone = world.challenged_phone("secret");
    let first = phone.authorize("REGISTER", URI, b"body", [1; 8]);
    let second = phone.authorize("REGISTER", URI, b"body", [2; 8]);
    assert_eq!(world.check(&second), accepted());
    assert_eq!(world.check(&first), accepted(), "requests may overtake each other");
    assert_eq!(world.check(&first), Verdict::Stale);
    assert_eq!(world.check(&second), Verdict::Stale);
    for n in 3..40 {
        assert_eq!(world.check(&phone.authorize("REGISTER", URI, b"body", [n; 8])), accepted());
    }
    assert_eq!(world.check(&first), Verdict::Stale, "out of the window");
}

#[test]
fn a_count_inside_the_window_is_refused_when_it_comes_again() {
    let mut world = World::new();
    let mut phone = world.challenged_phone("secret");
    let answers: Vec<_> = (0..5).map(|n| phone.authorize("REGISTER", URI, b"body", [n; 8])).collect();
    for answer in &answers {
        assert_eq!(world.check(answer), accepted());
    }
    for answer in &answers {
        assert_eq!(world.check(answer), Verdict::Stale);
    }
}

#[test]
fn counting_begins_at_one() {
    let mut world = World::new();
    let offer = world.offer(Algorithm::Sha256, Some("auth"));
    let nonce = offer.get("nonce").unwrap();
    let sum = Sum {
        algorithm: Algorithm::Sha256,
        method: "REGISTER",
        uri: URI,
        body: b"body",
        nonce,
        nc: "00000000",
        cnonce: "c",
        qop: Qop::Auth,
    };
    let ha1 = hash(Algorithm::Sha256, &[b"8001", REALM.as_bytes(), b"secret"]);
    let answer = AuthHeader::new("Digest")
        .quoted("username", "8001")
        .quoted("realm", REALM)
        .quoted("nonce", nonce)
        .quoted("uri", URI)
        .quoted("response", sum.response(&ha1).as_str())
        .token("algorithm", "SHA-256")
        .token("qop", "auth")
        .token("nc", "00000000")
        .quoted("cnonce", "c");
    assert_eq!(world.check(&[("Authorization", answer)]), Verdict::Stale);
}

#[test]
fn a_nonce_without_qop_serves_once() {
    let mut world = World::new();
    let offer = world.offer(Algorithm::Md5, None);
    let mut phone = world.phone("secret");
    phone.challenged(Side::Server, &[offer]).unwrap();
    let answer = phone.authorize("REGISTER", URI, b"body", [1; 8]);
    assert_eq!(world.check(&answer), accepted());
    assert_eq!(world.check(&answer), Verdict::Stale);
}

#[test]
fn an_old_nonce_is_stale_only_for_the_right_password() {
    let mut world = World::new();
    let mut right = world.challenged_phone("secret");
    let mut wrong = world.challenged_phone("guess");
    world.now = world.now.after(Duration::from_secs(301));
    assert_eq!(world.check(&right.authorize("REGISTER", URI, b"body", [1; 8])), Verdict::Stale);
    assert_eq!(world.check(&wrong.authorize("REGISTER", URI, b"body", [1; 8])), Verdict::Refused);
}

#[test]
fn a_nonce_of_an_earlier_start_is_stale() {
    let mut world = World::new();
    let mut phone = world.challenged_phone("secret");
    world.guard = Guard::new(Settings::new(REALM), &[9; 32]);
    assert_eq!(world.check(&phone.authorize("REGISTER", URI, b"body", [1; 8])), Verdict::Stale);
}

#[test]
fn unknown_user_and_wrong_password_look_the_same() {
    let mut world = World::new();
    let mut wrong = world.challenged_phone("guess");
    let mut unknown = Client::new("9999", Secret::Password("secret".to_owned()));
    unknown.challenged(Side::Server, &world.guard.challenge(world.now, [0; 8], false)).unwrap();
    // The password of the stand-in account must not open it.
    let mut nobody = Client::new("", Secret::Password(String::new()));
    nobody.challenged(Side::Server, &world.guard.challenge(world.now, [0; 8], false)).unwrap();
    for phone in [&mut wrong, &mut unknown, &mut nobody] {
        assert_eq!(world.check(&phone.authorize("REGISTER", URI, b"body", [1; 8])), Verdict::Refused);
    }
}

#[test]
fn the_hash_of_nobody_opens_nothing() {
    let mut world = World::new();
    let nobody = Secret::Ha1(Credentials::from_password("", "", ""));
    let mut phone = Client::new("9999", nobody);
    phone.challenged(Side::Server, &world.guard.challenge(world.now, [0; 8], false)).unwrap();
    assert_eq!(world.check(&phone.authorize("REGISTER", URI, b"body", [1; 8])), Verdict::Refused);
}

#[test]
fn a_right_weak_answer_does_not_make_up_for_a_wrong_strong_one() {
    let mut world = World::new();
    let answer = |password: &str, algorithm| {
        let mut phone = world.phone(password);
        phone.challenged(Side::Server, &[world.offer(algorithm, Some("auth"))]).unwrap();
        phone.authorize("REGISTER", URI, b"body", [1; 8]).remove(0)
    };
    let (weak, strong) = (answer("secret", Algorithm::Md5), answer("guess", Algorithm::Sha256));
    assert_eq!(world.check(&[weak.clone(), strong.clone()]), Verdict::Refused);
    assert_eq!(world.check(&[strong, weak]), Verdict::Refused);
}

#[test]
fn the_body_is_protected_by_auth_int() {
    let mut world = World::new();
    let offer = world.offer(Algorithm::Sha256, Some("auth-int"));
    let mut phone = world.phone("secret");
    phone.challenged(Side::Server, &[offer]).unwrap();
    let answer = phone.authorize("REGISTER", URI, b"another body", [1; 8]);
    assert_eq!(world.check(&answer), Verdict::Refused);
}

#[test]
fn credentials_for_another_target_or_method_are_refused() {
    let mut world = World::new();
    let mut phone = world.challenged_phone("secret");
    let elsewhere = phone.authorize("REGISTER", "sip:other.example", b"body", [1; 8]);
    assert_eq!(world.check(&elsewhere), Verdict::Refused);
    let method = phone.authorize("INVITE", URI, b"body", [1; 8]);
    assert_eq!(world.check(&method), Verdict::Refused);
    let decorated = phone.authorize("REGISTER", "sip:12345.EXAMPLE:5060;transport=udp", b"body", [1; 8]);
    assert_eq!(world.check(&decorated), accepted(), "port and parameters may differ");
}

#[test]
fn no_credentials_for_our_realm_are_missing_ones() {
    let mut world = World::new();
    assert_eq!(world.check(&[]), Verdict::Missing);
    let other = AuthHeader::new("Digest").quoted("realm", "other");
    assert_eq!(world.check(&[("Authorization", other)]), Verdict::Missing);
}

#[test]
fn unreadable_credentials_are_malformed() {
    let mut world = World::new();
    let base = AuthHeader::new("Digest")
        .quoted("realm", REALM)
        .quoted("username", "8001")
        .quoted("nonce", "n")
        .quoted("uri", URI)
        .quoted("response", "r");
    let cases = [
        AuthHeader::new("Digest").quoted("realm", REALM),
        base.clone().token("qop", "auth"),
        base.clone().token("qop", "auth").token("nc", "+0000001").quoted("cnonce", "c"),
        base.clone().token("qop", "auth").token("nc", "123456789").quoted("cnonce", "c"),
        base.clone().token("qop", "other"),
        base.clone().token("algorithm", "MD5-sess"),
        base.clone().token("algorithm", "SHA-512-256"),
        base.clone().token("algorithm", "市"),
        base.clone().token("qop", "auth").token("nc", "1").quoted("cnonce", &"c".repeat(300)),
    ];
    for header in cases {
        let verdict = world.check(&[("Authorization", header.clone())]);
        assert!(matches!(verdict, Verdict::Malformed(_)), "{verdict:?} {header:?}");
    }
}

#[test]
fn the_memory_of_counts_is_bounded_and_what_is_forgotten_is_stale() {
    let mut world = World::new();
    world.guard = Guard::new(Settings { windows: 4, ..Settings::new(REALM) }, KEY);
    let mut replays = Vec::new();
    for n in 0..8 {
        world.now = world.now.after(Duration::from_secs(1));
        let mut phone = world.phone("secret");
        phone.challenged(Side::Server, &world.guard.challenge(world.now, [n; 8], false)).unwrap();
        let answer = phone.authorize("REGISTER", URI, b"body", [1; 8]);
        assert_eq!(world.check(&answer), accepted());
        replays.push(answer);
    }
    assert_eq!(world.guard.remembered(), 4);
    for answer in &replays {
        assert_eq!(world.check(answer), Verdict::Stale);
    }
    world.now = world.now.after(Duration::from_secs(400));
    assert_eq!(world.check(&[]), Verdict::Missing);
    assert_eq!(world.guard.remembered(), 0);
}

#[test]
fn a_client_gives_up_when_its_password_is_refused() {
    let world = World::new();
    let challenge = |n, stale| world.guard.challenge(world.now, [n; 8], stale);
    let mut client = world.phone("guess");
    client.challenged(Side::Server, &challenge(1, false)).unwrap();
    client.authorize("REGISTER", URI, b"", [1; 8]);
    assert_eq!(client.challenged(Side::Server, &challenge(2, false)), Err(ClientError::Rejected));
}

#[test]
fn a_client_renews_a_stale_nonce_but_not_for_ever() {
    let world = World::new();
    let challenge = |n, stale| world.guard.challenge(world.now, [n; 8], stale);
    let mut client = world.phone("secret");
    client.challenged(Side::Server, &challenge(1, false)).unwrap();
    for n in 2..=3 {
        client.authorize("REGISTER", URI, b"", [1; 8]);
        client.challenged(Side::Server, &challenge(n, true)).unwrap();
    }
    client.authorize("REGISTER", URI, b"", [1; 8]);
    assert_eq!(client.challenged(Side::Server, &challenge(4, true)), Err(ClientError::Rejected));
    // After a success a new nonce is no refusal, though many servers forget to say stale.
    let mut client = world.phone("secret");
    for n in 0..20 {
        client.challenged(Side::Server, &challenge(n, false)).unwrap();
        let answer = client.authorize("REGISTER", URI, b"", [1; 8]);
        assert_eq!(answer[0].1.get("nc"), Some("00000001"));
        client.accepted();
    }
}

#[test]
fn a_client_answers_server_and_proxy_side_by_side() {
    let world = World::new();
    let proxy = AuthHeader::new("digest").quoted("realm", "proxy").quoted("nonce", "abc").quoted("opaque", "xyz");
    let mut client = world.phone("secret");
    client.challenged(Side::Proxy, &[proxy]).unwrap();
    client.authorize("INVITE", URI, b"", [1; 8]);
    client.challenged(Side::Server, &world.guard.challenge(world.now, [0; 8], false)).unwrap();
    let answer = client.authorize("INVITE", URI, b"", [1; 8]);
    let names: Vec<_> = answer.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["Proxy-Authorization", "Authorization"]);
    assert_eq!(answer[0].1.get("opaque"), Some("xyz"));
    assert_eq!(answer[0].1.get("algorithm"), None, "the proxy named none");
}

#[test]
fn a_client_with_stored_hashes_answers_what_it_has() {
    let mut world = World::new();
    let credentials = Credentials { ha1_sha256: None, ..Credentials::from_password("8001", REALM, "secret") };
    let mut client = Client::new("8001", Secret::Ha1(credentials));
    client.challenged(Side::Server, &world.guard.challenge(world.now, [0; 8], false)).unwrap();
    let answer = client.authorize("REGISTER", URI, b"body", [1; 8]);
    assert_eq!(answer[0].1.get("algorithm"), Some("MD5"));
    assert_eq!(world.check(&answer), accepted());
    let sha512 =
        AuthHeader::new("Digest").quoted("realm", REALM).quoted("nonce", "n").token("algorithm", "SHA-512-256");
    assert_eq!(client.challenged(Side::Server, &[sha512]), Err(ClientError::Unsupported));
}

#[test]
fn stored_hashes_are_read_whole_or_not_at_all() {
    let md5 = "939e7578ed9e3c518a452acee763bce9";
    assert!(Credentials::from_hex(Some(md5), None).unwrap().ha1_md5.is_some());
    assert_eq!(Credentials::from_hex(Some(&md5[1..]), None), Err(CredentialsError::Md5));
    assert_eq!(Credentials::from_hex(None, Some(&"zz".repeat(32))), Err(CredentialsError::Sha256));
    assert_eq!(format!("{:?}", Credentials::from_password("a", "b", "c")), "Credentials(hidden)");
}

fn accepted() -> Verdict {
    Verdict::Accepted { user: "8001".to_owned() }
}

struct World {
    guard: Guard,
    account: Credentials,
    now: Now,
}

impl World {
    fn new() -> World {
        World {
            guard: Guard::new(Settings::new(REALM), KEY),
            account: Credentials::from_password("8001", REALM, "secret"),
            now: Now::default().after(Duration::from_secs(1000)),
        }
    }

    fn phone(&self, password: &str) -> Client {
        Client::new("8001", Secret::Password(password.to_owned()))
    }

    fn challenged_phone(&self, password: &str) -> Client {
        let mut phone = self.phone(password);
        phone.challenged(Side::Server, &self.guard.challenge(self.now, [7; 8], false)).unwrap();
        phone
    }

    /// A challenge of the guard, cut down to one algorithm and qop.
    fn offer(&self, algorithm: Algorithm, qop: Option<&str>) -> AuthHeader {
        let full = &self.guard.challenge(self.now, [5; 8], false)[0];
        let header = AuthHeader::new("Digest")
            .quoted("realm", REALM)
            .quoted("nonce", full.get("nonce").unwrap())
            .token("algorithm", algorithm.name());
        match qop {
            Some(qop) => header.quoted("qop", qop),
            None => header,
        }
    }

    fn check(&mut self, answer: &[(&'static str, AuthHeader)]) -> Verdict {
        let credentials: Vec<AuthHeader> = answer.iter().map(|(_, h)| h.clone()).collect();
        let request = Request { method: "REGISTER", uri: URI, body: b"body", credentials: &credentials };
        self.guard.check(self.now, &request, |user| (user == "8001").then_some(&self.account))
    }
}
