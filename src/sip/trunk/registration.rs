//! Our registration at a carrier (RFC 3261 10.2): made, answered by digest, refreshed, tried again, given up at the end.

use std::time::Duration;

use super::Random;
use super::outgoing::{Identity, Outgoing};
use crate::dialplan::TrunkRegister;
use crate::sip::auth::{Client, Secret, Side};
use crate::sip::flow::{ConnId, Flow};
use crate::sip::message::{Message, Scheme, Uri};
use crate::types::Mono;

/// Refresh at four fifths of what was granted, so that two failed attempts fit in before the end.
const REFRESH_PERCENT: u32 = 80;
/// First wait after a failure; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait after failures, and the wait after a refused password, since asking faster locks accounts.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Longest Retry-After that is believed.
const LONGEST_RETRY_AFTER_S: u32 = 3_600;
/// Longest duration, seconds; a Min-Expires beyond it is refused.
const LONGEST_EXPIRES_S: u32 = 86_400;
/// Requests of one attempt: first, credentials, stale nonce, longer duration, and one more for a second realm.
const MAX_REQUESTS: u8 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next attempt is due then.
    Waiting(Mono),
    /// A request is open.
    Asking { cseq: u32 },
    /// We sign off; a request is open.
    Leaving { cseq: u32 },
    /// Signed off for good.
    Left,
}

/// The machine.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    registrar: Uri,
    aor: Uri,
    wish_s: u32,
    client: Client,
    identity: Option<Identity>,
    state: State,
    cseq: u32,
    /// Until when the carrier holds our registration.
    until: Option<Mono>,
    connection: Option<ConnId>,
    /// Failed attempts in a row.
    failures: u32,
    /// Requests of this attempt.
    requests: u8,
    trouble: String,
}

/// What a step asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Send this with this CSeq.
    Send(u32, Box<Outgoing>),
    /// The address in use did not answer: the next one is to be tried.
    Rotate,
    /// Nothing.
    Rest,
}

impl Registration {
    /// A registration of `plan` at the trunk's address; `None` when no URI can be made of them.
    pub(super) fn new(plan: &TrunkRegister, address: &Uri, password: Option<&str>) -> Option<Registration> {
        let host = plan.domain.as_deref().unwrap_or(address.host());
        let (registrar, aor) = match address.scheme() {
            Scheme::Sip | Scheme::Sips => {
                let port = if plan.domain.is_none() { address.port() } else { None };
                (Uri::sip(None, host, port).ok()?, Uri::sip(Some(&plan.user), host, None).ok()?)
            }
            Scheme::Tel | Scheme::Other => return None,
        };
        let secret = Secret::Password(password.unwrap_or_default().to_owned());
        Some(Registration {
            registrar,
            aor,
            wish_s: plan.expires_s.clamp(60, LONGEST_EXPIRES_S),
            client: Client::new(&plan.user, secret),
            identity: None,
            state: State::Waiting(Mono::default()),
            cseq: 0,
            until: None,
            connection: None,
            failures: 0,
            requests: 0,
            trouble: String::new(),
        })
    }

    pub(super) fn is_registered(&self) -> bool {
        self.until.is_some()
    }

    /// The connection over which the carrier took our registration.
    pub(super) fn connection(&self) -> Option<ConnId> {
        self.connection
    }

    pub(super) fn trouble(&self) -> &str {
        &self.trouble
    }

