//! Stories of secure legs.

use super::*;

const A: u8 = 1;
const B: u8 = 2;

#[test]
fn what_one_side_protects_the_other_reads_in_both_suites() {
    for suite in [CryptoSuite::Aes128Sha1_80, CryptoSuite::Aes128Sha1_32] {
        let (mut a, mut b) = pair(suite);
        let plain = packet(7, 1);
        let sealed = a.protect_rtp(&plain).unwrap();
        let tag = if suite == CryptoSuite::Aes128Sha1_80 { 10 } else { 4 };
        assert_eq!(sealed.len(), plain.len() + tag);
        assert_ne!(sealed[12..24], plain[12..24]);
        assert_eq!(b.unprotect_rtp(&sealed).unwrap(), plain);
        let report = rtcp(7);
        let sealed = b.protect_rtcp(&report).unwrap();
        assert_eq!(a.unprotect_rtcp(&sealed).unwrap(), report);
    }
}

#[test]
fn forged_changed_repeated_and_plain_packets_are_refused() {
    let (mut a, mut b) = pair(CryptoSuite::Aes128Sha1_80);
    let sealed = a.protect_rtp(&packet(7, 1)).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(b.unprotect_rtp(&changed).is_err(), "byte {at}");
    }
    assert_eq!(b.unprotect_rtp(&packet(7, 2)), Err(SrtpError::Refused));
    assert!(b.unprotect_rtp(&sealed).is_ok());
    assert_eq!(b.unprotect_rtp(&sealed), Err(SrtpError::Refused), "a replay");
    assert_eq!(b.unprotect_rtp(&[]), Err(SrtpError::Refused));
    assert_eq!(b.unprotect_rtcp(&[0x80; 5]), Err(SrtpError::Refused));
    assert_eq!(a.protect_rtp(&[1, 2, 3]), Err(SrtpError::Unprotectable));
}

#[test]
fn the_rollover_count_survives_a_refresh_with_the_same_keys() {
    let (mut a, mut b) = pair(CryptoSuite::Aes128Sha1_80);
    talk(&mut a, &mut b, 65_000, 2_000);
    a.rekey(&key(A, CryptoSuite::Aes128Sha1_80), &key(B, CryptoSuite::Aes128Sha1_80)).unwrap();
    b.rekey(&key(B, CryptoSuite::Aes128Sha1_80), &key(A, CryptoSuite::Aes128Sha1_80)).unwrap();
    talk(&mut a, &mut b, 67_000, 100);
}

#[test]
fn the_rollover_count_goes_on_under_another_key() {
    let (mut a, mut b) = pair(CryptoSuite::Aes128Sha1_80);
    talk(&mut a, &mut b, 10, 200_000);
    a.rekey(&key(3, CryptoSuite::Aes128Sha1_80), &key(4, CryptoSuite::Aes128Sha1_80)).unwrap();
    b.rekey(&key(4, CryptoSuite::Aes128Sha1_80), &key(3, CryptoSuite::Aes128Sha1_80)).unwrap();
    let mut late = Srtp::new(&key(4, CryptoSuite::Aes128Sha1_80), &key(3, CryptoSuite::Aes128Sha1_80)).unwrap();
    let sealed = a.protect_rtp(&packet(7, 200_010)).unwrap();
    assert!(late.unprotect_rtp(&sealed).is_err(), "the count is part of the signature and is not zero");
    assert!(b.unprotect_rtp(&sealed).is_ok());
    talk(&mut a, &mut b, 200_011, 70_000);
}

#[test]
fn a_far_end_that_counts_anew_under_another_key_is_heard() {
    let (mut a, mut b) = pair(CryptoSuite::Aes128Sha1_80);
    talk(&mut a, &mut b, 60_000, 10_000);
    let (mine, theirs) = (key(3, CryptoSuite::Aes128Sha1_80), key(4, CryptoSuite::Aes128Sha1_80));
    a.rekey(&mine, &theirs).unwrap();
    let mut fresh = Srtp::new(&theirs, &mine).unwrap();
    let sealed = fresh.protect_rtp(&packet(7, 70_000)).unwrap();
    let mut changed = sealed.clone();
    changed[20] ^= 1;
    // What `a` sent before is not what `fresh` says: it is a new far end for `a`.
    let mut c = Srtp::new(&mine, &key(5, CryptoSuite::Aes128Sha1_80)).unwrap();
    let mut d = Srtp::new(&key(5, CryptoSuite::Aes128Sha1_80), &mine).unwrap();
    talk(&mut d, &mut c, 60_000, 10_000);
    c.rekey(&mine, &theirs).unwrap();
    assert!(c.unprotect_rtp(&changed).is_err());
    assert!(c.unprotect_rtp(&sealed).is_ok(), "its first packet has a count of zero");
    talk(&mut fresh, &mut c, 70_001, 100);
}

