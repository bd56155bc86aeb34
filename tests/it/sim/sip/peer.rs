//! A SIP user agent of the world: a carrier's switch or a seat's phone. Built on transactions and dialogs, not on the
//! endpoint, and obedient only to its script.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use yihao::sip::auth;
use yihao::sip::dialog::accepted::{AckDue, AwaitAck, SentAck};
use yihao::sip::dialog::reliable::{Fit, PrackDue, ReliableReceiver, ReliableSender};
use yihao::sip::dialog::{Dialog, DialogId, Stamp};
use yihao::sip::flow::{Flow, Hop, Transport};
use yihao::sip::message::{HeaderName, Message, Method, NameAddr, RAck};
use yihao::sip::transaction::{
    By, ClientId, Event, Outgoing, ServerId, Settings, Timers, Transactions, Transmit, response,
};
use yihao::types::{Mono, NetworkId};

use super::script::{Act, Script};
use super::words::{Audio, Invite, contact, has_sdp};
use crate::sim::dice::Dice;

/// Where a call of a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Trying,
    Up,
    /// Its own BYE is on the way.
    Leaving,
    Over,
    /// Gone without a word.
    Vanished,
}

/// How a call of a peer went, as the peer saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: Option<u16>,
    pub(crate) cancelled: bool,
    pub(crate) we_left: bool,
    pub(crate) they_left: bool,
    pub(crate) unacknowledged: bool,
    /// The second branch hung up.
    pub(crate) branch_left: bool,
    /// Our BYE was refused: there was no such dialog any more.
    pub(crate) bye_refused: bool,
    /// Our BYE went with its connection, perhaps on its way back only.
    pub(crate) bye_again: bool,
    /// Its connection broke while it was in the middle of an INVITE.
    pub(crate) cut_off: bool,
}

/// One dialog of a call; a forking proxy makes two.
pub(crate) struct Branch {
    pub(crate) dialog: Dialog,
    pub(crate) ok: Option<AwaitAck>,
    pub(crate) ok_server: Option<ServerId>,
    /// The ACKs it has sent: each 2xx that comes again gets its own.
    pub(crate) acks: Vec<SentAck>,
    pub(crate) byes: u32,
    /// Reliable responses of this branch of a phone.
    pub(crate) sender: Option<ReliableSender>,
    /// The answer waits for a PRACK.
    pub(crate) answer_due: bool,
    /// It has described its audio in a reliable response.
    pub(crate) described: bool,
    /// It has answered the INVITE.
    pub(crate) up: bool,
}

impl Branch {
    pub(crate) fn new(dialog: Dialog) -> Branch {
        Branch {
            dialog,
            ok: None,
            ok_server: None,
            acks: Vec::new(),
            byes: 0,
            sender: None,
            answer_due: false,
            described: false,
            up: false,
        }
    }
}

/// One call of a peer.
pub(crate) struct Talk {
    pub(crate) script: Script,
    pub(crate) user: String,
    pub(crate) number: String,
    pub(crate) phase: Phase,
    pub(crate) seen: Seen,
    pub(crate) call_id: String,
    pub(crate) audio: Audio,
    pub(crate) invite: Message,
    pub(crate) client: Option<ClientId>,
    pub(crate) server: Option<(ServerId, Flow)>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) received: ReliableReceiver,
    /// Reliable responses that wait for our PRACK, and whether it must bring the answer.
    pub(crate) owed: VecDeque<(RAck, bool)>,
    /// Their re-INVITE that waits for our answer, in which branch.
    pub(crate) asked: Option<(ServerId, Flow, Message, usize)>,
    /// Offer and answer of the INVITE are exchanged.
    pub(crate) agreed: bool,
    pub(crate) reinvite: Option<ClientId>,
    pub(crate) proofs_given: bool,
}

impl Talk {
    /// Whether anything is still to come. A phone that was called and has not answered may never learn that it is over.
    pub(crate) fn is_open(&self) -> bool {
        match self.phase {
            Phase::Trying => self.client.is_some(),
            Phase::Up | Phase::Leaving => true,
            Phase::Over | Phase::Vanished => false,
        }
    }

