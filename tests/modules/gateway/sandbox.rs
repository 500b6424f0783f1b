//! The real client over a socket: counts, agreement with the organization, and lists of any length.

use super::{Host, settings};
use awsideman::aws::AwsSettings;
use awsideman::config::WarmTarget;
use awsideman::gateway::{
    AssignmentFilter, AwsApi, CachePolicy, Gateway, IdentityCenterApi, InstanceTarget, ListCall, Principal,
    PrincipalKind, Renew, Request, WarmPlan,
};
use awsideman::progress::NoProgress;
use awsideman::sandbox::{self, Limits, Organization, Running, Shape};
use awsideman::secure_fs::Access;
use awsideman::store::{Disk, Options};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

const P: CachePolicy = CachePolicy { read: true, fill: true, live: true, max_age: None };

struct Site {
    organization: Organization,
    running: Running,
    aws: Arc<AwsApi>,
}

fn site(shape: Shape) -> Site {
    let organization = Organization::generate(&shape);
    let running = sandbox::start(organization.clone(), Limits { tps: 0.0, latency: Duration::ZERO }).unwrap();
    let aws = Arc::new(AwsApi::new(AwsSettings {
        profile: None,
        default_profile: None,
        region: Some("eu-west-1".into()),
        endpoint_url: Some(running.url()),
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(60),
        static_credentials: Some(("AKIDEXAMPLE".into(), "secret".into())),
    }));
    Site { organization, running, aws }
}

impl Site {
    /// Every item of a listing, past the cache.
    async fn all(&self, listing: ListCall) -> Vec<Value> {
        let target = InstanceTarget {
            instance: self.organization.instance_arn().into(),
            identity_store: self.organization.identity_store().into(),
            region: String::new(),
        };
        let (mut items, mut token) = (Vec::new(), None);
        loop {
            let page = self.aws.page(Some(&target), &listing, token.as_deref()).await.unwrap();
            items.extend(page.items);
            token = page.next;
            if token.is_none() {
                return items;
            }
        }
    }
}

fn on_disk() -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().unwrap();
    let options = Options { dir: root.path().join("cache"), access: Access::Owner, busy: Duration::from_secs(10) };
    let host = Host::over(Arc::new(Disk::open(&options).unwrap()));
    (root, host)
}

fn texts(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| row[field].as_str().unwrap_or_else(|| panic!("{field} in {row}")).to_owned()).collect()
}

fn set(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(Value::to_string).collect()
}

async fn list(gateway: &Gateway, request: Request) -> Vec<Value> {
    let Value::Array(rows) = gateway.reader().value(&request, &P, &NoProgress).await.unwrap() else {
        panic!("{request:?}")
    };
    rows
}

