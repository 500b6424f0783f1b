//! One object for people: a field a line, what is inside indented.
//!
//! Every field of the object is there, in its order, and every text is safe for a terminal.

use crate::cli::output::escape::visible;
use serde_json::Value;

/// The lines of a value.
pub(super) fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    match value {
        Value::Object(_) | Value::Array(_) => nested(value, 0, &mut lines),
        plain => lines.push(scalar(plain)),
    }
    lines
}

/// Labels and values in two columns.
pub(super) fn fields(fields: &[(String, String)], indent: usize) -> Vec<String> {
    let width = fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 1;
    let line = |(label, value): &(String, String)| {
        let label = format!("{}:", visible(label));
        format!("{:indent$}{label:<width$} {}", "", visible(value)).trim_end().to_owned()
    };
    fields.iter().map(line).collect()
}

fn nested(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let margin = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if is_branch(value) {
                    lines.push(format!("{margin}{}:", visible(name)));
                    nested(value, depth + 1, lines);
                } else {
                    lines.push(format!("{margin}{}: {}", visible(name), scalar(value)).trim_end().to_owned());
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let from = lines.len();
                if is_branch(item) {
                    nested(item, depth + 1, lines);
                } else {
                    lines.push(format!("{margin}  {}", scalar(item)));
                }
                // The dash takes the place of the item's own margin.
                if let Some(first) = lines.get_mut(from) {
                    first.replace_range(margin.len()..margin.len() + 2, "- ");
                }
            }
        }
        plain => lines.push(format!("{margin}{}", scalar(plain))),
    }
}

fn is_branch(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => visible(text).into_owned(),
        Value::Array(_) | Value::Object(_) => "none".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_values_are_indented_and_lists_have_dashes() {
        let user = json!({
            "UserName": "al\u{7}",
            "Name": {"GivenName": "Al"},
            "Emails": [{"Value": "a@b", "Primary": true}, {"Value": "c@d"}],
            "Tags": ["x", "y"],
            "Groups": [],
        });
        let expected = "UserName: al\\u{7}\nName:\n  GivenName: Al\nEmails:\n  - Value: a@b\n    Primary: true\n  \
                        - Value: c@d\nTags:\n  - x\n  - y\nGroups: none";
        assert_eq!(lines(&user).join("\n"), expected);
        assert_eq!(lines(&json!("x")), ["x"]);
    }

    #[test]
    fn plain_fields_line_up() {
        let pairs = [("Backend".to_owned(), "disk".to_owned()), ("Hit rate".to_owned(), "98 %".to_owned())];
        assert_eq!(fields(&pairs, 2), ["  Backend:  disk", "  Hit rate: 98 %"]);
    }
}
