//! The lines of a plan as rows of a sheet, and rows of a sheet as lines: both come to the same cells, by which they are compared.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::columns::{COLUMNS, Column, Form, NAME, NUMBER, Part, index};
use super::grid::{Cell, Grid, Mistakes, Spot};
use super::moment;
use crate::dialplan::report::nearest;
use crate::dialplan::table::civil;

/// Between the texts of a list.
const BETWEEN: &str = "、";

/// Cells by the place of their column in [`COLUMNS`]; none is empty.
pub(super) type Cells = BTreeMap<usize, String>;

/// All lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// In the order of the file or the sheet.
    pub(super) lines: Vec<SheetLine>,
    /// Trunks of the plan, and those of each place outside.
    trunks: BTreeSet<String>,
    ways: BTreeMap<String, Vec<String>>,
    /// Where each column of [`COLUMNS`] stands in the sheet.
    places: BTreeMap<usize, usize>,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SheetLine {
    /// What every row of it says.
    pub(super) head: Cells,
    /// Its phases, each with its row in the sheet.
    pub(super) phases: Vec<(usize, Cells)>,
    /// Its first row in the sheet, and what could not be read there.
    row: usize,
    unread: BTreeSet<usize>,
}

impl SheetLine {
    pub(super) fn number(&self) -> &str {
        self.head.get(&NUMBER).map_or("", String::as_str)
    }

    /// Whether another line says the same, wherever it stands.
    pub(super) fn is(&self, other: &Self) -> bool {
        let phases = |line: &'_ Self| line.phases.iter().map(|(_, cells)| cells.clone()).collect::<Vec<_>>();
        self.head == other.head && phases(self) == phases(other)
    }
}

impl Rows {
    /// The lines of a plan.
    pub(super) fn of_plan(text: &str) -> Result<Self, String> {
        let plan: Table = text.parse().map_err(|_| "the plan is no TOML file".to_owned())?;
        let mut rows = Self::default();
        for trunk in tables(&plan, "trunk") {
            rows.trunks.extend(trunk.get("name").and_then(Value::as_str).map(str::to_owned));
        }
        for destination in tables(&plan, "destination") {
            let name = destination.get("name").and_then(Value::as_str).unwrap_or_default();
            let ways = tables(destination, "route");
            let ways = ways.filter_map(|route| route.get("trunk").and_then(Value::as_str).map(str::to_owned));
            rows.ways.insert(name.to_owned(), ways.collect());
        }
        for line in tables(&plan, "line") {
            let head = cells(line, Part::Line, "")?;
            let phases = tables(line, "phase").map(|phase| cells(phase, Part::Phase, "").map(|cells| (0, cells)));
            rows.lines.push(SheetLine { head, phases: phases.collect::<Result<_, String>>()?, ..SheetLine::default() });
        }
        Ok(rows)
    }

    /// As a sheet.
    pub(super) fn grid(&self) -> Grid {
        let mut grid = Grid::new("");
        for (place, column) in COLUMNS.iter().enumerate() {
            grid.put(1, place, column.name);
        }
        let mut row = 1;
        for line in &self.lines {
            for (_, phase) in &line.phases {
                row += 1;
                let trunks = self.trunks_of(phase).join(BETWEEN);
                let shown = index(Part::Shown, "trunk").map(|place| (place, trunks));
                for (place, text) in line.head.iter().chain(phase).map(|(p, t)| (*p, t.clone())).chain(shown) {
                    match (COLUMNS[place].form, moment::read(&text)) {
                        (Form::Date, Some(at)) => grid.set(row, place, Cell::Date(at)),
                        (Form::Date | Form::Text | Form::Number | Form::List | Form::Words(_), _) => {
                            grid.put(row, place, &text);
                        }
                    }
                }
            }
        }
        grid
    }

    /// The trunks over which the calls of a phase may go outside.
    fn trunks_of(&self, phase: &Cells) -> Vec<String> {
        let named = places_of(phase).filter_map(|name| self.ways.get(name));
        let mut trunks: Vec<String> = Vec::new();
        for trunk in named.flatten().filter(|trunk| !trunk.is_empty()) {
            if !trunks.contains(trunk) {
                trunks.push(trunk.clone());
            }
        }
        trunks
    }

