//! Mails: flapping, an outage, cron and the daemon at once, a kill between send and mark, names that would be headers.

use super::fixture::{Begun, Desk, HEALTH, subject, warm};
use super::servers::{Server, python};
use awsideman::state::LookupOutcome;
use std::io::{BufRead, BufReader};

#[test]
fn flapping_outage_and_recovery_with_cron_and_daemon_are_counted_by_mail() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[("50-health.toml", &HEALTH.replace("5m", "1s"))]);
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    let port = server.port;
    desk.configure(&desk.mail_through(port));
    desk.looked_up(LookupOutcome::MissExpired, 100);
    // It wakes at once and then every five seconds, while cron and a person do what they do.
    let mut daemon = desk.begin("jobs daemon");
    let mut lines = BufReader::new(daemon.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut daemon_says = |words: &str| assert!(lines.by_ref().any(|line| line.contains(words)), "{words}");
    daemon_says("health: done, Low cache hit rate");
    let crowd = |code: i32| {
        let both = [desk.begin("jobs run"), desk.begin("jobs run health")];
        assert_eq!(desk.run("cache health").code, Some(code));
        both.into_iter().for_each(ended);
    };
    (0..rounds()).for_each(|_| crowd(6));
    assert_eq!(desk.subjects(), [subject("[FIRING:1] hit_rate")]);
    // It hovers at the threshold (51 %): neither over nor new.
    desk.looked_up(LookupOutcome::Hit, 104);
    (0..rounds()).for_each(|_| crowd(0));
    assert_eq!(desk.subjects(), [subject("[FIRING:1] hit_rate")]);
    // The mail server is gone when it recovers, and back later: the word is kept and arrives once.
    drop(server);
    desk.looked_up(LookupOutcome::Hit, 500);
    (0..rounds()).for_each(|_| crowd(0));
    assert_eq!(desk.subjects(), [subject("[FIRING:1] hit_rate")]);
    let _server = Server::smtp(&python, desk.root.path(), "starttls", port);
    (0..rounds()).for_each(|_| crowd(0));
    daemon_says("health: done, healthy");
    daemon.signal("-TERM");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    assert_eq!(desk.subjects(), [subject("[FIRING:1] hit_rate"), subject("[RESOLVED:1] hit_rate")]);
    let happened = desk.run("alerts history --json").json();
    let what: Vec<_> = happened["events"].as_array().unwrap().iter().rev().map(|event| event["what"].clone()).collect();
    assert_eq!(what, ["fired", "told", "resolved"]);
}

/// How often each situation is gone through.
fn rounds() -> usize {
    if std::env::var_os("AWSIDEMAN_SOAK").is_some() { 25 } else { 2 }
}

fn ended(mut run: Begun) {
    run.0.wait().unwrap();
}

#[test]
fn a_sender_killed_before_its_record_repeats_the_same_message_id() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    desk.configure(&desk.mail_through(server.port));
    desk.looked_up(LookupOutcome::MissExpired, 100);
    std::fs::write(desk.path("hold"), "").unwrap();
    let run = desk.begin("jobs run");
    while desk.mails().is_empty() {
        std::thread::yield_now();
    }
    run.signal("-KILL");
    drop(run);
    std::fs::remove_file(desk.path("hold")).unwrap();
    desk.run("jobs run");
    desk.run("jobs run");
    let mails = desk.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert_eq!(mails[0]["headers"]["Message-ID"], mails[1]["headers"]["Message-ID"]);
    assert_eq!(desk.run("alerts list --json").json()["waiting"], 0);
}

#[test]
fn no_name_can_start_a_header_or_line_of_a_mail() {
    let Some(python) = python() else { return };
    let warm = warm("profiles = [\"a\\r\\nBcc: all@example.com\\r\\n\\r\\n.\\r\\n<b>\"]");
    let desk = Desk::new(&[("10-warm.toml", &warm), ("50-health.toml", &format!("{HEALTH}alert = \"always\"\n"))]);
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    let mail = desk.mail_through(server.port);
    desk.configure(
        &mail.replace("[\"oncall@", "[\"\\\"Dr. B, on call: Ärztin\\\" <oncall@").replace("com\"]", "com>\"]"),
    );
    desk.looked_up(LookupOutcome::MissExpired, 100);
    desk.run("jobs run");
    desk.run_words(&[
        "cache",
        "disable",
        "--for",
        "1h",
        "--reason",
        "<b>x\u{202e}\u{200b}\r\nBcc: all@example.com\r\n\r\nbody",
    ]);
    desk.run("jobs run health");
    let mails = desk.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    for mail in &mails {
        assert_eq!(mail["to"], serde_json::json!(["oncall@example.com"]));
        let names: Vec<&String> = mail["headers"].as_object().unwrap().keys().collect();
        assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("bcc")), "{names:?}");
        assert_eq!(mail["types"], serde_json::json!(["text/plain", "text/html"]), "plain text first");
        let (body, html) = (mail["body"].as_str().unwrap(), mail["html"].as_str().unwrap());
        assert!(body.contains("Bcc: all@example.com") && !body.lines().any(|line| line.starts_with("Bcc")), "{body}");
        let unseen = |text: &str| text.contains(['\u{202e}', '\u{200b}']);
        assert!(!unseen(body) && !unseen(html), "{body}{html}");
        assert!(!html.contains("<b>") && html.contains("&lt;b&gt;"), "{html}");
    }
    let body = mails[1]["body"].as_str().unwrap();
    assert!(body.contains("Disabled: the cache is disabled until "), "{body}");

    desk.configure(
        "[alerts.email]\nenabled = true\ntransport = \"file\"\nfrom = \"a@example.com\"\n\
        to = [\"Evil\\r\\nBcc: all@example.com <b@example.com>\"]\n",
    );
    let refused = desk.run("alerts test");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("is not a mail address"), "{refused:?}");
}

#[test]
fn one_expired_login_is_one_alert_in_one_mail_for_all_jobs() {
    let Some(python) = python() else { return };
    let second = warm("profiles = [\"a\"]").replace("\"warm\"\nkind", "\"again\"\nkind");
    let jobs = [("10-warm.toml", warm("profiles = [\"a\", \"b\"]")), ("20-again.toml", second)];
    let jobs: Vec<(&str, &str)> = jobs.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut desk = Desk::new(&jobs);
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    desk.configure(&desk.mail_through(server.port));
    std::fs::create_dir(desk.path(".aws")).unwrap();
    let session = "[sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n";
    let profile = |name: &str| {
        format!("[profile {name}]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n")
    };
    std::fs::write(desk.path(".aws/config"), format!("{session}{}{}", profile("a"), profile("b"))).unwrap();
    assert_eq!(desk.run("jobs run").code, Some(4));
    let mails = desk.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let body = mails[0]["body"].as_str().unwrap();
    let (began, held) = body.split_once("Suppressed:").unwrap();
    assert_eq!(began.matches("\n- ").count(), 1, "{body}");
    assert!(began.contains("- The AWS login corp has expired") && began.contains("next: aws sso login"), "{body}");
    assert_eq!(held.matches("inhibited by login:corp").count(), 3, "{body}");
    let list = desk.run("alerts list --json").json();
    let states: Vec<_> = list["alerts"].as_array().unwrap().iter().map(|alert| alert["state"].clone()).collect();
    assert_eq!(states.iter().filter(|state| *state == "inhibited").count(), 3, "{list}");
    assert_eq!(states.iter().filter(|state| *state == "firing").count(), 1, "{list}");
    desk.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "6m");
    desk.run("jobs run");
    assert_eq!(desk.mails().len(), 1, "it lasts");
}
