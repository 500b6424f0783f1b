//! AWS's quota, as real processes keep it: when calls leave, by their logs, and when they arrive at the sandbox's door.
//!
//! On any host: no process makes more calls in a second than the rate allows, and none makes a call out of turn. What the
//! clock of a busy host may spoil (that all of the rate is used, when calls arrive, how long a command waits) is held to
//! figures with `AWSIDEMAN_SOAK=1`, at AWS's own 20 calls a second for minutes, and is printed otherwise.

#![expect(clippy::cast_precision_loss, reason = "counts and microseconds of a test are small")]

use awsideman::sandbox::{self, Faults, Limits, Organization, Rates, Rule, Running, Shape};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MEMBERSHIPS: &str = "AWSIdentityStore.ListGroupMemberships";
const ASSIGNMENTS: &str = "SWBExternalService.ListAccountAssignments";
const LIST_SETS: &str = "SWBExternalService.ListPermissionSets";
const DESCRIBE_SET: &str = "SWBExternalService.DescribePermissionSet";
/// How much longer one call may be on its way than another, in microseconds: the proof of the pace leaves so much.
const ALIKE: u64 = 15_000;
/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(60);

fn is_soak() -> bool {
    std::env::var_os("AWSIDEMAN_SOAK").is_some_and(|value| value == "1")
}

/// A host with a home and a sandbox of its own.
struct Host {
    home: tempfile::TempDir,
    sandbox: Running,
    /// Calls a second that awsideman is told to make.
    rate: f64,
    /// The AWS configuration with the profile `slow`, where keys are not in the environment.
    login: Option<PathBuf>,
}

impl Host {
    /// `allowed` is what the sandbox allows.
    fn new(shape: Shape, rate: f64, allowed: f64) -> Host {
        let limits = Limits { tps: allowed, latency: Duration::ZERO };
        let sandbox = sandbox::start(Organization::generate(&shape), limits).unwrap();
        Host { home: tempfile::tempdir().unwrap(), sandbox, rate, login: None }
    }

    /// Begins a run that shares the state with all others and has a cache of its own: whoever finds an answer in the
    /// cache makes no calls.
    fn begin(&self, words: &str, cache: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("HOME", self.home.path())
            .env("AWSIDEMAN_LOG_FILE", self.log())
            .env("AWSIDEMAN_LOG_LEVEL", "debug")
            .env("AWSIDEMAN_LOG_FORMAT", "json")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAFIRST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.sandbox.url())
            .env("AWSIDEMAN_CACHE_DIR", self.home.path().join(cache))
            .env("AWSIDEMAN_PACE_BACKGROUND_SHARE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(config) = &self.login {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
            command
                .env("AWS_CONFIG_FILE", config)
                .env("AWS_PROFILE", "slow")
                .env("PATH", std::env::var("PATH").unwrap());
        }
        for api in ["SSO_ADMIN", "IDENTITY_STORE", "ORGANIZATIONS"] {
            command.env(format!("AWSIDEMAN_PACE_{api}_TPS"), self.rate.to_string());
        }
        command.spawn().unwrap()
    }

    /// Makes the login of all runs from now on a command that takes its time and notes each of its runs. The file of the
    /// notes.
    fn log_in_slowly(&mut self) -> PathBuf {
        let (notes, config) = (self.home.path().join("logins"), self.home.path().join("aws-config"));
        let keys = r#"{"Version":1,"AccessKeyId":"AKIASLOW","SecretAccessKey":"secret"}"#;
        let script = self.home.path().join("login.sh");
        // Longer than a busy host keeps a call on its way.
        std::fs::write(&script, format!("echo run >>{}\nsleep 5\necho '{keys}'\n", notes.display())).unwrap();
        let profile = format!("[profile slow]\ncredential_process = sh {}\n", script.display());
        std::fs::write(&config, profile).unwrap();
        self.login = Some(config);
        notes
    }

    fn warm(&self, processes: usize, what: &str) -> Vec<Child> {
        (0..processes).map(|nth| self.begin(&format!("cache warm {what}"), &format!("cache-{nth}"))).collect()
    }

    /// When calls of an operation came, in microseconds.
    fn times(&self, operation: &str) -> Vec<u64> {
        self.sandbox.arrivals().iter().filter(|call| call.operation == operation).map(|call| call.at_us).collect()
    }

    /// Comes back when so many calls of an operation have come.
    fn wait_for(&self, operation: &str, calls: usize) {
        let end = Instant::now() + PATIENCE;
        while self.times(operation).len() < calls {
            assert!(Instant::now() < end, "{calls} calls of {operation}: {:?}", self.sandbox.calls());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("awsideman.log")
    }

    /// When the calls of each quota came.
    fn arrived(&self) -> BTreeMap<String, Vec<u64>> {
        by_family(self.sandbox.arrivals().into_iter().map(|call| (call.operation, call.at_us)))
    }

    /// When the calls of each quota left the processes.
    fn left(&self) -> BTreeMap<String, Vec<u64>> {
        let log = std::fs::read_to_string(self.log()).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let calls = lines.filter(|line| line["message"] == "a call leaves");
        by_family(calls.map(|call| (call["operation"].as_str().unwrap().to_owned(), call["at_us"].as_u64().unwrap())))
    }
}

