//! The counters against a recount from the ledger, and the rates against brute force.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::store::calls::Filter;
use crate::store::ledger::{self, Ledger};
use crate::store::testing::{on_both, row};
use crate::store::{Keep, Tailer};
use crate::types::{
    AgentId, CANCELLED_MODE, CallEvent, CallId, Calling, IdBase, LegId, LineNumber, OfferId, Origin, OverflowWhy, Row,
    SeatId, TrunkId, WishKind,
};

/// 15:50 UTC, ten minutes before midnight in China.
const EVENING: i64 = 1_795_449_000_000;

/// A count by day, hour, scope, name and measure.
type Counts = BTreeMap<(String, i64, String, String, String), i64>;

on_both! {
    async fn counters_of_random_days_equal_a_recount_over_kills_and_repetitions(bed: Bed) {
        let mut rng = ChaCha8Rng::seed_from_u64(12345);
        let store = bed.store().await;
        let ids = IdBase { node: 1, epoch_s: 100 };
        let config = ledger::Config { segment_bytes: 256 * 1024, ..ledger::Config::new(bed.ledger(), "mianyang") };
        let (mut ledger, _) = Ledger::open(config, ids, Wall(0)).unwrap();
        let mut rows: Vec<Row> = (1..400).flat_map(|call| story(&mut rng, call)).collect();
        rows.sort_by_key(|row| row.at);
        for some in rows.chunks(97) {
            ledger.append(some);
            while !ledger.is_safe() {
                std::thread::yield_now();
                ledger.retry();
            }
            // Each time a tailer that knows nothing but what the database tells it.
            let mut tailer = Tailer::new(store.clone(), bed.ledger(), 1, Keep::default());
            tailer.catch_up().await.unwrap();
        }
        let expected = recount(&rows);
        assert!(expected.keys().map(|(day, ..)| day).collect::<std::collections::BTreeSet<_>>().len() == 2);
        assert_eq!(counts(&store).await, expected);

        // The position is lost: all rows come again, and nothing is counted twice.
        store.db.execute("DELETE FROM ledger_position", &[]).await.unwrap();
        Tailer::new(store.clone(), bed.ledger(), 1, Keep::default()).catch_up().await.unwrap();
        assert_eq!(counts(&store).await, expected);

        let dead: i64 = store.counted_by_line(TO_CANCELLED).await.unwrap().values().sum();
        assert!(dead > 5 && dead == store.calls(&Filter { mode: Some(CANCELLED_MODE.to_owned()), ..Filter::default() }, 500)
            .await.unwrap().iter().filter(|call| call.origin == "trunk").count() as i64);

        let level = store.service_level(Wall(0), Wall(i64::MAX), None).await.unwrap();
        let sum = |what: &str| -> i64 {
            expected.iter().filter(|((_, _, scope, _, w), _)| scope == "all" && w == what).map(|(_, n)| n).sum()
        };
        assert_eq!(level, ServiceLevel { offered: sum("offered"), answered: sum("answered"), within_15s: sum("within_15s") });
        let lost: i64 = LOST.iter().map(|what| sum(what)).sum();
        assert_eq!(level.offered, level.answered + lost);
        assert!(level.answered > 50 && lost > 50 && sum("refused") > 5, "the stories are of all kinds");
        // Calls that are marked as tests leave every counter but their own; what is not over or too old is not marked.
        let all = store.calls(&Filter::default(), 500).await.unwrap();
        let mut marked = std::collections::BTreeSet::new();
        for call in all.iter().step_by(3) {
            let id = crate::store::calls::parse_call_id(&call.id).unwrap();
            assert!(!store.mark_test(id, "wang", Wall(call.arrived_at + 1 + crate::store::MARKED_WITHIN_MS)).await.unwrap());
            if store.mark_test(id, "wang", Wall(call.arrived_at + 1_000)).await.unwrap() {
                assert!(call.ended_at.is_some() && call.origin == "trunk");
                assert!(!store.mark_test(id, "wang", Wall(call.arrived_at + 1_000)).await.unwrap(), "once");
                marked.insert(id);
            }
        }
        assert!(marked.len() > 50);
        let rest: Vec<Row> = rows.iter().filter(|row| !marked.contains(&row.call)).cloned().collect();
        let mut expected = recount(&rest);
        for row in rows.iter().filter(|row| marked.contains(&row.call)) {
            if let CallEvent::Arrived { from, called, .. } = &row.event {
                for place in [("all", ""), ("line", called.as_str()), ("trunk", from)] {
                    put(&mut expected, row.at.0, place, "test", 1);
                }
            }
        }
        let mut left = counts(&store).await;
        left.retain(|_, n| *n != 0);
        assert_eq!(left, expected);
        let level = store.service_level(Wall(0), Wall(i64::MAX), None).await.unwrap();
        let answered = expected.iter().filter(|((_, _, scope, _, what), _)| scope == "all" && what == "answered");
        assert_eq!(level.answered, answered.map(|(_, n)| n).sum::<i64>());
        let line = store.counters(("2026-11-23", "2026-11-24"), Some(Scope::Line), Some("12315")).await.unwrap();
        assert!(!line.is_empty() && line.iter().all(|c| c.scope == "line" && c.name == "12315"));
    }
}

