//! What makes an entry of a listing the one that it is.

use super::api::ListCall;
use serde_json::Value;

impl ListCall {
    /// The members that together are the id of an entry; none where the entry itself is a text.
    pub(super) fn id_members(&self) -> &'static [&'static str] {
        match self {
            ListCall::Instances => &["InstanceArn"],
            ListCall::Users => &["UserId"],
            ListCall::Groups => &["GroupId"],
            ListCall::GroupMemberships(_) | ListCall::MembershipsForMember(_) => &["MembershipId"],
            ListCall::PermissionSets | ListCall::ProvisionedAccounts(_) | ListCall::ProvisionedPermissionSets(_) => &[],
            ListCall::ManagedPolicies(_) => &["Arn"],
            ListCall::CustomerManagedPolicies(_) => &["Name"],
            ListCall::Assignments { .. } => &["PrincipalType", "PrincipalId"],
            ListCall::AssignmentsForPrincipal { .. } => {
                &["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"]
            }
            ListCall::Accounts
            | ListCall::Roots
            | ListCall::OrganizationalUnits(_)
            | ListCall::AccountsForParent(_) => &["Id"],
            ListCall::AccountTags(_) => &["Key"],
        }
    }

    /// The id of an entry; `None` if a part of it is missing.
    pub(super) fn identity<'a>(&self, item: &'a Value) -> Option<Vec<&'a str>> {
        let filled = |part: &'a Value| part.as_str().filter(|text| !text.is_empty());
        let members = self.id_members();
        if members.is_empty() {
            return filled(item).map(|text| vec![text]);
        }
        let mut parts: Vec<&str> = members.iter().map(|name| filled(&item[*name])).collect::<Option<_>>()?;
        if matches!(self, ListCall::CustomerManagedPolicies(_)) {
            // The path is `/` where AWS leaves it out.
            parts.push(item["Path"].as_str().unwrap_or("/"));
        }
        Some(parts)
    }
}
