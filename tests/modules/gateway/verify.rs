//! Entries against AWS: what is called wrong, what is not, and what becomes of either.

use super::script::{ACCOUNTS, SETS, Script, denied, expired, id, unreachable};
use super::{Host, MINUTE};
use awsideman::cache::Fresh;
use awsideman::config::WarmTarget;
use awsideman::gateway::{
    CachePolicy, EntrySelection, Flaw, Gateway, GatewayError, Renew, Repair, Request, Verified, VerifySelection,
    WarmPlan,
};
use awsideman::model::Resource;
use awsideman::progress::NoProgress;
use awsideman::store::{Select, Store};
use serde_json::{Value, json};
use std::sync::Arc;

fn all() -> VerifySelection {
    VerifySelection { which: EntrySelection::All, sample: None, seed: 1, refill: true }
}

fn one(request: &Request) -> VerifySelection {
    VerifySelection { which: EntrySelection::Key(request.key().to_string()), ..all() }
}

async fn verify(gateway: &Gateway, wanted: &VerifySelection) -> Verified {
    gateway.verifier().verify(wanted, &NoProgress).await.unwrap()
}

async fn value(gateway: &Gateway, request: &Request, policy: CachePolicy) -> Result<Value, GatewayError> {
    gateway.reader().value(request, &policy, &NoProgress).await
}

async fn warm(gateway: &Gateway) {
    gateway.warmer().warm(&WarmPlan::new(&WarmTarget::ALL, Renew::All), &NoProgress).await;
}

/// A host a minute after it was warmed: what AWS is asked now is younger than what is stored.
async fn warmed(users: usize) -> (Host, Arc<Script>, Gateway) {
    let (host, script) = (Host::new(), Arc::new(Script::new(users)));
    let gateway = host.gateway(&script);
    warm(&gateway).await;
    host.clock.advance(MINUTE);
    (host, script, gateway)
}

#[tokio::test]
async fn answers_stored_as_aws_gave_them_verify_in_any_order() {
    let (host, script, gateway) = warmed(3).await;
    for request in [Request::UserByName("user1".into()), Request::GroupByName("Staff".into())] {
        value(&gateway, &request, CachePolicy::default()).await.unwrap();
    }
    script.users.lock().unwrap().reverse();
    script.calls();
    let looked = host.looked().len();
    let entries = host.store.size().unwrap().entries;
    let verified = verify(&gateway, &all()).await;
    assert!(verified.wrong.is_empty(), "{:?}", verified.wrong);
    assert!(verified.failed.is_empty() && verified.ended.is_none());
    assert_eq!(verified.checked + verified.skipped.values().sum::<u64>(), entries - 1, "all but the instance's");
    assert!(verified.checked >= 20 && !script.calls().is_empty());
    assert!(looked > 0 && host.looked().is_empty(), "it counts as no lookup");
}

#[tokio::test]
async fn a_wrong_entry_is_named_with_what_differs_and_replaced() {
    let (host, script, gateway) = warmed(3).await;
    let request = Request::User(id(1, 1));
    script.users.lock().unwrap()[1]["UserName"] = json!("renamed");
    let verified = verify(&gateway, &one(&request)).await;
    let [wrong] = verified.wrong.as_slice() else { panic!("{:?}", verified.wrong) };
    assert_eq!(
        (wrong.key.as_str(), wrong.flaw, wrong.repair),
        (request.key().as_str(), Flaw::Differs, Repair::Replaced)
    );
    assert_eq!(wrong.age_ms, 60_000);
    let difference = &wrong.differences.first[0];
    assert_eq!(
        (difference.at.as_str(), &difference.cached, &difference.aws),
        ("UserName", &json!("user1"), &json!("renamed"))
    );
    script.calls();
    let now = value(&host.gateway(&script), &request, CachePolicy::CACHE_ONLY).await.unwrap();
    assert_eq!(now["UserName"], "renamed");
    assert!(verify(&gateway, &one(&request)).await.wrong.is_empty());
    // The list says so too, by the id of the element; and comparing it has not mended the other entries.
    let listed = verify(&gateway, &one(&Request::Users)).await;
    assert_eq!(listed.wrong[0].differences.first[0].at, format!("[{}].UserName", id(1, 1)));
}

