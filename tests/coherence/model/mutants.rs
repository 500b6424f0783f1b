//! The rules with one step taken out: what a careless change to the code would do.

use super::aws::SETTLE_MS;
use awsideman::clock::UnixMillis;
use awsideman::store::{
    Address, EntryWriter, Fill, InvalidationRecord, InvalidationState, Meta, Removed, Revise, Select, Size, Store,
    StoreError, Stored, Sweep, Swept, ViewCallback,
};
use std::ops::ControlFlow;

/// What is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Nothing: the rules as they are.
    None,
    /// A fill is not compared with the records that came since it began.
    NoCheck,
    /// A fence ends with its change.
    NoSettle,
    /// A change that has ended is not recorded again.
    NoClose,
}

/// A store that leaves the step out.
pub(crate) struct Mutated<S>(pub(crate) S, pub(crate) Mutant);

struct MutatedDraft<'a> {
    draft: Box<dyn EntryWriter + 'a>,
    newest: Option<Box<dyn Fn() -> Result<u64, StoreError> + Send + 'a>>,
}

impl EntryWriter for MutatedDraft<'_> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.draft.frame(bytes)
    }

    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        let since = self.newest.as_ref().map_or(Ok(since), |newest| newest())?;
        self.draft.publish(meta, since)
    }
}

impl<S: Store> Store for Mutated<S> {
    fn backend(&self) -> &'static str {
        self.0.backend()
    }
    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        self.0.view(address, look)
    }
    fn sequence(&self) -> Result<u64, StoreError> {
        self.0.sequence()
    }
    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        self.0.standing(address, now)
    }
    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        self.0.records(since)
    }
    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        let since = if self.1 == Mutant::NoCheck { self.0.sequence()? } else { since };
        self.0.put(fills, since, begun)
    }
    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        self.0.revise(address, now, revise)
    }
    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        let draft = self.0.draft(begun)?;
        let newest = (self.1 == Mutant::NoCheck).then(|| Box::new(|| self.0.sequence()) as Box<_>);
        Ok(Box::new(MutatedDraft { draft, newest }))
    }
    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        if self.1 == Mutant::NoClose && fence_until == Some(now + SETTLE_MS) {
            return Ok(Removed::default());
        }
        self.0.remove(selections, fence_until, now)
    }
    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        if self.1 == Mutant::NoClose { Ok(()) } else { self.0.lower(fence, until) }
    }
    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.0.fences_ahead(now)
    }
    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.0.correct_clock(now)
    }
    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        self.0.discard(address, checksum)
    }
    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.0.scan(selection, visit)
    }
    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.0.sweep(sweep)
    }
    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.0.touch(uses)
    }
    fn size(&self) -> Result<Size, StoreError> {
        self.0.size()
    }
    fn settle(&self) -> Result<(), StoreError> {
        self.0.settle()
    }
}