    /// Whether its timers run: a 2xx may outlive its call.
    pub(crate) fn wants_time(&self) -> bool {
        match self.phase {
            Phase::Trying | Phase::Up | Phase::Leaving => true,
            Phase::Over => self.branches.iter().any(|branch| branch.ok.is_some()),
            Phase::Vanished => false,
        }
    }

    /// Whether it went without a word.
    pub(crate) fn is_gone(&self) -> bool {
        self.phase == Phase::Vanished
    }

    /// The call is over: nothing is repeated any more, unless the party insists on the ACK of a re-INVITE.
    fn let_go(&mut self) {
        let first = self.server.as_ref().map(|_| self.invite.cseq_number());
        for branch in &mut self.branches {
            branch.sender = None;
            let is_first = |ok: &AwaitAck| first.is_some_and(|cseq| ok.is_ended_by(cseq));
            if self.script.stubborn_ms.is_none() || branch.ok.as_ref().is_some_and(is_first) {
                branch.ok = None;
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    Invite(u32),
    Reinvite(u32, u32),
    Bye(u32),
    Prack(u32),
    Register,
    Other,
}

pub(crate) struct Peer {
    pub(crate) at: SocketAddr,
    /// What it speaks over.
    pub(crate) transport: Transport,
    /// Where it registers next, and stands from then on.
    pub(crate) moving_to: Option<SocketAddr>,
    /// Where it stood before, and can still be reached; the latest is last.
    pub(crate) left: Vec<SocketAddr>,
    pub(crate) exchange: SocketAddr,
    pub(crate) seat: Option<u32>,
    /// A carrier that is called; it may want a proof of who calls.
    pub(crate) takes_calls: Option<bool>,
    /// Calls to it that brought one.
    pub(crate) proved: u32,
    pub(crate) transactions: Transactions,
    pub(crate) talks: BTreeMap<u32, Talk>,
    /// Calls whose timers run.
    pub(crate) live: Vec<u32>,
    pub(crate) jobs: BTreeMap<ClientId, Job>,
    pub(crate) dialogs: BTreeMap<DialogId, (u32, usize)>,
    pub(crate) servers: BTreeMap<ServerId, u32>,
    pub(crate) out: Vec<Transmit>,
    /// Acts to come: after so many milliseconds, which call.
    pub(crate) then: Vec<(u64, u32, Act)>,
    /// Neither hears nor says anything.
    pub(crate) gone: bool,
    pub(crate) storm: bool,
    pub(crate) dice: Dice,
    pub(crate) client: auth::Client,
    pub(crate) registrations: u32,
    pub(crate) registered_until: Mono,
    pub(crate) wish_s: u32,
    /// A REGISTER waits for its answer.
    pub(crate) registering: bool,
    pub(crate) next: u32,
    pub(crate) host: String,
    pub(crate) contact: NameAddr,
    /// What the exchange did wrong.
    pub(crate) faults: Vec<String>,
}

const TIMERS: Timers =
    Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };

impl Peer {
    pub(crate) fn new(
        (at, transport): (SocketAddr, Transport),
        exchange: SocketAddr,
        seat: Option<u32>,
        storm: bool,
        dice: Dice,
    ) -> Peer {
        let user = seat.map_or("trunk".to_owned(), |seat| seat.to_string());
        let secret = auth::Secret::Password(super::site::password(seat.unwrap_or_default()));
        Peer {
            at,
            transport,
            moving_to: None,
            left: Vec::new(),
            exchange,
            seat,
            takes_calls: None,
            proved: 0,
            transactions: Transactions::new(Settings { timers: TIMERS, ..Settings::default() }),
            talks: BTreeMap::new(),
            live: Vec::new(),
            jobs: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            servers: BTreeMap::new(),
            out: Vec::new(),
            then: Vec::new(),
            gone: false,
            storm,
            dice,
            client: auth::Client::new(&user, secret),
            registrations: 0,
            registered_until: Mono::default(),
            wish_s: 0,
            registering: false,
            next: 0,
            host: at.ip().to_string(),
            contact: contact(&user, at, transport),
            faults: Vec::new(),
        }
    }

    /// A carrier that serves calls over its trunk, and challenges some of them.
    pub(crate) fn taking_calls(self, challenges: bool) -> Peer {
        Peer { takes_calls: Some(challenges), ..self }
    }

    pub(crate) fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { network: NetworkId(0), transport: self.transport, local: self.at, remote, connection: None }
    }

    pub(crate) fn hop(&self) -> Hop {
        Hop::to(NetworkId(0), self.transport, self.exchange)
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| u8::try_from(self.dice.below(256)).expect("a byte"))
    }

