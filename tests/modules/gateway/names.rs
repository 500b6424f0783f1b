//! What a person types: ids, ARNs, names and addresses, and what a list makes free.

use super::script::{ACCOUNTS, SETS, Script, group, id};
use super::{Host, MINUTE};
use awsideman::gateway::{CachePolicy, GatewayError, PrincipalKind, Request};
use awsideman::progress::NoProgress;
use serde_json::Value;
use std::sync::Arc;

const P: CachePolicy = CachePolicy { read: true, fill: true, live: true, max_age: None };

#[tokio::test]
async fn a_list_answers_for_each_of_its_things() {
    let (host, script) = (Host::new(), Arc::new(Script::new(250)));
    for request in [Request::Users, Request::Groups, Request::Accounts, Request::PermissionSets] {
        host.gateway(&script).reader().value(&request, &P, &NoProgress).await.unwrap();
    }
    script.calls();
    let gateway = host.gateway(&script);
    for n in [0, 120, 249] {
        assert_eq!(gateway.resolver().user_id(&format!("user{n}"), &P, &NoProgress).await.unwrap(), id(1, n));
        assert_eq!(gateway.resolver().user_id(&format!("U{n}@EXAMPLE.com"), &P, &NoProgress).await.unwrap(), id(1, n));
        let user = gateway.reader().value(&Request::User(id(1, n)), &P, &NoProgress).await.unwrap();
        assert_eq!(user["UserName"], format!("user{n}"));
    }
    assert_eq!(gateway.resolver().group_id("Staff", &P, &NoProgress).await.unwrap(), id(2, 1));
    assert_eq!(
        gateway.reader().value(&Request::Group(id(2, 1)), &P, &NoProgress).await.unwrap()["DisplayName"],
        "Staff"
    );
    assert_eq!(
        gateway.reader().value(&Request::Account(ACCOUNTS[1].into()), &P, &NoProgress).await.unwrap()["Name"],
        "account 2"
    );
    assert_eq!(
        gateway.reader().value(&Request::PermissionSet(SETS[1].into()), &P, &NoProgress).await.unwrap()["Name"],
        "b"
    );
    for text in
        [ACCOUNTS[1], "account 2", "222222222222@example.com", "arn:aws:organizations::1:account/o-1/222222222222"]
    {
        assert_eq!(gateway.resolver().account_id(text, &P, &NoProgress).await.unwrap(), ACCOUNTS[1], "{text}");
    }
    for text in [SETS[1], "b", "ps-b"] {
        assert_eq!(gateway.resolver().permission_set_arn(text, &P, &NoProgress).await.unwrap(), SETS[1], "{text}");
    }
    assert_eq!(script.calls(), [""; 0]);
}

#[tokio::test]
async fn arns_are_taken_as_given_and_ids_are_looked_up_once() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    let gateway = host.gateway(&script);
    let (user, group) = (id(1, 0), id(2, 0));
    let arn = format!("arn:aws:identitystore:::user/{user}");
    assert_eq!(gateway.resolver().user_id(&arn, &P, &NoProgress).await.unwrap(), user);
    assert_eq!(gateway.resolver().principal(&arn, &P, &NoProgress).await.unwrap().kind, PrincipalKind::User);
    let arn = format!("arn:aws:identitystore:::group/{group}");
    assert_eq!(gateway.resolver().group_id(&arn, &P, &NoProgress).await.unwrap(), group);
    assert_eq!(gateway.resolver().principal(&arn, &P, &NoProgress).await.unwrap().kind, PrincipalKind::Group);
    assert_eq!(script.calls(), [""; 0]);
    for _ in 0..2 {
        assert_eq!(gateway.resolver().user_id(&user, &P, &NoProgress).await.unwrap(), user);
        assert_eq!(gateway.resolver().group_id(&group, &P, &NoProgress).await.unwrap(), group);
    }
    let once = [format!("UserIdByName(\"{user}\")"), format!("GroupIdByName(\"{group}\")")];
    assert_eq!(script.calls()[1..], once);
}

