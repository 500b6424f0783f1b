//! Targets that could not be read, for people: many with the same cause are one line.

use crate::cli::exit_code::Code;
use crate::cli::exit_code::DOCTOR;
use crate::progress::TargetFailure;
use std::collections::BTreeMap;

/// Up to this many targets of one cause have a line each.
const LISTED: usize = 3;

/// The lines for these targets, in the order of their first one.
pub(crate) fn lines(failures: &[TargetFailure]) -> Vec<String> {
    let mut groups: Vec<Vec<&TargetFailure>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for failure in failures {
        let cause = failure.denied.as_ref().map_or(failure.error.as_str(), |denied| denied.operation.as_str());
        let place = *places.entry(cause).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(failure),
            None => groups.push(vec![failure]),
        }
    }
    groups.iter().flat_map(|group| of_group(group)).collect()
}

fn of_group(group: &[&TargetFailure]) -> Vec<String> {
    if group.len() <= LISTED {
        return group.iter().map(|failure| format!("{}: {}", failure.target, failure.error)).collect();
    }
    let names: Vec<&str> = group.iter().take(LISTED).map(|failure| failure.target.as_str()).collect();
    let targets = format!("{} targets ({} and {} more)", group.len(), names.join(", "), group.len() - LISTED);
    let first = group[0];
    vec![match &first.denied {
        Some(denied) => format!("AWS denied {} for {targets}: {}", denied.operation, denied.detail),
        None => format!("{targets}: {}", first.error),
    }]
}

/// The exit code of a walk with these failures out of `total` targets: the code of the failures if nothing was read and they
/// share one.
pub(crate) fn code(failures: &[TargetFailure], total: usize) -> Code {
    let Some(first) = failures.first().filter(|_| failures.len() >= total) else { return Code::Partial };
    if failures.iter().all(|failure| failure.code == first.code) {
        Code::from_number(first.code)
    } else {
        Code::Partial
    }
}

/// What to do: the remedies that the failures name, the missing permissions, or the same command again.
pub(crate) fn hint(failures: &[TargetFailure]) -> Option<String> {
    let mut remedies: Vec<String> = Vec::new();
    let denied = failures.iter().any(|failure| failure.denied.is_some()).then(|| DOCTOR.to_owned());
    for remedy in failures.iter().filter_map(|failure| failure.hint.clone()).chain(denied) {
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    (!remedies.is_empty()).then(|| remedies.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::GatewayError;

    fn denied(operation: &str, account: usize) -> TargetFailure {
        let error = GatewayError::AccessDenied {
            operation: operation.into(),
            account: Some(account.to_string()),
            detail: format!("not authorized on account {account}"),
        };
        error.of_target(format!("account {account}"))
    }

    #[test]
    fn many_targets_of_one_cause_are_one_line_with_their_number() {
        let mut failures: Vec<TargetFailure> =
            (1..=38).map(|account| denied("sso-admin ListAccountAssignments", account)).collect();
        let other = GatewayError::NotFound { what: "user 1".into() };
        failures.push(other.of_target("user 1".into()));
        assert_eq!(
            lines(&failures),
            [
                "AWS denied sso-admin ListAccountAssignments for 38 targets (account 1, account 2, account 3 and 35 more): \
                 not authorized on account 1",
                "user 1: user 1 was not found",
            ]
        );
        let three = lines(&failures[..3]);
        assert_eq!(three.len(), 3);
        assert_eq!(
            three[0],
            "account 1: AWS denied sso-admin ListAccountAssignments in account 1: not authorized on account 1"
        );
    }

    #[test]
    fn a_walk_that_read_nothing_has_the_code_of_its_cause() {
        let all: Vec<TargetFailure> = (1..=4).map(|account| denied("o", account)).collect();
        assert_eq!((code(&all, 4), code(&all, 5)), (Code::Refused, Code::Partial));
        let late = GatewayError::Unreachable { operation: "o".into(), detail: "d".into(), sent: false };
        let both = [denied("o", 1), late.of_target("t".into())];
        assert_eq!(code(&both, 2), Code::Partial);
        assert!(hint(&all).unwrap().contains("doctor --iam-policy"));
        assert_eq!(hint(&both[1..]), None);
    }
}
