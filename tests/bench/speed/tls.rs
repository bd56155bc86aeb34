//! Telephones that are registered over TLS and silent: what each costs the exchange in memory.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use yihao::sip::auth::{Client, Secret, Side};
use yihao::sip::message::{CSeq, HeaderName, Message, Method, NameAddr, RequestBuilder, Uri};

use crate::process;
use crate::site::{Setting, Site};

const REALM: &str = "yihao";
/// Registrations that touch what is touched once.
const WARM_UP: u32 = 20;

type Line = StreamOwned<ClientConnection, TcpStream>;

/// Resident bytes of one idle registration.
pub(crate) fn idle_registration(count: u32) -> Result<f64> {
    let setting = Setting { seats: count + WARM_UP, recording: true };
    let mut secrets = String::new();
    for index in 0..setting.seats {
        let seat = Site::seat(index);
        let secret = format!("{seat}:{REALM}:{}", password(seat));
        let md5 = hex(&Md5::digest(secret.as_bytes()));
        let sha256 = hex(ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref());
        let _ = write!(secrets, "[[seat]]\nnumber = {seat}\nmd5 = \"{md5}\"\nsha256 = \"{sha256}\"\n");
    }
    let site = Site::start_with_phones(setting, &secrets)?;
    let server = SocketAddr::new(site.sip().ip(), site.sip().port() + 1);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(site.file("var/tls/certificate.pem"))? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let mut lines = Vec::new();
    for index in 0..WARM_UP {
        lines.push(register(server, &config, Site::seat(index))?);
    }
    std::thread::sleep(Duration::from_millis(500));
    let before = process::resident(site.pid())?;
    for index in WARM_UP..setting.seats {
        lines.push(register(server, &config, Site::seat(index))?);
    }
    std::thread::sleep(Duration::from_millis(500));
    Ok(process::resident(site.pid())?.saturating_sub(before) as f64 / f64::from(count))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password(seat: u32) -> String {
    format!("geheim-{seat}")
}

fn register(server: SocketAddr, config: &Arc<ClientConfig>, seat: u32) -> Result<Line> {
    let socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let local = socket.local_addr()?;
    let name = ServerName::IpAddress(server.ip().into());
    let mut line = StreamOwned::new(ClientConnection::new(config.clone(), name)?, socket);
    let mut client = Client::new(&seat.to_string(), Secret::Password(password(seat)));
    for cseq in 1..=9 {
        let uri = Uri::parse(&format!("sip:{REALM}"))?;
        let mut request = RequestBuilder::new(&Method::Register, &uri);
        let own = NameAddr::new(Uri::parse(&format!("sip:{seat}@{REALM}"))?);
        request
            .raw("Via", format!("SIP/2.0/TLS {local};branch=z9hG4bKr{seat}x{cseq};rport").as_bytes())
            .raw("Max-Forwards", b"70")
            .header(HeaderName::From, &own.clone().with_tag("r"))
            .header(HeaderName::To, &own)
            .raw("Call-ID", format!("r{seat}@{local}").as_bytes())
            .header(HeaderName::CSeq, &CSeq { number: cseq, method: Method::Register })
            .raw("Contact", format!("<sip:{seat}@{local};transport=tls>").as_bytes())
            .raw("Expires", b"3600");
        for (_, credentials) in client.authorize("REGISTER", &format!("sip:{REALM}"), b"", [7; 8]) {
            request.header(HeaderName::Authorization, &credentials);
        }
        line.write_all(&request.build())?;
        let answer = read(&mut line)?;
        match answer.status() {
            Some(200) => return Ok(line),
            Some(401) => client.challenged(Side::Server, &answer.www_authenticate())?,
            // More at once than strangers may ask for: a phone comes back when it was told to.
            Some(503) => {
                let seconds =
                    answer.header_named("Retry-After").and_then(|value| str::from_utf8(value).ok()?.parse().ok());
                std::thread::sleep(Duration::from_secs(seconds.context("503 says when to come back")?));
            }
            status => anyhow::bail!("REGISTER of {seat}: {status:?}"),
        }
    }
    anyhow::bail!("REGISTER of {seat} is refused")
}

/// One message; ours never follow each other unasked.
fn read(line: &mut Line) -> Result<Message> {
    let mut bytes = vec![0; 4_096];
    let mut length = 0;
    loop {
        let more = line.read(&mut bytes[length..])?;
        ensure!(more > 0, "the exchange closed the connection");
        length += more;
        if bytes[..length].windows(4).any(|end| end == b"\r\n\r\n") {
            return Message::parse(Bytes::copy_from_slice(&bytes[..length])).ok().context("no SIP message");
        }
    }
}
