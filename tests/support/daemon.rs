//! A daemon that is listened to.
//!
//! What is waited for is a line, with a limit that only something broken reaches; a daemon ends with its value,
//! whatever becomes of the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process that goes on until it is told to end, and what it says on stderr.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    pub(crate) fn start(mut command: Command) -> Daemon {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Daemon { child, lines }
    }

    /// The process, for signals.
    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// What it says, up to the line with these words.
    #[track_caller]
    pub(crate) fn hear(&self, words: &str) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            heard.push(line);
            if heard.last().is_some_and(|line| line.contains(words)) {
                return heard;
            }
        }
        panic!("{words:?} was not said: {heard:#?}");
    }

    /// The line with these words.
    #[track_caller]
    pub(crate) fn line(&self, words: &str) -> String {
        self.hear(words).pop().unwrap_or_default()
    }

    /// How it ended, once it has been told to.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