#[tokio::test]
async fn an_address_without_the_list_costs_the_list_once() {
    let (host, script) = (Host::new(), Arc::new(Script::new(3)));
    for _ in 0..2 {
        assert_eq!(
            host.gateway(&script).resolver().user_id("u2@example.com", &P, &NoProgress).await.unwrap(),
            id(1, 2)
        );
    }
    assert_eq!(script.calls(), ["Instances 1", "UserIdByName(\"u2@example.com\")", "Users 1"]);
    assert_eq!(
        host.gateway(&script)
            .resolver()
            .user_id("u1@example.com", &CachePolicy::CACHE_ONLY, &NoProgress)
            .await
            .unwrap(),
        id(1, 1)
    );
    let error = host.gateway(&script).resolver().user_id("nobody@example.com", &P, &NoProgress).await.unwrap_err();
    assert!(matches!(error, GatewayError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_name_of_two_groups_is_never_one_of_them() {
    let (host, script) = (Host::new(), Arc::new(Script::new(1)));
    script.groups.lock().unwrap().push(group(7, "Staff"));
    host.gateway(&script).reader().value(&Request::Groups, &P, &NoProgress).await.unwrap();
    let error = host.gateway(&script).resolver().group_id("Staff", &P, &NoProgress).await.unwrap_err();
    let GatewayError::Ambiguous { choices, .. } = error else { panic!("{error}") };
    assert_eq!(choices, [format!("{} (number 1)", id(2, 1)), format!("{} (number 7)", id(2, 7))]);
    assert!(host.gateway(&script).resolver().principal("group:Staff", &P, &NoProgress).await.is_err());
}

#[tokio::test]
async fn a_name_of_a_user_and_a_group_asks_which_is_meant() {
    let (host, script) = (Host::new(), Arc::new(Script::new(2)));
    script.groups.lock().unwrap().push(group(7, "user1"));
    let gateway = host.gateway(&script);
    let error = gateway.resolver().principal("user1", &P, &NoProgress).await.unwrap_err();
    let GatewayError::Ambiguous { choices, .. } = error else { panic!("{error}") };
    assert!(choices[0].starts_with("user:user1 ") && choices[1].starts_with("group:user1 "), "{choices:?}");
    assert_eq!(gateway.resolver().principal("user:user1", &P, &NoProgress).await.unwrap().id, id(1, 1));
    assert_eq!(gateway.resolver().principal("group:user1", &P, &NoProgress).await.unwrap().id, id(2, 7));
    for text in [id(2, 0), "Admins".into()] {
        assert_eq!(
            gateway.resolver().principal(&text, &P, &NoProgress).await.unwrap().kind,
            PrincipalKind::Group,
            "{text}"
        );
    }
    let error = gateway.resolver().principal("nobody", &P, &NoProgress).await.unwrap_err();
    assert!(matches!(&error, GatewayError::NotFound { what } if what == "user or group `nobody`"), "{error}");
}

#[tokio::test]
async fn an_unknown_name_is_asked_once_in_its_time() {
    let (host, script) = (Host::new(), Arc::new(Script::new(2)));
    let gateway = host.gateway(&script);
    for _ in 0..3 {
        assert!(matches!(
            gateway.resolver().user_id("nobody", &P, &NoProgress).await,
            Err(GatewayError::NotFound { .. })
        ));
        assert!(matches!(
            gateway.resolver().group_id("none", &P, &NoProgress).await,
            Err(GatewayError::NotFound { .. })
        ));
    }
    assert_eq!(script.calls().len(), 3, "the instance and one call each");
    host.clock.advance(MINUTE / 2);
    script.groups.lock().unwrap().push(group(9, "none"));
    assert_eq!(gateway.resolver().group_id("none", &P, &NoProgress).await.unwrap(), id(2, 9));
}

#[tokio::test]
async fn many_principals_cost_their_list_and_few_a_call_each() {
    let (host, script) = (Host::new(), Arc::new(Script::new(250)));
    let some = |n: usize| (0..n).map(|n| (PrincipalKind::User, id(1, n))).collect();
    let gateway = host.gateway(&script);
    gateway.space(&P).await.unwrap();
    script.calls();
    assert_eq!(
        gateway.resolver().describe_principals(some(20), Value::clone, &P, &NoProgress).await.unwrap().found.len(),
        20
    );
    assert_eq!(script.calls().len(), 20);
    assert_eq!(
        gateway.resolver().describe_principals(some(41), Value::clone, &P, &NoProgress).await.unwrap().found.len(),
        41
    );
    assert_eq!(script.calls(), ["Users 1", "Users 2", "Users 3"]);
    let gone = [(PrincipalKind::Group, id(2, 0)), (PrincipalKind::Group, id(2, 99))].into();
    let known = gateway.resolver().describe_principals(gone, Value::clone, &P, &NoProgress).await.unwrap();
    assert_eq!((known.found.len(), known.gone), (1, [(PrincipalKind::Group, id(2, 99))].into()));
}
