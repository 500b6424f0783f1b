//! What a change makes false: for every resource and operation the exact keys, and globs where not enough is known.
//!
//! The one table; relations included; a key that a change can make false is always covered, and with a whole
//! before-image little else is.
//!
//! | change | what it dirties besides the thing itself and its list |
//! |---|---|
//! | a user is created or renamed | every spelling of the names, since "not found" may be remembered under it |
//! | a user is deleted | the user's groups, the members of those groups, the assignments of the user |
//! | a group is deleted | the group's members, the groups of those users, the assignments of the group and of users |
//! | a member comes or goes | the group's members, the user's groups, the assignments of the user (AWS does not say whether asking for a user's assignments includes those of groups) |
//! | a permission set is deleted | its policies, its accounts, their permission sets, its assignments |
//! | policies change | the policies of the permission set |
//! | provisioning, assigning, revoking | the accounts of the permission set, the permission sets of the account, the assignments there and of the principal (of a group: of all users too) |

use super::key::{Key, component};
use crate::model::Resource;
use crate::store::Select;
use std::fmt;

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// It comes into being.
    Create,
    /// Its own fields change.
    Update,
    /// It goes.
    Delete,
    /// A user comes into a group.
    AddMember,
    /// A user leaves a group.
    RemoveMember,
    /// The policies of a permission set change.
    SetPolicies,
    /// A permission set is brought into accounts.
    Provision,
    /// A principal gets a permission set in an account.
    Assign,
    /// A principal loses it.
    Revoke,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 9] = [
        Operation::Create,
        Operation::Update,
        Operation::Delete,
        Operation::AddMember,
        Operation::RemoveMember,
        Operation::SetPolicies,
        Operation::Provision,
        Operation::Assign,
        Operation::Revoke,
    ];

    /// The word for it: `create`, `add-member` ...
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Delete => "delete",
            Operation::AddMember => "add-member",
            Operation::RemoveMember => "remove-member",
            Operation::SetPolicies => "set-policies",
            Operation::Provision => "provision",
            Operation::Assign => "assign",
            Operation::Revoke => "revoke",
        }
    }

    /// Understands the word, with dashes or underscores, and the verbs of the policy commands.
    pub fn parse(word: &str) -> Option<Operation> {
        let word = word.trim().to_ascii_lowercase().replace('_', "-");
        match word.as_str() {
            "attach" | "detach" | "put-inline" | "delete-inline" => Some(Operation::SetPolicies),
            _ => Operation::ALL.into_iter().find(|operation| operation.as_str() == word),
        }
    }

    /// The resources that it can happen to.
    pub fn resources(self) -> &'static [Resource] {
        match self {
            Operation::Create | Operation::Update | Operation::Delete => {
                &[Resource::User, Resource::Group, Resource::PermissionSet]
            }
            Operation::AddMember | Operation::RemoveMember => &[Resource::Group],
            Operation::SetPolicies | Operation::Provision => &[Resource::PermissionSet],
            Operation::Assign | Operation::Revoke => &[Resource::Assignment],
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change, with what is known of the thing before and after it. What is `None` is not known, and then globs serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    resource: Resource,
    operation: Operation,
    /// The id or ARN; for an assignment the permission set's. Nothing that is about to be created has one.
    id: Option<String>,
    names: Vec<String>,
    /// Whether `names` are all names that are concerned.
    names_known: bool,
    member: Option<String>,
    account: Option<String>,
    principal: Option<(String, String)>,
    groups: Option<Vec<String>>,
    members: Option<Vec<String>>,
    accounts: Option<Vec<String>>,
    pairs: Option<Vec<(String, String)>>,
}

impl ChangeEvent {
    /// Something happens to the thing with this id (an assignment goes by its permission set).
    pub fn new(resource: Resource, operation: Operation, id: &str) -> ChangeEvent {
        ChangeEvent {
            resource,
            operation,
            id: Some(id.to_owned()),
            names: Vec::new(),
            names_known: false,
            member: None,
            account: None,
            principal: None,
            groups: None,
            members: None,
            accounts: None,
            pairs: None,
        }
    }

