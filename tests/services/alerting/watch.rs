//! What other commands notice: jobs that nobody runs, a login that is about to end.

use super::fixture::{CLEANUP, Desk, HEALTH};

#[test]
fn a_job_that_nothing_runs_is_reported_and_moves_no_alert() {
    let mut desk = Desk::new(&[("10-clean.toml", CLEANUP)]);
    let words = "clean was due at ";
    assert!(!desk.run("cache status").err.contains(words), "nobody set up a runner yet");
    assert_eq!(desk.run("jobs run").code, Some(0));
    for told in [desk.run("cache status"), desk.run("jobs list")] {
        assert!(!told.err.contains(words), "{told:?}");
    }
    desk.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "1h");
    for command in ["cache status", "jobs list", "jobs history"] {
        let told = desk.run(command);
        assert!(told.code == Some(0) && told.err.contains(words) && told.err.contains("jobs daemon"), "{told:?}");
    }
    let notices = desk.run("cache status --json").json()["notices"].to_string();
    assert!(notices.contains(words), "{notices}");
    let health = desk.run("cache health --json").json();
    assert!(health["healthy"] == true && health["warnings"].to_string().contains(words), "{health}");
    let nagios = desk.run("cache health --nagios");
    assert!(nagios.code == Some(1) && nagios.out.starts_with("CACHE WARNING - Jobs do not run: clean"), "{nagios:?}");
    assert!(desk.run("doctor --json").out.contains(words));
    assert_eq!(desk.run("alerts list --json").json()["alerts"], serde_json::json!([]));
    // Who runs them says nothing of it: it is being done.
    let ran = desk.run("jobs run");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert!(!desk.run("cache status").err.contains(words));
}

#[test]
fn an_expiring_login_is_mailed_once_ahead_and_resolved_by_the_next() {
    let desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let folder = desk.path("mails").display().to_string();
    desk.configure(&format!(
        "profile = \"ops\"\n[alerts.email]\nenabled = true\ntransport = \"file\"\nfrom = \"a@example.com\"\n\
         to = [\"b@example.com\"]\ndir = \"{folder}\"\n"
    ));
    std::fs::create_dir_all(desk.path(".aws/sso/cache")).unwrap();
    std::fs::write(desk.path(".aws/config"), "[profile ops]\nsso_start_url = https://corp.example.com/start\n")
        .unwrap();
    let login = |hours: u64| {
        let at = std::time::SystemTime::now() + std::time::Duration::from_secs(3_600 * hours + 60);
        let at = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let at = awsideman::clock::utc(i64::try_from(at).unwrap());
        let token = format!("{{\"startUrl\": \"https://corp.example.com/start\", \"expiresAt\": \"{at}\"}}");
        let path = desk.path(".aws/sso/cache/1.json");
        std::fs::write(&path, token).unwrap();
        // It was written a week ago, so that a day is less than a quarter of its life.
        assert!(std::process::Command::new("touch").args(["-d", "7 days ago"]).arg(&path).status().unwrap().success());
    };
    let mails = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    login(30);
    assert_eq!((desk.run("jobs run health").code, mails()), (Some(0), 0));
    login(20);
    for _ in 0..2 {
        let ran = desk.run("jobs run health");
        assert!(ran.code == Some(0) && ran.out.contains("The AWS login"), "{ran:?}");
        assert_eq!(mails(), 1);
    }
    assert_eq!(desk.run("alerts list --json").json()["alerts"][0]["hint"], "aws sso login --profile ops");
    login(160);
    assert_eq!((desk.run("jobs run health").code, mails()), (Some(0), 2));
}
