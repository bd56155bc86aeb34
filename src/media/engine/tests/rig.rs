//! One worker on a clock that tests move, with telephones on real loopback sockets. Loopback delivers while it sends, so
//! nothing has to be waited for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use nix::sys::epoll::{EpollEvent, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::super::disk::Disk;
use super::super::prompt::Prompts;
use super::super::sockets::bind_all;
use super::super::worker::{BATCH, Clock, Obeyed, Order, Shared, Worker};
use super::super::{Command, EngineConfig, Event, NetworkPorts};
use crate::media::codec::{Decoder, Encoder, Rate};
use crate::media::rtp::{Header, Stamp};
use crate::media::srtp::Srtp;
use crate::types::{
    CallId, Codec, Direction, Hear, LegId, MediaPort, NetworkId, Origin, SeatId, Source, SrtpKey, StreamParams,
};

pub(super) const CALL: CallId = CallId(1);

/// Who is at the far end of the rig's legs.
pub(super) const SEAT: Origin = Origin::Seat(SeatId(1));

/// A range below the ephemeral ports, apart from those of other tests; what is taken in it is skipped.
pub(super) fn network(pairs: usize) -> NetworkPorts {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let turn = NEXT.fetch_add(1, Ordering::Relaxed) % 60;
    NetworkPorts {
        network: NetworkId(0),
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        first_port: 16_000 + 100 * u16::try_from(turn).expect("small"),
        last_port: 31_999,
        dscp: 46,
        pairs: Some(pairs),
    }
}

/// Silences the memory of a codec's number.
pub(super) fn static_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
    }
}

pub(super) struct Rig {
    pub(super) worker: Worker,
    pub(super) events: Receiver<Event>,
    pub(super) phones: Vec<Phone>,
    pub(super) folder: tempfile::TempDir,
    /// Id of the next leg.
    next: u64,
    /// Who is at the far end of the next leg.
    pub(super) party: Origin,
    /// Of pairs that rest.
    pub(super) ports: Vec<MediaPort>,
    time: Arc<AtomicU64>,
    disk: Option<Disk>,
    _orders: SyncSender<Order>,
}

