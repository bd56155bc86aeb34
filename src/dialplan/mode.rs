//! The official modes in which a number is merged: names for combinations of attributes.
//!
//! The same number has different modes in different cities and changes them with time, so a mode belongs to a phase of a
//! line. A mode sets the attributes that a phase does not name itself; it decides nothing alone.

use super::attributes::words;
use super::{Answering, Attributes, Lifecycle, NumberFate, Unresolved};

words! {
    /// A merge mode: a preset of attributes, with the name by which the phase is shown.
    Mode {
        /// 12345 itself.
        Hotline = "hotline", "12345";
        /// Listed in the merge document, not begun.
        Planned = "planned", "待归并";
        /// Number kept, seats at 12345.
        Dual = "dual", "双号并行";
        /// Number given up, calls and seats go to 12345.
        Absorbed = "absorbed", "整体并入";
        /// Whole merge after a transition with a spoken notice.
        Transition = "transition", "过渡期";
        /// The number is dead and never comes back.
        Cancelled = "cancelled", "已注销";
        /// Number and seats stay outside, calls are transferred both ways.
        SubCenter = "sub-center", "设分中心";
        /// Merged into another line than 12345 (96119 into 119).
        Elsewhere = "elsewhere", "归并至其他热线";
        /// Answered here, what is not solved goes to the upper platform.
        AcceptAndPush = "accept-and-push", "受理推送";
        /// Answered here in 12345's own flow after the upper level's seats were cancelled.
        AcceptAndHandle = "accept-and-handle", "受理转办";
        /// Knowledge first, at 12345, then transfer to the line's own seats.
        Transfer = "transfer", "电话转接";
        /// The hotline of the upper level, with mutual transfer.
        Peer = "peer", "上级热线";
        /// Run by a company, not merged.
        External = "external", "企业自主化运作";
        /// Turned into an internal office telephone.
        Internal = "internal", "转为内部办公电话";
    }
}

impl Mode {
    /// What the mode means where a phase says nothing else.
    pub fn attributes(self) -> Attributes {
        use {Answering as S, Lifecycle as L, NumberFate as N, Unresolved as U};
        let (number_fate, seats, unresolved_to, lifecycle) = match self {
            Self::Hotline | Self::Dual | Self::AcceptAndHandle => (N::Keep, S::Here, U::Order, L::InForce),
            Self::Planned => (N::Keep, S::Own, U::Transfer, L::Planned),
            Self::Absorbed => (N::Cancel, S::Here, U::Order, L::Integrating),
            Self::Transition => (N::Cancel, S::Here, U::Order, L::Transition),
            Self::Cancelled => (N::Cancel, S::Here, U::Order, L::Cancelled),
            Self::SubCenter | Self::Peer => (N::Keep, S::Own, U::Transfer, L::InForce),
            Self::Elsewhere => (N::Cancel, S::OtherLine, U::OtherLine, L::Integrating),
            Self::AcceptAndPush => (N::Keep, S::Here, U::Push, L::InForce),
            Self::Transfer => (N::Keep, S::Here, U::Transfer, L::InForce),
            Self::External => (N::Keep, S::Operator, U::Operator, L::NotMerged),
            Self::Internal => (N::Internal, S::Office, U::Nowhere, L::InForce),
        };
        Attributes { number_fate, seats, unresolved_to, lifecycle }
    }
}
