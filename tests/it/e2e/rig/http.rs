//! The smallest HTTP client that the API needs: one request a connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Status and body of an answer to a request without a body.
pub(crate) fn request(server: SocketAddr, method: &str, path: &str, token: &str) -> io::Result<(u16, String)> {
    send(server, method, path, token, "")
}

/// A POST of JSON; status and body.
pub(crate) fn post(server: SocketAddr, path: &str, token: &str, body: &str) -> io::Result<(u16, String)> {
    send(server, "POST", path, token, body)
}

/// A PUT of JSON; status and body.
pub(crate) fn put(server: SocketAddr, path: &str, token: &str, body: &str) -> io::Result<(u16, String)> {
    send(server, "PUT", path, token, body)
}

/// Chooses the presence of a seat; the status.
pub(crate) fn choose(server: SocketAddr, token: &str, seat: u32, choice: &str) -> io::Result<(u16, String)> {
    let body = format!("{{\"choice\":\"{choice}\"}}");
    post(server, &format!("/api/v1/seats/{seat}/presence"), token, &body)
}

fn send(server: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    status.map(|status| (status, body)).ok_or_else(|| io::Error::other(format!("no HTTP: {head}")))
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else { break };
        let Some(part) = after.get(..size) else { break };
        body.push_str(part);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}
