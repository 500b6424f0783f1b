//! Parses one job file into a checked job, or collects its problems.
//!
//! Guarantee: a returned job is valid, and no part of the file is ignored.

use crate::config::diagnostic::Problem;
use crate::config::diagnostic::ValueFault;
use crate::config::diagnostic::nearest;
use crate::config::diagnostic::suggestion;
use crate::config::file;
use crate::config::file::ConfigEntry;
use crate::config::job::AlertWhen;
use crate::config::job::CatchUp;
use crate::config::job::Job;
use crate::config::job::JobKind;
use crate::config::job::JobPing;
use crate::config::job::Overlap;
use crate::config::job::Retry;
use crate::config::job::WarmTarget;
use crate::config::job::schedule::Schedule;
use crate::config::keys::Catalogue;
use crate::config::keys::ConfigKey;
use crate::config::schema::Secret;
use crate::config::types::BaseDirs;
use crate::config::types::Setting;
use crate::config::types::Type;
use crate::config::types::Type::Choice;
use crate::config::types::Type::Flag;
use crate::config::types::Type::SecretUrl;
use crate::config::types::Type::Text;
use crate::config::types::Type::Time;
use crate::config::types::Type::Whole;
use crate::config::types::Type::Words;
use crate::model::Zone;
use std::path::Path;
use std::time::Duration;

const DAY: u64 = 86_400;
/// The default budget of a verify.
const VERIFIED: u64 = 50;

const CRON_HINT: &str = "write 5 fields (minute hour day month weekday), 6 with seconds first, or @hourly";

const fn key(name: &'static str, kind: Type) -> ConfigKey {
    ConfigKey { name, kind }
}

/// The keys of a job file.
const JOB: Catalogue = Catalogue {
    keys: &[
        key("name", Text),
        key("description", Text),
        key("kind", Choice(&JobKind::WORDS)),
        key("enabled", Flag),
        key("schedule", Text),
        key("every", Time(1, 366 * DAY)),
        key("timezone", Text),
        key("jitter", Time(0, DAY)),
        key("timeout", Time(1, 7 * DAY)),
        key("overlap", Choice(&["forbid", "queue-one", "replace"])),
        key("catch_up", Choice(&["none", "latest", "all"])),
        key("catch_up_limit", Whole(1, 1_000)),
        key("catch_up_window", Time(1, 366 * DAY)),
        key("start_deadline", Time(0, 366 * DAY)),
        key("retry.attempts", Whole(1, 20)),
        key("retry.delay", Time(0, DAY)),
        key("alert", Choice(&["on-change", "always", "never"])),
        key("profiles", Words),
        key("ping.start", SecretUrl),
        key("ping.success", SecretUrl),
        key("ping.failure", SecretUrl),
        key("warm.resources", Words),
        key("warm.budget", Whole(0, 1_000_000_000)),
        key("verify.budget", Whole(1, 1_000_000)),
    ],
    ttl_section: None,
    former: &[],
};

/// Reads the job in `text` from `origin`.
pub(crate) fn read(text: &str, origin: &str) -> Result<Job, Vec<Problem>> {
    let base = BaseDirs { directory: Path::new("/"), home: None };
    let (layer, problems) = file::read(text, origin, &JOB, base);
    if problems.iter().any(|problem| problem.key.is_empty()) {
        return Err(problems);
    }
    let mut fields = JobFields { origin, entries: layer.entries, problems };
    let name = fields.name();
    let kind = fields.kind();
    let schedule = fields.schedule();
    let job = Job {
        name: name.unwrap_or_default(),
        origin: origin.into(),
        description: fields.text("description").unwrap_or_default(),
        enabled: fields.flag("enabled", true),
        jitter: fields.time("jitter", 0),
        timeout: fields.time("timeout", 30 * 60),
        overlap: fields.overlap(),
        catch_up: fields.catch_up(),
        start_deadline: fields.time("start_deadline", 0),
        retry: Retry { attempts: fields.whole("retry.attempts", 1), delay: fields.time("retry.delay", 30) },
        alert: fields.alert(),
        profiles: fields.words("profiles").unwrap_or_default(),
        ping: JobPing {
            start: fields.text("ping.start").map(Secret::new),
            success: fields.text("ping.success").map(Secret::new),
            failure: fields.text("ping.failure").map(Secret::new),
        },
        kind: kind.unwrap_or(JobKind::Cleanup),
        schedule: schedule.unwrap_or(Schedule::Every(Duration::ZERO)),
    };
    if fields.problems.is_empty() { Ok(job) } else { Err(fields.problems) }
}

/// The name in a file, if it can be read.
pub(crate) fn name(text: &str) -> Option<String> {
    let base = BaseDirs { directory: Path::new("/"), home: None };
    let (layer, problems) = file::read(text, "", &JOB, base);
    let mut fields = JobFields { origin: "", entries: layer.entries, problems };
    let known = fields.problems.len();
    fields.name().filter(|_| fields.problems.len() == known)
}