#[tokio::test]
async fn after_a_full_warm_commands_make_no_call_and_agree_with_aws() {
    let site = site(Shape::default());
    let (_root, host) = on_disk();
    let plan = WarmPlan::new(&WarmTarget::ALL, Renew::All);
    let (done, end) = host.gateway(&site.aws).warmer().warm(&plan, &NoProgress).await;
    assert!(end.is_none() && done.iter().all(|d| d.failures.is_empty() && d.stopped.is_none()), "{done:?}");
    let counts = site.organization.counts();
    let items = |target: &str| {
        done.iter().find(|done| done.target == target).map(|done| usize::try_from(done.items).unwrap()).unwrap()
    };
    assert_eq!(
        (items("users"), items("groups"), items("memberships"), items("permission-sets"), items("accounts")),
        (counts.users, counts.groups, counts.memberships, counts.permission_sets, counts.accounts)
    );
    let calls = site.running.calls();
    assert_eq!((calls.by_operation["AWSIdentityStore.ListUsers"], calls.throttled), (3, 0));

    let gateway = host.gateway(&site.aws);
    let users = list(&gateway, Request::Users).await;
    let groups = list(&gateway, Request::Groups).await;
    let accounts = list(&gateway, Request::Accounts).await;
    let sets = list(&gateway, Request::PermissionSets).await;
    let mut members = Vec::new();
    for group in &groups {
        members.extend(list(&gateway, Request::GroupMembers(group["GroupId"].as_str().unwrap().into())).await);
    }
    for user in &users {
        let name = user["UserName"].as_str().unwrap();
        let id = gateway.resolver().user_id(name, &P, &NoProgress).await.unwrap();
        assert_eq!(&gateway.reader().value(&Request::User(id), &P, &NoProgress).await.unwrap(), user);
    }
    for name in texts(&groups, "DisplayName") {
        gateway.resolver().group_id(&name, &P, &NoProgress).await.unwrap();
    }
    for (id, name) in texts(&accounts, "Id").into_iter().zip(texts(&accounts, "Name")) {
        assert_eq!(gateway.resolver().account_id(&name, &P, &NoProgress).await.unwrap(), id);
        gateway.reader().value(&Request::Account(id), &P, &NoProgress).await.unwrap();
    }
    for (arn, name) in texts(&sets, "PermissionSetArn").into_iter().zip(texts(&sets, "Name")) {
        assert_eq!(gateway.resolver().permission_set_arn(&name, &P, &NoProgress).await.unwrap(), arn);
        gateway.reader().value(&Request::PermissionSet(arn), &P, &NoProgress).await.unwrap();
    }
    let found = gateway.assignment_reader().assignments(&AssignmentFilter::default(), &P, &NoProgress).await.unwrap();
    assert_eq!(site.running.calls(), calls, "all of it from the cache");
    let all: BTreeSet<_> = found.assignments.iter().map(|row| (row.kind(), row.principal.to_owned())).collect();
    let known = gateway
        .resolver()
        .describe_principals(all.iter().cloned().collect(), Value::clone, &P, &NoProgress)
        .await
        .unwrap();
    let named = known.found;
    let asked = site.running.calls().total - calls.total;
    assert!(!named.is_empty() && asked == (all.len() - named.len()) as u64, "only who was deleted is asked for");

    assert_eq!(set(&users), set(&site.all(ListCall::Users).await));
    assert_eq!(set(&groups), set(&site.all(ListCall::Groups).await));
    assert_eq!(set(&accounts), set(&site.all(ListCall::Accounts).await));
    assert_eq!((members.len(), found.assignments.len()), (counts.memberships, counts.assignments));
    let mut walked = BTreeSet::new();
    for account in texts(&accounts, "Id") {
        for arn in texts(&sets, "PermissionSetArn") {
            let listing = ListCall::Assignments { account: account.clone(), permission_set: arn };
            walked.append(&mut set(&site.all(listing).await));
        }
    }
    let rows: Vec<Value> = found.assignments.iter().map(|row| row.value()).collect();
    assert_eq!(set(&rows), walked);

    // Both directions of a membership, and a principal's own assignments, say the same.
    let someone = members[0]["MemberId"]["UserId"].as_str().unwrap();
    let own = list(&gateway, Request::UserGroups(someone.into())).await;
    let theirs: Vec<Value> = members.iter().filter(|row| row["MemberId"]["UserId"] == someone).cloned().collect();
    assert_eq!(set(&own), set(&theirs));
    let (kind, id) = all.iter().find(|(kind, _)| *kind == PrincipalKind::Group).unwrap();
    let filter =
        AssignmentFilter { principal: Some(Principal { kind: *kind, id: id.clone() }), ..AssignmentFilter::default() };
    let own = gateway.assignment_reader().assignments(&filter, &P, &NoProgress).await.unwrap().assignments;
    let theirs: Vec<_> = found.assignments.iter().filter(|row| row.principal == id).collect();
    assert_eq!(own.iter().collect::<Vec<_>>(), theirs);
}

#[tokio::test]
async fn two_sandboxes_over_one_store_never_answer_for_each_other() {
    let (_root, host) = on_disk();
    let shape = |seed| Shape { seed, users: 40, ..Shape::default() };
    let sites = [site(shape(1)), site(shape(2))];
    for round in 0..2 {
        for (site, fingerprint) in sites.iter().zip(["ours", "theirs"]) {
            let before = site.running.calls().total;
            let users = list(&host.gateway_of(&site.aws, fingerprint, settings()), Request::Users).await;
            assert_eq!(set(&users), set(&site.all(ListCall::Users).await), "{fingerprint}");
            assert_eq!(site.running.calls().total - before, if round == 0 { 3 } else { 1 });
        }
    }
}

#[tokio::test]
async fn twenty_thousand_users_pass_through_a_file_without_a_name() {
    let site = site(Shape { users: 20_000, ..Shape::default() });
    let (_root, host) = on_disk();
    let gateway = host.gateway(&site.aws);
    let spool = gateway.reader().live(&Request::Users, &P, &NoProgress).await.unwrap();
    assert_eq!(spool.items(), 20_000);
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let files: Vec<String> =
        open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok()).map(|to| to.display().to_string()).collect();
    let here = host.spool.path().display().to_string();
    assert_eq!(files.iter().filter(|file| file.starts_with(&here)).count(), 1, "{files:?}");
    assert_eq!(std::fs::read_dir(host.spool.path()).unwrap().count(), 0, "no name");
    drop(spool);
    let calls = site.running.calls().total;
    let mut bytes = 0;
    let show = &mut |_: &_, body: &mut dyn Read| {
        bytes = std::io::copy(body, &mut std::io::sink())?;
        Ok(())
    };
    let found = host.gateway(&site.aws).reader().read(&Request::Users, &P, &NoProgress, show).await.unwrap();
    assert!(found.cached && bytes > 4 * 1024 * 1024, "the long answer was stored whole");
    assert_eq!(site.running.calls().total, calls);
}
