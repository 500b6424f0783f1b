//! `assignment list` and `get`: who has which permission set in which account, with names.
//!
//! What could not be read is listed target by target and ends with exit code 3; an orphan (a principal that was
//! deleted) is shown with its id.

use super::changes;
use super::columns::{ASSIGNMENTS, DELETED, STATE};
use super::directory::array;
use crate::cli::args::directory::{AssignmentCommand, AssignmentListArgs};
use crate::cli::args::{GlobalArgs, ReadArgs};
use crate::cli::commands::cache::warm::calls_to_aws;
use crate::cli::commands::cache::warm::for_people;
use crate::cli::commands::reader::ReadSession;
use crate::cli::commands::reader::partial;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::exit_code::failed;
use crate::cli::output::{Output, Projection};
use crate::gateway::{
    AssignmentFilter, AssignmentList, AssignmentRow, CachePolicy, Gateway, GatewayError, KnownPrincipals, Labels,
    Principal, PrincipalKind, Request, Through,
};
use crate::progress;
use crate::progress::Progress;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{IsTerminal, stdin};

/// A walk of so many calls is made without asking back.
const UNASKED: u64 = 200;

/// `assignment ...`
pub(crate) fn assignment(
    command: AssignmentCommand,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    match command {
        AssignmentCommand::List(args) => list(&args, globals, output),
        AssignmentCommand::Get { permission_set, principal, account, read } => {
            get([&permission_set, &principal, &account], &read, globals, output)
        }
        AssignmentCommand::Assign(args) => changes::assign(&args, globals, output),
        AssignmentCommand::Revoke(args) => changes::revoke(&args, globals, output),
        AssignmentCommand::Status { request_id } => changes::status(&request_id, globals, output),
    }
}

/// What was read for a list.
struct AssignmentTable {
    found: AssignmentList,
    names: RowNames,
    through: Option<Through>,
}

fn list(args: &AssignmentListArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let mut view = Projection::new("assignments", ASSIGNMENTS).of_list(&args.list)?;
    let limit = CallLimit::of(args, globals, output);
    let reader = ReadSession::open_within(limit, globals, &args.list.read, output)?;
    let ended = |error| ended(error, args, &reader);
    let filter = reader.wait(async { Ok(filter(args, &reader).await) })?.map_err(ended)?;
    if reader.policy.live && filter.principal.is_none() && (filter.account.is_none() || filter.permission_set.is_none())
    {
        approve(&filter, limit, &reader)?;
    }
    let listed = reader.wait(async { Ok(read(&filter, &reader).await) })?;
    let AssignmentTable { mut found, mut names, through } = listed.map_err(ended)?;
    if let Some(through) = &through {
        // If no group could be read, the answer is unknown.
        view = view.called("direct assignments");
        tell_through(through, reader.progress());
    }
    if found.by_principal {
        let text = "read user by user and group by group: assignments of deleted users and groups are not in this list; \
            `awsideman assignment list --account ACCOUNT` shows those of an account";
        reader.progress().notice(text);
    }
    let unnamed = names.failures();
    let most = limit.budget(reader.session.app.config().access.max_calls);
    if let Some(budget) = most.filter(|most| !unnamed.is_empty() && reader.reading.calls().total >= *most) {
        found.ended.get_or_insert(GatewayError::Budget { budget });
    }
    let failure = incomplete(&found, args.max_calls);
    let complete = failure.is_none() && unnamed.is_empty();
    if !complete {
        view = view.called("assignments in the part that was read");
    }
    // Nothing was read: an empty list would look like an answer.
    if let Some(failure) = failure.as_ref().filter(|failure| failure.code != Code::Partial) {
        return Err(failure.clone());
    }
    reader.print_each(found.assignments.iter().map(|row| names.add(&row)), &view, complete)?;
    failure.map_or_else(|| partial(&unnamed), Err)
}

/// The ids behind the names of the flags.
async fn filter(args: &AssignmentListArgs, reader: &ReadSession<'_>) -> Result<AssignmentFilter, GatewayError> {
    let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
    let mut filter = AssignmentFilter::default();
    if let Some(account) = &args.account {
        filter.account = Some(gateway.resolver().account_id(account, policy, progress).await?);
    }
    if let Some(permission_set) = &args.permission_set {
        filter.permission_set = Some(gateway.resolver().permission_set_arn(permission_set, policy, progress).await?);
    }
    if let Some(principal) = &args.principal {
        filter.principal = Some(gateway.resolver().principal(principal, policy, progress).await?);
    }
    Ok(filter)
}

