//! SIGINT and SIGTERM end a command with exit code 130 and an error that names what was done and how to continue.

use super::output::Stderr;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::host;
use crate::jobs::Stop;
use crate::model::shell_word;
use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A command that waits for AWS ends by itself within this time after the signal.
const GRACE: Duration = Duration::from_secs(5);
/// The error message may block: stderr can be a pipe that no process reads.
const PRINTING: Duration = Duration::from_secs(1);

/// Ends the process with an exit code.
pub type Exit = fn(i32) -> !;

/// The signals of one command. Copies share them; without an [`Exit`] (in tests) no signal is handled.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    exit: Option<Exit>,
    stop: Stop,
    watched: OnceLock<()>,
    /// How many waits that end by themselves are in progress.
    waits: AtomicUsize,
    talk: Mutex<Option<Stderr>>,
    end: Mutex<End>,
}

/// The error that the command ends with.
#[derive(Default, Clone)]
struct End {
    /// The command as typed.
    command: String,
    /// Follows `interrupted`.
    done: String,
    /// Replaces the hint to run the command again.
    hint: Option<String>,
}

impl Interrupts {
    /// Those of the process, which ends with `exit`.
    pub fn of_process(exit: Exit) -> Interrupts {
        Interrupts(Arc::new(Shared { exit: Some(exit), ..Shared::default() }))
    }

    /// Sets the words of the command, the program first.
    pub(super) fn set_command(&self, words: &[OsString]) {
        let words = words.iter().skip(1).map(|word| shell_word(&word.to_string_lossy()));
        self.end().command = std::iter::once("awsideman".to_owned()).chain(words).collect::<Vec<_>>().join(" ");
    }

    /// Sets where the error is printed.
    pub(super) fn set_talk(&self, talk: &Stderr) {
        *lock(&self.0.talk) = Some(talk.clone());
    }

    /// Sets what an interruption from here on leaves; `COMMAND` in the hint stands for the command as typed.
    pub(super) fn leaves(&self, done: &str, hint: Option<&str>) {
        let mut end = self.end();
        done.clone_into(&mut end.done);
        end.hint = hint.map(str::to_owned);
    }

    /// Set at the first signal.
    pub(super) fn stop(&self) -> &Stop {
        &self.0.stop
    }

    /// The error of an interrupted command.
    pub(super) fn failure(&self) -> CliError {
        let End { command, done, hint } = self.end().clone();
        let message = if done.is_empty() { "interrupted".to_owned() } else { format!("interrupted: {done}") };
        let hint = hint.unwrap_or_else(|| "run it again: `COMMAND`".to_owned());
        CliError::new(Code::Interrupted, message).hint(hint.replace("COMMAND", &command))
    }

    /// Handles the signals from here on, on a separate thread. A cached answer never gets here.
    pub(super) fn watch(&self) {
        let Some(exit) = self.0.exit else { return };
        self.0.watched.get_or_init(|| {
            // Without the handlers a signal ends the process, as it does by default.
            if let Ok((runtime, signals)) = handlers() {
                let this = self.clone();
                let watcher = std::thread::Builder::new().name("signals".into());
                let _ = watcher.spawn(move || runtime.block_on(this.end_at_signal(signals, exit)));
            }
        });
    }

    /// Waits for work; a signal drops it.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        self.wait_to_end(async {
            tokio::select! {
                biased;
                done = work => Ok(done),
                () = self.0.stop.wait() => Err(self.failure()),
            }
        })?
    }

    /// Waits for work that ends by itself after [`Interrupts::stop`] is set.
    pub(super) fn wait_to_end<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        let runtime = host::check_for_runtime(1).and_then(|()| Builder::new_current_thread().enable_all().build());
        let runtime = runtime.map_err(|error| CliError::cannot_start(&error))?;
        self.watch();
        self.0.waits.fetch_add(1, Ordering::Relaxed);
        let done = runtime.block_on(work);
        self.0.waits.fetch_sub(1, Ordering::Relaxed);
        Ok(done)
    }

    async fn end_at_signal(self, [mut terminate, mut interrupt]: [Signal; 2], exit: Exit) {
        let next = async |terminate: &mut Signal, interrupt: &mut Signal| {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next(&mut terminate, &mut interrupt).await;
        self.0.stop.set();
        if self.0.waits.load(Ordering::Relaxed) > 0 {
            // The second signal is not waited for.
            let _ = tokio::time::timeout(GRACE, next(&mut terminate, &mut interrupt)).await;
        }
        let (printed, wait) = std::sync::mpsc::channel();
        let this = self.clone();
        let print = move || {
            if let Some(talk) = lock(&this.0.talk).clone() {
                talk.failure(&this.failure());
            }
            let _ = printed.send(());
        };
        if std::thread::Builder::new().spawn(print).is_ok() {
            let _ = wait.recv_timeout(PRINTING);
        }
        exit(Code::Interrupted.number().into())
    }

    fn end(&self) -> MutexGuard<'_, End> {
        lock(&self.0.end)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handlers() -> std::io::Result<(Runtime, [Signal; 2])> {
    // Under tight limits the command needs the descriptors more.
    host::check_for_runtime(1)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    drop(entered);
    Ok((runtime, signals))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Interrupts {
        let interrupts = Interrupts::default();
        interrupts.set_command(&words.iter().map(OsString::from).collect::<Vec<_>>());
        interrupts
    }

    #[test]
    fn the_error_names_what_was_done_and_the_command_as_it_was_typed() {
        let interrupts = of(&["/usr/bin/awsideman", "--profile", "it's", "user", "list"]);
        let failure = interrupts.failure();
        assert_eq!((failure.code, failure.message.as_str()), (Code::Interrupted, "interrupted"));
        assert_eq!(failure.hint.as_deref(), Some(r"run it again: `awsideman --profile 'it'\''s' user list`"));
        interrupts.leaves("nothing was changed", None);
        assert_eq!(interrupts.failure().message, "interrupted: nothing was changed");
        interrupts.leaves("", Some("`COMMAND` continues"));
        assert!(interrupts.failure().hint.is_some_and(|hint| hint.ends_with("user list` continues")));
    }

    #[test]
    fn a_wait_ends_when_it_is_asked_to_stop_unless_its_work_has_ended() {
        let interrupts = of(&["awsideman", "user", "list"]);
        assert_eq!(interrupts.wait(async { 7 }), Ok(7));
        interrupts.stop().set();
        assert_eq!(interrupts.wait(async { 7 }), Ok(7));
        let ended = interrupts.wait(std::future::pending::<()>());
        assert_eq!(ended.map_err(|failure| failure.code), Err(Code::Interrupted));
    }
}
