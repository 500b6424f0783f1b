//! The daemon over the real runner, fed with wakes by hand.
//!
//! No job runs beside itself however often the daemon is woken, and what runs when it is told to end is in the
//! ledger.

use async_trait::async_trait;
use awsideman::clock::{Clock, ManualClock};
use awsideman::config::{AlertWhen, CatchUp, Job, JobKind, JobPing, Overlap, Retry, Schedule};
use awsideman::daemon::{self, DaemonSettings, ServiceManager, Worker};
use awsideman::jobs::{self, Context, JobHandler, JobResult, JobSelection, Ledger, Run, RunOutcome, Slots, Stop};
use awsideman::model::Zone;
use awsideman::progress::NoProgress;
use awsideman::progress::Progress;
use awsideman::secure_fs::Access;
use awsideman::state::Database;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const MINUTE: Duration = Duration::from_secs(60);

fn job(name: &str, kind: JobKind) -> Job {
    Job {
        name: name.into(),
        origin: String::new(),
        description: String::new(),
        enabled: true,
        kind,
        schedule: Schedule::Every(5 * MINUTE),
        jitter: Duration::ZERO,
        timeout: 60 * MINUTE,
        overlap: Overlap::Forbid,
        catch_up: CatchUp::Latest,
        start_deadline: Duration::ZERO,
        retry: Retry { attempts: 1, delay: Duration::ZERO },
        alert: AlertWhen::Never,
        profiles: vec![],
        ping: JobPing::default(),
    }
}

/// `long` goes on until it is told to stop, the others are done at once.
#[derive(Default)]
struct Busy {
    now: Mutex<BTreeMap<String, u32>>,
    most: Mutex<BTreeMap<String, u32>>,
}

#[async_trait]
impl JobHandler for Busy {
    async fn perform(&self, job: &Job, _: &Run, _: &dyn Progress, stop: &Stop) -> JobResult {
        let now = {
            let mut now = self.now.lock().expect("no test thread panics");
            *now.entry(job.name.clone()).and_modify(|n| *n += 1).or_insert(1)
        };
        self.most
            .lock()
            .expect("no test thread panics")
            .entry(job.name.clone())
            .and_modify(|most| *most = now.max(*most))
            .or_insert(now);
        if job.name == "long" {
            stop.wait().await;
        }
        *self.now.lock().expect("no test thread panics").get_mut(&job.name).expect("it was counted") -= 1;
        if job.name == "long" { JobResult::failed_for_now("stopped after 3 pages", 1) } else { JobResult::done("ok") }
    }
}

struct Duty {
    jobs: Vec<Job>,
    context: Context,
    ended: mpsc::UnboundedSender<Vec<(String, RunOutcome)>>,
}

#[async_trait]
impl Worker for Duty {
    async fn pass(&self) {
        let reports = jobs::run(&self.jobs, &JobSelection::Due, &self.context).await.expect("the ledger works");
        let words = reports.into_iter().map(|report| (report.job, report.outcome)).collect();
        self.ended.send(words).expect("the test listens");
    }

    async fn reload(&self) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn no_job_overlaps_itself_and_a_stopped_run_is_in_the_ledger() {
    let root = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(&root.path().join("state"), Access::Owner, MINUTE, 0).unwrap();
    let ledger = Ledger::new(Arc::new(Mutex::new(database)));
    let clock = Arc::new(ManualClock::at(1_780_315_200_000));
    let (busy, stop) = (Arc::new(Busy::default()), Stop::new());
    let (ended, mut passes) = mpsc::unbounded_channel();
    let context = Context {
        state_dir: root.path().join("state"),
        access: Access::Owner,
        ledger: ledger.clone(),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        zone: Zone::UTC,
        host: "here".into(),
        handler: Arc::clone(&busy) as Arc<dyn JobHandler>,
        slots: Slots::new(2),
        wait: false,
        keep: 50,
        grace: MINUTE,
        progress: Arc::new(NoProgress),
        stop: stop.clone(),
    };
    let jobs = vec![job("long", JobKind::Warm { resources: vec![], budget: 0 }), job("quick", JobKind::HealthCheck)];
    let shift = Arc::new(Duty { jobs, context, ended });
    let ((wake, wakes), (_reload, reloads)) = (mpsc::channel(1), mpsc::channel(1));
    let (ours, settings) = (stop.clone(), DaemonSettings { lanes: 3, drain: MINUTE, pulse: MINUTE });
    let daemon =
        tokio::spawn(
            async move { daemon::run(shift, wakes, reloads, settings, ours, &NoProgress, &ServiceManager).await },
        );

    wake.send(()).await.unwrap();
    while busy.now.lock().unwrap().get("long") != Some(&1) {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        clock.advance(5 * MINUTE);
        wake.send(()).await.unwrap();
        let pass = passes.recv().await.unwrap();
        assert_eq!(pass, [("quick".to_owned(), RunOutcome::Done), ("long".to_owned(), RunOutcome::Skipped)]);
    }
    stop.set();
    let tour = daemon.await.unwrap();
    assert_eq!((tour.passes, tour.aborted, tour.panics), (4, 0, 0));
    assert!(busy.most.lock().unwrap().values().all(|most| *most == 1), "{:?}", busy.most);
    assert!(ledger.open_run("long", "").unwrap().is_none());
    let history = ledger.history(Some("long"), 10).unwrap();
    let cancelled = history.iter().find(|row| row.outcome == Some(RunOutcome::Cancelled)).unwrap();
    assert!(cancelled.reason.ends_with("stopped after 3 pages"), "{}", cancelled.reason);
    assert_eq!(history.len(), 4);
}
