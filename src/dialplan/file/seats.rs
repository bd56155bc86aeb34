//! `[[seat]]`: working positions, their skills, and telephones that do not register.

use super::{Building, words};
use crate::dialplan::Seat;
use crate::dialplan::lint::Part;
use crate::dialplan::table::Table;
use crate::types::SeatId;

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_seats(&mut self, root: &Table<'r, 'a>) {
        let tables = root.tables("seat");
        if tables.is_empty() && !root.has("seat") {
            root.missing("seat", "somebody has to answer: [[seat]] with number and skills");
        }
        for table in tables {
            self.read_seat(&table);
            table.finish();
        }
    }

    fn read_seat(&mut self, table: &Table<'r, 'a>) {
        if !table.has("number") {
            table.missing("number", "its internal telephone number: number = 8001");
        }
        let number = table.number("number", 100..=99_999_999);
        let name = table.text("name");
        let skills = self.read_skilled(table);
        let auto_answer = table.flag("auto_answer").unwrap_or(false);
        let contact = table.parsed("contact", "for example sip:8001@10.0.0.9:5060;transport=udp", words::sip_uri);
        if skills.is_empty() && !table.has("skills") {
            let hint = Some("give it skills = [\"general\"]".to_owned());
            let here = table.here();
            self.reader.warning(here.span, &here.key, "the seat has no skill and will never be offered a call", hint);
        }
        let Some(number) = number else { return };
        if !self.take(&number.value.to_string(), "a seat", &number.with_nothing()) {
            return;
        }
        let id = SeatId(number.value);
        self.places.insert(Part::Seat(id), number.with_nothing());
        let name = name.map_or_else(|| number.value.to_string(), |at| at.value);
        self.plan.seats.insert(id, Seat { id, name, skills, contact: contact.map(|at| at.value), auto_answer });
    }
}
