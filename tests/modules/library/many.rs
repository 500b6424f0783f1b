//! Many threads and processes at once.

use super::fixture::{Place, succeeds, task};
use awsideman::library::CacheManager;

/// Processes, and updates of each.
fn sizes() -> (u32, u64) {
    if std::env::var_os("AWSIDEMAN_SOAK").is_some_and(|value| value == "1") { (8, 2_000) } else { (4, 50) }
}

#[test]
fn processes_that_count_up_lose_none() {
    if let Some(times) = task() {
        let cache = CacheManager::shared().unwrap();
        for _ in 0..times.parse().unwrap() {
            cache.update("counter", |before: Option<u64>| before.unwrap_or(0) + 1).unwrap();
        }
        return;
    }
    let (processes, times) = sizes();
    let place = Place::new();
    let start = |_| place.child("library::many::processes_that_count_up_lose_none", &times.to_string());
    let children: Vec<_> = (0..processes).map(start).collect();
    children.into_iter().for_each(succeeds);
    let counted: Option<u64> = place.handle().get("counter").unwrap();
    assert_eq!(counted, Some(u64::from(processes) * times));
    println!("library: {processes} processes counted to {} in one entry, 0 lost", u64::from(processes) * times);
}
