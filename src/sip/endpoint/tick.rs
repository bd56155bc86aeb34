//! Time has passed: transactions, registrations, trunks, and legs that wait for something.

use crate::sip::dialog::accepted::AckDue;
use crate::sip::dialog::reliable::PrackDue;
use crate::sip::dialog::session_timer::SessionDue;
use crate::types::{Cause, LegId, Mono, Now};

use super::leg::{Leg, Role, State, Wish};
use super::{Endpoint, Output};

impl Endpoint {
    pub(super) fn on_tick(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(event) = self.transactions.tick(now.mono, &mut self.transmits) {
            self.on_event(now, event, out);
        }
        let mut wants = Vec::new();
        self.registrar.tick(now, &mut wants);
        self.obey_registrar(wants, out);
        self.tick_trunks(now, out);
        self.retry_goodbyes(now, None);
        // Each leg once a turn: one whose deadline does not move on costs turns, and everybody else is still served.
        let due: Vec<LegId> = self.due.iter().take_while(|(at, _)| *at <= now.mono).map(|(_, leg)| *leg).collect();
        for leg in due {
            self.tick_leg(now, leg, out);
            self.arm(leg);
        }
    }

    fn tick_leg(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        match self.legs.get(&leg).map(|l| &l.state) {
            Some(State::Arriving(_)) => self.tick_arriving(now, leg, out),
            Some(State::Dialling(_)) => self.tick_dialling(now, leg, out),
            Some(State::Up(_)) => self.tick_up(now, leg, out),
            None => {}
        }
    }

    fn tick_arriving(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Arriving(arriving), .. }) = self.legs.get_mut(&leg) else { return };
        let server = arriving.server;
        match arriving.reliable.tick(now.mono) {
            PrackDue::Nothing => {}
            PrackDue::Resend(bytes) => {
                let _late = self.transactions.respond(now.mono, server, bytes, &mut self.transmits);
            }
            // RFC 3262 3: a caller that never acknowledges is refused with a 5xx.
            PrackDue::GiveUp => self.refuse_with(now, leg, Cause::PeerLost, 504, out),
        }
    }

    /// A branch without any response is given up: the next trunk is tried, a seat's other phones ring on.
    fn tick_dialling(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        while let Some(index) = self.silent_branch(leg, now.mono) {
            if let Some(Leg { state: State::Dialling(dialling), .. }) = self.legs.get_mut(&leg) {
                let branch = &mut dialling.branches[index];
                branch.give_up = None;
                let client = branch.client;
                self.withdraw(now, client, Cause::Unreachable);
            }
            self.branch_failed(now, leg, index, (Cause::Unreachable, None), out);
        }
    }

    fn silent_branch(&self, leg: LegId, now: Mono) -> Option<usize> {
        match &self.legs.get(&leg)?.state {
            State::Dialling(dialling) => dialling.branches.iter().position(|b| b.give_up.is_some_and(|at| at <= now)),
            State::Arriving(_) | State::Up(_) => None,
        }
    }

    fn tick_up(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        let Some(Leg { state: State::Up(up), .. }) = self.legs.get_mut(&leg) else { return };
        let first = match &mut up.role {
            Role::Callee(Some(theirs)) => Some(theirs),
            Role::Callee(None) | Role::Caller => None,
        };
        let mut dead = false;
        for theirs in first.into_iter().chain(up.theirs.as_mut()) {
            match theirs.await_ack.tick(now.mono) {
                AckDue::Nothing => {}
                AckDue::Resend(bytes) => {
                    let _late = self.transactions.respond(now.mono, theirs.server, bytes, &mut self.transmits);
                }
                AckDue::GiveUp => dead = true,
            }
        }
        if up.wait.is_some_and(|at| at <= now.mono) {
            up.wait = None;
        }
        dead |= up.away.is_some_and(|at| at <= now.mono);
        let mut refresh = false;
        match up.timer.tick(now.mono) {
            SessionDue::Nothing => {}
            SessionDue::Refresh => refresh = true,
            SessionDue::Expire => dead = true,
        }
        let why = up.ending.unwrap_or(Cause::PeerLost);
        if dead {
            return self.bye(now, leg, why, out);
        }
        if refresh {
            self.wish(now, leg, Wish::Refresh);
        }
        self.next_wish(now, leg);
    }
}
