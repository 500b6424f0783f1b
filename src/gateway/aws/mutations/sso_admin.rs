//! Changes of sso-admin: permission sets, their policies, and assignments.
//!
//! One function for each operation; what AWS goes on with answers with its status object.

use crate::gateway::api::PrincipalKind;
use crate::gateway::aws::errors::Ask;
use crate::gateway::aws::identity::is_id;
use crate::gateway::aws::operation_status;
use crate::gateway::aws::sso_admin;
use crate::gateway::error::GatewayError;
use crate::gateway::mutation::{Grant, SetFields};
use aws_sdk_ssoadmin::Client;
use aws_sdk_ssoadmin::types::{CustomerManagedPolicyReference, PrincipalType, ProvisionTargetType, TargetType};
use serde_json::{Value, json};

pub(crate) async fn create(
    client: &Client,
    instance: &str,
    name: &str,
    fields: &SetFields,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.create_permission_set().instance_arn(instance).name(name);
    let call = call.set_description(fields.description.clone()).set_relay_state(fields.relay_state.clone());
    let answer = ask.answer(call.set_session_duration(fields.session_duration.clone()).send().await)?;
    let made = answer.permission_set.as_ref().filter(|made| made.permission_set_arn.as_deref().is_some_and(is_id));
    made.map(sso_admin::described).ok_or_else(|| ask.lacking("PermissionSetArn"))
}

pub(crate) async fn update(
    client: &Client,
    instance: &str,
    arn: &str,
    fields: &SetFields,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.update_permission_set().instance_arn(instance).permission_set_arn(arn);
    let call = call.set_description(fields.description.clone()).set_relay_state(fields.relay_state.clone());
    ask.answer(call.set_session_duration(fields.session_duration.clone()).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn delete(client: &Client, instance: &str, arn: &str, ask: &Ask) -> Result<Value, GatewayError> {
    ask.answer(client.delete_permission_set().instance_arn(instance).permission_set_arn(arn).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn attach_managed(
    client: &Client,
    instance: &str,
    arn: &str,
    policy: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.attach_managed_policy_to_permission_set().instance_arn(instance);
    ask.answer(call.permission_set_arn(arn).managed_policy_arn(policy).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn detach_managed(
    client: &Client,
    instance: &str,
    arn: &str,
    policy: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.detach_managed_policy_from_permission_set().instance_arn(instance);
    ask.answer(call.permission_set_arn(arn).managed_policy_arn(policy).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn attach_customer(
    client: &Client,
    instance: &str,
    arn: &str,
    policy: (&str, &str),
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.attach_customer_managed_policy_reference_to_permission_set().instance_arn(instance);
    let call = call.permission_set_arn(arn).customer_managed_policy_reference(reference(policy, ask)?);
    ask.answer(call.send().await)?;
    Ok(json!({}))
}

pub(crate) async fn detach_customer(
    client: &Client,
    instance: &str,
    arn: &str,
    policy: (&str, &str),
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.detach_customer_managed_policy_reference_from_permission_set().instance_arn(instance);
    let call = call.permission_set_arn(arn).customer_managed_policy_reference(reference(policy, ask)?);
    ask.answer(call.send().await)?;
    Ok(json!({}))
}

pub(crate) async fn put_inline(
    client: &Client,
    instance: &str,
    arn: &str,
    document: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.put_inline_policy_to_permission_set().instance_arn(instance);
    ask.answer(call.permission_set_arn(arn).inline_policy(document).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn delete_inline(
    client: &Client,
    instance: &str,
    arn: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.delete_inline_policy_from_permission_set().instance_arn(instance);
    ask.answer(call.permission_set_arn(arn).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn provision(
    client: &Client,
    instance: &str,
    arn: &str,
    account: Option<&str>,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let kind =
        if account.is_some() { ProvisionTargetType::AwsAccount } else { ProvisionTargetType::AllProvisionedAccounts };
    let call = client.provision_permission_set().instance_arn(instance).permission_set_arn(arn);
    let answer = ask.answer(call.target_type(kind).set_target_id(account.map(str::to_owned)).send().await)?;
    let status = answer.permission_set_provisioning_status.as_ref();
    status.map(operation_status::provisioning).ok_or_else(|| ask.lacking("PermissionSetProvisioningStatus"))
}

pub(crate) async fn assign(client: &Client, instance: &str, grant: &Grant, ask: &Ask) -> Result<Value, GatewayError> {
    let call = client.create_account_assignment().instance_arn(instance).target_type(TargetType::AwsAccount);
    let call = call.target_id(&grant.account).permission_set_arn(&grant.permission_set);
    let answer = ask.answer(call.principal_type(kind(grant)).principal_id(&grant.principal).send().await)?;
    let status = answer.account_assignment_creation_status.as_ref();
    status.map(operation_status::assignment).ok_or_else(|| ask.lacking("AccountAssignmentCreationStatus"))
}

pub(crate) async fn revoke(client: &Client, instance: &str, grant: &Grant, ask: &Ask) -> Result<Value, GatewayError> {
    let call = client.delete_account_assignment().instance_arn(instance).target_type(TargetType::AwsAccount);
    let call = call.target_id(&grant.account).permission_set_arn(&grant.permission_set);
    let answer = ask.answer(call.principal_type(kind(grant)).principal_id(&grant.principal).send().await)?;
    let status = answer.account_assignment_deletion_status.as_ref();
    status.map(operation_status::assignment).ok_or_else(|| ask.lacking("AccountAssignmentDeletionStatus"))
}

fn kind(grant: &Grant) -> PrincipalType {
    match grant.kind {
        PrincipalKind::User => PrincipalType::User,
        PrincipalKind::Group => PrincipalType::Group,
    }
}

fn reference((name, path): (&str, &str), ask: &Ask) -> Result<CustomerManagedPolicyReference, GatewayError> {
    let built = CustomerManagedPolicyReference::builder().name(name).path(path).build();
    built.map_err(|error| ask.unusable(&error))
}
