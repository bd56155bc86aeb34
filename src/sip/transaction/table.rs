//! Keeps transactions: finds them by id and by key, and knows which timer is due next.
//!
//! Knows nothing of SIP. Ids are never used twice: a slot counts its generations.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry as Place};

use crate::types::Mono;

use super::key::Key;

/// Transactions of one side.
///
/// Keys are found by their hash and then compared whole. Timers are sorted with lazy deletion: a deadline that moves later
/// (the common case: a retransmission that is no longer needed) costs nothing until its old entry comes up. A B-tree beats
/// a heap here, since most entries are added at its end and all are taken from its beginning.
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// The newest slot of each hash; others follow by `Entry::next`.
    index: BTreeMap<u64, u32>,
    due: BTreeSet<Due>,
    len: usize,
}

struct Slot<T> {
    generation: u32,
    /// The entry of this slot in `due` that counts; earlier and later ones are stale.
    queued: Option<Mono>,
    entry: Option<Entry<T>>,
}

struct Entry<T> {
    hash: u64,
    key: Box<[u8]>,
    /// The next slot of the same hash.
    next: Option<u32>,
    deadline: Option<Mono>,
    value: T,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Mono,
    slot: u32,
    generation: u32,
}

/// Stale timers that are tolerated before they are swept out.
const SLACK: usize = 1024;

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Table { slots: Vec::new(), free: Vec::new(), index: BTreeMap::new(), due: BTreeSet::new(), len: 0 }
    }

    /// How many live in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts one in under its key and gives its id. The key must not be in the table.
    pub(crate) fn insert(&mut self, key: &Key, value: T) -> u64 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, queued: None, entry: None });
            u32::try_from(self.slots.len() - 1).expect("the cap on transactions is far below 2^32")
        });
        let hash = key.hash();
        let next = self.index.insert(hash, slot);
        self.len += 1;
        let place = &mut self.slots[slot as usize];
        place.entry = Some(Entry { hash, key: key.bytes().into(), next, deadline: None, value });
        id(slot, place.generation)
    }

    /// The id under this key.
    pub(crate) fn find(&self, key: &Key) -> Option<u64> {
        let mut slot = self.index.get(&key.hash()).copied();
        while let Some(at) = slot {
            let place = &self.slots[at as usize];
            let entry = place.entry.as_ref().expect("the index names no empty slot");
            if *entry.key == *key.bytes() {
                return Some(id(at, place.generation));
            }
            slot = entry.next;
        }
        None
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
        self.unlink(slot, &entry);
        self.free.push(slot);
        self.len -= 1;
        self.sweep();
        Some(entry.value)
    }

    /// Takes a slot out of the chain of its hash.
    fn unlink(&mut self, slot: u32, entry: &Entry<T>) {
        let Place::Occupied(mut head) = self.index.entry(entry.hash) else { unreachable!("every entry is indexed") };
        if *head.get() == slot {
            match entry.next {
                Some(next) => head.insert(next),
                None => head.remove(),
            };
            return;
        }
        let mut at = *head.get();
        loop {
            let before = self.slots[at as usize].entry.as_mut().expect("a chain names no empty slot");
            match before.next {
                Some(next) if next == slot => {
                    before.next = entry.next;
                    return;
                }
                Some(next) => at = next,
                None => unreachable!("every entry is in the chain of its hash"),
            }
        }
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
            self.due.insert(Due { at, slot, generation });
        }
    }

    /// The earliest deadline of all.
    pub(crate) fn deadline(&mut self) -> Option<Mono> {
        self.settle(None);
        self.due.first().map(|due| due.at)
    }

    /// Takes the next one whose deadline has come; its owner schedules it anew.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<u64> {
        self.settle(Some(now));
        let due = *self.due.first().filter(|due| due.at <= now)?;
        self.due.pop_first();
        let place = &mut self.slots[due.slot as usize];
        place.queued = None;
        if let Some(entry) = &mut place.entry {
            entry.deadline = None;
        }
        Some(id(due.slot, due.generation))
    }

    /// Brings the first timer up to date: drops what is stale, puts back what was moved later. Stops where it is later
    /// than `until`.
    fn settle(&mut self, until: Option<Mono>) {
        while let Some(&due) = self.due.first() {
            if until.is_some_and(|until| until < due.at) {
                return;
            }
            let place = &mut self.slots[due.slot as usize];
            if place.generation != due.generation || place.queued != Some(due.at) {
                self.due.pop_first();
                continue;
            }
            let deadline = place.entry.as_ref().and_then(|e| e.deadline);
            if deadline == Some(due.at) {
                return;
            }
            place.queued = deadline;
            self.due.pop_first();
            if let Some(at) = deadline {
                self.due.insert(Due { at, ..due });
            }
        }
    }

    /// Drops the stale timers when they are the most, so that their number follows that of the transactions.
    fn sweep(&mut self) {
        if self.due.len() <= 2 * self.len + SLACK {
            return;
        }
        let slots = &self.slots;
        self.due.retain(|due| {
            let place = &slots[due.slot as usize];
            place.generation == due.generation && place.queued == Some(due.at)
        });
    }
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

    /// All keys of these tests have one hash, which never happens elsewhere.
    fn key(text: &str) -> Key {
        Key::forged(text.as_bytes(), 7)
    }

    fn at(ms: u64) -> Mono {
        Mono::default() + Duration::from_millis(ms)
    }

    #[test]
    fn an_old_id_does_not_find_the_next_tenant_of_its_slot() {
        let mut table = Table::new();
        let first = table.insert(&key("a"), 1);
        assert_eq!(table.remove(first), Some(1));
        let second = table.insert(&key("b"), 2);
        assert_ne!(first, second);
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.find(&key("b")), Some(second));
        assert_eq!(table.find(&key("a")), None);
    }

    #[test]
    fn keys_of_one_hash_are_told_apart_in_whatever_order_they_go() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut table = Table::new();
            let names = ["a", "b", "c"];
            let ids = names.map(|name| table.insert(&key(name), name));
            for (gone, &n) in order.iter().enumerate() {
                assert_eq!(table.remove(ids[n]), Some(names[n]));
                for &m in &order[..=gone] {
                    assert_eq!(table.find(&key(names[m])), None);
                }
                for &m in &order[gone + 1..] {
                    assert_eq!(table.find(&key(names[m])), Some(ids[m]));
                }
            }
            assert!(table.index.is_empty());
        }
    }

    #[test]
    fn a_deadline_moved_later_fires_once_and_then() {
        let mut table = Table::new();
        let id = table.insert(&key("a"), ());
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
        let id = table.insert(&key("a"), ());
        table.schedule(id, Some(at(30)));
        table.schedule(id, Some(at(10)));
        assert_eq!(table.pop_due(at(10)), Some(id));
        assert_eq!(table.pop_due(at(99)), None);
    }

    #[test]
    fn a_cleared_deadline_and_a_removed_entry_never_fire() {
        let mut table = Table::new();
        let (kept, gone) = (table.insert(&key("a"), ()), table.insert(&key("b"), ()));
        table.schedule(kept, Some(at(10)));
        table.schedule(gone, Some(at(10)));
        table.schedule(kept, None);
        table.remove(gone);
        assert_eq!(table.deadline(), None);
        assert_eq!(table.pop_due(at(99)), None);
    }

    #[test]
    fn timers_of_what_is_gone_are_not_kept() {
        let mut table = Table::new();
        for n in 0..100_000u32 {
            let id = table.insert(&Key::forged(&n.to_be_bytes(), n.into()), n);
            table.schedule(id, Some(at(32_000)));
            table.remove(id);
        }
        assert!(table.due.len() <= SLACK + 1, "{}", table.due.len());
        assert_eq!(table.slots.len(), 1);
    }
}
