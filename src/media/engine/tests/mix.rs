//! What is mixed and made audible in tick mode: both rates, lost packets, comfort noise.

use super::super::prompt::Prompts;
use super::rig::{Rig, assert_hears, power_at_db, power_db, voice};
use super::{bridge, two};
use crate::types::{Codec, LegId, Source};

/// Asserts that a tone above 4 kHz is heard at 16 kHz.
fn assert_hears_wide(samples: &[i16], hz: u32) {
    let (power, noise) = (power_at_db(samples, hz, 16_000.0), power_at_db(samples, 4_700, 16_000.0));
    assert!(power > 50.0 && power > noise + 20.0, "{hz} Hz has {power:.1} dB, 4,700 Hz {noise:.1}");
}

/// Lets all three hear both others for a while and forgets the beginning.
fn confer(rig: &mut Rig, legs: [LegId; 3]) {
    let others = |own: LegId| -> Vec<Source> {
        legs.iter().filter(|leg| **leg != own).map(|leg| Source::Leg { leg: *leg, gain_db: 0 }).collect()
    };
    let sets = legs.map(|leg| (leg, others(leg)));
    let sets: Vec<(LegId, &[Source])> = sets.iter().map(|(leg, from)| (*leg, &from[..])).collect();
    rig.hear(&sets);
    rig.talk(500);
    rig.phones.iter_mut().for_each(|phone| phone.heard.clear());
    rig.talk(1_000);
}

#[test]
fn wide_band_legs_of_a_mix_hear_each_other_above_4_khz() {
    let mut rig = Rig::new(Prompts::empty());
    let legs = [Codec::G722, Codec::G722, Codec::Pcma].map(|codec| rig.leg(codec, |_| {}));
    for (leg, tone) in legs.iter().zip([5_000, 6_000, 1_000]) {
        rig.phone(*leg).tone = tone;
    }
    confer(&mut rig, legs);
    for (leg, tone) in [(legs[0], 6_000), (legs[1], 5_000)] {
        let sound = rig.phone(leg).wide_sound();
        assert_hears_wide(&sound, tone);
        assert!(power_at_db(&sound, 1_000, 16_000.0) > 50.0, "and the narrow-band leg");
    }
    let narrow = rig.phone(legs[2]).sound();
    for folded in [2_000, 3_000] {
        let power = power_db(&narrow, folded);
        assert!(power < 30.0, "what is above 4 kHz is filtered, not folded: {power:.1} dB at {folded} Hz");
    }
}

#[test]
fn narrow_band_leg_hears_all_of_a_wide_band_mix() {
    let mut rig = Rig::new(Prompts::empty());
    let legs = [Codec::G722, Codec::G722, Codec::Pcmu].map(|codec| rig.leg(codec, |_| {}));
    for (leg, tone) in legs.iter().zip([400, 1_700, 1_000]) {
        rig.phone(*leg).tone = tone;
    }
    confer(&mut rig, legs);
    let sound = rig.phone(legs[2]).sound();
    assert_hears(&sound, 400, &[1_000, 700]);
    assert_hears(&sound, 1_700, &[1_000, 700]);
}

#[test]
fn wide_band_pair_that_is_cut_anew_stays_wide() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::G722, |_| {});
    let b = rig.leg(Codec::G722, |params| params.ptime_ms = 40);
    (rig.phone(a).tone, rig.phone(b).tone) = (5_000, 6_000);
    bridge(&mut rig, a, b);
    rig.talk(500);
    rig.phones.iter_mut().for_each(|phone| phone.heard.clear());
    rig.talk(1_000);
    assert_hears_wide(&rig.phone(b).wide_sound(), 5_000);
    assert_hears_wide(&rig.phone(a).wide_sound(), 6_000);
}

#[test]
fn wide_band_leg_keeps_its_rate_when_a_narrow_one_joins_and_leaves() {
    let mut rig = Rig::new(Prompts::empty());
    let legs = [Codec::G722, Codec::G722, Codec::Pcma].map(|codec| rig.leg(codec, |_| {}));
    for (leg, tone) in legs.iter().zip([5_000, 6_000, 1_000]) {
        rig.phone(*leg).tone = tone;
    }
    let both = [Source::Leg { leg: legs[1], gain_db: 0 }, Source::Leg { leg: legs[2], gain_db: 0 }];
    for from in [&both[1..], &both[..], &both[..1]] {
        rig.hear(&[(legs[0], from), (legs[1], &voice(legs[0])), (legs[2], &voice(legs[0]))]);
        rig.talk(600);
        rig.phone(legs[0]).heard.clear();
        rig.talk(600);
        let sound = rig.phone(legs[0]).wide_sound();
        if from.contains(&both[0]) {
            assert_hears_wide(&sound, 6_000);
        }
        let narrow = power_at_db(&sound, 1_000, 16_000.0);
        assert_eq!(narrow > 50.0, from.contains(&both[1]), "{narrow:.1} dB of the narrow-band leg");
    }
}

