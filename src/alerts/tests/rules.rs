//! Pending, grouping, repeat, silence and inhibition, as tables over a clock in hand.
//!
//! Each row is one run at one minute, and says which keys are told in it.

use super::*;

fn bad(key: &str) -> Finding {
    Finding { key: key.into(), message: format!("{key} is bad"), ..rate(0.0) }
}

fn good(key: &str) -> Finding {
    Finding { key: key.into(), ..rate(99.0) }
}

fn cause(of: &str, key: &str) -> AlertCause {
    AlertCause { of: of.into(), finding: bad(key) }
}

/// A run at `minute`: `+key` fired, `!key` is told again, `-key` is over, by key.
fn told(
    desk: &mut Fixture,
    minute: i64,
    findings: &[Finding],
    causes: &[AlertCause],
    disabled: Option<&str>,
) -> String {
    let run = JobPass { causes, disabled, ..run(findings, desk.when) };
    let decision = observe(&mut desk.database, &run, &desk.settings, minute * MINUTE).unwrap();
    assert!(decision.mail.is_some() || (decision.fired.is_empty() && decision.over.is_empty()));
    let signs = [("+", &decision.fired), ("!", &decision.reminded), ("-", &decision.over)];
    let words = signs.iter().flat_map(|(sign, changes)| changes.iter().map(move |c| format!("{sign}{}", c.key)));
    words.collect::<Vec<_>>().join(" ")
}

fn plain(desk: &mut Fixture, minute: i64, findings: &[Finding]) -> String {
    told(desk, minute, findings, &[], None)
}

/// The state of each alert, by key.
fn stand(desk: &Fixture, minute: i64, is_disabled: bool) -> String {
    let standing = statuses(&desk.database, &desk.settings, is_disabled, minute * MINUTE).unwrap();
    standing.iter().map(|alert| format!("{} {}", alert.key, alert.state)).collect::<Vec<_>>().join(", ")
}

#[test]
fn hold_group_wait_recovery_delay_and_repeat_by_the_minute() {
    // (hold, group wait, recovery delay, repeat), then what a run each minute finds, then the minutes at which words leave.
    let table = [
        ((0, 0, 0, 0), "..xxx..", "2+ 5-"),
        ((2, 0, 0, 0), "xx.xxxx.", "5+ 7-"),
        ((2, 0, 0, 0), "xx.xx.xx.", ""),
        ((0, 2, 0, 0), "xxxx.", "2+ 4-"),
        ((0, 2, 0, 0), "x.xx.", ""),
        ((0, 0, 2, 0), "x..x...x", "0+ 6- 7+"),
        ((0, 0, 0, 2), "xxxxxx.", "0+ 2! 4! 6-"),
        ((0, 0, 2, 2), "xxx....", "0+ 2! 5-"),
        ((1, 1, 1, 3), "xxxxxxxxx...", "2+ 5! 8! 10-"),
        ((0, 0, 3, 0), "x.x..x.x....", "0+ 11-"),
    ];
    for ((hold, group_wait, recovery_delay, repeat), runs, expected) in table {
        let mut desk = Fixture::new();
        desk.settings.hold = minutes(hold);
        desk.settings.group_wait = minutes(group_wait);
        desk.settings.recovery_delay = minutes(recovery_delay);
        desk.settings.repeat = minutes(repeat);
        let words = runs.chars().enumerate().filter_map(|(n, found)| {
            let finding = if found == 'x' { bad("a") } else { good("a") };
            let told = plain(&mut desk, i64::try_from(n).unwrap(), &[finding]);
            (!told.is_empty()).then(|| format!("{n}{}", &told[..1]))
        });
        assert_eq!(
            words.collect::<Vec<_>>().join(" "),
            *expected,
            "{runs} with {hold} {group_wait} {recovery_delay} {repeat}"
        );
    }
}

#[test]
fn what_begins_within_the_group_wait_leaves_together_and_a_run_about_something_else_sends_it() {
    let mut desk = Fixture::new();
    desk.settings.group_wait = minutes(5);
    assert_eq!(plain(&mut desk, 0, &[bad("a")]), "");
    assert_eq!(plain(&mut desk, 3, &[bad("b"), bad("c")]), "");
    assert_eq!(plain(&mut desk, 4, &[good("c")]), "", "over before anybody was told");
    assert_eq!(plain(&mut desk, 5, &[good("d")]), "+a +b");
    assert_eq!(plain(&mut desk, 6, &[bad("e"), good("a")]), "+e -a", "what leaves anyway takes the others along");
    assert_eq!(waiting(&mut desk.database).unwrap(), 2);
}

