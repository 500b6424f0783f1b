//! Walks that changes overtake: what is read again, what is stored all the same, and what never is.

use super::reads::users;
use super::script::{Script, id};
use super::{Host, MINUTE};
use awsideman::cache::{ChangeEvent, Dirt, Operation, dirty};
use awsideman::clock::UnixMillis;
use awsideman::gateway::{CachePolicy, Request};
use awsideman::model::Resource;
use awsideman::store::{Select, Store};
use serde_json::{Value, json};
use std::sync::Arc;

fn selections(space: &str, event: &ChangeEvent) -> Vec<Select> {
    dirty(event).iter().map(|dirt: &Dirt| dirt.select(Some(space))).collect()
}

/// Tells the store of a change at the moment in which the last page of users is asked for.
async fn overtaken(
    change: impl Fn(&Script) + Send + Sync + 'static,
    event: ChangeEvent,
    fence_until: Option<UnixMillis>,
) -> (Host, Arc<Script>) {
    let (host, script) = (Host::new(), Arc::new(Script::new(300)));
    let space = host.gateway(&script).space(&CachePolicy::default()).await.unwrap().text();
    let (store, now, inner) = (host.store.clone(), host.clock_now(), script.clone());
    script.rule(move |words| {
        if words == "Users 3" {
            change(&inner);
            store.remove(&selections(&space, &event), fence_until, now).unwrap();
        }
        None
    });
    (host, script)
}

fn rename(script: &Script) {
    script.users.lock().unwrap()[7]["DisplayName"] = json!("new");
}

fn updated() -> ChangeEvent {
    ChangeEvent::new(Resource::User, Operation::Update, &id(1, 7)).not_renamed()
}

async fn cached(host: &Host, script: &Arc<Script>) -> Option<Value> {
    let gateway = host.gateway(script);
    gateway.space(&CachePolicy::default()).await.unwrap();
    gateway.reader().cached_value(&Request::Users, &CachePolicy::default()).unwrap()
}

#[tokio::test]
async fn what_a_change_named_is_read_again_and_the_walk_is_stored() {
    let (host, script) = overtaken(rename, updated(), None).await;
    assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 300);
    script.relent();
    let calls = script.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("User(")).count(), 1, "{calls:?}");
    let list = cached(&host, &script).await.expect("stored");
    let names: Vec<&Value> = list.as_array().unwrap().iter().filter(|u| u["DisplayName"] == "new").collect();
    assert_eq!((list.as_array().unwrap().len(), names.len()), (300, 1));
    assert_eq!(names[0]["UserId"], id(1, 7));
}

#[tokio::test]
async fn who_was_deleted_meanwhile_is_taken_out() {
    // Once on the page that is being asked for; the pages before it were given.
    let gone = |script: &Script| drop(script.users.lock().unwrap().remove(250));
    let event = ChangeEvent::new(Resource::User, Operation::Delete, &id(1, 250));
    let event = event.was_named("user250").was_in_groups(Vec::new());
    let (host, script) = overtaken(gone, event, None).await;
    users(&host.gateway(&script), CachePolicy::default()).await;
    script.relent();
    let list = cached(&host, &script).await.expect("stored");
    assert_eq!(list.as_array().unwrap().iter().filter(|user| user["UserId"] == id(1, 250)).count(), 0);
    assert_eq!(list.as_array().unwrap().len(), 299);
}

#[tokio::test]
async fn a_patched_walk_is_as_old_as_its_oldest_part() {
    let (host, script) = overtaken(rename, updated(), None).await;
    let (clock, store) = (host.clock.clone(), host.store.clone());
    let space = host.gateway(&script).space(&CachePolicy::default()).await.unwrap().text();
    let inner = script.clone();
    script.rule(move |words| {
        if words == "Users 3" {
            rename(&inner);
            clock.advance(5 * MINUTE);
            let now = awsideman::clock::Clock::now(clock.as_ref());
            store.remove(&selections(&space, &updated()), None, now).unwrap();
        }
        None
    });
    users(&host.gateway(&script), CachePolicy::default()).await;
    script.relent();
    assert!(cached(&host, &script).await.is_some());
    host.clock.advance(5 * MINUTE);
    assert_eq!(cached(&host, &script).await, None, "ten minutes after the walk began");
}

#[tokio::test]
async fn a_change_that_names_nobody_or_still_stands_leaves_the_walk_unstored() {
    let (host, script) = overtaken(rename, ChangeEvent::unborn(Resource::User).named("x"), None).await;
    assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 300);
    script.relent();
    assert_eq!(cached(&host, &script).await, None, "a creation");

    let until = Host::new().clock_now() + 10_000;
    let (host, script) = overtaken(rename, updated(), Some(until)).await;
    assert_eq!(users(&host.gateway(&script), CachePolicy::default()).await, 300);
    script.relent();
    assert_eq!(cached(&host, &script).await, None, "a fence");
}