async fn counts(store: &Store) -> Counts {
    let counters = store.counters(("", "9999"), None, None).await.unwrap();
    counters.into_iter().map(|c| ((c.day, c.hour, c.scope, c.name, c.what), c.n)).collect()
}

/// The rows of one call, as the center could have written them.
fn story(rng: &mut ChaCha8Rng, call: u64) -> Vec<Row> {
    let mut at = EVENING + rng.random_range(0..1_200_000);
    let mut rows = Vec::new();
    let mut say = |at: i64, event| rows.push(row(call, at, event));
    let trunk = *["telecom-1", "unicom-2"].choose(rng).unwrap();
    let line = *["12345", "12315", "12333"].choose(rng).unwrap();
    let origin = if rng.random_bool(0.9) { Origin::Trunk(TrunkId(0)) } else { Origin::Seat(SeatId(8001)) };
    let from = if matches!(origin, Origin::Trunk(_)) { trunk.to_owned() } else { "8001".to_owned() };
    let called = LineNumber::parse(line).unwrap();
    say(
        at,
        CallEvent::Arrived {
            leg: LegId(call * 100),
            origin,
            from,
            called,
            calling: Calling::default(),
            call_id: String::new(),
            mode: Some(if rng.random_bool(0.1) { CANCELLED_MODE } else { "双号并行" }.to_owned()),
        },
    );
    let end = |fate| CallEvent::Ended { fate };
    match rng.random_range(0..20) {
        0 => return rows,
        1 => say(at, end(Fate::Refused { cause: Cause::ModeNotServed })),
        2 => say(at, end(Fate::Refused { cause: Cause::Overload })),
        3 => say(at + 900, end(Fate::AbandonedInGreeting)),
        4 => say(at + 900, end(Fate::Served)),
        5 if matches!(origin, Origin::Seat(_)) => say(at + 900, end(Fate::NotReached { cause: Cause::Busy })),
        _ => {
            at += 5_000;
            say(at, CallEvent::Greeted { prompt: "greeting".into() });
            let mut queues = ["general", "expert"].into_iter();
            let mut offer = call * 100;
            'queue: for queue in queues.by_ref() {
                say(at, CallEvent::Queued { queue: queue.into(), ahead: 0, serving: 1 });
                for _ in 0..rng.random_range(0..4) {
                    at += rng.random_range(0..8_000);
                    offer += 1;
                    let (seat, leg) = (SeatId(8000 + rng.random_range(0..3)), LegId(offer));
                    let agent = rng.random_bool(0.5).then_some(AgentId(501));
                    say(at, CallEvent::Offered { offer: OfferId(offer), seat, leg, agent, decision: None });
                    at += rng.random_range(0..4_000);
                    if rng.random_bool(0.4) {
                        say(at, CallEvent::Talking { seat, leg, agent });
                        at += rng.random_range(0..300_000);
                        if rng.random_bool(0.9) {
                            say(at, CallEvent::LegEnded { leg, cause: Cause::HungUp, status: None });
                            say(at, end(Fate::Answered { seat }));
                        }
                        break 'queue;
                    }
                    let cause =
                        *[Cause::NoAnswer, Cause::Declined, Cause::Cancelled, Cause::Unreachable].choose(rng).unwrap();
                    say(at, CallEvent::OfferEnded { offer: OfferId(offer), cause });
                    say(at, CallEvent::LegEnded { leg: LegId(offer), cause, status: None });
                }
                at += 1_000;
                let fates = [
                    Fate::AbandonedInQueue,
                    Fate::AbandonedInRing,
                    Fate::Overflowed,
                    Fate::LeftWish,
                    Fate::CutByRestart,
                ];
                if queue == "expert" || rng.random_bool(0.5) {
                    let fate = *fates.choose(rng).unwrap();
                    if fate == Fate::LeftWish {
                        say(at, CallEvent::Wish { kind: WishKind::Callback, file: None });
                    }
                    say(at, end(fate));
                    break;
                }
                let to = Some("expert".to_owned());
                say(at, CallEvent::Overflowed { from: queue.into(), to, why: OverflowWhy::Waited });
            }
        }
    }
    if rng.random_bool(0.8) && matches!(rows.last().map(|last| &last.event), Some(CallEvent::Ended { .. })) {
        rows.push(row(
            call,
            at + 1_000,
            CallEvent::LegEnded { leg: LegId(call * 100), cause: Cause::HungUp, status: None },
        ));
    }
    rows
}

