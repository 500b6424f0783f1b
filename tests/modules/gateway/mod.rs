//! AWS through the cache: what a person is shown, what it costs in calls, and what is never shown.

mod names;
mod overtaken;
mod reads;
mod sandbox;
mod script;
mod verify;
mod walks;

use awsideman::cache::{Cache, EntrySettings};
use awsideman::clock::{Clock, ManualClock, UnixMillis};
use awsideman::config::Ttls;
use awsideman::gateway::{Gateway, IdentityCenterApi, Looked, Selection};
use awsideman::model::Resource;
use awsideman::progress::Progress;
use awsideman::store::{Memory, Store};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NOW: UnixMillis = 1_800_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Ten minutes for every answer, a day for the instance, half a minute for absences, an hour of staleness.
fn settings() -> EntrySettings {
    EntrySettings {
        ttls: Ttls {
            default: 10 * MINUTE,
            by_resource: [(Resource::Instance, 1440 * MINUTE)].into(),
            by_operation: [].into(),
        },
        not_found_ttl: MINUTE / 2,
        stale_if_error: 60 * MINUTE,
        max_age: None,
        compression: true,
    }
}

fn selection(fingerprint: &str) -> Selection {
    Selection {
        fingerprint: fingerprint.into(),
        region: Some("eu-west-1".into()),
        endpoint: None,
        wanted: None,
        sso_region: None,
    }
}

/// A store and a clock that outlive the gateways over them, as those of one host outlive its processes.
struct Host {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    spool: tempfile::TempDir,
    looked: Arc<Mutex<Vec<(Looked, Resource, u64)>>>,
}

impl Host {
    fn new() -> Host {
        Host::over(Arc::new(Memory::new(0, 0)))
    }

    fn over(store: Arc<dyn Store>) -> Host {
        let clock = Arc::new(ManualClock::at(NOW));
        Host { store, clock, spool: tempfile::tempdir().unwrap(), looked: Arc::default() }
    }

    fn cache(&self, settings: EntrySettings) -> Cache {
        Cache::new(self.store.clone(), self.clock.clone(), settings)
    }

    /// What a new process would make.
    fn gateway(&self, source: &Arc<impl IdentityCenterApi + 'static>) -> Gateway {
        self.gateway_of(source, "ours", settings())
    }

    fn gateway_of(
        &self,
        source: &Arc<impl IdentityCenterApi + 'static>,
        fingerprint: &str,
        settings: EntrySettings,
    ) -> Gateway {
        let looked = self.looked.clone();
        let recorder = Arc::new(move |outcome, resource, id| looked.lock().unwrap().push((outcome, resource, id)));
        let cache = self.cache(settings);
        Gateway::new(cache, source.clone(), selection(fingerprint), self.spool.path().into(), Some(recorder))
    }

    fn clock_now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// What was recorded since the last time.
    fn looked(&self) -> Vec<Looked> {
        std::mem::take(&mut *self.looked.lock().unwrap()).into_iter().map(|(outcome, ..)| outcome).collect()
    }
}

/// Progress that keeps its notices.
#[derive(Default)]
struct Notices(Mutex<Vec<String>>);

impl Progress for Notices {
    fn started(&self, _: &str, _: Option<u64>) {}
    fn advanced(&self, _: &str, _: u64) {}
    fn notice(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn finished(&self, _: &str) {}
}