    /// Reads a sheet whose lines are to take the place of those of a plan.
    pub(super) fn of_grid(grid: &Grid, plan: &Self, mistakes: &mut Mistakes<'_>) -> Self {
        let mut rows = Self { trunks: plan.trunks.clone(), ways: plan.ways.clone(), ..Self::default() };
        let mut numbered = grid.rows.iter();
        let Some((head_row, head)) = numbered.next() else {
            mistakes.add((1, 0), "", "the sheet is empty".to_owned(), Some("export the table first".to_owned()));
            return rows;
        };
        rows.read_head(*head_row, head, plan, mistakes);
        if !rows.places.contains_key(&NUMBER) {
            return rows;
        }
        for (row, cells) in numbered {
            rows.read_row(*row, cells, mistakes);
        }
        for line in &mut rows.lines {
            let from = index(Part::Phase, "from").unwrap_or(NUMBER);
            // Rows may have been sorted by another column.
            line.phases.sort_by_key(|(_, cells)| cells.get(&from).cloned());
        }
        rows
    }

    fn read_head(&mut self, row: usize, head: &BTreeMap<usize, Cell>, plan: &Self, mistakes: &mut Mistakes<'_>) {
        let names = || COLUMNS.iter().map(|column| column.name);
        for (at, cell) in head {
            let spot = (row, *at);
            let name = match cell {
                Cell::Text(name) => name,
                Cell::Bad(why) => {
                    mistakes.add(spot, "", why.clone(), None);
                    continue;
                }
                Cell::Date(_) => {
                    mistakes.add(spot, "", "a date stands where the name of a column is wanted".to_owned(), None);
                    continue;
                }
            };
            let Some(place) = names().position(|known| known == name) else {
                let hint = match nearest(name, names()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => {
                        format!("the first row has the names of columns: {}", names().collect::<Vec<_>>().join(" "))
                    }
                };
                mistakes.add(spot, name, format!("{name:?} is no column of the table of lines"), Some(hint));
                continue;
            };
            if self.places.insert(place, *at).is_some() {
                mistakes.add(spot, name, format!("the column {name} is there twice"), None);
            }
        }
        let used = |place: &usize| {
            plan.lines.iter().any(|l| l.head.contains_key(place) || l.phases.iter().any(|(_, c)| c.contains_key(place)))
        };
        for (place, column) in COLUMNS.iter().enumerate().filter(|(place, _)| !self.places.contains_key(place)) {
            let needed = [Some(NUMBER), Some(NAME), index(Part::Phase, "from"), index(Part::Phase, "mode")];
            if needed.contains(&Some(place)) || used(&place) {
                let message = format!("the column {} is missing", column.name);
                let hint = "export the table anew: without the column all that it says would be lost".to_owned();
                mistakes.add((row, head.len()), "", message, Some(hint));
            }
        }
    }

    fn read_row(&mut self, row: usize, cells: &BTreeMap<usize, Cell>, mistakes: &mut Mistakes<'_>) {
        let (mut head, mut phase, mut unread) = (Cells::new(), Cells::new(), BTreeSet::new());
        for (at, cell) in cells {
            let found = self.places.iter().find(|(_, column)| *column == at);
            let Some(place) = found.map(|(place, _)| *place) else {
                // A note beside the table is nobody's business, but a cell that is no text may hide one that is.
                if let Cell::Bad(why) = cell {
                    mistakes.add((row, *at), "", why.clone(), None);
                }
                continue;
            };
            let column = &COLUMNS[place];
            match value(column, cell) {
                Ok(text) if text.is_empty() => {}
                Ok(text) => match column.part {
                    Part::Line => drop(head.insert(place, text)),
                    Part::Phase | Part::Shown => drop(phase.insert(place, text)),
                },
                Err((message, hint)) => {
                    unread.insert(place);
                    mistakes.add((row, *at), column.name, message, hint);
                }
            }
        }
        self.check_trunks(row, &mut phase, mistakes);
        let line = SheetLine { head, phases: vec![(row, phase)], row, unread };
        self.join(line, mistakes);
    }

