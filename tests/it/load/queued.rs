//! 600 seats and calls through the queue. Wrap-up is off, the greeting is one frame long, phones answer at once, callers hang
//! up at once. Here at a tenth of the floor; `make bench` measures the shipped build against floor and goal.

use std::time::Duration;

use super::books::balance;
use super::driver::{Pace, Then};
use super::{calls_of, site, with_driven_seats};
use crate::e2e::rig::s;

const SEATS: u32 = 600;
/// A tenth of the floor of 500 calls a second.
const PER_S: f64 = 50.0;

#[test]
fn calls_go_through_the_queue_to_600_seats_and_all_counts_agree() {
    let mut site = site(SEATS);
    // A port rests for a second after each call: two pairs a call and as many calls as may come in one.
    site.networks[0].rtp = (14_000, 29_999);
    let (server, mut load) = with_driven_seats(site);
    let tally = calls_of(&mut load, PER_S, s(6));
    assert_eq!(tally.bridged, tally.started, "{:?} failed, {} lost", tally.failed, tally.lost);
    eprintln!(
        "{} calls at {PER_S}/s through a queue of {SEATS} seats, this build: INVITE to the seat's INVITE p50 {:.2} ms, \
         p99 {:.2} ms; {} messages sent again",
        tally.started,
        tally.set_up_ms(0.5),
        tally.set_up_ms(0.99),
        tally.resent
    );
    let fast = load.run(Pace::AtATime(100), Then::HangUp, Duration::from_secs(3), usize::MAX).unwrap();
    eprintln!(
        "as fast as they go, 100 at a time: {:.0} calls a second by the clock",
        fast.bridged as f64 / fast.wall_s
    );
    // Above what the machine gives, calls may be refused, aloud; none may be lost.
    let refused = fast.failed.get(&503).copied().unwrap_or(0);
    assert_eq!(fast.bridged + refused, fast.started, "{:?} failed, {} lost", fast.failed, fast.lost);
    assert!(fast.bridged as f64 / fast.wall_s > PER_S);
    let books = balance(&server);
    let bridged = tally.bridged + fast.bridged;
    assert_eq!(books.answered(), bridged);
    let counters = server.get("/api/v1/counters");
    let count = |name: &str| counters[name].as_u64().unwrap();
    assert_eq!(count("received"), bridged + refused, "{counters}");
    assert_eq!((count("admitted"), count("refused_total")), (bridged, refused), "{counters}");
}
