//! The configuration file: TOML in, checked [`Config`] out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{
    CALENDAR, Config, DiskFull, Hep, Http, Listen, Network, Overrides, PROMPTS, Tls, TlsIdentity, beside, outside,
};
use crate::dialplan::report::{Report, Source};
use crate::dialplan::table::{At, Reader, Table};
use crate::sip::auth::Algorithm;
use crate::store::{self, UrlError};

/// Archives of a 12345 are kept for three years at least.
const THREE_YEARS_DAYS: u32 = 1_096;

/// Reads the configuration: defaults, then the file, then what environment and flags put over it.
/// There is a configuration exactly when the report has no error.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> (Option<Config>, Report) {
    let (config, report) = load_as_far_as_good(file, overrides);
    (report.is_ok().then_some(config), report)
}

/// Reads the configuration; what is wrong in it keeps its default. For `check`, which goes on to the plan.
pub fn load_as_far_as_good(file: Option<&Path>, overrides: &Overrides) -> (Config, Report) {
    let mut config = Config::default();
    let mut report = Report::default();
    if let Some(path) = file {
        let name = path.display().to_string();
        match outside::read(path) {
            Ok(text) => report.merge(read_text(&name, &text, path.parent().unwrap_or(Path::new("")), &mut config)),
            Err(why) => {
                let hint = "name it with --config FILE; without one the node starts on embedded defaults";
                report.merge(Report::of_file(&name, format!("the configuration {why}"), hint));
            }
        }
    }
    report.merge(put_over(&mut config, overrides));
    (config, report)
}

/// Reads a file's text into a configuration that holds the defaults. Paths in it start from `folder`.
pub(super) fn read_text(name: &str, text: &str, folder: &Path, config: &mut Config) -> Report {
    let reader = Reader::new(Source::new(name, text));
    if let Some(root) = reader.root() {
        Reading { reader: &reader, folder }.read(root, config);
    }
    reader.into_report()
}

fn put_over(config: &mut Config, overrides: &Overrides) -> Report {
    let mut report = Report::default();
    if let Some(plan) = &overrides.plan {
        if config.folders.prompts == beside(&config.plan, PROMPTS) {
            config.folders.prompts = beside(plan, PROMPTS);
        }
        if config.folders.calendar == beside(&config.plan, CALENDAR) {
            config.folders.calendar = beside(plan, CALENDAR);
        }
        config.plan.clone_from(plan);
    }
    if let Some(var) = &overrides.var {
        let moved = |path: &Path| path.strip_prefix(&config.folders.var).map_or(path.to_owned(), |rest| var.join(rest));
        (config.folders.recordings, config.secrets) = (moved(&config.folders.recordings), moved(&config.secrets));
        config.folders.var.clone_from(var);
    }
    if let Some(secrets) = &overrides.secrets {
        config.secrets.clone_from(secrets);
    }
    if let Some(prompts) = &overrides.prompts {
        config.folders.prompts.clone_from(prompts);
    }
    if let Some(http) = overrides.http {
        config.http.listen = http;
        if let Err((message, hint)) = covered(&config.http) {
            report.merge(Report::of_file("--http", message, hint));
        }
    }
    if let Some(listen) = overrides.listen {
        report.merge(listen_on(config, listen));
    }
    report
}

/// `--listen` moves the one network; with several it is not clear which, so the file decides.
fn listen_on(config: &mut Config, listen: Listen) -> Report {
    let [network] = config.networks.as_mut_slice() else {
        let message = "the configuration has several networks: --listen cannot tell which one is meant";
        return Report::of_file("--listen", message, "set the addresses in [[network]] of the configuration");
    };
    let moved = Network::on(&network.name, listen);
    (network.udp, network.tcp, network.tls) = (moved.udp, moved.tcp, moved.tls);
    let range = network.rtp;
    if let Some(inside) = network.listeners().find(|listener| range.holds(listener.port())) {
        let message = format!("{inside} lies inside the range of RTP ports, {range}");
        return Report::of_file("--listen", message, "choose a port outside, or another range: rtp in [[network]]");
    }
    if listen.ip.is_unspecified() && network.advertised(listen.ip.is_ipv6()).is_none_or(|ip| ip.is_unspecified()) {
        let message = format!("{} is every address: telephones would be told to answer to it", listen.ip);
        return Report::of_file("--listen", message, "name the address that carriers and telephones reach");
    }
    Report::default()
}

