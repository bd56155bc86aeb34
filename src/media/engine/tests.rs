//! Stories of legs on one worker in virtual time, and of the whole engine with its threads.

mod mix;
mod rig;
mod sound;
mod whole;

use nix::sys::epoll::{EpollEvent, EpollTimeout};

use rig::{CALL, Rig, SEAT, assert_hears, keys, power_db, voice};

use super::prompt::Prompts;
use super::{Command, Event};
use crate::types::{Codec, Digit, DigitBy, Direction, LegId, Source, SrtpKey, StreamParams};

fn two(codecs: [Codec; 2]) -> (Rig, LegId, LegId) {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(codecs[0], |_| {});
    let b = rig.leg(codecs[1], |_| {});
    rig.phone(a).tone = 400;
    rig.phone(b).tone = 1_000;
    (rig, a, b)
}

fn bridge(rig: &mut Rig, a: LegId, b: LegId) {
    rig.hear(&[(a, &voice(b)), (b, &voice(a))]);
}

#[test]
fn bridged_legs_hear_each_other_whatever_their_codecs() {
    use Codec::{G722, Pcma, Pcmu};
    for codecs in [[Pcma, Pcma], [Pcmu, Pcma], [G722, Pcma], [G722, G722], [Pcmu, G722]] {
        let (mut rig, a, b) = two(codecs);
        bridge(&mut rig, a, b);
        rig.talk(1_000);
        assert_eq!(rig.phone(a).heard.len(), 50, "{codecs:?}: a relayed packet goes out in the turn in which it came");
        assert_hears(&rig.phone(a).sound(), 1_000, &[400, 700]);
        assert_hears(&rig.phone(b).sound(), 400, &[1_000, 700]);
    }
}

#[test]
fn relayed_packet_waits_for_no_tick() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    bridge(&mut rig, a, b);
    rig.talk(40);
    let before = rig.phone(b).heard.len();
    rig.phone(a).talk();
    rig.turn();
    assert_eq!(rig.phone(b).heard.len(), before + 1, "no time has passed");
}

#[test]
fn call_of_fifteen_minutes_loses_no_packet() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    bridge(&mut rig, a, b);
    let packets = 45_000;
    let mut heard = 0;
    for _ in 0..packets {
        rig.frame();
        heard += rig.phone(b).heard.drain(..).count();
    }
    assert_eq!(heard, packets, "more than half of the sequence numbers were gone through");
}

#[test]
fn secure_leg_talks_to_a_plain_one() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |params| params.srtp = Some(keys()));
    let b = rig.leg(Codec::Pcma, |_| {});
    rig.phone(a).tone = 400;
    rig.phone(b).tone = 1_000;
    bridge(&mut rig, a, b);
    rig.talk(1_000);
    assert_hears(&rig.phone(a).sound(), 1_000, &[400]);
    assert_hears(&rig.phone(b).sound(), 400, &[1_000]);
}

#[test]
fn secure_leg_keeps_its_rollover_count_through_descriptions_with_old_and_new_keys() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |params| params.srtp = Some(keys()));
    let b = rig.leg(Codec::Pcma, |_| {});
    (rig.phone(a).tone, rig.phone(b).tone) = (400, 1_000);
    bridge(&mut rig, a, b);
    // The phone's sequence numbers begin 36 before the wrap.
    rig.talk(1_000);
    assert!(rig.phone(a).sequence < 100, "it has wrapped");
    let new = keys();
    let new = (SrtpKey { key_salt: [3; 30], ..new.0 }, SrtpKey { key_salt: [4; 30], ..new.1 });
    for (ours, theirs) in [keys(), new] {
        let params = StreamParams { srtp: Some((ours.clone(), theirs.clone())), ..rig.phone(a).params() };
        rig.command(Command::Stream { leg: a, params: Box::new(params), early: false });
        rig.phone(a).srtp.as_mut().expect("secure").rekey(&theirs, &ours).expect("good keys");
        rig.phones.iter_mut().for_each(|phone| phone.heard.clear());
        rig.talk(500);
        assert_eq!((rig.phone(a).heard.len(), rig.phone(b).heard.len()), (25, 25), "none is lost either way");
    }
}

