//! Stories of reports and reception.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rtc_shared::marshal::Marshal;

use super::*;
use crate::media::rtp::{EventPacket, HEADER_BYTES, Seed, Stamp};
use crate::types::Wall;

#[test]
fn loss_is_counted_over_the_wrap_and_reordering_is_not_loss() {
    let mut reception = Reception::default();
    let numbers = [65_533u16, 65_534, 0, 65_535, 1, 4, 5];
    for (i, number) in numbers.iter().enumerate() {
        reception.packet(&header(1, *number, i as u32 * 160), ms(i as u64 * 20));
    }
    assert_eq!((reception.received(), reception.lost()), (7, 2));
}

#[test]
fn duplicates_hide_no_loss() {
    let mut reception = Reception::default();
    for number in [0u16, 1, 1, 1, 3] {
        reception.packet(&header(1, number, u32::from(number) * 160), ms(0));
    }
    assert_eq!((reception.received(), reception.lost()), (3, 1));
    assert_eq!(reception.packet(&header(1, 0, 0), ms(0)), Arrived::Duplicate);
}

#[test]
fn a_restart_needs_two_packets_and_keeps_the_totals() {
    let mut reception = Reception::default();
    for number in [0u16, 1, 2, 4] {
        reception.packet(&header(1, number, 0), ms(0));
    }
    assert_eq!(reception.packet(&header(1, 30_000, 0), ms(0)), Arrived::Stray);
    assert_eq!(reception.packet(&header(1, 5, 0), ms(0)), Arrived::Next);
    assert_eq!(reception.packet(&header(1, 30_000, 0), ms(0)), Arrived::Stray);
    assert_eq!(reception.packet(&header(1, 30_001, 0), ms(0)), Arrived::First);
    assert_eq!((reception.received(), reception.lost()), (6, 1));
    assert_eq!(reception.packet(&header(2, 9, 0), ms(0)), Arrived::First);
    assert_eq!((reception.received(), reception.lost()), (7, 1));
}

#[test]
fn jitter_is_that_of_rfc_3550() {
    let mut reception = Reception::default();
    // Packets alternate between 0 and 10 ms late: |D| is 80 ticks each time, J converges to 80.
    for i in 0..500u64 {
        let late = if i % 2 == 0 { 0 } else { 10 };
        reception.packet(&header(1, i as u16, i as u32 * 160), ms(1_000 + i * 20 + late));
    }
    assert!((9_500..10_500).contains(&reception.jitter_us()), "{}", reception.jitter_us());
    let mut calm = Reception::default();
    for i in 0..500u64 {
        calm.packet(&header(1, i as u16, 0xffff_0000u32.wrapping_add(i as u32 * 160)), ms(1_000 + i * 20));
    }
    assert_eq!(calm.jitter_us(), 0);
    // The packets of an event share their timestamp.
    for i in 500..520u64 {
        calm.packet(&header(1, i as u16, 0xffff_0000u32.wrapping_add(500 * 160)), ms(1_000 + i * 20));
    }
    assert_eq!(calm.jitter_us(), 0);
}

#[test]
fn the_fraction_lost_is_that_of_the_interval() {
    let mut reception = Reception::default();
    assert_eq!(reception.block(ms(0)), None);
    for number in (0..100u16).filter(|n| n % 4 != 3) {
        reception.packet(&header(1, number, 0), ms(0));
    }
    let block = reception.block(ms(0)).unwrap();
    assert_eq!((block.fraction_lost, block.total_lost, block.last_sequence_number), (62, 24, 98));
    for number in 99..199u16 {
        reception.packet(&header(1, number, 0), ms(0));
    }
    let block = reception.block(ms(0)).unwrap();
    assert_eq!((block.fraction_lost, block.total_lost), (0, 24));
}

#[test]
fn two_sessions_measure_loss_and_round_trip_of_each_other() {
    let (mut a, mut b) = (session(1), session(2));
    let (mut sender_a, sender_b) = (sender(1), sender(2));
    for i in 0..200u64 {
        let stamp = sender_a.tick(160, 8, ms(i * 20));
        sender_a.sent(160);
        if i % 10 != 3 {
            b.received(&header(1, stamp.sequence, stamp.timestamp), ms(i * 20 + 30));
        }
    }
    let report = a.report(&sender_a, 0, now(4_000));
    let said = b.incoming(&report, now(4_030)).unwrap();
    assert_eq!(said, Incoming { report: true, bye: false });
    let answer = b.report(&sender_b, 0, now(5_000));
    a.incoming(&answer, now(5_040)).unwrap();
    let figures = a.figures(Codec::Pcma, 0, Duration::ZERO, sender_a.packets());
    assert_eq!(figures.remote_loss_percent_x100, 1_000);
    assert!((69_000..71_000).contains(&figures.round_trip_us), "{}", figures.round_trip_us);
    assert_eq!((figures.sent, figures.received, figures.mos_x100), (200, 0, 0));
    let heard = b.figures(Codec::Pcma, 0, Duration::from_millis(40), 0);
    assert_eq!((heard.received, heard.lost), (180, 20));
    assert!((200..400).contains(&heard.mos_x100), "{}", heard.mos_x100);
}

