//! Runs README.md, docs/configuration.md and docs/sandbox.md: the console blocks of a document in order in one home. The
//! output must equal the document.
//!
//! `UPDATE=1 cargo test --test cli readme` writes the printed output into the documents.

use crate::home::Home;
use crate::world::World;
use awsideman::sandbox::Shape;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The home directory in the README.
const SHOWN_HOME: &str = "/home/you";
/// The port of the sandbox in the README; the test takes a free one.
const SHOWN_PORT: &str = "9199";

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// One fenced block: its language, and its lines as indexes into the lines of the document.
struct Block {
    language: String,
    lines: std::ops::Range<usize>,
}

fn blocks(lines: &[String]) -> Vec<Block> {
    let fences: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.starts_with("```")).map(|(at, _)| at).collect();
    assert_eq!(fences.len() % 2, 0, "a code block is not closed");
    let block = |pair: &[usize]| Block { language: lines[pair[0]][3..].to_owned(), lines: pair[0] + 1..pair[1] };
    fences.chunks(2).map(block).collect()
}

/// A home with the binary in the path.
struct Reader {
    home: Home,
    bin: tempfile::TempDir,
}

impl Reader {
    fn new() -> Reader {
        let bin = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_awsideman"), bin.path().join("awsideman")).unwrap();
        Reader { home: Home::new(), bin }
    }

    /// A shell that a reader of the README types into, at the root of the checkout.
    fn shell(&self, line: &str) -> Command {
        let path = format!("{}:{}", self.bin.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["-o", "pipefail", "-c", line])
            .env_clear()
            .envs([("HOME", self.home.path().as_os_str()), ("PATH", path.as_ref())])
            .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
            // For root it would be the host's.
            .env("AWSIDEMAN_LOG_FILE", self.home.path().join("awsideman.log"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null());
        command
    }

    /// What a command prints on both streams, with the home directory of the README.
    fn printed(&self, line: &str, variables: &[(String, String)]) -> String {
        let mut command = self.shell(&format!("exec 2>&1; {line}"));
        let output = command.envs(variables.iter().cloned()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.replace(&self.home.path().display().to_string(), SHOWN_HOME)
    }
}

/// A line without the parts that differ from run to run: times, free space, the name of a mail, the width of columns.
fn comparable(line: &str) -> String {
    let is_time = |word: &str| {
        let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        number.len() < word.len() && number.parse::<f64>().is_ok()
    };
    let is_mail = |word: &str| Path::new(word).extension().is_some_and(|kind| kind == "eml");
    let is_timestamp = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        digits >= 6 && word.bytes().all(|byte| byte.is_ascii_digit() || b"-:".contains(&byte))
    };
    let words = line.split_whitespace().map(|word| match word {
        word if is_mail(word) => word.rsplit_once('/').map_or("MAIL", |(folder, _)| folder),
        word if is_time(word) || is_timestamp(word) => "TIME",
        word => word,
    });
    let words: Vec<&str> = words.collect();
    let size = |at: usize| words.get(at + 1).is_some_and(|unit| ["KB", "MB", "GB"].contains(unit));
    let masked = words.iter().enumerate().map(|(at, word)| if size(at) { "SIZE" } else { *word });
    masked.collect::<Vec<_>>().join(" ")
}

/// The commands of a console block, each with the lines that the README shows under it.
fn typed(lines: &[String]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in lines {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push((command.to_owned(), Vec::new())),
            (None, Some((_, shown))) => shown.push(line.clone()),
            (None, None) => panic!("a console block begins with a command: {line}"),
        }
    }
    found
}

/// A sandbox that is stopped with its value, as the README starts it.
struct Served(Child, Vec<(String, String)>);

impl Served {
    fn new(reader: &Reader, line: &str) -> Served {
        let line = line.trim_end_matches(" &").replace(SHOWN_PORT, "0");
        let mut child = reader.shell(&format!("exec {line}")).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.map(|line| line.strip_prefix("export AWS_ENDPOINT_URL=").map(str::to_owned));
        let url = url.into_iter().flatten().next().expect("the sandbox prints its endpoint");
        Served(child, vec![("AWS_ENDPOINT_URL".into(), url)])
    }

