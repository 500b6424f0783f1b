//! One read: hit, miss, expiry, policy, silence of AWS, and writes that overtake it.

use super::script::{Script, denied, expired, id, throttled, unreachable};
use super::{Host, MINUTE, Notices, settings};
use awsideman::cache::{Lookup, Miss, Provenance, ReadOptions};
use awsideman::gateway::{CachePolicy, Gateway, GatewayError, Looked, Request};
use awsideman::progress::NoProgress;
use awsideman::store::{Address, Select};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

async fn read(gateway: &Gateway, request: &Request, policy: CachePolicy) -> Result<(Provenance, Value), GatewayError> {
    let mut value = None;
    let provenance = gateway
        .reader()
        .read(request, &policy, &NoProgress, &mut |_, body| {
            assert!(value.is_none(), "shown twice");
            value = Some(serde_json::from_reader(body)?);
            Ok(())
        })
        .await?;
    Ok((provenance, value.unwrap()))
}

pub(crate) async fn users(gateway: &Gateway, policy: CachePolicy) -> usize {
    read(gateway, &Request::Users, policy).await.unwrap().1.as_array().unwrap().len()
}

#[tokio::test]
async fn three_hundred_users_are_three_calls_then_none_then_three() {
    let (host, script) = (Host::new(), Arc::new(Script::new(300)));
    assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 300);
    assert_eq!(script.calls(), ["Instances 1", "Users 1", "Users 2", "Users 3"]);
    host.clock.advance(Duration::from_millis(599_999));
    let (provenance, _) = read(&host.gateway(&script), &Request::Users, CachePolicy::default()).await.unwrap();
    assert!(provenance.cached && !provenance.stale);
    assert_eq!((provenance.age_ms, provenance.left_ms), (599_999, 1));
    assert_eq!(script.calls().len(), 0);
    host.clock.advance(Duration::from_millis(1));
    assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 300);
    assert_eq!(script.calls(), ["Users 1", "Users 2", "Users 3"]);
}

#[tokio::test]
async fn a_shortened_ttl_acts_at_once() {
    let (host, script) = (Host::new(), Arc::new(Script::new(300)));
    users(&host.gateway(&script), CachePolicy::default()).await;
    host.clock.advance(MINUTE);
    script.calls();
    let mut shorter = settings();
    shorter.ttls.by_operation.insert("user:list".into(), MINUTE);
    assert_eq!(users(&host.gateway_of(&script, "ours", shorter), CachePolicy::default()).await, 300);
    assert_eq!(script.calls().len(), 3);
}

#[tokio::test]
async fn a_policy_decides_who_reads_and_who_fills() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    users(&host.gateway(&script), CachePolicy::BYPASS).await;
    assert_eq!((script.calls().len(), host.store.size().unwrap().entries), (2, 0), "neither filled");
    users(&host.gateway(&script), CachePolicy::default()).await;
    script.calls();
    users(&host.gateway(&script), CachePolicy::BYPASS).await;
    assert_eq!(script.calls(), ["Instances 1", "Users 1"], "nor read");
    script.users.lock().unwrap().clear();
    assert_eq!(users(&host.gateway(&script), CachePolicy::REFRESH).await, 0);
    assert_eq!(users(&host.gateway(&script), CachePolicy::CACHE_ONLY).await, 0, "a refresh fills");
    script.calls();
    let error = read(&host.gateway(&script), &Request::Groups, CachePolicy::CACHE_ONLY).await.unwrap_err();
    assert!(matches!(error, GatewayError::NotCached { key } if key == "group:list:all"));
    let error = read(&Host::new().gateway(&script), &Request::Groups, CachePolicy::CACHE_ONLY).await.unwrap_err();
    assert!(matches!(error, GatewayError::NotCached { .. }));
    assert_eq!(script.calls().len(), 0, "cache-only never asks");
}

#[tokio::test]
async fn nothing_older_than_max_age_is_shown_even_when_aws_is_silent() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    users(&host.gateway(&script), CachePolicy::default()).await;
    host.clock.advance(2 * MINUTE);
    script.calls();
    let within = |most| CachePolicy { max_age: Some(most), ..CachePolicy::default() };
    users(&host.gateway(&script), within(2 * MINUTE)).await;
    assert_eq!(script.calls().len(), 0);
    script.rule(|_| Some(unreachable()));
    for elapsed in [Duration::ZERO, 10 * MINUTE] {
        host.clock.advance(elapsed);
        assert!(read(&host.gateway(&script), &Request::Users, within(MINUTE)).await.is_err());
    }
    script.relent();
    let (provenance, _) = read(&host.gateway(&script), &Request::Users, within(MINUTE)).await.unwrap();
    assert!(!provenance.cached);
}

