//! Generates the systemd units and crontab lines that run due jobs.
//!
//! Guarantee: every path is absolute and every argument is quoted for its reader. The units permit what jobs need
//! (directories, network) and no more, and contain no secret.

use crate::config::Job;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// The name of the units and of the crontab file.
pub const SERVICE: &str = "awsideman-jobs";
/// The user of a host-wide service.
pub const USER: &str = "awsideman";
/// The PATH of a systemd service; cron has a shorter one.
pub const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The time that a service may take beyond the timeouts of its jobs, to send mails.
const AFTER: Duration = Duration::from_secs(60);

/// The scope of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The whole host, as the user [`USER`].
    Host,
    /// The current user.
    User,
}

/// An installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledService {
    /// The command and its arguments, the absolute path first.
    pub command: Vec<String>,
    /// The longest duration of one run of all jobs.
    pub longest: Duration,
    /// The time that jobs have to stop on shutdown.
    pub grace: Duration,
    /// The scope.
    pub whom: For,
    /// Directories of programs that it needs, in addition to [`STANDARD_PATH`].
    pub path: Vec<PathBuf>,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFile {
    /// Its name, without a directory.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The longest duration of one run of these jobs: each takes its timeout, one after the other, for each profile.
pub fn longest(jobs: &[Job], grace: Duration) -> Duration {
    let each = |job: &Job| (job.timeout + grace) * u32::try_from(job.profiles.len().max(1)).unwrap_or(u32::MAX);
    jobs.iter().filter(|job| job.enabled).map(each).sum::<Duration>() + AFTER
}

impl InstalledService {
    /// The service and its timer.
    pub fn systemd(&self) -> Vec<ServiceFile> {
        vec![
            ServiceFile { name: format!("{SERVICE}.service"), text: self.unit() },
            ServiceFile { name: format!("{SERVICE}.timer"), text: timer() },
        ]
    }

    /// The crontab line; for the host with the user's name, as `/etc/cron.d` requires. A line in a user's table sets
    /// PATH itself, because an assignment above it would apply to the other lines too.
    pub fn cron_line(&self) -> String {
        let words: Vec<String> = self.command.iter().map(|word| for_cron(word)).collect();
        let before = match self.whom {
            For::Host => format!("{USER}  "),
            For::User => format!("PATH={} ", for_cron(&self.search_path())),
        };
        format!("* * * * *  {before}{}", words.join(" "))
    }

    /// The value of PATH.
    fn search_path(&self) -> String {
        let more = self.path.iter().map(|folder| folder.display().to_string());
        std::iter::once(STANDARD_PATH.to_owned()).chain(more).collect::<Vec<_>>().join(":")
    }

    /// The file for `/etc/cron.d`.
    pub fn cron_file(&self) -> ServiceFile {
        let text = format!(
            "# awsideman: every minute, run what is due. Silent while all goes well; cron mails what is printed.\n\
             # AWS credentials: an instance role needs nothing here; otherwise name a profile that works without a\n\
             # person, whose files the user {USER} can read. cron passes on no variable of yours.\n\
             #AWS_PROFILE=identity-readonly\n#AWS_REGION=eu-west-1\n#MAILTO=on-call@example.com\n\
             # cron itself searches /usr/bin and /bin alone.\nPATH={}\n{}\n",
            self.search_path(),
            self.cron_line()
        );
        ServiceFile { name: USER.to_owned(), text }
    }

    /// The comment of a unit about credentials.
    pub(super) fn credentials(&self) -> &'static str {
        match self.whom {
            For::Host => {
                "# AWS credentials: an instance role needs nothing here. Otherwise name a profile that works without a person in\n\
                 # /etc/awsideman/environment (mode 0600): AWS_PROFILE=..., AWS_REGION=..., AWS_CONFIG_FILE=...\n\
                 # A profile that logs in with a browser expires within hours and is not for a service.\n"
            }
            For::User => {
                "# AWS credentials: those of this user (~/.aws, or a role of the host). A profile that logs in with a browser\n\
                 # expires within hours. Variables go into ~/.config/awsideman/environment (mode 0600): AWS_PROFILE=...\n\
                 # To run while nobody is logged in: loginctl enable-linger\n"
            }
        }
    }

    /// Its user, variables and directories.
    pub(super) fn place(&self) -> String {
        let mut text = match self.whom {
            For::Host => format!(
                "User={USER}\nEnvironmentFile=-/etc/awsideman/environment\nCacheDirectory=awsideman\n\
                 CacheDirectoryMode=0700\nStateDirectory=awsideman\nStateDirectoryMode=0700\n\
                 LogsDirectory=awsideman\nLogsDirectoryMode=0700\n"
            ),
            For::User => "EnvironmentFile=-%h/.config/awsideman/environment\n".to_owned(),
        };
        if !self.path.is_empty() {
            let _ = writeln!(text, "Environment={}", for_systemd(&format!("PATH={}", self.search_path())));
        }
        text
    }

    fn unit(&self) -> String {
        let command: Vec<String> = self.command.iter().map(|word| for_systemd(word)).collect();
        let mut text = String::from(
            "# Runs what is due, once. The timer starts it every minute; the job files decide what runs.\n#\n",
        );
        text.push_str(self.credentials());
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[Unit]\nDescription=awsideman: jobs that are due\nDocumentation=man:awsideman-jobs(1)\n{}\
             # Started when a run fails with another code than those below:\n# OnFailure=notify-operator@%n.service\n\n\
             [Service]\nType=oneshot\nExecStart={}\n{}\
             # 3: a job was partial; it alerts after `alerts.partial_runs` in a row. 6: a health finding is critical, and alerts.\n\
             # 130: stopped by a signal.\n\
             SuccessExitStatus=3 6 130\n\
             # All jobs to their timeouts, one after the other.\nTimeoutStartSec={}\nTimeoutStopSec={}\nKillMode=mixed\n",
            if self.whom == For::Host { "Wants=network-online.target\nAfter=network-online.target\n" } else { "" },
            command.join(" "),
            self.place(),
            self.longest.as_secs(),
            (self.grace + AFTER).as_secs(),
        );
        text.push_str(ANYWHERE);
        if self.whom == For::Host {
            text.push_str(ON_A_HOST);
        }
        text
    }
}

