//! Tests of `memory/mod.rs`.

use super::*;

fn fill(key: &str, bytes: usize, stored_at: UnixMillis) -> Fill {
    let meta = Meta {
        space: "s".into(),
        key: key.into(),
        schema: 1,
        stored_at,
        fresh_until: 0,
        stale_until: 0,
        used_at: 0,
        source: String::new(),
        size: bytes as u64,
        held: bytes as u64,
        frames: 1,
        checksum: 0,
    };
    Fill { meta, frames: vec![vec![0; bytes]] }
}

#[test]
fn what_is_over_the_limit_of_entries_goes_least_recently_used_first() {
    let memory = Memory::new(0, 3);
    for (key, stored_at) in [("a", 30), ("b", 10), ("c", 20), ("d", 40), ("e", 50)] {
        memory.put(&[fill(key, 10, stored_at)], 0, 0).unwrap();
    }
    let has = |key| memory.view(Address { space: "s", key }, &mut |_, _| Ok(())).unwrap();
    assert_eq!(["a", "b", "c", "d", "e"].map(has), [true, false, false, true, true]);
    assert_eq!(memory.evictions(), 2);
}

#[test]
fn what_is_over_the_limit_of_bytes_goes_by_itself() {
    let memory = Memory::new(10_000, 0);
    for i in 0..20 {
        memory.put(&[fill(&i.to_string(), 1_000, i)], 0, 0).unwrap();
    }
    memory.settle().unwrap();
    let size = memory.size().unwrap();
    assert!(size.held + size.index <= 10_000 && size.entries >= 6, "{size:?}");
    assert_eq!(memory.evictions(), 20 - size.entries);
}