#[tokio::test]
async fn comparing_one_entry_mends_no_other() {
    let (_host, script, gateway) = warmed(3).await;
    script.users.lock().unwrap()[1]["UserName"] = json!("renamed");
    assert_eq!(verify(&gateway, &one(&Request::Users)).await.wrong.len(), 1);
    assert_eq!(verify(&gateway, &one(&Request::User(id(1, 1)))).await.wrong.len(), 1);
}

#[tokio::test]
async fn an_entry_whose_thing_is_gone_is_wrong_and_removed() {
    let (host, script, gateway) = warmed(3).await;
    script.users.lock().unwrap().remove(1);
    let request = Request::User(id(1, 1));
    let verified = verify(&gateway, &one(&request)).await;
    assert_eq!((verified.wrong[0].flaw, verified.wrong[0].repair), (Flaw::Gone, Repair::Removed));
    let error = value(&host.gateway(&script), &request, CachePolicy::CACHE_ONLY).await.unwrap_err();
    assert!(matches!(error, GatewayError::NotCached { .. }), "{error}");
    let error = gateway.verifier().verify(&one(&request), &NoProgress).await.unwrap_err();
    assert!(matches!(error, GatewayError::NotCached { .. }), "and then it is not there: {error}");
}

#[tokio::test]
async fn what_is_said_not_to_exist_is_compared_too() {
    let (host, script, gateway) = warmed(1).await;
    let request = Request::UserByName("late".into());
    value(&gateway, &request, CachePolicy::default()).await.unwrap_err();
    let right = verify(&gateway, &one(&request)).await;
    assert_eq!((right.checked, right.wrong.len()), (1, 0));
    script.users.lock().unwrap().push(json!({"UserId": id(1, 9), "UserName": "late"}));
    let verified = verify(&gateway, &one(&request)).await;
    assert_eq!((verified.wrong[0].flaw, verified.wrong[0].repair), (Flaw::Exists, Repair::Replaced));
    let found = value(&host.gateway(&script), &request, CachePolicy::CACHE_ONLY).await.unwrap();
    assert_eq!(found, json!({"UserId": id(1, 9)}));
}

#[tokio::test]
async fn without_the_right_to_fill_a_wrong_entry_is_only_removed() {
    let (host, script, gateway) = warmed(3).await;
    script.users.lock().unwrap()[1]["UserName"] = json!("renamed");
    let request = Request::User(id(1, 1));
    let verified = verify(&gateway, &VerifySelection { refill: false, ..one(&request) }).await;
    assert_eq!(verified.wrong[0].repair, Repair::Removed);
    value(&host.gateway(&script), &request, CachePolicy::CACHE_ONLY).await.unwrap_err();
}

#[tokio::test]
async fn entries_removed_by_a_change_meanwhile_are_neither_wrong_nor_restored() {
    let (host, script, gateway) = warmed(3).await;
    let store = host.store.clone();
    script.users.lock().unwrap()[1]["UserName"] = json!("renamed");
    script.rule(move |_| {
        store.remove(&[Select::Glob { space: None, pattern: "user:*".into() }], None, 0).unwrap();
        None
    });
    let request = Request::User(id(1, 1));
    let verified = verify(&gateway, &one(&request)).await;
    assert_eq!((verified.checked, verified.wrong.len(), verified.skipped.values().sum::<u64>()), (0, 0, 1));
    script.relent();
    value(&host.gateway(&script), &request, CachePolicy::CACHE_ONLY).await.unwrap_err();
}

