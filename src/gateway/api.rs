//! The narrow face of AWS: pages of listings and single things, as AWS-shaped JSON.
//!
//! An item has the field names of the AWS API (`UserId`), absent fields are absent, times are RFC 3339 texts, and
//! an error is never an empty page.

use super::error::GatewayError;
use super::mutation::Mutation;
use super::mutation::Pending;
use crate::model::Namespace;
use async_trait::async_trait;
use serde_json::Value;

pub use super::principal_kind::PrincipalKind;

/// The API families that AWS meters apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// identitystore: one bucket for each operation.
    IdentityStore,
    /// sso-admin: one bucket for all operations together.
    SsoAdmin,
    /// organizations.
    Organizations,
    /// sts.
    Sts,
}

/// Something that AWS lists in pages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListCall {
    /// `sso-admin ListInstances`: `{InstanceArn, IdentityStoreId, OwnerAccountId, Name, Status, CreatedDate}`.
    Instances,
    /// `identitystore ListUsers`: whole User objects.
    Users,
    /// `identitystore ListGroups`: whole Group objects.
    Groups,
    /// `identitystore ListGroupMemberships` of a group id: `{MembershipId, GroupId, MemberId: {UserId}}`.
    GroupMemberships(String),
    /// `identitystore ListGroupMembershipsForMember` of a user id.
    MembershipsForMember(String),
    /// `sso-admin ListPermissionSets`: each item is the ARN as a JSON string.
    PermissionSets,
    /// `sso-admin ListManagedPoliciesInPermissionSet` of an ARN: `{Name, Arn}`.
    ManagedPolicies(String),
    /// `sso-admin ListCustomerManagedPolicyReferencesInPermissionSet` of an ARN: `{Name, Path}`.
    CustomerManagedPolicies(String),
    /// `sso-admin ListAccountsForProvisionedPermissionSet` of an ARN: account ids as JSON strings.
    ProvisionedAccounts(String),
    /// `sso-admin ListPermissionSetsProvisionedToAccount` of an account id: ARNs as JSON strings.
    ProvisionedPermissionSets(String),
    /// `sso-admin ListAccountAssignments`: `{AccountId, PermissionSetArn, PrincipalType, PrincipalId}`.
    Assignments {
        /// The account id.
        account: String,
        /// The permission set's ARN.
        permission_set: String,
    },
    /// `sso-admin ListAccountAssignmentsForPrincipal`: the same objects.
    AssignmentsForPrincipal {
        /// USER or GROUP.
        kind: PrincipalKind,
        /// The id of the user or group.
        id: String,
    },
    /// `organizations ListAccounts`: whole Account objects.
    Accounts,
    /// `organizations ListRoots`: `{Id, Arn, Name}`.
    Roots,
    /// `organizations ListOrganizationalUnitsForParent` of a root or OU id: `{Id, Arn, Name}`.
    OrganizationalUnits(String),
    /// `organizations ListAccountsForParent` of a root or OU id: whole Account objects.
    AccountsForParent(String),
    /// `organizations ListTagsForResource` of an account id: `{Key, Value}`.
    AccountTags(String),
}

