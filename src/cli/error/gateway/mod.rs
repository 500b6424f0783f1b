//! Converts the errors of all modules into a [`CliError`].
//!
//! Guarantee: each variant is matched by name, so that a new variant without a hint does not compile.

use crate::cache::CacheError;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::exit_code::DOCTOR;
use crate::cli::exit_code::failed;
use crate::gateway::{GatewayError, Request};
use crate::host::{file_size_limit, limit_hint, room_hint};
use crate::lock::{Held, RunState};
use crate::model::{format_size, shell_word};
use crate::secure_fs::PrivateError;
use crate::sqlite::SqliteError;
use crate::state::StateError;
use crate::store::StoreError;
use std::io;
use std::path::Path;

const RECOVER: &str = "run `awsideman cache recover`: it starts a new cache and keeps this one as evidence";

impl From<GatewayError> for CliError {
    fn from(error: GatewayError) -> CliError {
        let message = error.to_string();
        let code = Code::from_number(error.exit_code());
        match error {
            GatewayError::NoCredentials { profile, detail } => {
                let profile = profile.map_or_else(|| "NAME".to_owned(), |profile| shell_word(&profile));
                CliError::new(code, message).details(non_empty(detail)).hint(format!(
                    "choose a profile with `--profile {profile}`, log in with `aws sso login --profile {profile}`, \
                     or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n\
                     `awsideman --sandbox user list` needs no AWS"
                ))
            }
            GatewayError::NotLoggedIn { hint, .. }
            | GatewayError::LoginExpired { hint, .. }
            | GatewayError::Mfa { hint, .. }
            | GatewayError::CredentialsRefused { hint, .. }
            | GatewayError::Configuration { hint, .. } => CliError::new(code, message).hint(hint),
            GatewayError::Limit { hint, .. } => CliError::new(code, message).hint(hint),
            GatewayError::AccessDenied { .. } => CliError::new(code, message).hint(DOCTOR),
            GatewayError::NotFound { what } => {
                let find = ["user", "group", "permission set"]
                    .into_iter()
                    .find(|kind| what.starts_with(&format!("{kind} `")))
                    .map(|kind| format!("\n`awsideman {} find TEXT` looks for a part of it", kind.replace(' ', "-")))
                    .unwrap_or_default();
                CliError::new(code, message)
                    .hint(format!("if it was made a moment ago elsewhere, ask AWS itself with `--refresh`{find}"))
            }
            GatewayError::Ambiguous { choices, .. } => {
                CliError::new(code, message).details(choices).hint("name one of them by its id")
            }
            GatewayError::NoInstance { sso_region, .. } => {
                CliError::new(code, message).hint(no_instance_hint(sso_region.as_deref()))
            }
            GatewayError::ChooseInstance { choices, .. } => CliError::new(code, message)
                .details(choices)
                .hint("set `aws.instance` (AWSIDEMAN_AWS_INSTANCE) to one of them, or another `--region`"),
            GatewayError::Throttled { retry_after_ms, .. } => {
                let wait = retry_after_ms.map_or_else(
                    || "a little later".to_owned(),
                    |ms| {
                        format!("in {}", crate::model::format_duration(std::time::Duration::from_millis(ms.max(1_000))))
                    },
                );
                CliError::new(code, message)
                    .hint(format!("try again {wait}; the keys under `pace` set which share of AWS's quota is used"))
            }
            GatewayError::Unreachable { .. } => CliError::new(code, message)
                .hint("check network, proxy and `--region`; `--cache-only` answers from the cache alone"),
            GatewayError::Conflict { passing, request_id, .. } => {
                let hint = if passing {
                    "an earlier change is still spreading within AWS: run it again in a minute"
                } else {
                    "the name or id is taken: choose another, or check what exists"
                };
                let id = request_id.map(|id| format!("request id {id}"));
                CliError::new(code, message).details(id).hint(hint)
            }
            GatewayError::ChangedMeanwhile { differences, .. } => CliError::new(code, message)
                .details(differences)
                .hint("nothing was changed: check the difference, then run it again"),
            GatewayError::Refused { request_id, .. } => {
                CliError::new(code, message).details(request_id.map(|id| format!("request id {id}"))).hint(DOCTOR)
            }
            GatewayError::BadAnswer { .. } => CliError::new(code, message)
                .hint("try again; if `aws.endpoint_url` is set, check which server answers there"),
            GatewayError::ChangeFailed { request_id, .. } => CliError::new(code, message)
                .details([format!("request id {request_id}")])
                .hint("fix what AWS names, then try again"),
            GatewayError::ChangePending { request_id, .. } => CliError::new(code, message)
                .details([format!("request id {request_id}")])
                .hint(format!("`awsideman assignment status {request_id}` shows how it ends")),
            GatewayError::Partial { total, failures } => {
                let again = "run the command again: what was read is kept, only the rest is asked for";
                let hint = failed::hint(&failures).unwrap_or_else(|| again.to_owned());
                CliError::new(failed::code(&failures, total), message).details(failed::lines(&failures)).hint(hint)
            }
            GatewayError::Incomplete { failures, .. } => {
                CliError::new(code, message).details(failed::lines(&failures)).hint(DOCTOR)
            }
            GatewayError::NotCached { key } => CliError::new(code, message).hint(not_cached_hint(&key)),
            GatewayError::Budget { .. } => CliError::new(code, message).hint(
                "what was read is kept, except a list that was not read to its end: run it again to continue, or allow \
                     more with `--budget CALLS` (`awsideman cache warm --plan` counts them)",
            ),
            GatewayError::Interrupted => CliError::new(code, message).hint("run it again: what was read is kept"),
            GatewayError::Cache(error) => error.into(),
            GatewayError::Output(error) => CliError::writing(&error),
        }
    }
}