/// Counts again, call by call, from the rows alone.
fn recount(rows: &[Row]) -> Counts {
    let mut counts = Counts::new();
    let mut calls: BTreeMap<CallId, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| calls.entry(row.call).or_default().push(row));
    for rows in calls.values() {
        recount_call(rows, &mut counts);
        recount_waits(rows, &mut counts);
        recount_offers(rows, &mut counts);
    }
    counts
}

fn put(counts: &mut Counts, at: i64, (scope, name): (&str, &str), what: &str, n: i64) {
    if n != 0 {
        let (day, hour) = day_and_hour(at);
        *counts.entry((day, hour, scope.to_owned(), name.to_owned(), what.to_owned())).or_default() += n;
    }
}

fn recount_call(rows: &[&Row], counts: &mut Counts) {
    let CallEvent::Arrived { origin, from, called, mode, .. } = &rows[0].event else { panic!("a call begins") };
    let arrived = rows[0].at.0;
    let talking = rows.iter().find(|r| matches!(r.event, CallEvent::Talking { .. })).map(|r| r.at.0);
    let ended =
        rows.iter().find_map(|r| if let CallEvent::Ended { fate } = r.event { Some((r.at.0, fate)) } else { None });
    let mut facts: Vec<(&str, i64)> = vec![("arrived", 1)];
    facts.extend((mode.as_deref() == Some(CANCELLED_MODE)).then_some((TO_CANCELLED, 1)));
    if let Some(talking) = talking {
        facts.extend([("offered", 1), ("answered", 1), ("waited_ms", talking - arrived)]);
        facts.push(("within_15s", i64::from(talking <= arrived + 15_000)));
        facts.extend(ended.map(|(at, _)| ("talk_ms", at - talking)));
    } else if let Some((_, fate)) = ended {
        let what = lost_as(fate);
        facts.push((what, 1));
        facts.extend((!matches!(what, "refused" | "served")).then_some(("offered", 1)));
    }
    if matches!(origin, Origin::Seat(_)) {
        if let Some((_, fate @ (Fate::Reached { .. } | Fate::NotReached { .. }))) = ended {
            put(counts, arrived, ("seat", from), fate.as_str(), 1);
        }
        return;
    }
    for place in [("all", ""), ("line", called.as_str()), ("trunk", from)] {
        facts.iter().for_each(|(what, n)| put(counts, arrived, place, what, *n));
    }
}

fn lost_as(fate: Fate) -> &'static str {
    if fate == (Fate::Refused { cause: Cause::Overload }) { "failed" } else { fate.as_str() }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a recount looks at the few events that it counts")]
