//! What the model knows of a seat and of the person there.

use std::time::Duration;

use yihao::center::{PresenceCommand, WrapUpCommand};
use yihao::types::{Agent, CallId, LegId, Mono};

/// How a queue's calls are written up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WrapUp {
    pub(crate) time: Duration,
    pub(crate) more: Duration,
    pub(crate) most: Duration,
    pub(crate) result: bool,
}

/// What follows when the seat's leg is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Free,
    Rest(Duration),
    WrapUp(WrapUp),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Presence {
    #[default]
    Out,
    Away,
    Ready,
}

/// What keeps a seat busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Rung,
    Talks,
    Own,
}

#[derive(Clone, Copy, Debug)]
struct Notes {
    call: CallId,
    at_most: Mono,
    more: Duration,
    missing: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Seat {
    presence: Presence,
    next: Option<Presence>,
    pub(crate) agent: Option<Agent>,
    pub(crate) reachable: bool,
    /// The leg that keeps it busy, and its call.
    pub(crate) busy: Option<(LegId, CallId, Doing)>,
    after: Option<After>,
    /// It rests or wraps up until then.
    until: Option<Mono>,
    notes: Option<Notes>,
    /// Notes whose result is missing, put off for an own call, with what was left of their time.
    put_off: Option<(Notes, Duration, Duration)>,
    noted: Option<CallId>,
    pub(crate) free_since: Mono,
    pub(crate) calls: u32,
    strikes: u32,
    /// A change of presence that nobody was told of.
    pub(crate) untold: bool,
}

impl Seat {
    pub(crate) fn is_available(&self) -> bool {
        self.takes_calls() && self.busy.is_none() && self.until.is_none()
    }

    /// Whether an offer may stay open on it.
    pub(crate) fn takes_calls(&self) -> bool {
        self.presence == Presence::Ready && self.reachable
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.presence != Presence::Out
    }

    fn enter(&mut self, now: Mono, presence: Presence) {
        if self.presence == presence {
            return;
        }
        match presence {
            Presence::Ready => (self.free_since, self.strikes) = (now, 0),
            Presence::Out => self.agent = None,
            Presence::Away => {}
        }
        self.presence = presence;
        self.untold = true;
    }

    fn free(&mut self, now: Mono) {
        (self.until, self.notes) = (None, None);
        self.free_since = now;
        if let Some(next) = self.next.take() {
            self.enter(now, next);
        }
    }

    pub(crate) fn time_passes(&mut self, now: Mono) {
        while let Some(until) = self.until.filter(|until| *until <= now) {
            match self.notes {
                Some(notes) if notes.missing && until < notes.at_most => self.until = Some(notes.at_most),
                Some(_) | None => self.free(now),
            }
        }
    }

    /// In a talk, or hung up after it: what is chosen counts later.
    fn is_in_call(&self) -> bool {
        match (self.busy, self.after) {
            (Some((.., Doing::Talks | Doing::Own)), None | Some(After::WrapUp(_))) => true,
            (Some(_), _) | (None, _) => false,
        }
    }

    /// Whether a wish is granted.
    pub(crate) fn wishes(&mut self, command: &PresenceCommand, now: Mono) -> bool {
        let wanted = match command {
            PresenceCommand::SignIn => {
                self.signs_in(now, None);
                return true;
            }
            PresenceCommand::NotReady { reason: Some(word) } if &*word.0 != "meeting" => return false,
            PresenceCommand::NotReady { .. } | PresenceCommand::Break | PresenceCommand::Training => Presence::Away,
            PresenceCommand::Ready => Presence::Ready,
            PresenceCommand::SignOut => Presence::Out,
        };
        let missing = self.notes.is_some_and(|notes| notes.missing);
        if self.presence == Presence::Out {
            return wanted == Presence::Out;
        }
        if wanted == Presence::Ready && !self.reachable {
            return false;
        }
        if self.is_in_call() {
            self.next = (wanted != self.presence).then_some(wanted);
            return true;
        }
        match wanted {
            Presence::Ready if missing => return false,
            Presence::Away | Presence::Out if missing => self.next = Some(wanted).filter(|w| *w != self.presence),
            Presence::Away if self.notes.is_some() => self.next = Some(wanted).filter(|w| *w != self.presence),
            Presence::Ready | Presence::Out if self.until.is_some() => {
                self.next = None;
                self.free(now);
                self.enter(now, wanted);
            }
            Presence::Ready | Presence::Out | Presence::Away => {
                self.next = None;
                self.enter(now, wanted);
            }
        }
        true
    }

    pub(crate) fn signs_in(&mut self, now: Mono, agent: Option<Agent>) {
        if !self.is_signed_in() || agent.is_some() {
            self.agent = agent;
        }
        if !self.is_signed_in() {
            self.enter(now, Presence::Away);
        }
        if self.next == Some(Presence::Out) {
            self.next = None;
        }
    }

