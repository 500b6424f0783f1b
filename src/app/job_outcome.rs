//! What came of a job's work, as an outcome, a sentence and an exit code.
//!
//! A failure that a user must fix is never reported as temporary, and its message ends with the command to run.

use crate::alerts::AWS;
use crate::app::alerting::behind;
use crate::app::error::AppError;
use crate::gateway::{GatewayError, Warmed};
use crate::jobs::JobResult;
use crate::store::Swept;
use serde_json::{Map, json};

/// The work of a warm, from what came of each target.
pub(super) fn warm_work(warmed: &[Warmed], ended: Option<&GatewayError>, faults: &[String]) -> JobResult {
    let text = warm_text(warmed);
    let lost = lost(warmed);
    match ended {
        Some(error @ GatewayError::Budget { .. }) => {
            return JobResult::partial(joined(&[text, error.to_string()]), lost);
        }
        Some(error) => {
            let work = JobResult::failed(with_remedy(error), error.exit_code());
            return work.with_findings(behind(error).into_iter().collect());
        }
        None => {}
    }
    let stopped: Vec<(&Warmed, &GatewayError)> =
        warmed.iter().filter_map(|target| Some((target, target.cause.as_deref()?))).collect();
    let mut why = listed_once(stopped.iter().map(|(target, error)| (target.target, with_remedy(error))));
    if !stopped.is_empty() && stopped.len() == warmed.len() {
        let exit = stopped.iter().map(|(_, error)| error.exit_code()).fold(0, worst);
        // An error that only a person can fix is not fixed by an immediate retry of the others.
        let is_temporary = stopped.iter().all(|(_, error)| error.is_temporary());
        // AWS is behind it only when nothing else is.
        let causes = stopped.iter().filter_map(|(_, error)| behind(error));
        let login = causes.clone().find(|finding| finding.key != AWS);
        let cause = login.or_else(|| causes.into_iter().next().filter(|_| is_temporary));
        let work = if is_temporary {
            JobResult::failed_for_now(why.join("; "), exit)
        } else {
            JobResult::failed(why.join("; "), exit)
        };
        return work.with_findings(cause.into_iter().collect());
    }
    why.extend(unread(warmed));
    why.extend(not_kept(warmed));
    why.extend(faults.iter().map(|fault| format!("the cache could not store everything: {fault}")));
    let left_out = left_out(warmed);
    if why.is_empty() {
        return JobResult::done(joined(&[text, left_out.unwrap_or_default()]));
    }
    why.extend(left_out);
    why.insert(0, text);
    let unstored = (!faults.is_empty()).then(|| "stored answers".to_owned());
    JobResult::partial(joined(&why), lost.into_iter().chain(unstored).collect())
}

/// The targets that a warm did not finish, and what it could not read of the others.
fn lost(warmed: &[Warmed]) -> Vec<String> {
    let stopped = |target: &Warmed| target.cause.is_some().then(|| target.target.to_owned());
    let failed = |target: &Warmed| target.failures.iter().map(|failure| failure.target.clone()).collect::<Vec<_>>();
    let unkept = |target: &Warmed| target.not_kept.iter().map(|one| one.target.clone()).collect::<Vec<_>>();
    warmed.iter().flat_map(|one| failed(one).into_iter().chain(unkept(one)).chain(stopped(one))).collect()
}

/// How many answers were not stored, one example, and why.
pub fn not_kept(warmed: &[Warmed]) -> Option<String> {
    let all = || warmed.iter().flat_map(|target| &target.not_kept);
    let first = all().next()?;
    Some(match all().count() {
        1 => format!("not kept: {}: {}", first.target, first.reason),
        n => format!("not kept: {n} answers, such as {}: {}", first.target, first.reason),
    })
}

/// How many answers were left out, and why.
pub fn left_out(warmed: &[Warmed]) -> Option<String> {
    let all = || warmed.iter().flat_map(|target| &target.skipped);
    let first = all().next()?;
    Some(match all().count() {
        1 => format!("skipped: {}: {}", first.target, first.error),
        n => format!("skipped: {n} answers, such as {}: {}", first.target, first.error),
    })
}

