//! The rate limiter, on a clock that only moves when a task waits.
//!
//! No test sleeps.

use super::*;
use crate::clock::UnixMicros;
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

const START: i64 = 1_700_000_000_000_000;

/// A clock in microseconds. It moves to the end of the shortest wait when no task has anything else to do, so that
/// tasks wait for each other as they would outside.
struct Virtual(Mutex<Sleepers>);

struct Sleepers {
    now: i64,
    asleep: BTreeSet<(i64, u64)>,
    /// How often a task fell asleep or woke up; the number also distinguishes sleepers.
    moves: u64,
}

impl Virtual {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Sleepers { now: START, asleep: BTreeSet::new(), moves: 0 })))
    }

    fn micros(&self) -> i64 {
        self.0.lock().unwrap().now
    }

    fn advance(&self, time: Duration) {
        self.0.lock().unwrap().now += i64::try_from(time.as_micros()).unwrap();
    }

    fn fall_asleep(&self, time: Duration) -> (i64, u64) {
        let mut all = self.0.lock().unwrap();
        all.moves += 1;
        let me = (all.now + i64::try_from(time.as_micros()).unwrap(), all.moves);
        all.asleep.insert(me);
        me
    }

    /// Wakes `me` when it is next and nothing has moved for a while; says how often things moved.
    fn try_to_wake(&self, me: (i64, u64), quiet: u32) -> Option<u64> {
        let mut all = self.0.lock().unwrap();
        if quiet < 5 || all.asleep.first() != Some(&me) {
            return Some(all.moves);
        }
        all.asleep.remove(&me);
        all.moves += 1;
        all.now = all.now.max(me.0);
        None
    }
}

#[async_trait]
impl Time for Virtual {
    fn now(&self) -> UnixMicros {
        self.micros()
    }

    async fn sleep(&self, time: Duration) {
        let me = self.fall_asleep(time);
        let (mut seen, mut quiet) = (0, 0);
        while let Some(moves) = self.try_to_wake(me, quiet) {
            quiet = if moves == seen { quiet + 1 } else { 0 };
            seen = moves;
            tokio::task::yield_now().await;
        }
    }

    fn random(&self) -> f64 {
        1.0
    }
}

/// Answers with an empty page, or with the errors that were put in, and writes down when.
struct Scripted {
    time: Arc<Virtual>,
    sent: Arc<Mutex<Vec<i64>>>,
    errors: Mutex<VecDeque<GatewayError>>,
    /// When it can first send, and a call before that waits.
    ready_at: i64,
}