    fn port(&self) -> &str {
        self.1[0].1.rsplit(':').next().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_readme_shows_what_its_commands_print() {
    assert!(run_blocks_of("README.md") > 6, "the blocks of the README were not found");
}

#[test]
fn the_manual_of_configuration_shows_what_its_commands_print() {
    assert_eq!(run_blocks_of("docs/configuration.md"), 2);
}

#[test]
fn the_manual_of_the_sandbox_shows_what_its_commands_print() {
    assert_eq!(run_blocks_of("docs/sandbox.md"), 1);
}

/// Runs the blocks of a document and compares the output; returns how many there are.
fn run_blocks_of(name: &str) -> usize {
    let text = std::fs::read_to_string(document(name)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (reader, mut served, mut variables) = (Reader::new(), None, Vec::new());
    let mut wrong = String::new();
    let mut replacements: Vec<(std::ops::Range<usize>, Vec<String>)> = Vec::new();
    let mut last_shell = String::new();
    // The README shows a result before the command that prepares it: shell blocks run first.
    let (console, shell): (Vec<Block>, Vec<Block>) =
        blocks(&lines).into_iter().partition(|block| block.language == "console");
    for block in shell.into_iter().chain(console) {
        let range = block.lines.clone();
        let shown = &lines[range.clone()];
        let runs: Vec<(String, Vec<String>)> = match block.language.as_str() {
            "console" => typed(shown),
            // The output of the command in the block before it.
            "text" => {
                let command = last_shell.replace("cargo run --release --", "awsideman");
                vec![(command, shown.to_vec())]
            }
            "sh" => {
                last_shell = shown.join("\n");
                if let Some(line) = shown.iter().find(|line| line.contains("sandbox serve") && line.ends_with('&')) {
                    let sandbox = Served::new(&reader, line);
                    let exports = shown.iter().filter_map(|line| line.strip_prefix("export "));
                    let pairs = exports.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('='));
                    variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    variables.extend(sandbox.1.clone());
                    for line in shown.iter().filter(|line| line.starts_with("awsideman user list")) {
                        reader.printed(line, &variables);
                    }
                    served = Some(sandbox);
                }
                continue;
            }
            _ => continue,
        };
        let mut printed_block = Vec::new();
        for (command, shown) in runs {
            let line =
                served.as_ref().map_or(command.clone(), |served: &Served| command.replace(SHOWN_PORT, served.port()));
            let printed = reader.printed(&line, &variables);
            let same = |a: &[String], b: &[String]| {
                a.iter().map(|line| comparable(line)).eq(b.iter().map(|line| comparable(line)))
            };
            let printed: Vec<String> = printed.lines().map(|line| line.trim_end().to_owned()).collect();
            if !same(&shown, &printed) {
                let _ =
                    write!(wrong, "$ {command}\n{}\n-- the document has\n{}\n\n", printed.join("\n"), shown.join("\n"));
            }
            if block.language == "console" {
                printed_block.push(format!("$ {command}"));
            }
            printed_block.extend(if same(&shown, &printed) { shown } else { printed });
        }
        replacements.push((range, printed_block));
    }
    let count = replacements.len();
    replacements.sort_by_key(|(range, _)| range.start);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        for (range, block) in replacements.into_iter().rev() {
            lines.splice(range, block);
        }
        std::fs::write(document(name), lines.join("\n") + "\n").unwrap();
        return count;
    }
    assert!(
        wrong.is_empty(),
        "{name}: run `UPDATE=1 cargo nextest run -j 1 --test cli readme` and read what changed\n\n{wrong}"
    );
    count
}

/// The shell block of docs/ci.md between two marks.
fn marked(name: &str) -> String {
    let text = std::fs::read_to_string(document("docs/ci.md")).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n```sh\n")).expect("the mark is in docs/ci.md");
    rest.split_once("```").unwrap().0.to_owned()
}

/// A host of a pipeline: a checkout with `config/`, an empty home, and the group that docs/ci.md names.
fn pipeline_host(shape: &Shape) -> World {
    let mut world = World::of(shape);
    std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), world.home().join("config"))
        .unwrap();
    world.set("AWS_ACCESS_KEY_ID", "ASIAQNZGKIQY56JQ7WML");
    world
}

