//! `assignment list` and `get`: who has which permission set in which account, with names.
//!
//! Neighbours: `gateway/assignments.rs` walks, `reading.rs` prints, `changes/` has what changes something. Promise: what could not be read is listed target by
//! target and ends with exit code 3; an orphan (a principal that was deleted) is shown with its id.

use super::changes;
use super::columns::{ASSIGNMENTS, DELETED, STATE};
use super::directory::array;
use super::reading::{Reader, partial};
use super::warm::for_people;
use crate::cli::args::directory::AssignmentCommand;
use crate::cli::args::{GlobalArgs, ReadArgs};
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, View};
use crate::gateway::{
    Described, Filter, Gateway, GatewayError, Labels, Plan, Policy, Principal, PrincipalKind, Request, Row, Through,
};
use crate::report::{self, Progress};
use serde_json::{Value, json};
use std::collections::HashSet;
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
    let mut view = View::new("assignments", ASSIGNMENTS).of_list(&list)?;
    let reader = Reader::open(globals, &list.read, output)?;
    let is_everything = account.is_none() && permission_set.is_none() && principal.is_none();
    if is_everything && reader.policy.live {
        let plan = reader.wait(reader.gateway().plan_assignments(&reader.policy, reader.progress()))?;
        if plan.calls > UNASKED {
            approve(&plan, globals.yes, &reader)?;
        }
    }
    let (found, mut names, through) = reader.wait(async {
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
        let through = match &filter.principal {
            Some(Principal { kind: PrincipalKind::User, id }) => {
                Some(gateway.through_groups(id, &found.assignments, &filter, policy, progress).await?)
            }
            _ => None,
        };
        Ok((found, names, through))
    })?;
    if let Some(through) = &through {
        // None of them is no answer to what this user can reach.
        view = view.called("direct assignments");
        tell_through(through, reader.progress());
    }
    if found.by_principal {
        let text = "asked by user and group; what deleted ones still have is not in this list";
        reader.progress().notice(text);
    }
    let unnamed = names.failures();
    let failures = (!found.failures.is_empty())
        .then(|| Failure::from(GatewayError::Partial { total: found.targets, failures: found.failures }));
    let complete = failures.is_none() && unnamed.is_empty();
    reader.print_each(found.assignments.iter().map(|row| names.add(&row)), &view, complete)?;
    failures.map_or_else(|| partial(&unnamed), Err)
}

/// Says what a user has besides the rows of this list.
fn tell_through(through: &Through, progress: &dyn Progress) {
    let Through { rows, groups, unread } = through;
    let at_least = if unread.is_some() { "at least " } else { "" };
    if *rows > 0 {
        let (rows, reach) = if *rows == 1 {
            ("1 more assignment".into(), "reaches")
        } else {
            (format!("{rows} more assignments"), "reach")
        };
        let groups = if *groups == 1 { "1 group".into() } else { format!("{groups} groups") };
        progress.notice(&format!(
            "{at_least}{rows} {reach} this user through {groups}; `awsideman user groups USER` lists the groups, \
             `awsideman assignment list --principal group:NAME` what each has"
        ));
    }
    if let Some(reason) = unread {
        progress.notice(&format!("what this user has through groups is not known in full: {reason}"));
    }
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
    let (row, unnamed) = reader.wait(async {
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
        let mut names = Names::of(gateway, std::iter::once(row), policy, progress).await?;
        Ok((names.add(&row), names.failures()))
    })?;
    reader.print(&row, &view)?;
    partial(&unnamed)
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
    accounts: Labels,
    permission_sets: Labels,
    principals: Described<Value>,
}

impl Names {
    /// Those that these rows need, and no others.
    async fn of(
        gateway: &Gateway,
        rows: impl Iterator<Item = Row<'_>>,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Names, GatewayError> {
        let (mut accounts, mut sets, mut principals) = (HashSet::new(), HashSet::new(), HashSet::new());
        for row in rows {
            accounts.insert(row.account);
            sets.insert(row.permission_set);
            principals.insert((row.kind(), row.principal));
        }
        let owned = |ids: HashSet<&str>| ids.into_iter().map(str::to_owned).collect();
        let (accounts, sets) = (owned(accounts), owned(sets));
        let principals = principals.into_iter().map(|(kind, id)| (kind, id.to_owned())).collect();
        // A group has no UserName, a user may have a DisplayName.
        let name = |who: &Value| who.get("UserName").unwrap_or(&who["DisplayName"]).clone();
        Ok(Names {
            accounts: gateway.account_names(accounts, policy, progress).await?,
            permission_sets: gateway.permission_set_names(sets, policy, progress).await?,
            principals: gateway.describe_principals(principals, name, policy, progress).await?,
        })
    }

    /// The row with `AccountName`, `PermissionSetName` and `PrincipalName`; null where there is no name any more.
    fn add(&self, row: &Row<'_>) -> Value {
        let mut named = row.value();
        let principal = (row.kind(), row.principal.to_owned());
        named["AccountName"] = json!(self.accounts.names.get(row.account));
        named["PermissionSetName"] = json!(self.permission_sets.names.get(row.permission_set));
        named["PrincipalName"] = json!(self.principals.found.get(&principal));
        if self.principals.gone.contains(&principal) {
            named[STATE] = json!(DELETED);
        }
        named
    }

    /// The names that could not be read.
    fn failures(&mut self) -> Vec<report::Failure> {
        let labels = [self.accounts.failure.take(), self.permission_sets.failure.take()];
        let mut failures: Vec<_> = labels.into_iter().flatten().collect();
        failures.append(&mut self.principals.failures);
        failures
    }
}
