//! Our own requests.

use super::*;
use crate::sip::message::HeaderName;
use crate::sip::transaction::By;

const LONG: Duration = Duration::from_secs(100);

#[test]
fn an_invite_without_any_answer_is_repeated_at_doubling_intervals_and_times_out_after_64_t1() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Invite, 1);
    assert_eq!(world.sent().len(), 1);
    let story = world.pass(LONG);
    assert_eq!(times(&story, "INVITE"), [500, 1500, 3500, 7500, 15_500, 31_500], "timer A");
    assert_eq!(times(&story, "Timeout"), [32_000], "timer B");
    assert!(world.is_empty());
}

#[test]
fn a_stream_repeats_nothing_yet_times_out_alike() {
    for method in [Method::Invite, Method::Options] {
        let mut world = World::over(Transport::Tcp);
        world.request(method, 1);
        assert_eq!(world.sent().len(), 1);
        assert_eq!(world.pass(LONG), [(32_000, "Timeout".to_owned())]);
        assert!(world.is_empty());
    }
}

#[test]
fn a_provisional_response_ends_the_repetition_and_the_invite_waits_without_limit() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Invite, 1);
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 100, "a"))), Some(100));
    world.sent();
    assert_eq!(world.pass(Duration::from_secs(600)), []);
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 180, "a"))), Some(180));
    assert_eq!(world.layer.clients(), 1);
}

#[test]
fn a_refusal_is_told_once_and_acknowledged_each_time_it_comes() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Invite, 1);
    world.sent();
    let refusal = response_text("INVITE", 1, 486, "a");
    assert_eq!(status(world.receive(&refusal)), Some(486));
    assert_eq!(world.sent(), ["ACK sip:12345@192.0.2.1 SIP/2.0"]);
    assert!(world.receive(&refusal).is_none());
    assert_eq!(world.sent(), ["ACK sip:12345@192.0.2.1 SIP/2.0"]);
    assert!(world.receive(&response_text("INVITE", 1, 180, "a")).is_none(), "a late provisional response");
    assert!(world.receive(&response_text("INVITE", 1, 200, "b")).is_none(), "a 2xx after a refusal");
    assert_eq!(world.pass(Duration::from_secs(31)), []);
    assert_eq!(world.layer.clients(), 1, "timer D runs");
    assert_eq!(world.pass(Duration::from_secs(1)), []);
    assert!(world.is_empty());
}

#[test]
fn a_refusal_over_a_stream_ends_the_transaction_at_once() {
    let mut world = World::over(Transport::Tls);
    world.request(Method::Invite, 1);
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 603, "a"))), Some(603));
    assert_eq!(world.sent().len(), 2, "the INVITE and its ACK");
    assert!(world.is_empty());
}

#[test]
fn the_ack_to_a_refusal_repeats_the_invite_and_takes_the_tag_of_the_response() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Invite, 1);
    world.receive(&response_text("INVITE", 1, 486, "theirs"));
    let ack = Message::parse(world.out.pop().unwrap().bytes).unwrap();
    assert_eq!(*ack.method(), Method::Ack);
    assert_eq!(ack.cseq_number(), 7);
    assert_eq!(ack.branch(), Some(branch(1).as_str()));
    assert_eq!(ack.headers(HeaderName::Via).count(), 1);
    assert_eq!(ack.to_tag(), Some("theirs"));
    assert_eq!(ack.from_tag(), Some("them"));
    assert_eq!(ack.call_id(), "call-1@192.0.2.9");
    assert_eq!(ack.header(HeaderName::Route), Some(&b"<sip:proxy.example;lr>"[..]));
    assert!(ack.body().is_empty());
}

