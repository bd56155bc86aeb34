//! Strangers flood the exchange with INVITE and REGISTER beside calls of citizens: no call is lost, new ones come through as
//! fast as before, and every INVITE of a stranger is counted.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::books::balance;
use super::{Much, callers, percentile, site, with_sipp_seats};
use crate::e2e::rig::s;
use crate::e2e::rig::server::Server;
use crate::e2e::rig::site::{LINE_12315, TELECOM};
use crate::e2e::rig::skip::{Tool, have};

/// Messages of strangers a second, half of them INVITEs.
const FLOOD_PER_S: u64 = 2_000;
const FLOOD: Duration = Duration::from_secs(9);
/// Addresses that they come from.
const STRANGERS: u8 = 20;
const LIVE: u32 = 50;
const SEATS: u32 = LIVE + 20;
/// How long the set-up of a new call may take amid the flood.
const SET_UP_MS: f64 = 300.0;

#[test]
fn a_flood_of_strangers_costs_no_call_and_every_invite_of_theirs_is_counted() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let (server, _seats) = with_sipp_seats(site(SEATS));
    let much = Much { calls: LIVE, per_s: 25, talk_ms: 14_000 };
    let mut live = callers(&server.site, "caller", (TELECOM, "12345"), much);
    server.wait_live("fifty talks", |calls| {
        calls.len() == LIVE as usize && calls.iter().all(|call| call["place"] == "talking")
    });
    let mut new = None;
    let sent = std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&server));
        // Answered by the seat, so that SIPp's time from INVITE to 200 is the whole way through the queue.
        let much = Much { calls: 70, per_s: 10, talk_ms: 100 };
        new = Some(callers(&server.site, "caller_timed", (LINE_12315, "12369"), much));
        flood.join().unwrap()
    });
    let mut new = new.unwrap();
    new.expect_good(70, s(30));
    live.expect_good(LIVE.into(), s(40));
    let (set_ups, calls) = (new.set_ups_ms(), u64::from(LIVE) + 70);
    let (p50, p99) = (percentile(&set_ups, 0.5), percentile(&set_ups, 0.99));
    let dropped = dropped(server.site.sip());
    eprintln!(
        "amid {FLOOD_PER_S}/s of strangers: set-up p50 {p50:.0} ms, p99 {p99:.0} ms; {sent} INVITEs of theirs, {dropped} lost before us"
    );
    assert!(set_ups.len() == 70 && p99 < SET_UP_MS, "p99 {p99} ms of {}", set_ups.len());
    let books = balance(&server);
    assert_eq!((books.calls(), books.answered()), (calls, calls));
    let counters = server.get("/api/v1/counters");
    let refused = counters["refused_total"].as_u64().unwrap();
    // What the system threw away for want of room in the socket we never saw; on a quiet machine that is nothing.
    assert!(refused <= sent && refused + dropped >= sent, "{sent} sent, {refused} counted, {dropped} lost: {counters}");
    assert_eq!(counters["received"].as_u64(), Some(calls + refused), "{counters}");
    assert!(server.metric("yihao_registers_refused_total") > 0.0, "the REGISTERs are counted by themselves");
    assert!(counters["refused"].as_array().unwrap().iter().all(|r| r["reason"] == "unknown_source"), "{counters}");
}

/// INVITEs and REGISTERs by turns from addresses that nobody knows; how many INVITEs were sent.
fn flood(server: &Server) -> u64 {
    let bind = |n| UdpSocket::bind((server.site.street.at(140 + n), 5060)).unwrap();
    let sockets: Vec<UdpSocket> = (0..STRANGERS).map(bind).collect();
    let (to, begin) = (server.site.sip(), Instant::now());
    let (mut sent, mut invites) = (0_u64, 0);
    while begin.elapsed() < FLOOD {
        let due = u64::try_from(begin.elapsed().as_millis()).unwrap() * FLOOD_PER_S / 1_000;
        while sent < due {
            let socket = &sockets[sent as usize / 2 % sockets.len()];
            let method = if sent % 2 == 0 { "INVITE" } else { "REGISTER" };
            socket.send_to(message(method, sent, socket.local_addr().unwrap(), to).as_bytes(), to).unwrap();
            invites += u64::from(method == "INVITE");
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    invites
}

fn message(method: &str, n: u64, from: SocketAddr, to: SocketAddr) -> String {
    format!(
        "{method} sip:12345@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKf{n};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{n}@{from}>;tag=f{n}\r\nTo: <sip:{n}@{to}>\r\nCall-ID: flood-{n}@{}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:{n}@{from}>\r\nContent-Length: 0\r\n\r\n",
        from.ip()
    )
}

/// Datagrams that the system could not keep for a socket (`/proc/net/udp`, last column).
fn dropped(at: SocketAddr) -> u64 {
    let SocketAddr::V4(at) = at else { panic!("{at} is not of IPv4") };
    let local = format!("{:08X}:{:04X}", u32::from_le_bytes(at.ip().octets()), at.port());
    let text = std::fs::read_to_string("/proc/net/udp").unwrap();
    let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(&local)).expect("the socket is open");
    line.split_whitespace().last().unwrap().parse().unwrap()
}
