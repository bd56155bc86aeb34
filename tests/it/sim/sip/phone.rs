//! A peer as a seat's phone: registers, rings, answers, declines.

use yihao::sip::auth;
use yihao::sip::dialog::Dialog;
use yihao::sip::dialog::accepted::AwaitAck;
use yihao::sip::dialog::reliable::{ReliableReceiver, ReliableSender};
use yihao::sip::flow::{Flow, Transport};
use yihao::sip::message::{HeaderName, Message, Method};
use yihao::sip::transaction::{Outgoing, ServerId, Timers, response};
use yihao::types::Mono;

use super::peer::{Branch, Job, Peer, Phase, Seen, Talk};
use super::script::{Act, Reaction, Reliable, Script};
use super::words::{Audio, allow, contact, has_sdp, register};

impl Peer {
    /// Registers for so many seconds; 0 takes it back.
    pub(crate) fn register(&mut self, now: Mono, seconds: u32) {
        if std::mem::replace(&mut self.registering, true) {
            return;
        }
        let seat = self.seat.expect("phones register");
        self.registrations += 1;
        self.wish_s = seconds;
        let (branch, cnonce, call_id) = (self.branch(), self.random(), format!("r-{}", self.host));
        let (from, left) = (self.moving_to.unwrap_or(self.at), self.moving_to.map(|_| self.at));
        let bytes = register(
            (seat, from, self.exchange, self.transport),
            (&call_id, self.registrations, &branch),
            (seconds, left),
            &mut self.client,
            cnonce,
        );
        let hop = self.hop();
        let outgoing = Outgoing::new(Method::Register, branch, bytes);
        let client = self.transactions.request(now, outgoing, hop, &mut self.out).expect("peers have room");
        self.jobs.insert(client, Job::Register);
    }

    /// Goes to another address of its host: from its next registration on it stands there.
    pub(crate) fn moves(&mut self, now: Mono, seconds: u32) {
        if !self.registering && self.registered_until > now && self.transport == Transport::Udp {
            self.moving_to = Some((self.at.ip(), self.at.port() + 1).into());
            self.register(now, seconds);
        }
    }

    pub(crate) fn on_register_response(&mut self, now: Mono, status: u16, message: &Message) {
        self.registering = false;
        match status {
            200 => {
                self.client.accepted();
                if let Some(at) = self.moving_to.take() {
                    self.left.push(std::mem::replace(&mut self.at, at));
                    self.contact = contact(&self.seat.expect("phones register").to_string(), at, self.transport);
                }
                self.registered_until = now + std::time::Duration::from_secs(u64::from(self.wish_s));
            }
            401 if self.client.challenged(auth::Side::Server, &message.www_authenticate()).is_ok() => {
                self.register(now, self.wish_s);
            }
            401 => {
                self.client.forget();
                self.faults.push("a right password is refused".to_owned());
            }
            _ => self.faults.push(format!("a REGISTER is answered with {status}")),
        }
    }

    /// As a carrier: who is known there may register.
    pub(crate) fn take_registration(&mut self, now: Mono, id: ServerId, flow: &Flow, message: &Message) {
        let mut answer = response(message, flow, 200, Some("registrar"));
        let contact = message.header_named("Contact").unwrap_or_default();
        answer.raw("Contact", &[contact, b";expires=600"].concat());
        let _late = self.transactions.respond(now, id, answer.build(), &mut self.out);
    }

