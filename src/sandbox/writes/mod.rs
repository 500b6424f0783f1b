//! What calls change in an organisation.
//!
//! Neighbours: `catalogue.rs` lists these operations; each file here has one noun. Promise: a refused write has changed
//! nothing; the same writes in the same order make the same organisation, ids and all, so that they can be done again on
//! a copy of it (`lagging.rs`).

mod groups;
mod memberships;
#[cfg(test)]
mod tests;
mod texts;
mod users;

use super::wire::Write;

/// What can be changed in the identity store.
pub(super) const IDENTITY_STORE: &[(&str, Write)] = &[
    ("CreateUser", users::create),
    ("UpdateUser", users::update),
    ("DeleteUser", users::delete),
    ("CreateGroup", groups::create),
    ("UpdateGroup", groups::update),
    ("DeleteGroup", groups::delete),
    ("CreateGroupMembership", memberships::create),
    ("DeleteGroupMembership", memberships::delete),
];
