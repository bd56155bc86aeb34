//! Whatever the bytes, reading them as RTCP does not panic, and leaves us able to report.

use yihao::media::rtcp::Session;
use yihao::media::rtp::{Seed, Sender};
use yihao::types::{Mono, Now, Wall};

/// One input, heard twice with a report of ours in between.
pub(crate) fn run(data: &[u8]) {
    let now = Now { mono: Mono(1_000_000_000), wall: Wall(1_790_000_000_000) };
    let mut session = Session::new(1, "leg", 0, now.mono);
    let mut sender = Sender::new(Seed { ssrc: 1, sequence: 0, timestamp: 0 });
    sender.tick(160, 8, now.mono);
    sender.sent(160);
    let _ = session.incoming(data, now);
    let report = session.report(&sender, 0, now);
    let _ = session.incoming(data, now);
    session.incoming(&report, now).expect("what we print can be read");
}
