//! `assignment list` and `get`: who has which permission set in which account, with names.
//!
//! Neighbours: `gateway/assignments.rs` walks, `reading.rs` prints, `changes/` has what changes something. Promise: what could not be read is listed target by
//! target and ends with exit code 3; an orphan (a principal that was deleted) is shown with its id.

use super::changes;
use super::columns::ASSIGNMENTS;
use super::directory::{array, text};
use super::reading::Reader;
use super::warm::for_people;
use crate::cli::args::directory::AssignmentCommand;
use crate::cli::args::{GlobalArgs, ReadArgs};
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, View};
use crate::gateway::{Filter, Gateway, GatewayError, Plan, Policy, Principal, PrincipalKind, Request};
use crate::report::Progress;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{IsTerminal, stdin};

/// A walk of so many calls is made without asking back.
const UNASKED: u64 = 200;

/// `assignment ...`
pub(crate) fn assignment(command: AssignmentCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let (account, permission_set, principal, list) = match command {
        AssignmentCommand::List { account, permission_set, principal, list } => {
            (account, permission_set, principal, list)
        }
        AssignmentCommand::Get { permission_set, principal, account, read } => {
            return get([&permission_set, &principal, &account], &read, globals, output);
        }
        AssignmentCommand::Assign(args) => return changes::assign(&args, globals, output),
        AssignmentCommand::Revoke(args) => return changes::revoke(&args, globals, output),
        AssignmentCommand::Status { request_id } => return changes::status(&request_id, globals, output),
    };
    let view = View::new("assignments", ASSIGNMENTS).of_list(&list)?;
    let reader = Reader::open(globals, &list.read, output)?;
    let is_everything = account.is_none() && permission_set.is_none() && principal.is_none();
    if is_everything && reader.policy.live {
        let plan = reader.wait(reader.gateway().plan_assignments(&reader.policy, reader.progress()))?;
        if plan.calls > UNASKED {
            approve(&plan, globals.yes, &reader)?;
        }
    }
    let found = reader.wait(async {
        let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
        let mut filter = Filter::default();
        if let Some(account) = &account {
            filter.account = Some(gateway.account_id(account, policy, progress).await?);
        }
        if let Some(permission_set) = &permission_set {
            filter.permission_set = Some(gateway.permission_set_arn(permission_set, policy, progress).await?);
        }
        if let Some(principal) = &principal {
            filter.principal = Some(gateway.principal(principal, policy, progress).await?);
        }
        let mut found = gateway.assignments(&filter, policy, progress).await?;
        name(gateway, &mut found.assignments, policy, progress).await?;
        Ok(found)
    })?;
    if found.by_principal {
        let text = "asked by user and group; what deleted ones still have is not in this list";
        reader.progress().notice(text);
    }
    let failures = (!found.failures.is_empty())
        .then(|| Failure::from(GatewayError::Partial { total: found.targets, failures: found.failures }));
    reader.print_part(&Value::Array(found.assignments), &view, failures.is_none())?;
    failures.map_or(Ok(()), Err)
}

/// `assignment get`: one row of one pair; what a user has through a group is the group's.
fn get(
    [permission_set, principal, account]: [&str; 3],
    read: &ReadArgs,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let view = View::new("assignments", ASSIGNMENTS).of_read(read)?;
    let reader = Reader::open(globals, read, output)?;
    let row = reader.wait(async {
        let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
        let arn = gateway.permission_set_arn(permission_set, policy, progress).await?;
        let account = gateway.account_id(account, policy, progress).await?;
        let Principal { kind, id } = gateway.principal(principal, policy, progress).await?;
        let pair = Request::Assignments { account: account.clone(), permission_set: arn.clone() };
        let rows = array(gateway.value(&pair, policy, progress).await?);
        let mut rows: Vec<Value> = rows
            .into_iter()
            .filter(|row| row["PrincipalId"] == *id && row["PrincipalType"] == kind.as_str())
            .take(1)
            .collect();
        name(gateway, &mut rows, policy, progress).await?;
        rows.pop().ok_or_else(|| GatewayError::NotFound {
            what: format!("an assignment of permission set {arn} to {id} in account {account}"),
        })
    })?;
    reader.print(&row, &view)
}

/// Lets a person decide about a walk that takes its time; who cannot be asked must have decided before.
fn approve(plan: &Plan, yes: bool, reader: &Reader<'_>) -> Result<(), Failure> {
    let about = if plan.exact { "" } else { "about " };
    let cost = format!("{about}{} calls to AWS, {} at the quota", plan.calls, for_people(plan.seconds));
    if yes {
        reader.progress().notice(&format!("this takes {cost}"));
        return Ok(());
    }
    let question = format!("listing all assignments takes {cost}");
    if !stdin().is_terminal() || !reader.session.progress.is_terminal() {
        return Err(Failure::new(Code::Usage, format!("{question}; nobody is there to agree")).hint(
            "`--yes` agrees; `awsideman cache warm assignments` fetches them ahead of time, `--plan` with it counts",
        ));
    }
    reader.session.progress.prompt(&format!("{question}. Go on? [y/N] "));
    let mut answer = String::new();
    // What cannot be read is no yes.
    let _ = stdin().read_line(&mut answer);
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(Code::Failed, "nothing was asked"))
}

/// Adds `AccountName`, `PermissionSetName` and `PrincipalName` to every row; null where there is no name any more.
async fn name(
    gateway: &Gateway,
    rows: &mut [Value],
    policy: &Policy,
    progress: &dyn Progress,
) -> Result<(), GatewayError> {
    if rows.is_empty() {
        return Ok(());
    }
    let accounts = names(gateway, &Request::Accounts, ("Id", "Name"), policy, progress).await?;
    let sets = names(gateway, &Request::PermissionSets, ("PermissionSetArn", "Name"), policy, progress).await?;
    let principals = rows.iter().map(principal).collect();
    let principals = gateway.describe_principals(principals, policy, progress).await?;
    for row in rows {
        let who = principals.get(&principal(row));
        let field = if row["PrincipalType"] == "GROUP" { "DisplayName" } else { "UserName" };
        row["AccountName"] = json!(accounts.get(&text(row, "AccountId")));
        row["PermissionSetName"] = json!(sets.get(&text(row, "PermissionSetArn")));
        row["PrincipalName"] = who.map_or(Value::Null, |who| who[field].clone());
    }
    Ok(())
}

fn principal(row: &Value) -> (PrincipalKind, String) {
    let kind = if row["PrincipalType"] == "GROUP" { PrincipalKind::Group } else { PrincipalKind::User };
    (kind, text(row, "PrincipalId"))
}

/// Id to name of a list. Names are a courtesy: where the list may not be read, rows keep their ids.
async fn names(
    gateway: &Gateway,
    request: &Request,
    (id, name): (&str, &str),
    policy: &Policy,
    progress: &dyn Progress,
) -> Result<HashMap<String, String>, GatewayError> {
    match gateway.value(request, policy, progress).await {
        Ok(list) => Ok(array(list).iter().map(|item| (text(item, id), text(item, name))).collect()),
        Err(
            error @ (GatewayError::AccessDenied { .. } | GatewayError::NotCached { .. } | GatewayError::Refused { .. }),
        ) => {
            progress.notice(&format!("without names: {error}"));
            Ok(HashMap::new())
        }
        Err(error) => Err(error),
    }
}
