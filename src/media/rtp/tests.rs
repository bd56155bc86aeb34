//! Stories of packets and of the outgoing timeline.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::types::Mono;

const ALAW: u8 = 8;
const EVENT: u8 = 101;

#[test]
fn a_plain_packet_reads_back_as_it_was_written() {
    let stamp = Stamp { payload_type: 8, marker: true, sequence: 65_535, timestamp: 0xffff_ff60, ssrc: 0xdead_beef };
    let mut bytes = [0; 200];
    let length = stamp.write(&[0xd5; 160], &mut bytes);
    let header = Header::parse(&bytes[..length]).unwrap();
    assert_eq!(
        (header.payload_type, header.marker, header.sequence, header.timestamp, header.ssrc),
        (8, true, 65_535, 0xffff_ff60, 0xdead_beef)
    );
    assert_eq!(header.payload(&bytes), [0xd5; 160]);
    let packet = to_packet(&bytes[..length]).unwrap();
    assert_eq!(packet.header.timestamp, 0xffff_ff60);
    assert_eq!(from_packet(&packet).unwrap(), &bytes[..length]);
}

#[test]
fn rewriting_drops_sources_extension_and_padding() {
    let mut bytes = vec![0xb2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    bytes.extend_from_slice(&[9; 8]);
    bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
    bytes.extend_from_slice(b"voice");
    bytes.extend_from_slice(&[0, 0, 3]);
    let header = Header::parse(&bytes).unwrap();
    assert_eq!(header.payload(&bytes), b"voice");
    let stamp = Stamp { payload_type: 0, marker: false, sequence: 7, timestamp: 8, ssrc: 9 };
    let length = stamp.rewrite(&mut bytes, &header);
    assert_eq!(length, 17);
    let rewritten = Header::parse(&bytes[..length]).unwrap();
    assert_eq!(rewritten.payload(&bytes), b"voice");
    assert_eq!((rewritten.sequence, rewritten.timestamp, rewritten.ssrc), (7, 8, 9));
}

#[test]
fn broken_packets_are_refused_with_the_reason() {
    let good = [0x80, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    let with = |first: u8, rest: &[u8]| {
        let mut bytes = good.to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(rest);
        Header::parse(&bytes)
    };
    assert_eq!(Header::parse(&good[..11]), Err(RtpError::Short));
    assert_eq!(with(0x00, &[]), Err(RtpError::Version), "STUN");
    assert_eq!(with(0x8f, &[0; 59]), Err(RtpError::Short), "15 sources announced");
    assert_eq!(with(0x90, &[0, 0, 0]), Err(RtpError::Short), "extension header cut");
    assert_eq!(with(0x90, &[0, 0, 0xff, 0xff]), Err(RtpError::Short), "extension longer than the packet");
    assert_eq!(with(0xa0, &[1, 2, 0]), Err(RtpError::Padding), "padding of nothing");
    assert_eq!(with(0xa0, &[1, 2, 4]), Err(RtpError::Padding), "padding longer than the payload");
    assert_eq!(Header::parse(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]), Err(RtpError::Rtcp));
    assert_eq!(Header::parse(&vec![0x80; 70_000]), Err(RtpError::Long));
}

#[test]
fn whatever_we_read_the_library_reads_alike() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut valid = 0;
    for _ in 0..20_000 {
        let mut bytes = vec![0u8; rng.random_range(0..80)];
        rng.fill(&mut bytes[..]);
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | (*first & 0x33);
        }
        let Ok(header) = Header::parse(&bytes) else { continue };
        // The library checks the inside of extensions too, which we drop unread.
        if bytes[0] & 0x10 != 0 {
            continue;
        }
        valid += 1;
        let packet = to_packet(&bytes).unwrap();
        assert_eq!(packet.payload, header.payload(&bytes));
        assert_eq!(packet.header.ssrc, header.ssrc);
    }
    assert!(valid > 1_000, "{valid} packets were valid");
}

#[test]
fn extended_numbers_survive_wrap_and_reordering() {
    let mut extender = Extender::default();
    let numbers = [65_534u16, 65_535, 1, 0, 2, 65_533];
    let extended: Vec<u64> = numbers.iter().map(|n| extender.extend(*n)).collect();
    assert_eq!(extended, [131_070, 131_071, 131_073, 131_072, 131_074, 131_069]);
    assert_eq!(extender.highest(), Some(131_074));
}