/// Sandboxing options that a user manager supports too.
pub(super) const ANYWHERE: &str = "NoNewPrivileges=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
UMask=0077
";

pub(super) const ON_A_HOST: &str = "ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RemoveIPC=yes
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=
";

fn timer() -> String {
    "[Unit]\nDescription=awsideman: look every minute which jobs are due\n\n[Timer]\nOnCalendar=minutely\n\
     # What was missed while the host was off is in the ledger; the timer need not catch up.\n\
     Persistent=false\nAccuracySec=5s\n\n[Install]\nWantedBy=timers.target\n"
        .to_owned()
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-=:@+,".contains(c))
}

/// Quotes an argument for `ExecStart=`: specifiers and variables are escaped.
pub(super) fn for_systemd(word: &str) -> String {
    let meant = word.replace('%', "%%").replace('$', "$$");
    if is_plain(word) { meant } else { format!("\"{}\"", meant.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// Quotes an argument for a crontab, where `%` would end the command.
fn for_cron(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")).replace('%', "\\%") }
}

/// The directory of a user's units: `systemd/user` in the user's configuration directory.
pub fn user_units(config_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let config = config_home.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".config")))?;
    Some(config.join("systemd/user"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::job;

    fn service(whom: For, words: &[&str]) -> InstalledService {
        let command = words.iter().map(|&word| word.to_owned()).collect();
        InstalledService {
            command,
            longest: Duration::from_secs(1_860),
            grace: Duration::from_secs(10),
            whom,
            path: Vec::new(),
        }
    }

    #[test]
    fn arguments_are_quoted_for_their_reader() {
        let words = ["/opt/my tools/awsideman", "--profile", "a\"b%c$d", "it's"];
        let text = service(For::User, &words).systemd()[0].text.clone();
        let exec = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert_eq!(exec, r#"ExecStart="/opt/my tools/awsideman" --profile "a\"b%%c$$d" "it's""#);
        let line = service(For::User, &words).cron_line();
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        assert_eq!(
            line,
            format!("* * * * *  {path} {}", r#"'/opt/my tools/awsideman' --profile 'a"b\%c$d' 'it'\''s'"#)
        );
        let more = InstalledService { path: vec!["/opt/50%/bin".into()], ..service(For::User, &words) };
        assert!(more.cron_line().contains(":/bin:/opt/50\\%/bin' "), "{}", more.cron_line());
        let unit = more.systemd()[0].text.clone();
        assert!(
            unit.lines().any(|line| line.starts_with("Environment=\"PATH=/usr") && line.ends_with(":/opt/50%%/bin\"")),
            "{unit}"
        );
    }

    #[test]
    fn a_host_unit_has_a_user_and_hardening_and_a_user_unit_what_its_manager_supports() {
        let words = ["/usr/bin/awsideman", "jobs", "run"];
        let host = service(For::Host, &words).systemd()[0].text.clone();
        for line in ["User=awsideman", "ProtectSystem=strict", "SuccessExitStatus=3 6 130", "TimeoutStartSec=1860"] {
            assert!(host.lines().any(|found| found == line), "{line}: {host}");
        }
        let user = service(For::User, &words).systemd()[0].text.clone();
        assert!(!user.contains("User=") && !user.contains("ProtectSystem") && user.contains("NoNewPrivileges=yes"));
        assert!(user.contains("OnFailure=") && user.contains("TimeoutStopSec=70"));
        let cron = service(For::Host, &words).cron_file();
        assert!(
            cron.text.ends_with(":/bin\n* * * * *  awsideman  /usr/bin/awsideman jobs run\n")
                && cron.name == "awsideman"
        );
    }

    #[test]
    fn the_longest_run_is_every_job_to_its_timeout() {
        let two = Job { profiles: vec!["a".into(), "b".into()], ..job("two") };
        let off = Job { enabled: false, ..job("off") };
        let seconds = longest(&[job("one"), two, off], Duration::from_secs(10)).as_secs();
        assert_eq!(seconds, 3 * 70 + 60);
    }
}
