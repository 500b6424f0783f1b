//! The content of a message: subject, sections and text. HTML and JSON are derived from them.
//!
//! Guarantee: the subject starts with a fixed text, names its alerts and is bounded. Foreign text cannot start a
//! header or a line.

use crate::alerts::alert::{AlertTransition, Decision, JobPass, Suppression};
use crate::clock::{self, UnixMillis};
use crate::health::{Finding, Level};
use crate::model::{format_duration, one_line};
use std::fmt::Write as _;

/// The start of every subject, for mail filters.
pub(super) const SUBJECT: &str = "awsideman Cache Health Alert";

/// One section of a message.
pub(super) struct MessageSection {
    pub(super) title: &'static str,
    /// Whether a user must act.
    pub(super) is_grave: bool,
    /// The lines of each item. A line that starts with `next: ` contains the command.
    pub(super) items: Vec<Vec<String>>,
}

/// The input of a message.
pub(super) struct AlertMessage<'a> {
    pub(super) decision: &'a Decision,
    pub(super) run: &'a JobPass<'a>,
    pub(super) now: UnixMillis,
}

/// The most keys in a subject; the rest is counted.
const NAMED: usize = 4;
/// The longest key in a subject, in characters.
const KEY_LENGTH: usize = 40;

/// `awsideman Cache Health Alert: [FIRING:2] job:warm, hit_rate (host)`. The subject alone distinguishes messages, as
/// in a list on a phone.
pub(super) fn subject(content: &AlertMessage<'_>) -> String {
    let Decision { fired, reminded, over, ongoing, suppressed, .. } = content.decision;
    let keys = |changes: &[AlertTransition]| changes.iter().map(|change| change.key.clone()).collect::<Vec<_>>();
    let firing = [keys(fired), keys(reminded)].concat();
    let parts: Vec<String> = match (firing.is_empty(), over.is_empty()) {
        (false, true) => vec![group("FIRING", &firing)],
        (false, false) => vec![group("FIRING", &firing), group("RESOLVED", &keys(over))],
        (true, false) if ongoing.is_empty() => vec![group("RESOLVED", &keys(over))],
        (true, false) => vec![group("RESOLVED", &keys(over)), group("FIRING", &keys(ongoing))],
        (true, true) if !ongoing.is_empty() => vec![format!("{}, unchanged", group("FIRING", &keys(ongoing)))],
        (true, true) if !suppressed.is_empty() => {
            let suppressed: Vec<String> = suppressed.iter().map(|(change, _)| change.key.clone()).collect();
            vec![group("SUPPRESSED", &suppressed)]
        }
        (true, true) => {
            let warned: Vec<String> = warnings(content.run.findings).map(|finding| finding.key.clone()).collect();
            vec![if warned.is_empty() { "[OK]".to_owned() } else { group("WARNING", &warned) }]
        }
    };
    title(&parts.join("; "), content.run.host)
}

/// The subject with this state, for this host.
pub(super) fn title(state: &str, host: &str) -> String {
    one_line(&format!("{SUBJECT}: {state} ({host})"))
}

/// `[FIRING:2] job:warm, hit_rate`
fn group(state: &str, keys: &[String]) -> String {
    let short = |key: &String| match key.char_indices().nth(KEY_LENGTH) {
        Some((end, _)) => format!("{}...", &key[..end]),
        None => key.clone(),
    };
    let mut named: Vec<String> = keys.iter().take(NAMED).map(short).collect();
    if keys.len() > NAMED {
        named.push(format!("{} more", keys.len() - NAMED));
    }
    format!("[{state}:{}] {}", keys.len(), named.join(", "))
}

/// The sections of a message, in order, without empty ones.
pub(super) fn sections(content: &AlertMessage<'_>) -> Vec<MessageSection> {
    let AlertMessage { decision, run, .. } = content;
    let section = |title, is_grave, items: Vec<Vec<String>>| MessageSection { title, is_grave, items };
    let each = |changes: &[AlertTransition]| changes.iter().map(told).collect();
    let over =
        |change: &AlertTransition| vec![format!("{}, lasted {}", change.message, format_duration(change.lasted))];
    let held = |(change, mute): &(AlertTransition, Suppression)| vec![change.message.clone(), why(mute)];
    let warning = |finding: &Finding| vec![finding.message.clone(), next(&finding.hint)];
    let check = |f: &Finding| vec![format!("{} {}: {}", f.level.as_str(), f.key, f.message)];
    let mut all = vec![
        section("Firing:", true, each(&decision.fired)),
        section("Still firing:", true, each(&decision.reminded)),
        section("Resolved:", false, decision.over.iter().map(over).collect()),
        section("Still firing (already notified):", false, each(&decision.ongoing)),
        section("Suppressed:", false, decision.suppressed.iter().map(held).collect()),
        section("Warnings:", false, warnings(run.findings).map(warning).collect()),
        section("Checks of this run:", false, run.findings.iter().map(check).collect()),
    ];
    for section in &mut all {
        for item in &mut section.items {
            item.retain(|words| !words.is_empty());
            for words in item {
                *words = one_line(words);
            }
        }
    }
    all.retain(|section| !section.items.is_empty());
    all
}

/// Whether nothing fires and nothing is resolved.
pub(super) fn is_well(content: &AlertMessage<'_>) -> bool {
    sections(content).iter().all(|section| section.title.starts_with("Checks"))
}

/// The last lines of a message.
pub(super) fn footer(content: &AlertMessage<'_>) -> Vec<(&'static str, String)> {
    let run = content.run;
    let mut lines = vec![
        ("Host", one_line(run.host)),
        ("Cache", one_line(&run.cache_dir.display().to_string())),
        ("Time", clock::local(content.now)),
        ("More", one_line(run.more)),
    ];
    if let Some(disabled) = run.disabled {
        lines.insert(2, ("Disabled", one_line(disabled)));
    }
    lines
}

/// The text: alerts with start, figures and next command.
pub(super) fn text(content: &AlertMessage<'_>) -> String {
    let mut text = String::new();
    if is_well(content) {
        text.push_str("All is well.\n\n");
    }
    for section in sections(content) {
        text.push_str(section.title);
        text.push('\n');
        for item in &section.items {
            for (n, words) in item.iter().enumerate() {
                text.push_str(if n == 0 { "- " } else { "  " });
                text.push_str(words);
                text.push('\n');
            }
        }
        text.push('\n');
    }
    if let Some(note) = content.run.note {
        for words in note.lines() {
            text.push_str(&one_line(words));
            text.push('\n');
        }
        text.push('\n');
    }
    for (name, words) in footer(content) {
        let _ = writeln!(text, "{name}: {words}");
    }
    text
}

/// The reason for a suppression, in one sentence.
pub(super) fn why(mute: &Suppression) -> String {
    match mute {
        Suppression::Silenced(silence) => {
            format!("silenced until {} by {}: {}", clock::local(silence.until), silence.author, silence.reason)
        }
        Suppression::Inhibited(by) => format!("inhibited by {by}"),
    }
}

fn warnings(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.level == Level::Warn)
}

fn told(change: &AlertTransition) -> Vec<String> {
    let since = format!("since {} ({})", clock::local(change.since), format_duration(change.lasted));
    vec![change.message.clone(), since, next(&change.hint)]
}

fn next(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("next: {hint}") }
}
