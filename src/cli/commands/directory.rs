//! `user`, `group`, `permission-set`, `account`, `ou` and `instance`.
//!
//! A list is printed as AWS shapes it; a `find` without a hit is an empty list, a `get` without one is an error.

use super::changes::{self, GroupChange, SetChange, UserChange, permission_sets as set};
use super::columns::{ACCOUNTS, DELETED, GROUPS, INSTANCES, MEMBERS, MEMBERSHIPS, OUS, PERMISSION_SETS, STATE, USERS};
use crate::app::AwsAccount;
use crate::cli::args::directory::{
    AccountCommand, Everything, GroupCommand, InstanceCommand, OuCommand, PermissionSetCommand, UserCommand,
};
use crate::cli::args::{GlobalArgs, ListArgs};
use crate::cli::commands::reader::ReadSession;
use crate::cli::commands::reader::partial;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Column, Output, Projection};
use crate::gateway::{GatewayError, KnownPrincipals, PrincipalKind, Request};
use serde_json::{Value, json};

/// `user ...`
pub(crate) fn user(command: UserCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        UserCommand::List(Everything { list: args }) => list(&Request::Users, "users", USERS, &args, globals, output),
        UserCommand::Find { text, list: args } => {
            let view = Projection::new("users", USERS).of_list(&args)?.searching(&text);
            ReadSession::open(globals, &args.read, output)?.show(&Request::Users, &view)
        }
        UserCommand::Get { user, read } => {
            let view = Projection::new("users", USERS).of_read(&read)?;
            let reader = ReadSession::open(globals, &read, output)?;
            let id = match reader.known(reader.gateway().resolver().cached_user_id(&user, &reader.policy))? {
                Some(id) => id,
                None => reader.wait(reader.gateway().resolver().user_id(&user, &reader.policy, reader.progress()))?,
            };
            reader.show(&Request::User(id), &view)
        }
        UserCommand::Groups { user, list: args } => {
            let view = Projection::new("groups", MEMBERSHIPS).of_list(&args)?;
            let reader = ReadSession::open(globals, &args.read, output)?;
            let rows = reader.wait(async {
                let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
                let id = gateway.resolver().user_id(&user, policy, progress).await?;
                let mut rows = array(gateway.reader().value(&Request::UserGroups(id), policy, progress).await?);
                let ids = rows.iter().map(|row| (PrincipalKind::Group, text(row, "GroupId")));
                let known =
                    gateway.resolver().describe_principals(ids.collect(), Value::clone, policy, progress).await?;
                for row in &mut rows {
                    let group = (PrincipalKind::Group, text(row, "GroupId"));
                    add(row, &known, &group, &[("GroupName", "DisplayName"), ("GroupDescription", "Description")]);
                }
                Ok((rows, known.failures))
            })?;
            reader.print_partial(&rows, &view)
        }
        UserCommand::Create(arguments) => changes::users(UserChange::Create(arguments), globals, output),
        UserCommand::Update(arguments) => changes::users(UserChange::Update(arguments), globals, output),
        UserCommand::Delete { user, orphans, change } => {
            changes::users(UserChange::Delete(user, orphans, change), globals, output)
        }
    }
}

/// `group ...`
pub(crate) fn group(command: GroupCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        GroupCommand::List(Everything { list: args }) => {
            list(&Request::Groups, "groups", GROUPS, &args, globals, output)
        }
        GroupCommand::Find { text, list: args } => {
            let view = Projection::new("groups", GROUPS).of_list(&args)?.searching(&text);
            ReadSession::open(globals, &args.read, output)?.show(&Request::Groups, &view)
        }
        GroupCommand::Get { group, read } => {
            let view = Projection::new("groups", GROUPS).of_read(&read)?;
            let reader = ReadSession::open(globals, &read, output)?;
            let id = match reader.known(reader.gateway().resolver().cached_group_id(&group, &reader.policy))? {
                Some(id) => id,
                None => reader.wait(reader.gateway().resolver().group_id(&group, &reader.policy, reader.progress()))?,
            };
            reader.show(&Request::Group(id), &view)
        }
        GroupCommand::Members { group, list: args } => {
            let view = Projection::new("members", MEMBERS).of_list(&args)?;
            let reader = ReadSession::open(globals, &args.read, output)?;
            let rows = reader.wait(async {
                let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
                let id = gateway.resolver().group_id(&group, policy, progress).await?;
                let mut rows = array(gateway.reader().value(&Request::GroupMembers(id), policy, progress).await?);
                let user = |row: &Value| (PrincipalKind::User, text(&row["MemberId"], "UserId"));
                let ids = rows.iter().map(user).collect();
                let known = gateway.resolver().describe_principals(ids, Value::clone, policy, progress).await?;
                for row in &mut rows {
                    let who = user(row);
                    add(row, &known, &who, &[("UserName", "UserName"), ("DisplayName", "DisplayName")]);
                }
                Ok((rows, known.failures))
            })?;
            reader.print_partial(&rows, &view)
        }
        GroupCommand::Create(arguments) => changes::groups(GroupChange::Create(arguments), globals, output),
        GroupCommand::Update(arguments) => changes::groups(GroupChange::Update(arguments), globals, output),
        GroupCommand::Delete { group, orphans, change } => {
            changes::groups(GroupChange::Delete(group, orphans, change), globals, output)
        }
        GroupCommand::AddMember(arguments) => changes::groups(GroupChange::Add(arguments), globals, output),
        GroupCommand::RemoveMember(arguments) => changes::groups(GroupChange::Remove(arguments), globals, output),
    }
}

