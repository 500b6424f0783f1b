//! Pings: a URL is called when a run of a job begins, was complete or was not, so that an external monitor notices when
//! the calls stop.
//!
//! A ping changes no outcome; the start does not hold the run up at all, and the end for at most twice
//! `alerts.ping.timeout`. A failed ping is only logged.

use crate::app::core::App;
use crate::config::{Job, Secret};
use crate::http::Poster;
use crate::jobs::{Run, RunOutcome, RunReport};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What stands for itself in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Calls the ping URLs of a job.
pub(super) struct Pinger<'a> {
    app: &'a App,
}

impl<'a> Pinger<'a> {
    /// The same operations for this application.
    pub(super) fn new(app: &'a App) -> Pinger<'a> {
        Pinger { app }
    }

    /// Calls the URL for the start, while the job runs.
    pub(super) fn begun(&self, job: &Job, run: &Run) -> Option<JoinHandle<()>> {
        let pings = &self.app.config().alerts.ping;
        let url = job.ping.start.as_ref().or(pings.start.as_ref())?;
        Some(tokio::spawn(call(filled(url, job, run.profile.as_deref()), String::new(), pings.timeout)))
    }

    /// Calls the URL for how it ended, after the call for its start: in the other order the run would seem to go on.
    /// Skipped runs are no runs.
    pub(super) async fn ended(&self, job: &Job, report: &RunReport, start: Option<JoinHandle<()>>) {
        if let Some(start) = start {
            let _ = start.await;
        }
        let (own, all) = (&job.ping, &self.app.config().alerts.ping);
        let url = match report.outcome {
            RunOutcome::Skipped => return,
            RunOutcome::Done => own.success.as_ref().or(all.success.as_ref()),
            _ => own.failure.as_ref().or(all.failure.as_ref()),
        };
        if let Some(url) = url.map(|url| filled(url, job, report.profile.as_deref())) {
            let words = format!("{}: {}, {}", job.name, report.outcome.as_str(), report.reason);
            call(url, words, all.timeout).await;
        }
    }
}

/// The URL with its places filled in.
fn filled(url: &Secret, job: &Job, profile: Option<&str>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    url.reveal().replace("{job}", &encoded(&job.name)).replace("{profile}", &encoded(profile.unwrap_or("default")))
}

async fn call(url: String, words: String, timeout: Duration) {
    // Reading the host's certificates takes a moment: not on a thread where others wait.
    let opened = tokio::task::spawn_blocking(move || Poster::open(&url, None)).await;
    let Ok(Ok(poster)) = opened else {
        tracing::warn!("a ping could not be sent: its URL is none");
        return;
    };
    match poster.post(words, "text/plain; charset=utf-8", timeout).await {
        Ok(answer) if answer.is_good() => {}
        Ok(answer) => tracing::warn!(host = poster.host(), status = answer.status, "a ping was refused"),
        Err(fault) => tracing::warn!(%fault, "a ping could not be sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_jobs;

    #[test]
    fn places_in_a_url_are_filled_in_and_cannot_break_out_of_it() {
        let job = load_jobs(None).unwrap().remove(0);
        let url = Secret::new("https://hc.example.com/key/{job}-{profile}/start");
        let name = &job.name;
        assert_eq!(filled(&url, &job, None), format!("https://hc.example.com/key/{name}-default/start"));
        let evil = filled(&url, &job, Some("a/../b?c\r\nHost: d"));
        assert_eq!(evil, format!("https://hc.example.com/key/{name}-a%2F%2E%2E%2Fb%3Fc%0D%0AHost%3A%20d/start"));
    }
}
