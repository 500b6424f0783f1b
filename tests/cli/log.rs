//! The log: what the guide greps for is there, names are not, and a log that cannot be written changes nothing.

use super::run::World;

fn damage(world: &World) {
    for entry in std::fs::read_dir(world.cache_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            std::fs::write(&path, "no database at all ".repeat(5_000)).unwrap();
        }
    }
}

fn log(world: &World) -> String {
    std::fs::read_to_string(world.beside("awsideman.log")).unwrap_or_default()
}

#[test]
fn a_fault_of_the_cache_is_a_line_that_grep_finds_and_a_healthy_cache_writes_none() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    world.run(["user", "list"]).ok();
    assert_eq!(log(&world), "");
    damage(&world);
    world.run(["user", "list"]).ok();
    let text = log(&world);
    assert!(
        text.lines().any(|line| line.contains("WARN") && line.contains("CacheError CacheBackendError: ")),
        "{text}"
    );
    assert!(text.starts_with("20") && text.contains("Z awsideman["), "{text}");
    world.shell(&format!("grep -c CacheError {}", world.beside("awsideman.log").display())).ok();
}

#[test]
fn json_lines_and_other_levels_are_a_matter_of_configuration() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_FORMAT", "json");
    world.run(["user", "list"]).ok();
    damage(&world);
    world.run(["user", "list"]).ok();
    let text = log(&world);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert!(line["message"].as_str().unwrap().starts_with("CacheError CacheBackendError"), "{line}");
    std::fs::remove_file(world.beside("awsideman.log")).unwrap();
    world.set("AWSIDEMAN_LOG_LEVEL", "off");
    world.run(["user", "list"]).ok();
    assert_eq!(log(&world), "");
}

#[test]
fn a_log_that_cannot_be_written_never_fails_a_command() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_FILE", "/proc/none/awsideman.log");
    world.run(["user", "list"]).ok();
    damage(&world);
    world.run(["user", "list"]).ok();
}

#[test]
fn systemd_s_directory_comes_first_and_the_sandbox_keeps_its_own() {
    let mut world = World::small();
    let logs = world.beside("logs").display().to_string();
    world.set("AWSIDEMAN_LOG_FILE", "").set("LOGS_DIRECTORY", &logs);
    let shown = world.run(["config", "show", "--origin"]).ok().stdout;
    let line = shown.lines().find(|line| line.contains("log.file") || line.contains("file =")).unwrap_or_default();
    assert!(shown.contains("logs/awsideman.log") && shown.contains("LOGS_DIRECTORY"), "{line}\n{shown}");
}
