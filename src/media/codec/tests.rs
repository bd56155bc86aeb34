//! Codecs against their laws, and against sounds.

use super::conceal::Concealer;
use super::noise::ComfortNoise;
use super::resample::{Down, Up};
use super::*;

/// G.711 table 1a, columns 6 and 7, built from the table's own words: segments of 16 intervals, 2 units wide in the
/// first two segments and twice as wide in each further one, on a scale of 4,096.
fn alaw_by_table(sample: i16) -> u8 {
    let magnitude = if sample >= 0 { i32::from(sample) } else { -1 - i32::from(sample) };
    // Decision values on the scale of 4,096 are 2 to the 12; samples have 15 bits of magnitude.
    let mut bound = 0;
    let mut code = 0u8;
    'all: for segment in 0..8 {
        let width = if segment < 2 { 2 } else { 2 << (segment - 1) };
        for _ in 0..16 {
            bound += width;
            if magnitude < bound * 8 {
                break 'all;
            }
            code += 1;
        }
    }
    let code = code.min(127);
    (if sample >= 0 { code | 0x80 } else { code }) ^ 0x55
}

/// G.711 table 2a: the first interval one unit wide, then 15 of 2, then segments of 16 intervals, each twice as wide as
/// in the one before, on a scale of 8,159.
fn ulaw_by_table(sample: i16) -> u8 {
    let magnitude = if sample >= 0 { i32::from(sample) } else { -1 - i32::from(sample) };
    let mut bound = 1;
    let mut code = 0u8;
    while magnitude >= bound * 4 && code < 127 {
        code += 1;
        bound += if code < 16 { 2 } else { 2 << (code / 16) };
    }
    !(if sample >= 0 { code } else { code | 0x80 })
}

#[test]
fn both_laws_agree_with_the_tables_of_g711_for_all_samples() {
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(g711::linear_to_alaw(sample), alaw_by_table(sample), "A-law of {sample}");
        assert_eq!(g711::linear_to_ulaw(sample), ulaw_by_table(sample), "mu-law of {sample}");
    }
}

#[test]
fn known_values_of_the_laws() {
    assert_eq!(g711::linear_to_alaw(0), g711::ALAW_SILENCE);
    assert_eq!(g711::linear_to_ulaw(0), g711::ULAW_SILENCE);
    assert_eq!(g711::alaw_to_linear(0xd5), 8);
    assert_eq!(g711::alaw_to_linear(0x2a), -32_256);
    assert_eq!(g711::alaw_to_linear(0xaa), 32_256);
    assert_eq!(g711::ulaw_to_linear(0xff), 0);
    assert_eq!(g711::ulaw_to_linear(0x00), -32_124);
    assert_eq!(g711::ulaw_to_linear(0x80), 32_124);
}

#[test]
fn decoding_and_encoding_again_changes_no_byte() {
    for byte in 0..=255u8 {
        assert_eq!(g711::linear_to_alaw(g711::alaw_to_linear(byte)), byte);
        // Mu-law has two zeros; both come out as the positive one.
        let again = g711::linear_to_ulaw(g711::ulaw_to_linear(byte));
        assert_eq!(again, if byte == 0x7f { 0xff } else { byte });
    }
}

#[test]
fn the_direct_tables_go_through_the_same_samples() {
    for byte in 0..=255u8 {
        let linear = g711::alaw_to_linear(byte);
        let direct = g711::ulaw_to_linear(g711::ALAW_TO_ULAW[usize::from(byte)]);
        assert!((i32::from(linear) - i32::from(direct)).abs() <= 16 + i32::from(linear).abs() / 32);
        let linear = g711::ulaw_to_linear(byte);
        let direct = g711::alaw_to_linear(g711::ULAW_TO_ALAW[usize::from(byte)]);
        assert!((i32::from(linear) - i32::from(direct)).abs() <= 16 + i32::from(linear).abs() / 32);
    }
}

