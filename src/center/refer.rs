//! A seat's phone asks for a blind transfer (REFER): the agent stays until the third answers, and the phone is told how it goes.
//! Who puts the receiver down before that leaves the caller to the ringing.

use super::live::{Guest, Live, Place, Talk};
use super::{Center, Out, Refusal};
use crate::types::{CallId, Cause, LegCommand, LegId, PhoneNumber, Referral, TransferHow, TransferTo};

impl Center {
    /// The far end of a leg asks for somebody else.
    pub(super) fn on_refer(&mut self, leg: LegId, to: PhoneNumber, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        let party = match self.calls.get(&id).map(|live| &live.place) {
            Some(Place::Talking(talk)) if talk.party.leg == leg => talk.party,
            Some(_) | None => return out.leg(id, leg, LegCommand::Referred(Referral::Failed(Cause::Declined))),
        };
        // A telephone cannot name a reason.
        match self.begin_transfer(id, &TransferTo::Number(to), TransferHow::Blind, None, out) {
            Ok(()) => {}
            Err(refusal) => {
                // A third who was rung in vain has been told of as such.
                if refusal != Refusal::NotReached {
                    out.leg(id, leg, LegCommand::Referred(Referral::Failed(cause_of(&refusal))));
                }
                self.tell_refused(id, party, refusal, out);
            }
        }
    }

    /// Tells the phone that has asked for the third how far that is. Only a phone leaves an agent in the talk whose transfer is
    /// blind.
    pub(super) fn tell_referrer(&self, id: CallId, referral: Referral, out: &mut Out<'_>) {
        let Some(Live { place: Place::Talking(Talk { party, guest: Some(guest), .. }), .. }) = self.calls.get(&id)
        else {
            return;
        };
        if guest.how == TransferHow::Blind {
            out.leg(id, party.leg, LegCommand::Referred(referral));
        }
    }

    /// A leg rings, perhaps that of a third.
    pub(super) fn guest_rings(&self, leg: LegId, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        if self.calls.get(&id).and_then(|live| live.place.guest()).and_then(Guest::leg) == Some(leg) {
            self.tell_referrer(id, Referral::Ringing, out);
        }
    }
}

/// What a telephone is told, which knows statuses only: 404 for a number that is none, 486 while another third is in the talk,
/// 503 when we take no more calls, and 603 for all that may not be, our own lines among it.
fn cause_of(refusal: &Refusal) -> Cause {
    if *refusal == Refusal::NoSuchNumber {
        Cause::NoSuchNumber
    } else if *refusal == Refusal::TransferRuns {
        Cause::Busy
    } else if *refusal == Refusal::NotAccepting {
        Cause::Overload
    } else {
        Cause::Declined
    }
}
