//! A sheet as a workbook (ECMA-376). Cells are written as texts and dates, never as formulas.

use std::io::Cursor;

use calamine::{DataRef, Reader, Xlsx};
use jiff::civil::{Date, Time};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};

use super::grid::{Cell, Grid, MOST};

/// Name of the sheet.
const NAME: &str = "热线";
/// Most bytes into which the parts of a workbook unpack, as its directory says: a table of lines has a hundredth.
const MOST_UNPACKED: u64 = 32 << 20;

/// Why a file is none, and what to do.
type Why = (String, &'static str);

pub(super) fn write(grid: &Grid) -> Vec<u8> {
    let mut workbook = Workbook::new();
    // The moment of writing would make two exports of one plan differ.
    let epoch = ExcelDateTime::from_ymd(2000, 1, 1).expect("a day that the format knows");
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&epoch));
    let sheet = workbook.add_worksheet();
    sheet.set_name(NAME).expect("a short name without marks");
    sheet.set_freeze_panes(1, 2).expect("a place inside the sheet");
    let head = Format::new().set_bold();
    for (row, (number, cells)) in (0_u32..).zip(&grid.rows) {
        for (column, cell) in cells {
            let column = u16::try_from(*column).expect("a sheet of ours has few columns");
            match cell {
                Cell::Text(text) | Cell::Bad(text) if *number == 1 => {
                    sheet.write_string_with_format(row, column, text, &head)
                }
                Cell::Text(text) | Cell::Bad(text) => sheet.write_string(row, column, text),
                Cell::Date(at) => {
                    let form = if at.time() == Time::midnight() { "yyyy-mm-dd" } else { "yyyy-mm-dd hh:mm:ss" };
                    sheet.write_datetime_with_format(row, column, in_excel(*at), &Format::new().set_num_format(form))
                }
            }
            .expect("a cell inside the sheet");
        }
    }
    for (column, width) in [(1_u16, 32.0), (2, 22.0), (10, 18.0), (11, 12.0), (12, 16.0)] {
        sheet.set_column_width(column, width).expect("a column of the sheet");
    }
    workbook.save_to_buffer().expect("memory takes all that is written")
}

