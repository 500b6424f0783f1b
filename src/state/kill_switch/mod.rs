//! `<state>/switch`: whether the cache is disabled, and the marks of the breakers; one small JSON file.
//!
//! Reading is one open and one read, and an absent file says that all is well; a file that cannot be read or
//! understood counts as disabled, because answers from AWS are never wrong; two concurrent changes both count.

mod blank;
mod disabled;

pub use disabled::Disabled;

use self::disabled::FOREVER;
use crate::clock::{self, UnixMillis};
use crate::lock::Guard;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::secure_fs::PrivateError;
use crate::state::error::StateError;
use crate::state::locks::FileLock;
use crate::state::spare;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How long a change waits for another one.
const WAIT: Duration = Duration::from_secs(5);
/// Ours has a few hundred bytes; what is larger than this is not ours.
const LARGEST: u64 = 1024 * 1024;

/// The content of the switch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switch {
    /// Set by `cache disable`; ask [`Switch::disabled`], which knows that it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<Disabled>,
    /// By cache directory.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    breakers: BTreeMap<String, PersistedBreaker>,
    /// What a later awsideman keeps here.
    #[serde(flatten)]
    later: serde_json::Map<String, serde_json::Value>,
}

/// What is remembered of one cache directory's breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PersistedBreaker {
    /// Whether the backend is used.
    pub state: BreakerStatus,
    /// Failures in a row.
    pub failure_count: u32,
    /// When the last one was.
    pub last_failure_time: Option<UnixMillis>,
    /// Whether the last one was a full disk.
    #[serde(skip_serializing_if = "is_false")]
    pub is_full: bool,
    /// The same of what stores: while it alone is left alone, reads go on.
    #[serde(skip_serializing_if = "WritesMark::is_well")]
    pub writes: WritesMark,
}

/// What is remembered of the stores in one cache directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WritesMark {
    /// Whether anything is stored.
    pub state: BreakerStatus,
    /// Failures in a row.
    pub failure_count: u32,
    /// When the last one was.
    pub last_failure_time: Option<UnixMillis>,
    /// Whether the last one was a full disk.
    #[serde(skip_serializing_if = "is_false")]
    pub is_full: bool,
}

impl WritesMark {
    fn is_well(&self) -> bool {
        *self == WritesMark::default()
    }
}

/// The state of a breaker, in the words that status prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BreakerStatus {
    /// The backend is used.
    #[default]
    Closed,
    /// The backend is left alone.
    Open,
    /// One operation may try the backend.
    HalfOpen,
}

impl BreakerStatus {
    /// `CLOSED`, `OPEN`, `HALF_OPEN`.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerStatus::Closed => "CLOSED",
            BreakerStatus::Open => "OPEN",
            BreakerStatus::HalfOpen => "HALF_OPEN",
        }
    }
}

enum SwitchRead {
    Sound(Switch),
    Damaged(String),
    Unreadable(PrivateError),
}

impl Disabled {
    /// Whether the clock was ahead when it was set: it would hold until then.
    fn is_ahead(&self, now: UnixMillis) -> bool {
        clock::is_ahead(self.since, now)
    }

    /// It as set at `now`, for as long as it was meant to last.
    fn dated_by(self, now: UnixMillis) -> Disabled {
        let lasts = self.until.saturating_sub(self.since).max(0);
        let until = if self.until < FOREVER { now.saturating_add(lasts) } else { self.until };
        Disabled { since: now, until, ..self }
    }

    /// When it ends by itself; `None` when it lasts until it is ended.
    pub fn end(&self) -> Option<UnixMillis> {
        (self.until < FOREVER).then_some(self.until)
    }
}