#[test]
fn three_hear_each_other_and_nobody_himself() {
    let mut rig = Rig::new(Prompts::empty());
    let legs = [Codec::Pcma, Codec::Pcmu, Codec::G722].map(|codec| rig.leg(codec, |_| {}));
    let tones = [400, 1_000, 1_700];
    for (leg, tone) in legs.iter().zip(tones) {
        rig.phone(*leg).tone = tone;
    }
    let from = |own: usize| -> Vec<Source> {
        (0..3).filter(|i| *i != own).map(|i| Source::Leg { leg: legs[i], gain_db: 0 }).collect()
    };
    let sets: Vec<Vec<Source>> = (0..3).map(from).collect();
    rig.hear(&[(legs[0], &sets[0]), (legs[1], &sets[1]), (legs[2], &sets[2])]);
    rig.talk(500);
    rig.phones.iter_mut().for_each(|phone| phone.heard.clear());
    rig.talk(1_000);
    for own in 0..3 {
        let sound = rig.phone(legs[own]).sound();
        for other in (0..3).filter(|i| *i != own) {
            assert_hears(&sound, tones[other], &[tones[own], 700]);
        }
    }
}

#[test]
fn whisper_reaches_the_seat_and_not_the_caller() {
    let mut rig = Rig::new(Prompts::empty());
    let [caller, seat, coach] = [(); 3].map(|()| rig.leg(Codec::Pcma, |_| {}));
    for (leg, tone) in [(caller, 400), (seat, 1_000), (coach, 1_700)] {
        rig.phone(leg).tone = tone;
    }
    let both = [Source::Leg { leg: caller, gain_db: 0 }, Source::Leg { leg: coach, gain_db: -6 }];
    rig.hear(&[(caller, &voice(seat)), (seat, &both), (coach, &voice(caller))]);
    rig.talk(1_500);
    assert_hears(&rig.phone(caller).sound(), 1_000, &[1_700, 400]);
    let sound = rig.phone(seat).sound();
    assert_hears(&sound[4_000..], 1_700, &[1_000]);
    let louder = power_db(&sound[4_000..], 400) - power_db(&sound[4_000..], 1_700);
    assert!((louder - 6.0).abs() < 1.0, "the coach is {louder:.1} dB quieter");
}

#[test]
fn stream_goes_on_from_music_to_voice_and_back() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    rig.hear(&[(a, &[Source::Ringback])]);
    rig.talk(400);
    bridge(&mut rig, a, b);
    rig.talk(400);
    rig.hear(&[(a, &[Source::Ringback])]);
    rig.talk(400);
    let headers: Vec<_> = rig.phone(a).heard.iter().map(|(header, _)| *header).collect();
    assert!((58..=62).contains(&headers.len()), "{} packets in 1.2 s", headers.len());
    for pair in headers.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((160..=320).contains(&step), "a step of {step} ticks");
    }
}

#[test]
fn leg_that_nobody_gave_a_source_gets_silence_at_its_ptime() {
    for (ptime, packets, bytes) in [(10, 100, 80), (20, 50, 160), (30, 33, 240), (40, 25, 320), (60, 16, 480)] {
        let mut rig = Rig::new(Prompts::empty());
        let a = rig.leg(Codec::Pcma, |params| params.ptime_ms = ptime);
        rig.talk(1_020);
        let heard = std::mem::take(&mut rig.phone(a).heard);
        assert!(heard.len().abs_diff(packets) <= 2, "{} packets at {ptime} ms", heard.len());
        for pair in heard.windows(2) {
            assert_eq!(pair[1].1.len(), bytes);
            assert_eq!(pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp), bytes as u32);
        }
    }
}

#[test]
fn legs_with_other_ptime_are_cut_anew() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |_| {});
    let b = rig.leg(Codec::Pcma, |params| params.ptime_ms = 40);
    rig.phone(a).tone = 400;
    bridge(&mut rig, a, b);
    rig.talk(1_000);
    assert!(rig.phone(b).heard.iter().all(|(_, payload)| payload.len() == 320));
    assert_hears(&rig.phone(b).sound()[2_000..], 400, &[700]);
}

