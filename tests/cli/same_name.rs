//! A text that is the id of one object and the name of another is ambiguous: in reads, writes and filters.

use crate::world::World;
use serde_json::{Value, json};

/// Names an object like the id of another one, past the product.
fn rename(world: &World, operation: &str, mut body: Value, path: &str, name: &str) {
    body["Operations"] = json!([{"AttributePath": path, "AttributeValue": name}]);
    world.ask(operation, &body);
}

fn two(world: &World, words: [&str; 3]) -> (Value, Value) {
    let all = world.run(words).ok().json();
    (all[0].clone(), all[1].clone())
}

#[test]
fn an_id_that_is_also_a_name_is_exit_2_with_both() {
    let world = World::small();
    let (alice, bob) = two(&world, ["user", "list", "--json"]);
    let (ops, dev) = two(&world, ["group", "list", "--json"]);
    let account = world.run(["account", "list", "--json"]).ok().json()[0]["Id"].as_str().unwrap().to_owned();
    let set = world.run(["ps", "list", "--json"]).ok().json()[0].clone();
    let (store, text) =
        (alice["IdentityStoreId"].clone(), |of: &Value, field: &str| of[field].as_str().unwrap().to_owned());
    let (user, other_user) = (text(&alice, "UserId"), text(&bob, "UserId"));
    let (group, other_group) = (text(&ops, "GroupId"), text(&dev, "GroupId"));
    let (set_name, arn) = (text(&set, "Name"), text(&set, "PermissionSetArn"));
    let set_id = arn.rsplit('/').next().unwrap();
    rename(
        &world,
        "AWSIdentityStore.UpdateUser",
        json!({"IdentityStoreId": store, "UserId": other_user}),
        "userName",
        &user,
    );
    let body = json!({"IdentityStoreId": store, "GroupId": other_group});
    rename(&world, "AWSIdentityStore.UpdateGroup", body, "displayName", &group);
    world.run(["ps", "create", "--name", set_id]).ok();
    world.run(["cache", "clear", "--all", "--yes"]).ok();

    let user_arn = format!("arn:aws:identitystore:::user/{user}");
    let group_arn = format!("arn:aws:identitystore:::group/{group}");
    let rows: [(Vec<&str>, [&str; 2]); 12] = [
        (vec!["user", "get", &user], [&user_arn, &other_user]),
        (vec!["user", "groups", &user], [&user_arn, &other_user]),
        (vec!["user", "delete", &user, "--yes", "--leave-assignments"], [&user_arn, &other_user]),
        (vec!["user", "update", &user, "--first-name", "X"], [&user_arn, &other_user]),
        (vec!["group", "get", &group], [&group_arn, &other_group]),
        (vec!["group", "members", &group], [&group_arn, &other_group]),
        (vec!["group", "delete", &group, "--yes", "--leave-assignments"], [&group_arn, &other_group]),
        (vec!["group", "add-member", &group, &other_user], [&group_arn, &other_group]),
        (vec!["assignment", "list", "--principal", &user], [&user_arn, &other_user]),
        (vec!["assignment", "assign", &set_name, &user, &account], [&user_arn, &other_user]),
        (vec!["ps", "get", set_id], [&arn, set_id]),
        (vec!["ps", "delete", set_id, "--yes"], [&arn, set_id]),
    ];
    let before = world.sandbox().counts();
    for warm in [false, true] {
        if warm {
            for words in [["user", "list"], ["group", "list"], ["ps", "list"]] {
                world.run(words).ok();
            }
        }
        for (words, both) in &rows {
            let ran = world.run(words.iter().copied()).code(2).stderr_has("is ambiguous");
            both.iter().fold(ran, |ran, one| ran.stderr_has(one));
        }
    }
    assert_eq!(world.sandbox().counts(), before);
    // The ARN means the id, and the other object has an id of its own.
    assert_eq!(world.run(["user", "get", &user_arn, "--json"]).ok().json()["UserId"], alice["UserId"]);
    assert_eq!(world.run(["group", "get", &other_group, "--json"]).ok().json()["DisplayName"], *group);
    world.run(["user", "update", &user_arn, "--first-name", "X"]).ok().stdout_has("done ");
}

#[test]
fn a_name_that_looks_like_an_unused_id_is_a_name() {
    let world = World::small();
    let id = "12345678-90ab-4def-8234-567890abcdef";
    world.run(["user", "create", "--username", id, "--first-name", "A", "--last-name", "B"]).ok();
    assert_eq!(world.run(["user", "get", id, "--json"]).ok().json()["UserName"], id);
    world.run(["user", "update", id, "--first-name", "C"]).ok().stdout_has("done ");
    world.run(["user", "delete", id, "--yes"]).ok().stdout_has("done ");
}
