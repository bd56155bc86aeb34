//! Ending a leg: CANCEL, BYE or a refusal, by its state, with the reason on the wire (RFC 3261 15, RFC 3326).

use crate::sip::flow::Flow;
use crate::sip::message::{Message, Reason};
use crate::sip::transaction::{ClientId, ServerId};
use crate::types::{Cause, LegId, Now, Origin};

use super::audio::Audio;
use super::farewell::Farewell;
use super::leg::{Leg, OurMethod, Purpose, Role, State, Up};
use super::{Endpoint, Output, cause};

impl Endpoint {
    pub(super) fn hangup(&mut self, now: Now, leg: LegId, why: Cause, out: &mut Vec<Output>) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        match &mut entry.state {
            State::Arriving(_) => self.refuse(now, leg, why, out),
            State::Dialling(dialling) => {
                dialling.withdrawn.get_or_insert(why);
                let clients: Vec<ClientId> = dialling.branches.iter().map(|b| b.client).collect();
                for client in clients {
                    self.withdraw(now, client, why);
                }
                self.end_if_nothing_left(now, leg, out);
            }
            State::Up(up) => {
                // The callee of an INVITE must not send BYE before the ACK (RFC 3261 15): it follows then.
                if matches!(up.role, Role::Callee(Some(_))) {
                    up.ending.get_or_insert(why);
                } else {
                    self.bye(now, leg, why, out);
                }
            }
        }
    }

    /// Wants an INVITE of ours cancelled, with the reason.
    pub(super) fn withdraw(&mut self, now: Now, client: ClientId, why: Cause) {
        // False means that a final response is on its way to us: it is taken when it comes.
        let _open = self.transactions.cancel(now.mono, client, Some(reason(why)), &mut self.transmits);
    }

    /// Ends an answered leg: BYE goes out, now or when a way leads there; the leg is over for us at once.
    pub(super) fn bye(&mut self, now: Now, leg: LegId, why: Cause, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Up(up), party, .. }) = self.legs.get(&leg) else { return };
        let farewell = Farewell { dialog: up.dialog.clone(), party: Some(*party), flow: up.flow, why };
        self.say_goodbye(now, farewell);
        self.end(now, leg, why, None, out);
    }

    /// The far end hangs up.
    pub(super) fn on_bye(
        &mut self,
        now: Now,
        id: ServerId,
        leg: LegId,
        flow: &Flow,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        self.reply(now, id, flow, message, 200);
        match self.legs.get(&leg).map(|l| &l.state) {
            Some(State::Up(_)) => self.end(now, leg, Cause::HungUp, None, out),
            Some(State::Arriving(_)) => self.refuse_with(now, leg, Cause::Cancelled, 487, out),
            Some(State::Dialling(_)) | None => {}
        }
    }

    /// What a leg that is over leaves behind: open INVITEs live on as ghosts, ports go back, capacity is free.
    pub(super) fn forget(&mut self, now: Now, gone: Leg, out: &mut Vec<Output>) {
        let party = gone.party;
        let holds_capacity = match gone.state {
            State::Arriving(arriving) => {
                self.arriving.remove(&arriving.server);
                self.free_port(now, gone.id, &arriving.audio, out);
                true
            }
            State::Dialling(dialling) => {
                for branch in dialling.branches {
                    if let Some(trunk) = branch.trunk {
                        self.trunks.release(trunk);
                    }
                    self.withdraw(now, branch.client, Cause::Cancelled);
                    self.drop_branch(now, gone.id, branch, out);
                }
                false
            }
            State::Up(up) => {
                self.free_port(now, gone.id, &up.audio, out);
                self.part_from_reinvite(party, &up);
                true
            }
        };
        if let (Origin::Trunk(trunk), true) = (party, holds_capacity) {
            self.trunks.release(trunk);
        }
    }

    /// A re-INVITE of ours that is still open outlives the leg, and one whose 2xx may come again, because its ACK was lost.
    fn part_from_reinvite(&mut self, party: Origin, up: &Up) {
        let open = up.ours.filter(|ours| ours.method == OurMethod::Invite).map(|ours| ours.client);
        for client in open.into_iter().chain(up.accepted) {
            if let Some(purpose) = self.clients.get_mut(&client) {
                *purpose = Purpose::Parted;
                self.parted.insert(client, (up.dialog.clone(), party));
            }
        }
    }

    pub(super) fn free_port(&mut self, now: Now, leg: LegId, audio: &Audio, out: &mut Vec<Output>) {
        if audio.opened {
            out.push(Output::CloseMedia { leg });
        } else {
            self.ports.give_back(now, audio.port);
        }
    }
}

/// The Reason header of a cause.
pub(super) fn reason(why: Cause) -> Reason {
    Reason { protocol: "Q.850".to_owned(), cause: Some(cause::q850(why)), text: None }
}
