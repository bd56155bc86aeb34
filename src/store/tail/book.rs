//! The record of one call as its ledger rows tell it, row after row, and what is counted on the way. Knows no SQL.

use crate::store::calls::{CallRecord, Offer, RecordingRecord, Segment, Wait};
use crate::store::counters::{ANSWER_WITHIN_MS, Deltas, LOST, Scope, TO_CANCELLED, measure};
use crate::store::ledger::Entry;
use crate::store::wishes::Wish;
use crate::types::{
    AgentId, CANCELLED_MODE, CallEvent, CallId, Calling, Cause, Decision, Fate, LegId, LineNumber, OfferId, Origin,
    PhoneNumber, SeatId, StreamReport, WishKind,
};

/// A call with all its parts.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) call: CallRecord,
    pub(super) segments: Vec<Segment>,
    pub(super) waits: Vec<Wait>,
    pub(super) offers: Vec<Offer>,
    pub(super) recordings: Vec<RecordingRecord>,
    pub(super) wishes: Vec<Wish>,
}

/// What the arrival row tells.
struct Arrival<'a> {
    leg: LegId,
    origin: Origin,
    from: &'a str,
    called: &'a LineNumber,
    calling: &'a Calling,
    call_id: &'a str,
    mode: Option<&'a str>,
}

/// Who is at the far end of a seat's leg.
struct Party {
    seat: SeatId,
    leg: LegId,
    agent: Option<AgentId>,
}

impl Book {
    /// A call of which nothing is known yet. When its first rows are gone (a removed or damaged segment) it stays so.
    pub(super) fn unknown(call: CallId, deployment: &str, at: i64) -> Self {
        let call = CallRecord {
            id: call.to_string(),
            deployment: deployment.to_owned(),
            origin: "unknown".to_owned(),
            arrived_at: at,
            ..CallRecord::default()
        };
        Self {
            call,
            segments: Vec::new(),
            waits: Vec::new(),
            offers: Vec::new(),
            recordings: Vec::new(),
            wishes: Vec::new(),
        }
    }

