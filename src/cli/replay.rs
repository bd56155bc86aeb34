//! `yihao replay`: runs a log of inputs again and shows the ladder, message by message.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::exchange::{Exchange, Input, Output};
use crate::journal::{End, Reader};
use crate::node::input_log::{Digest, Entry, Header, KIND, Record, parts_of, play, segment_path};
use crate::sip::endpoint;
use crate::sip::message::Message;
use crate::types::Mono;

/// Replay a log of inputs: the exchange does again, step by step, what it did then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  yihao replay var/inputs/1795000000-0001.inputs\n\n\
    Exit codes: 0 the replay did the same, 1 it left the way of the log or a check failed, 2 the log cannot be read.")]
pub struct Args {
    /// The first file of the log; the others of the same run are found beside it.
    file: PathBuf,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Print telephone numbers whole.
    #[arg(long)]
    show_numbers: bool,
    /// Print only the last lines of the ladder.
    #[arg(long, value_name = "LINES")]
    last: Option<usize>,
}

/// Runs the command.
///
/// # Errors
/// When the log cannot be read or standard output cannot be written.
pub fn run(args: &Args) -> Result<u8> {
    let mut replay = Replay::new(args);
    let outcome = replay.files(&args.file)?;
    replay.finish(outcome)
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    /// From this input on other outputs came than then.
    Differs(u64),
    /// A check of the books failed at this input.
    Broke(u64, String),
}

/// One line of the ladder.
#[derive(Debug, Serialize)]
struct Line {
    at_ms: u64,
    way: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    what: String,
}

#[derive(Debug, Serialize)]
struct Summary {
    inputs: u64,
    outcome: String,
    calls_left: usize,
}

struct Replay<'a> {
    args: &'a Args,
    inputs: u64,
    /// Digests of the log that were there and were right.
    compared: u64,
    begin: Option<Mono>,
    at_ms: u64,
    digest: Digest,
    lines: Vec<Line>,
    exchange: Option<Exchange>,
}

impl<'a> Replay<'a> {
    fn new(args: &'a Args) -> Self {
        let digest = Digest::default();
        Self { args, inputs: 0, compared: 0, begin: None, at_ms: 0, digest, lines: Vec::new(), exchange: None }
    }

    fn files(&mut self, first: &Path) -> Result<Outcome> {
        let mut path = first.to_owned();
        let mut expected = None;
        loop {
            let outcome = self.file(&path, expected)?;
            let next = parts_of(&path)
                .map(|(run, n)| (n + 1, segment_path(path.parent().unwrap_or(Path::new("")), &run, n + 1)));
            match next {
                Some((n, next)) if outcome == Outcome::Same && next.is_file() => (path, expected) = (next, Some(n)),
                Some(_) | None => return Ok(outcome),
            }
        }
    }

    fn file(&mut self, path: &Path, expected: Option<u32>) -> Result<Outcome> {
        let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let mut reader = Reader::new(BufReader::new(file), KIND).with_context(|| format!("{}", path.display()))?;
        let header = reader.next_chunk()?.with_context(|| format!("{} is empty", path.display()))?;
        let header: Header = serde_json::from_slice(header).context("the header of the log cannot be understood")?;
        match expected {
            None if header.segment != 1 => {
                bail!("begin with the first file of the run; this is number {}", header.segment)
            }
            None => self.exchange = Some(header.build()?),
            Some(expected) if header.segment != expected => bail!("file {expected} of the run is missing"),
            Some(_) => {}
        }
        while let Some(chunk) = reader.next_chunk()? {
            let record: Record<'_> =
                serde_json::from_slice(chunk).context("an input of the log cannot be understood")?;
            if let Some(outcome) = self.step(&header, record)? {
                return Ok(outcome);
            }
        }
        if reader.end() == Some(End::Corrupt) {
            bail!("{} is damaged after input {}", path.display(), self.inputs);
        }
        Ok(Outcome::Same)
    }

