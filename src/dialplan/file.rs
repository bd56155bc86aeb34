//! The plan file: TOML in, checked [`Plan`] out, with every mistake at its place.
//!
//! Reads no disk and no clock: the text comes in, and what lies outside the file is asked through [`Outside`]. The zone is
//! resolved here, so that routing compares plain moments. `dialplans/mianyang.toml` shows the whole format.

mod agents;
mod branches;
mod destinations;
mod emergency;
mod hours;
mod lines;
mod marks;
mod outgoing;
mod phases;
mod queues;
mod seats;
mod services;
mod surges;
mod trunks;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::lint::{self, Part};
use super::report::{Report, Source};
use super::table::{At, Reader, Table, one_of};
use super::{Clocks, FeatureCode, Plan, ToldEnd, feature};
use crate::types::{DestinationId, LineNumber, PromptName, QueueId};

pub use emergency::ALWAYS as EMERGENCY_ALWAYS;

/// What a plan refers to and does not hold.
pub struct Outside<'a> {
    /// Whether a prompt of this name is there.
    pub prompts: &'a dyn Fn(&str) -> bool,
    /// Names of the networks of the configuration; `None` when no configuration is known.
    pub networks: Option<&'a BTreeSet<String>>,
}

/// Reads and checks a plan. There is a plan exactly when the report has no error.
///
/// `name` stands in messages, `text` is the whole file.
pub fn read(name: &str, text: &str, outside: &Outside<'_>) -> (Option<Plan>, Report) {
    let reader = Reader::new(Source::new(name, text));
    let plan = reader.root().map(|root| Building::new(&reader, outside).build(root));
    let report = reader.into_report();
    (plan.filter(|_| report.is_ok()), report)
}

/// A plan in the making, with what later parts of the file are checked against.
struct Building<'r, 'a> {
    reader: &'r Reader<'a>,
    outside: &'r Outside<'r>,
    zone: TimeZone,
    plan: Plan,
    /// Skills by word, with their place and whether a queue or a seat uses them.
    skills: BTreeMap<String, Skill>,
    /// Queues by name.
    queues: BTreeMap<String, NamedQueue>,
    /// Places outside by name.
    destinations: BTreeMap<String, NamedDestination>,
    /// Tables of queues whose references to other queues are still to be read.
    queue_tables: Vec<Table<'r, 'a>>,
    /// How long a transition lasts, and how calls to a number are refused that is cancelled.
    transition_months: Option<u32>,
    cancelled_end: ToldEnd,
    /// Places of the plan's parts, for what is found when all is read.
    places: BTreeMap<Part, At<()>>,
    /// Seats that shall have a number as their telephone.
    offices: Vec<(LineNumber, At<u32>)>,
    /// Who took a number, for "is taken already": lines, aliases, seats, emergency numbers.
    taken: BTreeMap<String, (&'static str, Range<usize>)>,
}

struct Skill {
    name: At<String>,
    seats: usize,
    queues: usize,
}

/// A place outside, with how often the file names it.
struct NamedDestination {
    id: DestinationId,
    at: At<()>,
    uses: usize,
}

struct NamedQueue {
    id: QueueId,
    at: At<()>,
    lines: usize,
}

impl<'r, 'a> Building<'r, 'a> {
    fn new(reader: &'r Reader<'a>, outside: &'r Outside<'r>) -> Self {
        Self {
            reader,
            outside,
            zone: TimeZone::UTC,
            plan: Plan::default(),
            skills: BTreeMap::new(),
            queues: BTreeMap::new(),
            destinations: BTreeMap::new(),
            queue_tables: Vec::new(),
            transition_months: None,
            cancelled_end: ToldEnd::Gone,
            places: BTreeMap::new(),
            offices: Vec::new(),
            taken: BTreeMap::new(),
        }
    }

    fn build(mut self, root: Table<'r, 'a>) -> Plan {
        let named = root.need_text("deployment", "name the city for records: deployment = \"mianyang\"");
        self.plan.deployment = named.map(|at| at.value).unwrap_or_default();
        self.read_zone(&root);
        self.read_skills(&root);
        self.read_trunks(&root);
        self.read_destinations(&root);
        self.read_queues(&root);
        self.read_emergency(&root);
        self.read_utilities(&root);
        self.read_life(&root);
        self.read_lines(&root);
        self.read_branches(&root);
        self.read_missing(&root);
        self.read_seats(&root);
        self.check_offices();
        self.read_outgoing(&root);
        self.read_surges(&root);
        self.read_marks(&root);
        self.read_desk(&root);
        self.read_agents(&root);
        root.finish();
        if self.reader.is_good() {
            // After a mistake these would only repeat it in other words.
            self.check_use();
            self.check_destinations();
            self.check_whole();
        }
        self.check_feature_prompts();
        self.plan
    }

