//! Responses to our requests: what a dialled leg's INVITE has come to (RFC 3261 13.2.2), and where others are sorted to.

use crate::sip::auth::Side as Challenger;
use crate::sip::dialog::Dialog;
use crate::sip::dialog::accepted::SentAck;
use crate::sip::dialog::forks::{Fork, Forks};
use crate::sip::dialog::reliable::Fit;
use crate::sip::dialog::session_timer::SessionTimer;
use crate::sip::flow::{Flow, Hop};
use crate::sip::message::{HeaderName, Message, Method, RAck};
use crate::sip::transaction::{By, ClientId, Transmit};
use crate::sip::trunk::CallResult;
use crate::types::{Cause, LegEvent, LegId, Now, TrunkId};

use super::farewell::Farewell;
use super::leg::{Branch, Described, Ghost, Leg, Peer, Purpose, Role, State, Up};
use super::offer_answer::description;
use super::{Endpoint, Output, cause};

impl Endpoint {
    pub(super) fn on_response(
        &mut self,
        now: Now,
        id: ClientId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(purpose) = self.clients.get(&id).copied() else { return };
        let status = message.status().unwrap_or(0);
        let is_accepted_invite = *message.method() == Method::Invite && (200..300).contains(&status);
        if status >= 200 && !is_accepted_invite {
            self.clients.remove(&id);
        }
        match purpose {
            Purpose::Invite(leg) => self.on_invite_response(now, id, leg, flow, message, out),
            Purpose::InDialog(leg) => self.on_our_response(now, (id, leg), flow, message, out),
            Purpose::Ghost => self.on_ghost_response(now, id, flow, message),
            Purpose::Parted => self.on_parted_response(id, flow, message),
            Purpose::Bye if status >= 200 => self.farewells.settle(id),
            Purpose::Bye | Purpose::Courtesy => {}
            Purpose::Carrier(trunk, purpose) => self.on_carrier_response(now, trunk, purpose, (flow, message), out),
        }
    }

    /// No final response came (408) or the request could not be sent (503).
    pub(super) fn on_no_response(&mut self, now: Now, id: ClientId, status: u16, out: &mut Vec<Output>) {
        let Some(purpose) = self.clients.remove(&id) else { return };
        match purpose {
            Purpose::Invite(leg) => {
                if let Some(index) = self.branch_of(leg, id) {
                    let rang = matches!(self.legs.get(&leg), Some(Leg { state: State::Dialling(d), .. }) if d.ringing);
                    let why = if status == 408 && rang { Cause::NoAnswer } else { Cause::Unreachable };
                    self.branch_failed(now, leg, index, (why, None), out);
                }
            }
            Purpose::InDialog(leg) => self.our_request_lost(now, leg, status, out),
            Purpose::Ghost => drop(self.ghosts.remove(&id)),
            Purpose::Parted => drop(self.parted.remove(&id)),
            Purpose::Bye if status == 503 => self.goodbye_failed(now, id),
            Purpose::Bye => self.farewells.settle(id),
            Purpose::Courtesy => {}
            Purpose::Carrier(trunk, purpose) => self.on_carrier_silence(now, trunk, purpose, out),
        }
    }

    /// No more 2xx can come for an INVITE that was answered.
    pub(super) fn on_over(&mut self, id: ClientId) {
        self.clients.remove(&id);
        self.ghosts.remove(&id);
        self.parted.remove(&id);
    }

    /// A 2xx to an INVITE that nobody remembers: the far end repeats it until it is acknowledged or gives up by itself.
    pub(super) fn on_stray(&mut self, message: &Message) {
        let key = crate::sip::dialog::DialogId::of_response(message);
        let Some(leg) = self.dialogs.get(&key).copied() else { return };
        self.repeat_ack(leg, message);
    }

    pub(super) fn branch_of(&self, leg: LegId, id: ClientId) -> Option<usize> {
        match &self.legs.get(&leg)?.state {
            State::Dialling(dialling) => dialling.branches.iter().position(|b| b.client == id),
            State::Arriving(_) | State::Up(_) => None,
        }
    }

