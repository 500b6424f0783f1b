//! Every fault, as a client meets it.

use super::Bench;
use super::bench;
use aws_sdk_identitystore::error::ProvideErrorMetadata;
use awsideman::sandbox::Faults;
use awsideman::sandbox::Rates;
use awsideman::sandbox::Rule;
use std::time::Duration;
use std::time::Instant;

fn with(faults: Faults) -> Bench {
    let bench = bench(0.0);
    bench.running.set_faults(faults).expect("known faults");
    bench
}

fn store(bench: &Bench) -> String {
    bench.organization.identity_store().to_owned()
}

/// `SUCCEEDED`, or the error code and HTTP status, or that the connection broke.
macro_rules! outcome {
    ($call:expr) => {
        match $call.send().await {
            Ok(_) => "ok".to_owned(),
            Err(error) => match (error.raw_response().map(|raw| raw.status().as_u16()), error.code()) {
                (Some(status), Some(code)) => format!("{status} {code}"),
                _ => "broken".to_owned(),
            },
        }
    };
}

#[tokio::test]
async fn throttles_hit_every_so_many_calls_or_the_first_of_an_operation() {
    let bench = with(Faults { throttle_every: 3, ..Faults::default() });
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(outcome!(bench.store.list_groups().identity_store_id(store(&bench))));
    }
    let throttled = "400 ThrottlingException";
    assert_eq!(seen, ["ok", "ok", throttled, "ok", "ok", throttled]);
    assert_eq!(bench.running.calls().throttled, 2);
    bench.running.set_faults(Faults { throttle: vec![Rule::first(2, "ListGroups")], ..Faults::default() }).unwrap();
    seen.clear();
    for _ in 0..3 {
        seen.push(outcome!(bench.store.list_groups().identity_store_id(store(&bench))));
        assert_eq!(outcome!(bench.store.list_users().identity_store_id(store(&bench))), "ok");
    }
    assert_eq!(seen, [throttled, throttled, "ok"]);
}

#[tokio::test]
async fn failures_and_resets_come_before_the_write_or_after_it() {
    let list = |rules: Vec<Rule>| (rules.clone(), rules);
    for after in [false, true] {
        let rule = if after { Rule::nth(1, "CreateGroup").after() } else { Rule::nth(1, "CreateGroup") };
        let (fail, reset) = list(vec![rule]);
        let fail = vec![Rule { status: Some(503), ..fail[0].clone() }];
        for (faults, seen) in [
            (Faults { fail, ..Faults::default() }, "503 InternalServerException"),
            (Faults { reset, ..Faults::default() }, "broken"),
        ] {
            let bench = with(faults);
            let create = bench.store.create_group().identity_store_id(store(&bench)).display_name("Lost");
            assert_eq!(outcome!(create.clone()), seen, "after: {after}");
            let done = bench.running.counts().groups - bench.organization.counts().groups;
            assert_eq!(done, usize::from(after), "{seen}");
            let again = if after { "400 ConflictException" } else { "ok" };
            assert_eq!(outcome!(create), again, "only the first is hit");
        }
    }
}

#[tokio::test]
async fn a_truncated_answer_is_no_answer() {
    let bench = with(Faults { truncate: vec![Rule::first(2, "*")], ..Faults::default() });
    let list = bench.store.list_users().identity_store_id(store(&bench));
    assert_eq!(outcome!(list.clone()), "broken");
    assert_eq!(outcome!(bench.store.create_group().identity_store_id(store(&bench)).display_name("X")), "broken");
    assert_eq!(outcome!(list), "ok");
    assert_eq!(bench.running.counts().groups, bench.organization.counts().groups + 1, "the write was done");
}

#[tokio::test]
async fn pages_are_short_or_empty_and_the_whole_is_still_whole() {
    let empty_between = Rule { every: Some(2), ..Rule::of("ListUsers") };
    let short = Rule { rows: Some(30), ..Rule::of("ListUsers") };
    let two = Rule { rows: Some(0), count: Some(2), ..Rule::of("ListUsers") };
    for (rules, pages) in [(vec![short.clone()], 10), (vec![empty_between, short], 20), (vec![two], 5)] {
        let bench = with(Faults { short_pages: rules, ..Faults::default() });
        let answers = bench.store.list_users().identity_store_id(store(&bench)).into_paginator().send();
        let answers = answers.try_collect().await.expect("pages");
        assert_eq!(answers.len(), pages);
        let users = answers.iter().map(|page| page.users.len()).sum::<usize>();
        assert_eq!(users, bench.organization.counts().users);
    }
}

