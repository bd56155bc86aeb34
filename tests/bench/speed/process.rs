//! What a process costs, from outside: processor time as a whole and by thread, memory; and the machine it runs on.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

/// Processor time of a process so far, all threads, by the clock id that clock_getcpuclockid(3) computes.
pub(crate) fn time(pid: u32) -> Result<Duration> {
    const WHOLE_SCHEDULED: i32 = 2;
    let time = clock_gettime(ClockId::from_raw(!i32::try_from(pid)? << 3 | WHOLE_SCHEDULED))?;
    Ok(Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32))
}

/// Processor time of its living threads by name.
pub(crate) fn times_by_thread(pid: u32) -> Result<BTreeMap<String, Duration>> {
    let mut times: BTreeMap<String, Duration> = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = entry?.path();
        // A thread may end while we look.
        let (Ok(name), Ok(stat)) =
            (std::fs::read_to_string(task.join("comm")), std::fs::read_to_string(task.join("schedstat")))
        else {
            continue;
        };
        let ns = stat.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        *times.entry(name.trim_end().to_owned()).or_default() += Duration::from_nanos(ns);
    }
    Ok(times)
}

/// Ids of its living threads of a name.
pub(crate) fn threads(pid: u32, name: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let entry = entry?;
        if std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|own| own.trim_end() == name) {
            found.push(entry.file_name().to_string_lossy().parse()?);
        }
    }
    Ok(found)
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).context("no Rss")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
}

/// The machine in a line: processors, their name, load.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    format!("{cores} x {}, load {}", name.map_or("unknown processor", |(_, name)| name), load())
}

/// Load of the last minute.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
