//! The demonstration: one call through the real stack. A built-in caller on a trunk of the plan, a built-in seat that answers.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::config::Config;
use crate::config::secrets::{self, Secrets};
use crate::dialplan::{Cidr, Line, Seat, Service};
use crate::sip::auth::Credentials;
use crate::sip::flow::Transport;
use crate::types::{CallEvent, CallId, Level, LineNumber, Origin, Row, SeatId, Wall};

use super::clock::wall;
use super::phone::{Account, News, Phone, PhoneConfig};
use super::renew::OwnSeat;
use super::{Running, Starting};

/// Rows that may wait for the demonstration to print them.
const ROWS: usize = 256;
/// Longest wait for anything to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the two talk.
const TALK: Duration = Duration::from_secs(3);
/// RTP ports of the two phones: the first range that the exchange does not use.
const RTP: [(u16, u16); 3] = [(18_000, 18_999), (12_000, 12_999), (31_000, 31_999)];

/// What the demonstration needs to know.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Where the exchange listens over UDP.
    pub exchange: SocketAddr,
    /// Address that belongs to a trunk of the plan and to this machine.
    pub trunk: IpAddr,
    /// The line that is dialled.
    pub line: LineNumber,
    /// The seat that answers.
    pub seat: SeatId,
    /// Its account.
    pub account: Account,
    /// RTP ports of the two phones.
    pub rtp: (u16, u16),
    /// WAV file that the caller speaks, if it is there.
    pub caller_voice: PathBuf,
    /// WAV file that the seat speaks, if it is there.
    pub seat_voice: PathBuf,
}

impl Demo {
    /// Chooses trunk and line of a plan, and adds a seat of its own to plan and secrets for as long as this process lives,
    /// so that no real phone is disturbed. `None` when the plan has no trunk on a loopback address of its own.
    pub fn prepare(starting: &mut Starting, secrets: &mut Secrets, config: &Config) -> Option<Self> {
        let plan = &starting.plan;
        let exchange = *config.networks.first()?.udp.first().filter(|a| a.ip().is_loopback())?;
        let (trunk, address) = plan.trunks.iter().find_map(|trunk| {
            let fits = |s: &&Cidr| {
                s.address.is_loopback() && s.address != exchange.ip() && s.address.is_ipv4() == exchange.is_ipv4()
            };
            trunk.sources.iter().find(fits).map(|s| (trunk, s.address))
        })?;
        let served = |line: &&Line| matches!(line.phase_at(wall()).map(|p| &p.service), Some(Service::Queue(_)));
        let own_line = |line: &&Line| trunk.name.ends_with(&format!("-{}", line.number));
        let line = plan.lines.values().filter(served).max_by_key(own_line)?;
        let Some(Service::Queue(service)) = line.phase_at(wall()).map(|p| &p.service) else { return None };
        let voice = |name: &str| config.folders.prompts.join("8k").join(format!("{name}.wav"));
        let password = secrets::readable_password(rand::random());
        let is_free = |range: &(u16, u16)| {
            config.networks.iter().all(|network| range.1 < network.rtp.first || network.rtp.last < range.0)
        };
        let rtp = RTP.into_iter().find(is_free)?;
        let demo = Self {
            exchange,
            trunk: address,
            line: line.number.clone(),
            seat: SeatId(plan.seats.keys().next_back()?.0 + 1),
            account: Account { realm: config.realm.clone(), password },
            rtp,
            caller_voice: voice("music/waiting"),
            seat_voice: voice(&service.greeting.0),
        };
        let skills = vec![(plan.queue(service.queue)?.skill.clone(), Level::ORDINARY)];
        let (user, password) = (demo.seat.0.to_string(), &demo.account.password);
        let credentials = Credentials::from_password(&user, &config.realm, password);
        let seat = Seat { id: demo.seat, name: "演示坐席".to_owned(), skills, contact: None, auto_answer: false };
        let own = OwnSeat { seat, credentials };
        own.join(&mut starting.plan, secrets);
        starting.own_seat = Some(own);
        Some(demo)
    }

