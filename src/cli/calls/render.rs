//! Calls as tables for people.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::store::calls::{CallRecord, Offer, Segment, Step, Timeline, Wait};
use crate::types::{CallEvent, Cause, Decision, Fate, Origin, StreamReport, TransferEnd};

const HEADINGS: [&str; 9] = ["CALL", "ARRIVED", "LINE", "CALLER", "FROM", "WAITED", "TALKED", "SEAT", "FATE"];

/// A list of calls, a line each, with a heading.
pub fn list(calls: &[CallRecord], zone: &TimeZone) -> String {
    if calls.is_empty() {
        return "No calls are recorded that match.\n".to_owned();
    }
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(calls.iter().map(|call| row(call, zone)));
    let mut widths = [0; HEADINGS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - columns(cell) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn row(call: &CallRecord, zone: &TimeZone) -> [String; HEADINGS.len()] {
    // Until a person answered, or the end came without.
    let waited = call.queued_at.and_then(|from| Some(call.answered_at.or(call.ended_at)? - from));
    let talked = call.answered_at.and_then(|from| Some(call.ended_at? - from));
    [
        call.id.clone(),
        time(call.arrived_at, zone, "%Y-%m-%d %H:%M:%S"),
        call.line.clone(),
        caller(call).to_owned(),
        call.source.clone(),
        waited.map(minutes).unwrap_or_default(),
        talked.map(minutes).unwrap_or_default(),
        call.seat.map(|s| s.to_string()).unwrap_or_default(),
        fate(call),
    ]
}

fn caller(call: &CallRecord) -> &str {
    if call.calling_private {
        return "private";
    }
    call.calling_number.as_deref().unwrap_or("unknown")
}

fn fate(call: &CallRecord) -> String {
    match (&call.fate, &call.cause) {
        (Some(fate), Some(cause)) => format!("{} ({})", words(fate), words(cause)),
        (Some(fate), None) => words(fate),
        (None, _) => "in progress".to_owned(),
    }
}

/// One call: what it was, then a line for each step with the time since its arrival.
pub fn timeline(found: &Timeline, recordings: &Path, zone: &TimeZone) -> String {
    let call = &found.call;
    let mut out = String::new();
    put(&mut out, format_args!("Call {}: {} on line {}", call.id, fate(call), call.line));
    put(&mut out, format_args!("  from      {} over {}", caller(call), call.source));
    put(&mut out, format_args!("  arrived   {}", time(call.arrived_at, zone, "%Y-%m-%d %H:%M:%S %:z")));
    if let Some(seat) = call.seat {
        let agent = call.agent.map(|agent| format!(", agent {agent}")).unwrap_or_default();
        put(&mut out, format_args!("  seat      {seat}{agent}"));
    }
    if let Some(result) = &call.result {
        put(&mut out, format_args!("  result    {result}"));
    }
    if let Some(linked) = &call.linked {
        put(&mut out, format_args!("  belongs   to {linked}"));
    }
    if let Some(since) = call.hold_at {
        let (by, why) = (call.hold_by.as_deref().unwrap_or(""), call.hold_why.as_deref().unwrap_or(""));
        put(&mut out, format_args!("  held      since {} by {by}: {why}", time(since, zone, "%Y-%m-%d")));
    }
    for recording in &found.recordings {
        put(&mut out, format_args!("  recording {}", recordings.join(&recording.file).display()));
        put(&mut out, format_args!("            yihao recording export {} --to {}.wav", call.id, call.id));
    }
    waiting(&mut out, found, zone);
    parties(&mut out, &found.segments);
    out.push('\n');
    for step in &found.steps {
        let since = (step.at - call.arrived_at) as f64 / 1000.0;
        let line = format!("  {}  {since:>+9.3} s  {}", time(step.at, zone, "%H:%M:%S%.3f"), told(step));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Why the caller waited: each queue, and whom it rang with what reason and result.
fn waiting(out: &mut String, found: &Timeline, zone: &TimeZone) {
    for Wait { queue, since, ended_at, outcome, .. } in &found.waits {
        let how_long = ended_at.map_or_else(|| "still waiting".to_owned(), |end| minutes(end - since));
        let outcome = outcome.as_deref().map(words).unwrap_or_default();
        put(out, format_args!("  waited    {how_long} in {queue}, {outcome}"));
        let until = ended_at.unwrap_or(i64::MAX);
        let here =
            |offer: &&Offer| offer.queue.as_deref() == Some(queue) && (*since..=until).contains(&offer.offered_at);
        for offer in found.offers.iter().filter(here) {
            let outcome = offer.outcome.as_deref().map_or_else(|| "open".to_owned(), words);
            let agent = offer.agent.map(|agent| format!(", agent {agent}")).unwrap_or_default();
            let rang =
                offer.ended_at.map(|end| format!(" after {}", minutes(end - offer.offered_at))).unwrap_or_default();
            let at = time(offer.offered_at, zone, "%H:%M:%S");
            put(out, format_args!("    {at}  seat {}{agent}: {outcome}{rang}{}", offer.seat, reason(offer)));
        }
    }
}

/// Why the queue chose this seat. What a later version wrote is shown as it stands.
fn reason(offer: &Offer) -> String {
    let Some(text) = &offer.decision else { return String::new() };
    let Ok(decision) = serde_json::from_str::<Decision>(text) else { return format!("; {text}") };
    let mut said = format!("; {} of {}", words(decision.choice.as_str()), seats(decision.candidates));
    let first: Vec<String> = decision.first.iter().map(|seat| seat.0.to_string()).collect();
    if !first.is_empty() {
        said.push_str(&format!(
            " ({}{})",
            first.join(", "),
            if decision.candidates as usize > first.len() { ", ..." } else { "" }
        ));
    }
    said.push_str(&format!(", level {}, priority {}", decision.level.get(), decision.priority));
    if decision.step > 0 {
        said.push_str(&format!(", widened to step {} ({})", decision.step, decision.pool));
    }
    said.push_str(&format!(", {} others waited", decision.waiting));
    said
}

fn seats(count: u32) -> String {
    if count == 1 { "1 free seat".to_owned() } else { format!("{count} free seats") }
}

/// Who took part, and how well it was heard.
fn parties(out: &mut String, segments: &[Segment]) {
    for segment in segments {
        let who = match (&segment.seat, &segment.number) {
            (Some(seat), _) => format!("seat {seat}"),
            (None, Some(_)) | (None, None) => segment.party.clone(),
        };
        let over = segment.trunk.as_ref().map(|trunk| format!(" over {trunk}")).unwrap_or_default();
        let talked = segment.answered_at.zip(segment.ended_at).map(|(from, to)| format!(", {}", minutes(to - from)));
        let cause = segment.cause.as_deref().map(|cause| format!(", {}", words(cause))).unwrap_or_default();
        let talked = talked.unwrap_or_default();
        put(out, format_args!("  party     {}: {who}{over}{talked}{cause}", segment.leg));
        if let Some(audio) = audio(segment) {
            put(out, format_args!("            {audio}"));
        }
    }
}

/// A row in words.
pub(in crate::cli) fn event(event: &CallEvent) -> String {
    format!("{:<16}{}", words(event.as_str()), particulars(event))
}

/// What a leg spoke and how well it was heard; nothing without a report.
fn audio(segment: &Segment) -> Option<String> {
    let received = segment.received?;
    let ms = |us: Option<i64>| us.filter(|us| *us > 0).map(|us| us as f64 / 1_000.0);
    let mut said = segment.codec.clone().unwrap_or_else(|| "no codec".to_owned());
    if let Some(mos) = segment.mos_x100.filter(|mos| *mos > 0) {
        said.push_str(&format!(", MOS {:.2}", mos as f64 / 100.0));
    }
    said.push_str(&format!(", {received} received, {} sent", segment.sent.unwrap_or(0)));
    said.push_str(&format!(", {} lost, {} late", segment.lost.unwrap_or(0), segment.late.unwrap_or(0)));
    if let Some(jitter) = ms(segment.jitter_us) {
        said.push_str(&format!(", jitter {jitter:.1} ms"));
    }
    if let Some(loss) = segment.remote_loss.filter(|loss| *loss > 0) {
        said.push_str(&format!(", {:.2} % lost on the way there", loss as f64 / 100.0));
    }
    if let Some(round_trip) = ms(segment.round_trip_us) {
        said.push_str(&format!(", round trip {round_trip:.1} ms"));
    }
    Some(said)
}

/// A step in words. What a later version wrote is shown as it stands.
fn told(step: &Step) -> String {
    match serde_json::from_value(step.body.clone()) {
        Ok(row) => event(&row),
        Err(_) => format!("{:<16}{}", words(&step.kind), step.body),
    }
}

/// The word of a value with a closed list of words, with spaces.
fn word(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(|text| text.replace('_', " ")));
    text.unwrap_or_default()
}

fn particulars(event: &CallEvent) -> String {
    match event {
        CallEvent::Arrived { origin: Origin::Trunk(_), from, called, mode: Some(mode), .. } => {
            format!("{called} ({mode}) over trunk {from}")
        }
        CallEvent::Arrived { origin: Origin::Trunk(_), from, called, .. } => format!("{called} over trunk {from}"),
        CallEvent::Arrived { origin: Origin::Seat(_), from, called, .. } => format!("{called} from seat {from}"),
        CallEvent::Greeted { prompt } => prompt.clone(),
        CallEvent::AnsweredByExchange => String::new(),
        CallEvent::Marked { mark } => mark.to_string(),
        CallEvent::Queued { queue, ahead, serving } => format!("{queue}, {ahead} before it, {serving} seats serving"),
        CallEvent::Widened { step } => format!("step {step}: more seats may serve it"),
        CallEvent::Announced { position, minutes: Some(minutes) } => format!("position {position}, {minutes} min"),
        CallEvent::Announced { position, minutes: None } => format!("position {position}"),
        CallEvent::Overflowed { from, to, why } => {
            format!("{from} to {}, {}", to.as_deref().unwrap_or("the overflow prompt"), word(why))
        }
        CallEvent::Wish { kind, file } => match file {
            Some(file) => format!("{}, {file}", word(kind)),
            None => word(kind),
        },
        CallEvent::Placed { seat, line: Some(line), .. } => format!("by seat {} as {line}", seat.0),
        CallEvent::Placed { seat, line: None, .. } => format!("by seat {}", seat.0),
        CallEvent::Dialled { trunk: Some(trunk), destination: Some(to), .. } => format!("{to} over trunk {trunk}"),
        CallEvent::Dialled { trunk: Some(trunk), .. } => format!("over trunk {trunk}"),
        CallEvent::Dialled { trunk: None, .. } => "to a seat".to_owned(),
        CallEvent::Result { seat, code, .. } => format!("{code} by seat {}", seat.0),
        CallEvent::Healed { what } => word(what),
        CallEvent::Offered { seat, decision: None, .. } => format!("to seat {}", seat.0),
        CallEvent::Offered { seat, decision: Some(why), .. } => format!(
            "to seat {}, {} of {} ({}, level {}, step {})",
            seat.0,
            word(&why.choice),
            why.candidates,
            why.pool,
            why.level.get(),
            why.step
        ),
        CallEvent::Ringing { offer } => format!("offer {}", offer.0),
        CallEvent::OfferEnded { cause, .. } => cause_words(*cause),
        CallEvent::AnsweredOutside { destination, .. } => format!("by {destination}"),
        CallEvent::Talking { seat, .. } => format!("with seat {}", seat.0),
        CallEvent::TransferBegun { seat, to, how, reason, .. } => {
            let why = reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
            format!("to {to} by seat {}, {}{why}", seat.0, how.as_str())
        }
        CallEvent::TransferAnswered { leg } => format!("by {leg}"),
        CallEvent::TransferJoined => String::new(),
        CallEvent::TransferEnded { end: TransferEnd::Failed { cause } } => format!("failed, {}", cause_words(*cause)),
        CallEvent::TransferEnded { end } => end.as_str().replace('_', " "),
        CallEvent::Supervised { seat, how: Some(how), .. } => format!("{} by seat {}", how.as_str(), seat.0),
        CallEvent::Supervised { seat, how: None, .. } => format!("no more by seat {}", seat.0),
        CallEvent::Held { leg, held } => format!("{} {leg}", if *held { "by" } else { "no more by" }),
        CallEvent::Digit { leg, digit } => match digit {
            Some(digit) => format!("{} by {leg}", digit.0),
            None => format!("by {leg}"),
        },
        CallEvent::Recording { file } => file.clone(),
        CallEvent::RecordingFailed { why } => why.clone(),
        CallEvent::LegEnded { leg, cause, status } => match status {
            Some(status) => format!("{leg}, {} ({status})", cause_words(*cause)),
            None => format!("{leg}, {}", cause_words(*cause)),
        },
        CallEvent::Quality { leg, report } => format!("{leg}, {}", quality(report)),
        CallEvent::Ended { fate } => match fate {
            Fate::Answered { seat } => format!("answered by seat {}", seat.0),
            Fate::AnsweredOutside => "answered outside".to_owned(),
            Fate::UnansweredOutside { cause } => format!("nobody outside answered, {}", cause_words(*cause)),
            Fate::Refused { cause } => format!("refused, {}", cause_words(*cause)),
            Fate::Failed { cause } => format!("failed, {}", cause_words(*cause)),
            Fate::AbandonedInGreeting => "abandoned in greeting".to_owned(),
            Fate::AbandonedInQueue => "abandoned in queue".to_owned(),
            Fate::AbandonedInRing => "abandoned in ring".to_owned(),
            Fate::Overflowed => "overflowed".to_owned(),
            Fate::LeftWish => "left a wish".to_owned(),
            Fate::Served => "served".to_owned(),
            Fate::Reached { .. } => "reached".to_owned(),
            Fate::NotReached { cause } => format!("not reached, {}", cause_words(*cause)),
            Fate::CutByRestart => "cut by restart".to_owned(),
            Fate::CutByDrain => "cut by drain".to_owned(),
        },
    }
}

fn quality(report: &StreamReport) -> String {
    let score = f64::from(report.mos_x100) / 100.0;
    let jitter_ms = f64::from(report.jitter_us) / 1000.0;
    format!(
        "MOS {score:.2}, {} received, {} sent, {} lost, {} late, jitter {jitter_ms:.1} ms",
        report.received, report.sent, report.lost, report.late
    )
}

fn cause_words(cause: Cause) -> String {
    words(cause.as_str())
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a String takes every text");
}

fn time(ms: i64, zone: &TimeZone, format: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(at) => at.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// `0:05`, `12:34`, `1:02:03`.
fn minutes(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
}

/// Columns of a terminal that a text takes: two for Chinese, Japanese and Korean (the wide blocks of UAX 11).
fn columns(text: &str) -> usize {
    let wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}');
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::calls::RecordingRecord;

    fn call() -> CallRecord {
        CallRecord {
            id: "c30117452718080001".into(),
            deployment: "mianyang".into(),
            origin: "trunk".into(),
            source: "telecom-1".into(),
            line: "12315".into(),
            calling_number: Some("13800138000".into()),
            calling_raw: "+8613800138000".into(),
            calling_display: String::new(),
            calling_private: false,
            sip_call_id: "x".into(),
            arrived_at: 1_795_000_000_000,
            greeted_at: Some(1_795_000_000_010),
            queued_at: Some(1_795_000_004_000),
            answered_at: Some(1_795_000_009_500),
            ended_at: Some(1_795_003_731_500),
            queue: Some("general".into()),
            seat: Some(8001),
            fate: Some("answered".into()),
            cause: None,
            recording: Some("2026-11-18/c30117452718080001".into()),
            ..CallRecord::default()
        }
    }

    fn offer(seat: i64, from: i64, to: i64, outcome: &str) -> Offer {
        let decision = r#"{"choice":"longest_idle","pool":"general","level":5,"step":0,"priority":1,"waited_ms":4100,
                           "candidates":3,"first":[8002,8001],"waiting":2}"#;
        Offer {
            queue: Some("general".into()),
            seat,
            offered_at: 1_795_000_000_000 + from,
            ended_at: Some(1_795_000_000_000 + to),
            outcome: Some(outcome.into()),
            decision: Some(decision.into()),
            ..Offer::default()
        }
    }

    #[test]
    fn a_list_stands_in_columns_also_with_chinese_names() {
        let abandoned = CallRecord {
            source: "电信一号".into(),
            answered_at: None,
            seat: None,
            fate: Some("refused".into()),
            cause: Some("mode_not_served".into()),
            calling_private: true,
            ..call()
        };
        let alive = CallRecord { ended_at: None, fate: None, calling_number: None, ..call() };
        let text = list(&[call(), abandoned, alive], &TimeZone::UTC);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "CALL                ARRIVED              LINE   CALLER       FROM       WAITED   TALKED   SEAT  FATE"
        );
        assert_eq!(
            lines[1],
            "c30117452718080001  2026-11-18 11:06:40  12315  13800138000  telecom-1  0:05     1:02:02  8001  answered"
        );
        assert_eq!(
            lines[2],
            "c30117452718080001  2026-11-18 11:06:40  12315  private      电信一号   1:02:07                 refused (mode not served)"
        );
        assert_eq!(
            lines[3],
            "c30117452718080001  2026-11-18 11:06:40  12315  unknown      telecom-1  0:05              8001  in progress"
        );
        assert_eq!(list(&[], &TimeZone::UTC), "No calls are recorded that match.\n");
    }

    #[test]
    fn a_timeline_tells_each_step_with_the_time_since_the_arrival() {
        let step =
            |ms: i64, kind: &str, body: serde_json::Value| Step { at: 1_795_000_000_000 + ms, kind: kind.into(), body };
        let json = |text: &str| serde_json::from_str(text).unwrap();
        let found = Timeline {
            call: call(),
            steps: vec![
                step(0, "answered_by_exchange", json(r#"{"event":"answered_by_exchange"}"#)),
                step(4000, "queued", json(r#"{"event":"queued","queue":"general"}"#)),
                step(9500, "talking", json(r#"{"event":"talking","seat":8001,"leg":5}"#)),
                step(9600, "leg_ended", json(r#"{"event":"leg_ended","leg":5,"cause":"hung_up","status":200}"#)),
                step(9700, "dreamed", json(r#"{"event":"dreamed","of":"sheep"}"#)),
                step(3_731_500, "ended", json(r#"{"event":"ended","fate":{"fate":"answered","seat":8001}}"#)),
            ],
            recordings: vec![RecordingRecord { file: "2026-11-18/c3".into(), ..RecordingRecord::default() }],
            waits: vec![Wait {
                queue: "general".into(),
                since: 1_795_000_004_000,
                ended_at: Some(1_795_000_009_500),
                outcome: Some("answered".into()),
                ..Wait::default()
            }],
            offers: vec![offer(8002, 4_100, 5_100, "no_answer"), offer(8001, 5_200, 9_500, "answered")],
            segments: vec![Segment {
                leg: "l4".into(),
                party: "caller".into(),
                trunk: Some("telecom-1".into()),
                number: Some("13800138000".into()),
                answered_at: Some(1_795_000_000_000),
                ended_at: Some(1_795_000_010_000),
                cause: Some("hung_up".into()),
                codec: Some("pcma".into()),
                received: Some(498),
                sent: Some(500),
                lost: Some(2),
                late: Some(1),
                jitter_us: Some(1_250),
                remote_loss: Some(40),
                round_trip_us: Some(8_000),
                mos_x100: Some(431),
                ..Segment::default()
            }],
        };
        let text = timeline(&found, Path::new("var/recordings"), &TimeZone::UTC);
        let expected = "\
Call c30117452718080001: answered on line 12315
  from      13800138000 over telecom-1
  arrived   2026-11-18 11:06:40 +00:00
  seat      8001
  recording var/recordings/2026-11-18/c3
            yihao recording export c30117452718080001 --to c30117452718080001.wav
  waited    0:05 in general, answered
    11:06:44  seat 8002: no answer after 0:01; longest idle of 3 free seats (8002, 8001, ...), level 5, priority 1, 2 others waited
    11:06:45  seat 8001: answered after 0:04; longest idle of 3 free seats (8002, 8001, ...), level 5, priority 1, 2 others waited
  party     l4: caller over telecom-1, 0:10, hung up
            pcma, MOS 4.31, 498 received, 500 sent, 2 lost, 1 late, jitter 1.2 ms, 0.40 % lost on the way there, round trip 8.0 ms

  11:06:40.000     +0.000 s  answered by exchange
  11:06:44.000     +4.000 s  queued          general, 0 before it, 0 seats serving
  11:06:49.500     +9.500 s  talking         with seat 8001
  11:06:49.600     +9.600 s  leg ended       l5, hung up (200)
  11:06:49.700     +9.700 s  dreamed         {\"event\":\"dreamed\",\"of\":\"sheep\"}
  12:08:51.500  +3731.500 s  ended           answered by seat 8001
";
        assert_eq!(text, expected);
    }
}
