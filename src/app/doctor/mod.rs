//! `doctor`: checks everything that awsideman needs.
//!
//! The health checks come first, then AWS and the one-time setup. `doctor/permissions.rs` tries the reads. Errors of other
//! modules are passed on unchanged, so that each hint is worded in one place. Guarantee: no check stops the next, without AWS
//! every other check still runs, and nothing in AWS is changed.

mod check;
mod log;
mod permissions;
mod time;

pub use check::{Check, CheckLevel};

use crate::alerts;
use crate::app::account::AwsAccount;
use crate::app::alerting;
use crate::app::core::App;
use crate::app::health_inputs::HealthInputs;
use crate::app::health_states::HealthStates;
use crate::app::reading::Caller;
use crate::app::stack::StoreStack;
use crate::aws::{self, CredentialFacts};
use crate::clock::{self, UnixMillis};
use crate::config::{ConfigError, Problem};
use crate::gateway::{CachePolicy, GatewayError, GetCall, InstanceTarget};
use crate::health::{self, Finding};
use crate::model::format_duration;
use std::time::Duration;

/// Credentials that end sooner than this are worth a word.
const SOON: Duration = Duration::from_secs(15 * 60);

/// Runs every check of `doctor`.
pub struct Doctor<'a> {
    app: &'a App,
}

