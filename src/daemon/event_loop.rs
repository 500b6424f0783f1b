//! The event loop of the daemon: each tick starts a pass.
//!
//! Guarantee: passes may overlap, so that a walk of an hour does not delay the health check, up to
//! [`DaemonSettings::lanes`]; their locks keep a job from running twice. A tick without a free lane is served when
//! one is free. A pass that panics ends only itself. On shutdown no pass starts, and running ones are awaited. Only a
//! turn of the loop feeds the watchdog of the service manager.

use crate::daemon::systemd::ServiceNotifier;
use crate::jobs::Stop;
use crate::progress::Progress;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A pass starts after this time without a tick, in case the ticker fails.
const QUIET: Duration = Duration::from_secs(60);

/// The work of the daemon at a tick and at a reload.
#[async_trait]
pub trait Worker: Send + Sync {
    /// Runs what is due. Called again while it runs.
    async fn pass(&self);
    /// Reads the configuration again and uses it from the next pass on. An error changes nothing.
    async fn reload(&self) -> Result<(), String>;
    /// The status in one line.
    fn status(&self) -> String {
        String::new()
    }
}

/// The settings of the event loop.
#[derive(Debug, Clone, Copy)]
pub struct DaemonSettings {
    /// The most concurrent passes: one more than concurrent jobs is enough.
    pub lanes: usize,
    /// The time for passes to end on shutdown: the grace of the jobs and a few seconds.
    pub drain: Duration,
    /// The longest time between two turns of the loop, for the watchdog.
    pub pulse: Duration,
}

/// The counters of the event loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoopCounters {
    /// Started passes.
    pub passes: u64,
    /// Passes that panicked.
    pub panics: u64,
    /// Successful reloads.
    pub reloads: u64,
    /// Failed reloads.
    pub refused: u64,
    /// Passes that were aborted because they did not end in time.
    pub aborted: u64,
}

/// Starts a pass at every tick until `stop` is set or both channels are closed, then waits for running passes.
pub async fn run(
    worker: Arc<dyn Worker>,
    mut wakes: mpsc::Receiver<()>,
    mut reloads: mpsc::Receiver<()>,
    settings: DaemonSettings,
    stop: Stop,
    progress: &dyn Progress,
    herald: &dyn ServiceNotifier,
) -> LoopCounters {
    herald.ready(&worker.status());
    let mut quiet = Instant::now() + QUIET;
    let mut counters = LoopCounters::default();
    let mut passes = JoinSet::new();
    let (mut wanted, mut waking, mut reloading) = (false, true, true);
    while waking || reloading || wanted {
        herald.alive();
        if wanted && passes.len() < settings.lanes.max(1) {
            wanted = false;
            counters.passes += 1;
            let worker = Arc::clone(&worker);
            passes.spawn(async move { worker.pass().await });
        }
        tokio::select! {
            biased;
            () = stop.wait() => break,
            Some(ended) = passes.join_next() => {
                note(ended, &mut counters, progress);
                herald.status(&worker.status());
            }
            reload = reloads.recv(), if reloading => match reload {
                Some(()) => {
                    herald.reloading();
                    wanted |= reloaded(&*worker, &mut counters, progress).await;
                    herald.ready(&worker.status());
                }
                None => reloading = false,
            },
            wake = wakes.recv(), if waking => match wake {
                Some(()) => {
                    wanted = true;
                    quiet = Instant::now() + QUIET;
                }
                None => waking = false,
            },
            () = sleep_until(quiet), if waking => {
                tracing::warn!("no tick for {QUIET:?}; starting a pass anyway");
                wanted = true;
                quiet = Instant::now() + QUIET;
            }
            () = sleep(settings.pulse) => {}
        }
    }
    herald.stopping(&ending(passes.len()), settings.drain);
    drain(passes, settings.drain, &mut counters, progress).await;
    counters
}

fn ending(passes: usize) -> String {
    match passes {
        0 => "shutting down".into(),
        1 => "shutting down: waiting for 1 running pass".into(),
        n => format!("shutting down: waiting for {n} running passes"),
    }
}

async fn reloaded(worker: &dyn Worker, counters: &mut LoopCounters, progress: &dyn Progress) -> bool {
    match worker.reload().await {
        Ok(()) => {
            counters.reloads += 1;
            progress.notice("reloaded the configuration");
            true
        }
        Err(error) => {
            counters.refused += 1;
            progress.notice(&format!("cannot reload the configuration, the last good one stays in use: {error}"));
            false
        }
    }
}

