//! What a relayed and a recorded call cost, against a bare relay with the same system calls in the same run; and what encryption
//! and a mix of three add.
//!
//! `cargo bench --bench relay -- calls=100 seconds=5 rounds=3`. A second process plays all parties of each call (G.711,
//! 20 ms, both ways) and measures the way of each packet; processor time is read from the clocks of the relaying threads.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use yihao::media::engine::prompt::Prompts;
use yihao::media::engine::{Command, Engine, EngineConfig, NetworkPorts};
use yihao::media::srtp::Srtp;
use yihao::types::{
    CallId, Codec, CryptoSuite, Direction, Hear, LegId, MediaPort, NetworkId, Origin, Source, SrtpKey, StreamParams,
    TrunkId,
};

/// First port of the relays; test ports stay below the ephemeral ones.
const FIRST_PORT: u16 = 24_000;
const LAST_PORT: u16 = 31_999;

/// Time before the measurement, in which queues and caches settle.
const WARM_UP: Duration = Duration::from_secs(1);

const PACKET: usize = 172;
const FRAME_NS: u64 = 20_000_000;

/// What is done with the audio of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Two parties, passed on as it comes.
    Relayed,
    /// The same, recorded.
    Recorded,
    /// Relayed, one of the two parties by SDES-SRTP: a seat over TLS and a carrier.
    Encrypted,
    /// Three parties, each of whom hears the two others.
    Mixed,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Relayed, Kind::Recorded, Kind::Encrypted, Kind::Mixed];

    fn name(self) -> &'static str {
        match self {
            Kind::Relayed => "relayed",
            Kind::Recorded => "recorded",
            Kind::Encrypted => "encrypted",
            Kind::Mixed => "mixed",
        }
    }

    /// Legs of a call.
    fn legs(self) -> usize {
        match self {
            Kind::Relayed | Kind::Recorded | Kind::Encrypted => 2,
            Kind::Mixed => 3,
        }
    }

    /// Whether a party speaks SRTP.
    fn encrypts(self, side: usize) -> bool {
        self == Kind::Encrypted && side == 1
    }
}

pub(crate) fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| {
        let value = arguments.iter().find_map(|a| a.strip_prefix(name)).and_then(|a| a.strip_prefix('='));
        value.map_or(Ok(default), str::parse).with_context(|| format!("{name} wants a number"))
    };
    let calls = usize::try_from(option("calls", 100)?)?;
    let seconds = Duration::from_secs(option("seconds", 5)?);
    if let Some(kind) =
        Kind::ALL.into_iter().find(|kind| arguments.iter().any(|a| *a == format!("driver={}", kind.name())))
    {
        return driver::run(calls, seconds, kind);
    }
    let rounds = option("rounds", 3)?;
    println!("{calls} calls, G.711, 20 ms, both ways, {} s a row; one relaying thread", seconds.as_secs());
    println!("row        CPU % of a core per 100 legs   to bare   way of a packet p50 / p99 us   lost");
    let mut least = [f64::MAX; 1 + Kind::ALL.len()];
    for _ in 0..rounds {
        let bare = bare(calls, seconds)?;
        print_row("bare", &bare, &bare);
        least[0] = least[0].min(bare.percent);
        for (kind, least) in Kind::ALL.into_iter().zip(&mut least[1..]) {
            let row = ours(calls, seconds, kind)?;
            print_row(kind.name(), &row, &bare);
            *least = least.min(row.percent);
        }
    }
    // The least disturbed round of each: what else runs on the machine only ever adds.
    let bare = least[0];
    println!("best of {rounds}, per 100 legs: bare {bare:.2} %");
    for (kind, percent) in Kind::ALL.into_iter().zip(&least[1..]) {
        println!("{:<10} {percent:.2} %, {:.3} x bare", kind.name(), percent / bare);
    }
    Ok(())
}

/// The figures of one run.
#[derive(Debug)]
pub(crate) struct Row {
    /// Of a core, for 100 legs.
    pub(crate) percent: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) lost: u64,
}

