//! The one table: figure, floor, goal, measured, verdict.

use std::fmt;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Best {
    High,
    Low,
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    best: Best,
    floor: f64,
    goal: f64,
    value: f64,
    judged: bool,
}

impl Row {
    /// A figure with its floor and goal.
    pub(crate) fn new(name: &str, unit: &'static str, best: Best, (floor, goal): (f64, f64), value: f64) -> Self {
        Self { name: name.to_owned(), unit, best, floor, goal, value, judged: true }
    }

    /// A figure that depends on the machine more than on us, beside what it was on another one.
    pub(crate) fn for_orientation(self) -> Self {
        Self { judged: false, ..self }
    }

    fn verdict(&self) -> &'static str {
        let meets = |mark: f64| match self.best {
            Best::High => self.value >= mark,
            Best::Low => self.value <= mark,
        };
        if !self.judged {
            return "for orientation";
        }
        match (meets(self.goal), meets(self.floor)) {
            (true, _) => "goal",
            (false, true) => "floor",
            (false, false) => "BELOW FLOOR",
        }
    }
}

/// All figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a figure.
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a line below the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A part could not be measured.
    pub(crate) fn failed(&mut self, name: &str, error: &anyhow::Error) {
        self.notes.push(format!("NOT MEASURED {name}: {error:#}"));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        writeln!(f, "{:<width$}  {:>12} {:>12} {:>12}  verdict", "figure", "floor", "goal", "measured")?;
        for row in &self.rows {
            let shown = |value| figure(value, row.unit);
            let (floor, goal, value) = (shown(row.floor), shown(row.goal), shown(row.value));
            writeln!(f, "{:<width$}  {floor:>12} {goal:>12} {value:>12}  {}", row.name, row.verdict())?;
        }
        for note in &self.notes {
            writeln!(f, "* {note}")?;
        }
        Ok(())
    }
}

/// A figure with three digits that count, and its unit.
fn figure(value: f64, unit: &str) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2} M{unit}", value / 1e6),
        v if v >= 10_000.0 => format!("{:.0} k{unit}", value / 1e3),
        v if v >= 100.0 => format!("{value:.0} {unit}"),
        v if v >= 10.0 => format!("{value:.1} {unit}"),
        v if v >= 1.0 => format!("{value:.2} {unit}"),
        _ => format!("{value:.3} {unit}"),
    }
}
