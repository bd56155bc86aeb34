//! One leg: the state of one party's signalling. States exclude each other; each holds what only it needs.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::sip::auth;
use crate::sip::dialog::accepted::{AwaitAck, SentAck};
use crate::sip::dialog::forks::Forks;
use crate::sip::dialog::glare::Offers;
use crate::sip::dialog::reliable::{ReliableReceiver, ReliableSender};
use crate::sip::dialog::session_timer::{SessionTimer, Wish as SessionWish};
use crate::sip::dialog::{Dialog, DialogId};
use crate::sip::flow::{Flow, Hop, Transport};
use crate::sip::message::{HeaderName, Message, Scheme, Uri};
use crate::sip::transaction::{ClientId, ServerId};
use crate::sip::trunk;
use crate::types::{CallId, Cause, Dial, Digit, LegId, Mono, Origin, TrunkId};

use super::audio::Audio;

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    /// Its call, known from the first command on.
    pub(super) call: Option<CallId>,
    pub(super) party: Origin,
    /// Keys under which its dialogs are found.
    pub(super) dialogs: Vec<DialogKey>,
    pub(super) state: State,
}

/// Where a leg is.
#[derive(Debug)]
pub(super) enum State {
    /// An incoming INVITE without final answer.
    Arriving(Box<Arriving>),
    /// We have sent INVITEs.
    Dialling(Box<Dialling>),
    /// Answered, by us or by the far end, until a BYE.
    Up(Box<Up>),
}

/// An incoming INVITE without final answer.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) server: ServerId,
    pub(super) invite: Message,
    pub(super) flow: Flow,
    pub(super) dialog: Dialog,
    pub(super) audio: Audio,
    pub(super) reliable: ReliableSender,
    pub(super) peer: Peer,
    pub(super) offer: OfferState,
    /// `Answer` was wanted while a 183 with media waits for its PRACK (RFC 3262 3: no 2xx before).
    pub(super) answer_wanted: bool,
    pub(super) offers: Offers,
}

/// How far offer and answer of an INVITE have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfferState {
    /// The INVITE carried an offer that we have not answered.
    Theirs,
    /// The INVITE carried none: we shall offer.
    Ours,
    /// We have offered in a response; the answer comes in PRACK or ACK.
    Sent,
    /// Agreed.
    Done,
}

/// What the far end can do, from its Supported, Require and Allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peer {
    /// It takes reliable provisional responses.
    pub(super) reliable: bool,
    /// It insists on them.
    pub(super) requires_reliable: bool,
    /// It takes UPDATE.
    pub(super) update: bool,
}

impl Peer {
    pub(super) fn of(message: &Message) -> Self {
        let requires_reliable = message.has_token(HeaderName::Require, "100rel");
        Self {
            reliable: requires_reliable || message.has_token(HeaderName::Supported, "100rel"),
            requires_reliable,
            update: message.has_token(HeaderName::Allow, "UPDATE"),
        }
    }
}

/// A leg that is being dialled: one branch a contact of a seat (at once), or one a trunk (one after the other).
#[derive(Debug)]
pub(super) struct Dialling {
    pub(super) dial: Dial,
    pub(super) branches: Vec<Branch>,
    /// Trunks that were tried.
    pub(super) tried: Vec<TrunkId>,
    /// Whether `Ringing` was reported.
    pub(super) ringing: bool,
    /// Whether the far end is heard before its answer.
    pub(super) heard: bool,
    /// The best failure so far, reported when no branch is left.
    pub(super) failure: Option<(Cause, Option<u16>)>,
    /// Set when the core has hung up: branches are being cancelled.
    pub(super) withdrawn: Option<Cause>,
}

