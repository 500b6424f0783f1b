//! An AWS that is hostile or broken: the command ends in time, within its memory, with a message, and stores nothing that
//! is incomplete.
//!
//! `AWSIDEMAN_SOAK=1` runs every mode against every command of a table, each of its operations under attack.

mod archives;
mod credentials;
mod ledger;
mod modes;
mod server;

use crate::home::Home;
use crate::world::Ran;
use modes::Mode;
use server::{Act, Server};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time that a call may take; the loaded hosts of a build get more.
const OPERATION_TIMEOUT: &str = "9s";
const LONGEST: Duration = Duration::from_secs(60);
/// The most memory of a process.
const MOST_MEMORY_KIB: u64 = 128 * 1024;
/// The same while a page as large as one may be is shown as a table, whose rows are held to find the width of its columns.
const MOST_OF_LARGEST_KIB: u64 = 256 * 1024;
/// The longest that a warm waits when AWS requests a pause of years.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The most that a command prints on stderr.
const MOST_STDERR: usize = 6 * 1024;

/// How a run ended and what it took.
struct Measured {
    ran: Ran,
    took: Duration,
    peak_kib: u64,
}

/// Whether every case runs.
fn is_soak() -> bool {
    std::env::var("AWSIDEMAN_SOAK").is_ok_and(|value| value == "1")
}

/// Runs a command against a server.
fn measured(home: &Home, words: &str, url: &str) -> Measured {
    let mut command = home.command(words);
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_ENDPOINT_URL", url)
        .env("AWSIDEMAN_AWS_OPERATION_TIMEOUT", OPERATION_TIMEOUT)
        .env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1")
        .env("AWSIDEMAN_AWS_CHANGE_TIMEOUT", OPERATION_TIMEOUT)
        .env("AWSIDEMAN_PACE_IDENTITY_STORE_TPS", "10000")
        .env("AWSIDEMAN_PACE_SSO_ADMIN_TPS", "10000")
        .env("AWSIDEMAN_PACE_ORGANIZATIONS_TPS", "10000")
        .env("AWSIDEMAN_LOG_FILE", home.path().join("log"));
    measure(&mut command, words)
}

fn measure(command: &mut Command, words: &str) -> Measured {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
    let (exit, peak_kib) = ended(&mut child);
    let took = begun.elapsed();
    let text = |reader: std::thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap()).into_owned();
    let ran = Ran::given(format!("awsideman {words}"), exit, text(stdout), text(stderr));
    Measured { ran, took, peak_kib }
}

fn drain(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Waits for the end; the peak of its memory was read milliseconds before.
fn ended(child: &mut Child) -> (i32, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        // Until the new program has its name, the memory is that of this test.
        let is_started = text.starts_with("Name:\tawsideman\n");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).filter(|_| is_started);
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(exit) = child.try_wait().unwrap() {
            return (exit.code().unwrap_or(-1), peak);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn most_memory(what: &str) -> u64 {
    if what.ends_with(modes::LARGEST) { MOST_OF_LARGEST_KIB } else { MOST_MEMORY_KIB }
}

impl Measured {
    /// What holds in every mode.
    fn is_bounded(&self, what: &str) {
        let Measured { ran, took, peak_kib } = self;
        let start: String = ran.stderr.chars().take(500).collect();
        assert!(*took < LONGEST, "{what}: it took {took:?}\n{start}");
        assert!(*peak_kib < most_memory(what), "{what}: its memory was {peak_kib} KiB\n{start}");
        assert!(ran.stderr.len() <= MOST_STDERR, "{what}: {} bytes on stderr\n{start}", ran.stderr.len());
        let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!ran.stderr.contains(steers) && !ran.stdout.contains(steers), "{what}: control characters\n{start:?}");
        assert!(!ran.stderr.contains("panicked") && ran.exit != 101 && ran.exit >= 0, "{what}: it crashed\n{start}");
    }
}

/// Does `work` with each item, several at a time; all that failed is counted at the end.
fn each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if catch_unwind(AssertUnwindSafe(|| work(item))).is_err() {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner(), 0, "cases that failed, of {}", items.len());
}

