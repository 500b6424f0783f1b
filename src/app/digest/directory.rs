//! What the directory held at the last digest, and what changed since.
//!
//! Of each item its id and a fingerprint of its answer are kept, no name; one list at a time is in memory; a
//! snapshot that cannot be read is no snapshot.

use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::PrivateError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// So many ids of a kind of change are listed.
const LISTED: usize = 10;

/// The ids of a list, each with a fingerprint of what AWS said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holding(BTreeMap<String, u64>);

/// What the lists held at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// The space they are of.
    pub(super) space: String,
    /// By the name of the list.
    pub(super) lists: BTreeMap<String, Holding>,
}

/// What changed in one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DirectoryChanges {
    /// How many it holds now.
    held: usize,
    /// Whether there is nothing to compare with.
    first: bool,
    /// How many came, went, or are described in another way.
    added: usize,
    removed: usize,
    changed: usize,
    /// Some of their ids.
    added_ids: Vec<String>,
    removed_ids: Vec<String>,
    changed_ids: Vec<String>,
}

impl Holding {
    /// Reads a JSON array of objects, each with the text `member` that identifies it.
    pub(super) fn of(body: &mut dyn Read, member: &str) -> io::Result<Holding> {
        let mut found = Holding::default();
        let mut each = |item: &str| {
            let object: BTreeMap<&str, &RawValue> = serde_json::from_str(item).unwrap_or_default();
            let id = object.get(member).and_then(|id| serde_json::from_str::<String>(id.get()).ok());
            if let Some(id) = id {
                found.0.insert(id, xxh3_64(item.as_bytes()));
            }
        };
        serde_json::Deserializer::from_reader(body).deserialize_seq(EachObject(&mut each))?;
        Ok(found)
    }
}

struct EachObject<'a>(&'a mut dyn FnMut(&str));

impl<'de> Visitor<'de> for EachObject<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            (self.0)(item.get());
        }
        Ok(())
    }
}

impl Snapshot {
    /// Where that of a job and profile is kept.
    pub(super) fn path_of(state_dir: &Path, job: &str, profile: &str) -> PathBuf {
        let at = if profile.is_empty() { String::new() } else { format!("@{profile}") };
        let name = utf8_percent_encode(&format!("{job}{at}"), NON_ALPHANUMERIC).to_string();
        state_dir.join("digest").join(format!("{name}.json"))
    }

    pub(super) fn read(path: &Path) -> Option<Snapshot> {
        serde_json::from_slice(&secure_fs::read(path).ok()??).ok()
    }

    pub(super) fn write(&self, path: &Path, access: Access) -> Result<(), PrivateError> {
        if let Some(folder) = path.parent() {
            secure_fs::directory(folder, access)?;
        }
        secure_fs::replace(path, &serde_json::to_vec(self).unwrap_or_default(), access)
    }
}

impl DirectoryChanges {
    pub(super) fn between(before: Option<&Holding>, now: &Holding) -> DirectoryChanges {
        let nothing = Holding::default();
        let old = before.unwrap_or(now);
        let gone = before.unwrap_or(&nothing);
        let added: Vec<&String> = now.0.keys().filter(|id| !old.0.contains_key(*id)).collect();
        let removed: Vec<&String> = gone.0.keys().filter(|id| !now.0.contains_key(*id)).collect();
        let differs = |(id, print): &(&String, &u64)| old.0.get(*id).is_some_and(|before| before != *print);
        let changed: Vec<&String> = now.0.iter().filter(differs).map(|(id, _)| id).collect();
        let some = |ids: &[&String]| ids.iter().take(LISTED).map(|id| (*id).clone()).collect();
        DirectoryChanges {
            held: now.0.len(),
            first: before.is_none(),
            added: added.len(),
            removed: removed.len(),
            changed: changed.len(),
            added_ids: some(&added),
            removed_ids: some(&removed),
            changed_ids: some(&changed),
        }
    }
}