/// Passwords and numbers cross no network in clear.
fn covered(http: &Http) -> Result<(), (String, &'static str)> {
    if http.listen.ip().is_loopback() || http.tls || http.behind_proxy {
        return Ok(());
    }
    let message = format!("HTTP on {} would carry passwords in clear", http.listen);
    Err((message, "set tls = true in [http], or behind_proxy = true when a proxy of yours speaks TLS for it"))
}

/// A configuration file being read.
pub(super) struct Reading<'r, 'a> {
    pub(super) reader: &'r Reader<'a>,
    folder: &'r Path,
}

impl<'r, 'a> Reading<'r, 'a> {
    fn read(&self, root: Table<'r, 'a>, config: &mut Config) {
        if let Some(realm) = root.text("realm") {
            if realm.value.is_empty() || realm.value.contains(['"', '\\']) || realm.value.chars().any(char::is_control)
            {
                let hint = Some("a short name without quotes: realm = \"yihao\"".to_owned());
                self.reader.error(realm.span, &realm.key, "the realm is not usable in a SIP header", hint);
            } else {
                config.realm = realm.value;
            }
        }
        self.read_digest(&root, config);
        if let Some(plan) = self.path(&root, "plan") {
            config.folders.prompts = beside(&plan, PROMPTS);
            config.folders.calendar = beside(&plan, CALENDAR);
            config.plan = plan;
        }
        config.second_person = root.flag("second_person").unwrap_or(config.second_person);
        self.read_folders(&root, config);
        if let Some(secrets) = self.path(&root, "secrets") {
            config.secrets = secrets;
        }
        self.read_database(&root, config);
        self.read_http(&root, config);
        self.read_recording(&root, config);
        self.read_retention(&root, config);
        read_ledger(&root, config);
        self.read_media(&root, config);
        self.read_tls(&root, config);
        read_timers(&root, config);
        read_limits(&root, config);
        read_drain(&root, config);
        read_input_log(&root, config);
        read_hep(&root, config);
        self.read_networks(&root, config);
        root.finish();
    }

    fn read_digest(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let known = |text: &str| {
            [Algorithm::Sha256, Algorithm::Md5]
                .into_iter()
                .find(|a| a.name().eq_ignore_ascii_case(text))
                .ok_or_else(|| format!("{text:?} is no digest algorithm that is kept for telephones"))
        };
        let wanted = root.parsed_list("digest", "digest = [\"SHA-256\", \"MD5\"]", known);
        if !wanted.is_empty() {
            config.digest = wanted.into_iter().map(|at| at.value).collect();
        }
    }

    fn path(&self, table: &Table<'r, 'a>, key: &'static str) -> Option<PathBuf> {
        table.text(key).map(|at| self.folder.join(at.value))
    }

    fn read_folders(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(table) = root.table("folders") else { return };
        if let Some(var) = self.path(&table, "var") {
            config.folders.recordings = var.join("recordings");
            config.secrets = var.join("secrets.toml");
            config.folders.var = var;
        }
        if let Some(recordings) = self.path(&table, "recordings") {
            config.folders.recordings = recordings;
        }
        if let Some(prompts) = self.path(&table, "prompts") {
            config.folders.prompts = prompts;
        }
        if let Some(calendar) = table.text("calendar") {
            config.folders.calendar = self.folder.join(&calendar.value);
            if !config.folders.calendar.is_dir() {
                let message = format!("there is no folder {}", config.folders.calendar.display());
                let hint = Some("put the years into it, as in dialplans/calendar".to_owned());
                self.reader.error(calendar.span, &calendar.key, message, hint);
            }
        }
        table.finish();
    }

    fn read_database(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(url) = root.text("database") else { return };
        let Err(error) = store::check_url(&url.value) else {
            config.database = Some(url.value);
            return;
        };
        let hint = match error {
            UrlError::Scheme | UrlError::Malformed(_) => "database = \"postgres://yihao@db.example:5432/yihao\"",
            UrlError::Password => "it belongs into the secrets file: [database] password = \"...\"",
        };
        self.reader.error(url.span, &url.key, error.to_string(), Some(hint.to_owned()));
    }

