//! The systemd unit of the daemon.

use crate::jobs::unit_files::ANYWHERE;
use crate::jobs::unit_files::For;
use crate::jobs::unit_files::InstalledService;
use crate::jobs::unit_files::ON_A_HOST;
use crate::jobs::unit_files::SERVICE;
use crate::jobs::unit_files::ServiceFile;
use crate::jobs::unit_files::for_systemd;
use std::fmt::Write;

/// The name of the daemon's unit.
pub const DAEMON: &str = "awsideman-daemon";

impl InstalledService {
    /// The unit of the daemon.
    pub fn daemon(&self) -> ServiceFile {
        let command: Vec<String> = self.command.iter().map(|word| for_systemd(word)).collect();
        let is_host = self.whom == For::Host;
        let user = if is_host { "" } else { " --user" };
        let mut text = format!(
            "# Runs jobs as they fall due. Use it instead of {SERVICE}.timer; if both are active, one of them finds nothing to do.\n#\n\
             #   systemctl{user} daemon-reload && systemctl{user} enable --now {DAEMON}.service\n\
             #   systemctl{user} reload {DAEMON}.service     # reads the configuration again; a broken one leaves the last good in use\n\
             #   systemctl{user} status {DAEMON}.service     # shows the last run, and where the status page is\n#\n"
        );
        text.push_str(self.credentials());
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[Unit]\nDescription=awsideman: runs jobs as they fall due\nDocumentation=man:awsideman-jobs-daemon(1)\n{}\
             # After five restarts in ten minutes, systemd gives up and starts OnFailure=.\n\
             StartLimitIntervalSec=10min\nStartLimitBurst=5\n# OnFailure=notify-operator@%n.service\n\n\
             [Service]\nType=notify\nNotifyAccess=main\nExecStart={}\nExecReload=/bin/kill -HUP $MAINPID\n\
             # The daemon sends a watchdog signal every 20 seconds; systemd restarts a daemon that hangs. The ledger and the locks\n\
             # keep its state.\nWatchdogSec=60s\nRestart=on-failure\nRestartSec=10s\n\
             # 2: the configuration is wrong, which no restart fixes.\nRestartPreventExitStatus=2\n\
             # 130: a run did not end within its grace when the daemon was stopped.\nSuccessExitStatus=130\n\
             # Running jobs get `jobs.grace`, and mails are sent after it; the daemon asks for more when that is set higher.\n\
             TimeoutStopSec=60s\n{}{}",
            if is_host { "Wants=network-online.target\nAfter=network-online.target\n" } else { "" },
            command.join(" "),
            self.place(),
            if is_host {
                "# For `metrics.textfile`: allow writes there.\n# ReadWritePaths=/var/lib/prometheus/node-exporter\n"
            } else {
                ""
            },
        );
        text.push_str(ANYWHERE);
        if is_host {
            text.push_str(ON_A_HOST);
        }
        let target = if is_host { "multi-user.target" } else { "default.target" };
        let _ = write!(text, "\n[Install]\nWantedBy={target}\n");
        ServiceFile { name: format!("{DAEMON}.service"), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::unit_files::USER;
    use std::path::PathBuf;
    use std::time::Duration;

    #[test]
    fn the_daemon_unit_runs_as_the_service_user_or_as_the_installing_user() {
        let service = |whom| InstalledService {
            command: ["/usr/bin/awsideman", "jobs", "daemon"].map(str::to_owned).to_vec(),
            longest: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            whom,
            path: vec![PathBuf::from("/opt/tools/bin")],
        };
        let host = service(For::Host).daemon();
        assert_eq!(host.name, "awsideman-daemon.service");
        let expected = [
            "Type=notify",
            "ExecStart=/usr/bin/awsideman jobs daemon",
            &format!("User={USER}"),
            "ProtectSystem=strict",
            "WantedBy=multi-user.target",
            "Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/tools/bin",
        ];
        for line in expected {
            assert!(host.text.lines().any(|found| found == line), "{line}: {}", host.text);
        }
        let user = service(For::User).daemon().text;
        assert!(user.contains("WantedBy=default.target") && !user.contains("User="), "{user}");
    }
}