/// How many answers could not be read, one example, and why.
fn unread(warmed: &[Warmed]) -> Option<String> {
    let count: usize = warmed.iter().map(|target| target.failures.len()).sum();
    let first = warmed.iter().flat_map(|target| &target.failures).next()?;
    let (count, such) = if count == 1 { ("1 target".to_owned(), "") } else { (format!("{count} targets"), "such as ") };
    Some(format!("{count} could not be read: {such}{}: {}", first.target, first.error))
}

/// `users, groups: the reason`: a reason that stopped several targets is listed once.
fn listed_once<'a>(stopped: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    let mut reasons: Vec<(String, String)> = Vec::new();
    for (target, reason) in stopped {
        match reasons.iter_mut().find(|(_, known)| *known == reason) {
            Some((targets, _)) => *targets = format!("{targets}, {target}"),
            None => reasons.push((target.to_owned(), reason)),
        }
    }
    reasons.into_iter().map(|(targets, reason)| format!("{targets}: {reason}")).collect()
}

fn joined(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ")
}

fn warm_text(warmed: &[Warmed]) -> String {
    let part = |target: &Warmed| match (target.fetched, target.fresh) {
        (0, 0) => None,
        (0, _) => Some(format!("{} fresh", target.target)),
        _ => Some(format!("{} {}", target.items, target.target)),
    };
    warmed.iter().filter_map(part).collect::<Vec<_>>().join(", ")
}

pub(super) fn swept(swept: Result<Swept, AppError>) -> JobResult {
    let swept = match swept {
        Ok(swept) => swept,
        Err(error) => return failed(&error),
    };
    let mut detail = Map::new();
    detail.insert("removed".into(), json!(swept));
    let text = match swept.entries() {
        0 => "nothing to remove".to_owned(),
        _ if swept.no_room > 0 => swept.notice().unwrap_or_default(),
        n => format!("{n} entries removed, {} freed", crate::model::format_size(swept.bytes)),
    };
    JobResult::done(text).with_detail(detail)
}

pub(super) fn failed(error: &AppError) -> JobResult {
    match error {
        AppError::Gateway(gateway) => {
            let (exit, cause) = (gateway.exit_code(), behind(gateway).into_iter().collect());
            let work = if gateway.is_temporary() {
                JobResult::failed_for_now(error.to_string(), exit)
            } else {
                JobResult::failed(with_remedy(gateway), exit)
            };
            work.with_findings(cause)
        }
        AppError::Store(store) if store.is_temporary() => JobResult::failed_for_now(error.to_string(), 1),
        AppError::Store(store) if store.is_damage() => {
            JobResult::failed(format!("{error}; `awsideman cache recover` starts a new cache"), 12)
        }
        AppError::Config(_) | AppError::NoSuchGroup { .. } => JobResult::failed(error.to_string(), 2),
        _ => JobResult::failed(error.to_string(), 1),
    }
}

/// The error with what to type: a mail, a ledger and a table have no room for hints of their own.
fn with_remedy(error: &GatewayError) -> String {
    let remedy = match error {
        GatewayError::NotLoggedIn { hint, .. }
        | GatewayError::LoginExpired { hint, .. }
        | GatewayError::CredentialsRefused { hint, .. }
        | GatewayError::Mfa { hint, .. }
        | GatewayError::Configuration { hint, .. } => hint.clone(),
        GatewayError::NoCredentials { .. } => {
            "choose a profile (`profile`, AWS_PROFILE) or log in with `aws sso login`".into()
        }
        GatewayError::AccessDenied { .. } | GatewayError::Refused { .. } => {
            "`awsideman doctor --iam-policy` shows what is needed".into()
        }
        GatewayError::NoInstance { sso_region: Some(region), .. } => {
            format!("set `region` to {region}, the sso_region")
        }
        GatewayError::NoInstance { .. } => "an instance lives in one region: set `region`".into(),
        GatewayError::ChooseInstance { choices, .. } => {
            format!("set `aws.instance` to one of {}", choices.join(", "))
        }
        _ => return error.to_string(),
    };
    format!("{error}; {remedy}")
}