#[tokio::test]
async fn an_expired_answer_stands_in_only_for_an_aws_that_cannot_answer() {
    for (error, stands_in) in [(unreachable as fn() -> _, true), (throttled, true), (expired, true), (denied, false)] {
        let (host, script) = (Host::new(), Arc::new(Script::new(2)));
        users(&host.gateway(&script), CachePolicy::default()).await;
        script.rule(move |_| Some(error()));
        host.clock.advance(69 * MINUTE);
        let (notices, mut shown) = (Notices::default(), Value::Null);
        let read = host.gateway(&script);
        let answer = read
            .reader()
            .read(&Request::Users, &CachePolicy::default(), &notices, &mut |_, body| {
                shown = serde_json::from_reader(body)?;
                Ok(())
            })
            .await;
        assert_eq!(answer.as_ref().is_ok_and(|provenance| provenance.stale), stands_in, "{answer:?}");
        assert_eq!(shown.as_array().map(Vec::len), stands_in.then_some(2));
        let notices = notices.0.into_inner().unwrap();
        assert_eq!(notices.len(), usize::from(stands_in));
        assert!(notices.iter().all(|text| text.contains("1h 9m")), "{notices:?}");
        host.clock.advance(MINUTE);
        let late = host.gateway(&script).reader().value(&Request::Users, &CachePolicy::default(), &NoProgress).await;
        assert!(late.is_err(), "past stale_if_error: {late:?}");
    }
}

#[tokio::test]
async fn an_instance_that_expired_while_aws_is_silent_hides_nothing() {
    let (host, script) = (Host::new(), Arc::new(Script::new(2)));
    users(&host.gateway(&script), CachePolicy::default()).await;
    host.clock.advance(1435 * MINUTE);
    users(&host.gateway(&script), CachePolicy::default()).await;
    host.clock.advance(6 * MINUTE);
    script.rule(|_| Some(expired()));
    assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 2);
    script.rule(|_| Some(denied()));
    assert!(read(&host.gateway(&script), &Request::Users, CachePolicy::default()).await.is_err());
}

#[tokio::test]
async fn what_was_removed_is_never_stale() {
    let (host, script) = (Host::new(), Arc::new(Script::new(2)));
    users(&host.gateway(&script), CachePolicy::default()).await;
    let all = Select::Glob { space: None, pattern: "user:*".into() };
    host.store.remove(&[all], None, host.clock_now()).unwrap();
    script.rule(|_| Some(unreachable()));
    assert!(read(&host.gateway(&script), &Request::Users, CachePolicy::default()).await.is_err());
}

#[tokio::test]
async fn an_absence_is_remembered_for_its_own_time_and_never_stale() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    let nobody = Request::User(id(1, 99));
    let ask = || async { read(&host.gateway(&script), &nobody, CachePolicy::default()).await.unwrap_err() };
    assert!(matches!(ask().await, GatewayError::NotFound { .. }));
    assert_eq!(script.calls().len(), 2);
    host.clock.advance(Duration::from_millis(29_999));
    assert!(matches!(ask().await, GatewayError::NotFound { .. }));
    assert_eq!(script.calls().len(), 0);
    host.clock.advance(Duration::from_millis(1));
    script.rule(|_| Some(unreachable()));
    assert!(matches!(ask().await, GatewayError::Unreachable { .. }), "an old absence proves nothing");
    script.relent();
    script.users.lock().unwrap().push(serde_json::json!({"UserId": id(1, 99)}));
    assert!(read(&host.gateway(&script), &nobody, CachePolicy::default()).await.is_ok());
}

#[tokio::test]
async fn a_fetch_that_a_removal_overtakes_is_shown_and_not_stored() {
    for selection in [Select::Glob { space: None, pattern: "user:*".into() }, Select::All] {
        let (host, script) = (Host::new(), Arc::new(Script::new(300)));
        host.gateway(&script).space(&CachePolicy::default()).await.unwrap();
        let (store, now) = (host.store.clone(), host.clock_now());
        script.rule(move |words| {
            if words == "Users 3" {
                store.remove(std::slice::from_ref(&selection), None, now).unwrap();
            }
            None
        });
        assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 300);
        script.relent();
        let gateway = host.gateway(&script);
        gateway.space(&CachePolicy::default()).await.unwrap();
        for request in [Request::Users, Request::User(id(1, 0)), Request::User(id(1, 299))] {
            let found = gateway.reader().cached_value(&request, &CachePolicy::default()).unwrap();
            assert_eq!(found, None, "{request:?}");
        }
    }
}

