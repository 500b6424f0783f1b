//! The member that the answer of each operation must have.
//!
//! AWS's model marks few members as required. These are the ones that AWS sends in every answer, an empty list included;
//! moto and the sandbox do the same.

use super::shape::{Found, Kind};
use crate::model::excerpt;

/// The longest `NextToken` that AWS's model allows has 100,000 characters.
const LONGEST_TOKEN: usize = 128 * 1024;
/// The most entries of a page: at most 100 are requested.
const MOST_ENTRIES: usize = 10_000;

/// What an answer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A list of this name, which may be empty.
    List(&'static str),
    /// An object of this name.
    Object(&'static str),
    /// A text of this name.
    Text(&'static str),
    /// Nothing: the operation has no output.
    Nothing,
}

impl Form {
    /// The form of an operation (`AWSIdentityStore.ListUsers`).
    pub(super) fn of(operation: &str) -> Form {
        let name = operation.split_once('.').map_or(operation, |(_, name)| name);
        match name {
            "ListInstances" => Form::List("Instances"),
            "ListUsers" => Form::List("Users"),
            "ListGroups" => Form::List("Groups"),
            "ListGroupMemberships" | "ListGroupMembershipsForMember" => Form::List("GroupMemberships"),
            "ListPermissionSets" | "ListPermissionSetsProvisionedToAccount" => Form::List("PermissionSets"),
            "ListManagedPoliciesInPermissionSet" => Form::List("AttachedManagedPolicies"),
            "ListCustomerManagedPolicyReferencesInPermissionSet" => Form::List("CustomerManagedPolicyReferences"),
            "ListAccountsForProvisionedPermissionSet" => Form::List("AccountIds"),
            "ListAccountAssignments" | "ListAccountAssignmentsForPrincipal" => Form::List("AccountAssignments"),
            "ListAccounts" | "ListAccountsForParent" => Form::List("Accounts"),
            "ListRoots" => Form::List("Roots"),
            "ListOrganizationalUnitsForParent" => Form::List("OrganizationalUnits"),
            "ListTagsForResource" => Form::List("Tags"),
            "DescribeUser" | "GetUserId" | "CreateUser" => Form::Text("UserId"),
            "DescribeGroup" | "GetGroupId" | "CreateGroup" => Form::Text("GroupId"),
            "GetGroupMembershipId" | "CreateGroupMembership" => Form::Text("MembershipId"),
            "DescribePermissionSet" | "CreatePermissionSet" => Form::Object("PermissionSet"),
            "GetInlinePolicyForPermissionSet" => Form::Text("InlinePolicy"),
            "GetPermissionsBoundaryForPermissionSet" => Form::Object("PermissionsBoundary"),
            "DescribeAccount" => Form::Object("Account"),
            "CreateAccountAssignment" | "DescribeAccountAssignmentCreationStatus" => {
                Form::Object("AccountAssignmentCreationStatus")
            }
            "DeleteAccountAssignment" | "DescribeAccountAssignmentDeletionStatus" => {
                Form::Object("AccountAssignmentDeletionStatus")
            }
            "ProvisionPermissionSet" | "DescribePermissionSetProvisioningStatus" => {
                Form::Object("PermissionSetProvisioningStatus")
            }
            _ => Form::Nothing,
        }
    }

    /// The member's name.
    pub(super) fn member(self) -> &'static str {
        match self {
            Form::List(name) | Form::Object(name) | Form::Text(name) => name,
            Form::Nothing => "",
        }
    }

    /// The fault of an answer that was read.
    pub(super) fn judge(self, found: &Found) -> Result<(), String> {
        if let Some(kind) = &found.error_type {
            return Err(format!("a success with the error type `{}`", excerpt(kind, 100)));
        }
        match &found.token {
            None | Some(Kind::Null) => {}
            Some(Kind::Text(length)) if *length <= LONGEST_TOKEN => {}
            Some(Kind::Text(length)) => return Err(format!("its NextToken has {length} bytes")),
            Some(other) => return Err(format!("its NextToken is {}", other.words())),
        }
        let name = self.member();
        match (self, found.member) {
            (Form::Nothing, _) | (Form::Object(_), Some(Kind::Object)) | (Form::Text(_), Some(Kind::Text(_))) => Ok(()),
            (Form::List(_), Some(Kind::List(entries))) if entries <= MOST_ENTRIES => Ok(()),
            (Form::List(_), Some(Kind::List(entries))) => Err(format!("one page of it has {entries} entries")),
            (_, None) => Err(format!("it has no {name}")),
            (_, Some(other)) => Err(format!("its {name} is {}", other.words())),
        }
    }
}