    /// Enters one row. Each row is entered once.
    pub(super) fn enter(&mut self, entry: &Entry, deltas: &mut Deltas) {
        let at = entry.row.at.0;
        match &entry.row.event {
            CallEvent::Arrived { leg, origin, from, called, calling, call_id, mode } => {
                let mode = mode.as_deref();
                let arrival = Arrival { leg: *leg, origin: *origin, from, called, calling, call_id, mode };
                self.arrived(at, &arrival, deltas);
            }
            CallEvent::Greeted { .. } => first(&mut self.call.greeted_at, at),
            CallEvent::AnsweredByExchange => {
                if let Some(caller) = self.segments.iter_mut().find(|s| s.party == "caller") {
                    first(&mut caller.answered_at, at);
                }
            }
            CallEvent::Marked { mark } => self.call.mark = Some(mark.to_string()),
            CallEvent::Queued { queue, .. } => self.queued(entry.seq, at, queue, deltas),
            CallEvent::Overflowed { .. } => self.end_wait(at, "overflowed", deltas),
            CallEvent::Wish { kind, file } => self.wished(entry.seq, at, *kind, file.as_deref()),
            CallEvent::Offered { offer, seat, leg, agent, decision } => {
                let party = Party { seat: *seat, leg: *leg, agent: *agent };
                self.offered(at, *offer, &party, decision.as_deref(), deltas);
            }
            CallEvent::Placed { leg, seat, agent, line, linked, .. } => {
                let party = Party { seat: *seat, leg: *leg, agent: *agent };
                self.placed(at, &party, line.as_ref(), *linked);
            }
            CallEvent::Dialled { leg, number, trunk, destination } => {
                if destination.is_some() {
                    self.call.destination.clone_from(destination);
                }
                self.segments.push(Segment {
                    leg: leg.to_string(),
                    party: "called".to_owned(),
                    trunk: trunk.clone(),
                    number: Some(number.as_str().to_owned()),
                    began_at: at,
                    ..Segment::default()
                });
            }
            CallEvent::Ringing { offer } => {
                if let Some(offer) = self.offer(*offer) {
                    first(&mut offer.ringing_at, at);
                }
            }
            CallEvent::OfferEnded { offer, cause } => self.offer_ended(at, *offer, *cause, deltas),
            CallEvent::Talking { seat, leg, agent } => {
                self.talking(at, &Party { seat: *seat, leg: *leg, agent: *agent }, deltas);
            }
            CallEvent::AnsweredOutside { leg, .. } => self.answered_outside(at, *leg, deltas),
            CallEvent::Supervised { seat, leg, agent, .. } => {
                if let Some(segment) = self.segment(*leg) {
                    first(&mut segment.answered_at, at);
                    "supervisor".clone_into(&mut segment.party);
                    segment.seat = Some(i64::from(seat.0));
                    segment.agent = number(*agent);
                }
            }
            CallEvent::TransferAnswered { leg } => {
                if let Some(segment) = self.segment(*leg) {
                    first(&mut segment.answered_at, at);
                }
            }
            CallEvent::Recording { file } => self.recording(at, file),
            CallEvent::RecordingFailed { why } => {
                if let Some(recording) = self.recordings.last_mut() {
                    recording.failed.get_or_insert_with(|| why.clone());
                    recording.state = Some("failed".to_owned());
                }
            }
            CallEvent::LegEnded { leg, cause, status } => self.leg_ended(at, *leg, (*cause, *status), deltas),
            CallEvent::Quality { leg, report } => {
                if let Some(segment) = self.segment(*leg) {
                    measured(segment, report);
                }
            }
            CallEvent::Ended { fate } => self.ended(at, fate, deltas),
            CallEvent::Result { code, .. } => self.call.result = Some(code.to_string()),
            CallEvent::Widened { .. }
            | CallEvent::Announced { .. }
            | CallEvent::TransferBegun { .. }
            | CallEvent::TransferJoined
            | CallEvent::TransferEnded { .. }
            | CallEvent::Held { .. }
            | CallEvent::Digit { .. }
            | CallEvent::Healed { .. } => {}
        }
    }

    fn arrived(&mut self, at: i64, arrival: &Arrival<'_>, deltas: &mut Deltas) {
        let Arrival { leg, origin, from, called, calling, call_id, mode } = arrival;
        let number = calling.number.as_ref().map(PhoneNumber::as_str).map(str::to_owned);
        let (word, party, trunk, seat) = match origin {
            Origin::Trunk(_) => ("trunk", "caller", Some((*from).to_owned()), None),
            Origin::Seat(seat) => ("seat", "seat", None, Some(i64::from(seat.0))),
        };
        self.call = CallRecord {
            origin: word.to_owned(),
            source: (*from).to_owned(),
            line: called.as_str().to_owned(),
            mode: mode.map(str::to_owned),
            calling_number: number.clone(),
            calling_raw: calling.raw.clone(),
            calling_display: calling.display.clone(),
            calling_private: calling.private,
            sip_call_id: (*call_id).to_owned(),
            arrived_at: at,
            ..std::mem::take(&mut self.call)
        };
        self.segments.push(Segment {
            leg: leg.to_string(),
            party: party.to_owned(),
            trunk,
            seat,
            number,
            began_at: at,
            ..Segment::default()
        });
        self.count(deltas, "arrived", 1);
        if *mode == Some(CANCELLED_MODE) {
            self.count(deltas, TO_CANCELLED, 1);
        }
    }

    /// A seat places it: what its phone has dialled is no line of ours.
    fn placed(&mut self, at: i64, by: &Party, line: Option<&LineNumber>, linked: Option<CallId>) {
        self.call = CallRecord {
            origin: "seat".to_owned(),
            source: by.seat.0.to_string(),
            line: line.map(|line| line.as_str().to_owned()).unwrap_or_default(),
            linked: linked.map(|call| call.to_string()),
            arrived_at: at,
            ..std::mem::take(&mut self.call)
        };
        if self.segment(by.leg).is_none() {
            let (leg, party, seat) = (by.leg.to_string(), "seat".to_owned(), Some(i64::from(by.seat.0)));
            self.segments.push(Segment { leg, party, seat, began_at: at, ..Segment::default() });
        }
        if let Some(segment) = self.segment(by.leg) {
            segment.agent = number(by.agent);
        }
    }

