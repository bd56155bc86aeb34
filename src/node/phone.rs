//! A telephone of our own: the same endpoint and media engine with a handful of rules in place of the center. It places test
//! calls (`yihao call`) and plays both parts of the demonstration. Real sockets, real packets.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::dialplan::{CalledFrom, CallerPolicy, Cidr, Plan, Trunk, TrunkRegister};
use crate::media::engine::prompt::Prompts;
use crate::media::engine::{Command, Engine, EngineConfig, Event as MediaEvent, NetworkPorts};
use crate::media::ports::PortPool;
use crate::sip::endpoint::{self, Endpoint, Input, Network, Output, Secrets, Seeds};
use crate::sip::flow::Transport;
use crate::sip::message::{Message, Method};
use crate::sip::transport::udp::Udp;
use crate::types::{
    CallId, Calling, Cause, Dial, Digit, Hear, IdBase, LegCommand, LegEvent, LegId, LegIds, LineNumber, NetworkId,
    PhoneNumber, PromptName, RunId, Source, Target, TlsMedia, TrunkId,
};

use super::clock::{Clock, wall};

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
/// The exchange, as the only trunk of the phone's little plan.
const EXCHANGE: TrunkId = TrunkId(0);
const EXCHANGE_NAME: &str = "exchange";
/// Name of the sound that the phone speaks.
const VOICE: &str = "voice";
/// Messages and events that may wait for whoever reads them; beyond, ladder lines are lost, never calls.
const NEWS: usize = 1_024;

/// What a phone is.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Address it uses; the port is any free one.
    pub local: IpAddr,
    /// Where the exchange listens over UDP.
    pub exchange: SocketAddr,
    /// Its own number: the caller's number, or the seat's.
    pub number: String,
    /// Password when it registers, with the realm.
    pub account: Option<Account>,
    /// WAV file that it speaks after the answer, again and again; silence without one.
    pub voice: Option<PathBuf>,
    /// Folder into which it records what it hears (left) and says (right), from the first that is heard before the answer.
    pub recordings: PathBuf,
    /// Range of RTP ports to take a few of.
    pub rtp: (u16, u16),
    /// Answers calls after this time; `None`: never.
    pub answers_after: Option<Duration>,
}

/// How a phone registers.
#[derive(Clone, Debug)]
pub struct Account {
    /// Realm of the exchange.
    pub realm: String,
    /// Password of the seat.
    pub password: String,
}

/// What a phone tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The exchange has taken the registration.
    Registered,
    /// The first message of the call went out: its Call-ID.
    Dialled(String),
    /// A message went out (`true`) or came in: its start line.
    Ladder(bool, String),
    /// The other side rings.
    Ringing,
    /// The call is answered.
    Answered,
    /// The call is over.
    Ended(Cause, Option<u16>),
}

/// What a phone is told.
#[derive(Debug)]
enum Order {
    Dial(String),
    Press(char),
    Hangup,
    Quit,
}

/// A phone in its own thread.
pub struct Phone {
    orders: SyncSender<Order>,
    news: Receiver<News>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Phone {
    /// Starts a phone; with an account it registers at once.
    ///
    /// # Errors
    /// When address, ports or the voice file cannot be had.
    pub fn start(config: PhoneConfig) -> Result<Self> {
        let (orders, orders_in) = sync_channel(16);
        let (news_out, news) = sync_channel(NEWS);
        let poll = Poll::new().context("the phone's loop cannot be made")?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).context("the phone's loop cannot be made")?);
        let desk = Desk::new(config, poll, &waker, orders_in, news_out)?;
        let thread = std::thread::Builder::new().name("phone".to_owned()).spawn(move || desk.run())?;
        Ok(Self { orders, news, waker, thread: Some(thread) })
    }

    /// Dials a number.
    pub fn dial(&self, number: &str) {
        self.order(Order::Dial(number.to_owned()));
    }

    /// Presses a key.
    pub fn press(&self, key: char) {
        self.order(Order::Press(key));
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.order(Order::Hangup);
    }

    /// The next news within a time.
    pub fn next(&self, within: Duration) -> Option<News> {
        self.news.recv_timeout(within).ok()
    }

    fn order(&self, order: Order) {
        // A phone that is gone obeys nobody.
        let _gone = self.orders.try_send(order);
        let _gone = self.waker.wake();
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.order(Order::Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a phone's thread had panicked");
        }
    }
}

