//! What a peer says and hears inside its dialogs.

use yihao::sip::dialog::accepted::AwaitAck;
use yihao::sip::dialog::{DialogId, Draft, Stamp};
use yihao::sip::flow::{Flow, Transport};
use yihao::sip::message::{HeaderName, Message, Method, RAck};
use yihao::sip::transaction::{ServerId, Timers, response};
use yihao::types::Mono;

use super::peer::{Job, Peer, Phase, Talk};
use super::script::Act;
use super::words::{allow, has_sdp};

impl Peer {
    /// Sends a request inside a dialog.
    pub(crate) fn request(
        &mut self,
        now: Mono,
        (number, index): (u32, usize),
        method: Method,
        job: Job,
        more: impl FnOnce(&mut Draft),
    ) -> Option<yihao::sip::transaction::ClientId> {
        let branch = self.branch();
        let (host, contact, hop) = (self.host.clone(), self.contact.clone(), self.hop());
        let stamp =
            Stamp { transport: self.transport, host: &host, port: Some(self.at.port()), branch, contact: &contact };
        let dialog = &mut self.talks.get_mut(&number)?.branches.get_mut(index)?.dialog;
        let mut draft = dialog.request(method, &stamp);
        let cseq = draft.cseq();
        more(&mut draft);
        let client = self.transactions.request(now, draft.finish(), hop, &mut self.out).expect("peers have room");
        let job = if let Job::Reinvite(number, _) = job { Job::Reinvite(number, cseq) } else { job };
        self.jobs.insert(client, job);
        Some(client)
    }

