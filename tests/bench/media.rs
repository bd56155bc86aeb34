//! Time of the media's inner parts for one 20 ms frame or one packet.
//!
//! Targets: G.711 0.06 us a frame, a three-party mix 1 us, the key detector 0.4 us, G.722 13 us to encode and 10 us to
//! decode.

use std::time::Duration;

use divan::{Bencher, black_box};
use yihao::media::codec::{Decoder, Encoder, Transcoder, conceal::Concealer, g711};
use yihao::media::dtmf::Detector;
use yihao::media::jitter::Buffer;
use yihao::media::mixer::Matrix;
use yihao::media::recording::{Channel, Encoding, Placer, Start, Writer};
use yihao::media::rtcp::Session;
use yihao::media::rtp::{Header, Kind, Seed, Sender, Stamp};
use yihao::media::srtp::Srtp;
use yihao::types::{CallId, Codec, CryptoSuite, LegId, Mono, SrtpKey, Wall};

fn main() {
    divan::main();
}

#[divan::bench]
fn g711_decode_alaw(bencher: Bencher) {
    let (bytes, mut pcm) = (alaw(), [0i16; 160]);
    bencher.bench_local(|| g711::decode_alaw(black_box(&bytes), black_box(&mut pcm)));
}

#[divan::bench]
fn g711_encode_alaw(bencher: Bencher) {
    let (pcm, mut bytes) = (voice(160), [0u8; 160]);
    bencher.bench_local(|| g711::encode_alaw(black_box(&pcm), black_box(&mut bytes)));
}

#[divan::bench]
fn g711_alaw_to_ulaw(bencher: Bencher) {
    let mut bytes = alaw();
    let mut transcoder = Transcoder::new(Codec::Pcma, Codec::Pcmu);
    bencher.bench_local(|| transcoder.convert(black_box(&mut bytes)));
}

#[divan::bench]
fn g722_encode(bencher: Bencher) {
    let (pcm, mut bytes) = (voice(320), [0u8; 160]);
    let mut encoder = Encoder::new(Codec::G722);
    bencher.bench_local(|| encoder.encode(black_box(&pcm), black_box(&mut bytes)));
}

#[divan::bench]
fn g722_decode(bencher: Bencher) {
    let mut bytes = [0u8; 160];
    Encoder::new(Codec::G722).encode(&voice(320), &mut bytes);
    let (mut decoder, mut pcm) = (Decoder::new(Codec::G722), [0i16; 320]);
    bencher.bench_local(|| decoder.decode(black_box(&bytes), black_box(&mut pcm)));
}

#[divan::bench]
fn alaw_to_16_khz(bencher: Bencher) {
    let (bytes, mut pcm) = (alaw(), [0i16; 320]);
    let mut decoder = Decoder::new(Codec::Pcma);
    bencher.bench_local(|| decoder.decode_16k(black_box(&bytes), black_box(&mut pcm)));
}

#[divan::bench]
fn mix_of_three(bencher: Bencher) {
    let voice = voice(160);
    let inputs = [Some(&voice), Some(&voice), Some(&voice)];
    let mut outputs = [[0i16; 160]; 3];
    let matrix = Matrix::conference(3);
    bencher.bench_local(|| matrix.tick(black_box(&inputs), black_box(&mut outputs)));
}

/// All of a tick of three legs: decode, mix for each, encode.
#[divan::bench(args = ["narrow", "wide"])]
fn tick_of_three(bencher: Bencher, band: &str) {
    let (codec, samples) = if band == "wide" { (Codec::G722, 320) } else { (Codec::Pcma, 160) };
    let mut payload = [0u8; 160];
    Encoder::new(codec).encode(&voice(samples), &mut payload);
    let mut legs: Vec<(Decoder, Encoder)> = (0..3).map(|_| (Decoder::new(codec), Encoder::new(codec))).collect();
    let matrix = Matrix::conference(3);
    bencher.bench_local(|| {
        let mut heard = [[0i16; 320]; 3];
        for ((decoder, _), heard) in legs.iter_mut().zip(&mut heard) {
            decoder.decode(black_box(&payload), heard);
        }
        let inputs = [Some(&heard[0][..samples]), Some(&heard[1][..samples]), Some(&heard[2][..samples])];
        for (to, (_, encoder)) in legs.iter_mut().enumerate() {
            let mut mixed = [0i16; 320];
            matrix.mix_for(to, &inputs, &mut mixed[..samples]);
            let mut out = [0u8; 160];
            encoder.encode(&mixed[..samples], &mut out);
            black_box(out);
        }
    });
}

