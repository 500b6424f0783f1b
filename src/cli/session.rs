//! One run's configuration, app, progress and runtime: what most commands begin with.
//!
//! An emergency command gets a session whatever the configuration looks like, and what was wrong with it is said;
//! the runtime is made when something must wait.

use super::args::{FreshnessArgs, GlobalArgs};
use super::interrupts::Interrupts;
use super::invocation;
use super::output::Output;
use super::progress::ProgressDisplay;
use crate::app::{
    self, App, AppError, AwsAccount, EncryptionAdmin, GatewayBuilder, Inspector, Reading, SandboxHost, StateReader,
    StoreStack, log_settings, sandbox_sources,
};
use crate::cache::Provenance;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::clock::{self, UnixMillis};
use crate::config::{self, ConfigError, Loaded, Problem, Sharing, Sources};
use crate::gateway::{CachePolicy, GatewayError};
use crate::host;
use crate::log::{LiveOutput, Shows};
use crate::model::format_duration;
use crate::progress::Progress;
use crate::sandbox::Shape;
use crate::state::Disabled;
use std::sync::Arc;
use std::time::Duration;

/// What a command needs of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// All of it, and right.
    Sound,
    /// The same for a report: its command prints the notices, in its document or on stderr.
    Report,
    /// Whatever parses: an emergency command.
    Anything,
}

/// A command's world.
pub(super) struct Session {
    pub(super) app: Arc<App>,
    pub(super) progress: Arc<ProgressDisplay>,
    pub(super) interrupts: Interrupts,
    /// What a person should know, for the commands whose JSON carries it; otherwise it has been said.
    pub(super) notices: Vec<String>,
    verbose: bool,
    /// Saves the breaker state of a data command, however the command ends. A report changes nothing.
    _keeper: Option<Keeper>,
}

/// Saves the circuit breaker state when the command ends, also with an error.
struct Keeper(Arc<App>);

impl Drop for Keeper {
    fn drop(&mut self) {
        StoreStack::new(&self.0).finish();
    }
}

impl Session {
    /// Loads the configuration and connects the modules; opens nothing. Without a usable home it continues: the notice
    /// names the directories that are used.
    pub(super) fn open(globals: &GlobalArgs, need: Need, output: &mut Output) -> Result<Session, CliError> {
        Session::open_with(globals, need, false, output)
    }

    /// The same for a command that changes something: refused without a usable home.
    pub(super) fn open_to_change(globals: &GlobalArgs, need: Need, output: &mut Output) -> Result<Session, CliError> {
        Session::open_with(globals, need, true, output)
    }

    /// The same for a command that changes the state: refused where its directory cannot be made or written.
    pub(super) fn open_to_change_state(
        globals: &GlobalArgs,
        need: Need,
        output: &mut Output,
    ) -> Result<Session, CliError> {
        let session = Session::open_to_change(globals, need, output)?;
        match StateReader::new(&session.app).unwritable() {
            None => Ok(session),
            Some(problem) => Err(CliError::new(Code::Usage, format!("nothing was changed: {problem}")).hint(
                "make it writable, or name another state directory with AWSIDEMAN_STATE_DIR, for every process that shares it",
            )),
        }
    }

