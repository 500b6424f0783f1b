//! `user delete` and `group delete` report the assignments, which AWS keeps.

use crate::tty::Tty;
use crate::world::{Ran, World};
use awsideman::sandbox::{Rule, Shape};
use serde_json::{Value, json};

const ACCOUNTS: u32 = 3;

/// `Audit` is assigned in two accounts to each of the user `ada` and the group `Ops`.
struct Stage {
    world: World,
    accounts: Vec<String>,
}

impl Stage {
    fn new() -> Stage {
        let shape = Shape { users: 5, groups: 2, accounts: ACCOUNTS, permission_sets: 2, ..Shape::default() };
        let mut world = World::of(&shape);
        world.set("TERM", "xterm").set("AWSIDEMAN_CACHE_SETTLE", "0");
        world.run(["ps", "create", "--name", "Audit"]).ok();
        let accounts = world.run(["account", "list", "--json"]).ok().json();
        let accounts = accounts.as_array().unwrap().iter().take(2);
        let stage = Stage { accounts: accounts.map(|one| one["Id"].as_str().unwrap().to_owned()).collect(), world };
        stage.principals();
        stage
    }

    /// Creates both principals with their assignments.
    fn principals(&self) {
        self.world.run(["user", "create", "--username", "ada", "--first-name", "A", "--last-name", "K"]).ok();
        self.world.run(["group", "create", "--name", "Ops"]).ok();
        self.world.run(["group", "add-member", "Ops", "ada"]).ok();
        for principal in ["user:ada", "group:Ops"] {
            let accounts = self.accounts.join(",");
            self.world.run(["assignment", "assign", "Audit", principal, "--accounts", &accounts]).ok();
        }
    }

    fn id(&self, words: [&str; 3], field: &str) -> String {
        self.world.run(words.into_iter().chain(["--json"])).ok().json()[field].as_str().unwrap().to_owned()
    }

    /// How many assignments of `Audit` AWS has for a principal that may be gone.
    fn assignments(&self, id: &str) -> usize {
        let all =
            self.world.run(["assignment", "list", "--permission-set", "Audit", "--refresh", "--json"]).ok().json();
        all.as_array().unwrap().iter().filter(|row| row["PrincipalId"] == *id).count()
    }
}

fn notices(ran: &Ran) -> String {
    ran.json()["notices"].to_string()
}

#[test]
fn without_confirmation_nothing_is_deleted_and_with_it_the_count_is_true() {
    let stage = Stage::new();
    let world = &stage.world;
    let rows = [
        (["user", "delete", "ada"], stage.id(["user", "get", "ada"], "UserId"), "USER"),
        (["group", "delete", "Ops"], stage.id(["group", "get", "Ops"], "GroupId"), "GROUP"),
    ];
    for (words, id, kind) in &rows {
        let with = |flags: &[&str]| world.run(words.iter().copied().chain(flags.iter().copied()));
        let before = world.sandbox().counts();
        for flags in [&["--yes"][..], &[]] {
            let ran = with(flags).code(2).stderr_has("has 2 assignments, which AWS would keep");
            ran.stderr_has("--revoke").stderr_has("--leave-assignments");
        }
        with(&["--revoke"]).code(2).stderr_has("not a terminal");
        with(&["--revoke", "--leave-assignments", "--yes"]).code(2);
        with(&["--dry-run"])
            .ok()
            .stdout_has("would ")
            .stderr_has("2 assignments would remain without a principal: pass");
        assert_eq!((world.sandbox().counts(), stage.assignments(id)), (before, 2), "{words:?}");

        let done = with(&["--leave-assignments", "--yes", "--json"]).ok();
        let result = done.json()["results"][0].clone();
        assert_eq!((&result["outcome"], &result["RemainingAssignments"]), (&json!("done"), &json!(2)), "{result}");
        assert!(result["journal"].is_i64(), "{result}");
        assert!(notices(&done).contains("2 assignments remain without a principal"), "{done:?}");
        assert_eq!(stage.assignments(id), 2, "AWS keeps them");

        // The command that the result names revokes them.
        let text = done.json()["notices"][0].as_str().unwrap().to_owned();
        let command = text.lines().find(|line| line.starts_with("awsideman assignment revoke Audit")).unwrap();
        assert!(command.contains(&**id) && command.contains(&format!("--principal-type {kind}")), "{command}");
        world.shell(&format!("{command} --yes")).ok().stdout_has("done      revoke");
        assert_eq!(stage.assignments(id), 0);
    }
    // Without assignments `--yes` is enough, and no message mentions them.
    world.run(["group", "create", "--name", "Empty"]).ok();
    let ran = world.run(["group", "delete", "Empty", "--yes", "--json"]).ok();
    assert_eq!((&ran.json()["results"][0]["RemainingAssignments"], notices(&ran)), (&json!(0), "[]".to_owned()));
}