    fn queued(&mut self, seq: u64, at: i64, queue: &str, deltas: &mut Deltas) {
        self.end_wait(at, "moved", deltas);
        first(&mut self.call.queued_at, at);
        self.call.queue = Some(queue.to_owned());
        self.waits.push(Wait { seq: signed(seq), queue: queue.to_owned(), since: at, ..Wait::default() });
        deltas.add(at, Scope::Queue, queue, "entered", 1);
    }

    fn wished(&mut self, seq: u64, at: i64, kind: WishKind, file: Option<&str>) {
        let kind = match kind {
            WishKind::Callback => "callback",
            WishKind::Message => "message",
        };
        self.wishes.push(Wish {
            call_id: self.call.id.clone(),
            seq: signed(seq),
            at,
            kind: kind.to_owned(),
            line: self.call.line.clone(),
            number: self.call.calling_number.clone(),
            file: file.map(str::to_owned),
            ..Wish::default()
        });
        if let Some(file) = file {
            self.recording(at, file);
        }
    }

    fn offered(&mut self, at: i64, offer: OfferId, party: &Party, decision: Option<&Decision>, deltas: &mut Deltas) {
        let (leg, seat, agent) = (party.leg.to_string(), i64::from(party.seat.0), number(party.agent));
        let why = |decision| serde_json::to_string(decision).expect("a decision has no map with odd keys");
        let offer = Offer {
            offer: offer.0.to_string(),
            leg: leg.clone(),
            queue: self.call.queue.clone(),
            seat,
            agent,
            offered_at: at,
            waited_ms: at - self.call.arrived_at,
            decision: decision.map(why),
            ..Offer::default()
        };
        count_offer(&offer, "offered", deltas);
        self.offers.push(offer);
        let party = "seat".to_owned();
        self.segments.push(Segment { leg, party, seat: Some(seat), agent, began_at: at, ..Segment::default() });
    }

    fn offer_ended(&mut self, at: i64, offer: OfferId, cause: Cause, deltas: &mut Deltas) {
        if let Some(offer) = self.offer(offer).filter(|offer| offer.outcome.is_none()) {
            offer.ended_at = Some(at);
            offer.outcome = Some(cause.as_str().to_owned());
            count_offer(offer, missed(cause), deltas);
        }
    }

    fn talking(&mut self, at: i64, party: &Party, deltas: &mut Deltas) {
        let name = party.leg.to_string();
        if let Some(offer) = self.offers.iter_mut().find(|offer| offer.leg == name && offer.outcome.is_none()) {
            offer.ended_at = Some(at);
            offer.outcome = Some("answered".to_owned());
            count_offer(offer, "answered", deltas);
        }
        if let Some(segment) = self.segment(party.leg) {
            first(&mut segment.answered_at, at);
            // A seat that was rung for a transfer, and has the call now.
            segment.seat.get_or_insert(i64::from(party.seat.0));
            segment.agent = segment.agent.or(number(party.agent));
        }
        // Of those whom a seat has dialled one after the other the last is the one who has answered.
        let places = self.call.origin == "seat";
        if let Some(called) = self.segments.last_mut().filter(|segment| places && segment.party == "called") {
            first(&mut called.answered_at, at);
        }
        self.end_wait(at, "answered", deltas);
        if self.answered(at, deltas) {
            self.call.seat = Some(i64::from(party.seat.0));
            self.call.agent = number(party.agent);
        }
    }

