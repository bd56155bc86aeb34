//! The exchange as a whole: the shipped binary between callers and seats of ours, on loopback.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::{Load, Pace, Tally, Then};
use crate::process;
use crate::site::{Setting, Site};

/// What the whole gave.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// Bridged calls for each second of processor time of the exchange, best first.
    pub(crate) per_cpu_s: Vec<f64>,
    /// Bridged calls in a second of the clock, of the same rounds.
    pub(crate) per_wall_s: Vec<f64>,
    /// Processor time of one call by thread, us.
    pub(crate) by_thread: Vec<(String, f64)>,
    /// Messages sent again in all rounds.
    pub(crate) resent: u64,
}

/// Bridged calls as fast as they go: so many at a time, three quarters of the seats.
pub(crate) fn bridged(setting: Setting, rounds: usize, seconds: u64) -> Result<Whole> {
    let at_a_time = setting.seats as usize * 3 / 4;
    let site = Site::start(setting)?;
    let mut load = Load::new(site.sip(), site.carrier(), site.phones(), "12345")?;
    let warm_up = load.run(Pace::AtATime(at_a_time), Then::HangUp, Duration::from_secs(2), usize::MAX)?;
    all_bridged(&warm_up, &site)?;
    let mut whole = Whole::default();
    let before = process::times_by_thread(site.pid())?;
    let mut calls = 0;
    for _ in 0..rounds {
        let used = process::time(site.pid())?;
        let tally = load.run(Pace::AtATime(at_a_time), Then::HangUp, Duration::from_secs(seconds), usize::MAX)?;
        let used = process::time(site.pid())?.saturating_sub(used);
        all_bridged(&tally, &site)?;
        whole.per_cpu_s.push(tally.bridged as f64 / used.as_secs_f64());
        whole.per_wall_s.push(tally.bridged as f64 / tally.wall_s);
        whole.resent += tally.resent;
        calls += tally.bridged;
    }
    let after = process::times_by_thread(site.pid())?;
    for (name, time) in after {
        let used = time.saturating_sub(before.get(&name).copied().unwrap_or_default());
        whole.by_thread.push((name, used.as_secs_f64() * 1e6 / calls as f64));
    }
    whole.by_thread.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(whole)
}

/// INVITE to the seat's INVITE at a moderate rate; the greeting's own time is left out.
pub(crate) fn set_up(seats: u32, rounds: usize, seconds: u64) -> Result<Vec<Tally>> {
    const RATE: f64 = 100.0;
    let site = Site::start(Setting { seats, recording: true })?;
    let mut load = Load::new(site.sip(), site.carrier(), site.phones(), "12345")?;
    let warm_up = load.run(Pace::PerSecond(RATE), Then::HangUp, Duration::from_secs(2), usize::MAX)?;
    all_bridged(&warm_up, &site)?;
    (0..rounds)
        .map(|_| {
            let tally = load.run(Pace::PerSecond(RATE), Then::HangUp, Duration::from_secs(seconds), usize::MAX)?;
            all_bridged(&tally, &site)?;
            Ok(tally)
        })
        .collect()
}

/// What talking costs in the whole exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talking {
    /// Resident memory of a call, bytes.
    pub(crate) memory: f64,
    /// Processor time of 100 calls, percent of a core.
    pub(crate) percent: f64,
}

/// Calls that talk, G.711 both ways: memory and processor time of the exchange.
pub(crate) fn talking(recording: bool, calls: usize, seconds: u64) -> Result<Talking> {
    let site = Site::start(Setting { seats: u32::try_from(calls)? + 20, recording })?;
    let mut load = Load::new(site.sip(), site.carrier(), site.phones(), "12345")?;
    // Ten calls touch what is touched once.
    let warm_up = load.run(Pace::AtATime(10), Then::HangUp, Duration::from_secs(2), 10)?;
    all_bridged(&warm_up, &site)?;
    let before = process::resident(site.pid())?;
    let tally = load.run(Pace::PerSecond(100.0), Then::Talk, Duration::from_secs(60), calls)?;
    all_bridged(&tally, &site)?;
    load.talk(Duration::from_secs(1))?;
    let used = process::time(site.pid())?;
    load.talk(Duration::from_secs(seconds))?;
    let used = process::time(site.pid())?.saturating_sub(used);
    let memory = process::resident(site.pid())?.saturating_sub(before) as f64 / calls as f64;
    load.hang_up()?;
    Ok(Talking { memory, percent: used.as_secs_f64() / seconds as f64 * 100.0 * 100.0 / calls as f64 })
}