impl ListCall {
    /// `AWSIdentityStore.ListUsers`: the service's target prefix and the operation, as on the wire.
    pub fn operation(&self) -> &'static str {
        match self {
            ListCall::Instances => "SWBExternalService.ListInstances",
            ListCall::Users => "AWSIdentityStore.ListUsers",
            ListCall::Groups => "AWSIdentityStore.ListGroups",
            ListCall::GroupMemberships(_) => "AWSIdentityStore.ListGroupMemberships",
            ListCall::MembershipsForMember(_) => "AWSIdentityStore.ListGroupMembershipsForMember",
            ListCall::PermissionSets => "SWBExternalService.ListPermissionSets",
            ListCall::ManagedPolicies(_) => "SWBExternalService.ListManagedPoliciesInPermissionSet",
            ListCall::CustomerManagedPolicies(_) => {
                "SWBExternalService.ListCustomerManagedPolicyReferencesInPermissionSet"
            }
            ListCall::ProvisionedAccounts(_) => "SWBExternalService.ListAccountsForProvisionedPermissionSet",
            ListCall::ProvisionedPermissionSets(_) => "SWBExternalService.ListPermissionSetsProvisionedToAccount",
            ListCall::Assignments { .. } => "SWBExternalService.ListAccountAssignments",
            ListCall::AssignmentsForPrincipal { .. } => "SWBExternalService.ListAccountAssignmentsForPrincipal",
            ListCall::Accounts => "AWSOrganizationsV20161128.ListAccounts",
            ListCall::Roots => "AWSOrganizationsV20161128.ListRoots",
            ListCall::OrganizationalUnits(_) => "AWSOrganizationsV20161128.ListOrganizationalUnitsForParent",
            ListCall::AccountsForParent(_) => "AWSOrganizationsV20161128.ListAccountsForParent",
            ListCall::AccountTags(_) => "AWSOrganizationsV20161128.ListTagsForResource",
        }
    }
}

/// A single thing that AWS describes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GetCall {
    /// `identitystore DescribeUser` of a user id.
    User(String),
    /// `identitystore GetUserId` of a user name: `{UserId}`.
    UserIdByName(String),
    /// `identitystore DescribeGroup` of a group id.
    Group(String),
    /// `identitystore GetGroupId` of a display name: `{GroupId}`.
    GroupIdByName(String),
    /// `sso-admin DescribePermissionSet` of an ARN: the `PermissionSet` object.
    PermissionSet(String),
    /// `sso-admin GetInlinePolicyForPermissionSet` of an ARN: `{InlinePolicy}`, `""` when none.
    InlinePolicy(String),
    /// `sso-admin GetPermissionsBoundaryForPermissionSet` of an ARN: the boundary, or JSON null when none.
    PermissionsBoundary(String),
    /// `organizations DescribeAccount` of an account id: the `Account` object.
    Account(String),
    /// `identitystore GetGroupMembershipId` of a group id and a user id: `{MembershipId}`.
    MembershipId {
        /// The group's id.
        group: String,
        /// The user's id.
        user: String,
    },
    /// The status of an accepted change by its request id: the status object, `{RequestId, Status, FailureReason, ...}`.
    Status(Pending, String),
    /// `sts GetCallerIdentity`: `{UserId, Account, Arn}`.
    CallerIdentity,
}

impl GetCall {
    /// The service's target prefix and the operation, as on the wire.
    pub fn operation(&self) -> &'static str {
        match self {
            GetCall::User(_) => "AWSIdentityStore.DescribeUser",
            GetCall::UserIdByName(_) => "AWSIdentityStore.GetUserId",
            GetCall::Group(_) => "AWSIdentityStore.DescribeGroup",
            GetCall::GroupIdByName(_) => "AWSIdentityStore.GetGroupId",
            GetCall::PermissionSet(_) => "SWBExternalService.DescribePermissionSet",
            GetCall::InlinePolicy(_) => "SWBExternalService.GetInlinePolicyForPermissionSet",
            GetCall::PermissionsBoundary(_) => "SWBExternalService.GetPermissionsBoundaryForPermissionSet",
            GetCall::Account(_) => "AWSOrganizationsV20161128.DescribeAccount",
            GetCall::MembershipId { .. } => "AWSIdentityStore.GetGroupMembershipId",
            GetCall::Status(Pending::Creation, _) => "SWBExternalService.DescribeAccountAssignmentCreationStatus",
            GetCall::Status(Pending::Deletion, _) => "SWBExternalService.DescribeAccountAssignmentDeletionStatus",
            GetCall::Status(Pending::Provisioning, _) => "SWBExternalService.DescribePermissionSetProvisioningStatus",
            GetCall::CallerIdentity => "AWSSecurityTokenServiceV20110615.GetCallerIdentity",
        }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items; may be empty although more follow.
    pub items: Vec<Value>,
    /// What to ask the next page with; `None` at the end.
    pub next: Option<String>,
}