    fn step(&mut self, header: &Header, record: Record<'_>) -> Result<Option<Outcome>> {
        let begin = *self.begin.get_or_insert(record.at.mono);
        self.at_ms = u64::try_from(record.at.mono.since(begin).as_millis()).unwrap_or(u64::MAX);
        if record.before != 0 && record.before != self.digest.value() {
            return Ok(Some(Outcome::Differs(self.inputs)));
        }
        self.compared += u64::from(record.before != 0);
        self.inputs += 1;
        self.show_entry(&record.entry)?;
        let Some(exchange) = self.exchange.as_mut() else { bail!("the log has no beginning") };
        let mut out = Vec::new();
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            play(exchange, header, record.at, record.entry, &mut out)?;
            exchange.center().check();
            Ok::<_, anyhow::Error>(())
        }));
        let broke = match played {
            Ok(played) => played.map(|()| None)?,
            Err(panic) => Some(Outcome::Broke(self.inputs, words_of(&*panic))),
        };
        self.digest.take(&out);
        for output in &out {
            self.show_output(output)?;
        }
        Ok(broke)
    }

    fn show_entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        match entry {
            Entry::Input(input) => match input.as_ref() {
                Input::Sip(endpoint::Input::Message { flow, bytes }) => {
                    self.show("<", Some(flow.remote.to_string()), summary(bytes.clone()))
                }
                Input::Sip(input) => self.show("<", None, format!("{input:?}")),
                Input::Media(event) => self.show("<", None, format!("{event:?}")),
                Input::Command(command) => self.show("<", None, format!("{command:?}")),
                Input::Tick => Ok(()),
            },
            Entry::Plan { plan, .. } => self.show("<", None, format!("new plan {}", plan.name)),
            Entry::Unregister => self.show("<", None, "unregister".to_owned()),
            Entry::EndAll => self.show("<", None, "end all legs".to_owned()),
        }
    }

    fn show_output(&mut self, output: &Output) -> Result<()> {
        match output {
            Output::Send(transmit) => {
                self.show(">", Some(transmit.hop.remote.to_string()), summary(transmit.bytes.clone()))
            }
            Output::Ledger(row) => self.show("#", None, format!("{} {:?}", row.call, row.event)),
            Output::Media(command) => self.show(">", None, format!("{command:?}")),
            Output::Close(_) | Output::Resolve { .. } | Output::Seat(_) | Output::Reply { .. } => {
                self.show(">", None, format!("{output:?}"))
            }
        }
    }

    fn show(&mut self, way: &'static str, peer: Option<String>, what: String) -> Result<()> {
        let what = if self.args.show_numbers { what } else { mask(&what) };
        let line = Line { at_ms: self.at_ms, way, peer, what };
        match self.args.last {
            None => self.print(&line),
            Some(last) => {
                self.lines.push(line);
                if self.lines.len() > 2 * last.max(1) {
                    self.lines.drain(..self.lines.len() - last);
                }
                Ok(())
            }
        }
    }

    fn print(&self, line: &Line) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.args.json {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        } else {
            let peer = line.peer.as_deref().unwrap_or("");
            writeln!(out, "{:>10} {} {peer:<22} {}", line.at_ms, line.way, line.what)?;
        }
        Ok(())
    }

    fn finish(mut self, outcome: Outcome) -> Result<u8> {
        let lines = std::mem::take(&mut self.lines);
        let skip = lines.len().saturating_sub(self.args.last.unwrap_or(0));
        for line in lines.iter().skip(skip) {
            self.print(line)?;
        }
        let said = match &outcome {
            Outcome::Same if self.compared == 0 => "no check failed; the log has no digests to compare with".to_owned(),
            Outcome::Same => format!("the replay did the same as the log says ({} digests compared)", self.compared),
            Outcome::Differs(at) => format!("the replay left the way of the log with input {at}"),
            Outcome::Broke(at, why) => format!("at input {at} a check failed: {why}"),
        };
        // A state that a check has found broken is not asked any more.
        let calls_left = match &outcome {
            Outcome::Same | Outcome::Differs(_) => self.exchange.as_ref().map_or(0, |e| e.center().calls()),
            Outcome::Broke(..) => 0,
        };
        let mut out = std::io::stdout().lock();
        if self.args.json {
            let summary = Summary { inputs: self.inputs, outcome: said, calls_left };
            writeln!(out, "{}", serde_json::to_string(&summary)?)?;
        } else {
            writeln!(out, "{} inputs; {said}; {calls_left} calls left", self.inputs)?;
        }
        Ok(u8::from(outcome != Outcome::Same))
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without words").to_owned()
}

/// A message in a few words: the first line, what it answers, and the beginning of its Call-ID.
fn summary(bytes: bytes::Bytes) -> String {
    let size = bytes.len();
    let Ok(message) = Message::parse(bytes) else { return format!("{size} bytes that are no SIP message") };
    let call: String = message.call_id().chars().take(8).collect();
    let with = if message.body().is_empty() { "" } else { " +body" };
    match message.status() {
        Some(status) => format!("{status} {} ({}){with} [{call}]", message.reason(), message.method().as_str()),
        None => format!("{} {}{with} [{call}]", message.method().as_str(), message.request_uri_text()),
    }
}

/// Digits in a row from which on they are taken for somebody's number; lines and seats are shorter.
const MASKED_FROM: usize = 7;

/// Hides the middle of telephone numbers.
fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let (digits, after) = from.split_at(from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len()));
        out.push_str(before);
        if digits.len() < MASKED_FROM {
            out.push_str(digits);
        } else {
            out.push_str(&digits[..3]);
            out.extend(std::iter::repeat_n('*', digits.len() - 5));
            out.push_str(&digits[digits.len() - 2..]);
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_masked_and_lines_are_not() {
        assert_eq!(mask("INVITE sip:12345@h from 13800138000 on l20"), "INVITE sip:12345@h from 138******00 on l20");
        assert_eq!(mask("08162250857"), "081******57");
        assert_eq!(mask("no digits"), "no digits");
    }
}
