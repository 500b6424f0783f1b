//! Regions, endpoints and texts of the AWS settings: errors before any request, and which namespace an
//! instance has.

use super::credential_services::{Request, Server};
use crate::home::Home;
use crate::world::{Ran, World};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];

/// Lists users with these variables on top of a region and keys.
fn ask(home: &Home, server: &Server, words: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = home.command(words);
    command.envs(KEYS).env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", format!("http://{}", server.host));
    command.envs(variables.iter().copied());
    Ran::of(format!("{words} with {variables:?}"), &command.output().unwrap())
}

#[test]
fn a_value_unfit_for_a_header_exits_2_and_names_its_variable() {
    let (home, server) = (Home::new(), Server::answering(500, ""));
    for (name, value, message) in [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\r", "AWS_ACCESS_KEY_ID contains a line end"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n", "AWS_ACCESS_KEY_ID contains a line end"),
        ("AWS_ACCESS_KEY_ID", "AKID\u{7}EXAMPLE", "AWS_ACCESS_KEY_ID contains a control character"),
        ("AWS_SECRET_ACCESS_KEY", "secret\r\n", "AWS_SECRET_ACCESS_KEY contains a line end"),
        ("AWS_SESSION_TOKEN", "token\n", "AWS_SESSION_TOKEN contains a line end"),
        ("AWS_REGION", "us-east-1\r", "AWS_REGION contains a line end"),
        ("AWS_EXECUTION_ENV", "lambda\nx: y", "AWS_EXECUTION_ENV contains a line end"),
        ("AWS_ENDPOINT_URL_SSO_ADMIN", "http://127.0.0.1:1\n", "AWS_ENDPOINT_URL_SSO_ADMIN contains a line end"),
    ] {
        for words in ["user list", "doctor"] {
            ask(&home, &server, words, &[(name, value)]).code(2).says(message);
        }
    }
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let credentials = "[p]\naws_access_key_id = AKID\u{1}\naws_secret_access_key = s\n";
    std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    let ran = ask(&home, &server, "user list --profile p", &[]).code(2);
    ran.stderr_has("`aws_access_key_id` of profile `p` contains a control character").stderr_has(".aws/credentials");
    let tool = r#"[profile tool]
credential_process = printf %s '{"Version": 1, "AccessKeyId": "AKID\r", "SecretAccessKey": "s"}'
"#;
    std::fs::write(home.path().join(".aws/config"), tool).unwrap();
    let url = format!("http://{}", server.host);
    let variables = [("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", url.as_str())];
    let ran = home.run_with("user list --profile tool", &variables).code(2);
    ran.stderr_has("the access key id from CredentialProcess contains a line end");
    assert_eq!(server.requests(), 0, "nothing was sent");
}

#[test]
fn an_impossible_region_is_exit_2_and_suggests_the_intended_one() {
    let (home, server) = (Home::new(), Server::answering(500, ""));
    let folder = home.folder(".aws");
    for (given, meant) in [("us-east1", "us-east-1"), ("US-EAST-1", "us-east-1"), ("us-east-1a", "us-east-1")] {
        std::fs::write(folder.join("config"), format!("[profile p]\nregion = {given}\n")).unwrap();
        let message = format!("unknown region `{given}`; did you mean `{meant}`?");
        ask(&home, &server, &format!("user list --region {given}"), &[]).code(2).stderr_has(&message);
        ask(&home, &server, "user list", &[("AWS_REGION", given)])
            .code(2)
            .stderr_has(&format!("{message} (from AWS_REGION)"));
        let unset = [("AWS_REGION", ""), ("AWS_PROFILE", "p")];
        ask(&home, &server, "user list", &unset).code(2).stderr_has(&format!("{message} (from profile `p`"));
    }
    assert_eq!(server.requests(), 0, "no host name is made of it");
    for right in ["ap-southeast-7", "eusc-de-east-1", "us-isof-south-1", "xx-new-12"] {
        ask(&home, &server, &format!("user list --region {right}"), &[("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1")]).code(13);
    }
    assert_eq!(server.requests(), 4);
}

