//! All metrics in one table. Where one is counted, its name stands as text; a test compares both.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Falls into these buckets (upper bounds).
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// `yihao_`, what, unit; counters end in `_total`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it means, and for alarms what to do.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn histogram(name: &'static str, buckets: &'static [f64], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), help }
}

/// Seconds, from 50 us to 100 ms: what a turn of the control loop may take.
const TURN_SECONDS: &[f64] = &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1];

/// Every metric of the exchange, by name.
pub const METRICS: &[Metric] = &[
    counter("yihao_api_requests_total", "HTTP requests by status."),
    gauge("yihao_calls", "Calls in progress."),
    counter("yihao_calls_ended_total", "Calls that ended, by fate."),
    counter("yihao_capture_lost_total", "Copies of SIP messages that did not reach the collector's network."),
    counter(
        "yihao_healed_total",
        "Books of calls and seats that did not balance and were put right: a fault of ours, report it.",
    ),
    counter("yihao_invites_admitted_total", "New INVITEs that became a call in the ledger."),
    counter("yihao_invites_received_total", "New INVITEs received: admitted plus refused, exactly."),
    counter("yihao_invites_refused_total", "New INVITEs refused before admission, by trunk and reason."),
    counter("yihao_ledger_damaged_total", "Places in old ledger segments that could not be read. Check the disk."),
    counter("yihao_ledger_rows_lost_total", "Rows given up because neither disk nor memory had room. Free space."),
    counter("yihao_ledger_segments_total", "Ledger segments begun."),
    gauge(
        "yihao_ledger_short_of_space",
        "1 when the next ledger segment cannot be laid out. Free space or raise the bound now.",
    ),
    counter("yihao_ledger_write_errors_total", "Writes or syncs of the ledger that failed. Check the disk."),
    gauge("yihao_legs", "Legs that are alive."),
    counter("yihao_log_lines_lost_total", "Log lines given up because stderr was not read."),
    histogram("yihao_loop_turn_seconds", TURN_SECONDS, "Time of one turn of the control loop."),
    counter("yihao_media_frames_skipped_total", "Audio frames that a late media worker left out."),
    counter("yihao_media_ports_exhausted_total", "Times that no media port was free."),
    gauge("yihao_media_ports_free", "Media ports that are free and rested."),
    gauge("yihao_media_ports_in_use", "Media ports that legs hold."),
    counter("yihao_media_ports_pressed_total", "Media ports dealt out before their rest was over."),
    gauge(
        "yihao_media_workers_stalled",
        "Media workers that have not turned for a second: nobody in their calls hears anything. Look at the machine, restart.",
    ),
    gauge("yihao_recording_disk_full", "1 while the disk has too little room for recordings. Free space now."),
    counter("yihao_recording_failures_total", "Recordings that broke off. Check the disk."),
    counter("yihao_recording_sync_failures_total", "Syncs of recordings that failed. Check the disk."),
    counter(
        "yihao_registers_refused_total",
        "REGISTERs refused, by reason: too many of strangers in a second, no room, or a wrong password.",
    ),
    counter("yihao_retention_calls_total", "Records deleted because their time was over."),
    counter("yihao_retention_recordings_total", "Recordings deleted because their time was over."),
    gauge(
        "yihao_store_behind_seconds",
        "Age of the row that the database took last, or time for which it takes none; 0 when it has all.",
    ),
    gauge("yihao_store_behind_segments", "Ledger segments with rows behind the one that is copied."),
    counter("yihao_store_rows_total", "Ledger rows copied into the database."),
    counter("yihao_store_rows_unknown_total", "Ledger rows of another version that were passed over."),
    gauge("yihao_store_up", "1 while the database takes records. Calls go on without it."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn counted(dir: &Path, into: &mut BTreeSet<(String, &'static str)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                counted(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                for kind in ["counter", "gauge", "histogram"] {
                    for part in text.split(&format!("metrics::{kind}!(")).skip(1) {
                        let name = part.trim_start().strip_prefix('"').and_then(|p| p.split('"').next());
                        into.extend(name.map(|n| (n.to_owned(), kind)));
                    }
                }
            }
        }
    }

    #[test]
    fn every_metric_that_is_counted_stands_in_the_table_with_its_kind() {
        let mut used = BTreeSet::new();
        counted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        assert!(used.len() > 10, "the search finds what is counted");
        for (name, kind) in used {
            let metric =
                METRICS.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name} is not in the table"));
            let declared = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            assert_eq!(declared, kind, "{name}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_follows_the_naming_rule() {
        assert!(METRICS.is_sorted_by(|a, b| a.name < b.name));
        for metric in METRICS {
            assert!(metric.name.starts_with("yihao_") && metric.help.ends_with('.'), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        }
    }
}