    /// Something is created, and AWS will say under which id.
    pub fn unborn(resource: Resource) -> ChangeEvent {
        ChangeEvent { id: None, names_known: true, ..ChangeEvent::new(resource, Operation::Create, "") }
    }

    /// The id under which it was created.
    #[must_use]
    pub fn born(self, id: &str) -> ChangeEvent {
        ChangeEvent { id: Some(id.to_owned()), ..self }
    }

    /// It bears this name from now on.
    #[must_use]
    pub fn named(mut self, name: &str) -> ChangeEvent {
        self.names.push(name.to_owned());
        self
    }

    /// It bore this name until now; with that all names are known.
    #[must_use]
    pub fn was_named(self, name: &str) -> ChangeEvent {
        ChangeEvent { names_known: true, ..self }.named(name)
    }

    /// Its name stays what it is.
    #[must_use]
    pub fn not_renamed(self) -> ChangeEvent {
        ChangeEvent { names_known: true, ..self }
    }

    /// Whether what was there before the change would make it more exact.
    pub fn wants_image(&self) -> bool {
        let whole = self.names_known || !matches!(self.resource, Resource::User | Resource::Group);
        match self.operation {
            Operation::Delete => true,
            Operation::Update => !whole,
            _ => false,
        }
    }

    /// With what AWS answered: the id of what was created.
    #[must_use]
    pub fn after(self, answer: &serde_json::Value) -> ChangeEvent {
        if self.id.is_some() {
            return self;
        }
        match ["UserId", "GroupId", "PermissionSetArn"].into_iter().find_map(|field| answer[field].as_str()) {
            Some(id) => self.born(id),
            None => self,
        }
    }

    /// Without the state before the change: another user has changed it since.
    #[must_use]
    pub fn forget_image(self) -> ChangeEvent {
        let names_known = self.names_known && self.operation != Operation::Delete && self.names.is_empty();
        ChangeEvent { names_known, groups: None, members: None, accounts: None, pairs: None, ..self }
    }

    /// The user who comes or goes.
    #[must_use]
    pub fn with_member(self, user: &str) -> ChangeEvent {
        ChangeEvent { member: Some(user.to_owned()), ..self }
    }

    /// The account in which it happens.
    #[must_use]
    pub fn in_account(self, account: &str) -> ChangeEvent {
        ChangeEvent { account: Some(account.to_owned()), ..self }
    }

    /// The principal (`USER` or `GROUP`, and its id) that it happens to.
    #[must_use]
    pub fn to_principal(self, kind: &str, id: &str) -> ChangeEvent {
        ChangeEvent { principal: Some((kind.to_owned(), id.to_owned())), ..self }
    }

    /// All groups that the user was in.
    #[must_use]
    pub fn was_in_groups(self, groups: Vec<String>) -> ChangeEvent {
        ChangeEvent { groups: Some(groups), ..self }
    }

    /// All users who were in the group.
    #[must_use]
    pub fn had_members(self, members: Vec<String>) -> ChangeEvent {
        ChangeEvent { members: Some(members), ..self }
    }

    /// All accounts that the permission set was in.
    #[must_use]
    pub fn was_in_accounts(self, accounts: Vec<String>) -> ChangeEvent {
        ChangeEvent { accounts: Some(accounts), ..self }
    }

    /// All pairs of account and permission set that the principal was assigned.
    #[must_use]
    pub fn had_assignments(self, pairs: Vec<(String, String)>) -> ChangeEvent {
        ChangeEvent { pairs: Some(pairs), ..self }
    }
}

/// A key, or a glob over keys, whose entries are outdated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dirt {
    /// One key.
    Key(Key),
    /// A pattern over whole keys.
    Glob(String),
}

