//! Carriers in virtual time: recognised, read, probed, registered at, chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::dialplan::{CalledFrom, CallerPolicy, Cidr, Plan, Reaches, TrunkGroup, TrunkRegister};
use crate::sip::auth::{Credentials, Guard, Request, Settings, Verdict};
use crate::sip::flow::{ConnId, Flow, Transport};
use crate::sip::message::{HeaderName, Message, Method, ResponseBuilder, Via};
use crate::types::{Calling, Hops, LineNumber, Now, NumberError, PhoneNumber, TlsMedia};

const A: TrunkId = TrunkId(0);
const B: TrunkId = TrunkId(1);
const C: TrunkId = TrunkId(2);

#[test]
fn a_trunk_is_recognised_by_the_narrowest_range() {
    let w = World::new(vec![trunk("wide", &["10.0.0.0/8"]), trunk("narrow", &["10.1.2.0/24"])]);
    assert_eq!(w.trunks.recognise(&udp("10.1.2.3:5060"), &[]), Some(B));
    assert_eq!(w.trunks.recognise(&udp("10.9.9.9:40000"), &[]), Some(A));
    assert_eq!(w.trunks.recognise(&udp("[::ffff:10.1.2.3]:5060"), &[]), Some(B));
    assert_eq!(w.trunks.recognise(&udp("11.0.0.1:5060"), &[]), None);
    let elsewhere = Flow { network: NetworkId(1), ..udp("10.1.2.3:5060") };
    assert_eq!(w.trunks.recognise(&elsewhere, &[]), None, "another network's address says nothing");
    assert!(w.trunks.is_source(A, &udp("10.1.2.3:5999"), &[]), "any address of the trunk");
    assert!(!w.trunks.is_source(B, &udp("10.9.9.9:5060"), &[]));
}

#[test]
fn a_certificate_name_proves_a_trunk_and_an_address_alone_does_not() {
    let by_name = dialplan::Trunk { tls_identity: Some("sbc.carrier.example".to_owned()), ..trunk("a", &[]) };
    let both = dialplan::Trunk { tls_identity: Some("b.example".to_owned()), ..trunk("b", &["10.0.0.0/8"]) };
    let w = World::new(vec![by_name, both]);
    let tls = |remote: &str| Flow { transport: Transport::Tls, connection: Some(ConnId(1)), ..udp(remote) };
    let names = |n: &str| vec!["other".to_owned(), n.to_owned()];
    assert_eq!(w.trunks.recognise(&tls("203.0.113.1:40000"), &names("SBC.carrier.example")), Some(A));
    assert_eq!(w.trunks.recognise(&tls("203.0.113.1:40000"), &names("x.carrier.example")), None);
    assert_eq!(w.trunks.recognise(&udp("203.0.113.1:5060"), &names("sbc.carrier.example")), None, "not over UDP");
    assert_eq!(w.trunks.recognise(&tls("10.0.0.1:40000"), &names("b.example")), Some(B));
    assert_eq!(w.trunks.recognise(&tls("10.0.0.1:40000"), &[]), None);
    assert_eq!(w.trunks.recognise(&tls("11.0.0.1:40000"), &names("b.example")), None);
}

#[test]
fn the_called_number_stands_where_the_profile_says() {
    let profiles = [CalledFrom::RequestUri, CalledFrom::To, CalledFrom::PCalledPartyId];
    let plan = profiles.map(|called_from| dialplan::Trunk { called_from, ..trunk("t", &[]) });
    let w = World::new(plan.to_vec());
    let request = invite(
        "sip:12345@192.0.2.1",
        "<sip:08162250857@192.0.2.1>",
        "<sip:x@h>",
        "P-Called-Party-ID: <tel:+8681612315>\r\n",
    );
    assert_eq!(w.trunks.called(A, &request).unwrap().as_str(), "12345");
    assert_eq!(w.trunks.called(B, &request).unwrap().as_str(), "2250857");
    assert_eq!(w.trunks.called(C, &request).unwrap().as_str(), "12315");
    let bare = invite("sip:192.0.2.1", "<sip:alice@192.0.2.1>", "<sip:x@h>", "");
    assert_eq!(w.trunks.called(A, &bare), Err(CalledError::NoNumber(NumberError::Empty)));
    assert!(matches!(w.trunks.called(B, &bare), Err(CalledError::NoNumber(_))));
    assert_eq!(w.trunks.called(C, &bare), Err(CalledError::Missing("P-Called-Party-ID")));
}

