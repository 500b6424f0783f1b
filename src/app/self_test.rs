//! `cache test`: set, get, expire and delete on a private key, timed.
//!
//! Touches nothing but its own key in a separate namespace, and leaves nothing behind.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::stack::StoreStack;
use crate::cache::{Cache, Fresh, Key, Lookup, ReadOptions};
use crate::clock::{Clock, ManualClock};
use crate::model::Resource;
use crate::store::{Select, Store, StoreError, TRIAL_SPACE as SPACE};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One step of the test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTestStep {
    /// `set`, `get`, `expire`, `delete`.
    pub step: &'static str,
    /// Whether it did what it should.
    pub ok: bool,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What went wrong.
    pub error: Option<String>,
}

/// The outcome of the test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTest {
    /// Whether every step did what it should.
    pub ok: bool,
    /// The backend.
    pub backend: String,
    /// Whether the cache is enabled; a disabled one is tested as well.
    pub enabled: bool,
    /// The steps, in order.
    pub steps: Vec<SelfTestStep>,
}

/// Runs the self-test of the store.
pub struct SelfTester<'a> {
    app: &'a App,
}

impl<'a> SelfTester<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> SelfTester<'a> {
        SelfTester { app }
    }

    /// Runs the test. `Err` when the store cannot even be opened.
    pub fn run(&self) -> Result<SelfTest, AppError> {
        let store = self.app.store()?.clone();
        Ok(self.run_on(&store))
    }

    /// The same on a store that was opened for it.
    pub(super) fn run_on(&self, store: &Arc<dyn Store>) -> SelfTest {
        let clock = Arc::new(ManualClock::at(self.app.clock().now()));
        let cache = Cache::new(store.clone(), clock.clone(), StoreStack::new(self.app).cache_settings());
        let key = Key::new(Resource::Custom, "test", &format!("{}-{}", std::process::id(), clock.now()));
        let value = b"{\"awsideman\":\"cache test\"}".to_vec();
        let mut steps = Vec::new();
        let ttl = self.app.config().cache.ttl.duration(Resource::Custom, "test");

        timed(&mut steps, "set", || {
            let ticket = cache.ticket()?;
            let answer = Fresh { key: key.clone(), payload: value.clone(), source: "cache test" };
            let stored = cache.fill(SPACE, &[answer], ticket)?;
            Ok(if stored.stored == 1 { None } else { Some("the store refused the entry".into()) })
        });
        timed(&mut steps, "get", || {
            Ok(match get(&cache, &key)? {
                Some(found) if found == value => None,
                Some(_) => Some("the entry came back changed".into()),
                None => Some("the entry was not found".into()),
            })
        });
        clock.advance(ttl + Duration::from_secs(1));
        timed(&mut steps, "expire", || {
            Ok(get(&cache, &key)?.map(|_| "the entry was still served after its time".into()))
        });
        timed(&mut steps, "delete", || {
            let selection = Select::Exact { space: SPACE.into(), key: key.as_str().into() };
            let removed = store.remove(&[selection], None, self.app.clock().now())?;
            Ok(if removed.entries == 1 { None } else { Some("the entry was not there to delete".into()) })
        });
        SelfTest {
            ok: steps.iter().all(|step| step.ok),
            backend: store.backend().to_owned(),
            enabled: self.app.disabled().is_none(),
            steps,
        }
    }
}

fn get(cache: &Cache, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
    match cache.get(SPACE, key, ReadOptions::default()) {
        Ok((Lookup::Hit(_), bytes)) => Ok(Some(bytes)),
        Ok((Lookup::Miss(_, Some(fault)), _)) => Err(fault),
        Ok((Lookup::Miss(_, None), _)) => Ok(None),
        Err(error) => Err(StoreError::Output(std::io::Error::other(error.to_string()))),
    }
}

fn timed(steps: &mut Vec<SelfTestStep>, step: &'static str, work: impl FnOnce() -> Result<Option<String>, StoreError>) {
    let begin = Instant::now();
    let error = work().unwrap_or_else(|error| Some(error.to_string()));
    let took_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    steps.push(SelfTestStep { step, ok: error.is_none(), took_us, error });
}