impl Scripted {
    async fn answer(&self) -> Result<(), GatewayError> {
        self.sent.lock().unwrap().push(self.time.micros());
        let error = self.errors.lock().unwrap().pop_front();
        match error {
            Some(GatewayError::Output(_)) => std::future::pending().await,
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Stands for an answer that never comes.
fn silence() -> GatewayError {
    GatewayError::Output(std::io::Error::other("never reported"))
}

#[async_trait]
impl IdentityCenterApi for Scripted {
    async fn ready(&self, _: &str) -> Result<(), GatewayError> {
        let wait = self.ready_at - self.time.micros();
        if wait > 0 {
            self.time.sleep(micros(wait)).await;
        }
        Ok(())
    }

    async fn page(&self, _: Option<&InstanceTarget>, _: &ListCall, _: Option<&str>) -> Result<Page, GatewayError> {
        self.answer().await.map(|()| Page::default())
    }

    async fn fetch(&self, _: Option<&InstanceTarget>, _: &GetCall) -> Result<Value, GatewayError> {
        self.answer().await.map(|()| Value::Null)
    }
    async fn change(&self, _: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        Err(GatewayError::NotFound { what: change.subject() })
    }
}

struct PaceFixture {
    time: Arc<Virtual>,
    sent: Arc<Mutex<Vec<i64>>>,
    settings: PaceSettings,
    /// When sources that are made from now on can first send.
    ready_at: i64,
    root: tempfile::TempDir,
}

impl PaceFixture {
    fn new() -> Self {
        let pace = RateLimitConfig {
            sso_admin_tps: 20.0,
            identity_store_tps: 20.0,
            organizations_tps: 0.0,
            background_share: 75.0,
        };
        let settings = PaceSettings {
            pace,
            max_attempts: 3,
            operation_timeout: Duration::from_secs(60),
            space: "eu-west-1".into(),
            instances: None,
            background: false,
            budget: None,
            access: Access::Owner,
        };
        Self { time: Virtual::new(), sent: Arc::default(), settings, ready_at: 0, root: tempfile::tempdir().unwrap() }
    }

    fn database(&self) -> std::path::PathBuf {
        self.root.path().join("pace.db")
    }

    fn scripted(&self, errors: Vec<GatewayError>) -> Scripted {
        let (time, sent) = (Arc::clone(&self.time), Arc::clone(&self.sent));
        Scripted { time, sent, errors: Mutex::new(errors.into()), ready_at: self.ready_at }
    }

    fn paced(&self, background: bool, errors: Vec<GatewayError>) -> RateLimited {
        self.paced_at(background, errors, Some(&self.database()))
    }

    fn paced_at(&self, background: bool, errors: Vec<GatewayError>, database: Option<&Path>) -> RateLimited {
        let source = self.scripted(errors);
        let settings = PaceSettings { background, ..self.settings.clone() };
        RateLimited::new(Arc::new(source), settings, database.map(Into::into))
            .with_time(Arc::<Virtual>::clone(&self.time))
    }

    fn sent(&self) -> Vec<i64> {
        self.sent.lock().unwrap().clone()
    }

    fn busiest_second(&self) -> usize {
        let sent = self.sent();
        sent.iter().map(|a| sent.iter().filter(|b| (*a..a + 1_000_000).contains(b)).count()).max().unwrap_or(0)
    }
}

fn throttled(retry_after_ms: Option<u64>) -> GatewayError {
    GatewayError::Throttled { operation: "sso-admin ListInstances".into(), attempts: 1, retry_after_ms }
}

fn unreachable() -> GatewayError {
    GatewayError::Unreachable { operation: "x".into(), detail: "the answer broke off".into(), sent: true }
}

fn unconnected() -> GatewayError {
    GatewayError::Unreachable { operation: "x".into(), detail: "connection refused".into(), sent: false }
}

fn conflict(passing: bool) -> GatewayError {
    GatewayError::Conflict { operation: "x".into(), detail: String::new(), passing, request_id: None }
}

/// `count` calls, one after the other.
async fn several(paced: &RateLimited, count: usize) {
    for _ in 0..count {
        ask(paced).await.unwrap();
    }
}

async fn ask(paced: &RateLimited) -> Result<Page, GatewayError> {
    paced.page(None, &ListCall::PermissionSets, None).await
}

#[tokio::test]
async fn two_processes_on_one_database_together_keep_to_the_rate() {
    let world = PaceFixture::new();
    let (a, b, jobs) = (world.paced(false, vec![]), world.paced(false, vec![]), world.paced(true, vec![]));
    tokio::join!(several(&a, 40), several(&b, 40), several(&jobs, 40));
    assert!((17..=20).contains(&world.busiest_second()), "{}", world.busiest_second());
}

/// A login takes its time, and a call that waited for it has not had its turn meanwhile.
#[tokio::test]
async fn calls_that_waited_for_a_login_do_not_leave_all_at_once() {
    let mut world = PaceFixture::new();
    let others = world.paced(false, vec![]);
    world.ready_at = START + 1_500_000;
    let late = world.paced(false, vec![]);
    let all = futures_util::future::join_all((0..30).map(|_| ask(&late)));
    tokio::join!(all, several(&others, 60));
    assert!((17..=20).contains(&world.busiest_second()), "{}", world.busiest_second());
}

#[tokio::test]
async fn background_work_leaves_its_share_and_uses_the_rest() {
    let world = PaceFixture::new();
    let (a, b) = (world.paced(true, vec![]), world.paced(true, vec![]));
    tokio::join!(several(&a, 50), several(&b, 50));
    assert!((14..=15).contains(&world.busiest_second()), "{}", world.busiest_second());
    assert!(world.time.micros() - START < 7_000_000, "100 calls at 15 a second take 6.8 s");
}

#[tokio::test]
async fn a_long_interactive_walk_leaves_the_background_share_too() {
    let world = PaceFixture::new();
    let walk = world.paced(false, vec![]);
    futures_util::future::join_all((0..SHORT_READ).map(|_| ask(&walk))).await;
    assert!(world.busiest_second() >= 19, "a short read uses the whole rate: {}", world.busiest_second());
    let short = usize::try_from(SHORT_READ).unwrap();
    futures_util::future::join_all((0..60).map(|_| ask(&walk))).await;
    let sent = world.sent()[short + 1..].to_vec();
    let busiest = sent.iter().map(|a| sent.iter().filter(|b| (*a..a + 1_000_000).contains(b)).count()).max();
    assert!((14..=15).contains(&busiest.unwrap()), "{busiest:?}");
}

#[tokio::test]
async fn reserved_slots_that_passed_unused_are_not_made_up_for() {
    let world = PaceFixture::new();
    let jobs = world.paced(true, vec![]);
    ask(&jobs).await.unwrap();
    world.time.advance(Duration::from_secs(30));
    let before = world.time.micros();
    for _ in 0..5 {
        ask(&jobs).await.unwrap();
    }
    assert!(world.time.micros() - before >= 4 * 66_000, "no burst after a pause");
}

#[tokio::test]
async fn each_identity_store_operation_has_a_rate_of_its_own_and_zero_is_none() {
    let world = PaceFixture::new();
    let a = world.paced(false, vec![]);
    for _ in 0..20 {
        a.page(None, &ListCall::Users, None).await.unwrap();
    }
    let before = world.time.micros();
    a.page(None, &ListCall::Groups, None).await.unwrap();
    for _ in 0..100 {
        a.page(None, &ListCall::Accounts, None).await.unwrap();
        a.fetch(None, &GetCall::CallerIdentity).await.unwrap();
    }
    assert_eq!(world.time.micros(), before, "neither groups nor unlimited calls waited");
}

#[tokio::test]
async fn a_throttle_slows_everyone_down_and_is_tried_again() {
    let world = PaceFixture::new();
    let (a, b) = (world.paced(false, vec![throttled(None)]), world.paced(false, vec![]));
    ask(&a).await.unwrap();
    assert_eq!((a.calls().total, a.calls().throttled), (2, 1));
    assert_eq!(a.calls().by_operation["SWBExternalService.ListPermissionSets"], 2);
    assert!(world.time.micros() - START >= 250_000, "a pause before the second try");
    let before = world.time.micros();
    for _ in 0..11 {
        ask(&b).await.unwrap();
    }
    assert!(world.time.micros() - before > 10 * 60_000, "the other process runs at the lowered rate");
}

#[tokio::test]
async fn when_aws_says_come_back_later_no_process_calls_before() {
    let world = PaceFixture::new();
    let (a, b) = (world.paced(false, vec![throttled(Some(7_000))]), world.paced(false, vec![]));
    let jobs = world.paced(true, vec![]);
    ask(&jobs).await.unwrap();
    ask(&a).await.unwrap();
    ask(&b).await.unwrap();
    ask(&jobs).await.unwrap();
    let sent = world.sent();
    assert!(sent[2..].iter().all(|at| at - sent[1] >= 7_000_000), "{sent:?}");
}

#[tokio::test]
async fn nobody_waits_minutes_at_a_terminal() {
    let world = PaceFixture::new();
    let (a, b) = (world.paced(false, vec![throttled(Some(240_000))]), world.paced(false, vec![]));
    let error = ask(&a).await.unwrap_err();
    assert!(matches!(error, GatewayError::Throttled { retry_after_ms: Some(1..=240_000), .. }), "{error:?}");
    assert!(ask(&b).await.is_err());
    assert_eq!(b.calls().total, 0, "it was known without a call");
    ask(&world.paced(true, vec![])).await.unwrap();
    assert!(world.sent()[1] - world.sent()[0] >= 240_000_000, "background work waits");
}

#[tokio::test]
async fn attempts_are_counted_and_end() {
    let world = PaceFixture::new();
    let a = world.paced(false, vec![throttled(None), throttled(None), throttled(None), throttled(None)]);
    let error = ask(&a).await.unwrap_err();
    assert!(matches!(error, GatewayError::Throttled { attempts: 3, .. }), "{error:?}");
    let b = world.paced(false, vec![unreachable(), unreachable()]);
    ask(&b).await.unwrap();
    assert_eq!((b.calls().total, b.calls().throttled), (3, 0));
}

#[tokio::test]
async fn what_a_repetition_cannot_help_is_not_repeated() {
    let world = PaceFixture::new();
    let gone = GatewayError::NotFound { what: "user u-1".into() };
    let a = world.paced(false, vec![gone]);
    assert!(matches!(ask(&a).await, Err(GatewayError::NotFound { .. })));
    let expired = GatewayError::LoginExpired { profile: None, detail: String::new(), hint: String::new() };
    let b = world.paced(false, vec![expired]);
    assert!(matches!(ask(&b).await, Err(GatewayError::LoginExpired { .. })));
    assert_eq!(a.calls().total + b.calls().total, 2);
}

#[tokio::test]
async fn the_budget_is_never_exceeded_by_retries_or_by_calls_at_once() {
    let mut world = PaceFixture::new();
    world.settings.budget = Some(5);
    let a = world.paced(false, vec![unreachable()]);
    let asked = futures_util::future::join_all((0..9).map(|_| ask(&a))).await;
    assert_eq!(asked.iter().filter(|answer| answer.is_ok()).count(), 4);
    assert!(asked.iter().filter_map(|a| a.as_ref().err()).all(|e| matches!(e, GatewayError::Budget { budget: 5 })));
    assert_eq!((a.calls().total, world.sent().len()), (5, 5));
}

#[tokio::test]
async fn without_a_usable_database_the_same_rules_hold_within_the_process() {
    for database in [None, Some(Path::new("/proc/none/pace.db"))] {
        let world = PaceFixture::new();
        let a = world.paced_at(false, vec![], database);
        for _ in 0..60 {
            ask(&a).await.unwrap();
        }
        assert_eq!(world.busiest_second(), 20);
    }
}

#[tokio::test]
async fn a_slot_reserved_before_aws_asked_for_silence_is_not_used() {
    let world = PaceFixture::new();
    let (a, jobs) = (world.paced(false, vec![throttled(Some(5_000))]), world.paced(true, vec![]));
    tokio::join!(async { ask(&a).await.unwrap() }, several(&jobs, 4));
    let sent = world.sent();
    let during = sent.iter().filter(|at| (1..5_000_000).contains(&(*at - sent[0]))).count();
    assert_eq!((sent.len(), during), (6, 0), "{sent:?}");
}

#[tokio::test]
async fn a_person_waits_a_third_of_a_second_behind_any_amount_of_background_work() {
    let mut world = PaceFixture::new();
    world.settings.pace.background_share = 100.0;
    let jobs: Vec<RateLimited> = (0..4).map(|_| world.paced(true, vec![])).collect();
    let person = world.paced(false, vec![]);
    let warm =
        jobs.iter().map(|jobs| async { futures_util::future::join_all((0..8).map(|_| several(jobs, 10))).await });
    let mut waits = Vec::new();
    let asked = async {
        for _ in 0..20 {
            let before = world.time.micros();
            ask(&person).await.unwrap();
            waits.push(world.time.micros() - before);
        }
    };
    tokio::join!(futures_util::future::join_all(warm), asked);
    assert!(waits.iter().all(|wait| *wait <= 320_000), "{waits:?}");
    assert!((19..=20).contains(&world.busiest_second()), "{}", world.busiest_second());
}

#[tokio::test]
async fn a_share_is_read_as_percent_or_as_a_part_of_everything() {
    for (written, part) in [(75.0, 0.75), (0.75, 0.75), (1.0, 1.0), (100.0, 1.0), (50.0, 0.5), (0.01, 0.01)] {
        let mut world = PaceFixture::new();
        world.settings.pace.background_share = written;
        assert!((world.settings.pace.background_part() - part).abs() < 1e-9, "{written}");
        let jobs = world.paced(true, vec![]);
        several(&jobs, 3).await;
        let wanted = 2.0 * 1.03 / (20.0 * part);
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let took = (world.time.micros() - START) as f64 / 1e6;
        assert!((took - wanted).abs() < 0.001, "{written}: {took} s");
    }
}

/// A change with this answer before it succeeds: how often it was sent.
async fn changed_after(error: GatewayError) -> (usize, bool) {
    let world = PaceFixture::new();
    let source = world.scripted(vec![error]);
    let paced = world.paced(false, vec![]);
    let done = paced.keep("SWBExternalService.CreatePermissionSet", None, Effect::Changes, || source.answer()).await;
    (world.sent().len(), done.is_ok())
}

#[tokio::test]
async fn a_change_is_repeated_only_where_aws_surely_did_nothing() {
    for error in [throttled(None), throttled(Some(1_000)), unconnected(), conflict(true)] {
        let words = error.to_string();
        assert_eq!(changed_after(error).await, (2, true), "{words}");
    }
    for error in [unreachable(), conflict(false), silence()] {
        let words = error.to_string();
        assert_eq!(changed_after(error).await, (1, false), "{words}");
    }
}

#[tokio::test]
async fn a_conflict_that_passes_is_given_seconds_and_one_that_does_not_is_told_at_once() {
    let world = PaceFixture::new();
    ask(&world.paced(false, vec![conflict(true), conflict(true)])).await.unwrap();
    assert!(world.time.micros() - START >= 3_000_000, "a second, then two");
    let error = ask(&world.paced(false, vec![conflict(false)])).await.unwrap_err();
    assert!(matches!(error, GatewayError::Conflict { passing: false, .. }) && world.sent().len() == 4);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_and_asked_for_again_within_the_time_for_all() {
    let world = PaceFixture::new();
    ask(&world.paced(false, vec![silence()])).await.unwrap();
    let took = world.time.micros() - START;
    assert!((20_000_000..21_000_000).contains(&took), "a third of the minute: {took}");
    let begun = world.time.micros();
    let error = ask(&world.paced(false, vec![silence(), silence(), silence(), silence()])).await.unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
    // A little more, for three turns in the quota.
    assert!(world.time.micros() - begun <= 60_200_000, "{}", world.time.micros() - begun);
}

#[tokio::test]
async fn repetitions_end_with_the_time_for_them_and_the_queue_is_not_counted() {
    let mut world = PaceFixture::new();
    world.settings.max_attempts = 100;
    world.settings.operation_timeout = Duration::from_secs(10);
    let errors = (0..100).map(|_| unreachable()).collect();
    ask(&world.paced(false, errors)).await.unwrap_err();
    let took = world.time.micros() - START;
    assert!((5_000_000..=10_500_000).contains(&took), "{took}");
    // 600 calls take half a minute, each of them a third of that in the queue.
    let many = world.paced(false, vec![]);
    let asked = futures_util::future::join_all((0..600).map(|_| ask(&many))).await;
    assert!(asked.iter().all(Result::is_ok) && world.time.micros() - START > 35_000_000);
}

#[tokio::test]
async fn two_logins_share_the_quota_of_an_instance_and_two_instances_do_not() {
    let mut world = PaceFixture::new();
    world.settings.instances = Some("eu-west-1".into());
    let target = |instance: &str| InstanceTarget {
        instance: instance.into(),
        identity_store: "d-1".into(),
        region: String::new(),
    };
    let (ours, theirs) = (target("ours"), target("theirs"));
    let login = |space: &str| {
        let settings = PaceSettings { space: space.into(), ..world.settings.clone() };
        RateLimited::new(Arc::new(world.scripted(vec![])), settings, Some(world.database()))
            .with_time(Arc::<Virtual>::clone(&world.time))
    };
    let (ada, jobs) = (login("eu-west-1|ada"), login("eu-west-1|jobs"));
    let took = async |a: &InstanceTarget, b: &InstanceTarget| {
        let begun = world.time.micros();
        for _ in 0..10 {
            ada.page(Some(a), &ListCall::PermissionSets, None).await.unwrap();
            jobs.page(Some(b), &ListCall::PermissionSets, None).await.unwrap();
        }
        world.time.micros() - begun
    };
    assert!(took(&ours, &ours).await > 900_000, "twenty calls of one quota");
    assert!(took(&ours, &theirs).await < 600_000, "ten of each");
}