impl Rig {
    pub(super) fn new(prompts: Prompts) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = EngineConfig::new(Arc::new(prompts), folder.path().join("rec"), Arc::new(|| {}));
        config.networks = vec![network(5)];
        let pairs = bind_all(&config.networks, 1).expect("there are free ports");
        let ports = pairs.iter().map(|pair| pair.port).collect();
        let (events_in, events) = sync_channel(1_000);
        let (orders_in, orders) = sync_channel(10);
        let bell = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).expect("a descriptor"));
        let disk = Disk::start(&config, events_in.clone()).expect("a folder that can be written to");
        let time = Arc::new(AtomicU64::new(1_000_000_000));
        let mut clock = Clock::start();
        clock.held = Some(time.clone());
        let shared = Shared {
            config,
            clock,
            peers: vec![(orders_in.clone(), bell)],
            pulses: vec![Arc::default()],
            events: events_in,
            disk: disk.queue(),
        };
        let worker = Worker::new(0, shared, pairs, orders).expect("a poll set");
        Self {
            worker,
            events,
            phones: Vec::new(),
            folder,
            next: 10,
            party: SEAT,
            ports,
            time,
            disk: Some(disk),
            _orders: orders_in,
        }
    }

    /// Opens a leg of [`CALL`] with a telephone at its far end; `change` edits what was negotiated.
    pub(super) fn leg(&mut self, codec: Codec, change: impl FnOnce(&mut StreamParams)) -> LegId {
        let id = LegId(self.next);
        self.next += 1;
        let port = self.ports.pop().expect("enough ports");
        let mut phone = Phone::new(codec, port.port, id);
        let mut params = phone.params();
        change(&mut params);
        phone.srtp = params.srtp.as_ref().map(|(ours, theirs)| Srtp::new(theirs, ours).expect("good keys"));
        phone.event_type = params.event_type;
        self.phones.push(phone);
        self.command(Command::Open { leg: id, call: CALL, port, party: self.party });
        self.command(Command::Stream { leg: id, params: Box::new(params), early: false });
        id
    }

    pub(super) fn command(&mut self, command: Command) {
        let now = self.worker.shared.clock.now();
        self.worker.command(command, now);
    }

    pub(super) fn hear(&mut self, set: &[(LegId, &[Source])]) {
        let set = set.iter().map(|(leg, from)| Hear { leg: *leg, from: from.to_vec() }).collect();
        self.command(Command::Hear { call: CALL, set });
    }

    pub(super) fn phone(&mut self, leg: LegId) -> &mut Phone {
        self.phones.iter_mut().find(|phone| phone.leg == leg).expect("a leg of the rig")
    }

    /// Lets time go on while all telephones with a tone talk, 20 ms packets.
    pub(super) fn talk(&mut self, ms: u64) {
        for step in 0..ms {
            self.time.fetch_add(1_000_000, Ordering::Relaxed);
            if step % 20 == 0 {
                for phone in &mut self.phones {
                    phone.talk();
                }
            }
            self.turn();
        }
    }

    /// One packet of each telephone with a tone, 20 ms after the last one.
    pub(super) fn frame(&mut self) {
        self.time.fetch_add(20_000_000, Ordering::Relaxed);
        for phone in &mut self.phones {
            phone.talk();
        }
        self.turn();
    }

    /// Lets time jump, with nothing happening meanwhile.
    pub(super) fn jump(&mut self, ms: u64) {
        self.time.fetch_add(ms * 1_000_000, Ordering::Relaxed);
        for _ in 0..30 {
            self.turn();
        }
    }

    /// Reads everything that has come.
    pub(super) fn turn(&mut self) {
        let mut ready = [EpollEvent::empty(); BATCH];
        for _ in 0..3 {
            assert_ne!(self.worker.turn(&mut ready, EpollTimeout::ZERO), Obeyed::Stop);
        }
        for phone in &mut self.phones {
            phone.listen();
        }
    }

    pub(super) fn taken_events(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    /// Ends the disk threads and reads a recording.
    pub(super) fn recorded(&mut self, file: &str) -> Vec<u8> {
        if let Some(disk) = self.disk.take() {
            disk.stop();
        }
        std::fs::read(self.recordings().join(file)).expect("a recording")
    }

    pub(super) fn recordings(&self) -> std::path::PathBuf {
        Path::join(self.folder.path(), "rec")
    }
}

/// A telephone that says one tone and keeps what it hears.
pub(super) struct Phone {
    pub(super) leg: LegId,
    pub(super) codec: Codec,
    /// Frequency of what it says; 0 is silent on the wire.
    pub(super) tone: u32,
    pub(super) heard: Vec<(Header, Vec<u8>)>,
    pub(super) socket: UdpSocket,
    pub(super) to: SocketAddr,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) event_type: Option<u8>,
    pub(super) srtp: Option<Srtp>,
    encoder: Encoder,
    phase: f64,
}