#[test]
fn unknown_source_is_neither_heard_nor_answered() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    bridge(&mut rig, a, b);
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    stranger.set_nonblocking(true).expect("a socket");
    let own = std::mem::replace(&mut rig.phone(a).socket, stranger);
    rig.talk(1_000);
    assert!(rig.phone(a).heard.is_empty(), "nothing is sent to a stranger");
    assert!(rig.phone(b).heard.is_empty(), "a stranger is not heard");
    rig.phone(a).socket = own;
    rig.turn();
    assert_eq!(rig.phone(a).heard.len(), 50);
}

#[test]
fn phone_behind_nat_is_found_and_then_held_on_to() {
    let mut rig = Rig::new(Prompts::empty());
    let elsewhere = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("a socket");
    let signalled = elsewhere.local_addr().expect("bound");
    let a = rig.leg(Codec::Pcma, |params| {
        params.may_latch = true;
        (params.remote, params.remote_rtcp) = (signalled, signalled);
    });
    let b = rig.leg(Codec::Pcma, |_| {});
    (rig.phone(a).tone, rig.phone(b).tone) = (400, 1_000);
    bridge(&mut rig, a, b);
    rig.talk(1_000);
    assert!(rig.phone(a).heard.len() > 40, "it hears after four packets");
    rig.talk(6_000);
    rig.phone(a).heard.clear();
    let own = std::mem::replace(&mut rig.phone(a).socket, elsewhere);
    rig.phone(b).heard.clear();
    rig.talk(200);
    assert!(rig.phone(b).heard.is_empty(), "the address of the description comes too late");
    rig.phone(a).socket = own;
    rig.talk(1_000);
    assert_hears(&rig.phone(b).sound(), 400, &[1_000]);
}

#[test]
fn silence_is_reported_every_30_s_and_on_hold_every_300_s() {
    for (direction, quiet, over) in [(Direction::SendRecv, 29_000, 1_600), (Direction::SendOnly, 299_000, 1_600)] {
        let (mut rig, a, b) = two([Codec::Pcma; 2]);
        rig.phone(b).tone = 0;
        bridge(&mut rig, a, b);
        let params = StreamParams { direction, ..rig.phone(b).params() };
        rig.command(Command::Stream { leg: b, params: Box::new(params), early: false });
        rig.jump(quiet);
        assert!(!rig.taken_events().contains(&Event::Silent { leg: b }));
        rig.jump(over);
        assert!(rig.taken_events().contains(&Event::Silent { leg: b }));
        rig.jump(10_000);
        assert!(!rig.taken_events().contains(&Event::Silent { leg: b }), "not before as long has passed again");
        rig.jump(quiet - 10_000);
        // A worker that has missed its rounds does not make up for them.
        for _ in 0..20 {
            rig.jump(over / 20);
        }
        let again = rig.taken_events().iter().filter(|event| **event == Event::Silent { leg: b }).count();
        assert_eq!(again, 1, "while the silence lasts");
    }
}

#[test]
fn key_as_event_is_told_once_and_relayed_with_the_listeners_type() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |_| {});
    let b = rig.leg(Codec::Pcma, |params| params.event_type = Some(96));
    rig.phone(a).tone = 400;
    bridge(&mut rig, a, b);
    rig.talk(200);
    press_five(&mut rig, a);
    rig.talk(200);
    let digits: Vec<Event> = rig.taken_events();
    assert_eq!(digits, [Event::Digit { leg: a, digit: Digit('5'), by: DigitBy::Event }]);
    let heard = &rig.phone(b).heard;
    let events: Vec<_> = heard.iter().filter(|(header, _)| header.payload_type == 96).collect();
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|(header, _)| header.timestamp == events[0].0.timestamp));
    assert!(heard.windows(2).all(|pair| pair[1].0.sequence == pair[0].0.sequence.wrapping_add(1)));
}

