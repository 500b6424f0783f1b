//! `jobs next`, `simulate`, `pause`, `resume`, `logs` and `install`, and the kinds digest, verify and recover.
//!
//! As there, each test has a home of its own.

use crate::home::Home;
use crate::world::World;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Two jobs of one home: one every hour in Berlin, one every five minutes.
fn home() -> (Home, String) {
    let home = Home::new();
    let folder = home.folder("jobs");
    let nightly = "name = \"nightly\"\nkind = \"cleanup\"\nschedule = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\njitter = \"10m\"\n";
    std::fs::write(folder.join("10-nightly.toml"), nightly).unwrap();
    std::fs::write(folder.join("20-often.toml"), "name = \"often\"\nkind = \"health-check\"\nevery = \"5m\"\n")
        .unwrap();
    let folder = folder.display().to_string();
    (home, folder)
}

#[test]
fn next_tells_each_time_on_its_own_clock_with_the_jitter() {
    let (home, folder) = home();
    let here = [("AWSIDEMAN_JOBS_DIR", folder.as_str()), ("TZ", "Asia/Kolkata")];
    let found = home.run_with("jobs next --json", &here).ok().json();
    let next = found["next"].as_array().unwrap();
    let of = |job: &str| next.iter().find(|coming| coming["job"] == job).unwrap().clone();
    assert_eq!(
        (next.len(), &of("often")["is_due"], &of("often")["timezone"]),
        (2, &json!(true), &json!("Asia/Kolkata"))
    );
    let nightly = of("nightly");
    assert!(
        nightly["local"].as_str().unwrap().contains("T02:3") && nightly["timezone"] == "Europe/Berlin",
        "{nightly}"
    );
    assert!(nightly["jitter_ms"].as_i64().unwrap() < 600_000);
    let five = home.run_with("jobs next nightly -n 5 --json", &here).ok().json();
    assert_eq!(five["next"].as_array().unwrap().len(), 5);
    home.run_with("jobs next", &here).ok().stdout_has("Europe/Berlin").stdout_has("now");
    home.run_with("jobs next nigthly", &here).code(2).stderr_has("did you mean `nightly`?");
    assert!(!home.path().join(".local/state/awsideman/locks").exists(), "nothing ran");
}

#[test]
fn simulate_is_one_document_of_runs_and_has_the_autumn_night_once() {
    let (home, folder) = home();
    let here = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    let words = "jobs simulate nightly --from 2026-10-24T12:00:00Z --to 2026-10-26T12:00:00Z --json";
    let found = home.run_with(words, &here).ok().json();
    let keys: Vec<&String> = found.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["schema_version", "runs"]);
    let runs = found["runs"].as_array().unwrap();
    let times: Vec<&str> = runs.iter().map(|run| run["scheduled_at"].as_str().unwrap()).collect();
    assert_eq!(times, ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
    assert!(runs.iter().all(|run| run["job"] == "nightly" && run["outcome"] == "run" && run["mail"] == "never"));
    let empty = home.run_with("jobs simulate nightly --from 12:00 --to 1m --json", &here).ok().json();
    assert_eq!(empty, json!({ "schema_version": 1, "runs": [] }));
    home.run_with("jobs simulate --from 2026-10-26 --to 2026-10-25", &here).code(2).stderr_has("--to is before");
    home.run_with("jobs simulate --from noonish", &here).code(2).stderr_has("is not a time");
}

#[test]
fn a_pause_holds_for_every_runner_shows_everywhere_and_ends() {
    let (home, folder) = home();
    let here = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    let paused = home.run_with("jobs pause often --for 2h --reason INC-12 --json", &here).ok().silent().json();
    assert_eq!((&paused["job"], &paused["paused"]), (&json!("often"), &json!(true)));
    assert!(paused["until"].is_string());
    let ran = home.run_with("jobs run often", &here).ok();
    ran.stdout_has("skipped").stdout_has("paused until").stdout_has("INC-12");
    home.run_with("jobs list", &here).ok().stdout_has("paused");
    let simulated = home.run_with("jobs simulate often --to 30m --json", &here).ok().json();
    assert!(simulated["runs"].as_array().unwrap().iter().all(|run| run["outcome"] == "skipped"), "{simulated}");
    assert_eq!(home.run_with("jobs resume often --json", &here).ok().json()["ended"], 1);
    home.run_with("jobs run often", &here).ok().stdout_has("done");
    home.run_with("jobs pause oftn", &here).code(2).stderr_has("did you mean `often`?");
    home.run_with("jobs pause --until 2020-01-01", &here).code(2).stderr_has("is in the past");
    home.run_with("jobs pause", &here).ok().stdout_has("Paused all jobs until it is resumed");
    home.run_with("jobs resume often", &here).ok().stdout_has("all jobs are paused");
    home.run_with("jobs resume", &here).ok().stdout_has("Resumed all jobs");
}

