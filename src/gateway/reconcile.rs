//! Records the late result of an accepted change in the journal and in the cache.
//!
//! A late result closes the change as an immediate one does.

use super::api::PrincipalKind;
use super::journal::MutationOutcome;
use super::mutation::Grant;
use super::mutation::Mutation;
use super::mutation::Pending;
use super::write::Writing;
use crate::cache::{CacheError, dirty};
use crate::gateway::write::Writer;
use serde_json::Value;

/// The outcome of recording.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// The entry of the journal, when the change was made from here.
    pub journal: Option<i64>,
    /// What could not be written down.
    pub faults: Vec<String>,
    /// The invalidation could not be recorded: exit code 12.
    pub untold: Option<CacheError>,
}

impl Writer<'_> {
    /// Takes note of the status object of an accepted change. One that has not ended changes nothing.
    pub fn settled(self, pending: Pending, status: &Value, writing: &Writing) -> Reconciled {
        let mut settled = Reconciled::default();
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        let entry = writing.journal.as_ref().map_or(Ok(None), |journal| journal.of_request(&text("RequestId")));
        let entry = entry.unwrap_or_else(|fault| {
            settled.faults.push(format!("the journal cannot be read: {fault}"));
            None
        });
        settled.journal = entry.as_ref().map(|entry| entry.id);
        let outcome = match status["Status"].as_str() {
            Some("SUCCEEDED") => MutationOutcome::Done,
            Some("FAILED") => MutationOutcome::Failed(text("FailureReason")),
            _ => return settled,
        };
        let is_open = |outcome: &Option<String>| outcome.as_ref().is_none_or(|end| end.starts_with("unknown"));
        let Some(entry) = entry.filter(|entry| is_open(&entry.outcome)) else { return settled };
        if let (Some(change), MutationOutcome::Done) = (change(pending, status), &outcome) {
            settled.untold = writing.fences.close(&entry.space, &dirty(&change.event()), None).err();
        }
        if let Some(Err(fault)) = writing.journal.as_ref().map(|journal| journal.end(entry.id, &outcome)) {
            settled.faults.push(format!("the journal could not be completed: {fault}"));
        }
        settled
    }
}

/// The change that a status object is about.
fn change(pending: Pending, status: &Value) -> Option<Mutation> {
    let text = |field: &str| status[field].as_str().map(str::to_owned);
    let arn = text("PermissionSetArn")?;
    if pending == Pending::Provisioning {
        return Some(Mutation::Provision { arn, account: text("AccountId") });
    }
    let kind = if status["PrincipalType"] == "GROUP" { PrincipalKind::Group } else { PrincipalKind::User };
    let grant = Grant { account: text("TargetId")?, permission_set: arn, kind, principal: text("PrincipalId")? };
    Some(if pending == Pending::Creation { Mutation::Assign(grant) } else { Mutation::Revoke(grant) })
}
