//! The last word in a dialog that is over for us: BYE. One that a breaking connection swallowed goes by the far end's next way,
//! for a bounded time: a phone that is never told goes on believing that it talks.

use std::collections::BTreeMap;

use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Method};
use crate::sip::transaction::ClientId;
use crate::types::{Cause, Mono, Now, Origin, SeatId};

use super::Endpoint;
use super::hangup::reason;
use super::leg::Purpose;
use super::way::TRY_AGAIN;

/// Farewells that wait for a way. A switch that fails takes the connections of a few hundred phones with it.
const MOST_WAITING: usize = 1_024;

/// What is needed to say it, now or later.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    pub(super) dialog: Dialog,
    pub(super) party: Option<Origin>,
    /// The way by which the far end spoke last.
    pub(super) flow: Flow,
    pub(super) why: Cause,
}

/// One that has a time.
#[derive(Clone, Debug)]
struct Timed {
    farewell: Farewell,
    /// When it is given up.
    until: Mono,
}

/// All that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Farewells {
    sent: BTreeMap<ClientId, Timed>,
    /// No way led to the far end; with the moment of the next attempt.
    waiting: Vec<(Mono, Timed)>,
}

impl Farewells {
    /// Those that wait for a way.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Requests that wait for their answer.
    pub(super) fn sent(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.sent.keys().copied()
    }

    /// It was answered, or never will be.
    pub(super) fn settle(&mut self, id: ClientId) {
        self.sent.remove(&id);
    }

    /// When the next attempt is due.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.waiting.iter().map(|(at, _)| *at).min()
    }

    fn wait(&mut self, now: Now, timed: Timed) {
        let again_at = now.mono + TRY_AGAIN;
        if again_at < timed.until && self.waiting.len() < MOST_WAITING {
            self.waiting.push((again_at, timed));
        }
    }
}

impl Endpoint {
    /// Sends BYE in a dialog that nobody needs any more, as soon as a way leads to its far end.
    pub(super) fn say_goodbye(&mut self, now: Now, farewell: Farewell) {
        let until = now.mono + self.timers.patience();
        self.try_goodbye(now, Timed { farewell, until });
    }

    /// It could not be sent: the connection broke.
    pub(super) fn goodbye_failed(&mut self, now: Now, id: ClientId) {
        if let Some(timed) = self.farewells.sent.remove(&id) {
            self.farewells.wait(now, timed);
        }
    }

    /// Tries those again whose time has come, and those to a phone that has just registered.
    pub(super) fn retry_goodbyes(&mut self, now: Now, back: Option<SeatId>) {
        let is_back = |timed: &Timed| back.is_some_and(|seat| timed.farewell.party == Some(Origin::Seat(seat)));
        let due = self.farewells.waiting.extract_if(.., |(at, timed)| *at <= now.mono || is_back(timed));
        for (_, timed) in due.collect::<Vec<_>>() {
            self.try_goodbye(now, timed);
        }
    }

    fn try_goodbye(&mut self, now: Now, mut timed: Timed) {
        let Farewell { dialog, party, flow, why } = &mut timed.farewell;
        let Some(hop) = self.way_of(*party, dialog, flow) else { return self.farewells.wait(now, timed) };
        let branch = self.random.branch();
        let Some(site) = self.sites.towards(&hop) else { return };
        let mut draft = dialog.request(Method::Bye, &site.stamp(branch));
        draft.header(HeaderName::Reason, &reason(*why));
        if let Ok(id) = self.transactions.request(now.mono, draft.finish(), hop, &mut self.transmits) {
            self.clients.insert(id, Purpose::Bye);
            self.farewells.sent.insert(id, timed);
        }
    }
}
