//! Many entries in one transaction, each with its own TTL: for users of the library.
//!
//! A batch is stored in one transaction; its times shorten what the configuration allows and never lengthen it,
//! save in the space where programs keep what is theirs alone; a ticket keeps out what a change has overtaken.

use crate::cache::Cache;
use crate::cache::CacheError;
use crate::cache::Fresh;
use crate::cache::Key;
use crate::cache::Lookup;
use crate::cache::ReadOptions;
use crate::cache::Ticket;
use crate::clock::millis;
use crate::store::{StoreError, Stored};
use std::time::Duration;

/// One entry to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Its key.
    pub key: Key,
    /// Its bytes. `null` is no value: it says that there is nothing, and lives as long as that is believed.
    pub payload: Vec<u8>,
    /// Who made it, as `cache inspect` shows it.
    pub source: &'static str,
    /// How long it is fresh; `None` for as long as the configuration says. What is longer than that ends with it,
    /// unless the space is [`crate::cache::CUSTOM`].
    pub ttl: Option<Duration>,
}

impl Cache {
    /// Stores all of them in one transaction; the counts tell how many a change has overtaken since the ticket was taken.
    pub fn put_many(&self, space: &str, puts: &[Put], ticket: Ticket) -> Result<Stored, StoreError> {
        let fresh: Vec<Fresh> = puts
            .iter()
            .map(|put| Fresh { key: put.key.clone(), payload: put.payload.clone(), source: put.source })
            .collect();
        self.fill_each(space, fresh.iter().zip(puts).map(|(fresh, put)| (fresh, put.ttl.map(millis))), ticket)
    }

    /// Looks all of them up, in their order; a miss leaves its bytes empty.
    pub fn get_many(
        &self,
        space: &str,
        keys: &[Key],
        accept: ReadOptions,
    ) -> Result<Vec<(Lookup, Vec<u8>)>, CacheError> {
        keys.iter().map(|key| self.get(space, key, accept)).collect()
    }
}
