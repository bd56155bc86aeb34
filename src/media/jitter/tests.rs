//! Stories of the jitter buffer, in virtual time.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::media::rtp::{HEADER_BYTES, Stamp};

#[test]
fn steady_packets_come_out_in_order_after_40_to_60_ms() {
    for phase in 0..20 {
        let mut world = World::new(phase);
        for i in 0..200 {
            world.send(i, i * 20);
        }
        world.run(4_300);
        let (first, pulled) = world.out[0];
        assert_eq!(pulled, Out::Frame(0));
        assert!((40..=60).contains(&first), "phase {phase}: waited {first} ms");
        let frames: Vec<_> = world.out.iter().take(200).map(|(_, out)| *out).collect();
        assert_eq!(frames, (0..200).map(|i| Out::Frame(i as u8)).collect::<Vec<_>>());
        assert_eq!((world.buffer.late(), world.buffer.concealed()), (0, 5), "only the end was concealed");
    }
}

#[test]
fn lost_packets_are_holes_of_the_same_length() {
    let mut world = World::new(0);
    for i in (0..100).filter(|i| i % 10 != 7) {
        world.send(i, i * 20);
    }
    world.run(2_000);
    assert_eq!(world.frames()[..20].iter().filter(|out| **out == Out::Missing).count(), 2);
    assert_eq!(world.frames()[7], Out::Missing);
    assert_eq!(world.frames()[8], Out::Frame(8));
}

#[test]
fn reordered_and_repeated_packets_come_out_once_and_in_order() {
    let mut world = World::new(3);
    for i in 0..50 {
        world.send(i, if i % 5 == 2 { i * 20 + 25 } else { i * 20 });
        world.send(i, i * 20 + 30);
    }
    world.run(1_100);
    assert_eq!(world.frames()[..50], (0..50).map(|i| Out::Frame(i as u8)).collect::<Vec<_>>());
    assert_eq!(world.buffer.late(), 0);
}

#[test]
fn the_second_packet_may_come_first() {
    let mut world = World::new(0);
    world.send(1, 0);
    world.send(0, 3);
    for i in 2..10 {
        world.send(i, i * 20);
    }
    world.run(300);
    assert_eq!(world.frames()[..10], (0..10).map(|i| Out::Frame(i as u8)).collect::<Vec<_>>());
}

#[test]
fn late_packets_build_up_delay_and_calm_gives_it_back() {
    let mut world = World::new(0);
    // 80 ms of jitter for 4 s, then none for 20 s.
    for i in 0..1_200u64 {
        let wait = if i < 200 && i % 4 == 0 { 80 } else { 0 };
        world.send(i, i * 20 + wait);
    }
    world.run(3_900);
    let late_early = world.buffer.late();
    assert!((1..=4).contains(&late_early), "{late_early} late while learning");
    assert!(world.buffer.delay() >= Duration::from_millis(80), "{:?}", world.buffer.delay());
    world.run(24_000);
    assert_eq!(world.buffer.late(), late_early, "none late once learnt");
    assert!(world.buffer.delay() <= Duration::from_millis(80), "{:?}", world.buffer.delay());
}

#[test]
fn delay_never_grows_beyond_200_ms() {
    for seed in 0..50 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new(seed % 20);
        for i in 0..1_000u64 {
            world.send(i, i * 20 + rng.random_range(0..400));
        }
        world.run(25_000);
        assert!(world.worst_wait <= 220, "seed {seed}: a packet waited {} ms", world.worst_wait);
    }
}

#[test]
fn a_burst_after_a_stall_does_not_leave_its_delay_behind() {
    let mut world = World::new(0);
    for i in 0..400u64 {
        let at = if (50..75).contains(&i) { 1_500 } else { i * 20 };
        world.send(i, at);
    }
    world.run(7_900);
    assert!(world.buffer.delay() <= Duration::from_millis(120), "{:?}", world.buffer.delay());
    let tail = &world.frames()[world.frames().len() - 50..];
    assert!(tail.iter().all(|out| matches!(out, Out::Frame(_))));
}

#[test]
fn silence_after_comfort_noise_is_comfort_and_audio_returns_at_its_time() {
    let mut world = World::new(0);
    for i in 0..10 {
        world.send(i, i * 20);
    }
    world.comfort(10, 200);
    for i in 100..110 {
        world.send(i, i * 20);
    }
    world.run(2_300);
    let frames = world.frames();
    assert!(frames[10..100].iter().all(|out| *out == Out::Comfort), "{:?}", &frames[..20]);
    assert_eq!(frames[100], Out::Frame(100));
}

#[test]
fn another_ssrc_or_a_jump_over_a_second_begins_anew() {
    let mut world = World::new(0);
    for i in 0..10 {
        world.send(i, i * 20);
    }
    world.ssrc = 9;
    for i in 10..20 {
        world.send_as(i, i * 20, 7_777_777 + (i as u32) * 160);
    }
    for i in 20..30 {
        world.send_as(i, i * 20, 7_777_777 + 9_000 + (i as u32) * 160);
    }
    world.run(800);
    let heard: Vec<u8> =
        world.frames().iter().filter_map(|out| if let Out::Frame(n) = out { Some(*n) } else { None }).collect();
    for begin in [0, 10, 20] {
        assert!(heard.contains(&begin), "{begin} was not heard: {heard:?}");
    }
}

