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
    /// One queue, by its index in the plan.
    QueueId(u16), "q"
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
}