    fn on_invite_response(
        &mut self,
        now: Now,
        id: ClientId,
        leg: LegId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(index) = self.branch_of(leg, id) else { return };
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return };
        let branch = &mut dialling.branches[index];
        branch.give_up = None;
        match branch.forks.on_response(message) {
            Ok(Fork::Trying) => self.arm(leg),
            Ok(Fork::Early { tag, new }) => self.on_early(now, leg, index, &tag, new, message, out),
            Ok(Fork::Won { tag }) => self.on_won(now, leg, index, &tag, flow, message, out),
            Ok(Fork::Refused) => self.on_refused(now, leg, index, message, out),
            Ok(Fork::Again | Fork::Late { .. }) => {}
            Err(_) if message.status().is_some_and(|s| s >= 200) => {
                self.branch_failed(now, leg, index, (Cause::Failed, message.status()), out);
            }
            Err(_) => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a provisional response is all of these")]
    fn on_early(
        &mut self,
        now: Now,
        leg: LegId,
        index: usize,
        tag: &str,
        new: bool,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(Leg { state: State::Dialling(dialling), dialogs, .. }) = self.legs.get_mut(&leg) else { return };
        let branch = &mut dialling.branches[index];
        if new && let Some(dialog) = branch.forks.dialog(tag) {
            dialogs.push(dialog.id().clone());
            self.dialogs.insert(dialog.id().clone(), leg);
        }
        let reliable = message.has_token(HeaderName::Require, "100rel");
        if let Some(rseq) = message.rseq().filter(|_| reliable) {
            match branch.early.entry(tag.into()).or_default().receiver.on_provisional(rseq) {
                Fit::Next => self.send_prack(now, leg, index, tag, rseq, message),
                Fit::Repeated | Fit::Early => return self.arm(leg),
            }
        }
        if let Some(sdp) = description(message) {
            self.on_early_description(leg, index, tag, (sdp, reliable), out);
        }
        if matches!(message.status(), Some(180 | 183)) {
            self.report_ringing(leg, out);
        }
        self.arm(leg);
    }

    fn send_prack(&mut self, now: Now, leg: LegId, index: usize, tag: &str, rseq: u32, message: &Message) {
        let branch_id = self.random.branch();
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return };
        let branch = &mut dialling.branches[index];
        let Some(site) = self.sites.towards(&branch.hop) else { return };
        let Some(dialog) = branch.forks.dialog_mut(tag) else { return };
        let rack = RAck { rseq, cseq: message.cseq_number(), method: Method::Invite };
        let mut draft = dialog.request(Method::Prack, &site.stamp(branch_id));
        draft.header(HeaderName::RAck, &rack);
        if let Ok(id) = self.transactions.request(now.mono, draft.finish(), branch.hop.clone(), &mut self.transmits) {
            self.clients.insert(id, Purpose::Courtesy);
        }
    }

    /// The first 2xx of a branch: the leg is answered, other branches are withdrawn, late winners are thanked and let go.
    #[expect(clippy::too_many_arguments, reason = "an answer is all of these")]
    fn on_won(
        &mut self,
        now: Now,
        leg: LegId,
        index: usize,
        tag: &str,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let State::Dialling(dialling) = &mut entry.state else { return };
        let withdrawn = dialling.withdrawn;
        let mut branch = dialling.branches.remove(index);
        let dialog = branch.forks.dialog(tag).expect("the response was just sorted under this tag").clone();
        let agreed = has_answer(&mut branch, tag, message);
        let trunk = branch.trunk;
        let ack = self.acknowledge(&dialog, &branch.hop, message.cseq_number());
        if let Some(trunk) = trunk {
            self.note_result(now, trunk, CallResult::Answered, out);
        }
        if withdrawn.is_some() || !agreed {
            // The answer crossed our CANCEL, or speaks no codec of ours: thanked and let go.
            let why = withdrawn.unwrap_or(Cause::NoCommonMedia);
            if let Some(trunk) = trunk {
                self.trunks.release(trunk);
            }
            self.drop_branch(now, leg, branch, out);
            self.say_goodbye(now, Farewell { dialog, party: None, flow: *flow, why });
            self.note_failure(leg, why, None);
            return self.end_if_nothing_left(now, leg, out);
        }
        self.become_up(now, leg, branch, dialog, *flow, ack, message, out);
    }