    pub(crate) fn branch(&mut self) -> yihao::sip::transaction::Branch {
        yihao::sip::transaction::Branch::from_random(self.random())
    }

    /// A datagram has come.
    pub(crate) fn receive(&mut self, now: Mono, from: SocketAddr, bytes: Bytes) {
        if self.gone || bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let message = match Message::parse(bytes.clone()) {
            Ok(message) => message,
            Err(error) => return self.faults.push(format!("unreadable: {error:?}: {bytes:?}")),
        };
        let flow = self.flow(from);
        if let Some(event) = self.transactions.receive(now, &flow, message, &mut self.out) {
            self.on_event(now, event);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Mono) {
        while let Some(event) = self.transactions.tick(now, &mut self.out) {
            self.on_event(now, event);
        }
        for number in self.live.clone() {
            self.tick_talk(now, number);
        }
        let talks = &self.talks;
        self.live.retain(|number| talks[number].wants_time());
    }

    fn tick_talk(&mut self, now: Mono, number: u32) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        if !talk.wants_time() {
            return;
        }
        for branch in &mut talk.branches {
            match (branch.sender.as_mut().map(|sender| sender.tick(now)), talk.server) {
                (Some(PrackDue::Resend(bytes)), Some((server, _))) => {
                    let _late = self.transactions.respond(now, server, bytes, &mut self.out);
                }
                (Some(PrackDue::GiveUp), _) => {
                    branch.sender = None;
                    self.faults.push(format!("a reliable response of call {} got no PRACK", talk.call_id));
                }
                (Some(PrackDue::Resend(_) | PrackDue::Nothing) | None, _) => {}
            }
            let Some(ok) = &mut branch.ok else { continue };
            match ok.tick(now) {
                AckDue::Nothing => {}
                AckDue::Resend(bytes) => {
                    let server = branch.ok_server.expect("a 2xx has its transaction");
                    let _late = self.transactions.respond(now, server, bytes, &mut self.out);
                }
                AckDue::GiveUp => {
                    branch.ok = None;
                    talk.seen.unacknowledged = true;
                    self.faults.push(format!("a 2xx of call {} was never acknowledged", talk.call_id));
                }
            }
        }
    }

    pub(crate) fn deadline(&mut self) -> Option<Mono> {
        let talks = self.live.iter().filter_map(|number| self.talks.get(number)).flat_map(|talk| {
            let oks = talk.branches.iter().filter_map(|b| b.ok.as_ref().map(AwaitAck::deadline));
            let senders = talk.branches.iter().filter_map(|b| b.sender.as_ref().and_then(ReliableSender::deadline));
            oks.chain(senders)
        });
        let talks = talks.min();
        [talks, self.transactions.deadline()].into_iter().flatten().min()
    }

    fn on_event(&mut self, now: Mono, event: Event) {
        match event {
            Event::Request { id, flow, message, .. } => self.on_request(now, id, flow, &message),
            Event::Cancel { id, invite, flow, message } => self.on_cancel(now, id, invite, &flow, &message),
            Event::Ack { message, .. } => self.on_ack(now, &message),
            Event::Response { id, message, .. } => self.on_response(now, id, &message),
            Event::Timeout { id } => self.on_silence(id),
            Event::Failed { id } => self.on_swallowed(id),
            Event::Stray { message, .. } => self.on_stray(&message),
            Event::Over { .. }
            | Event::Unacknowledged { .. }
            | Event::Undeliverable { .. }
            | Event::Overload { .. } => {}
        }
    }

