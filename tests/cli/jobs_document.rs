//! `docs/jobs.md` typed line by line: what it shows works as it stands there.
//!
//! The lines run in one world, in their order, so that a document which resumes what it never paused would be
//! found.

use crate::world::World;

#[test]
fn every_command_of_the_jobs_manual_does_what_it_shows() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/jobs.md")).unwrap();
    let mut world = World::small();
    // Whoever installs has a shell without these.
    world.set("AWS_PROFILE", "");
    let (mut in_shell, mut typed) = (false, 0);
    for line in text.lines() {
        match line {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            _ if in_shell => {
                world.shell(line).ok();
                typed += 1;
            }
            _ => {}
        }
    }
    assert!(typed > 15, "{typed}");
    let paused = world.run(["jobs", "list", "--json"]).ok().json();
    assert!(paused["jobs"].as_array().unwrap().iter().all(|job| job["paused"].is_null()), "{paused}");
}
