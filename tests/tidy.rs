//! The house rules of docs/architecture.md and of the style guide, checked on the source text.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

/// A module (longest prefix counts), the modules of this crate it may name, and whether it is pure.
/// Imports point downward only; a new edge is a design decision and gets its own commit.
const LAYERS: &[(&str, &[&str], Purity)] = &[
    // L0
    ("types", &[], Purity::Pure),
    // L1
    ("journal", &["types"], Purity::Pure),
    ("sip", &["sip"], Purity::Pure),
    ("sip/message", &["sip/message", "types"], Purity::Pure),
    ("sip/flow", &["types"], Purity::Pure),
    ("sip/sdp", &["sip/sdp", "types"], Purity::Pure),
    ("sip/negotiate", &["sip/sdp", "sip/negotiate", "types"], Purity::Pure),
    ("sip/transaction", &["sip/transaction", "sip/message", "sip/flow", "types"], Purity::Pure),
    ("sip/dialog", &["sip/dialog", "sip/transaction", "sip/message", "sip/flow", "types"], Purity::Pure),
    ("sip/auth", &["sip/auth", "sip/message", "types"], Purity::Pure),
    ("media", &["media"], Purity::Pure),
    ("media/rtp", &["media", "types"], Purity::Pure),
    ("media/rtcp", &["media", "types"], Purity::Pure),
    ("media/recording", &["media", "journal", "types"], Purity::Pure),
    ("media/ports", &["types"], Purity::Pure),
    ("media/codec", &["media", "types"], Purity::Pure),
    ("media/dtmf", &["media", "types"], Purity::Pure),
    ("media/jitter", &["media", "types"], Purity::Pure),
    ("media/latch", &["media", "types"], Purity::Pure),
    ("media/mixer", &["media", "types"], Purity::Pure),
    ("media/quality", &["media", "types"], Purity::Pure),
    ("media/srtp", &["media", "types"], Purity::Pure),
    // L2
    ("dialplan", &["dialplan", "types"], Purity::Pure),
    ("call", &["call", "types"], Purity::Pure),
    ("seat", &["types"], Purity::Pure),
    ("acd", &["acd", "types"], Purity::Pure),
    // L3
    ("sip/endpoint", &["sip", "media/ports", "media/dtmf", "types", "dialplan"], Purity::Pure),
    ("sip/registrar", &["sip", "types", "dialplan"], Purity::Pure),
    ("sip/trunk", &["sip", "types", "dialplan"], Purity::Pure),
    ("center", &["center", "call", "acd", "seat", "dialplan", "types"], Purity::Pure),
    ("simulate", &["simulate", "center", "dialplan", "types"], Purity::Pure),
    ("exchange", &["exchange", "sip", "center", "media/engine", "media/dtmf", "dialplan", "types"], Purity::Pure),
    // L4
    ("sip/transport", &["sip", "types"], Purity::Shell),
    ("sip/dns", &["sip", "types"], Purity::Shell),
    ("media/engine", &["media", "journal", "types"], Purity::Shell),
    ("store", &["store", "journal", "types"], Purity::Shell),
    ("api", &["api", "center", "store", "dialplan", "types"], Purity::Shell),
    // L5
    (
        "node",
        &[
            "node",
            "exchange",
            "sip",
            "media",
            "center",
            "dialplan",
            "store",
            "api",
            "journal",
            "observability",
            "simulate",
            "config",
            "types",
        ],
        Purity::Shell,
    ),
    ("config", &["config", "dialplan", "sip", "media", "store", "api", "center", "types"], Purity::Shell),
    (
        "cli",
        &[
            "cli",
            "node",
            "config",
            "dialplan",
            "store",
            "media",
            "observability",
            "exchange",
            "simulate",
            "sip",
            "journal",
            "types",
        ],
        Purity::Shell,
    ),
    ("observability", &["types"], Purity::Shell),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purity {
    Pure,
    Shell,
}

/// Words that no pure module may contain: clocks, sockets, files, randomness, locks, tasks.
const IMPURE: &[&str] = &[
    "tokio::",
    "std::fs",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Zoned::now",
    "Timestamp::now",
    "rand::rng",
    "rand::random",
    "UdpSocket",
    "TcpStream",
    "Mutex<",
    "RwLock<",
    "HashMap<",
    "HashSet<",
    "sqlx::",
    "redis::",
    "axum::",
    "mio::",
];

/// Longest file that may be written before it is split by concern.
const MOST_LINES: usize = 800;

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|x| x == "rs") {
            out.push(path);
        }
    }
}

