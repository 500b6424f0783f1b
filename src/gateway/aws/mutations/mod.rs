//! Changes on the wire: each [`Mutation`] as the one request that it is.
//!
//! A request is sent once; its answer has the field names of the AWS API, and an answer without the id that it must
//! bring is an error.

mod identity_store;
mod sso_admin;
#[cfg(test)]
mod tests;

use crate::gateway::api::InstanceTarget;
use crate::gateway::aws::AwsApi;
use crate::gateway::aws::errors::Ask;
use crate::gateway::error::GatewayError;
use crate::gateway::mutation::Mutation;
use serde_json::Value;

/// Makes one change.
pub(super) async fn make(aws: &AwsApi, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
    let ask = &Ask::change(change, aws.settings.profile.as_deref());
    let InstanceTarget { instance, identity_store, .. } = target;
    match change {
        Mutation::CreateUser(user) => {
            identity_store::create_user(&aws.identity_store(Some(target)).await?, identity_store, user, ask).await
        }
        Mutation::UpdateUser { id, attributes, revision } => {
            let one = identity_store::One { store: identity_store, id, revision: revision.as_deref() };
            identity_store::update_user(&aws.identity_store(Some(target)).await?, &one, attributes, ask).await
        }
        Mutation::DeleteUser { id, revision } => {
            let one = identity_store::One { store: identity_store, id, revision: revision.as_deref() };
            identity_store::delete_user(&aws.identity_store(Some(target)).await?, &one, ask).await
        }
        Mutation::CreateGroup { name, description } => {
            let description = description.as_deref();
            identity_store::create_group(
                &aws.identity_store(Some(target)).await?,
                identity_store,
                name,
                description,
                ask,
            )
            .await
        }
        Mutation::UpdateGroup { id, attributes, revision } => {
            let one = identity_store::One { store: identity_store, id, revision: revision.as_deref() };
            identity_store::update_group(&aws.identity_store(Some(target)).await?, &one, attributes, ask).await
        }
        Mutation::DeleteGroup { id, revision } => {
            let one = identity_store::One { store: identity_store, id, revision: revision.as_deref() };
            identity_store::delete_group(&aws.identity_store(Some(target)).await?, &one, ask).await
        }
        Mutation::AddMember { group, user } => {
            identity_store::add_member(&aws.identity_store(Some(target)).await?, identity_store, group, user, ask).await
        }
        Mutation::RemoveMember { membership, .. } => {
            identity_store::remove_member(&aws.identity_store(Some(target)).await?, identity_store, membership, ask)
                .await
        }
        Mutation::CreatePermissionSet { name, fields } => {
            sso_admin::create(&aws.sso_admin(Some(target)).await?, instance, name, fields, ask).await
        }
        Mutation::UpdatePermissionSet { arn, fields } => {
            sso_admin::update(&aws.sso_admin(Some(target)).await?, instance, arn, fields, ask).await
        }
        Mutation::DeletePermissionSet(arn) => {
            sso_admin::delete(&aws.sso_admin(Some(target)).await?, instance, arn, ask).await
        }
        Mutation::AttachManagedPolicy { arn, policy } => {
            sso_admin::attach_managed(&aws.sso_admin(Some(target)).await?, instance, arn, policy, ask).await
        }
        Mutation::DetachManagedPolicy { arn, policy } => {
            sso_admin::detach_managed(&aws.sso_admin(Some(target)).await?, instance, arn, policy, ask).await
        }
        Mutation::AttachCustomerPolicy { arn, name, path } => {
            sso_admin::attach_customer(&aws.sso_admin(Some(target)).await?, instance, arn, (name, path), ask).await
        }
        Mutation::DetachCustomerPolicy { arn, name, path } => {
            sso_admin::detach_customer(&aws.sso_admin(Some(target)).await?, instance, arn, (name, path), ask).await
        }
        Mutation::PutInlinePolicy { arn, document } => {
            sso_admin::put_inline(&aws.sso_admin(Some(target)).await?, instance, arn, document, ask).await
        }
        Mutation::DeleteInlinePolicy(arn) => {
            sso_admin::delete_inline(&aws.sso_admin(Some(target)).await?, instance, arn, ask).await
        }
        Mutation::Provision { arn, account } => {
            sso_admin::provision(&aws.sso_admin(Some(target)).await?, instance, arn, account.as_deref(), ask).await
        }
        Mutation::Assign(grant) => sso_admin::assign(&aws.sso_admin(Some(target)).await?, instance, grant, ask).await,
        Mutation::Revoke(grant) => sso_admin::revoke(&aws.sso_admin(Some(target)).await?, instance, grant, ask).await,
    }
}