/// One INVITE under a dialled leg.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) client: ClientId,
    /// The INVITE as sent and the dialogs that responses to it have made.
    pub(super) forks: Forks,
    pub(super) hop: Hop,
    pub(super) audio: Audio,
    pub(super) trunk: Option<TrunkId>,
    pub(super) session: SessionWish,
    /// What provisional responses have brought, by the far end's tag.
    pub(super) early: BTreeMap<Box<str>, Early>,
    /// When it is given up for want of any response; `None` once one has come.
    pub(super) give_up: Option<Mono>,
    /// Answers the far end's challenges.
    pub(super) auth: Option<auth::Client>,
    pub(super) offers: Offers,
}

/// An early dialog of a branch.
#[derive(Debug, Default)]
pub(super) struct Early {
    pub(super) receiver: ReliableReceiver,
    /// What it describes: each dialog of a forked INVITE does for itself (RFC 3261 13.2.2.4).
    pub(super) described: Option<Described>,
}

/// A description in a provisional response.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) sdp: Bytes,
    /// It came reliably, so that it is the answer to our offer; otherwise that is in the 2xx (RFC 3261 13.2.1, RFC 3262 5).
    pub(super) is_answer: bool,
}

/// An answered leg.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) dialog: Dialog,
    /// The way by which the far end spoke last; requests go back there where the remote target is no plain address.
    pub(super) flow: Flow,
    pub(super) audio: Audio,
    pub(super) peer: Peer,
    pub(super) timer: SessionTimer,
    pub(super) offers: Offers,
    pub(super) role: Role,
    /// Our re-INVITE, UPDATE, probe or INFO in progress.
    pub(super) ours: Option<Ours>,
    /// Their re-INVITE whose 2xx we sent: waits for its ACK.
    pub(super) theirs: Option<Theirs>,
    /// The ACK of our last INVITE, to be repeated when its 2xx is.
    pub(super) ack: Option<SentAck>,
    /// Our last re-INVITE, whose 2xx may come again after the leg has ended.
    pub(super) accepted: Option<ClientId>,
    /// What we still want to ask, in order.
    pub(super) wishes: VecDeque<Wish>,
    /// When the next wish may be tried: after a 491, or while no way leads to the far end.
    pub(super) wait: Option<Mono>,
    /// No way leads to the far end; the leg ends then.
    pub(super) away: Option<Mono>,
    /// Hung up before the ACK: the BYE goes out when the ACK is there or given up (RFC 3261 15).
    pub(super) ending: Option<Cause>,
    /// The largest Min-SE that a 422 of the far end has named, seconds (RFC 4028 7.4).
    pub(super) min_se_s: u32,
    /// Whether `Held(true)` was reported.
    pub(super) held: bool,
    /// The far end has asked for somebody else by REFER and waits for what comes of it.
    pub(super) asked: Option<Asked>,
}

impl Up {
    pub(super) fn new(
        dialog: Dialog,
        flow: Flow,
        audio: Audio,
        peer: Peer,
        timer: SessionTimer,
        offers: Offers,
        role: Role,
    ) -> Self {
        Self {
            dialog,
            flow,
            audio,
            peer,
            timer,
            offers,
            role,
            ours: None,
            theirs: None,
            ack: None,
            accepted: None,
            wishes: VecDeque::new(),
            wait: None,
            away: None,
            ending: None,
            min_se_s: 0,
            held: false,
            asked: None,
        }
    }

    /// Hold and take-back follow each other quickly under a nervous finger; more than this many waiting is a fault.
    pub(super) const MOST_WISHES: usize = 16;
}

/// A REFER that we have taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its CSeq, by which the NOTIFYs name it (RFC 3515 2.4.6).
    pub(super) cseq: u32,
    /// Whether the far end is told (RFC 4488).
    pub(super) is_told: bool,
    /// Whether it was told that it rings.
    pub(super) rings: bool,
}

/// How the dialog began.
#[derive(Debug)]
pub(super) enum Role {
    /// They called and have our 2xx; `None` once its ACK has come.
    Callee(Option<Theirs>),
    /// We called.
    Caller,
}

