//! The health report, as JSON and as one line for Nagios.
//!
//! `healthy` is false if a finding is critical. The Nagios line follows its plugin guidelines.

use crate::config;
use crate::health::checks::SizeLimits;
use crate::health::checks::judge;
use crate::health::finding::Finding;
use crate::health::finding::Level;
use crate::health::inputs::Measurements;
use crate::health::inputs::mib;
use crate::model::one_line;
use serde::Serialize;

/// Checks whose warning means that a configured part is missing: the report is then not healthy.
const MISSING: [&str; 2] = ["job_files", "notifiers"];

/// The report: `{"healthy", "level", "issues", "warnings", "checks"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthReport {
    /// Whether no finding is critical, and no configured part is missing.
    pub healthy: bool,
    /// The worst level of all checks.
    pub level: Level,
    /// The messages of critical findings.
    pub issues: Vec<String>,
    /// The messages of warnings.
    pub warnings: Vec<String>,
    /// Every finding.
    pub checks: Vec<Finding>,
    /// The performance data for Nagios.
    #[serde(skip)]
    figures: String,
}

/// Runs every check.
pub fn examine(found: &Measurements, health: &config::HealthConfig) -> HealthReport {
    let checks = judge(found, health);
    let messages = |level| checks.iter().filter(|f| f.level == level).map(|f| f.message.clone()).collect();
    let issues: Vec<String> = messages(Level::Critical);
    let warnings = messages(Level::Warn);
    let level = checks.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let is_missing = checks.iter().any(|f| f.level != Level::Ok && MISSING.contains(&f.key.as_str()));
    let healthy = issues.is_empty() && !is_missing;
    HealthReport { healthy, level, issues, warnings, checks, figures: figures(found, health) }
}

impl HealthReport {
    /// The report as one sentence. Only a cache without any warning is called healthy.
    pub fn sentence(&self) -> String {
        match (self.level, self.warnings.len()) {
            (Level::Ok, _) => "The cache is healthy".into(),
            (Level::Warn, 1) => "The cache works, with 1 warning".into(),
            (Level::Warn, n) => format!("The cache works, with {n} warnings"),
            (Level::Critical, _) => "The cache is not healthy".into(),
        }
    }

    /// The exit code (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN) and the line of a Nagios plugin.
    pub fn nagios(&self) -> (u8, String) {
        let worst = self.checks.iter().map(|finding| finding.level).max();
        let (code, word) = match worst {
            Some(Level::Ok) => (0, "OK"),
            Some(Level::Warn) => (1, "WARNING"),
            Some(Level::Critical) => (2, "CRITICAL"),
            None => (3, "UNKNOWN"),
        };
        let text = match code {
            3 => "nothing was checked".into(),
            0 => self.figure_of("hit_rate") + "; " + &self.figure_of("size"),
            _ => self.issues.iter().chain(&self.warnings).cloned().collect::<Vec<_>>().join("; "),
        };
        // A bar starts the performance data and a line break the long text, so messages must not contain them.
        let text: String = one_line(&text).replace('|', " ");
        let line = format!("CACHE {word} - {text}");
        (code, if self.figures.is_empty() { line } else { format!("{line} | {}", self.figures) })
    }

    fn figure_of(&self, key: &str) -> String {
        let finding = self.checks.iter().find(|finding| finding.key == key);
        finding.map_or_else(String::new, |finding| format!("{} {}", key.replace('_', " "), finding.message))
    }
}

/// `label=value[unit];warn;critical;min;max`: `70:` alerts below 70, `5` above 5. An unknown figure is `U`.
fn figures(found: &Measurements, health: &config::HealthConfig) -> String {
    let size = SizeLimits::of(health, found.limit_bytes);
    let rate = |rate: Option<f64>| rate.map_or_else(|| "U".into(), |rate| format!("{rate:.1}%"));
    let mut all = vec![
        format!(
            "hit_rate={};{}:;{}:;0;100",
            rate(found.hit_rate()),
            number(health.hit_rate_warn),
            number(health.hit_rate_critical)
        ),
        format!("hit_rate_samples={};;;0", found.samples()),
        format!("size={:.1}MB;{};{};0", mib(found.held_bytes), number(size.warn), number(size.critical)),
        format!("entries={};;;0", found.entries),
        format!("error_rate={};;{};0", rate(found.error_rate()), number(health.error_rate_critical)),
    ];
    if let Some(free) = found.free_disk_bytes {
        let total = found.total_disk_bytes.map_or_else(String::new, |total| format!(";{:.1}", mib(total)));
        let (warn, critical) = (number(health.free_disk_mb_warn), number(health.free_disk_mb_critical));
        all.push(format!("free_disk={:.1}MB;{warn}:;{critical}:;0{total}", mib(free)));
    }
    all.join(" ")
}

/// At most two decimals, none when they are zero.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
