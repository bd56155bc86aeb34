//! Keeps transactions: finds them by id and by key, and knows which timer is due next.
//!
//! Knows nothing of SIP. Ids are never used twice: a slot counts its generations.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::hash::{DefaultHasher, Hasher};

use crate::types::Mono;

/// Transactions of one side.
///
/// Keys are found by a 64-bit hash and then compared whole. The timers are a heap with lazy deletion: a deadline that moves
/// later (the common case: a retransmission that is no longer needed) costs nothing until its old entry comes up.
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    index: BTreeSet<(u64, u32)>,
    due: BinaryHeap<Reverse<Due>>,
    len: usize,
}

struct Slot<T> {
    generation: u32,
    /// The earliest entry of this slot in the heap.
    queued: Option<Mono>,
    entry: Option<Entry<T>>,
}

struct Entry<T> {
    hash: u64,
    key: Box<[u8]>,
    deadline: Option<Mono>,
    value: T,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Mono,
    slot: u32,
    generation: u32,
}

/// Stale heap entries that are tolerated before the heap is built anew.
const SLACK: usize = 1024;

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Table { slots: Vec::new(), free: Vec::new(), index: BTreeSet::new(), due: BinaryHeap::new(), len: 0 }
    }

    /// How many live in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts one in under its key and gives its id. The key must not be in the table.
    pub(crate) fn insert(&mut self, key: &[u8], value: T) -> u64 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, queued: None, entry: None });
            u32::try_from(self.slots.len() - 1).expect("the cap on transactions is far below 2^32")
        });
        let hash = hash(key);
        self.index.insert((hash, slot));
        self.len += 1;
        let place = &mut self.slots[slot as usize];
        place.entry = Some(Entry { hash, key: key.into(), deadline: None, value });
        id(slot, place.generation)
    }

    /// The id under this key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<u64> {
        let hash = hash(key);
        self.index.range((hash, 0)..=(hash, u32::MAX)).find_map(|&(_, slot)| {
            let place = &self.slots[slot as usize];
            place.entry.as_ref().filter(|e| *e.key == *key).map(|_| id(slot, place.generation))
        })
    }

    /// The transaction with this id.
    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        let (slot, generation) = parts(id);
        let place = self.slots.get(slot as usize).filter(|s| s.generation == generation)?;
        place.entry.as_ref().map(|e| &e.value)
    }

    /// The transaction with this id.
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let (slot, generation) = parts(id);
        let place = self.slots.get_mut(slot as usize).filter(|s| s.generation == generation)?;
        place.entry.as_mut().map(|e| &mut e.value)
    }

    /// Takes it out; its timer goes with it.
    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let (slot, generation) = parts(id);
        let place = self.slots.get_mut(slot as usize).filter(|s| s.generation == generation)?;
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        place.queued = None;
        self.index.remove(&(entry.hash, slot));
        self.free.push(slot);
        self.len -= 1;
        self.sweep();
        Some(entry.value)
    }

    /// Sets or clears the deadline of one.
    pub(crate) fn schedule(&mut self, id: u64, deadline: Option<Mono>) {
        let (slot, generation) = parts(id);
        let Some(place) = self.slots.get_mut(slot as usize).filter(|s| s.generation == generation) else { return };
        let Some(entry) = &mut place.entry else { return };
        entry.deadline = deadline;
        if let Some(at) = deadline
            && place.queued.is_none_or(|queued| at < queued)
        {
            place.queued = Some(at);
            self.due.push(Reverse(Due { at, slot, generation }));
        }
    }

    /// The earliest deadline of all.
    pub(crate) fn deadline(&mut self) -> Option<Mono> {
        self.settle(None);
        self.due.peek().map(|Reverse(due)| due.at)
    }

    /// Takes the next one whose deadline has come; its owner schedules it anew.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<u64> {
        self.settle(Some(now));
        let Reverse(due) = *self.due.peek().filter(|Reverse(due)| due.at <= now)?;
        self.due.pop();
        let place = &mut self.slots[due.slot as usize];
        place.queued = None;
        if let Some(entry) = &mut place.entry {
            entry.deadline = None;
        }
        Some(id(due.slot, due.generation))
    }

    /// Brings the top of the heap up to date: drops what is stale, puts back what was moved later. Stops where the top
    /// is later than `until`.
    fn settle(&mut self, until: Option<Mono>) {
        while let Some(&Reverse(due)) = self.due.peek() {
            if until.is_some_and(|until| until < due.at) {
                return;
            }
            let place = &mut self.slots[due.slot as usize];
            if place.generation != due.generation || place.queued != Some(due.at) {
                self.due.pop();
                continue;
            }
            let deadline = place.entry.as_ref().and_then(|e| e.deadline);
            if deadline == Some(due.at) {
                return;
            }
            place.queued = deadline;
            self.due.pop();
            if let Some(at) = deadline {
                self.due.push(Reverse(Due { at, ..due }));
            }
        }
    }

    /// Builds the heap anew when most of it is stale, so that its size follows the number of transactions.
    fn sweep(&mut self) {
        if self.due.len() <= 2 * self.len + SLACK {
            return;
        }
        let slots = &self.slots;
        self.due.retain(|Reverse(due)| {
            let place = &slots[due.slot as usize];
            place.generation == due.generation && place.queued == Some(due.at)
        });
    }
}

