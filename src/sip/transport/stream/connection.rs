//! One connection: its handshake, its reader and its writer, in one task.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::{Counters, Event, Listen, Outlet, Settings, count, dial};
use crate::sip::flow::{ConnId, Flow};
use crate::sip::message::{Frame, FramingError, ParseError, StreamFramer};
use crate::sip::transaction::By;
use crate::sip::transport::x509;

/// One TLS record; also what is taken from a plain stream at a time.
const READ_BYTES: usize = 16 * 1_024;
/// How long a connection whose framing broke stays open, so that the answer can be written.
const LINGER: Duration = Duration::from_millis(500);

thread_local! {
    /// Bytes just read, until the framer has them: an idle connection holds no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One message that waits to be written.
pub(super) type Item = (Bytes, By);

/// A stream of any kind.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What a connection's task holds of the hub.
pub(super) struct Line {
    pub(super) id: ConnId,
    pub(super) items: mpsc::Receiver<Item>,
    /// For answers to keep-alives; weak, so that the line ends when the hub lets go.
    pub(super) pongs: mpsc::WeakSender<Item>,
    pub(super) waiting_bytes: Arc<AtomicUsize>,
    pub(super) kill: Arc<Notify>,
    pub(super) outlet: Outlet,
    pub(super) settings: Arc<Settings>,
    pub(super) counters: Arc<Counters>,
}

/// Serves a peer that connected.
pub(super) async fn serve(stream: TcpStream, listener: Arc<Listen>, line: Line) -> ConnId {
    let id = line.id;
    let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else { return id };
    let _best_effort = stream.set_nodelay(true);
    let flow = Flow { network: listener.network, transport: listener.transport, local, remote, connection: Some(id) };
    let Some(certificate) = &listener.certificate else {
        run(Box::new(stream), flow, Vec::new(), line).await;
        return id;
    };
    let acceptor = TlsAcceptor::from(certificate.server());
    match timeout(line.settings.handshake_wait, acceptor.accept(stream)).await {
        Ok(Ok(tls)) => {
            let names = identities(tls.get_ref().1.peer_certificates());
            run(Box::new(tls), flow, names, line).await;
        }
        Ok(Err(error)) => {
            count(&line.counters.handshakes_failed);
            tracing::debug!(%remote, %error, "TLS handshake failed");
        }
        Err(_elapsed) => {
            count(&line.counters.handshakes_failed);
            tracing::debug!(%remote, "TLS handshake took too long");
        }
    }
    id
}

/// Reaches a peer; what waits in the line goes when the connection stands, or is reported unsent.
pub(super) async fn call(plan: dial::Plan, mut line: Line) -> ConnId {
    let id = line.id;
    match dial::make(&plan, &line.settings).await {
        Ok(made) => {
            let hop = &plan.hop;
            let (network, transport, remote) = (hop.network, hop.transport, hop.remote);
            let flow = Flow { network, transport, local: made.local, remote, connection: Some(id) };
            run(made.stream, flow, made.identities, line).await;
        }
        Err(error) => {
            tracing::info!(remote = %plan.hop.remote, %error, "cannot connect");
            report_unsent(&mut line, None).await;
        }
    }
    id
}

/// Names of a verified certificate.
pub(super) fn identities(chain: Option<&[CertificateDer<'_>]>) -> Vec<String> {
    let facts = chain.and_then(|chain| chain.first()).and_then(|first| x509::read(first));
    facts.map(|f| f.names).unwrap_or_default()
}

async fn run(stream: Box<dyn Duplex>, flow: Flow, identities: Vec<String>, mut line: Line) {
    if !line.outlet.put(Event::Opened { flow, identities }).await {
        return;
    }
    let (mut reader, mut writer) = split(stream);
    let (writing, written) = (Mutex::new(None), Notify::new());
    let why = {
        let Line { items, pongs, waiting_bytes, kill, outlet, settings, counters, id: _ } = &mut line;
        let outgoing = Outgoing { waiting_bytes, writing: &writing, written: &written, wait: settings.write_wait };
        let write = outgoing.write_all(&mut writer, items);
        let incoming = Incoming { flow, pongs, outlet, settings, waiting_bytes, written: &written, counters };
        tokio::select! {
            () = kill.notified() => "it does not read",
            why = incoming.read_all(&mut reader) => why,
            why = write => why,
        }
    };
    tracing::debug!(remote = %flow.remote, why, "connection closed");
    if why == SLOW {
        count(&line.counters.slow);
    }
    let half_written = writing.into_inner().unwrap_or_else(PoisonError::into_inner);
    report_unsent(&mut line, half_written).await;
    line.outlet.put(Event::Closed { connection: line.id }).await;
}

/// Reports what was not written.
async fn report_unsent(line: &mut Line, half_written: Option<By>) {
    line.items.close();
    if let Some(by) = half_written {
        line.outlet.put(Event::Unsent { by }).await;
    }
    while let Ok((_, by)) = line.items.try_recv() {
        line.outlet.put(Event::Unsent { by }).await;
    }
}

const SLOW: &str = "a write took too long";

/// The writing side.
struct Outgoing<'a> {
    waiting_bytes: &'a AtomicUsize,
    /// Whose message is half written.
    writing: &'a Mutex<Option<By>>,
    /// Told after each message.
    written: &'a Notify,
    wait: Duration,
}

impl Outgoing<'_> {
    /// Writes what comes until the line ends, each message in its time.
    async fn write_all(
        &self,
        writer: &mut WriteHalf<Box<dyn Duplex>>,
        items: &mut mpsc::Receiver<Item>,
    ) -> &'static str {
        let mark = |by| *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = by;
        while let Some((bytes, by)) = items.recv().await {
            mark(Some(by));
            let write = async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            };
            let written = timeout(self.wait, write).await;
            self.waiting_bytes.fetch_sub(bytes.len(), Ordering::AcqRel);
            self.written.notify_one();
            match written {
                Ok(Ok(())) => mark(None),
                Ok(Err(_)) => return "the peer is gone",
                Err(_elapsed) => return SLOW,
            }
        }
        // The end of TLS (close_notify) and of the stream; a peer that does not take it is no loss.
        let _elapsed = timeout(self.wait.min(Duration::from_secs(1)), writer.shutdown()).await;
        "we closed it"
    }
}

