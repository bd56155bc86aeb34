//! Logs on stderr, for people or as one JSON object a line.
//!
//! Lines go over a bounded channel to a thread: a terminal or a journal that is not read must not stop the control
//! thread. When the channel is full, lines are given up and counted.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Lines that may wait for the thread.
const LINES: usize = 4096;
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter cannot be read.
    #[error("{0:?} is no log filter; write for example `info` or `warn,yihao::sip=debug`")]
    Filter(String),
    /// The thread cannot be started.
    #[error("cannot start the log thread: {0}")]
    Thread(#[from] io::Error),
    /// Logging has begun already.
    #[error("logging has begun already")]
    Twice,
    /// The address of the collector cannot be used.
    #[error("cannot send spans: {0}; name the collector as http://ADDRESS:PORT")]
    Collector(String),
    /// Spans are wanted, and this build cannot send them.
    #[error("this build sends no spans; build with `--features otel`")]
    NoOtlp,
}

/// Keeps the log thread; its end waits until the last lines are written.
#[derive(Debug)]
pub struct Logs {
    lines: SyncSender<Line>,
    #[cfg(feature = "otel")]
    _otlp: Option<super::otlp::Otlp>,
}

/// Begins to log: `filter` as in `RUST_LOG`. Spans of calls go to `collector`, where one is named. Hold the result until the
/// process ends.
///
/// # Errors
/// [`LogsError`] when the filter is wrong, logging has begun already, or spans cannot be sent.
pub fn init_logs(format: Format, filter: &str, collector: Option<&str>) -> Result<Logs, LogsError> {
    let filter = EnvFilter::try_new(filter).map_err(|_| LogsError::Filter(filter.to_owned()))?;
    #[cfg(not(feature = "otel"))]
    if collector.is_some() {
        return Err(LogsError::NoOtlp);
    }
    #[cfg(feature = "otel")]
    let otlp = collector.map(super::otlp::Otlp::begin).transpose()?;
    let (lines, written) = sync_channel(LINES);
    std::thread::Builder::new().name("yihao-log".into()).spawn(move || write_lines(&written, &mut io::stderr()))?;
    let writer = tracing_subscriber::fmt::layer().with_writer(ToThread(lines.clone()));
    let text = match format {
        Format::Human => writer.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => writer.event_format(Json).boxed(),
    };
    let registry = tracing_subscriber::registry().with(text.with_filter(filter));
    #[cfg(feature = "otel")]
    let registry = registry.with(otlp.as_ref().map(super::otlp::Otlp::layer));
    registry.try_init().map_err(|_| LogsError::Twice)?;
    Ok(Logs {
        lines,
        #[cfg(feature = "otel")]
        _otlp: otlp,
    })
}

impl Drop for Logs {
    fn drop(&mut self) {
        let (done, waiting) = sync_channel(1);
        if self.lines.try_send(Line::Last(done)).is_ok() {
            // Nobody may read stderr any more; then the lines are lost with the process.
            let _ = waiting.recv_timeout(LAST_LINES);
        }
    }
}

/// What the thread is sent.
enum Line {
    Text(Vec<u8>),
    /// All before it is written: say so.
    Last(SyncSender<()>),
}

fn write_lines(lines: &Receiver<Line>, out: &mut impl Write) {
    while let Ok(line) = lines.recv() {
        match line {
            // There is nobody left to tell when stderr is closed.
            Line::Text(text) => _ = out.write_all(&text),
            Line::Last(done) => _ = out.flush().map(|()| done.try_send(())),
        }
    }
}

/// Hands lines to the thread.
#[derive(Clone)]
struct ToThread(SyncSender<Line>);

impl Write for ToThread {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Line::Text(line.to_vec())).is_err() {
            metrics::counter!("yihao_log_lines_lost_total").increment(1);
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for ToThread {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One object a line: `time`, `level`, `target`, `message`, and the event's fields.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields(Map::new());
        fields.0.insert("time".into(), time.into());
        fields.0.insert("level".into(), event.metadata().level().as_str().into());
        fields.0.insert("target".into(), event.metadata().target().into());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_is_one_object_with_the_fields_of_the_event() {
        let (lines, written) = sync_channel(8);
        let subscriber = tracing_subscriber::fmt().event_format(Json).with_writer(ToThread(lines.clone())).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(call = 7, trunk = "telecom-1", up = false, "trunk \"down\"\nreally");
        });
        let (done, waiting) = sync_channel(1);
        lines.send(Line::Last(done)).unwrap();
        drop(lines);
        let mut out = Vec::new();
        write_lines(&written, &mut out);
        waiting.try_recv().expect("the end is reported after the lines");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "trunk \"down\"\nreally");
        assert_eq!((&line["level"], &line["call"], &line["up"]), (&"WARN".into(), &7.into(), &false.into()));
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{text}");
    }

    #[test]
    fn a_reader_that_stops_reading_never_stops_the_writer() {
        let (lines, _nobody_reads) = sync_channel(2);
        let mut writer = ToThread(lines);
        for _ in 0..100 {
            writer.write_all(b"line\n").unwrap();
        }
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let error = init_logs(Format::Human, "yihao=loud=er", None).unwrap_err();
        assert!(error.to_string().contains("yihao=loud=er"), "{error}");
    }
}
