//! Whatever the bytes, reading them as RTP does not panic; a packet that is accepted can be relayed, and is handed through
//! everything that an accepted packet meets.

use std::time::Duration;

use yihao::media::dtmf::EventReceiver;
use yihao::media::jitter::Buffer;
use yihao::media::recording::Placer;
use yihao::media::rtcp::Session;
use yihao::media::rtp::{HEADER_BYTES, Header, Kind, Seed, Sender, to_packet};
use yihao::types::Mono;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Ok(header) = Header::parse(data) else { return };
    let payload = header.payload(data);
    assert!(payload.len() + HEADER_BYTES <= data.len());
    let _ = to_packet(data);
    let at = Mono(1_000_000_000);
    let mut sender = Sender::new(Seed { ssrc: 1, sequence: header.sequence, timestamp: header.timestamp });
    let stamp = sender.relay(1, &header, Kind::Audio, 8, at).expect("the first packet is never too old");
    let mut copy = data.to_vec();
    let length = stamp.rewrite(&mut copy, &header);
    let again = Header::parse(&copy[..length]).expect("what we rewrite is valid");
    assert_eq!(again.payload(&copy), payload);
    EventReceiver::new().packet(&header, payload);
    let mut buffer = Buffer::new();
    buffer.push(&header, payload, at);
    buffer.comfort_noise(&header);
    buffer.pull(&mut [0; 160], Mono(2_000_000_000));
    Placer::new().place(&header, Duration::from_secs(1));
    Session::new(1, "leg", 0, at).received(&header, at);
}
