//! Tests of the printer as commands use it.

use super::*;
use crate::cli::environment::Captured;
use std::os::unix::fs::PermissionsExt;

const COLUMNS: &[Column] = &[Column::new("Name")];

fn open(globals: &GlobalArgs, variables: &[(&str, &str)]) -> (Output, Captured, Captured) {
    let (environment, data, talk) = Environment::captured(variables);
    (Output::open(globals, environment), data, talk)
}

fn json() -> GlobalArgs {
    GlobalArgs { json: true, ..GlobalArgs::default() }
}

#[test]
fn json_is_passed_on_byte_for_byte_with_one_line_end() {
    for bytes in ["[ {\"Name\" : 1.50} ]", "[]", "{\"a\":\"\\u001b\"}\n"] {
        let (mut output, data, _) = open(&json(), &[]);
        output.answer(&mut bytes.as_bytes(), &Projection::new("users", COLUMNS)).unwrap();
        output.finish().unwrap();
        assert_eq!(data.text(), format!("{}\n", bytes.trim_end()));
    }
}

#[test]
fn an_empty_table_is_a_note_and_no_data() {
    let (mut output, data, talk) = open(&GlobalArgs::default(), &[]);
    assert_eq!(output.answer(&mut "[]".as_bytes(), &Projection::new("users", COLUMNS)).unwrap(), Some(0));
    assert_eq!((data.text().as_str(), talk.text().as_str()), ("", "note: no users\n"));
}

#[test]
fn pushed_answers_read_the_same_in_memory_on_disk_and_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let items: Vec<String> = (0..40_000).map(|n| format!("{{\"Name\":\"user number {n:>20}\"}}")).collect();
    let (small, large) = (format!("[{}]", items[..2].join(",")), format!("[{}]", items.join(",")));
    assert!(large.len() > HELD_IN_MEMORY);
    for (text, count) in [(&small, 2), (&large, 40_000)] {
        for (globals, format) in [(json(), Format::Json), (GlobalArgs::default(), Format::Jsonl)] {
            let (mut output, data, _) = open(&globals, &[]);
            output.set_default_format(format);
            let view = Projection::new("users", COLUMNS);
            let mut answer = output.pushed(&view, folder.path()).unwrap();
            text.as_bytes().chunks(7_777).for_each(|chunk| answer.write_all(chunk).unwrap());
            let printed = answer.finish().unwrap();
            if format == Format::Json {
                assert_eq!(data.text(), format!("{text}\n"));
            } else {
                assert_eq!((printed, data.text().lines().count()), (Some(count), usize::try_from(count).unwrap()));
            }
        }
    }
}

#[test]
fn out_is_private_whole_and_appears_only_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.json");
    let globals = GlobalArgs { out: Some(path.clone()), ..json() };
    let (mut output, data, _) = open(&globals, &[]);
    output.answer(&mut "[]".as_bytes(), &Projection::new("users", COLUMNS)).unwrap();
    assert!(!path.exists());
    output.finish().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[]\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(data.text(), "");

    let (mut output, _, _) = open(&globals, &[]);
    output.text("half").unwrap();
    drop(output);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[]\n", "a failed run leaves the old file");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn out_to_a_device_leaves_the_device_alone_and_to_nowhere_is_refused() {
    let (mut output, _, _) = open(&GlobalArgs { out: Some("/dev/null".into()), ..json() }, &[]);
    output.text("x").unwrap();
    output.finish().unwrap();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    for nowhere in ["/nonexistent/x", "/"] {
        let (mut output, _, _) = open(&GlobalArgs { out: Some(nowhere.into()), ..json() }, &[]);
        let failure = output.text("x").unwrap_err();
        assert!(failure.message.starts_with("--out: cannot write /"), "{failure:?}");
    }
}

#[test]
fn a_report_is_a_page_or_one_document() {
    let document = serde_json::json!({"a": {"b": [1, 2]}, "c": "=x"});
    let page = TextReport::new().field("A", "1");
    for (format, expected) in [
        (Format::Table, "A: 1\n"),
        (Format::Jsonl, "{\"a\":{\"b\":[1,2]},\"c\":\"=x\"}\n"),
        (Format::Csv, "field,value\na.b.0,1\na.b.1,2\nc,'=x\n"),
        (Format::Yaml, "a:\n  b:\n  - 1\n  - 2\nc: =x\n"),
    ] {
        let (mut output, data, _) = open(&GlobalArgs::default(), &[]);
        output.set_default_format(format);
        output.report(&document, &page).unwrap();
        assert_eq!(data.text(), expected);
    }
    let (mut output, data, _) = open(&GlobalArgs::default(), &[]);
    output.set_default_format(Format::Csv);
    output.report(&serde_json::json!([{"a": 1}, {"b": "x"}]), &page).unwrap();
    assert_eq!(data.text(), "a,b\n1,\n,x\n");
    let (mut output, data, _) = open(&json(), &[]);
    output.set_default_format(Format::Csv);
    output.report(&document, &page).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&data.text()).unwrap(), document, "the flag beats the configuration");
}

#[test]
fn colors_are_for_terminals_unless_asked_for() {
    let painted = |globals: &GlobalArgs, variables: &[(&str, &str)]| {
        open(globals, variables).0.paint(Style::Good, "x").contains('\u{1b}')
    };
    let with = |color| GlobalArgs { color: Some(color), ..GlobalArgs::default() };
    assert!(!painted(&GlobalArgs::default(), &[]));
    assert!(painted(&with(ColorChoice::Always), &[("NO_COLOR", "1")]));
    assert!(!painted(&with(ColorChoice::Never), &[]));
}
