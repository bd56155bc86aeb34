//! Prompts and recordings: what is played and what is kept.

use super::super::prompt::Prompts;
use super::super::{Command, Event};
use super::rig::{CALL, Rig, assert_hears, voice};
use super::{bridge, two};
use crate::media::recording::{Playback, Recording, Role};
use crate::types::{Codec, Origin, PromptName, RunId, Source, TrunkId};

/// A prompt `beep` of 1 s of 1,500 Hz.
fn beep() -> Prompts {
    let folder = tempfile::tempdir().expect("a folder");
    let samples = (0..8_000).map(|n| {
        let angle = f64::from(n) * 1_500.0 / 8_000.0 * std::f64::consts::TAU;
        (angle.sin() * 8_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(data);
    std::fs::create_dir(folder.path().join("8k")).expect("a folder");
    std::fs::write(folder.path().join("8k/beep.wav"), wav).expect("a file");
    Prompts::load(folder.path(), [PromptName::new("beep")]).expect("a good file")
}

fn prompt(run: u64) -> [Source; 1] {
    [Source::Prompt { name: PromptName::new("beep"), run: RunId(run) }]
}

#[test]
fn prompt_is_heard_in_each_codec_and_its_end_is_told_once() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        let mut rig = Rig::new(beep());
        let a = rig.leg(codec, |_| {});
        rig.hear(&[(a, &prompt(7))]);
        rig.talk(500);
        rig.hear(&[(a, &prompt(7))]);
        assert_eq!(rig.taken_events(), []);
        rig.talk(540);
        assert_eq!(
            rig.taken_events(),
            [Event::PromptEnded { leg: a, run: RunId(7) }],
            "the same run was not begun anew"
        );
        let sound = rig.phone(a).sound();
        assert_hears(&sound[400..7_600], 1_500, &[700, 1_000]);
        rig.hear(&[(a, &prompt(7))]);
        rig.talk(1_100);
        assert_eq!(rig.taken_events(), [], "an ended run stays ended");
        rig.hear(&[(a, &prompt(8))]);
        rig.talk(1_100);
        assert_eq!(rig.taken_events(), [Event::PromptEnded { leg: a, run: RunId(8) }]);
    }
}

#[test]
fn prompt_that_was_never_loaded_ends_at_once() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |_| {});
    rig.hear(&[(a, &prompt(1))]);
    rig.talk(40);
    assert_eq!(rig.taken_events(), [Event::PromptEnded { leg: a, run: RunId(1) }]);
}

#[test]
fn music_has_no_end() {
    let mut rig = Rig::new(beep());
    let a = rig.leg(Codec::Pcma, |_| {});
    rig.hear(&[(a, &[Source::Music { name: PromptName::new("beep") }])]);
    rig.talk(3_000);
    rig.phone(a).heard.clear();
    rig.talk(500);
    assert_hears(&rig.phone(a).sound(), 1_500, &[700]);
    assert_eq!(rig.taken_events(), []);
}

#[test]
fn announcement_and_voice_are_heard_together() {
    let mut rig = Rig::new(beep());
    let a = rig.leg(Codec::Pcma, |_| {});
    let b = rig.leg(Codec::Pcma, |_| {});
    rig.phone(b).tone = 400;
    let [prompt] = prompt(1);
    let [voice] = voice(b);
    rig.hear(&[(a, &[prompt, voice])]);
    rig.talk(1_000);
    let sound = &rig.phone(a).sound()[2_000..];
    assert_hears(sound, 400, &[700]);
    assert_hears(sound, 1_500, &[700]);
}

/// Left and right of a recording at 8 kHz.
fn channels(bytes: &[u8]) -> [Vec<i16>; 2] {
    let recording = Recording::read(bytes).expect("a recording");
    let mut out = [Vec::new(), Vec::new()];
    for frame in Playback::new(&recording, false) {
        for pair in frame.chunks(2) {
            out[0].push(pair[0]);
            out[1].push(pair[1]);
        }
    }
    out
}

