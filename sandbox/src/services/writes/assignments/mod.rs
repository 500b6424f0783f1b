//! Assignments and provisioning: what these calls start, `async_operations.rs` ends.
//!
//! No more are under way at once than AWS allows; one that another under way would collide with is refused, one
//! that is there already succeeds again.

use crate::async_operations::State;
use crate::async_operations::Task;
use crate::async_operations::Work;
use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Assignment;
use crate::records::Id;
use crate::services::operation_status;
use crate::services::operation_status::Kind;
use crate::services::sso_admin;
use crate::state::Organization;
use crate::validation::ids::Form;

/// Creations of assignments that AWS has under way at once.
const CREATIONS: usize = 15;
/// Provisionings that AWS has under way at once.
const PROVISIONINGS: usize = 3;

/// `CreateAccountAssignment`
pub(crate) fn create(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let assignment = assignment(organization, request)?;
    must_have_room(organization, Kind::Creation, CREATIONS)?;
    begin(organization, request, now, Work::Create(assignment))
}

/// `DeleteAccountAssignment`
pub(crate) fn delete(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let assignment = assignment(organization, request)?;
    begin(organization, request, now, Work::Delete(assignment))
}

/// `ProvisionPermissionSet`
pub(crate) fn provision(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let (arn, _) = sso_admin::permission_set(organization, request)?;
    let permission_set = Id::from(arn);
    let kind = request.word("TargetType", &["AWS_ACCOUNT", "ALL_PROVISIONED_ACCOUNTS"])?;
    let account = match kind.ok_or_else(|| request.missing("TargetType"))? {
        "AWS_ACCOUNT" => Some(Id::from(sso_admin::account_in(organization, request, "TargetId")?)),
        _ => None,
    };
    must_have_room(organization, Kind::Provisioning, PROVISIONINGS)?;
    begin(organization, request, now, Work::Provision { permission_set, account })
}

fn assignment(organization: &Organization, request: &Request) -> Result<Assignment, Refusal> {
    let (arn, _) = sso_admin::permission_set(organization, request)?;
    request.word("TargetType", &["AWS_ACCOUNT"])?.ok_or_else(|| request.missing("TargetType"))?;
    let account = sso_admin::account_in(organization, request, "TargetId")?;
    let principal = request.id("PrincipalId", Form::ResourceId)?;
    let kind = request.word("PrincipalType", &["USER", "GROUP"])?.and_then(sso_admin::principal_type);
    Ok(Assignment {
        account_id: Id::from(account),
        permission_set_arn: Id::from(arn),
        principal_type: kind.ok_or_else(|| request.missing("PrincipalType"))?,
        principal_id: Id::from(principal),
    })
}

fn must_have_room(organization: &Organization, kind: Kind, most: usize) -> Result<(), Refusal> {
    let under_way = organization.progressing.under_way().filter(|task| Kind::of(&task.work) == kind).count();
    if under_way < most { Ok(()) } else { Err(Refusal::too_many_under_way()) }
}

fn begin(organization: &mut Organization, request: &Request, now: Now, work: Work) -> Answer {
    let collides =
        |task: &Task| task.work == work || (work.assignment().is_some() && task.work.assignment() == work.assignment());
    if organization.progressing.under_way().any(collides) {
        let message = "Another request for the same resource is being processed. Please try again later.";
        return Err(Refusal::conflict(message));
    }
    let arn = organization.identity.instance_arn.clone();
    let request_id = Id::from(organization.mint.next(&arn, "request").uuid());
    let doom = doom(organization, request, &work);
    let task = Task { request_id, work, begun: now, state: State::InProgress, doom };
    let answer = operation_status::status(&task);
    organization.progressing.begin(task);
    Ok(answer)
}

/// Why an operation will fail whatever comes.
fn doom(organization: &Organization, request: &Request, work: &Work) -> Option<String> {
    let management = &organization.identity.management_account;
    let account = match work {
        Work::Create(assignment) | Work::Delete(assignment) => Some(&assignment.account_id),
        Work::Provision { account, .. } => account.as_ref(),
    };
    if request.mishaps.delegated_admin && account == Some(management) {
        let what = "a delegated administrator cannot manage access to the management account";
        Some(format!("Received a 403 status error: {what} {management}"))
    } else {
        request.mishaps.fail_async.then(|| "An unexpected internal service exception was encountered".to_owned())
    }
}

#[cfg(test)]
mod tests;
