//! Converts signals into values.
//!
//! SIGTERM and Ctrl-C request a stop; nothing is killed here.

use crate::daemon::error::DaemonError;
use crate::jobs::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Sets `stop` at the first SIGTERM or SIGINT. Must be called on a runtime.
pub fn stop_on_signals(stop: &Stop) -> Result<(), DaemonError> {
    let mut terminate = listen(SignalKind::terminate(), "SIGTERM")?;
    let mut interrupt = listen(SignalKind::interrupt(), "SIGINT")?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.set();
    });
    Ok(())
}

/// A message for each SIGHUP; unread ones are merged. Must be called on a runtime.
pub fn hangups() -> Result<mpsc::Receiver<()>, DaemonError> {
    let mut hang_up = listen(SignalKind::hangup(), "SIGHUP")?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            if let Err(mpsc::error::TrySendError::Closed(())) = sender.try_send(()) {
                return;
            }
        }
    });
    Ok(receiver)
}

fn listen(kind: SignalKind, name: &'static str) -> Result<Signal, DaemonError> {
    signal(kind).map_err(|source| DaemonError::Signal { signal: name, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    // One test: signals are sent to the whole process, and under nextest this is a process of its own.
    #[tokio::test]
    async fn signals_arrive_as_values() {
        let stop = Stop::new();
        stop_on_signals(&stop).unwrap();
        let mut reloads = hangups().unwrap();
        kill_process(getpid(), Signal::HUP).unwrap();
        assert_eq!(reloads.recv().await, Some(()));
        assert!(!stop.is_set());
        kill_process(getpid(), Signal::TERM).unwrap();
        stop.wait().await;
    }
}
