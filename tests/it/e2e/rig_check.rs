//! The rig against itself: what it cannot hear between two telephones, it cannot prove of the exchange.

use std::time::Duration;

use serde_json::json;

use super::rig::listen::Sound;
use super::rig::phone::Phone;
use super::rig::relay::{Relay, Side, Weather};
use super::rig::s;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::Site;
use super::rig::skip::{Tool, have};
use super::rig::tone;
use super::rig::wav::Wav;

#[test]
fn two_telephones_hear_each_other() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let site = Site::new();
    let (one, other) = (site.street.at(21), site.street.at(22));
    let usual = |bind: &std::net::IpAddr, hertz| json!({ "user": "a", "domain": bind.to_string(), "bind": bind.to_string(), "tone": site.tone(hertz) });
    let mut caller = Phone::start(&site, usual(&one, tone::CALLER), json!({}));
    let mut callee = Phone::start(&site, usual(&other, tone::SEAT), json!({ "answer": 200 }));
    caller.call(&format!("sip:b@{other}"));
    caller.wait_state("confirmed");
    let (heard, heard_too) = (site.file("caller.wav"), site.file("callee.wav"));
    caller.record(&heard);
    callee.record(&heard_too);
    // Not a synchronisation: this is how long they talk.
    std::thread::sleep(Duration::from_millis(2500));
    caller.hang_up();
    callee.wait_state("disconnected");
    for (file, hertz) in [(heard, tone::SEAT), (heard_too, tone::CALLER)] {
        let wav = Wav::read(&file);
        let sound = Sound::of(&wav, 0, 300);
        assert_eq!(sound.is_tone(hertz), Ok(()));
        assert_eq!(sound.has_no_gap(), Ok(()));
        assert!((2.3..3.2).contains(&wav.seconds()), "{} s", wav.seconds());
    }
}

#[test]
fn sipp_counts_its_calls_to_itself() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let site = Site::new();
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let mut seat = Job::phone(&site, "seat", 21);
    seat.calls = 5;
    seat.pause_ms = 100;
    seat.replace.push(("TONE", b"tone.al".to_vec()));
    let mut callee = Sipp::start(&site, &seat);
    let mut call = Job::call(&site, "caller", 10, "12345");
    call.remote = Some(seat.local);
    call.calls = 5;
    let mut caller = Sipp::start(&site, &call);
    caller.expect_good(5, s(20));
    callee.expect_good(5, s(20));
    assert!(caller.text().contains("SIP/2.0 200"));
}

#[test]
fn the_relay_loses_what_it_should() {
    let site = Site::new();
    let at = |n| site.street.at(n);
    let one = Side { real: at(31), front: at(41), ports: vec![6000] };
    let other = Side { real: at(32), front: at(42), ports: vec![6000] };
    let (a, b) =
        (std::net::UdpSocket::bind((at(31), 6000)).unwrap(), std::net::UdpSocket::bind((at(32), 6000)).unwrap());
    b.set_read_timeout(Some(s(5))).unwrap();
    let relay = Relay::between(&one, &other, Weather { loss: 50, swapped: 20, seed: 1 });
    let mut got = Vec::new();
    let (mut buffer, mut lost_before) = ([0; 64], 0);
    for n in 0..2000u16 {
        a.send_to(&n.to_be_bytes(), (at(42), 6000)).unwrap();
        let (passed, lost) = super::rig::until("the packet to pass or not", s(5), || {
            let counts = relay.counts();
            (counts.0 + counts.1 == u64::from(n) + 1).then_some(counts)
        });
        assert!(passed >= got.len() as u64);
        lost_before = lost;
    }
    drop(relay);
    b.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while let Ok((2, from)) = b.recv_from(&mut buffer) {
        assert_eq!(from.ip(), at(41), "each sees the other at the relay's address");
        got.push(u16::from_be_bytes([buffer[0], buffer[1]]));
    }
    assert!((60..140).contains(&lost_before), "lost {lost_before} of 2000");
    assert!(!got.is_sorted(), "some are swapped");
}