#[test]
fn a_pause_works_with_a_broken_configuration_and_broken_jobs() {
    let (home, folder) = home();
    std::fs::write(format!("{folder}/20-often.toml"), "name = \"often\"\nkind = [\n").unwrap();
    home.folder(".config/awsideman");
    std::fs::write(home.user_file(), "jobz = 1\n[cache]\nmax_size_mb = \"many\"\n").unwrap();
    let here = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    let ran = home.run_with("jobs pause often --until 23:59", &here).ok();
    ran.stdout_has("Paused job often until").stderr_has("invalid configuration");
    home.run_with("jobs resume", &here).ok().stdout_has("Resumed all jobs");
    let nowhere = [("AWSIDEMAN_JOBS_DIR", "/nowhere/at/all")];
    home.run_with("jobs pause any-name", &nowhere).ok().stderr_has("the name is not checked");
}

#[test]
fn units_for_a_user_are_shown_asked_about_and_written() {
    let (home, folder) = home();
    let here = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    let units = home.path().join(".config/systemd/user");
    let shown = home.run_with("jobs install --systemd --user --dry-run --profile reader", &here).ok();
    let shown = shown.stdout_has("[Service]").stdout_has("TimeoutStartSec=").stdout_has("SuccessExitStatus=3 6");
    let command = format!("ExecStart={} --profile reader jobs run", env!("CARGO_BIN_EXE_awsideman"));
    let shown = shown.stdout_has(&command).stdout_has("OnFailure=").stdout_has("NoNewPrivileges=yes");
    shown.stdout_has("Dry run").stderr_has("AWSIDEMAN_JOBS_DIR");
    home.run_with("jobs install --systemd --user", &here).code(2).stderr_has("not a terminal");
    assert!(!units.exists(), "nothing was written");
    let written = home.run_with("jobs install --systemd --user --yes --json", &here).ok().json();
    let paths: Vec<PathBuf> =
        written["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().into()).collect();
    assert_eq!(paths, [units.join("awsideman-jobs.service"), units.join("awsideman-jobs.timer")]);
    assert!(written["verified"] != json!(false), "{written}");
    assert_eq!(std::fs::read_to_string(&paths[0]).unwrap(), written["files"][0]["text"].as_str().unwrap());
    assert!(written["next"][0].as_str().unwrap().contains("systemctl --user"));
    home.run_with("jobs install --cron --dry-run", &here).ok().stdout_has("* * * * *  awsideman  /");
    home.run_with("jobs install", &here).code(2);
}

#[test]
fn a_profile_with_a_browser_login_is_refused_for_a_service() {
    let (home, folder) = home();
    let config = home.folder(".aws").join("config");
    std::fs::write(config, "[profile sso]\nsso_session = corp\n[profile admin]\nsource_profile = sso\n").unwrap();
    let here = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    let words = "jobs install --systemd --user --dry-run --profile admin";
    home.run_with(words, &here).code(2).stderr_has("by way of `sso`").stderr_has("--allow-sso-login");
    home.run_with(&format!("{words} --allow-sso-login"), &here).ok().stderr_has("whenever that login is over");
}

#[test]
fn a_crontab_keeps_its_other_lines_and_has_ours_once() {
    let mut world = World::small();
    let table = world.beside("table");
    std::fs::write(&table, "0 1 * * *  backup\n").unwrap();
    world.program("crontab", "#!/bin/bash\nif [ \"$1\" = -l ]; then cat \"$TABLE\"; else cat >\"$TABLE\"; fi\n");
    world.set("TABLE", table.to_str().unwrap());
    for _ in 0..2 {
        world.run(["jobs", "install", "--cron", "--user", "--yes"]).ok().stdout_has("Written: your crontab");
    }
    let text = std::fs::read_to_string(&table).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "0 1 * * *  backup"), "{text}");
    assert!(
        lines[1].starts_with("* * * * *  PATH=/usr/local/sbin:") && lines[1].contains("awsideman jobs run"),
        "{text}"
    );
}