#[test]
fn an_instance_in_another_region_is_searched_where_the_sso_login_is() {
    let home = Home::new();
    let empty = Server::answering(200, "{\"Instances\": []}");
    let config = "[profile corp]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n\
                  [sso-session corp]\nsso_start_url = https://c.example.com\nsso_region = us-east-2\n\
                  [profile old]\nregion = eu-west-1\nsso_start_url = https://c.example.com\nsso_region = us-east-2\n";
    std::fs::write(home.folder(".aws").join("config"), config).unwrap();
    for profile in ["corp", "old"] {
        let variables = [("AWS_PROFILE", profile), ("AWS_REGION", "")];
        for words in ["user list", "info"] {
            ask(&home, &empty, words, &variables).code(2).says("--region us-east-2");
        }
        ask(&home, &empty, "instance list", &variables).ok().stderr_has("--region us-east-2");
    }
    ask(&home, &empty, "user list", &[]).code(2).stderr_has("name it with `--region REGION`");
}

/// One instance whose primary region is us-east-1, with one user whose name can be changed; and its requests.
fn instance() -> (Server, Arc<Mutex<Vec<Request>>>) {
    let (name, asked) = (Mutex::new("Ada".to_owned()), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&asked);
    let server = Server::by_request(move |request| {
        log.lock().unwrap().push(request.clone());
        let mut name = name.lock().unwrap();
        let user = |name: &str| {
            json!({"UserId": "90676f0c71-b55e5f5e-4a5e-4a5e-8a5e-1a5e5a5e5a5e", "UserName": "ada", "DisplayName": name,
                "IdentityStoreId": "d-1234567890"})
        };
        let body = match request.target.rsplit('.').next().unwrap_or_default() {
            "ListInstances" => json!({"Instances": [{"InstanceArn": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
                "IdentityStoreId": "d-1234567890", "PrimaryRegion": "us-east-1", "Status": "ACTIVE"}]}),
            "ListUsers" => json!({"Users": [user(&name)]}),
            "DescribeUser" => user(&name),
            "UpdateUser" => {
                "Grace".clone_into(&mut name);
                json!({})
            }
            "ListGroupMembershipsForMember" => json!({"GroupMemberships": []}),
            _ => return (400, json!({"__type": "AccessDeniedException", "message": "no"}).to_string()),
        };
        (200, body.to_string())
    });
    (server, asked)
}

#[test]
fn an_instance_that_is_read_through_two_regions_has_one_namespace() {
    let (home, (server, asked)) = (Home::new(), instance());
    let lists = |asked: &Arc<Mutex<Vec<Request>>>| {
        asked.lock().unwrap().iter().filter(|request| request.target.ends_with("ListUsers")).count()
    };
    let name = |ran: Ran| ran.ok().json()[0]["DisplayName"].as_str().unwrap().to_owned();
    let list = "user list --json";
    assert_eq!(name(ask(&home, &server, list, &[])), "Ada");
    assert_eq!(name(ask(&home, &server, list, &[("AWS_REGION", "eu-west-1")])), "Ada");
    assert_eq!(lists(&asked), 1, "the second region is answered from the first one's entries");
    let update = "user update ada --display-name Grace --yes";
    ask(&home, &server, update, &[("AWS_REGION", "eu-west-1")]).ok();
    assert_eq!(name(ask(&home, &server, list, &[])), "Grace", "a write through one region is seen through the other");
    for request in asked.lock().unwrap().iter().filter(|request| !request.target.ends_with("ListInstances")) {
        assert_eq!(request.region, "us-east-1", "{request:?}");
    }
    let info = ask(&home, &server, "info --json", &[("AWS_REGION", "eu-west-1")]).ok().json();
    assert_eq!((&info["region"], &info["primary_region"]), (&json!("eu-west-1"), &json!("us-east-1")));
}

