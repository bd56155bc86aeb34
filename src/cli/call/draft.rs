//! A scratch exchange on loopback that goes by a draft of the plan, for one test call. Nothing of it reaches a carrier or a
//! seat, and nothing of it stays.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::super::client::{Answer, Exchange};
use crate::config::secrets::Secrets;
use crate::config::{Config, Listen, Network, RtpRange};
use crate::dialplan::{Cidr, Plan};
use crate::node::{self, Running, Signal, Starting};
use crate::sip::flow::Transport;

/// First RTP port: below those of the test phone.
const RTP: u16 = 16_000;
/// RTP ports of each network; there are 16 networks at most.
const PORTS: u16 = 60;

/// An exchange for one call.
pub(super) struct Scratch {
    running: Option<Running>,
    folder: PathBuf,
    /// Where it listens over UDP.
    pub(super) at: SocketAddr,
    /// How commands ask it.
    pub(super) asked: Exchange,
    /// The plan by which it goes.
    pub(super) plan: Plan,
}

impl Scratch {
    /// Starts one that goes by a version; calls from this machine come over the trunk of the name, or the first.
    pub(super) fn start(exchange: &Exchange, config: &Config, version: i64, trunk: Option<&str>) -> Result<Self> {
        let text = match exchange.ask("GET", &format!("/api/v1/plan/versions/{version}"), None)? {
            Answer::Done(shown) => shown["text"].as_str().unwrap_or_default().to_owned(),
            Answer::Refused { code, message } => bail!("{message} ({code})"),
        };
        let folder = config.folders.var.join("call").join(format!("draft-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let config = on_loopback(config, folder.clone());
        std::fs::write(&config.plan, text).context("the draft cannot be written")?;
        let mut starting = match Starting::read(&config) {
            Ok(starting) => starting,
            Err(report) => bail!("the draft has mistakes:\n{report}"),
        };
        for planned in &mut starting.plan.trunks {
            (planned.address, planned.register, planned.tls_identity) = (None, None, None);
        }
        let chosen = starting.plan.trunks.iter_mut().find(|planned| trunk.is_none_or(|name| planned.name == name));
        let chosen = chosen.with_context(|| format!("the draft has no trunk {:?}", trunk.unwrap_or_default()))?;
        let here = vec![Cidr { address: Ipv4Addr::LOCALHOST.into(), prefix: 32 }];
        chosen.sources.clone_from(&here);
        let chosen = chosen.id;
        for other in starting.plan.trunks.iter_mut().filter(|planned| planned.id != chosen) {
            other.sources.retain(|source| !here.contains(source));
        }
        let running = node::start(&config, &starting, &Secrets::default())?;
        let at = running.listeners.iter().find(|(transport, _)| *transport == Transport::Udp).map(|(_, at)| *at);
        let asked =
            Exchange { config: None, var: Some(config.folders.var.clone()), http: Some(running.http), json: false };
        let at = at.context("the scratch exchange does not listen")?;
        Ok(Self { running: Some(running), folder, at, asked, plan: starting.plan })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::Stop);
            running.join();
        }
        // What stays behind is scratch, for whoever wants to look.
        let _there = std::fs::remove_dir_all(&self.folder);
    }
}

/// The same configuration on loopback, with all that is written in one folder.
fn on_loopback(config: &Config, folder: PathBuf) -> Config {
    let mut own = config.clone();
    let anywhere = Listen { ip: Ipv4Addr::LOCALHOST.into(), port: 0 };
    for (network, first) in own.networks.iter_mut().zip((RTP..).step_by(PORTS.into())) {
        let rtp = RtpRange { first, last: first + PORTS - 1 };
        let udp = Network::on(&network.name, anywhere).udp;
        *network = Network { udp, tcp: Vec::new(), tls: Vec::new(), rtp, ..network.clone() };
        (network.advertised_v4, network.advertised_v6) = (None, None);
    }
    own.http.listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    (own.http.tls, own.http.behind_proxy) = (false, false);
    (own.plan, own.secrets) = (folder.join("plan.toml"), folder.join("secrets.toml"));
    (own.folders.recordings, own.folders.var) = (folder.join("recordings"), folder);
    (own.database, own.hep, own.second_person, own.input_log.on) = (None, None, false, false);
    own
}
