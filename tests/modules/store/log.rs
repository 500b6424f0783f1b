//! Sentences of the contract about the log: what a record keeps out, and drafts that it overtakes.

use super::*;

pub(crate) fn a_removal_takes_the_next_number_and_what_it_covers(store: &dyn Store) {
    for (selection, left) in [
        (exact("s", "user:list:all"), "s/group:list:all s/user:describe:1 t/user:list:all"),
        (glob(Some("s"), "user:*"), "s/group:list:all t/user:list:all"),
        (glob(None, "*:list:*"), "s/user:describe:1"),
        (Select::Space("s".into()), "t/user:list:all"),
        (Select::All, ""),
    ] {
        fill_all(
            store,
            &[
                fill("s", "user:list:all"),
                fill("s", "user:describe:1"),
                fill("s", "group:list:all"),
                fill("t", "user:list:all"),
            ],
        );
        let before = store.sequence().unwrap();
        let removed = store.remove(std::slice::from_ref(&selection), None, NOW).unwrap();
        assert_eq!(removed.sequence, before + 1);
        assert_eq!(store.sequence().unwrap(), before + 1);
        let rest = listed(store, &Select::All);
        assert_eq!(rest.join(" "), left, "{selection:?}");
        assert_eq!((removed.entries, removed.bytes), (4 - rest.len() as u64, 10 * (4 - rest.len() as u64)));
    }
    assert_eq!(store.remove(&[exact("s", "absent")], None, NOW).unwrap().entries, 0);
}

pub(crate) fn a_fill_older_than_a_record_that_covers_it_is_refused(store: &dyn Store) {
    let fills = [fill("s", "user:1"), fill("s", "group:1"), fill("t", "user:1")];
    for (selection, refused) in [
        (exact("s", "user:1"), "s/user:1"),
        (glob(Some("s"), "*:1"), "s/user:1 s/group:1"),
        (glob(None, "user:*"), "s/user:1 t/user:1"),
        (Select::Space("s".into()), "s/user:1 s/group:1"),
        (Select::All, "s/user:1 s/group:1 t/user:1"),
    ] {
        store.remove(&[Select::All], None, NOW).unwrap();
        let since = store.sequence().unwrap();
        let sequence = store.remove(std::slice::from_ref(&selection), None, NOW).unwrap().sequence;
        let stored = store.put(&fills, since, NOW).unwrap();
        let count = refused.split(' ').count() as u64;
        assert_eq!(stored, Stored { stored: 3 - count, refused: count }, "{selection:?}");
        for name in refused.split(' ') {
            let (space, key) = name.split_once('/').unwrap();
            assert!(!has(store, space, key), "{selection:?} {name}");
        }
        assert_eq!(store.put(&fills, sequence, NOW).unwrap().refused, 0, "{selection:?}: a later fill");
    }
}

pub(crate) fn a_fill_from_before_what_the_log_remembers_stores_nothing(store: &dyn Store) {
    let since = store.sequence().unwrap();
    store.remove(&[exact("s", "other")], None, NOW).unwrap();
    assert_eq!(store.put(&[fill("s", "k")], since, NOW).unwrap().stored, 1, "nothing is forgotten yet");
    let last = store.remove(&[exact("s", "another")], None, NOW + HOUR + 1).unwrap().sequence;
    assert_eq!(store.put(&[fill("s", "k")], since, NOW).unwrap(), Stored { stored: 0, refused: 1 });
    assert_eq!(store.put(&[fill("s", "k")], last - 1, NOW).unwrap().stored, 1, "all that came later is known");
    assert_eq!(store.put(&[fill("s", "k")], last + 1, NOW).unwrap().stored, 0, "a number of another life");
    for i in 0..2 {
        let many: Vec<Select> = (0..6_000).map(|k| exact("s", &format!("{i}:{k}"))).collect();
        store.remove(&many, None, NOW + HOUR).unwrap();
    }
    assert_eq!(store.put(&[fill("s", "k")], last - 1, NOW).unwrap().stored, 0, "10,000 records are kept");
}

pub(crate) fn a_fence_keeps_fills_out_until_its_deadline(store: &dyn Store) {
    fill_all(store, &[fill("s", "user:1")]);
    let fence = [glob(Some("s"), "user:*")];
    let sequence = store.remove(&fence, Some(NOW + 2 * HOUR), NOW).unwrap().sequence;
    assert!(!has(store, "s", "user:1"));
    let fenced = |key, now| store.standing(at("s", key), now).unwrap().fenced;
    let put = |key: &str, now| store.put(&[fill("s", key)], store.sequence().unwrap(), now).unwrap().stored == 1;
    assert!(
        fenced("user:1", NOW) && !fenced("group:1", NOW) && !store.standing(at("t", "user:1"), NOW).unwrap().fenced
    );
    assert!(!put("user:1", NOW) && put("group:1", NOW));
    // A fence outlives the records of its age.
    store.remove(&[exact("s", "other")], None, NOW + HOUR + 1).unwrap();
    assert!(fenced("user:1", NOW + 2 * HOUR - 1) && !put("user:1", NOW + 2 * HOUR - 1));
    assert!(!fenced("user:1", NOW + 2 * HOUR) && put("user:1", NOW + 2 * HOUR));
    assert_eq!(store.put(&[fill("s", "user:2")], sequence - 1, NOW + 2 * HOUR).unwrap().stored, 0, "still a record");
}

