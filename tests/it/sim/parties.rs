//! The people and telephones of a world: what callers, seats' phones and agents do, and when.

use yihao::types::{Cause, Digit, DigitBy, LegCommand, LegEvent, LegId, Target};

use super::dice::Dice;

/// The far end of one leg.
#[derive(Debug, Default)]
pub(crate) struct Party {
    /// Whether the far end has answered, or got our answer.
    pub(crate) answered: bool,
    /// It hears us before our answer.
    pub(crate) early: bool,
    /// Whether it has said its last word (perhaps still on its way).
    pub(crate) over: bool,
    /// When its last event reaches the center: events of one leg never overtake each other.
    pub(crate) up_ms: u64,
    /// The same for commands to it.
    pub(crate) down_ms: u64,
}

/// What a party does at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Ring,
    /// Its carrier is heard before it answers, or no more.
    Announce(bool),
    PickUp,
    /// Ends the leg without having answered.
    Fail(Cause, u16),
    /// Hangs up, or gives up.
    Leave,
    /// Leaves unless it hears the other party: patience is over.
    LoseHeart,
    Hold(bool),
    Key,
    /// Our answer was never confirmed.
    LoseAck,
    /// It acknowledges at last what it heard before the answer, and gets that.
    Confirm,
}

/// What follows from a command or an act: things to say, and acts to come after some milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Reaction {
    pub(crate) say: Vec<(u64, LegEvent)>,
    pub(crate) then: Vec<(u64, Act)>,
}

impl Reaction {
    fn say(mut self, after_ms: u64, event: LegEvent) -> Self {
        self.say.push((after_ms, event));
        self
    }

    fn then(mut self, after_ms: u64, act: Act) -> Self {
        self.then.push((after_ms, act));
        self
    }
}

fn ended(cause: Cause, status: Option<u16>) -> LegEvent {
    LegEvent::Ended { cause, status }
}

/// A latency: mostly a few milliseconds, sometimes that of a lost and repeated packet.
pub(crate) fn latency(dice: &mut Dice) -> u64 {
    match dice.below(100) {
        0..=1 => dice.between(500, 4_000),
        2..=20 => dice.between(40, 300),
        _ => dice.between(1, 30),
    }
}

impl Party {
    /// A command has reached the far end.
    pub(crate) fn told(&mut self, leg: LegId, command: &LegCommand, dice: &mut Dice) -> Reaction {
        let none = Reaction::default();
        if self.over {
            return none;
        }
        match command {
            LegCommand::EarlyMedia => {
                self.early = true;
                none
            }
            LegCommand::Ring | LegCommand::Hold(_) | LegCommand::SendDigit(_) | LegCommand::Referred(_) => none,
            LegCommand::Answer => {
                assert!(!self.answered, "{leg} was answered twice");
                if self.early && dice.percent(70) {
                    // It owes the acknowledgement of what it hears, so that our answer waits.
                    return none.then(dice.between(2_000, 24_000), Act::Confirm);
                }
                self.answered = true;
                if dice.percent(2) {
                    none.then(32_000, Act::LoseAck)
                } else {
                    none.say(latency(dice), LegEvent::Answered)
                }
            }
            LegCommand::Refuse(cause) => {
                self.over = true;
                none.say(latency(dice), ended(*cause, None))
            }
            LegCommand::Hangup(_) => {
                let cause = if self.answered { Cause::HungUp } else { Cause::Cancelled };
                self.over = true;
                match dice.below(100) {
                    0 => none, // never heard of again
                    1..=3 => none.say(32_000, ended(cause, None)),
                    _ => none.say(latency(dice), ended(cause, None)),
                }
            }
            // Some phones do not know the event.
            LegCommand::PickUp if self.answered || dice.percent(20) => none,
            LegCommand::PickUp => none.then(dice.between(50, 400), Act::PickUp),
            LegCommand::Dial(dial) => match dial.target {
                Target::Seat(_) => dialled(dice),
                Target::Trunk { .. } => announced(dialled(dice), dice),
            },
        }
    }

