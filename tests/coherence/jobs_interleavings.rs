//! Three runners over one state directory, in many orders, some of which die.
//!
//! A seed decides who dawdles where and who dies; whatever it says, no job runs beside itself, no occurrence is
//! done twice, every death is recorded, and nothing stays stuck. `AWSIDEMAN_SOAK=1`: many more seeds; a larger
//! number: so many.

use async_trait::async_trait;
use awsideman::clock::{Clock, UnixMillis};
use awsideman::config::{AlertWhen, CatchUp, Job, JobKind, JobPing, Overlap, Retry, Schedule};
use awsideman::jobs::{
    self as runner, Context, JobHandler, JobResult, JobSelection, Ledger, Run, RunOutcome, Slots, Stop,
};
use awsideman::model::Zone;
use awsideman::progress::NoProgress;
use awsideman::progress::Progress;
use awsideman::secure_fs::Access;
use awsideman::state::Database;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

const MINUTE: Duration = Duration::from_secs(60);
const NOON: UnixMillis = 1_780_315_200_000;

/// A small generator of numbers that several threads may ask.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, below: u64) -> u64 {
        let mut seen = self.0.load(Ordering::SeqCst);
        loop {
            let next = seen.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match self.0.compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return (next >> 33) % below,
                Err(other) => seen = other,
            }
        }
    }
}

/// A clock that all share, and at which a runner now and then dawdles: between lock and ledger, wherever the time is
/// asked for.
struct Dawdling {
    now: Arc<AtomicI64>,
    dice: Arc<Dice>,
}

impl Clock for Dawdling {
    fn now(&self) -> UnixMillis {
        for _ in 0..self.dice.roll(4) {
            std::thread::yield_now();
        }
        if self.dice.roll(12) == 0 {
            std::thread::sleep(Duration::from_micros(self.dice.roll(400)));
        }
        self.now.load(Ordering::SeqCst)
    }
}

/// What happened to the jobs, seen from outside.
#[derive(Default)]
struct Seen {
    running: Mutex<BTreeMap<String, u32>>,
    beside: AtomicU64,
    deaths: AtomicU64,
    done: Mutex<BTreeMap<(String, UnixMillis), u32>>,
}

struct Acting {
    seen: Arc<Seen>,
    dice: Arc<Dice>,
    /// Tells the thread that its process dies here.
    death: Arc<Notify>,
    mortal: bool,
}

/// One job at its work. Dropped before its end, it died with its process: by its own fate or another job's.
struct Inside<'a> {
    seen: &'a Seen,
    job: &'a str,
    ended: bool,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.seen.running.lock().expect("no panic while it is held").get_mut(self.job).expect("counted") -= 1;
        self.seen.deaths.fetch_add(u64::from(!self.ended), Ordering::SeqCst);
    }
}