fn sources(below: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(below);
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let relative = |p: &Path| p.strip_prefix(&root).unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
    paths.iter().map(|p| (relative(p), fs::read_to_string(p).unwrap())).collect()
}

/// Whether `module` is `prefix` or lies below it.
fn below(module: &str, prefix: &str) -> bool {
    module.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn layer(module: &str) -> Option<&'static (&'static str, &'static [&'static str], Purity)> {
    LAYERS.iter().filter(|(prefix, ..)| below(module, prefix)).max_by_key(|(prefix, ..)| prefix.len())
}

/// The `crate::a::b::c` paths that a line names, as `a/b/c`, one for each branch of a use list's first level.
fn named(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in line.split("crate::").skip(1) {
        let path: String = part.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
        let path = path.trim_end_matches(':').replace("::", "/");
        match part.split_once('{').filter(|(before, _)| before.replace("::", "/").trim_end_matches('/') == path) {
            Some((_, list)) => {
                out.extend(list.split([',', '}']).map(|item| {
                    let item: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    format!("{path}/{item}").trim_matches('/').to_owned()
                }));
            }
            None => out.push(path),
        }
    }
    out.retain(|p| !p.is_empty());
    out
}

/// Text before the unit tests of a file: rules of purity do not bind tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn layers_are_respected() {
    let mut bad = Vec::new();
    for (module, text) in sources("src") {
        if module == "lib" || module == "main" || format!("{module}/").contains("/tests/") {
            continue;
        }
        let Some((_, allowed, purity)) = layer(&module) else {
            bad.push(format!("src/{module}.rs: no row of the layer table"));
            continue;
        };
        for (n, line) in without_tests(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for used in named(line) {
                let fine = below(&used, &module)
                    || below(&module, &used)
                    || allowed.iter().any(|a| below(&used, a) && !deeper_rule_forbids(a, &used, *purity));
                if !fine {
                    bad.push(format!("src/{module}.rs:{}: must not use {used}", n + 1));
                }
            }
            if *purity == Purity::Pure
                && let Some(word) = IMPURE.iter().find(|w| line.contains(**w))
            {
                bad.push(format!("src/{module}.rs:{}: {word} in a pure module", n + 1));
            }
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

/// A pure module that may use `sip` or `media` may use their pure parts only.
fn deeper_rule_forbids(allowed: &str, used: &str, purity: Purity) -> bool {
    purity == Purity::Pure
        && allowed != used
        && layer(used).is_some_and(|(prefix, _, p)| *p == Purity::Shell && prefix.len() > allowed.len())
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let mut bad = Vec::new();
    for root in ["src", "tests"] {
        for (module, text) in sources(root) {
            let lines = text.lines().count();
            if lines > MOST_LINES {
                bad.push(format!("{root}/{module}.rs: {lines} lines, split by concern"));
            }
            if !text.trim_start().starts_with("//!") && !text.starts_with("#![no_main]") {
                bad.push(format!("{root}/{module}.rs: no `//!` that says what it is"));
            }
            if module.ends_with("/mod") {
                bad.push(format!("{root}/{module}.rs: `foo.rs` beside `foo/`, not `mod.rs`"));
            }
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn nothing_is_unbounded_and_tests_do_not_sleep() {
    let mut bad = Vec::new();
    for (module, text) in sources("src") {
        for (n, line) in text.lines().enumerate() {
            for word in ["unbounded_channel", "mpsc::channel::<", "unimplemented!(", "#[ignore"] {
                if line.contains(word) && !line.trim_start().starts_with("//") {
                    bad.push(format!("src/{module}.rs:{}: {word}", n + 1));
                }
            }
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn the_root_keeps_its_shape() {
    const ROOT: &[&str] = &[
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "README.zh-CN.md",
        "deploy",
        "dialplans",
        "docs",
        "proto",
        "src",
        "tests",
        "target",
        "var",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let extra: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !ROOT.contains(&name.as_str()))
        .collect();
    assert!(extra.is_empty(), "not part of the root's shape: {extra:?}");
}

#[test]
fn crates_that_must_not_come_in_are_absent() {
    // aws-lc: a second crypto provider panics at run time; g729-sys: GPL code under a false licence; openssl: needs the system's.
    const BANNED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "g729-sys", "openssl", "openssl-sys", "native-tls"];
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--edges", "normal,build"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs tests, so it is there");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(text.contains("ring v"), "the tree names what is used");
    let found: Vec<_> = BANNED.iter().filter(|b| text.lines().any(|l| l.starts_with(&format!("{b} v")))).collect();
    assert!(found.is_empty(), "banned crates: {found:?}");
}
