//! Reads TOML tables value by value and writes down every mistake with its place.
//!
//! Derived deserialisation stops at the first mistake; an operator who corrects a plan of hundreds of lines wants all of
//! them in one run. So values are taken one by one from the parsed document, which keeps the place of each. Knows nothing of
//! plans.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use jiff::civil::{Date, Time};
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::report::{Finding, Report, Source, nearest};

/// A document being read, and what was found in it so far.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    report: RefCell<Report>,
}

/// One table of the document. Each value is taken by its key; [`Table::finish`] refuses what was not taken.
pub(crate) struct Table<'r, 'a> {
    reader: &'r Reader<'a>,
    path: String,
    span: Range<usize>,
    values: DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value with its place and path, to be complained about later.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
    pub(crate) key: String,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub(crate) fn with<U>(&self, value: U) -> At<U> {
        At { value, span: self.span.clone(), key: self.key.clone() }
    }

    /// The place alone.
    pub(crate) fn with_nothing(&self) -> At<()> {
        self.with(())
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source, report: RefCell::default() }
    }

    /// The root table; `None` after mistakes of syntax, all of which are written down.
    pub(crate) fn root<'r>(&'r self) -> Option<Table<'r, 'a>> {
        let (root, mistakes) = DeTable::parse_recoverable(self.source.text);
        for mistake in &mistakes {
            let span = mistake.span().unwrap_or(0..0);
            self.error(
                span,
                "",
                mistake.message().replace('\n', "; "),
                Some("see https://toml.io for the syntax".into()),
            );
        }
        mistakes.is_empty().then(|| Table::new(self, String::new(), root.span(), root.into_inner()))
    }

    pub(crate) fn error(&self, span: Range<usize>, key: &str, message: impl Into<String>, hint: Option<String>) {
        let finding = self.finding(Some(span), key, message.into(), hint);
        self.report.borrow_mut().errors.push(finding);
    }

    pub(crate) fn warning(&self, span: Range<usize>, key: &str, message: impl Into<String>, hint: Option<String>) {
        let finding = self.finding(Some(span), key, message.into(), hint);
        self.report.borrow_mut().warnings.push(finding);
    }

    /// A mistake that stands at no place of the file, such as something absent.
    pub(crate) fn absent(&self, key: &str, message: impl Into<String>, hint: Option<String>) {
        let finding = self.finding(None, key, message.into(), hint);
        self.report.borrow_mut().errors.push(finding);
    }

    /// A warning that stands at no place of the file.
    pub(crate) fn warn_absent(&self, key: &str, message: impl Into<String>, hint: Option<String>) {
        let finding = self.finding(None, key, message.into(), hint);
        self.report.borrow_mut().warnings.push(finding);
    }

    fn finding(&self, span: Option<Range<usize>>, key: &str, message: String, hint: Option<String>) -> Finding {
        let place = span.map(|span| self.source.place(span));
        Finding { file: self.source.name.to_owned(), place, key: key.to_owned(), message, hint }
    }

    /// Whether no mistake was found so far.
    pub(crate) fn is_good(&self) -> bool {
        self.report.borrow().is_ok()
    }

    /// The line of a place, for "stands already in line 12".
    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        self.source.place(span.clone()).line
    }

    /// Everything found, ordered by place.
    pub(crate) fn into_report(self) -> Report {
        let mut report = self.report.into_inner();
        let order = |finding: &Finding| finding.place.as_ref().map_or((usize::MAX, 0), |p| (p.line, p.column));
        report.errors.sort_by_key(order);
        report.warnings.sort_by_key(order);
        report
    }
}

impl<'r, 'a> Table<'r, 'a> {
    fn new(reader: &'r Reader<'a>, path: String, span: Range<usize>, values: DeTable<'a>) -> Self {
        Self { reader, path, span, values, asked: RefCell::default() }
    }

    pub(crate) fn reader(&self) -> &'r Reader<'a> {
        self.reader
    }