#[test]
fn a_silence_holds_words_back_until_it_ends_by_itself_and_outlives_the_process() {
    let mut desk = Fixture::new();
    let until = 10 * MINUTE;
    silence(&mut desk.database, "job:*", until, "patch day\r\nBcc: x", "ann@host", 0).unwrap();
    assert_eq!(plain(&mut desk, 1, &[bad("job:warm"), bad("hit_rate")]), "+hit_rate");
    assert_eq!(stand(&desk, 1, false), "hit_rate firing, job:warm silenced");
    desk.database = open(desk.root.path());
    assert_eq!(plain(&mut desk, 9, &[bad("job:warm"), good("hit_rate")]), "-hit_rate");
    let held = silences(&desk.database, 9 * MINUTE).unwrap();
    assert_eq!((held.len(), held[0].reason.as_str(), held[0].author.as_str()), (1, "patch day  Bcc: x", "ann@host"));
    assert_eq!(plain(&mut desk, 10, &[]), "+job:warm", "any run tells it when the silence is over");
    assert!(silences(&desk.database, 10 * MINUTE).unwrap().is_empty());
}

#[test]
fn what_was_told_is_told_to_be_over_in_a_silence_too_and_what_was_not_is_not() {
    let mut desk = Fixture::new();
    assert_eq!(plain(&mut desk, 0, &[bad("a")]), "+a");
    silence(&mut desk.database, "*", 60 * MINUTE, "freeze", "ann", 0).unwrap();
    desk.settings.repeat = minutes(1);
    assert_eq!(plain(&mut desk, 5, &[bad("a"), bad("b")]), "", "neither told again nor begun");
    assert_eq!(plain(&mut desk, 6, &[good("a"), good("b")]), "-a");
    let silenced = unsilence(&mut desk.database, "*", "bob", 7 * MINUTE).unwrap();
    assert_eq!(silenced.len(), 1);
    assert!(unsilence(&mut desk.database, "*", "bob", 7 * MINUTE).unwrap().is_empty());
    assert_eq!(plain(&mut desk, 8, &[bad("c")]), "+c");
    let happened: Vec<String> =
        events(&desk.database, None, 99).unwrap().iter().rev().map(|e| format!("{} {}", e.what, e.key)).collect();
    let expected =
        ["fired a", "told a", "silenced *", "fired b", "resolved a", "resolved b", "unsilenced *", "fired c", "told c"];
    assert_eq!(happened, expected);
    assert_eq!(events(&desk.database, Some("a"), 9).unwrap()[0].lasted_ms, Some(6 * MINUTE));
}

#[test]
fn aws_down_or_a_login_that_is_over_is_one_alert_however_many_jobs_and_profiles_fail_by_it() {
    for source in ["aws", "login:corp"] {
        let mut desk = Fixture::new();
        let failing = [bad("job:warm@a"), bad("job:warm@b"), bad("job:verify")];
        let causes = ["job:warm@a", "job:warm@b", "job:verify"].map(|of| cause(of, source));
        assert_eq!(told(&mut desk, 0, &failing, &causes, None), format!("+{source}"));
        assert_eq!(plain(&mut desk, 1, &[bad("oldest"), bad("hit_rate"), bad("size")]), "+size");
        assert_eq!(told(&mut desk, 2, &failing[..1], &causes[..1], None), "");
        let states = stand(&desk, 2, false);
        assert!(states.contains("job:warm@a inhibited") && states.contains("oldest inhibited"), "{states}");
        assert_eq!(plain(&mut desk, 3, &[good("job:warm@a")]), "", "another still fails by it");
        assert_eq!(plain(&mut desk, 4, &[good("job:verify"), good("oldest"), good("hit_rate")]), "");
        assert_eq!(plain(&mut desk, 9, &[good("job:warm@b")]), format!("-{source}"), "over with the last");
        assert_eq!(stand(&desk, 9, false), "size firing");
    }
}

