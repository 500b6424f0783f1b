//! A terminal with somebody before it: a pseudo-terminal of a given width, and what stands on its screen.
//!
//! The program has it as its controlling terminal, so that ctrl-c comes from the keyboard; what is waited for is
//! the screen itself, with a limit that only a broken program reaches.

use crate::world::World;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use vt100::Parser;

const ROWS: u16 = 24;
/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal.
pub(crate) struct Tty {
    child: Child,
    keyboard: File,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

struct Seen {
    screen: Parser,
    raw: Vec<u8>,
    over: bool,
}

impl Tty {
    /// The binary in this world, before a terminal of so many columns.
    pub(crate) fn start(world: &World, columns: u16, words: &str) -> Tty {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        tcsetwinsize(&slave, Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_awsideman")]).args(words.split(' '));
        world.apply(&mut command);
        let end = || slave.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop((command, slave));

        let seen = Seen { screen: Parser::new(ROWS, columns, 0), raw: Vec::new(), over: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let (keyboard, shared) = (File::from(master), seen.clone());
        let mut reader = keyboard.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                // Once nobody holds the other end, reading it is an error.
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut seen = shared.0.lock().unwrap();
                seen.screen.process(&buffer[..read]);
                seen.raw.extend_from_slice(&buffer[..read]);
                seen.over = read == 0;
                shared.1.notify_all();
                if seen.over {
                    return;
                }
            }
        });
        Tty { child, keyboard, seen }
    }

    /// Types this.
    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen is as wanted, and gives its rows.
    #[track_caller]
    pub(crate) fn shows(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let (seen, changed) = &*self.seen;
        let (seen, waited) = changed
            .wait_timeout_while(seen.lock().unwrap(), PATIENCE, |seen| !wanted(&rows(seen)) && !seen.over)
            .unwrap();
        let rows = rows(&seen);
        assert!(!waited.timed_out() && wanted(&rows), "this was not shown:\n{}", rows.join("\n"));
        rows
    }

    /// Waits for the end: the exit code, the rows that stand then, and all that was ever written.
    pub(crate) fn ended(mut self) -> (Option<i32>, Vec<String>, String) {
        let code = self.child.wait().unwrap().code();
        let (seen, changed) = &*self.seen;
        let seen = changed.wait_while(seen.lock().unwrap(), |seen| !seen.over).unwrap();
        (code, rows(&seen), String::from_utf8_lossy(&seen.raw).into_owned())
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of the screen that hold something.
fn rows(seen: &Seen) -> Vec<String> {
    let screen = seen.screen.screen();
    screen.rows(0, screen.size().1).filter(|row| !row.trim().is_empty()).collect()
}