#[test]
fn revoke_takes_the_assignments_first_and_a_failure_keeps_the_principal() {
    let stage = Stage::new();
    let world = &stage.world;
    let id = stage.id(["user", "get", "ada"], "UserId");
    world.faults(|faults| faults.fail_async = vec![Rule::first(1, "DeleteAccountAssignment")]);
    let ran = world.run(["user", "delete", "ada", "--revoke", "--yes"]).code(3);
    let ran = ran.shows("done: revoke `Audit` from user `ada` in account ...").stderr_has("failed: revoke `Audit`");
    ran.stderr_has("skipped: delete user `ada`");
    world.faults(|_| ());
    world.run(["user", "get", "ada", "--refresh"]).ok();
    assert_eq!(stage.assignments(&id), 1);

    let document = world.run(["user", "delete", "ada", "--revoke", "--yes", "--json"]).ok().json();
    let results = document["results"].as_array().unwrap();
    let operations: Vec<&str> = results.iter().map(|result| result["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["DeleteAccountAssignment", "DeleteUser"]);
    assert_eq!(results[1]["RemainingAssignments"], 0);
    assert_eq!(stage.assignments(&id), 0);
}

#[test]
fn a_terminal_asks_and_revokes_unless_the_answer_is_no() {
    let stage = Stage::new();
    let world = &stage.world;
    let user = stage.id(["user", "get", "ada"], "UserId");
    let group = stage.id(["group", "get", "Ops"], "GroupId");
    for (words, first, last, id, left) in [
        ("user delete ada", "\n", "make these 3 changes? [y/N]", &user, 0),
        ("group delete Ops", "n\n", "leaving 2 assignments without a principal? [y/N]", &group, 2),
    ] {
        let mut tty = Tty::start(world, 300, words);
        tty.shows(|rows| {
            rows.iter().any(|row| row.contains("2 assignments would stay behind as orphans; revoke them first? [Y/n]"))
        });
        tty.types(first);
        tty.shows(|rows| rows.iter().any(|row| row.contains(last)));
        tty.types("y\n");
        let (code, rows, _) = tty.ended();
        assert_eq!((code, stage.assignments(id)), (Some(0), left), "{words}: {rows:#?}");
    }
}

#[test]
fn assignments_of_a_deleted_principal_are_revoked_by_id_only() {
    let stage = Stage::new();
    let world = &stage.world;
    for (kind, name, get) in [("user", "ada", "UserId"), ("group", "Ops", "GroupId")] {
        let id = stage.id([kind, "get", name], get);
        world.run([kind, "delete", name, "--leave-assignments", "--yes"]).ok();
        let one = ["assignment", "revoke", "Audit", &id, &stage.accounts[0], "--yes"];
        world.run(one).ok().stdout_has("done      revoke").stderr_has("was deleted");
        world.run(["assignment", "revoke", "Audit", &id, "--all-accounts", "--yes"]).ok().stdout_has("done ");
        assert_eq!(stage.assignments(&id), 0);
        world.run(one).code(5).stderr_has("no user or group has the id");
    }
}

#[test]
fn a_login_that_may_not_list_assignments_is_told_so() {
    let stage = Stage::new();
    let world = &stage.world;
    let denied = "SWBExternalService.ListAccountAssignmentsForPrincipal";
    world.faults(|faults| faults.access_denied = vec![Rule { count: Some(100), ..Rule::of(denied) }]);
    world.run(["user", "delete", "ada", "--revoke", "--yes"]).code(4).stderr_has("cannot be listed with this login");
    // Unknown is not none: nothing is deleted without a decision.
    world.run(["user", "delete", "ada", "--yes"]).code(4).stderr_has("--leave-assignments");
    world.run(["user", "get", "ada", "--no-cache"]).ok();
    let document = world.run(["user", "delete", "ada", "--leave-assignments", "--yes", "--json"]).ok().json();
    assert_eq!(document["results"][0]["RemainingAssignments"], Value::Null);
    assert!(document["notices"][0].as_str().unwrap().starts_with("unknown whether assignments remain"), "{document}");
}