#[test]
fn every_codec_carries_a_tone_at_every_rate() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        for (rate, hz) in [(8_000, 1_000.0), (16_000, 1_000.0)] {
            let pcm = sine(hz, rate, 8_000.0, rate as usize);
            let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
            let mut bytes = vec![0; 8_000];
            let mut back = vec![0; rate as usize];
            let written =
                if rate == 8_000 { encoder.encode_8k(&pcm, &mut bytes) } else { encoder.encode_16k(&pcm, &mut bytes) };
            assert_eq!(written, 8_000);
            let read = if rate == 8_000 {
                decoder.decode_8k(&bytes, &mut back)
            } else {
                decoder.decode_16k(&bytes, &mut back)
            };
            assert_eq!(read, rate as usize);
            let share = share_of(&back[rate as usize / 4..], hz, rate);
            assert!(share > 0.998, "{codec:?} at {rate}: {share}");
            let loud = level(&back[rate as usize / 4..]) / level(&pcm);
            assert!((0.94..1.06).contains(&loud), "{codec:?} at {rate}: {loud}");
        }
    }
}

#[test]
fn g722_keeps_what_narrow_band_cannot() {
    let pcm = sine(6_000.0, 16_000, 8_000.0, 16_000);
    let mut bytes = vec![0; 8_000];
    Encoder::new(Codec::G722).encode(&pcm, &mut bytes);
    let mut back = vec![0; 16_000];
    Decoder::new(Codec::G722).decode(&bytes, &mut back);
    assert!(share_of(&back[4_000..], 6_000.0, 16_000) > 0.9);
    let mut narrow = vec![0; 8_000];
    Decoder::new(Codec::G722).decode_8k(&bytes, &mut narrow);
    assert!(level(&narrow[2_000..]) < level(&pcm) / 100.0, "6 kHz must not fold back to 2 kHz");
}

