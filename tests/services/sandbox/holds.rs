//! Calls that wait until they are let go: orders of events that a test forces without sleeping.

use super::bench;
use awsideman::sandbox::Faults;
use awsideman::sandbox::Rule;
use awsideman::sandbox::Running;
use awsideman::sandbox::Waiting;
use awsideman::sandbox::When;
use std::time::Duration;
use std::time::Instant;

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const LIST: &str = "AWSIdentityStore.ListGroups";

#[tokio::test]
async fn a_read_held_before_it_runs_sees_the_write() {
    for (rule, seen) in [(Rule::nth(1, LIST), true), (Rule::nth(1, LIST).after(), false)] {
        let bench = bench(0.0);
        let store = bench.organization.identity_store().to_owned();
        bench.running.set_faults(Faults { hold: vec![rule], ..Faults::default() }).expect("known");
        let reader = tokio::spawn(bench.store.list_groups().identity_store_id(&store).send());
        let running = &bench.running;
        wait_for_held(running, 1).await;
        let write = bench.store.create_group().identity_store_id(&store).display_name("Made meanwhile");
        write.send().await.expect("another operation is not held");
        assert_eq!(running.release("*", None), 1);
        let groups = reader.await.expect("ran").expect("answered").groups;
        assert_eq!(groups.iter().any(|group| group.display_name() == Some("Made meanwhile")), seen);
        let second = bench.store.list_groups().identity_store_id(&store).send().await.expect("only the first is held");
        assert_eq!(second.groups.len(), bench.organization.counts().groups + 1);
    }
}

#[tokio::test]
async fn a_write_held_after_it_is_done_shows_before_its_writer_knows() {
    let bench = bench(0.0);
    let store = bench.organization.identity_store().to_owned();
    let hold = Rule::of("CreateGroup").after();
    bench.running.hold(hold.clone()).expect("known");
    let writer = tokio::spawn(bench.store.create_group().identity_store_id(&store).display_name("Early").send());
    wait_for_held(&bench.running, 1).await;
    let expected = Waiting { operation: "AWSIdentityStore.CreateGroup".into(), when: When::After };
    assert_eq!(bench.running.waiting(), [expected]);
    let groups = bench.store.list_groups().identity_store_id(&store).send().await.expect("answered").groups;
    assert!(groups.iter().any(|group| group.display_name() == Some("Early")));
    // Another fault beside the hold leaves it waiting; ending the hold lets it go.
    let more = Faults { hold: vec![hold], read_lag_ms: 1, ..Faults::default() };
    bench.running.set_faults(more).expect("known");
    assert_eq!(bench.running.waiting().len(), 1);
    bench.running.set_faults(Faults::default()).expect("known");
    writer.await.expect("ran").expect("created");
}

#[tokio::test]
async fn held_calls_are_released_by_operation_in_their_order() {
    let bench = bench(0.0);
    let store = bench.organization.identity_store().to_owned();
    let all = Rule { count: Some(9), ..Rule::of("AWSIdentityStore.*") };
    bench.running.set_faults(Faults { hold: vec![all], ..Faults::default() }).expect("known");
    let first = tokio::spawn(bench.store.list_groups().identity_store_id(&store).send());
    wait_for_held(&bench.running, 1).await;
    let second = tokio::spawn(bench.store.list_groups().identity_store_id(&store).send());
    wait_for_held(&bench.running, 2).await;
    let users = tokio::spawn(bench.store.list_users().identity_store_id(&store).send());
    wait_for_held(&bench.running, 3).await;
    assert_eq!(bench.running.release("ListGroups", Some(1)), 1);
    first.await.expect("ran").expect("answered");
    assert_eq!(bench.running.waiting().len(), 2);
    assert_eq!(bench.running.release("ListUsers", None), 1);
    users.await.expect("ran").expect("answered");
    assert_eq!(bench.running.release("*", None), 1);
    second.await.expect("ran").expect("answered");
}

#[tokio::test]
async fn a_caller_that_gives_up_stops_waiting_and_its_write_is_dropped() {
    let bench = bench(0.0);
    let store = bench.organization.identity_store().to_owned();
    bench.running.hold(Rule::of("CreateGroup")).expect("known");
    let writer = tokio::spawn(bench.store.create_group().identity_store_id(&store).display_name("Never").send());
    wait_for_held(&bench.running, 1).await;
    writer.abort();
    assert!(writer.await.expect_err("gave up").is_cancelled());
    until("the caller who gave up has left", || bench.running.waiting().is_empty()).await;
    assert_eq!(bench.running.counts(), bench.organization.counts());
}

/// Waits beside the runtime, whose thread the caller's own requests need.
async fn wait_for_held(running: &Running, calls: usize) {
    until("the calls are held", || running.wait_for_held(calls, Duration::ZERO)).await;
}

/// Waits until something is so; fails, rather than hang, when it never is.
async fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
