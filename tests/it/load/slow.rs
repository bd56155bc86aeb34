//! Twenty TCP peers of a trunk that are slow on purpose: half read nothing of what they asked for, half send a byte at a time.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::books::balance;
use super::{Much, callers, percentile, site, with_sipp_seats};
use crate::e2e::rig::s;
use crate::e2e::rig::site::{LINE_12315, Site};
use crate::e2e::rig::skip::{Tool, have};
use crate::e2e::rig::tcp::{deaf_peer, options};

const PEERS: usize = 20;
const CALLS: u32 = 120;
/// How long the set-up of a call may take beside them.
const SET_UP_MS: f64 = 300.0;

#[test]
fn twenty_slow_tcp_peers_keep_no_caller_waiting() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let (server, _seats) = with_sipp_seats(site(20));
    let over = AtomicBool::new(false);
    let set_ups = std::thread::scope(|scope| {
        let peers: Vec<TcpStream> = (0..PEERS).map(|_| deaf_peer(&server.site)).collect();
        scope.spawn(|| pester(&server.site, peers, &over));
        let much = Much { calls: CALLS, per_s: 10, talk_ms: 200 };
        let mut sipp = callers(&server.site, "caller_timed", (LINE_12315, "12369"), much);
        // The thread must end whatever comes of the calls.
        let counts = sipp.finish(s(60));
        over.store(true, Ordering::Relaxed);
        assert_eq!((counts.good, counts.failed), (CALLS.into(), 0), "{}", sipp.complaint());
        sipp.set_ups_ms()
    });
    let (p50, p99) = (percentile(&set_ups, 0.5), percentile(&set_ups, 0.99));
    eprintln!("beside {PEERS} slow TCP peers: set-up p50 {p50:.0} ms, p99 {p99:.0} ms");
    assert!(p99 < SET_UP_MS, "p99 {p99} ms");
    let books = balance(&server);
    assert_eq!((books.calls(), books.answered()), (CALLS.into(), CALLS.into()));
}

/// Half ask for answers as fast as they are let, and read none; half send one request, a byte now and then.
fn pester(site: &Site, mut peers: Vec<TcpStream>, over: &AtomicBool) {
    let ask = options(site);
    let mut turn = 0;
    while !over.load(Ordering::Relaxed) {
        for (index, peer) in peers.iter_mut().enumerate() {
            // A peer that blocks or was closed for its manners is no longer heard.
            let _refused = if index % 2 == 0 {
                peer.write(ask.as_bytes())
            } else if turn % 50 == 0 {
                let at = turn / 50 % ask.len();
                peer.write(&ask.as_bytes()[at..=at])
            } else {
                Ok(0)
            };
        }
        turn += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
}
