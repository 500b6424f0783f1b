//! Every change and every read that it touches: made by one process, read by another and by one that lives long and
//! keeps answers in memory. A change without a row here does not compile.

use crate::world::World;
use awsideman::app::{App, AwsAccount, GatewayBuilder, InvalidationTargets};
use awsideman::aws::AwsSettings;
use awsideman::gateway::{
    Attribute, AwsApi, CachePolicy, Gateway, GatewayError, Grant, Mutation, NewUser, PrincipalKind, Request, SetFields,
};
use awsideman::progress::NoProgress;
use serde_json::{Value, json};
use std::sync::Arc;

/// A process: its app, and the gateway that it reads and writes through.
struct Process {
    app: App,
    gateway: Gateway,
}

impl Process {
    fn of(world: &World, app: App) -> Process {
        // The keys of this process are nobody's: those of the sandbox are given to the client itself.
        let settings = AwsSettings {
            endpoint_url: Some(world.sandbox_url()),
            region: Some("us-east-1".into()),
            static_credentials: Some(("AKIAFIRST".into(), "secret".into())),
            ..AwsAccount::new(&app).settings()
        };
        let recorder = Arc::new(|_, _, _| ());
        let source = Arc::new(AwsApi::new(settings));
        let gateway = Gateway::new(
            app.cache(),
            source,
            AwsAccount::new(&app).selection(),
            GatewayBuilder::new(&app).spool_dir(),
            Some(recorder),
        );
        Process { gateway: gateway.with_flights(app.state(), app.cache_dir()), app }
    }

    async fn read(&self, request: &Request, policy: CachePolicy) -> Result<Value, String> {
        match self.gateway.reader().value(request, &policy, &NoProgress).await {
            // A name leads to an id; what else stands beside it depends on the call that told.
            Ok(answer) if matches!(request, Request::UserByName(_) | Request::GroupByName(_)) => {
                Ok([&answer["UserId"], &answer["GroupId"]].into_iter().cloned().collect())
            }
            Ok(answer) => Ok(sorted(answer)),
            Err(GatewayError::NotFound { .. }) => Err("not found".into()),
            Err(error) => panic!("{request:?}: {error}"),
        }
    }

    async fn write(&self, change: &Mutation) {
        let writing = InvalidationTargets::new(&self.app).writing(&NoProgress);
        let written = self
            .gateway
            .writer()
            .write(change, None, &writing, &std::sync::atomic::AtomicBool::new(false), &NoProgress)
            .await;
        let written = written.unwrap_or_else(|error| panic!("{change:?}: {}", error.error));
        assert!(written.untold.is_none(), "{change:?}");
    }
}

fn sorted(mut answer: Value) -> Value {
    if let Value::Array(rows) = &mut answer {
        rows.sort_by_cached_key(Value::to_string);
    }
    answer
}

/// Who and what the organization has, by id.
struct Known {
    users: Vec<Value>,
    groups: Vec<Value>,
    sets: Vec<String>,
    accounts: Vec<String>,
    /// One assignment, and where it is.
    granted: Grant,
    membership: (String, String, String),
    /// A group and a user who is not in it.
    strangers: (String, String),
}

fn id(thing: &Value, field: &str) -> String {
    thing[field].as_str().unwrap().to_owned()
}

async fn known(process: &Process) -> Known {
    let list =
        async |request: Request| process.read(&request, CachePolicy::BYPASS).await.unwrap().as_array().unwrap().clone();
    let sets: Vec<String> = list(Request::PermissionSets).await.iter().map(|set| id(set, "PermissionSetArn")).collect();
    let groups = list(Request::Groups).await;
    let users = list(Request::Users).await;
    let (mut membership, mut strangers) = (None, None);
    for group in &groups {
        let members = list(Request::GroupMembers(id(group, "GroupId"))).await;
        let is_in = |user: &&Value| members.iter().any(|row| row["MemberId"]["UserId"] == user["UserId"]);
        if let Some(user) = users.iter().skip(1).find(|user| !is_in(user)) {
            strangers = Some((id(group, "GroupId"), id(user, "UserId")));
        }
        if let Some(row) = members.first() {
            membership = Some((id(row, "MembershipId"), id(row, "GroupId"), id(&row["MemberId"], "UserId")));
        }
    }
    let mut granted = None;
    for set in &sets {
        for account in list(Request::PermissionSetAccounts(set.clone())).await {
            let account = account.as_str().unwrap().to_owned();
            let request = Request::Assignments { account: account.clone(), permission_set: set.clone() };
            for row in list(request).await {
                let kind = if row["PrincipalType"] == "USER" { PrincipalKind::User } else { PrincipalKind::Group };
                let (permission_set, principal) = (set.clone(), id(&row, "PrincipalId"));
                granted = Some(Grant { account: account.clone(), permission_set, kind, principal });
            }
        }
    }
    Known {
        users,
        accounts: list(Request::Accounts).await.iter().map(|account| id(account, "Id")).collect(),
        groups,
        sets,
        granted: granted.unwrap(),
        membership: membership.unwrap(),
        strangers: strangers.unwrap(),
    }
}

