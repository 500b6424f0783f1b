//! One run's configuration, app, progress and runtime: what most commands begin with.
//!
//! Neighbours: `commands/` open one; `config/` loads, `app/` joins. Promise: an emergency command gets a session whatever
//! the configuration looks like, and what was wrong with it is said; the runtime is made when something must wait.

use super::args::{FreshnessArgs, GlobalArgs};
use super::exit::{Code, Failure};
use super::output::Output;
use super::progress::Shown;
use crate::app::{App, AppError, Reading, SandboxHost, sandbox_sources};
use crate::cache::Provenance;
use crate::config::{self, Loaded, Sharing, Sources};
use crate::gateway::{GatewayError, Policy};
use crate::log::Live;
use crate::model::format_duration;
use crate::report::Progress;
use crate::sandbox::Shape;
use std::sync::Arc;
use std::time::Duration;

/// What a command needs of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// All of it, and right.
    Sound,
    /// The same for a report: its command tells the notices, in its document or beside its page.
    Report,
    /// Whatever parses: an emergency command.
    Anything,
}

/// A command's world.
pub(super) struct Session {
    pub(super) app: Arc<App>,
    pub(super) progress: Arc<Shown>,
    /// What a person should know, for the commands whose JSON carries it; otherwise it has been said.
    pub(super) notices: Vec<String>,
    verbose: bool,
}

impl Session {
    /// Loads the configuration and joins the rooms; opens nothing.
    pub(super) fn open(globals: &GlobalArgs, need: Need, output: &mut Output) -> Result<Session, Failure> {
        let mut sources = sources(globals);
        let mut notices = Vec::new();
        let mut loaded = load(&sources, need, &mut notices)?;
        let sandbox = match globals.sandbox {
            None => None,
            Some(seed) => {
                let shape = Shape { seed: seed.unwrap_or(Shape::default().seed), ..Shape::default() };
                sources = sandbox_sources(&sources, &loaded, &shape);
                loaded = load(&sources, need, &mut Vec::new())?;
                Some(Arc::new(SandboxHost::new(shape)))
            }
        };
        output.set_default_format(loaded.config.output.format);
        notices.extend(loaded.warnings.iter().cloned());
        let app = Arc::new(join(loaded, sandbox, need, &mut notices)?);
        let progress = Arc::new(Shown::new(output.talk().clone()));
        crate::log::begin(app.log_settings(), live(globals, &progress));
        let session = Session { app, progress, notices, verbose: globals.verbose > 0 };
        if need == Need::Sound {
            session.say_notices();
        }
        Ok(session)
    }

    /// Reads the configuration again, strictly, for a process that stays; its sandbox goes on.
    pub(super) fn read_again(globals: &GlobalArgs, sandbox: Option<Arc<SandboxHost>>) -> Result<Arc<App>, Failure> {
        let mut sources = sources(globals);
        let mut loaded = config::load(&sources)?;
        if let Some(sandbox) = &sandbox {
            sources = sandbox_sources(&sources, &loaded, sandbox.shape());
            loaded = config::load(&sources)?;
        }
        Ok(Arc::new(App::new(loaded, sandbox)?))
    }

    /// Says what a person should know, one line each.
    pub(super) fn say_notices(&self) {
        for notice in &self.notices {
            self.progress.notice(notice);
        }
    }

    /// The policy that the flags of a read ask for.
    pub(super) fn policy(&self, freshness: &FreshnessArgs) -> Result<Policy, Failure> {
        let wanted = if freshness.no_cache {
            Policy::BYPASS
        } else if freshness.refresh {
            Policy::REFRESH
        } else {
            Policy { live: !freshness.cache_only, fill: !freshness.cache_only, max_age: freshness.max_age, read: true }
        };
        if let (Some(disabled), true) = (self.app.disabled(), freshness.cache_only) {
            let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return Err(self.cache_needed(format!("--cache-only, and the cache is disabled{reason}")));
        }
        Ok(self.app.policy(wanted))
    }

    /// The failure of a command that is of no use while the cache is disabled, with what ends that.
    pub(super) fn cache_needed(&self, message: String) -> Failure {
        let failure = Failure::new(Code::CacheNeeded, message);
        if self.app.switch().0.disabled(self.app.clock().now()).is_some() {
            return failure.hint("`awsideman cache enable` ends that");
        }
        let origin = self.app.loaded().origins.get("cache.disabled").map_or("the configuration", String::as_str);
        failure.hint(format!("`cache.disabled` is set by {origin}; `awsideman cache enable` does not change that"))
    }

