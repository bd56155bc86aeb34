//! Who guesses passwords is made to wait: per name and per address, in bounded memory. Knows no clock.
//!
//! Names that nobody has are counted like the others, so that an answer does not tell which exist.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Wrong passwords for one name before it waits.
const PER_NAME: u32 = 5;
/// Wrong passwords from one address before it waits; an office may stand behind one.
const PER_ADDRESS: u32 = 30;
/// First wait; it doubles with each further wrong password.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait: a person who forgot is not shut out of a shift, a program gets 100 guesses a day.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// After so long without a wrong password all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// Names and addresses that are remembered, each.
const REMEMBERED: usize = 10_000;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Name(String),
    /// IPv6 by its network of 64 bits: one host has all of it.
    Address(u128),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Duration,
    until: Duration,
}

/// Wrong passwords of the last hour. Times are since the start of the process.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    names: BTreeMap<Whom, Failures>,
    addresses: BTreeMap<Whom, Failures>,
}

/// What a wrong password led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Nothing yet.
    Noted,
    /// Name or address waits from now on.
    Locked,
}

impl Lockout {
    /// How long name or address still wait.
    pub(super) fn wait(&self, now: Duration, login: &str, address: IpAddr) -> Option<Duration> {
        let name = self.names.get(&name(login));
        let address = self.addresses.get(&network(address));
        [name, address].into_iter().flatten().filter_map(|f| f.until.checked_sub(now)).filter(|d| !d.is_zero()).max()
    }

    /// Counts a wrong password.
    pub(super) fn failed(&mut self, now: Duration, login: &str, address: IpAddr) -> Counted {
        let named = count(&mut self.names, name(login), PER_NAME, now);
        let there = count(&mut self.addresses, network(address), PER_ADDRESS, now);
        if named || there { Counted::Locked } else { Counted::Noted }
    }

    /// A right password clears the name; the address stays suspect for what it did to others.
    pub(super) fn succeeded(&mut self, login: &str) {
        self.names.remove(&name(login));
    }
}

/// Network of an address, as requests are counted by.
pub(super) fn network_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6) >> 64 << 64,
    }
}

fn network(address: IpAddr) -> Whom {
    Whom::Address(network_of(address))
}

fn name(login: &str) -> Whom {
    Whom::Name(login.to_lowercase().chars().take(64).collect())
}

fn count(all: &mut BTreeMap<Whom, Failures>, whom: Whom, free: u32, now: Duration) -> bool {
    if all.len() >= REMEMBERED && !all.contains_key(&whom) {
        make_room(all, now);
    }
    let failures = all.entry(whom).or_insert(Failures { count: 0, last: now, until: Duration::ZERO });
    if now.saturating_sub(failures.last) > FORGOTTEN {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
    if failures.count < free {
        return false;
    }
    let doublings = (failures.count - free).min(16);
    failures.until = now + FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    true
}

/// Forgets what is old, or else whoever failed longest ago.
fn make_room(all: &mut BTreeMap<Whom, Failures>, now: Duration) {
    all.retain(|_, f| now.saturating_sub(f.last) <= FORGOTTEN);
    if all.len() < REMEMBERED {
        return;
    }
    let oldest = all.iter().min_by_key(|(_, f)| (f.until, f.last)).map(|(whom, _)| whom.clone());
    if let Some(oldest) = oldest {
        all.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_fifth_wrong_password_makes_the_name_wait_and_longer_each_time() {
        let mut lockout = Lockout::default();
        let mut now = s(100);
        for n in 0..4 {
            assert_eq!(lockout.failed(now, "wang", ip(&format!("192.0.2.{n}"))), Counted::Noted);
            assert_eq!(lockout.wait(now, "wang", ip("192.0.2.9")), None);
        }
        for expected in [30, 60, 120, 240, 480, 900, 900] {
            assert_eq!(lockout.failed(now, "Wang", ip("192.0.2.7")), Counted::Locked);
            assert_eq!(lockout.wait(now, "wang", ip("192.0.2.99")), Some(s(expected)));
            assert_eq!(lockout.wait(now, "li", ip("192.0.2.99")), None, "others go on");
            now += s(expected);
            assert_eq!(lockout.wait(now, "wang", ip("192.0.2.99")), None);
        }
        lockout.succeeded("WANG");
        assert_eq!(lockout.failed(now, "wang", ip("198.51.100.1")), Counted::Noted, "it begins anew");
    }

    #[test]
    fn an_address_that_tries_many_names_waits_with_all_of_its_network() {
        let mut lockout = Lockout::default();
        for n in 0..PER_ADDRESS {
            lockout.failed(s(1), &format!("name{n}"), ip("2001:db8::1"));
        }
        assert!(lockout.wait(s(1), "somebody", ip("2001:db8::ffff")).is_some());
        assert!(lockout.wait(s(1), "somebody", ip("2001:db8:0:1::1")).is_none());
    }

    #[test]
    fn an_hour_without_failure_forgets() {
        let mut lockout = Lockout::default();
        for _ in 0..4 {
            lockout.failed(s(1), "wang", ip("192.0.2.1"));
        }
        assert_eq!(lockout.failed(s(3_700), "wang", ip("192.0.2.1")), Counted::Noted);
    }

    #[test]
    fn memory_is_bounded_and_those_who_wait_are_forgotten_last() {
        let mut lockout = Lockout::default();
        for _ in 0..10 {
            lockout.failed(s(1), "wang", ip("192.0.2.1"));
        }
        for n in 0..REMEMBERED + 500 {
            lockout.failed(s(2), &format!("name{n}"), ip("192.0.2.1"));
        }
        assert_eq!(lockout.names.len(), REMEMBERED);
        assert!(lockout.names.contains_key(&name("wang")));
    }
}
