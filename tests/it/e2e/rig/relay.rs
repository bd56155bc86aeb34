//! A seeded lossy relay between the exchange and one telephone: each sees the other at the relay's address. It passes UDP of
//! SIP and RTP port by port, drops and swaps some packets, the same ones with the same seed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// One side: who is there, at which address of the relay the other side reaches it, and at which ports.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// Where the real one is.
    pub(crate) real: IpAddr,
    /// Where the relay stands for it.
    pub(crate) front: IpAddr,
    /// Its ports.
    pub(crate) ports: Vec<u16>,
}

/// How the relay treats packets, in per mille.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Lost.
    pub(crate) loss: u64,
    /// Sent after the one that follows.
    pub(crate) swapped: u64,
    /// The same seed gives the same weather.
    pub(crate) seed: u64,
}

/// A running relay. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Relay {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    lost: AtomicU64,
}

type Fronts = Arc<BTreeMap<u16, UdpSocket>>;

impl Relay {
    /// Stands between two sides.
    pub(crate) fn between(one: &Side, other: &Side, weather: Weather) -> Self {
        let (fronts_one, fronts_other) = (bind(one), bind(other));
        let mut relay = Self { stop: Arc::default(), counts: Arc::default(), threads: Vec::new() };
        relay.carry(&fronts_one, one.real, &fronts_other, weather);
        relay.carry(&fronts_other, other.real, &fronts_one, weather);
        relay
    }

    /// What arrives at the fronts of one side goes to its real address, from the front of the sender.
    fn carry(&mut self, fronts: &Fronts, real: IpAddr, others: &Fronts, weather: Weather) {
        for (port, socket) in fronts.iter() {
            let (socket, others) = (socket.try_clone().unwrap(), Arc::clone(others));
            let (stop, counts) = (Arc::clone(&self.stop), Arc::clone(&self.counts));
            let to = SocketAddr::new(real, *port);
            let mut dice = Dice(weather.seed ^ (u64::from(*port) << 20) ^ u64::from(real.is_ipv6()));
            self.threads.push(std::thread::spawn(move || {
                socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                let (mut buffer, mut kept) = ([0; 65_536], None::<(u16, Vec<u8>)>);
                while !stop.load(Ordering::Relaxed) {
                    let Ok((size, from)) = socket.recv_from(&mut buffer) else { continue };
                    if dice.roll() < weather.loss {
                        counts.lost.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    counts.passed.fetch_add(1, Ordering::Relaxed);
                    if kept.is_none() && dice.roll() < weather.swapped {
                        kept = Some((from.port(), buffer[..size].to_vec()));
                        continue;
                    }
                    let now = (from.port(), buffer[..size].to_vec());
                    for (port, packet) in [Some(now), kept.take()].into_iter().flatten() {
                        if let Some(front) = others.get(&port) {
                            let _ = front.send_to(&packet, to);
                        }
                    }
                }
            }));
        }
    }

    /// Packets passed and lost so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.passed.load(Ordering::Relaxed), self.counts.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn bind(side: &Side) -> Fronts {
    let bound = |port: &u16| (*port, UdpSocket::bind((side.front, *port)).expect("the front's port is free"));
    Arc::new(side.ports.iter().map(bound).collect())
}

/// xorshift64*: enough for weather.
struct Dice(u64);

impl Dice {
    /// 0 to 999.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % 1000
    }
}
