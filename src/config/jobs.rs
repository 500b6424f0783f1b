//! The folder of job files, or the jobs that are compiled in.
//!
//! Neighbours: `job_file.rs` reads each file, `jobs/` runs what comes out. Promise: the jobs come in the order of their
//! files' names, no two have one name, and a folder with a mistake yields no job but every mistake.

use super::job::{Job, Kind};
use super::job_file;
use super::load::unreadable;
use super::problem::{ConfigError, Problem};
use super::ttl::Ttls;
use crate::model::format_duration;
use std::io;
use std::path::Path;

/// The jobs of the source's folder `jobs/`: file name and text, in order.
pub const SHIPPED_JOBS: [(&str, &str); 5] = [
    ("10-warm.toml", include_str!("../../jobs/10-warm.toml")),
    ("20-warm-access.toml", include_str!("../../jobs/20-warm-access.toml")),
    ("30-cleanup.toml", include_str!("../../jobs/30-cleanup.toml")),
    ("40-enforce-limits.toml", include_str!("../../jobs/40-enforce-limits.toml")),
    ("50-health.toml", include_str!("../../jobs/50-health.toml")),
];

/// The jobs of every `*.toml` in `folder`, or without a folder the shipped ones.
pub fn load_jobs(folder: Option<&Path>) -> Result<Vec<Job>, ConfigError> {
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    for (origin, text) in texts(folder)? {
        let read = text.map_err(|error| vec![unreadable(origin.clone(), &error)]);
        match read.and_then(|text| job_file::read(&text, &origin)) {
            Ok(job) => jobs.push(job),
            Err(wrong) => problems.extend(wrong),
        }
    }
    problems.extend(duplicates(&jobs));
    if problems.is_empty() { Ok(jobs) } else { Err(ConfigError { problems }) }
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
    Ok(paths.into_iter().map(|path| (path.display().to_string(), std::fs::read_to_string(&path))).collect())
}

fn duplicates(jobs: &[Job]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        if let Some(first) = jobs[..index].iter().find(|earlier| earlier.name == job.name) {
            problems.push(Problem {
                source: job.origin.clone(),
                line: None,
                key: "name".into(),
                what: format!("`{}` is also the name of the job in {}", job.name, first.origin),
                hint: "give one of the two another name".into(),
            });
        }
    }
    problems
}

/// One line for each resource that an enabled warm cannot keep inside its TTL, because it runs too seldom.
pub fn schedule_warnings(jobs: &[Job], ttls: &Ttls) -> Vec<String> {
    let mut warnings = Vec::new();
    for job in jobs.iter().filter(|job| job.enabled) {
        let Kind::Warm { resources, .. } = &job.kind else { continue };
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
        job_file::read(&text, "w.toml").unwrap()
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
