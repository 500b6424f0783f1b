//! Changes are conditional: a change applies to the state that was confirmed or read, or not at all.

use crate::tty::Tty;
use crate::world::World;
use awsideman::sandbox::Rule;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const VIEW: &str = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess";

type Edit<'a> = Box<dyn Fn() + 'a>;

fn first(world: &World, words: [&str; 3]) -> Value {
    world.run(words).ok().json()[0].clone()
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap().to_owned()
}

/// Changes one attribute of a user or group past the product.
fn edit(world: &World, object: &Value, path: &str, value: &str) {
    let operations = json!([{"AttributePath": path, "AttributeValue": value}]);
    let store = &object["IdentityStoreId"];
    if object["UserId"].is_string() {
        let body = json!({"IdentityStoreId": store, "UserId": object["UserId"], "Operations": operations});
        world.ask("AWSIdentityStore.UpdateUser", &body);
    } else {
        let body = json!({"IdentityStoreId": store, "GroupId": object["GroupId"], "Operations": operations});
        world.ask("AWSIdentityStore.UpdateGroup", &body);
    }
}

/// A small organization: a user, a group with that user, and a permission set without assignments.
fn world() -> (World, Value, Value) {
    let mut world = World::small();
    world.set("TERM", "xterm");
    world.run(["ps", "create", "--name", "Audit", "--managed-policy", VIEW]).ok();
    world.run(["user", "create", "--username", "ada", "--first-name", "Ada", "--last-name", "King"]).ok();
    world.run(["group", "create", "--name", "Ops"]).ok();
    world.run(["group", "add-member", "Ops", "ada"]).ok();
    let user = world.run(["user", "get", "ada", "--json"]).ok().json();
    let group = world.run(["group", "get", "Ops", "--json"]).ok().json();
    (world, user, group)
}

fn counts(world: &World) -> (usize, usize, usize, usize) {
    let counts = world.sandbox().counts();
    (counts.users, counts.groups, counts.memberships, counts.assignments)
}

