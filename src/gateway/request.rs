//! What can be asked, and the key that its answer has.
//!
//! One request, one key; two requests that could be answered differently have different keys, and a key leads back
//! to its request.

use super::api::{GetCall, ListCall, PrincipalKind};
use crate::cache::{Key, decode};
use crate::config::WarmTarget;
use crate::model::Resource;

/// A question whose answer is one JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// All users: an array of User objects.
    Users,
    /// One user by id.
    User(String),
    /// The id behind a user name: `{"UserId": ...}`.
    UserByName(String),
    /// The memberships of a user, by id: an array.
    UserGroups(String),
    /// All groups: an array of Group objects.
    Groups,
    /// One group by id.
    Group(String),
    /// The id behind a display name: `{"GroupId": ...}`.
    GroupByName(String),
    /// The memberships of a group, by id: an array.
    GroupMembers(String),
    /// All permission sets: an array of `DescribePermissionSet` objects.
    PermissionSets,
    /// One permission set by ARN.
    PermissionSet(String),
    /// `{ManagedPolicies, CustomerManagedPolicies, InlinePolicy, PermissionsBoundary}` of an ARN.
    PermissionSetPolicies(String),
    /// The ids of the accounts that a permission set (ARN) is provisioned to: an array of strings.
    PermissionSetAccounts(String),
    /// The ARNs of the permission sets provisioned to an account: an array of strings.
    AccountPermissionSets(String),
    /// All accounts of the organization: an array of Account objects.
    Accounts,
    /// One account by id.
    Account(String),
    /// All organizational units, roots included: an array of `{Id, Arn, Name, ParentId, Path}`.
    Ous,
    /// The assignments of one permission set in one account: an array.
    Assignments {
        /// The account id.
        account: String,
        /// The permission set's ARN.
        permission_set: String,
    },
    /// The assignments of one principal in all accounts: an array.
    PrincipalAssignments {
        /// USER or GROUP.
        kind: PrincipalKind,
        /// The id of the user or group.
        id: String,
    },
}

impl Request {
    /// The key of its answer.
    pub fn key(&self) -> Key {
        use Resource::{Account, Assignment, Group, Ou, PermissionSet, User};
        match self {
            Request::Users => Key::new(User, "list", "all"),
            Request::User(id) => Key::new(User, "describe", id),
            Request::UserByName(name) => Key::new(User, "by_name", name),
            Request::UserGroups(id) => Key::new(User, "groups", id),
            Request::Groups => Key::new(Group, "list", "all"),
            Request::Group(id) => Key::new(Group, "describe", id),
            Request::GroupByName(name) => Key::new(Group, "by_name", name),
            Request::GroupMembers(id) => Key::new(Group, "members", id),
            Request::PermissionSets => Key::new(PermissionSet, "list", "all"),
            Request::PermissionSet(arn) => Key::new(PermissionSet, "describe", arn),
            Request::PermissionSetPolicies(arn) => Key::new(PermissionSet, "policies", arn),
            Request::PermissionSetAccounts(arn) => Key::new(PermissionSet, "accounts", arn),
            Request::AccountPermissionSets(account) => Key::new(Account, "permission_sets", account),
            Request::Accounts => Key::new(Account, "list", "all"),
            Request::Account(id) => Key::new(Account, "describe", id),
            Request::Ous => Key::new(Ou, "list", "all"),
            Request::Assignments { account, permission_set } => {
                Key::new(Assignment, "list", account).with(permission_set)
            }
            Request::PrincipalAssignments { kind, id } => Key::new(Assignment, "by_principal", kind.as_str()).with(id),
        }
    }

