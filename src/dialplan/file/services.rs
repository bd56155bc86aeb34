//! What happens to a call in a phase: the keys of `[[line.phase]]` that make a [`Service`] of its attributes.

use super::Building;
use super::phases::CANCELLED;
use crate::dialplan::table::{At, Table};
use crate::dialplan::{
    AnswerWhen, Answering, Attributes, Lifecycle, NumberFate, OutsideService, QueueService, Service, ToldEnd,
    ToldService,
};
use crate::types::{DestinationId, LineNumber, PromptName};

/// Priority of a line that names none; 0 to 9, higher first.
pub(super) const PRIORITY: u32 = 5;
/// Said to callers of a number in its transition, where the phase names no notice.
const TRANSITION: &str = "notice/transition";

impl<'r, 'a> Building<'r, 'a> {
    /// `outside` is where the phase's destination, or its forward, leads.
    pub(super) fn read_service(
        &mut self,
        table: &Table<'r, 'a>,
        number: Option<&LineNumber>,
        attributes: &Attributes,
        outside: Option<DestinationId>,
    ) -> Option<Service> {
        let leads_out = table.has("destination") || table.has("forward");
        match attributes {
            Attributes { lifecycle: Lifecycle::Cancelled, .. } => Some(self.read_cancelled(table)),
            // An office has the telephone; citizens find no such number.
            Attributes { number_fate: NumberFate::Internal, .. } => Some(not_found(None)),
            _ if table.has("forward") => self.read_outside(table, attributes, outside),
            Attributes { seats: Answering::Here | Answering::Experts, .. } => {
                self.read_queue_service(table, number, attributes)
            }
            _ if leads_out => self.read_outside(table, attributes, outside),
            // Its own office still has the number, which does not come to us.
            Attributes { lifecycle: Lifecycle::Planned, .. } => Some(not_found(None)),
            Attributes { seats: Answering::Operator, .. } => Some(not_found(self.read_given_out(table))),
            Attributes {
                seats: Answering::Own | Answering::Upper | Answering::OtherLine | Answering::Office, ..
            } => {
                let hint = "say where: destination = \"...\", with a [[destination]] of that name";
                table.missing("destination", hint);
                None
            }
        }
    }

    fn read_queue_service(
        &mut self,
        table: &Table<'r, 'a>,
        number: Option<&LineNumber>,
        attributes: &Attributes,
    ) -> Option<Service> {
        let notices = self.read_notices(table, attributes);
        let greeting = self.prompt(table, "greeting", &greeting_of(number));
        let answer = read_answer(table);
        let priority = read_priority(table);
        let desk = self.read_place(table, "parallel");
        let at = table.need_text("queue", "where the callers wait: queue = \"general\"")?;
        let queue = self.queue_named(&at)?;
        Some(Service::Queue(QueueService { notices, queue, greeting, answer, priority, desk }))
    }

    fn read_outside(
        &mut self,
        table: &Table<'r, 'a>,
        attributes: &Attributes,
        destination: Option<DestinationId>,
    ) -> Option<Service> {
        let notices = self.read_notices(table, attributes);
        let (answer, priority) = (read_answer(table), read_priority(table));
        let fallback = table.text("fallback").and_then(|at| self.queue_named(&at));
        let destination = destination?;
        Some(Service::Outside(OutsideService { notices, destination, answer, fallback, priority }))
    }

    /// A dead number: the final announcement and 410, or 404 at once.
    fn read_cancelled(&self, table: &Table<'r, 'a>) -> Service {
        let end = self.read_end(table, "end", self.cancelled_end);
        let notice = match (table.has("notices"), end) {
            (true, _) => self.read_one_notice(table),
            (false, ToldEnd::Gone) => Some(self.sentence(CANCELLED, &table.here())),
            (false, ToldEnd::NotFound | ToldEnd::Closed) => None,
        };
        Service::Told(ToldService { notice, end })
    }

    /// A company answers on another number, which callers are told.
    fn read_given_out(&self, table: &Table<'r, 'a>) -> Option<PromptName> {
        if !table.has("notices") {
            let hint = "give out its number, notices = [\"notice/...\"], or transfer the calls, destination = \"...\"";
            table.missing("notices", hint);
        }
        self.read_one_notice(table)
    }

    fn read_one_notice(&self, table: &Table<'r, 'a>) -> Option<PromptName> {
        let mut notices = self.named_notices(table);
        if notices.len() > 1 {
            let here = table.here();
            let message = "before a refusal one notice is played, not several";
            self.reader.error(here.span, &here.key, message, Some("record them as one prompt".to_owned()));
        }
        notices.pop()
    }

    /// The notices of the phase; in a transition there is one in any case.
    fn read_notices(&self, table: &Table<'r, 'a>, attributes: &Attributes) -> Vec<PromptName> {
        let notices = self.named_notices(table);
        if notices.is_empty() && attributes.lifecycle == Lifecycle::Transition {
            return vec![self.sentence(TRANSITION, &table.here())];
        }
        notices
    }

    fn named_notices(&self, table: &Table<'r, 'a>) -> Vec<PromptName> {
        let hint = "names of prompts: notices = [\"notice/transition\"]";
        let names = table.parsed_list("notices", hint, super::words::prompt_name);
        names.iter().map(|at| self.sentence(&at.value, &at.with_nothing())).collect()
    }

    /// A prompt that must be there.
    pub(super) fn sentence(&self, name: &str, at: &At<()>) -> PromptName {
        if !(self.outside.prompts)(name) {
            let message = format!("there is no prompt {name:?}");
            self.reader.error(at.span.clone(), &at.key, message, Some(super::prompt_hint(name)));
        }
        PromptName::new(name)
    }

    /// The place outside that a key names.
    pub(super) fn read_place(&mut self, table: &Table<'r, 'a>, key: &'static str) -> Option<DestinationId> {
        table.text(key).and_then(|at| self.destination_named(&at))
    }
}

/// The greeting of a line that names none. After a mistake in its number any one will do that is there.
pub(super) fn greeting_of(number: Option<&LineNumber>) -> String {
    number.map_or_else(|| "greeting/12345".to_owned(), |number| format!("greeting/{number}"))
}

fn not_found(notice: Option<PromptName>) -> Service {
    Service::Told(ToldService { notice, end: ToldEnd::NotFound })
}

fn read_priority(table: &Table<'_, '_>) -> u8 {
    u8::try_from(table.number_or("priority", 0..=9, PRIORITY)).unwrap_or(u8::MAX)
}

fn read_answer(table: &Table<'_, '_>) -> AnswerWhen {
    let hint = "\"at-once\": greeting and music after the answer; \"by-seat\": before it, as early media";
    let parse = |word: &str| match word {
        "at-once" => Ok(AnswerWhen::AtOnce),
        "by-seat" => Ok(AnswerWhen::BySeat),
        _ => Err(format!("{word:?} does not say when to answer")),
    };
    table.parsed("answer", hint, parse).map_or(AnswerWhen::AtOnce, |at| at.value)
}
