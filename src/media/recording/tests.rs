//! Stories of recordings.

use std::time::Duration;

use super::*;
use crate::journal;
use crate::media::codec::{Encoder, g711};
use crate::media::rtp::{HEADER_BYTES, Header, Stamp};
use crate::types::{CallId, Codec, LegId, Wall};

const CALLER: LegId = LegId(1);
const SEAT: LegId = LegId(2);
const POLICE: LegId = LegId(3);

#[test]
fn both_sides_come_out_on_their_channels_at_their_time() {
    let mut writer = writer();
    for i in 0..50u64 {
        writer.audio(CALLER, Channel::Caller, Encoding::Alaw, i * 160, &[10; 160]);
        writer.audio(SEAT, Channel::Others, Encoding::Alaw, 4_000 + i * 160, &[200; 160]);
    }
    let bytes = finish(writer, 16_000);
    let recording = Recording::read(&bytes).unwrap();
    assert!(recording.is_complete() && !recording.is_damaged());
    assert_eq!((recording.call(), recording.started()), (CallId(7), Wall(1_790_000_000_000)));
    assert_eq!(recording.duration(), Duration::from_secs(2));
    let [left, right] = channels(&recording, false);
    let (low, high) = (g711::alaw_to_linear(10), g711::alaw_to_linear(200));
    assert!(left[..8_000].iter().all(|s| *s == low) && left[8_000..].iter().all(|s| *s == 0));
    assert!(right[..4_000].iter().all(|s| *s == 0) && right[4_000..12_000].iter().all(|s| *s == high));
}

#[test]
fn a_file_cut_at_any_byte_plays_up_to_the_cut() {
    let mut writer = writer();
    let mut bytes = Vec::new();
    let mut whole_at = vec![(0, 0u64)];
    for i in 0..12u64 {
        writer.audio(CALLER, Channel::Caller, Encoding::Alaw, i * 160, &[i as u8; 160]);
        writer.take(&mut bytes);
        whole_at.push((bytes.len(), (i + 1) * 160));
    }
    writer.end(12 * 160, &mut bytes);
    let head = whole_at[1].0 - 160 - 19 - journal::FRAME_BYTES;
    for cut in 0..=bytes.len() {
        let read = Recording::read(&bytes[..cut]);
        let Ok(recording) = read else {
            assert!(cut < head, "cut at {cut}: {read:?}");
            continue;
        };
        assert!(cut >= head);
        let expected = whole_at.iter().filter(|(at, _)| *at <= cut).map(|(_, ticks)| *ticks).max().unwrap();
        assert_eq!(recording.ticks(), expected, "cut at {cut}");
        assert_eq!(Playback::new(&recording, false).map(|frame| frame.len() as u64).sum::<u64>(), 2 * expected);
        assert_eq!(recording.is_complete(), cut == bytes.len());
        let mut wav = Vec::new();
        export::wav_pcm16(&recording, &mut wav).unwrap();
        assert_eq!(wav.len() as u64, 58 + 4 * expected);
    }
}

#[test]
fn damage_never_panics_and_keeps_what_lies_before_it() {
    let mut writer = writer();
    let mut bytes = Vec::new();
    for i in 0..4u64 {
        writer.audio(SEAT, Channel::Others, Encoding::G722, i * 160, &[77; 160]);
        writer.take(&mut bytes);
    }
    writer.end(640, &mut bytes);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        if let Ok(recording) = Recording::read(&damaged) {
            assert!(recording.ticks() <= 640);
            assert!(Playback::new(&recording, true).count() <= 4);
        }
    }
}

#[test]
fn legs_that_share_a_channel_are_mixed() {
    let mut writer = writer();
    writer.audio(SEAT, Channel::Others, Encoding::Pcm16, 0, &pcm(1_000, 320));
    writer.audio(POLICE, Channel::Others, Encoding::Pcm16, 160, &pcm(500, 320));
    let bytes = finish(writer, 0);
    let [_, right] = channels(&Recording::read(&bytes).unwrap(), false);
    assert!(right[..160].iter().all(|s| *s == 1_000));
    assert!(right[160..320].iter().all(|s| *s == 1_500));
    assert!(right[320..480].iter().all(|s| *s == 500));
}

