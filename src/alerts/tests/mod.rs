//! The book and the outbox, run by run, with the clock in hand.
//!
//! Who would be woken, and how often.

mod outbox;
mod rules;

use super::*;
use crate::config::{self, AlertWhen};
use crate::health::{Finding, Level};
use crate::secure_fs::Access;
use crate::state::Database;
use std::path::Path;
use std::time::Duration;

const MINUTE: i64 = 60_000;

fn settings() -> config::Alerts {
    config::Alerts {
        hold: Duration::ZERO,
        recovery_delay: Duration::ZERO,
        group_wait: Duration::ZERO,
        partial_runs: 2,
        repeat: Duration::ZERO,
        email: config::EmailConfig {
            enabled: true,
            transport: config::MailTransport::File,
            host: String::new(),
            port: None,
            tls: config::Tls::Starttls,
            ca_file: None,
            username: None,
            password: None,
            password_file: None,
            password_command: Vec::new(),
            helo: None,
            auth: config::Auth::Password,
            token_command: Vec::new(),
            from: "awsideman@example.com".into(),
            to: vec!["On Call <oncall@example.com>".into()],
            dir: None,
            timeout: Duration::from_secs(10),
        },
        webhook: config::Webhook {
            enabled: false,
            url: None,
            url_file: None,
            url_command: Vec::new(),
            only_text: false,
            ca_file: None,
            timeout: Duration::from_secs(10),
        },
        command: config::CommandConfig {
            enabled: false,
            argv: Vec::new(),
            env: Vec::new(),
            timeout: Duration::from_secs(10),
        },
        ping: config::PingConfig { start: None, success: None, failure: None, timeout: Duration::from_secs(5) },
    }
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn rate(percent: f64) -> Finding {
    let (level, message) = match percent {
        rate if rate < 50.0 => (Level::Critical, format!("Low cache hit rate: {rate:.1}%")),
        rate if rate < 70.0 => (Level::Warn, format!("Low cache hit rate: {rate:.1}%")),
        rate => (Level::Ok, format!("{rate:.1}%")),
    };
    let hint = "awsideman cache status --detailed".into();
    Finding { key: "hit_rate".into(), level, message, hint, recovered: percent >= 52.0 }
}

/// A state directory and the runs that are observed in it.
struct Fixture {
    root: tempfile::TempDir,
    database: Database,
    settings: config::Alerts,
    when: AlertWhen,
}

impl Fixture {
    fn new() -> Fixture {
        let root = tempfile::tempdir().unwrap();
        let database = open(root.path());
        Fixture { root, database, settings: settings(), when: AlertWhen::OnChange }
    }

    /// One run at `minute`; the subject of its mail.
    fn run(&mut self, minute: i64, findings: &[Finding]) -> Option<String> {
        self.decide(minute, findings).mail.map(|mail| mail.subject)
    }

    fn decide(&mut self, minute: i64, findings: &[Finding]) -> Decision {
        observe(&mut self.database, &run(findings, self.when), &self.settings, minute * MINUTE).unwrap()
    }

    /// The subjects of the mails of runs a minute apart, by minute.
    fn mails(&mut self, rates: &[f64]) -> Vec<(usize, String)> {
        let runs = rates.iter().enumerate();
        runs.filter_map(|(n, percent)| Some((n, self.run(i64::try_from(n).unwrap(), &[rate(*percent)])?))).collect()
    }
}

fn open(state_dir: &Path) -> Database {
    Database::open(state_dir, Access::Owner, Duration::from_secs(20), 0).unwrap().0
}

fn run(findings: &[Finding], when: AlertWhen) -> JobPass<'_> {
    let cache_dir = Path::new("/var/cache/awsideman");
    JobPass {
        findings,
        causes: &[],
        note: None,
        when,
        host: "host-1",
        cache_dir,
        disabled: None,
        more: "awsideman cache health",
    }
}

const ALERT: &str = "awsideman Cache Health Alert: [FIRING:1] hit_rate (host-1)";
const RESOLVED: &str = "awsideman Cache Health Alert: [RESOLVED:1] hit_rate (host-1)";

