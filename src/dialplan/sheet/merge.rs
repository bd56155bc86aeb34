//! Puts lines into the text of a plan: what is the same stays byte for byte, with the comments in and above it.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::columns::{COLUMNS, Form};
use super::moment;
use super::rows::{Cells, Rows, SheetLine, items};

/// A plan with other lines.
pub(super) struct Merged {
    pub(super) text: String,
    /// The numbers in the order of the text.
    pub(super) order: Vec<String>,
    pub(super) added: usize,
    pub(super) changed: usize,
    pub(super) removed: usize,
}

/// Why it cannot be done, and what to do.
type Why = (String, &'static str);

/// Where a line stands in the text: whole physical lines, and those of its parts.
struct Block {
    whole: Range<usize>,
    /// Its own keys end here, and each phase with what stands above it.
    parts: Vec<usize>,
}

pub(super) fn merge(text: &str, before: &Rows, rows: &Rows) -> Result<Merged, Why> {
    let blocks = blocks(text)?;
    let mut merged = Merged { text: String::new(), order: Vec::new(), added: 0, changed: 0, removed: 0 };
    let mut done = 0;
    for (block, old) in blocks.iter().zip(&before.lines) {
        let new = rows.lines.iter().find(|line| line.number() == old.number());
        let Some(new) = new else {
            merged.text.push_str(&text[done..above(text, block.whole.start)]);
            merged.removed += 1;
            done = block.whole.end;
            done += usize::from(text[done..].starts_with('\n'));
            continue;
        };
        merged.order.push(new.number().to_owned());
        if new.is(old) {
            continue;
        }
        merged.text.push_str(&text[done..block.whole.start]);
        merged.text.push_str(&rewritten(text, block, old, new));
        merged.changed += 1;
        done = block.whole.end;
    }
    let last = blocks.last().map_or(text.len(), |block| block.whole.end).max(done);
    merged.text.push_str(&text[done..last]);
    let is_old = |line: &&SheetLine| before.lines.iter().any(|old| old.number() == line.number());
    for line in rows.lines.iter().filter(|line| !is_old(line)) {
        merged.text.push('\n');
        merged.text.push_str(&head(line));
        merged.text.extend(line.phases.iter().map(|(_, cells)| phase(cells)));
        merged.order.push(line.number().to_owned());
        merged.added += 1;
    }
    merged.text.push_str(&text[last..]);
    Ok(merged)
}

/// The lines of a text, in their order.
fn blocks(text: &str) -> Result<Vec<Block>, Why> {
    let plan = DeTable::parse(text).map_err(|e| (e.message().to_owned(), "`yihao check` shows the place"))?;
    let plan = plan.get_ref();
    let Some(lines) = plan.get("line").and_then(|lines| lines.get_ref().as_array()) else { return Ok(Vec::new()) };
    let mut blocks: Vec<Block> = Vec::new();
    for line in lines.iter() {
        let apart = || {
            let why = "the lines of this plan do not stand as [[line]], each with its phases below it".to_owned();
            (why, "write them so once; the file can be kept by sheets from then on")
        };
        let (Some(table), true) = (line.get_ref().as_table(), text[line.span().start..].starts_with("[[")) else {
            return Err(apart());
        };
        let start = line_start(text, line.span().start);
        let mut parts = vec![line_end(text, line.span().end)];
        for (key, value) in table.iter().filter(|(key, _)| key.get_ref() != "phase") {
            parts[0] = parts[0].max(line_end(text, key.span().end.max(extent(value.get_ref(), &value.span()).end)));
        }
        let phases = table.get("phase").and_then(|phases| phases.get_ref().as_array());
        for phase in phases.into_iter().flat_map(|phases| phases.iter()) {
            parts.push(line_end(text, extent(phase.get_ref(), &phase.span()).end));
        }
        if !parts.is_sorted() || blocks.last().is_some_and(|before| before.whole.end > start) {
            return Err(apart());
        }
        blocks.push(Block { whole: start..parts.last().copied().unwrap_or(start), parts });
    }
    let inside = |span: &Range<usize>| blocks.iter().any(|block| block.whole.contains(&span.start));
    for (key, value) in plan.iter().filter(|(key, _)| key.get_ref() != "line") {
        let several = value.get_ref().as_array();
        let mut spans = several.into_iter().flat_map(|all| all.iter()).map(|one| one.span()).chain([key.span()]);
        if spans.any(|span| inside(&span)) {
            let why = format!("`{}` stands in the middle of a line", key.get_ref());
            return Err((why, "put it above or below all of the line"));
        }
    }
    Ok(blocks)
}

/// From where to where a value stands with all that is in it.
fn extent(value: &DeValue<'_>, span: &Range<usize>) -> Range<usize> {
    let mut whole = span.clone();
    let mut widen = |inner: Range<usize>| {
        whole.start = whole.start.min(inner.start);
        whole.end = whole.end.max(inner.end);
    };
    if let Some(table) = value.as_table() {
        for (key, value) in table {
            widen(key.span());
            widen(extent(value.get_ref(), &value.span()));
        }
    }
    if let Some(all) = value.as_array() {
        all.iter().for_each(|one| widen(extent(one.get_ref(), &one.span())));
    }
    whole
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// Where the comment begins that stands directly above a line; a ruler (`# ---`) is the heading of more than one.
fn above(text: &str, start: usize) -> usize {
    let mut at = start;
    while at > 0 {
        let before = line_start(text, at - 1);
        if !text[before..at].starts_with('#') || text[before..at].starts_with("# ---") {
            break;
        }
        at = before;
    }
    at
}

/// A line with the parts that changed; the others as they stand.
fn rewritten(text: &str, block: &Block, old: &SheetLine, new: &SheetLine) -> String {
    let mut written = match old.head == new.head {
        true => text[block.whole.start..block.parts[0]].to_owned(),
        false => head(new),
    };
    for (_, cells) in &new.phases {
        let same = old.phases.iter().position(|(_, before)| before == cells);
        match same.and_then(|nth| Some(*block.parts.get(nth)?..*block.parts.get(nth + 1)?)) {
            Some(range) => written.push_str(&text[range]),
            None => written.push_str(&phase(cells)),
        }
    }
    written
}

fn head(line: &SheetLine) -> String {
    format!("[[line]]\n{}", keys(&line.head))
}

fn phase(cells: &Cells) -> String {
    format!("\n[[line.phase]]\n{}", keys(cells))
}

/// The keys of a table, a line each; those of an inline table together.
fn keys(cells: &Cells) -> String {
    let mut written = String::new();
    let mut inline: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (place, text) in cells {
        let column = &COLUMNS[*place];
        let value = in_toml(column.form, text);
        match column.key.split_once('.') {
            None => written.push_str(&format!("{} = {value}\n", column.key)),
            Some((table, key)) => inline.entry(table).or_default().push(format!("{key} = {value}")),
        }
    }
    for (table, pairs) in inline {
        written.push_str(&format!("{table} = {{ {} }}\n", pairs.join(", ")));
    }
    written
}

fn in_toml(form: Form, text: &str) -> String {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    match form {
        Form::Text => quoted(text),
        Form::Number => text.to_owned(),
        Form::Date => moment::in_toml(text),
        Form::List => format!("[{}]", items(text).map(quoted).collect::<Vec<_>>().join(", ")),
        Form::Words(words) => quoted(words().iter().find(|(_, shown)| *shown == text).map_or(text, |(word, _)| *word)),
    }
}
