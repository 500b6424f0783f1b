//! Rows in columns, for people.
//!
//! Neighbours: `render.rs` for listings, `page.rs` for reports. Promise: on a terminal no line is wider than it; elsewhere
//! nothing is wrapped or cut, so that `grep` and `awk` see whole values.

use super::escape::visible;
use comfy_table::{ContentArrangement, Table};

/// The table as lines, without trailing blanks. `width` is that of the terminal, if it is one.
pub(super) fn lines(header: &[&str], rows: &[Vec<String>], width: Option<u16>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.iter().map(|name| visible(name).into_owned()));
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell).into_owned()));
    }
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(20)),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        vec![
            vec![
                "alice".into(),
                "Alice \u{1b}[31mLiddell".into(),
                "9067642ac7-1f0f4a3e-0000-4000-8000-000000000001".into(),
            ],
            vec!["bob".into(), "李".into(), "2".into()],
        ]
    }

    #[test]
    fn off_a_terminal_nothing_is_wrapped_or_cut() {
        let lines = lines(&["UserName", "DisplayName", "UserId"], &rows(), None);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("UserName") && lines[1].starts_with("alice "), "{lines:?}");
        assert!(lines[1].contains("\\u{1b}[31mLiddell") && lines[1].ends_with("000000000001"), "{lines:?}");
        assert!(lines.iter().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn on_a_terminal_no_line_is_wider_than_it() {
        let lines = lines(&["UserName", "DisplayName", "UserId"], &rows(), Some(40));
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        assert!(lines.len() > 3);
    }
}
