//! The changes that AWS can make: one variant for each request.
//!
//! Each variant has an operation, a description for messages, a request as JSON and the keys that it invalidates in the
//! cache; adding one without all four does not compile.

use super::principal_kind::PrincipalKind;
use crate::cache::{ChangeEvent, Operation};
use crate::model::Resource;
use serde_json::{Map, Value, json};

/// The person to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// `UserName`: what the person signs in with.
    pub user_name: String,
    /// `DisplayName`.
    pub display_name: String,
    /// `Name.GivenName`.
    pub given_name: String,
    /// `Name.FamilyName`.
    pub family_name: String,
    /// The primary address.
    pub email: Option<String>,
}

/// One attribute of a user or group and its new value; `None` removes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// `userName`, `displayName`, `name.givenName`, `emails` ...: the paths of the Identity Store API.
    pub path: String,
    /// The new value.
    pub value: Option<Value>,
}

/// The permission set to create, or the fields to change (`None` keeps a field).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetFields {
    /// `Description`.
    pub description: Option<String>,
    /// `SessionDuration` as ISO 8601 (`PT8H`).
    pub session_duration: Option<String>,
    /// `RelayState`.
    pub relay_state: Option<String>,
}

/// One permission set for one principal in one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    /// The account id.
    pub account: String,
    /// The permission set's ARN.
    pub permission_set: String,
    /// USER or GROUP.
    pub kind: PrincipalKind,
    /// The id of the user or group.
    pub principal: String,
}

/// A request that changes something.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// `identitystore CreateUser`: answers `{UserId}`.
    CreateUser(NewUser),
    /// `identitystore UpdateUser` of a user id.
    UpdateUser {
        /// The user.
        id: String,
        /// What shall change.
        attributes: Vec<Attribute>,
        /// The revision that must still be the current one; `None` updates any.
        revision: Option<String>,
    },
    /// `identitystore DeleteUser` of a user id.
    DeleteUser {
        /// The user.
        id: String,
        /// The revision that must still be the current one; `None` deletes any.
        revision: Option<String>,
    },
    /// `identitystore CreateGroup`: answers `{GroupId}`.
    CreateGroup {
        /// `DisplayName`.
        name: String,
        /// `Description`.
        description: Option<String>,
    },
    /// `identitystore UpdateGroup` of a group id.
    UpdateGroup {
        /// The group.
        id: String,
        /// What shall change.
        attributes: Vec<Attribute>,
        /// The revision that must still be the current one; `None` updates any.
        revision: Option<String>,
    },
    /// `identitystore DeleteGroup` of a group id.
    DeleteGroup {
        /// The group.
        id: String,
        /// The revision that must still be the current one; `None` deletes any.
        revision: Option<String>,
    },
    /// `identitystore CreateGroupMembership`: answers `{MembershipId}`.
    AddMember {
        /// The group's id.
        group: String,
        /// The user's id.
        user: String,
    },
    /// `identitystore DeleteGroupMembership`; the id is read from AWS first.
    RemoveMember {
        /// The id of the membership.
        membership: String,
        /// The group's id.
        group: String,
        /// The user's id.
        user: String,
    },
    /// `sso-admin CreatePermissionSet`: answers the `PermissionSet` object.
    CreatePermissionSet {
        /// `Name`.
        name: String,
        /// The rest.
        fields: SetFields,
    },
    /// `sso-admin UpdatePermissionSet`.
    UpdatePermissionSet {
        /// Its ARN.
        arn: String,
        /// What shall change.
        fields: SetFields,
    },
    /// `sso-admin DeletePermissionSet` of an ARN.
    DeletePermissionSet(String),
    /// `sso-admin AttachManagedPolicyToPermissionSet`.
    AttachManagedPolicy {
        /// The permission set's ARN.
        arn: String,
        /// The policy's ARN.
        policy: String,
    },
    /// `sso-admin DetachManagedPolicyFromPermissionSet`.
    DetachManagedPolicy {
        /// The permission set's ARN.
        arn: String,
        /// The policy's ARN.
        policy: String,
    },
    /// `sso-admin AttachCustomerManagedPolicyReferenceToPermissionSet`.
    AttachCustomerPolicy {
        /// The permission set's ARN.
        arn: String,
        /// The name that the policy has in each account.
        name: String,
        /// Its path; default `/`.
        path: String,
    },
    /// `sso-admin DetachCustomerManagedPolicyReferenceFromPermissionSet`.
    DetachCustomerPolicy {
        /// The permission set's ARN.
        arn: String,
        /// The name that the policy has in each account.
        name: String,
        /// Its path.
        path: String,
    },
    /// `sso-admin PutInlinePolicyToPermissionSet`.
    PutInlinePolicy {
        /// The permission set's ARN.
        arn: String,
        /// The policy document, JSON as text.
        document: String,
    },
    /// `sso-admin DeleteInlinePolicyFromPermissionSet` of an ARN.
    DeleteInlinePolicy(String),
    /// `sso-admin ProvisionPermissionSet`; asynchronous.
    Provision {
        /// The permission set's ARN.
        arn: String,
        /// One account; `None` is all that have it.
        account: Option<String>,
    },
    /// `sso-admin CreateAccountAssignment`; asynchronous.
    Assign(Grant),
    /// `sso-admin DeleteAccountAssignment`; asynchronous.
    Revoke(Grant),
}

