//! Stories of who hears whom.

use super::*;

const CUSTOMER: usize = 0;
const AGENT: usize = 1;
const SUPERVISOR: usize = 2;

#[test]
fn in_a_conference_each_hears_the_sum_of_the_others() {
    let heard = tick(&Matrix::conference(3), [100, 20, 3]);
    assert_eq!(heard, [23, 103, 120]);
}

#[test]
fn a_listener_hears_both_and_changes_nothing_for_them() {
    let plain = tick(&Matrix::conference(2), [100, 20, 0]);
    let heard = tick(&Matrix::listen(), [100, 20, 3_000]);
    assert_eq!(heard[SUPERVISOR], 120);
    assert_eq!(heard[..2], plain[..2]);
}

#[test]
fn a_whisper_reaches_the_agent_alone() {
    let heard = tick(&Matrix::whisper(), [100, 20, 3]);
    assert_eq!(heard[CUSTOMER], 20);
    assert_eq!(heard[AGENT], 103);
    assert_eq!(heard[SUPERVISOR], 120);
}

#[test]
fn barging_in_is_heard_by_both() {
    assert_eq!(tick(&Matrix::barge(), [100, 20, 3]), [23, 103, 120]);
}

#[test]
fn loud_voices_saturate_and_never_change_sign() {
    assert_eq!(tick(&Matrix::conference(3), [i16::MAX, i16::MAX, 0])[SUPERVISOR], i16::MAX);
    assert_eq!(tick(&Matrix::conference(3), [i16::MIN, i16::MIN, 0])[SUPERVISOR], i16::MIN);
}

#[test]
fn a_single_voice_at_unity_is_not_changed() {
    let voice: Vec<i16> = (0..160).map(|i| (i * 401 - 32_000) as i16).collect();
    let mut out = [0i16; 160];
    Matrix::listen().mix_for(CUSTOMER, &[None, Some(&voice), None], &mut out);
    assert_eq!(out[..], voice[..]);
}

#[test]
fn gains_are_decibels_within_bounds() {
    let mut matrix = Matrix::conference(2);
    let heard = |matrix: &Matrix| tick(matrix, [10_000, 0, 0])[AGENT];
    matrix.set(CUSTOMER, AGENT, Gain::db(-6));
    assert!((5_000..5_030).contains(&heard(&matrix)), "{}", heard(&matrix));
    matrix.set(CUSTOMER, AGENT, Gain::db(6));
    assert!((19_930..19_970).contains(&heard(&matrix)));
    matrix.set(CUSTOMER, AGENT, Gain::db(127));
    assert_eq!(heard(&matrix), 32_767, "12 dB at most, then saturation");
    matrix.set(CUSTOMER, AGENT, Gain::db(-128));
    assert_eq!(heard(&matrix), 9, "-60 dB at least");
}

#[test]
fn nobody_hears_himself_whatever_is_set() {
    let mut matrix = Matrix::conference(2);
    matrix.set(AGENT, AGENT, Gain::UNITY);
    assert_eq!(tick(&matrix, [0, 500, 0])[AGENT], 0);
}

#[test]
fn a_missing_or_short_frame_is_silence_from_there_on() {
    let short = [7i16; 80];
    let mut out = [1i16; 160];
    Matrix::conference(3).mix_for(0, &[None, Some(&short[..]), None], &mut out);
    assert_eq!(out[..80], [7; 80]);
    assert_eq!(out[80..], [0; 80]);
}

#[test]
fn frames_longer_than_20_ms_are_mixed_whole() {
    let long = [5i16; 1_000];
    let mut out = [0i16; 1_000];
    Matrix::conference(2).mix_for(1, &[Some(&long[..]), None], &mut out);
    assert_eq!(out, long);
}

fn tick(matrix: &Matrix, voices: [i16; 3]) -> [i16; 3] {
    let inputs = voices.map(|voice| Some([voice; 160]));
    let mut outputs = [[0i16; 160]; 3];
    matrix.tick(&inputs, &mut outputs);
    outputs.map(|frame| {
        assert!(frame.iter().all(|sample| *sample == frame[0]));
        frame[0]
    })
}
