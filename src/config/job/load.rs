//! Loads the job files of a directory, or the compiled-in jobs.
//!
//! Guarantee: jobs have the order of their file names and unique names. All problems of all files are reported.

use crate::config::diagnostic::ConfigError;
use crate::config::diagnostic::Problem;
use crate::config::job::Job;
use crate::config::job::JobKind;
use crate::config::job::parse;
use crate::config::load::unreadable;
use crate::config::ttl::Ttls;
use crate::model::format_duration;
use crate::secure_fs::bounded;
use std::io;
use std::path::Path;

/// The compiled-in files of `jobs/`: file name and text, in order.
pub const SHIPPED_JOBS: [(&str, &str); 8] = [
    ("05-recover.toml", include_str!("../../../jobs/05-recover.toml")),
    ("10-warm.toml", include_str!("../../../jobs/10-warm.toml")),
    ("20-warm-access.toml", include_str!("../../../jobs/20-warm-access.toml")),
    ("30-cleanup.toml", include_str!("../../../jobs/30-cleanup.toml")),
    ("40-enforce-limits.toml", include_str!("../../../jobs/40-enforce-limits.toml")),
    ("50-health.toml", include_str!("../../../jobs/50-health.toml")),
    ("60-verify.toml", include_str!("../../../jobs/60-verify.toml")),
    ("70-digest.toml", include_str!("../../../jobs/70-digest.toml")),
];

/// A job file that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The job's name from the file, or the file name without number and extension.
    pub name: String,
    /// The problems of the file; never empty.
    pub problems: Vec<Problem>,
}

/// The jobs of every `*.toml` in `folder`; without a folder, the compiled-in ones.
pub fn load_jobs(folder: Option<&Path>) -> Result<Vec<Job>, ConfigError> {
    let (jobs, broken) = read_jobs(folder)?;
    let problems: Vec<Problem> = broken.into_iter().flat_map(|broken| broken.problems).collect();
    if problems.is_empty() { Ok(jobs) } else { Err(ConfigError { problems }) }
}

/// Loads the valid jobs, and lists the broken files. Of two jobs with one name the first is valid.
pub fn read_jobs(folder: Option<&Path>) -> Result<(Vec<Job>, Vec<Broken>), ConfigError> {
    let (mut jobs, mut broken) = (Vec::new(), Vec::new());
    for (origin, text) in texts(folder)? {
        let read = match &text {
            Ok(text) => parse::read(text, &origin),
            Err(error) => Err(vec![unreadable(origin.clone(), error)]),
        };
        match read.and_then(|job| match twin(&job, &jobs) {
            Some(problem) => Err(vec![problem]),
            None => Ok(job),
        }) {
            Ok(job) => jobs.push(job),
            Err(problems) => {
                let name = text.ok().and_then(|text| parse::name(&text)).unwrap_or_else(|| name_of(&origin));
                broken.push(Broken { name, problems });
            }
        }
    }
    Ok((jobs, broken))
}

/// `warm` for `/etc/awsideman/jobs/10-warm.toml`.
fn name_of(origin: &str) -> String {
    let stem = Path::new(origin).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let plain = stem.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('-');
    if plain.is_empty() { stem } else { plain.to_owned() }
}

type Text = (String, io::Result<String>);

fn texts(folder: Option<&Path>) -> Result<Vec<Text>, ConfigError> {
    let Some(folder) = folder else {
        let shipped = |(name, text): (&str, &str)| (format!("(compiled in) {name}"), Ok(text.to_owned()));
        return Ok(SHIPPED_JOBS.map(shipped).into());
    };
    let fail = |error: io::Error| {
        let mut problem = unreadable(folder.display().to_string(), &error);
        problem.key = "jobs.dir".into();
        problem.hint = "name a folder of job files, or leave jobs.dir unset for the compiled-in jobs".into();
        ConfigError { problems: vec![problem] }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths
        .into_iter()
        .map(|path| (path.display().to_string(), bounded::bounded_text(&path, bounded::JOB_FILE)))
        .collect())
}

fn twin(job: &Job, earlier: &[Job]) -> Option<Problem> {
    let first = earlier.iter().find(|other| other.name == job.name)?;
    Some(Problem {
        source: job.origin.clone(),
        line: None,
        key: "name".into(),
        what: format!("`{}` is also the name of the job in {}", job.name, first.origin),
        hint: "give one of the two another name".into(),
    })
}

/// One line for each resource whose TTL is shorter than the interval of the enabled warm that refreshes it.
pub fn schedule_warnings(jobs: &[Job], ttls: &Ttls) -> Vec<String> {
    let mut warnings = Vec::new();
    for job in jobs.iter().filter(|job| job.enabled) {
        let JobKind::Warm { resources, .. } = &job.kind else { continue };
        let gap = job.schedule.longest_gap() + job.jitter;
        for target in resources {
            let (resource, operation) = target.governs();
            let ttl = ttls.of(resource, operation);
            if gap > ttl.duration {
                warnings.push(format!(
                    "{}: {} warms {} with up to {} between two runs, and {resource}:{operation} lives {} ({}); \
                     run it more often or raise the TTL",
                    job.origin,
                    job.name,
                    target.as_str(),
                    format_duration(gap),
                    format_duration(ttl.duration),
                    ttl.key,
                ));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn warm(every: &str, resources: &str) -> Job {
        let text = format!("name = \"w\"\nkind = \"warm\"\nevery = \"{every}\"\n[warm]\nresources = [{resources}]\n");
        parse::read(&text, "w.toml").unwrap()
    }

    #[test]
    fn a_broken_file_keeps_its_name_and_stops_no_other() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("10-a.toml", "name = \"a\"\nkind = \"cleanup\"\nevery = \"5m\"\n"),
            ("20-b.toml", "name = \"tidy\"\nkind = \"cleanup\"\nevery = \"soon\"\n"),
            ("30-c.toml", "name = \"a\"\nkind = \"cleanup\"\nevery = \"5m\"\n"),
            ("40-night.toml", "name = [\n"),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let (jobs, broken) = read_jobs(Some(folder.path())).unwrap();
        assert_eq!(jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(broken.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["tidy", "a", "night"]);
        assert!(broken[1].problems[0].what.contains("10-a.toml"));
        assert!(load_jobs(Some(folder.path())).unwrap_err().problems.len() >= 3);
    }

    #[test]
    fn a_warm_that_runs_too_seldom_is_warned_of() {
        let ttls = Ttls {
            default: Duration::from_secs(900),
            by_operation: [("group:members".to_owned(), Duration::from_secs(300))].into(),
            ..Ttls::default()
        };
        let warnings = schedule_warnings(&[warm("15m", "\"users\", \"memberships\"")], &ttls);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("group:members lives 5m (cache.ttl.\"group:members\")"), "{warnings:?}");
        assert!(schedule_warnings(&[warm("5m", "\"users\", \"memberships\"")], &ttls).is_empty());
        let mut off = warm("15m", "\"memberships\"");
        off.enabled = false;
        assert!(schedule_warnings(&[off], &ttls).is_empty());
    }
}
