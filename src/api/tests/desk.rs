//! What an agent's desk does over the API: sign-in, the call at the seat, calls of its own, wishes of callers.

use super::*;
use crate::center::PresenceCommand;
use crate::types::{Arrival, LegCommand, LegEvent, Source, Target, WishKind};

/// What a caller wants, in the database; gives the wish's path.
async fn a_wish(client: &Client, kind: WishKind, file: Option<&str>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = Ledger::open(ledger::Config::new(dir.path(), "mianyang"), IDS, Wall(0)).unwrap();
    let wish = CallEvent::Wish { kind, file: file.map(str::to_owned) };
    let arrived = rows().remove(0);
    ledger.append(&[Row { call: CallId(7), ..arrived }, Row { at: Wall(9_000), call: CallId(7), event: wish }]);
    Tailer::new(client.store.clone(), dir.path().to_owned(), 2, Keep::default()).catch_up().await.unwrap();
    let open = client.store.open_wishes(2).await.unwrap();
    format!("/api/v1/wishes/c7/{}", open[0].seq)
}

#[tokio::test]
async fn a_wish_is_taken_by_one_agent_who_then_sees_the_number_and_does_it() {
    story(serve_core, async |client, _| {
        let wish = a_wish(&client, WishKind::Callback, None).await;
        let (wang, li) = (client.of(&[Role::Agent]).await, client.of(&[Role::Agent]).await);
        let leader = client.of(&[Role::Supervisor]).await;
        let number = async |who: &Client| who.get("/api/v1/wishes").await.json()["wishes"][0]["number"].clone();
        assert_eq!((number(&wang).await, number(&leader).await), (json!("138****8000"), json!("13800138000")));
        let act = async |who: &Client, what: &str, body: Value| who.post(&format!("{wish}/{what}"), body).await;
        assert_eq!(act(&wang, "done", json!({})).await.code(), "wish_taken", "nobody has taken it");
        for _ in 0..2 {
            assert_eq!(act(&wang, "take", json!({})).await.json()["number"], "13800138000");
        }
        assert_eq!((number(&wang).await, number(&li).await), (json!("13800138000"), json!("138****8000")));
        assert_eq!(act(&li, "take", json!({})).await.code(), "wish_taken");
        assert_eq!(act(&li, "take", json!({"take_over": true})).await.code(), "not_allowed");
        assert_eq!(act(&leader, "take", json!({"take_over": true})).await.status, 200);
        assert_eq!(act(&wang, "done", json!({})).await.code(), "wish_taken");
        for _ in 0..2 {
            assert_eq!(act(&leader, "done", json!({})).await.status, 204);
        }
        assert_eq!(act(&wang, "take", json!({})).await.code(), "wish_done");
        assert_eq!(act(&wang, "done", json!({})).await.code(), "wish_done");
        assert_eq!(wang.post("/api/v1/wishes/c7/99/take", json!({})).await.code(), "no_such_wish");
        assert!(wang.get("/api/v1/wishes").await.json()["wishes"].as_array().unwrap().is_empty());
        let noted = client.noted().await;
        assert!(noted.contains(&("wishes_listed".to_owned(), String::new())));
        assert!(noted.contains(&("wish_done".to_owned(), "c7".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn a_message_is_heard_by_whoever_sees_to_it_until_it_is_done_and_by_leaders() {
    story(serve_core, async |client, _| {
        let wish = a_wish(&client, WishKind::Message, Some("2026-11-23/c7m")).await;
        let (wang, leader) = (client.of(&[Role::Agent]).await, client.of(&[Role::Supervisor]).await);
        let hear = async |who: &Client| who.get(&format!("{wish}/message")).await;
        assert_eq!(hear(&wang).await.code(), "wish_taken");
        assert_eq!(wang.post(&format!("{wish}/take"), json!({})).await.status, 200);
        assert_eq!(hear(&wang).await.body, "RIFF0123456789");
        assert_eq!(wang.post(&format!("{wish}/done"), json!({})).await.status, 204);
        assert_eq!(hear(&wang).await.code(), "wish_done");
        assert_eq!(hear(&leader).await.status, 200);
        let heard = client.noted().await.into_iter().filter(|(action, _)| action == "recording_heard").count();
        assert_eq!(heard, 2);
        assert_eq!(leader.get("/api/v1/wishes/c7/99/message").await.code(), "no_such_wish");
    })
    .await;
}

#[tokio::test]
async fn a_leader_signs_a_person_in_by_agent_number_and_a_taken_seat_asks_for_a_take_over() {
    story(serve_core, async |client, _| {
        let person = async |number: u32| {
            let skills = BTreeMap::from([("general".to_owned(), 5)]);
            let token = client.person(&[Role::Agent], |a| (a.number, a.skills) = (Some(number), skills)).await;
            client.bearing(&token)
        };
        let (wang, leader) = (person(1027).await, client.of(&[Role::Supervisor]).await);
        person(1028).await;
        let sign_in = async |who: &Client, seat: u32, body: Value| {
            let mut choice = json!({"choice": "sign_in"});
            choice.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            who.post(&format!("/api/v1/seats/{seat}/presence"), choice).await
        };
        assert_eq!(sign_in(&leader, 8001, json!({"agent": 1028})).await.status, 204);
        let taken = sign_in(&wang, 8001, json!({})).await;
        assert_eq!((taken.status, taken.code()), (409, "seat_taken".into()));
        assert_eq!(sign_in(&wang, 8001, json!({"agent": 1028})).await.code(), "not_allowed");
        assert_eq!(sign_in(&wang, 8001, json!({"take_over": true})).await.status, 204);
        assert_eq!(sign_in(&leader, 8002, json!({"agent": 1027})).await.code(), "agent_elsewhere");
        assert_eq!(sign_in(&leader, 8002, json!({"agent": 4711})).await.code(), "no_such_account");
        let seats = leader.get("/api/v1/seats").await.json();
        assert_eq!((&seats["seats"][0]["agent"], &seats["seats"][1]["agent"]), (&json!(1027), &Value::Null));
        assert_eq!(wang.post("/api/v1/seats/8001/presence", json!({"choice": "ready"})).await.status, 204);
        assert_eq!(
            leader.get("/api/v1/queues").await.json()["queues"][0]["free_seats"],
            1,
            "with the account's skills"
        );
    })
    .await;
}

/// A core in which a caller on 12345 is offered to 8001 and its telephone rings, or talks already.
async fn serve_call(talks: bool, requests: mpsc::Receiver<CoreRequest>) {
    let (mut center, mut out) = (idle_center(), Vec::new());
    for command in [PresenceCommand::SignIn, PresenceCommand::Ready] {
        center.handle(NOW, Input::Presence { seat: SeatId(8001), command, reply: None }, &mut out);
    }
    let caller = IDS.legs_of_endpoint().take();
    let arrival = Arrival {
        origin: Origin::Trunk(TrunkId(0)),
        called: LineNumber::parse("12345").unwrap(),
        calling: Calling { number: Some(PhoneNumber::parse("13800138000").unwrap()), ..Calling::default() },
        call_id: "x".into(),
        source: [192, 0, 2, 1].into(),
    };
    for event in [LegEvent::Arrived(arrival), LegEvent::Answered] {
        center.handle(NOW, Input::Leg { leg: caller, event }, &mut out);
    }
    let heard = out.iter().filter_map(|effect| if let Effect::Hear { set, .. } = effect { Some(set) } else { None });
    let mut sources = heard.flatten().flat_map(|hear| &hear.from);
    let run = sources.find_map(|source| if let Source::Prompt { run, .. } = source { Some(*run) } else { None });
    center.handle(NOW, Input::PromptEnded { leg: caller, run: run.expect("a greeting") }, &mut out);
    let rung = out.iter().find_map(|effect| {
        let Effect::Leg { leg, command: LegCommand::Dial(dial), .. } = effect else { return None };
        matches!(dial.target, Target::Seat(SeatId(8001))).then_some(*leg)
    });
    let leg = rung.expect("8001 is rung");
    let events = [LegEvent::Ringing, LegEvent::Answered];
    for event in events.into_iter().take(if talks { 2 } else { 1 }) {
        center.handle(NOW, Input::Leg { leg, event }, &mut out);
    }
    serve_center(center, requests).await;
}

#[tokio::test]
async fn an_agent_answers_and_declines_at_the_own_seat_only() {
    story(
        async |requests| serve_call(false, requests).await,
        async |client, _| {
            let agent = client.of(&[Role::Agent]).await;
            let other = client.bearing(&client.person(&[Role::Agent], |a| a.seat = Some(8002)).await);
            let calls = agent.get("/api/v1/calls").await.json();
            let path = format!("/api/v1/calls/{}", calls["calls"][0]["call"].as_str().unwrap());
            let act = async |who: &Client, what: &str| who.post(&format!("{path}/{what}"), json!({})).await;
            assert_eq!(act(&other, "answer").await.code(), "no_such_call", "nor is it told that there is one");
            assert_eq!(act(&agent, "answer").await.status, 204);
            assert_eq!(act(&agent, "hold").await.code(), "no_call", "it rings still");
            assert_eq!(act(&agent, "hang-up").await.status, 204);
            let seat = agent.get("/api/v1/seats").await.json()["seats"][0].clone();
            assert_eq!(seat["presence"], json!({"not_ready": "declined"}));
            assert_eq!(agent.post("/api/v1/calls/x/answer", json!({})).await.code(), "no_such_call");
        },
    )
    .await;
}

#[tokio::test]
async fn an_agent_brings_a_third_into_the_own_talk_only() {
    story(
        async |requests| serve_call(true, requests).await,
        async |client, _| {
            let agent = client.of(&[Role::Agent]).await;
            let other = client.bearing(&client.person(&[Role::Agent], |a| a.seat = Some(8002)).await);
            let targets = agent.get("/api/v1/transfer-targets").await.json();
            assert_eq!(targets["queues"][0], json!({"queue": "general", "free_seats": 0}));
            let call = async || agent.get("/api/v1/calls").await.json()["calls"][0].clone();
            let path = format!("/api/v1/calls/{}/transfer", call().await["call"].as_str().unwrap());
            let begin = async |who: &Client, to: Value| who.post(&path, json!({"to": to, "how": "consult"})).await;
            assert_eq!(begin(&other, json!({"queue": "general"})).await.code(), "no_such_call");
            assert_eq!(begin(&agent, json!({"queue": "general"})).await.code(), "nobody_free");
            let moon = begin(&agent, json!({"destination": "moon"})).await;
            assert_eq!((moon.status, moon.code()), (404, "no_such_destination".into()));
            assert_eq!(begin(&agent, json!({"number": "x"})).await.status, 400);
            assert_eq!(begin(&agent, json!({"queue": "general", "number": "110"})).await.status, 400, "one of them");
            for what in ["join", "leave", "take-back"] {
                let refused = agent.post(&format!("{path}/{what}"), json!({})).await;
                assert_eq!((refused.status, refused.code()), (409, "no_transfer".into()), "{what}");
            }
            assert_eq!(call().await["place"], "talking", "nothing has changed");
            assert_eq!(call().await["third"], Value::Null);
        },
    )
    .await;
}

#[tokio::test]
async fn a_supervisor_comes_into_a_talk_from_the_own_seat_and_that_is_noted() {
    story(
        async |requests| serve_call(true, requests).await,
        async |client, _| {
            let agent = client.of(&[Role::Agent]).await;
            let without_seat = client.bearing(&client.person(&[Role::Supervisor], |a| a.seat = None).await);
            let leader = client.bearing(&client.person(&[Role::Supervisor], |a| a.seat = Some(8002)).await);
            let id = agent.get("/api/v1/calls").await.json()["calls"][0]["call"].as_str().unwrap().to_owned();
            let listen =
                async |who: &Client| who.post(&format!("/api/v1/calls/{id}/supervise"), json!({"how": "listen"})).await;
            assert_eq!(listen(&agent).await.status, 403);
            assert_eq!(listen(&without_seat).await.code(), "no_seat");
            assert_eq!(listen(&leader).await.code(), "not_signed_in", "the supervisor's seat has nobody");
            assert_eq!(agent.post(&format!("/api/v1/calls/{id}/help"), json!({})).await.status, 204);
            let noted: Vec<_> = client.noted().await.into_iter().filter(|(a, _)| a == "call_supervised").collect();
            assert_eq!(noted, [("call_supervised".to_owned(), id.clone())]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_talk_is_held_taken_back_and_ended_by_its_agent_and_ended_by_a_leader_who_is_noted() {
    for leads in [false, true] {
        story(
            async |requests| serve_call(true, requests).await,
            async |client, _| {
                let agent = client.of(&[Role::Agent]).await;
                let leader = client.bearing(&client.person(&[Role::Supervisor], |a| a.seat = None).await);
                let call = async || agent.get("/api/v1/calls").await.json()["calls"][0].clone();
                let id = call().await["call"].as_str().unwrap().to_owned();
                let act =
                    async |who: &Client, what: &str| who.post(&format!("/api/v1/calls/{id}/{what}"), json!({})).await;
                for (what, held) in [("hold", true), ("hold", true), ("retrieve", false), ("retrieve", false)] {
                    assert_eq!(act(&agent, what).await.status, 204, "{what}");
                    assert_eq!(call().await["held"], held, "{what}");
                }
                assert_eq!(act(&agent, "answer").await.status, 204, "it is answered");
                assert_eq!(act(&leader, "hold").await.code(), "no_such_call", "leaders may only end it");
                let choose = agent.post("/api/v1/seats/8001/presence", json!({"choice": "break"})).await;
                assert_eq!(choose.status, 204);
                let seat = agent.get("/api/v1/seats").await.json()["seats"][0].clone();
                assert_eq!((&seat["presence"], &seat["next"]), (&json!("ready"), &json!("break")), "counts afterwards");
                let noted = json!({"do": "result", "code": "solved"});
                assert_eq!(
                    agent.post("/api/v1/seats/8001/wrap-up", noted).await.status,
                    204,
                    "said in the talk already"
                );
                let unknown = json!({"do": "result", "code": "magic"});
                assert_eq!(agent.post("/api/v1/seats/8001/wrap-up", unknown).await.code(), "no_such_word");
                assert_eq!(
                    agent.post("/api/v1/seats/8001/wrap-up", json!({"do": "done"})).await.code(),
                    "not_in_wrap_up"
                );
                let who = if leads { &leader } else { &agent };
                for _ in 0..2 {
                    assert_eq!(act(who, "hang-up").await.status, 204);
                }
                let noted: Vec<_> = client.noted().await.into_iter().filter(|(a, _)| a != "calls_listed").collect();
                let expected = leads.then(|| ("call_hung_up_for_another".to_owned(), id.clone()));
                assert_eq!(noted, expected.into_iter().collect::<Vec<_>>());
            },
        )
        .await;
    }
}

#[tokio::test]
async fn what_cannot_be_dialled_is_refused_before_anything_rings() {
    story(serve_core, async |client, _| {
        let agent = client.of(&[Role::Agent]).await;
        let dial = async |who: &Client, body: Value| who.post("/api/v1/calls", body).await;
        for body in [json!({}), json!({"number": "王"}), json!({"number": "13900001234", "line": "x"})] {
            assert_eq!(dial(&agent, body.clone()).await.code(), "bad_request", "{body}");
        }
        let linked = json!({"number": "13900001234", "linked": "x"});
        assert_eq!(dial(&agent, linked).await.code(), "no_such_call");
        let homeless = client.bearing(&client.person(&[Role::Agent], |a| a.seat = None).await);
        assert_eq!(dial(&homeless, json!({"number": "13900001234"})).await.code(), "no_seat");
        assert!(client.noted().await.is_empty());
        assert_eq!(dial(&agent, json!({"number": "13900001234"})).await.status, 409, "nobody is signed in");
        let noted = client.store.audit(&crate::store::audit::Filter::default(), 9).await.unwrap();
        assert_eq!((noted[0].action.as_str(), noted[0].object.as_str()), ("call_dialled", "8001"));
        assert!(!noted[0].detail.contains("139"), "the number stands in the record");
        // At home at 8001, today at 8002.
        let guest = client.bearing(&client.person(&[Role::Agent], |a| a.number = Some(1027)).await);
        let sat = guest.post("/api/v1/seats/8002/presence", json!({"choice": "sign_in"})).await;
        assert_eq!(sat.status, 204, "{}", sat.body);
        dial(&guest, json!({"number": "13900001234"})).await;
        assert_eq!(client.noted().await.last().unwrap().1, "8002");
    })
    .await;
}
