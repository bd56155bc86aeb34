//! Whatever the bytes, reading a session description does not panic; what was read is printed and read again the same,
//! and every answer of ours can be read by the other side.

use yihao::sip::negotiate::{self, LocalMedia};
use yihao::sip::sdp::Sdp;
use yihao::types::{Codec, CryptoSuite, Direction, SrtpKey};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Ok(sdp) = Sdp::parse(data) else { return };
    let printed = sdp.to_string();
    let again = Sdp::parse(printed.as_bytes()).expect("our own description is well-formed");
    assert_eq!(again.to_string(), printed);
    for keys in [Vec::new(), vec![SrtpKey { suite: CryptoSuite::Aes128Sha1_80, key_salt: [7; 30] }]] {
        let local = LocalMedia {
            address: "192.0.2.1".parse().expect("is an address"),
            port: 20_000,
            session: 1,
            version: 1,
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
            keys,
            direction: Direction::SendRecv,
            may_latch: false,
        };
        let _ = negotiate::accept(data, &local);
        let _ = negotiate::offer_again(&local, data);
        let Ok((answer, params)) = negotiate::answer(data, &local) else { continue };
        let answered = Sdp::parse(answer.as_bytes()).expect("our own answer is well-formed");
        assert_eq!(answered.media.len(), sdp.media.len());
        assert_eq!(answered.media.iter().filter(|media| media.port != 0).count(), 1);
        assert_eq!(params.srtp.is_some(), !local.keys.is_empty());
        assert!(matches!(params.ptime_ms, 10 | 20 | 30 | 40 | 60));
    }
}