#[test]
fn every_2xx_is_passed_until_timer_m_says_that_no_more_can_come() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Invite, 1);
    world.sent();
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 200, "a"))), Some(200));
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 200, "a"))), Some(200), "repeated");
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 200, "b"))), Some(200), "another branch");
    assert!(world.receive(&response_text("INVITE", 1, 486, "c")).is_none());
    assert_eq!(world.sent(), [""; 0], "the ACK to a 2xx is the dialog's");
    assert_eq!(world.pass(LONG), [(32_000, "Over".to_owned())]);
    assert!(world.is_empty());
}

#[test]
fn a_2xx_after_the_end_is_a_stray_and_everything_else_is_dropped() {
    let mut world = World::over(Transport::Udp);
    assert!(matches!(world.receive(&response_text("INVITE", 1, 200, "a")), Some(Event::Stray { .. })));
    assert!(world.receive(&response_text("INVITE", 1, 486, "a")).is_none());
    assert!(world.receive(&response_text("OPTIONS", 1, 200, "a")).is_none());
}

#[test]
fn another_request_is_repeated_up_to_t2_and_times_out_after_64_t1() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Options, 1);
    world.sent();
    let story = world.pass(LONG);
    let timer_e = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(times(&story, "OPTIONS"), timer_e);
    assert_eq!(times(&story, "Timeout"), [32_000], "timer F");
    assert!(world.is_empty());
}

#[test]
fn a_provisional_response_slows_the_repetition_of_another_request_down_to_t2() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Bye, 1);
    world.pass(Duration::from_millis(600));
    assert_eq!(status(world.receive(&response_text("BYE", 1, 100, "a"))), Some(100));
    let story = world.pass(LONG);
    assert_eq!(times(&story, "BYE")[..3], [900, 4900, 8900], "timer E goes on, then every T2");
    assert_eq!(times(&story, "Timeout"), [31_400], "timer F has not been set back");
}

#[test]
fn the_final_response_to_another_request_is_told_once() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Bye, 1);
    world.sent();
    assert_eq!(status(world.receive(&response_text("BYE", 1, 200, "a"))), Some(200));
    assert!(world.receive(&response_text("BYE", 1, 200, "a")).is_none());
    assert!(world.receive(&response_text("BYE", 1, 481, "a")).is_none());
    assert_eq!(world.pass(Duration::from_millis(4999)), []);
    assert_eq!(world.layer.clients(), 1, "timer K runs");
    assert_eq!(world.pass(Duration::from_millis(1)), []);
    assert!(world.is_empty());
}

#[test]
fn a_response_with_another_method_does_not_match() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Options, 1);
    assert!(world.receive(&response_text("BYE", 1, 200, "a")).is_none());
    assert_eq!(world.layer.clients(), 1);
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut world = World::over(Transport::Udp);
    let id = world.request(Method::Invite, 1);
    assert!(world.cancel(id));
    assert!(world.cancel(id), "wanting it twice is the same");
    assert_eq!(world.sent(), ["INVITE sip:12345@192.0.2.1 SIP/2.0"]);
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 100, "a"))), Some(100));
    let cancel = Message::parse(world.out.pop().unwrap().bytes).unwrap();
    assert_eq!(*cancel.method(), Method::Cancel);
    assert_eq!((cancel.cseq_number(), cancel.branch()), (7, Some(branch(1).as_str())));
    assert_eq!(cancel.to_tag(), None);
    assert_eq!(cancel.reason_headers()[0].cause, Some(200));
    assert!(world.receive(&response_text("CANCEL", 1, 200, "a")).is_none(), "nobody waits for it");
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 487, "a"))), Some(487));
    assert_eq!(world.sent(), ["ACK sip:12345@192.0.2.1 SIP/2.0"]);
    assert_eq!(world.pass(LONG), []);
    assert!(world.is_empty());
}

