//! `yihao serve`: starts the exchange and stays until it is told to end.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Overrides, secrets};
use crate::dialplan::Plan;
use crate::node::demo::Demo;
use crate::node::{self, Running, Signal, Starting};
use crate::observability::{Format, init_logs};

/// Ended as told.
pub const OK: u8 = 0;
/// Could not start; the message says what to do.
pub const FAILED: u8 = 2;

/// Starts the exchange with a dial plan and serves calls until SIGTERM or Ctrl-C.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao serve
  yihao serve --listen 192.0.2.10 --plan dialplans/mianyang.toml
  yihao serve --config /etc/yihao/yihao.toml --no-demo

SIGTERM and Ctrl-C drain: no new calls, those in progress may finish for 30 s; a second one ends at once. SIGHUP reads
certificates, plan, secrets and prompts again: new calls go by the new plan, those in progress keep theirs.
Exit codes: 0 ended as told, 2 could not start.")]
pub struct Args {
    /// The configuration; without one the embedded defaults count.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// What stands over the configuration.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Place no demonstration call at the start. There is none either while inputs are logged: its seat is in no plan.
    #[arg(long)]
    pub no_demo: bool,
    /// What is logged, as in RUST_LOG, for example yihao=debug.
    #[arg(long, value_name = "FILTER", env = "YIHAO_LOG", default_value = "yihao=info,warn")]
    pub log: String,
    /// Log lines as JSON.
    #[arg(long)]
    pub log_json: bool,
    /// Send a span for each call, with its queues, offers and talks, to this OpenTelemetry collector (OTLP over gRPC), for
    /// example http://127.0.0.1:4317. Needs a build with the feature `otel`.
    #[arg(long, value_name = "URL", env = "YIHAO_OTLP")]
    pub otlp: Option<String>,
}

/// Runs the command; gives its exit code.
///
/// # Errors
/// What keeps the exchange from starting.
pub fn run(args: &Args) -> Result<u8> {
    let format = if args.log_json { Format::Json } else { Format::Human };
    let _logs = init_logs(format, &args.log, args.otlp.as_deref())?;
    let (config, mut starting) = read(args)?;
    let made = make_secrets(&config, &starting.plan)?;
    let (secrets, report) = secrets::load(&config.secrets, &config.realm, &starting.plan);
    let Some(mut secrets) = secrets else { bail!("the secrets have mistakes:\n{report}") };
    let demo =
        if args.no_demo || config.input_log.on { None } else { Demo::prepare(&mut starting, &mut secrets, &config) };
    let running = node::start(&config, &starting, &secrets)?;
    if args.otlp.is_some() {
        running.watch(node::spans::watcher());
    }
    greet(&config, &starting.plan, &running, made.as_deref());
    if !args.no_demo {
        demonstrate(&config, demo, &running);
    }
    wait(running)
}

/// One call through the real stack, told as it goes.
fn demonstrate(config: &Config, demo: Option<Demo>, running: &Running) {
    let Some(demo) = demo else {
        say!(
            "\nNo demonstration call: it needs UDP on loopback and a trunk of the plan on a loopback address of its own."
        );
        return;
    };
    say!("\nA demonstration call over real sockets:");
    let scratch = config.folders.var.join("demo");
    if let Err(error) = demo.run(running, &scratch, |line| say!("{line}")) {
        say!("  {error:#}");
    }
    // What the two phones recorded themselves is of no further use.
    let _absent = std::fs::remove_dir_all(&scratch);
    say!("\nThe exchange goes on; Ctrl-C ends it.");
}

fn read(args: &Args) -> Result<(Config, Starting)> {
    let config = super::configuration(args.config.as_deref(), &args.overrides)?;
    let starting = match Starting::read(&config) {
        Ok(starting) => starting,
        Err(report) => bail!("the dial plan has mistakes; `yihao check` shows them too:\n{report}"),
    };
    let warnings = starting.warnings.warnings.len();
    if warnings > 0 {
        tracing::warn!(warnings, "the plan has warnings; `yihao check` shows them");
    }
    Ok((config, starting))
}

/// At the first start each phone gets a password, kept as HA1; gives the one password that is shown once.
fn make_secrets(config: &Config, plan: &Plan) -> Result<Option<String>> {
    if config.secrets.exists() {
        return Ok(None);
    }
    if let Some(folder) = config.secrets.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} cannot be made; choose another with --var", folder.display()))?;
    }
    let password = secrets::readable_password(rand::random());
    secrets::create(&config.secrets, &config.realm, plan, |_| password.clone())
        .with_context(|| format!("{} cannot be written", config.secrets.display()))?;
    Ok(Some(password))
}

/// The first screen: where to call, how to register, where things are.
fn greet(config: &Config, plan: &Plan, running: &Running, password: Option<&str>) {
    say!("Yihao 一号 {} · {}", env!("CARGO_PKG_VERSION"), plan.deployment);
    let listeners: Vec<String> =
        running.listeners.iter().map(|(transport, address)| format!("{} {address}", transport.as_via())).collect();
    say!("  listens      {}", listeners.join(", "));
    if let Some((_, address)) = running.listeners.first() {
        say!("  call         sip:12345@{address}   (as a trunk of the plan; {} lines)", plan.lines.len());
        if let Some(seat) = plan.seats.values().find(|s| s.contact.is_none()) {
            say!("  a phone      user {}, realm and domain \"{}\", server {address}", seat.id.0, config.realm);
            match password {
                Some(password) => say!(
                    "               password {password} for all seats, shown this once; HA1 in {}",
                    config.secrets.display()
                ),
                None => say!("               its HA1 stands in {}", config.secrets.display()),
            }
            say!("               dial *41 to be ready, *42 not ready, *43 to sign out");
        }
    }
    say!("  records      yihao calls           ({})", config.folders.var.display());
    say!("  recordings   yihao recording export CALL --to call.wav   ({})", config.folders.recordings.display());
    let scheme = if config.http.tls { "https" } else { "http" };
    say!("  HTTP         {scheme}://{}/api/docs/   local token in {}", running.http, running.token_file.display());
    if let Some(first) = &running.first_password {
        say!("               sign in as {} with {}, shown this once; change it first", first.login, first.password);
    }
}

/// SIGHUP: certificates, plan, secrets and prompts are read again. What has mistakes stays as it is, and they are told.
fn reload(running: &Running) {
    if let Err(error) = running.reload() {
        tracing::error!("{error}");
    }
}

/// Signals of the system become signals of the node; returns when the node has ended.
fn wait(running: Running) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut asked = false;
        let mut look = tokio::time::interval(std::time::Duration::from_millis(200));
        while !running.is_over() {
            let end = tokio::select! {
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
                _ = hangup.recv() => { reload(&running); false }
                _ = look.tick() => false,
            };
            if end {
                running.signal(if asked { Signal::Stop } else { Signal::Drain });
                asked = true;
            }
        }
        Ok::<(), std::io::Error>(())
    })?;
    running.join();
    Ok(OK)
}
