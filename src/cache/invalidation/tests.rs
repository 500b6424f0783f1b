//! The table, row by row: what each change makes false, with and without a before-image.

use super::*;

fn dirt(event: &ChangeEvent) -> Vec<String> {
    dirty(event).iter().map(ToString::to_string).collect()
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

#[track_caller]
fn check(event: &ChangeEvent, expected: &[&str]) {
    let mut expected = texts(expected);
    expected.sort_unstable();
    let mut found = dirt(event);
    found.sort_unstable();
    assert_eq!(found, expected, "{event:?}");
}

const ARN: &str = "arn:aws:sso:::permissionSet/ssoins-1/ps-1";
const KEY: &str = "arn%3Aaws%3Asso%3A%3A%3ApermissionSet/ssoins-1/ps-1";

#[test]
fn users() {
    let created = ChangeEvent::unborn(Resource::User).named("al-1");
    check(&created, &["user:list:all", "user:by_name:[Aa][Ll]-1"]);
    check(&created.born("u"), &["user:list:all", "user:by_name:[Aa][Ll]-1", "user:describe:u"]);
    let updated = || ChangeEvent::new(Resource::User, Operation::Update, "u");
    check(&updated().not_renamed(), &["user:list:all", "user:describe:u"]);
    check(&updated(), &["user:list:all", "user:describe:u", "user:by_name:*"]);
    check(&updated().named("n"), &["user:list:all", "user:describe:u", "user:by_name:[Nn]", "user:by_name:*"]);
    check(
        &updated().named("n").was_named("o"),
        &["user:list:all", "user:describe:u", "user:by_name:[Nn]", "user:by_name:[Oo]"],
    );
    let deleted = || ChangeEvent::new(Resource::User, Operation::Delete, "u");
    check(
        &deleted(),
        &[
            "user:list:all",
            "user:describe:u",
            "user:groups:u",
            "user:by_name:*",
            "group:members:*",
            "assignment:by_principal:USER:u",
            "assignment:list:*:*",
        ],
    );
    let image = deleted().was_named("o").was_in_groups(texts(&["g"])).had_assignments(vec![("1".into(), ARN.into())]);
    let list = format!("assignment:list:1:{KEY}");
    let exact = [
        "user:list:all",
        "user:describe:u",
        "user:groups:u",
        "user:by_name:[Oo]",
        "group:members:g",
        "assignment:by_principal:USER:u",
        &list,
    ];
    check(&image, &exact);
    assert_eq!(dirt(&image.forget_image()).len(), 8, "the globs, and the name that is known");
}

#[test]
fn groups() {
    check(&ChangeEvent::unborn(Resource::Group).named("g:1"), &["group:list:all", "group:by_name:[Gg]%3A1"]);
    check(
        &ChangeEvent::new(Resource::Group, Operation::Update, "g").not_renamed(),
        &["group:list:all", "group:describe:g"],
    );
    let deleted = || ChangeEvent::new(Resource::Group, Operation::Delete, "g");
    let always = [
        "group:list:all",
        "group:describe:g",
        "group:members:g",
        "assignment:by_principal:GROUP:g",
        "assignment:by_principal:USER:*",
    ];
    let with = |more: &[&'static str]| [&always[..], more].concat();
    check(&deleted(), &with(&["group:by_name:*", "user:groups:*", "assignment:list:*:*"]));
    let image = deleted().was_named("O").had_members(texts(&["u", "v"])).had_assignments(Vec::new());
    check(&image, &with(&["group:by_name:[Oo]", "user:groups:u", "user:groups:v"]));
    for operation in [Operation::AddMember, Operation::RemoveMember] {
        let event = ChangeEvent::new(Resource::Group, operation, "g");
        check(&event.clone().with_member("u"), &["group:members:g", "user:groups:u", "assignment:by_principal:USER:u"]);
        check(&event, &["group:members:g", "user:groups:*", "assignment:by_principal:USER:*"]);
    }
}

#[test]
fn permission_sets() {
    let on = |operation| ChangeEvent::new(Resource::PermissionSet, operation, ARN);
    let key = |operation: &str| format!("permission_set:{operation}:{KEY}");
    check(&ChangeEvent::unborn(Resource::PermissionSet).named("n"), &["permission_set:list:all"]);
    check(&on(Operation::Update), &["permission_set:list:all", &key("describe")]);
    check(&on(Operation::SetPolicies), &[&key("policies")]);
    check(&on(Operation::Provision), &[&key("accounts"), "account:permission_sets:*"]);
    check(&on(Operation::Provision).in_account("1"), &[&key("accounts"), "account:permission_sets:1"]);
    let list = format!("assignment:list:*:{KEY}");
    let (describe, policies, accounts) = (key("describe"), key("policies"), key("accounts"));
    let always = [
        "permission_set:list:all",
        &describe,
        &policies,
        &accounts,
        &list,
        "assignment:by_principal:USER:*",
        "assignment:by_principal:GROUP:*",
    ];
    check(&on(Operation::Delete), &[&always[..], &["account:permission_sets:*"]].concat());
    let image = on(Operation::Delete).was_in_accounts(texts(&["1"]));
    check(&image, &[&always[..], &["account:permission_sets:1"]].concat());
}

#[test]
fn assignments() {
    for operation in [Operation::Assign, Operation::Revoke] {
        let event = ChangeEvent::new(Resource::Assignment, operation, ARN).in_account("1");
        let (list, accounts) = (format!("assignment:list:1:{KEY}"), format!("permission_set:accounts:{KEY}"));
        let always = [&*list, &accounts, "account:permission_sets:1"];
        let with = |more: &[&'static str]| [&always[..], more].concat();
        check(&event.clone().to_principal("USER", "u"), &with(&["assignment:by_principal:USER:u"]));
        check(
            &event.clone().to_principal("GROUP", "g"),
            &with(&["assignment:by_principal:GROUP:g", "assignment:by_principal:USER:*"]),
        );
        check(&event, &with(&["assignment:by_principal:USER:*", "assignment:by_principal:GROUP:*"]));
    }
}

#[test]
fn every_operation_dirties_something_wherever_it_can_happen_and_nothing_elsewhere_of_reads() {
    for operation in Operation::ALL {
        assert_eq!(Operation::parse(operation.as_str()), Some(operation));
        for resource in operation.resources() {
            assert!(!dirty(&ChangeEvent::new(*resource, operation, "x")).is_empty(), "{operation} {resource}");
        }
    }
    for word in ["attach", "put_inline", "DETACH"] {
        assert_eq!(Operation::parse(word), Some(Operation::SetPolicies));
    }
    assert_eq!(Operation::parse("destroy"), None);
    assert!(dirty(&ChangeEvent::new(Resource::Account, Operation::Update, "1")).is_empty());
}

#[test]
fn the_four_keys_of_the_troubleshooting_guide() {
    let dirt = dirty(&ChangeEvent::new(Resource::User, Operation::Update, "user-123"));
    let covered =
        |key: &str| dirt.iter().any(|dirt| dirt.select(Some("s")).covers(crate::store::Address { space: "s", key }));
    for (key, invalidated) in [
        ("user:list:all", true),
        ("user:describe:user-123", true),
        ("group:list:all", false),
        ("group:members:group-456", false),
    ] {
        assert_eq!(covered(key), invalidated, "{key}");
    }
}

#[test]
fn every_spelling_of_a_name_is_covered_and_no_other_name() {
    let covered = |name: &str, other: &str| {
        let dirt = dirty(&ChangeEvent::unborn(Resource::User).named(name));
        let key = Key::new(Resource::User, "by_name", other);
        dirt.iter().any(|dirt| dirt.select(Some("s")).covers(crate::store::Address { space: "s", key: key.as_str() }))
    };
    for (name, other) in [("alice", "ALICE"), ("Ünal", "ünal"), ("a:b*c d#%1f", "A:B*C D#%1F"), ("a-b]^c", "A-B]^C")]
    {
        assert!(covered(name, name) && covered(name, other), "{name} {other}");
    }
    for (name, other) in [("alice", "alic"), ("alice", "alicea"), ("a*", "ab"), ("a", "b"), ("a%3A", "a:")] {
        assert!(!covered(name, other), "{name} {other}");
    }
}
