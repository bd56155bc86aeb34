//! Where events come from: rows of the ledger as they are written, what the core tells of seats, and the picture of seats and
//! queues, compared.
//!
//! The control thread never waits for listeners: what it tells goes over a bounded channel, and what does not fit is a gap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::super::clock;
use super::super::core::CoreHandle;
use super::super::queues::Queue;
use super::super::seats::Seat;
use super::{CallStep, Happened, QueueNow, Ring, SeatNotice, SeatNow};
use crate::center::SeatNews;
use crate::types::{CallEvent, CallId, Fate, LineNumber, Origin, Row, SeatId, Wall};

/// Batches of rows and pieces of news that may wait.
const BATCHES: usize = 4_096;
/// Calls whose seats are remembered, far more than may live.
const CALLS: usize = 50_000;
/// How often seats and queues are looked at while somebody listens.
const LOOK: Duration = Duration::from_millis(500);

/// What the control thread tells.
#[derive(Debug)]
enum Heard {
    /// Rows of the ledger.
    Rows(Arc<Vec<Row>>),
    /// What became of a seat.
    Seat(Wall, SeatNews),
}

/// The control thread's end. Never waits.
#[derive(Debug)]
pub struct Feed {
    sender: mpsc::Sender<Heard>,
    lost: Arc<AtomicBool>,
}

/// The other end.
#[derive(Debug)]
pub struct Following {
    receiver: mpsc::Receiver<Heard>,
    lost: Arc<AtomicBool>,
}

/// Makes the channel.
pub fn feed() -> (Feed, Following) {
    let (sender, receiver) = mpsc::channel(BATCHES);
    let lost = Arc::new(AtomicBool::new(false));
    (Feed { sender, lost: Arc::clone(&lost) }, Following { receiver, lost })
}

impl Feed {
    /// Hands a batch of rows on.
    pub fn rows(&self, rows: Arc<Vec<Row>>) {
        self.tell(Heard::Rows(rows));
    }

    /// Hands on what became of a seat.
    pub fn seat(&self, at: Wall, news: SeatNews) {
        self.tell(Heard::Seat(at, news));
    }

