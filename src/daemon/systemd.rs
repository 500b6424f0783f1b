//! Notifies the service manager. Only this file imports sd-notify.
//!
//! Without a service manager nothing happens, and a failed notification stops nothing. Only a turn of the event loop
//! feeds the watchdog.

use crate::model::one_line;
use sd_notify::NotifyState;
use std::time::Duration;

/// Receives the state of the daemon.
pub trait ServiceNotifier: Send + Sync {
    /// The daemon has started, or a reload has finished.
    fn ready(&self, status: &str);
    /// The status in one line.
    fn status(&self, status: &str);
    /// A reload has started; [`ServiceNotifier::ready`] ends it.
    fn reloading(&self);
    /// The daemon stops, within this limit.
    fn stopping(&self, status: &str, limit: Duration);
    /// The loop has turned.
    fn alive(&self);
}

/// The service manager that started this process, if one did (`NOTIFY_SOCKET`).
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceManager;

impl ServiceNotifier for ServiceManager {
    fn ready(&self, status: &str) {
        send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    fn status(&self, status: &str) {
        send(&[NotifyState::Status(&one_line(status))]);
    }

    fn reloading(&self) {
        // Without the time a manager of the type notify-reload treats the message as outdated.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&[NotifyState::Reloading, now]),
            Err(_) => send(&[NotifyState::Reloading]),
        }
    }

    fn stopping(&self, status: &str, limit: Duration) {
        let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
        let status = one_line(status);
        send(&[NotifyState::Stopping, NotifyState::Status(&status), NotifyState::ExtendTimeoutUsec(limit)]);
    }

    fn alive(&self) {
        // Only if a watchdog is set: the loop turns many times a minute.
        if watchdog().is_some() {
            send(&[NotifyState::Watchdog]);
        }
    }
}

/// The watchdog interval; `None` without one.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

fn send(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}
