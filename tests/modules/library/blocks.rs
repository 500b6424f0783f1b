//! The Python blocks of the troubleshooting guide, in its order: each is here as a program would write it in Rust.
//!
//! `docs/library.md` maps them by these names. Promise: each does what its Python did, and its claims are assertions.

use super::fixture::{Place, at_home};
use awsideman::clock::{Clock, SystemClock};
use awsideman::config::Sources;
use awsideman::library::{BreakerStatus, CacheManager, LibraryError, PersistedBreaker, PutItem, Stats, build_key};
use awsideman::secure_fs::Access;
use awsideman::state::StateDir;
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn stale_data_check_invalidation_rules() {
    let cache = Place::new().handle();
    cache.set("user:describe:user-123", &json!({"UserId": "user-123"})).unwrap();
    let count = cache.invalidate_for_operation("update", "user", "user-123").unwrap();
    println!("Invalidated {count} entries");
    assert_eq!(count, 1);
}

#[test]
fn stale_data_reduce_ttl() {
    let place = Place::new();
    let cache = place.handle();
    cache.set("report:last", &1).unwrap();
    let later = place.handle_later("6m");
    assert_eq!(later.get("report:last").unwrap(), Some(1), "15 minutes");
    later.set_default_ttl(5 * MINUTE).unwrap();
    assert_eq!(later.get::<u32>("report:last").unwrap(), None, "a shorter time acts at once");
}

#[test]
fn performance_tune_ttl_values() {
    let place = Place::new();
    place.handle().set("user:list:all", &json!([])).unwrap();
    let cache = place.handle_later("9m");
    assert!(cache.exists("user:list:all").unwrap());
    for (operation, ttl) in [
        ("user:list", 10 * MINUTE),
        ("user:describe", 30 * MINUTE),
        ("group:members", 5 * MINUTE),
        ("permission_set:list", 2 * HOUR),
    ] {
        cache.set_ttl(operation, ttl).unwrap();
    }
    assert!(cache.exists("user:list:all").unwrap(), "they are the defaults");
    cache.set_ttl("user:list", 8 * MINUTE).unwrap();
    assert!(!cache.exists("user:list:all").unwrap());
}

#[test]
fn performance_monitor_and_alert() {
    fn monitor_cache_health(stats: &Stats) -> Vec<String> {
        let mut warnings = Vec::new();
        if stats.hit_rate_percentage < 70.0 {
            warnings.push(format!("Low cache hit rate: {:.1}%", stats.hit_rate_percentage));
        }
        if stats.memory_usage_bytes > 100 * 1024 * 1024 {
            warnings.push(format!("High memory usage: {:.1}MB", megabytes(stats.memory_usage_bytes)));
        }
        warnings
    }
    let cache = Place::new().handle();
    assert_eq!(monitor_cache_health(&cache.stats()), Vec::<String>::new());
    cache.set("k", &1).unwrap();
    assert_eq!(cache.get("k").unwrap(), Some(1));
    assert_eq!(cache.get::<u8>("absent").unwrap(), None);
    assert_eq!(monitor_cache_health(&cache.stats()), ["Low cache hit rate: 50.0%"]);
    let large = Stats { memory_usage_bytes: 150 * 1024 * 1024, hit_rate_percentage: 70.0, ..cache.stats() };
    assert_eq!(monitor_cache_health(&large), ["High memory usage: 150.0MB"]);
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

#[test]
fn backend_errors_configure_circuit_breaker() {
    let place = Place::new();
    let cache = place.handle();
    cache.configure_circuit_breaker(3, Duration::from_secs(30)).unwrap();
    // A file where the directory should be: every operation fails.
    std::fs::create_dir_all(place.home.path().join(".cache")).unwrap();
    std::fs::write(place.home.path().join(".cache/awsideman"), "").unwrap();
    assert_eq!(cache.get::<u8>("k").unwrap(), None, "a read is a miss, whatever the cache is like");
    assert!(cache.set("k", &1).is_err());
    assert_eq!(cache.stats().error_count, 3, "the figures could not be had either");
    std::fs::remove_file(place.home.path().join(".cache/awsideman")).unwrap();
    assert!(cache.set("k", &1).unwrap());
    cache.configure_circuit_breaker(10, Duration::from_secs(30)).unwrap();
    assert_eq!(cache.get("k").unwrap(), Some(1));
    let refused = cache.configure_circuit_breaker(0, Duration::from_secs(30)).unwrap_err();
    assert!(refused.to_string().contains("cache.breaker.failure_threshold"), "{refused}");
}

#[test]
fn thread_safety_test() {
    fn test_thread_safety() {
        fn worker() {
            let cache = CacheManager::shared().unwrap();
            for i in 0..100 {
                cache.set(&format!("thread_key_{i}"), &format!("data_{i}")).unwrap();
                let data: Option<String> = cache.get(&format!("thread_key_{i}")).unwrap();
                assert_eq!(data, Some(format!("data_{i}")));
            }
        }
        let threads: Vec<_> = (0..10).map(|_| std::thread::spawn(worker)).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        println!("Thread safety test passed");
    }
    at_home("library::blocks::thread_safety_test", test_thread_safety);
}

#[test]
fn thread_safety_verify_singleton() {
    fn verify_singleton() {
        let threads: Vec<_> = (0..10).map(|_| std::thread::spawn(|| CacheManager::shared().unwrap())).collect();
        let instances: Vec<CacheManager> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(instances.iter().all(|instance| *instance == instances[0]));
        assert_ne!(instances[0], CacheManager::open(Sources::from_process(None)).unwrap());
    }
    at_home("library::blocks::thread_safety_verify_singleton", verify_singleton);
}

#[test]
fn thread_safety_safe_increment() {
    fn safe_increment(cache: &CacheManager, key: &str) -> Result<u64, LibraryError> {
        cache.update(key, |current| current.unwrap_or(0) + 1)
    }
    let cache = &Place::new().handle();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| (0..100).for_each(|_| assert!(safe_increment(cache, "counter").unwrap() > 0)));
        }
    });
    assert_eq!(cache.get("counter").unwrap(), Some(1_000));
}

