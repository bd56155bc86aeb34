//! Whatever the bytes, reading a session description does not panic; what was read is printed and read again the same,
//! and every answer of ours can be read by the other side.

use yihao::sip::negotiate::{self, LocalMedia, Protection};
use yihao::sip::sdp::Sdp;
use yihao::types::{Codec, CryptoSuite, Direction, SrtpKey};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Ok(sdp) = Sdp::parse(data) else { return };
    let printed = sdp.to_string();
    let again = Sdp::parse(printed.as_bytes()).expect("our own description is well-formed");
    assert_eq!(again.to_string(), printed);
    let keys = || vec![SrtpKey { suite: CryptoSuite::Aes128Sha1_80, key_salt: [7; 30] }];
    for protection in [Protection::Plain, Protection::Srtp(keys()), Protection::Either(keys())] {
        let local = LocalMedia {
            address: "192.0.2.1".parse().expect("is an address"),
            port: 20_000,
            session: 1,
            version: 1,
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
            comfort_noise: false,
            protection,
            direction: Direction::SendRecv,
            may_latch: false,
        };
        let _ = negotiate::accept(data, &local);
        let _ = negotiate::offer_again(&local, data);
        let Ok((answer, params)) = negotiate::answer(data, &local) else { continue };
        let answered = Sdp::parse(answer.as_bytes()).expect("our own answer is well-formed");
        assert_eq!(answered.media.len(), sdp.media.len());
        assert_eq!(answered.media.iter().filter(|media| media.port != 0).count(), 1);
        match local.protection {
            Protection::Plain => assert!(params.srtp.is_none()),
            Protection::Srtp(_) => assert!(params.srtp.is_some()),
            Protection::Either(_) => {}
        }
        assert!(matches!(params.ptime_ms, 10 | 20 | 30 | 40 | 60));
    }
}
