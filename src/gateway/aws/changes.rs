//! Changes on the wire: each [`Change`] as the one request that it is.
//!
//! Neighbours: `mod.rs` hands in the clients; `changes/` has one file for each service; `errors.rs` words what goes
//! wrong. Promise: a request is sent once; its answer has the field names of the AWS API, and an answer without the id
//! that it must bring is an error.

mod access;
mod people;
#[cfg(test)]
mod tests;

use super::errors::Ask;
use super::{Aws, Change, GatewayError, Target};
use serde_json::Value;

/// Makes one change.
pub(super) async fn make(aws: &Aws, target: &Target, change: &Change) -> Result<Value, GatewayError> {
    let ask = &Ask::change(change, aws.settings.profile.as_deref());
    let Target { instance, identity_store, .. } = target;
    match change {
        Change::CreateUser(user) => {
            people::create_user(&aws.identity_store(Some(target)).await?, identity_store, user, ask).await
        }
        Change::UpdateUser { id, attributes, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::update_user(&aws.identity_store(Some(target)).await?, &one, attributes, ask).await
        }
        Change::DeleteUser { id, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::delete_user(&aws.identity_store(Some(target)).await?, &one, ask).await
        }
        Change::CreateGroup { name, description } => {
            let description = description.as_deref();
            people::create_group(&aws.identity_store(Some(target)).await?, identity_store, name, description, ask).await
        }
        Change::UpdateGroup { id, attributes, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::update_group(&aws.identity_store(Some(target)).await?, &one, attributes, ask).await
        }
        Change::DeleteGroup { id, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::delete_group(&aws.identity_store(Some(target)).await?, &one, ask).await
        }
        Change::AddMember { group, user } => {
            people::add_member(&aws.identity_store(Some(target)).await?, identity_store, group, user, ask).await
        }
        Change::RemoveMember { membership, .. } => {
            people::remove_member(&aws.identity_store(Some(target)).await?, identity_store, membership, ask).await
        }
        Change::CreatePermissionSet { name, fields } => {
            access::create(&aws.sso_admin(Some(target)).await?, instance, name, fields, ask).await
        }
        Change::UpdatePermissionSet { arn, fields } => {
            access::update(&aws.sso_admin(Some(target)).await?, instance, arn, fields, ask).await
        }
        Change::DeletePermissionSet(arn) => {
            access::delete(&aws.sso_admin(Some(target)).await?, instance, arn, ask).await
        }
        Change::AttachManagedPolicy { arn, policy } => {
            access::attach_managed(&aws.sso_admin(Some(target)).await?, instance, arn, policy, ask).await
        }
        Change::DetachManagedPolicy { arn, policy } => {
            access::detach_managed(&aws.sso_admin(Some(target)).await?, instance, arn, policy, ask).await
        }
        Change::AttachCustomerPolicy { arn, name, path } => {
            access::attach_customer(&aws.sso_admin(Some(target)).await?, instance, arn, (name, path), ask).await
        }
        Change::DetachCustomerPolicy { arn, name, path } => {
            access::detach_customer(&aws.sso_admin(Some(target)).await?, instance, arn, (name, path), ask).await
        }
        Change::PutInlinePolicy { arn, document } => {
            access::put_inline(&aws.sso_admin(Some(target)).await?, instance, arn, document, ask).await
        }
        Change::DeleteInlinePolicy(arn) => {
            access::delete_inline(&aws.sso_admin(Some(target)).await?, instance, arn, ask).await
        }
        Change::Provision { arn, account } => {
            access::provision(&aws.sso_admin(Some(target)).await?, instance, arn, account.as_deref(), ask).await
        }
        Change::Assign(grant) => access::assign(&aws.sso_admin(Some(target)).await?, instance, grant, ask).await,
        Change::Revoke(grant) => access::revoke(&aws.sso_admin(Some(target)).await?, instance, grant, ask).await,
    }
}