#[test]
fn a_far_end_whose_clock_stood_still_is_heard_again() {
    let mut world = World::new(0);
    for i in 0..50 {
        world.send(i, i * 20);
    }
    // A pause of 600 ms during which its timestamps did not move.
    for i in 50..150 {
        world.send(i, i * 20 + 600);
    }
    world.run(3_700);
    let frames = world.frames();
    let heard = frames[frames.len() - 60..].iter().filter(|out| matches!(out, Out::Frame(_))).count();
    assert!(heard >= 50, "{heard} of the last 60");
    assert!(world.buffer.late() <= u64::from(LATE_RUN));
}

#[test]
fn packets_of_10_30_and_60_ms_are_one_stream() {
    for bytes in [80u32, 240, 480] {
        let mut world = World::new(5);
        let lasts = u64::from(bytes / 8);
        for i in 0..(2_400 / lasts) {
            world.packet(vec![(i % 200) as u8; bytes as usize], 1_000 + bytes * i as u32, i * lasts);
        }
        world.run(2_300);
        let missing = world.frames().iter().filter(|out| **out == Out::Missing).count();
        assert_eq!(missing, 0, "packets of {lasts} ms");
    }
}

#[test]
fn seeded_networks_never_repeat_or_reorder_a_frame() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new(seed % 20);
        let spread = rng.random_range(1..120);
        for i in 0..250u64 {
            if rng.random_range(0..100) < 5 {
                continue;
            }
            world.send(i, i * 20 + rng.random_range(0..spread));
            if rng.random_range(0..100) < 3 {
                world.send(i, i * 20 + rng.random_range(0..spread));
            }
        }
        world.run(5_500);
        let heard: Vec<u8> =
            world.frames().iter().filter_map(|out| if let Out::Frame(n) = out { Some(*n) } else { None }).collect();
        assert!(heard.is_sorted_by(|a, b| a < b), "seed {seed}: {heard:?}");
        assert!(heard.len() >= 200, "seed {seed}: {} frames heard", heard.len());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Frame(u8),
    Missing,
    Comfort,
    Silence,
}

/// A network and a listener that pulls each 20 ms.
struct World {
    buffer: Box<Buffer>,
    ssrc: u32,
    phase: u64,
    now: u64,
    /// Arrival in ms, source, timestamp, payload; no payload is comfort noise.
    wire: Vec<(u64, u32, u32, Vec<u8>)>,
    out: Vec<(u64, Out)>,
    arrived: [u64; 256],
    worst_wait: u64,
}

impl World {
    fn new(phase: u64) -> Self {
        Self {
            buffer: Box::default(),
            ssrc: 1,
            phase,
            now: 0,
            wire: Vec::new(),
            out: Vec::new(),
            arrived: [0; 256],
            worst_wait: 0,
        }
    }

    fn send(&mut self, number: u64, at: u64) {
        self.send_as(number, at, 0xffff_f000u32.wrapping_add(number as u32 * 160));
    }

    fn send_as(&mut self, number: u64, at: u64, timestamp: u32) {
        self.packet(vec![number as u8; 160], timestamp, at);
    }

    fn packet(&mut self, payload: Vec<u8>, timestamp: u32, at: u64) {
        self.wire.push((at, self.ssrc, timestamp, payload));
    }

    fn comfort(&mut self, number: u64, at: u64) {
        self.wire.push((at, self.ssrc, 0xffff_f000u32.wrapping_add(number as u32 * 160), Vec::new()));
    }

    fn run(&mut self, until: u64) {
        self.wire.sort_by_key(|packet| packet.0);
        while self.now <= until {
            while self.wire.first().is_some_and(|packet| packet.0 <= self.now) {
                let (at, ssrc, timestamp, payload) = self.wire.remove(0);
                let header = header(ssrc, timestamp, &payload);
                match payload.first() {
                    Some(number) => {
                        self.arrived[usize::from(*number)] = at;
                        self.buffer.push(&header, &payload, Mono(at * 1_000_000));
                    }
                    None => self.buffer.comfort_noise(&header),
                }
            }
            if self.now % 20 == self.phase {
                self.pull();
            }
            self.now += 1;
        }
    }

    fn pull(&mut self) {
        let mut frame = [0; 160];
        let out = match self.buffer.pull(&mut frame, Mono(self.now * 1_000_000)) {
            Pulled::Frame => {
                self.worst_wait = self.worst_wait.max(self.now - self.arrived[usize::from(frame[0])]);
                Out::Frame(frame[0])
            }
            Pulled::Missing => Out::Missing,
            Pulled::Comfort => Out::Comfort,
            Pulled::Silence => Out::Silence,
        };
        if !self.out.is_empty() || out != Out::Silence {
            self.out.push((self.now, out));
        }
    }

    fn frames(&self) -> Vec<Out> {
        self.out.iter().map(|(_, out)| *out).collect()
    }
}

fn header(ssrc: u32, timestamp: u32, payload: &[u8]) -> Header {
    let mut bytes = vec![0; HEADER_BYTES + payload.len()];
    Stamp { payload_type: 8, marker: false, sequence: 0, timestamp, ssrc }.write(payload, &mut bytes);
    Header::parse(&bytes).unwrap()
}
