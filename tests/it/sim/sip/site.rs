//! The site of the world: addresses, plan, secrets, and what the exchange is made of.

use std::net::SocketAddr;
use std::time::Duration;

use yihao::center;
use yihao::dialplan::PlanText;
use yihao::node::input_log::{Header, Mask, SeatProof};
use yihao::sip::auth::Credentials;
use yihao::sip::endpoint::{Config, Network, Secrets};
use yihao::sip::flow::Transport;
use yihao::types::{IdBase, Mono, NetworkId, Now, SeatId, Wall};

use crate::sim::dice::Dice;

pub(crate) const BASE: IdBase = IdBase { node: 0, epoch_s: 0 };
pub(crate) const START: Now = Now { mono: Mono(5_000_000_000), wall: Wall(1_795_000_000_000) };
/// Two trunks; the second has few lines.
pub(crate) const TRUNKS: [[u8; 4]; 2] = [[10, 1, 0, 1], [10, 1, 0, 2]];
pub(crate) const SEATS: [u32; 6] = [8001, 8002, 8003, 8004, 8005, 8006];
pub(crate) const REALM: &str = "yihao";

/// Where the exchange listens, by network: carriers, seats.
pub(crate) fn exchange_at(network: u8) -> SocketAddr {
    ([10, 0, 0, 1 + network], 5060).into()
}

pub(crate) fn network_of(local: SocketAddr) -> NetworkId {
    NetworkId(u8::from(local == exchange_at(1)))
}

pub(crate) fn password(seat: u32) -> String {
    format!("secret of {seat}")
}

const PLAN: &str = r#"
deployment = "world"
zone = "Asia/Shanghai"
[skills]
general = "general"
"12333" = "expert"
[[trunk]]
name = "telecom"
network = "carrier"
sources = ["10.1.0.1/32"]
address = "sip:10.1.0.1:5060;transport=udp"
options_s = 30
area_code = "816"
caller = { policy = "own", number = "12345" }
[[trunk]]
name = "second"
network = "carrier"
sources = ["10.1.0.2/32"]
address = "sip:10.1.0.2:5060;transport=udp"
options_s = 60
area_code = "816"
max_calls = 9
caller = { policy = "own", number = "12315" }
[[destination]]
name = "other-site"
ring_s = 15
[[destination.route]]
trunk = "second"
number = "08162299999"
[[destination.route]]
trunk = "telecom"
number = "08162299998"
[[queue]]
name = "general"
skill = "general"
music = "music/waiting"
ring_ms = 15000
overflow_prompt = "overflow"
max_waiting = 8
wrap_up_ms = 5000
announce_first_s = 0
[[queue.overflow]]
no_seats = true
destination = "other-site"
[[queue]]
name = "expert"
skill = "12333"
music = "music/waiting"
ring_ms = 10000
max_wait_ms = 45000
overflow_prompt = "overflow"
max_waiting = 8
wrap_up_ms = 5000
announce_first_s = 0
[[queue.overflow]]
after_s = 12
destination = "other-site"
[[line]]
number = "12345"
name = "hotline"
[[line.phase]]
from = 2021-04-15
mode = "hotline"
queue = "general"
greeting = "greeting/12345"
answer = "at-once"
[[line]]
number = "12315"
name = "markets"
[[line.phase]]
from = 2021-04-15
mode = "dual"
queue = "general"
greeting = "greeting/12315"
answer = "by-seat"
priority = 6
[[line]]
number = "12333"
name = "people"
[[line.phase]]
from = 2021-04-15
mode = "dual"
queue = "expert"
greeting = "greeting/12333"
answer = "at-once"
[[line]]
number = "12336"
name = "planned"
[[line.phase]]
from = 2021-04-15
mode = "planned"
"#;

/// `second_by` is what the second trunk speaks over.
fn plan(second_by: Transport) -> String {
    let by = format!("10.1.0.2:5060;transport={}", second_by.as_param());
    let mut text = PLAN.replace("10.1.0.2:5060;transport=udp", &by);
    for seat in SEATS {
        let skills = match seat % 3 {
            0 => "\"general\"",
            1 => "\"general\", \"12333\"",
            _ => "\"12333\"",
        };
        text.push_str(&format!("[[seat]]\nnumber = {seat}\nname = \"{seat}\"\nskills = [{skills}]\n"));
    }
    text
}

/// What the phones prove themselves with.
pub(crate) fn secrets() -> Secrets {
    let account = |seat: u32| Credentials::from_password(&seat.to_string(), REALM, &password(seat));
    Secrets { seats: SEATS.into_iter().map(|seat| (SeatId(seat), account(seat))).collect(), ..Secrets::default() }
}

/// Makes a log without them.
pub(crate) fn mask() -> Mask {
    Mask::new(REALM, &secrets().seats, &[1; 32])
}

/// All that the exchange of a seed is made of.
pub(crate) fn header(dice: &mut Dice, second_by: Transport) -> Header {
    let network = |name: &str, at: SocketAddr| Network {
        name: name.to_owned(),
        listeners: vec![(Transport::Udp, at), (Transport::Tcp, at)],
        advertised_v4: None,
        advertised_v6: None,
        media_over_tls: yihao::types::TlsMedia::Srtp,
    };
    let endpoint = Config {
        networks: vec![network("carrier", exchange_at(0)), network("seats", exchange_at(1))],
        realm: REALM.to_owned(),
        session_expires_s: dice.pick(&[90, 90, 1_800]),
        no_response: Duration::from_secs(4),
        max_calls_per_s: dice.pick(&[2, 200, 200]),
        max_legs: dice.pick(&[16, 10_000, 10_000]),
        ..Config::default()
    };
    // Few pairs on the first worker, so that legs of one call land on two and one of them moves.
    let ports = (0..80_u16).map(|n| {
        let first = if n < 40 { 20 } else { 2 };
        (u8::from(n >= 40), u8::from(n % 40 >= first), 20_000 + 2 * n, false)
    });
    Header {
        segment: 1,
        plan: PlanText::new("world.toml", &plan(second_by)),
        endpoint,
        center: center::Config { max_remembered: 50, ..center::Config::default() },
        seats: secrets().seats.iter().map(|(seat, stored)| SeatProof::new(*seat, stored)).collect(),
        trunks: Vec::new(),
        ports: ports.collect(),
        ids: BASE,
        seed: std::array::from_fn(|_| u8::try_from(dice.below(256)).expect("a byte")),
    }
}