/// The times of calls in order, by whose quota they are metered with.
fn by_family(calls: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, Vec<u64>> {
    let mut families: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (operation, at) in calls {
        let family = match operation.split_once('.') {
            Some(("AWSIdentityStore", _)) => operation,
            Some((service, _)) => service.to_owned(),
            None => unreachable!("an operation has a service"),
        };
        families.entry(family).or_default().push(at);
    }
    for times in families.values_mut() {
        times.sort_unstable();
    }
    families
}

/// How much longer some call was on its way than another, in microseconds, if each overtook none: two logs of the same
/// calls by two clocks.
fn spread(left: &[u64], arrived: &[u64]) -> u64 {
    let ways = || left.iter().zip(arrived).map(|(left, arrived)| arrived.cast_signed() - left.cast_signed());
    ways().max().zip(ways().min()).map_or(0, |(longest, shortest)| longest.abs_diff(shortest))
}

/// Waits for runs, all of which must succeed, and none may say a word of throttling.
fn all_succeed(runs: Vec<Child>) {
    for run in runs {
        let ended = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(0), "{said}");
        assert!(!said.to_lowercase().contains("throttl"), "{said}");
    }
}

/// The most calls in any second, whenever it began.
fn busiest_second(times: &[u64]) -> usize {
    let mut first = 0;
    let within = times.iter().enumerate().map(|(nth, at)| {
        while at - times[first] >= 1_000_000 {
            first += 1;
        }
        nth + 1 - first
    });
    within.max().unwrap_or(0)
}

/// The part of the rate that was used while everybody was at work: without the first and the last tenth of the calls,
/// when processes start and end.
fn used(times: &[u64], rate: f64) -> f64 {
    let tenth = times.len() / 10;
    let busy = &times[tenth..times.len() - tenth];
    let seconds = (busy[busy.len() - 1] - busy[0]) as f64 / 1e6;
    (busy.len() - 1) as f64 / seconds / rate
}

#[test]
fn four_concurrent_warms_use_the_quota_and_never_exceed_it() {
    let (rate, groups, accounts) = if is_soak() { (20.0, 600, 30) } else { (200.0, 120, 10) };
    let shape = Shape { users: 60, groups, accounts, permission_sets: 4, ..Shape::default() };
    // A stall of the host makes calls arrive together: only the full count lets the sandbox refuse them.
    let host = Host::new(shape, rate, if is_soak() { rate } else { 0.0 });
    all_succeed(host.warm(4, "memberships assignments"));
    let (left, arrived) = (host.left(), host.arrived());
    let calls = host.sandbox.calls();
    assert_eq!((calls.throttled, arrived[MEMBERSHIPS].len()), (0, 4 * groups as usize));
    assert_eq!(left.keys().collect::<Vec<_>>(), arrived.keys().collect::<Vec<_>>());

    println!("quota of {rate} a second, {} calls:", calls.total);
    for (family, left) in &left {
        let arrived = &arrived[family];
        let (leaving, arriving, spread) = (busiest_second(left), busiest_second(arrived), spread(left, arrived));
        println!("{family}: {leaving} in the busiest second left, {arriving} arrived, ways {spread} us apart");
        assert_eq!(left.len(), arrived.len(), "{family}: a call that did not wait for its turn, or never came");
        assert!(leaving as f64 <= rate, "{leaving} calls of {family} left within a second");
        assert!(spread > ALIKE || arriving as f64 <= rate, "{arriving} calls of {family} arrived within a second");
    }
    let used = used(&arrived[MEMBERSHIPS], rate);
    println!("{:.1} % used", used * 100.0);
    assert!(!is_soak() || used >= 0.95, "{used} used");
}