    pub(crate) fn bye(&mut self, now: Mono, number: u32) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        if talk.phase != Phase::Up {
            return;
        }
        talk.phase = Phase::Leaving;
        talk.seen.we_left = true;
        self.request(now, (number, 0), Method::Bye, Job::Bye(number), |_| {});
    }

    /// Does what it had in mind. `talking`: a person is at the other end.
    pub(crate) fn act(&mut self, now: Mono, number: u32, act: Act, talking: bool) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        let up = talk.phase == Phase::Up;
        match act {
            Act::GiveUp if talk.phase == Phase::Trying => {
                let client = talk.client.expect("an open call has its INVITE");
                if self.transactions.cancel(now, client, None, &mut self.out) {
                    talk.seen.cancelled = true;
                }
            }
            Act::GiveUp if up && !talking => self.bye(now, number),
            Act::Bye if up => self.bye(now, number),
            Act::ByeAgain if talk.phase == Phase::Leaving => {
                talk.seen.bye_again = true;
                self.request(now, (number, 0), Method::Bye, Job::Bye(number), |_| {});
            }
            Act::Vanish if talk.phase == Phase::Trying || up => talk.phase = Phase::Vanished,
            Act::Hold(on) if up => {
                if talk.reinvite.is_none() && talk.asked.is_none() {
                    talk.audio.direction = if on { "sendonly" } else { "sendrecv" };
                    self.reinvite(now, number);
                } else if !on {
                    self.then.push((1_000, number, act));
                }
                if on {
                    self.then.push((3_000, number, Act::Hold(false)));
                }
            }
            Act::Refresh if up => {
                self.refresh(now, number);
                self.then.push((40_000, number, act));
            }
            Act::Key if up => {
                self.request(now, (number, 0), Method::Info, Job::Other, |draft| {
                    draft.body("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n");
                });
            }
            Act::Prack => self.prack(now, number),
            Act::AnswerReinvite => self.answer_reinvite(now, number),
            Act::Ring | Act::Answer | Act::AnswerToo | Act::Decline(_) => self.act_as_phone(now, number, act),
            Act::GiveUp | Act::Bye | Act::ByeAgain | Act::Vanish | Act::Hold(_) | Act::Refresh | Act::Key => {}
        }
    }

    fn refresh(&mut self, now: Mono, number: u32) {
        let talk = &self.talks[&number];
        if !talk.script.update {
            if talk.reinvite.is_none() && talk.asked.is_none() {
                self.reinvite(now, number);
            }
            return;
        }
        let (seconds, caller) = (talk.script.timer_s, talk.server.is_none());
        let able = allow(&talk.script);
        self.request(now, (number, 0), Method::Update, Job::Other, |draft| {
            draft.raw("Allow", able.as_bytes());
            if let Some(seconds) = seconds.filter(|_| caller) {
                draft.raw("Supported", b"timer");
                draft.raw("Session-Expires", format!("{seconds};refresher=uac").as_bytes());
            }
        });
    }

    fn reinvite(&mut self, now: Mono, number: u32) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        talk.audio.version += 1;
        let (sdp, able) = (talk.audio.write(), allow(&talk.script));
        let timer = talk.script.timer_s.filter(|_| talk.server.is_none());
        let client = self.request(now, (number, 0), Method::Invite, Job::Reinvite(number, 0), |draft| {
            draft.raw("Allow", able.as_bytes());
            if let Some(seconds) = timer {
                draft.raw("Supported", b"timer");
                draft.raw("Session-Expires", format!("{seconds};refresher=uac").as_bytes());
            }
            draft.body("application/sdp", sdp.as_bytes());
        });
        self.talks.get_mut(&number).expect("it is there").reinvite = client;
    }

    pub(crate) fn on_reinvite_response(&mut self, number: u32, cseq: u32, status: u16, message: &Message) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        talk.reinvite = None;
        if talk.phase == Phase::Vanished {
            return;
        }
        if (200..300).contains(&status) {
            if !has_sdp(message) {
                self.faults.push(format!("a re-INVITE of {} is accepted without a description", talk.call_id));
            }
            self.send_ack(number, 0, cseq, false);
        } else if !matches!(status, 481 | 491 | 500 | 422) {
            self.faults.push(format!("a re-INVITE of {} is refused with {status}", talk.call_id));
        }
    }

    pub(crate) fn on_request(&mut self, now: Mono, id: ServerId, flow: Flow, message: &Message) {
        if message.to_tag().is_some() {
            return self.on_request_in_dialog(now, id, &flow, message);
        }
        match message.method() {
            Method::Invite if self.seat.is_some() || self.takes_calls.is_some() => {
                self.on_invite(now, id, flow, message)
            }
            Method::Register => self.take_registration(now, id, &flow, message),
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.reply(now, id, &flow, message, 200),
        }
    }

    fn on_request_in_dialog(&mut self, now: Mono, id: ServerId, flow: &Flow, message: &Message) {
        let Some((number, index)) = self.dialogs.get(&DialogId::of_request(message)).copied() else {
            // Who has gone before the answer knows nothing of it.
            let is_lost = |talk: &Talk| talk.call_id == message.call_id() && talk.phase == Phase::Vanished;
            if !self.talks.values().any(is_lost) {
                self.faults.push(format!("{} in no dialog of mine", message.method().as_str()));
            }
            return self.reply(now, id, flow, message, 481);
        };
        let talk = self.talks.get_mut(&number).expect("a dialog has its call");
        if talk.phase == Phase::Vanished {
            return;
        }
        if talk.branches[index].dialog.admit(message).is_err() {
            return self.reply(now, id, flow, message, 500);
        }
        match message.method() {
            Method::Bye => {
                let branch = &mut talk.branches[index];
                branch.byes += 1;
                // Over a stream it comes again when its answer went with the connection.
                if branch.byes > 1 && self.transport == Transport::Udp {
                    self.faults.push(format!("two BYEs in a dialog of call {}", talk.call_id));
                }
                // Whoever insists gets the ACK of a re-INVITE after the BYE too; `over` lets the others go.
                if talk.script.stubborn_ms.is_none() {
                    branch.ok = None;
                }
                let other_won = talk.branches.get(1).is_some_and(|b| b.up && b.byes == 0) && !talk.seen.branch_left;
                if index == 0 && other_won {
                    // The later answer was the faster one: the call goes on in its dialog.
                    talk.branches.swap(0, 1);
                    for (index, branch) in talk.branches.iter().enumerate() {
                        self.dialogs.insert(branch.dialog.id().clone(), (number, index));
                    }
                } else if index == 0 {
                    talk.seen.they_left |= talk.phase != Phase::Leaving;
                    self.over(number);
                }
                self.reply(now, id, flow, message, 200);
            }
            Method::Invite => self.on_their_reinvite(now, id, flow, message, (number, index)),
            Method::Prack => self.on_prack(now, id, flow, message, (number, index)),
            Method::Update
            | Method::Info
            | Method::Options
            | Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => {
                let status = if talk.phase == Phase::Over { 481 } else { 200 };
                self.reply(now, id, flow, message, status);
            }
        }
    }

    fn on_their_reinvite(
        &mut self,
        now: Mono,
        id: ServerId,
        flow: &Flow,
        message: &Message,
        (number, index): (u32, usize),
    ) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        if talk.phase == Phase::Over {
            return self.reply(now, id, flow, message, 481);
        }
        if talk.reinvite.is_some() || talk.asked.is_some() || talk.branches[index].ok.is_some() {
            return self.reply(now, id, flow, message, 491);
        }
        talk.asked = Some((id, *flow, message.clone(), index));
        match talk.script.stubborn_ms {
            Some(ms) => self.then.push((ms, number, Act::AnswerReinvite)),
            None => self.answer_reinvite(now, number),
        }
    }

    /// Answers a re-INVITE with 200, though the other may have hung up since; not when it has hung up itself (RFC 3261 15.1.2).
    fn answer_reinvite(&mut self, now: Mono, number: u32) {
        let Some(talk) = self.talks.get_mut(&number) else { return };
        let Some((id, flow, message, index)) = talk.asked.take() else { return };
        let (flow, message) = (&flow, &message);
        if talk.phase == Phase::Vanished {
            return;
        }
        if talk.seen.we_left {
            return self.reply(now, id, flow, message, 487);
        }
        talk.audio.version += 1;
        let tag = talk.branches[index].dialog.id().local_tag.clone();
        let mut answer = response(message, flow, 200, Some(&tag));
        answer.header(HeaderName::Contact, &self.contact).raw("Allow", allow(&talk.script).as_bytes());
        let bytes = answer.body("application/sdp", talk.audio.write().as_bytes()).build();
        talk.branches[index].ok = Some(AwaitAck::start(now, &Timers::default(), message.cseq_number(), bytes.clone()));
        talk.branches[index].ok_server = Some(id);
        let _late = self.transactions.respond(now, id, bytes, &mut self.out);
        if !self.live.contains(&number) {
            self.live.push(number);
        }
    }

    fn on_prack(&mut self, now: Mono, id: ServerId, flow: &Flow, message: &Message, (number, index): (u32, usize)) {
        let talk = self.talks.get_mut(&number).expect("it is there");
        let rack: Option<RAck> = message.rack();
        let branch = &mut talk.branches[index];
        let taken = branch.sender.as_mut().zip(rack).map(|(sender, rack)| sender.on_prack(now, &rack));
        match taken {
            Some(Ok(_)) => {
                let answers = std::mem::take(&mut branch.answer_due);
                let is_first = talk.phase == Phase::Trying;
                self.reply(now, id, flow, message, 200);
                if answers && is_first {
                    self.answer(now, number);
                } else if answers {
                    self.answer_too(now, number);
                }
            }
            Some(Err(_)) | None => self.reply(now, id, flow, message, 481),
        }
    }

    pub(crate) fn on_ack(&mut self, now: Mono, message: &Message) {
        let Some((number, index)) = self.dialogs.get(&DialogId::of_request(message)).copied() else {
            return self.faults.push("an ACK in no dialog of mine".to_owned());
        };
        let talk = self.talks.get_mut(&number).expect("a dialog has its call");
        let branch = &mut talk.branches[index];
        if branch.ok.as_ref().is_some_and(|ok| ok.is_ended_by(message.cseq_number())) {
            branch.ok = None;
            let is_first = message.cseq_number() == talk.invite.cseq_number();
            if is_first && index == 0 && talk.server.is_some() && talk.phase == Phase::Up {
                let script = talk.script.clone();
                self.plan_talk(number, &script);
                self.then.push((script.talk_ms, number, Act::Bye));
                self.then.extend(script.vanish_ms.map(|ms| (ms, number, Act::Vanish)));
            }
            // The branch that lost may hang up by itself just as it is let go.
            if index == 1 && self.dice.percent(50) {
                self.talks.get_mut(&number).expect("it is there").seen.branch_left = true;
                self.request(now, (number, 1), Method::Bye, Job::Other, |_| {});
            }
        }
    }
}
