//! Who is at work while a call is played: the plan's seats, or a file that says so.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::dialplan::Plan;
use crate::dialplan::report::{Report, Source};
use crate::dialplan::table::{Reader, Table, one_of};
use crate::types::SeatId;

/// How long a telephone rings before its agent takes it.
const ANSWERS_S: u32 = 3;

/// A seat of the scripted world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptedSeat {
    /// Which.
    pub seat: SeatId,
    /// What it does.
    pub state: SeatState,
}

/// What a seat does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatState {
    /// Takes calls and answers after so long.
    Ready(Duration),
    /// Takes calls, and nobody picks up.
    Silent,
    /// Is signed in and takes no calls.
    NotReady,
}

impl ScriptedSeat {
    /// All seats of a plan, ready and quick.
    pub fn all_of(plan: &Plan) -> Vec<Self> {
        let state = SeatState::Ready(Duration::from_secs(ANSWERS_S.into()));
        plan.seats.keys().map(|seat| Self { seat: *seat, state }).collect()
    }
}

/// Reads who is at work: `[[seat]]` with `number`, `state` ("ready", "silent", "not-ready") and `answers_s`. Seats that are
/// not named are empty. There are seats exactly when the report has no error.
pub fn read_seats(name: &str, text: &str, plan: &Plan) -> (Option<Vec<ScriptedSeat>>, Report) {
    let reader = Reader::new(Source::new(name, text));
    let mut seats = Vec::new();
    if let Some(root) = reader.root() {
        let mut seen = BTreeSet::new();
        for table in root.tables("seat") {
            if let Some(seat) = read_seat(&reader, &table, plan) {
                if !seen.insert(seat.seat) {
                    let here = table.here();
                    reader.error(here.span, &here.key, format!("the seat {} is there twice", seat.seat.0), None);
                }
                seats.push(seat);
            }
            table.finish();
        }
        root.finish();
    }
    let report = reader.into_report();
    (report.is_ok().then_some(seats), report)
}

fn read_seat(reader: &Reader<'_>, table: &Table<'_, '_>, plan: &Plan) -> Option<ScriptedSeat> {
    if !table.has("number") {
        table.missing("number", "number = 8001");
    }
    let number = table.number("number", 1..=99_999_999);
    let answers = Duration::from_secs(table.number_or("answers_s", 0..=600, ANSWERS_S).into());
    let words =
        [("ready", SeatState::Ready(answers)), ("silent", SeatState::Silent), ("not-ready", SeatState::NotReady)];
    let state = match table.text("state") {
        None => SeatState::Ready(answers),
        Some(at) => match words.iter().find(|(word, _)| *word == at.value) {
            Some((_, state)) => *state,
            None => {
                let hint = one_of(&at.value, words.map(|(word, _)| word));
                reader.error(at.span, &at.key, format!("{:?} is nothing that a seat does", at.value), Some(hint));
                return None;
            }
        },
    };
    let number = number?;
    let seat = SeatId(number.value);
    if !plan.seats.contains_key(&seat) {
        let hint = Some("seats stand in the plan as [[seat]]".to_owned());
        reader.error(number.span, &number.key, format!("the plan has no seat {}", seat.0), hint);
        return None;
    }
    Some(ScriptedSeat { seat, state })
}
