//! A report for people: sections of fields, tables and lines.
//!
//! Its text is safe for a terminal.

use crate::cli::output::details;
use crate::cli::output::escape::visible;
use crate::cli::output::escape::visible_lines;
use crate::cli::output::stderr::Style;
use crate::cli::output::table;
use crate::model::Invocation;

/// A report for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextReport {
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Title(String),
    Field(String, String),
    Table(Vec<String>, Vec<Vec<String>>),
    Line(String),
    Marked(Style, String, String),
}

impl TextReport {
    /// An empty page.
    pub fn new() -> TextReport {
        TextReport::default()
    }

    /// Begins a section; its fields and tables are indented.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> TextReport {
        self.blocks.push(Block::Title(title.into()));
        self
    }

    /// A label and a value; adjacent fields line up.
    #[must_use]
    pub fn field(mut self, label: impl Into<String>, value: impl Into<String>) -> TextReport {
        self.blocks.push(Block::Field(label.into(), value.into()));
        self
    }

    /// Rows in columns; nothing when there are no rows.
    #[must_use]
    pub fn table(mut self, header: &[&str], rows: Vec<Vec<String>>) -> TextReport {
        if !rows.is_empty() {
            self.blocks.push(Block::Table(header.iter().map(|&name| name.to_owned()).collect(), rows));
        }
        self
    }

    /// A line of text, or several.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> TextReport {
        self.blocks.push(Block::Line(line.into()));
        self
    }

    /// A line that begins with a word in a color, as in `critical  Low cache hit rate: 42.0%`.
    #[must_use]
    pub fn marked(mut self, style: Style, mark: impl Into<String>, line: impl Into<String>) -> TextReport {
        self.blocks.push(Block::Marked(style, mark.into(), line.into()));
        self
    }

    /// The same page with the flags of the call in the commands that it suggests.
    pub(super) fn copyable(&self, call: &Invocation) -> TextReport {
        let copyable = |text: &String| call.copyable(text).into_owned();
        let block = |block: &Block| match block {
            Block::Field(label, value) => Block::Field(label.clone(), copyable(value)),
            Block::Table(header, rows) => {
                Block::Table(header.clone(), rows.iter().map(|row| row.iter().map(copyable).collect()).collect())
            }
            Block::Line(line) => Block::Line(copyable(line)),
            Block::Marked(style, mark, line) => Block::Marked(*style, mark.clone(), copyable(line)),
            Block::Title(title) => Block::Title(title.clone()),
        };
        TextReport { blocks: self.blocks.iter().map(block).collect() }
    }

    /// The page as text, for a terminal of this width or for none, with colors or without.
    pub fn text(&self, width: Option<u16>, color: bool) -> String {
        let paint = |style: Style, text: &str| if color { style.apply(text) } else { text.to_owned() };
        let (mut lines, mut indent, mut blocks) = (Vec::<String>::new(), 0, self.blocks.iter().peekable());
        while let Some(block) = blocks.next() {
            match block {
                Block::Title(title) => {
                    if !lines.is_empty() {
                        lines.push(String::new());
                    }
                    lines.push(paint(Style::Bold, &visible(title)));
                    indent = 2;
                }
                Block::Field(label, value) => {
                    let mut fields = vec![(label.clone(), value.clone())];
                    while let Some(Block::Field(label, value)) = blocks.peek() {
                        fields.push((label.clone(), value.clone()));
                        blocks.next();
                    }
                    lines.extend(details::fields(&fields, indent));
                }
                Block::Table(header, rows) => {
                    let header: Vec<&str> = header.iter().map(String::as_str).collect();
                    let room = width.map(|width| width.saturating_sub(u16::from(indent > 0) * 2));
                    let table = table::lines(&header, rows, room);
                    lines.extend(table.into_iter().map(|line| format!("{:indent$}{line}", "").trim_end().to_owned()));
                }
                Block::Line(line) => lines.push(visible_lines(line)),
                Block::Marked(style, mark, line) => {
                    let mark = paint(*style, &format!("{:<8}", visible(mark)));
                    lines.push(format!("{:indent$}{mark}  {}", "", visible(line)).trim_end().to_owned());
                }
            }
        }
        lines.into_iter().fold(String::new(), |text, line| text + &line + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_set_apart_and_fields_line_up() {
        let page = TextReport::new()
            .title("Cache")
            .field("Backend", "disk")
            .field("Hit rate", "98.0 %\u{1b}")
            .title("Resources")
            .table(&["Resource", "Entries"], vec![vec!["user".into(), "3".into()]])
            .table(&["Nothing"], Vec::new())
            .line("Done");
        let expected = "Cache\n  Backend:  disk\n  Hit rate: 98.0 %\\u{1b}\n\nResources\n  Resource  Entries\n  \
                        user      3\nDone\n";
        assert_eq!(page.text(None, false), expected);
    }

    #[test]
    fn marks_are_colored_and_what_follows_lines_up() {
        let page = TextReport::new().marked(Style::Good, "ok", "size").marked(Style::Bad, "critical", "hit\u{1b} rate");
        assert_eq!(page.text(None, false), "ok        size\ncritical  hit\\u{1b} rate\n");
        assert!(page.text(None, true).starts_with("\u{1b}[32mok      \u{1b}[0m  size\n"));
    }
}