/// Every question that a change can touch, about everybody there is and about names that nobody has yet.
fn questions(known: &Known) -> Vec<Request> {
    let mut all = vec![Request::Users, Request::Groups, Request::PermissionSets];
    for name in ["newcomer", "NEWCOMER", "renamed"] {
        all.push(Request::UserByName(name.into()));
        all.push(Request::GroupByName(name.into()));
    }
    for user in &known.users {
        let user_id = id(user, "UserId");
        all.push(Request::UserByName(id(user, "UserName")));
        all.push(Request::PrincipalAssignments { kind: PrincipalKind::User, id: user_id.clone() });
        all.extend([Request::User(user_id.clone()), Request::UserGroups(user_id)]);
    }
    for group in &known.groups {
        let group_id = id(group, "GroupId");
        all.push(Request::GroupByName(id(group, "DisplayName")));
        all.push(Request::PrincipalAssignments { kind: PrincipalKind::Group, id: group_id.clone() });
        all.extend([Request::Group(group_id.clone()), Request::GroupMembers(group_id)]);
    }
    for set in &known.sets {
        all.extend([Request::PermissionSet(set.clone()), Request::PermissionSetPolicies(set.clone())]);
        all.push(Request::PermissionSetAccounts(set.clone()));
        for account in &known.accounts {
            all.push(Request::Assignments { account: account.clone(), permission_set: set.clone() });
        }
    }
    all.extend(known.accounts.iter().map(|account| Request::AccountPermissionSets(account.clone())));
    all
}

/// The names of all changes, from an exhaustive match: a new one needs a row in [`rows`].
fn name(change: &Mutation) -> &'static str {
    match change {
        Mutation::CreateUser(_) => "CreateUser",
        Mutation::UpdateUser { .. } => "UpdateUser",
        Mutation::DeleteUser { .. } => "DeleteUser",
        Mutation::CreateGroup { .. } => "CreateGroup",
        Mutation::UpdateGroup { .. } => "UpdateGroup",
        Mutation::DeleteGroup { .. } => "DeleteGroup",
        Mutation::AddMember { .. } => "AddMember",
        Mutation::RemoveMember { .. } => "RemoveMember",
        Mutation::CreatePermissionSet { .. } => "CreatePermissionSet",
        Mutation::UpdatePermissionSet { .. } => "UpdatePermissionSet",
        Mutation::DeletePermissionSet(_) => "DeletePermissionSet",
        Mutation::AttachManagedPolicy { .. } => "AttachManagedPolicy",
        Mutation::DetachManagedPolicy { .. } => "DetachManagedPolicy",
        Mutation::AttachCustomerPolicy { .. } => "AttachCustomerPolicy",
        Mutation::DetachCustomerPolicy { .. } => "DetachCustomerPolicy",
        Mutation::PutInlinePolicy { .. } => "PutInlinePolicy",
        Mutation::DeleteInlinePolicy(_) => "DeleteInlinePolicy",
        Mutation::Provision { .. } => "Provision",
        Mutation::Assign(_) => "Assign",
        Mutation::Revoke(_) => "Revoke",
    }
}

/// How many changes there are: the lines of [`name`].
const CHANGES: usize = 20;

