//! Stories of latching (media.md, bound 7).

use super::*;
use crate::media::rtp::{HEADER_BYTES, Stamp};

#[test]
fn packets_from_the_sdp_address_are_taken_at_once_and_lock_it() {
    let mut world = World::new(true);
    assert_eq!(world.packet(SDP, 0, 0), Verdict::Accept);
    for i in 1..20 {
        assert_eq!(world.packet(NAT, i, u64::from(i) * 20), Verdict::Refuse);
    }
    assert_eq!(world.latch.send_to(), addr(SDP));
}

#[test]
fn a_phone_behind_nat_is_latched_by_its_fourth_packet() {
    let mut world = World::new(true);
    let verdicts: Vec<_> = (0..5).map(|i| world.packet(NAT, i, u64::from(i) * 20)).collect();
    assert_eq!(verdicts, [Verdict::Refuse, Verdict::Refuse, Verdict::Refuse, Verdict::Latched, Verdict::Accept]);
    assert_eq!(world.latch.send_to(), addr(NAT));
    assert!(world.latch.is_latched());
}

#[test]
fn nothing_is_sent_to_a_source_before_it_is_latched() {
    let mut world = World::new(true);
    for i in 0..3 {
        world.packet(NAT, i, u64::from(i) * 20);
        assert_eq!(world.latch.send_to(), addr(SDP));
        assert_eq!(world.latch.rtcp_to(), addr(SDP_RTCP));
    }
}

#[test]
fn once_latched_no_other_source_is_taken_not_even_the_sdp_address() {
    let mut world = World::new(true);
    world.latch_nat();
    for i in 0..20 {
        assert_eq!(world.packet(EVIL, i, 100 + u64::from(i) * 20), Verdict::Refuse);
        assert_eq!(world.packet(SDP, i, 100 + u64::from(i) * 20), Verdict::Refuse);
    }
    assert_eq!(world.latch.send_to(), addr(NAT));
}

#[test]
fn trunks_never_latch() {
    let mut world = World::new(false);
    for i in 0..20 {
        assert_eq!(world.packet(NAT, i, u64::from(i) * 20), Verdict::Refuse);
    }
    assert_eq!(world.packet(SDP, 0, 400), Verdict::Accept);
}

#[test]
fn after_five_seconds_it_is_too_late() {
    let mut world = World::new(true);
    for i in 0..20 {
        assert_eq!(world.packet(NAT, i, 4_950 + u64::from(i) * 20), Verdict::Refuse);
    }
}

#[test]
fn a_new_offer_opens_the_window_again_and_keeps_the_latch_meanwhile() {
    let mut world = World::new(true);
    world.latch_nat();
    world.latch.renegotiated(addr(SDP), addr(SDP_RTCP), true, at(60_000));
    assert_eq!(world.latch.send_to(), addr(NAT), "a refresh changes nothing");
    assert_eq!(world.packet(NAT, 100, 60_020), Verdict::Accept);
    assert_eq!(world.packet(EVIL, 0, 60_040), Verdict::Refuse, "the latched source has spoken");
    world.latch.renegotiated(addr(SDP), addr(SDP_RTCP), true, at(90_000));
    let verdicts: Vec<_> = (0..4).map(|i| world.packet(MOVED, i, 90_000 + u64::from(i) * 20)).collect();
    assert_eq!(verdicts[3], Verdict::Latched, "the NAT binding has moved");
    world.latch.renegotiated(addr(EVIL), addr(EVIL), true, at(100_000));
    assert_eq!(world.latch.send_to(), addr(EVIL), "another SDP address counts at once");
}

#[test]
fn a_wrong_payload_type_a_gap_or_another_ssrc_does_not_count() {
    let mut world = World::new(true);
    for i in 0..20 {
        let header = header(5, i, u32::from(i) * 160);
        let verdict = world.latch.packet(addr(NAT), &header, false, at(u64::from(i) * 20));
        assert_eq!(verdict, Verdict::Refuse);
    }
    for i in 0..20u16 {
        assert_eq!(world.packet(NAT, i * 2, 400 + u64::from(i) * 20), Verdict::Refuse, "every other packet");
    }
    for i in 0..20u16 {
        let header = header(u32::from(i), i, u32::from(i) * 160);
        assert_eq!(world.latch.packet(addr(NAT), &header, true, at(800 + u64::from(i) * 20)), Verdict::Refuse);
    }
}

#[test]
fn two_sources_in_turn_never_have_four_consecutive_packets() {
    let mut world = World::new(true);
    for i in 0..20u16 {
        assert_eq!(world.packet(NAT, i, u64::from(i) * 20), Verdict::Refuse);
        assert_eq!(world.packet(EVIL, i, u64::from(i) * 20 + 5), Verdict::Refuse);
    }
}

#[test]
fn a_burst_is_not_real_time() {
    let mut world = World::new(true);
    for i in 0..10 {
        assert_eq!(world.packet(NAT, i, 0), Verdict::Refuse);
    }
}

#[test]
fn rtcp_follows_the_stream() {
    let mut world = World::new(true);
    assert!(world.latch.rtcp_packet(addr(SDP_RTCP)));
    assert!(!world.latch.rtcp_packet(addr("203.0.113.9:40001")));
    world.latch_nat();
    assert_eq!(world.latch.rtcp_to(), addr("203.0.113.9:40001"), "the next port is the first guess");
    assert!(!world.latch.rtcp_packet(addr("198.51.100.66:40001")));
    assert!(world.latch.rtcp_packet(addr("203.0.113.9:51000")), "its own port, shown once");
    assert_eq!(world.latch.rtcp_to(), addr("203.0.113.9:51000"));
    assert!(!world.latch.rtcp_packet(addr("203.0.113.9:51002")));
}

const SDP: &str = "10.0.0.5:4000";
const SDP_RTCP: &str = "10.0.0.5:4001";
const NAT: &str = "203.0.113.9:40000";
const MOVED: &str = "203.0.113.9:40500";
const EVIL: &str = "198.51.100.66:666";

struct World {
    latch: Latch,
}

impl World {
    fn new(may_latch: bool) -> Self {
        Self { latch: Latch::new(addr(SDP), addr(SDP_RTCP), may_latch, at(0)) }
    }

    fn packet(&mut self, from: &str, sequence: u16, ms: u64) -> Verdict {
        let header = header(5, sequence, u32::from(sequence) * 160);
        self.latch.packet(addr(from), &header, true, at(ms))
    }

    fn latch_nat(&mut self) {
        for i in 0..4 {
            self.packet(NAT, i, u64::from(i) * 20);
        }
        assert!(self.latch.is_latched());
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(ms: u64) -> Mono {
    Mono(ms * 1_000_000)
}

fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
    let mut bytes = [0; HEADER_BYTES];
    Stamp { payload_type: 8, marker: false, sequence, timestamp, ssrc }.write(&[], &mut bytes);
    Header::parse(&bytes).unwrap()
}
