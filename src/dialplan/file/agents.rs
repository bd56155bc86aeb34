//! `[[agent]]` and `[desk]`: persons who sign in by a seat's phone, and the words that agents choose from.

use std::collections::BTreeMap;

use super::{Building, words};
use crate::dialplan::table::{At, Table};
use crate::dialplan::{Desk, PlannedAgent};
use crate::types::{Agent, AgentId, Level, SeatId, Word};

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_desk(&mut self, root: &Table<'r, 'a>) {
        if let Some(table) = root.table("desk") {
            self.plan.desk = read_desk(&table);
            table.finish();
        }
        if self.plan.desk.results.is_empty()
            && let Some(queue) = self.plan.queues.iter().find(|queue| queue.result)
        {
            let message = format!("the queue {:?} asks for a result and [desk] has no results", queue.name);
            self.reader.absent("desk", message, Some("list them: results = [\"solved\"]".to_owned()));
        }
    }

    pub(super) fn read_agents(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("agent") {
            self.read_agent(&table);
            table.finish();
        }
    }

    fn read_agent(&mut self, table: &Table<'r, 'a>) {
        if !table.has("number") {
            table.missing("number", "the number of the person: number = 1001");
        }
        let number = table.number("number", 1..=99_999_999);
        let name = table.text("name");
        let skills = self.read_skilled(table);
        let queues = table.texts("queues");
        let queues: Vec<String> =
            queues.into_iter().filter(|at| self.queue_named(at).is_some()).map(|at| at.value).collect();
        if !table.has("seat") {
            table.missing("seat", "the seat whose phone signs this person in: seat = 8001");
        }
        let seat = table.number("seat", 100..=99_999_999);
        let (Some(number), Some(seat)) = (number, seat) else { return };
        let (id, at_seat) = (AgentId(number.value), SeatId(seat.value));
        if !self.plan.seats.contains_key(&at_seat) {
            self.reader.error(seat.span, &seat.key, format!("there is no seat {}", seat.value), None);
            return;
        }
        if let Some(other) = self.plan.agents.values().find(|other| other.seat == at_seat || other.agent.id == id) {
            let message = format!("the agent {} sits at seat {} already", other.agent.id.0, other.seat.0);
            let hint = "one person has one seat, and one seat one person".to_owned();
            self.reader.error(number.span, &number.key, message, Some(hint));
            return;
        }
        let name = name.map_or_else(|| number.value.to_string(), |at| at.value);
        let agent = Agent { id, skills: skills.into_iter().collect::<BTreeMap<String, Level>>(), queues };
        self.plan.agents.insert(id, PlannedAgent { agent, name, seat: at_seat });
    }

    /// `skills = ["general", "12333=7"]`: skills with their levels, each counted as a seat's use.
    pub(super) fn read_skilled(&mut self, table: &Table<'r, 'a>) -> Vec<(String, Level)> {
        let hint = "a skill of [skills], perhaps with its level from 1 to 9: \"12333=7\"";
        let mut skilled = Vec::new();
        for at in table.parsed_list("skills", hint, words::skilled) {
            let (name, level) = at.value.clone();
            if let Some(skill) = self.skill(&at.with(name.clone())) {
                skill.seats += 1;
                skilled.push((name, level));
            }
        }
        skilled
    }
}

fn read_desk(table: &Table<'_, '_>) -> Desk {
    let list = |texts: Vec<At<String>>| texts.into_iter().map(|at| Word::new(&at.value)).collect();
    Desk {
        reasons: list(table.texts("reasons")),
        results: list(table.texts("results")),
        transfer_reasons: list(table.texts("transfer_reasons")),
        break_ms: table.number("break_s", 60..=14_400).map_or(Desk::default().break_ms, |at| at.value * 1_000),
    }
}
