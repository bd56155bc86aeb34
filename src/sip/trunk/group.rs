//! Which trunk of a group comes next: by order, by weight inside one order, healthy ones first.

use std::collections::BTreeSet;

use super::Trunk;
use crate::types::{Mono, TrunkId};

/// The next trunk to try for a call that named `first`, or `None` when each that may help was tried. The first choice
/// comes first while it is healthy; suspicion alone refuses no call: when no healthy trunk is left, those that seem
/// down are tried too, but never one that is full.
pub(super) fn choose(
    trunks: &[Trunk],
    now: Mono,
    first: TrunkId,
    tried: &BTreeSet<TrunkId>,
    random: u32,
) -> Option<TrunkId> {
    let open: Vec<TrunkId> = members(trunks, first)
        .filter(|(id, t)| !tried.contains(id) && !t.hops.is_empty() && t.capacity.has_room(now).is_ok())
        .map(|(id, _)| id)
        .collect();
    let healthy: Vec<TrunkId> = open.iter().copied().filter(|id| trunk(trunks, *id).is_usable()).collect();
    let among = if healthy.is_empty() { open } else { healthy };
    if among.contains(&first) {
        return Some(first);
    }
    let order = among.iter().map(|id| place(trunks, *id).0).min()?;
    let candidates: Vec<(TrunkId, u32)> =
        among.iter().filter(|id| place(trunks, **id).0 == order).map(|id| (*id, place(trunks, *id).1)).collect();
    let total: u32 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut ticket = random % total.max(1);
    for (id, weight) in &candidates {
        if ticket < *weight {
            return Some(*id);
        }
        ticket -= weight;
    }
    candidates.last().map(|(id, _)| *id)
}

/// The first choice and, where it belongs to a group, the others of it.
fn members(trunks: &[Trunk], first: TrunkId) -> impl Iterator<Item = (TrunkId, &Trunk)> {
    let named = trunks.iter().find(|t| t.plan.id == first);
    let group = named.and_then(|t| t.plan.group.as_ref()).map(|g| g.name.as_str());
    ids(trunks).filter(|(_, t)| !t.has_left).filter(move |(id, t)| {
        *id == first || (group.is_some() && t.plan.group.as_ref().map(|g| g.name.as_str()) == group)
    })
}

/// Trunks with their ids.
pub(super) fn ids(trunks: &[Trunk]) -> impl Iterator<Item = (TrunkId, &Trunk)> {
    trunks.iter().map(|t| (t.plan.id, t))
}

fn trunk(trunks: &[Trunk], id: TrunkId) -> &Trunk {
    trunks.iter().find(|t| t.plan.id == id).expect("ids come from this table")
}

/// Order and weight.
fn place(trunks: &[Trunk], id: TrunkId) -> (u16, u32) {
    trunk(trunks, id).plan.group.as_ref().map_or((0, 1), |g| (g.order, u32::from(g.weight.max(1))))
}
