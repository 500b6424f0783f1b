//! Changes on the wire: each [`Mutation`] as the one request that it is.
//!
//! Neighbours: `mod.rs` hands in the clients; `changes/` has one file for each service; `errors.rs` words what goes
//! wrong. Promise: a request is sent once; its answer has the field names of the AWS API, and an answer without the id
//! that it must bring is an error.

mod access;
mod people;
#[cfg(test)]
mod tests;

use super::errors::Ask;
use super::{AwsApi, GatewayError, InstanceTarget, Mutation};
use serde_json::Value;

/// Makes one change.
pub(super) async fn make(aws: &AwsApi, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
    let ask = &Ask::change(change, aws.settings.profile.as_deref());
    let InstanceTarget { instance, identity_store, .. } = target;
    match change {
        Mutation::CreateUser(user) => {
            people::create_user(&aws.identity_store(Some(target)).await?, identity_store, user, ask).await
        }
        Mutation::UpdateUser { id, attributes, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::update_user(&aws.identity_store(Some(target)).await?, &one, attributes, ask).await
        }
        Mutation::DeleteUser { id, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::delete_user(&aws.identity_store(Some(target)).await?, &one, ask).await
        }
        Mutation::CreateGroup { name, description } => {
            let description = description.as_deref();
            people::create_group(&aws.identity_store(Some(target)).await?, identity_store, name, description, ask).await
        }
        Mutation::UpdateGroup { id, attributes, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::update_group(&aws.identity_store(Some(target)).await?, &one, attributes, ask).await
        }
        Mutation::DeleteGroup { id, revision } => {
            let one = people::One { store: identity_store, id, revision: revision.as_deref() };
            people::delete_group(&aws.identity_store(Some(target)).await?, &one, ask).await
        }
        Mutation::AddMember { group, user } => {
            people::add_member(&aws.identity_store(Some(target)).await?, identity_store, group, user, ask).await
        }
        Mutation::RemoveMember { membership, .. } => {
            people::remove_member(&aws.identity_store(Some(target)).await?, identity_store, membership, ask).await
        }
        Mutation::CreatePermissionSet { name, fields } => {
            access::create(&aws.sso_admin(Some(target)).await?, instance, name, fields, ask).await
        }
        Mutation::UpdatePermissionSet { arn, fields } => {
            access::update(&aws.sso_admin(Some(target)).await?, instance, arn, fields, ask).await
        }
        Mutation::DeletePermissionSet(arn) => {
            access::delete(&aws.sso_admin(Some(target)).await?, instance, arn, ask).await
        }
        Mutation::AttachManagedPolicy { arn, policy } => {
            access::attach_managed(&aws.sso_admin(Some(target)).await?, instance, arn, policy, ask).await
        }
        Mutation::DetachManagedPolicy { arn, policy } => {
            access::detach_managed(&aws.sso_admin(Some(target)).await?, instance, arn, policy, ask).await
        }
        Mutation::AttachCustomerPolicy { arn, name, path } => {
            access::attach_customer(&aws.sso_admin(Some(target)).await?, instance, arn, (name, path), ask).await
        }
        Mutation::DetachCustomerPolicy { arn, name, path } => {
            access::detach_customer(&aws.sso_admin(Some(target)).await?, instance, arn, (name, path), ask).await
        }
        Mutation::PutInlinePolicy { arn, document } => {
            access::put_inline(&aws.sso_admin(Some(target)).await?, instance, arn, document, ask).await
        }
        Mutation::DeleteInlinePolicy(arn) => {
            access::delete_inline(&aws.sso_admin(Some(target)).await?, instance, arn, ask).await
        }
        Mutation::Provision { arn, account } => {
            access::provision(&aws.sso_admin(Some(target)).await?, instance, arn, account.as_deref(), ask).await
        }
        Mutation::Assign(grant) => access::assign(&aws.sso_admin(Some(target)).await?, instance, grant, ask).await,
        Mutation::Revoke(grant) => access::revoke(&aws.sso_admin(Some(target)).await?, instance, grant, ask).await,
    }
}