    /// The request whose answer is stored under `key`; `None` for what AWS was not asked: another version's keys, those of
    /// users of the library, and texts that no request has as its key.
    pub fn of_key(key: &str) -> Option<Request> {
        let parts: Vec<String> = key.split(':').map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let own = |text: &str| text.to_owned();
        let request = match parts.as_slice() {
            ["user", "list", "all"] => Request::Users,
            ["user", "describe", id] => Request::User(own(id)),
            ["user", "by_name", name] => Request::UserByName(own(name)),
            ["user", "groups", id] => Request::UserGroups(own(id)),
            ["group", "list", "all"] => Request::Groups,
            ["group", "describe", id] => Request::Group(own(id)),
            ["group", "by_name", name] => Request::GroupByName(own(name)),
            ["group", "members", id] => Request::GroupMembers(own(id)),
            ["permission_set", "list", "all"] => Request::PermissionSets,
            ["permission_set", "describe", arn] => Request::PermissionSet(own(arn)),
            ["permission_set", "policies", arn] => Request::PermissionSetPolicies(own(arn)),
            ["permission_set", "accounts", arn] => Request::PermissionSetAccounts(own(arn)),
            ["account", "permission_sets", id] => Request::AccountPermissionSets(own(id)),
            ["account", "list", "all"] => Request::Accounts,
            ["account", "describe", id] => Request::Account(own(id)),
            ["ou", "list", "all"] => Request::Ous,
            ["assignment", "list", account, arn] => {
                Request::Assignments { account: own(account), permission_set: own(arn) }
            }
            ["assignment", "by_principal", kind, id] => {
                let kinds = [PrincipalKind::User, PrincipalKind::Group];
                let kind = kinds.into_iter().find(|known| known.as_str() == *kind)?;
                Request::PrincipalAssignments { kind, id: own(id) }
            }
            _ => return None,
        };
        // Only what leads back to exactly this key was stored for that request.
        (request.key().as_str() == key).then_some(request)
    }

    /// The resource it is about, for statistics.
    pub fn resource(&self) -> Resource {
        match self {
            Request::Users | Request::User(_) | Request::UserByName(_) | Request::UserGroups(_) => Resource::User,
            Request::Groups | Request::Group(_) | Request::GroupByName(_) | Request::GroupMembers(_) => Resource::Group,
            Request::PermissionSets
            | Request::PermissionSet(_)
            | Request::PermissionSetPolicies(_)
            | Request::PermissionSetAccounts(_) => Resource::PermissionSet,
            Request::Accounts | Request::Account(_) | Request::AccountPermissionSets(_) => Resource::Account,
            Request::Ous => Resource::Ou,
            Request::Assignments { .. } | Request::PrincipalAssignments { .. } => Resource::Assignment,
        }
    }

