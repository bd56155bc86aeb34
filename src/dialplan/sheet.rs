//! The table of lines as an office keeps it: a row for each line and phase, with columns in Chinese, as CSV or XLSX.
//!
//! A sheet holds what the `[[line]]` tables of a plan file hold and nothing else. It is read into the text of a plan, whose own
//! reader then judges it: so there is one set of rules, and every mistake is told at its row and column. Reads no disk.

mod columns;
mod csv;
mod grid;
mod merge;
mod moment;
mod rows;
mod xlsx;

use super::report::{Finding, Report};
use grid::Mistakes;
use rows::Rows;

pub use grid::{Cell, Grid};

/// Longest file that is read, bytes: ten times a city's.
pub const MOST_BYTES: usize = 1 << 20;

/// How a sheet is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// UTF-8 with a mark at its beginning, by which office programs know it; commas, lines end with CR LF.
    Csv,
    /// A workbook with one sheet.
    Xlsx,
}

/// A plan with the lines of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The whole text of the plan.
    pub text: String,
    /// Numbers that it had not.
    pub added: usize,
    /// Numbers of which something is different now.
    pub changed: usize,
    /// Numbers that it has no more.
    pub removed: usize,
    /// Numbers that are as they were, byte for byte.
    pub same: usize,
    /// What works and is probably not meant.
    pub warnings: Report,
}

impl Form {
    /// By the end of a file's name: `lines.csv`, `lines.xlsx`.
    pub fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        }
    }
}

/// Writes the lines of a plan that has no mistakes.
///
/// # Errors
/// The text is no plan whose lines stand as `[[line]]`.
pub fn export(name: &str, text: &str, form: Form) -> Result<Vec<u8>, Report> {
    let grid = Rows::of_plan(text).map_err(|why| Report::of_file(name, why, NO_PLAN))?.grid();
    Ok(match form {
        Form::Csv => csv::write(&grid),
        Form::Xlsx => xlsx::write(&grid),
    })
}

const NO_PLAN: &str = "`yihao check` says what is wrong with the plan";

/// Reads a CSV file: UTF-8, or GB18030 as office programs in China write it.
///
/// # Errors
/// What is wrong with the file as a whole.
pub fn read_csv(name: &str, bytes: &[u8]) -> Result<Grid, Report> {
    fits(name, bytes.len())?;
    csv::read(name, bytes).map_err(|(why, hint)| Report::of_file(name, why, hint))
}

/// Reads the first sheet of an XLSX file. For a process of its own: the parts of a workbook are unpacked and sized by what the
/// file itself says, which a hostile one can make larger than memory. The exchange opens none.
///
/// # Errors
/// What is wrong with the file as a whole.
pub fn read_xlsx(name: &str, bytes: &[u8]) -> Result<Grid, Report> {
    fits(name, bytes.len())?;
    xlsx::read(name, bytes).map_err(|(why, hint)| Report::of_file(name, why, hint))
}

/// Refuses a file that is longer than any table of lines, before anything of it is read.
///
/// # Errors
/// It is longer.
pub fn fits(name: &str, bytes: usize) -> Result<(), Report> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let why = format!("the file has {bytes} bytes, a table of lines has at most {MOST_BYTES}");
    Err(Report::of_file(name, why, "keep only the sheet with the lines, without pictures and empty rows"))
}

/// Puts the lines of a sheet in the place of those of a plan. Lines and phases that are the same stay byte for byte, with their
/// comments; so does all else. `check` reads a plan as it would be served.
///
/// # Errors
/// Every mistake, each at its row and column where it has one. Nothing is changed then.
pub fn import(grid: &Grid, plan: &str, check: &dyn Fn(&str) -> Report) -> Result<Imported, Report> {
    let mut mistakes = Mistakes::new(grid);
    let before = Rows::of_plan(plan).map_err(|why| Report::of_file(&grid.name, why, NO_PLAN))?;
    let rows = Rows::of_grid(grid, &before, &mut mistakes);
    let merged = merge::merge(plan, &before, &rows).map_err(|(why, hint)| Report::of_file(&grid.name, why, hint))?;
    // A cell that was not understood is missing in the text, and would be complained of a second time.
    let report = check(&merged.text);
    let here = |finding: Finding| mistakes.at_its_row(finding, &merged, &rows);
    let warnings = report.warnings.into_iter().map(here).map(|(_, finding)| finding).collect();
    let wrong: Vec<_> = report.errors.into_iter().map(here).collect();
    for (place, finding) in wrong {
        mistakes.add_unless_told(place, finding);
    }
    let errors = mistakes.into_findings();
    if !errors.is_empty() {
        return Err(Report { errors, warnings });
    }
    let same = rows.lines.len() - merged.added - merged.changed;
    let warnings = Report { errors: Vec::new(), warnings };
    let merge::Merged { text, added, changed, removed, .. } = merged;
    Ok(Imported { text, added, changed, removed, same, warnings })
}

#[cfg(test)]
mod tests;