fn print_row(name: &str, row: &Row, bare: &Row) {
    println!(
        "{name:<10} {:>27.2} {:>10.3} {:>19.0} / {:>6.0} {:>6}",
        row.percent,
        row.percent / bare.percent,
        row.p50_us,
        row.p99_us,
        row.lost
    );
}

/// Parties on loopback: a socket of the driver for each leg.
struct Parties {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    addresses: Vec<SocketAddr>,
}

impl Parties {
    fn start(calls: usize, seconds: Duration, kind: Kind) -> Result<Self> {
        let mut child = Process::new(std::env::current_exe()?)
            .arg(format!("driver={}", kind.name()))
            .args([format!("calls={calls}"), format!("seconds={}", seconds.as_secs())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().context("piped")?;
        let mut from = BufReader::new(child.stdout.take().context("piped")?);
        let addresses = (0..kind.legs() * calls).map(|_| Ok(line(&mut from)?.parse()?)).collect::<Result<_>>()?;
        Ok(Self { child, to, from, addresses })
    }

    /// Lets them talk over `ports` while the time of `threads` is taken.
    fn talk(mut self, ports: &[u16], threads: &[i32]) -> Result<Row> {
        for port in ports {
            writeln!(self.to, "{port}")?;
        }
        self.to.flush()?;
        let time = || threads.iter().map(|thread| thread_time(*thread)).sum::<Result<Duration>>();
        expect(&mut self.from, "begin")?;
        let (wall, used) = (now_ns(), time()?);
        expect(&mut self.from, "end")?;
        let (wall, used) = (now_ns() - wall, time()? - used);
        let figures: Vec<f64> =
            line(&mut self.from)?.split(' ').map(str::parse).collect::<Result<_, _>>().context("figures")?;
        self.child.wait()?;
        let [p50_us, p99_us, lost] = figures[..] else { bail!("the driver says something else") };
        let percent = used.as_nanos() as f64 / wall as f64 * 100.0 * 100.0 / ports.len() as f64;
        Ok(Row { percent, p50_us, p99_us, lost: lost as u64 })
    }
}

fn line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        bail!("the driver has ended");
    }
    Ok(line.trim_end().to_owned())
}

fn expect(from: &mut impl BufRead, word: &str) -> Result<()> {
    let got = line(from)?;
    if got == word { Ok(()) } else { bail!("the driver says {got}, not {word}") }
}

fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every kernel has it");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Processor time of a thread of ours, by the clock id that pthread_getcpuclockid(3) computes.
fn thread_time(thread: i32) -> Result<Duration> {
    const PER_THREAD_SCHEDULED: i32 = 6;
    let time = clock_gettime(ClockId::from_raw(!thread << 3 | PER_THREAD_SCHEDULED))?;
    Ok(Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32))
}

/// Threads of this process by name. A thread gives itself its name, so a new one is waited for.
fn threads(names: &[&str]) -> Result<Vec<i32>> {
    let begin = now_ns();
    while now_ns() - begin < 10_000_000_000 {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc/self/task")? {
            let entry = entry?;
            let name = std::fs::read_to_string(entry.path().join("comm"))?;
            if names.contains(&name.trim_end()) {
                found.push(entry.file_name().to_string_lossy().parse()?);
            }
        }
        if found.len() == names.len() {
            return Ok(found);
        }
        std::thread::yield_now();
    }
    bail!("threads {names:?} are not all there")
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    // Without a second core, or without the right to choose, the figures are those of an unpinned thread.
    let _ = set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
}

/// The bare relay: level-triggered epoll, connected sockets, recv, send, nothing else.
pub(crate) fn bare(calls: usize, seconds: Duration) -> Result<Row> {
    let parties = Parties::start(calls, seconds, Kind::Relayed)?;
    let mut sockets = Vec::new();
    // A port that somebody else holds is passed over, as the engine does.
    let mut free = (FIRST_PORT..LAST_PORT).filter_map(|port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).ok());
    for address in &parties.addresses {
        let socket = free.next().context("no free port")?;
        socket.set_nonblocking(true)?;
        socket.connect(address)?;
        sockets.push(socket);
    }
    let ports: Vec<u16> = sockets.iter().map(|s| Ok(s.local_addr()?.port())).collect::<Result<_>>()?;
    let stop = Arc::new(AtomicBool::new(false));
    let relay = std::thread::Builder::new().name("bare".into()).spawn({
        let stop = stop.clone();
        move || bare_loop(&sockets, &stop)
    })?;
    let thread = threads(&["bare"])?;
    let row = parties.talk(&ports, &thread);
    stop.store(true, Ordering::Relaxed);
    relay.join().expect("the bare relay does not panic")?;
    row
}