    /// A new call of its own.
    pub(crate) fn call(&mut self, now: Mono, number: &str, script: Script) -> u32 {
        self.next += 1;
        let talk = self.next;
        let call_id = format!("{}-{talk}@{}", self.dice.below(1 << 32), self.host);
        let user = match self.seat {
            Some(seat) => seat.to_string(),
            None => format!("138{:08}", self.dice.below(100_000_000)),
        };
        let audio = Audio { at: self.audio_at(talk), version: 1, odd: script.odd_codec, direction: "sendrecv" };
        let (invite, client) = self.send_invite(now, talk, (number, &user, &call_id, 1), &script, &audio, false);
        self.then.push((script.patience_ms, talk, Act::GiveUp));
        self.then.extend(script.vanish_ms.map(|ms| (ms, talk, Act::Vanish)));
        let state = Talk {
            agreed: false,
            script,
            user,
            number: number.to_owned(),
            phase: Phase::Trying,
            seen: Seen::default(),
            call_id,
            audio,
            invite,
            client: Some(client),
            server: None,
            branches: Vec::new(),
            received: ReliableReceiver::default(),
            owed: VecDeque::new(),
            asked: None,
            reinvite: None,
            proofs_given: false,
        };
        self.talks.insert(talk, state);
        self.live.push(talk);
        talk
    }

    pub(crate) fn audio_at(&self, talk: u32) -> SocketAddr {
        SocketAddr::new(self.at.ip(), 20_000 + 2 * u16::try_from(talk % 20_000).expect("below 20,000"))
    }

    fn send_invite(
        &mut self,
        now: Mono,
        talk: u32,
        (number, user, call_id, cseq): (&str, &str, &str, u32),
        script: &Script,
        audio: &Audio,
        proves: bool,
    ) -> (Message, ClientId) {
        let branch = self.branch();
        let cnonce = self.random();
        let uri = format!("sip:{number}@{}", self.exchange);
        let sdp = script.offers.then(|| audio.write());
        let body = sdp.clone().unwrap_or_default();
        let proofs = match proves {
            true => self.client.authorize("INVITE", &uri, body.as_bytes(), cnonce),
            false => Vec::new(),
        };
        let tag = format!("c{talk}");
        let (from, to, transport) = (self.at, self.exchange, self.transport);
        let invite =
            Invite { number, user, from, to, transport, call_id, tag: &tag, cseq, branch: &branch, sdp, proofs };
        let bytes = invite.write(script);
        let message = Message::parse(bytes.clone()).expect("peers write sound messages");
        let hop = self.hop();
        let client = self
            .transactions
            .request(now, Outgoing::new(Method::Invite, branch, bytes), hop, &mut self.out)
            .expect("peers have room");
        self.jobs.insert(client, Job::Invite(talk));
        (message, client)
    }

    /// Its connection is gone: what has not been answered is not going to be.
    pub(crate) fn lose_connection(&mut self, now: Mono) {
        self.registered_until = Mono::default();
        // A carrier listens where its Via says and waits there for the answers to its calls; a telephone knows nothing of them
        // any more.
        let waits = self.seat.is_none();
        let is_lost = |talk: &&mut Talk| talk.phase == Phase::Trying && !waits || talk.reinvite.is_some();
        for talk in self.talks.values_mut().filter(is_lost) {
            talk.seen.cut_off = true;
        }
        let is_kept = |job: &Job| waits && matches!(job, Job::Invite(_));
        let asked: Vec<ClientId> = self.jobs.iter().filter(|(_, job)| !is_kept(job)).map(|(id, _)| *id).collect();
        for id in asked {
            if let Some(event) = self.transactions.transport_failed(By::Client(id), &mut self.out) {
                self.on_event(now, event);
            }
        }
    }

    /// A request went with its connection. Who hung up says so again; who called knows nothing of the call any more.
    fn on_swallowed(&mut self, id: ClientId) {
        match self.jobs.get(&id) {
            Some(Job::Bye(number)) => self.then.push((500, *number, Act::ByeAgain)),
            Some(Job::Invite(number)) => {
                if let Some(talk) = self.talks.get_mut(number) {
                    talk.phase = Phase::Vanished;
                }
            }
            // It repeats no PRACK: the exchange waits for it in vain.
            Some(Job::Prack(number)) => {
                if let Some(talk) = self.talks.get_mut(number) {
                    talk.seen.cut_off = true;
                }
                self.on_silence(id);
            }
            Some(Job::Reinvite(..) | Job::Register | Job::Other) | None => self.on_silence(id),
        }
    }