#[test]
fn each_endpoint_has_a_namespace_whichever_setting_names_it() {
    let (home, (first, _), (second, _)) = (Home::new(), instance(), instance());
    let (one, two) = (format!("http://{}", first.host), format!("http://{}", second.host));
    let keys = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\nregion = us-east-1\n";
    let config = format!(
        "[profile a]\n{keys}endpoint_url = {one}\n[profile b]\n{keys}endpoint_url = {two}\n\
         [profile c]\n{keys}services = lab\n[services lab]\nsso_admin =\n  endpoint_url = {two}\n\
         identitystore =\n  endpoint_url = {one}\n"
    );
    std::fs::write(home.folder(".aws").join("config"), config).unwrap();
    let variable = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_IDENTITYSTORE", two.as_str()),
        ("AWS_ENDPOINT_URL_SSO_ADMIN", one.as_str()),
    ];
    let ways: [(&str, &[(&str, &str)]); 4] =
        [("--profile a", &[]), ("--profile b", &[]), ("--profile c", &[]), ("", &variable)];
    let mut endpoints: Vec<Value> = Vec::new();
    for (flags, variables) in ways {
        home.run_with(&format!("user list {flags}"), variables).ok();
        let info = home.run_with(&format!("info --json {flags}"), variables).ok().json();
        assert!(info["endpoint"].as_str().is_some_and(|endpoint| !endpoints.contains(&json!(endpoint))), "{info}");
        endpoints.push(info["endpoint"].clone());
    }
    // The name is changed at the first server alone: no other namespace may know of it, and none may hide it.
    home.run("user update ada --display-name Grace --yes --profile a").ok();
    let name = |flags: &str| home.run(&format!("user list --json {flags}")).ok().json()[0]["DisplayName"].clone();
    assert_eq!((name("--profile a"), name("--profile b")), (json!("Grace"), json!("Ada")));
}

#[test]
fn no_failing_command_shows_the_debug_form_of_an_error() {
    let world = World::small();
    let broken = world.write("broken.toml", "[cache]\nttl = 5\nx = {");
    let broken = broken.display().to_string();
    let missing = "/nonexistent/dir/file";
    let commands: Vec<Vec<&str>> = vec![
        vec!["user", "get", "nobody"],
        vec!["user", "get", ""],
        vec!["group", "get", "nobody"],
        vec!["permission-set", "get", "nobody"],
        vec!["account", "get", "999999999999"],
        vec!["assignment", "get", "a", "b", "c"],
        vec!["assignment", "status", "x"],
        vec!["user", "update", "nobody", "--email", "x"],
        vec!["user", "delete", "nobody", "--yes"],
        vec!["group", "delete", "nobody", "--yes"],
        vec!["user", "list", "--out", missing],
        vec!["user", "list", "--out", "/dev/full"],
        vec!["user", "list", "--columns", "Nope"],
        vec!["user", "list", "--filter", "Nope=1"],
        vec!["user", "list", "--cache-only"],
        vec!["user", "list", "--max-age", "x"],
        vec!["user", "list", "--output", "xml"],
        vec!["user", "list", "--config", &broken],
        vec!["user", "list", "--config", missing],
        vec!["config", "validate", "--config", &broken],
        vec!["config", "show", "--config", missing],
        vec!["cache", "why", "nonsense"],
        vec!["cache", "inspect", "user:list:nobody"],
        vec!["cache", "import", missing],
        vec!["cache", "import", &broken],
        vec!["cache", "export", missing],
        vec!["cache", "invalidate", "updat", "user", "x"],
        vec!["cache", "disable", "--for", "x"],
        vec!["cache", "encryption", "rekey"],
        vec!["cache", "init", "--shared", "--group", "no-such-group"],
        vec!["jobs", "run", "nope"],
        vec!["jobs", "logs", "nope"],
        vec!["jobs", "history", "nope"],
        vec!["journal", "show", "99999"],
        vec!["alerts", "test"],
        vec!["permission-set", "put-inline", "x", "--file", missing],
        vec!["sandbox", "serve", "--listen", "999.1.1.1:0"],
        vec!["nonsense"],
    ];
    for words in &commands {
        let ran = world.run(words.iter().copied());
        assert!(ran.exit != 101, "{words:?} panicked: {}", ran.stderr);
    }
}

#[test]
fn an_invalid_endpoint_is_refused_and_its_password_is_never_shown() {
    let home = Home::new();
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1")];
    for url in ["ftp://x", "localhost:9199", "http://", "not a url", "http://[::1", "http://bob:hunter2@127.0.0.1:1"] {
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO_ADMIN", "AWSIDEMAN_AWS_ENDPOINT_URL"] {
            let variables: Vec<(&str, &str)> = keys.into_iter().chain([(name, url)]).collect();
            let ran = home.run_with("user list", &variables).code(2);
            assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
            for words in ["info --json", "doctor", "cache status --json"] {
                let shown = home.run_with(words, &variables);
                assert!(!(shown.stdout + &shown.stderr).contains("hunter2"), "{words} {name}");
            }
        }
    }
}

