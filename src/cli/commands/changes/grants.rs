//! `assignment assign`, `revoke` and `status`: one permission set, one principal, one account or many.
//!
//! Neighbours: `changes.rs` looks names up and asks; `gateway/write.rs` follows each account to its end. Promise: every
//! account is named with what became of it; after a failure no further one is begun unless that was asked for; what is
//! so already is left alone and said.

use super::Writer;
use crate::cli::args::GlobalArgs;
use crate::cli::args::changes::{ChangeArgs, GrantArgs, PrincipalType};
use crate::cli::commands::directory::{array, text};
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Page};
use crate::gateway::{Change, GatewayError, Grant, Pending, Policy, Principal, PrincipalKind, Request, Written};
use crate::model::matches;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// What became of one account.
enum Became {
    /// AWS did it.
    Done(Written),
    /// It was so before.
    Already,
    /// It failed.
    Failed(GatewayError),
    /// Another one failed before it was begun.
    NotBegun,
}

/// What is given or taken, and to whom, in words.
struct Deal {
    permission_set: super::Named,
    principal: Principal,
    who: String,
    /// Id and name of each account.
    accounts: Vec<(String, String)>,
}

/// `assignment assign` and, without `gives`, `assignment revoke`.
pub(crate) fn grant(args: &GrantArgs, gives: bool, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let writer = Writer::open(globals, &args.change, output)?;
    let deal = writer.wait(deal(&writer, args))?;
    if deal.accounts.is_empty() {
        return Err(Failure::new(Code::NotFound, "no account fits").hint("`awsideman account list` shows them"));
    }
    let verb = if gives { "give" } else { "take" };
    let set = &deal.permission_set.name;
    let from = if gives { "to" } else { "from" };
    let question = format!("{verb} {set} {from} {} in {} accounts", deal.who, deal.accounts.len());
    if !gives && !args.change.dry_run {
        let lost: Vec<String> =
            deal.accounts.iter().take(20).map(|(id, name)| format!("{set} of {} in {name} ({id})", deal.who)).collect();
        writer.may_destroy(&question, &lost)?;
    }
    let became = writer.wait(async { Ok(carry_out(&writer, &deal, args, gives).await) })?;
    report(writer, &deal, gives, became)
}

async fn carry_out(writer: &Writer<'_>, deal: &Deal, args: &GrantArgs, gives: bool) -> Vec<Became> {
    let (what, stopped) = ("accounts", AtomicBool::new(false));
    writer.progress().started(what, Some(deal.accounts.len() as u64));
    let (deal, stopped) = (&deal, &stopped);
    let became = stream::iter(&deal.accounts)
        .map(|(account, _)| async move {
            if stopped.load(Ordering::Relaxed) {
                return Became::NotBegun;
            }
            let became = one(writer, deal, account, gives).await.unwrap_or_else(Became::Failed);
            if matches!(became, Became::Failed(_)) && !args.continue_on_error {
                stopped.store(true, Ordering::Relaxed);
            }
            writer.progress().advanced(what, 1);
            became
        })
        .buffered(usize::from(args.batch_size))
        .collect()
        .await;
    writer.progress().finished(what);
    became
}

async fn one(writer: &Writer<'_>, deal: &Deal, account: &str, gives: bool) -> Result<Became, GatewayError> {
    let grant = Grant {
        account: account.to_owned(),
        permission_set: deal.permission_set.id.clone(),
        kind: deal.principal.kind,
        principal: deal.principal.id.clone(),
    };
    let request = Request::Assignments { account: grant.account.clone(), permission_set: grant.permission_set.clone() };
    let rows = array(writer.gateway().value(&request, &Policy::BYPASS, writer.progress()).await?);
    if rows.iter().any(|row| row["PrincipalId"] == grant.principal.as_str()) == gives {
        return Ok(Became::Already);
    }
    let change = if gives { Change::Assign(grant) } else { Change::Revoke(grant) };
    if writer.dry_run {
        return Ok(Became::NotBegun);
    }
    writer.gateway().write(&change, &writer.writing, writer.progress()).await.map(Became::Done)
}

async fn deal(writer: &Writer<'_>, args: &GrantArgs) -> Result<Deal, GatewayError> {
    let permission_set = writer.permission_set(&args.permission_set).await?;
    let word = match args.principal_type {
        Some(PrincipalType::User) => format!("user:{}", args.principal),
        Some(PrincipalType::Group) => format!("group:{}", args.principal),
        None => args.principal.clone(),
    };
    let principal = writer.gateway().principal(&word, &writer.policy, writer.progress()).await?;
    let plain = word.trim_start_matches("user:").trim_start_matches("group:");
    let named = match principal.kind {
        PrincipalKind::User if plain != principal.id => writer.user(plain).await?,
        PrincipalKind::User => writer.user(&principal.id).await?,
        PrincipalKind::Group if plain != principal.id => writer.group(plain).await?,
        PrincipalKind::Group => writer.group(&principal.id).await?,
    };
    let who = format!("{} {}", principal.kind.as_str().to_ascii_lowercase(), named.name);
    Ok(Deal { permission_set, principal, who, accounts: accounts(writer, args).await? })
}