    fn read_http(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(table) = root.table("http") else { return };
        let http = &mut config.http;
        http.tls = table.flag("tls").unwrap_or(http.tls);
        http.behind_proxy = table.flag("behind_proxy").unwrap_or(http.behind_proxy);
        http.requests_per_s = table.number_or("requests_per_s", 1..=100_000, http.requests_per_s);
        if let Some(listen) = table.parsed("listen", "address and port: \"127.0.0.1:8080\"", socket) {
            http.listen = listen.value;
            if let Err((message, hint)) = covered(http) {
                self.reader.error(listen.span, &listen.key, message, Some(hint.to_owned()));
            }
        }
        table.finish();
    }

    fn read_recording(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(table) = root.table("recording") else { return };
        let recording = &mut config.recording;
        recording.on = table.flag("on").unwrap_or(recording.on);
        let hint = "\"continue\": serve calls without recording; \"refuse\": refuse new calls";
        let parse = |word: &str| match word {
            "continue" => Ok(DiskFull::Continue),
            "refuse" => Ok(DiskFull::Refuse),
            _ => Err(format!("{word:?} is nothing to do when the disk is full")),
        };
        if let Some(policy) = table.parsed("disk_full", hint, parse) {
            recording.disk_full = policy.value;
        }
        recording.min_free_mb = table.number_or("min_free_mb", 10..=10_000_000, recording.min_free_mb);
        table.finish();
    }

    fn read_retention(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(table) = root.table("retention") else { return };
        let keep = &mut config.retention;
        keep.records_days = table.number_or("records_days", 1..=36_500, keep.records_days);
        keep.recordings_days =
            table.number_or("recordings_days", 1..=36_500, keep.records_days.min(keep.recordings_days));
        ordered(&table, ("recordings_days", keep.recordings_days), ("records_days", keep.records_days));
        if keep.records_days < THREE_YEARS_DAYS || keep.recordings_days < THREE_YEARS_DAYS {
            let here = table.here();
            let message = "records or recordings are kept for less than three years";
            self.reader.warning(here.span, &here.key, message, Some("the default is 1100 days".to_owned()));
        }
        table.finish();
    }

    fn read_media(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(table) = root.table("media") else { return };
        config.media.workers = table.number("workers", 1..=128).and_then(|at| u8::try_from(at.value).ok());
        let media = &mut config.media;
        media.pin = table.flag("pin").unwrap_or(media.pin);
        media.silence_s = table.number_or("silence_s", 5..=3_600, media.silence_s);
        media.silence_on_hold_s = table.number_or("silence_on_hold_s", 5..=86_400, media.silence_on_hold_s);
        ordered(&table, ("silence_s", media.silence_s), ("silence_on_hold_s", media.silence_on_hold_s));
        table.finish();
    }

    fn read_tls(&self, root: &Table<'r, 'a>, config: &mut Config) {
        let Some(table) = root.table("tls") else { return };
        let certificate = self.pem(&table, "certificate", "CERTIFICATE");
        let key = self.pem(&table, "key", "PRIVATE KEY");
        match (table.has("certificate"), table.has("key")) {
            (true, false) => table.missing("key", "a certificate needs its key: key = \"tls/key.pem\""),
            (false, true) => {
                table.missing("certificate", "a key needs its certificate: certificate = \"tls/chain.pem\"")
            }
            (true, true) | (false, false) => {}
        }
        if let Some(key) = &key
            && outside::is_open_to_all(&key.value) == Some(true)
        {
            let hint = Some(format!("chmod 600 {}", key.value.display()));
            self.reader.error(key.span.clone(), &key.key, "everybody on this machine may read the private key", hint);
        }
        let client_ca = self.pem(&table, "client_ca", "CERTIFICATE").map(|at| at.value);
        let identity = certificate
            .zip(key)
            .map(|(certificate, key)| TlsIdentity { certificate: certificate.value, key: key.value });
        config.tls = Tls { identity, client_ca };
        table.finish();
    }

