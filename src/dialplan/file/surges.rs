//! `[[surge]]`: what an operator may switch on while the exchange runs.

use super::Building;
use crate::dialplan::Surge;
use crate::dialplan::table::Table;

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_surges(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("surge") {
            if let Some(surge) = self.read_surge(&table) {
                self.plan.surges.push(surge);
            }
            table.finish();
        }
    }

    fn read_surge(&mut self, table: &Table<'r, 'a>) -> Option<Surge> {
        let name = table.need_text("name", "the name of the switch: name = \"flood\"");
        let prompt = table.has("prompt").then(|| self.prompt(table, "prompt", ""));
        let queue = table.text("queue").and_then(|at| self.queue_named(&at));
        let hint = "lines of this plan in quotes: lines = [\"12345\"]";
        let mut lines = Vec::new();
        for at in table.parsed_list("lines", hint, super::line_number) {
            if self.plan.lines.contains_key(&at.value) {
                lines.push(at.value);
            } else {
                let message = format!("there is no line {}", at.value);
                self.reader.error(at.span, &at.key, message, Some(hint.to_owned()));
            }
        }
        let here = table.here();
        if prompt.is_none() && !table.has("queue") {
            let hint = "give it a prompt, a queue, or both".to_owned();
            self.reader.error(here.span.clone(), &here.key, "this surge changes nothing", Some(hint));
        }
        let name = name?;
        if self.plan.surges.iter().any(|other| other.name == name.value) {
            self.reader.error(here.span, &here.key, format!("there are two surges named {:?}", name.value), None);
        }
        Some(Surge { name: name.value, prompt, queue, lines })
    }
}