/// What the thread owns.
struct Desk {
    config: PhoneConfig,
    poll: Poll,
    clock: Clock,
    udp: Udp,
    endpoint: Endpoint,
    engine: Engine,
    legs: LegIds,
    call: CallId,
    runs: u64,
    /// The leg of the call in progress.
    leg: Option<LegId>,
    /// The leg whose call is recorded, so that it is begun once.
    recorded: Option<LegId>,
    answer_at: Option<crate::types::Mono>,
    orders: Receiver<Order>,
    news: SyncSender<News>,
    out: Vec<Output>,
}

impl Desk {
    fn new(
        config: PhoneConfig,
        poll: Poll,
        waker: &Arc<Waker>,
        orders: Receiver<Order>,
        news: SyncSender<News>,
    ) -> Result<Self> {
        let mut udp = Udp::bind(NetworkId(0), SocketAddr::new(config.local, 0), 0)?;
        poll.registry().register(&mut udp, SOCKET, Interest::READABLE)?;
        let mut prompts = Prompts::empty();
        if let Some(voice) = &config.voice {
            prompts.add(&PromptName::new(VOICE), voice)?;
        }
        let waker = Arc::clone(waker);
        let wake = Arc::new(move || {
            // It fails only when the loop is gone.
            let _gone = waker.wake();
        });
        let mut engine = EngineConfig::new(Arc::new(prompts), config.recordings.clone(), wake);
        engine.workers = Some(1);
        engine.pin = false;
        engine.networks = vec![NetworkPorts {
            network: NetworkId(0),
            bind: config.local,
            first_port: config.rtp.0,
            last_port: config.rtp.1,
            dscp: 46,
            pairs: Some(4),
        }];
        let (engine, ports) = Engine::start(engine)?;
        let ids = IdBase { node: 0, epoch_s: u32::try_from(wall().0 / 1_000).unwrap_or(u32::MAX) };
        let (plan, secrets) = little_plan(&config)?;
        let endpoint_config = endpoint::Config {
            networks: vec![Network {
                name: "main".to_owned(),
                listeners: vec![(Transport::Udp, udp.local())],
                advertised_v4: None,
                advertised_v6: None,
                media_over_tls: TlsMedia::Srtp,
            }],
            ..endpoint::Config::default()
        };
        let endpoint = Endpoint::new(
            endpoint_config,
            Arc::new(plan),
            secrets,
            PortPool::new(ports),
            ids.legs_of_endpoint(),
            Seeds { wire: rand::random(), keys: rand::random() },
        );
        Ok(Self {
            config,
            poll,
            clock: Clock::start(),
            udp,
            endpoint,
            engine,
            legs: ids.legs_of_center(),
            call: CallId(ids.first()),
            runs: 0,
            leg: None,
            recorded: None,
            answer_at: None,
            orders,
            news,
            out: Vec::new(),
        })
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(16);
        self.feed(Input::Begin);
        loop {
            let now = self.clock.now();
            let due = [self.endpoint.deadline(), self.answer_at].into_iter().flatten().min();
            let sleep = due.map_or(Duration::from_secs(1), |at| at.since(now.mono)).min(Duration::from_secs(1));
            if self.poll.poll(&mut events, Some(sleep)).is_err() {
                continue;
            }
            self.receive();
            let mut heard = Vec::new();
            self.engine.events(&mut heard);
            for event in heard {
                self.on_media(event);
            }
            self.feed(Input::Tick);
            if self.answer_at.is_some_and(|at| at <= self.clock.now().mono)
                && let Some(leg) = self.leg
            {
                self.answer_at = None;
                self.command(leg, LegCommand::Answer);
            }
            while let Ok(order) = self.orders.try_recv() {
                if !self.obey(order) {
                    return self.quit();
                }
            }
        }
    }

