//! `[[mark]]`: what an entry of the caller lists does to a call.

use super::Building;
use crate::dialplan::Mark;
use crate::dialplan::table::Table;
use crate::types::Word;

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_marks(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("mark") {
            if let Some(mark) = self.read_mark(&table) {
                self.plan.marks.push(mark);
            }
            table.finish();
        }
    }

    fn read_mark(&mut self, table: &Table<'r, 'a>) -> Option<Mark> {
        let name = table.need_text("name", "the name of the mark in the lists: name = \"nuisance\"");
        let approval = table.flag("approval").unwrap_or_default();
        let queue = table.text("queue").and_then(|at| self.queue_named(&at));
        let priority = table.number("priority", 0..=9).and_then(|at| u8::try_from(at.value).ok());
        let prompt = table.has("prompt").then(|| self.prompt(table, "prompt", ""));
        let here = table.here();
        if prompt.is_none() && priority.is_none() && !table.has("queue") {
            let hint = "give it a queue, a priority, a prompt".to_owned();
            self.reader.error(here.span.clone(), &here.key, "this mark changes nothing", Some(hint));
        }
        let name = Word::new(&name?.value);
        if self.plan.marks.iter().any(|other| other.name == name) {
            self.reader.error(here.span, &here.key, format!("there are two marks named {name:?}"), None);
        }
        Some(Mark { name, approval, queue, priority, prompt })
    }
}
