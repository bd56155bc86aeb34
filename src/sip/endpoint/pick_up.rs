//! Asking a seat's phone to answer: by a header in its INVITE, or while it rings. Phones differ in what they know of this; one
//! that knows nothing of it rings until a hand picks it up.

use crate::sip::message::{HeaderName, Method, RequestBuilder};
use crate::types::{LegId, Now};

use super::Endpoint;
use super::leg::{Leg, Purpose, State};

impl Endpoint {
    /// NOTIFY with the event "talk" in each early dialog of a dialled leg. It belongs to no subscription: that is what desk
    /// phones take for a click on their answer key (Yealink, Polycom and Snom name it so in their manuals). A phone that refuses
    /// goes on ringing.
    pub(super) fn pick_up(&mut self, now: Now, leg: LegId) {
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get(&leg) else { return };
        if dialling.withdrawn.is_some() {
            return;
        }
        let ringing = dialling.branches.iter().enumerate().flat_map(|(index, branch)| {
            branch.forks.dialogs().map(move |dialog| (index, dialog.id().remote_tag.clone()))
        });
        let ringing: Vec<_> = ringing.collect();
        for (index, tag) in ringing {
            self.notify_talk(now, leg, index, &tag);
        }
    }

    fn notify_talk(&mut self, now: Now, leg: LegId, index: usize, tag: &str) {
        let branch_id = self.random.branch();
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return };
        let branch = &mut dialling.branches[index];
        let Some(site) = self.sites.towards(&branch.hop) else { return };
        let Some(dialog) = branch.forks.dialog_mut(tag) else { return };
        let mut draft = dialog.request(Method::Notify, &site.stamp(branch_id));
        draft.header(HeaderName::Event, "talk").header(HeaderName::SubscriptionState, "active");
        if let Ok(id) = self.transactions.request(now.mono, draft.finish(), branch.hop.clone(), &mut self.transmits) {
            self.clients.insert(id, Purpose::Courtesy);
        }
    }
}

/// Asks a phone to answer at once. There are three ways to say so: RFC 5373, and those of the makers.
pub(super) fn ask_to_answer(request: &mut RequestBuilder, host: &str) {
    request
        .raw("Answer-Mode", b"Auto")
        .raw("Call-Info", format!("<sip:{host}>;answer-after=0").as_bytes())
        .raw("Alert-Info", format!("<http://{host}>;info=alert-autoanswer;delay=0").as_bytes());
}
