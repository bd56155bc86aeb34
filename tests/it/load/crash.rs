//! `kill -9` again and again under load: whatever the exchange had answered is in the books, with a fate.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use yihao::types::Fate;

use super::books::{Books, balance};
use super::driver::{Load, Pace, Then};
use super::{site, with_driven_seats};
use crate::e2e::rig::s;
use crate::e2e::rig::server::Server;

const SEATS: u32 = 12;
const PER_S: f64 = 60.0;
/// Each life of the exchange lasts so long under load, and a little more from life to life: it dies at another moment each time.
const LIFE: Duration = Duration::from_millis(1_200);

#[test]
fn killed_five_times_under_load_it_knows_every_call_that_it_took() {
    let (mut server, mut load) = start();
    let books = (0..5).map(|life| die_and_live(&mut server, &mut load, life)).last().unwrap();
    report(&load, &books, 5);
}

#[test]
#[ignore = "takes minutes: make soak"]
fn killed_again_and_again_for_minutes_it_knows_every_call_that_it_took() {
    let (mut server, mut load) = start();
    let end = Instant::now() + s(60 * super::soak::minutes().div_ceil(3));
    let (mut life, mut books) = (0, Books::default());
    while Instant::now() < end {
        books = die_and_live(&mut server, &mut load, life);
        life += 1;
    }
    report(&load, &books, life);
}

fn start() -> (Server, Load) {
    let (server, load) = with_driven_seats(site(SEATS));
    (server, load.with_patience(Duration::from_millis(800)))
}

/// Calls come all the while; in their midst the exchange dies, and starts again on the same folder.
fn die_and_live(server: &mut Server, load: &mut Load, life: u32) -> Books {
    let before = load.taken().len();
    // In every other life calls talk on, so that the end finds some whatever the machine's speed.
    let then = if life.is_multiple_of(2) { Then::HangUp } else { Then::Talk };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(LIFE + Duration::from_millis(u64::from(life * 37 % 100)));
            server.kill();
        });
        load.run(Pace::PerSecond(PER_S), then, LIFE + Duration::from_millis(500), usize::MAX).unwrap()
    });
    assert!(load.taken().len() > before + 20, "calls were taken before the exchange died");
    server.restart();
    super::all_ready(server);
    let books = balance(server);
    assert_known(&books, load);
    books
}

/// Every INVITE that got an answer is there, none that was not sent, and none twice but for a crash.
fn assert_known(books: &Books, load: &Load) {
    let invited: BTreeSet<String> = load.invited().into_iter().collect();
    for (call, fates) in &books.fates {
        assert!(invited.contains(call), "{call} was never sent");
        let whole = fates.iter().filter(|fate| **fate != Fate::CutByRestart).count();
        assert!(whole <= 1, "{call} is there more than once: {fates:?}");
    }
    let unknown: Vec<String> = load.taken().into_iter().filter(|call| !books.fates.contains_key(call)).collect();
    assert!(unknown.is_empty(), "answered and not in the ledger: {unknown:?}");
}

fn report(load: &Load, books: &Books, lives: u32) {
    let cut = books.with(|fate| *fate == Fate::CutByRestart);
    assert!(cut > 0, "the exchange died amid calls");
    eprintln!(
        "killed {lives} times: {} INVITEs sent, {} answered, {} calls in the books, {} of them talked to an end, {cut} cut by the end of the exchange",
        load.invited().len(),
        load.taken().len(),
        books.calls(),
        books.answered(),
    );
}
