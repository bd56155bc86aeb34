//! Our own business with carriers through the endpoint: registration and OPTIONS.

use std::time::Duration;

use super::party::{Party, header};
use super::rig::*;
use crate::dialplan::TrunkRegister;
use crate::sip::endpoint::Output;
use crate::sip::message::HeaderName;

const CHALLENGE: &str = "Digest realm=\"carrier\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";

fn health(rig: &mut Rig) -> Vec<bool> {
    let told = rig.others.iter().filter_map(|output| match output {
        Output::TrunkHealth { trunk, up } => {
            assert_eq!(*trunk, FIRST);
            Some(*up)
        }
        Output::Send(_)
        | Output::Close { .. }
        | Output::Resolve { .. }
        | Output::Leg { .. }
        | Output::Open { .. }
        | Output::Stream { .. }
        | Output::SendDigit { .. }
        | Output::CloseMedia { .. }
        | Output::Reachable { .. } => None,
    });
    let told = told.collect();
    rig.others.clear();
    told
}

#[test]
fn we_register_answer_the_challenge_and_take_it_back_at_the_end() {
    let mut setup = Setup::new();
    setup.plan.trunks.truncate(1);
    setup.plan.trunks[0].register = Some(TrunkRegister { user: "0816".to_owned(), domain: None, expires_s: 3_600 });
    let mut rig = setup.build();
    health(&mut rig);
    let register = rig.hears(CARRIER, "REGISTER");
    assert_eq!(register.contact().unwrap().unwrap().uri.user(), Some("0816"));
    let carrier = Party::callee(CARRIER, &register);
    rig.say(CARRIER, carrier.bare_response(&register, 401, &[("WWW-Authenticate", CHALLENGE)], ""));
    let again = rig.hears(CARRIER, "REGISTER");
    assert!(header(&again, HeaderName::Authorization).contains("username=\"0816\""));
    assert_eq!((again.call_id(), again.cseq_number()), (register.call_id(), register.cseq_number() + 1));
    let contact = format!("{};expires=3600", header(&again, HeaderName::Contact));
    rig.say(CARRIER, carrier.bare_response(&again, 200, &[("Contact", &contact)], ""));
    rig.input(crate::sip::endpoint::Input::Tick);
    assert_eq!(health(&mut rig).last(), Some(&true));
    let mut refreshes = 0;
    for _ in 0..7_200 {
        rig.pass_ms(500);
        while rig.next_is(CARRIER, "REGISTER") {
            let refresh = rig.hears(CARRIER, "REGISTER");
            rig.say(CARRIER, carrier.bare_response(&refresh, 200, &[("Contact", &contact)], ""));
            refreshes += 1;
        }
    }
    assert!((1..5).contains(&refreshes), "{refreshes} in an hour");
    assert!(health(&mut rig).is_empty());
    rig.unregister();
    let last = rig.hears(CARRIER, "REGISTER");
    assert_eq!(last.expires(), Some(0));
    rig.drain_all();
}

#[test]
fn a_carrier_without_answers_to_options_is_down_until_it_answers_again() {
    let mut setup = Setup::new();
    setup.plan.trunks.truncate(1);
    setup.plan.trunks[0].options_s = Some(30);
    let mut rig = setup.build();
    health(&mut rig);
    rig.pass(Duration::from_secs(120));
    assert!(rig.drain("OPTIONS") > 2);
    assert_eq!(health(&mut rig), [false]);
    for _ in 0..300 {
        rig.pass_ms(500);
        while rig.next_is(CARRIER, "OPTIONS") {
            let options = rig.hears(CARRIER, "OPTIONS");
            let carrier = Party::callee(CARRIER, &options);
            rig.say(CARRIER, carrier.bare_response(&options, 200, &[], ""));
        }
    }
    assert_eq!(health(&mut rig), [true]);
    assert!(rig.endpoint.left().is_nothing());
}
