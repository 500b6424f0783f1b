//! Manages the encryption of the cache: its status, new keys, and rekeying.
//!
//! A key is never an argument of another program, never part of a message, and wiped after use; the configuration
//! is never edited; a key that cannot be had locks the cache and fails no command.

use crate::app::core::App;
use crate::app::encryption_keys::{EncryptionKeys, LARGEST_KEY_FILE};
use crate::app::error::AppError;
use crate::app::stack::StoreStack;
use crate::progress::Progress;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::store::{Disk, Encrypted, KeyRing, KeyState, KeyUsage, RekeyReport, StoreError};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The entries encrypted with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// The id of the key.
    pub id: String,
    /// `newest` (it encrypts), `older` (it only decrypts), `unknown` (this process does not have it).
    pub role: &'static str,
    /// Entries under it.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How encryption stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncryptionStatus {
    /// The version of this document.
    pub schema_version: u32,
    /// Whether the configuration enables encryption.
    pub enabled: bool,
    /// Where the key comes from; null when no place is configured.
    pub key_source: Option<String>,
    /// The id of the key that encrypts; null without one.
    pub key: Option<String>,
    /// Why the key cannot be used.
    pub problem: Option<String>,
    /// The keys at hand and those that entries lie under.
    pub keys: Vec<KeyReport>,
    /// Entries in plaintext.
    pub clear_entries: u64,
    /// Their bytes.
    pub clear_bytes: u64,
    /// Databases that are not in use any more, and may hold older entries as they were.
    pub older_databases: Vec<String>,
    /// What to do now; null when there is nothing to do.
    pub next: Option<String>,
}

/// The result of a rekey.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RekeySummary {
    /// Entries that are as they should be now and were not.
    pub resealed: u64,
    /// Entries that went, or were replaced by younger ones, meanwhile.
    pub gone: u64,
    /// Entries that were damaged and are dropped.
    pub dropped: u64,
    /// Entries under keys that are not at hand; they are left alone.
    pub unknown: u64,
    /// Whether what was before is wiped from the database; a long reader can hold that back.
    pub wiped: bool,
}

/// Encryption of the stored entries: its status, new keys, rekeying.
pub struct EncryptionAdmin<'a> {
    app: &'a App,
}