    /// As a carrier: half of the calls must be proved; whether that was due.
    fn challenges(&mut self, now: Mono, id: ServerId, flow: &Flow, message: &Message) -> bool {
        if message.cseq_number() > 1 {
            let proof = message.header_named("Authorization").unwrap_or_default();
            if !proof.starts_with(b"Digest username=\"0816\"") {
                self.faults.push("an INVITE comes again without a proof".to_owned());
            }
            self.proved += 1;
            return false;
        }
        if self.takes_calls != Some(true) || self.dice.percent(50) {
            return false;
        }
        let mut answer = response(message, flow, 401, Some("challenge"));
        answer.raw("WWW-Authenticate", b"Digest realm=\"carrier\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"");
        let _late = self.transactions.respond(now, id, answer.build(), &mut self.out);
        true
    }

    pub(crate) fn on_invite(&mut self, now: Mono, id: ServerId, flow: Flow, message: &Message) {
        let is_carrier = self.takes_calls.is_some();
        if is_carrier && self.challenges(now, id, &flow, message) {
            return;
        }
        self.next += 1;
        let number = self.next;
        let script = match is_carrier {
            true => Script::carrier(&mut self.dice, self.storm),
            false => Script::phone(&mut self.dice, self.storm),
        };
        if !has_sdp(message) || is_carrier == message.header_named("X-Yihao-Line").is_some() {
            self.faults
                .push("an INVITE to a seat names no line, one to a carrier does, or it offers nothing".to_owned());
        }
        self.servers.insert(id, number);
        let tag = format!("s{number}a");
        let dialog = Dialog::callee(message, &tag).expect("the exchange has a Contact");
        self.dialogs.insert(dialog.id().clone(), (number, 0));
        match script.reaction {
            Reaction::Silent => {}
            Reaction::Decline(status) => self.then.push((script.ring_ms, number, Act::Decline(status))),
            Reaction::Ring | Reaction::AnswerOnCancel | Reaction::Answer => {
                self.then.push((script.ring_ms, number, Act::Ring));
                if script.reaction == Reaction::Answer {
                    self.then.push((script.ring_ms + script.then_ms, number, Act::Answer));
                }
            }
        }
        if script.reaction != Reaction::Silent && self.dice.percent(70) {
            let bytes = response(message, &flow, 100, None).build();
            let _late = self.transactions.respond(now, id, bytes, &mut self.out);
        }
        let audio = Audio { at: self.audio_at(number), version: 1, odd: script.odd_codec, direction: "sendrecv" };
        let talk = Talk {
            script,
            user: String::new(),
            number: message.request_uri().and_then(|uri| uri.user().map(str::to_owned)).unwrap_or_default(),
            phase: Phase::Trying,
            seen: Seen::default(),
            call_id: message.call_id().to_owned(),
            audio,
            invite: message.clone(),
            client: None,
            server: Some((id, flow)),
            branches: vec![Branch::new(dialog)],
            received: ReliableReceiver::default(),
            owed: std::collections::VecDeque::new(),
            asked: None,
            agreed: false,
            reinvite: None,
            proofs_given: false,
        };
        self.talks.insert(number, talk);
        self.live.push(number);
    }

    pub(crate) fn act_as_phone(&mut self, now: Mono, number: u32, act: Act) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        match act {
            Act::Ring if talk.phase == Phase::Trying => self.ring(now, number),
            Act::Answer if talk.phase == Phase::Trying => {
                let branch = &mut talk.branches[0];
                if branch.sender.as_ref().is_some_and(|sender| !sender.may_answer()) {
                    branch.answer_due = true;
                } else {
                    self.answer(now, number);
                }
            }
            Act::AnswerToo if talk.phase != Phase::Vanished => self.answer_too(now, number),
            Act::Decline(status) if talk.phase == Phase::Trying => {
                talk.seen.status = Some(status);
                self.refuse(now, number, status);
            }
            Act::Ring
            | Act::Answer
            | Act::AnswerToo
            | Act::Decline(_)
            | Act::GiveUp
            | Act::Bye
            | Act::ByeAgain
            | Act::Hold(_)
            | Act::Refresh
            | Act::Key
            | Act::Prack
            | Act::AnswerReinvite
            | Act::Vanish => {}
        }
    }

