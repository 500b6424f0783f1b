//! Sentences of the contract about sweeps: what goes, and in which order.

use super::*;

fn aged(key: &str, stored_at: i64, stale_until: i64, used_at: i64) -> Fill {
    let mut fill = fill("s", key);
    (fill.meta.stored_at, fill.meta.stale_until, fill.meta.used_at) = (stored_at, stale_until, used_at);
    fill
}

pub(crate) fn a_sweep_drops_the_expired_then_the_old_then_the_unused(store: &dyn Store) {
    let later = NOW + HOUR;
    fill_all(
        store,
        &[
            aged("expired", NOW - 10, NOW, NOW),
            aged("old", NOW - 2 * HOUR, later, NOW),
            aged("unused", NOW - 50, later, 0),
            aged("used long ago", NOW - 10, later, NOW - 40),
            aged("used", NOW - 90, later, NOW - 1),
            aged("other", NOW - 20, later, 0),
        ],
    );
    let sequence = store.sequence().unwrap();
    let swept = store
        .sweep(&Sweep {
            expired: true,
            stored_before: Some(NOW - HOUR),
            bytes: Some((39, 25)),
            entries: Some((100, 0)),
            ..NO_SWEEP
        })
        .unwrap();
    assert_eq!((swept.expired, swept.aged, swept.evicted, swept.bytes), (1, 1, 2, 40));
    assert_eq!(listed(store, &Select::All), ["s/other", "s/used"]);
    assert_eq!(store.sweep(&Sweep { bytes: Some((20, 0)), ..NO_SWEEP }).unwrap().entries(), 0, "not above the limit");
    assert_eq!(store.sweep(&Sweep { entries: Some((1, 1)), ..NO_SWEEP }).unwrap().evicted, 1);
    assert_eq!(listed(store, &Select::All), ["s/used"]);
    assert_eq!(store.sequence().unwrap(), sequence, "an eviction is no record");
}

pub(crate) fn a_dry_sweep_deletes_nothing(store: &dyn Store) {
    fill_all(store, &[aged("a", NOW, NOW, 0), aged("b", NOW, NOW + 1, 0)]);
    let sweep = Sweep { expired: true, entries: Some((0, 0)), dry_run: true, ..NO_SWEEP };
    let would = store.sweep(&sweep).unwrap();
    assert_eq!((would.expired, would.evicted, would.bytes), (1, 1, 20));
    assert_eq!(listed(store, &Select::All).len(), 2);
    assert_eq!(store.sweep(&Sweep { dry_run: false, ..sweep }).unwrap(), would);
    assert_eq!(store.size().unwrap().entries, 0);
}

pub(crate) fn a_use_saves_from_eviction(store: &dyn Store) {
    fill_all(store, &[aged("a", NOW - 3, NOW + 1, 0), aged("b", NOW - 2, NOW + 1, 0)]);
    store.touch(&[(store.row(at("s", "a")), NOW), (store.row(at("s", "absent")), NOW)]).unwrap();
    store.touch(&[(store.row(at("s", "a")), NOW - 100)]).unwrap();
    assert_eq!(get(store, "s", "a").unwrap().0.used_at, NOW, "the newest use counts");
    store.sweep(&Sweep { entries: Some((1, 1)), ..NO_SWEEP }).unwrap();
    assert_eq!(listed(store, &Select::All), ["s/a"]);
}

pub(crate) fn what_a_sweep_names_goes_first(store: &dyn Store) {
    fill_all(
        store,
        &[
            aged("user:list:all", NOW - 3, NOW + 1, 0),
            aged("user:describe:a", NOW, NOW + 1, NOW),
            aged("x", NOW - 2, NOW + 1, 0),
        ],
    );
    let sweep = Sweep { entries: Some((2, 2)), first: &["*:describe:*", "*:by_name:*"], ..NO_SWEEP };
    assert_eq!(store.sweep(&sweep).unwrap().evicted, 1);
    assert_eq!(listed(store, &Select::All), ["s/user:list:all", "s/x"]);
    assert_eq!(store.sweep(&Sweep { entries: Some((1, 1)), ..sweep }).unwrap().evicted, 1);
    assert_eq!(listed(store, &Select::All), ["s/x"], "then the least recently used");
}
