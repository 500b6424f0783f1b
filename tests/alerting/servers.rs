//! The other sides: a mail server, an HTTPS server and an HTTP server.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

/// The Python to run servers with; without one the test ends here, which CI does not accept.
#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("AWSIDEMAN_TEST_PYTHON").filter(|python| !python.is_empty());
    if python.is_none() {
        assert!(std::env::var_os("CI").is_none(), "AWSIDEMAN_TEST_PYTHON must name a Python with aiosmtpd");
        eprintln!("SKIPPED: set AWSIDEMAN_TEST_PYTHON to a Python with aiosmtpd and cryptography to run this test");
    }
    python.map(PathBuf::from)
}

/// A running Python server; it ends with this value.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn mail(python: &Path, folder: &Path, port: u16) -> Server {
        Server::start(python, "smtp_server.py", folder, &["starttls", &port.to_string()])
    }

    pub(crate) fn https(python: &Path, folder: &Path) -> Server {
        Server::start(python, "https_server.py", folder, &[])
    }

    fn start(python: &Path, script: &str, folder: &Path, more: &[&str]) -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(script);
        let mut command = Command::new(python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(folder).args(more);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the Python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server prints its port");
        let stdin = child.stdin.take();
        Server { child, stdin, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

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