fn in_excel(at: jiff::civil::DateTime) -> ExcelDateTime {
    let small = |n: i8| u8::try_from(n).unwrap_or_default();
    let date =
        ExcelDateTime::from_ymd(u16::try_from(at.year()).unwrap_or_default(), small(at.month()), small(at.day()));
    let time = |date: ExcelDateTime| date.and_hms(small(at.hour()).into(), small(at.minute()), small(at.second()));
    date.and_then(time).expect("dates of a plan lie between 1900 and 9999")
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Grid, Why> {
    unpacks_small(bytes)?;
    let hint = "save the sheet again in the office program as .xlsx, without a password, or as \"CSV UTF-8\"";
    let broken = |error: &dyn std::fmt::Display| (format!("that is no XLSX workbook: {error}"), hint);
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    let Some(sheet) = book.sheet_names().first().cloned() else {
        return Err(("the workbook has no sheet".to_owned(), hint));
    };
    let merged = book.merge_cells_by_sheet_name(&sheet).map_err(|error| broken(&error))?;
    let mut grid = Grid::new(name);
    let mut reader = book.worksheet_cells_reader(&sheet).map_err(|error| broken(&error))?;
    while let Some(cell) = reader.next_cell().map_err(|error| broken(&error))? {
        let (row, column) = cell.get_position();
        let (row, column) = (usize::try_from(row).unwrap_or(MOST.0) + 1, usize::try_from(column).unwrap_or(MOST.1));
        if row > MOST.0 || column >= MOST.1 {
            let why = format!("row {row} is beyond {} rows or {} columns", MOST.0, MOST.1);
            return Err((why, "keep only the lines; delete what stands far below or to the right"));
        }
        fill(&mut grid, (row, column), cell.get_value());
    }
    for area in merged {
        let at = |(row, column): (u32, u32)| (row as usize + 1, column as usize);
        let ((row, column), (last_row, last_column)) = (at(area.start), at(area.end));
        let spot = |row: usize, column: usize| format!("{}{row}", super::columns::letter(column.min(MOST.1)));
        let cells = format!("{} to {}", spot(row, column), spot(last_row, last_column));
        grid.set(row, column, Cell::Bad(format!("the cells {cells} are merged: a row says all of itself")));
    }
    Ok(grid)
}

fn fill(grid: &mut Grid, (row, column): (usize, usize), value: &DataRef<'_>) {
    match value {
        DataRef::Empty => {}
        DataRef::Int(n) => grid.put(row, column, &n.to_string()),
        // Office programs keep every number as one with a point; 12345 is written without.
        DataRef::Float(n) => grid.put(row, column, &n.to_string()),
        DataRef::Bool(b) => grid.put(row, column, if *b { "TRUE" } else { "FALSE" }),
        DataRef::String(text) => put(grid, (row, column), text),
        DataRef::SharedString(text) => put(grid, (row, column), text),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => put(grid, (row, column), text),
        DataRef::Error(error) => grid.set(row, column, Cell::Bad(format!("the formula here gives {error}"))),
        DataRef::DateTime(at) => {
            let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
            let small = |n: u8| i8::try_from(n).unwrap_or(-1);
            let date = Date::new(i16::try_from(year).unwrap_or(-1), small(month), small(day));
            let time = Time::new(small(hour), small(minute), small(second), 0);
            match (date, time) {
                (Ok(date), Ok(time)) if at.is_datetime() => {
                    // A fraction of a day hits no second exactly.
                    let up = jiff::ToSpan::seconds(i64::from(milli >= 500));
                    let moment = date.to_datetime(time).saturating_add(up);
                    grid.set(row, column, Cell::Date(moment));
                }
                (Ok(_) | Err(_), Ok(_) | Err(_)) => {
                    grid.set(row, column, Cell::Bad(format!("{} is formatted as a time and is no date", at.as_f64())));
                }
            }
        }
    }
}

fn put(grid: &mut Grid, (row, column): (usize, usize), text: &str) {
    if text.chars().count() > MOST.2 {
        return grid.set(row, column, Cell::Bad(format!("more than {} characters stand here", MOST.2)));
    }
    grid.put(row, column, text);
}

/// Refuses an archive whose directory (APPNOTE 4.3.12, 4.3.16) says that it unpacks into more than a table of lines can need.
fn unpacks_small(bytes: &[u8]) -> Result<(), Why> {
    let hint = "save the sheet again in the office program as .xlsx, without a password, or as \"CSV UTF-8\"";
    let broken = || ("that is no XLSX workbook".to_owned(), hint);
    let long = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let short = |at: usize| bytes.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let end = (0..bytes.len().saturating_sub(21)).rev().find(|at| bytes[*at..].starts_with(b"PK\x05\x06"));
    let end = end.ok_or_else(broken)?;
    let (count, first) = (short(end + 10).ok_or_else(broken)?, long(end + 16).ok_or_else(broken)?);
    let mut at = usize::try_from(first).map_err(|_| broken())?;
    let mut unpacked: u64 = 0;
    for _ in 0..count {
        if !bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
            return Err(broken());
        }
        unpacked += u64::from(long(at + 24).ok_or_else(broken)?);
        let lengths = [28, 30, 32].map(|offset| short(at + offset));
        let lengths: Option<usize> = lengths.into_iter().sum();
        at += 46 + lengths.ok_or_else(broken)?;
    }
    if unpacked <= MOST_UNPACKED {
        return Ok(());
    }
    Err((
        format!("the workbook unpacks into {unpacked} bytes; {MOST_UNPACKED} are read at most"),
        "keep only the lines",
    ))
}