/// The reading side.
struct Incoming<'a> {
    flow: Flow,
    pongs: &'a mpsc::WeakSender<Item>,
    outlet: &'a Outlet,
    settings: &'a Settings,
    waiting_bytes: &'a AtomicUsize,
    written: &'a Notify,
    counters: &'a Counters,
}

impl Incoming<'_> {
    /// Reads until the peer ends, breaks the rules or is silent for too long.
    async fn read_all(&self, reader: &mut ReadHalf<Box<dyn Duplex>>) -> &'static str {
        let mut framer = StreamFramer::new();
        let mut deadline = Instant::now() + self.settings.first_wait;
        let mut is_partial = false;
        loop {
            match timeout_at(deadline, read_some(reader, &mut framer)).await {
                Ok(Ok(0)) => return "the peer closed it",
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return "the peer is gone",
                Err(_elapsed) => return "it was silent for too long",
            }
            match self.take_frames(&mut framer).await {
                Ok(true) => {
                    deadline = Instant::now() + self.settings.idle_wait;
                    is_partial = false;
                }
                Ok(false) => {}
                Err(why) => return why,
            }
            // The rest of a message has a time of its own, counted from its first byte.
            if framer.pending_bytes() == 0 {
                is_partial = false;
            } else if !is_partial {
                is_partial = true;
                deadline = Instant::now() + self.settings.rest_wait;
            }
            deadline += self.wait_for_reader().await;
        }
    }

    /// Waits while the peer has not taken what it asked for, and says how long; each write has its own limit.
    async fn wait_for_reader(&self) -> Duration {
        let begin = Instant::now();
        while self.waiting_bytes.load(Ordering::Acquire) > self.settings.pause_bytes {
            self.written.notified().await;
        }
        begin.elapsed()
    }

    /// Passes on what is whole; whether there was anything.
    async fn take_frames(&self, framer: &mut StreamFramer) -> Result<bool, &'static str> {
        let mut any = false;
        for frame in framer.by_ref() {
            any = true;
            let bytes = match frame {
                Ok(Frame::Message(message)) => message.bytes().clone(),
                Ok(Frame::Malformed(error)) => match raw(&error) {
                    Some(bytes) => bytes,
                    None => continue,
                },
                Ok(Frame::Ping) => {
                    self.pong();
                    continue;
                }
                Ok(Frame::Pong) => continue,
                Err(error) => return Err(self.broken(&error).await),
            };
            if !self.outlet.put(Event::Message { flow: self.flow, bytes }).await {
                return Err("nobody listens");
            }
        }
        Ok(any)
    }

    /// Answers a keep-alive (RFC 5626 4.4.1). Without room the peer is about to be closed anyway.
    fn pong(&self) {
        const PONG: Bytes = Bytes::from_static(b"\r\n");
        if let Some(queue) = self.pongs.upgrade() {
            self.waiting_bytes.fetch_add(PONG.len(), Ordering::AcqRel);
            if queue.try_send((PONG, By::Nobody)).is_err() {
                self.waiting_bytes.fetch_sub(PONG.len(), Ordering::AcqRel);
            }
        }
    }

    /// The stream cannot go on. What can be answered is passed on, and the answer has a moment to be written.
    async fn broken(&self, error: &FramingError) -> &'static str {
        count(&self.counters.broken);
        let bytes = match error {
            FramingError::TooLarge(_, Some(error)) | FramingError::UnknownEnd(error) => raw(error),
            FramingError::HeadTooLarge | FramingError::TooLarge(_, None) => None,
        };
        if let Some(bytes) = bytes
            && self.outlet.put(Event::Message { flow: self.flow, bytes }).await
        {
            sleep(LINGER).await;
        }
        "its stream cannot be cut into messages"
    }
}

/// The bytes of a request that was refused, if it can be answered.
fn raw(error: &ParseError) -> Option<Bytes> {
    match error {
        ParseError::Malformed { request: Some(request), .. } => Some(request.0.bytes().clone()),
        ParseError::Malformed { request: None, .. } | ParseError::Empty | ParseError::Unusable(_) => None,
    }
}

/// Reads once into the thread's scratch and gives the bytes to the framer; 0 at the end of the stream.
async fn read_some(reader: &mut ReadHalf<Box<dyn Duplex>>, framer: &mut StreamFramer) -> io::Result<usize> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *reader).poll_read(cx, &mut buffer))?;
            framer.push(buffer.filled());
            Ok(buffer.filled().len()).into()
        })
    })
    .await
}