async fn drain(mut passes: JoinSet<()>, limit: Duration, counters: &mut LoopCounters, progress: &dyn Progress) {
    if !passes.is_empty() {
        progress.notice("shutting down: waiting for running jobs");
    }
    let ended = timeout(limit, async {
        while let Some(ended) = passes.join_next().await {
            note(ended, counters, progress);
        }
    });
    if ended.await.is_err() {
        counters.aborted = passes.len() as u64;
        progress.notice(&format!("{} passes did not end within {limit:?} and were aborted", passes.len()));
        passes.shutdown().await;
    }
}

fn note(ended: Result<(), JoinError>, counters: &mut LoopCounters, progress: &dyn Progress) {
    if let Err(error) = ended
        && error.is_panic()
    {
        counters.panics += 1;
        progress.notice(&format!("a pass panicked ({error}); the daemon continues"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    /// Passes that end when the test gives a permit, and count how many run.
    struct PassGate {
        room: Semaphore,
        begun: Semaphore,
        now: AtomicUsize,
        most: AtomicUsize,
        ended: AtomicUsize,
        reload: Mutex<Result<(), String>>,
        panics: bool,
    }

    impl PassGate {
        fn new(panics: bool) -> Arc<PassGate> {
            Arc::new(PassGate {
                room: Semaphore::new(0),
                begun: Semaphore::new(0),
                now: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                ended: AtomicUsize::new(0),
                reload: Mutex::new(Ok(())),
                panics,
            })
        }

        async fn begun(&self) {
            self.begun.acquire().await.unwrap().forget();
        }
    }

    #[async_trait]
    impl Worker for PassGate {
        async fn pass(&self) {
            self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            self.begun.add_permits(1);
            assert!(!self.panics, "an index was wrong");
            self.room.acquire().await.unwrap().forget();
            self.now.fetch_sub(1, Ordering::SeqCst);
            self.ended.fetch_add(1, Ordering::SeqCst);
        }

        async fn reload(&self) -> Result<(), String> {
            self.reload.lock().unwrap().clone()
        }
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn started(&self, _: &str, _: Option<u64>) {}
        fn advanced(&self, _: &str, _: u64) {}
        fn notice(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
        fn finished(&self, _: &str) {}
    }

    struct Fed {
        gate: Arc<PassGate>,
        wake: mpsc::Sender<()>,
        reload: mpsc::Sender<()>,
        stop: Stop,
        heard: Arc<Heard>,
        daemon: tokio::task::JoinHandle<LoopCounters>,
    }

    fn fed(gate: Arc<PassGate>, lanes: usize, drain: Duration) -> Fed {
        let ((wake, wakes), (reload, reloads)) = (mpsc::channel(9), mpsc::channel(9));
        let (stop, heard) = (Stop::new(), Arc::new(Heard::default()));
        let (worker, ours, says) = (Arc::clone(&gate), stop.clone(), Arc::clone(&heard));
        let settings = DaemonSettings { lanes, drain, pulse: LONG };
        let daemon =
            tokio::spawn(async move { run(worker, wakes, reloads, settings, ours, &*says, &Manager::default()).await });
        Fed { gate, wake, reload, stop, heard, daemon }
    }

    /// Hears every word, as the service manager does.
    #[derive(Default)]
    struct Manager(Mutex<Option<mpsc::UnboundedSender<&'static str>>>);

    impl Manager {
        fn hear(&self, word: &'static str) {
            if let Some(listener) = self.0.lock().unwrap().as_ref() {
                listener.send(word).unwrap();
            }
        }
    }

    impl ServiceNotifier for Manager {
        fn ready(&self, _: &str) {
            self.hear("ready");
        }
        fn status(&self, _: &str) {}
        fn reloading(&self) {
            self.hear("reloading");
        }
        fn stopping(&self, _: &str, _: Duration) {
            self.hear("stopping");
        }
        fn alive(&self) {
            self.hear("alive");
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn every_wake_is_a_pass_but_never_more_than_the_lanes() {
        let fed = fed(PassGate::new(false), 2, LONG);
        for _ in 0..5 {
            fed.wake.send(()).await.unwrap();
        }
        fed.gate.begun().await;
        fed.gate.begun().await;
        fed.gate.room.add_permits(9);
        fed.gate.begun().await;
        fed.stop.set();
        let counters = fed.daemon.await.unwrap();
        assert_eq!(fed.gate.most.load(Ordering::SeqCst), 2);
        assert_eq!(usize::try_from(counters.passes).unwrap(), fed.gate.ended.load(Ordering::SeqCst));
        assert!((3..=5).contains(&counters.passes), "wakes that wait are one: {counters:?}");
    }

    #[tokio::test]
    async fn a_long_pass_does_not_keep_the_next_from_beginning() {
        let fed = fed(PassGate::new(false), 2, LONG);
        fed.wake.send(()).await.unwrap();
        fed.gate.begun().await;
        fed.wake.send(()).await.unwrap();
        fed.gate.begun().await;
        assert_eq!(fed.gate.now.load(Ordering::SeqCst), 2);
        fed.gate.room.add_permits(2);
        drop((fed.wake, fed.reload));
        assert_eq!(fed.daemon.await.unwrap().passes, 2);
    }

    #[tokio::test]
    async fn told_to_end_it_waits_for_what_runs_and_begins_nothing() {
        let fed = fed(PassGate::new(false), 2, LONG);
        fed.wake.send(()).await.unwrap();
        fed.gate.begun().await;
        fed.stop.set();
        fed.wake.send(()).await.unwrap();
        tokio::task::yield_now().await;
        assert!(!fed.daemon.is_finished());
        fed.gate.room.add_permits(9);
        let counters = fed.daemon.await.unwrap();
        assert_eq!((counters.passes, counters.aborted, fed.gate.ended.load(Ordering::SeqCst)), (1, 0, 1));
    }

    #[tokio::test]
    async fn what_does_not_end_in_time_is_aborted_and_that_is_said() {
        let fed = fed(PassGate::new(false), 2, Duration::from_millis(20));
        fed.wake.send(()).await.unwrap();
        fed.gate.begun().await;
        fed.stop.set();
        assert_eq!(fed.daemon.await.unwrap().aborted, 1);
        assert!(fed.heard.0.lock().unwrap().iter().any(|text| text.contains("aborted")));
    }

    #[tokio::test]
    async fn a_reload_is_a_pass_and_a_broken_one_is_said_and_changes_nothing() {
        let fed = fed(PassGate::new(false), 1, LONG);
        fed.gate.room.add_permits(9);
        fed.reload.send(()).await.unwrap();
        fed.gate.begun().await;
        *fed.gate.reload.lock().unwrap() = Err("jobs/10-warm.toml: unknown key `scedule`".into());
        fed.reload.send(()).await.unwrap();
        drop((fed.wake, fed.reload));
        let counters = fed.daemon.await.unwrap();
        assert_eq!((counters.reloads, counters.refused, counters.passes), (1, 1, 1));
        let heard = fed.heard.0.lock().unwrap();
        assert!(heard[1].contains("last good one") && heard[1].contains("scedule"), "{heard:?}");
    }

    #[tokio::test]
    async fn a_pass_that_panics_ends_only_itself() {
        let fed = fed(PassGate::new(true), 1, LONG);
        for _ in 0..2 {
            fed.wake.send(()).await.unwrap();
            fed.gate.begun().await;
        }
        drop((fed.wake, fed.reload));
        let counters = fed.daemon.await.unwrap();
        assert_eq!((counters.passes, counters.panics), (2, 2));
    }

    #[tokio::test]
    async fn a_turn_of_the_loop_is_a_sign_of_life_while_passes_run_and_a_reload_is_none() {
        let gate = PassGate::new(false);
        let (sender, mut words) = mpsc::unbounded_channel();
        let manager = Manager(Mutex::new(Some(sender)));
        let ((wake, wakes), (reload, reloads)) = (mpsc::channel(9), mpsc::channel(9));
        let (stop, worker) = (Stop::new(), Arc::clone(&gate));
        let settings = DaemonSettings { lanes: 1, drain: LONG, pulse: Duration::from_millis(1) };
        let ours = stop.clone();
        let daemon =
            tokio::spawn(async move { run(worker, wakes, reloads, settings, ours, &Heard::default(), &manager).await });
        assert_eq!(words.recv().await, Some("ready"));
        wake.send(()).await.unwrap();
        gate.begun().await;
        // The pass does not end, and the loop turns all the same.
        for _ in 0..5 {
            assert_eq!(words.recv().await, Some("alive"));
        }
        reload.send(()).await.unwrap();
        while words.recv().await != Some("reloading") {}
        assert_eq!(words.recv().await, Some("ready"));
        stop.set();
        while words.recv().await != Some("stopping") {}
        gate.room.add_permits(9);
        daemon.await.unwrap();
        assert_eq!(words.recv().await, None, "nobody is told that an ending loop turns");
    }
}
