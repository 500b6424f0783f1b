//! Rows in columns, for people.
//!
//! On a terminal no line is wider than it; elsewhere nothing is wrapped or cut, so that `grep` and `awk` see whole
//! values.

use super::escape::visible;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

/// Blanks between columns.
const GAP: u16 = 2;

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
    let last = header.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { GAP }));
    }
    let words: Vec<u16> = (0..header.len()).map(|index| longest_word(header[index], rows, index)).collect();
    let needed = words.iter().fold(0, |sum: u16, word| sum.saturating_add(*word).saturating_add(GAP));
    let needed = needed.saturating_sub(GAP);
    if width.is_some_and(|width| needed <= width) {
        for (column, word) in table.column_iter_mut().zip(words) {
            let width = word.saturating_add(column.padding_width());
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The width of the longest word of a column; a wide character may count as one too few, which only lets it break.
fn longest_word(header: &str, rows: &[Vec<String>], index: usize) -> u16 {
    let cells = rows.iter().filter_map(|row| row.get(index)).map(String::as_str);
    let words = cells.chain([header]).flat_map(str::split_whitespace);
    words.map(|word| visible(word).chars().count()).max().map_or(0, |n| u16::try_from(n).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_torn_where_all_words_fit() {
        let rows = [vec!["enforce-limits".into(), "17 * * * * Etc/UTC".into(), "failed, just now".into()]];
        let lines = lines(&["JOB", "SCHEDULE", "LAST RUN"], &rows, Some(35));
        let text = lines.join("\n");
        assert!(lines.iter().all(|line| line.len() <= 35), "{text}");
        for word in ["enforce-limits", "Etc/UTC", "failed,", "SCHEDULE"] {
            assert!(text.contains(word), "{text}");
        }
    }

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