/// Whoever waited for a login has not come to his turn meanwhile: else all that came to it then would leave at once.
#[test]
fn a_login_is_fetched_once_and_before_the_first_slot() {
    let mut host = Host::new(Shape { users: 20, groups: 5, ..Shape::default() }, 20.0, 0.0);
    let logins = host.log_in_slowly();
    all_succeed(host.warm(2, "memberships"));
    assert_eq!(std::fs::read_to_string(logins).unwrap().lines().count(), 2, "one for each process");
    let all = |families: BTreeMap<String, Vec<u64>>| {
        let mut times: Vec<u64> = families.into_values().flatten().collect();
        times.sort_unstable();
        times
    };
    let spread = spread(&all(host.left()), &all(host.arrived()));
    assert!(spread < 4_000_000, "the login was waited for on the way: {spread} us");
}

#[test]
fn a_person_hardly_waits_while_others_warm() {
    let host = Host::new(Shape { users: 20, accounts: 40, permission_sets: 4, ..Shape::default() }, 20.0, 20.0);
    let mut warms = host.warm(3, "assignments");
    // From then on the warms ask for assignments alone.
    host.wait_for(DESCRIBE_SET, 12);
    host.wait_for(ASSIGNMENTS, 1);
    all_succeed(vec![host.begin("permission-set list", "cache-of-a-person")]);
    for warm in &mut warms {
        warm.kill().unwrap();
        warm.wait().unwrap();
    }
    let (listed, describes) = (*host.times(LIST_SETS).last().unwrap(), host.times(DESCRIBE_SET).split_off(12));
    assert_eq!(describes.len(), 4);
    // The calls of the warms take more than 20 seconds: without precedence the command would wait for them.
    let most = if is_soak() { Duration::from_millis(500) } else { Duration::from_secs(8) };
    let first = Duration::from_micros(describes[0] - listed);
    assert!(first < most, "the first call waited {first:?}");
    // The others wait behind it, each for its own slot.
    let all = Duration::from_micros(describes[3] - describes[0]);
    assert!(all < most, "the next three took {all:?}");
    assert_eq!(host.sandbox.calls().throttled, 0);
}

#[test]
fn where_aws_allows_half_all_processes_slow_down_and_finish() {
    let host = Host::new(Shape { users: 20, accounts: 15, permission_sets: 4, ..Shape::default() }, 40.0, 0.0);
    let rates = Rates { sso_admin: Some(20.0), ..Rates::default() };
    host.sandbox.set_faults(Faults { tps: rates, ..Faults::default() }).unwrap();
    all_succeed(host.warm(3, "assignments"));
    let calls = host.sandbox.calls();
    println!("{} calls, {} throttled", calls.total, calls.throttled);
    assert!(calls.throttled > 0, "{calls:?}");
    assert!(calls.throttled * 4 < calls.total, "{calls:?}");
}

#[test]
fn when_aws_asks_one_process_to_come_back_later_none_calls_before() {
    let host = Host::new(Shape { users: 20, groups: 30, ..Shape::default() }, 50.0, 0.0);
    let throttle = vec![Rule::nth(30, MEMBERSHIPS)];
    host.sandbox.set_faults(Faults { throttle, ..Faults::default() }).unwrap();
    all_succeed(host.warm(3, "memberships"));
    assert_eq!(host.sandbox.calls().throttled, 1);
    let times = host.times(MEMBERSHIPS);
    let longest = times[29..].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    // A call that left before the answer may arrive after it, on a busy host later than on an idle one.
    let late = if is_soak() { 20_000 } else { 500_000 };
    assert!(longest >= 1_000_000 - late, "AWS asked for a second, and the longest silence was {longest} us");
}