#[async_trait]
impl JobHandler for Acting {
    async fn perform(&self, job: &Job, run: &Run, _: &dyn Progress, _: &Stop) -> JobResult {
        let beside = {
            let mut running = self.seen.running.lock().expect("no panic while it is held");
            let count = running.entry(job.name.clone()).or_default();
            *count += 1;
            *count > 1
        };
        self.seen.beside.fetch_add(u64::from(beside), Ordering::SeqCst);
        let mut inside = Inside { seen: &self.seen, job: &job.name, ended: false };
        for _ in 0..self.dice.roll(6) {
            tokio::task::yield_now().await;
            if self.dice.roll(3) == 0 {
                std::thread::sleep(Duration::from_micros(self.dice.roll(300)));
            }
        }
        let fate = self.dice.roll(10);
        if self.mortal && fate == 0 {
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
        inside.ended = true;
        drop(inside);
        assert!(fate != 1, "an index was wrong");
        if let Some(at) = run.scheduled_at {
            *self.seen.done.lock().expect("no panic").entry((job.name.clone(), at)).or_default() += 1;
        }
        if fate == 2 { JobResult::failed("AWS refused ListUsers", 4) } else { JobResult::done("ok") }
    }
}

fn job(name: &str, schedule: Schedule, overlap: Overlap) -> Job {
    Job {
        name: name.into(),
        origin: String::new(),
        description: String::new(),
        enabled: true,
        kind: JobKind::Cleanup,
        schedule,
        jitter: Duration::ZERO,
        timeout: 60 * MINUTE,
        overlap,
        catch_up: CatchUp::All { limit: 3, window: 60 * MINUTE },
        start_deadline: Duration::ZERO,
        retry: Retry { attempts: 1, delay: Duration::ZERO },
        alert: AlertWhen::Never,
        profiles: vec![],
        ping: JobPing::default(),
    }
}

fn jobs() -> Vec<Job> {
    let cron = |text| Schedule::cron(text, Some(Zone::UTC)).expect("a schedule");
    vec![
        job("forbids", cron("*/5 * * * *"), Overlap::Forbid),
        job("queues", cron("1-59/7 * * * *"), Overlap::QueueOne),
        job("interval", Schedule::Every(4 * MINUTE), Overlap::Forbid),
    ]
}

fn context(root: &Path, now: &Arc<AtomicI64>, dice: &Arc<Dice>, handler: Arc<dyn JobHandler>) -> Context {
    let (database, _) = Database::open(&root.join("state"), Access::Owner, MINUTE, 0).expect("a database");
    Context {
        state_dir: root.join("state"),
        access: Access::Owner,
        ledger: Ledger::new(Arc::new(Mutex::new(database))),
        clock: Arc::new(Dawdling { now: Arc::clone(now), dice: Arc::clone(dice) }),
        zone: Zone::UTC,
        host: "here".into(),
        handler,
        slots: Slots::new(2),
        wait: false,
        keep: 10_000,
        grace: MINUTE,
        progress: Arc::new(NoProgress),
        stop: Stop::new(),
    }
}

/// A runner's life: passes until the time is over or it dies, and then another takes its place.
fn lives(root: &Path, now: &Arc<AtomicI64>, dice: &Arc<Dice>, seen: &Arc<Seen>, until: UnixMillis) {
    while now.load(Ordering::SeqCst) < until {
        let death = Arc::new(Notify::new());
        let works = Acting { seen: Arc::clone(seen), dice: Arc::clone(dice), death: Arc::clone(&death), mortal: true };
        let context = context(root, now, dice, Arc::new(works));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let jobs = jobs();
        runtime.block_on(async {
            while now.load(Ordering::SeqCst) < until {
                tokio::select! {
                    passed = runner::run(&jobs, &JobSelection::Due, &context) => { passed.expect("the ledger works"); }
                    () = death.notified() => return,
                }
                now.fetch_add(i64::try_from(dice.roll(90_000)).expect("small"), Ordering::SeqCst);
            }
        });
        // All of it goes at once, tasks and locks, as with a process.
        drop(runtime);
    }
}

fn lived(seed: u64) -> (u64, usize) {
    let root = tempfile::tempdir().expect("a directory");
    let (now, dice) = (Arc::new(AtomicI64::new(NOON)), Arc::new(Dice(AtomicU64::new(seed))));
    let seen = Arc::new(Seen::default());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| lives(root.path(), &now, &dice, &seen, NOON + 40 * 60_000));
        }
    });
    assert_eq!(seen.beside.load(Ordering::SeqCst), 0, "seed {seed}: a job ran beside itself");
    let done = seen.done.lock().expect("no panic").clone();
    let twice: Vec<_> = done.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "seed {seed}: done twice: {twice:?}");

    // Somebody comes by afterwards who cannot die: nothing is stuck, and all deaths are in the ledger.
    let immortal = Acting {
        seen: Arc::clone(&seen),
        dice: Arc::new(Dice(AtomicU64::new(u64::MAX / 3))),
        death: Arc::default(),
        mortal: false,
    };
    let context = context(root.path(), &now, &Arc::new(Dice(AtomicU64::new(7))), Arc::new(immortal));
    now.fetch_add(20 * 60_000, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(runner::run(&jobs(), &JobSelection::Due, &context)).expect("the ledger works");
    let history = context.ledger.history(None, 100_000).expect("a history");
    let count = |outcome: Option<RunOutcome>| history.iter().filter(|row| row.outcome == outcome).count();
    assert_eq!(count(None), 0, "seed {seed}: a run without an end");
    let deaths = seen.deaths.load(Ordering::SeqCst);
    // One that died on the way to its work or from it has a row too.
    assert!(count(Some(RunOutcome::Crashed)) as u64 >= deaths, "seed {seed}: {deaths} deaths, fewer in the ledger");
    for job in jobs() {
        let last =
            history.iter().find(|row| row.job == job.name && row.outcome != Some(RunOutcome::Missed)).expect("a run");
        assert!(last.started_at >= NOON + 60 * 60_000 - 60_000, "seed {seed}: {} is stuck: {last:?}", job.name);
    }
    (deaths, history.len())
}

#[test]
fn with_slow_and_dying_runners_no_job_overlaps_or_is_lost() {
    // Deaths and panics of works are part of it: their words would only be in the way.
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = std::env::var("AWSIDEMAN_SOAK").map_or(12, |soak| match soak.parse() {
        Ok(0 | 1) | Err(_) => 2_000,
        Ok(seeds) => seeds,
    });
    let (mut deaths, mut runs) = (0, 0);
    for seed in 0..seeds {
        match std::panic::catch_unwind(|| lived(seed)) {
            Ok((died, ran)) => (deaths, runs) = (deaths + died, runs + ran),
            Err(told) => {
                let _ = std::panic::take_hook();
                panic!("{}", told.downcast_ref::<String>().map_or("a panic without words", String::as_str));
            }
        }
    }
    let _ = std::panic::take_hook();
    println!("{seeds} seeds, {runs} runs in the ledger, {deaths} deaths recorded");
    assert!(deaths > 0 && runs > 100);
}
