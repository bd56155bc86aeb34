//! The configuration: defaults, file, overrides, and each mistake at its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::dialplan::report::{Finding, Report};

fn read(text: &str) -> (Config, Report) {
    let mut config = Config::default();
    let report = read::read_text("yihao.toml", text, Path::new("/etc/yihao"), &mut config);
    (config, report)
}

/// The one error of a text: line and column, message and hint.
fn only_error(text: &str) -> ((usize, usize), String) {
    let (_, report) = read(text);
    assert_eq!(report.errors.len(), 1, "{text}: {report}");
    let Finding { place, message, hint, .. } = &report.errors[0];
    let place = place.as_ref().map_or((0, 0), |place| (place.line, place.column));
    (place, format!("{message} / {}", hint.as_deref().unwrap_or("")))
}

fn listen(text: &str) -> Option<Listen> {
    Some(text.parse().expect("an address"))
}

#[test]
fn without_a_file_everything_is_on_loopback() {
    let (config, report) = load(None, &Overrides::default());
    let config = config.expect("the defaults are good");
    assert!(report.is_clean(), "{report}");
    assert_eq!(config, Config::default());
    assert!(config.networks[0].listeners().all(|listener| listener.ip().is_loopback()));
    assert!(config.http.listen.ip().is_loopback() && !config.input_log.on);
    assert_eq!(config.networks[0].rtp.pairs(), 5_000);
    assert_eq!(config.folders.prompts, Path::new("dialplans/prompts"));
}

#[test]
fn a_full_file_is_read_whole() {
    let text = r#"
realm = "mianyang"
plan = "plan.toml"
secrets = "/etc/yihao/secret/secrets.toml"
[folders]
var = "/var/lib/yihao"
[http]
listen = "[::1]:8081"
[recording]
on = true
disk_full = "refuse"
min_free_mb = 1000
[media]
workers = 3
pin = true
silence_s = 45
[timers]
t1_ms = 250
session_expires_s = 900
[limits]
calls = 2000
[drain]
seconds = 90
[input_log]
on = true
[hep]
collector = "192.0.2.7:9060"
[[network]]
name = "carrier"
udp = ["10.0.0.2:5060", "[2001:db8::2]:5060"]
advertised = ["203.0.113.5"]
rtp = "20000-24999"
[[network]]
name = "seats"
tls = ["10.1.0.2:5061"]
rtp = "25000-29999"
dscp_media = 34
"#;
    let (config, report) = read(text);
    assert!(report.is_clean(), "{report}");
    assert_eq!(config.plan, Path::new("/etc/yihao/plan.toml"), "paths start from the folder of the file");
    assert_eq!(config.folders.prompts, Path::new("/etc/yihao/prompts"), "beside the plan");
    assert_eq!(config.folders.recordings, Path::new("/var/lib/yihao/recordings"));
    assert_eq!(config.recording.disk_full, DiskFull::Refuse);
    assert_eq!(config.hep, Some(Hep { collector: "192.0.2.7:9060".parse().expect("an address"), agent: 1 }));
    assert_eq!((config.media.silence_s, config.media.silence_on_hold_s), (45, 300));
    assert_eq!((config.drain.seconds, config.drain.notice_s), (90, 10));
    assert_eq!((config.media.workers, config.timers.t1_ms, config.timers.t2_ms), (Some(3), 250, 4_000));
    let [carrier, seats] = config.networks.as_slice() else { panic!("two networks") };
    assert_eq!(carrier.advertised(false), Some("203.0.113.5".parse().expect("an address")));
    assert_eq!(carrier.advertised(true), Some("2001:db8::2".parse().expect("an address")));
    assert_eq!(seats.advertised(true), None, "the network has no IPv6");
    assert_eq!((seats.udp.len(), seats.dscp_media, seats.dscp_signalling), (0, 34, 24));
}

