//! What is past its time goes, what is held stays, and nothing else is touched.

use std::collections::BTreeSet;

use super::*;
use crate::store::calls::{Filter, parse_call_id};
use crate::store::keeper::Keeper;
use crate::store::testing::{Bed, on_both, whole_call};
use crate::store::{Keep, Tailer, ledger};
use crate::types::IdBase;

const NOW: Wall = Wall(2_000 * DAY_MS);

/// Calls by number, each as old as given in days, with its recording on the disk.
async fn office(bed: &Bed, calls: &[(u64, i64)]) -> (Store, Keeper) {
    let store = bed.store().await;
    let ids = IdBase { node: 1, epoch_s: 100 };
    let (mut ledger, _) = ledger::Ledger::open(ledger::Config::new(bed.ledger(), "mianyang"), ids, Wall(0)).unwrap();
    for (call, days) in calls {
        let mut rows = whole_call(*call);
        let shift = NOW.0 - days * DAY_MS - rows[0].at.0;
        rows.iter_mut().for_each(|row| row.at.0 += shift);
        ledger.append(&rows);
        let file = recordings(bed).join(format!("2026/11/c{call}.yhr"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "sound").unwrap();
    }
    Tailer::new(store.clone(), bed.ledger(), 1, Keep::default()).catch_up().await.unwrap();
    let keep = Retention { records_days: 1_100, recordings_days: 400 };
    (store.clone(), Keeper::new(store, recordings(bed), keep, "node 1".to_owned()))
}

fn recordings(bed: &Bed) -> PathBuf {
    bed.path().join("recordings")
}

async fn left(store: &Store) -> BTreeSet<u64> {
    let calls = store.calls(&Filter::default(), 10_000).await.unwrap();
    calls.iter().map(|call| parse_call_id(&call.id).unwrap().0).collect()
}

fn files(bed: &Bed) -> BTreeSet<u64> {
    let Ok(folder) = std::fs::read_dir(recordings(bed).join("2026/11")) else { return BTreeSet::new() };
    folder
        .map(|f| f.unwrap().file_name().into_string().unwrap()[1..].trim_end_matches(".yhr").parse().unwrap())
        .collect()
}

on_both! {
    async fn records_and_recordings_go_when_their_time_is_over_and_not_a_day_before(bed: Bed) {
        let (store, keeper) = office(&bed, &[(1, 1_101), (2, 1_099), (3, 401), (4, 399), (5, 0)]).await;
        keeper.retain(|| NOW).await.unwrap();
        assert_eq!(left(&store).await, [2, 3, 4, 5].into());
        assert_eq!(files(&bed), [4, 5].into());
        let two = store.call(CallId(2)).await.unwrap().unwrap();
        assert!(two.call.recording.is_none() && two.recordings.is_empty() && !two.steps.is_empty());
        assert!(store.call(CallId(1)).await.unwrap().is_none());
        for table in ["call_events", "segments", "waits", "offers", "wishes", "recordings"] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE call_id = 'c1'");
            assert_eq!(store.db.row::<(i64,)>(AssertSqlSafe(sql), &[]).await.unwrap(), Some((0,)), "{table}");
        }
        let (result,): (String,) = store.db.row("SELECT result FROM jobs", &[]).await.unwrap().unwrap();
        assert!(result.contains("deleted 1 records and 3 recordings"), "{result}");
    }

    async fn a_call_under_legal_hold_stays_whole_until_the_hold_is_lifted(bed: Bed) {
        let (store, keeper) = office(&bed, &[(1, 1_500), (2, 1_500)]).await;
        assert!(store.hold(CallId(1), "k. li", "case 2026-17", NOW).await.unwrap());
        assert!(!store.hold(CallId(9), "k. li", "no such call", NOW).await.unwrap());
        keeper.retain(|| NOW).await.unwrap();
        assert_eq!((left(&store).await, files(&bed)), ([1].into(), [1].into()));
        let held = store.call(CallId(1)).await.unwrap().unwrap();
        assert_eq!(held.call.hold_why.as_deref(), Some("case 2026-17"));
        assert_eq!((held.recordings.len(), held.steps.len()), (1, 11));

        assert!(store.lift_hold(CallId(1)).await.unwrap());
        keeper.retain(|| Wall(NOW.0 + DAY_MS)).await.unwrap();
        assert_eq!((left(&store).await, files(&bed)), ([].into(), [].into()));
        assert!(recordings(&bed).exists(), "the folder of recordings itself is never removed");
    }

    async fn many_calls_go_in_small_steps_over_one_that_is_stuck(bed: Bed) {
        let calls: Vec<(u64, i64)> = (1..=120).map(|call| (call, 1_200)).collect();
        let (store, keeper) = office(&bed, &calls).await;
        // A folder in the place of a file cannot be removed as one.
        let stuck = recordings(&bed).join("2026/11/c60.yhr");
        std::fs::remove_file(&stuck).unwrap();
        std::fs::create_dir(&stuck).unwrap();
        keeper.retain(|| NOW).await.unwrap();
        assert_eq!(left(&store).await, [60].into());
        std::fs::remove_dir(&stuck).unwrap();
        keeper.retain(|| Wall(NOW.0 + DAY_MS)).await.unwrap();
        assert_eq!(left(&store).await, [].into(), "a file that is gone already keeps no record");
    }

    async fn a_recording_is_measured_when_its_call_is_over(bed: Bed) {
        let (store, keeper) = office(&bed, &[(1, 1), (2, 0)]).await;
        std::fs::remove_file(recordings(&bed).join("2026/11/c2.yhr")).unwrap();
        keeper.measure(NOW).await.unwrap();
        let one = store.recordings(CallId(1)).await.unwrap().remove(0);
        assert_eq!((one.state.as_deref(), one.size_bytes, one.length_ms), (Some("saved"), Some(5), Some(4)));
        let two = store.recordings(CallId(2)).await.unwrap().remove(0);
        assert_eq!(two.state, None, "it may still be written");
        keeper.measure(Wall(NOW.0 + 60_000)).await.unwrap();
        let two = store.recordings(CallId(2)).await.unwrap().remove(0);
        assert_eq!((two.state.as_deref(), two.size_bytes), (Some("failed"), Some(0)));
        assert!(two.failed.unwrap().contains("No such file"));
    }
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let folder = Path::new("/srv/recordings");
    assert_eq!(below(folder, "2026/c1").unwrap(), Path::new("/srv/recordings/2026/c1"));
    for bad in ["../c1", "/etc/passwd", "2026/../../c1", "./c1"] {
        assert!(below(folder, bad).is_err(), "{bad}");
    }
}
