//! `--sandbox`: the whole product against the built-in Identity Center, in its own root.
//!
//! The real cache, state, mails and AWS settings are not touched; the same seed and sizes find their cache again.

use crate::app::error::AppError;
use crate::aws::AwsSettings;
use crate::config::{Loaded, Sources};
use crate::gateway::{GatewayError, Selection};
use crate::host;
use crate::limits;
use crate::sandbox::{Conduct, Organization, Running, Shape};
use crate::store::StoreError;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// The region that the sandbox says it is in.
const REGION: &str = "us-east-1";

/// The descriptors that the sandbox and the calls to it need: a listener, two runtimes, and both ends of a few connections.
const DESCRIPTORS: usize = 24;

/// The sandbox of one process: started by the first call, stopped with the process.
pub struct SandboxHost {
    shape: Shape,
    running: Mutex<Option<Running>>,
    /// Where its files are without a usable home; removed with it.
    temporary: Option<TempDir>,
}

impl SandboxHost {
    /// A sandbox that is not running yet.
    pub fn new(shape: Shape) -> SandboxHost {
        SandboxHost { shape, running: Mutex::new(None), temporary: None }
    }

    /// Keeps its files in a private temporary directory, which is removed with it. Returns the directory.
    pub fn settle_in_temporary_directory(&mut self) -> Result<PathBuf, AppError> {
        let made = tempfile::Builder::new().prefix("awsideman-sandbox-").tempdir();
        let temporary = made.map_err(|source| {
            AppError::Store(StoreError::Io { action: "make a directory in", path: std::env::temp_dir(), source })
        })?;
        let path = temporary.path().to_owned();
        self.temporary = Some(temporary);
        Ok(path)
    }

    /// The temporary directory in which it keeps its files, if it does.
    pub fn temporary_directory(&self) -> Option<&Path> {
        self.temporary.as_ref().map(TempDir::path)
    }

    /// Its seed and sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The name of its organization: part of every space, whatever port it listens on.
    pub fn label(&self) -> String {
        self.shape.label()
    }

    pub(super) fn selection(&self, wanted: Option<String>) -> Selection {
        Selection {
            fingerprint: "sandbox".into(),
            region: Some(REGION.into()),
            endpoint: Some(self.label()),
            wanted,
            sso_region: None,
        }
    }

    /// How it is reached; started when it is not running.
    pub(super) fn settings(&self, base: &AwsSettings) -> Result<AwsSettings, GatewayError> {
        let fail = |detail: String| GatewayError::Unreachable { operation: "the sandbox".into(), detail, sent: false };
        let mut running = self.running.lock().map_err(|_| fail("its thread has panicked".into()))?;
        let url = if let Some(running) = &*running {
            running.url()
        } else {
            // Both ends of every connection are in this process. Without descriptors its server would wait for ever.
            host::check_descriptors(DESCRIPTORS).map_err(|error| limit(&error))?;
            // Asynchronous operations take time as they do in AWS; writes end with this process.
            let conduct = Conduct { async_delay: Conduct::ASYNC_DELAY, ..Conduct::default() };
            let started = crate::sandbox::start(Organization::generate(&self.shape), conduct)
                .map_err(|error| fail(error.to_string()))?;
            running.insert(started).url()
        };
        Ok(AwsSettings {
            profile: None,
            default_profile: None,
            region: Some(REGION.into()),
            endpoint_url: Some(url),
            static_credentials: Some(("SANDBOX".into(), "sandbox".into())),
            ..base.clone()
        })
    }
}

fn limit(error: &std::io::Error) -> GatewayError {
    let hint = limits::hint(error).unwrap_or("raise the limits of this process (`ulimit -a`)");
    GatewayError::Limit { operation: "the sandbox".into(), detail: error.to_string(), hint, sent: false }
}

/// The sources of the sandbox's configuration: the user's own layers, with every directory under the sandbox's root
/// and mail into files there.
pub fn sandbox_sources(sources: &Sources, loaded: &Loaded, shape: &Shape) -> Sources {
    let folder = shape.label().replace(':', "-");
    let root = loaded.config.state.dir.join("sandbox").join(folder);
    let mut sandboxed = sources.clone();
    let mut set = |key: &str, value: String| sandboxed.overrides.push((key.to_owned(), value));
    set("cache.dir", root.join("cache").display().to_string());
    set("state.dir", root.join("state").display().to_string());
    set("log.file", root.join("awsideman.log").display().to_string());
    set("cache.sharing", "private".into());
    set("alerts.email.enabled", "true".into());
    set("alerts.email.transport", "file".into());
    set("alerts.email.dir", root.join("mail").display().to_string());
    set("alerts.email.from", "awsideman@sandbox.example".into());
    set("alerts.email.to", "on-call@sandbox.example".into());
    sandboxed
}
