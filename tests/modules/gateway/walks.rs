//! Assignments and warms: what is walked, what is left alone, and what could not be read.

use super::script::{ACCOUNTS, SETS, Script, denied, expired, id};
use super::{Host, MINUTE, settings};
use awsideman::config::WarmTarget;
use awsideman::gateway::{
    AssignmentFilter, CachePolicy, Gateway, GatewayError, Principal, PrincipalKind, Renew, Request, WarmPlan, Warmed,
};
use awsideman::progress::NoProgress;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

async fn warm(
    gateway: &Gateway,
    targets: &[WarmTarget],
    fresh_for: Option<u32>,
) -> (Vec<Warmed>, Option<GatewayError>) {
    let renew = fresh_for.map_or(Renew::All, |minutes| Renew::Expiring(minutes * MINUTE));
    gateway.warmer().warm(&WarmPlan::new(targets, renew), &NoProgress).await
}

fn everything() -> AssignmentFilter {
    AssignmentFilter::default()
}

#[tokio::test]
async fn assignments_are_walked_sorted_and_filtered() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    let gateway = host.gateway(&script);
    let found =
        gateway.assignment_reader().assignments(&everything(), &CachePolicy::default(), &NoProgress).await.unwrap();
    assert_eq!((found.targets, found.failures.len(), found.assignments.len()), (4, 0, 8));
    let order: Vec<String> = found
        .assignments
        .iter()
        .map(|row| format!("{} {} {}", row.account, row.permission_set, row.principal))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    let one = |account: Option<&str>, set: Option<&str>, group: Option<usize>| AssignmentFilter {
        account: account.map(str::to_owned),
        permission_set: set.map(str::to_owned),
        principal: group.map(|n| Principal { kind: PrincipalKind::Group, id: id(2, n) }),
    };
    for (filter, count) in [
        (one(Some(ACCOUNTS[0]), None, None), 4),
        (one(None, Some(SETS[0]), None), 4),
        (one(Some(ACCOUNTS[0]), Some(SETS[0]), None), 2),
        (one(None, None, Some(0)), 2),
        (one(Some(ACCOUNTS[0]), None, Some(0)), 1),
        (one(None, Some(SETS[1]), Some(0)), 0),
    ] {
        let found =
            gateway.assignment_reader().assignments(&filter, &CachePolicy::default(), &NoProgress).await.unwrap();
        assert_eq!(found.assignments.len(), count, "{filter:?}");
    }
}

/// Some servers answer the provisioned lists empty although there are assignments.
#[tokio::test]
async fn where_no_permission_set_is_provisioned_pairs_are_asked_directly() {
    for (account, set, count) in
        [(None, None, 8), (Some(ACCOUNTS[0]), None, 4), (None, Some(SETS[0]), 4), (Some(ACCOUNTS[0]), Some(SETS[0]), 2)]
    {
        let (host, script) = (Host::new(), Arc::new(Script::unlisted()));
        let filter = AssignmentFilter {
            account: account.map(str::to_owned),
            permission_set: set.map(str::to_owned),
            principal: None,
        };
        let found = host
            .gateway(&script)
            .assignment_reader()
            .assignments(&filter, &CachePolicy::default(), &NoProgress)
            .await
            .unwrap();
        assert_eq!(found.assignments.len(), count, "{filter:?}");
    }
    let (host, script) = (Host::new(), Arc::new(Script::unlisted()));
    let (done, end) = warm(&host.gateway(&script), &[WarmTarget::Assignments], None).await;
    assert!(end.is_none() && done[0].fetched >= 4, "{done:?}");
    script.calls();
    let found = host
        .gateway(&script)
        .assignment_reader()
        .assignments(&everything(), &CachePolicy::CACHE_ONLY, &NoProgress)
        .await;
    assert!(found.is_ok_and(|found| found.assignments.is_empty()), "without AWS there is nothing to check it with");
    let found = host
        .gateway(&script)
        .assignment_reader()
        .assignments(&everything(), &CachePolicy::default(), &NoProgress)
        .await
        .unwrap();
    assert_eq!((found.assignments.len(), script.calls().len()), (8, 0), "all that the check needs is cached");
}

#[tokio::test]
async fn a_denied_target_is_listed_and_the_rest_is_complete() {
    for (call, targets, rows) in [("ProvisionedAccounts", 3, 4), ("Assignments {", 4, 6)] {
        let (host, script) = (Host::new(), Arc::new(Script::new(1)));
        script.rule(move |words| {
            let hit = words.starts_with(call)
                && words.contains(SETS[1])
                && (call != "Assignments {" || words.contains(ACCOUNTS[1]));
            hit.then(denied)
        });
        let gateway = host.gateway(&script);
        let found =
            gateway.assignment_reader().assignments(&everything(), &CachePolicy::default(), &NoProgress).await.unwrap();
        assert_eq!((found.targets, found.assignments.len(), found.failures.len()), (targets, rows, 1), "{call}");
        assert!(found.failures[0].target.contains(SETS[1]) && found.failures[0].error.contains("denied"));
        let (done, end) = warm(&gateway, &[WarmTarget::Assignments], None).await;
        assert!(end.is_none() && done[0].stopped.is_none());
        assert_eq!(done[0].failures, found.failures, "the warm lists the same");
    }
}

