//! Names in commands about the cache: resolved from the cache on disk, without AWS.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::stack::StoreStack;
use crate::cache::Cache;
use crate::gateway::{NameLookup, known_id};
use crate::model::{Namespace, Resource};
use crate::store::{Select, Store};
use std::ops::ControlFlow;

/// Resolves names for one command.
pub struct NameResolver {
    held: Option<(Cache, Option<String>)>,
}

/// Whether the cache has an entry under this key, from any version.
pub fn is_stored(app: &App, key: &str) -> bool {
    let disk = StoreStack::new(app).existing_disk().ok().flatten();
    disk.is_some_and(|disk| space_holding(disk.as_ref(), key, None).is_some())
}

/// Another instance than `but` for which an entry is held under this key.
pub(super) fn space_holding(store: &dyn Store, key: &str, but: Option<&str>) -> Option<String> {
    let select = Select::Glob { space: None, pattern: key.to_owned() };
    let mut found = None;
    // What cannot be read is not known to be held.
    let _ = store.scan(&select, &mut |meta| {
        let other = Some(meta.space.as_str()) != but;
        found = (other && meta.key == key).then(|| meta.space.clone());
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

impl NameResolver {
    /// A resolver over the names in the cache on disk; it knows none if that cannot be opened.
    pub fn new(app: &App) -> NameResolver {
        let stack = StoreStack::new(app);
        let disk = stack.existing_disk().ok().flatten();
        NameResolver { held: disk.map(|disk| (stack.cache_on(&disk), stack.namespace_on(&disk))) }
    }

    /// What a text names among the things of a kind.
    pub fn find(&self, kind: Resource, text: &str) -> Result<NameLookup, AppError> {
        match &self.held {
            Some((cache, space)) => Ok(known_id(cache, space.as_deref(), kind, text)?),
            None => Ok(NameLookup::Unknown),
        }
    }
}

/// A space for display.
pub(super) fn shown(space: &str) -> String {
    Namespace::parse(space).map_or_else(|| "another program".to_owned(), |space| space.to_string())
}