#[test]
fn of_two_pieces_of_one_leg_the_later_written_is_heard() {
    let mut writer = writer();
    writer.audio(SEAT, Channel::Others, Encoding::Pcm16, 100, &pcm(1, 400));
    writer.audio(SEAT, Channel::Others, Encoding::Pcm16, 0, &pcm(2, 200));
    let bytes = finish(writer, 0);
    let [_, right] = channels(&Recording::read(&bytes).unwrap(), false);
    assert!(right[..200].iter().all(|s| *s == 2) && right[200..500].iter().all(|s| *s == 1));
}

#[test]
fn a_piece_longer_than_a_chunk_and_more_legs_than_runs_are_kept_whole() {
    let mut writer = writer();
    writer.audio(CALLER, Channel::Caller, Encoding::Pcm16, 0, &pcm(3, 20_000));
    for leg in 0..20 {
        writer.audio(LegId(100 + leg), Channel::Others, Encoding::Pcm16, leg * 160, &pcm(4, 160));
    }
    let bytes = finish(writer, 0);
    let [left, right] = channels(&Recording::read(&bytes).unwrap(), false);
    assert_eq!(left.iter().filter(|s| **s == 3).count(), 20_000);
    assert_eq!(right.iter().filter(|s| **s == 4).count(), 20 * 160);
}

#[test]
fn contiguous_frames_become_one_chunk() {
    let mut writer = writer();
    let mut bytes = Vec::new();
    writer.take(&mut bytes);
    let before = bytes.len();
    for i in 0..25u64 {
        writer.audio(CALLER, Channel::Caller, Encoding::Alaw, i * 160, &[1; 160]);
    }
    assert_eq!(writer.pending_bytes(), 4_000);
    writer.take(&mut bytes);
    assert_eq!(bytes.len() - before, 4_000 + 19 + journal::FRAME_BYTES);
    assert_eq!(writer.pending_bytes(), 0);
}

#[test]
fn segments_say_who_was_there_and_when() {
    let mut writer = writer();
    writer.joined(CALLER, Channel::Caller, Role::Caller, 0);
    writer.joined(SEAT, Channel::Others, Role::Seat, 800);
    writer.left(SEAT, 4_000);
    writer.joined(SEAT, Channel::Others, Role::Seat, 6_000);
    writer.joined(POLICE, Channel::Others, Role::Trunk, 7_000);
    let bytes = finish(writer, 8_000);
    let recording = Recording::read(&bytes).unwrap();
    let told: Vec<_> = recording.segments().iter().map(|s| (s.leg, s.role, s.from, s.to)).collect();
    assert_eq!(
        told,
        [
            (CALLER, Role::Caller, 0, 8_000),
            (SEAT, Role::Seat, 800, 4_000),
            (SEAT, Role::Seat, 6_000, 8_000),
            (POLICE, Role::Trunk, 7_000, 8_000),
        ]
    );
}

