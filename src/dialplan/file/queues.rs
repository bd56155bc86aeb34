//! `[[queue]]`: how callers wait.

use super::{Building, NamedQueue};
use crate::dialplan::Queue;
use crate::dialplan::table::Table;
use crate::types::QueueId;

/// How long a seat is rung (GB/T 33358 asks for an answer within 15 s).
const RING_MS: u32 = 15_000;
const WRAP_UP_MS: u32 = 30_000;
const WRAP_UP_CAP_MS: u32 = 120_000;
const MAX_WAITING: u32 = 1_000;

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_queues(&mut self, root: &Table<'r, 'a>) {
        let tables = root.tables("queue");
        if tables.is_empty() && !root.has("queue") {
            root.missing("queue", "lines need a queue: [[queue]] with name and skill");
        }
        for table in tables {
            self.read_queue(&table);
            table.finish();
        }
    }

    fn read_queue(&mut self, table: &Table<'r, 'a>) {
        let name = table.need_text("name", "lines refer to it: name = \"general\"");
        let skill = table.need_text("skill", "the skill a seat needs, from [skills]: skill = \"general\"");
        if let Some(skill) = skill.as_ref().and_then(|at| self.skill(at)) {
            skill.queues += 1;
        }
        let queue = Queue {
            name: name.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
            skill: skill.map(|at| at.value).unwrap_or_default(),
            music: self.prompt(table, "music", "music/waiting"),
            ring_ms: table.number_or("ring_ms", 3_000..=120_000, RING_MS),
            max_wait_ms: table.number("max_wait_ms", 5_000..=7_200_000).map(|at| at.value),
            overflow_prompt: self.prompt(table, "overflow_prompt", "overflow"),
            max_waiting: table.number_or("max_waiting", 1..=10_000, MAX_WAITING),
            wrap_up_ms: table.number_or("wrap_up_ms", 0..=WRAP_UP_CAP_MS, WRAP_UP_MS),
        };
        let Some(name) = name else { return };
        let Ok(id) = u16::try_from(self.plan.queues.len()).map(QueueId) else {
            self.reader.error(name.span, &name.key, "there are more than 65,536 queues", None);
            return;
        };
        if let Some(other) = self.queues.get(&name.value) {
            let message = format!("there are two queues named {:?}", name.value);
            let hint = format!("the first is in line {}", self.reader.line_of(&other.at.span));
            self.reader.error(name.span, &name.key, message, Some(hint));
            return;
        }
        self.queues.insert(name.value.clone(), NamedQueue { id, at: name.with_nothing(), lines: 0 });
        self.plan.queues.push(queue);
    }
}
