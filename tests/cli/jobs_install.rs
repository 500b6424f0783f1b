//! `jobs install`: differences between the service and this shell, and refusals.

use crate::world::World;

const FOUR: &[(&str, &[&str])] = &[
    (
        "--systemd",
        &[
            "systemctl daemon-reload && systemctl enable --now awsideman-jobs.timer",
            "systemctl start awsideman-jobs.service",
            "systemctl list-timers awsideman-jobs.timer",
            "journalctl -u awsideman-jobs.service",
        ],
    ),
    (
        "--daemon",
        &[
            "systemctl daemon-reload && systemctl enable --now awsideman-daemon.service",
            "systemctl reload awsideman-daemon.service",
            "systemctl status awsideman-daemon.service",
            "journalctl -u awsideman-daemon.service",
        ],
    ),
    (
        "--cron",
        &["awsideman doctor", "awsideman jobs run --verbose", "awsideman jobs history", "rm /etc/cron.d/awsideman"],
    ),
];

#[test]
fn variables_that_the_service_lacks_are_listed_with_the_next_commands() {
    let mut world = World::small();
    world.set("AWS_PROFILE", "reader").set("AWSIDEMAN_LOG_LEVEL", "info");
    let bin = world.beside("bin").display().to_string();
    for (how, next) in FOUR {
        let shown = world.run(["jobs", "install", how, "--dry-run"]).ok();
        let mut shown =
            shown.stderr_has("set in this shell and not for the service: ").stderr_has("AWSIDEMAN_LOG_LEVEL");
        for words in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "PATH of the service: /usr/local/sbin:", &bin] {
            shown = shown.stderr_has(words);
        }
        assert!(!shown.stderr.contains("AKIAFIRST"), "names, no values: {shown:?}");
        let document = world.run(["jobs", "install", how, "--dry-run", "--json"]).ok().json();
        let lines: Vec<&str> = document["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let lines: Vec<&&str> = lines.iter().filter(|line| !line.starts_with("useradd")).collect();
        assert_eq!(lines.len(), 4, "{how}: {lines:?}");
        for (line, words) in lines.iter().zip(*next) {
            assert!(line.contains(words), "{how}: {line}");
            shown = shown.stdout_has(words);
        }
    }
    let unit = world.run(["jobs", "install", "--daemon", "--dry-run"]).ok();
    unit.stdout_has("Type=notify").stdout_has("jobs daemon --listen 127.0.0.1:9464").stdout_has("WatchdogSec=60s");
}

#[test]
fn a_program_found_only_here_adds_its_folder_and_missing_is_refused() {
    let mut world = World::small();
    let table = world.beside("table");
    std::fs::write(&table, "").unwrap();
    world.program("crontab", "#!/bin/bash\nif [ \"$1\" = -l ]; then cat \"$TABLE\"; else cat >\"$TABLE\"; fi\n");
    world.set("TABLE", table.to_str().unwrap()).set("AWS_PROFILE", "").set("AWSIDEMAN_PROFILE", "vault");
    world.write(".aws/config", "[profile vault]\ncredential_process = vault-helper --json\n");
    let bin = world.beside("bin").display().to_string();
    let words = ["jobs", "install", "--cron", "--user", "--yes"];
    let refused = world.run(words).code(2).stderr_has("credential_process of profile `vault`");
    refused.stderr_has("`vault-helper` is in no directory of PATH").stderr_has("nothing was written");
    assert_eq!(std::fs::read_to_string(&table).unwrap(), "");
    world.program("vault-helper", "#!/bin/sh\n");
    world.run(words).ok();
    let line = std::fs::read_to_string(&table).unwrap();
    assert!(line.contains(&format!(":/sbin:/bin:{bin} ")), "{line}");
    // The same for a unit, and for a notifier.
    world.configure("[alerts.command]\nenabled = true\nargv = [\"page-me\"]\n");
    let missing = world.run(["jobs", "install", "--systemd", "--user", "--dry-run"]).ok();
    missing.stdout_has("alerts.command.argv: `page-me` is in no directory of PATH");
    world.program("page-me", "#!/bin/sh\n");
    let unit = world.run(["jobs", "install", "--systemd", "--user", "--dry-run"]).ok();
    unit.stdout_has("Environment=PATH=/usr/local/sbin").stdout_has(&format!(":/bin:{bin}\n"));
}

#[test]
fn what_the_service_user_cannot_read_is_named_and_nothing_is_written() {
    let world = World::small();
    let config = world.write("own.toml", "[log]\nlevel = \"info\"\n").display().to_string();
    std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for (how, words) in
        [("--cron", "user awsideman cannot "), ("--systemd", "is not visible to the unit: PrivateTmp=yes")]
    {
        world.run(["--config", &config, "jobs", "install", how, "--dry-run"]).ok().stdout_has(words);
        let refused = world.run(["--config", &config, "jobs", "install", how, "--yes"]).code(2);
        refused.stderr_has(words).stderr_has("nothing was written").stderr_has("/etc/awsideman");
    }
}

#[test]
fn a_profile_that_needs_an_mfa_code_is_refused() {
    let mut world = World::small();
    let role = "role_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = keys\n";
    let keys = "[profile keys]\naws_access_key_id = x\naws_secret_access_key = y\n";
    let serial = "mfa_serial = arn:aws:iam::123456789012:mfa/ann\n";
    world.write(".aws/config", &format!("[profile mfa]\n{role}{serial}[profile plain]\n{role}{keys}"));
    let words = |profile: &'static str| ["--profile", profile, "jobs", "install", "--cron", "--user", "--dry-run"];
    world.program("crontab", "#!/bin/sh\n");
    let refused = world.set("AWS_PROFILE", "").run(words("mfa")).code(2);
    refused
        .stderr_has("mfa_serial")
        .stderr_has("arn:aws:iam::123456789012:mfa/ann")
        .stderr_has("a service cannot enter the code");
    world.run(words("plain")).ok();
}
