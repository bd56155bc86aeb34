//! Requests of the far end.

use super::*;
use crate::sip::transaction::By;

const LONG: Duration = Duration::from_secs(100);

fn invite() -> String {
    request_text("INVITE", 1)
}

fn ack() -> String {
    request_text("ACK", 1)
}

#[test]
fn a_repeated_invite_is_absorbed_and_gets_the_last_provisional_response() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&invite()));
    assert!(world.receive(&invite()).is_none());
    assert_eq!(world.sent(), [""; 0], "nothing to repeat yet");
    world.respond(id, 100);
    world.respond(id, 180);
    world.sent();
    assert!(world.receive(&invite()).is_none());
    assert_eq!(world.sent(), ["SIP/2.0 180 Words"]);
    assert_eq!(world.pass(Duration::from_secs(600)), [], "the user may take its time");
}

#[test]
fn a_refusal_is_repeated_until_the_ack_comes() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&invite()));
    world.respond(id, 486);
    assert_eq!(world.sent(), ["SIP/2.0 486 Words"]);
    assert_eq!(times(&world.pass(Duration::from_secs(8)), "SIP/2.0 486"), [500, 1500, 3500, 7500], "timer G");
    assert!(world.receive(&invite()).is_none());
    assert_eq!(world.sent(), ["SIP/2.0 486 Words"], "a repeated INVITE gets it at once");
    assert!(world.receive(&ack()).is_none());
    assert!(world.receive(&ack()).is_none(), "timer I absorbs repeated ACKs");
    assert_eq!(world.pass(Duration::from_millis(4999)), []);
    assert_eq!(world.layer.servers(), 1);
    world.pass(Duration::from_millis(1));
    assert!(world.is_empty());
}

#[test]
fn a_refusal_without_ack_is_given_up_after_64_t1() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&invite()));
    world.respond(id, 486);
    world.sent();
    let story = world.pass(LONG);
    assert_eq!(times(&story, "SIP/2.0 486").len(), 10, "up to T2");
    assert_eq!(times(&story, "Unacknowledged"), [32_000], "timer H");
    assert!(world.is_empty());
}

#[test]
fn a_stream_repeats_no_refusal_and_ends_with_the_ack() {
    let mut world = World::over(Transport::Tcp);
    let id = server_id(world.receive(&invite()));
    world.respond(id, 486);
    world.sent();
    assert_eq!(world.pass(Duration::from_secs(31)), []);
    assert!(world.receive(&ack()).is_none());
    assert!(world.is_empty());
}

#[test]
fn after_a_2xx_invites_are_absorbed_and_acks_and_repeated_2xx_pass_until_timer_l() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&invite()));
    assert!(world.respond(id, 200));
    assert!(world.receive(&invite()).is_none());
    assert_eq!(world.sent(), ["SIP/2.0 200 Words"], "the dialog repeats it, not the transaction");
    assert!(world.respond(id, 200));
    assert_eq!(world.sent(), ["SIP/2.0 200 Words"]);
    assert!(!world.respond(id, 180));
    assert!(!world.respond(id, 500));
    assert_eq!(world.sent(), [""; 0]);
    assert!(matches!(world.receive(&ack()), Some(Event::Ack { .. })), "the caller wrongly used the INVITE's branch");
    assert!(matches!(world.receive(&request_text("ACK", 2)), Some(Event::Ack { .. })), "the caller did it right");
    assert_eq!(world.pass(Duration::from_millis(31_999)), []);
    assert_eq!(world.layer.servers(), 1);
    world.pass(Duration::from_millis(1));
    assert!(world.is_empty());
    assert!(!world.respond(id, 200), "now it is too late");
}

#[test]
fn the_first_final_response_counts() {
    let mut world = World::over(Transport::Udp);
    let invite = server_id(world.receive(&invite()));
    assert!(world.respond(invite, 487));
    assert!(!world.respond(invite, 200), "the seat answers after the caller has left");
    let bye = server_id(world.receive(&request_text("BYE", 2)));
    assert!(world.respond(bye, 200));
    assert!(!world.respond(bye, 481));
    assert_eq!(world.sent(), ["SIP/2.0 487 Words", "SIP/2.0 200 Words"]);
}

#[test]
fn a_repeated_bye_gets_its_answer_again_until_timer_j() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&request_text("BYE", 1)));
    assert!(world.receive(&request_text("BYE", 1)).is_none());
    assert_eq!(world.sent(), [""; 0]);
    world.respond(id, 200);
    assert!(world.receive(&request_text("BYE", 1)).is_none());
    assert_eq!(world.sent().len(), 2);
    world.pass(Duration::from_millis(31_999));
    assert_eq!(world.layer.servers(), 1);
    world.pass(Duration::from_millis(1));
    assert!(world.is_empty());
}