    fn open_with(globals: &GlobalArgs, need: Need, changes: bool, output: &mut Output) -> Result<Session, CliError> {
        let mut sources = sources(globals);
        let mut notices = Vec::new();
        let (mut loaded, homeless) = load(&sources, need, &mut notices)?;
        let mut no_home = None;
        let sandbox = match globals.sandbox {
            None => {
                no_home = stand_in(&loaded, &homeless, changes)?;
                notices.extend(no_home.clone());
                None
            }
            Some(seed) => {
                let shape = Shape { seed: seed.unwrap_or(Shape::default().seed), ..Shape::default() };
                let mut host = SandboxHost::new(shape);
                if !homeless.is_empty() || app::unwritable(&loaded.config.state.dir).is_some() {
                    let folder = host.settle_in_temporary_directory()?;
                    notices.push(format!(
                        "no usable home directory: this sandbox is kept in {} and removed when the command ends",
                        folder.display()
                    ));
                    loaded.config.state.dir = folder;
                }
                sources = sandbox_sources(&sources, &loaded, &shape);
                loaded = load(&sources, need, &mut Vec::new())?.0;
                Some(Arc::new(host))
            }
        };
        output.set_default_format(loaded.config.output.format);
        notices.extend(loaded.warnings.iter().cloned());
        let app = Arc::new(
            join(loaded, sandbox, need, &mut notices)?
                .without_home(no_home)
                .called_with(invocation::elsewhere(globals)),
        );
        if need != Need::Anything {
            notices.extend(AwsAccount::new(&app).notice());
        }
        let progress = Arc::new(ProgressDisplay::new(output.talk().clone()));
        crate::log::begin(log_settings(&app), live(globals, need, &progress));
        let keeper = (need == Need::Sound).then(|| Keeper(app.clone()));
        let interrupts = output.interrupts().clone();
        let session = Session { app, progress, interrupts, notices, verbose: globals.verbose > 0, _keeper: keeper };
        if need == Need::Sound {
            session.say_notices();
        }
        Ok(session)
    }

    /// Reads the configuration again, strictly, for a process that stays; its sandbox goes on.
    pub(super) fn read_again(globals: &GlobalArgs, sandbox: Option<Arc<SandboxHost>>) -> Result<Arc<App>, CliError> {
        let mut sources = sources(globals);
        let mut loaded = load(&sources, Need::Sound, &mut Vec::new())?.0;
        if let Some(sandbox) = &sandbox {
            if let Some(folder) = sandbox.temporary_directory() {
                folder.clone_into(&mut loaded.config.state.dir);
            }
            sources = sandbox_sources(&sources, &loaded, sandbox.shape());
            loaded = load(&sources, Need::Sound, &mut Vec::new())?.0;
        }
        Ok(Arc::new(App::new(loaded, sandbox)?.called_with(invocation::elsewhere(globals))))
    }