#[test]
fn the_documented_pipeline_works_and_its_later_jobs_make_no_call() {
    let world = pipeline_host(&Shape { users: 120, groups: 5, ..Shape::default() });
    world.run(["group", "create", "--name", "Developers", "--yes"]).ok();
    std::fs::remove_dir_all(world.cache_dir()).unwrap();
    let warm = |world: &World| world.calls_of(|| world.shell(&format!("set -e\n{}", marked("pipeline"))).ok());
    // Two pages of users, one of groups, the members of seven groups, and the instance.
    assert_eq!(warm(&world), 11);
    let listed = std::fs::read_to_string(world.home().join("users.csv")).unwrap();
    assert_eq!(listed.lines().count(), 121);
    // Another host: nothing but the checkout and the archive is there.
    let archive = std::fs::read(world.home().join("cache.awsideman")).unwrap();
    for left in [".awsideman", ".local", ".cache", ".config"] {
        let _ = std::fs::remove_dir_all(world.home().join(left));
    }
    std::fs::write(world.home().join("cache.awsideman"), archive).unwrap();
    let import = format!("set -e\n{}", marked("pipeline-import"));
    assert_eq!(world.calls_of(|| world.shell(&import).ok().stdout_has("[]")), 0);
}

#[test]
fn pipeline_steps_that_outlast_default_ttls_still_answer_from_the_cache() {
    let mut world = pipeline_host(&Shape { users: 20, groups: 3, ..Shape::default() });
    world.run(["group", "create", "--name", "Developers", "--yes"]).ok();
    world.later("1h").shell(&format!("set -e\n{}", marked("pipeline"))).ok();
    world.later("4h");
    let read = "export AWSIDEMAN_CONFIG=config/ci.toml AWSIDEMAN_CACHE_DIR=$PWD/.awsideman\n\
        awsideman user list --cache-only && awsideman group members Developers --cache-only";
    assert_eq!(world.calls_of(|| world.shell(read).ok()), 0);
}

#[test]
fn concurrent_pipelines_on_one_host_share_one_warm() {
    let world = pipeline_host(&Shape { users: 120, groups: 5, ..Shape::default() });
    world.run(["group", "create", "--name", "Developers", "--yes"]).ok();
    std::fs::remove_dir_all(world.cache_dir()).unwrap();
    let step = marked("pipeline").replace("cache.awsideman", "$$.awsideman").replace("users.csv", "$$.csv");
    let line = format!("for n in 1 2 3; do (set -e; {step}) & done; for job in $(jobs -p); do wait $job || exit; done");
    let before = world.calls();
    world.shell(&line).ok();
    let calls = world.calls();
    assert_eq!(calls.total - before.total, 11, "one warm's calls: {:?}", calls.by_operation);
}

#[test]
fn the_manual_of_encryption_works_in_its_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/encryption.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let world = World::small();
    world.run(["user", "list"]).ok();
    let configure = |enabled: bool| {
        let key = world.home().join(".config/awsideman/cache.key");
        world.configure(&format!(
            "[cache.encryption]\nenabled = {enabled}\nkey_file = {:?}\n",
            key.display().to_string()
        ));
    };
    let blocks: Vec<Block> = blocks(&lines).into_iter().filter(|block| block.language == "console").collect();
    let commands: Vec<(String, Vec<String>)> =
        blocks.iter().flat_map(|block| typed(&lines[block.lines.clone()])).collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    for (command, shown) in commands {
        if command.ends_with(" disable") {
            configure(false);
        }
        let mut ran = world.shell(&command).ok();
        for line in shown.iter().filter(|line| !line.is_empty()) {
            let line = line.replace("9a4ffca2", "...").replace("/home/ann", &world.home().display().to_string());
            ran = ran.shows(&line);
        }
        if command.ends_with("enable --generate") {
            configure(true);
        }
        world.run(["user", "list", "--cache-only"]);
    }
    world.run(["user", "list", "--cache-only"]).ok();
}