    fn on_silence(&mut self, id: ClientId) {
        match self.jobs.remove(&id) {
            Some(Job::Invite(number) | Job::Bye(number)) => self.over(number),
            Some(Job::Reinvite(number, _)) => {
                if let Some(talk) = self.talks.get_mut(&number) {
                    talk.reinvite = None;
                }
            }
            Some(Job::Register) => self.registering = false,
            Some(Job::Prack(_) | Job::Other) | None => {}
        }
    }

    pub(crate) fn over(&mut self, number: u32) {
        if let Some(talk) = self.talks.get_mut(&number)
            && talk.phase != Phase::Vanished
        {
            talk.phase = Phase::Over;
            talk.let_go();
        }
    }

    fn on_response(&mut self, now: Mono, id: ClientId, message: &Message) {
        let status = message.status().expect("a response has a status");
        match self.jobs.get(&id).copied() {
            Some(Job::Invite(number)) => self.on_invite_response(now, number, status, message),
            Some(Job::Reinvite(number, cseq)) if status >= 200 => {
                self.on_reinvite_response(number, cseq, status, message)
            }
            Some(Job::Bye(number)) if status >= 200 => {
                if let Some(talk) = self.talks.get_mut(&number) {
                    talk.seen.bye_refused = status != 200 && !talk.seen.bye_again;
                }
                self.over(number);
            }
            Some(Job::Register) if status >= 200 => self.on_register_response(now, status, message),
            Some(Job::Reinvite(..) | Job::Bye(_) | Job::Prack(_) | Job::Register | Job::Other) | None => {}
        }
    }