#[test]
fn wav_files_have_the_header_that_players_expect() {
    let mut writer = writer();
    let voice: Vec<u8> = (0..1_600).map(|i| (i * 7) as u8).collect();
    writer.audio(CALLER, Channel::Caller, Encoding::Alaw, 0, &voice);
    let bytes = finish(writer, 0);
    let recording = Recording::read(&bytes).unwrap();
    for (tag, bits, rate) in [(1u16, 16u16, 8_000u32), (6, 8, 8_000)] {
        let mut wav = Vec::new();
        if tag == 1 { export::wav_pcm16(&recording, &mut wav) } else { export::wav_alaw(&recording, &mut wav) }
            .unwrap();
        let u16_at = |at: usize| u16::from_le_bytes([wav[at], wav[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([wav[at], wav[at + 1], wav[at + 2], wav[at + 3]]);
        assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
        assert_eq!(u32_at(4) as usize, wav.len() - 8);
        assert_eq!((u16_at(20), u16_at(22), u32_at(24), u16_at(34)), (tag, 2, rate, bits));
        assert_eq!(u32_at(28), rate * u32::from(bits) / 4);
        assert_eq!((&wav[50..54], u32_at(54) as usize), (&b"data"[..], wav.len() - 58));
        if tag == 6 {
            let left: Vec<u8> = wav[58..].iter().step_by(2).copied().collect();
            assert_eq!(left, voice, "A-law comes out byte by byte as it came in");
        }
    }
}

#[test]
fn wide_band_calls_are_exported_at_16_khz() {
    let mut writer = writer();
    let tone: Vec<i16> =
        (0..32_000).map(|i| (8_000.0 * (i as f64 * 0.4 * std::f64::consts::PI).sin()) as i16).collect();
    let mut g722 = vec![0; 16_000];
    Encoder::new(Codec::G722).encode(&tone, &mut g722);
    for (i, piece) in g722.chunks(160).enumerate() {
        writer.audio(SEAT, Channel::Others, Encoding::G722, i as u64 * 160, piece);
    }
    writer.audio(CALLER, Channel::Caller, Encoding::Ulaw, 0, &[0x80; 160]);
    let bytes = finish(writer, 0);
    let recording = Recording::read(&bytes).unwrap();
    let mut wav = Vec::new();
    export::wav_pcm16(&recording, &mut wav).unwrap();
    assert_eq!(u32::from_le_bytes([wav[24], wav[25], wav[26], wav[27]]), 16_000);
    assert_eq!(wav.len(), 58 + 32_000 * 4);
    let [_, right] = channels(&recording, true);
    let loud = right[8_000..].iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 24_000.0;
    assert!(loud.sqrt() > 4_500.0, "the 3.2 kHz tone is there: {}", loud.sqrt());
}

#[test]
fn files_that_are_no_recordings_are_refused_with_the_reason() {
    assert!(matches!(Recording::read(b""), Err(ReadError::Header(_))));
    assert!(matches!(Recording::read(b"RIFF\x01\0\0\0"), Err(ReadError::Header(_))));
    let header = journal::Kind { magic: *b"YHRC", version: 1 }.header();
    assert_eq!(Recording::read(&header).unwrap_err(), ReadError::Empty);
    let mut encrypted = header.to_vec();
    journal::append_chunk(&mut encrypted, &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Recording::read(&encrypted).unwrap_err(), ReadError::Protected);
}

#[test]
fn chunks_of_a_later_version_are_passed_over() {
    let mut bytes = finish(writer(), 0);
    journal::append_chunk(&mut bytes, &[99, 1, 2, 3]);
    assert!(Recording::read(&bytes).is_ok());
}

#[test]
fn packets_are_placed_by_rtp_time_and_not_by_arrival() {
    let mut placer = Placer::new();
    assert_eq!(placer.place(&header(1, 5_000), ms(1_020)), 8_000);
    assert_eq!(placer.place(&header(1, 5_160), ms(1_075)), 8_160, "35 ms late, not heard as a gap");
    assert_eq!(placer.place(&header(1, 5_480), ms(1_080)), 8_480, "one lost");
    assert_eq!(placer.place(&header(1, 5_320), ms(1_081)), 8_320, "and here it is");
    assert_eq!(placer.place(&header(1, 5_480 + 80_000), ms(11_085)), 88_480, "10 s of silence");
}

#[test]
fn another_ssrc_a_jump_or_a_drift_is_placed_at_its_arrival() {
    let mut placer = Placer::new();
    placer.place(&header(1, 0xffff_ff00), ms(20));
    assert_eq!(placer.place(&header(1, 0xffff_ffa0), ms(40)), 160);
    assert_eq!(placer.place(&header(1, 0x40), ms(60)), 320, "over the wrap");
    assert_eq!(placer.place(&header(2, 77), ms(80)), 480);
    assert_eq!(placer.place(&header(2, 4_000_000_000), ms(100)), 640);
    assert_eq!(placer.place(&header(2, 4_000_000_160), ms(1_120)), 8_800, "its clock stood still for a second");
}

#[test]
fn a_burst_after_a_stall_keeps_its_own_time_and_a_lasting_shift_does_not() {
    let mut placer = Placer::new();
    for i in 0..50u32 {
        let arrival = if (10..30).contains(&i) { 600 } else { u64::from(i) * 20 };
        assert_eq!(placer.place(&header(1, 5_000 + i * 160), ms(20 + arrival)), u64::from(i) * 160, "packet {i}");
    }
    // The far end stops for 600 ms and goes on without moving its timestamps.
    let last = (50..100u32).map(|i| placer.place(&header(1, 5_000 + i * 160), ms(620 + u64::from(i) * 20))).last();
    assert_eq!(last, Some(99 * 160 + 4_800));
}

#[test]
fn lost_packet_leaves_neither_a_gap_nor_a_click_and_a_pause_stays_one() {
    for (codec, encoding) in [(Codec::Pcma, Encoding::Alaw), (Codec::G722, Encoding::G722)] {
        let mut encoder = Encoder::new(codec);
        let mut writer = writer();
        for packet in 0..100u64 {
            let tone: Vec<i16> = (packet * 160..(packet + 1) * 160)
                .map(|i| (8_000.0 * (i as f64 * 400.0 / 8_000.0 * std::f64::consts::TAU).sin()) as i16)
                .collect();
            let mut bytes = [0; 160];
            encoder.encode_8k(&tone, &mut bytes);
            // One lost packet, and half a second that was not said.
            if packet != 30 && !(60..85).contains(&packet) {
                writer.audio(SEAT, Channel::Others, encoding, packet * 160, &bytes);
            }
        }
        let bytes = finish(writer, 16_000);
        let [_, right] = channels(&Recording::read(&bytes).unwrap(), false);
        let loudness = |from: usize| right[from..from + 80].iter().map(|s| i64::from(*s).pow(2)).sum::<i64>() / 80;
        let whole = loudness(4_000);
        for from in (4_000..9_520).step_by(20) {
            assert!(loudness(from) * 2 > whole, "{codec:?}: more than 3 dB softer at sample {from}");
        }
        // The steepest step of the tone itself is 2,510.
        let steepest = right[4_000..9_520].windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
        assert!(steepest < 3_300, "{codec:?}: a step of {steepest}");
        assert!(right[10_000..13_500].iter().all(|s| s.unsigned_abs() < 200), "{codec:?}: a pause is no loss");
    }
}

#[cfg(feature = "opus")]
#[test]
fn ogg_opus_plays_as_long_as_the_call_on_both_channels() {
    let mut writer = writer();
    let tone: Vec<i16> =
        (0..16_000).map(|i| (9_000.0 * (i as f64 * 0.1 * std::f64::consts::PI).sin()) as i16).collect();
    let mut alaw = vec![0; 16_000];
    Encoder::new(Codec::Pcma).encode(&tone, &mut alaw);
    writer.audio(SEAT, Channel::Others, Encoding::Alaw, 0, &alaw);
    let bytes = finish(writer, 0);
    let mut file = Vec::new();
    export::ogg_opus(&Recording::read(&bytes).unwrap(), &mut file).unwrap();
    let mut packets = ogg::PacketReader::new(std::io::Cursor::new(&file));
    let head = packets.read_packet().unwrap().unwrap();
    assert_eq!(&head.data[..8], b"OpusHead");
    let skip = u64::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    packets.read_packet().unwrap().unwrap();
    let mut decoder = ::opus::Decoder::new(48_000, ::opus::Channels::Stereo).unwrap();
    let (mut energy, mut last) = ([0.0f64; 2], 0);
    while let Some(packet) = packets.read_packet().unwrap() {
        let mut pcm = vec![0i16; 2 * 960];
        assert_eq!(decoder.decode(&packet.data, &mut pcm, false).unwrap(), 960);
        for (i, sample) in pcm.iter().enumerate() {
            energy[i % 2] += f64::from(*sample).powi(2);
        }
        last = packet.absgp_page();
    }
    assert_eq!(last - skip, 2 * 48_000, "2 s to the sample");
    assert!(energy[1] > 1_000.0 * energy[0], "the tone is on the right: {energy:?}");
}

fn writer() -> Writer {
    Writer::new(Start { call: CallId(7), started: Wall(1_790_000_000_000) })
}

fn finish(mut writer: Writer, end: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    writer.end(end, &mut bytes);
    bytes
}

fn pcm(value: i16, samples: usize) -> Vec<u8> {
    value.to_le_bytes().repeat(samples)
}

fn channels(recording: &Recording<'_>, wide: bool) -> [Vec<i16>; 2] {
    let all: Vec<i16> = Playback::new(recording, wide).flatten().collect();
    [all.iter().step_by(2).copied().collect(), all.iter().skip(1).step_by(2).copied().collect()]
}

fn header(ssrc: u32, timestamp: u32) -> Header {
    let mut bytes = [0; HEADER_BYTES + 160];
    Stamp { payload_type: 8, marker: false, sequence: 0, timestamp, ssrc }.write(&[0; 160], &mut bytes);
    Header::parse(&bytes).unwrap()
}

fn ms(at: u64) -> Duration {
    Duration::from_millis(at)
}