    /// Path and place of the table itself.
    pub(crate) fn here(&self) -> At<()> {
        At { value: (), span: self.span.clone(), key: self.path.clone() }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn find(&self, key: &'static str) -> Option<At<&DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        let value = self.values.get(key)?;
        Some(At { value: value.get_ref(), span: value.span(), key: self.path_of(key) })
    }

    fn wrong_type(&self, at: &At<&DeValue<'a>>, wanted: &str) {
        self.reader.error(at.span.clone(), &at.key, format!("expected {wanted}, not {}", kind(at.value)), None);
    }

    /// Says that a key is missing, at the head of the table.
    pub(crate) fn missing(&self, key: &str, hint: &str) {
        let message = match self.path.as_str() {
            "" => format!("`{key}` is missing"),
            path => format!("`{key}` is missing in `{path}`"),
        };
        self.reader.error(self.span.clone(), &self.path_of(key), message, Some(hint.to_owned()));
    }

    /// Whether a key is there, of whatever type.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// How many items a list has, 0 when there is none.
    pub(crate) fn count(&self, key: &str) -> usize {
        self.values.get(key).and_then(|value| value.get_ref().as_array()).map_or(0, |list| list.len())
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<At<String>> {
        let at = self.find(key)?;
        match at.value {
            DeValue::String(text) => Some(at.with(text.to_string())),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type(&at, "a text in quotes");
                None
            }
        }
    }

    /// A text that must be there.
    pub(crate) fn need_text(&self, key: &'static str, hint: &str) -> Option<At<String>> {
        if !self.has(key) {
            self.missing(key, hint);
        }
        self.text(key)
    }

    /// A text that a function reads; what it refuses is a mistake with this hint.
    pub(crate) fn parsed<T, E: fmt::Display>(
        &self,
        key: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        let at = self.text(key)?;
        self.parse(&at, hint, parse)
    }

    fn parse<T, E: fmt::Display>(
        &self,
        at: &At<String>,
        hint: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        match parse(&at.value) {
            Ok(value) => Some(at.with(value)),
            Err(e) => {
                self.reader.error(at.span.clone(), &at.key, e.to_string(), Some(hint.to_owned()));
                None
            }
        }
    }

    /// A list of texts, each read by a function; an absent list is empty.
    pub(crate) fn parsed_list<T, E: fmt::Display>(
        &self,
        key: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<At<T>> {
        self.texts(key).iter().filter_map(|at| self.parse(at, hint, &parse)).collect()
    }

    pub(crate) fn texts(&self, key: &'static str) -> Vec<At<String>> {
        let Some(at) = self.find(key) else { return Vec::new() };
        let Some(list) = at.value.as_array() else {
            self.wrong_type(&at, "a list of texts in [ ]");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let item = At { value: item.get_ref(), span: item.span(), key: format!("{}[{i}]", at.key) };
            match item.value.as_str() {
                Some(text) => texts.push(item.with(text.to_owned())),
                None => self.wrong_type(&item, "a text in quotes"),
            }
        }
        texts
    }

    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        let at = self.find(key)?;
        let flag = at.value.as_bool();
        if flag.is_none() {
            self.wrong_type(&at, "true or false");
        }
        flag
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, key: &'static str, bounds: RangeInclusive<u32>) -> Option<At<u32>> {
        let at = self.find(key)?;
        let Some(integer) = at.value.as_integer() else {
            self.wrong_type(&at, "a whole number");
            return None;
        };
        match u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| bounds.contains(n)) {
            Some(value) => Some(at.with(value)),
            None => {
                let message = format!("{} is out of bounds", integer.as_str());
                let hint = format!("use {} to {}", bounds.start(), bounds.end());
                self.reader.error(at.span.clone(), &at.key, message, Some(hint));
                None
            }
        }
    }

    /// A number within bounds, or what stands for an absent one.
    pub(crate) fn number_or(&self, key: &'static str, bounds: RangeInclusive<u32>, default: u32) -> u32 {
        self.number(key, bounds).map_or(default, |at| at.value)
    }

    pub(crate) fn date(&self, key: &'static str) -> Option<At<Datetime>> {
        let at = self.find(key)?;
        let Some(date) = at.value.as_datetime() else {
            let message = format!("expected a date, not {}", kind(at.value));
            self.reader.error(at.span.clone(), &at.key, message, Some("write it without quotes: 2021-10-15".into()));
            return None;
        };
        Some(at.with(*date))
    }

