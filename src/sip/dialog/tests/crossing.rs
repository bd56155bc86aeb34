//! Messages that cross: transactions and dialogs together.

use std::time::Duration;

use super::super::accepted::{AckDue, AwaitAck, SentAck};
use super::super::forks::{Fork, Forks};
use super::super::glare::Offers;
use super::super::reliable::{Fit, ReliableReceiver, ReliableSender};
use super::*;
use crate::sip::flow::{Flow, Hop};
use crate::sip::message::RAck;
use crate::sip::transaction::{ClientId, Event, Outgoing, Settings, Timers, Transactions, Transmit};
use crate::types::{Mono, NetworkId};

fn flow() -> Flow {
    Flow {
        network: NetworkId(0),
        transport: Transport::Udp,
        local: "192.0.2.9:5070".parse().unwrap(),
        remote: "192.0.2.1:5060".parse().unwrap(),
        connection: None,
    }
}

/// A caller with one INVITE out.
struct Caller {
    layer: Transactions,
    id: ClientId,
    forks: Forks,
    out: Vec<Transmit>,
}

impl Caller {
    fn calling() -> Caller {
        let (mut layer, mut out) = (Transactions::new(Settings::default()), Vec::new());
        let branch = Branch::from_random([9; 12]);
        let text = String::from_utf8(invite("").bytes().to_vec()).unwrap();
        let bytes = Bytes::from(text.replace("z9hG4bKINVITE7", branch.as_str()));
        let forks = Forks::new(Message::parse(bytes.clone()).unwrap());
        let hop = Hop::to(NetworkId(0), Transport::Udp, flow().remote);
        let outgoing = Outgoing::new(Method::Invite, branch, bytes);
        let id = layer.request(Mono::default(), outgoing, hop, &mut out).unwrap();
        Caller { layer, id, forks, out }
    }

    fn hears(&mut self, status: u16, tag: &str) -> Fork {
        let branch = Branch::from_random([9; 12]);
        let text = String::from_utf8(response(status, &format!(";tag={tag}"), "").bytes().to_vec()).unwrap();
        let message = parse(&text.replace("z9hG4bKINVITE7", branch.as_str()));
        match self.layer.receive(Mono::default(), &flow(), message, &mut self.out) {
            Some(Event::Response { message, .. }) => self.forks.on_response(&message).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn sent(&mut self) -> Vec<Method> {
        self.out.drain(..).map(|t| Message::parse(t.bytes).unwrap().method().clone()).collect()
    }
}

#[test]
fn a_cancel_that_crosses_the_200_ends_in_ack_and_bye() {
    let mut caller = Caller::calling();
    caller.hears(180, "us");
    assert!(caller.layer.cancel(Mono::default(), caller.id, None, &mut caller.out));
    assert_eq!(caller.sent(), [Method::Invite, Method::Cancel]);
    let Fork::Won { tag } = caller.hears(200, "us") else { panic!("the seat was faster") };
    assert!(!caller.layer.cancel(Mono::default(), caller.id, None, &mut caller.out), "too late: it takes a BYE");
    let contact = contact();
    let dialog = caller.forks.dialog_mut(&tag).unwrap();
    let ack = Message::parse(dialog.ack(7, &stamp(&contact)).finish().bytes).unwrap();
    let bye = written(dialog, Method::Bye);
    assert_eq!((ack.cseq_number(), ack.to_tag()), (7, Some("us")));
    assert_eq!((bye.cseq_number(), bye.to_tag()), (8, Some("us")));
}

#[test]
fn two_seats_that_answer_one_invite_are_both_acknowledged_and_one_is_ended() {
    let mut caller = Caller::calling();
    caller.hears(180, "a");
    caller.hears(180, "b");
    assert_eq!(caller.hears(200, "b"), Fork::Won { tag: "b".into() });
    assert_eq!(caller.hears(200, "a"), Fork::Late { tag: "a".into(), new: true });
    assert_eq!(caller.hears(200, "b"), Fork::Again);
    let contact = contact();
    for tag in ["a", "b"] {
        let ack = caller.forks.dialog(tag).unwrap().ack(7, &stamp(&contact)).finish();
        assert_eq!(Message::parse(ack.bytes).unwrap().to_tag(), Some(tag));
    }
}

#[test]
fn a_lost_ack_is_sent_again_for_each_repeated_200() {
    let (timers, mut now) = (Timers::default(), Mono::default());
    let ok = response(200, ";tag=us", "");
    let mut callee = AwaitAck::start(now, &timers, 7, ok.bytes().clone());
    let dialog = Dialog::caller(&invite(""), &ok).unwrap();
    let contact = contact();
    let caller = SentAck::new(7, dialog.ack(7, &stamp(&contact)).finish().bytes);
    for lost in [true, true, false] {
        now = callee.deadline();
        let AckDue::Resend(ok) = callee.tick(now) else { panic!("the ACK has not come") };
        let ack = caller.again(&Message::parse(ok).unwrap()).expect("a repeated 200 gets its ACK");
        let cseq = Message::parse(ack).unwrap().cseq_number();
        assert!(lost || callee.is_ended_by(cseq));
    }
    assert_eq!(now.since(Mono::default()), Duration::from_millis(3500));
    let newer =
        Message::parse(Bytes::from(String::from_utf8(ok.bytes().to_vec()).unwrap().replace("CSeq: 7", "CSeq: 8")));
    assert_eq!(caller.again(&newer.unwrap()), None, "the 200 to a re-INVITE wants an ACK of its own");
}

#[test]
fn a_prack_that_crosses_a_repeated_183_is_taken_once_and_the_answer_goes_out_after_it() {
    let (now, bytes) = (Mono::default(), Bytes::from_static(b"183"));
    let mut callee = ReliableSender::new(Timers::default(), 7, 41);
    let mut caller = ReliableReceiver::default();
    let rseq = callee.next_rseq();
    callee.send(now, true, bytes).unwrap();
    assert_eq!(caller.on_provisional(rseq), Fit::Next);
    assert_eq!(caller.on_provisional(rseq), Fit::Repeated, "the PRACK is on its way");
    assert!(!callee.may_answer());
    let rack = RAck { rseq, cseq: 7, method: Method::Invite };
    assert_eq!(callee.on_prack(now, &rack), Ok(None));
    assert!(callee.may_answer());
    assert!(callee.on_prack(now, &rack).is_err(), "a PRACK of its own transaction that names it again is 481");
}

#[test]
fn crossing_re_invites_are_both_refused_and_the_owner_waits_longer() {
    let (mut owner, mut other) = (Offers::default(), Offers::default());
    owner.we_invite(true);
    other.we_invite(true);
    for side in [&mut owner, &mut other] {
        assert_eq!(side.they_invite(true).unwrap_err().status(), 491);
        side.invite_ended(true);
        assert!(side.may_invite());
    }
    other.we_invite(true);
    assert_eq!(owner.they_invite(true), Ok(()), "the other comes first after its shorter wait");
    assert!(!owner.may_invite());
}