    /// Whether a wish about the notes is granted; a result names its call.
    pub(crate) fn writes(&mut self, command: &WrapUpCommand, now: Mono) -> Option<Option<CallId>> {
        match command {
            WrapUpCommand::Extend => {
                let (notes, until) = (self.notes?, self.until?);
                let later = (until + notes.more).min(notes.at_most);
                self.until = Some(later);
                (later > until).then_some(None)
            }
            WrapUpCommand::Done => {
                self.notes.filter(|notes| !notes.missing)?;
                self.free(now);
                Some(None)
            }
            WrapUpCommand::Result { code } => {
                let talks = match (self.busy, self.after) {
                    (Some((_, call, Doing::Talks)), None | Some(After::WrapUp(_)))
                    | (Some((_, call, Doing::Own)), Some(After::WrapUp(_))) => Some(call),
                    (Some(_), _) | (None, _) => None,
                };
                let put_off = self.put_off.map(|(notes, ..)| notes.call);
                let call = put_off.or(talks).or(self.notes.map(|notes| notes.call));
                if &*code.0 != "solved" {
                    return None;
                }
                let call = call?;
                self.noted = Some(call);
                self.put_off = None;
                if let Some(notes) = &mut self.notes {
                    notes.missing = false;
                }
                Some(Some(call))
            }
        }
    }

    /// The leg and call that it talks in, as its desk sees it.
    pub(crate) fn talk(&self) -> Option<(LegId, CallId)> {
        match (self.busy, self.after) {
            (Some((leg, call, Doing::Talks)), None) => Some((leg, call)),
            (Some(_), _) | (None, _) => None,
        }
    }

    /// The leg and call of its own call, as its desk sees it.
    pub(crate) fn own(&self) -> Option<(LegId, CallId)> {
        match (self.busy, self.after) {
            (Some((leg, call, Doing::Own)), None) => Some((leg, call)),
            (Some(_), _) | (None, _) => None,
        }
    }

    /// Whether it writes notes whose result is asked for and missing.
    pub(crate) fn owes_result(&self) -> bool {
        self.notes.is_some_and(|notes| notes.missing)
    }

    /// Whether another seat may call it.
    pub(crate) fn may_be_called(&self) -> bool {
        self.is_signed_in() && self.reachable && self.busy.is_none() && self.until.is_none()
    }

    /// Whether it is rung and has not been hung up on.
    pub(crate) fn is_rung(&self) -> bool {
        matches!((self.busy, self.after), (Some((.., Doing::Rung)), None))
    }

    pub(crate) fn not_ready(&mut self, now: Mono) {
        if self.presence == Presence::Ready {
            self.enter(now, Presence::Away);
        }
    }

    pub(crate) fn strike(&mut self, now: Mono) {
        self.strikes += 1;
        if self.strikes == 3 {
            self.strikes = 0;
            self.not_ready(now);
        }
    }

    pub(crate) fn talks(&mut self) {
        self.strikes = 0;
        self.calls += 1;
        if let Some((.., doing)) = &mut self.busy {
            *doing = Doing::Talks;
        }
    }

    pub(crate) fn takes(&mut self, now: Mono, leg: LegId, call: CallId, doing: Doing) {
        assert_eq!(self.busy, None, "a busy seat is offered a call");
        if let (Some(notes), Some(until)) = (self.notes.filter(|notes| notes.missing), self.until) {
            self.put_off = Some((notes, until.since(now), notes.at_most.since(now)));
        }
        self.busy = Some((leg, call, doing));
        (self.until, self.notes) = (None, None);
    }

    /// What follows when the leg is gone, decided once.
    pub(crate) fn leaves(&mut self, leg: LegId, after: After) {
        if self.busy.is_some_and(|(busy, ..)| busy == leg) && self.after.is_none() {
            self.after = Some(after);
        }
    }

    pub(crate) fn leg_is_gone(&mut self, leg: LegId, now: Mono) {
        let Some((_, call, _)) = self.busy.filter(|(busy, ..)| *busy == leg) else { return };
        let Some(after) = self.after.take() else { return };
        self.busy = None;
        if let Some((notes, left, left_at_most)) = self.put_off.take() {
            let own = if let After::WrapUp(rule) = after { rule } else { WrapUp::default() };
            self.until = Some(now + left.max(own.time));
            self.notes = Some(Notes { at_most: now + left_at_most.max(own.most), ..notes });
            return;
        }
        match after {
            After::Rest(time) => self.until = Some(now + time),
            After::WrapUp(rule) => {
                let missing = rule.result && self.noted != Some(call);
                let leaves = !self.is_signed_in() || self.next == Some(Presence::Out);
                if missing || (!leaves && !rule.time.is_zero()) {
                    self.until = Some(now + rule.time);
                    let at_most = now + rule.most.max(rule.time);
                    self.notes = Some(Notes { call, at_most, more: rule.more, missing });
                } else {
                    self.free(now);
                }
            }
            After::Free => self.free(now),
        }
    }
}