#[test]
fn a_bye_over_a_stream_is_over_with_its_answer() {
    let mut world = World::over(Transport::Tls);
    let id = server_id(world.receive(&request_text("BYE", 1)));
    world.respond(id, 200);
    assert!(world.is_empty());
}

#[test]
fn a_slow_request_repeats_its_provisional_response() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&request_text("REFER", 1)));
    world.respond(id, 100);
    world.receive(&request_text("REFER", 1));
    assert_eq!(world.sent(), ["SIP/2.0 100 Words", "SIP/2.0 100 Words"]);
}

#[test]
fn a_cancel_names_its_invite_and_is_answered_by_the_user() {
    let mut world = World::over(Transport::Udp);
    let invite = server_id(world.receive(&invite()));
    let Some(Event::Cancel { id, invite: found, .. }) = world.receive(&request_text("CANCEL", 1)) else {
        panic!("a CANCEL is told");
    };
    assert_eq!(found, Some(invite));
    assert!(world.receive(&request_text("CANCEL", 1)).is_none(), "repeated before it is answered");
    assert!(world.respond(id, 200));
    assert!(world.respond(invite, 487));
    assert!(world.receive(&request_text("CANCEL", 1)).is_none());
    assert_eq!(world.sent().len(), 3, "the 200 goes out again");
}

#[test]
fn a_cancel_without_invite_says_so() {
    let mut world = World::over(Transport::Udp);
    assert!(matches!(world.receive(&request_text("CANCEL", 1)), Some(Event::Cancel { invite: None, .. })));
}

#[test]
fn a_cancel_from_another_host_means_no_invite() {
    let mut world = World::over(Transport::Udp);
    server_id(world.receive(&invite()));
    world.flow.remote = "198.51.100.66:5070".parse().unwrap();
    assert!(matches!(world.receive(&request_text("CANCEL", 1)), Some(Event::Cancel { invite: None, .. })));
}

#[test]
fn an_ack_without_invite_is_passed_and_leaves_nothing_behind() {
    let mut world = World::over(Transport::Udp);
    assert!(matches!(world.receive(&ack()), Some(Event::Ack { .. })));
    assert!(world.is_empty());
}

#[test]
fn the_same_branch_from_another_sender_is_another_transaction() {
    let mut world = World::over(Transport::Udp);
    world.receive(&invite());
    let other = invite().replace("Via: SIP/2.0/UDP 192.0.2.9:5070", "Via: SIP/2.0/UDP 192.0.2.8:5070");
    assert!(matches!(world.receive(&other), Some(Event::Request { .. })));
    let same = invite().replace("Via: SIP/2.0/UDP 192.0.2.9:5070", "v: SIP/2.0/UDP  192.0.2.9:5070");
    assert!(world.receive(&same).is_none());
}

#[test]
fn a_branch_of_any_length_names_its_transaction() {
    let mut world = World::over(Transport::Udp);
    let long = |end: &str| invite().replace(branch(1).as_str(), &format!("z9hG4bK{}{end}", "a".repeat(20_000)));
    assert!(world.receive(&long("1")).is_some());
    assert!(world.receive(&long("1")).is_none());
    assert!(world.receive(&long("2")).is_some());
}

#[test]
fn the_same_invite_over_two_ways_is_told_as_merged() {
    let mut world = World::over(Transport::Udp);
    let first = server_id(world.receive(&invite()));
    let second = invite().replace(branch(1).as_str(), branch(2).as_str());
    let Some(Event::Request { id, merged, .. }) = world.receive(&second) else { panic!("a request") };
    assert!(merged);
    assert_ne!(id, first);
    world.respond(first, 486);
    let third = invite().replace(branch(1).as_str(), branch(3).as_str());
    let Some(Event::Request { merged, .. }) = world.receive(&third) else { panic!("a request") };
    assert!(!merged, "a proxy tries again after the refusal");
}

#[test]
fn an_invite_inside_a_dialog_is_never_merged() {
    let mut world = World::over(Transport::Udp);
    world.receive(&invite());
    let again = invite()
        .replace(branch(1).as_str(), branch(2).as_str())
        .replace("To: <sip:12345@192.0.2.1>", "To: <sip:12345@192.0.2.1>;tag=us");
    assert!(matches!(world.receive(&again), Some(Event::Request { merged: false, .. })));
}