    fn read_zone(&mut self, root: &Table<'r, 'a>) {
        let hint = "use a name of the IANA database, for China Asia/Shanghai";
        let resolve = |name: &str| TimeZoneDatabase::bundled().get(name).map(|zone| (name.to_owned(), zone));
        if !root.has("zone") {
            root.missing("zone", "every date and hour of the plan is local to it: zone = \"Asia/Shanghai\"");
        }
        let zone = root.parsed("zone", hint, resolve).map(|at| at.value);
        // After a mistake the dates are still read, so that their own mistakes are found.
        (self.plan.zone, self.zone) = zone.unwrap_or((String::new(), TimeZone::UTC));
        self.plan.clocks = Clocks::of(self.zone.clone());
    }

    fn read_skills(&mut self, root: &Table<'r, 'a>) {
        let Some(table) = root.table("skills") else {
            if !root.has("skills") {
                root.missing("skills", "list them: [skills], then one a line: general = \"综合\"");
            }
            return;
        };
        for (name, _) in table.pairs() {
            self.skills.insert(name.value.clone(), Skill { name, seats: 0, queues: 0 });
        }
    }

    /// Counts a use of a skill; an unknown one is a mistake.
    fn skill(&mut self, at: &At<String>) -> Option<&mut Skill> {
        if !self.skills.contains_key(&at.value) {
            let message = format!("there is no skill {:?} in [skills]", at.value);
            let hint = one_of(&at.value, self.skills.keys().map(String::as_str));
            self.reader.error(at.span.clone(), &at.key, message, Some(hint));
        }
        self.skills.get_mut(&at.value)
    }

    /// Takes a number for one purpose; the second who wants it gets a mistake.
    fn take(&mut self, number: &str, what: &'static str, at: &At<()>) -> bool {
        if let Some((other, span)) = self.taken.get(number) {
            let message = format!("the number {number} is taken already");
            let hint = format!("it is {other} in line {}", self.reader.line_of(span));
            self.reader.error(at.span.clone(), &at.key, message, Some(hint));
            return false;
        }
        self.taken.insert(number.to_owned(), (what, at.span.clone()));
        true
    }

    /// A prompt that is named in the file, or the one that stands when nothing is named.
    fn prompt(&self, table: &Table<'r, 'a>, key: &'static str, default: &str) -> PromptName {
        let at = table.parsed(key, "small letters, digits, - and _, with / between folders", words::prompt_name);
        let (name, at) = match at {
            Some(at) => (at.value.clone(), at.with_nothing()),
            None => (default.to_owned(), table.here()),
        };
        if !(self.outside.prompts)(&name) {
            let message = format!("there is no prompt {name:?}");
            self.reader.error(at.span, &at.key, message, Some(prompt_hint(&name)));
        }
        PromptName::new(&name)
    }

    fn check_feature_prompts(&self) {
        let names = FeatureCode::ALL.into_iter().map(|code| code.prompt().0.to_string());
        for name in names.chain(feature::SENTENCES.map(str::to_owned)) {
            if !(self.outside.prompts)(&name) {
                let message = format!("there is no prompt {name:?}, which the exchange speaks of itself");
                self.reader.absent("", message, Some(prompt_hint(&name)));
            }
        }
    }

    /// Queues that nobody can enter, and skills that lead nowhere.
    fn check_use(&self) {
        for (name, queue) in &self.queues {
            if queue.lines == 0 {
                let message = format!("no phase of any line leads to the queue {name:?}");
                self.reader.warning(queue.at.span.clone(), &queue.at.key, message, None);
            }
        }
        for skill in self.skills.values().filter(|skill| skill.queues == 0) {
            let message = format!("no queue asks for the skill {:?}", skill.name.value);
            self.reader.warning(skill.name.span.clone(), &skill.name.key, message, None);
        }
    }

    /// What is wrong with the plan as a whole, each at the place of its part.
    fn check_whole(&self) {
        for problem in lint::problems(&self.plan) {
            let place = self.places.get(&problem.part);
            let (span, key) = place.map_or((0..0, ""), |at| (at.span.clone(), at.key.as_str()));
            match problem.severe {
                true => self.reader.error(span, key, problem.message, Some(problem.hint)),
                false => self.reader.warning(span, key, problem.message, Some(problem.hint)),
            }
        }
    }
}

fn prompt_hint(name: &str) -> String {
    format!("put 8k/{name}.wav and 16k/{name}.wav into the prompt folder, or add it to texts.tsv and run make.sh there")
}

/// Reads a number of digits only; the plan allows no feature codes and no separators in it.
fn line_number(text: &str) -> Result<LineNumber, String> {
    if !(3..=20).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{text:?} is no number: 3 to 20 digits are"));
    }
    LineNumber::parse(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
