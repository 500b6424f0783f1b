//! An answer of AWS-shaped JSON in the format that was asked for.
//!
//! JSON, JSON lines, YAML and CSV without `--sort` hold one element at a time; JSON elements keep their bytes.

use super::escape::{cell, visible};
use super::stream::{JsonShape, ScannedJson, not_json};
use super::table;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::details;
use crate::cli::output::projection::Column;
use crate::cli::output::projection::Projection;
use crate::config::Format;
use crate::model::folded;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::io::{Read, Write};
use std::ops::ControlFlow;

/// How an answer is printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputStyle {
    /// The format.
    pub(super) format: Format,
    /// The width of the terminal it goes to, if it is one.
    pub(super) width: Option<u16>,
}

/// Prints the answer; `None` for a single thing, else how many elements of the list were printed.
pub(super) fn answer(
    from: &mut dyn Read,
    out: &mut dyn Write,
    look: OutputStyle,
    view: &Projection<'_>,
) -> Result<Option<u64>, CliError> {
    let document = ScannedJson::open(from)?;
    if document.shape == JsonShape::Single {
        single(&document.single()?, out, look, view)?;
        return Ok(None);
    }
    let mut printer = Printer::new(out, look, view)?;
    if let Some((column, descending)) = view.sort() {
        let mut kept: Vec<(String, Box<RawValue>)> = Vec::new();
        document.elements(&mut |raw| {
            let value = parse(&raw)?;
            if view.admits(&value) {
                kept.push((column.text(&value), raw));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        kept.sort_by(|(a, _), (b, _)| if descending { by_meaning(b, a) } else { by_meaning(a, b) });
        let most = view.limit().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        for (_, raw) in kept.into_iter().take(most) {
            printer.element(&raw, None)?;
        }
    } else if view.limit() != Some(0) {
        document.elements(&mut |raw| {
            let value = if view.is_filtered() { Some(parse(&raw)?) } else { None };
            if value.as_ref().is_none_or(|value| view.admits(value)) {
                printer.element(&raw, value)?;
            }
            let full = view.limit().is_some_and(|limit| printer.printed >= limit);
            Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    printer.end().map(Some)
}

/// Numbers by value, other texts without regard to case.
fn by_meaning(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => folded(a).cmp(&folded(b)).then_with(|| a.cmp(b)),
    }
}

fn single(raw: &RawValue, out: &mut dyn Write, look: OutputStyle, view: &Projection<'_>) -> Result<(), CliError> {
    match look.format {
        Format::Json | Format::Jsonl | Format::Yaml if !view.is_projected() => match look.format {
            Format::Yaml => text(out, &yaml(&parse(raw)?)?),
            _ => text(out, &format!("{}\n", raw.get())),
        },
        Format::Json | Format::Jsonl => text(out, &format!("{}\n", projected(&view.printed(), &parse(raw)?))),
        Format::Yaml => text(out, &yaml(&projected(&view.printed(), &parse(raw)?))?),
        Format::Csv => {
            let mut printer = Printer::new(out, look, view)?;
            printer.element(raw, None)?;
            printer.end().map(drop)
        }
        Format::Table => {
            let value = parse(raw)?;
            let shown = if view.is_projected() { projected(&view.printed(), &value) } else { value };
            details::lines(&shown).iter().try_for_each(|line| text(out, &format!("{line}\n")))
        }
    }
}

/// Prints the elements of a list one by one.
struct Printer<'a> {
    out: &'a mut dyn Write,
    look: OutputStyle,
    columns: Vec<Column>,
    is_projected: bool,
    /// Rows of a table, whose widths are known only at the end.
    rows: Vec<Vec<String>>,
    printed: u64,
}

impl<'a> Printer<'a> {
    fn new(out: &'a mut dyn Write, look: OutputStyle, view: &Projection<'_>) -> Result<Printer<'a>, CliError> {
        let columns = view.printed();
        let mut printer =
            Printer { out, look, columns, is_projected: view.is_projected(), rows: Vec::new(), printed: 0 };
        match look.format {
            Format::Json => printer.text("[")?,
            Format::Csv => {
                let header: Vec<String> = printer.columns.iter().map(|column| column.name.to_owned()).collect();
                printer.record(&header)?;
            }
            Format::Table | Format::Jsonl | Format::Yaml => {}
        }
        Ok(printer)
    }

    fn element(&mut self, raw: &RawValue, value: Option<Value>) -> Result<(), CliError> {
        let first = self.printed == 0;
        self.printed += 1;
        match self.look.format {
            Format::Json | Format::Jsonl => {
                if self.look.format == Format::Json && !first {
                    self.text(",")?;
                }
                if self.is_projected {
                    let value = value.map_or_else(|| parse(raw), Ok)?;
                    self.text(&projected(&self.columns, &value).to_string())?;
                } else {
                    self.text(raw.get())?;
                }
                if self.look.format == Format::Jsonl { self.text("\n") } else { Ok(()) }
            }
            Format::Yaml => {
                let value = value.map_or_else(|| parse(raw), Ok)?;
                let value = if self.is_projected { projected(&self.columns, &value) } else { value };
                let item = yaml(&Value::Array(vec![value]))?;
                self.text(&item)
            }
            Format::Csv => {
                let value = value.map_or_else(|| parse(raw), Ok)?;
                let record: Vec<String> = self.columns.iter().map(|column| column.text(&value)).collect();
                self.record(&record)
            }
            Format::Table => {
                let value = value.map_or_else(|| parse(raw), Ok)?;
                self.rows.push(self.columns.iter().map(|column| column.text(&value)).collect());
                Ok(())
            }
        }
    }

    fn end(mut self) -> Result<u64, CliError> {
        match self.look.format {
            Format::Json => self.text("]\n")?,
            Format::Yaml if self.printed == 0 => self.text("[]\n")?,
            Format::Table if self.printed > 0 => {
                let header: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
                for line in table::lines(&header, &self.rows, self.look.width) {
                    self.text(&line)?;
                    self.text("\n")?;
                }
            }
            Format::Table | Format::Yaml | Format::Jsonl | Format::Csv => {}
        }
        Ok(self.printed)
    }

    fn text(&mut self, words: &str) -> Result<(), CliError> {
        text(self.out, words)
    }

    fn record(&mut self, cells: &[String]) -> Result<(), CliError> {
        text(self.out, &record(cells, self.look.width.is_some())?)
    }
}

/// One line of CSV; for a terminal control characters are made visible too.
pub(super) fn record(cells: &[String], on_terminal: bool) -> Result<String, CliError> {
    let mut writer = csv::WriterBuilder::new().buffer_capacity(512).from_writer(Vec::new());
    let unprintable = |error: String| CliError::new(Code::Failed, format!("cannot print as CSV: {error}"));
    for text in cells {
        let text = if on_terminal { visible(text) } else { text.into() };
        writer.write_field(cell(&text).as_bytes()).map_err(|error| unprintable(error.to_string()))?;
    }
    writer.write_record(None::<&[u8]>).map_err(|error| unprintable(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| unprintable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| unprintable(error.to_string()))
}

/// A value as YAML. Text that a reader of YAML 1.1 or 1.2 takes for another type (`no`, `012345678901`) is in quotes.
pub(super) fn yaml(value: &Value) -> Result<String, CliError> {
    // A long text stays on its line: a folded one hides where its spaces are.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options)
        .map_err(|error| CliError::new(Code::Failed, format!("cannot print as YAML: {error}")))
}

fn parse(raw: &RawValue) -> Result<Value, CliError> {
    serde_json::from_str(raw.get()).map_err(|error| not_json(&error))
}

fn projected(columns: &[Column], value: &Value) -> Value {
    Value::Object(columns.iter().map(|column| (column.name.to_owned(), column.value(value))).collect::<Map<_, _>>())
}

fn text(out: &mut dyn Write, words: &str) -> Result<(), CliError> {
    out.write_all(words.as_bytes()).map_err(|error| CliError::writing(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{ColumnFilter, ListArgs, ReadArgs, Sort};

    const COLUMNS: &[Column] = &[Column::new("Name"), Column::new("Age"), Column::at("City", "At.City").extra()];
    const PEOPLE: &str = r#"[{"Name":"bob","Age":9},{"Name" : "=Alice","Age":10,"At":{"City":"Ulm"}},{"Name":"cy"}]"#;

    fn print(text: &str, format: Format, list: &ListArgs) -> String {
        let view = Projection::new("people", COLUMNS).of_list(list).unwrap();
        let mut out = Vec::new();
        answer(&mut text.as_bytes(), &mut out, OutputStyle { format, width: None }, &view).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn list() -> ListArgs {
        ListArgs::default()
    }

    #[test]
    fn json_keeps_the_bytes_of_each_element() {
        assert_eq!(print(PEOPLE, Format::Json, &list()), format!("{PEOPLE}\n"));
        assert_eq!(print("[]", Format::Json, &list()), "[]\n");
        let limited = print(PEOPLE, Format::Json, &ListArgs { limit: Some(1), ..list() });
        assert_eq!(limited, "[{\"Name\":\"bob\",\"Age\":9}]\n");
        assert_eq!(print(PEOPLE, Format::Json, &ListArgs { limit: Some(0), ..list() }), "[]\n");
    }

    #[test]
    fn json_lines_are_one_document_each() {
        let lines = print(PEOPLE, Format::Jsonl, &list());
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
        assert_eq!(print("[]", Format::Jsonl, &list()), "");
    }

    #[test]
    fn yaml_of_a_list_is_one_document() {
        let text = print(PEOPLE, Format::Yaml, &list());
        assert_eq!(text, "- Name: bob\n  Age: 9\n- Name: =Alice\n  Age: 10\n  At:\n    City: Ulm\n- Name: cy\n");
        assert_eq!(print("[]", Format::Yaml, &list()), "[]\n");
    }

    #[test]
    fn text_stays_text_in_yaml_whatever_it_looks_like() {
        let looks_like_another_type = [
            "no",
            "Yes",
            "on",
            "y",
            "N",
            "true",
            "null",
            "~",
            "",
            "1",
            "-1.5",
            "1e3",
            "0123",
            "012345678901",
            "0x1F",
            "0o17",
            "1_000",
            "190:20:30",
            "2026-01-01",
            "2026-01-01T10:00:00Z",
            ".inf",
            ".nan",
            "=",
            "<<",
            "- a",
            "? a",
            "a: b",
            "#x",
            "a #b",
            "@a",
            "`a`",
            "%a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "{a",
            "[a",
            "'",
            "\"",
            " a",
            "a ",
            "---",
            "...",
            "\t",
            "a:",
        ];
        for text in looks_like_another_type {
            let value = serde_json::json!({ "Value": text, text: [text] });
            let printed = yaml(&value).unwrap();
            let written = printed.lines().next().unwrap().strip_prefix("Value: ").unwrap();
            assert!(written.starts_with(['"', '\'']), "{text:?} is printed as {printed}");
            assert_eq!(serde_saphyr::from_str::<Value>(&printed).unwrap(), value, "{printed}");
        }
        let long = "word ".repeat(100);
        for text in [
            "plain",
            "arn:aws:sso:::instance/ssoins-1",
            "a\nb\n",
            "a\n\n",
            "\u{1b}[31m",
            "\u{feff}",
            "Zoë\u{85}",
            &long,
        ] {
            let value = serde_json::json!({ "Value": text });
            let printed = yaml(&value).unwrap();
            assert_eq!(serde_saphyr::from_str::<Value>(&printed).unwrap(), value, "{printed}");
            assert!(printed.lines().count() <= 4, "{printed}");
            assert!(!printed.contains('\u{1b}'), "{printed:?}");
        }
    }

    #[test]
    fn csv_has_a_header_and_no_formulas() {
        assert_eq!(print(PEOPLE, Format::Csv, &list()), "Name,Age\nbob,9\n'=Alice,10\ncy,\n");
        assert_eq!(print("[]", Format::Csv, &list()), "Name,Age\n");
        assert_eq!(print(r#"[{"Name":"a,\"b\"","Age":-3}]"#, Format::Csv, &list()), "Name,Age\n\"a,\"\"b\"\"\",-3\n");
        assert_eq!(print(r#"{"Name":"one"}"#, Format::Csv, &list()), "Name,Age\none,\n");
    }

    #[test]
    fn sort_knows_numbers_and_case_and_the_limit_comes_last() {
        let sorted = |by: &str, limit| {
            print(PEOPLE, Format::Csv, &ListArgs { sort: Some(Sort::parse(by).unwrap()), limit, ..list() })
        };
        assert_eq!(sorted("Age", None), "Name,Age\ncy,\nbob,9\n'=Alice,10\n");
        assert_eq!(sorted("age:desc", Some(1)), "Name,Age\n'=Alice,10\n");
        assert_eq!(by_meaning("bob", "Alice"), Ordering::Greater);
    }

    #[test]
    fn filters_see_fields_that_are_not_printed() {
        let filter = vec![ColumnFilter::parse("City=ulm").unwrap()];
        assert_eq!(print(PEOPLE, Format::Csv, &ListArgs { filter, ..list() }), "Name,Age\n'=Alice,10\n");
        let filter = vec![ColumnFilter::parse("Name!=c*").unwrap(), ColumnFilter::parse("Name~O").unwrap()];
        assert_eq!(print(PEOPLE, Format::Jsonl, &ListArgs { filter, ..list() }), "{\"Name\":\"bob\",\"Age\":9}\n");
    }

    #[test]
    fn chosen_columns_shape_every_format() {
        let chosen = ListArgs { read: ReadArgs { columns: vec!["City".into()], ..ReadArgs::default() }, ..list() };
        assert_eq!(print(PEOPLE, Format::Json, &chosen), "[{\"City\":null},{\"City\":\"Ulm\"},{\"City\":null}]\n");
        assert_eq!(print(r#"{"At":{"City":"U"}}"#, Format::Json, &chosen), "{\"City\":\"U\"}\n");
        assert_eq!(print(r#"{"At":{"City":"U"}}"#, Format::Table, &chosen), "City: U\n");
        assert_eq!(print(PEOPLE, Format::Table, &chosen), "City\n\nUlm\n\n");
    }

    #[test]
    fn tables_have_a_header_unless_they_are_empty() {
        assert_eq!(print(PEOPLE, Format::Table, &list()), "Name    Age\nbob     9\n=Alice  10\ncy\n");
        assert_eq!(print("[]", Format::Table, &list()), "");
    }
}
