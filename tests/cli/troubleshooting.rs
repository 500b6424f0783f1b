//! Runs every command of `docs/troubleshooting.md`, in order, with the cache in the state that its chapter describes.
//!
//! A command whose exit code (`# exit 6`; 0 if none is given) or output differs from the page fails with its line. The
//! paths `/var/...` are replaced by paths next to the test's home.

use crate::world::{Ran, World};
use awsideman::cache::{Fresh, Key};
use awsideman::model::Resource;
use awsideman::state::{BreakerStatus, LookupOutcome, PersistedBreaker};
use std::fmt::Write;
use std::path::Path;

/// The page.
const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// Makes a state of the world.
type Prepare = fn(&mut World);

/// Each chapter in order, and what it is about when its commands are typed.
const CHAPTERS: &[(&str, Prepare)] = &[
    ("First steps", used),
    ("Bypass the cache immediately", used),
    ("Outdated answers", with_the_cast),
    ("Slow commands", used),
    ("Backend errors", damaged),
    ("Threads and processes", used),
    ("Growth and memory", used),
    ("Keys", used),
    ("What a change invalidates", with_the_four_keys),
    ("The circuit breaker", left_alone),
    ("Warming", nothing),
    ("Health", with_a_low_hit_rate),
    ("Monitoring", with_a_low_hit_rate),
    ("Recovery", damaged),
    ("Stuck: jobs, keys, disks, AWS", used),
    ("Emergency: disable the cache", used),
];

fn nothing(_: &mut World) {}

fn used(world: &mut World) {
    for words in ["user list", "user list", "group list"] {
        world.run(words.split(' ')).ok();
    }
}

fn with_the_cast(world: &mut World) {
    let user = ["user", "create", "--username", "alice", "--first-name", "Alice", "--last-name", "Doe", "--yes"];
    world.run(user).ok();
    world.run(["group", "create", "--name", "Developers", "--yes"]).ok();
    // What was changed a moment ago is not kept yet.
    world.later("1m");
    used(world);
}

fn with_the_four_keys(world: &mut World) {
    world.run(["group", "list"]).ok();
    let known = world.run(["cache", "invalidate", "update", "user", "x", "--dry-run", "--json"]).ok().json();
    let (space, cache) = (known["space"].as_str().unwrap().to_owned(), world.app().cache());
    for key in ["user:list:all", "user:describe:user-123", "group:list:all", "group:members:group-456"] {
        let fresh = Fresh { key: Key::parse(key).unwrap(), payload: b"{}".to_vec(), source: "a test" };
        assert_eq!(cache.fill(&space, &[fresh], cache.ticket().unwrap()).unwrap().stored, 1);
    }
}

fn damaged(world: &mut World) {
    used(world);
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    std::fs::write(world.cache_dir().join(live.trim()), "this is no database".repeat(500)).unwrap();
}

fn left_alone(world: &mut World) {
    used(world);
    let app = world.app();
    let now = app.clock().now();
    let mark = PersistedBreaker {
        state: BreakerStatus::Open,
        failure_count: 5,
        last_failure_time: Some(now),
        ..PersistedBreaker::default()
    };
    app.state().set_breaker(app.cache_dir(), mark, now).unwrap();
}

fn with_a_low_hit_rate(world: &mut World) {
    world.mailbox();
    world.looked_up(LookupOutcome::Hit, Resource::User, 40);
    world.looked_up(LookupOutcome::MissExpired, Resource::User, 60);
}

/// A command of the page: its line, itself, how it ends, and the words under it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    line: usize,
    command: String,
    exit: i32,
    shown: Vec<String>,
}

impl Typed {
    fn new(line: usize, text: &str) -> Typed {
        let (command, exit) = match text.rsplit_once("# exit ") {
            Some((command, exit)) => (command, exit.trim().parse().unwrap()),
            None => (text, 0),
        };
        Typed { line, command: command.trim_end().to_owned(), exit, shown: Vec::new() }
    }
}

/// The lines of one chapter, with their numbers.
fn lines(chapter: &str) -> impl Iterator<Item = (usize, &'static str)> {
    let heading = format!("## {chapter}");
    let numbered = PAGE.lines().enumerate().map(|(at, line)| (at + 1, line));
    numbered.skip_while(move |(_, line)| *line != heading).skip(1).take_while(|(_, line)| !line.starts_with("## "))
}