async fn read(filter: &AssignmentFilter, reader: &ReadSession<'_>) -> Result<AssignmentTable, GatewayError> {
    let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
    let found = gateway.assignment_reader().assignments(filter, policy, progress).await?;
    let names = RowNames::of(gateway, found.assignments.iter(), policy, progress).await?;
    let through = match &filter.principal {
        Some(Principal { kind: PrincipalKind::User, id }) => {
            Some(gateway.assignment_reader().through_groups(id, &found.assignments, filter, policy, progress).await?)
        }
        _ => None,
    };
    Ok(AssignmentTable { found, names, through })
}

/// The failure of a list that ended before its first row.
fn ended(error: GatewayError, args: &AssignmentListArgs, reader: &ReadSession<'_>) -> CliError {
    let is_whole = args.account.is_none() && args.permission_set.is_none() && args.principal.is_none();
    match error {
        GatewayError::Budget { budget } => stopped(budget, args.max_calls, "no assignment was read yet"),
        // The whole list takes more than the entry that is missing first.
        error @ GatewayError::NotCached { .. } if is_whole && !reader.session.app.is_memory() => {
            reader.failure(error).hint(
                "leave out `--cache-only` to ask AWS and store the answer; `awsideman cache warm permission-sets accounts \
                 assignments` stores it in advance",
            )
        }
        error => reader.failure(error),
    }
}

fn stopped(budget: u64, max_calls: Option<u64>, unread: &str) -> CliError {
    let limit = if max_calls.is_some() { "--max-calls" } else { "`access.max_calls`" };
    CliError::new(Code::Partial, format!("stopped after {budget} calls to AWS ({limit}): {unread}")).hint(
        "run it again to continue: fetched entries are kept\n`--max-calls N` sets another limit, `--yes` sets none",
    )
}

/// The failure of a list that lacks targets.
fn incomplete(found: &AssignmentList, max_calls: Option<u64>) -> Option<CliError> {
    if let Some(GatewayError::Budget { budget }) = &found.ended {
        let unread = if found.unread == 0 {
            "the list is incomplete".to_owned()
        } else {
            format!("{} of {} targets were not read", found.unread, found.targets)
        };
        return Some(stopped(*budget, max_calls, &unread).details(failed::lines(&found.failures)));
    }
    if found.failures.is_empty() {
        return None;
    }
    let failures = found.failures.clone();
    Some(GatewayError::Partial { total: found.targets, failures }.into())
}

/// Reports the assignments of a user that this list does not contain.
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
        progress.notice(&format!("the assignments of this user through groups are incomplete: {reason}"));
    }
}

/// `assignment get`: one row of one pair; what a user has through a group is the group's.
fn get(
    [permission_set, principal, account]: [&str; 3],
    read: &ReadArgs,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let view = Projection::new("assignments", ASSIGNMENTS).of_read(read)?;
    let reader = ReadSession::open(globals, read, output)?;
    let (row, unnamed) = reader.wait(async {
        let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
        let arn = gateway.resolver().permission_set_arn(permission_set, policy, progress).await?;
        let account = gateway.resolver().account_id(account, policy, progress).await?;
        let Principal { kind, id } = gateway.resolver().principal(principal, policy, progress).await?;
        let pair = Request::Assignments { account: account.clone(), permission_set: arn.clone() };
        let rows = array(gateway.reader().value(&pair, policy, progress).await?);
        if !rows.iter().any(|row| row["PrincipalId"] == *id && row["PrincipalType"] == kind.as_str()) {
            let what = format!("an assignment of permission set {arn} to {id} in account {account}");
            return Err(GatewayError::NotFound { what });
        }
        let row =
            AssignmentRow { account: &account, permission_set: &arn, principal_type: kind.as_str(), principal: &id };
        let mut names = RowNames::of(gateway, std::iter::once(row), policy, progress).await?;
        Ok((names.add(&row), names.failures()))
    })?;
    reader.print(&row, &view)?;
    partial(&unnamed)
}

