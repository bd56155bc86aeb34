//! A tenth of the floor of `make bench`: a change that makes calls slow or loses them under load is seen at once.

use std::time::Duration;

use super::rig::server::Server;
use super::rig::site::{PHONE, Site, TELECOM};
use crate::load::driver::{Load, Pace, Then};

const SEATS: u32 = 60;
const FIRST_SEAT: u32 = 8001;

#[test]
fn speed_smoke_hundred_bridged_calls_a_second_for_three_seconds() {
    let mut site = (FIRST_SEAT..FIRST_SEAT + SEATS).fold(Site::new(), |site, seat| site.with_fixed_seat(seat, PHONE));
    // Ports rest a second after each call.
    site.networks[0].rtp = (20_000, 21_999);
    let (carrier, phones) = (site.street.at(TELECOM), site.street.at(PHONE));
    let server = Server::start(site);
    for seat in FIRST_SEAT..FIRST_SEAT + SEATS {
        server.make_ready(seat);
    }
    let mut load = Load::new(server.site.sip(), carrier, phones, "12345").unwrap();
    let tally = load.run(Pace::PerSecond(100.0), Then::HangUp, Duration::from_secs(3), usize::MAX).unwrap();
    assert!(tally.started >= 290, "the load itself was too slow: {tally:?}");
    assert_eq!(tally.bridged, tally.started, "refused {:?}, lost {}", tally.failed, tally.lost);
    let counters = server.get("/api/v1/counters");
    assert_eq!((&counters["received"], &counters["refused_total"]), (&tally.started.into(), &0.into()), "{counters}");
}