/// The rows, in an order in which each can be made.
fn rows(known: &Known, renamed: &str) -> Vec<Mutation> {
    let attribute = |path: &str, value: &str| vec![Attribute { path: path.into(), value: Some(json!(value)) }];
    let (user, group) = (id(&known.users[0], "UserId"), id(&known.groups[0], "GroupId"));
    let (set, account) = (known.sets[0].clone(), known.accounts[0].clone());
    let (membership, of_group, member) = known.membership.clone();
    let (elsewhere, outsider) = known.strangers.clone();
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess2".to_owned();
    let own = || ("ours".to_owned(), "/".to_owned());
    let description = SetFields { description: Some("changed".into()), ..SetFields::default() };
    let newcomer = NewUser {
        user_name: "newcomer".into(),
        display_name: "New".into(),
        given_name: "New".into(),
        family_name: "Comer".into(),
        email: Some("newcomer@example.com".into()),
    };
    let kind = PrincipalKind::User;
    vec![
        Mutation::CreateUser(newcomer),
        Mutation::UpdateUser { id: user.clone(), attributes: attribute("displayName", "Changed"), revision: None },
        Mutation::UpdateUser { id: user.clone(), attributes: attribute("userName", renamed), revision: None },
        Mutation::CreateGroup { name: "newcomer".into(), description: None },
        Mutation::UpdateGroup { id: group.clone(), attributes: attribute("description", "changed"), revision: None },
        Mutation::UpdateGroup { id: group.clone(), attributes: attribute("displayName", renamed), revision: None },
        Mutation::RemoveMember { membership, group: of_group.clone(), user: member.clone() },
        Mutation::AddMember { group: of_group.clone(), user: member },
        Mutation::AddMember { group: elsewhere, user: outsider.clone() },
        Mutation::CreatePermissionSet { name: "Newcomer".into(), fields: SetFields::default() },
        Mutation::UpdatePermissionSet { arn: set.clone(), fields: description },
        Mutation::AttachManagedPolicy { arn: set.clone(), policy: policy.clone() },
        Mutation::DetachManagedPolicy { arn: set.clone(), policy },
        Mutation::AttachCustomerPolicy { arn: set.clone(), name: own().0, path: own().1 },
        Mutation::DetachCustomerPolicy { arn: set.clone(), name: own().0, path: own().1 },
        Mutation::PutInlinePolicy { arn: set.clone(), document: r#"{"Version":"2012-10-17","Statement":[]}"#.into() },
        Mutation::DeleteInlinePolicy(set.clone()),
        Mutation::Assign(Grant { account: account.clone(), permission_set: set.clone(), kind, principal: outsider }),
        Mutation::Assign(Grant {
            account,
            permission_set: set.clone(),
            kind: PrincipalKind::Group,
            principal: group.clone(),
        }),
        Mutation::Provision { arn: set, account: None },
        Mutation::Revoke(known.granted.clone()),
        Mutation::DeleteUser { id: user, revision: None },
        Mutation::DeleteGroup { id: group, revision: None },
    ]
}

fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn no_change_leaves_a_stale_answer_on_disk_or_in_memory() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_SETTLE", "0");
    on_one_thread(async {
        let (writer, other) = (Process::of(&world, world.app()), Process::of(&world, world.app()));
        let near = Process::of(&world, world.app().with_memory_tier(64 << 20));
        let known = known(&writer).await;
        let all = questions(&known);
        let mut made: Vec<&str> = Vec::new();
        let mut compared = 0;
        let mut changes = rows(&known, "renamed");
        // The set that was created last has no assignments, so that it can be deleted; its ARN is known by then only.
        changes.push(Mutation::DeletePermissionSet(String::new()));
        for change in &mut changes {
            if let Mutation::DeletePermissionSet(arn) = change {
                let sets = other.read(&Request::PermissionSets, CachePolicy::BYPASS).await.unwrap();
                let found = sets.as_array().unwrap().iter().find(|set| set["Name"] == "Newcomer").unwrap();
                *arn = id(found, "PermissionSetArn");
                let asked = Request::PermissionSet(arn.clone());
                other.read(&asked, CachePolicy::default()).await.unwrap();
                near.read(&asked, CachePolicy::default()).await.unwrap();
            }
            for request in &all {
                let _ = other.read(request, CachePolicy::default()).await;
                let _ = near.read(request, CachePolicy::default()).await;
            }
            writer.write(change).await;
            made.push(name(change));
            for request in &all {
                let truth = other.read(request, CachePolicy::BYPASS).await;
                for (who, process) in [("another process", &other), ("a process with a memory", &near)] {
                    let found = process.read(request, CachePolicy::default()).await;
                    assert_eq!(found, truth, "{who} after {change:?}: {request:?}");
                    compared += 1;
                }
            }
        }
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), CHANGES, "a change without a row: {made:?}");
        println!("{} changes, {compared} answers compared, 0 stale", changes.len());
    });
}

#[test]
fn while_aws_lags_old_answers_never_come_from_the_cache() {
    let mut world = World::small();
    on_one_thread(async {
        let (writer, other) = (Process::of(&world, world.app()), Process::of(&world, world.app()));
        let known = known(&writer).await;
        let all = questions(&known);
        for request in &all {
            let _ = other.read(request, CachePolicy::default()).await;
        }
        world.faults(|faults| faults.read_lag_ms = 2_000);
        let changes = rows(&known, "renamed");
        let mut old = 0;
        for change in &changes {
            writer.write(change).await;
        }
        for request in &all {
            old += u32::from(
                other.read(request, CachePolicy::default()).await != other.read(request, CachePolicy::BYPASS).await,
            );
        }
        println!("{} changes under a lag of 2 s, {old} answers differed while it lasted", changes.len());
        // The lag is over, and the fences with the clock of whoever reads now.
        world.faults(|_| ());
        world.later("11s");
        let later = Process::of(&world, world.app());
        for request in &all {
            let found = later.read(request, CachePolicy::default()).await;
            assert_eq!(found, later.read(request, CachePolicy::BYPASS).await, "{request:?}");
        }
    });
}
