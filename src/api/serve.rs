//! The accept loop: connections with or without TLS, bounded in number, and closed when they dawdle.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use super::Shared;
use super::session::Peer;

/// Connections at a time; further ones are closed at once.
const CONNECTIONS: usize = 2_048;
/// Connections of one address, unless our own proxy stands before us.
const PER_ADDRESS: usize = 128;
/// Longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest time from the first byte of a request's head to its last, and longest rest between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// Longest time in which a peer takes nothing of what we send.
const TAKES_NOTHING: Duration = Duration::from_secs(30);
/// Headers of a request, and bytes of its head.
const HEADERS: usize = 64;
const HEAD_BYTES: usize = 32 * 1024;
/// How long requests in progress may last after the end is asked for.
const LAST: Duration = Duration::from_secs(4);

/// The certificate for new connections; asked at each, so that a new one counts at once.
pub type Tls = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// Serves until `stop` becomes true (or its sender is gone); requests in progress are finished.
pub(super) async fn run(
    listener: TcpListener,
    shared: Shared,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let open = Arc::new(Open::default());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // An error means that the sender is gone: the same.
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let most = if shared.config.behind_proxy { CONNECTIONS } else { PER_ADDRESS };
                if let Some(place) = Open::take(&open, peer.ip().to_canonical(), most) {
                    let (tls, router, stop) = (shared.config.tls.clone(), router.clone(), stop.clone());
                    connections.spawn(async move {
                        connection(stream, peer, tls, router, stop).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                // Out of descriptors most likely: the next turn would fail at once too.
                tracing::warn!(%error, "a connection to the HTTP interface could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    shared.events.close();
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(LAST, all).await.is_err() {
        tracing::warn!("requests were cut, because they did not end in time");
        connections.shutdown().await;
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    // It fails only for a connection that is gone.
    let _gone = stream.set_nodelay(true);
    match tls {
        None => http(stream, peer, router, stop).await,
        Some(tls) => {
            let acceptor = tokio_rustls::TlsAcceptor::from(tls());
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => http(stream, peer, router, stop).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake of the HTTP interface failed"),
                Err(_) => tracing::debug!("a TLS handshake of the HTTP interface took too long"),
            }
        }
    }
}

async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKES_NOTHING));
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request| {
        let extensions = hyper::Request::<hyper::body::Incoming>::extensions_mut(&mut request);
        extensions.insert(Peer(peer.ip().to_canonical()));
        service.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream) as Pin<Box<TimeoutStream<S>>>), service)
        .with_upgrades();
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        // The request in progress is finished, and then the connection.
        () = async { stop.wait_for(|stop| *stop).await.map_or((), |_| ()) } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the HTTP interface ended badly");
    }
}

/// Open connections by address.
#[derive(Debug, Default)]
struct Open(Mutex<(usize, BTreeMap<IpAddr, usize>)>);

/// A connection's place, given back when it is dropped.
struct Place {
    open: Arc<Open>,
    address: IpAddr,
}

impl Open {
    fn take(open: &Arc<Self>, address: IpAddr, most_of_one: usize) -> Option<Place> {
        let mut all = open.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = all.1.get(&address).copied().unwrap_or(0);
        if all.0 >= CONNECTIONS || of_one >= most_of_one {
            return None;
        }
        all.0 += 1;
        all.1.insert(address, of_one + 1);
        Some(Place { open: Arc::clone(open), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 -= 1;
        if let Some(count) = all.1.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.1.remove(&self.address);
            }
        }
    }
}
