//! A small Identity Center in memory: every call waits for its turn before it is carried out and again before it is
//! answered; reads may lag behind changes; nothing is forgotten, so that any answer can be judged afterwards.

use async_trait::async_trait;
use awsideman::clock::{Clock, ManualClock};
use awsideman::gateway::{
    GatewayError, GetCall, IdentityCenterApi, InstanceTarget, ListCall, Mutation, Page, PrincipalKind, Request,
    operation_words,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

pub(crate) const SETTLE_MS: i64 = 10_000;
const PAGE: usize = 2;

/// Who and what there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Id to name and display name.
    users: BTreeMap<String, (String, String)>,
    groups: BTreeMap<String, String>,
    memberships: BTreeSet<(String, String)>,
    /// Account, permission set, kind, principal.
    grants: BTreeSet<(String, String, &'static str, String)>,
}

/// One change that was carried out: the state after it, and until when reads may not show it yet.
struct Version {
    state: State,
    hidden_until: i64,
}

struct World {
    versions: Vec<Version>,
    created: u32,
    seed: u64,
    lost: u64,
}

/// The organization, as several processes reach it.
#[derive(Clone)]
pub(crate) struct Aws {
    world: Arc<Mutex<World>>,
    clock: Arc<ManualClock>,
    /// What came through this handle: how many calls, and the version that its last change made.
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) applied: Arc<AtomicUsize>,
}

/// A moment at which somebody else may have their turn.
struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

pub(crate) fn user(n: u64) -> String {
    format!("00000000-0000-0000-0001-{n:012}")
}

pub(crate) fn group(n: u64) -> String {
    format!("00000000-0000-0000-0002-{n:012}")
}

pub(crate) const SETS: [&str; 2] =
    ["arn:aws:sso:::permissionSet/ssoins-1/ps-a", "arn:aws:sso:::permissionSet/ssoins-1/ps-b"];
pub(crate) const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];

impl Aws {
    pub(crate) fn new(clock: Arc<ManualClock>, seed: u64) -> Aws {
        let mut state = State::default();
        for n in 0..5 {
            state.users.insert(user(n), (format!("name{n}"), "first".into()));
        }
        for n in 0..2 {
            state.groups.insert(group(n), format!("group{n}"));
            state.memberships.insert((group(n), user(n)));
            state.grants.insert((ACCOUNTS[0].into(), SETS[0].into(), "GROUP", group(n)));
        }
        state.grants.insert((ACCOUNTS[1].into(), SETS[1].into(), "USER", user(0)));
        let versions = vec![Version { state, hidden_until: 0 }];
        let world = World { versions, created: 0, seed, lost: 0 };
        Aws { world: Arc::new(Mutex::new(world)), clock, calls: Arc::default(), applied: Arc::default() }
    }

    /// The same organization through a handle that counts for itself.
    pub(crate) fn handle(&self) -> Aws {
        Aws { calls: Arc::default(), applied: Arc::default(), ..self.clone() }
    }

