//! What happens inside a call: holds and keys. Both are noted in the ledger, a bounded number a call.

use super::{Center, Out};
use crate::types::{CallEvent, LegId};

/// Most rows about keys and holds in one call. A person presses some dozens; a broken phone must not fill the ledger.
const MOST_NOTES: u16 = 500;

impl Center {
    /// A far end holds us or has us back. Everybody in the call hears music meanwhile.
    pub(super) fn on_held(&mut self, leg: LegId, held: bool, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg) else { return };
        let Some(live) = self.calls.get_mut(id) else { return };
        if !live.call.hold(leg, held) {
            return;
        }
        if live.notes < MOST_NOTES && !live.is_over() {
            live.notes += 1;
            out.row(*id, CallEvent::Held { leg, held });
        }
        out.hear(*id, live.sound());
    }

    /// A key was pressed. Which one is not kept: it may be an identity or a card number.
    pub(super) fn on_digit(&mut self, leg: LegId, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg) else { return };
        let Some(live) = self.calls.get_mut(id) else { return };
        if live.notes < MOST_NOTES && !live.is_over() {
            live.notes += 1;
            out.row(*id, CallEvent::Digit { leg, digit: None });
        }
    }
}