impl Switch {
    /// Reads the switch of the state directory. With a problem, which names the remedy, the cache counts as disabled.
    pub fn read(directory: &Path) -> (Switch, Option<String>) {
        let what = match look(&directory.join("switch")) {
            SwitchRead::Sound(switch) => return (switch, None),
            SwitchRead::Damaged(reason) => {
                format!("{} is damaged ({reason})", directory.join("switch").display())
            }
            SwitchRead::Unreadable(error) if error.is_read_only() && is_another_s(directory) => {
                let problem = format!("{error}; this user may not use the cache, and is answered by AWS");
                return (Switch::closed(&error.to_string()), Some(problem));
            }
            SwitchRead::Unreadable(error) => error.to_string(),
        };
        let problem = format!("{what}; the cache counts as disabled until `awsideman cache enable`");
        (Switch::closed(&what), Some(problem))
    }

    /// Who disabled the cache, if that still holds at `now`.
    pub fn disabled(&self, now: UnixMillis) -> Option<&Disabled> {
        self.disabled.as_ref().filter(|disabled| now < disabled.until)
    }

    /// Whether the cache was disabled while the clock was ahead.
    pub fn is_ahead(&self, now: UnixMillis) -> bool {
        self.disabled.as_ref().is_some_and(|disabled| disabled.is_ahead(now))
    }

    /// Dates a disabling of a clock that was ahead by `now`: it holds for its own length from now on. The switch as it is
    /// then.
    pub fn correct_clock(directory: &Path, access: Access, now: UnixMillis) -> Result<Switch, StateError> {
        Switch::update(directory, access, now, |switch| {
            switch.disabled = switch.disabled.take().map(|it| if it.is_ahead(now) { it.dated_by(now) } else { it });
        })
    }

    /// The mark of a cache directory's breaker; closed when there is none.
    pub fn breaker(&self, cache: &Path) -> PersistedBreaker {
        self.breakers.get(&*cache.to_string_lossy()).copied().unwrap_or_default()
    }

    /// Disables the cache for every process of this state directory. The notice says when the disk was too full to
    /// record the reason.
    pub fn disable(
        directory: &Path,
        access: Access,
        disabled: Disabled,
        now: UnixMillis,
    ) -> Result<Option<String>, StateError> {
        let disabled = Disabled { until: disabled.until.min(FOREVER), ..disabled };
        let until = disabled.until;
        match Switch::update(directory, access, now, |switch| switch.disabled = Some(disabled)) {
            Ok(_) => Ok(None),
            Err(error) if is_full(&error) => {
                let end = if blank::write(&directory.join("switch"), until, access)? { "" } else { " and its end" };
                Ok(Some(format!("{error}; the cache is disabled, but the reason{end} could not be recorded")))
            }
            Err(error) => Err(error),
        }
    }

    /// Enables the cache, also when the switch was damaged; gives back who had disabled it.
    pub fn enable(directory: &Path, access: Access, now: UnixMillis) -> Result<Option<Disabled>, StateError> {
        let _lock = locked(directory, access, now)?;
        let path = directory.join("switch");
        let mut switch = match look(&path) {
            SwitchRead::Sound(switch) => switch,
            // Breaker marks go with it: the next failure sets them again.
            SwitchRead::Damaged(reason) => Switch::closed(&format!("the switch was damaged ({reason})")),
            SwitchRead::Unreadable(error) => Switch::closed(&error.to_string()),
        };
        let was = switch.disabled.take();
        if was.is_some() {
            match switch.write(&path, access) {
                // A switch that is not there says that all is well. Marks of the breaker go with it: the next failure
                // sets them again.
                Err(error) if is_full(&error) => {
                    std::fs::remove_file(&path).map_err(crate::state::error::io_error("remove", &path))?;
                }
                written => written?,
            }
        }
        Ok(was)
    }

    /// Changes the mark of a cache directory's breaker and gives back what it is now.
    pub fn update_breaker(
        directory: &Path,
        access: Access,
        cache: &Path,
        now: UnixMillis,
        change: impl FnOnce(&mut PersistedBreaker),
    ) -> Result<PersistedBreaker, StateError> {
        let switch = Switch::update(directory, access, now, |switch| {
            let mut mark = switch.breaker(cache);
            change(&mut mark);
            let name = cache.to_string_lossy().into_owned();
            if mark == PersistedBreaker::default() {
                switch.breakers.remove(&name);
            } else {
                switch.breakers.insert(name, mark);
            }
        })?;
        Ok(switch.breaker(cache))
    }