    /// Runs it and gives each line of its timeline to `say`.
    ///
    /// # Errors
    /// When a phone cannot start or the call does not come about.
    pub fn run(mut self, running: &Running, scratch: &Path, mut say: impl FnMut(&str)) -> Result<()> {
        let bound = running.listeners.iter().find(|(transport, _)| *transport == Transport::Udp);
        self.exchange = bound.map_or(self.exchange, |(_, address)| *address);
        let (rows_in, rows) = sync_channel(ROWS);
        running.watch(Box::new(move |batch| {
            for row in batch {
                // A full line loses a line of the demonstration, nothing else.
                let _full = rows_in.try_send(row.clone());
            }
        }));
        let seat = self.phone(self.exchange.ip(), self.seat.0.to_string(), Some(self.account.clone()), scratch)?;
        expect(&seat, |news| *news == News::Registered, "the seat's phone could not register")?;
        seat.dial("*41");
        expect(&seat, |news| matches!(news, News::Ended(..)), "the seat could not sign in")?;
        say(&format!("  seat {} registered, dialled *41: ready", self.seat.0));

        let caller = self.phone(self.trunk, "08161234567".to_owned(), None, scratch)?;
        caller.dial(self.line.as_str());
        expect(&caller, |news| *news == News::Answered, "the exchange did not answer")?;
        let mut begun = None;
        self.tell(&rows, &mut begun, |event| matches!(event, CallEvent::Recording { .. }), &mut say)?;
        std::thread::park_timeout(TALK);
        caller.hang_up();
        self.tell(&rows, &mut begun, |event| matches!(event, CallEvent::Ended { .. }), &mut say)?;
        seat.dial("*43");
        expect(&seat, |news| matches!(news, News::Ended(..)), "the seat could not sign out")
    }

    fn phone(&self, local: IpAddr, number: String, account: Option<Account>, scratch: &Path) -> Result<Phone> {
        let voice = if account.is_some() { &self.seat_voice } else { &self.caller_voice };
        Phone::start(PhoneConfig {
            local,
            exchange: self.exchange,
            number,
            account,
            voice: voice.exists().then(|| voice.clone()),
            recordings: scratch.to_owned(),
            rtp: self.rtp,
            answers_after: Some(Duration::from_secs(1)),
        })
    }

    /// Tells the rows of the caller's call until one fits.
    fn tell(
        &self,
        rows: &Receiver<Row>,
        begun: &mut Option<(CallId, Wall)>,
        last: impl Fn(&CallEvent) -> bool,
        say: &mut impl FnMut(&str),
    ) -> Result<()> {
        while let Ok(row) = rows.recv_timeout(PATIENCE) {
            if let CallEvent::Arrived { origin: Origin::Trunk(_), called, .. } = &row.event
                && *called == self.line
            {
                begun.get_or_insert((row.call, row.at));
            }
            let Some((_, start)) = begun.filter(|(call, _)| *call == row.call) else { continue };
            if let Some(text) = words(&row.event) {
                say(&format!("  {:>6.2} s  {text}", (row.at.0 - start.0) as f64 / 1_000.0));
            }
            if last(&row.event) {
                return Ok(());
            }
        }
        bail!("the demonstration call did not get on")
    }
}

fn expect(phone: &Phone, wanted: impl Fn(&News) -> bool, otherwise: &str) -> Result<()> {
    while let Some(news) = phone.next(PATIENCE) {
        if wanted(&news) {
            return Ok(());
        }
    }
    bail!("{otherwise} within {} s", PATIENCE.as_secs())
}

/// One step of a call for people; `None` for what they need not see.
fn words(event: &CallEvent) -> Option<String> {
    Some(match event {
        CallEvent::Arrived { from, called, .. } => format!("arrived    on line {called} over trunk {from}"),
        CallEvent::Greeted { prompt } => format!("greeted    {prompt}"),
        CallEvent::Queued { queue, .. } => format!("queued     {queue}"),
        CallEvent::Offered { seat, .. } => format!("offered    to seat {}", seat.0),
        CallEvent::Ringing { .. } => "ringing".to_owned(),
        CallEvent::Talking { seat, .. } => format!("answered   by seat {}, both talk", seat.0),
        CallEvent::Recording { file } => format!("recording  {file}"),
        CallEvent::Ended { fate } => format!("ended      {}", fate.as_str()),
        CallEvent::AnsweredByExchange
        | CallEvent::Marked { .. }
        | CallEvent::Widened { .. }
        | CallEvent::Announced { .. }
        | CallEvent::Overflowed { .. }
        | CallEvent::Wish { .. }
        | CallEvent::Placed { .. }
        | CallEvent::Dialled { .. }
        | CallEvent::AnsweredOutside { .. }
        | CallEvent::Result { .. }
        | CallEvent::Healed { .. }
        | CallEvent::OfferEnded { .. }
        | CallEvent::TransferBegun { .. }
        | CallEvent::TransferAnswered { .. }
        | CallEvent::TransferJoined
        | CallEvent::TransferEnded { .. }
        | CallEvent::Supervised { .. }
        | CallEvent::Held { .. }
        | CallEvent::Digit { .. }
        | CallEvent::RecordingFailed { .. }
        | CallEvent::LegEnded { .. }
        | CallEvent::Quality { .. } => return None,
    })
}
