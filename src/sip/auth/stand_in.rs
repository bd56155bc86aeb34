//! Proofs that may be kept: a request that is noted for a replay is judged as it was, and what it holds opens nothing.
//!
//! Each account has a stand-in whose HA1 everybody may know. A response that is right is exchanged for the one that is right
//! under the stand-in, any other for zeros; the rest of the header stays byte for byte, so that every other rule of the
//! guard comes to the same verdict. Knows no message: it is handed the value of one header.

use super::digest::{Credentials, Hex};
use super::nonce::Key;
use super::server::{Claim, Request, is_of_realm};
use crate::sip::message::AuthHeader;

/// Password of every stand-in. It guards nothing.
const PASSWORD: &str = "stand-in";

impl Credentials {
    /// What stands in for an account of these algorithms.
    pub fn stand_in(user: &str, realm: &str, md5: bool, sha256: bool) -> Credentials {
        let all = Credentials::from_password(user, realm, PASSWORD);
        Credentials { ha1_md5: all.ha1_md5.filter(|_| md5), ha1_sha256: all.ha1_sha256.filter(|_| sha256) }
    }
}

/// The value of a credentials header as it may be kept. `kept_body` is the body that will be kept with it, which `auth-int`
/// protects; `account` gives what is stored of a user, and its stand-in.
pub fn keepable<'c>(
    realm: &str,
    value: &[u8],
    request: Option<&Request<'_>>,
    kept_body: &[u8],
    account: impl FnOnce(&str) -> Option<(&'c Credentials, &'c Credentials)>,
) -> Vec<u8> {
    let mut kept = value.to_vec();
    let Some(header) = AuthHeader::parse(value).ok().filter(|header| is_of_realm(header, realm)) else {
        // Another scheme or realm: nobody here looks at it, and it may hold anything.
        blank(&mut kept);
        return kept;
    };
    let Some(place) = AuthHeader::place_of(value, "response") else { return kept };
    let response = &mut kept[place];
    blank(response);
    let proved = request.and_then(|request| exchanged(&header, request, kept_body, account));
    for (sign, digit) in response.iter_mut().filter(|sign| **sign == b'0').zip(proved.iter().flat_map(Hex::bytes)) {
        *sign = *digit;
    }
    kept
}

/// Puts zeros for all letters and digits, so that length and structure stay.
pub fn blank(text: &mut [u8]) {
    text.iter_mut().filter(|sign| sign.is_ascii_alphanumeric()).for_each(|sign| *sign = b'0');
}

