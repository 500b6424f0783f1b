//! Serves HTTP connections within bounds, so that slow or silent clients cannot keep others from an answer.
//!
//! Guarantee: a new connection is accepted while any other one is only waiting for its client; a request head is bounded in
//! size and time; a client that does not read its answer is disconnected. The jobs keep their file descriptors.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};

/// The most open connections.
const CONNECTIONS: usize = 64;
/// The most open connections of one client address.
const OF_ONE_PEER: usize = 32;
/// A request head must be complete within this time; a connection without a request is closed after it.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The largest request head, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// The most headers of a request.
const HEADERS: usize = 64;
/// A client that reads nothing of its answer for this long is disconnected.
const WRITE_STALL: Duration = Duration::from_secs(10);
/// The pause after a failed accept, which is a lack of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// What a connection is doing.
const WAITING: u8 = 0;
const ANSWERING: u8 = 1;
const SENDING: u8 = 2;

/// The address at which a request arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local(pub(super) SocketAddr);

/// Answers what arrives at `listener`; every connection ends when the future is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    let (slots, mut open) = (ConnectionSlots::default(), JoinSet::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        let Some(slot) = slots.take(peer.ip()) else {
            // Nothing was read: the answer tells the client why it is disconnected, if its socket accepts it.
            let _ =
                stream.try_write(b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            continue;
        };
        open.spawn(serve_connection(stream, slot, router.clone(), Local(local)));
    }
}

/// Serves one connection until it ends or is evicted.
async fn serve_connection(stream: TcpStream, slot: HeldSlot, router: Router, local: Local) {
    let phase = slot.0.phase.clone();
    let wire = Wire { stream, stall: None, phase: phase.clone() };
    let answer = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        phase.store(ANSWERING, Ordering::Relaxed);
        request.extensions_mut().insert(local);
        let (answered, phase) = (answer.call(request.map(Body::new)), phase.clone());
        async move {
            let answer = answered.await;
            phase.store(SENDING, Ordering::Relaxed);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(wire), service);
    tokio::select! {
        // The end of a connection concerns only its client.
        _ = connection => {}
        () = slot.0.close.notified() => {}
    }
}

/// The open connections, the oldest first.
#[derive(Clone, Default)]
struct ConnectionSlots(Arc<Mutex<Vec<Arc<ConnectionSlot>>>>);

struct ConnectionSlot {
    peer: IpAddr,
    phase: Arc<AtomicU8>,
    close: Notify,
}

/// A slot that is released when it is dropped.
struct HeldSlot(Arc<ConnectionSlot>, ConnectionSlots);

impl Drop for HeldSlot {
    fn drop(&mut self) {
        self.1.lock().retain(|slot| !Arc::ptr_eq(slot, &self.0));
    }
}

impl ConnectionSlots {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionSlot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a connection of `peer`. If all are taken, the oldest connection that waits for its client is
    /// closed, one of the same peer if that peer has too many. `None` if every connection is being answered.
    fn take(&self, peer: IpAddr) -> Option<HeldSlot> {
        let mut all = self.lock();
        let of_peer = all.iter().filter(|slot| slot.peer == peer).count();
        if of_peer >= OF_ONE_PEER {
            evict(&mut all, |slot| slot.peer == peer)?;
        } else if all.len() >= CONNECTIONS {
            evict(&mut all, |_| true)?;
        }
        let slot = Arc::new(ConnectionSlot { peer, phase: Arc::new(AtomicU8::new(WAITING)), close: Notify::new() });
        all.push(slot.clone());
        drop(all);
        Some(HeldSlot(slot, self.clone()))
    }
}

/// Closes one connection: the oldest without a request, or else the oldest whose client does not read its answer.
fn evict(all: &mut Vec<Arc<ConnectionSlot>>, which: impl Fn(&ConnectionSlot) -> bool) -> Option<()> {
    let oldest = |phase: u8| all.iter().position(|slot| which(slot) && slot.phase.load(Ordering::Relaxed) == phase);
    let at = oldest(WAITING).or_else(|| oldest(SENDING))?;
    all.remove(at).close.notify_one();
    Some(())
}

/// The socket of a connection, which closes if the client stops reading its answer.
struct Wire {
    stream: TcpStream,
    stall: Option<Pin<Box<Sleep>>>,
    phase: Arc<AtomicU8>,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl Wire {
    /// `written`, or an error if nothing was written for too long.
    fn bounded(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_STALL)));
        stall.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            // hyper flushes after its buffer is written: the answer is sent.
            let _ = self.phase.compare_exchange(SENDING, WAITING, Ordering::Relaxed, Ordering::Relaxed);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn set(taken: &HeldSlot, phase: u8) {
        taken.0.phase.store(phase, Ordering::Relaxed);
    }

    fn is_open(slots: &ConnectionSlots, taken: &HeldSlot) -> bool {
        slots.lock().iter().any(|slot| Arc::ptr_eq(slot, &taken.0))
    }

    #[test]
    fn one_peer_loses_its_own_oldest_connection_and_no_other_peer_does() {
        let slots = ConnectionSlots::default();
        let other = slots.take(peer(1)).unwrap();
        let mut own: Vec<HeldSlot> = (0..OF_ONE_PEER).map(|_| slots.take(peer(2)).unwrap()).collect();
        set(&own[0], ANSWERING);
        own.push(slots.take(peer(2)).unwrap());
        assert!(is_open(&slots, &other) && is_open(&slots, &own[0]) && !is_open(&slots, &own[1]));
        assert_eq!(slots.lock().len(), OF_ONE_PEER + 1);
    }

    #[test]
    fn a_connection_that_is_answered_is_never_closed_for_another() {
        let slots = ConnectionSlots::default();
        let all: Vec<HeldSlot> =
            (0..CONNECTIONS).map(|n| slots.take(peer(u8::try_from(n).unwrap())).unwrap()).collect();
        for taken in &all {
            set(taken, ANSWERING);
        }
        assert!(slots.take(peer(200)).is_none());
        set(&all[5], SENDING);
        set(&all[9], WAITING);
        let first = slots.take(peer(200)).unwrap();
        assert!(!is_open(&slots, &all[9]) && is_open(&slots, &all[5]), "who waits goes before who reads slowly");
        set(&first, ANSWERING);
        let second = slots.take(peer(200)).unwrap();
        assert!(!is_open(&slots, &all[5]) && is_open(&slots, &second));
        drop((first, second, all));
        assert!(slots.lock().is_empty());
    }
}