fn kinds(world: &mut World) {
    for (file, text) in [
        ("10-warm", "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n[warm]\nresources = [\"users\", \"groups\"]\n"),
        ("20-verify", "name = \"verify\"\nkind = \"verify\"\nevery = \"1h\"\n[verify]\nbudget = 30\n"),
        ("30-recover", "name = \"recover\"\nkind = \"recover\"\nevery = \"1h\"\n"),
        ("40-digest", "name = \"digest\"\nkind = \"digest\"\nevery = \"1h\"\n"),
    ] {
        world.write(&format!("jobs/{file}.toml"), text);
    }
    let (jobs, mail) = (world.home().join("jobs"), world.home().join("mail"));
    world.set("AWSIDEMAN_JOBS_DIR", jobs.to_str().unwrap());
    world.set("AWSIDEMAN_ALERTS_EMAIL_ENABLED", "true").set("AWSIDEMAN_ALERTS_EMAIL_TRANSPORT", "file");
    world.set("AWSIDEMAN_ALERTS_EMAIL_FROM", "a@example.com").set("AWSIDEMAN_ALERTS_EMAIL_TO", "b@example.com");
    world.set("AWSIDEMAN_ALERTS_EMAIL_DIR", mail.to_str().unwrap());
    // Here the first good run resolves.
    world.set("AWSIDEMAN_ALERTS_RECOVERY_DELAY", "0");
}

fn mails(world: &World) -> Vec<String> {
    let found = std::fs::read_dir(world.home().join("mail")).into_iter().flatten();
    let texts = found.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    texts.map(|text| text.replace("=\r\n", "").replace("=\n", "")).collect()
}

#[test]
fn a_digest_mails_what_was_saved_and_what_changed_in_the_directory() {
    let mut world = World::small();
    kinds(&mut world);
    world.run(["jobs", "run", "warm"]).ok();
    world.run(["jobs", "run", "digest"]).ok();
    let [first] = &mails(&world)[..] else { panic!("one mail: {:?}", mails(&world)) };
    for words in ["Subject: awsideman Digest", "Health: healthy", "- warm: 1 done", "- users: 20; the next digest"] {
        assert!(first.contains(words), "{words}: {first}");
    }
    world.run(["user", "list"]).ok();
    world.run(["user", "list"]).ok();
    world.run(["jobs", "run", "warm"]);
    let found = world.run(["jobs", "run", "digest", "--json"]).ok().json();
    let detail = &found["runs"][0]["detail"];
    assert_eq!((&detail["calls_saved"], &detail["directory"]["users"]["added"]), (&json!(2), &json!(0)), "{detail}");
    assert_eq!(mails(&world).len(), 2);
    assert!(detail["text"].as_str().unwrap().contains("Saved: at least 2 calls to AWS"), "{detail}");
}

#[test]
fn verify_says_how_many_answers_are_wrong_and_between_what() {
    let mut world = World::small();
    kinds(&mut world);
    world.run(["jobs", "run", "verify"]).ok().stdout_has("nothing is stored");
    world.run(["jobs", "run", "warm"]).ok();
    let found = world.run(["jobs", "run", "verify", "--json"]).ok().json();
    let run = &found["runs"][0];
    assert_eq!((&run["outcome"], &run["detail"]["wrong"]), (&json!("done"), &json!(0)), "{found}");
    let number = |name: &str| run["detail"][name].as_f64().unwrap();
    assert!(number("checked") >= 5.0 && number("wrong_percentage_high") > 5.0, "few tell little: {found}");
    assert!(run["calls"].as_u64().unwrap() <= 30);
    world.run(["cache", "disable", "--for", "1h", "--reason", "INC-1"]).ok();
    let calls = world.calls_of(|| world.run(["jobs", "run", "verify"]).ok().stdout_has("skipped").stdout_has("INC-1"));
    assert_eq!(calls, 0, "a disabled cache is left alone");
}

#[test]
fn recover_leaves_a_sound_cache_alone_and_replaces_a_damaged_one() {
    let mut world = World::small();
    kinds(&mut world);
    world.set("AWSIDEMAN_ALERTS_RECOVERY_DELAY", "0");
    world.run(["jobs", "run", "warm", "recover"]).ok().stdout_has("the cache is not damaged");
    let current = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    let database = world.cache_dir().join(current.trim());
    let size = usize::try_from(std::fs::metadata(&database).unwrap().len()).unwrap();
    std::fs::write(&database, vec![0x5a; size]).unwrap();
    let found = world.run(["jobs", "run", "recover", "--json"]).code(6).json();
    let run = &found["runs"][0];
    assert_eq!(run["outcome"], "done", "{found}");
    assert!(run["reason"].as_str().unwrap().starts_with("the cache was damaged"), "{found}");
    let kept: Value = run["detail"]["recovered"]["old"].clone();
    assert!(PathBuf::from(kept.as_str().unwrap()).exists(), "the damaged one is kept as evidence: {kept}");
    world.run(["jobs", "run", "recover"]).ok().stdout_has("the cache is not damaged");
    assert_eq!(mails(&world).len(), 2, "that it was damaged, and that it is over");
}