    fn on_invite_response(&mut self, now: Mono, number: u32, status: u16, message: &Message) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        if talk.phase == Phase::Vanished {
            return;
        }
        match status {
            100 => {}
            101..200 => self.on_provisional(now, number, message),
            200..300 => self.on_accepted(now, number, message),
            401 if self.seat.is_some() && !talk.proofs_given => {
                talk.proofs_given = true;
                let (script, user, to, call_id) =
                    (talk.script.clone(), talk.user.clone(), talk.number.clone(), talk.call_id.clone());
                let audio = Audio { ..talk.audio };
                if self.client.challenged(auth::Side::Server, &message.www_authenticate()).is_err() {
                    return self.over(number);
                }
                let (invite, client) = self.send_invite(now, number, (&to, &user, &call_id, 2), &script, &audio, true);
                let talk = self.talks.get_mut(&number).expect("it is there");
                (talk.invite, talk.client) = (invite, Some(client));
            }
            _ => {
                talk.seen.status = Some(status);
                self.over(number);
            }
        }
    }

    fn on_provisional(&mut self, now: Mono, number: u32, message: &Message) {
        if message.to_tag().is_none() {
            return;
        }
        let talk = self.talks.get_mut(&number).expect("just looked up");
        if talk.branches.is_empty() {
            let Ok(dialog) = Dialog::caller(&talk.invite, message) else {
                return self.faults.push("a provisional response makes no dialog".to_owned());
            };
            self.dialogs.insert(dialog.id().clone(), (number, 0));
            talk.branches.push(Branch::new(dialog));
        }
        if !message.has_token(HeaderName::Require, "100rel") {
            if talk.script.reliable == super::script::Reliable::Required {
                self.faults.push("an unreliable provisional response though 100rel is required".to_owned());
            }
            return;
        }
        let Some(rseq) = message.rseq() else { return self.faults.push("100rel without RSeq".to_owned()) };
        // Who acknowledges nothing sends no PRACK either.
        if talk.script.never_acks || talk.received.on_provisional(rseq) != Fit::Next {
            return;
        }
        let answers = !talk.script.offers && has_sdp(message);
        talk.agreed |= has_sdp(message);
        let rack = RAck { rseq, cseq: message.cseq_number(), method: Method::Invite };
        talk.owed.push_back((rack, answers));
        match talk.script.prack_ms {
            Some(ms) => self.then.push((ms, number, Act::Prack)),
            None => self.prack(now, number),
        }
    }

    /// Acknowledges the reliable response that has waited longest.
    pub(crate) fn prack(&mut self, now: Mono, number: u32) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        let Some((rack, answers)) = talk.owed.pop_front().filter(|_| talk.is_open()) else { return };
        let sdp = answers.then(|| talk.audio.write());
        self.request(now, (number, 0), Method::Prack, Job::Prack(number), |draft| {
            draft.header(HeaderName::RAck, &rack);
            if let Some(sdp) = sdp {
                draft.body("application/sdp", sdp.as_bytes());
            }
        });
    }

    fn on_accepted(&mut self, now: Mono, number: u32, message: &Message) {
        let talk = self.talks.get_mut(&number).expect("just looked up");
        if talk.phase != Phase::Trying {
            return self.repeat_ack(number, 0, message);
        }
        if talk.branches.is_empty() {
            let Ok(dialog) = Dialog::caller(&talk.invite, message) else {
                return self.faults.push("a 200 makes no dialog".to_owned());
            };
            self.dialogs.insert(dialog.id().clone(), (number, 0));
            talk.branches.push(Branch::new(dialog));
        } else if message.to_tag() != Some(talk.branches[0].dialog.id().remote_tag.as_ref()) {
            self.faults.push(format!("call {} is answered under another tag than it rang", talk.call_id));
        } else if talk.branches[0].dialog.confirm_by(message).is_err() {
            self.faults.push("a 200 cannot be read".to_owned());
        }
        if !has_sdp(message) && !talk.agreed {
            self.faults.push(format!("call {} is answered without a description", talk.call_id));
        }
        talk.phase = Phase::Up;
        talk.seen.status = message.status();
        let answers = !talk.script.offers && !talk.agreed;
        talk.agreed = true;
        let script = talk.script.clone();
        let cancelled = talk.seen.cancelled;
        if !script.never_acks {
            self.send_ack(number, 0, message.cseq_number(), answers);
        }
        if cancelled {
            return self.bye(now, number);
        }
        self.plan_talk(number, &script);
    }

    /// What a party does once it is answered.
    pub(crate) fn plan_talk(&mut self, number: u32, script: &Script) {
        self.then.extend(script.hold_ms.map(|ms| (ms, number, Act::Hold(true))));
        self.then.extend(script.key_ms.map(|ms| (ms, number, Act::Key)));
        self.then.extend(script.timer_s.map(|s| (u64::from(s) * 500, number, Act::Refresh)));
    }

    pub(crate) fn send_ack(&mut self, number: u32, index: usize, cseq: u32, answers: bool) {
        let branch_id = self.branch();
        let hop = self.hop();
        let talk = self.talks.get_mut(&number).expect("it is there");
        let (host, contact) = (self.host.clone(), self.contact.clone());
        let stamp = Stamp {
            transport: self.transport,
            host: &host,
            port: Some(self.at.port()),
            branch: branch_id,
            contact: &contact,
        };
        let mut draft = talk.branches[index].dialog.ack(cseq, &stamp);
        if answers {
            draft.body("application/sdp", talk.audio.write().as_bytes());
        }
        let bytes = draft.finish().bytes;
        talk.branches[index].acks.push(SentAck::new(cseq, bytes.clone()));
        self.out.push(Transmit { hop, bytes, by: By::Nobody });
    }

    fn repeat_ack(&mut self, number: u32, index: usize, message: &Message) {
        let hop = self.hop();
        let Some(branch) = self.talks.get(&number).and_then(|talk| talk.branches.get(index)) else { return };
        if let Some(bytes) = branch.acks.iter().find_map(|ack| ack.again(message)) {
            self.out.push(Transmit { hop, bytes, by: By::Nobody });
        }
    }

    fn on_stray(&mut self, message: &Message) {
        if let Some((number, index)) = self.dialogs.get(&DialogId::of_response(message)).copied() {
            self.repeat_ack(number, index, message);
        }
    }

    pub(crate) fn reply(&mut self, now: Mono, id: ServerId, flow: &Flow, message: &Message, status: u16) {
        let tag = format!("p{}", self.dice.below(1 << 32));
        let bytes = response(message, flow, status, Some(&tag)).build();
        let _late = self.transactions.respond(now, id, bytes, &mut self.out);
    }
}