#[test]
fn key_as_event_becomes_a_tone_for_a_listener_without_events() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |_| {});
    let b = rig.leg(Codec::Pcma, |params| params.event_type = None);
    bridge(&mut rig, a, b);
    press_five(&mut rig, a);
    rig.talk(80);
    let sound = rig.phone(b).sound();
    assert!(sound.len() >= 400, "{} samples", sound.len());
    // 770 and 1,336 Hz (ITU-T Q.23).
    assert!(power_db(&sound, 770) > 40.0 && power_db(&sound, 1_336) > 40.0);
    assert!(power_db(&sound, 770) > power_db(&sound, 941) + 10.0);
}

#[test]
fn tone_in_the_audio_is_a_key_only_where_no_event_was_agreed() {
    for (event_type, keys) in [(None, 1), (Some(101), 0)] {
        let mut rig = Rig::new(Prompts::empty());
        let a = rig.leg(Codec::Pcma, |params| params.event_type = event_type);
        let b = rig.leg(Codec::Pcma, |params| params.event_type = None);
        bridge(&mut rig, a, b);
        rig.command(Command::SendDigit { leg: b, digit: Digit('7') });
        rig.talk(300);
        let tone: Vec<Vec<u8>> = rig.phone(b).heard.drain(..).map(|(_, payload)| payload).collect();
        for payload in tone {
            rig.phone(a).say(8, false, &payload);
            rig.phone(a).timestamp = rig.phone(a).timestamp.wrapping_add(160);
            rig.talk(20);
        }
        let digits = rig.taken_events();
        assert_eq!(digits.len(), keys, "{digits:?}");
        assert!(digits.iter().all(|e| *e == Event::Digit { leg: a, digit: Digit('7'), by: DigitBy::Inband }));
    }
}

#[test]
fn key_is_sent_as_event_while_voice_waits() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    bridge(&mut rig, a, b);
    rig.talk(100);
    rig.command(Command::SendDigit { leg: a, digit: Digit('1') });
    rig.talk(600);
    let heard = std::mem::take(&mut rig.phone(a).heard);
    let events = heard.iter().filter(|(header, _)| header.payload_type == 101).count();
    assert!(events >= 6, "{events} packets of the event");
    let ends = heard.iter().filter(|(header, payload)| header.payload_type == 101 && payload[1] & 0x80 != 0);
    assert_eq!(ends.count(), 3, "three end packets");
    assert!(heard.windows(2).all(|pair| pair[1].0.sequence == pair[0].0.sequence.wrapping_add(1)), "no hole");
}