/// `permission-set ...`
pub(crate) fn permission_set(
    command: PermissionSetCommand,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    match command {
        PermissionSetCommand::List(Everything { list: args }) => {
            list(&Request::PermissionSets, "permission sets", PERMISSION_SETS, &args, globals, output)
        }
        PermissionSetCommand::Find { text, list: args } => {
            let view = Projection::new("permission sets", PERMISSION_SETS).of_list(&args)?.searching(&text);
            ReadSession::open(globals, &args.read, output)?.show(&Request::PermissionSets, &view)
        }
        PermissionSetCommand::Get { permission_set, read } => {
            let view = Projection::new("permission sets", PERMISSION_SETS).of_read(&read)?;
            let reader = ReadSession::open(globals, &read, output)?;
            let (found, failures) = reader.wait(async {
                let (gateway, policy, progress) = (reader.gateway(), &reader.policy, reader.progress());
                let arn = gateway.resolver().permission_set_arn(&permission_set, policy, progress).await?;
                let mut failures = Vec::new();
                let mut found =
                    match gateway.reader().value(&Request::PermissionSet(arn.clone()), policy, progress).await {
                        Err(error @ GatewayError::AccessDenied { .. }) => {
                            let target = "the description".to_owned();
                            failures.push(error.of_target(target));
                            json!({ "PermissionSetArn": arn })
                        }
                        found => found?,
                    };
                let policies =
                    match gateway.reader().value(&Request::PermissionSetPolicies(arn), policy, progress).await {
                        Err(GatewayError::Incomplete { found, failures: missing, .. }) => {
                            failures.extend(missing);
                            *found
                        }
                        policies => policies?,
                    };
                for (name, value) in policies.as_object().into_iter().flatten() {
                    found[name] = value.clone();
                }
                Ok((found, failures))
            })?;
            reader.print_with(&found, &view, failures.is_empty())?;
            partial(&failures)
        }
        PermissionSetCommand::Create(arguments) => set(SetChange::Create(arguments), globals, output),
        PermissionSetCommand::Update(arguments) => set(SetChange::Update(arguments), globals, output),
        PermissionSetCommand::Delete { permission_set, change } => {
            set(SetChange::Delete(permission_set, change), globals, output)
        }
        PermissionSetCommand::Attach(arguments) => set(SetChange::Attach(arguments), globals, output),
        PermissionSetCommand::Detach(arguments) => set(SetChange::Detach(arguments), globals, output),
        PermissionSetCommand::PutInline(arguments) => set(SetChange::PutInline(arguments), globals, output),
        PermissionSetCommand::DeleteInline { permission_set, provision, change } => {
            let provision = provision.provision;
            set(SetChange::DeleteInline { permission_set, provision, how: change }, globals, output)
        }
        PermissionSetCommand::Provision { permission_set, account, change } => {
            set(SetChange::Provision { permission_set, account, how: change }, globals, output)
        }
    }
}

/// `account ...`
pub(crate) fn account(command: AccountCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        AccountCommand::List(Everything { list: args }) => {
            list(&Request::Accounts, "accounts", ACCOUNTS, &args, globals, output)
        }
        AccountCommand::Get { account, read } => {
            let view = Projection::new("accounts", ACCOUNTS).of_read(&read)?;
            let reader = ReadSession::open(globals, &read, output)?;
            let id =
                reader.wait(reader.gateway().resolver().account_id(&account, &reader.policy, reader.progress()))?;
            reader.show(&Request::Account(id), &view)
        }
    }
}

/// `ou ...`
pub(crate) fn ou(command: OuCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let OuCommand::List(Everything { list: args }) = command;
    list(&Request::Ous, "organizational units", OUS, &args, globals, output)
}

/// `instance ...`
pub(crate) fn instance(command: InstanceCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let InstanceCommand::List(Everything { list: args }) = command;
    let view = Projection::new("instances", INSTANCES).of_list(&args)?;
    let reader = ReadSession::open(globals, &args.read, output)?;
    let found = if args.read.freshness.cache_only {
        let known = reader.gateway().remembered();
        let known = known.ok_or_else(|| GatewayError::NotCached { key: "which instances there are".into() })?;
        vec![json!({"InstanceArn": known.instance, "IdentityStoreId": known.identity_store})]
    } else {
        reader.wait(reader.gateway().reader().instances())?
    };
    if found.is_empty() {
        let none = CliError::from(AwsAccount::new(&reader.session.app).selection().no_instance());
        let hint = none.hint.unwrap_or_default();
        reader.progress().notice(&format!("{}; {}", none.message, hint.lines().next().unwrap_or_default()));
    }
    reader.print(&Value::Array(found), &view)
}

fn list(
    request: &Request,
    what: &str,
    columns: &'static [Column],
    args: &ListArgs,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let view = Projection::new(what, columns).of_list(args)?;
    ReadSession::open(globals, &args.read, output)?.show(request, &view)
}

/// Adds fields of a described principal under new names; null if it could not be described, and its state if it is
/// gone.
fn add(row: &mut Value, known: &KnownPrincipals<Value>, who: &(PrincipalKind, String), fields: &[(&str, &str)]) {
    for (new, old) in fields {
        row[*new] = known.found.get(who).map_or(Value::Null, |from| from[*old].clone());
    }
    if known.gone.contains(who) {
        row[STATE] = json!(DELETED);
    }
}

pub(super) fn array(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