#[test]
fn a_flood_of_forged_sources_leaves_no_trace() {
    let (mut a, mut b) = pair(CryptoSuite::Aes128Sha1_80);
    talk(&mut a, &mut b, 0, 10);
    for ssrc in 0..5_000 {
        let mut forged = packet(100 + ssrc, 1);
        forged.extend_from_slice(&[0; 10]);
        assert!(b.unprotect_rtp(&forged).is_err());
        let mut forged = rtcp(100 + ssrc);
        forged.extend_from_slice(&[0; 14]);
        assert!(b.unprotect_rtcp(&forged).is_err());
    }
    assert_eq!((b.incoming.sources.len(), b.incoming.rtcp_sources.len()), (1, 0));
    assert!(b.incoming.trials <= MAX_TRIALS);
    talk(&mut a, &mut b, 10, 10);
}

#[test]
fn sdes_keys_read_back_and_strange_ones_are_refused() {
    let suite = CryptoSuite::Aes128Sha1_80;
    let text = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let read = parse_inline(suite, text).unwrap();
    assert_eq!(&read.key_salt[..], b"YS___semctl () {\t220;}\n}\nunles");
    assert_eq!(print_inline(&read), text);
    assert_eq!(parse_inline(suite, &format!("{text}|2^20")), Ok(read.clone()));
    assert_eq!(parse_inline(suite, &format!("{text}|1048576")), Ok(read.clone()));
    assert_eq!(parse_inline(suite, &format!("{text}==")), Ok(read));
    assert_eq!(parse_inline(suite, &format!("{text}|2^20|1:4")), Err(KeyTextError::Mki));
    assert_eq!(parse_inline(suite, &format!("{text}|x")), Err(KeyTextError::Lifetime));
    assert_eq!(parse_inline(suite, &text[..45]), Err(KeyTextError::Base64));
    assert_eq!(parse_inline(suite, "inline:"), Err(KeyTextError::Base64));
    assert_eq!(parse_inline(suite, "uri:http://x"), Err(KeyTextError::Method));
    assert_eq!(parse_suite("aes_cm_128_hmac_sha1_32"), Some(CryptoSuite::Aes128Sha1_32));
    assert_eq!(parse_suite("F8_128_HMAC_SHA1_80"), None);
}

#[test]
fn keys_do_not_show_in_debug_output() {
    let (a, _) = pair(CryptoSuite::Aes128Sha1_80);
    assert!(!format!("{a:?}").contains('1') || format!("{a:?}").contains("hidden"));
}

fn key(seed: u8, suite: CryptoSuite) -> SrtpKey {
    SrtpKey { suite, key_salt: std::array::from_fn(|i| seed.wrapping_mul(37).wrapping_add(i as u8)) }
}

fn pair(suite: CryptoSuite) -> (Srtp, Srtp) {
    let (a, b) = (key(A, suite), key(B, suite));
    (Srtp::new(&a, &b).unwrap(), Srtp::new(&b, &a).unwrap())
}

/// `count` packets from `from`, each heard.
fn talk(from_side: &mut Srtp, to_side: &mut Srtp, from: u32, count: u32) {
    for number in from..from + count {
        let plain = packet(7, number);
        let sealed = from_side.protect_rtp(&plain).unwrap();
        assert_eq!(to_side.unprotect_rtp(&sealed).unwrap(), plain, "packet {number}");
    }
}

fn packet(ssrc: u32, number: u32) -> Vec<u8> {
    let stamp =
        Stamp { payload_type: 8, marker: false, sequence: number as u16, timestamp: number.wrapping_mul(160), ssrc };
    let mut bytes = vec![0; 12 + 20];
    stamp.write(&[0xd5; 20], &mut bytes);
    bytes
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes
}