    /// The time for an act has come. `together` says whether it hears the other party.
    pub(crate) fn acts(&mut self, act: Act, together: bool, dice: &mut Dice) -> Reaction {
        let none = Reaction::default();
        if self.over {
            return none;
        }
        match act {
            Act::Ring => none.say(latency(dice), LegEvent::Ringing),
            Act::Announce(_) if self.answered => none,
            Act::Announce(heard) => none.say(latency(dice), LegEvent::EarlyMedia(heard)),
            Act::PickUp if self.answered => none,
            Act::PickUp => {
                self.answered = true;
                // Some pick up by mistake and drop it at once.
                let stays = if dice.percent(6) { dice.between(1, 400) } else { dice.between(2_000, 90_000) };
                let talk = none.say(latency(dice), LegEvent::Answered).then(stays, Act::Leave);
                match dice.below(10) {
                    0 => talk.then(stays / 3, Act::Hold(true)).then(stays / 2, Act::Hold(false)),
                    1 => talk.then(stays / 2, Act::Hold(true)),
                    _ => talk,
                }
            }
            Act::Fail(cause, status) if !self.answered => {
                self.over = true;
                none.say(latency(dice), ended(cause, Some(status)))
            }
            Act::Fail(..) => none,
            Act::LoseHeart if together => none.then(dice.between(1_000, 60_000), Act::Leave),
            Act::Leave | Act::LoseHeart => {
                self.over = true;
                let cause = if self.answered { Cause::HungUp } else { Cause::Cancelled };
                none.say(latency(dice), ended(cause, None))
            }
            Act::Hold(held) => none.say(latency(dice), LegEvent::Held(held)),
            Act::Key => none.say(latency(dice), LegEvent::Digit { digit: Digit('5'), by: DigitBy::Event }),
            Act::Confirm => {
                self.answered = true;
                none.say(latency(dice), LegEvent::Answered)
            }
            Act::LoseAck => {
                self.over = true;
                none.say(0, ended(Cause::PeerLost, None))
            }
        }
    }
}

/// What else a carrier does that is dialled: some are heard before the answer, some of those not for long.
fn announced(reaction: Reaction, dice: &mut Dice) -> Reaction {
    if !dice.percent(40) {
        return reaction;
    }
    let begins = dice.between(50, 2_000);
    let reaction = reaction.then(begins, Act::Announce(true));
    if dice.percent(30) { reaction.then(begins + dice.between(100, 8_000), Act::Announce(false)) } else { reaction }
}

/// What a phone does that is dialled.
fn dialled(dice: &mut Dice) -> Reaction {
    let none = Reaction::default();
    let ring = dice.between(50, 900);
    match dice.below(100) {
        0..=61 => none.then(ring, Act::Ring).then(ring + dice.between(500, 9_000), Act::PickUp),
        62..=66 => none.then(dice.between(20, 4_000), Act::PickUp),
        // Answers about when the lease ends: the answer crosses our hang-up.
        67..=72 => none.then(ring, Act::Ring).then(dice.between(14_900, 15_100), Act::PickUp),
        73..=77 => none.then(ring, Act::Fail(Cause::Busy, 486)),
        78..=82 => none.then(ring, Act::Ring).then(ring + dice.between(500, 8_000), Act::Fail(Cause::Declined, 603)),
        83..=85 => none.then(ring, Act::Ring).then(ring + dice.between(500, 8_000), Act::Fail(Cause::NoAnswer, 480)),
        86..=89 => none.then(ring, Act::Ring),
        90 => none,
        91 => none.then(0, Act::Fail(Cause::Unregistered, 480)),
        92 | 94 | 95 => none.then(ring, Act::Fail(Cause::Unreachable, 480)),
        93 => none.then(0, Act::Fail(Cause::Overload, 503)),
        _ => none.then(dice.between(1, 12_000), Act::Fail(Cause::Unreachable, 408)),
    }
}
