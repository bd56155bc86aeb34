//! The plan of a city: lines, trunks, queues, seats. A function from arrival and time to a route.
//!
//! Holds no live state and reads no clock. Numbers are compared whole and per line, never by prefix or substring.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::{
    Agent, AgentId, Choice, Digit, Level, LineNumber, OverflowWhy, PromptName, QueueId, SeatId, TlsMedia, TrunkId,
    WishKind, Word, WorkCalendar,
};

pub mod announce;
mod attributes;
pub mod calendar;
pub mod feature;
pub mod file;
mod hours;
mod line;
pub mod lint;
mod mode;
pub mod report;
mod route;
mod service;
pub mod settings;
pub mod sheet;
pub(crate) mod table;
pub mod task;
mod text;

pub use attributes::{Answering, Attributes, Lifecycle, NumberFate, Unresolved};
use attributes::{Worded, words};
pub use hours::{Clocks, Days, Hours, HoursError, Span, Weekday};
pub use line::{Branch, Line, Missing, Phase, Reactivated};
pub use mode::Mode;
pub use service::{
    AnswerWhen, Destination, OutsideService, OverflowTo, QueueService, RouteOut, Service, ToldEnd, ToldService,
};
pub use task::Task;
pub use text::PlanText;

/// A checked plan. Ids of queues are indexes into their table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Name of the deployment, for records: `mianyang`.
    pub deployment: String,
    /// Name of its time zone, in which dates and hours were resolved: `Asia/Shanghai`.
    pub zone: String,
    /// The clocks of that zone, by which hours are told.
    pub clocks: Clocks,
    /// Working days, for the hours; read beside the plan.
    pub calendar: Arc<WorkCalendar>,
    /// Lines by number.
    pub lines: BTreeMap<LineNumber, Line>,
    /// Other ways in which a carrier writes a line's number ("08162250857"), each whole, to the number itself.
    pub aliases: BTreeMap<LineNumber, LineNumber>,
    /// Emergency numbers with their names; none of them may be a line.
    pub emergency: BTreeMap<LineNumber, String>,
    /// Water, power, gas: their numbers with their names; none of them may be a line.
    pub utilities: BTreeMap<LineNumber, String>,
    /// The counties' parts of 12345.
    pub branches: Vec<Branch>,
    /// What the merge document asks of lines, by number; a line without an entry has no day.
    pub tasks: BTreeMap<LineNumber, Task>,
    /// What the merge document has lost.
    pub missing: Vec<Missing>,
    /// Trunks in the order of the file; their ids outlive a plan, see [`Plan::continues`].
    pub trunks: Vec<Trunk>,
    /// How many ids of trunks this plan and those before it have used.
    pub trunk_ids: u16,
    /// Names of the trunks that plans before this one had and it has not: calls over them go on.
    pub left_trunks: BTreeMap<TrunkId, String>,
    /// Queues by id.
    pub queues: Vec<Queue>,
    /// Places outside by id.
    pub destinations: Vec<Destination>,
    /// Seats by number.
    pub seats: BTreeMap<SeatId, Seat>,
    /// Persons whom a seat's phone signs in, by number. Whoever signs in through the API is known to the accounts instead.
    pub agents: BTreeMap<AgentId, PlannedAgent>,
    /// What agents may choose from and how long a break lasts.
    pub desk: Desk,
    /// What an operator may switch on; of several that are on the first that fits a line counts.
    pub surges: Vec<Surge>,
    /// What caller lists may say of a number; of several that hold for a number the first counts.
    pub marks: Vec<Mark>,
    /// Calls that seats place.
    pub outgoing: Outgoing,
}

/// How calls of seats go out. Trunks stand by name, since their ids outlive a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The trunk that is tried first, then its group; `None`: the first one that can be called out on.
    pub trunk: Option<String>,
    /// The same for emergency numbers, before all others; `None`: as for citizens.
    pub emergency_trunk: Option<String>,
    /// The line in whose name a call goes out that names none (default 12345).
    pub line: LineNumber,
    /// How long the called party rings, milliseconds (default 60,000), and the seat's own phone before it.
    pub ring_ms: u32,
    /// How long an emergency service rings on one way when an agent brings it into a talk, milliseconds (default 10,000); then
    /// the next way is tried.
    pub emergency_ring_ms: u32,
    /// Wrap-up after a talk with a citizen, milliseconds (default 30,000).
    pub wrap_up_ms: u32,
    /// How often a citizen's call may have been passed on from hotline to hotline when it leaves us, this time included
    /// (default 5); beyond that it does not go outside.
    pub most_passed_on: u32,
}

