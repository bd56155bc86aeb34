//! Stories of queues and free seats.

use super::*;

const GENERAL: QueueId = QueueId(0);
const EXPERT: QueueId = QueueId(1);
const T0: Mono = Mono(1_000_000_000_000);

fn s(seconds: u64) -> Mono {
    T0 + Duration::from_secs(seconds)
}

fn rules(skill: &str) -> Rules {
    Rules { skill: skill.into(), max_waiting: 3, ring_most: 3, ..Rules::default() }
}

fn acd_with(general: Rules) -> Acd {
    let mut acd = Acd::default();
    acd.set_queues(T0, &[(GENERAL, general), (EXPERT, rules("12333"))]);
    seat(&mut acd, 1, &[("general", 5)]);
    seat(&mut acd, 2, &[("general", 5), ("12333", 5)]);
    acd
}

fn acd() -> Acd {
    acd_with(rules("general"))
}

fn seat(acd: &mut Acd, id: u32, skills: &[(&str, u8)]) {
    let skills = skills.iter().map(|(name, level)| (*name, Level::new(*level).unwrap()));
    acd.set_seat(SeatId(id), skills, Vec::new());
}

fn free(acd: &mut Acd, id: u32, since: u64) {
    acd.set_standing(SeatId(id), Standing::Free { since: s(since), calls_today: 0 });
}

fn wait(acd: &mut Acd, queue: QueueId, call: u64, priority: u8) -> Ticket {
    let ticket = acd.ticket(T0, priority);
    acd.join(T0, queue, CallId(call), ticket, None).unwrap();
    ticket
}

fn next(acd: &mut Acd) -> Option<(u64, u32)> {
    let found = acd.next_match().map(|found| (found.call.0, found.seats[0].0));
    acd.check();
    found
}

#[test]
fn calls_are_served_in_the_order_of_their_arrival() {
    let mut acd = acd();
    for call in 1..=3 {
        wait(&mut acd, GENERAL, call, 0);
    }
    free(&mut acd, 1, 1);
    assert_eq!(next(&mut acd), Some((1, 1)));
    assert_eq!(next(&mut acd), None);
    free(&mut acd, 1, 2);
    assert_eq!(next(&mut acd), Some((2, 1)));
}

#[test]
fn priority_goes_before_arrival() {
    let mut acd = acd();
    wait(&mut acd, GENERAL, 1, 0);
    wait(&mut acd, GENERAL, 2, 5);
    free(&mut acd, 1, 1);
    assert_eq!(next(&mut acd), Some((2, 1)));
}

#[test]
fn waiting_lifts_a_call_over_later_ones_of_higher_priority() {
    let mut acd = acd_with(Rules { age: Some(Duration::from_secs(30)), ..rules("general") });
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(acd.deadline(), Some(s(30)));
    acd.advance(s(60));
    assert_eq!(acd.priority(CallId(1)), Some(2));
    let ticket = acd.ticket(s(60), 1);
    acd.join(s(60), GENERAL, CallId(2), ticket, None).unwrap();
    free(&mut acd, 1, 61);
    assert_eq!(next(&mut acd), Some((1, 1)));
    acd.advance(s(10_000));
    assert_eq!(acd.priority(CallId(2)), Some(9), "nothing rises above the highest");
    assert_eq!(acd.deadline(), None);
}

#[test]
fn a_call_that_comes_back_stands_where_it_stood() {
    let mut acd = acd();
    wait(&mut acd, GENERAL, 1, 0);
    let second = wait(&mut acd, GENERAL, 2, 0);
    wait(&mut acd, GENERAL, 3, 0);
    assert!(acd.leave(CallId(1)) && acd.leave(CallId(2)));
    acd.rejoin(s(9), GENERAL, CallId(2), second, T0, None);
    let later = acd.ticket(s(9), 0);
    acd.join(s(9), GENERAL, CallId(4), later, None).unwrap();
    assert_eq!(acd.waiting_in(GENERAL).collect::<Vec<_>>(), [CallId(2), CallId(3), CallId(4)]);
    assert_eq!((acd.position(CallId(4), 50), acd.position(CallId(4), 2)), (Some(3), None));
}