    #[expect(clippy::too_many_arguments, reason = "an answered leg is made of all these")]
    fn become_up(
        &mut self,
        now: Now,
        leg: LegId,
        branch: Branch,
        dialog: Dialog,
        flow: Flow,
        ack: SentAck,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        let timer = SessionTimer::as_caller(now.mono, message, &branch.session);
        self.haunt(leg, branch.client, branch.forks, branch.hop);
        let mut offers = branch.offers;
        offers.invite_ended(false);
        offers.answered();
        let mut up = Up::new(dialog, flow, branch.audio, Peer::of(message), timer, offers, Role::Caller);
        up.ack = Some(ack);
        let key = up.dialog.id().clone();
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        // Branches that have lost may still say something (a BYE as we let them go): it must not reach the winner.
        for lost in std::mem::replace(&mut entry.dialogs, vec![key.clone()]) {
            self.dialogs.remove(&lost);
        }
        let before = std::mem::replace(&mut entry.state, State::Up(Box::new(up)));
        self.dialogs.insert(key, leg);
        if let State::Dialling(dialling) = before {
            for other in dialling.branches {
                self.withdraw(now, other.client, Cause::Cancelled);
                self.drop_branch(now, leg, other, out);
            }
        }
        self.arm(leg);
        self.publish_stream(leg, out);
        out.push(Output::Leg { leg, event: LegEvent::Answered });
    }

    /// A final refusal of one branch: a challenge or 422 is tried again, a 5xx of a trunk fails over, the rest is the outcome.
    fn on_refused(&mut self, now: Now, leg: LegId, index: usize, message: &Message, out: &mut Vec<Output>) {
        let status = message.status().unwrap_or(500);
        if self.try_again(now, leg, index, status, message) {
            return;
        }
        let rang = matches!(self.legs.get(&leg), Some(Leg { state: State::Dialling(d), .. }) if d.ringing);
        let why = cause::of_status(status, rang);
        self.branch_failed(now, leg, index, (why, Some(status)), out);
    }

