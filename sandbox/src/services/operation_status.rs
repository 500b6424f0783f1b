//! How asynchronous operations stand: what `Describe...Status` and `List...Status` of sso-admin answer.
//!
//! A request is found by the operation of its own kind only, for as long as the sandbox runs.

use crate::async_operations::State;
use crate::async_operations::Task;
use crate::async_operations::Work;
use crate::aws_json::Answer;
use crate::aws_json::Operation;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::paging::Paging;
use crate::services::sso_admin;
use crate::state;
use crate::state::Organization;
use crate::validation::ids::Form;
use serde_json::Value;
use serde_json::json;

/// What can be asked.
pub(crate) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeAccountAssignmentCreationStatus", describe_creation),
    ("DescribeAccountAssignmentDeletionStatus", describe_deletion),
    ("DescribePermissionSetProvisioningStatus", describe_provisioning),
    ("ListAccountAssignmentCreationStatus", list_creations),
    ("ListAccountAssignmentDeletionStatus", list_deletions),
    ("ListPermissionSetProvisioningStatus", list_provisionings),
];

/// What an operation does, without what it does it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Creation,
    Deletion,
    Provisioning,
}

impl Kind {
    /// The kind of a piece of work.
    pub(crate) fn of(work: &Work) -> Kind {
        match work {
            Work::Create(_) => Kind::Creation,
            Work::Delete(_) => Kind::Deletion,
            Work::Provision { .. } => Kind::Provisioning,
        }
    }

    /// The field that holds the status in an answer.
    fn field(self) -> &'static str {
        match self {
            Kind::Creation => "AccountAssignmentCreationStatus",
            Kind::Deletion => "AccountAssignmentDeletionStatus",
            Kind::Provisioning => "PermissionSetProvisioningStatus",
        }
    }
}

/// The answer that tells all of an operation.
pub(crate) fn status(task: &Task) -> Value {
    let mut fields = match &task.work {
        Work::Create(row) | Work::Delete(row) => json!({
            "TargetId": row.account_id, "TargetType": "AWS_ACCOUNT", "PermissionSetArn": row.permission_set_arn,
            "PrincipalType": row.principal_type, "PrincipalId": row.principal_id,
        }),
        Work::Provision { permission_set, account: Some(account) } => {
            json!({"PermissionSetArn": permission_set, "AccountId": account})
        }
        Work::Provision { permission_set, account: None } => json!({"PermissionSetArn": permission_set}),
    };
    fields["Status"] = json!(task.state.as_str());
    fields["RequestId"] = json!(task.request_id);
    fields["CreatedDate"] = json!(task.begun.at);
    if let State::Failed(reason) = &task.state {
        fields["FailureReason"] = json!(reason);
    }
    json!({Kind::of(&task.work).field(): fields})
}

fn describe_creation(organization: &Organization, request: &Request) -> Answer {
    describe(organization, request, Kind::Creation, "AccountAssignmentCreationRequestId")
}

fn describe_deletion(organization: &Organization, request: &Request) -> Answer {
    describe(organization, request, Kind::Deletion, "AccountAssignmentDeletionRequestId")
}

fn describe_provisioning(organization: &Organization, request: &Request) -> Answer {
    describe(organization, request, Kind::Provisioning, "ProvisionPermissionSetRequestId")
}

fn describe(organization: &Organization, request: &Request, kind: Kind, field: &str) -> Answer {
    sso_admin::instance(organization, request)?;
    let id = request.id(field, Form::RequestId)?;
    let found = organization.progressing.all().get(id).filter(|task| Kind::of(&task.work) == kind);
    found.map(status).ok_or_else(|| Refusal::not_found(format!("Could not find request with id {id}")))
}

fn list_creations(organization: &Organization, request: &Request) -> Answer {
    list(organization, request, Kind::Creation, "AccountAssignmentsCreationStatus")
}

fn list_deletions(organization: &Organization, request: &Request) -> Answer {
    list(organization, request, Kind::Deletion, "AccountAssignmentsDeletionStatus")
}

fn list_provisionings(organization: &Organization, request: &Request) -> Answer {
    list(organization, request, Kind::Provisioning, "PermissionSetsProvisioningStatus")
}

fn list(organization: &Organization, request: &Request, kind: Kind, field: &str) -> Answer {
    let instance = sso_admin::instance(organization, request)?;
    let only = match request.value("Filter").and_then(|filter| filter.get("Status")) {
        None | Some(Value::Null) => None,
        Some(Value::String(word)) if ["IN_PROGRESS", "FAILED", "SUCCEEDED"].contains(&word.as_str()) => Some(word),
        Some(_) => {
            let rule = "Member must satisfy enum value set: [IN_PROGRESS, FAILED, SUCCEEDED]";
            return Err(request.invalid("Filter.Status", "", rule));
        }
    };
    let paging = Paging::read(request, &[instance, field, only.map_or("", String::as_str)])?;
    let rows = state::after(organization.progressing.all(), paging.after())
        .filter(|(_, task)| Kind::of(&task.work) == kind && only.is_none_or(|only| only == task.state.as_str()))
        .map(|(id, task)| {
            let row = json!({"Status": task.state.as_str(), "RequestId": id, "CreatedDate": task.begun.at});
            (id.clone(), row)
        });
    Ok(paging.page(field, rows))
}