    /// When the machine wants a tick; attempts need an address.
    pub(super) fn deadline(&self, has_address: bool) -> Option<Mono> {
        let attempt = match self.state {
            State::Waiting(at) if has_address => Some(at),
            State::Waiting(_) | State::Asking { .. } | State::Leaving { .. } | State::Left => None,
        };
        [attempt, self.until].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Mono, has_address: bool, random: Random<'_>) -> Step {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            self.connection = None;
        }
        match self.state {
            State::Waiting(at) if at <= now && has_address => {
                self.requests = 0;
                self.ask(random)
            }
            State::Waiting(_) | State::Asking { .. } | State::Leaving { .. } | State::Left => Step::Rest,
        }
    }

    /// A final response to the request with this CSeq.
    pub(super) fn responded(
        &mut self,
        now: Mono,
        cseq: u32,
        flow: &Flow,
        response: &Message,
        random: Random<'_>,
    ) -> Step {
        let leaving = match self.state {
            State::Asking { cseq: open } if open == cseq => false,
            State::Leaving { cseq: open } if open == cseq => true,
            State::Asking { .. } | State::Leaving { .. } | State::Waiting(_) | State::Left => return Step::Rest,
        };
        match response.status().unwrap_or(500) {
            200..=299 if leaving => self.leave(),
            200..=299 => self.granted(now, flow, response),
            401 => self.challenged(now, Side::Server, response, random),
            407 => self.challenged(now, Side::Proxy, response, random),
            423 => self.too_brief(now, response, random),
            status => {
                let why = format!("the carrier answers {status} {}", response.reason());
                let wait = response.retry_after().map(|s| Duration::from_secs(u64::from(s.min(LONGEST_RETRY_AFTER_S))));
                self.fail(now, why, wait, random)
            }
        }
    }

    /// No response came, or none could.
    pub(super) fn unanswered(&mut self, now: Mono, cseq: u32, random: Random<'_>) -> Step {
        match self.state {
            State::Asking { cseq: open } | State::Leaving { cseq: open } if open == cseq => {
                self.fail(now, "the carrier does not answer".to_owned(), None, random)
            }
            State::Asking { .. } | State::Leaving { .. } | State::Waiting(_) | State::Left => Step::Rest,
        }
    }

    /// The connection that the carrier would use towards us is gone: register anew, at once.
    pub(super) fn connection_closed(&mut self, now: Mono, connection: ConnId) {
        if self.connection == Some(connection) {
            self.connection = None;
            if matches!(self.state, State::Waiting(_)) {
                self.state = State::Waiting(now);
            }
        }
    }

    /// Signs off; nothing is sent afterwards but the answer to a challenge.
    pub(super) fn sign_off(&mut self, random: Random<'_>) -> Step {
        match self.state {
            State::Left | State::Leaving { .. } => Step::Rest,
            State::Waiting(_) | State::Asking { .. } if self.until.is_none() => self.leave(),
            State::Waiting(_) | State::Asking { .. } => {
                self.requests = 0;
                self.state = State::Leaving { cseq: 0 };
                self.ask(random)
            }
        }
    }

    /// A client for INVITEs that the carrier challenges.
    pub(super) fn invite_client(&self, secret: Option<&str>) -> Client {
        let user = self.aor.user_text().into_owned();
        Client::new(&user, Secret::Password(secret.unwrap_or_default().to_owned()))
    }

    fn ask(&mut self, random: Random<'_>) -> Step {
        self.cseq += 1;
        self.requests += 1;
        let leaving = matches!(self.state, State::Leaving { .. });
        let expires_s = if leaving { 0 } else { self.wish_s };
        let identity = match &self.identity {
            Some(identity) => identity.clone(),
            None => self.identity.insert(Identity::new(random)).clone(),
        };
        let (uris, numbers) = ((&self.registrar, &self.aor), (self.cseq, expires_s));
        let request = Outgoing::register(uris, &identity, numbers, &mut self.client, random());
        let cseq = self.cseq;
        self.state = if leaving { State::Leaving { cseq } } else { State::Asking { cseq } };
        Step::Send(cseq, Box::new(request))
    }

    fn granted(&mut self, now: Mono, flow: &Flow, response: &Message) -> Step {
        let granted_s = self.granted_s(response);
        if granted_s == 0 {
            return self.fail(now, "the carrier's 200 grants no time".to_owned(), None, &mut || [0; 8]);
        }
        self.client.accepted();
        self.failures = 0;
        self.trouble.clear();
        self.connection = flow.connection;
        self.until = Some(now + seconds(granted_s));
        self.state = State::Waiting(now + seconds(granted_s) * REFRESH_PERCENT / 100);
        Step::Rest
    }

    /// Seconds for our contact: its own `expires`, else the header's, else what we wished (RFC 3261 10.2.4).
    fn granted_s(&self, response: &Message) -> u32 {
        let contacts = response.contacts().unwrap_or_default();
        let ours = contacts.iter().filter(|c| c.uri.user() == self.aor.user());
        let named = ours.filter_map(|c| c.expires()).max();
        named.or_else(|| response.expires()).unwrap_or(self.wish_s).min(LONGEST_EXPIRES_S)
    }

    fn challenged(&mut self, now: Mono, side: Side, response: &Message, random: Random<'_>) -> Step {
        let headers = match side {
            Side::Server => response.www_authenticate(),
            Side::Proxy => response.proxy_authenticate(),
        };
        if self.requests >= MAX_REQUESTS {
            return self.fail(now, "the carrier challenges without end".to_owned(), Some(LONGEST_WAIT), random);
        }
        match self.client.challenged(side, &headers) {
            Ok(()) => self.ask(random),
            Err(error) => {
                // The next attempt begins without credentials, in case the password was put right at the far end.
                self.client.forget();
                self.fail(now, error.to_string(), Some(LONGEST_WAIT), random)
            }
        }
    }

    fn too_brief(&mut self, now: Mono, response: &Message, random: Random<'_>) -> Step {
        let least = response.min_expires().unwrap_or(0);
        if least <= self.wish_s || least > LONGEST_EXPIRES_S || self.requests >= MAX_REQUESTS {
            return self.fail(now, "the carrier refuses the duration".to_owned(), None, random);
        }
        self.wish_s = least;
        self.ask(random)
    }

    /// Waits for the next attempt: the wait that was asked for, or a doubled one; three quarters of it at least, at random, so
    /// that a carrier that comes back is not met by all at once (RFC 5626 4.5).
    fn fail(&mut self, now: Mono, why: String, wait: Option<Duration>, random: Random<'_>) -> Step {
        if matches!(self.state, State::Leaving { .. }) {
            return self.leave();
        }
        tracing::warn!(aor = %self.aor.host(), why, "registration at the carrier failed");
        let doubled = (FIRST_WAIT * 2_u32.pow(self.failures.min(8))).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        let wait = wait.unwrap_or(doubled);
        let share = u32::from(random()[0]);
        self.state = State::Waiting(now + wait * 3 / 4 + wait / 4 * share / 255);
        self.trouble = why;
        Step::Rotate
    }

    fn leave(&mut self) -> Step {
        self.state = State::Left;
        self.until = None;
        self.connection = None;
        Step::Rest
    }
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(u64::from(s))
}