    fn try_again(&mut self, now: Now, leg: LegId, index: usize, status: u16, message: &Message) -> bool {
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return false };
        if dialling.withdrawn.is_some() {
            return false;
        }
        let branch = &mut dialling.branches[index];
        let (session, mut auth) = (branch.session, branch.auth.clone());
        let challenged = match (status, &mut auth) {
            (401, Some(client)) => client.challenged(Challenger::Server, &message.www_authenticate()).is_ok(),
            (407, Some(client)) => client.challenged(Challenger::Proxy, &message.proxy_authenticate()).is_ok(),
            _ => false,
        };
        let longer = if status == 422 { session.after_422(message.min_se()) } else { None };
        if !challenged && longer.is_none() {
            return false;
        }
        self.invite_again(now, leg, index, longer.unwrap_or(session), auth)
    }

    /// One branch has come to nothing.
    pub(super) fn branch_failed(
        &mut self,
        now: Now,
        leg: LegId,
        index: usize,
        (why, status): (Cause, Option<u16>),
        out: &mut Vec<Output>,
    ) {
        let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) else { return };
        let branch = dialling.branches.remove(index);
        let withdrawn = dialling.withdrawn.is_some();
        let trunk = branch.trunk;
        self.drop_branch(now, leg, branch, out);
        self.note_failure(leg, why, status);
        if let Some(trunk) = trunk {
            self.trunks.release(trunk);
            self.note_result(now, trunk, result_of(why, status), out);
            if why.is_of_the_way(status) && !withdrawn {
                self.report_heard(leg, false, out);
                return self.dial_next_trunk(now, leg, out);
            }
        }
        self.end_if_nothing_left(now, leg, out);
        self.arm(leg);
    }

    fn note_result(&mut self, now: Now, trunk: TrunkId, result: CallResult, out: &mut Vec<Output>) {
        let mut wants = Vec::new();
        self.trunks.call_result(now, trunk, result, &mut wants);
        self.obey_trunks(now, wants, out);
    }

    /// A branch that is no longer its leg's: its port is free, its INVITE lives on as a ghost until nothing more can come.
    pub(super) fn drop_branch(&mut self, now: Now, leg: LegId, branch: Branch, out: &mut Vec<Output>) {
        self.free_port(now, leg, &branch.audio, out);
        self.haunt(leg, branch.client, branch.forks, branch.hop);
    }

    fn haunt(&mut self, leg: LegId, client: ClientId, forks: Forks, hop: Hop) {
        if let Some(purpose) = self.clients.get_mut(&client) {
            *purpose = Purpose::Ghost;
            self.ghosts.insert(client, Ghost { leg, forks, hop });
        }
    }

    /// A response to an INVITE whose leg has its winner or is gone: each 2xx gets its ACK, and a BYE when it is a late one.
    fn on_ghost_response(&mut self, now: Now, id: ClientId, flow: &Flow, message: &Message) {
        let Some(mut ghost) = self.ghosts.remove(&id) else { return };
        let status = message.status().unwrap_or(0);
        match ghost.forks.on_response(message) {
            Ok(Fork::Won { tag } | Fork::Late { tag, new: true }) => {
                let dialog = ghost.forks.dialog(&tag).expect("the response was just sorted under this tag").clone();
                self.acknowledge(&dialog, &ghost.hop, message.cseq_number());
                self.say_goodbye(now, Farewell { dialog, party: None, flow: *flow, why: Cause::Cancelled });
            }
            Ok(Fork::Again | Fork::Late { new: false, .. }) => {
                if !self.repeat_ack(ghost.leg, message)
                    && let Some(dialog) = ghost.forks.dialog(message.to_tag().unwrap_or("")).cloned()
                {
                    self.acknowledge(&dialog, &ghost.hop, message.cseq_number());
                }
            }
            Ok(Fork::Trying | Fork::Early { .. } | Fork::Refused) | Err(_) => {}
        }
        if status < 300 {
            self.ghosts.insert(id, ghost);
        }
    }

    /// The leg of a re-INVITE of ours has ended: each 2xx to it still gets its ACK, or the far end repeats it.
    fn on_parted_response(&mut self, id: ClientId, flow: &Flow, message: &Message) {
        match message.status() {
            Some(200..300) => {
                if let Some((dialog, party)) = self.parted.get(&id).cloned() {
                    // By the way by which it speaks now: the old connection may be gone.
                    let hop = self.hop_of(Some(party), &dialog, flow);
                    self.acknowledge(&dialog, &hop, message.cseq_number());
                }
            }
            Some(300..) => drop(self.parted.remove(&id)),
            Some(_) | None => {}
        }
    }

    /// Repeats the ACK where the 2xx belongs to the leg's own dialog.
    pub(super) fn repeat_ack(&mut self, leg: LegId, message: &Message) -> bool {
        let Some(Leg { state: State::Up(up), party, .. }) = self.legs.get(&leg) else { return false };
        if up.dialog.id().remote_tag.as_ref() != message.to_tag().unwrap_or("") {
            return false;
        }
        if let Some(bytes) = up.ack.as_ref().and_then(|ack| ack.again(message)) {
            let hop = self.hop_of(Some(*party), &up.dialog, &up.flow);
            self.transmits.push(Transmit { hop, bytes, by: By::Nobody });
        }
        true
    }

    /// Sends the ACK to a 2xx.
    pub(super) fn acknowledge(&mut self, dialog: &Dialog, hop: &Hop, cseq: u32) -> SentAck {
        let branch = self.random.branch();
        let site = self.sites.towards(hop).expect("the INVITE left from there");
        let bytes = dialog.ack(cseq, &site.stamp(branch)).finish().bytes;
        self.transmits.push(Transmit { hop: hop.clone(), bytes: bytes.clone(), by: By::Nobody });
        SentAck::new(cseq, bytes)
    }
}

/// Whether the dialog that wins has answered our offer: in a reliable response before, or in its 2xx. What it described
/// unreliably should be the same (RFC 3261 13.2.1); a carrier whose announcement comes from another machine than the talk
/// describes that one in the 2xx, and is heard.
fn has_answer(branch: &mut Branch, tag: &str, message: &Message) -> bool {
    let before = branch.early.get(tag).and_then(|early| early.described.as_ref());
    let sdp = match (before, description(message)) {
        (Some(Described { sdp, is_answer: true }), _) | (Some(Described { sdp, .. }), None) => sdp,
        (_, Some(sdp)) => sdp,
        (None, None) => return false,
    };
    branch.audio.accept(sdp).is_ok()
}

/// What an attempt that has come to nothing says about the trunk itself.
fn result_of(why: Cause, status: Option<u16>) -> CallResult {
    match status {
        Some(500 | 502..=504) => CallResult::Failed,
        None if matches!(why, Cause::Unreachable | Cause::Overload | Cause::Failed) => CallResult::Failed,
        Some(_) | None => CallResult::Answered,
    }
}
