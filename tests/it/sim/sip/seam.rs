//! The watcher at the seam between endpoint and center: what legs say, in which order the center takes it, and what it tells
//! them. Knows neither messages nor calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yihao::exchange::Overheard;
use yihao::types::{LegCommand, LegEvent, LegId};

/// What a leg has said of itself so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Life {
    dialled: bool,
    rang: bool,
    answered: bool,
    /// It is heard before its answer.
    heard: bool,
    /// The center has hung it up or refused it.
    let_go: bool,
    ended: bool,
}

#[derive(Default)]
pub(crate) struct Seam {
    lives: BTreeMap<LegId, Life>,
    /// Said and not yet taken.
    line: VecDeque<(LegId, LegEvent)>,
    pub(crate) faults: Vec<String>,
}

impl Seam {
    /// What was heard in one turn of the exchange.
    pub(crate) fn turn(&mut self, heard: Vec<Overheard>) {
        for word in heard {
            match word {
                Overheard::Said(leg, event) => {
                    self.said(leg, &event);
                    self.line.push_back((leg, event));
                }
                Overheard::Taken(leg, event) => {
                    let first = self.line.pop_front();
                    if first.as_ref() != Some(&(leg, event.clone())) {
                        self.faults.push(format!("the center hears {event:?} of {leg} while {first:?} stands first"));
                    }
                }
                Overheard::Told(leg, command) => self.told(leg, &command),
            }
        }
        if let Some(first) = self.line.front() {
            self.faults.push(format!("the center never hears {first:?}"));
        }
    }

    fn said(&mut self, leg: LegId, event: &LegEvent) {
        if matches!(event, LegEvent::Arrived(_)) {
            if self.lives.insert(leg, Life::default()).is_some() {
                self.faults.push(format!("{leg} arrives twice"));
            }
            return;
        }
        let Some(life) = self.lives.get_mut(&leg) else {
            return self.faults.push(format!("{leg} says {event:?}, and nobody has heard of it"));
        };
        let before = *life;
        let is_wrong = match event {
            LegEvent::Ringing => std::mem::replace(&mut life.rang, true) || !before.dialled || before.answered,
            LegEvent::Answered => std::mem::replace(&mut life.answered, true) || before.let_go,
            LegEvent::Ended { .. } => std::mem::replace(&mut life.ended, true),
            LegEvent::EarlyMedia(heard) => {
                std::mem::replace(&mut life.heard, *heard) == *heard
                    || !before.dialled
                    || before.answered
                    || before.let_go
            }
            LegEvent::Arrived(_)
            | LegEvent::NoEarlyMedia
            | LegEvent::Held(_)
            | LegEvent::Digit { .. }
            | LegEvent::Refer { .. } => false,
        };
        if is_wrong || before.ended {
            self.faults.push(format!("{leg} says {event:?} after all this: {before:?}"));
        }
    }

    fn told(&mut self, leg: LegId, command: &LegCommand) {
        match command {
            LegCommand::Dial(_) => {
                if self.lives.insert(leg, Life { dialled: true, ..Life::default() }).is_some() {
                    self.faults.push(format!("{leg} is dialled and was there before"));
                }
            }
            LegCommand::Hangup(_) | LegCommand::Refuse(_) => match self.lives.get_mut(&leg) {
                Some(life) => life.let_go = true,
                None => self.faults.push(format!("{leg} is let go, and nobody has heard of it")),
            },
            LegCommand::Ring
            | LegCommand::EarlyMedia
            | LegCommand::Answer
            | LegCommand::Hold(_)
            | LegCommand::SendDigit(_)
            | LegCommand::PickUp
            | LegCommand::Referred(_) => {}
        }
    }

    /// Who is heard and has not answered must have been said to be, and nobody else: but those who were let go.
    pub(crate) fn compare_early(&mut self, heard: &BTreeSet<LegId>) {
        let waits = |life: &Life| !life.answered && !life.let_go && !life.ended;
        for (leg, life) in self.lives.iter().filter(|(_, life)| waits(life)) {
            if life.heard != heard.contains(leg) {
                self.faults.push(format!("{leg} is heard before its answer or not, and has said otherwise: {life:?}"));
            }
        }
    }

    /// Legs that have not had their last word.
    pub(crate) fn open(&self) -> Vec<LegId> {
        self.lives.iter().filter(|(_, life)| !life.ended).map(|(leg, _)| *leg).collect()
    }
}
