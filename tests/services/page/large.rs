//! The page over a large cache: what a look costs the daemon, and the host.
//!
//! A look reads figures about entries and never the entries, so it costs the same whatever they hold.
//! `AWSIDEMAN_SOAK=1`: 100,000 entries.

use super::HEALTH;
use super::site::Site;
use awsideman::app::StoreStack;
use awsideman::cache::{Fresh, Key};
use awsideman::model::Resource;
use std::time::Instant;

/// Entries are filled so many at a time.
const BATCH: usize = 500;

/// Stores entries that no compression makes small; their bytes.
fn fill(site: &Site, entries: usize, bytes: usize) -> u64 {
    let app = site.app();
    let cache = app.cache();
    let mut dice = fastrand::Rng::with_seed(7);
    let resources = [Resource::User, Resource::Group, Resource::Assignment];
    for first in (0..entries).step_by(BATCH) {
        let batch: Vec<Fresh> = (first..entries.min(first + BATCH))
            .map(|n| {
                let letters: String = std::iter::repeat_with(|| dice.alphanumeric()).take(bytes).collect();
                let key = Key::new(resources[n % resources.len()], "describe", &n.to_string());
                Fresh { key, payload: format!("\"{letters}\"").into_bytes(), source: "a test" }
            })
            .collect();
        let ticket = cache.ticket().unwrap();
        assert_eq!(cache.fill("a space", &batch, ticket).unwrap().stored, batch.len() as u64);
    }
    // As a warm ends: who opens a database with a log reads the log first.
    StoreStack::new(&app).fold_log();
    (entries * bytes) as u64
}

#[test]
fn a_look_at_a_large_cache_reads_no_entry_and_costs_little() {
    let is_soak = std::env::var_os("AWSIDEMAN_SOAK").is_some();
    let (entries, bytes) = if is_soak { (100_000, 2_000) } else { (400, 50_000) };
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    let held = fill(&site, entries, bytes);
    let paths: &[&str] = if is_soak { &["/", "/metrics", "/api/status"] } else { &["/"] };
    for path in paths {
        // One for each: what was gathered is shown for a while, and only the first look costs something.
        let mut daemon = site.daemon("");
        if path == &paths[0] {
            daemon.says("health: done");
        }
        let (before, begun) = (daemon.bytes_read(), Instant::now());
        let length = daemon.body(path).len();
        let (took, read) = (begun.elapsed(), daemon.bytes_read() - before);
        assert!(read < held / 8, "{path} reads {read} bytes of {held}");
        let (begun, before) = (Instant::now(), daemon.bytes_read());
        daemon.body(path);
        let (again, more) = (begun.elapsed(), daemon.bytes_read() - before);
        if is_soak {
            eprintln!(
                "{entries} entries of {bytes} bytes: {path} took {took:?} and read {read} bytes for {length}, \
                 at once after it {again:?} and {more}"
            );
        }
    }
}
