//! A sheet as CSV. What begins like a formula is marked as text, so that no office program runs it.

use csv::{ReaderBuilder, Terminator, WriterBuilder};
use encoding_rs::{GB18030, UTF_8};

use super::columns::COLUMNS;
use super::grid::{Cell, Grid, MOST};
use super::moment;

/// What a cell with a formula begins with in one office program or another (OWASP, "CSV Injection").
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// By which office programs know UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a file is none, and what to do.
type Why = (String, &'static str);

pub(super) fn write(grid: &Grid) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(MARK.to_vec());
    for cells in grid.rows.values() {
        let row = (0..COLUMNS.len()).map(|column| cells.get(&column).map(text).unwrap_or_default());
        writer.write_record(row).expect("rows of one length are written to memory");
    }
    writer.into_inner().expect("memory takes all that is written")
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Date(at) => moment::shown(*at),
        Cell::Text(text) | Cell::Bad(text) if is_guarded(text) => format!("'{text}"),
        Cell::Text(text) | Cell::Bad(text) => text.clone(),
    }
}

/// Whether a text is written behind a mark: like a formula, or like something that was marked.
fn is_guarded(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Grid, Why> {
    let text = decoded(bytes)?;
    let delimiter = delimiter(&text);
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let mut grid = Grid::new(name);
    // Empty lines are passed over by the reader, and an office program counts them.
    let (mut row, mut expected) = (0, 1);
    for record in reader.records() {
        let record = record.map_err(|error| (format!("that is no CSV: {error}"), "export the sheet again as CSV"))?;
        let line = record.position().map_or(expected, csv::Position::line);
        row += 1 + usize::try_from(line.saturating_sub(expected)).unwrap_or(0);
        let inside: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
        expected = line + 1 + inside as u64;
        if row > MOST.0 || record.len() > MOST.1 {
            return Err((format!("row {row} is beyond {} rows or {} columns", MOST.0, MOST.1), "keep only the lines"));
        }
        for (column, cell) in record.iter().enumerate() {
            let bare = cell.strip_prefix('\'').filter(|rest| is_guarded(rest)).unwrap_or(cell);
            match cell.chars().count() > MOST.2 {
                true => grid.set(row, column, Cell::Bad(format!("more than {} characters stand here", MOST.2))),
                false => grid.put(row, column, bare),
            }
        }
    }
    Ok(grid)
}

/// The text of a file: UTF-8, or GB18030 with GBK and GB2312 in it.
fn decoded(bytes: &[u8]) -> Result<String, Why> {
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let hint = "save it in the office program as \"CSV UTF-8\"";
    if bytes.starts_with(b"PK") || bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        return Err(("that is a workbook, not CSV".to_owned(), "give it the name .xlsx, or save it as \"CSV UTF-8\""));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err(("the text is UTF-16 or no text at all".to_owned(), hint));
    }
    let of = |encoding: &'static encoding_rs::Encoding| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
    };
    let text = of(UTF_8).or_else(|| of(GB18030));
    text.ok_or_else(|| ("the text is neither UTF-8 nor GB18030".to_owned(), hint))
}

/// What stands between cells: the one of the three that the first row has most of.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |byte: &u8| head.bytes().filter(|b| b == byte).count();
    [b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',')
}
