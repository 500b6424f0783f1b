//! Text from elsewhere, shown to people: what cannot be seen, or would move what can, is made visible.
//!
//! One list of characters for all of them; what is left alone is what a script of the world needs (joiners,
//! variation selectors, combining marks).

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character ends a line, steers a terminal, turns the order of letters, or is there without being seen. The
/// joiners U+200C and U+200D are none of these: Persian, Hindi and many an emoji are not written without them.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with such characters in a form that is seen (`\u{1b}`, `\n`).
pub fn visible(text: &str) -> Cow<'_, str> {
    visible_but(text, |_| false)
}

/// The same for text of several lines: line ends stay.
pub fn visible_lines(text: &str) -> String {
    visible_but(text, |c| c == '\n').into_owned()
}

/// The text as part of one line, where an escape would be in the way: such characters become blanks.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect()
}

/// A text, or its first `limit` bytes and the number of bytes that are missing.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(limit);
    Cow::Owned(format!("{} ... ({} more bytes)", &text[..end], text.len() - end))
}

/// The start of a text that another party wrote, as part of one line: blanks are joined, such characters get a form that
/// is seen, and what exceeds `limit` bytes is cut off, with the number of bytes that are missing.
pub fn excerpt(text: &str, limit: usize) -> String {
    let mut short = String::new();
    let mut is_blank = false;
    for (at, c) in text.trim().char_indices() {
        if c.is_whitespace() {
            is_blank = true;
            continue;
        }
        let mut part = String::from(if is_blank { " " } else { "" });
        if is_unseen(c) {
            let _ = write!(part, "{}", c.escape_default());
        } else {
            part.push(c);
        }
        if short.len() + part.len() > limit {
            let _ = write!(short, " ... ({} more bytes)", text.trim().len() - at);
            break;
        }
        short.push_str(&part);
        is_blank = false;
    }
    short
}

fn visible_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let changes = |c: char| is_unseen(c) && !stays(c);
    if !text.chars().any(changes) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if changes(c) {
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reordering_become_visible() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("x\u{202e}y\nz\t"), "x\\u{202e}y\\nz\\t");
        assert_eq!(visible("\u{9b}"), "\\u{9b}");
        assert_eq!(visible("Zoë 李 👩‍👧 می‌خواهم"), "Zoë 李 👩‍👧 می‌خواهم");
        assert_eq!(visible_lines("a\nb\u{7}"), "a\nb\\u{7}");
        assert_eq!(one_line("a\r\nBcc: b\u{2066}\u{200b}c"), "a  Bcc: b  c");
    }

    #[test]
    fn an_excerpt_is_one_line_of_bounded_length_and_names_what_is_missing() {
        assert_eq!(excerpt("  as AWS\n says\u{1b}[31m ", 100), "as AWS says\\u{1b}[31m");
        assert_eq!(excerpt(&"é".repeat(100), 9), "éééé ... (192 more bytes)");
        assert_eq!(excerpt("abc", 3), "abc");
        assert!(excerpt(&"\u{1b}".repeat(10_000), 4096).len() < 4096 + 30);
    }

    #[test]
    fn names_that_look_alike_are_shown_differently() {
        for unseen in ["\u{ad}", "\u{200b}", "\u{2060}", "\u{3164}", "\u{feff}", "\u{e0041}", "\u{206e}", "\u{34f}"] {
            let name = format!("ad{unseen}min");
            assert_eq!(visible(&name), format!("ad{}min", unseen.escape_default()));
        }
    }
}