    /// A path to a PEM file of a kind, which must be there.
    fn pem(&self, table: &Table<'r, 'a>, key: &'static str, kind: &str) -> Option<At<PathBuf>> {
        let at = table.text(key)?;
        let path = self.folder.join(&at.value);
        if let Err(why) = outside::is_pem(&path, kind) {
            let hint = Some("leave [tls] out to have a self-signed certificate made".to_owned());
            self.reader.error(at.span.clone(), &at.key, format!("{} {why}", path.display()), hint);
        }
        Some(at.with(path))
    }
}

pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address with a port"))
}

fn read_timers(root: &Table<'_, '_>, config: &mut Config) {
    let Some(table) = root.table("timers") else { return };
    let timers = &mut config.timers;
    timers.t1_ms = table.number_or("t1_ms", 50..=5_000, timers.t1_ms);
    timers.t2_ms = table.number_or("t2_ms", 500..=60_000, timers.t2_ms);
    timers.t4_ms = table.number_or("t4_ms", 500..=60_000, timers.t4_ms);
    timers.session_expires_s = table.number_or("session_expires_s", 90..=86_400, timers.session_expires_s);
    timers.min_se_s = table.number_or("min_se_s", 90..=3_600, timers.min_se_s);
    timers.register_min_s = table.number_or("register_min_s", 10..=3_600, timers.register_min_s);
    timers.register_max_s = table.number_or("register_max_s", 60..=86_400, timers.register_max_s);
    ordered(&table, ("min_se_s", timers.min_se_s), ("session_expires_s", timers.session_expires_s));
    ordered(&table, ("register_min_s", timers.register_min_s), ("register_max_s", timers.register_max_s));
    ordered(&table, ("t1_ms", timers.t1_ms), ("t2_ms", timers.t2_ms));
    table.finish();
}

/// A smaller setting must not be above a greater one.
fn ordered(table: &Table<'_, '_>, (small, low): (&str, u32), (great, high): (&str, u32)) {
    if low > high {
        let here = table.here();
        table.reader().error(here.span, &here.key, format!("{small} ({low}) is above {great} ({high})"), None);
    }
}

fn read_limits(root: &Table<'_, '_>, config: &mut Config) {
    let Some(table) = root.table("limits") else { return };
    let limits = &mut config.limits;
    limits.calls = table.number_or("calls", 1..=100_000, limits.calls);
    limits.calls_per_s = table.number_or("calls_per_s", 1..=100_000, limits.calls_per_s);
    limits.connections = table.number_or("connections", 1..=100_000, limits.connections);
    limits.connections_per_address =
        table.number_or("connections_per_address", 1..=100_000, limits.connections_per_address);
    table.finish();
}

fn read_drain(root: &Table<'_, '_>, config: &mut Config) {
    let Some(table) = root.table("drain") else { return };
    config.drain.seconds = table.number_or("seconds", 1..=86_400, config.drain.seconds);
    config.drain.notice_s = table.number_or("notice_s", 0..=300, config.drain.notice_s);
    table.finish();
}

fn read_hep(root: &Table<'_, '_>, config: &mut Config) {
    let Some(table) = root.table("hep") else { return };
    let agent = table.number_or("agent", 1..=u32::MAX, 1);
    let hint = "address and port: \"192.0.2.7:9060\"";
    if let Some(collector) = table.parsed("collector", hint, socket) {
        config.hep = Some(Hep { collector: collector.value, agent });
    } else if !table.has("collector") {
        table.missing("collector", hint);
    }
    table.finish();
}

fn read_ledger(root: &Table<'_, '_>, config: &mut Config) {
    let Some(table) = root.table("ledger") else { return };
    let ledger = &mut config.ledger;
    ledger.keep_days = table.number_or("keep_days", 1..=365, ledger.keep_days);
    ledger.max_mb = table.number_or("max_mb", 128..=1_000_000, ledger.max_mb);
    table.finish();
}

fn read_input_log(root: &Table<'_, '_>, config: &mut Config) {
    let Some(table) = root.table("input_log") else { return };
    let log = &mut config.input_log;
    log.on = table.flag("on").unwrap_or(log.on);
    log.max_mb = table.number_or("max_mb", 1..=1_000_000, log.max_mb);
    log.keep_days = table.number_or("keep_days", 1..=365, log.keep_days);
    table.finish();
}