#[test]
fn the_best_level_is_chosen_before_the_longest_idle() {
    let mut acd = acd();
    seat(&mut acd, 3, &[("general", 7)]);
    free(&mut acd, 1, 10);
    free(&mut acd, 2, 5);
    free(&mut acd, 3, 20);
    for call in 1..=3 {
        wait(&mut acd, GENERAL, call, 0);
    }
    let mut seats = Vec::new();
    while let Some(found) = acd.next_match() {
        seats.push((found.call.0, found.seats[0].0));
    }
    assert_eq!(seats, [(1, 3), (2, 2), (3, 1)]);
}

#[test]
fn only_a_seat_with_the_skill_is_chosen() {
    let mut acd = acd();
    free(&mut acd, 1, 1);
    wait(&mut acd, EXPERT, 1, 0);
    assert_eq!(next(&mut acd), None);
    free(&mut acd, 2, 2);
    assert_eq!(next(&mut acd), Some((1, 2)));
}

#[test]
fn a_seat_with_two_skills_serves_the_call_that_waits_longer() {
    let mut acd = acd();
    wait(&mut acd, EXPERT, 1, 0);
    wait(&mut acd, GENERAL, 2, 0);
    free(&mut acd, 2, 1);
    assert_eq!(next(&mut acd), Some((1, 2)));
    free(&mut acd, 2, 2);
    assert_eq!(next(&mut acd), Some((2, 2)));
}

#[test]
fn a_seat_serves_its_agents_queues_in_their_order_and_no_others() {
    let mut acd = acd();
    let level = Level::ORDINARY;
    acd.set_seat(SeatId(2), [("general", level), ("12333", level)], vec![GENERAL, EXPERT]);
    wait(&mut acd, EXPERT, 1, 9);
    wait(&mut acd, GENERAL, 2, 0);
    free(&mut acd, 2, 1);
    assert_eq!(next(&mut acd), Some((2, 2)), "the agent's first queue goes before urgency elsewhere");
    acd.set_seat(SeatId(2), [("general", level), ("12333", level)], vec![GENERAL]);
    free(&mut acd, 2, 2);
    assert_eq!(next(&mut acd), None);
}

#[test]
fn widening_lets_lower_levels_further_skills_and_other_queues_serve() {
    let after = |seconds| Duration::from_secs(seconds);
    let mut acd = acd_with(Rules {
        level: Level::new(6),
        widen: vec![
            Widening { after: after(30), level: Level::new(5), ..Widening::default() },
            Widening { after: after(60), skills: vec!["law".into()], ..Widening::default() },
            Widening { after: after(90), queues: vec![EXPERT], ..Widening::default() },
        ],
        ..rules("general")
    });
    seat(&mut acd, 3, &[("law", 1)]);
    seat(&mut acd, 4, &[("12333", 1)]);
    for call in 1..=3 {
        wait(&mut acd, GENERAL, call, 0);
    }
    for id in [1, 3, 4] {
        free(&mut acd, id, 1);
    }
    assert_eq!(next(&mut acd), None, "nobody has level 6");
    assert_eq!(acd.advance(s(30)).len(), 3);
    assert_eq!(next(&mut acd), Some((1, 1)));
    assert_eq!(next(&mut acd), None);
    acd.advance(s(60));
    assert_eq!(next(&mut acd), Some((2, 3)));
    acd.advance(s(90));
    assert_eq!(next(&mut acd), Some((3, 4)));
}

#[test]
fn a_widened_call_is_served_though_a_more_urgent_one_must_wait() {
    let widen = Widening { after: Duration::from_secs(30), level: Level::new(1), ..Widening::default() };
    let mut acd = acd_with(Rules { level: Level::new(9), widen: vec![widen], ..rules("general") });
    wait(&mut acd, GENERAL, 1, 0);
    acd.advance(s(30));
    let urgent = acd.ticket(s(30), 9);
    acd.join(s(30), GENERAL, CallId(2), urgent, None).unwrap();
    free(&mut acd, 1, 31);
    assert_eq!(next(&mut acd), Some((1, 1)));
}

#[test]
fn the_seat_with_the_fewest_calls_is_chosen() {
    let mut acd = acd_with(Rules { choice: Choice::FewestCalls, ..rules("general") });
    acd.set_standing(SeatId(1), Standing::Free { since: s(1), calls_today: 7 });
    acd.set_standing(SeatId(2), Standing::Free { since: s(2), calls_today: 3 });
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(next(&mut acd), Some((1, 2)));
}

