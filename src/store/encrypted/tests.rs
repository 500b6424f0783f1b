//! Round trips and flipped bits.

use super::*;
use crate::store::encrypted::writer::row;
use proptest::prelude::*;

const TWO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\nBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n";

fn keys() -> KeyRing {
    KeyRing::parse(TWO.as_bytes()).unwrap()
}

fn meta(space: &str, key: &str) -> Meta {
    Meta {
        space: space.into(),
        key: key.into(),
        schema: 1,
        stored_at: 5,
        fresh_until: 6,
        stale_until: 7,
        used_at: 8,
        source: "test".into(),
        size: 9,
        held: 10,
        frames: 2,
        checksum: 11,
    }
}

#[test]
fn keys_are_read_newest_first_and_what_is_none_is_named_by_its_line_alone() {
    assert_eq!(keys().ids().len(), 2);
    assert_ne!(keys().ids()[0], keys().ids()[1]);
    let newline = KeyRing::parse(TWO.replace('\n', "\r\n").as_bytes()).unwrap();
    assert_eq!(newline.ids(), keys().ids());
    let first = TWO.lines().next().unwrap();
    assert_eq!(KeyRing::parse(first.as_bytes()).unwrap().ids()[0], keys().ids()[0]);
    let long = format!("{first}{first}");
    let many: String = (0..9).map(|_| KeyRing::generate().unwrap().to_string()).collect();
    for (text, bad) in [
        ("", BadKey::Empty),
        ("\n\n", BadKey::Empty),
        ("secret", BadKey::Line(1)),
        (&first[1..], BadKey::Line(1)),
        (&format!("{first}\nc2VjcmV0\n"), BadKey::Line(2)),
        (&long, BadKey::Line(1)),
        (&format!("{first}\n{first}"), BadKey::Twice(2)),
        (&many, BadKey::TooMany),
    ] {
        let error = KeyRing::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error, bad, "{text:?}");
        assert!(!error.to_string().contains("c2Vj") && !error.to_string().contains("secret"), "{error}");
    }
    let shown = format!("{:?}", keys());
    assert!(shown.contains(&keys().ids()[0]) && !shown.contains("AAAA"), "{shown}");
    let new = KeyRing::generate().unwrap();
    assert_eq!(KeyRing::parse(new.as_bytes()).unwrap().ids().len(), 1);
}

proptest! {
    #[test]
    fn a_name_comes_back_and_is_bound_to_its_key_and_space(
        space in ".{0,12}", key in "(user|group|custom|x)?(:(list|describe))?(:.{0,24})?", at in 0usize..999, bit in 0u8..6,
    ) {
        let keys = keys();
        let (new, old) = (keys.newest(), keys.iter().nth(1).unwrap());
        let stored = blind_index::encrypt(new, &space, &key);
        prop_assert_eq!(&stored, &blind_index::encrypt(new, &space, &key));
        prop_assert_eq!(blind_index::open(new, &space, &stored), Some(key.clone()));
        prop_assert_eq!(key_id::of(&stored), new.key_id());
        prop_assert_ne!(&stored, &blind_index::encrypt(old, &space, &key));
        prop_assert_eq!(blind_index::open(old, &space, &stored), None);
        prop_assert_eq!(blind_index::open(new, &format!("{space}x"), &stored), None);
        let hidden = &key[key_id::visible(&key).len()..];
        prop_assert!(hidden.len() < 4 || !stored.contains(hidden));
        let mut bytes = stored.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(flipped) = String::from_utf8(bytes) {
            prop_assert_ne!(blind_index::open(new, &space, &flipped), Some(key));
        }
    }

    #[test]
    fn an_entry_comes_back_and_any_flipped_bit_or_changed_figure_is_refused(
        frame in prop::collection::vec(any::<u8>(), 0..300), checksum: u64, at in 0usize..9_999, bit in 0u8..8, figure in 0usize..9,
    ) {
        let keys = keys();
        let with = keys.newest();
        let entry = EntryKey::new().unwrap();
        let encrypted = [entry.encrypt(0, &frame), entry.encrypt(1, &frame)];
        let stored = row(with, &Meta { checksum, ..meta("s", "user:describe:u-1") });
        let lid = envelope::close(with, &entry, &stored, checksum).unwrap();
        let (opened, read) = envelope::open(with, &stored, &lid).unwrap();
        prop_assert_eq!(read, checksum);
        for (index, encrypted) in (0..).zip(&encrypted) {
            let mut buffer = encrypted.clone();
            prop_assert!(opened.open(index, &mut buffer));
            prop_assert_eq!(&buffer, &frame);
            let mut flipped = encrypted.clone();
            let at = at % flipped.len();
            flipped[at] ^= 1 << bit;
            prop_assert!(!opened.open(index, &mut flipped));
            prop_assert!(!opened.open(1 - index, &mut encrypted.clone()), "frames that changed places");
            prop_assert!(!EntryKey::new().unwrap().open(index, &mut encrypted.clone()), "a frame of another entry");
        }
        let mut flipped = lid.clone();
        let at = at % flipped.len();
        flipped[at] ^= 1 << bit;
        prop_assert!(envelope::open(with, &stored, &flipped).is_none());
        let mut other = stored.clone();
        match figure {
            0 => other.space.push('x'),
            1 => other.key.push('x'),
            2 => other.source.push('x'),
            3 => other.schema ^= 1 << bit,
            4 => other.stored_at ^= 1 << bit,
            5 => other.fresh_until ^= 1 << bit,
            6 => other.stale_until ^= 1 << bit,
            7 => other.size ^= 1 << bit,
            _ => other.frames ^= 1 << bit,
        }
        prop_assert!(envelope::open(with, &other, &lid).is_none());
        prop_assert!(envelope::open(keys.iter().nth(1).unwrap(), &stored, &lid).is_none());
    }
}
