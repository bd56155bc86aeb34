//! Spans of calls for `tracing`: one for the call, below it one for each stay in a queue, each offer and each talk.
//!
//! They are made from the rows of the ledger, so they say what the ledger says, and no more: no number and no name of a
//! citizen. Whoever keeps them (see [`crate::observability`]) is not known here.

use std::collections::BTreeMap;

use tracing::{Span, field::Empty, info_span};

use super::Watcher;
use crate::types::{CallEvent, CallId, OfferId, Row};

/// The target of the spans, for filters.
const TARGET: &str = "yihao::calls";

/// Makes spans from all rows that follow. One node has at most one such watcher.
pub fn watcher() -> Watcher {
    let mut calls = Spans::default();
    Box::new(move |rows| rows.iter().for_each(|row| calls.take(row)))
}

/// Open spans by call; as many as there are calls.
#[derive(Debug, Default)]
struct Spans(BTreeMap<CallId, OfCall>);

/// A span ends when it is dropped.
#[derive(Debug)]
struct OfCall {
    call: Span,
    queue: Option<Span>,
    offers: BTreeMap<OfferId, Span>,
    talk: Option<Span>,
}

impl OfCall {
    fn new(call: Span) -> Self {
        Self { call, queue: None, offers: BTreeMap::new(), talk: None }
    }
}

impl Spans {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other rows belong to a call that is known")]
    fn take(&mut self, row: &Row) {
        match &row.event {
            CallEvent::Arrived { from, .. } => {
                let id = tracing::field::display(row.call);
                let span = info_span!(target: TARGET, parent: None, "call", call = id, from = %from, fate = Empty);
                self.0.insert(row.call, OfCall::new(span));
            }
            CallEvent::Placed { seat, .. } => {
                // The first row where the exchange rings the seat first; the second where the seat's phone has dialled.
                self.0.entry(row.call).or_insert_with(|| {
                    let id = tracing::field::display(row.call);
                    OfCall::new(info_span!(target: TARGET, parent: None, "call", call = id, from = %seat, fate = Empty))
                });
            }
            CallEvent::Ended { fate } => {
                if let Some(of) = self.0.remove(&row.call) {
                    of.call.record("fate", fate.as_str());
                }
            }
            _ => {
                if let Some(of) = self.0.get_mut(&row.call) {
                    of.take(&row.event);
                }
            }
        }
    }
}

impl OfCall {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other rows begin and end no span")]
    fn take(&mut self, event: &CallEvent) {
        match event {
            CallEvent::Queued { queue, ahead, .. } => {
                self.queue = Some(info_span!(target: TARGET, parent: &self.call, "queue", queue = %queue, ahead));
            }
            CallEvent::Overflowed { .. } | CallEvent::Wish { .. } => self.queue = None,
            CallEvent::Offered { offer, seat, .. } => {
                let span = info_span!(target: TARGET, parent: &self.call, "offer", seat = %seat, outcome = Empty);
                self.offers.insert(*offer, span);
            }
            CallEvent::OfferEnded { offer, cause } => {
                if let Some(span) = self.offers.remove(offer) {
                    span.record("outcome", cause.as_str());
                }
            }
            CallEvent::Talking { seat, .. } => {
                self.queue = None;
                for span in std::mem::take(&mut self.offers).into_values() {
                    span.record("outcome", "answered");
                }
                self.talk = Some(info_span!(target: TARGET, parent: &self.call, "talk", seat = %seat));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id, Record};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
    use tracing_subscriber::registry::LookupSpan;

    use super::*;
    use crate::types::{Calling, Cause, Fate, LegId, LineNumber, Origin, SeatId, TrunkId, Wall};

    /// Notes the beginning and the end of each span, and what it is told.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
        fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
            let parent = context.span(id).and_then(|s| s.parent()).map_or("", |p| p.name());
            self.0.lock().unwrap().push(format!("{parent}/{} {}", attributes.metadata().name(), attributes.values()));
        }
        fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
            let name = context.span(id).map_or("", |s| s.name());
            self.0.lock().unwrap().push(format!("{name}: {values:?}"));
        }
        fn on_close(&self, id: Id, context: Context<'_, S>) {
            let name = context.span(&id).map_or("", |s| s.name());
            self.0.lock().unwrap().push(format!("{name} ends"));
        }
    }

    fn rows(events: Vec<CallEvent>) -> Vec<Row> {
        events.into_iter().map(|event| Row { at: Wall(1), call: CallId(7), event }).collect()
    }

    #[test]
    fn a_call_is_one_span_with_its_queue_offers_and_talk_below() {
        let notes = Notes::default();
        let subscriber = tracing_subscriber::registry().with(notes.clone());
        let calling = Calling { display: "王".to_owned(), ..Calling::default() };
        let arrived = CallEvent::Arrived {
            leg: LegId(1),
            origin: Origin::Trunk(TrunkId(0)),
            from: "telecom".to_owned(),
            called: LineNumber::parse("12345").unwrap(),
            calling,
            call_id: "x".to_owned(),
            mode: None,
        };
        let offered = |offer, seat| CallEvent::Offered {
            offer: OfferId(offer),
            seat: SeatId(seat),
            leg: LegId(offer),
            agent: None,
            decision: None,
        };
        let rows = rows(vec![
            arrived,
            CallEvent::Queued { queue: "general".to_owned(), ahead: 2, serving: 8 },
            offered(2, 8001),
            CallEvent::OfferEnded { offer: OfferId(2), cause: Cause::Busy },
            offered(3, 8002),
            CallEvent::Talking { seat: SeatId(8002), leg: LegId(3), agent: None },
            CallEvent::Ended { fate: Fate::Answered { seat: SeatId(8002) } },
            CallEvent::LegEnded { leg: LegId(3), cause: Cause::HungUp, status: None },
        ]);
        tracing::subscriber::with_default(subscriber, || watcher()(&rows));
        let told = notes.0.lock().unwrap().join("\n");
        let names: Vec<&str> = told.lines().filter_map(|l| l.strip_suffix(" ends")).collect();
        assert_eq!(names, ["offer", "queue", "offer", "talk", "call"], "{told}");
        for part in ["/call", "call/queue", "call/offer", "call/talk", "busy", "answered"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains('王'), "no name of a citizen: {told}");
    }
}
