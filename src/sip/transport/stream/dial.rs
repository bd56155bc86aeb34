//! Makes an outgoing connection, under TLS when that is wanted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Settings;
use super::connection::{Duplex, identities};
use crate::sip::flow::Hop;
use crate::sip::transport::certificate::Certificate;
use crate::sip::transport::socket;

/// Where to and how.
pub(super) struct Plan {
    pub(super) hop: Hop,
    /// The listener whose address the carrier should see.
    pub(super) local: Option<SocketAddr>,
    /// For TLS.
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// A connection that stands.
pub(super) struct Made {
    pub(super) stream: Box<dyn Duplex>,
    pub(super) local: SocketAddr,
    pub(super) identities: Vec<String>,
}

/// Connects and shakes hands, each in its time.
pub(super) async fn make(plan: &Plan, settings: &Settings) -> io::Result<Made> {
    let tcp = timeout(settings.connect_wait, connect(plan, settings.dscp)).await??;
    let local = tcp.local_addr()?;
    let Some(certificate) = &plan.certificate else {
        return Ok(Made { stream: Box::new(tcp), local, identities: Vec::new() });
    };
    let name = plan.hop.server_name.as_deref().unwrap_or_default();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(certificate.client(plan.hop.remote.ip()));
    let tls = timeout(settings.handshake_wait, connector.connect(name, tcp)).await??;
    let identities = identities(tls.get_ref().1.peer_certificates());
    Ok(Made { stream: Box::new(tls), local, identities })
}

async fn connect(plan: &Plan, dscp: u8) -> io::Result<TcpStream> {
    let remote = plan.hop.remote;
    // A listener on all addresses says nothing about which to show.
    let local = plan.local.filter(|l| !l.ip().is_unspecified());
    let socket = socket::open_stream(local, remote, dscp)?;
    TcpSocket::from_std_stream(socket.into()).connect(remote).await
}