impl Phone {
    fn new(codec: Codec, port: u16, leg: LegId) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket");
        Self {
            leg,
            codec,
            tone: 0,
            heard: Vec::new(),
            socket,
            to: (Ipv4Addr::LOCALHOST, port).into(),
            sequence: 65_500,
            timestamp: 4_294_960_000,
            event_type: None,
            srtp: None,
            encoder: Encoder::new(codec),
            phase: 0.0,
        }
    }

    pub(super) fn params(&self) -> StreamParams {
        let remote = self.socket.local_addr().expect("bound");
        StreamParams {
            remote,
            remote_rtcp: remote,
            codec: self.codec,
            payload_type: static_type(self.codec),
            event_type: Some(101),
            comfort_noise: false,
            direction: Direction::SendRecv,
            ptime_ms: 20,
            srtp: None,
            may_latch: false,
        }
    }

    pub(super) fn talk(&mut self) {
        if self.tone == 0 {
            return;
        }
        let mut samples = [0_i16; 320];
        let samples = &mut samples[..Rate::of(self.codec).frame()];
        for sample in samples.iter_mut() {
            self.phase += f64::from(self.tone) / hz(self.codec) * std::f64::consts::TAU;
            *sample = (self.phase.sin() * 8_000.0) as i16;
        }
        let mut payload = [0_u8; 160];
        self.encoder.encode(samples, &mut payload);
        self.say(static_type(self.codec), false, &payload);
        self.timestamp = self.timestamp.wrapping_add(160);
    }

    /// Says its tone for the time of a packet, which is lost.
    pub(super) fn skip_packet(&mut self) {
        let to = std::mem::replace(&mut self.to, (Ipv4Addr::LOCALHOST, 9).into());
        self.talk();
        self.to = to;
    }

    /// Sends one packet at the present timestamp.
    pub(super) fn say(&mut self, payload_type: u8, marker: bool, payload: &[u8]) {
        let stamp = Stamp {
            payload_type,
            marker,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: 0xfeed + self.leg.0 as u32,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = [0_u8; 500];
        let length = stamp.write(payload, &mut packet);
        let secured = self.srtp.as_mut().map(|srtp| srtp.protect_rtp(&packet[..length]).expect("a packet"));
        let bytes = secured.as_deref().unwrap_or(&packet[..length]);
        self.socket.send_to(bytes, self.to).expect("loopback takes it");
    }

    fn listen(&mut self) {
        let mut packet = [0_u8; 2_000];
        while let Ok((length, from)) = self.socket.recv_from(&mut packet) {
            assert_eq!(from, self.to, "audio comes from the port that was told");
            let plain = self.srtp.as_mut().map(|srtp| srtp.unprotect_rtp(&packet[..length]));
            let bytes = match &plain {
                None => &packet[..length],
                Some(Ok(bytes)) => &bytes[..],
                // Reports are protected in their own way.
                Some(Err(_)) => continue,
            };
            if let Ok(header) = Header::parse(bytes) {
                self.heard.push((header, header.payload(bytes).to_vec()));
            }
        }
    }

    /// What was heard since the last time, at 16 kHz.
    pub(super) fn wide_sound(&mut self) -> Vec<i16> {
        let mut decoder = Decoder::new(self.codec);
        let mut out = Vec::new();
        for (_, payload) in self.heard.drain(..) {
            let mut samples = [0_i16; 1_920];
            let count = decoder.decode_16k(&payload, &mut samples);
            out.extend_from_slice(&samples[..count]);
        }
        out
    }

    /// What was heard since the last time, at 8 kHz.
    pub(super) fn sound(&mut self) -> Vec<i16> {
        let audio_type = static_type(self.codec);
        let mut decoder = Decoder::new(self.codec);
        let mut out = Vec::new();
        for (_, payload) in self.heard.drain(..).filter(|(header, _)| header.payload_type == audio_type) {
            let mut samples = [0_i16; 960];
            let count = decoder.decode_8k(&payload, &mut samples);
            out.extend_from_slice(&samples[..count]);
        }
        out
    }
}

/// Samples a second of a codec's audio.
fn hz(codec: Codec) -> f64 {
    Rate::of(codec).frame() as f64 * 50.0
}

/// Power of one frequency in samples at 8 kHz (Goertzel), in dB, for comparing.
pub(super) fn power_db(samples: &[i16], hz: u32) -> f64 {
    power_at_db(samples, hz, 8_000.0)
}

/// The same at another rate.
pub(super) fn power_at_db(samples: &[i16], hz: u32, rate_hz: f64) -> f64 {
    let turn = f64::from(hz) / rate_hz * std::f64::consts::TAU;
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + 2.0 * turn.cos() * one - two;
        (two, one) = (one, next);
    }
    let power = one * one + two * two - 2.0 * turn.cos() * one * two;
    10.0 * (power.max(1.0) / (samples.len().max(1) as f64).powi(2)).log10()
}

/// Asserts that `hz` stands 20 dB above each of `others` and is loud at all.
pub(super) fn assert_hears(samples: &[i16], hz: u32, others: &[u32]) {
    let power = power_db(samples, hz);
    assert!(power > 50.0, "{hz} Hz has only {power:.1} dB in {} samples", samples.len());
    for other in others {
        let noise = power_db(samples, *other);
        assert!(power > noise + 20.0, "{hz} Hz has {power:.1} dB, {other} Hz has {noise:.1}");
    }
}

/// A pair of keys for a secure leg.
pub(super) fn keys() -> (SrtpKey, SrtpKey) {
    let key = |fill| SrtpKey { suite: crate::types::CryptoSuite::Aes128Sha1_80, key_salt: [fill; 30] };
    (key(1), key(2))
}

/// One other leg as it is.
pub(super) fn voice(leg: LegId) -> [Source; 1] {
    [Source::Leg { leg, gain_db: 0 }]
}
