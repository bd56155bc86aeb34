//! What a merge mode is made of: what becomes of the number, whose seats answer, where unresolved matters go, and where the
//! line stands in its life. Each is a word of the plan file with a name for displays.
//!
//! The sources combine them in more ways than their three official modes have names for, so a phase carries the attributes
//! and a mode only sets them, see [`super::Mode`]. What happens to a call is in [`super::Service`], not here.

/// Makes an enum of words: how each is written in the plan and how it is shown.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal, $shown:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$of])* $variant,)+ }

        impl $name {
            /// All of them, in the order in which the documentation lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word of the plan file.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The name in records and displays.
            pub fn shown(self) -> &'static str {
                match self { $(Self::$variant => $shown,)+ }
            }
        }

        impl crate::dialplan::attributes::Worded for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.word()
            }

            fn shown(self) -> &'static str {
                self.shown()
            }
        }
    };
}
pub(super) use words;

/// An enum of words, for whoever reads or shows any of them.
pub(super) trait Worded: Copy + 'static {
    /// All of them.
    fn all() -> &'static [Self];
    /// The word of the plan file.
    fn word(self) -> &'static str;
    /// The name in records and displays.
    fn shown(self) -> &'static str;
    /// What a word means, compared whole.
    fn of(word: &str) -> Option<Self> {
        Self::all().iter().copied().find(|one| one.word() == word)
    }
}

/// The attributes of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What becomes of the number.
    pub number_fate: NumberFate,
    /// Whose seats answer a call first.
    pub seats: Answering,
    /// Where a matter goes that they do not resolve.
    pub unresolved_to: Unresolved,
    /// Where the line stands in its life.
    pub lifecycle: Lifecycle,
}

words! {
    /// What a merge document decides about a number.
    NumberFate {
        /// Citizens go on dialling it.
        Keep = "keep", "保留号码";
        /// It is given up, now or at the end of its transition.
        Cancel = "cancel", "取消号码";
        /// It becomes the telephone of an office, closed to citizens.
        Internal = "internal", "转为内部办公电话";
    }
}

words! {
    /// Whose seats answer a call first.
    Answering {
        /// The seats of 12345.
        Here = "here", "12345坐席";
        /// The department's experts in the hall of 12345, with its other seats.
        Experts = "experts", "12345坐席和专家坐席";
        /// The line's own, outside.
        Own = "own", "原单位坐席";
        /// Those of the level above.
        Upper = "upper", "上级平台坐席";
        /// Those of another line than 12345.
        OtherLine = "other-line", "其他热线坐席";
        /// A company's.
        Operator = "operator", "企业坐席";
        /// Nobody's: an office has the telephone.
        Office = "office", "办公室";
    }
}

words! {
    /// Where a matter goes that is not resolved in the call.
    Unresolved {
        /// An order of this city's own.
        Order = "order", "本级派单";
        /// A seat of the line, by transfer.
        Transfer = "transfer", "转接责任热线坐席";
        /// A seat of the line, in a call of three.
        ThreeParty = "three-party", "三方通话";
        /// An order that the upper platform dispatches.
        Push = "push", "推送上级平台";
        /// The company that runs the line.
        Operator = "operator", "由运营企业办理";
        /// The other line that has taken it over.
        OtherLine = "other-line", "由接收热线办理";
        /// Nowhere: the number is no hotline.
        Nowhere = "nowhere", "不适用";
    }
}

words! {
    /// Where a line stands in its life. The order is that of the life.
    Lifecycle {
        /// In the list of the document, not begun.
        Planned = "planned", "待归并";
        /// Being integrated: its calls come here already.
        Integrating = "integrating", "整合中";
        /// Its callers hear that the number will end.
        Transition = "transition", "过渡期";
        /// Merged as the document wants it.
        InForce = "in-force", "已归并";
        /// Dead, and never back without an administrator's reason.
        Cancelled = "cancelled", "已注销";
        /// In the list and left alone.
        NotMerged = "not-merged", "不归并";
    }
}

impl Answering {
    /// Whether calls wait for seats of this exchange.
    pub fn is_here(self) -> bool {
        match self {
            Self::Here | Self::Experts => true,
            Self::Own | Self::Upper | Self::OtherLine | Self::Operator | Self::Office => false,
        }
    }
}
