//! The JSON payload of a message, for webhooks and commands.
//!
//! `schema_version` 1 only gains members. `text` is for chats (Slack and compatible): foreign text in it can neither
//! mention users nor start a format. The other members are for programs. Times are RFC 3339 in UTC, durations are
//! whole seconds.

use crate::alerts::alert::{AlertTransition, Suppression};
use crate::alerts::message::AlertMessage;
use crate::alerts::message::why;
use crate::clock::{self, UnixMillis};
use serde_json::{Value, json};

/// The payload. The outbox adds the Message-ID.
pub(super) fn json(subject: &str, text: &str, content: &AlertMessage<'_>) -> String {
    let AlertMessage { decision, run, now } = content;
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
        (&decision.fired, "firing", true),
        (&decision.reminded, "firing", true),
        (&decision.over, "resolved", true),
        (&decision.ongoing, "firing", false),
    ];
    for (changes, state, is_news) in told {
        alerts.extend(changes.iter().map(|change| with(bare(change, state), "news", json!(is_news))));
    }
    for (change, mute) in &decision.suppressed {
        let state = match mute {
            Suppression::Silenced(_) => "silenced",
            Suppression::Inhibited(_) => "inhibited",
        };
        alerts.push(with(with(bare(change, state), "news", json!(false)), "why", json!(why(mute))));
    }
    json!({
        "schema_version": 1,
        "text": chat(subject, text),
        "subject": subject,
        "state": state(content),
        "host": run.host,
        "cache": run.cache_dir.display().to_string(),
        "disabled": run.disabled,
        "at": clock::utc(*now),
        "alerts": alerts,
        "checks": run.findings,
    })
    .to_string()
}

/// The payload of a test message.
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

/// The text for a chat, as a code block that resolves no `@channel`, and with Slack's markup characters escaped, so
/// that no name becomes a link or `<!channel>`.
pub(super) fn chat(subject: &str, text: &str) -> String {
    let plain = text.trim_end().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'");
    format!("{subject}\n```\n{plain}\n```")
}

/// `firing` if an alert fires that is not suppressed, `resolved` if the last one is resolved, `ok` otherwise.
fn state(content: &AlertMessage<'_>) -> &'static str {
    let decision = content.decision;
    match (decision.fired.len() + decision.reminded.len() + decision.ongoing.len(), decision.over.len()) {
        (1.., _) => "firing",
        (0, 1..) => "resolved",
        (0, 0) => "ok",
    }
}

fn with(mut value: Value, key: &str, what: Value) -> Value {
    value[key] = what;
    value
}