    /// Rings, behind a forking proxy with two branches. A reliable response brings the branch's description.
    fn ring(&mut self, now: Mono, number: u32) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        if talk.server.is_none() {
            return;
        }
        if talk.script.forks {
            let dialog = Dialog::callee(&talk.invite, &format!("s{number}b")).expect("the exchange has a Contact");
            self.dialogs.insert(dialog.id().clone(), (number, 1));
            talk.branches.push(Branch::new(dialog));
        }
        let reliable =
            talk.script.reliable == Reliable::Supported && talk.invite.has_token(HeaderName::Supported, "100rel");
        for index in 0..talk.branches.len() {
            self.ring_branch(now, (number, index), reliable);
        }
    }

    fn ring_branch(&mut self, now: Mono, (number, index): (u32, usize), reliable: bool) {
        let first = u32::try_from(self.dice.below(1 << 20)).expect("fits");
        let talk = self.talks.get_mut(&number).expect("it is there");
        let Some((server, flow)) = talk.server else { return };
        let branch = &mut talk.branches[index];
        let tag = branch.dialog.id().local_tag.clone();
        let status = if reliable || talk.script.early { 183 } else { 180 };
        let mut ringing = response(&talk.invite, &flow, status, Some(&tag));
        ringing.header(HeaderName::Contact, &self.contact);
        let bytes = if reliable {
            let mut sender = ReliableSender::new(Timers::default(), talk.invite.cseq_number(), first);
            ringing.raw("Require", b"100rel").header(HeaderName::RSeq, &sender.next_rseq());
            ringing.body("application/sdp", talk.audio.write().as_bytes());
            let due = sender.send(now, true, ringing.build()).expect("the first has room").expect("nothing waits");
            branch.sender = Some(sender);
            branch.described = true;
            due
        } else if talk.script.early {
            // The 200 says it again: this was not the answer (RFC 3261 13.2.1).
            ringing.body("application/sdp", talk.audio.write().as_bytes());
            ringing.build()
        } else {
            ringing.build()
        };
        let _late = self.transactions.respond(now, server, bytes, &mut self.out);
        if talk.script.early {
            let bare = response(&talk.invite, &flow, 180, Some(&tag)).build();
            let _late = self.transactions.respond(now, server, bare, &mut self.out);
        }
    }

    /// A branch answers; the first one makes the call.
    pub(crate) fn answer(&mut self, now: Mono, number: u32) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        talk.phase = Phase::Up;
        talk.agreed = true;
        self.accept(now, number, 0);
        let talk = &self.talks[&number];
        if talk.script.forks {
            let soon = self.dice.between(1, 300);
            self.then.push((soon, number, Act::AnswerToo));
        }
    }

    pub(crate) fn answer_too(&mut self, now: Mono, number: u32) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        let Some(branch) = talk.branches.iter_mut().find(|branch| !branch.up) else { return };
        if branch.sender.as_ref().is_some_and(|sender| !sender.may_answer()) {
            branch.answer_due = true;
            return;
        }
        let index = usize::from(talk.branches[0].up);
        self.accept(now, number, index);
    }

    fn accept(&mut self, now: Mono, number: u32, index: usize) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        let Some((server, flow)) = talk.server else { return };
        let branch = &mut talk.branches[index];
        branch.dialog.confirm();
        branch.sender = None;
        branch.up = true;
        let tag = branch.dialog.id().local_tag.clone();
        let mut answer = response(&talk.invite, &flow, 200, Some(&tag));
        answer.header(HeaderName::Contact, &self.contact).raw("Allow", allow(&talk.script).as_bytes());
        if !branch.described {
            answer.body("application/sdp", talk.audio.write().as_bytes());
        }
        let bytes = answer.build();
        branch.ok = Some(AwaitAck::start(now, &Timers::default(), talk.invite.cseq_number(), bytes.clone()));
        branch.ok_server = Some(server);
        if !self.live.contains(&number) {
            self.live.push(number);
        }
        let _late = self.transactions.respond(now, server, bytes, &mut self.out);
    }

    fn refuse(&mut self, now: Mono, number: u32, status: u16) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        if let Some((server, flow)) = talk.server {
            let tag = talk.branches[0].dialog.id().local_tag.clone();
            let bytes = response(&talk.invite, &flow, status, Some(&tag)).build();
            let _late = self.transactions.respond(now, server, bytes, &mut self.out);
        }
        self.over(number);
    }

    pub(crate) fn on_cancel(
        &mut self,
        now: Mono,
        id: ServerId,
        invite: Option<ServerId>,
        flow: &Flow,
        message: &Message,
    ) {
        let number = invite.and_then(|invite| self.servers.get(&invite)).copied();
        let Some(talk) = number.and_then(|number| self.talks.get_mut(&number)) else {
            return self.reply(now, id, flow, message, 481);
        };
        if talk.phase == Phase::Vanished || talk.script.reaction == Reaction::Silent {
            return;
        }
        let (trying, crosses) = (talk.phase == Phase::Trying, talk.script.reaction == Reaction::AnswerOnCancel);
        let number = number.expect("found by it");
        self.reply(now, id, flow, message, 200);
        if trying && crosses {
            self.answer(now, number);
        } else if trying {
            self.talks.get_mut(&number).expect("it is there").seen.cancelled = true;
            self.refuse(now, number, 487);
        }
    }
}
