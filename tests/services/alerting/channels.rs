//! Webhook, command and pings against servers and programs that are there.

use super::fixture::{CLEANUP, Desk, HEALTH, subject, warm};
use super::servers::{Http, Server, python};
use awsideman::state::LookupOutcome;
use serde_json::Value;

#[test]
fn a_webhook_gets_one_document_per_transition_and_its_url_stays_secret() {
    let mut desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let server = Http::start();
    desk.configure("[alerts.webhook]\nenabled = true\n");
    desk.set("AWSIDEMAN_ALERTS_WEBHOOK_URL", &format!("http://127.0.0.1:{}/services/s3cret", server.port));
    desk.looked_up(LookupOutcome::MissExpired, 100);
    // A server that is not well gets it later, and the exit code says that it did not leave.
    server.answers(&[503]);
    let down = desk.run("jobs run");
    assert!(down.err.contains("the webhook: 127.0.0.1") && down.err.contains("answered 503: words"), "{down:?}");
    for _ in 0..3 {
        desk.run("jobs run health");
    }
    desk.looked_up(LookupOutcome::Hit, 500);
    for _ in 0..2 {
        assert_eq!(desk.run("jobs run health").code, Some(0));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "one refused, one taken, one for the end: {seen:?}");
    let documents: Vec<Value> = seen.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    assert_eq!(documents[0], documents[1], "the same again, with the same Message-ID");
    assert!(seen[0].line.starts_with("POST /services/s3cret ") && seen[0].headers.contains("application/json"));
    let (began, over) = (&documents[1], &documents[2]);
    assert_eq!(
        (&began["schema_version"], &began["subject"], &began["state"]),
        (&1.into(), &subject("[FIRING:1] hit_rate").into(), &"firing".into())
    );
    assert!(began["text"].as_str().unwrap().contains("Low cache hit rate: 0.0%"), "{began}");
    assert_eq!((&began["alerts"][0]["key"], &began["alerts"][0]["news"]), (&"hit_rate".into(), &true.into()));
    assert_eq!((&over["state"], &over["alerts"][0]["state"]), (&"resolved".into(), &"resolved".into()));
    assert_ne!(began["message_id"], over["message_id"]);
    for words in ["config show", "config show --json", "doctor --json", "alerts list", "alerts history --json"] {
        let told = desk.run(words);
        assert!(!told.out.contains("s3cret") && !told.err.contains("s3cret"), "{words}: {told:?}");
    }
    assert!(desk.run("config show").out.contains("***"));
    let test = desk.run("alerts test --json").json();
    assert_eq!((&test["sent"], &test["channels"][0]["channel"]), (&true.into(), &"webhook".into()));
}

#[test]
fn a_webhook_over_tls_needs_a_certificate_that_is_trusted() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[]);
    let server = Server::start(&python, "https_server.py", desk.root.path(), &[]);
    let url = desk.private("url", &format!("https://localhost:{}/hook\n", server.port));
    let hook = format!("[alerts.webhook]\nenabled = true\nurl_file = \"{}\"\n", url.display());
    desk.configure(&hook);
    let refused = desk.run("alerts test");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("certificate") || refused.err.contains("UnknownIssuer"), "{refused:?}");
    desk.configure(&format!("{hook}ca_file = \"{}\"\n", desk.path("cert.pem").display()));
    assert_eq!(desk.run("alerts test").out, format!("Webhook: sent to localhost:{}\n", server.port));
    let posts = desk.lines("posts.jsonl");
    assert_eq!((posts.len(), &posts[0]["path"]), (1, &"/hook".into()));
}

#[test]
fn a_command_gets_the_document_once_per_message_and_again_after_failure() {
    let desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let log = desk.path("log").display().to_string();
    let script = desk.script(
        "page-me",
        &format!(
            "cat >> '{log}.json'; echo >> '{log}.json'\n\
         echo \"$1|$AWSIDEMAN_ALERT_SUBJECT|$AWSIDEMAN_ALERT_STATE|$AWSIDEMAN_ALERT_KEYS\" >> '{log}'\n\
         [ ! -e '{log}.fail' ] || {{ echo 'pager is off' >&2; exit 7; }}"
        ),
    );
    desk.configure(&format!("[alerts.command]\nenabled = true\nargv = [\"{}\", \"--to=x $(id)\"]\n", script.display()));
    desk.looked_up(LookupOutcome::MissExpired, 100);
    std::fs::write(desk.path("log.fail"), "").unwrap();
    let failed = desk.run("jobs run");
    assert!(failed.err.contains("page-me ended with exit status: 7: pager is off"), "{failed:?}");
    std::fs::remove_file(desk.path("log.fail")).unwrap();
    for _ in 0..2 {
        desk.run("jobs run health");
    }
    desk.looked_up(LookupOutcome::Hit, 500);
    desk.run("jobs run health");
    let told = std::fs::read_to_string(desk.path("log")).unwrap();
    let began = format!("--to=x $(id)|{}|firing|hit_rate\n", subject("[FIRING:1] hit_rate"));
    assert_eq!(told, format!("{began}{began}--to=x $(id)|{}|resolved|hit_rate\n", subject("[RESOLVED:1] hit_rate")));
    let documents = desk.lines("log.json");
    assert_eq!((&documents[0], documents.len()), (&documents[1], 3));
}