    /// Somebody outside is a person too: the call counts as answered, and once more under its own measure.
    fn answered_outside(&mut self, at: i64, leg: LegId, deltas: &mut Deltas) {
        if let Some(segment) = self.segment(leg) {
            first(&mut segment.answered_at, at);
        }
        self.end_wait(at, "answered_outside", deltas);
        if self.answered(at, deltas) {
            self.count(deltas, "answered_outside", 1);
        }
    }

    /// A person answers; `false` when somebody has before.
    fn answered(&mut self, at: i64, deltas: &mut Deltas) -> bool {
        let is_first = self.call.answered_at.is_none();
        if is_first {
            self.call.answered_at = Some(at);
            self.decided("answered", deltas);
            let waited_ms = at - self.call.arrived_at;
            self.count(deltas, "waited_ms", waited_ms);
            self.count(deltas, "within_15s", i64::from(waited_ms <= ANSWER_WITHIN_MS));
        }
        is_first
    }

    fn recording(&mut self, at: i64, file: &str) {
        self.call.recording.get_or_insert_with(|| file.to_owned());
        if !self.recordings.iter().any(|recording| recording.file == file) {
            self.recordings.push(RecordingRecord {
                file: file.to_owned(),
                started_at: at,
                ..RecordingRecord::default()
            });
        }
    }

    fn leg_ended(&mut self, at: i64, leg: LegId, (cause, status): (Cause, Option<u16>), deltas: &mut Deltas) {
        let Some(segment) = self.segment(leg).filter(|segment| segment.ended_at.is_none()) else { return };
        segment.ended_at = Some(at);
        segment.cause = Some(cause.as_str().to_owned());
        segment.status = status.map(i64::from);
        if let (Some(seat), Some(answered_at)) = (segment.seat, segment.answered_at) {
            deltas.add(answered_at, Scope::Seat, &seat.to_string(), "talk_ms", at - answered_at);
            if let Some(agent) = segment.agent {
                deltas.add(answered_at, Scope::Agent, &agent.to_string(), "talk_ms", at - answered_at);
            }
        }
    }

    fn ended(&mut self, at: i64, fate: &Fate, deltas: &mut Deltas) {
        if self.call.ended_at.is_some() {
            return;
        }
        self.call.ended_at = Some(at);
        self.call.fate = Some(fate.as_str().to_owned());
        self.call.cause = cause(fate).map(|cause| cause.as_str().to_owned());
        self.end_wait(at, measure(fate), deltas);
        for recording in &mut self.recordings {
            first(&mut recording.ended_at, at);
            first(&mut recording.length_ms, at - recording.started_at);
        }
        if matches!(fate, Fate::CutByRestart) {
            self.cut(at);
        }
        if matches!(fate, Fate::Reached { .. } | Fate::NotReached { .. }) {
            deltas.add(self.call.arrived_at, Scope::Seat, &self.call.source, fate.as_str(), 1);
        }
        match self.call.answered_at {
            Some(answered_at) => self.count(deltas, "talk_ms", at - answered_at),
            None => self.decided(measure(fate), deltas),
        }
    }

    /// The exchange was gone before its legs and offers could end.
    fn cut(&mut self, at: i64) {
        let restart = Some(Cause::Restart.as_str().to_owned());
        for segment in self.segments.iter_mut().filter(|segment| segment.ended_at.is_none()) {
            segment.ended_at = Some(at);
            segment.cause.clone_from(&restart);
        }
        for offer in self.offers.iter_mut().filter(|offer| offer.outcome.is_none()) {
            offer.ended_at = Some(at);
            offer.outcome.clone_from(&restart);
        }
    }

    /// It is known whether a person answers.
    fn decided(&mut self, what: &'static str, deltas: &mut Deltas) {
        if self.call.origin == "trunk" && (what == "answered" || LOST.contains(&what)) {
            self.call.offered = true;
            self.count(deltas, "offered", 1);
        }
        self.count(deltas, what, 1);
    }