#[test]
fn each_mistake_is_shown_where_it_stands() {
    let network = "[[network]]\nname = \"a\"\n";
    let cases = [
        ("[http]\nlisten = \"0.0.0.0:8080\"", (2, 10), "passwords in clear"),
        ("[http]\nlisten = \"8080\"", (2, 10), "no address with a port"),
        ("[recording]\ndisk_full = \"stop\"", (2, 13), "continue"),
        ("[hep]\nagent = 2", (1, 1), "collector"),
        ("[hep]\ncollector = \"192.0.2.7\"", (2, 13), "no address with a port"),
        ("[media]\nworkers = 0", (2, 11), "use 1 to 128"),
        ("[timers]\nmin_se_s = 30", (2, 12), "use 90 to 3600"),
        ("[media]\nsilence_s = 400", (1, 1), "above silence_on_hold_s"),
        ("[timers]\nmin_se_s = 900\nsession_expires_s = 600", (1, 1), "above session_expires_s"),
        ("realm = \"a\\\"b\"", (1, 9), "not usable"),
        ("[tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n", (2, 15), ""),
        ("[recordings]\non = true", (1, 2), "did you mean `recording`?"),
        (network, (1, 1), "listens nowhere"),
        (&format!("{network}udp = []"), (1, 1), "listens nowhere"),
        (&format!("{network}udp = [\"10.0.0.1\"]"), (3, 8), "no address with a port"),
        (&format!("{network}udp = [\"0.0.0.0:5060\"]"), (1, 1), "advertised = "),
        (&format!("{network}udp = [\"10.0.0.1:5060\", \"10.0.0.1:5060\"]"), (3, 25), "listened on twice"),
        (&format!("{network}tcp = [\"10.0.0.1:5060\"]\ntls = [\"10.0.0.1:5060\"]"), (4, 8), "listened on twice"),
        (&format!("{network}udp = [\"10.0.0.1:5060\"]\nrtp = \"20001-30000\""), (4, 7), "the first is even"),
        (&format!("{network}udp = [\"10.0.0.1:5060\"]\nrtp = \"5000-5999\""), (4, 7), "inside the range of RTP ports"),
        (&format!("{network}udp = [\"10.0.0.1:5060\"]\ndscp_media = 64"), (4, 14), "use 0 to 63"),
        (
            &format!("{network}tls = [\"10.0.0.1:5061\"]\nmedia_over_tls = \"zrtp\""),
            (4, 18),
            "no way for audio to travel",
        ),
        (
            &format!("{network}udp = [\"10.0.0.1:5060\"]\n[[network]]\nname = \"b\"\nudp = [\"10.0.0.1:5070\"]"),
            (4, 1),
            "overlap those of the network \"a\"",
        ),
        (
            &format!("{network}udp = [\"10.0.0.1:5060\"]\n[[network]]\nname = \"a\"\nudp = [\"10.0.0.2:5060\"]"),
            (5, 8),
            "two networks named \"a\"",
        ),
    ];
    for (text, place, part) in cases {
        if text.starts_with("[tls]") {
            let (_, report) = read(text);
            assert_eq!(report.errors.len(), 2, "certificate and key: {report}");
            assert!(report.errors[0].message.contains("there is no such file"), "{report}");
            continue;
        }
        let (is, message) = only_error(text);
        assert_eq!(is, place, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn udp_and_tcp_share_a_port_and_ranges_on_other_addresses_do_not_clash() {
    let text = "[[network]]\nname = \"a\"\nudp = [\"10.0.0.1:5060\"]\ntcp = [\"10.0.0.1:5060\"]\n\
                [[network]]\nname = \"b\"\nudp = [\"10.0.0.2:5060\"]";
    assert!(read(text).1.is_clean());
    let (_, report) = read("[[network]]\nname = \"a\"\nudp = [\"10.0.0.1:5060\"]\nrtp = \"30000-39999\"");
    assert!(report.is_ok() && report.warnings[0].message.contains("ports that the system gives out"), "{report}");
}

#[test]
fn flags_stand_over_the_file() {
    let overrides = Overrides {
        listen: listen("192.0.2.10:5080"),
        plan: Some("other/plan.toml".into()),
        var: Some("elsewhere".into()),
        ..Overrides::default()
    };
    let config = load(None, &overrides).0.expect("good");
    let ports: Vec<u16> = config.networks[0].listeners().map(|listener| listener.port()).collect();
    assert_eq!(ports, [5080, 5080, 5081]);
    assert_eq!(config.networks[0].advertised(false), Some("192.0.2.10".parse().expect("an address")));
    assert_eq!(config.folders.prompts, Path::new("other/prompts"));
    assert_eq!(config.folders.recordings, Path::new("elsewhere/recordings"));
    assert_eq!(config.secrets, Path::new("elsewhere/secrets.toml"));
}

#[test]
fn addresses_are_read_with_and_without_port() {
    for (text, shown) in [
        ("192.0.2.1", "192.0.2.1:5060"),
        ("192.0.2.1:0", "192.0.2.1:0"),
        ("::1", "[::1]:5060"),
        ("[::1]", "[::1]:5060"),
        ("[::1]:5070", "[::1]:5070"),
    ] {
        assert_eq!(listen(text).expect("an address").to_string(), shown);
    }
    assert!("example.org".parse::<Listen>().is_err() && "5060".parse::<Listen>().is_err());
    let free = Network::on("main", listen("127.0.0.1:0").expect("an address"));
    assert!(free.listeners().all(|listener| listener.port() == 0), "any free port, for TLS too");
}

#[test]
fn overrides_that_cannot_be_are_refused() {
    let every = load(None, &Overrides { listen: listen("0.0.0.0"), ..Overrides::default() });
    assert!(every.0.is_none() && every.1.errors[0].message.contains("every address"), "{}", every.1);
    let http = "192.0.2.10:8080".parse().ok();
    let open = load(None, &Overrides { http, ..Overrides::default() });
    assert!(open.0.is_none() && open.1.errors[0].message.contains("passwords in clear"), "{}", open.1);
    for at in ["127.0.0.1:20000", "127.0.0.1:29999", "127.0.0.1:19999"] {
        let inside = load(None, &Overrides { listen: listen(at), ..Overrides::default() });
        let says = "inside the range of RTP ports, 20000-29999";
        assert!(inside.0.is_none() && inside.1.errors[0].message.contains(says), "{at}: {}", inside.1);
    }
    assert!(load(None, &Overrides { listen: listen("127.0.0.1:19998"), ..Overrides::default() }).0.is_some());
    let absent = load(Some(Path::new("/nonexistent/yihao.toml")), &Overrides::default());
    assert!(absent.0.is_none() && absent.1.errors[0].message.contains("there is no such file"), "{}", absent.1);
}

#[test]
fn an_open_private_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, kind: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, format!("-----BEGIN {kind}-----\nAA==\n-----END {kind}-----\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    };
    write("chain.pem", "CERTIFICATE", 0o644);
    write("key.pem", "PRIVATE KEY", 0o600);
    let file = folder.path().join("yihao.toml");
    fs::write(&file, "[tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n").expect("written");
    let (config, report) = load(Some(&file), &Overrides::default());
    assert!(report.is_clean() && config.is_some_and(|config| config.tls.identity.is_some()), "{report}");
    write("key.pem", "PRIVATE KEY", 0o604);
    let (_, report) = load(Some(&file), &Overrides::default());
    assert!(report.errors[0].message.contains("everybody on this machine may read the private key"), "{report}");
    write("key.pem", "CERTIFICATE", 0o600);
    let (_, report) = load(Some(&file), &Overrides::default());
    assert!(report.errors[0].message.contains("holds no PRIVATE KEY"), "{report}");
}

#[test]
fn a_plan_is_held_against_disk_and_networks() {
    let plan = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/mianyang.toml"));
    let config = load(None, &Overrides { plan: Some(plan.into()), ..Overrides::default() }).0.expect("good");
    let (read, report) = load_plan(&config);
    assert!(read.is_some(), "{report}");
    let mut other = config.clone();
    other.networks[0].name = "carrier".to_owned();
    let (read, report) = load_plan(&other);
    assert!(read.is_none() && report.errors.len() == 3, "all trunks name the network: {report}");
    let mut other = config.clone();
    other.folders.prompts = "/nonexistent".into();
    let (read, report) = load_plan(&other);
    assert!(read.is_none() && report.errors.len() == 1, "one message for the folder, not one a prompt: {report}");
    other.plan = "/nonexistent/plan.toml".into();
    let (_, report) = load_plan(&other);
    assert!(report.errors[0].message.contains("there is no such file"), "{report}");
}

#[test]
fn the_example_of_the_documentation_is_the_default() {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/yihao.toml")).expect("the example is there");
    let mut config = Config::default();
    let report = read::read_text("deploy/yihao.toml", &text, Path::new("deploy"), &mut config);
    assert!(report.is_clean(), "{report}");
    let paths = |config: &Config| (config.plan.clone(), config.secrets.clone(), config.folders.clone());
    assert_ne!(paths(&config), paths(&Config::default()), "paths start from the folder of the file");
    let defaults = Config::default();
    (config.plan, config.secrets, config.folders) = paths(&defaults);
    assert_eq!(config, defaults);
}

#[test]
fn a_trunk_that_tls_proves_needs_listener_and_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let good =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/mianyang.toml")).expect("the plan is there");
    let plan = folder.path().join("plan.toml");
    fs::write(&plan, good.replacen("network = \"main\"", "network = \"main\"\ntls_identity = \"carrier.example\"", 1))
        .expect("written");
    let prompts = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/prompts").into());
    let overrides = Overrides { plan: Some(plan), prompts, ..Overrides::default() };
    let mut config = load(None, &overrides).0.expect("good");
    let (read, report) = load_plan(&config);
    assert!(read.is_none() && report.errors.len() == 1 && report.errors[0].message.contains("vouches"), "{report}");
    config.tls.client_ca = Some("ca.pem".into());
    assert!(load_plan(&config).0.is_some());
    config.networks[0].tls.clear();
    let (read, report) = load_plan(&config);
    assert!(read.is_none() && report.errors[0].message.contains("no TLS listener"), "{report}");
}

#[test]
fn the_database_is_named_without_its_password() {
    let (config, report) = read("database = \"postgres://yihao@db.example/yihao?sslmode=verify-full\"\n");
    assert!(report.is_clean(), "{report}");
    let place = config.records(Some(&secrets::Password::new("geheim")));
    assert_eq!(place.to_string(), "postgres://yihao@db.example/yihao?sslmode=verify-full");
    assert!(!format!("{place:?} {config:?}").contains("geheim"));
    assert_eq!(read("").0.records(None), store::Place::Sqlite("var/yihao.sqlite".into()));
    for (url, what) in [
        ("mysql://db/yihao", "only postgres://"),
        ("postgres://yihao:geheim@db/yihao", "[database] password"),
        ("postgres://db/yihao?password=geheim", "[database] password"),
        ("postgres://[db/yihao", "not an address of a server"),
    ] {
        let (_, said) = only_error(&format!("database = \"{url}\"\n"));
        assert!(said.contains(what), "{url}: {said}");
    }
}

#[test]
fn the_password_of_the_database_stands_in_the_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.toml");
    fs::write(&path, "realm = \"yihao\"\n[database]\npassword = \"geheim\"\n").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    assert_eq!(secrets::database_password(&path), Some(secrets::Password::new("geheim")));
    let (read, report) = secrets::load(&path, "yihao", &crate::dialplan::Plan::default());
    assert!(report.is_ok(), "{report}");
    assert!(read.is_some_and(|s| s.database == Some(secrets::Password::new("geheim"))));
}

#[test]
fn records_are_kept_three_years_unless_somebody_insists() {
    let (config, report) = read("[retention]\nrecords_days = 2000\n[ledger]\nkeep_days = 3\nmax_mb = 512\n");
    assert!(report.is_clean(), "{report}");
    assert_eq!((config.retention.records_days, config.retention.recordings_days), (2_000, 1_100));
    assert_eq!(config.ledger, Ledger { keep_days: 3, max_mb: 512 });
    let (config, report) = read("[retention]\nrecords_days = 30\n");
    assert_eq!(config.retention.recordings_days, 30);
    assert!(
        report.is_ok() && report.warnings.len() == 1 && report.warnings[0].message.contains("three years"),
        "{report}"
    );
    let (_, said) = only_error("[retention]\nrecords_days = 1100\nrecordings_days = 1200\n");
    assert!(said.contains("recordings_days (1200) is above records_days (1100)"), "{said}");
}