#[test]
fn caller_is_recorded_left_and_the_others_right() {
    for codecs in [[Codec::Pcma; 2], [Codec::Pcmu, Codec::G722]] {
        let (mut rig, a, b) = two(codecs);
        rig.command(Command::Record { call: CALL, caller: a, file: "2026/05/x.yrec".to_owned() });
        bridge(&mut rig, a, b);
        rig.talk(3_000);
        rig.command(Command::EndRecording { call: CALL });
        let bytes = rig.recorded("2026/05/x.yrec");
        let recording = Recording::read(&bytes).expect("a recording");
        assert!(recording.is_complete());
        assert!((2_950..=3_050).contains(&recording.duration().as_millis()), "{:?}", recording.duration());
        let [left, right] = channels(&bytes);
        assert_hears(&left[800..23_200], 400, &[1_000, 700]);
        assert_hears(&right[800..23_200], 1_000, &[400, 700]);
        assert_eq!(rig.taken_events(), []);
    }
}

#[test]
fn index_of_a_recording_names_what_each_party_is() {
    let mut rig = Rig::new(Prompts::empty());
    let a = rig.leg(Codec::Pcma, |_| {});
    rig.command(Command::Record { call: CALL, caller: a, file: "x".to_owned() });
    let b = rig.leg(Codec::Pcma, |_| {});
    rig.party = Origin::Trunk(TrunkId(3));
    let c = rig.leg(Codec::Pcma, |_| {});
    rig.talk(100);
    for leg in [a, b, c] {
        rig.command(Command::Close { leg });
    }
    let bytes = rig.recorded("x");
    let recording = Recording::read(&bytes).expect("a recording");
    let roles: Vec<_> = recording.segments().iter().map(|segment| (segment.leg, segment.role)).collect();
    assert_eq!(roles, [(a, Role::Caller), (b, Role::Seat), (c, Role::Trunk)]);
}

#[test]
fn party_that_speaks_later_is_recorded_at_its_time() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    rig.phone(b).tone = 0;
    rig.command(Command::Record { call: CALL, caller: a, file: "x".to_owned() });
    bridge(&mut rig, a, b);
    rig.talk(2_000);
    rig.phone(b).tone = 1_000;
    rig.talk(1_000);
    rig.command(Command::Close { leg: a });
    rig.command(Command::Close { leg: b });
    let [_, right] = channels(&rig.recorded("x"));
    let begin = right.iter().position(|sample| sample.unsigned_abs() > 1_000).expect("it spoke");
    assert!((15_840..16_160).contains(&begin), "at {} ms", begin / 8);
}

#[test]
fn recording_is_on_the_disk_within_a_second_while_the_call_goes_on() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    rig.command(Command::Record { call: CALL, caller: a, file: "x".to_owned() });
    bridge(&mut rig, a, b);
    rig.talk(5_000);
    // No end, as after a kill: what the disk thread was given is all there is.
    let bytes = rig.recorded("x");
    let recording = Recording::read(&bytes).expect("a recording");
    assert!(!recording.is_complete());
    assert!(recording.duration().as_millis() >= 4_400, "{:?}", recording.duration());
}

#[test]
fn recording_that_cannot_be_written_is_told_once_and_the_call_goes_on() {
    let (mut rig, a, b) = two([Codec::Pcma; 2]);
    std::fs::write(rig.recordings().join("blocked"), b"a file where a folder should be").expect("a file");
    bridge(&mut rig, a, b);
    let order = Command::Record { call: CALL, caller: a, file: "blocked/x".to_owned() };
    rig.command(order.clone());
    let failed = rig.events.recv_timeout(std::time::Duration::from_secs(10)).expect("the disk thread reports");
    assert!(matches!(&failed, Event::RecordingFailed { call: CALL, why } if why.contains("blocked/x")), "{failed:?}");
    rig.talk(1_000);
    rig.command(order);
    rig.talk(1_000);
    assert_eq!(rig.taken_events(), [], "told once");
    assert_hears(&rig.phone(b).sound(), 400, &[1_000]);
    rig.command(Command::Record { call: CALL, caller: a, file: "y".to_owned() });
    rig.talk(1_000);
    assert!(Recording::read(&rig.recorded("y")).is_ok(), "the next recording is tried again");
}

#[test]
fn file_name_cannot_lead_out_of_the_folder() {
    let (mut rig, a, _) = two([Codec::Pcma; 2]);
    rig.command(Command::Record { call: CALL, caller: a, file: "../x".to_owned() });
    assert!(matches!(&rig.taken_events()[..], [Event::RecordingFailed { .. }]));
    assert!(!rig.folder.path().join("x").exists());
}
