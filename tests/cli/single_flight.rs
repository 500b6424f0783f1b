//! Many at once on a cache that does not exist yet.

use crate::world::{Ran, World};
use std::process::{Child, Stdio};

const CROWD: usize = 50;

#[test]
fn fifty_processes_on_a_fresh_cache_walk_once_and_leave_it_intact() {
    let mut world = World::new();
    // Everybody missed once: that is no verdict about the cache.
    world.set("AWSIDEMAN_HEALTH_MIN_SAMPLES", "1000");
    let begun: Vec<Child> = (0..CROWD)
        .map(|_| {
            let mut command = world.command(["user", "list", "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut answers: Vec<String> = begun
        .into_iter()
        .map(|child| Ran::of("user list --json".into(), &child.wait_with_output().unwrap()).ok().silent().stdout)
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "all saw the same");
    assert!(answers[0].len() > 50_000);
    // Three pages of people, once; and the instance was asked for once.
    assert_eq!((world.list_calls(), world.calls().total), (3, 4));
    world.run(["cache", "test"]).ok();
    world.run(["cache", "health"]).ok();
    let status = world.status();
    assert_eq!((status["healthy"].as_bool(), status["error_count"].as_u64()), (Some(true), Some(0)));
    assert_eq!(status["issues"].as_array().map(Vec::len), Some(0));
    assert_eq!(status["circuit_breaker"]["failure_count"], 0);
    let samples = status["hit_rate_samples"].as_u64().unwrap();
    assert!(samples >= CROWD as u64, "every lookup was counted: {samples}");
    assert_eq!(world.calls_of(|| assert_eq!(world.run(["user", "list", "--json"]).ok().stdout, answers[0])), 0);
}
