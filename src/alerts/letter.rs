//! The words of a mail: subject and body.
//!
//! Neighbours: `book.rs` decides what is told, `email.rs` makes headers of it. Promise: the subject always begins with
//! the same words and holds nothing from outside; nothing that is put into the body can begin a line of its own.

use super::book::{Change, Decision, Run};
use crate::clock::{self, UnixMillis};
use crate::health::{Finding, Level};
use crate::model::format_duration;

/// What every subject begins with, for the filters of those who are woken by it.
pub(super) const SUBJECT: &str = "awsideman Cache Health Alert";

/// Everything a mail is written from.
pub(super) struct Letter<'a> {
    pub(super) decision: &'a Decision,
    pub(super) run: &'a Run<'a>,
    pub(super) now: UnixMillis,
}

/// The subject: bare when something begins or is told again, otherwise with what it is about.
pub(super) fn subject(letter: &Letter<'_>) -> String {
    let Decision { began, reminded, over, lasting, .. } = letter.decision;
    let ending = match (began.is_empty() && reminded.is_empty(), over.is_empty(), lasting.is_empty()) {
        (false, ..) => "",
        (true, false, true) => " (resolved)",
        (true, false, false) => " (partly resolved)",
        (true, true, false) => " (unchanged)",
        (true, true, true) if warnings(letter.run.findings).next().is_some() => " (warnings)",
        (true, true, true) => " (all well)",
    };
    format!("{SUBJECT}{ending}")
}

/// The body: what, since when, the figures, the next command.
pub(super) fn body(letter: &Letter<'_>) -> String {
    let Letter { decision, run, now } = letter;
    let mut text = String::new();
    section(&mut text, "Began:", &decision.began, told);
    section(&mut text, "Still so:", &decision.reminded, told);
    section(&mut text, "Over:", &decision.over, |change| {
        vec![format!("{}, lasted {}", change.message, format_duration(change.lasted))]
    });
    section(&mut text, "Goes on, told before:", &decision.lasting, told);
    let warnings: Vec<&Finding> = warnings(run.findings).collect();
    section(&mut text, "Worth a look:", &warnings, |finding| vec![finding.message.clone(), next(&finding.hint)]);
    if text.is_empty() {
        text.push_str("All is well.\n\n");
    }
    section(&mut text, "Checks of this run:", run.findings, |finding| {
        vec![format!("{} {}: {}", finding.level.as_str(), finding.key, finding.message)]
    });
    if let Some(note) = run.note {
        for words in note.lines() {
            text.push_str(&line(words));
            text.push('\n');
        }
        text.push('\n');
    }
    let directory = run.cache_dir.display().to_string();
    let (host, directory, time) = (line(run.host), line(&directory), clock::local(*now));
    format!("{text}Host: {host}\nCache: {directory}\nTime: {time}\nMore: awsideman cache health\n")
}

/// Text from elsewhere as part of one line: what could end the line or steer a terminal becomes a blank.
pub(super) fn line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect()
}

fn warnings(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.level == Level::Warn)
}

fn told(change: &Change) -> Vec<String> {
    let since = format!("since {} ({})", clock::local(change.since), format_duration(change.lasted));
    vec![change.message.clone(), since, next(&change.hint)]
}

fn next(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("next: {hint}") }
}

fn section<T>(text: &mut String, title: &str, items: &[T], lines: impl Fn(&T) -> Vec<String>) {
    if items.is_empty() {
        return;
    }
    text.push_str(title);
    text.push('\n');
    for item in items {
        for (n, words) in lines(item).iter().filter(|words| !words.is_empty()).enumerate() {
            text.push_str(if n == 0 { "- " } else { "  " });
            text.push_str(&line(words));
            text.push('\n');
        }
    }
    text.push('\n');
}