fn bare_loop(sockets: &[UdpSocket], stop: &AtomicBool) -> Result<()> {
    pin(1);
    let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (index, socket) in sockets.iter().enumerate() {
        poll.add(socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
    }
    let mut ready = [EpollEvent::empty(); 64];
    let mut packet = [0_u8; 2_048];
    while !stop.load(Ordering::Relaxed) {
        let count = poll.wait(&mut ready, EpollTimeout::from(100_u8))?;
        for event in &ready[..count] {
            let index = usize::try_from(event.data())?;
            if let Ok(length) = sockets[index].recv(&mut packet) {
                // A party that is gone is no reason to stop.
                let _ = sockets[index ^ 1].send(&packet[..length]);
            }
        }
    }
    Ok(())
}

/// The media engine with one worker.
pub(crate) fn ours(calls: usize, seconds: Duration, kind: Kind) -> Result<Row> {
    let parties = Parties::start(calls, seconds, kind)?;
    let folder = tempfile::tempdir_in(std::env::var_os("YIHAO_BENCH_DIR").unwrap_or_else(|| ".".into()))?;
    let mut config = EngineConfig::new(Arc::new(Prompts::empty()), folder.path().into(), Arc::new(|| {}));
    config.workers = Some(1);
    config.networks.push(NetworkPorts {
        network: NetworkId(0),
        bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        first_port: FIRST_PORT,
        last_port: LAST_PORT,
        dscp: 46,
        pairs: Some(kind.legs() * calls),
    });
    let (mut engine, ports) = Engine::start(config)?;
    let legs = kind.legs();
    for (index, sides) in ports.chunks(legs).enumerate() {
        bridge(&mut engine, index as u64, sides, &parties.addresses[legs * index..], kind);
    }
    let numbers: Vec<u16> = ports.iter().map(|port| port.port).collect();
    let threads = threads(&["media-0", "rec-write", "rec-sync"])?;
    let row = parties.talk(&numbers, &threads);
    engine.shutdown();
    row
}

fn bridge(engine: &mut Engine, index: u64, ports: &[MediaPort], addresses: &[SocketAddr], kind: Kind) {
    let call = CallId(index);
    let legs: Vec<LegId> = (0..kind.legs() as u64).map(|side| LegId(kind.legs() as u64 * index + side)).collect();
    for side in 0..legs.len() {
        let party = Origin::Trunk(TrunkId(0));
        engine.send(Command::Open { leg: legs[side], call, port: ports[side], party });
        let params = StreamParams {
            remote: addresses[side],
            remote_rtcp: addresses[side],
            codec: Codec::Pcma,
            payload_type: 8,
            event_type: Some(101),
            comfort_noise: false,
            direction: Direction::SendRecv,
            ptime_ms: 20,
            srtp: kind.encrypts(side).then(|| (key(), key())),
            may_latch: false,
        };
        engine.send(Command::Stream { leg: legs[side], params: Box::new(params), early: false });
    }
    if kind == Kind::Recorded {
        engine.send(Command::Record { call, caller: legs[0], file: format!("{index}.yrec") });
    }
    let others = |leg| legs.iter().filter(move |other| **other != leg);
    let hears = |leg| Hear { leg, from: others(leg).map(|other| Source::Leg { leg: *other, gain_db: 0 }).collect() };
    engine.send(Command::Hear { call, set: legs.iter().map(|leg| hears(*leg)).collect() });
}

/// The key of all who speak SRTP, both ways.
fn key() -> SrtpKey {
    SrtpKey { suite: CryptoSuite::Aes128Sha1_80, key_salt: [7; 30] }
}

/// The other process: all parties of all calls.
mod driver {
    use super::*;

    struct Party {
        socket: UdpSocket,
        sequence: u16,
        srtp: Option<Srtp>,
    }

    pub(super) fn run(calls: usize, seconds: Duration, kind: Kind) -> Result<()> {
        pin(0);
        let mut parties = Vec::new();
        for index in 0..kind.legs() * calls {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            println!("{}", socket.local_addr()?);
            let srtp = if kind.encrypts(index % kind.legs()) { Some(Srtp::new(&key(), &key())?) } else { None };
            parties.push(Party { socket, sequence: 0, srtp });
        }
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut input = std::io::stdin().lock();
        for (index, party) in parties.iter().enumerate() {
            let port: u16 = line(&mut input)?.parse()?;
            party.socket.connect((Ipv4Addr::LOCALHOST, port))?;
            poll.add(party.socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        }
        let (sent, mut ways) = talk(&mut parties, &poll, seconds, kind)?;
        ways.sort_unstable();
        let at = |part: f64| ways.get((ways.len() as f64 * part) as usize).map_or(0.0, |ns| f64::from(*ns) / 1e3);
        println!("end");
        println!("{} {} {}", at(0.5), at(0.99), sent.saturating_sub(ways.len() as u64));
        Ok(())
    }

    /// Sends on time and reads at once. Spins: a wake-up of its own must not count as a delay of the relay.
    fn talk(parties: &mut [Party], poll: &Epoll, seconds: Duration, kind: Kind) -> Result<(u64, Vec<u32>)> {
        let step = FRAME_NS / parties.len() as u64;
        let start = now_ns();
        let begin = start + u64::try_from(WARM_UP.as_nanos())?;
        let end = begin + u64::try_from(seconds.as_nanos())?;
        let (mut next, mut due, mut sent, mut ways) = (0, start, 0, Vec::with_capacity(1 << 20));
        let mut ready = [EpollEvent::empty(); 64];
        let mut begun = false;
        loop {
            let now = now_ns();
            if !begun && now >= begin {
                begun = true;
                println!("begin");
            }
            // What is on its way at the end is still waited for.
            if now >= end + FRAME_NS {
                return Ok((sent, ways));
            }
            while due <= now && due < end {
                send(&mut parties[next], now_ns());
                sent += u64::from(due >= begin);
                next = (next + 1) % parties.len();
                due += step;
            }
            let count = poll.wait(&mut ready, EpollTimeout::ZERO)?;
            for event in &ready[..count] {
                let Some(at) = receive(&mut parties[usize::try_from(event.data())?]) else { continue };
                // A mix holds no moment at which it was said.
                let at = if kind == Kind::Mixed { now } else { at };
                if at >= begin {
                    ways.push(u32::try_from(now_ns() - at).unwrap_or(u32::MAX));
                }
            }
        }
    }

    /// When a packet was sent, by its own word; `None` where there is none.
    fn receive(party: &mut Party) -> Option<u64> {
        let mut packet = [0_u8; PACKET + 16];
        let length = party.socket.recv(&mut packet).ok()?;
        let at = |packet: &[u8]| Some(u64::from_be_bytes(packet.get(12..20)?.try_into().ok()?));
        match &mut party.srtp {
            Some(srtp) => at(&srtp.unprotect_rtp(&packet[..length]).ok()?),
            None if length == PACKET => at(&packet),
            None => None,
        }
    }

    fn send(party: &mut Party, now: u64) {
        let mut packet = [0xd5_u8; PACKET];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&party.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(party.sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
        packet[12..20].copy_from_slice(&now.to_be_bytes());
        party.sequence = party.sequence.wrapping_add(1);
        // A full queue shows as a lost packet.
        let _ = match &mut party.srtp {
            Some(srtp) => party.socket.send(&srtp.protect_rtp(&packet).expect("a packet of ours is valid")),
            None => party.socket.send(&packet),
        };
    }
}
