//! Key ids: the encryption key under which the name of a row is written, and the part of a name that is in plaintext.
//!
//! Guarantee: what [`widen`] returns covers every row that the selection may match under any key id: resource and
//! operation, which are always in plaintext, and anything after them.

use crate::model::{Resource, literal_prefix};
use crate::store::Select;

/// The key id of rows whose names are in plaintext.
pub(super) const CLEAR: u64 = 0;

/// What precedes the encrypted part of a name: no well-formed key has it, since `%` is always followed by two digits.
pub(super) const MARK: &str = "%~";

/// Characters of a key's id.
pub(super) const ID: usize = 8;

/// The key id that a stored name is encrypted under.
pub(super) fn of(key: &str) -> u64 {
    let Some((_, sealed)) = key.split_once(MARK) else { return CLEAR };
    // A name with the mark and without an id belongs to no key.
    sealed.get(..ID).and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap_or(u64::MAX >> 1)
}

/// The part of a key that is stored in plaintext under every key id: `user:describe:` of `user:describe:u-1`. Of keys that are
/// not ours only as much as cannot name anybody.
pub(super) fn visible(key: &str) -> &str {
    let mut colons = key.match_indices(':').map(|(at, _)| at + 1);
    let Some(first) = colons.next() else { return "" };
    match Resource::of_key(key) {
        Resource::Custom if &key[..first] == "custom:" => &key[..first],
        Resource::Custom => "",
        _ => {
            let clear = &key[..colons.next().unwrap_or(first)];
            // What goes into a pattern as it is must mean itself there.
            if clear.contains(['*', '?', '[', '%']) { &key[..first] } else { clear }
        }
    }
}

/// The selection of everything that `select` may match under a key id whose key is absent.
pub(super) fn widen(select: &Select) -> Select {
    match select {
        Select::Exact { space, key } => {
            Select::Glob { space: Some(space.clone()), pattern: format!("{}*", visible(key)) }
        }
        Select::Glob { space, pattern } => {
            let pattern = format!("{}*", visible(literal_prefix(pattern)));
            Select::Glob { space: space.clone(), pattern }
        }
        whole => whole.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Address;
    use proptest::prelude::*;

    #[test]
    fn resource_and_operation_are_clear_and_nothing_that_names_anybody() {
        for (key, clear) in [
            ("user:describe:u-1", "user:describe:"),
            ("assignment:list:123:arn%3Aaws", "assignment:list:"),
            ("user:alice", "user:"),
            ("custom:alice:x", "custom:"),
            ("thread_key_1", ""),
            ("alice:describe:x", ""),
            ("", ""),
        ] {
            assert_eq!(visible(key), clear, "{key}");
        }
    }

    #[test]
    fn a_name_has_its_key_id() {
        assert_eq!(of("user:describe:u-1"), CLEAR);
        assert_eq!(of("user:describe:%~000000ff-abc"), 255);
        assert_ne!(of("user:describe:%~nonsense"), CLEAR);
        assert_ne!(of("user:describe:%~"), CLEAR);
    }

    proptest! {
        #[test]
        fn a_widened_selection_covers_the_row_under_every_key_id(
            key in "(user|group|custom|x|)(:(list|describe|a))?(:[a-c:]{0,3})?",
            pattern in "(user|u\\*|\\*|custom|x)?(:(list|l\\*|\\*|\\?))?(:?[a-c*?]{0,3})?",
        ) {
            let select = Select::Glob { space: None, pattern };
            let name = format!("{}{MARK}0000000a-Zm9v", visible(&key));
            let (plain, sealed) = (Address { space: "s", key: &key }, Address { space: "s", key: &name });
            if select.covers(plain) {
                prop_assert!(widen(&select).covers(sealed) && widen(&select).covers(plain));
            }
            let exact = widen(&Select::Exact { space: "s".into(), key: key.clone() });
            prop_assert!(exact.covers(sealed) && exact.covers(plain));
        }
    }
}
