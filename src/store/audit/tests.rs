//! The chain on either database: it holds, and it tells where it was tampered with.

use super::super::testing::on_both;
use super::*;

fn entry(n: i64) -> NewEntry {
    NewEntry {
        at: 1_000 + n,
        account: "a1".to_owned(),
        login: "wang".to_owned(),
        address: "192.0.2.1".to_owned(),
        action: if n % 2 == 0 { "record_seen" } else { "signed_in" }.to_owned(),
        object: format!("c{n}"),
        detail: "{}".to_owned(),
    }
}

async fn filled(store: &Store, count: i64) {
    for n in 1..=count {
        assert_eq!(store.append_audit(entry(n)).await.unwrap().seq, n);
    }
}

/// What an intruder with the database's password would do first.
async fn tamper(store: &Store, statement: &'static str) {
    match &store.db {
        Db::Sqlite { .. } => {
            store.db.execute("DROP TRIGGER audit_is_not_changed", values![]).await.unwrap();
            store.db.execute("DROP TRIGGER audit_is_not_deleted", values![]).await.unwrap();
        }
        Db::Pg { .. } => {
            store.db.execute("DROP TRIGGER audit_is_not_changed ON audit", values![]).await.unwrap();
        }
    }
    assert_eq!(store.db.execute(statement, values![]).await.unwrap(), 1);
}

on_both! {
    async fn a_chain_of_entries_holds(bed: Bed) {
        let store = bed.store().await;
        let empty = store.verify_audit().await.unwrap();
        assert_eq!(empty, Verdict { entries: 0, last_hash: BEGINNING.to_owned(), broken: None });
        filled(&store, 5).await;
        let verdict = store.verify_audit().await.unwrap();
        assert_eq!((verdict.entries, verdict.broken), (5, None));
        let all = store.audit(&Filter::default(), 2).await.unwrap();
        assert_eq!(all.iter().map(|e| e.seq).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(all[0].hash, verdict.last_hash);
        let filter = Filter { action: Some("record_seen".to_owned()), before: Some(4), ..Filter::default() };
        assert_eq!(store.audit(&filter, 9).await.unwrap().iter().map(|e| e.seq).collect::<Vec<_>>(), [2]);
    }

    async fn entries_at_a_time_make_one_chain(bed: Bed) {
        let store = bed.store().await;
        let (a, b, c) = tokio::join!(
            async { for n in 0..5 { store.append_audit(entry(n)).await.unwrap(); } },
            async { for n in 0..5 { store.append_audit(entry(n)).await.unwrap(); } },
            async { for n in 0..5 { store.append_audit(entry(n)).await.unwrap(); } },
        );
        let ((), (), ()) = (a, b, c);
        let verdict = store.verify_audit().await.unwrap();
        assert_eq!((verdict.entries, verdict.broken), (15, None));
    }

    async fn the_database_refuses_to_change_or_delete_an_entry(bed: Bed) {
        let store = bed.store().await;
        filled(&store, 2).await;
        for statement in ["UPDATE audit SET login = 'li' WHERE seq = 1", "DELETE FROM audit WHERE seq = 2"] {
            let error = store.db.execute(statement, values![]).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
        assert_eq!(store.verify_audit().await.unwrap().entries, 2);
    }

    async fn a_changed_entry_is_named(bed: Bed) {
        let store = bed.store().await;
        filled(&store, 5).await;
        tamper(&store, "UPDATE audit SET login = 'li' WHERE seq = 3").await;
        let verdict = store.verify_audit().await.unwrap();
        assert_eq!((verdict.entries, verdict.broken), (2, Some(Broken { seq: 3, why: Break::Changed })));
    }

    async fn a_deleted_entry_is_named(bed: Bed) {
        let store = bed.store().await;
        filled(&store, 5).await;
        tamper(&store, "DELETE FROM audit WHERE seq = 3").await;
        assert_eq!(store.verify_audit().await.unwrap().broken, Some(Broken { seq: 3, why: Break::Missing }));
    }

    async fn an_entry_with_a_hash_of_its_own_does_not_fit_the_next(bed: Bed) {
        let store = bed.store().await;
        filled(&store, 3).await;
        let first = store.audit(&Filter::default(), 9).await.unwrap().pop().unwrap();
        let forged = Entry::of(NewEntry { login: "li".to_owned(), ..entry(1) }, 1, first.previous);
        tamper(&store, "UPDATE audit SET login = 'li' WHERE seq = 1").await;
        let rehashed = store.db.execute("UPDATE audit SET hash = $1 WHERE seq = 1", values![&forged.hash]).await;
        assert_eq!(rehashed.unwrap(), 1);
        assert_eq!(store.verify_audit().await.unwrap().broken, Some(Broken { seq: 2, why: Break::Unlinked }));
    }
}
