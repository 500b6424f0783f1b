//! A connection to a mail server with limits on time and bytes.
//!
//! Guarantee: a server cannot exhaust memory. Bytes that it sends in plaintext after its answer to STARTTLS are never
//! read as an answer inside TLS, because nothing is read past a line.

use futures_util::io::{AsyncRead as FuturesRead, AsyncWrite as FuturesWrite};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{AsyncTokioStream, TlsParameters};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

/// The most bytes of one server in one delivery, including certificates.
const MOST_BYTES: usize = 1 << 20;
/// The longest line that is searched in the received bytes; a longer one is read in pieces.
const PEEKED: usize = 1_024;

/// Connects to the first address of `host` that answers; each address gets its share of the time.
pub(super) async fn connect(host: &str, port: u16, end: Instant) -> io::Result<Wire> {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let found = timeout_at(end, lookup_host((host, port))).await.map_err(|_| late())??;
    let addresses: Vec<SocketAddr> = found.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for (tried, address) in (0_u32..).zip(&addresses) {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / (u32::try_from(addresses.len()).unwrap_or(u32::MAX) - tried);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(Wire { stream, read: 0 }),
            Ok(Err(error)) => last = error,
            Err(_) => last = late(),
        }
    }
    Err(last)
}

impl Wire {
    /// The address of this host that the server sees.
    pub(super) fn local_address(&self) -> Option<IpAddr> {
        self.stream.local_addr().ok().map(|address| address.ip().to_canonical())
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    read: usize,
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; PEEKED];
        let mut peeked = ReadBuf::new(&mut bytes);
        let there = ready!(self.stream.poll_peek(context, &mut peeked))?;
        // Up to the end of the first line: the bytes after it may belong to TLS.
        let line = peeked.filled().iter().position(|byte| *byte == b'\n').map_or(there, |at| at + 1);
        let mut part = ReadBuf::new(&mut bytes[..line.min(into.remaining())]);
        if part.remaining() > 0 {
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        }
        let length = part.filled().len();
        into.put_slice(part.filled());
        self.read += length;
        if self.read > MOST_BYTES {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "it sent more than 1 MiB")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A connection with TLS from its first byte.
#[derive(Debug)]
pub(super) struct TlsWire {
    #[expect(deprecated, reason = "lettre has no other way to start with TLS on an existing connection")]
    stream: lettre::transport::smtp::client::AsyncNetworkStream,
}

#[expect(deprecated, reason = "lettre has no other way to start with TLS on an existing connection")]
impl TlsWire {
    /// Negotiates TLS.
    pub(super) async fn over(wire: Wire, parameters: TlsParameters) -> Result<TlsWire, SmtpError> {
        let mut stream = lettre::transport::smtp::client::AsyncNetworkStream::use_existing_tokio1(Box::new(wire));
        stream.upgrade_tls(parameters).await?;
        Ok(TlsWire { stream })
    }
}

impl AsyncTokioStream for TlsWire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for TlsWire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = ready!(Pin::new(&mut self.stream).poll_read(context, into.initialize_unfilled()))?;
        into.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsWire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
