//! Reads the folder of the working calendar from disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::outside;
use crate::dialplan::calendar::{self, CalendarFile};
use crate::dialplan::report::Report;
use crate::types::WorkCalendar;

/// Most files of a calendar: a century of years.
const MOST_FILES: usize = 100;
/// Largest file; a year takes 1 kB.
const MOST_BYTES: u64 = 1 << 20;

/// The files of a calendar in the order of their names; a folder that is not there has none.
///
/// # Errors
/// What cannot be read, and why.
pub(super) fn files(folder: &Path) -> Result<Vec<CalendarFile>, Report> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let name = folder.display().to_string();
    let mistake = |why: String| Report::of_file(&name, why, "name it as folders.calendar in the configuration");
    let entries = fs::read_dir(folder).map_err(|e| mistake(format!("the calendar cannot be read: {e}")))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|e| mistake(format!("the calendar cannot be read: {e}")))?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    if paths.len() > MOST_FILES {
        return Err(mistake(format!("{} files are no calendar: at most {MOST_FILES}", paths.len())));
    }
    paths.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> Result<CalendarFile, Report> {
    let name = path.display().to_string();
    let hint = "a file holds a year with its holidays; see dialplans/calendar/2026.toml";
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size > MOST_BYTES {
        return Err(Report::of_file(&name, format!("{size} bytes are no year: at most {MOST_BYTES}"), hint));
    }
    let text = outside::read(path).map_err(|why| Report::of_file(&name, format!("the calendar {why}"), hint))?;
    Ok(CalendarFile { name, text })
}

/// Reads and checks the calendar of a folder. There is one exactly when the report has no error.
pub fn read_calendar(folder: &Path) -> (Option<WorkCalendar>, Report) {
    match files(folder) {
        Ok(files) => calendar::read(&files),
        Err(report) => (None, report),
    }
}
