//! What makes an entry of a listing the one that it is.

use super::Listing;
use serde_json::Value;

impl Listing {
    /// The members that together are the id of an entry; none where the entry itself is a text.
    pub(super) fn id_members(&self) -> &'static [&'static str] {
        match self {
            Listing::Instances => &["InstanceArn"],
            Listing::Users => &["UserId"],
            Listing::Groups => &["GroupId"],
            Listing::GroupMemberships(_) | Listing::MembershipsForMember(_) => &["MembershipId"],
            Listing::PermissionSets | Listing::ProvisionedAccounts(_) | Listing::ProvisionedPermissionSets(_) => &[],
            Listing::ManagedPolicies(_) => &["Arn"],
            Listing::CustomerManagedPolicies(_) => &["Name"],
            Listing::Assignments { .. } => &["PrincipalType", "PrincipalId"],
            Listing::AssignmentsForPrincipal { .. } => {
                &["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"]
            }
            Listing::Accounts | Listing::Roots | Listing::OrganizationalUnits(_) | Listing::AccountsForParent(_) => {
                &["Id"]
            }
            Listing::AccountTags(_) => &["Key"],
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
        if matches!(self, Listing::CustomerManagedPolicies(_)) {
            // The path is `/` where AWS leaves it out.
            parts.push(item["Path"].as_str().unwrap_or("/"));
        }
        Some(parts)
    }
}