/// The response under the stand-in, where the one in the header is right.
fn exchanged<'c>(
    header: &AuthHeader,
    request: &Request<'_>,
    kept_body: &[u8],
    account: impl FnOnce(&str) -> Option<(&'c Credentials, &'c Credentials)>,
) -> Option<Hex> {
    let claim = Claim::read(header).ok()?;
    let (stored, stand_in) = account(claim.user)?;
    let (stored, stand_in) = (stored.ha1(claim.algorithm)?, stand_in.ha1(claim.algorithm)?);
    let right = claim.response_of(request, &stored);
    // The key only makes the comparison take the same time for all texts.
    let is_right = Key::new(&[0; 32]).same(right.bytes(), claim.response.to_ascii_lowercase().as_bytes());
    is_right.then(|| claim.response_of(&Request { body: kept_body, ..*request }, &stand_in))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Client, Guard, Secret, Settings, Side, Verdict};
    use super::*;
    use crate::sip::message::HeaderValue;
    use crate::types::{Mono, Now, Wall};

    const REALM: &str = "yihao";
    const NOW: Now = Now { mono: Mono(9_000_000_000), wall: Wall(0) };

    struct Asked {
        guard: Guard,
        real: Credentials,
        stand_in: Credentials,
    }

    fn asked() -> Asked {
        Asked {
            guard: Guard::new(Settings::new(REALM), &[7; 32]),
            real: Credentials::from_password("8001", REALM, "geheim"),
            stand_in: Credentials::stand_in("8001", REALM, true, true),
        }
    }

    /// The value of the Authorization header with which a phone answers the challenge of this algorithm and qop.
    fn answer(asked: &Asked, password: &str, algorithm: usize, qop: &str, body: &[u8]) -> Vec<u8> {
        let challenge = asked.guard.challenge(NOW, [3; 8], false).remove(algorithm);
        let challenge = challenge.params().fold(AuthHeader::new("Digest"), |header, (name, value)| {
            if name != "qop" {
                header.quoted(name, value)
            } else if qop.is_empty() {
                header
            } else {
                header.quoted(name, qop)
            }
        });
        let mut client = Client::new("8001", Secret::Password(password.to_owned()));
        client.challenged(Side::Server, &[challenge]).expect("can be answered");
        let (_, header) = client.authorize("REGISTER", "sip:yihao", body, [5; 8]).remove(0);
        let mut value = Vec::new();
        header.write(&mut value);
        value
    }

    fn request(body: &[u8]) -> Request<'_> {
        Request { method: "REGISTER", uri: "sip:yihao", body, credentials: &[] }
    }

    fn kept(asked: &Asked, value: &[u8], body: &[u8], kept_body: &[u8]) -> Vec<u8> {
        keepable(REALM, value, Some(&request(body)), kept_body, |user| {
            (user == "8001").then_some((&asked.real, &asked.stand_in))
        })
    }

    fn verdict(value: &[u8], body: &[u8], account: &Credentials, at: Now) -> Verdict {
        let credentials: Vec<AuthHeader> = AuthHeader::parse(value).into_iter().collect();
        asked().guard.check(at, &Request { credentials: &credentials, ..request(body) }, |user| {
            (user == "8001").then_some(account)
        })
    }

    #[test]
    fn what_is_kept_is_judged_as_the_original_and_holds_no_proof_of_the_account() {
        let asked = asked();
        let late = Now { mono: NOW.mono + Duration::from_secs(900), ..NOW };
        for algorithm in [0, 1] {
            for qop in ["auth", "auth-int", ""] {
                for (password, at) in [("geheim", NOW), ("geheim", late), ("wrong", NOW)] {
                    let value = answer(&asked, password, algorithm, qop, b"key one");
                    let kept = kept(&asked, &value, b"key one", b"key two");
                    let before = verdict(&value, b"key one", &asked.real, at);
                    assert_eq!(before, verdict(&kept, b"key two", &asked.stand_in, at), "{algorithm} {qop} {password}");
                    assert_eq!(kept.len(), value.len());
                    assert_eq!(verdict(&kept, b"key two", &asked.real, at), Verdict::Refused, "it opens nothing");
                }
            }
        }
    }

    #[test]
    fn upper_case_and_escapes_are_as_good_as_they_were() {
        let asked = asked();
        let value = String::from_utf8(answer(&asked, "geheim", 1, "auth", b"")).expect("text");
        let place = AuthHeader::place_of(value.as_bytes(), "response").expect("is there");
        let shouted = value[place.clone()].to_uppercase();
        let odd = value.replace(&value[place], &shouted.replacen('"', "\"\\", 1));
        let kept = kept(&asked, odd.as_bytes(), b"", b"");
        let accepted = Verdict::Accepted { user: "8001".to_owned() };
        assert_eq!(verdict(odd.as_bytes(), b"", &asked.real, NOW), accepted);
        assert_eq!(verdict(&kept, b"", &asked.stand_in, NOW), accepted);
    }

    #[test]
    fn what_nobody_here_looks_at_is_blanked_whole() {
        let asked = asked();
        for foreign in ["Basic ODAwMTpnZWhlaW0=", "Digest realm=\"other\", response=\"abc\"", "junk"] {
            let kept = String::from_utf8(kept(&asked, foreign.as_bytes(), b"", b"")).expect("text");
            assert!(kept.len() == foreign.len() && !kept.contains(|c: char| c.is_ascii_alphabetic()), "{kept}");
        }
        let bare = b"Digest realm=\"yihao\", username=\"response=8\"";
        assert_eq!(kept(&asked, bare, b"", b""), bare, "a name in a quoted text is none");
    }

    #[test]
    fn an_unknown_user_is_refused_in_either() {
        let asked = asked();
        let value = answer(&asked, "geheim", 0, "auth", b"");
        let value = String::from_utf8(value).expect("text").replace("\"8001\"", "\"8009\"");
        let kept = kept(&asked, value.as_bytes(), b"", b"");
        assert_eq!(verdict(&kept, b"", &asked.stand_in, NOW), Verdict::Refused);
        assert!(String::from_utf8(kept).expect("text").contains(&"0".repeat(64)));
    }
}