#[test]
fn lost_packet_in_a_tone_is_neither_a_gap_nor_a_click() {
    for codec in [Codec::Pcma, Codec::G722] {
        let mut rig = Rig::new(Prompts::empty());
        let a = rig.leg(codec, |_| {});
        let b = rig.leg(codec, |params| params.ptime_ms = 40);
        rig.phone(a).tone = 400;
        bridge(&mut rig, a, b);
        for _ in 0..10 {
            rig.talk(180);
            // The time of a packet goes by without one.
            rig.phone(a).skip_packet();
            let tone = std::mem::take(&mut rig.phone(a).tone);
            rig.talk(20);
            rig.phone(a).tone = tone;
        }
        let sound = rig.phone(b).sound();
        let sound = &sound[2_000..sound.len() - 400];
        let loudness = |part: &[i16]| part.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>() / part.len() as i64;
        let whole = loudness(&sound[..800]);
        for (at, part) in sound.windows(80).enumerate().step_by(20) {
            assert!(loudness(part) * 2 > whole, "{codec:?}: more than 3 dB softer at sample {at}");
        }
        // The steepest step of the tone itself is 2,510.
        let steepest = sound.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().expect("samples");
        assert!(steepest < 3_300, "{codec:?}: a step of {steepest}");
    }
}

/// A second of silence, announced at 40 dB below overload, between two seconds of tone.
fn fall_silent(rig: &mut Rig, leg: LegId) {
    rig.talk(1_000);
    let tone = std::mem::take(&mut rig.phone(leg).tone);
    rig.phones.iter_mut().for_each(|phone| phone.heard.clear());
    rig.phone(leg).say(13, false, &[40]);
    rig.talk(1_000);
    let phone = rig.phone(leg);
    phone.timestamp = phone.timestamp.wrapping_add(8_000);
    phone.tone = tone;
}

#[test]
fn comfort_noise_is_passed_on_where_both_know_it() {
    let mut rig = Rig::new(Prompts::empty());
    let [a, b] = [(); 2].map(|()| rig.leg(Codec::Pcma, |params| params.comfort_noise = true));
    rig.phone(a).tone = 400;
    bridge(&mut rig, a, b);
    fall_silent(&mut rig, a);
    let heard = std::mem::take(&mut rig.phone(b).heard);
    let [(noise, payload)] = &heard[..] else { panic!("{} packets in a silence", heard.len()) };
    assert_eq!((noise.payload_type, &payload[..]), (13, &[40][..]));
    rig.talk(100);
    let (audio, _) = rig.phone(b).heard[0];
    assert_eq!(audio.sequence, noise.sequence.wrapping_add(1));
    assert_eq!(audio.timestamp.wrapping_sub(noise.timestamp), 8_000, "the gap is one in time");
}

#[test]
fn listener_who_does_not_know_comfort_noise_hears_noise_of_its_level_until_the_voice_returns() {
    for codec in [Codec::Pcma, Codec::G722] {
        let mut rig = Rig::new(Prompts::empty());
        let a = rig.leg(Codec::Pcma, |params| params.comfort_noise = true);
        let b = rig.leg(codec, |_| {});
        rig.phone(a).tone = 400;
        bridge(&mut rig, a, b);
        fall_silent(&mut rig, a);
        rig.talk(200);
        let heard: Vec<_> = rig.phone(b).heard.iter().map(|(header, _)| *header).collect();
        assert!((58..=61).contains(&heard.len()), "{} packets in 1.2 s", heard.len());
        for pair in heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!((160..=320).contains(&step), "a step of {step} ticks");
        }
        let sound = rig.phone(b).sound();
        assert_is_noise(&sound[800..7_200]);
        assert_hears(&sound[sound.len() - 1_200..], 400, &[700]);
    }
}

#[test]
fn comfort_noise_is_heard_in_a_mix() {
    let mut rig = Rig::new(Prompts::empty());
    let legs = [(); 3].map(|()| rig.leg(Codec::Pcma, |params| params.comfort_noise = true));
    rig.phone(legs[0]).tone = 400;
    confer(&mut rig, legs);
    fall_silent(&mut rig, legs[0]);
    let sound = rig.phone(legs[1]).sound();
    assert_is_noise(&sound[1_600..]);
    rig.talk(300);
    assert_hears(&rig.phone(legs[1]).sound()[1_200..], 400, &[700]);
}

/// Asserts noise 40 dB below overload, within 3 dB.
fn assert_is_noise(sound: &[i16]) {
    let power = sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64;
    let dbov = 10.0 * (power / f64::from(i16::MAX).powi(2)).log10();
    assert!((-43.0..=-37.0).contains(&dbov), "{dbov:.1} dBov");
}

#[test]
fn silence_without_comfort_noise_stays_silence() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    bridge(&mut rig, a, b);
    rig.talk(200);
    rig.phone(a).tone = 0;
    rig.talk(40);
    rig.phone(b).heard.clear();
    rig.talk(500);
    assert!(rig.phone(b).heard.is_empty(), "nothing is made up for a far end that does not say what it does");
}
