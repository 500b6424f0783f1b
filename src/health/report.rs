//! All findings of one moment, as JSON and as one line for Nagios.
//!
//! Healthy is false when a finding is critical; the Nagios line has its performance data in the form of its
//! guidelines.

use crate::config;
use crate::health::checks::SizeLimits;
use crate::health::checks::judge;
use crate::health::finding::Finding;
use crate::health::finding::Level;
use crate::health::inputs::Measurements;
use crate::health::inputs::mib;
use crate::model::one_line;
use serde::Serialize;

/// Checks whose warning means that a configured part is missing: the verdict is then not healthy.
const MISSING: [&str; 2] = ["job_files", "notifiers"];

/// The verdict: `{"healthy", "level", "issues", "warnings", "checks"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthReport {
    /// Whether nothing is critical, and nothing that was set up is missing.
    pub healthy: bool,
    /// The worst level of all checks.
    pub level: Level,
    /// The messages of what is critical.
    pub issues: Vec<String>,
    /// The messages of what is worth a look.
    pub warnings: Vec<String>,
    /// Every check with its verdict.
    pub checks: Vec<Finding>,
    /// The figures as Nagios reads them.
    #[serde(skip)]
    figures: String,
}

/// Judges every check and sums it up.
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
    /// The verdict as one line. Only a cache without any warning is called healthy.
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
        // A bar begins the figures and a line break a longer text: neither may come from a message.
        let text: String = one_line(&text).replace('|', " ");
        let line = format!("CACHE {word} - {text}");
        (code, if self.figures.is_empty() { line } else { format!("{line} | {}", self.figures) })
    }

    fn figure_of(&self, key: &str) -> String {
        let finding = self.checks.iter().find(|finding| finding.key == key);
        finding.map_or_else(String::new, |finding| format!("{} {}", key.replace('_', " "), finding.message))
    }
}

/// `label=value[unit];warn;critical;min;max`: `70:` alarms below 70, `5` above 5; a figure that is not known is `U`.
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