    /// Puts a row to its line.
    fn join(&mut self, new: SheetLine, mistakes: &mut Mistakes<'_>) {
        let SheetLine { head, phases, row, unread } = &new;
        let Some(number) = head.get(&NUMBER) else {
            if !unread.contains(&NUMBER) {
                let hint = "each row names its line, also where it stands below another phase of it".to_owned();
                let spot = (*row, self.places[&NUMBER]);
                mistakes.add(spot, COLUMNS[NUMBER].name, "the number is missing".to_owned(), Some(hint));
            }
            return;
        };
        let Some(line) = self.lines.iter_mut().find(|line| line.number() == number) else {
            self.lines.push(new);
            return;
        };
        for (place, text) in head {
            let before = line.head.get(place);
            if before == Some(text) || line.unread.contains(place) {
                continue;
            }
            let name = COLUMNS[*place].name;
            let says = before.map_or_else(|| "nothing".to_owned(), |before| format!("{before:?}"));
            let message = format!("{number} stands in row {} already, where {name} is {says}", line.row);
            let hint = "two lines cannot have one number, and all rows of a line say the same".to_owned();
            mistakes.add((*row, self.places[place]), name, message, Some(hint));
        }
        line.phases.extend_from_slice(phases);
    }

    /// The trunks are those of the place outside: they are checked, and taken from there.
    fn check_trunks(&self, row: usize, phase: &mut Cells, mistakes: &mut Mistakes<'_>) {
        let Some(place) = index(Part::Shown, "trunk") else { return };
        let Some(text) = phase.remove(&place) else { return };
        let spot = (row, self.places[&place]);
        let wanted = self.trunks_of(phase);
        let named: Vec<&str> = text.split(BETWEEN).collect();
        for name in named.iter().filter(|name| !self.trunks.contains(**name)) {
            let hint =
                nearest(name, self.trunks.iter().map(String::as_str)).map(|near| format!("did you mean {near:?}?"));
            let hint = hint.or_else(|| Some("trunks stand in the plan as [[trunk]]".to_owned()));
            mistakes.add(spot, COLUMNS[place].name, format!("there is no trunk {name:?}"), hint);
        }
        let named: BTreeSet<&str> = named.into_iter().collect();
        let mut places = places_of(phase);
        // A place that is not there is told by itself.
        let known =
            named.iter().all(|name| self.trunks.contains(*name)) && places.all(|name| self.ways.contains_key(name));
        if known && named != wanted.iter().map(String::as_str).collect() {
            let goes = if wanted.is_empty() { "no trunk".to_owned() } else { wanted.join(BETWEEN) };
            let message = format!("the calls of this row go out over {goes}, not over {text}");
            let hint =
                "a trunk is chosen by the place outside: change 去向, or the routes of its [[destination]]".to_owned();
            mistakes.add(spot, COLUMNS[place].name, message, Some(hint));
        }
    }

    /// The row and column that a key of the plan file stands for, with the column's head. `order`: the numbers as the file has
    /// its lines.
    pub(super) fn spot_of(&self, key: &str, order: &[String]) -> Option<(Spot, &'static str)> {
        let (nth, rest) = indexed(key, "line")?;
        let number = order.get(nth)?;
        let line = self.lines.iter().find(|line| line.number() == number)?;
        let (row, place) = match indexed(rest, "phase") {
            Some((nth, key)) => {
                (line.phases.get(nth)?.0, index(Part::Phase, plain(key)).or(index(Part::Phase, "from"))?)
            }
            None => (line.row, index(Part::Line, plain(rest)).unwrap_or(NUMBER)),
        };
        let column = self.places.get(&place).or(self.places.get(&NUMBER))?;
        Some(((row, *column), COLUMNS[place].name))
    }
}

