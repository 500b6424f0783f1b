//! Words to the service manager, and the only file that names sd-notify.
//!
//! Without a service manager nothing happens; a word that cannot be sent stops nothing; the watchdog is fed by a
//! turn of the loop and by nothing else.

use crate::model::one_line;
use sd_notify::NotifyState;
use std::time::Duration;

/// Who hears how the daemon stands.
pub trait ServiceNotifier: Send + Sync {
    /// It has begun, or a reload is over.
    fn ready(&self, status: &str);
    /// How it stands, in one line.
    fn status(&self, status: &str);
    /// The configuration is being read again; [`ServiceNotifier::ready`] ends that.
    fn reloading(&self);
    /// It ends, and may take so long.
    fn stopping(&self, status: &str, limit: Duration);
    /// The loop turned.
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
        // Without the time a manager of the type notify-reload takes the word for an old one.
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
        // Only where somebody waits for it: the loop turns many times a minute.
        if watchdog().is_some() {
            send(&[NotifyState::Watchdog]);
        }
    }
}

/// How long the service manager waits for the next sign of life; `None` when it does not.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

fn send(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