#[test]
fn a_recovered_alert_is_resolved_by_any_run_and_its_cause_waits_no_second_time() {
    let mut desk = Fixture::new();
    desk.settings.recovery_delay = minutes(10);
    assert_eq!(plain(&mut desk, 0, &[bad("job:digest")]), "+job:digest");
    assert_eq!(plain(&mut desk, 5, &[good("job:digest")]), "");
    assert_eq!(plain(&mut desk, 14, &[good("hit_rate")]), "");
    assert_eq!(plain(&mut desk, 15, &[]), "-job:digest", "the job itself runs again tomorrow");
    let failing = [bad("job:warm"), bad("job:verify")];
    let causes = ["job:warm", "job:verify"].map(|of| cause(of, "aws"));
    assert_eq!(told(&mut desk, 20, &failing, &causes, None), "+aws");
    assert_eq!(plain(&mut desk, 25, &[good("job:warm")]), "");
    assert_eq!(plain(&mut desk, 26, &[good("job:verify")]), "");
    assert_eq!(plain(&mut desk, 35, &[]), "", "9 minutes");
    assert_eq!(plain(&mut desk, 36, &[]), "-aws");
    assert_eq!(stand(&desk, 36, false), "");
}

#[test]
fn a_subject_names_its_alerts_and_stays_short_and_one_line() {
    let mut desk = Fixture::new();
    let subject = |desk: &mut Fixture, minute: i64, findings: &[Finding]| {
        let run = run(findings, desk.when);
        let mail = observe(&mut desk.database, &run, &desk.settings, minute * MINUTE).unwrap().mail;
        mail.map(|mail| mail.subject.strip_prefix("awsideman Cache Health Alert: ").unwrap().to_owned())
    };
    let (warm, rate) = (bad("job:warm"), bad("hit_rate"));
    let said = subject(&mut desk, 0, &[warm, rate]);
    assert_eq!(said.as_deref(), Some("[FIRING:2] hit_rate, job:warm (host-1)"));
    let said = subject(&mut desk, 1, &[good("job:warm"), bad("size")]);
    assert_eq!(said.as_deref(), Some("[FIRING:1] size; [RESOLVED:1] job:warm (host-1)"));
    let said = subject(&mut desk, 2, &[good("size"), good("hit_rate")]);
    assert_eq!(said.as_deref(), Some("[RESOLVED:2] size, hit_rate (host-1)"));
    let many: Vec<Finding> = (0..9).map(|n| bad(&format!("job:{n}-{}", "x".repeat(200)))).collect();
    let said = subject(&mut desk, 3, &many).unwrap();
    assert!(said.starts_with("[FIRING:9] job:0-xxx") && said.ends_with("..., 5 more (host-1)"), "{said}");
    assert!(said.len() < 250, "{said}");
    let evil = [bad("job:a@b\r\nBcc: all@example.com")];
    let said = subject(&mut desk, 4, &evil).unwrap();
    assert!(said.contains("job:a@b  Bcc") && !said.contains(['\r', '\n']), "{said}");
}

#[test]
fn what_outlasts_its_cause_is_told_then() {
    let mut desk = Fixture::new();
    let warm = [bad("job:warm")];
    assert_eq!(told(&mut desk, 0, &warm, &[cause("job:warm", "aws")], None), "+aws");
    assert_eq!(plain(&mut desk, 1, &[bad("hit_rate")]), "");
    assert_eq!(plain(&mut desk, 2, &warm), "+job:warm +hit_rate -aws", "it fails by something of its own now");
    let other = [cause("job:warm", "login:x")];
    assert_eq!(told(&mut desk, 3, &warm, &other, None), "+login:x", "what was told goes on without a word");
    assert_eq!(plain(&mut desk, 4, &[good("job:warm")]), "-job:warm -login:x");
}

