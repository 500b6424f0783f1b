//! Runs the daemon of this process: scheduler, signals, status page.

use crate::daemon::error::DaemonError;
use crate::daemon::event_loop::{DaemonSettings, LoopCounters, Worker, run};
use crate::daemon::http::HttpServer;
use crate::daemon::signals::{hangups, stop_on_signals};
use crate::daemon::systemd::ServiceManager;
use crate::daemon::ticker::Ticker;
use crate::jobs::Stop;
use crate::progress::Progress;
use std::sync::Arc;

/// Runs due jobs until a signal or `stop`, which must be the one that the jobs of `worker` get. Requests through
/// `server` are answered until the last job has ended.
pub async fn serve(
    worker: Arc<dyn Worker>,
    settings: DaemonSettings,
    stop: Stop,
    progress: &dyn Progress,
    server: Option<HttpServer>,
) -> Result<LoopCounters, DaemonError> {
    stop_on_signals(&stop)?;
    let reloads = hangups()?;
    let (mut ticker, wakes) = Ticker::set().await?;
    let page = server.map(|server| tokio::spawn(server.serve()));
    let counters = run(worker, wakes, reloads, settings, stop, progress, &ServiceManager).await;
    ticker.silence().await;
    if let Some(page) = page {
        page.abort();
    }
    Ok(counters)
}
