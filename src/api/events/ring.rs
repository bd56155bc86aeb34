//! The last events, numbered. Whoever listens reads from here at its own pace; nobody waits for a slow one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::super::session::Session;
use super::{Event, Happened};

/// Events that are kept: minutes of a city's busiest hour.
const KEPT: usize = 10_000;

/// The ring. Shared by the one who writes and those who listen.
#[derive(Debug)]
pub struct Ring {
    run: String,
    events: Mutex<Kept>,
    /// Number of the last event; its receivers wake up.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    next: u64,
    closed: bool,
    /// Seat of each person who is signed in.
    seats: BTreeMap<u32, u32>,
}

impl Ring {
    /// An empty ring; `run` tells the numbers of this run from those of others.
    pub fn new(run: &str) -> Self {
        let kept = Kept { next: 1, ..Kept::default() };
        Self { run: run.to_owned(), events: Mutex::new(kept), last: watch::Sender::new(0) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event and wakes those who listen.
    pub(in crate::api) fn add(&self, at: i64, happened: Happened) {
        let mut kept = self.kept();
        if let Happened::Seat(now) = &happened {
            kept.seats.retain(|_, seat| *seat != now.seat.seat);
            if let Some(agent) = now.seat.agent {
                kept.seats.insert(agent, now.seat.seat);
            }
        }
        let seq = kept.next;
        kept.next += 1;
        if kept.events.len() >= KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::new(Event { seq, at, happened }));
        drop(kept);
        self.last.send_replace(seq);
    }

    /// Events were lost before they came here: all that is kept is of no use to those who listen.
    pub(super) fn lost(&self) {
        let mut kept = self.kept();
        kept.events.clear();
        kept.next += 1;
    }

    /// This run, and the number of the last event.
    pub(super) fn position(&self) -> (String, u64) {
        (self.run.clone(), self.kept().next - 1)
    }

    /// Events behind a number, at most so many.
    pub(super) fn after(&self, seq: u64, most: usize) -> Vec<Arc<Event>> {
        let kept = self.kept();
        let from = kept.events.partition_point(|event| event.seq <= seq);
        kept.events.range(from..).take(most).cloned().collect()
    }

    /// The seat of a person: where the person is signed in, or the assigned one.
    pub(super) fn seat_of(&self, who: &Session) -> Option<u32> {
        let signed_in = who.account.number.and_then(|number| self.kept().seats.get(&number).copied());
        signed_in.or(who.account.seat)
    }

    /// Wakes up at each new event, and at the end.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Whether somebody listens.
    pub(super) fn has_listeners(&self) -> bool {
        self.last.receiver_count() > 0
    }

    /// Ends all streams.
    pub(in crate::api) fn close(&self) {
        self.kept().closed = true;
        self.last.send_modify(|_| {});
    }

    /// Whether the end was asked for.
    pub(super) fn is_closed(&self) -> bool {
        self.kept().closed
    }
}

#[cfg(test)]
mod tests {
    use super::super::CallStep;
    use super::*;

    fn step(n: usize) -> Happened {
        let call = format!("c{n}");
        let step = "ringing".to_owned();
        Happened::Call(CallStep { call, step, line: None, queue: None, seat: None, fate: None, seats: Vec::new() })
    }

    #[test]
    fn events_are_numbered_and_read_from_where_one_was() {
        let ring = Ring::new("r");
        assert_eq!(ring.position(), ("r".to_owned(), 0));
        (0..5).for_each(|n| ring.add(n, step(n as usize)));
        assert_eq!(ring.after(0, 9).iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(ring.after(3, 1).iter().map(|e| e.seq).collect::<Vec<_>>(), [4]);
        assert!(ring.after(5, 9).is_empty());
    }

    #[test]
    fn the_oldest_fall_out_and_the_hole_shows() {
        let ring = Ring::new("r");
        (0..KEPT + 10).for_each(|n| ring.add(0, step(n)));
        assert_eq!(ring.after(3, 1)[0].seq, 11, "4 to 10 are missing");
        let last = ring.position().1;
        ring.lost();
        ring.add(0, step(0));
        assert_eq!(ring.after(last, 9)[0].seq, last + 2, "what was lost on the way is a hole too");
    }
}