/// An asynchronous request, whose status can be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pending {
    /// `DescribeAccountAssignmentCreationStatus`.
    Creation,
    /// `DescribeAccountAssignmentDeletionStatus`.
    Deletion,
    /// `DescribePermissionSetProvisioningStatus`.
    Provisioning,
}

impl Mutation {
    /// `AWSIdentityStore.CreateUser`: the service's target prefix and the operation, as on the wire.
    pub fn operation(&self) -> &'static str {
        match self {
            Mutation::CreateUser(_) => "AWSIdentityStore.CreateUser",
            Mutation::UpdateUser { .. } => "AWSIdentityStore.UpdateUser",
            Mutation::DeleteUser { .. } => "AWSIdentityStore.DeleteUser",
            Mutation::CreateGroup { .. } => "AWSIdentityStore.CreateGroup",
            Mutation::UpdateGroup { .. } => "AWSIdentityStore.UpdateGroup",
            Mutation::DeleteGroup { .. } => "AWSIdentityStore.DeleteGroup",
            Mutation::AddMember { .. } => "AWSIdentityStore.CreateGroupMembership",
            Mutation::RemoveMember { .. } => "AWSIdentityStore.DeleteGroupMembership",
            Mutation::CreatePermissionSet { .. } => "SWBExternalService.CreatePermissionSet",
            Mutation::UpdatePermissionSet { .. } => "SWBExternalService.UpdatePermissionSet",
            Mutation::DeletePermissionSet(_) => "SWBExternalService.DeletePermissionSet",
            Mutation::AttachManagedPolicy { .. } => "SWBExternalService.AttachManagedPolicyToPermissionSet",
            Mutation::DetachManagedPolicy { .. } => "SWBExternalService.DetachManagedPolicyFromPermissionSet",
            Mutation::AttachCustomerPolicy { .. } => {
                "SWBExternalService.AttachCustomerManagedPolicyReferenceToPermissionSet"
            }
            Mutation::DetachCustomerPolicy { .. } => {
                "SWBExternalService.DetachCustomerManagedPolicyReferenceFromPermissionSet"
            }
            Mutation::PutInlinePolicy { .. } => "SWBExternalService.PutInlinePolicyToPermissionSet",
            Mutation::DeleteInlinePolicy(_) => "SWBExternalService.DeleteInlinePolicyFromPermissionSet",
            Mutation::Provision { .. } => "SWBExternalService.ProvisionPermissionSet",
            Mutation::Assign(_) => "SWBExternalService.CreateAccountAssignment",
            Mutation::Revoke(_) => "SWBExternalService.DeleteAccountAssignment",
        }
    }

    /// Whether AWS makes it only while its object has the revision that it names.
    pub fn is_conditional(&self) -> bool {
        match self {
            Mutation::UpdateUser { revision, .. }
            | Mutation::DeleteUser { revision, .. }
            | Mutation::UpdateGroup { revision, .. }
            | Mutation::DeleteGroup { revision, .. } => revision.is_some(),
            _ => false,
        }
    }

    /// How to poll its status, if the request is asynchronous.
    pub fn pending(&self) -> Option<Pending> {
        match self {
            Mutation::Assign(_) => Some(Pending::Creation),
            Mutation::Revoke(_) => Some(Pending::Deletion),
            Mutation::Provision { .. } => Some(Pending::Provisioning),
            _ => None,
        }
    }

    /// What it is about, in words for errors and the journal.
    pub fn subject(&self) -> String {
        match self {
            Mutation::CreateUser(user) => format!("user `{}`", user.user_name),
            Mutation::UpdateUser { id, .. } | Mutation::DeleteUser { id, .. } => format!("user {id}"),
            Mutation::CreateGroup { name, .. } => format!("group `{name}`"),
            Mutation::UpdateGroup { id, .. } | Mutation::DeleteGroup { id, .. } => format!("group {id}"),
            Mutation::AddMember { group, user } | Mutation::RemoveMember { group, user, .. } => {
                format!("user {user} in group {group}")
            }
            Mutation::CreatePermissionSet { name, .. } => format!("permission set `{name}`"),
            Mutation::UpdatePermissionSet { arn, .. }
            | Mutation::DeletePermissionSet(arn)
            | Mutation::PutInlinePolicy { arn, .. }
            | Mutation::DeleteInlinePolicy(arn) => format!("permission set {arn}"),
            Mutation::AttachManagedPolicy { arn, policy } | Mutation::DetachManagedPolicy { arn, policy } => {
                format!("policy {policy} of permission set {arn}")
            }
            Mutation::AttachCustomerPolicy { arn, name, .. } | Mutation::DetachCustomerPolicy { arn, name, .. } => {
                format!("policy `{name}` of permission set {arn}")
            }
            Mutation::Provision { arn, account: Some(account) } => format!("permission set {arn} in account {account}"),
            Mutation::Provision { arn, account: None } => format!("permission set {arn} in all its accounts"),
            Mutation::Assign(grant) | Mutation::Revoke(grant) => {
                let Grant { account, permission_set, kind, principal } = grant;
                let kind = kind.as_str().to_ascii_lowercase();
                format!("permission set {permission_set} for {kind} {principal} in account {account}")
            }
        }
    }

    /// What it asks for, with the field names of the API: what the journal keeps.
    pub fn request(&self) -> Value {
        match self {
            Mutation::CreateUser(user) => json!({
                "UserName": user.user_name, "DisplayName": user.display_name,
                "Name": {"GivenName": user.given_name, "FamilyName": user.family_name}, "Email": user.email,
            }),
            Mutation::UpdateUser { id, attributes, revision } => {
                conditional(json!({"UserId": id, "Operations": operations(attributes)}), revision.as_ref())
            }
            Mutation::DeleteUser { id, revision } => conditional(json!({"UserId": id}), revision.as_ref()),
            Mutation::CreateGroup { name, description } => json!({"DisplayName": name, "Description": description}),
            Mutation::UpdateGroup { id, attributes, revision } => {
                conditional(json!({"GroupId": id, "Operations": operations(attributes)}), revision.as_ref())
            }
            Mutation::DeleteGroup { id, revision } => conditional(json!({"GroupId": id}), revision.as_ref()),
            Mutation::AddMember { group, user } => json!({"GroupId": group, "MemberId": {"UserId": user}}),
            Mutation::RemoveMember { membership, group, user } => {
                json!({"MembershipId": membership, "GroupId": group, "MemberId": {"UserId": user}})
            }
            Mutation::CreatePermissionSet { name, fields } => {
                let mut request = set_fields(fields);
                request.insert("Name".into(), json!(name));
                Value::Object(request)
            }
            Mutation::UpdatePermissionSet { arn, fields } => {
                let mut request = set_fields(fields);
                request.insert("PermissionSetArn".into(), json!(arn));
                Value::Object(request)
            }
            Mutation::DeletePermissionSet(arn) | Mutation::DeleteInlinePolicy(arn) => json!({"PermissionSetArn": arn}),
            Mutation::AttachManagedPolicy { arn, policy } | Mutation::DetachManagedPolicy { arn, policy } => {
                json!({"PermissionSetArn": arn, "ManagedPolicyArn": policy})
            }
            Mutation::AttachCustomerPolicy { arn, name, path } | Mutation::DetachCustomerPolicy { arn, name, path } => {
                json!({"PermissionSetArn": arn, "CustomerManagedPolicyReference": {"Name": name, "Path": path}})
            }
            Mutation::PutInlinePolicy { arn, document } => json!({"PermissionSetArn": arn, "InlinePolicy": document}),
            Mutation::Provision { arn, account } => json!({"PermissionSetArn": arn, "TargetId": account}),
            Mutation::Assign(grant) | Mutation::Revoke(grant) => json!({
                "TargetId": grant.account, "PermissionSetArn": grant.permission_set,
                "PrincipalType": grant.kind.as_str(), "PrincipalId": grant.principal,
            }),
        }
    }

    /// What it invalidates in the cache, as far as the request alone shows; `write.rs` adds what was there before.
    pub fn event(&self) -> ChangeEvent {
        let set = |operation, arn: &str| ChangeEvent::new(Resource::PermissionSet, operation, arn);
        match self {
            Mutation::CreateUser(user) => ChangeEvent::unborn(Resource::User).named(&user.user_name),
            Mutation::UpdateUser { id, attributes, .. } => {
                let event = ChangeEvent::new(Resource::User, Operation::Update, id);
                match renamed(attributes, "userName") {
                    Some(name) => event.named(&name),
                    None => event.not_renamed(),
                }
            }
            Mutation::DeleteUser { id, .. } => ChangeEvent::new(Resource::User, Operation::Delete, id),
            Mutation::CreateGroup { name, .. } => ChangeEvent::unborn(Resource::Group).named(name),
            Mutation::UpdateGroup { id, attributes, .. } => {
                let event = ChangeEvent::new(Resource::Group, Operation::Update, id);
                match renamed(attributes, "displayName") {
                    Some(name) => event.named(&name),
                    None => event.not_renamed(),
                }
            }
            Mutation::DeleteGroup { id, .. } => ChangeEvent::new(Resource::Group, Operation::Delete, id),
            Mutation::AddMember { group, user } => {
                ChangeEvent::new(Resource::Group, Operation::AddMember, group).with_member(user)
            }
            Mutation::RemoveMember { group, user, .. } => {
                ChangeEvent::new(Resource::Group, Operation::RemoveMember, group).with_member(user)
            }
            Mutation::CreatePermissionSet { name, .. } => ChangeEvent::unborn(Resource::PermissionSet).named(name),
            Mutation::UpdatePermissionSet { arn, .. } => set(Operation::Update, arn),
            Mutation::DeletePermissionSet(arn) => set(Operation::Delete, arn),
            Mutation::AttachManagedPolicy { arn, .. }
            | Mutation::DetachManagedPolicy { arn, .. }
            | Mutation::AttachCustomerPolicy { arn, .. }
            | Mutation::DetachCustomerPolicy { arn, .. }
            | Mutation::PutInlinePolicy { arn, .. }
            | Mutation::DeleteInlinePolicy(arn) => set(Operation::SetPolicies, arn),
            Mutation::Provision { arn, account } => {
                let event = set(Operation::Provision, arn);
                match account {
                    Some(account) => event.in_account(account),
                    None => event,
                }
            }
            Mutation::Assign(grant) => granted(Operation::Assign, grant),
            Mutation::Revoke(grant) => granted(Operation::Revoke, grant),
        }
    }
}

/// The request with the revision that makes it conditional, when there is one.
fn conditional(mut request: Value, revision: Option<&String>) -> Value {
    if let Some(revision) = revision {
        request["Revision"] = json!(revision);
    }
    request
}

fn granted(operation: Operation, grant: &Grant) -> ChangeEvent {
    ChangeEvent::new(Resource::Assignment, operation, &grant.permission_set)
        .in_account(&grant.account)
        .to_principal(grant.kind.as_str(), &grant.principal)
}

fn renamed(attributes: &[Attribute], path: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.path.eq_ignore_ascii_case(path))?;
    Some(found.value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn operations(attributes: &[Attribute]) -> Vec<Value> {
    attributes
        .iter()
        .map(|attribute| json!({"AttributePath": attribute.path, "AttributeValue": attribute.value}))
        .collect()
}

fn set_fields(fields: &SetFields) -> Map<String, Value> {
    let named = [
        ("Description", &fields.description),
        ("SessionDuration", &fields.session_duration),
        ("RelayState", &fields.relay_state),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect()
}
