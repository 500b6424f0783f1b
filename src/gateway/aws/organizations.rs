//! Organizations: accounts, and the tree that they hang in.
//!
//! One function for each operation, objects as `aws organizations` prints them, pages of 20.

use super::errors::Ask;
use crate::gateway::api::Page;
use crate::gateway::aws::json::JsonFields;
use crate::gateway::error::GatewayError;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{
    Account, AccountJoinedMethod, AccountState, AccountStatus, OrganizationalUnit, PolicyType, PolicyTypeStatus,
    PolicyTypeSummary, Root, Tag,
};
use serde_json::Value;

const PAGE: i32 = 20;

pub(super) async fn accounts(client: &Client, token: Option<String>, ask: &Ask) -> Result<Page, GatewayError> {
    let call = client.list_accounts().max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.accounts().iter().map(account).collect(), next: answer.next_token })
}

pub(super) async fn roots(client: &Client, token: Option<String>, ask: &Ask) -> Result<Page, GatewayError> {
    let call = client.list_roots().max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.roots().iter().map(root).collect(), next: answer.next_token })
}

pub(super) async fn organizational_units(
    client: &Client,
    parent: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_organizational_units_for_parent().parent_id(parent);
    let answer = ask.answer(call.max_results(PAGE).set_next_token(token).send().await)?;
    Ok(Page { items: answer.organizational_units().iter().map(unit).collect(), next: answer.next_token })
}

pub(super) async fn accounts_for_parent(
    client: &Client,
    parent: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_accounts_for_parent().parent_id(parent);
    let answer = ask.answer(call.max_results(PAGE).set_next_token(token).send().await)?;
    Ok(Page { items: answer.accounts().iter().map(account).collect(), next: answer.next_token })
}

pub(super) async fn describe_account(client: &Client, id: &str, ask: &Ask) -> Result<Value, GatewayError> {
    let answer = ask.answer(client.describe_account().account_id(id).send().await)?;
    answer.account().map(account).ok_or_else(|| ask.lacking("Account"))
}

/// AWS chooses the size of these pages itself.
pub(super) async fn tags(
    client: &Client,
    account: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_tags_for_resource().resource_id(account).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    let tag = |tag: &Tag| JsonFields::new().text("Key", Some(&tag.key)).text("Value", Some(&tag.value)).object();
    Ok(Page { items: answer.tags().iter().map(tag).collect(), next: answer.next_token })
}

fn account(account: &Account) -> Value {
    // `Status` is being retired in favor of `State`; both are passed on as long as AWS sends both.
    let status = account.status.as_ref().map(AccountStatus::as_str);
    JsonFields::new()
        .text("Id", account.id.as_deref())
        .text("Arn", account.arn.as_deref())
        .text("Email", account.email.as_deref())
        .text("Name", account.name.as_deref())
        .text("Status", status)
        .text("State", account.state.as_ref().map(AccountState::as_str))
        .list("Paths", account.paths.as_ref(), |path| Value::from(path.as_str()))
        .text("JoinedMethod", account.joined_method.as_ref().map(AccountJoinedMethod::as_str))
        .time("JoinedTimestamp", account.joined_timestamp.as_ref())
        .object()
}

fn root(root: &Root) -> Value {
    JsonFields::new()
        .text("Id", root.id.as_deref())
        .text("Arn", root.arn.as_deref())
        .text("Name", root.name.as_deref())
        .list("PolicyTypes", root.policy_types.as_ref(), policy_type)
        .object()
}

fn policy_type(summary: &PolicyTypeSummary) -> Value {
    JsonFields::new()
        .text("Type", summary.r#type.as_ref().map(PolicyType::as_str))
        .text("Status", summary.status.as_ref().map(PolicyTypeStatus::as_str))
        .object()
}

fn unit(unit: &OrganizationalUnit) -> Value {
    JsonFields::new()
        .text("Id", unit.id.as_deref())
        .text("Arn", unit.arn.as_deref())
        .text("Name", unit.name.as_deref())
        .text("Path", unit.path.as_deref())
        .object()
}
