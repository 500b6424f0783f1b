//! sso-admin: instances, permission sets with their policies, and assignments.
//!
//! One function for each operation, objects as `aws sso-admin` prints them, pages of 100.

use crate::gateway::api::{Page, PrincipalKind};
use crate::gateway::aws::errors::Ask;
use crate::gateway::aws::json::JsonFields;
use crate::gateway::error::GatewayError;
use aws_sdk_ssoadmin::Client;
use aws_sdk_ssoadmin::types::{
    CustomerManagedPolicyReference, InstanceMetadata, InstanceStatus, PermissionSet, PrincipalType, RegionMetadata,
    RegionStatus,
};
use serde_json::{Value, json};

const PAGE: i32 = 100;

/// `AccountAssignment` and `AccountAssignmentForPrincipal` have the same fields and share no trait.
macro_rules! assignment {
    ($row:expr) => {{
        let row = $row;
        JsonFields::new()
            .text("AccountId", row.account_id.as_deref())
            .text("PermissionSetArn", row.permission_set_arn.as_deref())
            .text("PrincipalType", row.principal_type.as_ref().map(PrincipalType::as_str))
            .text("PrincipalId", row.principal_id.as_deref())
            .object()
    }};
}

pub(super) async fn instances(client: &Client, token: Option<String>, ask: &Ask) -> Result<Page, GatewayError> {
    let call = client.list_instances().max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.instances().iter().map(instance).collect(), next: answer.next_token })
}

pub(super) async fn permission_sets(
    client: &Client,
    instance: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_permission_sets().instance_arn(instance).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: texts(answer.permission_sets()), next: answer.next_token })
}

pub(super) async fn managed_policies(
    client: &Client,
    instance: &str,
    permission_set: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_managed_policies_in_permission_set().instance_arn(instance);
    let call = call.permission_set_arn(permission_set).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    let items = answer.attached_managed_policies().iter().map(|policy| {
        JsonFields::new().text("Name", policy.name.as_deref()).text("Arn", policy.arn.as_deref()).object()
    });
    Ok(Page { items: items.collect(), next: answer.next_token })
}

pub(super) async fn customer_managed_policies(
    client: &Client,
    instance: &str,
    permission_set: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_customer_managed_policy_references_in_permission_set().instance_arn(instance);
    let call = call.permission_set_arn(permission_set).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    let items = answer.customer_managed_policy_references().iter().map(reference);
    Ok(Page { items: items.collect(), next: answer.next_token })
}

pub(super) async fn provisioned_accounts(
    client: &Client,
    instance: &str,
    permission_set: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_accounts_for_provisioned_permission_set().instance_arn(instance);
    let call = call.permission_set_arn(permission_set).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: texts(answer.account_ids()), next: answer.next_token })
}

pub(super) async fn provisioned_permission_sets(
    client: &Client,
    instance: &str,
    account: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_permission_sets_provisioned_to_account().instance_arn(instance);
    let call = call.account_id(account).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: texts(answer.permission_sets()), next: answer.next_token })
}

pub(super) async fn assignments(
    client: &Client,
    instance: &str,
    (account, permission_set): (&str, &str),
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_account_assignments().instance_arn(instance).account_id(account);
    let call = call.permission_set_arn(permission_set).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    let items = answer.account_assignments().iter().map(|row| assignment!(row));
    Ok(Page { items: items.collect(), next: answer.next_token })
}

pub(super) async fn assignments_for_principal(
    client: &Client,
    instance: &str,
    (kind, id): (PrincipalKind, &str),
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let kind = match kind {
        PrincipalKind::User => PrincipalType::User,
        PrincipalKind::Group => PrincipalType::Group,
    };
    let call = client.list_account_assignments_for_principal().instance_arn(instance);
    let call = call.principal_type(kind).principal_id(id).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    let items = answer.account_assignments().iter().map(|row| assignment!(row));
    Ok(Page { items: items.collect(), next: answer.next_token })
}

pub(super) async fn permission_set(
    client: &Client,
    instance: &str,
    arn: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.describe_permission_set().instance_arn(instance).permission_set_arn(arn);
    let answer = ask.answer(call.send().await)?;
    answer.permission_set.as_ref().map(described).ok_or_else(|| ask.lacking("PermissionSet"))
}

/// A permission set without its policies.
pub(super) fn described(set: &PermissionSet) -> Value {
    JsonFields::new()
        .text("Name", set.name.as_deref())
        .text("PermissionSetArn", set.permission_set_arn.as_deref())
        .text("Description", set.description.as_deref())
        .time("CreatedDate", set.created_date.as_ref())
        .text("SessionDuration", set.session_duration.as_deref())
        .text("RelayState", set.relay_state.as_deref())
        .object()
}

pub(super) async fn inline_policy(
    client: &Client,
    instance: &str,
    arn: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.get_inline_policy_for_permission_set().instance_arn(instance).permission_set_arn(arn);
    let answer = ask.answer(call.send().await)?;
    Ok(json!({ "InlinePolicy": answer.inline_policy.unwrap_or_default() }))
}

/// A permission set without a boundary answers "not found"; that is JSON null here.
pub(super) async fn permissions_boundary(
    client: &Client,
    instance: &str,
    arn: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.get_permissions_boundary_for_permission_set().instance_arn(instance).permission_set_arn(arn);
    let boundary = match ask.answer(call.send().await) {
        Ok(answer) => answer.permissions_boundary,
        Err(GatewayError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(boundary.map_or(Value::Null, |boundary| {
        let own = boundary.customer_managed_policy_reference.as_ref();
        JsonFields::new()
            .value("CustomerManagedPolicyReference", own.map(reference))
            .text("ManagedPolicyArn", boundary.managed_policy_arn.as_deref())
            .object()
    }))
}

fn texts(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|text| Value::from(text.as_str())).collect()
}

fn instance(instance: &InstanceMetadata) -> Value {
    JsonFields::new()
        .text("InstanceArn", instance.instance_arn.as_deref())
        .text("IdentityStoreId", instance.identity_store_id.as_deref())
        .text("IdentityStoreArn", instance.identity_store_arn.as_deref())
        .text("OwnerAccountId", instance.owner_account_id.as_deref())
        .text("Name", instance.name.as_deref())
        .time("CreatedDate", instance.created_date.as_ref())
        .text("Status", instance.status.as_ref().map(InstanceStatus::as_str))
        .text("StatusReason", instance.status_reason.as_deref())
        .text("PrimaryRegion", instance.primary_region.as_deref())
        .list("Regions", instance.regions.as_ref(), region)
        .object()
}

fn region(region: &RegionMetadata) -> Value {
    JsonFields::new()
        .text("RegionName", region.region_name.as_deref())
        .text("Status", region.status.as_ref().map(RegionStatus::as_str))
        .time("AddedDate", region.added_date.as_ref())
        .flag("IsPrimaryRegion", region.is_primary_region)
        .object()
}

fn reference(reference: &CustomerManagedPolicyReference) -> Value {
    JsonFields::new().filled("Name", &reference.name).text("Path", reference.path.as_deref()).object()
}
