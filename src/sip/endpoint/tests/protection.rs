//! Audio to peers whose signalling runs over TLS: encrypted, plain or either, as trunk and network say; keys never travel in
//! the open (RFC 4568 7.1).

use super::party::{Party, sdp};
use super::rig::*;
use crate::sip::endpoint::Input;
use crate::sip::flow::{ConnId, Flow, Transport};
use crate::types::{Cause, LegCommand, Target, TlsMedia};

const AUDIO: &str = "10.1.0.1:30000";
const TLS_CARRIER: &str = "10.1.0.1:33061";
const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e\r\n";

fn plain() -> String {
    sdp(AUDIO, "sendrecv")
}

fn keyed(profile: &str) -> String {
    plain().replace("RTP/AVP", profile) + KEY
}

/// A rig with a listener for TLS in each network, and the setting for the first trunk or the seats' network.
fn rig(trunk: TlsMedia, seats: TlsMedia) -> Rig {
    let mut setup = Setup::new();
    setup.plan.trunks[0].media_over_tls = trunk;
    for (network, local) in setup.config.networks.iter_mut().zip(["10.0.0.1:5061", "10.0.0.2:5061"]) {
        network.listeners.push((Transport::Tls, local.parse().unwrap()));
    }
    setup.config.networks[1].media_over_tls = seats;
    setup.build()
}

fn tls(rig: &mut Rig, at: &str) -> Flow {
    let mut flow = flow(at.parse().unwrap());
    (flow.transport, flow.connection) = (Transport::Tls, Some(ConnId(1)));
    rig.input(Input::Opened { flow, identities: Vec::new() });
    flow
}

/// A call of the first trunk over a flow, answered by us: what we describe, or `None` where it is refused with 488.
fn answer_to(rig: &mut Rig, flow: Flow, offer: &str) -> Option<String> {
    let at = flow.remote.to_string();
    let mut caller = Party::caller(&at, "protected");
    let invite = caller.invite("", offer);
    rig.input(Input::Message { flow, bytes: invite.into() });
    rig.hears(&at, "100");
    let (leg, _) = rig.event();
    rig.tell(leg, LegCommand::Answer);
    if rig.next_is(&at, "488") {
        rig.hears(&at, "488");
        rig.ends(leg, Cause::NoCommonMedia);
        let ack = caller.ack_refusal();
        rig.input(Input::Message { flow, bytes: ack.into() });
        return None;
    }
    let ok = rig.hears(&at, "200");
    let is_encrypted = rig.stream(leg).srtp.is_some();
    let text = String::from_utf8(ok.body().to_vec()).unwrap();
    assert_eq!(text.contains("a=crypto"), is_encrypted);
    Some(text)
}

#[test]
fn the_setting_of_a_trunk_decides_what_is_accepted_over_tls() {
    let refused = None;
    let cases = [
        (TlsMedia::Srtp, plain(), refused),
        (TlsMedia::Srtp, keyed("RTP/SAVP"), Some(true)),
        (TlsMedia::Rtp, plain(), Some(false)),
        (TlsMedia::Rtp, keyed("RTP/SAVP"), refused),
        (TlsMedia::Either, plain(), Some(false)),
        (TlsMedia::Either, keyed("RTP/SAVP"), Some(true)),
        (TlsMedia::Either, keyed("RTP/AVP"), Some(true)),
    ];
    for (setting, offer, expected) in cases {
        let mut rig = rig(setting, TlsMedia::Srtp);
        let flow = tls(&mut rig, TLS_CARRIER);
        let answer = answer_to(&mut rig, flow, &offer);
        assert_eq!(answer.map(|sdp| sdp.contains("a=crypto")), expected, "{setting:?}: {offer}");
    }
}

#[test]
fn keys_never_travel_in_the_open() {
    for setting in [TlsMedia::Srtp, TlsMedia::Rtp, TlsMedia::Either] {
        let mut rig = rig(setting, setting);
        let open = flow(CARRIER.parse().unwrap());
        assert!(!answer_to(&mut rig, open, &plain()).expect("plain is what there is").contains("crypto"));
        let mut rig = self::rig(setting, setting);
        assert_eq!(answer_to(&mut rig, open, &keyed("RTP/SAVP")), None);
    }
}

/// What a seat's phone that is registered over TLS is offered.
fn offer_to_seat(seats: TlsMedia) -> String {
    let mut rig = rig(TlsMedia::Srtp, seats);
    let at = "10.2.0.1:41061";
    let flow = tls(&mut rig, at);
    let mut party = Party::caller(at, "registers");
    (party.called, party.caller) = ("8001".to_owned(), "8001".to_owned());
    let first = party.request("REGISTER", "", "");
    rig.input(Input::Message { flow, bytes: first.into() });
    let challenge = rig.hears(at, "401");
    let proof = proof(8001, "secret-8001", ("REGISTER", 8001), &challenge);
    let second = party.request("REGISTER", &proof, "");
    rig.input(Input::Message { flow, bytes: second.into() });
    rig.hears(at, "200");
    rig.dial(Target::Seat(SEAT), None);
    let invite = rig.hears(at, "INVITE");
    String::from_utf8(invite.body().to_vec()).unwrap()
}

#[test]
fn the_setting_of_a_network_decides_what_its_phones_are_offered_over_tls() {
    for (setting, profile, has_keys) in
        [(TlsMedia::Srtp, "RTP/SAVP", true), (TlsMedia::Rtp, "RTP/AVP", false), (TlsMedia::Either, "RTP/AVP", true)]
    {
        let offer = offer_to_seat(setting);
        assert!(offer.contains(&format!(" {profile} ")), "{setting:?}: {offer}");
        assert_eq!(offer.contains("a=crypto"), has_keys, "{setting:?}");
    }
}