impl Dirt {
    /// It as a selection of one space, or of all.
    pub fn select(&self, space: Option<&str>) -> Select {
        match (self, space) {
            (Dirt::Key(key), Some(space)) => Select::Exact { space: space.to_owned(), key: key.as_str().to_owned() },
            // A key holds no wildcard: as a pattern it matches itself alone.
            (Dirt::Key(key), None) => Select::Glob { space: None, pattern: key.as_str().to_owned() },
            (Dirt::Glob(pattern), space) => Select::Glob { space: space.map(str::to_owned), pattern: pattern.clone() },
        }
    }
}

impl fmt::Display for Dirt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dirt::Key(key) => key.fmt(f),
            Dirt::Glob(pattern) => f.write_str(pattern),
        }
    }
}

/// What an event makes false, sorted; empty only for what cannot happen (see [`Operation::resources`]).
pub fn dirty(event: &ChangeEvent) -> Vec<Dirt> {
    let mut dirt = match event.resource {
        Resource::User => user(event),
        Resource::Group => group(event),
        Resource::PermissionSet => permission_set(event),
        Resource::Assignment => assignment(event),
        Resource::Account | Resource::Ou | Resource::Instance | Resource::Custom => Vec::new(),
    };
    dirt.sort_unstable();
    dirt.dedup();
    dirt
}

fn user(event: &ChangeEvent) -> Vec<Dirt> {
    let mut dirt = thing(event, "list");
    dirt.extend(one_or_all(Resource::User, "describe", event.id.as_deref(), event));
    dirt.extend(names(event));
    if event.operation == Operation::Delete {
        dirt.extend(one_or_all(Resource::User, "groups", event.id.as_deref(), event));
        dirt.extend(each_or_all(Resource::Group, "members", event.groups.as_deref()));
        dirt.extend(principal("USER", event.id.as_deref()));
        dirt.extend(pairs(event));
    }
    dirt
}

fn group(event: &ChangeEvent) -> Vec<Dirt> {
    if matches!(event.operation, Operation::AddMember | Operation::RemoveMember) {
        let mut dirt = one_or_all(Resource::Group, "members", event.id.as_deref(), event);
        dirt.extend(one_or_all(Resource::User, "groups", event.member.as_deref(), event));
        dirt.extend(principal("USER", event.member.as_deref()));
        return dirt;
    }
    let mut dirt = thing(event, "list");
    dirt.extend(one_or_all(Resource::Group, "describe", event.id.as_deref(), event));
    dirt.extend(names(event));
    if event.operation == Operation::Delete {
        dirt.extend(one_or_all(Resource::Group, "members", event.id.as_deref(), event));
        dirt.extend(each_or_all(Resource::User, "groups", event.members.as_deref()));
        dirt.extend(principal("GROUP", event.id.as_deref()));
        dirt.extend(principal("USER", None));
        dirt.extend(pairs(event));
    }
    dirt
}

fn permission_set(event: &ChangeEvent) -> Vec<Dirt> {
    let arn = event.id.as_deref();
    let describe = |operation| one_or_all(Resource::PermissionSet, operation, arn, event);
    match event.operation {
        Operation::SetPolicies => describe("policies"),
        Operation::Provision => {
            let mut dirt = describe("accounts");
            let account = event.account.as_ref().map(std::slice::from_ref);
            dirt.extend(each_or_all(Resource::Account, "permission_sets", account));
            dirt
        }
        Operation::Delete => {
            let mut dirt = thing(event, "list");
            for operation in ["describe", "policies", "accounts"] {
                dirt.extend(describe(operation));
            }
            dirt.extend(each_or_all(Resource::Account, "permission_sets", event.accounts.as_deref()));
            dirt.push(assignments(None, arn));
            // AWS refuses to delete one that is assigned; what a principal had of it is gone with it all the same.
            dirt.extend([principal_of("USER", None), principal_of("GROUP", None)]);
            dirt
        }
        _ => {
            let mut dirt = thing(event, "list");
            dirt.extend(describe("describe"));
            dirt
        }
    }
}

