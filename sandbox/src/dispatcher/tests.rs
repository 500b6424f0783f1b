//! Tests of the dispatcher.

use super::*;
use crate::config::Limits;
use crate::config::Shape;
use crate::records::Moment;
use serde_json::json;

fn desk(tps: f64) -> Desk {
    let limits = Limits { tps, latency: Duration::ZERO };
    Desk::new(Organization::generate(&Shape::default()), &limits.into()).expect("no faults are no bad faults")
}

fn now(at_ms: u64) -> Now {
    Now { since: Duration::from_millis(at_ms), at: Moment(0) }
}

fn ask(desk: &Desk, at_ms: u64, target: &str) -> (u16, Value) {
    let reply = desk.answer_at_once(now(at_ms), Call { target: Some(target), body: b"{}", ..Call::default() });
    (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
}

#[test]
fn each_service_says_in_its_own_way_that_there_were_too_many_calls() {
    let desk = desk(1.0);
    for target in
        ["AWSIdentityStore.ListUsers", "SWBExternalService.ListInstances", "AWSOrganizationsV20161128.ListAccounts"]
    {
        ask(&desk, 0, target);
    }
    let (status, body) = ask(&desk, 0, "AWSIdentityStore.ListUsers");
    assert_eq!((status, &body["__type"], &body["RetryAfterSeconds"]), (400, &json!("ThrottlingException"), &json!(1)));
    let (status, body) = ask(&desk, 0, "SWBExternalService.ListPermissionSets");
    assert_eq!((status, &body["__type"], body.get("RetryAfterSeconds")), (400, &json!("ThrottlingException"), None));
    let (status, body) = ask(&desk, 0, "AWSOrganizationsV20161128.ListRoots");
    assert_eq!((status, &body["__type"]), (400, &json!("TooManyRequestsException")));
    assert!(!body["Message"].as_str().expect("a text").contains("  "), "{body}");
    let (status, _) = ask(&desk, 1_000, "SWBExternalService.ListInstances");
    assert_eq!(status, 200, "a second later there is room");
    let calls = desk.calls();
    assert_eq!((calls.total, calls.throttled), (7, 3));
    assert_eq!(calls.by_operation["AWSIdentityStore.ListUsers"], 2);
}

#[test]
fn calls_are_counted_until_the_counters_are_reset() {
    let desk = desk(0.0);
    for _ in 0..3 {
        ask(&desk, 0, "SWBExternalService.ListInstances");
    }
    desk.answer_at_once(
        now(0),
        Call { target: None, body: b"Action=GetCallerIdentity&Version=2011-06-15", ..Call::default() },
    );
    let calls = desk.calls();
    assert_eq!((calls.total, calls.throttled), (4, 0));
    assert_eq!(calls.by_operation["SWBExternalService.ListInstances"], 3);
    assert_eq!(calls.by_operation[sts::OPERATIONS[0]], 1);
    desk.reset_calls();
    assert_eq!(desk.calls(), CallCounts::default());
}

#[test]
fn an_unknown_operation_is_named_and_neither_counted_nor_a_500() {
    let desk = desk(1.0);
    for target in ["AWSIdentityStore.DropTables", "Nonsense.ListUsers", "ListUsers", ""] {
        let (status, body) = ask(&desk, 0, target);
        assert_eq!((status, &body["__type"]), (404, &json!("UnknownOperationException")));
        assert!(body["Message"].as_str().is_some_and(|message| message.contains(target)));
    }
    assert_eq!(desk.calls().total, 0);
}

#[test]
fn garbage_is_refused_without_failing() {
    let desk = desk(0.0);
    let mut dice = Dice::new(7, "garbage");
    let pieces =
        ["{", "}", "\"IdentityStoreId\"", ":", "\"d-90670123ab\"", "null", "[", "]", ",", "1e999", "\u{0}", "ö"];
    for _ in 0..5_000 {
        let body: String = (0..dice.below(12)).map(|_| dice.one_of(&pieces)).collect();
        let service = dice.one_of(&Service::ALL);
        let names: Vec<_> = operations::operations(service).map(|(name, _)| name).collect();
        let name = dice.one_of(&names);
        let target = format!("{}.{name}", service.prefix());
        let reply =
            desk.answer_at_once(now(0), Call { target: Some(&target), body: body.as_bytes(), ..Call::default() });
        assert!(matches!(reply.status, 200 | 400), "{} {target} {body}", reply.status);
    }
}
