//! How commands ask the running exchange: the HTTP interface of this machine, with the token of the local session.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::TlsConfig;

use crate::config::{Config, Overrides};

/// Done.
pub const OK: u8 = 0;
/// The exchange refused; the sentence says why.
pub const REFUSED: u8 = 1;
/// The exchange cannot be reached, or the command is wrong.
pub const FAILED: u8 = 2;

/// How long the exchange may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer that is read, bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Where the exchange is.
#[derive(Clone, Debug, clap::Args)]
pub struct Exchange {
    /// The configuration of the exchange; without one the embedded defaults count.
    #[arg(long, global = true, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the exchange, which holds the token.
    #[arg(long, global = true, value_name = "FOLDER", env = "YIHAO_VAR")]
    pub var: Option<PathBuf>,
    /// Where HTTP listens, if not where the configuration says.
    #[arg(long, global = true, value_name = "ADDRESS:PORT", env = "YIHAO_HTTP")]
    pub http: Option<SocketAddr>,
    /// Print JSON, as the interface gives it.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What the exchange said.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Done, with what it gave (null when nothing).
    Done(Value),
    /// Refused: the stable code and the sentence.
    Refused {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

impl Exchange {
    /// The configuration of the exchange.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn config(&self) -> anyhow::Result<Config> {
        let overrides = Overrides { var: self.var.clone(), http: self.http, ..Overrides::default() };
        super::configuration(self.config.as_deref(), &overrides)
    }

    /// Sends one request and gives the answer.
    ///
    /// # Errors
    /// When the configuration or the token cannot be read, or the exchange does not answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let config = self.config()?;
        let file = config.folders.token();
        let token = std::fs::read_to_string(&file).with_context(|| {
            format!("{} cannot be read: does the exchange run, and may this user read it?", file.display())
        })?;
        let address = reachable(config.http.listen);
        let site = format!("{}://{address}", if config.http.tls { "https" } else { "http" });
        if config.http.tls && std::net::UdpSocket::bind((address.ip(), 0)).is_err() {
            bail!("{address} is not this machine's: run the command where the exchange runs");
        }
        send(&site, method, path, token.trim(), body).with_context(|| format!("the exchange at {site} does not answer"))
    }
}

/// An address that stands for all is reached over loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => listen.ip(),
    };
    SocketAddr::new(ip, listen.port())
}

/// The connection never leaves this machine, where the token was read too: the certificate, which may bear any name, is not
/// checked.
fn agent() -> Agent {
    let tls = TlsConfig::builder().disable_verification(true).build();
    let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    config.proxy(None).tls_config(tls).build().into()
}

fn send(site: &str, method: &str, path: &str, token: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
    let language = if std::env::var("LANG").is_ok_and(|l| l.starts_with("zh")) { "zh" } else { "en" };
    let request = Request::builder().method(method).uri(format!("{site}{path}"));
    let request = request.header("Authorization", format!("Bearer {token}")).header("Accept-Language", language);
    let mut answer = match body {
        Some(body) => agent().run(request.header("Content-Type", "application/json").body(body.to_string())?)?,
        None => agent().run(request.body(())?)?,
    };
    let text = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string()?;
    understood(answer.status().as_u16(), &text)
}

fn understood(status: u16, body: &str) -> anyhow::Result<Answer> {
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).context("that is no JSON")? };
    if (200..300).contains(&status) {
        return Ok(Answer::Done(body));
    }
    let text = |key: &str| body["error"][key].as_str().unwrap_or_default().to_owned();
    Ok(Answer::Refused { code: text("code"), message: text("message") })
}

/// Path and query with what is not allowed in one written as `%XX` (RFC 3986 2.1).
pub fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Runs a command: prints what it made of the answer, or why there is none; gives the exit code.
pub fn finish(name: &str, outcome: anyhow::Result<Outcome>) -> u8 {
    match outcome {
        Ok(Outcome::Done(code)) => code,
        Ok(Outcome::Refused(message)) => {
            complain!("yihao {name}: {message}");
            REFUSED
        }
        Err(error) => {
            complain!("yihao {name}: {error:#}");
            FAILED
        }
    }
}

/// How a command went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It printed what there was; its exit code.
    Done(u8),
    /// The exchange refused, with this sentence.
    Refused(String),
}

/// Shows an answer: JSON where asked, otherwise in words.
///
/// # Errors
/// When the answer is none of which words can be made.
pub fn shown<T: DeserializeOwned>(
    answer: Answer,
    json: bool,
    words: impl FnOnce(&T) -> String,
) -> anyhow::Result<Outcome> {
    match answer {
        Answer::Done(value) if json => say!("{value:#}"),
        Answer::Done(value) => say!("{}", words(&serde_json::from_value(value)?).trim_end()),
        Answer::Refused { code, message } => return Ok(Outcome::Refused(format!("{message} ({code})"))),
    }
    Ok(Outcome::Done(OK))
}

/// Rows as a table: each column as wide as its widest cell, a Han character two columns wide.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum::<usize>();
    let mut widths: Vec<usize> = heads.iter().map(|h| width(h)).collect();
    for row in rows {
        for (most, cell) in widths.iter_mut().zip(row) {
            *most = (*most).max(width(cell));
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, most)| format!("{cell}{}", " ".repeat(most - width(cell))));
        let joined = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", joined.trim_end())
    };
    let mut text = line(&mut heads.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// A cell of a JSON value: texts bare, nothing as `-`.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "-".to_owned(),
        Value::Array(all) => all.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(map) if map.is_empty() => "-".to_owned(),
        Value::Object(map) => map.iter().map(|(k, v)| format!("{k}:{}", cell(v))).collect::<Vec<_>>().join(","),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_understood() {
        assert_eq!(understood(200, "{\"a\":1}").unwrap(), Answer::Done(json!({"a": 1})));
        assert_eq!(understood(204, "").unwrap(), Answer::Done(Value::Null));
        let refused = "{\"error\":{\"code\":\"no_such_seat\",\"message\":\"none\"}}";
        let expected = Answer::Refused { code: "no_such_seat".to_owned(), message: "none".to_owned() };
        assert_eq!(understood(404, refused).unwrap(), expected);
        assert!(understood(200, "SSH-2.0").is_err());
    }

    #[test]
    fn tables_stand_in_columns_with_han_characters_too() {
        let rows =
            [vec!["8001".to_owned(), "坐席".to_owned(), "x".to_owned()], vec!["1".into(), "ab".into(), "y".into()]];
        assert_eq!(table(&["SEAT", "NAME", "Z"], &rows), "SEAT  NAME  Z\n8001  坐席  x\n1     ab    y\n");
        assert_eq!(cell(&json!({"not_ready": "chosen"})), "not_ready:chosen");
        assert_eq!(cell(&json!(null)), "-");
        assert_eq!(escaped("a b/王"), "a%20b%2F%E7%8E%8B");
    }

    #[test]
    fn an_address_that_stands_for_all_is_reached_over_loopback() {
        for (listen, expected) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:1", "[::1]:1"), ("192.0.2.1:2", "192.0.2.1:2")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