#[tokio::test]
async fn a_repeated_token_goes_in_a_circle() {
    let bench = with(Faults { repeat_token: vec![Rule::of("*")], ..Faults::default() });
    let users = bench.store.list_users().identity_store_id(store(&bench)).send().await.expect("a page");
    let token = users.next_token.expect("a token");
    let list = bench.store.list_users().identity_store_id(store(&bench)).next_token(&token);
    assert_eq!(list.clone().send().await.expect("a page").next_token.as_deref(), Some(token.as_str()));
    assert_eq!(list.send().await.expect("a page").next_token.as_deref(), Some(token.as_str()));
    let groups = bench.store.list_groups().identity_store_id(store(&bench)).send().await.expect("a page");
    assert!(groups.next_token.is_some(), "even what fits into one page");
}

#[tokio::test]
async fn access_is_denied_by_operation_and_by_account() {
    let denied = bench(0.0).organization.management_account().to_owned();
    let bench = with(Faults {
        access_denied: vec![Rule::of("ListUsers")],
        access_denied_accounts: vec![denied.clone()],
        ..Faults::default()
    });
    let refused = "400 AccessDeniedException";
    assert_eq!(outcome!(bench.store.list_users().identity_store_id(store(&bench))), refused);
    let arn = bench.organization.instance_arn();
    let set = bench.admin.list_permission_sets().instance_arn(arn).send().await.expect("listed").permission_sets;
    let set = &set.expect("some")[0];
    let list = bench.admin.list_account_assignments().instance_arn(arn).permission_set_arn(set);
    assert_eq!(outcome!(list.clone().account_id(&denied)), refused);
    let sets = bench.admin.list_permission_sets_provisioned_to_account().instance_arn(arn);
    assert_eq!(outcome!(sets.clone().account_id(&denied)), refused);
    let accounts = bench.organizations.list_accounts().send().await.expect("listed").accounts.expect("some");
    let other = accounts.iter().filter_map(|account| account.id()).find(|id| *id != denied).expect("another");
    assert_eq!(outcome!(list.account_id(other)), "ok");
    assert_eq!(outcome!(sets.account_id(other)), "ok");
    assert_eq!(outcome!(bench.organizations.describe_account().account_id(&denied)), "ok");
}

#[tokio::test]
async fn reads_lag_behind_writes_until_the_lag_is_over() {
    let bench = with(Faults { read_lag_ms: 3_600_000, ..Faults::default() });
    let store = store(&bench);
    let list = bench.store.list_groups().identity_store_id(&store);
    let before = bench.organization.counts().groups;
    let made = bench.store.create_group().identity_store_id(&store).display_name("New").send().await.expect("created");
    assert_eq!(list.clone().send().await.expect("listed").groups.len(), before);
    let read = bench.store.describe_group().identity_store_id(&store).group_id(&made.group_id);
    assert_eq!(outcome!(read.clone()), "400 ResourceNotFoundException");
    let twice = bench.store.create_group().identity_store_id(&store).display_name("New");
    assert_eq!(outcome!(twice), "400 ConflictException", "writes see writes at once");
    bench.running.set_faults(Faults::default()).expect("known");
    assert_eq!(list.send().await.expect("listed").groups.len(), before + 1);
    assert_eq!(outcome!(read), "ok");
}

#[tokio::test]
async fn latency_is_that_of_the_operation() {
    let slow = [("ListGroups".to_owned(), 60)].into();
    let bench = with(Faults { latency_ms: Some(0), latency_by_operation: slow, ..Faults::default() });
    let begin = Instant::now();
    assert_eq!(outcome!(bench.store.list_groups().identity_store_id(store(&bench))), "ok");
    assert!(begin.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn each_family_has_its_own_rate_and_arrivals_are_timed() {
    let tps = Rates { identitystore: Some(2.0), sso_admin: Some(0.001), organizations: None };
    let bench = with(Faults { tps, ..Faults::default() });
    for _ in 0..2 {
        bench.organizations.list_roots().send().await.expect("no limit");
    }
    bench.admin.list_instances().send().await.expect("the first");
    let error = bench.admin.list_instances().send().await.expect_err("the second");
    assert!(error.into_service_error().is_throttling_exception());
    let arrivals = bench.running.arrivals();
    let operations: Vec<_> = arrivals.iter().map(|arrival| arrival.operation.rsplit('.').next().unwrap()).collect();
    assert_eq!(operations, ["ListRoots", "ListRoots", "ListInstances", "ListInstances"]);
    assert_eq!(arrivals.iter().map(|arrival| arrival.throttled).collect::<Vec<_>>(), [false, false, false, true]);
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at_us));
    bench.running.reset_calls();
    assert!(bench.running.arrivals().is_empty());
}