#[test]
fn round_robin_goes_by_number_and_begins_again() {
    let mut acd = acd_with(Rules { choice: Choice::RoundRobin, ..rules("general") });
    seat(&mut acd, 3, &[("general", 5)]);
    let mut order = Vec::new();
    for call in 1..=4 {
        [1, 2, 3].into_iter().for_each(|id| free(&mut acd, id, call));
        wait(&mut acd, GENERAL, call, 0);
        order.push(next(&mut acd).unwrap().1);
    }
    assert_eq!(order, [1, 2, 3, 1]);
}

#[test]
fn ring_all_takes_every_free_seat_up_to_its_number() {
    let mut acd = acd_with(Rules { choice: Choice::RingAll, ring_most: 2, ..rules("general") });
    seat(&mut acd, 3, &[("general", 9)]);
    [1, 2, 3].into_iter().for_each(|id| free(&mut acd, id, u64::from(id)));
    wait(&mut acd, GENERAL, 1, 0);
    let found = acd.next_match().unwrap();
    assert_eq!(found.seats, [SeatId(3), SeatId(1)]);
    assert_eq!(found.candidates, 3);
    assert_eq!(acd.free_for(GENERAL), 1);
}

#[test]
fn a_caller_gets_the_seat_that_knows_them_if_it_is_free() {
    let mut acd = acd_with(Rules { choice: Choice::LastAgent, ..rules("general") });
    for (call, expected) in [(1, 2), (2, 1)] {
        free(&mut acd, 1, 1);
        if call == 1 {
            free(&mut acd, 2, 9);
        }
        let ticket = acd.ticket(T0, 0);
        acd.join(T0, GENERAL, CallId(call), ticket, Some(SeatId(2))).unwrap();
        assert_eq!(next(&mut acd), Some((call, expected)));
    }
}

#[test]
fn a_full_queue_refuses_new_calls_and_takes_back_its_own() {
    let mut acd = acd();
    let first = wait(&mut acd, GENERAL, 1, 0);
    assert!(acd.leave(CallId(1)));
    for call in 2..=4 {
        wait(&mut acd, GENERAL, call, 0);
    }
    let ticket = acd.ticket(T0, 0);
    assert_eq!(acd.join(T0, GENERAL, CallId(5), ticket, None), Err(QueueFull));
    acd.rejoin(T0, GENERAL, CallId(1), first, T0, None);
    assert_eq!(acd.waiting_in(GENERAL).next(), Some(CallId(1)));
}

#[test]
fn a_free_seat_keeps_its_place_when_its_skills_change() {
    let mut acd = acd();
    free(&mut acd, 1, 1);
    seat(&mut acd, 1, &[("12333", 5)]);
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(next(&mut acd), None);
    wait(&mut acd, EXPERT, 2, 0);
    assert_eq!(next(&mut acd), Some((2, 1)));
}

#[test]
fn seats_are_counted_by_what_they_can_do() {
    let mut acd = acd();
    acd.set_standing(SeatId(1), Standing::Away);
    acd.set_standing(SeatId(2), Standing::Busy);
    assert_eq!((acd.signed_in(GENERAL), acd.serving(GENERAL), acd.signed_in(EXPERT)), (2, 1, 1));
    acd.remove_seat(SeatId(2));
    assert_eq!((acd.signed_in(GENERAL), acd.signed_in(EXPERT)), (1, 0));
}

#[test]
fn a_removed_seat_gets_no_call() {
    let mut acd = acd();
    free(&mut acd, 1, 1);
    acd.remove_seat(SeatId(1));
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(next(&mut acd), None);
}

#[test]
fn new_rules_count_for_those_who_wait() {
    let mut acd = acd();
    wait(&mut acd, GENERAL, 1, 0);
    free(&mut acd, 1, 1);
    let aging = Rules { age: Some(Duration::from_secs(10)), level: Level::new(9), ..rules("general") };
    acd.set_queues(s(25), &[(GENERAL, aging), (EXPERT, rules("12333"))]);
    assert_eq!(acd.priority(CallId(1)), Some(2));
    assert_eq!(next(&mut acd), None, "level 9 is asked for now");
}

#[test]
#[should_panic(expected = "two places")]
fn a_call_never_waits_twice() {
    let mut acd = acd();
    let ticket = wait(&mut acd, GENERAL, 1, 0);
    acd.rejoin(T0, EXPERT, CallId(1), ticket, T0, None);
}
