//! A talk between a caller's and a seat's telephone, and everything that must be true of what was heard and recorded.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::listen::Sound;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::site::{PHONE, Site, TELECOM};
use super::rig::tone;
use super::rig::wav::Wav;

/// Length of a talk.
pub(crate) const TALK: Duration = Duration::from_millis(3000);
/// Most that a length may be wrong, in seconds.
const LENGTH_S: f64 = 0.2;
/// What is left out at both ends: telephones begin to speak a moment after the answer.
const TRIM_MS: usize = 400;

/// What a talk left behind.
#[derive(Debug)]
pub(crate) struct Talk {
    /// The record.
    pub(crate) call: Value,
    /// What the caller heard.
    pub(crate) caller: Wav,
    /// What the seat heard.
    pub(crate) seat: Wav,
    /// The exported recording.
    pub(crate) recording: Wav,
    /// How long the caller's file should be, in seconds; the seat's may be cut by the hang-up a moment earlier or later.
    heard_s: f64,
    /// How long seat and caller were connected, by the telephones' clocks.
    talked_s: f64,
}

/// A server with the seat 8001 ready at a phone of pjsua2 that answers by itself, and a caller on the trunk of 12345.
pub(crate) fn one_of_each(site: Site) -> (Server, Phone, Phone) {
    let server = Server::start(site.with_seat(8001));
    let site = &server.site;
    let seat = Phone::seat(site, 8001, PHONE, json!({ "tone": site.tone(tone::SEAT), "answer": 200 }));
    server.make_ready(8001);
    let caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    (server, caller, seat)
}

/// Calls, talks, hangs up, and collects what was heard. The seat's phone answers by itself.
pub(crate) fn talk(server: &Server, caller: &mut Phone, seat: &mut Phone, line: &str) -> Talk {
    caller.call(&format!("sip:{line}@{}", server.site.sip()));
    finish_talk(server, caller, seat)
}

/// The same after the call was placed.
pub(crate) fn finish_talk(server: &Server, caller: &mut Phone, seat: &mut Phone) -> Talk {
    caller.wait_state("confirmed");
    let up = seat.wait_state("confirmed");
    let (by_caller, by_seat) = (server.site.file("heard-by-caller.wav"), server.site.file("heard-by-seat.wav"));
    let begun = caller.record(&by_caller);
    seat.record(&by_seat);
    // Not a synchronisation: this is the length of the talk.
    std::thread::sleep(TALK);
    let down = caller.hang_up();
    let seat_down = seat.wait_state("disconnected");
    let call = server.wait_fates(1).remove(0);
    Talk {
        recording: server.export(&call),
        caller: Wav::read(&by_caller),
        seat: Wav::read(&by_seat),
        heard_s: moment(&down) - moment(&begun),
        talked_s: moment(&seat_down) - moment(&up),
        call,
    }
}

impl Talk {
    /// Everybody heard the other's tone and no other, without gaps, at full length; so does the recording.
    pub(crate) fn is_perfect(&self) {
        assert_eq!(self.call["fate"], "answered");
        heard_well("the caller", &self.caller, tone::SEAT);
        heard_well("the seat", &self.seat, tone::CALLER);
        long_enough("the caller's file", &self.caller, self.heard_s);
        long_enough("the recording", &self.recording, self.talked_s);
        recorded_well(&self.recording, tone::CALLER, tone::SEAT).unwrap();
    }

    /// The same with packets lost on the way: tones and lengths hold, gaps are allowed.
    pub(crate) fn is_good_in_bad_weather(&self) {
        assert_eq!(self.call["fate"], "answered");
        for (who, wav, channel, hertz) in [
            ("the caller", &self.caller, 0, tone::SEAT),
            ("the seat", &self.seat, 0, tone::CALLER),
            ("the left channel", &self.recording, 0, tone::CALLER),
            ("the right channel", &self.recording, 1, tone::SEAT),
        ] {
            let told = Sound::of(wav, channel, TRIM_MS).is_tone_on_the_whole(hertz);
            assert_eq!(told, Ok(()), "{who}");
        }
        long_enough("the recording", &self.recording, self.talked_s);
    }
}

/// When the telephone told it, in seconds.
pub(crate) fn moment(event: &Value) -> f64 {
    event["at"].as_f64().unwrap()
}

/// One tone from beginning to end.
pub(crate) fn heard_well(who: &str, wav: &Wav, hertz: f64) {
    let sound = Sound::of(wav, 0, TRIM_MS);
    assert_eq!(sound.is_tone(hertz), Ok(()), "{who} of {hertz} Hz");
    assert_eq!(sound.has_no_gap(), Ok(()), "{who} of {hertz} Hz");
}

/// The caller left, the seat right, without gaps.
pub(crate) fn recorded_well(recording: &Wav, caller: f64, seat: f64) -> Result<(), String> {
    if recording.channels.len() != 2 {
        return Err(format!("{} channels", recording.channels.len()));
    }
    for (channel, hertz) in [(0, caller), (1, seat)] {
        let sound = Sound::of(recording, channel, TRIM_MS);
        sound.is_tone(hertz).map_err(|why| format!("channel {channel}: {why}"))?;
        sound.has_no_gap().map_err(|why| format!("channel {channel}: {why}"))?;
    }
    Ok(())
}

/// The length is right within 200 ms.
pub(crate) fn long_enough(what: &str, wav: &Wav, seconds: f64) {
    let is = wav.seconds();
    assert!((is - seconds).abs() <= LENGTH_S, "{what} is {is:.3} s long, and it was {seconds:.3} s");
}