#[test]
fn who_sends_reports_as_sender_and_who_listens_as_receiver() {
    let (mut session, mut sender) = (session(1), sender(1));
    let kind = |bytes: &[u8]| bytes[1];
    assert_eq!(kind(&session.report(&sender, 0, now(0))), 201);
    sender.tick(160, 8, ms(20));
    sender.sent(160);
    assert_eq!(kind(&session.report(&sender, 0, now(5_000))), 200);
    assert_eq!(kind(&session.report(&sender, 0, now(10_000))), 200, "sent within the last two intervals");
    assert_eq!(kind(&session.report(&sender, 0, now(15_000))), 201);
}

#[test]
fn a_leg_ends_with_bye() {
    let (mut a, mut b) = (session(1), session(2));
    let bytes = a.bye(&sender(1), now(0));
    assert_eq!(b.incoming(&bytes, now(0)), Ok(Incoming { report: true, bye: true }));
}

#[test]
fn reports_come_every_four_seconds_spread_by_chance() {
    let mut session = Session::new(1, "x", 0, ms(0));
    assert!(session.deadline() >= ms(1_000) && session.deadline() <= ms(1_100));
    for random in [0, u32::MAX / 2, u32::MAX] {
        session.report(&sender(1), random, now(10_000));
        let wait = session.deadline().since(ms(10_000)).as_millis();
        assert!((2_052..=6_157).contains(&wait), "{wait}");
    }
}

#[test]
fn a_negative_loss_and_a_mad_clock_are_not_believed() {
    let (mut session, sender) = (session(1), sender(1));
    session.report(&sender, 0, now(0));
    let block = ReceptionReport {
        ssrc: 1,
        total_lost: 0xff_ffff,
        last_sender_report: 0xffff_ffff,
        delay: 12_345,
        ..ReceptionReport::default()
    };
    let report = ReceiverReport { ssrc: 2, reports: vec![block], profile_extensions: Bytes::new() };
    session.incoming(&report.marshal().unwrap(), now(100)).unwrap();
    let figures = session.figures(Codec::Pcma, 0, Duration::ZERO, 100);
    assert_eq!((figures.remote_loss_percent_x100, figures.round_trip_us), (0, 0));
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut session = session(1);
    let sender = sender(1);
    let whole = session.bye(&sender, now(0));
    for _ in 0..50_000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        bytes.truncate(rng.random_range(0..=bytes.len()));
        let _ = session.incoming(&bytes, now(0));
    }
    assert_eq!(session.incoming(&[0; 2_000], now(0)), Err(RtcpError::TooLong));
    assert_eq!(session.incoming(&[], now(0)), Err(RtcpError::Malformed));
}

#[test]
fn an_event_of_ours_does_not_move_the_clock_of_the_report() {
    let mut sender = sender(1);
    let stamp = sender.tick(160, 8, ms(0));
    sender.event(&EventPacket { payload: [0; 4], marker: true, timestamp: stamp.timestamp + 160 }, 101);
    assert_eq!(sender.clock(ms(40)), stamp.timestamp + 320);
}

fn session(ssrc: u32) -> Session {
    Session::new(ssrc, "leg", 0, ms(0))
}

fn sender(ssrc: u32) -> Sender {
    Sender::new(Seed { ssrc, sequence: 0, timestamp: 1_000 })
}

fn ms(at: u64) -> Mono {
    Mono(at * 1_000_000)
}

fn now(at: u64) -> Now {
    Now { mono: ms(at), wall: Wall(1_790_000_000_000 + at as i64) }
}

fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
    let mut bytes = [0; HEADER_BYTES];
    Stamp { payload_type: 8, marker: false, sequence, timestamp, ssrc }.write(&[], &mut bytes);
    Header::parse(&bytes).unwrap()
}
