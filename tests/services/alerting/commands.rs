//! `alerts list`, `silence`, `unsilence` and `history` as a person types them.

use super::fixture::{Desk, HEALTH};
use awsideman::state::LookupOutcome;

#[test]
fn a_silence_is_created_listed_applied_and_expired_and_is_in_history() {
    let mut desk = Desk::new(&[("50-health.toml", HEALTH)]);
    desk.configure(
        "[alerts.email]\nenabled = true\ntransport = \"file\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n",
    );
    desk.set("USER", "ann");
    assert_eq!(desk.run("alerts list").out, "no alert is pending or fires\n");
    assert_eq!(desk.run("alerts list --json").json()["alerts"], serde_json::json!([]));
    let made = desk.run_words(&["alerts", "silence", "hit_*", "--for", "2h", "--reason", "migration, INC-1"]);
    assert!(
        made.code == Some(0) && made.out.starts_with("Silenced: hit_* (0 alerts stand under it now)\n"),
        "{made:?}"
    );
    desk.looked_up(LookupOutcome::MissExpired, 100);
    let ran = desk.run("jobs run health --json").json();
    assert_eq!(ran["mail"]["sent"], serde_json::json!([]), "{ran}");
    let list = desk.run("alerts list --json").json();
    assert_eq!((&list["alerts"][0]["key"], &list["alerts"][0]["state"]), (&"hit_rate".into(), &"silenced".into()));
    assert!(list["silences"][0]["author"].as_str().unwrap().starts_with("ann@"), "{list}");
    let page = desk.run("alerts list").out;
    for words in ["hit_rate", "silenced until", "migration, INC-1", "silence 1"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(desk.run("alerts silence --list").out.contains("hit_*"));
    desk.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "2h");
    assert!(desk.run("alerts silence --list").out.contains("nothing is silenced"), "it ended by itself");
    desk.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "0");
    let unknown = desk.run("alerts unsilence 7");
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(5), ""), "{unknown:?}");
    assert_eq!(desk.run("alerts unsilence hit_*").out, "Ended: silence 1 of hit_*\n");
    let ran = desk.run("jobs run health --json").json();
    assert_eq!(ran["mail"]["sent"].as_array().unwrap().len(), 1, "{ran}");
    let events = desk.run("alerts history --json").json();
    let what: Vec<_> = events["events"].as_array().unwrap().iter().rev().map(|event| event["what"].clone()).collect();
    assert_eq!(what, ["silenced", "fired", "unsilenced", "told"]);
    assert!(desk.run("alerts history hit_rate -n 1").out.contains("told"));
}

#[test]
fn bad_words_are_refused_with_what_to_write_and_change_nothing() {
    let desk = Desk::new(&[]);
    for words in [
        &["alerts", "silence", "x", "--for", "0", "--reason", "r"][..],
        &["alerts", "silence", "x", "--for", "1h", "--reason", " "],
        &["alerts", "silence", " ", "--for", "1h", "--reason", "r"],
        &["alerts", "silence", "x", "--for", "1h"],
        &["alerts", "silence", "x", "--reason", "r"],
        &["alerts", "silence", "x", "--for", "1h", "--until", "18:00", "--reason", "r"],
        &["alerts", "silence", "x", "--until", "2020-01-01", "--reason", "r"],
        &["alerts", "silence", "x", "--list"],
        &["alerts", "silence"],
        &["alerts", "test", "--channel", "pigeon"],
    ] {
        let ran = desk.run_words(words);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{words:?}: {ran:?}");
        assert!(ran.err.starts_with("error: "), "{words:?}: {ran:?}");
    }
    assert!(desk.run("alerts silence --list").out.contains("nothing is silenced"));
}

