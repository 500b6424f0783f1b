//! Renders a message as HTML, for mail programs that prefer it.
//!
//! Guarantee: all foreign text is escaped, and the page loads nothing and links nowhere. It has the content of the
//! text, in light and dark mode and on small screens.

use crate::alerts::message;
use crate::alerts::message::AlertMessage;
use crate::model::one_line;
use std::fmt::Write as _;

const STYLE: &str = "<style>:root{color-scheme:light dark}</style>";
const BODY: &str = "margin:0;padding:16px;font:15px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif;max-width:44em";
const CODE: &str = "font:14px/1.4 ui-monospace,Menlo,Consolas,monospace;padding:2px 6px;border:1px solid #8888;\
                    border-radius:4px";
const GRAVE: &str = "margin:0 0 12px;padding:8px 12px;border-left:4px solid #c62828";
const PLAIN: &str = "margin:0 0 12px;padding:8px 12px;border-left:4px solid #888";

/// The page.
pub(super) fn html(subject: &str, content: &AlertMessage<'_>) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title>{STYLE}</head>\n\
         <body style=\"{BODY}\">\n<h1 style=\"font-size:18px;margin:0 0 12px\">{0}</h1>\n",
        escaped(subject)
    );
    if message::is_well(content) {
        page.push_str("<p>All is well.</p>\n");
    }
    for section in message::sections(content) {
        let style = if section.is_grave { GRAVE } else { PLAIN };
        let title = escaped(section.title.trim_end_matches(':'));
        let _ = writeln!(page, "<h2 style=\"font-size:15px;margin:16px 0 6px\">{title}</h2>");
        let item = |item: &Vec<String>| item.iter().map(|words| marked(words)).collect::<Vec<_>>().join("<br>\n");
        // Single-line items form one list; other items are separate boxes.
        let boxes = if section.items.iter().all(|item| item.len() == 1) {
            vec![section.items.iter().map(item).collect::<Vec<_>>().join("<br>\n")]
        } else {
            section.items.iter().map(item).collect()
        };
        for words in boxes {
            let _ = writeln!(page, "<div style=\"{style}\">{words}</div>");
        }
    }
    if let Some(note) = content.run.note {
        let lines: Vec<String> = note.lines().map(|words| escaped(&one_line(words))).collect();
        let _ = writeln!(page, "<p>{}</p>", lines.join("<br>\n"));
    }
    let rows = message::footer(content);
    let rows: Vec<String> = rows.iter().map(|(name, words)| format!("{name}: {}", escaped(words))).collect();
    let _ = writeln!(page, "<p style=\"font-size:13px;opacity:.8\">{}</p>\n</body></html>", rows.join("<br>\n"));
    page
}

/// A line, with its command marked.
fn marked(words: &str) -> String {
    match words.strip_prefix("next: ") {
        Some(command) => format!("next: <code style=\"{CODE}\">{}</code>", escaped(command)),
        None => escaped(words),
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
