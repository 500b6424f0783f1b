//! The content of each target at its last warm, for targets without an entry in the cache.
//!
//! An entry that a change invalidated, or that was removed after it expired, leaves nothing to compare with. This file
//! does: of each item a hash of its identity and one of its content. Guarantee: a file that is missing, damaged or of
//! another version only means that there is nothing to compare with.

use crate::config::WarmTarget;
use crate::gateway::diff::item_hash::ItemHash;
use crate::gateway::request::Request;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::PrivateError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// The first bytes of a file; another version has others.
const HEAD: &[u8; 8] = b"warmed\x00\x01";

/// Where these files are.
#[derive(Debug, Clone)]
pub(in super::super) struct Baselines {
    folder: PathBuf,
    access: Access,
}

impl Baselines {
    pub(in super::super) fn at(folder: PathBuf, access: Access) -> Baselines {
        Baselines { folder, access }
    }

    fn path(&self, space: &str, target: WarmTarget) -> PathBuf {
        self.folder.join(format!("{:016x}-{}", xxh3_64(space.as_bytes()), target.as_str()))
    }
}

/// The items of each request, by the hash of its key.
type BaselineItems = BTreeMap<u64, Vec<ItemHash>>;

/// What one target held before this warm, and what it holds now.
#[derive(Debug)]
pub(in super::super) struct Baseline {
    path: PathBuf,
    access: Access,
    known: OnceLock<BaselineItems>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    fetched: BaselineItems,
    asked: BTreeSet<u64>,
}

impl Baseline {
    pub(in super::super) fn of(baselines: &Baselines, space: &str, target: WarmTarget) -> Baseline {
        let (path, access) = (baselines.path(space, target), baselines.access);
        Baseline { path, access, known: OnceLock::new(), noted: Mutex::default() }
    }

    /// Whether there was a warm of this target before.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// What a request held before this warm; `None` when that is not known.
    pub(super) fn items(&self, request: &Request) -> Option<Vec<ItemHash>> {
        self.known.get_or_init(|| read(&self.path)).get(&hash(request)).cloned()
    }

    /// Notes that the warm is about this request.
    pub(super) fn ask(&self, request: &Request) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).asked.insert(hash(request));
    }

    /// Notes what it holds now.
    pub(super) fn note(&self, request: &Request, items: Vec<ItemHash>) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).fetched.insert(hash(request), items);
    }

    /// Writes the current contents. Requests that this warm could not read keep theirs; requests that a whole warm did not
    /// make are removed.
    pub(super) fn keep(&self, is_whole: bool, has_ended: bool) -> Result<(), PrivateError> {
        // Before a warm has come to its end once, whatever the next one reads would look added.
        if !has_ended && !self.exists() {
            return Ok(());
        }
        let Noted { fetched, asked } = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        // Read again: another warm may have ended meanwhile.
        let before = read(&self.path);
        let mut held = before.clone();
        held.extend(fetched);
        if is_whole {
            held.retain(|request, _| asked.contains(request));
        }
        if held == before && self.exists() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            secure_fs::directory(folder, self.access)?;
        }
        secure_fs::replace(&self.path, &bytes(&held), self.access)
    }
}

fn hash(request: &Request) -> u64 {
    xxh3_64(request.key().as_str().as_bytes())
}

fn bytes(held: &BaselineItems) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    for (request, items) in held {
        bytes.extend(request.to_le_bytes());
        bytes.extend((items.len() as u64).to_le_bytes());
        for item in items {
            bytes.extend(item.identity.to_le_bytes());
            bytes.extend(item.content.to_le_bytes());
        }
    }
    bytes
}

fn read(path: &Path) -> BaselineItems {
    let bytes = secure_fs::read(path).ok().flatten().unwrap_or_default();
    bytes.strip_prefix(HEAD).and_then(parse).unwrap_or_default()
}

/// `None` unless the numbers add up.
fn parse(bytes: &[u8]) -> Option<BaselineItems> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
    let mut held = BaselineItems::new();
    while let Some(request) = numbers.next() {
        let count = usize::try_from(numbers.next()?).ok()?;
        if count > numbers.len() / 2 {
            return None;
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(ItemHash { identity: numbers.next()?, content: numbers.next()? });
        }
        held.insert(request, items);
    }
    rest.is_empty().then_some(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(numbers: &[u64]) -> Vec<ItemHash> {
        numbers.iter().map(|n| ItemHash { identity: *n, content: *n + 100 }).collect()
    }

    #[test]
    fn a_file_is_read_back_and_a_damaged_one_is_empty() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        let held: BaselineItems = [(1, items(&[5, 6])), (2, items(&[]))].into();
        std::fs::write(&path, bytes(&held)).unwrap();
        assert_eq!(read(&path), held);
        let whole = bytes(&held);
        for damaged in [&whole[..whole.len() - 8], &whole[..whole.len() - 3], &whole[1..], &[][..]] {
            std::fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_empty(), "{damaged:?}");
        }
        let mut endless = HEAD.to_vec();
        endless.extend([1, u64::MAX].into_iter().flat_map(u64::to_le_bytes));
        std::fs::write(&path, endless).unwrap();
        assert!(read(&path).is_empty());
    }

    #[test]
    fn what_was_not_read_keeps_what_it_held_and_what_a_whole_warm_did_not_ask_for_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let baselines = Baselines::at(root.path().join("warmed"), Access::Owner);
        let of = || Baseline::of(&baselines, "s", WarmTarget::Memberships);
        let (a, b) = (Request::GroupMembers("a".into()), Request::GroupMembers("b".into()));
        let first = of();
        assert!(!first.exists());
        for request in [&a, &b] {
            first.ask(request);
            first.note(request, items(&[1]));
        }
        first.keep(true, true).unwrap();
        // `b` could not be read.
        let second = of();
        for request in [&a, &b] {
            second.ask(request);
        }
        second.note(&a, items(&[1, 2]));
        second.keep(false, false).unwrap();
        assert_eq!((of().items(&a), of().items(&b)), (Some(items(&[1, 2])), Some(items(&[1]))));
        // `b` is no part of the target any more.
        let third = of();
        third.ask(&a);
        third.keep(true, true).unwrap();
        assert_eq!((of().items(&a), of().items(&b)), (Some(items(&[1, 2])), None));
    }
}
