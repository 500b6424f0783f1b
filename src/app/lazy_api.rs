//! AWS at the last moment: the paced source is made when the first call needs it.
//!
//! A command that is answered from the cache never opens the pace database, loads the SDK's configuration or starts
//! a server; the calls are reported once, when the source is dropped.

use crate::gateway::{GatewayError, GetCall, IdentityCenterApi, InstanceTarget, ListCall, Mutation, Page, RateLimited};
use crate::progress::Calls;
use async_trait::async_trait;
use serde_json::Value;
use std::sync::{Arc, OnceLock};

type MakeApi = Box<dyn Fn() -> Result<RateLimited, GatewayError> + Send + Sync>;
type Spent = Box<dyn Fn(&Calls) + Send + Sync>;

/// A source that does not exist yet.
pub(super) struct LazyApi {
    make: MakeApi,
    spent: Spent,
    made: OnceLock<Arc<RateLimited>>,
}

impl LazyApi {
    /// Created by `make` on first use; `spent` gets the calls at the end.
    pub(super) fn new(
        make: impl Fn() -> Result<RateLimited, GatewayError> + Send + Sync + 'static,
        spent: impl Fn(&Calls) + Send + Sync + 'static,
    ) -> LazyApi {
        LazyApi { make: Box::new(make), spent: Box::new(spent), made: OnceLock::new() }
    }

    /// The calls made so far.
    pub(super) fn calls(&self) -> Calls {
        self.made.get().map(|paced| paced.calls()).unwrap_or_default()
    }

    /// What its calls wait for at this moment.
    pub(super) fn waits(&self) -> Option<String> {
        self.made.get()?.waits()
    }

    fn source(&self) -> Result<&Arc<RateLimited>, GatewayError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = (self.make)()?;
        Ok(self.made.get_or_init(|| Arc::new(made)))
    }
}

impl Drop for LazyApi {
    fn drop(&mut self) {
        let calls = self.calls();
        if calls.total > 0 || calls.unreachable.is_some() {
            (self.spent)(&calls);
        }
    }
}

#[async_trait]
impl IdentityCenterApi for LazyApi {
    async fn ready(&self, operation: &str) -> Result<(), GatewayError> {
        self.source()?.ready(operation).await
    }

    async fn page(
        &self,
        target: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        self.source()?.page(target, listing, token).await
    }

    async fn fetch(&self, target: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
        self.source()?.fetch(target, single).await
    }

    async fn change(&self, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        self.source()?.change(target, change).await
    }
}