fn assignment(event: &ChangeEvent) -> Vec<Dirt> {
    let (arn, account) = (event.id.as_deref(), event.account.as_deref());
    let mut dirt = vec![assignments(account, arn)];
    dirt.extend(one_or_all(Resource::PermissionSet, "accounts", arn, event));
    dirt.extend(one_or_all(Resource::Account, "permission_sets", account, event));
    match &event.principal {
        Some((kind, id)) => {
            dirt.push(principal_of(kind, Some(id)));
            if kind == "GROUP" {
                dirt.push(principal_of("USER", None));
            }
        }
        None => dirt.extend([principal_of("USER", None), principal_of("GROUP", None)]),
    }
    dirt
}

/// The list that the thing stands in.
fn thing(event: &ChangeEvent, list: &str) -> Vec<Dirt> {
    vec![Dirt::Key(Key::new(event.resource, list, "all"))]
}

/// The key of `id`; every key of the operation when the id is not known, and none for what is about to be created.
fn one_or_all(resource: Resource, operation: &str, id: Option<&str>, event: &ChangeEvent) -> Vec<Dirt> {
    match id {
        Some(id) => vec![Dirt::Key(Key::new(resource, operation, id))],
        None if event.operation == Operation::Create => Vec::new(),
        None => vec![all(resource, operation)],
    }
}

fn each_or_all(resource: Resource, operation: &str, ids: Option<&[String]>) -> Vec<Dirt> {
    match ids {
        Some(ids) => ids.iter().map(|id| Dirt::Key(Key::new(resource, operation, id))).collect(),
        None => vec![all(resource, operation)],
    }
}

fn all(resource: Resource, operation: &str) -> Dirt {
    Dirt::Glob(format!("{}:{}:*", resource.as_str(), component(operation)))
}

fn names(event: &ChangeEvent) -> Vec<Dirt> {
    let mut dirt: Vec<Dirt> = event
        .names
        .iter()
        .map(|name| Dirt::Glob(format!("{}:by_name:{}", event.resource.as_str(), any_case(&component(name)))))
        .collect();
    if !event.names_known {
        dirt.push(all(event.resource, "by_name"));
    }
    dirt
}

/// The assignments of a principal, or of all of its kind.
fn principal(kind: &str, id: Option<&str>) -> Vec<Dirt> {
    vec![principal_of(kind, id)]
}

fn principal_of(kind: &str, id: Option<&str>) -> Dirt {
    match id {
        Some(id) => Dirt::Key(Key::new(Resource::Assignment, "by_principal", kind).with(id)),
        None => Dirt::Glob(format!("assignment:by_principal:{kind}:*")),
    }
}

/// The assignments in an account, of a permission set, or of both.
fn assignments(account: Option<&str>, arn: Option<&str>) -> Dirt {
    match (account, arn) {
        (Some(account), Some(arn)) => Dirt::Key(Key::new(Resource::Assignment, "list", account).with(arn)),
        (account, arn) => {
            let part = |text: Option<&str>| text.map_or_else(|| "*".to_owned(), component);
            Dirt::Glob(format!("assignment:list:{}:{}", part(account), part(arn)))
        }
    }
}

/// AWS shows what a deleted principal was assigned, but does not document for how long.
fn pairs(event: &ChangeEvent) -> Vec<Dirt> {
    match &event.pairs {
        Some(pairs) => pairs.iter().map(|(account, arn)| assignments(Some(account), Some(arn))).collect(),
        None => vec![assignments(None, None)],
    }
}

/// An encoded component as a glob that takes every spelling of it: AWS compares names without case: a read that
/// asked for `Alice` found none until `alice` was created.
fn any_case(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len() * 4);
    let mut escape = 0;
    for c in encoded.chars() {
        if c == '%' {
            escape = 3;
        }
        let mut variants: Vec<char> = vec![c];
        if escape == 0 {
            variants.extend(c.to_lowercase().chain(c.to_uppercase()));
            variants.sort_unstable();
            variants.dedup();
        } else {
            escape -= 1;
        }
        match variants.as_slice() {
            [one] => out.push(*one),
            several => {
                out.push('[');
                out.extend(several);
                out.push(']');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