#[divan::bench]
fn key_detector(bencher: Bencher) {
    let (pcm, mut detector) = (voice(160), Detector::new());
    bencher.bench_local(|| detector.feed(black_box(&pcm)));
}

#[divan::bench]
fn conceal_first_frame(bencher: Bencher) {
    let mut frame = voice(160);
    let mut concealer = Concealer::new();
    bencher.bench_local(|| {
        concealer.good(black_box(&mut frame));
        concealer.fill(black_box(&mut frame));
    });
}

#[divan::bench]
fn jitter_push_and_pull(bencher: Bencher) {
    let mut buffer = Box::new(Buffer::new());
    let payload = alaw();
    let mut number = 0u32;
    let mut frame = [0; 160];
    bencher.bench_local(|| {
        number = number.wrapping_add(1);
        let at = Mono(u64::from(number) * 20_000_000);
        buffer.push(&header(number), &payload, at);
        buffer.pull(black_box(&mut frame), at)
    });
}

#[divan::bench]
fn relay_header(bencher: Bencher) {
    let mut sender = Sender::new(Seed { ssrc: 1, sequence: 2, timestamp: 3 });
    let mut session = Session::new(1, "leg", 0, Mono(0));
    let mut packet = packet(0);
    let mut number = 0u32;
    bencher.bench_local(|| {
        number = number.wrapping_add(1);
        stamp(number).write(&[], &mut packet[..12]);
        let at = Mono(u64::from(number) * 20_000_000);
        let header = Header::parse(black_box(&packet)).expect("the packet is valid");
        session.received(&header, at);
        let stamp = sender.relay(1, &header, Kind::Audio, 8, at).expect("the packets follow each other");
        stamp.rewrite(&mut packet, &header)
    });
}

#[divan::bench]
fn srtp_protect(bencher: Bencher) {
    let mut srtp = Srtp::new(&key(), &key()).expect("the key fits");
    let mut number = 0u32;
    bencher.bench_local(|| {
        number = number.wrapping_add(1);
        srtp.protect_rtp(&packet(number)).expect("the packet is valid")
    });
}

#[divan::bench]
fn srtp_unprotect(bencher: Bencher) {
    let mut sender = Srtp::new(&key(), &key()).expect("the key fits");
    let mut receiver = Srtp::new(&key(), &key()).expect("the key fits");
    let mut number = 0u32;
    bencher
        .with_inputs(|| {
            number = number.wrapping_add(1);
            sender.protect_rtp(&packet(number)).expect("the packet is valid")
        })
        .bench_local_values(|sealed| receiver.unprotect_rtp(&sealed).expect("the packet authenticates"));
}

#[divan::bench]
fn record_a_packet(bencher: Bencher) {
    let mut writer = Writer::new(Start { call: CallId(1), started: Wall(0) });
    let mut placer = Placer::new();
    let payload = alaw();
    let mut out = Vec::new();
    let mut number = 0u32;
    bencher.bench_local(|| {
        number = number.wrapping_add(1);
        let position = placer.place(&header(number), Duration::from_millis(u64::from(number) * 20));
        writer.audio(LegId(1), Channel::Caller, Encoding::Alaw, position, &payload);
        if number.is_multiple_of(25) {
            out.clear();
            writer.take(&mut out);
        }
    });
}

fn voice(samples: usize) -> Vec<i16> {
    (0..samples).map(|i| (6_000.0 * (i as f32 * 0.31).sin() + 3_000.0 * (i as f32 * 1.7).sin()) as i16).collect()
}

fn alaw() -> [u8; 160] {
    let mut bytes = [0; 160];
    g711::encode_alaw(&voice(160), &mut bytes);
    bytes
}

fn stamp(number: u32) -> Stamp {
    Stamp { payload_type: 8, marker: false, sequence: number as u16, timestamp: number.wrapping_mul(160), ssrc: 9 }
}

fn packet(number: u32) -> [u8; 172] {
    let mut packet = [0; 172];
    stamp(number).write(&[0x55; 160], &mut packet);
    packet
}

fn header(number: u32) -> Header {
    Header::parse(&packet(number)).expect("the packet is valid")
}

fn key() -> SrtpKey {
    SrtpKey { suite: CryptoSuite::Aes128Sha1_80, key_salt: [7; 30] }
}
