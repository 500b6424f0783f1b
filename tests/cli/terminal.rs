//! `jobs run` before a terminal: each job live, then the table, and nothing left of what was drawn in between.
//!
//! What is compared is the screen as a person sees it, while calls are held in the sandbox.

use crate::tty::Tty;
use crate::world::World;
use awsideman::sandbox::Rule;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A job that reads people and one that reads assignments; the second page of people and the fourth answer about
/// assignments are held.
fn world() -> World {
    let mut world = World::new();
    for (name, resource) in [("people", "users"), ("access", "assignments")] {
        let job = format!("name = \"{name}\"\nkind = \"warm\"\nevery = \"1h\"\n[warm]\nresources = [\"{resource}\"]\n");
        world.write(&format!("jobs/{name}.toml"), &job);
    }
    let folder = world.home().join("jobs").display().to_string();
    world.set("AWSIDEMAN_JOBS_DIR", &folder).set("TERM", "xterm");
    world.faults(|faults| {
        faults.hold =
            vec![Rule::nth(2, "ListUsers"), Rule { count: Some(99), ..Rule::nth(4, "ListAccountAssignments") }];
    });
    world
}

fn row<'a>(rows: &'a [String], word: &str) -> Option<&'a str> {
    rows.iter().map(String::as_str).find(|row| row.contains(word))
}

fn has(rows: &[String], job: &str, words: &[&str]) -> bool {
    row(rows, job).is_some_and(|row| words.iter().all(|word| row.contains(word)))
}

#[test]
fn each_job_has_a_progress_line_and_then_there_is_the_table() {
    let mut world = world();
    world.set("AWSIDEMAN_PACE_SSO_ADMIN_TPS", "20");
    let tty = Tty::start(&world, 100, "jobs run --parallel 2");
    let rows = tty.shows(|rows| {
        has(rows, "people", &["users 100"]) && has(rows, "access", &["assignments 3/", "left at the quota", "[="])
    });
    assert_eq!(rows.len(), 2, "one line each: {rows:#?}");
    world.release();
    let (code, rows, _) = tty.ended();
    assert_eq!(code, Some(0), "{rows:#?}");
    assert!(row(&rows, "JOB").is_some_and(|row| row.contains("OUTCOME")), "{rows:#?}");
    assert!(has(&rows, "people", &["done", "300 users"]) && has(&rows, "access", &["done"]), "{rows:#?}");
    assert!(row(&rows, "left at the quota").is_none() && row(&rows, "[=").is_none(), "{rows:#?}");
    assert!(rows.len() <= 5, "nothing is left of the lines: {rows:#?}");
}

#[test]
fn a_narrow_terminal_has_one_line_per_job_without_colors() {
    let mut world = world();
    world.set("NO_COLOR", "1");
    let tty = Tty::start(&world, 40, "jobs run --parallel 2");
    let rows = tty.shows(|rows| has(rows, "people: ", &["users 100"]) && has(rows, "access: ", &["assignments 3/"]));
    assert_eq!(rows.len(), 2, "one line each: {rows:#?}");
    world.release();
    let (code, rows, raw) = tty.ended();
    assert_eq!(code, Some(0), "{rows:#?}");
    assert!(row(&rows, "JOB").is_some() && row(&rows, "people: ").is_none(), "{rows:#?}");
    let colored = raw
        .split("\u{1b}[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
    assert!(!colored, "{raw:?}");
}

#[test]
fn a_terminal_that_cannot_redraw_gets_the_table_alone() {
    let mut world = world();
    world.set("TERM", "dumb");
    world.release();
    let (code, rows, raw) = Tty::start(&world, 100, "jobs run people").ended();
    assert_eq!(code, Some(0), "{rows:#?}");
    assert!(row(&rows, "JOB").is_some() && !raw.contains('\u{1b}') && !raw.contains("users 100"), "{raw:?}");
}

#[test]
fn ctrl_c_is_acknowledged_and_the_table_lists_what_was_cancelled() {
    let world = world();
    let mut tty = Tty::start(&world, 100, "jobs run people");
    tty.shows(|rows| has(rows, "people", &["users 100"]));
    assert!(world.wait_for_held(1, PATIENCE));
    tty.types("\u{3}");
    let (code, rows, raw) = tty.ended();
    assert_eq!(code, Some(130), "{rows:#?}");
    assert!(raw.contains("shutting down: no new jobs start"), "{rows:#?}");
    // The keyboard's own `^C` broke the line that was drawn last; what matters stands below it.
    let table = &rows[rows.iter().position(|row| row.contains("JOB")).unwrap()..];
    assert!(has(table, "people", &["cancelled"]) && row(table, "users 100").is_none(), "{rows:#?}");
}
