//! A sheet as rows of cells, and the mistakes that are found in it, each at its row and column.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::columns::letter;
use super::merge::Merged;
use super::rows::Rows;
use crate::dialplan::report::Finding;

/// Most rows and columns that are read, and characters of a cell.
pub(super) const MOST: (usize, usize, usize) = (5_000, 100, 2_000);

/// A sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Name of its file, for messages.
    pub name: String,
    /// Rows that have a cell with something in it, by their number in the sheet, from 1; cells by their column, from 0.
    pub rows: BTreeMap<usize, BTreeMap<usize, Cell>>,
}

/// What is in a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// What was typed, without spaces around it; never empty.
    Text(String),
    /// A date of the office program.
    Date(DateTime),
    /// What cannot be read, and why.
    Bad(String),
}

impl Grid {
    /// An empty sheet.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rows: BTreeMap::new() }
    }

    /// Puts a text into a cell, without the spaces around it; nothing leaves it empty.
    pub(super) fn put(&mut self, row: usize, column: usize, text: &str) {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if !text.is_empty() {
            self.set(row, column, Cell::Text(text.to_owned()));
        }
    }

    pub(super) fn set(&mut self, row: usize, column: usize, cell: Cell) {
        self.rows.entry(row).or_default().insert(column, cell);
    }
}

/// A row and a column of the sheet.
pub(super) type Spot = (usize, usize);

/// What is wrong, in the order of the sheet. What stands at no row of it comes last.
pub(super) struct Mistakes<'g> {
    grid: &'g Grid,
    found: BTreeMap<(Spot, usize), Finding>,
}

/// A place behind all rows.
const NOWHERE: Spot = (usize::MAX, usize::MAX);

impl<'g> Mistakes<'g> {
    pub(super) fn new(grid: &'g Grid) -> Self {
        Self { grid, found: BTreeMap::new() }
    }

    /// Notes a mistake at a row and column; `head` is what stands over the column.
    pub(super) fn add(&mut self, spot: Spot, head: &str, message: String, hint: Option<String>) {
        let finding = Finding { file: self.grid.name.clone(), place: None, key: key(spot, head), message, hint };
        self.insert(spot, finding);
    }

    fn insert(&mut self, spot: Spot, finding: Finding) {
        self.found.insert((spot, self.found.len()), finding);
    }

    /// Notes what the plan's reader found, unless the same cell was complained of already.
    pub(super) fn add_unless_told(&mut self, spot: Option<Spot>, finding: Finding) {
        let told = |spot: Spot| self.found.range((spot, 0)..=(spot, usize::MAX)).next().is_some();
        if !spot.is_some_and(told) {
            self.insert(spot.unwrap_or(NOWHERE), finding);
        }
    }

    /// A finding about a line of the plan, told where the sheet has it.
    pub(super) fn at_its_row(&self, finding: Finding, merged: &Merged, rows: &Rows) -> (Option<Spot>, Finding) {
        let Some((spot, head)) = rows.spot_of(&finding.key, &merged.order) else { return (None, finding) };
        let here = Finding { file: self.grid.name.clone(), place: None, key: key(spot, head), ..finding };
        (Some(spot), here)
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.found.into_values().collect()
    }
}

fn key((row, column): Spot, head: &str) -> String {
    format!("row {row}, column {} {head}", letter(column)).trim_end().to_owned()
}