#[tokio::test]
async fn a_walk_that_breaks_off_is_an_error_and_stores_nothing_whole() {
    for error in [denied, unreachable] {
        let (host, script) = (Host::new(), Arc::new(Script::new(300)));
        script.rule(move |words| (words == "Users 3").then(error));
        assert!(read(&host.gateway(&script), &Request::Users, CachePolicy::default()).await.is_err());
        assert!(read(&host.gateway(&script), &Request::Users, CachePolicy::CACHE_ONLY).await.is_err());
        assert!(read(&host.gateway(&script), &Request::User(id(1, 5)), CachePolicy::CACHE_ONLY).await.is_ok());
    }
    let (host, script) = (Host::new(), Arc::new(Script::endless()));
    let error = read(&host.gateway(&script), &Request::Users, CachePolicy::default()).await.unwrap_err();
    assert!(matches!(error, GatewayError::BadAnswer { .. }), "{error}");
    assert!(script.calls().len() < 5);
    assert!(read(&host.gateway(&script), &Request::Users, CachePolicy::CACHE_ONLY).await.is_err());
}

#[tokio::test]
async fn two_organizations_over_one_store_never_answer_for_each_other() {
    let host = Host::new();
    let ours = Arc::new(Script::new(3));
    let theirs = Arc::new(Script::of("d-2", 5));
    for _ in 0..2 {
        assert_eq!(users(&host.gateway_of(&ours, "ours", settings()), CachePolicy::default()).await, 3);
        assert_eq!(users(&host.gateway_of(&theirs, "theirs", settings()), CachePolicy::default()).await, 5);
    }
    assert_eq!((ours.calls().len(), theirs.calls().len()), (2, 2), "each instance is remembered for its own keys");
    host.clock.advance(1440 * MINUTE);
    users(&host.gateway_of(&ours, "ours", settings()), CachePolicy::default()).await;
    assert_eq!(ours.calls(), ["Instances 1", "Users 1"]);
}

#[tokio::test]
async fn every_lookup_is_recorded_once() {
    let (host, script) = (Host::new(), Arc::new(Script::new(3)));
    let absent = Looked::Miss(Miss::Absent);
    users(&host.gateway(&script), CachePolicy::default()).await;
    assert_eq!(host.looked(), [absent], "space unknown at first");
    users(&host.gateway(&script), CachePolicy::default()).await;
    assert_eq!(host.looked(), [Looked::Hit]);
    read(&host.gateway(&script), &Request::Groups, CachePolicy::default()).await.unwrap();
    assert_eq!(host.looked(), [absent], "space known");
    host.clock.advance(10 * MINUTE);
    script.rule(|_| Some(unreachable()));
    users(&host.gateway(&script), CachePolicy::default()).await;
    assert_eq!(host.looked(), [Looked::Miss(Miss::Expired)], "stale is no hit");
    script.relent();
    users(&host.gateway(&script), CachePolicy::BYPASS).await;
    users(&host.gateway(&script), CachePolicy::REFRESH).await;
    assert_eq!(host.looked(), []);
    let gateway = host.gateway(&script);
    assert_eq!(gateway.resolver().cached_user_id("late", &CachePolicy::default()).unwrap(), None);
    script.users.lock().unwrap().push(serde_json::json!({"UserId": id(1, 7), "UserName": "late"}));
    gateway.resolver().user_id("late", &CachePolicy::default(), &NoProgress).await.unwrap();
    assert_eq!(host.looked(), [absent], "a name, first tried in the cache alone");
    host.clock.advance(10 * MINUTE);
    gateway.resolver().group_id("Admins", &CachePolicy::default(), &NoProgress).await.unwrap();
    assert_eq!(host.looked(), [absent]);
}

#[tokio::test]
async fn an_entry_of_another_version_is_a_miss_and_is_left_alone() {
    let (host, script) = (Host::new(), Arc::new(Script::new(3)));
    let gateway = host.gateway(&script);
    let space = gateway.space(&CachePolicy::default()).await.unwrap().text();
    users(&gateway, CachePolicy::default()).await;
    let key = Request::Users.key();
    let mut copied = None;
    host.store
        .view(Address { space: &space, key: key.as_str() }, &mut |meta, frames| {
            let mut frame = Vec::new();
            frames.read(0, &mut frame)?;
            copied = Some(awsideman::store::Fill { meta: meta.clone(), frames: vec![frame] });
            Ok(())
        })
        .unwrap();
    let mut other = copied.unwrap();
    other.meta.schema += 1;
    host.store.put(&[other], host.store.sequence().unwrap(), host.clock_now()).unwrap();
    let looked = host.cache(settings()).get(&space, &key, ReadOptions::default()).unwrap().0;
    assert!(matches!(looked, Lookup::Miss(Miss::OtherVersion, None)), "{looked:?}");
    assert!(host.store.view(Address { space: &space, key: key.as_str() }, &mut |_, _| Ok(())).unwrap(), "left alone");
}
