//! Reads and writes entries: get, set, exists, update, one or many.
//!
//! Values are JSON. A read is a hit or a miss in any state of the cache. An update is one transaction.

use crate::app::{App, AwsAccount, KillSwitch};
use crate::cache::{BY_PROGRAM, CUSTOM, Cache, Key, Lookup, Put, ReadOptions};
use crate::library::cache_manager::{CacheManager, in_use};
use crate::library::error::LibraryError;
use crate::model::Resource;
use crate::store::{Address, StoreError, Stored};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

use std::time::Duration;

/// One entry of [`CacheManager::put_many`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutItem<T> {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: T,
    /// The TTL; `None` for the configured one.
    pub ttl: Option<Duration>,
}

impl CacheManager {
    /// The value under `key`; `None` if it is absent, expired or unusable. If the value is no `T`, the result is an
    /// error: use `serde_json::Value` to accept any value.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, LibraryError> {
        let key = parse(key)?;
        self.find(&key).map(|bytes| value(&key, &bytes)).transpose()
    }

    /// Whether a get would find a value under `key`. It does not count as a lookup.
    pub fn exists(&self, key: &str) -> Result<bool, LibraryError> {
        let key = parse(key)?;
        let app = self.app();
        let found = in_use(&app).map(|cache| {
            let Some(cache) = cache else { return false };
            spaces(&app, &cache, &key).any(|space| cache.freshness(&space, &key).is_some())
        });
        Ok(self.ended(&app, found).unwrap_or(false))
    }

    /// Stores a value with the configured TTL. `false` if nothing is stored: the cache is disabled, its breaker is
    /// open, or a change that affects the key is in progress.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<bool, LibraryError> {
        Ok(self.keep(&[put(key, value, None)?])?.stored == 1)
    }

    /// Stores a value with this TTL.
    pub fn set_with_ttl<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<bool, LibraryError> {
        Ok(self.keep(&[put(key, value, Some(ttl))?])?.stored == 1)
    }

    /// Replaces the value under `key` by the result of `change`, and returns it. It is one transaction: concurrent updates of
    /// threads and processes are all applied. `change` gets `None` if there is no value. It must be quick, must not use the
    /// cache, and may be called again if another thread was faster.
    ///
    /// ```
    /// # use awsideman::library::CacheManager;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let home = tempfile::tempdir()?;
    /// # let cache = CacheManager::in_home(home.path())?;
    /// for _ in 0..3 {
    ///     cache.update("visits", |before: Option<u64>| before.unwrap_or(0) + 1)?;
    /// }
    /// assert_eq!(cache.get("visits")?, Some(3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        change: impl FnMut(Option<T>) -> T,
    ) -> Result<T, LibraryError> {
        self.change(key, None, change)
    }

    /// The same with this TTL, from now on.
    pub fn update_with_ttl<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        ttl: Duration,
        change: impl FnMut(Option<T>) -> T,
    ) -> Result<T, LibraryError> {
        self.change(key, Some(ttl), change)
    }

    /// The values under these keys, in their order.
    pub fn get_many<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>, LibraryError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Stores all of them in one transaction. The counts include entries that were not stored, as with
    /// [`CacheManager::set`].
    pub fn put_many<T: Serialize>(&self, items: &[PutItem<T>]) -> Result<Stored, LibraryError> {
        let puts: Result<Vec<Put>, LibraryError> =
            items.iter().map(|item| put(&item.key, &item.value, item.ttl)).collect();
        self.keep(&puts?)
    }

    fn find(&self, key: &Key) -> Option<Vec<u8>> {
        let app = self.app();
        let looked = in_use(&app).and_then(|cache| match cache {
            Some(cache) => self.look(&app, &cache, key),
            None => Ok(None),
        });
        let found = self.ended(&app, looked).ok().flatten();
        self.inner.counters.lookup(found.is_some());
        found
    }

    fn look(&self, app: &App, cache: &Cache, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        for space in spaces(app, cache, key) {
            match cache.get(&space, key, ReadOptions::default()) {
                Ok((Lookup::Hit(_), bytes)) => {
                    let address = Address { space: &space, key: key.as_str() };
                    if self.inner.uses.note(address, cache.clock().now()) {
                        self.inner.uses.flush(cache.store().as_ref());
                    }
                    return Ok(Some(bytes));
                }
                Ok((Lookup::Miss(_, Some(fault)), _)) => return Err(fault),
                Ok((Lookup::Miss(_, None), _)) => {}
                Err(fault) => return Err(StoreError::Output(io::Error::other(fault.to_string()))),
            }
        }
        Ok(None)
    }

    fn keep(&self, puts: &[Put]) -> Result<Stored, LibraryError> {
        let app = self.app();
        let refused = Stored { stored: 0, refused: puts.len() as u64 };
        let kept = in_use(&app).and_then(|cache| {
            let Some(cache) = cache else { return Ok(refused) };
            if app.is_memory() {
                self.inner.uses.flush(cache.store().as_ref());
            }
            cache.put_many(CUSTOM, puts, cache.ticket()?)
        });
        match self.ended(&app, kept) {
            Err(StoreError::BreakerOpen | StoreError::StoringPaused) => Ok(refused),
            kept => Ok(kept?),
        }
    }

    fn change<T: Serialize + DeserializeOwned>(
        &self,
        text: &str,
        ttl: Option<Duration>,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T, LibraryError> {
        let key = parse(text)?;
        let app = self.app();
        let (mut now, mut unfit) = (None, None);
        let done = in_use(&app).and_then(|cache| {
            let Some(cache) = cache else { return Ok(false) };
            cache.update(&key, ttl, &mut |before| {
                let mut made = || -> Result<Vec<u8>, LibraryError> {
                    let changed = change(before.map(|bytes| value(&key, bytes)).transpose()?);
                    let bytes = payload(&key, &changed)?;
                    now = Some(changed);
                    Ok(bytes)
                };
                made().map_err(|error| {
                    unfit = Some(error);
                    io::Error::other("the value does not fit")
                })
            })
        });
        let done = self.ended(&app, done);
        if let Some(unfit) = unfit {
            return Err(unfit);
        }
        match (done?, now) {
            (true, Some(now)) => Ok(now),
            (_, None) if let Some(disabled) = KillSwitch::new(&app).disabled_now() => {
                Err(LibraryError::Disabled { key: text.to_owned(), by: disabled.by })
            }
            _ => Err(LibraryError::ChangeUnderWay { key: text.to_owned() }),
        }
    }
}

/// The namespaces that may contain `key`: entries of programs, and answers of AWS to this profile.
fn spaces(app: &App, cache: &Cache, key: &Key) -> impl Iterator<Item = String> {
    let of_aws =
        (key.resource() != Resource::Custom).then(|| AwsAccount::new(app).selection().remembered(cache)).flatten();
    std::iter::once(CUSTOM.to_owned()).chain(of_aws.map(|space| space.text()))
}

fn parse(key: &str) -> Result<Key, LibraryError> {
    Key::parse(key).map_err(LibraryError::Key)
}

fn put<T: Serialize + ?Sized>(key: &str, value: &T, ttl: Option<Duration>) -> Result<Put, LibraryError> {
    let key = parse(key)?;
    let payload = payload(&key, value)?;
    Ok(Put { key, payload, source: BY_PROGRAM, ttl })
}

fn payload<T: Serialize + ?Sized>(key: &Key, value: &T) -> Result<Vec<u8>, LibraryError> {
    serde_json::to_vec(value).map_err(|source| LibraryError::Value { key: key.to_string(), source })
}

fn value<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T, LibraryError> {
    serde_json::from_slice(bytes).map_err(|source| LibraryError::Value { key: key.to_string(), source })
}