#[test]
fn relay_keeps_loss_reordering_and_silence() {
    let mut world = World::new();
    world.relay(1, 100, 5_000, 0);
    world.relay(1, 101, 5_160, 20);
    // 102 is lost, 104 overtakes 103, then 3 s of silence.
    world.relay(1, 104, 5_640, 80);
    world.relay(1, 103, 5_480, 81);
    let before = world.stamps.len();
    world.relay(1, 105, 5_640 + 24_160, 3_100);
    assert_eq!(world.sequences(), [0, 1, 4, 3, 5]);
    assert_eq!(world.stamps[before].timestamp.wrapping_sub(world.stamps[0].timestamp), 24_800);
    assert_eq!(world.stamps.iter().map(|s| s.marker).collect::<Vec<_>>(), [true, false, false, false, false]);
}

#[test]
fn relay_and_ticks_make_one_stream() {
    let mut world = World::new();
    for i in 0..5 {
        world.tick(i * 20);
    }
    for i in 0..5u16 {
        world.relay(1, 900 + i, 70_000 + u32::from(i) * 160, 100 + u64::from(i) * 20);
    }
    for i in 0..5 {
        world.tick(200 + i * 20);
    }
    assert_eq!(world.sequences(), (0..15).collect::<Vec<u16>>());
    let start = world.stamps[0].timestamp;
    assert_eq!(world.times(), (0..15).map(|i| start.wrapping_add(i * 160)).collect::<Vec<_>>());
    assert!(world.stamps.iter().all(|s| s.ssrc == 77));
    assert_eq!(world.stamps.iter().filter(|s| s.marker).count(), 3, "one for each beginning");
}

#[test]
fn another_speaker_ssrc_or_a_jump_goes_on_right_behind() {
    let mut world = World::new();
    world.relay(1, 100, 5_000, 0);
    world.relay(2, 40_000, 4_000_000_000, 20);
    world.ssrc = 8;
    world.relay(2, 9, 17, 40);
    // A jump of 10 s forward and one back within one stream.
    world.relay(2, 10, 80_017, 60);
    world.relay(2, 11, 177, 80);
    // A sequence jump beyond all loss.
    world.relay(2, 11_000, 337, 100);
    assert_eq!(world.sequences(), [0, 1, 2, 3, 4, 5]);
    let start = world.stamps[0].timestamp;
    assert_eq!(world.times(), (0..6).map(|i| start.wrapping_add(i * 160)).collect::<Vec<_>>());
}

#[test]
fn stragglers_from_before_a_beginning_are_dropped() {
    let mut world = World::new();
    world.relay(1, 100, 5_000, 0);
    world.tick(20);
    world.relay(1, 110, 6_600, 40);
    assert!(world.try_relay(1, 109, 6_440, 41).is_none(), "its number was used by the tick");
    assert_eq!(world.sequences(), [0, 1, 2]);
}

#[test]
fn relayed_events_keep_their_timestamp_even_when_long() {
    let mut world = World::new();
    world.relay(1, 100, 5_000, 0);
    let mut times = Vec::new();
    for i in 0..200u16 {
        let header = world.header(101 + i, 5_160, 4);
        let at = ms(20 + u64::from(i) * 20);
        let stamp = world.sender.relay(1, &header, Kind::Event, EVENT, at).unwrap();
        times.push(stamp.timestamp);
    }
    assert!(times.iter().all(|t| *t == world.stamps[0].timestamp.wrapping_add(160)));
    world.relay(1, 301, 5_160 + 32_000, 4_020);
    assert_eq!(world.stamps[1].timestamp, world.stamps[0].timestamp.wrapping_add(32_160));
    assert_eq!((world.stamps[1].sequence, world.stamps[1].marker), (201, false), "the stream has not begun anew");
}

#[test]
fn our_own_events_leave_no_hole_in_a_relayed_stream() {
    let mut world = World::new();
    world.relay(1, 100, 5_000, 0);
    let start = world.sender.clock(ms(20));
    for _ in 0..8 {
        let packet = EventPacket { payload: [5, 10, 0, 160], marker: false, timestamp: start };
        let stamp = world.sender.event(&packet, EVENT);
        assert_eq!(stamp.timestamp, start);
        world.stamps.push(stamp);
    }
    // Five packets were held back meanwhile.
    world.relay(1, 106, 5_000 + 6 * 160, 180);
    assert_eq!(world.sequences(), (0..10).collect::<Vec<u16>>());
    assert_eq!(world.stamps[9].timestamp, world.stamps[0].timestamp.wrapping_add(960));
}