fn recount_waits(rows: &[&Row], counts: &mut Counts) {
    for (n, begin) in rows.iter().enumerate() {
        let CallEvent::Queued { queue, .. } = &begin.event else { continue };
        put(counts, begin.at.0, ("queue", queue), "entered", 1);
        let end = rows[n + 1..].iter().find_map(|row| match &row.event {
            CallEvent::Overflowed { .. } => Some((row.at.0, "overflowed")),
            CallEvent::Talking { .. } => Some((row.at.0, "answered")),
            CallEvent::Ended { fate } => Some((row.at.0, lost_as(*fate))),
            _ => None,
        });
        let Some((end, what)) = end else { continue };
        put(counts, begin.at.0, ("queue", queue), what, 1);
        put(counts, begin.at.0, ("queue", queue), "waited_ms", end - begin.at.0);
        if what == "answered" && end <= begin.at.0 + 15_000 {
            put(counts, begin.at.0, ("queue", queue), "within_15s", 1);
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a recount looks at the few events that it counts")]
fn recount_offers(rows: &[&Row], counts: &mut Counts) {
    for row in rows {
        let CallEvent::Offered { offer, seat, leg, agent, .. } = &row.event else { continue };
        let mut facts = vec![(row.at.0, "offered", 1)];
        for later in rows {
            match &later.event {
                CallEvent::Talking { leg: of, .. } if of == leg => {
                    facts.push((row.at.0, "answered", 1));
                    let end =
                        rows.iter().find(|r| matches!(&r.event, CallEvent::LegEnded { leg: of, .. } if of == leg));
                    facts.extend(end.map(|end| (later.at.0, "talk_ms", end.at.0 - later.at.0)));
                }
                CallEvent::OfferEnded { offer: of, cause } if of == offer => {
                    let what = match cause {
                        Cause::NoAnswer => "not_answered",
                        Cause::Declined => "declined",
                        Cause::Cancelled => "withdrawn",
                        _ => "failed",
                    };
                    facts.push((row.at.0, what, 1));
                }
                _ => {}
            }
        }
        for (at, what, n) in facts {
            put(counts, at, ("seat", &seat.0.to_string()), what, n);
            if let Some(agent) = agent {
                put(counts, at, ("agent", &agent.0.to_string()), what, n);
            }
        }
    }
}

#[test]
fn a_day_ends_at_midnight_in_china() {
    let midnight = EVENING + 600_000;
    assert_eq!(day_and_hour(midnight - 1), ("2026-11-23".to_owned(), 23));
    assert_eq!(day_and_hour(midnight), ("2026-11-24".to_owned(), 0));
}

#[test]
fn the_worst_window_is_the_one_that_brute_force_finds() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..200 {
        let mut calls: Vec<Offered> = (0..rng.random_range(0..40))
            .map(|_| {
                let arrived_at = rng.random_range(0..120);
                Offered { arrived_at, answered_at: rng.random_bool(0.7).then_some(arrived_at + 1) }
            })
            .collect();
        calls.sort_by_key(|call| call.arrived_at);
        let span = (rng.random_range(0..20), rng.random_range(40..120));
        let rate = |start: i64| {
            let inside = || calls.iter().filter(|c| (start..start + 24).contains(&c.arrived_at));
            percent(inside().filter(|c| c.answered_at.is_some()).count() as i64, inside().count() as i64)
        };
        let lowest = (span.0..=span.1 - 24).filter_map(rate).min_by(f64::total_cmp);
        let inside: Vec<Offered> = calls.iter().copied().filter(|c| (span.0..span.1).contains(&c.arrived_at)).collect();
        let found = worst(&inside, span, 24);
        assert_eq!(found.and_then(|w| w.level.connect_rate()), lowest);
        assert!(found.is_none_or(|w| rate(w.since) == lowest && w.since + 24 <= span.1));
    }
}

#[test]
fn rates_are_parts_of_what_was_offered() {
    let level = ServiceLevel { offered: 200, answered: 190, within_15s: 150 };
    assert_eq!((level.connect_rate(), level.within_15s_rate()), (Some(95.0), Some(75.0)));
    assert_eq!(ServiceLevel::default().connect_rate(), None);
}