impl<'a> Doctor<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Doctor<'a> {
        Doctor { app }
    }

    /// Runs all checks. `problems` are those of the configuration, whose valid parts are in use.
    pub async fn examine(&self, problems: Vec<Problem>) -> Vec<Check> {
        let now = self.app.clock().now();
        let mut checks = vec![self.configuration(problems)];
        // Before AWS is asked: its pace is kept in the state directory, which may be made by that.
        let mut local = self.health_checks(now);
        local.push(time::clock(now, self.app.config().debug.clock_offset, self.app.state_dir()));
        local.push(log::log_check(self.app));
        local.extend(self.channels());
        checks.extend(self.network());
        checks.extend(Box::pin(self.remote(now)).await);
        checks.append(&mut local);
        StoreStack::new(self.app).finish();
        checks
    }

    fn configuration(&self, problems: Vec<Problem>) -> Check {
        let read = self.app.loaded.files.iter().filter(|(_, found)| *found).count();
        if !problems.is_empty() {
            return Check::failed("configuration", ConfigError { problems });
        }
        match self.app.loaded.warnings.as_slice() {
            [] => Check::new("configuration", CheckLevel::Ok, format!("valid (files read: {read})")),
            warnings => Check::new("configuration", CheckLevel::Warn, warnings.join("; ")),
        }
    }

    /// Credentials, caller, region, instance and the reads.
    async fn remote(&self, now: UnixMillis) -> Vec<Check> {
        let region = match AwsAccount::new(self.app).region() {
            Some((region, origin)) => match aws::check_region(AwsAccount::new(self.app).resolved()) {
                Err(fault) if !self.app.is_sandbox() => Check::failed("region", GatewayError::from(fault)),
                _ => Check::new("region", CheckLevel::Ok, format!("{region} (from {origin})")),
            },
            None => Check::failed(
                "region",
                GatewayError::Configuration {
                    detail: "no region is chosen".into(),
                    hint: "name that of Identity Center with `--region REGION`, the key `region` or AWS_REGION".into(),
                },
            ),
        };
        let skip = |names: &[&str], why: &str| {
            let check = |name: &&str| Check::new(*name, CheckLevel::Skipped, why.to_owned());
            names.iter().map(check).collect::<Vec<_>>()
        };
        // A wrong setting fails every call, also those for credentials: it is reported itself.
        if !self.app.is_sandbox() {
            let mut wrong = Vec::new();
            if let Err(fault) = aws::check_texts(AwsAccount::new(self.app).resolved()) {
                wrong.push(Check::failed("aws settings", GatewayError::from(fault)));
            }
            let is_wrong = !wrong.is_empty()
                || aws::check_region(AwsAccount::new(self.app).resolved()).is_err()
                || aws::network_in_use(AwsAccount::new(self.app).resolved()).is_err();
            if is_wrong {
                wrong.push(region);
                let why = "a setting for AWS is wrong, so no request is made";
                wrong.extend(skip(&["credentials", "identity", "instance", "reads"], why));
                return wrong;
            }
        }
        let mut checks = match AwsAccount::new(self.app).credentials().await {
            Ok(facts) => vec![self.unused_keys(credentials(&facts, now))],
            Err(fault) => {
                // A source of credentials often sets the region too: fix the credentials first.
                let region = match region.level {
                    CheckLevel::Fail => {
                        Check::new("region", CheckLevel::Warn, "no region is set; a profile may set one")
                    }
                    _ => region,
                };
                let mut checks = vec![Check::failed("credentials", fault), region];
                checks.extend(skip(&["identity", "instance", "reads"], "there are no credentials to ask AWS with"));
                return checks;
            }
        };
        if region.level == CheckLevel::Fail {
            checks.push(region);
            checks.extend(skip(&["identity", "instance", "reads"], "no region is chosen to ask AWS in"));
            return checks;
        }
        let reading = self.app.reading(Caller::COMMAND);
        let source = reading.gateway.source();
        let caller = source.fetch(None, &GetCall::CallerIdentity).await;
        let identity = match &caller {
            Ok(caller) => {
                let text = |name: &str| caller[name].as_str().unwrap_or("unknown").to_owned();
                Some(Check::new("identity", CheckLevel::Ok, format!("{} in account {}", text("Arn"), text("Account"))))
            }
            Err(_) => None,
        };
        let mut tried = permissions::Tried::default();
        let ends = tried.note(GetCall::CallerIdentity.operation(), caller.map(drop));
        checks.extend(identity.or_else(|| tried.failure("identity")));
        checks.push(region);
        if ends {
            checks.extend(skip(&["instance", "reads"], "AWS could not be asked"));
            return checks;
        }
        let space = reading.gateway.space(&CachePolicy::BYPASS).await;
        let target = space.as_ref().ok().map(|space| InstanceTarget::of(space));
        match space {
            Ok(space) => {
                let message = format!("{}, identity store {}", space.instance, space.identity_store);
                checks.push(Check::new("instance", CheckLevel::Ok, message));
                tried.note("SWBExternalService.ListInstances", Ok(()));
            }
            // The call was allowed; it is the choice that is missing.
            Err(error @ (GatewayError::NoInstance { .. } | GatewayError::ChooseInstance { .. })) => {
                tried.note("SWBExternalService.ListInstances", Ok(()));
                checks.push(Check::failed("instance", error));
            }
            Err(error) => {
                let ends = tried.note("SWBExternalService.ListInstances", Err(error));
                checks.extend(tried.failure("instance"));
                if ends {
                    checks.extend(skip(&["reads"], "AWS could not be asked"));
                    return checks;
                }
            }
        }
        permissions::all(source, target.as_ref(), &mut tried).await;
        checks.extend(tried.checks());
        checks
    }

    /// The check of the credentials, with the keys that are not used.
    fn unused_keys(&self, check: Check) -> Check {
        if !AwsAccount::new(self.app).ignores_keys() {
            return check;
        }
        let message = format!("{}; AWS_ACCESS_KEY_ID is set and not used", check.message);
        Check { message, ..check }
    }

    /// The certificates and the proxy, where a setting chooses them.
    fn network(&self) -> Option<Check> {
        if self.app.is_sandbox() {
            return None;
        }
        match aws::network_in_use(AwsAccount::new(self.app).resolved()) {
            Ok(found) => found.map(|found| Check::new("network", CheckLevel::Ok, found)),
            Err(fault) => Some(Check::failed("network", GatewayError::from(fault))),
        }
    }

    /// Every check of health. The directories are shown one by one, and a store that cannot be opened with its error.
    fn health_checks(&self, now: UnixMillis) -> Vec<Check> {
        let measured = HealthInputs::new(self.app).measure();
        let found = &measured.measurements;
        let mut checks: Vec<Check> = found
            .directories
            .iter()
            .map(|directory| {
                let check = Check::new(directory.name, level_of(directory.level), directory.message.clone());
                if directory.hint.is_empty() { check } else { check.hint(directory.hint.clone()) }
            })
            .collect();
        for finding in measured.health.checks {
            let name = finding.key.replace('_', " ");
            match finding.key.as_str() {
                "directories" => {}
                // The clock of the host has its own line.
                "clock" if finding.level == health::Level::Ok => {}
                "store" => checks.push(self.store_check(&finding)),
                "state" => checks.push(self.state_check(&finding)),
                // The hint is shown before health warns.
                "disabled" if found.disabled.is_some() && found.switch_problem.is_none() => {
                    checks.push(self.disabled_check(level_of(finding.level), now));
                }
                _ => {
                    let check = Check::new(name, level_of(finding.level), finding.message);
                    checks.push(if finding.hint.is_empty() {
                        check
                    } else {
                        check.hint(format!("`{}`", finding.hint))
                    });
                }
            }
        }
        for check in &mut checks {
            check.is_health = true;
        }
        checks
    }

    fn store_check(&self, finding: &Finding) -> Check {
        match StoreStack::new(self.app).existing_store() {
            Err(error) => Check::failed("store", error),
            Ok(None) => Check::new("store", CheckLevel::Ok, "not created yet: the first answer creates it"),
            Ok(_) if finding.level != health::Level::Ok => {
                Check::new("store", level_of(finding.level), finding.message.clone())
                    .hint(format!("`{}`", finding.hint))
            }
            Ok(_) if self.app.is_memory() => {
                Check::new("store", CheckLevel::Ok, "in the memory of each process, not shared")
            }
            Ok(Some(store)) => Check::new("store", CheckLevel::Ok, format!("opens ({})", store.backend())),
        }
    }

    fn state_check(&self, finding: &Finding) -> Check {
        match self.app.state().database_read_only() {
            Err(error) => Check::failed("state database", error),
            Ok(_) if finding.level != health::Level::Ok => {
                Check::new("state database", level_of(finding.level), finding.message.clone())
                    .hint(format!("`{}`", finding.hint))
            }
            Ok(Some(database)) => {
                Check::new("state database", CheckLevel::Ok, format!("{} opens", database.path().display()))
            }
            Ok(None) => Check::new("state database", CheckLevel::Ok, "not created yet: the first job creates it"),
        }
    }

    /// One check for each channel of alerts; mail also if it is off, because a user may expect it.
    fn channels(&self) -> Vec<Check> {
        let on = alerts::channels(&self.app.config().alerts);
        let mut checks = Vec::new();
        for channel in alerts::Channel::ALL {
            let name = channel.as_str();
            if !on.contains(&channel) {
                if channel == alerts::Channel::Mail {
                    let off = "not set up (optional): critical findings are not mailed";
                    checks.push(Check::new(name, CheckLevel::Ok, off));
                }
                continue;
            }
            if channel == alerts::Channel::Command && !HealthStates::new(self.app).notifier_problems().is_empty() {
                // The check of notifiers reports it.
                continue;
            }
            checks.push(match alerts::check(&alerting::delivery(self.app), channel) {
                Ok(()) => {
                    let words = format!("the settings can be used; `awsideman alerts test --channel {name}` sends one");
                    Check::new(name, CheckLevel::Ok, words)
                }
                Err(error) => Check::failed(name, error),
            });
        }
        checks
    }

    fn disabled_check(&self, level: CheckLevel, now: UnixMillis) -> Check {
        let Some(disabled) = self.app.disabled() else {
            return Check::new("disabled", CheckLevel::Ok, "the cache is enabled");
        };
        let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let until = match disabled.until {
            UnixMillis::MAX => String::new(),
            until => format!(" for {}", format_duration(Duration::from_millis(until.abs_diff(now)))),
        };
        let hint = if disabled.until == UnixMillis::MAX {
            "set `cache.disabled` to false there"
        } else {
            "`awsideman cache enable` ends that"
        };
        Check::new("disabled", level, format!("the cache is disabled{until}{reason}")).hint(hint)
    }
}