#[test]
fn eaten_packets_leave_no_hole() {
    let mut world = World::new();
    world.relay(1, 100, 5_000, 0);
    for sequence in 101..105 {
        let header = world.header(sequence, 5_160, 4);
        world.sender.skip(1, &header);
    }
    world.relay(1, 105, 5_800, 100);
    assert_eq!(world.sequences(), [0, 1]);
}

#[test]
fn the_first_sequence_number_leaves_room_before_the_wrap() {
    let seed = Seed { ssrc: 1, sequence: 0xffff, timestamp: 0 };
    assert_eq!(Sender::new(seed).tick(160, ALAW, ms(0)).sequence, 0x7fff);
}

/// Whatever happens to the incoming streams: our numbers never repeat, our timeline follows the clock within the jitter,
/// and our own packets never step back.
#[test]
fn a_thousand_seeded_streams_stay_one_stream() {
    for seed in 0..1_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new();
        let mut used = std::collections::BTreeSet::new();
        let mut first: Option<(u32, u64)> = None;
        let (mut sequence, mut timestamp, mut source) = (rng.random::<u16>(), rng.random::<u32>(), 1u64);
        let mut ticking = false;
        for step in 0..400u64 {
            let now = step * 20;
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(160);
            match rng.random_range(0..100) {
                0 => ticking = !ticking,
                1 => source = 3 - source,
                2 => world.ssrc = rng.random(),
                3 => timestamp = rng.random(),
                4 => sequence = rng.random(),
                5..10 => continue,
                _ => {}
            }
            let late = if rng.random_range(0..20) == 0 { 1 } else { 0 };
            let stamp = if ticking {
                Some(world.sender.tick(160, ALAW, ms(now)))
            } else {
                world.try_relay(source, sequence.wrapping_sub(late), timestamp.wrapping_sub(160 * u32::from(late)), now)
            };
            let Some(stamp) = stamp else { continue };
            // A reordered packet here is a repeated one too: its first copy came on time.
            if late == 0 {
                assert!(used.insert(stamp.sequence), "seed {seed} step {step}: {} sent twice", stamp.sequence);
            }
            let (start, at) = *first.get_or_insert((stamp.timestamp, now));
            let drift = i64::from(stamp.timestamp.wrapping_sub(start) as i32) - (now - at) as i64 * 8;
            assert!(drift.abs() <= 1_600, "seed {seed} step {step}: {drift} ticks away from the clock");
        }
    }
}

fn ms(at: u64) -> Mono {
    Mono(1_000_000_000) + Duration::from_millis(at)
}

struct World {
    sender: Sender,
    ssrc: u32,
    stamps: Vec<Stamp>,
}

impl World {
    fn new() -> Self {
        let seed = Seed { ssrc: 77, sequence: 0, timestamp: 0xffff_fff0 };
        Self { sender: Sender::new(seed), ssrc: 5, stamps: Vec::new() }
    }

    fn header(&self, sequence: u16, timestamp: u32, payload: usize) -> Header {
        let stamp = Stamp { payload_type: ALAW, marker: false, sequence, timestamp, ssrc: self.ssrc };
        let mut bytes = vec![0; HEADER_BYTES + payload];
        stamp.write(&vec![0; payload], &mut bytes);
        Header::parse(&bytes).unwrap()
    }

    fn try_relay(&mut self, source: u64, sequence: u16, timestamp: u32, at: u64) -> Option<Stamp> {
        let header = self.header(sequence, timestamp, 160);
        self.sender.relay(source, &header, Kind::Audio, ALAW, ms(at))
    }

    fn relay(&mut self, source: u64, sequence: u16, timestamp: u32, at: u64) {
        let stamp = self.try_relay(source, sequence, timestamp, at).unwrap();
        self.stamps.push(stamp);
    }

    fn tick(&mut self, at: u64) {
        let stamp = self.sender.tick(160, ALAW, ms(at));
        self.stamps.push(stamp);
    }

    fn sequences(&self) -> Vec<u16> {
        self.stamps.iter().map(|s| s.sequence).collect()
    }

    fn times(&self) -> Vec<u32> {
        self.stamps.iter().map(|s| s.timestamp).collect()
    }
}
