//! One offer at a time: who may send INVITE and UPDATE now, and what is refused (RFC 3261 14, RFC 3311 5, RFC 6337).
//!
//! Knows that an offer is there, not what it says. The random part of the wait is handed in.

use std::time::Duration;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We.
    Us,
    /// The far end.
    Them,
}

/// What is going on in one dialog. Each field names who began it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    invite: Option<Side>,
    update: Option<Side>,
    offer: Option<Side>,
}

/// Why a request of the far end is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Glare {
    /// Ours is on its way: 491 Request Pending.
    #[error("a request of ours is pending")]
    Pending,
    /// An earlier one of theirs has no answer yet: 500 with Retry-After of 0 to 10 s.
    #[error("an earlier request has not been answered")]
    Unanswered,
}

impl Glare {
    /// The status that says so.
    pub fn status(self) -> u16 {
        match self {
            Glare::Pending => 491,
            Glare::Unanswered => 500,
        }
    }

    /// Seconds for Retry-After, where it is wanted (RFC 3261 14.2, RFC 3311 5.2).
    pub fn retry_after_s(self, random: u32) -> Option<u32> {
        match self {
            Glare::Pending => None,
            Glare::Unanswered => Some(random % 11),
        }
    }
}

impl Offers {
    /// The far end sends an INVITE, with an offer or without.
    ///
    /// # Errors
    /// [`Glare`]: nothing has changed, the INVITE is refused.
    pub fn they_invite(&mut self, with_offer: bool) -> Result<(), Glare> {
        match (self.invite, self.offer, self.update) {
            (Some(Side::Them), _, _) => return Err(Glare::Unanswered),
            (Some(Side::Us), _, _) | (_, Some(Side::Us), _) | (_, _, Some(Side::Us)) => return Err(Glare::Pending),
            (_, Some(Side::Them), _) | (_, _, Some(Side::Them)) => return Err(Glare::Unanswered),
            (None, None, None) => {}
        }
        self.invite = Some(Side::Them);
        self.offer = with_offer.then_some(Side::Them);
        Ok(())
    }

    /// The far end sends an UPDATE, with an offer or without.
    ///
    /// # Errors
    /// [`Glare`]: nothing has changed, the UPDATE is refused.
    pub fn they_update(&mut self, with_offer: bool) -> Result<(), Glare> {
        if self.update == Some(Side::Them) {
            return Err(Glare::Unanswered);
        }
        if with_offer {
            match self.offer {
                Some(Side::Us) => return Err(Glare::Pending),
                Some(Side::Them) => return Err(Glare::Unanswered),
                None => self.offer = Some(Side::Them),
            }
        }
        // Ours without an offer may cross theirs; both are answered, and theirs is then the one to remember.
        self.update = Some(Side::Them);
        Ok(())
    }

    /// Whether we may send an INVITE now.
    pub fn may_invite(&self) -> bool {
        *self == Offers::default()
    }

    /// Whether we may send an UPDATE now.
    pub fn may_update(&self, with_offer: bool) -> bool {
        self.update.is_none() && !(with_offer && self.offer.is_some())
    }

    /// We send an INVITE. Only where `may_invite` says so.
    pub fn we_invite(&mut self, with_offer: bool) {
        debug_assert!(self.may_invite());
        self.invite = Some(Side::Us);
        self.offer = with_offer.then_some(Side::Us);
    }

    /// We send an UPDATE. Only where `may_update` says so.
    pub fn we_update(&mut self, with_offer: bool) {
        debug_assert!(self.may_update(with_offer));
        self.update = Some(Side::Us);
        if with_offer {
            self.offer = Some(Side::Us);
        }
    }

    /// A response or PRACK carries an offer: the INVITE had none.
    pub fn offered(&mut self, by: Side) {
        self.offer = Some(by);
    }

    /// The answer is there, or the offer was refused: the next one may be made.
    pub fn answered(&mut self) {
        self.offer = None;
    }

    /// The INVITE has its final response. An offer in a 2xx stays open until its answer comes in the ACK.
    pub fn invite_ended(&mut self, refused: bool) {
        if refused && self.update.is_none() {
            self.offer = None;
        }
        self.invite = None;
    }

    /// The UPDATE has its final response: its offer is answered or refused by it.
    pub fn update_ended(&mut self, with_offer: bool) {
        self.update = None;
        if with_offer {
            self.offer = None;
        }
    }
}

/// How long to wait after a 491 before the request is sent again, in steps of 10 ms: 2.1 to 4 s for the owner of the Call-ID,
/// 0 to 2 s for the other, so that they do not collide again (RFC 3261 14.1).
pub fn retry_wait(owns_call_id: bool, random: u32) -> Duration {
    let steps = if owns_call_id { 210 + random % 191 } else { random % 201 };
    Duration::from_millis(u64::from(steps) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossing_invites_are_refused_with_491_on_both_sides() {
        let mut ours = Offers::default();
        ours.we_invite(true);
        assert_eq!(ours.they_invite(true), Err(Glare::Pending));
        assert_eq!(Glare::Pending.status(), 491);
        assert_eq!(Glare::Pending.retry_after_s(5), None);
    }

    #[test]
    fn a_second_invite_before_the_first_is_answered_gets_500_with_retry_after() {
        let mut ours = Offers::default();
        ours.they_invite(true).unwrap();
        let glare = ours.they_invite(true).unwrap_err();
        assert_eq!(glare.status(), 500);
        for random in [0, 10, 11, u32::MAX] {
            assert!(glare.retry_after_s(random).unwrap() <= 10);
        }
    }

    #[test]
    fn a_refused_request_leaves_no_trace() {
        let mut ours = Offers::default();
        ours.we_invite(true);
        let before = ours;
        assert!(ours.they_invite(true).is_err());
        assert!(ours.they_update(true).is_err());
        assert_eq!(ours, before);
    }

    #[test]
    fn an_update_may_refresh_the_session_while_an_invite_rings_but_not_offer() {
        let mut ours = Offers::default();
        ours.we_invite(true);
        assert_eq!(ours.they_update(false), Ok(()));
        ours.update_ended(false);
        assert_eq!(ours.they_update(true), Err(Glare::Pending));
        ours.answered();
        assert_eq!(ours.they_update(true), Ok(()));
    }

    #[test]
    fn the_offer_of_a_2xx_stays_open_until_the_ack_answers_it() {
        let mut ours = Offers::default();
        ours.they_invite(false).unwrap();
        ours.offered(Side::Us);
        ours.invite_ended(false);
        assert!(!ours.may_invite());
        assert_eq!(ours.they_invite(true), Err(Glare::Pending));
        ours.answered();
        assert!(ours.may_invite());
    }

    #[test]
    fn a_refused_invite_takes_its_offer_along() {
        let mut ours = Offers::default();
        ours.we_invite(true);
        ours.invite_ended(true);
        assert!(ours.may_invite());
    }

    #[test]
    fn the_two_waits_after_491_never_meet() {
        for random in 0..1000 {
            let (owner, other) = (retry_wait(true, random), retry_wait(false, random * 7));
            assert!(owner >= Duration::from_millis(2100) && owner <= Duration::from_secs(4));
            assert!(other <= Duration::from_secs(2));
        }
    }
}
