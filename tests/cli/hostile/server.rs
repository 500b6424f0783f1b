//! A server on loopback that answers one operation of AWS as an attacker, a broken proxy or a broken network would.
//!
//! Guarantee: every answer is written until the client closes the connection or the server is dropped, never longer.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

pub(super) const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-1111111111111111";
pub(super) const STORE: &str = "d-1111111111";

/// What is written after a request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// A head, then the same bytes again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes, then one byte at a time, slowly and without end.
    Drip(Vec<u8>),
    /// These bytes, then nothing, while the connection stays.
    Silence(Vec<u8>),
    /// These bytes, then a reset of the connection.
    Reset(Vec<u8>),
}

impl Act {
    /// A complete answer.
    pub(super) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Act {
        let body = body.as_ref();
        let head = format!(
            "HTTP/1.1 {status} Status\r\nx-amzn-requestid: 1\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Act::Bytes([head.as_bytes(), body].concat())
    }
}

/// The running server.
pub(super) struct Server {
    pub(super) host: String,
    calls: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    /// `answer` chooses by the operation (`ListUsers`) and the number of its call, from 0.
    pub(super) fn start(answer: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (calls, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, over, answer) = (Arc::clone(&calls), Arc::clone(&is_over), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (counted, over, answer) = (Arc::clone(&counted), Arc::clone(&over), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let operation = head(&stream).unwrap_or_default();
                    let act = match operation.as_str() {
                        // What is not under attack answers as it should.
                        "" | "ListInstances" => answer(&operation, 0),
                        _ => answer(&operation, counted.fetch_add(1, Ordering::SeqCst)),
                    };
                    // The client may have gone.
                    let _ = carry_out(stream, &act, &over);
                });
            }
        });
        Server { host, calls, is_over }
    }

    /// The calls so far, apart from those for the instance.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(&self.host);
    }
}

/// The operation of a request; its body stays in the socket.
fn head(mut stream: &TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 || text.len() > 64 * 1024 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        text.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let target = text.lines().find_map(|line| line.strip_prefix("x-amz-target: ")).unwrap_or_default();
    let name = target.rsplit('.').next().unwrap_or_default();
    // HTTP/1 keeps the case of names of headers, and AWS's operations are compared in their own.
    Ok(super::modes::OPERATIONS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_owned(), |known| (*known).to_owned()))
}

fn carry_out(mut stream: TcpStream, act: &Act, is_over: &AtomicBool) -> std::io::Result<()> {
    if let Act::Reset(bytes) = act {
        stream.write_all(bytes)?;
        // The request's body was not read, so that the kernel answers the close with a reset.
        return Ok(());
    }
    take_the_rest(&stream)?;
    match act {
        Act::Bytes(bytes) => stream.write_all(bytes)?,
        Act::Endless(head, chunk) => {
            stream.write_all(head)?;
            while !is_over.load(Ordering::SeqCst) {
                stream.write_all(chunk)?;
            }
        }
        Act::Drip(start) => {
            stream.write_all(start)?;
            while !is_over.load(Ordering::SeqCst) {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Act::Silence(start) => {
            stream.write_all(start)?;
            stream.set_read_timeout(Some(Duration::from_millis(50)))?;
            while !is_over.load(Ordering::SeqCst) {
                match stream.read(&mut [0; 1024]) {
                    Ok(0) => break,
                    Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                    _ => {}
                }
            }
        }
        Act::Reset(_) => {}
    }
    let _ = stream.shutdown(Shutdown::Write);
    take_the_rest(&stream)
}

/// Reads what the client has sent, so that a close is no reset.
fn take_the_rest(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