/// A request of ours inside the dialog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ours {
    pub(super) client: ClientId,
    pub(super) wish: Wish,
    pub(super) cseq: u32,
    pub(super) method: OurMethod,
    /// Its connection broke before its answer came.
    pub(super) is_cut_off: bool,
}

/// What carries a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OurMethod {
    /// With an offer.
    Invite,
    /// Without an offer.
    Update,
    /// OPTIONS or INFO.
    Other,
}

/// An INVITE of theirs that we have answered with 2xx.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) server: ServerId,
    pub(super) await_ack: AwaitAck,
    /// Whether its ACK must carry the answer to our offer.
    pub(super) answer_due: bool,
}

/// What we want from the far end in the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Hold it, or take it back.
    Hold(bool),
    /// Refresh the session timer.
    Refresh,
    /// Find out whether it is alive after a silence.
    Probe,
    /// Send a key by INFO.
    Digit(Digit),
}

/// What a client transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An INVITE under a dialled leg, or one that has become the answered leg's.
    Invite(LegId),
    /// A request of ours in a leg's dialog.
    InDialog(LegId),
    /// An INVITE whose leg has its winner or is gone; more 2xx may come.
    Ghost,
    /// A re-INVITE whose leg is gone; a 2xx may come, first or again, and wants its ACK.
    Parted,
    /// The BYE of a dialog that is over for us.
    Bye,
    /// A PRACK or NOTIFY whose outcome changes nothing.
    Courtesy,
    /// Health check of a trunk, or our registration there.
    Carrier(TrunkId, trunk::Purpose),
}

/// An INVITE that outlives its place in a leg.
#[derive(Debug)]
pub(super) struct Ghost {
    pub(super) leg: LegId,
    pub(super) forks: Forks,
    pub(super) hop: Hop,
}

/// Key under which a dialog is found.
pub(super) type DialogKey = DialogId;

impl Leg {
    /// The way by which the far end's last request of its dialog came, or its answer.
    pub(super) fn flow(&self) -> Option<&Flow> {
        match &self.state {
            State::Arriving(arriving) => Some(&arriving.flow),
            State::Up(up) => Some(&up.flow),
            State::Dialling(_) => None,
        }
    }

    /// The INVITE that founded the leg, while its caller waits for our answer or owes us the ACK.
    pub(super) fn unanswered(&self) -> Option<ServerId> {
        match &self.state {
            State::Arriving(arriving) => Some(arriving.server),
            State::Up(up) => match &up.role {
                Role::Callee(theirs) => theirs.as_ref().map(|theirs| theirs.server),
                Role::Caller => None,
            },
            State::Dialling(_) => None,
        }
    }

    /// When the leg wants `tick`.
    pub(super) fn deadline(&self) -> Option<Mono> {
        match &self.state {
            State::Arriving(arriving) => arriving.reliable.deadline(),
            State::Dialling(dialling) => dialling.branches.iter().filter_map(|b| b.give_up).min(),
            State::Up(up) => up.deadline(),
        }
    }
}

impl Up {
    fn deadline(&self) -> Option<Mono> {
        let first = match &self.role {
            Role::Callee(theirs) => theirs.as_ref().map(|t| t.await_ack.deadline()),
            Role::Caller => None,
        };
        let theirs = self.theirs.as_ref().map(|t| t.await_ack.deadline());
        [first, theirs, self.wait, self.away, Some(self.timer.deadline())].into_iter().flatten().min()
    }
}

/// A SIP URI's address as a place to send to, when it is numeric.
pub(super) fn numeric_hop(uri: &Uri, flow: &Flow) -> Option<Hop> {
    let ip = uri.ip()?;
    let transport = match uri.param("transport") {
        Some(name) => Transport::parse(name)?,
        None if uri.scheme() == Scheme::Sips => Transport::Tls,
        None => flow.transport,
    };
    let port = uri.port().unwrap_or_else(|| transport.default_port());
    Some(Hop::to(flow.network, transport, (ip, port).into()))
}