#[test]
fn memory_leaks_configure_lru_eviction() {
    let place = Place::new();
    let cache = place.handle();
    cache.configure_storage("memory", 1_000, "lru").unwrap();
    // Times are kept to the millisecond.
    let a_moment = || std::thread::sleep(Duration::from_millis(2));
    for n in 0..1_000 {
        cache.set(&format!("k{n}"), &n).unwrap();
        if n == 0 {
            a_moment();
        }
    }
    a_moment();
    assert_eq!(cache.get("k0").unwrap(), Some(0), "stored first, used last");
    cache.set("one_more", &0).unwrap();
    assert_eq!(cache.stats().total_entries, 1_000);
    assert_eq!(cache.get("k0").unwrap(), Some(0), "what was used last stays");
    assert!(!place.home.path().join(".cache").exists());
    assert!(cache.configure_storage("memory", 10, "fifo").unwrap_err().to_string().contains("lru"));
    assert!(cache.configure_storage("tape", 10, "lru").unwrap_err().to_string().contains("cache.backend"));
}

#[test]
fn memory_leaks_periodic_cleanup() {
    fn cleanup_cache(cache: &CacheManager) -> Result<u64, LibraryError> {
        Ok(cache.cleanup_expired()?.entries() + cache.enforce_limits()?.entries())
    }
    let mut place = Place::new();
    let cache = place.handle();
    cache.set_with_ttl("short", &1, MINUTE).unwrap();
    for n in 0..10 {
        cache.set_with_ttl(&format!("long{n}"), &1, HOUR).unwrap();
    }
    assert_eq!(cleanup_cache(&cache).unwrap(), 0);
    place.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "5");
    let later = place.handle_later("61s");
    assert_eq!(later.get("long0").unwrap(), Some(1));
    assert_eq!(cleanup_cache(&later).unwrap(), 1 + 6, "one has expired, and four of five may stay");
    assert_eq!(later.stats().total_entries, 4);
    assert!(later.exists("long0").unwrap(), "what was used last stays");
}

#[test]
fn debug_cache_key_generation() {
    let key = build_key("user", "list", "all", &json!({"identity_store_id": "d-1234567890"})).unwrap();
    println!("Generated key: {key}");
    let key1 = build_key("user", "list", "all", &json!({"store": "123"})).unwrap();
    let key2 = build_key("user", "list", "all", &json!({"store": "123"})).unwrap();
    assert_eq!(key1, key2, "Keys should be identical for same parameters");
    assert_ne!(key, key1);
    let place = Place::new();
    let printed = super::fixture::awsideman(place.home.path(), "cache key user list all --param store=123");
    assert_eq!(printed.trim(), key1, "the command makes the same key");
}

#[test]
fn debug_invalidation_patterns() {
    let cache = Place::new().handle();
    let test_keys = ["user:list:all", "user:describe:user-123", "group:list:all", "group:members:group-456"];
    for key in test_keys {
        assert!(cache.set(key, &format!("data_for_{key}")).unwrap());
    }
    let count = cache.invalidate_for_operation("update", "user", "user-123").unwrap();
    println!("Invalidated {count} entries");
    assert_eq!(count, 2);
    let verdicts = test_keys.map(|key| {
        let data: Option<String> = cache.get(key).unwrap();
        format!("{key}: {}", if data.is_some() { "EXISTS" } else { "INVALIDATED" })
    });
    assert_eq!(
        verdicts,
        [
            "user:list:all: INVALIDATED",
            "user:describe:user-123: INVALIDATED",
            "group:list:all: EXISTS",
            "group:members:group-456: EXISTS"
        ]
    );
}

