//! Invalidates the entries affected by a change made outside awsideman.
//!
//! Works while the cache is disabled, bypassed or behind an open breaker, and asks nothing of AWS; a dry run counts
//! exactly what the real one removes.

use crate::app::account::AwsAccount;
use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::invalidation_targets::InvalidationTargets;
use crate::app::stack::StoreStack;
use crate::cache::{ChangeEvent, Dirt, Operation, covered_by, dirty};
use crate::model::Resource;
use crate::store::{Address, Store, StoreError};
use serde::Serialize;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// What an invalidation removed, or with a dry run would remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invalidated {
    /// The version of this document.
    pub schema_version: u32,
    /// What happened.
    pub operation: &'static str,
    /// To what.
    pub resource: &'static str,
    /// Its id.
    pub id: String,
    /// The space that was meant; `null` for every space, when it is not known which one this profile belongs to.
    pub space: Option<String>,
    /// The keys that are false now.
    pub keys: Vec<String>,
    /// Globs over keys, where not enough is known for keys.
    pub globs: Vec<String>,
    /// The entries under them.
    pub invalidated: u64,
    /// Whether a store that could not record it was given up as a whole.
    pub retired: bool,
    /// Whether nothing was really removed.
    pub dry_run: bool,
}

/// Invalidates entries after a change made outside awsideman.
pub struct Invalidator<'a> {
    app: &'a App,
}

impl<'a> Invalidator<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Invalidator<'a> {
        Invalidator { app }
    }

    /// Removes what `operation` on the thing with this id has made false, and keeps out what is being fetched.
    pub fn invalidate(
        &self,
        operation: Operation,
        resource: Resource,
        id: &str,
        dry_run: bool,
    ) -> Result<Invalidated, AppError> {
        let dirt = dirty(&ChangeEvent::new(resource, operation, id));
        let disk = StoreStack::new(self.app).existing_disk();
        // The entry that remembers the instance lies on the disk, whatever this process reads from.
        let on_disk =
            disk.as_ref().ok().and_then(Option::as_ref).and_then(|disk| StoreStack::new(self.app).namespace_on(disk));
        let text = match (on_disk, self.app.is_memory()) {
            (None, true) => {
                AwsAccount::new(self.app).selection().remembered(&self.app.cache()).map(|space| space.text())
            }
            (found, _) => found,
        };
        let (mut invalidated, mut retired) = (0, false);
        if dry_run {
            if let Some(disk) = disk? {
                invalidated = count(disk.as_ref(), &dirt, text.as_deref())?;
            }
        } else {
            let done = InvalidationTargets::new(self.app).fences().invalidate(text.as_deref(), &dirt)?;
            (invalidated, retired) = (done.entries, done.retired());
        }
        let of = |wanted: fn(&Dirt) -> bool| dirt.iter().filter(|dirt| wanted(dirt)).map(ToString::to_string).collect();
        Ok(Invalidated {
            schema_version: 1,
            operation: operation.as_str(),
            resource: resource.as_str(),
            id: id.to_owned(),
            space: text,
            keys: of(|dirt| matches!(dirt, Dirt::Key(_))),
            globs: of(|dirt| matches!(dirt, Dirt::Glob(_))),
            invalidated,
            retired,
            dry_run,
        })
    }
}

/// The entries that `dirt` covers, each counted once.
fn count(store: &dyn Store, dirt: &[Dirt], space: Option<&str>) -> Result<u64, StoreError> {
    let mut covered = HashSet::new();
    for select in covered_by(dirt, space) {
        store.scan(&select, &mut |meta| {
            covered.insert(Address { space: &meta.space, key: &meta.key }.id());
            ControlFlow::Continue(())
        })?;
    }
    Ok(covered.len() as u64)
}