#[test]
fn a_cancel_after_a_provisional_response_goes_out_at_once_and_is_repeated() {
    let mut world = World::over(Transport::Udp);
    let id = world.request(Method::Invite, 1);
    world.receive(&response_text("INVITE", 1, 180, "a"));
    world.sent();
    assert!(world.cancel(id));
    assert_eq!(world.sent(), ["CANCEL sip:12345@192.0.2.1 SIP/2.0"]);
    let story = world.pass(LONG);
    assert_eq!(times(&story, "CANCEL")[..3], [500, 1500, 3500]);
    assert_eq!(times(&story, "Timeout"), [32_000], "one for the INVITE, none for the CANCEL");
    assert!(world.is_empty());
}

#[test]
fn a_cancel_that_crosses_the_2xx_leaves_the_2xx_to_the_user() {
    let mut world = World::over(Transport::Udp);
    let id = world.request(Method::Invite, 1);
    world.receive(&response_text("INVITE", 1, 180, "a"));
    assert!(world.cancel(id));
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 200, "a"))), Some(200));
    assert!(world.receive(&response_text("CANCEL", 1, 481, "a")).is_none());
    assert_eq!(times(&world.pass(LONG), "Over"), [32_000]);
    assert!(world.is_empty());
}

#[test]
fn a_wanted_cancel_is_dropped_when_the_answer_comes_first() {
    let mut world = World::over(Transport::Udp);
    let id = world.request(Method::Invite, 1);
    assert!(world.cancel(id));
    world.receive(&response_text("INVITE", 1, 200, "a"));
    assert_eq!(world.sent(), ["INVITE sip:12345@192.0.2.1 SIP/2.0"]);
    assert!(!world.cancel(id), "now it takes a BYE");
}

#[test]
fn only_an_open_invite_can_be_cancelled() {
    let mut world = World::over(Transport::Udp);
    let options = world.request(Method::Options, 1);
    assert!(!world.cancel(options));
    let invite = world.request(Method::Invite, 2);
    world.receive(&response_text("INVITE", 2, 486, "a"));
    assert!(!world.cancel(invite));
    world.pass(LONG);
    assert!(!world.cancel(invite));
}

#[test]
fn a_request_that_cannot_be_sent_fails_at_once_and_once() {
    for method in [Method::Invite, Method::Register] {
        let mut world = World::over(Transport::Tcp);
        let id = world.request(method, 1);
        assert!(matches!(world.fail(By::Client(id)), Some(Event::Failed { id: failed }) if failed == id));
        assert!(world.fail(By::Client(id)).is_none());
        assert!(world.is_empty());
    }
}

#[test]
fn a_failure_after_the_far_end_has_been_heard_changes_nothing() {
    let mut world = World::over(Transport::Udp);
    let id = world.request(Method::Invite, 1);
    world.receive(&response_text("INVITE", 1, 180, "a"));
    assert!(world.fail(By::Client(id)).is_none());
    assert_eq!(status(world.receive(&response_text("INVITE", 1, 200, "a"))), Some(200));
    assert!(world.fail(By::Client(id)).is_none());
    assert_eq!(world.layer.clients(), 1);
}

#[test]
fn an_invite_that_was_heard_of_may_be_given_a_time() {
    for (heard, story) in [(100, vec![(8_000, "Timeout".to_owned())]), (200, Vec::new())] {
        let mut world = World::over(Transport::Tcp);
        let id = world.request(Method::Invite, 1);
        world.receive(&response_text("INVITE", 1, 100, "a"));
        world.receive(&response_text("INVITE", 1, heard, "a"));
        world.sent();
        world.layer.answer_by(id, world.now + Duration::from_secs(8));
        assert_eq!(world.pass(Duration::from_secs(20)), story, "{heard}");
    }
}

#[test]
fn a_loop_that_was_held_up_sends_no_burst() {
    let mut world = World::over(Transport::Udp);
    world.request(Method::Options, 1);
    world.sent();
    world.now = world.now + Duration::from_secs(20);
    assert!(world.layer.tick(world.now, &mut world.out).is_none());
    assert_eq!(world.sent().len(), 1);
}