    /// Sets the mark of a cache directory's breaker.
    pub fn set_breaker(
        directory: &Path,
        access: Access,
        cache: &Path,
        mark: PersistedBreaker,
        now: UnixMillis,
    ) -> Result<(), StateError> {
        Switch::update_breaker(directory, access, cache, now, |kept| *kept = mark).map(drop)
    }

    /// Changes the switch under its lock. A damaged one stays disabled whatever else is changed.
    fn update(
        directory: &Path,
        access: Access,
        now: UnixMillis,
        change: impl FnOnce(&mut Switch),
    ) -> Result<Switch, StateError> {
        let _lock = locked(directory, access, now)?;
        let path = directory.join("switch");
        let before = match look(&path) {
            SwitchRead::Sound(switch) => switch,
            SwitchRead::Damaged(reason) => Switch::closed(&format!("the switch was damaged ({reason})")),
            SwitchRead::Unreadable(error) => return Err(error.into()),
        };
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            after.write(&path, access)?;
        }
        Ok(after)
    }

    fn write(&self, path: &Path, access: Access) -> Result<(), StateError> {
        let mut text = serde_json::to_vec_pretty(self).expect("text keys and plain values are always JSON");
        text.push(b'\n');
        let directory = path.parent().unwrap_or(Path::new("."));
        match secure_fs::replace(path, &text, access) {
            Err(error) if error.is_full() => spare::replace(directory, path, &text, access).map_err(|_| error)?,
            written => written?,
        }
        spare::allocate(directory, access);
        Ok(())
    }

    fn closed(reason: &str) -> Switch {
        let disabled = Disabled { since: 0, until: FOREVER, reason: Some(reason.into()), by: "awsideman".into() };
        Switch { disabled: Some(disabled), ..Switch::default() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The lock of the switch; `None` where the disk cannot even hold the lock file, so that no other change can be made either.
fn locked(directory: &Path, access: Access, now: UnixMillis) -> Result<Option<FileLock>, StateError> {
    secure_fs::directory(directory, access)?;
    let path = directory.join("switch.lock");
    match FileLock::wait_for(&path, Guard::Switch, access, WAIT, now) {
        Err(error) if is_full(&error) => Ok(None),
        locked => locked?.map(Some).map_err(StateError::Busy),
    }
}

fn look(path: &Path) -> SwitchRead {
    let file = match secure_fs::open(path, Open::Read, Access::Owner) {
        Ok(file) => file,
        Err(error) if error.is_absent() => return SwitchRead::Sound(Switch::default()),
        Err(error) => return SwitchRead::Unreadable(error),
    };
    let mut text = Vec::with_capacity(1024);
    if let Err(source) = (&file).take(LARGEST).read_to_end(&mut text) {
        return SwitchRead::Unreadable(PrivateError::Io { action: "read", path: path.into(), source });
    }
    if let Some(disabled) = blank::read(&file, &text) {
        return SwitchRead::Sound(Switch { disabled: Some(disabled), ..Switch::default() });
    }
    match serde_json::from_slice::<Switch>(&text) {
        Ok(mut switch) => {
            if let Some(disabled) = &mut switch.disabled {
                disabled.until = disabled.until.min(FOREVER);
            }
            SwitchRead::Sound(switch)
        }
        Err(_) if text.is_empty() => SwitchRead::Damaged("it is empty".into()),
        Err(error) => SwitchRead::Damaged(error.to_string()),
    }
}

/// Whether the directory belongs to another user: then enabling the cache is not this user's to do.
fn is_another_s(directory: &Path) -> bool {
    let us = rustix::process::geteuid().as_raw();
    std::fs::metadata(directory).is_ok_and(|found| found.uid() != us)
}

fn is_full(error: &StateError) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error, StateError::Private(PrivateError::Io { source, .. })
        if matches!(source.kind(), StorageFull | QuotaExceeded))
}

#[cfg(test)]
mod tests;
