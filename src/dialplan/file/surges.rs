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
        let lines = self.lines_named(table);
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
