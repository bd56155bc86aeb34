//! The watcher on the wire and over the ledger: what goes out is looked at as a stranger would, with the RFCs in hand.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use bytes::Bytes;
use yihao::exchange::Output;
use yihao::sip::dialog::DialogId;
use yihao::sip::message::{Message, Method};
use yihao::types::{CallEvent, CallId, Cause, Fate, LegId, OfferId, Row, SeatId};

/// What the ledger says of one call.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) fate: Option<Fate>,
    /// Open offers with their legs; `None` once the leg is gone.
    offers: BTreeMap<OfferId, Option<LegId>>,
    /// Who has it, on which leg.
    talks: Option<(SeatId, LegId)>,
    /// A seat has talked with the caller: the fate says so, whatever follows.
    talked: bool,
    /// Somebody outside has answered.
    outside: bool,
    /// No INVITE began it: a desk has ordered it.
    pub(crate) ordered: bool,
}

impl Page {
    fn new(ordered: bool) -> Page {
        Page { fate: None, offers: BTreeMap::new(), talks: None, talked: false, outside: false, ordered }
    }
}

/// Whether new calls were taken when an INVITE came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Door {
    #[default]
    Open,
    /// The disk is full, and the setting says that calls which cannot be recorded are refused.
    DiskFull,
    /// The exchange is drained.
    Draining,
}

/// An INVITE outside of dialogs.
#[derive(Clone, Debug)]
pub(crate) struct Invited {
    pub(crate) call_id: String,
    pub(crate) door: Door,
    /// A phone calls an emergency service: that door is never shut.
    urgent: bool,
    /// Our final answer.
    pub(crate) status: Option<u16>,
}

/// What a description of ours says of one stream: its port, and which way audio flows as we see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) port: u16,
    pub(crate) direction: String,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) pages: BTreeMap<CallId, Page>,
    by_call_id: BTreeMap<String, CallId>,
    /// How often the same bytes went to the same place.
    sends: BTreeMap<u64, u32>,
    /// Final answers to INVITEs by branch and sequence.
    finals: BTreeMap<(String, u32, String), (u16, String)>,
    /// Dialogs that we ended, or agreed to end.
    parted: BTreeMap<DialogId, u32>,
    /// INVITEs outside of dialogs that reached the exchange and proved themselves or needed not to, by branch.
    pub(crate) invites: BTreeMap<String, Invited>,
    /// What new calls find.
    pub(crate) door: Door,
    /// Answers of ours to offers in this turn: the engine must know of them at its end.
    pub(crate) promises: Vec<Promise>,
    /// Descriptions in reliable responses of ours that wait for their PRACK, by Call-ID: no 2xx before it (RFC 3262 3).
    unconfirmed: BTreeMap<String, u32>,
    pub(crate) faults: Vec<String>,
}

/// The same bytes go out at most so often: 2xx and 183 are repeated eleven times, and once for each repeated request.
const MOST_SENDS: u32 = 60;

impl Books {
    /// A message has reached the exchange: INVITEs outside of dialogs are counted, PRACKs are noted. Gives the Call-ID of such an
    /// INVITE.
    pub(crate) fn arrived(&mut self, bytes: &Bytes, wants_proof: bool) -> Option<String> {
        if !bytes.starts_with(b"INVITE ") && !bytes.starts_with(b"PRACK ") {
            return None;
        }
        let message = Message::parse(bytes.clone()).ok()?;
        if let Some(rack) = message.rack() {
            let waits = self.unconfirmed.get(message.call_id());
            if waits == Some(&rack.rseq) {
                self.unconfirmed.remove(message.call_id());
            }
            return None;
        }
        let unproved = wants_proof && message.authorization().is_empty();
        if message.to_tag().is_some() || unproved {
            return None;
        }
        let (call_id, door) = (message.call_id().to_owned(), self.door);
        let branch = message.branch().unwrap_or_default().to_owned();
        let urgent = message.request_uri().is_some_and(|uri| uri.user() == Some("110"));
        self.invites.entry(branch).or_insert(Invited { call_id: call_id.clone(), door, urgent, status: None });
        Some(call_id)
    }

    /// Whether a call with this Call-ID is in the ledger and has no fate.
    pub(crate) fn is_alive(&self, call_id: &str) -> bool {
        self.by_call_id.contains_key(call_id) && self.fate(call_id).is_none()
    }