#[test]
fn closed_leg_reports_what_was_lost_and_frees_its_port_without_leftovers() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    bridge(&mut rig, a, b);
    rig.talk(1_000);
    let lost_from = rig.phone(a).sequence;
    rig.phone(a).sequence = lost_from.wrapping_add(5);
    rig.talk(1_000);
    rig.command(Command::Close { leg: a });
    rig.turn();
    let events = rig.taken_events();
    let [Event::Closed { leg, port, report }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*leg, a);
    assert_eq!((report.received, report.lost, report.sent), (100, 5, 100));
    assert!(report.mos_x100 > 300 && report.mos_x100 < 450);
    // The next leg on the same port hears only its own far end.
    let port = *port;
    rig.phone(a).talk();
    rig.command(Command::Open { leg: LegId(99), call: CALL, port, party: SEAT });
    let params = rig.phone(a).params();
    rig.command(Command::Stream { leg: LegId(99), params: Box::new(params), early: false });
    rig.turn();
    rig.command(Command::Close { leg: LegId(99) });
    rig.turn();
    let events = rig.taken_events();
    let [Event::Closed { report, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(report.received, 0);
}

#[test]
fn far_end_that_has_not_answered_is_reported_when_it_is_heard_and_when_it_has_paused_for_long() {
    let (mut rig, listener, carrier) = two([Codec::Pcma; 2]);
    rig.phones.iter_mut().for_each(|phone| phone.tone = 0);
    let params = Box::new(rig.phone(carrier).params());
    rig.command(Command::Stream { leg: carrier, params: params.clone(), early: true });
    rig.hear(&[(listener, &[Source::Ringback])]);
    rig.talk(3_000);
    assert_eq!(rig.taken_events(), [], "nothing has come yet");
    rig.phone(carrier).tone = 1_000;
    rig.talk(500);
    let events = rig.taken_events();
    let [Event::EarlyMedia { leg, port, heard: true }] = events[..] else { panic!("once: {events:?}") };
    assert_eq!((leg, port), (carrier, rig.worker.legs.get(rig.worker.leg_slots[&carrier]).expect("its leg").pair.port));
    rig.hear(&[(listener, &voice(carrier))]);
    rig.phone(carrier).heard.clear();
    rig.phone(listener).tone = 400;
    rig.talk(1_000);
    assert_hears(&rig.phone(listener).sound(), 1_000, &[400]);
    let sent = rig.phone(carrier).sound();
    assert!(
        sent.len() > 7_000 && sent.iter().all(|sample| sample.unsigned_abs() < 100),
        "comfort silence, and no voice"
    );
    // The pause of a ringing tone is no end, a longer one is.
    rig.phones.iter_mut().for_each(|phone| phone.tone = 0);
    rig.talk(5_000);
    assert_eq!(rig.taken_events(), []);
    rig.talk(2_000);
    assert_eq!(rig.taken_events(), [Event::EarlyMedia { leg, port, heard: false }]);
    rig.phone(carrier).tone = 1_000;
    rig.talk(100);
    assert_eq!(rig.taken_events(), [Event::EarlyMedia { leg, port, heard: true }]);
    rig.command(Command::Stream { leg: carrier, params, early: false });
    rig.phone(carrier).tone = 0;
    rig.talk(8_000);
    assert_eq!(rig.taken_events(), [], "it has answered");
}

#[test]
fn what_comes_to_a_resting_pair_is_thrown_away_as_it_comes() {
    let mut rig = Rig::new(Prompts::empty());
    let port = *rig.ports.last().expect("pairs");
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for to in [port.port, port.port + 1] {
        for _ in 0..2 {
            stranger.send_to(b"late", ("127.0.0.1", to)).expect("loopback takes it");
        }
    }
    let mut ready = [EpollEvent::empty(); 4];
    let waiting = rig.worker.poll.wait(&mut ready, EpollTimeout::ZERO).expect("a poll set");
    assert_eq!(waiting, 2, "both sockets are polled though no leg has them");
    rig.turn();
    assert_eq!(rig.worker.poll.wait(&mut ready, EpollTimeout::ZERO), Ok(0));
}

#[test]
fn pair_of_an_ended_leg_serves_the_next_ones_wherever_they_are() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |_| {});
    rig.phone(a).tone = 400;
    let elsewhere = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    for may_latch in [false, false, true, false] {
        let b = rig.leg(Codec::Pcma, |params| {
            params.may_latch = may_latch;
            if may_latch {
                (params.remote, params.remote_rtcp) = (elsewhere, elsewhere);
            }
        });
        rig.phone(b).tone = 1_000;
        bridge(&mut rig, a, b);
        rig.talk(400);
        assert!(rig.phone(b).heard.len() >= 15, "latching: {may_latch}");
        assert_hears(&rig.phone(a).sound(), 1_000, &[700]);
        rig.command(Command::Close { leg: b });
        rig.turn();
        let events = rig.taken_events();
        let [Event::Closed { port, .. }] = &events[..] else { panic!("{events:?}") };
        rig.phones.retain(|phone| phone.leg != b);
        rig.ports.push(*port);
    }
}

/// Key 5 as a telephone sends it: marker, updates, three end packets; the timestamp stands still.
fn press_five(rig: &mut Rig, leg: LegId) {
    let tone = std::mem::take(&mut rig.phone(leg).tone);
    let event_type = rig.phone(leg).event_type.expect("agreed");
    for step in 1..=8_u16 {
        let duration = (step.min(6) * 160).to_be_bytes();
        let end = if step >= 6 { 0x8a } else { 0x0a };
        rig.phone(leg).say(event_type, step == 1, &[5, end, duration[0], duration[1]]);
        rig.talk(20);
    }
    let phone = rig.phone(leg);
    phone.timestamp = phone.timestamp.wrapping_add(8 * 160);
    phone.tone = tone;
}