fn level_of(level: health::Level) -> CheckLevel {
    match level {
        health::Level::Ok => CheckLevel::Ok,
        health::Level::Warn => CheckLevel::Warn,
        health::Level::Critical => CheckLevel::Fail,
    }
}

fn credentials(facts: &CredentialFacts, now: UnixMillis) -> Check {
    let source = &facts.source;
    let Some(expiry) = facts.expiry else {
        return Check::new("credentials", CheckLevel::Ok, format!("from {source}, no expiry"));
    };
    let left = Duration::from_millis(u64::try_from(expiry.saturating_sub(now)).unwrap_or(0));
    let message = format!("from {source}, until {} ({} left)", clock::utc(expiry), format_duration(left));
    if left.is_zero() {
        let detail = format!("it was good until {}", clock::utc(expiry));
        Check::failed("credentials", GatewayError::LoginExpired { profile: None, detail, hint: "log in again".into() })
    } else if left < SOON {
        Check::new("credentials", CheckLevel::Warn, message).hint("log in again soon: `aws sso login`")
    } else {
        Check::new("credentials", CheckLevel::Ok, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::error::AppError;

    fn of(expiry: Option<i64>) -> Check {
        let facts = CredentialFacts { account: None, expiry, source: "SSO".into() };
        credentials(&facts, 1_000_000)
    }

    #[test]
    fn credentials_that_end_soon_or_have_ended_have_different_levels() {
        assert_eq!(of(None).level, CheckLevel::Ok);
        assert_eq!(of(Some(1_000_000 + clock::millis(SOON))).level, CheckLevel::Ok);
        let soon = of(Some(1_000_000 + 60_000));
        assert_eq!((soon.level, soon.message.contains("1m left")), (CheckLevel::Warn, true), "{soon:?}");
        let over = of(Some(999_999));
        assert_eq!(over.level, CheckLevel::Fail);
        assert!(matches!(over.fault, Some(AppError::Gateway(GatewayError::LoginExpired { .. }))));
    }
}
