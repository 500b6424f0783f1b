//! Writes to an organization.
//!
//! Guarantee: a refused write changes nothing. The same writes in the same order make the same organization, including its
//! ids, so that `eventual_consistency.rs` can repeat them on a copy.

mod accounts;
mod assignments;
mod groups;
mod memberships;
mod permission_sets;
mod policies;
mod tags;
#[cfg(test)]
mod tests;
mod users;

use crate::aws_json::Write;

/// What can be changed in the identity store.
pub(crate) const IDENTITY_STORE: &[(&str, Write)] = &[
    ("CreateUser", users::create),
    ("UpdateUser", users::update),
    ("DeleteUser", users::delete),
    ("CreateGroup", groups::create),
    ("UpdateGroup", groups::update),
    ("DeleteGroup", groups::delete),
    ("CreateGroupMembership", memberships::create),
    ("DeleteGroupMembership", memberships::delete),
];

/// What can be changed in the organization.
pub(crate) const ORGANIZATIONS: &[(&str, Write)] = &[("CloseAccount", accounts::close)];

/// What can be changed in the instance.
pub(crate) const SSO_ADMIN: &[(&str, Write)] = &[
    ("CreatePermissionSet", permission_sets::create),
    ("UpdatePermissionSet", permission_sets::update),
    ("DeletePermissionSet", permission_sets::delete),
    ("AttachManagedPolicyToPermissionSet", policies::attach_managed),
    ("DetachManagedPolicyFromPermissionSet", policies::detach_managed),
    ("AttachCustomerManagedPolicyReferenceToPermissionSet", policies::attach_customer),
    ("DetachCustomerManagedPolicyReferenceFromPermissionSet", policies::detach_customer),
    ("PutInlinePolicyToPermissionSet", policies::put_inline),
    ("DeleteInlinePolicyFromPermissionSet", policies::delete_inline),
    ("PutPermissionsBoundaryToPermissionSet", policies::put_boundary),
    ("DeletePermissionsBoundaryFromPermissionSet", policies::delete_boundary),
    ("ProvisionPermissionSet", assignments::provision),
    ("CreateAccountAssignment", assignments::create),
    ("DeleteAccountAssignment", assignments::delete),
    ("TagResource", tags::tag),
    ("UntagResource", tags::untag),
];
