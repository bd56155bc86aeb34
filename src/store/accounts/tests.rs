//! Accounts and sessions on either database.

use super::super::testing::on_both;
use super::*;

fn account(n: u32) -> Account {
    Account {
        id: format!("a{n}"),
        login: format!("Person{n}"),
        name: "王芳".to_owned(),
        roles: BTreeSet::from([Role::Agent, Role::Expert]),
        number: Some(1_000 + n),
        seat: Some(8001),
        skills: BTreeMap::from([("general".to_owned(), 5)]),
        queues: vec!["general".to_owned()],
        must_change: true,
        confidential_at: None,
        disabled: false,
        created_at: 1,
        changed_at: 1,
    }
}

fn session(token: &str, account: &str, at: i64) -> SessionRecord {
    SessionRecord {
        digest: token.to_owned(),
        account: account.to_owned(),
        is_local: false,
        address: "192.0.2.1".to_owned(),
        created_at: at,
        used_at: at,
        ends_at: at + 1_000,
    }
}

on_both! {
    async fn an_account_is_written_found_and_changed(bed: Bed) {
        let store = bed.store().await;
        assert_eq!(store.count_accounts().await.unwrap(), 0);
        let mut wang = account(1);
        store.insert_account(&wang, Some("hash")).await.unwrap();
        assert_eq!(store.account_of("pErson1").await.unwrap(), Some((wang.clone(), Some("hash".to_owned()))));
        wang.confidential_at = Some(7);
        wang.roles = BTreeSet::from([Role::Auditor]);
        (wang.seat, wang.number, wang.disabled, wang.changed_at) = (None, None, true, 9);
        assert!(store.update_account(&wang).await.unwrap());
        assert_eq!(store.account("a1").await.unwrap(), Some(wang.clone()));
        store.set_password("a1", "other", false, 10).await.unwrap();
        let (found, hash) = store.account_of("person1").await.unwrap().unwrap();
        assert_eq!((found.must_change, hash.as_deref()), (false, Some("other")));
        assert!(!store.update_account(&account(2)).await.unwrap());
    }

    async fn login_and_number_belong_to_one_account(bed: Bed) {
        let store = bed.store().await;
        store.insert_account(&account(1), None).await.unwrap();
        let same_login = Account { login: "PERSON1".to_owned(), ..account(2) };
        assert!(matches!(store.insert_account(&same_login, None).await, Err(AccountError::Taken(Unique::Login))));
        let same_number = Account { number: Some(1_001), ..account(2) };
        assert!(matches!(store.insert_account(&same_number, None).await, Err(AccountError::Taken(Unique::Number))));
        store.insert_account(&Account { number: None, ..account(2) }, None).await.unwrap();
        store.insert_account(&Account { number: None, ..account(3) }, None).await.unwrap();
        assert!(matches!(
            store.update_account(&Account { number: Some(1_001), ..account(2) }).await,
            Err(AccountError::Taken(Unique::Number))
        ));
    }

    async fn accounts_are_paged_by_login(bed: Bed) {
        let store = bed.store().await;
        for n in [3, 1, 2] {
            store.insert_account(&account(n), None).await.unwrap();
        }
        let page = store.accounts("", 2).await.unwrap();
        assert_eq!(page.iter().map(|a| a.login.as_str()).collect::<Vec<_>>(), ["Person1", "Person2"]);
        assert_eq!(store.accounts("Person2", 2).await.unwrap(), [account(3)]);
    }

    async fn a_session_lives_until_it_is_ended(bed: Bed) {
        let store = bed.store().await;
        store.insert_account(&account(1), None).await.unwrap();
        store.begin_session(&session("d1", "a1", 5), 16).await.unwrap();
        store.touch_session("d1", 50).await.unwrap();
        let (who, found) = store.session("d1").await.unwrap().unwrap();
        assert_eq!((who.id.as_str(), found.used_at, found.created_at), ("a1", 50, 5));
        store.begin_session(&session("d2", "a1", 6), 16).await.unwrap();
        store.end_sessions("a1", "d2").await.unwrap();
        assert_eq!(store.session("d1").await.unwrap(), None);
        assert!(store.session("d2").await.unwrap().is_some());
        store.end_session("d2").await.unwrap();
        assert_eq!(store.session("d2").await.unwrap(), None);
    }

    async fn sessions_are_bounded_and_old_ones_deleted(bed: Bed) {
        let store = bed.store().await;
        store.insert_account(&account(1), None).await.unwrap();
        for n in 0..5 {
            store.begin_session(&session(&format!("d{n}"), "a1", n), 3).await.unwrap();
        }
        assert_eq!(store.session("d1").await.unwrap(), None, "the oldest end");
        assert!(store.session("d2").await.unwrap().is_some());
        store.delete_old_sessions(500, 3).await.unwrap();
        assert_eq!(store.session("d3").await.unwrap(), None, "not used");
        store.delete_old_sessions(1_004, 0).await.unwrap();
        assert_eq!(store.session("d4").await.unwrap(), None, "past its end");
    }

    async fn each_start_ends_the_local_session_before(bed: Bed) {
        let store = bed.store().await;
        store.insert_account(&account(1), None).await.unwrap();
        let local = |token, at| SessionRecord { is_local: true, ends_at: i64::MAX, ..session(token, "a1", at) };
        store.begin_session(&local("d1", 1), 16).await.unwrap();
        store.begin_session(&session("d2", "a1", 2), 16).await.unwrap();
        store.begin_session(&local("d3", 3), 16).await.unwrap();
        store.delete_old_sessions(100, 1).await.unwrap();
        assert_eq!(store.session("d1").await.unwrap(), None);
        assert!(store.session("d2").await.unwrap().is_some());
        assert!(store.session("d3").await.unwrap().is_some(), "a local session is not ended for want of use");
    }
}