/// The commands of one chapter: those of each block, which share a shell, and those in running text, one by one.
fn typed(chapter: &str) -> Vec<Vec<Typed>> {
    let (mut groups, mut fence): (Vec<Vec<Typed>>, Option<&str>) = (Vec::new(), None);
    for (number, line) in lines(chapter).map(|(number, line)| (number, line.trim_start())) {
        match (line.strip_prefix("```"), fence) {
            (Some(language), None) => {
                fence = Some(language);
                groups.push(Vec::new());
            }
            (Some(_), Some(_)) => fence = None,
            (None, None) => {
                let spans = line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("awsideman "));
                groups.extend(spans.filter(|span| !runs_on(span)).map(|span| vec![Typed::new(number, span)]));
            }
            (None, Some(language)) => {
                let block = groups.last_mut().expect("a block was begun");
                match (language, line.strip_prefix("$ ")) {
                    ("console", Some(command)) => block.push(Typed::new(number, command)),
                    ("console", None) => block.last_mut().expect("a command").shown.push(line.to_owned()),
                    ("sh", _) if line.is_empty() => {}
                    ("sh", _) => block.push(Typed::new(number, line)),
                    _ => panic!("line {number}: a block that is neither `sh` nor `console`"),
                }
            }
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Whether a command in running text does not end by itself.
fn runs_on(command: &str) -> bool {
    command == "awsideman jobs daemon"
}

/// Runs the commands of a block in one shell; what each gave stands in files of its own.
fn run(world: &World, block: &[Typed]) {
    let out = world.beside("shown");
    let _ = std::fs::remove_dir_all(&out);
    std::fs::create_dir(&out).unwrap();
    let mut script = String::from("set +e\n");
    for (n, typed) in block.iter().enumerate() {
        let at = out.join(n.to_string()).display().to_string();
        let command = beside(world, &typed.command);
        let _ = writeln!(script, "{{ {command}\n}} >{at}.out 2>{at}.err; echo $? >{at}.exit");
    }
    world.shell(&script).ok();
    for (n, typed) in block.iter().enumerate() {
        let read = |ending: &str| std::fs::read_to_string(out.join(format!("{n}.{ending}"))).unwrap_or_default();
        let words = format!("docs/troubleshooting.md:{}: {}", typed.line, typed.command);
        let ran = Ran::given(words, read("exit").trim().parse().unwrap_or(-1), read("out"), read("err"));
        let ran = ran.code(typed.exit);
        for line in &typed.shown {
            ran.clone().shows(line);
        }
    }
}

/// A command with the places of the page in the world of the test.
fn beside(world: &World, command: &str) -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    command
        .replace("/var/cache/awsideman", &world.beside("var-cache").display().to_string())
        .replace("/var/log/awsideman.log", &world.beside("awsideman.log").display().to_string())
        .replace("scripts/", &format!("{}/", scripts.display()))
}

fn chapter(title: &str) {
    let (_, prepare) = CHAPTERS.iter().find(|(known, _)| *known == title).expect("a chapter");
    let mut world = World::small();
    prepare(&mut world);
    // A log that does not exist yet cannot be searched.
    std::fs::OpenOptions::new().create(true).append(true).open(world.beside("awsideman.log")).unwrap();
    let blocks = typed(title);
    assert!(!blocks.is_empty(), "{title}: the chapter was not found");
    for block in blocks {
        run(&world, &block);
    }
}

#[test]
fn the_chapters_are_in_order_and_each_has_commands() {
    let titles: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(titles, CHAPTERS.iter().map(|(title, _)| *title).collect::<Vec<_>>());
    let counts: Vec<usize> = titles.iter().map(|title| typed(title).iter().map(Vec::len).sum()).collect();
    assert!(counts.iter().all(|count| *count > 2), "{titles:?}: {counts:?}");
    assert!(counts.iter().sum::<usize>() > 120, "{counts:?}");
}

#[test]
fn a_command_is_read_with_its_exit_code_and_shown_text() {
    let health = &typed("Health")[0][0];
    assert_eq!((health.command.as_str(), health.exit), ("awsideman cache health", 6));
    assert!(health.shown.contains(&"critical  hit_rate".to_owned()), "{health:?}");
    let mail = typed("Monitoring");
    assert!(mail.iter().flatten().any(|typed| typed.command == "awsideman alerts test"), "{mail:?}");
}

macro_rules! chapters {
    ($($name:ident: $title:literal,)*) => { $(#[test] fn $name() { chapter($title); })* };
}

chapters! {
    first_steps: "First steps",
    bypass_the_cache_immediately: "Bypass the cache immediately",
    outdated_answers: "Outdated answers",
    slow_commands: "Slow commands",
    backend_errors: "Backend errors",
    threads_and_processes: "Threads and processes",
    growth_and_memory: "Growth and memory",
    keys: "Keys",
    what_a_change_invalidates: "What a change invalidates",
    the_circuit_breaker: "The circuit breaker",
    warming: "Warming",
    health: "Health",
    monitoring: "Monitoring",
    recovery: "Recovery",
    stuck: "Stuck: jobs, keys, disks, AWS",
    emergency: "Emergency: disable the cache",
}
