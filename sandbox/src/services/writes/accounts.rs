//! Writes of accounts: close.
//!
//! Guarantee: a closed account keeps its assignments, as in AWS; nothing can be provisioned to it any more. The days
//! that AWS takes from `PENDING_CLOSURE` to `SUSPENDED` are left out.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::state::Organization;
use crate::validation::ids::Form;
use serde_json::json;

/// `CloseAccount`
pub(crate) fn close(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let id = request.id("AccountId", Form::AccountId)?;
    if *id == *organization.identity.management_account {
        let message = "You can't close the management account of an organization.";
        return Err(Refusal::organizations("ConstraintViolationException", message));
    }
    let account = organization.accounts.get_mut(id).ok_or_else(|| {
        Refusal::organizations("AccountNotFoundException", "You specified an account that doesn't exist.")
    })?;
    if account.state != "ACTIVE" {
        return Err(Refusal::organizations(
            "AccountAlreadyClosedException",
            "You specified an account that is closed.",
        ));
    }
    (account.state, account.status) = ("SUSPENDED", "SUSPENDED");
    Ok(json!({}))
}