/// The accounts that the flags choose: one, those that are listed, or the active ones that pass every filter.
async fn accounts(writer: &Writer<'_>, args: &GrantArgs) -> Result<Vec<(String, String)>, GatewayError> {
    let gateway = writer.gateway();
    let all = array(gateway.value(&Request::Accounts, &writer.policy, writer.progress()).await?);
    let names: BTreeMap<String, String> =
        all.iter().map(|account| (text(account, "Id"), text(account, "Name"))).collect();
    let listed: Vec<&String> = args.account.iter().chain(&args.accounts).collect();
    let mut chosen = Vec::new();
    if listed.is_empty() {
        let filtered = args.ou_filter.is_some() || args.account_pattern.is_some() || !args.account_filter.is_empty();
        if !filtered && !args.all_accounts {
            return Err(GatewayError::Configuration {
                detail: "no account was named".into(),
                hint: "name one after the principal, or choose several with --accounts, --ou-filter, \
                       --account-pattern, --account-filter or --all-accounts"
                    .into(),
            });
        }
        let is_active =
            |account: &&Value| text(account, "State") != "SUSPENDED" && text(account, "Status") != "SUSPENDED";
        chosen.extend(all.iter().filter(is_active).map(|account| text(account, "Id")));
    }
    for word in listed {
        chosen.push(gateway.account_id(word, &writer.policy, writer.progress()).await?);
    }
    if let Some(unit) = &args.ou_filter {
        let inside = gateway.accounts_in(units(writer, unit).await?).await?;
        chosen.retain(|id| inside.contains(id));
    }
    if let Some(pattern) = &args.account_pattern {
        let pattern = pattern.to_lowercase();
        chosen.retain(|id| names.get(id).is_some_and(|name| matches(&pattern, &name.to_lowercase())));
    }
    if !args.account_filter.is_empty() {
        chosen = gateway.tagged(chosen, &args.account_filter).await?;
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen.into_iter().map(|id| (id.clone(), names.get(&id).cloned().unwrap_or_default())).collect())
}

/// The ids of a unit, by name, path or id, and of all units below it.
async fn units(writer: &Writer<'_>, word: &str) -> Result<Vec<String>, GatewayError> {
    let all = array(writer.gateway().value(&Request::Ous, &writer.policy, writer.progress()).await?);
    let is = |unit: &&Value| ["Id", "Path", "Name"].iter().any(|field| unit[*field] == word);
    let found: Vec<&Value> = all.iter().filter(is).collect();
    let unit = match found.as_slice() {
        [one] => *one,
        [] => return Err(GatewayError::NotFound { what: format!("organizational unit `{word}`") }),
        _ => {
            let choices = found.iter().map(|unit| format!("{} ({})", text(unit, "Path"), text(unit, "Id"))).collect();
            return Err(GatewayError::Ambiguous { name: word.to_owned(), choices });
        }
    };
    let path = text(unit, "Path");
    let below = |other: &&Value| {
        let its = text(other, "Path");
        its == path || its.starts_with(&format!("{path}/"))
    };
    Ok(all.iter().filter(below).map(|unit| text(unit, "Id")).collect())
}

fn report(writer: Writer<'_>, deal: &Deal, gives: bool, became: Vec<Became>) -> Result<(), Failure> {
    let (dry_run, single) = (writer.dry_run, became.len() == 1);
    let (mut rows, mut results, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let (mut done, mut last, mut first_failure) = (0, None, None);
    for ((id, name), became) in deal.accounts.iter().zip(became) {
        let (word, detail, request_id) = match became {
            Became::Done(written) => {
                done += 1;
                let request = text(&written.answer, "RequestId");
                last = super::untold(written).or(last);
                (if gives { "assigned" } else { "revoked" }, String::new(), request)
            }
            Became::Already => ("already so", String::new(), String::new()),
            Became::NotBegun if dry_run => {
                (if gives { "would assign" } else { "would revoke" }, String::new(), String::new())
            }
            Became::NotBegun => {
                failures.push(format!("{name} ({id}): not begun"));
                ("not begun", "another account failed before".into(), String::new())
            }
            Became::Failed(error) => {
                let text = error.to_string();
                failures.push(format!("{name} ({id}): {text}"));
                first_failure = first_failure.or(Some(error));
                ("failed", text, String::new())
            }
        };
        results.push(json!({
            "AccountId": id, "AccountName": name, "outcome": word, "RequestId": request_id, "error": detail,
        }));
        rows.push(vec![name.clone(), id.clone(), word.to_owned(), detail]);
    }
    let document = json!({
        "schema_version": 1, "dry_run": dry_run, "PermissionSetArn": deal.permission_set.id,
        "PermissionSetName": deal.permission_set.name, "PrincipalType": deal.principal.kind.as_str(),
        "PrincipalId": deal.principal.id, "principal": deal.who, "changed": done, "results": results,
    });
    let page = Page::new()
        .line(format!("{} for {}", deal.permission_set.name, deal.who))
        .table(&["Account", "AccountId", "Outcome", "Detail"], rows);
    let failure = match first_failure {
        None => None,
        Some(error) if single => Some(writer.session.failed(error)),
        Some(_) => Some(
            Failure::new(
                Code::Partial,
                format!("{} of {} accounts were not changed", failures.len(), deal.accounts.len()),
            )
            .details(failures)
            .hint("run the command again: what is done is left alone; --continue-on-error goes on past a failure"),
        ),
    };
    writer.close(&document, &page, last.or(failure))
}

/// `assignment status`
pub(crate) fn status(request_id: &str, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let writer = Writer::open(globals, &ChangeArgs::default(), output)?;
    let (pending, found) = writer.wait(writer.gateway().status(request_id))?;
    let kind = match pending {
        Pending::Creation => "assignment",
        Pending::Deletion => "revocation",
        Pending::Provisioning => "provisioning",
    };
    let mut page = Page::new().field("Kind", kind);
    for (name, value) in found.as_object().into_iter().flatten() {
        page = page.field(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let failed = found["Status"] == "FAILED";
    let document = json!({"schema_version": 1, "kind": kind, "status": found});
    writer.close(&document, &page, failed.then(|| Failure::quiet(Code::Failed)))
}
