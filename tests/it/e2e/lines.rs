//! Lines in each combination of the merge documents, as a citizen meets them: what is said, who answers, how a number ends.

use std::time::Duration;

use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};

use super::rig::http;
use super::rig::listen::Sound;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{PHONE, Site, TELECOM, repository_prompts};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{s, tone, until};
use super::talk::{heard_well, recorded_well};

/// Where somebody else answers, behind a trunk of its own.
const OUTSIDE: u8 = 30;
/// The transition's notice and the final announcement.
const TRANSITION: &str = "notice/transition";
const CANCELLED: &str = "notice/cancelled";
const GREETING: &str = "greeting/12315";

/// A line with one phase, in force for years. Where seats of ours answer they are announced by the same greeting.
fn line(number: &str, phase: &str) -> String {
    let greeting = if phase.contains("queue") { format!("greeting = {GREETING:?}") } else { String::new() };
    format!(
        "[[line]]\nnumber = {number:?}\nname = \"{number} 热线\"\n[[line.phase]]\nfrom = 2021-10-15\n{greeting}\n{phase}\n"
    )
}

/// The shipped prompts, a seat, a place outside, and these lines.
fn site(lines: &[String]) -> Site {
    let mut site = Site::new().with_seat(8001);
    site.real_prompts = true;
    let outside = site.street.at(OUTSIDE);
    site.more_plan = format!(
        "[[trunk]]\nname = \"outside\"\nnetwork = \"main\"\nsources = [\"{outside}\"]\naddress = \"sip:{outside}:5060\"\n\
         area_code = \"816\"\nreaches = \"office\"\ncaller = {{ policy = \"callers\", diversion = \"12345\" }}\n\
         [[destination]]\nname = \"outside\"\nring_s = 5\n[[destination.route]]\ntrunk = \"outside\"\n\
         [[destination]]\nname = \"fire\"\nring_s = 5\n[[destination.route]]\ntrunk = \"outside\"\nnumber = \"119\"\n{}",
        lines.concat()
    );
    site
}

fn prompt(name: &str) -> Wav {
    Wav::read(&repository_prompts().join(format!("8k/{name}.wav")))
}

/// Whether a prompt was heard, by its sound.
fn assert_heard(what: &str, heard: &Wav, name: &str) {
    let likeness = Sound::of(heard, 0, 0).likeness(&prompt(name));
    assert!(likeness > 0.8, "{what}: {name} was heard: {likeness}");
}

/// The prompts that the ledger names, in order.
fn prompts_of(server: &Server, call: &Value) -> Vec<String> {
    let name = |step: &Value| step["body"]["prompt"].as_str().unwrap().to_owned();
    server.steps(call, "greeted").iter().map(name).collect()
}

fn caller(server: &Server) -> Phone {
    Phone::caller(&server.site, TELECOM, json!({ "tone": server.site.tone(tone::CALLER) }))
}

/// The place outside: a telephone without registration that answers as it is told.
fn outside(server: &Server, answer: u16) -> Phone {
    let tone = server.site.tone(tone::SEAT);
    Phone::caller(&server.site, OUTSIDE, json!({ "user": "outside", "answer": answer, "tone": tone }))
}

fn dial(server: &Server, caller: &mut Phone, number: &str) {
    caller.call(&format!("sip:{number}@{}", server.site.sip()));
}

/// Calls each line: the prompts are heard, then the seat answers.
fn answered_here(lines: &[(&str, &str, &[&str])]) {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let phases: Vec<String> = lines.iter().map(|(number, phase, _)| line(number, phase)).collect();
    let server = Server::start(site(&phases));
    let seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut caller = caller(&server);
    for (n, (number, _, prompts)) in lines.iter().enumerate() {
        let file = server.site.file(&format!("{number}.wav"));
        caller.record(&file);
        dial(&server, &mut caller, number);
        seat.wait_state("confirmed");
        caller.hang_up();
        seat.wait_state("disconnected");
        let call = server.wait_fates(n + 1).into_iter().find(|call| call["line"] == *number).expect("its record");
        assert_eq!((&call["fate"], &call["seat"]), (&json!("answered"), &json!(8001)), "{number}");
        assert_eq!(prompts_of(&server, &call), *prompts, "{number}");
        let heard = Wav::read(&file);
        prompts.iter().for_each(|name| assert_heard(number, &heard, name));
    }
}

