//! A cable between one telephone and the exchange that can be cut: bytes of TCP pass through it, and whoever is connected when it
//! is cut is not any more. The next connection goes through again.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};

/// A cable. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Cable {
    front: SocketAddr,
    stop: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Cable {
    /// Whoever connects to `front` reaches `real`, and is seen there at `host`.
    pub(crate) fn between(front: SocketAddr, real: SocketAddr, host: IpAddr) -> Self {
        let listener = TcpListener::bind(front).expect("the front is free");
        let (stop, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, all) = (Arc::clone(&stop), Arc::clone(&streams));
        let accepting = std::thread::spawn(move || {
            for near in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if let (Ok(near), Ok(far)) = (near, connect(host, real)) {
                    // One that ends at once is the telephone's business.
                    let _ended = join(near, far, &all);
                }
            }
        });
        Self { front, stop, streams, accepting: Some(accepting) }
    }

    /// Cuts it; how many connections that cost.
    pub(crate) fn cut(&self) -> usize {
        let streams = std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner));
        // The far end may have been closed already by the thread that passes bytes on: one that was open is enough.
        let was_open = |pair: &&[TcpStream]| pair.iter().filter(|end| end.shutdown(Shutdown::Both).is_ok()).count() > 0;
        streams.chunks(2).filter(was_open).count()
    }
}

fn connect(host: IpAddr, real: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(real), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(host, 0).into())?;
    socket.connect(&real.into())?;
    Ok(socket.into())
}

/// Passes bytes on in both directions until one end is gone.
fn join(near: TcpStream, far: TcpStream, all: &Mutex<Vec<TcpStream>>) -> io::Result<()> {
    let ways = [(near.try_clone()?, far.try_clone()?), (far.try_clone()?, near.try_clone()?)];
    all.lock().unwrap_or_else(PoisonError::into_inner).extend([near, far]);
    for (mut from, mut to) in ways {
        std::thread::spawn(move || {
            let _ended = io::copy(&mut from, &mut to);
            let _gone = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok(())
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes the thread that accepts.
        let _woken = TcpStream::connect(self.front);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}