    /// The call that gives its answer, or the first of several.
    pub fn call(&self) -> &'static str {
        let none = String::new;
        match self {
            Request::Users => ListCall::Users.operation(),
            Request::User(_) => GetCall::User(none()).operation(),
            Request::UserByName(_) => GetCall::UserIdByName(none()).operation(),
            Request::UserGroups(_) => ListCall::MembershipsForMember(none()).operation(),
            Request::Groups => ListCall::Groups.operation(),
            Request::Group(_) => GetCall::Group(none()).operation(),
            Request::GroupByName(_) => GetCall::GroupIdByName(none()).operation(),
            Request::GroupMembers(_) => ListCall::GroupMemberships(none()).operation(),
            Request::PermissionSets => ListCall::PermissionSets.operation(),
            Request::PermissionSet(_) => GetCall::PermissionSet(none()).operation(),
            Request::PermissionSetPolicies(_) => ListCall::ManagedPolicies(none()).operation(),
            Request::PermissionSetAccounts(_) => ListCall::ProvisionedAccounts(none()).operation(),
            Request::AccountPermissionSets(_) => ListCall::ProvisionedPermissionSets(none()).operation(),
            Request::Accounts => ListCall::Accounts.operation(),
            Request::Account(_) => GetCall::Account(none()).operation(),
            Request::Ous => ListCall::OrganizationalUnits(none()).operation(),
            Request::Assignments { .. } => {
                ListCall::Assignments { account: none(), permission_set: none() }.operation()
            }
            Request::PrincipalAssignments { kind, .. } => {
                ListCall::AssignmentsForPrincipal { kind: *kind, id: none() }.operation()
            }
        }
    }

    /// The warm that stores its answer whatever way it takes; assignments are warmed by pairs or by principals.
    pub fn warmed_by(&self) -> Option<WarmTarget> {
        match self {
            Request::Users | Request::User(_) | Request::UserByName(_) => Some(WarmTarget::Users),
            Request::Groups | Request::Group(_) | Request::GroupByName(_) => Some(WarmTarget::Groups),
            Request::GroupMembers(_) => Some(WarmTarget::Memberships),
            Request::PermissionSets | Request::PermissionSet(_) => Some(WarmTarget::PermissionSets),
            Request::Accounts | Request::Account(_) => Some(WarmTarget::Accounts),
            Request::UserGroups(_)
            | Request::PermissionSetPolicies(_)
            | Request::PermissionSetAccounts(_)
            | Request::AccountPermissionSets(_)
            | Request::Ous
            | Request::Assignments { .. }
            | Request::PrincipalAssignments { .. } => None,
        }
    }

    /// What it asks for, in words for errors.
    pub fn subject(&self) -> String {
        match self {
            Request::Users => "the users".into(),
            Request::User(id) => format!("user {id}"),
            Request::UserByName(name) => format!("user `{name}`"),
            Request::UserGroups(id) => format!("the groups of user {id}"),
            Request::Groups => "the groups".into(),
            Request::Group(id) => format!("group {id}"),
            Request::GroupByName(name) => format!("group `{name}`"),
            Request::GroupMembers(id) => format!("the members of group {id}"),
            Request::PermissionSets => "the permission sets".into(),
            Request::PermissionSet(arn) => format!("permission set {arn}"),
            Request::PermissionSetPolicies(arn) => format!("the policies of permission set {arn}"),
            Request::PermissionSetAccounts(arn) => format!("the accounts of permission set {arn}"),
            Request::AccountPermissionSets(account) => format!("the permission sets of account {account}"),
            Request::Accounts => "the accounts".into(),
            Request::Account(id) => format!("account {id}"),
            Request::Ous => "the organizational units".into(),
            Request::Assignments { account, permission_set } => {
                format!("the assignments of permission set {permission_set} in account {account}")
            }
            Request::PrincipalAssignments { kind, id } => {
                format!("the assignments of {} {id}", kind.as_str().to_ascii_lowercase())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests() -> impl Strategy<Value = Request> {
        let text = || "[a-zA-Z0-9:%*?#/ ~\\[\\]é-]{0,12}|all|arn:aws:sso:::permissionSet/ssoins-1/ps-1";
        let kind = prop_oneof![Just(PrincipalKind::User), Just(PrincipalKind::Group)];
        prop_oneof![
            prop::sample::select(vec![
                Request::Users,
                Request::Groups,
                Request::PermissionSets,
                Request::Accounts,
                Request::Ous
            ]),
            text().prop_map(Request::User),
            text().prop_map(Request::UserByName),
            text().prop_map(Request::UserGroups),
            text().prop_map(Request::Group),
            text().prop_map(Request::GroupByName),
            text().prop_map(Request::GroupMembers),
            text().prop_map(Request::PermissionSet),
            text().prop_map(Request::PermissionSetPolicies),
            text().prop_map(Request::PermissionSetAccounts),
            text().prop_map(Request::AccountPermissionSets),
            text().prop_map(Request::Account),
            (text(), text()).prop_map(|(account, permission_set)| Request::Assignments { account, permission_set }),
            (kind, text()).prop_map(|(kind, id)| Request::PrincipalAssignments { kind, id }),
        ]
    }

    proptest! {
        #[test]
        fn a_key_leads_back_to_its_request_and_to_no_other(request in requests(), other in requests()) {
            prop_assert_eq!(Request::of_key(request.key().as_str()), Some(request.clone()));
            prop_assert_eq!(request == other, request.key() == other.key());
        }

        #[test]
        fn what_no_request_has_as_its_key_leads_to_none(text in "(user|group|assignment|ou|x)(:[a-z%0-9A-F:*#]{0,6}){0,4}") {
            if let Some(request) = Request::of_key(&text) {
                let key = request.key();
                prop_assert_eq!(key.as_str(), text);
            }
        }
    }

    #[test]
    fn keys_of_others_lead_to_no_request() {
        let texts = ["", "user", "user:list", "user:list:some", "user:list:all:#0123", "thread_key_1", "USER:list:all"];
        // A spelling that the key itself does not use is another entry.
        for text in
            texts.into_iter().chain(["user:describe:%61", "user:by_name:a%3a", "assignment:by_principal:user:x"])
        {
            assert_eq!(Request::of_key(text), None, "{text}");
        }
    }
}
