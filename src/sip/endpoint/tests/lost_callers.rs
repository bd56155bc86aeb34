//! The caller's connection breaks before it has our answer: it is answered where it listens, or the leg ends at once.

use super::party::{Party, sdp};
use super::rig::*;
use crate::sip::endpoint::Input;
use crate::sip::flow::{ConnId, Flow, Transport};
use crate::types::{Cause, LegCommand, LegEvent, LegId};

/// Where a carrier connects from; it listens at `CARRIER`, as its Via says.
const CONNECTED_FROM: &str = "10.1.0.1:33333";
const CLOSED: Input = Input::Closed { connection: ConnId(1) };

fn connect(rig: &mut Rig, transport: Transport, connection: u64, identities: &[&str]) -> Flow {
    let mut flow = flow(CONNECTED_FROM.parse().unwrap());
    (flow.transport, flow.connection) = (transport, Some(ConnId(connection)));
    rig.input(Input::Opened { flow, identities: identities.iter().map(|name| (*name).to_owned()).collect() });
    flow
}

/// A call over a connection that we have let ring.
fn ringing(rig: &mut Rig, flow: Flow) -> (Party, LegId) {
    let mut caller = Party::caller(CARRIER, "stream");
    let invite = caller.invite("", &sdp("10.1.0.1:30000", "sendrecv"));
    rig.input(Input::Message { flow, bytes: invite.into() });
    let (leg, _) = rig.event();
    rig.tell(leg, LegCommand::Ring);
    rig.hears(CARRIER, "100");
    rig.hears(CARRIER, "180");
    assert_eq!(rig.last_hop().connection, flow.connection);
    (caller, leg)
}

fn cannot_be_sent(rig: &mut Rig) {
    let by = rig.last_by();
    rig.input(Input::Unsent { by });
}

#[test]
fn a_caller_whose_connection_breaks_is_answered_where_it_listens() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, Transport::Tcp, 1, &[]);
    let (mut caller, leg) = ringing(&mut rig, first);
    rig.input(CLOSED);
    // What it has heard comes once more, and shows that it is there.
    rig.hears(CARRIER, "180");
    assert_eq!((rig.last_hop().transport, rig.last_hop().connection), (Transport::Tcp, None));
    rig.tell(leg, LegCommand::Answer);
    caller.learns(&rig.hears(CARRIER, "200"));
    assert_eq!(rig.last_hop().connection, None);
    let second = connect(&mut rig, Transport::Tcp, 2, &[]);
    let ack = caller.ack("");
    rig.input(Input::Message { flow: second, bytes: ack.into() });
    rig.reports(leg, LegEvent::Answered);
    rig.pass(PATIENCE);
    let bye = caller.request("BYE", "", "");
    rig.input(Input::Message { flow: second, bytes: bye.into() });
    rig.hears(CARRIER, "200");
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_caller_who_listens_nowhere_ends_at_once() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, Transport::Tcp, 1, &[]);
    let (_, leg) = ringing(&mut rig, first);
    // A message in the line of the broken connection says nothing yet: the caller may listen.
    cannot_be_sent(&mut rig);
    rig.no_event();
    rig.input(CLOSED);
    rig.hears(CARRIER, "180");
    rig.no_event();
    cannot_be_sent(&mut rig);
    rig.ends(leg, Cause::PeerLost);
    rig.hears(CARRIER, "500");
    cannot_be_sent(&mut rig);
    rig.finish();
}

#[test]
fn a_caller_whose_connection_swallowed_the_answer_gets_it_where_it_listens_or_is_hung_up() {
    for listens in [true, false] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, Transport::Tcp, 1, &[]);
        let (mut caller, leg) = ringing(&mut rig, first);
        rig.tell(leg, LegCommand::Answer);
        caller.learns(&rig.hears(CARRIER, "200"));
        rig.input(CLOSED);
        rig.hears(CARRIER, "200");
        if listens {
            let second = connect(&mut rig, Transport::Tcp, 2, &[]);
            let ack = caller.ack("");
            rig.input(Input::Message { flow: second, bytes: ack.into() });
            rig.reports(leg, LegEvent::Answered);
            // A message that was sent before may still be reported.
            cannot_be_sent(&mut rig);
            rig.no_event();
            rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
            rig.ends(leg, Cause::HungUp);
        } else {
            cannot_be_sent(&mut rig);
            rig.ends(leg, Cause::PeerLost);
        }
        // The last word goes to its Contact.
        let bye = rig.hears(CARRIER, "BYE");
        rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
        rig.finish();
    }
}

#[test]
fn a_carrier_over_tls_is_answered_under_the_name_that_it_is_known_by() {
    for (identity, name) in [(None, "10.1.0.1"), (Some("sbc.example"), "sbc.example")] {
        let mut setup = Setup::new();
        setup.config.networks[0].listeners.push((Transport::Tls, "10.0.0.1:5061".parse().unwrap()));
        setup.plan.trunks[0].tls_identity = identity.map(str::to_owned);
        let mut rig = setup.build();
        let first = connect(&mut rig, Transport::Tls, 1, &["sbc.example"]);
        let mut caller = Party::caller(CARRIER, "secure");
        let invite = caller.invite("", "");
        rig.input(Input::Message { flow: first, bytes: invite.into() });
        let (leg, _) = rig.event();
        rig.hears(CARRIER, "100");
        rig.input(CLOSED);
        rig.hears(CARRIER, "100");
        let hop = rig.last_hop();
        assert_eq!((hop.connection, hop.server_name.as_deref()), (None, Some(name)));
        cannot_be_sent(&mut rig);
        rig.ends(leg, Cause::PeerLost);
        rig.hears(CARRIER, "500");
        cannot_be_sent(&mut rig);
        rig.finish();
    }
}

#[test]
fn a_datagram_that_the_system_refuses_ends_no_call() {
    let mut rig = Rig::new();
    let (mut caller, leg) = ringing(&mut rig, flow(CARRIER.parse().unwrap()));
    cannot_be_sent(&mut rig);
    rig.no_event();
    let cancel = caller.cancel();
    rig.say(CARRIER, cancel);
    rig.hears(CARRIER, "200");
    rig.hears(CARRIER, "487");
    rig.ends(leg, Cause::Cancelled);
    caller.theirs.clear();
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}
