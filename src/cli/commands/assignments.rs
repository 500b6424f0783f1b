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
use crate::gateway::{Filter, Gateway, GatewayError, Plan, Policy, Principal, PrincipalKind, Request, Row};
use crate::report::Progress;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
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
    let (found, names) = reader.wait(async {
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
        let found = gateway.assignments(&filter, policy, progress).await?;
        let names = Names::of(gateway, found.assignments.iter(), policy, progress).await?;
        Ok((found, names))
    })?;
    if found.by_principal {
        let text = "asked by user and group; what deleted ones still have is not in this list";
        reader.progress().notice(text);
    }
    let failures = (!found.failures.is_empty())
        .then(|| Failure::from(GatewayError::Partial { total: found.targets, failures: found.failures }));
    reader.print_each(found.assignments.iter().map(|row| names.add(&row)), &view, failures.is_none())?;
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
        if !rows.iter().any(|row| row["PrincipalId"] == *id && row["PrincipalType"] == kind.as_str()) {
            let what = format!("an assignment of permission set {arn} to {id} in account {account}");
            return Err(GatewayError::NotFound { what });
        }
        let row = Row { account: &account, permission_set: &arn, principal_type: kind.as_str(), principal: &id };
        Ok(Names::of(gateway, std::iter::once(row), policy, progress).await?.add(&row))
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

/// The names behind the ids of rows.
struct Names {
    accounts: HashMap<String, String>,
    permission_sets: HashMap<String, String>,
    principals: HashMap<(PrincipalKind, String), Value>,
}

impl Names {
    /// Those that these rows need, looked up.
    async fn of(
        gateway: &Gateway,
        rows: impl Iterator<Item = Row<'_>>,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Names, GatewayError> {
        let ids: HashSet<_> = rows.map(|row| (row.kind(), row.principal)).collect();
        let ids: HashSet<_> = ids.into_iter().map(|(kind, id)| (kind, id.to_owned())).collect();
        if ids.is_empty() {
            return Ok(Names { accounts: HashMap::new(), permission_sets: HashMap::new(), principals: HashMap::new() });
        }
        // A group has no UserName, a user may have a DisplayName.
        let name = |who: &Value| who.get("UserName").unwrap_or(&who["DisplayName"]).clone();
        Ok(Names {
            accounts: names(gateway, &Request::Accounts, ("Id", "Name"), policy, progress).await?,
            permission_sets: names(gateway, &Request::PermissionSets, ("PermissionSetArn", "Name"), policy, progress)
                .await?,
            principals: gateway.describe_principals(ids, name, policy, progress).await?,
        })
    }

    /// The row with `AccountName`, `PermissionSetName` and `PrincipalName`; null where there is no name any more.
    fn add(&self, row: &Row<'_>) -> Value {
        let mut named = row.value();
        named["AccountName"] = json!(self.accounts.get(row.account));
        named["PermissionSetName"] = json!(self.permission_sets.get(row.permission_set));
        named["PrincipalName"] = json!(self.principals.get(&(row.kind(), row.principal.to_owned())));
        named
    }
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
