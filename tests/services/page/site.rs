//! A home with jobs and without AWS, and a daemon in it.
//!
//! The daemon sees this home and no variable of whoever runs the test, listens on a free port of loopback, and ends
//! with its value; what is waited for is an event, with a limit that only a broken daemon reaches.

use awsideman::app::App;
use awsideman::config::{self, Sources};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes that is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// A home.
pub(crate) struct Site {
    root: TempDir,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Site {
    /// A home with these job files (`name.toml` and text); AWS is an address where nobody answers.
    pub(crate) fn new(jobs: &[(&str, &str)]) -> Site {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("jobs");
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in jobs {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let environment = [
            ("HOME", root.path().display().to_string()),
            ("PATH", std::env::var("PATH").unwrap()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "AKIAFIRST".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            // Port 1 is nobody's.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".into()),
            ("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1".into()),
            ("AWSIDEMAN_JOBS_DIR", folder.display().to_string()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Site { root, environment }
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes the user's configuration.
    pub(crate) fn configure(&self, text: &str) {
        let path = self.path(".config/awsideman/config.toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.args(words.split_whitespace()).env_clear();
        // Root's log would be the host's.
        command.env("AWSIDEMAN_LOG_FILE", self.root.path().join("awsideman.log")).envs(&self.environment);
        command.current_dir(self.root.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// The product as a library, configured as the runs are.
    pub(crate) fn app(&self) -> App {
        let sources = Sources {
            environment: self.environment.clone(),
            explicit: None,
            overrides: Vec::new(),
            system_file: self.path("no-system-file.toml"),
            working_directory: self.root.path().to_owned(),
        };
        App::new(config::load(&sources).unwrap(), None).unwrap()
    }

    /// Starts the daemon with these flags, and waits until it listens.
    pub(crate) fn daemon(&self, flags: &str) -> Daemon {
        let mut child = self
            .command(&format!("jobs daemon --listen 127.0.0.1:0 {flags}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut daemon = Daemon { child, lines, heard: Vec::new(), address: ([127, 0, 0, 1], 0).into() };
        let line = daemon.says("the status page is at http://");
        let address = line.split_once("http://").unwrap().1.trim_end_matches('/');
        daemon.address = address.parse().unwrap();
        daemon
    }
}

/// A daemon that runs.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Waits until a line with this text has been said, and gives it.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) -> String {
        if let Some(line) = self.heard.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("{text:?} was not said: {:?}", self.heard) };
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The bytes that it has read from files and sockets so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        let figures = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        figures.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// The answer to a request as it goes over the wire.
    pub(crate) fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The status line and headers, and the body, of a GET as a browser sends it.
    pub(crate) fn get(&self, path: &str) -> (String, String) {
        let answer = self.raw(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head.to_owned(), body.to_owned())
    }

    /// A body that came with 200.
    #[track_caller]
    pub(crate) fn body(&self, path: &str) -> String {
        let (head, body) = self.get(path);
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        body
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
