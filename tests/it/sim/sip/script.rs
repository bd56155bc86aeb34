//! What a peer has in mind for one call: drawn once, so that a seed means the same whatever the exchange does.

use crate::sim::dice::Dice;

/// What a party does at some time of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The caller has waited long enough.
    GiveUp,
    /// The phone rings.
    Ring,
    /// Somebody picks up.
    Answer,
    /// The second branch of a forking proxy answers too.
    AnswerToo,
    /// Somebody declines.
    Decline(u16),
    /// Hangs up.
    Bye,
    /// Says so again: the first time went with the connection.
    ByeAgain,
    /// Holds, or takes back.
    Hold(bool),
    /// Refreshes the session.
    Refresh,
    /// Presses a key.
    Key,
    /// Acknowledges the reliable response that has waited longest.
    Prack,
    /// Answers a re-INVITE at last.
    AnswerReinvite,
    /// Is gone without a word.
    Vanish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliable {
    No,
    Supported,
    Required,
}

/// One party's intentions.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) reliable: Reliable,
    /// The INVITE carries an offer.
    pub(crate) offers: bool,
    /// Speaks a codec that nobody else does.
    pub(crate) odd_codec: bool,
    /// Never acknowledges the 200.
    pub(crate) never_acks: bool,
    /// How long it takes to acknowledge a reliable response; at once when `None`.
    pub(crate) prack_ms: Option<u64>,
    /// How long it thinks before it answers a re-INVITE. It does so though the other has hung up, and repeats its 2xx until
    /// the ACK comes: such is a far end behind another exchange.
    pub(crate) stubborn_ms: Option<u64>,
    /// Takes UPDATE.
    pub(crate) update: bool,
    /// Refreshes the session itself, every so many seconds.
    pub(crate) timer_s: Option<u32>,
    /// How long a caller waits for a person.
    pub(crate) patience_ms: u64,
    /// How long it talks before it hangs up.
    pub(crate) talk_ms: u64,
    pub(crate) hold_ms: Option<u64>,
    pub(crate) key_ms: Option<u64>,
    pub(crate) vanish_ms: Option<u64>,
    /// A phone: how long until it rings, how long until it does what it does.
    pub(crate) ring_ms: u64,
    pub(crate) then_ms: u64,
    pub(crate) reaction: Reaction,
    /// Describes its audio before it answers.
    pub(crate) early: bool,
    /// A phone behind a forking proxy: a second branch answers too.
    pub(crate) forks: bool,
}

/// What a phone does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    Answer,
    Decline(u16),
    /// Rings and rings.
    Ring,
    /// Not a single word.
    Silent,
    /// Picks up in the very moment in which the CANCEL comes.
    AnswerOnCancel,
}

impl Script {
    /// A citizen's. `storm`: things may go wrong.
    pub(crate) fn caller(dice: &mut Dice, storm: bool) -> Script {
        let reliable = dice.pick(&[Reliable::No, Reliable::No, Reliable::Supported, Reliable::Required]);
        Script {
            reliable,
            offers: !dice.percent(12),
            odd_codec: dice.percent(2),
            never_acks: storm && dice.percent(3),
            prack_ms: dice.percent(30).then(|| dice.between(300, 24_000)),
            patience_ms: if dice.percent(15) { dice.between(20, 3_000) } else { dice.between(3_000, 120_000) },
            vanish_ms: (storm && dice.percent(5)).then(|| dice.between(500, 60_000)),
            ..Script::phone(dice, storm)
        }
    }

    /// A carrier's, with whoever it calls behind it.
    pub(crate) fn carrier(dice: &mut Dice, storm: bool) -> Script {
        let reaction = match dice.below(100) {
            0..=24 => Reaction::Decline(dice.pick(&[500, 502, 503, 504])),
            25..=34 => Reaction::Decline(dice.pick(&[486, 603, 404, 480, 488])),
            35..=42 => Reaction::Silent,
            43..=50 => Reaction::Ring,
            51..=60 => Reaction::AnswerOnCancel,
            _ => Reaction::Answer,
        };
        Script {
            reaction,
            odd_codec: dice.percent(3),
            forks: dice.percent(20),
            early: dice.percent(50),
            ..Script::phone(dice, storm)
        }
    }

    /// A seat's phone's.
    pub(crate) fn phone(dice: &mut Dice, storm: bool) -> Script {
        let reaction = match dice.below(100) {
            0..=5 => Reaction::Decline(dice.pick(&[486, 603, 480, 404, 500, 503])),
            6..=9 => Reaction::Ring,
            10..=11 if storm => Reaction::Silent,
            12..=15 => Reaction::AnswerOnCancel,
            _ => Reaction::Answer,
        };
        Script {
            reliable: dice.pick(&[Reliable::No, Reliable::No, Reliable::Supported]),
            offers: true,
            odd_codec: false,
            never_acks: false,
            prack_ms: None,
            stubborn_ms: dice.percent(35).then(|| dice.between(50, 4_000)),
            update: dice.percent(60),
            timer_s: dice.percent(25).then_some(90),
            patience_ms: 0,
            talk_ms: match dice.below(100) {
                0..=9 => dice.between(0, 500),
                // Stays on the line though the other is gone: only the exchange can notice.
                10..=19 if storm => dice.between(150_000, 400_000),
                _ => dice.between(1_000, 130_000),
            },
            hold_ms: dice.percent(12).then(|| dice.between(200, 20_000)),
            key_ms: dice.percent(10).then(|| dice.between(200, 20_000)),
            vanish_ms: (storm && dice.percent(2)).then(|| dice.between(500, 60_000)),
            ring_ms: dice.between(5, 900),
            then_ms: dice.between(20, 13_000),
            reaction,
            early: dice.percent(20),
            forks: dice.percent(7),
        }
    }
}
