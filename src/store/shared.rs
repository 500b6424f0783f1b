//! Forwards the store contract through `Arc`.

use super::{
    Address, EntryWriter, Fill, InvalidationRecord, InvalidationState, Meta, Removed, Revise, Select, Size, Store,
    StoreError, Stored, Sweep, Swept, ViewCallback,
};
use crate::clock::UnixMillis;
use std::ops::ControlFlow;
use std::sync::Arc;

impl<S: Store + ?Sized> Store for Arc<S> {
    fn backend(&self) -> &'static str {
        (**self).backend()
    }

    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        (**self).view(address, look)
    }

    fn stores(&self) -> bool {
        (**self).stores()
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        (**self).sequence()
    }

    fn row(&self, address: Address<'_>) -> u64 {
        (**self).row(address)
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        (**self).standing(address, now)
    }

    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        (**self).records(since)
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        (**self).lower(fence, until)
    }

    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        (**self).fences_ahead(now)
    }

    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        (**self).correct_clock(now)
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        (**self).put(fills, since, begun)
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        (**self).revise(address, now, revise)
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        (**self).draft(begun)
    }

    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        (**self).remove(selections, fence_until, now)
    }

    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        (**self).discard(address, checksum)
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        (**self).scan(selection, visit)
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        (**self).sweep(sweep)
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        (**self).touch(uses)
    }

    fn size(&self) -> Result<Size, StoreError> {
        (**self).size()
    }

    fn settle(&self) -> Result<(), StoreError> {
        (**self).settle()
    }
}
