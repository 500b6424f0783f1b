//! How changes that AWS accepted go on, and the ids that changes need.
//!
//! The status object of each of the three kinds, with the field names of `aws sso-admin`.

use crate::gateway::aws::errors::Ask;
use crate::gateway::aws::errors::LONGEST_TEXT;
use crate::gateway::aws::json::JsonFields;
use crate::gateway::error::GatewayError;
use crate::gateway::mutation::Pending;
use crate::model::excerpt;
use aws_sdk_identitystore::types::MemberId;
use aws_sdk_ssoadmin::types::{
    AccountAssignmentOperationStatus, PermissionSetProvisioningStatus, PrincipalType, StatusValues,
};
use serde_json::{Value, json};

/// The status of an accepted change by its request id.
pub(super) async fn of_request(
    client: &aws_sdk_ssoadmin::Client,
    instance: &str,
    (pending, id): (Pending, &str),
    ask: &Ask,
) -> Result<Value, GatewayError> {
    match pending {
        Pending::Creation => {
            let call = client.describe_account_assignment_creation_status().instance_arn(instance);
            let answer = ask.answer(call.account_assignment_creation_request_id(id).send().await)?;
            let status = answer.account_assignment_creation_status;
            status.as_ref().map(assignment).ok_or_else(|| ask.lacking("AccountAssignmentCreationStatus"))
        }
        Pending::Deletion => {
            let call = client.describe_account_assignment_deletion_status().instance_arn(instance);
            let answer = ask.answer(call.account_assignment_deletion_request_id(id).send().await)?;
            let status = answer.account_assignment_deletion_status;
            status.as_ref().map(assignment).ok_or_else(|| ask.lacking("AccountAssignmentDeletionStatus"))
        }
        Pending::Provisioning => {
            let call = client.describe_permission_set_provisioning_status().instance_arn(instance);
            let answer = ask.answer(call.provision_permission_set_request_id(id).send().await)?;
            let status = answer.permission_set_provisioning_status;
            status.as_ref().map(provisioning).ok_or_else(|| ask.lacking("PermissionSetProvisioningStatus"))
        }
    }
}

/// An assignment on its way.
pub(super) fn assignment(status: &AccountAssignmentOperationStatus) -> Value {
    JsonFields::new()
        .text("Status", status.status.as_ref().map(StatusValues::as_str))
        .text("RequestId", status.request_id.as_deref())
        .text("FailureReason", status.failure_reason.as_deref().map(reason).as_deref())
        .text("TargetId", status.target_id.as_deref())
        .text("PermissionSetArn", status.permission_set_arn.as_deref())
        .text("PrincipalType", status.principal_type.as_ref().map(PrincipalType::as_str))
        .text("PrincipalId", status.principal_id.as_deref())
        .time("CreatedDate", status.created_date.as_ref())
        .object()
}

/// A permission set on its way into accounts.
pub(super) fn provisioning(status: &PermissionSetProvisioningStatus) -> Value {
    JsonFields::new()
        .text("Status", status.status.as_ref().map(StatusValues::as_str))
        .text("RequestId", status.request_id.as_deref())
        .text("AccountId", status.account_id.as_deref())
        .text("PermissionSetArn", status.permission_set_arn.as_deref())
        .text("FailureReason", status.failure_reason.as_deref().map(reason).as_deref())
        .time("CreatedDate", status.created_date.as_ref())
        .object()
}

/// AWS's reason, which goes into messages, the journal and the ledger.
fn reason(text: &str) -> String {
    excerpt(text, LONGEST_TEXT)
}

/// The id of the membership of a user in a group.
pub(super) async fn membership_id(
    client: &aws_sdk_identitystore::Client,
    store: &str,
    (group, user): (&str, &str),
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let member = MemberId::UserId(user.to_owned());
    let call = client.get_group_membership_id().identity_store_id(store).group_id(group).member_id(member);
    let answer = ask.answer(call.send().await)?;
    Ok(json!({"MembershipId": answer.membership_id}))
}
