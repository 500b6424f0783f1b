//! AWS's quota, as it is kept by real processes: what arrives at the sandbox's door, and when.
//!
//! Neighbours: `gateway/pace/` has the rules and their proof on a clock of its own; here several processes share one
//! `pace.db` and the host's clock. Promise: all that is judged is the sandbox's own log of arrivals.

#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

use awsideman::sandbox::{self, Arrival, Limits, Organisation, Running, Shape};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Host {
    root: tempfile::TempDir,
    sandbox: Running,
    rate: f64,
}

impl Host {
    fn new(shape: Shape, tps: f64, rate: f64) -> Host {
        let sandbox = sandbox::start(Organisation::generate(&shape), Limits { tps, latency: Duration::ZERO }).unwrap();
        Host { root: tempfile::tempdir().unwrap(), sandbox, rate }
    }

    fn begin(&self, cache: usize, words: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("HOME", self.root.path())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAFIRST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.sandbox.url())
            .env("AWSIDEMAN_CACHE_DIR", self.root.path().join(format!("cache-{cache}")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for key in ["SSO_ADMIN_TPS", "IDENTITY_STORE_TPS", "ORGANIZATIONS_TPS"] {
            command.env(format!("AWSIDEMAN_PACE_{key}"), self.rate.to_string());
        }
        command.env("AWSIDEMAN_PACE_BACKGROUND_SHARE", "1");
        command.spawn().unwrap()
    }
}

fn busiest_second(times: &[u64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (nth, at) in times.iter().enumerate() {
        while at - times[first] >= 1_000_000 {
            first += 1;
        }
        most = most.max(nth + 1 - first);
    }
    most
}

#[test]
fn measure() {
    let groups: u32 = std::env::var("GROUPS_").ok().and_then(|n| n.parse().ok()).unwrap_or(125);
    let accounts: u32 = std::env::var("ACCOUNTS_").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let rate: f64 = std::env::var("RATE_").ok().and_then(|n| n.parse().ok()).unwrap_or(200.0);
    let what = std::env::var("WHAT_").unwrap_or("memberships".into());
    let host = Host::new(Shape { users: 100, groups, accounts, permission_sets: 20, ..Shape::default() }, rate, rate);
    let begun = Instant::now();
    let running: Vec<Child> = (0..4).map(|n| host.begin(n, &format!("cache warm {what} -vvv"))).collect();
    for child in running {
        let out = child.wait_with_output().unwrap();
        println!("{:?} {}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    println!("took {:?} {:?}", begun.elapsed(), host.sandbox.calls());
    let arrivals = host.sandbox.arrivals();
    for family in ["AWSIdentityStore.ListGroupMemberships", "SWBExternalService"] {
        let times: Vec<u64> =
            arrivals.iter().filter(|a: &&Arrival| a.operation.starts_with(family)).map(|a| a.at_us).collect();
        if times.len() < 50 {
            continue;
        }
        let cut = times.len() / 10;
        let inner = &times[cut..times.len() - cut];
        let span = (inner[inner.len() - 1] - inner[0]) as f64 / 1e6;
        let used = (inner.len() - 1) as f64 / (span * rate);
        let mut gaps: Vec<u64> = inner.windows(2).map(|w| w[1] - w[0]).collect();
        gaps.sort_unstable();
        println!(
            "{family}: {} calls, busiest {} used {used:.4} span {span:.2}; gap p50 {} p90 {} p99 {} max {}",
            times.len(),
            busiest_second(&times),
            gaps[gaps.len() / 2],
            gaps[gaps.len() * 9 / 10],
            gaps[gaps.len() * 99 / 100],
            gaps[gaps.len() - 1]
        );
    }
}