#[test]
fn the_asserted_number_counts_before_from() {
    let w = World::new(vec![trunk("a", &[])]);
    let calling = |from: &str, more: &str| w.trunks.calling(A, &invite("sip:12345@h", "<sip:12345@h>", from, more));
    let plain = calling("\"\u{5e02}\u{6c11}\" <sip:+8613800138000@c>", "");
    assert_eq!((number(&plain), plain.raw.as_str()), ("13800138000", "+8613800138000"));
    assert_eq!((plain.display.as_str(), plain.private), ("\u{5e02}\u{6c11}", false));
    let asserted = calling(
        "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
        "P-Asserted-Identity: <sip:alice@c>, <tel:+868162250857>\r\nPrivacy: id\r\n",
    );
    assert_eq!((number(&asserted), asserted.private), ("08162250857", true));
    assert_eq!(asserted.raw, "+868162250857");
    let older = calling("<sip:2250857@c>", "Remote-Party-ID: <sip:013900139000@c>;privacy=full\r\n");
    assert_eq!((number(&older), older.private), ("13900139000", true));
    let nobody = calling("<sip:anonymous@c>", "");
    assert_eq!((nobody.number.clone(), nobody.raw.as_str(), nobody.private), (None, "anonymous", true));
    let open = calling("<sip:13800138000@c>", "Privacy: none\r\n");
    assert!(!open.private);
}