    fn end_wait(&mut self, at: i64, outcome: &'static str, deltas: &mut Deltas) {
        let Some(wait) = self.waits.iter_mut().find(|wait| wait.ended_at.is_none()) else { return };
        wait.ended_at = Some(at);
        wait.outcome = Some(outcome.to_owned());
        let waited_ms = at - wait.since;
        deltas.add(wait.since, Scope::Queue, &wait.queue, outcome, 1);
        deltas.add(wait.since, Scope::Queue, &wait.queue, "waited_ms", waited_ms);
        if outcome == "answered" && waited_ms <= ANSWER_WITHIN_MS {
            deltas.add(wait.since, Scope::Queue, &wait.queue, "within_15s", 1);
        }
    }

    /// Counts a call from outside, at the hour of its arrival.
    fn count(&self, deltas: &mut Deltas, what: &'static str, n: i64) {
        if self.call.origin == "trunk" {
            let at = self.call.arrived_at;
            deltas.add(at, Scope::All, "", what, n);
            deltas.add(at, Scope::Line, &self.call.line, what, n);
            deltas.add(at, Scope::Trunk, &self.call.source, what, n);
        }
    }

    fn segment(&mut self, leg: LegId) -> Option<&mut Segment> {
        let leg = leg.to_string();
        self.segments.iter_mut().find(|segment| segment.leg == leg)
    }

    fn offer(&mut self, offer: OfferId) -> Option<&mut Offer> {
        let offer = offer.0.to_string();
        self.offers.iter_mut().find(|o| o.offer == offer)
    }
}

fn number(agent: Option<AgentId>) -> Option<i64> {
    agent.map(|agent| agent.0.into())
}

/// The first of each counts.
fn first(slot: &mut Option<i64>, at: i64) {
    slot.get_or_insert(at);
}

fn count_offer(offer: &Offer, what: &'static str, deltas: &mut Deltas) {
    deltas.add(offer.offered_at, Scope::Seat, &offer.seat.to_string(), what, 1);
    if let Some(agent) = offer.agent {
        deltas.add(offer.offered_at, Scope::Agent, &agent.to_string(), what, 1);
    }
}

/// Under which measure of a seat an offer counts that came to nothing.
fn missed(cause: Cause) -> &'static str {
    match cause {
        Cause::NoAnswer => "not_answered",
        Cause::Declined | Cause::Busy => "declined",
        Cause::HungUp | Cause::Cancelled | Cause::Restart => "withdrawn",
        Cause::Unreachable
        | Cause::Unregistered
        | Cause::NoSuchNumber
        | Cause::Gone
        | Cause::Closed
        | Cause::Loop
        | Cause::ModeNotServed
        | Cause::NoCommonMedia
        | Cause::Overload
        | Cause::Failed
        | Cause::PeerLost => "failed",
    }
}

fn cause(fate: &Fate) -> Option<Cause> {
    match fate {
        Fate::Refused { cause }
        | Fate::Failed { cause }
        | Fate::NotReached { cause }
        | Fate::UnansweredOutside { cause } => Some(*cause),
        Fate::Answered { .. }
        | Fate::AnsweredOutside
        | Fate::AbandonedInGreeting
        | Fate::AbandonedInQueue
        | Fate::AbandonedInRing
        | Fate::Overflowed
        | Fate::LeftWish
        | Fate::Served
        | Fate::Reached { .. }
        | Fate::CutByRestart
        | Fate::CutByDrain => None,
    }
}

fn measured(segment: &mut Segment, report: &StreamReport) {
    segment.codec = report.codec.map(|codec| codec.as_str().to_owned());
    segment.received = Some(signed(report.received));
    segment.sent = Some(signed(report.sent));
    segment.lost = Some(signed(report.lost));
    segment.late = Some(signed(report.late));
    segment.jitter_us = Some(report.jitter_us.into());
    segment.remote_loss = Some(report.remote_loss_percent_x100.into());
    segment.round_trip_us = Some(report.round_trip_us.into());
    segment.mos_x100 = Some(report.mos_x100.into());
}

/// SQL has no unsigned numbers; ours stay below 2^63 by far (row numbers begin with 32 bits of seconds, 24 of count).
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
