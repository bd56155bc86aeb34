//! `make bench`: what the exchange costs, in one table against its floors and goals.
//!
//! `cargo bench --bench speed [-- --quick]`. The whole is the shipped binary on loopback between callers and seats of
//! ours; media is judged by its ratio to a bare relay of the same run. Costs are processor time, which a shared machine
//! distorts least; latencies need a quiet one, so the load stands above the table.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::print_stderr, reason = "and tells meanwhile what it is doing")]

#[path = "../it/e2e/rig/address.rs"]
#[expect(dead_code, reason = "the end-to-end tests use more of it")]
mod address;
#[path = "../it/e2e/rig/http.rs"]
#[expect(dead_code, reason = "the end-to-end tests use more of it")]
mod http;
#[path = "speed/inner.rs"]
mod inner;
#[path = "speed/load.rs"]
#[expect(dead_code, reason = "the tests of load and faults use more of it")]
mod load;
#[path = "speed/process.rs"]
#[expect(dead_code, reason = "the tests of load and faults use more of it")]
mod process;
#[path = "relay.rs"]
mod relay;
#[path = "speed/sample.rs"]
mod sample;
#[path = "speed/site.rs"]
mod site;
#[path = "speed/table.rs"]
mod table;
#[path = "speed/tls.rs"]
mod tls;
#[path = "speed/whole.rs"]
mod whole;

use anyhow::Result;

use relay::Kind;
use site::Setting;
use table::{Best, Row, Table};
use whole::Whole;

/// How long everything is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    seconds: u64,
    relay_rounds: u64,
    registrations: u32,
}

const FULL: Effort = Effort { rounds: 5, seconds: 8, relay_rounds: 5, registrations: 500 };
const QUICK: Effort = Effort { rounds: 3, seconds: 3, relay_rounds: 2, registrations: 200 };

/// One part of the table.
type Part = fn(Effort, &mut Table) -> Result<()>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    // The relay bench starts this program again as the two parties of each call.
    if arguments.iter().any(|a| a.starts_with("driver=")) {
        return relay::main();
    }
    let effort = if arguments.iter().any(|a| a == "--quick") { QUICK } else { FULL };
    let only = arguments.iter().find_map(|a| a.strip_prefix("--only="));
    let begin = process::machine();
    let mut table = Table::default();
    let parts: [(&str, Part); 8] = [
        ("inner", inner_parts),
        ("bridged", bridged),
        ("set-up", set_up),
        ("queued", queued),
        ("crowd", crowd),
        ("media", media),
        ("talking", talking),
        ("tls", registrations),
    ];
    for (name, part) in parts {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        eprintln!("measuring {name} ...");
        if let Err(error) = part(effort, &mut table) {
            table.failed(name, &error);
        }
    }
    println!("{begin}; at the end {}", process::load());
    println!("{table}");
    Ok(())
}

fn inner_parts(effort: Effort, table: &mut Table) -> Result<()> {
    let row = |name: &'static str, floor, goal, value| Row::new(name, "/s", Best::High, (floor, goal), value);
    table.add(row("lex and index an INVITE of 1.2 kB", 500e3, 1.2e6, inner::lexed()));
    table.add(row("lex, five typed headers, a response", 250e3, 500e3, inner::typed()));
    table.add(row("transaction core, virtual time", 300e3, 1e6, inner::transactions()));
    table.add(row("B2BUA call, SIP machines only", 2e3, 6e3, inner::b2bua(30)?));
    let uas = median((0..effort.rounds).map(|_| inner::uas(effort.seconds / 2)).collect::<Result<_>>()?);
    table.add(row("UAS INVITE-ACK-BYE over UDP, per CPU second", 5e3, 15e3, uas));
    Ok(())
}

fn bridged(effort: Effort, table: &mut Table) -> Result<()> {
    for (recording, name) in
        [(false, "bridged calls per CPU second, not recorded"), (true, "bridged calls per CPU second, recorded")]
    {
        let whole = whole::bridged(Setting { seats: 200, recording }, effort.rounds, effort.seconds)?;
        table.add(Row::new(name, "/s", Best::High, (1e3, 3e3), median(whole.per_cpu_s.clone())));
        note_threads(table, name, whole);
    }
    Ok(())
}

fn note_threads(table: &mut Table, name: &str, whole: Whole) {
    let threads: Vec<String> =
        whole.by_thread.iter().filter(|(_, us)| *us >= 1.0).map(|(name, us)| format!("{name} {us:.0}")).collect();
    table.note(format!(
        "{name}: {:.0} calls a second by the clock; us a call by thread: {}; {} messages sent again",
        median(whole.per_wall_s),
        threads.join(", "),
        whole.resent
    ));
}

fn set_up(effort: Effort, table: &mut Table) -> Result<()> {
    let tallies = whole::set_up(100, effort.rounds, effort.seconds)?;
    let of = |part| median(tallies.iter().map(|tally| tally.set_up_ms(part)).collect());
    table.add(Row::new("INVITE to the seat's INVITE, p50", "ms", Best::Low, (2.0, 0.5), of(0.5)));
    table.add(Row::new("INVITE to the seat's INVITE, p99", "ms", Best::Low, (4.0, 2.0), of(0.99)));
    Ok(())
}

