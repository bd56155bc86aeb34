//! The official modes in which a number is merged, as words of the plan file.
//!
//! The same number has different modes in different cities and changes them with time, so a mode belongs to a phase of a
//! line. What a mode does is in [`super::Service`]; here stands only how it is written and shown.

/// A merge mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 12345 itself.
    Hotline,
    /// 双号并行: the number is kept and rings the seats of 12345.
    Dual,
    /// 整体并入: number cancelled, calls and seats go to 12345.
    Absorbed,
    /// Whole merge after a transition with a spoken notice.
    Transition,
    /// 销号: the number is dead and never comes back.
    Cancelled,
    /// 设分中心: number and seats stay outside, calls are transferred both ways.
    SubCenter,
    /// Merged into another line than 12345 (96119 into 119).
    Elsewhere,
    /// 受理推送: answered here, what is not solved goes to the upper platform.
    AcceptAndPush,
    /// 受理转办: answered here in 12345's own flow after the upper level's seats were cancelled.
    AcceptAndHandle,
    /// 电话转接机制: knowledge first, then transfer to the line's own seats.
    Transfer,
    /// The hotline of the upper level, with mutual transfer.
    Peer,
    /// Run by a company, not merged.
    External,
    /// Turned into an internal office telephone.
    Internal,
}

impl Mode {
    /// All modes, in the order in which the documentation lists them.
    pub const ALL: [Mode; 13] = [
        Self::Hotline,
        Self::Dual,
        Self::Absorbed,
        Self::Transition,
        Self::Cancelled,
        Self::SubCenter,
        Self::Elsewhere,
        Self::AcceptAndPush,
        Self::AcceptAndHandle,
        Self::Transfer,
        Self::Peer,
        Self::External,
        Self::Internal,
    ];

    /// The word of the plan file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hotline => "hotline",
            Self::Dual => "dual",
            Self::Absorbed => "absorbed",
            Self::Transition => "transition",
            Self::Cancelled => "cancelled",
            Self::SubCenter => "sub-center",
            Self::Elsewhere => "elsewhere",
            Self::AcceptAndPush => "accept-and-push",
            Self::AcceptAndHandle => "accept-and-handle",
            Self::Transfer => "transfer",
            Self::Peer => "peer",
            Self::External => "external",
            Self::Internal => "internal",
        }
    }

    /// The name in records and displays, as the regulations write it.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Hotline => "12345",
            Self::Dual => "双号并行",
            Self::Absorbed => "整体并入",
            Self::Transition => "过渡期",
            Self::Cancelled => "已注销",
            Self::SubCenter => "设分中心",
            Self::Elsewhere => "归并至其他热线",
            Self::AcceptAndPush => "受理推送",
            Self::AcceptAndHandle => "受理转办",
            Self::Transfer => "电话转接",
            Self::Peer => "上级热线",
            Self::External => "企业自主化运作",
            Self::Internal => "转为内部办公电话",
        }
    }

    /// Whether calls are served in this mode: the number is kept and rings a queue.
    pub fn rings_a_queue(self) -> bool {
        match self {
            Self::Hotline | Self::Dual => true,
            Self::Absorbed
            | Self::Transition
            | Self::Cancelled
            | Self::SubCenter
            | Self::Elsewhere
            | Self::AcceptAndPush
            | Self::AcceptAndHandle
            | Self::Transfer
            | Self::Peer
            | Self::External
            | Self::Internal => false,
        }
    }

    /// The mode of a word, compared whole.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}