struct JobFields<'a> {
    origin: &'a str,
    entries: Vec<ConfigEntry>,
    problems: Vec<Problem>,
}

impl JobFields<'_> {
    fn name(&mut self) -> Option<String> {
        let name = self.required("name", "write one such as name = \"warm\"")?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 64 || name.starts_with('-') || !name.bytes().all(plain) {
            let what = format!("`{}` is not a name of a job", name.escape_debug());
            self.problem("name", ValueFault::new(what, "write lower-case letters, digits and dashes, at most 64"));
        }
        Some(name)
    }

    fn kind(&mut self) -> Option<JobKind> {
        let word = self.required("kind", "write one such as kind = \"warm\" or kind = \"health-check\"")?;
        let kind = match word.as_str() {
            "warm" => JobKind::Warm { resources: self.resources(), budget: self.whole_u64("warm.budget", 0) },
            "cleanup" => JobKind::Cleanup,
            "enforce-limits" => JobKind::EnforceLimits,
            "digest" => JobKind::Digest,
            "verify" => JobKind::Verify { budget: self.whole_u64("verify.budget", VERIFIED) },
            "recover" => JobKind::Recover,
            _ => JobKind::HealthCheck,
        };
        for table in ["warm", "verify"] {
            let inside = |entry: &&ConfigEntry| entry.key.split_once('.').is_some_and(|(first, _)| first == table);
            let foreign = self.entries.iter().find(inside).filter(|_| word != table);
            if let Some(key) = foreign.map(|entry| entry.key.clone()) {
                let what = format!("[{table}] belongs to kind = \"{table}\", and this job's kind is \"{word}\"");
                self.problem(&key, ValueFault::new(what, "remove the table or change the kind"));
            }
        }
        Some(kind)
    }

    fn resources(&mut self) -> Vec<WarmTarget> {
        let Some(words) = self.words("warm.resources") else { return WarmTarget::ALL.to_vec() };
        if words.is_empty() {
            let fault = ValueFault::new("names no target", "name the targets to warm, or remove the key to warm all");
            self.problem("warm.resources", fault);
        }
        let mut targets = Vec::new();
        for word in words {
            match WarmTarget::parse(&word) {
                Some(target) if targets.contains(&target) => {}
                Some(target) => targets.push(target),
                None => {
                    let hint = suggestion(&word, &WarmTarget::ALL.map(WarmTarget::as_str));
                    self.problem("warm.resources", ValueFault::new(format!("`{word}` cannot be warmed"), hint));
                }
            }
        }
        targets
    }

    fn schedule(&mut self) -> Option<Schedule> {
        let timezone = self.timezone();
        let (text, every) = (self.text("schedule"), self.find("every").cloned());
        match (text, every) {
            (Some(text), None) => Schedule::cron(&text, timezone)
                .map_err(|why| {
                    let what = format!("`{}` is not a schedule: {why}", text.escape_debug());
                    let hint = if why == Schedule::NEVER { "change its day or month" } else { CRON_HINT };
                    self.problem("schedule", ValueFault::new(what, hint));
                })
                .ok(),
            (None, Some(Setting::Time(interval))) => {
                if timezone.is_some() {
                    let fault = ValueFault::new("an interval has no time zone", "remove it, or use schedule");
                    self.problem("timezone", fault);
                }
                Some(Schedule::Every(interval))
            }
            (Some(_), Some(_)) => {
                let fault = ValueFault::new("cannot be combined with every", "keep one of the two");
                self.problem("schedule", fault);
                None
            }
            _ => {
                if !self.is_reported("schedule") && !self.is_reported("every") {
                    let hint = "write schedule = \"0 * * * *\" or every = \"15m\"";
                    self.problem("schedule", ValueFault::new("is missing: the job has no due time", hint));
                }
                None
            }
        }
    }

    fn timezone(&mut self) -> Option<Zone> {
        let name = self.text("timezone")?;
        let zone = name.parse().ok();
        if zone.is_none() {
            let hint = match nearest(&name, Zone::names().iter().map(String::as_str)) {
                Some(right) => format!("did you mean `{right}`?"),
                None => "write one such as Europe/Berlin or UTC".into(),
            };
            self.problem("timezone", ValueFault::new(format!("`{}` is not a time zone", name.escape_debug()), hint));
        }
        zone
    }

    fn overlap(&self) -> Overlap {
        match self.text("overlap").as_deref() {
            Some("queue-one") => Overlap::QueueOne,
            Some("replace") => Overlap::Replace,
            _ => Overlap::Forbid,
        }
    }

    fn catch_up(&mut self) -> CatchUp {
        let word = self.text("catch_up");
        let all = word.as_deref() == Some("all");
        for key in ["catch_up_limit", "catch_up_window"] {
            if !all && self.find(key).is_some() {
                self.problem(
                    key,
                    ValueFault::new("counts only with catch_up = \"all\"", "remove it or change catch_up"),
                );
            }
        }
        match word.as_deref() {
            Some("none") => CatchUp::None,
            Some("all") => {
                let window = self.time("catch_up_window", DAY);
                CatchUp::All { limit: self.whole("catch_up_limit", 3), window }
            }
            _ => CatchUp::Latest,
        }
    }

    fn alert(&self) -> AlertWhen {
        match self.text("alert").as_deref() {
            Some("always") => AlertWhen::Always,
            Some("never") => AlertWhen::Never,
            _ => AlertWhen::OnChange,
        }
    }

    fn find(&self, key: &str) -> Option<&Setting> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.setting)
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.find(key) {
            Some(Setting::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn words(&self, key: &str) -> Option<Vec<String>> {
        match self.find(key) {
            Some(Setting::Words(words)) => Some(words.clone()),
            _ => None,
        }
    }

    fn flag(&self, key: &str, otherwise: bool) -> bool {
        match self.find(key) {
            Some(Setting::Flag(value)) => *value,
            _ => otherwise,
        }
    }

    fn time(&self, key: &str, otherwise: u64) -> Duration {
        match self.find(key) {
            Some(Setting::Time(duration)) => *duration,
            _ => Duration::from_secs(otherwise),
        }
    }

    fn whole_u64(&self, key: &str, otherwise: u64) -> u64 {
        match self.find(key) {
            Some(Setting::Whole(number)) => *number,
            _ => otherwise,
        }
    }

    fn whole(&self, key: &str, otherwise: u32) -> u32 {
        u32::try_from(self.whole_u64(key, otherwise.into())).unwrap_or(u32::MAX)
    }

    /// The text of a required key.
    fn required(&mut self, key: &str, hint: &str) -> Option<String> {
        let text = self.text(key);
        if text.is_none() && !self.is_reported(key) {
            self.problem(key, ValueFault::new("is missing", hint));
        }
        text
    }

    /// Whether a problem with this key is already reported.
    fn is_reported(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    fn problem(&mut self, key: &str, fault: ValueFault) {
        let line = self.entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.line);
        let source = self.origin.into();
        self.problems.push(Problem { source, line, key: key.into(), what: fault.what, hint: fault.hint });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_a_whole_job_with_defaults() {
        let job = read("name = \"tidy\"\nkind = \"cleanup\"\nevery = \"1h\"\n", "tidy.toml").unwrap();
        assert_eq!((job.kind, job.schedule), (JobKind::Cleanup, Schedule::Every(Duration::from_secs(3600))));
        assert_eq!((job.overlap, job.catch_up, job.alert), (Overlap::Forbid, CatchUp::Latest, AlertWhen::OnChange));
        assert!(job.enabled && job.profiles.is_empty() && job.retry.attempts == 1);
    }

    #[test]
    fn every_field_is_read() {
        let text = "name = \"w\"\nkind = \"warm\"\nschedule = \"0 3 * * *\"\ntimezone = \"Europe/Berlin\"\n\
            jitter = 30\ntimeout = \"1h\"\noverlap = \"queue-one\"\ncatch_up = \"all\"\ncatch_up_limit = 2\n\
            catch_up_window = \"6h\"\nstart_deadline = \"10m\"\nretry = { attempts = 3, delay = \"1m\" }\n\
            alert = \"never\"\nprofiles = [\"a\", \"b\"]\nenabled = false\ndescription = \"d\"\n\
            [warm]\nresources = [\"user\", \"permission_sets\"]\nbudget = 100\n";
        let job = read(text, "w.toml").unwrap();
        let resources = vec![WarmTarget::Users, WarmTarget::PermissionSets];
        assert_eq!(job.kind, JobKind::Warm { resources, budget: 100 });
        assert_eq!(job.schedule.to_string(), "0 3 * * * (Europe/Berlin)");
        assert_eq!(job.catch_up, CatchUp::All { limit: 2, window: Duration::from_secs(6 * 3600) });
        assert_eq!(job.retry, Retry { attempts: 3, delay: Duration::from_secs(60) });
        assert_eq!((job.jitter.as_secs(), job.timeout.as_secs(), job.start_deadline.as_secs()), (30, 3600, 600));
        assert_eq!((job.overlap, job.alert, job.enabled), (Overlap::QueueOne, AlertWhen::Never, false));
        assert_eq!(job.profiles, ["a", "b"]);
    }

    #[test]
    fn a_wrong_value_is_told_once_and_not_as_missing_too() {
        let problems = read("name = \"x\"\nkind = \"clean\"\nevery = \"soon\"\n", "x.toml").unwrap_err();
        let told: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(told, ["kind", "every"]);
    }
}