#[test]
fn an_object_changed_during_the_question_is_kept_and_the_difference_named() {
    let (world, user, group) = world();
    let account = text(&first(&world, ["account", "list", "--json"]), "Id");
    let set = text(&world.run(["ps", "get", "Audit", "--json"]).ok().json(), "PermissionSetArn");
    let instance = text(&first(&world, ["instance", "list", "--json"]), "InstanceArn");
    world.run(["assignment", "assign", "Audit", "group:Ops", &account]).ok();
    let revoke = format!("assignment revoke Audit group:Ops {account}");
    let attach = || {
        let body = json!({
            "InstanceArn": instance, "PermissionSetArn": set, "ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        });
        world.ask("SWBExternalService.AttachManagedPolicyToPermissionSet", &body);
    };
    let put = || {
        let body = json!({"InstanceArn": instance, "PermissionSetArn": set, "InlinePolicy": "{\"Statement\":[]}"});
        world.ask("SWBExternalService.PutInlinePolicyToPermissionSet", &body);
    };
    let user_renamed = |to: &'static str| {
        let (world, user) = (&world, user.clone());
        move || edit(world, &user, "userName", to)
    };
    let group_renamed = |to: &'static str| {
        let (world, group) = (&world, group.clone());
        move || edit(world, &group, "displayName", to)
    };
    let rows: [(&str, Edit<'_>, &str); 7] = [
        ("user delete ada --leave-assignments", Box::new(user_renamed("eva")), "UserName was `ada` and is now `eva`"),
        ("user delete eva", Box::new(|| edit(&world, &user, "title", "CTO")), "Title was absent and is now `CTO`"),
        ("group remove-member Ops eva", Box::new(user_renamed("ada")), "UserName was `eva` and is now `ada`"),
        (&revoke, Box::new(group_renamed("Dev")), "DisplayName was `Ops` and is now `Dev`"),
        ("group delete Dev --leave-assignments", Box::new(group_renamed("Ops")), "is now `Ops`"),
        (
            "permission-set delete Audit",
            Box::new(attach),
            "1 more managed policy: arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        ("permission-set delete Audit", Box::new(put), "InlinePolicy was"),
    ];
    let before = counts(&world);
    for (words, edit, difference) in rows {
        let mut tty = Tty::start(&world, 200, words);
        tty.shows(|rows| rows.iter().any(|row| row.contains("? [y/N]")));
        edit();
        tty.types("y\n");
        let (code, rows, _) = tty.ended();
        let has = |part: &str| rows.iter().any(|row| row.contains(part));
        assert!(code == Some(1) && has("in the meantime") && has(difference), "{words}: {code:?} {rows:#?}");
        assert_eq!(counts(&world), before, "{words}");
    }
    let found = world.run(["journal", "list", "--json"]).ok().json();
    assert!(!found.to_string().contains("Delete"), "nothing was asked of AWS: {found}");
}

#[test]
fn an_edit_between_read_and_write_is_refused_by_revision() {
    let (world, user, group) = world();
    let rows: [(&[&str], &str, &Value, &str, &str); 4] = [
        (&["user", "update", "ada", "--first-name", "Augusta"], "UpdateUser", &user, "title", "Title was absent"),
        (&["user", "delete", "ada", "--yes"], "DeleteUser", &user, "userName", "UserName was `ada` and is now `x0`"),
        (&["group", "update", "Ops", "--description", "d"], "UpdateGroup", &group, "displayName", "is now `x0`"),
        (&["group", "delete", "x0", "--yes"], "DeleteGroup", &group, "description", "Description was absent"),
    ];
    for (words, operation, object, path, difference) in rows {
        let shown = words.join(" ");
        world.faults(|faults| faults.hold = vec![Rule::nth(1, operation)]);
        std::thread::scope(|scope| {
            let ran = scope.spawn(|| world.run(words.iter().copied().chain(["--json"])));
            assert!(world.wait_for_held(1, PATIENCE), "{shown}");
            edit(&world, object, path, "x0");
            world.release();
            let ran = ran.join().unwrap().code(1).stderr_has(difference).stderr_has("in the meantime");
            let journal = world.run(["journal", "list", "--limit", "1", "--json"]).ok().json()["entries"][0].clone();
            assert!(journal["outcome"].as_str().unwrap().starts_with("failed: "), "{journal}");
            assert!(journal["request"]["Revision"].as_str().unwrap().bytes().all(|b| b.is_ascii_digit()), "{journal}");
            ran.stderr_has(&format!("journal {}", journal["id"]));
        });
    }
    let user = world.run(["user", "get", "x0", "--json", "--refresh"]).ok().json();
    assert_eq!((&user["Name"]["GivenName"], &user["Title"]), (&json!("Ada"), &json!("x0")));
    let group = world.run(["group", "get", "x0", "--json", "--refresh"]).ok().json();
    assert_eq!(group["Description"], "x0");
}

#[test]
fn a_failed_second_step_names_both_steps_with_their_journal_numbers() {
    let (world, ..) = world();
    let account = text(&first(&world, ["account", "list", "--json"]), "Id");
    world.run(["assignment", "assign", "Audit", "ada", &account]).ok();
    world.faults(|faults| faults.fail_async = vec![Rule::of("ProvisionPermissionSet")]);
    let policy = "arn:aws:iam::aws:policy/SecurityAudit";
    let ran = world.run(["ps", "attach", "Audit", policy, "--provision"]).code(3);
    let newest = world.run(["journal", "list", "--limit", "2", "--json"]).ok().json()["entries"].clone();
    let (provision, attach) = (&newest[0], &newest[1]);
    assert_eq!(attach["operation"], "SWBExternalService.AttachManagedPolicyToPermissionSet");
    let ran = ran.shows(&format!("done attach {policy} ... (journal {})", attach["id"]));
    let ran = ran.shows(&format!("failed provision ... journal {})", provision["id"]));
    assert!(ran.stderr.contains(&format!("done: attach {policy}")), "{ran:?}");
    assert!(ran.stderr.contains("An unexpected internal service exception"), "{ran:?}");
    assert!(!ran.stderr.contains("nothing was changed"), "{ran:?}");
    let document = world.run(["ps", "detach", "Audit", policy, "--provision", "--yes", "--json"]).code(3).json();
    let (detach, provision) = (&document["results"][0], &document["results"][1]);
    assert_eq!((&detach["outcome"], &provision["outcome"]), (&json!("done"), &json!("failed")));
    assert!(detach["journal"].is_i64() && provision["journal"].is_i64(), "{document}");
}