/// The places outside that a phase names.
fn places_of(phase: &Cells) -> impl Iterator<Item = &String> {
    ["destination", "forward", "parallel"].into_iter().filter_map(|key| phase.get(&index(Part::Phase, key)?))
}

/// `line[2].phase[0].queue` with `line`: 2, and what follows the point.
fn indexed<'k>(key: &'k str, table: &str) -> Option<(usize, &'k str)> {
    let (nth, rest) = key.strip_prefix(table)?.strip_prefix('[')?.split_once(']')?;
    Some((nth.parse().ok()?, rest.trim_start_matches('.')))
}

/// A key without the place in its list: `notices[0]`.
fn plain(key: &str) -> &str {
    key.split('[').next().unwrap_or(key)
}

fn tables<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = &'t Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

/// The cells that a table of the plan file fills.
fn cells(table: &Table, part: Part, prefix: &str) -> Result<Cells, String> {
    let mut found = Cells::new();
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        if (part, key.as_str()) == (Part::Line, "phase") {
            continue;
        }
        if let Value::Table(inner) = value {
            found.extend(cells(inner, part, &format!("{key}."))?);
            continue;
        }
        let place = index(part, &key).ok_or_else(|| format!("the table of lines has no column for the key `{key}`"))?;
        let text = in_cell(&COLUMNS[place], value);
        if !text.is_empty() {
            found.insert(place, text);
        }
    }
    Ok(found)
}

/// A value of the plan file as its cell has it.
fn in_cell(column: &Column, value: &Value) -> String {
    match (column.form, value) {
        (Form::Words(words), Value::String(word)) => {
            words().iter().find(|(known, _)| known == word).map_or(word.clone(), |(_, shown)| (*shown).to_owned())
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Datetime(at)) => civil(at).map_or_else(|_| at.to_string(), moment::shown),
        (_, Value::Array(all)) => {
            all.iter().map(|one| one.as_str().unwrap_or_default()).collect::<Vec<_>>().join(BETWEEN)
        }
        (_, Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Table(_)) => value.to_string(),
    }
}

/// What a cell of the sheet says, as the plan's own cell would have it; or what is wrong with it, and a hint.
fn value(column: &Column, cell: &Cell) -> Result<String, (String, Option<String>)> {
    let text = match (column.form, cell) {
        (_, Cell::Bad(why)) => return Err((why.clone(), None)),
        (Form::Date, Cell::Date(at)) => return Ok(moment::shown(*at)),
        (Form::Text | Form::Number | Form::List | Form::Words(_), Cell::Date(at)) => {
            let hint = "format the column as text".to_owned();
            return Err((format!("the date {} stands where a text is wanted", moment::shown(*at)), Some(hint)));
        }
        (_, Cell::Text(text)) => text,
    };
    match column.form {
        Form::Text if column.key == "number" => Ok(text.chars().map(narrow).collect()),
        Form::Text => Ok(text.clone()),
        Form::List => Ok(items(text).collect::<Vec<_>>().join(BETWEEN)),
        Form::Date => moment::read(text).map(moment::shown).ok_or_else(|| {
            let hint = "write 2021-10-15, or 2021-10-15 08:30, or format the column as a date".to_owned();
            (format!("{text:?} is no day"), Some(hint))
        }),
        Form::Number => {
            let digits: String = text.chars().map(narrow).collect();
            let good = digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
            good.then_some(digits).ok_or_else(|| (format!("{text:?} is no whole number"), None))
        }
        Form::Words(words) => {
            let words = words();
            let found = words.iter().find(|(word, shown)| word == text || shown == text);
            found.map(|(_, shown)| (*shown).to_owned()).ok_or_else(|| {
                let shown = || words.iter().map(|(_, shown)| *shown);
                let hint = match nearest(text, shown()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("use one of: {}", shown().collect::<Vec<_>>().join(" ")),
                };
                (format!("{text:?} is nothing that stands under {}", column.name), Some(hint))
            })
        }
    }
}

/// The texts of a list, however they are set apart.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "、，,；;".contains(c)).filter(|item| !item.is_empty())
}

/// A digit as it is dialled: full-width ones look the same to people.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
        other => other,
    }
}