#[test]
fn a_response_that_cannot_be_sent_is_told_while_it_matters() {
    let mut world = World::over(Transport::Udp);
    let id = server_id(world.receive(&invite()));
    world.respond(id, 180);
    assert!(matches!(world.fail(By::Server(id)), Some(Event::Undeliverable { .. })));
    assert!(world.respond(id, 486), "another response may have more luck");
    assert!(world.fail(By::Server(id)).is_none());
    assert!(world.is_empty());
    assert!(world.fail(By::Nobody).is_none());
}

#[test]
fn what_follows_a_lost_connection_goes_by_a_new_one() {
    let mut world = World::over(Transport::Tcp);
    let id = server_id(world.receive(&invite()));
    world.respond(id, 180);
    assert!(world.fail(By::Server(id)).is_none(), "its connection is still to be reported as gone");
    world.sent();
    let first = flow(Transport::Tcp);
    let other = Flow { connection: Some(ConnId(2)), ..first };
    world.layer.connection_lost(id, &other, None, &mut world.out);
    assert_eq!(world.sent(), [""; 0], "it came by another one");
    world.layer.connection_lost(id, &first, Some("sbc.example"), &mut world.out);
    let again = world.out[0].hop.clone();
    assert_eq!((again.connection, again.remote), (None, "192.0.2.9:5070".parse().unwrap()));
    assert_eq!(again.server_name.as_deref(), Some("sbc.example"));
    assert_eq!(world.sent(), ["SIP/2.0 180 Words"]);
    world.layer.connection_lost(id, &other, None, &mut world.out);
    assert_eq!(world.sent(), ["SIP/2.0 180 Words"], "the one that led there is gone too");
    world.respond(id, 486);
    assert_eq!(world.out[0].hop, again);
    world.sent();
    assert!(world.fail(By::Server(id)).is_none());
    assert!(world.is_empty(), "nobody listens there");
}

#[test]
fn a_refusal_that_a_breaking_connection_swallowed_goes_by_a_new_one_once() {
    let mut world = World::over(Transport::Tcp);
    let id = server_id(world.receive(&invite()));
    world.respond(id, 486);
    world.sent();
    assert!(world.fail(By::Server(id)).is_none());
    assert_eq!(world.out[0].hop.connection, None);
    assert_eq!(world.sent(), ["SIP/2.0 486 Words"]);
    assert!(world.fail(By::Server(id)).is_none());
    assert_eq!(world.sent(), [""; 0]);
    assert!(world.is_empty());
}

/// RFC 3261 17.2.3 for peers of RFC 2543: no cookie in the branch, or no branch.
mod old_peers {
    use super::*;

    fn old(text: &str) -> String {
        text.replace(&format!(";branch={}", branch(1).as_str()), "")
    }

    #[test]
    fn a_repeated_invite_matches() {
        let mut world = World::over(Transport::Udp);
        assert!(world.receive(&old(&invite())).is_some());
        assert!(world.receive(&old(&invite())).is_none());
        let newer = old(&invite()).replace("CSeq: 7", "CSeq: 8");
        assert!(matches!(world.receive(&newer), Some(Event::Request { .. })));
    }

    #[test]
    fn the_ack_of_a_refusal_matches_by_the_tag_of_the_response() {
        let mut world = World::over(Transport::Udp);
        let id = server_id(world.receive(&old(&invite())));
        world.respond(id, 486);
        let stranger = old(&ack()).replace("To: <sip:12345@192.0.2.1>", "To: <sip:12345@192.0.2.1>;tag=other");
        assert!(matches!(world.receive(&stranger), Some(Event::Ack { .. })));
        let right = old(&ack()).replace("To: <sip:12345@192.0.2.1>", "To: <sip:12345@192.0.2.1>;tag=us");
        assert!(world.receive(&right).is_none());
        world.sent();
        assert_eq!(world.pass(LONG), [], "nothing is repeated after the ACK");
    }

    #[test]
    fn the_ack_of_a_2xx_is_passed() {
        let mut world = World::over(Transport::Udp);
        let id = server_id(world.receive(&old(&invite())));
        world.respond(id, 200);
        let right = old(&ack()).replace("To: <sip:12345@192.0.2.1>", "To: <sip:12345@192.0.2.1>;tag=us");
        assert!(matches!(world.receive(&right), Some(Event::Ack { .. })));
    }

    #[test]
    fn a_cancel_finds_its_invite() {
        let mut world = World::over(Transport::Udp);
        let invite = server_id(world.receive(&old(&invite())));
        let cancel = world.receive(&old(&request_text("CANCEL", 1)));
        assert!(matches!(cancel, Some(Event::Cancel { invite: Some(found), .. }) if found == invite));
    }
}