impl Default for Outgoing {
    fn default() -> Self {
        let line = LineNumber::parse("12345").expect("five digits are a number");
        Self {
            trunk: None,
            emergency_trunk: None,
            line,
            ring_ms: 60_000,
            emergency_ring_ms: 10_000,
            wrap_up_ms: 30_000,
            most_passed_on: 5,
        }
    }
}

/// Whom a number means that a seat calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// Another position.
    Seat(SeatId),
    /// An emergency service.
    Emergency,
    /// Anybody on the network.
    Citizen,
    /// One of our own lines, in whatever spelling: the call would come back to us.
    OwnLine,
    /// Nobody: it is no number of the network.
    Nobody,
}

/// Rules for agents that hold at every seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desk {
    /// Reasons for being not ready, as they are shown.
    pub reasons: Vec<Word>,
    /// Result codes of calls, as they are shown.
    pub results: Vec<Word>,
    /// Reasons for a transfer. Where there are any, the desk must name one; a telephone cannot.
    pub transfer_reasons: Vec<Word>,
    /// Longest break in milliseconds (default 900,000); then the team lead is told.
    pub break_ms: u32,
}

impl Default for Desk {
    fn default() -> Self {
        Self { reasons: Vec::new(), results: Vec::new(), transfer_reasons: Vec::new(), break_ms: 900_000 }
    }
}

/// A person who always works at one seat and signs in by its phone.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAgent {
    /// Number, skills and queues.
    pub agent: Agent,
    /// Name for displays.
    pub name: String,
    /// The seat.
    pub seat: SeatId,
}

/// A queue and how it waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Name in records: `general`, `expert-12333`.
    pub name: String,
    /// Skill that a seat needs.
    pub skill: String,
    /// Music while waiting.
    pub music: PromptName,
    /// How long one seat is rung, milliseconds (default 15,000).
    pub ring_ms: u32,
    /// Longest waiting in milliseconds; then `overflow_prompt` is played and the call ends "overflowed". `None`: no limit.
    pub max_wait_ms: Option<u32>,
    /// Spoken when the waiting is over or the queue is full.
    pub overflow_prompt: PromptName,
    /// Most callers that may wait (default 1,000).
    pub max_waiting: u32,
    /// Wrap-up after a talk, milliseconds (default 30,000; cap 120,000).
    pub wrap_up_ms: u32,
    /// What one wish for more time adds to a wrap-up, milliseconds (default 30,000).
    pub wrap_up_more_ms: u32,
    /// Longest wrap-up with all extensions, and with a result that does not come, milliseconds (default 120,000).
    pub wrap_up_most_ms: u32,
    /// Whether a wrap-up ends only with a result code, or at its longest.
    pub result: bool,
    /// Lowest level of the skill at first.
    pub level: Level,
    /// How a seat is chosen among those of the best level.
    pub choice: Choice,
    /// Most seats that `ring_all` rings for one call (default 5).
    pub ring_most: u32,
    /// A waiting call's priority rises one step each time it has waited so long, milliseconds; `None`: never.
    pub age_ms: Option<u32>,
    /// Who may serve after which waiting; in order of time, each adds to those before.
    pub widen: Vec<Widen>,
    /// When a call goes to another queue instead; the first that holds counts.
    pub overflow: Vec<Overflow>,
    /// When position and expected wait are said; `None`: never.
    pub announce: Option<Announce>,
    /// What a caller may leave instead of waiting on.
    pub wish: Option<WishOffer>,
}

/// When a waiting caller is told position and expected wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// After joining the queue, milliseconds (default 10,000).
    pub first_ms: u32,
    /// After the one before, milliseconds (default 30,000).
    pub every_ms: u32,
}