/// How many calls a list may make without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallLimit {
    /// No limit: `--yes`.
    None,
    /// This many: `--max-calls`.
    Calls(u64),
    /// The user confirms.
    Confirm,
    /// The limit of `access.max_calls`, without a terminal.
    Configured,
}

impl CallLimit {
    fn of(args: &AssignmentListArgs, globals: &GlobalArgs, output: &Output) -> CallLimit {
        match args.max_calls {
            Some(calls) => CallLimit::Calls(calls),
            None if globals.yes => CallLimit::None,
            None if stdin().is_terminal() && output.talk().is_terminal() => CallLimit::Confirm,
            None => CallLimit::Configured,
        }
    }

    /// The most calls.
    pub(super) fn budget(self, configured: u64) -> Option<u64> {
        match self {
            CallLimit::None | CallLimit::Confirm => None,
            CallLimit::Calls(calls) => Some(calls),
            CallLimit::Configured => Some(configured),
        }
    }
}

/// Prints the cost of a long walk and asks for confirmation. Without a terminal the walk continues within its limit.
fn approve(filter: &AssignmentFilter, limit: CallLimit, reader: &ReadSession<'_>) -> Result<(), CliError> {
    let plan = reader.wait(async {
        let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
        let planned = if *filter == AssignmentFilter::default() {
            let planned = gateway.planner().plan_assignments(policy, progress).await?;
            // The few calls that count the pairs are part of the walk.
            if planned.likely > UNASKED && planned.calls <= UNASKED && policy.fill {
                gateway.planner().plan_filtered(filter, policy, progress).await
            } else {
                Ok(planned)
            }
        } else {
            gateway.planner().plan_filtered(filter, policy, progress).await
        };
        match planned {
            // The walk itself reports what it could not read.
            Err(GatewayError::Budget { .. }) => Ok(None),
            planned => planned.map(Some),
        }
    })?;
    let Some(plan) = plan.filter(|plan| plan.calls > UNASKED) else { return Ok(()) };
    let at_least = if plan.exact { "" } else { "at least " };
    let (calls, time) = (calls_to_aws(plan.calls), for_people(plan.seconds));
    let cost = format!("{at_least}{calls}, {at_least}{time} at the quota");
    let most = limit.budget(reader.session.app.config().access.max_calls);
    match most {
        Some(most) if plan.calls > most => {
            let text =
                format!("this takes {cost}; it stops after {most} calls with a partial list (--max-calls, --yes)");
            reader.progress().notice(&text);
            return Ok(());
        }
        _ if limit != CallLimit::Confirm => {
            reader.progress().notice(&format!("this takes {cost}"));
            return Ok(());
        }
        _ => {}
    }
    let question = format!("listing these assignments takes {cost}. Continue? [y/N] ");
    reader.session.progress.prompt(&question);
    let mut answer = String::new();
    // What cannot be read is no yes.
    let _ = stdin().read_line(&mut answer);
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(CliError::new(Code::Failed, "not confirmed: no assignments were read"))
}

/// The names behind the ids of rows.
struct RowNames {
    accounts: Labels,
    permission_sets: Labels,
    principals: KnownPrincipals<Value>,
}

impl RowNames {
    /// Those that these rows need, and no others.
    async fn of(
        gateway: &Gateway,
        rows: impl Iterator<Item = AssignmentRow<'_>>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<RowNames, GatewayError> {
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
        Ok(RowNames {
            accounts: gateway.resolver().account_names(accounts, policy, progress).await?,
            permission_sets: gateway.resolver().permission_set_names(sets, policy, progress).await?,
            principals: gateway.resolver().describe_principals(principals, name, policy, progress).await?,
        })
    }

    /// The row with `AccountName`, `PermissionSetName` and `PrincipalName`; null where there is no name any more.
    fn add(&self, row: &AssignmentRow<'_>) -> Value {
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
    fn failures(&mut self) -> Vec<progress::TargetFailure> {
        let labels = [self.accounts.failure.take(), self.permission_sets.failure.take()];
        let mut failures: Vec<_> = labels.into_iter().flatten().collect();
        failures.append(&mut self.principals.failures);
        failures
    }
}
