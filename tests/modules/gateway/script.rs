//! A small organization in memory that counts its calls, fails when it is told to, and changes when it is told to.

use async_trait::async_trait;
use awsideman::gateway::{GatewayError, GetCall, IdentityCenterApi, InstanceTarget, ListCall, Mutation, Page};
use serde_json::{Value, json};
use std::sync::Mutex;

/// What happens to a call before it is answered: it is given in words (`Users 2` is the second page of the users).
type Rule = Box<dyn Fn(&str) -> Option<GatewayError> + Send + Sync>;

pub(crate) struct Script {
    pub(crate) users: Mutex<Vec<Value>>,
    pub(crate) groups: Mutex<Vec<Value>>,
    /// The ids of accounts that are suspended.
    pub(crate) suspended: Mutex<Vec<String>>,
    store: &'static str,
    calls: Mutex<Vec<String>>,
    rule: Mutex<Option<Rule>>,
    endless: bool,
    /// Whether no permission set is named as provisioned, whatever is assigned.
    unlisted: bool,
}

pub(crate) const SETS: [&str; 2] =
    ["arn:aws:sso:::permissionSet/ssoins-1/ps-a", "arn:aws:sso:::permissionSet/ssoins-1/ps-b"];
pub(crate) const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];

/// `n` as the id of a user or group.
pub(crate) fn id(kind: u32, n: usize) -> String {
    format!("00000000-0000-0000-000{kind}-{n:012}")
}

pub(crate) fn group(n: usize, name: &str) -> Value {
    json!({"GroupId": id(2, n), "DisplayName": name, "Description": format!("number {n}")})
}

impl Script {
    pub(crate) fn new(users: usize) -> Script {
        let user = |n| json!({"UserId": id(1, n), "UserName": format!("user{n}"), "Emails": [{"Value": format!("u{n}@example.com")}]});
        Script {
            users: Mutex::new((0..users).map(user).collect()),
            groups: Mutex::new(vec![group(0, "Admins"), group(1, "Staff")]),
            suspended: Mutex::default(),
            store: "d-1",
            calls: Mutex::default(),
            rule: Mutex::default(),
            endless: false,
            unlisted: false,
        }
    }

    /// One with another identity store.
    pub(crate) fn of(store: &'static str, users: usize) -> Script {
        Script { store, ..Script::new(users) }
    }

    /// One whose second page of users points to itself.
    pub(crate) fn endless() -> Script {
        Script { endless: true, ..Script::new(300) }
    }

    fn account(&self, id: &str) -> Value {
        let is_suspended = self.suspended.lock().unwrap().iter().any(|one| one == id);
        let status = if is_suspended { "SUSPENDED" } else { "ACTIVE" };
        let name = format!("account {}", &id[..1]);
        json!({"Id": id, "Name": name, "Email": format!("{id}@example.com"), "Status": status})
    }

    /// One that names no permission set as provisioned.
    pub(crate) fn unlisted() -> Script {
        Script { unlisted: true, ..Script::new(1) }
    }

    pub(crate) fn rule(&self, rule: impl Fn(&str) -> Option<GatewayError> + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    pub(crate) fn relent(&self) {
        *self.rule.lock().unwrap() = None;
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn say(&self, words: String) -> Result<(), GatewayError> {
        let verdict = self.rule.lock().unwrap().as_ref().and_then(|rule| rule(&words));
        self.calls.lock().unwrap().push(words);
        verdict.map_or(Ok(()), Err)
    }
}

pub(crate) fn unreachable() -> GatewayError {
    GatewayError::Unreachable { operation: "x".into(), detail: "no route".into(), sent: false }
}

pub(crate) fn throttled() -> GatewayError {
    GatewayError::Throttled { operation: "x".into(), attempts: 6, retry_after_ms: None }
}

pub(crate) fn expired() -> GatewayError {
    GatewayError::LoginExpired { profile: None, detail: "over".into(), hint: "log in".into() }
}

pub(crate) fn denied() -> GatewayError {
    GatewayError::AccessDenied { operation: "x".into(), account: None, detail: "no".into() }
}

fn not_found(what: &str) -> GatewayError {
    GatewayError::NotFound { what: what.into() }
}

#[async_trait]
impl IdentityCenterApi for Script {
    async fn page(
        &self,
        _: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        let start: usize = token.map_or(0, |token| token.parse().unwrap());
        let words = match listing {
            ListCall::Instances
            | ListCall::Users
            | ListCall::Groups
            | ListCall::PermissionSets
            | ListCall::Accounts => {
                format!("{listing:?} {}", start / 100 + 1)
            }
            other => format!("{other:?}"),
        };
        self.say(words)?;
        let row = |account: &str, arn: &str, n| json!({"AccountId": account, "PermissionSetArn": arn, "PrincipalType": "GROUP", "PrincipalId": id(2, n)});
        let items = match listing {
            ListCall::Instances => {
                let arn = format!("arn:aws:sso:::instance/ssoins-{}", self.store);
                vec![json!({"InstanceArn": arn, "IdentityStoreId": self.store})]
            }
            ListCall::Users => self.users.lock().unwrap().clone(),
            ListCall::Groups => self.groups.lock().unwrap().clone(),
            ListCall::ProvisionedAccounts(_) | ListCall::ProvisionedPermissionSets(_) if self.unlisted => Vec::new(),
            ListCall::PermissionSets | ListCall::ProvisionedPermissionSets(_) => SETS.map(Value::from).into(),
            ListCall::Accounts => ACCOUNTS.map(|id| self.account(id)).into(),
            ListCall::ProvisionedAccounts(_) => ACCOUNTS.map(Value::from).into(),
            ListCall::Assignments { account, permission_set } => {
                vec![row(account, permission_set, 1), row(account, permission_set, 0)]
            }
            ListCall::AssignmentsForPrincipal { .. } => {
                vec![row(ACCOUNTS[0], SETS[0], 0), row(ACCOUNTS[1], SETS[0], 0)]
            }
            _ => Vec::new(),
        };
        let end = items.len().min(start + 100);
        let next = (end < items.len()).then(|| if self.endless { "100".to_owned() } else { end.to_string() });
        Ok(Page { items: items[start..end].to_vec(), next })
    }

    async fn fetch(&self, _: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
        self.say(format!("{single:?}"))?;
        let find = |items: &[Value], field: &str, value: &str| {
            items.iter().find(|item| item[field] == value).cloned().ok_or_else(|| not_found(value))
        };
        let (users, groups) = (self.users.lock().unwrap(), self.groups.lock().unwrap());
        match single {
            GetCall::User(id) => find(&users, "UserId", id),
            GetCall::UserIdByName(name) => find(&users, "UserName", name).map(|user| json!({"UserId": user["UserId"]})),
            GetCall::Group(id) => find(&groups, "GroupId", id),
            GetCall::GroupIdByName(name) => {
                find(&groups, "DisplayName", name).map(|group| json!({"GroupId": group["GroupId"]}))
            }
            GetCall::PermissionSet(arn) => Ok(json!({"PermissionSetArn": arn, "Name": &arn[arn.len() - 1..]})),
            GetCall::Account(id) => Ok(self.account(id)),
            other => Err(not_found(&format!("{other:?}"))),
        }
    }
    async fn change(&self, _: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        Err(GatewayError::NotFound { what: change.subject() })
    }
}