#[tokio::test]
async fn an_entry_renewed_during_verification_is_not_judged_by_older_answers() {
    let (host, script, gateway) = warmed(3).await;
    let request = Request::User(id(1, 1));
    let space = gateway.remembered().unwrap().text();
    let cache = gateway.cache().clone();
    let (clock, key) = (host.clock.clone(), request.key());
    script.rule(move |_| {
        clock.advance(MINUTE);
        let renewed =
            Fresh { key: key.clone(), payload: b"{\"UserId\":\"newer\"}".to_vec(), source: "another process" };
        cache.fill(&space, &[renewed], cache.ticket().unwrap()).unwrap();
        None
    });
    let verified = verify(&gateway, &one(&request)).await;
    assert_eq!((verified.checked, verified.wrong.len(), verified.skipped.len()), (0, 0, 1));
    let kept = value(&host.gateway(&script), &request, CachePolicy::CACHE_ONLY).await.unwrap();
    assert_eq!(kept["UserId"], "newer");
}

#[tokio::test]
async fn an_entry_that_aws_cannot_confirm_is_named_and_others_are_compared() {
    let (_host, script, gateway) = warmed(3).await;
    let user = id(1, 1);
    let refused = user.clone();
    script.rule(move |words| (words == format!("User(\"{refused}\")")).then(denied));
    let wanted = VerifySelection { which: EntrySelection::Glob("user:describe:*".into()), ..all() };
    let verified = verify(&gateway, &wanted).await;
    assert_eq!((verified.checked, verified.failed.len()), (2, 1));
    assert_eq!(verified.failed[0].target, format!("user:describe:{user}"));
    assert!(verified.ended.is_none());
    script.rule(|_| Some(unreachable()));
    assert_eq!(verify(&gateway, &wanted).await.failed.len(), 3);
    script.rule(|_| Some(expired()));
    let ended = verify(&gateway, &wanted).await;
    assert!(matches!(ended.ended, Some(GatewayError::LoginExpired { .. })));
    assert_eq!((ended.checked, ended.failed.len()), (0, 0));
}

#[tokio::test]
async fn what_answers_nobody_is_left_out_with_the_reason() {
    let (host, script, gateway) = warmed(3).await;
    let space = gateway.remembered().unwrap().text();
    let own = Fresh {
        key: awsideman::cache::Key::new(Resource::Custom, "mine", "1"),
        payload: b"1".to_vec(),
        source: "a library user",
    };
    let cache = gateway.cache();
    cache.fill(&space, &[own], cache.ticket().unwrap()).unwrap();
    let verified = verify(&gateway, &VerifySelection { sample: Some(4), ..all() }).await;
    // Beside the library's own, what a warm remembers of itself.
    assert_eq!(verified.checked, 4);
    assert!(verified.skipped["not an answer of AWS"] >= 1);
    host.clock.advance(10 * MINUTE);
    script.calls();
    let later = verify(&host.gateway(&script), &all()).await;
    assert_eq!((later.checked, script.calls().len()), (0, 0), "nothing is asked about what has expired");
    assert!(later.skipped["expired"] > 10);
}

#[tokio::test]
async fn entries_of_another_space_are_not_touched() {
    let (host, script, gateway) = warmed(3).await;
    let other = Arc::new(Script::of("d-2", 2));
    warm(&host.gateway_of(&other, "theirs", super::settings())).await;
    other.calls();
    script.users.lock().unwrap().clear();
    assert!(!verify(&gateway, &all()).await.wrong.is_empty());
    assert_eq!(other.calls().len(), 0);
    let pair = Request::Assignments { account: ACCOUNTS[0].into(), permission_set: SETS[0].into() };
    value(&host.gateway_of(&other, "theirs", super::settings()), &pair, CachePolicy::CACHE_ONLY).await.unwrap();
    let users =
        value(&host.gateway_of(&other, "theirs", super::settings()), &Request::Users, CachePolicy::CACHE_ONLY).await;
    assert_eq!(users.unwrap().as_array().unwrap().len(), 2);
}