    /// How many answers to changes were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.world.lock().unwrap().lost
    }

    /// What the answer to a request was made of at each version: item by item, so that a walk over changing pages can be
    /// judged too.
    pub(crate) fn truths(&self, request: &Request) -> Vec<BTreeMap<String, Value>> {
        self.world.lock().unwrap().versions.iter().map(|version| items(request, &version.state)).collect()
    }

    /// The state that a read sees: the newest, or an older one while changes may still be hidden.
    fn seen(&self) -> State {
        let mut world = self.world.lock().unwrap();
        let mut at = world.versions.len() - 1;
        while at > 0 && world.versions[at].hidden_until > self.clock.now() {
            world.seed = next(world.seed);
            if world.seed.is_multiple_of(2) {
                break;
            }
            at -= 1;
        }
        world.versions[at].state.clone()
    }

    fn apply(&self, change: &Mutation) -> Result<Value, GatewayError> {
        let mut world = self.world.lock().unwrap();
        let mut state = world.versions.last().unwrap().state.clone();
        let missing = || GatewayError::NotFound { what: change.subject() };
        let mut answer = json!({});
        let display = |world: &World| format!("display{}", world.versions.len());
        let taken = || GatewayError::Refused {
            operation: change.operation().into(),
            code: "ConflictException".into(),
            detail: "taken".into(),
            request_id: None,
        };
        let is_taken = |state: &State, name: &str| state.users.values().any(|user| user.0.eq_ignore_ascii_case(name));
        match change {
            Mutation::CreateUser(new) => {
                if is_taken(&state, &new.user_name) {
                    return Err(taken());
                }
                world.created += 1;
                let id = user(100 + u64::from(world.created));
                state.users.insert(id.clone(), (new.user_name.clone(), display(&world)));
                answer = json!({"UserId": id});
            }
            Mutation::UpdateUser { id, attributes, .. } => {
                let name = attributes.iter().find(|attribute| attribute.path == "userName");
                let name = name.map(|name| name.value.as_ref().unwrap().as_str().unwrap());
                if name.is_some_and(|name| is_taken(&state, name)) {
                    return Err(taken());
                }
                let user = state.users.get_mut(id).ok_or_else(missing)?;
                match name {
                    Some(name) => name.clone_into(&mut user.0),
                    None => user.1 = display(&world),
                }
            }
            Mutation::DeleteUser { id, .. } => {
                state.users.remove(id).ok_or_else(missing)?;
                state.memberships.retain(|(_, user)| user != id);
            }
            Mutation::DeleteGroup { id, .. } => {
                state.groups.remove(id).ok_or_else(missing)?;
                state.memberships.retain(|(group, _)| group != id);
            }
            Mutation::AddMember { group, user } => {
                if !state.groups.contains_key(group) || !state.users.contains_key(user) {
                    return Err(missing());
                }
                state.memberships.insert((group.clone(), user.clone()));
            }
            Mutation::RemoveMember { group, user, .. } => {
                if !state.memberships.remove(&(group.clone(), user.clone())) {
                    return Err(missing());
                }
            }
            Mutation::Assign(grant) | Mutation::Revoke(grant) => {
                let kind = grant.kind.as_str();
                let row = (grant.account.clone(), grant.permission_set.clone(), kind, grant.principal.clone());
                if matches!(change, Mutation::Assign(_)) {
                    state.grants.insert(row);
                } else {
                    state.grants.remove(&row);
                }
                answer = json!({"RequestId": "r", "Status": "SUCCEEDED"});
            }
            other => panic!("{other:?} is not played"),
        }
        world.seed = next(world.seed);
        let lag = i64::try_from(world.seed % SETTLE_MS.unsigned_abs()).unwrap();
        let hidden_until = self.clock.now() + lag;
        world.versions.push(Version { state, hidden_until });
        self.applied.store(world.versions.len() - 1, Ordering::SeqCst);
        world.seed = next(world.seed);
        if world.seed.is_multiple_of(8) {
            world.lost += 1;
            return Err(GatewayError::Unreachable {
                operation: change.operation().into(),
                detail: "lost".into(),
                sent: true,
            });
        }
        Ok(answer)
    }
}

