//! A message as one JSON document: what a webhook and a command are given.
//!
//! `schema_version` 1 only grows; `text` alone is enough for a chat (Slack and its kin show it; nothing from
//! outside can call people or begin a format there), the rest is for programs; times are RFC 3339 in UTC, durations
//! whole seconds.

use crate::alerts::alert::{AlertTransition, Mute};
use crate::alerts::message::AlertMessage;
use crate::alerts::message::why;
use crate::clock::{self, UnixMillis};
use serde_json::{Value, json};

/// The document, without the Message-ID that it gets with its place in the outbox.
pub(super) fn json(subject: &str, text: &str, letter: &AlertMessage<'_>) -> String {
    let AlertMessage { decision, run, now } = letter;
    let bare = |change: &AlertTransition, state: &str| {
        json!({
            "key": change.key,
            "state": state,
            "message": change.message,
            "next": Some(&change.hint).filter(|hint| !hint.is_empty()),
            "since": clock::utc(change.since),
            "lasted_seconds": change.lasted.as_secs(),
        })
    };
    let mut alerts: Vec<Value> = Vec::new();
    let told = [
        (&decision.began, "firing", true),
        (&decision.reminded, "firing", true),
        (&decision.over, "resolved", true),
        (&decision.lasting, "firing", false),
    ];
    for (changes, state, is_news) in told {
        alerts.extend(changes.iter().map(|change| with(bare(change, state), "news", json!(is_news))));
    }
    for (change, mute) in &decision.muted {
        let state = match mute {
            Mute::Silenced(_) => "silenced",
            Mute::Inhibited(_) => "inhibited",
        };
        alerts.push(with(with(bare(change, state), "news", json!(false)), "why", json!(why(mute))));
    }
    json!({
        "schema_version": 1,
        "text": chat(subject, text),
        "subject": subject,
        "state": state(letter),
        "host": run.host,
        "cache": run.cache_dir.display().to_string(),
        "disabled": run.disabled,
        "at": clock::utc(*now),
        "alerts": alerts,
        "checks": run.findings,
    })
    .to_string()
}

/// The document of a message that says it is a test.
pub(super) fn test(subject: &str, text: &str, host: &str, now: UnixMillis) -> String {
    json!({
        "schema_version": 1,
        "text": chat(subject, text),
        "subject": subject,
        "state": "test",
        "host": host,
        "at": clock::utc(now),
        "alerts": [],
        "checks": [],
    })
    .to_string()
}

/// The text for a chat: in a block, where nothing calls `@channel`, and with what Slack reads as markup written out, so that
/// no name is a link or `<!channel>`.
pub(super) fn chat(subject: &str, text: &str) -> String {
    let plain = text.trim_end().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'");
    format!("{subject}\n```\n{plain}\n```")
}

/// `firing` while anything fires that is told of, `resolved` when the last is over, `ok` when nothing was.
fn state(letter: &AlertMessage<'_>) -> &'static str {
    let decision = letter.decision;
    match (decision.began.len() + decision.reminded.len() + decision.lasting.len(), decision.over.len()) {
        (1.., _) => "firing",
        (0, 1..) => "resolved",
        (0, 0) => "ok",
    }
}

fn with(mut value: Value, key: &str, what: Value) -> Value {
    value[key] = what;
    value
}
