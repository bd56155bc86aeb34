//! The load: a carrier's callers and the seats' phones, one thread over real sockets. A caller calls, a seat rings and
//! answers, they are bridged, the caller hangs up. What gets lost is sent again, as RFC 3261 asks for, and counted.

#[path = "wire.rs"]
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::time::{ClockId, clock_gettime};

use wire::{Caller, Place, Seen, answer};

const MS: u64 = 1_000_000;
/// Silence after which a message is sent again (T1 of RFC 3261).
const RESEND: u64 = 500 * MS;
/// How often it is looked for what must be sent again.
const LOOK: u64 = 100 * MS;
/// Patience with the last calls of a run, unless another is asked for.
const DRAIN: u64 = 6_000 * MS;
const PACKET: usize = 172;
/// Calls begun in a second at most: two ports a call that rest a second each are more than a process has files for beyond it.
const MOST_PER_SECOND: u64 = 3_000;

/// How calls follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many a second, whatever becomes of them.
    PerSecond(f64),
    /// So many at a time: each that ends is followed by the next, up to [`MOST_PER_SECOND`].
    AtATime(usize),
}

/// What a bridged call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The caller hangs up at once.
    HangUp,
    /// It goes on until [`Load::hang_up`].
    Talk,
    /// There is no seat: the caller hangs up once it is answered.
    Alone,
}

/// What became of the calls of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) started: u64,
    /// Seat and caller had each other, and both legs ended in order (or still talk).
    pub(crate) bridged: u64,
    /// Refused or failed, by status.
    pub(crate) failed: BTreeMap<u16, u64>,
    /// Neither bridged nor told why not.
    pub(crate) lost: u64,
    /// Messages that had to be sent again.
    pub(crate) resent: u64,
    /// From the first INVITE to the last word, seconds.
    pub(crate) wall_s: f64,
    /// INVITE to the answer plus end of the greeting to the seat's INVITE, each call, ns, sorted.
    pub(crate) set_up_ns: Vec<u64>,
}

