//! New ids: what an organization calls the things that calls create.
//!
//! The n-th id of a kind depends on the organization and on n alone, so that a repeated test finds the same ids; no
//! id is ever given twice.

use crate::generate::Dice;
use crate::records::Id;
use std::collections::BTreeMap;

/// How many of each kind were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mint {
    made: BTreeMap<&'static str, u64>,
}

impl Mint {
    /// Dice for the next thing of a kind, in the organization that `of` names.
    pub(crate) fn next(&mut self, of: &Id, kind: &'static str) -> Dice {
        let made = self.made.entry(kind).or_default();
        *made += 1;
        Dice::new(*made, &format!("{kind} of {of}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_the_organization_the_kind_and_the_count_alone() {
        let ids = |of: &str, kinds: &[&'static str]| -> Vec<String> {
            let mut mint = Mint::default();
            kinds.iter().map(|kind| mint.next(&Id::from(of), kind).uuid()).collect()
        };
        let first = ids("one", &["user", "user", "group"]);
        assert_eq!(first, ids("one", &["user", "user", "group"]));
        assert_ne!(first[0], first[1]);
        assert_ne!(first[0], first[2]);
        assert_ne!(first[0], ids("two", &["user"])[0]);
        assert_eq!(first[1], ids("one", &["group", "user", "user"])[2], "other kinds do not shift it");
    }
}
