//! The exit code of each AWS error, row by row of the table in the code.

use super::credential_services::Server;
use crate::home::Home;
use crate::world::{Ran, World};
use awsideman::aws::{CODES, ErrorClass};
use awsideman::sandbox::Rule;

#[test]
fn each_aws_error_code_ends_with_its_documented_exit_code() {
    let home = &Home::new();
    let coded =
        CODES.iter().map(|(code, class)| (400, format!("{{\"__type\": \"{code}\", \"message\": \"m\"}}"), *class));
    let bare = [429, 500, 503, 403, 404, 400].map(|status| (status, String::new(), ErrorClass::of(None, status)));
    let unknown = [
        (400, "{\"__type\": \"ChildNotFoundException\"}".to_owned(), ErrorClass::NotFound),
        (400, "{\"__type\": \"SomethingNewException\"}".to_owned(), ErrorClass::Refused),
        (502, "{\"__type\": \"SomethingNewException\"}".to_owned(), ErrorClass::Unavailable),
    ];
    let rows: Vec<_> = coded.chain(bare).chain(unknown).collect();
    std::thread::scope(|scope| {
        for part in rows.chunks(rows.len() / 4 + 1) {
            scope.spawn(move || {
                for (status, body, class) in part {
                    let server = Server::answering(*status, body.clone().leak());
                    let mut command = home.command("user list");
                    command.env("AWS_ENDPOINT_URL", format!("http://{}", server.host)).env("AWS_REGION", "us-east-1");
                    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
                    let output = command.env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1").output().unwrap();
                    Ran::of(format!("user list, answered HTTP {status} {body}"), &output)
                        .code(class.exit_code().into());
                }
            });
        }
    });
}

#[test]
fn a_change_that_aws_reports_failed_is_1_with_its_reason() {
    let world = World::small();
    let first = |words: [&str; 3], field: &str| world.run(words).ok().json()[0][field].as_str().unwrap().to_owned();
    let group = first(["group", "list", "--json"], "DisplayName");
    let account = first(["account", "list", "--json"], "Id");
    let set = first(["permission-set", "list", "--json"], "Name");
    world.faults(|faults| faults.fail_async = vec![Rule::of("CreateAccountAssignment")]);
    let ran = world.run(["assignment", "assign", &set, &format!("group:{group}"), &account]);
    ran.code(1).stderr_has("AWS could not change").stderr_has("request id");
}

#[test]
fn a_taken_name_is_exit_1_and_a_missing_one_exit_5() {
    let world = World::small();
    world.run(["group", "create", "--name", "ops"]).ok();
    let user = world.run(["user", "list", "--json"]).ok().json()[0]["UserName"].as_str().unwrap().to_owned();
    let again = ["user", "create", "--username", &user, "--first-name", "a", "--last-name", "b"];
    world.run(again).code(1).stderr_has("conflicts");
    world.run(["group", "get", "no-such-group"]).code(5);
    world.run(["group", "delete", "no-such-group", "--yes"]).code(5);
}