/// A key by which a waiting caller leaves the queue for something that is done later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishOffer {
    /// What.
    pub kind: WishKind,
    /// The key.
    pub key: Digit,
    /// Said after each announcement: which key does what.
    pub prompt: PromptName,
    /// Said when the key was pressed: that the wish is noted, or that the message begins.
    pub done: PromptName,
    /// Longest message, milliseconds (default 120,000).
    pub longest_ms: u32,
}

/// What an entry of the caller lists does: nuisance, priority, a language or dialect. It never refuses a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name in the lists.
    pub name: Word,
    /// Whether an entry counts only when it has been approved.
    pub approval: bool,
    /// Where callers wait instead: a queue whose seats know about nuisances, or speak the language.
    pub queue: Option<QueueId>,
    /// Priority instead of the line's.
    pub priority: Option<u8>,
    /// Played after the greeting.
    pub prompt: Option<PromptName>,
}

/// A state of emergency that an operator switches on and off while the exchange runs: callers hear a prompt more, or wait
/// in a queue of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surge {
    /// Its name for the switch.
    pub name: String,
    /// Played after the greeting.
    pub prompt: Option<PromptName>,
    /// Where callers wait instead.
    pub queue: Option<QueueId>,
    /// On which lines; empty: on all.
    pub lines: Vec<LineNumber>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            name: String::new(),
            skill: String::new(),
            music: PromptName::new("music/waiting"),
            ring_ms: 15_000,
            max_wait_ms: None,
            overflow_prompt: PromptName::new("overflow"),
            max_waiting: 1_000,
            wrap_up_ms: 30_000,
            wrap_up_more_ms: 30_000,
            wrap_up_most_ms: 120_000,
            result: false,
            level: Level::LOWEST,
            choice: Choice::LongestIdle,
            ring_most: 5,
            age_ms: None,
            widen: Vec::new(),
            overflow: Vec::new(),
            announce: None,
            wish: None,
        }
    }
}

/// One step of widening: more seats may serve a call that has waited in its queue for so long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Widen {
    /// Waiting in this queue, milliseconds.
    pub after_ms: u32,
    /// Lowest level of the queue's own skill from then on.
    pub level: Option<Level>,
    /// Seats with one of these skills, at any level.
    pub skills: Vec<String>,
    /// Seats that serve one of these queues.
    pub queues: Vec<QueueId>,
}

/// A rule by which a call leaves its queue: for another one, for another site, or for a message and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// When.
    pub when: OverflowWhen,
    /// Where to.
    pub to: OverflowTo,
}

/// When a rule of overflow holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowWhen {
    /// The call has waited in this queue so many milliseconds.
    Waited(u32),
    /// So many wait already when the call comes.
    Waiting(u32),
    /// The expected wait is at least so many milliseconds when the call comes.
    Expected(u32),
    /// No seat that serves the queue is signed in, when the call comes or later.
    NoSeats,
}

impl OverflowWhen {
    /// Its word in records.
    pub fn why(self) -> OverflowWhy {
        match self {
            OverflowWhen::Waited(_) => OverflowWhy::Waited,
            OverflowWhen::Waiting(_) => OverflowWhy::Full,
            OverflowWhen::Expected(_) => OverflowWhy::Expected,
            OverflowWhen::NoSeats => OverflowWhy::NoSeats,
        }
    }
}

/// A seat of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    /// Its number.
    pub id: SeatId,
    /// Name for displays.
    pub name: String,
    /// Skills it lends to whoever signs in by its phone and is not in the plan, in the plan's words.
    pub skills: Vec<(String, Level)>,
    /// Fixed contact (SIP URI) for phones that do not register.
    pub contact: Option<String>,
    /// Whether its phone is asked to answer by itself: a headset is on.
    pub auto_answer: bool,
}