/// Ten years ahead with a fence of a minute; the regular fence of an hour is never shortened.
pub(crate) fn a_fence_of_a_clock_that_was_ahead_keeps_its_length(store: &dyn Store) {
    let ahead = NOW + 10 * 365 * 24 * HOUR;
    store.remove(&[exact("s", "ahead")], Some(ahead + 60_000), ahead).unwrap();
    assert_eq!(store.fences_ahead(NOW).unwrap(), 1);
    assert_eq!(store.standing(at("s", "ahead"), NOW).unwrap().until, Some(ahead + 60_000));
    store.correct_clock(NOW).unwrap();
    assert_eq!(store.fences_ahead(NOW).unwrap(), 0);
    store.remove(&[exact("s", "regular")], Some(NOW + HOUR), NOW).unwrap();
    store.correct_clock(NOW + 30_000).unwrap();
    assert_eq!(store.standing(at("s", "ahead"), NOW).unwrap().until, Some(NOW + 60_000), "it is dated once");
    assert!(!store.standing(at("s", "ahead"), NOW + 60_000).unwrap().fenced);
    assert!(store.standing(at("s", "regular"), NOW + HOUR - 1).unwrap().fenced);
}

pub(crate) fn a_fence_can_be_lowered_and_its_record_stays(store: &dyn Store) {
    let since = store.sequence().unwrap();
    let fence = store.remove(&[exact("s", "k")], Some(NOW + HOUR), NOW).unwrap().sequence;
    assert_eq!(
        store.standing(at("s", "k"), NOW).unwrap(),
        InvalidationState { newest: fence, fenced: true, until: Some(NOW + HOUR) }
    );
    store.lower(fence, NOW + 10).unwrap();
    store.lower(fence, NOW + 2 * HOUR).unwrap();
    let put = |begun| store.put(&[fill("s", "k")], store.sequence().unwrap(), begun).unwrap().stored;
    assert_eq!((put(NOW + 9), put(NOW + 10)), (0, 1), "judged by when the fetch began");
    assert_eq!(
        store.standing(at("s", "k"), NOW + 10).unwrap(),
        InvalidationState { newest: fence, fenced: false, until: None }
    );
    assert_eq!(store.put(&[fill("s", "k")], since, NOW + 10).unwrap().stored, 0, "still a record");
    assert_eq!(store.standing(at("s", "other"), NOW).unwrap(), InvalidationState::default());
}

pub(crate) fn the_log_tells_what_came_after_a_number(store: &dyn Store) {
    let since = store.sequence().unwrap();
    let first = store.remove(&[exact("s", "a"), exact("s", "b")], None, NOW).unwrap().sequence;
    let second = store.remove(&[glob(None, "group:list:*")], Some(NOW + 5), NOW).unwrap().sequence;
    let told = |since| {
        let records = store.records(since).unwrap()?;
        Some(records.into_iter().map(|record| (record.sequence, record.select)).collect::<Vec<_>>())
    };
    let last = (second, glob(None, "group:list:*"));
    assert_eq!(told(since), Some(vec![(first, exact("s", "a")), (first, exact("s", "b")), last.clone()]));
    assert_eq!(told(first), Some(vec![last]));
    assert_eq!(told(second), Some(vec![]));
    assert_eq!(told(second + 1), None, "a number of another life");
    store.remove(&[exact("s", "x")], None, NOW + HOUR + 6).unwrap();
    assert_eq!(told(since), None, "some of it is forgotten");
}

pub(crate) fn a_draft_is_seen_when_published_and_never_before(store: &dyn Store) {
    let since = store.sequence().unwrap();
    fill_all(store, &[fill("s", "k")]);
    let mut draft = store.draft(NOW).unwrap();
    draft.frame(b"one").unwrap();
    draft.frame(&vec![7; 300_000]).unwrap();
    assert_eq!(get(store, "s", "k").unwrap().1[0], b"first");
    assert!(draft.publish(&Meta { frames: 2, held: 300_003, ..meta("s", "k") }, since).unwrap());
    assert_eq!(get(store, "s", "k").unwrap().1, [b"one".to_vec(), vec![7; 300_000]]);
    drop(store.draft(NOW).unwrap());
    let short = store.draft(NOW).unwrap().publish(&meta("s", "short"), since).unwrap_err();
    assert!(matches!(short, StoreError::Damaged { .. }), "{short}");
    assert_eq!(listed(store, &Select::All), ["s/k"]);
}

pub(crate) fn an_overtaken_draft_is_not_published(store: &dyn Store) {
    for (selection, published) in [(exact("s", "k"), false), (glob(None, "*"), false), (exact("s", "other"), true)] {
        let since = store.sequence().unwrap();
        let mut draft = store.draft(NOW).unwrap();
        draft.frame(b"one").unwrap();
        store.remove(std::slice::from_ref(&selection), None, NOW).unwrap();
        assert_eq!(draft.publish(&Meta { frames: 1, ..meta("s", "k") }, since).unwrap(), published, "{selection:?}");
        assert_eq!(has(store, "s", "k"), published, "{selection:?}");
    }
    store.remove(&[exact("s", "k")], Some(NOW + 10), NOW).unwrap();
    let draft = store.draft(NOW).unwrap();
    let since = store.sequence().unwrap();
    assert!(!draft.publish(&Meta { frames: 0, ..meta("s", "k") }, since).unwrap(), "under a fence");
}
