//! One lookup in the cache: an answer, an absence that is remembered, or a miss.
//!
//! Guarantee: a read is recorded as one lookup, however many keys it tries. A negative entry is the error that AWS
//! gave, never the text `null`.

use crate::cache::Miss;
use crate::model::Resource;
use crate::store::StoreFault;
use std::sync::Arc;

/// What became of a lookup, for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// A fresh entry answered.
    Hit,
    /// None did.
    Miss(Miss),
    /// The store could not answer.
    Fault(StoreFault),
}

/// Receives every lookup of a command's read: the outcome, the resource, and the id of the entry's row.
pub type Recorder = Arc<dyn Fn(Looked, Resource, u64) + Send + Sync>;

/// What of a lookup is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// Hit or miss: this is the read's lookup.
    All,
    /// A hit alone: after a miss the read looks again, or asks in another way.
    Hits,
    /// Nothing: the read's lookup was recorded before.
    Nothing,
}
