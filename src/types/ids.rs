//! Identifiers. Live ones are counted by the core from a base that is handed in; configured ones come from the plan.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

id!(
    /// One conversation: from the arrival of its first leg until the last leg is gone. Unique over nodes and restarts.
    CallId(u64), "c"
);
id!(
    /// One connection between the exchange and one party (a caller's trunk channel, a seat's phone). Unique over nodes and restarts.
    LegId(u64), "l"
);
id!(
    /// One offer of a call to a seat: the fencing number of the lease. An answer that names an older offer is void.
    OfferId(u64), "o"
);
id!(
    /// Names the asker of a command that wants a reply; the shell maps it to the waiting request.
    ReplyId(u64), "r"
);
id!(
    /// One working position. The number that the plan gives it, for example 8001; also its internal telephone number.
    SeatId(u32), "s"
);
id!(
    /// One person who answers calls: the number that the office gave (工号).
    AgentId(u32), "a"
);
id!(
    /// One queue, by its index in the plan.
    QueueId(u16), "q"
);
id!(
    /// One place outside that calls go on to, by its index in the plan.
    DestinationId(u16), "d"
);
id!(
    /// One trunk, by its index in the plan.
    TrunkId(u16), "t"
);
id!(
    /// One network (a set of listeners with its own advertised address and RTP range), by its index in the configuration.
    NetworkId(u8), "n"
);

/// Where the core starts to count live ids: node number and boot epoch, so that ids never repeat over nodes and restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdBase {
    /// Number of the node, 0 to 255.
    pub node: u8,
    /// Start of this process in seconds since 1970, UTC (32 bits last until 2106).
    pub epoch_s: u32,
}

impl IdBase {
    /// The id before the first: 8 bits of node, 32 bits of epoch, 24 bits of counter (16.7 million ids a boot and kind
    /// before they would run into those of a boot one second later).
    pub fn first(self) -> u64 {
        (u64::from(self.node) << 56) | (u64::from(self.epoch_s) << 24)
    }

    /// Ids of incoming legs, counted by the endpoint: even numbers.
    pub fn legs_of_endpoint(self) -> LegIds {
        LegIds { last: self.first() }
    }

    /// Ids of dialled legs, counted by the center: odd numbers.
    pub fn legs_of_center(self) -> LegIds {
        LegIds { last: self.first() + 1 }
    }
}

/// Counts leg ids of one maker. Endpoint and center count in steps of two from different starts, so that neither has to
/// ask the other and no id is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegIds {
    last: u64,
}

impl LegIds {
    /// The next id that nobody has.
    pub fn take(&mut self) -> LegId {
        self.last += 2;
        LegId(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_and_center_never_give_the_same_leg_id() {
        let base = IdBase { node: 3, epoch_s: 1_795_000_000 };
        let (mut endpoint, mut center) = (base.legs_of_endpoint(), base.legs_of_center());
        let mut given = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            assert!(given.insert(endpoint.take()));
            assert!(given.insert(center.take()));
        }
        assert!(given.iter().all(|leg| leg.0 > base.first()), "the base itself is never given");
    }
}