/// A trunk of the plan: how it is recognised and how it is spoken to. Secrets are not here.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    /// Its place in the first plan of a run; a later plan keeps it by the name.
    pub id: TrunkId,
    /// Name in records: `telecom-1`.
    pub name: String,
    /// Name of the network (listeners) it uses.
    pub network: String,
    /// Addresses it sends from.
    pub sources: Vec<Cidr>,
    /// Name in its TLS certificate (SAN) that proves it, when recognised by TLS.
    pub tls_identity: Option<String>,
    /// Where we send calls and OPTIONS: SIP URI of the carrier, for example `sip:10.0.0.1:5060;transport=udp`.
    pub address: Option<String>,
    /// We register there with this user (password in the secrets file).
    pub register: Option<TrunkRegister>,
    /// Where the called number stands.
    pub called_from: CalledFrom,
    /// Local area code without 0 for normalising calling numbers, for example "816" (Mianyang).
    pub area_code: String,
    /// What is behind it.
    pub reaches: Reaches,
    /// How audio travels where its signalling runs over TLS.
    pub media_over_tls: TlsMedia,
    /// Most calls at a time; `None`: no limit.
    pub max_calls: Option<u32>,
    /// Most new calls a second; `None`: no limit.
    pub max_calls_per_s: Option<u32>,
    /// Seconds between OPTIONS; `None`: no health check.
    pub options_s: Option<u32>,
    /// What an outgoing call shows as its caller.
    pub caller_policy: CallerPolicy,
    /// Group for failover, with order and weight.
    pub group: Option<TrunkGroup>,
}

words! {
    /// What is behind a trunk, which says whether a number dialled there may come back to us.
    Reaches {
        /// The public network: a number finds its own way there, ours lead back to us.
        Network = "network", "公网";
        /// One office over a line of its own: whatever is dialled stays there.
        Office = "office", "专线";
        /// Another hotline's platform: it keeps what it has seats for and sends the rest of our lines back.
        Platform = "platform", "热线平台";
    }
}

/// An address range, whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// Network address.
    pub address: std::net::IpAddr,
    /// Length of the prefix in bits.
    pub prefix: u8,
}

impl Cidr {
    /// Whether an address lies in the range; IPv4 written as IPv6 counts as IPv4.
    pub fn contains(&self, address: std::net::IpAddr) -> bool {
        use std::net::IpAddr::{V4, V6};
        match (self.address, address.to_canonical()) {
            (V4(net), V4(a)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                u32::from(net).checked_shr(shift).unwrap_or(0) == u32::from(a).checked_shr(shift).unwrap_or(0)
            }
            (V6(net), V6(a)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                u128::from(net).checked_shr(shift).unwrap_or(0) == u128::from(a).checked_shr(shift).unwrap_or(0)
            }
            (V4(_), V6(_)) | (V6(_), V4(_)) => false,
        }
    }
}

/// Where a trunk's carrier puts the number that was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CalledFrom {
    /// User part of the Request-URI.
    #[default]
    RequestUri,
    /// User part of To.
    To,
    /// P-Called-Party-ID (RFC 7315 4.2).
    PCalledPartyId,
}

/// Our registration at a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkRegister {
    /// User, also the address of record's user part.
    pub user: String,
    /// Domain of the address of record and digest realm, if it differs from the trunk's address.
    pub domain: Option<String>,
    /// Wished duration in seconds (default 3,600).
    pub expires_s: u32,
}

/// Caller number of an outgoing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerPolicy {
    /// Our own number, always.
    Own(LineNumber),
    /// The citizen's number in From and P-Asserted-Identity, ours in Diversion.
    Callers {
        /// Put into Diversion.
        diversion: LineNumber,
    },
    /// By the line dialled; `own` where the line has no entry.
    Mapped {
        /// Line to number shown.
        by_line: BTreeMap<LineNumber, LineNumber>,
        /// Otherwise.
        own: LineNumber,
    },
}

/// Membership of a failover group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkGroup {
    /// Name.
    pub name: String,
    /// Lower is tried first.
    pub order: u16,
    /// Share among those of one order, 1 to 100.
    pub weight: u8,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Route<'a> {
    /// One of our lines, and what happens to its calls now.
    Line {
        /// The line dialled.
        line: &'a Line,
        /// Its phase of now.
        phase: &'a Phase,
        /// What that phase says.
        service: &'a Service,
        /// The branch on whose trunk the call came and whose seats take it.
        branch: Option<&'a Branch>,
    },
    /// A feature code of a seat.
    Feature(FeatureCode),
    /// Nobody has this number.
    NoSuchNumber,
}

/// What a seat's phone can dial for itself. Presence by phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureCode {
    /// `*41`: sign in and ready.
    Ready,
    /// `*42`: not ready.
    NotReady,
    /// `*43`: sign out.
    SignOut,
    /// `*40`: sign in, not ready yet.
    SignIn,
}