/// SipHash of a key: nobody can make many keys of one hash.
pub(super) fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

fn id(slot: u32, generation: u32) -> u64 {
    (u64::from(generation) << 32) | u64::from(slot)
}

fn parts(id: u64) -> (u32, u32) {
    ((id & u64::from(u32::MAX)) as u32, (id >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::default() + Duration::from_millis(ms)
    }

    #[test]
    fn an_old_id_does_not_find_the_next_tenant_of_its_slot() {
        let mut table = Table::new();
        let first = table.insert(b"a", 1);
        assert_eq!(table.remove(first), Some(1));
        let second = table.insert(b"b", 2);
        assert_ne!(first, second);
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.find(b"b"), Some(second));
        assert_eq!(table.find(b"a"), None);
    }

    #[test]
    fn a_deadline_moved_later_fires_once_and_then() {
        let mut table = Table::new();
        let id = table.insert(b"a", ());
        table.schedule(id, Some(at(10)));
        table.schedule(id, Some(at(30)));
        assert_eq!(table.pop_due(at(20)), None);
        assert_eq!(table.deadline(), Some(at(30)));
        assert_eq!(table.pop_due(at(30)), Some(id));
        assert_eq!(table.pop_due(at(99)), None);
        assert_eq!(table.deadline(), None);
    }

    #[test]
    fn a_deadline_moved_earlier_fires_then_and_not_again() {
        let mut table = Table::new();
        let id = table.insert(b"a", ());
        table.schedule(id, Some(at(30)));
        table.schedule(id, Some(at(10)));
        assert_eq!(table.pop_due(at(10)), Some(id));
        assert_eq!(table.pop_due(at(99)), None);
    }

    #[test]
    fn a_cleared_deadline_and_a_removed_entry_never_fire() {
        let mut table = Table::new();
        let (kept, gone) = (table.insert(b"a", ()), table.insert(b"b", ()));
        table.schedule(kept, Some(at(10)));
        table.schedule(gone, Some(at(10)));
        table.schedule(kept, None);
        table.remove(gone);
        assert_eq!(table.deadline(), None);
        assert_eq!(table.pop_due(at(99)), None);
    }

    #[test]
    fn the_heap_does_not_keep_what_is_gone() {
        let mut table = Table::new();
        for n in 0..100_000u32 {
            let id = table.insert(&n.to_be_bytes(), n);
            table.schedule(id, Some(at(32_000)));
            table.remove(id);
        }
        assert!(table.due.len() <= SLACK + 1, "{}", table.due.len());
        assert_eq!(table.slots.len(), 1);
    }
}