#[tokio::test]
async fn an_expired_login_ends_a_walk_instead_of_failing_every_target() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    script.rule(|words| words.starts_with("Assignments {").then(expired));
    let gateway = host.gateway(&script);
    let error =
        gateway.assignment_reader().assignments(&everything(), &CachePolicy::default(), &NoProgress).await.unwrap_err();
    assert!(matches!(error, GatewayError::LoginExpired { .. }), "{error}");
    let (done, end) = warm(&gateway, &[WarmTarget::Assignments, WarmTarget::Users], None).await;
    assert!(matches!(end, Some(GatewayError::LoginExpired { .. })));
    assert_eq!(done.iter().map(|done| done.target).collect::<Vec<_>>(), ["users", "assignments"]);
    assert!(done[0].stopped.is_none() && done[1].stopped.is_some());
}

#[tokio::test]
async fn a_list_that_fails_stops_its_target_and_not_the_next() {
    let (host, script) = (Host::new(), Arc::new(Script::new(300)));
    script.rule(|words| (words == "Users 2").then(denied));
    let (done, end) = warm(&host.gateway(&script), &[WarmTarget::Accounts, WarmTarget::Users], None).await;
    assert!(end.is_none());
    assert!(done[0].stopped.as_ref().is_some_and(|why| why.contains("denied")), "{done:?}");
    assert_eq!((done[0].fetched, done[1].fetched, done[1].items), (0, 1, 2));
}

#[tokio::test]
async fn a_spent_budget_ends_the_warm_and_keeps_what_was_done() {
    let (host, script) = (Host::new(), Arc::new(Script::new(300)));
    let sent = AtomicU64::new(0);
    script.rule(move |_| (sent.fetch_add(1, Ordering::SeqCst) >= 6).then_some(GatewayError::Budget { budget: 6 }));
    let plan = WarmPlan { thrifty: true, ..WarmPlan::new(&WarmTarget::ALL, Renew::All) };
    let (done, end) = host.gateway(&script).warmer().warm(&plan, &NoProgress).await;
    assert!(matches!(end, Some(GatewayError::Budget { .. })));
    assert_eq!((done.len(), done[0].items, done[1].items), (3, 300, 2), "{done:?}");
    assert!(done[2].stopped.is_some());
    script.relent();
    script.calls();
    let kept =
        host.gateway(&script).reader().value(&Request::Users, &CachePolicy::CACHE_ONLY, &NoProgress).await.unwrap();
    assert_eq!(kept.as_array().unwrap().len(), 300);
}

#[tokio::test]
async fn a_warm_leaves_alone_what_stays_fresh_and_renews_what_would_not() {
    let (host, script) = (Host::new(), Arc::new(Script::new(300)));
    let mut longer = settings();
    longer.ttls.by_operation.insert("account:list".into(), 120 * MINUTE);
    longer.ttls.by_operation.insert("permission_set:accounts".into(), 120 * MINUTE);
    let gateway = || host.gateway_of(&script, "ours", longer.clone());
    let (done, _) = warm(&gateway(), &WarmTarget::ALL, Some(5)).await;
    assert!(done.iter().all(|done| done.fresh == 0 && done.fetched > 0), "{done:?}");
    script.calls();
    host.clock.advance(5 * MINUTE);
    let (done, _) = warm(&gateway(), &WarmTarget::ALL, Some(5)).await;
    assert!(done.iter().all(|done| done.fetched == 0 && done.fresh > 0), "{done:?}");
    assert_eq!(script.calls(), [""; 0]);
    host.clock.advance(MINUTE);
    let (done, _) = warm(&gateway(), &WarmTarget::ALL, Some(5)).await;
    let counts: Vec<_> = done.iter().map(|done| (done.target, done.fetched, done.fresh)).collect();
    let expected = [("users", 1, 0), ("groups", 1, 0), ("memberships", 2, 0)];
    let rest = [("permission-sets", 1, 0), ("accounts", 0, 1), ("assignments", 4, 2)];
    assert_eq!(counts, [expected, rest].concat());
    let calls = script.calls();
    assert!(!calls.iter().any(|call| call.starts_with("Accounts") || call.starts_with("Provisioned")), "{calls:?}");
}

#[tokio::test]
async fn suspended_and_denied_accounts_are_skipped_with_reason_and_others_are_lost() {
    let targets = [WarmTarget::Accounts, WarmTarget::PermissionSets, WarmTarget::Assignments];
    for (suspended, detail, reason) in [
        (true, "not authorized", Some("account 111111111111 is suspended")),
        (false, "not authorized with an explicit deny in a service control policy", Some("denied by policy: ")),
        (false, "not authorized because no identity-based policy allows it", None),
    ] {
        let (host, script) = (Host::new(), Arc::new(Script::new(1)));
        if suspended {
            script.suspended.lock().unwrap().push(ACCOUNTS[0].to_owned());
        }
        script.rule(move |words| {
            let hit = words.starts_with("Assignments {") && words.contains(ACCOUNTS[0]);
            hit.then(|| GatewayError::AccessDenied { operation: "x".into(), account: None, detail: detail.into() })
        });
        let gateway = host.gateway(&script);
        // The accounts are known when the walk begins.
        warm(&gateway, &targets[..1], None).await;
        let (warmed, end) = warm(&gateway, &targets, None).await;
        assert!(end.is_none());
        let walk = warmed.iter().find(|one| one.target == "assignments").unwrap();
        assert_eq!(walk.skipped.len() + walk.failures.len(), SETS.len(), "{detail}: {walk:?}");
        match reason {
            Some(reason) => assert!(walk.skipped.iter().all(|one| one.error.starts_with(reason)), "{detail}: {walk:?}"),
            None => assert!(walk.skipped.is_empty(), "{detail}: {walk:?}"),
        }
        assert_eq!(walk.failures.is_empty(), reason.is_some(), "{detail}");
    }
}
