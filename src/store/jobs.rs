//! Work that one node at a time does, leased in the database: who holds it renews the lease with each step; who falls
//! silent loses it to the next one who asks.
//!
//! Times are those of the nodes, so their clocks must agree to well below the length of a lease.

use super::db::{Tx, values};
use super::{QueryError, Store};
use crate::types::Wall;

/// How long a lease holds without renewal, milliseconds. Longer than any step: a statement may take 30 s.
const LEASE_MS: i64 = 120_000;

const KNOWN: &str = "INSERT INTO jobs (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

const TAKE: &str = "
    UPDATE jobs SET holder = $2, leased_until = $4
    WHERE name = $1 AND due_at <= $3 AND (leased_until IS NULL OR leased_until <= $3)";

const RENEW: &str = "UPDATE jobs SET leased_until = $4 WHERE name = $1 AND holder = $2 AND leased_until > $3";

const DONE: &str = "
    UPDATE jobs SET holder = NULL, leased_until = NULL, due_at = $3, ended_at = $4, result = $5
    WHERE name = $1 AND holder = $2";

/// A job that this node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    job: &'static str,
    holder: String,
}

/// Somebody else has the job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease has gone to another node")]
pub(super) struct Lost;

impl Store {
    /// Takes a job when it is due and nobody holds it. A job that was never heard of is due at once.
    pub(super) async fn take_job(
        &self,
        job: &'static str,
        holder: &str,
        now: Wall,
    ) -> Result<Option<Lease>, QueryError> {
        self.db.execute(KNOWN, values![job, now.0]).await?;
        let taken = self.db.execute(TAKE, values![job, holder, now.0, now.0 + LEASE_MS]).await?;
        Ok((taken == 1).then(|| Lease { job, holder: holder.to_owned() }))
    }

    /// Gives a job back with a sentence on what was done; it is due again at `due`.
    pub(super) async fn job_done(&self, lease: Lease, due: Wall, now: Wall, result: &str) -> Result<(), QueryError> {
        self.db.execute(DONE, values![lease.job, &lease.holder, due.0, now.0, result]).await?;
        Ok(())
    }
}

impl Lease {
    /// Renews the lease in the transaction of a step: the step counts only if the lease still held.
    pub(super) async fn renew(&self, tx: &mut Tx, now: Wall) -> Result<Result<(), Lost>, sqlx::Error> {
        let renewed = tx.execute(RENEW, values![self.job, &self.holder, now.0, now.0 + LEASE_MS]).await?;
        Ok(if renewed == 1 { Ok(()) } else { Err(Lost) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::on_both;

    on_both! {
        async fn one_node_at_a_time_holds_a_job_and_one_that_falls_silent_loses_it(bed: Bed) {
            let store = bed.store().await;
            let lease = store.take_job("retention", "a", Wall(1_000)).await.unwrap().unwrap();
            assert!(store.take_job("retention", "b", Wall(2_000)).await.unwrap().is_none());
            let mut tx = store.db.begin().await.unwrap();
            assert_eq!(lease.renew(&mut tx, Wall(100_000)).await.unwrap(), Ok(()));
            tx.commit().await.unwrap();
            assert!(store.take_job("retention", "b", Wall(1_000 + LEASE_MS)).await.unwrap().is_none(), "renewed");

            let silent = Wall(100_000 + LEASE_MS);
            let other = store.take_job("retention", "b", silent).await.unwrap().unwrap();
            let mut tx = store.db.begin().await.unwrap();
            assert_eq!(lease.renew(&mut tx, silent).await.unwrap(), Err(Lost));
            tx.commit().await.unwrap();
            store.job_done(lease, Wall(0), silent, "too late").await.unwrap();
            assert!(store.take_job("retention", "a", silent).await.unwrap().is_none(), "b holds it still");

            store.job_done(other, Wall(500_000), silent, "done").await.unwrap();
            assert!(store.take_job("retention", "a", Wall(499_999)).await.unwrap().is_none(), "not due");
            assert!(store.take_job("retention", "a", Wall(500_000)).await.unwrap().is_some());
        }
    }
}