#[test]
fn a_command_that_hangs_is_ended_with_all_it_began() {
    let desk = Desk::new(&[]);
    let pid = desk.path("pid").display().to_string();
    let script = desk.script("hang", &format!("sleep 600 & echo $! > '{pid}'; wait"));
    desk.configure(&format!("[alerts.command]\nenabled = true\nargv = [\"{}\"]\ntimeout = 1\n", script.display()));
    let ran = desk.run("alerts test");
    assert!(ran.code == Some(1) && ran.err.contains("took longer than 1s"), "{ran:?}");
    let child = std::fs::read_to_string(&pid).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    let begun = std::time::Instant::now();
    while !(stat().is_empty() || stat().contains(") Z ")) {
        assert!(begun.elapsed().as_secs() < 10, "the program's own child goes on: {}", stat());
        std::thread::yield_now();
    }
}

#[test]
fn all_notifiers_get_the_same_message_and_a_failing_one_blocks_none() {
    let mut desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let script = desk.script("page-me", &format!("cat > '{}'", desk.path("paged").display()));
    desk.configure(&format!(
        "[alerts.email]\nenabled = true\ntransport = \"file\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
         [alerts.webhook]\nenabled = true\n[alerts.command]\nenabled = true\nargv = [\"{}\"]\n",
        script.display()
    ));
    desk.set("AWSIDEMAN_ALERTS_WEBHOOK_URL", "http://127.0.0.1:1/x");
    desk.looked_up(LookupOutcome::MissExpired, 100);
    let ran = desk.run("jobs run --json").json();
    assert_eq!((ran["mail"]["sent"].as_array().unwrap().len(), &ran["mail"]["waiting"]), (2, &1.into()), "{ran}");
    let paged: Value = serde_json::from_str(&std::fs::read_to_string(desk.path("paged")).unwrap()).unwrap();
    let server = Http::start();
    desk.set("AWSIDEMAN_ALERTS_WEBHOOK_URL", &format!("http://127.0.0.1:{}/x", server.port));
    desk.run("jobs run");
    let posted: Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!((posted, server.seen().len()), (paged, 1));
    let both = desk.run("alerts test --json").json();
    assert_eq!(both["channels"].as_array().unwrap().len(), 3);
}

#[test]
fn pings_report_start_success_and_failure_and_change_no_outcome() {
    let mut desk = Desk::new(&[
        ("10-warm.toml", &warm("[ping]\nfailure = \"http://127.0.0.1:PORT/own/{profile}\"")),
        ("20-clean.toml", CLEANUP),
    ]);
    let server = Http::start();
    let file = desk.path("jobs/10-warm.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("PORT", &server.port.to_string());
    std::fs::write(&file, text).unwrap();
    let base = format!("http://127.0.0.1:{}/{{job}}", server.port);
    desk.configure(&format!(
        "[alerts.ping]\nstart = \"{base}/start\"\nsuccess = \"{base}\"\nfailure = \"{base}/fail\"\n"
    ));
    for (name, value) in
        [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")]
    {
        desk.set(name, value);
    }
    server.answers(&[500, 500, 500, 500]);
    assert_eq!(desk.run("jobs run clean").code, Some(0));
    assert_eq!(desk.run("jobs run warm").code, Some(13));
    let lines: Vec<String> = server.seen().iter().map(|request| request.line.clone()).collect();
    let expected =
        ["/clean/start", "/clean", "/warm/start", "/own/default"].map(|path| format!("POST {path} HTTP/1.1"));
    assert_eq!(lines, expected);
    assert!(server.seen()[3].body.starts_with("warm: failed, "), "{:?}", server.seen()[3]);
    assert!(!desk.run("config show").out.contains(&server.port.to_string()), "shown as ***");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", silent.local_addr().unwrap());
    desk.configure(&format!("[alerts.ping]\nstart = \"{url}\"\nsuccess = \"{url}\"\ntimeout = 1\n"));
    let begun = std::time::Instant::now();
    let ran = desk.run("jobs run clean");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}
