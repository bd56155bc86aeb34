//! `[[queue]]`: how callers wait.

use super::{Building, NamedQueue};
use crate::dialplan::lint::Part;
use crate::dialplan::table::{At, Table, one_of};
use crate::dialplan::{Announce, Overflow, OverflowTo, OverflowWhen, Queue, Widen, WishOffer, announce};
use crate::types::{Choice, Digit, Level, QueueId, WishKind};

/// How long a seat is rung (GB/T 33358 asks for an answer within 15 s).
const RING_MS: u32 = 15_000;
const WRAP_UP_MS: u32 = 30_000;
const WRAP_UP_CAP_MS: u32 = 120_000;
const MAX_WAITING: u32 = 1_000;
const WRAP_UP_MORE_MS: u32 = 30_000;
/// Longest wrap-up with extensions that may be set: ten minutes.
const WRAP_UP_MOST_MS: u32 = 600_000;
const RING_MOST: u32 = 5;
const ANNOUNCE_FIRST_S: u32 = 10;
const ANNOUNCE_EVERY_S: u32 = 30;
/// An hour of waiting, the longest time of the rules below.
const HOUR_S: u32 = 3_600;

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_queues(&mut self, root: &Table<'r, 'a>) {
        let tables = root.tables("queue");
        if tables.is_empty() && !root.has("queue") {
            root.missing("queue", "lines need a queue: [[queue]] with name and skill");
        }
        for table in tables {
            self.read_queue(&table);
            self.queue_tables.push(table);
        }
        // Widening and overflow name other queues, which may stand below.
        for (table, index) in std::mem::take(&mut self.queue_tables).into_iter().zip(0..) {
            let (widen, overflow) = (self.read_widen(&table), self.read_overflow(&table));
            if let Some(queue) = self.plan.queues.get_mut::<usize>(index) {
                (queue.widen, queue.overflow) = (widen, overflow);
            }
            table.finish();
        }
    }

    /// On unless `announce_first_s` is 0.
    fn read_announce(&self, table: &Table<'r, 'a>) -> Option<Announce> {
        let first = table.number_or("announce_first_s", 0..=600, ANNOUNCE_FIRST_S);
        let every = table.number_or("announce_every_s", 15..=600, ANNOUNCE_EVERY_S);
        if first == 0 {
            return None;
        }
        let missing = announce::prompts().find(|name| !(self.outside.prompts)(&name.0));
        if let Some(name) = missing {
            let here = table.here();
            let message = format!("there is no prompt {:?}, which announcements need", name.0);
            let hint = "run make.sh in the prompt folder, or switch them off: announce_first_s = 0".to_owned();
            self.reader.error(here.span, &here.key, message, Some(hint));
        }
        Some(Announce { first_ms: first * 1_000, every_ms: every * 1_000 })
    }

    fn read_wish(&self, table: &Table<'r, 'a>) -> Option<WishOffer> {
        let table = table.table("wish")?;
        let kind = table.parsed("kind", "callback or message", |word| match word {
            "callback" => Ok(WishKind::Callback),
            "message" => Ok(WishKind::Message),
            _ => Err(format!("{word:?} is no wish")),
        });
        if !table.has("kind") {
            table.missing("kind", "kind = \"callback\" or \"message\"");
        }
        let key = table.parsed("key", "one key from 0 to 9: key = \"1\"", |text| match text.as_bytes() {
            [key @ b'0'..=b'9'] => Ok(Digit(char::from(*key))),
            _ => Err(format!("{text:?} is no key")),
        });
        let kind = kind.map(|at| at.value);
        let (prompt, done) = match kind {
            Some(WishKind::Message) => ("wish/message-offer", "wish/message"),
            Some(WishKind::Callback) | None => ("wish/callback-offer", "wish/callback"),
        };
        let (prompt, done) = (self.prompt(&table, "prompt", prompt), self.prompt(&table, "done", done));
        let longest_ms = table.number_or("longest_s", 10..=600, 120) * 1_000;
        table.finish();
        Some(WishOffer { kind: kind?, key: key.map_or(Digit('1'), |at| at.value), prompt, done, longest_ms })
    }

    fn read_widen(&mut self, table: &Table<'r, 'a>) -> Vec<Widen> {
        let mut steps: Vec<Widen> = Vec::new();
        for step in table.tables("widen") {
            let after = step.number("after_s", 1..=HOUR_S);
            if after.is_none() && !step.has("after_s") {
                step.missing("after_s", "seconds of waiting: after_s = 30");
            }
            let level = read_level(&step);
            let skills = step.texts("skills");
            for skill in &skills {
                if let Some(skill) = self.skill(skill) {
                    skill.queues += 1;
                }
            }
            let queues: Vec<QueueId> = step.texts("queues").iter().filter_map(|at| self.queue_named(at)).collect();
            let here = step.here();
            if level.is_none() && skills.is_empty() && queues.is_empty() {
                let hint = "name a lower level, further skills, or queues whose seats may serve".to_owned();
                self.reader.error(here.span.clone(), &here.key, "this step of widening adds nobody", Some(hint));
            }
            let after_ms = after.map_or(0, |at| at.value * 1_000);
            if steps.last().is_some_and(|before| before.after_ms >= after_ms) {
                let hint = "put the steps into the order of their times".to_owned();
                self.reader.error(here.span, &here.key, "this step does not come after the one before it", Some(hint));
            }
            let skills = skills.into_iter().map(|at| at.value).collect();
            steps.push(Widen { after_ms, level, skills, queues });
            step.finish();
        }
        steps
    }

    fn read_overflow(&mut self, table: &Table<'r, 'a>) -> Vec<Overflow> {
        let mut rules = Vec::new();
        for rule in table.tables("overflow") {
            let waited = rule.number("after_s", 1..=HOUR_S).map(|at| OverflowWhen::Waited(at.value * 1_000));
            let waiting = rule.number("waiting", 1..=10_000).map(|at| OverflowWhen::Waiting(at.value));
            let expected = rule.number("expected_s", 1..=HOUR_S).map(|at| OverflowWhen::Expected(at.value * 1_000));
            let no_seats = rule.flag("no_seats").filter(|wanted| *wanted).map(|_| OverflowWhen::NoSeats);
            let to = self.read_overflow_to(&rule);
            let mut whens = [waited, waiting, expected, no_seats].into_iter().flatten();
            match (whens.next(), whens.next(), to) {
                (Some(when), None, Some(to)) => rules.push(Overflow { when, to }),
                (Some(_), None, None) => {}
                (None, ..) | (Some(_), Some(_), _) => {
                    let here = rule.here();
                    let hint = "give it exactly one of after_s, waiting, expected_s, no_seats = true".to_owned();
                    self.reader.error(here.span, &here.key, "it is not clear when this overflow holds", Some(hint));
                }
            }
            rule.finish();
        }
        rules
    }

    /// Where a rule of overflow leads: exactly one place.
    fn read_overflow_to(&mut self, rule: &Table<'r, 'a>) -> Option<OverflowTo> {
        let given = ["to", "destination", "message"].into_iter().filter(|key| rule.has(key)).count();
        let queue = rule.text("to").and_then(|at| self.queue_named(&at)).map(OverflowTo::Queue);
        let outside = rule.text("destination").and_then(|at| self.destination_named(&at)).map(OverflowTo::Destination);
        let message = rule.flag("message").filter(|wanted| *wanted).map(|_| OverflowTo::Message);
        let to = queue.or(outside).or(message);
        if given != 1 || (to.is_none() && rule.has("message")) {
            let here = rule.here();
            let hint =
                "name one: to = \"general\" (a queue), destination = \"other-site\", or message = true".to_owned();
            self.reader.error(here.span, &here.key, "it is not clear where this overflow leads", Some(hint));
            return None;
        }
        to
    }

    /// The queue of a name; an unknown one is a mistake. Being named counts as a use.
    pub(super) fn queue_named(&mut self, at: &At<String>) -> Option<QueueId> {
        if let Some(queue) = self.queues.get_mut(&at.value) {
            queue.lines += 1;
            return Some(queue.id);
        }
        let hint = one_of(&at.value, self.queues.keys().map(String::as_str));
        self.reader.error(at.span.clone(), &at.key, format!("there is no queue {:?}", at.value), Some(hint));
        None
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
            wrap_up_more_ms: table.number_or("wrap_up_more_ms", 0..=WRAP_UP_CAP_MS, WRAP_UP_MORE_MS),
            wrap_up_most_ms: table.number_or("wrap_up_most_ms", 0..=WRAP_UP_MOST_MS, WRAP_UP_CAP_MS),
            result: table.flag("result").unwrap_or_default(),
            level: read_level(table).unwrap_or(Level::LOWEST),
            choice: read_choice(table),
            ring_most: table.number_or("ring_most", 2..=50, RING_MOST),
            age_ms: table.number("age_s", 5..=HOUR_S).map(|at| at.value * 1_000),
            widen: Vec::new(),
            overflow: Vec::new(),
            announce: self.read_announce(table),
            wish: self.read_wish(table),
        };
        if queue.wrap_up_most_ms < queue.wrap_up_ms {
            let here = table.here();
            let message = "the longest wrap-up is shorter than the ordinary one";
            self.reader.error(here.span, &here.key, message, Some("raise wrap_up_most_ms".to_owned()));
        }
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
        self.places.insert(Part::Queue(id), name.with_nothing());
        self.queues.insert(name.value.clone(), NamedQueue { id, at: name.with_nothing(), lines: 0 });
        self.plan.queues.push(queue);
    }
}

fn read_level(table: &Table<'_, '_>) -> Option<Level> {
    let level = table.number("level", 1..=9)?;
    u8::try_from(level.value).ok().and_then(Level::new)
}

fn read_choice(table: &Table<'_, '_>) -> Choice {
    const ALL: [Choice; 5] =
        [Choice::LongestIdle, Choice::FewestCalls, Choice::RoundRobin, Choice::RingAll, Choice::LastAgent];
    let parse = |word: &str| {
        let choice = ALL.into_iter().find(|choice| choice.as_str() == word);
        choice.ok_or_else(|| format!("{word:?} is no way to choose a seat"))
    };
    let hint = "longest_idle, fewest_calls, round_robin, ring_all or last_agent";
    table.parsed("choice", hint, parse).map_or(Choice::LongestIdle, |at| at.value)
}