pub(super) fn worst(a: u8, b: u8) -> u8 {
    const ORDER: [u8; 7] = [2, 12, 4, 13, 1, 3, 6];
    ORDER.into_iter().find(|code| *code == a || *code == b).unwrap_or(a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WarmTarget;
    use crate::jobs::JobEnd;
    use crate::progress::TargetFailure;
    use std::sync::Arc;

    #[test]
    fn what_stopped_several_targets_is_listed_once() {
        let stopped = [("users", "no way".to_owned()), ("groups", "no way".to_owned()), ("accounts", "denied".into())];
        assert_eq!(listed_once(stopped.into_iter()), ["users, groups: no way", "accounts: denied"]);
    }

    fn warmed(target: &'static str, items: u64, cause: Option<GatewayError>) -> Warmed {
        Warmed {
            target,
            fetched: u64::from(cause.is_none()),
            items,
            stopped: cause.as_ref().map(ToString::to_string),
            cause: cause.map(Arc::new),
            ..Warmed::new(WarmTarget::Users)
        }
    }

    fn throttled() -> GatewayError {
        GatewayError::Throttled { operation: "ListUsers".into(), attempts: 5, retry_after_ms: None }
    }

    fn denied() -> GatewayError {
        GatewayError::AccessDenied { operation: "ListUsers".into(), account: None, detail: "no".into() }
    }

    #[test]
    fn a_warm_that_read_everything_is_done() {
        let work = warm_work(&[warmed("users", 300, None), warmed("groups", 30, None)], None, &[]);
        assert_eq!((work.ending, work.exit, work.reason.as_str()), (JobEnd::Done, 0, "300 users, 30 groups"));
    }

    #[test]
    fn a_warm_that_read_a_part_is_partial_and_names_what_it_lost() {
        let work = warm_work(&[warmed("users", 300, None), warmed("groups", 0, Some(denied()))], None, &[]);
        assert_eq!((work.ending, work.exit, work.lost), (JobEnd::Partial, 3, vec!["groups".to_owned()]));
        assert!(work.reason.starts_with("300 users; groups: AWS denied"), "{}", work.reason);
    }

    #[test]
    fn a_warm_that_read_nothing_failed_with_the_code_of_the_cause() {
        let both = |a, b| warm_work(&[warmed("users", 0, Some(a)), warmed("groups", 0, Some(b))], None, &[]);
        assert_eq!((both(throttled(), throttled()).ending, 13), (JobEnd::FailedForNow, 13));
        assert_eq!(both(throttled(), throttled()).exit, 13);
        assert_eq!((both(throttled(), denied()).ending, both(throttled(), denied()).exit), (JobEnd::Failed, 4));
        assert!(both(denied(), denied()).reason.contains("doctor --iam-policy"));
    }

    #[test]
    fn what_is_left_out_is_named_and_what_is_not_kept_is_lost() {
        let answer =
            |error: &str| TargetFailure { target: "account 1".into(), error: error.into(), ..TargetFailure::default() };
        let skipped = Warmed { skipped: vec![answer("account 1 is suspended")], ..warmed("users", 300, None) };
        let work = warm_work(&[skipped], None, &[]);
        assert_eq!((work.ending, work.exit), (JobEnd::Done, 0));
        assert_eq!(work.reason, "300 users; skipped: account 1: account 1 is suspended");
        let lost = Warmed { failures: vec![answer("no way")], ..warmed("users", 300, None) };
        let work = warm_work(&[lost], None, &[]);
        assert_eq!((work.ending, work.lost), (JobEnd::Partial, vec!["account 1".to_owned()]));
        assert_eq!(work.reason, "300 users; 1 target could not be read: account 1: no way");
    }

    #[test]
    fn what_could_not_be_stored_shows_in_the_code() {
        let work = warm_work(&[warmed("users", 300, None)], None, &["disk full".into()]);
        assert_eq!((work.ending, work.exit), (JobEnd::Partial, 3));
        assert!(work.reason.contains("disk full"));
    }

    #[test]
    fn an_expired_login_names_the_command_to_type() {
        let error = GatewayError::LoginExpired {
            profile: Some("prod".into()),
            detail: "sso".into(),
            hint: "log in again: `aws sso login --profile prod`".into(),
        };
        let work = warm_work(&[], Some(&error), &[]);
        assert_eq!((work.ending, work.exit), (JobEnd::Failed, 4));
        assert!(work.reason.contains("aws sso login --profile prod"), "{}", work.reason);
    }
}