#[test]
fn transcoding_keeps_length_and_sound_for_every_pair() {
    let codecs = [Codec::Pcma, Codec::Pcmu, Codec::G722];
    for from in codecs {
        for to in codecs {
            let pcm = sine(700.0, 8_000, 6_000.0, 8_000);
            let mut bytes = vec![0; 8_000];
            Encoder::new(from).encode_8k(&pcm, &mut bytes);
            let mut transcoder = Transcoder::new(from, to);
            for (i, packet) in bytes.chunks_mut(200).enumerate() {
                assert_eq!(packet.len(), 200, "packet {i}");
                transcoder.convert(packet);
            }
            let mut back = vec![0; 8_000];
            Decoder::new(to).decode_8k(&bytes, &mut back);
            assert!(share_of(&back[2_000..], 700.0, 8_000) > 0.997, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn silence_is_silent_in_every_codec() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        let mut decoder = Decoder::new(codec);
        let mut pcm = [0; FRAME_8K];
        for _ in 0..50 {
            decoder.decode_8k(silence(codec), &mut pcm);
            let loudest = pcm.iter().map(|sample| sample.abs()).max();
            assert!(loudest <= Some(24), "{codec:?}: {loudest:?}");
        }
    }
}

#[test]
fn resampling_is_flat_in_the_voice_band_and_has_no_mirror_images() {
    for hz in [300.0, 1_000.0, 2_000.0, 3_000.0, 3_300.0] {
        let narrow = sine(hz, 8_000, 10_000.0, 8_000);
        let mut wide = vec![0; 16_000];
        Up::new().convert(&narrow, &mut wide);
        assert!((0.98..1.02).contains(&(level(&wide[1_000..]) / level(&narrow))), "{hz} up");
        assert!(share_of(&wide[1_000..], hz, 16_000) > 0.999, "{hz} up");
        let mut back = vec![0; 8_000];
        Down::new().convert(&wide, &mut back);
        assert!((0.98..1.02).contains(&(level(&back[1_000..]) / level(&narrow))), "{hz} down");
    }
    for hz in [4_700.0, 5_500.0, 7_000.0] {
        let wide = sine(hz, 16_000, 10_000.0, 16_000);
        let mut narrow = vec![0; 8_000];
        Down::new().convert(&wide, &mut narrow);
        assert!(level(&narrow[1_000..]) < level(&wide) / 300.0, "{hz} must not fold back");
    }
}

#[test]
fn resampling_in_pieces_is_the_same_as_at_once() {
    let pcm = sine(523.0, 8_000, 9_000.0, 1_600);
    let mut whole = vec![0; 3_200];
    Up::new().convert(&pcm, &mut whole);
    let mut up = Up::new();
    let mut pieces = Vec::new();
    for piece in pcm.chunks(77) {
        let mut out = vec![0; 2 * piece.len()];
        up.convert(piece, &mut out);
        pieces.extend(out);
    }
    assert_eq!(pieces, whole);
}

#[test]
fn a_lost_frame_of_a_vowel_goes_on_at_its_pitch_and_a_long_loss_fades() {
    for rate in [8_000u32, 16_000] {
        let frame = rate as usize / 50;
        let pcm = sine(200.0, rate, 10_000.0, frame * 20);
        let mut concealer = Concealer::new();
        for good in pcm[..frame * 10].chunks(frame) {
            concealer.good(&mut good.to_vec());
        }
        let mut filled = vec![0; frame];
        concealer.fill(&mut filled);
        let expected = &pcm[frame * 10..frame * 11];
        let wrong: f64 = filled.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        let right: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
        assert!(wrong / right < 0.05, "at {rate}: {}", wrong / right);
        let mut before = level(&filled);
        for _ in 0..5 {
            concealer.fill(&mut filled);
            assert!(level(&filled) < before);
            before = level(&filled);
        }
        concealer.fill(&mut filled);
        assert!(filled.iter().all(|sample| *sample == 0));
        let mut back = pcm[..frame].to_vec();
        concealer.good(&mut back);
        assert_eq!(back[40..], pcm[40..frame]);
    }
}

#[test]
fn comfort_noise_has_the_level_that_was_asked_for() {
    for dbov in [30u8, 50, 65] {
        let mut pcm = [0; 16_000];
        let mut noise = ComfortNoise::default();
        noise.packet(&[dbov]);
        noise.fill(&mut pcm);
        let measured = 20.0 * (level(&pcm) / 32_768.0).log10();
        assert!((measured + f64::from(dbov)).abs() < 2.0, "{dbov}: {measured}");
    }
    let mut pcm = [1; 160];
    ComfortNoise::new(127).fill(&mut pcm);
    assert!(pcm.iter().all(|sample| sample.abs() <= 1));
}

#[test]
fn codecs_write_no_more_than_there_is_room_for() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        let mut decoder = Decoder::new(codec);
        for room in [0, 1, 3, 159, 161, 319, 321] {
            let mut out = vec![0; room];
            assert!(decoder.decode(&[0x55; 160], &mut out) <= room);
            assert!(decoder.decode_8k(&[0x55; 160], &mut out) <= room);
            assert!(decoder.decode_16k(&[0x55; 160], &mut out) <= room);
            let mut bytes = vec![0; room];
            assert!(Encoder::new(codec).encode(&[99; 320], &mut bytes) <= room);
        }
    }
}

fn sine(hz: f64, rate: u32, amplitude: f64, samples: usize) -> Vec<i16> {
    (0..samples).map(|i| (amplitude * (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin()) as i16).collect()
}

fn level(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
}

/// Share of the energy that lies at one frequency.
fn share_of(pcm: &[i16], hz: f64, rate: u32) -> f64 {
    let (mut sin, mut cos, mut all) = (0.0, 0.0, 0.0);
    for (i, sample) in pcm.iter().enumerate() {
        let phase = std::f64::consts::TAU * hz * i as f64 / f64::from(rate);
        sin += f64::from(*sample) * phase.sin();
        cos += f64::from(*sample) * phase.cos();
        all += f64::from(*sample).powi(2);
    }
    (sin * sin + cos * cos) * 2.0 / pcm.len() as f64 / all
}
