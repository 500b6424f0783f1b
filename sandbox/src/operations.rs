//! All operations of the sandbox: what they are called and what carries them out.
//!
//! What is not listed is unknown to both.

use crate::aws_json::Operation;
use crate::aws_json::Service;
use crate::aws_json::Write;
use crate::services::identity_store;
use crate::services::operation_status;
use crate::services::organizations;
use crate::services::sso_admin;
use crate::services::sts;
use crate::services::writes;

/// What carries an operation out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Reads, and may lag behind a write.
    Read(Operation),
    /// Tells how an asynchronous operation stands, which never lags.
    Follow(Operation),
    /// Changes the organization.
    Write(Write),
}

/// An operation that exists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) service: Service,
    pub(crate) name: &'static str,
    pub(crate) action: Action,
}

type List<T> = &'static [(&'static str, T)];

/// The operation that a target names.
pub(crate) fn find(target: &str) -> Option<Found> {
    let (prefix, asked) = target.split_once('.')?;
    let service = Service::of_prefix(prefix)?;
    operations(service).find(|(name, _)| *name == asked).map(|(name, action)| Found { service, name, action })
}

/// All operations of a service.
pub(crate) fn operations(service: Service) -> impl Iterator<Item = (&'static str, Action)> {
    let (reads, follows, writes): (List<Operation>, List<Operation>, List<Write>) = match service {
        Service::IdentityStore => (identity_store::OPERATIONS, &[], writes::IDENTITY_STORE),
        Service::SsoAdmin => (sso_admin::OPERATIONS, operation_status::OPERATIONS, writes::SSO_ADMIN),
        Service::Organizations => (organizations::OPERATIONS, &[], writes::ORGANIZATIONS),
    };
    let reads = reads.iter().map(|(name, read)| (*name, Action::Read(*read)));
    let follows = follows.iter().map(|(name, read)| (*name, Action::Follow(*read)));
    reads.chain(follows).chain(writes.iter().map(|(name, write)| (*name, Action::Write(*write))))
}

/// All operations there are, as targets.
pub(crate) fn targets() -> impl Iterator<Item = String> {
    let named = |service: Service| operations(service).map(move |(name, _)| format!("{}.{name}", service.prefix()));
    Service::ALL.into_iter().flat_map(named).chain(sts::OPERATIONS.into_iter().map(str::to_owned))
}

/// Whether a pattern of operations means `target` (`AWSIdentityStore.ListUsers`).
pub(crate) fn means(pattern: &str, target: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(prefix) => target.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
        None => {
            matches!(pattern, "" | "*")
                || pattern == target
                || target.split_once('.').is_some_and(|(_, name)| name == pattern)
        }
    }
}

/// Refuses a pattern that means no operation at all.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), String> {
    if targets().any(|target| means(pattern, &target)) {
        Ok(())
    } else {
        Err(format!(
            "the sandbox has no operation `{pattern}`: give `AWSIdentityStore.ListUsers`, `ListUsers`, \
             `AWSIdentityStore.*`, `SWBExternalService.*`, `AWSOrganizationsV20161128.*`, \
             `AWSSecurityTokenServiceV20110615.*` or `*`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_an_operation_by_target_by_name_and_by_service() {
        let target = "AWSIdentityStore.ListUsers";
        for pattern in [target, "ListUsers", "AWSIdentityStore.*", "*", ""] {
            assert!(means(pattern, target), "{pattern}");
            assert_eq!(check_pattern(pattern), Ok(()));
        }
        for pattern in ["ListUser", "AWSIdentityStore.", "AWSIdentity.*", "SWBExternalService.ListUsers"] {
            assert!(!means(pattern, target), "{pattern}");
            assert!(check_pattern(pattern).is_err(), "{pattern}");
        }
        assert_eq!(check_pattern("GetCallerIdentity"), Ok(()));
    }

    #[test]
    fn no_operation_is_listed_twice() {
        for service in [Service::IdentityStore, Service::SsoAdmin, Service::Organizations] {
            let mut names: Vec<_> = operations(service).map(|(name, _)| name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
