//! Signing in and out, passwords, lock-out, cookies, and what administrators do.

use super::*;

async fn sign_in(client: &Client, login: &str, password: &str) -> Answer {
    client.with("").post("/api/v1/sign-in", json!({"login": login, "password": password})).await
}

/// A new account by the API; gives its one-time password.
async fn made(client: &Client, login: &str, roles: Value) -> (String, String) {
    let answer = client.post("/api/v1/accounts", json!({"login": login, "name": "王芳", "roles": roles})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    (made["account"]["id"].as_str().unwrap().to_owned(), made["password"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_new_person_signs_in_changes_the_password_works_and_signs_out() {
    story(serve_core, async |client, _| {
        let (id, once) = made(&client, "wangfang", json!(["supervisor"])).await;
        let answer = sign_in(&client, "WangFang", &once).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let wang = client.bearing(answer.json()["token"].as_str().unwrap());
        assert_eq!(wang.get("/api/v1/me").await.json()["account"]["must_change"], true);
        assert_eq!(wang.get("/api/v1/seats").await.code(), "password_must_change");
        let change =
            async |old: &str, new: &str| wang.put("/api/v1/me/password", json!({"old": old, "new": new})).await;
        assert_eq!(change(&once, "short").await.code(), "weak_password");
        assert_eq!(change(&once, &once).await.code(), "weak_password");
        assert_eq!(change("not the old one", "four words of my own").await.code(), "wrong_credentials");
        assert_eq!(change(&once, "four words of my own").await.status, 204);
        assert_eq!(wang.get("/api/v1/seats").await.status, 200);
        assert_eq!(sign_in(&client, "wangfang", &once).await.code(), "wrong_credentials");
        assert_eq!(wang.post("/api/v1/sign-out", json!({})).await.status, 204);
        assert_eq!(wang.get("/api/v1/me").await.code(), "not_authenticated");
        let noted: Vec<_> = client.noted().await.into_iter().map(|(action, _)| action).collect();
        assert_eq!(
            noted,
            ["account_created", "signed_in", "sign_in_failed", "password_changed", "sign_in_failed", "signed_out"]
        );
        assert_eq!(client.get(&format!("/api/v1/accounts/{id}")).await.json()["must_change"], false);
        assert_eq!(client.get("/api/v1/audit/verify").await.json()["broken"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn unknown_names_and_wrong_passwords_get_the_same_answer_and_guessing_is_locked_out() {
    story(serve_core, async |client, _| {
        made(&client, "wangfang", json!(["agent"])).await;
        for login in ["wangfang", "nobody"] {
            for _ in 0..5 {
                let answer = sign_in(&client, login, "a wrong password").await;
                assert_eq!((answer.status, answer.code()), (401, "wrong_credentials".into()), "{login}");
            }
            let answer = sign_in(&client, login, "a wrong password").await;
            assert_eq!((answer.status, answer.code()), (429, "locked_out".into()), "{login}");
            assert!(answer.header("retry-after").is_some());
        }
        let locked = client.noted().await.iter().filter(|(action, _)| action == "locked_out").count();
        assert_eq!(locked, 2, "what is refused unlooked leaves no entry, so guessing fills no disk");
    })
    .await;
}

#[tokio::test]
async fn a_cookie_is_kept_from_scripts_and_other_sites() {
    story(serve_core, async |client, _| {
        let (_, once) = made(&client, "wangfang", json!(["agent"])).await;
        let body = json!({"login": "wangfang", "password": once, "keep": "cookie"});
        let evil = client.with("Origin: https://evil.example\r\n");
        assert_eq!(evil.post("/api/v1/sign-in", body.clone()).await.code(), "cross_site");
        let answer = client.with("Origin: http://x\r\n").post("/api/v1/sign-in", body).await;
        assert_eq!((answer.status, &answer.json()["token"]), (200, &Value::Null));
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        for part in ["; httponly", "; samesite=strict", "; path=/", "; max-age="] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
        assert_eq!(client.with(&cookie).get("/api/v1/me").await.status, 200);
        let password = json!({"old": once, "new": "four words of my own"});
        for origin in ["", "Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
            let answer = client.with(&format!("{cookie}{origin}")).put("/api/v1/me/password", password.clone()).await;
            assert_eq!((answer.status, answer.code()), (403, "cross_site".into()), "{origin}");
        }
        let ours = client.with(&format!("{cookie}Origin: http://x\r\n"));
        assert_eq!(ours.put("/api/v1/me/password", password).await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_so_is_one_without_the_right() {
    story(serve_core, async |client, _| {
        let token = client.person(&[Role::Supervisor], |_| {}).await;
        let who = client.bearing(&token);
        let id = who.get("/api/v1/me").await.json()["account"]["id"].as_str().unwrap().to_owned();
        let change = async |roles: Value, disabled: bool| {
            let profile = json!({"name": "x", "roles": roles, "confidential_at": 1, "disabled": disabled});
            client.put(&format!("/api/v1/accounts/{id}"), profile).await
        };
        assert_eq!(who.get("/api/v1/records/c1").await.status, 200);
        assert_eq!(change(json!(["operator"]), false).await.status, 200);
        assert_eq!(who.get("/api/v1/records/c1").await.code(), "not_allowed");
        assert_eq!(change(json!(["operator"]), true).await.status, 200);
        assert_eq!(who.get("/api/v1/me").await.code(), "not_authenticated");
    })
    .await;
}

#[tokio::test]
async fn accounts_that_make_no_sense_are_refused() {
    story(serve_core, async |client, _| {
        made(&client, "wangfang", json!(["agent"])).await;
        let refused = [
            (json!({"login": "WANGFANG", "name": "x", "roles": ["agent"]}), "login_taken"),
            (json!({"login": "", "name": "x", "roles": ["agent"]}), "bad_request"),
            (json!({"login": "li wei", "name": "x", "roles": ["agent"]}), "bad_request"),
            (json!({"login": "liwei", "name": "", "roles": ["agent"]}), "bad_request"),
            (json!({"login": "liwei", "name": "x\u{0}", "roles": ["agent"]}), "bad_request"),
            (json!({"login": "liwei", "name": "x", "roles": []}), "bad_request"),
            (json!({"login": "liwei", "name": "x", "roles": ["king"]}), "bad_request"),
            (json!({"login": "liwei", "name": "x", "roles": ["agent"], "skills": {"general": 10}}), "bad_request"),
        ];
        for (body, code) in refused {
            assert_eq!(client.post("/api/v1/accounts", body.clone()).await.code(), code, "{body}");
        }
        let accounts = client.get("/api/v1/accounts").await.json();
        let logins: Vec<_> = accounts["accounts"].as_array().unwrap().iter().map(|a| a["login"].clone()).collect();
        assert_eq!(logins, ["admin", "local", "wangfang"]);
    })
    .await;
}

#[tokio::test]
async fn one_administrator_remains_and_the_local_account_is_nobodys_to_change() {
    story(serve_core, async |client, _| {
        let accounts = client.get("/api/v1/accounts").await.json();
        let admin = accounts["accounts"][0]["id"].as_str().unwrap();
        let demote = json!({"name": "x", "roles": ["agent"]});
        let answer = client.put(&format!("/api/v1/accounts/{admin}"), demote.clone()).await;
        assert_eq!((answer.status, answer.code()), (409, "last_administrator".into()));
        made(&client, "second", json!(["administrator"])).await;
        assert_eq!(client.put(&format!("/api/v1/accounts/{admin}"), demote.clone()).await.status, 200);
        assert_eq!(client.put("/api/v1/accounts/local", demote).await.code(), "no_such_account");
        assert_eq!(sign_in(&client, "local", "").await.code(), "wrong_credentials");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_unused_and_at_its_last_moment() {
    story(serve_core, async |client, shared| {
        let now = clock::wall_ms();
        for (used_at, ends_at, expected) in [
            (now - session::IDLE_MS + 60_000, now + 60_000, 200),
            (now - session::IDLE_MS, now + 60_000, 401),
            (now, now, 401),
        ] {
            let token = client.person(&[Role::Agent], |_| {}).await;
            let digest = session::digest(&token);
            let (account, record) = client.store.session(&digest).await.unwrap().unwrap();
            client.store.end_session(&digest).await.unwrap();
            let record = SessionRecord { used_at, ends_at, account: account.id, ..record };
            client.store.begin_session(&record, 16).await.unwrap();
            shared.sessions.forget();
            assert_eq!(client.bearing(&token).get("/api/v1/me").await.status, expected, "{}", ends_at - now);
        }
    })
    .await;
}