#[test]
fn a_configuration_that_is_not_sound_keeps_nobody_from_a_silence() {
    let desk = Desk::new(&[]);
    desk.configure("[alerts]\nhold = \"soon\"\n[alerts.webhook]\nenabled = true\n");
    let made = desk.run_words(&["alerts", "silence", "*", "--for", "1h", "--reason", "r"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.err.contains("invalid configuration"), "{made:?}");
    assert_eq!(desk.run("alerts list --json").json()["silences"][0]["pattern"], "*");
    let until =
        desk.run_words(&["alerts", "silence", "x", "--until", "2999-12-24T18:00:00Z", "--reason", "r", "--json"]);
    assert_eq!(until.json()["silence"]["until"], "2999-12-24T18:00:00.000Z", "{until:?}");
}

const CHANNELS: &str = "[alerts]\nrecovery_delay = \"10m\"\n[alerts.webhook]\nenabled = true\n\
    [alerts.command]\nenabled = true\nargv = [\"page-me\", \"x\"]\n";

#[test]
fn a_kept_delivery_shows_its_channel_the_reason_and_the_next_try() {
    let mut desk = Desk::new(&[("50-health.toml", HEALTH)]);
    desk.configure(CHANNELS);
    desk.set("AWSIDEMAN_ALERTS_WEBHOOK_URL", "http://127.0.0.1:1/s3cret");
    desk.set("PATH", "/usr/bin:/nowhere");
    desk.looked_up(LookupOutcome::MissExpired, 100);
    let ran = desk.run("jobs run");
    // The command and the directories that were searched, in the error of the run and in the list.
    let missing = "page-me is in no directory of PATH (/usr/bin:/nowhere)";
    assert!(ran.err.contains(missing) && ran.err.contains("alerts.command.argv"), "{ran:?}");
    let list = desk.run("alerts list").out;
    for words in [
        "kept (webhook)",
        "kept (command)",
        "awsideman Cache Health Alert: [FIRING:1] hit_rate (",
        &format!("1 attempt: the command: {missing}"),
        "1 attempt: the webhook: ",
        "the next `awsideman jobs run`, due or not; given up at ",
    ] {
        assert!(list.contains(words), "{words}: {list}");
    }
    assert!(!list.contains("s3cret"), "{list}");
    let kept = desk.run("alerts list --json").json();
    assert_eq!((&kept["waiting"], &kept["deliveries"][0]["channel"]), (&2.into(), &"command".into()), "{kept}");
    desk.set("AWSIDEMAN_ALERTS_COMMAND_ENABLED", "false");
    let off = desk.run("alerts list").out;
    assert!(off.contains("none: the channel is disabled"), "{off}");
}

#[test]
fn flapping_is_one_alert_with_one_message() {
    let mut desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let log = desk.path("log").display().to_string();
    let script = desk.script("page-me", &format!("echo \"$AWSIDEMAN_ALERT_STATE $AWSIDEMAN_ALERT_KEYS\" >> '{log}'"));
    desk.configure(
        &CHANNELS.replace("[alerts.webhook]\nenabled = true\n", "").replace("page-me", script.to_str().unwrap()),
    );
    desk.set("AWSIDEMAN_ALERTS_RECOVERY_DELAY", "");
    let paged = || std::fs::read_to_string(desk.path("log")).unwrap_or_default();
    desk.looked_up(LookupOutcome::MissExpired, 100);
    assert_eq!(desk.run("jobs run health").code, Some(6));
    desk.looked_up(LookupOutcome::Hit, 300);
    assert_eq!(desk.run("jobs run health").code, Some(0));
    desk.looked_up(LookupOutcome::MissExpired, 300);
    assert_eq!(desk.run("jobs run health").code, Some(6));
    desk.looked_up(LookupOutcome::Hit, 2_000);
    assert_eq!(desk.run("jobs run health").code, Some(0));
    assert_eq!(paged(), "firing hit_rate\n");
    std::fs::remove_file(desk.path("jobs/50-health.toml")).unwrap();
    std::fs::write(desk.path("jobs/50-health.toml"), HEALTH.replace("every = \"5m\"", "every = \"1d\"")).unwrap();
    desk.run_at("9m", "jobs run");
    assert_eq!(paged(), "firing hit_rate\n", "it is well for 9 minutes");
    desk.run_at("11m", "jobs run");
    assert_eq!(paged(), "firing hit_rate\nresolved hit_rate\n");
}
