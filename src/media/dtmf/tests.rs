//! Stories of keys.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::media::rtp::{EventPacket, HEADER_BYTES, Header, Stamp};

#[test]
fn a_press_is_reported_once_at_its_first_packet() {
    let mut receiver = EventReceiver::new();
    let press = press(5, 1_000, true);
    assert_eq!(feed(&mut receiver, &press[..1]), "5");
    assert_eq!(feed(&mut receiver, &press[1..]), "");
}

#[test]
fn any_packet_of_a_press_is_enough_with_or_without_marker() {
    for only in 0..8 {
        for marker in [false, true] {
            let mut receiver = EventReceiver::new();
            assert_eq!(feed(&mut receiver, &press(9, 1_000, marker)[only..=only]), "9");
        }
    }
}

#[test]
fn the_same_key_twice_is_two_presses() {
    for marker in [false, true] {
        let mut receiver = EventReceiver::new();
        let packets = [press(1, 1_000, marker), press(1, 2_200, marker), press(1, 3_400, marker)].concat();
        assert_eq!(feed(&mut receiver, &packets), "111");
    }
}

#[test]
fn the_same_key_twice_is_two_presses_though_all_ends_of_the_first_are_lost() {
    let mut receiver = EventReceiver::new();
    let packets = [press(1, 1_000, false)[..5].to_vec(), press(1, 2_200, false)].concat();
    assert_eq!(feed(&mut receiver, &packets), "11");
}

#[test]
fn a_key_held_for_half_a_minute_is_one_press() {
    let mut receiver = EventReceiver::new();
    let mut packets = Vec::new();
    for segment in 0..4u32 {
        for i in 1..=409u32 {
            packets.push(event_packet(3, false, (i * 160).min(0xffff) as u16, 1_000 + segment * 0xffff, false));
        }
    }
    packets.push(event_packet(3, true, 500, 1_000 + 4 * 0xffff, false));
    assert_eq!(feed(&mut receiver, &packets), "3");
}

#[test]
fn stragglers_of_an_older_press_are_not_heard_again() {
    let mut receiver = EventReceiver::new();
    let (first, second) = (press(1, 1_000, false), press(2, 2_200, false));
    assert_eq!(feed(&mut receiver, &first[..6]), "1");
    assert_eq!(feed(&mut receiver, &second[..2]), "2");
    assert_eq!(feed(&mut receiver, &first[6..]), "");
    assert_eq!(feed(&mut receiver, &second[2..]), "");
}

#[test]
fn flash_and_short_payloads_are_no_keys() {
    let mut receiver = EventReceiver::new();
    assert_eq!(receiver.packet(&header(1_000, 4, false), &[16, 10, 0, 160]), None);
    assert_eq!(receiver.packet(&header(1_000, 3, false), &[5, 10, 0]), None);
}

#[test]
fn seeded_loss_repetition_and_reordering_never_double_a_key() {
    for seed in 0..2_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut receiver = EventReceiver::new();
        let (mut sent, mut heard) = (String::new(), String::new());
        let mut timestamp: u32 = rng.random();
        for _ in 0..12 {
            let event = rng.random_range(0..12);
            let mut packets = press(event, timestamp, rng.random());
            timestamp = timestamp.wrapping_add(rng.random_range(1_200..20_000));
            packets.retain(|_| rng.random_range(0..100) >= 30);
            if rng.random() {
                packets.extend(packets.clone());
                packets.shuffle(&mut rng);
            }
            if !packets.is_empty() {
                sent.push(KEYS[usize::from(event)]);
            }
            heard += &feed(&mut receiver, &packets);
        }
        assert_eq!(heard, sent, "seed {seed}");
    }
}

#[test]
fn what_we_send_is_heard_key_by_key_with_three_ends_and_pauses() {
    let mut sender = EventSender::new();
    for key in "12300#".chars() {
        sender.press(Digit(key)).unwrap();
    }
    let mut receiver = EventReceiver::new();
    let (mut heard, mut ends, mut markers, mut ticks) = (String::new(), 0, 0, 0u32);
    while sender.is_active() {
        if let Some(packet) = sender.tick(9_000 + ticks * 160) {
            heard += &feed(&mut receiver, &[packet]);
            ends += u32::from(packet.payload[1] & 0x80 != 0);
            markers += u32::from(packet.marker);
        }
        ticks += 1;
        assert!(ticks < 1_000);
    }
    assert_eq!((heard.as_str(), ends, markers), ("12300#", 18, 6));
    assert_eq!(ticks, 6 * 10, "100 ms, three ends, 60 ms of pause");
}

#[test]
fn an_event_keeps_its_timestamp_and_its_duration_grows_to_100_ms() {
    let mut sender = EventSender::new();
    sender.press(Digit('7')).unwrap();
    let packets: Vec<EventPacket> = (0..7).filter_map(|i| sender.tick(1_000 + i * 160)).collect();
    assert!(packets.iter().all(|packet| packet.timestamp == 1_000));
    let durations: Vec<u16> = packets.iter().map(|p| u16::from_be_bytes([p.payload[2], p.payload[3]])).collect();
    assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
}