    /// The failure of a read. A cache that cannot be used holds nothing: that is said, rather than what it lacks.
    pub(super) fn failed(&self, error: GatewayError) -> Failure {
        match (&error, self.app.store_problem()) {
            (GatewayError::NotCached { .. }, Some(problem)) => {
                let message = format!("--cache-only, and the cache cannot be used: CacheBackendError: {problem}");
                Failure::new(Code::CacheNeeded, message).hint(self.app.store_remedy())
            }
            _ => error.into(),
        }
    }

    /// With `--verbose`: where an answer came from.
    pub(super) fn tell_source(&self, provenance: &Provenance) {
        if self.verbose {
            let span = |ms: i64| format_duration(Duration::from_millis(ms.unsigned_abs()));
            let text = match (provenance.cached, provenance.stale) {
                (true, false) => format!(
                    "from the cache, {} old, fresh for {} more",
                    span(provenance.age_ms),
                    span(provenance.left_ms)
                ),
                (true, true) => format!("from the cache, {} old and expired", span(provenance.age_ms)),
                (false, _) => "from AWS".to_owned(),
            };
            self.progress.notice(&text);
        }
    }

    /// Ends a command that read: as [`Session::close`], and what it left in the cache's log is folded in.
    pub(super) fn close_after(&self, reading: &Reading) {
        self.close(reading.gateway.take_faults());
        let calls = reading.calls();
        if self.verbose {
            let each: Vec<String> = calls.by_operation.iter().map(|(name, n)| format!("{n} {name}")).collect();
            let list = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
            self.progress.notice(&format!("{} calls to AWS, {} throttled{list}", calls.total, calls.throttled));
        }
        if calls.total > 0 {
            if let Some(notice) = self.app.key_notice() {
                self.progress.notice(&notice);
            }
            self.app.fold_log();
        }
    }

    /// Ends a command that used the store: what it met is kept for the next process, and faults of the cache are said.
    pub(super) fn close(&self, faults: Vec<String>) {
        if let Some(problem) = self.app.store_problem() {
            self.progress.notice(&format!(
                "the cache cannot be used, this is from AWS: CacheBackendError: {problem}\nnext: {}",
                self.app.store_remedy()
            ));
        }
        if let Some(notice) = self.app.store_notice() {
            self.progress.notice(&notice);
        }
        for fault in faults {
            self.progress.notice(&format!("the cache could not be used for everything: CacheBackendError: {fault}"));
        }
        if let Some(problem) = &self.app.switch().1 {
            self.progress.notice(problem);
        }
        self.app.finish();
    }
}

/// What is printed while the command runs: waits on a terminal or with `-v`, requests with `-vv`.
fn live(globals: &GlobalArgs, progress: &Arc<Shown>) -> Option<Live> {
    let waits = globals.verbose > 0 || (progress.is_terminal() && !globals.quiet);
    waits.then(|| {
        // The log lasts as long as the process, the progress as long as the command.
        let progress = Arc::downgrade(progress);
        let print = move |line: &str| {
            if let Some(progress) = progress.upgrade() {
                progress.line(line);
            }
        };
        Live::new(globals.verbose > 1, Box::new(print))
    })
}

/// Joins the rooms; an emergency command goes on without a group that this host does not have.
fn join(
    loaded: Loaded,
    sandbox: Option<Arc<SandboxHost>>,
    need: Need,
    notices: &mut Vec<String>,
) -> Result<App, Failure> {
    match App::new(loaded.clone(), sandbox.clone()) {
        Err(error @ AppError::NoSuchGroup { .. }) if need == Need::Anything => {
            notices.push(format!("the configuration is not sound: {error}; the directories are taken as private"));
            let mut private = loaded;
            private.config.cache.sharing = Sharing::Private;
            Ok(App::new(private, sandbox)?)
        }
        joined => Ok(joined?),
    }
}

/// Waits for work that may ask AWS, on one thread.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Code::Failed, format!("cannot start: {error}")))?;
    Ok(runtime.block_on(work))
}

/// Where the configuration comes from, with the flags that are configuration.
pub(super) fn sources(globals: &GlobalArgs) -> Sources {
    let mut sources = Sources::from_process(globals.config.clone());
    for (key, value) in [("profile", &globals.profile), ("region", &globals.region)] {
        if let Some(value) = value {
            sources.overrides.push((key.to_owned(), value.clone()));
        }
    }
    sources
}

fn load(sources: &Sources, need: Need, notices: &mut Vec<String>) -> Result<Loaded, Failure> {
    if need != Need::Anything {
        return Ok(config::load(sources)?);
    }
    let (loaded, problems) = config::load_leniently(sources);
    notices.extend(problems.iter().map(|problem| format!("the configuration is not sound: {problem}")));
    Ok(loaded)
}
