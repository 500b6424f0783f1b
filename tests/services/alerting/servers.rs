//! The other sides: a mail server, an HTTPS server and an HTTP server.

pub(crate) use crate::python::{Server, python};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// An HTTP server that notes what arrives. It goes with the process.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

impl Http {
    pub(crate) fn start() -> Http {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Http { port, seen: Arc::default(), statuses: Arc::default() };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let one = own.clone();
                std::thread::spawn(move || one.answer(stream));
            }
        });
        server
    }

    /// The next answers, in order; after them 200.
    pub(crate) fn answers(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().extend(statuses);
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Answers the requests of one connection.
    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut line, mut headers, mut length) = (String::new(), String::new(), 0);
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header).unwrap_or(0) == 0 || header.trim().is_empty() {
                    break;
                }
                if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                headers.push_str(&header);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            self.seen.lock().unwrap().push(Request { line: line.trim().to_owned(), headers, body });
            let status = self.statuses.lock().unwrap().pop_front().unwrap_or(200);
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\nwords");
            if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