fn expect(mails: &[(usize, String)], expected: &[(usize, &str)]) {
    let mails: Vec<(usize, &str)> = mails.iter().map(|(n, subject)| (*n, subject.as_str())).collect();
    assert_eq!(mails, expected);
}

#[test]
fn one_mail_when_it_starts_none_while_it_lasts_one_when_it_is_over() {
    let mut desk = Fixture::new();
    expect(&desk.mails(&[98.0, 42.0, 42.0, 41.0, 42.0, 98.0, 98.0]), &[(1, ALERT), (5, RESOLVED)]);
    assert_eq!(alerts(&mut desk.database).unwrap(), []);
}

#[test]
fn a_warning_starts_no_mail() {
    expect(&Fixture::new().mails(&[98.0, 60.0, 60.0, 98.0]), &[]);
}

#[test]
fn a_figure_that_hovers_at_its_threshold_does_not_flap() {
    expect(&Fixture::new().mails(&[49.0, 51.0, 49.5, 51.9, 49.0, 52.0, 51.0]), &[(0, ALERT), (5, RESOLVED)]);
}

#[test]
fn what_does_not_last_for_hold_is_not_told() {
    let mut desk = Fixture::new();
    desk.settings.hold = minutes(2);
    let rates = [42.0, 42.0, 98.0, 42.0, 42.0, 42.0, 42.0, 98.0];
    expect(&desk.mails(&rates), &[(5, ALERT), (7, RESOLVED)]);
}

#[test]
fn it_is_over_after_the_recovery_delay_and_lasts_when_it_comes_back_before() {
    let mut desk = Fixture::new();
    desk.settings.recovery_delay = minutes(2);
    let rates = [42.0, 98.0, 98.0, 42.0, 98.0, 98.0, 98.0, 98.0];
    expect(&desk.mails(&rates), &[(0, ALERT), (6, RESOLVED)]);
}

#[test]
fn what_lasts_is_told_again_after_repeat() {
    let mut desk = Fixture::new();
    desk.settings.repeat = minutes(3);
    expect(&desk.mails(&[42.0; 8]), &[(0, ALERT), (3, ALERT), (6, ALERT)]);
    let body = desk.decide(9, &[rate(42.0)]).mail.unwrap().body;
    assert!(body.starts_with("Still firing:\n- Low cache hit rate: 42.0%\n  since 1970-01-01"), "{body}");
}

#[test]
fn several_changes_of_a_run_are_one_mail_and_a_further_key_is_a_new_one() {
    let mut desk = Fixture::new();
    let size = Finding { key: "size".into(), message: "High memory usage: 300.0MB".into(), ..rate(0.0) };
    let fine = Finding { key: "size".into(), ..rate(99.0) };
    let both = desk.decide(0, &[rate(42.0), size.clone()]);
    assert_eq!(both.fired.len(), 2);
    let body = both.mail.unwrap().body;
    assert!(body.contains("42.0%") && body.contains("300.0MB"), "{body}");
    let swap = desk.decide(1, &[rate(98.0), size.clone()]);
    assert_eq!(
        swap.mail.unwrap().subject,
        "awsideman Cache Health Alert: [RESOLVED:1] hit_rate; [FIRING:1] size (host-1)"
    );
    let job = job_finding("warm", Some("failed: AWS cannot be reached"));
    let third = desk.decide(2, &[rate(98.0), size, job]);
    assert_eq!((third.fired.len(), third.ongoing.len()), (1, 1));
    let body = third.mail.unwrap().body;
    assert!(
        body.contains("- Job warm failed: AWS cannot be reached") && body.contains("Still firing (already notified):"),
        "{body}"
    );
    assert_eq!(waiting(&mut desk.database).unwrap(), 3);
    let partly = "awsideman Cache Health Alert: [RESOLVED:1] size; [FIRING:1] job:warm (host-1)";
    assert_eq!(desk.run(3, &[rate(98.0), fine]).as_deref(), Some(partly));
}

