//! Load and faults: the binary that is shipped under many calls at once while something is taken from it or thrown at it.
//!
//! Callers and seats are those of `make bench` where rates matter, and SIPp where its counts are the judge. In the end the
//! books balance (`books.rs`). What takes longer than CI can wait is ignored there and run by `make soak`.

#![expect(clippy::disallowed_methods, reason = "these tests live in real time")]

mod books;
mod clock;
mod crash;
mod database;
mod disk;
#[path = "../bench/speed/load.rs"]
#[expect(dead_code, reason = "the bench uses more of it")]
pub(crate) mod driver;
mod flood;
#[path = "../../src/store/testing/server.rs"]
#[expect(dead_code, reason = "the tests of the store use more of it")]
mod postgres;
#[path = "../bench/speed/process.rs"]
#[expect(dead_code, reason = "the bench uses more of it")]
mod process;
mod queued;
mod slow;
mod soak;
mod stalled;

use std::time::Duration;

use crate::e2e::rig::server::Server;
use crate::e2e::rig::sipp::{Job, Sipp};
use crate::e2e::rig::site::{PHONE, Site, TELECOM};
use crate::e2e::rig::tone;

use driver::{Load, Pace, Tally, Then};

/// The first seat; others follow.
const FIRST_SEAT: u32 = 8001;

/// A site with so many seats, whose phones all are at one address, for more calls than the other tests make.
fn site(seats: u32) -> Site {
    let mut site = Site::new();
    for number in FIRST_SEAT..FIRST_SEAT + seats {
        site = site.with_fixed_seat(number, PHONE);
    }
    site.networks[0].rtp = (20_000, 23_999);
    site.limits = "calls = 20000\ncalls_per_s = 4000";
    site.prompt_s = 0.02;
    site
}

/// All seats sign in and become ready.
fn all_ready(server: &Server) {
    let seats: Vec<u32> = server.site.seats.iter().map(|seat| seat.number).collect();
    seats.into_iter().for_each(|seat| server.make_ready(seat));
}

/// An exchange whose seats' phones are played by SIPp: they answer at once and speak.
fn with_sipp_seats(site: Site) -> (Server, Sipp) {
    let server = Server::start(site);
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut job = Job::phone(site, "seat", PHONE);
    (job.calls, job.pause_ms) = (100_000, 20);
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let seats = Sipp::start(site, &job);
    all_ready(&server);
    (server, seats)
}

/// SIPp's callers from an address to a number.
fn callers(site: &Site, scenario: &'static str, (host, service): (u8, &'static str), much: Much) -> Sipp {
    let mut job = Job::call(site, scenario, host, service);
    (job.calls, job.rate, job.pause_ms) = (much.calls, much.per_s, much.talk_ms);
    Sipp::start(site, &job)
}

/// How much SIPp calls.
#[derive(Clone, Copy, Debug)]
struct Much {
    calls: u32,
    per_s: u32,
    talk_ms: u32,
}

/// An exchange whose seats' phones are played by the driver that also calls.
fn with_driven_seats(site: Site) -> (Server, Load) {
    let server = Server::start(site);
    let at = |host| server.site.street.at(host);
    let load = Load::new(server.site.sip(), at(TELECOM), at(PHONE), "12345").unwrap();
    all_ready(&server);
    (server, load)
}

/// Calls of the driver at a rate; each is bridged and hung up at once.
fn calls_of(load: &mut Load, per_s: f64, time: Duration) -> Tally {
    load.run(Pace::PerSecond(per_s), Then::HangUp, time, usize::MAX).unwrap()
}

/// A percentile of sorted values.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let index = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