#[test]
fn seats_of_12345_answer_merged_dual_and_expert_lines() {
    answered_here(&[
        ("12336", "mode = \"absorbed\"\nqueue = \"general\"", &[GREETING]),
        ("12385", "mode = \"dual\"\nqueue = \"general\"", &[GREETING]),
        ("12333", "mode = \"dual\"\nseats = \"experts\"\nqueue = \"general\"", &[GREETING]),
        ("5189000", "mode = \"transition\"\nuntil = 2096-01-01\nqueue = \"general\"", &[TRANSITION, GREETING]),
    ]);
}

#[test]
fn seats_of_12345_answer_what_the_upper_level_has_handed_down() {
    answered_here(&[
        ("12300", "mode = \"accept-and-push\"\nqueue = \"general\"", &[GREETING]),
        ("12316", "mode = \"accept-and-handle\"\nqueue = \"general\"", &[GREETING]),
        ("12348", "mode = \"transfer\"\nqueue = \"general\"\ndestination = \"outside\"", &[GREETING]),
    ]);
}

#[test]
fn lines_that_keep_their_seats_are_answered_behind_their_trunk() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let lines = [
        ("12305", "sub-center", "outside", "12305"),
        ("96119", "elsewhere", "fire", "119"),
        ("5112345", "peer", "outside", "5112345"),
        ("12349", "external", "outside", "12349"),
    ];
    let phases = lines.map(|(number, mode, to, _)| line(number, &format!("mode = {mode:?}\ndestination = {to:?}")));
    let server = Server::start(site(&phases));
    let (mut caller, mut outside) = (caller(&server), outside(&server, 200));
    for (n, (number, _, _, dialled)) in lines.into_iter().enumerate() {
        dial(&server, &mut caller, number);
        let invite = outside.wait("incoming", |_| true)["message"].as_str().unwrap().to_owned();
        assert!(invite.starts_with(&format!("INVITE sip:{dialled}@")), "{number}: {invite}");
        let asserted = invite.lines().find(|line| line.starts_with("P-Asserted-Identity:")).unwrap_or_default();
        assert!(asserted.contains("13900000000"), "the citizen's number goes along: {invite}");
        caller.wait_state("confirmed");
        outside.wait_state("confirmed");
        let files = ["caller", "outside"].map(|who| server.site.file(&format!("{number}-{who}.wav")));
        caller.record(&files[0]);
        outside.record(&files[1]);
        // Not a synchronisation: this is the length of the talk.
        std::thread::sleep(Duration::from_millis(1_500));
        caller.hang_up();
        outside.wait_state("disconnected");
        heard_well(number, &Wav::read(&files[0]), tone::SEAT);
        heard_well(number, &Wav::read(&files[1]), tone::CALLER);
        let call = server.wait_fates(n + 1).into_iter().find(|call| call["line"] == number).expect("its record");
        assert_eq!((&call["fate"], &call["seat"]), (&json!("answered_outside"), &Value::Null), "{number}");
        recorded_well(&server.export(&call), tone::CALLER, tone::SEAT).unwrap();
    }
}

#[test]
fn a_sub_center_that_is_busy_gives_the_caller_to_the_seats_of_12345() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let phase = "mode = \"sub-center\"\ndestination = \"outside\"\nfallback = \"general\"";
    let server = Server::start(site(&[line("12305", phase)]));
    let seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let (mut caller, outside) = (caller(&server), outside(&server, 486));
    dial(&server, &mut caller, "12305");
    outside.wait("incoming", |_| true);
    seat.wait_state("confirmed");
    caller.hang_up();
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["line"], &call["seat"]), (&json!("answered"), &json!("12305"), &json!(8001)));
}

