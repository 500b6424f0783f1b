//! A job that panics, hangs, is throttled, is denied, is misconfigured or has lost its login: where each of them is told.
//!
//! The mail, the textfile of metrics and the status page each tell every one, as somebody would look for it.

use super::jobs_faults;
use crate::world::World;
use async_trait::async_trait;
use awsideman::app::{Dashboard, JobFiles, JobRunner};
use awsideman::config::Job;
use awsideman::daemon::DaemonStatus;
use awsideman::daemon::page::{PageView, Range, draw};
use awsideman::jobs::{JobHandler, JobResult, JobSelection, Run, RunOutcome, Stop};
use awsideman::progress::NoProgress;
use awsideman::progress::Progress;
use std::sync::Arc;

/// Work with a fault that no test of ours found.
struct Panics;

#[async_trait]
impl JobHandler for Panics {
    async fn perform(&self, _: &Job, _: &Run, _: &dyn Progress, _: &Stop) -> JobResult {
        panic!("an index was wrong")
    }
}

/// Runs the job `panics` with such work, as `jobs run panics` does.
fn panics(world: &World) {
    let app = Arc::new(world.app());
    let (jobs, broken) = JobFiles::new(&app).valid().unwrap();
    let mut context = JobRunner::new(&app).context(Arc::new(NoProgress), Stop::new()).unwrap();
    context.handler = Arc::new(Panics);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let wanted = JobSelection::Named(vec!["panics".into()]);
    let done = runtime.block_on(JobRunner::new(&app).run(&jobs, &broken, &wanted, &context, true)).unwrap();
    let told: Vec<_> =
        done.reports.iter().map(|report| (report.outcome, report.reason.as_str(), report.exit)).collect();
    assert_eq!((done.exit, told), (1, vec![(RunOutcome::Failed, "panicked: an index was wrong", 1)]));
}

fn mails(world: &World) -> String {
    let found = std::fs::read_dir(world.beside("mails")).unwrap();
    let texts = found.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    texts.map(|text| text.replace("=\r\n", "").replace("=\n", "")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_failure_is_reported_by_mail_metrics_and_page() {
    let mut world = jobs_faults::world();
    world.write("jobs/55-panics.toml", "name = \"panics\"\nkind = \"cleanup\"\nevery = \"1h\"\n");
    let (mail, figures) = (world.beside("mails"), world.beside("figures.prom"));
    for (name, value) in [
        ("AWSIDEMAN_ALERTS_EMAIL_ENABLED", "true"),
        ("AWSIDEMAN_ALERTS_EMAIL_TRANSPORT", "file"),
        ("AWSIDEMAN_ALERTS_EMAIL_FROM", "a@example.com"),
        ("AWSIDEMAN_ALERTS_EMAIL_TO", "b@example.com"),
        ("AWSIDEMAN_ALERTS_EMAIL_DIR", mail.to_str().unwrap()),
        ("AWSIDEMAN_METRICS_TEXTFILE", figures.to_str().unwrap()),
    ] {
        world.set(name, value);
    }
    panics(&world);
    world.run(["jobs", "run"]).code(2);

    let app = Arc::new(world.app());
    let (jobs, _) = JobFiles::new(&app).valid().unwrap();
    let overview = Dashboard::new(&app).overview(&jobs, Range::LONGEST);
    let standing =
        DaemonStatus { started_at: overview.now, passes: 1, refused: None, ending: false, ..DaemonStatus::default() };
    let page = draw(&PageView { overview: &overview, standing: &standing, range: Range::Day, refreshes: false });
    let (mails, figures) = (mails(&world), std::fs::read_to_string(figures).unwrap());

    // The job, its outcome, what a mail says of it, and what the page does.
    let panicked = "Job panics failed: panicked: an index was wrong";
    let (denied, broken) = ("Job denied@keys failed: accounts: AWS denied", "Job broken failed: its file is broken");
    let (aws, login) = ("AWS does not answer: AWS throttled", "aws sso login --profile sso");
    let hangs = "Job hangs@keys ran out of time: it did not finish";
    for (job, outcome, [mailed, shown]) in [
        ("panics", "failed", [panicked; 2]),
        ("hangs", "timed-out", [hangs; 2]),
        ("throttled", "failed", [aws; 2]),
        ("denied", "failed", [denied; 2]),
        ("broken", "failed", [broken; 2]),
        ("login", "failed", [login; 2]),
    ] {
        assert_eq!(runs(&figures, job, outcome), Some(" 1"), "{job}: {figures}");
        assert!(mails.contains(mailed), "{job}: {mails}");
        assert!(page.contains(shown), "{job}: {page}");
    }
    assert_eq!(runs(&figures, "well", "done"), Some(" 1"), "the next job still runs");
    assert!(!mails.contains("Job well"), "what is well is not told: {mails}");
}

/// So many runs of the job ended so, as the metrics have it.
fn runs<'a>(figures: &'a str, job: &str, outcome: &str) -> Option<&'a str> {
    let (job, outcome) = (format!("job=\"{job}\""), format!("outcome=\"{outcome}\""));
    let mut lines = figures.lines().filter(|line| line.starts_with("awsideman_job_runs_total{"));
    lines.find(|line| line.contains(&job) && line.contains(&outcome))?.split_once('}').map(|(_, count)| count)
}
