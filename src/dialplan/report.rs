//! What is wrong in a file that people write: place, mistake, hint. One manner for the plan, the configuration and the secrets.
//!
//! Knows no file format and reads no disk.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// All that was found in one or more files. Errors make a file unusable, warnings do not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Mistakes, in the order of the file where they were found by reading it.
    pub errors: Vec<Finding>,
    /// What works, and is probably not what was meant or is not served yet.
    pub warnings: Vec<Finding>,
}

/// One mistake or warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the file as it was given.
    pub file: String,
    /// Where in the file; `None` when it is about the whole file or about something that is absent.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Path of the value: `line[2].phase[0].queue`; empty for the whole file.
    pub key: String,
    /// What is wrong, in a sentence without full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A place in a text file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The whole line, without its end; a secret is never in here, see [`Source::hiding`].
    pub excerpt: String,
    /// Characters that are meant, at least 1, none beyond the end of the line.
    pub length: usize,
}

impl Report {
    /// Whether there is no error; warnings are allowed.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether there is neither error nor warning.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.warnings.is_empty()
    }

    /// Takes over what another file's report says.
    pub fn merge(&mut self, other: Report) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    /// A report with one error about a whole file.
    pub fn of_file(file: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let finding = Finding {
            file: file.to_owned(),
            place: None,
            key: String::new(),
            message: message.into(),
            hint: Some(hint.into()),
        };
        Self { errors: vec![finding], warnings: Vec::new() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.errors {
            writeln!(f, "error: {finding}")?;
        }
        for finding in &self.warnings {
            writeln!(f, "warning: {finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        let gutter = self.place.as_ref().map_or(1, |place| place.line.to_string().len());
        write!(f, "{:gutter$}--> {}", "", self.file)?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        match self.key.as_str() {
            "" => writeln!(f)?,
            key => writeln!(f, " ({key})")?,
        }
        if let Some(place) = &self.place {
            let before: usize = place.excerpt.chars().take(place.column - 1).map(cells).sum();
            let marked: usize = place.excerpt.chars().skip(place.column - 1).take(place.length).map(cells).sum();
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, "{} | {}", place.line, place.excerpt.replace('\t', " "))?;
            writeln!(f, "{:gutter$} | {:before$}{}", "", "", "^".repeat(marked.max(1)))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "{:gutter$} = hint: {hint}", "")?;
        }
        Ok(())
    }
}

/// Columns that a character takes on a terminal: two for Han characters and full-width forms (Unicode TR11, W and F).
fn cells(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE4F | 0xFF00..=0xFF60 => 2,
        0xFFE0..=0xFFE6 | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// A text with its name, from which places are made.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Name for messages.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
    /// Whether lines may be shown.
    hide: bool,
}

impl<'a> Source<'a> {
    /// A text whose lines may be shown.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text, hide: false }
    }

    /// A text with secrets: places have a line and a column, the excerpt is masked.
    pub fn hiding(name: &'a str, text: &'a str) -> Self {
        Self { name, text, hide: true }
    }

    /// The place of a range of bytes. A range beyond the text means its end.
    pub fn place(&self, span: Range<usize>) -> Place {
        let start = floor(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        let end = floor(self.text, span.end).clamp(start, line_end);
        let line_text = self.text[line_start..line_end].trim_end_matches('\r');
        let excerpt = match (self.hide, line_text.split_once('=')) {
            (false, _) => line_text.to_owned(),
            (true, Some((key, _))) if is_bare_key(key) => format!("{key}= (hidden)"),
            (true, Some(_) | None) => "(hidden)".to_owned(),
        };
        Place {
            line: self.text[..start].matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            length: self.text[start..end].chars().count().max(1),
            excerpt,
        }
    }
}

/// Whether a text is a key as TOML writes it without quotes, and not the middle of a secret over several lines.
fn is_bare_key(text: &str) -> bool {
    text.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// The nearest of the known words, when it is near enough to be a slip of the finger.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (word.chars().count() / 2).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_word_behind_han_characters() {
        let source = Source::new("x.toml", "a = 1\n# 市场 b = \"oops\"\n");
        let start = source.text.find("\"oops").expect("it is there");
        let place = source.place(start..start + 6);
        assert_eq!((place.line, place.column, place.length), (2, 10, 6));
        let finding =
            Finding { file: "x.toml".into(), place: Some(place), key: "b".into(), message: "no".into(), hint: None };
        let shown = finding.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[3], "2 | # 市场 b = \"oops\"");
        assert_eq!(lines[4], "  |            ^^^^^^", "two Han characters take four cells");
    }

    #[test]
    fn a_range_beyond_the_text_is_its_end() {
        let place = Source::new("x", "ab\ncd").place(99..120);
        assert_eq!((place.line, place.column, place.length), (2, 3, 1));
    }

    #[test]
    fn secrets_are_not_shown() {
        let place = Source::hiding("x", "password = \"geheim\"").place(11..19);
        assert_eq!(place.excerpt, "password = (hidden)");
        assert_eq!(Source::hiding("x", "ge heim=\"\"\"").place(0..1).excerpt, "(hidden)");
    }

    #[test]
    fn slips_find_the_word_that_was_meant() {
        assert_eq!(nearest("genral", ["general", "expert-12333"]), Some("general"));
        assert_eq!(nearest("12331", ["12333", "12315"]), Some("12333"));
        assert_eq!(nearest("unti", ["name", "unit"]), Some("unit"));
        assert_eq!(nearest("zzzzz", ["general"]), None);
    }
}