impl From<CacheError> for CliError {
    fn from(error: CacheError) -> CliError {
        let message = error.to_string();
        match error {
            CacheError::Backend(inner) => {
                // A closed output is not a fault of the cache.
                let is_output = matches!(inner, StoreError::Output(_));
                let inner = CliError::from(inner);
                if inner.is_quiet() || is_output { inner } else { CliError { message, ..inner } }
            }
            CacheError::BadKey { .. } => CliError::new(Code::Usage, message).hint(
                "a key reads resource:operation:identifier; `awsideman cache key` prints it, a pattern may use * ? []",
            ),
            CacheError::ForeignArchive { .. } => {
                CliError::new(Code::Usage, message).hint("`awsideman cache export FILE` of this version makes one")
            }
            CacheError::NoArchiveFile { path } => CliError::new(Code::Usage, message).hint(format!(
                "pass `-` and redirect it to read from a pipe: `awsideman cache import - <{}`",
                crate::model::shell_word(&path.display().to_string())
            )),
            CacheError::DamagedArchive { .. } => CliError::new(Code::Integrity, message)
                .hint("copy or export it again; `awsideman cache warm` fills the cache without it"),
            CacheError::Archive { source, .. } => operating_system(message, &source, None),
            CacheError::NotInvalidated(_) => CliError::new(Code::Integrity, message)
                .hint("run `awsideman cache clear --all` now: until then answers may be older than the change"),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> CliError {
        let message = error.to_string();
        match error {
            StoreError::Private(inner) => inner.into(),
            StoreError::Sqlite(inner) => {
                let damaged = inner.is_damage();
                let failure = CliError::from(inner);
                if damaged { failure.hint(RECOVER) } else { failure }
            }
            StoreError::Busy(held) => locked(message, &held),
            StoreError::Io { source, path, .. } => operating_system(message, &source, Some(&path)),
            StoreError::NetworkFileSystem { .. } => CliError::new(Code::Usage, message)
                .hint("set `cache.dir` (AWSIDEMAN_CACHE_DIR) to a local disk, or `cache.backend` to \"memory\""),
            StoreError::Output(source) => CliError::writing(&source),
            StoreError::BreakerOpen | StoreError::StoringPaused => CliError::new(Code::CacheNeeded, message)
                .hint("`awsideman cache health` shows why; `awsideman cache recover` closes it immediately"),
            StoreError::Key(_) => CliError::new(Code::CacheNeeded, message)
                .hint("`awsideman cache encryption status` shows what is wrong with the key and the next step"),
            StoreError::Damaged { .. } => CliError::new(Code::Integrity, message).hint(RECOVER),
        }
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> CliError {
        let message = error.to_string();
        match error {
            StateError::Private(inner) => inner.into(),
            StateError::Sqlite(inner) => inner.into(),
            StateError::Statement(source) if SqliteError::is_full_statement(&source) => {
                CliError::new(Code::Failed, message).hint(
                    "make room: `awsideman cache enforce-limits` and `awsideman cache clear` free what the cache holds",
                )
            }
            StateError::Statement(_) => {
                CliError::new(Code::Failed, message).hint("`awsideman doctor` checks the state directory")
            }
            StateError::Io { source, path, .. } => operating_system(message, &source, Some(&path)),
            error @ (StateError::Busy(_) | StateError::TallyFull { .. }) => {
                let hint = error.hint();
                let failure = CliError::new(Code::Locked, message);
                match hint {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
        }
    }
}

impl From<SqliteError> for CliError {
    fn from(error: SqliteError) -> CliError {
        let message = error.to_string();
        if error.is_full() {
            let hint =
                error.path().map_or_else(|| "make room: `df -h` shows that disk".into(), |path| room_hint(path, false));
            return CliError::new(Code::Failed, message).hint(hint);
        }
        if error.is_write_failure()
            && let Some(bytes) = file_size_limit()
        {
            return CliError::new(Code::Failed, message).hint(format!(
                "files of this process may not grow beyond {}: raise `ulimit -f` (LimitFSIZE of a service)",
                format_size(bytes)
            ));
        }
        if let SqliteError::Busy(held) = &error {
            return locked(message, held);
        }
        if error.is_read_only() {
            return CliError::new(Code::Failed, message).hint("give this user the right to write that directory");
        }
        let damaged = error.is_damage();
        match error {
            SqliteError::Newer { path, .. } => CliError::new(Code::Failed, message).hint(format!(
                "use the newer awsideman here too, or another directory than {}",
                path.parent().unwrap_or(&path).display()
            )),
            SqliteError::Older { .. } | SqliteError::Database { .. } if damaged => {
                CliError::new(Code::Integrity, message).hint("`awsideman doctor` checks the directories")
            }
            SqliteError::Older { .. } | SqliteError::Database { .. } => {
                CliError::new(Code::Failed, message).hint("`awsideman doctor` checks the directories")
            }
            SqliteError::Private(inner) => inner.into(),
            SqliteError::Lock { source, path } => operating_system(message, &source, Some(&path)),
            SqliteError::Busy(held) => locked(message, &held),
        }
    }
}

impl From<PrivateError> for CliError {
    fn from(error: PrivateError) -> CliError {
        let message = error.to_string();
        match error {
            PrivateError::Io { source, path, .. } => operating_system(message, &source, Some(&path)),
            PrivateError::ForeignOwner { owner, us: 0, .. } => CliError::new(Code::Failed, message).hint(format!(
                "run it as that user: `sudo -u '#{owner}' awsideman ...`; its owner could not use the files that root creates there"
            )),
            PrivateError::ForeignOwner { path, .. } => CliError::new(Code::Failed, message).hint(format!(
                "make it yours with `sudo chown -R \"$(id -u)\" {}`, or set `cache.dir` and `state.dir` to directories \
                 of your own",
                shell_word(&path.display().to_string())
            )),
            PrivateError::WritableByOthers { path, .. } => CliError::new(Code::Failed, message).hint(format!(
                "remove that permission with `chmod go-w {}`, after checking its contents",
                shell_word(&path.display().to_string())
            )),
            PrivateError::OpenToOthers { path, .. } => CliError::new(Code::Failed, message).hint(format!(
                "take that right away with `chmod 600 {}`; another user may have read it",
                shell_word(&path.display().to_string())
            )),
            PrivateError::NotOurs { path, .. } => CliError::new(Code::Failed, message)
                .hint(format!("move {} away, or set the directory itself in the configuration", path.display())),
        }
    }
}

/// The hint for a key that is not stored: how to store its answer.
fn not_cached_hint(key: &str) -> String {
    let ask = "leave out `--cache-only` to ask AWS and store the answer";
    let request = Request::of_key(key);
    let Some(target) = request.as_ref().and_then(Request::warmed_by) else { return ask.to_owned() };
    // A name that does not exist is in no list.
    let is_name = matches!(request, Some(Request::UserByName(_) | Request::GroupByName(_)));
    let condition = if is_name { ", if the name exists" } else { "" };
    format!("{ask}; `awsideman cache warm {}` stores it in advance{condition}", target.as_str())
}

/// The regions to try when one has no instance.
pub(crate) fn no_instance_hint(sso_region: Option<&str>) -> String {
    match sso_region {
        Some(region) => format!("try `--region {region}`: it is the sso_region of the profile"),
        None => "an instance lives in one region: name it with `--region REGION` or the key `region`\n\
                 `aws.instance` chooses among several"
            .into(),
    }
}

/// The remedy for what the operating system refuses.
fn operating_system(message: String, source: &io::Error, path: Option<&Path>) -> CliError {
    let failure = CliError::new(Code::Failed, message);
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => failure.hint(
            "this user may not do that there: change the rights, or set `cache.dir` and `state.dir` to other directories",
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let is_quota = source.kind() == io::ErrorKind::QuotaExceeded;
            let general = || "make room: `df -h` shows that disk".to_owned();
            failure.hint(path.map_or_else(general, |path| room_hint(path, is_quota)))
        }
        _ => match limit_hint(source) {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
    }
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests;

/// Another process has a lock for longer than this command waits.
fn locked(message: String, held: &Held) -> CliError {
    let hint = match &held.process {
        Some(process) if process.state == RunState::Stopped => held.hint(),
        _ => format!("{}; `cache.busy_timeout` allows more time", held.hint()),
    };
    CliError::new(Code::Locked, message).hint(hint)
}