    /// Waits for work that may ask AWS, on one thread. A signal ends it.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        self.interrupts.wait(work)
    }

    /// Says what a person should know, one line each.
    pub(super) fn say_notices(&self) {
        for notice in &self.notices {
            self.progress.notice(notice);
        }
    }

    /// The policy that the flags of a read ask for.
    pub(super) fn policy(&self, freshness: &FreshnessArgs) -> Result<CachePolicy, CliError> {
        let wanted = if freshness.no_cache {
            CachePolicy::BYPASS
        } else if freshness.refresh {
            CachePolicy::REFRESH
        } else {
            CachePolicy {
                live: !freshness.cache_only,
                fill: !freshness.cache_only,
                max_age: freshness.max_age,
                read: true,
            }
        };
        if let (Some(disabled), true) = (self.app.disabled(), freshness.cache_only) {
            return Err(self.cache_needed(format!("--cache-only, and {}", disabled_words(&disabled))));
        }
        Ok(GatewayBuilder::new(&self.app).policy(wanted))
    }

    /// The failure of a command that is of no use while the cache is disabled, with what ends that.
    pub(super) fn cache_needed(&self, message: String) -> CliError {
        let failure = CliError::new(Code::CacheNeeded, message);
        if self.app.switch().0.disabled(self.app.clock().now()).is_some() {
            return failure.hint("`awsideman cache enable` ends that");
        }
        let origin = self.app.loaded().origins.get("cache.disabled").map_or("the configuration", String::as_str);
        failure.hint(format!("`cache.disabled` is set by {origin}; `awsideman cache enable` does not change that"))
    }

    /// The failure of a read. A cache that cannot be used holds nothing: that is said, rather than what it lacks.
    pub(super) fn failed(&self, error: GatewayError) -> CliError {
        match (&error, StoreStack::new(&self.app).problem()) {
            (GatewayError::NotCached { .. }, Some(problem)) => {
                let message = format!("--cache-only, and the cache cannot be used: CacheBackendError: {problem}");
                CliError::new(Code::CacheNeeded, message).hint(StoreStack::new(&self.app).remedy())
            }
            (GatewayError::NotCached { key }, None) => {
                let why =
                    Inspector::new(&self.app).why(key).ok().filter(|reasons| !reasons.hit).map(|reasons| reasons.why);
                let mut failure = CliError::from(error);
                if self.app.is_memory() {
                    failure = failure.hint(
                        "leave out `--cache-only`: the memory backend keeps nothing for the next command; set \
                         `cache.backend` to \"disk\" to keep answers",
                    );
                }
                match why {
                    Some(why) => CliError { message: format!("{}: {why}", failure.message), ..failure },
                    None => failure,
                }
            }
            _ => error.into(),
        }
    }

    /// The failure of a read that takes nothing older than `max_age`.
    pub(super) fn failed_within(&self, error: GatewayError, max_age: Option<Duration>) -> CliError {
        let GatewayError::NotCached { key } = &error else { return self.failed(error) };
        let held =
            Inspector::new(&self.app).why(key).ok().filter(|reasons| reasons.hit).and_then(|reasons| reasons.entry);
        match (max_age, held) {
            (Some(most), Some(entry)) => {
                let age = format_duration(Duration::from_secs(entry.age_seconds.unsigned_abs()));
                let failure = CliError::from(error);
                let message =
                    format!("{}: it is {age} old, and --max-age is {}", failure.message, format_duration(most));
                CliError { message, ..failure }
            }
            _ => self.failed(error),
        }
    }

    /// With `--verbose`, and at the end of an answer on a terminal: where the answer came from.
    pub(super) fn tell_source(&self, provenance: &Provenance, calls: u64, output: &Output) {
        let disabled = self.app.disabled().map(|disabled| disabled_words(&disabled));
        let is_last_line = output.ends_on_terminal() && (provenance.cached || disabled.is_some());
        if self.verbose || is_last_line {
            let span = |ms: i64| format_duration(Duration::from_millis(ms.unsigned_abs()));
            let part = match calls {
                0 => String::new(),
                1 => "partly from AWS (1 call), the rest ".to_owned(),
                n => format!("partly from AWS ({n} calls), the rest "),
            };
            let text = match (provenance.cached, provenance.stale) {
                (true, false) => format!(
                    "{part}from the cache, {} old, fresh for {} more",
                    span(provenance.age_ms),
                    span(provenance.left_ms)
                ),
                (true, true) => format!("from the cache, {} old and expired", span(provenance.age_ms)),
                (false, _) => match disabled {
                    Some(disabled) => format!("from AWS: {disabled}"),
                    None => "from AWS".to_owned(),
                },
            };
            if self.verbose {
                self.progress.notice(&text);
            } else {
                output.talk().faint(&text);
            }
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
            if let Some(notice) = EncryptionAdmin::new(&self.app).key_notice() {
                self.progress.notice(&notice);
            }
            StoreStack::new(&self.app).fold_log();
        }
    }

    /// Ends a command that used the store: what it met is kept for the next process, and faults of the cache are said.
    pub(super) fn close(&self, faults: Vec<String>) {
        if let Some(problem) = StoreStack::new(&self.app).problem() {
            self.progress.notice(&format!(
                "the cache cannot be used, this is from AWS: CacheBackendError: {problem}\nnext: {}",
                StoreStack::new(&self.app).remedy()
            ));
        }
        if let Some(notice) = StoreStack::new(&self.app).notice() {
            self.progress.notice(&notice);
        }
        for fault in faults {
            self.progress.notice(&format!("the cache could not be used for everything: CacheBackendError: {fault}"));
        }
        if let Some(problem) = &self.app.switch().1 {
            self.progress.notice(problem);
        }
        StoreStack::new(&self.app).finish();
    }
}