#[test]
fn senders_refuse_strange_keys_and_endless_queues() {
    let (mut events, mut tones) = (EventSender::new(), ToneSender::new());
    assert_eq!(events.press(Digit('x')), Err(DtmfError::NoSuchKey));
    assert_eq!(tones.press(Digit('x')), Err(DtmfError::NoSuchKey));
    for _ in 0..MAX_WAITING {
        events.press(Digit('1')).unwrap();
        tones.press(Digit('1')).unwrap();
    }
    assert_eq!(events.press(Digit('1')), Err(DtmfError::Full));
    assert_eq!(tones.press(Digit('1')), Err(DtmfError::Full));
}

#[test]
fn info_bodies_of_the_field_are_read() {
    let relay = "application/dtmf-relay";
    let read = |kind: &str, body: &str| parse_info(kind, body.as_bytes()).map(|info| (info.digit.0, info.duration_ms));
    assert_eq!(read(relay, "Signal=5\r\nDuration=160\r\n"), Ok(('5', 160)));
    assert_eq!(read(relay, "Signal= *\nDuration= 250\n"), Ok(('*', 250)));
    assert_eq!(read(relay, "duration=100\nsignal=d"), Ok(('D', 100)));
    assert_eq!(read(relay, "Signal=11"), Ok(('#', 160)));
    assert_eq!(read("Application/DTMF-Relay; charset=x", "Signal=0\nDuration=99999"), Ok(('0', 160)));
    assert_eq!(read("application/dtmf", "7"), Ok(('7', 160)));
    assert_eq!(read("application/dtmf", "10\r\n"), Ok(('*', 160)));
    assert_eq!(read("application/dtmf", ""), Err(InfoError::Body));
    assert_eq!(read(relay, "Signal=16"), Err(InfoError::Body));
    assert_eq!(read(relay, "Signal=\nDuration=5"), Err(InfoError::Body));
    assert_eq!(read(relay, "Duration=5"), Err(InfoError::Body));
    assert_eq!(read("text/plain", "Signal=5"), Err(InfoError::ContentType));
    assert_eq!(parse_info(relay, &[0xff, 0xfe]), Err(InfoError::Body));
    let printed = print_info(InfoDigit { digit: Digit('#'), duration_ms: 120 });
    assert_eq!(read(relay, &printed), Ok(('#', 120)));
}

#[test]
fn our_tones_are_heard_once_each_through_alaw() {
    let keys: String = KEYS.iter().chain(&['5', '5', '5']).collect();
    let mut tones = ToneSender::new();
    for key in keys.chars() {
        tones.press(Digit(key)).unwrap();
    }
    let mut detector = Detector::new();
    let (mut frame, mut heard) = ([0i16; 160], String::new());
    while tones.fill(&mut frame) {
        for sample in &mut frame {
            *sample = crate::media::codec::g711::alaw_to_linear(crate::media::codec::g711::linear_to_alaw(*sample));
        }
        heard.extend(detector.feed(&frame).map(|digit| digit.0));
    }
    assert_eq!(heard, keys);
}

#[test]
fn the_first_method_heard_wins_for_the_leg() {
    let mut method = OneMethod::new();
    assert!(method.accept(DigitBy::Info));
    assert!(!method.accept(DigitBy::Event));
    assert!(!method.accept(DigitBy::Inband));
    assert!(method.accept(DigitBy::Info));
}

/// Five growing packets and three ends, as phones send them.
fn press(event: u8, timestamp: u32, marker: bool) -> Vec<EventPacket> {
    let growing = (1..=5).map(|i| event_packet(event, false, i * 160, timestamp, marker && i == 1));
    growing.chain((0..3).map(|_| event_packet(event, true, 800, timestamp, false))).collect()
}

fn event_packet(event: u8, end: bool, duration: u16, timestamp: u32, marker: bool) -> EventPacket {
    let [high, low] = duration.to_be_bytes();
    EventPacket { payload: [event, u8::from(end) << 7 | 10, high, low], marker, timestamp }
}

fn feed(receiver: &mut EventReceiver, packets: &[EventPacket]) -> String {
    packets
        .iter()
        .filter_map(|packet| receiver.packet(&header(packet.timestamp, 4, packet.marker), &packet.payload))
        .map(|digit| digit.0)
        .collect()
}

fn header(timestamp: u32, payload: usize, marker: bool) -> Header {
    let mut bytes = vec![0; HEADER_BYTES + payload];
    Stamp { payload_type: 101, marker, sequence: 0, timestamp, ssrc: 1 }.write(&vec![0; payload], &mut bytes);
    Header::parse(&bytes).unwrap()
}