    fn tell(&self, heard: Heard) {
        if self.sender.try_send(heard).is_err() {
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
            heard = following.receiver.recv() => {
                let Some(heard) = heard else { return };
                if following.lost.swap(false, Ordering::AcqRel) {
                    ring.lost();
                }
                match heard {
                    Heard::Rows(rows) => {
                        for row in rows.iter() {
                            ring.add(row.at.0, Happened::Call(told.step(row)));
                        }
                    }
                    Heard::Seat(at, news) => ring.add(at.0, Happened::SeatNews(SeatNotice::of(news))),
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
        let part = Part::of(&row.event);
        let seats = self.seats_of(row, part.seat);
        CallStep {
            call: row.call.to_string(),
            step: row.event.as_str().to_owned(),
            line: part.line.map(ToString::to_string),
            queue: part.queue.map(str::to_owned),
            seat: part.seat.map(|seat| seat.0),
            fate: part.fate.map(|fate| fate.as_str().to_owned()),
            seats,
        }
    }

    /// Seats that may see this row: those to which the call was offered so far, and the row's own. Rows behind the fate, and
    /// those of a call whose beginning was not seen, open no entry that nobody would close.
    fn seats_of(&mut self, row: &Row, seat: Option<SeatId>) -> Vec<u32> {
        let own = seat.map(|seat| seat.0);
        if matches!(row.event, CallEvent::Ended { .. }) {
            let mut seats = self.offered.remove(&row.call).unwrap_or_default();
            seats.extend(own.filter(|own| !seats.contains(own)));
            return seats;
        }
        if matches!(row.event, CallEvent::Arrived { .. } | CallEvent::Placed { .. }) {
            if self.offered.len() >= CALLS {
                self.offered.pop_first();
            }
            self.offered.entry(row.call).or_default();
        }
        let Some(seats) = self.offered.get_mut(&row.call) else { return own.into_iter().collect() };
        if let Some(own) = own.filter(|own| !seats.contains(own)) {
            seats.push(own);
        }
        seats.clone()
    }

    /// Tells what has changed since the last look.
    fn compare(&mut self, view: &crate::center::View, ring: &Ring) {
        let at = clock::wall_ms();
        for seat in view.seats.iter().map(Seat::of) {
            // A countdown is no news, nor that time passes.
            let still =
                |old: &Seat| Seat { left_ms: seat.left_ms, presence_ms: seat.presence_ms, ..old.clone() } == seat;
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

/// What a step shows of its event. No number of a citizen is among it.
#[derive(Clone, Copy, Default)]
struct Part<'a> {
    line: Option<&'a LineNumber>,
    queue: Option<&'a str>,
    seat: Option<SeatId>,
    fate: Option<&'a Fate>,
}

impl<'a> Part<'a> {
    fn of(event: &'a CallEvent) -> Self {
        let nothing = Self::default();
        match event {
            CallEvent::Arrived { called, origin: Origin::Trunk(_), .. } => Self { line: Some(called), ..nothing },
            // What a seat dials may be a citizen's number.
            CallEvent::Arrived { origin: Origin::Seat(seat), .. } => Self { seat: Some(*seat), ..nothing },
            CallEvent::Queued { queue, .. } => Self { queue: Some(queue), ..nothing },
            CallEvent::Placed { seat, line, .. } => Self { seat: Some(*seat), line: line.as_ref(), ..nothing },
            CallEvent::Offered { seat, .. }
            | CallEvent::Talking { seat, .. }
            | CallEvent::TransferBegun { seat, .. }
            | CallEvent::Result { seat, .. } => Self { seat: Some(*seat), ..nothing },
            CallEvent::Ended { fate } => Self { fate: Some(fate), ..nothing },
            CallEvent::Greeted { .. }
            | CallEvent::AnsweredByExchange
            | CallEvent::Marked { .. }
            | CallEvent::Widened { .. }
            | CallEvent::Announced { .. }
            | CallEvent::Overflowed { .. }
            | CallEvent::Wish { .. }
            | CallEvent::Dialled { .. }
            | CallEvent::AnsweredOutside { .. }
            | CallEvent::Ringing { .. }
            | CallEvent::OfferEnded { .. }
            | CallEvent::TransferAnswered { .. }
            | CallEvent::TransferJoined
            | CallEvent::TransferEnded { .. }
            | CallEvent::Supervised { .. }
            | CallEvent::Held { .. }
            | CallEvent::Digit { .. }
            | CallEvent::Recording { .. }
            | CallEvent::RecordingFailed { .. }
            | CallEvent::LegEnded { .. }
            | CallEvent::Quality { .. }
            | CallEvent::Healed { .. } => nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Calling, Cause, LegId, OfferId, TrunkId, Word};

    fn row(event: CallEvent) -> Row {
        Row { at: Wall(1), call: CallId(7), event }
    }

    fn arrived(origin: Origin) -> CallEvent {
        CallEvent::Arrived {
            leg: LegId(2),
            origin,
            from: "telecom-1".to_owned(),
            called: LineNumber::parse("13800138000").unwrap(),
            calling: Calling::default(),
            call_id: "x".to_owned(),
            mode: None,
        }
    }

    #[test]
    fn a_step_names_the_seats_that_may_see_it_and_no_number_of_a_citizen() {
        let mut told = Told::default();
        let from_trunk = told.step(&row(arrived(Origin::Trunk(TrunkId(0)))));
        assert_eq!((from_trunk.step.as_str(), from_trunk.line.as_deref()), ("arrived", Some("13800138000")));
        let queued = told.step(&row(CallEvent::Queued { queue: "general".to_owned(), ahead: 0, serving: 0 }));
        assert_eq!((queued.step.as_str(), queued.queue.as_deref()), ("queued", Some("general")));
        assert!(queued.seats.is_empty());
        let talking = CallEvent::Talking { seat: SeatId(8001), leg: LegId(3), agent: None };
        assert_eq!(told.step(&row(talking)).seats, [8001]);
        let ringing = told.step(&row(CallEvent::Ringing { offer: OfferId(1) }));
        assert_eq!((ringing.seat, ringing.seats), (None, vec![8001]), "the seat sees what follows too");
        let ended = told.step(&row(CallEvent::Ended { fate: Fate::Refused { cause: Cause::ModeNotServed } }));
        assert_eq!((ended.fate.as_deref(), ended.seats), (Some("refused"), vec![8001]));
        let own = told.step(&row(arrived(Origin::Seat(SeatId(8002)))));
        assert_eq!((own.line, own.seats), (None, vec![8002]), "what a seat dials may be a citizen's number");
    }

    #[test]
    fn rows_behind_the_fate_leave_nothing_behind() {
        let mut told = Told::default();
        told.step(&row(arrived(Origin::Trunk(TrunkId(0)))));
        told.step(&row(CallEvent::Ended { fate: Fate::Answered { seat: SeatId(8001) } }));
        let result = CallEvent::Result { seat: SeatId(8001), agent: None, code: Word::new("solved") };
        assert_eq!(told.step(&row(result)).seats, [8001], "the seat that noted it sees it");
        told.step(&row(CallEvent::LegEnded { leg: LegId(3), cause: Cause::HungUp, status: None }));
        assert!(told.offered.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_marked_as_lost_and_nobody_waits() {
        let (feed, following) = feed();
        for _ in 0..BATCHES {
            feed.rows(Arc::default());
        }
        assert!(!following.lost.load(Ordering::Relaxed));
        feed.rows(Arc::default());
        assert!(following.lost.load(Ordering::Relaxed));
    }
}