/// The output while the command runs: locks that it did not get and processes that it waits for, other waits on a
/// terminal or with `-v`, requests with `-vv`. Off a terminal the waits of jobs are in the log alone.
fn live(globals: &GlobalArgs, need: Need, progress: &Arc<ProgressDisplay>) -> Option<LiveOutput> {
    let waits = globals.verbose > 0 || (progress.is_terminal() && !globals.quiet);
    let processes = waits || (need != Need::Report && !globals.quiet);
    (waits || !globals.quiet).then(|| {
        // The log lasts as long as the process, the progress as long as the command.
        let progress = Arc::downgrade(progress);
        let print = move |line: &str| {
            if let Some(progress) = progress.upgrade() {
                progress.line(line);
            }
        };
        LiveOutput::new(Shows { requests: globals.verbose > 1, waits, processes }, Box::new(print))
    })
}

/// `the cache is disabled by root until 2026-11-30 18:00:00 +00:00 (INC-7)`.
fn disabled_words(disabled: &Disabled) -> String {
    let until = match disabled.until {
        UnixMillis::MAX => String::new(),
        until => format!(" until {}", clock::local(until)),
    };
    let reason = disabled.reason.as_ref().filter(|reason| !reason.ends_with(disabled.by.as_str()));
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("the cache is disabled by {}{until}{reason}", disabled.by)
}

/// Joins the rooms; an emergency command goes on without a group that this host does not have.
fn join(
    loaded: Loaded,
    sandbox: Option<Arc<SandboxHost>>,
    need: Need,
    notices: &mut Vec<String>,
) -> Result<App, CliError> {
    match App::new(loaded.clone(), sandbox.clone()) {
        Err(error @ AppError::NoSuchGroup { .. }) if need == Need::Anything => {
            notices.push(format!("invalid configuration: {error}; the directories are taken as private"));
            let mut private = loaded;
            private.config.cache.sharing = Sharing::Private;
            Ok(App::new(private, sandbox)?)
        }
        joined => Ok(joined?),
    }
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

/// The valid part of the configuration, and its problems. Without a usable home, root has directories of the system:
/// that is no problem.
pub(super) fn load_leniently(sources: &Sources) -> (Loaded, Vec<Problem>) {
    let (loaded, mut problems) = config::load_leniently(sources);
    if host::is_root() {
        problems.retain(|problem| !problem.is_missing_home());
    }
    (loaded, problems)
}

/// The configuration, and the directories for which there is no usable home.
fn load(sources: &Sources, need: Need, notices: &mut Vec<String>) -> Result<(Loaded, Vec<Problem>), CliError> {
    let (loaded, problems) = load_leniently(sources);
    let (homeless, problems): (Vec<_>, Vec<_>) = problems.into_iter().partition(Problem::is_missing_home);
    if need == Need::Anything {
        notices.extend(problems.iter().map(|problem| format!("invalid configuration: {problem}")));
    } else if !problems.is_empty() {
        return Err(ConfigError { problems }.into());
    }
    Ok((loaded, homeless))
}

/// The behavior without a usable home: a change is refused, a read gets a notice that
/// names the directories.
fn stand_in(loaded: &Loaded, homeless: &[Problem], changes: bool) -> Result<Option<String>, CliError> {
    const WHY: &str = "no usable home directory (HOME is not set, is `/` or does not exist)";
    if homeless.is_empty() {
        return Ok(None);
    }
    let dirs = homeless.iter().map(|problem| match problem.key.as_str() {
        "cache.dir" => &loaded.config.cache.dir,
        _ => &loaded.config.state.dir,
    });
    let dirs = dirs.map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(" and ");
    let hint = homeless.iter().map(|problem| problem.hint.as_str()).collect::<Vec<_>>().join("; ");
    if changes {
        return Err(CliError::new(Code::Usage, format!("nothing was changed: {WHY}")).hint(hint));
    }
    Ok(Some(format!("{WHY}: reading {dirs}; {hint}")))
}
