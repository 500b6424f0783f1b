//! Sentences of the contract about revisions: an entry made of what was there, in one step.

use super::*;

fn counted(n: u64) -> Fill {
    let frames = vec![n.to_string().into_bytes()];
    let meta = Meta { frames: 1, held: frames[0].len() as u64, stored_at: NOW, ..meta("s", "n") };
    Fill { meta, frames }
}

/// One more than what the entry `n` holds.
fn increment(store: &dyn Store) -> bool {
    let one_more = &mut |there: Option<(&Meta, &mut dyn Frames)>| {
        let mut text = Vec::new();
        if let Some((_, frames)) = there {
            frames.read(0, &mut text)?;
        }
        let before: u64 = std::str::from_utf8(&text).unwrap().parse().unwrap_or(0);
        Ok(Some(counted(before + 1)))
    };
    store.revise(at("s", "n"), NOW, one_more).unwrap()
}

fn number(store: &dyn Store) -> String {
    get(store, "s", "n").map(|(_, frames)| String::from_utf8(frames[0].clone()).unwrap()).unwrap_or_default()
}

pub(crate) fn a_revision_sees_what_is_there_and_stores_what_is_made_of_it(store: &dyn Store) {
    assert!(increment(store));
    assert_eq!(number(store), "1", "nothing was there");
    store.touch(&[(store.row(at("s", "n")), NOW + 5)]).unwrap();
    assert!(increment(store));
    assert_eq!(number(store), "2");
    assert_eq!(get(store, "s", "n").unwrap().0.used_at, NOW + 5, "the last use stays known");
    assert_eq!(store.size().unwrap().held, 1);
    assert_eq!(listed(store, &Select::All), ["s/n"]);
}

pub(crate) fn a_revision_that_fails_or_gives_nothing_changes_nothing(store: &dyn Store) {
    assert!(increment(store));
    let failed = store.revise(at("s", "n"), NOW, &mut |_| Err(StoreError::Output(std::io::Error::other("no"))));
    assert!(matches!(failed, Err(StoreError::Output(_))), "{failed:?}");
    assert!(!store.revise(at("s", "n"), NOW, &mut |_| Ok(None)).unwrap());
    assert!(
        !store
            .revise(at("s", "absent"), NOW, &mut |there| {
                assert!(there.is_none());
                Ok(None)
            })
            .unwrap()
    );
    assert_eq!(number(store), "1");
    assert!(increment(store), "and the next one goes on");
}

pub(crate) fn a_revision_is_kept_out_by_a_fence_and_by_nothing_older(store: &dyn Store) {
    assert!(increment(store));
    store.remove(&[exact("s", "n")], Some(NOW + 10), NOW).unwrap();
    assert!(!increment(store));
    assert!(!has(store, "s", "n"));
    store.remove(&[exact("s", "n")], None, NOW).unwrap();
    assert!(store.revise(at("s", "n"), NOW + 10, &mut |_| Ok(Some(counted(7)))).unwrap(), "a fence lapses");
    assert_eq!(number(store), "7");
}

pub(crate) fn threads_that_revise_one_entry_lose_none(store: &dyn Store) {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert!(increment(store))));
        }
    });
    assert_eq!(number(store), "160");
}