#[test]
fn a_disabled_cache_mutes_the_hit_rate_and_every_message_says_that_it_is_disabled() {
    let mut desk = Fixture::new();
    desk.settings.repeat = minutes(2);
    assert_eq!(plain(&mut desk, 0, &[bad("hit_rate")]), "+hit_rate");
    let disabled = Some("the cache is disabled until noon by ann: INC-7");
    for minute in [1, 5] {
        assert_eq!(told(&mut desk, minute, &[bad("hit_rate")], &[], disabled), "");
    }
    assert_eq!(stand(&desk, 5, true), "hit_rate inhibited");
    let findings = [bad("size")];
    let run = JobPass { disabled, ..run(&findings, AlertWhen::OnChange) };
    let mail = observe(&mut desk.database, &run, &desk.settings, 6 * MINUTE).unwrap().mail.unwrap();
    assert!(mail.body.contains("Disabled: the cache is disabled until noon by ann: INC-7\n"), "{}", mail.body);
    assert!(mail.body.contains("Suppressed:\n- hit_rate is bad\n  inhibited by disabled\n"), "{}", mail.body);
    assert_eq!(plain(&mut desk, 7, &[bad("hit_rate")]), "!hit_rate", "enabled again");
}

#[test]
fn a_warning_that_foretells_fires_and_any_other_does_not() {
    let mut desk = Fixture::new();
    let warn = |key: &str| Finding { level: Level::Warn, ..bad(key) };
    assert_eq!(plain(&mut desk, 0, &[warn("size"), warn("login"), warn("disabled")]), "+disabled +login");
    assert_eq!(plain(&mut desk, 1, &[good("login"), warn("disabled")]), "-login");
}

#[test]
fn alerts_list_says_when_the_next_message_is_due() {
    let mut desk = Fixture::new();
    desk.settings.hold = minutes(5);
    desk.settings.repeat = minutes(60);
    plain(&mut desk, 0, &[bad("a")]);
    let next = |desk: &Fixture| statuses(&desk.database, &desk.settings, false, MINUTE).unwrap()[0].next_at;
    assert_eq!((stand(&desk, 0, false).as_str(), next(&desk)), ("a pending", Some(5 * MINUTE)));
    plain(&mut desk, 5, &[bad("a")]);
    assert_eq!((stand(&desk, 5, false).as_str(), next(&desk)), ("a firing", Some(65 * MINUTE)));
    silence(&mut desk.database, "a", 30 * MINUTE, "r", "ann", 0).unwrap();
    assert_eq!((stand(&desk, 6, false).as_str(), next(&desk)), ("a silenced", Some(30 * MINUTE)));
    desk.settings.email.enabled = false;
    unsilence(&mut desk.database, "1", "ann", 0).unwrap();
    assert_eq!(next(&desk), None);
}

#[test]
fn the_document_and_the_page_say_what_the_text_says_and_escape_what_they_must() {
    let mut desk = Fixture::new();
    let evil = Finding {
        message: "<script>alert(\"x\")</script> ``` @channel\r\nBcc: all@example.com\u{202e}".into(),
        ..rate(42.0)
    };
    let mail = desk.decide(0, &[evil]).mail.unwrap();
    assert!(!mail.html.contains("<script") && mail.html.contains("&lt;script&gt;"), "{}", mail.html);
    assert!(mail.html.contains("<code") && mail.html.contains("awsideman cache status --detailed</code>"));
    assert!(!mail.html.contains("http://") && !mail.html.contains("https://"), "it loads and links nothing");
    assert!(!mail.body.contains('\u{202e}') && !mail.body.contains("\nBcc"), "{}", mail.body);
    let document: serde_json::Value = serde_json::from_str(&mail.document).unwrap();
    let text = document["text"].as_str().unwrap();
    assert!(text.starts_with(&format!("{}\n```\nFiring:\n- &lt;script&gt;", mail.subject)), "{text}");
    assert!(!text.contains('<') && text.matches("```").count() == 2, "no name calls a channel: {text}");
    assert_eq!((&document["state"], &document["host"]), (&"firing".into(), &"host-1".into()));
    let alert = &document["alerts"][0];
    assert_eq!((&alert["key"], &alert["state"], &alert["news"]), (&"hit_rate".into(), &"firing".into(), &true.into()));
    assert_eq!(alert["next"], "awsideman cache status --detailed");
    let over = desk.decide(90, &[rate(98.0)]).mail.unwrap();
    let document: serde_json::Value = serde_json::from_str(&over.document).unwrap();
    assert_eq!((&document["state"], &document["alerts"][0]["lasted_seconds"]), (&"resolved".into(), &5_400.into()));
    assert!(document["alerts"][0]["next"].is_null());
}
