//! Runs the daemon of this process: scheduler, signals, status page.

use crate::daemon::error::DaemonError;
use crate::daemon::event_loop::{DaemonSettings, Tour, Worker, run};
use crate::daemon::http::Door;
use crate::daemon::signals::{hang_ups, stop_on_signals};
use crate::daemon::systemd::ServiceManager;
use crate::daemon::ticker::Alarm;
use crate::jobs::Stop;
use crate::progress::Progress;
use std::sync::Arc;

/// Runs what is due, until a signal or `stop` ends it; `stop` must be the one that the jobs of `shift` are given. What comes
/// through `door` is answered meanwhile, until the last job has ended.
pub async fn serve(
    shift: Arc<dyn Worker>,
    settings: DaemonSettings,
    stop: Stop,
    progress: &dyn Progress,
    door: Option<Door>,
) -> Result<Tour, DaemonError> {
    stop_on_signals(&stop)?;
    let reloads = hang_ups()?;
    let (mut alarm, wakes) = Alarm::set().await?;
    let page = door.map(|door| tokio::spawn(door.serve()));
    let tour = run(shift, wakes, reloads, settings, stop, progress, &ServiceManager).await;
    alarm.silence().await;
    if let Some(page) = page {
        page.abort();
    }
    Ok(tour)
}
