//! The kill switch: whether the cache is disabled, by whom and until when.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::clock::{self, millis};
use crate::health::DisabledCache;
use crate::host;
use crate::state::{Disabled, Switch};
use std::time::Duration;

/// Disables and enables the cache of this state directory.
pub struct KillSwitch<'a> {
    app: &'a App,
}

impl<'a> KillSwitch<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> KillSwitch<'a> {
        KillSwitch { app }
    }

    /// That the cache is disabled, by whom and until when.
    pub fn sentence(&self) -> Option<String> {
        let disabled = self.app.disabled()?;
        let until =
            if disabled.until == i64::MAX { String::new() } else { format!(" until {}", clock::local(disabled.until)) };
        let reason = disabled.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        Some(format!("the cache is disabled{until} by {}{reason}", disabled.by))
    }

    /// Since and until when the cache is disabled, as the switch records it; a configuration has no times.
    pub(super) fn measured(&self) -> Option<DisabledCache> {
        let disabled = self.app.disabled()?;
        let by_switch = self.app.switch().1.is_none() && self.app.switch().0.disabled(self.app.clock().now()).is_some();
        Some(DisabledCache {
            since: by_switch.then_some(disabled.since),
            until: disabled.end(),
            reason: disabled.reason,
        })
    }

    /// The switch as it is now. What was set while the clock was ahead is dated by the right clock first, so that it ends.
    fn read(&self) -> (Switch, Option<String>) {
        let (switch, problem) = self.app.state().switch();
        let now = self.app.clock().now();
        if !switch.is_ahead(now) {
            return (switch, problem);
        }
        match self.app.state().correct_switch_clock(now) {
            Ok(corrected) => (corrected, problem),
            Err(error) => {
                tracing::warn!(%error, "the kill switch was set while the clock was ahead, and its date cannot be corrected");
                (switch, problem)
            }
        }
    }

    /// The same, and the switch is read again: for a process that stays.
    pub fn disabled_now(&self) -> Option<Disabled> {
        self.disabled_by(&self.read().0)
    }

    fn disabled_by(&self, switch: &Switch) -> Option<Disabled> {
        let now = self.app.clock().now();
        let by_configuration = || {
            self.app.config().cache.disabled.then(|| {
                let origin = self.app.loaded.origins.get("cache.disabled").map_or("the configuration", String::as_str);
                Disabled {
                    since: now,
                    until: i64::MAX,
                    reason: Some(format!("set by {origin}")),
                    by: origin.to_owned(),
                }
            })
        };
        switch.disabled(now).cloned().or_else(by_configuration)
    }

    /// Disables the cache for every process of this state directory. Returns until when, and a notice.
    pub fn disable(
        &self,
        duration: Option<Duration>,
        reason: Option<&str>,
    ) -> Result<(Disabled, Option<String>), AppError> {
        let now = self.app.clock().now();
        let disabled = Disabled {
            since: now,
            until: now.saturating_add(millis(duration.unwrap_or(self.app.config().cache.disable_for))),
            reason: reason.map(str::to_owned),
            by: format!("{}@{}", host::user_name(), host::host_name()),
        };
        let notice = self.app.state().disable(disabled.clone(), now)?;
        // On a full disk the reason and the end may be lost: what the switch says now is what holds.
        let kept = notice.as_ref().and_then(|_| self.app.state().switch().0.disabled(now).cloned());
        Ok((kept.unwrap_or(disabled), notice))
    }

    /// Enables it again; gives back who had disabled it.
    pub fn enable(&self) -> Result<Option<Disabled>, AppError> {
        Ok(self.app.state().enable(self.app.clock().now())?)
    }

    /// That the cache is disabled, and why; `None` when it is not.
    pub(super) fn reason(&self) -> Option<String> {
        let reason = self.app.disabled()?.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        Some(format!("the cache is disabled{reason}"))
    }
}

impl App {
    /// The switch, and what is wrong with it.
    pub fn switch(&self) -> &(Switch, Option<String>) {
        self.switch.get_or_init(|| KillSwitch::new(self).read())
    }

    /// Who disabled the cache: the switch, or the configuration (without an end).
    pub fn disabled(&self) -> Option<Disabled> {
        KillSwitch::new(self).disabled_by(&self.switch().0)
    }
}
