//! What the model knows of a leg: which commands it may still get.

use yihao::types::{CallId, LegCommand, LegId, Mono, SeatId};

#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) call: CallId,
    /// The seat, for a seat's leg.
    pub(crate) seat: Option<SeatId>,
    /// Whether the call began with it.
    pub(crate) is_first: bool,
    /// Whether we dialled it, and whether it has rung.
    pub(crate) dialled: bool,
    pub(crate) rang: bool,
    /// We answered it, or it answered us.
    pub(crate) answered: bool,
    pub(crate) early: bool,
    /// Our answer is confirmed.
    pub(crate) confirmed: bool,
    /// It is heard and has not answered.
    pub(crate) heard: bool,
    pub(crate) held: bool,
    pub(crate) hung_up_at: Option<Mono>,
    /// It answered after we hung up, so that another hang-up is due.
    pub(crate) late: bool,
}

impl Leg {
    pub(crate) fn new(call: CallId, seat: Option<SeatId>, is_first: bool) -> Self {
        let dialled = !is_first;
        Self {
            call,
            seat,
            is_first,
            dialled,
            rang: false,
            answered: false,
            early: false,
            confirmed: false,
            heard: false,
            held: false,
            hung_up_at: None,
            late: false,
        }
    }

    /// It heard us before our answer, which is not confirmed: it may not have got it.
    pub(crate) fn may_be_unanswered(&self) -> bool {
        self.early && !self.confirmed
    }

    pub(crate) fn command(&mut self, id: LegId, command: &LegCommand, now: Mono) {
        let parted = self.hung_up_at.is_some();
        match command {
            LegCommand::EarlyMedia => {
                assert!(self.is_first && !self.early && !self.answered && !parted, "{id}: early media out of turn");
                self.early = true;
            }
            LegCommand::Answer => {
                assert!(self.is_first && !self.answered && !parted, "{id}: answered out of turn");
                self.answered = true;
            }
            LegCommand::Refuse(_) => {
                assert!(self.is_first && !self.answered && !parted, "{id}: refused out of turn");
                self.hung_up_at = Some(now);
            }
            LegCommand::Hangup(_) => {
                assert!(self.dialled || self.answered, "{id}: hung up before the answer");
                assert!(!parted || self.late, "{id}: hung up twice");
                self.late = false;
                self.hung_up_at = Some(now);
            }
            LegCommand::PickUp => {
                assert!(self.rang && !self.answered && !parted, "{id}: asked to answer out of turn")
            }
            LegCommand::Ring
            | LegCommand::Dial(_)
            | LegCommand::Hold(_)
            | LegCommand::SendDigit(_)
            | LegCommand::Referred(_) => {
                panic!("{id}: {command:?} is never sent here")
            }
        }
    }
}
