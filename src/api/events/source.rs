//! Where events come from: rows of the ledger as they are written, and the picture of seats and queues, compared.
//!
//! The control thread never waits for listeners: rows go over a bounded channel, and what does not fit is a gap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::super::clock;
use super::super::core::CoreHandle;
use super::super::queues::Queue;
use super::super::seats::Seat;
use super::{CallStep, Happened, QueueNow, Ring, SeatNow};
use crate::types::{CallId, Row};

/// Batches of rows that may wait.
const BATCHES: usize = 4_096;
/// Calls whose seats are remembered, far more than may live.
const CALLS: usize = 50_000;
/// How often seats and queues are looked at while somebody listens.
const LOOK: Duration = Duration::from_millis(500);

/// The control thread's end: takes each batch of rows.
#[derive(Debug)]
pub struct Rows {
    sender: mpsc::Sender<Vec<Row>>,
    lost: Arc<AtomicBool>,
}

/// The other end.
#[derive(Debug)]
pub struct Following {
    receiver: mpsc::Receiver<Vec<Row>>,
    lost: Arc<AtomicBool>,
}

/// Makes the channel.
pub fn rows() -> (Rows, Following) {
    let (sender, receiver) = mpsc::channel(BATCHES);
    let lost = Arc::new(AtomicBool::new(false));
    (Rows { sender, lost: Arc::clone(&lost) }, Following { receiver, lost })
}

impl Rows {
    /// Hands a batch on; never waits.
    pub fn take(&mut self, rows: &[Row]) {
        if self.sender.try_send(rows.to_vec()).is_err() {
            self.lost.store(true, Ordering::Release);
        }
    }
}

/// Follows rows and pictures and fills the ring, until told to stop.
pub async fn follow(mut following: Following, core: CoreHandle, ring: Arc<Ring>, mut stop: watch::Receiver<bool>) {
    let mut told = Told::default();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = until(&mut stop) => return,
            batch = following.receiver.recv() => {
                let Some(batch) = batch else { return };
                if following.lost.swap(false, Ordering::AcqRel) {
                    ring.lost();
                }
                for row in batch {
                    let step = told.step(&row);
                    ring.add(row.at.0, Happened::Call(step));
                }
            }
            _ = look.tick(), if ring.has_listeners() => {
                if let Ok(view) = core.look().await {
                    told.compare(&view, &ring);
                }
            }
        }
    }
}

/// Waits until the flag is up, or its sender gone.
async fn until(stop: &mut watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stop| *stop).await;
}

/// What was told so far.
#[derive(Debug, Default)]
struct Told {
    /// Seats to which each live call was offered.
    offered: BTreeMap<CallId, Vec<u32>>,
    seats: BTreeMap<u32, Seat>,
    queues: BTreeMap<String, Queue>,
}

impl Told {
    fn step(&mut self, row: &Row) -> CallStep {
        let event = serde_json::to_value(&row.event).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let seat = event["seat"].as_u64().and_then(|s| u32::try_from(s).ok());
        let step = text(&event["event"]).unwrap_or_default();
        let fate = event["fate"].as_object().and_then(|fate| text(fate.get("fate")?));
        if self.offered.len() >= CALLS {
            self.offered.pop_first();
        }
        let seats = self.offered.entry(row.call).or_default();
        if let Some(seat) = seat.filter(|seat| !seats.contains(seat)) {
            seats.push(seat);
        }
        let seats = seats.clone();
        if fate.is_some() {
            self.offered.remove(&row.call);
        }
        let (line, queue) = (text(&event["called"]), text(&event["queue"]));
        CallStep { call: row.call.to_string(), step, line, queue, seat, fate, seats }
    }

    /// Tells what has changed since the last look.
    fn compare(&mut self, view: &crate::center::View, ring: &Ring) {
        let at = clock::wall_ms();
        for seat in view.seats.iter().map(Seat::of) {
            // A countdown is no news.
            let still = |old: &Seat| Seat { left_ms: seat.left_ms, ..old.clone() } == seat;
            if !self.seats.get(&seat.seat).is_some_and(still) {
                self.seats.insert(seat.seat, seat.clone());
                ring.add(at, Happened::Seat(SeatNow { seat }));
            }
        }
        for queue in view.queues.iter().map(Queue::of) {
            let still = |old: &Queue| Queue { longest_ms: queue.longest_ms, ..old.clone() } == queue;
            if !self.queues.get(&queue.queue).is_some_and(still) {
                self.queues.insert(queue.queue.clone(), queue.clone());
                ring.add(at, Happened::Queue(QueueNow { queue }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CallEvent, Cause, Fate, LegId, SeatId, Wall};

    fn row(event: CallEvent) -> Row {
        Row { at: Wall(1), call: CallId(7), event }
    }

    #[test]
    fn a_step_names_the_seats_that_may_see_it_and_no_number() {
        let mut told = Told::default();
        let queued = told.step(&row(CallEvent::Queued { queue: "general".to_owned(), ahead: 0, serving: 0 }));
        assert_eq!((queued.step.as_str(), queued.queue.as_deref()), ("queued", Some("general")));
        assert!(queued.seats.is_empty());
        let ended = CallEvent::Ended { fate: Fate::Refused { cause: Cause::ModeNotServed } };
        assert_eq!(told.step(&row(ended)).fate.as_deref(), Some("refused"));
        assert!(told.offered.is_empty(), "an ended call is forgotten");
        let talking = CallEvent::Talking { seat: SeatId(8001), leg: LegId(3), agent: None };
        assert_eq!(told.step(&row(talking)).seats, [8001]);
    }

    #[test]
    fn what_does_not_fit_is_marked_as_lost_and_nobody_waits() {
        let (mut rows, following) = rows();
        for _ in 0..BATCHES {
            rows.take(&[]);
        }
        assert!(!following.lost.load(Ordering::Relaxed));
        rows.take(&[]);
        assert!(following.lost.load(Ordering::Relaxed));
    }
}