#[test]
fn a_check_that_a_run_did_not_make_is_left_alone() {
    let mut desk = Fixture::new();
    assert_eq!(desk.run(0, &[rate(42.0)]).as_deref(), Some(ALERT));
    assert_eq!(desk.run(1, &[job_finding("warm", None)]), None);
    assert_eq!(alerts(&mut desk.database).unwrap().len(), 1);
    assert_eq!(desk.run(2, &[rate(98.0)]).as_deref(), Some(RESOLVED));
}

#[test]
fn the_alert_of_a_job_that_is_gone_goes_with_it() {
    let mut desk = Fixture::new();
    desk.run(0, &[rate(42.0), job_finding("old", Some("failed: no")), job_finding("warm", Some("failed: no"))]);
    let mut left = |judges: bool| -> Vec<String> {
        forget_jobs(&mut desk.database, &["warm", "health"], judges).unwrap();
        alerts(&mut desk.database).unwrap().into_iter().map(|alert| alert.key).collect()
    };
    assert_eq!(left(true), ["hit_rate", "job:warm"]);
    assert_eq!(left(false), ["job:warm"], "without a health job nobody ends what it found");
}

#[test]
fn a_job_that_always_mails_tells_how_things_stand() {
    let mut desk = Fixture::new();
    desk.when = AlertWhen::Always;
    let expected = [
        "[OK]",
        "[WARNING:1] hit_rate",
        "[FIRING:1] hit_rate",
        "[FIRING:1] hit_rate, unchanged",
        "[RESOLVED:1] hit_rate",
        "[OK]",
    ];
    for (minute, (percent, state)) in [98.0, 60.0, 42.0, 42.0, 98.0, 98.0].into_iter().zip(expected).enumerate() {
        let subject = desk.run(i64::try_from(minute).unwrap(), &[rate(percent)]).unwrap();
        assert_eq!(subject, format!("awsideman Cache Health Alert: {state} (host-1)"));
    }
    assert_eq!(waiting(&mut desk.database).unwrap(), 3, "of the summaries only the latest waits");
}

#[test]
fn what_nobody_was_told_is_told_once_somebody_may_be() {
    let mut desk = Fixture::new();
    desk.when = AlertWhen::Never;
    expect(&desk.mails(&[42.0, 98.0, 42.0]), &[]);
    desk.when = AlertWhen::OnChange;
    assert_eq!(desk.run(2, &[rate(98.0)]), None, "nobody was told that it fired");
    desk.when = AlertWhen::Never;
    assert_eq!(desk.run(3, &[rate(42.0)]), None);
    desk.when = AlertWhen::OnChange;
    desk.settings.email.enabled = false;
    assert_eq!(desk.run(3, &[rate(42.0)]), None);
    desk.settings.email.enabled = true;
    assert_eq!(desk.run(4, &[rate(42.0)]).as_deref(), Some(ALERT));
}

#[test]
fn the_mail_says_what_since_when_how_long_where_and_what_to_type() {
    let mut desk = Fixture::new();
    let evil = Finding { message: "x\r\nBcc: all@example.com".into(), ..rate(42.0) };
    let mail = desk.decide(0, &[evil]).mail.unwrap();
    assert!(mail.body.contains("- x  Bcc: all@example.com\n"), "{}", mail.body);
    for words in ["next: awsideman cache status --detailed", "Host: host-1", "Cache: /var/cache/awsideman", "Firing:"] {
        assert!(mail.body.contains(words), "{words}: {}", mail.body);
    }
    assert!(mail.message_id.starts_with("<0.") && mail.message_id.ends_with("@host-1>"), "{}", mail.message_id);
    let over = desk.decide(90, &[rate(98.0)]);
    assert_eq!(over.over[0].lasted, minutes(90));
    assert!(over.mail.unwrap().body.contains("lasted 1h 30m"));
}

#[test]
fn many_processes_that_see_the_same_make_one_mail() {
    let desk = Fixture::new();
    let mails: usize = std::thread::scope(|scope| {
        let one = || {
            let mut database = open(desk.root.path());
            let findings = [rate(42.0)];
            let decision = observe(&mut database, &run(&findings, AlertWhen::OnChange), &settings(), 0).unwrap();
            usize::from(decision.mail.is_some())
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(mails, 1);
}