impl DirectoryChanges {
    fn lines(&self, name: &str) -> Vec<String> {
        let DirectoryChanges { held, added, removed, changed, .. } = self;
        let mut lines = vec![format!("- {name}: {held}; {added} new, {removed} gone, {changed} changed")];
        for (word, count, ids) in [
            ("new", added, &self.added_ids),
            ("gone", removed, &self.removed_ids),
            ("changed", changed, &self.changed_ids),
        ] {
            if *count > 0 {
                let more = count - ids.len();
                let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
                lines.push(format!("  {word}: {}{rest}", ids.join(", ")));
            }
        }
        lines
    }
}

/// The part of a digest about the directory.
pub(super) fn lines(changes: &BTreeMap<&'static str, Option<DirectoryChanges>>) -> Vec<String> {
    let mut lines = vec![String::new(), "Directory, as far as the cache knows:".to_owned()];
    for (name, changes) in changes {
        match changes {
            None => lines.push(format!("- {name}: not known, the cache does not hold the list")),
            Some(DirectoryChanges { first: true, held, .. }) => {
                lines.push(format!("- {name}: {held}; the next digest shows what changed"));
            }
            Some(DirectoryChanges { added: 0, removed: 0, changed: 0, held, .. }) => {
                lines.push(format!("- {name}: {held}, unchanged"));
            }
            Some(changes) => lines.extend(changes.lines(name)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(items: &[(&str, u64)]) -> Holding {
        Holding(items.iter().map(|(id, print)| ((*id).to_owned(), *print)).collect())
    }

    #[test]
    fn a_list_is_read_to_ids_and_fingerprints() {
        let mut body = br#"[{"UserId":"1","UserName":"a"},{"UserName":"x","UserId":"2"},{"other":1}]"#.as_slice();
        let found = Holding::of(&mut body, "UserId").unwrap();
        assert_eq!(found.0.keys().collect::<Vec<_>>(), ["1", "2"]);
        let mut again = br#"[{"UserId":"1","UserName":"b"}]"#.as_slice();
        assert_ne!(Holding::of(&mut again, "UserId").unwrap().0["1"], found.0["1"]);
        assert!(Holding::of(&mut b"{}".as_slice(), "UserId").is_err());
    }

    #[test]
    fn additions_removals_and_changes_are_listed_with_ids() {
        let before = holding(&[("a", 1), ("b", 1), ("c", 1)]);
        let changes = DirectoryChanges::between(Some(&before), &holding(&[("b", 2), ("c", 1), ("d", 1)]));
        let text = lines(&[("users", Some(changes)), ("groups", None)].into()).join("\n");
        assert!(text.contains("- users: 3; 1 new, 1 gone, 1 changed\n  new: d\n  gone: a\n  changed: b"), "{text}");
        assert!(text.contains("- groups: not known"), "{text}");
        let first = DirectoryChanges::between(None, &before);
        assert!(lines(&[("users", Some(first))].into())[2].contains("users: 3; the next digest"));
        let same = DirectoryChanges::between(Some(&before), &before);
        assert!(lines(&[("users", Some(same))].into())[2].contains("users: 3, unchanged"));
    }

    #[test]
    fn long_lists_of_changes_are_cut_and_counted() {
        let many: Vec<(String, u64)> = (0..25).map(|n| (format!("{n:02}"), 1)).collect();
        let many = Holding(many.into_iter().collect());
        let text =
            lines(&[("users", Some(DirectoryChanges::between(Some(&Holding::default()), &many)))].into()).join("\n");
        assert!(text.contains("09 and 15 more"), "{text}");
    }

    #[test]
    fn a_snapshot_is_read_back_and_a_broken_one_is_none() {
        let root = tempfile::tempdir().unwrap();
        let path = Snapshot::path_of(root.path(), "digest", "a/b");
        assert_eq!(Snapshot::read(&path), None);
        let snapshot = Snapshot { space: "s".into(), lists: [("users".to_owned(), holding(&[("a", 1)]))].into() };
        snapshot.write(&path, Access::Owner).unwrap();
        assert_eq!(Snapshot::read(&path), Some(snapshot));
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Snapshot::read(&path), None);
    }
}
