//! A state database that one long text filled: it is read in little memory, and gives its space back.

use super::measure;
use crate::world::World;

/// More than the memory that a command may take.
const LONG: &str = "printf('%.*c', 150000000, 'x')";

#[test]
fn a_150_mb_ledger_text_is_dropped_and_its_space_freed() {
    let world = World::small();
    world.run(["jobs", "run", "cleanup"]).ok();
    let change = |sql: &str| {
        let (mut database, _) = world.app().database().unwrap();
        database.connection().execute_batch(sql).unwrap();
    };
    change(&format!("UPDATE runs SET reason = {LONG}"));
    for words in [vec!["jobs", "history"], vec!["jobs", "list"], vec!["jobs", "history", "--json"]] {
        let run = measure(&mut world.command(words.clone()), &words.join(" "));
        run.is_bounded(&words.join(" "));
        run.ran.ok();
    }
    world.run(["jobs", "history"]).ok().says("(150000000 bytes, too long to be shown)");
    change("DELETE FROM runs");
    let size = || std::fs::metadata(world.state_dir().join("state.db")).unwrap().len();
    assert!(size() > 100_000_000, "{}", size());
    world.run(["cache", "cleanup"]).ok();
    assert!(size() < 2_000_000, "{}", size());
}
