//! Session timers (RFC 4028): who refreshes, how often, and when a silent session is over.
//!
//! Reads and advises headers, sends nothing. Where the far end knows no timers we refresh alone, so that a dead peer is
//! noticed on every leg.

use std::time::Duration;

use crate::sip::message::{HeaderName, Message, Refresher, ResponseBuilder, SessionExpires};
use crate::types::Mono;

/// What we want of session timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How long a session lives without a refresh, default 1800 s (the recommendation of RFC 4028 4.2). Longer keeps dead
    /// calls alive, shorter costs traffic.
    pub interval_s: u32,
    /// The shortest that we accept, default and least 90 s (RFC 4028 5).
    pub min_s: u32,
}

impl Default for Wish {
    fn default() -> Self {
        Wish { interval_s: 1800, min_s: MIN_S }
    }
}

/// RFC 4028 5: the least Min-SE, and what its absence means.
const MIN_S: u32 = 90;

/// Retries after 422 beyond this interval are pointless: somebody asks for nonsense.
const MAX_S: u32 = 24 * 3600;

/// What the 2xx of ours says, and the timer that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Session-Expires of the 2xx; `None` when the far end knows no timers and need not see one.
    pub session_expires: Option<SessionExpires>,
    /// Whether the 2xx says `Require: timer`: the caller has to refresh (RFC 4028 9).
    pub require_timer: bool,
    /// The timer.
    pub timer: SessionTimer,
}

/// The interval in the request is too short: 422 with this Min-SE (RFC 4028 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session interval is too short, {min_s} s at least")]
pub struct TooShort {
    /// Value of Min-SE.
    pub min_s: u32,
}

/// The running timer of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    interval: Duration,
    we_refresh: bool,
    /// When a refresh goes out; `None` when the far end refreshes or ours is on its way.
    refresh: Option<Mono>,
    expire: Mono,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionDue {
    /// Nothing yet.
    Nothing,
    /// An UPDATE or re-INVITE goes out; once each interval.
    Refresh,
    /// The far end is dead: BYE.
    Expire,
}

impl Wish {
    /// Session-Expires of an INVITE or UPDATE of ours outside of a running session: the callee chooses the refresher.
    pub fn session_expires(&self) -> SessionExpires {
        SessionExpires { seconds: self.interval_s.max(self.min_s()), refresher: None }
    }

    /// Min-SE of requests of ours.
    pub fn min_s(&self) -> u32 {
        self.min_s.max(MIN_S)
    }

    /// What to ask for after a 422 with this Min-SE (RFC 4028 7.4). `None` when it names none, one that we met already, or
    /// more than a day: the call fails then.
    pub fn after_422(&self, min_se: Option<u32>) -> Option<Wish> {
        let min_s = min_se.filter(|&min| min > self.min_s() && min <= MAX_S)?;
        Some(Wish { interval_s: self.interval_s.max(min_s), min_s })
    }
}

impl Agreed {
    /// Puts its headers into our 2xx.
    pub fn write(&self, response: &mut ResponseBuilder) {
        if let Some(expires) = &self.session_expires {
            response.header(HeaderName::SessionExpires, expires);
        }
        if self.require_timer {
            response.header(HeaderName::Require, "timer");
        }
    }
}

impl SessionTimer {
    /// An INVITE or UPDATE of the far end is accepted (RFC 4028 9 and its table 2).
    ///
    /// # Errors
    /// [`TooShort`], to be answered with 422. Only a far end that knows timers is refused; another could not obey.
    pub fn as_callee(now: Mono, request: &Message, wish: &Wish) -> Result<Agreed, TooShort> {
        let knows_timers = request.has_token(HeaderName::Supported, "timer");
        let asked = request.session_expires();
        let min_s = wish.min_s();
        if knows_timers && asked.as_ref().is_some_and(|asked| asked.seconds < min_s) {
            return Err(TooShort { min_s });
        }
        let floor = request.min_se().unwrap_or(MIN_S).max(min_s);
        let seconds = match &asked {
            // We may shorten what a proxy or the caller wants, never lengthen it.
            Some(asked) => wish.interval_s.max(floor).min(asked.seconds.max(min_s)),
            None => wish.interval_s.max(floor),
        };
        let refresher = match asked.as_ref().and_then(|asked| asked.refresher) {
            Some(refresher) if knows_timers => refresher,
            Some(_) | None => Refresher::Uas,
        };
        let we_refresh = refresher == Refresher::Uas;
        Ok(Agreed {
            session_expires: (knows_timers || asked.is_some())
                .then_some(SessionExpires { seconds, refresher: Some(refresher) }),
            require_timer: !we_refresh,
            timer: SessionTimer::start(now, seconds, we_refresh),
        })
    }

    /// Our INVITE or UPDATE has got its 2xx (RFC 4028 7.2). Without Session-Expires in it we refresh alone.
    pub fn as_caller(now: Mono, response: &Message, wish: &Wish) -> SessionTimer {
        match response.session_expires() {
            Some(agreed) => {
                let we_refresh = agreed.refresher != Some(Refresher::Uas);
                SessionTimer::start(now, agreed.seconds.max(MIN_S), we_refresh)
            }
            None => SessionTimer::start(now, wish.session_expires().seconds, true),
        }
    }

    fn start(now: Mono, seconds: u32, we_refresh: bool) -> SessionTimer {
        let interval = Duration::from_secs(u64::from(seconds));
        SessionTimer {
            interval,
            we_refresh,
            refresh: we_refresh.then(|| now + interval / 2),
            expire: now + (interval - (interval / 3).min(Duration::from_secs(32))),
        }
    }

    /// Session-Expires of an INVITE or UPDATE of ours in the running session: the same interval, but no less than the largest
    /// Min-SE that a 422 has named (0: none has), and who refreshes goes on doing so (RFC 4028 7.4).
    pub fn refresh_header(&self, min_se_s: u32) -> SessionExpires {
        let seconds = u32::try_from(self.interval.as_secs()).unwrap_or(MAX_S).max(min_se_s);
        let refresher = if self.we_refresh { Refresher::Uac } else { Refresher::Uas };
        SessionExpires { seconds, refresher: Some(refresher) }
    }

    /// The refresh met a 491 or 500: it is tried again then. Anything but 408, 481 and silence shows that the far end lives,
    /// yet only a 2xx lengthens the session.
    pub fn refresh_again_at(&mut self, at: Mono) {
        self.refresh = Some(at);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Mono) -> SessionDue {
        if self.expire <= now {
            return SessionDue::Expire;
        }
        if self.refresh.is_some_and(|at| at <= now) {
            self.refresh = None;
            return SessionDue::Refresh;
        }
        SessionDue::Nothing
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Mono {
        self.refresh.map_or(self.expire, |at| at.min(self.expire))
    }

    /// Whether it is us who refresh.
    pub fn we_refresh(&self) -> bool {
        self.we_refresh
    }

    /// How long the session lives without a refresh.
    pub fn interval(&self) -> Duration {
        self.interval
    }
}