    fn receive(&mut self) {
        let mut came = Vec::new();
        while self.udp.receive(|flow, bytes| came.push((flow, Bytes::copy_from_slice(bytes)))).unwrap_or(false) {}
        for (flow, bytes) in came {
            self.tell_ladder(false, &bytes);
            self.feed(Input::Message { flow, bytes });
        }
    }

    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Dial(number) => self.dial(&number),
            Order::Press(key) => {
                if let Some(leg) = self.leg {
                    self.command(leg, LegCommand::SendDigit(Digit(key)));
                }
            }
            Order::Hangup => {
                if let Some(leg) = self.leg {
                    self.command(leg, LegCommand::Hangup(Cause::HungUp));
                }
            }
            Order::Quit => return false,
        }
        true
    }

    fn dial(&mut self, number: &str) {
        let Ok(number) = PhoneNumber::parse(number) else {
            return self.tell(News::Ended(Cause::NoSuchNumber, None));
        };
        let leg = self.legs.take();
        self.call.0 += 1;
        self.leg = Some(leg);
        let line = LineNumber::parse(number.as_str()).unwrap_or_else(|_| LineNumber::parse("0").expect("a digit"));
        let dial = Dial {
            target: Target::Trunk { trunk: EXCHANGE, number },
            beside: None,
            calling: Calling { number: PhoneNumber::parse(&self.config.number).ok(), ..Calling::default() },
            line,
            line_name: String::new(),
            auto_answer: false,
        };
        self.command(leg, LegCommand::Dial(Box::new(dial)));
    }

    fn feed(&mut self, input: Input) {
        self.endpoint.handle(self.clock.now(), input, &mut self.out);
        self.perform();
    }

    fn command(&mut self, leg: LegId, command: LegCommand) {
        self.endpoint.command(self.clock.now(), self.call, leg, command, &mut self.out);
        self.perform();
    }

    fn perform(&mut self) {
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Send(transmit) => {
                    self.tell_ladder(true, &transmit.bytes);
                    // A full line is a retransmission later.
                    let _full = self.udp.send(transmit.hop.remote, transmit.bytes, transmit.by);
                }
                Output::Leg { leg, event } => self.on_leg(leg, event),
                Output::Open { leg, call, port, party } => self.engine.send(Command::Open { leg, call, port, party }),
                Output::Stream { leg, params, early } => self.engine.send(Command::Stream { leg, params, early }),
                Output::SendDigit { leg, digit } => self.engine.send(Command::SendDigit { leg, digit }),
                Output::CloseMedia { leg } => self.engine.send(Command::Close { leg }),
                Output::TrunkHealth { up, .. } => {
                    if up && self.config.account.is_some() {
                        self.tell(News::Registered);
                    }
                }
                Output::Close { .. } | Output::Resolve { .. } | Output::Reachable { .. } => {}
            }
        }
        let mut refused = Vec::new();
        self.udp.flush(&mut refused);
    }

    fn on_leg(&mut self, leg: LegId, event: LegEvent) {
        match event {
            LegEvent::Arrived(_) if self.leg.is_some() => self.command(leg, LegCommand::Refuse(Cause::Busy)),
            LegEvent::Arrived(_) => {
                self.leg = Some(leg);
                self.call.0 += 1;
                self.command(leg, LegCommand::Ring);
                self.answer_at = self.config.answers_after.map(|wait| self.clock.now().mono + wait);
            }
            LegEvent::Ringing => self.tell(News::Ringing),
            LegEvent::Answered => {
                self.speak(leg);
                self.tell(News::Answered);
            }
            LegEvent::Ended { cause, status } => {
                if self.leg == Some(leg) {
                    self.leg = None;
                    self.answer_at = None;
                    self.engine.send(Command::EndRecording { call: self.call });
                    self.tell(News::Ended(cause, status));
                }
            }
            // What is heard before the answer is recorded too: a farewell never gets one.
            LegEvent::EarlyMedia(true) => {
                self.engine.send(Command::Hear { call: self.call, set: vec![Hear { leg, from: Vec::new() }] });
                self.record(leg);
            }
            LegEvent::NoEarlyMedia
            | LegEvent::EarlyMedia(false)
            | LegEvent::Held(_)
            | LegEvent::Digit { .. }
            | LegEvent::Refer { .. } => {}
        }
    }

    /// Records the call, once.
    fn record(&mut self, leg: LegId) {
        if self.recorded != Some(leg) {
            self.recorded = Some(leg);
            let file = format!("{}", self.call);
            self.engine.send(Command::Record { call: self.call, caller: leg, file });
        }
    }

    fn speak(&mut self, leg: LegId) {
        self.runs += 1;
        let from = match &self.config.voice {
            Some(_) => vec![Source::Prompt { name: PromptName::new(VOICE), run: RunId(self.runs) }],
            None => Vec::new(),
        };
        self.engine.send(Command::Hear { call: self.call, set: vec![Hear { leg, from }] });
        self.record(leg);
    }

    fn on_media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::PromptEnded { leg, .. } => {
                if self.leg == Some(leg) {
                    self.speak(leg);
                }
            }
            MediaEvent::Silent { leg } => self.feed(Input::Silent { leg }),
            MediaEvent::Closed { port, .. } => self.feed(Input::PortFree { port }),
            MediaEvent::EarlyMedia { leg, port, heard } => self.feed(Input::EarlyMedia { leg, port, heard }),
            MediaEvent::Digit { .. } => {}
            MediaEvent::RecordingFailed { why, .. } => tracing::warn!(why, "the phone cannot record"),
        }
    }

    /// Hangs up, signs off, and waits a moment for the answers.
    fn quit(mut self) {
        let now = self.clock.now();
        self.endpoint.end_all(now, &mut self.out);
        self.endpoint.unregister(now, &mut self.out);
        self.perform();
        let until = now.mono + Duration::from_secs(1);
        let mut events = Events::with_capacity(16);
        while !self.endpoint.is_quiet() && self.clock.now().mono < until {
            // An interrupted wait is tried again until the time is over.
            let _interrupted = self.poll.poll(&mut events, Some(Duration::from_millis(20)));
            self.receive();
            self.feed(Input::Tick);
        }
        self.engine.shutdown();
    }

    fn tell_ladder(&self, out: bool, bytes: &Bytes) {
        if let Ok(message) = Message::parse(bytes.clone()) {
            if out && message.status().is_none() && *message.method() == Method::Invite {
                self.tell(News::Dialled(message.call_id().to_owned()));
            }
            let line = match message.status() {
                Some(status) => format!("{status} {} ({})", message.reason(), message.method()),
                None => format!("{} {}", message.method(), message.request_uri_text()),
            };
            self.tell(News::Ladder(out, line));
        }
    }

    fn tell(&self, news: News) {
        // A reader that is slow or gone misses lines of the ladder.
        let _full = self.news.try_send(news);
    }
}