/// The largest memory and the longest time of each class of modes.
#[derive(Default)]
struct Figures(Mutex<BTreeMap<&'static str, (usize, u64, Duration)>>);

impl Figures {
    fn add(&self, class: &'static str, one: &Measured) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, peak, took) = all.entry(class).or_default();
        (*count, *peak, *took) = (*count + 1, (*peak).max(one.peak_kib), (*took).max(one.took));
    }

    #[expect(clippy::print_stdout, reason = "the figures of a soak")]
    fn print(&self) {
        for (class, (count, peak, took)) in &*self.0.lock().unwrap() {
            println!("hostile AWS, {class}: {count} runs, most memory {} MiB, longest {took:.1?}", peak / 1024);
        }
    }
}

#[test]
fn a_hostile_aws_is_bounded_and_nothing_incomplete_is_stored() {
    let (mut modes, figures) = (modes::all(), Figures::default());
    assert!(modes.len() >= 100, "{} modes", modes.len());
    // A build for debugging takes long to show 30 MiB of names.
    modes.retain(|mode| is_soak() || mode.name != modes::LARGEST);
    each(&modes, |Mode { class, name, page, exit, message }| {
        let what = format!("{class}: {name}");
        let home = Home::new();
        let answers: Vec<Act> = (0..2).map(page).collect();
        let server = Server::start(move |operation, n| match operation {
            "ListInstances" => modes::instance(),
            _ => answers[n.min(1)].clone(),
        });
        let url = format!("http://{}", server.host);
        let live = measured(&home, "user list", &url);
        live.is_bounded(&what);
        let start: String = live.ran.stderr.chars().take(1000).collect();
        assert_eq!(live.ran.exit, *exit, "{what}: exit code\n{start}");
        assert!(live.ran.stderr.contains(message), "{what}: {message:?} was expected\n{start}");
        assert!(server.calls() <= 2, "{what}: {} calls", server.calls());
        figures.add(class, &live);
        let cached = measured(&home, "user list --cache-only", &url);
        let expected = if *exit == 0 { 0 } else { 10 };
        assert_eq!(cached.ran.exit, expected, "{what}: what was stored\n{}", cached.ran.stderr);
    });
    figures.print();
}

#[test]
fn garbage_instead_of_tls_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(&[0x16; 8_192]);
        }
    });
    let home = Home::new();
    let run = measured(&home, "user list", &format!("https://{host}"));
    run.is_bounded("garbage instead of TLS");
    run.ran.code(13).stderr_has(&host);
}

/// Commands of each kind, every operation of which is attacked.
const COMMANDS: &[&str] = &[
    "user list",
    "user get user1",
    "user get user1@example.com",
    "group list",
    "group members admins",
    "permission-set list",
    "account list",
    "assignment list",
    "instance list",
    "cache warm",
    "doctor",
    "user create new --given-name N --family-name U --yes",
];

#[test]
fn a_hostile_aws_ends_every_command() {
    let modes = modes::all();
    let (modes, commands) = if is_soak() { (&modes[..], COMMANDS) } else { (&modes[..1], &COMMANDS[1..]) };
    let cases: Vec<(&Mode, &str)> =
        modes.iter().flat_map(|mode| commands.iter().map(move |command| (mode, *command))).collect();
    let figures = Figures::default();
    each(&cases, |(mode, command)| {
        let what = format!("{command}: {}: {}", mode.class, mode.name);
        let home = Home::new();
        let answers: Vec<Act> = (0..2).map(|n| (mode.page)(n)).collect();
        let server = Server::start(move |operation, n| match operation {
            "ListInstances" => modes::instance(),
            _ => answers[n.min(1)].clone(),
        });
        let run = measured(&home, command, &format!("http://{}", server.host));
        let Measured { ran, took, peak_kib } = &run;
        assert!(*took < LONGEST_PAUSE + 3 * LONGEST, "{what}: it took {took:?}");
        assert!(*peak_kib < most_memory(&what), "{what}: its memory was {peak_kib} KiB");
        assert!(ran.exit != 101 && ran.exit >= 0, "{what}: it crashed\n{}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}') && !ran.stdout.contains('\u{1b}'), "{what}: an escape");
        figures.add(mode.class, &run);
    });
    figures.print();
}