    /// The outputs of one turn. Rows are written before anything is sent, so they are read first.
    pub(crate) fn turn(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let Output::Ledger(row) = output {
                self.row(row);
            }
        }
        for output in outputs {
            if let Output::Send(transmit) = output {
                self.sent(transmit.hop.remote, &transmit.bytes);
            }
        }
    }

    fn row(&mut self, row: &Row) {
        if let CallEvent::Arrived { call_id, .. } = &row.event {
            if self.pages.insert(row.call, Page::new(false)).is_some() {
                self.faults.push(format!("{} arrives twice", row.call));
            }
            self.by_call_id.insert(call_id.clone(), row.call);
            return;
        }
        if matches!(row.event, CallEvent::Placed { .. }) {
            self.pages.entry(row.call).or_insert(Page::new(true));
        }
        let Some(page) = self.pages.get_mut(&row.call) else {
            return self.faults.push(format!("a row of {} before it arrived", row.call));
        };
        let follows = matches!(
            row.event,
            CallEvent::LegEnded { .. }
                | CallEvent::Quality { .. }
                | CallEvent::Result { .. }
                | CallEvent::Healed { .. }
        );
        if page.fate.is_some() && !follows {
            self.faults.push(format!("{} has rows after its end: {:?}", row.call, row.event));
        }
        match &row.event {
            CallEvent::Offered { offer, leg, .. } => {
                if page.offers.values().any(Option::is_some) || page.talks.is_some() {
                    self.faults.push(format!("{} has two owners", row.call));
                }
                page.offers.insert(*offer, Some(*leg));
            }
            CallEvent::OfferEnded { offer, .. } => {
                if page.offers.remove(offer).is_none() {
                    self.faults.push(format!("{}: an offer ends that was not open", row.call));
                }
            }
            CallEvent::Talking { seat, leg, .. } => {
                page.offers.clear();
                (page.talks, page.talked) = (Some((*seat, *leg)), true);
            }
            CallEvent::AnsweredOutside { .. } => {
                if page.talks.is_some() || std::mem::replace(&mut page.outside, true) {
                    self.faults.push(format!("{} has two owners", row.call));
                }
            }
            CallEvent::Ended { fate } => {
                let cut = matches!(fate, Fate::CutByDrain);
                let talked = matches!(fate, Fate::Answered { .. } | Fate::Reached { .. });
                let outside = matches!(fate, Fate::AnsweredOutside);
                // Who waits again, and is lost then, has failed.
                let lost = matches!(fate, Fate::Failed { .. }) && page.talks.is_none();
                let fits = if page.talked { talked || lost } else { !talked && outside == page.outside };
                if !cut && !fits {
                    self.faults.push(format!("{} ends {fate:?} and talked with {:?}", row.call, page.talks));
                }
                page.fate = Some(*fate);
            }
            CallEvent::LegEnded { leg, cause, .. } => {
                // An agent who is lost leaves a caller who waits in front of all others.
                page.talks.take_if(|(_, talks)| *talks == *leg && *cause != Cause::HungUp);
                for offered in page.offers.values_mut().filter(|offered| **offered == Some(*leg)) {
                    *offered = None;
                }
            }
            CallEvent::Arrived { .. }
            | CallEvent::Greeted { .. }
            | CallEvent::AnsweredByExchange
            | CallEvent::Marked { .. }
            | CallEvent::Queued { .. }
            | CallEvent::Widened { .. }
            | CallEvent::Announced { .. }
            | CallEvent::Overflowed { .. }
            | CallEvent::Wish { .. }
            | CallEvent::Placed { .. }
            | CallEvent::Dialled { .. }
            | CallEvent::Result { .. }
            | CallEvent::Healed { .. }
            | CallEvent::Ringing { .. }
            | CallEvent::TransferBegun { .. }
            | CallEvent::TransferAnswered { .. }
            | CallEvent::TransferJoined
            | CallEvent::TransferEnded { .. }
            | CallEvent::Supervised { .. }
            | CallEvent::Held { .. }
            | CallEvent::Digit { .. }
            | CallEvent::Recording { .. }
            | CallEvent::RecordingFailed { .. }
            | CallEvent::Quality { .. } => {}
        }
    }

    fn sent(&mut self, to: SocketAddr, bytes: &Bytes) {
        let mut hasher = DefaultHasher::new();
        (to, bytes).hash(&mut hasher);
        let times = self.sends.entry(hasher.finish()).or_default();
        *times += 1;
        if *times > 1 {
            if *times > MOST_SENDS && bytes.len() > 4 {
                self.faults.push(format!("sent {times} times: {}", String::from_utf8_lossy(bytes)));
            }
            return;
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let message = match Message::parse(bytes.clone()) {
            Ok(message) => message,
            Err(error) => return self.faults.push(format!("sent what cannot be read: {error:?}")),
        };
        if message.is_request() { self.sent_request(&message) } else { self.sent_response(&message) }
    }

    fn sent_request(&mut self, message: &Message) {
        if message.to_tag().is_none() || matches!(message.method(), Method::Ack | Method::Cancel) {
            return;
        }
        let id = DialogId::of_response(message);
        let cseq = message.cseq_number();
        match self.parted.get(&id) {
            // Over a stream a BYE comes again when its answer went with the connection.
            Some(parted) if *parted != u32::MAX && *message.method() == Method::Bye && over_stream(message) => {
                self.parted.insert(id, cseq);
            }
            Some(parted) if *parted != cseq => {
                self.faults.push(format!("{} after the end of its dialog {id:?}", message.method().as_str()));
            }
            Some(_) => {}
            None if *message.method() == Method::Bye => drop(self.parted.insert(id, cseq)),
            None => {}
        }
    }

    fn sent_response(&mut self, message: &Message) {
        let status = message.status().unwrap_or(0);
        if *message.method() == Method::Bye && status == 200 {
            // They hung up: nothing of ours may follow.
            self.parted.entry(DialogId::of_request(message)).or_insert(u32::MAX);
        }
        if *message.method() != Method::Invite {
            return;
        }
        let refused_early = matches!(status, 503 | 484 | 400 | 482 | 401 | 403);
        if (200..300).contains(&status) {
            self.promises.extend(promise_of(message));
        }
        let invited = self.invites.get_mut(message.branch().unwrap_or_default());
        let is_new = invited.is_some();
        if let Some(invited) = invited.filter(|_| status >= 200) {
            invited.status = Some(status);
        }
        if is_new && !self.by_call_id.contains_key(message.call_id()) && !refused_early {
            self.faults.push(format!("{status} to an INVITE that the ledger does not know"));
        }
        let key =
            (message.branch().unwrap_or_default().to_owned(), message.cseq_number(), message.call_id().to_owned());
        let this = (status, message.to_tag().unwrap_or_default().to_owned());
        if status == 503 && message.header_named("Retry-After").is_none() {
            self.faults.push("503 without Retry-After".to_owned());
        }
        self.look_at_reliable(message, status);
        match self.finals.get(&key) {
            Some(before) if *before != this => {
                self.faults.push(format!("{status} after {} to one INVITE", before.0));
            }
            Some(_) => {}
            None if status >= 200 => drop(self.finals.insert(key, this)),
            None => {}
        }
    }

    /// A 2xx waits for the PRACK of a description that was sent reliably.
    fn look_at_reliable(&mut self, message: &Message, status: u16) {
        let call_id = message.call_id();
        match (status, message.rseq()) {
            (101..200, Some(rseq)) if !message.body().is_empty() => {
                let _before = self.unconfirmed.insert(call_id.to_owned(), rseq);
            }
            (200..300, _) if self.unconfirmed.contains_key(call_id) => {
                self.faults.push(format!("{status} of {call_id} though a description still waits for its PRACK"));
            }
            (300.., _) => drop(self.unconfirmed.remove(call_id)),
            _ => {}
        }
    }

    /// Whoever came while the door was shut was refused, and nobody else for that reason.
    pub(crate) fn look_at_doors(&self) {
        for invited in self.invites.values() {
            let fate = self.fate(&invited.call_id);
            // Strangers are told another reason, or nothing at all.
            let is_refused = matches!(invited.status, None | Some(403 | 503));
            let fits = match (invited.door, fate) {
                (Door::Open, fate) => fate != Some(DRAINED),
                (Door::DiskFull, fate) => fate.is_none() && is_refused,
                // A full trunk refuses before the exchange is asked.
                (Door::Draining, fate) if invited.urgent => fate != Some(DRAINED),
                (Door::Draining, fate) => fate.is_none_or(|fate| fate == DRAINED) && is_refused,
            };
            assert!(fits, "the door is kept badly: {invited:?}, {fate:?}");
        }
    }

    /// The fate of the call with this Call-ID.
    pub(crate) fn fate(&self, call_id: &str) -> Option<Fate> {
        self.pages.get(self.by_call_id.get(call_id)?)?.fate
    }
}

const DRAINED: Fate = Fate::Refused { cause: Cause::Restart };

/// What the description in a message promises of its audio.
fn promise_of(message: &Message) -> Option<Promise> {
    let text = str::from_utf8(message.body()).ok()?;
    let port = text.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())?;
    let ways = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let direction = text.lines().find_map(|line| ways.iter().find(|way| line.strip_prefix("a=") == Some(way)));
    Some(Promise { port, direction: (*direction.unwrap_or(&"sendrecv")).to_owned() })
}

fn over_stream(message: &Message) -> bool {
    message.vias().is_ok_and(|vias| vias.first().is_some_and(|via| via.transport.is_reliable()))
}
