//! Answers as people, spreadsheets and programs take them.

use crate::world::World;
use serde_json::{Value, json};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

fn ids(users: &Value) -> Vec<String> {
    users.as_array().unwrap().iter().map(|user| user["UserId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_format_holds_the_same_people_in_the_same_order() {
    let world = World::new();
    let people = ids(&world.run(["user", "list", "--output", "json"]).ok().silent().json());
    assert_eq!(people.len(), 300);
    let lines = world.run(["user", "list", "--output", "jsonl"]).ok().silent().stdout;
    let of_lines: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["UserId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(of_lines, people);
    let yaml = world.run(["user", "list", "--output", "yaml"]).ok().silent().stdout;
    assert_eq!(ids(&serde_saphyr::from_str::<Value>(&yaml).unwrap()), people);
    let table = world.run(["user", "list", "--columns", "UserId"]).ok().silent().stdout;
    assert_eq!(table.lines().skip(1).map(str::trim).collect::<Vec<_>>(), people);
    let sheet = world.run(["user", "list", "--output", "csv"]).ok().silent().stdout;
    let mut reader = csv::Reader::from_reader(sheet.as_bytes());
    let column = reader.headers().unwrap().iter().position(|name| name == "UserId").unwrap();
    let of_sheet: Vec<String> = reader.records().map(|record| record.unwrap()[column].to_owned()).collect();
    assert_eq!(of_sheet, people);
    assert_eq!(world.list_calls(), 3);
}

#[test]
fn json_is_a_flag_a_word_and_a_setting() {
    let mut world = World::small();
    let expected = world.run(["group", "list", "--json"]).ok().stdout;
    for words in [
        &["group", "list", "--output", "json"][..],
        &["group", "list", "--format", "json"],
        &["groups", "list", "-o", "json"],
    ] {
        assert_eq!(world.run(words.iter().copied()).ok().stdout, expected);
    }
    world.set("AWSIDEMAN_OUTPUT_FORMAT", "json");
    assert_eq!(world.run(["group", "list"]).ok().stdout, expected);
}

#[test]
fn permission_sets_are_a_list_of_objects_and_one_is_an_object() {
    let world = World::new();
    let list = world.run(["permission-set", "list", "--json"]).ok().silent().json();
    assert_eq!(list.as_array().unwrap().len(), 8);
    for one in list.as_array().unwrap() {
        for field in ["PermissionSetArn", "Name", "CreatedDate", "SessionDuration"] {
            assert!(one[field].is_string(), "{field}: {one}");
        }
        let got = world.run(["permission-set", "get", one["Name"].as_str().unwrap(), "--json"]).ok().json();
        assert_eq!(got["PermissionSetArn"], one["PermissionSetArn"]);
        assert!(got.is_object());
    }
}

#[test]
fn an_empty_search_is_an_empty_list_and_unknown_names_exit_5() {
    let world = World::small();
    for resource in ["user", "group", "permission-set"] {
        let found = world.run([resource, "find", "no-such-thing-anywhere", "--json"]).ok().silent();
        assert_eq!(found.json(), Value::Array(Vec::new()), "{resource}");
    }
    for resource in ["user", "group", "permission-set", "account"] {
        let ran = world.run([resource, "get", "no-such-thing"]).code(5).stderr_has("no-such-thing");
        assert_eq!(ran.stdout, "", "{resource}");
        let ran = world.run([resource, "get", "no-such-thing", "--json"]).code(5);
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!((&error["error"]["code"], ran.stdout.as_str()), (&5.into(), ""), "{resource}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let world = World::new();
    world.run(["user", "list"]).ok();
    for format in ["table", "json", "jsonl", "yaml", "csv"] {
        let mut command = world.command(["user", "list", "--output", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap().as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_file_of_answers_is_for_its_owner_alone_and_appears_whole() {
    let world = World::new();
    let data = world.run(["user", "list", "--json"]).ok().stdout;
    let path = world.home().join("people.json");
    let words = ["user", "list", "--json", "--out", "people.json"];
    let ran = world.run(words).ok();
    assert_eq!(ran.stdout, "");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), data);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    // A run that fails leaves what was there.
    world.run(["user", "get", "nobody", "--json", "--out", "people.json"]).code(5);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), data);
}

#[test]
fn names_cannot_control_a_terminal_or_spreadsheet_and_json_keeps_them() {
    let world = World::new();
    let list = world.run(["user", "list", "--json"]).ok().json();
    let named = |name: &str| list.as_array().unwrap().iter().find(|user| user["UserName"] == name).cloned().unwrap();
    assert_eq!(named("escape")["DisplayName"], "Eve \u{1b}[31mEscape\u{1b}[0m");
    assert_eq!(named("formula")["DisplayName"], "=cmd|' /C calc'!A0");
    for words in [&["user", "list"][..], &["user", "list", "--color", "never"], &["user", "get", "escape"]] {
        let shown = world.run(words.iter().copied()).ok().stdout;
        assert!(!shown.contains('\u{1b}'), "{words:?}");
        assert!(shown.contains("Escape"));
    }
    let sheet = world.run(["user", "list", "--output", "csv"]).ok().stdout;
    let mut cells = 0;
    for record in csv::Reader::from_reader(sheet.as_bytes()).records() {
        for cell in &record.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            cells += 1;
        }
    }
    assert!(cells > 900);
    assert!(sheet.contains("'=cmd|"), "a cell that would be a formula begins with a quote");
}

#[test]
fn limit_sort_filter_and_columns_choose_without_asking_again() {
    let world = World::new();
    world.run(["user", "list"]).ok();
    let calls = world.calls_of(|| {
        let few = world.run(["user", "list", "--limit", "3", "--sort", "UserName:desc", "--json"]).ok().json();
        let names: Vec<&str> = few.as_array().unwrap().iter().map(|user| user["UserName"].as_str().unwrap()).collect();
        assert_eq!(names.len(), 3);
        assert!(names.is_sorted_by(|a, b| a >= b), "{names:?}");
        let some = world.run(["user", "list", "--filter", "UserName=ali*", "--json"]).ok().json();
        for user in some.as_array().unwrap() {
            assert!(user["UserName"].as_str().unwrap().starts_with("ali"));
        }
        let sheet = world.run(["user", "list", "--columns", "UserId,UserName", "--output", "csv"]).ok().stdout;
        assert_eq!(sheet.lines().next(), Some("UserId,UserName"));
        world.run(["user", "list", "--columns", "Shoe"]).code(2).stderr_has("Shoe");
    });
    assert_eq!(calls, 0);
}

#[test]
fn invisible_and_reordering_characters_are_shown_to_users_and_kept_for_programs() {
    let world = World::small();
    let name = "Ops\u{202e}nimdA\u{200b}";
    let store = &world.run(["instance", "list", "--json"]).ok().json()[0]["IdentityStoreId"];
    world.ask("AWSIdentityStore.CreateGroup", &json!({ "IdentityStoreId": store, "DisplayName": name }));
    let table = world.run(["group", "list"]).ok();
    table.stdout_has("Ops\\u{202e}nimdA\\u{200b}").stdout_lacks("\u{202e}").stdout_lacks("\u{200b}");
    let groups = world.run(["group", "list", "--json"]).ok().json();
    assert!(groups.as_array().unwrap().iter().any(|group| group["DisplayName"] == name), "{groups}");
}

#[test]
fn names_of_stdout_mean_stdout_and_a_file_behind_it_is_appended() {
    let world = World::small();
    let file = world.beside("all.txt");
    let text = || std::fs::read_to_string(&file).unwrap();
    for out in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        std::fs::write(&file, "first\n").unwrap();
        world.shell(&format!("awsideman user list --out {out} >>{}", file.display())).ok().silent();
        assert!(text().starts_with("first\nUserName"), "{out}: {}", text());
    }
    std::fs::write(&file, "first\n").unwrap();
    world.shell(&format!("awsideman user list --out /dev/fd/3 3>>{}", file.display())).ok().silent();
    assert!(text().starts_with("first\nUserName"), "{}", text());
    for words in ["completions bash --out -", "cache export -", "cache export /dev/stdout", "config show --out -"] {
        let ran = world.run(words.split(' ')).ok();
        assert!(!ran.stdout.is_empty(), "{words}");
    }
    assert!(!world.home().join("-").exists());
}

#[test]
fn a_pipe_that_nobody_reads_is_given_up() {
    let world = World::small();
    let fifo = world.beside("fifo").display().to_string();
    world.shell(&format!("mkfifo {fifo}; awsideman user list --out {fifo}")).code(1).stderr_has("no program read");
    let line = format!("awsideman user list --out {fifo} & cat {fifo}; wait $!");
    world.shell(&line).ok().stdout_has("UserName");
}