/// Which instance calls are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceTarget {
    /// The ARN of the instance.
    pub instance: String,
    /// Its identity store.
    pub identity_store: String,
    /// Its primary region, where every call is made; empty is the region of the configuration.
    pub region: String,
}

impl InstanceTarget {
    /// The instance of a namespace.
    pub fn of(space: &Namespace) -> InstanceTarget {
        InstanceTarget {
            instance: space.instance.clone(),
            identity_store: space.identity_store.clone(),
            region: space.region.clone(),
        }
    }
}

/// Where answers come from when they do not come from the cache.
///
/// `target` is `None` only for [`ListCall::Instances`], [`GetCall::CallerIdentity`] and the Organizations reads.
#[async_trait]
pub trait IdentityCenterApi: Send + Sync {
    /// Does what a call of `operation` needs before it can leave (a login, a client) and that takes time: the rate limiter
    /// waits for this first, so that a call that has its turn is sent immediately. Sends no such call.
    async fn ready(&self, _operation: &str) -> Result<(), GatewayError> {
        Ok(())
    }

    /// One page, of the largest size that the API allows.
    async fn page(
        &self,
        target: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError>;

    /// One thing. What does not exist is [`GatewayError::NotFound`].
    async fn fetch(&self, target: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError>;

    /// Changes something, once. The answer is AWS's: the ids of what was created, the object itself for a permission
    /// set, for a change with [`Mutation::pending`] its status object (`RequestId`, `Status`), else an empty object. It is
    /// repeated only where AWS surely did nothing.
    async fn change(&self, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError>;
}

/// Every operation that reads need of an [`IdentityCenterApi`], as on the wire.
pub const OPERATIONS: &[&str] = &[
    "SWBExternalService.ListInstances",
    "AWSIdentityStore.ListUsers",
    "AWSIdentityStore.ListGroups",
    "AWSIdentityStore.ListGroupMemberships",
    "AWSIdentityStore.ListGroupMembershipsForMember",
    "SWBExternalService.ListPermissionSets",
    "SWBExternalService.ListManagedPoliciesInPermissionSet",
    "SWBExternalService.ListCustomerManagedPolicyReferencesInPermissionSet",
    "SWBExternalService.ListAccountsForProvisionedPermissionSet",
    "SWBExternalService.ListPermissionSetsProvisionedToAccount",
    "SWBExternalService.ListAccountAssignments",
    "SWBExternalService.ListAccountAssignmentsForPrincipal",
    "AWSOrganizationsV20161128.ListAccounts",
    "AWSOrganizationsV20161128.ListRoots",
    "AWSOrganizationsV20161128.ListOrganizationalUnitsForParent",
    "AWSOrganizationsV20161128.ListAccountsForParent",
    "AWSIdentityStore.DescribeUser",
    "AWSIdentityStore.GetUserId",
    "AWSIdentityStore.DescribeGroup",
    "AWSIdentityStore.GetGroupId",
    "SWBExternalService.DescribePermissionSet",
    "SWBExternalService.GetInlinePolicyForPermissionSet",
    "SWBExternalService.GetPermissionsBoundaryForPermissionSet",
    "AWSOrganizationsV20161128.DescribeAccount",
    "AWSSecurityTokenServiceV20110615.GetCallerIdentity",
];

/// What changes need in addition to [`OPERATIONS`]: the changes themselves, and what is asked on the way to them.
pub const CHANGE_OPERATIONS: &[&str] = &[
    "AWSIdentityStore.CreateUser",
    "AWSIdentityStore.UpdateUser",
    "AWSIdentityStore.DeleteUser",
    "AWSIdentityStore.CreateGroup",
    "AWSIdentityStore.UpdateGroup",
    "AWSIdentityStore.DeleteGroup",
    "AWSIdentityStore.CreateGroupMembership",
    "AWSIdentityStore.DeleteGroupMembership",
    "SWBExternalService.CreatePermissionSet",
    "SWBExternalService.UpdatePermissionSet",
    "SWBExternalService.DeletePermissionSet",
    "SWBExternalService.AttachManagedPolicyToPermissionSet",
    "SWBExternalService.DetachManagedPolicyFromPermissionSet",
    "SWBExternalService.AttachCustomerManagedPolicyReferenceToPermissionSet",
    "SWBExternalService.DetachCustomerManagedPolicyReferenceFromPermissionSet",
    "SWBExternalService.PutInlinePolicyToPermissionSet",
    "SWBExternalService.DeleteInlinePolicyFromPermissionSet",
    "SWBExternalService.ProvisionPermissionSet",
    "SWBExternalService.CreateAccountAssignment",
    "SWBExternalService.DeleteAccountAssignment",
    "AWSIdentityStore.GetGroupMembershipId",
    "SWBExternalService.DescribeAccountAssignmentCreationStatus",
    "SWBExternalService.DescribeAccountAssignmentDeletionStatus",
    "SWBExternalService.DescribePermissionSetProvisioningStatus",
    "AWSOrganizationsV20161128.ListTagsForResource",
];

/// `identitystore ListUsers`: an operation (`AWSIdentityStore.ListUsers`) in the words of the AWS CLI's services.
pub fn operation_words(operation: &str) -> String {
    let service = match api_of(operation) {
        Api::IdentityStore => "identitystore",
        Api::SsoAdmin => "sso-admin",
        Api::Organizations => "organizations",
        Api::Sts => "sts",
    };
    format!("{service} {}", operation.split_once('.').map_or(operation, |(_, name)| name))
}

/// The API family that an operation (`AWSIdentityStore.ListUsers`) is metered with.
pub fn api_of(operation: &str) -> Api {
    match operation.split('.').next() {
        Some("AWSIdentityStore") => Api::IdentityStore,
        Some("SWBExternalService") => Api::SsoAdmin,
        Some("AWSOrganizationsV20161128") => Api::Organizations,
        _ => Api::Sts,
    }
}

/// One of each listing and each single thing, for tests that must miss none.
#[cfg(test)]
pub(super) fn samples() -> (Vec<ListCall>, Vec<GetCall>) {
    let text = String::from;
    let listings = vec![
        ListCall::Instances,
        ListCall::Users,
        ListCall::Groups,
        ListCall::GroupMemberships(text("g-1")),
        ListCall::MembershipsForMember(text("u-1")),
        ListCall::PermissionSets,
        ListCall::ManagedPolicies(text("ps-1")),
        ListCall::CustomerManagedPolicies(text("ps-1")),
        ListCall::ProvisionedAccounts(text("ps-1")),
        ListCall::ProvisionedPermissionSets(text("111122223333")),
        ListCall::Assignments { account: text("111122223333"), permission_set: text("ps-1") },
        ListCall::AssignmentsForPrincipal { kind: PrincipalKind::Group, id: text("g-1") },
        ListCall::Accounts,
        ListCall::Roots,
        ListCall::OrganizationalUnits(text("r-1")),
        ListCall::AccountsForParent(text("r-1")),
        ListCall::AccountTags(text("111122223333")),
    ];
    let singles = vec![
        GetCall::User(text("u-1")),
        GetCall::UserIdByName(text("ada")),
        GetCall::Group(text("g-1")),
        GetCall::GroupIdByName(text("admins")),
        GetCall::PermissionSet(text("ps-1")),
        GetCall::InlinePolicy(text("ps-1")),
        GetCall::PermissionsBoundary(text("ps-1")),
        GetCall::Account(text("111122223333")),
        GetCall::MembershipId { group: text("g-1"), user: text("u-1") },
        GetCall::Status(Pending::Creation, text("r-1")),
        GetCall::Status(Pending::Deletion, text("r-1")),
        GetCall::Status(Pending::Provisioning, text("r-1")),
        GetCall::CallerIdentity,
    ];
    (listings, singles)
}