    /// A list of dates without quotes; an absent list is empty.
    pub(crate) fn dates(&self, key: &'static str) -> Vec<At<Datetime>> {
        let Some(at) = self.find(key) else { return Vec::new() };
        let Some(list) = at.value.as_array() else {
            self.wrong_type(&at, "a list of dates in [ ]");
            return Vec::new();
        };
        let mut dates = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let item = At { value: item.get_ref(), span: item.span(), key: format!("{}[{i}]", at.key) };
            match item.value.as_datetime() {
                Some(date) => dates.push(item.with(*date)),
                None => self.wrong_type(&item, "a date without quotes: 2021-10-15"),
            }
        }
        dates
    }

    /// A table below this one: `[key]` or `key = { }`.
    pub(crate) fn table(&self, key: &'static str) -> Option<Table<'r, 'a>> {
        let at = self.find(key)?;
        let Some(values) = at.value.as_table() else {
            self.wrong_type(&at, &format!("a table [{key}]"));
            return None;
        };
        Some(Table::new(self.reader, at.key.clone(), self.head(key, &at.span), values.clone()))
    }

    /// The tables `[[key]]`; an absent list is empty.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Table<'r, 'a>> {
        let Some(at) = self.find(key) else { return Vec::new() };
        let Some(list) = at.value.as_array() else {
            self.wrong_type(&at, &format!("tables [[{key}]]"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let item = At { value: item.get_ref(), span: item.span(), key: format!("{}[{i}]", at.key) };
            match item.value.as_table() {
                Some(values) => tables.push(Table::new(self.reader, item.key, item.span, values.clone())),
                None => self.wrong_type(&item, "a table"),
            }
        }
        tables
    }

    /// Where to point when something is missing in a table below: at the table if it has a place, else at its key.
    fn head(&self, key: &str, span: &Range<usize>) -> Range<usize> {
        match self.values.get_key_value(key) {
            Some((name, _)) if span.is_empty() => name.span(),
            Some(_) | None => span.clone(),
        }
    }

    /// All pairs of a table with free keys and texts as values, in order of the keys.
    pub(crate) fn pairs(&self) -> Vec<(At<String>, At<String>)> {
        let mut pairs = Vec::new();
        for (name, value) in &self.values {
            let key = self.path_of(name.get_ref());
            let name = At { value: name.get_ref().to_string(), span: name.span(), key: key.clone() };
            let value = At { value: value.get_ref(), span: value.span(), key };
            match value.value.as_str() {
                Some(text) => pairs.push((name, value.with(text.to_owned()))),
                None => self.wrong_type(&value, "a text in quotes"),
            }
        }
        pairs
    }

    /// Refuses every key that was not asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.borrow();
        for (name, _) in &self.values {
            if asked.contains(&name.get_ref().as_ref()) {
                continue;
            }
            let hint = match nearest(name.get_ref(), asked.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", asked.join(", ")),
            };
            let message = format!("`{}` is not known here", name.get_ref());
            self.reader.error(name.span(), &self.path_of(name.get_ref()), message, Some(hint));
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Date and time of day as TOML has them, 00:00 where there is none; what lies in a zone is none of ours.
pub(crate) fn civil(text: &Datetime) -> Result<jiff::civil::DateTime, String> {
    let (Some(date), None) = (text.date, text.offset) else {
        return Err(format!("{text} is no day in the plan's zone"));
    };
    let small = |n: u8| i8::try_from(n).map_err(|_| format!("{text} is no day"));
    let year = i16::try_from(date.year).map_err(|_| format!("{text} is no day"))?;
    let day = Date::new(year, small(date.month)?, small(date.day)?).map_err(|e| e.to_string())?;
    Ok(match text.time {
        None => day.to_datetime(Time::midnight()),
        Some(time) => day.at(small(time.hour)?, small(time.minute)?, small(time.second.unwrap_or(0))?, 0),
    })
}

/// Hint for a word that must be one of a few.
pub(crate) fn one_of<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("use one of: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}