#[test]
fn an_old_desk_rings_beside_the_seats_and_the_first_to_answer_has_the_call() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(site(&[line("12319", "mode = \"dual\"\nqueue = \"general\"\nparallel = \"outside\"")]));
    let mut seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 180 }));
    server.make_ready(8001);
    let (mut caller, mut desk) = (caller(&server), outside(&server, 180));
    for (n, fate) in ["answered_outside", "answered"].into_iter().enumerate() {
        dial(&server, &mut caller, "12319");
        seat.wait("incoming", |_| true);
        desk.wait("incoming", |_| true);
        let (winner, loser) = if n == 0 { (&mut desk, &mut seat) } else { (&mut seat, &mut desk) };
        winner.order(json!({ "do": "answer" }));
        winner.wait_state("confirmed");
        let let_go = loser.wait_state("disconnected");
        assert_eq!(let_go["code"], 487, "the other one is cancelled: {let_go}");
        caller.hang_up();
        winner.wait_state("disconnected");
        server.wait_fates(n + 1);
        assert_eq!(server.fates().iter().filter(|is| *is == fate).count(), 1, "{fate}");
        server.make_ready(8001);
    }
}

#[test]
fn a_cancelled_number_says_so_and_is_gone() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(site(&[line("12331", "mode = \"cancelled\"")]));
    let mut caller = caller(&server);
    cancelled(&server, &mut caller, "12331");
}

/// The final announcement is heard without an answer, then the call is refused with 410.
fn cancelled(server: &Server, caller: &mut Phone, number: &str) {
    let file = server.site.file(&format!("cancelled-{number}.wav"));
    caller.record(&file);
    dial(server, caller, number);
    let end = caller.wait_state("disconnected");
    assert_eq!(end["code"], 410, "{end}");
    assert_heard(number, &Wav::read(&file), CANCELLED);
    let refused = |call: &Value| call["line"] == number && call["fate"] == "refused";
    let call = until("its record", s(10), || server.calls().into_iter().find(refused));
    assert_eq!(call["cause"], "gone");
}

#[test]
fn an_internal_number_is_for_our_own_telephones_only() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(site(&[line("2250857", "mode = \"internal\"\noffice = 8001")]).with_seat(8002));
    let office = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    let mut colleague = Phone::seat(&server.site, 8002, PHONE + 1, json!({}));
    server.make_ready(8001);
    server.make_ready(8002);
    let mut caller = caller(&server);
    dial(&server, &mut caller, "2250857");
    assert_eq!(caller.wait_state("disconnected")["code"], 404);
    dial(&server, &mut colleague, "2250857");
    office.wait_state("confirmed");
    colleague.hang_up();
}

/// Calls on 12336 at a seat each as far as there are seats; the others wait.
struct Crowd {
    server: Server,
    seats: Sipp,
    callers: Sipp,
    talking: u32,
    calls: u32,
}

impl Crowd {
    fn start(line: String, talking: u32, calls: u32) -> Self {
        let mut site = site(&[line]);
        site.seats.clear();
        for seat in 0..talking {
            site = site.with_fixed_seat(8001 + seat, PHONE);
        }
        let server = Server::start(site);
        let site = &server.site;
        tone::write_alaw(&site.file("tone.al"), tone::CALLER);
        tone::write_alaw(&site.file("seat.al"), tone::SEAT);
        let mut job = Job::phone(site, "seat", PHONE);
        (job.pause_ms, job.calls) = (100, talking);
        job.replace.push(("TONE", b"seat.al".to_vec()));
        let seats = Sipp::start(site, &job);
        (0..talking).for_each(|seat| server.make_ready(8001 + seat));
        let mut job = Job::call(site, "caller", TELECOM, "12336");
        (job.calls, job.rate, job.pause_ms) = (calls, 25, 35_000);
        let callers = Sipp::start(site, &job);
        let crowd = Self { server, seats, callers, talking, calls };
        crowd.is_up("they talk and wait");
        crowd
    }

