//! The gateway's AWS against moto, a stand-in that is not ours: both must have the same idea of the wire.

use awsideman::aws::AwsSettings;
use awsideman::gateway::{AwsApi, GatewayError, GetCall, IdentityCenterApi, InstanceTarget, ListCall, PrincipalKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Moto {
    process: Child,
    url: String,
}

impl Moto {
    fn start(python: &str) -> Self {
        let mut process = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("AWSIDEMAN_TEST_PYTHON={python} cannot be run: {error}"));
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let (mut seen, mut url) = (String::new(), None);
        while url.is_none() {
            let start = seen.len();
            assert!(log.read_line(&mut seen).unwrap() > 0, "moto ended before it listened:\n{seen}");
            url = seen[start..].split_once("Running on ").map(|(_, url)| url.trim().to_owned());
        }
        // Every request is a line of its log; a full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, url: url.unwrap() }
    }

    fn seed(&self, python: &str) -> Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/moto/seed.py");
        let run = Command::new(python).args([script, &self.url]).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        serde_json::from_slice(&run.stdout).unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every item of a listing, and how many pages it took.
async fn all(aws: &AwsApi, target: &InstanceTarget, listing: ListCall) -> (Vec<Value>, usize) {
    let (mut items, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let page = aws.page(Some(target), &listing, token.as_deref()).await.unwrap();
        items.extend(page.items);
        pages += 1;
        token = page.next;
        if token.is_none() {
            return (items, pages);
        }
    }
}

fn pairs(items: &[Value], key: &str, value: &str) -> BTreeMap<String, String> {
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    items.iter().map(|item| (text(item, key), text(item, value))).collect()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn awsideman_reads_what_boto3_created() {
    let Ok(python) = std::env::var("AWSIDEMAN_TEST_PYTHON") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "AWSIDEMAN_TEST_PYTHON must name a Python with moto");
        eprintln!("skipped: AWSIDEMAN_TEST_PYTHON does not name a Python with moto");
        return;
    };
    let moto = Moto::start(&python);
    let made = moto.seed(&python);
    let aws = AwsApi::new(AwsSettings {
        profile: None,
        default_profile: None,
        region: Some("eu-west-1".into()),
        endpoint_url: Some(moto.url.clone()),
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(60),
        static_credentials: Some(("testing".into(), "testing".into())),
    });
    let target = InstanceTarget {
        instance: text(&made["instance"]).into(),
        identity_store: text(&made["identity_store"]).into(),
        region: String::new(),
    };

    let found = aws.page(None, &ListCall::Instances, None).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["InstanceArn"], &found[0]["Status"]), (&made["instance"], &json!("ACTIVE")));
    assert_eq!(found[0]["IdentityStoreId"], made["identity_store"]);

    identity_store(&aws, &target, &made).await;
    permission_sets(&aws, &target, &made).await;
    organization(&aws, &target, &made).await;

    let me = aws.fetch(None, &GetCall::CallerIdentity).await.unwrap();
    assert_eq!(me["Account"], "123456789012");
    assignments_are_found_although_no_permission_set_is_provisioned(&moto, &made);
    a_permission_set_is_shown_without_the_part_that_moto_lacks(&moto);
}

/// The binary, with a home of its own, against moto.
fn run(moto: &Moto, words: &[&str]) -> (i32, Value, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
    command.env_clear().env("HOME", home.path()).env("AWS_ENDPOINT_URL", &moto.url).env("AWS_REGION", "eu-west-1");
    command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
    command.env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1").env("AWSIDEMAN_LOG_FILE", home.path().join("log"));
    let output = command.args(words).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), answer, String::from_utf8(output.stderr).unwrap())
}

fn assignments_are_found_although_no_permission_set_is_provisioned(moto: &Moto, made: &Value) {
    let account = text(&made["assigned_account"]);
    for words in [
        &["assignment", "list", "--json"][..],
        &["assignment", "list", "--json", "--account", account],
        &["assignment", "list", "--json", "--permission-set", "Admin"],
    ] {
        let (code, rows, said) = run(moto, words);
        assert_eq!(code, 0, "{words:?}: {said}");
        assert_eq!((rows.as_array().unwrap().len(), &rows[0]["AccountId"]), (1, &json!(account)), "{words:?}: {said}");
        assert!(said.contains("names no provisioned permission set"), "{words:?}: {said}");
    }
}

fn a_permission_set_is_shown_without_the_part_that_moto_lacks(moto: &Moto) {
    let (code, set, said) = run(moto, &["permission-set", "get", "Admin", "--json"]);
    assert_eq!((code, &set["Name"]), (3, &json!("Admin")), "{set} {said}");
    assert_eq!(set["ManagedPolicies"][0]["Name"], "AdministratorAccess");
    assert!(set.get("PermissionsBoundary").is_none(), "not read is not none: {set}");
    assert!(said.contains("PermissionsBoundary") && !said.contains("cannot be reached"), "{said}");
}