/// What many calls at a time cost, all recorded: a thousand seats talk, who finds none hears music.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    /// Calls at a time.
    pub(crate) calls: usize,
    /// Share of the packets that the bench could send in time.
    pub(crate) sent: f64,
    /// Audio frames that late media workers left out.
    pub(crate) skipped: u64,
    /// Share of a core that each thread took, by name, busiest first.
    pub(crate) cores: Vec<(String, f64)>,
}

impl Crowd {
    /// What keeps the machine from serving so many; nothing when it serves them.
    pub(crate) fn limit(&self) -> Option<String> {
        if let Some((name, _)) = self.cores.first().filter(|(_, share)| *share > 0.95) {
            return Some(format!("the thread {name} takes a whole core"));
        }
        if self.skipped > 0 {
            return Some("media workers come too late".to_owned());
        }
        (self.sent < 0.98).then(|| "the bench's own thread does not keep up".to_owned())
    }
}

/// Calls by the steps of `steps`, until the machine does not keep up or all have been tried.
pub(crate) fn crowd(steps: &[usize], seconds: u64) -> Result<Vec<Crowd>> {
    const SEATS: u32 = 1_000;
    const RATE: f64 = 200.0;
    /// Who finds no seat waits for ever: so long it takes at most until all others talk.
    const PATIENCE: Duration = Duration::from_secs(3);
    let mut crowds = Vec::new();
    for calls in steps.iter().copied() {
        let site = Site::start(Setting { seats: SEATS, recording: true })?;
        let mut load = Load::new(site.sip(), site.carrier(), site.phones(), "12345")?.with_patience(PATIENCE);
        let time = Duration::from_secs_f64(calls as f64 / RATE + 0.5);
        let tally = load.run(Pace::PerSecond(RATE), Then::Talk, time, calls)?;
        let talking = calls.min(SEATS as usize) as u64;
        ensure!(
            tally.bridged == talking && tally.failed.is_empty(),
            "of {calls} calls {} talk, {:?} failed; the exchange says\n{}",
            tally.bridged,
            tally.failed,
            site.log()
        );
        load.talk(Duration::from_secs(1))?;
        let skipped = site.metric("yihao_media_frames_skipped_total")?;
        let before = process::times_by_thread(site.pid())?;
        let sent = load.talk(Duration::from_secs(seconds))?;
        let after = process::times_by_thread(site.pid())?;
        let share = |(name, time): (String, Duration)| {
            let used = time.saturating_sub(before.get(&name).copied().unwrap_or_default());
            (name, used.as_secs_f64() / seconds as f64)
        };
        let mut cores: Vec<(String, f64)> = after.into_iter().map(share).collect();
        cores.sort_by(|a, b| b.1.total_cmp(&a.1));
        let skipped = site.metric("yihao_media_frames_skipped_total")?.saturating_sub(skipped);
        crowds.push(Crowd { calls, sent, skipped, cores });
        if crowds.last().is_some_and(|crowd| crowd.limit().is_some()) {
            break;
        }
    }
    Ok(crowds)
}

fn all_bridged(tally: &Tally, site: &Site) -> Result<()> {
    ensure!(
        tally.bridged == tally.started && tally.started > 0,
        "of {} calls {} were bridged, {:?} refused, {} lost, {} messages sent again; counters {}; the exchange says\n{}",
        tally.started,
        tally.bridged,
        tally.failed,
        tally.lost,
        tally.resent,
        site.get("/api/v1/counters").unwrap_or_default(),
        site.log()
    );
    Ok(())
}
