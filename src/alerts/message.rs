//! The words of a message: subject and text. The same as HTML and as a document follow from them.
//!
//! The subject always begins with the same words, names its alerts, and is bounded; nothing from outside can begin
//! a header or a line of its own.

use crate::alerts::alert::{AlertTransition, Decision, JobPass, Mute};
use crate::clock::{self, UnixMillis};
use crate::health::{Finding, Level};
use crate::model::{format_duration, one_line};
use std::fmt::Write as _;

/// What every subject begins with, for mail filters.
pub(super) const SUBJECT: &str = "awsideman Cache Health Alert";

/// One part of a message.
pub(super) struct MessageSection {
    pub(super) title: &'static str,
    /// Whether somebody must act.
    pub(super) is_grave: bool,
    /// Each item's lines; the first says what, a line that begins with `next: ` has the command.
    pub(super) items: Vec<Vec<String>>,
}

/// Everything that a message is written from.
pub(super) struct AlertMessage<'a> {
    pub(super) decision: &'a Decision,
    pub(super) run: &'a JobPass<'a>,
    pub(super) now: UnixMillis,
}

/// The keys that a subject names before it only counts the rest.
const NAMED: usize = 4;
/// The longest key in a subject, in characters.
const KEY_LENGTH: usize = 40;

/// `awsideman Cache Health Alert: [FIRING:2] job:warm, hit_rate (host)`: what the message is about, so that a list of
/// subjects on a phone is enough to distinguish messages.
pub(super) fn subject(letter: &AlertMessage<'_>) -> String {
    let Decision { began, reminded, over, lasting, muted, .. } = letter.decision;
    let keys = |changes: &[AlertTransition]| changes.iter().map(|change| change.key.clone()).collect::<Vec<_>>();
    let firing = [keys(began), keys(reminded)].concat();
    let parts: Vec<String> = match (firing.is_empty(), over.is_empty()) {
        (false, true) => vec![group("FIRING", &firing)],
        (false, false) => vec![group("FIRING", &firing), group("RESOLVED", &keys(over))],
        (true, false) if lasting.is_empty() => vec![group("RESOLVED", &keys(over))],
        (true, false) => vec![group("RESOLVED", &keys(over)), group("FIRING", &keys(lasting))],
        (true, true) if !lasting.is_empty() => vec![format!("{}, unchanged", group("FIRING", &keys(lasting)))],
        (true, true) if !muted.is_empty() => {
            let suppressed: Vec<String> = muted.iter().map(|(change, _)| change.key.clone()).collect();
            vec![group("SUPPRESSED", &suppressed)]
        }
        (true, true) => {
            let warned: Vec<String> = warnings(letter.run.findings).map(|finding| finding.key.clone()).collect();
            vec![if warned.is_empty() { "[OK]".to_owned() } else { group("WARNING", &warned) }]
        }
    };
    title(&parts.join("; "), letter.run.host)
}

/// A subject with this state, for this host.
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

/// The parts of a message, in order; those that are empty are left out.
pub(super) fn sections(letter: &AlertMessage<'_>) -> Vec<MessageSection> {
    let AlertMessage { decision, run, .. } = letter;
    let section = |title, is_grave, items: Vec<Vec<String>>| MessageSection { title, is_grave, items };
    let each = |changes: &[AlertTransition]| changes.iter().map(told).collect();
    let over =
        |change: &AlertTransition| vec![format!("{}, lasted {}", change.message, format_duration(change.lasted))];
    let held = |(change, mute): &(AlertTransition, Mute)| vec![change.message.clone(), why(mute)];
    let warning = |finding: &Finding| vec![finding.message.clone(), next(&finding.hint)];
    let check = |f: &Finding| vec![format!("{} {}: {}", f.level.as_str(), f.key, f.message)];
    let mut all = vec![
        section("Firing:", true, each(&decision.began)),
        section("Still firing:", true, each(&decision.reminded)),
        section("Resolved:", false, decision.over.iter().map(over).collect()),
        section("Still firing (already notified):", false, each(&decision.lasting)),
        section("Suppressed:", false, decision.muted.iter().map(held).collect()),
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

/// Whether nothing is wrong, and nothing was.
pub(super) fn is_well(letter: &AlertMessage<'_>) -> bool {
    sections(letter).iter().all(|section| section.title.starts_with("Checks"))
}

/// What stands at the end of a message.
pub(super) fn footer(letter: &AlertMessage<'_>) -> Vec<(&'static str, String)> {
    let run = letter.run;
    let mut lines = vec![
        ("Host", one_line(run.host)),
        ("Cache", one_line(&run.cache_dir.display().to_string())),
        ("Time", clock::local(letter.now)),
        ("More", one_line(run.more)),
    ];
    if let Some(disabled) = run.disabled {
        lines.insert(2, ("Disabled", one_line(disabled)));
    }
    lines
}

/// The text: what, since when, the figures, the next command.
pub(super) fn text(letter: &AlertMessage<'_>) -> String {
    let mut text = String::new();
    if is_well(letter) {
        text.push_str("All is well.\n\n");
    }
    for section in sections(letter) {
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
    if let Some(note) = letter.run.note {
        for words in note.lines() {
            text.push_str(&one_line(words));
            text.push('\n');
        }
        text.push('\n');
    }
    for (name, words) in footer(letter) {
        let _ = writeln!(text, "{name}: {words}");
    }
    text
}

/// Why something is held back, as a sentence.
pub(super) fn why(mute: &Mute) -> String {
    match mute {
        Mute::Silenced(silence) => {
            format!("silenced until {} by {}: {}", clock::local(silence.until), silence.author, silence.reason)
        }
        Mute::Inhibited(by) => format!("comes with {by}"),
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
