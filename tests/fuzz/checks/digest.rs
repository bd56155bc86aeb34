//! Whatever stands in an Authorization header, nobody gets in without the password, and nothing panics. Whatever stands
//! in a challenge, our answer can be read, and a server that asked soundly accepts it.

use yihao::sip::auth::{Client, Credentials, Guard, Request, Secret, Settings, Side, Verdict};
use yihao::sip::message::{AuthHeader, HeaderValue};
use yihao::types::{Mono, Now, Wall};

const NOW: Now = Now { mono: Mono(1_000_000_000_000), wall: Wall(0) };
const REALM: &str = "12345.example";

/// One input: a header value, read as credentials and as a challenge.
pub(crate) fn run(data: &[u8]) {
    let Ok(header) = AuthHeader::parse(data) else { return };
    let again = AuthHeader::parse(&printed(&header)).expect("our own header is well-formed");
    // Values may lose control bytes when they are printed, names cannot.
    assert!(again.params().map(|(name, _)| name).eq(header.params().map(|(name, _)| name)));
    as_credentials(&header);
    as_challenge(&header);
}

fn printed(header: &AuthHeader) -> Vec<u8> {
    let mut bytes = Vec::new();
    header.write(&mut bytes);
    bytes
}

/// The password is not in the corpus, so each acceptance is a hole.
fn as_credentials(header: &AuthHeader) {
    let account = Credentials::from_password("8001", REALM, "correct horse battery staple");
    let mut guard = Guard::new(Settings::new(REALM), &[7; 32]);
    let credentials = [header.clone()];
    let request = Request { method: "REGISTER", uri: "sip:12345.example", body: b"", credentials: &credentials };
    for known in [Some(&account), None] {
        let verdict = guard.check(NOW, &request, |_| known);
        assert!(!matches!(verdict, Verdict::Accepted { .. } | Verdict::Stale), "{verdict:?}");
    }
    assert_eq!(guard.remembered(), 0, "a refused request leaves no trace");
}

fn as_challenge(header: &AuthHeader) {
    for secret in
        [Secret::Password("secret".to_owned()), Secret::Ha1(Credentials::from_password("8001", REALM, "secret"))]
    {
        let mut client = Client::new("8001", secret);
        if client.challenged(Side::Server, std::slice::from_ref(header)).is_err() {
            continue;
        }
        for (_, answer) in client.authorize("REGISTER", "sip:12345.example", b"", [1; 8]) {
            let read = AuthHeader::parse(&printed(&answer)).expect("our own header is well-formed");
            assert!(["username", "realm", "nonce", "uri", "response"].iter().all(|name| read.get(name).is_some()));
        }
    }
}