impl<'a> EncryptionAdmin<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> EncryptionAdmin<'a> {
        EncryptionAdmin { app }
    }

    /// What a person should know after AWS was asked: that entries here lie under a key which this process does not have.
    pub fn key_notice(&self) -> Option<String> {
        let KeyState::Keys(keys) = EncryptionKeys::new(self.app).state() else { return None };
        let foreign = self.app.stores.first.get()?.breaker.as_ref()?.inner().foreign_key().ok()??;
        let own = keys.ids().swap_remove(0);
        Some(format!(
            "entries of this cache are encrypted with the key {foreign}, which this process does not have: they were not \
             used, and new ones are encrypted with {own}\nnext: `awsideman cache encryption status`"
        ))
    }

    /// A key that is not at hand, and how many entries of the store that is open lie under such keys. Only where one is
    /// known are they counted.
    pub(super) fn foreign_entries(&self) -> Option<(String, u64)> {
        let disk = self.app.stores.disk()?.inner();
        let KeyState::Keys(keys) = EncryptionKeys::new(self.app).state() else { return None };
        disk.foreign_key().ok()??;
        let own = keys.ids();
        let census = disk.census().ok()?.keys.into_iter();
        let foreign: Vec<_> = census.filter(|(id, entries, _)| *entries > 0 && !own.contains(id)).collect();
        Some((foreign.first()?.0.clone(), foreign.iter().map(|(_, entries, _)| entries).sum()))
    }

    /// The state of encryption. Makes no cache if there is none.
    pub fn status(&self) -> Result<EncryptionStatus, AppError> {
        let enabled = self.app.config().cache.encryption.enabled;
        let source = EncryptionKeys::new(self.app).source();
        let ring = source.is_some().then(|| EncryptionKeys::new(self.app).read());
        let (ids, problem) = match ring {
            Some(Ok(keys)) => (keys.ids(), None),
            Some(Err(problem)) => (Vec::new(), Some(problem)),
            None => (Vec::new(), None),
        };
        let census = if self.app.cache_dir().is_dir() {
            StoreStack::new(self.app).open_disk()?.census()?
        } else {
            KeyUsage::default()
        };
        let under =
            |id: &String| census.keys.iter().find(|(known, ..)| known == id).map_or((0, 0), |(_, n, b)| (*n, *b));
        let mut keys: Vec<KeyReport> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| {
                let (entries, bytes) = under(id);
                KeyReport { id: id.clone(), role: if at == 0 { "newest" } else { "older" }, entries, bytes }
            })
            .collect();
        for (id, entries, bytes) in census.keys.iter().filter(|(id, entries, _)| *entries > 0 && !ids.contains(id)) {
            keys.push(KeyReport { id: id.clone(), role: "unknown", entries: *entries, bytes: *bytes });
        }
        let (clear_entries, clear_bytes) = census.clear.unwrap_or_default();
        let mut status = EncryptionStatus {
            schema_version: 1,
            enabled,
            key_source: source,
            key: ids.first().cloned(),
            problem,
            keys,
            clear_entries,
            clear_bytes,
            older_databases: census.others.iter().map(|path| path.display().to_string()).collect(),
            next: None,
        };
        status.next = Self::next_step(&status);
        Ok(status)
    }

    fn next_step(status: &EncryptionStatus) -> Option<String> {
        let held = |role: &str| status.keys.iter().filter(|key| key.role == role).map(|key| key.entries).sum::<u64>();
        let older = status.keys.iter().filter(|key| key.role == "older").count();
        let encrypted: u64 = status.keys.iter().map(|key| key.entries).sum();
        if status.enabled {
            return if status.problem.is_some() {
                Some("fix the key; until then every read asks AWS and nothing is stored".into())
            } else if status.clear_entries > 0 {
                Some("`awsideman cache encryption enable` encrypts the entries in plaintext".into())
            } else if held("older") > 0 {
                Some("`awsideman cache encryption rotate` encrypts every entry with the newest key".into())
            } else if held("unknown") > 0 {
                Some(
                    "entries under unknown keys are of no use here: add their key below the newest one, or let them expire"
                        .into(),
                )
            } else if !status.older_databases.is_empty() {
                Some(
                    "older databases may hold entries as they were: delete them when they are no longer evidence"
                        .into(),
                )
            } else {
                (older > 0).then(|| {
                    "remove the older keys once no other host uses them: no entry is encrypted with them".into()
                })
            };
        }
        if encrypted > held("unknown") {
            Some("`awsideman cache encryption disable` decrypts the encrypted entries".into())
        } else if held("unknown") > 0 {
            Some(
                "encrypted entries cannot be read without their key, and expire; `awsideman cache clear --all` drops them"
                    .into(),
            )
        } else if status.key.is_some() {
            Some("set `enabled = true` in [cache.encryption], then `awsideman cache encryption enable`".into())
        } else {
            Some("`awsideman cache encryption enable --generate` makes a key and says what to configure".into())
        }
    }

    /// Generates a key in a new file: the given one, else the configured one, else `cache.key` next to the user's
    /// configuration. Returns the file and the id of the key.
    pub fn generate_key(&self, named: Option<&Path>) -> Result<(PathBuf, String), AppError> {
        let configured = self.app.config().cache.encryption.key_file.clone();
        let default = || {
            let folder = |name: &str| self.environment_path(name);
            let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
            base.map(|base| base.join("awsideman/cache.key"))
        };
        let path = named.map(Path::to_owned).or(configured).or_else(default);
        let path =
            path.ok_or_else(|| StoreError::Key("there is no home directory: name a file with --key-file".into()))?;
        let path = std::path::absolute(&path).unwrap_or(path);
        let line = KeyRing::generate().map_err(StoreError::Key)?;
        secure_fs::keep_secret(&path, line.as_bytes()).map_err(StoreError::Private)?;
        let ring = KeyRing::parse(line.as_bytes()).map_err(|bad| StoreError::Key(bad.to_string()))?;
        Ok((path, ring.ids().swap_remove(0)))
    }

    fn environment_path(&self, name: &str) -> Option<PathBuf> {
        self.app
            .environment
            .get(name)
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// Puts a new key before those of `key_file`. Gives its id.
    pub fn add_key(&self) -> Result<String, AppError> {
        let fail = |problem: String| StoreError::Key(problem);
        let Some(path) = &self.app.config().cache.encryption.key_file else {
            return Err(fail("a new key can be added to key_file only".into()).into());
        };
        let before = Zeroizing::new(secure_fs::secret(path, LARGEST_KEY_FILE).map_err(StoreError::Private)?);
        let mut text = Zeroizing::new(Vec::with_capacity(before.len() + 64));
        text.extend_from_slice(KeyRing::generate().map_err(fail)?.as_bytes());
        text.extend_from_slice(&before);
        let ring = KeyRing::parse(&text)
            .map_err(|bad| fail(format!("with a new key before it, {}: {bad}", path.display())))?;
        // A link that was named keeps pointing: the file behind it is replaced.
        let at = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        secure_fs::replace(&at, &text, Access::Owner).map_err(StoreError::Private)?;
        Ok(ring.ids().swap_remove(0))
    }

    /// Rewrites every entry as configured: encrypted with the newest key, or in plaintext. Other processes continue.
    pub fn rekey(&self, progress: &dyn Progress) -> Result<RekeySummary, AppError> {
        let (layer, old) = if self.app.config().cache.encryption.enabled {
            // The file may have got a new key since it was read.
            let keys = EncryptionKeys::new(self.app).read().map_err(StoreError::Key)?;
            (KeyState::Keys(Arc::new(keys)), KeyState::Clear)
        } else {
            (KeyState::Clear, KeyState::Keys(Arc::new(EncryptionKeys::new(self.app).read().map_err(StoreError::Key)?)))
        };
        let disk = Encrypted::new(Disk::open(&StoreStack::new(self.app).disk_options())?, layer);
        let what = "entries";
        let total = disk.census()?;
        let all = total.clear.unwrap_or_default().0 + total.keys.iter().map(|(_, entries, _)| entries).sum::<u64>();
        progress.started(what, Some(all));
        let done = disk.exchange(&old, &mut |n| {
            progress.advanced(what, n);
            true
        });
        progress.finished(what);
        let RekeyReport { exchanged, gone, dropped, unknown, scoured } = done?;
        Ok(RekeySummary { resealed: exchanged, gone, dropped, unknown, wiped: scoured })
    }
}
