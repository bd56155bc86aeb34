//! The engine with its threads and real time: what only shows there. Nothing is slept for; a socket is waited on.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::super::prompt::Prompts;
use super::super::{Command, Engine, EngineConfig, Event, StartError};
use super::rig::{SEAT, network, voice};
use crate::media::rtp::{Header, Stamp};
use crate::types::{CallId, Codec, Direction, Hear, LegId, MediaPort, StreamParams};

const LONG: Duration = Duration::from_secs(10);

/// How long a packet is waited for before the next one is sent.
const SHORT: Duration = Duration::from_millis(40);

fn config(folder: &tempfile::TempDir) -> EngineConfig {
    let mut config = EngineConfig::new(Arc::new(Prompts::empty()), folder.path().join("rec"), Arc::new(|| {}));
    config.networks = vec![network(4)];
    config.workers = Some(2);
    config.pin = false;
    config
}

fn open(engine: &mut Engine, leg: LegId, call: CallId, port: MediaPort) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(SHORT)).expect("a socket");
    socket.connect(("127.0.0.1", port.port)).expect("loopback");
    let remote = socket.local_addr().expect("bound");
    engine.send(Command::Open { leg, call, port, party: SEAT });
    let params = StreamParams {
        remote,
        remote_rtcp: remote,
        codec: Codec::Pcma,
        payload_type: 8,
        event_type: None,
        comfort_noise: false,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        srtp: None,
        may_latch: false,
    };
    engine.send(Command::Stream { leg, params: Box::new(params), early: false });
    socket
}

/// The next RTP packet, `None` when none comes for a while: a voice is not always there, a silence not always left.
fn read(socket: &UdpSocket) -> Option<(Header, Vec<u8>)> {
    let mut packet = [0_u8; 500];
    let length = socket.recv(&mut packet).ok()?;
    let header = Header::parse(&packet[..length]).ok()?;
    Some((header, header.payload(&packet[..length]).to_vec()))
}

fn say(socket: &UdpSocket, sequence: u16, fill: u8) {
    let stamp = Stamp { payload_type: 8, marker: false, sequence, timestamp: u32::from(sequence) * 160, ssrc: 5 };
    let mut packet = [0_u8; 172];
    stamp.write(&[fill; 160], &mut packet);
    socket.send(&packet).expect("loopback");
}

fn closed(engine: &mut Engine) -> Vec<(LegId, MediaPort)> {
    let mut events = Vec::new();
    engine.events(&mut events);
    let closed = |event: Event| {
        let Event::Closed { leg, port, .. } = event else { panic!("{event:?}") };
        (leg, port)
    };
    events.into_iter().map(closed).collect()
}

#[test]
fn leg_moves_to_the_worker_of_its_new_call_with_its_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut engine, ports) = Engine::start(config(&folder)).expect("it starts");
    let on = |worker: u8| ports.iter().copied().filter(move |port| port.worker == worker);
    let (here, there) = (on(0).next().expect("dealt out in turn"), on(1).next().expect("dealt out in turn"));
    let (a, b) = (LegId(1), LegId(2));
    let (call, other) = (CallId(1), CallId(2));
    let phone_a = open(&mut engine, a, call, here);
    let phone_b = open(&mut engine, b, other, there);
    let (before, _) = (0..500).find_map(|_| read(&phone_a)).expect("silence is sent from the start");
    engine.send(Command::Move { leg: a, to_worker: 1, call: other });
    let hears = |leg, other| Hear { leg, from: voice(other).to_vec() };
    engine.send(Command::Hear { call: other, set: vec![hears(a, b), hears(b, a)] });
    // Silence goes on until the set is obeyed on the new worker; then the voice comes through, in the same stream.
    let mut last = before;
    let came_through = (0..500).any(|sequence| {
        say(&phone_b, sequence, 0x55);
        let Some((header, payload)) = read(&phone_a) else { return false };
        assert_eq!(header.ssrc, before.ssrc);
        assert_eq!(header.sequence, last.sequence.wrapping_add(1));
        last = header;
        payload == [0x55; 160]
    });
    assert!(came_through);
    engine.send(Command::Close { leg: a });
    engine.send(Command::Close { leg: b });
    engine.shutdown();
    let closed = closed(&mut engine);
    assert_eq!(closed.len(), 2);
    assert!(closed.contains(&(a, MediaPort { worker: 1, ..here })), "{closed:?}");
}

#[test]
fn leg_opened_beside_another_worker_comes_over_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut engine, ports) = Engine::start(config(&folder)).expect("it starts");
    let (a, b, call) = (LegId(1), LegId(2), CallId(1));
    let phone_a = open(&mut engine, a, call, ports[0]);
    let phone_b = open(&mut engine, b, call, ports[1]);
    assert_ne!(ports[0].worker, ports[1].worker);
    engine.send(Command::Hear { call, set: vec![Hear { leg: b, from: voice(a).to_vec() }] });
    let came_through = (0..500).any(|sequence| {
        say(&phone_a, sequence, 0x55);
        read(&phone_b).is_some_and(|(_, payload)| payload == [0x55; 160])
    });
    assert!(came_through);
    engine.shutdown();
    assert_eq!(closed(&mut engine).len(), 2, "each opened leg is closed once, also at the end");
}

#[test]
fn waker_is_called_when_there_is_something_to_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (called, calls) = sync_channel(100);
    let mut config = config(&folder);
    config.waker = Arc::new(move || {
        let _ = called.try_send(());
    });
    let (mut engine, ports) = Engine::start(config).expect("it starts");
    let _phone = open(&mut engine, LegId(1), CallId(1), ports[0]);
    engine.send(Command::Close { leg: LegId(1) });
    calls.recv_timeout(LONG).expect("woken");
    assert_eq!(closed(&mut engine), [(LegId(1), ports[0])]);
}

#[test]
fn ports_are_even_pairs_dealt_out_to_all_workers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_engine, ports) = Engine::start(config(&folder)).expect("it starts");
    assert_eq!(ports.len(), 4);
    assert!(ports.iter().all(|port| port.port % 2 == 0));
    assert_eq!(ports.iter().map(|port| port.worker).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1]));
    for port in &ports {
        assert!(UdpSocket::bind(("127.0.0.1", port.port + 1)).is_err(), "the RTCP port is bound too");
    }
}

#[test]
fn bad_settings_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |change: &dyn Fn(&mut EngineConfig)| {
        let mut config = config(&folder);
        change(&mut config);
        match Engine::start(config) {
            Ok(_) => panic!("it must not start"),
            Err(error) => error,
        }
    };
    let narrow = start(&|c| c.networks[0].last_port = c.networks[0].first_port + 3);
    assert!(matches!(narrow, StartError::RangeTooSmall { .. }) && narrow.to_string().contains("make it larger"));
    let foreign = start(&|c| c.networks[0].bind = "192.0.2.1".parse().expect("an address"));
    assert!(foreign.to_string().contains("choose another RTP range or address"), "{foreign}");
    let many = start(&|c| {
        (c.networks[0].first_port, c.networks[0].last_port, c.networks[0].pairs) = (1_024, 65_535, Some(32_000));
    });
    let nofile = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("it can be read").1;
    if nofile < 65_000 {
        assert!(many.to_string().contains("LimitNOFILE"), "{many}");
    }
    std::fs::write(folder.path().join("file"), b"").expect("a file");
    let blocked = start(&|c| c.recordings = folder.path().join("file/rec"));
    assert!(blocked.to_string().contains("make the folder writable"), "{blocked}");
}
