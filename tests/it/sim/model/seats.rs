//! What the model knows of a seat.

use std::time::Duration;

use yihao::center::PresenceCommand;
use yihao::types::{LegId, Mono};

/// What follows when the seat's leg is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Free,
    Rest(Duration),
    WrapUp(Duration),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Out,
    Away,
    Ready,
}

#[derive(Debug, Default)]
pub(crate) struct Seat {
    presence: Presence,
    pub(crate) reachable: bool,
    /// The leg that keeps it busy.
    pub(crate) busy: Option<LegId>,
    after: Option<After>,
    /// It rests or wraps up until then.
    until: Option<Mono>,
    pub(crate) free_since: Mono,
    strikes: u32,
}

impl Seat {
    pub(crate) fn is_available(&self) -> bool {
        self.takes_calls() && self.busy.is_none() && self.until.is_none()
    }

    /// Whether an offer may stay open on it.
    pub(crate) fn takes_calls(&self) -> bool {
        self.presence == Presence::Ready && self.reachable
    }

    fn free(&mut self, now: Mono) {
        self.until = None;
        self.free_since = now;
    }

    pub(crate) fn time_passes(&mut self, now: Mono) {
        if self.until.is_some_and(|until| until <= now) {
            self.free(now);
        }
    }

    /// Whether a wish is granted.
    pub(crate) fn wishes(&mut self, command: &PresenceCommand, now: Mono) -> bool {
        let out = self.presence == Presence::Out;
        match command {
            PresenceCommand::SignIn if out => self.presence = Presence::Away,
            PresenceCommand::SignIn => {}
            PresenceCommand::Ready if out || !self.reachable => return false,
            PresenceCommand::Ready => {
                if self.until.is_some() {
                    self.free(now);
                }
                if self.presence == Presence::Away {
                    self.presence = Presence::Ready;
                    self.free_since = now;
                    self.strikes = 0;
                }
            }
            PresenceCommand::NotReady { .. } if out => return false,
            PresenceCommand::NotReady { .. } => self.presence = Presence::Away,
            PresenceCommand::Break | PresenceCommand::Training => return false,
            PresenceCommand::SignOut => {
                self.presence = Presence::Out;
                if self.until.is_some() {
                    self.free(now);
                }
            }
        }
        true
    }

    pub(crate) fn not_ready(&mut self) {
        if self.presence == Presence::Ready {
            self.presence = Presence::Away;
        }
    }

    pub(crate) fn strike(&mut self) {
        self.strikes += 1;
        if self.strikes == 3 && self.presence == Presence::Ready {
            self.presence = Presence::Away;
            self.strikes = 0;
        }
    }

    pub(crate) fn talks(&mut self) {
        self.strikes = 0;
    }

    pub(crate) fn takes(&mut self, leg: LegId) {
        assert_eq!(self.busy, None, "a busy seat is offered a call");
        self.busy = Some(leg);
        self.until = None;
    }

    /// What follows when the leg is gone, decided once.
    pub(crate) fn leaves(&mut self, leg: LegId, after: After) {
        if self.busy == Some(leg) && self.after.is_none() {
            self.after = Some(after);
        }
    }

    pub(crate) fn leg_is_gone(&mut self, leg: LegId, now: Mono) {
        if self.busy != Some(leg) {
            return;
        }
        let Some(after) = self.after.take() else { return };
        self.busy = None;
        match after {
            After::Rest(time) => self.until = Some(now + time),
            After::WrapUp(time) if self.presence != Presence::Out => self.until = Some(now + time),
            After::Free | After::WrapUp(_) => self.free(now),
        }
    }
}
