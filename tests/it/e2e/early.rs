//! What a caller hears of whoever is rung outside before there is an answer: each carrier in turn, our ringing tone between.

use std::time::Duration;

use serde_json::json;

use super::rig::listen::level_db;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{s, tone};
use super::talk::{heard_well, long_enough, moment};

/// Where carriers are, one behind the other.
const CARRIERS: [u8; 3] = [31, 32, 33];
/// Our ringing tone (GF 002-9002.1).
const RINGING: f64 = 450.0;

/// A line whose seats are behind three carriers, each rung when those before have refused. Who calls is answered by them alone.
fn site() -> Site {
    let mut site = Site::new();
    let mut routes = String::new();
    for host in CARRIERS {
        let address = site.street.at(host);
        site.more_plan += &format!(
            "[[trunk]]\nname = \"carrier-{host}\"\nnetwork = \"main\"\nsources = [\"{address}\"]\n\
             address = \"sip:{address}:5060\"\narea_code = \"816\"\nreaches = \"office\"\n\
             caller = {{ policy = \"callers\", diversion = \"12345\" }}\n"
        );
        routes += &format!("[[destination.route]]\ntrunk = \"carrier-{host}\"\n");
    }
    site.more_plan += &format!("[[destination]]\nname = \"outside\"\nring_s = 20\n{routes}");
    site.more_plan += "[[line]]\nnumber = \"12305\"\nname = \"12305 热线\"\n[[line.phase]]\nfrom = 2021-10-15\n\
                       mode = \"external\"\nanswer = \"by-seat\"\ndestination = \"outside\"\n";
    site
}

/// A carrier that describes its audio, says a tone or nothing, and refuses after two seconds.
fn refuses(server: &Server, host: u8, hertz: Option<f64>) -> Sipp {
    let site = &server.site;
    let says = hertz.map_or_else(String::new, |hertz| {
        let file = site.file(&format!("carrier-{host}.al"));
        tone::write_alaw(&file, hertz);
        let file = file.display();
        format!("<nop><action><exec rtp_stream=\"{file},-1,8,PCMA/8000\"/></action></nop>")
    });
    let mut job = Job::phone(site, "carrier_announces", host);
    job.pause_ms = 2_000;
    job.replace = vec![("SAYS", says.into_bytes())];
    Sipp::start(site, &job)
}

/// The tones that were heard, one after the other, each for a fifth of a second at least; pauses do not count.
fn course(heard: &Wav) -> Vec<f64> {
    let window = heard.rate as usize / 10;
    let loudest = |part: &[i16]| {
        let levels = [RINGING, tone::OTHER_SEAT, tone::SEAT].map(|hertz| (level_db(part, heard.rate, hertz), hertz));
        levels
            .into_iter()
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(level, _)| *level > -40.0)
            .map(|(_, hertz)| hertz)
    };
    let windows: Vec<f64> = heard.channels[0].chunks_exact(window).filter_map(loudest).collect();
    let mut tones: Vec<f64> = windows.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    tones.dedup();
    tones
}

#[test]
fn a_caller_who_is_not_answered_hears_each_carrier_in_turn_and_our_tone_where_none_is_heard() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let server = Server::start(site());
    let site = &server.site;
    let mut refusing = [
        refuses(&server, CARRIERS[0], Some(tone::OTHER_SEAT)),
        // It describes audio that never comes.
        refuses(&server, CARRIERS[1], None),
    ];
    let rings = json!({ "user": "office", "answer": 180, "tone": site.tone(tone::SEAT) });
    let mut office = Phone::caller(site, CARRIERS[2], rings);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    let [by_caller, by_office, talk] = ["caller", "office", "talk"].map(|who| site.file(&format!("{who}.wav")));
    caller.record(&by_caller);
    caller.call(&format!("sip:12305@{}", site.sip()));
    office.wait("incoming", |_| true);
    for sipp in &mut refusing {
        sipp.expect_good(1, s(10));
    }
    office.record(&by_office);
    office.order(json!({ "do": "answer", "code": 183 }));
    office.wait("media", |_| true);
    // Not a synchronisation: this is the length of what is listened to.
    std::thread::sleep(Duration::from_millis(1_500));
    for phone in [&mut caller, &mut office] {
        phone.order(json!({ "do": "stop" }));
        phone.wait("recorded", |_| true);
    }
    assert!(caller.told().iter().all(|event| event["state"] != "confirmed"), "it is not answered yet");
    assert_eq!(course(&Wav::read(&by_caller)), [tone::OTHER_SEAT, RINGING, tone::SEAT]);
    let silence = Wav::read(&by_office);
    let voice = level_db(&silence.channels[0], silence.rate, tone::CALLER);
    assert!(silence.seconds() > 1.0 && voice < -60.0, "nobody is heard there before the answer: {voice:.1} dB");

    office.order(json!({ "do": "answer" }));
    let up = office.wait_state("confirmed");
    caller.wait_state("confirmed");
    caller.record(&talk);
    // Not a synchronisation: this is the length of the talk.
    std::thread::sleep(Duration::from_millis(1_500));
    caller.hang_up();
    let down = office.wait_state("disconnected");
    heard_well("the caller", &Wav::read(&talk), tone::SEAT);
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "answered_outside");
    // What is recorded begins with the answer.
    long_enough("the recording", &server.export(&call), moment(&down) - moment(&up));
}