    /// Every call is up: none has dropped, none has moved.
    fn is_up(&self, what: &str) {
        self.server.wait_live(what, |live| {
            let talking = live.iter().filter(|call| call["place"] == "talking").count();
            live.len() == self.calls as usize && talking == self.talking as usize
        });
    }

    /// The number is dead for whoever calls now, and for nobody who was there before; those end as they like.
    fn outlives_the_number(mut self) {
        self.is_up("nothing has dropped");
        let mut caller = Phone::caller(&self.server.site, TELECOM, json!({ "port": 5070 }));
        cancelled(&self.server, &mut caller, "12336");
        self.is_up("they are still up");
        self.callers.expect_good(self.calls.into(), s(50));
        self.seats.expect_good(self.talking.into(), s(10));
    }
}

/// Not a synchronisation: the moment is to pass.
fn pass(at: &Zoned) {
    let now = Zoned::now();
    assert!(now < *at, "the calls were up before the moment");
    std::thread::sleep(Duration::try_from(now.duration_until(at)).unwrap() + s(1));
}

#[test]
fn a_number_is_cancelled_at_a_set_moment_with_fifty_calls_up_and_nothing_drops() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let at = Zoned::now().with_time_zone(jiff::tz::TimeZone::get("Asia/Shanghai").unwrap()) + 25.seconds();
    let text = line("12336", "mode = \"absorbed\"\nqueue = \"general\"")
        + &format!("[[line.phase]]\nfrom = {}\nmode = \"cancelled\"\n", at.strftime("%Y-%m-%dT%H:%M:%S"));
    let crowd = Crowd::start(text, 20, 50);
    pass(&at);
    crowd.outlives_the_number();
}

#[test]
fn a_version_that_cancels_a_number_is_published_at_a_set_moment_and_no_call_drops() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let text = line("12336", "mode = \"absorbed\"\nqueue = \"general\"");
    let crowd = Crowd::start(text.clone(), 5, 12);
    let server = &crowd.server;
    let counts = || server.get("/api/v1/plan/versions?limit=1")["counts"].as_i64();
    let first = until("the plan of the start to be a version", s(10), counts);
    let plan = server.get(&format!("/api/v1/plan/versions/{first}"))["text"].as_str().unwrap().to_owned();
    let dead = plan.replacen(&text, &format!("{text}[[line.phase]]\nfrom = 2022-01-01\nmode = \"cancelled\"\n"), 1);
    assert_ne!(dead, plan);
    let post = |path: &str, body: Value| {
        let path = format!("/api/v1/plan/versions{path}");
        let (status, answer) = http::post(server.site.http(), &path, server.token(), &body.to_string()).unwrap();
        assert!((200..300).contains(&status), "{path}: {answer}");
        serde_json::from_str::<Value>(&answer).unwrap_or_default()
    };
    let drafted = post("", json!({ "name": "plan.toml", "text": dead, "why": "12336 销号" }));
    assert!(drafted["changes"].to_string().contains("已注销"), "{drafted}");
    let id = drafted["version"]["id"].as_i64().unwrap();
    let at = Zoned::now() + 6.seconds();
    post(&format!("/{id}/publish"), json!({ "at": at.timestamp().as_millisecond() }));
    assert_eq!(counts(), Some(first), "not before its moment");
    crowd.is_up("a date with the exchange changes nothing");
    pass(&at);
    until("the version to count", s(3), || (counts() == Some(id)).then_some(()));
    crowd.outlives_the_number();
}
