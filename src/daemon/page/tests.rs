//! The page from made-up figures: what it says first, and that nothing gets out of its place.
//!
//! Every sentence here is about text that a person or a screen reader meets.

use super::*;
use crate::app::{Dashboard, JobFiles};
use crate::config::{Sources, load};
use crate::daemon::status::DaemonStatus;
use std::sync::Arc;

const NASTY: &str = "<script>alert(1)</script>\" onload='x' &amp; \u{202e}`code`";

/// What an awsideman that never ran has to show.
fn empty() -> (tempfile::TempDir, Overview) {
    let root = tempfile::tempdir().unwrap();
    let sources = Sources {
        environment: [("HOME".to_owned(), root.path().display().to_string())].into(),
        explicit: None,
        overrides: Vec::new(),
        system_file: root.path().join("none.toml"),
        working_directory: root.path().to_owned(),
    };
    let app = Arc::new(crate::app::App::new(load(&sources).unwrap(), None).unwrap());
    let jobs = JobFiles::new(&app).all().unwrap();
    let overview = Dashboard::new(&app).overview(&jobs, Range::LONGEST);
    (root, overview)
}

fn drawn(overview: &Overview) -> String {
    let standing =
        DaemonStatus { started_at: overview.now, passes: 1, refused: None, ending: false, ..DaemonStatus::default() };
    draw(&PageView { overview, standing: &standing, range: Range::Day, refreshes: false })
}

fn problem_of(level: Level, message: &str) -> DashboardProblem {
    DashboardProblem {
        key: message.into(),
        level,
        message: message.into(),
        since: Some(0),
        command: format!("awsideman {message}"),
    }
}

#[test]
fn an_empty_awsideman_is_well_and_its_charts_say_that_there_is_nothing_yet() {
    let (_root, overview) = empty();
    let page = drawn(&overview);
    assert!(page.contains("<h1 id=\"verdict\">All is well</h1>"), "{:?}", overview.problems);
    assert_eq!(page.matches("No lookups in this period").count(), 4, "two charts, each seen and read aloud");
    assert_eq!(page.matches("No samples in this period").count(), 2);
    assert!(page.contains("none yet") && page.contains("No alert fires.") && page.contains("The cache is empty"));
    assert!(page.contains("/icon/well.svg") && icon("well.svg").is_some() && icon("../etc").is_none());
}

#[test]
fn the_verdict_counts_and_the_worst_comes_first_with_its_command() {
    let (_root, mut overview) = empty();
    for (problems, words) in [
        (vec![Level::Critical], "1 problem"),
        (vec![Level::Warn], "1 warning"),
        (vec![Level::Warn, Level::Warn], "2 warnings"),
        (vec![Level::Warn, Level::Critical], "1 problem, 1 warning"),
        (vec![Level::Critical, Level::Critical, Level::Warn, Level::Warn], "2 problems, 2 warnings"),
    ] {
        overview.problems.clear();
        overview.add_problems(problems.iter().enumerate().map(|(n, level)| problem_of(*level, &format!("p{n}"))));
        assert_eq!(headline(&overview), words);
        assert_eq!(overview.problems[0].level, *problems.iter().max().unwrap());
    }
    let page = drawn(&overview);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("2 problems") < at("<code>awsideman p0</code>"));
    assert!(at("<code>awsideman p0</code>") < at("Hit rate"), "the command comes before the evidence");
}

#[test]
fn a_partial_run_is_amber_and_has_a_mark_and_a_word_of_its_own() {
    let (_root, mut overview) = empty();
    let job = &mut overview.jobs[0];
    (job.last_outcome, job.last_at) = (Some(crate::jobs::RunOutcome::Partial), Some(5));
    let page = drawn(&overview);
    assert!(page.contains("<span class=\"warn\">partial</span>"), "{page}");
    assert!(page.contains("<line class=\"partial\"") && page.contains(".partial { stroke: var(--warn)"));
}

#[test]
fn no_text_gets_out_of_its_place() {
    let (_root, mut overview) = empty();
    overview.add_problems([problem_of(Level::Critical, NASTY)]);
    overview.host = NASTY.into();
    for job in &mut overview.jobs {
        (job.job, job.profile, job.schedule) = (NASTY.into(), Some(NASTY.into()), NASTY.into());
        (job.running, job.last_reason, job.paused) = (Some(NASTY.into()), Some(NASTY.into()), Some(NASTY.into()));
        (job.last_outcome, job.last_at) = (Some(crate::jobs::RunOutcome::Failed), Some(5));
    }
    overview.alerts.push(crate::alerts::AlertStatus {
        key: NASTY.into(),
        state: "firing",
        message: NASTY.into(),
        hint: NASTY.into(),
        since: 0,
        notified_at: None,
        next_at: None,
        next: NASTY.into(),
    });
    let (pattern, reason, author) = (NASTY.into(), NASTY.into(), NASTY.into());
    overview.silences.push(crate::alerts::Silence { id: 1, pattern, created_at: 0, until: 9, reason, author });
    for check in &mut overview.checks {
        check.message = NASTY.into();
    }
    let page = drawn(&overview);
    assert!(!page.contains("<script") && !page.contains("\" onload"));
    assert!(page.matches("&lt;script&gt;").count() > 20);
    assert!(page.matches("\\u{202e}").count() > 20, "what turns the order of letters is seen");
    let unseen = page.chars().find(|&c| crate::model::is_unseen(c) && c != '\n');
    assert_eq!(unseen, None);
}

#[test]
fn the_style_is_the_one_that_the_policy_names_and_nothing_is_styled_in_place() {
    let (_root, overview) = empty();
    let page = drawn(&overview);
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert_eq!(style_hash(), format!("sha256-{}", STANDARD.encode(Sha256::digest(style))));
    assert!(!page.contains(" style=") && !page.contains("http://") && !page.contains("https://"));
}
