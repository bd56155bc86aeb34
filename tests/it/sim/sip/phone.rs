//! A peer as a seat's phone: registers, rings, answers, declines.

use yihao::sip::auth;
use yihao::sip::dialog::Dialog;
use yihao::sip::dialog::accepted::AwaitAck;
use yihao::sip::dialog::reliable::{ReliableReceiver, ReliableSender};
use yihao::sip::flow::Flow;
use yihao::sip::message::{HeaderName, Message, Method};
use yihao::sip::transaction::{Outgoing, ServerId, Timers, response};
use yihao::types::Mono;

use super::peer::{Branch, Job, Peer, Phase, Seen, Talk};
use super::script::{Act, Reaction, Reliable, Script};
use super::words::{Audio, allow, has_sdp, register};

impl Peer {
    /// Registers for so many seconds; 0 takes it back.
    pub(crate) fn register(&mut self, now: Mono, seconds: u32) {
        if std::mem::replace(&mut self.registering, true) {
            return;
        }
        let seat = self.seat.expect("phones register");
        self.registrations += 1;
        self.wish_s = seconds;
        let (branch, cnonce, call_id) = (self.branch(), self.random(), format!("r-{}", self.at));
        let bytes = register(
            (seat, self.at, self.exchange),
            (&call_id, self.registrations, &branch),
            seconds,
            &mut self.client,
            cnonce,
        );
        let hop = self.hop();
        let outgoing = Outgoing::new(Method::Register, branch, bytes);
        let client = self.transactions.request(now, outgoing, hop, &mut self.out).expect("peers have room");
        self.jobs.insert(client, Job::Register);
    }

    pub(crate) fn on_register_response(&mut self, now: Mono, status: u16, message: &Message) {
        self.registering = false;
        match status {
            200 => {
                self.client.accepted();
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

    pub(crate) fn on_invite(&mut self, now: Mono, id: ServerId, flow: Flow, message: &Message) {
        self.next += 1;
        let number = self.next;
        let script = Script::phone(&mut self.dice, self.storm);
        if !has_sdp(message) || message.header_named("X-Yihao-Line").is_none() {
            self.faults.push("an INVITE to a seat names no line or offers nothing".to_owned());
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
            number: String::new(),
            phase: Phase::Trying,
            seen: Seen::default(),
            call_id: message.call_id().to_owned(),
            audio,
            invite: message.clone(),
            client: None,
            server: Some((id, flow)),
            branches: vec![Branch { dialog, ok: None, ok_server: None, ack: None, byes: 0 }],
            received: ReliableReceiver::default(),
            sender: None,
            answer_due: false,
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
                if talk.sender.as_ref().is_some_and(|sender| !sender.may_answer()) {
                    talk.answer_due = true;
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
            | Act::Hold(_)
            | Act::Refresh
            | Act::Key
            | Act::Vanish => {}
        }
    }

    fn ring(&mut self, now: Mono, number: u32) {
        let first = u32::try_from(self.dice.below(1 << 20)).expect("fits");
        let talk = self.talks.get_mut(&number).expect("it is there");
        let Some((server, flow)) = talk.server else { return };
        let tag = talk.branches[0].dialog.id().local_tag.clone();
        let reliable = talk.script.reliable == Reliable::Supported
            && talk.invite.has_token(HeaderName::Supported, "100rel")
            && !talk.script.forks;
        let mut ringing = response(&talk.invite, &flow, if reliable { 183 } else { 180 }, Some(&tag));
        ringing.header(HeaderName::Contact, &self.contact);
        if !reliable {
            let _late = self.transactions.respond(now, server, ringing.build(), &mut self.out);
            if talk.script.forks {
                let tag = format!("s{number}b");
                let mut other = response(&talk.invite, &flow, 180, Some(&tag));
                let bytes = other.header(HeaderName::Contact, &self.contact).build();
                let _late = self.transactions.respond(now, server, bytes, &mut self.out);
            }
            return;
        }
        let mut sender = ReliableSender::new(Timers::default(), talk.invite.cseq_number(), first);
        ringing.raw("Require", b"100rel").header(HeaderName::RSeq, &sender.next_rseq());
        ringing.body("application/sdp", talk.audio.write().as_bytes());
        let due = sender.send(now, true, ringing.build()).expect("the first has room").expect("nothing waits");
        talk.sender = Some(sender);
        talk.agreed = true;
        let _late = self.transactions.respond(now, server, due, &mut self.out);
    }

    pub(crate) fn answer(&mut self, now: Mono, number: u32) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        talk.phase = Phase::Up;
        talk.sender = None;
        self.accept(now, number, 0);
        let talk = &self.talks[&number];
        if talk.script.forks {
            let soon = self.dice.between(1, 300);
            self.then.push((soon, number, Act::AnswerToo));
        }
    }

    fn answer_too(&mut self, now: Mono, number: u32) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        if talk.branches.len() > 1 {
            return;
        }
        let tag = format!("s{number}b");
        let dialog = Dialog::callee(&talk.invite, &tag).expect("the exchange has a Contact");
        self.dialogs.insert(dialog.id().clone(), (number, 1));
        talk.branches.push(Branch { dialog, ok: None, ok_server: None, ack: None, byes: 0 });
        self.accept(now, number, 1);
    }

    fn accept(&mut self, now: Mono, number: u32, index: usize) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        let Some((server, flow)) = talk.server else { return };
        let branch = &mut talk.branches[index];
        branch.dialog.confirm();
        let tag = branch.dialog.id().local_tag.clone();
        let mut answer = response(&talk.invite, &flow, 200, Some(&tag));
        answer.header(HeaderName::Contact, &self.contact).raw("Allow", allow(&talk.script).as_bytes());
        if !talk.agreed || index > 0 {
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