/// Wrap-up is off, the greeting one frame long, phones answer and callers hang up at once: said beside the figure.
fn queued(effort: Effort, table: &mut Table) -> Result<()> {
    const SEATS: u32 = 600;
    let name = "queued calls per CPU second, 600 seats, no wrap-up, hang-up at once";
    let whole = whole::bridged(Setting { seats: SEATS, recording: true }, effort.rounds, effort.seconds)?;
    table.add(Row::new(name, "/s", Best::High, (500.0, 2e3), median(whole.per_cpu_s.clone())));
    note_threads(table, name, whole);
    let tallies = whole::set_up(SEATS, effort.rounds, effort.seconds)?;
    let of = |part| median(tallies.iter().map(|tally| tally.set_up_ms(part)).collect());
    table.add(Row::new("set-up through the queue, 600 seats, p50", "ms", Best::Low, (2.0, 0.5), of(0.5)));
    table.add(Row::new("set-up through the queue, 600 seats, p99", "ms", Best::Low, (4.0, 2.0), of(0.99)));
    Ok(())
}

fn crowd(effort: Effort, table: &mut Table) -> Result<()> {
    let crowds = whole::crowd(&[250, 500, 1_000, 1_500, 2_000], effort.seconds)?;
    let most = crowds.iter().filter(|crowd| crowd.limit().is_none()).map(|crowd| crowd.calls).max().unwrap_or(0);
    let name = "calls at a time, 1,000 seats, relayed and recorded, music for the rest";
    // As far as the machine's cores go, with the bench on one of them.
    table.add(Row::new(name, "", Best::High, (2e3, 2e3), most as f64).for_orientation());
    for crowd in &crowds {
        let cores: Vec<String> =
            crowd.cores.iter().take(4).map(|(name, share)| format!("{name} {:.0} %", share * 100.0)).collect();
        table.note(format!(
            "{} calls at a time: {}; {} frames left out; the bench sent {:.0} % of its packets{}",
            crowd.calls,
            cores.join(", "),
            crowd.skipped,
            crowd.sent * 100.0,
            crowd.limit().map(|why| format!("; the limit: {why}")).unwrap_or_default()
        ));
    }
    Ok(())
}

fn media(effort: Effort, table: &mut Table) -> Result<()> {
    let seconds = std::time::Duration::from_secs(effort.seconds.min(5));
    let mut rows: Vec<[relay::Row; 5]> = Vec::new();
    for _ in 0..effort.relay_rounds {
        let ours = |kind| relay::ours(100, seconds, kind);
        let bare = relay::bare(100, seconds)?;
        rows.push([bare, ours(Kind::Relayed)?, ours(Kind::Recorded)?, ours(Kind::Encrypted)?, ours(Kind::Mixed)?]);
    }
    // What else runs on the machine only ever adds: the least disturbed round of each counts.
    let least = |which: usize, figure: fn(&relay::Row) -> f64| {
        rows.iter().map(|row| figure(&row[which])).fold(f64::MAX, f64::min)
    };
    let percent = |which| least(which, |row| row.percent);
    for (which, name, goals) in [(1, "relayed", (12.0, 9.0)), (2, "recorded", (15.0, 10.0))] {
        let name = |what: &str| format!("{name} calls: {what}");
        table.add(Row::new(&name("ratio to a bare relay"), "x", Best::Low, (1.7, 1.27), percent(which) / percent(0)));
        // A call has two legs.
        table.add(Row::new(&name("CPU per 100"), "%", Best::Low, goals, 2.0 * percent(which)).for_orientation());
        table.add(Row::new(
            &name("way of a packet, p50"),
            "ms",
            Best::Low,
            (0.2, 0.1),
            least(which, |r| r.p50_us) / 1e3,
        ));
        table.add(Row::new(
            &name("way of a packet, p99"),
            "ms",
            Best::Low,
            (2.0, 1.0),
            least(which, |r| r.p99_us) / 1e3,
        ));
    }
    table.note(format!(
        "CPU per 100 legs: relayed {:.2} %, relayed with one side SRTP {:.2} %, in a mix of three {:.2} %",
        percent(1),
        percent(3),
        percent(4)
    ));
    let lost: u64 = rows.iter().flatten().map(|row| row.lost).sum();
    table.note(format!(
        "bare relay: {:.2} % per 100 legs, way {:.0} / {:.0} us; packets lost in all rounds: {lost}",
        percent(0),
        least(0, |row| row.p50_us),
        least(0, |row| row.p99_us)
    ));
    Ok(())
}

fn talking(effort: Effort, table: &mut Table) -> Result<()> {
    let talking = whole::talking(true, 200, effort.seconds)?;
    let megabytes = talking.memory / 1e6;
    table.add(Row::new("memory of a talking call, recorded", "MB", Best::Low, (0.15, 0.05), megabytes));
    table.note(format!("the whole exchange with 200 talking, recorded calls: {:.2} % per 100 calls", talking.percent));
    Ok(())
}

fn registrations(effort: Effort, table: &mut Table) -> Result<()> {
    let kilobytes = tls::idle_registration(effort.registrations)? / 1e3;
    table.add(Row::new("memory of an idle registration over TLS", "kB", Best::Low, (40.0, 20.0), kilobytes));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