impl Tally {
    /// A percentile of the set-up time in milliseconds.
    pub(crate) fn set_up_ms(&self, part: f64) -> f64 {
        let index = ((self.set_up_ns.len() as f64 * part) as usize).min(self.set_up_ns.len().saturating_sub(1));
        self.set_up_ns.get(index).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CallerState {
    #[default]
    Calling,
    /// A provisional response has come: the INVITE is not sent again.
    Proceeding,
    Up,
    Leaving,
    Gone,
    Failed(u16),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SeatState {
    #[default]
    Idle,
    Answered,
    Up,
    Gone,
}

#[derive(Debug, Default)]
struct Call {
    /// The exchange has answered the INVITE, provisionally at least.
    heard: bool,
    caller: CallerState,
    seat: SeatState,
    touched: u64,
    invited: u64,
    answered: u64,
    greeted: u64,
    offered: u64,
    to: String,
    target: String,
    /// The 200 of the seat, until it is acknowledged.
    ok: String,
    /// The exchange's RTP ports towards caller and seat.
    ports: [u16; 2],
}

impl Call {
    fn is_over(&self) -> bool {
        match self.caller {
            CallerState::Gone => matches!(self.seat, SeatState::Gone),
            CallerState::Failed(_) => true,
            CallerState::Calling | CallerState::Proceeding | CallerState::Up | CallerState::Leaving => false,
        }
    }
}

/// Callers and seats against one exchange.
#[derive(Debug)]
pub(crate) struct Load {
    server: SocketAddr,
    called: String,
    places: [Place; 2],
    sip: [UdpSocket; 2],
    media: [UdpSocket; 2],
    poll: Epoll,
    calls: Vec<Call>,
    /// First call of the running run.
    first: usize,
    over: usize,
    then: Then,
    /// Calls by the exchange's RTP port, for the end of the greeting.
    by_port: BTreeMap<u16, usize>,
    next_look: u64,
    tally: Tally,
    /// How long the last calls of a run are waited for.
    patience: u64,
}

impl Load {
    /// Binds the carrier's address and the seats' (SIP on 5060, RTP on any port).
    pub(crate) fn new(server: SocketAddr, carrier: IpAddr, seats: IpAddr, called: &str) -> io::Result<Self> {
        let bind = |ip, port| -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((ip, port))?;
            socket.set_nonblocking(true)?;
            // What the exchange sends in a burst must not be lost here. The system may grant less.
            let _less = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
            Ok(socket)
        };
        let sip = [bind(carrier, 5060)?, bind(seats, 5060)?];
        let media = [bind(carrier, 0)?, bind(seats, 0)?];
        let place = |side: usize| -> io::Result<Place> {
            Ok(Place { sip: sip[side].local_addr()?, media: media[side].local_addr()? })
        };
        let places = [place(0)?, place(1)?];
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (index, socket) in sip.iter().chain(&media).enumerate() {
            poll.add(socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        }
        Ok(Self {
            server,
            called: called.to_owned(),
            places,
            sip,
            media,
            poll,
            calls: Vec::new(),
            first: 0,
            over: 0,
            then: Then::HangUp,
            by_port: BTreeMap::new(),
            next_look: 0,
            tally: Tally::default(),
            patience: DRAIN,
        })
    }

    /// The same with another patience for the last calls of each run.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience: u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX), ..self }
    }

    /// Call-IDs of all INVITEs so far.
    pub(crate) fn invited(&self) -> Vec<String> {
        (0..self.calls.len()).map(|n| self.caller(n).call_id()).collect()
    }

    /// Call-IDs of the INVITEs that the exchange took: it answered them with 1xx or 2xx.
    pub(crate) fn taken(&self) -> Vec<String> {
        let taken = self.calls.iter().enumerate().filter(|(_, call)| call.heard);
        taken.map(|(n, _)| self.caller(n).call_id()).collect()
    }

    /// Makes calls for `time` and waits for their ends (or, with [`Then::Talk`], until all `most` talk).
    pub(crate) fn run(&mut self, pace: Pace, then: Then, time: Duration, most: usize) -> io::Result<Tally> {
        self.begin(then);
        let begin = now_ns();
        let last = begin + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut end = begin;
        loop {
            let now = now_ns();
            let mut due = if now < last { self.due(pace, begin, now) } else { 0 };
            due = due.min(most - (self.calls.len() - self.first));
            for _ in 0..due {
                self.call(now_ns());
            }
            let waiting = self.calls.len() - self.first - self.over;
            let all = now >= last || self.calls.len() - self.first >= most;
            if all && (waiting == 0 || now > last + self.patience || self.all_talk()) {
                break;
            }
            if self.turn(1)? {
                end = now_ns();
            }
        }
        Ok(self.count(begin, end))
    }

    /// All calls that talk end, caller by caller.
    pub(crate) fn hang_up(&mut self) -> io::Result<Tally> {
        self.then = Then::HangUp;
        let begin = now_ns();
        for n in self.first..self.calls.len() {
            if self.calls[n].caller == CallerState::Up {
                self.say_bye(n, now_ns());
            }
            self.turn(0)?;
        }
        while self.calls.len() - self.first > self.over && now_ns() < begin + self.patience {
            self.turn(1)?;
        }
        Ok(self.count(begin, now_ns()))
    }

    /// Both sides of each call send G.711 of 20 ms for `time`; the share of it that this thread got round to.
    pub(crate) fn talk(&mut self, time: Duration) -> io::Result<f64> {
        let ports: Vec<(usize, u16)> = self.calls[self.first..]
            .iter()
            .filter(|call| call.caller == CallerState::Up)
            .flat_map(|call| [(0, call.ports[0]), (1, call.ports[1])])
            // Who waits for a seat talks to nobody yet.
            .filter(|(_, port)| *port != 0)
            .collect();
        let mut packet = [0xd5_u8; PACKET];
        packet[..2].copy_from_slice(&[0x80, 8]);
        let begin = now_ns();
        let end = begin + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let step = 20 * MS / ports.len().max(1) as u64;
        let mut sent = 0_usize;
        loop {
            let now = now_ns();
            if now >= end || ports.is_empty() {
                return Ok((sent as u64 * step) as f64 / (end - begin).max(1) as f64);
            }
            // Bounded, so that what comes is taken meanwhile.
            for _ in 0..256 {
                if begin + sent as u64 * step > now {
                    break;
                }
                let (index, frame) = (sent % ports.len(), (sent / ports.len()) as u32);
                let (side, port) = ports[index];
                packet[2..4].copy_from_slice(&(frame as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(frame * 160).to_be_bytes());
                packet[8..12].copy_from_slice(&(index as u32 + 1).to_be_bytes());
                // A full socket loses a packet, as a network would.
                let _lost = self.media[side].send_to(&packet, (self.server.ip(), port));
                sent += 1;
            }
            self.turn(1)?;
        }
    }

    fn begin(&mut self, then: Then) {
        self.first = self.calls.len();
        self.over = 0;
        self.then = then;
        self.by_port.clear();
        self.tally = Tally::default();
    }

    fn due(&self, pace: Pace, begin: u64, now: u64) -> usize {
        let started = self.calls.len() - self.first;
        match pace {
            Pace::PerSecond(rate) => {
                let so_far = ((now - begin) as f64 * rate / 1e9) as usize + 1;
                so_far.saturating_sub(started)
            }
            Pace::AtATime(most) => {
                let so_far =
                    usize::try_from((now - begin) * MOST_PER_SECOND / 1_000_000_000).unwrap_or(usize::MAX) + most;
                (most + self.over).min(so_far).saturating_sub(started)
            }
        }
    }

    fn all_talk(&self) -> bool {
        let talks = |call: &Call| (call.caller == CallerState::Up && call.seat == SeatState::Up) || call.is_over();
        self.then == Then::Talk && self.calls[self.first..].iter().all(talks)
    }

    fn count(&mut self, begin: u64, end: u64) -> Tally {
        let mut tally = std::mem::take(&mut self.tally);
        tally.wall_s = (end - begin) as f64 / 1e9;
        for call in &self.calls[self.first..] {
            tally.started += 1;
            let bridged = match self.then {
                Then::HangUp | Then::Alone => call.caller == CallerState::Gone && call.seat == SeatState::Gone,
                Then::Talk => call.caller == CallerState::Up && call.seat == SeatState::Up,
            };
            if let CallerState::Failed(status) = call.caller {
                *tally.failed.entry(status).or_default() += 1;
            } else if bridged {
                tally.bridged += 1;
            } else {
                tally.lost += 1;
            }
            if bridged && call.greeted >= call.answered && call.offered >= call.greeted && call.greeted > 0 {
                tally.set_up_ns.push(call.answered - call.invited + call.offered - call.greeted);
            }
        }
        tally.set_up_ns.sort_unstable();
        tally
    }

    fn caller(&self, n: usize) -> Caller<'_> {
        Caller { n: n as u64, place: self.places[0], server: self.server, called: &self.called }
    }

    fn send(&self, side: usize, message: &str) {
        // A full socket loses the message; it is sent again when nothing comes back.
        let _lost = self.sip[side].send_to(message.as_bytes(), self.server);
    }

    fn call(&mut self, now: u64) {
        let n = self.calls.len();
        let seat = if self.then == Then::Alone { SeatState::Gone } else { SeatState::Idle };
        self.calls.push(Call { seat, touched: now, invited: now, ..Call::default() });
        self.send(0, &self.caller(n).invite());
    }

    fn say_bye(&mut self, n: usize, now: u64) {
        self.calls[n].caller = CallerState::Leaving;
        self.calls[n].touched = now;
        let call = &self.calls[n];
        self.send(0, &self.caller(n).in_dialog("BYE", 2, &call.target, &call.to));
    }

    /// Waits at most so many milliseconds and takes all that came; false when no SIP did.
    fn turn(&mut self, wait_ms: u8) -> io::Result<bool> {
        let mut ready = [EpollEvent::empty(); 4];
        let count = match self.poll.wait(&mut ready, EpollTimeout::from(wait_ms)) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut heard = false;
        for event in &ready[..count] {
            heard |= event.data() < 2;
            match event.data() {
                0 => self.drain(0, Self::on_caller),
                1 => self.drain(1, Self::on_seat),
                side => self.hear(usize::from(side == 3)),
            }
        }
        let now = now_ns();
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.send_again(now);
        }
        Ok(heard)
    }

    fn drain(&mut self, side: usize, each: fn(&mut Self, &[u8], u64)) {
        let mut bytes = [0_u8; 4_096];
        // Bounded, so that the other side has its turn.
        for _ in 0..256 {
            let Ok((length, _)) = self.sip[side].recv_from(&mut bytes) else { return };
            each(self, &bytes[..length], now_ns());
        }
    }

    /// Takes RTP off the socket; the first packet to a caller tells that its greeting has been sent.
    fn hear(&mut self, side: usize) {
        let mut bytes = [0_u8; 2_048];
        for _ in 0..256 {
            let Ok((_, from)) = self.media[side].recv_from(&mut bytes) else { return };
            if side == 0
                && let Some(call) = self.by_port.remove(&from.port()).and_then(|n| self.calls.get_mut(n))
            {
                call.greeted = now_ns();
            }
        }
    }

    fn on_caller(&mut self, bytes: &[u8], now: u64) {
        let Some(seen) = Seen::at(bytes) else { return };
        let Some(n) = wire::call_of_call_id(seen.call_id).and_then(|n| usize::try_from(n).ok()) else { return };
        let (Some(status), true) = (seen.status(), n < self.calls.len()) else { return };
        let state = self.calls[n].caller;
        self.calls[n].heard |= seen.method() == "INVITE" && status < 300;
        match (seen.method(), status, state) {
            ("INVITE", 100..=199, CallerState::Calling) => self.calls[n].caller = CallerState::Proceeding,
            ("INVITE", 200, CallerState::Calling | CallerState::Proceeding) => {
                let call = &mut self.calls[n];
                (call.to, call.target) = (seen.to.to_owned(), seen.target().to_owned());
                (call.caller, call.answered, call.touched) = (CallerState::Up, now, now);
                call.ports[0] = seen.audio_port();
                self.by_port.insert(call.ports[0], n);
                self.acknowledge(n);
                self.bridged(n, now);
            }
            ("INVITE", 200, _) => self.acknowledge(n),
            ("INVITE", 300.., CallerState::Calling | CallerState::Proceeding) => {
                let to = seen.to.to_owned();
                let ack = self.caller(n).in_dialog("ACK", 1, "", &to);
                self.send(0, &ack.replace("z9hG4bKACK", "z9hG4bKi"));
                self.calls[n].caller = CallerState::Failed(status);
                self.over += 1;
            }
            // The exchange that knew the call is gone.
            ("BYE", 481, CallerState::Leaving) => {
                self.calls[n].caller = CallerState::Failed(status);
                self.over += 1;
            }
            ("BYE", 200, CallerState::Leaving) => {
                self.calls[n].caller = CallerState::Gone;
                self.over += usize::from(self.calls[n].is_over());
            }
            _ => {}
        }
    }

    fn acknowledge(&self, n: usize) {
        let call = &self.calls[n];
        self.send(0, &self.caller(n).in_dialog("ACK", 1, &call.target, &call.to));
    }

    /// Both have each other: what was agreed for then happens.
    fn bridged(&mut self, n: usize, now: u64) {
        let call = &self.calls[n];
        let has_other = match self.then {
            Then::HangUp => call.seat == SeatState::Up,
            Then::Alone => true,
            Then::Talk => false,
        };
        if call.caller == CallerState::Up && has_other {
            self.say_bye(n, now);
        }
    }

    fn on_seat(&mut self, bytes: &[u8], now: u64) {
        let Some(seen) = Seen::at(bytes) else { return };
        let Some(n) = wire::call_of_from(seen.from).and_then(|n| usize::try_from(n).ok()) else { return };
        if n >= self.calls.len() || seen.start.starts_with("SIP/2.0") {
            return;
        }
        match (seen.method(), self.calls[n].seat) {
            ("INVITE", SeatState::Idle) => {
                let say = |status| answer(bytes, status, n as u64, self.places[1]);
                if let (Some(ringing), Some(ok)) = (say("180 Ringing"), say("200 OK")) {
                    self.send(1, &ringing);
                    self.send(1, &ok);
                    let call = &mut self.calls[n];
                    (call.seat, call.ok, call.offered, call.touched) = (SeatState::Answered, ok, now, now);
                    call.ports[1] = seen.audio_port();
                }
            }
            ("INVITE", SeatState::Answered) => self.send(1, &self.calls[n].ok),
            ("ACK", SeatState::Answered) => {
                self.calls[n].seat = SeatState::Up;
                self.calls[n].ok = String::new();
                self.bridged(n, now);
            }
            ("BYE", _) => {
                if let Some(ok) = answer(bytes, "200 OK", n as u64, self.places[1]) {
                    self.send(1, &ok);
                }
                if !self.calls[n].is_over() {
                    self.calls[n].seat = SeatState::Gone;
                    self.over += usize::from(self.calls[n].is_over());
                }
            }
            _ => {}
        }
    }

    fn send_again(&mut self, now: u64) {
        for n in self.first..self.calls.len() {
            if self.calls[n].is_over() || now < self.calls[n].touched + RESEND {
                continue;
            }
            let (caller, seat) = (self.calls[n].caller, self.calls[n].seat);
            let call = &self.calls[n];
            match (caller, seat) {
                (CallerState::Calling, _) => self.send(0, &self.caller(n).invite()),
                (CallerState::Leaving, _) => {
                    self.send(0, &self.caller(n).in_dialog("BYE", 2, &call.target, &call.to));
                }
                (_, SeatState::Answered) => self.send(1, &call.ok),
                _ => continue,
            }
            self.calls[n].touched = now;
            self.tally.resent += 1;
        }
    }
}

/// The monotonic clock.
pub(crate) fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every kernel has it");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}