#[test]
fn a_gbk_display_name_becomes_text() {
    let w = World::new(vec![trunk("a", &[])]);
    let mut bytes = b"INVITE sip:12345@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom: \"".to_vec();
    bytes.extend_from_slice(b"\xca\xd0\xc3\xf1");
    bytes.extend_from_slice(
        b"\" <sip:13800138000@c>;tag=a\r\nTo: <sip:12345@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    );
    let request = Message::parse(Bytes::from(bytes)).unwrap();
    assert_eq!(w.trunks.calling(A, &request).display, "市民");
}

#[test]
fn a_trunk_is_usable_at_once_and_goes_down_when_nobody_answers() {
    let probed = dialplan::Trunk { options_s: Some(30), ..reached("a", "sip:10.0.0.1") };
    let mut w = World::new(vec![probed]);
    w.pass(0);
    let out = w.take();
    assert_eq!(out[1], Output::Health { trunk: A, up: true });
    let (purpose, hop, request) = sent(&out[0]);
    assert_eq!((hop.remote, &request.method), ("10.0.0.1:5060".parse().unwrap(), &Method::Options));
    w.trunks.unanswered(w.now, (A, purpose), &mut || [0; 8], &mut w.out);
    assert_eq!(w.take(), []);
    w.pass(2);
    let (purpose, _, _) = sent(&w.take()[0]);
    w.trunks.unanswered(w.now, (A, purpose), &mut || [0; 8], &mut w.out);
    assert_eq!(w.take(), [Output::Health { trunk: A, up: false }]);
    for _ in 0..2 {
        w.pass(2);
        let (purpose, _, request) = sent(&w.take()[0]);
        w.respond(purpose, &request, 405, "");
    }
    assert_eq!(w.take(), [Output::Health { trunk: A, up: true }], "any answer proves life");
}

#[test]
fn a_503_to_a_probe_is_no_sign_of_health() {
    let mut w = World::new(vec![dialplan::Trunk { options_s: Some(30), ..reached("a", "sip:10.0.0.1") }]);
    w.pass(0);
    let (purpose, _, request) = sent(&w.take()[0]);
    w.respond(purpose, &request, 503, "");
    w.pass(2);
    let (purpose, _, request) = sent(&w.take()[0]);
    w.respond(purpose, &request, 503, "");
    assert_eq!(w.take(), [Output::Health { trunk: A, up: false }]);
}

#[test]
fn a_name_is_looked_up_and_the_next_address_is_tried() {
    let mut w = World::new(vec![dialplan::Trunk { options_s: Some(30), ..reached("a", "sip:sbc.carrier.example") }]);
    w.pass(0);
    assert!(matches!(&w.take()[..], [Output::Resolve { trunk: A, .. }]), "no probe without an address");
    let hops: Vec<Hop> = [1, 2].iter().map(|n| hop(&format!("10.0.0.{n}:5060"))).collect();
    w.trunks.resolved(w.now, A, hops.clone(), &mut w.out);
    assert_eq!(w.take(), [Output::Health { trunk: A, up: true }]);
    w.pass(1);
    let out = w.take();
    let (purpose, hop, _) = sent(&out[0]);
    assert_eq!(hop, hops[0]);
    w.trunks.unanswered(w.now, (A, purpose), &mut || [0; 8], &mut w.out);
    assert_eq!(w.trunks.hops(A)[0], hops[1]);
    w.trunks.resolved(w.now, A, hops.clone(), &mut w.out);
    assert_eq!(w.trunks.hops(A)[0], hops[1], "the address in use stays first");
    w.trunks.resolved(w.now, A, Vec::new(), &mut w.out);
    assert_eq!(w.trunks.hops(A).len(), 2, "a failed look-up takes nothing away");
}

#[test]
fn we_register_with_digest_refresh_and_sign_off() {
    let mut w = World::registered();
    let carrier = Carrier::new();
    w.pass(0);
    let register = w.register_sent();
    assert_eq!((register.1.cseq, register.1.expires), (1, Some(3_600)));
    assert_eq!(register.1.uri.as_str(), "sip:carrier.example");
    assert_eq!(register.1.to.uri.as_str(), "sip:08162250000@carrier.example");
    assert!(!w.trunks.is_up(A));
    w.respond(register.0, &register.1, 401, &carrier.challenge(w.now, false));
    let again = w.register_sent();
    assert!(carrier.accepts(w.now, &again.1));
    assert_eq!(again.1.call_id, register.1.call_id);
    w.respond(again.0, &again.1, 200, "Contact: <sip:08162250000@192.0.2.1>;expires=1000\r\n");
    assert_eq!(w.take(), [Output::Health { trunk: A, up: true }]);
    w.pass(799);
    assert_eq!(w.take(), []);
    w.pass(1);
    let refresh = w.register_sent();
    assert!(carrier.accepts(w.now, &refresh.1), "the refresh carries credentials at once");
    w.respond(refresh.0, &refresh.1, 200, "Contact: <sip:other@192.0.2.1>;expires=10\r\nExpires: 2000\r\n");
    w.pass(1_000);
    assert_eq!(w.take(), [], "not before 80 % of 2000");
    w.trunks.unregister_all(&mut || [3; 8], &mut w.out);
    let last = w.register_sent();
    assert_eq!(last.1.expires, Some(0));
    w.respond(last.0, &last.1, 401, &carrier.challenge(w.now, true));
    let last = w.register_sent();
    assert!(carrier.accepts(w.now, &last.1));
    assert_eq!(last.1.expires, Some(0));
    w.respond(last.0, &last.1, 200, "");
    assert_eq!(w.take(), [Output::Health { trunk: A, up: false }]);
    assert_eq!(w.trunks.deadline(), None);
}

#[test]
fn a_carrier_that_holds_our_registration_is_recognised_by_it() {
    let mut w = World::registered();
    assert_eq!(w.trunks.recognise(&udp("10.0.0.1:5060"), &[]), None);
    w.pass(0);
    let (purpose, request) = w.register_sent();
    w.respond(purpose, &request, 200, "");
    assert_eq!(w.trunks.recognise(&udp("10.0.0.1:5062"), &[]), Some(A));
    w.take();
    w.pass(10_000);
    assert_eq!(w.trunks.recognise(&udp("10.0.0.1:5062"), &[]), None, "not beyond its time");
}

#[test]
fn a_wrong_password_is_not_tried_again_and_again() {
    let mut w = World::registered();
    let carrier = Carrier::with_password("other");
    w.pass(0);
    for _ in 0..2 {
        let (purpose, request) = w.register_sent();
        w.respond(purpose, &request, 401, &carrier.challenge(w.now, false));
    }
    assert_eq!(w.take(), []);
    assert!(w.trunks.status()[0].trouble.contains("refuses this user and password"));
    w.pass(224);
    assert_eq!(w.take(), []);
    w.pass(80);
    assert_eq!(w.take().len(), 1);
}

#[test]
fn a_silent_carrier_is_asked_less_and_less() {
    let mut w = World::registered();
    let mut at = Vec::new();
    let start = w.now;
    for _ in 0..9 {
        while w.out.is_empty() {
            w.pass(1);
        }
        at.push(w.now.mono.since(start.mono).as_secs());
        let (purpose, _) = w.register_sent();
        w.trunks.unanswered(w.now, (A, purpose), &mut || [255; 8], &mut w.out);
    }
    let waits: Vec<u64> = at.windows(2).map(|p| p[1] - p[0]).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn a_longer_duration_is_accepted_when_the_carrier_insists() {
    let mut w = World::registered();
    w.pass(0);
    let (purpose, request) = w.register_sent();
    w.respond(purpose, &request, 423, "Min-Expires: 7200\r\n");
    let (purpose, request) = w.register_sent();
    assert_eq!(request.expires, Some(7_200));
    w.respond(purpose, &request, 423, "Min-Expires: 7200\r\n");
    assert_eq!(w.take(), [], "it asks for what it got: a failure, not a loop");
}

#[test]
fn retry_after_is_obeyed_and_the_old_registration_holds_meanwhile() {
    let mut w = World::registered();
    w.pass(0);
    let (purpose, request) = w.register_sent();
    w.respond(purpose, &request, 200, "Expires: 1000\r\n");
    w.take();
    w.pass(800);
    let (purpose, request) = w.register_sent();
    w.respond(purpose, &request, 503, "Retry-After: 1000\r\n");
    assert!(w.trunks.is_up(A));
    w.pass(199);
    assert!(w.trunks.is_up(A));
    w.pass(1);
    assert_eq!(w.take(), [Output::Health { trunk: A, up: false }]);
}

#[test]
fn a_lost_connection_is_registered_anew_at_once() {
    let mut w = World::registered();
    w.pass(0);
    let (purpose, request) = w.register_sent();
    let flow = Flow { transport: Transport::Tcp, connection: Some(ConnId(4)), ..udp("10.0.0.1:5060") };
    w.respond_over(&flow, purpose, &request, 200, "");
    w.take();
    w.trunks.connection_closed(w.now, ConnId(5));
    w.pass(1);
    assert_eq!(w.take(), []);
    w.trunks.connection_closed(w.now, ConnId(4));
    w.pass(0);
    w.register_sent();
}

#[test]
fn requests_that_are_sent_are_whole() {
    let mut w = World::registered();
    w.pass(0);
    let (_, request) = w.register_sent();
    let via = Via::parse(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport").unwrap();
    let contact = crate::sip::message::NameAddr::parse(b"<sip:08162250000@192.0.2.1>").unwrap();
    let message = Message::parse(request.build(&via, Some(&contact))).unwrap();
    assert_eq!((message.method(), message.cseq_number()), (&Method::Register, 1));
    assert_eq!((message.expires(), message.max_forwards()), (Some(3_600), Some(70)));
    assert!(message.from_tag().is_some() && message.header(HeaderName::Contact).is_some());
}

#[test]
fn calls_fail_over_by_order_and_weight() {
    let group = |name: &str, n: u8, order, weight| dialplan::Trunk {
        group: Some(TrunkGroup { name: "out".to_owned(), order, weight }),
        ..reached(name, &format!("sip:10.0.0.{n}"))
    };
    let plan = vec![group("a", 1, 1, 10), group("b", 2, 2, 25), group("c", 3, 2, 75), reached("other", "sip:10.0.0.9")];
    let mut w = World::new(plan);
    let tried = |ids: &[TrunkId]| ids.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(w.trunks.choose(w.now, A, &tried(&[]), 99), Some(A));
    assert_eq!(w.trunks.choose(w.now, C, &tried(&[]), 99), Some(C), "the first choice comes first");
    let shares = (0..100).filter(|r| w.trunks.choose(w.now, A, &tried(&[A]), *r) == Some(B)).count();
    assert_eq!(shares, 25);
    assert_eq!(w.trunks.choose(w.now, A, &tried(&[A, C]), 99), Some(B));
    assert_eq!(w.trunks.choose(w.now, A, &tried(&[A, B, C]), 99), None, "a trunk outside of the group is no help");
    assert_eq!(w.trunks.choose(w.now, TrunkId(3), &tried(&[TrunkId(3)]), 0), None);
    for _ in 0..3 {
        w.trunks.call_result(w.now, A, CallResult::Failed, &mut w.out);
    }
    let first = w.trunks.choose(w.now, A, &tried(&[]), 0);
    assert_eq!(first, Some(B), "a sick first choice gives way");
    assert_eq!(w.trunks.choose(w.now, A, &tried(&[B, C]), 0), Some(A), "yet it is better than nothing");
}

#[test]
fn a_full_trunk_is_passed_over() {
    let a = dialplan::Trunk { max_calls: Some(1), ..reached("a", "sip:10.0.0.1") };
    let mut w = World::new(vec![a]);
    w.trunks.admit(w.now, A).unwrap();
    assert_eq!(w.trunks.admit(w.now, A), Err(Busy::Calls));
    assert_eq!(w.trunks.choose(w.now, A, &BTreeSet::new(), 0), None);
    w.trunks.release(A);
    assert_eq!(w.trunks.choose(w.now, A, &BTreeSet::new(), 0), Some(A));
}

#[test]
fn the_caller_is_shown_by_policy() {
    let line = |n: &str| LineNumber::parse(n).unwrap();
    let policies = [
        CallerPolicy::Own(line("08162250000")),
        CallerPolicy::Callers { diversion: line("12345") },
        CallerPolicy::Mapped { by_line: BTreeMap::from([(line("12315"), line("08162212315"))]), own: line("12345") },
    ];
    let plan = policies.map(|caller_policy| dialplan::Trunk { caller_policy, ..reached("t", "sip:10.0.0.1") });
    let w = World::new(plan.to_vec());
    let open = Calling { number: PhoneNumber::parse("13800138000").ok(), ..Calling::default() };
    let hidden = Calling { private: true, ..open.clone() };
    let show = |trunk, calling: &Calling, dialled: &str| {
        let s = w.trunks.shown(trunk, calling, &line(dialled), "192.0.2.1").unwrap();
        let user =
            |a: Option<&crate::sip::message::NameAddr>| a.map(|a| a.uri.user_text().into_owned()).unwrap_or_default();
        (user(Some(&s.from)), user(s.asserted.as_ref()), user(s.diversion.as_ref()), s.privacy)
    };
    let own = |a: &str, b: &str, c: &str, p| (a.to_owned(), b.to_owned(), c.to_owned(), p);
    assert_eq!(show(A, &open, "12315"), own("08162250000", "08162250000", "", false));
    assert_eq!(show(B, &open, "12315"), own("13800138000", "13800138000", "12345", false));
    assert_eq!(show(B, &hidden, "12315"), own("anonymous", "13800138000", "12345", true));
    assert_eq!(show(B, &Calling::default(), "12315"), own("anonymous", "", "12345", true));
    assert_eq!(show(C, &open, "12315"), own("08162212315", "08162212315", "", false));
    assert_eq!(show(C, &open, "12333"), own("12345", "12345", "", false));
}

#[test]
fn a_call_that_is_passed_on_says_so_whatever_else_is_shown() {
    let w = World::new(vec![reached("a", "sip:10.0.0.1")]);
    let passed_on = |times| {
        let calling = Calling { hops: Hops { passed_on: times, left: 69 }, ..Calling::default() };
        let line = LineNumber::parse("12366").unwrap();
        w.trunks.shown(A, &calling, &line, "192.0.2.1").unwrap().diversion.map(|d| d.to_string())
    };
    assert_eq!(passed_on(0), None);
    assert_eq!(passed_on(2).as_deref(), Some("<sip:12366@192.0.2.1>;reason=unconditional;counter=2"));
}

#[test]
fn how_often_a_call_was_passed_on_is_read_from_diversion_or_history() {
    let hops = |more: &str| {
        let request = invite("sip:12345@c", "<sip:12345@c>", "<sip:13800138000@c>", more);
        let hops = World::new(vec![reached("a", "sip:10.0.0.1")]).trunks.calling(A, &request).hops;
        (hops.passed_on, hops.left)
    };
    assert_eq!(hops(""), (0, 70));
    let twice = "Diversion: <sip:12315@c>;reason=unconditional, <sip:12366@c>;counter=3\r\n";
    assert_eq!(hops(twice), (4, 70));
    let history = "History-Info: <sip:12366@c>;index=1, <sip:12315@c>;index=1.1, <sip:12345@c>;index=1.2\r\n";
    assert_eq!(hops(history), (2, 70));
    assert_eq!(hops(&format!("{twice}{history}")).0, 4, "both tell of the same way");
    assert_eq!(hops("Diversion: <sip:1@c>;counter=255, <sip:2@c>;counter=255, <sip:3@c>;counter=x\r\n").0, 255);
}

#[test]
fn a_request_uri_keeps_the_carriers_host_port_and_transport() {
    let w = World::new(vec![reached("a", "sip:10.0.0.1:5070;transport=tcp")]);
    let uri = w.trunks.request_uri(A, &PhoneNumber::parse("13800138000").unwrap()).unwrap();
    assert_eq!(uri.as_str(), "sip:13800138000@10.0.0.1:5070;transport=tcp");
}

#[test]
fn a_new_plan_keeps_what_goes_on() {
    let plan = vec![reached("a", "sip:10.0.0.1"), reached("b", "sip:10.0.0.2")];
    let mut w = World::new(plan.clone());
    w.pass(0);
    w.take();
    w.trunks.admit(w.now, A).unwrap();
    w.trunks.admit(w.now, B).unwrap();
    let changed = dialplan::Trunk { max_calls: Some(1), ..plan[0].clone() };
    w.set_plan(vec![changed, plan[1].clone()]);
    assert_eq!(w.trunks.admit(w.now, A), Err(Busy::Calls), "the call in progress counts under the new limit");
    assert_eq!(w.trunks.status()[1].calls, 1);
    w.pass(0);
    assert_eq!(w.take(), [], "nobody went down");
    let c = reached("c", "sip:10.0.0.3");
    w.set_plan(vec![c.clone(), plan[1].clone()]);
    assert_eq!((w.plan.trunks[0].id, w.plan.trunks[1].id), (C, B), "an id is never given to another trunk");
    let calls = |w: &World| w.trunks.status().iter().map(|t| (t.name.clone(), t.calls)).collect::<Vec<_>>();
    let named =
        |some: &[(&str, u32)]| some.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect::<Vec<_>>();
    assert_eq!(calls(&w), named(&[("c", 0), ("b", 1), ("a", 1)]), "a has left, and its call goes on");
    assert_eq!(w.trunks.choose(w.now, A, &BTreeSet::new(), 0), None);
    assert_eq!(w.trunks.admit(w.now, A), Err(Busy::Calls));
    w.trunks.release(A);
    w.trunks.release(B);
    w.set_plan(vec![plan[0].clone(), plan[1].clone(), c]);
    assert_eq!(calls(&w), named(&[("a", 0), ("b", 0), ("c", 0)]));
    assert_eq!(w.plan.trunks[0].id, TrunkId(3), "back as a new one");
}

#[test]
fn a_trunk_that_has_left_speaks_for_its_calls_and_brings_no_new_ones() {
    let mut w = World::new(vec![trunk("a", &["10.0.0.0/8"])]);
    w.trunks.admit(w.now, A).unwrap();
    w.set_plan(vec![reached("b", "sip:10.0.0.2")]);
    assert!(w.trunks.is_source(A, &udp("10.1.2.3:5060"), &[]));
    assert_eq!(w.trunks.recognise(&udp("10.1.2.3:5060"), &[]), None);
    w.trunks.release(A);
    assert!(!w.trunks.is_source(A, &udp("10.1.2.3:5060"), &[]), "forgotten with its last call");
}

#[test]
fn a_trunk_of_an_unknown_network_is_inert() {
    let mut w = World::new(vec![dialplan::Trunk { network: "nowhere".to_owned(), ..reached("a", "sip:10.0.0.1") }]);
    w.pass(100);
    assert_eq!(w.take(), []);
    assert_eq!(w.trunks.recognise(&udp("10.0.0.1:5060"), &[]), None);
    assert!(!w.trunks.is_up(A));
}

fn trunk(name: &str, sources: &[&str]) -> dialplan::Trunk {
    let cidr = |text: &&str| {
        let (address, prefix) = text.split_once('/').unwrap();
        Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    };
    dialplan::Trunk {
        id: A,
        name: name.to_owned(),
        network: "carrier".to_owned(),
        sources: sources.iter().map(cidr).collect(),
        tls_identity: None,
        address: None,
        register: None,
        called_from: CalledFrom::RequestUri,
        area_code: "816".to_owned(),
        max_calls: None,
        max_calls_per_s: None,
        options_s: None,
        reaches: Reaches::Network,
        media_over_tls: TlsMedia::Srtp,
        caller_policy: CallerPolicy::Own(LineNumber::parse("12345").unwrap()),
        group: None,
    }
}

fn reached(name: &str, address: &str) -> dialplan::Trunk {
    dialplan::Trunk { address: Some(address.to_owned()), ..trunk(name, &[]) }
}

fn udp(remote: &str) -> Flow {
    Flow {
        network: NetworkId(0),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        connection: None,
    }
}

fn hop(remote: &str) -> Hop {
    Hop::to(NetworkId(0), Transport::Udp, remote.parse().unwrap())
}

fn number(calling: &Calling) -> &str {
    calling.number.as_ref().map_or("", PhoneNumber::as_str)
}

fn invite(uri: &str, to: &str, from: &str, more: &str) -> Message {
    let text = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nMax-Forwards: 70\r\nFrom: {from};tag=a\r\n\
         To: {to}\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{more}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn sent(output: &Output) -> (Purpose, Hop, Outgoing) {
    match output {
        Output::Send { purpose, hop, request, .. } => (*purpose, hop.clone(), (**request).clone()),
        Output::Resolve { .. } | Output::Health { .. } => panic!("not a request: {output:?}"),
    }
}

/// The far end of a registration.
struct Carrier {
    guard: std::cell::RefCell<Guard>,
    account: Credentials,
}

impl Carrier {
    fn new() -> Carrier {
        Carrier::with_password("secret")
    }

    fn with_password(password: &str) -> Carrier {
        let guard = Guard::new(Settings::new("carrier.example"), &[1; 32]);
        let account = Credentials::from_password("08162250000", "carrier.example", password);
        Carrier { guard: guard.into(), account }
    }

    fn challenge(&self, now: Now, stale: bool) -> String {
        let one = |header| {
            let mut value = Vec::new();
            crate::sip::message::HeaderValue::write(&header, &mut value);
            format!("WWW-Authenticate: {}\r\n", String::from_utf8(value).unwrap())
        };
        self.guard.borrow().challenge(now, [2; 8], stale).into_iter().map(one).collect()
    }

    fn accepts(&self, now: Now, request: &Outgoing) -> bool {
        let credentials: Vec<_> = request.credentials.iter().map(|(_, c)| c.clone()).collect();
        let claim = Request { method: "REGISTER", uri: request.uri.as_str(), body: b"", credentials: &credentials };
        let verdict = self.guard.borrow_mut().check(now, &claim, |_| Some(&self.account));
        // A refresh long after may find its nonce too old; the password was right all the same.
        matches!(verdict, Verdict::Accepted { .. } | Verdict::Stale)
    }
}

struct World {
    trunks: Trunks,
    plan: Plan,
    now: Now,
    out: Vec<Output>,
}

impl World {
    fn new(trunks: Vec<dialplan::Trunk>) -> World {
        let plan = Plan::default();
        let mut w = World { trunks: Trunks::default(), plan, now: Now::default(), out: Vec::new() };
        w.set_plan(trunks);
        w
    }

    fn registered() -> World {
        let register = TrunkRegister {
            user: "08162250000".to_owned(),
            domain: Some("carrier.example".to_owned()),
            expires_s: 3_600,
        };
        World::new(vec![dialplan::Trunk { register: Some(register), ..reached("a", "sip:10.0.0.1") }])
    }

    fn set_plan(&mut self, trunks: Vec<dialplan::Trunk>) {
        let mut plan = Plan { trunks, ..Plan::default() };
        plan.continues(&self.plan);
        self.plan = plan;
        let passwords = BTreeMap::from([("a".to_owned(), "secret".to_owned())]);
        self.trunks.set_plan(&self.plan.trunks, &|name| (name == "carrier").then_some(NetworkId(0)), &passwords)
    }

    /// Lets time pass from deadline to deadline, as the loop does.
    fn pass(&mut self, seconds: u64) {
        let end = self.now.after(Duration::from_secs(seconds));
        while let Some(at) = self.trunks.deadline().filter(|at| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.trunks.tick(self.now, &mut || [255; 8], &mut self.out);
        }
        self.now = end;
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// The one REGISTER that was sent since.
    fn register_sent(&mut self) -> (Purpose, Outgoing) {
        let out = self.take();
        let requests: Vec<_> = out.iter().filter(|o| matches!(o, Output::Send { .. })).map(sent).collect();
        assert_eq!(requests.len(), 1, "{out:?}");
        (requests[0].0, requests[0].2.clone())
    }

    fn respond(&mut self, purpose: Purpose, request: &Outgoing, status: u16, headers: &str) {
        self.respond_over(&udp("10.0.0.1:5060"), purpose, request, status, headers);
    }

    fn respond_over(&mut self, flow: &Flow, purpose: Purpose, request: &Outgoing, status: u16, headers: &str) {
        let via = Via::parse(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1").unwrap();
        let request = Message::parse(request.build(&via, None)).unwrap();
        let mut response = ResponseBuilder::to_request(&request, status, "", Some("b"));
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            response.raw(name, value.as_bytes());
        }
        let response = Message::parse(response.build()).unwrap();
        let random = &mut || [9; 8];
        self.trunks.responded(self.now, (A, purpose), (flow, &response), random, &mut self.out);
    }
}