#[test]
fn monitor_cache_circuit_breaker() {
    fn monitor_circuit_breaker(cache: &CacheManager) -> Vec<String> {
        let breaker = cache.circuit_breaker();
        let mut lines = vec![
            format!("Circuit Breaker State: {}", breaker.state.as_str()),
            format!("Failure Count: {}", breaker.failure_count),
            format!("Last Failure Time: {:?}", breaker.last_failure_time),
        ];
        match breaker.state {
            BreakerStatus::Closed => {}
            BreakerStatus::Open => lines.push("WARNING: Circuit breaker is OPEN - cache is disabled".into()),
            BreakerStatus::HalfOpen => lines.push("INFO: Circuit breaker is HALF_OPEN - testing recovery".into()),
        }
        lines
    }
    let mut place = Place::new();
    place.set("AWSIDEMAN_CACHE_BREAKER_FAILURE_THRESHOLD", "2");
    let cache = place.handle();
    assert!(cache.set("k", &1).unwrap());
    assert_eq!(monitor_circuit_breaker(&cache)[..2], ["Circuit Breaker State: CLOSED", "Failure Count: 0"]);
    // What two commands that met faults left behind.
    let home = place.home.path();
    let state = StateDir::new(home.join(".local/state/awsideman"), Access::Owner, Duration::from_secs(5));
    let now = SystemClock::default().now();
    let mark = PersistedBreaker {
        state: BreakerStatus::Open,
        failure_count: 2,
        last_failure_time: Some(now),
        ..PersistedBreaker::default()
    };
    state.set_breaker(&home.join(".cache/awsideman"), mark, now).unwrap();
    let cache = place.handle();
    let lines = monitor_circuit_breaker(&cache);
    assert_eq!(lines[..2], ["Circuit Breaker State: OPEN", "Failure Count: 2"]);
    assert_eq!(lines[3], "WARNING: Circuit breaker is OPEN - cache is disabled");
    let later = place.handle_later("61s");
    assert_eq!(later.get("absent").unwrap(), None::<u8>, "one trial closes it");
    assert_eq!(monitor_circuit_breaker(&later)[..2], ["Circuit Breaker State: CLOSED", "Failure Count: 0"]);
}

#[test]
fn performance_cache_warming_strategies() {
    fn warm_cache(cache: &CacheManager, users: &[Value], groups: &[Value]) -> Result<&'static str, LibraryError> {
        for user in users {
            let key = format!("user:describe:{}", user["UserId"].as_str().unwrap_or_default());
            cache.set_with_ttl(&key, user, 30 * MINUTE)?;
        }
        for group in groups {
            let key = format!("group:describe:{}", group["GroupId"].as_str().unwrap_or_default());
            cache.set_with_ttl(&key, group, HOUR)?;
        }
        Ok("Cache warming completed")
    }
    let place = Place::new();
    let (user, group) = (json!({"UserId": "u-1"}), json!({"GroupId": "g-1"}));
    assert_eq!(
        warm_cache(&place.handle(), std::slice::from_ref(&user), std::slice::from_ref(&group)).unwrap(),
        "Cache warming completed"
    );
    let read = |offset: &str| {
        let cache = place.handle_later(offset);
        (cache.get::<Value>("user:describe:u-1").unwrap(), cache.get::<Value>("group:describe:g-1").unwrap())
    };
    assert_eq!(read("29m"), (Some(user), Some(group.clone())));
    assert_eq!(read("31m"), (None, Some(group)));
    assert_eq!(read("61m"), (None, None));
}

#[test]
fn performance_batch_cache_operations() {
    let place = Place::new();
    let cache = place.handle();
    let item = |key: &str, value: u32, ttl| PutItem { key: key.to_owned(), value, ttl };
    let stored = cache.put_many(&[item("a", 1, None), item("b", 2, Some(MINUTE))]).unwrap();
    assert_eq!((stored.stored, stored.refused), (2, 0));
    assert_eq!(cache.get_many(&["a", "c", "b"]).unwrap(), [Some(1), None, Some(2)]);
    assert_eq!(place.handle_later("61s").get_many(&["a", "b"]).unwrap(), [Some(1), None]);
}

#[test]
fn monitoring_cache_health_check() {
    fn cache_health_check(stats: &Stats) -> Value {
        let mut issues = Vec::new();
        if stats.hit_rate_percentage < 50.0 {
            issues.push(format!("Low hit rate: {:.1}%", stats.hit_rate_percentage));
        }
        if megabytes(stats.memory_usage_bytes) > 200.0 {
            issues.push(format!("High memory usage: {:.1}MB", megabytes(stats.memory_usage_bytes)));
        }
        let operations = stats.hit_count + stats.miss_count;
        // More than 5 errors in 100 operations.
        if operations > 0 && stats.error_count * 100 > operations * 5 {
            issues.push(format!("High error rate: {} of {operations}", stats.error_count));
        }
        json!({"healthy": issues.is_empty(), "issues": issues})
    }
    let place = Place::new();
    let cache = place.handle();
    assert_eq!(cache_health_check(&cache.stats()), json!({"healthy": true, "issues": []}));
    assert_eq!(cache.get::<u8>("absent").unwrap(), None);
    assert_eq!(cache_health_check(&cache.stats()), json!({"healthy": false, "issues": ["Low hit rate: 0.0%"]}));
    let health = cache.health().unwrap();
    assert!(
        health.healthy && health.issues.is_empty(),
        "what a program looks up is not what commands look up: {health:?}"
    );
    super::fixture::awsideman(place.home.path(), "cache health");
}