/// The plan of a phone: one trunk, the exchange.
fn little_plan(config: &PhoneConfig) -> Result<(Plan, Secrets)> {
    let own = LineNumber::parse(config.number.trim_start_matches('+')).context("the phone's number is no number")?;
    let register = config.account.as_ref().map(|account| TrunkRegister {
        user: config.number.clone(),
        domain: Some(account.realm.clone()),
        expires_s: 600,
    });
    let trunk = Trunk {
        id: EXCHANGE,
        name: EXCHANGE_NAME.to_owned(),
        network: "main".to_owned(),
        sources: vec![Cidr { address: config.exchange.ip(), prefix: if config.exchange.is_ipv4() { 32 } else { 128 } }],
        tls_identity: None,
        address: Some(format!("sip:{}", config.exchange)),
        register,
        called_from: CalledFrom::RequestUri,
        area_code: String::new(),
        max_calls: None,
        max_calls_per_s: None,
        options_s: None,
        reaches: crate::dialplan::Reaches::Network,
        media_over_tls: TlsMedia::Srtp,
        caller_policy: CallerPolicy::Own(own),
        group: None,
    };
    let plan = Plan { trunks: vec![trunk], ..Plan::default() };
    let mut secrets = Secrets::default();
    if let Some(account) = &config.account {
        secrets.trunks.insert(EXCHANGE_NAME.to_owned(), account.password.clone());
    }
    Ok((plan, secrets))
}