#[test]
fn a_web_identity_is_used_although_the_profile_login_has_expired() {
    let home = Home::new();
    let (server, _) = instance();
    let config = "[profile three]\nsso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = 111111111111\n\
        sso_role_name = R\n[profile keys]\nsso_start_url = https://x\nsso_region = us-east-1\n\
        aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s\n";
    std::fs::write(home.folder(".aws").join("config"), config).unwrap();
    let token = r#"{"accessToken":"T","expiresAt":"2020-01-01T00:00:00Z"}"#;
    // The name is the SHA-1 of the start URL.
    std::fs::write(home.folder(".aws/sso/cache").join("98383e6608d65e46b24bbd92582bc8d916605a21.json"), token).unwrap();
    let url = format!("http://{}", server.host);
    let variables = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_REGION", "us-east-1")];
    home.run_with("user list --profile keys", &variables).ok();
    let file = home.path().join("token");
    std::fs::write(&file, "T").unwrap();
    let file = file.display().to_string();
    let identity = [
        ("AWS_PROFILE", "three"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/Pod"),
    ];
    let variables: Vec<(&str, &str)> = variables.into_iter().chain(identity).collect();
    let ran = home.run_with("user list", &variables);
    assert!(!ran.stderr.contains("aws sso login"), "{ran:?}");
}

#[test]
fn doctor_names_the_setting_that_is_wrong_and_not_the_credentials() {
    let (home, server) = (Home::new(), Server::answering(500, ""));
    let wrong: [(&str, &str, &str, &str, &str); 5] = [
        ("AWS_REGION", "us-east1", "region", "unknown region `us-east1`", "name the region of Identity Center"),
        (
            "AWS_ENDPOINT_URL",
            "localhost:1",
            "aws settings",
            "AWS_ENDPOINT_URL is not an endpoint",
            "set AWS_ENDPOINT_URL to a URL",
        ),
        (
            "AWS_ENDPOINT_URL_SSO_ADMIN",
            "http://u:secret@h",
            "aws settings",
            "AWS_ENDPOINT_URL_SSO_ADMIN has a user name or password",
            "set AWS_ENDPOINT_URL_SSO_ADMIN without them",
        ),
        (
            "HTTPS_PROXY",
            "not a proxy",
            "network",
            "HTTPS_PROXY does not name a proxy",
            "set HTTPS_PROXY to http://HOST:PORT",
        ),
        (
            "AWS_CA_BUNDLE",
            "/no/such/file.pem",
            "network",
            "AWS_CA_BUNDLE names /no/such/file.pem",
            "set AWS_CA_BUNDLE to",
        ),
    ];
    for (name, value, check, message, hint) in wrong {
        let mut variables = vec![(name, value)];
        if check == "network" {
            // Without TLS, neither proxy nor certificates are needed.
            variables.push(("AWS_ENDPOINT_URL", ""));
        }
        let ran = ask(&home, &server, "doctor --output json", &variables).code(2);
        let checks = ran.json()["checks"].as_array().unwrap().clone();
        let failed: Vec<&Value> = checks.iter().filter(|check| check["level"] == "fail").collect();
        assert_eq!(failed.len(), 1, "{name}: {failed:?}");
        let text = |key: &str| failed[0][key].as_str().unwrap_or_default();
        assert_eq!(text("name"), check, "{failed:?}");
        assert!(text("message").contains(message) && text("hint").contains(hint), "{failed:?}");
        assert_eq!(text("message").matches("cannot be used").count(), 1, "{failed:?}");
        assert!(checks.iter().any(|check| check["name"] == "credentials" && check["level"] == "skipped"), "{checks:?}");
        ask(&home, &server, "user list", &variables).code(2).stderr_has(message).stderr_has(hint);
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_key_without_its_secret_is_named_with_the_variable_to_set() {
    let (home, server) = (Home::new(), Server::answering(500, ""));
    let ran = ask(&home, &server, "user list", &[("AWS_SECRET_ACCESS_KEY", "")]).code(2);
    ran.stderr_has("AWS_SECRET_ACCESS_KEY is not").stderr_has("hint: set AWS_SECRET_ACCESS_KEY too");
}