fn next(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn user_value(id: &str, (name, display): &(String, String)) -> Value {
    json!({"UserId": id, "UserName": name, "DisplayName": display})
}

fn group_value(id: &str, name: &str) -> Value {
    json!({"GroupId": id, "DisplayName": name})
}

/// What an answer consists of, by id: an array's items, or the one thing itself.
pub(crate) fn itemized(request: &Request, answer: Value) -> BTreeMap<String, Value> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let id = |row: &Value| match request {
        Request::Users | Request::User(_) => text(row, "UserId"),
        Request::Groups | Request::Group(_) => text(row, "GroupId"),
        Request::UserByName(_) => String::new(),
        Request::UserGroups(_) | Request::GroupMembers(_) => {
            format!("{} {}", text(row, "GroupId"), text(&row["MemberId"], "UserId"))
        }
        Request::PermissionSetAccounts(_) | Request::AccountPermissionSets(_) => row.as_str().unwrap().to_owned(),
        _ => ["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"].map(|name| text(row, name)).join(" "),
    };
    let rows = if let Value::Array(rows) = answer { rows } else { vec![answer] };
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

/// The items of an answer by their ids; one item for an answer about one thing, none when there is no such thing.
fn items(request: &Request, state: &State) -> BTreeMap<String, Value> {
    let membership = |(group, user): &(String, String)| {
        (format!("{group} {user}"), json!({"GroupId": group, "MemberId": {"UserId": user}}))
    };
    let grant = |(account, set, kind, id): &(String, String, &'static str, String)| {
        let row = json!({"AccountId": account, "PermissionSetArn": set, "PrincipalType": kind, "PrincipalId": id});
        (format!("{account} {set} {kind} {id}"), row)
    };
    let strings = |found: BTreeSet<&String>| found.into_iter().map(|text| (text.clone(), json!(text))).collect();
    match request {
        Request::Users => state.users.iter().map(|(id, user)| (id.clone(), user_value(id, user))).collect(),
        Request::User(id) => state.users.get(id).map(|user| (id.clone(), user_value(id, user))).into_iter().collect(),
        Request::UserByName(name) => {
            let found = state.users.iter().find(|(_, user)| user.0.eq_ignore_ascii_case(name));
            found.map(|(id, _)| (String::new(), json!({"UserId": id}))).into_iter().collect()
        }
        Request::UserGroups(id) => state.memberships.iter().filter(|(_, user)| user == id).map(membership).collect(),
        Request::Groups => state.groups.iter().map(|(id, name)| (id.clone(), group_value(id, name))).collect(),
        Request::Group(id) => {
            state.groups.get(id).map(|name| (id.clone(), group_value(id, name))).into_iter().collect()
        }
        Request::GroupMembers(id) => {
            state.memberships.iter().filter(|(group, _)| group == id).map(membership).collect()
        }
        Request::Assignments { account, permission_set } => {
            state.grants.iter().filter(|row| row.0 == *account && row.1 == *permission_set).map(grant).collect()
        }
        Request::PrincipalAssignments { kind, id } => {
            state.grants.iter().filter(|row| row.2 == kind.as_str() && row.3 == *id).map(grant).collect()
        }
        Request::PermissionSetAccounts(set) => {
            strings(state.grants.iter().filter(|row| row.1 == *set).map(|row| &row.0).collect())
        }
        Request::AccountPermissionSets(account) => {
            strings(state.grants.iter().filter(|row| row.0 == *account).map(|row| &row.1).collect())
        }
        other => panic!("{other:?} is not played"),
    }
}

fn asked(listing: &ListCall) -> Option<Request> {
    Some(match listing {
        ListCall::Users => Request::Users,
        ListCall::Groups => Request::Groups,
        ListCall::GroupMemberships(id) => Request::GroupMembers(id.clone()),
        ListCall::MembershipsForMember(id) => Request::UserGroups(id.clone()),
        ListCall::ProvisionedAccounts(set) => Request::PermissionSetAccounts(set.clone()),
        ListCall::ProvisionedPermissionSets(account) => Request::AccountPermissionSets(account.clone()),
        ListCall::Assignments { account, permission_set } => {
            Request::Assignments { account: account.clone(), permission_set: permission_set.clone() }
        }
        ListCall::AssignmentsForPrincipal { kind, id } => Request::PrincipalAssignments { kind: *kind, id: id.clone() },
        _ => return None,
    })
}

#[async_trait]
impl IdentityCenterApi for Aws {
    async fn page(
        &self,
        _: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        let Some(request) = asked(listing) else {
            let instance = json!({"InstanceArn": "arn:aws:sso:::instance/ssoins-1", "IdentityStoreId": "d-1"});
            return Ok(Page { items: vec![instance], next: None });
        };
        self.calls.fetch_add(1, Ordering::SeqCst);
        Turn(false).await;
        let state = self.seen();
        // A token is the id after which the page begins, as AWS's behave when rows come and go.
        let after = token.unwrap_or_default();
        let rows: Vec<_> = items(&request, &state).into_iter().filter(|(id, _)| id.as_str() > after).collect();
        let next = (rows.len() > PAGE).then(|| rows[PAGE - 1].0.clone());
        Turn(false).await;
        Ok(Page { items: rows.into_iter().take(PAGE).map(|(_, row)| row).collect(), next })
    }

    async fn fetch(&self, _: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
        let request = match single {
            GetCall::User(id) => Request::User(id.clone()),
            GetCall::UserIdByName(name) => Request::UserByName(name.clone()),
            GetCall::Group(id) => Request::Group(id.clone()),
            other => panic!("{} is not played", operation_words(other.operation())),
        };
        self.calls.fetch_add(1, Ordering::SeqCst);
        Turn(false).await;
        let found = items(&request, &self.seen()).into_values().next();
        Turn(false).await;
        found.ok_or_else(|| GatewayError::NotFound { what: request.subject() })
    }

    async fn change(&self, _: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        Turn(false).await;
        let done = self.apply(change);
        Turn(false).await;
        done
    }
}

/// Every kind of principal that is played.
pub(crate) const KINDS: [PrincipalKind; 2] = [PrincipalKind::User, PrincipalKind::Group];