async fn identity_store(aws: &AwsApi, target: &InstanceTarget, made: &Value) {
    let (users, pages) = all(aws, target, ListCall::Users).await;
    assert_eq!((pairs(&users, "UserName", "UserId"), pages), (map(&made["users"]), 3));
    let first = &made["users"]["user000"];
    let user = aws.fetch(Some(target), &GetCall::User(text(first).into())).await.unwrap();
    assert_eq!(
        Some(&user),
        users.iter().find(|user| user["UserId"] == *first),
        "a describe equals its row in the list"
    );
    let expected = json!({
        "IdentityStoreId": target.identity_store, "UserId": first, "UserName": "user000",
        "Name": {"FamilyName": "0", "GivenName": "User"}, "DisplayName": "User 0 – ü",
        "Emails": [{"Value": "user000@example.com", "Type": "work", "Primary": true}],
    });
    assert_eq!(user, expected);
    let by_name = aws.fetch(Some(target), &GetCall::UserIdByName("user000".into())).await.unwrap();
    assert_eq!(by_name["UserId"], *first);

    let (groups, _) = all(aws, target, ListCall::Groups).await;
    assert_eq!(pairs(&groups, "DisplayName", "GroupId"), map(&made["groups"]));
    let group = text(&made["groups"]["group0"]);
    let by_name = aws.fetch(Some(target), &GetCall::GroupIdByName("group0".into())).await.unwrap();
    assert_eq!(by_name["GroupId"], group);
    let (rows, pages) = all(aws, target, ListCall::GroupMemberships(group.into())).await;
    let members =
        rows.iter().map(|row| (text(&row["MembershipId"]).to_owned(), text(&row["MemberId"]["UserId"]).to_owned()));
    assert_eq!((members.collect::<BTreeMap<_, _>>(), pages), (map(&made["memberships"]), 2));
    let (rows, _) = all(aws, target, ListCall::MembershipsForMember(text(first).into())).await;
    assert_eq!((rows.len(), &rows[0]["GroupId"]), (1, &json!(group)));

    let nobody = GetCall::User("00000000-0000-0000-0000-000000000000".into());
    let error = aws.fetch(Some(target), &nobody).await.unwrap_err();
    assert!(matches!(error, GatewayError::NotFound { .. }), "{error:?}");
}

async fn permission_sets(aws: &AwsApi, target: &InstanceTarget, made: &Value) {
    let arn = text(&made["permission_set"]).to_owned();
    let (sets, _) = all(aws, target, ListCall::PermissionSets).await;
    assert_eq!(sets, [json!(arn)]);
    let set = aws.fetch(Some(target), &GetCall::PermissionSet(arn.clone())).await.unwrap();
    assert_eq!((&set["Name"], &set["SessionDuration"]), (&json!("Admin"), &json!("PT4H")));
    assert_eq!((&set["Description"], &set["RelayState"]), (&json!("all of it"), &json!("https://example.com")));
    assert!(text(&set["CreatedDate"]).ends_with('Z'), "{set}");
    let (policies, _) = all(aws, target, ListCall::ManagedPolicies(arn.clone())).await;
    assert_eq!(policies, [json!({"Name": "AdministratorAccess", "Arn": made["policy"]})]);
    let inline = aws.fetch(Some(target), &GetCall::InlinePolicy(arn.clone())).await.unwrap();
    assert_eq!(inline, json!({"InlinePolicy": made["inline"]}));

    let account = text(&made["assigned_account"]).to_owned();
    let row = json!({"AccountId": account, "PermissionSetArn": arn, "PrincipalType": "GROUP",
                     "PrincipalId": made["groups"]["group0"]});
    let listing = ListCall::Assignments { account, permission_set: arn.clone() };
    assert_eq!(all(aws, target, listing).await.0, std::slice::from_ref(&row));
    let id = text(&made["groups"]["group0"]).to_owned();
    let listing = ListCall::AssignmentsForPrincipal { kind: PrincipalKind::Group, id };
    assert_eq!(all(aws, target, listing).await.0, [row]);

    // moto lacks the operation and answers with a page of HTML: a failure, never "no boundary".
    let error = aws.fetch(Some(target), &GetCall::PermissionsBoundary(arn)).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
}

async fn organization(aws: &AwsApi, target: &InstanceTarget, made: &Value) {
    let (accounts, pages) = all(aws, target, ListCall::Accounts).await;
    assert_eq!((pairs(&accounts, "Id", "Name"), pages), (map(&made["accounts"]), 2));
    assert!(text(&accounts[0]["JoinedTimestamp"]).ends_with('Z'), "{}", accounts[0]);
    let id = text(&accounts[0]["Id"]).to_owned();
    assert_eq!(aws.fetch(None, &GetCall::Account(id)).await.unwrap(), accounts[0]);
    let (roots, _) = all(aws, target, ListCall::Roots).await;
    assert_eq!(roots[0]["Id"], made["root"]);
    let root = text(&made["root"]).to_owned();
    assert_eq!(all(aws, target, ListCall::AccountsForParent(root.clone())).await.0.len(), accounts.len());
    assert_eq!(all(aws, target, ListCall::OrganizationalUnits(root)).await.0.len(), 0);
    let error = aws.fetch(None, &GetCall::Account("000000000000".into())).await.unwrap_err();
    assert_eq!(error.to_string(), "account 000000000000 was not found");
}
